//! Closures in a stream: each line that comes is given to one, and what it gives goes on as lines.
//!
//! A thread of its own, since closures may recurse deeply. It reads and writes pipes as a process does, in large pieces, and
//! writes what it has whenever nothing more is there to be read at the moment.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::capture::Logs;
use super::super::pipeline::{Heard, StepLog};
use super::super::process::{Ends, output_of};
use super::super::{Job, output, stdin};
use super::Around;
use super::lines;
use super::member::Member;
use super::pipes::never_wait;
use super::seat::Seat;
use crate::event::{Failure, FailureKind, Outcome};
use crate::lang::interruptible;
use crate::lang::item::{Item, Mapper};
use crate::plan::{Filter, ItemError, Parse, Reads, unit};
use crate::state::result::shorten;

/// Stack of its thread, in bytes. Only what is used takes memory.
const STACK: usize = 64 << 20;

/// How much is read, and written, at once.
const CHUNK: usize = 128 * 1024;

/// What it has written does not wait longer than this, while there is more to be read.
const SOON: Duration = Duration::from_millis(20);

/// How often it looks whether it is to end, while nothing moves.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Makes an attempt, and waits for its end. Blocks.
pub(super) fn run(filter: &Filter, job: &Job, around: &Around, seat: &mut Seat) -> Result<Outcome, Failure> {
    let key = (job.step, job.attempt);
    let logs = Logs::of(job)?;
    let input: Option<File> = match seat.stdin.take() {
        Some(pipe) => {
            never_wait(&pipe).map_err(|error| broken("read", &error))?;
            Some(OwnedFd::from(pipe).into())
        }
        None => stdin::open(job, &logs, &around.room.secrets)?.map(File::from),
    };
    let Some(out) = seat.stdout.take() else {
        return Err(Failure::new(FailureKind::Spawn, "a closure in a stream has nobody to write for")
            .help("this is a mistake in flow; please report it"));
    };
    never_wait(&out).map_err(|error| broken("write", &error))?;
    let stop = around.running.call_begun(key);
    let (max_line, quiet) = (seat.max_line(), job.policy.as_ref().is_some_and(|policy| policy.secret));
    let member = seat.member();
    // The secrets of the run are known before anything of it is written.
    around.room.secrets.of_run(&job.site.hidden);
    let errors = Arc::new(StepLog::of(job, "err", &around.room.secrets)?);
    let on_thread = || {
        interruptible(stop.clone(), || {
            let mapper = around.closures.mapper(&filter.closure, &job.inputs, &stop)?;
            let mapper = Heard::by(&errors, mapper);
            let output = Output { pipe: out, lines: Vec::new(), answers: 0, patience: around.running.grace() };
            Reading { filter, mapper, member, stop: &stop, output, number: 0, flushed: Instant::now(), max_line, quiet }
                .run(input)
        })
    };
    let result = thread::scope(|scope| {
        let thread = thread::Builder::new().name("flow-filter".into()).stack_size(STACK).spawn_scoped(scope, on_thread);
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => Err(broken("begin", &error)),
        }
    });
    around.running.call_ended(key);
    let unread = seat.ended(stop.load(Ordering::Relaxed));
    let wrote = seat.wrote(result.is_ok());
    let mut error = match result {
        Err(_) if unread => None,
        Err(_) if stop.load(Ordering::Relaxed) => Some(
            Failure::new(FailureKind::Cancelled, "it was ended before it was done")
                .help("it was cancelled, or the run or its stream was"),
        ),
        result => result.err(),
    };
    let mut outcome = Outcome { stderr: errors.log(), ..Outcome::default() };
    let parse = job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
    let parse = if wrote.partly { Parse::Text } else { parse };
    let mut keep = |failure| {
        error.get_or_insert(failure);
    };
    match wrote.stdout {
        Ok(Some(captured)) => {
            outcome.output = output_of(&captured, parse, &logs, &mut keep);
            outcome.stdout = Some(captured.log);
        }
        Ok(None) => outcome.output = output::empty(parse, &mut keep),
        Err(failure) => keep(failure),
    }
    outcome.error = error;
    Ok(outcome)
}

