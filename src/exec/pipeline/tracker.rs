//! What became of each item of the source: which are acknowledged, and where the source has to go on.
//!
//! An item is read, becomes others, and each of these comes to an end: it reached the sink, was filtered out, skipped,
//! dropped or became a dead letter. For each item that is not acknowledged, the tracker counts how many such ends it is
//! still owed. With the last one it is acknowledged.
//!
//! Items stand in blocks of 256, and a block is let go when all of it is acknowledged: the memory needed is in proportion
//! to the items on their way, not to those between the first and the last of them.

use std::collections::{HashMap, VecDeque};

use super::parcel::Of;
use super::source::Mark;
use crate::event::{Counts, Reached};
use crate::lang::item::Item;
use crate::plan::Json;

const BLOCK: u64 = 256;

/// See the module's page.
#[derive(Default)]
pub(super) struct Tracker {
    /// Offsets of the first block begin here: a multiple of `BLOCK`.
    begin: u64,
    /// Nothing: all of it is acknowledged.
    blocks: VecDeque<Option<Box<Block>>>,
    /// The first offset that was not read.
    next: u64,
    /// Where that begins.
    after: Mark,
    /// Items that are not acknowledged.
    open: u64,
    /// Acknowledged before the pipeline went on, and behind where it did.
    passed: VecDeque<(u64, u64)>,
    /// Ends of an item that wait for its others, by offset. See `ledger`.
    held: HashMap<u64, u32>,
    /// Held ones which are waited for no longer.
    settled: Vec<Of>,
    /// What became of items, over all attempts.
    pub counts: Counts,
    /// See [`Reached::written`].
    pub written: u64,
    /// See [`Reached::dead_bytes`].
    pub dead_bytes: u64,
    /// Has anything changed since it was asked?
    changed: bool,
}

struct Block {
    /// How many are not acknowledged.
    open: u32,
    /// How many ends each is still owed. 0: it is acknowledged, or not read.
    owed: [u32; BLOCK as usize],
    marks: [Mark; BLOCK as usize],
    /// As they came from the source, for dead letters.
    origins: Vec<Option<Item>>,
}

/// How something ended that came of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A closure did not let it pass, or gave nothing.
    Filtered,
    /// It failed, and was left out.
    Skipped,
    /// A buffer was full.
    Dropped,
}

impl Tracker {
    /// Goes on from here.
    pub fn from(reached: &Reached) -> Self {
        let upto = reached.upto;
        Tracker {
            begin: upto - upto % BLOCK,
            next: upto,
            after: mark_of(&reached.place),
            passed: reached.beyond.iter().copied().filter(|(first, end)| *first >= upto && first < end).collect(),
            counts: reached.counts,
            written: reached.written,
            dead_bytes: reached.dead_bytes,
            ..Tracker::default()
        }
    }

    /// How many items are on their way.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// The first offset that was not read yet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// An item was read. `origin`: kept for a dead letter. Says whether it is to be processed; it is not if it was
    /// acknowledged before.
    pub fn read(&mut self, offset: u64, mark: Mark, origin: Option<Item>) -> bool {
        debug_assert_eq!(offset, self.next, "sources count");
        self.next = offset + 1;
        while self.passed.front().is_some_and(|(_, end)| *end <= offset) {
            self.passed.pop_front();
        }
        let place = (offset / BLOCK - self.begin / BLOCK) as usize;
        while self.blocks.len() <= place {
            self.blocks.push_back(None);
        }
        if self.passed.front().is_some_and(|(first, _)| *first <= offset) {
            return false;
        }
        let block = self.blocks[place].get_or_insert_with(|| {
            Box::new(Block {
                open: 0,
                owed: [0; BLOCK as usize],
                marks: [Mark::default(); BLOCK as usize],
                origins: Vec::new(),
            })
        });
        let at = (offset % BLOCK) as usize;
        block.open += 1;
        block.owed[at] = 1;
        block.marks[at] = mark;
        if let Some(origin) = origin {
            block.origins.resize_with(BLOCK as usize, || None);
            block.origins[at] = Some(origin);
        }
        self.open += 1;
        true
    }

    /// The source goes on here.
    pub fn read_upto(&mut self, after: Mark) {
        self.after = after;
    }

    fn block(&self, offset: u64) -> Option<&Block> {
        let place = (offset / BLOCK).checked_sub(self.begin / BLOCK)?;
        self.blocks.get(place as usize)?.as_deref()
    }

    fn block_mut(&mut self, offset: u64) -> Option<&mut Block> {
        let place = (offset / BLOCK).checked_sub(self.begin / BLOCK)?;
        self.blocks.get_mut(place as usize)?.as_deref_mut()
    }

