//! `sh` and `exec`: one attempt is one process with a group of its own, its streams are files.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use wait4::Wait4;

use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::plan::{Parse, unit};

use super::blank::Blanks;
use super::capture::{Captured, Logs};
use super::command::Program;
use super::fields::Place;
use super::running::Running;
use super::secrets::Secrets;
use super::streams::Streams;
use super::tree::Mark;
use super::watchdog::Watchdog;
use super::{Job, exit, memory, output, stdin};

/// How much of standard error a message may quote, in bytes.
const QUOTED: u64 = 2048;

/// What the processes of a run share.
#[derive(Default)]
pub(super) struct Room {
    blanks: Blanks,
    watchdog: Watchdog,
    pub secrets: Arc<Secrets>,
}

impl Room {
    /// A room for a run with these secrets.
    pub fn with(secrets: Arc<Secrets>) -> Self {
        Room { secrets, ..Room::default() }
    }

    /// The run is over: nothing more is to be watched, and no empty files are needed.
    pub fn close(&self) {
        self.watchdog.call_off();
        self.blanks.remove();
    }
}

/// Makes the attempt and waits for its end. Blocks.
pub(super) fn run(job: &Job, running: &Arc<Running>, room: &Room) -> Result<Outcome, Failure> {
    let key = (job.step, job.attempt);
    let program = Program::of(job)?;
    let masked = room.secrets.of_run(&job.site.hidden);
    let logs = Logs::of(job)?;
    let fields = Place::of(&logs, job.site.hides())?;
    let mut command = program.command(job, &fields, &room.secrets)?;
    command.stdin(stdin::open(job, &logs, &room.secrets)?);
    // After the secrets are there, which may have taken a while.
    if !running.may_begin(key) {
        return Err(exit::by_us(&program));
    }
    let limit = job.policy.as_ref().and_then(|policy| policy.output_limit).or(job.site.settings.output_limit);
    let mut streams = Streams::open(&mut command, &room.blanks, &logs, masked, limit)?;
    let spawned = spawn(&mut command);
    // Our copies of its streams.
    drop(command);
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let left = streams.take();
            left.stdout.and(left.stderr)?;
            return Err(exit::not_started(&program, &error));
        }
    };
    let mark = || Mark { run: job.site.run.clone(), step: job.path.clone(), attempt: job.attempt };
    let leader = Pid::from_raw(child.id() as i32)
        .ok_or_else(|| Failure::new(FailureKind::Spawn, format!("`{}` has no process number", program.shown)))?;
    running.begun(key, leader, mark);
    room.watchdog.begin(&job.site.run, running.grace());
    let mut hard = false;
    streams.until_end(leader, || {
        running.kill(key, hard);
        hard = true;
    });
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
    let taken = streams.take();
    outcome.error = match (taken.over.zip(limit), killed) {
        (Some((stream, limit)), _) => Some(too_much(&program, stream, limit)),
        (None, Some(_)) => Some(exit::by_us(&program)),
        (None, None) => None,
    };
    let mut left = Left { job, program: &program, logs: &logs, outcome };
    left.streams(taken.stdout, taken.stderr);
    left.fields(fields, masked);
    Ok(left.outcome)
}

fn too_much(program: &Program, stream: &str, limit: u64) -> Failure {
    let message =
        format!("`{}` wrote more than its output limit of {} to {stream}", program.shown, unit::show_bytes(limit));
    Failure::new(FailureKind::TooMuch, message)
        .help("it was ended; `.output_limit(\"…\")` on the step, or in settings, says how much it may write")
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

/// What a process left is read back into its outcome.
struct Left<'a> {
    job: &'a Job,
    program: &'a Program,
    logs: &'a Logs,
    outcome: Outcome,
}

impl Left<'_> {
    /// The first failure is the one that counts.
    fn keep(&mut self, failure: Failure) {
        self.outcome.error.get_or_insert(failure);
    }

    fn kept<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.keep(failure)).ok()
    }

    fn streams(&mut self, stdout: Result<Option<Captured>, Failure>, stderr: Result<Option<Captured>, Failure>) {
        let stderr = self.kept(stderr).flatten();
        if let Some(signal) = self.outcome.signal {
            self.keep(exit::by_signal(self.program, signal));
        } else if let Some(code) = self.outcome.code.filter(|code| *code != 0) {
            let tail = stderr.as_ref().map(|stderr| stderr.tail(QUOTED)).unwrap_or_default();
            let log = stderr.as_ref().map(|stderr| stderr.path.as_path());
            self.keep(exit::by_code(self.program, code, self.logs.quote(&tail), log));
        }
        let parse = self.job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
        let stdout = self.kept(stdout).flatten();
        let logs = self.logs;
        self.outcome.output = match &stdout {
            Some(stdout) => output_of(stdout, parse, logs, &mut |failure| self.keep(failure)),
            None => output::empty(parse, &mut |failure| self.keep(failure)),
        };
        self.outcome.stdout = stdout.map(|stdout| stdout.log);
        self.outcome.stderr = stderr.map(|stderr| stderr.log);
    }

    fn fields(&mut self, place: Place, masked: Option<&Secrets>) {
        let mask = masked.map(Secrets::mask);
        let fields = place.take(self.logs, mask.as_deref());
        self.outcome.fields = self.kept(fields).unwrap_or_default();
    }
}

fn output_of(stdout: &Captured, parse: Parse, logs: &Logs, keep: &mut impl FnMut(Failure)) -> Output {
    stdout.output(parse, logs).unwrap_or_else(|failure| {
        keep(failure);
        // What cannot be read as asked can still be looked at.
        stdout.output(Parse::Text, logs).unwrap_or_default()
    })
}
