//! When a group that listens is at its end: nothing that could still be published on its topic does not wait for that end
//! itself.

use std::collections::BTreeSet;

use flow::plan::{EdgeKind, Moment, Rule, StepId, Task};

use super::{End, Naive};
use crate::spec::{judged, moment_of};

impl Naive {
    /// Nothing else follows: a group that listens is at its end. One for which nothing may come, or else the first.
    pub(super) fn end_listening(&mut self, parts: &[Option<Moment>]) -> bool {
        let listens = |id: &StepId| {
            matches!(*self.plan.step(*id).task, Task::OnEvent(_))
                && parts.contains(&moment_of(&self.plan, *id))
                && self.open[id.index()]
                && self.end[id.index()].is_none()
                && !self.whole.contains_key(id)
                && self
                    .plan
                    .ids()
                    .filter(|c| self.plan.step(*c).parent == Some(*id))
                    .all(|c| self.end[c.index()].is_some())
        };
        let all: Vec<StepId> = self.plan.ids().filter(listens).collect();
        let ends = all.iter().copied().find(|id| !self.is_awaited(*id)).or(all.first().copied());
        ends.is_some_and(|id| {
            self.whole.insert(id, true);
            true
        })
    }

    fn is_awaited(&mut self, group: StepId) -> bool {
        let late = self.late(group);
        let part = moment_of(&self.plan, group);
        let could = |id: &StepId| *id != group && self.end[id.index()].is_none() && moment_of(&self.plan, *id) == part;
        let could: Vec<StepId> = self.plan.ids().filter(could).collect();
        let free = |id: &StepId| !late.contains(id);
        let publishes = |on: StepId| match &*self.plan.step(on).task {
            Task::OnEvent(on) => could.iter().any(|id| free(id) && on.hears(self.plan.step(*id))),
            _ => false,
        };
        could.iter().any(|id| match &*self.plan.step(*id).task {
            Task::Repeat(_) => free(id) && !self.whole.contains_key(id),
            Task::Each(each) => free(id) && each.items.is_some() && !self.made.contains_key(id),
            Task::Workflow(_) => free(id) && !self.made.contains_key(id),
            Task::OnEvent(on) => (free(id) || self.open[id.index()]) && (self.unheard(on).is_some() || publishes(*id)),
            _ => false,
        }) || publishes(group)
    }

    /// What cannot end before this group does.
    fn late(&mut self, group: StepId) -> BTreeSet<StepId> {
        let mut late = BTreeSet::from([group]);
        loop {
            let found = self.plan.ids().filter(|id| self.end[id.index()].is_none() && !late.contains(id));
            let found: Vec<StepId> = found.collect();
            let more: Vec<StepId> = found.into_iter().filter(|id| self.is_late(*id, &late)).collect();
            if more.is_empty() {
                return late;
            }
            late.extend(more);
        }
    }

    fn begun(&self, id: StepId) -> bool {
        self.began[id.index()] || self.open[id.index()]
    }

    fn is_late(&mut self, id: StepId, late: &BTreeSet<StepId>) -> bool {
        let plan = &self.plan;
        let step = plan.step(id);
        // A group of which something is late, that has to be waited for.
        if self.open[id.index()] {
            let has = |child: &StepId| plan.step(*child).parent == Some(id) && self.is_certain(*child);
            return plan.ids().any(|child| late.contains(&child) && has(&child)) || self.waits_for_branch(id, late);
        }
        let Some(group) = step.parent else { return self.waits_for(id, late) };
        if late.contains(&group) && !self.begun(group) {
            return true;
        }
        let earlier = match &*plan.step(group).task {
            Task::Fallback(all) => all.iter().take_while(|one| **one != id).any(|one| late.contains(one)),
            _ => false,
        };
        earlier
            || (self.is_certain(id) && self.waits_for(id, late))
            || step.on_alert.is_some_and(|on| late.contains(&on.step) && !self.begun(on.step))
            || (matches!(*self.plan.step(group).task, Task::Flow(_)) && self.waits_for_branch(group, late))
    }

    /// Will it not be left out by its group?
    fn is_certain(&self, id: StepId) -> bool {
        let Some(group) = self.plan.step(id).parent else { return true };
        self.open[group.index()]
            && match &*self.plan.step(group).task {
                Task::Flow(_) => self.chosen.get(&group) == Some(&Some(id)),
                Task::Fallback(all) => {
                    all.iter().take_while(|one| **one != id).all(|one| self.end[one.index()] == Some(End::Failed))
                }
                _ => true,
            }
    }

    fn waits_for(&self, id: StepId, late: &BTreeSet<StepId>) -> bool {
        let step = self.plan.step(id);
        let early = matches!(step.policy().rule, Rule::OneSuccess | Rule::OneFailed);
        let alert = step.on_alert.is_some_and(|on| late.contains(&on.step) && !self.begun(on.step));
        let raised = |id: StepId| self.begun(id) && self.world.raises(&self.plan.path(id));
        if alert || step.on_alert.is_some_and(|on| !raised(on.step)) {
            return alert;
        }
        // The rule comes before the condition.
        let judged = judged(step).all(|edge| self.end[edge.from.index()].is_some());
        let waits = |kind: EdgeKind| if kind == EdgeKind::Condition { judged } else { !early };
        step.after.iter().any(|edge| late.contains(&edge.from) && waits(edge.kind))
    }

    /// Is it a flow that has not chosen, and does what it asks next read something late?
    fn waits_for_branch(&mut self, id: StepId, late: &BTreeSet<StepId>) -> bool {
        let task = self.plan.step(id).task.clone();
        let Task::Flow(branches) = &*task else { return false };
        if !self.open[id.index()] || self.chosen.contains_key(&id) {
            return false;
        }
        // Those before it were answered, or it would not have come so far.
        let reads = branches.iter().filter_map(|branch| branch.when.as_ref()).map(|when| when.steps());
        let mut open = reads.filter(|reads| reads.iter().any(|read| self.end[read.index()].is_none()));
        open.next().is_some_and(|reads| reads.iter().any(|read| late.contains(read)))
    }
}
