//! Named limits: shares held at the same time (`max`), shares taken within a minute (`per_minute`), locks.
//!
//! A step that cannot have its shares is parked at the limit that is short and blocks nobody else. When shares come
//! back, the first of the parked ones is promised them, so that no latecomer takes them away.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use smol_str::SmolStr;

use super::order::Place;
use crate::plan::{Limit, Plan, Scale, StepId, Task};

/// What a step asks for of named limits. A stream asks for all its members, who then ask for nothing; what it says itself of
/// a limit holds for them all.
pub fn asked(plan: &Plan, id: StepId) -> Cow<'_, [(SmolStr, u32)]> {
    let step = plan.step(id);
    let own = step.policy().limits.as_slice();
    match &*step.task {
        Task::Stream(stream) => {
            let of_members = stream.members().flat_map(|member| &plan.step(member).policy().limits);
            let further = of_members.filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
            Cow::Owned(own.iter().chain(further).cloned().collect())
        }
        _ if plan.stream_of(id).is_some() => Cow::Borrowed(&[]),
        _ => Cow::Borrowed(own),
    }
}

/// Does a step take a slot while it runs? Groups and `wait` take none; a stream takes one, for all its members. Nor does a
/// task that hangs on an alert: what is watched holds a slot, perhaps the last one, and is to be told of while it goes on.
pub fn takes_slot(plan: &Plan, id: StepId) -> bool {
    let step = plan.step(id);
    match &*step.task {
        Task::Stream(_) => true,
        Task::Wait(_) => false,
        task => !task.is_group() && step.on_alert.is_none() && plan.stream_of(id).is_none(),
    }
}

/// Shares of one limit: its index here, and how many.
pub type Share = (u32, u32);

/// After this time shares of a `per_minute` come back, in milliseconds.
pub const MINUTE: u64 = 60_000;

/// All named limits and who holds what. Looked up by key only, never walked through in a map's order.
#[derive(Debug, Default)]
pub struct Limits {
    limits: Vec<State>,
    by_name: HashMap<SmolStr, u32>,
    held: HashMap<StepId, Vec<Share>>,
    promised: HashMap<StepId, Share>,
    /// Limits at which a parked step may have got its chance.
    changed: Vec<u32>,
    /// Those that are parked: at which limit, for how many shares.
    waiting: HashMap<StepId, Share>,
    /// Limits that follow what waits, of which shares are idle from now on.
    idle: Vec<u32>,
}

#[derive(Debug, Default)]
struct State {
    limit: Limit,
    held: u32,
    minute: u32,
    promised: u32,
    parked: BinaryHeap<Reverse<(Place, StepId, u32)>>,
    /// Of a limit that follows what waits: how many shares there are now, how many the parked ones want, and how many
    /// nobody has held since its timer was armed, if it is.
    shares: u32,
    wanted: u32,
    spare: Option<u32>,
}

impl State {
    fn fits(&self, shares: u32) -> bool {
        let wanted = shares.saturating_add(self.promised);
        let room = |most: Option<u32>, used: u32| most.is_none_or(|most| used.saturating_add(wanted) <= most);
        let most = self.limit.scale.map_or(self.limit.max, |_| Some(self.shares));
        room(most, self.held) && room(self.limit.per_minute, self.minute)
    }

    /// As many shares as it has by what waits now.
    fn scaled(&self, scale: &Scale) -> u32 {
        self.wanted.div_ceil(scale.per.max(1)).clamp(scale.min.min(scale.max), scale.max)
    }

    /// More shares at once, if more waits. One that waits for several gets them, whatever the others want.
    fn grow(&mut self, needed: u32) -> bool {
        let Some(scale) = self.limit.scale else { return false };
        let shares = self.scaled(&scale).max(needed.min(scale.max));
        let grows = shares > self.shares;
        self.shares = self.shares.max(shares);
        grows
    }

    /// Shares of it are held by nobody. Returns whether its timer is to be armed.
    fn is_idle(&mut self) -> bool {
        let Some(scale) = self.limit.scale else { return false };
        let starts = self.spare.is_none() && self.held < self.shares && self.shares > scale.min;
        if starts {
            self.spare = Some(self.shares - self.held);
        }
        starts
    }

    /// More than there is would never be had: it is taken for all there is.
    fn at_most(&self, shares: u32) -> u32 {
        shares.min(self.limit.max.unwrap_or(u32::MAX)).min(self.limit.per_minute.unwrap_or(u32::MAX))
    }
}

