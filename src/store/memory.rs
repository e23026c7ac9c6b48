//! What lasts over runs: notes, by the name of a memory and their keys.
//!
//! A note is written in the transaction of the event by which the step that made it ended: once, whatever crashes.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::{Store, now_ms};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::event::{Event, Note, Record};
use crate::plan::Json;

/// A note that lasts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lasting {
    /// The memory's name.
    pub memory: String,
    /// Under what.
    pub key: String,
    /// What.
    pub value: Json,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
    /// By which run.
    pub run: String,
}

/// What the events of one append keep, in order.
pub(super) fn noted(records: &[Record]) -> Vec<(u64, Note)> {
    let mut found = Vec::new();
    for record in records {
        if let Event::Finished { outcome, .. } = &*record.event
            && outcome.error.is_none()
        {
            let lasting = outcome.notes.iter().filter(|note| note.memory.is_some());
            found.extend(lasting.map(|note| (record.at, note.clone())));
        }
    }
    found
}

pub(super) fn keep(connection: &Connection, run: &str, at: u64, note: &Note) -> rusqlite::Result<()> {
    let Some(name) = note.memory.as_deref() else { return Ok(()) };
    if note.value.is_null() {
        connection
            .prepare_cached("DELETE FROM memories WHERE name = ?1 AND key = ?2")?
            .execute(params![name, note.key])?;
        return Ok(());
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO memories (name, key, value, at, run) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![name, note.key, note.value.to_string(), at as i64, run])?;
    Ok(())
}

impl Store {
    /// The notes of a memory that are younger than `ttl_ms`, by their keys; without a name those of all.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn memory(&self, name: Option<&str>, ttl_ms: Option<u64>) -> Result<Vec<Lasting>> {
        let since = ttl_ms.map_or(0, |ttl| now_ms().saturating_sub(ttl));
        let sql = "SELECT name, key, value, at, run FROM memories WHERE (?1 IS NULL OR name = ?1) AND at >= ?2 ORDER BY name, key";
        self.inner.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![name, since as i64], |row| {
                let value: String = row.get(2)?;
                Ok(Lasting {
                    memory: row.get(0)?,
                    key: row.get(1)?,
                    value: serde_json::from_str(&value).unwrap_or(Json::String(value)),
                    at: row.get::<_, i64>(3)? as u64,
                    run: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Removes all notes of a memory. Gives how many there were.
    ///
    /// # Errors
    /// `flow::run::no_memory` if there is none of this name, with the nearest; or if the database cannot be written.
    pub fn clear_memory(&self, name: &str) -> Result<usize> {
        let known = self.memory(None, None)?;
        let count = known.iter().filter(|note| note.memory == name).count();
        if count == 0 {
            return Err(no_memory(name, &known));
        }
        let name = name.to_owned();
        self.write(move |connection| {
            connection.execute("DELETE FROM memories WHERE name = ?1", [&name])?;
            Ok(())
        })?;
        Ok(count)
    }
}

/// There is no memory of this name, only those of these notes.
pub fn no_memory(name: &str, known: &[Lasting]) -> Diagnostic {
    let problem = Diagnostic::new("flow::run::no_memory", format!("there is no memory `{name}`"));
    let help = did_you_mean(name, known.iter().map(|note| note.memory.as_str()));
    let none = "no run of this folder has noted anything that lasts; `memory(name).put(…)` in a script does";
    let all = "`flow memory` lists those of this folder";
    problem.help(help.unwrap_or_else(|| if known.is_empty() { none } else { all }.to_owned()))
}
