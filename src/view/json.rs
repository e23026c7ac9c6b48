//! Runs and events as JSON, for other programs.

use serde_json::{Map, json};

use super::{MASK, agents, flowed, is_secret, waits};
use crate::event::{Because, Event, Record, RunStatus, Skip, Stop};
use crate::plan::{Json, Plan, StepId};
use crate::state::breaker::{Circuit, Phase};
use crate::state::{Files, RunState, Status};

/// The object that `--json` prints at the end of a run (see the command's help). Its keys are a promise:
/// `{"run", "workflow", "status", "duration_ms", "steps": {path: {"status", "output", "code", "attempts", "duration_ms", "error"}}}`.
///
/// Groups are in it as well, anonymous ones are not. Where agents were answered for from a recording, `agents` says so, and `recorded` is true: what they have used is what the recording says, and nothing was spent. While steps wait for something from outside, there is also a list
/// `waiting`: `{"step", "for": "answer" | "signal" | "file" | "time", "until", "command", …}`. `status`: with what is known beyond the log (`interrupted`).
pub fn run(state: &RunState, status: RunStatus, files: &dyn Files) -> Json {
    let mut steps = Map::new();
    for id in state.plan.ids() {
        let step = state.plan.step(id);
        if (!step.anonymous || step.key.is_some()) && state.is_listed(id) {
            steps.insert(state.plan.path(id), self::step(state, id, files));
        }
    }
    let mut run = json!({
        "run": state.created.run,
        "workflow": state.created.workflow,
        "status": status.name(),
        "duration_ms": state.latest_at.saturating_sub(state.started_at),
        "steps": steps,
    });
    if let Some(agents) = &state.created.agents {
        run["agents"] = agents.as_str().into();
        run["recorded"] = true.into();
    }
    let waits = state.waits();
    if !waits.is_empty() {
        run["waiting"] = waits.iter().map(|waits| waits::json(&state.created.run, waits)).collect();
    }
    run
}

fn step(state: &RunState, id: StepId, files: &dyn Files) -> Json {
    let result = state.result(id);
    let output = match result.status {
        Status::Success | Status::Failed if is_secret(&state.plan, id) => MASK.into(),
        _ => result.output(files).unwrap_or_default(),
    };
    let outcome = result.outcome.as_deref();
    let mut object = json!({
        "status": result.status.name(),
        "output": output,
        "code": outcome.and_then(|outcome| outcome.code),
        "attempts": result.attempts,
        "duration_ms": result.duration_ms,
        "error": outcome.and_then(|outcome| outcome.error.as_ref()).map(|error| &error.message),
    });
    if let Some(flowed) = flowed::json(state, id) {
        object["flow"] = flowed;
    }
    if let Some(meter) = flowed::of_member(state, id) {
        object["meter"] = json!(meter);
    }
    if let Some(streamed) = outcome.and_then(|outcome| outcome.streamed.as_deref()) {
        object["streamed"] = json!(streamed);
    }
    if let (Some(note), Json::Object(object)) = (outcome.and_then(|outcome| outcome.cache.as_deref()), &mut object) {
        object.insert("cached".into(), note.hit.into());
    }
    if let Json::Object(object) = &mut object {
        agents::json(state, id, object);
    }
    object
}

/// The breakers of a folder of runs, as `flow breakers --json` prints them. `now`: in milliseconds since 1970.
pub fn breakers(all: &[(String, Circuit)], now: u64) -> Json {
    let object = |(name, circuit): &(String, Circuit)| {
        let phase = circuit.phase(now);
        json!({
            "name": name,
            "state": phase.name(),
            "failures": circuit.failures.len(),
            "threshold": circuit.spec.threshold,
            "window_ms": circuit.spec.window_ms,
            "reset_ms": circuit.spec.reset_ms,
            "since": (circuit.since > 0).then_some(circuit.since),
            "next_try_at": match phase {
                Phase::Closed => None,
                Phase::Open(next) | Phase::HalfOpen(next) => Some(next),
                Phase::Tryable => Some(now),
            },
            "tries": circuit.tries,
            "error": Some(&circuit.error).filter(|error| !error.is_empty()),
        })
    };
    all.iter().map(object).collect()
}

