use super::*;

fn ask<T>(text: &str, look: impl FnOnce(&Document, usize) -> T) -> T {
    let offset = text.find('^').expect("`^` says where");
    look(&Document::new(text.replacen('^', "", 1)), offset)
}

fn names(text: &str) -> Vec<String> {
    names_with(text, &Known::NOTHING)
}

fn names_with(text: &str, known: &Known) -> Vec<String> {
    ask(text, |document, offset| document.complete(offset, known).candidates.into_iter().map(|c| c.text).collect())
}

#[test]
fn functions_variables_and_words_are_offered() {
    let found = names("let build = sh(\"build\", \"make\");\nb^");
    assert_eq!(found[0], "build", "{found:?}");
    assert!(found.contains(&"breaker".to_owned()) && found.contains(&"break".to_owned()), "{found:?}");
    assert!(names("l^").contains(&"let".to_owned()));
    assert_eq!(names("fn greet(who) { wh^ }"), ["who", "while"]);
    assert!(names("let outer = 1; fn f(a) { o^ }").iter().all(|name| name != "outer"), "a function sees its own only");
    assert!(names("each(\"x\", [1], |item| { it^ })").contains(&"item".to_owned()));
    assert!(names("let inner = inn^").iter().all(|name| name != "inner"));
    assert!(names("{ let inner = 1; } inn^").iter().all(|name| name != "inner"));
    assert!(names("let x = ^").contains(&"sh".to_owned()));
    assert!(names("let n^").is_empty(), "a new name");
    assert!(names("// comm^").is_empty() && names("/* a /* b */ c^ */").is_empty() && names("12^").is_empty());
}

#[test]
fn what_is_read_of_budgets_and_agents_is_offered() {
    let found = names("let money = budget(#{ usd: 1.0 }); money.^");
    for wanted in ["remaining", "spent", "limits", "cost_usd", "tokens", "turns"] {
        assert!(found.iter().any(|name| name == wanted), "{wanted} in {found:?}");
    }
    assert_eq!(names("let money = budget(#{ usd: 1.0 }); money.remaining.^"), ["usd", "tokens", "turns", "minutes"]);
    assert_eq!(names("let a = agent(\"a\", #{}).ask(\"Do it\"); a.verd^"), ["verdict"]);
    assert!(names("let a = sh(\"a\", \"b\"); sh(\"c\", \"d\").when(\"a.tok^\")").contains(&"tokens".to_owned()));
}

#[test]
fn steps_have_methods_and_properties() {
    for script in [
        "let a = sh(\"a\", \"true\"); a.^",
        "sh(\"a\", \"true\").retry(3).^",
        "sh(\"a\", \"true\")\n    .retry(#{ max_attempts: 2 })\n    .^",
        "flow(\"g\").when(|| true, x).^",
        "fn make(n) { sh(n, \"x\").timeout(\"1s\") } let m = make(\"m\"); m.^",
        "fn make(n) { let s = sh(n, \"x\"); return s; } make(\"m\").^",
        "import \"std/checks\" as checks; checks::exists(\"a\", \"b\").^",
        "let a = sh(\"a\", \"1\"); let b = sh(\"b\", \"2\"); (a -> b).^",
        "`${sh(\"a\", \"b\").^}`",
    ] {
        let found = names(script);
        for wanted in ["output", "passed", "timeout", "retry", "when", "otherwise"] {
            assert!(found.iter().any(|name| name == wanted), "{script}: {wanted} in {found:?}");
        }
        assert!(!found.iter().any(|name| name == "sh" || name == "prefix"), "{script}: {found:?}");
    }
    let found = names("let p = pipeline(\"p\").from([1]); p.^");
    for wanted in ["stage", "filter", "to", "alert", "retry", "delivered", "dead", "output"] {
        assert!(found.iter().any(|name| name == wanted), "{wanted} in {found:?}");
    }
    assert_eq!(names("pipeline(\"p\").from([1]).stage(\"s\", |n| n, #{ on_error: \"d^\" })"), ["dead_letter"]);
    assert_eq!(names("pipeline(#{ source: [1], stages: [#{ paral^ }] })"), ["parallelism"]);
    assert_eq!(names("stream(\"s\", [a, b], #{ merge: \"r^\" })"), ["raw"]);
    assert_eq!(names("sh(\"a\", \"b\").on_f^"), ["on_failure", "on_failure_retry"]);
    assert_eq!(names("let s = secret(\"T\"); s.^"), ["prefix", "suffix"]);
    assert!(names("[1, 2].^").contains(&"len".to_owned()));
    assert!(names("\"a b\".^").contains(&"split".to_owned()));
    assert!(names("for i in 0..^").contains(&"sh".to_owned()), "a range is no member");
}

