//! Queues between stages: bounded, and what happens when one is full.
//!
//! Items are put in and taken out by the chunk, so that the lock is taken, and a thread is woken, once for many of them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::parcel::Parcel;
use crate::plan::Overflow;

/// See the module's page.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something came, or nothing will come any more.
    came: Condvar,
    /// There is room.
    room: Condvar,
    capacity: usize,
    overflow: Overflow,
    /// Are moments of arrival needed?
    timed: bool,
}

#[derive(Default)]
struct State {
    parcels: VecDeque<Parcel>,
    /// When they came: how many had come in all, and when. Only for batches that do not wait for ever.
    arrivals: VecDeque<(u64, Instant)>,
    /// How many have come, and gone, in all.
    came: u64,
    gone: u64,
    /// Nobody puts anything in any more.
    closed: bool,
    /// Nothing is to go on.
    halted: bool,
    /// Somebody is to look elsewhere.
    nudged: bool,
    /// Threads that wait for something to come.
    takers: u32,
    /// Threads that wait for room.
    putters: u32,
    /// Number of the next chunk that is taken.
    chunk: u64,
}

/// What came of putting something in.
#[derive(Debug)]
pub(super) enum Put {
    /// It is in; these were dropped for it, or are those that were dropped.
    In(Vec<Parcel>),
    /// There is no room, and that is a failure.
    Full(Parcel),
    /// Nothing is to go on.
    Halted,
}

/// What came of taking something out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A chunk, with its number, from 0.
    Chunk(u64),
    /// Look elsewhere.
    Nudged,
    /// Nothing more comes.
    Closed,
    /// Nothing is to go on.
    Halted,
}

