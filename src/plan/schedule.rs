//! When the steps of a plan would run, with so many at the same time: a rehearsal with estimates.
//!
//! List scheduling (Graham 1966): whenever a slot is free, the first step in the order of the ready ones takes it. The
//! order is that of the plan's settings, so this is what the engine will do if the estimates are true. Named limits are
//! respected; of a flow the branch with the most work is taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::analysis::{Analysis, hooked, is_work};
use super::hierarchy::Hierarchy;
use super::precedence::Precedence;
use super::{Limit, Order, Plan, StepId, Task};

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

const MINUTE: u64 = 60_000;

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
    let waits = rehearsal.limits.into_iter().filter(|limit| limit.waits.steps > 0);
    let waits = waits.map(|limit| (limit.name, limit.waits)).collect();
    Schedule { max_parallel: max_parallel.max(1), makespan_ms, gain_percent, waits }
}

/// A step's place in the queue: what comes first, then when it became ready.
type Rank = (i64, u64, u64);

struct Share {
    name: String,
    limit: Limit,
    used: u64,
    /// Shares taken within the last minute, with the time, and their sum.
    taken: VecDeque<(u64, u32)>,
    recent: u64,
    /// Steps that wait for it, with the time since when.
    parked: BinaryHeap<Reverse<(Rank, StepId)>>,
    /// Is something set to happen when the minute is over?
    armed: bool,
    waits: Waits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A step ends.
    End(StepId),
    /// Shares of a limit come back because their minute is over.
    Minute(usize),
}

impl Share {
    /// Shares that were taken more than a minute ago are free again.
    fn forget(&mut self, now: u64) {
        while let Some((at, shares)) = self.taken.front().copied()
            && at.saturating_add(MINUTE) <= now
        {
            self.taken.pop_front();
            self.recent -= u64::from(shares);
        }
    }

    /// Are all shares held that it would take? Impossible wishes count as met: they are found elsewhere.
    fn is_busy(&self, shares: u32) -> bool {
        self.limit.max.is_some_and(|max| shares <= max && self.used + u64::from(shares) > u64::from(max))
    }

    /// Have too many shares been taken within the last minute?
    fn is_exhausted(&self, shares: u32) -> bool {
        self.limit.per_minute.is_some_and(|rate| shares <= rate && self.recent + u64::from(shares) > u64::from(rate))
    }
}

struct Rehearsal<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    tree: &'a Hierarchy,
    graph: &'a Precedence,
    /// How many predecessors of each node have not ended.
    missing: Vec<u32>,
    free: u32,
    ready: BinaryHeap<Reverse<(Rank, StepId)>>,
    arrivals: u64,
    happenings: BinaryHeap<Reverse<(u64, Happening)>>,
    limits: Vec<Share>,
    index: HashMap<String, usize>,
    /// Since when a step waits for a limit, and for which it had to wait first.
    parked_at: HashMap<StepId, (u64, usize)>,
    hooked: Vec<bool>,
}

impl<'a> Rehearsal<'a> {
    fn new(plan: &'a Plan, analysis: &'a Analysis, tree: &'a Hierarchy, graph: &'a Precedence, slots: u32) -> Self {
        let mut missing = vec![0; graph.len()];
        for node in 0..graph.len() as u32 {
            graph.successors(node).for_each(|(to, _)| missing[to as usize] += 1);
        }
        let limits: Vec<Share> = plan
            .header
            .limits
            .iter()
            .map(|(name, limit)| Share {
                name: name.to_string(),
                limit: *limit,
                used: 0,
                taken: VecDeque::new(),
                recent: 0,
                parked: BinaryHeap::new(),
                armed: false,
                waits: Waits::default(),
            })
            .collect();
        let index = limits.iter().enumerate().map(|(n, limit)| (limit.name.clone(), n)).collect();
        Rehearsal {
            plan,
            analysis,
            tree,
            graph,
            missing,
            free: slots,
            ready: BinaryHeap::new(),
            arrivals: 0,
            happenings: BinaryHeap::new(),
            limits,
            index,
            parked_at: HashMap::new(),
            hooked: hooked(plan, tree),
        }
    }

    /// The loop:
    /// - what has no predecessor left becomes ready; what is no work ends at once
    /// - free slots go to the ready steps in their order
    /// - time moves on to the next end, or to the next share of a limit that comes back
    fn run(&mut self) -> u64 {
        let begin: VecDeque<u32> =
            (0..self.graph.len() as u32).filter(|node| self.missing[*node as usize] == 0).collect();
        self.reach(0, begin);
        let mut now = 0;
        loop {
            self.start(now);
            let Some(Reverse((at, happening))) = self.happenings.pop() else { return now };
            match happening {
                Happening::End(id) => {
                    now = at;
                    self.end(now, id);
                }
                Happening::Minute(limit) => {
                    self.limits[limit].armed = false;
                    // Time only counts if somebody is still waiting for it.
                    if !self.limits[limit].parked.is_empty() {
                        now = at;
                    }
                    self.wake(now, limit);
                }
            }
        }
    }

