//! What surrounds a simulated run: a log that is always ready, and what comes from outside.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::{Committed, Journal, Outside};
use crate::diag::Result;
use crate::event::Record;
use crate::store::Letter;

/// A log that keeps what it is given, at once.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Record>>>);

impl Log {
    pub fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Log {
    fn append(&self, mut records: Vec<Record>, committed: Committed) {
        self.records().append(&mut records);
        committed(Ok(()));
    }
}

/// What has come from outside.
#[derive(Clone, Default)]
pub(super) struct Post(Arc<Mutex<Come>>);

#[derive(Default)]
pub(super) struct Come {
    pub letters: Vec<Letter>,
    pub files: HashSet<String>,
}

impl Post {
    pub fn come(&self) -> MutexGuard<'_, Come> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outside for Post {
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>> {
        Ok(self.come().letters.iter().filter(|letter| letter.answer.letter > after).cloned().collect())
    }

    fn is_there(&mut self, path: &str) -> bool {
        self.come().files.contains(path)
    }
}
