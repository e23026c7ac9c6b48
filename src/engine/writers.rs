//! Who may change the same files: steps whose patterns overlap exclude each other.
//!
//! Steps that say the same about the same folder are one kind of writer. Each pair of kinds that overlap is a limit of
//! one share, which a step of either kind takes while it runs; so waiting, fairness and freedom from deadlocks are those of
//! limits.

use std::collections::{BTreeMap, HashMap};

use smol_str::{SmolStr, format_smolstr};

use super::limits::Limits;
use crate::plan::writes::{Area, area};
use crate::plan::{Limit, Plan, StepId, Task};

/// The kinds of writers known so far.
#[derive(Debug, Default)]
pub struct Writers {
    kinds: Vec<Area>,
    by_area: HashMap<Area, usize>,
    /// For each kind its limits.
    limits: Vec<Vec<SmolStr>>,
    /// Steps looked at so far.
    seen: usize,
    of_step: HashMap<StepId, usize>,
}

impl Writers {
    /// The plan has grown, or these steps of it have changed. Gives those known before that ask for more now.
    pub fn learn(&mut self, plan: &Plan, changed: &[StepId], root: &str, limits: &mut Limits) -> Vec<StepId> {
        let mut meet = Vec::new();
        let new = (self.seen..plan.steps.len()).map(|id| StepId(id as u32));
        self.seen = plan.steps.len();
        for id in changed.iter().copied().chain(new) {
            self.of_step.remove(&id);
            if let Some(area) = area(plan, id, root) {
                let kind = self.kind(area, limits, &mut meet);
                self.of_step.insert(id, kind);
            }
        }
        if meet.is_empty() {
            return Vec::new();
        }
        let mut more: Vec<StepId> =
            self.of_step.iter().filter(|(_, kind)| meet.contains(kind)).map(|(id, _)| *id).collect();
        more.sort_unstable();
        more
    }

    fn kind(&mut self, area: Area, limits: &mut Limits, meet: &mut Vec<usize>) -> usize {
        if let Some(kind) = self.by_area.get(&area) {
            return *kind;
        }
        let kind = self.kinds.len();
        self.by_area.insert(area.clone(), kind);
        self.kinds.push(area);
        self.limits.push(Vec::new());
        let mut new = BTreeMap::new();
        for other in 0..=kind {
            if self.kinds[kind].meets(&self.kinds[other]).is_some() {
                // No script can give a limit such a name.
                let name = format_smolstr!("\u{0}writes {other} {kind}");
                new.insert(name.clone(), Limit { max: Some(1), per_minute: None, scale: None });
                self.limits[kind].push(name.clone());
                if other != kind {
                    self.limits[other].push(name);
                    meet.push(other);
                }
            }
        }
        limits.set(&new);
        kind
    }

    /// Does nobody say what it changes?
    pub fn is_empty(&self) -> bool {
        self.of_step.is_empty()
    }

    /// Does this step say so, or a member of it, if it is a stream?
    pub fn asks(&self, plan: &Plan, id: StepId) -> bool {
        !self.is_empty() && self.kinds_of(plan, id).next().is_some()
    }

    /// The limits of which a step takes a share each.
    pub fn asked(&self, plan: &Plan, id: StepId) -> Vec<(SmolStr, u32)> {
        let mut names: Vec<&SmolStr> = self.kinds_of(plan, id).flat_map(|kind| &self.limits[kind]).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name.clone(), 1)).collect()
    }

    /// A stream asks for its members, who start with it and then ask for nothing.
    fn kinds_of<'a>(&'a self, plan: &'a Plan, id: StepId) -> impl Iterator<Item = usize> + 'a {
        let steps = match &*plan.step(id).task {
            Task::Stream(stream) => stream.members().collect(),
            _ if plan.stream_of(id).is_some() => Vec::new(),
            _ => vec![id],
        };
        steps.into_iter().filter_map(|step| self.of_step.get(&step).copied())
    }
}
