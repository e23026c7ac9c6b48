//! Breakers through the driver: what is refused is not started, and the next run knows of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flow::diag::Span;
use flow::engine::drive::{Driving, Lookout, Setup};
use flow::engine::numbering::Numbering;
use flow::event::{Created, Event, FailureKind, RunStatus, Stop};
use flow::exec::{Breakers, Executors, Keep};
use flow::plan::{Backoff, Breaker, Closure, EdgeKind, Growth, Header, Retry, Rule, Step, StepId, Task, Value};
use flow::state::breaker::{Admission, Passer};
use flow::state::{RunState, Status};
use flow::store::{Durability, Store};

use super::process::{Folder, NoScript, sh};

/// Open for an hour after two failures.
const SPEC: Breaker = Breaker { threshold: 2, window_ms: 3_600_000, reset_ms: 3_600_000 };

/// The store as a run sees it.
struct Seen(Store, String);

impl Breakers for Seen {
    fn admit(&self, breaker: &str, step: StepId, attempt: u32) -> Admission {
        self.0.admit(breaker, &Passer { run: self.1.clone(), step: step.0, attempt }).expect("an answer")
    }
}

fn store(folder: &Path) -> Store {
    Store::open(&folder.join("home"), Durability::Normal).expect("a store")
}

/// Begins a run of these steps; those without a breaker get the one called `b`.
fn start(folder: &Path, spec: Breaker, mut steps: Vec<Step>) -> Driving {
    let store = store(folder);
    let cwd = folder.display().to_string();
    let log = store.create(Created { cwd, ..Created::default() }).expect("a run");
    let mut header = Header::default();
    header.breakers.insert("b".into(), spec);
    for step in &mut steps {
        step.policy_mut().breaker = Some("b".into());
    }
    let growth = Growth { header: Some(Box::new(header)), steps, complete: true, ..Growth::default() };
    let opened = Event::Opened { pid: 1, host: String::new(), flow: String::new() };
    let run_folder = log.folder().to_owned();
    let breakers: Arc<dyn Breakers> = Arc::new(Seen(store, log.run().to_owned()));
    let keep = Keep { breakers: Some(breakers), ..Keep::default() };
    let setup = Setup {
        state: RunState::of([log.first()]),
        opening: vec![opened, Event::Planned { of: None, growth: Box::new(growth) }],
        default_parallel: 4,
        numbering: Numbering::default(),
        journal: Box::new(log),
        files: Arc::new(Folder(run_folder.clone())),
        folder: run_folder,
        executor: Box::new(|report| {
            Arc::new(Executors::keeping(keep, Arc::new(NoScript), Duration::from_secs(5), report))
        }),
        signals: None,
        lookout: Lookout::default(),
        at_end: Box::new(|_| {}),
    };
    let driving = Driving::start(setup).expect("a thread");
    driving.inbox().begin();
    driving
}

fn run(folder: &Path, spec: Breaker, steps: Vec<Step>) -> RunState {
    start(folder, spec, steps).wait().expect("a state")
}

fn step(name: &str, task: Task) -> Step {
    Step::new(name, task, Span::at(1, 1))
}

/// One after the other, however they end.
fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    for (n, step) in steps.iter_mut().enumerate().skip(1) {
        step.add_edge(StepId(n as u32 - 1), EdgeKind::Order);
        step.policy_mut().rule = Rule::AllDone;
    }
    steps
}

fn failure(state: &RunState, step: u32) -> (FailureKind, String) {
    let outcome = state.step(StepId(step)).outcome.clone().expect("an outcome");
    let error = outcome.error.clone().expect("a failure");
    (error.kind, error.message)
}

fn call(function: &str) -> Task {
    let captured = Vec::new();
    Task::Call(Closure { function: function.into(), captured, text: String::new(), span: Span::at(1, 1) })
}

#[test]
fn what_is_refused_is_not_started_and_the_next_run_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let fails = |name| step(name, sh("echo x >> ran; exit 1"));
    let steps = in_order(vec![fails("a"), fails("b"), step("c", sh("echo x >> ran")), step("d", call("id"))]);
    let state = run(folder.path(), SPEC, steps);
    assert_eq!(fs::read_to_string(folder.path().join("ran")).expect("lines"), "x\nx\n");
    assert_eq!(failure(&state, 1).0, FailureKind::Exit);
    let (kind, message) = failure(&state, 2);
    assert_eq!(kind, FailureKind::Breaker);
    let begins = "the breaker `b` is open: 2 failures within 1h; next try in ";
    assert!(message.starts_with(begins), "{message}");
    assert_eq!(failure(&state, 3).0, FailureKind::Breaker);
    assert_eq!(state.step(StepId(0)).outcome.as_ref().and_then(|outcome| outcome.breaker.clone()), Some("b".into()));
    assert_eq!(state.step(StepId(2)).outcome.as_ref().and_then(|outcome| outcome.breaker.clone()), None);

    let state = run(folder.path(), SPEC, vec![step("a", sh("echo x >> ran"))]);
    assert_eq!(failure(&state, 0).0, FailureKind::Breaker);
    assert_eq!(fs::read_to_string(folder.path().join("ran")).expect("lines"), "x\nx\n");

    // Its reset time is over at once: one tries, and what comes after it passes.
    let soon = Breaker { reset_ms: 0, ..SPEC };
    let state = run(folder.path(), soon, in_order(vec![step("a", sh("true")), step("b", call("id"))]));
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(store(folder.path()).breakers().expect("breakers")[0].1.opened_at, None);
}

#[test]
fn further_attempts_ask_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut flaky = step("flaky", sh("echo x >> ran; exit 1"));
    flaky.policy_mut().retry =
        Some(Retry { max_attempts: 4, delay_ms: 0, backoff: Backoff::Fixed, ..Retry::default() });
    let state = start(folder.path(), SPEC, vec![flaky]);
    let (_, events) = state.bus().subscribe();
    // The breaker is open for an hour, and so long would a step wait that is tried again when that is over.
    let refused = events.filter_map(|record| match &*record.event {
        Event::Retrying { outcome, attempt, .. } | Event::Finished { outcome, attempt, .. } => {
            Some((*attempt, outcome.error.clone()?.kind))
        }
        _ => None,
    });
    let seen: Vec<_> = refused.take(3).collect();
    assert_eq!(seen, [(1, FailureKind::Exit), (2, FailureKind::Exit), (3, FailureKind::Breaker)]);
    state.inbox().stop(Stop::Cancelled);
    state.wait().expect("a state");
    assert_eq!(fs::read_to_string(folder.path().join("ran")).expect("lines"), "x\nx\n");
}

#[test]
fn a_closure_behind_a_breaker_is_ended_by_its_timeout() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut waits = step("waits", call("wait"));
    waits.policy_mut().timeout_ms = Some(20);
    let last = step("last", Task::Const(Value::Plain(1.into())));
    let spec = Breaker { threshold: 1, ..SPEC };
    let state = run(folder.path(), spec, in_order(vec![waits, last]));
    assert_eq!(failure(&state, 0).0, FailureKind::Timeout);
    assert_eq!(state.step(StepId(1)).status, Status::Failed);
    assert_eq!(failure(&state, 1).0, FailureKind::Breaker);
}
