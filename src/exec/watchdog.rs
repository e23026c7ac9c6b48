//! The watchdog: a small process that outlives ours, however that ends, and then ends what a run has left behind.
//!
//! It waits at a pipe whose other end only we hold. When the pipe is closed we are gone (also by `kill -9`), and it ends
//! every process that bears the run's mark in its environment, and the groups and descendants of those that it was told
//! of: SIGTERM, the grace time, SIGKILL. (A parent-death signal would do for children only, and needs a hook that makes each
//! start of a process half as slow again.)
//!
//! It is told of the first process of each attempt, and of adopted ones (see `children`), by a list in memory that it reads
//! only then: to write a line there costs less than to start a process by far, and wakes nobody.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;

use super::children;
use super::tree::Process;

/// Its own environment has no mark, and its standard output is the list: numbers of processes, a line each.
const SCRIPT: &str = include_str!("watchdog.sh");

/// The watchdog of a run.
#[derive(Default)]
pub(super) struct Watchdog(Mutex<Option<Dog>>);

struct Dog {
    child: Child,
    list: List,
    adopted: HashMap<Process, usize>,
}

/// What the watchdog is told.
struct List {
    file: File,
    /// Lines that are empty, and how many there are in all.
    free: Vec<usize>,
    lines: usize,
}

/// Length of a line.
const LINE: usize = 12;

impl List {
    fn new() -> io::Result<Self> {
        let file = memfd_create("flow-processes", MemfdFlags::CLOEXEC)?.into();
        Ok(List { file, free: Vec::new(), lines: 0 })
    }

    fn write(&self, line: usize, number: i32) {
        // If it fails, there are still the marks.
        let _ = self.file.write_all_at(format!("{number:<11}\n").as_bytes(), (line * LINE) as u64);
    }

    fn add(&mut self, pid: Pid) -> usize {
        let line = self.free.pop().unwrap_or(self.lines);
        self.lines = self.lines.max(line + 1);
        self.write(line, pid.as_raw_nonzero().get());
        line
    }

    fn remove(&mut self, line: usize) {
        self.write(line, 0);
        self.free.push(line);
    }
}

impl Watchdog {
    fn dog(&self) -> MutexGuard<'_, Option<Dog>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it if it is not there yet. `run`: the run's id.
    pub fn begin(&self, run: &str, grace: Duration) {
        let mut dog = self.dog();
        if dog.is_none() {
            // Without it a run goes on as well: only what a kill leaves behind has then to wait for the resume.
            *dog = start(run, grace).ok();
        }
    }

    /// Tells it of the first process of an attempt. Gives what [`Watchdog::forget`] needs.
    pub fn tell(&self, leader: Pid) -> Option<usize> {
        self.dog().as_mut().map(|dog| dog.list.add(leader))
    }

    /// That process is about to be reaped: its number may then be given to others.
    pub fn forget(&self, line: Option<usize>) {
        if let (Some(dog), Some(line)) = (self.dog().as_mut(), line) {
            dog.list.remove(line);
        }
    }

    /// Tells it which adopted processes there are now.
    pub fn adopted(&self, living: &[Process]) {
        let mut dog = self.dog();
        let Some(Dog { list, adopted, .. }) = dog.as_mut() else { return };
        adopted.retain(|process, line| {
            let lives = living.contains(process);
            if !lives {
                list.remove(*line);
            }
            lives
        });
        for process in living {
            adopted.entry(*process).or_insert_with(|| list.add(process.pid));
        }
    }

    /// The run is over, and what it has left behind is meant to stay.
    pub fn call_off(&self) {
        if let Some(mut dog) = self.dog().take() {
            // Before the pipe is closed, with what is left of the child.
            let _ = dog.child.kill();
            let _ = children::reap(dog.child);
        }
    }
}

fn start(run: &str, grace: Duration) -> io::Result<Dog> {
    let list = List::new()?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SCRIPT, "flow-watchdog", &format!("FLOW_RUN={run}")])
        .arg(grace.as_secs().max(1).to_string())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(list.file.try_clone()?)
        .stderr(Stdio::null());
    Ok(Dog { child: children::spawn(&mut command)?, list, adopted: HashMap::new() })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn a_line_that_is_free_is_used_again() {
        let mut list = List::new().expect("memory");
        let pid = |number| Pid::from_raw(number).expect("a number");
        let first = list.add(pid(4_194_304));
        list.add(pid(7));
        list.remove(first);
        list.add(pid(12));
        let mut text = String::new();
        list.file.rewind().expect("a file");
        list.file.read_to_string(&mut text).expect("a text");
        assert_eq!(text, "12         \n7          \n");
    }
}