    /// How many ends an item is still owed.
    pub fn owed(&self, offset: u64) -> u32 {
        self.block(offset).map_or(0, |block| block.owed[(offset % BLOCK) as usize])
    }

    /// Where an item begins. Known as long as it is not acknowledged.
    pub fn mark(&self, offset: u64) -> Mark {
        self.block(offset).map_or_else(Mark::default, |block| block.marks[(offset % BLOCK) as usize])
    }

    /// An item as it came from the source, if it was kept.
    pub fn origin(&self, offset: u64) -> Option<&Item> {
        self.block(offset)?.origins.get((offset % BLOCK) as usize)?.as_ref()
    }

    /// So many more came of it than one.
    pub fn add(&mut self, of: &Of, more: u32) {
        match of {
            Of::One(offset) => {
                if let Some(block) = self.block_mut(*offset) {
                    block.owed[(offset % BLOCK) as usize] += more;
                }
            }
            Of::Many(several) | Of::Likely(several, _) => several.add(more),
        }
    }

    /// Something that came of these ended before the sink.
    pub fn end(&mut self, of: &Of, fate: Fate) {
        let many = of.blamed().len() as u64;
        match fate {
            Fate::Filtered => {}
            Fate::Skipped => self.counts.skipped += many,
            Fate::Dropped => self.counts.dropped += many,
        }
        self.release(of);
    }

    /// Something that came of these is at its end, and that is written down.
    pub fn release(&mut self, of: &Of) {
        self.changed = true;
        match of {
            Of::One(offset) => self.release_one(*offset),
            Of::Many(several) | Of::Likely(several, _) => {
                if several.end() == 0 {
                    several.parents.iter().for_each(|parent| self.release(parent));
                } else if several.is_whole() {
                    self.settled.push(of.clone());
                }
            }
        }
    }

    fn release_one(&mut self, offset: u64) {
        let Some(block) = self.block_mut(offset) else { return };
        let at = (offset % BLOCK) as usize;
        debug_assert!(block.owed[at] > 0, "item {offset} has ended already");
        block.owed[at] = block.owed[at].saturating_sub(1);
        match block.owed[at] {
            0 => self.acknowledged(offset),
            owed => {
                if self.held.get(&offset) == Some(&owed) {
                    self.settled.push(Of::One(offset));
                }
            }
        }
    }

    fn acknowledged(&mut self, offset: u64) {
        self.open -= 1;
        self.counts.items += 1;
        let place = (offset / BLOCK - self.begin / BLOCK) as usize;
        let Some(block) = self.blocks.get_mut(place).and_then(Option::as_mut) else { return };
        block.open -= 1;
        if let Some(origin) = block.origins.get_mut((offset % BLOCK) as usize) {
            *origin = None;
        }
        // The last block may still be read into.
        if block.open > 0 || self.next / BLOCK <= offset / BLOCK {
            return;
        }
        self.blocks[place] = None;
        while self.blocks.len() > 1 && self.blocks.front().is_some_and(|block| block.is_none()) {
            self.blocks.pop_front();
            self.begin += BLOCK;
        }
    }

    /// An end of an item waits for its others.
    pub fn hold(&mut self, offset: u64) {
        *self.held.entry(offset).or_default() += 1;
    }

    /// Have all that came of an item come to where they wait for each other?
    pub fn is_whole(&self, offset: u64) -> bool {
        self.held.get(&offset).is_some_and(|held| *held == self.owed(offset))
    }

    /// None of them waits any more.
    pub fn let_go(&mut self, offset: u64) {
        self.held.remove(&offset);
    }

    /// Those for which nothing more is to be waited for, since it was asked.
    pub fn take_settled(&mut self) -> Vec<Of> {
        std::mem::take(&mut self.settled)
    }

    /// Does anything wait to be taken?
    pub fn has_settled(&self) -> bool {
        !self.settled.is_empty()
    }

