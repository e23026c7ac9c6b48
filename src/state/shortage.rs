//! Why budgets do not let an agent start: read off the state of a run alone, so that anybody can ask.

use super::{Amount, RunState, Status};
use crate::plan::{Bounds, StepId, Task, Unit, bounds_of, covers};

/// What a budget is short of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The step that declares it.
    pub budget: StepId,
    /// Of this.
    pub unit: Unit,
    /// The most that may be spent.
    pub limit: u64,
    /// What was spent.
    pub spent: u64,
    /// What those that run may still use.
    pub reserved: u64,
    /// What is asked for. Nothing: anything would do.
    pub asked: Option<u64>,
    /// Those that run under it.
    pub running: Vec<StepId>,
}

impl Shortage {
    /// In words, as the end of a sentence: `0.12 USD of 5.00 USD are left, and up to 1.00 USD is asked for`.
    pub fn spelled(&self) -> String {
        let say = |parts: u64| self.unit.spelled(parts);
        let left = self.limit.saturating_sub(self.spent);
        let reserved = match self.reserved {
            0 => String::new(),
            reserved => format!(", those that run may still use {}", say(reserved)),
        };
        let asked = match self.asked {
            Some(asked) => format!(", and it may use up to {}", say(asked)),
            None => String::new(),
        };
        format!("{} of {} left{reserved}{asked}", say(left), say(self.limit))
    }
}

impl RunState {
    /// What the agents under a budget may use at most, and what they have: each budget, the innermost around a step first.
    fn budgets_around(&self, id: StepId) -> Vec<StepId> {
        let plan = &self.plan;
        let scopes: Vec<Option<StepId>> = covers(plan, id).map(Some).chain([None]).collect();
        let mut found: Vec<(usize, StepId)> = Vec::new();
        for other in plan.ids().filter(|other| !plan.step(*other).retired && bounds_of(plan.step(*other)).is_some()) {
            let scope = match &*plan.step(other).task {
                Task::Budget(_) => plan.step(other).parent,
                _ => Some(other),
            };
            found.extend(scopes.iter().position(|around| *around == scope).map(|depth| (depth, other)));
        }
        found.sort_unstable();
        found.into_iter().map(|(_, budget)| budget).collect()
    }

    /// What a step that asks an agent may still use by what it says itself.
    fn own_left(&self, id: StepId) -> Bounds {
        let spent = Amount::of(&self.consumed(id));
        let mut left = Bounds::default();
        for (unit, most) in bounds_of(self.plan.step(id)).iter().flat_map(|bounds| bounds.each().collect::<Vec<_>>()) {
            left.tighten(unit, most.saturating_sub(spent.get(unit)));
        }
        left
    }

    /// The budget that does not let the agent of a step start now, if there is one.
    pub fn short_of_budget(&self, id: StepId) -> Option<Shortage> {
        if !matches!(*self.plan.step(id).task, Task::Agent(_)) {
            return None;
        }
        let own = self.own_left(id);
        self.budgets_around(id).into_iter().find_map(|budget| {
            let bounds = bounds_of(self.plan.step(budget))?;
            let spending = self.spending(budget)?;
            let spent = Amount::of(&spending.used);
            let under = |other: &StepId| {
                matches!(*self.plan.step(*other).task, Task::Agent(_))
                    && self.step(*other).status == Status::Running
                    && self.budgets_around(*other).contains(&budget)
            };
            let running: Vec<StepId> = self.plan.ids().filter(under).collect();
            bounds.each().find_map(|(unit, limit)| {
                let reserved = running.iter().filter_map(|other| self.own_left(*other).get(unit)).sum::<u64>();
                let asked = own.get(unit).filter(|asked| *asked > 0);
                let need = asked.unwrap_or(1);
                let spent = spent.get(unit);
                (spent.saturating_add(reserved).saturating_add(need) > limit).then(|| Shortage {
                    budget,
                    unit,
                    limit,
                    spent,
                    reserved,
                    asked,
                    running: running.clone(),
                })
            })
        })
    }

    /// A budget in words, as the beginning of a sentence. `id`: who is bounded by it.
    pub fn budget_named(&self, id: StepId, budget: StepId) -> String {
        let path = self.plan.path(budget);
        match &*self.plan.step(budget).task {
            Task::Budget(_) => format!("the budget `{path}`"),
            _ if budget == id => "its own budget".to_owned(),
            _ => format!("the budget of `{path}`"),
        }
    }
}
