//! Setting policies: the methods of a step and the keys of a map mean the same, so they are one list.

mod attempt;
mod cache;
mod place;
pub mod schema;
mod verdict;

use rhai::{Dynamic, NativeCallContext};

use super::fault::{Fault, raise};
use super::handle::Step;
use super::keys::{self, POLICIES};
use super::options::{self, choice};
use super::session;
use crate::diag::{Diagnostic, Span};
use crate::plan::{OnError, Policy, StepId};

pub use attempt::{BACKOFF, PARSE, breaker_of, declare_breaker, retry};

/// All of them, as keys of maps.
pub fn names() -> Vec<&'static str> {
    POLICIES.iter().map(|key| key.name).collect()
}

/// Those that are about the step's place in the plan. All others are about an attempt: where a step has fallbacks, they
/// belong to the first of the alternatives, whatever was said first.
const PLACE: [&str; 12] = [
    "after",
    "when",
    "rule",
    "fallback",
    "on_error",
    "on_success",
    "on_failure",
    "finally",
    "undo",
    "checkpoint",
    "desc",
    "tag",
];

pub const ON_ERROR: [(&str, OnError); 3] =
    [("stop", OnError::Stop), ("continue", OnError::Continue), ("skip", OnError::Skip)];

/// What `on_error` and `on_failure` of settings can be.
pub fn on_error(value: &Dynamic, what: &str, span: Span) -> Result<OnError, Fault> {
    choice(value, what, &ON_ERROR, span)
}

/// Sets one policy of a step and gives the step back. Several steps become a group that has the policy.
pub fn set(context: &NativeCallContext, step: &Step, name: &str, value: &Dynamic) -> Result<Step, Fault> {
    let span = options::here(context);
    let id = session::build(context, |builder, _| Ok(step.id(builder)))?;
    let already = session::with(|session| session.known(id).is_some_and(|result| result.status.is_final()));
    if already {
        let name_of = session::build(context, |builder, _| Ok(builder.step(id).name.clone()))?;
        return Err(raise(
            Diagnostic::new(
                "flow::lang::already_ran",
                format!("`{name_of}` has run already, so `.{name}(…)` comes too late"),
            )
            .label(span, "set here")
            .help("set policies before `run(step)`"),
        ));
    }
    if PLACE.contains(&name) {
        place::set(context, id, name, value, span)?;
    } else if keys::of_policy(name).is_some() {
        let worker = session::build(context, |builder, _| Ok(builder.worker(id)))?;
        attempt::set(context, worker, name, value, span)?;
        if name == "secret" && worker != id {
            attempt::set(context, id, name, value, span)?;
        }
    } else {
        return Err(options::unknown_key(name, "a step", &names(), span));
    }
    Ok(match step {
        // So that it can be written on.
        Step::Woven(_) => step.clone(),
        _ => Step::One(id),
    })
}

/// Refuses a second value where the first would be lost.
fn once(
    context: &NativeCallContext,
    id: StepId,
    has: impl Fn(&Policy) -> bool,
    (message, help): (&str, &str),
) -> Result<(), Fault> {
    session::build(context, |builder, span| {
        let step = builder.step(id);
        if !has(step.policy()) {
            return Ok(());
        }
        Err(Diagnostic::new("flow::lang::option", format!("`{}` {message} already", step.name))
            .label(span, "again here")
            .help(help))
    })
}

/// Changes the policies of a step.
fn change(context: &NativeCallContext, id: StepId, change: impl FnOnce(&mut Policy)) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        change(builder.step_mut(id).policy_mut());
        Ok(())
    })
}

/// Adds the edges that follow from what a step reads now.
fn connect(context: &NativeCallContext, id: StepId) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        builder.connect(id);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_the_place_are_policies() {
        assert!(PLACE.iter().all(|name| keys::of_policy(name).is_some()));
    }
}
