//! Streams, and groups of which not all children need to succeed.

use super::*;
use crate::event::{Alerted, Flowed, Reached};
use crate::plan::{Alert, Metric, OnAlert, Quorum, Severity, Stream};

/// A stream `s` of `a |> b`, and a step `x` after it.
fn stream() -> Vec<Step> {
    let group = group("s", Task::Stream(Box::new(Stream::of(vec![vec![id(1)], vec![id(2)]]))));
    vec![group, inside(task("a"), 0), inside(task("b"), 0), after(task("x"), &[0])]
}

fn again(step: Step, attempts: u32) -> Step {
    with(step, |policy| {
        policy.retry = Some(Retry { max_attempts: attempts, delay_ms: 7, ..Retry::default() });
    })
}

fn change(steps: &mut [Step], n: usize, set: impl FnOnce(&mut crate::plan::Policy)) {
    set(steps[n].policy_mut());
}

fn one_slot() -> Header {
    let mut header = Header::default();
    header.settings.max_parallel = Some(1);
    header
}

/// With one slot only.
fn narrow(steps: Vec<Step>, header: Header) -> Bench {
    let mut run = Bench::with_header(steps, header, true);
    Arc::make_mut(&mut run.records[0].event)
        .clone_from(&Event::Created(Box::new(Created { max_parallel: Some(1), ..Created::default() })));
    run.machine = Machine::resume(&run.records, 1);
    run
}

#[test]
fn members_start_together_and_the_stream_is_closed_at_its_end() {
    let mut run = Bench::of(stream());
    assert_eq!(run.start(), "s starts; s/a starts; s/b starts | do s/a; do s/b");
    assert_eq!(run.ok(1), "s/a ok");
    assert_eq!(run.ok(2), "s/b ok; s ok; x starts | close s; do x");
    assert_eq!(run.ok(3), "x ok; run success | close");
}

#[test]
fn a_stream_takes_one_slot() {
    let mut steps = stream();
    steps.insert(0, task("first"));
    for step in &mut steps[1..] {
        step.parent = step.parent.map(|_| id(1));
        step.after.iter_mut().for_each(|edge| edge.from = id(edge.from.0 + 1));
    }
    steps[1].task = Arc::new(Task::Stream(Box::new(Stream::of(vec![vec![id(2)], vec![id(3)]]))));
    let mut run = narrow(steps, one_slot());
    assert_eq!(run.start(), "first starts | do first");
    assert_eq!(run.ok(0), "first ok; s starts; s/a starts; s/b starts | do s/a; do s/b");
    assert_eq!(run.ok(3), "s/b ok");
    assert_eq!(run.ok(2), "s/a ok; s ok; x starts | close s; do x");
}

#[test]
fn a_failure_ends_the_others() {
    let mut run = Bench::of(stream());
    run.start();
    assert_eq!(run.bad(1), "s/a exit | kill s/b");
    assert_eq!(run.killed(2), "s/b cancelled; s child; x upstream failed; run failed | close s; close");
    let outcome = run.machine.state.step(id(0)).outcome.clone().and_then(|outcome| outcome.error.clone());
    assert_eq!(outcome.map(|error| error.message).as_deref(), Some("`s/a` failed"));
    // Both fail on their own: the first of them is named.
    let mut run = Bench::of(stream());
    run.start();
    run.bad(2);
    run.ok(1);
    assert!(
        run.machine
            .state
            .step(id(0))
            .outcome
            .clone()
            .is_some_and(|outcome| { outcome.error.as_ref().is_some_and(|error| error.message == "`s/b` failed") })
    );
}

#[test]
fn a_member_is_tried_again_alone_and_needs_no_slot() {
    let mut steps = stream();
    steps[2] = again(steps[2].clone(), 2);
    let mut run = narrow(steps, one_slot());
    run.start();
    assert_eq!(run.bad(2), "s/b retries in 7 | arm 7");
    assert_eq!(run.fired(Timer::Retry(id(2), 1)), "s/b starts 2 | do s/b");
    assert_eq!(run.ok(1), "s/a ok");
    assert_eq!(run.bad(2), "s/b exit; s child; x upstream failed; run failed | close s; close");
    // The others are ended while it waits for its next attempt, if one of them fails.
    let mut steps = stream();
    steps[2] = again(steps[2].clone(), 2);
    let mut run = Bench::of(steps);
    run.start();
    run.bad(2);
    assert_eq!(run.bad(1), "s/a exit; s/b cancelled; s child; x upstream failed; run failed | close s; close");
}

