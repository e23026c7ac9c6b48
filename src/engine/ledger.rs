//! Budgets: what agents have spent of each, what those that run may still use, and who waits for what they give back.
//!
//! All figures follow from the state of the run ([`Ledger::of`]); [`Ledger::learn`] keeps them so, one step at a time. As at a
//! limit, a step that has to wait is parked at the budget that is short and blocks nobody else. When something comes back,
//! the first of the parked ones is promised what it needs, so that no latecomer takes it away.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::order::Place;
use crate::plan::{Bounds, Plan, StepId, Task, Unit, bounds_of, covers};
use crate::state::{Amount, RunState, Status};

/// All budgets of a run. Looked up by key only, never walked through in a map's order.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: Vec<Account>,
    /// Budgets by what they cover: a step or group with all that is in it, or the whole run.
    by_scope: HashMap<Option<StepId>, Vec<usize>>,
    entries: HashMap<StepId, Entry>,
    promised: HashMap<StepId, Vec<(usize, Amount)>>,
    /// Budgets at which a parked step may have got its chance.
    changed: Vec<usize>,
    /// Parked steps whose budgets are not what they were.
    loose: Vec<(Place, StepId)>,
    /// Budgets of which more was spent than they allow, with agents that still run.
    passed: Vec<usize>,
}

/// A budget.
#[derive(Debug)]
struct Account {
    /// The step that declares it.
    owner: StepId,
    bounds: Bounds,
    spent: Amount,
    reserved: Amount,
    promised: Amount,
    running: BTreeSet<StepId>,
    parked: BinaryHeap<Reverse<(Place, StepId)>>,
}

/// What is known of one agent's step.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    spent: Amount,
    /// What it may still use of its own bounds, while it runs.
    held: Amount,
    runs: bool,
}

/// May agents start?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Afford {
    /// They may.
    Yes,
    /// When others have given back what they do not use.
    Later(Short),
    /// Never.
    Never(Short),
}

/// What a budget is short of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
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

impl Ledger {
    /// By the state of a run.
    pub fn of(state: &RunState) -> Self {
        let mut ledger = Ledger::default();
        ledger.rebuild(state);
        ledger
    }

    /// Are there no budgets?
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Budgets have changed, or what they cover: all is made anew. Who is parked looks again.
    pub fn rebuild(&mut self, state: &RunState) {
        for account in &mut self.accounts {
            self.loose.extend(std::mem::take(&mut account.parked).into_iter().map(|Reverse(parked)| parked));
        }
        self.loose.sort_unstable_by(|a, b| b.cmp(a));
        *self = Ledger { loose: std::mem::take(&mut self.loose), ..Ledger::default() };
        for id in state.plan.ids() {
            self.declare(state, id);
        }
        if self.is_empty() {
            return;
        }
        let runs = |id: &StepId| is_agent(&state.plan, *id) && state.step(*id).status == Status::Running;
        let all: BTreeSet<StepId> = state.consumers().chain(state.plan.ids().filter(runs)).collect();
        for id in all {
            self.learn(state, id);
        }
    }

    /// A step has come to the plan of which nothing was spent yet. Returns whether it has, or is, a budget.
    pub fn open(&mut self, state: &RunState, id: StepId) -> bool {
        let account = self.accounts.len();
        if !self.declare(state, id) {
            return false;
        }
        // A budget that came later counts what was spent before.
        let scope = scope_of(&state.plan, id);
        let known: Vec<StepId> =
            self.entries.keys().copied().filter(|known| is_in(&state.plan, *known, scope)).collect();
        for known in known {
            let entry = self.entries[&known];
            let account = &mut self.accounts[account];
            account.spent.add(&entry.spent);
            account.reserved.add(&entry.held);
            if entry.runs {
                account.running.insert(known);
            }
        }
        true
    }

    fn declare(&mut self, state: &RunState, id: StepId) -> bool {
        let step = state.plan.step(id);
        let Some(bounds) = bounds_of(step).filter(|_| !step.retired) else { return false };
        let scope = scope_of(&state.plan, id);
        let mut spent = Amount::default();
        if scope.is_none() {
            spent.add(&Amount::of(state.gone_used()));
        }
        self.by_scope.entry(scope).or_default().push(self.accounts.len());
        let (reserved, promised) = (Amount::default(), Amount::default());
        let (running, parked) = (BTreeSet::new(), BinaryHeap::new());
        self.accounts.push(Account { owner: id, bounds, spent, reserved, promised, running, parked });
        true
    }

    /// The budgets around a step, the innermost first.
    fn around(&self, plan: &Plan, id: StepId) -> Vec<usize> {
        let scopes = covers(plan, id).map(Some).chain([None]);
        scopes.flat_map(|scope| self.by_scope.get(&scope).into_iter().flatten().copied()).collect()
    }

