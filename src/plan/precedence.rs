//! What comes before what, groups and branches included: the one graph that checks and estimates read.
//!
//! A task is one node. A group is two, its start and its end: its start precedes its children, its children's ends
//! precede its end, and an edge to a group leads away from its end. A branch of a `flow` is a node too, its decision.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::hierarchy::Hierarchy;
use super::{EdgeKind, Plan, StepId, Task};

/// Why one node precedes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// An edge of the plan.
    Edge(EdgeKind),
    /// The start of a group precedes its child's; also the start of an empty group its end.
    Enter,
    /// The end of a child precedes its group's.
    Leave,
    /// A flow's decision about a branch precedes the branch, and the next decision.
    Decide,
    /// The condition of a branch reads a step.
    Read,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A task, or the start of a group.
    Start(StepId),
    /// The end of a group.
    End(StepId),
    /// The decision about a branch.
    Decision(StepId, u32),
}

impl Node {
    /// The step it belongs to.
    pub fn step(self) -> StepId {
        match self {
            Node::Start(step) | Node::End(step) | Node::Decision(step, _) => step,
        }
    }
}

/// The graph, as successors in one array.
pub(super) struct Precedence {
    first: Vec<u32>,
    next: Vec<u32>,
    why: Vec<Why>,
    /// Which steps are groups: their end is a node of its own.
    group: Vec<bool>,
    /// The decisions, numbered on from the steps' nodes.
    decisions: Vec<(StepId, u32)>,
    /// Does every branch come after the last decision of its flow?
    strict: bool,
}

impl Precedence {
    /// The graph of a plan, as it takes its time. Edges between a step and its own group are left out.
    pub fn of(plan: &Plan, tree: &Hierarchy) -> Self {
        Self::build(plan, tree, false)
    }

    /// The graph in which a circle means that steps may wait for each other. A branch that is not taken is known to be
    /// so only once the flow has decided, perhaps by its last condition.
    pub fn strict(plan: &Plan, tree: &Hierarchy) -> Self {
        Self::build(plan, tree, true)
    }

    fn build(plan: &Plan, tree: &Hierarchy, strict: bool) -> Self {
        let group: Vec<bool> = plan.steps.iter().map(|step| step.task.is_group()).collect();
        let mut decisions = Vec::new();
        for id in plan.ids() {
            if let Task::Flow(branches) = &*plan.step(id).task {
                decisions.extend((0..branches.len() as u32).map(|branch| (id, branch)));
            }
        }
        let nodes = plan.steps.len() * 2 + decisions.len();
        let mut graph =
            Precedence { first: vec![0; nodes + 1], next: Vec::new(), why: Vec::new(), group, decisions, strict };
        let mut counts = std::mem::take(&mut graph.first);
        graph.each_edge(plan, tree, &mut |from, _, _| counts[from as usize + 1] += 1);
        for at in 0..nodes {
            counts[at + 1] += counts[at];
        }
        graph.first = counts;
        let edges = graph.first[nodes] as usize;
        let (mut next, mut why, mut place) = (vec![0; edges], vec![Why::Enter; edges], graph.first.clone());
        graph.each_edge(plan, tree, &mut |from, to, reason| {
            let at = &mut place[from as usize];
            (next[*at as usize], why[*at as usize]) = (to, reason);
            *at += 1;
        });
        (graph.next, graph.why) = (next, why);
        graph
    }

    fn each_edge(&self, plan: &Plan, tree: &Hierarchy, visit: &mut dyn FnMut(u32, u32, Why)) {
        let mut decision = plan.steps.len() as u32 * 2;
        for id in plan.ids() {
            let step = plan.step(id);
            for edge in &step.after {
                if !tree.related(edge.from, id) {
                    visit(self.end(edge.from), self.start(id), Why::Edge(edge.kind));
                }
            }
            // What undoes a step belongs to it by its path only.
            if let Some(parent) = step.parent.filter(|_| step.undoes.is_none()) {
                visit(self.start(parent), self.start(id), Why::Enter);
                visit(self.end(id), self.end(parent), Why::Leave);
            }
            if self.group[id.index()] && tree.children(id).is_empty() {
                visit(self.start(id), self.end(id), Why::Enter);
            }
            let Task::Flow(branches) = &*step.task else { continue };
            let last = decision + (branches.len() as u32).saturating_sub(1);
            for (n, branch) in branches.iter().enumerate() {
                let before = if n == 0 { self.start(id) } else { decision - 1 };
                visit(before, decision, Why::Decide);
                visit(if self.strict { last } else { decision }, self.start(branch.step), Why::Decide);
                if let Some(condition) = &branch.when {
                    condition.each_step(&mut |read| {
                        if !tree.related(read, id) {
                            visit(self.end(read), decision, Why::Read);
                        }
                    });
                }
                decision += 1;
            }
        }
    }

    /// One more than the greatest node.
    pub fn len(&self) -> usize {
        self.first.len() - 1
    }

    /// All nodes. The end of a task is none.
    pub fn nodes(&self) -> impl Iterator<Item = u32> + '_ {
        let is_end_of_task = |node: &u32| *node % 2 == 1 && self.group.get(*node as usize / 2) == Some(&false);
        (0..self.len() as u32).filter(move |node| !is_end_of_task(node))
    }

    /// The node of a task, or of a group's start.
    pub fn start(&self, id: StepId) -> u32 {
        id.0 * 2
    }

    /// The node of a task, or of a group's end.
    pub fn end(&self, id: StepId) -> u32 {
        id.0 * 2 + u32::from(self.group[id.index()])
    }

    /// What a node stands for.
    pub fn node(&self, node: u32) -> Node {
        let steps = self.group.len() as u32;
        match node.checked_sub(steps * 2) {
            Some(decision) => {
                let (flow, branch) = self.decisions[decision as usize];
                Node::Decision(flow, branch)
            }
            None if node.is_multiple_of(2) => Node::Start(StepId(node / 2)),
            None => Node::End(StepId(node / 2)),
        }
    }

    /// The nodes that come after a node, and why.
    pub fn successors(&self, node: u32) -> impl Iterator<Item = (u32, Why)> + '_ {
        let range = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
        range.map(|at| (self.next[at], self.why[at]))
    }

    /// The nodes in topological order, of those that are free the one declared first (Kahn 1962).
    /// Nodes that lie on a cycle, or behind one, are missing.
    pub fn order(&self) -> Vec<u32> {
        let mut missing = vec![0u32; self.len()];
        for &to in &self.next {
            missing[to as usize] += 1;
        }
        let mut free: BinaryHeap<Reverse<u32>> =
            self.nodes().filter(|node| missing[*node as usize] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some(Reverse(node)) = free.pop() {
            order.push(node);
            for (to, _) in self.successors(node) {
                missing[to as usize] -= 1;
                if missing[to as usize] == 0 {
                    free.push(Reverse(to));
                }
            }
        }
        order
    }
}
