//! How long a plan takes and what it is held up by: waves, the critical path, estimates.
//!
//! The critical path method is that of Kelley & Walker (1959): the longest way through the graph by the steps'
//! durations is the shortest time the whole can take, however much runs in parallel. Groups count through their steps.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::hierarchy::Hierarchy;
use super::precedence::{Node, Precedence, Why};
use super::{Plan, StepId, Task, Value};

/// A step of which nothing is known is taken to last this long, in milliseconds.
pub const ASSUMED_MS: u64 = 1_000;

/// See the module's page. Only what runs if all goes well is in it: no hooks, no fallbacks, nothing that undoes steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Tasks by the greatest number of tasks that come before them: those of one wave could all run together.
    /// Fan-outs whose steps are not known yet count as a task.
    pub waves: Vec<Vec<StepId>>,
    /// The tasks of the longest way through the plan, in order, of all branches the longest.
    pub critical_path: Vec<StepId>,
    /// What they take together, in milliseconds: the shortest time for the whole.
    pub critical_ms: u64,
    /// What all tasks take one at a time, in milliseconds; of each flow the branch with the most work.
    pub total_ms: u64,
    /// How much can run in parallel.
    pub parallelism: Parallelism,
    /// What each step takes, by id.
    pub estimates: Vec<Estimate>,
    /// The branches of all flows, in the order of the plan.
    pub branches: Vec<BranchEstimate>,
    /// Which steps run if every flow takes the branch with the most work, by id.
    pub(super) counted: Vec<bool>,
    /// The longest way from the start of each step to the end of the plan, by id, in milliseconds.
    pub(super) rest_ms: Vec<u64>,
}

/// How much of a plan can run in parallel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parallelism {
    /// All work divided by the critical path: more workers than this are never busy throughout.
    pub average: f64,
    /// The number of tasks in the widest wave.
    pub greatest: usize,
}

/// How long a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// In milliseconds. Of a group: from its start to its end, if nothing has to wait for a free slot.
    pub ms: u64,
    /// How it is known.
    pub origin: Origin,
}

/// How an estimate is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Earlier runs took so long.
    Recorded,
    /// The script says so: `estimate(…)`, or the time of a `wait`.
    Declared,
    /// It follows from the steps of the group.
    Steps,
    /// Nothing is known: [`ASSUMED_MS`].
    Assumed,
}

/// A branch of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchEstimate {
    /// The flow.
    pub flow: StepId,
    /// The branch's number, from 0.
    pub branch: u32,
    /// What its steps take one at a time, in milliseconds.
    pub total_ms: u64,
    /// Its longest way, in milliseconds.
    pub critical_ms: u64,
}

impl Analysis {
    /// The analysis of a plan that has passed [`super::check::check`]; of one with a circle, only what lies before it.
    /// `durations` holds what earlier runs took, in milliseconds, by the steps' paths; it outweighs what is declared.
    pub fn of(plan: &Plan, durations: &HashMap<String, u64>) -> Self {
        let tree = Hierarchy::of(plan);
        let graph = Precedence::of(plan, &tree);
        let order = graph.order();
        let beside = beside(plan, &tree);
        let mut analysis = Analysis {
            estimates: estimates(plan, &tree, durations),
            counted: vec![true; plan.steps.len()],
            ..Self::default()
        };
        let work = analysis.work(plan, &tree);
        analysis.take(plan, &tree, &work, &beside);
        let times = analysis.forward(plan, &tree, &graph, &order, &beside);
        analysis.backward(plan, &tree, &graph, &order);
        for id in plan.ids().filter(|id| !tree.children(*id).is_empty()) {
            let begin = times.begin[graph.start(id) as usize];
            analysis.estimates[id.index()].ms = times.end[graph.end(id) as usize].saturating_sub(begin);
        }
        for id in plan.ids() {
            if let Task::Flow(branches) = &*plan.step(id).task {
                analysis.branches.extend(branches.iter().enumerate().map(|(n, branch)| BranchEstimate {
                    flow: id,
                    branch: n as u32,
                    total_ms: work[branch.step.index()],
                    critical_ms: analysis.estimates[branch.step.index()].ms,
                }));
            }
        }
        let widest = analysis.waves.iter().map(Vec::len).max().unwrap_or(0);
        let average = match analysis.critical_ms {
            0 => widest as f64,
            critical => analysis.total_ms as f64 / critical as f64,
        };
        analysis.parallelism = Parallelism { average, greatest: widest };
        analysis
    }

