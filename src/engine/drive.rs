//! The driver: the one loop that performs what the machine decides.
//!
//! - It sleeps until something is in its inbox or a timer is due, and then takes all that is there: one round.
//! - Each message goes to the machine, which answers with events and effects. Effects inside the process begin at once.
//! - The events of the round are one append to the log. The loop does not wait for it.
//! - When they are committed, the log's writer publishes them on the bus and lets those effects begin that leave the
//!   process: nothing outside happens before the events it depends on are committed.
//! - Results come back through the inbox, the only way back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::hint::spin_loop;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::bus::Bus;
use super::machine::{Effect, Input, Machine, Output, Timer};
use super::numbering::Numbering;
use super::work::Gatherer;
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Failure, FailureKind, Outcome, Record, Stop};
use crate::exec::{Done, Executor, Report, Site, Work};
use crate::plan::{Growth, Settings, Step, StepId, Task};
use crate::state::{Files, RunState, StepResult};
use crate::store::RunLog;

/// Most messages taken in one round, so that their effects begin soon.
const ROUND: usize = 256;

/// How long the loop looks for a message before it sleeps while closures are being called: about what a wake-up costs,
/// which is more than most closures take.
const LOOK: Duration = Duration::from_micros(20);

/// What is told of an append, on the log's thread.
pub type Committed = Box<dyn FnOnce(Result<()>) + Send>;

/// A log that can be appended to.
pub trait Journal: Send {
    /// Queues records and returns at once; `committed` is called when they are safe, or cannot be written, in the order
    /// of the appends. After a failure all later appends fail too.
    fn append(&self, records: Vec<Record>, committed: Committed);
}

impl Journal for RunLog {
    fn append(&self, records: Vec<Record>, committed: Committed) {
        RunLog::append(self, records, committed);
    }
}

/// What a driver needs to begin.
pub struct Setup {
    /// The state after the events that are in the log.
    pub state: RunState,
    /// The events that come first now: `Opened`, and what is known of the plan beforehand.
    pub opening: Vec<Event>,
    /// Most steps at the same time, where neither the run nor its script says so.
    pub default_parallel: u32,
    /// How the script's ids of steps became those of the plan, in the processes before this one.
    pub numbering: Numbering,
    /// Where events go. Their numbers go on from those in `state`.
    pub journal: Box<dyn Journal>,
    /// Reads the files of steps.
    pub files: Arc<dyn Files>,
    /// The run's folder.
    pub folder: PathBuf,
    /// Makes the executors, given the way back.
    pub executor: Box<dyn FnOnce(Report) -> Arc<dyn Executor> + Send>,
    /// React to the signals that ask a process to end? Says what SIGTERM stands for.
    pub signals: Option<Box<dyn Fn() -> Stop + Send>>,
    /// Called with the final state, before those who listen are told of the end.
    pub at_end: Box<dyn FnOnce(&RunState) + Send>,
}

enum Message {
    Begin,
    Grow(Growth),
    FailScript(Step),
    Stop(Stop),
    Note(Event),
    Want(StepId, Sender<Arc<StepResult>>),
    Done(Done),
    /// The log failed; these attempts never began.
    Failed(Diagnostic, Vec<(StepId, u32)>),
    /// All is committed and there is nothing more to do.
    Closed,
}

/// A run that goes on, on a thread of its own.
pub struct Driving {
    inbox: Inbox,
    bus: Bus,
    thread: JoinHandle<Result<RunState>>,
}

/// The way to tell a driver something. Whatever comes after its end is dropped.
#[derive(Clone)]
pub struct Inbox(UnboundedSender<Message>);

impl Inbox {
    /// The script added to its plan. Ids count as the script counts them; what the log has already is left out.
    pub fn grow(&self, growth: Growth) {
        self.send(Message::Grow(growth));
    }

    /// The script went wrong after it had begun to run things: the run fails by this step.
    pub fn fail_script(&self, step: Step) {
        self.send(Message::FailScript(step));
    }

    /// All that there is to know beforehand has been said: begin.
    pub fn begin(&self) {
        self.send(Message::Begin);
    }

    /// Stops the run; a second time ends what is still running.
    pub fn stop(&self, reason: Stop) {
        self.send(Message::Stop(reason));
    }

    /// Writes down an event that the machine has nothing to do with.
    pub fn note(&self, event: Event) {
        self.send(Message::Note(event));
    }

