//! `sh` and `exec`: one attempt is one process with a group of its own, its streams are files.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rustix::process::Pid;

use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::plan::{Parse, unit};

use super::birth::ticks;
use super::blank::Blanks;
use super::capture::{Captured, Logs};
use super::children::{self, Adoption, pid_of};
use super::command::Program;
use super::fields::Place;
use super::running::{Killed, Running};
use super::secrets::Secrets;
use super::streams::Streams;
use super::tree::Mark;
use super::watchdog::Watchdog;
use super::{Job, exit, memory, output, stdin};

/// How much of standard error a message may quote, in bytes.
const QUOTED: u64 = 2048;

/// How often the adopted children are looked at: those that have ended are reaped, the watchdog is told of the others.
const LOOK: Duration = Duration::from_millis(200);

/// What the processes of a run share.
#[derive(Default)]
pub(super) struct Room {
    blanks: Blanks,
    pub watchdog: Arc<Watchdog>,
    pub secrets: Arc<Secrets>,
    /// Are orphans to be adopted?
    adopts: bool,
    begun: OnceLock<Begun>,
}

/// A run has had its first process.
struct Begun {
    run: String,
    tick: u64,
    /// As long as flow adopts for this run, and the thread that cares for it.
    adoption: Mutex<Option<(Adoption, Sender<()>)>>,
}

impl Room {
    /// A room for a run with these secrets. `adopts`: are orphans to be adopted?
    pub fn with(secrets: Arc<Secrets>, adopts: bool) -> Self {
        Room { secrets, adopts, ..Room::default() }
    }

    /// Before each process: the first time, what outlives us is set up.
    pub fn begin(&self, run: &str, running: &Running) {
        self.begun.get_or_init(|| {
            let tick = ticks();
            self.watchdog.begin(run, running.grace());
            let adoption =
                if self.adopts { children::adopt().map(|adoption| (adoption, self.tend(tick))) } else { None };
            Begun { run: run.to_owned(), tick, adoption: Mutex::new(adoption) }
        });
    }