    /// Is nothing known of any step, so that all times are guesses?
    pub fn is_guess(&self) -> bool {
        !self.estimates.iter().any(|estimate| matches!(estimate.origin, Origin::Recorded | Origin::Declared))
    }

    /// How many tasks' estimates are known in this way.
    pub fn count(&self, origin: Origin) -> usize {
        self.waves.iter().flatten().filter(|id| self.estimates[id.index()].origin == origin).count()
    }

    /// The work in each step, groups included: of a flow, that of its greatest branch.
    fn work(&self, plan: &Plan, tree: &Hierarchy) -> Vec<u64> {
        let mut work: Vec<u64> = vec![0; plan.steps.len()];
        for id in tree.preorder().iter().rev() {
            let children = tree.children(*id);
            work[id.index()] = match &*plan.step(*id).task {
                _ if children.is_empty() => self.estimates[id.index()].ms,
                // Its members run together.
                Task::Stream(_) => self.estimates[id.index()].ms,
                Task::Flow(branches) => branches.iter().map(|branch| work[branch.step.index()]).max().unwrap_or(0),
                // Those that are quickest: the others are ended.
                Task::Quorum(quorum) => {
                    let mut all: Vec<u64> = children.iter().map(|child| work[child.index()]).collect();
                    all.sort_unstable();
                    all.iter().take(quorum.need as usize).fold(0, |sum: u64, ms| sum.saturating_add(*ms))
                }
                Task::Fallback(children) => children.first().map_or(0, |first| work[first.index()]),
                _ => children.iter().fold(0, |sum: u64, child| sum.saturating_add(work[child.index()])),
            };
        }
        work
    }

    /// Decides which branches count, and adds up what counts.
    fn take(&mut self, plan: &Plan, tree: &Hierarchy, work: &[u64], beside: &[bool]) {
        for id in tree.preorder() {
            let taken = self.counted[id.index()];
            match &*plan.step(*id).task {
                Task::Flow(branches) => {
                    let mut best: Option<StepId> = None;
                    for branch in branches {
                        self.counted[branch.step.index()] = false;
                        if best.is_none_or(|best| work[branch.step.index()] > work[best.index()]) {
                            best = Some(branch.step);
                        }
                    }
                    if let Some(best) = best {
                        self.counted[best.index()] = taken;
                    }
                }
                _ if !taken => tree.children(*id).iter().for_each(|child| self.counted[child.index()] = false),
                _ => {}
            }
        }
        self.total_ms = tree
            .top()
            .iter()
            .filter(|id| !beside[id.index()])
            .fold(0, |sum: u64, id| sum.saturating_add(work[id.index()]));
    }

