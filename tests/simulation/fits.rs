//! Does an event fit the ones before it? This is `docs/semantics.md` once more, read as what may not happen.

use flow::event::{Because, Decision, Event, Outcome, ResetWhy, RunStatus, Skip, Stop, WaitFor};
use flow::plan::{EdgeKind, Moment, Plan, Rule, StepId, Strategy, Task, UndoScope};
use flow::state::{RunState, Seen, Status};

use super::books::{is_in_undo, made_again, starts_early};
use super::invariants::{Broken, Invariant, hold};

/// Checks an event against the state before it.
pub fn check(state: &RunState, event: &Event) -> Result<(), Broken> {
    hold!(!state.status.is_final(), LastWord, "{event:?} after the end");
    let path = |id: StepId| state.plan.path(id);
    let status = |id: StepId| state.step(id).status;
    match event {
        Event::Created(_) => hold!(state.events == 0, Fits, "the run is created again"),
        Event::Planned { of: None, growth } => {
            hold!(growth.base as usize == state.plan.steps.len(), Fits, "the plan grows elsewhere than at its end");
        }
        Event::Planned { of: Some(group), growth } => {
            let group = *group;
            hold!(growth.base as usize == state.plan.steps.len(), Fits, "the plan grows elsewhere than at its end");
            hold!(status(group) == Status::Running, Fits, "`{}` gets children and is not open", path(group));
            let again = !matches!(*state.plan.step(group).task, Task::Repeat(_));
            hold!(!again || state.step(group).expansions == 0, Once, "`{}` gets its children again", path(group));
        }
        Event::Started { step, attempt } => started(state, *step, *attempt)?,
        Event::Waiting { step, .. } => match *state.plan.step(*step).task {
            Task::Wait(_) => may_start(state, *step)?,
            _ => hold!(status(*step) == Status::Running, Fits, "`{}` waits and has not started", path(*step)),
        },
        Event::Answered { step, .. } => {
            let waits = state.step(*step).waits_for.as_deref().is_some_and(|what| *what != WaitFor::Time);
            hold!(waits && status(*step) == Status::Waiting, Fits, "`{}` is answered and does not ask", path(*step));
        }
        Event::Retrying { step, attempt, outcome, .. } => {
            ends(state, *step, *attempt, outcome)?;
            retries(state, *step, outcome)?;
        }
        Event::Flowed(flowed) => {
            hold!(status(flowed.step) == Status::Running, Fits, "`{}` flows and does not run", path(flowed.step));
        }
        Event::Used(used) => {
            hold!(status(used.step) == Status::Running, Fits, "`{}` uses something and does not run", path(used.step));
        }
        Event::Alerted(alerted) => {
            hold!(status(alerted.step) == Status::Running, Fits, "`{}` alerts and does not run", path(alerted.step));
        }
        Event::Finished { step, attempt, outcome } => ends(state, *step, *attempt, outcome)?,
        Event::Interrupted { step, attempt } => {
            let runs = status(*step) == Status::Running && state.step(*step).attempt == *attempt;
            let task = &state.plan.step(*step).task;
            hold!(
                runs && (!task.is_group() || matches!(**task, Task::Stream(_))),
                Fits,
                "`{}` is interrupted and does not run",
                path(*step)
            );
        }
        Event::Skipped { step, reason } => {
            let not_needed = match reason {
                Skip::NotTaken(Because::NotNeeded(group)) => is_decided(state, *group),
                _ => false,
            };
            let may = match status(*step) {
                Status::Pending => true,
                Status::Running | Status::Waiting | Status::Retrying if not_needed => true,
                Status::Waiting => matches!(reason, Skip::NotTaken(Because::Unanswered)),
                Status::Running => state.plan.step(*step).task.is_group(),
                _ => false,
            };
            hold!(may, Once, "`{}` is skipped ({reason:?}), but it is {:?}", path(*step), status(*step));
        }
        Event::Cancelled { step } => {
            hold!(!status(*step).is_final(), Once, "`{}` is cancelled, but it is {:?}", path(*step), status(*step));
        }
        Event::Decided { step, saw, .. } => {
            let open = status(*step) == Status::Running && state.plan.step(*step).task.is_group();
            hold!(
                open || status(*step) == Status::Pending,
                Fits,
                "`{}` is asked and is {:?}",
                path(*step),
                status(*step)
            );
            let early = saw.iter().find(|saw| {
                !status(saw.step).is_final() && !made_again(state, saw.step, *step) && !starts_early(state, *step)
            });
            hold!(early.is_none(), Fits, "`{}` has read what has not ended: {early:?}", path(*step));
            let handles = moment(&state.plan, *step).is_some() && saw.iter().any(|saw| saw.handles);
            hold!(!handles, Fits, "the hook `{}` handles a failure", path(*step));
        }
        Event::Reset { steps, why, .. } => {
            if let ResetWhy::Retry(group) = why {
                hold!(status(*group) == Status::Retrying, Fits, "`{}` is not tried again", path(*group));
            }
            if let ResetWhy::Stream(stream) = why {
                let begins = matches!(status(*stream), Status::Pending | Status::Retrying);
                let all = steps.iter().all(|step| state.plan.stream_of(*step) == Some(*stream));
                hold!(begins && all, Fits, "members of `{}` begin again without it", path(*stream));
            }
            let with_stream = matches!(why, ResetWhy::Stream(_));
            let runs = steps.iter().find(|id| match status(**id) {
                Status::Retrying => !with_stream,
                its => matches!(its, Status::Running | Status::Waiting),
            });
            hold!(runs.is_none(), Once, "`{}` goes on and is made again ({why:?})", path(*runs.unwrap_or(&StepId(0))));
        }
        Event::Stopping { .. } | Event::RollingBack(_) | Event::Replanned(_) | Event::Printed { .. } => {}
        Event::Opened { .. } => {}
        Event::Paused => {
            let named = |id: StepId| {
                let what = state.step(id).waits_for.as_deref();
                status(id) == Status::Waiting && what.is_some()
            };
            let waits = state.plan.ids().any(named) || state.stopping == Some(Stop::Interrupted);
            hold!(waits, NotStuck, "the run is let go of, and nobody knows what for");
        }
        Event::Ended { status } => ended(state, *status)?,
    }
    Ok(())
}