    /// What the step says itself, as a budget.
    fn own(&self, id: StepId) -> Option<&Account> {
        let accounts = self.by_scope.get(&Some(id))?.iter().map(|account| &self.accounts[*account]);
        accounts.into_iter().find(|account| account.owner == id)
    }

    /// What is known of an agent's step may have changed.
    pub fn learn(&mut self, state: &RunState, id: StepId) {
        let consumed = state.step(id).consumed.as_ref();
        let mut new = Entry {
            spent: consumed.map(|consumed| Amount::of(&consumed.total())).unwrap_or_default(),
            held: Amount::default(),
            runs: is_agent(&state.plan, id) && state.step(id).status == Status::Running,
        };
        let old = self.entries.get(&id).copied().unwrap_or_default();
        if let (true, Some(own)) = (new.runs, self.own(id)) {
            for (unit, most) in own.bounds.each() {
                new.held.set(unit, most.saturating_sub(new.spent.get(unit)));
            }
        }
        for index in self.around(&state.plan, id) {
            let account = &mut self.accounts[index];
            account.spent.add(&new.spent);
            account.spent.take(&old.spent);
            account.reserved.add(&new.held);
            account.reserved.take(&old.held);
            match new.runs {
                true => account.running.insert(id),
                false => account.running.remove(&id),
            };
            if !account.parked.is_empty() {
                self.changed.push(index);
            }
            if !account.running.is_empty() && account.over().is_some() {
                self.passed.push(index);
            }
        }
        self.entries.insert(id, new);
    }

    /// May these agents start, all of them at once?
    pub fn afford(&mut self, plan: &Plan, ids: &[StepId]) -> Afford {
        for id in ids {
            self.let_go(*id);
        }
        let needs = self.needs(plan, ids);
        let short = needs.iter().find_map(|(account, need)| self.accounts[*account].never(need));
        if let Some(short) = short {
            return Afford::Never(short);
        }
        match needs.iter().find_map(|(account, need)| self.accounts[*account].short(need)) {
            Some(short) => Afford::Later(short),
            None => Afford::Yes,
        }
    }

    /// Parks a step at a budget. `short`: what that lacks.
    pub fn park(&mut self, id: StepId, place: Place, short: &Short) {
        let account = self.accounts.iter_mut().find(|account| account.owner == short.budget);
        match account {
            Some(account) => account.parked.push(Reverse((place, id))),
            None => self.loose.push((place, id)),
        }
    }

    /// What was promised to a step is free again.
    pub fn let_go(&mut self, id: StepId) {
        for (index, need) in self.promised.remove(&id).into_iter().flatten() {
            if let Some(account) = self.accounts.get_mut(index) {
                account.promised.take(&need);
                self.changed.push(index);
            }
        }
    }

    /// A parked step that may try again, if there is one. `agents`: those that start with it; none: it is no longer parked so.
    pub fn wake(
        &mut self,
        plan: &Plan,
        mut agents: impl FnMut(StepId, Place) -> Vec<StepId>,
    ) -> Option<(Place, StepId)> {
        while let Some((place, id)) = self.loose.pop() {
            if !agents(id, place).is_empty() {
                return Some((place, id));
            }
        }
        while let Some(index) = self.changed.last().copied() {
            let Some(&Reverse((place, id))) = self.accounts.get(index).and_then(|account| account.parked.peek()) else {
                self.changed.pop();
                continue;
            };
            let ids = agents(id, place);
            if ids.is_empty() {
                self.accounts[index].parked.pop();
                continue;
            }
            let needs = self.needs(plan, &ids);
            let all = |of: fn(&Account, &Need) -> Option<Short>| {
                needs.iter().all(|(account, need)| of(&self.accounts[*account], need).is_none())
            };
            let (may_ever, may_now) = (all(Account::never), self.accounts[index].may(&needs, index));
            if may_ever && !may_now {
                self.changed.pop();
                continue;
            }
            self.accounts[index].parked.pop();
            if may_ever {
                let promised = needs.iter().map(|(account, need)| (*account, need.amount())).collect::<Vec<_>>();
                for (account, amount) in &promised {
                    self.accounts[*account].promised.add(amount);
                }
                self.promised.insert(id, promised);
            }
            return Some((place, id));
        }
        None
    }

    /// The agents that still run under a budget of which more was spent than it allows, once each time that is found.
    pub fn overspent(&mut self) -> Option<Vec<StepId>> {
        let index = self.passed.pop()?;
        Some(self.accounts.get(index)?.running.iter().copied().collect())
    }

    /// The innermost budget around a step of which more was spent than it allows.
    pub fn over(&self, plan: &Plan, id: StepId) -> Option<Short> {
        self.around(plan, id).into_iter().find_map(|index| self.accounts[index].over())
    }