/// One event as one object: `run`, `seq`, `at`, `type`, then the event's own fields. Where an event names a step,
/// `step` is its path and `id` its number. `plan` must hold the step, so apply the event to it before.
pub fn event(run: &str, plan: &Plan, record: &Record) -> Json {
    let mut line = Map::new();
    line.insert("run".into(), run.into());
    line.insert("seq".into(), record.seq.into());
    line.insert("at".into(), record.at.into());
    let Ok(Json::Object(fields)) = serde_json::to_value(&*record.event) else {
        return Json::Object(line);
    };
    for (key, value) in fields {
        if key == "step" {
            name_step(plan, value, &mut line);
        } else {
            line.insert(key, value);
        }
    }
    match &*record.event {
        Event::Planned { of: Some(of), .. } => {
            line.insert("of".into(), plan.path(*of).into());
        }
        Event::Decided { saw, .. } if !saw.is_empty() => {
            let values = saw.iter().map(|saw| {
                let mut seen = Map::new();
                name_step(plan, saw.step.0.into(), &mut seen);
                let hidden = is_secret(plan, saw.step) && !saw.handles;
                seen.insert("what".into(), saw.what.as_str().into());
                seen.insert("value".into(), if hidden { MASK.into() } else { saw.value.clone() });
                Json::Object(seen)
            });
            line.insert("saw".into(), values.collect());
        }
        Event::Skipped { reason, .. } => {
            line.insert("reason".into(), skip(plan, reason));
        }
        Event::Stopping { reason: Stop::Failure(step) } => {
            line.insert("reason".into(), json!({ "failure": plan.path(*step) }));
        }
        Event::Answered { step, .. } if is_secret(plan, *step) => {
            if let Some(Json::Object(answer)) = line.get_mut("answer") {
                answer.insert("value".into(), MASK.into());
                answer.shift_remove("form");
            }
        }
        Event::Finished { step, .. } | Event::Retrying { step, .. } if is_secret(plan, *step) => {
            if let Some(Json::Object(outcome)) = line.get_mut("outcome") {
                // What to do may quote what the step wrote.
                if let Some(Json::Object(error)) = outcome.get_mut("error") {
                    error.shift_remove("help");
                }
                for hidden in ["output", "fields"] {
                    if let Some(value) = outcome.get_mut(hidden) {
                        *value = MASK.into();
                    }
                }
            }
        }
        _ => {}
    }
    Json::Object(line)
}

fn name_step(plan: &Plan, id: Json, line: &mut Map<String, Json>) {
    let known = id.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| (*id as usize) < plan.steps.len());
    line.insert("step".into(), known.map(|id| plan.path(StepId(id))).into());
    line.insert("id".into(), id);
}

fn skip(plan: &Plan, skip: &Skip) -> Json {
    let (name, because) = match skip {
        Skip::NotTaken(because) => ("not_taken", because),
        Skip::UpstreamFailed(because) => ("upstream_failed", because),
    };
    let because = match because {
        Because::Condition => "condition".into(),
        Because::Moment => "moment".into(),
        Because::Unanswered => "unanswered".into(),
        Because::Retired => "retired".into(),
        Because::NotNeeded(group) => json!({ "not_needed": plan.path(*group) }),
        Because::NotBegun(before) => json!({ "not_begun": plan.path(*before) }),
        Because::Branch(flow) => json!({ "branch": plan.path(*flow) }),
        Because::Group(group) => json!({ "group": plan.path(*group) }),
        Because::Child(child) => json!({ "child": plan.path(*child) }),
        Because::Predecessor(before) => json!({ "predecessor": plan.path(*before) }),
    };
    json!({ name: because })
}
