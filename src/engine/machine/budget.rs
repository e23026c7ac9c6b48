//! Budgets: agents start only where there is enough left, and are ended when more was spent than that.

use std::sync::Arc;

use super::{Machine, node};
use crate::engine::ledger::{Afford, Ledger, Short};
use crate::engine::order::Place;
use crate::event::{Event, Failure, FailureKind, Outcome, Used, Verdict};
use crate::plan::{Budget, Growth, Plan, StepId, Task, bounds_of};
use crate::state::{RunState, Status};

/// The agents that start with a step: itself, or of a stream its members.
pub fn agents_of(plan: &Plan, id: StepId) -> Vec<StepId> {
    let is_agent = |id: &StepId| matches!(*plan.step(*id).task, Task::Agent(_));
    match &*plan.step(id).task {
        Task::Agent(_) => vec![id],
        Task::Stream(stream) => stream.members().filter(is_agent).collect(),
        _ => Vec::new(),
    }
}

impl Machine {
    /// What the agent of a step that runs may use, by all budgets around it. Nothing: no budget bounds it.
    pub fn allowance(&self, id: StepId) -> Option<Budget> {
        let bounds = self.ledger.allowance(&self.state.plan, id);
        (!bounds.is_empty()).then(|| bounds.budget())
    }

    /// Has an event been given out by which a step uses more or less than before?
    pub(super) fn keep_books(&mut self, event: &Event) {
        match event {
            Event::Started { step, .. }
            | Event::Retrying { step, .. }
            | Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Interrupted { step, .. }
            | Event::Cancelled { step } => {
                if matches!(*self.state.plan.step(*step).task, Task::Agent(_)) {
                    self.ledger.learn(&self.state, *step);
                }
            }
            Event::Used(used) => self.ledger.learn(&self.state, used.step),
            _ => {}
        }
    }

    /// Do budgets allow the agents of a step to start? Else it is parked, or fails.
    pub(super) fn may_spend(&mut self, id: StepId, place: Place) -> bool {
        if self.ledger.is_empty() {
            return true;
        }
        let agents = agents_of(&self.state.plan, id);
        if agents.is_empty() {
            return true;
        }
        self.ledger.let_go(id);
        match self.ledger.afford(&self.state.plan, &agents) {
            Afford::Yes => return true,
            Afford::Later(short) => {
                self.ledger.park(id, place, &short);
                self.nodes[id.index()].set(node::PARKED);
                // What a limit had promised to it is free for others.
                self.limits.give_back(id);
            }
            Afford::Never(short) => {
                let failure = refused(&self.state, id, &short);
                self.limits.give_back(id);
                self.fail(id, failure);
            }
        }
        false
    }

    /// As [`Machine::may_spend`], for a member of a stream that is tried again: the others go on, so it cannot wait.
    pub(super) fn may_spend_again(&mut self, id: StepId) -> bool {
        if self.ledger.is_empty() || !matches!(*self.state.plan.step(id).task, Task::Agent(_)) {
            return true;
        }
        match self.ledger.afford(&self.state.plan, &[id]) {
            Afford::Yes => true,
            Afford::Later(short) | Afford::Never(short) => {
                let failure = refused(&self.state, id, &short);
                self.fail(id, failure);
                false
            }
        }
    }

    /// A parked step that budgets may now allow to start.
    pub(super) fn wake_spender(&mut self) -> Option<(Place, StepId)> {
        let (nodes, plan) = (&self.nodes, &self.state.plan);
        let agents = |id: StepId, place: Place| {
            let node = &nodes[id.index()];
            match node.has(node::PARKED) && node.seq == place.seq {
                true => agents_of(plan, id),
                false => Vec::new(),
            }
        };
        self.ledger.wake(plan, agents)
    }

    /// Ends all agents under budgets of which more was spent than they allow.
    pub(super) fn end_overspent(&mut self) {
        while let Some(running) = self.ledger.overspent() {
            for id in running {
                let ends = node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::OVERSPENT | node::JUDGING;
                if self.is(id, Status::Running) && !self.nodes[id.index()].has(ends) {
                    self.nodes[id.index()].set(node::OVERSPENT);
                    self.kill(id, false);
                }
            }
        }
    }

