//! Budgets that cannot mean what they say, and those that a backend does not know how to keep.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::diag::Diagnostic;
use crate::plan::{Backend, Bounds, Plan, StepId, Task, Unit, bounds_of, covers, wording};

const BUDGET: &str = "flow::plan::budget";

/// Two budgets of one group; a budget of what uses nothing; an agent that would never start.
pub(super) fn budgets(plan: &Plan, found: &mut Findings) {
    let declared = declared(plan);
    if declared.is_empty() && !plan.steps.iter().any(|step| step.policy().budget.is_some()) {
        return;
    }
    for (parent, budgets) in &declared {
        if let [first, second, ..] = budgets.as_slice() {
            let place = match parent {
                Some(group) => format!("`{}` has", wording::name(plan, *group)),
                None => "the script has".to_owned(),
            };
            found.add(
                Diagnostic::new(
                    BUDGET,
                    format!("{place} two budgets, `{}` and `{}`", plan.step(*first).name, plan.step(*second).name),
                )
                .label(plan.step(*second).span, "again here")
                .label(plan.step(*first).span, "first here")
                .help("put all units into one: `budget(#{ usd: 5.0, turns: 100 })`; a group can have one of its own: `group.budget(#{…})`"),
            );
        }
    }
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        let is_agent = matches!(&*step.task, Task::Agent(_));
        if step.policy().budget.is_some() && !is_agent && !step.task.is_group() {
            let (name, kind) = (wording::name(plan, id), wording::a_kind(&step.task));
            found.add(
                Diagnostic::new(BUDGET, format!("`{name}` is {kind}: it uses nothing that a budget bounds"))
                    .label(step.span, "this step")
                    .help("budgets are for agents and for groups of steps; what a process may use bounds `.timeout(…)`, or a `limit`"),
            );
        }
        if let (true, Some(own)) = (is_agent, bounds_of(step)) {
            never_starts(plan, id, &own, &declared, found);
        }
    }
}

/// The budgets that are steps, by the group that they bound.
fn declared(plan: &Plan) -> BTreeMap<Option<StepId>, Vec<StepId>> {
    let mut declared: BTreeMap<Option<StepId>, Vec<StepId>> = BTreeMap::new();
    for id in plan.ids() {
        let step = plan.step(id);
        if matches!(*step.task, Task::Budget(_)) && !step.retired {
            declared.entry(step.parent).or_default().push(id);
        }
    }
    declared
}

/// May an agent use more than a budget around it allows at all?
fn never_starts(
    plan: &Plan,
    id: StepId,
    own: &Bounds,
    declared: &BTreeMap<Option<StepId>, Vec<StepId>>,
    found: &mut Findings,
) {
    let groups = covers(plan, id).skip(1).filter(|group| plan.step(*group).policy().budget.is_some());
    let scopes = covers(plan, id).map(Some).chain([None]);
    let steps = scopes.flat_map(|scope| declared.get(&scope).into_iter().flatten().copied());
    for budget in groups.chain(steps) {
        let Some(most) = bounds_of(plan.step(budget)) else { continue };
        let over = |(unit, most): &(Unit, u64)| own.get(*unit).is_some_and(|own| own > *most);
        if let Some((unit, most)) = most.each().find(over) {
            let name = wording::name(plan, id);
            let may = unit.spelled(own.get(unit).unwrap_or_default());
            let around = match &*plan.step(budget).task {
                Task::Budget(_) => format!("the budget `{}`", plan.step(budget).name),
                _ => format!("the budget of `{}`", wording::name(plan, budget)),
            };
            found.add(
                Diagnostic::new(
                    BUDGET,
                    format!("`{name}` may use {may}, and {around} is {}: it would never start", unit.spelled(most)),
                )
                .label(plan.step(id).span, "this agent")
                .label(plan.step(budget).span, "the budget")
                .help("what an agent may use is reserved before it starts: give it a smaller budget of its own, or raise the one around it"),
            );
            return;
        }
    }
}

/// Backends that do not say what they cost, under budgets of money.
pub(super) fn untold(plan: &Plan, found: &mut Findings) {
    let declared = declared(plan);
    let bounds_money = |id: StepId| bounds_of(plan.step(id)).is_some_and(|bounds| bounds.get(Unit::Usd).is_some());
    let mut told = BTreeSet::new();
    for id in plan.ids() {
        let Task::Agent(ask) = &*plan.step(id).task else { continue };
        let backend = ask.agent.backend.as_str();
        if told.contains(backend) || Backend::named(backend).is_some_and(|backend| backend.tells_cost) {
            continue;
        }
        let scopes = covers(plan, id).map(Some).chain([None]);
        let mut around =
            covers(plan, id).chain(scopes.flat_map(|scope| declared.get(&scope).into_iter().flatten().copied()));
        if let Some(budget) = around.find(|id| bounds_money(*id)) {
            told.insert(backend);
            found.add(
                Diagnostic::new(BUDGET, format!("`{backend}` does not say what it costs: `usd` does not bound it"))
                    .label(plan.step(id).span, "this agent")
                    .label(plan.step(budget).span, "a budget of money")
                    .help("bound its `turns`, `tokens` or `minutes` as well"),
            );
        }
    }
}
