//! How much memory the processes of an attempt have.

use std::cell::Cell;
use std::fs;
use std::time::{Duration, Instant};

use rustix::param::page_size;
use rustix::process::Pid;

use crate::exec::tree::{Kin, Mark, Process, stat};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How often all processes there are are looked at, for those that have left the tree: that takes longer.
const WIDE: u32 = 10;

/// See the module's page.
pub(super) struct Scales {
    leader: Pid,
    mark: Mark,
    next: Instant,
    looks: u32,
    /// Those that have left the tree.
    apart: Vec<Process>,
}

impl Scales {
    /// For a process and all that it starts, which bears the mark.
    pub fn new(leader: Pid, mark: Mark) -> Self {
        Scales { leader, mark, next: Instant::now() + LOOK / 5, looks: 0, apart: Vec::new() }
    }

    /// What all of them have now, in KiB: nothing if it was looked at a moment ago. What several share is counted for
    /// each. 0 where that is not known.
    pub fn look(&mut self) -> Option<u64> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        let mut tree = vec![self.leader];
        let mut at = 0;
        while at < tree.len() {
            let next: Vec<Pid> = children(tree[at]).into_iter().filter(|pid| !tree.contains(pid)).collect();
            tree.extend(next);
            at += 1;
        }
        self.looks += 1;
        if self.looks.is_multiple_of(WIDE) {
            let kin = Kin { leader: Cell::new(Some(self.leader)), mark: &self.mark, orphans: &Vec::new };
            self.apart = kin.members();
        }
        self.apart.retain(|process| stat(process.pid).is_some_and(|stat| stat.began == process.began));
        tree.extend(self.apart.iter().map(|process| process.pid).filter(|pid| !tree.contains(pid)).collect::<Vec<_>>());
        Some(tree.into_iter().map(resident).sum())
    }
}

/// The children of all threads of a process.
fn children(pid: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let texts = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |text: String| -> Vec<Pid> {
        text.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect()
    };
    texts.flat_map(numbers).collect()
}

/// Resident memory in KiB (proc_pid_statm(5), second field).
fn resident(pid: Pid) -> u64 {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * (page_size() as u64 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_weighs_something() {
        let own = rustix::process::getpid();
        let mark = Mark { run: "nobody".into(), attempt: None, process: None };
        let mut scales = Scales { next: Instant::now(), ..Scales::new(own, mark) };
        assert!(scales.look().is_some_and(|kib| kib > 1000));
        assert_eq!(scales.look(), None);
    }
}