impl Limits {
    /// Takes over the plan's limits: new ones, and new figures of known ones. An index never changes.
    pub fn set(&mut self, limits: &BTreeMap<SmolStr, Limit>) {
        for (name, limit) in limits {
            let index = match self.by_name.get(name) {
                Some(index) => *index,
                None => {
                    self.limits.push(State::default());
                    let index = self.limits.len() as u32 - 1;
                    self.by_name.insert(name.clone(), index);
                    index
                }
            };
            let state = &mut self.limits[index as usize];
            state.limit = *limit;
            if let Some(scale) = limit.scale {
                state.shares = state.scaled(&scale).max(state.shares.min(scale.max));
            }
            self.changed.push(index);
        }
    }

    /// The shares that a policy asks for, each limit once. Unknown names ask for nothing.
    pub fn shares(&self, asked: &[(SmolStr, u32)]) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::with_capacity(asked.len());
        for (name, n) in asked {
            let Some(index) = self.by_name.get(name) else { continue };
            match shares.iter_mut().find(|share| share.0 == *index) {
                Some(share) => share.1 = share.1.saturating_add(*n),
                None => shares.push((*index, *n)),
            }
        }
        for share in &mut shares {
            share.1 = self.limits[share.0 as usize].at_most(share.1);
        }
        shares
    }

    /// Does a step hold shares of this limit?
    pub fn holds(&self, step: StepId, limit: u32) -> bool {
        self.held.get(&step).is_some_and(|held| held.iter().any(|share| share.0 == limit))
    }

    /// Takes all these shares, or none and parks the step at the first limit that is short. Returns whether they are had.
    pub fn take_or_park(&mut self, step: StepId, place: Place, shares: Vec<Share>) -> bool {
        self.let_go(step);
        match shares.iter().find(|(limit, n)| !self.limits[*limit as usize].fits(*n)) {
            Some(&(limit, n)) => {
                let state = &mut self.limits[limit as usize];
                state.parked.push(Reverse((place, step, n)));
                state.wanted += n;
                self.waiting.insert(step, (limit, n));
                if state.grow(n) {
                    self.changed.push(limit);
                }
                false
            }
            None => {
                self.take(step, shares);
                true
            }
        }
    }

    /// Counts a step as holding shares: for what was going on before a resume.
    pub fn hold(&mut self, step: StepId, shares: Vec<Share>) {
        for &(limit, n) in &shares {
            let state = &mut self.limits[limit as usize];
            state.held += n;
            state.spare = state.spare.map(|spare| spare.min(state.shares.saturating_sub(state.held)));
        }
        self.held.insert(step, shares);
    }

    /// Counts a step that holds shares, or runs, as holding these, too: there are limits now that it did not know of.
    pub fn hold_also(&mut self, step: StepId, shares: Vec<Share>) {
        let held = self.held.entry(step).or_default();
        for (limit, n) in shares {
            if !held.iter().any(|(known, _)| *known == limit) {
                held.push((limit, n));
                self.limits[limit as usize].held += n;
            }
        }
    }

    fn take(&mut self, step: StepId, shares: Vec<Share>) {
        for &(limit, n) in &shares {
            let state = &mut self.limits[limit as usize];
            if state.limit.per_minute.is_some() {
                state.minute += n;
            }
        }
        self.hold(step, shares);
    }

    /// Those of the shares a step has just taken that have to come back after a minute.
    pub fn by_the_minute(&self, step: StepId) -> impl Iterator<Item = Share> + '_ {
        let counted = |share: &&Share| self.limits[share.0 as usize].limit.per_minute.is_some();
        self.held.get(&step).into_iter().flatten().filter(counted).copied()
    }

    /// Counts shares that an earlier process took within the last minute. Returns whether they have to come back.
    pub fn count_minute(&mut self, (limit, n): Share) -> bool {
        let state = &mut self.limits[limit as usize];
        let counts = state.limit.per_minute.is_some();
        state.minute += if counts { n } else { 0 };
        counts
    }

    /// A minute is over.
    pub fn minute_over(&mut self, (limit, n): Share) {
        if let Some(state) = self.limits.get_mut(limit as usize) {
            state.minute = state.minute.saturating_sub(n);
            self.changed.push(limit);
        }
    }

    /// A step gives back what it holds.
    pub fn give_back(&mut self, step: StepId) {
        self.let_go(step);
        for (limit, n) in self.held.remove(&step).into_iter().flatten() {
            let state = &mut self.limits[limit as usize];
            state.held = state.held.saturating_sub(n);
            self.changed.push(limit);
            if state.is_idle() {
                self.idle.push(limit);
            }
        }
    }

    /// A limit that follows what waits, of which shares are idle from now on: after how many milliseconds [`Limits::idle_over`]
    /// is to be asked.
    pub fn gets_idle(&mut self) -> Option<(u32, u64)> {
        let limit = self.idle.pop()?;
        self.limits[limit as usize].limit.scale.map(|scale| (limit, scale.idle_ms))
    }

    /// The shares that nobody has held all the time since they were told as idle go away.
    pub fn idle_over(&mut self, limit: u32) {
        let Some(state) = self.limits.get_mut(limit as usize) else { return };
        let Some(scale) = state.limit.scale else { return };
        let spare = state.spare.take().unwrap_or(0);
        // One that waits for several is still to get them.
        let needed = state.parked.iter().map(|Reverse((_, _, n))| *n).max().unwrap_or(0).min(scale.max);
        let least = state.scaled(&scale).max(state.held + state.promised).max(needed);
        state.shares = state.shares.saturating_sub(spare).max(least);
        if state.is_idle() {
            self.idle.push(limit);
        }
    }

    /// It is not parked any more, and what was promised to it is free again.
    pub fn let_go(&mut self, step: StepId) {
        if let Some((limit, n)) = self.waiting.remove(&step) {
            let state = &mut self.limits[limit as usize];
            state.wanted = state.wanted.saturating_sub(n);
        }
        if let Some((limit, n)) = self.promised.remove(&step) {
            let state = &mut self.limits[limit as usize];
            state.promised = state.promised.saturating_sub(n);
            self.changed.push(limit);
        }
    }

    /// A parked step that may try again, if there is one. `waits` says whether an entry is still true.
    pub fn wake(&mut self, mut waits: impl FnMut(StepId, Place) -> bool) -> Option<(Place, StepId)> {
        while let Some(limit) = self.changed.last().copied() {
            let state = &mut self.limits[limit as usize];
            match state.parked.peek() {
                Some(Reverse((place, step, _))) if !waits(*step, *place) => {
                    state.parked.pop();
                }
                Some(&Reverse((place, step, n))) if state.fits(n) => {
                    state.parked.pop();
                    state.promised += n;
                    state.wanted = state.wanted.saturating_sub(n);
                    self.waiting.remove(&step);
                    self.promised.insert(step, (limit, n));
                    return Some((place, step));
                }
                _ => {
                    self.changed.pop();
                }
            }
        }
        None
    }

    /// Will some shares come back by time alone?
    pub fn minute_runs(&self) -> bool {
        self.limits.iter().any(|state| state.minute > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::Ready;
    use super::*;
    use crate::plan::{Graph, Step};

    const A: StepId = StepId(0);
    const B: StepId = StepId(1);
    const C: StepId = StepId(2);

    fn limits(entries: &[(&str, Option<u32>, Option<u32>)]) -> Limits {
        let mut limits = Limits::default();
        let entry = |(name, max, per_minute): &(&str, _, _)| {
            ((*name).into(), Limit { max: *max, per_minute: *per_minute, scale: None })
        };
        limits.set(&entries.iter().map(entry).collect());
        limits
    }

    /// Three places, in the order of arrival.
    fn places() -> [Place; 3] {
        let step = |name| Step::new(name, Task::Wait(0), Default::default());
        let plan = Plan { steps: vec![step("a"), step("b"), step("c")], ..Plan::default() };
        let (graph, mut ready) = (Graph::of(&plan), Ready::default());
        [A, B, C].map(|id| ready.place(&plan, &graph, id))
    }

    #[test]
    fn a_lock_goes_to_the_first_who_waits() {
        let mut limits = limits(&[("lock", Some(1), None)]);
        let [a, b, c] = places();
        let one = |limits: &Limits| limits.shares(&[("lock".into(), 1)]);
        let shares = one(&limits);
        assert!(limits.take_or_park(A, a, shares.clone()));
        assert!(!limits.take_or_park(C, c, shares.clone()));
        assert!(!limits.take_or_park(B, b, shares.clone()));
        limits.give_back(A);
        assert_eq!(limits.wake(|_, _| true), Some((b, B)));
        // It is promised: neither the next in the queue nor a latecomer gets it.
        assert_eq!(limits.wake(|_, _| true), None);
        assert!(!limits.take_or_park(A, a, shares.clone()));
        assert!(limits.take_or_park(B, b, shares));
    }

    #[test]
    fn who_leaves_the_queue_is_passed_over() {
        let mut limits = limits(&[("lock", Some(1), None)]);
        let [a, b, c] = places();
        let shares = limits.shares(&[("lock".into(), 1)]);
        for (id, place) in [(A, a), (B, b), (C, c)] {
            limits.take_or_park(id, place, shares.clone());
        }
        limits.give_back(A);
        assert_eq!(limits.wake(|step, _| step != B), Some((c, C)));
    }

    #[test]
    fn a_promise_that_is_not_used_goes_to_the_next() {
        let mut limits = limits(&[("l", Some(1), None), ("m", Some(1), None)]);
        let [a, b, c] = places();
        let both = limits.shares(&[("l".into(), 1), ("m".into(), 1)]);
        let (l, m) = (vec![both[0]], vec![both[1]]);
        assert!(limits.take_or_park(A, a, l.clone()));
        assert!(!limits.take_or_park(B, b, both.clone()));
        assert!(!limits.take_or_park(C, c, l.clone()));
        limits.give_back(A);
        assert!(limits.take_or_park(A, a, m));
        assert_eq!(limits.wake(|_, _| true), Some((b, B)));
        assert!(!limits.take_or_park(B, b, both));
        assert_eq!(limits.wake(|_, _| true), Some((c, C)));
        assert!(limits.take_or_park(C, c, l));
    }

    #[test]
    fn a_limit_follows_what_waits() {
        let mut limits = Limits::default();
        let scale = Scale { min: 1, max: 3, per: 2, idle_ms: 50 };
        let limit = Limit { max: Some(3), per_minute: None, scale: Some(scale) };
        limits.set(&[("pool".into(), limit)].into());
        let steps: Vec<StepId> = (0..6).map(StepId).collect();
        let plan = Plan {
            steps: steps.iter().map(|_| Step::new("a", Task::Wait(0), Default::default())).collect(),
            ..Plan::default()
        };
        let (graph, mut ready) = (Graph::of(&plan), Ready::default());
        let places: Vec<Place> = steps.iter().map(|id| ready.place(&plan, &graph, *id)).collect();
        let one = limits.shares(&[("pool".into(), 1)]);
        let take = |limits: &mut Limits, n: usize| limits.take_or_park(steps[n], places[n], one.clone());
        assert!(take(&mut limits, 0));
        // Two that wait are one share's worth; with the third, a second share comes at once.
        assert!(!take(&mut limits, 1) && !take(&mut limits, 2));
        assert_eq!(limits.wake(|_, _| true), None);
        assert!(!take(&mut limits, 3));
        assert_eq!(limits.wake(|_, _| true), Some((places[1], steps[1])));
        assert!(take(&mut limits, 1));
        assert_eq!(limits.wake(|_, _| true), None);
        // Both come back: the others go on, and nothing is idle while they do.
        for n in [0, 1] {
            limits.give_back(steps[n]);
        }
        assert_eq!(limits.gets_idle(), Some((0, 50)));
        assert_eq!(limits.wake(|_, _| true), Some((places[2], steps[2])));
        assert_eq!(limits.wake(|_, _| true), Some((places[3], steps[3])));
        assert!(take(&mut limits, 2) && take(&mut limits, 3));
        limits.idle_over(0);
        assert_eq!(limits.gets_idle(), None);
        // What is idle all the time goes away, down to the least.
        for n in [2, 3] {
            limits.give_back(steps[n]);
        }
        assert_eq!(limits.gets_idle(), Some((0, 50)));
        assert!(take(&mut limits, 4));
        limits.give_back(steps[4]);
        limits.idle_over(0);
        assert_eq!(limits.gets_idle(), None);
        assert!(take(&mut limits, 4) && !take(&mut limits, 5));
    }

    #[test]
    fn more_than_all_is_all() {
        let limits = limits(&[("l", Some(3), None), ("m", None, Some(2))]);
        assert_eq!(limits.shares(&[("l".into(), 9), ("m".into(), 1), ("m".into(), 4)]), [(0, 3), (1, 2)]);
        assert!(limits.shares(&[("unknown".into(), 1)]).is_empty());
    }

    #[test]
    fn shares_of_a_minute_come_back_with_it_not_with_the_step() {
        let mut limits = limits(&[("api", None, Some(1))]);
        let [a, b, _] = places();
        let shares = limits.shares(&[("api".into(), 1)]);
        assert!(limits.take_or_park(A, a, shares.clone()));
        assert_eq!(limits.by_the_minute(A).collect::<Vec<_>>(), shares);
        limits.give_back(A);
        assert!(!limits.take_or_park(B, b, shares.clone()));
        assert_eq!(limits.wake(|_, _| true), None);
        assert!(limits.minute_runs());
        limits.minute_over(shares[0]);
        assert_eq!(limits.wake(|_, _| true), Some((b, B)));
    }
}
