//! Topics: what was published, and who has not heard it yet.

use super::{RunState, Status};
use crate::plan::{OnEvent, StepId, Task};

impl RunState {
    /// The step whose publication the next child of this group is for: the first on its topic that it has none for yet.
    pub fn next_event(&self, group: StepId) -> Option<StepId> {
        let Task::OnEvent(on) = &*self.plan.step(group).task else { return None };
        let mut told = self.told.iter().copied();
        told.find(|step| self.is_about(*step, on) && !on.of.contains(step))
    }

    /// Does this step publish on a topic that is listened to, and has it?
    fn is_about(&self, step: StepId, on: &OnEvent) -> bool {
        self.step(step).status == Status::Success && on.hears(self.plan.step(step))
    }
}
