//! Continuous integration of tiny real projects.

use super::{fails, has, run, runs, with};
use crate::transcript::Session;

/// A template with the project that it comes with.
fn project(template: &str, language: &str) -> Option<Session> {
    let session = Session::new();
    super::succeeds(&session, &format!("flow new p --template {template} && mv p/* p/.[!.]* . && mv p.rhai t.rhai"));
    has(&session, language).then_some(session)
}

#[test]
fn rust() {
    let Some(session) = project("ci-rust", "cargo") else { return };
    if !(has(&session, "cargo-fmt") && has(&session, "cargo-clippy")) {
        return;
    }
    let steps = runs(&session, "--arg offline=true");
    assert_eq!(steps["summary"]["output"], "format: success, lint: success, test: success", "{steps:#}");

    // Not in form, a warning, and a failing test: one run tells all of it.
    session.file(
        "src/lib.rs",
        "//! Greetings.\n/// One.\npub fn greeting( ) -> String { let unused = 1; String::new() }\n#[test] fn it_greets() { assert_eq!(greeting(), \"hello\"); }\n",
    );
    let (steps, told) = fails(&session, "--arg offline=true");
    assert_eq!(steps["summary"]["output"], "format: failed, lint: failed, test: failed", "{steps:#}");
    assert!(told.contains("unused variable") && told.contains("it_greets"), "{told}");
    let (_, told) = fails(&with("ci-rust"), "");
    assert!(told.contains("there is no Cargo.toml here; give --arg project=FOLDER"), "{told}");
}

#[test]
fn node() {
    let Some(session) = project("ci-node", "node") else { return };
    let steps = runs(&session, "");
    assert_eq!(steps["test/run"]["status"], "success", "{steps:#}");
    assert_eq!(steps["format"]["status"], "skipped", "{steps:#}");
    let (_, told) = fails(&session, "--arg required=test,build");
    assert!(told.contains("package.json has no script \"build\""), "{told}");

    session.file("index.js", "module.exports = { greeting: (name) => name };");
    let (steps, _) = fails(&session, "");
    assert_eq!((&steps["test/run"]["status"], &steps["lint/run"]["status"]), (&"failed".into(), &"success".into()));
    let (_, told) = fails(&with("ci-node"), "");
    assert!(told.contains("there is no package.json here"), "{told}");
}

#[test]
fn python() {
    let Some(session) = project("ci-python", "python3") else { return };
    let steps = runs(&session, "");
    assert_eq!(
        (&steps["syntax"]["status"], &steps["test"]["status"]),
        (&"success".into(), &"success".into()),
        "{steps:#}"
    );
    // Whatever is not installed is said to be skipped, with a way to get it.
    if steps["types"]["status"] == "skipped" {
        let (_, _, told) = run(&session, "");
        assert!(told.contains("types skipped: no tool for it is installed; pip install mypy"), "{told}");
        fails(&session, "--arg required=mypy");
    }
    session.file("greet/__init__.py", "def greeting(name):\n    return name\n");
    let (steps, _) = fails(&session, "");
    assert_eq!(steps["test"]["status"], "failed", "{steps:#}");
    session.file("greet/__init__.py", "def greeting(name:\n");
    let (steps, _) = fails(&session, "");
    assert_eq!(steps["syntax"]["status"], "failed", "{steps:#}");
}

#[test]
fn without_python_only_that_is_told() {
    let session = with("ci-python");
    for (args, why) in
        [("--arg python=nope --arg required=mypy", "nope is not installed"), ("--arg project=nowhere", "nowhere")]
    {
        let (steps, told) = fails(&session, args);
        assert!(told.contains(why), "{told}");
        let steps = steps.as_object().expect("the steps");
        let failed: Vec<_> =
            steps.iter().filter(|(_, step)| step["status"] == "failed").map(|(name, _)| name).collect();
        assert_eq!(failed, ["interpreter"], "{told}");
        assert_eq!(steps["test"]["status"], "skipped", "{told}");
    }
}
