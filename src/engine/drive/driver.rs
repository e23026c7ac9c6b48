//! The driver: it performs what the machine decides. It has no clock and no threads.
//!
//! - [`Driver::take`] gives a message to the machine, which answers with events and effects; [`Driver::fire`] does so
//!   with the timers that are due. What the effects mean stands in `perform.rs`.
//! - [`Driver::finish`] ends the round: work inside the process begins at once; the events of the round are one append to
//!   the log, which nobody waits for.
//! - When they are committed, the log's writer publishes them on the bus and lets those effects begin that leave the
//!   process: nothing outside happens before the events it depends on are committed.
//!
//! Time comes in as numbers, the log and the outside world are behind [`Journal`] and [`Executor`]. So whoever calls it may
//! be the loop of a process, or a simulation in which a year passes in a millisecond.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::inbox::{Inbox, Journal, Message, Setup};
use super::lookout::Lookout;
use super::timers::Timers;
use crate::diag::{Diagnostic, Result};
use crate::engine::bus::Bus;
use crate::engine::machine::{Input, Machine, Output, Timer};
use crate::engine::numbering::Numbering;
use crate::engine::work::Gatherer;
use crate::event::{Event, Record, Stop};
use crate::exec::{Done, Executor, Hidden, Site, Work};
use crate::plan::{Growth, Settings, StepId};
use crate::state::{RunState, StepResult};

/// Longest time that events are held back, and most of them, while nothing outside waits for them: steps within the
/// process may run ahead of the disk, and a few large transactions cost less than many small ones.
pub(super) const HOLD: Duration = Duration::from_millis(2);
const HELD_MOST: usize = 512;

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// By the wall clock, in milliseconds since 1970. It stands in events, and may jump.
    pub wall: u64,
    /// Since the driver began, by a clock that only goes forward. Timers go by it.
    pub passed: Duration,
}

/// See the module's page.
pub struct Driver {
    pub(super) machine: Machine,
    journal: Box<dyn Journal>,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) gatherer: Gatherer,
    numbering: Numbering,
    bus: Bus,
    inbox: Inbox,
    folder: PathBuf,
    settings: Settings,
    /// How many secrets the plan names: they are only ever added.
    secrets: usize,
    /// Number of the next event.
    sequence: u64,
    timers: Timers,
    pub(super) lookout: Lookout,
    /// Timers to be armed at the end of the round, with their delays in milliseconds.
    pub(super) arming: Vec<(Timer, u64)>,
    /// Attempts that began, or will begin, after a commit and have not been reported: all that leave the process.
    pub(super) outside: HashSet<(StepId, u32)>,
    /// Attempts whose results are being looked for in the cache. Not true: it was let go of meanwhile.
    pub(super) lookups: HashMap<(StepId, u32), bool>,
    /// Number of pieces of work inside the process that have not been reported.
    inside: usize,
    /// Conditions that are being evaluated: which question is the latest, and how many there were.
    pub(super) asked: HashMap<(StepId, u32), u64>,
    pub(super) questions: u64,
    /// Fan-outs to be evaluated, and whether one is.
    pub(super) expansions: VecDeque<(StepId, u32)>,
    expanding: bool,
    pub(super) wanted: HashMap<StepId, Vec<Sender<Arc<StepResult>>>>,
    pub(super) round: Round,
    /// Events that nothing outside waits for yet, and since when.
    held: Vec<Record>,
    held_since: Option<Duration>,
    closing: bool,
    failure: Option<Diagnostic>,
    /// All is committed and there is nothing more to do.
    over: bool,
    at_end: Box<dyn FnOnce(&RunState) + Send>,
}

/// What one round gave.
#[derive(Default)]
pub(super) struct Round {
    pub(super) events: Vec<Event>,
    pub(super) inside: Vec<Work>,
    pub(super) outside: Vec<Work>,
    /// Inputs that follow from effects at once.
    pub(super) inputs: VecDeque<Input>,
    pub(super) close: bool,
}

