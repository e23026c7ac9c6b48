//! Items on their way, with what they stand for.

use std::sync::Arc;

use super::source::Places;
use crate::lang::item::Item;

/// An item between two stages.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub of: Of,
    pub item: Item,
}

/// The items of the source from which something came.
#[derive(Clone, Debug)]
pub(super) enum Of {
    /// One of them.
    One(u64),
    /// Several, in order, each once: it is, or was in, a batch.
    Many(Arc<[u64]>),
}

impl Of {
    /// Their offsets.
    pub fn offsets(&self) -> &[u64] {
        match self {
            Of::One(offset) => std::slice::from_ref(offset),
            Of::Many(offsets) => offsets,
        }
    }

    /// The first of them.
    pub fn first(&self) -> u64 {
        self.offsets().first().copied().unwrap_or(0)
    }

    /// What several together stand for. Behind `surplus` comes what they stand for more than once.
    pub fn join<'a>(parts: impl Iterator<Item = &'a Of>, surplus: &mut Vec<u64>) -> Of {
        let mut offsets: Vec<u64> = Vec::with_capacity(parts.size_hint().0);
        parts.for_each(|part| offsets.extend_from_slice(part.offsets()));
        if !offsets.is_sorted() {
            offsets.sort_unstable();
        }
        let mut last = None;
        offsets.retain(|offset| {
            let is_new = last != Some(*offset);
            if !is_new {
                surplus.push(*offset);
            }
            last = Some(*offset);
            is_new
        });
        match offsets.as_slice() {
            [one] => Of::One(*one),
            _ => Of::Many(offsets.into()),
        }
    }

    /// In words: `item 17 (line 18 of access.log)`; `place`: the number of the first's line.
    pub fn words(&self, places: &Places, place: u64) -> String {
        let of = |word: &str| if word.is_empty() { String::new() } else { format!(" ({word})") };
        match self.offsets() {
            [] => "an item".into(),
            [one] => format!("item {one}{}", of(&places.word(place))),
            [first, .., last] => match places.word(place) {
                word if word.is_empty() => format!("the batch of items {first} to {last}"),
                word => format!("the batch of items {first} to {last} (from {word})"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_stands_for_each_item_once() {
        let mut surplus = Vec::new();
        let parts = [Of::One(5), Of::One(5), Of::Many([3, 6].into())];
        assert_eq!(Of::join(parts.iter(), &mut surplus).offsets(), [3, 5, 6]);
        assert_eq!(surplus, [5]);
        assert!(matches!(Of::join([Of::One(1), Of::One(1)].iter(), &mut surplus), Of::One(1)));
    }

    #[test]
    fn it_is_told_where_it_stood() {
        let places = Places { unit: "line", of: "access.log".into() };
        assert_eq!(Of::One(17).words(&places, 18), "item 17 (line 18 of access.log)");
        assert_eq!(Of::One(17).words(&Places::default(), 0), "item 17");
        assert_eq!(Of::Many([2, 4].into()).words(&places, 3), "the batch of items 2 to 4 (from line 3 of access.log)");
    }
}
