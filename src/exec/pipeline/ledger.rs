//! In which order, and when, what reached the end of a pipeline is written down.
//!
//! A file that is cut off where a pipeline goes on must hold, up to there, all that came of some items and nothing of any
//! other. So what came of an item is written together: it is held until the rest of it has come, too. For most items that
//! is nothing at all, one thing comes of each. The children of an item (`flat_map`) wait for each other.
//!
//! Where batches are made of such children, what stands in them may hang together without an end: an item in two batches,
//! another in the second and the third. Then, when too much is held, it is written all the same; after a crash some of it
//! may be there twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::parcel::{Of, Several};
use super::tracker::Tracker;
use crate::event::DeadLetter;
use crate::lang::item::Item;

/// Most items of the source which may hang together.
const MOST_TOGETHER: usize = 32_768;

/// Most records that are held.
const MOST_HELD: usize = 262_144;

/// What is written down.
#[derive(Debug)]
pub(super) enum Record {
    /// An item for the sink.
    Item(Item),
    /// Dead letters.
    Dead(Vec<DeadLetter>),
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
    ones: BTreeMap<u64, Vec<Entry>>,
    /// What came of one batch each, likewise.
    batches: HashMap<usize, Vec<Entry>>,
    /// What hangs together beyond that.
    mixed: Vec<Entry>,
    /// The items and batches that hang together by it.
    items: HashSet<u64>,
    several: HashMap<usize, Arc<Several>>,
    /// Those of them of which more is to come.
    missing: HashSet<Node>,
    /// Number of records that are held.
    held: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Item(u64),
    Batch(usize),
}

/// A batch is known by its place in memory as long as something of it is held.
fn id(several: &Arc<Several>) -> usize {
    Arc::as_ptr(several) as usize
}

impl Ledger {
    /// `cuts`: see [`super::sink::Sink::cuts`].
    pub fn new(cuts: bool) -> Self {
        Ledger { cuts, ..Ledger::default() }
    }

    /// Something has come. What can be written now comes behind `out`.
    pub fn arrive(&mut self, tracker: &mut Tracker, entry: Entry, out: &mut Vec<Entry>) {
        if !self.cuts && matches!(entry.record, Record::Item(_)) {
            return out.push(entry);
        }
        match entry.of.clone() {
            Of::One(offset) if self.items.contains(&offset) => self.mix(tracker, entry, out),
            Of::One(offset) if tracker.owed(offset) == 1 => return out.push(entry),
            Of::One(offset) => {
                tracker.hold(offset);
                self.held += 1;
                self.ones.entry(offset).or_default().push(entry);
                self.one_is_whole(tracker, offset, out);
            }
            Of::Many(several) | Of::Likely(several, _) => match self.several.contains_key(&id(&several)) {
                true => self.mix(tracker, entry, out),
                false => {
                    several.hold();
                    self.held += 1;
                    self.batches.entry(id(&several)).or_default().push(entry);
                    self.batch_is_whole(tracker, &several, out);
                }
            },
        }
        if self.items.len() > MOST_TOGETHER || self.held > MOST_HELD {
            self.give_up(tracker, out);
        }
    }

    /// Others have ended, of what came of the same items.
    pub fn settle(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        let settled = tracker.take_settled();
        if settled.is_empty() {
            return;
        }
        for of in settled {
            match of {
                Of::One(offset) if self.items.contains(&offset) => {
                    if tracker.is_whole(offset) {
                        self.missing.remove(&Node::Item(offset));
                    }
                }
                Of::One(offset) => self.one_is_whole(tracker, offset, out),
                Of::Many(several) | Of::Likely(several, _) => match self.several.contains_key(&id(&several)) {
                    true => self.look_at_batch(tracker, &several),
                    false => self.batch_is_whole(tracker, &several, out),
                },
            }
        }
        self.mixed_are_whole(tracker, out);
    }

    fn one_is_whole(&mut self, tracker: &mut Tracker, offset: u64, out: &mut Vec<Entry>) {
        if tracker.is_whole(offset)
            && let Some(entries) = self.ones.remove(&offset)
        {
            tracker.let_go(offset);
            self.write(entries, out);
        }
    }

    fn batch_is_whole(&mut self, tracker: &mut Tracker, several: &Arc<Several>, out: &mut Vec<Entry>) {
        if !several.is_whole() {
            return;
        }
        let Some(entries) = self.batches.remove(&id(several)) else { return };
        if is_alone(tracker, several) {
            several.let_go();
            return self.write(entries, out);
        }
        self.mixed.extend(entries);
        self.several.insert(id(several), several.clone());
        self.missing.insert(Node::Batch(id(several)));
        self.look_at_batch(tracker, several);
        self.mixed_are_whole(tracker, out);
    }

    fn mix(&mut self, tracker: &mut Tracker, entry: Entry, out: &mut Vec<Entry>) {
        let of = entry.of.clone();
        self.held += 1;
        self.mixed.push(entry);
        self.tie(tracker, &of);
        self.mixed_are_whole(tracker, out);
    }