/// The moment of the hook that a step is or belongs to.
fn moment(plan: &Plan, mut id: StepId) -> Option<Moment> {
    while let Some(group) = plan.step(id).parent {
        id = group;
    }
    plan.hook(id)
}

/// Does a step clean up, or belong to what does?
fn cleans_up(plan: &Plan, mut id: StepId) -> bool {
    loop {
        let step = plan.step(id);
        match step.parent {
            _ if step.policy().finally => return true,
            Some(parent) => id = parent,
            None => return false,
        }
    }
}

fn started(state: &RunState, id: StepId, attempt: u32) -> Result<(), Broken> {
    let path = state.plan.path(id);
    let step = state.step(id);
    hold!(attempt == step.attempt + 1, Once, "attempt {attempt} of `{path}` comes after {}", step.attempt);
    may_start(state, id)
}

/// Is it time for a step to begin, or to begin again?
fn may_start(state: &RunState, id: StepId) -> Result<(), Broken> {
    let (plan, step) = (&*state.plan, state.step(id));
    let planned = plan.step(id);
    let path = plan.path(id);
    let open = matches!(step.status, Status::Pending | Status::Retrying);
    hold!(open && !planned.retired, Once, "`{path}` starts and is {:?}", step.status);
    may_in_part(state, id, &path)?;
    may_in_group(state, id, &path)?;
    if step.status == Status::Retrying || planned.undoes.is_some() {
        return Ok(());
    }
    let judged = || planned.after.iter().filter(|edge| edge.kind != EdgeKind::Condition);
    let at_once = match planned.policy().rule {
        Rule::OneSuccess => judged().any(|edge| state.seen(edge.from) == Seen::Success),
        Rule::OneFailed => judged().any(|edge| state.seen(edge.from) == Seen::Failed),
        _ => false,
    };
    let early = judged().find(|edge| state.seen(edge.from) == Seen::Open);
    // A member of a stream starts with it, whatever rule that has.
    let at_once = at_once || plan.stream_of(id).is_some() && starts_early(state, id);
    hold!(at_once || early.is_none(), Fits, "`{path}` starts before {early:?} has ended");
    let read = planned.after.iter().filter(|edge| edge.kind == EdgeKind::Condition);
    let early = read.into_iter().find(|edge| state.seen(edge.from) == Seen::Open);
    hold!(early.is_none(), Fits, "`{path}` starts before {early:?}, which its condition reads, has ended");
    if planned.when.is_some() {
        let answer = state.decisions.iter().find(|decided| decided.step == id);
        let met = answer.is_some_and(|decided| decided.result == Decision::Is(true));
        hold!(met, Fits, "`{path}` starts, but its condition is {:?}", answer.map(|decided| &decided.result));
    }
    if let Some(on) = planned.on_alert {
        hold!(state.was_raised(on), Fits, "`{path}` starts, but its alert was not raised");
    }
    if planned.policy().finally {
        let begun = judged().any(|edge| state.step(edge.from).started_at > 0);
        hold!(begun, CleanUp, "`{path}` starts, but what it cleans up after has not begun");
    }
    Ok(())
}

