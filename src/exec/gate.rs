//! Breakers: an attempt of a step that has one asks before it begins.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Job;
use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::{Policy, StepId, Task};
use crate::state::breaker::Admission;

/// Knows the breakers, which runs share. A door: flow's are in its store.
pub trait Breakers: Send + Sync {
    /// May this attempt pass? Of those that find a breaker open whose reset time is over, exactly one is told
    /// [`Admission::Try`], in all processes. May wait for the disk.
    fn admit(&self, breaker: &str, step: StepId, attempt: u32) -> Admission;
}

/// The breaker that attempts of a task have to pass.
pub(super) fn breaker<'a>(task: &Task, policy: Option<&'a Policy>) -> Option<&'a SmolStr> {
    policy.and_then(|policy| policy.breaker.as_ref()).filter(|_| !task.waits() && !task.is_group())
}

/// Makes an attempt, unless its breaker refuses. The outcome names the breaker if the attempt was made.
pub(super) fn passed(
    breakers: Option<&Arc<dyn Breakers>>,
    job: &Job,
    attempt: impl FnOnce() -> Outcome,
) -> Result<Outcome, Failure> {
    let (Some(name), Some(breakers)) = (breaker(&job.task, job.policy.as_deref()), breakers) else {
        return Ok(attempt());
    };
    if let Admission::Refused(why, next_ms) = breakers.admit(name, job.step, job.attempt) {
        let message = format!("the breaker `{name}` is {why}");
        let help = format!(
            "`flow breakers` says what opened it; `flow breakers reset {name}` closes it, once what it guards works again"
        );
        let failure = Failure::new(FailureKind::Breaker, message).help(help);
        return Err(Failure { retry_after_ms: Some(next_ms), ..failure });
    }
    Ok(Outcome { breaker: Some(name.clone()), ..attempt() })
}
