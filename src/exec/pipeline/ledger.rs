//! In which order, and when, what reached the end of a pipeline is written down.
//!
//! A file that is cut off where a pipeline goes on must hold, up to there, all that came of some items and nothing of any
//! other. So what came of an item is written together: it is held until the rest of it has come, too. For most items that
//! is nothing at all, one thing comes of each. The children of an item (`flat_map`) wait for each other.
//!
//! Where batches are made of such children, what stands in them may hang together without an end: an item in two batches,
//! another in the second and the third. Then, when too much is held, it is written all the same; after a crash some of it
//! may be there twice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::parcel::Of;
use super::tracker::Tracker;
use crate::event::DeadLetter;
use crate::lang::item::Item;

/// Most items of the source of which something is held.
pub(super) const MOST_HELD: usize = 16_384;

/// What is written down.
#[derive(Debug)]
pub(super) enum Record {
    /// An item for the sink.
    Item(Item),
    /// A dead letter.
    Dead(Box<DeadLetter>),
}

/// What is written down, and what it stands for.
#[derive(Debug)]
pub(super) struct Entry {
    pub of: Of,
    pub record: Record,
}

/// See the module's page.
#[derive(Default)]
pub(super) struct Ledger {
    /// Does the sink's file have to be whole?
    cuts: bool,
    /// What came of one item each, and waits for the others of the same.
    ones: BTreeMap<u64, Vec<Record>>,
    /// What hangs together beyond that, in order.
    mixed: VecDeque<Entry>,
    /// How many of these stand for an item.
    in_mixed: HashMap<u64, u32>,
    /// Items for which something in `mixed` stands, and of which more is to come.
    missing: HashSet<u64>,
    /// How many items `mixed` and `ones` stand for.
    weight: usize,
}

impl Ledger {
    /// `cuts`: see [`super::sink::Sink::cuts`].
    pub fn new(cuts: bool) -> Self {
        Ledger { cuts, ..Ledger::default() }
    }

    /// Something has come. What can be written now comes behind `out`.
    pub fn arrive(&mut self, tracker: &mut Tracker, entry: Entry, out: &mut Vec<Entry>) {
        let is_held = self.cuts || matches!(entry.record, Record::Dead(_));
        if !is_held || matches!(entry.of, Of::One(offset) if tracker.owed(offset) == 1) {
            return out.push(entry);
        }
        entry.of.offsets().iter().for_each(|offset| tracker.hold(*offset));
        self.weight += entry.of.offsets().len();
        match entry.of {
            Of::One(offset) if !self.in_mixed.contains_key(&offset) => {
                self.ones.entry(offset).or_default().push(entry.record);
                self.one_is_whole(tracker, offset, out);
            }
            _ => {
                for offset in entry.of.offsets() {
                    for record in self.ones.remove(offset).unwrap_or_default() {
                        *self.in_mixed.entry(*offset).or_default() += 1;
                        self.mixed.push_back(Entry { of: Of::One(*offset), record });
                    }
                    *self.in_mixed.entry(*offset).or_default() += 1;
                    match tracker.is_whole(*offset) {
                        true => self.missing.remove(offset),
                        false => self.missing.insert(*offset),
                    };
                }
                self.mixed.push_back(entry);
                // What it completes stands before it: all of it can be written, or as little as before.
                if self.missing.is_empty() {
                    self.let_go(tracker, self.mixed.len(), out);
                }
            }
        }
        if self.weight > MOST_HELD {
            self.give_up(tracker, out);
        }
    }

    /// Others have ended, of what came of the same items.
    pub fn settle(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        let mut mixed = false;
        for offset in tracker.take_settled() {
            self.one_is_whole(tracker, offset, out);
            if self.in_mixed.contains_key(&offset) && tracker.is_whole(offset) {
                self.missing.remove(&offset);
                mixed = true;
            }
        }
        if mixed {
            self.mixed_are_whole(tracker, out);
        }
    }

    fn one_is_whole(&mut self, tracker: &mut Tracker, offset: u64, out: &mut Vec<Entry>) {
        if self.in_mixed.contains_key(&offset) || !tracker.is_whole(offset) {
            return;
        }
        let records = self.ones.remove(&offset).unwrap_or_default();
        self.weight -= records.len();
        tracker.let_go(offset);
        // Of what came of it several may have failed: that is one dead letter.
        let mut buried = false;
        for record in records {
            match &record {
                Record::Dead(_) if std::mem::replace(&mut buried, true) => tracker.release(&[offset]),
                _ => out.push(Entry { of: Of::One(offset), record }),
            }
        }
    }

    /// Lets go of the longest beginning of `mixed` which holds all that came of each item in it.
    fn mixed_are_whole(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        let mut missing: HashMap<u64, u32> = HashMap::new();
        let mut whole = 0;
        for (place, entry) in self.mixed.iter().enumerate() {
            for offset in entry.of.offsets() {
                let owed = missing.entry(*offset).or_insert_with(|| tracker.owed(*offset));
                *owed = owed.saturating_sub(1);
                if *owed == 0 {
                    missing.remove(offset);
                }
            }
            if missing.is_empty() {
                whole = place + 1;
            }
        }
        self.let_go(tracker, whole, out);
    }