#[test]
fn a_failure_that_does_not_matter_lets_its_readers_go_on() {
    let mut steps = stream();
    change(&mut steps, 1, |policy| policy.on_error = Some(OnError::Continue));
    steps[1] = again(steps[1].clone(), 2);
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.bad(1), "s/a retries in 7 | arm 7");
    run.fired(Timer::Retry(id(1), 1));
    assert_eq!(run.bad(1), "s/a exit | let end s/a");
    assert_eq!(run.ok(2), "s/b ok; s ok; x starts | close s; do x");
}

#[test]
fn what_was_read_to_its_end_is_not_tried_again() {
    let mut steps = stream();
    change(&mut steps, 1, |policy| policy.timeout_ms = Some(5));
    steps[1] = again(steps[1].clone(), 3);
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.fired(Timer::Timeout(id(1), 1)), "kill s/a");
    assert_eq!(run.ok(1), "s/a timeout | kill s/b");
    let mut steps = stream();
    change(&mut steps, 1, |policy| policy.timeout_ms = Some(5));
    steps[1] = again(steps[1].clone(), 3);
    let mut run = Bench::of(steps);
    run.start();
    run.fired(Timer::Timeout(id(1), 1));
    assert_eq!(run.killed(1), "s/a retries in 7 | arm 7");
}

#[test]
fn a_stream_that_is_tried_again_begins_with_all_its_members() {
    let mut steps = stream();
    steps[0] = again(steps[0].clone(), 2);
    let mut run = Bench::of(steps);
    run.start();
    run.ok(1);
    let end = run.bad(2);
    assert!(end.starts_with("s/b exit; s retries in 7; Reset") && end.ends_with(" | close s; arm 7"), "{end}");
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "s starts 2; s/a starts 2; s/b starts 2 | do s/a; do s/b");
    run.ok(2);
    assert_eq!(run.ok(1), "s/a ok; s ok; x starts | close s; do x");
}

#[test]
fn a_stream_that_takes_too_long_is_ended() {
    let mut steps = stream();
    change(&mut steps, 0, |policy| policy.timeout_ms = Some(9));
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "s starts; s/a starts; s/b starts | timeout s 9; do s/a; do s/b");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "kill s/a; kill s/b");
    assert_eq!(run.killed(1), "s/a cancelled");
    assert_eq!(run.killed(2), "s/b cancelled; s timeout; x upstream failed; run failed | close s; close");
}

#[test]
fn limits_of_all_members_are_had_or_none() {
    let lock = |step| with(step, |policy| policy.limits = vec![("db".into(), 1)]);
    let mut steps = vec![lock(task("w"))];
    let stream = group("s", Task::Stream(Box::new(Stream::of(vec![vec![id(2)], vec![id(3)]]))));
    steps.extend([stream, inside(lock(task("a")), 1), inside(lock(task("b")), 1)]);
    let mut header = Header::default();
    header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
    let mut run = Bench::with_header(steps, header, true);
    assert_eq!(run.start(), "w starts | do w");
    assert_eq!(run.ok(0), "w ok; s starts; s/a starts; s/b starts | do s/a; do s/b");
    run.ok(2);
    assert_eq!(run.ok(3), "s/b ok; s ok; run success | close s; close");
}

#[test]
fn a_stream_begins_again_wholly_in_another_process() {
    let mut run = Bench::of(stream());
    run.start();
    run.ok(1);
    let kept = run.records.len();
    assert_eq!(
        run.resume(kept),
        "s interrupted; s/b interrupted; again s/a; s starts 2; s/a starts 2; s/b starts 2 | do s/a; do s/b"
    );
    run.ok(1);
    assert_eq!(run.ok(2), "s/b ok; s ok; x starts | close s; do x");
}

