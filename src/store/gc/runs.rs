//! Runs that are over and not to be kept.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, params};

use super::shrink::folder_bytes;
use super::{Collected, CollectedRun, Deadline, GcOptions};
use crate::diag::Result;
use crate::store::lock::RunLock;
use crate::store::{Store, key_of, locked, projection};

/// Most runs and most events in one transaction: others wait for it. In passing: fewer, to be done in time.
const MOST_RUNS: usize = 64;
const FEW_RUNS: usize = 8;
const MOST_EVENTS: u64 = 20_000;

/// Which runs are over.
const OVER: &str = "ended_at IS NOT NULL AND status IN ('success', 'failed', 'cancelled')";

impl Store {
    /// What a collection would remove of runs.
    pub(super) fn would_remove(&self, options: &GcOptions, done: &mut Collected) -> Result<()> {
        for mut run in self.candidates(options)? {
            if self.is_alive(&run.run) {
                done.busy.push(run.run);
                continue;
            }
            let files = folder_bytes(&self.run_folder(&run.run));
            done.files_bytes += files;
            run.bytes += files;
            done.runs.push(run);
        }
        self.would_remove_unused(options, done)
    }

    pub(super) fn remove_runs(&self, options: &GcOptions, deadline: Deadline, done: &mut Collected) -> Result<()> {
        let most = if options.in_passing.is_some() { FEW_RUNS } else { MOST_RUNS };
        let mut rest = self.candidates(options)?.into_iter().peekable();
        while rest.peek().is_some() {
            if deadline.is_over() {
                done.unfinished = true;
                break;
            }
            let (mut batch, mut events) = (Vec::new(), 0);
            while batch.len() < most
                && let Some(run) = rest.next_if(|run| batch.is_empty() || events + run.events <= MOST_EVENTS)
            {
                events += run.events;
                batch.push(run);
            }
            self.remove_batch(batch, done)?;
        }
        Ok(())
    }

    /// The runs that are to go, oldest first; also those that are over and whose folders are gone.
    fn candidates(&self, options: &GcOptions) -> Result<Vec<CollectedRun>> {
        let runs = self.inner.home.join("runs");
        let keeps = |run: &CollectedRun, place: u64| {
            let in_time = options.since.is_some_and(|since| run.ended_at >= since);
            let new = options.newest.is_some_and(|newest| place < newest);
            let said = options.since.is_some() || options.newest.is_some();
            in_time || new || !said
        };
        let mut found = self.inner.read(over)?;
        // Without the folder of all runs this is a database that somebody has put elsewhere.
        let folders = runs.is_dir();
        let mut place = 0;
        found.retain_mut(|run| {
            run.without_folder = folders && !runs.join(&run.run).exists();
            let kept = keeps(run, place);
            place += 1;
            !kept || run.without_folder
        });
        if options.dry_run {
            self.inner.read(|connection| found.iter_mut().try_for_each(|run| weigh(connection, run)))?;
        }
        found.reverse();
        Ok(found)
    }

    /// Step 2 of the collection.
    fn remove_batch(&self, batch: Vec<CollectedRun>, done: &mut Collected) -> Result<()> {
        let mut locks = Vec::new();
        let mut free = Vec::new();
        for run in batch {
            let folder = self.run_folder(&run.run);
            if run.without_folder {
                // Nothing to be locked, and nothing to be made for it.
                free.push((run, folder));
                continue;
            }
            // Asked first, since taking a lock that is held means waiting a little.
            match (!self.is_alive(&run.run)).then(|| self.lock(&run.run, &folder)) {
                Some(Ok(lock)) => {
                    locks.push(lock);
                    free.push((run, folder));
                }
                Some(Err(problem)) if problem.code() != "flow::run::busy" => done.failed.push(problem.to_string()),
                _ => done.busy.push(run.run),
            }
        }
        let gone: Arc<Mutex<Vec<CollectedRun>>> = Arc::default();
        let tell = gone.clone();
        self.write(move |connection| {
            for (mut run, folder) in free {
                if run.without_folder && folder.exists() {
                    // Somebody took it up meanwhile.
                    continue;
                }
                weigh(connection, &mut run)?;
                if delete(connection, &run)? {
                    locked(&tell).push(run);
                }
            }
            Ok(())
        })?;
        let gone = std::mem::take(&mut *locked(&gone));
        let names: Vec<String> = gone.iter().map(|run| run.run.clone()).collect();
        for mut run in gone {
            let files = self.remove_folder(&run.run, done);
            run.bytes += files;
            done.runs.push(run);
        }
        drop::<Vec<RunLock>>(locks);
        self.forget_removed(names)
    }

