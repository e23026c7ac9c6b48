//! What agents have used: per step over all its attempts, and added up over groups.

use super::{RunState, StepState};
use crate::event::{Outcome, Usage, Used};
use crate::plan::StepId;

/// What the agent of a step has used, whatever became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumed {
    /// In attempts that are over.
    pub over: Usage,
    /// In the attempt that goes on, as it was told last.
    pub now: Option<Used>,
}

impl Consumed {
    /// All of it.
    pub fn total(&self) -> Usage {
        let mut total = self.over;
        if let Some(now) = &self.now {
            total += &now.usage;
        }
        total
    }
}

impl StepState {
    /// The attempt that went on is no more, and nobody has said what it used in all: what it told last counts.
    pub(super) fn let_go_of_attempt(&mut self) {
        if let Some(consumed) = &mut self.consumed
            && let Some(now) = consumed.now.take()
        {
            consumed.over += &now.usage;
        }
    }

    /// An attempt is over.
    pub(super) fn has_consumed(&mut self, outcome: &Outcome) {
        match &outcome.agent {
            // What an earlier run has paid for costs nothing.
            Some(_) if outcome.cache.as_ref().is_some_and(|cache| cache.hit) => {}
            Some(report) => {
                let consumed = self.consumed.get_or_insert_default();
                consumed.now = None;
                consumed.over += &report.usage;
            }
            None => self.let_go_of_attempt(),
        }
    }
}

impl RunState {
    /// What the agents in a step used, at any depth: of an agent its own, of a group that of all its children.
    pub fn consumed(&self, id: StepId) -> Usage {
        let mut open = vec![id];
        let mut total = Usage::default();
        while let Some(id) = open.pop() {
            if let Some(consumed) = &self.step(id).consumed {
                total += &consumed.total();
            }
            open.extend(self.plan.members(id));
        }
        total
    }
}
