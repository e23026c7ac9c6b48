//! Process trees, found by walking `/proc`: by process group, by descent, and by the marks in the environment, which also
//! find children that left the group or the session.

use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What the environment of every process of an attempt, or of a run, holds.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// The run's id.
    pub run: String,
    /// The step's path and the attempt; nothing: those of the whole run are meant.
    pub attempt: Option<(String, u32)>,
    /// The one process of a pipeline's attempt that is meant; nothing: all of them are.
    pub process: Option<u32>,
}

/// The variable that tells the processes of a pipeline's attempt apart.
pub(super) const PROCESS: &str = "FLOW_PROCESS";

impl Mark {
    fn is_on(&self, environment: &[u8]) -> bool {
        let mut wanted = vec![format!("FLOW_RUN={}", self.run)];
        if let Some((step, attempt)) = &self.attempt {
            wanted.extend([format!("FLOW_STEP={step}"), format!("FLOW_ATTEMPT={attempt}")]);
        }
        wanted.extend(self.process.map(|process| format!("{PROCESS}={process}")));
        let entries = environment.split(|byte| *byte == 0);
        entries.filter(|entry| wanted.iter().any(|wanted| wanted.as_bytes() == *entry)).count() == wanted.len()
    }
}

/// A process, told apart from a later one with the same number by the time it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    /// Its number.
    pub pid: Pid,
    /// When it began, in clock ticks since the system did.
    pub began: u64,
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

pub(super) struct Stat {
    pub parent: i32,
    pub group: i32,
    pub began: u64,
    pub is_dead: bool,
}

/// The fields of `/proc/PID/stat` that matter here (proc_pid_stat(5): 3 state, 4 ppid, 5 pgrp, 22 starttime).
pub(super) fn stat(pid: Pid) -> Option<Stat> {
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

/// All processes there are.
pub(super) fn all() -> Vec<(Pid, Stat)> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    folder
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)?;
            Some((pid, stat(pid)?))
        })
        .collect()
}

/// What belongs together.
pub(super) struct Kin<'a> {
    /// The first process of an attempt, whose group and descendants belong to it. Nothing any more when that group is
    /// empty: its number may then be given to others.
    pub leader: Cell<Option<Pid>>,
    /// Whoever bears it belongs to it.
    pub mark: &'a Mark,
    /// Further processes that belong to it, as they are when this is called: those whose parents have ended.
    pub orphans: &'a dyn Fn() -> Vec<Process>,
}

