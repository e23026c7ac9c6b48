//! The key of a result: a hash over named parts, and in which of them two differ. Pure.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Raised when the same parts would mean something else.
const FORM: &[u8] = b"flow cache 1";

/// Letters of a part's hash that are kept, to say later which part is another.
const KEPT: usize = 16;

/// The hash of a file that is not there.
const ABSENT: &str = "-";

/// All that a result depends on: what each thing is called in the sentence "… changed", and the hash of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts(Vec<(String, String)>);

/// Hashes a part piece by piece, so that no two lists of pieces look the same.
#[derive(Default)]
pub(super) struct Pieces(Sha256);

impl Pieces {
    /// Takes up a piece.
    pub fn add(&mut self, piece: impl AsRef<[u8]>) {
        let piece = piece.as_ref();
        self.0.update((piece.len() as u64).to_le_bytes());
        self.0.update(piece);
    }

    /// The hash.
    pub fn hash(self) -> String {
        hex(&self.0.finalize())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

impl Parts {
    /// A part with a hash.
    pub fn add(&mut self, name: impl Into<String>, hash: String) {
        self.0.push((name.into(), hash));
    }

    /// A part with the hash of one piece.
    pub fn add_piece(&mut self, name: impl Into<String>, piece: impl AsRef<[u8]>) {
        let mut pieces = Pieces::default();
        pieces.add(piece);
        self.add(name, pieces.hash());
    }

    /// A file that is not there.
    pub fn add_absent(&mut self, name: impl Into<String>) {
        self.add(name, ABSENT.to_owned());
    }

    /// Further parts.
    pub fn extend(&mut self, others: &Parts) {
        self.0.extend_from_slice(&others.0);
    }

    /// The hash of all.
    pub fn key(&self) -> String {
        let mut pieces = Pieces::default();
        pieces.add(FORM);
        for (name, hash) in &self.0 {
            pieces.add(name);
            pieces.add(hash);
        }
        pieces.hash()
    }

    /// As they are kept: enough of each hash to see that it is another.
    pub fn kept(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, hash)| (name.clone(), hash.chars().take(KEPT).collect())).collect()
    }

    /// In what they differ from those of an earlier result: `` command changed, and 2 more ``.
    pub fn difference(&self, before: &[(String, String)]) -> Option<String> {
        let now = self.kept();
        let by_name = |parts: &[(String, String)]| -> HashMap<String, String> { parts.iter().cloned().collect() };
        let (old, new) = (by_name(before), by_name(&now));
        let changed = now.iter().filter_map(|(name, hash)| {
            Some(match old.get(name) {
                Some(old) if old == hash => return None,
                Some(_) if hash == ABSENT => format!("{name} is missing"),
                Some(_) => format!("{name} changed"),
                None => format!("{name} is new"),
            })
        });
        let gone = before.iter().filter(|(name, _)| !new.contains_key(name));
        let mut all = changed.chain(gone.map(|(name, _)| format!("{name} is gone")));
        let first = all.next()?;
        Some(match all.count() {
            0 => first,
            more => format!("{first}, and {more} more"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(all: &[(&str, &str)]) -> Parts {
        let mut parts = Parts::default();
        all.iter().for_each(|(name, piece)| parts.add_piece(*name, piece));
        parts
    }

    #[test]
    fn differences_are_named() {
        let before = parts(&[("command", "make"), ("`CC` in its environment", "cc"), ("input `a`", "1")]);
        let said = |now: &Parts| now.difference(&before.kept());
        assert_eq!(said(&before), None);
        let now = parts(&[("command", "make all"), ("`CC` in its environment", "cc"), ("input `a`", "1")]);
        assert_eq!(said(&now).as_deref(), Some("command changed"));
        let mut now = parts(&[("command", "make"), ("`CC` in its environment", "gcc"), ("input `b`", "1")]);
        assert_eq!(said(&now).as_deref(), Some("`CC` in its environment changed, and 2 more"));
        now = parts(&[("command", "make"), ("`CC` in its environment", "cc")]);
        assert_eq!(said(&now).as_deref(), Some("input `a` is gone"));
        now.add_absent("input `a`");
        assert_eq!(said(&now).as_deref(), Some("input `a` is missing"));
    }

    proptest! {
        /// Two lists of parts have the same key only if they are the same, however names and contents are cut.
        #[test]
        fn other_parts_have_another_key(
            one in prop::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 0..4),
            two in prop::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 0..4),
        ) {
            let of = |all: &[(String, String)]| {
                let mut parts = Parts::default();
                all.iter().for_each(|(name, piece)| parts.add_piece(name.clone(), piece));
                parts
            };
            prop_assert_eq!(of(&one).key() == of(&two).key(), one == two);
        }

        #[test]
        fn pieces_do_not_run_into_each_other(one in prop::collection::vec("[ab]{0,3}", 0..4), two in prop::collection::vec("[ab]{0,3}", 0..4)) {
            let of = |all: &[String]| {
                let mut pieces = Pieces::default();
                all.iter().for_each(|piece| pieces.add(piece));
                pieces.hash()
            };
            prop_assert_eq!(of(&one) == of(&two), one == two);
        }
    }
}
