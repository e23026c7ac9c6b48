//! What an event is to a person who watches, in a line.

use crate::event::{Because, Event, Outcome, Skip, Stop, WaitFor};
use crate::plan::StepId;
use crate::state::{RunState, Status};
use crate::view::look::one_line;
use crate::view::{Look, agents, flowed, reason, time, waits};

/// A line.
pub(super) struct News {
    /// Begins with the sign of a status.
    pub line: String,
    /// Is it worth a line where the board shows what runs?
    pub stays: bool,
}

/// Does the event tell of something that goes wrong, or was printed by the script?
pub(super) fn is_trouble(event: &Event) -> bool {
    match event {
        Event::Retrying { .. } | Event::Interrupted { .. } | Event::Printed { .. } | Event::Stopping { .. } => true,
        Event::Finished { outcome, .. } => outcome.error.is_some(),
        Event::Alerted(_) => true,
        _ => false,
    }
}

/// The news of an event that has been applied to the state. Groups are no news, unless they fail by themselves.
pub(super) fn of(state: &RunState, event: &Event, look: Look) -> Vec<News> {
    let one = |id: StepId, status: Status, what: &str, stays: bool| {
        let line = format!("{} {}: {what}", look.bare_sign(status), one_line(&state.plan.path(id)));
        vec![News { line, stays }]
    };
    let is_group = |id: StepId| state.plan.step(id).task.is_group();
    match event {
        Event::Started { step, .. } if is_group(*step) => Vec::new(),
        Event::Started { step, attempt: 1 } => one(*step, Status::Running, "started", false),
        Event::Started { step, attempt } => one(*step, Status::Running, &format!("attempt {attempt} started"), false),
        Event::Waiting { step, delay_ms, what } => {
            let said = reason::waits_for(what, *delay_ms);
            one(*step, Status::Waiting, &format!("waits {said}"), *what != WaitFor::Time)
        }
        Event::Answered { step, answer } => {
            let said = waits::answered(&state.plan, *step, answer);
            one(*step, Status::Waiting, &said, true)
        }
        Event::RollingBack(back) => {
            vec![News {
                line: format!("{} rolling back to `{}`", look.bare_sign(Status::Retrying), back.to),
                stays: true,
            }]
        }
        Event::Finished { step, .. } if is_group(*step) && !fails_by_itself(state, *step) => Vec::new(),
        Event::Finished { step, outcome, .. } => {
            let took = took(state, *step, outcome);
            match outcome.error {
                None => {
                    let cached = reason::cached(Some(outcome), None);
                    let cached = cached.map_or(String::new(), |said| format!(", {said}"));
                    let flowed = flowed::counts_of(state, *step).map(|counts| flowed::counts(&counts));
                    let mut said: Vec<String> =
                        flowed.or(outcome.streamed.as_deref().map(flowed::streamed)).into_iter().collect();
                    said.extend(agents::over(state, *step));
                    let flowed = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
                    one(*step, Status::Success, &format!("done in {took}{cached}{flowed}"), true)
                }
                Some(_) => {
                    let said = reason::failed(Some(outcome));
                    // One whose condition could not be evaluated never began.
                    let after = if state.step(*step).started_at > 0 { format!(" after {took}") } else { String::new() };
                    one(*step, Status::Failed, &format!("failed{after}: {said}"), true)
                }
            }
        }
        Event::Retrying { step, attempt, outcome, delay_ms } => {
            let said = reason::failed(Some(outcome));
            let next = format!("attempt {} in {}", attempt + 1, time::duration(*delay_ms));
            one(*step, Status::Retrying, &format!("attempt {attempt} failed: {said}; {next}"), true)
        }
        Event::Alerted(alerted) => one(alerted.step, Status::Waiting, &flowed::raised(state, alerted), true),
        // What had begun is at its end now, and why.
        Event::Skipped { step, .. } if reason::ended(state, *step).is_some() => match is_group(*step) {
            true => Vec::new(),
            false => one(*step, Status::Skipped, &reason::ended_after(state, *step).unwrap_or_default(), true),
        },
        // The skip of a group says it all.
        Event::Skipped {
            reason: Skip::NotTaken(Because::Group(_)) | Skip::UpstreamFailed(Because::Group(_)), ..
        } => Vec::new(),
        Event::Skipped { step, .. } => {
            one(*step, Status::Skipped, &format!("skipped: {}", reason::skipped(state, *step)), true)
        }
        Event::Interrupted { step, attempt } if !is_group(*step) => {
            one(*step, Status::Retrying, &format!("attempt {attempt} was interrupted and will be made again"), true)
        }
        Event::Cancelled { step } if !is_group(*step) => one(*step, Status::Cancelled, "cancelled", false),
        // Of this the door itself tells more.
        Event::Stopping { reason: Stop::Interrupted } => Vec::new(),
        Event::Stopping { reason } => {
            let line = format!("{} stopping: {}", look.bare_sign(Status::Waiting), reason::stop(&state.plan, *reason));
            vec![News { line, stays: true }]
        }
        Event::Printed { text } => {
            let line = |line: &str| News {
                line: format!("{} {}", look.bare_sign(Status::Pending), one_line(line)),
                stays: true,
            };
            text.lines().map(line).collect()
        }
        _ => Vec::new(),
    }
}

/// How far a stream or a pipeline is, in lines: a stream has one for each member.
pub(super) fn figures(state: &RunState, id: StepId, look: Look) -> Vec<String> {
    let line = |id: StepId| {
        let pieces = flowed::live(state, id);
        let path = one_line(&state.plan.path(id));
        (!pieces.is_empty()).then(|| format!("{} {path}: {}", look.bare_sign(Status::Running), pieces.join(", ")))
    };
    match &*state.plan.step(id).task {
        crate::plan::Task::Stream(stream) => {
            // The fastest of its members tells enough of how it gets on.
            let speed = |member: &StepId| flowed::of_member(state, *member).map_or(0.0, |meter| meter.per_second);
            let fastest = stream.members().max_by(|a, b| speed(a).total_cmp(&speed(b)));
            fastest.and_then(line).into_iter().collect()
        }
        // Before it has begun there is only what an earlier run has told.
        _ if state.step(id).status != Status::Running => Vec::new(),
        _ => line(id).into_iter().collect(),
    }
}

fn fails_by_itself(state: &RunState, id: StepId) -> bool {
    state.step(id).status == Status::Failed && !reason::is_child_failure(state, id)
}

fn took(state: &RunState, id: StepId, outcome: &Outcome) -> String {
    let step = state.step(id);
    match outcome.duration_ms {
        0 => time::duration(step.finished_at.saturating_sub(step.started_at)),
        ms => time::duration(ms),
    }
}

/// A line with its sign in colour.
pub(super) fn painted(line: &str, look: Look) -> String {
    let all = [Status::Success, Status::Failed, Status::Skipped, Status::Retrying, Status::Cancelled, Status::Waiting];
    match all.into_iter().find_map(|status| Some((status, line.strip_prefix(look.bare_sign(status))?))) {
        Some((status, rest)) => format!("{}{rest}", look.sign(status)),
        None => line.to_owned(),
    }
}