#[test]
fn an_interruption_keeps_nothing_of_a_stream() {
    let mut run = Bench::of(stream());
    run.start();
    run.ok(1);
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "stopping: Interrupted | kill s/b");
    assert_eq!(run.killed(2), "s/b interrupted; s interrupted; paused | close s; close");
    assert_eq!(run.resume(99), "again s/a; s starts 2; s/a starts 2; s/b starts 2 | do s/a; do s/b");
    // With a member that waits for its next attempt.
    let mut steps = stream();
    steps[2] = again(steps[2].clone(), 2);
    let mut run = Bench::of(steps);
    run.start();
    run.bad(2);
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "stopping: Interrupted | kill s/a");
    assert_eq!(run.killed(1), "s/a interrupted; s interrupted; paused | close s; close");
    assert_eq!(run.resume(99), "again s/b; s starts 2; s/a starts 2; s/b starts 2 | do s/a; do s/b");
}

#[test]
fn a_cancelled_run_ends_its_streams() {
    let mut run = Bench::of(stream());
    run.start();
    assert_eq!(run.give(Input::Stop(Stop::Cancelled)), "stopping: Cancelled; x cancelled | kill s/a; kill s/b");
    run.killed(1);
    assert_eq!(run.killed(2), "s/b cancelled; s cancelled; run cancelled | close s; close");
}

#[test]
fn after_a_failure_that_stops_the_run_a_stream_may_end_but_not_try_again() {
    let mut steps = stream();
    steps[2] = again(steps[2].clone(), 2);
    steps.push(with(task("y"), |policy| policy.on_error = Some(OnError::Stop)));
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "s starts; s/a starts; s/b starts; y starts | do s/a; do s/b; do y");
    run.bad(2);
    // Whoever reads from, or writes to, what is not tried again would wait for ever.
    assert_eq!(run.bad(4), "y exit; stopping: Failure(StepId(4)); s/b cancelled; x cancelled | kill s/a");
    assert_eq!(run.killed(1), "s/a cancelled; s cancelled; run failed | close s; close");
}

#[test]
fn who_runs_a_member_needs_the_whole_stream() {
    let mut run = Bench::with_header(stream()[..3].to_vec(), Header::default(), false);
    assert_eq!(run.start(), "");
    assert_eq!(run.give(Input::Want(id(1))), "s starts; s/a starts; s/b starts | do s/a; do s/b");
    assert_eq!(run.ok(1), "s/a ok | ready s/a");
}

fn flowed(step: u32, attempt: u32, upto: u64) -> Input {
    let reached = Some(Box::new(Reached { upto, ..Reached::default() }));
    Input::Flowed(Box::new(Flowed { step: id(step), attempt, reached, ..Flowed::default() }))
}

fn raised(step: u32) -> Input {
    Input::Alerted(Box::new(Alerted { step: id(step), alert: 0, stage: "s".into(), value: 1.0 }))
}

fn upto(run: &Bench, step: u32) -> Option<u64> {
    run.machine.state.step(id(step)).flowed.as_ref()?.reached.as_ref().map(|reached| reached.upto)
}

#[test]
fn only_the_attempt_that_goes_on_tells_how_far_it_is() {
    let mut run = Bench::of(vec![again(task("p"), 3), task("x")]);
    assert_eq!(run.give(flowed(0, 1, 1)), "");
    run.start();
    assert_eq!(run.give(flowed(0, 2, 1)), "");
    assert_eq!(run.give(flowed(0, 1, 5)), "p flowed");
    assert_eq!(run.give(flowed(9, 1, 5)), "");
    // Its next attempt goes on from there, as does another process.
    run.bad(0);
    assert_eq!(run.give(flowed(0, 1, 6)), "");
    run.fired(Timer::Retry(id(0), 1));
    assert_eq!(upto(&run, 0), Some(5));
    run.resume(99);
    assert_eq!(upto(&run, 0), Some(5));
}

#[test]
fn in_a_group_that_is_tried_again_a_pipeline_begins_anew() {
    let g = again(group("g", Task::Parallel(vec![id(1)])), 2);
    let mut run = Bench::of(vec![g, inside(task("p"), 0)]);
    run.start();
    run.give(flowed(1, 1, 5));
    run.bad(1);
    assert_eq!(upto(&run, 1), None);
}

