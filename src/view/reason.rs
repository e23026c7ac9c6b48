//! Why a step stands where it stands, in one line each. `why` makes chains of them.

use super::look::one_line;
use super::time::Clock;
use super::{MASK, is_secret};
use crate::event::{Because, Decision, Event, FailureKind, Outcome, Saw, Skip, Stop, WaitFor};
use crate::plan::wording::list;
use crate::plan::{Branch, Condition, Moment, Plan, Rule, StepId, Strategy, Task};
use crate::state::result::shorten;
use crate::state::{Dealt, Decided, RunState, Seen, Status};

/// Longest value shown in a line.
const VALUE: usize = 80;

/// The latest evaluation of a condition.
pub(super) fn decision(state: &RunState, step: StepId, branch: u32) -> Option<&Decided> {
    state.decisions.iter().rev().find(|decided| decided.step == step && decided.branch == branch)
}

/// The branches of a flow.
pub(super) fn branches(plan: &Plan, flow: StepId) -> &[Branch] {
    match &*plan.step(flow).task {
        Task::Flow(branches) => branches,
        _ => &[],
    }
}

/// The branch of a flow that was taken: the first whose condition was true, or the `otherwise` behind them.
pub(super) fn taken(state: &RunState, flow: StepId) -> Option<&Branch> {
    branches(&state.plan, flow).iter().enumerate().find_map(|(n, branch)| {
        let decided = match &branch.when {
            None => true,
            Some(Condition::Known(value)) => *value,
            Some(_) => decision(state, flow, n as u32).is_some_and(|d| d.result == Decision::Is(true)),
        };
        (decided && state.step(branch.step).status != Status::Skipped).then_some(branch)
    })
}

/// A value that a condition has read: `test.passed = false`.
pub(super) fn saw(plan: &Plan, saw: &Saw) -> String {
    let value = if is_secret(plan, saw.step) && !saw.handles {
        MASK.to_owned()
    } else {
        shorten(&one_line(&saw.value.to_string()), VALUE)
    };
    format!("{}.{} = {value}", plan.path(saw.step), saw.what)
}

/// A condition and the values it saw: `test.passed && cover.output > 80 (test.passed = false)`.
fn condition(plan: &Plan, condition: &Condition, decided: Option<&Decided>) -> String {
    let text = shorten(&one_line(&condition.text()), VALUE);
    let seen: Vec<_> = decided.iter().flat_map(|d| &d.saw).map(|s| saw(plan, s)).collect();
    if seen.is_empty() { format!("`{text}`") } else { format!("`{text}` ({})", seen.join(", ")) }
}

