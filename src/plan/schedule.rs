//! When the steps of a plan would run, with so many at the same time: a rehearsal with estimates.
//!
//! List scheduling (Graham 1966): whenever a slot is free, the first step in the order of the ready ones takes it. The
//! order is that of the plan's settings, so this is what the engine will do if the estimates are true. Named limits are
//! respected; of a flow the branch with the most work is taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::analysis::{Analysis, beside, enough, is_work};
use super::hierarchy::Hierarchy;
use super::precedence::{Node, Precedence, Why};
use super::{Order, Plan, StepId, Task};
use shares::Shares;

mod shares;

/// What comes out of a rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Most steps at the same time.
    pub max_parallel: u32,
    /// From the start to the end, in milliseconds.
    pub makespan_ms: u64,
    /// How much less time that is than one step at a time, in percent.
    pub gain_percent: f64,
    /// The limits that steps waited for, by name.
    pub waits: BTreeMap<String, Waits>,
}

/// What was waited for a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// So many steps waited.
    pub steps: usize,
    /// For so long together, in milliseconds.
    pub ms: u64,
}

/// Rehearses a plan. `analysis` must be of the same plan; in n log n time.
pub fn schedule(plan: &Plan, analysis: &Analysis, max_parallel: u32) -> Schedule {
    let tree = Hierarchy::of(plan);
    let graph = Precedence::of(plan, &tree);
    let mut rehearsal = Rehearsal::new(plan, analysis, &tree, &graph, max_parallel.max(1));
    let makespan_ms = rehearsal.run();
    let gain_percent = match analysis.total_ms {
        0 => 0.0,
        total => (1.0 - makespan_ms as f64 / total as f64).max(0.0) * 100.0,
    };
    Schedule { max_parallel: max_parallel.max(1), makespan_ms, gain_percent, waits: rehearsal.shares.waits() }
}

/// A step's place in the queue: what comes first, then when it became ready.
type Rank = (i64, u64, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A step ends.
    End(StepId),
    /// Shares of a limit come back because their minute is over.
    Minute(usize),
}

struct Rehearsal<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    tree: &'a Hierarchy,
    graph: &'a Precedence,
    beside: Vec<bool>,
    /// How many predecessors of each node have not ended.
    missing: Vec<u32>,
    free: u32,
    ready: BinaryHeap<Reverse<(Rank, StepId)>>,
    arrivals: u64,
    happenings: BinaryHeap<Reverse<(u64, Happening)>>,
    shares: Shares,
    /// Nodes without a predecessor left.
    reached: VecDeque<u32>,
    /// How many children of a race or a quorum have ended, by the node of its end.
    won: HashMap<u32, usize>,
    /// Steps that have begun and not ended, and groups that hold shares.
    open: HashSet<StepId>,
    /// Steps that are ended, or never begun, since a race or a quorum has enough without them.
    cut: HashSet<StepId>,
    now: u64,
}

impl<'a> Rehearsal<'a> {
    fn new(plan: &'a Plan, analysis: &'a Analysis, tree: &'a Hierarchy, graph: &'a Precedence, slots: u32) -> Self {
        let mut missing = vec![0; graph.len()];
        for node in graph.nodes() {
            graph.successors(node).for_each(|(to, _)| missing[to as usize] += 1);
        }
        Rehearsal {
            plan,
            analysis,
            tree,
            graph,
            beside: beside(plan, tree),
            reached: graph.nodes().filter(|node| missing[*node as usize] == 0).collect(),
            missing,
            free: slots,
            ready: BinaryHeap::new(),
            arrivals: 0,
            won: HashMap::new(),
            open: HashSet::new(),
            cut: HashSet::new(),
            happenings: BinaryHeap::new(),
            shares: Shares::of(plan, tree),
            now: 0,
        }
    }

    /// The loop:
    /// - what has no predecessor left becomes ready; what is no work ends at once
    /// - free slots go to the ready steps in their order
    /// - time moves on to the next end, or to the next share of a limit that comes back
    fn run(&mut self) -> u64 {
        loop {
            while let Some(node) = self.reached.pop_front() {
                self.reach(node);
            }
            self.fill();
            if !self.reached.is_empty() {
                continue;
            }
            let Some(Reverse((at, happening))) = self.happenings.pop() else { return self.now };
            match happening {
                Happening::End(id) if self.cut.contains(&id) => {}
                Happening::End(id) => {
                    self.now = at;
                    self.free += u32::from(!self.is_slotless(id));
                    // A stream gives back when its members are through, too.
                    if self.tree.children(id).is_empty() {
                        self.give_back(id);
                    }
                    self.pass(self.graph.start(id));
                }
                Happening::Minute(limit) => {
                    // Time only counts if somebody is still waiting for it.
                    if self.shares.minute_over(limit) {
                        self.now = at;
                    }
                    self.wake(limit);
                }
            }
        }
    }

