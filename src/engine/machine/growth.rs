//! The plan grows: by its script, or by a fan-out. And what `run(step)` needs of a script that is not at its end.

use super::{Effect, Machine, Timer, node};
use crate::event::Event;
use crate::plan::{EdgeKind, Graph, Growth, StepId, Task};
use crate::state::Status;

/// With more changed steps than this the graph is made anew, which takes time in proportion to the plan.
const FEW: usize = 64;

impl Machine {
    pub(super) fn grow(&mut self, of: Option<StepId>, mut growth: Growth) {
        let base = self.state.plan.steps.len() as u32;
        growth.rebase(base);
        let total = base as usize + growth.steps.len();
        let header_came = growth.header.is_some() || !growth.limits.is_empty();
        let hooks_differ = growth.header.as_ref().is_some_and(|new| new.hooks != self.state.plan.header.hooks);
        let was_complete = self.state.plan.complete;
        let changed: Vec<StepId> = growth.changed.iter().map(|(id, _)| *id).collect();
        let few = changed.len() <= FEW;
        let budgets_change = self.changes_budgets(&growth);
        // Steps that are given to another group, with the one they were in.
        let mut moved = Vec::new();
        for (id, new) in &growth.changed {
            let old = self.state.plan.step(*id);
            if old.parent != new.parent && !self.state.step(*id).status.is_final() {
                moved.push((*id, old.parent));
            }
            if few {
                self.graph.replace(*id, old, new, total);
            }
        }
        self.emit(Event::Planned { of, growth: Box::new(growth) });

        let new = base..total as u32;
        if few {
            new.clone().for_each(|id| self.graph.add(&self.state.plan, StepId(id)));
        } else {
            self.graph = Graph::of(&self.state.plan);
        }
        self.nodes.resize_with(total, Default::default);
        let any_moved = !moved.is_empty();
        for (id, group) in moved {
            if let Some(group) = group {
                self.nodes[group.index()].open -= 1;
                self.wake(group);
            }
            self.count_in_group(id);
        }
        for id in new.clone().map(StepId) {
            self.count_in_group(id);
        }
        for id in changed.iter().copied().chain(new.clone().map(StepId)) {
            self.count_waits(id);
        }
        if hooks_differ || (any_moved && !self.state.plan.header.hooks.is_empty()) {
            self.sort_into_parts();
        } else {
            for id in new.clone().map(StepId) {
                self.nodes[id.index()].part = self.part_of(id);
                self.count_open(id);
            }
        }
        if header_came {
            self.limits.set(&self.state.plan.header.limits);
            self.arm_run();
        }
        self.learn_writers(&changed);
        self.open_budgets(new.clone(), budgets_change);
        self.ready.plan_grew();
        self.note_actors(new.clone());
        self.need_more(&changed, new.clone());
        if self.state.plan.complete && !was_complete {
            self.wake_all();
        }
        for id in changed.into_iter().chain(new.map(StepId)) {
            self.look_anew(id);
        }
    }

    /// A new or changed step: whatever was found out about its start no longer holds.
    fn look_anew(&mut self, id: StepId) {
        if self.state.step(id).status == Status::Pending {
            let node = &mut self.nodes[id.index()];
            node.clear(node::QUEUED | node::PARKED | node::RULE_MET);
            self.ledger.let_go(id);
        }
        self.wake(id);
    }

    pub(super) fn count_in_group(&mut self, id: StepId) {
        let step = self.state.plan.step(id);
        if let (Some(group), None) = (step.parent, step.undoes) {
            self.nodes[group.index()].open += 1;
        }
    }

    /// Counts what a step waits for.
    pub(super) fn count_waits(&mut self, id: StepId) {
        let step = self.state.plan.step(id);
        let [mut waits, mut reads] = [0, 0];
        Graph::each_needed(step, &mut |edge| {
            if !self.state.step(edge.from).status.is_final() {
                match edge.kind {
                    EdgeKind::Condition => reads += 1,
                    EdgeKind::Order | EdgeKind::Data => waits += 1,
                }
            }
        });
        let flow = matches!(*step.task, Task::Flow(_) | Task::Fallback(_));
        let node = &mut self.nodes[id.index()];
        (node.waits, node.reads, node.flow) = (waits, reads, flow);
    }

    /// The script waits for a step.
    pub(super) fn want(&mut self, id: StepId) {
        let Some(step) = self.state.steps.get(id.index()) else { return };
        if step.status.is_final() {
            self.effect(Effect::Ready(id));
            return;
        }
        if !self.nodes[id.index()].has(node::WANTED) {
            self.nodes[id.index()].set(node::WANTED);
            self.wanted += 1;
        }
        self.need(id, true);
    }

    /// Marks a step and all it needs: what it waits for, the groups it is in; with `whole`, all that is in it.
    fn need(&mut self, id: StepId, whole: bool) {
        let mut found = vec![(id, whole)];
        while let Some((id, whole)) = found.pop() {
            let flags = if whole { node::NEEDED | node::WHOLE } else { node::NEEDED };
            let node = &mut self.nodes[id.index()];
            let known = if whole { node.has(node::WHOLE) } else { node.has(node::NEEDED) };
            if known || self.state.step(id).status.is_final() {
                continue;
            }
            node.set(flags);
            self.wake(id);
            let step = self.state.plan.step(id);
            Graph::each_needed(step, &mut |edge| found.push((edge.from, true)));
            found.extend(step.on_alert.map(|on| (on.step, true)));
            found.extend(self.may_publish(id).into_iter().map(|step| (step, true)));
            found.extend(step.policy().alerts.iter().filter_map(|alert| alert.action).map(|action| (action, true)));
            // Alternatives wait for each other, and members of a stream start together.
            let all = |group: StepId| matches!(*self.state.plan.step(group).task, Task::Fallback(_) | Task::Stream(_));
            found.extend(step.parent.map(|group| (group, step.undoes.is_none() && all(group))));
            if whole {
                // The first one is to be taken first.
                found.extend(self.graph.children(id).iter().rev().map(|child| (*child, true)));
            }
        }
    }

    /// After a growth: what the needed steps need now.
    fn need_more(&mut self, changed: &[StepId], new: std::ops::Range<u32>) {
        if self.state.plan.complete {
            return;
        }
        for id in changed.iter().copied() {
            let marks = self.nodes[id.index()].take(node::NEEDED | node::WHOLE);
            if marks != 0 {
                self.need(id, marks & node::WHOLE != 0);
            }
        }
        self.need_inside(new.map(StepId));
    }

    /// After a reset: these may have been final when it was said what is needed.
    pub(super) fn need_again(&mut self, steps: &[StepId]) {
        if !self.state.plan.complete {
            self.need_inside(steps.iter().copied());
        }
    }

    /// Whatever stands in a group that is needed with everything in it is needed.
    fn need_inside(&mut self, steps: impl Iterator<Item = StepId>) {
        for id in steps {
            if self.groups_of(id).any(|group| self.nodes[group.index()].has(node::WHOLE)) {
                self.need(id, true);
            }
        }
    }
}

impl Machine {
    /// Arms the timer of the whole run, once, as soon as its length is known.
    pub(super) fn arm_run(&mut self) {
        if let (Some(delay_ms), false, true) = (self.settings().timeout_ms, self.run_timer, self.started) {
            self.run_timer = true;
            self.effect(Effect::Arm { timer: Timer::Run, delay_ms });
        }
    }
}
