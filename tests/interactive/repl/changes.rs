//! What is changed, taken back and taken up.

use std::process::Output;

use crate::transcript::Session;

fn told(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn a_change_is_taken_back_exactly_or_refused() {
    let mut session = Session::new();
    let undone = r#"
let a = sh("a", "echo 1")
let b = sh("b", "echo 2").after(a)
let a = sh("a", "echo 3")
:undo
:steps
:run
let a = sh("a", "echo 4")
:run
:undo
:steps
a.output
let c = sh("c", "echo 5")
c
.retry(2)
:show c
:undo
:show c
:undo
:undo
:steps
:undo
:undo
"#;
    let others = r#"
let l1 = sh("l1", "echo 1"); let l2 = sh("l2", "echo 2");
let l1 = sh("l1", "echo new")
for n in 1..4 { sh(`s${n}`, "echo s"); }
sh("s1", "echo new")
let g = chain("g", [sh("x", "echo x"), sh("y", "echo y")])
let g = chain("g", [sh("x", "echo x")])
let l1 = sh("l1", "echo new"); let l2 = sh("l2", "echo 2");
:steps
:show zzz
let word = "w";
:show wrd
"#;
    let functions = r#"
fn f(x) { sh("f", `echo old ${x}`) }
fn g() { 1 } fn h() { 2 }
let a = f("a");
run(a)
fn f(x) { sh("f", `echo new ${x}`) }
run(a)
fn g() { 3 }
g() + h()
:undo
"#;
    for (title, entries) in [("undone", undone), ("others", others), ("functions", functions)] {
        session.file(&format!("{title}.rhai"), entries);
        session.type_in(&format!("flow repl < {title}.rhai"));
    }
    session.check("repl/changes");
}

#[test]
fn a_run_that_is_taken_up_keeps_its_parameters() {
    let session = Session::new();
    session.file(
        "d.rhai",
        "let env = param(\"env\", #{ default: \"staging\" });\nlet d = sh(\"d\", `echo ${env}`);\nlet gate = approve(\"gate\", `to ${env}?`).after(d);\n",
    );
    assert_eq!(session.run("flow script d.rhai --arg env=production").status.code(), Some(3));
    let (out, err, code) = told(&session.run("printf 'env\\n:plan\\n' | flow repl --resume last"));
    assert!(out.starts_with("\"production\"\n") && out.contains("echo production"), "{out}{err}");
    assert_eq!(code, Some(0), "{err}");
    let (out, err, _) = told(&session.run("printf ':resume last\\nlet e = sh(\"e\", `echo ${env}`)\\nrun(e)\\n:reset\\nlet env = param(\"env\", #{ default: \"x\" });\\nenv\\n' | flow repl"));
    assert!(out.ends_with("\"production\"\n\"x\"\n"), "{out}{err}");
    // The same are in order, others are refused.
    let (out, err, code) = told(&session.run("printf 'env\\n' | flow repl --resume last --arg env=production"));
    assert_eq!((out.as_str(), code), ("\"production\"\n", Some(0)), "{err}");
    for wrong in ["env=staging", "envi=production"] {
        let (_, err, code) = told(&session.run(&format!("flow repl --resume last --arg {wrong} < /dev/null")));
        assert!(code == Some(2) && err.contains("flow::run::other"), "{err}");
    }
}

#[test]
fn a_session_whose_run_waits_for_somebody_ends_with_3() {
    let session = Session::new();
    let gate = "let gate = approve(\"gate\", \"go?\");";
    for (entries, expected) in [
        (format!("{gate}\n:run\n"), 3),
        (format!("{gate}\nrun(gate)\n"), 3),
        (format!("{gate}\n:run\n:undo\nlet a = sh(\"a\", \"echo 1\");\n:run\n"), 0),
        (format!("{gate}\nlet bad = sh(\"bad\", \"exit 1\");\n:run\n"), 1),
        (format!("{gate}\n:run\nnothing\n"), 2),
    ] {
        session.file("s.rhai", &entries);
        let (out, err, code) = told(&session.run("flow repl --quiet < s.rhai"));
        assert_eq!(code, Some(expected), "{entries}{out}{err}");
    }
}

#[test]
fn what_run_has_put_into_a_script_is_left_out_when_it_is_taken_up() {
    let session = Session::new();
    // As it is when the session ends in the midst of `:run`.
    session
        .file("killed.rhai", "let a = sh(\"a\", \"test -e go\");\nlet b = sh(\"b\", \"echo b\").after(a);\nrun();\n");
    assert_eq!(session.run("flow script killed.rhai").status.code(), Some(1));
    session.file("go", "");
    let (out, err, code) =
        told(&session.run("printf ':run\\n:save saved.rhai\\nb.output\\n' | flow repl --resume last"));
    assert_eq!((out.as_str(), code), ("\"b\"\n", Some(0)), "{err}");
    assert!(!err.contains("run();"), "{err}");
    let saved = || std::fs::read_to_string(session.folder().join("saved.rhai")).expect("it was saved");
    assert_eq!(saved(), "let a = sh(\"a\", \"test -e go\");\nlet b = sh(\"b\", \"echo b\").after(a);\n");
    // What something needs stays, also behind another `run(…)`.
    session.file(
        "needed.rhai",
        "let a = sh(\"a\", \"echo 1\");\nrun(a)\nlet b = sh(\"b\", \"echo 22\");\n:run\nlet n = b.output.len();\n:save! saved.rhai\n",
    );
    let (_, err, code) = told(&session.run("flow repl --quiet < needed.rhai"));
    assert!(code == Some(0) && saved().contains("run();\nlet n"), "{}{err}", saved());
}
