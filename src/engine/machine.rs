//! The machine: `(state, input) -> (events, effects)`.
//!
//! It knows no clock, no thread, no file, no random number; the same inputs in the same order always give the same
//! events and effects. Resume is nothing but [`Machine::resume`] on the recorded events.

use crate::event::{Decision, Event, Failure, Outcome, Saw, Stop};
use crate::plan::{Growth, StepId};
use crate::state::RunState;

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
        outcome: Outcome,
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
    /// A `wait` is over.
    Wait(StepId),
    /// So many shares of a limit `per_minute` come back: index of the limit in the plan's order, shares.
    Minute(u32, u32),
    /// The run has taken too long.
    Run,
}

/// See the module's page.
pub struct Machine {
    /// The state so far: the fold of all events, given out or resumed from.
    pub state: RunState,
}

/// What a machine gives for an input, in order. Every event has been applied to the state already.
#[derive(Debug, Default)]
pub struct Output {
    /// Append these to the log.
    pub events: Vec<Event>,
    /// Then do these.
    pub effects: Vec<Effect>,
}
