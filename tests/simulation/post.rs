//! What comes from outside to steps that wait: letters in the simulated store, files in the simulated folder.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flow::diag::{Diagnostic, Result};
use flow::engine::drive::Outside;
use flow::event::Answer;
use flow::store::{Addressee, Letter};

/// See the module's page. It outlives processes.
#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    letters: Vec<Letter>,
    files: BTreeSet<String>,
    /// So many times the letters cannot be read.
    closed: u32,
}

impl Post {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a letter; an attempt gets one answer.
    pub fn letter(&self, to: Addressee, answer: Answer) {
        let mut kept = self.kept();
        let again = matches!(to, Addressee::Step { .. }) && kept.letters.iter().any(|letter| letter.to == to);
        if !again {
            let letter = kept.letters.len() as u64 + 1;
            kept.letters.push(Letter { to, answer: Answer { letter, ..answer } });
        }
    }

    /// There is a file.
    pub fn file(&self, path: String) {
        self.kept().files.insert(path);
    }

    /// The letters cannot be read for a while.
    pub fn close(&self, times: u32) {
        self.kept().closed = times;
    }
}

impl Outside for Post {
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>> {
        let mut kept = self.kept();
        if kept.closed > 0 {
            kept.closed -= 1;
            return Err(Diagnostic::new("flow::store::busy", "the database is busy").help("wait"));
        }
        Ok(kept.letters.iter().filter(|letter| letter.answer.letter > after).cloned().collect())
    }

    fn is_there(&mut self, path: &str) -> bool {
        self.kept().files.contains(path)
    }
}
