//! Policies about a step's place in the plan: what it waits for, what a failure of it means, what follows it.

use rhai::{Array, Dynamic, NativeCallContext};
use smol_str::SmolStr;

use super::{change, on_error, once};
use crate::diag::{Diagnostic, Span};
use crate::lang::combine;
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::sequence;
use crate::lang::options::{self, choice};
use crate::lang::session;
use crate::plan::{EdgeKind, Rule, StepId};

/// Sets one of them.
pub(super) fn set(
    context: &NativeCallContext,
    id: StepId,
    name: &str,
    value: &Dynamic,
    span: Span,
) -> Result<(), Fault> {
    let what = format!("`{name}`");
    match name {
        "after" => {
            let others = sequence(context, value)?;
            session::build(context, |builder, _| {
                for other in &others.exits {
                    builder.step_mut(id).add_edge(*other, EdgeKind::Order);
                }
                Ok(())
            })
        }
        "when" => condition(context, id, value, span),
        "on_success" => follow(context, id, value, Rule::AllSuccess),
        "on_failure" => follow(context, id, value, Rule::OneFailed),
        "finally" => finally(context, id, value, span),
        "fallback" => {
            for other in alternatives(value, span)? {
                let other = combine::target(context, &other)?;
                session::build(context, |builder, span| {
                    let other = other.id(builder);
                    builder.fallback(id, other, span)
                })?;
            }
            Ok(())
        }
        "undo" => {
            let undo = combine::target(context, value)?;
            session::build(context, |builder, span| {
                let undo = undo.id(builder);
                builder.undo(id, undo, span)
            })
        }
        "rule" => {
            let rule = choice(value, &what, &Rule::ALL, span)?;
            change(context, id, |policy| policy.rule = rule)
        }
        "on_error" => {
            let on_error = on_error(value, &what, span)?;
            change(context, id, |policy| policy.on_error = Some(on_error))
        }
        "checkpoint" => {
            let name = options::text(value, &what, span)?;
            let said = ("is a checkpoint", "one name is enough: remove one of the two");
            once(context, id, |policy| policy.checkpoint.is_some(), said)?;
            change(context, id, |policy| policy.checkpoint = Some(name.into()))
        }
        "desc" => {
            let text = options::text(value, &what, span)?;
            change(context, id, |policy| policy.desc = Some(text))
        }
        "tag" => {
            let words = options::texts(value, &what, span)?;
            change(context, id, |policy| policy.tags.extend(words.iter().map(SmolStr::new)))
        }
        _ => Err(options::unknown_key(name, "a step", &super::names(), span)),
    }
}

/// A step, or several that are tried in order.
fn alternatives(value: &Dynamic, span: Span) -> Result<Vec<Dynamic>, Fault> {
    let Some(list) = value.read_lock::<Array>() else { return Ok(vec![value.clone()]) };
    if list.is_empty() {
        return Err(raise(
            Diagnostic::new("flow::lang::option", "the list of fallbacks is empty")
                .label(span, "here")
                .help("give at least one step: `.fallback([sh(\"mirror\", …), sh(\"backup\", …)])`"),
        ));
    }
    Ok(list.to_vec())
}

fn condition(context: &NativeCallContext, id: StepId, value: &Dynamic, span: Span) -> Result<(), Fault> {
    let condition = combine::condition(value, span)?;
    session::build(context, |builder, _| {
        let step = builder.step(id);
        if step.when.is_some() {
            return Err(Diagnostic::new("flow::lang::option", format!("`{}` has a condition already", step.name))
                .label(span, "second condition")
                .help("join both: `.when(|| a.passed && b.passed)`"));
        }
        builder.step_mut(id).when = Some(Box::new(condition));
        builder.connect(id);
        Ok(())
    })
}

/// Another step that comes after this one, if this one ends so.
fn follow(context: &NativeCallContext, id: StepId, other: &Dynamic, rule: Rule) -> Result<(), Fault> {
    let other = combine::target(context, other)?;
    session::build(context, |builder, _| {
        let other = other.id(builder);
        let step = builder.step_mut(other);
        step.add_edge(id, EdgeKind::Order);
        step.policy_mut().rule = rule;
        Ok(())
    })
}

/// Another step that comes after this one, however this one ends.
fn finally(context: &NativeCallContext, id: StepId, other: &Dynamic, span: Span) -> Result<(), Fault> {
    let other = combine::target(context, other)?;
    session::build(context, |builder, _| {
        let other = other.id(builder);
        if other == id {
            return Err(Diagnostic::new(
                "flow::plan::cycle",
                format!("`{}` cannot clean up after itself: it would wait for its own end", builder.step(id).name),
            )
            .label(span, "this is the step itself")
            .help("declare a step of its own: `step.finally(sh(\"clean-up\", …))`"));
        }
        let step = builder.step_mut(other);
        step.add_edge(id, EdgeKind::Order);
        let policy = step.policy_mut();
        policy.rule = Rule::AllDone;
        policy.finally = true;
        Ok(())
    })
}
