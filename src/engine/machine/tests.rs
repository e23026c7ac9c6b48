//! One test a rule of `docs/semantics.md`. Each input is answered by a line: events and effects in the order given out.

mod recovery;
mod streams;

use super::*;
use crate::diag::Span;
use crate::event::{Because, Created, FailureKind, ResetWhy, Skip};
use crate::plan::{
    Backoff, Branch, Closure, Condition, Each, EdgeKind, Header, Json, Limit, OnError, Repeat, Retry, Rule, Step, Task,
    Value,
};

/// A run under test.
struct Bench {
    machine: Machine,
    records: Vec<Record>,
    at: u64,
}

fn id(n: u32) -> StepId {
    StepId(n)
}

fn task(name: &str) -> Step {
    Step::new(name, Task::Const(Value::Plain(Json::Null)), Span::default())
}

fn group(name: &str, task: Task) -> Step {
    Step::new(name, task, Span::default())
}

fn after(mut step: Step, before: &[u32]) -> Step {
    before.iter().for_each(|n| step.add_edge(id(*n), EdgeKind::Order));
    step
}

fn inside(mut step: Step, group: u32) -> Step {
    step.parent = Some(id(group));
    step
}

fn with(mut step: Step, set: impl FnOnce(&mut crate::plan::Policy)) -> Step {
    set(step.policy_mut());
    step
}

fn closure() -> Closure {
    Closure { function: "f".into(), captured: Vec::new(), text: String::new(), span: Span::default() }
}

/// A condition that reads these steps.
fn reads(steps: &[u32]) -> Condition {
    let captured = steps.iter().map(|n| Value::Step(id(*n))).collect();
    Condition::Closure(Closure { captured, ..closure() })
}

fn when(mut step: Step, steps: &[u32]) -> Step {
    step.when = Some(Box::new(reads(steps)));
    steps.iter().for_each(|n| step.add_edge(id(*n), EdgeKind::Condition));
    step
}

fn growth(base: u32, steps: Vec<Step>) -> Growth {
    Growth { base, steps, ..Growth::default() }
}

fn failure(kind: FailureKind) -> Outcome {
    Outcome { error: Some(Failure::new(kind, "no")), ..Outcome::default() }
}

impl Bench {
    fn with_header(steps: Vec<Step>, header: Header, complete: bool) -> Self {
        let created = Created { max_parallel: Some(2), ..Created::default() };
        let growth = Growth { header: Some(Box::new(header)), steps, complete, ..Growth::default() };
        let first = [
            Event::Created(Box::new(created)),
            Event::Planned { of: None, growth: Box::new(growth) },
            Event::Opened { pid: 1, host: "h".into(), flow: "0".into() },
        ];
        let mut bench = Bench { machine: Machine::new(RunState::default(), 2), records: Vec::new(), at: 0 };
        bench.record(first.to_vec());
        bench.machine = Machine::resume(&bench.records, 2);
        bench
    }

    fn of(steps: Vec<Step>) -> Self {
        Self::with_header(steps, Header::default(), true)
    }

    fn record(&mut self, events: Vec<Event>) {
        for event in events {
            let seq = self.records.len() as u64;
            self.records.push(Record { seq, at: self.at, event: Arc::new(event) });
        }
    }

    /// Another process takes up the run, as far as its first `kept` events go.
    fn resume(&mut self, kept: usize) -> String {
        self.records.truncate(kept);
        self.record(vec![Event::Opened { pid: 2, host: "h".into(), flow: "0".into() }]);
        self.machine = Machine::resume(&self.records, 2);
        self.start()
    }

