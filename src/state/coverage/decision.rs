//! The decisions of a plan: which there are, and where they stand.

use super::Choice;
use crate::diag::Span;
use crate::plan::{Closure, Condition, Moment, Plan, Rule, StepId, Task, Validate};

/// A decision of a plan.
pub(super) struct Found {
    pub step: StepId,
    /// Which branch of a flow; 0 for all else.
    pub which: u32,
    pub choice: Choice,
    pub span: Span,
    pub text: String,
}

/// All decisions of a plan, from a step on.
pub(super) fn decisions(plan: &Plan, from: usize) -> Vec<Found> {
    plan.ids().skip(from).flat_map(|id| decisions_of(plan, id)).collect()
}

/// The decisions that a step stands for.
pub(super) fn decisions_of(plan: &Plan, id: StepId) -> Vec<Found> {
    let step = plan.step(id);
    let policy = step.policy();
    let mut all = Vec::new();
    let mut add = |choice, which, span: Span, text: String| {
        let span = if span.is_known() { span } else { step.span };
        all.push(Found { step: id, which, choice, span, text });
    };
    let of_closure = |closure: &Closure| closure.text.trim().to_owned();
    if let Some(when) = &step.when {
        add(Choice::When, 0, when.span(), text(when));
    }
    match &*step.task {
        Task::Flow(branches) => {
            for (which, branch) in branches.iter().enumerate() {
                if let Some(when) = &branch.when {
                    let known = if when.span().is_known() { when.span() } else { plan.step(branch.step).span };
                    add(Choice::Branch, which as u32, known, text(when));
                }
            }
        }
        Task::Repeat(repeat) => {
            if let Some(until) = &repeat.until {
                add(Choice::Until, 0, until.span, of_closure(until));
            }
        }
        Task::Approve(approve) if approve.choices.is_empty() => add(Choice::Answer, 0, step.span, String::new()),
        _ => {}
    }
    if step.task.waits() && policy.timeout_ms.is_some() && !matches!(*step.task, Task::WaitUntil(_)) {
        add(Choice::InTime, 0, step.span, String::new());
    }
    if !matches!(policy.rule, Rule::AllSuccess | Rule::AllDone) {
        add(Choice::Rule, 0, step.span, policy.rule.name().to_owned());
    }
    if policy.validate.is_some() {
        add(Choice::Validate, 0, step.span, validated(policy.validate.as_deref()));
    }
    if let Some(closure) = &policy.retry_if {
        add(Choice::Again, 0, closure.span, of_closure(closure));
    }
    if is_alternative(plan, id) {
        add(Choice::Fallback, 0, step.span, String::new());
    }
    if let Some(moment @ (Moment::Success | Moment::Failure)) = plan.hook(id) {
        add(Choice::Hook, 0, step.span, if moment == Moment::Success { "success" } else { "failure" }.to_owned());
    }
    all
}

fn validated(validate: Option<&Validate>) -> String {
    match validate {
        Some(Validate::Closure(closure)) => closure.text.trim().to_owned(),
        Some(Validate::Expr(expression)) => expression.text.clone(),
        Some(Validate::Schema(_)) | None => "a schema".to_owned(),
    }
}

/// What was known while the plan was made differs from run to run, so its value is no part of the name.
fn text(condition: &Condition) -> String {
    match condition {
        Condition::Known(_) => "known beforehand".to_owned(),
        condition => condition.text(),
    }
}

/// Is it one of the further ways of a `fallback`?
fn is_alternative(plan: &Plan, id: StepId) -> bool {
    let Some(parent) = plan.step(id).parent else { return false };
    matches!(&*plan.step(parent).task, Task::Fallback(children) if children.first().is_some_and(|first| *first != id) && children.contains(&id))
}
