//! How things turn out: attempts, conditions, judgements, fan-outs, answers.
//!
//! It depends on the seed, on the path of a step, and on how often it and the groups above it have failed before. It does
//! not depend on time, on ids, or on attempts that nobody counts because a process died. So a run that is disturbed
//! must end like one that is not.

use std::sync::Arc;

use flow::event::{Again, Answer, Decision, Failure, FailureKind, Outcome, Output, WaitFor};
use flow::exec::waits_for_commit;
use flow::plan::{Growth, Json, Plan, StepId, Task};
use flow::state::{RunState, Status};
use serde_json::json;

use super::dice::{Dice, hash, mix};
use super::draft;

/// See the module's page.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Everything follows from it.
    pub seed: u64,
}

/// How an attempt turns out.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It ends well.
    Well,
    /// It fails.
    Fails(FailureKind),
    /// It does not end by itself.
    Hangs,
}

impl World {
    /// Dice for one question about a step.
    pub fn about(self, state: &RunState, step: StepId, question: u64) -> Dice {
        let mut number = mix(self.seed ^ mix(question));
        let mut at = Some(step);
        while let Some(id) = at {
            let planned = state.plan.step(id);
            let name = planned.key.as_ref().unwrap_or(&planned.name);
            number = hash(name, number ^ (u64::from(state.step(id).failures) << 32));
            at = planned.parent;
        }
        Dice(number)
    }

    /// The attempt of a task that is going on.
    pub fn attempt(self, state: &RunState, step: StepId) -> Fate {
        let planned = state.plan.step(step);
        let mut dice = self.about(state, step, 1);
        if let Task::Fail(_) = *planned.task {
            return Fate::Fails(FailureKind::Fail);
        }
        let leaves = waits_for_commit(&planned.task, planned.policy.as_deref());
        let kinds =
            [FailureKind::Exit, FailureKind::Exit, FailureKind::Connection, FailureKind::Spawn, FailureKind::TooMuch];
        match dice.below(24) {
            0..=4 if leaves => Fate::Fails(dice.pick(&kinds)),
            0..=4 if matches!(*planned.task, Task::Call(_)) => Fate::Fails(FailureKind::Script),
            5..=7 if leaves && planned.policy().timeout_ms.is_some() => Fate::Hangs,
            8 if leaves && dice.one_in(12) => Fate::Hangs,
            _ => Fate::Well,
        }
    }

    /// Is an alert of the step raised while it runs? Whether a group is tried again makes no difference: that is once in a run.
    pub fn raises(self, state: &RunState, step: StepId) -> bool {
        !state.plan.step(step).policy().alerts.is_empty()
            && Dice(hash(&state.plan.path(step), self.seed ^ 0xa1e7)).one_in(2)
    }

    /// Is the result of the attempt in the cache?
    pub fn is_cached(self, state: &RunState, step: StepId) -> bool {
        self.about(state, step, 8).one_in(3)
    }

    /// What comes of an attempt of this fate, or of one that was ended.
    pub fn outcome(self, state: &RunState, step: StepId, attempt: u32, fate: &Fate) -> Outcome {
        let output = Output::Value(json!({ "of": state.plan.path(step), "attempt": attempt }));
        match fate {
            Fate::Well => Outcome { output, ..Outcome::default() },
            Fate::Fails(kind) => {
                let mut error = Failure::new(*kind, "it failed");
                if *kind == FailureKind::Connection && self.about(state, step, 2).one_in(3) {
                    error.retry_after_ms = Some(5_000);
                }
                let code = (*kind == FailureKind::Exit).then_some(1);
                Outcome { error: Some(error), output, code, ..Outcome::default() }
            }
            Fate::Hangs => {
                let error = Failure::new(FailureKind::Cancelled, "it was ended");
                Outcome { error: Some(error), ..Outcome::default() }
            }
        }
    }

    /// A condition, given how the steps that it reads have ended. Says also whether it looked at that.
    pub fn decide(self, state: &RunState, step: StepId, which: u64, read: &[Status]) -> (Decision, bool) {
        let mut dice = self.about(state, step, 1_000 + which);
        let looks = dice.percent(60);
        let value = match dice.below(16) {
            0 => return (Decision::Failed(Failure::new(FailureKind::Script, "no condition")), looks),
            1..=7 => dice.percent(60),
            8..=11 => read.contains(&Status::Failed),
            _ => read.iter().all(|status| *status == Status::Success),
        };
        (Decision::Is(value), looks)
    }

    /// What the policies of a step say about an end.
    pub fn judge(self, state: &RunState, step: StepId, mut outcome: Arc<Outcome>) -> (Arc<Outcome>, Option<Again>) {
        let policy = state.plan.step(step).policy();
        let mut dice = self.about(state, step, 3);
        if outcome.error.is_none() && policy.validate.is_some() && dice.one_in(3) {
            Arc::make_mut(&mut outcome).error = Some(Failure::new(FailureKind::Validation, "it is not valid"));
        }
        let again = (outcome.error.is_some() && policy.retry_if.is_some())
            .then(|| dice.pick(&[Again::No, Again::Yes, Again::Yes, Again::After(700)]));
        (outcome, again)
    }

    /// The children of a fan-out.
    pub fn expand(self, state: &RunState, plan: &Arc<Plan>, step: StepId, iteration: u32) -> Result<Growth, Failure> {
        let mut dice = self.about(state, step, 5_000 + u64::from(iteration));
        if dice.one_in(16) {
            return Err(Failure::new(FailureKind::Script, "no items"));
        }
        Ok(draft::expand(&mut dice, plan, step, iteration))
    }

    /// Milliseconds from the first attempt on until a moment that a step waits for.
    pub fn moment(self, state: &RunState, step: StepId) -> u64 {
        self.about(state, step, 6).time(400_000_000) / 1_000
    }

    /// The answer that a waiting step gets, if anybody answers at all before its timeout.
    pub fn answer(self, state: &RunState, step: StepId, what: &WaitFor) -> Option<Answer> {
        let mut dice = self.about(state, step, 7);
        if matches!(what, WaitFor::Answer { .. })
            && state.plan.step(step).policy().timeout_ms.is_some()
            && dice.one_in(3)
        {
            return None;
        }
        let value: Json = match what {
            WaitFor::Answer { choices, .. } => choices[dice.below(choices.len() as u64) as usize].as_str().into(),
            WaitFor::Signal { .. } => 7.into(),
            WaitFor::File { path, .. } => path.clone().into(),
            WaitFor::Time => return None,
        };
        Some(Answer { value, by: "somebody".into(), ..Answer::default() })
    }
}
