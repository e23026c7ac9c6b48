//! Hooks run in parts of the run of their own: start hooks, the graph, success or failure hooks, complete hooks.

use super::Findings;
use crate::diag::Diagnostic;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Edge, EdgeKind, Moment, Plan, Rule, Step, StepId, Task, wording};

/// The moment of the hook that each step belongs to, by id.
fn moments(plan: &Plan, tree: &Hierarchy) -> Vec<Option<Moment>> {
    let mut moments = vec![None; plan.steps.len()];
    for (moment, id) in &plan.header.hooks {
        moments[id.index()] = Some(*moment);
        tree.descendants(*id).iter().for_each(|inner| moments[inner.index()] = Some(*moment));
    }
    moments
}

/// Can a step of `later` wait for one of `earlier`? In the same part of the run: of course.
fn comes_before(earlier: Option<Moment>, later: Option<Moment>) -> bool {
    let part = |moment| match moment {
        Some(Moment::Start) => 0,
        None => 1,
        Some(Moment::Success | Moment::Failure) => 2,
        Some(Moment::Complete) => 3,
    };
    earlier == later || part(earlier) < part(later)
}

/// Everything that a step waits for.
fn each_needed(step: &Step, visit: &mut dyn FnMut(Edge)) {
    step.after.iter().for_each(|edge| visit(*edge));
    if let Task::Flow(branches) = &*step.task {
        for condition in branches.iter().filter_map(|branch| branch.when.as_ref()) {
            condition.each_step(&mut |from| visit(Edge { from, kind: EdgeKind::Condition }));
        }
    }
}

/// Edges from a later part of the run to an earlier one.
pub(super) fn out_of_order(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    if plan.header.hooks.is_empty() {
        return;
    }
    let moments = moments(plan, tree);
    for id in plan.ids() {
        let mut wrong: Option<StepId> = None;
        each_needed(plan.step(id), &mut |edge| {
            if wrong.is_none() && !comes_before(moments[edge.from.index()], moments[id.index()]) {
                wrong = Some(edge.from);
            }
        });
        let Some(from) = wrong else { continue };
        if found.full() {
            return;
        }
        let (name, before) = (wording::name(plan, id), wording::name(plan, from));
        let (own, other) = (when(moments[id.index()]), when(moments[from.index()]));
        let help = match moments[id.index()] {
            Some(Moment::Start) => {
                "a start hook runs before everything else: take it out of `on(…)` and use `->` instead"
            }
            _ => "declare another step for what is needed here: one step cannot be a hook and a part of the graph",
        };
        found.add(
            Diagnostic::new(
                "flow::plan::hook",
                format!("`{name}` runs {own}, but waits for `{before}`, which runs {other}"),
            )
            .label(plan.step(id).span, format!("waits for `{before}`"))
            .label(plan.step(from).span, format!("runs {other}"))
            .help(help),
        );
    }
}

/// Hooks for the end of a run that are skipped if a step whose result they use has failed.
pub(super) fn skipped(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    if plan.header.hooks.is_empty() {
        return;
    }
    let moments = moments(plan, tree);
    for id in plan.ids() {
        let (step, moment) = (plan.step(id), moments[id.index()]);
        let strict = matches!(step.policy().rule, Rule::AllSuccess | Rule::NoneFailed);
        if !strict || !matches!(moment, Some(Moment::Failure | Moment::Complete)) {
            continue;
        }
        let judged =
            step.after.iter().find(|edge| edge.kind != EdgeKind::Condition && moments[edge.from.index()] != moment);
        let Some(edge) = judged else { continue };
        if found.full() {
            return;
        }
        let (name, before) = (wording::name(plan, id), wording::name(plan, edge.from));
        let reason = wording::reason(plan, id, edge.from, edge.kind);
        found.add(
            Diagnostic::new("flow::plan::hook", format!("the hook `{name}` is skipped if `{before}` has failed"))
                .label(step.span, format!("waits for `{before}`: {reason}"))
                .help("let it run in any case: `.rule(\"all_done\")`"),
        );
    }
}

/// When a step runs, in words.
fn when(moment: Option<Moment>) -> &'static str {
    match moment {
        None => "in the graph",
        Some(Moment::Start) => "at the start of the run",
        Some(Moment::Success) => "on success",
        Some(Moment::Failure) => "on failure",
        Some(Moment::Complete) => "at the end of the run",
    }
}
