//! What a run waits for from outside: people, signals, moments, files.

use std::sync::Arc;

use super::{RunState, Status};
use crate::event::WaitFor;
use crate::plan::StepId;

/// A step that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    /// The step.
    pub step: StepId,
    /// Its path.
    pub path: String,
    /// The attempt that waits.
    pub attempt: u32,
    /// For what.
    pub what: Arc<WaitFor>,
    /// Until when at the longest, in milliseconds since 1970. Nothing: without an end.
    pub until: Option<u64>,
}

impl RunState {
    /// The steps that wait, in the order of the plan.
    pub fn waits(&self) -> Vec<Waits> {
        let waiting = self.plan.ids().filter(|id| self.step(*id).status == Status::Waiting);
        let waits = |step: StepId| {
            let state = self.step(step);
            Waits {
                step,
                path: self.plan.path(step),
                attempt: state.attempt,
                what: state.waits_for.clone().unwrap_or_default(),
                until: Some(state.until).filter(|until| *until > 0),
            }
        };
        waiting.map(waits).collect()
    }
}
