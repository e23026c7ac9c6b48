//! Masking: whatever spells a secret is replaced by `***`, in texts, values, and streams of any length.
//!
//! All spellings are looked for at once (Aho and Corasick 1975). Where several overlap, all that any of them covers is
//! replaced. Of a stream only so much is held back as may be the beginning of a spelling.

mod spellings;

use std::borrow::Cow;

use aho_corasick::AhoCorasick;

use crate::event::{Failure, Outcome, Output};
use crate::plan::Json;

pub(super) use spellings::SHORTEST;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// The spellings of some secrets.
#[derive(Default)]
pub struct Mask {
    /// Nothing: there is nothing to be masked.
    search: Option<AhoCorasick>,
    /// In order.
    spellings: Vec<Vec<u8>>,
    longest: usize,
}

impl Mask {
    /// A mask for these values.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut spellings: Vec<Vec<u8>> = values.into_iter().flat_map(spellings::of).collect();
        spellings.sort();
        spellings.dedup();
        let search = match spellings.is_empty() {
            true => None,
            // Fails only if there are more than 2^31 of them.
            false => Some(AhoCorasick::new(&spellings).expect("secrets are short")),
        };
        let longest = spellings.iter().map(Vec::len).max().unwrap_or(0);
        Mask { search, spellings, longest }
    }

    /// Is there nothing to be masked?
    pub(super) fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// The places that secrets take, in order, without any that touch each other.
    fn places(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut places: Vec<(usize, usize)> =
            search.find_overlapping_iter(bytes).map(|found| (found.start(), found.end())).collect();
        places.sort_unstable();
        joined(places)
    }

    /// Where in `bytes` what may be the beginning of a spelling begins.
    fn open(&self, bytes: &[u8]) -> usize {
        let may_begin = |at: &usize| {
            let rest = &bytes[*at..];
            let after = self.spellings.partition_point(|spelling| spelling.as_slice() <= rest);
            self.spellings.get(after).is_some_and(|spelling| spelling.starts_with(rest))
        };
        let first = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        (first..bytes.len()).find(may_begin).unwrap_or(bytes.len())
    }

    /// Bytes without secrets.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let places = self.places(bytes);
        if places.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for (start, end) in places {
            masked.extend_from_slice(&bytes[done..start]);
            masked.extend_from_slice(MASK.as_bytes());
            done = end;
        }
        masked.extend_from_slice(&bytes[done..]);
        Cow::Owned(masked)
    }

    /// A text without secrets.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A spelling may end within a letter, in base64 for instance never; what is cut is replaced.
            Cow::Owned(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
        }
    }

    fn in_place(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }

    /// Takes the secrets out of a value, its keys included.
    pub fn json(&self, value: &mut Json) {
        match value {
            Json::Null | Json::Bool(_) => {}
            Json::Number(number) => {
                if let Cow::Owned(masked) = self.text(&number.to_string()) {
                    *value = masked.into();
                }
            }
            Json::String(text) => self.in_place(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(entries) => self.entries(entries),
        }
    }

    fn entries(&self, entries: &mut serde_json::Map<String, Json>) {
        entries.values_mut().for_each(|value| self.json(value));
        if entries.keys().any(|key| matches!(self.text(key), Cow::Owned(_))) {
            let old = std::mem::take(entries);
            entries.extend(old.into_iter().map(|(key, value)| (self.text(&key).into_owned(), value)));
        }
    }

    /// Takes the secrets out of a failure.
    pub(super) fn failure(&self, failure: &mut Failure) {
        self.in_place(&mut failure.message);
        failure.help.iter_mut().for_each(|help| self.in_place(help));
    }

    /// Takes the secrets out of what is told of an attempt. (Its files have been written without.)
    pub(super) fn outcome(&self, outcome: &mut Outcome) {
        outcome.error.iter_mut().for_each(|failure| self.failure(failure));
        if let Output::Value(value) = &mut outcome.output {
            self.json(value);
        }
        self.entries(&mut outcome.fields);
        if let Some(Output::Value(text)) = outcome.agent.as_mut().map(|report| &mut report.text) {
            self.json(text);
        }
        outcome.notes.iter_mut().for_each(|note| self.json(&mut note.value));
    }
}

