//! What a step's own result must be like, and whether a failure of it is worth another attempt.

use rhai::{Dynamic, FnPtr, Map, NativeCallContext};

use super::{change, connect, once, schema};
use crate::diag::{Diagnostic, Span};
use crate::lang::convert::to_json;
use crate::lang::fault::{Fault, itself, raise};
use crate::lang::options::{self, wrong};
use crate::lang::{closures, session};
use crate::plan::{self, Closure, Expression, Retry, StepId, Validate};

/// A closure, an expression over the step's own properties, or a JSON Schema of its output.
pub(super) fn validate(context: &NativeCallContext, id: StepId, value: &Dynamic, span: Span) -> Result<(), Fault> {
    let validate = if let Some(pointer) = value.read_lock::<FnPtr>() {
        Validate::Closure(about(context, id, &pointer, ("validate", "r", "r.output != ()"), span)?)
    } else if value.is_string() {
        let expression = Expression { text: options::text(value, "`validate`", span)?, steps: Vec::new(), span };
        plan::expression::parse(&expression.text)
            .map_err(|error| raise(plan::builder::expression_error(&expression, error)))?;
        Validate::Expr(expression)
    } else if value.is::<Map>() {
        let schema = session::with(|session| to_json(session, value, span))?;
        schema::check(&schema, "validate", span)?;
        Validate::Schema(schema)
    } else {
        return Err(wrong("`validate`", "a closure `|r| …`, an expression, or a JSON Schema as a map", value, span));
    };
    let said = ("is validated", "join both: `.validate(|r| r.number > 80 && r.number <= 100)`");
    once(context, id, |policy| policy.validate.is_some(), said)?;
    change(context, id, |policy| policy.validate = Some(Box::new(validate)))?;
    connect(context, id)
}

/// Whether there is another attempt. Where nothing was said about attempts, there are some now.
pub(super) fn retry_if(context: &NativeCallContext, id: StepId, value: &Dynamic, span: Span) -> Result<(), Fault> {
    let closure = match value.read_lock::<FnPtr>() {
        Some(pointer) => about(context, id, &pointer, ("on_failure_retry", "err", "err.code == 75"), span)?,
        None => {
            let wanted = "a closure such as `|err| err.class == \"transient\"`";
            return Err(wrong("`on_failure_retry`", wanted, value, span));
        }
    };
    change(context, id, |policy| {
        policy.retry_if = Some(Box::new(closure));
        policy.retry.get_or_insert_with(Retry::default);
    })?;
    connect(context, id)
}

/// A closure about the step itself, which comes in by its parameter. A captured handle of the step would make it wait
/// for itself.
fn about(
    context: &NativeCallContext,
    id: StepId,
    pointer: &FnPtr,
    (policy, parameter, example): (&str, &str, &str),
    span: Span,
) -> Result<Closure, Fault> {
    let closure = session::with(|session| closures::freeze(session, pointer, span))?;
    let parameters = session::with(|session| session.program.function(&closure.function, |_, f| f.parameters));
    let takes = parameters.unwrap_or(1).saturating_sub(closure.captured.len());
    let form = format!("`.{policy}(|{parameter}| {example})`");
    if takes > 1 {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::arguments",
                format!("the closure of `{policy}` takes {takes} values, but is given one"),
            )
            .label(span, "given here")
            .help(form),
        ));
    }
    let mut own = false;
    session::build(context, |builder, _| {
        let group = builder.step(id).parent.filter(|group| builder.worker(*group) == id);
        let mut visit = |step| own |= step == id || Some(step) == group;
        closure.captured.iter().for_each(|value| value.each_step(&mut visit));
        match own {
            false => Ok(()),
            true => Err(itself(policy, Some(&builder.step(id).name), span)),
        }
    })
    .map(|()| closure)
}
