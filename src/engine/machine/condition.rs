//! Conditions: asked for when all they read is final, never twice.

use super::{Effect, Machine, node};
use crate::event::{Decision, Event, Saw, Stop};
use crate::plan::{Closure, Condition, EdgeKind, StepId, Task};
use crate::state::{RunState, Status};

/// What [`Effect::Decide`] asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked<'a> {
    /// The condition of a step or of a branch.
    Condition(&'a Condition),
    /// The `until` of a `repeat`; it gets the output of its last iteration.
    Until(&'a Closure),
}

/// What is to be evaluated for [`Effect::Decide`]: a step that is still pending is asked for its own condition, an open
/// `flow` for that of the branch, an open `repeat` for its `until`.
pub fn asked(state: &RunState, step: StepId, branch: u32) -> Option<Asked<'_>> {
    let planned = state.plan.steps.get(step.index())?;
    if state.step(step).status == Status::Pending {
        return planned.when.as_deref().map(Asked::Condition);
    }
    match &*planned.task {
        Task::Flow(branches) => branches.get(branch as usize)?.when.as_ref().map(Asked::Condition),
        Task::Repeat(repeat) => repeat.until.as_ref().map(Asked::Until),
        _ => None,
    }
}

/// How far a condition is.
pub(super) enum Known {
    /// Its answer, or an input it needs, is still to come.
    NotYet,
    /// It was evaluated, or could not be.
    Is(Decision),
}

impl Machine {
    /// The answer of a condition; asks for it if all it reads is final. `key` is `branch`, or [`node::OWN`].
    pub(super) fn answer(&mut self, id: StepId, key: u32, condition: &Condition) -> Known {
        if let Some(known) = self.decided.get(&(id, key)) {
            return Known::Is(known.clone());
        }
        let branch = if key == node::OWN { 0 } else { key };
        if let Condition::Known(value) = condition {
            self.decide(id, key, branch, Decision::Is(*value), Vec::new());
            return Known::Is(Decision::Is(*value));
        }
        if key != node::OWN && !condition.steps().iter().all(|read| self.state.step(*read).status.is_final()) {
            return Known::NotYet;
        }
        self.ask(id, branch);
        Known::NotYet
    }

    /// Has a condition to be evaluated.
    pub(super) fn ask(&mut self, id: StepId, branch: u32) {
        self.nodes[id.index()].set(node::DECIDING);
        self.pending += 1;
        self.effect(Effect::Decide { step: id, branch });
    }

    /// Are there steps, read by a step's own condition, that are not final?
    pub(super) fn reads_open(&self, id: StepId) -> bool {
        let node = &self.nodes[id.index()];
        if !node.flow || node.reads == 0 {
            return node.reads > 0;
        }
        let after = &self.state.plan.step(id).after;
        after.iter().any(|edge| edge.kind == EdgeKind::Condition && !self.state.step(edge.from).status.is_final())
    }

    /// An answer has come.
    pub(super) fn condition_known(&mut self, id: StepId, branch: u32, result: Decision, saw: Vec<Saw>) {
        let Some(node) = self.nodes.get_mut(id.index()) else { return };
        let own = self.state.step(id).status == Status::Pending;
        let expected = match own {
            true => 0,
            false if node.flow => node.cursor,
            false => self.state.step(id).expansions.saturating_sub(1),
        };
        // An interrupted run asks again when it is resumed.
        if !node.has(node::DECIDING) || branch != expected || self.state.stopping == Some(Stop::Interrupted) {
            return;
        }
        node.clear(node::DECIDING);
        self.pending -= 1;
        self.decide(id, if own { node::OWN } else { branch }, branch, result, saw);
        self.wake(id);
    }

    fn decide(&mut self, id: StepId, key: u32, branch: u32, result: Decision, mut saw: Vec<Saw>) {
        if self.hook_of(id).is_some() {
            // A hook tells somebody and handles nothing.
            saw.iter_mut().for_each(|read| read.handles = false);
        }
        for read in saw.iter().filter(|read| read.handles) {
            self.looked_at(id, read.step);
        }
        self.decided.insert((id, key), result.clone());
        self.emit(Event::Decided { step: id, branch, result, saw });
    }

    /// A condition of `by` has looked at how `read` ended: for the group of `read` that counts if it stands in it.
    pub(super) fn looked_at(&mut self, by: StepId, read: StepId) {
        let group = self.state.plan.step(read).parent;
        if group.is_none_or(|group| self.groups_of(by).any(|above| above == group)) {
            self.nodes[read.index()].set(node::HANDLED);
        }
    }
}
