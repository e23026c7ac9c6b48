//! What the machine's effects mean: a function each, where there is something to say.

use std::sync::Arc;

use super::driver::Driver;
use crate::engine::machine::{Effect, Input};
use crate::event::{Failure, FailureKind, Outcome};
use crate::exec::{Work, waits_for_commit};
use crate::plan::StepId;

impl Driver {
    pub(super) fn perform(&mut self, effect: Effect) {
        let state = &self.machine.state;
        match effect {
            Effect::Attempt { step, attempt } => self.attempt(step, attempt),
            Effect::Decide { step, branch } => self.decide(step, branch),
            Effect::Judge { step, attempt, outcome } => {
                self.round.inside.push(self.gatherer.judge(state, step, attempt, outcome));
            }
            Effect::Watch(_) => self.lookout.nudge(),
            Effect::Expand { step, iteration } => {
                // Only the latest question counts.
                self.expansions.retain(|(other, _)| *other != step);
                self.expansions.push_back((step, iteration));
            }
            Effect::Arm { timer, delay_ms } => self.arming.push((timer, delay_ms)),
            Effect::Kill { step, attempt, hard } => self.kill(step, attempt, hard),
            Effect::LetEnd(step) => self.executor.let_end(step),
            Effect::CloseStream { step, attempt } => self.executor.close_stream(step, attempt),
            Effect::Ready(step) => self.ready(step),
            Effect::Close => self.round.close = true,
        }
    }

    /// An attempt begins with the end of the round; one that has to wait for that, when the round is committed. Where there
    /// is a cache, a look at it comes first.
    fn attempt(&mut self, step: StepId, attempt: u32) {
        let work = self.gatherer.attempt(&self.machine, step, attempt);
        if matches!(work, Work::Lookup(_)) {
            self.lookups.insert((step, attempt), true);
        }
        self.begin(work);
    }

    /// Puts work to where it begins.
    pub(super) fn begin(&mut self, work: Work) {
        if let (true, Work::Attempt(job)) = (work.waits_for_commit(), &work) {
            self.outside.insert((job.step, job.attempt));
            self.round.outside.push(work);
        } else {
            self.round.inside.push(work);
        }
    }

    /// A condition may be asked for again while it is still being evaluated, if its group is tried again. Then only the
    /// latest answer counts.
    fn decide(&mut self, step: StepId, branch: u32) {
        self.questions += 1;
        let work = self.gatherer.decide(&self.machine.state, step, branch, self.questions);
        if let Some(work) = work {
            self.asked.insert((step, branch), self.questions);
            self.round.inside.push(work);
        }
    }

    /// Do attempts of this step begin only after a commit?
    pub(super) fn is_outside(&self, step: StepId) -> bool {
        let step = self.machine.state.plan.step(step);
        waits_for_commit(&step.task, step.policy.as_deref())
    }

    fn kill(&mut self, step: StepId, attempt: u32, hard: bool) {
        let key = (step, attempt);
        if let Some(wanted) = self.lookups.get_mut(&key) {
            if !std::mem::replace(wanted, false) {
                return;
            }
            self.executor.kill(step, attempt, hard);
        } else if self.outside.contains(&key) {
            return self.executor.kill(step, attempt, hard);
        } else if self.is_outside(step) || self.finds_out(step) {
            return;
        }
        // A closure cannot be ended from outside, and a look at the cache need not be. It is let go of; what it gives is
        // not looked at.
        let error = Failure::new(FailureKind::Cancelled, "it was ended before it was done")
            .help("it was cancelled, or the run was");
        let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
        self.round.inputs.push_back(Input::Finished { step, attempt, outcome });
    }

    /// A task that waits is about to say for what, and the machine knows what that means now.
    fn finds_out(&self, step: StepId) -> bool {
        self.machine.state.plan.step(step).task.waits()
    }

    /// Those who wait for a step get its result.
    fn ready(&mut self, step: StepId) {
        let result = self.gatherer.result(&self.machine.state, step);
        for reply in self.wanted.remove(&step).into_iter().flatten() {
            // Nobody may wait for it any more.
            let _ = reply.send(result.clone());
        }
    }
}
