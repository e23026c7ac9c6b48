//! The texts of scripts and of what they import: a run goes on with those it began with.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::{Done, Job};
use super::{Store, chain, failure, locked, now_ms};
use crate::diag::Result;

/// A text is safe from being removed for this long after it was kept, in milliseconds: soon a run refers to it.
pub(super) const SAFE_MS: u64 = 600_000;

/// How late the time at which a text was kept may be, in milliseconds: so it need not be written with every run.
const AGAIN_MS: u64 = SAFE_MS / 10;

impl Store {
    /// Keeps a text and gives its SHA-256 in hexadecimal. It is on disk at the latest when the next run is.
    ///
    /// # Errors
    /// If the database cannot be opened. A failure to write it comes with [`Store::create`].
    pub fn keep_source(&self, text: &str) -> Result<String> {
        let sha256 = chain::of_text(text);
        let (hash, text) = (sha256.clone(), text.to_owned());
        let unkept = self.inner.unkept.clone();
        self.inner.writer()?.send(Job::Do {
            work: Box::new(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO sources (sha256, text, kept_at) VALUES (?1, ?2, ?3)
                         ON CONFLICT DO UPDATE SET kept_at = ?3 WHERE kept_at < ?3 - ?4",
                    )?
                    .execute(params![hash, text, now_ms() as i64, AGAIN_MS as i64])
                    .map(|_| ())
            }),
            done: Done::new(move |result| {
                if let Err(diagnostic) = result {
                    *locked(&unkept) = Some(diagnostic);
                }
            }),
        });
        Ok(sha256)
    }

    /// The text of a hash.
    ///
    /// # Errors
    /// `flow::store::corrupt` if it is not there, or is another one.
    pub fn source(&self, sha256: &str) -> Result<Arc<str>> {
        let mut text = self.stored_text(sha256)?;
        if text.is_none() {
            // Perhaps it is on its way.
            self.flush()?;
            text = self.stored_text(sha256)?;
        }
        let path = &self.inner.path;
        let text = text.ok_or_else(|| failure::damaged(path, &format!("the script with hash {sha256} is missing")))?;
        if chain::of_text(&text) != sha256 {
            return Err(failure::damaged(path, &format!("the script with hash {sha256} was changed")));
        }
        Ok(text)
    }

    fn stored_text(&self, sha256: &str) -> Result<Option<Arc<str>>> {
        self.inner.read(|connection| text(connection, sha256))
    }
}

/// The text that is kept under a hash.
pub(super) fn text(connection: &Connection, sha256: &str) -> rusqlite::Result<Option<Arc<str>>> {
    connection
        .prepare_cached("SELECT text FROM sources WHERE sha256 = ?1")?
        .query_row([sha256], |row| row.get(0))
        .optional()
}
