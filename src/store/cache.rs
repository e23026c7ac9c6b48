//! The cache: results that later runs may use again, and the hashes of files that have not changed.
//!
//! Nothing depends on it. What cannot be read is not there; what cannot be written is not kept.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writer::{Done, Job};
use super::{Store, now_ms};
use crate::diag::Result;
use crate::state::cached::{Entry, Stamp};

/// That a result was used is written down only once in so many milliseconds.
const DAY: u64 = 86_400_000;

const COLUMNS: &str = "key, step, run, at, used_at, result, texts";

/// A result without its parts, which nobody needs who has found it.
fn entry(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let time = |column| row.get::<_, i64>(column).map(|time| time as u64);
    let result: String = row.get(5)?;
    // Another version may have written it differently.
    let Ok(result) = serde_json::from_str(&result) else { return Ok(None) };
    Ok(Some(Entry {
        key: row.get(0)?,
        parts: Vec::new(),
        step: row.get(1)?,
        run: row.get(2)?,
        at: time(3)?,
        used_at: time(4)?,
        result,
        texts: row.get(6)?,
    }))
}

impl Store {
    /// The result of a key, without its parts.
    ///
    /// # Errors
    /// If the database cannot be read; so for all that follows.
    pub fn cached(&self, key: &str) -> Result<Option<Entry>> {
        let sql = format!("SELECT {COLUMNS} FROM results WHERE key = ?1");
        self.inner
            .read(|connection| connection.prepare_cached(&sql)?.query_row([key], entry).optional())
            .map(Option::flatten)
    }

    /// The parts of the latest result of a step, by the name of its workflow and its path.
    ///
    /// # Errors
    /// See [`Store::cached`].
    pub fn latest_cached(&self, workflow: &str, step: &str) -> Result<Option<Vec<(String, String)>>> {
        let sql = "SELECT parts FROM results WHERE workflow = ?1 AND step = ?2 ORDER BY at DESC LIMIT 1";
        let parts = self.inner.read(|connection| {
            connection.prepare_cached(sql)?.query_row([workflow, step], |row| row.get::<_, String>(0)).optional()
        })?;
        Ok(parts.and_then(|parts| serde_json::from_str(&parts).ok()))
    }

    /// Keeps results of a workflow with the next transaction. Does not wait for it, so it may be called anywhere.
    pub fn keep_results(&self, workflow: &str, entries: Vec<Entry>) {
        let workflow = workflow.to_owned();
        self.in_passing(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO results (key, workflow, step, run, at, used_at, result, texts, parts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for entry in &entries {
                let (Ok(result), Ok(parts)) =
                    (serde_json::to_string(&entry.result), serde_json::to_string(&entry.parts))
                else {
                    continue;
                };
                let (at, used) = (entry.at as i64, entry.used_at as i64);
                insert.execute(params![
                    entry.key,
                    workflow,
                    entry.step,
                    entry.run,
                    at,
                    used,
                    result,
                    entry.texts,
                    parts
                ])?;
            }
            Ok(())
        });
    }

    /// A result is used. Does not wait, either.
    pub fn used_result(&self, entry: &Entry) {
        let now = now_ms();
        if now.saturating_sub(entry.used_at) > DAY {
            let key = entry.key.clone();
            self.in_passing(move |connection| {
                let mut update = connection.prepare_cached("UPDATE results SET used_at = ?2 WHERE key = ?1")?;
                update.execute(params![key, now as i64]).map(|_| ())
            });
        }
    }

    /// Forgets results by their keys. Does not wait for it. Their long files stay until nobody has used them for long.
    pub fn forget_keys(&self, keys: Vec<String>) {
        self.in_passing(move |connection| {
            let mut delete = connection.prepare_cached("DELETE FROM results WHERE key = ?1")?;
            keys.iter().try_for_each(|key| delete.execute([key]).map(|_| ()))
        });
    }

    /// The hashes of those of these files that are as they were when they were hashed.
    ///
    /// # Errors
    /// See [`Store::cached`].
    pub fn file_hashes(&self, files: &[&Stamp]) -> Result<Vec<Option<String>>> {
        self.inner.read(|connection| {
            // One look at the database, not one for each file.
            let reading = connection.unchecked_transaction()?;
            let mut statement = reading.prepare_cached(
                "SELECT sha256 FROM files
                 WHERE path = ?1 AND bytes = ?2 AND inode = ?3 AND changed_ns = ?4 AND touched_ns = ?5",
            )?;
            let mut hash = |file: &&Stamp| {
                let (bytes, inode) = (file.bytes as i64, file.inode as i64);
                statement
                    .query_row(params![file.path, bytes, inode, file.changed_ns, file.touched_ns], |row| row.get(0))
                    .optional()
            };
            files.iter().map(&mut hash).collect()
        })
    }

    /// Remembers the hashes of files. Does not wait for it.
    pub fn keep_hashes(&self, files: Vec<(Stamp, String)>) {
        self.in_passing(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO files (path, bytes, inode, changed_ns, touched_ns, sha256, hashed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for (file, hash) in &files {
                let (bytes, inode) = (file.bytes as i64, file.inode as i64);
                insert.execute(params![
                    file.path,
                    bytes,
                    inode,
                    file.changed_ns,
                    file.touched_ns,
                    hash,
                    now_ms() as i64
                ])?;
            }
            Ok(())
        });
    }

    /// The folder for the long files of a result.
    pub fn result_folder(&self, key: &str) -> PathBuf {
        self.inner.home.join("cache").join(key)
    }

    /// Forgets the results that nobody has used since a moment (in milliseconds since 1970), and the files of all that
    /// are forgotten. Gives how many they were.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget_results(&self, unused_since: u64) -> Result<usize> {
        let since = unused_since as i64;
        let sql = "SELECT count(*) FROM results WHERE used_at < ?1";
        let count: i64 = self.inner.read(|connection| connection.query_row(sql, [since], |row| row.get(0)))?;
        self.write(move |connection| {
            connection.execute("DELETE FROM results WHERE used_at < ?1", [since])?;
            connection.execute("DELETE FROM files WHERE hashed_at < ?1", [since]).map(|_| ())
        })?;
        let folders = std::fs::read_dir(self.inner.home.join("cache"));
        for folder in folders.into_iter().flatten().flatten() {
            let name = folder.file_name();
            let changed = folder.metadata().and_then(|metadata| metadata.modified());
            let changed = changed.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            // The files of a result are there before it is.
            let is_new = changed.is_none_or(|since| since.as_millis() as u64 >= unused_since);
            if !is_new && name.to_str().is_some_and(|key| matches!(self.cached(key), Ok(None))) {
                // One that stays does no harm.
                let _ = std::fs::remove_dir_all(folder.path());
            }
        }
        Ok(count.max(0) as usize)
    }

    /// Does something inside the writer's next transaction. Nobody waits for it, or is told how it went.
    fn in_passing(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        if let Ok(writer) = self.inner.writer() {
            let quietly = move |connection: &Connection| {
                if let Err(error) = work(connection) {
                    tracing::warn!(%error, "the cache cannot be written");
                }
                // An error here must not take the events of the same transaction with it.
                Ok(())
            };
            writer.send(Job::Do { work: Box::new(quietly), done: Done::new(|_| {}) });
        }
    }
}
