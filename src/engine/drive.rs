//! The driver: the one loop that performs what the machine decides.
//!
//! - It sleeps until something is in its inbox or a timer is due, and then takes all that is there: one round.
//! - Each message goes to the machine, which answers with events and effects. Effects inside the process begin at once.
//! - The events of the round are one append to the log. The loop does not wait for it.
//! - When they are committed, the log's writer publishes them on the bus and lets those effects begin that leave the
//!   process: nothing outside happens before the events it depends on are committed.
//! - Results come back through the inbox, the only way back.

mod inbox;
mod signals;
mod timers;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hint::spin_loop;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use tokio::sync::mpsc::UnboundedReceiver;

use self::inbox::{Message, no_driver};
use self::timers::Timers;
use super::bus::Bus;
use super::machine::{Effect, Input, Machine, Output};
use super::numbering::Numbering;
use super::work::Gatherer;
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Failure, FailureKind, Outcome, Record};
use crate::exec::{Done, Executor, Site, Work};
use crate::plan::{Growth, Settings, StepId};
use crate::state::{RunState, StepResult};

pub use self::inbox::{Committed, Driving, Inbox, Journal, Setup};

/// Longest time that events are held back, and most of them, while nothing outside waits for them: steps within the
/// process may run ahead of the disk, and a few large transactions cost less than many small ones.
const HOLD: Duration = Duration::from_millis(2);
const HELD_MOST: usize = 512;
/// Most messages taken in one round, so that their effects begin soon.
const ROUND: usize = 256;

/// How long the loop looks for a message before it sleeps while closures are being called: about what a wake-up costs,
/// which is more than most closures take.
const LOOK: Duration = Duration::from_micros(20);

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
            signals::listen(meaning, &inbox).map_err(|error| no_driver(&error))?;
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
            held: Vec::new(),
            held_since: None,
            journal: setup.journal,
            folder: setup.folder,
            sequence,
            settings,
            executor,
            bus,
            inbox,
            timers: Timers::default(),
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
    timers: Timers,
    /// Attempts outside the process that have not been reported.
    outside: HashSet<(StepId, u32)>,
    /// Number of pieces of work inside the process that have not been reported.
    inside: usize,
    /// Fan-outs to be evaluated, and whether one is.
    expansions: VecDeque<(StepId, u32)>,
    expanding: bool,
    wanted: HashMap<StepId, Vec<Sender<Arc<StepResult>>>>,
    round: Round,
    /// Events that nothing outside waits for yet, and since when.
    held: Vec<Record>,
    held_since: Option<Instant>,
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
            let held_until = self.held_since.map(|since| since + HOLD);
            match self.timers.next().into_iter().chain(held_until).min() {
                Some(at) => tokio::select! {
                    biased;
                    _ = receive.recv_many(&mut messages, ROUND) => {}
                    () = tokio::time::sleep_until(at.into()) => {}
                },
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
            Message::Done(Done::Waits { step, attempt, what, delay_ms }) => {
                self.inside -= 1;
                self.handle(now, Input::Waits { step, attempt, what, delay_ms });
            }
            Message::Done(Done::Judged { step, attempt, outcome, again }) => {
                self.inside -= 1;
                self.handle(now, Input::Judged { step, attempt, outcome, again });
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
        while let Some(timer) = self.timers.due(due) {
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
            for event in &events {
                tracing::trace!(?event, "decided");
                match event {
                    Event::Planned { .. } => self.settle(),
                    Event::Reset { .. } => self.gatherer.forget(),
                    _ => {}
                }
            }
            self.round.events.extend(events);
            for effect in effects {
                tracing::debug!(?effect, "to be done");
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
                if work.waits_for_commit() {
                    self.outside.insert((step, attempt));
                    self.round.outside.push(work);
                } else {
                    self.round.inside.push(work);
                }
            }
            Effect::Decide { step, branch } => self.round.inside.extend(self.gatherer.decide(state, step, branch)),
            Effect::Judge { step, attempt, outcome } => {
                self.round.inside.push(self.gatherer.judge(state, step, attempt, outcome));
            }
            Effect::Watch(_) => {}
            Effect::Expand { step, iteration } => self.expansions.push_back((step, iteration)),
            Effect::Arm { timer, delay_ms } => self.timers.arm(timer, delay_ms),
            Effect::Kill { step, attempt, hard } => {
                if self.outside.contains(&(step, attempt)) {
                    self.executor.kill(step, attempt, hard);
                } else if !state.plan.step(step).task.leaves_process() {
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
        if events.is_empty() && outside.is_empty() && !close && self.held.is_empty() {
            return;
        }
        self.closing |= close;
        let first = self.sequence;
        self.sequence += events.len() as u64;
        self.held.extend((first..).zip(events).map(|(seq, event)| Record { seq, at: now, event: Arc::new(event) }));
        let since = *self.held_since.get_or_insert_with(Instant::now);
        let may_wait = outside.is_empty() && !close && self.held.len() < HELD_MOST && since.elapsed() < HOLD;
        if may_wait {
            return;
        }
        self.held_since = None;
        let records = std::mem::take(&mut self.held);
        tracing::debug!(events = records.len(), processes = outside.len(), close, "to the log");
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
        // Neither did those of a round that does not come to its end.
        let unsent: Vec<_> = self.round.outside.drain(..).filter_map(|work| attempt_of(&work)).collect();
        for attempt in never_begun.iter().chain(&unsent) {
            self.outside.remove(attempt);
        }
        self.wanted.clear();
        tracing::error!(%diagnostic, "the log cannot be written; the run is stopped");
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
        Work::Decide { .. } | Work::Judge { .. } | Work::Expand { .. } => None,
    }
}

/// The wall clock, in milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
