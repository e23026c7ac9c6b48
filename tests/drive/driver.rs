//! The driver with plans made by hand: real processes, or the fake executor, and a store in memory.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow::diag::{Diagnostic, Span};
use flow::engine::drive::{Committed, Driving, Journal, Lookout, Setup};
use flow::engine::numbering::Numbering;
use flow::event::{Created, Event, FailureKind, Outcome, Record, RunStatus, Stop};
use flow::exec::{Done, Executor, Executors, Fake, Report};
use flow::plan::{Branch, Closure, Condition, EdgeKind, Growth, Header, Retry, Settings, Step, StepId, Task, Value};
use flow::state::{RunState, Status};
use flow::store::{Durability, RunLog, Store};
use serde_json::json;

use super::process::{Folder, NoScript, output_of, sh};

/// A plan in the making.
#[derive(Default)]
struct Draft(Vec<Step>);

impl Draft {
    fn add(&mut self, name: &str, task: Task) -> &mut Step {
        self.0.push(Step::new(name, task, Span::at(1, 1)));
        self.0.last_mut().expect("it was just added")
    }

    fn sh(&mut self, name: &str, script: &str) -> &mut Step {
        self.add(name, sh(script))
    }

    fn growth(self) -> Growth {
        Growth { header: Some(Box::new(Header::default())), steps: self.0, complete: true, ..Growth::default() }
    }
}

fn after(step: &mut Step, before: u32) {
    step.add_edge(StepId(before), EdgeKind::Order);
}

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("home"), Durability::None).expect("a store");
        Bench { folder, store }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn log(&self) -> RunLog {
        let cwd = self.folder.path().display().to_string();
        self.store.create(Created { cwd, ..Created::default() }).expect("a run")
    }

    fn setup(&self, log: RunLog, past: &[Record], growth: Option<Growth>) -> Setup {
        let mut opening = vec![Event::Opened { pid: 1, host: String::new(), flow: String::new() }];
        opening.extend(growth.map(|growth| Event::Planned { of: None, growth: Box::new(growth) }));
        let folder = log.folder().to_owned();
        Setup {
            state: RunState::of(past),
            opening,
            default_parallel: 4,
            numbering: Numbering::of(past.iter().map(|record| &*record.event)),
            journal: Box::new(log),
            files: Arc::new(Folder(folder.clone())),
            folder,
            executor: Box::new(|report| Arc::new(Executors::new(Arc::new(NoScript), Duration::from_secs(5), report))),
            signals: None,
            lookout: Lookout::default(),
            at_end: Box::new(|_| {}),
        }
    }

    fn start(&self, draft: Draft) -> Driving {
        let log = self.log();
        let first = log.first().clone();
        let driving = Driving::start(self.setup(log, &[first], Some(draft.growth()))).expect("a thread");
        driving.inbox().begin();
        driving
    }

    fn run(&self, draft: Draft) -> RunState {
        self.start(draft).wait().expect("a state")
    }
}

fn status(state: &RunState) -> Vec<Status> {
    state.steps.iter().map(|step| step.status).collect()
}

fn error(state: &RunState, step: u32) -> FailureKind {
    state.step(StepId(step)).outcome.as_ref().and_then(|outcome| outcome.error.as_ref()).expect("a failure").kind
}

#[test]
fn a_chain_hands_its_output_on() {
    let bench = Bench::new();
    let mut draft = Draft::default();
    draft.sh("a", "echo one");
    let b = draft.sh("b", "read line; echo $line two");
    after(b, 0);
    b.input = vec![StepId(0)];
    let c = draft.add("c", Task::Const(Value::Text(vec![output_of(1), Value::Plain("!".into())])));
    after(c, 1);
    let d = draft.sh("d", "cat > result");
    after(d, 2);
    d.input = vec![StepId(2)];
    let state = bench.run(draft);
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(bench.file("result"), "one two!\n");
}

#[test]
fn every_event_reaches_the_bus_in_order_and_is_in_the_log() {
    let bench = Bench::new();
    let log = bench.log();
    let (run, first) = (log.run().to_owned(), log.first().clone());
    let mut draft = Draft::default();
    for n in 0..20 {
        draft.add(&format!("s{n}"), Task::Const(Value::Plain(json!(n))));
    }
    let driving = Driving::start(bench.setup(log, &[first], Some(draft.growth()))).expect("a thread");
    let (next, events) = driving.bus().subscribe();
    assert_eq!(next, 1);
    driving.inbox().begin();
    let seen: Vec<Record> = events.collect();
    let state = driving.wait().expect("a state");
    assert_eq!(seen.iter().map(|record| record.seq).collect::<Vec<_>>(), (1..state.events).collect::<Vec<_>>());
    assert_eq!(bench.store.records(&run, 1).expect("records"), seen);
    assert_eq!(RunState::of(&bench.store.records(&run, 0).expect("records")).status, RunStatus::Success);
}