#[test]
fn keys_of_values_are_offered() {
    assert!(names("let m = #{ one: 1, two: 2 }; m.t^").starts_with(&["two".into()]));
    assert_eq!(names("let c = call(\"c\", || #{ usd: 1, from: 2 }); c.output.^"), ["usd", "from"]);
    assert!(names("let ok = approve(\"ok\", #{ form: #{ version: \"\" } }); ok.^").starts_with(&[
        "by".into(),
        "at".into(),
        "comment".into(),
        "version".into()
    ]));
    let values = |path: &str| {
        let key = |name: &str| (name.to_owned(), "number".to_owned());
        (path == "cover.output").then(|| Shape { sort: Sort::Map, keys: vec![key("percent"), key("lines")] })
    };
    let known = Known { values: &values, ..Known::NOTHING };
    assert!(names_with("cover.output.^", &known).starts_with(&["percent".into(), "lines".into()]));
}

#[test]
fn option_maps_have_their_keys() {
    assert_eq!(names("sh(\"a\", \"b\").retry(#{ ^"), ["max_attempts", "delay", "backoff", "max_delay", "jitter"]);
    assert_eq!(names("sh(\"a\", \"b\").retry(#{ delay: \"1s\", max^ });"), ["max_attempts", "max_delay"]);
    assert!(names("param(\"x\", #{ default: 1, ^ })").contains(&"one_of".to_owned()));
    assert!(!names("param(\"x\", #{ default: 1, ^ })").contains(&"default".to_owned()), "it is there already");
    assert!(names("settings(#{ strategies: #{ transient: #{ ^").contains(&"wait".to_owned()));
    assert!(names("chain(#{ steps: [#{ name: \"x\", ^").contains(&"timeout".to_owned()));
    assert_eq!(names("chain(#{ steps: [#{ name: \"x\", retry: #{ ba^"), ["backoff"]);
    assert!(names("flow(#{ conditions: [#{ ^").contains(&"then".to_owned()));
    assert!(names("approve(\"a\", #{ form: #{ version: #{ ^").contains(&"one_of".to_owned()));
    assert!(names("http(\"h\", #{ url: \"x\", ^").contains(&"headers".to_owned()));
    assert!(names("breaker(\"b\", #{ ^").contains(&"threshold".to_owned()));
    assert_eq!(names("let m = #{ ^"), Vec::<String>::new());
    let module = |path: &str| (path == "ci.rhai").then(|| Arc::from("param(\"suite\", #{}); param(\"env\");"));
    let known = Known { module: &module, ..Known::NOTHING };
    assert_eq!(names_with("workflow(\"t\", \"ci.rhai\", #{ ^ })", &known), ["suite", "env"]);
}