    /// Waits until a step (by the script's id) is final. Nothing: the run ended before.
    pub fn want(&self, step: StepId) -> Option<Arc<StepResult>> {
        let (send, receive) = crossbeam_channel::bounded(1);
        self.send(Message::Want(step, send));
        receive.recv().ok()
    }

    fn send(&self, message: Message) {
        // The driver is gone if nobody receives: the run is over, whatever is said.
        let _ = self.0.send(message);
    }
}

impl Driving {
    /// Starts the thread. Nothing happens until [`Inbox::begin`].
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(setup: Setup) -> Result<Driving> {
        let (send, receive) = unbounded_channel();
        let bus = Bus::starting_at(setup.state.events);
        let inbox = Inbox(send);
        let (to_drive, on_bus) = (inbox.clone(), bus.clone());
        let thread = thread::Builder::new()
            .name("flow-drive".into())
            .spawn(move || drive(setup, to_drive, receive, on_bus))
            .map_err(|error| no_driver(&error))?;
        Ok(Driving { inbox, bus, thread })
    }

    /// The way to tell it something.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Its events.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Waits for the end and gives the state then.
    ///
    /// # Errors
    /// If the log could not be written; then everything was stopped.
    pub fn wait(self) -> Result<RunState> {
        self.thread.join().unwrap_or_else(|_| {
            Err(Diagnostic::new("flow::run::driver", "the driver of the run panicked")
                .help("this is a mistake in flow; the run can be resumed with `flow resume`"))
        })
    }
}

fn no_driver(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new("flow::run::driver", format!("the run cannot begin: {error}"))
        .help("the system refuses another thread; fewer processes or a higher `ulimit -u` may help")
}

fn drive(setup: Setup, inbox: Inbox, receive: UnboundedReceiver<Message>, bus: Bus) -> Result<RunState> {
    // Whatever happens, those who listen are told of the end.
    struct Close(Bus);
    impl Drop for Close {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let _close = Close(bus.clone());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time();
    if setup.signals.is_some() {
        runtime.enable_io();
    }
    let runtime = runtime.build().map_err(|error| no_driver(&error))?;
    runtime.block_on(async {
        if let Some(meaning) = setup.signals {
            listen(meaning, &inbox).map_err(|error| no_driver(&error))?;
        }
        let to_inbox = inbox.clone();
        let executor = (setup.executor)(Arc::new(move |done| to_inbox.send(Message::Done(done))));
        let sequence = setup.state.events;
        let (mut state, now) = (setup.state, now());
        setup.opening.iter().for_each(|event| state.apply(now, event));
        let settings = state.plan.header.settings.clone();
        let driver = Driver {
            gatherer: Gatherer::new(site(&state, &setup.folder, &settings), setup.files),
            machine: Machine::new(state, setup.default_parallel),
            numbering: setup.numbering,
            round: Round { events: setup.opening, ..Round::default() },
            journal: setup.journal,
            folder: setup.folder,
            sequence,
            settings,
            executor,
            bus,
            inbox,
            timers: BinaryHeap::new(),
            armed: 0,
            outside: HashSet::new(),
            inside: 0,
            expansions: VecDeque::new(),
            expanding: false,
            wanted: HashMap::new(),
            closing: false,
            failure: None,
        };
        let state = driver.run(receive).await?;
        (setup.at_end)(&state);
        Ok(state)
    })
}

/// Turns the signals that ask a process to end into messages.
fn listen(meaning: Box<dyn Fn() -> Stop + Send>, inbox: &Inbox) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let inbox = inbox.clone();
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => Stop::Interrupted,
                _ = hangup.recv() => Stop::Interrupted,
                _ = terminate.recv() => meaning(),
            };
            inbox.stop(reason);
        }
    });
    Ok(())
}

fn site(state: &RunState, folder: &std::path::Path, settings: &Settings) -> Arc<Site> {
    Arc::new(Site::new(&*state.created.run, state.created.cwd.as_ref(), folder, settings.clone()))
}

struct Driver {
    machine: Machine,
    journal: Box<dyn Journal>,
    executor: Arc<dyn Executor>,
    gatherer: Gatherer,
    numbering: Numbering,
    bus: Bus,
    inbox: Inbox,
    folder: PathBuf,
    settings: Settings,
    /// Number of the next event.
    sequence: u64,
    timers: BinaryHeap<Reverse<(Instant, u64, Armed)>>,
    armed: u64,
    /// Attempts outside the process that have not been reported.
    outside: HashSet<(StepId, u32)>,
    /// Number of pieces of work inside the process that have not been reported.
    inside: usize,
    /// Fan-outs to be evaluated, and whether one is.
    expansions: VecDeque<(StepId, u32)>,
    expanding: bool,
    wanted: HashMap<StepId, Vec<Sender<Arc<StepResult>>>>,
    round: Round,
    closing: bool,
    failure: Option<Diagnostic>,
}

