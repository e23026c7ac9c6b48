//! From a step that does not hold to the others: to what uses its output, waits for it, reads it, is in it, or holds it.

use std::collections::BTreeMap;

use super::Reason;
use super::compare::Comparer;
use crate::event::{Because, Skip};
use crate::plan::{EdgeKind, Graph, StepId, Task};

impl Comparer<'_> {
    /// Tells others of the steps that do not hold, until nobody new hears of it.
    pub(super) fn spread(&mut self) {
        while let Some(id) = self.queue.pop_front() {
            if self.is_apart(id) {
                continue;
            }
            self.tell_successors(id);
            self.tell_alerted(id);
            self.tell_inside(id);
            self.tell_group(id);
        }
    }

    fn tell_successors(&mut self, id: StepId) {
        for n in 0..self.graph.successors(id).len() {
            let edge = self.graph.successors(id)[n];
            let next = edge.from;
            if self.is_apart(next) || self.goes_with_group(next) {
                continue;
            }
            let own = |kind| self.side.plan.step(next).after.iter().any(|e| e.from == id && e.kind == kind);
            match edge.kind {
                EdgeKind::Data => self.starts(next, Reason::Uses(id)),
                EdgeKind::Order if self.side.plan.step(next).input.contains(&id) => {
                    self.starts(next, Reason::Uses(id));
                }
                EdgeKind::Order => self.starts(next, Reason::After(id)),
                EdgeKind::Condition if own(EdgeKind::Condition) => self.starts(next, Reason::Reads(id)),
                EdgeKind::Condition => self.branch_reads(next, id),
            }
        }
    }

    /// Those that wait for an alert of it. It is raised once in a run: who has heard of it stays as it is.
    fn tell_alerted(&mut self, id: StepId) {
        let actions: Vec<StepId> = self.side.plan.step(id).policy().alerts.iter().filter_map(|a| a.action).collect();
        for action in actions {
            let old = self.found.matched[action.index()].map(|old| self.before.step(old));
            if old.is_some_and(|old| old.skip.as_deref() == Some(&Skip::NotTaken(Because::Moment))) {
                self.starts(action, Reason::Reads(id));
            }
        }
    }

    fn tell_inside(&mut self, id: StepId) {
        let anew = self.found.start[id.index()].is_some();
        let group = self.found.matched[id.index()];
        for n in 0..self.graph.children(id).len() {
            let child = self.graph.children(id)[n];
            let went_with = self.found.matched[child.index()].is_some_and(|old| {
                let because = match self.before.step(old).skip.as_deref() {
                    Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => because,
                    None => return false,
                };
                matches!(because, Because::Group(by) if Some(*by) == group)
            });
            if anew || went_with {
                self.starts(child, Reason::Group(id));
            }
        }
    }

    fn tell_group(&mut self, id: StepId) {
        let plan = self.side.plan;
        let Some(group) = plan.step(id).parent else { return };
        self.ends(group, Reason::Child(id));
        let children = match &*plan.step(group).task {
            Task::Repeat(repeat) => &repeat.children,
            Task::Fallback(children) => children,
            // Its members run together or not at all.
            Task::Stream(_) => return self.starts(group, Reason::Child(id)),
            Task::Quorum(_) => return self.needed_after_all(group),
            _ => return,
        };
        if let Some(at) = children.iter().position(|child| *child == id) {
            for later in &children[at + 1..] {
                self.starts(*later, Reason::Before(id));
            }
        }
    }

    /// A group that ended without some of what is in it ends otherwise now: that may be needed after all.
    pub(super) fn needed_after_all(&mut self, quorum: StepId) {
        let mut below: Vec<StepId> = self.graph.children(quorum).to_vec();
        while let Some(id) = below.pop() {
            below.extend_from_slice(self.graph.children(id));
            let skip = self.found.matched[id.index()].and_then(|old| self.before.step(old).skip.as_deref());
            if let Some(Skip::NotTaken(Because::NotNeeded(by))) = skip
                && Some(*by) == self.found.matched[quorum.index()]
            {
                self.starts(id, Reason::Chosen(quorum));
            }
        }
    }

    /// What fan-outs had got while the run went on and get anew: all, if they begin anew; of a loop, what comes after an
    /// iteration that does not hold.
    pub(super) fn made_anew(&self) -> BTreeMap<StepId, StepId> {
        let plan = &self.before.plan;
        let graph = Graph::of(plan);
        let mut now = vec![None; plan.steps.len()];
        for (id, old) in self.found.matched.iter().enumerate() {
            if let Some(old) = old {
                now[old.index()] = Some(StepId(id as u32));
            }
        }
        let mut anew = BTreeMap::new();
        for old in plan.ids().filter(|id| plan.gets_steps_at_run_time(*id)) {
            let Some(fan_out) = now[old.index()] else { continue };
            let all = self.found.start[fan_out.index()].is_some();
            let unfinished = self.side.unfinished.contains(&fan_out);
            // Of a loop, what comes after an iteration that does not hold.
            let repeat = self.same && matches!(*plan.step(old).task, Task::Repeat(_));
            let mut before = true;
            let mut found: Vec<StepId> = plan.members(old);
            found.retain(|child| match now[child.index()] {
                None => unfinished || all,
                Some(now) => {
                    let later = repeat && !before;
                    before &= self.found.end[now.index()].is_none();
                    all || later
                }
            });
            while let Some(step) = found.pop() {
                anew.entry(step).or_insert(fan_out);
                found.extend_from_slice(graph.children(step));
            }
        }
        anew
    }
}
