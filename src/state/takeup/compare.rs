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
use crate::event::{Because, FailureKind, Skip, Stop};
use crate::plan::fingerprint::{Fingerprint, Naming, Part};
use crate::plan::{Closure, EdgeKind, Graph, Moment, OnError, Plan, Rule, StepId, Task};
use crate::state::{RunState, Seen, Status};

/// How closures are compared: their sources, by the script of each side.
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
    wish: &'a Wish,
    same: bool,
    pub(super) graph: Graph,
    pub(super) found: Comparison,
    /// Steps whose end does not hold, and of which others are to be told.
    queue: VecDeque<StepId>,
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
            if found.contains(&Part::Order) && !self.starts_all_the_same(*id) {
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

    fn common(&self, id: StepId) -> StepId {
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
    fn runs_again(&mut self, id: StepId, reason: Reason) {
        match self.side.plan.step(id).task.is_group() {
            true => self.ends(id, reason),
            false => self.starts(id, reason),
        }
    }

    /// Reasons of its own.
    fn own(&mut self, id: StepId, differences: &[Part]) {
        let plan = self.side.plan;
        let Some(old) = self.found.matched[id.index()] else {
            if self.not_asked(id).is_some() {
                return;
            }
            self.ends(id, Reason::New);
            // A group around steps that were there already changes nothing for them.
            if self.chooses(id) || !self.starts_all_the_same(id) {
                self.starts(id, Reason::New);
            }
            return;
        };
        if !self.wish.from.is_empty() && self.wish.from.contains(&plan.path(id)) {
            return self.starts(id, Reason::Asked);
        }
        if let Some(part) = differences.iter().find(|part| matches!(part, Part::Kind | Part::Condition | Part::Rule)) {
            return self.starts(id, Reason::Changed(*part));
        }
        if self.moved(id, old) {
            return self.starts(id, Reason::Moved);
        }
        self.own_choices(id, old);
        let was = self.before.step(old);
        if was.status == Status::Pending || was.status == Status::Skipped {
            if self.wish.failed && matches!(was.skip.as_deref(), Some(Skip::UpstreamFailed(_))) {
                self.starts(id, Reason::Upstream);
            }
            return;
        }
        let undo = self.before.plan.step(old).policy().undo;
        if undo.is_some_and(|undo| !matches!(self.before.step(undo).status, Status::Pending | Status::Skipped)) {
            return self.starts(id, Reason::Undone);
        }
        let of_end = |part: &&Part| !matches!(part, Part::Order | Part::OnError);
        if let Some(part) = differences.iter().find(of_end) {
            return self.runs_again(id, Reason::Changed(*part));
        }
        match was.status {
            Status::Cancelled => self.runs_again(id, Reason::Cancelled),
            Status::Failed => {
                if self.is_to_be_tried_again(old) {
                    self.runs_again(id, Reason::Failed);
                } else if self.on_errors(&self.before.plan, old) != self.on_errors(plan, id) {
                    self.runs_again(id, Reason::Changed(Part::OnError));
                }
            }
            _ => {}
        }
        if self.side.unfinished.contains(&id) {
            self.ends(id, Reason::Unfinished);
        }
    }

    fn is_to_be_tried_again(&self, old: StepId) -> bool {
        let before = self.before;
        // What stopped the run would stop it again.
        if before.stopping == Some(Stop::Failure(old)) {
            return true;
        }
        let is_own = before.failure_kind(old) != Some(FailureKind::Child);
        (self.wish.failed && is_own) || (self.wish.edited && before.fails_run(old))
    }

    /// What its failure means, for others and for the groups it is in.
    fn on_errors(&self, plan: &Plan, id: StepId) -> Vec<Option<OnError>> {
        let groups = std::iter::successors(Some(id), |id| plan.step(*id).parent);
        groups.map(|id| plan.step(id).policy().on_error).collect()
    }

    /// Would it start as well with the predecessors that it has now? Only where that is plain: no rule that looks at
    /// failures, and nothing before it but successes.
    fn starts_all_the_same(&self, id: StepId) -> bool {
        let step = self.side.plan.step(id);
        let was_skipped =
            self.found.matched[id.index()].is_some_and(|old| self.before.step(old).status == Status::Skipped);
        let plain = matches!(step.policy().rule, Rule::AllSuccess | Rule::NoneFailed | Rule::AllDone);
        let before = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from);
        plain
            && !was_skipped
            && (self.found.matched[id.index()].is_some() || step.when.is_none())
            && before
                .into_iter()
                .all(|from| self.found.matched[from.index()].is_some_and(|old| self.before.seen(old) == Seen::Success))
    }

    /// Tells others of the steps that do not hold, until nobody new hears of it.
    fn spread(&mut self) {
        while let Some(id) = self.queue.pop_front() {
            if self.is_apart(id) {
                continue;
            }
            self.tell_successors(id);
            self.tell_inside(id);
            self.tell_group(id);
        }
    }

    fn tell_successors(&mut self, id: StepId) {
        for n in 0..self.graph.successors(id).len() {
            let edge = self.graph.successors(id)[n];
            let next = edge.from;
            if self.is_apart(next) {
                continue;
            }
            let own = |kind| self.side.plan.step(next).after.iter().any(|e| e.from == id && e.kind == kind);
            match edge.kind {
                EdgeKind::Data => self.starts(next, Reason::Uses(id)),
                EdgeKind::Order if self.side.plan.step(next).input.contains(&id) => {
                    self.starts(next, Reason::Uses(id));
                }
                EdgeKind::Order => self.starts(next, Reason::After(id)),
                EdgeKind::Condition if own(EdgeKind::Condition) => self.starts(next, Reason::Reads(id)),
                EdgeKind::Condition => self.branch_reads(next, id),
            }
        }
    }

    fn tell_inside(&mut self, id: StepId) {
        let anew = self.found.start[id.index()].is_some();
        let group = self.found.matched[id.index()];
        for n in 0..self.graph.children(id).len() {
            let child = self.graph.children(id)[n];
            let went_with = self.found.matched[child.index()].is_some_and(|old| {
                let because = match self.before.step(old).skip.as_deref() {
                    Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => because,
                    None => return false,
                };
                matches!(because, Because::Group(by) if Some(*by) == group)
            });
            if anew || went_with {
                self.starts(child, Reason::Group(id));
            }
        }
    }

    fn tell_group(&mut self, id: StepId) {
        let plan = self.side.plan;
        let Some(group) = plan.step(id).parent else { return };
        self.ends(group, Reason::Child(id));
        let children = match &*plan.step(group).task {
            Task::Repeat(repeat) => &repeat.children,
            Task::Fallback(children) => children,
            _ => return,
        };
        if let Some(at) = children.iter().position(|child| *child == id) {
            for later in &children[at + 1..] {
                self.starts(*later, Reason::Before(id));
            }
        }
    }

    /// What fan-outs had got while the run went on and get anew: all, if they begin anew; of a loop, what comes after an
    /// iteration that does not hold.
    fn made_anew(&self) -> BTreeMap<StepId, StepId> {
        let plan = &self.before.plan;
        let graph = Graph::of(plan);
        let mut now = vec![None; plan.steps.len()];
        for (id, old) in self.found.matched.iter().enumerate() {
            if let Some(old) = old {
                now[old.index()] = Some(StepId(id as u32));
            }
        }
        let mut anew = BTreeMap::new();
        for old in plan.ids().filter(|id| plan.gets_steps_at_run_time(*id)) {
            let Some(fan_out) = now[old.index()] else { continue };
            let all = self.found.start[fan_out.index()].is_some();
            let unfinished = self.side.unfinished.contains(&fan_out);
            let mut found: Vec<StepId> = graph.children(old).to_vec();
            found.retain(|child| {
                let later = |id: StepId| matches!(self.found.start[id.index()], Some(Reason::Before(_)));
                all || now[child.index()].map_or(unfinished, |id| self.same && later(id))
            });
            while let Some(step) = found.pop() {
                anew.entry(step).or_insert(fan_out);
                found.extend_from_slice(graph.children(step));
            }
        }
        anew
    }

    /// Hooks at the end do not hold if anything before them does not, or if the run comes to another end.
    fn hooks(&mut self) {
        let plan = self.side.plan;
        let hooks: Vec<(Moment, StepId)> = plan.header.hooks.clone();
        let mut is_hook = vec![false; plan.steps.len()];
        for (_, hook) in &hooks {
            is_hook[hook.index()] = true;
        }
        let in_hook =
            |id: StepId| std::iter::successors(Some(id), |id| plan.step(*id).parent).any(|id| is_hook[id.index()]);
        let goes_on = plan.ids().any(|id| {
            let open = match self.found.matched[id.index()] {
                Some(old) => !self.before.step(old).status.is_final(),
                None => self.not_asked(id).is_none(),
            };
            (open || self.found.end[id.index()].is_some()) && !self.is_apart(id) && !in_hook(id)
        });
        let looked_at = |plan: &Plan, number: &dyn Fn(StepId) -> StepId| -> BTreeSet<StepId> {
            plan.header.looked_at.iter().map(|id| number(*id)).collect()
        };
        let other_end = self.before.status.is_final()
            && (self.before.stopping.is_some()
                || looked_at(&self.before.plan, &|id| id) != looked_at(plan, &|id| self.common(id)));
        for (moment, hook) in hooks {
            let before = self.found.matched[hook.index()].and_then(|old| self.before.plan.hook(old));
            let another = before != Some(moment);
            if another || (moment != Moment::Start && (goes_on || other_end)) {
                self.starts(hook, Reason::Hook);
            }
        }
    }
}
