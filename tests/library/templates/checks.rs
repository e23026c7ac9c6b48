//! Checks of a real repository.

use super::{fails, has, run, runs, succeeds, with};
use crate::transcript::Session;

fn repository() -> Option<Session> {
    let session = with("checks");
    session.file("LICENSE", "MIT").file("tool.sh", "#!/bin/sh\necho hello\n");
    succeeds(&session, "mv t.rhai .. 2>/dev/null; true");
    let session = with("checks");
    session.file("repo/LICENSE", "MIT").file("repo/tool.sh", "#!/bin/sh\necho hello\n");
    has(&session, "git").then(|| {
        succeeds(&session, "git -C repo init -q && git -C repo add -A");
        session
    })
}

/// A key that is none, put together here so that nobody finds it in this file.
fn key() -> String {
    format!("AKIA{}", "ABCDEFGHIJKLMNOP")
}

#[test]
fn a_planted_secret_is_found_and_not_told() {
    let Some(session) = repository() else { return };
    let steps = runs(&session, "--arg repository=repo");
    assert_eq!(steps["secrets"]["output"], "none found", "{steps:#}");

    session.file("repo/odd:name 1.txt", format!("a\nkey = {}\n", key()));
    session.file("repo/pem", "-----BEGIN RSA PRIVATE KEY-----\n");
    succeeds(&session, "git -C repo add -A");
    let (steps, told) = fails(&session, "--arg repository=repo");
    assert_eq!(steps["secrets"]["status"], "failed", "{steps:#}");
    assert!(told.contains("odd:name 1.txt:2: a key of AWS") && told.contains("pem:1: a private key"), "{told}");
    let everything = succeeds(&session, "flow logs last secrets; flow show last; cat .flow/runs/*/logs/*; true");
    assert!(!everything.contains(&key()), "{everything}");

    // Patterns of files that may hold some; and what git ignores would not be committed.
    runs(&session, "--arg repository=repo --arg 'ignore=odd*,pem'");
    session.file("repo/.gitignore", "pem\nodd*\n");
    succeeds(&session, "git -C repo rm -q --cached pem 'odd:name 1.txt'");
    runs(&session, "--arg repository=repo");
}

#[test]
fn what_is_not_installed_is_skipped_and_named() {
    let Some(session) = repository() else { return };
    // None of these tools is in a path that holds only what the shell needs.
    succeeds(
        &session,
        "mkdir bin && for tool in sh git grep find xargs head tr awk cut ls cat rm sed sort; do ln -s \"$(command -v $tool)\" bin/; done",
    );
    let args = "--arg repository=repo --arg checks=format,lint,licences";
    let flow = env!("CARGO_BIN_EXE_flow");
    let output = session.run(&format!("PATH=$PWD/bin {flow} script t.rhai --no-input {args}"));
    let told = super::text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("lint skipped: the tool is not installed; https://www.shellcheck.net"), "{told}");
    let output = session.run(&format!("PATH=$PWD/bin {flow} script t.rhai --no-input {args} --arg missing=fail"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_check_that_fails_fails_the_run_and_no_other() {
    let Some(session) = repository() else { return };
    succeeds(&session, "rm repo/LICENSE");
    let (_, result, told) = run(&session, "--arg repository=repo --arg checks=licences,secrets");
    assert_eq!(result["status"], "failed");
    assert_eq!(result["steps"]["secrets"]["status"], "success", "{result:#}");
    assert!(told.contains("there is no file LICENSE or COPYING"), "{told}");
}