    /// A thread that cares for adopted children, until what it gives is dropped. Those that began before `since` are none
    /// of the run's: who started flow may have left it children.
    fn tend(&self, since: u64) -> Sender<()> {
        let (stop, stopped) = bounded::<()>(0);
        let watchdog = self.watchdog.clone();
        let tend = move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let living = children::adopted().into_iter().filter(|process| process.began >= since);
                watchdog.adopted(&living.collect::<Vec<_>>());
            }
        };
        // Without it they are reaped when flow ends.
        let _ = thread::Builder::new().name("flow-tend".into()).stack_size(128 * 1024).spawn(tend);
        stop
    }

    /// Ends all that the run has left behind. Blocks.
    pub fn sweep(&self, running: &Running, hard: bool) {
        if let Some(begun) = self.begun.get() {
            let adoption = begun.adoption.lock().unwrap_or_else(PoisonError::into_inner);
            // Another run of this process may have started what has no mark.
            let alone = adoption.as_ref().is_some_and(|(adoption, _)| adoption.is_alone());
            running.sweep(&begun.run, alone.then_some(begun.tick), hard);
        }
    }

    /// The run is over: nothing more is to be watched, and no empty files are needed.
    pub fn close(&self) {
        self.watchdog.call_off();
        if let Some(begun) = self.begun.get() {
            drop(begun.adoption.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.blanks.remove();
    }
}

/// What a process is connected with, that stands in a stream.
pub(super) trait Ends {
    /// Its standard input. Nothing: that of any step.
    fn input(&mut self) -> Option<Stdio>;

    /// Its standard output. Nothing: it is kept as that of any step.
    fn output(&mut self) -> Option<Stdio>;

    /// It runs: its first process.
    fn begun(&mut self, _leader: Pid) {}

    /// Is it interrupted before it is asked to end, since it may have something to say then?
    fn ends_gently(&self) -> bool {
        false
    }

    /// Is nothing that it has started to stay, however it ends?
    fn leaves_nothing(&self) -> bool {
        false
    }

    /// It has ended this moment, `killed` by us or by itself. Did nobody read it any more? Then whatever its end is, it is a
    /// good one.
    fn ended(&mut self, killed: bool) -> bool;

    /// What it wrote to the standard output that it was given. Blocks until all of that has gone on. `well`: it has
    /// ended well.
    fn wrote(&mut self, well: bool) -> Wrote;
}

/// What a member of a stream wrote to its standard output, as far as it was kept.
pub(super) struct Wrote {
    /// The log.
    pub stdout: Result<Option<Captured>, Failure>,
    /// There was more of it.
    pub partly: bool,
}

/// Makes the attempt and waits for its end. Blocks.
pub(super) fn run(job: &Job, running: &Arc<Running>, room: &Room) -> Result<Outcome, Failure> {
    connected(job, running, room, None)
}

/// As [`run`], for a process that may stand in a stream.
pub(super) fn connected(
    job: &Job,
    running: &Arc<Running>,
    room: &Room,
    ends: Option<&mut dyn Ends>,
) -> Result<Outcome, Failure> {
    begun(Program::of(job)?, job, running, room, ends)
}

/// As [`connected`], for a program that is not the job's own.
pub(super) fn begun(
    program: Program,
    job: &Job,
    running: &Arc<Running>,
    room: &Room,
    mut ends: Option<&mut dyn Ends>,
) -> Result<Outcome, Failure> {
    let key = (job.step, job.attempt);
    let masked = room.secrets.of_run(&job.site.hidden);
    let logs = Logs::of(job)?;
    let fields = Place::of(&logs, job.site.hides())?;
    let mut command = program.command(job, &fields, &room.secrets)?;
    match ends.as_mut().and_then(|ends| ends.input()) {
        Some(stdin) => command.stdin(stdin),
        None => command.stdin(stdin::open(job, &logs, &room.secrets)?.map_or_else(Stdio::null, Stdio::from)),
    };
    // After the secrets are there, which may have taken a while.
    if !running.may_begin(key) {
        return Err(exit::by_us(&program));
    }
    let limit = job.policy.as_ref().and_then(|policy| policy.output_limit).or(job.site.settings.output_limit);
    let flows = ends.as_mut().and_then(|ends| ends.output());
    let is_connected = flows.is_some();
    let mut streams = Streams::open(&mut command, &room.blanks, &logs, masked, limit, flows)?;
    room.begin(&job.site.run, running);
    let tick = ticks();
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
    let attempt = || (job.path.clone(), job.attempt);
    let mark = || Mark { run: job.site.run.clone(), attempt: Some(attempt()), process: None };
    let leader = pid_of(&child)
        .ok_or_else(|| Failure::new(FailureKind::Spawn, format!("`{}` has no process number", program.shown)))?;
    running.begun(key, leader, tick, mark);
    let told = room.watchdog.tell(leader);
    if let Some(ends) = ends.as_mut() {
        running.end_gently(key, ends.ends_gently());
        ends.begun(leader);
    }
    let mut hard = false;
    streams.until_end(leader, || {
        running.kill(key, hard);
        hard = true;
    });
    let killed = running.ended(key, ends.as_ref().is_some_and(|ends| ends.leaves_nothing()));
    let was_killed = killed.as_ref().is_some_and(Killed::by_us);
    let unread = ends.as_mut().is_some_and(|ends| ends.ended(was_killed));
    room.watchdog.forget(told);
    let used = children::reap(child).map_err(|error| {
        Failure::new(FailureKind::Spawn, format!("the end of `{}` is not known: {error}", program.shown))
    })?;
    if let Some(killed) = killed {
        running.finish(key, leader, &mark(), killed);
    }
    let mut outcome = Outcome {
        code: used.status.code(),
        signal: used.status.signal(),
        cpu_ms: (used.rusage.utime + used.rusage.stime).as_millis() as u64,
        memory_kib: memory::of_child(used.rusage.maxrss / 1024),
        ..Outcome::default()
    };
    let mut taken = streams.take();
    outcome.error = taken.over.zip(limit).map(|(stream, limit)| too_much(&program.shown, stream, limit));
    let mut partly = false;
    if let Some(ends) = ends.filter(|_| is_connected) {
        let wrote = ends.wrote(used.status.success() && !was_killed);
        (taken.stdout, partly) = (wrote.stdout, wrote.partly);
    }
    if was_killed && !unread && outcome.error.is_none() {
        outcome.error = Some(exit::by_us(&program));
    }
    let mut left = Left { job, program: &program, logs: &logs, outcome };
    left.streams(taken.stdout, taken.stderr, unread, partly);
    left.fields(fields, masked);
    Ok(left.outcome)
}

/// The failure of `shown`, which wrote more than it may.
pub(super) fn too_much(shown: &str, stream: &str, limit: u64) -> Failure {
    // As it was probably written.
    let fits = unit::SIZES.iter().filter(|(_, size)| limit.is_multiple_of(*size)).min_by_key(|(_, size)| limit / size);
    let limit = fits.map_or_else(|| format!("{limit} B"), |(unit, size)| format!("{} {unit}", limit / size));
    let message = format!("`{shown}` wrote more than its output limit of {limit} to {stream}");
    Failure::new(FailureKind::TooMuch, message)
        .help("it was ended; `.output_limit(\"…\")` on the step, or in settings, says how much it may write")
}

/// Starts a process; what passes is waited out.
pub(super) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    tracing::debug!(program = ?command.get_program(), "starts");
    let mut pause = Duration::from_millis(1);
    loop {
        match children::spawn(command) {
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

    /// `unread`: nobody read what it wrote any more, so it may end as it likes; `partly`: not all of what it wrote is kept.
    fn streams(
        &mut self,
        stdout: Result<Option<Captured>, Failure>,
        stderr: Result<Option<Captured>, Failure>,
        unread: bool,
        partly: bool,
    ) {
        let stderr = self.kept(stderr).flatten();
        if unread {
            // A good end, whatever it was.
        } else if let Some(signal) = self.outcome.signal {
            self.keep(exit::by_signal(self.program, signal));
        } else if let Some(code) = self.outcome.code.filter(|code| *code != 0) {
            let tail = stderr.as_ref().map(|stderr| stderr.tail(QUOTED)).unwrap_or_default();
            let log = stderr.as_ref().map(|stderr| stderr.path.as_path());
            self.keep(exit::by_code(self.program, code, self.logs.quote(&tail), log));
        }
        // A part of a document is none.
        let parse = self.job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
        let parse = if partly { Parse::Text } else { parse };
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

/// The output that a file gives; what is wrong with it goes to `keep`.
pub(super) fn output_of(stdout: &Captured, parse: Parse, logs: &Logs, keep: &mut impl FnMut(Failure)) -> Output {
    stdout.output(parse, logs).unwrap_or_else(|failure| {
        keep(failure);
        // What cannot be read as asked can still be looked at.
        stdout.output(Parse::Text, logs).unwrap_or_default()
    })
}
