//! Points of a run that it can be rolled back to, and what that takes. Pure: computed from the state alone.

use super::{RunState, Status};
use crate::event::RollBack;
use crate::plan::{StepId, Task};

/// The name of the beginning of a run, as a place to roll back to.
pub const START: &str = "start";

/// A point that a run can be rolled back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// As `checkpoint("…")` names it; of an automatic one, the step's path.
    pub name: String,
    /// The step whose success it is.
    pub step: StepId,
    /// The number of the event by which it was reached.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Not named by the script: a stage has ended, which is a step outside all groups, or in a chain outside all others.
    pub automatic: bool,
}

impl RunState {
    /// The checkpoints that the run has reached and that still hold, in the order they were reached.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let mut found: Vec<Checkpoint> = self
            .plan
            .ids()
            .filter(|id| self.step(*id).status == Status::Success)
            .filter_map(|id| self.point(id))
            .collect();
        found.sort_by_key(|point| point.seq);
        found
    }

    fn point(&self, id: StepId) -> Option<Checkpoint> {
        let (step, plan) = (self.step(id), self.plan.step(id));
        let named = plan.policy().checkpoint.as_ref();
        let undone = plan.policy().undo.is_some_and(|undo| self.step(undo).status == Status::Success);
        if undone || (named.is_none() && !self.is_stage(id)) {
            return None;
        }
        Some(Checkpoint {
            name: named.map_or_else(|| self.plan.path(id), |name| name.to_string()),
            step: id,
            seq: step.ended.saturating_sub(1),
            at: step.finished_at,
            automatic: named.is_none(),
        })
    }

    fn is_stage(&self, id: StepId) -> bool {
        let step = self.plan.step(id);
        if step.undoes.is_some() || step.retired || self.plan.hook(id).is_some() {
            return false;
        }
        match step.parent {
            None => true,
            Some(group) => {
                let group = self.plan.step(group);
                group.parent.is_none() && matches!(*group.task, Task::Chain(_))
            }
        }
    }

    /// What rolling back to an event takes; nothing means to the beginning. `to`: the name of the point.
    pub fn way_back(&self, to: &str, after: Option<u64>) -> RollBack {
        let limit = after.map_or(0, |seq| seq + 1);
        // Did it end at the point or before, and was it not undone since?
        let holds = |id: StepId| {
            let step = self.step(id);
            let undone = self.plan.step(id).policy().undo.is_some_and(|undo| self.step(undo).status == Status::Success);
            step.status.is_final() && step.ended <= limit && !undone
        };
        // Of a stream all members hold, or none.
        let holds = |id: StepId| holds(id) && self.plan.stream_of(id).is_none_or(holds);
        let mut gone = vec![false; self.plan.steps.len()];
        for group in self.plan.ids().filter(|id| !self.plan.step(*id).retired && !holds(*id)) {
            let children: Vec<StepId> = match &*self.plan.step(group).task {
                Task::Each(each) if each.items.is_some() => each.children.clone(),
                Task::Workflow(_) if self.step(group).expansions > 0 => self.plan.members(group),
                Task::Repeat(repeat) => {
                    // Iterations follow each other: from the first that does not hold on they are made anew.
                    let kept = repeat.children.iter().take_while(|child| holds(**child)).count();
                    repeat.children[kept..].iter().for_each(|child| gone[child.index()] = true);
                    continue;
                }
                _ => continue,
            };
            // If one of them holds, so does what they were made from.
            if !children.iter().any(|child| self.below_holds(*child, &holds)) {
                children.iter().for_each(|child| gone[child.index()] = true);
            }
        }
        let mut back = RollBack { to: to.to_owned(), after, ..RollBack::default() };
        for id in self.plan.ids() {
            let step = self.plan.step(id);
            // Parents may come after their children.
            let mut at = Some(id);
            while let Some(above) = at.filter(|above| !gone[above.index()]) {
                at = self.plan.step(above).parent;
            }
            let undoes = self.plan.undo_of(id);
            let changed = match undoes {
                Some(undo) => {
                    let undone = self.plan.step(undo).undoes.unwrap_or(undo);
                    self.step(id).status != Status::Pending && !holds(undone)
                }
                None => self.step(id).status != Status::Pending && !holds(id),
            };
            match (step.retired, at.is_some()) {
                (true, _) => {}
                (false, true) => back.retired.push(id),
                (false, false) if changed => back.steps.push(id),
                _ => {}
            }
        }
        back
    }

    fn below_holds(&self, id: StepId, holds: &dyn Fn(StepId) -> bool) -> bool {
        holds(id) || self.plan.members(id).into_iter().any(|child| self.below_holds(child, holds))
    }

    /// What will be undone on a way back, in that order: the step, and the one that undoes it.
    pub fn undone_by(&self, back: &RollBack) -> Vec<(StepId, StepId)> {
        let limit = back.after.map_or(0, |seq| seq + 1);
        let mut found: Vec<(u64, StepId, StepId)> = Vec::new();
        for id in self.plan.ids() {
            let Some(undo) = self.plan.step(id).policy().undo else { continue };
            let step = self.step(id);
            if step.status == Status::Success && step.ended > limit && self.step(undo).status != Status::Success {
                found.push((step.ended, id, undo));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.into_iter().map(|(_, step, undo)| (step, undo)).collect()
    }
}
