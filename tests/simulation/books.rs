//! The simulation's own books: what is committed, what goes on in the world, since when. Everything that happens is
//! checked against them.

use std::collections::{HashSet, VecDeque};

use flow::event::{Because, Event, FailureKind, Outcome, Record, Skip, Stop, WaitFor};
use flow::exec::Job;
use flow::plan::{OnError, Plan, Rule, StepId, Task};
use flow::state::{RunState, Status};

use super::fits;
use super::invariants::{Broken, Invariant, hold};
use super::world::{Fate, World};

const MINUTE: u64 = 60_000_000;

/// See the module's page.
#[derive(Default)]
pub struct Books {
    /// The state by the committed events.
    pub committed: RunState,
    /// Attempts that go on in the world.
    pub going: Vec<Going>,
    /// Attempts outside the process that ever began.
    begun: HashSet<(StepId, u32)>,
    /// By step: when it started or began to wait in this process, and before when nothing may follow from that.
    clock: Vec<(u64, u64)>,
    /// Up to which event the driver had decided at which time.
    turns: VecDeque<(u64, u64)>,
    /// When shares of `rate` were taken by this process.
    minute: Vec<u64>,
    /// Streams that this process has begun, with their attempts, and which of them are closed.
    open: HashSet<(StepId, u32)>,
    closed: HashSet<(StepId, u32)>,
    /// Members of the stream whose `Started` was the latest event: they start right after it.
    together: VecDeque<StepId>,
    /// Steps that take shares of limits, as far as the plan goes.
    limited: (usize, Vec<StepId>),
    /// The run was disturbed in a way that may change how it ends.
    pub incomparable: bool,
}

/// An attempt that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Going {
    pub step: StepId,
    pub attempt: u32,
    pub outside: bool,
}

impl Books {
    /// Another process takes up the run: nothing of the one before is left.
    pub fn reopened(&mut self) {
        self.going.clear();
        self.clock.clear();
        self.turns.clear();
        self.minute.clear();
        self.open.clear();
        self.closed.clear();
    }

    /// A stream is told to be at its end.
    pub fn closes(&mut self, state: &RunState, stream: StepId, attempt: u32) -> Result<(), Broken> {
        let path = state.plan.path(stream);
        hold!(self.closed.insert((stream, attempt)), Once, "attempt {attempt} of the stream `{path}` is closed again");
        let left = self.going.iter().find(|going| state.plan.stream_of(going.step) == Some(stream));
        hold!(left.is_none(), NoOrphans, "the stream `{path}` is closed, and {left:?} goes on");
        Ok(())
    }

    /// Readers take what a member wrote for the whole: it failed, or was judged first.
    pub fn is_let_end(&mut self, state: &RunState, member: StepId) -> Result<(), Broken> {
        let dealt = matches!(state.plan.step(member).policy().on_error, Some(OnError::Continue | OnError::Skip));
        // Its group may begin again in the same breath.
        let failed = matches!(state.step(member).status, Status::Failed | Status::Pending);
        let judged = state.plan.step(member).policy().validate.is_some();
        let well = judged && matches!(state.step(member).status, Status::Success | Status::Pending);
        hold!(well || failed && dealt, Fits, "what `{}` wrote is taken for the whole", state.plan.path(member));
        Ok(())
    }

