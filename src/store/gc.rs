//! Removing what is no longer wanted: runs that are over, with their logs, and what then belongs to nothing.
//!
//! 1. What an earlier collection did not come to the end of is finished first; then what has lost its other half (a folder
//!    without a run, a run without its folder, events of no run) goes.
//! 2. Runs go in batches. Their locks are taken, so nobody works on them; one transaction removes all that the database has
//!    of them and notes that their folders are to go; then the folders go, and the note.
//! 3. Texts and results that nothing refers to any more go.
//! 4. The database is made smaller, if that is worth it and nobody works.
//!
//! A collection can be ended at any moment: there is never a run without its events, and what is left over is found by
//! the note, or as something that belongs to nothing.

mod orphans;
mod runs;
mod shrink;
mod unused;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::{Durability, Store, failure};
use crate::diag::Result;
use crate::event::RunStatus;

/// What is kept, and how a collection goes about it.
#[derive(Clone, Debug, Default)]
pub struct GcOptions {
    /// Runs that ended at this time or later are kept (milliseconds since 1970). Nothing: no time keeps them.
    pub since: Option<u64>,
    /// So many of the newest runs that are over are kept, whenever they ended.
    pub newest: Option<u64>,
    /// Only says what would be done.
    pub dry_run: bool,
    /// Does as much as there is time for, and nothing at all if it was done less than this time ago or is being done.
    pub in_passing: Option<InPassing>,
}

/// For a collection that nobody asked for.
#[derive(Clone, Copy, Debug)]
pub struct InPassing {
    /// Not sooner after the one before.
    pub every: Duration,
    /// About how long it may take.
    pub most: Duration,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Runs.
    pub runs: Vec<CollectedRun>,
    /// Runs that would go, but somebody works on them.
    pub busy: Vec<String>,
    /// Folders that belonged to no run.
    pub folders: u64,
    /// Texts that no run was made from.
    pub sources: u64,
    /// Results that nobody used any more.
    pub results: u64,
    /// Length of all the files that were removed.
    pub files_bytes: u64,
    /// Length of the database before.
    pub database_before: u64,
    /// And after.
    pub database_after: u64,
    /// What is free in it then, and will be used again.
    pub database_free: u64,
    /// What could not be removed, and why.
    pub failed: Vec<String>,
    /// There was no time for all.
    pub unfinished: bool,
}

/// A run that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectedRun {
    /// Its id.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// How it ended.
    pub status: RunStatus,
    /// When, in milliseconds since 1970.
    pub ended_at: u64,
    /// Length of its files and of its events.
    pub bytes: u64,
    /// Its folder was gone already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_folder: bool,
    #[serde(skip)]
    number: i64,
    #[serde(skip)]
    events: u64,
}

/// When what is going on has to come to an end.
#[derive(Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn is_over(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

impl Store {
    /// Removes runs that are over and not to be kept, and what belongs to nothing. Nothing, if it was not time for it.
    ///
    /// # Errors
    /// If the database cannot be read or written. What could not be removed from the disk is told in the result.
    pub fn gc(&self, options: &GcOptions) -> Result<Option<Collected>> {
        let mut done = Collected { database_before: self.inner.database_bytes(), ..Collected::default() };
        if options.dry_run {
            self.would_remove(options, &mut done)?;
            done.database_after = done.database_before;
            return Ok(Some(done));
        }
        let Some(_turn) = self.take_turn(options.in_passing)? else { return Ok(None) };
        let deadline = Deadline(options.in_passing.map(|passing| Instant::now() + passing.most));
        self.remove_orphans(&mut done)?;
        self.remove_runs(options, deadline, &mut done)?;
        if !deadline.is_over() {
            self.remove_unused(options, &mut done)?;
        }
        done.unfinished |= deadline.is_over();
        if !done.unfinished {
            self.shrink(options.in_passing.is_some())?;
        }
        done.database_after = self.inner.database_bytes();
        done.database_free = self.inner.read(shrink::free_bytes)?;
        Ok(Some(done))
    }

    /// Only one process collects at a time. When it did last is the time of the file.
    fn take_turn(&self, passing: Option<InPassing>) -> Result<Option<File>> {
        if self.inner.durability == Durability::None {
            return Ok(None);
        }
        let path = self.inner.home.join("gc");
        if passing.is_some_and(|passing| !is_older(&path, passing.every)) {
            return Ok(None);
        }
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let failed = |error: &std::io::Error| failure::file(error, "cannot write", &path);
        let file = open().map_err(|error| failed(&error))?;
        match passing {
            None => file.lock().map_err(|error| failed(&error))?,
            Some(passing) => match file.try_lock() {
                Ok(()) if file.metadata().is_ok_and(|now| now.len() > 0) && !is_older(&path, passing.every) => {
                    return Ok(None);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            },
        }
        std::fs::write(&path, format!("{}\n", std::process::id())).map_err(|error| failed(&error))?;
        Ok(Some(file))
    }
}

/// Was this last written so long ago, or never?
fn is_older(path: &Path, age: Duration) -> bool {
    let written = path.metadata().and_then(|file| file.modified());
    written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|passed| passed >= age))
        || !path.exists()
}
