//! The simulation of one run: time goes from one thing that happens to the next.
//!
//! - The next thing is due: a commit, the end of an attempt, a moment of the driver, something that disturbs.
//! - It happens. What the driver is told goes to its inbox; sooner or later it takes what is there: one round.
//! - What the driver asked for is put down as what will happen: commits, ends of attempts, answers.
//! - The books check all of it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::mem;
use std::sync::Arc;

use flow::diag::Diagnostic;
use flow::engine::drive::Attended;
use flow::event::{Alerted, Created, Event, Flowed, Outcome, Reached, Record, RunStatus, Saw, Stop, WaitFor};
use flow::exec::{Done, Job, Question, Work, waits_for_commit};
use flow::plan::{Json, StepId, Task};
use flow::state::{RunState, Status};
use flow::store::Addressee;

use super::books::{Books, in_quorum, is_in_undo, made_again, starts_early};
use super::dice::Dice;
use super::draft::Script;
use super::invariants::{Broken, Invariant, hold};
use super::post::Post;
use super::process::Process;
use super::temper::Temper;
use super::trace::Trace;
use super::world::{Fate, World};

/// More than this happens in no run.
const MOST: u64 = 30_000;

/// What is going to happen.
enum Due {
    /// A piece of work is done; or is reported again.
    Done(Done, bool),
    /// The disk is ready.
    Commit,
    /// The driver takes what is in its inbox.
    Round,
    /// Another process takes up the run.
    Reopen,
    /// Somebody answers an attempt of a step; or does so again.
    Answer(StepId, u32, WaitFor),
}

struct Item {
    at: u64,
    number: u64,
    /// The process that it belongs to.
    life: u64,
    due: Due,
}