#[test]
fn a_branch_that_is_not_taken_is_skipped() {
    let bench = Bench::new();
    let closure =
        |name: &str| Closure { function: name.into(), captured: vec![], text: String::new(), span: Span::at(1, 1) };
    let mut draft = Draft::default();
    draft.sh("yes", "touch yes").parent = Some(StepId(2));
    draft.sh("no", "touch no").parent = Some(StepId(2));
    draft.add(
        "gate",
        Task::Flow(vec![
            Branch { when: Some(Condition::Closure(closure("false"))), step: StepId(1) },
            Branch { when: Some(Condition::Closure(closure("true"))), step: StepId(0) },
        ]),
    );
    let state = bench.run(draft);
    assert_eq!(status(&state), [Status::Success, Status::Skipped, Status::Success]);
    assert!(bench.folder.path().join("yes").exists() && !bench.folder.path().join("no").exists());
}

#[test]
fn a_failed_attempt_is_made_again() {
    let bench = Bench::new();
    let mut draft = Draft::default();
    let step = draft.sh("a", "echo $FLOW_ATTEMPT $FLOW_STEP_KEY >> tries; [ $FLOW_ATTEMPT = 3 ]");
    step.policy_mut().retry = Some(Retry { max_attempts: 3, delay_ms: 1, ..Retry::default() });
    let state = bench.run(draft);
    assert_eq!(status(&state), [Status::Success]);
    let tries = bench.file("tries");
    let lines: Vec<&str> = tries.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].split(' ').nth(1), lines[2].split(' ').nth(1));
}

#[test]
fn a_timeout_ends_the_whole_tree() {
    let bench = Bench::new();
    let mut draft = Draft::default();
    draft.sh("a", "sleep 60 & echo $! > pid; wait").policy_mut().timeout_ms = Some(100);
    let state = bench.run(draft);
    assert_eq!(state.status, RunStatus::Failed);
    assert_eq!(error(&state, 0), FailureKind::Timeout);
    let pid = bench.file("pid");
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists() || is_zombie(pid.trim()));
}