/// Why a step is skipped, as the rest of the sentence "it was skipped because …".
pub(super) fn skipped(state: &RunState, id: StepId) -> String {
    let plan = &state.plan;
    let because = match state.step(id).skip.as_deref() {
        Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => because,
        None => return "it was not taken".to_owned(),
    };
    match because {
        Because::Condition => match &plan.step(id).when {
            Some(when) => {
                format!("its condition was false: {}", condition(plan, when, decision(state, id, 0)))
            }
            None => "its condition was false".to_owned(),
        },
        Because::Branch(flow) => match taken(state, *flow) {
            Some(branch) => format!("`{}` took the branch `{}`", plan.path(*flow), plan.path(branch.step)),
            None => match own_condition(state, *flow, id) {
                Some(said) => format!("the condition of its branch of `{}` was false: {said}", plan.path(*flow)),
                None => format!("`{}` took no branch", plan.path(*flow)),
            },
        },
        Because::Group(group) => format!("its group `{}` was skipped", plan.path(*group)),
        Because::NotNeeded(group) => {
            if let Task::Quorum(quorum) = &*plan.step(*group).task {
                let over = if quorum.race { "was decided" } else { "was settled" };
                return format!("`{}` {over} without it: {}", plan.path(*group), self::quorum(state, *group));
            }
            let alternatives = plan.members(*group);
            let answer = alternatives.iter().position(|other| state.step(*other).status == Status::Success);
            match answer.filter(|place| *place > 0) {
                Some(place) => {
                    format!("`{}` answered for `{}`", plan.step(alternatives[place]).name, plan.path(*group))
                }
                None => format!("`{}` needed no fallback", plan.path(*group)),
            }
        }
        Because::Unanswered => "nobody answered in time".to_owned(),
        Because::NotBegun(before) => format!("`{}` had not begun", plan.path(*before)),
        Because::Retired => "its fan-out was made again".to_owned(),
        Because::Child(child) => format!("everything in it was skipped, beginning with `{}`", plan.path(*child)),
        Because::Predecessor(before) => {
            let path = plan.path(*before);
            let counts_as = |what: &str| format!("`{path}` counts as {what}: it failed, but its on_error says so");
            match state.step(*before).status {
                Status::Failed if state.seen(*before) == Seen::Success => counts_as("a success"),
                Status::Failed if state.seen(*before) == Seen::NotTaken => counts_as("not taken"),
                Status::Failed => format!("`{path}` failed"),
                Status::Skipped => format!("`{path}` was skipped"),
                Status::Cancelled => format!("`{path}` was cancelled"),
                Status::Success => match plan.step(id).policy().rule {
                    Rule::OneFailed => "none of the steps before it failed".to_owned(),
                    Rule::AllFailed => format!("`{path}` did not fail"),
                    rule => format!("`{path}` succeeded, which its rule `{}` rules out", rule.name()),
                },
                status => format!("`{path}` is {}", status.name()),
            }
        }
        Because::Moment => match (plan.hook(id), plan.step(id).on_alert) {
            (_, Some(on)) => {
                format!("the alert that starts it was not raised: `{}` ended without it", plan.path(on.step))
            }
            (Some(moment), None) => format!("it is a hook for `{}`, and the run ended otherwise", moment_name(moment)),
            (None, None) => "the run ended otherwise than its hook waits for".to_owned(),
        },
    }
}

/// Why a step was ended after it had begun, because nothing came of it any more: ``not needed, `eu` succeeded first``.
/// Nothing if it did not begin, or was skipped for another reason.
pub(super) fn ended(state: &RunState, id: StepId) -> Option<String> {
    let (step, plan) = (state.step(id), &state.plan);
    let Some(Skip::NotTaken(mut because)) = step.skip.as_deref().cloned() else { return None };
    // A group may be open while all in it still wait for a place.
    let had_begun = |id: StepId| state.step(id).started_at > 0;
    let members = plan.members(id);
    if step.status != Status::Skipped || !had_begun(id) || !(members.is_empty() || members.into_iter().any(had_begun)) {
        return None;
    }
    // What ended the group ended what was in it.
    while let Because::Group(group) | Because::Child(group) = because {
        match state.step(group).skip.as_deref() {
            Some(Skip::NotTaken(above)) if group != id => because = above.clone(),
            _ => return None,
        }
    }
    let Because::NotNeeded(group) = because else { return None };
    let Task::Quorum(quorum) = &*plan.step(group).task else { return None };
    let first = |status: Status| {
        let all = quorum.children.iter().copied().filter(|child| state.step(*child).status == status);
        all.min_by_key(|child| state.step(*child).ended).map(|child| plan.path(child))
    };
    let enough = quorum.children.iter().filter(|child| state.step(**child).status == Status::Success).count();
    let why = match (first(Status::Success), first(Status::Failed)) {
        (Some(won), _) if quorum.race => format!("`{won}` succeeded first"),
        (_, Some(failed)) if quorum.is_all() => format!("`{failed}` failed, and all must succeed"),
        (_, Some(_)) if enough < quorum.need as usize => self::quorum(state, group),
        _ => format!("{enough} of {} have succeeded", quorum.children.len()),
    };
    Some(format!("not needed, {why}"))
}

