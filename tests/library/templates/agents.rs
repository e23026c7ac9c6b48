//! The templates for agents: each with the recorded run of its sample project, so no agent is asked. Their checks are run, on files that are changed as
//! the agents changed them.

use serde_json::Value as Json;

use super::{result, succeeds};
use crate::transcript::Session;

/// A project of a template, with its script as `t.rhai`.
fn project(template: &str) -> Session {
    let session = Session::new();
    succeeds(&session, &format!("flow new p --template {template} && mv p/* . && mv p.rhai t.rhai"));
    session
}

/// Plays the recorded run; its steps, what it used, and what is told of it.
fn played(session: &Session, code: i32, args: &str) -> (Json, String) {
    let line = format!("flow script t.rhai --json --no-input --agents recorded:recording.ndjson {args}");
    let (ended, result, told) = result(session, &line);
    assert_eq!(ended, Some(code), "{args}: {result:#}\n{told}");
    (result["steps"].clone(), told)
}

#[test]
fn a_bug_is_mended_in_the_second_round_and_its_tests_pass() {
    let session = project("bug-fix");
    let (steps, told) = played(&session, 0, "");
    assert_eq!(steps["bug/mend/fix[1]/test"]["status"], "failed", "{steps:#}");
    assert_eq!(steps["bug/mend/fix[2]/test"]["status"], "success", "{steps:#}");
    assert_eq!(succeeds(&session, "sh median.sh 1 2 3 4"), "2.5\n");
    assert!(told.contains("recording.ndjson"), "{told}");
}

#[test]
fn without_a_failing_test_there_is_no_bug() {
    let session = project("bug-fix");
    let (_, told) = played(&session, 1, "--arg test=true");
    assert!(told.contains("the tests pass: there is no bug to see"), "{told}");
}

#[test]
fn what_holds_stands_in_the_review_and_the_gate_counts_it() {
    let session = project("code-review");
    let (_, told) = played(&session, 1, "");
    assert!(told.contains("1 errors and 1 warnings: see review.md"), "{told}");
    let report = succeeds(&session, "cat review.md");
    assert!(report.contains("backup.sh:7") && report.contains("backup.sh:9"), "{report}");
    assert!(!report.contains("backup.sh:8"), "it was refuted: {report}");
    played(&session, 0, "--arg gate=never");
}

#[test]
fn attacks_that_nobody_could_refute_fail_the_audit() {
    let session = project("security-audit");
    played(&session, 1, "");
    let report = succeeds(&session, "cat audit.md");
    assert!(report.contains("## 9/10 `fetch.sh:7`"), "{report}");
    assert!(!report.contains("has the token"), "it was refuted: {report}");
    played(&session, 0, "--arg worst=10");
}

#[test]
fn what_is_better_but_wrong_is_taken_back() {
    let session = project("optimisation");
    let (steps, _) = played(&session, 0, "");
    assert_eq!(steps["improve[1]/take-back"]["status"], "success", "{steps:#}");
    assert_eq!(steps["improve[2]/take-back"]["status"], "skipped", "{steps:#}");
    assert_eq!(steps["goal/reached"]["output"], "from 100 to 1");
    assert_eq!(
        succeeds(&session, "sh measure.sh; sh tests/run.sh | grep -c ok; ls -A | grep -c before || true"),
        "1\n3\n0\n"
    );
}

#[test]
fn three_layers_are_written_checked_mended_and_documented() {
    let session = project("feature");
    let (steps, _) = played(&session, 0, "");
    assert_eq!(steps["checks[1]/test"]["status"], "failed", "{steps:#}");
    assert_eq!(steps["done/accept/reviewed/document"]["status"], "success", "{steps:#}");
    assert_eq!(succeeds(&session, "sh server/answer.sh /version; grep -c version README.md"), "1.0.0\n1\n");
}

#[test]
fn a_plan_is_carried_out_with_tests_of_its_own() {
    let session = project("research-plan");
    played(&session, 0, "");
    assert_eq!(succeeds(&session, "sh stats.sh --max 4 6 5; sh tests/run.sh | grep -c 'ok: stats.sh --max'"), "6\n3\n");
}

#[test]
fn tests_are_red_before_they_are_green() {
    let session = project("sparc");
    let (steps, _) = played(&session, 0, "");
    assert_eq!(steps["fails-first"]["status"], "failed", "{steps:#}");
    assert_eq!(steps["completion/finish/last-check"]["status"], "success", "{steps:#}");
    assert_eq!(succeeds(&session, "sh convert.sh 100"), "212\n");
}

/// The recorded runs go their way again, as tests of the scripts: nothing is started for that.
#[test]
fn a_recorded_run_is_a_test() {
    for template in ["bug-fix", "sparc"] {
        let session = project(template);
        played(&session, 0, "");
        succeeds(&session, "flow test t.rhai --from-run last");
    }
}
