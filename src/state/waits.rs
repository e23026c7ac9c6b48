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
        self.plan.ids().filter_map(|id| self.waits_of(id)).collect()
    }

    /// What a step waits for, if it does.
    pub fn waits_of(&self, step: StepId) -> Option<Waits> {
        let state = self.step(step);
        (state.status == Status::Waiting).then(|| Waits {
            step,
            path: self.plan.path(step),
            attempt: state.attempt,
            what: state.waits_for.clone().unwrap_or_default(),
            until: Some(state.until).filter(|until| *until > 0),
        })
    }
}