    fn give(&mut self, input: Input) -> String {
        let out = self.machine.handle(self.at, input);
        let name = |id: StepId| self.machine.state.plan.path(id);
        let skip = |reason: &Skip| match reason {
            Skip::NotTaken(Because::Group(_)) => "not taken (group)".to_owned(),
            Skip::UpstreamFailed(Because::Group(_)) => "upstream failed (group)".to_owned(),
            Skip::NotTaken(_) => "not taken".to_owned(),
            Skip::UpstreamFailed(_) => "upstream failed".to_owned(),
        };
        let events = out.events.iter().map(|event| match event {
            Event::Started { step, attempt: 1 } => format!("{} starts", name(*step)),
            Event::Started { step, attempt } => format!("{} starts {attempt}", name(*step)),
            Event::Finished { step, outcome, .. } => match &outcome.error {
                None => format!("{} ok", name(*step)),
                Some(error) => format!("{} {}", name(*step), error.kind.name()),
            },
            Event::Skipped { step, reason } => format!("{} {}", name(*step), skip(reason)),
            Event::Retrying { step, delay_ms, .. } => format!("{} retries in {delay_ms}", name(*step)),
            Event::Waiting { step, delay_ms, .. } => format!("{} waits {delay_ms}", name(*step)),
            Event::Cancelled { step } => format!("{} cancelled", name(*step)),
            Event::Interrupted { step, .. } => format!("{} interrupted", name(*step)),
            Event::Decided { step, branch, result, .. } => format!("{} decides {branch} {result:?}", name(*step)),
            Event::Stopping { reason } => format!("stopping: {reason:?}"),
            Event::Planned { growth, .. } => format!("planned {}", growth.steps.len()),
            Event::Ended { status } => format!("run {}", status.name()),
            Event::Paused => "paused".to_owned(),
            Event::Flowed(flowed) => format!("{} flowed", name(flowed.step)),
            Event::Alerted(alerted) => format!("{} alerts", name(alerted.step)),
            Event::Reset { steps, why: ResetWhy::Stream(_), .. } => {
                format!("again {}", steps.iter().map(|step| name(*step)).collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        });
        let effects = out.effects.iter().map(|effect| match effect {
            Effect::Attempt { step, .. } => format!("do {}", name(*step)),
            Effect::Decide { step, branch } => format!("decide {} {branch}", name(*step)),
            Effect::Expand { step, iteration } => format!("expand {} {iteration}", name(*step)),
            Effect::Arm { timer: Timer::Minute(..), delay_ms } => format!("minute {delay_ms}"),
            Effect::Arm { timer: Timer::Timeout(step, _), delay_ms } => format!("timeout {} {delay_ms}", name(*step)),
            Effect::Arm { delay_ms, .. } => format!("arm {delay_ms}"),
            Effect::Kill { step, hard: false, .. } => format!("kill {}", name(*step)),
            Effect::Kill { step, .. } => format!("kill {} hard", name(*step)),
            Effect::Judge { step, .. } => format!("judge {}", name(*step)),
            Effect::Watch(step) => format!("watch {}", name(*step)),
            Effect::LetEnd(step) => format!("let end {}", name(*step)),
            Effect::CloseStream { step, .. } => format!("close {}", name(*step)),
            Effect::Ready(step) => format!("ready {}", name(*step)),
            Effect::Close => "close".to_owned(),
        });
        let both = [events.collect::<Vec<_>>().join("; "), effects.collect::<Vec<_>>().join("; ")];
        let line = both.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ");
        self.record(out.events);
        line
    }

    fn start(&mut self) -> String {
        self.give(Input::Start)
    }

    fn ends(&mut self, n: u32, outcome: Outcome) -> String {
        let attempt = self.machine.state.step(id(n)).attempt;
        self.give(Input::Finished { step: id(n), attempt, outcome: outcome.into() })
    }

    fn ok(&mut self, n: u32) -> String {
        self.ends(n, Outcome::default())
    }

    fn bad(&mut self, n: u32) -> String {
        self.ends(n, failure(FailureKind::Exit))
    }

    fn killed(&mut self, n: u32) -> String {
        self.ends(n, failure(FailureKind::Cancelled))
    }

    fn decided(&mut self, n: u32, branch: u32, value: bool) -> String {
        self.give(Input::Decided { step: id(n), branch, result: Decision::Is(value), saw: Vec::new() })
    }

    /// The condition of `n` was evaluated and looked at how `read` ended.
    fn decided_on(&mut self, n: u32, read: u32, value: bool) -> String {
        let saw = vec![Saw { step: id(read), what: "failed".into(), value: Json::Null, handles: true }];
        self.give(Input::Decided { step: id(n), branch: 0, result: Decision::Is(value), saw })
    }

    fn expanded(&mut self, n: u32, growth: Growth) -> String {
        self.give(Input::Expanded { step: id(n), result: Ok(Box::new(growth)) })
    }

    fn fired(&mut self, timer: Timer) -> String {
        self.give(Input::Fired(timer))
    }
}

#[test]
fn a_chain_and_a_failure_in_it() {
    let steps = vec![task("a"), after(task("b"), &[0]), after(task("c"), &[1])];
    let mut run = Bench::of(steps.clone());
    assert_eq!(run.start(), "a starts | do a");
    assert_eq!(run.ok(0), "a ok; b starts | do b");
    assert_eq!(run.ok(1), "b ok; c starts | do c");
    assert_eq!(run.ok(2), "c ok; run success | close");
    assert_eq!(run.give(Input::Start), "");
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.bad(0), "a exit; b upstream failed; c upstream failed; run failed | close");
}

#[test]
fn no_more_run_than_there_are_slots() {
    let mut run = Bench::of(vec![task("a"), task("b"), task("c")]);
    assert_eq!(run.start(), "a starts; b starts | do a; do b");
    assert_eq!(run.ok(1), "b ok; c starts | do c");
    // An answer that comes twice, or for another attempt, means nothing.
    assert_eq!(run.ok(1), "");
    assert_eq!(run.give(Input::Finished { step: id(0), attempt: 7, outcome: Arc::default() }), "");
}

#[test]
fn on_error_continue_and_skip() {
    let on = |reaction| with(task("a"), |policy| policy.on_error = Some(reaction));
    let mut run = Bench::of(vec![on(OnError::Continue), after(task("b"), &[0])]);
    run.start();
    assert_eq!(run.bad(0), "a exit; b starts | do b");
    assert_eq!(run.ok(1), "b ok; run success | close");
    let mut run = Bench::of(vec![on(OnError::Skip), after(task("b"), &[0])]);
    run.start();
    assert_eq!(run.bad(0), "a exit; b not taken; run success | close");
}

#[test]
fn stop_lets_what_runs_end() {
    let stops = with(task("a"), |policy| policy.on_error = Some(OnError::Stop));
    let again = with(task("b"), |policy| policy.retry = Some(Retry::default()));
    let header = Header { hooks: vec![(Moment::Failure, id(3))], ..Header::default() };
    let mut run = Bench::with_header(vec![stops, again, task("c"), task("tell")], header, true);
    run.start();
    assert_eq!(run.bad(0), "a exit; stopping: Failure(StepId(0)); c cancelled");
    // It is not tried again.
    assert_eq!(run.bad(1), "b exit; tell starts | do tell");
    assert_eq!(run.ok(3), "tell ok; run failed | close");
}

#[test]
fn on_failure_stop_spares_groups_that_handle() {
    let mut header = Header::default();
    header.settings.on_failure = Some(OnError::Stop);
    let careless = with(group("g", Task::Parallel(vec![id(1)])), |policy| policy.on_error = Some(OnError::Continue));
    let mut run = Bench::with_header(vec![careless, inside(task("a"), 0), task("b"), task("c")], header, true);
    assert_eq!(run.start(), "g starts; g/a starts; b starts | do g/a; do b");
    assert_eq!(run.bad(1), "g/a exit; g child; c starts | do c");
    assert_eq!(run.bad(2), "b exit; stopping: Failure(StepId(2))");
    assert_eq!(run.ok(3), "c ok; run failed | close");
}

#[test]
fn retries_hold_no_slot() {
    let retry = Retry { delay_ms: 10, backoff: Backoff::Exponential, ..Retry::default() };
    let mut run =
        Bench::of(vec![with(task("a"), |policy| policy.retry = Some(retry)), task("b"), task("c"), task("d")]);
    run.start();
    assert_eq!(run.bad(0), "a retries in 10; c starts | arm 10; do c");
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "");
    assert_eq!(run.ok(1), "b ok; d starts | do d");
    assert_eq!(run.ok(3), "d ok; a starts 2 | do a");
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "");
    assert_eq!(run.bad(0), "a retries in 20 | arm 20");
    run.fired(Timer::Retry(id(0), 2));
    assert_eq!(run.bad(0), "a exit");
    assert_eq!(run.ok(2), "c ok; run failed | close");
}

