//! Beginning, and beginning again: everything the machine keeps follows from the state.

use super::node::{self, Node, Part};
use super::wait::outcome_of;
use super::{Effect, Machine, Timer};
use crate::engine::limits::{MINUTE, asked};
use crate::event::{Event, Stop, WaitFor};
use crate::plan::{StepId, Task};
use crate::state::Status;

impl Machine {
    /// Sets up what is kept of each step.
    pub(super) fn index(&mut self) {
        self.nodes.resize_with(self.state.plan.steps.len(), Node::default);
        for id in self.state.plan.ids() {
            self.count_waits(id);
            if !self.state.step(id).status.is_final() {
                self.count_in_group(id);
            }
        }
        self.sort_into_parts();
        self.limits.set(&self.state.plan.header.limits);
        self.learn_writers(&[]);
        self.make_ledger();
        for i in 0..self.state.decisions.len() {
            let decided = &self.state.decisions[i];
            let (id, branch, result) = (decided.step, decided.branch, decided.result.clone());
            // A flow or loop with a condition of its own was asked for that first.
            let own = self.state.plan.step(id).when.is_some() && !self.decided.contains_key(&(id, node::OWN));
            let handled: Vec<StepId> = decided.saw.iter().filter(|read| read.handles).map(|read| read.step).collect();
            self.decided.insert((id, if own { node::OWN } else { branch }), result);
            handled.into_iter().for_each(|read| self.looked_at(id, read));
        }
    }

    /// `Input::Start`.
    pub(super) fn begin(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        if self.state.status.is_final() {
            self.effect(Effect::Close);
            self.over = true;
            return;
        }
        let rolls_back = self.state.rolling_back.is_some();
        for id in self.state.plan.ids() {
            if !rolls_back || self.nodes[id.index()].part == Part::Undo {
                self.take_up(id);
            } else if self.is(id, Status::Running) && !self.is_group(id) {
                let attempt = self.state.step(id).attempt;
                self.emit(Event::Interrupted { step: id, attempt });
            }
        }
        self.take_up_streams();
        if rolls_back {
            self.take_up_rollback();
            self.wake_all();
            return;
        }
        for id in self.state.plan.ids() {
            if self.nodes[id.index()].has(node::TIMED_OUT) {
                self.abort_below(id);
            }
        }
        self.take_up_quorums();
        self.conclude_answered();
        self.arm_run();
        let hard = self.state.plan.ids().find(|id| self.stops_run(*id));
        match (self.state.stopping, hard) {
            (Some(reason), _) => self.carry_out(reason),
            (None, Some(step)) => self.stop(Stop::Failure(step)),
            (None, None) => {}
        }
        self.wake_all();
    }

    /// Steps whose answer is written down, but not yet what follows from it.
    fn conclude_answered(&mut self) {
        for id in self.state.plan.ids() {
            let step = self.state.step(id);
            if step.status == Status::Waiting
                && let Some(answer) = step.answer.clone()
            {
                let what = step.waits_for.clone().unwrap_or_default();
                self.go_on_after_wait(id, outcome_of(&what, &answer));
            }
        }
    }

    /// Goes on with what an earlier process left.
    fn take_up(&mut self, id: StepId) {
        let step = self.state.step(id);
        let (attempt, status) = (step.attempt, step.status);
        let rest = step.until.saturating_sub(self.at);
        self.count_latest_minute(id);
        match status {
            Status::Running if self.is_group(id) && !self.is_stream(id) => {
                self.hold(id);
                self.arm_timeout(id, attempt);
                if self.was_timed_out(id) {
                    self.nodes[id.index()].set(node::TIMED_OUT);
                }
            }
            Status::Running => self.emit(Event::Interrupted { step: id, attempt }),
            // It begins again with its stream.
            Status::Retrying if self.stream_of(id).is_some() => {}
            Status::Retrying => self.arm(id, Timer::Retry(id, attempt), rest),
            Status::Waiting => {
                self.hold(id);
                let (what, until) =
                    (self.state.step(id).waits_for.clone().unwrap_or_default(), self.state.step(id).until);
                match (&*what, &*self.state.plan.step(id).task) {
                    (WaitFor::Time, Task::Wait(_)) => {
                        self.arm(id, Timer::Wait(id, attempt), rest);
                        self.arm_timeout(id, attempt);
                    }
                    (WaitFor::Time, _) => self.look_out(id, &what, Some(rest)),
                    _ => {
                        self.look_out(id, &what, None);
                        if until > 0 {
                            self.effect(Effect::Arm { timer: Timer::Timeout(id, attempt), delay_ms: rest });
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// What was open holds its shares, whatever the limits say by now.
    fn hold(&mut self, id: StepId) {
        if self.asks_for_limits(id) {
            let shares = self.shares_of(id);
            self.limits.hold(id, shares);
        }
    }

    /// Shares of a `per_minute` that the earlier process took a moment ago. Only a step's first attempt is known by its
    /// time, so that after a resume a little more may run than the limit says.
    fn count_latest_minute(&mut self, id: StepId) {
        let since = self.state.step(id).started_at;
        let ago = self.at.saturating_sub(since);
        if since == 0 || ago >= MINUTE || !self.asks_for_limits(id) {
            return;
        }
        for (limit, n) in self.limits.shares(&asked(&self.state.plan, id)) {
            if self.limits.count_minute((limit, n)) {
                self.effect(Effect::Arm { timer: Timer::Minute(limit, n), delay_ms: MINUTE - ago });
            }
        }
    }

    /// A group that was being ended by its timeout when the process died: something in it was cancelled for that reason.
    fn was_timed_out(&self, id: StepId) -> bool {
        let Some(timeout) = self.state.plan.step(id).policy().timeout_ms else { return false };
        let due = self.state.step(id).started_at.saturating_add(timeout);
        // A stream ends its own members, too.
        let cancelled = |inner: StepId| {
            let state = self.state.step(inner);
            state.status == Status::Cancelled && state.finished_at >= due && self.stream_of(inner).is_none()
        };
        self.state.stopping.is_none() && self.below(id).into_iter().any(cancelled)
    }
}