    /// A record is committed.
    pub fn commit(&mut self, world: World, record: &Record) -> Result<(), Broken> {
        hold!(
            record.seq == self.committed.events,
            Fits,
            "event {} has the number {}",
            self.committed.events,
            record.seq
        );
        fits::check(&self.committed, &record.event)?;
        if let Some(member) = self.together.pop_front() {
            let starts = matches!(&*record.event, Event::Started { step, .. } if *step == member);
            hold!(starts, Fits, "{:?}, before all members of a stream have started", record.event);
        }
        if let Event::Started { step, attempt } = &*record.event {
            let plan = &self.committed.plan;
            let alone =
                plan.stream_of(*step).is_some_and(|stream| self.committed.step(stream).status != Status::Running);
            hold!(!alone, Fits, "`{}` starts without its stream", plan.path(*step));
            if let Task::Stream(stream) = &*plan.step(*step).task {
                self.together = stream.members().collect();
                self.open.insert((*step, *attempt));
            }
        }
        if let Event::Finished { step, .. }
        | Event::Cancelled { step }
        | Event::Interrupted { step, .. }
        | Event::Skipped { step, .. } = &*record.event
        {
            let orphan = self.going.iter().any(|going| going.step == *step && going.outside);
            hold!(!orphan, NoOrphans, "{:?}, while a process goes on", record.event);
        }
        if let Event::Ended { .. } | Event::Paused = &*record.event {
            let left = self.going.iter().find(|going| going.outside);
            hold!(left.is_none(), NoOrphans, "{:?}, while {left:?} goes on", record.event);
            let left = self.open.difference(&self.closed).next();
            hold!(left.is_none(), NoOrphans, "{:?}, and the stream {left:?} is not closed", record.event);
        }
        self.compare(world, &record.event);
        self.committed.apply(record.at, &record.event);
        Ok(())
    }

    /// Is the run disturbed so that it may end otherwise?
    fn compare(&mut self, world: World, event: &Event) {
        let state = &self.committed;
        let error =
            |outcome: &Outcome| outcome.error.as_ref().map(|error| (error.kind, error.message.contains("never start")));
        let (step, error) = match event {
            Event::Stopping { reason: Stop::Cancelled | Stop::Timeout | Stop::Failure(_) } => {
                self.incomparable = true;
                return;
            }
            // What waits outside for a child of a group that is tried again sees the one end or the other.
            Event::Reset { steps, .. } => {
                let again = |id: &StepId| steps.contains(id);
                let waits = |id: StepId| {
                    let step = state.plan.step(id);
                    step.after.iter().any(|edge| again(&edge.from)) || step.on_alert.is_some_and(|on| again(&on.step))
                };
                self.incomparable |= state.plan.ids().any(|id| !again(&id) && waits(id));
                return;
            }
            Event::Finished { step, outcome, .. } | Event::Retrying { step, outcome, .. } => (*step, error(outcome)),
            // Nobody answered, and the script says what that means.
            Event::Answered { step, answer } if answer.value == "nobody" => {
                (*step, Some((FailureKind::Timeout, false)))
            }
            Event::Skipped { step, reason: Skip::NotTaken(Because::Unanswered) } => {
                (*step, Some((FailureKind::Timeout, false)))
            }
            _ => return,
        };
        // Whose failure came first decides of which class that of the group is, and whether it is tried again.
        let task = &state.plan.step(step).task;
        if error.is_some() && matches!(**task, Task::Stream(_) | Task::Quorum(_)) {
            let mut around = std::iter::successors(Some(step), |id| state.plan.step(*id).parent);
            let tries = |id: StepId| {
                let policy = state.plan.step(id).policy();
                policy.retry.is_some() || policy.retry_if.is_some()
            };
            self.incomparable |= around.any(tries);
        }
        // A timeout that came although the attempt does not hang; a deadlock that was broken.
        self.incomparable |= match error {
            Some((FailureKind::Timeout, _)) => {
                let task = &state.plan.step(step).task;
                let asks = state.step(step).waits_for.clone().unwrap_or_default();
                match task.waits() {
                    true => *asks == WaitFor::Time || world.answer(state, step, &asks).is_some(),
                    // One that hangs may be found in the cache in time.
                    false => {
                        let cached = state.plan.step(step).policy().cache.is_some();
                        task.is_group() || cached || world.attempt(state, step) != Fate::Hangs
                    }
                }
            }
            Some((_, stuck)) => stuck,
            None => false,
        };
    }

