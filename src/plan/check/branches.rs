//! Branches that can never be taken, or that were probably meant otherwise.

use std::collections::HashMap;

use super::{Findings, flows};
use crate::diag::{Diagnostic, Span};
use crate::plan::{Condition, Plan, StepId, expression, wording};

/// What a condition always is, whatever happens and whatever the parameters are.
fn constant(condition: &Condition) -> Option<bool> {
    match condition {
        // It was computed while the plan was built, perhaps from a parameter: it may differ the next time.
        Condition::Known(_) => None,
        Condition::Closure(closure) => {
            closure.captured.is_empty().then_some(())?;
            match condition.text().trim_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';')) {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }
        }
        Condition::Expr(expression) => {
            expression.steps.is_empty().then_some(())?;
            let unknown = |name: &str| expression::Error::new(format!("`{name}` is not known"));
            let parsed = expression::parse(&expression.text).ok()?;
            expression::eval(&parsed, &mut |name, _| Err(unknown(name))).ok()?.as_bool()
        }
    }
}

fn place(plan: &Plan, flow: StepId, condition: Option<&Condition>) -> Span {
    condition.map(Condition::span).filter(|span| span.is_known()).unwrap_or(plan.step(flow).span)
}

/// Branches behind an `otherwise`, or behind a condition that is always true.
pub(super) fn unreachable(plan: &Plan, found: &mut Findings) {
    for (flow, branches) in flows(plan) {
        let Some(last) =
            branches.iter().position(|branch| branch.when.as_ref().is_none_or(|c| constant(c) == Some(true)))
        else {
            continue;
        };
        let Some(behind) = branches.get(last + 1) else { continue };
        if found.full() {
            return;
        }
        let (name, step) = (wording::name(plan, flow), wording::name(plan, behind.step));
        let (what, help) = match &branches[last].when {
            None => ("the `otherwise`", "put `otherwise` last: conditions are tried in the order they are written"),
            Some(_) => {
                ("a condition that is always true", "put this condition last, or write what it really depends on")
            }
        };
        let mut diagnostic = Diagnostic::new(
            "flow::plan::unreachable",
            format!("the branch to `{step}` of `{name}` can never be taken: it stands behind {what}"),
        )
        .label(plan.step(behind.step).span, "never runs");
        let decided = place(plan, flow, branches[last].when.as_ref());
        diagnostic = diagnostic.label(
            decided,
            match branches[last].when {
                None => "this flow takes its `otherwise` first",
                Some(_) => "always true",
            },
        );
        found.add(diagnostic.help(help));
    }
}

/// Conditions that are always false; without parameters, also those that were false when the plan was built.
pub(super) fn never(plan: &Plan, found: &mut Findings) {
    let fixed = plan.header.params.is_empty();
    let is_false =
        |condition: &Condition| constant(condition) == Some(false) || fixed && *condition == Condition::Known(false);
    for (flow, branches) in flows(plan) {
        for branch in branches {
            if found.full() {
                return;
            }
            if let Some(condition) = branch.when.as_ref().filter(|condition| is_false(condition)) {
                let (name, step) = (wording::name(plan, flow), wording::name(plan, branch.step));
                found.add(
                    Diagnostic::new("flow::plan::never", format!("the branch to `{step}` of `{name}` is never taken"))
                        .label(place(plan, flow, Some(condition)), "always false")
                        .label(plan.step(branch.step).span, "never runs")
                        .help("remove the branch, or let the condition read a result or a parameter"),
                );
            }
        }
    }
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        if step.when.as_deref().is_some_and(is_false) {
            found.add(
                Diagnostic::new("flow::plan::never", format!("`{}` never runs", wording::name(plan, id)))
                    .label(step.span, "its condition is always false")
                    .help("remove the step, or let the condition read a result or a parameter"),
            );
        }
    }
}

/// The same condition twice in one flow: the second branch is never taken.
pub(super) fn repeated(plan: &Plan, found: &mut Findings) {
    for (flow, branches) in flows(plan) {
        let mut seen: HashMap<String, StepId> = HashMap::new();
        for branch in branches {
            let Some(condition) = &branch.when else { continue };
            if found.full() {
                return;
            }
            // Closures without a text, and values known already, say nothing of what was written.
            let unclear = match condition {
                Condition::Closure(closure) => closure.text.is_empty(),
                Condition::Known(_) => true,
                Condition::Expr(_) => false,
            };
            let words: String = condition.text().split_whitespace().collect();
            // Closures made in a loop have one text, and each what it captured.
            let captured = match condition {
                Condition::Closure(closure) => &*closure.captured,
                _ => &[],
            };
            let key = format!("{words} {:?} {captured:?}", condition.steps());
            match seen.get(&key) {
                _ if unclear => {}
                None => {
                    seen.insert(key, branch.step);
                }
                Some(first) => found.add(
                    Diagnostic::new(
                        "flow::plan::repeated",
                        format!(
                            "`{}` asks `{}` twice",
                            wording::name(plan, flow),
                            wording::shorten(&wording::clean(&condition.text()), 60)
                        ),
                    )
                    .label(place(plan, flow, Some(condition)), "asked again here")
                    .label(plan.step(branch.step).span, "never runs")
                    .label(plan.step(*first).span, "this one runs when it is true")
                    .help("change one of the two conditions, or remove the second branch"),
                ),
            }
        }
    }
}
