//! Which steps of two plans are the same: those of one path.

use std::collections::HashMap;

use crate::plan::{Graph, Hierarchy, Plan, StepId};

/// For each step of `new`, the one of `old` that it is.
///
/// A group without a name is called after its number, which says nothing: it is the same as another one if its first
/// known child was in that. What belongs to a plan no more is the same as nothing.
pub(super) fn matches(old: &Plan, new: &Plan) -> Vec<Option<StepId>> {
    let mut known: HashMap<String, StepId> = HashMap::new();
    for id in old.ids().filter(|id| !old.step(*id).retired && is_named(old, *id)) {
        known.insert(old.path(id), id);
    }
    let mut found = vec![None; new.steps.len()];
    for id in new.ids().filter(|id| !new.step(*id).retired && is_named(new, *id)) {
        found[id.index()] = known.get(&new.path(id)).copied();
    }
    let mut nameless: Vec<StepId> = new.ids().filter(|id| !new.step(*id).retired && !is_named(new, *id)).collect();
    if nameless.is_empty() {
        return found;
    }
    // The innermost first, so that groups of groups find their children.
    let (tree, graph) = (Hierarchy::of(new), Graph::of(new));
    nameless.sort_by_key(|id| std::cmp::Reverse(tree.depth(*id)));
    let mut taken = vec![false; old.steps.len()];
    for id in nameless {
        let first = graph.children(id).iter().find_map(|child| found[child.index()]);
        let group = first.and_then(|child| old.step(child).parent);
        let same = |group: &StepId| {
            let step = old.step(*group);
            !is_named(old, *group) && step.task.kind() == new.step(id).task.kind() && !taken[group.index()]
        };
        if let Some(group) = group.filter(same) {
            taken[group.index()] = true;
            found[id.index()] = Some(group);
        }
    }
    found
}

fn is_named(plan: &Plan, id: StepId) -> bool {
    let step = plan.step(id);
    !step.anonymous || step.key.is_some()
}