    /// What a step that runs may use in all, by every budget around it: what is left there, but for what others have reserved.
    pub fn allowance(&self, plan: &Plan, id: StepId) -> Bounds {
        let held = self.entries.get(&id).map(|entry| entry.held).unwrap_or_default();
        let mut bounds = Bounds::default();
        for index in self.around(plan, id) {
            let account = &self.accounts[index];
            for (unit, most) in account.bounds.each() {
                let others = account.reserved.get(unit).saturating_sub(held.get(unit));
                bounds.tighten(unit, most.saturating_sub(account.spent.get(unit)).saturating_sub(others));
            }
        }
        bounds
    }

    /// What these agents need of each budget around them before they may start.
    fn needs(&self, plan: &Plan, ids: &[StepId]) -> Vec<(usize, Need)> {
        let mut needs: Vec<(usize, Need)> = Vec::new();
        for id in ids {
            let own = self.own(*id).map(|own| (own.bounds, own.spent));
            for index in self.around(plan, *id) {
                let at = needs.iter().position(|(account, _)| *account == index).unwrap_or_else(|| {
                    needs.push((index, Need::default()));
                    needs.len() - 1
                });
                for unit in Unit::ALL {
                    let bound = own.and_then(|(bounds, spent)| Some(bounds.get(unit)?.saturating_sub(spent.get(unit))));
                    needs[at].1.more(unit, bound);
                }
            }
        }
        needs
    }
}

/// What agents that are about to start need of a budget.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// What those use at most that are bounded themselves.
    bounded: Amount,
    /// Is there one that is bounded, and one that is not, by unit? The latter needs anything at all.
    any_bounded: [bool; 4],
    any_free: [bool; 4],
}

impl Need {
    fn more(&mut self, unit: Unit, bound: Option<u64>) {
        match bound {
            Some(bound) => {
                self.bounded.set(unit, self.bounded.get(unit).saturating_add(bound));
                self.any_bounded[unit as usize] = true;
                // Whose own budget is used up would start with nothing.
                self.any_free[unit as usize] |= bound == 0;
            }
            None => self.any_free[unit as usize] = true,
        }
    }

    fn get(&self, unit: Unit) -> u64 {
        self.bounded.get(unit).saturating_add(u64::from(self.any_free[unit as usize]))
    }

    fn amount(&self) -> Amount {
        let mut amount = Amount::default();
        for unit in Unit::ALL {
            amount.set(unit, self.get(unit));
        }
        amount
    }

    fn asked(&self, unit: Unit) -> Option<u64> {
        Some(self.bounded.get(unit)).filter(|asked| self.any_bounded[unit as usize] && *asked > 0)
    }
}

impl Account {
    fn is_short_of(&self, unit: Unit, most: u64, asked: Option<u64>) -> Short {
        Short {
            budget: self.owner,
            unit,
            limit: most,
            spent: self.spent.get(unit),
            reserved: self.reserved.get(unit),
            asked,
            running: self.running.iter().copied().collect(),
        }
    }

    /// Would it not even do if all that is reserved came back?
    fn never(&self, need: &Need) -> Option<Short> {
        let short = |unit, most| self.spent.get(unit).saturating_add(need.get(unit)) > most;
        let (unit, most) = self.bounds.each().find(|(unit, most)| short(*unit, *most))?;
        Some(self.is_short_of(unit, most, need.asked(unit)))
    }

    /// Does it not do now?
    fn short(&self, need: &Need) -> Option<Short> {
        let taken =
            |unit| self.spent.get(unit).saturating_add(self.reserved.get(unit)).saturating_add(self.promised.get(unit));
        let short = |unit, most| taken(unit).saturating_add(need.get(unit)) > most;
        let (unit, most) = self.bounds.each().find(|(unit, most)| short(*unit, *most))?;
        Some(self.is_short_of(unit, most, need.asked(unit)))
    }

    fn over(&self) -> Option<Short> {
        let (unit, most) = self.bounds.each().find(|(unit, most)| self.spent.get(*unit) > *most)?;
        Some(self.is_short_of(unit, most, None))
    }

    fn may(&self, needs: &[(usize, Need)], index: usize) -> bool {
        needs.iter().filter(|(account, _)| *account == index).all(|(_, need)| self.short(need).is_none())
    }
}

fn is_agent(plan: &Plan, id: StepId) -> bool {
    matches!(*plan.step(id).task, Task::Agent(_))
}

/// What the budget covers that a step is, or has. Nothing: the whole run.
fn scope_of(plan: &Plan, id: StepId) -> Option<StepId> {
    let step = plan.step(id);
    if matches!(*step.task, Task::Budget(_)) { step.parent } else { Some(id) }
}

fn is_in(plan: &Plan, id: StepId, scope: Option<StepId>) -> bool {
    scope.is_none_or(|scope| covers(plan, id).any(|around| around == scope))
}
