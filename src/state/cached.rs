//! Results that are kept for later runs, as data.

use serde::{Deserialize, Serialize};

use crate::event::Outcome;

/// A result that is kept, with everything it depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// The hash of all that it depends on.
    pub key: String,
    /// All that: names for people, and hashes.
    pub parts: Vec<(String, String)>,
    /// The path of the step that gave it.
    pub step: String,
    /// The run in which it did.
    pub run: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// When it was last used, or made, to within a day.
    pub used_at: u64,
    /// The result.
    pub result: Kept,
    /// The contents of its short files, in the order of `result.texts`.
    pub texts: Vec<u8>,
}

/// What is kept of an outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The outcome. Its files are named by their endings alone: `out`, `err`, `json`.
    pub outcome: Outcome,
    /// Files that the step wrote (absolute paths), with the SHA-256 of their content; none where there was no such file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, Option<String>)>,
    /// Endings and lengths of the short files of its outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<(String, u64)>,
    /// The long ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<LongFile>,
}

/// A long file that is kept beside the database, called by its hash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LongFile {
    /// `out`, `err`, `json`.
    pub ending: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// When it was changed last, in nanoseconds since 1970: while this is so, its content is not read to be checked.
    pub changed_ns: i64,
}

/// A file by what changes when it is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Its path, absolute.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its inode.
    pub inode: u64,
    /// When its content was changed last, in nanoseconds since 1970.
    pub changed_ns: i64,
    /// When anything about it was.
    pub touched_ns: i64,
}