    /// What becomes of an agent that was ended because of a budget.
    pub(super) fn overspent(&self, id: StepId, outcome: &mut Arc<Outcome>) {
        let outcome = Arc::make_mut(outcome);
        if let Some(report) = &mut outcome.agent {
            report.verdict = Verdict::OverBudget;
        }
        outcome.error = Some(match self.ledger.over(&self.state.plan, id) {
            Some(short) => passed(&self.state, id, &short),
            None => Failure::new(FailureKind::OverBudget, "it was ended because of a budget").help(HELP),
        });
    }

    /// An attempt has ended whose outcome nobody will see: what it used in all is written down all the same.
    pub(super) fn note_use(&mut self, id: StepId, attempt: u32, outcome: &Outcome) {
        let Some(report) = &outcome.agent else { return };
        let told = self.state.step(id).consumed.as_ref().and_then(|consumed| consumed.now.as_ref());
        if told.is_none_or(|told| told.usage != report.usage) {
            let used = Used { step: id, attempt, usage: report.usage, ..Used::default() };
            self.emit(Event::Used(Box::new(used)));
        }
    }

    /// Will this growth change what budgets there are, or what they cover?
    pub(super) fn changes_budgets(&self, growth: &Growth) -> bool {
        growth.changed.iter().any(|(id, new)| {
            let old = self.state.plan.step(*id);
            let has = bounds_of(old).is_some() || bounds_of(new).is_some();
            (old.parent != new.parent && (has || !self.ledger.is_empty())) || bounds_of(old) != bounds_of(new)
        })
    }

    /// New steps may have, or be, budgets. `anew`: what was known of the others does not hold any more.
    pub(super) fn open_budgets(&mut self, new: std::ops::Range<u32>, anew: bool) {
        let first = self.ledger.is_empty();
        if anew || (first && new.clone().any(|id| bounds_of(self.state.plan.step(StepId(id))).is_some())) {
            self.ledger.rebuild(&self.state);
        } else if !first {
            for id in new {
                self.ledger.open(&self.state, StepId(id));
            }
        }
    }

    pub(super) fn make_ledger(&mut self) {
        self.ledger = Ledger::of(&self.state);
    }
}

const HELP: &str = "raise the budget, or deal with it: `.fallback(…)`, `.on_error(\"continue\")`, or a condition on what is left, `.when(|| money.remaining.usd > 1.0)`";

/// The budget in words, as the beginning of a sentence. `id`: who is bounded by it.
pub fn named(state: &RunState, id: StepId, budget: StepId) -> String {
    let path = state.plan.path(budget);
    match &*state.plan.step(budget).task {
        Task::Budget(_) => format!("the budget `{path}`"),
        _ if budget == id => "its own budget".to_owned(),
        _ => format!("the budget of `{path}`"),
    }
}

/// It does not start.
fn refused(state: &RunState, id: StepId, short: &Short) -> Failure {
    let Short { budget, unit, limit, spent, reserved, asked, .. } = short;
    let (name, say) = (named(state, id, *budget), |parts: u64| unit.spelled(parts));
    let left = limit.saturating_sub(*spent);
    let message = match asked {
        _ if left == 0 => format!("{name} of {} is used up: {} were spent", say(*limit), say(*spent)),
        Some(asked) if spent.saturating_add(*asked) > *limit => {
            format!("it may use up to {}, but {name} of {} has only {} left", say(*asked), say(*limit), say(left))
        }
        _ => format!("{name} of {} has {} left, and others may still use {}", say(*limit), say(left), say(*reserved)),
    };
    Failure::new(FailureKind::OverBudget, message).help(HELP)
}

/// It is ended.
fn passed(state: &RunState, id: StepId, short: &Short) -> Failure {
    let Short { budget, unit, limit, spent, .. } = short;
    let (name, limit, spent) = (named(state, id, *budget), unit.spelled(*limit), unit.spelled(*spent));
    Failure::new(FailureKind::OverBudget, format!("it was ended: {name} is {limit}, and {spent} were spent")).help(HELP)
}
