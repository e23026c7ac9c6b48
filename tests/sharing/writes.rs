use super::{Place, step};

/// Steps that may write the same never meet, others do.
#[test]
fn overlapping_writers_take_turns() {
    let meets = |name: &str, what: &str| {
        format!("sh(\"{name}\", \"mkdir lock || exit 3; sleep 0.05; rmdir lock\").writes({what});\n")
    };
    let script = ["\"src/**\"", "[\"src/a.rs\", \"docs\"]", "\"**/a.rs\""]
        .iter()
        .enumerate()
        .map(|(n, what)| meets(&format!("s{n}"), what))
        .collect::<String>();
    let group = "parallel(\"g\", [sh(\"d\", \"mkdir lock2 || exit 3; sleep 0.05; rmdir lock2\"), sh(\"e\", \"mkdir lock2 || exit 3; sleep 0.05; rmdir lock2\")]).writes(\"lib\");\n";
    let place = Place::with(&(script + group));
    let run = place.run(&["--max-parallel", "8"]);
    assert_eq!(run["status"], "success", "{run:#}");
}

#[test]
fn those_that_do_not_overlap_run_together() {
    let place = Place::with(
        r#"
        sh("one", "touch one; for i in $(seq 500); do [ -e two ] && exit 0; sleep 0.01; done; exit 1").writes("a/**");
        sh("two", "touch two; for i in $(seq 500); do [ -e one ] && exit 0; sleep 0.01; done; exit 1").writes("b/**");
        "#,
    );
    assert_eq!(place.run(&["--max-parallel", "2"])["status"], "success");
}

#[test]
fn the_plan_says_who_excludes_whom() {
    let place = Place::with("sh(\"one\", \"true\").writes(\"src\");\nsh(\"two\", \"true\").writes(\"src/*.rs\");\n");
    let plan = String::from_utf8_lossy(&place.flow(&["plan", "test.rhai"]).stdout).into_owned();
    assert!(plan.contains("never beside two") && plan.contains("writes src/*.rs"), "{plan}");
}

#[test]
fn what_was_changed_is_compared_with_what_was_declared() {
    let place = Place::with(
        r#"
        let one = sh("one", "mkdir -p src; echo 1 > src/a; echo 2 > b").writes("src");
        one -> call("tell", || one.changed);
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(step(&run, "tell")["output"], serde_json::json!(["b", "src/a"]));
    let shown = place.flow(&["why", "last", "one"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("`b`") && shown.contains("not declared"), "{shown}");
    let shown = String::from_utf8_lossy(&place.flow(&["show", "last"]).stdout).into_owned();
    assert!(shown.contains("\n  ! changed `b`, which it had not declared\n"), "{shown}");
}

/// Which of two that run together has changed what neither declared is not known, and nobody is blamed.
#[test]
fn a_neighbours_file_is_no_fault() {
    let place = Place::with(
        r#"
        let one = sh("one", "touch a1; for i in $(seq 500); do [ -e stray ] && exit 0; sleep 0.01; done; exit 1").writes("a*");
        let two = sh("two", "for i in $(seq 500); do [ -e a1 ] && break; sleep 0.01; done; touch stray; touch b1").writes("b*");
        [one, two] -> call("tell", || [one.changed, two.changed]);
        "#,
    );
    let run = place.run(&["--max-parallel", "2"]);
    assert_eq!(step(&run, "tell")["output"], serde_json::json!([["a1"], ["b1"]]), "{run:#}");
    for name in ["one", "two"] {
        let why = String::from_utf8_lossy(&place.flow(&["why", "last", name]).stdout).into_owned();
        assert!(why.contains("It or a step beside it changed `stray`"), "{why}");
    }
}