impl Driver {
    /// A driver that has done nothing yet. It is told things through its own inbox, too: whoever calls it takes the
    /// messages from there and gives them to [`Driver::take`]. `wall` is the time, in milliseconds since 1970.
    pub fn new(setup: Setup, inbox: Inbox, bus: Bus, wall: u64) -> Self {
        let to_inbox = inbox.clone();
        let executor = (setup.executor)(Arc::new(move |done| to_inbox.send(Message::Done(done))));
        let sequence = setup.state.events;
        let mut state = setup.state;
        setup.opening.iter().for_each(|event| state.apply(wall, event));
        let settings = state.plan.header.settings.clone();
        let secrets = state.plan.header.secrets.len();
        let mut lookout = setup.lookout;
        setup.opening.iter().for_each(|event| lookout.note(event));
        let gatherer = Gatherer::new(site(&state, &setup.folder, &settings), setup.files);
        let mut machine = Machine::new(state, setup.default_parallel);
        // It lets go when the lookout has found nothing.
        machine.attended(true);
        Driver {
            gatherer,
            machine,
            lookout,
            numbering: setup.numbering,
            round: Round { events: setup.opening, ..Round::default() },
            held: Vec::new(),
            held_since: None,
            journal: setup.journal,
            folder: setup.folder,
            sequence,
            settings,
            secrets,
            executor,
            bus,
            inbox,
            timers: Timers::default(),
            arming: Vec::new(),
            outside: HashSet::new(),
            lookups: HashMap::new(),
            inside: 0,
            asked: HashMap::new(),
            questions: 0,
            expansions: VecDeque::new(),
            expanding: false,
            wanted: HashMap::new(),
            closing: false,
            failure: None,
            over: false,
            at_end: setup.at_end,
        }
    }

    /// The state, as the machine has it: it may be ahead of the log.
    pub fn state(&self) -> &RunState {
        &self.machine.state
    }

    /// Are there events that have not been given to the log yet?
    pub fn holds_back(&self) -> bool {
        !self.held.is_empty() || !self.round.events.is_empty()
    }

    /// Is a closure being called? Its result is to be expected within microseconds.
    pub fn waits_for_closures(&self) -> bool {
        self.inside > 0
    }

    /// When there will be something to do, if nothing comes before: time since the driver began.
    pub fn next_moment(&self) -> Option<Duration> {
        if self.failure.is_some() {
            // Nothing is decided any more; what runs is waited for.
            return None;
        }
        let held_until = self.held_since.map(|since| since + HOLD);
        self.timers.next().into_iter().chain(held_until).chain(self.lookout.next()).min()
    }

