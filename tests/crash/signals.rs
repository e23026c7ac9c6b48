//! Signals to the program, and `flow cancel` from another process.

use rustix::process::Signal;

use crate::bench::{Bench, Ended, Going, is_alive};

/// A step that takes for ever, with a child, unless the file `go` is there; and one after it.
const SLOW: &str = r#"
sh("quick", "echo quick >> ran");
sh("slow", "echo $$ >> pids; [ -e go ] || { sleep 600 & echo $! >> pids; wait; }") -> sh("after", "echo after >> ran");
"#;

/// The same, deaf to SIGTERM.
const DEAF: &str = r#"
sh("quick", "echo quick >> ran");
sh("slow", "trap '' TERM; echo $$ >> pids; [ -e go ] || { sleep 600 & echo $! >> pids; while :; do wait; done; }") -> sh("after", "echo after >> ran");
"#;

/// A run whose slow step has begun and whose quick one is finished.
fn begin(script: &str) -> (Bench, Going, Vec<String>) {
    let bench = Bench::with(script);
    let going = bench.start(&["script", "test.rhai"]);
    let pids = bench.wait_for("pids", 2);
    bench.wait_until_final("quick");
    (bench, going, pids)
}

fn gone(pids: &[String]) {
    for pid in pids {
        assert!(!is_alive(pid), "process {pid} still lives");
    }
}

/// Takes the run up again and sees to it that nothing but the slow step and what follows it ran.
fn goes_on(bench: &Bench) {
    bench.write("go", "");
    let before = bench.lines("pids").len();
    let ended = bench.flow(&["script", "test.rhai", "--resume", "last"]).ok();
    assert!(ended.err.contains("slow: attempt 2 started"), "{}", ended.err);
    assert_eq!(bench.lines("ran"), ["quick", "after"]);
    assert_eq!(bench.lines("pids").len(), before + 1);
    assert_eq!(bench.runs().len(), 1);
}

fn interrupted(ended: Ended) {
    assert!(ended.err.contains("flow resume"), "{}", ended.err);
    ended.code(130);
}

#[test]
fn one_signal_ends_what_runs_and_the_run_can_be_resumed() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (bench, going, pids) = begin(SLOW);
        going.signal(signal);
        interrupted(going.end());
        gone(&pids);
        assert_eq!(bench.status(), "paused", "{signal:?}");
        goes_on(&bench);
    }
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let (bench, going, pids) = begin(DEAF);
    let begun = std::time::Instant::now();
    going.signal(Signal::INT);
    crate::bench::until("the stop", || bench.open().state("last").unwrap().stopping);
    assert!(is_alive(&pids[0]));
    going.signal(Signal::INT);
    interrupted(going.end());
    gone(&pids);
    // The grace time is five seconds.
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    goes_on(&bench);
}

#[test]
fn a_run_is_cancelled_from_another_process() {
    let (bench, going, pids) = begin(SLOW);
    bench.flow(&["cancel", "last"]).ok();
    going.end().code(1);
    gone(&pids);
    assert_eq!(bench.status(), "cancelled");
    bench.flow(&["cancel", "last"]).diagnostic(2, "flow::run::over");
    bench.flow(&["resume", "last"]).diagnostic(2, "flow::run::over");
    assert_eq!(bench.lines("ran"), ["quick"]);
}

#[test]
fn a_run_that_goes_on_is_not_taken_up_by_another() {
    let (bench, going, _) = begin(SLOW);
    bench.flow(&["resume", "last"]).diagnostic(2, "flow::run::busy");
    // A job that is started while it still runs must not do its work twice.
    bench.flow(&["script", "test.rhai", "--resume", "last"]).diagnostic(2, "flow::run::busy");
    assert_eq!(bench.runs().len(), 1);
    going.signal(Signal::INT);
    interrupted(going.end());
}

#[test]
fn what_is_finished_cannot_be_cancelled() {
    let bench = Bench::with(r#"sh("a", "true");"#);
    bench.flow(&["cancel", "last"]).diagnostic(2, "flow::run::unknown");
    bench.flow(&["script", "test.rhai"]).ok();
    bench.flow(&["cancel", "last"]).diagnostic(2, "flow::run::over");
    bench.flow(&["cancel", "nope"]).diagnostic(2, "flow::run::unknown");
    assert_eq!(bench.status(), "success");
}

#[test]
fn a_run_whose_log_is_not_kept_does_not_promise_to_be_resumed() {
    let bench = Bench::with(r#"sh("bad", "exit 1"); sh("slow", "echo >> ran; sleep 600");"#);
    let going = bench.start(&["script", "test.rhai", "--durability", "none", "--max-parallel", "2"]);
    bench.wait_for("ran", 1);
    going.signal(Signal::INT);
    let ended = going.end().code(130);
    assert!(ended.err.contains("cannot be resumed") && !ended.err.contains("flow "), "{}", ended.err);
}
