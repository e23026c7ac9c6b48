//! What happens when things go wrong: alternatives, groups tried again, undoing, clean-up, waiting for somebody.

use super::*;
use crate::event::{Answer, RollBack, WaitFor};
use crate::plan::{Approve, Class, Strategy, UndoScope};

fn alternatives(name: &str, children: &[u32]) -> Step {
    group(name, Task::Fallback(children.iter().map(|n| id(*n)).collect()))
}

fn chain(name: &str, children: &[u32]) -> Step {
    group(name, Task::Chain(children.iter().map(|n| id(*n)).collect()))
}

fn tries(max_attempts: u32) -> Option<Retry> {
    Some(Retry { max_attempts, delay_ms: 10, backoff: Backoff::Fixed, ..Retry::default() })
}

/// A step whose effects the step `undo` undoes.
fn undone(mut step: Step, undo: u32) -> Step {
    step.policy_mut().undo = Some(id(undo));
    step
}

fn undoes(mut step: Step, of: u32) -> Step {
    step.parent = Some(id(of));
    step.undoes = Some(id(of));
    step
}

/// a, undone by 1; then b, undone by 3; then c.
fn saga() -> Vec<Step> {
    vec![
        undone(task("a"), 1),
        undoes(task("no-a"), 0),
        after(undone(task("b"), 3), &[0]),
        undoes(task("no-b"), 2),
        after(task("c"), &[2]),
    ]
}

fn asks(name: &str) -> Step {
    let approve = Approve { prompt: None, choices: Vec::new(), form: Vec::new(), on_timeout: Default::default() };
    Step::new(name, Task::Approve(Box::new(approve)), Span::default())
}

fn question() -> WaitFor {
    WaitFor::Answer {
        prompt: String::new(),
        choices: vec!["yes".into(), "no".into()],
        form: Vec::new(),
        refusable: true,
        on_timeout: Default::default(),
    }
}

impl Bench {
    fn waits(&mut self, n: u32, what: WaitFor, delay_ms: Option<u64>) -> String {
        let attempt = self.machine.state.step(id(n)).attempt;
        self.give(Input::Waits { step: id(n), attempt, what, delay_ms })
    }

    fn answer(&mut self, n: u32, value: &str) -> String {
        let answer = Answer { value: value.into(), by: "ada".into(), ..Answer::default() };
        self.give(Input::Answered { step: id(n), answer: Box::new(answer) })
    }

    fn judged(&mut self, n: u32, outcome: Outcome, again: Option<Again>) -> String {
        let attempt = self.machine.state.step(id(n)).attempt;
        self.give(Input::Judged { step: id(n), attempt, outcome: outcome.into(), again })
    }

    fn status(&self, n: u32) -> Status {
        self.machine.state.step(id(n)).status
    }
}

#[test]
fn alternatives_are_tried_in_order() {
    let steps = || {
        vec![
            alternatives("get", &[1, 2, 3]),
            inside(with(task("get"), |policy| policy.retry = tries(2)), 0),
            inside(task("mirror"), 0),
            inside(task("cache"), 0),
            after(task("use"), &[0]),
        ]
    };
    let mut run = Bench::of(steps());
    assert_eq!(run.start(), "get starts; get/get starts | do get/get");
    assert_eq!(run.bad(1), "get/get retries in 10 | arm 10");
    assert_eq!(run.fired(Timer::Retry(id(1), 1)), "get/get starts 2 | do get/get");
    assert_eq!(run.bad(1), "get/get exit; get/mirror starts | do get/mirror");
    assert_eq!(run.ok(2), "get/mirror ok; get/cache not taken; get ok; use starts | do use");
    assert_eq!(run.ok(4), "use ok; run success | close");
    let result = run.machine.state.result(id(0));
    assert_eq!(result.degraded.as_deref(), Some("mirror"));
    assert_eq!(result.status, Status::Success);

    let mut run = Bench::of(steps());
    run.start();
    assert_eq!(run.ok(1), "get/get ok; get/mirror not taken; get/cache not taken; get ok; use starts | do use");
    assert_eq!(run.machine.state.result(id(0)).degraded, None);

    let mut run = Bench::of(steps());
    run.start();
    run.bad(1);
    run.fired(Timer::Retry(id(1), 1));
    run.bad(1);
    run.bad(2);
    assert_eq!(run.bad(3), "get/cache exit; get child; use upstream failed; run failed | close");
}

#[test]
fn alternatives_go_on_after_a_crash() {
    let steps = vec![alternatives("get", &[1, 2]), inside(task("get"), 0), inside(task("mirror"), 0)];
    let mut run = Bench::of(steps);
    run.start();
    run.bad(1);
    let kept = run.records.len();
    assert_eq!(run.resume(kept - 1), "get/mirror starts | do get/mirror");
    assert_eq!(run.resume(run.records.len()), "get/mirror interrupted; get/mirror starts 2 | do get/mirror");
    assert_eq!(run.ok(2), "get/mirror ok; get ok; run success | close");
}