/// Do the part of the run and its stops allow it?
fn may_in_part(state: &RunState, id: StepId, path: &str) -> Result<(), Broken> {
    let plan = &*state.plan;
    let (moment, undoes, cleans) = (moment(plan, id), is_in_undo(state, id), cleans_up(plan, id));
    let stopped = match state.stopping {
        None => false,
        Some(Stop::Interrupted) => true,
        Some(Stop::Cancelled) => !cleans,
        Some(Stop::Failure(_) | Stop::Timeout) => !cleans && !undoes && matches!(moment, None | Some(Moment::Start)),
    };
    hold!(!stopped, Fits, "`{path}` starts in a run that is being stopped: {:?}", state.stopping);
    let open = |wanted: fn(Option<Moment>) -> bool| {
        plan.ids().find(|id| {
            let step = plan.step(*id);
            !state.step(*id).status.is_final()
                && !step.retired
                && !is_in_undo(state, *id)
                && wanted(self::moment(plan, *id))
        })
    };
    let early = match moment {
        _ if undoes => open(|moment| matches!(moment, None | Some(Moment::Start))),
        Some(Moment::Start) => None,
        // A script may come to declare one after others have begun.
        None if state.step(id).attempt > 0 => None,
        None => open(|moment| moment == Some(Moment::Start)),
        Some(Moment::Success | Moment::Failure) => open(|moment| matches!(moment, None | Some(Moment::Start))),
        Some(Moment::Complete) => open(|moment| moment != Some(Moment::Complete)),
    };
    let early = early.map(|id| plan.path(id));
    hold!(
        early.is_none(),
        Fits,
        "`{path}` starts before {early:?} has ended, which belongs to an earlier part of the run"
    );
    Ok(())
}

/// Does a race or quorum need nothing more? (Of a group of alternatives: it has its answer.)
fn is_decided(state: &RunState, group: StepId) -> bool {
    let Task::Quorum(quorum) = &*state.plan.step(group).task else { return true };
    let how_many = |status: Status| quorum.children.iter().filter(|child| state.step(**child).status == status).count();
    let enough = !quorum.is_all() && how_many(Status::Success) >= quorum.need as usize;
    enough || how_many(Status::Failed) > 0
}

