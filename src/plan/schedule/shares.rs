//! Who holds shares of the named limits, and who waits for them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use super::{Rank, Waits};
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Limit, Plan, StepId};

const MINUTE: u64 = 60_000;

/// All named limits of a plan.
pub(super) struct Shares {
    limits: Vec<Share>,
    /// What each step with limits asks for: a limit's index, and how many shares.
    wanted: HashMap<StepId, Vec<(usize, u32)>>,
    /// Since when a step waits, and for which limit it had to wait first.
    parked_at: HashMap<StepId, (u64, usize)>,
}

struct Share {
    name: String,
    limit: Limit,
    held: u64,
    /// Shares taken within the last minute, with the time, and their sum.
    taken: VecDeque<(u64, u32)>,
    recent: u64,
    parked: BinaryHeap<Reverse<(Rank, StepId)>>,
    /// Is something set to happen when the minute is over?
    armed: bool,
    waits: Waits,
}

impl Shares {
    /// Nothing is held yet. What is in a group need not take again what the group holds.
    pub fn of(plan: &Plan, tree: &Hierarchy) -> Self {
        let share = |(name, limit): (&smol_str::SmolStr, &Limit)| Share {
            name: name.to_string(),
            limit: *limit,
            held: 0,
            taken: VecDeque::new(),
            recent: 0,
            parked: BinaryHeap::new(),
            armed: false,
            waits: Waits::default(),
        };
        let limits: Vec<Share> = plan.header.limits.iter().map(share).collect();
        let index: HashMap<&str, usize> = plan.header.limits.keys().enumerate().map(|(n, name)| (&**name, n)).collect();
        let mut wanted: HashMap<StepId, Vec<(usize, u32)>> = HashMap::new();
        // Which limits are held by the groups around the step at hand.
        let mut held = vec![false; limits.len()];
        let mut open: Vec<StepId> = Vec::new();
        for id in tree.preorder() {
            while let Some(group) = open.pop_if(|group| !tree.contains(*group, *id)) {
                wanted[&group].iter().for_each(|(limit, _)| held[*limit] = false);
            }
            let mut asked = Vec::new();
            for (name, shares) in &plan.step(*id).policy().limits {
                if let Some(limit) = index.get(name.as_str()).filter(|limit| !held[**limit]) {
                    asked.push((*limit, *shares));
                }
            }
            if asked.is_empty() {
                continue;
            }
            // A stream takes all that its members ask for, or nothing.
            if let Some(group) = plan.stream_of(*id) {
                let of_group = wanted.entry(group).or_default();
                for (limit, shares) in asked {
                    match of_group.iter_mut().find(|(known, _)| *known == limit) {
                        Some((_, sum)) => *sum += shares,
                        None => of_group.push((limit, shares)),
                    }
                }
                continue;
            }
            if !tree.children(*id).is_empty() {
                asked.iter().for_each(|(limit, _)| held[*limit] = true);
                open.push(*id);
            }
            wanted.insert(*id, asked);
        }
        Shares { limits, wanted, parked_at: HashMap::new() }
    }

    /// Does a step ask for any shares?
    pub fn wants(&self, id: StepId) -> bool {
        self.wanted.contains_key(&id)
    }

    /// Gives a step its shares, or parks it at the first limit that cannot give them. If a share of that limit comes
    /// back after a minute, the error says when, once.
    pub fn take(&mut self, now: u64, rank: Rank, id: StepId) -> Result<(), Option<(u64, usize)>> {
        let Some(wanted) = self.wanted.get(&id) else { return Ok(()) };
        for (limit, shares) in wanted {
            let share = &mut self.limits[*limit];
            share.forget(now);
            let exhausted = share.is_exhausted(*shares);
            if exhausted || share.is_busy(*shares) {
                share.parked.push(Reverse((rank, id)));
                self.parked_at.entry(id).or_insert((now, *limit));
                let arm = exhausted && !std::mem::replace(&mut share.armed, true);
                let back = share.taken.front().map_or(now, |(at, _)| at.saturating_add(MINUTE));
                return Err(arm.then_some((back, *limit)));
            }
        }
        for (limit, shares) in wanted {
            let share = &mut self.limits[*limit];
            share.held += u64::from(*shares);
            if share.limit.per_minute.is_some() {
                share.taken.push_back((now, *shares));
                share.recent += u64::from(*shares);
            }
        }
        if let Some((since, limit)) = self.parked_at.remove(&id) {
            let waits = &mut self.limits[limit].waits;
            waits.steps += 1;
            waits.ms = waits.ms.saturating_add(now - since);
        }
        Ok(())
    }

    /// Takes back a step's shares of everything that is held. Returns the limits that have more room now.
    pub fn give_back(&mut self, id: StepId) -> Vec<usize> {
        let Some(wanted) = self.wanted.get(&id) else { return Vec::new() };
        for (limit, shares) in wanted {
            self.limits[*limit].held -= u64::from(*shares);
        }
        wanted.iter().map(|(limit, _)| *limit).collect()
    }

    /// A minute is over. Returns whether somebody waits for that.
    pub fn minute_over(&mut self, limit: usize) -> bool {
        self.limits[limit].armed = false;
        !self.limits[limit].parked.is_empty()
    }

    /// Those who wait at a limit, as many as it may have room for now, in their order.
    pub fn wake(&mut self, now: u64, limit: usize) -> Vec<(Rank, StepId)> {
        let share = &mut self.limits[limit];
        share.forget(now);
        let mut room = share.limit.max.map_or(u64::MAX, |max| u64::from(max).saturating_sub(share.held));
        if let Some(rate) = share.limit.per_minute {
            // At least one: if it has to wait again, it sets the next alarm.
            room = room.min(u64::from(rate).saturating_sub(share.recent).max(1));
        }
        let mut woken = Vec::new();
        while (woken.len() as u64) < room
            && let Some(Reverse(first)) = share.parked.pop()
        {
            woken.push(first);
        }
        woken
    }

    /// What was waited for, by name.
    pub fn waits(&self) -> BTreeMap<String, Waits> {
        let waited = self.limits.iter().filter(|share| share.waits.steps > 0);
        waited.map(|share| (share.name.clone(), share.waits)).collect()
    }
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

    /// Are too many shares held? Who asks for more than there is asks for all.
    fn is_busy(&self, shares: u32) -> bool {
        self.limit.max.is_some_and(|max| self.held > 0 && self.held + u64::from(shares.min(max)) > u64::from(max))
    }

    /// Have too many shares been taken within the last minute?
    fn is_exhausted(&self, shares: u32) -> bool {
        let rate = self.limit.per_minute;
        rate.is_some_and(|rate| self.recent > 0 && self.recent + u64::from(shares.min(rate)) > u64::from(rate))
    }
}
