//! Groups that get a child for each thing that is published on a topic.
//!
//! Such a group is at its end when all its children are final and nothing more can come. So it looks for whoever could
//! still publish, and leaves out those who cannot begin before it has ended:
//!
//! - `late` are the steps that cannot end before it: the groups around it, what waits for these, what is in that, and so on;
//! - a step on its topic that is not final and not late may publish;
//! - a fan-out that is still to get children may get some that do;
//! - another group of this kind may, if it has not heard everything, or something may still come for it in this sense.
//!
//! What this does not see (a rule that would say yes in another way, a fan-out that goes on for ever) leaves it open until
//! nothing else is under way.

use std::collections::BTreeSet;

use super::group::Progress;
use super::{Machine, node};
use crate::event::{Failure, FailureKind};
use crate::plan::{EdgeKind, OnEvent, Rule, StepId, Task};
use crate::state::Status;

impl Machine {
    /// The next child, or the end.
    pub(super) fn event_of(&mut self, id: StepId, on: &OnEvent, frozen: bool) -> Progress {
        if !self.listeners.contains(&id) {
            self.listeners.push(id);
        }
        let open = self.nodes[id.index()].open > 0;
        let heard = on.children.len() as u32;
        if let Some(failure) = self.unmade.get(&id) {
            return if open { Progress::Waits } else { Progress::Failed(failure.clone()) };
        }
        match self.state.next_event(id) {
            Some(_) if heard < on.max => return self.expand(id, heard + 1, frozen),
            Some(_) if open => return Progress::Waits,
            Some(from) => {
                let message =
                    format!("`{}` published on `{}`, and {heard} events were heard already", self.path(from), on.topic);
                return Progress::Failed(
                    Failure::new(FailureKind::Fail, message).help("raise `max`, the most events that it hears"),
                );
            }
            None => {}
        }
        if open || frozen {
            return Progress::Waits;
        }
        if !self.quiet {
            self.unsure = true;
            return Progress::Waits;
        }
        if self.is_awaited(id) { Progress::Waits } else { Progress::Complete }
    }

    /// Nothing more follows by itself: may a group that listens end now? Returns whether something follows from that.
    pub(super) fn look_who_listens(&mut self) -> bool {
        if !std::mem::take(&mut self.unsure) || self.listeners.is_empty() {
            return false;
        }
        self.quiet = true;
        for id in self.listeners.clone() {
            self.consider(id);
            if !self.work.is_empty() {
                break;
            }
        }
        self.quiet = false;
        !self.work.is_empty()
    }

    fn path(&self, id: StepId) -> String {
        self.state.plan.path(id)
    }

    /// May something still come for this group?
    fn is_awaited(&mut self, id: StepId) -> bool {
        let mut actors = match self.actors.take() {
            Some(actors) => actors,
            None => self.state.plan.ids().filter(|step| self.is_actor(*step)).collect(),
        };
        let awaited = self.is_awaited_of(id, &mut actors);
        self.actors = Some(actors);
        awaited
    }

    /// Does it publish, or get children that may?
    fn is_actor(&self, id: StepId) -> bool {
        let plan = &self.state.plan;
        matches!(*plan.step(id).task, Task::Publish(_)) || plan.gets_steps_at_run_time(id)
    }

    /// The plan has grown by these.
    pub(super) fn note_actors(&mut self, new: std::ops::Range<u32>) {
        self.unsure = true;
        if let Some(mut actors) = self.actors.take() {
            actors.extend(new.map(StepId).filter(|step| self.is_actor(*step)));
            self.actors = Some(actors);
        }
    }

    /// Some that were final are open again.
    pub(super) fn forget_actors(&mut self) {
        (self.unsure, self.actors) = (true, None);
    }

    fn is_awaited_of(&self, id: StepId, actors: &mut Vec<StepId>) -> bool {
        let hears = |on: StepId, step: StepId| match &*self.state.plan.step(on).task {
            Task::OnEvent(on) => on.hears(self.state.plan.step(step)),
            _ => false,
        };
        let mut late = None;
        let (mut others, mut publishers) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(step) = actors.get(at).copied() {
            if self.state.step(step).status.is_final() {
                actors.swap_remove(at);
                continue;
            }
            at += 1;
            let late = late.get_or_insert_with(|| self.late_because_of(id));
            if step == id || !self.may_act(step, id, late) {
                continue;
            }
            match &*self.state.plan.step(step).task {
                Task::Publish(_) if hears(id, step) => return true,
                Task::Publish(_) => publishers.push(step),
                Task::OnEvent(_) => others.push(step),
                _ => return true,
            }
        }
        others.into_iter().any(|other| {
            self.nodes[other.index()].has(node::EXPANDING)
                || self.state.next_event(other).is_some()
                || publishers.iter().any(|step| hears(other, *step))
        })
    }

