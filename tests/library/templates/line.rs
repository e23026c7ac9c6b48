//! The production line with a real product, and each of its gates.

use super::{fails, has, result, run, runs, succeeds};
use crate::transcript::Session;

fn line() -> Option<Session> {
    let session = Session::new();
    succeeds(&session, "flow new p --template production-line && mv p/* . && mv p.rhai t.rhai");
    has(&session, "make").then_some(session)
}

#[test]
fn what_passes_all_gates_is_released() {
    let Some(session) = line() else { return };
    let steps = runs(&session, "");
    for stage in ["intake", "compile", "test", "coverage", "security", "performance", "package", "release"] {
        assert_eq!(steps[stage]["status"], "success", "{stage}: {steps:#}");
    }
    assert_eq!(succeeds(&session, "sh dist/greet.sh Ada; ls dist/released"), "hello, Ada\ngreet.tar\n");
    assert!(!session.folder().join("quarantine").exists());
}

#[test]
fn each_gate_stops_the_line() {
    for (stage, bad, why) in [
        ("compile", "cp greet.sh $(product)", "ended with exit code"),
        ("test", "echo '{\"tests\": 2, \"failed\": 0}'", "2 tests, 1 failed"),
        ("coverage", "91.5", "12.5 % of the lines are covered, 80 % are needed"),
        ("security", "\"findings\": 0", "3 findings, at most 0 may be"),
        ("performance", "\"p95_ms\": 12", "95 of 100 take up to 950 ms, at most 200 ms may be"),
    ] {
        let Some(session) = line() else { return };
        let good = match stage {
            "compile" => "false",
            "test" => "echo '{\"tests\": 2, \"failed\": 1}'",
            "coverage" => "12.5",
            "security" => "\"findings\": 3",
            _ => "\"p95_ms\": 950",
        };
        let makefile = std::fs::read_to_string(session.folder().join("Makefile")).expect("it is there");
        session.file("Makefile", makefile.replace(bad, good));
        let (steps, told) = fails(&session, "");
        assert_eq!(steps[stage]["status"], "failed", "{stage}: {steps:#}");
        assert!(told.contains(why), "{stage}: {told}");
        assert_eq!(steps["release"]["status"], "skipped", "{stage}: {steps:#}");
        let report = succeeds(&session, "cat quarantine/*/report.md");
        assert!(report.contains(&format!(", {stage}\n")) && report.contains(why), "{stage}: {report}");

        // Nothing new begins meanwhile.
        let (steps, told) = fails(&session, "");
        assert_eq!(steps["intake"]["status"], "skipped", "{stage}: {steps:#}");
        assert!(told.contains("the line was stopped: see quarantine/"), "{told}");
        assert_eq!(succeeds(&session, "ls quarantine | grep -v open | wc -l").trim(), "1");

        // The cause is gone: the run that stopped the line goes on at that stage, and frees the line.
        session.file("Makefile", makefile);
        let run = succeeds(&session, "cat quarantine/open");
        let (code, result, told) = result(&session, &format!("flow resume {} --failed --json", run.trim()));
        assert_eq!(code, Some(0), "{stage}: {result:#}\n{told}");
        assert_eq!(result["steps"]["intake"]["attempts"], 1, "{result:#}");
        assert!(!session.folder().join("quarantine/open").exists());
        runs(&session, "");
    }
}

/// What the table of stages can say: several things side by side, one that may fail, one that is not repeated.
#[test]
fn the_stages_are_data() {
    let Some(session) = line() else { return };
    let script = std::fs::read_to_string(session.folder().join("t.rhai")).expect("it is there");
    let own = script
        .replace("work: [\"intake\"] }", "work: [\"intake\", \"intake-2\"], strategy: \"parallel\" }")
        .replace("work: [\"compile\"] }", "work: [\"compile\"], cache: [\"greet.sh\"] }")
        .replace("work: [\"coverage\"],", "work: [\"coverage\"], required: false,");
    session.file("t.rhai", own);
    let makefile = std::fs::read_to_string(session.folder().join("Makefile")).expect("it is there");
    session.file("Makefile", makefile.replace("91.5", "12.5") + "\nintake-2:\n\techo here\n");
    let steps = runs(&session, "");
    assert_eq!(steps["intake/intake-2"]["output"], "here", "{steps:#}");
    assert_eq!((&steps["coverage"]["status"], &steps["release"]["status"]), (&"failed".into(), &"success".into()));
    let told = run(&session, "").2;
    assert!(told.contains("cache"), "{told}");
}

#[test]
fn a_release_that_does_not_work_is_withdrawn() {
    let Some(session) = line() else { return };
    let makefile = std::fs::read_to_string(session.folder().join("Makefile")).expect("it is there");
    session.file("Makefile", makefile.replace("tar -tf dist/released/greet.tar > /dev/null", "false"));
    let (steps, _) = fails(&session, "");
    assert_eq!(steps["release/publish/withdraw"]["status"], "success", "{steps:#}");
    assert!(!session.folder().join("dist/released/greet.tar").exists());
    assert!(session.folder().join("dist/greet.tar").exists(), "what was made before the checkpoint stays");
}