fn is_zombie(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn an_interrupted_run_pauses_and_goes_on_where_it_was() {
    let bench = Bench::new();
    let log = bench.log();
    let (run, first) = (log.run().to_owned(), log.first().clone());
    let mut draft = Draft::default();
    draft.sh("a", "echo a >> lines");
    after(draft.sh("b", "echo b >> lines; [ $FLOW_ATTEMPT = 2 ] || sleep 60"), 0);
    after(draft.sh("c", "echo c >> lines"), 1);
    let driving = Driving::start(bench.setup(log, &[first], Some(draft.growth()))).expect("a thread");
    driving.inbox().begin();
    while bench.file("lines") != "a\nb\n" {
        std::thread::yield_now();
    }
    driving.inbox().stop(Stop::Interrupted);
    let state = driving.wait().expect("a state");
    assert_eq!(state.status, RunStatus::Paused);
    assert_eq!(status(&state), [Status::Success, Status::Pending, Status::Pending]);

    let (log, past) = bench.store.reopen(&run).expect("the log");
    let driving = Driving::start(bench.setup(log, &past, None)).expect("a thread");
    driving.inbox().begin();
    let state = driving.wait().expect("a state");
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(bench.file("lines"), "a\nb\nb\nc\n");
}

#[test]
fn a_cancelled_run_ends_what_runs() {
    let bench = Bench::new();
    let mut draft = Draft::default();
    draft.sh("a", "echo > started; sleep 60");
    after(draft.sh("b", "touch b"), 0);
    let driving = bench.start(draft);
    while bench.file("started").is_empty() {
        std::thread::yield_now();
    }
    driving.inbox().stop(Stop::Cancelled);
    let state = driving.wait().expect("a state");
    assert_eq!(state.status, RunStatus::Cancelled);
    assert_eq!(status(&state), [Status::Cancelled, Status::Cancelled]);
    assert!(!bench.folder.path().join("b").exists());
}

#[test]
fn a_closure_that_takes_too_long_is_let_go_of() {
    let bench = Bench::new();
    let closure = Closure { function: "wait".into(), captured: vec![], text: String::new(), span: Span::at(1, 1) };
    let mut draft = Draft::default();
    draft.add("a", Task::Call(closure)).policy_mut().timeout_ms = Some(10);
    let state = bench.run(draft);
    assert_eq!(error(&state, 0), FailureKind::Timeout);
}

/// The log cut after each event, and the rest resumed: the end is the same, and nothing that had finished ran again.
#[test]
fn a_log_cut_anywhere_is_taken_up() {
    let plan = || {
        let mut draft = Draft::default();
        draft.sh("a", "echo a$FLOW_ATTEMPT >> lines; echo 1");
        after(draft.sh("b", "echo b$FLOW_ATTEMPT >> lines; echo 2"), 0);
        after(draft.sh("c", "echo c$FLOW_ATTEMPT >> lines; exit 1"), 0);
        let join = draft.add("d", Task::Const(output_of(1)));
        after(join, 1);
        after(draft.sh("e", "echo e$FLOW_ATTEMPT >> lines"), 3);
        draft
    };
    let whole = Bench::new();
    let log = whole.log();
    let (run, first) = (log.run().to_owned(), log.first().clone());
    let driving = Driving::start(whole.setup(log, &[first], Some(plan().growth()))).expect("a thread");
    driving.inbox().begin();
    let expected = driving.wait().expect("a state");
    assert_eq!(expected.status, RunStatus::Failed);
    let records = whole.store.records(&run, 0).expect("records");
    for cut in 3..records.len() {
        let bench = Bench::new();
        let log = bench.log();
        // What had finished before the cut has left its line.
        let mut before = RunState::of(&records[..cut]);
        before.created = RunState::of([log.first()]).created;
        log.append(records[1..cut].to_vec(), |_| {});
        let past: Vec<Record> = std::iter::once(log.first().clone()).chain(records[1..cut].to_vec()).collect();
        let driving = Driving::start(bench.setup(log, &past, None)).expect("a thread");
        driving.inbox().begin();
        let state = driving.wait().expect("a state");
        assert_eq!(status(&state), status(&expected), "cut before event {cut}");
        let lines = bench.file("lines");
        for (id, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
            let count = lines.lines().filter(|line| line.starts_with(name)).count();
            let finished = before.steps.get(id).is_some_and(|step| step.status.is_final());
            let runs = usize::from(!finished && *name != "d");
            assert_eq!(count, runs, "{name} after a cut before event {cut}: {lines}");
        }
    }
}

/// A log that fails at its n-th append.
struct Failing {
    log: RunLog,
    left: Mutex<u32>,
}

impl Journal for Failing {
    fn append(&self, records: Vec<Record>, committed: Committed) {
        let mut left = self.left.lock().expect("a count");
        if *left == 0 {
            committed(Err(Diagnostic::new("flow::store::write", "the disk is full").help("make room")));
        } else {
            *left -= 1;
            self.log.append(records, committed);
        }
    }
}

#[test]
fn nothing_begins_whose_event_cannot_be_written_and_what_runs_is_ended() {
    for appends in 0..2 {
        let bench = Bench::new();
        let mut draft = Draft::default();
        draft.sh("a", "echo $$ > a; sleep 60");
        draft.sh("b", "while [ ! -s a ]; do :; done");
        after(draft.sh("c", "touch c"), 1);
        let log = bench.log();
        let first = log.first().clone();
        let other = bench.log();
        let mut setup = bench.setup(other, &[first], Some(draft.growth()));
        setup.journal = Box::new(Failing { log, left: Mutex::new(appends) });
        let driving = Driving::start(setup).expect("a thread");
        driving.inbox().begin();
        let error = driving.wait().expect_err("the log fails");
        assert_eq!(error.code(), "flow::store::write");
        assert!(!bench.folder.path().join("c").exists());
        let pid = bench.file("a");
        assert!(pid.is_empty() || !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
    }
}

/// The fake executor: what begins, and in which order, without any process.
#[test]
fn the_fake_executor_takes_the_place_of_processes() {
    let bench = Bench::new();
    let mut draft = Draft::default();
    draft.sh("a", "never run");
    after(draft.sh("b", "never run"), 0);
    after(draft.sh("c", "never run"), 1);
    let log = bench.log();
    let first = log.first().clone();
    let mut setup = bench.setup(log, &[first], Some(draft.growth()));
    let failed = Outcome {
        error: Some(flow::event::Failure::new(FailureKind::Exit, "no")),
        code: Some(1),
        ..Outcome::default()
    };
    let (send, receive) = crossbeam_channel::bounded(1);
    setup.executor = Box::new(move |report: Report| {
        let fake = Arc::new(Fake::new(Arc::new(NoScript), report).with("b", [failed]));
        send.send(fake.clone()).expect("the test waits for it");
        fake
    });
    let driving = Driving::start(setup).expect("a thread");
    driving.inbox().begin();
    let fake = receive.recv().expect("the fake");
    let state = driving.wait().expect("a state");
    assert_eq!(status(&state), [Status::Success, Status::Failed, Status::Skipped]);
    assert_eq!(fake.started(), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

/// An executor that reports an attempt only when its events are in the log: the output-commit rule.
struct Watching {
    report: Report,
    store: Store,
    run: String,
}

impl Executor for Watching {
    fn start(&self, work: Vec<flow::exec::Work>) {
        for work in work {
            if let flow::exec::Work::Attempt(job) = work {
                let records = self.store.records(&self.run, 0).expect("records");
                let (step, attempt) = (job.step, job.attempt);
                let is_there = records.iter().any(
                    |record| matches!(*record.event, Event::Started { step: s, attempt: a } if (s, a) == (step, attempt)),
                );
                let error = (!is_there).then(|| flow::event::Failure::new(FailureKind::Store, "too early"));
                let outcome = Arc::new(Outcome { error, ..Outcome::default() });
                (self.report)(Done::Finished { step, attempt, outcome });
            }
        }
    }

    fn kill(&self, _: StepId, _: u32, _: bool) {}
}

#[test]
fn nothing_outside_begins_before_its_event_is_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench { store: Store::open(&folder.path().join("home"), Durability::Normal).expect("a store"), folder };
    let mut draft = Draft::default();
    for n in 0..30 {
        let step = draft.sh(&format!("s{n}"), "never run");
        if n > 3 {
            after(step, n - 3);
        }
    }
    let log = bench.log();
    let (run, first, store) = (log.run().to_owned(), log.first().clone(), bench.store.clone());
    let mut setup = bench.setup(log, &[first], Some(draft.growth()));
    setup.executor = Box::new(move |report| Arc::new(Watching { report, store, run }));
    let driving = Driving::start(setup).expect("a thread");
    driving.inbox().begin();
    assert_eq!(driving.wait().expect("a state").status, RunStatus::Success);
}

#[test]
fn settings_that_come_with_the_plan_hold() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.path().join("sub")).expect("a folder");
    let mut draft = Draft::default();
    draft.sh("a", "echo $GREETING > greeting");
    let mut growth = draft.growth();
    growth.header = Some(Box::new(Header {
        settings: Settings {
            cwd: Some("sub".into()),
            env: vec![("GREETING".into(), Value::Plain("hello".into()))],
            ..Settings::default()
        },
        ..Header::default()
    }));
    let log = bench.log();
    let first = log.first().clone();
    let driving = Driving::start(bench.setup(log, &[first], None)).expect("a thread");
    driving.inbox().begin();
    driving.inbox().grow(growth);
    assert_eq!(driving.wait().expect("a state").status, RunStatus::Success);
    assert_eq!(bench.file("sub/greeting"), "hello\n");
}

#[test]
fn a_script_gets_the_result_it_waits_for() {
    let bench = Bench::new();
    let log = bench.log();
    let first = log.first().clone();
    let driving = Driving::start(bench.setup(log, &[first], None)).expect("a thread");
    let inbox = driving.inbox();
    inbox.begin();
    let mut draft = Draft::default();
    draft.sh("a", "echo one");
    draft.sh("other", "touch other");
    inbox.grow(Growth { complete: false, ..draft.growth() });
    let result = inbox.want(&[StepId(0)]).expect("a result").remove(0);
    assert_eq!(result.status, Status::Success);
    assert!(!bench.folder.path().join("other").exists(), "only what is needed runs before the script has ended");
    inbox.grow(Growth { base: 2, complete: true, ..Growth::default() });
    let state = driving.wait().expect("a state");
    assert_eq!(status(&state), [Status::Success, Status::Success]);
}
