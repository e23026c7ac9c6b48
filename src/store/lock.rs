//! Who works on a run: a lock of the operating system on the file `lock` in the run's folder. It goes with the
//! process, however that ends, so there is no heartbeat and nothing to wait out. Its content is the process's id, for
//! people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// How long a refusal may last before it counts. Somebody who only looks whether the run is alive holds the lock for a
/// moment.
const PATIENCE: Duration = Duration::from_millis(10);

/// The same where the process that took the lock is gone, or is this one: a child that it was just starting has the
/// lock until it becomes another program, which a busy machine may put off.
const LONG_PATIENCE: Duration = Duration::from_secs(1);

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
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(NotLocked::Io(error)),
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    let patience = if holder.is_some_and(is_another) { PATIENCE } else { LONG_PATIENCE };
                    if begun.elapsed() > patience {
                        return Err(NotLocked::Busy(holder));
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(NotLocked::Io)?;
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

fn holder(file: &mut File) -> Option<u32> {
    let mut pid = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut pid).ok()?;
    pid.trim().parse().ok()
}

/// Is this a living process, and not ours?
fn is_another(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|_| pid != std::process::id()).and_then(Pid::from_raw);
    // One that may not be signalled lives as well.
    pid.is_some_and(|pid| test_kill_process(pid).err() != Some(Errno::SRCH))
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
        // A process that another test is just starting may have the lock for a moment longer.
        let begun = Instant::now();
        while is_held(folder.path()) {
            assert!(begun.elapsed() < LONG_PATIENCE * 10);
            std::thread::yield_now();
        }
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