#[test]
fn what_was_cancelled_is_not_retried() {
    let mut run = Bench::of(vec![with(task("a"), |policy| policy.retry = Some(Retry::default()))]);
    run.start();
    assert_eq!(run.killed(0), "a cancelled; run failed | close");
}

#[test]
fn a_timeout_is_a_failure_that_may_be_retried() {
    let slow = with(task("a"), |policy| {
        policy.timeout_ms = Some(60_000);
        policy.retry = Some(Retry { max_attempts: 2, delay_ms: 0, ..Retry::default() });
    });
    let mut run = Bench::of(vec![slow]);
    assert_eq!(run.start(), "a starts | do a; timeout a 60000");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "kill a");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "");
    assert_eq!(run.killed(0), "a retries in 0 | arm 0");
    assert_eq!(run.fired(Timer::Retry(id(0), 1)), "a starts 2 | do a; timeout a 60000");
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "");
    assert_eq!(run.fired(Timer::Timeout(id(0), 2)), "kill a");
    assert_eq!(run.ok(0), "a timeout; run failed | close");
    let outcome = run.machine.state.step(id(0)).outcome.clone().and_then(|outcome| outcome.error.clone());
    assert_eq!(outcome.map(|error| error.message).as_deref(), Some("took longer than its timeout of 1m"));
}

