//! Hooks stand beside the graph: nothing waits for them, and they wait for nothing but their moment.

use super::Findings;
use crate::diag::Diagnostic;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Moment, Plan, StepId, Task, wording};

/// Edges between the steps of a hook and any other step.
pub(super) fn apart(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    if plan.header.hooks.is_empty() {
        return;
    }
    let mut hook: Vec<Option<(Moment, StepId)>> = vec![None; plan.steps.len()];
    for (moment, id) in &plan.header.hooks {
        hook[id.index()] = Some((*moment, *id));
        for inner in tree.descendants(*id) {
            hook[inner.index()] = Some((*moment, *id));
        }
    }
    for id in plan.ids() {
        let step = plan.step(id);
        let mut wrong: Option<StepId> = None;
        let mut look = |from: StepId| {
            if wrong.is_none() && hook[from.index()] != hook[id.index()] {
                wrong = Some(from);
            }
        };
        step.after.iter().for_each(|edge| look(edge.from));
        if let Task::Flow(branches) = &*step.task {
            for branch in branches {
                branch.when.iter().for_each(|condition| condition.each_step(&mut look));
            }
        }
        if let Some(from) = wrong {
            if found.full() {
                return;
            }
            found.add(describe(plan, id, from, hook[id.index()], hook[from.index()]));
        }
    }
}

fn describe(
    plan: &Plan,
    id: StepId,
    from: StepId,
    own: Option<(Moment, StepId)>,
    other: Option<(Moment, StepId)>,
) -> Diagnostic {
    let (name, before) = (wording::name(plan, id), wording::name(plan, from));
    let (message, help) = match (own, other) {
        (_, Some((moment, _))) => (
            format!("`{name}` waits for `{before}`, which runs {}", moment_name(moment)),
            format!("a hook runs beside the graph; declare a step of its own for what `{name}` needs"),
        ),
        (Some((moment, _)), None) => (
            format!("`{name}` runs {}, so it cannot wait for `{before}`", moment_name(moment)),
            "a hook runs at its moment and waits for nothing else; write a step with `.when(…)` for what depends on results"
                .to_owned(),
        ),
        (None, None) => (format!("`{name}` waits for `{before}`"), "remove the edge".to_owned()),
    };
    Diagnostic::new("flow::plan::hook", message)
        .label(plan.step(id).span, format!("waits for `{before}`"))
        .label(plan.step(from).span, "declared here")
        .help(help)
}

/// When a hook runs, in words.
fn moment_name(moment: Moment) -> &'static str {
    match moment {
        Moment::Start => "at the start of the run",
        Moment::Success => "on success",
        Moment::Failure => "on failure",
        Moment::Complete => "at the end of the run",
    }
}
