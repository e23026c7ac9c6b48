//! What can be wrong with a plan, found before anything runs.
//!
//! [`check`] finds what would make a run hang or do something else than what is written; such a plan is refused.
//! [`warnings`] finds what is probably not meant. Both report everything at once, the most important first.

mod agent;
mod branches;
mod budget;
mod cycles;
mod hooks;
mod names;
mod pipeline;
mod policies;
mod recovery;
pub(super) mod stream;

use super::hierarchy::Hierarchy;
use super::precedence::Precedence;
use super::{Plan, Task};
use crate::diag::Diagnostic;

/// Most diagnostics that one call gives.
pub const MOST: usize = 20;

/// Everything that is wrong with a plan, at most [`MOST`] diagnostics. Their sources are for the caller to add.
///
/// Linear in the plan, apart from the search for the shortest cycle.
pub fn check(plan: &Plan) -> Vec<Diagnostic> {
    let tree = Hierarchy::of(plan);
    let mut found = Findings::default();
    cycles::own_groups(plan, &tree, &mut found);
    cycles::circles(plan, &Precedence::strict(plan, &tree), &mut found);
    names::duplicates(plan, &tree, &mut found);
    names::characters(plan, &mut found);
    branches::unreachable(plan, &mut found);
    hooks::out_of_order(plan, &tree, &mut found);
    policies::limits(plan, &mut found);
    policies::out_of_place(plan, &mut found);
    policies::merges(plan, &mut found);
    budget::budgets(plan, &mut found);
    stream::members(plan, &mut found);
    stream::alone(plan, &mut found);
    pipeline::pipelines(plan, &mut found);
    pipeline::shared(plan, &tree, &mut found);
    pipeline::alerts(plan, &mut found);
    agent::agents(plan, &mut found);
    recovery::breakers(plan, &mut found);
    recovery::checkpoints(plan, &mut found);
    recovery::undos(plan, &mut found);
    found.list
}

/// What is probably not meant, though it can run: at most [`MOST`] diagnostics.
pub fn warnings(plan: &Plan) -> Vec<Diagnostic> {
    let tree = Hierarchy::of(plan);
    let mut found = Findings::default();
    branches::never(plan, &mut found);
    branches::repeated(plan, &mut found);
    policies::rules(plan, &mut found);
    policies::without_effect(plan, &mut found);
    budget::untold(plan, &mut found);
    recovery::without_timeout(plan, &mut found);
    stream::begins_late(plan, &mut found);
    hooks::skipped(plan, &tree, &mut found);
    found.list.into_iter().map(Diagnostic::as_warning).collect()
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    list: Vec<Diagnostic>,
}

impl Findings {
    fn full(&self) -> bool {
        self.list.len() >= MOST
    }

    fn add(&mut self, diagnostic: Diagnostic) {
        if !self.full() {
            self.list.push(diagnostic);
        }
    }
}

/// The flows of a plan, with their branches.
fn flows(plan: &Plan) -> impl Iterator<Item = (super::StepId, &[super::Branch])> {
    plan.ids().filter_map(|id| match &*plan.step(id).task {
        Task::Flow(branches) => Some((id, branches.as_slice())),
        _ => None,
    })
}
