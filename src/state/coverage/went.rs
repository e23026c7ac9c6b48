//! What an event says about decisions.

use super::Choice;
use crate::event::{Because, Decision, Event, FailureKind, Skip, WaitFor};
use crate::plan::{StepId, Task};
use crate::state::RunState;

/// Which decisions an event says something about, and which way they went. The state is that after it.
pub(super) fn went(state: &RunState, event: &Event) -> Vec<(StepId, u32, Choice, bool)> {
    let plan = &state.plan;
    let mut all = Vec::new();
    match event {
        Event::Decided { step, branch, result: Decision::Is(way), .. } => match &*plan.step(*step).task {
            // A step's own condition is decided before it begins.
            _ if plan.step(*step).when.is_some() && state.step(*step).started_at == 0 => {
                all.push((*step, 0, Choice::When, *way));
            }
            Task::Flow(_) => all.push((*step, *branch, Choice::Branch, *way)),
            Task::Repeat(_) => all.push((*step, 0, Choice::Until, *way)),
            _ => all.push((*step, 0, Choice::When, *way)),
        },
        Event::Started { step, attempt: 1 } => {
            for choice in [Choice::Rule, Choice::Fallback, Choice::Hook] {
                all.push((*step, 0, choice, true));
            }
        }
        Event::Waiting { step, .. } => {
            for choice in [Choice::Rule, Choice::Fallback, Choice::Hook] {
                all.push((*step, 0, choice, true));
            }
        }
        Event::Skipped { step, reason } => match reason {
            Skip::NotTaken(Because::Predecessor(_)) | Skip::UpstreamFailed(Because::Predecessor(_)) => {
                all.push((*step, 0, Choice::Rule, false));
            }
            Skip::NotTaken(Because::NotNeeded(_)) => all.push((*step, 0, Choice::Fallback, false)),
            Skip::NotTaken(Because::Moment) => all.push((*step, 0, Choice::Hook, false)),
            Skip::NotTaken(Because::Unanswered) => all.push((*step, 0, Choice::InTime, false)),
            _ => {}
        },
        Event::Answered { step, answer } => {
            all.push((*step, 0, Choice::InTime, !answer.by.is_empty() || is_file(state, *step)));
        }
        Event::Finished { step, outcome, .. } | Event::Retrying { step, outcome, .. } => {
            let again = matches!(event, Event::Retrying { .. });
            let kind = outcome.error.as_ref().map(|error| error.kind);
            match kind {
                None => all.push((*step, 0, Choice::Validate, true)),
                Some(FailureKind::Validation) => all.push((*step, 0, Choice::Validate, false)),
                _ => {}
            }
            match kind {
                None => all.push((*step, 0, Choice::Answer, true)),
                Some(FailureKind::Refused) => all.push((*step, 0, Choice::Answer, false)),
                Some(FailureKind::Timeout) => all.push((*step, 0, Choice::InTime, false)),
                _ => {}
            }
            if kind.is_some() {
                all.push((*step, 0, Choice::Again, again));
            }
        }
        _ => {}
    }
    all
}

/// A file is there by itself; nobody says so.
fn is_file(state: &RunState, step: StepId) -> bool {
    let step = state.step(step);
    match (step.waits_for.as_deref(), &step.answer) {
        (Some(WaitFor::File { path, .. }), Some(answer)) => answer.value == path.as_str(),
        _ => false,
    }
}
