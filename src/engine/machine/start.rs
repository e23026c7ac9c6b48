//! From pending to running: group open? rule? condition? limits? slot?

use super::condition::Known;
use super::node::{self, Part};
use super::rule::{Verdict, verdict};
use super::{Effect, Machine, Timer};
use crate::engine::limits::{MINUTE, Share, asked, takes_slot};
use crate::engine::order::Place;
use crate::event::{Because, Decision, Event, Skip, WaitFor};
use crate::plan::{EdgeKind, Rule, StepId, Task};
use crate::state::Status;

impl Machine {
    pub(super) fn consider_start(&mut self, id: StepId) {
        if self.nodes[id.index()].has(node::QUEUED | node::PARKED | node::DECIDING) {
            return;
        }
        if self.halted(id) || (self.group_is_aborted(id) && !self.is_clean_up(id)) {
            self.drop_pending(id);
            return;
        }
        if let Some(reason) = self.skipped_with_group(id) {
            self.skip(id, reason);
            return;
        }
        if !self.may_start(id) || !self.alert_met(id) || !self.rule_met(id) || !self.condition_met(id) {
            return;
        }
        self.start(id);
    }

    /// Its group ended without it. The process died between the group's event and the step's.
    pub(super) fn skipped_with_group(&self, id: StepId) -> Option<Skip> {
        let group = self.state.plan.step(id).parent?;
        let state = self.state.step(group);
        match (state.status, state.skip.as_deref()) {
            (Status::Skipped, Some(Skip::NotTaken(_))) => Some(Skip::NotTaken(Because::Group(group))),
            (Status::Skipped | Status::Failed, _) => Some(Skip::UpstreamFailed(Because::Group(group))),
            _ => None,
        }
    }