#[test]
fn a_whole_group_is_tried_again() {
    let steps = vec![
        with(chain("g", &[1, 2]), |policy| policy.retry = tries(2)),
        inside(task("a"), 0),
        inside(after(task("b"), &[1]), 0),
        after(task("z"), &[0]),
    ];
    let mut run = Bench::of(steps);
    run.start();
    run.ok(1);
    assert_eq!(
        run.bad(2),
        "g/b exit; g retries in 10; Reset { steps: [StepId(1), StepId(2)], retired: [], why: Retry(StepId(0)) } | arm 10"
    );
    assert_eq!((run.status(1), run.status(2)), (Status::Pending, Status::Pending));
    let kept = run.records.len();
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "g starts 2; g/a starts 2 | do g/a");
    assert_eq!(run.ok(1), "g/a ok; g/b starts 2 | do g/b");
    assert_eq!(run.bad(2), "g/b exit; g child; z upstream failed; run failed | close");
    // The same after a crash between the two.
    assert_eq!(run.resume(kept), " | arm 10".trim_start_matches(" | "));
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "g starts 2; g/a starts 2 | do g/a");
    run.ok(1);
    assert_eq!(run.ok(2), "g/b ok; g ok; z starts | do z");
}

#[test]
fn a_group_that_took_too_long_is_tried_again() {
    let steps = vec![
        with(group("g", Task::Parallel(vec![id(1), id(2)])), |policy| {
            policy.retry = tries(2);
            policy.timeout_ms = Some(100);
        }),
        inside(task("a"), 0),
        inside(after(task("b"), &[1]), 0),
    ];
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "g starts; g/a starts | timeout g 100; do g/a");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "g/b cancelled | kill g/a");
    assert!(run.killed(1).starts_with("g/a cancelled; g retries in 10; Reset"));
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "g starts 2; g/a starts 2 | timeout g 100; do g/a");
    // The timer of the first attempt means nothing any more.
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "");
    run.ok(1);
    assert_eq!(run.ok(2), "g/b ok; g ok; run success | close");
}

#[test]
fn what_a_fan_out_made_is_made_anew() {
    let each = Task::Each(Each { items: Some(Value::Plain(Json::Null)), body: closure(), children: Vec::new() });
    let steps = vec![with(chain("g", &[1]), |policy| policy.retry = tries(2)), inside(group("each", each.clone()), 0)];
    let grown = |base: u32| {
        let mut child = inside(task("x"), 1);
        child.key = Some("k".into());
        let mut changed = inside(group("each", each.clone()), 0);
        if let Task::Each(each) = Arc::make_mut(&mut changed.task) {
            each.children = vec![id(base)];
        }
        Growth { base, steps: vec![child], changed: vec![(id(1), changed)], ..Growth::default() }
    };
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "g starts; g/each starts | expand g/each 1");
    assert_eq!(run.expanded(1, grown(2)), "planned 1; g/each[k] starts | do g/each[k]");
    assert!(run.bad(2).contains("retired: [StepId(2)]"));
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "g starts 2; g/each starts 2 | expand g/each 1");
    assert_eq!(run.expanded(1, grown(3)), "planned 1; g/each[k] starts 2 | do g/each[k]");
    assert_eq!(run.ok(3), "g/each[k] ok; g/each ok; g ok; run success | close");
    assert_eq!(run.machine.state.plan.find("g/each[k]"), [id(3)]);
}

#[test]
fn what_succeeded_is_undone_in_reverse_order_before_hooks_tell_of_it() {
    let mut steps = saga();
    steps.push(task("tell"));
    let header = Header { hooks: vec![(Moment::Failure, id(5))], ..Header::default() };
    let mut run = Bench::with_header(steps, header, true);
    run.start();
    run.ok(0);
    run.ok(2);
    assert_eq!(run.bad(4), "c exit; b/no-b starts | do b/no-b");
    assert_eq!(run.bad(3), "b/no-b exit; a/no-a starts | do a/no-a");
    // A crash: what was begun is begun again, what was done is not.
    assert_eq!(run.resume(run.records.len()), "a/no-a interrupted; a/no-a starts 2 | do a/no-a");
    assert_eq!(run.ok(1), "a/no-a ok; tell starts | do tell");
    assert_eq!(run.ok(5), "tell ok; run failed | close");
}