/// The simulation of one run.
pub struct Run<'a> {
    script: &'a Script,
    world: World,
    temper: Temper,
    dice: Dice,
    trace: Trace,
    now: u64,
    /// How far the wall clock is ahead, in milliseconds.
    ahead: i64,
    queue: BinaryHeap<Reverse<Item>>,
    number: u64,
    process: Option<Box<Process>>,
    /// Which process it is.
    life: u64,
    /// A commit, a round is due already.
    committing: bool,
    turning: bool,
    log: Vec<Record>,
    post: Post,
    /// How often in a row the driver was called and had nothing to do.
    idle: u32,
    /// What happened so far.
    pub books: Books,
    /// Attempts that are to be ended before they have begun.
    ended_early: Vec<(StepId, u32)>,
    happened: u64,
    cancelled: bool,
    /// It was asked to end and does not: how often.
    pushed: u32,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(script: &'a Script, world: World, temper: Temper, dice: Dice, trace: Trace) -> Self {
        let mut run = Run {
            script,
            world,
            temper,
            dice,
            trace,
            now: 0,
            ahead: 0,
            queue: BinaryHeap::new(),
            number: 0,
            process: None,
            life: 0,
            committing: false,
            turning: false,
            log: Vec::new(),
            post: Post::default(),
            idle: 0,
            books: Books::default(),
            ended_early: Vec::new(),
            happened: 0,
            cancelled: false,
            pushed: 0,
        };
        let created = Created { run: "simulated".into(), seed: world.seed, ..Created::default() };
        run.log.push(Record { seq: 0, at: run.wall(), event: Arc::new(Event::Created(Box::new(created))) });
        run
    }

    /// Lets everything happen, to the end. Gives how much that was.
    pub fn play(&mut self) -> Result<u64, Broken> {
        let first = self.log[0].clone();
        self.books.commit(self.world, &first)?;
        self.reopen()?;
        while !self.books.committed.status.is_final() || self.process.is_some() {
            self.happened += 1;
            hold!(self.happened < MOST, NotStuck, "the run goes on for ever");
            self.disturb()?;
            let moment = self.process.as_ref().and_then(|process| process.next_moment());
            let next = self.queue.peek().map(|Reverse(item)| item.at);
            match (next, moment) {
                (Some(at), moment) if moment.is_none_or(|moment| at <= moment) => {
                    let Some(Reverse(item)) = self.queue.pop() else { continue };
                    self.now = self.now.max(item.at);
                    if item.life == self.life || matches!(item.due, Due::Answer(..)) {
                        self.happen(item.due)?;
                    }
                }
                (_, Some(moment)) => {
                    // Looking for nothing again and again would take as long as it does in the world.
                    let late = self.dice.time(self.temper.lazy) + (u64::from(self.idle > 3) << self.idle.min(30));
                    let at = next.map_or(u64::MAX, |next| next).min(moment.saturating_add(late));
                    self.now = self.now.max(moment).max(at);
                    self.idle += 1;
                    self.round()?;
                }
                (None, None) | (Some(_), None) => self.nothing_happens()?,
            }
        }
        Ok(self.happened)
    }

    /// Tells what the plan came to be.
    pub fn tell_plan(&mut self) {
        let state = &self.books.committed;
        for id in state.plan.ids() {
            self.trace.tell(self.now, || {
                let step = state.plan.step(id);
                let policy = step.policy();
                let after: Vec<String> = step.after.iter().map(|edge| format!("{:?} {}", edge.kind, edge.from.0)).collect();
                format!(
                    "{} {} {}{} {} attempt {} failures {}: after {after:?} when {:?} {:?} limits {:?} retry {:?} timeout {:?} undo {:?} finally {} moment {:?}",
                    id.0,
                    state.plan.path(id),
                    step.task.kind(),
                    if step.retired { " (retired)" } else { "" },
                    state.step(id).status.name(),
                    state.step(id).attempt,
                    state.step(id).failures,
                    step.when.as_ref().map(|when| when.steps()),
                    policy.rule,
                    policy.limits,
                    policy.retry.as_ref().map(|retry| retry.max_attempts),
                    policy.timeout_ms,
                    policy.undo,
                    policy.finally,
                    state.plan.hook(id),
                )
            });
        }
    }

    fn wall(&self) -> u64 {
        (1_700_000_000_000 + (self.now / 1_000) as i64 + self.ahead) as u64
    }

    fn later(&mut self, delay: u64, due: Due) {
        self.number += 1;
        let at = self.now.saturating_add(delay);
        self.queue.push(Reverse(Item { at, number: self.number, life: self.life, due }));
    }

    /// Nothing is under way and no timer is armed: the run must wait for something that has a name.
    fn nothing_happens(&mut self) -> Result<(), Broken> {
        let hangs = self.books.going.iter().any(|going| going.outside);
        if !hangs {
            let state = &self.books.committed;
            let open = state.plan.ids().filter(|id| !state.step(*id).status.is_final() && !is_in_undo(state, *id));
            let open: Vec<String> =
                open.map(|id| format!("{} {}", state.plan.path(id), state.step(id).status.name())).collect();
            return Err(Broken::new(Invariant::NotStuck, format!("nothing is under way, and yet there are {open:?}")));
        }
        // Processes that hang: somebody ends them.
        self.pushed += 1;
        hold!(self.pushed < 50, NotStuck, "what hangs is never ended");
        self.stop(Stop::Cancelled);
        Ok(())
    }

    fn happen(&mut self, due: Due) -> Result<(), Broken> {
        match due {
            Due::Done(done, again) => {
                if let Done::Finished { step, attempt, .. } = &done {
                    let goes_on = self.books.going.iter().any(|going| (going.step, going.attempt) == (*step, *attempt));
                    if !goes_on && !again {
                        return Ok(());
                    }
                    self.books.ends(*step, *attempt);
                }
                if let Done::Waits { step, attempt, .. } = &done {
                    self.books.ends(*step, *attempt);
                }
                if let Done::Missed(job) = &done {
                    self.books.ends(job.step, job.attempt);
                }
                self.trace.tell(self.now, || format!("{}{}", if again { "again " } else { "" }, told(&done)));
                self.tell(flow::engine::drive::Message::Done(done));
                Ok(())
            }
            Due::Commit => self.commit(),
            Due::Round => self.round(),
            Due::Reopen => self.reopen(),
            Due::Answer(step, attempt, what) => {
                self.answer(step, attempt, &what);
                Ok(())
            }
        }
    }

    /// Puts something into the driver's inbox.
    fn tell(&mut self, message: flow::engine::drive::Message) {
        if let Some(process) = &self.process {
            process.inbox.send(message);
            self.turn();
        }
    }

    /// The driver will take a look.
    fn turn(&mut self) {
        if !mem::replace(&mut self.turning, true) {
            let lazy = self.dice.time(self.temper.lazy);
            self.later(lazy, Due::Round);
        }
    }

    /// One round of the driver.
    fn round(&mut self) -> Result<(), Broken> {
        self.turning = false;
        self.trace.tell(self.now, || format!("round {:?}", self.process.as_ref().map(|p| p.next_moment())));
        let (now, wall) = (self.now, self.wall());
        let Some(process) = &mut self.process else { return Ok(()) };
        let most = if self.dice.one_in(3) { 1 + self.dice.below(3) } else { 256 };
        for _ in 0..most {
            let Some(message) = process.message() else { break };
            process.driver.take(wall, message);
        }
        process.driver.fire(process.time(now, wall));
        process.driver.finish(process.time(now, wall));
        self.books.turn(now, process.driver.state());
        if process.go_on(self.script) || process.has_messages() {
            self.turn();
        }
        self.look_at_appends()?;
        self.see_to_work()?;
        let Some(process) = &mut self.process else { return Ok(()) };
        self.books.after_round(process.driver.state())?;
        if process.disk.appends().is_empty() && !process.full && !process.driver.holds_back() {
            self.books.same(process.driver.state())?;
        }
        if process.driver.is_done() {
            return self.process_ends();
        }
        Ok(())
    }

    /// What the driver has decided on goes to the disk.
    fn look_at_appends(&mut self) -> Result<(), Broken> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let appends = process.disk.appends();
        for append in appends.iter().skip(process.looked_at) {
            self.idle = 0;
            for record in &append.records {
                self.trace.tell(self.now, || {
                    format!("decided {} {}", record.seq, event(process.driver.state(), &record.event))
                });
            }
            self.books.decided(&append.records, process.driver.state())?;
        }
        process.looked_at = appends.len();
        let waits = !appends.is_empty();
        drop(appends);
        if waits && !mem::replace(&mut self.committing, true) {
            let delay = self.dice.time(self.temper.commit);
            self.later(delay, Due::Commit);
        }
        Ok(())
    }

    /// The disk commits what has queued up, or cannot.
    fn commit(&mut self) -> Result<(), Broken> {
        self.committing = false;
        let Some(process) = &mut self.process else { return Ok(()) };
        let batch: Vec<_> = process.disk.appends().drain(..).collect();
        process.looked_at = 0;
        process.full |= self.temper.full > 0 && self.dice.one_in(self.temper.full);
        if process.full {
            self.trace.tell(self.now, || format!("the disk is full: {} appends fail", batch.len()));
            let full = Diagnostic::new("flow::store::write", "cannot write: the disk is full").help("make room");
            batch.into_iter().for_each(|append| (append.committed)(Err(full.clone())));
            self.turn();
            return self.see_to_work();
        }
        for append in &batch {
            self.trace
                .tell(self.now, || format!("committed up to {}", append.records.last().map_or(0, |last| last.seq)));
            for record in &append.records {
                self.books.commit(self.world, record)?;
            }
            self.log.extend_from_slice(&append.records);
        }
        for append in &batch {
            append.records.iter().for_each(|record| self.wait_is_known(&record.event));
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let dies = self.temper.crash_in_commit > 0 && self.dice.one_in(self.temper.crash_in_commit);
        if dies {
            process.outside.asked().dies_after = Some(self.dice.below(3) as usize);
        }
        let told = if dies { self.dice.below(batch.len() as u64 + 1) as usize } else { batch.len() };
        batch.into_iter().take(told).for_each(|append| (append.committed)(Ok(())));
        self.see_to_work()?;
        if dies {
            return self.crash();
        }
        self.turn();
        Ok(())
    }

    /// What the driver has asked of the world.
    fn see_to_work(&mut self) -> Result<(), Broken> {
        loop {
            let Some(process) = &mut self.process else { return Ok(()) };
            let (begun, kills, let_end, closed) = {
                let mut asked = process.outside.asked();
                let (let_end, closed) = (mem::take(&mut asked.let_end), mem::take(&mut asked.closed));
                (mem::take(&mut asked.begun), mem::take(&mut asked.kills), let_end, closed)
            };
            for member in let_end {
                self.books.is_let_end(process.driver.state(), member)?;
            }
            for (stream, attempt) in closed {
                self.trace.tell(self.now, || format!("close {}#{attempt}", stream.0));
                self.books.closes(process.driver.state(), stream, attempt)?;
            }
            if begun.is_empty() && kills.is_empty() {
                return Ok(());
            }
            for (step, attempt, hard) in kills {
                self.trace.tell(self.now, || format!("kill {}#{attempt}{}", step.0, if hard { ", hard" } else { "" }));
                match self.books.going.iter().find(|going| (going.step, going.attempt) == (step, attempt)) {
                    Some(going) if going.outside => self.end_killed(step, attempt, hard),
                    // A look at the cache ends by itself.
                    Some(_) => {}
                    None => self.ended_early.push((step, attempt)),
                }
            }
            for work in begun {
                self.begin(work)?;
            }
        }
    }

    /// What is being ended ends some time later, perhaps by itself.
    fn end_killed(&mut self, step: StepId, attempt: u32, hard: bool) {
        let Some(process) = &self.process else { return };
        let state = process.driver.state();
        let fate = match self.world.attempt(state, step) {
            fate if self.dice.one_in(4) => fate,
            _ => Fate::Hangs,
        };
        let outcome = Arc::new(self.world.outcome(state, step, attempt, &fate));
        let delay = self.dice.time(if hard { 100 } else { 5_000_000 });
        self.later(delay, Due::Done(Done::Finished { step, attempt, outcome }, false));
    }

    fn begin(&mut self, work: Work) -> Result<(), Broken> {
        let Some(process) = &self.process else { return Ok(()) };
        let state = process.driver.state();
        let slow = self.dice.one_in(20);
        let soon = self.dice.time(if slow { 2_000_000 } else { 100 });
        let done = match work {
            Work::Attempt(job) => return self.begin_attempt(job),
            Work::Lookup(job) => {
                self.books.begins_inside(&job, state)?;
                let (step, attempt) = (job.step, job.attempt);
                match self.world.is_cached(state, step) {
                    true => {
                        let outcome = Arc::new(self.world.outcome(state, step, attempt, &Fate::Well));
                        Done::Finished { step, attempt, outcome }
                    }
                    false => Done::Missed(Box::new(job)),
                }
            }
            Work::Decide { step, branch, asked, question, inputs } => {
                let own = state.step(step).status == Status::Pending;
                let which = match (&question, own) {
                    (_, true) => 0,
                    (Question::Until(..), _) => 1_000 + u64::from(branch),
                    (Question::When(_), _) => 1 + u64::from(branch),
                };
                let mut read = Vec::new();
                let mut saw = Vec::new();
                for (id, result) in &inputs.results {
                    let path = state.plan.path(*id);
                    let early = made_again(state, *id, step) || starts_early(state, step);
                    let ended = result.status.is_final() || early;
                    hold!(ended, Committed, "a condition reads `{path}`, which has not ended");
                    read.push(result.status);
                    saw.push(Saw { step: *id, what: "passed".into(), value: Json::Null, handles: false });
                }
                let (result, looks) = self.world.decide(state, step, which, &read);
                // What is not asked because something else was faster looks at nothing.
                let looks = looks && matches!(question, Question::When(_)) && !in_quorum(state, step);
                saw.iter_mut().for_each(|saw| saw.handles = looks);
                Done::Decided { step, branch, asked, result, saw }
            }
            Work::Judge { step, attempt, outcome, .. } => {
                let (outcome, again) = self.world.judge(state, step, outcome);
                Done::Judged { step, attempt, outcome, again }
            }
            Work::Expand { step, iteration, plan, .. } => {
                let result = self.world.expand(state, &plan, step, iteration);
                Done::Expanded { step, result }
            }
        };
        self.later(soon, Due::Done(done, false));
        Ok(())
    }

    fn begin_attempt(&mut self, job: Job) -> Result<(), Broken> {
        let Some(process) = &self.process else { return Ok(()) };
        let state = process.driver.state();
        let (step, attempt) = (job.step, job.attempt);
        let leaves = waits_for_commit(&job.task, job.policy.as_deref());
        self.trace.tell(self.now, || format!("begin {}#{attempt} {}", state.plan.path(step), job.task.kind()));
        if job.task.waits() {
            self.books.begins_inside(&job, state)?;
            let (what, delay_ms) = self.wait(&job);
            self.later(20, Due::Done(Done::Waits { step, attempt, what, delay_ms }, false));
            return Ok(());
        }
        match leaves {
            true => self.books.begins_outside(&job)?,
            false => self.books.begins_inside(&job, state)?,
        }
        self.flows(&job);
        let early = self.ended_early.iter().position(|ended| *ended == (step, attempt));
        if let Some(place) = early {
            self.ended_early.swap_remove(place);
            self.end_killed(step, attempt, true);
            return Ok(());
        }
        let Some(process) = &self.process else { return Ok(()) };
        let state = process.driver.state();
        let fate = self.world.attempt(state, step);
        let outcome = Arc::new(self.world.outcome(state, step, attempt, &fate));
        let mut takes = self.dice.time(if leaves { self.temper.work } else { 200 });
        if let Some(timeout) = state.plan.step(step).policy().timeout_ms {
            takes = takes.min(timeout * 1_000 / 2);
        }
        if fate != Fate::Hangs {
            self.report(takes, step, attempt, outcome, leaves);
        }
        Ok(())
    }

    /// What a stream, or a pipeline, tells of itself.
    fn flows(&mut self, job: &Job) {
        let Some(process) = &self.process else { return };
        let raises = self.world.raises(process.driver.state(), job.step);
        let (step, attempt) = match &job.stream {
            Some(place) => (place.group, place.attempt),
            None if job.policy.as_ref().is_some_and(|policy| !policy.alerts.is_empty()) => (job.step, job.attempt),
            None => return,
        };
        let reached =
            job.stream.is_none().then(|| Box::new(Reached { upto: u64::from(attempt), ..Reached::default() }));
        let flowed = Flowed { step, attempt, reached, meters: Vec::new() };
        let delay = self.dice.time(1_000_000);
        self.later(delay, Due::Done(Done::Flowed(Box::new(flowed)), false));
        if raises {
            let alerted = Alerted { step: job.step, alert: 0, stage: "stage".into(), value: 0.5 };
            self.later(0, Due::Done(Done::Alerted(Box::new(alerted)), false));
        }
    }

    /// An attempt will end by itself; perhaps that is reported twice.
    fn report(&mut self, takes: u64, step: StepId, attempt: u32, outcome: Arc<Outcome>, leaves: bool) {
        let twice = leaves && self.temper.twice > 0 && self.dice.one_in(self.temper.twice);
        self.later(takes, Due::Done(Done::Finished { step, attempt, outcome: outcome.clone() }, false));
        if twice {
            let again = takes.saturating_add(self.dice.time(50_000_000));
            self.later(again, Due::Done(Done::Finished { step, attempt, outcome }, true));
        }
    }

    /// For what a task waits.
    fn wait(&self, job: &Job) -> (WaitFor, Option<u64>) {
        match &*job.task {
            Task::Approve(approve) => {
                let refusable = approve.choices.is_empty();
                let choices = if refusable { vec!["yes".into(), "no".into()] } else { approve.choices.clone() };
                let on_timeout = approve.on_timeout.clone();
                (WaitFor::Answer { prompt: "well?".into(), choices, form: Vec::new(), refusable, on_timeout }, None)
            }
            Task::Signal(wait) => {
                (WaitFor::Signal { name: wait.signal.clone(), on_timeout: wait.on_timeout.clone() }, None)
            }
            Task::WaitFor(wait) => {
                let path = wait.file.as_text().unwrap_or_default().to_owned();
                (WaitFor::File { path, on_timeout: wait.on_timeout.clone() }, None)
            }
            _ => (
                WaitFor::Time,
                self.process.as_ref().map(|process| self.world.moment(process.driver.state(), job.step)),
            ),
        }
    }

    /// The driver is done: the run is at its end, let go of, or can no longer be written.
    fn process_ends(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let left = process.disk.appends().len();
        let full = process.full;
        self.life += 1;
        (self.committing, self.turning) = (false, false);
        match process.driver.end() {
            Ok(state) => {
                hold!(left == 0, LastWord, "{left} appends come after the last one");
                self.books.same(&state)?;
                self.trace.tell(self.now, || format!("the process ends: {}", state.status.name()));
                if state.status.is_final() {
                    return Ok(());
                }
                hold!(
                    state.status == RunStatus::Paused,
                    NotStuck,
                    "the process lets go of a run that is {:?}",
                    state.status
                );
                self.waits_for_somebody()
            }
            Err(problem) => {
                hold!(full, NotStuck, "the process ends: {problem}");
                self.trace.tell(self.now, || "the process ends: nothing can be written".into());
                self.down();
                Ok(())
            }
        }
    }

    /// A step is seen to wait. Somebody answers it some time later, unless nobody ever does.
    fn wait_is_known(&mut self, event: &Event) {
        let Event::Waiting { step, what, .. } = event else { return };
        let (step, attempt) = (*step, self.books.committed.step(*step).attempt);
        if *what == WaitFor::Time {
            return;
        }
        if self.world.answer(&self.books.committed, step, what).is_some() {
            let delay = self.dice.time(60_000_000);
            self.later(delay, Due::Answer(step, attempt, what.clone()));
        } else if let Some(process) = &self.process {
            // A person who is asked and does not know.
            process.inbox.decline(step, attempt);
            self.turn();
        }
    }

    fn answer(&mut self, step: StepId, attempt: u32, what: &WaitFor) {
        let state = &self.books.committed;
        let Some(answer) = self.world.answer(state, step, what) else { return };
        let confused = self.temper.confuse > 0 && self.dice.one_in(self.temper.confuse);
        self.trace.tell(self.now, || format!("somebody answers {}#{attempt}: {}", state.plan.path(step), answer.value));
        match what {
            WaitFor::Answer { .. } => {
                let path = state.plan.path(step);
                self.post.letter(Addressee::Step { path: path.clone(), attempt }, answer.clone());
                if confused {
                    // Once more, or to an attempt that is over.
                    let attempt = 1 + self.dice.below(u64::from(attempt)) as u32;
                    self.post.letter(Addressee::Step { path, attempt }, answer);
                }
            }
            WaitFor::Signal { name, .. } => {
                self.post.letter(Addressee::Signal(name.to_string()), answer.clone());
                if confused {
                    self.post.letter(Addressee::Signal(name.to_string()), answer);
                }
            }
            WaitFor::File { path, .. } => self.post.file(path.clone()),
            WaitFor::Time => {}
        }
        if confused && self.dice.one_in(2) {
            self.post.close(1 + self.dice.below(5) as u32);
        }
        if let Some(process) = &self.process
            && self.dice.one_in(2)
        {
            process.inbox.look();
            self.turn();
        }
    }

    /// A run that was let go of. Somebody comes back to it.
    fn waits_for_somebody(&mut self) -> Result<(), Broken> {
        let delay = self.dice.time(20_000_000_000);
        self.later(delay, Due::Reopen);
        Ok(())
    }

    /// The process dies. What was under way in it is lost; appends that had been queued may be on the disk or not.
    fn crash(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process.take() else { return Ok(()) };
        self.life += 1;
        (self.committing, self.turning) = (false, false);
        let batch: Vec<_> = process.disk.appends().drain(..).collect();
        let kept = if process.full { 0 } else { self.dice.below(batch.len() as u64 + 1) as usize };
        self.trace.tell(self.now, || format!("CRASH: {kept} of {} appends are on the disk", batch.len()));
        // Everything that was begun goes with it.
        self.books.reopened();
        self.ended_early.clear();
        for append in &batch[..kept] {
            for record in &append.records {
                self.books.commit(self.world, record)?;
            }
            self.log.extend_from_slice(&append.records);
            append.records.iter().for_each(|record| self.wait_is_known(&record.event));
        }
        if !self.books.committed.status.is_final() {
            self.down();
        }
        Ok(())
    }

    /// Nobody works on the run for a while.
    fn down(&mut self) {
        let delay = self.dice.time(200_000_000);
        self.later(delay, Due::Reopen);
    }

    /// A process takes up the run.
    fn reopen(&mut self) -> Result<(), Broken> {
        self.books.reopened();
        self.ended_early.clear();
        self.trace.tell(self.now, || format!("a process takes up the run at event {}", self.log.len()));
        if self.dice.one_in(32) {
            // What is read is what was written.
            for record in &mut self.log {
                let text =
                    serde_json::to_string(record).map_err(|error| Broken::new(Invariant::Replay, error.to_string()))?;
                let read: Record =
                    serde_json::from_str(&text).map_err(|error| Broken::new(Invariant::Replay, error.to_string()))?;
                hold!(read == *record, Replay, "{record:?} is read as {read:?}");
                *record = read;
            }
        }
        let there = self.temper.attended == 0 || self.dice.one_in(self.temper.attended);
        let attended = match (there, self.dice.one_in(2)) {
            (false, _) => Attended::No,
            (true, false) => Attended::Always,
            (true, true) => Attended::ByAPerson,
        };
        let process = Process::start(self.now, self.wall(), &self.log, self.script, &self.post, attended);
        self.process = Some(Box::new(process));
        self.turn();
        if self.cancelled {
            self.stop(Stop::Cancelled);
        }
        Ok(())
    }

    fn stop(&mut self, reason: Stop) {
        self.trace.tell(self.now, || format!("stop: {reason:?}"));
        if reason == Stop::Cancelled {
            self.cancelled = true;
            self.books.incomparable = true;
        }
        if let Some(process) = &self.process {
            process.inbox.stop(reason);
            self.turn();
        }
    }

    /// Something may happen that nobody has asked for.
    fn disturb(&mut self) -> Result<(), Broken> {
        let mut strikes = |one_in: u64| one_in > 0 && self.dice.one_in(one_in);
        let [crash, cancel, interrupt, jump, note] =
            [self.temper.crash, self.temper.cancel, self.temper.interrupt, self.temper.jump, self.temper.note]
                .map(&mut strikes);
        if jump {
            let far = self.dice.time(200_000_000_000) as i64 / 1_000;
            self.ahead += if self.dice.one_in(2) { far } else { -far };
            self.trace.tell(self.now, || format!("the wall clock is {} ms ahead", self.ahead));
        }
        if self.process.is_none() {
            return Ok(());
        }
        if note {
            self.tell(flow::engine::drive::Message::Note(Event::Printed { text: "said".into() }));
        }
        if interrupt {
            self.stop(Stop::Interrupted);
        }
        if cancel {
            self.stop(Stop::Cancelled);
        }
        if crash {
            self.crash()?;
        }
        Ok(())
    }
}

