//! Items on their way, with what they stand for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Several: it is, or was in, a batch.
    Many(Arc<Several>),
    /// Several, but most likely it is this one: for a batch, a closure gave as many as there were in it.
    Likely(Arc<Several>, u64),
}

/// What a batch was made of. All that came of the batch shares it.
#[derive(Debug)]
pub(super) struct Several {
    /// What its places stand for, in order.
    pub parents: Vec<Of>,
    /// The item for which each place stands; empty if that is not known.
    places: Vec<u64>,
    /// Those that have failed if the batch fails, each once.
    blamed: Vec<u64>,
    /// How many came of it and have not ended. Changed by those only who have the books.
    left: AtomicU32,
    /// How many of these wait for the others. Likewise.
    held: AtomicU32,
}

impl Several {
    fn of(parents: Vec<Of>) -> Self {
        let mut blamed: Vec<u64> = parents.iter().flat_map(|of| of.blamed()).copied().collect();
        let places = if blamed.len() == parents.len() { blamed.clone() } else { Vec::new() };
        if !blamed.is_sorted() {
            blamed.sort_unstable();
        }
        blamed.dedup();
        Several { parents, places, blamed, left: AtomicU32::new(1), held: AtomicU32::new(0) }
    }

    /// How many came of it and have not ended.
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// So many more came of it.
    pub fn add(&self, more: u32) {
        self.left.fetch_add(more, Ordering::Relaxed);
    }

    /// One of those has ended. Gives how many are left.
    pub fn end(&self) -> u32 {
        let left = self.left();
        debug_assert!(left > 0, "a batch has ended already");
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        left.saturating_sub(1)
    }

    /// One more waits for the others.
    pub fn hold(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    /// None waits any more.
    pub fn let_go(&self) {
        self.held.store(0, Ordering::Relaxed);
    }

    /// Does anything wait, and is nothing waited for?
    pub fn is_whole(&self) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        held > 0 && held == self.left()
    }
}

impl Of {
    /// Those that have failed if it fails, each once.
    pub fn blamed(&self) -> &[u64] {
        match self {
            Of::One(offset) | Of::Likely(_, offset) => std::slice::from_ref(offset),
            Of::Many(several) => &several.blamed,
        }
    }

    /// The first of those.
    pub fn first(&self) -> u64 {
        self.blamed().first().copied().unwrap_or(0)
    }

    /// What a batch of these stands for.
    pub fn join(parts: &[Parcel]) -> Of {
        match parts {
            [one] => one.of.clone(),
            parts => Of::Many(Arc::new(Several::of(parts.iter().map(|part| part.of.clone()).collect()))),
        }
    }

    /// What each stands for of those that came of this, `many` in all.
    pub fn parts(&self, many: usize) -> impl Iterator<Item = Of> + '_ {
        (0..many).map(move |place| match self {
            Of::Many(several) if several.places.len() == many => Of::Likely(several.clone(), several.places[place]),
            of => of.clone(),
        })
    }

    /// In words: `item 17 (line 18 of access.log)`; `place`: the number of the first's line.
    pub fn words(&self, places: &Places, place: u64) -> String {
        let of = |word: &str| if word.is_empty() { String::new() } else { format!(" ({word})") };
        match self.blamed() {
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

    fn join(parts: &[Of]) -> Of {
        let parcel = |of: &Of| Parcel { of: of.clone(), item: Item::whole(0) };
        Of::join(&parts.iter().map(parcel).collect::<Vec<_>>())
    }

    #[test]
    fn as_many_out_as_in_are_the_same_in_the_same_order() {
        let batch = join(&[Of::One(7), Of::One(3), Of::One(3)]);
        assert_eq!(batch.parts(3).map(|of| of.first()).collect::<Vec<_>>(), [7, 3, 3]);
        assert_eq!(batch.blamed(), [3, 7]);
        assert!(batch.parts(2).all(|of| of.blamed() == [3, 7]));
        assert!(matches!(join(&[Of::One(1)]), Of::One(1)));
    }

    #[test]
    fn a_batch_of_parts_is_known_again() {
        let batch = join(&[Of::One(7), Of::One(8)]);
        let parts: Vec<Of> = batch.parts(2).collect();
        assert_eq!(join(&[parts[1].clone(), Of::One(9)]).parts(2).map(|of| of.first()).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(join(&[batch, Of::One(9)]).blamed(), [7, 8, 9]);
    }

    #[test]
    fn it_is_told_where_it_stood() {
        let places = Places { unit: "line", of: "access.log".into() };
        assert_eq!(Of::One(17).words(&places, 18), "item 17 (line 18 of access.log)");
        assert_eq!(Of::One(17).words(&Places::default(), 0), "item 17");
        let batch = join(&[Of::One(2), Of::One(4)]);
        assert_eq!(batch.words(&places, 3), "the batch of items 2 to 4 (from line 3 of access.log)");
    }
}
