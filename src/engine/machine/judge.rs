//! From an outcome to what follows: is it valid, what class of failure is it, is there another attempt?

use std::sync::Arc;

use super::{Effect, Machine, Timer, node, retry};
use crate::event::classify;
use crate::event::{Again, Event, FailureKind, Outcome, Stop};
use crate::plan::{Retry, StepId, Strategy, Task};

impl Machine {
    /// Ends a step (or a group) by an outcome, unless its policies have something to say, or there will be another
    /// attempt.
    pub(super) fn conclude(&mut self, id: StepId, attempt: u32, outcome: Arc<Outcome>) {
        let outcome = self.classified(outcome);
        if self.asks(id, &outcome) {
            self.nodes[id.index()].set(node::JUDGING);
            self.pending += 1;
            self.effect(Effect::Judge { step: id, attempt, outcome });
        } else {
            self.decide_end(id, attempt, outcome, None);
        }
    }

    /// Have the step's policies to be asked about this outcome?
    fn asks(&self, id: StepId, outcome: &Outcome) -> bool {
        let Some(policy) = self.state.plan.step(id).policy.as_deref() else { return false };
        match &outcome.error {
            None => policy.validate.is_some(),
            Some(error) => {
                policy.retry_if.is_some() && error.kind != FailureKind::Cancelled && self.has_attempts_left(id)
            }
        }
    }

    /// The answer to [`Effect::Judge`].
    pub(super) fn judged(&mut self, id: StepId, attempt: u32, outcome: Arc<Outcome>, again: Option<Again>) {
        let Some(node) = self.nodes.get_mut(id.index()) else { return };
        if !node.has(node::JUDGING) || self.state.step(id).attempt != attempt {
            return;
        }
        node.clear(node::JUDGING);
        self.pending -= 1;
        if node.take(node::ABORTED | node::UNNEEDED) != 0 {
            self.cut_off(id);
            return self.ended(id);
        }
        let outcome = self.classified(outcome);
        self.decide_end(id, attempt, outcome, again);
    }

    /// With the class of its failure.
    pub(super) fn classified(&self, mut outcome: Arc<Outcome>) -> Arc<Outcome> {
        if let Some(error) = &outcome.error {
            let class = classify(&outcome, self.settings());
            if error.class != class
                && let Some(error) = &mut Arc::make_mut(&mut outcome).error
            {
                error.class = class;
            }
        }
        outcome
    }

    fn decide_end(&mut self, id: StepId, attempt: u32, outcome: Arc<Outcome>, again: Option<Again>) {
        match self.delay_before_next(id, &outcome, again) {
            Some(delay_ms) => {
                self.emit(Event::Retrying { step: id, attempt, outcome, delay_ms });
                if self.is_group(id) {
                    self.limits.give_back(id);
                    self.begin_again(id);
                }
                if self.state.stopping != Some(Stop::Interrupted) {
                    self.arm(id, Timer::Retry(id, self.state.step(id).attempt), delay_ms);
                }
            }
            None => {
                let failed = outcome.error.is_some();
                self.emit(Event::Finished { step: id, attempt, outcome });
                self.ended(id);
                if failed && self.is_group(id) {
                    self.skip_below(id);
                }
            }
        }
    }

    /// What is said about further attempts: by the step, or by the strategy for a class of failures.
    fn retry_of(&self, id: StepId, strategy: &Strategy) -> Option<Retry> {
        let step = self.state.plan.step(id);
        let policy = step.policy();
        match strategy {
            // Alternatives are tried one after the other; each has attempts of its own.
            _ if matches!(*step.task, Task::Fallback(_)) => None,
            _ if policy.retry.is_some() => policy.retry.clone(),
            _ if policy.retry_if.is_some() => Some(Retry::default()),
            Strategy::Retry(Some(retry)) if !step.task.is_group() => Some(retry.clone()),
            _ => None,
        }
    }

    fn has_attempts_left(&self, id: StepId) -> bool {
        let retry = self.retry_of(id, &Strategy::Fail);
        !self.nodes[id.index()].has(node::READ)
            && retry.is_some_and(|retry| self.state.step(id).failures + 1 < retry.max_attempts)
            && !self.is_stopped(id)
    }

    fn is_stopped(&self, id: StepId) -> bool {
        self.halted(id) && self.state.stopping != Some(Stop::Interrupted)
    }

    /// Milliseconds before the next attempt, if there is one. Interrupted attempts do not count; a cancelled one is never
    /// made again.
    fn delay_before_next(&self, id: StepId, outcome: &Outcome, again: Option<Again>) -> Option<u64> {
        let error = outcome.error.as_ref()?;
        let strategy = self.settings().strategy(error.class);
        let retry = self.retry_of(id, &strategy)?;
        let failures = self.state.step(id).failures + 1;
        let too_late = self.is_stopped(id) || self.nodes[id.index()].has(node::READ);
        if error.kind == FailureKind::Cancelled || failures >= retry.max_attempts || too_late {
            return None;
        }
        let delay = retry::delay_ms(&retry, failures, self.state.created.seed, id);
        let delay = match (again, strategy) {
            (Some(Again::No), _) | (None, Strategy::Fail) => return None,
            (Some(Again::After(ms)), _) => return Some(ms),
            // Who is asked for more knows best how long it takes.
            (_, Strategy::Wait(least)) => delay.max(least.or(error.retry_after_ms).unwrap_or(Strategy::WAIT_MS)),
            _ => delay,
        };
        Some(delay.max(error.retry_after_ms.unwrap_or(0)))
    }
}
