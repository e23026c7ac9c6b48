use super::*;

fn formed(text: &str) -> String {
    let once =
        format(&Script::from_text("test", text)).unwrap_or_else(|problem| panic!("{}\n{text}", problem.message()));
    let twice = format(&Script::from_text("test", &*once)).expect("what was formatted can be");
    assert_eq!(once, twice, "it is not its own form");
    once
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    assert_eq!(formed(text), wanted.strip_prefix('\n').unwrap_or(wanted));
}

#[test]
fn blanks_are_as_everywhere() {
    becomes("let a=1+2*-3;let b = ! true&&(a>1) ;", "let a = 1 + 2 * -3;\nlet b = !true && (a > 1);\n");
    becomes("let m=#{a:1,\"b c\":[1,2 , 3,],d:#{ }};", "let m = #{ a: 1, \"b c\": [1, 2, 3], d: #{} };\n");
    becomes(
        "sh( \"a\",\"b\" )->[ sh(\"c\",`d`),sh(\"e\",'f' .to_string()) ];",
        "sh(\"a\", \"b\") -> [sh(\"c\", `d`), sh(\"e\", 'f'.to_string())];\n",
    );
    becomes(
        "let f=|x,y|x+y;let g=||true||false;for i in 0 .. 3{print(i)}",
        "let f = |x, y| x + y;\nlet g = || true || false;\nfor i in 0..3 { print(i) }\n",
    );
    becomes(
        "import\"std/checks\"as c;c :: exists( \"a\" , \"b\" );let z=[1][ 0 ];",
        "import \"std/checks\" as c;\nc::exists(\"a\", \"b\");\nlet z = [1][0];\n",
    );
    becomes(
        "let a = - -1; let b = a - -1; let c = if a>b{1}else{-2};",
        "let a = - -1;\nlet b = a - -1;\nlet c = if a > b { 1 } else { -2 };\n",
    );
}

#[test]
fn blocks_and_what_the_author_broke() {
    becomes(
        "fn f(a,b)\n{\nlet c=a;\n\n\n\nif c>1 { return c } else\n{ c+=1;\nc }\n}\nlet x=switch f(1,2){1=>\"a\",2=>{print(1)}\n_=>`b`};",
        r#"
fn f(a, b) {
    let c = a;

    if c > 1 { return c } else {
        c += 1;
        c
    }
}
let x = switch f(1, 2) {
    1 => "a",
    2 => { print(1) }
    _ => `b`,
};
"#,
    );
    becomes(
        "chain(\"deploy\",[ // all of it\nsh(\"a\",\"b\"), // first\n\n// then\nsh(\"c\",`\n  d\n`)\n]).timeout(\"5m\");",
        r#"
chain("deploy", [
    // all of it
    sh("a", "b"), // first

    // then
    sh("c", `
  d
`),
]).timeout("5m");
"#,
    );
    becomes(
        "flow(\"gate\")\n.when(|| 1==1,sh(\"a\",\"b\"))\n  .otherwise(call(\"c\",||{\n#{a:1}\n}));",
        r#"
flow("gate")
    .when(|| 1 == 1, sh("a", "b"))
    .otherwise(call("c", || {
        #{ a: 1 }
    }));
"#,
    );
}

#[test]
fn comments_stay() {
    becomes(
        "#!/usr/bin/env -S flow script\n// one\n\n\n/// doc\nfn f(/* no */ a){ /* in */ a }// end\nlet x=1 // why\n+2; /* last */\n   /* a\n  b */\n",
        r#"
#!/usr/bin/env -S flow script
// one

/// doc
fn f(/* no */ a) { /* in */ a } // end
let x = 1 // why
    + 2; /* last */
/* a
  b */
"#,
    );
    becomes("", "");
    becomes("// only", "// only\n");
    becomes("let a = [ // x\n];", "let a = [\n    // x\n];\n");
    becomes("f(1, /* two */ 2);fn f(a,b){}", "f(1, /* two */ 2);\nfn f(a, b) {}\n");
}

#[test]
fn long_lines_are_broken() {
    let long = "x".repeat(60);
    becomes(
        &format!(
            "let a = sh(\"a\", \"{long}\").timeout(\"5m\").retry(#{{ max_attempts: 3, backoff: \"exponential\" }});"
        ),
        &format!(
            "let a = sh(\"a\", \"{long}\")\n    .timeout(\"5m\")\n    .retry(#{{ max_attempts: 3, backoff: \"exponential\" }});\n"
        ),
    );
    becomes(
        &format!("let list = [\"{long}\", \"{long}\"];"),
        &format!("let list = [\n    \"{long}\",\n    \"{long}\",\n];\n"),
    );
    becomes(
        &format!("let s=sh(\"a\",\"{long}\")|>lines(\"b\",|line| line)|>[sh(\"c\",\"wc\"),sh(\"d\",\"cat\")];"),
        &format!(
            "let s = sh(\"a\", \"{long}\")\n    |> lines(\"b\", |line| line)\n    |> [sh(\"c\", \"wc\"), sh(\"d\", \"cat\")];\n"
        ),
    );
    becomes("x->a|>b->c;", "x -> a |> b -> c;\n");
    // Nothing helps.
    becomes(&format!("print(\"{long}{long}\");"), &format!("print(\"{long}{long}\");\n"));
    becomes(
        &format!("let {long} = true; let ok = {long} && {long} && true;"),
        &format!("let {long} = true;\nlet ok = {long}\n    && {long}\n    && true;\n"),
    );
}

#[test]
fn a_text_that_depends_on_its_column_stays_where_it_is() {
    becomes("  let a =   \"one \\\n     two\";\nlet b=1;", "  let a =   \"one \\\n     two\";\nlet b = 1;\n");
}

#[test]
fn what_cannot_be_read_is_not_formatted() {
    assert_eq!(format(&Script::from_text("t", "let a = (1;")).expect_err("wrong").code(), "flow::lang::syntax");
}