impl Kin<'_> {
    /// Those that bear the mark.
    pub fn marked(mark: &Mark) -> Kin<'_> {
        Kin { leader: Cell::new(None), mark, orphans: &Vec::new }
    }

    /// All its living processes.
    pub fn members(&self) -> Vec<Process> {
        let orphans = (self.orphans)();
        let all = all();
        let own = std::process::id();
        let in_group =
            |stat: &Stat| self.leader.get().is_some_and(|leader| stat.group == leader.as_raw_nonzero().get());
        if !all.iter().any(|(_, stat)| in_group(stat)) {
            self.leader.set(None);
        }
        let mut found: Vec<Pid> = orphans.iter().map(|process| process.pid).collect();
        for (pid, stat) in &all {
            if in_group(stat) || pid.as_raw_nonzero().get() as u32 != own && bears(*pid, self.mark) {
                found.push(*pid);
            }
        }
        // Descendants, generation by generation.
        let mut at = 0;
        found.extend(self.leader.get().filter(|leader| !found.contains(leader)));
        while at < found.len() {
            let parent = found[at].as_raw_nonzero().get();
            for (pid, stat) in &all {
                if stat.parent == parent && !found.contains(pid) {
                    found.push(*pid);
                }
            }
            at += 1;
        }
        let living = all.iter().filter(|(pid, stat)| !stat.is_dead && found.contains(pid));
        let mut members: Vec<Process> = living.map(|(pid, stat)| Process { pid: *pid, began: stat.began }).collect();
        // An orphan that was gone when the others were looked at may have left another one: somebody was there.
        members.extend(orphans.into_iter().filter(|orphan| !all.iter().any(|(pid, _)| *pid == orphan.pid)));
        members
    }

    /// Asks them all to end, or makes them end. Gives the processes that were found.
    pub fn signal(&self, signal: Signal) -> Vec<Process> {
        if let Some(leader) = self.leader.get() {
            // All at once, so that none is missed that is just being born. Without members the group is gone.
            let _ = kill_process_group(leader, signal);
        }
        // Those that live only for a moment are gone before all others have been looked at.
        (self.orphans)().into_iter().for_each(|orphan| orphan.signal(signal));
        let members = self.members();
        for member in &members {
            member.signal(signal);
        }
        if signal == Signal::TERM {
            // Only who is not stopped can react.
            members.iter().for_each(|member| member.signal(Signal::CONT));
        }
        members
    }

    /// Waits until all are gone, `left` among them, and ends what remains at the deadline. `hurry`: that is now.
    ///
    /// There is no way to be told of the end of processes that are not our children, so this looks again and again; it
    /// happens only after a kill whose first process has ended before the others. What is born meanwhile is seen with one
    /// of the next looks.
    pub fn finish(&self, mut left: Vec<Process>, deadline: Instant, hurry: &AtomicBool) {
        let mut pause = Duration::from_millis(1);
        let mut next_look = Instant::now();
        while Instant::now() < deadline && !hurry.load(Ordering::Relaxed) {
            left.retain(|process| process.is_alive());
            if left.is_empty() || Instant::now() >= next_look {
                // Others stay known, even if nothing tells any more that they belong here.
                let found = self.members();
                left.extend(found.into_iter().filter(|process| !left.contains(process)).collect::<Vec<_>>());
                next_look = Instant::now() + LOOK;
            }
            if left.is_empty() {
                break;
            }
            thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        // Several looks that find nobody: a chain of processes, each of which begins the next and ends, may slip through
        // one of them.
        let mut clean = 0;
        let patience = Instant::now() + STUBBORN;
        while clean < CLEAN && Instant::now() < patience {
            left.iter().for_each(|process| process.signal(Signal::KILL));
            left.retain(|process| process.is_alive());
            let chased = self.chase();
            let found = self.signal(Signal::KILL);
            clean = if !chased && found.is_empty() && left.is_empty() { clean + 1 } else { 0 };
            left.extend(found);
        }
    }

    /// Kills orphans as fast as they come, until several looks in a row find none. Were there any?
    ///
    /// To look at the own children takes far less time than a process needs to begin another one, to look at all
    /// processes takes more: so this catches those that live only for a moment.
    fn chase(&self) -> bool {
        let (mut any, mut quiet) = (false, 0);
        for _ in 0..CHASE {
            let orphans = (self.orphans)();
            quiet = if orphans.is_empty() { quiet + 1 } else { 0 };
            if quiet == CLEAN {
                break;
            }
            any |= !orphans.is_empty();
            orphans.into_iter().for_each(|orphan| orphan.signal(Signal::KILL));
        }
        any
    }
}

/// How many looks in a row must find nobody.
const CLEAN: u32 = 3;

/// How often orphans are looked for before all others are looked at again.
const CHASE: u32 = 200;

/// How often all processes are looked at, while some are known to live.
const LOOK: Duration = Duration::from_millis(250);

/// How long one tries to end what has been killed: a process within the kernel may take a while, or for ever.
const STUBBORN: Duration = Duration::from_secs(10);

fn bears(pid: Pid, mark: &Mark) -> bool {
    let mut environment = Vec::new();
    fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|mut file| file.read_to_end(&mut environment))
        .is_ok_and(|_| mark.is_on(&environment))
}

/// Ends, at once, what an attempt has left behind whose flow process is gone: before it is made again.
pub fn end_marked(run: &str, path: &str, attempt: u32) {
    let mark = Mark { run: run.to_owned(), attempt: Some((path.to_owned(), attempt)), process: None };
    Kin::marked(&mark).finish(Vec::new(), Instant::now(), &AtomicBool::new(true));
}

/// Ends, at once, all that a run has left behind whose flow process is gone.
pub fn end_run(run: &str) {
    let mark = Mark { run: run.to_owned(), attempt: None, process: None };
    Kin::marked(&mark).finish(Vec::new(), Instant::now(), &AtomicBool::new(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_all_three_variables() {
        let mark = Mark { run: "r1".into(), attempt: Some(("a/b".into(), 2)), process: None };
        assert!(mark.is_on(b"HOME=/\0FLOW_RUN=r1\0FLOW_STEP=a/b\0FLOW_ATTEMPT=2\0"));
        assert!(!mark.is_on(b"FLOW_RUN=r1\0FLOW_STEP=a/b\0FLOW_ATTEMPT=1\0"));
        assert!(!mark.is_on(b"FLOW_RUN=r10\0FLOW_STEP=a/b\0FLOW_ATTEMPT=2\0"));
        let mark = Mark { run: "r1".into(), attempt: None, process: None };
        assert!(mark.is_on(b"FLOW_RUN=r1\0FLOW_STEP=c\0FLOW_ATTEMPT=7\0") && !mark.is_on(b"FLOW_RUN=r2\0"));
    }

    #[test]
    fn this_process_is_found() {
        let own = rustix::process::getpid();
        assert!(stat(own).is_some_and(|stat| !stat.is_dead && stat.began > 0));
    }
}
