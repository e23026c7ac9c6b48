//! Streams: steps that run at the same time, each reading what those before it write (`a |> b`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Closure, StepId};

/// A group whose members run at the same time and are connected: `a |> b`, `stream([a, [b, c], d])`.
///
/// The connections stand here and not among the edges of the steps (`Step::after`): they say nothing about when a step
/// starts, for all members start together. What a member waits for besides, the whole group waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// The members, level by level: each member of a level writes to every member of the next one. Never empty, no level
    /// is empty, and no step stands in it twice.
    pub levels: Vec<Vec<StepId>>,
    /// How the lines of several writers come together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub merge: Merge,
    /// What happens where several read the same and one of them is slow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slow: Slow,
    /// Most bytes of what each member writes that are kept as its log, and as its output.
    #[serde(default = "tee", skip_serializing_if = "is_tee")]
    pub tee: u64,
    /// How long a member may go on after nobody reads it any more, in milliseconds; then it is ended.
    #[serde(default = "linger", skip_serializing_if = "is_linger")]
    pub linger_ms: u64,
    /// Most bytes of one line, where lines are told apart.
    #[serde(default = "max_line", skip_serializing_if = "is_max_line")]
    pub max_line: u64,
}

impl Stream {
    /// Bytes of what each member writes that are kept, where nothing is said: 1 MiB.
    pub const TEE: u64 = 1 << 20;
    /// How long a member may go on unread, where nothing is said: 2 s.
    pub const LINGER_MS: u64 = 2_000;
    /// Most bytes of a line, where nothing is said: 64 MiB.
    pub const MAX_LINE: u64 = 64 << 20;

    /// Of these levels, with nothing else said.
    pub fn of(levels: Vec<Vec<StepId>>) -> Self {
        Stream {
            levels,
            merge: Merge::default(),
            slow: Slow::default(),
            tee: Self::TEE,
            linger_ms: Self::LINGER_MS,
            max_line: Self::MAX_LINE,
        }
    }

    /// All members, level by level.
    pub fn members(&self) -> impl Iterator<Item = StepId> + '_ {
        self.levels.iter().flatten().copied()
    }

    /// Those whose outputs are that of the stream.
    pub fn exits(&self) -> &[StepId] {
        self.levels.last().map_or(&[], Vec::as_slice)
    }

    fn level_of(&self, member: StepId) -> Option<usize> {
        self.levels.iter().position(|level| level.contains(&member))
    }

    /// Those whose lines a member reads, in the order declared.
    pub fn writers(&self, member: StepId) -> &[StepId] {
        let before = self.level_of(member).and_then(|level| level.checked_sub(1));
        before.map_or(&[], |level| self.levels[level].as_slice())
    }

    /// Those who read what a member writes, in the order declared.
    pub fn readers(&self, member: StepId) -> &[StepId] {
        let next = self.level_of(member).and_then(|level| self.levels.get(level + 1));
        next.map_or(&[], Vec::as_slice)
    }
}

fn tee() -> u64 {
    Stream::TEE
}

fn is_tee(bytes: &u64) -> bool {
    *bytes == Stream::TEE
}

fn linger() -> u64 {
    Stream::LINGER_MS
}

fn is_linger(ms: &u64) -> bool {
    *ms == Stream::LINGER_MS
}

fn max_line() -> u64 {
    Stream::MAX_LINE
}

fn is_max_line(bytes: &u64) -> bool {
    *bytes == Stream::MAX_LINE
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How the lines of several writers come together. Whole lines always, in the order of their arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// A line that is a JSON object becomes `{"source": "a", "value": {…}}`; any other line stays as it is.
    #[default]
    Auto,
    /// Every line becomes such an object: `value` holds what JSON says, `text` a line that is none.
    Tagged,
    /// All lines stay as they are.
    Raw,
}

impl Merge {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Merge); 3] = [("auto", Merge::Auto), ("tagged", Merge::Tagged), ("raw", Merge::Raw)];
}

/// What happens where several read the same and one of them is slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slow {
    /// The writer waits for it, and so do the others.
    #[default]
    Block,
    /// So many lines wait for it; then the oldest of them are dropped, and counted.
    DropOldest(u32),
}

/// What a program that reads a stream has dealt with, should it have to begin again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// All of its input at its successful end, nothing before.
    #[default]
    End,
    /// One line with each line that it writes: the n-th line out answers the n-th line in.
    Line,
}

impl Ack {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Ack); 2] = [("end", Ack::End), ("line", Ack::Line)];
}

/// A closure that stands in a stream: `a |> lines(|line| …) |> b`.
///
/// What it gives for a line is written on: text and numbers as a line, maps as a line of JSON, an array as a line for each
/// of its elements, `()` as nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// Gets the text of a line, or the JSON value on it.
    pub closure: Closure,
    /// What it gets.
    pub reads: Reads,
    /// What happens with a line for which it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_error: ItemError,
}

/// What a closure in a stream gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The text of each line.
    Lines,
    /// The JSON value on each line; empty lines are passed over.
    Ndjson,
}

/// What happens with an item, or a line, that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemError {
    /// The whole fails.
    #[default]
    Stop,
    /// It is left out, and counted.
    Skip,
    /// It is kept with its error, to be looked at and replayed. In pipelines only.
    DeadLetter,
}

impl ItemError {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, ItemError); 3] =
        [("stop", ItemError::Stop), ("skip", ItemError::Skip), ("dead_letter", ItemError::DeadLetter)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_writes_to_the_next() {
        let [a, b, c, d] = [0, 1, 2, 3].map(StepId);
        let stream = Stream::of(vec![vec![a, b], vec![c], vec![d]]);
        assert_eq!(stream.writers(c), [a, b]);
        assert_eq!(stream.readers(a), [c]);
        assert_eq!(stream.readers(d), []);
        assert_eq!(stream.writers(a), []);
        assert_eq!(stream.exits(), [d]);
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        let stream = Stream::of(vec![vec![StepId(0)], vec![StepId(1)]]);
        let text = serde_json::to_string(&stream).expect("plain data");
        assert_eq!(text, r#"{"levels":[[0],[1]]}"#);
        assert_eq!(serde_json::from_str::<Stream>(&text).expect("it was written so"), stream);
    }
}
