//! The machine: `(state, input) -> (events, effects)`.
//!
//! It knows no clock, no thread, no file, no random number; the same inputs in the same order always give the same
//! events and effects. Resume is nothing but [`Machine::resume`] on the recorded events. `docs/semantics.md` says as
//! tables what these pages do. An input is dealt with so:
//!
//! - write down what it says (an event), which may make a step final;
//! - a final step wakes its successors and its group: they go on the work list;
//! - take each step of the work list: may it start, must it be skipped, does the group go on or end?
//! - give slots and limits to ready steps in their order, until none is left;
//! - if nothing of the main graph is left, hooks; then the end.

mod attempt;
mod budget;
mod closed;
mod condition;
mod group;
mod growth;
mod hooks;
mod judge;
mod node;
mod quorum;
mod reset;
mod resume;
mod retry;
mod rule;
mod start;
mod stop;
mod stream;
#[cfg(test)]
mod tests;
mod topic;
mod undo;
mod usage;
mod wait;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use self::node::Node;
use super::ledger::Ledger;
use super::limits::Limits;
use super::order::Ready;
use super::writers::Writers;
use crate::event::{
    Again, Alerted, Answer, Decision, Event, Failure, Flowed, Outcome, Record, RunStatus, Saw, Stop, Used, WaitFor,
};
use crate::plan::{Graph, Growth, Moment, Settings, StepId};
use crate::state::{RunState, Status};

pub use self::budget::{agents_of, named as budget_named};
pub use self::condition::{Asked, asked};

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin, or go on after a resume. Comes once, after `Created`, `Planned` (if the script is done) and `Opened`.
    Start,
    /// The script added to its plan.
    Grow(Box<Growth>),
    /// The script waits for the result of this step (`run(step)`): only what it needs may run meanwhile.
    Want(StepId),
    /// An attempt ended.
    Finished {
        /// Of this step.
        step: StepId,
        /// This attempt; others are ignored.
        attempt: u32,
        /// How.
        outcome: Arc<Outcome>,
    },
    /// A condition was evaluated.
    Decided {
        /// The step whose condition it is.
        step: StepId,
        /// See `Event::Decided`.
        branch: u32,
        /// What came out.
        result: Decision,
        /// What was read.
        saw: Vec<Saw>,
    },
    /// The closure of a fan-out was evaluated.
    Expanded {
        /// The `each`, `repeat` or `workflow`.
        step: StepId,
        /// Its new children. Ids count from `Effect::Expand::base`, which may have moved on since: `rebase` them.
        result: Result<Box<Growth>, Failure>,
    },
    /// A task that waits for something from outside knows for what.
    Waits {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// For what.
        what: WaitFor,
        /// Milliseconds until a moment that it waits for.
        delay_ms: Option<u64>,
    },
    /// What a step waits for has come. Ignored unless it waits.
    Answered {
        /// The step.
        step: StepId,
        /// What came.
        answer: Box<Answer>,
    },
    /// An end was judged (`Effect::Judge`).
    Judged {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// How it ended: with an error of its own if it is not valid.
        outcome: Arc<Outcome>,
        /// What `retry_if` said, if it was asked.
        again: Option<Again>,
    },
    /// How far a stream or a pipeline is.
    Flowed(Box<Flowed>),
    /// A figure of a stream or a pipeline is out of bounds.
    Alerted(Box<Alerted>),
    /// What an agent has used so far.
    Used(Box<Used>),
    /// A timer fired.
    Fired(Timer),
    /// Stop: cancelled, interrupted by a person, …
    Stop(Stop),
}

