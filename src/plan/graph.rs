//! The plan's graph turned around: who waits for a step, and who belongs to it.

use super::{Edge, EdgeKind, Plan, StepId, Task};

/// Successors and children of every step; grows with the plan.
///
/// All members of a group are children here by `Step::parent`, also those that its task does not list.
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
        let needed = plan.steps.len();
        if self.successors.len() < needed {
            self.successors.resize_with(needed, Vec::new);
            self.children.resize_with(needed, Vec::new);
        }
        let step = plan.step(id);
        for edge in &step.after {
            self.successors[edge.from.index()].push(Edge { from: id, kind: edge.kind });
        }
        if let Some(parent) = step.parent {
            self.children[parent.index()].push(id);
        }
        if let Task::Flow(branches) = &*step.task {
            for branch in branches {
                for needed in branch.when.iter().flat_map(|condition| condition.steps()) {
                    self.successors[needed.index()].push(Edge { from: id, kind: EdgeKind::Condition });
                }
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
