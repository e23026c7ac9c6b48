//! How attempts end: well, badly, to be made again, too late.

use std::sync::Arc;

use super::{Effect, Machine, Timer, node, retry};
use crate::event::{Event, Failure, FailureKind, Outcome, Stop, WaitFor};
use crate::plan::StepId;
use crate::state::Status;

impl Machine {
    pub(super) fn attempt_ended(&mut self, id: StepId, attempt: u32, mut outcome: Arc<Outcome>) {
        let Some(state) = self.state.steps.get(id.index()) else { return };
        // What is being judged has ended already: a closure that was let go of is still to be heard of.
        let over = state.status != Status::Running || self.nodes[id.index()].has(node::JUDGING);
        if over || state.attempt != attempt || self.is_group(id) || !self.started {
            return;
        }
        match self.stream_of(id) {
            Some(stream) => self.note_end_of_member(stream, id, &outcome),
            None => self.attempt_over(id),
        }
        let node = &mut self.nodes[id.index()];
        let ended = node.take(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::OVERSPENT | node::KILLED);
        let cancelled = outcome.error.as_ref().is_some_and(|error| error.kind == FailureKind::Cancelled);
        if self.asks_for_limits(id) {
            self.limits.give_back(id);
        }
        if ended & (node::ABORTED | node::UNNEEDED) != 0 && outcome.error.is_some() {
            self.note_use(id, attempt, &outcome);
            self.cut_off(id);
            self.ended(id);
        } else if ended & node::TIMED_OUT != 0 {
            Arc::make_mut(&mut outcome).error = Some(self.too_late(id));
            self.conclude(id, attempt, outcome);
        } else if ended & node::OVERSPENT != 0 && outcome.error.is_some() {
            self.overspent(id, &mut outcome);
            self.conclude(id, attempt, outcome);
        } else if cancelled && self.state.stopping == Some(Stop::Interrupted) {
            self.note_use(id, attempt, &outcome);
            self.emit(Event::Interrupted { step: id, attempt });
        } else {
            self.conclude(id, attempt, outcome);
        }
    }

    /// A step is final; in a run that is being interrupted, nothing follows from it yet.
    pub(super) fn ended(&mut self, id: StepId) {
        match self.state.stopping {
            Some(Stop::Interrupted) => self.late.push(id),
            _ => self.closed(id),
        }
    }

    pub(super) fn too_late(&self, id: StepId) -> Failure {
        let timeout = self.state.plan.step(id).policy().timeout_ms.unwrap_or_default();
        Failure::new(FailureKind::Timeout, format!("took longer than its timeout of {}", retry::spelled(timeout)))
            .help("give it more time with `.timeout(…)`, or find out what it waits for")
    }

    pub(super) fn fired(&mut self, timer: Timer) {
        if self.state.stopping == Some(Stop::Interrupted) {
            return;
        }
        match timer {
            Timer::Retry(id, attempt) => {
                if self.is(id, Status::Retrying) && self.state.step(id).attempt == attempt && self.disarm(id) {
                    match self.stream_of(id) {
                        Some(_) if self.may_spend_again(id) => self.attempt_of_member(id),
                        Some(_) => {}
                        None => self.start(id),
                    }
                }
            }
            Timer::Wait(id, attempt) => {
                let step = self.state.step(id);
                let lets_time_pass = step.waits_for.as_deref() == Some(&WaitFor::Time);
                if step.status == Status::Waiting && lets_time_pass && step.attempt == attempt {
                    self.disarm(id);
                    self.limits.give_back(id);
                    self.conclude(id, attempt, Arc::default());
                }
            }
            Timer::Timeout(id, attempt) => self.timed_out(id, attempt),
            Timer::Minute(limit, shares) => self.limits.minute_over((limit, shares)),
            Timer::Run if self.result.is_none() => self.stop(Stop::Timeout),
            Timer::Run => {}
        }
    }

    fn timed_out(&mut self, id: StepId, attempt: u32) {
        // What is being judged came in time.
        if self.nodes.get(id.index()).is_none_or(|node| node.has(node::JUDGING)) {
            return;
        }
        if self.is(id, Status::Waiting) {
            if attempt == self.state.step(id).attempt {
                self.nobody_came(id, attempt);
            }
        } else if self.is(id, Status::Running)
            && self.state.step(id).attempt == attempt
            && !self.nodes[id.index()].has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::DECIDED)
        {
            self.nodes[id.index()].set(node::TIMED_OUT);
            if self.is_group(id) {
                self.abort_below(id);
                self.wake(id);
            } else {
                self.kill(id, false);
            }
        }
    }

    pub(super) fn is(&self, id: StepId, status: Status) -> bool {
        self.state.steps.get(id.index()).is_some_and(|step| step.status == status)
    }

    pub(super) fn disarm(&mut self, id: StepId) -> bool {
        let armed = self.nodes[id.index()].take(node::ARMED) != 0;
        self.pending -= u32::from(armed);
        armed
    }

    /// Has an attempt ended, once gently and once hard at most.
    pub(super) fn kill(&mut self, id: StepId, hard: bool) {
        let again = self.nodes[id.index()].has(node::KILLED);
        if hard || !again {
            self.nodes[id.index()].set(node::KILLED);
            self.effect(Effect::Kill { step: id, attempt: self.state.step(id).attempt, hard });
        }
    }
}
