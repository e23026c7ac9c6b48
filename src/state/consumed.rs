//! What agents have used: per step over all its attempts, and added up over groups.

use super::spending::Spending;
use super::{RunState, StepState};
use crate::event::{Outcome, Usage, Used};
use crate::plan::{StepId, Task, bounds_of, covers};

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
    /// What the agents in a step used, at any depth: of an agent its own, of a group that of all that is or was in it.
    pub fn consumed(&self, id: StepId) -> Usage {
        match self.plan.step(id).task.is_group() {
            true => self.consumed_within(Some(id)),
            false => self.step(id).consumed.as_ref().map(|consumed| consumed.total()).unwrap_or_default(),
        }
    }

    /// As [`RunState::consumed`]; nothing stands for the whole run.
    pub fn consumed_within(&self, scope: Option<StepId>) -> Usage {
        let mut total = if scope.is_none() { self.gone_used } else { Usage::default() };
        for consumer in &self.consumers {
            let within = scope.is_none_or(|scope| covers(&self.plan, *consumer).any(|id| id == scope));
            if let (true, Some(consumed)) = (within, &self.step(*consumer).consumed) {
                total += &consumed.total();
            }
        }
        total
    }

    /// The steps of which something was used.
    pub fn consumers(&self) -> impl Iterator<Item = StepId> + '_ {
        self.consumers.iter().copied()
    }

    /// What was used by steps that the plan has no more, and that stood in no group which it still has.
    pub fn gone_used(&self) -> &Usage {
        &self.gone_used
    }

    /// A step has used something.
    pub(super) fn consumes(&mut self, id: StepId) {
        if self.step(id).consumed.is_some() {
            self.consumers.insert(id);
        }
    }

    /// What was spent in a step or group, or of the budget that it is, and what may be. Nothing: nothing was, and nothing bounds it.
    pub fn spending(&self, id: StepId) -> Option<Spending> {
        let step = self.plan.step(id);
        let bounds = bounds_of(step);
        if bounds.is_none() && self.consumers.is_empty() {
            return None;
        }
        let is_budget = matches!(*step.task, Task::Budget(_));
        let used = if is_budget { self.consumed_within(step.parent) } else { self.consumed(id) };
        Some(Spending { used, bounds, is_budget })
    }
}