#[test]
fn words_and_names_stand_in_texts() {
    assert!(names("sh(\"a\", \"b\").rule(\"^\")").contains(&"all_success".to_owned()));
    assert_eq!(names("sh(\"a\", \"b\").rule(\"one_s^"), ["one_success"]);
    assert!(names("sh(\"a\", \"b\").rule(^)").contains(&"\"all_done\"".to_owned()));
    assert!(names("settings(#{ order: \"^\" })").contains(&"critical_path".to_owned()));
    assert_eq!(names("on(\"st^\", x)"), ["start"]);
    let steps = "let a = sh(\"build\", \"x\"); sh(\"bench\", \"y\"); ";
    assert_eq!(names(&format!("{steps}chain(\"build -> be^\")")), ["bench"]);
    assert_eq!(names(&format!("{steps}chain(\"build → [be^, c]\")")), ["bench"]);
    assert_eq!(names(&format!("{steps}flow(\"if bui^")), ["build"]);
    assert_eq!(names(&format!("{steps}flow(\"if build.pas^")), ["passed"]);
    assert_eq!(names(&format!("{steps}flow(\"if build.passed then be^")), ["bench"]);
    assert_eq!(names(&format!("{steps}flow(\"if build.passed then notify -> be^")), ["bench"]);
    assert_eq!(names(&format!("{steps}flow(\"if build.passed then a else if bench.pas^")), ["passed"]);
    assert_eq!(names(&format!("{steps}chain(\"ifs -> be^")), ["bench"]);
    assert_eq!(names(&format!("{steps}sh(\"c\", \"d\").when(\"build.pas^\")")), ["passed"]);
    assert_eq!(names(&format!("{steps}sh(\"c\", \"echo ${{bu^}}\")")), ["build"]);
    assert_eq!(names(&format!("{steps}sh(\"c\", \"echo ${{build.out^}}\")")), ["output"]);
    assert_eq!(names(&format!("{steps}sh(\"c\", `echo ${{a.out^}}`)")), ["output", "output_limit"]);
    assert_eq!(names(&format!("{steps}given(\"bu^\")")), ["build"]);
    assert_eq!(names(&format!("{steps}a.on_failure(\"be^\")")), ["bench"]);
    assert_eq!(names("limit(\"api\", 3); sh(\"a\", \"b\").limit(\"^\")"), ["api"]);
    assert_eq!(
        names("chain(#{ steps: [#{ name: \"fetch\", sh: \"x\" }, #{ name: \"y\", depends_on: [\"fe^\"] }] })"),
        ["fetch"]
    );
    assert!(names("sh(\"a\", \"ec^\")").is_empty(), "a shell script is not ours");
    let known = Known { steps: &["deploy".to_owned()], ..Known::NOTHING };
    assert_eq!(names_with("chain(\"de^\")", &known), ["deploy"]);
}

#[test]
fn tests_have_runs_and_doubles() {
    let module =
        |path: &str| (path == "deploy.rhai").then(|| Arc::from("sh(\"build\", \"make\"); sh(\"push\", \"x\");"));
    let known = Known { module: &module, ..Known::NOTHING };
    let test = |rest: &str| {
        names_with(&format!("fn test_it() {{ let run = simulate(\"deploy.rhai\", #{{}}); {rest} }}"), &known)
    };
    assert!(test("given(\"build\").^").starts_with(&["answers".into(), "costs".into(), "fails".into()]));
    assert!(test("given(\"build\").fails(\"x\").then^").contains(&"then_returns".to_owned()));
    assert!(test("run.^").contains(&"order".to_owned()));
    assert!(test("run.step(\"build\").^").contains(&"started_ms".to_owned()));
    assert_eq!(test("run.step(\"pu^\")"), ["push"]);
    assert_eq!(test("run.before(\"build\", \"pu^\")"), ["push"]);
}

#[test]
fn modules_and_files_are_offered() {
    let files = |path: &str| match path {
        "parts/" => vec!["parts/tools.rhai".to_owned()],
        _ => vec!["parts/".to_owned(), "ci.rhai".to_owned()],
    };
    let module = |path: &str| {
        (path == "parts/tools")
            .then(|| Arc::from("/// Makes it.\nfn make(name) { sh(name, \"x\") }\nprivate fn own() {}"))
    };
    let known = Known { files: &files, module: &module, ..Known::NOTHING };
    assert!(names_with("import \"^", &known).contains(&"std/checks".to_owned()));
    assert_eq!(names_with("import \"parts/^\" as p;", &known), ["parts/tools"]);
    assert_eq!(names_with("workflow(\"w\", \"c^\")", &known), ["ci.rhai"]);
    assert_eq!(names_with("import \"parts/tools\" as tools; tools::^", &known), ["make"]);
    assert!(names("import \"std/checks\" as checks; checks::ex^").contains(&"exists".to_owned()));
    assert_eq!(names("import \"std/checks\" as checks; chec^"), ["checks"]);
}