    /// Earliest times, waves and the critical path.
    fn forward(&mut self, plan: &Plan, tree: &Hierarchy, graph: &Precedence, order: &[u32], beside: &[bool]) -> Times {
        let mut times = Times { begin: vec![0; graph.len()], end: vec![0; graph.len()] };
        let mut level = vec![0u32; graph.len()];
        let mut came: Vec<Option<u32>> = vec![None; graph.len()];
        let mut last: Option<u32> = None;
        let mut raced = vec![false; plan.steps.len()];
        for id in plan.ids().filter(|id| enough(plan, Node::End(*id)).is_some()) {
            tree.descendants(id).iter().for_each(|inner| raced[inner.index()] = true);
        }
        // The ends of the children of races and quorums, by the node of the group's end.
        let mut ends: HashMap<u32, Vec<(u64, u32)>> = HashMap::new();
        for &node in order {
            let at = node as usize;
            if let (Some(mut ends), Some(need)) = (ends.remove(&node), enough(plan, graph.node(node))) {
                ends.sort_unstable();
                if let Some((end, child)) = ends.get(need - 1).or(ends.last()) {
                    (times.begin[at], came[at]) = (*end, Some(*child));
                    level[at] = level[*child as usize];
                }
            }
            let task = is_work(plan, tree, graph.node(node)).filter(|id| !beside[id.index()]);
            let ms = task.map_or(0, |id| self.estimates[id.index()].ms);
            times.end[at] = times.begin[at].saturating_add(ms);
            if let Some(id) = task {
                let wave = level[at] as usize;
                if self.waves.len() <= wave {
                    self.waves.resize_with(wave + 1, Vec::new);
                }
                self.waves[wave].push(id);
                level[at] += 1;
            }
            // What a race does not need counts no further than its end.
            let counts = match graph.node(node) {
                Node::End(id) => !raced[id.index()] && enough(plan, graph.node(node)).is_some(),
                inner => task.is_some() && !raced[inner.step().index()],
            };
            if counts && last.is_none_or(|last| times.end[at] > times.end[last as usize]) {
                last = Some(node);
            }
            for (to, why) in graph.successors(node) {
                let next = to as usize;
                if why == Why::Leave && enough(plan, graph.node(to)).is_some() {
                    ends.entry(to).or_default().push((times.end[at], node));
                    continue;
                }
                if times.end[at] > times.begin[next] || came[next].is_none() {
                    (times.begin[next], came[next]) = (times.end[at], Some(node));
                }
                level[next] = level[next].max(level[at]);
            }
        }
        for wave in &mut self.waves {
            wave.sort_unstable();
        }
        self.critical_ms = last.map_or(0, |last| times.end[last as usize]);
        while let Some(node) = last {
            self.critical_path.extend(is_work(plan, tree, graph.node(node)));
            last = came[node as usize];
        }
        self.critical_path.reverse();
        times
    }

    /// The longest way that is still to go from each step.
    fn backward(&mut self, plan: &Plan, tree: &Hierarchy, graph: &Precedence, order: &[u32]) {
        let mut rest = vec![0u64; graph.len()];
        for &node in order.iter().rev() {
            let after = graph.successors(node).map(|(to, _)| rest[to as usize]).max().unwrap_or(0);
            let ms = is_work(plan, tree, graph.node(node)).map_or(0, |id| self.estimates[id.index()].ms);
            rest[node as usize] = after.saturating_add(ms);
        }
        self.rest_ms = plan.ids().map(|id| rest[graph.start(id) as usize]).collect();
    }
}

/// Earliest beginning and end of each node, in milliseconds from the start.
struct Times {
    begin: Vec<u64>,
    end: Vec<u64>,
}

/// The step whose work a node is: a task, a stream, or a group whose steps are not known yet.
pub(super) fn is_work(plan: &Plan, tree: &Hierarchy, node: Node) -> Option<StepId> {
    let Node::Start(id) = node else { return None };
    let step = plan.step(id);
    let member = plan.stream_of(id).is_some();
    if member || matches!(&*step.task, Task::Stream(_)) {
        return (!member).then_some(id);
    }
    (!step.task.is_group() || is_pending(&step.task) && tree.children(id).is_empty()).then_some(id)
}

/// Of the end of a race or a quorum: how many children have to end before it does, if not all of them.
pub(super) fn enough(plan: &Plan, node: Node) -> Option<usize> {
    let Node::End(id) = node else { return None };
    match &*plan.step(id).task {
        Task::Quorum(quorum) if (quorum.need as usize) < quorum.children.len() => Some(quorum.need.max(1) as usize),
        _ => None,
    }
}

/// A group whose steps come while it runs.
pub(super) fn is_pending(task: &Task) -> bool {
    match task {
        Task::Each(each) => each.items.is_some() && each.children.is_empty(),
        Task::Repeat(repeat) => repeat.children.is_empty(),
        Task::Workflow(workflow) => !workflow.expanded,
        _ => false,
    }
}