fn broken(what: &str, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Spawn, format!("a closure in a stream cannot {what}: {error}"))
        .help("this is between flow and the system; if it lacks threads or memory, `ulimit -u` and `ulimit -v` say how much there may be")
}

/// What a filter writes.
struct Output {
    pipe: PipeWriter,
    /// Lines that are still to be written.
    lines: Vec<u8>,
    /// So many lines are answered by these.
    answers: u64,
    /// How long it goes on writing when it is to end: what has begun to be written is better whole.
    patience: Duration,
}

/// Why a filter writes no more.
enum Refused {
    /// Nobody reads.
    Unread,
    /// It is to end.
    Stopped,
    Broken(io::Error),
}

impl Output {
    /// Writes all that there is.
    fn flush(&mut self, member: &Member, stop: &AtomicBool) -> Result<(), Refused> {
        let (mut at, mut until) = (0, None);
        while at < self.lines.len() {
            match self.pipe.write(&self.lines[at..]) {
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Refused::Unread),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stop.load(Ordering::Relaxed) {
                        let until = *until.get_or_insert_with(|| Instant::now() + self.patience);
                        if at == 0 || Instant::now() >= until {
                            return Err(Refused::Stopped);
                        }
                    }
                    // An interrupted sleep is one that ended early.
                    let _ = poll(&mut [PollFd::new(&self.pipe, PollFlags::OUT)], Some(&LOOK));
                }
                Err(error) => return Err(Refused::Broken(error)),
            }
        }
        self.lines.clear();
        if self.lines.capacity() > 16 * CHUNK {
            self.lines = Vec::with_capacity(CHUNK);
        }
        member.answered.add(std::mem::take(&mut self.answers));
        Ok(())
    }
}

struct Reading<'a> {
    filter: &'a Filter,
    mapper: Box<dyn Mapper + 'a>,
    member: &'a Member,
    stop: &'a Arc<AtomicBool>,
    output: Output,
    /// Lines so far, in this attempt.
    number: u64,
    /// When it was last written.
    flushed: Instant,
    max_line: u64,
    /// Messages do not quote what is read.
    quiet: bool,
}

