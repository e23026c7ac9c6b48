//! One attempt of a stream: its members, and what stands between them.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::super::capture::{Logs, log_stem, store_failure};
use super::super::process;
use super::super::{Job, StreamPlace};
use super::Around;
use super::agent;
use super::filter;
use super::inlet::Inlet;
use super::junction::Junction;
use super::kept::Kept;
use super::member::Member;
use super::meters::Meters;
use super::orders::{Handle, Order};
use super::outlet::Outlet;
use super::pipes::{never_wait, pipe};
use super::seat::Seat;
use super::spool::Spool;
use crate::event::{Failure, FailureKind, Outcome, Streamed};
use crate::plan::{Slow, StepId, Task};

/// See the module's page.
pub(super) struct Hub {
    place: Arc<StreamPlace>,
    members: Vec<Arc<Member>>,
    /// Where each member stands: its level, and its place in that.
    places: Vec<(usize, usize)>,
    /// Between each level and the next.
    between: Vec<Handle>,
    /// What takes the output of members of the last level that do not write into a file themselves.
    behind: Vec<Option<Handle>>,
    /// What such a member left when its attempt failed, to be gone on from.
    answers: Mutex<Vec<Option<PathBuf>>>,
    meters: Meters,
    /// When it was.
    opened: Instant,
    /// Which members are at their end, as far as is known.
    ended: Mutex<Vec<bool>>,
}

impl Hub {
    /// Opens a stream, whose first member is about to begin.
    pub fn open(place: &Arc<StreamPlace>, job: &Job, around: &Around) -> Result<Self, Failure> {
        let stream = &place.stream;
        let mut places = Vec::new();
        for member in &place.members {
            let at = |level: &Vec<StepId>| level.iter().position(|step| *step == member.step);
            let found = stream.levels.iter().enumerate().find_map(|(n, level)| Some((n, at(level)?)));
            places.push(found.ok_or_else(|| stranger(member.step))?);
        }
        let members: Vec<Arc<Member>> =
            place.members.iter().zip(&places).map(|(member, at)| Arc::new(Member::of(member, at.0 > 0))).collect();
        let of_level = |level: usize| -> Vec<Arc<Member>> {
            let mut of: Vec<(usize, Arc<Member>)> = places
                .iter()
                .zip(&members)
                .filter(|(at, _)| at.0 == level)
                .map(|(at, member)| (at.1, member.clone()))
                .collect();
            of.sort_by_key(|(n, _)| *n);
            of.into_iter().map(|(_, member)| member).collect()
        };
        let begin = |inlets, outlets, by_lines, limit| {
            Junction::begin(inlets, outlets, by_lines, stream, limit, around.running.clone())
                .map_err(|error| no_room(&error))
        };
        let mut between = Vec::new();
        for level in 1..stream.levels.len() {
            let (writers, readers) = (of_level(level - 1), of_level(level));
            let most = match stream.slow {
                Slow::DropOldest(most) if readers.len() > 1 => Some(most as usize),
                _ => None,
            };
            let by_lines = writers.len() > 1 || most.is_some() || writers.iter().any(|writer| writer.retried);
            let inlets = writers.into_iter().map(Inlet::new).collect();
            let outlets = readers.into_iter().map(|reader| {
                let spool = reader.retried.then(|| spool(&reader, job)).flatten();
                Outlet::new(reader, most, spool)
            });
            between.push(begin(inlets, outlets.collect(), by_lines, None)?);
        }
        let mut behind = Vec::new();
        for (member, at) in members.iter().zip(&places) {
            let is_last = at.0 + 1 == stream.levels.len();
            behind.push(match is_last && (member.is_filter || member.by_lines) {
                true => {
                    let limit = place.members.iter().find(|other| other.step == member.step);
                    let limit = limit.and_then(|member| member.policy.as_ref()).and_then(|policy| policy.output_limit);
                    let limit = limit.or(job.site.settings.output_limit).unwrap_or(u64::MAX);
                    Some(begin(vec![Inlet::new(member.clone())], Vec::new(), true, Some(limit))?)
                }
                false => None,
            });
        }
        let answers = Mutex::new(vec![None; members.len()]);
        let meters = Meters::begin(place.clone(), members.clone(), around.report.clone());
        let ended = Mutex::new(vec![false; members.len()]);
        Ok(Hub {
            place: place.clone(),
            members,
            places,
            between,
            behind,
            answers,
            meters,
            opened: Instant::now(),
            ended,
        })
    }

