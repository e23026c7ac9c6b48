//! The processes of a pipeline: as many as it needs, each with a group of its own, spoken to through pipes.
//!
//! Each stands in the table of what runs, with a number of its own, and bears that number in its environment beside the
//! marks of its attempt: so one of them can be ended with all that it has started, and the others go on.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use crate::event::{Failure, FailureKind, Log};
use crate::exec::Job;
use crate::exec::birth::ticks;
use crate::exec::children::{self, pid_of};
use crate::exec::command::{Program, environment};
use crate::exec::exit;
use crate::exec::process::{Room, spawn};
use crate::exec::running::{Key, Running};
use crate::exec::secrets::Secrets;
use crate::exec::tree::{Mark, PROCESS};
use crate::plan::Command;

use super::steplog::StepLog;

/// How often one looks whether a process has ended that cannot be polled (before Linux 5.3).
const LOOK: Duration = Duration::from_millis(5);

/// What the processes and requests of an attempt of a pipeline have in common.
pub struct Outside<'a> {
    pub(super) job: &'a Job,
    pub(super) running: &'a Arc<Running>,
    room: &'a Room,
    /// What they write to their standard errors.
    pub(super) errors: Arc<StepLog>,
    /// What those write to their standard outputs whose output is of no interest.
    pub(super) output: Arc<StepLog>,
    parts: AtomicU32,
}

impl<'a> Outside<'a> {
    /// For an attempt.
    ///
    /// # Errors
    /// The run's folder cannot be written.
    pub(in crate::exec) fn of(job: &'a Job, running: &'a Arc<Running>, room: &'a Room) -> Result<Self, Failure> {
        // The secrets of the run are fetched before its first process begins.
        room.secrets.of_run(&job.site.hidden);
        let errors = Arc::new(StepLog::of(job, "err", &room.secrets)?);
        let output = Arc::new(StepLog::of(job, "out", &room.secrets)?);
        Ok(Outside { job, running, room, errors, output, parts: AtomicU32::new(0) })
    }

    /// What is masked in all that processes write, if anything is.
    pub(super) fn masked(&self) -> Option<&'a Secrets> {
        self.room.secrets.of_run(&self.job.site.hidden)
    }

    /// The secrets of the run.
    pub(super) fn secrets(&self) -> &'a Arc<Secrets> {
        &self.room.secrets
    }

    /// A number for the next process or request.
    pub(super) fn next_part(&self) -> (Key, u32) {
        let part = self.parts.fetch_add(1, Ordering::Relaxed) + 1;
        (Key::from((self.job.step, self.job.attempt)).part(part), part)
    }

    /// The logs of what they wrote to their standard outputs and errors, as they stand in the outcome. Nothing: they wrote
    /// nothing.
    pub(in crate::exec) fn logs(&self) -> [Option<Log>; 2] {
        [self.output.log(), self.errors.log()]
    }
}

/// A program, with all that is the same each time it is started.
pub struct Template {
    pub(super) program: Program,
    environment: Vec<(String, String)>,
}

impl Template {
    /// Of what a pipeline names.
    ///
    /// # Errors
    /// A value in it cannot be had, or does not fit into an environment.
    pub(super) fn of(command: &Command, outside: &Outside) -> Result<Self, Failure> {
        let vars = match command {
            Command::Shell(shell) => shell.vars.as_slice(),
            Command::Exec(_) => &[],
        };
        Ok(Template {
            program: Program::of_pipeline(command, outside.job)?,
            environment: environment(vars, outside.job, outside.secrets())?,
        })
    }
}

/// A process that runs. Dropped, it is ended with all that it has started.
pub struct Process<'a> {
    outside: &'a Outside<'a>,
    key: Key,
    part: u32,
    leader: Pid,
    /// Tells its end.
    pidfd: Option<OwnedFd>,
    told: Option<usize>,
    /// Nothing: it is reaped. Its pipes are taken out by who uses them.
    pub(super) child: Option<Child>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub(super) code: Option<i32>,
    signal: Option<i32>,
    /// By us.
    killed: bool,
}