    /// The driver has had its turn.
    pub fn turn(&mut self, now: u64, state: &RunState) {
        if self.turns.back().is_none_or(|(events, _)| *events < state.events) {
            self.turns.push_back((state.events, now));
        }
    }

    /// The driver gives events to the log, in their order.
    pub fn decided(&mut self, records: &[Record], state: &RunState) -> Result<(), Broken> {
        self.clock.resize(state.plan.steps.len().max(self.clock.len()), (0, 0));
        for record in records {
            while self.turns.front().is_some_and(|(events, _)| *events <= record.seq) {
                self.turns.pop_front();
            }
            let Some((_, now)) = self.turns.front().copied() else {
                return Err(Broken::new(
                    Invariant::Replay,
                    format!("the driver has not decided on event {}", record.seq),
                ));
            };
            match &*record.event {
                Event::Started { step, .. } => {
                    let (_, due) = self.clock[step.index()];
                    hold!(now >= due, Patience, "`{}` starts before its delay is over", state.plan.path(*step));
                    self.clock[step.index()] = (now, 0);
                    self.takes(now, state, *step)?;
                }
                Event::Waiting { step, delay_ms, .. } => {
                    let wait = matches!(*state.plan.step(*step).task, Task::Wait(_));
                    if wait {
                        self.clock[step.index()] = (now, now + delay_ms * 1_000);
                        self.takes(now, state, *step)?;
                    }
                }
                Event::Retrying { step, outcome, delay_ms, .. } => {
                    self.too_late(now, state, *step, outcome)?;
                    self.clock[step.index()] = (0, now + delay_ms * 1_000);
                }
                Event::Finished { step, outcome, .. } => {
                    let (_, due) = self.clock[step.index()];
                    let early = now < due && outcome.error.is_none();
                    hold!(!early, Patience, "`{}` ends before its time", state.plan.path(*step));
                    self.too_late(now, state, *step, outcome)?;
                }
                Event::Reset { steps, .. } => steps.iter().for_each(|step| self.clock[step.index()] = (0, 0)),
                _ => {}
            }
        }
        Ok(())
    }

    /// A timeout has passed before it ends something.
    fn too_late(&self, now: u64, state: &RunState, step: StepId, outcome: &Outcome) -> Result<(), Broken> {
        let late = outcome.error.as_ref().is_some_and(|error| error.kind == FailureKind::Timeout);
        let (since, _) = self.clock[step.index()];
        if let (true, Some(timeout)) = (late && since > 0, state.plan.step(step).policy().timeout_ms) {
            let path = state.plan.path(step);
            hold!(
                now >= since + timeout * 1_000,
                Patience,
                "`{path}` is ended at {now}, before its timeout: {timeout} ms from {since} on"
            );
        }
        Ok(())
    }

    fn takes(&mut self, now: u64, state: &RunState, step: StepId) -> Result<(), Broken> {
        let shares = asks(&state.plan, step, "rate") as usize;
        if shares > 0 {
            let most = state.plan.header.limits["rate"].per_minute.unwrap_or(u32::MAX) as usize;
            self.minute.retain(|at| at + MINUTE > now);
            self.minute.extend(std::iter::repeat_n(now, shares.min(most)));
            hold!(self.minute.len() <= most, Limits, "more than {most} shares of `rate` within a minute");
        }
        Ok(())
    }