#[test]
fn what_is_left_open_does_not_spoil_the_rest() {
    let script = "let a = sh(\"a\", [1, #{ b: (\nlet build = sh(\"build\", \"x\");\nchain(\"bui^\")";
    assert_eq!(names(script), ["build"]);
    assert_eq!(names("let t = \"open\nlet b = sh(\"bb\", \"x\"); b.time^"), ["timeout"]);
    assert_eq!(names("fn f( { ) let x = sh(\"x\", \"y\"); x.dead^"), ["deadline"]);
}

fn hover(text: &str) -> Option<String> {
    ask(text, |document, offset| document.hover(offset, &Known::NOTHING).map(|hover| hover.text))
}

#[test]
fn words_are_explained() {
    assert!(hover("s^h(\"a\", \"b\")").is_some_and(|text| text.contains("sh(name: text, script)")));
    assert!(hover("sh(\"a\", \"b\").time^out(\"1s\")").is_some_and(|text| text.contains("step.timeout(duration)")));
    assert!(hover("sh(\"a\", \"b\").ou^tput").is_some_and(|text| text.contains("What it gave")));
    assert!(hover("sh(\"a\", \"b\").retry(#{ jit^ter: 1 })").is_some_and(|text| text.contains("jitter:")));
    assert!(
        hover("let a = sh(\"a\", \"b\"); a^").is_some_and(|text| text.contains("let a = sh(") && text.contains("step"))
    );
    assert!(
        hover("/// Says hello.\n/// Loudly.\nfn greet(who) {}\ngre^et(1)")
            .is_some_and(|text| text.contains("fn greet(who)") && text.contains("Says hello.\nLoudly."))
    );
    assert!(hover("let x = 1; // not about it\nfn f() {}\nf^()").is_some_and(|text| !text.contains("not about")));
    assert!(
        hover("import \"std/checks\" as c; c::exi^sts(1, 2)")
            .is_some_and(|text| text.contains("fn exists(name, path)"))
    );
    assert!(hover("import \"std/che^cks\" as c;").is_some_and(|text| text.contains("import \"std/checks\"")));
    assert!(hover("let a = sh(\"build\", \"x\"); chain(\"bui^ld\")").is_some_and(|text| text.contains("sh(\"build\"")));
    assert!(hover("a -^> b").is_some_and(|text| text.contains("a -> b")));
    assert!(hover("whi^le true {}").is_some());
    assert_eq!(hover("let x = nobo^dy;"), None);
}

fn signature(text: &str) -> Option<(String, usize, Option<String>)> {
    ask(text, |document, offset| {
        let found = document.signature(offset, &Known::NOTHING)?;
        let form = &found.forms[found.active];
        let parameter = form.parameters.get(found.argument).map(|range| form.label[range.clone()].to_owned());
        Some((form.label.clone(), found.argument, parameter))
    })
}

#[test]
fn calls_show_their_arguments() {
    assert_eq!(signature("sh(^"), Some(("sh(name: text, script) -> step".into(), 0, Some("name: text".into()))));
    assert_eq!(signature("sh(\"a\", ^").map(|s| s.2), Some(Some("script".into())));
    assert_eq!(signature("sh(\"a\", \"b^\")").map(|s| s.1), Some(1));
    assert_eq!(signature("repeat(\"a\", #{ max: 1, until: |a, b| a }, |i, last| ^)").map(|s| s.1), Some(2));
    assert_eq!(
        signature("chain(\"x\", [sh(\"a\", \"b\"), ^])").map(|s| (s.0, s.1)),
        Some(("chain(name: text, steps: array) -> step".into(), 1))
    );
    assert_eq!(signature("sh(\"a\", \"b\").timeout(^)").map(|s| s.0), Some("step.timeout(duration) -> step".into()));
    assert_eq!(signature("fn greet(who, how) {} greet(1, ^)").map(|s| s.2), Some(Some("how".into())));
    assert_eq!(signature("import \"std/checks\" as c; c::exists(\"a\", ^").map(|s| s.2), Some(Some("path".into())));
    assert_eq!(signature("sh(\"a\", \"b\").retry(3^)").map(|s| s.1), Some(0));
    assert_eq!(signature("limit(\"a\", 3^)").map(|s| s.1), Some(1));
    assert_eq!(signature("fn h(a, b) {} h(^1, 2)").map(|s| s.2), Some(Some("a".into())));
    assert_eq!(signature("fn h(a, b) {} h(1, 2^)").map(|s| s.2), Some(Some("b".into())));
    assert_eq!(signature("fn h(a, b) {} h(1.5^, 2)").map(|s| s.2), Some(Some("a".into())));
    assert_eq!(signature("h(1 /* 2^ */)"), None);
    let slug = |rest: &str| signature(&format!("import \"std/text\" as text; text::slug({rest})")).map(|s| (s.0, s.1));
    assert_eq!(slug("^"), Some(("slug(text)".into(), 0)));
    assert_eq!(slug("\"x\", ^"), Some(("slug(text, max)".into(), 1)));
    assert_eq!(slug("\"x\", ^\"2\""), Some(("slug(text, max)".into(), 1)));
    let forms =
        |text: &str| ask(text, |document, offset| document.signature(offset, &Known::NOTHING).map(|s| s.forms.len()));
    assert_eq!(forms("import \"std/text\" as text; text::slug(^)"), Some(2));
    assert_eq!(forms("fn f(a) {} fn f(a, b) {} f(^)"), Some(2));
    assert_eq!(signature("each(\"a\", b, |x| { ^ })"), None);
    assert_eq!(signature("if (^"), None);
    assert_eq!(signature("^"), None);
}

