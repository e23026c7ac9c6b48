//! Empty files for the streams of processes.
//!
//! Most processes write nothing to standard error, many nothing at all, and to create and to remove a file costs more
//! than everything else that flow does for a process. So a file that stayed empty is given to the next process; one that
//! was written to, or whose process runs for long, is renamed to what it is.
//!
//! A child that a process left behind may still hold its streams. Each file is locked (flock(2)) by the open file that
//! the process inherits: as long as anybody has that, the file cannot be locked again and is not used again. (For a
//! moment that may also be a process that another thread just starts, so such a file is tried again later.)

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::capture::{Captured, Logs, store_failure};
use crate::event::Failure;

/// The files of a run that are empty.
#[derive(Default)]
pub(super) struct Blanks(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order in which they became free.
    free: VecDeque<PathBuf>,
    made: u32,
}

/// How many free files are tried before a new one is made.
const TRIES: u32 = 2;

impl Blanks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, folder: &Path, anew: bool) -> PathBuf {
        let mut state = self.state();
        let free = if anew { None } else { state.free.pop_front() };
        free.unwrap_or_else(|| {
            state.made += 1;
            folder.join(format!("logs/.blank-{}", state.made))
        })
    }

    /// Removes those that are free.
    pub fn remove(&self) {
        for path in self.state().free.drain(..) {
            // If it stays it does no harm.
            let _ = fs::remove_file(path);
        }
    }

    fn give_back(&self, path: PathBuf) {
        self.state().free.push_back(path);
    }
}

/// One stream of a process.
pub(super) struct Stream<'a> {
    blanks: &'a Blanks,
    logs: &'a Logs,
    /// `out` or `err`.
    ending: &'static str,
    blank: PathBuf,
    /// Has it got the name that it has in events?
    named: bool,
    /// Can it be known whether anybody has it open?
    locked: bool,
}

impl<'a> Stream<'a> {
    /// An empty file, and the stream that it is for.
    pub fn open(blanks: &'a Blanks, logs: &'a Logs, ending: &'static str) -> Result<(Self, File), Failure> {
        let mut tries = 0;
        loop {
            let blank = blanks.next(logs.folder(), tries >= TRIES);
            tries += 1;
            let open = || {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&blank)?;
                let locked = file.try_lock();
                let is_empty = file.metadata()?.len() == 0;
                io::Result::Ok((file, locked, is_empty))
            };
            let (file, locked, is_empty) = open().map_err(|error| store_failure("create", &blank, &error))?;
            if !is_empty {
                // Somebody has written to it since. It is theirs, without a name.
                fs::remove_file(&blank).map_err(|error| store_failure("remove", &blank, &error))?;
            } else if matches!(locked, Err(TryLockError::WouldBlock)) {
                blanks.give_back(blank);
            } else {
                let stream = Stream { blanks, logs, ending, blank, named: false, locked: locked.is_ok() };
                return Ok((stream, file));
            }
        }
    }

    /// Gives the file its name, so that others can look at it while the process runs.
    pub fn name(&mut self) {
        // If it fails, it fails once more at the end, where it is told.
        self.named = self.named || fs::rename(&self.blank, self.logs.path(self.ending)).is_ok();
    }

    /// How many bytes are in it now.
    pub fn length(&self) -> u64 {
        let now = if self.named { &self.logs.path(self.ending) } else { &self.blank };
        // If it is not known, it is told at the end.
        fs::metadata(now).map_or(0, |file| file.len())
    }

    /// What the process left in it, at most so many bytes: nothing if it is empty.
    pub fn take(self, limit: u64) -> Result<Option<Captured>, Failure> {
        let path = self.logs.path(self.ending);
        let take = || {
            let now = if self.named { &path } else { &self.blank };
            let mut bytes = fs::metadata(now)?.len();
            if bytes > limit {
                OpenOptions::new().write(true).open(now)?.set_len(limit)?;
                bytes = limit;
            }
            if bytes > 0 {
                if !self.named {
                    fs::rename(&self.blank, &path)?;
                }
                return Captured::of(self.logs.name(self.ending), path.clone(), bytes).map(Some);
            }
            if !self.locked {
                fs::remove_file(now)?;
            } else {
                if self.named {
                    fs::rename(&path, &self.blank)?;
                }
                self.blanks.give_back(self.blank);
            }
            Ok(None)
        };
        take().map_err(|error| store_failure("read", &path, &error))
    }
}