    fn reach(&mut self, node: u32) {
        let at = self.graph.node(node);
        let counts = self.analysis.counted[at.step().index()] && !self.beside[at.step().index()];
        match at {
            Node::Start(id) if counts && (is_work(self.plan, self.tree, at).is_some() || self.shares.wants(id)) => {
                let rank = self.rank(id);
                self.admit(rank, id);
            }
            Node::End(id) if counts && !self.tree.children(id).is_empty() => {
                self.give_back(id);
                self.pass(node);
            }
            _ => self.pass(node),
        }
    }

    fn pass(&mut self, node: u32) {
        for (to, why) in self.graph.successors(node) {
            self.missing[to as usize] -= 1;
            match enough(self.plan, self.graph.node(to)).filter(|_| why == Why::Leave) {
                None if self.missing[to as usize] == 0 => self.reached.push_back(to),
                None => {}
                Some(need) => {
                    let won = self.won.entry(to).or_default();
                    *won += 1;
                    if *won == need {
                        self.cut(self.graph.node(to).step());
                        self.reached.push_back(to);
                    }
                }
            }
        }
    }

    /// A race or a quorum has enough: what is left of it is ended.
    fn cut(&mut self, group: StepId) {
        for id in self.tree.descendants(group) {
            self.cut.insert(*id);
            if self.open.contains(id) {
                self.free += u32::from(!self.is_slotless(*id));
                self.give_back(*id);
            }
        }
    }

    /// Groups and waits need no slot, only their shares of limits.
    fn is_slotless(&self, id: StepId) -> bool {
        let task = &*self.plan.step(id).task;
        matches!(task, Task::Wait(_)) || task.waits() || is_work(self.plan, self.tree, Node::Start(id)).is_none()
    }

    fn rank(&mut self, id: StepId) -> Rank {
        self.arrivals += 1;
        let policy = self.plan.step(id).policy();
        let first = -i64::from(policy.priority);
        match self.plan.header.settings.order {
            Order::Priority => (first, policy.deadline_ms.unwrap_or(u64::MAX), self.arrivals),
            Order::Fifo => (0, 0, self.arrivals),
            Order::CriticalPath => (first, u64::MAX - self.analysis.rest_ms[id.index()], self.arrivals),
            Order::Shortest => (first, self.analysis.estimates[id.index()].ms, self.arrivals),
        }
    }

    /// Queues a step that has nothing to wait for but a slot and its shares.
    fn admit(&mut self, rank: Rank, id: StepId) {
        match self.is_slotless(id) {
            true => {
                self.begin(rank, id);
            }
            false => self.ready.push(Reverse((rank, id))),
        }
    }

    fn fill(&mut self) {
        while self.free > 0 {
            let Some(Reverse((rank, id))) = self.ready.pop() else { return };
            self.free -= u32::from(self.begin(rank, id));
        }
    }

    /// Begins a step, or parks it at the limit that it lacks. Returns whether it began.
    fn begin(&mut self, rank: Rank, id: StepId) -> bool {
        if self.cut.contains(&id) {
            return false;
        }
        if let Err(back) = self.shares.take(self.now, rank, id) {
            if let Some((at, limit)) = back {
                self.happenings.push(Reverse((at, Happening::Minute(limit))));
            }
            return false;
        }
        self.open.insert(id);
        match is_work(self.plan, self.tree, Node::Start(id)) {
            Some(_) => {
                let end = self.now.saturating_add(self.analysis.estimates[id.index()].ms);
                self.happenings.push(Reverse((end, Happening::End(id))));
            }
            None => self.pass(self.graph.start(id)),
        }
        true
    }

    fn give_back(&mut self, id: StepId) {
        if !self.open.remove(&id) {
            return;
        }
        for limit in self.shares.give_back(id) {
            self.wake(limit);
        }
    }

    fn wake(&mut self, limit: usize) {
        for (rank, id) in self.shares.wake(self.now, limit) {
            self.admit(rank, id);
        }
    }
}