fn definition(text: &str) -> Option<(Option<String>, String)> {
    let module = |path: &str| (path == "tools").then(|| Arc::from("fn make(name) { sh(name, \"x\") }"));
    ask(text, |document, offset| {
        let found = document.definition(offset, &Known { module: &module, ..Known::NOTHING })?;
        let text =
            if found.module.is_some() { format!("{:?}", found.name) } else { document.text()[found.range].to_owned() };
        Some((found.module, text))
    })
}

#[test]
fn names_lead_to_their_declarations() {
    assert_eq!(definition("let build = 1; bui^ld"), Some((None, "build".into())));
    assert_eq!(definition("fn f(a) { a } f^(1)"), Some((None, "fn f(a) { a }".into())));
    assert_eq!(
        definition("sh(\"build\", \"x\").retry(2); chain(\"bui^ld -> c\")"),
        Some((None, "sh(\"build\", \"x\").retry(2)".into()))
    );
    assert_eq!(
        definition("sh(\"build\", \"x\"); sh(\"b\", \"echo ${bu^ild.output}\")"),
        Some((None, "sh(\"build\", \"x\")".into()))
    );
    assert_eq!(definition("import \"std/che^cks\" as c;"), Some((Some("std/checks".into()), "0..0".into())));
    assert_eq!(definition("import \"tools\" as t; t::ma^ke(1)"), Some((Some("tools".into()), "3..7".into())));
    assert!(
        definition("import \"std/checks\" as c; c::exi^sts(1, 2)")
            .is_some_and(|found| found.0.as_deref() == Some("std/checks"))
    );
    assert_eq!(definition("workflow(\"x\", \"ci^.rhai\")"), Some((Some("ci.rhai".into()), "0..0".into())));
    assert_eq!(definition("x.bui^ld"), None);
    assert_eq!(definition("sh(\"make\", \"ma^ke\")"), None);
}

#[test]
fn names_are_found_where_they_are_used() {
    let count = |text: &str| ask(text, |document, offset| document.references(offset).len());
    assert_eq!(count("let a^ = 1; let b = a + a; x.a; #{ a: a };"), 4);
    assert_eq!(count("let a = 1; { let a = 2; a } a^"), 2);
    assert_eq!(count("fn f(a) { a } f(1); let a = 2; f^(a)"), 3);
    assert_eq!(count("sh(\"bui^ld\", \"make build\"); chain(\"build -> x\"); \"${build.output}\""), 3);
}

/// What is renamed, as `[…]` in the text.
fn renamed(text: &str) -> String {
    ask(text, |document, offset| {
        let mut found = document.text().to_owned();
        for range in document.references(offset).into_iter().rev() {
            let name = found[range.clone()].to_owned();
            found.replace_range(range, &format!("[{name}]"));
        }
        found
    })
}

