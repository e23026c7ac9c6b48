//! `task` and `fail`: a constant, and a failure with a message.

use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::{Bounds, Budget, Value};
use crate::state::resolve;
use crate::state::result::plain_text;

use super::Job;
use super::capture::value_output;

/// `task(name, value)`: the value, with results filled in.
pub(super) fn constant(value: &Value, job: &Job) -> Result<Outcome, Failure> {
    let value = resolve(value, &job.inputs)?;
    Ok(Outcome { output: value_output(value, job)?, ..Outcome::default() })
}

/// `budget(#{…})`: what it bounds. What is left of it is found out when it is read.
pub(super) fn budget(budget: &Budget, job: &Job) -> Result<Outcome, Failure> {
    Ok(Outcome { output: value_output(Bounds::of(budget).to_json(), job)?, ..Outcome::default() })
}

/// `fail(name, message)`: always a failure.
pub(super) fn fail(message: &Value, job: &Job) -> Result<Outcome, Failure> {
    Err(Failure::new(FailureKind::Fail, plain_text(&resolve(message, &job.inputs)?)))
}
