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
    /// Several: it is, or was in, a batch.
    Many(Arc<Several>),
    /// Several, but most likely it is this one: for a batch, a closure gave as many as there were in it.
    Likely(Arc<Several>, u64),
}

/// The items of the source for which a batch stands.
#[derive(Debug)]
pub(super) struct Several {
    /// Each once.
    offsets: Vec<u64>,
    /// The item for which each place of the batch stands; empty if that is not known.
    places: Vec<u64>,
    /// Those that have failed if the batch fails, each once.
    blamed: Vec<u64>,
}

impl Of {
    /// Their offsets, each once.
    pub fn offsets(&self) -> &[u64] {
        match self {
            Of::One(offset) => std::slice::from_ref(offset),
            Of::Many(several) | Of::Likely(several, _) => &several.offsets,
        }
    }

    /// Those that have failed if it fails.
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

    /// What several together stand for. Behind `surplus` comes what they stand for more than once.
    pub fn join(parts: &[Parcel], surplus: &mut Vec<u64>) -> Of {
        let mut offsets: Vec<u64> = Vec::with_capacity(parts.len());
        let mut places: Vec<u64> = Vec::with_capacity(parts.len());
        for part in parts {
            offsets.extend_from_slice(part.of.offsets());
            if let [one] = part.of.blamed() {
                places.push(*one);
            }
        }
        if places.len() < parts.len() {
            places.clear();
        }
        each_once(&mut offsets, surplus);
        if let [one] = offsets.as_slice() {
            return Of::One(*one);
        }
        let mut blamed = if places.is_empty() { offsets.clone() } else { places.clone() };
        each_once(&mut blamed, &mut Vec::new());
        Of::Many(Arc::new(Several { offsets, places, blamed }))
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

/// Sorts, and moves what is there again to `surplus`.
fn each_once(offsets: &mut Vec<u64>, surplus: &mut Vec<u64>) {
    if !offsets.is_sorted() {
        offsets.sort_unstable();
    }
    let mut last = None;
    offsets.retain(|offset| {
        let is_new = last.replace(*offset) != Some(*offset);
        if !is_new {
            surplus.push(*offset);
        }
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(parts: &[&[u64]], surplus: &mut Vec<u64>) -> Of {
        let of = |offsets: &&[u64]| match **offsets {
            [one] => Of::One(one),
            ref several => {
                Of::Many(Arc::new(Several { offsets: several.to_vec(), places: Vec::new(), blamed: several.to_vec() }))
            }
        };
        let parcel = |offsets| Parcel { of: of(offsets), item: Item::whole(0) };
        Of::join(&parts.iter().map(parcel).collect::<Vec<_>>(), surplus)
    }

    #[test]
    fn a_batch_stands_for_each_item_once() {
        let mut surplus = Vec::new();
        assert_eq!(join(&[&[5], &[5], &[3, 6]], &mut surplus).offsets(), [3, 5, 6]);
        assert_eq!(surplus, [5]);
        assert!(matches!(join(&[&[1], &[1]], &mut surplus), Of::One(1)));
    }

    #[test]
    fn as_many_out_as_in_are_the_same_in_the_same_order() {
        let batch = join(&[&[7], &[3], &[3]], &mut Vec::new());
        assert_eq!(batch.parts(3).map(|of| of.first()).collect::<Vec<_>>(), [7, 3, 3]);
        assert_eq!(batch.blamed(), [3, 7]);
        assert!(batch.parts(2).all(|of| of.blamed() == [3, 7]));
    }

    #[test]
    fn it_is_told_where_it_stood() {
        let places = Places { unit: "line", of: "access.log".into() };
        assert_eq!(Of::One(17).words(&places, 18), "item 17 (line 18 of access.log)");
        assert_eq!(Of::One(17).words(&Places::default(), 0), "item 17");
        assert_eq!(
            join(&[&[2], &[4]], &mut Vec::new()).words(&places, 3),
            "the batch of items 2 to 4 (from line 3 of access.log)"
        );
    }
}
