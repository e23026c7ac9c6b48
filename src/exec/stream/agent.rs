//! Agents in a stream: what they write goes to their readers as it comes, and what is written for them is told to them.
//!
//! Where the program of an agent reads what comes while it comes, it begins at once, and its task comes last. Where it does
//! not, it begins when all that it reads is there.

use std::fs;
use std::io::{self, PipeWriter, Read, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smol_str::SmolStr;

use super::super::agent::prompt::Streamed;
use super::super::agent::{self, Company, Driver, Shared};
use super::super::capture::{Captured, Logs, store_failure};
use super::super::process::Ends;
use super::super::{Job, StreamPlace};
use super::Around;
use super::emit::Emitting;
use super::member::Member;
use super::pipes::{never_wait, pipe};
use super::seat::Seat;
use super::telling::{Telling, Way};
use super::transcript::Transcript;
use crate::event::{AgentEvent, Failure, FailureKind, Outcome};
use crate::plan::{AgentInput, Ask, StepId};

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How often one that waits looks whether it is to end.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How long one that is being ended waits for its readers.
const PATIENCE: Duration = Duration::from_millis(500);

/// Makes an attempt, and waits for its end. Blocks.
pub(super) fn run(
    ask: &Ask,
    job: &Job,
    around: &Around,
    seat: &mut Seat,
    member: &Arc<Member>,
) -> Result<Outcome, Failure> {
    let writers = job.stream.as_deref().map(|place| writers_of(place, job.step)).unwrap_or_default();
    let out = match seat.stdout.take() {
        Some(out) => {
            never_wait(&out).map_err(|error| broken(&error))?;
            Some(out)
        }
        None => None,
    };
    let telling = Arc::new(OnceLock::new());
    let beside = Beside {
        writers: writers.clone(),
        live: ask.agent.reads_live().ok(),
        joins: ask.agent.via.is_none() && ask.agent.backend == "claude",
        recorded: around.recordings.map(agent::Recordings::keeps_time),
        transcript: Vec::new(),
        emitting: Emitting::new(ask.emit),
        out,
        buffer: Vec::new(),
        telling: telling.clone(),
        exit: Arc::new(Exit {
            member: member.clone(),
            known: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        }),
        seat,
    };
    let shared = Shared {
        running: around.running,
        room: around.room,
        requests: around.requests,
        recordings: around.recordings,
        report: around.report,
    };
    let mut outcome = agent::run(ask, job, &shared, Some(Box::new(beside)))?;
    if let Some(telling) = telling.get() {
        keep_told(&telling.told(), &writers, job, around, &mut outcome)?;
    }
    if outcome.error.as_ref().is_some_and(|failure| failure.kind == FailureKind::Cancelled)
        && member.unread.load(Ordering::SeqCst)
    {
        // It was ended before it had begun, since nobody reads it.
        outcome.error = None;
    }
    Ok(outcome)
}

/// The names of those whose lines a member reads, in the order declared.
fn writers_of(place: &StreamPlace, member: StepId) -> Vec<SmolStr> {
    let name = |id: &StepId| place.members.iter().find(|member| member.step == *id).map(|member| member.name.clone());
    place.stream.writers(member).iter().filter_map(name).collect()
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Spawn, format!("what flows to or from an agent is interrupted: {error}")).help(
        "this is between flow and the system; `ulimit -n` and `ulimit -u` say how many files and threads there may be",
    )
}

/// What is known of the end of its program.
struct Exit {
    member: Arc<Member>,
    known: AtomicBool,
    /// Did nobody read it any more then?
    unread: AtomicBool,
    killed: AtomicBool,
}

/// What stands beside an agent.
struct Beside<'a, 'h> {
    seat: &'a mut Seat<'h>,
    writers: Vec<SmolStr>,
    /// It reads what comes while it comes: so.
    live: Option<AgentInput>,
    joins: bool,
    /// It is a recording; with its timing?
    recorded: Option<bool>,
    transcript: Vec<(SmolStr, String)>,
    emitting: Emitting,
    /// What it writes goes here, if somebody reads it.
    out: Option<PipeWriter>,
    buffer: Vec<u8>,
    telling: Arc<OnceLock<Telling>>,
    exit: Arc<Exit>,
}

