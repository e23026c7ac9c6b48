//! Process trees, found by walking `/proc`: by process group, by descent, and by the marks in the environment, which also
//! find children that left the group or the session.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What the environment of every process of an attempt holds.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// The run's id.
    pub run: String,
    /// The step's path.
    pub step: String,
    /// The attempt.
    pub attempt: u32,
}

impl Mark {
    fn is_on(&self, environment: &[u8]) -> bool {
        let attempt = self.attempt.to_string();
        let mut found = 0;
        for entry in environment.split(|byte| *byte == 0) {
            for (name, value) in [("FLOW_RUN=", &self.run), ("FLOW_STEP=", &self.step), ("FLOW_ATTEMPT=", &attempt)] {
                if entry.strip_prefix(name.as_bytes()) == Some(value.as_bytes()) {
                    found += 1;
                }
            }
        }
        found == 3
    }
}

/// A process, told apart from a later one with the same number by the time it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: Pid,
    began: u64,
}

impl Process {
    fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.began == self.began && !stat.is_dead)
    }

    fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may have ended this moment; then there is nothing to do.
            let _ = kill_process(self.pid, signal);
        }
    }
}

struct Stat {
    parent: i32,
    group: i32,
    began: u64,
    is_dead: bool,
}

/// The fields of `/proc/PID/stat` that matter here (proc_pid_stat(5): 3 state, 4 ppid, 5 pgrp, 22 starttime).
fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 2..)?.split(' ').collect();
    Some(Stat {
        is_dead: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

/// All living processes of an attempt: those of the group, those that descend from its first process, and those that
/// bear the mark.
pub(super) fn members(leader: Option<Pid>, mark: &Mark) -> Vec<Process> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(Pid, Stat)> = folder
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)?;
            Some((pid, stat(pid)?))
        })
        .collect();
    let own = std::process::id();
    let mut found: Vec<Pid> = Vec::new();
    for (pid, stat) in &all {
        let in_group = leader.is_some_and(|leader| stat.group == leader.as_raw_nonzero().get());
        if in_group || pid.as_raw_nonzero().get() as u32 != own && bears(*pid, mark) {
            found.push(*pid);
        }
    }
    // Descendants, generation by generation.
    let mut at = 0;
    found.extend(leader.filter(|leader| !found.contains(leader)));
    while at < found.len() {
        let parent = found[at].as_raw_nonzero().get();
        for (pid, stat) in &all {
            if stat.parent == parent && !found.contains(pid) {
                found.push(*pid);
            }
        }
        at += 1;
    }
    all.iter()
        .filter(|(pid, stat)| !stat.is_dead && found.contains(pid))
        .map(|(pid, stat)| Process { pid: *pid, began: stat.began })
        .collect()
}

fn bears(pid: Pid, mark: &Mark) -> bool {
    let mut environment = Vec::new();
    fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|mut file| file.read_to_end(&mut environment))
        .is_ok_and(|_| mark.is_on(&environment))
}

/// Asks a whole tree to end, or makes it end. Gives the processes that were found.
pub(super) fn signal(leader: Option<Pid>, mark: &Mark, signal: Signal) -> Vec<Process> {
    if let Some(leader) = leader {
        // Without members the group is gone: nothing to do.
        let _ = kill_process_group(leader, signal);
    }
    let members = members(leader, mark);
    for member in &members {
        member.signal(signal);
    }
    members
}

/// Waits until what is left of a tree is gone, and ends what remains at the deadline.
///
/// There is no way to be told of the end of processes that are not our children, so this looks again and again; it
/// happens only after a kill whose first process has ended before the others.
pub(super) fn finish(leader: Pid, mark: &Mark, known: &[Process], deadline: Instant) {
    let mut left = members(Some(leader), mark);
    left.extend(known.iter().filter(|known| !left.contains(known)).copied().collect::<Vec<_>>());
    let mut pause = Duration::from_millis(1);
    let mut hard = false;
    loop {
        left.retain(|process| process.is_alive());
        if left.is_empty() || hard && Instant::now() > deadline + Duration::from_secs(2) {
            return;
        }
        if !hard && Instant::now() >= deadline {
            hard = true;
            left.extend(signal(None, mark, Signal::KILL));
            left.iter().for_each(|process| process.signal(Signal::KILL));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Ends, at once, what an attempt has left behind whose flow process is gone: before it is made again.
pub fn end_marked(run: &str, path: &str, attempt: u32) {
    let mark = Mark { run: run.to_owned(), step: path.to_owned(), attempt };
    let left = signal(None, &mark, Signal::KILL);
    for _ in 0..100 {
        if !left.iter().any(|process| process.is_alive()) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_all_three_variables() {
        let mark = Mark { run: "r1".into(), step: "a/b".into(), attempt: 2 };
        assert!(mark.is_on(b"HOME=/\0FLOW_RUN=r1\0FLOW_STEP=a/b\0FLOW_ATTEMPT=2\0"));
        assert!(!mark.is_on(b"FLOW_RUN=r1\0FLOW_STEP=a/b\0FLOW_ATTEMPT=1\0"));
        assert!(!mark.is_on(b"FLOW_RUN=r10\0FLOW_STEP=a/b\0FLOW_ATTEMPT=2\0"));
    }

    #[test]
    fn this_process_is_found() {
        let own = rustix::process::getpid();
        assert!(stat(own).is_some_and(|stat| !stat.is_dead && stat.began > 0));
    }
}