/// The steps beside the way that is expected, by id: hooks, fallbacks, what undoes others, what alerts start, what is
/// retired.
pub(super) fn beside(plan: &Plan, tree: &Hierarchy) -> Vec<bool> {
    let mut beside: Vec<bool> = plan.steps.iter().map(|step| step.retired).collect();
    let fallbacks = plan.steps.iter().filter_map(|step| match &*step.task {
        Task::Fallback(children) => children.get(1..),
        _ => None,
    });
    let hooks = plan.header.hooks.iter().map(|(_, id)| id);
    let alerted: Vec<StepId> = plan.ids().filter(|id| plan.step(*id).on_alert.is_some()).collect();
    for id in hooks.chain(fallbacks.flatten()).chain(tree.undos()).chain(&alerted) {
        beside[id.index()] = true;
        tree.descendants(*id).iter().for_each(|inner| beside[inner.index()] = true);
    }
    beside
}

fn estimates(plan: &Plan, tree: &Hierarchy, durations: &HashMap<String, u64>) -> Vec<Estimate> {
    let recorded = recorded(plan, tree, durations);
    let mut estimates: Vec<Estimate> = plan
        .ids()
        .map(|id| {
            let step = plan.step(id);
            let known = |ms, origin| Estimate { ms, origin };
            match (&*step.task, recorded[id.index()], step.policy().estimate_ms) {
                (task, ..) if task.is_group() && !(is_pending(task) && tree.children(id).is_empty()) => {
                    known(0, Origin::Steps)
                }
                (_, Some(ms), _) => known(ms, Origin::Recorded),
                (_, None, Some(ms)) => known(ms, Origin::Declared),
                (Task::Wait(ms), None, None) => known(*ms, Origin::Declared),
                (Task::Const(Value::Plain(_)) | Task::Fail(Value::Plain(_)), None, None) => known(0, Origin::Steps),
                // Nobody knows when a person answers.
                (task, None, None) if task.waits() => known(0, Origin::Steps),
                _ => known(ASSUMED_MS, Origin::Assumed),
            }
        })
        .collect();
    // A stream runs at once: as long as the longest of its members, unless more is known of it as a whole.
    for id in plan.ids() {
        let Task::Stream(stream) = &*plan.step(id).task else { continue };
        let members = || stream.members().map(|member| estimates[member.index()]);
        let declared = plan.step(id).policy().estimate_ms;
        estimates[id.index()] = match (recorded[id.index()], declared) {
            (Some(ms), _) => Estimate { ms, origin: Origin::Recorded },
            (None, Some(ms)) => Estimate { ms, origin: Origin::Declared },
            (None, None) => {
                let known = members().filter(|estimate| estimate.origin != Origin::Assumed);
                let longest = known.max_by_key(|estimate| estimate.ms).or(members().next());
                longest.unwrap_or(Estimate { ms: 0, origin: Origin::Steps })
            }
        };
    }
    estimates
}

/// What earlier runs took, by id. The paths are those of `Plan::path`, written once along the tree.
fn recorded(plan: &Plan, tree: &Hierarchy, durations: &HashMap<String, u64>) -> Vec<Option<u64>> {
    let mut found = vec![None; plan.steps.len()];
    let Some(longest) = durations.keys().map(String::len).max() else { return found };
    let mut path = String::new();
    // Lengths of the path before each group that is open, with what stands after its name.
    let mut open: Vec<usize> = Vec::new();
    for id in tree.preorder() {
        open.truncate(tree.depth(*id));
        path.truncate(open.last().copied().unwrap_or(0));
        let (step, before) = (plan.step(*id), path.len());
        // Longer paths than any that is recorded are not worth writing; deep nesting would make them very long.
        if before <= longest {
            match &step.key {
                Some(key) => path.extend(["[", key.as_str(), "]"]),
                None if before == 0 => path.push_str(&step.name),
                None => path.extend(["/", step.name.as_str()]),
            }
            found[id.index()] = durations.get(path.as_str()).copied();
            if step.anonymous && step.key.is_none() {
                path.truncate(before);
            }
        }
        open.push(path.len());
    }
    found
}