/// Is its group open, and is it the one that the group has chosen?
fn may_in_group(state: &RunState, id: StepId, path: &str) -> Result<(), Broken> {
    let plan = &*state.plan;
    if plan.step(id).undoes.is_some() {
        return may_undo(state, id, path);
    }
    let Some(group) = plan.step(id).parent else { return Ok(()) };
    let its = state.step(group).status;
    hold!(its == Status::Running, Fits, "`{path}` starts, but its group is {its:?}");
    match &*plan.step(group).task {
        Task::Flow(branches) => {
            for (n, branch) in branches.iter().enumerate() {
                // The flow's own condition is asked for first.
                let own = usize::from(plan.step(group).when.is_some() && n == 0);
                let mut answers = state.decisions.iter().filter(|d| d.step == group && d.branch == n as u32).skip(own);
                let answer = answers.next().map(|decided| &decided.result);
                let chosen = branch.step == id;
                let fits = match answer {
                    Some(result) => *result == Decision::Is(chosen),
                    None => chosen && branch.when.is_none(),
                };
                hold!(fits, Fits, "`{path}` starts, but of its flow the condition {n} is {answer:?}");
                if chosen {
                    break;
                }
            }
        }
        Task::Fallback(children) => {
            let before = children.iter().take_while(|child| **child != id);
            let well = before.into_iter().find(|child| state.step(**child).status != Status::Failed);
            hold!(well.is_none(), Fits, "the fallback `{path}` starts, but {well:?} has not failed");
        }
        _ => {}
    }
    Ok(())
}

/// Is it its turn to be undone?
fn may_undo(state: &RunState, undo: StepId, path: &str) -> Result<(), Broken> {
    let plan = &*state.plan;
    let Some(undone) = plan.step(undo).undoes else { return Ok(()) };
    let done = state.step(undone);
    hold!(done.status == Status::Success, Undo, "`{path}` undoes what has not succeeded");
    if state.rolling_back.is_none() {
        let after = undone_after(state);
        hold!(after.is_some_and(|after| done.ended > after), Undo, "`{path}` undoes what is to be left");
    }
    let later = plan.ids().find(|id| {
        let other = plan.step(*id).policy().undo;
        let done = state.step(*id).status == Status::Success && state.step(*id).ended > state.step(undone).ended;
        done && other.is_some_and(|other| other != undo && !state.step(other).status.is_final())
    });
    let later = later.map(|id| plan.path(id));
    hold!(later.is_none(), Undo, "`{path}` comes before what undoes {later:?}, which ended later");
    Ok(())
}

/// What ended after this is undone when the run fails; nothing: that nothing is undone.
fn undone_after(state: &RunState) -> Option<u64> {
    // What the hooks at the end reach comes after all undoing.
    let point = |id: &StepId| {
        state.plan.step(*id).policy().checkpoint.is_some()
            && state.step(*id).status == Status::Success
            && matches!(moment(&state.plan, *id), None | Some(Moment::Start))
    };
    match state.plan.header.settings.undo {
        UndoScope::Nothing => None,
        UndoScope::All => Some(0),
        UndoScope::Checkpoint => Some(state.plan.ids().filter(point).map(|id| state.step(id).ended).max().unwrap_or(0)),
    }
}

/// An attempt, or a group, ends.
fn ends(state: &RunState, id: StepId, attempt: u32, outcome: &Outcome) -> Result<(), Broken> {
    let (path, step) = (state.plan.path(id), state.step(id));
    hold!(!step.status.is_final(), Once, "`{path}` ends and is {:?}", step.status);
    hold!(step.attempt == attempt, Fits, "attempt {attempt} of `{path}` ends, attempt {} was started", step.attempt);
    let goes_on = matches!(step.status, Status::Running | Status::Waiting);
    // A step whose condition or fan-out fails, or that can never start, fails without an attempt.
    hold!(goes_on || outcome.error.is_some(), Fits, "`{path}` ends well and has not started");
    if state.plan.step(id).task.is_group() && outcome.error.is_none() {
        let open = state.plan.ids().find(|child| {
            let planned = state.plan.step(*child);
            let its = planned.parent == Some(id) && planned.undoes.is_none() && !planned.retired;
            its && !state.step(*child).status.is_final()
        });
        hold!(open.is_none(), Fits, "the group `{path}` ends before {:?}", open.map(|id| state.plan.path(id)));
    }
    Ok(())
}