impl Reading<'_> {
    fn run(mut self, input: Option<File>) -> Result<(), Failure> {
        let result = self.lines(input);
        match result {
            // What it has done before the line that failed is done.
            Err(failure) => {
                let _ = self.flush();
                Err(failure)
            }
            Ok(()) => self.flush().map(|_| ()),
        }
    }

    /// Gives false if nobody reads any more.
    fn flush(&mut self) -> Result<bool, Failure> {
        self.flushed = Instant::now();
        match self.output.flush(self.member, self.stop) {
            Ok(()) => Ok(true),
            Err(Refused::Unread) => Ok(false),
            Err(Refused::Stopped) => Err(Failure::new(FailureKind::Cancelled, "it was ended before it was done")),
            Err(Refused::Broken(error)) => Err(broken("write", &error)),
        }
    }

    fn lines(&mut self, input: Option<File>) -> Result<(), Failure> {
        let Some(mut input) = input else { return Ok(()) };
        let (mut buffer, mut part) = (vec![0; CHUNK], Vec::new());
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Failure::new(FailureKind::Cancelled, "it was ended before it was done"));
            }
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    if !self.take(&buffer[..n], &mut part)? {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.flush()? {
                        return Ok(());
                    }
                    // An interrupted sleep is one that ended early.
                    let _ = poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&LOOK));
                }
                Err(error) => return Err(broken("read", &error)),
            }
        }
        if !part.is_empty() {
            self.line(&part)?;
        }
        Ok(())
    }

    /// Takes bytes that were read; `part` is the beginning of a line. Gives false if nobody reads any more.
    fn take(&mut self, bytes: &[u8], part: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut rest = bytes;
        while let Some(length) = lines::first(rest) {
            let line = &rest[..length - 1];
            if part.is_empty() {
                self.line(line)?;
            } else {
                part.extend_from_slice(line);
                let whole = std::mem::take(part);
                self.line(&whole)?;
                if whole.capacity() <= CHUNK {
                    *part = whole;
                    part.clear();
                }
            }
            rest = &rest[length..];
            // Of much that is read perhaps little goes on, or the closure takes long: whoever waits for it is to have it.
            if (self.output.lines.len() >= CHUNK || self.flushed.elapsed() >= SOON) && !self.flush()? {
                return Ok(false);
            }
        }
        part.extend_from_slice(rest);
        if part.len() as u64 > self.max_line {
            let message = format!("line {} is longer than {}", self.number + 1, unit::show_bytes(self.max_line));
            return Err(
                Failure::new(FailureKind::TooMuch, message).help("`max_line` of the stream says how long one may be")
            );
        }
        Ok(true)
    }

    /// One line, without its end.
    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.number += 1;
        self.member.lines_in.add(1);
        let written = self.output.lines.len();
        let result = self.answer(line.strip_suffix(b"\r").unwrap_or(line));
        match (result, self.filter.on_error) {
            (Ok(count), _) => self.member.lines_out.add(count),
            (Err(_), ItemError::Skip) if !self.stop.load(Ordering::Relaxed) => {
                self.output.lines.truncate(written);
                self.member.skipped.add(1);
            }
            (Err(mut failure), _) => {
                self.output.lines.truncate(written);
                failure.message = format!("line {}: {}", self.number, failure.message);
                return Err(failure);
            }
        }
        self.output.answers += 1;
        Ok(())
    }

    /// Gives a line to the closure and keeps what it gives. How many lines is that?
    fn answer(&mut self, line: &[u8]) -> Result<u64, Failure> {
        let item = match self.filter.reads {
            Reads::Lines => match std::str::from_utf8(line) {
                Ok(text) => Item::text(text),
                Err(error) => return Err(no_text(error.valid_up_to())),
            },
            Reads::Ndjson if line.trim_ascii().is_empty() => return Ok(0),
            Reads::Ndjson => Item::read_json(line).map_err(|error| self.no_json(&error, line))?,
        };
        match self.mapper.call(item)?.into_list() {
            Ok(items) => {
                let mut count = 0;
                for item in items {
                    count += self.write(&item)?;
                }
                Ok(count)
            }
            Err(item) => self.write(&item),
        }
    }

    fn write(&mut self, item: &Item) -> Result<u64, Failure> {
        if item.is_nothing() {
            return Ok(0);
        }
        item.write_line(&mut self.output.lines)?;
        self.output.lines.push(b'\n');
        Ok(1)
    }

    fn no_json(&self, error: &str, line: &[u8]) -> Failure {
        // There is one line only.
        let error = error.replace(" at line 1 column ", " at column ");
        let found = match self.quiet {
            true => String::new(),
            false => {
                let text = String::from_utf8_lossy(&line[..line.len().min(256)]);
                // Nothing that a terminal would obey.
                let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
                format!(", found `{}`", shorten(&text, 60))
            }
        };
        Failure::new(FailureKind::Input, format!("it is not JSON: {error}{found}"))
            .help("`ndjson` reads one JSON value on each line; `lines` reads any text, and `on_error: \"skip\"` leaves such lines out")
    }
}

fn no_text(at: usize) -> Failure {
    Failure::new(FailureKind::Input, format!("it is not UTF-8 (at byte {})", at + 1))
        .help("a closure gets text: let a program convert it first (`iconv`), or leave such lines out with `on_error: \"skip\"`")
}