impl<'a> Process<'a> {
    /// Starts it; all three of its streams are pipes. `more`: a further variable in its environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(
        template: &Template,
        outside: &'a Outside<'a>,
        more: Option<(&str, &str)>,
    ) -> Result<Self, Failure> {
        let (key, part) = outside.next_part();
        let mut command = template.program.bare();
        command.envs(template.environment.iter().map(|(name, value)| (name, value)));
        command.env(PROCESS, part.to_string()).env_remove("FLOW_OUTPUT").envs(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        outside.room.begin(&outside.job.site.run, outside.running);
        let tick = ticks();
        let child = spawn(&mut command).map_err(|error| exit::not_started(&template.program, &error))?;
        let leader = pid_of(&child).ok_or_else(|| {
            Failure::new(FailureKind::Spawn, format!("`{}` has no process number", template.program.shown))
        })?;
        let pidfd = pidfd_open(leader, PidfdFlags::empty()).ok();
        let mut process = Process { outside, key, part, leader, pidfd, told: None, child: Some(child) };
        outside.running.begun(key, leader, tick, || process.mark());
        process.told = outside.room.watchdog.tell(leader);
        Ok(process)
    }

    fn mark(&self) -> Mark {
        let job = self.outside.job;
        Mark { run: job.site.run.clone(), attempt: Some((job.path.clone(), job.attempt)), process: Some(self.part) }
    }

    /// Tells its end: readable when it has come. Nothing on old systems.
    pub(super) fn pidfd(&self) -> Option<&OwnedFd> {
        self.pidfd.as_ref()
    }

    /// Ends it and all that it has started: SIGTERM, the grace time, SIGKILL; `hard`: SIGKILL at once. Returns at once.
    pub(super) fn kill(&self, hard: bool) {
        if self.child.is_some() {
            self.outside.running.kill(self.key, hard);
        }
    }

    /// Has it come to its end, or does it within this time?
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        match &self.pidfd {
            Some(pidfd) => {
                let until = Instant::now() + time;
                loop {
                    let left = until.saturating_duration_since(Instant::now());
                    match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timespec(left))) {
                        Ok(ready) => return ready > 0,
                        Err(rustix::io::Errno::INTR) => {}
                        Err(_) => return true,
                    }
                }
            }
            None => {
                let until = Instant::now() + time;
                loop {
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
                    if !matches!(waitid(WaitId::Pid(self.leader), options), Ok(None)) {
                        return true;
                    }
                    if Instant::now() >= until {
                        return false;
                    }
                    thread::sleep(LOOK);
                }
            }
        }
    }

    /// Waits for its end. If it was ended by us, all that it has started is gone, too.
    ///
    /// # Errors
    /// How it ended is not known.
    pub(super) fn wait(mut self) -> Result<Ended, Failure> {
        self.reap()
    }

    fn reap(&mut self) -> Result<Ended, Failure> {
        let lost = |why: String| Failure::new(FailureKind::Spawn, format!("the end of a process is not known: {why}"));
        let Some(mut child) = self.child.take() else { return Err(lost("it was asked for twice".into())) };
        drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        while !self.ends_within(Duration::from_secs(3600)) {}
        let killed = self.outside.running.ended(self.key, false);
        self.outside.room.watchdog.forget(self.told.take());
        let used = children::reap(child).map_err(|error| lost(error.to_string()))?;
        let was_killed = killed.is_some();
        if let Some(killed) = killed {
            self.outside.running.finish(self.key, self.leader, &self.mark(), killed);
        }
        Ok(Ended { code: used.status.code(), signal: used.status.signal(), killed: was_killed })
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill(true);
            // Nobody asks how it ended.
            let _ = self.reap();
        }
    }
}

impl Ended {
    /// Did it end well?
    pub(super) fn is_well(self) -> bool {
        self.code == Some(0)
    }

    /// Why it did not end well. `tail`: the end of what it wrote to standard error.
    pub(super) fn failure(self, program: &Program, tail: &[u8], outside: &Outside) -> Failure {
        match (self.code, self.signal) {
            _ if self.killed => exit::by_us(program),
            (_, Some(signal)) => exit::by_signal(program, signal),
            (code, None) => {
                let tail = outside.errors.quote(tail);
                let log = outside.errors.path();
                exit::by_code(program, code.unwrap_or(-1), &tail, Some(&log).filter(|log| log.exists()).map(|p| &**p))
            }
        }
    }
}

/// A time as system calls want it.
pub(super) fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs().min(1 << 30) as i64, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// Is something to be read there within this time, or its end?
pub(super) fn readable_within(fd: &impl AsFd, time: Duration) -> bool {
    // An error is seen by who reads.
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timespec(time))).map_or(true, |ready| ready > 0)
}
