//! What was found, as the events that bring it about.

use std::collections::BTreeSet;

use super::fate::Teller;
use super::{Comparison, Fate, Reason};
use crate::event::{Event, Replanned, ResetWhy, Skip};
use crate::plan::{Graph, Plan, StepId, Task};
use crate::state::{RunState, Status};

impl Comparison {
    /// What becomes of each step, in words. `plan`: the one that was compared.
    pub fn fates(&self, before: &RunState, plan: &Plan) -> Vec<Fate> {
        Teller { before, plan, found: self }.all()
    }

    /// The events by which the run goes on with its own plan.
    pub fn reset(&self, before: &RunState, wish: &super::Wish) -> Vec<Event> {
        let plan = &*before.plan;
        let is_retired = |id: &StepId| self.made_anew.contains_key(id);
        let mut steps: BTreeSet<StepId> =
            plan.ids().filter(|id| self.end[id.index()].is_some() && !is_retired(id)).collect();
        steps.retain(|id| !self.stays_open(before, plan, *id));
        let graph = Graph::of(plan);
        for undo in steps.iter().filter_map(|id| plan.step(*id).policy().undo).collect::<Vec<_>>() {
            steps.extend(whole(&graph, undo).into_iter().filter(|id| before.step(*id).status != Status::Pending));
        }
        let retired: Vec<StepId> = self.made_anew.keys().copied().collect();
        let mut names: Vec<String> = wish.from.iter().cloned().collect();
        let tried_again =
            |id: &StepId| matches!(self.start[id.index()], Some(Reason::Failed | Reason::Upstream | Reason::Cancelled));
        if wish.failed {
            names.extend(plan.ids().filter(tried_again).map(|id| plan.path(id)));
        }
        let mut events = interrupted(before, steps.iter().chain(&retired).copied());
        let steps = steps.into_iter().collect();
        events.push(Event::Reset { steps, retired, why: ResetWhy::From(names) });
        events
    }

    /// Is it a group that was open, and goes on although something in it begins again?
    fn stays_open(&self, before: &RunState, plan: &Plan, id: StepId) -> bool {
        let Some(old) = self.matched[id.index()] else { return false };
        if before.step(old).status != Status::Running || self.start[id.index()].is_some() {
            return false;
        }
        let chosen_again = |child: &StepId| self.start[child.index()] == Some(Reason::Chosen(id));
        match &*plan.step(id).task {
            Task::Flow(branches) => !branches.iter().any(|branch| chosen_again(&branch.step)),
            Task::Fallback(children) => !children.iter().any(chosen_again),
            // What its condition came to holds as long as no iteration that has ended begins again.
            Task::Repeat(repeat) => repeat.children.last().is_some_and(|last| {
                let last = self.matched[last.index()];
                last.is_some_and(|last| !before.step(last).status.is_final())
            }),
            // All of it, or nothing.
            Task::Stream(_) => false,
            task => task.is_group(),
        }
    }

    /// The events by which the run goes on with another plan. `new` says which, and where it comes from.
    pub fn replan(&self, before: &RunState, mut new: Replanned) -> Vec<Event> {
        for id in new.plan.ids() {
            let Some(old) = self.matched[id.index()] else { continue };
            // What undoes a step goes with it.
            let undone = new.plan.undo_of(id).and_then(|undo| new.plan.step(undo).undoes);
            let holds = self.holds(undone.unwrap_or(id)) || self.stays_open(before, &new.plan, id);
            match holds {
                true => new.kept.push((id, old)),
                false => new.again.push((id, old)),
            }
        }
        let mut left = vec![true; before.plan.steps.len()];
        for (_, old) in &new.kept {
            left[old.index()] = false;
        }
        let mut events = interrupted(before, before.plan.ids().filter(|id| left[id.index()]));
        events.push(Event::Replanned(Box::new(new)));
        let skipped = self.skipped.iter().map(|(step, reason)| (*step, reason.clone()));
        events.extend(skipped.map(|(step, reason): (StepId, Skip)| Event::Skipped { step, reason }));
        events
    }
}

/// A step with all that is in it.
fn whole(graph: &Graph, id: StepId) -> Vec<StepId> {
    let mut found = vec![id];
    let mut next = 0;
    while next < found.len() {
        found.extend_from_slice(graph.children(found[next]));
        next += 1;
    }
    found
}

/// Attempts that were going on when the process before died, and that are not taken up.
fn interrupted(before: &RunState, left: impl Iterator<Item = StepId>) -> Vec<Event> {
    left.filter(|id| before.step(*id).status == Status::Running && !before.plan.step(*id).task.is_group())
        .map(|step| Event::Interrupted { step, attempt: before.step(step).attempt })
        .collect()
}
