//! Steps that wait for each other in a circle.

use std::collections::{HashMap, HashSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::{Findings, flows};
use crate::diag::Diagnostic;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::precedence::{Node, Precedence, Why};
use crate::plan::{EdgeKind, Plan, StepId, wording};

/// A circle is looked for from so many of its steps; the shortest one is shown.
const STARTS: usize = 24;

/// More steps of a circle than this are not listed.
const SHOWN: usize = 10;

const CYCLE: &str = "flow::plan::cycle";

/// Steps that wait for themselves, or for the group they are a part of, and groups that wait for one of their steps.
pub(super) fn own_groups(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    for id in plan.ids() {
        for edge in &plan.step(id).after {
            if found.full() {
                return;
            }
            if tree.related(id, edge.from) {
                found.add(own_group(plan, tree, id, edge.from, edge.kind));
            }
        }
    }
    for (flow, branches) in flows(plan) {
        for (n, branch) in branches.iter().enumerate() {
            let Some(condition) = &branch.when else { continue };
            let mut wrong = None;
            condition.each_step(&mut |read| {
                if wrong.is_none() && tree.related(read, flow) {
                    wrong = Some(read);
                }
            });
            if let Some(read) = wrong {
                found.add(own_branch(plan, tree, flow, (n, branch.step), read));
            }
        }
    }
}

fn own_branch(plan: &Plan, tree: &Hierarchy, flow: StepId, (n, step): (usize, StepId), read: StepId) -> Diagnostic {
    let (name, own, branch) = (wording::name(plan, flow), wording::name(plan, read), wording::name(plan, step));
    let (message, label) = if !tree.contains(flow, read) {
        (format!("a condition of `{name}` reads `{own}`, which ends only after it"), "ends only after the flow")
    } else if tree.related(read, step) {
        (format!("the condition that leads to `{branch}` reads `{own}` itself"), "runs only once that is decided")
    } else {
        (
            format!("the condition that leads to `{branch}` reads `{own}`, a step of another branch"),
            "has no result before the flow has chosen",
        )
    };
    Diagnostic::new(CYCLE, message)
        .label(plan.step(flow).span, format!("condition {} of this flow", n + 1))
        .label(plan.step(read).span, label)
        .help("a condition can only read steps that run before the flow chooses")
}

fn own_group(plan: &Plan, tree: &Hierarchy, id: StepId, from: StepId, kind: EdgeKind) -> Diagnostic {
    let (name, other) = (wording::name(plan, id), wording::name(plan, from));
    let (here, there) = (plan.step(id).span, plan.step(from).span);
    let reason = wording::reason(plan, id, from, kind);
    if id == from {
        return Diagnostic::new(CYCLE, format!("`{name}` waits for itself"))
            .label(here, "the edge begins and ends here")
            .help("remove the edge that leads from the step to itself");
    }
    if tree.contains(from, id) {
        return Diagnostic::new(CYCLE, format!("`{name}` waits for `{other}`, the group that it is a part of"))
            .label(here, format!("waits for `{other}`: {reason}"))
            .label(there, format!("ends only after all its steps, so after `{name}`"))
            .help(format!("let `{name}` wait for another step of `{other}`, or take it out of the group"));
    }
    Diagnostic::new(CYCLE, format!("`{name}` waits for `{other}`, which is a part of it"))
        .label(here, format!("waits for `{other}`: {reason}"))
        .label(there, format!("starts only after its group `{name}` has started"))
        .help(format!("take `{other}` out of `{name}`, or remove what makes the group wait for it"))
}

/// All other circles: one diagnostic for each set of steps that reach each other, with the shortest circle in it.
pub(super) fn circles(plan: &Plan, graph: &Precedence, found: &mut Findings) {
    let order = graph.order();
    if order.len() == graph.nodes().count() {
        return;
    }
    let mut left: HashSet<u32> = graph.nodes().collect();
    for node in order {
        left.remove(&node);
    }
    for component in components(graph, &left) {
        if found.full() {
            return;
        }
        if let Some(circle) = shortest(graph, &component) {
            found.add(describe(plan, &circle));
        }
    }
}

/// Sets of nodes that reach each other, those with the earliest step first.
/// (Kosaraju and not Tarjan: petgraph's Tarjan recurses, and a circle may have a million steps.)
fn components(graph: &Precedence, left: &HashSet<u32>) -> Vec<Vec<u32>> {
    let mut nodes: Vec<u32> = left.iter().copied().collect();
    nodes.sort_unstable();
    let mut within = DiGraph::<u32, ()>::with_capacity(nodes.len(), nodes.len());
    let index: HashMap<u32, _> = nodes.iter().map(|node| (*node, within.add_node(*node))).collect();
    for node in &nodes {
        for (to, _) in graph.successors(*node) {
            if let Some(to) = index.get(&to) {
                within.add_edge(index[node], *to, ());
            }
        }
    }
    let mut components: Vec<Vec<u32>> = kosaraju_scc(&within)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|component| component.into_iter().map(|at| within[at]).collect())
        .collect();
    for component in &mut components {
        component.sort_unstable();
    }
    components.sort_unstable();
    components
}