    fn group_is_aborted(&self, id: StepId) -> bool {
        let group = self.state.plan.step(id).parent;
        group.is_some_and(|group| self.nodes[group.index()].has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED))
    }

    /// Before the script is at its end, only hooks may run and what `run(step)` needs.
    pub(super) fn is_needed(&self, id: StepId) -> bool {
        let node = &self.nodes[id.index()];
        self.state.plan.complete || node.has(node::NEEDED) || node.part != Part::Main
    }

    /// Is it its turn, apart from its own predecessors: part of the run, group, branch?
    pub(super) fn may_start(&self, id: StepId) -> bool {
        let node = &self.nodes[id.index()];
        if !self.is_needed(id) || !self.part_runs(node.part) {
            return false;
        }
        if self.state.plan.step(id).undoes.is_some() {
            return self.undoing == Some(id);
        }
        match self.state.plan.step(id).parent {
            None => true,
            Some(group) if self.state.step(group).status != Status::Running => false,
            // It starts with the others.
            Some(group) if self.is_stream(group) => false,
            Some(group) => !self.nodes[group.index()].flow || node.has(node::CHOSEN),
        }
    }

    fn rule_met(&mut self, id: StepId) -> bool {
        let node = &self.nodes[id.index()];
        if node.has(node::RULE_MET) {
            return true;
        }
        let step = self.state.plan.step(id);
        let rule = step.policy().rule;
        if node.waits > 0 && !matches!(rule, Rule::OneSuccess | Rule::OneFailed) {
            return false;
        }
        let judged = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition);
        match verdict(rule, judged.map(|edge| (edge.from, self.state.seen(edge.from)))) {
            Verdict::Wait => false,
            Verdict::Go => {
                if let Some(before) = self.nothing_to_clean_up(id) {
                    self.skip(id, Skip::NotTaken(Because::NotBegun(before)));
                    return false;
                }
                self.nodes[id.index()].set(node::RULE_MET);
                true
            }
            Verdict::Skip(reason) => {
                self.skip(id, reason);
                false
            }
        }
    }

    fn condition_met(&mut self, id: StepId) -> bool {
        if self.reads_open(id) {
            return false;
        }
        if self.state.plan.step(id).when.is_none() {
            return true;
        }
        let Some(condition) = self.state.plan.step(id).when.clone() else { return true };
        match self.answer(id, node::OWN, &condition) {
            Known::NotYet => false,
            Known::Is(Decision::Is(true)) => true,
            Known::Is(Decision::Is(false)) => {
                self.skip(id, Skip::NotTaken(Because::Condition));
                false
            }
            Known::Is(Decision::Failed(failure)) => {
                self.fail(id, failure);
                false
            }
        }
    }

    /// Nothing but limits and a slot is in the way.
    pub(super) fn start(&mut self, id: StepId) {
        let place = self.ready.place(&self.state.plan, &self.graph, id);
        self.nodes[id.index()].seq = place.seq;
        self.enter(id, place);
    }

    fn enter(&mut self, id: StepId, place: Place) {
        if takes_slot(&self.state.plan, id) {
            self.nodes[id.index()].set(node::QUEUED);
            self.ready.push(place, id);
        } else if self.may_spend(id, place) && self.take_limits(id, place) {
            match &*self.state.plan.step(id).task {
                Task::Wait(ms) => {
                    let delay_ms = *ms;
                    self.wait(id, delay_ms);
                }
                task if task.is_group() => self.open_group(id),
                _ => self.attempt(id),
            }
        }
    }

    /// Gives slots and shares to those who are ready, in their order.
    pub(super) fn dispatch(&mut self) {
        loop {
            let nodes = &self.nodes;
            let waits = |id: StepId, place: Place| {
                let node = &nodes[id.index()];
                node.has(node::PARKED) && node.seq == place.seq
            };
            if let Some((place, id)) = self.limits.wake(waits) {
                self.nodes[id.index()].clear(node::PARKED);
                self.enter(id, place);
                continue;
            }
            if let Some((place, id)) = self.wake_spender() {
                self.nodes[id.index()].clear(node::PARKED);
                self.enter(id, place);
                continue;
            }
            if self.running - self.slotless >= self.parallel() {
                return;
            }
            let Some((place, id)) = self.ready.pop() else { return };
            let node = &mut self.nodes[id.index()];
            if !node.has(node::QUEUED) || node.seq != place.seq {
                continue;
            }
            node.clear(node::QUEUED);
            let part = node.part;
            if self.is(id, Status::Pending) && !self.part_runs(part) {
                // Hooks that come before it have come to the plan since.
                continue;
            }
            if self.may_spend(id, place) && self.take_limits(id, place) {
                match self.is_stream(id) {
                    true => self.open_stream(id),
                    false => self.attempt(id),
                }
            }
        }
    }

    pub(super) fn asks_for_limits(&self, id: StepId) -> bool {
        !self.state.plan.step(id).policy().limits.is_empty()
            || self.is_stream(id)
            || self.writers.asks(&self.state.plan, id)
    }

    /// Takes in what new and changed steps say that they change.
    pub(super) fn learn_writers(&mut self, changed: &[StepId]) {
        let plan = self.state.plan.clone();
        let met = self.writers.learn(&plan, changed, &self.state.created.cwd, &mut self.limits);
        for id in met.into_iter().filter(|id| self.state.step(*id).status == Status::Running) {
            let holder = plan.stream_of(id).unwrap_or(id);
            let shares = self.limits.shares(&self.writers.asked(&plan, holder));
            self.limits.hold_also(holder, shares);
        }
    }

    /// The shares a step needs beyond those that a group above holds for it.
    pub(super) fn shares_of(&self, id: StepId) -> Vec<Share> {
        let mut names = asked(&self.state.plan, id);
        if !self.writers.is_empty() {
            names.to_mut().extend(self.writers.asked(&self.state.plan, id));
        }
        let mut shares = self.limits.shares(&names);
        shares.retain(|(limit, _)| !self.groups_of(id).any(|group| self.limits.holds(group, *limit)));
        shares
    }

    /// Takes a step's shares, or parks it.
    fn take_limits(&mut self, id: StepId, place: Place) -> bool {
        if !self.asks_for_limits(id) {
            return true;
        }
        let shares = self.shares_of(id);
        if !self.limits.take_or_park(id, place, shares) {
            self.nodes[id.index()].set(node::PARKED);
            return false;
        }
        for (limit, n) in self.limits.by_the_minute(id) {
            self.out.effects.push(Effect::Arm { timer: Timer::Minute(limit, n), delay_ms: MINUTE });
        }
        true
    }

    /// A task no longer goes on.
    pub(super) fn attempt_over(&mut self, id: StepId) {
        self.running -= 1;
        self.slotless -= u32::from(!takes_slot(&self.state.plan, id));
    }

    fn attempt(&mut self, id: StepId) {
        let attempt = self.state.step(id).attempt + 1;
        self.running += 1;
        self.slotless += u32::from(!takes_slot(&self.state.plan, id));
        self.emit(Event::Started { step: id, attempt });
        self.effect(Effect::Attempt { step: id, attempt });
        self.arm_timeout(id, attempt);
    }

    fn wait(&mut self, id: StepId, delay_ms: u64) {
        self.emit(Event::Waiting { step: id, delay_ms, what: WaitFor::Time });
        let attempt = self.state.step(id).attempt;
        self.arm(id, Timer::Wait(id, attempt), delay_ms);
        self.arm_timeout(id, attempt);
    }

    pub(super) fn arm_timeout(&mut self, id: StepId, attempt: u32) {
        if let Some(delay_ms) = self.state.plan.step(id).policy().timeout_ms {
            self.effect(Effect::Arm { timer: Timer::Timeout(id, attempt), delay_ms });
        }
    }

    /// Arms a timer by which the step goes on.
    pub(super) fn arm(&mut self, id: StepId, timer: Timer, delay_ms: u64) {
        self.nodes[id.index()].set(node::ARMED);
        self.pending += 1;
        self.effect(Effect::Arm { timer, delay_ms });
    }
}
