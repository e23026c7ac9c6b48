//! How many steps ended how.

use super::reason;
use crate::state::{RunState, Status};

/// How many steps ended how; groups do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub total: usize,
    pub done: usize,
    /// Of those that are done: with the result of an earlier run.
    pub cached: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Of those that are skipped: ended after they had begun, since they were not needed any more.
    pub begun: usize,
    pub cancelled: usize,
}

impl Counts {
    pub fn of(state: &RunState) -> Self {
        let mut counts = Counts::default();
        for id in state.plan.ids().filter(|id| !state.plan.step(*id).task.is_group() && state.is_listed(*id)) {
            counts.total += 1;
            let step = state.step(id);
            counts.add(step.status);
            let note = step.outcome.as_ref().and_then(|outcome| outcome.cache.as_ref());
            counts.begun += usize::from(reason::ended(state, id).is_some());
            counts.cached += usize::from(step.status == Status::Success && note.is_some_and(|note| note.hit));
        }
        counts
    }

    /// One more step that ended so.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Success => self.done += 1,
            Status::Failed => self.failed += 1,
            Status::Skipped => self.skipped += 1,
            Status::Cancelled => self.cancelled += 1,
            _ => {}
        }
    }

    pub fn ended(&self) -> usize {
        self.done + self.failed + self.skipped + self.cancelled
    }

    /// `5 done, 1 failed, 3 skipped`
    pub fn text(&self) -> String {
        let open = self.total - self.ended();
        let done = if self.cached > 0 { format!("done ({} cached)", self.cached) } else { "done".to_owned() };
        let skipped = match self.begun {
            0 => "skipped".to_owned(),
            n => format!("skipped ({n} of them ended early)"),
        };
        let parts = [
            (self.done, &*done),
            (self.failed, "failed"),
            (self.skipped, &*skipped),
            (self.cancelled, "cancelled"),
            (open, "not finished"),
        ];
        let said: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if said.is_empty() { "no steps".to_owned() } else { said.join(", ") }
    }
}
