//! Who belongs to whom: the groups of a plan as a tree, laid out once so that every question about it is quick.

use super::{Plan, StepId, Task};

/// The tree of groups and their children, in a fixed order.
///
/// What undoes a step is a tree of its own: it belongs to the step by its path only. Steps that are retired are in none.
///
/// Takes a few dozen bytes a step and is built in linear time without recursion, so deep nesting costs no stack.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    /// Where the children of each step begin in `children`. After the last step: the top level, then what undoes steps,
    /// then what is retired.
    first: Vec<u32>,
    children: Vec<StepId>,
    /// All steps, each before its children.
    preorder: Vec<StepId>,
    /// A step's place in `preorder`, and the place after its last descendant.
    places: Vec<(u32, u32)>,
    depth: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Hierarchy {
    /// The tree of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self::build(plan, false)
    }

    /// The tree of a drawing, in which what undoes a step stands beside the step.
    pub(super) fn drawn(plan: &Plan) -> Self {
        Self::build(plan, true)
    }

    /// The group in which a step is drawn.
    pub(super) fn drawn_in(plan: &Plan, id: StepId) -> Option<StepId> {
        match plan.step(id).undoes {
            Some(undone) => plan.step(undone).parent,
            None => plan.step(id).parent,
        }
    }

    fn build(plan: &Plan, drawn: bool) -> Self {
        let count = plan.steps.len();
        let mut tree = Hierarchy {
            first: vec![0; count + 4],
            children: vec![StepId(0); count],
            preorder: Vec::with_capacity(count),
            places: vec![(NOWHERE, NOWHERE); count],
            depth: vec![0; count],
        };
        tree.collect(plan, drawn);
        tree.sort(plan);
        tree.walk(count);
        tree.walk(count + 1);
        tree
    }

    /// Counting sort of the steps by their parents.
    fn collect(&mut self, plan: &Plan, drawn: bool) {
        let top = plan.steps.len();
        let home = |id: StepId| match plan.step(id) {
            step if step.retired => top + 2,
            _ if drawn => Self::drawn_in(plan, id).map_or(top, StepId::index),
            step if step.undoes.is_some() => top + 1,
            step => step.parent.map_or(top, StepId::index),
        };
        for id in plan.ids() {
            self.first[home(id) + 1] += 1;
        }
        for at in 0..=top + 2 {
            self.first[at + 1] += self.first[at];
        }
        let mut next = self.first.clone();
        for id in plan.ids() {
            let place = &mut next[home(id)];
            self.children[*place as usize] = id;
            *place += 1;
        }
    }

    /// Children stand in the order of their group; those that it does not list come after, in the order of declaration.
    fn sort(&mut self, plan: &Plan) {
        let mut listed = vec![false; plan.steps.len()];
        let mut sorted: Vec<StepId> = Vec::new();
        for id in plan.ids() {
            let range = self.first[id.index()] as usize..self.first[id.index() + 1] as usize;
            let task = &*plan.step(id).task;
            if range.len() < 2 || matches!(task, Task::Workflow(_)) {
                continue;
            }
            sorted.clear();
            for child in plan.members(id) {
                let step = plan.step(child);
                let belongs = step.parent == Some(id) && step.undoes.is_none() && !step.retired;
                if belongs && !std::mem::replace(&mut listed[child.index()], true) {
                    sorted.push(child);
                }
            }
            sorted.extend(self.children[range.clone()].iter().filter(|child| !listed[child.index()]));
            self.children[range].copy_from_slice(&sorted);
        }
    }

    fn walk(&mut self, top: usize) {
        let mut open: Vec<(usize, u32)> = vec![(top, self.first[top])];
        while let Some((group, next)) = open.last_mut() {
            let group = *group;
            if *next == self.first[group + 1] {
                if group != top {
                    self.places[group].1 = self.preorder.len() as u32;
                }
                open.pop();
                continue;
            }
            let child = self.children[*next as usize];
            *next += 1;
            self.places[child.index()].0 = self.preorder.len() as u32;
            self.depth[child.index()] = open.len() as u32 - 1;
            self.preorder.push(child);
            open.push((child.index(), self.first[child.index()]));
        }
    }

    /// The children of a group, in its order.
    pub fn children(&self, id: StepId) -> &[StepId] {
        &self.children[self.first[id.index()] as usize..self.first[id.index() + 1] as usize]
    }

    /// The steps that belong to no group, in the order of declaration.
    pub fn top(&self) -> &[StepId] {
        let top = self.places.len();
        &self.children[self.first[top] as usize..self.first[top + 1] as usize]
    }

    /// What undoes steps, in the order of declaration.
    pub fn undos(&self) -> &[StepId] {
        let undos = self.places.len() + 1;
        &self.children[self.first[undos] as usize..self.first[undos + 1] as usize]
    }

    /// All steps, each before its children, which follow it at once; what undoes steps comes last.
    pub fn preorder(&self) -> &[StepId] {
        &self.preorder
    }

    /// How many steps belong to a group, directly or through other groups.
    pub fn descendants(&self, id: StepId) -> &[StepId] {
        match self.places[id.index()] {
            (NOWHERE, _) => &[],
            (place, end) => &self.preorder[place as usize + 1..end as usize],
        }
    }

    /// How many groups a step lies in.
    pub fn depth(&self, id: StepId) -> usize {
        self.depth[id.index()] as usize
    }

    /// Does `step` belong to `group`, directly or through other groups? Not so for the group itself.
    pub fn contains(&self, group: StepId, step: StepId) -> bool {
        let (place, end) = self.places[group.index()];
        let (inner, _) = self.places[step.index()];
        place < inner && inner < end
    }

    /// The same step, or one within the other: an edge between the two can never be satisfied.
    pub fn related(&self, a: StepId, b: StepId) -> bool {
        a == b || self.contains(a, b) || self.contains(b, a)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn children_stand_in_the_order_of_their_group() {
        let mut sample = Sample::new("tree");
        let b = sample.sh("b", "true");
        let a = sample.sh("a", "true");
        let group = sample.chain("group", &[a, b]);
        let last = sample.sh("last", "true");
        let tree = Hierarchy::of(&sample.plan);
        assert_eq!(tree.children(group), [a, b]);
        assert_eq!(tree.top(), [group, last]);
        assert_eq!(tree.preorder(), [group, a, b, last]);
        assert_eq!(tree.descendants(group), [a, b]);
        assert!(tree.contains(group, b) && !tree.contains(b, group) && !tree.contains(group, last));
        assert_eq!((tree.depth(group), tree.depth(a)), (0, 1));
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let mut sample = Sample::new("deep");
        let mut inner = sample.sh("leaf", "true");
        for level in 0..100_000 {
            inner = sample.chain(&format!("g{level}"), &[inner]);
        }
        let tree = Hierarchy::of(&sample.plan);
        assert_eq!(tree.depth(StepId(0)), 100_000);
        assert!(tree.contains(inner, StepId(0)));
    }
}