    /// Removes the folder of a run that the database knows no more. Gives the length of its files.
    pub(super) fn remove_folder(&self, run: &str, done: &mut Collected) -> u64 {
        let folder = self.run_folder(run);
        let bytes = folder_bytes(&folder);
        match remove_all(&folder) {
            Ok(()) => {
                done.files_bytes += bytes;
                bytes
            }
            Err(error) => {
                done.failed.push(format!("cannot remove `{}`: {error}", folder.display()));
                0
            }
        }
    }

    /// Of these runs nothing remains. (If a folder does, it is noted still.)
    pub(super) fn forget_removed(&self, runs: Vec<String>) -> Result<()> {
        let gone: Vec<String> = runs.into_iter().filter(|run| !self.run_folder(run).exists()).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.write(move |connection| {
            let mut delete = connection.prepare_cached("DELETE FROM removed WHERE run = ?1")?;
            gone.iter().try_for_each(|run| delete.execute([run]).map(|_| ()))
        })
    }

    /// The ids of all runs.
    pub(super) fn known_runs(&self) -> Result<HashSet<String>> {
        self.inner.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM runs")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }
}

/// Removes a folder with all that is in it; that it is not there is no failure.
pub(super) fn remove_all(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The runs that are over, newest first.
fn over(connection: &Connection) -> rusqlite::Result<Vec<CollectedRun>> {
    let sql =
        format!("SELECT number, id, workflow, status, ended_at, events FROM runs WHERE {OVER} ORDER BY number DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let runs = statement.query_map([], |row| {
        Ok(CollectedRun {
            number: row.get(0)?,
            run: row.get(1)?,
            workflow: row.get(2)?,
            status: projection::status(&row.get::<_, String>(3)?).unwrap_or_default(),
            ended_at: row.get::<_, i64>(4)?.max(0) as u64,
            events: row.get::<_, i64>(5)?.max(0) as u64,
            bytes: 0,
            without_folder: false,
        })
    })?;
    runs.collect()
}

/// The length of the events of a run.
fn weigh(connection: &Connection, run: &mut CollectedRun) -> rusqlite::Result<()> {
    let bytes: i64 = connection
        .prepare_cached("SELECT coalesce(sum(octet_length(event) + 50), 0) FROM events WHERE key >= ?1 AND key < ?2")?
        .query_row(params![key_of(run.number, 0), key_of(run.number + 1, 0)], |row| row.get(0))?;
    run.bytes = bytes.max(0) as u64;
    Ok(())
}

/// Removes all that the database has of a run, if it is still as it was when it was chosen.
fn delete(connection: &Connection, run: &CollectedRun) -> rusqlite::Result<bool> {
    let sql = format!("DELETE FROM runs WHERE number = ?1 AND id = ?2 AND ended_at = ?3 AND {OVER}");
    let ended = run.ended_at as i64;
    if connection.prepare_cached(&sql)?.execute(params![run.number, run.run, ended])? == 0 {
        return Ok(false);
    }
    connection
        .prepare_cached("DELETE FROM events WHERE key >= ?1 AND key < ?2")?
        .execute([key_of(run.number, 0), key_of(run.number + 1, 0)])?;
    for sql in [
        "DELETE FROM signatures WHERE run = ?1",
        "DELETE FROM inbox WHERE run = ?1",
        "INSERT OR IGNORE INTO removed (run) VALUES (?1)",
    ] {
        connection.prepare_cached(sql)?.execute([&run.run])?;
    }
    Ok(true)
}