/// The shortest circle through any of the first nodes of a component, as pairs of a node and why the next one waits.
fn shortest(graph: &Precedence, component: &[u32]) -> Option<Vec<(Node, Why)>> {
    let inside: HashSet<u32> = component.iter().copied().collect();
    let mut best: Option<Vec<(Node, Why)>> = None;
    for start in component.iter().take(STARTS) {
        let mut came: HashMap<u32, (u32, Why)> = HashMap::new();
        let mut queue = VecDeque::from([*start]);
        while let Some(node) = queue.pop_front() {
            for (to, why) in graph.successors(node) {
                if inside.contains(&to) && !came.contains_key(&to) {
                    came.insert(to, (node, why));
                    queue.push_back(to);
                }
            }
            if came.contains_key(start) {
                break;
            }
        }
        let mut circle = Vec::new();
        let mut at = *start;
        while let Some((before, why)) = came.get(&at) {
            circle.push((graph.node(*before), *why));
            at = *before;
            if at == *start {
                break;
            }
        }
        circle.reverse();
        if best.as_ref().is_none_or(|best| circle.len() < best.len()) {
            best = Some(circle);
        }
    }
    best
}

/// One arc of a circle between two different steps.
struct Arc {
    from: Node,
    to: Node,
    why: Why,
}

fn describe(plan: &Plan, circle: &[(Node, Why)]) -> Diagnostic {
    let mut arcs: Vec<Arc> = circle
        .iter()
        .enumerate()
        .map(|(n, (from, why))| Arc { from: *from, to: circle[(n + 1) % circle.len()].0, why: *why })
        .filter(|arc| arc.from.step() != arc.to.step())
        .collect();
    // It begins with the step that stands first in the script.
    let first = (0..arcs.len()).min_by_key(|n| arcs[*n].from.step()).unwrap_or(0);
    arcs.rotate_left(first);
    let mut path: Vec<String> = arcs.iter().map(|arc| format!("`{}`", wording::name(plan, arc.from.step()))).collect();
    path.extend(path.first().cloned());
    if path.len() > SHOWN + 2 {
        let between = path.len() - SHOWN;
        path.splice(SHOWN / 2..SHOWN / 2 + between, [format!("… {} more …", wording::count(between))]);
    }
    let mut diagnostic = Diagnostic::new(CYCLE, format!("steps wait for each other in a circle: {}", path.join(" → ")));
    for arc in arcs.iter().take(SHOWN) {
        let (span, text) = explain(plan, arc);
        diagnostic = diagnostic.label(plan.step(span).span, text);
    }
    diagnostic
        .help("remove one of these edges: an `->` or `after`, a value that is used, or a condition that reads a step")
}

/// Why one step of a circle waits for the one before it, and at which step that is said.
fn explain(plan: &Plan, arc: &Arc) -> (StepId, String) {
    let (from, to) = (arc.from.step(), arc.to.step());
    let (before, after) = (wording::name(plan, from), wording::name(plan, to));
    let text = match arc.why {
        Why::Edge(kind) => format!("`{after}` waits for `{before}`: {}", wording::reason(plan, to, from, kind)),
        Why::Enter => format!("`{after}` starts after its group `{before}` has started"),
        Why::Leave => {
            return (to, format!("`{after}` ends after `{before}`, which is a part of it"));
        }
        Why::Decide => format!("`{after}` is a branch of `{before}`, which decides first"),
        Why::Read => {
            let condition = match arc.to {
                Node::Decision(_, branch) => format!("condition {} of `{after}`", branch + 1),
                _ => format!("a condition of `{after}`"),
            };
            format!("{condition} reads the result of `{before}`")
        }
    };
    (to, text)
}
