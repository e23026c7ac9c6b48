//! Where steps stand that clean up after others.

use super::Builder;
use crate::plan::{StepId, Task};

impl Builder {
    /// A clean-up step that belongs to no group is placed in the group of those that it cleans up after: so it runs before
    /// what follows the group, and again if the group is tried again.
    pub(super) fn place_clean_ups(&mut self) {
        for id in (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32)) {
            let step = self.step(id);
            if !step.policy().finally || step.parent.is_some() {
                continue;
            }
            if self.header.hooks.iter().any(|(_, hook)| *hook == id) {
                continue;
            }
            if let Some(group) = self.common_group(step.after.iter().map(|edge| edge.from)) {
                self.step_mut(id).parent = Some(group);
            }
        }
    }

    /// The innermost group that holds all of these, of those that run everything in them.
    fn common_group(&self, mut steps: impl Iterator<Item = StepId>) -> Option<StepId> {
        let mut group = self.step(steps.next()?).parent;
        for other in steps {
            while group.is_some_and(|group| !self.contains(group, other)) {
                group = group.and_then(|group| self.step(group).parent);
            }
        }
        while let Some(id) = group
            && !matches!(*self.step(id).task, Task::Chain(_) | Task::Parallel(_) | Task::Workflow(_))
        {
            group = self.step(id).parent;
        }
        group
    }
}