#[test]
fn a_group_timeout_ends_what_is_in_it() {
    let slow = with(group("g", Task::Parallel(vec![id(1), id(2), id(3)])), |policy| policy.timeout_ms = Some(5));
    let inner = inside(group("h", Task::Chain(vec![id(3)])), 0);
    let steps = vec![slow, inside(task("a"), 0), inner, inside(task("b"), 2), after(inside(task("c"), 0), &[1])];
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "g starts; g/h starts; g/a starts; g/h/b starts | timeout g 5; do g/a; do g/h/b");
    let before = run.records.len();
    run.at = 5;
    assert_eq!(run.fired(Timer::Timeout(id(0), 1)), "g/c cancelled | kill g/a; kill g/h/b");
    assert_eq!(run.killed(1), "g/a cancelled");
    assert_eq!(run.killed(3), "g/h/b cancelled; g/h cancelled; g timeout; run failed | close");
    // A process that died in the midst of it: the next one goes on with it.
    let mut end = run.resume(before + 1);
    assert!(end.starts_with("g/a interrupted; g/h/b interrupted; g/a cancelled; g/h/b cancelled"), "{end}");
    end.truncate(end.find(" | ").unwrap_or(end.len()));
    assert!(end.ends_with("g/h cancelled; g timeout; run failed"), "{end}");
}

#[test]
fn waiting_takes_no_slot_and_goes_on_after_a_resume() {
    let wait = |name| group(name, Task::Wait(100));
    let mut run = Bench::of(vec![wait("w"), task("a"), task("b"), wait("v")]);
    assert_eq!(run.start(), "w waits 100; v waits 100; a starts; b starts | arm 100; arm 100; do a; do b");
    run.at = 60;
    assert_eq!(run.fired(Timer::Wait(id(3), 1)), "v ok");
    assert_eq!(run.resume(99), "a interrupted; b interrupted; a starts 2; b starts 2 | arm 40; do a; do b");
    run.ok(1);
    run.ok(2);
    assert_eq!(run.fired(Timer::Wait(id(0), 1)), "w ok; run success | close");
}

#[test]
fn a_condition_is_asked_after_the_rule() {
    let mut run = Bench::of(vec![task("a"), task("b"), when(after(task("c"), &[0]), &[1])]);
    run.start();
    assert_eq!(run.bad(1), "b exit");
    assert_eq!(run.ok(0), "a ok | decide c 0");
    let Asked::Condition(_) = asked(&run.machine.state, id(2), 0).expect("its own condition") else { panic!() };
    assert_eq!(run.decided_on(2, 1, false), "c decides 0 Is(false); c not taken; run success | close");
    let mut run = Bench::of(vec![task("a"), task("b"), when(after(task("c"), &[0]), &[1])]);
    run.start();
    assert_eq!(run.bad(0), "a exit; c upstream failed");
    assert_eq!(run.ok(1), "b ok; run failed | close");
}

