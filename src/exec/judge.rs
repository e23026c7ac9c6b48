//! Judging an end: is the result what `validate` asks for, and if the attempt failed, does the script want another one?

use std::sync::Arc;

use serde_json::json;

use super::Closures;
use crate::event::{Again, Failure, FailureKind, Outcome};
use crate::plan::{Closure, Json, Policy, StepId, Validate, unit};
use crate::state::result::{holds_for, kind_of, plain_text, shorten};
use crate::state::{Inputs, StepResult};

/// How an attempt ended after its policies were asked, and what `retry_if` said.
pub(super) fn judge(
    closures: &dyn Closures,
    (step, attempt): (StepId, u32),
    policy: &Policy,
    mut outcome: Arc<Outcome>,
    inputs: &Inputs,
) -> (Arc<Outcome>, Option<Again>) {
    if outcome.error.is_none()
        && let Some(validate) = policy.validate.as_deref()
        && let Err(failure) = valid(closures, validate, (step, policy.secret), inputs)
    {
        Arc::make_mut(&mut outcome).error = Some(failure);
    }
    let again = match (&outcome.error, policy.retry_if.as_deref()) {
        (Some(error), Some(closure)) => match again(closures, closure, &told(error, &outcome, attempt), inputs) {
            Ok(again) => Some(again),
            Err(failure) => {
                // The failure that it was asked about is the one that counts.
                let also = format!("{}; and `on_failure_retry` failed: {}", error.message, failure.message);
                let error = Failure { message: also, ..error.clone() };
                Arc::make_mut(&mut outcome).error = Some(error);
                Some(Again::No)
            }
        },
        _ => None,
    };
    (outcome, again)
}

/// Is the result what is asked for?
/// `quiet`: the output is not to be quoted.
fn valid(
    closures: &dyn Closures,
    validate: &Validate,
    (step, quiet): (StepId, bool),
    inputs: &Inputs,
) -> Result<(), Failure> {
    let invalid = |message: String| Failure::new(FailureKind::Validation, message);
    let own = inputs.get(step).ok_or_else(|| invalid("its own result is not at hand".to_owned()))?;
    match validate {
        Validate::Closure(closure) => {
            let at = |message: String| Failure { span: Some(closure.span), ..invalid(message) };
            match closures.validate(closure, step, inputs) {
                Ok(Json::Bool(true) | Json::Null) => Ok(()),
                Ok(Json::Bool(false)) => {
                    let text = shorten(closure.text.trim(), 80);
                    Err(at(format!("its result is not valid: `{text}` is false")))
                }
                Ok(Json::String(what)) => Err(at(format!("its result is not valid: {what}"))),
                Ok(other) => Err(at(format!("`validate` gave {}", kind_of(&other)))
                    .help("give true or false, or a text that says what is wrong")),
                Err(failure) => Err(Failure { kind: FailureKind::Validation, ..failure }),
            }
        }
        Validate::Expr(expression) => match holds_for(expression, own, &*inputs.files) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure {
                span: Some(expression.span),
                ..invalid(format!("its result is not valid: `{}` is false", expression.text))
            }),
            Err(failure) => Err(Failure { kind: FailureKind::Validation, ..failure }),
        },
        Validate::Schema(schema) => fits(schema, own, inputs, quiet),
    }
}

fn fits(schema: &Json, own: &StepResult, inputs: &Inputs, quiet: bool) -> Result<(), Failure> {
    let output = own.property("output", &*inputs.files)?;
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        Failure::new(FailureKind::Script, format!("the schema of `validate` is none: {error}"))
            .help("it must be a JSON Schema, such as `#{ type: \"object\", required: [\"percent\"] }`")
    })?;
    let mut wrong = validator.iter_errors(&output).map(|error| match error.instance_path().as_str() {
        _ if quiet => error.masked().to_string(),
        "" => error.to_string(),
        place => format!("{error} (at `{place}`)"),
    });
    let Some(first) = wrong.next() else { return Ok(()) };
    let more = match wrong.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("its output does not fit the schema: {}{more}", shorten(&first, 200));
    Err(Failure::new(FailureKind::Validation, message))
}

/// The failure as `on_failure_retry` gets it.
fn told(error: &Failure, outcome: &Outcome, attempt: u32) -> Json {
    json!({
        "kind": error.kind.name(),
        "class": error.class.name(),
        "message": error.message,
        "code": outcome.code,
        "signal": outcome.signal,
        "attempt": attempt,
        "retry_after_ms": error.retry_after_ms,
    })
}

fn again(closures: &dyn Closures, closure: &Closure, told: &Json, inputs: &Inputs) -> Result<Again, Failure> {
    let given = closures.call(closure, Some(told.clone()), inputs, &Arc::default())?;
    let wrong = || {
        Failure::new(FailureKind::Script, format!("it gave `{}`", shorten(&plain_text(&given), 40)))
            .help("give true, false, or how long to wait before the next attempt: \"30s\"")
    };
    match &given {
        Json::Bool(true) => Ok(Again::Yes),
        Json::Bool(false) | Json::Null => Ok(Again::No),
        Json::String(text) => unit::parse_duration_ms(text).map(Again::After).map_err(|_| wrong()),
        Json::Number(seconds) => {
            let seconds = seconds.as_f64().filter(|seconds| *seconds >= 0.0).ok_or_else(wrong)?;
            Ok(Again::After((seconds * 1_000.0) as u64))
        }
        _ => Err(wrong()),
    }
}
