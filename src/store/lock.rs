//! Who works on a run: a lock of the operating system on the file `lock` in the run's folder. It goes with the
//! process, however that ends, so there is no heartbeat and nothing to wait out. Its content is the process's id, for
//! people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock of one run, held until this is dropped.
#[derive(Debug)]
pub(super) struct RunLock {
    file: Option<File>,
    folder: PathBuf,
    /// How many folders to remove afterwards if they are empty, this one first: of a log in memory nothing need remain
    /// but files that processes wrote.
    tidy: usize,
}

/// Why the lock could not be had.
#[derive(Debug)]
pub(super) enum NotLocked {
    /// Another process (or another part of this one) holds it; its id, if it could be read.
    Busy(Option<u32>),
    /// The file cannot be opened or locked.
    Io(io::Error),
}

impl RunLock {
    /// Takes the lock of the run in `folder`, which must be there. `tidy`: how many folders to remove afterwards if
    /// they are empty, beginning with this one.
    pub(super) fn take(folder: &Path, tidy: usize) -> Result<RunLock, NotLocked> {
        let path = path(folder);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(NotLocked::Io)?;
        // Somebody who only looks whether the run is alive holds the lock for a moment, so one refusal says nothing.
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(NotLocked::Io(error)),
                Err(TryLockError::WouldBlock) if tries < 5 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    let _ = file.read_to_string(&mut pid);
                    return Err(NotLocked::Busy(pid.trim().parse().ok()));
                }
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(NotLocked::Io)?;
        Ok(RunLock { file: Some(file), folder: folder.to_owned(), tidy })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.tidy > 0 {
            // Safe only because a log in memory has no other process that could want this lock.
            let _ = std::fs::remove_file(path(&self.folder));
            for folder in self.folder.ancestors().take(self.tidy) {
                let _ = std::fs::remove_dir(folder);
            }
        }
        self.file.take();
    }
}

/// Does a process work on the run in this folder?
pub(super) fn is_held(folder: &Path) -> bool {
    // A shared lock, so that two who look do not take each other for the run's process.
    File::open(path(folder)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()));
        let lock = RunLock::take(folder.path(), 0).unwrap();
        assert!(is_held(folder.path()) && is_held(folder.path()));
        match RunLock::take(folder.path(), 0) {
            Err(NotLocked::Busy(pid)) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert!(!is_held(folder.path()));
        RunLock::take(folder.path(), 0).unwrap();
    }

    #[test]
    fn a_tidy_lock_leaves_nothing_but_what_others_wrote() {
        let home = tempfile::tempdir().unwrap();
        let (empty, used) = (home.path().join("runs/a"), home.path().join("runs/b"));
        for folder in [&empty, &used] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(used.join("out"), "x").unwrap();
        drop(RunLock::take(&empty, 2).unwrap());
        drop(RunLock::take(&used, 2).unwrap());
        assert!(!empty.exists());
        assert_eq!(std::fs::read_dir(&used).unwrap().count(), 1);
    }
}