    /// An attempt begins outside of the process.
    pub fn begins_outside(&mut self, job: &Job) -> Result<(), Broken> {
        let (step, attempt) = (job.step, job.attempt);
        let known = self.committed.steps.get(step.index());
        let started = known.is_some_and(|known| known.status == Status::Running && known.attempt == attempt);
        let path = &job.path;
        hold!(started, Committed, "attempt {attempt} of `{path}` begins, but in the log it has not started");
        hold!(self.begun.insert((step, attempt)), Once, "attempt {attempt} of `{path}` begins again");
        // Some rules do not wait for all; and what undoes a step may read of those that never ran.
        let early = is_in_undo(&self.committed, step) || starts_early(&self.committed, step);
        for (id, result) in &job.inputs.results {
            let path = self.committed.plan.path(*id);
            let now = self.committed.step(*id);
            let both = now.status.is_final() && result.status.is_final();
            if early && !both || made_again(&self.committed, *id, step) {
                continue;
            }
            hold!(now.status.is_final(), Committed, "`{}` reads `{path}`, which has not ended", job.path);
            let committed = self.committed.result(*id);
            let same = committed.status == result.status
                && committed.outcome == result.outcome
                && committed.output(&*job.inputs.files) == result.output(&*job.inputs.files);
            hold!(same, Committed, "`{}` reads of `{path}` what is not in the log", job.path);
        }
        self.going.push(Going { step, attempt, outside: true });
        Ok(())
    }

    /// An attempt begins within the process.
    pub fn begins_inside(&mut self, job: &Job, state: &RunState) -> Result<(), Broken> {
        let path = state.plan.path(job.step);
        let again = self.going.iter().any(|going| going.step == job.step && going.attempt == job.attempt);
        hold!(!again, Once, "attempt {} of `{path}` begins again", job.attempt);
        self.going.push(Going { step: job.step, attempt: job.attempt, outside: false });
        Ok(())
    }

    /// An attempt has ended, in the world.
    pub fn ends(&mut self, step: StepId, attempt: u32) {
        self.going.retain(|going| (going.step, going.attempt) != (step, attempt));
    }

    /// What holds after every round of the driver.
    pub fn after_round(&mut self, state: &RunState) -> Result<(), Broken> {
        let plan = &state.plan;
        let most = state.created.max_parallel.or(plan.header.settings.max_parallel).unwrap_or(2) as usize;
        // A closure cannot be ended: it is let go of.
        let counts = |going: &Going| {
            let (step, policy) = (state.step(going.step), plan.step(going.step).policy());
            let same = step.status == Status::Running && step.attempt == going.attempt;
            going.outside || (same && policy.validate.is_none() && policy.retry_if.is_none())
        };
        for going in self.going.iter().filter(|going| going.outside) {
            let step = state.step(going.step);
            let same = step.status == Status::Running && step.attempt == going.attempt;
            hold!(same, NoOrphans, "`{}` has ended, but its process goes on", plan.path(going.step));
        }
        let going = || self.going.iter().filter(|going| counts(going)).map(|going| going.step);
        let streams: HashSet<StepId> = going().filter_map(|step| plan.stream_of(step)).collect();
        // Who tells of an alert takes none.
        let alone = |step: &StepId| plan.stream_of(*step).is_none() && plan.step(*step).on_alert.is_none();
        let slots = going().filter(alone).count() + streams.len();
        hold!(slots <= most, Limits, "{slots} attempts and streams go on, {most} may");
        self.limits(state, &counts)
    }

    fn limits(&mut self, state: &RunState, counts: &dyn Fn(&Going) -> bool) -> Result<(), Broken> {
        let plan = &state.plan;
        if self.limited.0 != plan.steps.len() {
            let names = || plan.header.limits.keys();
            let limited = plan.ids().filter(|id| names().any(|name| asks(plan, *id, name) > 0)).collect();
            self.limited = (plan.steps.len(), limited);
        }
        if self.limited.1.is_empty() {
            return Ok(());
        }
        for (name, limit) in &plan.header.limits {
            let Some(max) = limit.max else { continue };
            let asks = |id: StepId| asks(plan, id, name).min(max);
            let holds = |id: StepId| match state.step(id).status {
                Status::Running if !plan.step(id).task.is_group() => {
                    self.going.iter().any(|going| going.step == id && counts(going))
                }
                // It gives them back before its end is judged.
                Status::Running if matches!(*plan.step(id).task, Task::Stream(_)) => {
                    plan.members(id).iter().any(|member| !state.step(*member).status.is_final())
                }
                Status::Running => true,
                // It gives them back before its end is judged.
                Status::Waiting => {
                    plan.step(id).policy().validate.is_none() && plan.step(id).policy().retry_if.is_none()
                }
                _ => false,
            };
            let covered = |id: StepId| {
                let mut at = plan.step(id).parent;
                while let Some(group) = at {
                    if asks(group) > 0
                        && plan.step(group).task.is_group()
                        && state.step(group).status == Status::Running
                    {
                        return true;
                    }
                    at = plan.step(group).parent;
                }
                false
            };
            let holders = || self.limited.1.iter().filter(|id| asks(**id) > 0 && holds(**id) && !covered(**id));
            let held: u32 = holders().map(|id| asks(*id)).sum();
            let who = || holders().map(|id| plan.path(*id)).collect::<Vec<_>>();
            hold!(held <= max, Limits, "{held} shares of `{name}` are held by {:?}, there are {max}", who());
        }
        Ok(())
    }

