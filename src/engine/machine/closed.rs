//! What follows at once from a step that has become final.

use super::node::{self, Part};
use super::{Effect, Machine};
use crate::plan::{EdgeKind, OnError, Rule, StepId, Task};
use crate::state::{Seen, Status};

impl Machine {
    /// A step has become final: those who wait for it get a look. To be called once, right after the event.
    pub(super) fn closed(&mut self, id: StepId) {
        let node = &mut self.nodes[id.index()];
        let part = node.part;
        let waited = node.take(node::PENDING);
        let wanted = node.take(node::WANTED);
        node.clear(node::QUEUED | node::PARKED);
        self.pending -= waited.count_ones();
        self.ledger.let_go(id);
        self.open[part as usize] -= 1;
        if wanted != 0 {
            self.wanted -= 1;
            self.effect(Effect::Ready(id));
        }
        if self.asks_for_limits(id) {
            self.limits.give_back(id);
        }
        if self.failed_hard.is_none() && self.stops_run(id) {
            self.failed_hard = Some(id);
        }
        self.wake_successors(id);
        let step = self.state.plan.step(id);
        if let (Some(parent), None) = (step.parent, step.undoes) {
            let group = &mut self.nodes[parent.index()];
            group.open -= 1;
            // Alternatives are tried one after the other.
            if group.open == 0 || group.flow {
                self.wake(parent);
            }
            match *self.state.plan.step(parent).task {
                Task::Stream(_) => self.member_closed(parent, id),
                Task::Quorum(_) => self.wake(parent),
                _ => {}
            }
        }
        self.wake_alerts_of(id);
        self.topic_closed(id);
        if part != Part::Main && self.open[part as usize] == 0 {
            self.wake_all();
        }
    }

    fn wake_successors(&mut self, id: StepId) {
        let seen = self.state.seen(id);
        let plan = &self.state.plan;
        for edge in self.graph.successors(id) {
            let next = &mut self.nodes[edge.from.index()];
            let wake = if edge.kind == EdgeKind::Condition {
                next.reads -= 1;
                // The conditions of a flow's branches are asked for one after the other.
                next.reads == 0 || next.flow
            } else {
                next.waits -= 1;
                next.waits == 0
                    || match plan.step(edge.from).policy().rule {
                        Rule::OneSuccess => seen == Seen::Success,
                        Rule::OneFailed => seen == Seen::Failed,
                        _ => false,
                    }
            };
            if wake && !next.has(node::IN_WORK) {
                next.set(node::IN_WORK);
                self.work.push_back(edge.from);
            }
        }
    }

    /// Does nothing new start after the failure of this step?
    pub(super) fn stops_run(&self, id: StepId) -> bool {
        if self.state.step(id).status != Status::Failed || self.nodes[id.index()].part != Part::Main {
            return false;
        }
        match self.state.plan.step(id).policy().on_error {
            Some(reaction) => reaction == OnError::Stop,
            None => {
                let handles = |group| {
                    matches!(self.state.plan.step(group).policy().on_error, Some(OnError::Continue | OnError::Skip))
                };
                // Of a quorum not all need to succeed; if too few do, it is a failure itself.
                let spares = |group| handles(group) || matches!(*self.state.plan.step(group).task, Task::Quorum(_));
                self.settings().on_failure == Some(OnError::Stop) && !self.groups_of(id).any(spares)
            }
        }
    }
}