    /// Could this step, which is not final, publish or get children before `group` has ended?
    fn may_act(&self, id: StepId, group: StepId, late: &BTreeSet<StepId>) -> bool {
        let state = self.state.step(id);
        let part = self.nodes[group.index()].part;
        if state.status.is_final() || self.state.plan.step(id).retired || self.nodes[id.index()].part != part {
            return false;
        }
        match &*self.state.plan.step(id).task {
            Task::Publish(_) => !late.contains(&id),
            Task::Repeat(_) => !late.contains(&id) && !self.nodes[id.index()].has(node::COMPLETE),
            // One around it may get more while it is open.
            Task::OnEvent(_) => !late.contains(&id) || state.status == Status::Running,
            _ => self.state.plan.gets_steps_at_run_time(id) && state.expansions == 0 && !late.contains(&id),
        }
    }

    /// The steps that cannot end before this group does.
    fn late_because_of(&self, id: StepId) -> BTreeSet<StepId> {
        let plan = &self.state.plan;
        let mut late = BTreeSet::new();
        let mut open = vec![id];
        while let Some(step) = open.pop() {
            if !late.insert(step) {
                continue;
            }
            if let Some(group) = plan.step(step).parent.filter(|_| self.is_settled(step)) {
                // Of a quorum the others may be enough.
                let alone = |child: &StepId| late.contains(child) || self.state.step(*child).status.is_final();
                let is_quorum = matches!(*plan.step(group).task, Task::Quorum(_));
                if !is_quorum || self.graph.children(group).iter().all(alone) {
                    open.push(group);
                }
            }
            if self.is(step, Status::Pending) {
                open.extend(self.graph.children(step));
                open.extend(plan.step(step).policy().alerts.iter().filter_map(|alert| alert.action));
            }
            open.extend(self.next_alternatives(step));
            for edge in self.graph.successors(step) {
                let next = plan.step(edge.from);
                // Its alert comes first, then its rule, then its condition: each may keep it from running.
                let alert = next.on_alert.is_some_and(|on| !self.state.was_raised(on));
                let may_be_early = alert
                    || match edge.kind {
                        EdgeKind::Condition => self.nodes[edge.from.index()].waits > 0,
                        _ => matches!(next.policy().rule, Rule::OneSuccess | Rule::OneFailed),
                    };
                // The conditions of a flow's branches are asked for one after the other.
                let own = next.after.iter().any(|after| after.from == step && after.kind == edge.kind);
                let waits = self.is(edge.from, Status::Pending) && self.is_settled(edge.from);
                if own && waits && !may_be_early {
                    open.push(edge.from);
                } else if !own && self.waits_for_branch(edge.from, step) {
                    open.push(edge.from);
                    open.extend(self.graph.children(edge.from));
                }
            }
        }
        late
    }

    /// Is it certain that this step will not be skipped with its group, or by a choice?
    fn is_settled(&self, id: StepId) -> bool {
        let Some(group) = self.state.plan.step(id).parent else { return true };
        let node = &self.nodes[group.index()];
        self.is(group, Status::Running) && (!node.flow || self.nodes[id.index()].has(node::CHOSEN))
    }

    /// The alternatives that come after this one.
    fn next_alternatives(&self, id: StepId) -> &[StepId] {
        let plan = &self.state.plan;
        match plan.step(id).parent.map(|group| &*plan.step(group).task) {
            Some(Task::Fallback(all)) => all.iter().position(|one| *one == id).map_or(&[], |at| &all[at + 1..]),
            _ => &[],
        }
    }

    /// Does the condition that this flow asks next read the step?
    fn waits_for_branch(&self, flow: StepId, read: StepId) -> bool {
        let Task::Flow(branches) = &*self.state.plan.step(flow).task else { return false };
        let next = branches.get(self.nodes[flow.index()].cursor as usize);
        let asks = self.is(flow, Status::Running) && !self.nodes[flow.index()].has(node::COMPLETE);
        asks && next.and_then(|next| next.when.as_ref()).is_some_and(|when| when.steps().contains(&read))
    }

    /// A step has become final: those who listen may have something to hear, or nothing any more.
    pub(super) fn topic_closed(&mut self, id: StepId) {
        if self.listeners.is_empty() {
            return;
        }
        self.listeners.retain(|listener| *listener != id);
        self.unsure = true;
        if matches!(*self.state.plan.step(id).task, Task::Publish(_)) {
            for n in 0..self.listeners.len() {
                self.wake(self.listeners[n]);
            }
        }
    }

    /// Nothing is under way any more: what a group still waits for does not come. It is at its end.
    pub(super) fn end_listening(&mut self) -> bool {
        let quiet = |id: &StepId| self.is(*id, Status::Running) && self.nodes[id.index()].open == 0;
        let Some(id) = self.listeners.iter().copied().filter(quiet).min() else { return false };
        self.nodes[id.index()].set(node::COMPLETE);
        self.wake(id);
        true
    }

    /// Those who may publish for a group that listens: it needs them, before the script is at its end.
    pub(super) fn may_publish(&self, id: StepId) -> Vec<StepId> {
        let Task::OnEvent(on) = &*self.state.plan.step(id).task else { return Vec::new() };
        let late = self.late_because_of(id);
        let plan = &self.state.plan;
        let may = |step: &StepId| on.hears(plan.step(*step)) || plan.gets_steps_at_run_time(*step);
        plan.ids().filter(|step| *step != id && may(step) && self.may_act(*step, id, &late)).collect()
    }
}
