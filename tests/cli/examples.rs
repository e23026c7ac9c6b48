//! The scripts in `examples/` do what they say.

use std::path::Path;

use serde_json::Value as Json;

use crate::transcript::Session;

/// A folder with a copy of the examples, so that nothing is built among the sources.
fn session() -> Session {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("folders can be made");
        for entry in std::fs::read_dir(from).expect("the examples are there").flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            match from.is_dir() {
                true if entry.file_name() == "build" => {}
                true => copy(&from, &to),
                false => std::fs::copy(&from, &to).map(drop).expect("files can be copied"),
            }
        }
    }
    let session = Session::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &session.folder().join("examples"));
    session
}

/// Runs an example; its exit code and its results.
fn run(session: &Session, line: &str) -> (Option<i32>, Json) {
    let output = session.run(&format!("flow script --quiet --json examples/{line}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{line}: {error}\n{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), json)
}

fn succeeds(session: &Session, line: &str) -> Json {
    let (code, result) = run(session, line);
    assert_eq!(code, Some(0), "{line}: {result:#}");
    result["steps"].clone()
}

#[test]
fn every_example_is_right_before_it_runs() {
    let session = session();
    for line in
        ["for f in examples/*.rhai; do flow check $f || exit; done", "flow check examples/parts/*.rhai --arg text=x"]
    {
        let output = session.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_first_scripts_give_what_they_say() {
    let session = session();
    let steps = succeeds(&session, "01-hello.rhai");
    assert!(steps["both"]["output"].as_str().is_some_and(|text| text.starts_with("hello from a shell, it is ")));

    let steps = succeeds(&session, "02-chain.rhai");
    assert_eq!(steps["count"]["output"], "3 kinds of fruit");
    assert_eq!(steps["menu"]["output"], "first apple, then apple");
    assert_eq!(steps["shout"]["output"], "FIRST APPLE, THEN APPLE!");

    let steps = succeeds(&session, "03-conditions.rhai");
    assert_eq!(steps["slow"]["status"], "skipped");
    assert!(steps["say"]["output"].as_str().is_some_and(|text| text.starts_with("it is warm in the ")));

    let steps = succeeds(&session, "04-results.rhai");
    assert_eq!(steps["safe"]["output"], "; echo $(whoami) 'quotes' and \"more\"");
    assert_eq!(steps["report"]["output"]["artifact"], "/tmp/app");

    let steps = succeeds(&session, "05-each.rhai");
    assert!(steps["total"]["output"].as_i64().is_some_and(|words| words > 300), "{steps:#}");
    assert!(steps["lines[deploy.rhai]"]["output"].is_string(), "{steps:#}");

    let steps = succeeds(&session, "06-errors.rhai");
    assert_eq!(steps["flaky"]["attempts"], 3);
    assert_eq!(steps["outcome/explain"]["output"], "risky ended with 3: disk full");
    assert_eq!((&steps["slow"]["status"], &steps["clean-up"]["status"]), (&"failed".into(), &"success".into()));

    let steps = succeeds(&session, "07-parameters.rhai --arg name=\"O'Hara; \\$(id)\" --arg times=3 --arg tone=formal");
    assert_eq!(steps["repeat-3"]["output"], "Good day, O'Hara; $(id)");
    assert_eq!(steps["length"]["output"], "the greeting has 23 letters");

    let steps = succeeds(&session, "08-run.rhai");
    assert_eq!(steps["say"]["output"], "3 rounds, and 5 is odd");
}

#[test]
fn what_was_booked_is_taken_back() {
    let session = session();
    let steps = succeeds(&session, "09-recovery.rhai");
    assert_eq!(steps["price"]["output"], serde_json::json!({ "usd": 214.0, "from": "rate-of-yesterday" }));
    assert_eq!((&steps["tickets"]["attempts"], &steps["rate/rate"]["attempts"]), (&2.into(), &2.into()));
    assert_eq!((&steps["statement"]["output"], &steps["flight/cancel-flight"]), (&"flight\nhotel".into(), &Json::Null));

    let (code, result) = run(&session, "09-recovery.rhai --arg sold_out=true");
    assert_eq!(code, Some(1), "{result:#}");
    let steps = &result["steps"];
    assert_eq!((&steps["rate"]["status"], &steps["statement"]["status"]), (&"success".into(), &"success".into()));
    let bookings = steps["clear-the-desk"]["output"].as_str().expect("a text");
    assert_eq!(bookings, "flight\nhotel\ncancelled hotel\ncancelled flight");
    let points = session.run("flow checkpoints last --json");
    assert!(String::from_utf8_lossy(&points.stdout).contains(r#""name":"priced""#));
}

#[test]
fn a_person_and_a_program_decide() {
    let session = session();
    let (code, result) = run(&session, "10-people.rhai --no-input");
    assert_eq!((code, &result["status"]), (Some(3), &"paused".into()), "{result:#}");
    let output = session.run("flow approve last ship canary --set percent=20 --by ada --quiet");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let output = session.run(r#"flow signal last measured '{"errors": 0}' --quiet --json"#);
    let result: Json = serde_json::from_slice(&output.stdout).expect("an object");
    assert_eq!(result["status"], "success", "{result:#}");
    let steps = &result["steps"];
    assert_eq!(steps["where/trial/to-some"]["output"], "to 20 of 100, says ada");
    assert_eq!((&steps["where/trial/judge"]["output"], &steps["where"]["output"]), (&"fine".into(), &"fine".into()));
}

#[test]
fn endings_of_files_are_counted_in_a_stream() {
    let session = session();
    for name in ["one/a.txt", "one/b.TXT", "one/c", "one/.hidden", "two/d.md", "two/e.txt"] {
        session.file(name, "");
    }
    let steps = succeeds(&session, "11-streams.rhai --arg folder=one --arg beside=two");
    assert_eq!(steps["most"]["output"], "most of all: 3 txt");
    assert_eq!(steps["ending"]["output"].as_str().map(|text| text.lines().count()), Some(6));
    assert_eq!(steps["first-lines"]["output"], "again\nagain\nagain");
    assert_eq!(steps["first-lines/endless"]["status"], "success");
}

#[test]
fn a_log_is_analysed_in_a_pipeline() {
    let session = session();
    let steps = succeeds(&session, "12-logs.rhai --arg lines=20000");
    let report = steps["print"]["output"].as_str().expect("a text");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!((lines.len(), lines[0]), (6, "20000 lines, 9 of them broken"), "{report}");
    assert!(lines[1..5].iter().all(|line| line.contains(" at 14:2") && line.ends_with(" /checkout")), "{report}");
    assert_eq!((&steps["page"]["status"], &steps["clear-up"]["status"]), (&"skipped".into(), &"success".into()));

    let steps = succeeds(&session, "12-logs.rhai --arg lines=6000 --arg broken=3000");
    assert_eq!(steps["page"]["status"], "success", "{steps:#}");
    let dead = session.run("flow pipeline dead last");
    let text = String::from_utf8_lossy(&dead.stdout);
    assert!(text.contains("line ") && text.contains("there is no request in it"), "{text}");
}

/// Runs an example whose agents say again what stands in its recording, and plays the recording again.
fn says_again(session: &Session, name: &str) -> Json {
    let recording = format!("examples/recordings/{name}.ndjson");
    let steps = succeeds(session, &format!("{name}.rhai --agents recorded:{recording}"));
    let output = session.run(&format!("flow test examples/{name}.rhai --from-run {recording}"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    steps
}

#[test]
fn agents_research_plan_execute_and_review() {
    let session = session();
    let steps = says_again(&session, "13-agents");
    assert_eq!(
        (&steps["plan"]["attempts"], &steps["work[1]/test"]["status"]),
        (&2.into(), &"failed".into()),
        "{steps:#}"
    );
    assert_eq!(
        (&steps["work[2]/test"]["status"], &steps["gate/done"]["status"]),
        (&"success".into(), &"success".into())
    );
    assert!(steps["gate/done"]["output"].as_str().is_some_and(|script| script.contains("% 400")));
}

#[test]
fn reviewers_vote() {
    let session = session();
    let steps = says_again(&session, "14-review-swarm");
    assert_eq!(
        (&steps["review"]["output"]["merge"], &steps["gate/send-back"]["status"]),
        (&false.into(), &"success".into())
    );
}

#[test]
fn a_score_decides_which_way_a_text_goes() {
    let session = session();
    let steps = says_again(&session, "15-quality-gate");
    assert_eq!((&steps["score"]["output"], &steps["gate/rewrite"]["status"]), (&67.into(), &"success".into()));
    assert!(steps["merge"]["output"].as_str().is_some_and(|note| note.contains("Ctrl-C")), "{steps:#}");
}

#[test]
fn a_deployment_is_made_repeated_and_taken_back() {
    let session = session();
    if !session.run("command -v cc && command -v make && command -v tar").status.success() {
        return;
    }
    let current = || std::fs::read_link(session.folder().join("examples/app/build/deploy/staging/current")).ok();

    // A bad program first: nothing was there before, and nothing is afterwards.
    let (code, result) = run(&session, "deploy.rhai --arg break_health=true");
    assert_eq!((code, current()), (Some(1), None), "{result:#}");

    let steps = succeeds(&session, "deploy.rhai");
    let first = current().expect("the link is there");
    let deployed = &steps["gate/deploy/verdict/done/deployed"]["output"];
    assert_eq!(deployed["was"], "none", "{steps:#}");
    assert_eq!(first, Path::new("releases").join(deployed["release"].as_str().expect("a name")));
    let health = session.run("examples/app/build/deploy/staging/current/bin/wordcount --health");
    assert_eq!(String::from_utf8_lossy(&health.stdout), "{\"ok\": true, \"version\": \"1.0.0\"}\n");

    // The same program is the same release.
    let steps = succeeds(&session, "deploy.rhai");
    assert!(steps["gate/deploy/install"]["output"].as_str().is_some_and(|text| text.ends_with("is installed already")));
    assert_eq!(current().as_ref(), Some(&first));

    let (code, result) = run(&session, "deploy.rhai --arg break_health=true");
    assert_eq!((code, current().as_ref()), (Some(1), Some(&first)), "{result:#}");
    let report = result["steps"]["gate/deploy/verdict/undo/report"]["error"].to_string();
    assert!(report.contains(&format!("is not well; current is again what it was: {}", first.display())), "{report}");

    succeeds(&session, "deploy.rhai --arg version=1.0.1 --arg keep=1");
    let second = current().expect("the link is there");
    assert_ne!(first, second);
    let releases = std::fs::read_dir(session.folder().join("examples/app/build/deploy/staging/releases"));
    assert_eq!(releases.expect("the folder is there").count(), 1);

    let (code, result) = run(&session, "deploy.rhai --arg version=1.0.2 --arg min_coverage=100");
    assert_eq!((code, current()), (Some(1), Some(second)), "{result:#}");
    assert_eq!(result["steps"]["gate/refused"]["status"], "failed");
}