#[test]
fn a_condition_that_fails_fails_its_step() {
    let mut steps = vec![when(group("g", Task::Parallel(vec![id(1)])), &[]), inside(task("a"), 0)];
    steps.push(after(task("b"), &[1]));
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "decide g 0");
    let result = Decision::Failed(Failure::new(FailureKind::Script, "no such property"));
    let line = run.give(Input::Decided { step: id(0), branch: 0, result, saw: Vec::new() });
    assert!(line.ends_with("g script; g/a upstream failed (group); b upstream failed; run failed | close"), "{line}");
}

#[test]
fn a_flow_asks_its_branches_in_order() {
    let branches = vec![
        Branch { when: Some(reads(&[4])), step: id(1) },
        Branch { when: Some(Condition::Known(true)), step: id(2) },
        Branch { when: None, step: id(3) },
    ];
    let child = |name| inside(task(name), 0);
    let steps = vec![group("f", Task::Flow(branches)), child("a"), child("b"), child("c"), task("t")];
    let mut run = Bench::of(steps);
    assert_eq!(run.start(), "f starts; t starts | do t");
    assert_eq!(run.bad(4), "t exit | decide f 0");
    let line = run.decided_on(0, 4, false);
    assert_eq!(line, "f decides 0 Is(false); f decides 1 Is(true); f/a not taken; f/c not taken; f/b starts | do f/b");
    // Answers in the log are not asked for again.
    assert_eq!(run.resume(99), "f/b interrupted; f/b starts 2 | do f/b");
    assert_eq!(run.ok(2), "f/b ok; f ok; run success | close");
}

#[test]
fn a_flow_asks_for_no_more_than_it_has_to() {
    let branches =
        vec![Branch { when: Some(reads(&[3])), step: id(1) }, Branch { when: Some(reads(&[4])), step: id(2) }];
    let child = |name| inside(task(name), 0);
    let mut run = Bench::of(vec![group("f", Task::Flow(branches)), child("a"), child("b"), task("s"), task("t")]);
    run.start();
    // What the second branch reads has not ended.
    assert_eq!(run.ok(3), "s ok | decide f 0");
    assert_eq!(run.decided(0, 0, false), "f decides 0 Is(false)");
    assert_eq!(run.ok(4), "t ok | decide f 1");
    assert_eq!(run.decided(0, 1, true), "f decides 1 Is(true); f/a not taken; f/b starts | do f/b");
}

#[test]
fn some_rules_do_not_wait_for_all() {
    let after_both = |name, rule| with(after(task(name), &[0, 1]), |policy| policy.rule = rule);
    let steps = vec![task("a"), task("b"), after_both("s", Rule::OneSuccess), after_both("f", Rule::OneFailed)];
    let mut run = Bench::of(steps.clone());
    run.start();
    assert_eq!(run.ok(0), "a ok; s starts | do s");
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.bad(1), "b exit; f starts | do f");
    assert_eq!(run.bad(0), "a exit; s upstream failed");
}

#[test]
fn a_flow_without_a_branch_is_not_taken() {
    let flow = when(group("f", Task::Flow(vec![Branch { when: Some(reads(&[])), step: id(1) }])), &[]);
    let mut run = Bench::of(vec![flow, inside(task("a"), 0), after(task("b"), &[0])]);
    assert_eq!(run.start(), "decide f 0");
    assert_eq!(run.decided(0, 0, true), "f decides 0 Is(true); f starts | decide f 0");
    assert_eq!(run.resume(99), "decide f 0");
    let line = run.decided(0, 0, false);
    assert_eq!(line, "f decides 0 Is(false); f/a not taken; f not taken; b not taken; run success | close");
}