#[test]
fn nothing_is_undone_in_a_run_that_went_well_or_was_cancelled() {
    let mut run = Bench::of(saga());
    run.start();
    run.ok(0);
    run.ok(2);
    assert_eq!(run.ok(4), "c ok; run success | close");
    let mut run = Bench::of(saga());
    run.start();
    run.ok(0);
    assert_eq!(run.give(Input::Stop(Stop::Cancelled)), "stopping: Cancelled; c cancelled | kill b");
    assert_eq!(run.killed(2), "b cancelled; run cancelled | close");
}

#[test]
fn a_checkpoint_is_as_far_as_a_failure_undoes() {
    let mut steps = saga();
    steps[0].policy_mut().checkpoint = Some("safe".into());
    let run_with = |scope| {
        let mut header = Header::default();
        header.settings.undo = scope;
        let mut run = Bench::with_header(steps.clone(), header, true);
        run.start();
        run.ok(0);
        run.ok(2);
        run
    };
    let mut run = run_with(UndoScope::Checkpoint);
    assert_eq!(run.bad(4), "c exit; b/no-b starts | do b/no-b");
    assert_eq!(run.ok(3), "b/no-b ok; run failed | close");
    let mut run = run_with(UndoScope::All);
    run.bad(4);
    assert_eq!(run.ok(3), "b/no-b ok; a/no-a starts | do a/no-a");
    assert_eq!(run_with(UndoScope::Nothing).bad(4), "c exit; run failed | close");
}

#[test]
fn a_run_is_rolled_back_and_goes_on_from_there() {
    let mut run = Bench::of(saga());
    run.start();
    run.ok(0);
    let reached = run.records.iter().rposition(|record| matches!(*record.event, Event::Finished { .. }));
    run.ok(2);
    run.ok(4);
    let back = RollBack {
        to: "a".into(),
        after: reached.map(|seq| seq as u64),
        steps: vec![id(2), id(3), id(4)],
        retired: Vec::new(),
    };
    let opened = || Event::Opened { pid: 2, host: "h".into(), flow: "0".into() };
    run.record(vec![opened(), Event::RollingBack(Box::new(back))]);
    run.machine = Machine::resume(&run.records, 2);
    assert_eq!(run.start(), "b/no-b starts | do b/no-b");
    // What failed to undo something leaves the run where it is; the next time it is tried again.
    assert_eq!(run.bad(3), "b/no-b exit; paused | close");
    run.record(vec![opened()]);
    run.machine = Machine::resume(&run.records, 2);
    assert_eq!(run.start(), "Reset { steps: [StepId(3)], retired: [], why: Undo }; b/no-b starts 2 | do b/no-b");
    let end = run.ok(3);
    assert!(end.starts_with("b/no-b ok; Reset { steps: [StepId(2), StepId(3), StepId(4)]"), "{end}");
    assert!(end.ends_with("paused | close"), "{end}");
    assert_eq!(run.resume(run.records.len()), "b starts 2 | do b");
    run.ok(2);
    assert_eq!(run.ok(4), "c ok; run success | close");
}

#[test]
fn clean_up_runs_whatever_happened_if_there_is_something_to_clean_up() {
    let clean = |step: Step| {
        with(step, |policy| {
            policy.finally = true;
            policy.rule = Rule::AllDone;
        })
    };
    let steps = || vec![task("a"), after(task("b"), &[0]), clean(after(task("clean"), &[1]))];
    let mut run = Bench::of(steps());
    run.at = 1;
    run.start();
    assert_eq!(run.bad(0), "a exit; b upstream failed; clean not taken; run failed | close");
    let mut run = Bench::of(steps());
    run.at = 1;
    run.start();
    run.ok(0);
    assert_eq!(run.bad(1), "b exit; clean starts | do clean");
    assert_eq!(run.ok(2), "clean ok; run failed | close");
    let mut run = Bench::of(steps());
    run.at = 1;
    run.start();
    run.ok(0);
    assert_eq!(run.give(Input::Stop(Stop::Cancelled)), "stopping: Cancelled | kill b");
    assert_eq!(run.killed(1), "b cancelled; clean starts | do clean");
    assert_eq!(run.ok(2), "clean ok; run cancelled | close");
}