    fn number(&self, step: StepId) -> Option<usize> {
        self.members.iter().position(|member| member.step == step)
    }

    pub fn member(&self, number: usize) -> &Member {
        &self.members[number]
    }

    /// Most bytes of a line.
    pub fn max_line(&self) -> u64 {
        self.place.stream.max_line
    }

    /// Is all that a member writes its output, taken from a pipe?
    pub fn keeps_whole(&self, number: usize) -> bool {
        self.behind[number].is_some()
    }

    /// What comes after a member: the way to it, and which of the writers it is there.
    pub fn after(&self, number: usize) -> Option<(&Handle, usize)> {
        let (level, n) = self.places[number];
        self.between.get(level).map(|handle| (handle, n)).or(self.behind[number].as_ref().map(|handle| (handle, 0)))
    }

    /// What comes before it, and which of the readers it is there.
    fn before(&self, number: usize) -> Option<(&Handle, usize)> {
        let (level, n) = self.places[number];
        Some((self.between.get(level.checked_sub(1)?)?, n))
    }

    /// Makes an attempt of a member.
    pub fn run(&self, job: &Job, around: &Around) -> Result<Outcome, Failure> {
        let number = self.number(job.step).ok_or_else(|| stranger(job.step))?;
        let member = &self.members[number];
        member.attempt.store(job.attempt, Ordering::Relaxed);
        self.is_last(number, false);
        let before = (member.bytes_in.get(), member.bytes_out.get(), member.lines_out.get(), member.dropped.get());
        let skipped = member.skipped.get();
        member.lasted.set(0);
        let (mut partly, mut not_kept, mut unread) = (false, None, None);
        let result = self.begin(number, job, around).and_then(|mut seat| {
            let result = match &*job.task {
                Task::Filter(filter) => filter::run(filter, job, around, &mut seat),
                Task::Agent(ask) => agent::run(ask, job, around, &mut seat, member),
                _ => process::connected(job, around.running, around.room, Some(&mut seat)),
            };
            (partly, not_kept, unread) = (seat.partly, seat.not_kept.take(), seat.unread);
            result
        });
        // As it was when it ended; if it has not begun, as it is now.
        let unread = unread.unwrap_or_else(|| member.unread.load(Ordering::SeqCst));
        let mut outcome = match result {
            Ok(outcome) => outcome,
            // It was ended before it had begun.
            Err(failure) if unread && failure.kind == FailureKind::Cancelled => Outcome::default(),
            Err(failure) => Outcome { error: Some(failure), ..Outcome::default() },
        };
        if let (Some(failure), false) = (member.fault(), unread) {
            outcome.error = Some(failure);
        }
        if self.after(number).is_none() {
            // It wrote into a file by itself.
            member.has_written(outcome.stdout.as_ref().map_or(0, |log| log.bytes));
        }
        if let (Some(failure), Some(why)) = (&mut outcome.error, member.lost()) {
            let help = format!("it cannot be tried again within its stream: {why}");
            failure.help = Some(failure.help.take().map_or_else(|| help.clone(), |other| format!("{other}; {help}")));
        }
        member.lasted.set((self.opened.elapsed().as_micros() as u64).max(1));
        let whole = outcome.error.is_none();
        outcome.streamed = Some(Box::new(Streamed {
            bytes_in: member.bytes_in.get() - before.0,
            bytes_out: member.bytes_out.get() - before.1,
            lines: member.lines_out.get() - before.2,
            dropped: member.dropped.get() - before.3,
            skipped: member.skipped.get() - skipped,
            cut_short: whole && unread,
            partly_kept: partly,
            not_kept: not_kept.unwrap_or_default(),
        }));
        self.over(number, whole && !member.judged);
        if self.is_last(number, true) {
            self.meters.tell();
        }
        Ok(outcome)
    }

    /// A member has `ended`, or begins. Are all at their end?
    fn is_last(&self, number: usize, ended: bool) -> bool {
        let mut all = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        all[number] = ended;
        all.iter().all(|ended| *ended)
    }