    /// As [`Driver::next_moment`], but without looking for what may have come from outside: for one who says when it has.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.next().into_iter().chain(self.held_since.map(|since| since + HOLD)).min()
    }

    /// Has it come to its end, or failed with nothing left running? Then nothing more happens.
    pub fn is_done(&self) -> bool {
        self.over || (self.failure.is_some() && self.outside.is_empty())
    }

    /// The final state.
    ///
    /// # Errors
    /// If the log could not be written; then everything was stopped.
    pub fn end(self) -> Result<RunState> {
        if let (Some(failure), false) = (self.failure, self.over) {
            return Err(failure);
        }
        self.executor.over(matches!(self.machine.state.stopping, Some(Stop::Cancelled | Stop::Timeout)));
        (self.at_end)(&self.machine.state);
        Ok(self.machine.state)
    }

    /// Takes one message. `now`, in milliseconds since 1970, is the same for all messages of a round.
    pub fn take(&mut self, now: u64, message: Message) {
        if self.over {
            return;
        }
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
            // A run's last event stays the last one.
            Message::Note(_) if self.closing || self.round.close || self.failure.is_some() => {}
            Message::Note(event) => {
                self.machine.state.apply(now, &event);
                self.round.events.push(event);
            }
            Message::Want(step, reply) => {
                let step = self.numbering.step(step);
                self.wanted.entry(step).or_default().push(reply);
                self.handle(now, Input::Want(step));
            }
            Message::Done(Done::Missed(job)) => {
                if self.looked((job.step, job.attempt)) == Some(true) && self.failure.is_none() && !self.closing {
                    self.begin(Work::Attempt(*job));
                }
            }
            Message::Look => self.lookout.nudge(),
            Message::Decline(step, attempt) => self.lookout.decline(step, attempt),
            Message::Done(Done::Finished { step, attempt, outcome }) => {
                if let Some(wanted) = self.looked((step, attempt)) {
                    if !wanted {
                        return;
                    }
                } else if self.is_outside(step) {
                    self.outside.remove(&(step, attempt));
                } else {
                    self.inside -= 1;
                }
                self.handle(now, Input::Finished { step, attempt, outcome });
            }
            Message::Done(Done::Decided { step, branch, asked, result, saw }) => {
                self.inside -= 1;
                if self.asked.get(&(step, branch)) == Some(&asked) {
                    self.asked.remove(&(step, branch));
                    self.handle(now, Input::Decided { step, branch, result, saw });
                }
            }
            Message::Done(Done::Waits { step, attempt, what, delay_ms }) => {
                self.inside -= 1;
                self.handle(now, Input::Waits { step, attempt, what, delay_ms });
            }
            Message::Done(Done::Flowed(flowed)) => self.handle(now, Input::Flowed(flowed)),
            Message::Done(Done::Used(used)) => self.handle(now, Input::Used(used)),
            Message::Done(Done::Alerted(alerted)) => self.handle(now, Input::Alerted(alerted)),
            Message::Done(Done::Judged { step, attempt, outcome, again }) => {
                self.inside -= 1;
                self.handle(now, Input::Judged { step, attempt, outcome, again });
            }
            Message::Done(Done::Expanded { step, result }) => {
                self.inside -= 1;
                self.expanding = false;
                let asked_again = self.expansions.iter().any(|(other, _)| *other == step);
                if !asked_again {
                    self.handle(now, Input::Expanded { step, result: result.map(Box::new) });
                }
            }
            Message::Failed(diagnostic, never_begun) => self.fail(diagnostic, &never_begun),
            Message::Closed => self.over = true,
        }
    }

    /// A look at the cache is over. Nothing: there was none. Not true: nobody waits for it any more.
    fn looked(&mut self, attempt: (StepId, u32)) -> Option<bool> {
        let wanted = self.lookups.remove(&attempt)?;
        self.inside -= 1;
        Some(wanted)
    }

    /// Takes what has come from outside for steps that wait, and then lets the timers fire that are due: what came while
    /// nobody looked was in time.
    pub fn fire(&mut self, now: Time) {
        for (step, answer) in self.lookout.look(now.passed, now.wall, &self.machine.state) {
            self.handle(now.wall, Input::Answered { step, answer: Box::new(answer) });
        }
        self.lookout.given();
        while !self.over
            && let Some(timer) = self.timers.due(now.passed)
        {
            self.handle(now.wall, Input::Fired(timer));
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
            let output = self.machine.handle(now, input);
            self.carry_out(output);
            next = self.round.inputs.pop_front();
        }
    }

    fn carry_out(&mut self, Output { events, effects }: Output) {
        for event in &events {
            tracing::trace!(?event, "decided");
            self.lookout.note(event);
            match event {
                Event::Planned { .. } => self.settle(),
                Event::Reset { steps, .. } => self.made_again(steps),
                _ => {}
            }
        }
        self.round.events.extend(events);
        for effect in effects {
            tracing::debug!(?effect, "to be done");
            self.perform(effect);
        }
    }

    /// Steps are as if they had never begun: what is known of their results, and waits of before, no longer hold.
    fn made_again(&mut self, steps: &[StepId]) {
        self.gatherer.forget();
        let steps: HashSet<StepId> = steps.iter().copied().collect();
        let of_before = |timer: &Timer| matches!(timer, Timer::Wait(step, _) if steps.contains(step));
        self.timers.call_off(of_before);
        self.arming.retain(|(timer, _)| !of_before(timer));
    }

    /// The plan has grown: have its settings changed?
    fn settle(&mut self) {
        let header = &self.machine.state.plan.header;
        let (settings, secrets) = (&header.settings, header.secrets.len());
        if *settings != self.settings || secrets != self.secrets {
            (self.settings, self.secrets) = (settings.clone(), secrets);
            self.gatherer.moved(site(&self.machine.state, &self.folder, settings));
        }
    }

    /// Ends a round: timers are armed, work inside the process begins, events go to the log, and with them what has to
    /// wait for them. The wall time is that of the round's messages.
    pub fn finish(&mut self, now: Time) {
        if self.over || self.failure.is_some() {
            return;
        }
        // While something is going on, that need not even be asked.
        let going_on = self.inside + self.outside.len() + self.round.inside.len() + self.round.outside.len();
        let is_quiet = going_on == 0 && !self.closing;
        if is_quiet && self.lookout.may_let_go(now.wall, &self.machine.state) {
            let output = self.machine.rest(now.wall);
            self.carry_out(output);
        }
        // One at a time: each looks at the plan, which could not grow without being copied while another one does.
        if !self.expanding
            && let Some((step, iteration)) = self.expansions.pop_front()
        {
            self.expanding = true;
            self.round.inside.push(self.gatherer.expand(&self.machine.state, step, iteration));
        }
        for (timer, delay_ms) in self.arming.drain(..) {
            self.timers.arm(now.passed, timer, delay_ms);
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
        self.held.extend((first..).zip(events).map(|(seq, event)| Record {
            seq,
            at: now.wall,
            event: Arc::new(event),
        }));
        let since = *self.held_since.get_or_insert(now.passed);
        let may_wait =
            outside.is_empty() && !close && self.held.len() < HELD_MOST && now.passed.saturating_sub(since) < HOLD;
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
        Work::Attempt(job) | Work::Lookup(job) => Some((job.step, job.attempt)),
        Work::Decide { .. } | Work::Judge { .. } | Work::Expand { .. } => None,
    }
}

fn site(state: &RunState, folder: &std::path::Path, settings: &Settings) -> Arc<Site> {
    let plan = &state.plan;
    let site = Site::new(&*state.created.run, state.created.cwd.as_ref(), folder, settings.clone());
    Arc::new(site.hiding(Hidden::new(&plan.header.secrets, plan.secrets_in_use())))
}