/// Places in order, those that touch each other as one.
fn joined(places: impl IntoIterator<Item = (usize, usize)>) -> Vec<(usize, usize)> {
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (start, end) in places {
        match joined.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// A stream that is being masked.
#[derive(Default)]
pub(super) struct Masking {
    /// Bytes that may be the beginning of a secret.
    held: Vec<u8>,
    /// The last thing given out was a mask: how many of these bytes it stands for as well.
    covered: Option<usize>,
}

impl Masking {
    /// Takes the next bytes, and appends to `out` what is certain. `last`: nothing will follow.
    pub fn take(&mut self, mask: &Mask, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let held = &self.held;
        let open = if last { held.len() } else { mask.open(held) };
        let mut done = 0;
        let mut in_mask = self.covered.is_some();
        for (start, end) in joined(self.covered.map(|end| (0, end)).into_iter().chain(mask.places(held))) {
            let goes_on = in_mask && start == 0;
            if start >= open && !goes_on {
                break;
            }
            out.extend_from_slice(&held[done..start]);
            if !goes_on {
                out.extend_from_slice(MASK.as_bytes());
            }
            (done, in_mask) = (end, true);
        }
        if done < open {
            out.extend_from_slice(&held[done..open]);
            (done, in_mask) = (open, false);
        }
        self.covered = in_mask.then_some(done - open);
        self.held.drain(..open);
    }
}

/// Everything that has been masked, for tests and short texts.
#[cfg(test)]
fn masked(values: &[&str], chunks: &[&[u8]]) -> Vec<u8> {
    let mask = Mask::of(values.iter().copied());
    let (mut masking, mut out) = (Masking::default(), Vec::new());
    for chunk in chunks {
        masking.take(&mask, chunk, false, &mut out);
    }
    masking.take(&mask, b"", true, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_and_a_value_lose_their_secrets() {
        let mask = Mask::of(["hunter2!", "4711471147"]);
        assert_eq!(mask.text("a hunter2! b"), "a *** b");
        assert_eq!(mask.text("aHVudGVyMiE= and 68756e7465723221"), "*** and ***");
        let mut value = serde_json::json!({"k": ["hunter2!", 4711471147u64, 5], "hunter2!": "hunter2%21"});
        mask.json(&mut value);
        assert_eq!(value, serde_json::json!({"k": ["***", "***", 5], "***": "***"}));
        assert!(matches!(mask.text("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn overlapping_secrets_are_covered_whole() {
        assert_eq!(masked(&["xabc", "bcde"], &[b"-xabcde-"]), b"-***-");
        assert_eq!(masked(&["xabc", "bcde"], &[b"-xabc", b"de-"]), b"-***-");
        assert_eq!(masked(&["abcd", "abcdefgh"], &[b"abcd", b"efgh!"]), b"***!");
        assert_eq!(masked(&["abcd", "abcdefgh"], &[b"abcd", b"ef!"]), b"***ef!");
    }

    #[test]
    fn nothing_is_held_back_without_need() {
        let mask = Mask::of(["hunter2!"]);
        let (mut masking, mut out) = (Masking::default(), Vec::new());
        masking.take(&mask, b"line one\nhun", false, &mut out);
        assert_eq!(out, b"line one\n");
        masking.take(&mask, b"dred\n", false, &mut out);
        assert_eq!(out, b"line one\nhundred\n");
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_it_is_masked_the_same(
            parts in prop::collection::vec(prop_oneof![
                Just("secret-one"), Just("one-two"), Just("two-three!"), Just("c2VjcmV0LW9uZQ"), Just("secret"), Just("-"), Just("o"), Just("\n"),
            ], 0..30),
            cuts in prop::collection::vec(1usize..9, 0..200),
        ) {
            let whole = parts.concat();
            let values = ["secret-one", "one-two", "two-three!"];
            let mut chunks: Vec<&[u8]> = Vec::new();
            let mut rest = whole.as_bytes();
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            let at_once = Mask::of(values).text(&whole).into_owned();
            prop_assert_eq!(masked(&values, &chunks), at_once.into_bytes());
        }
    }
}
