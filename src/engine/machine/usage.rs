//! What agents use while they run.

use super::Machine;
use crate::event::{Event, Used};
use crate::state::Status;

impl Machine {
    /// An agent tells what it has used so far.
    pub(super) fn used(&mut self, used: Used) {
        if self.is(used.step, Status::Running) && self.state.step(used.step).attempt == used.attempt {
            self.emit(Event::Used(Box::new(used)));
        }
    }
}
