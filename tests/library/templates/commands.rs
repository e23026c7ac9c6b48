//! `flow template`.

use std::path::Path;

use super::{NAMES, fails, has, runs, succeeds, text, with};
use crate::transcript::Session;

#[test]
fn they_are_listed_shown_and_taken() {
    let mut session = Session::new();
    session
        .type_in("flow template list")
        .type_in("flow template list --json")
        .type_in("flow template show backup --params")
        .type_in("flow template show backup --params --json | head -c 180")
        .type_in("flow template show migration | head -n 3")
        .type_in("flow template use backup")
        .type_in("flow template use backup")
        .type_in("flow template use backup --force | head -n 1")
        .type_in("mkdir ci && flow template use ci-rust -o ci | head -n 1")
        .type_in("flow template use ci-rust -o 'ci/my checks.rhai' && grep -c 'my checks.rhai' 'ci/my checks.rhai'")
        .type_in("flow template use ci-rust -o - | head -n 2")
        .type_in("flow template use ci-rust -o backup.rhai/x")
        .type_in("flow template use blue-gren")
        .type_in("flow template show nothing-like-it --json")
        .type_in("flow template")
        .check("template");
}

#[test]
fn each_is_in_order_and_can_be_planned() {
    for name in NAMES {
        let session = with(name);
        let check = session.run("flow check t.rhai");
        let told = text(&check.stdout) + text(&check.stderr).as_str();
        assert!(
            check.status.success() && told.contains("nothing wrong") && told.lines().count() == 1,
            "{name}: {told}"
        );
        let plan = succeeds(&session, "flow plan t.rhai && flow plan t.rhai --format json | wc -c");
        assert!(plan.contains("parameters"), "{name}: {plan}");
        succeeds(&session, "flow fmt --check t.rhai");
        let help = succeeds(&session, "flow script t.rhai --help");
        assert!(help.contains("Parameters of t.rhai"), "{name}: {help}");
    }
}

/// The tests that come with them go every way that their scripts can go.
#[test]
fn the_tests_that_come_with_them_are_complete() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let session = Session::new();
    let told = succeeds(&session, &format!("flow test --coverage '{}' 2>&1", scripts.display()));
    assert!(told.contains("covered: 100 %"), "{told}");
}

/// Whatever stands in a parameter that is no command, nothing of it is run.
#[test]
fn nothing_in_a_parameter_is_run() {
    let evil = "x'; touch pwned; echo \"$(touch pwned)`touch pwned`\" #";
    for (name, params) in [
        ("backup", vec!["source", "into", "exclude"]),
        ("blue-green", vec!["source", "root"]),
        ("checks", vec!["repository", "ignore"]),
        ("ci-node", vec!["project", "scripts"]),
        ("ci-python", vec!["project", "python", "requirements", "environment"]),
        ("ci-rust", vec!["project", "features", "tests"]),
        ("migration", vec!["data", "migrations", "stages"]),
        ("production-line", vec!["product", "quarantine", "work"]),
    ] {
        let session = with(name);
        if name.starts_with("ci-") && !has(&session, name.trim_start_matches("ci-").replace("rust", "cargo").as_str()) {
            continue;
        }
        session.file("data/a", "").file("migrations/x.sh", "").file("app/index.html", "");
        for param in params {
            // Whether it goes well is not asked here.
            let mut command = session.command("flow");
            command.args(["script", "t.rhai", "--quiet", "--no-input", "--arg"]).arg(format!("{param}={evil}"));
            if name == "blue-green" {
                command.args(["--arg", "start=exit 1", "--arg", "patience=1"]);
            }
            let output = command.output().expect("flow starts");
            let pwned = session.run("find . -name pwned | grep .");
            assert!(!pwned.status.success(), "{name}: {param}: {}", text(&output.stderr));
        }
    }
}

/// A path with a dash in front is a path.
#[test]
fn no_path_is_an_option() {
    let session = with("backup");
    session.file("-rf/a", "1");
    runs(&session, "--arg source=-rf --arg into=--help");
    assert!(succeeds(&session, "ls ./--help").contains(".tar.gz"));

    let session = with("migration");
    session.file("-rf/a", "1").file("-m/1.sh", "echo 2 > \"$DATA/a\"");
    runs(&session, "--arg data=-rf --arg migrations=-m --arg stages=1.sh");
    assert_eq!(succeeds(&session, "cat ./-rf/a"), "2\n");
}

#[test]
fn values_that_cannot_be_are_refused_before_anything_runs() {
    for (name, wrong, told) in [
        ("backup", "keep=0", "it must be at least 1"),
        ("backup", "name=a/b", "name may hold letters"),
        ("blue-green", "blue_port=99999", "it must be from 1 to 65535"),
        ("backup", "into=", "is a path, and cannot be empty"),
        ("blue-green", "root=", "is a path, and cannot be empty"),
        ("migration", "data=", "is a path, and cannot be empty"),
        ("blue-green", "blue_port=8082", "must differ"),
        ("blue-green", "old=burn", "one of: `keep`, `stop`"),
        ("checks", "checks=format,lnt", "there are no checks \"lnt\""),
        ("migration", "checkpoints=x", "is none of the stages"),
        ("migration", "stop=true", "belong together"),
        ("production-line", "min_coverage=101", "from 0 to 100"),
        ("ci-node", "required=deploy", "none of the scripts"),
        ("ci-python", "required=blak", "none of the tools"),
    ] {
        let session = with(name);
        let output = session.run(&format!("flow script t.rhai --arg '{wrong}'"));
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {wrong}: {stderr}");
        assert!(stderr.contains(told), "{name}: {wrong}: {stderr}");
        assert!(!session.folder().join(".flow").exists(), "{name}: {wrong}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    for (name, args, told) in [
        ("backup", "", "there is no folder data"),
        ("blue-green", "--arg patience=1", "there is no folder app"),
        ("migration", "", "there is no data to migrate"),
    ] {
        let (_, stderr) = fails(&with(name), args);
        assert!(stderr.contains(told) && stderr.contains("--arg "), "{name}: {stderr}");
    }
    let session = with("production-line");
    let (steps, _) = fails(&session, "--arg work=true");
    assert_eq!(steps["test"]["status"], "failed", "a gate that gets nothing is not passed: {steps:#}");
}
