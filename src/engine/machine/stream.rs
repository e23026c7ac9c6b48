//! Streams and pipelines: what they tell while they run.

use super::Machine;
use crate::event::{Alerted, Event, Flowed};
use crate::plan::StepId;
use crate::state::Status;

impl Machine {
    /// Is this attempt of a stream or a pipeline going on?
    fn flows(&self, step: StepId, attempt: u32) -> bool {
        self.is(step, Status::Running) && self.state.step(step).attempt == attempt
    }

    pub(super) fn flowed(&mut self, flowed: Flowed) {
        if self.flows(flowed.step, flowed.attempt) {
            self.emit(Event::Flowed(Box::new(flowed)));
        }
    }

    pub(super) fn alerted(&mut self, alerted: Alerted) {
        if self.is(alerted.step, Status::Running) {
            self.emit(Event::Alerted(Box::new(alerted)));
        }
    }
}