/// The same with how long it had been at work: ``ended after 510ms: not needed, `eu` succeeded first``.
pub(super) fn ended_after(state: &RunState, id: StepId) -> Option<String> {
    let step = state.step(id);
    let took = super::time::duration(step.finished_at.saturating_sub(step.started_at));
    Some(format!("ended after {took}: {}", ended(state, id)?))
}

/// How a race or a quorum stands: `` `eu` was the first to succeed ``, `2 of 3 succeeded, 2 were needed`.
pub(super) fn quorum(state: &RunState, group: StepId) -> String {
    let Task::Quorum(quorum) = &*state.plan.step(group).task else { return String::new() };
    let won = || quorum.children.iter().copied().filter(|id| state.step(*id).status == Status::Success);
    let first = won().min_by_key(|id| state.step(*id).ended);
    // Those made for items all have the same name.
    let name = |id: StepId| match &state.plan.step(id).key {
        Some(_) => state.plan.path(id),
        None => state.plan.step(id).name.to_string(),
    };
    if quorum.is_all() {
        let failed = quorum.children.iter().copied().filter(|id| state.step(*id).status == Status::Failed);
        return match failed.min_by_key(|id| state.step(*id).ended) {
            Some(failed) => format!("`{}` failed, and all must succeed", name(failed)),
            None => "all succeeded".to_owned(),
        };
    }
    match first {
        Some(first) if quorum.race => format!("`{}` was the first to succeed", name(first)),
        _ => {
            let needed =
                if quorum.need == 1 { "1 was needed".to_owned() } else { format!("{} were needed", quorum.need) };
            format!("{} of {} succeeded, {needed}", won().count(), quorum.children.len())
        }
    }
}

/// For what a step waits, as the rest of the sentence "it waits …".
pub(super) fn awaited(what: &WaitFor) -> String {
    match what {
        WaitFor::Time => "for a moment to come".to_owned(),
        WaitFor::Answer { prompt, choices, .. } => match prompt.is_empty() {
            true => format!("for an answer: {}", choices.join(", ")),
            false => format!("for an answer to `{}`: {}", shorten(&one_line(prompt), VALUE), choices.join(", ")),
        },
        WaitFor::Signal { name, .. } => format!("for the signal `{}`", one_line(name)),
        WaitFor::File { path, .. } => format!("for the file `{}`", one_line(path)),
    }
}

/// The same, with for how long at the most, in milliseconds.
pub(super) fn waits_for(what: &WaitFor, delay_ms: u64) -> String {
    match (what, delay_ms) {
        (WaitFor::Time, _) => super::time::duration(delay_ms),
        (_, Event::FOREVER) => awaited(what),
        _ => format!("{} (at most {})", awaited(what), super::time::duration(delay_ms)),
    }
}

/// The name of a moment in scripts.
pub(super) fn moment_name(moment: Moment) -> &'static str {
    match moment {
        Moment::Start => "start",
        Moment::Success => "success",
        Moment::Failure => "failure",
        Moment::Complete => "complete",
    }
}

fn own_condition(state: &RunState, flow: StepId, child: StepId) -> Option<String> {
    let (n, branch) = branches(&state.plan, flow).iter().enumerate().find(|(_, branch)| branch.step == child)?;
    Some(condition(&state.plan, branch.when.as_ref()?, decision(state, flow, n as u32)))
}

/// What the cache said about a step: which result it took, or why there was none.
pub(super) fn cached(outcome: Option<&Outcome>, clock: Option<&Clock>) -> Option<String> {
    let note = outcome?.cache.as_deref()?;
    if !note.hit {
        return (!note.why.is_empty()).then(|| format!("not cached: {}", one_line(&note.why)));
    }
    let ago = clock.map_or(String::new(), |clock| format!(", {}", clock.ago(note.at)));
    Some(format!("cached (run {}{ago})", note.run))
}

/// What a step changed without having declared it.
pub(super) fn undeclared(state: &RunState, id: StepId) -> Option<String> {
    let changes = state.step(id).outcome.as_ref()?.changes.as_deref()?;
    let files: Vec<_> = changes.undeclared.iter().map(|file| format!("`{}`", one_line(file))).collect();
    (!files.is_empty()).then(|| format!("changed {}, which it had not declared", list(&files, 3)))
}

