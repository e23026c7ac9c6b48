//! What stands beside and below the name of a step: what it runs, what it waits for and why, its policies.

use std::collections::HashSet;

use super::page::Ink;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::wording::{self, Names, clean, count, list, plural};
use crate::plan::{Condition, EdgeKind, Plan, StepId, Task, writes};

/// What a step runs; of a group, how it goes on below.
pub(super) fn what(plan: &Plan, tree: &Hierarchy, id: StepId) -> String {
    let step = plan.step(id);
    let children = tree.children(id).len();
    match &*step.task {
        Task::Parallel(_) if children > 1 => format!("{} side by side", plural(children, "step")),
        Task::Each(each) if children > 0 && each.items.is_none() => plural(children, "item"),
        Task::Each(each) if each.items.is_none() => "no items".to_owned(),
        Task::Stream(_) => "runs at once".to_owned(),
        Task::Pipeline(pipeline) if pipeline.stages.is_empty() => "no stages".to_owned(),
        Task::Pipeline(pipeline) => plural(pipeline.stages.len(), "stage"),
        Task::Chain(_) | Task::Parallel(_) if children == 0 => "no steps".to_owned(),
        _ => wording::command(plan, step),
    }
}

/// What a step waits for and why, and how it runs, in pieces. What the arrow from `follows` says is left out.
pub(super) fn details(
    plan: &Plan,
    known: &Names,
    id: StepId,
    follows: Option<StepId>,
    full: bool,
) -> Vec<(Ink, String)> {
    let step = plan.step(id);
    let most = if full { usize::MAX } else { 6 };
    let names = |ids: &[StepId]| {
        let names: Vec<_> = ids.iter().take(most).map(|id| known.get(*id)).collect();
        match ids.len() > names.len() {
            false => list(&names, most),
            true => format!("{} and {} more", names.join(", "), count(ids.len() - names.len())),
        }
    };
    let mut pieces: Vec<(Ink, String)> = Vec::new();
    if let Some(desc) = &step.policy().desc {
        pieces.push((Ink::Plain, clean(desc)));
    }
    let input: HashSet<StepId> = step.input.iter().copied().collect();
    let said = |from: StepId| Some(from) == follows || input.contains(&from);
    let order = step.after.iter().filter(|edge| edge.kind == EdgeKind::Order && !said(edge.from));
    let order: Vec<StepId> = order.map(|edge| edge.from).collect();
    if !order.is_empty() {
        pieces.push((Ink::Dim, format!("after {}", names(&order))));
    }
    if !step.input.is_empty() && follows.is_none_or(|above| step.input != [above]) {
        pieces.push((Ink::Dim, format!("input from {}", names(&step.input))));
    }
    if let Some(uses) = wording::all_uses(plan, step, most) {
        pieces.push((Ink::Dim, format!("uses {uses}")));
    }
    if let Some(condition) = &step.when {
        pieces.push((Ink::Condition, format!("when {}", condition_text(condition))));
    }
    if let Some(watched) = step.on_alert {
        let alert = plan.step(watched.step).policy().alerts.get(watched.alert as usize).map(wording::alert);
        let alert = alert.unwrap_or_else(|| "an alert is raised".to_owned());
        pieces.push((Ink::Condition, format!("runs if, in {}, {alert}", names(&[watched.step]))));
    }
    let reads = reads(plan, id);
    if !reads.is_empty() {
        pieces.push((Ink::Dim, format!("reads {}", names(&reads))));
    }
    match &*step.task {
        Task::Stream(stream) => pieces.extend(wording::stream(stream).into_iter().map(|piece| (Ink::Dim, piece))),
        Task::Pipeline(pipeline) => {
            pieces.extend(wording::pipeline(pipeline).into_iter().map(|piece| (Ink::Dim, piece)));
        }
        Task::Agent(_) => pieces.extend(wording::agent(plan, id).into_iter().map(|piece| (Ink::Dim, piece))),
        _ => {}
    }
    let beside: Vec<StepId> = writes::beside(plan, id).into_iter().map(|(other, _)| other).collect();
    if !beside.is_empty() {
        pieces.push((Ink::Dim, format!("never beside {}", names(&beside))));
    }
    pieces.extend(wording::policies(plan, step).into_iter().map(|piece| (Ink::Dim, piece)));
    pieces
}

/// The steps that a step's condition, or a flow's conditions, read.
fn reads(plan: &Plan, id: StepId) -> Vec<StepId> {
    let step = plan.step(id);
    let mut seen = HashSet::new();
    let mut reads = Vec::new();
    let mut add = |read: StepId| {
        if seen.insert(read) {
            reads.push(read);
        }
    };
    if let Task::Flow(branches) = &*step.task {
        branches.iter().filter_map(|branch| branch.when.as_ref()).for_each(|when| when.each_step(&mut add));
    }
    step.after.iter().filter(|edge| edge.kind == EdgeKind::Condition).for_each(|edge| add(edge.from));
    reads
}

/// A condition in words; one that is known already says so.
pub(super) fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::Known(value) => format!("{value} (known already)"),
        condition => clean(&condition.text()),
    }
}