/// What is to be done. Whatever leaves the process waits until the events before it are committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Start an attempt of a task.
    Attempt {
        /// Of this step.
        step: StepId,
        /// Its number, from 1.
        attempt: u32,
    },
    /// Evaluate a condition.
    Decide {
        /// The step whose condition it is.
        step: StepId,
        /// See `Event::Decided`.
        branch: u32,
    },
    /// Evaluate the closure of a fan-out.
    Expand {
        /// The `each`, `repeat` or `workflow`.
        step: StepId,
        /// For `repeat`: which iteration, from 1; 1 otherwise.
        iteration: u32,
    },
    /// Judge how an attempt or a group ended: is the result valid, is it to be tried again?
    Judge {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// How it ended.
        outcome: Arc<Outcome>,
    },
    /// Look out for the file that a step waits for, and send `Answered` when it is there.
    Watch(StepId),
    /// Send `Fired(timer)` after so many milliseconds.
    Arm {
        /// Which.
        timer: Timer,
        /// When, from now.
        delay_ms: u64,
    },
    /// End an attempt (its whole process tree). Its `Finished` is still to come.
    Kill {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// At once, without grace.
        hard: bool,
    },
    /// A member of a stream failed for good, and its readers are to take what it wrote for the whole all the same; or its good
    /// end, that had to be judged, is one.
    LetEnd(StepId),
    /// A stream is at its end: nothing of it is needed any more.
    CloseStream {
        /// The group.
        step: StepId,
        /// Its attempt.
        attempt: u32,
    },
    /// The wanted step (`run(step)`) is final.
    Ready(StepId),
    /// There is nothing more to do: the run has ended, or waits for nobody of this process.
    Close,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next attempt of a step may begin.
    Retry(StepId, u32),
    /// An attempt (or a group) has taken too long.
    Timeout(StepId, u32),
    /// A `wait` is over, or a moment has come.
    Wait(StepId, u32),
    /// So many shares of a limit `per_minute` come back: index of the limit in the plan's order, shares.
    Minute(u32, u32),
    /// The run has taken too long.
    Run,
}

/// See the module's page.
pub struct Machine {
    /// The state so far: the fold of all events, given out or resumed from.
    pub state: RunState,
    graph: Graph,
    /// What the machine keeps of each step beside its state; all of it follows from the state.
    nodes: Vec<Node>,
    /// Steps to be looked at.
    work: VecDeque<StepId>,
    ready: Ready,
    limits: Limits,
    writers: Writers,
    /// What budgets leave.
    ledger: Ledger,
    /// Results of conditions that are known, by step and branch ([`node::OWN`] for a step's own).
    decided: HashMap<(StepId, u32), Decision>,
    default_parallel: u32,
    /// Tasks and streams that go on.
    running: u32,
    /// Those of them that have no slot.
    slotless: u32,
    /// Answers and timers that are to come.
    pending: u32,
    /// Steps that are not final, by [`node::Part`].
    open: [u32; 6],
    /// What is to be undone, the last one first, once that is known.
    undo: Option<Vec<StepId>>,
    /// What is being undone: the step that does it.
    undoing: Option<StepId>,
    /// Will somebody here answer what steps wait for? Otherwise the run lets go when nothing else is to be done.
    attended: bool,
    /// Wanted steps that are not final.
    wanted: u32,
    /// A step failed after which nothing new may start.
    failed_hard: Option<StepId>,
    /// Open groups that wait for what others publish.
    listeners: Vec<StepId>,
    /// Something has happened after which one of them may be at its end.
    unsure: bool,
    /// Nothing more follows from what has happened: now that can be told.
    quiet: bool,
    /// Steps that publish or may get such that do; those that are final may be missing. Nothing: to be found.
    actors: Option<Vec<StepId>>,
    /// Those of them whose next child could not be made, while others go on.
    unmade: BTreeMap<StepId, Failure>,
    /// Steps that ended after an interruption.
    late: Vec<StepId>,
    /// How the main graph ended.
    result: Option<RunStatus>,
    started: bool,
    run_timer: bool,
    over: bool,
    /// Time of the input. Nothing is decided by it; it stands in the events.
    at: u64,
    out: Output,
}

/// What a machine gives for an input, in order. Every event has been applied to the state already.
#[derive(Debug, Default)]
pub struct Output {
    /// Append these to the log.
    pub events: Vec<Event>,
    /// Then do these.
    pub effects: Vec<Effect>,
}

impl Machine {
    /// A machine for a run in this state: a new one (`Created`, `Opened` and perhaps `Planned` applied), or one that an
    /// earlier process left. `default_parallel` holds where neither the run nor its script says how many may run.
    pub fn new(state: RunState, default_parallel: u32) -> Self {
        let mut machine = Machine {
            graph: Graph::of(&state.plan),
            state,
            nodes: Vec::new(),
            work: VecDeque::new(),
            ready: Ready::default(),
            limits: Limits::default(),
            writers: Writers::default(),
            ledger: Ledger::default(),
            decided: HashMap::new(),
            default_parallel,
            running: 0,
            slotless: 0,
            pending: 0,
            open: [0; 6],
            undo: None,
            undoing: None,
            attended: false,
            wanted: 0,
            failed_hard: None,
            listeners: Vec::new(),
            unsure: false,
            quiet: false,
            actors: None,
            unmade: BTreeMap::new(),
            late: Vec::new(),
            result: None,
            started: false,
            run_timer: false,
            over: false,
            at: 0,
            out: Output::default(),
        };
        machine.index();
        machine
    }