fn told(done: &Done) -> String {
    match done {
        Done::Finished { step, attempt, outcome } => {
            format!("done {}#{attempt}: {}", step.0, outcome.error.as_ref().map_or("well", |error| error.kind.name()))
        }
        Done::Missed(job) => format!("missed {}#{}", job.step.0, job.attempt),
        other => {
            let mut text = format!("{other:?}");
            text.truncate(text.char_indices().nth(200).map_or(text.len(), |(at, _)| at));
            text
        }
    }
}

/// An event, in a line.
fn event(state: &RunState, event: &Event) -> String {
    let path = |id: &StepId| state.plan.path(*id);
    match event {
        Event::Planned { of, growth } => {
            format!("planned {} steps from {} of {:?}", growth.steps.len(), growth.base, of.map(|id| path(&id)))
        }
        Event::Started { step, attempt } => format!("started {}#{attempt}", path(step)),
        Event::Finished { step, attempt, outcome } => {
            let how = outcome
                .error
                .as_ref()
                .map_or("well".to_owned(), |error| format!("{}: {}", error.kind.name(), error.message));
            format!("finished {}#{attempt} {how}", path(step))
        }
        Event::Retrying { step, attempt, delay_ms, .. } => {
            format!("retrying {}#{attempt} in {delay_ms} ms", path(step))
        }
        Event::Skipped { step, reason } => format!("skipped {} {reason:?}", path(step)),
        Event::Cancelled { step } => format!("cancelled {}", path(step)),
        Event::Interrupted { step, attempt } => format!("interrupted {}#{attempt}", path(step)),
        Event::Waiting { step, delay_ms, what } => format!("waiting {} {delay_ms} ms for {what:?}", path(step)),
        Event::Decided { step, branch, result, .. } => format!("decided {}/{branch}: {result:?}", path(step)),
        Event::Reset { steps, retired, why } => {
            let steps: Vec<String> = steps.iter().map(path).collect();
            format!("reset {steps:?}, retired {retired:?}: {why:?}")
        }
        other => format!("{other:?}"),
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Item {}
