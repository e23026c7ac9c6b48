//! The ready queue: which of the steps that could start does so first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::plan::{Graph, Order, Plan, StepId};

/// A step's place among the ready ones; the smallest comes first.
///
/// No two places are equal: `seq` counts how many steps became ready before. So it is also a name for "this time that
/// the step was ready", by which an entry is known to be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Priority, negated; 0 where the order does not ask for it.
    first: i64,
    /// What the order asks for next: deadline, estimate, rest of the way.
    second: i64,
    /// Who came first.
    pub seq: u64,
}

/// Steps that could start, were there a slot.
#[derive(Debug, Default)]
pub struct Ready {
    heap: BinaryHeap<Reverse<(Place, StepId)>>,
    seq: u64,
    /// Rest of the way for `critical_path`, by step; empty when it has to be computed again.
    remaining: Vec<u64>,
}

impl Ready {
    /// The plan has grown: what was computed about it no longer holds.
    pub fn plan_grew(&mut self) {
        self.remaining.clear();
    }

    /// The place of a step that becomes ready now.
    pub fn place(&mut self, plan: &Plan, graph: &Graph, id: StepId) -> Place {
        self.seq += 1;
        let policy = plan.step(id).policy();
        let priority = -i64::from(policy.priority);
        let (first, second) = match plan.header.settings.order {
            Order::Fifo => (0, 0),
            Order::Priority => (priority, policy.deadline_ms.map_or(i64::MAX, clamp)),
            Order::Shortest => (priority, clamp(policy.estimate_ms.unwrap_or(1))),
            Order::CriticalPath => {
                if self.remaining.is_empty() {
                    self.remaining = remaining(plan, graph);
                }
                (priority, -clamp(self.remaining[id.index()]))
            }
        };
        Place { first, second, seq: self.seq }
    }

    /// Adds a step.
    pub fn push(&mut self, place: Place, id: StepId) {
        self.heap.push(Reverse((place, id)));
    }

    /// Takes the first. It may be out of date: the step was cancelled meanwhile, or became ready anew.
    pub fn pop(&mut self) -> Option<(Place, StepId)> {
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

fn clamp(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// For each step the longest way from its start to the end of the plan, in milliseconds of estimates (1 where nothing
/// is said). This is the "bottom level" of list scheduling (Graham 1969; Hu 1961), over groups as well: what follows a
/// child is its successors and whatever follows its group.
pub fn remaining(plan: &Plan, graph: &Graph) -> Vec<u64> {
    let n = plan.steps.len();
    // Two values a step: from its start (`2 * id`), and from its end (`2 * id + 1`).
    let mut way = vec![0u64; 2 * n];
    let mut state = vec![Visit::New; 2 * n];
    let mut needs = Vec::new();
    let mut stack = Vec::new();
    for root in 0..2 * n {
        stack.push(root);
        while let Some(&at) = stack.last() {
            if state[at] == Visit::Done {
                stack.pop();
                continue;
            }
            needs.clear();
            ways_on(plan, graph, at, &mut needs);
            if state[at] == Visit::New {
                state[at] = Visit::Open;
                // What is open already stands on the way here: a cycle, which plan checks refuse; its edge is ignored.
                stack.extend(needs.iter().filter(|next| state[**next] == Visit::New));
                continue;
            }
            state[at] = Visit::Done;
            let longest = needs.iter().map(|next| way[*next]).max().unwrap_or(0);
            way[at] = longest + own_time(plan, graph, at);
            stack.pop();
        }
    }
    way.into_iter().step_by(2).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Where the way goes on from the start (even) or the end (odd) of a step.
fn ways_on(plan: &Plan, graph: &Graph, at: usize, into: &mut Vec<usize>) {
    let id = StepId((at / 2) as u32);
    let step = plan.step(id);
    if at.is_multiple_of(2) {
        into.push(at + 1);
        into.extend(graph.children(id).iter().map(|child| 2 * child.index()));
    } else {
        into.extend(graph.successors(id).iter().map(|edge| 2 * edge.from.index()));
        into.extend(step.parent.iter().map(|parent| 2 * parent.index() + 1));
    }
}

/// Groups take the time of their children; one that has none yet is taken for a task.
fn own_time(plan: &Plan, graph: &Graph, at: usize) -> u64 {
    let id = StepId((at / 2) as u32);
    match at.is_multiple_of(2) && graph.children(id).is_empty() {
        true => plan.step(id).policy().estimate_ms.unwrap_or(1),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::plan::{EdgeKind, Step, Task};

    fn task(name: &str) -> Step {
        Step::new(name, Task::Wait(0), Span::default())
    }

    fn sorted(plan: &Plan) -> Vec<u32> {
        let graph = Graph::of(plan);
        let mut ready = Ready::default();
        for id in plan.ids() {
            let place = ready.place(plan, &graph, id);
            ready.push(place, id);
        }
        std::iter::from_fn(|| ready.pop()).map(|(_, id)| id.0).collect()
    }

    fn four(order: Order) -> Plan {
        let mut plan = Plan::default();
        plan.header.settings.order = order;
        plan.steps = vec![task("a"), task("b"), task("c"), task("d")];
        plan.steps[1].policy_mut().deadline_ms = Some(50);
        plan.steps[2].policy_mut().deadline_ms = Some(20);
        plan.steps[3].policy_mut().priority = 1;
        plan.steps[0].policy_mut().estimate_ms = Some(9);
        plan.steps[1].policy_mut().estimate_ms = Some(3);
        plan.steps[2].policy_mut().estimate_ms = Some(6);
        plan
    }

    #[test]
    fn priority_then_deadline_then_first_come() {
        assert_eq!(sorted(&four(Order::Priority)), [3, 2, 1, 0]);
    }

    #[test]
    fn fifo_looks_at_nothing_else() {
        assert_eq!(sorted(&four(Order::Fifo)), [0, 1, 2, 3]);
    }

    #[test]
    fn shortest_estimate() {
        assert_eq!(sorted(&four(Order::Shortest)), [3, 1, 2, 0]);
    }

    #[test]
    fn critical_path_counts_what_follows_also_the_group() {
        let mut plan = four(Order::CriticalPath);
        plan.steps[3].policy_mut().priority = 0;
        let mut group = Step::new("g", Task::Chain(vec![StepId(1)]), Span::default());
        group.policy = None;
        plan.steps.push(group);
        plan.steps[1].parent = Some(StepId(4));
        let mut last = task("last");
        last.policy_mut().estimate_ms = Some(10);
        last.add_edge(StepId(4), EdgeKind::Order);
        plan.steps.push(last);
        // a 9, b 3 + 10 after its group, c 6, d 1, the group as b, last 10.
        assert_eq!(remaining(&plan, &Graph::of(&plan)), [9, 13, 6, 1, 13, 10]);
        assert_eq!(sorted(&plan), [1, 4, 5, 0, 2, 3]);
    }

    #[test]
    fn a_cycle_ends_all_the_same() {
        let mut plan = Plan { steps: vec![task("a"), task("b")], ..Plan::default() };
        plan.steps[0].add_edge(StepId(1), EdgeKind::Order);
        plan.steps[1].add_edge(StepId(0), EdgeKind::Order);
        assert_eq!(remaining(&plan, &Graph::of(&plan)).len(), 2);
    }
}