    /// All is committed: the log, folded, is what the driver has.
    pub fn same(&self, state: &RunState) -> Result<(), Broken> {
        let log = &self.committed;
        let whole = (log.events, log.status, log.stopping, log.steps.len(), log.decisions.len());
        let driver = (state.events, state.status, state.stopping, state.steps.len(), state.decisions.len());
        hold!(whole == driver, Replay, "the log says {whole:?}, the driver {driver:?}");
        for id in log.plan.ids() {
            let (a, b) = (log.step(id), state.step(id));
            let same = (a.status, a.attempt, a.failures, a.expansions, a.until, a.ended, a.handled)
                == (b.status, b.attempt, b.failures, b.expansions, b.until, b.ended, b.handled)
                && a.outcome == b.outcome
                && a.skip == b.skip
                && a.waits_for == b.waits_for;
            hold!(same, Replay, "`{}`: the log says {a:?}, the driver {b:?}", log.plan.path(id));
        }
        Ok(())
    }
}

/// How many shares of a limit a step asks for. A stream asks for its members, who ask for nothing.
fn asks(plan: &Plan, id: StepId, name: &str) -> u32 {
    let own = |id: StepId| {
        let asked = plan.step(id).policy().limits.iter().find(|(limit, _)| limit == name);
        asked.map_or(0, |(_, shares)| *shares)
    };
    match (&*plan.step(id).task, own(id)) {
        (Task::Stream(stream), 0) => stream.members().map(own).sum(),
        _ if plan.stream_of(id).is_some() => 0,
        (_, shares) => shares,
    }
}

/// Is a step inside a race or a quorum?
pub fn in_quorum(state: &RunState, id: StepId) -> bool {
    let mut above = std::iter::successors(state.plan.step(id).parent, |id| state.plan.step(*id).parent);
    above.any(|id| matches!(*state.plan.step(id).task, Task::Quorum(_)))
}

/// Does a rule let it start before all that it reads has ended? It may read what a group above it reads.
pub fn starts_early(state: &RunState, id: StepId) -> bool {
    let mut above = std::iter::successors(Some(id), |id| state.plan.step(*id).parent);
    above.any(|id| matches!(state.plan.step(id).policy().rule, Rule::OneSuccess | Rule::OneFailed))
}

/// Is a step made again with a group that the one who reads it does not belong to? Then that one has seen its end before.
pub fn made_again(state: &RunState, id: StepId, reader: StepId) -> bool {
    let groups = |id: StepId| std::iter::successors(state.plan.step(id).parent, |id| state.plan.step(*id).parent);
    groups(id).any(|group| state.step(group).failures > 0 && !groups(reader).any(|above| above == group))
}

/// Does a step undo something, or belong to what does?
pub fn is_in_undo(state: &RunState, mut id: StepId) -> bool {
    loop {
        let step = state.plan.step(id);
        match step.parent {
            _ if step.undoes.is_some() => return true,
            Some(parent) => id = parent,
            None => return false,
        }
    }
}