#[test]
fn a_failed_child_fails_its_group_unless_looked_at_inside() {
    let steps = |parent| {
        let group = group("g", Task::Parallel(vec![id(1), id(2)]));
        let mut looks = when(task("b"), &[1]);
        looks.parent = parent;
        vec![group, inside(task("a"), 0), looks, after(task("c"), &[0])]
    };
    let mut run = Bench::of(steps(Some(id(0))));
    run.start();
    assert_eq!(run.bad(1), "g/a exit | decide g/b 0");
    assert_eq!(run.decided_on(2, 1, true), "g/b decides 0 Is(true); g/b starts | do g/b");
    assert_eq!(run.ok(2), "g/b ok; g ok; c starts | do c");
    // From outside it handles the failure for the run, not for the group.
    let mut run = Bench::of(steps(None));
    run.start();
    assert_eq!(run.bad(1), "g/a exit; g child; c upstream failed | decide b 0");
    assert_eq!(run.decided_on(2, 1, true), "b decides 0 Is(true); b starts | do b");
    assert_eq!(run.ok(2), "b ok; run success | close");
}

#[test]
fn each_gets_its_children_while_it_runs() {
    let each = |children| Task::Each(Each { items: Some(Value::Plain(Json::Null)), body: closure(), children });
    let mut run = Bench::of(vec![group("e", each(vec![])), after(task("z"), &[0])]);
    assert_eq!(run.start(), "e starts | expand e 1");
    // Meanwhile another plan came in between: ids are moved.
    run.give(Input::Grow(Box::new(growth(2, vec![task("y")]))));
    let child = |key: &str| Step { key: Some(key.into()), ..inside(task("e"), 0) };
    let mut more = growth(2, vec![child("1"), after(child("2"), &[2])]);
    more.changed = vec![(id(0), group("e", each(vec![id(2), id(3)])))];
    assert_eq!(run.expanded(0, more), "planned 2; e/e[1] starts | do e/e[1]".replace("e/e", "e"));
    assert_eq!(run.machine.state.plan.members(id(0)), [id(3), id(4)]);
    assert_eq!(run.ok(3), "e[1] ok; e[2] starts | do e[2]");
    assert_eq!(run.resume(99), "y interrupted; e[2] interrupted; y starts 2; e[2] starts 2 | do y; do e[2]");
    run.ok(2);
    assert_eq!(run.ok(4), "e[2] ok; e ok; z starts | do z");
}

#[test]
fn an_empty_or_failed_fan_out() {
    let each = || {
        let each = Each { items: Some(Value::Plain(Json::Null)), body: closure(), children: vec![] };
        Bench::of(vec![group("e", Task::Each(each))])
    };
    let mut run = each();
    run.start();
    assert_eq!(run.expanded(0, growth(1, vec![])), "planned 0; e ok; run success | close");
    assert_eq!(run.resume(5), "e ok; run success | close");
    let mut run = each();
    run.start();
    let result = Err(Failure::new(FailureKind::Script, "not an array"));
    assert_eq!(run.give(Input::Expanded { step: id(0), result }), "e script; run failed | close");
}

#[test]
fn repeat_until() {
    let task_of = |children| Task::Repeat(Repeat { max: 2, until: Some(closure()), body: closure(), children });
    let mut run = Bench::of(vec![group("r", task_of(vec![]))]);
    assert_eq!(run.start(), "r starts | expand r 1");
    let iteration = |n: u32, children: Vec<StepId>| {
        let mut more = growth(n, vec![Step { key: Some(n.to_string().into()), ..inside(task("r"), 0) }]);
        more.changed = vec![(id(0), group("r", task_of(children)))];
        more
    };
    assert_eq!(run.expanded(0, iteration(1, vec![id(1)])), "planned 1; r[1] starts | do r[1]");
    assert_eq!(run.ok(1), "r[1] ok | decide r 0");
    assert_eq!(asked(&run.machine.state, id(0), 0), Some(Asked::Until(&closure())));
    assert_eq!(run.decided(0, 0, false), "r decides 0 Is(false) | expand r 2");
    assert_eq!(run.expanded(0, iteration(2, vec![id(1), id(2)])), "planned 1; r[2] starts | do r[2]");
    let before = run.records.len();
    assert_eq!(run.ok(2), "r[2] ok | decide r 1");
    assert_eq!(run.decided(0, 1, false), "r decides 1 Is(false); r fail; run failed | close");
    run.resume(before);
    assert_eq!(run.ok(2), "r[2] ok | decide r 1");
    assert_eq!(run.decided(0, 1, true), "r decides 1 Is(true); r ok; run success | close");
    run.resume(before);
    assert_eq!(run.bad(2), "r[2] exit; r child; run failed | close");
}

