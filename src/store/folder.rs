//! The folder of a run: its lock, its logs, its large outputs.

use std::path::{Path, PathBuf};

use super::lock::{NotLocked, RunLock};
use super::{Durability, Inner, Store, failure, lock, new_run_id};
use crate::diag::{Diagnostic, Result};

impl Store {
    /// The folder of a run's logs and large outputs; it need not exist.
    pub fn run_folder(&self, run: &str) -> PathBuf {
        self.inner.run_folder(run)
    }

    /// Does a process work on this run?
    pub fn is_alive(&self, run: &str) -> bool {
        self.inner.is_alive(run)
    }

    /// A new run's id, and its folder and lock.
    pub(super) fn new_folder(&self, at: u64) -> Result<(String, PathBuf, RunLock)> {
        let mut tries = 0;
        loop {
            let run = new_run_id(at);
            let folder = self.run_folder(&run);
            let parent = self.inner.home.join("runs");
            let made = std::fs::create_dir_all(&parent).and_then(|()| std::fs::create_dir(&folder));
            match made {
                Ok(()) => {
                    let lock = self.lock(&run, &folder)?;
                    return Ok((run, folder, lock));
                }
                // The id is taken, or somebody tidied up `runs` just now.
                Err(error)
                    if tries < 100
                        && parent.is_dir()
                        && matches!(error.kind(), std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotFound) =>
                {
                    tries += 1;
                }
                Err(error) => return Err(failure::file(&error, "cannot create the folder", &folder)),
            }
        }
    }

    /// Takes the lock of a run, in its folder.
    pub(super) fn lock(&self, run: &str, folder: &Path) -> Result<RunLock> {
        std::fs::create_dir_all(folder).map_err(|e| failure::file(&e, "cannot create the folder", folder))?;
        let tidy = match self.inner.durability {
            Durability::None => 2 + usize::from(self.inner.made_home),
            Durability::Normal | Durability::Full => 0,
        };
        RunLock::take(folder, tidy).map_err(|error| match error {
            NotLocked::Io(error) => failure::file(&error, "cannot lock the run in", folder),
            NotLocked::Busy(pid) => {
                let who = pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
                busy(&who, run)
            }
        })
    }

    /// Does nobody work on the run just now?
    ///
    /// # Errors
    /// `flow::run::busy` if somebody does.
    pub fn is_free(&self, run: &str) -> Result<()> {
        match self.is_alive(run) {
            true => Err(busy("a process", run)),
            false => Ok(()),
        }
    }
}

fn busy(who: &str, run: &str) -> Diagnostic {
    Diagnostic::new("flow::run::busy", format!("{who} works on run `{run}`"))
        .help(format!("`flow logs {run} -f` follows it, `flow cancel {run}` ends it"))
}

impl Inner {
    pub(super) fn run_folder(&self, run: &str) -> PathBuf {
        self.home.join("runs").join(run)
    }

    pub(super) fn is_alive(&self, run: &str) -> bool {
        lock::is_held(&self.run_folder(run))
    }
}