    fn let_go(&mut self, tracker: &mut Tracker, many: usize, out: &mut Vec<Entry>) {
        for entry in self.mixed.drain(..many) {
            self.weight -= entry.of.offsets().len();
            for offset in entry.of.offsets() {
                tracker.let_go(*offset);
                self.in_mixed.remove(offset);
                self.missing.remove(offset);
            }
            out.push(entry);
        }
    }

    /// Too much is held.
    fn give_up(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        self.let_go(tracker, self.mixed.len(), out);
        for (offset, records) in std::mem::take(&mut self.ones) {
            self.weight -= records.len();
            tracker.let_go(offset);
            out.extend(records.into_iter().map(|record| Entry { of: Of::One(offset), record }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parcel::Parcel;
    use super::super::source::Mark;
    use super::super::tracker::Fate;
    use super::*;
    use crate::event::Reached;

    struct Desk {
        tracker: Tracker,
        ledger: Ledger,
    }

    impl Desk {
        fn new(items: u64) -> Self {
            let mut tracker = Tracker::from(&Reached::default());
            assert!((0..items).all(|offset| tracker.read(offset, Mark::default(), None)));
            Desk { tracker, ledger: Ledger::new(true) }
        }

        /// What is written when this comes, as the items it stands for.
        fn arrive(&mut self, of: Of) -> Vec<Vec<u64>> {
            let mut out = Vec::new();
            let entry = Entry { of, record: Record::Item(Item::whole(0)) };
            self.ledger.arrive(&mut self.tracker, entry, &mut out);
            self.write(out)
        }

        fn settle(&mut self) -> Vec<Vec<u64>> {
            let mut out = Vec::new();
            self.ledger.settle(&mut self.tracker, &mut out);
            self.write(out)
        }

        fn write(&mut self, out: Vec<Entry>) -> Vec<Vec<u64>> {
            out.iter().for_each(|entry| self.tracker.release(entry.of.offsets()));
            out.iter().map(|entry| entry.of.offsets().to_vec()).collect()
        }
    }

    fn many(offsets: &[u64]) -> Of {
        let parts: Vec<Parcel> =
            offsets.iter().map(|offset| Parcel { of: Of::One(*offset), item: Item::whole(0) }).collect();
        Of::join(&parts, &mut Vec::new())
    }

    #[test]
    fn children_wait_for_each_other() {
        let mut desk = Desk::new(3);
        desk.tracker.add(&Of::One(1), 2);
        assert_eq!(desk.arrive(Of::One(0)), [[0]]);
        assert_eq!(desk.arrive(Of::One(1)), [[0u64; 0]; 0]);
        assert_eq!(desk.arrive(Of::One(2)), [[2]]);
        desk.tracker.end(&Of::One(1), Fate::Filtered);
        assert_eq!(desk.settle(), [[0u64; 0]; 0]);
        assert_eq!(desk.arrive(Of::One(1)), [[1], [1]]);
        assert_eq!(desk.tracker.open(), 0);
    }

    #[test]
    fn the_last_of_the_others_may_end_elsewhere() {
        let mut desk = Desk::new(1);
        desk.tracker.add(&Of::One(0), 1);
        assert_eq!(desk.arrive(Of::One(0)), [[0u64; 0]; 0]);
        desk.tracker.end(&Of::One(0), Fate::Skipped);
        assert_eq!(desk.settle(), [[0]]);
    }

    #[test]
    fn batches_that_share_an_item_are_written_together() {
        let mut desk = Desk::new(4);
        // Items 0 to 3; two children of 1 and of 2. Batches [0, 1], [1, 2], [2, 3].
        desk.tracker.add(&Of::One(1), 1);
        desk.tracker.add(&Of::One(2), 1);
        assert!(desk.arrive(many(&[0, 1])).is_empty());
        assert!(desk.arrive(many(&[1, 2])).is_empty());
        assert_eq!(desk.arrive(many(&[2, 3])), [[0, 1], [1, 2], [2, 3]]);
        assert_eq!(desk.tracker.open(), 0);
        assert_eq!(desk.ledger.weight, 0);
    }

    #[test]
    fn what_hangs_together_without_an_end_is_written_when_it_is_too_much() {
        let items = MOST_HELD as u64 + 10;
        let mut desk = Desk::new(items + 1);
        let mut written = 0;
        for item in 0..items {
            desk.tracker.add(&Of::One(item + 1), 1);
            written += desk.arrive(many(&[item, item + 1])).len();
        }
        assert!(written > 0, "it is not held for ever");
        assert!(desk.ledger.weight <= MOST_HELD);
    }
}
