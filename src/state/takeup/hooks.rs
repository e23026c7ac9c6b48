//! Hooks at the end of a run do not hold if anything before them does not, or if the run may come to another end.

use std::collections::BTreeSet;

use super::Reason;
use super::compare::Comparer;
use crate::event::Stop;
use crate::plan::{Moment, Plan, StepId};

impl Comparer<'_> {
    pub(super) fn hooks(&mut self) {
        let plan = self.side.plan;
        let hooks = &plan.header.hooks;
        if hooks.iter().all(|(moment, _)| *moment == Moment::Start) || !(self.goes_on() || self.ends_otherwise()) {
            return;
        }
        for (_, hook) in hooks.iter().filter(|(moment, _)| *moment != Moment::Start) {
            self.starts(*hook, Reason::Hook);
        }
    }

    /// Does anything run again, or is the run made of other steps now?
    fn goes_on(&self) -> bool {
        let (is, was) = (graph(self.side.plan), graph(&self.before.plan));
        let mut known = vec![false; was.len()];
        for id in self.side.plan.ids().filter(|id| is[id.index()]) {
            match self.found.matched[id.index()] {
                Some(old) => {
                    known[old.index()] = true;
                    if self.found.end[id.index()].is_some() || !self.before.step(old).status.is_final() {
                        return true;
                    }
                }
                None if self.not_asked(id).is_none() => return true,
                None => {}
            }
        }
        was.iter().zip(known).any(|(was, known)| *was && !known)
    }

    /// Was the run stopped, or does the script look at other failures now?
    fn ends_otherwise(&self) -> bool {
        let before: BTreeSet<StepId> = self.before.plan.header.looked_at.iter().copied().collect();
        let now: BTreeSet<StepId> = self.side.plan.header.looked_at.iter().map(|id| self.common(*id)).collect();
        self.before.stopping.is_some_and(|stop| stop != Stop::Interrupted) || before != now
    }
}

/// Which steps are those of the graph itself: no hooks, nothing that undoes others, nothing that is gone.
fn graph(plan: &Plan) -> Vec<bool> {
    let mut hook = vec![false; plan.steps.len()];
    for (_, id) in &plan.header.hooks {
        hook[id.index()] = true;
    }
    let in_hook = |id: StepId| std::iter::successors(Some(id), |id| plan.step(*id).parent).any(|id| hook[id.index()]);
    plan.ids().map(|id| !plan.step(id).retired && plan.undo_of(id).is_none() && !in_hook(id)).collect()
}