    /// Something that is mixed stands for this, which hangs together with it from now on.
    fn tie(&mut self, tracker: &mut Tracker, of: &Of) {
        match of {
            Of::One(offset) => {
                tracker.hold(*offset);
                self.mixed.extend(self.ones.remove(offset).unwrap_or_default());
                self.items.insert(*offset);
                match tracker.is_whole(*offset) {
                    true => self.missing.remove(&Node::Item(*offset)),
                    false => self.missing.insert(Node::Item(*offset)),
                };
            }
            Of::Many(several) | Of::Likely(several, _) => {
                several.hold();
                self.mixed.extend(self.batches.remove(&id(several)).unwrap_or_default());
                if self.several.insert(id(several), several.clone()).is_none() {
                    self.missing.insert(Node::Batch(id(several)));
                }
                self.look_at_batch(tracker, several);
            }
        }
    }

    /// Is all of a batch there that is mixed? Then it stands for what it was made of.
    fn look_at_batch(&mut self, tracker: &mut Tracker, several: &Arc<Several>) {
        if several.is_whole() && self.missing.remove(&Node::Batch(id(several))) {
            several.parents.iter().for_each(|parent| self.tie(tracker, parent));
        }
    }

    fn mixed_are_whole(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        if self.missing.is_empty() && !self.mixed.is_empty() {
            self.let_go_of_mixed(tracker, out);
        }
    }

    fn let_go_of_mixed(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        self.items.drain().for_each(|offset| tracker.let_go(offset));
        self.several.drain().for_each(|(_, several)| several.let_go());
        self.missing.clear();
        let entries = std::mem::take(&mut self.mixed);
        self.write(entries, out);
    }

    /// Too much is held.
    fn give_up(&mut self, tracker: &mut Tracker, out: &mut Vec<Entry>) {
        self.let_go_of_mixed(tracker, out);
        for (offset, entries) in std::mem::take(&mut self.ones) {
            tracker.let_go(offset);
            self.write(entries, out);
        }
        for (_, entries) in std::mem::take(&mut self.batches) {
            for entry in &entries {
                if let Of::Many(several) | Of::Likely(several, _) = &entry.of {
                    several.let_go();
                }
            }
            self.write(entries, out);
        }
    }

    /// Hands out what was held. Of what came of an item several may have failed: that is one dead letter.
    fn write(&mut self, mut entries: Vec<Entry>, out: &mut Vec<Entry>) {
        self.held -= entries.len();
        let mut buried = HashSet::new();
        for entry in &mut entries {
            if let Record::Dead(letters) = &mut entry.record {
                letters.retain(|letter| buried.insert(letter.offset));
            }
        }
        out.append(&mut entries);
    }
}

/// Did nothing else come of what a batch was made of?
fn is_alone(tracker: &Tracker, several: &Several) -> bool {
    let mut batches: HashMap<usize, (&Arc<Several>, u32)> = HashMap::new();
    for parent in &several.parents {
        match parent {
            Of::One(offset) if tracker.owed(*offset) != 1 => return false,
            Of::One(_) => {}
            Of::Many(parent) | Of::Likely(parent, _) => batches.entry(id(parent)).or_insert((parent, 0)).1 += 1,
        }
    }
    batches.values().all(|(parent, many)| parent.left() == *many && is_alone(tracker, parent))
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
            out.iter().for_each(|entry| self.tracker.release(&entry.of));
            out.iter().map(|entry| entry.of.blamed().to_vec()).collect()
        }
    }

    fn many(offsets: &[u64]) -> Of {
        let parcel = |offset: &u64| Parcel { of: Of::One(*offset), item: Item::whole(0) };
        Of::join(&offsets.iter().map(parcel).collect::<Vec<_>>())
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
        assert_eq!(desk.ledger.held, 0);
    }

    #[test]
    fn what_came_of_a_batch_is_written_together() {
        let mut desk = Desk::new(3);
        let batch = many(&[0, 1, 2]);
        desk.tracker.add(&batch, 2);
        let parts: Vec<Of> = batch.parts(3).collect();
        assert!(desk.arrive(parts[1].clone()).is_empty());
        assert!(desk.arrive(parts[0].clone()).is_empty());
        desk.tracker.end(&parts[2], Fate::Filtered);
        assert_eq!(desk.settle(), [[1], [0]]);
        assert_eq!((desk.tracker.open(), desk.ledger.held), (0, 0));
    }

    #[test]
    fn batches_of_parts_of_a_batch_are_written_together() {
        let mut desk = Desk::new(3);
        let batch = many(&[0, 1, 2]);
        desk.tracker.add(&batch, 2);
        let parts: Vec<Of> = batch.parts(3).collect();
        let parcel = |of: &Of| Parcel { of: of.clone(), item: Item::whole(0) };
        let first = Of::join(&[parcel(&parts[0]), parcel(&parts[1])]);
        assert!(desk.arrive(first).is_empty());
        assert_eq!(desk.arrive(parts[2].clone()).len(), 2);
        assert_eq!((desk.tracker.open(), desk.ledger.held), (0, 0));
    }

    #[test]
    fn what_hangs_together_without_an_end_is_written_when_it_is_too_much() {
        let items = MOST_TOGETHER as u64 + 10;
        let mut desk = Desk::new(items + 1);
        let mut written = 0;
        for item in 0..items {
            desk.tracker.add(&Of::One(item + 1), 1);
            written += desk.arrive(many(&[item, item + 1])).len();
        }
        assert!(written > 0, "it is not held for ever");
        assert!(desk.ledger.items.len() <= MOST_TOGETHER);
    }
}
