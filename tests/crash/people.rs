//! People, signals, moments and files that a run waits for, over many processes, killed in between.

use flow::event::Event;
use flow::plan::Json;

use crate::bench::{Bench, Ended, Going, until};

const GATE: &str = r#"
let build = sh("build", "echo build >> ran; test -e go-build || exec sleep 1000; echo v1");
let gate = approve("gate", #{ prompt: `Ship ${build.output}?`, choices: ["blue", "green"], form: #{ hosts: 3 } });
let ship = sh("ship", `echo ship >> ran; test -e go-ship || exec sleep 1000; echo ${gate.choice} ${gate.hosts} ${gate.by}`);
build -> gate -> ship;
"#;

/// Waits until a step waits for something from outside, as the log says.
fn until_it_waits(bench: &Bench, step: &str) {
    until(step, || bench.open().waiting("last").ok()?.iter().any(|waits| waits.path == step).then_some(()));
}

fn output(bench: &Bench, step: &str) -> Json {
    bench.flow(&["show", "last", "--json"]).ok().json()["steps"][step]["output"].clone()
}

/// How often the step was answered, as the log says.
fn answers(bench: &Bench) -> usize {
    let records = bench.open().records("last", 0).unwrap();
    records.iter().filter(|record| matches!(*record.event, Event::Answered { .. })).count()
}

#[test]
fn an_approval_outlives_kill_9_between_any_two_steps() {
    let bench = Bench::with(GATE);
    let going = bench.start(&["script", "test.rhai"]);
    bench.wait_for("ran", 1);
    going.kill();
    // Not asked yet.
    bench.flow(&["approve", "last", "gate", "blue"]).diagnostic(2, "flow::answer::early");
    bench.write("go-build", "");
    let paused = bench.flow(&["resume", "last"]).code(3);
    assert!(paused.err.contains("gate waits for an answer to `Ship v1?`: blue, green"), "{}", paused.err);
    assert!(paused.err.contains("answer: flow approve "), "{}", paused.err);
    assert_eq!(bench.status(), "paused");
    assert!(bench.flow(&["runs"]).ok().out.contains("paused · waits for gate"));

    // A process that waits is killed.
    let going = bench.start(&["resume", "last", "--wait"]);
    until("alive", || (bench.status() == "running").then_some(()));
    until_it_waits(&bench, "gate");
    going.kill();
    assert_eq!(bench.status(), "interrupted");

    // The answer is left, and nobody acts on it.
    let approve = ["approve", "last", "gate", "green", "--set", "hosts=5", "--by", "ann", "--no-resume"];
    let kept = bench.flow(&approve).ok();
    assert!(kept.err.contains("kept; go on with: flow resume"), "{}", kept.err);
    let again = bench.flow(&["approve", "last", "gate", "blue"]);
    again.diagnostic(2, "flow::answer::again");
    assert!(again.err.contains("`green` by ann"), "{}", again.err);

    // Killed after it has acted on it.
    let going = bench.start(&["resume", "last"]);
    bench.wait_for("ran", 3);
    going.kill();
    bench.flow(&["approve", "last", "gate", "blue"]).diagnostic(2, "flow::answer::again");
    bench.write("go-ship", "");
    bench.flow(&["resume", "last"]).ok();
    assert_eq!(output(&bench, "ship"), "green 5 ann");
    assert_eq!(answers(&bench), 1);
    assert_eq!(bench.lines("ran"), ["build", "build", "ship", "ship"], "what was finished is not made again");
    let late = bench.flow(&["approve", "last", "gate", "blue"]);
    late.diagnostic(2, "flow::answer::again");
    assert!(bench.flow(&["verify", "last"]).ok().out.contains("is as it was written"));
    assert!(bench.flow(&["why", "last", "gate"]).ok().out.contains("ann answered `green`"));
}

/// Starts several who answer at once: one of them is heard, and the others are told by whom.
fn all_at_once(bench: &Bench) -> (String, Vec<Ended>) {
    let by = |n: usize| format!("person-{n}");
    let answer = |n: usize| if n.is_multiple_of(2) { "blue" } else { "green" };
    let going: Vec<Going> =
        (0..6).map(|n| bench.start(&["approve", "last", "gate", answer(n), "--by", &by(n)])).collect();
    let (mut heard, mut refused) = (Vec::new(), Vec::new());
    for (n, going) in going.into_iter().enumerate() {
        match going.end() {
            ended if ended.code == Some(0) => heard.push(n),
            ended => refused.push(ended),
        }
    }
    assert_eq!(heard.len(), 1, "{refused:?}");
    let (by, answer) = (by(heard[0]), answer(heard[0]));
    for ended in &refused {
        ended.diagnostic(2, "flow::answer::again");
        assert!(ended.err.contains(&format!("`{answer}` by {by}")), "{}", ended.err);
    }
    (format!("{answer} 3 {by}"), refused)
}

#[test]
fn of_many_who_answer_at_once_one_is_heard() {
    let bench = Bench::with(GATE);
    bench.write("go-build", "");
    bench.write("go-ship", "");
    // Nobody works on the run.
    bench.flow(&["script", "test.rhai"]).code(3);
    let (heard, _) = all_at_once(&bench);
    assert_eq!(output(&bench, "ship"), heard);
    assert_eq!(answers(&bench), 1);

    // Somebody does.
    let going = bench.start(&["script", "test.rhai", "--wait", "--json"]);
    until_it_waits(&bench, "gate");
    let (heard, _) = all_at_once(&bench);
    assert_eq!(going.end().ok().json()["steps"]["ship"]["output"], heard);
    assert_eq!(answers(&bench), 1);
}

#[test]
fn a_deadline_passes_while_nobody_works_on_the_run() {
    let bench = Bench::with(
        r#"
        let fails = approve("fails", #{ timeout: "1500ms" }).on_error("continue");
        let skips = approve("skips", #{ timeout: "1500ms", on_timeout: "skip" });
        let goes = approve("goes", #{ choices: ["now", "never"], timeout: "1500ms", on_timeout: "never" });
        let answered = approve("answered", #{ choices: ["now", "never"], timeout: "1500ms", on_timeout: "never" });
        sh("after", "true").after(skips);
        "#,
    );
    let going = bench.start(&["script", "test.rhai"]);
    for step in ["fails", "skips", "goes", "answered"] {
        until_it_waits(&bench, step);
    }
    going.kill();
    // In time, though it is taken later.
    let in_time = bench.flow(&["approve", "last", "answered", "now", "--no-resume"]).code == Some(0);
    let until_then = bench.open().waiting("last").unwrap().iter().filter_map(|waits| waits.until).max();
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    until("the deadline", || until_then.is_none_or(|then| then < now()).then_some(()));
    bench.flow(&["approve", "last", "goes", "now"]).diagnostic(2, "flow::answer::late");
    let run = bench.flow(&["resume", "last", "--json"]).ok().json();
    let step = |name: &str| (run["steps"][name]["status"].as_str().unwrap(), run["steps"][name]["output"].clone());
    assert_eq!(step("fails").0, "failed");
    assert_eq!(step("skips").0, "skipped");
    assert_eq!(step("after").0, "skipped");
    assert_eq!(step("goes"), ("success", "never".into()));
    assert_eq!(step("answered"), ("success", if in_time { "now" } else { "never" }.into()));
    let why = bench.flow(&["why", "last", "goes"]).ok().out;
    assert!(why.contains("nobody answered in time: it goes on with `never`"), "{why}");
}

#[test]
fn signals_are_kept_until_a_step_waits_and_go_to_one_step_each() {
    let bench = Bench::with(
        r#"
        let first = sh("first", "echo first >> ran; while ! test -e go; do sleep 0.01; done");
        let one = signal("one", "deployed").after(first);
        let two = signal("two", "deployed").after(one);
        call("sum", || `${one.output}, ${two.output.to}`);
        "#,
    );
    let going = bench.start(&["script", "test.rhai", "--json"]);
    bench.wait_for("ran", 1);
    bench.flow(&["signal", "last", "deploy"]).diagnostic(2, "flow::signal::unknown");
    let kept = bench.flow(&["signal", "last", "deployed", "staging"]).ok();
    assert!(kept.err.contains("it is kept until one does"), "{}", kept.err);
    going.kill();
    let kept = bench.flow(&["signal", "last", "deployed", r#"{"to": "production"}"#, "--no-resume"]).ok();
    assert!(kept.err.contains("kept; go on with"), "{}", kept.err);
    bench.write("go", "");
    let run = bench.flow(&["resume", "last", "--json"]).ok().json();
    assert_eq!(run["steps"]["sum"]["output"], "staging, production");
    bench.flow(&["signal", "last", "deployed"]).diagnostic(2, "flow::run::over");
}

#[test]
fn a_file_is_found_whether_or_not_somebody_works_on_the_run() {
    let bench = Bench::with(r#"wait_for("upload", "data.csv") -> sh("load", "cat data.csv");"#);
    let paused = bench.flow(&["script", "test.rhai", "--json"]).code(3).json();
    assert_eq!(paused["status"], "paused");
    assert_eq!(paused["waiting"][0]["for"], "file");
    assert_eq!(
        paused["waiting"][0]["file"],
        bench.path("data.csv").canonicalize().unwrap_or(bench.path("data.csv")).display().to_string()
    );
    bench.flow(&["resume", "last"]).code(3);
    bench.write("data.csv", "1,2");
    bench.flow(&["resume", "last"]).ok();
    assert_eq!(output(&bench, "load"), "1,2");

    std::fs::remove_file(bench.path("data.csv")).unwrap();
    let going = bench.start(&["script", "test.rhai", "--wait", "--json"]);
    until_it_waits(&bench, "upload");
    bench.write("data.csv", "3,4");
    assert_eq!(going.end().ok().json()["steps"]["load"]["output"], "3,4");
}

#[test]
fn who_answers_a_living_run_can_stay_until_its_end() {
    let bench = Bench::with(
        r#"
        let gate = approve("gate");
        gate -> sh("build", "echo built");
        signal("deployed").after(gate) -> sh("end", "exit 4");
        "#,
    );
    let going = bench.start(&["script", "test.rhai", "--wait"]);
    until_it_waits(&bench, "gate");
    let staying = bench.start(&["approve", "last", "--wait"]);
    until_it_waits(&bench, "deployed");
    // The process that worked on the run is gone, so whoever stays takes the run up.
    going.kill();
    until("taken up", || (bench.status() == "running").then_some(()));
    let sent = bench.flow(&["signal", "last", "deployed"]).ok();
    assert!(sent.err.contains("`deployed` goes on"), "{}", sent.err);
    let ended = staying.end().code(1);
    assert!(ended.err.contains("ended with exit code 4"), "{}", ended.err);
}

#[test]
fn a_moment_far_away_holds_no_process() {
    let bench = Bench::with(
        r#"
        wait_until("later", "2999-01-01 00:00") -> sh("then", "true");
        sh("now", "true");
        "#,
    );
    let paused = bench.flow(&["script", "test.rhai"]).code(3);
    assert!(paused.err.contains("later waits until 2999-01-01 00:00:00"), "{}", paused.err);
    assert!(paused.err.contains("go on:  flow resume "), "{}", paused.err);
    bench.flow(&["cancel", "last"]).ok();
    bench.flow(&["approve", "last", "later"]).diagnostic(2, "flow::run::over");
}
