//! `sh` and `exec`: one attempt is one process with a group of its own, its streams are files.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use wait4::Wait4;

use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::plan::Parse;

use super::blank::{Blanks, Stream};
use super::capture::{Captured, Logs};
use super::command::Program;
use super::running::Running;
use super::tree::Mark;
use super::watchdog::Watchdog;
use super::{Job, exit, fields, memory, output, stdin};

/// How much of standard error a message may quote, in bytes.
const QUOTED: u64 = 2048;

/// A process that runs longer than this gets log files with names, for others to look at.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// What the processes of a run share.
#[derive(Default)]
pub(super) struct Room {
    blanks: Blanks,
    watchdog: Watchdog,
}

impl Room {
    /// The run is over: nothing more is to be watched, and no empty files are needed.
    pub fn close(&self) {
        self.watchdog.call_off();
        self.blanks.remove();
    }
}

/// Makes the attempt and waits for its end. Blocks.
pub(super) fn run(job: &Job, running: &Arc<Running>, room: &Room) -> Result<Outcome, Failure> {
    let blanks = &room.blanks;
    let key = (job.step, job.attempt);
    let program = Program::of(job)?;
    if !running.may_begin(key) {
        return Err(exit::by_us(&program));
    }
    let logs = Logs::of(job)?;
    let mut command = program.command(job, &logs)?;
    command.stdin(stdin::open(job, &logs)?);
    let (mut stdout, out) = Stream::open(blanks, &logs, "out")?;
    let (mut stderr, err) = Stream::open(blanks, &logs, "err")?;
    command.stdout(out).stderr(err);
    let spawned = spawn(&mut command);
    // Our copies of its streams.
    drop(command);
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            stdout.take()?;
            stderr.take()?;
            return Err(exit::not_started(&program, &error));
        }
    };
    let mark = || Mark { run: job.site.run.clone(), step: job.path.clone(), attempt: job.attempt };
    let leader = Pid::from_raw(child.id() as i32)
        .ok_or_else(|| Failure::new(FailureKind::Spawn, format!("`{}` has no process number", program.shown)))?;
    running.begun(key, leader, mark);
    room.watchdog.begin(&job.site.run, running.grace());
    if !ends_soon(leader) {
        stdout.name();
        stderr.name();
        // Only its end counts, not that of its streams: a child that it left in the background may keep them open.
        let ended = retry_on_intr(|| waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        debug_assert!(ended.is_ok(), "the child is ours and not reaped");
    }
    let killed = running.ended(key);
    let used = child.wait4().map_err(|error| {
        Failure::new(FailureKind::Spawn, format!("the end of `{}` is not known: {error}", program.shown))
    })?;
    if let Some(killed) = &killed {
        running.finish(leader, &mark(), killed);
    }
    let mut outcome = Outcome {
        code: used.status.code(),
        signal: used.status.signal(),
        cpu_ms: (used.rusage.utime + used.rusage.stime).as_millis() as u64,
        memory_kib: memory::of_child(used.rusage.maxrss / 1024),
        ..Outcome::default()
    };
    outcome.error = killed.is_some().then(|| exit::by_us(&program));
    collect(&mut outcome, job, &program, &logs, [stdout, stderr]);
    Ok(outcome)
}

/// Waits a moment for the end of a child. It is not reaped.
fn ends_soon(leader: Pid) -> bool {
    let Ok(process) = pidfd_open(leader, PidfdFlags::empty()) else { return false };
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&SOON)).is_ok_and(|ended| ended > 0)
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    tracing::debug!(program = ?command.get_program(), "starts");
    let mut pause = Duration::from_millis(1);
    loop {
        match command.spawn() {
            Err(error) if exit::passes(&error) && pause < Duration::from_millis(300) => {
                thread::sleep(pause);
                pause *= 2;
            }
            result => return result,
        }
    }
}

/// Reads back what the process left.
fn collect(outcome: &mut Outcome, job: &Job, program: &Program, logs: &Logs, streams: [Stream<'_>; 2]) {
    let [stdout, stderr] = streams;
    let (code, signal) = (outcome.code, outcome.signal);
    // The first failure is the one that counts.
    let mut keep = |failure: Failure| {
        outcome.error.get_or_insert(failure);
    };
    let stderr = stderr.take().unwrap_or_else(|failure| {
        keep(failure);
        None
    });
    if let Some(signal) = signal {
        keep(exit::by_signal(program, signal));
    } else if let Some(code) = code.filter(|code| *code != 0) {
        let tail = stderr.as_ref().map(|stderr| stderr.tail(QUOTED)).unwrap_or_default();
        keep(exit::by_code(program, code, &tail, stderr.as_ref().map(|stderr| stderr.path.as_path())));
    }
    let parse = job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
    let stdout = stdout.take().unwrap_or_else(|failure| {
        keep(failure);
        None
    });
    let output = match &stdout {
        Some(stdout) => output_of(stdout, parse, logs, &mut keep),
        None => output::empty(parse, &mut keep),
    };
    let fields = fields::take(logs).unwrap_or_else(|failure| {
        keep(failure);
        serde_json::Map::new()
    });
    outcome.output = output;
    outcome.fields = fields;
    outcome.stdout = stdout.map(|stdout| stdout.log);
    outcome.stderr = stderr.map(|stderr| stderr.log);
}

fn output_of(stdout: &Captured, parse: Parse, logs: &Logs, keep: &mut impl FnMut(Failure)) -> Output {
    stdout.output(parse, logs).unwrap_or_else(|failure| {
        keep(failure);
        // What cannot be read as asked can still be looked at.
        stdout.output(Parse::Text, logs).unwrap_or_default()
    })
}