    /// Has anything changed since this was asked?
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What is acknowledged now.
    pub fn reached(&self) -> Reached {
        let mut upto = None;
        let mut mark = self.after;
        let mut beyond: Vec<(u64, u64)> = Vec::new();
        // The end of the last item that is not acknowledged: what follows up to the next such one is.
        let mut end = self.begin;
        let mut offset = self.begin;
        for block in &self.blocks {
            if let Some(block) = block.as_deref().filter(|block| block.open > 0) {
                for (at, owed) in block.owed.iter().enumerate().filter(|(_, owed)| **owed > 0) {
                    let here = offset + at as u64;
                    debug_assert!(*owed > 0);
                    match upto {
                        None => {
                            upto = Some(here);
                            mark = block.marks[at];
                        }
                        Some(_) if end < here => beyond.push((end, here)),
                        Some(_) => {}
                    }
                    end = here + 1;
                }
            }
            offset += BLOCK;
        }
        // What was acknowledged before this attempt and was not read again stays so.
        if upto.is_some() && end < self.next {
            beyond.push((end, self.next));
        }
        for (first, end) in &self.passed {
            let first = (*first).max(self.next);
            match beyond.last_mut() {
                _ if first >= *end => {}
                Some(last) if last.1 == first => last.1 = *end,
                _ => beyond.push((first, *end)),
            }
        }
        Reached {
            upto: upto.unwrap_or(self.next),
            beyond,
            place: Json::from(vec![mark.from, mark.place]),
            written: self.written,
            dead_bytes: self.dead_bytes,
            counts: self.counts,
        }
    }
}

/// The place of a source, as it stands in [`Reached::place`].
pub(super) fn mark_of(place: &Json) -> Mark {
    let number = |at: usize| place.get(at).and_then(Json::as_u64).unwrap_or(0);
    Mark { from: number(0), place: number(1) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn mark(offset: u64) -> Mark {
        Mark { from: 10 * offset, place: offset + 1 }
    }

    fn read(tracker: &mut Tracker, upto: u64) -> Vec<u64> {
        let read = (tracker.next()..upto).filter(|offset| tracker.read(*offset, mark(*offset), None)).collect();
        tracker.read_upto(mark(upto));
        read
    }

    #[test]
    fn an_item_is_acknowledged_with_the_last_that_came_of_it() {
        let mut tracker = Tracker::from(&Reached::default());
        read(&mut tracker, 3);
        tracker.add(&Of::One(0), 2);
        tracker.end(&Of::One(0), Fate::Filtered);
        tracker.release(&Of::One(2));
        tracker.end(&Of::One(0), Fate::Skipped);
        let reached = tracker.reached();
        assert_eq!((reached.upto, reached.beyond.as_slice()), (0, &[(2, 3)][..]));
        assert_eq!(reached.place, serde_json::json!([0, 1]));
        tracker.release(&Of::One(0));
        tracker.end(&Of::One(1), Fate::Dropped);
        let reached = tracker.reached();
        assert_eq!((reached.upto, reached.beyond.len()), (3, 0));
        assert_eq!(reached.place, serde_json::json!([30, 4]));
        assert_eq!(reached.counts, Counts { items: 3, skipped: 1, dropped: 1, ..Counts::default() });
    }

    #[test]
    fn what_waits_for_others_is_settled_by_the_last_of_them() {
        let mut tracker = Tracker::from(&Reached::default());
        read(&mut tracker, 1);
        tracker.add(&Of::One(0), 1);
        tracker.hold(0);
        assert!(!tracker.is_whole(0));
        tracker.end(&Of::One(0), Fate::Filtered);
        assert!(matches!(tracker.take_settled()[..], [Of::One(0)]));
        assert!(tracker.is_whole(0));
    }

    proptest! {
        /// Whatever is acknowledged in whatever order, over whatever interruptions: what is told is what is done, and what
        /// is read again is exactly the rest.
        #[test]
        fn what_is_told_is_what_is_done(rounds in prop::collection::vec((0u64..900, prop::collection::vec(any::<prop::sample::Index>(), 0..400)), 1..5)) {
            let mut done: BTreeSet<u64> = BTreeSet::new();
            let mut reached = Reached::default();
            for (more, order) in rounds {
                let mut tracker = Tracker::from(&reached);
                let end = tracker.next() + more;
                let expected: Vec<u64> = (tracker.next()..end).filter(|offset| !done.contains(offset)).collect();
                let mut open = read(&mut tracker, end);
                prop_assert_eq!(&open, &expected);
                for index in order {
                    if open.is_empty() { break }
                    let offset = open.swap_remove(index.index(open.len()));
                    tracker.release(&Of::One(offset));
                    done.insert(offset);
                }
                prop_assert_eq!(tracker.open() as usize, open.len());
                reached = tracker.reached();
                let mut told: BTreeSet<u64> = (0..reached.upto).collect();
                for (first, end) in &reached.beyond {
                    prop_assert!(first < end && *first >= reached.upto);
                    told.extend(*first..*end);
                }
                prop_assert_eq!(&told, &done);
                prop_assert_eq!(reached.counts.items as usize, done.len());
                if reached.upto < end {
                    prop_assert_eq!(&reached.place, &serde_json::json!([10 * reached.upto, reached.upto + 1]));
                }
            }
        }
    }
}