/// May there be another attempt?
fn retries(state: &RunState, id: StepId, outcome: &Outcome) -> Result<(), Broken> {
    let (path, policy) = (state.plan.path(id), state.plan.step(id).policy());
    let Some(error) = &outcome.error else {
        return Err(Broken::new(Invariant::Fits, format!("`{path}` is tried again after a success")));
    };
    let by_class = match state.plan.header.settings.strategy(error.class) {
        _ if policy.retry_if.is_some() => 3,
        Strategy::Retry(Some(retry)) => retry.max_attempts,
        _ => 1,
    };
    let most = policy.retry.as_ref().map_or(by_class, |retry| retry.max_attempts);
    let failures = state.step(id).failures + 1;
    hold!(failures < most, Fits, "`{path}` is tried again after {failures} failures, {most} attempts are allowed");
    Ok(())
}

fn ended(state: &RunState, status: RunStatus) -> Result<(), Broken> {
    let plan = &*state.plan;
    let open =
        plan.ids().find(|id| !state.step(*id).status.is_final() && !plan.step(*id).retired && !is_in_undo(state, *id));
    hold!(open.is_none(), LastWord, "the run ends before {:?}", open.map(|id| plan.path(id)));
    let failed = plan.ids().find(|id| state.fails_run(*id));
    let fits = match state.stopping {
        Some(Stop::Cancelled) => status == RunStatus::Cancelled,
        Some(Stop::Failure(_) | Stop::Timeout) => status == RunStatus::Failed,
        Some(Stop::Interrupted) => false,
        None if failed.is_some() => status == RunStatus::Failed,
        None => status != RunStatus::Cancelled,
    };
    hold!(fits, LastWord, "the run ends as {status:?}: stopped by {:?}, failed by {failed:?}", state.stopping);
    for id in plan.ids().filter(|id| !plan.step(*id).retired) {
        cleaned_up(state, id)?;
        let Some(undo) = plan.step(id).policy().undo else { continue };
        // What the hooks at the end do is not undone.
        let late = !matches!(moment(plan, id), None | Some(Moment::Start));
        let due = status == RunStatus::Failed
            && !late
            && state.step(id).status == Status::Success
            && undone_after(state).is_some_and(|after| state.step(id).ended > after);
        let done = state.step(undo).status;
        hold!(!due || done.is_final(), Undo, "the run ends, and `{}` was not undone", plan.path(id));
        let cut = status == RunStatus::Cancelled;
        hold!(
            due || cut || state.step(undo).started_at == 0,
            Undo,
            "`{}` was undone, but should not be",
            plan.path(id)
        );
    }
    Ok(())
}

/// Has a step that cleans up run, if what it belongs to had begun?
fn cleaned_up(state: &RunState, id: StepId) -> Result<(), Broken> {
    let step = state.plan.step(id);
    let began = |id: StepId| state.step(id).started_at > 0;
    if !step.policy().finally || !step.after.iter().any(|edge| began(edge.from)) {
        return Ok(());
    }
    // What it belongs to may have begun only when its group was tried again.
    let again = |mut id: StepId| {
        while let Some(group) = state.plan.step(id).parent {
            if state.step(group).failures > 0 {
                return true;
            }
            id = group;
        }
        false
    };
    if step.after.iter().any(|edge| again(edge.from)) {
        return Ok(());
    }
    // Not where its own group, a branch or a condition of its own kept it from running.
    let excused = match state.step(id).skip.as_deref() {
        Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => !matches!(because, Because::NotBegun(_)),
        None => false,
    };
    let path = state.plan.path(id);
    hold!(excused || began(id) || state.step(id).status == Status::Failed, CleanUp, "`{path}` did not clean up");
    Ok(())
}