impl Beside<'_, '_> {
    /// Reads all that comes, until its end.
    fn collect(&mut self) -> Result<(), Failure> {
        let Some(mut from) = self.seat.stdin.take() else { return Ok(()) };
        never_wait(&from).map_err(|error| broken(&error))?;
        let stop = self.seat.running.call_begun(self.seat.key);
        let (mut transcript, mut buffer) = (Transcript::of(self.writers.clone()), vec![0; CHUNK]);
        let read = loop {
            if stop.load(Ordering::Relaxed) {
                break Err(Failure::new(FailureKind::Cancelled, "it was ended before it began")
                    .help("it was cancelled, or the run or its stream was"));
            }
            match from.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => transcript.take(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // An interrupted sleep is one that ended early.
                    let _ = poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&LOOK));
                }
                Err(error) => break Err(broken(&error)),
            }
        };
        self.seat.running.call_ended(self.seat.key);
        self.transcript = transcript.end();
        read
    }

    /// Writes what is to be written, as far as somebody reads it.
    fn write(&mut self) {
        let (mut at, mut until) = (0, None);
        while at < self.buffer.len() {
            let Some(out) = &mut self.out else { break };
            match out.write(&self.buffer[at..]) {
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.exit.killed.load(Ordering::SeqCst) || self.seat.running.is_to_end(self.seat.key) {
                        // Its readers are perhaps being ended, too. What it still says is to be heard by us.
                        let until = *until.get_or_insert_with(|| Instant::now() + PATIENCE);
                        if Instant::now() >= until {
                            self.out = None;
                            break;
                        }
                    }
                    // As above.
                    let _ = poll(&mut [PollFd::new(&*out, PollFlags::OUT)], Some(&LOOK));
                }
                // Nobody reads it any more.
                Err(_) => self.out = None,
            }
        }
        self.buffer.clear();
    }
    /// Begins to tell it what comes.
    fn tell(&mut self, to: Option<PipeWriter>, way: Way, task: Vec<u8>) -> Result<(), Failure> {
        let Some(from) = self.seat.stdin.take() else { return Ok(()) };
        let telling = Telling::begin(from, to, way, self.writers.clone(), task).map_err(|error| broken(&error))?;
        // An attempt is told once.
        let _ = self.telling.set(telling);
        Ok(())
    }
}

/// What it was told stands in the file of its prompt, before the task.
fn keep_told(
    told: &str,
    writers: &[SmolStr],
    job: &Job,
    around: &Around,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let Some(report) = outcome.agent.as_mut().filter(|report| report.prompt.is_some() && !told.is_empty()) else {
        return Ok(());
    };
    let told = match around.room.secrets.of_run(&job.site.hidden) {
        Some(secrets) => secrets.mask().text(told).into_owned(),
        None => told.to_owned(),
    };
    let logs = Logs::of(job)?;
    let path = logs.path("prompt.md");
    let newline = if told.ends_with('\n') { "" } else { "\n" };
    let keep = || {
        let prompt = fs::read_to_string(&path)?;
        let text = format!("(read from {} while it was written)\n{told}{newline}\n{prompt}", writers.join(", "));
        fs::write(&path, &text)?;
        Captured::of(logs.name("prompt.md"), path.clone(), text.len() as u64)
    };
    report.prompt = Some(keep().map_err(|error| store_failure("write", &path, &error))?.log);
    Ok(())
}

impl Company for Beside<'_, '_> {
    fn streamed(&mut self) -> Result<Streamed<'_>, Failure> {
        if self.seat.stdin.is_none() {
            return Ok(Streamed::Nothing);
        }
        match (self.live, self.recorded) {
            (Some(_), Some(true)) => {
                // It says what it says when it said it, and has to hear what it has heard.
                self.tell(None, Way::Nothing, Vec::new())?;
            }
            (Some(_), None) => {}
            (None, _) | (_, Some(false)) => self.collect()?,
        }
        Ok(match self.live {
            Some(AgentInput::Ndjson) => Streamed::Told(&self.writers),
            Some(_) => Streamed::Read(&self.writers),
            None => Streamed::Whole(&self.transcript),
        })
    }

    fn is_live(&self) -> bool {
        self.live.is_some() && self.recorded.is_none() && self.seat.stdin.is_some()
    }

    fn input(&mut self, driver: Arc<dyn Driver>, task: Vec<u8>) -> Result<Stdio, Failure> {
        let (stdin, to) = pipe(true).map_err(|error| broken(&error))?;
        let way = match self.live {
            Some(AgentInput::Ndjson) => Way::Events { driver, joins: self.joins },
            _ => Way::Bytes,
        };
        self.tell(Some(to), way, task)?;
        Ok(stdin.into())
    }

    fn tells(&self) -> bool {
        self.telling.get().is_some_and(Telling::goes_on)
    }

    fn said(&mut self, line: Option<&[u8]>, events: &[AgentEvent]) {
        if self.out.is_some() {
            self.emitting.lines(line, events, &mut self.buffer);
            self.write();
        }
    }

    fn at_exit(&self) -> Option<Arc<dyn Fn(bool) + Send + Sync>> {
        let exit = self.exit.clone();
        Some(Arc::new(move |killed| {
            exit.unread.store(exit.member.unread.load(Ordering::SeqCst), Ordering::SeqCst);
            exit.killed.store(killed, Ordering::SeqCst);
            exit.known.store(true, Ordering::SeqCst);
        }))
    }

    fn ended(&mut self, killed: bool) -> bool {
        self.emitting.end(&mut self.buffer);
        self.write();
        self.out = None;
        let now = self.seat.ended(killed);
        // Waits until all of that has gone on. Its log is that of its program.
        self.seat.wrote(false);
        self.seat.partly = false;
        let unread = if self.exit.known.load(Ordering::SeqCst) { self.exit.unread.load(Ordering::SeqCst) } else { now };
        self.seat.unread = Some(unread);
        unread
    }
}