/// `p` is watched; `t` runs when its alert is raised.
fn watched() -> Vec<Step> {
    let alert = Alert {
        metric: Metric::ErrorRate,
        stage: None,
        above: Some(0.5),
        below: None,
        for_ms: 0,
        severity: Severity::default(),
        action: Some(id(1)),
        span: Span::default(),
    };
    let p = with(task("p"), |policy| policy.alerts = vec![alert]);
    let t = Step { on_alert: Some(OnAlert { step: id(0), alert: 0 }), ..task("t") };
    vec![p, t]
}

#[test]
fn an_alert_starts_a_step_beside_what_is_watched() {
    let mut run = Bench::of(watched());
    assert_eq!(run.start(), "p starts | do p");
    assert_eq!(run.give(raised(0)), "p alerts; t starts | do t");
    assert_eq!(run.give(raised(0)), "p alerts");
    assert_eq!(run.ok(1), "t ok");
    assert_eq!(run.ok(0), "p ok; run success | close");
}

#[test]
fn who_tells_of_an_alert_needs_no_slot() {
    let mut steps = watched();
    steps[1] = again(steps[1].clone(), 2);
    steps.push(task("x"));
    let mut run = narrow(steps, one_slot());
    assert_eq!(run.start(), "p starts | do p");
    assert_eq!(run.give(raised(0)), "p alerts; t starts | do t");
    assert_eq!(run.bad(1), "t retries in 7 | arm 7");
    assert_eq!(run.fired(Timer::Retry(id(1), 1)), "t starts 2 | do t");
    assert_eq!(run.ok(0), "p ok; x starts | do x");
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "stopping: Interrupted | kill t; kill x");
    assert_eq!(run.killed(2), "x interrupted");
    assert_eq!(run.killed(1), "t interrupted; paused | close");
}

#[test]
fn without_an_alert_its_step_is_not_taken() {
    let mut run = Bench::of(watched());
    run.start();
    assert_eq!(run.ok(0), "p ok; t not taken; run success | close");
}

#[test]
fn a_raised_alert_is_not_forgotten() {
    let mut steps = watched();
    steps.push(task("x"));
    steps[1] = after(steps[1].clone(), &[2]);
    steps[0] = again(steps[0].clone(), 2);
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.give(raised(0)), "p alerts");
    assert_eq!(run.resume(99), "p interrupted; x interrupted; p starts 2; x starts 2 | do p; do x");
    run.bad(0);
    assert_eq!(run.ok(2), "x ok; t starts | do t");
}

/// A group `q` of `a`, `b` and `c`, of which so many must succeed, and a step `x` after it.
fn quorum(need: u32, race: bool) -> Vec<Step> {
    let children = vec![id(1), id(2), id(3)];
    let group = group("q", Task::Quorum(Quorum { need, race, children }));
    let mut steps = vec![group];
    steps.extend(["a", "b", "c"].map(|name| inside(task(name), 0)));
    steps.push(after(task("x"), &[0]));
    steps
}

#[test]
fn the_first_to_succeed_ends_a_race() {
    let mut run = Bench::of(quorum(1, true));
    assert_eq!(run.start(), "q starts; q/a starts; q/b starts | do q/a; do q/b");
    assert_eq!(run.bad(1), "q/a exit; q/c starts | do q/c");
    assert_eq!(run.ok(3), "q/c ok | kill q/b");
    assert_eq!(run.killed(2), "q/b not taken; q ok; x starts | do x");
    // It had begun, and that can be seen.
    assert_eq!(run.machine.state.step(id(2)).attempt, 1);
    assert_eq!(run.ok(4), "x ok; run success | close");
}

#[test]
fn what_has_not_begun_is_not_needed_any_more() {
    let mut run = Bench::of(quorum(1, true));
    run.start();
    assert_eq!(run.ok(1), "q/a ok; q/c not taken | kill q/b");
    // It was faster than its end.
    assert_eq!(run.ok(2), "q/b ok; q ok; x starts | do x");
}

#[test]
fn a_quorum_fails_as_soon_as_it_must() {
    let mut run = Bench::of(quorum(2, false));
    run.start();
    run.bad(1);
    assert_eq!(run.bad(2), "q/b exit | kill q/c");
    assert_eq!(run.killed(3), "q/c not taken; q fail; x upstream failed; run failed | close");
    let outcome = run.machine.state.step(id(0)).outcome.clone().and_then(|outcome| outcome.error.clone());
    let message = outcome.map(|error| error.message);
    assert_eq!(message.as_deref(), Some("`q/a` and `q/b` failed, and 2 of 3 must succeed"));
}

