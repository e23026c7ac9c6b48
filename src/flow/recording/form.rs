//! The lines of a file of recordings. Each is one JSON object; which one, its keys say.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::event::{Answer, Outcome};
use crate::plan::Json;

/// The version of the form.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct First {
    pub recording: u32,
    #[serde(default)]
    pub workflow: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<(String, String)>,
    /// Of a whole run: how it ended. The lines that say so of its steps follow at the end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
}

/// An attempt that asked an agent. What its program printed follows.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct AgentAttempt {
    pub step: String,
    pub attempt: u32,
    pub backend: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    #[serde(default)]
    pub duration_ms: u64,
}

/// A line that its program printed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Line {
    pub at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// As base64, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// It is the last one, and has no end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// What it wrote to standard error.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ErrorText {
    pub stderr: String,
}

/// A file that it changed.
pub(super) use crate::event::ChangedFile as Changed;

/// How an attempt of another step ended.
#[derive(Serialize, Deserialize)]
pub(super) struct Ended {
    pub step: String,
    pub attempt: u32,
    pub took_ms: u64,
    pub outcome: Outcome,
}

/// What a file holds that this outcome refers to.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Kept {
    pub log: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// What came for a step that waited.
#[derive(Serialize, Deserialize)]
pub(super) struct Came {
    pub step: String,
    pub attempt: u32,
    pub after_ms: u64,
    pub answer: Answer,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Bytes as text where they are UTF-8, or else as base64.
pub(super) fn split(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

/// The bytes again.
pub(super) fn joined(text: Option<String>, bytes: Option<String>) -> Result<Vec<u8>, String> {
    match (text, bytes) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(bytes)) => BASE64_STANDARD.decode(bytes).map_err(|error| format!("`bytes` is no base64: {error}")),
        (None, None) => Err("it has neither a text nor `bytes`".into()),
        (Some(_), Some(_)) => Err("it has both a text and `bytes`".into()),
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    First,
    Agent,
    Line,
    Stderr,
    Changed,
    Ended,
    Kept,
    Came,
    Passed,
    Turn,
}

impl Kind {
    /// By the keys that only one kind has.
    const KEYS: [(&'static str, Kind); 9] = [
        ("recording", Kind::First),
        ("outcome", Kind::Ended),
        ("answer", Kind::Came),
        ("ended", Kind::Passed),
        ("decided", Kind::Turn),
        ("backend", Kind::Agent),
        ("at", Kind::Line),
        ("stderr", Kind::Stderr),
        ("file", Kind::Changed),
    ];

    /// What an object is, by its keys.
    pub fn of(object: &serde_json::Map<String, Json>) -> Option<Kind> {
        let found = Self::KEYS.iter().find(|(key, _)| object.contains_key(*key)).map(|(_, kind)| *kind);
        found.or(object.contains_key("log").then_some(Kind::Kept))
    }
}
