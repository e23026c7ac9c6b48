//! Texts that no run was made from, and results that nobody uses.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{Collected, GcOptions};
use crate::diag::Result;
use crate::event::Event;
use crate::store::read::parse;
use crate::store::sources::SAFE_MS;
use crate::store::{Store, now_ms};

/// Where no time is said, results stay for so long after they were used last, in milliseconds: 30 days.
const RESULTS_MS: u64 = 30 * 86_400_000;

impl Store {
    /// Step 3 of the collection.
    pub(super) fn remove_unused(&self, options: &GcOptions, done: &mut Collected) -> Result<()> {
        let unused = self.inner.read_alone(unused_sources)?;
        if !unused.is_empty() {
            done.sources += unused.len() as u64;
            self.write(move |connection| {
                // One that is wanted again since then was kept anew.
                let mut delete = connection.prepare_cached("DELETE FROM sources WHERE sha256 = ?1 AND kept_at < ?2")?;
                let before = now_ms().saturating_sub(SAFE_MS) as i64;
                unused.iter().try_for_each(|sha256| delete.execute(params![sha256, before]).map(|_| ()))
            })?;
        }
        done.results += self.forget_results(unused_since(options))? as u64;
        self.remove_result_folders(done)
    }

    pub(super) fn would_remove_unused(&self, options: &GcOptions, done: &mut Collected) -> Result<()> {
        let since = unused_since(options) as i64;
        done.results = self.inner.read(|connection| {
            let sql = "SELECT count(*) FROM results WHERE used_at < ?1";
            connection.query_row(sql, [since], |row| row.get::<_, i64>(0))
        })? as u64;
        Ok(())
    }
}

fn unused_since(options: &GcOptions) -> u64 {
    options.since.unwrap_or_else(|| now_ms().saturating_sub(RESULTS_MS))
}

/// Hashes of texts that no event names.
///
/// Nearly all are named by the first event of some run, and that is found by its key. Only for the others every event is
/// looked through that may name one.
fn unused_sources(connection: &Connection) -> Result<Vec<String>> {
    let sql =
        |error: rusqlite::Error| crate::store::failure::sql(&error, "cannot read", std::path::Path::new("flow.db"));
    let ask = || -> rusqlite::Result<HashSet<String>> {
        let before = now_ms().saturating_sub(SAFE_MS) as i64;
        let mut unused: HashSet<String> = connection
            .prepare_cached("SELECT sha256 FROM sources WHERE kept_at < ?1")?
            .query_map([before], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if unused.is_empty() {
            return Ok(unused);
        }
        let mut first = connection.prepare_cached("SELECT event FROM runs JOIN events ON key = number << 32")?;
        let mut rows = first.query([])?;
        while let Some(row) = rows.next()? {
            if let Ok(Event::Created(created)) = parse(row.get_ref(0)?.as_str()?) {
                for (_, sha256) in &created.sources {
                    unused.remove(sha256);
                }
            }
        }
        drop(rows);
        if unused.is_empty() {
            return Ok(unused);
        }
        let mut others = connection.prepare_cached(
            "SELECT event FROM events WHERE event LIKE '{\"type\":\"planned\"%' OR event LIKE '{\"type\":\"replanned\"%'",
        )?;
        let mut rows = others.query([])?;
        while let Some(row) = rows.next()? {
            let text = row.get_ref(0)?.as_str()?;
            unused.retain(|sha256| !text.contains(sha256.as_str()));
        }
        Ok(unused)
    };
    ask().map(|unused| unused.into_iter().collect()).map_err(sql)
}