#[test]
fn cancel() {
    let steps = vec![task("a"), after(task("b"), &[0]), group("w", Task::Wait(9)), task("tell")];
    let header = Header { hooks: vec![(Moment::Complete, id(3))], ..Header::default() };
    let mut run = Bench::with_header(steps, header, true);
    run.start();
    let line = run.give(Input::Stop(Stop::Cancelled));
    assert_eq!(line, "stopping: Cancelled; b cancelled; w cancelled; tell not taken | kill a");
    let midst = run.records.len() - 2;
    assert_eq!(run.give(Input::Stop(Stop::Cancelled)), "kill a hard");
    assert_eq!(run.killed(0), "a cancelled; run cancelled | close");
    // A process that died meanwhile does not undo it.
    assert_eq!(
        run.resume(midst),
        "a interrupted; a cancelled; w cancelled; tell not taken; run cancelled | arm 9; close"
    );
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let retry = Retry { max_attempts: 2, delay_ms: 7, ..Retry::default() };
    let steps = vec![with(task("a"), |policy| policy.retry = Some(retry)), task("b"), after(task("c"), &[1])];
    let mut run = Bench::of(steps);
    run.start();
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "stopping: Interrupted | kill a; kill b");
    assert_eq!(run.ok(1), "b ok");
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "kill a hard");
    assert_eq!(run.killed(0), "a interrupted; paused | close");
    assert_eq!(run.resume(99), "a starts 2; c starts | do a; do c");
    // The interrupted attempt does not count.
    assert_eq!(run.bad(0), "a retries in 7 | arm 7");
    run.at += 3;
    assert_eq!(run.resume(99), "c interrupted; c starts 2 | arm 4; do c");
    assert_eq!(run.fired(Timer::Retry(id(0), 2)), "a starts 3 | do a");
    assert_eq!(run.bad(0), "a exit");
}

#[test]
fn cancel_after_an_interruption() {
    let mut run = Bench::of(vec![task("a"), task("b"), after(task("c"), &[0])]);
    run.start();
    run.give(Input::Stop(Stop::Interrupted));
    run.ok(0);
    assert_eq!(run.give(Input::Stop(Stop::Cancelled)), "stopping: Cancelled; c cancelled");
    assert_eq!(run.killed(1), "b cancelled; run cancelled | close");
}

#[test]
fn the_run_takes_too_long() {
    let mut header = Header::default();
    header.settings.timeout_ms = Some(100);
    let mut run = Bench::with_header(vec![task("a"), after(task("b"), &[0])], header, true);
    assert_eq!(run.start(), "a starts | arm 100; do a");
    assert_eq!(run.fired(Timer::Run), "stopping: Timeout; b cancelled | kill a");
    assert_eq!(run.give(Input::Stop(Stop::Interrupted)), "stopping: Interrupted");
    assert_eq!(run.killed(0), "a cancelled; paused | close");
    assert_eq!(run.resume(99), "run failed | arm 100; close");
}

#[test]
fn hooks() {
    let moments = [Moment::Start, Moment::Success, Moment::Failure, Moment::Complete];
    let hooks = moments.into_iter().zip(1..).map(|(moment, n)| (moment, id(n))).collect();
    let steps = vec![task("a"), task("on-start"), task("on-success"), task("on-failure"), task("on-complete")];
    let mut run = Bench::with_header(steps, Header { hooks, ..Header::default() }, true);
    assert_eq!(run.start(), "on-start starts | do on-start");
    assert_eq!(run.bad(1), "on-start exit; a starts | do a");
    let before = run.records.len();
    assert_eq!(run.ok(0), "a ok; on-failure not taken; on-success starts | do on-success");
    assert_eq!(run.bad(2), "on-success exit; on-complete starts | do on-complete");
    assert_eq!(run.ok(4), "on-complete ok; run success | close");
    run.resume(before);
    assert_eq!(run.bad(0), "a exit; on-success not taken; on-failure starts | do on-failure");
    assert_eq!(run.resume(99), "on-failure interrupted; on-failure starts 2 | do on-failure");
    assert_eq!(run.ok(3), "on-failure ok; on-complete starts | do on-complete");
    assert_eq!(run.ok(4), "on-complete ok; run failed | close");
}

