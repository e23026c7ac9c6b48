//! What of a run still holds.
//!
//! - Steps are matched by their paths, and their fingerprints compared.
//! - Each step with a reason of its own (changed, failed, asked for, …) does not hold.
//! - From there it goes on: to what uses its output, waits for it, reads it, is in it, or holds it.
//! - Hooks at the end come last: they do not hold if anything else does not.
//!
//! For a group the start is told from the end. If its start does not hold, nothing in it does; if only its end does
//! not, because something in it runs again, the rest of it stays.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use super::{Reason, matching};
use crate::event::Skip;
use crate::plan::fingerprint::{Fingerprint, Naming, Part};
use crate::plan::{Closure, Graph, Plan, StepId};
use crate::state::RunState;

/// What a run is compared with.
pub struct Side<'a> {
    /// The plan with which the run is to go on.
    pub plan: &'a Plan,
    /// The source of a closure of it.
    pub closure: &'a dyn Fn(&Closure) -> String,
    /// The source of a closure of the plan before.
    pub closure_before: &'a dyn Fn(&Closure) -> String,
    /// Fan-outs that had got steps, and of which it is not known yet which ones they get.
    pub unfinished: &'a HashSet<StepId>,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Steps that are to run again, by their whole paths.
    pub from: BTreeSet<String>,
    /// What failed, was cancelled, or was skipped because of a failure is to run again.
    pub failed: bool,
    /// The run goes on with another script: what failed it is tried again as well.
    pub edited: bool,
}

/// What was found. Steps are those of the new plan.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The step of the plan before that each one is.
    pub matched: Vec<Option<StepId>>,
    /// Why it does not begin as it did.
    pub(super) start: Vec<Option<Reason>>,
    /// Why its end does not hold.
    pub(super) end: Vec<Option<Reason>>,
    /// New steps that are not taken, as things stand: of branches behind the one that was chosen, for instance.
    pub skipped: Vec<(StepId, Skip)>,
    /// Steps of the plan before that a fan-out got while the run went on and will get anew, with that fan-out.
    pub made_anew: BTreeMap<StepId, StepId>,
}

impl Comparison {
    /// Does all that is known of the step still hold?
    pub fn holds(&self, id: StepId) -> bool {
        self.matched[id.index()].is_some() && self.end[id.index()].is_none()
    }

    /// Does it begin anew, with everything in it?
    pub fn begins_anew(&self, id: StepId) -> bool {
        self.start[id.index()].is_some()
    }
}

/// Compares a run with the plan with which it is to go on. With the same plan (by address), steps are the same.
pub fn compare(before: &RunState, side: &Side, wish: &Wish) -> Comparison {
    let plan = side.plan;
    let same = std::ptr::eq(plan, &*before.plan);
    let matched = match same {
        true => plan.ids().map(|id| (!plan.step(id).retired).then_some(id)).collect(),
        false => matching::matches(&before.plan, plan),
    };
    let none = vec![None; plan.steps.len()];
    let mut comparer = Comparer {
        before,
        side,
        wish,
        same,
        graph: Graph::of(plan),
        found: Comparison { matched, start: none.clone(), end: none, skipped: Vec::new(), made_anew: BTreeMap::new() },
        queue: VecDeque::new(),
    };
    comparer.compare();
    comparer.found
}

pub(super) struct Comparer<'a> {
    pub(super) before: &'a RunState,
    pub(super) side: &'a Side<'a>,
    pub(super) wish: &'a Wish,
    pub(super) same: bool,
    pub(super) graph: Graph,
    pub(super) found: Comparison,
    /// Steps whose end does not hold, and of which others are to be told.
    pub(super) queue: VecDeque<StepId>,
}

impl Comparer<'_> {
    fn compare(&mut self) {
        let ids: Vec<StepId> = self.side.plan.ids().filter(|id| !self.is_apart(*id)).collect();
        let mut differences = Vec::new();
        for id in &ids {
            let found = self.differences(*id);
            self.own(*id, &found);
            differences.push(found);
        }
        self.spread();
        // Other predecessors are the reason only where none of them is.
        for (id, found) in ids.iter().zip(differences) {
            if found.contains(&Part::Order) && !self.goes_with_group(*id) && !self.starts_all_the_same(*id) {
                self.starts(*id, Reason::Changed(Part::Order));
            }
        }
        self.spread();
        self.hooks();
        self.spread();
        self.found.made_anew = self.made_anew();
        self.found.skipped = ids.iter().filter_map(|id| Some((*id, self.still_not_taken(*id)?))).collect();
    }

    /// Steps that belong to the plan no more, and what undoes others: that runs when it is asked for.
    pub(super) fn is_apart(&self, id: StepId) -> bool {
        self.side.plan.step(id).retired || self.side.plan.undo_of(id).is_some()
    }

    pub(super) fn common(&self, id: StepId) -> StepId {
        self.found.matched[id.index()].unwrap_or(StepId(self.before.plan.steps.len() as u32 + id.0))
    }

    pub(super) fn naming<T>(&self, work: impl FnOnce(&Naming, &Naming) -> T) -> T {
        let before = Naming { step: &|id| id, closure: self.side.closure_before };
        let after = Naming { step: &|id| self.common(id), closure: self.side.closure };
        work(&before, &after)
    }

    fn differences(&self, id: StepId) -> Vec<Part> {
        let Some(old) = self.found.matched[id.index()].filter(|_| !self.same) else { return Vec::new() };
        self.naming(|before, after| {
            Fingerprint::of(&self.before.plan, old, before).differences(&Fingerprint::of(self.side.plan, id, after))
        })
    }

    /// It does not begin as it did.
    pub(super) fn starts(&mut self, id: StepId, reason: Reason) {
        let start = &mut self.found.start[id.index()];
        if start.is_none() {
            *start = Some(reason);
            // Also if its end is known not to hold: now the same is true of all that is in it.
            self.found.end[id.index()].get_or_insert(reason);
            self.queue.push_back(id);
        }
    }

    /// Its end does not hold.
    pub(super) fn ends(&mut self, id: StepId, reason: Reason) {
        let end = &mut self.found.end[id.index()];
        if end.is_none() {
            *end = Some(reason);
            self.queue.push_back(id);
        }
    }

    /// A task begins again, a group only ends otherwise.
    pub(super) fn runs_again(&mut self, id: StepId, reason: Reason) {
        match self.side.plan.step(id).task.is_group() {
            true => self.ends(id, reason),
            false => self.starts(id, reason),
        }
    }
}