#[test]
fn only_what_names_a_step_is_a_use_of_it() {
    let all = |text: &str, wanted: &str| assert_eq!(renamed(text), wanted);
    all("sh(\"ma^ke\", \"make\");", "sh(\"[make]\", \"make\");");
    for other in [
        "fail(\"x\", \"make\")",
        "param(\"p\", #{ default: \"make\" })",
        "#{ name: \"make\" }",
        "exec(\"e\", [\"make\", \"x\"])",
        "limit(\"make\", 2)",
        "print(\"make\")",
        "sh(\"y\", \"${make} make\")",
        "sh(\"y\", \"${x.make}\")",
        "sh(\"y\", `make ${make}`)",
        "chain(\"maker -> x-make\")",
        "flow(\"if x.make and x.output == 'make' and make() then y\")",
        "x.when(\"x.text == \\\"make\\\"\")",
        "if x == \"make\" { }",
    ] {
        all(&format!("sh(\"ma^ke\", \"x\"); {other};"), &format!("sh(\"[make]\", \"x\"); {other};"));
        let text = format!("sh(\"make\", \"x\"); {other};");
        let document = Document::new(text.as_str());
        for (place, _) in text.match_indices("make").skip(1).filter(|_| !other.contains("make()")) {
            assert!(document.references(place).len() != 1, "{other}");
        }
    }
    for (text, wanted) in [
        ("chain(\"make -> [x, make]\")", "chain(\"[make] -> [x, [make]]\")"),
        ("chain(\"a->make->b\")", "chain(\"a->[make]->b\")"),
        ("chain(\"g\", \"make -> b\")", "chain(\"g\", \"[make] -> b\")"),
        ("flow(\"if make.passed then make else x\")", "flow(\"if [make].passed then [make] else x\")"),
        ("x.when(\"not make.passed\")", "x.when(\"not [make].passed\")"),
        (
            "sh(\"y\", \"a ${make.output} ${default(make.text, 1)}\")",
            "sh(\"y\", \"a ${[make].output} ${default([make].text, 1)}\")",
        ),
        ("given(\"make\")", "given(\"[make]\")"),
        ("run.step(\"make\")", "run.step(\"[make]\")"),
        ("x.on_failure(\"make\")", "x.on_failure(\"[make]\")"),
        (
            "chain(#{ steps: [#{ name: \"y\", sh: \"make\", depends_on: [\"make\"] }] })",
            "chain(#{ steps: [#{ name: \"y\", sh: \"make\", depends_on: [\"[make]\"] }] })",
        ),
    ] {
        all(&format!("sh(\"ma^ke\", \"x\"); {text};"), &format!("sh(\"[make]\", \"x\"); {wanted};"));
    }
    all(
        "chain(#{ steps: [#{ name: \"fe^tch\", sh: \"fetch\" }, #{ name: \"y\", depends_on: [\"fetch\"] }] })",
        "chain(#{ steps: [#{ name: \"[fetch]\", sh: \"fetch\" }, #{ name: \"y\", depends_on: [\"[fetch]\"] }] })",
    );
    all("fn go^() {} chain(\"go -> x\"); sh(\"y\", \"go\")", "fn [go]() {} chain(\"[go] -> x\"); sh(\"y\", \"go\")");
}

#[test]
fn names_that_would_break_a_script_are_refused() {
    let why = |text: &str, name: &str| ask(text, |document, offset| document.may_be_called(offset, name).err());
    let script = "import \"std/checks\" as c; fn f(p) { p } let a^ = 1; let b = 2; { let d = 3; }";
    for name in ["let", "if", "fn", "this", "true", "private", "var", "no name", "1a", "", "b", "f", "c", "d"] {
        assert!(why(script, name).is_some(), "{name}");
    }
    for name in ["x", "p", "_a", "a"] {
        assert!(name == "a" || why(script, name).is_none(), "{name}: {:?}", why(script, name));
    }
    for name in ["let", "f", "x", "sh"] {
        assert!(why("fn f() {} let x = 1; fn g^() {}", name).is_some(), "{name}");
    }
    for name in ["and", "then", "b", "a b", ""] {
        assert!(why("sh(\"a^\", \"x\"); sh(\"b\", \"y\");", name).is_some(), "{name}");
    }
    assert_eq!(why("sh(\"a^\", \"x\"); sh(\"b\", \"y\");", "to-b.1"), None);
}

