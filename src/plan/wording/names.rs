//! Names of steps on a page about a whole plan.

use std::collections::HashSet;

use super::{clean, name};
use crate::plan::{Plan, StepId, Task};

/// Groups that a path shows at most.
const PARTS: usize = 4;

/// Short names where they are clear, paths where several steps have the same name.
pub struct Names<'a> {
    plan: &'a Plan,
    /// Names that more than one step has.
    shared: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// The names of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let mut seen = HashSet::with_capacity(plan.steps.len());
        // A step with fallbacks is called as what is tried first.
        let first = |id: StepId| {
            let group = plan.step(id).parent.map(|group| &*plan.step(group).task);
            matches!(group, Some(Task::Fallback(children)) if children.first() == Some(&id))
        };
        let named = plan.ids().filter(|id| !plan.step(*id).retired && !first(*id)).map(|id| plan.step(id));
        let named = named.filter(|step| step.key.is_none());
        let shared = named.map(|step| step.name.as_str()).filter(|name| !seen.insert(*name)).collect();
        Names { plan, shared }
    }

    /// What a step is called.
    pub fn get(&self, id: StepId) -> String {
        let step = self.plan.step(id);
        let distinct = match (&step.key, step.parent) {
            (Some(_), Some(parent)) => self.plan.step(parent).name.as_str(),
            _ => step.name.as_str(),
        };
        if self.shared.contains(distinct) { self.path(id) } else { name(self.plan, id) }
    }

    /// As `Plan::path`, without the outer groups of deep ones.
    fn path(&self, id: StepId) -> String {
        let mut parts = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let step = self.plan.step(id);
            if parts.len() > PARTS {
                parts.push("…".to_owned());
                break;
            }
            match &step.key {
                // An iteration is called after its group: `lint[a.rs]`.
                Some(_) => {
                    parts.push(name(self.plan, id));
                    at = step.parent.and_then(|parent| self.plan.step(parent).parent);
                    continue;
                }
                None if step.anonymous && !parts.is_empty() => {}
                None => parts.push(clean(&step.name)),
            }
            at = step.parent;
        }
        parts.reverse();
        parts.join("/")
    }
}