#[test]
fn what_the_script_waits_for() {
    let steps = vec![
        group("g", Task::Chain(vec![id(1), id(2)])),
        inside(task("a"), 0),
        after(inside(task("b"), 0), &[1]),
        task("c"),
        when(task("d"), &[1]),
    ];
    let mut run = Bench::with_header(steps, Header::default(), false);
    assert_eq!(run.start(), "");
    assert_eq!(run.give(Input::Want(id(4))), "g starts; g/a starts | do g/a");
    assert_eq!(run.ok(1), "g/a ok | decide d 0");
    assert_eq!(run.decided(4, 0, false), "d decides 0 Is(false); d not taken | ready d");
    assert_eq!(run.give(Input::Want(id(1))), "ready g/a");
    // The script goes on: one step more, and an edge to one that was there.
    let mut more = growth(5, vec![after(task("e"), &[2])]);
    more.changed = vec![(id(3), after(task("c"), &[5]))];
    assert_eq!(run.give(Input::Grow(Box::new(more))), "planned 1");
    assert_eq!(run.give(Input::Want(id(3))), "g/b starts | do g/b");
    assert_eq!(run.ok(2), "g/b ok; g ok; e starts | do e");
    let end = Growth { base: 6, complete: true, ..Growth::default() };
    assert_eq!(run.give(Input::Grow(Box::new(end))), "planned 0");
    assert_eq!(run.ok(5), "e ok; c starts | do c");
    assert_eq!(run.ok(3), "c ok; run success | ready c; close");
}

#[test]
fn a_limit_holds_up_only_those_who_ask_for_it() {
    let mut header = Header::default();
    header.limits.insert("lock".into(), Limit { max: Some(1), per_minute: None, scale: None });
    header.limits.insert("rate".into(), Limit { max: None, per_minute: Some(1), scale: None });
    let asks = |name: &str, limit: &str| with(task(name), |policy| policy.limits = vec![(limit.into(), 1)]);
    let steps = vec![asks("a", "lock"), asks("b", "lock"), asks("c", "rate"), asks("d", "rate")];
    let mut run = Bench::with_header(steps, header, true);
    assert_eq!(run.start(), "a starts; c starts | do a; minute 60000; do c");
    assert_eq!(run.ok(2), "c ok");
    assert_eq!(run.ok(0), "a ok; b starts | do b");
    assert_eq!(run.fired(Timer::Minute(1, 1)), "d starts | minute 60000; do d");
}

#[test]
fn a_group_holds_its_lock_for_all_in_it() {
    let mut header = Header::default();
    header.limits.insert("lock".into(), Limit { max: Some(1), per_minute: None, scale: None });
    let locks = |step: Step| with(step, |policy| policy.limits = vec![("lock".into(), 1)]);
    let steps = vec![
        locks(group("g", Task::Chain(vec![id(1), id(2)]))),
        locks(inside(task("a"), 0)),
        after(inside(task("b"), 0), &[1]),
        locks(group("h", Task::Chain(vec![id(4)]))),
        inside(task("c"), 3),
    ];
    let mut run = Bench::with_header(steps, header, true);
    assert_eq!(run.start(), "g starts; g/a starts | do g/a");
    assert_eq!(run.ok(1), "g/a ok; g/b starts | do g/b");
    assert_eq!(run.resume(99), "g/b interrupted; g/b starts 2 | do g/b");
    assert_eq!(run.ok(2), "g/b ok; g ok; h starts; h/c starts | do h/c");
}

#[test]
fn steps_that_wait_for_each_other_do_not_hang() {
    let mut run = Bench::of(vec![after(task("a"), &[1]), after(task("b"), &[0])]);
    assert_eq!(run.start(), "a input; b upstream failed; run failed | close");
}

#[test]
fn an_empty_plan_is_a_success() {
    assert_eq!(Bench::of(vec![]).start(), "run success | close");
    let mut run = Bench::of(vec![group("g", Task::Chain(vec![]))]);
    assert_eq!(run.start(), "g starts; g ok; run success | close");
}