/// What went wrong in an attempt, in one line.
pub(super) fn failed(outcome: Option<&Outcome>) -> String {
    match outcome.and_then(|outcome| outcome.error.as_ref()) {
        Some(error) => one_line(&error.message),
        None => "it failed".to_owned(),
    }
}

/// What to do about a failed attempt, if that is worth a line here: not what the log says that is shown or named
/// beside it, and nothing that may quote the output of a secret step.
pub(super) fn help<'a>(plan: &Plan, id: StepId, outcome: &'a Outcome) -> Option<&'a str> {
    let help = outcome.error.as_ref()?.help.as_deref()?;
    let points_to_log = [&outcome.stdout, &outcome.stderr].into_iter().flatten().any(|log| help.contains(&log.file));
    (!points_to_log && !is_secret(plan, id)).then_some(help)
}

/// Why a step that has attempts left is not tried again after this, as a sentence without its end; nothing where it is
/// tried again, or never should be.
pub(super) fn not_again(state: &RunState, id: StepId) -> Option<String> {
    let (policy, step) = (state.plan.step(id).policy(), state.step(id));
    let error = step.outcome.as_ref()?.error.as_ref()?;
    let left = policy.retry.as_ref().is_some_and(|retry| step.failures + 1 < retry.max_attempts);
    let asked = policy.retry_if.is_some() || error.kind == FailureKind::Cancelled;
    let settings = &state.plan.header.settings;
    (left && !asked && step.status == Status::Failed && settings.strategy(error.class) == Strategy::Fail).then(|| {
        format!("not tried again: failures of the class `{}` are not, whatever `.retry` says", error.class.name())
    })
}

/// Did it fail only because a step inside it did?
pub(super) fn is_child_failure(state: &RunState, id: StepId) -> bool {
    let outcome = state.step(id).outcome.as_ref();
    outcome.and_then(|outcome| outcome.error.as_ref()).is_some_and(|error| error.kind == FailureKind::Child)
}

/// Why nothing new started, as the rest of the sentence "because …".
pub(super) fn stop(plan: &Plan, stop: Stop) -> String {
    match stop {
        Stop::Cancelled => "the run was cancelled".to_owned(),
        Stop::Interrupted => "the run was interrupted".to_owned(),
        Stop::Failure(id) => format!("`{}` failed, and a failure of it stops the run", plan.path(id)),
        Stop::Timeout => "the run took longer than its timeout".to_owned(),
    }
}

/// What has dealt with the failure of a step, so that the run does not fail by it, in one line. Nothing of a hook, or of what
/// undoes a step: nobody has seen to those, though the run does not fail by them either.
pub(super) fn handled(state: &RunState, id: StepId) -> Option<String> {
    let path = |by: StepId| format!("`{}`", state.plan.path(by));
    match state.dealt_with(id)? {
        Dealt::OnError(by, on_error) if by == id => Some(format!("its on_error is `{}`", on_error.name())),
        Dealt::OnError(by, on_error) => Some(format!("on_error of {} is `{}`", path(by), on_error.name())),
        Dealt::Answered(group) => Some(match state.result(group).degraded {
            Some(answer) => format!("`{answer}` answered in its place"),
            None => format!("{} was answered all the same", path(group)),
        }),
        Dealt::Outvoted(group) => Some(format!("not all of {} need to succeed", path(group))),
        Dealt::LookedAt(seen) => {
            let reads = |decided: &&Decided| decided.saw.iter().any(|saw| saw.step == seen && saw.handles);
            let reader = state.decisions.iter().find(reads);
            let what = if seen == id { "it".to_owned() } else { path(seen) };
            Some(match reader {
                Some(reader) => format!("the condition of {} looked at {what}", path(reader.step)),
                None => format!("the script looked at {what}"),
            })
        }
        Dealt::Aside(_) => None,
    }
}
