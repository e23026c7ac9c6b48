//! Recorded runs: what agents said in them, and of a whole one everything that came from outside and the way that it took.
//!
//! A run of the store is one as it is; `flow agents record` writes it as a file of JSON lines, fit for git. Both answer in
//! place of agents (`--agents recorded:…`), and a whole one is a test of its workflow (`flow test --from-run`).
//! `docs/recordings.md` says what stands in the file.

mod answers;
mod course;
mod form;
mod gather;
mod named;
mod read;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use crate::event::{Answer, Log, Outcome};
use crate::exec::agent::Recording;
use crate::state::Files;

pub(super) use answers::Answers;
pub use course::{Course, Passed, Tried, Turn, WasRead};
pub(super) use gather::gather;
pub use named::WHAT_ANSWERS;
pub use write::Written;

/// See the module's page.
pub struct Recorded {
    /// Where it comes from, for people: a run's id, or a file.
    pub name: String,
    /// What is said of it as a whole.
    pub head: Head,
    /// The attempts of steps, by path, in their order.
    attempts: BTreeMap<String, Vec<Attempt>>,
    /// What came for steps that waited, by path: at which attempt, after how many milliseconds, and what.
    answers: HashMap<String, Vec<(u32, u64, Answer)>>,
    /// The paths of steps whose results are nobody's business: they are not written.
    secret: HashSet<String>,
    /// The way that the run took, if it was recorded as a whole.
    pub course: Option<Course>,
    /// What its outcomes refer to.
    pub files: Arc<dyn Files>,
}

/// What is said of a recording as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// Name of the workflow.
    pub workflow: String,
    /// What its readers are to know.
    pub note: String,
    /// The run that it was made from.
    pub run: String,
    /// The script of the run, absolute. Known of a run in the store alone.
    pub file: String,
    /// The parameters that were given.
    pub args: Vec<(String, String)>,
    /// When the run began, in milliseconds since 1970.
    pub at: u64,
    /// The number by which its delays were varied.
    pub seed: u64,
    /// Most steps at the same time: as was said, else as there were.
    pub max_parallel: Option<u32>,
}

/// An attempt of a step.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Its number, from 1. Interrupted ones are not counted: nobody would see them again.
    pub number: u32,
    /// The agent that was asked, with its backend, and the hash of the prompt.
    pub asked: Option<Asked>,
    /// What its program printed, where that is at hand already.
    said: Option<Arc<Recording>>,
    /// How it ended.
    pub outcome: Option<Arc<Outcome>>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Whom an attempt asked, and what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The agent's name.
    pub agent: String,
    /// Its backend.
    pub backend: String,
    /// SHA-256 of the prompt as it was sent, in hexadecimal. Empty: not known.
    pub prompt_sha256: String,
}

impl Recorded {
    /// An attempt of a step; of one that there was not, the last one.
    pub fn attempt(&self, path: &str, attempt: u32) -> Option<&Attempt> {
        let all = self.attempts.get(path)?;
        all.iter().find(|one| one.number == attempt).or(all.last())
    }

    /// The attempts of a step, in their order.
    pub fn attempts_of(&self, path: &str) -> Option<&[Attempt]> {
        self.attempts.get(path).map(Vec::as_slice)
    }

    /// Did an attempt come so far that its agent could be heard?
    pub fn was_heard(&self, attempt: &Attempt) -> bool {
        attempt.said.is_some() || attempt.outcome.as_deref().is_some_and(answers::was_heard)
    }

    /// The paths of the steps that have attempts, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.attempts.keys().map(String::as_str)
    }

    /// The paths of those that asked an agent, in order.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        let asks = |(_, all): &(&String, &Vec<Attempt>)| all.iter().any(|attempt| attempt.asked.is_some());
        self.attempts.iter().filter(asks).map(|(path, _)| path.as_str())
    }

    /// What came for a step that waited at this attempt, and after how many milliseconds.
    pub fn answer(&self, path: &str, attempt: u32) -> Option<(u64, &Answer)> {
        let all = self.answers.get(path)?;
        let one = all.iter().find(|(number, ..)| *number == attempt).or(all.last())?;
        Some((one.1, &one.2))
    }
}

/// Files that are held in memory, by name.
#[derive(Default)]
struct Texts(HashMap<String, Vec<u8>>);

impl Files for Texts {
    fn read(&self, log: &Log) -> io::Result<Vec<u8>> {
        self.0.get(&log.file).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
