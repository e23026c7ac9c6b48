//! `kill -9` of the program at random moments, and resuming what is left.

use std::collections::BTreeMap;
use std::time::Duration;

use flow::event::Event;
use flow::state::{RunState, Status};

use crate::bench::{Bench, Ended, Going, Random, is_alive, steps, until};

/// Kills of a living process, where FLOW_KILLS says nothing (`scripts/kill.rhai` says 200).
const KILLS: usize = 20;

/// Chains, branches, fan-outs and loops whose processes say first that they run, and take a while.
const SCRIPT: &str = r#"
let list = sh("list", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; seq 1 4").parse("lines");
let all = each("all", list.lines, |item| chain([
    sh("first", `echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; echo ${item}`),
    sh("second", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; cat; echo done"),
]));
let flaky = sh("flaky", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; [ $FLOW_ATTEMPT -ge 2 ]").retry(#{ max_attempts: 99, delay: "10ms" });
let poll = repeat("poll", #{ max: 5, "until": |last| last == "n4" }, |i, last| sh("ask", `echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; echo n${i}`));
flow("gate")
    .when(|| { let items = all.output; items.len() == 4 && flaky.passed }, chain("go", [
        sh("a", `echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; echo version=${poll.output} > $FLOW_OUTPUT; seq 20000`),
        call("b", |text| text.len()),
    ]))
    .otherwise(fail("no", "the branch is the wrong one"));
let sum = run(call("sum", || { let items = all.output; items.len() }));
if sum.output == 4 {
    chain([wait("rest", "20ms"), sh("last", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; echo last")]);
}
let rate = sh("rate", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; exit 75")
    .fallback(sh("fixed", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01; echo 7").validate("number == 7"));
let used = sh("used", `echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; echo ${rate.output}`).checkpoint("rated");
used.finally(sh("tidy", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; sleep 0.01"));
sh("away", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran; (setsid sleep 0.03 &) ; sleep 0.02");
on("start", sh("begin", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran"));
on("complete", sh("end", "echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran"));
"#;

/// What a killed process left: the state by the log, and the lines that its processes wrote.
struct Left {
    state: RunState,
    lines: Vec<String>,
}

fn look(bench: &Bench) -> Option<Left> {
    let flow = bench.open();
    flow.runs(&flow::flow::RunFilter::default()).unwrap().first()?;
    // Lines after the log: what is finished in the log has written all its lines.
    let state = flow.state("last").unwrap();
    Some(Left { state, lines: bench.lines("ran") })
}

/// How often each step wrote its line.
fn count(lines: &[String]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for line in lines {
        *count.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    count
}

/// Nothing that was finished has written since; nobody makes an attempt twice.
fn compare(before: &Left, after: &Left) {
    let run = &before.state.created.run;
    assert_eq!(*run, after.state.created.run, "another run");
    let (then, now) = (count(&before.lines), count(&after.lines));
    for id in before.state.plan.ids() {
        let key = format!("{run}/{}", before.state.plan.path(id));
        if before.state.step(id).status.is_final() {
            assert_eq!(then.get(&*key), now.get(&*key), "`{key}` was finished and ran again: {:?}", after.lines);
        }
    }
    let mut attempts = after.lines.clone();
    attempts.sort();
    attempts.dedup();
    assert_eq!(attempts.len(), after.lines.len(), "an attempt was made twice: {:?}", after.lines);
}

/// Every step that wrote more than one line had attempts that failed or were interrupted, and says so in the log.
fn every_line_is_explained(bench: &Bench, left: &Left) {
    let mut attempts: BTreeMap<String, usize> = BTreeMap::new();
    for record in bench.open().records("last", 0).unwrap() {
        if let Event::Interrupted { step, .. } | Event::Retrying { step, .. } | Event::Finished { step, .. } =
            &*record.event
        {
            *attempts.entry(format!("{}/{}", left.state.created.run, left.state.plan.path(*step))).or_default() += 1;
        }
    }
    for (key, lines) in count(&left.lines) {
        assert!(lines <= attempts[key], "`{key}` wrote {lines} lines in {} attempts", attempts[key]);
    }
}

/// Walks `/proc`: is there a process of this run?
fn orphans(run: &str) -> Vec<String> {
    let mark = format!("FLOW_RUN={run}");
    let bears = |environment: &[u8]| environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let marked = |path: &std::path::Path| std::fs::read(path.join("environ")).is_ok_and(|found| bears(&found));
    processes.map(|entry| entry.path()).filter(|path| marked(path)).map(|path| path.display().to_string()).collect()
}

fn resume(bench: &Bench, random: &mut Random) -> Going {
    match random.below(2) {
        0 if look(bench).is_some() => bench.start(&["resume", "last", "--json", "--quiet"]),
        _ => bench.start(&["script", "test.rhai", "--resume", "last", "--json", "--quiet"]),
    }
}

#[test]
fn killed_at_random_moments_a_run_ends_as_if_it_had_not_been() {
    let mut random = Random::new();
    let undisturbed = Bench::with(SCRIPT);
    let begun = std::time::Instant::now();
    let due = steps(&undisturbed.flow(&["script", "test.rhai", "--json", "--quiet"]).ok().json());
    let whole = begun.elapsed().as_millis() as u64;

    let wanted = std::env::var("FLOW_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    let mut kills = 0;
    while kills < wanted {
        let bench = Bench::with(SCRIPT);
        let mut before: Option<Left> = None;
        let ended = loop {
            let mut going = resume(&bench, &mut random);
            // The last kills come at moments of a whole run: those before leave less and less of it.
            std::thread::sleep(Duration::from_micros(random.below(whole * 700)));
            if kills >= wanted || going.is_over() {
                break going.end();
            }
            going.kill();
            kills += 1;
            let Some(left) = look(&bench) else { continue };
            if left.state.status.is_final() {
                break finished(&bench);
            }
            // A child that it was just starting may hold its lock for a moment.
            until("an interrupted run", || (bench.status() == "interrupted").then_some(()));
            // The watchdog has ended whatever went on.
            until("the end of all its processes", || orphans(&left.state.created.run).is_empty().then_some(()));
            if let Some(before) = &before {
                compare(before, &left);
            }
            before = Some(left);
        };
        assert_eq!(steps(&ended.ok().json()), due);
        let left = look(&bench).unwrap();
        if let Some(before) = &before {
            compare(before, &left);
        }
        every_line_is_explained(&bench, &left);
        assert_eq!(bench.runs().len(), 1);
        bench.flow(&["verify", "last"]).ok();
    }
}

/// A run that was at its end before the kill.
fn finished(bench: &Bench) -> Ended {
    assert_eq!(bench.status(), "success");
    bench.flow(&["resume", "last"]).diagnostic(2, "flow::run::over");
    bench.flow(&["show", "last", "--json"])
}

const HANGING: &str = r#"
sh("quick", "echo quick >> ran");
sh("hang", "echo $$ >> pids; [ -e go ] || { setsid sh -c 'echo $$ >> pids; sleep 600' & wait; }") -> sh("after", "echo after >> ran");
"#;

#[test]
fn what_a_killed_process_left_is_ended_before_the_step_runs_again() {
    let bench = Bench::with(HANGING);
    let going = bench.start(&["script", "test.rhai"]);
    let pids = bench.wait_for("pids", 2);
    bench.wait_until_final("quick");
    going.kill();
    until("an interrupted run", || (bench.status() == "interrupted").then_some(()));
    bench.write("go", "");
    bench.flow(&["resume", "last"]).ok();
    for pid in &pids {
        assert!(!is_alive(pid), "process {pid} of the first attempt still lives");
    }
    assert_eq!(bench.lines("ran"), ["quick", "after"]);
    let state = bench.open().state("last").unwrap();
    let [hang] = state.plan.find("hang")[..] else { panic!("no step") };
    assert_eq!((state.step(hang).attempt, state.step(hang).status), (2, Status::Success));
}

#[test]
fn a_killed_run_can_be_cancelled() {
    let bench = Bench::with(HANGING);
    let going = bench.start(&["script", "test.rhai"]);
    let pids = bench.wait_for("pids", 2);
    going.kill();
    bench.flow(&["cancel", "last"]).ok();
    assert_eq!(bench.status(), "cancelled");
    for pid in &pids {
        assert!(!is_alive(pid), "process {pid} still lives");
    }
    bench.flow(&["verify", "last"]).ok();
    bench.flow(&["resume", "last"]).diagnostic(2, "flow::run::over");
    bench.flow(&["cancel", "last"]).diagnostic(2, "flow::run::over");
}

#[test]
fn nothing_starts_before_what_it_depends_on_is_written() {
    let bench = Bench::with(
        r#"sh("a", "echo a $FLOW_ATTEMPT >> ran; echo $$ >> pids; until [ -e go ]; do sleep 0.01; done") -> sh("b", "echo b $FLOW_ATTEMPT >> ran");"#,
    );
    let going = bench.start(&["script", "test.rhai"]);
    let pids = bench.wait_for("pids", 1);
    // Nobody can write now, so the end of `a` cannot be committed.
    let other = rusqlite::Connection::open(bench.path(".flow/flow.db")).unwrap();
    other.busy_timeout(Duration::from_secs(30)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.write("go", "");
    until("the end of `a`", || (!is_alive(&pids[0])).then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(bench.lines("ran"), ["a 1"]);
    going.kill();
    other.execute_batch("ROLLBACK").unwrap();
    bench.flow(&["resume", "last"]).ok();
    assert_eq!(bench.lines("ran"), ["a 1", "a 2", "b 1"]);
}

#[test]
fn what_a_killed_process_left_is_ended_even_if_nobody_resumes() {
    let bench = Bench::with(HANGING);
    let going = bench.start(&["script", "test.rhai"]);
    let pids = bench.wait_for("pids", 2);
    going.kill();
    for pid in &pids {
        until("the end of a process", || (!is_alive(pid)).then_some(()));
    }
}
