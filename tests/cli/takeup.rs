//! Taking up a run at an earlier point, and with an edited script: the list beforehand, and what comes of it.

use crate::transcript::Session;

const SCRIPT: &str = r#"
let build = sh("build", "echo v1; echo build >> ran");
let lint = each("lint", ["a", "b"], |file| sh("check", `echo lint-${quote(file)} >> ran`));
let test = sh("test", `echo testing ${build.output}; echo test >> ran`);
let push = sh("push", "echo push >> ran; exit 1");
build -> [lint, test] -> push;
"#;

fn session() -> Session {
    let session = Session::new();
    session.file("one.rhai", SCRIPT);
    session.file("two.rhai", SCRIPT.replace("exit 1", "true").replace("testing", "trying"));
    assert_eq!(session.run("flow script one.rhai --quiet --max-parallel 1").status.code(), Some(1));
    session
}

/// The exit code, standard output and standard error.
fn run(session: &Session, line: &str) -> (Option<i32>, String, String) {
    let output = session.run(line);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn ran(session: &Session) -> Vec<String> {
    let text = std::fs::read_to_string(session.folder().join("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_list_says_what_runs_again_and_why_and_changes_nothing() {
    let session = session();
    let before = ran(&session);
    let (code, list, _) = run(&session, "flow resume last --with two.rhai --dry-run");
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = list.lines().map(str::trim).collect();
    assert!(lines[0].ends_with("goes on with two.rhai"), "{list}");
    assert!(lines.contains(&"again  test  command changed at 4:12"), "{list}");
    assert!(lines.contains(&"again  push  command changed at 5:12"), "{list}");
    assert!(lines.contains(&"kept: 3 steps: build, lint[a] and lint[b]"), "{list}");
    let (_, list, _) = run(&session, "flow resume last --with two.rhai --from 'lint[b]' --dry-run");
    assert!(list.contains("again  lint[b]  asked for") && list.contains("lint[a]"), "{list}");
    assert_eq!(ran(&session), before);
}

#[test]
fn only_what_changed_runs_again() {
    let session = session();
    let before = ran(&session).len();
    let (code, _, told) = run(&session, "flow resume last --with two.rhai --quiet");
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(ran(&session)[before..], ["test", "push"]);
    assert_eq!(run(&session, "flow verify last").0, Some(0));
    // The same once more, from one iteration on.
    assert_eq!(run(&session, "flow resume last --from 'lint[b]' --quiet").0, Some(0));
    assert_eq!(ran(&session)[before + 2..], ["lint-b", "push"]);
}

#[test]
fn what_names_nothing_is_answered_with_the_nearest() {
    let session = session();
    let before = ran(&session);
    let (code, _, told) = run(&session, "flow resume last --from 'lint[c]'");
    assert_eq!(code, Some(2));
    assert!(told.contains("did you mean `lint[a]` or `lint[b]`? Nothing was changed"), "{told}");
    let (code, _, told) = run(&session, "flow resume last");
    assert_eq!(code, Some(2));
    assert!(told.contains("--from STEP"), "{told}");
    assert_eq!(ran(&session), before);
}