    /// Connects a member that is about to begin.
    fn begin<'a>(&'a self, number: usize, job: &'a Job, around: &'a Around<'a>) -> Result<Seat<'a>, Failure> {
        let member = &*self.members[number];
        if let (Some(why), true) = (member.lost(), member.bytes_in.get() > 0) {
            return Err(Failure::new(FailureKind::Store, format!("it cannot be tried again: {why}")).help(
                "the run's folder keeps what a member with `retry` is given: it needs that much space on its disk",
            ));
        }
        let secrets = around.room.secrets.of_run(&job.site.hidden).is_some().then(|| around.room.secrets.clone());
        let logs = Logs::of(job)?;
        let mut seat = Seat {
            hub: self,
            number,
            running: around.running,
            key: (job.step, job.attempt),
            stdin: None,
            stdout: None,
            left: None,
            unread: None,
            partly: false,
            not_kept: None,
        };
        if let Some((handle, reader)) = self.before(number) {
            let drops = matches!(self.place.stream.slow, Slow::DropOldest(_));
            let (stdin, feed) = pipe(!drops).map_err(|error| no_room(&error))?;
            never_wait(&feed).map_err(|error| no_room(&error))?;
            handle.tell(Order::Reads { reader, pipe: feed });
            seat.stdin = Some(stdin);
        }
        if let Some((handle, writer)) = self.after(number) {
            let (taken, stdout) = pipe(true).map_err(|error| no_room(&error))?;
            never_wait(&taken).map_err(|error| no_room(&error))?;
            let limit = match self.behind[number] {
                Some(_) => u64::MAX,
                // Its log is what its program printed.
                None if member.is_agent => 0,
                None => self.place.stream.tee,
            };
            let mut kept = Kept::new(&logs, limit, secrets);
            if self.behind[number].is_some() {
                self.go_on(number, &mut kept)?;
            }
            handle.tell(Order::Writes { writer, pipe: taken, kept });
            seat.stdout = Some(stdout);
        } else {
            member.writes_into(logs.path("out"));
        }
        Ok(seat)
    }

    /// Lets the log of a member that answers line by line begin with what its last attempt has answered.
    fn go_on(&self, number: usize, kept: &mut Kept) -> Result<(), Failure> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(earlier), true) = (&answers[number], self.members[number].by_lines) {
            kept.after(earlier).map_err(|error| store_failure("copy", earlier, &error))?;
        }
        answers[number] = Some(kept.path().clone());
        Ok(())
    }

    /// An attempt has ended. `well`: what it wrote is all that there is of it, and it needs nothing any more.
    fn over(&self, number: usize, well: bool) {
        if let Some((handle, writer)) = self.after(number) {
            handle.tell(Order::Wrote { writer, whole: well });
        }
        if let Some((handle, reader)) = self.before(number) {
            handle.tell(Order::Read { reader, done: well });
        }
    }

    /// A member's end counts as a good one: it is valid, or has failed for good and the stream goes on without it.
    pub fn let_end(&self, step: StepId) {
        if let Some(number) = self.number(step) {
            self.over(number, true);
        }
    }

    /// The stream is at its end.
    pub fn close(&self) {
        for handle in self.between.iter().chain(self.behind.iter().flatten()) {
            handle.tell(Order::Close);
        }
        self.meters.close();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
    }
}

fn stranger(step: StepId) -> Failure {
    Failure::new(FailureKind::Input, format!("step {} does not stand in its stream", step.0))
        .help("this is a mistake in flow; please report it")
}

fn no_room(error: &io::Error) -> Failure {
    let mut failure = Failure::new(FailureKind::Spawn, format!("the stream cannot be set up: {error}"))
        .help("each member needs two pipes and a thread: `ulimit -n` and `ulimit -u` say how many there may be");
    failure.class = crate::plan::Class::Resource;
    failure
}

/// A place for all that a member is given. Without one it cannot be tried again.
fn spool(member: &Member, job: &Job) -> Option<Spool> {
    let hides = job.site.hides();
    let path = job.site.folder.join(format!("logs/{}.spool", log_stem(member.step, &member.name, 1)));
    let made = job.site.prepare().map_err(|failure| failure.message);
    let made = made.and_then(|()| Spool::new(&path, hides).map_err(|error| error.to_string()));
    made.map_err(|error| member.lose(format!("what it is given cannot be kept: {error}"))).ok()
}
