use serde_json::json;

use super::{Place, step};

#[test]
fn a_board_is_read_as_it_is_at_that_moment() {
    let place = Place::with(
        r#"
        let project = board("project");
        let mine = board("mine", #{ parent: project });
        let first = project.put("first", "cause", "unknown");
        let before = sh("before", `echo "[${mine.cause}] [${mine.nothing}]"`);
        let second = mine.put("second", "cause", #{ file: "a.c" });
        let after = call("after", || mine.cause.file + " " + mine["cause"].file);
        let whole = sh("whole", `echo ${project.output}`);
        let gone = mine.put("gone", "cause", ());
        let last = call("last", || mine.cause == ());
        first -> before -> second -> after -> whole -> gone -> last;
        flow("q").when("project.cause == 'unknown'", sh("yes", "true"));
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(step(&run, "before")["output"], "[unknown] []");
    assert_eq!(step(&run, "after")["output"], "a.c a.c");
    assert_eq!(step(&run, "whole")["output"], json!({ "cause": "unknown" }));
    assert_eq!(step(&run, "last")["output"], true);
    assert_eq!(step(&run, "mine")["status"], "success");
}

/// A board before a step says nothing about the step's own predecessors.
#[test]
fn a_board_lets_nothing_run_that_was_not_taken() {
    let place = Place::with(
        r#"
        let facts = board("facts");
        let a = sh("a", "true").when(false);
        a -> sh("b", `echo ${facts.output}`);
        "#,
    );
    assert_eq!(step(&place.run(&[]), "b")["status"], "skipped");
}

/// Notes of a group that is tried again are those of its last attempt.
#[test]
fn what_is_made_again_notes_again() {
    let place = Place::with(
        r#"
        let facts = board("facts");
        let count = sh("count", "echo x >> n; wc -l < n").parse("json");
        let ends = sh("ends", "test $(wc -l < n) -gt 1");
        chain("all", [count, facts.put("note", `try-${count.output}`, true), ends]).retry(#{ max_attempts: 2, delay: "1ms" })
            -> call("read", || facts.output.keys());
        "#,
    );
    assert_eq!(step(&place.run(&[]), "read")["output"], json!(["try-2"]));
}

#[test]
fn a_memory_lasts_over_runs() {
    let script = r#"
        let lessons = memory("lessons");
        let seen = call("seen", || if lessons.count == () { 0 } else { lessons.count });
        seen -> lessons.put("note", "count", seen.output + 1);
    "#;
    let script = script.replace("seen.output + 1", "call_next.output");
    let script =
        script.replace("seen -> ", "let call_next = call(\"next\", |n| n + 1);\n        seen -> call_next -> ");
    let place = Place::with(&script);
    for expected in 0..3 {
        assert_eq!(step(&place.run(&[]), "seen")["output"], expected);
    }
    let listed = |args: &[&str]| String::from_utf8_lossy(&place.flow(args).stdout).into_owned();
    let notes: serde_json::Value = serde_json::from_str(&listed(&["memory", "lessons", "--json"])).expect("JSON");
    assert_eq!(
        (&notes[0]["memory"], &notes[0]["key"], &notes[0]["value"]),
        (&json!("lessons"), &json!("count"), &json!(3))
    );
    assert!(listed(&["memory"]).contains("lessons  count  3      just now"), "{}", listed(&["memory"]));
    let wrong = place.flow(&["memory", "lesson", "--clear"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && said.contains("did you mean `lessons`?"), "{said}");
    assert!(place.flow(&["memory", "lessons", "--clear"]).status.success());
    assert_eq!(listed(&["memory", "--json"]), "[]\n");
    assert_eq!(step(&place.run(&[]), "seen")["output"], 0);
    let place = Place::with(
        r#"
        let short = memory("short", #{ ttl: "1ms" });
        let seen = call("seen", || short.output);
        seen -> short.put("note", "key", "value");
        "#,
    );
    place.run(&[]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(step(&place.run(&[]), "seen")["output"], json!({}));
}