    /// These nodes have no predecessor left.
    fn reach(&mut self, now: u64, mut nodes: VecDeque<u32>) {
        while let Some(node) = nodes.pop_front() {
            let work = is_work(self.plan, self.tree, self.graph.node(node))
                .filter(|id| self.analysis.counted[id.index()] && !self.hooked[id.index()]);
            match work {
                Some(id) if matches!(&*self.plan.step(id).task, Task::Wait(_)) => {
                    let end = now.saturating_add(self.analysis.estimates[id.index()].ms);
                    self.happenings.push(Reverse((end, Happening::End(id))));
                }
                Some(id) => {
                    let rank = self.rank(id);
                    self.ready.push(Reverse((rank, id)));
                }
                None => self.pass(node, &mut nodes),
            }
        }
    }

    fn pass(&mut self, node: u32, reached: &mut VecDeque<u32>) {
        for (to, _) in self.graph.successors(node) {
            self.missing[to as usize] -= 1;
            if self.missing[to as usize] == 0 {
                reached.push_back(to);
            }
        }
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

    fn start(&mut self, now: u64) {
        while self.free > 0 {
            let Some(Reverse((rank, id))) = self.ready.pop() else { return };
            if let Some(limit) = self.lacking(now, id) {
                self.park(now, limit, rank, id);
                continue;
            }
            if let Some((since, limit)) = self.parked_at.remove(&id) {
                self.limits[limit].waits.steps += 1;
                self.limits[limit].waits.ms += now - since;
            }
            self.take(now, id);
            self.free -= 1;
            let end = now.saturating_add(self.analysis.estimates[id.index()].ms);
            self.happenings.push(Reverse((end, Happening::End(id))));
        }
    }

    /// The first limit that cannot give the step what it asks for.
    fn lacking(&mut self, now: u64, id: StepId) -> Option<usize> {
        let plan = self.plan;
        for (name, shares) in &plan.step(id).policy().limits {
            let Some(limit) = self.index.get(name.as_str()).copied() else { continue };
            let share = &mut self.limits[limit];
            share.forget(now);
            let exhausted = share.is_exhausted(*shares);
            if exhausted && !std::mem::replace(&mut share.armed, true) {
                let back = share.taken.front().map_or(now, |(at, _)| at.saturating_add(MINUTE));
                self.happenings.push(Reverse((back, Happening::Minute(limit))));
            }
            if exhausted || share.is_busy(*shares) {
                return Some(limit);
            }
        }
        None
    }

    fn park(&mut self, now: u64, limit: usize, rank: Rank, id: StepId) {
        self.limits[limit].parked.push(Reverse((rank, id)));
        self.parked_at.entry(id).or_insert((now, limit));
    }

    fn take(&mut self, now: u64, id: StepId) {
        let plan = self.plan;
        for (name, shares) in &plan.step(id).policy().limits {
            if let Some(limit) = self.index.get(name.as_str()) {
                let share = &mut self.limits[*limit];
                share.used += u64::from(*shares);
                if share.limit.per_minute.is_some() {
                    share.taken.push_back((now, *shares));
                    share.recent += u64::from(*shares);
                }
            }
        }
    }

    fn end(&mut self, now: u64, id: StepId) {
        let plan = self.plan;
        if !matches!(&*plan.step(id).task, Task::Wait(_)) {
            self.free += 1;
            for (name, shares) in &plan.step(id).policy().limits {
                if let Some(limit) = self.index.get(name.as_str()).copied() {
                    self.limits[limit].used -= u64::from(*shares);
                    self.wake(now, limit);
                }
            }
        }
        let mut reached = VecDeque::new();
        self.pass(self.graph.start(id), &mut reached);
        self.reach(now, reached);
    }

    /// Moves as many waiting steps back to the ready ones as the limit may now have room for.
    fn wake(&mut self, now: u64, limit: usize) {
        let share = &mut self.limits[limit];
        share.forget(now);
        let mut room = share.limit.max.map_or(u64::MAX, |max| u64::from(max).saturating_sub(share.used));
        if let Some(rate) = share.limit.per_minute {
            room = room.min(u64::from(rate).saturating_sub(share.recent).max(1));
        }
        while room > 0 {
            let Some(Reverse((rank, id))) = share.parked.pop() else { return };
            room -= 1;
            self.ready.push(Reverse((rank, id)));
        }
    }
}
