//! What people and other programs say to runs: kept here until the process that works on the run takes it, which may
//! not even be there yet. That it was taken stands in the run's log and nowhere else.

use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, Row, params};

use super::Store;
use crate::diag::Result;
use crate::event::Answer;

/// Something that was said to a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// To whom.
    pub to: Addressee,
    /// What. `letter` is its number: letters are numbered in the order in which they came.
    pub answer: Answer,
}

/// To whom something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// An attempt of a step that asks for an answer.
    Step {
        /// The step's path.
        path: String,
        /// The attempt.
        attempt: u32,
    },
    /// The first step that waits for the signal of this name.
    Signal(String),
}

impl Store {
    /// Keeps a letter to a run and gives its number. An attempt of a step gets one answer: if there is one already, that
    /// is given instead, and nothing is kept.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn post(&self, run: &str, letter: Letter) -> Result<std::result::Result<u64, Letter>> {
        let posted: Arc<OnceLock<std::result::Result<u64, Letter>>> = Arc::default();
        let (run, told) = (run.to_owned(), posted.clone());
        self.write(move |connection| {
            let result = post(connection, &run, &letter)?;
            let _ = told.set(result);
            Ok(())
        })?;
        // It is set when the transaction was committed.
        Ok(posted.get().cloned().unwrap_or(Ok(0)))
    }

    /// The letters to a run (by its full id) that came after this number, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn letters(&self, run: &str, after: u64) -> Result<Vec<Letter>> {
        self.inner.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT number, step, attempt, signal, answer FROM inbox
                     WHERE run = ?1 AND number > ?2 ORDER BY number",
                )?
                .query_map(params![run, after as i64], letter)?
                .collect()
        })
    }
}

fn post(connection: &Connection, run: &str, letter: &Letter) -> rusqlite::Result<std::result::Result<u64, Letter>> {
    let (step, attempt, signal) = match &letter.to {
        Addressee::Step { path, attempt } => (Some(path), Some(attempt), None),
        Addressee::Signal(name) => (None, None, Some(name)),
    };
    let answer =
        serde_json::to_string(&letter.answer).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO inbox (run, step, attempt, signal, answer) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![run, step, attempt, signal, answer])?;
    if inserted > 0 {
        return Ok(Ok(connection.last_insert_rowid() as u64));
    }
    connection
        .prepare_cached(
            "SELECT number, step, attempt, signal, answer FROM inbox WHERE run = ?1 AND step = ?2 AND attempt = ?3",
        )?
        .query_row(params![run, step, attempt], self::letter)
        .map(Err)
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let json: String = row.get(4)?;
    let mut answer: Answer = serde_json::from_str(&json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(4, rusqlite::types::Type::Text, error.into()))?;
    answer.letter = row.get::<_, i64>(0)? as u64;
    let to = match (row.get(1)?, row.get(2)?) {
        (Some(path), Some(attempt)) => Addressee::Step { path, attempt },
        _ => Addressee::Signal(row.get(3)?),
    };
    Ok(Letter { to, answer })
}