#[test]
fn fail_fast_ends_with_the_first_failure() {
    let mut run = Bench::of(quorum(3, false));
    run.start();
    assert_eq!(run.bad(1), "q/a exit; q/c not taken | kill q/b");
    assert_eq!(run.killed(2), "q/b not taken; q child; x upstream failed; run failed | close");
    let mut run = Bench::of(quorum(3, false));
    run.start();
    run.ok(1);
    run.ok(2);
    assert_eq!(run.ok(3), "q/c ok; q ok; x starts | do x");
}

#[test]
fn a_race_over_a_crash_ends_as_without() {
    let mut run = Bench::of(quorum(1, true));
    run.start();
    run.ok(1);
    assert_eq!(run.resume(99), "q/b interrupted; q/b not taken; q ok; x starts | do x");
}

#[test]
fn a_group_that_loses_is_not_needed_whatever_it_had_done() {
    let mut steps = quorum(1, true);
    steps[2] = inside(group("b", Task::Chain(vec![id(5), id(6)])), 0);
    steps.extend([inside(task("m"), 2), after(inside(task("n"), 2), &[5])]);
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.bad(3), "q/c exit; q/b/m starts | do q/b/m");
    assert_eq!(run.ok(5), "q/b/m ok; q/b/n starts | do q/b/n");
    assert_eq!(run.ok(1), "q/a ok | kill q/b/n");
    assert_eq!(run.killed(6), "q/b/n not taken; q/b not taken; q ok; x starts | do x");
}

#[test]
fn what_cleans_up_is_not_cut_off() {
    let mut steps = quorum(1, true);
    steps[2] = inside(group("b", Task::Chain(vec![id(5)])), 0);
    let clean = with(after(inside(task("clean"), 2), &[5]), |policy| {
        (policy.rule, policy.finally) = (Rule::AllDone, true);
    });
    steps.extend([inside(task("m"), 2), clean]);
    let mut run = Bench::of(steps);
    run.at = 7;
    run.start();
    run.bad(3);
    assert_eq!(run.ok(1), "q/a ok | kill q/b/m");
    assert_eq!(run.killed(5), "q/b/m not taken; q/b/clean starts | do q/b/clean");
    assert_eq!(run.ok(6), "q/b/clean ok; q/b not taken; q ok; x starts | do x");
    // The race itself may be what cleans up.
    let mut steps = quorum(1, true);
    change(&mut steps, 0, |policy| policy.finally = true);
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.ok(1), "q/a ok; q/c not taken | kill q/b");
}

#[test]
fn that_a_child_is_not_taken_ends_nothing_early() {
    let mut steps = quorum(2, false);
    steps[2..=3].iter_mut().for_each(|step| step.when = Some(Box::new(Condition::Known(false))));
    let mut run = Bench::of(steps);
    assert_eq!(
        run.start(),
        "q starts; q/b decides 0 Is(false); q/b not taken; q/c decides 0 Is(false); q/c not taken; q/a starts | do q/a"
    );
    assert_eq!(run.ok(1), "q/a ok; q fail; x upstream failed; run failed | close");
}

#[test]
fn failures_that_do_not_matter_leave_too_few() {
    let mut steps = quorum(1, true);
    for n in 1..=3 {
        change(&mut steps, n, |policy| policy.on_error = Some(OnError::Skip));
    }
    let mut run = Bench::of(steps);
    run.start();
    run.bad(1);
    run.bad(2);
    assert_eq!(run.bad(3), "q/c exit; q fail; x upstream failed; run failed | close");
}

#[test]
fn a_race_that_takes_too_long_is_cancelled() {
    let mut steps = quorum(2, false);
    change(&mut steps, 0, |policy| policy.timeout_ms = Some(5));
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "q/c cancelled | kill q/a; kill q/b");
    run.killed(1);
    assert_eq!(run.killed(2), "q/b cancelled; q timeout; x upstream failed; run failed | close");
}