impl Queue {
    /// Of so many items at most. `timed`: batches with a timeout are taken out.
    pub fn new(capacity: usize, overflow: Overflow, timed: bool) -> Self {
        let capacity = capacity.max(1);
        Queue { state: Mutex::default(), came: Condvar::new(), room: Condvar::new(), capacity, overflow, timed }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many items are to be put in at once, so that none is dropped only because it came with others.
    pub fn portion(&self) -> usize {
        if self.overflow == Overflow::Block { usize::MAX } else { self.capacity.div_ceil(2) }
    }

    /// Puts these in, all of them, in order; `parcels` is empty afterwards, except when it is halted. Blocks while there is
    /// no room, if that is how it is.
    pub fn put(&self, parcels: &mut Vec<Parcel>) -> Put {
        let mut dropped = Vec::new();
        if parcels.is_empty() {
            return Put::In(dropped);
        }
        let mut state = self.state();
        if state.halted {
            return Put::Halted;
        }
        if self.overflow == Overflow::Block {
            let mut rest = parcels.drain(..);
            loop {
                let room = self.capacity.saturating_sub(state.parcels.len());
                self.add(&mut state, rest.by_ref().take(room));
                if rest.len() == 0 {
                    return Put::In(dropped);
                }
                state.putters += 1;
                // Not for each one that leaves: a quarter has to be free.
                let enough = rest.len().min(self.capacity.div_ceil(4));
                while !state.halted {
                    let free = self.capacity.saturating_sub(state.parcels.len());
                    // Who waits for a whole batch may need just what has room now.
                    if free >= enough || (free > 0 && state.takers > 0) {
                        break;
                    }
                    state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.putters -= 1;
                if state.halted {
                    return Put::Halted;
                }
            }
        }
        let room = self.capacity.saturating_sub(state.parcels.len());
        let more = parcels.len().saturating_sub(room);
        match self.overflow {
            Overflow::Fail if more > 0 => return Put::Full(parcels.swap_remove(room)),
            Overflow::DropNewest => dropped = parcels.split_off(parcels.len() - more),
            Overflow::DropOldest => {
                let old = more.min(state.parcels.len());
                dropped.extend(state.parcels.drain(..old));
                state.gone += old as u64;
                // More came at once than fits.
                dropped.extend(parcels.drain(..more - old));
            }
            Overflow::Fail | Overflow::Block => {}
        }
        self.add(&mut state, parcels.drain(..));
        Put::In(dropped)
    }

    fn add(&self, state: &mut State, parcels: impl Iterator<Item = Parcel>) {
        let before = state.parcels.len();
        state.parcels.extend(parcels);
        let more = state.parcels.len() - before;
        if more == 0 {
            return;
        }
        state.came += more as u64;
        if self.timed {
            let came = state.came;
            state.arrivals.push_back((came, Instant::now()));
        }
        if state.takers > 0 {
            self.came.notify_one();
        }
    }

    /// Takes what is there, at most `most`, and of what is there only a part if `sharers` want some of it. Blocks while
    /// nothing is there. `into` is empty before.
    pub fn take(&self, most: usize, sharers: usize, into: &mut Vec<Parcel>) -> Taken {
        let mut state = self.state();
        loop {
            match self.other(&mut state) {
                Some(other) => return other,
                None if state.parcels.is_empty() => state = self.wait(state, None),
                None => {
                    let part = state.parcels.len().div_ceil(sharers.max(1));
                    return self.hand_out(&mut state, most.min(part), into);
                }
            }
        }
    }

    /// Takes so many items together; fewer if nothing more comes, or the first of them has waited for so long.
    pub fn take_batch(&self, size: usize, timeout: Option<Duration>, into: &mut Vec<Parcel>) -> Taken {
        let mut state = self.state();
        loop {
            if let Some(other) = self.other(&mut state) {
                return other;
            }
            let there = state.parcels.len();
            let until = timeout.zip(state.arrivals.front()).and_then(|(timeout, (_, came))| came.checked_add(timeout));
            let is_late = until.is_some_and(|until| until <= Instant::now());
            if there >= size || (there > 0 && (state.closed || is_late)) {
                return self.hand_out(&mut state, size, into);
            }
            state = self.wait(state, until.filter(|_| there > 0));
        }
    }

    fn other(&self, state: &mut State) -> Option<Taken> {
        match state.halted {
            true => Some(Taken::Halted),
            false if std::mem::take(&mut state.nudged) => Some(Taken::Nudged),
            false => (state.parcels.is_empty() && state.closed).then_some(Taken::Closed),
        }
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        state.takers += 1;
        if state.putters > 0 && state.parcels.len() < self.capacity {
            self.room.notify_all();
        }
        let mut state = match until {
            None => self.came.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let time = until.saturating_duration_since(Instant::now());
                self.came.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.takers -= 1;
        state
    }

    fn hand_out(&self, state: &mut State, most: usize, into: &mut Vec<Parcel>) -> Taken {
        let many = most.max(1).min(state.parcels.len());
        into.extend(state.parcels.drain(..many));
        state.gone += many as u64;
        while state.arrivals.front().is_some_and(|(upto, _)| *upto <= state.gone) {
            state.arrivals.pop_front();
        }
        if state.putters > 0 {
            self.room.notify_all();
        }
        if state.takers > 0 && !state.parcels.is_empty() {
            self.came.notify_one();
        }
        state.chunk += 1;
        Taken::Chunk(state.chunk - 1)
    }

    /// How many items wait.
    pub fn waiting(&self) -> usize {
        self.state().parcels.len()
    }

    /// Nothing more is put in.
    pub fn close(&self) {
        self.state().closed = true;
        self.came.notify_all();
    }

    /// Nothing is put in or taken out any more.
    pub fn halt(&self) {
        self.state().halted = true;
        self.came.notify_all();
        self.room.notify_all();
    }

    /// Whoever waits for something to come is to look elsewhere, once.
    pub fn nudge(&self) {
        self.state().nudged = true;
        self.came.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::parcel::Of;
    use super::*;
    use crate::lang::item::Item;

    fn parcels(offsets: std::ops::Range<u64>) -> Vec<Parcel> {
        offsets.map(|n| Parcel { of: Of::One(n), item: Item::whole(n as i64) }).collect()
    }

    fn offsets(parcels: &[Parcel]) -> Vec<u64> {
        parcels.iter().map(|parcel| parcel.of.first()).collect()
    }

    fn dropped(put: Put) -> Vec<u64> {
        match put {
            Put::In(dropped) => offsets(&dropped),
            other => panic!("{other:?}"),
        }
    }

    fn rest(queue: &Queue) -> Vec<u64> {
        let mut into = Vec::new();
        queue.close();
        queue.take(usize::MAX, 1, &mut into);
        offsets(&into)
    }

    #[test]
    fn the_oldest_or_the_newest_are_dropped() {
        let queue = Queue::new(4, Overflow::DropOldest, false);
        assert!(dropped(queue.put(&mut parcels(0..3))).is_empty());
        assert_eq!(dropped(queue.put(&mut parcels(3..6))), [0, 1]);
        assert_eq!(dropped(queue.put(&mut parcels(6..12))), [2, 3, 4, 5, 6, 7]);
        assert_eq!(rest(&queue), [8, 9, 10, 11]);

        let queue = Queue::new(4, Overflow::DropNewest, false);
        assert!(dropped(queue.put(&mut parcels(0..3))).is_empty());
        assert_eq!(dropped(queue.put(&mut parcels(3..6))), [4, 5]);
        assert_eq!(dropped(queue.put(&mut parcels(6..7))), [6]);
        assert_eq!(rest(&queue), [0, 1, 2, 3]);
    }

    #[test]
    fn two_who_put_and_one_who_wants_a_batch_do_not_wait_for_each_other() {
        for _ in 0..200 {
            let queue = Queue::new(16, Overflow::Block, false);
            thread::scope(|scope| {
                let puts = [0..330, 330..700].map(|all: std::ops::Range<u64>| {
                    let queue = &queue;
                    scope.spawn(move || {
                        all.clone().step_by(11).for_each(|n| drop(queue.put(&mut parcels(n..(n + 11).min(all.end)))));
                    })
                });
                let mut taken = 0;
                while taken + 13 < 700 {
                    let mut into = Vec::new();
                    queue.take_batch(14, None, &mut into);
                    taken += into.len();
                }
                puts.into_iter().for_each(|put| put.join().expect("it puts all"));
            });
        }
    }

    #[test]
    fn being_full_can_be_a_failure() {
        let queue = Queue::new(4, Overflow::Fail, false);
        assert!(dropped(queue.put(&mut parcels(0..4))).is_empty());
        let full = queue.put(&mut parcels(4..6));
        assert!(matches!(full, Put::Full(parcel) if parcel.of.first() == 4));
    }

    #[test]
    fn who_puts_in_waits_for_room_and_nothing_is_lost() {
        let queue = Queue::new(8, Overflow::Block, false);
        let mut seen = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..100 {
                    queue.put(&mut parcels(n * 10..n * 10 + 10));
                }
                queue.close();
            });
            let mut into = Vec::new();
            while queue.take(3, 1, &mut into) != Taken::Closed {
                assert!(queue.waiting() <= 8);
                seen.extend(offsets(&into));
                into.clear();
            }
        });
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_waits_for_its_size_its_time_or_the_end() {
        let queue = Queue::new(100, Overflow::Block, true);
        let mut batch = Vec::new();
        queue.put(&mut parcels(0..5));
        assert_eq!(queue.take_batch(4, None, &mut batch), Taken::Chunk(0));
        assert_eq!(offsets(&batch), [0, 1, 2, 3]);
        let begun = Instant::now();
        batch.clear();
        assert_eq!(queue.take_batch(4, Some(Duration::from_millis(30)), &mut batch), Taken::Chunk(1));
        assert_eq!(offsets(&batch), [4]);
        assert!(begun.elapsed() < Duration::from_secs(5));
        queue.put(&mut parcels(5..7));
        queue.close();
        batch.clear();
        assert_eq!(queue.take_batch(4, None, &mut batch), Taken::Chunk(2));
        assert_eq!(offsets(&batch), [5, 6]);
        assert_eq!(queue.take_batch(4, None, &mut batch), Taken::Closed);
    }

    #[test]
    fn who_waits_is_woken_by_a_halt_and_by_a_nudge() {
        let queue = Queue::new(1, Overflow::Block, false);
        queue.nudge();
        assert_eq!(queue.take(1, 1, &mut Vec::new()), Taken::Nudged);
        thread::scope(|scope| {
            let full = scope.spawn(|| queue.put(&mut parcels(0..2)));
            while queue.waiting() == 0 {
                thread::yield_now();
            }
            queue.halt();
            assert!(matches!(full.join().expect("no panic"), Put::Halted));
        });
        assert_eq!(queue.take(1, 1, &mut Vec::new()), Taken::Halted);
    }
}
