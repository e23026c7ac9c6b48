//! What is told of streams and pipelines while they run.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::plan::{Json, StepId};

/// How far a stream or a pipeline is. Comes at a bounded rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flowed {
    /// The stream (the group), or the pipeline.
    pub step: StepId,
    /// Its attempt.
    pub attempt: u32,
    /// Of a pipeline: what of its source is done with, should it have to go on after a crash. Nothing: as it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Box<Reached>>,
    /// The figures of its stages, in order. Empty: as they were told last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<Meter>,
}

/// What of a source is done with. What is written down here is never processed again; what is not, is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// All items with a lower offset are acknowledged.
    pub upto: u64,
    /// Acknowledged items behind it, as ranges of offsets: first, and the first that is not. In order, apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<(u64, u64)>,
    /// Where the source goes on: whatever it needs to find the item `upto` again (a place in a file, …).
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub place: Json,
    /// Bytes of the file of collected items, and of the sink's file, that belong to acknowledged items: what is behind them
    /// is cut off before the pipeline goes on.
    #[serde(default)]
    pub written: u64,
    /// Bytes of the file of dead letters, likewise.
    #[serde(default)]
    pub dead_bytes: u64,
    /// Counts so far, over all attempts.
    #[serde(default)]
    pub counts: Counts,
}

/// What became of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Items of the source that are acknowledged, whatever became of them.
    pub items: u64,
    /// Items that reached the sink.
    pub delivered: u64,
    /// Items that failed and were left out.
    pub skipped: u64,
    /// Dead letters.
    pub dead: u64,
    /// Items that were dropped because a buffer was full.
    pub dropped: u64,
}

/// The figures of a stage of a pipeline, or of a member of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    /// Its name. The source and the sink of a pipeline are called so.
    pub name: SmolStr,
    /// Items that came in; lines, where lines are told apart.
    pub came: u64,
    /// Items that went out.
    pub went: u64,
    /// Bytes that went out, of members of streams.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Items that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Further attempts for items.
    #[serde(skip_serializing_if = "is_zero")]
    pub retried: u64,
    /// Items that were dropped before it.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Items that wait before it.
    #[serde(skip_serializing_if = "is_zero")]
    pub waiting: u64,
    /// Items that went out per second (bytes, of members of streams), over the last seconds.
    pub per_second: f64,
    /// Failed items as a share of those that came in, over the last seconds.
    pub error_rate: f64,
    /// How long an item takes in it, in microseconds: half take less; 95 of 100; 99 of 100.
    pub p50_us: u64,
    /// See `p50_us`.
    pub p95_us: u64,
    /// See `p50_us`.
    pub p99_us: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// An alert was raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alerted {
    /// The stream or the pipeline.
    pub step: StepId,
    /// Which of its alerts (`Policy::alerts`), from 0.
    pub alert: u32,
    /// The stage, or the member, whose figure it is.
    pub stage: SmolStr,
    /// The figure.
    pub value: f64,
}

/// One line of a pipeline's file of dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The offset of the item in its source, or of the first of the batch.
    pub offset: u64,
    /// Where it stands there, in words: `line 17`, `row 3`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The stage in which it failed.
    pub stage: String,
    /// The item as it came from the source.
    pub item: Json,
    /// Why it failed.
    pub error: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// When, in milliseconds since 1970.
    pub at: u64,
}