#[test]
fn classes_decide_whether_it_is_tried_again() {
    let steps = || vec![with(task("a"), |policy| policy.retry = tries(3))];
    let mut run = Bench::of(steps());
    run.start();
    let missing = Outcome { code: Some(127), ..failure(FailureKind::Exit) };
    assert_eq!(run.ends(0, missing.clone()), "a exit; run failed | close");

    let mut header = Header::default();
    header.settings.strategies.insert(Class::Configuration, Strategy::Retry(None));
    let mut run = Bench::with_header(steps(), header, true);
    run.start();
    assert_eq!(run.ends(0, missing), "a retries in 10 | arm 10");

    // What is used up is waited for, and a server may ask for more time.
    let mut run = Bench::of(steps());
    run.start();
    assert_eq!(run.ends(0, failure(FailureKind::TooMuch)), "a retries in 10000 | arm 10000");
    let mut run = Bench::of(steps());
    run.start();
    let mut busy = failure(FailureKind::Connection);
    busy.error.as_mut().expect("a failure").retry_after_ms = Some(700);
    assert_eq!(run.ends(0, busy), "a retries in 700 | arm 700");

    // A strategy with a retry of its own is for steps that say nothing.
    let mut header = Header::default();
    header.settings.strategies.insert(Class::Transient, Strategy::Retry(tries(2)));
    let mut run = Bench::with_header(vec![task("a")], header, true);
    run.start();
    assert_eq!(run.ends(0, failure(FailureKind::Timeout)), "a retries in 10 | arm 10");
}

#[test]
fn an_end_is_judged() {
    let judged = |step: Step| {
        with(step, |policy| {
            policy.validate = Some(Box::new(crate::plan::Validate::Closure(closure())));
            policy.retry_if = Some(Box::new(closure()));
            policy.retry = tries(3);
        })
    };
    let mut run = Bench::of(vec![judged(task("a"))]);
    run.start();
    assert_eq!(run.ok(0), "judge a".to_owned());
    assert_eq!(run.judged(0, failure(FailureKind::Validation), Some(Again::After(5))), "a retries in 5 | arm 5");
    run.fired(Timer::Retry(id(0), 1));
    assert_eq!(run.bad(0), "judge a");
    // Asked for the last time: a crash now makes the attempt again.
    assert_eq!(run.resume(run.records.len()), "a interrupted; a starts 3 | do a");
    run.bad(0);
    assert_eq!(run.judged(0, failure(FailureKind::Exit), Some(Again::No)), "a exit; run failed | close");

    // A group, too.
    let mut run = Bench::of(vec![judged(chain("g", &[1])), inside(task("a"), 0)]);
    run.start();
    assert_eq!(run.ok(1), "g/a ok | judge g");
    assert!(run.judged(0, failure(FailureKind::Validation), Some(Again::Yes)).starts_with("g retries in 10; Reset"));
}

#[test]
fn a_step_that_waits_for_a_person_holds_nothing() {
    let steps = vec![asks("gate"), task("b"), after(task("c"), &[0])];
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "gate starts; b starts | do gate; do b");
    assert_eq!(run.waits(0, question(), None), format!("gate waits {}", u64::MAX));
    // Nothing else is to be done: the process lets go.
    assert_eq!(run.ok(1), "b ok; paused | close");
    assert_eq!(run.resume(run.records.len()), "paused | close");
    run.record(vec![Event::Opened { pid: 2, host: "h".into(), flow: "0".into() }]);
    run.machine = Machine::resume(&run.records, 2);
    run.machine.attended(true);
    assert_eq!(run.start(), "");
    assert!(run.answer(0, "yes").ends_with("gate ok; c starts | do c"));
    // Once.
    assert_eq!(run.answer(0, "no"), "");
    let output = run.machine.state.step(id(0)).outcome.clone().expect("it ended");
    assert_eq!(output.fields["by"], "ada");
    assert_eq!(run.ok(2), "c ok; run success | close");
}

#[test]
fn no_is_a_failure_and_so_is_silence() {
    let mut run = Bench::of(vec![asks("gate"), after(task("c"), &[0])]);
    run.start();
    run.machine.attended(true);
    run.waits(0, question(), None);
    assert!(run.answer(0, "no").ends_with("gate refused; c upstream failed; run failed | close"));

    let timed = with(asks("gate"), |policy| policy.timeout_ms = Some(1_000));
    let mut run = Bench::of(vec![timed]);
    run.machine.attended(true);
    assert_eq!(run.start(), "gate starts | do gate; timeout gate 1000");
    assert_eq!(run.waits(0, question(), None), "gate waits 1000");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "gate timeout; run failed | close");
}

#[test]
fn moments_soon_are_waited_for_and_others_are_not() {
    let until = || vec![Step::new("until", Task::WaitUntil(Value::Plain(Json::Null)), Span::default())];
    let mut run = Bench::of(until());
    run.start();
    assert_eq!(run.waits(0, WaitFor::Time, Some(500)), "until waits 500 | arm 500");
    assert_eq!(run.fired(Timer::Wait(id(0), 1)), "until ok; run success | close");
    let mut run = Bench::of(until());
    run.start();
    assert_eq!(run.waits(0, WaitFor::Time, Some(3_600_000)), "until waits 3600000; paused | arm 3600000; close");
}
