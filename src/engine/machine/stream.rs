//! Streams: their members start together or not at all, and end together where one fails. And what streams and pipelines
//! tell while they run.

use super::node;
use super::{Effect, Machine};
use crate::event::{Alerted, Because, Event, Flowed, Outcome, ResetWhy, Skip};
use crate::plan::{OnError, StepId, Task};
use crate::state::Status;

impl Machine {
    pub(super) fn is_stream(&self, id: StepId) -> bool {
        matches!(*self.state.plan.step(id).task, Task::Stream(_))
    }

    pub(super) fn stream_of(&self, id: StepId) -> Option<StepId> {
        self.state.plan.stream_of(id)
    }

    fn members(&self, stream: StepId) -> Vec<StepId> {
        self.state.plan.members(stream)
    }

    /// A stream has its slot and its limits: all members start.
    pub(super) fn open_stream(&mut self, id: StepId) {
        self.forget_members(id);
        let attempt = self.state.step(id).attempt + 1;
        self.running += 1;
        self.emit(Event::Started { step: id, attempt });
        self.arm_timeout(id, attempt);
        self.nodes[id.index()].set(node::FLOWING | node::COMPLETE);
        for member in self.members(id) {
            self.attempt_of_member(member);
        }
        self.wake(id);
    }

    /// Takes no slot and no limits: the stream has them.
    pub(super) fn attempt_of_member(&mut self, id: StepId) {
        let attempt = self.state.step(id).attempt + 1;
        self.nodes[id.index()].clear(node::READ);
        self.emit(Event::Started { step: id, attempt });
        self.effect(Effect::Attempt { step: id, attempt });
        self.arm_timeout(id, attempt);
    }

    /// Of a stream that begins (again) nothing is kept.
    fn forget_members(&mut self, id: StepId) {
        let mut members = self.members(id);
        members.retain(|member| self.state.step(*member).status != Status::Pending);
        if !members.is_empty() {
            self.reset(members, Vec::new(), ResetWhy::Stream(id));
        }
    }

    /// Another process takes up the run: streams that are not at their end begin again wholly. Their members that were
    /// running, and they themselves, have been interrupted.
    pub(super) fn take_up_streams(&mut self) {
        for id in self.state.plan.ids() {
            if self.is_stream(id) && self.is(id, Status::Pending) {
                self.forget_members(id);
            }
        }
    }

    /// An open stream gets a look: does it go on, has it to be broken off, is it at its end?
    pub(super) fn consider_stream(&mut self, id: StepId) {
        let node = &self.nodes[id.index()];
        if !node.has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::DECIDED)
            && self.members(id).iter().any(|member| self.breaks_stream(*member))
        {
            self.nodes[id.index()].set(node::DECIDED);
            self.abort_below(id);
        }
        if self.nodes[id.index()].open == 0 {
            self.close_stream(id);
            self.end_group(id);
        }
    }

    /// Has it ended so that those who read it would wait for ever?
    fn breaks_stream(&self, member: StepId) -> bool {
        match self.state.step(member).status {
            Status::Failed => !self.is_let_end(member),
            Status::Cancelled | Status::Skipped => true,
            _ => false,
        }
    }

    fn is_let_end(&self, member: StepId) -> bool {
        matches!(self.state.plan.step(member).policy().on_error, Some(OnError::Continue | OnError::Skip))
    }

    /// A member is final.
    pub(super) fn member_closed(&mut self, stream: StepId, member: StepId) {
        let ends = self.nodes[stream.index()].has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::DECIDED);
        let may_end = match self.state.step(member).status {
            Status::Failed => self.is_let_end(member),
            // Until then its readers have not seen the end of what it wrote.
            Status::Success => self.state.plan.step(member).policy().validate.is_some(),
            _ => false,
        };
        if may_end && self.is(stream, Status::Running) && !ends {
            self.effect(Effect::LetEnd(member));
        }
        self.wake(stream);
    }

    /// All members have ended: what the stream holds is free.
    pub(super) fn close_stream(&mut self, id: StepId) {
        if self.nodes[id.index()].take(node::FLOWING) != 0 {
            self.running -= 1;
            self.limits.give_back(id);
            self.effect(Effect::CloseStream { step: id, attempt: self.state.step(id).attempt });
        }
    }

    /// In a run that is being interrupted: streams of which nothing goes on any more.
    pub(super) fn close_quiet_streams(&mut self) {
        for id in self.state.plan.ids() {
            let flows = self.nodes[id.index()].has(node::FLOWING);
            if flows && !self.members(id).iter().any(|member| self.is(*member, Status::Running)) {
                self.close_stream(id);
                self.emit(Event::Interrupted { step: id, attempt: self.state.step(id).attempt });
            }
        }
    }

    /// An attempt of a member has ended by itself. If it did so well, its readers have seen the end of what it wrote, and
    /// another attempt would come too late for them, should it turn out that it failed: that it is not valid, or was too slow.
    pub(super) fn note_end_of_member(&mut self, stream: StepId, id: StepId, outcome: &Outcome) {
        if let Task::Stream(stream) = &*self.state.plan.step(stream).task
            && outcome.error.is_none()
            && !stream.readers(id).is_empty()
        {
            self.nodes[id.index()].set(node::READ);
        }
    }

    /// Is this attempt of a stream or a pipeline going on?
    fn flows(&self, step: StepId, attempt: u32) -> bool {
        self.is(step, Status::Running) && self.state.step(step).attempt == attempt
    }

    pub(super) fn flowed(&mut self, flowed: Flowed) {
        if self.flows(flowed.step, flowed.attempt) {
            self.emit(Event::Flowed(Box::new(flowed)));
        }
    }

    pub(super) fn alerted(&mut self, alerted: Alerted) {
        if self.is(alerted.step, Status::Running) {
            let watched = alerted.step;
            self.emit(Event::Alerted(Box::new(alerted)));
            self.wake_alerts_of(watched);
        }
    }

    /// Those who run when alerts of a step are raised get a look.
    pub(super) fn wake_alerts_of(&mut self, watched: StepId) {
        for n in 0..self.state.plan.step(watched).policy().alerts.len() {
            if let Some(action) = self.state.plan.step(watched).policy().alerts[n].action {
                self.wake(action);
            }
        }
    }

    /// Has the alert been raised that a step waits for? Nothing: that is not known yet.
    pub(super) fn is_alerted(&self, id: StepId) -> Option<bool> {
        let Some(on) = self.state.plan.step(id).on_alert else { return Some(true) };
        match self.state.was_raised(on) {
            true => Some(true),
            false if self.state.step(on.step).status.is_final() => Some(false),
            false => None,
        }
    }

    /// As [`Machine::is_alerted`]; a step whose alert does not come is skipped.
    pub(super) fn alert_met(&mut self, id: StepId) -> bool {
        match self.is_alerted(id) {
            Some(false) => {
                self.skip(id, Skip::NotTaken(Because::Moment));
                false
            }
            met => met == Some(true),
        }
    }
}
