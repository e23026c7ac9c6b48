//! The plan's graph turned around: who waits for a step, and who belongs to it.

use super::{Edge, EdgeKind, Plan, Step, StepId, Task};

/// Successors and children of every step; grows with the plan.
///
/// All members of a group are children here by `Step::parent`, also those that its task does not list. What undoes a
/// step is none, though the step is its `parent`.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    successors: Vec<Vec<Edge>>,
    children: Vec<Vec<StepId>>,
}

impl Graph {
    /// The graph of a whole plan.
    pub fn of(plan: &Plan) -> Self {
        let mut graph =
            Graph { successors: vec![Vec::new(); plan.steps.len()], children: vec![Vec::new(); plan.steps.len()] };
        for id in plan.ids() {
            graph.add(plan, id);
        }
        graph
    }

    /// Adds a step of the plan, which must not have been added before.
    pub fn add(&mut self, plan: &Plan, id: StepId) {
        self.reserve(plan.steps.len());
        self.link_edges(id, plan.step(id));
        self.link_parent(id, plan.step(id));
    }

    /// Replaces a step by a changed one, in a plan of `steps` steps.
    pub fn replace(&mut self, id: StepId, old: &Step, new: &Step, steps: usize) {
        self.reserve(steps);
        if needed(old) != needed(new) {
            Self::each_needed(old, &mut |edge| self.successors[edge.from.index()].retain(|e| e.from != id));
            self.link_edges(id, new);
        }
        if old.parent != new.parent {
            if let Some(parent) = old.parent {
                self.children[parent.index()].retain(|child| *child != id);
            }
            self.link_parent(id, new);
        }
    }

    /// Takes a step out of its group, to which it belongs no more.
    pub fn retire(&mut self, id: StepId, step: &Step) {
        if let Some(parent) = step.parent {
            self.children[parent.index()].retain(|child| *child != id);
        }
    }

    fn reserve(&mut self, steps: usize) {
        if self.successors.len() < steps {
            self.successors.resize_with(steps, Vec::new);
            self.children.resize_with(steps, Vec::new);
        }
    }

    fn link_edges(&mut self, id: StepId, step: &Step) {
        Self::each_needed(step, &mut |edge| {
            self.successors[edge.from.index()].push(Edge { from: id, kind: edge.kind });
        });
    }

    fn link_parent(&mut self, id: StepId, step: &Step) {
        if let Some(parent) = step.parent
            && step.undoes.is_none()
            && !step.retired
        {
            let children = &mut self.children[parent.index()];
            let at = children.partition_point(|child| *child < id);
            children.insert(at, id);
        }
    }

    /// Every step that a step waits for, and why.
    pub fn each_needed(step: &Step, visit: &mut dyn FnMut(Edge)) {
        step.after.iter().for_each(|edge| visit(*edge));
        if let Task::Flow(branches) = &*step.task {
            for needed in branches.iter().flat_map(|branch| &branch.when).flat_map(|condition| condition.steps()) {
                visit(Edge { from: needed, kind: EdgeKind::Condition });
            }
        }
    }

    /// Who waits for a step, and why (`Edge::from` is the one who waits).
    /// A `flow` waits, by a condition edge, for every step that one of its branches reads.
    pub fn successors(&self, id: StepId) -> &[Edge] {
        &self.successors[id.index()]
    }

    /// The children of a group, in the order of declaration.
    pub fn children(&self, id: StepId) -> &[StepId] {
        &self.children[id.index()]
    }
}

fn needed(step: &Step) -> Vec<Edge> {
    let mut edges = Vec::new();
    Graph::each_needed(step, &mut |edge| edges.push(edge));
    edges
}