    /// A machine for the run with this log. The next `Opened` must be among the records.
    pub fn resume<'a>(records: impl IntoIterator<Item = &'a Record>, default_parallel: u32) -> Self {
        Machine::new(RunState::of(records), default_parallel)
    }

    /// Somebody here will answer what steps wait for, or it shall be waited for in any case: the run does not let go.
    pub fn attended(&mut self, attended: bool) {
        self.attended = attended;
    }

    /// Nobody is there after all, and nothing has come: lets go if nothing else is to be done. That is asked once; whether
    /// somebody is there stays as it was said.
    pub fn rest(&mut self, at: u64) -> Output {
        self.at = at;
        let attended = std::mem::take(&mut self.attended);
        self.settle();
        self.attended = attended;
        std::mem::take(&mut self.out)
    }

    /// Deals with one input. `at`, in milliseconds since 1970, is the time of the events that come out.
    pub fn handle(&mut self, at: u64, input: Input) -> Output {
        self.at = at;
        if self.over {
            return Output::default();
        }
        match input {
            Input::Start => self.begin(),
            Input::Grow(growth) => self.grow(None, *growth),
            Input::Want(step) => self.want(step),
            Input::Finished { step, attempt, outcome } => self.attempt_ended(step, attempt, outcome),
            Input::Decided { step, branch, result, saw } => self.condition_known(step, branch, result, saw),
            Input::Expanded { step, result } => self.expanded(step, result),
            Input::Waits { step, attempt, what, delay_ms } => self.waits(step, attempt, what, delay_ms),
            Input::Answered { step, answer } => self.answered(step, *answer),
            Input::Judged { step, attempt, outcome, again } => self.judged(step, attempt, outcome, again),
            Input::Flowed(flowed) => self.flowed(*flowed),
            Input::Alerted(alerted) => self.alerted(*alerted),
            Input::Used(used) => self.used(*used),
            Input::Fired(timer) => self.fired(timer),
            Input::Stop(reason) => self.stop(reason),
        }
        self.settle();
        std::mem::take(&mut self.out)
    }

    /// Does what follows, until nothing follows any more.
    fn settle(&mut self) {
        while self.started && !self.over {
            if let Some(step) = self.failed_hard.take() {
                self.stop(Stop::Failure(step));
            }
            self.end_overspent();
            if self.state.stopping == Some(Stop::Interrupted) {
                self.pause_if_quiet();
                return;
            }
            if let Some(id) = self.work.pop_front() {
                self.nodes[id.index()].clear(node::IN_WORK);
                self.consider(id);
            } else {
                self.dispatch();
                if self.work.is_empty() && self.failed_hard.is_none() && !self.look_who_listens() && !self.go_on() {
                    return;
                }
            }
        }
    }

    /// A step gets a look: it may start, or be skipped; a group may go on.
    fn consider(&mut self, id: StepId) {
        match self.state.step(id).status {
            Status::Pending => self.consider_start(id),
            Status::Running if self.is_group(id) => self.consider_group(id),
            _ => {}
        }
    }

    fn wake(&mut self, id: StepId) {
        let node = &mut self.nodes[id.index()];
        if !node.has(node::IN_WORK) {
            node.set(node::IN_WORK);
            self.work.push_back(id);
        }
    }

    /// Gives out an event and applies it.
    fn emit(&mut self, event: Event) {
        self.state.apply(self.at, &event);
        if !self.ledger.is_empty() {
            self.keep_books(&event);
        }
        self.out.events.push(event);
    }

    fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    fn is_group(&self, id: StepId) -> bool {
        self.state.plan.step(id).task.is_group()
    }

    fn settings(&self) -> &Settings {
        &self.state.plan.header.settings
    }

    fn parallel(&self) -> u32 {
        self.state.created.max_parallel.or(self.settings().max_parallel).unwrap_or(self.default_parallel).max(1)
    }

    /// The group of a step, the group of that, and so on.
    fn groups_of(&self, id: StepId) -> impl Iterator<Item = StepId> + '_ {
        std::iter::successors(self.state.plan.step(id).parent, |group| self.state.plan.step(*group).parent)
    }

    /// All steps inside a group, at any depth.
    fn below(&self, group: StepId) -> Vec<StepId> {
        let mut found: Vec<StepId> = self.graph.children(group).to_vec();
        let mut next = 0;
        while next < found.len() {
            found.extend_from_slice(self.graph.children(found[next]));
            next += 1;
        }
        found
    }

    fn hook_of(&self, id: StepId) -> Option<Moment> {
        self.nodes[id.index()].part.moment()
    }
}
