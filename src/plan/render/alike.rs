//! Which steps look the same, so that a long row of them need not be shown.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Condition, EdgeKind, Plan, Task, wording};

/// A hash of what each step looks like: its kind, its policies, its condition, how it waits, and its children.
pub(super) fn looks(plan: &Plan, tree: &Hierarchy) -> Vec<u64> {
    let mut looks = vec![0u64; plan.steps.len()];
    for id in tree.preorder().iter().rev() {
        let step = plan.step(*id);
        let mut hasher = DefaultHasher::new();
        (step.task.kind(), step.anonymous, step.key.is_some(), step.policy().undo.is_some()).hash(&mut hasher);
        for kind in [EdgeKind::Order, EdgeKind::Data, EdgeKind::Condition] {
            step.after.iter().any(|edge| edge.kind == kind).hash(&mut hasher);
        }
        if let Some(condition) = &step.when {
            condition.text().hash(&mut hasher);
        }
        if step.policy.is_some() {
            let mut words = wording::policies(plan, step);
            words.retain(|word| !word.starts_with("estimate "));
            words.hash(&mut hasher);
        }
        if let Task::Flow(branches) = &*step.task {
            branches.iter().for_each(|branch| branch.when.as_ref().map(Condition::text).hash(&mut hasher));
        }
        tree.children(*id).iter().for_each(|child| looks[child.index()].hash(&mut hasher));
        looks[id.index()] = hasher.finish();
    }
    looks
}