#[test]
fn steps_are_a_tree() {
    let script = "let env = param(\"env\");\nimport \"std/checks\" as c;\nfn make(n) { sh(n, \"x\") }\nchain(\"all\", [sh(\"a\", \"b\").retry(2), make(\"m\"), c::exists(\"e\", \"f\")]);\nchain(\"a -> m\");";
    let symbols = Document::new(script).symbols();
    let told: Vec<String> = symbols.iter().map(|s| format!("{} {} {}", s.detail, s.name, s.children.len())).collect();
    assert_eq!(told, ["param env 0", "c std/checks 0", "fn make(n) 0", "chain all 3"]);
    let children: Vec<&str> = symbols[3].children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(children, ["a", "m", "e"]);
}

#[test]
fn pieces_have_colours() {
    let script = "#!/x\nlet a = sh(\"a\", \"b ${c.output}\"); // why\na -> 1.5 /* x /* y */ z */";
    let found = Document::new(script).colours();
    let told: Vec<(&str, Colour)> = found.iter().map(|(range, colour)| (&script[range.clone()], *colour)).collect();
    use Colour::*;
    assert_eq!(
        told,
        [
            ("#!/x", Comment),
            ("let", Keyword),
            ("a", Step),
            ("=", Operator),
            ("sh", Function),
            ("\"a\"", Text),
            ("\"b ", Text),
            ("${c.output}", Step),
            ("\"", Text),
            ("// why", Comment),
            ("a", Step),
            ("->", Operator),
            ("1", Number),
            ("5", Number),
            ("/* x /* y */ z */", Comment),
        ]
    );
}

#[test]
fn anything_can_be_asked_anywhere() {
    let mut texts: Vec<String> = [
        "",
        "\"",
        "`",
        "`${",
        "`${a}",
        "`${a}${",
        "#{",
        "#{a",
        "|",
        "||",
        "|a",
        "a.",
        "a?.",
        "::",
        "a::",
        "/*",
        "é",
        "\"é",
        "fn",
        "fn f",
        "fn f(",
        "let",
        "for",
        "for (",
        "import",
        "import \"",
        "#\"",
        "##",
        "'",
        "`\\",
        "\\",
        "}",
        ")",
        "x[",
        "x]",
        "a.b.c(",
        "\u{feff}#!",
    ]
    .map(str::to_owned)
    .into();
    texts.push(std::fs::read_to_string("examples/09-recovery.rhai").expect("an example"));
    for text in texts {
        let letters: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len(), text.len() + 3]).collect();
        // Every beginning of a short text; of a long one, its whole and some.
        for end in letters.iter().copied().filter(|end| text.len() < 100 || end % 97 == 0 || *end == text.len()) {
            let document = Document::new(&text[..end.min(text.len())]);
            document.symbols();
            document.colours();
            for offset in (0..=end).filter(|offset| end < 100 || offset % 13 == 0) {
                document.complete(offset, &Known::NOTHING);
                document.hover(offset, &Known::NOTHING);
                document.signature(offset, &Known::NOTHING);
                document.definition(offset, &Known::NOTHING);
                document.references(offset);
            }
        }
    }
}

#[test]
#[ignore = "a measurement: cargo test --release --lib -- --ignored --nocapture ten_thousand"]
#[allow(clippy::print_stdout)] // that is what a measurement is for
fn ten_thousand_steps_are_quick() {
    let mut script: String =
        (0..10_000).map(|n| format!("let step{n} = sh(\"step-{n}\", \"echo {n}\").timeout(\"1m\");\n")).collect();
    script.push_str("chain(\"step-99\");\nst");
    let (end, text) = (script.len(), script.rfind("99").expect("it is there"));
    Document::new("").complete(0, &Known::NOTHING);
    for (what, offset) in [("names", end), ("steps in a text", text)] {
        let began = std::time::Instant::now();
        let document = Document::new(script.as_str());
        let read = began.elapsed();
        let found = document.complete(offset, &Known::NOTHING).candidates.len();
        println!("{what}: read in {read:?}, {found} candidates after {:?}", began.elapsed());
        assert!(found > 0 && began.elapsed().as_millis() < 500);
    }
}