/// What one round gave.
#[derive(Default)]
struct Round {
    events: Vec<Event>,
    inside: Vec<Work>,
    outside: Vec<Work>,
    /// Inputs that follow from effects at once.
    inputs: VecDeque<Input>,
    close: bool,
}

/// A timer in the heap. Its place there is decided by its time and number.
struct Armed(Timer);

impl PartialEq for Armed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Armed {}
impl PartialOrd for Armed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Armed {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl Driver {
    async fn run(mut self, mut receive: UnboundedReceiver<Message>) -> Result<RunState> {
        let mut messages = Vec::with_capacity(ROUND);
        loop {
            if self.inside > 0 {
                let begun = Instant::now();
                while receive.is_empty() && begun.elapsed() < LOOK {
                    spin_loop();
                }
            }
            match self.timers.peek() {
                Some(Reverse((at, ..))) => {
                    let at = tokio::time::Instant::from_std(*at);
                    tokio::select! {
                        biased;
                        _ = receive.recv_many(&mut messages, ROUND) => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => {
                    receive.recv_many(&mut messages, ROUND).await;
                }
            }
            let now = now();
            for message in messages.drain(..) {
                match message {
                    Message::Closed => return Ok(self.machine.state),
                    Message::Failed(diagnostic, never_begun) => self.fail(diagnostic, &never_begun),
                    message => self.take(now, message),
                }
            }
            self.fire(now);
            if let Some(failure) = &self.failure {
                if self.outside.is_empty() {
                    return Err(failure.clone());
                }
                continue;
            }
            self.finish(now);
        }
    }

    /// Takes one message.
    fn take(&mut self, now: u64, message: Message) {
        match message {
            Message::Begin => self.handle(now, Input::Start),
            Message::Grow(growth) => {
                let steps = self.machine.state.plan.steps.len() as u32;
                if let Some(growth) = self.numbering.take(growth, steps) {
                    self.handle(now, Input::Grow(Box::new(growth)));
                }
            }
            Message::FailScript(step) => {
                let base = self.machine.state.plan.steps.len() as u32;
                let growth = Growth { base, steps: vec![step], complete: true, ..Growth::default() };
                self.handle(now, Input::Grow(Box::new(growth)));
            }
            Message::Stop(reason) => self.handle(now, Input::Stop(reason)),
            Message::Note(event) => {
                self.machine.state.apply(now, &event);
                self.round.events.push(event);
            }
            Message::Want(step, reply) => {
                let step = self.numbering.step(step);
                self.wanted.entry(step).or_default().push(reply);
                self.handle(now, Input::Want(step));
            }
            Message::Done(Done::Finished { step, attempt, outcome }) => {
                if !self.outside.remove(&(step, attempt)) {
                    self.inside -= 1;
                }
                self.handle(now, Input::Finished { step, attempt, outcome });
            }
            Message::Done(Done::Decided { step, branch, result, saw }) => {
                self.inside -= 1;
                self.handle(now, Input::Decided { step, branch, result, saw });
            }
            Message::Done(Done::Expanded { step, result }) => {
                self.inside -= 1;
                self.expanding = false;
                self.handle(now, Input::Expanded { step, result: result.map(Box::new) });
            }
            Message::Failed(..) | Message::Closed => {}
        }
    }

    /// Lets the timers fire that are due.
    fn fire(&mut self, now: u64) {
        let due = Instant::now();
        while let Some(Reverse((at, ..))) = self.timers.peek()
            && *at <= due
            && let Some(Reverse((_, _, Armed(timer)))) = self.timers.pop()
        {
            self.handle(now, Input::Fired(timer));
        }
    }

    /// Gives the machine one input, and what follows from it at once.
    fn handle(&mut self, now: u64, input: Input) {
        // After the log has failed nothing is decided any more.
        if self.failure.is_some() || self.closing {
            return;
        }
        let mut next = Some(input);
        while let Some(input) = next {
            let Output { events, effects } = self.machine.handle(now, input);
            if events.iter().any(|event| matches!(event, Event::Planned { .. })) {
                self.settle();
            }
            self.round.events.extend(events);
            for effect in effects {
                self.perform(effect);
            }
            next = self.round.inputs.pop_front();
        }
    }

    /// The plan has grown: have its settings changed?
    fn settle(&mut self) {
        let settings = &self.machine.state.plan.header.settings;
        if *settings != self.settings {
            self.settings = settings.clone();
            self.gatherer.moved(site(&self.machine.state, &self.folder, settings));
        }
    }

    fn perform(&mut self, effect: Effect) {
        let state = &self.machine.state;
        match effect {
            Effect::Attempt { step, attempt } => {
                let work = self.gatherer.attempt(state, step, attempt);
                if work.leaves_process() {
                    self.outside.insert((step, attempt));
                    self.round.outside.push(work);
                } else {
                    self.round.inside.push(work);
                }
            }
            Effect::Decide { step, branch } => self.round.inside.extend(self.gatherer.decide(state, step, branch)),
            Effect::Expand { step, iteration } => self.expansions.push_back((step, iteration)),
            Effect::Arm { timer, delay_ms } => {
                self.armed += 1;
                let at = Instant::now() + Duration::from_millis(delay_ms);
                self.timers.push(Reverse((at, self.armed, Armed(timer))));
            }
            Effect::Kill { step, attempt, hard } => {
                if self.outside.contains(&(step, attempt)) {
                    self.executor.kill(step, attempt, hard);
                } else if !matches!(*state.plan.step(step).task, Task::Shell(_) | Task::Exec(_)) {
                    // A closure cannot be ended from outside. It is let go of; what it gives is not looked at.
                    let error = Failure::new(FailureKind::Cancelled, "it was ended before it was done")
                        .help("it was cancelled, or the run was");
                    let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
                    self.round.inputs.push_back(Input::Finished { step, attempt, outcome });
                }
            }
            Effect::Ready(step) => {
                let result = self.gatherer.result(state, step);
                for reply in self.wanted.remove(&step).into_iter().flatten() {
                    // Nobody may wait for it any more.
                    let _ = reply.send(result.clone());
                }
            }
            Effect::Close => self.round.close = true,
        }
    }

    /// Ends a round: work inside the process begins, events go to the log, and with them what has to wait for them.
    fn finish(&mut self, now: u64) {
        // One at a time: each looks at the plan, which could not grow without being copied while another one does.
        if !self.expanding
            && let Some((step, iteration)) = self.expansions.pop_front()
        {
            self.expanding = true;
            self.round.inside.push(self.gatherer.expand(&self.machine.state, step, iteration));
        }
        let Round { events, inside, outside, close, .. } = std::mem::take(&mut self.round);
        if !inside.is_empty() {
            self.inside += inside.len();
            self.executor.start(inside);
        }
        if events.is_empty() && outside.is_empty() && !close {
            return;
        }
        self.closing |= close;
        let first = self.sequence;
        self.sequence += events.len() as u64;
        let records: Vec<Record> =
            (first..).zip(events).map(|(seq, event)| Record { seq, at: now, event: Arc::new(event) }).collect();
        let (published, executor, bus, inbox) =
            (records.clone(), self.executor.clone(), self.bus.clone(), self.inbox.clone());
        self.journal.append(
            records,
            Box::new(move |result| match result {
                Ok(()) => {
                    bus.publish(published);
                    if !outside.is_empty() {
                        executor.start(outside);
                    }
                    if close {
                        inbox.send(Message::Closed);
                    }
                }
                Err(diagnostic) => {
                    let never_begun = outside.iter().filter_map(attempt_of).collect();
                    inbox.send(Message::Failed(diagnostic, never_begun));
                }
            }),
        );
    }

    /// The log cannot be written: nothing more is done, and what runs is ended.
    fn fail(&mut self, diagnostic: Diagnostic, never_begun: &[(StepId, u32)]) {
        for attempt in never_begun {
            self.outside.remove(attempt);
        }
        self.wanted.clear();
        if self.failure.is_none() {
            self.failure = Some(diagnostic);
            for (step, attempt) in &self.outside {
                self.executor.kill(*step, *attempt, false);
            }
        }
    }
}

fn attempt_of(work: &Work) -> Option<(StepId, u32)> {
    match work {
        Work::Attempt(job) => Some((job.step, job.attempt)),
        Work::Decide { .. } | Work::Expand { .. } => None,
    }
}

/// The wall clock, in milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
