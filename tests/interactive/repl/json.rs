//! `flow repl --json`: an object a line for each entry.

use serde_json::Value;

use crate::transcript::Session;

fn said(session: &Session, entries: &str) -> (Vec<Value>, Option<i32>) {
    session.file("entries", entries);
    let output = session.run("flow repl --json --quiet < entries");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), output.status.code())
}

#[test]
fn values_steps_runs_and_errors_are_data() {
    let session = Session::new();
    let entries =
        "1 + 1\nlet a = sh(\"a\", \"echo '{\\\"n\\\": 1}'\")\na.n\nrun(a)\na.n\nprint(\"x\")\nfoo()\n:steps\n:undo\n";
    let (lines, code) = said(&session, entries);
    assert_eq!(code, Some(2));
    let [sum, declared, pending, ran, known, printed, wrong, steps, undone] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&sum["entry"], &sum["value"], &sum["type"]), (&"1 + 1".into(), &2.into(), &"a whole number".into()));
    assert_eq!(declared["steps"][0], "a");
    assert!(pending["value"].is_null());
    assert_eq!((&ran["value"]["n"], &ran["run"]["status"]), (&1.into(), &"success".into()));
    assert_eq!(ran["run"]["steps"]["a"]["output"]["n"], 1);
    assert_eq!(known["value"], 1);
    assert_eq!(printed["printed"], "x\n");
    assert_eq!(wrong["error"]["code"], "flow::lang::unknown_function");
    assert_eq!(steps["data"][0]["status"], "success");
    assert!(undone["notes"][0].as_str().is_some_and(|note| note.contains("run(a)")), "{undone}");
}

#[test]
fn a_run_that_fails_is_told_by_the_exit_code() {
    let session = Session::new();
    let (lines, code) = said(&session, "run(sh(\"a\", \"exit 3\"))\n1\n");
    assert_eq!(code, Some(1));
    assert_eq!((&lines[0]["run"]["steps"]["a"]["code"], &lines[1]["value"]), (&3.into(), &1.into()));
}
