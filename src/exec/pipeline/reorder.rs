//! Chunks that several threads have worked on, back in the order in which they were taken.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::parcel::Parcel;

/// See the module's page.
pub(super) struct Reorder {
    state: Mutex<State>,
    /// The next one has come.
    advanced: Condvar,
    /// So many chunks may wait for one before them.
    ahead: u64,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Chunk>,
    over: bool,
}

struct Chunk {
    parcels: Vec<Parcel>,
    /// Nothing goes on after it: an item in it has failed.
    last: bool,
}

impl Reorder {
    /// For so many threads.
    pub fn new(threads: u32) -> Self {
        Reorder { state: Mutex::default(), advanced: Condvar::new(), ahead: 64 + 4 * u64::from(threads) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk is done. Those whose turn it is go on through `pass_on`, which may block and says whether more may come. Blocks
    /// while too many wait for one before them.
    pub fn done(&self, number: u64, parcels: Vec<Parcel>, last: bool, pass_on: &mut dyn FnMut(Vec<Parcel>) -> bool) {
        let mut state = self.state();
        state.waiting.insert(number, Chunk { parcels, last });
        loop {
            let next = state.next;
            let Some(chunk) = state.waiting.remove(&next).filter(|_| !state.over) else { break };
            state.next += 1;
            state.over = !pass_on(chunk.parcels) || chunk.last;
            self.advanced.notify_all();
        }
        while !state.over && number >= state.next + self.ahead {
            state = self.advanced.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing goes on any more; who waits here goes on.
    pub fn give_up(&self) {
        self.state().over = true;
        self.advanced.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::super::parcel::Of;
    use super::*;
    use crate::lang::item::Item;

    fn chunk(number: u64) -> Vec<Parcel> {
        vec![Parcel { of: Of::One(number), item: Item::whole(0) }]
    }

    #[test]
    fn they_go_on_in_order_up_to_the_last() {
        let reorder = Reorder::new(2);
        let mut seen = Vec::new();
        for (number, last) in [(2, false), (0, false), (1, false), (4, false), (3, true), (5, false)] {
            reorder.done(number, chunk(number), last, &mut |parcels| {
                seen.extend(parcels.iter().map(|parcel| parcel.of.first()));
                true
            });
        }
        assert_eq!(seen, [0, 1, 2, 3]);
    }
}
