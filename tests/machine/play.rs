//! Plays a run: the machine, a world, and a random order in which things come in. Every answer of the machine is checked
//! against what must always hold, by books of its own.

mod checks;
mod money;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flow::engine::machine::{Asked, Effect, Input, Machine, Timer, asked};
use flow::event::{AgentReport, Alerted, Created, Event, Record, Stop, Usage, Used};
use flow::plan::{Growth, Plan, StepId, Task};
use flow::state::{RunState, Seen, Status};

use crate::naive::End;
use crate::spec::in_quorum;
use crate::world::{Fate, World};

/// Numbers that look random, from a seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Something that may come in next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Ends(StepId, u32),
    Decided(StepId, u32),
    Expanded(StepId, u32),
    Fires(Timer),
}

/// A run under test.
pub struct Play {
    pub machine: Machine,
    pub records: Vec<Record>,
    /// The state by the events given out so far, each checked against those before it.
    shadow: RunState,
    world: World,
    dice: Dice,
    at: u64,
    next: Vec<Next>,
    /// Attempts that go on, and which of them do not end by themselves.
    running: BTreeMap<(StepId, u32), bool>,
    /// Streams that are open, with their attempts.
    streams: BTreeMap<StepId, u32>,
    /// Final statuses seen.
    finals: BTreeMap<StepId, Status>,
    /// Shares taken from `rate` that have not come back; not known after a resume.
    minute: Option<u32>,
    /// May timeouts of groups and of the run fire?
    late: bool,
    /// Does the plan come in pieces, or was it edited? Then a start hook may come after others have begun.
    in_pieces: bool,
    /// Steps that the script waits or waited for.
    wanted: Vec<StepId>,
    pub ready: BTreeSet<StepId>,
    pub closed: bool,
}

fn opened() -> Event {
    Event::Opened { pid: 1, host: "h".into(), flow: "0".into() }
}

impl Play {
    /// A new run whose plan comes later.
    pub fn new(world: World, seed: u64, late: bool) -> Self {
        let mut play = Play {
            machine: Machine::new(RunState::default(), 2),
            records: Vec::new(),
            shadow: RunState::default(),
            world,
            dice: Dice(seed),
            at: 1_000_000,
            next: Vec::new(),
            running: BTreeMap::new(),
            streams: BTreeMap::new(),
            finals: BTreeMap::new(),
            minute: Some(0),
            late,
            in_pieces: true,
            wanted: Vec::new(),
            ready: BTreeSet::new(),
            closed: false,
        };
        let created = Created { seed, ..Created::default() };
        play.record([Event::Created(Box::new(created)), opened()]);
        play.machine = Machine::resume(&play.records, 2);
        play
    }

    /// A new run of a whole plan, not begun.
    pub fn of(plan: &Plan, world: World, seed: u64, late: bool) -> Self {
        let mut play = Play::new(world, seed, late);
        play.in_pieces = false;
        let header = Some(Box::new(plan.header.clone()));
        let growth = Growth { header, steps: plan.steps.clone(), complete: true, ..Growth::default() };
        play.record([Event::Planned { of: None, growth: Box::new(growth) }]);
        play.machine = Machine::resume(&play.records, 2);
        play
    }

    fn record(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.shadow.apply(self.at, &event);
            let seq = self.records.len() as u64;
            self.records.push(Record { seq, at: self.at, event: Arc::new(event) });
        }
    }

    /// The process dies after `kept` events have reached the log; another takes up the run.
    pub fn crash(&mut self, kept: usize) {
        self.records.truncate(kept);
        self.shadow = RunState::of(&self.records);
        self.record([opened()]);
        self.machine = Machine::resume(&self.records, 2);
        self.next.clear();
        self.running.clear();
        self.streams.clear();
        self.ready.clear();
        self.wanted.clear();
        self.minute = None;
        self.closed = false;
        self.finals.clear();
        for id in self.machine.state.plan.ids() {
            let status = self.machine.state.step(id).status;
            if status.is_final() {
                self.finals.insert(id, status);
            }
        }
        self.give(Input::Start);
    }

    /// Another process takes the run up, with these events before anything else.
    pub fn take_up(&mut self, events: Vec<Event>) {
        self.record(events);
        self.in_pieces = true;
        self.crash(self.records.len());
    }

    pub fn state(&self) -> &RunState {
        &self.machine.state
    }

    fn path(&self, id: StepId) -> String {
        self.state().plan.path(id)
    }

    /// Gives an input and takes up the answer.
    pub fn give(&mut self, input: Input) {
        self.at += 1;
        if let Input::Want(step) = &input {
            self.wanted.push(*step);
        }
        let out = self.machine.handle(self.at, input);
        let interrupted = self.state().stopping == Some(Stop::Interrupted);
        let mut started: Vec<(StepId, u32)> = Vec::new();
        let [mut retries, mut waits] = [0, 0];
        self.check_streams(&out.events);
        for event in out.events {
            self.check_event(&event);
            self.check_money(&event);
            match &event {
                Event::Started { step, attempt } if !self.state().plan.step(*step).task.is_group() => {
                    started.push((*step, *attempt));
                }
                Event::Retrying { .. } => retries += 1,
                Event::Waiting { .. } => waits += 1,
                _ => {}
            }
            self.record([event]);
        }
        let mut attempts = Vec::new();
        for effect in out.effects {
            match effect {
                Effect::Attempt { step, attempt } => {
                    attempts.push((step, attempt));
                    self.attempt(step, attempt);
                }
                Effect::Decide { step, branch } => self.next.push(Next::Decided(step, branch)),
                Effect::Expand { step, iteration } => self.next.push(Next::Expanded(step, iteration)),
                Effect::Arm { timer, .. } => {
                    match timer {
                        Timer::Retry(..) => retries -= 1,
                        Timer::Wait(..) => waits -= 1,
                        Timer::Minute(_, shares) => {
                            if let Some(minute) = &mut self.minute {
                                *minute += shares;
                                assert!(*minute <= 2, "more than two shares of `rate` in a minute");
                            }
                        }
                        _ => {}
                    }
                    if self.may_fire(timer) {
                        self.next.push(Next::Fires(timer));
                    }
                }
                Effect::Kill { step, attempt, .. } => {
                    assert!(self.running.contains_key(&(step, attempt)), "what does not run is killed");
                    self.running.insert((step, attempt), true);
                    let ends = Next::Ends(step, attempt);
                    if !self.next.contains(&ends) {
                        self.next.push(ends);
                    }
                }
                Effect::Ready(step) => {
                    assert!(self.state().step(step).status.is_final());
                    self.ready.insert(step);
                }
                Effect::LetEnd(member) => {
                    let failed = self.state().step(member).status == Status::Failed;
                    assert!(failed && self.state().plan.stream_of(member).is_some(), "what has not failed is let end");
                }
                Effect::CloseStream { step, attempt } => {
                    assert_eq!(self.streams.remove(&step), Some(attempt), "a stream is closed that is not open");
                    let mut running = self.running.keys().map(|(id, _)| self.state().plan.stream_of(*id));
                    assert!(!running.any(|stream| stream == Some(step)), "a stream is closed and goes on");
                }
                Effect::Judge { .. } | Effect::Watch(_) => unreachable!("no plan here has what asks for it"),
                Effect::Close => self.closed = true,
            }
        }
        started.sort();
        attempts.sort();
        assert_eq!(started, attempts, "each `Started` has its attempt, and the other way round");
        // After a resume, and in a run that is interrupted, the two do not come in pairs.
        assert!(self.minute.is_none() || interrupted || (retries == 0 && waits == 0), "a delay without a timer");
        self.check_slots();
    }

    fn attempt(&mut self, step: StepId, attempt: u32) {
        let fate = self.fate(step);
        self.running.insert((step, attempt), false);
        if fate != Fate::Hangs {
            self.next.push(Next::Ends(step, attempt));
        }
    }

    fn fate(&self, step: StepId) -> Fate {
        let failures = self.state().step(step).failures;
        self.world.attempt(self.state().plan.step(step), &self.path(step), failures)
    }

    /// Timeouts of tasks come only where an attempt hangs, so that the outcome does not depend on time.
    fn may_fire(&self, timer: Timer) -> bool {
        match timer {
            Timer::Timeout(step, _) if self.state().plan.step(step).task.is_group() => self.late,
            Timer::Timeout(step, _) => self.fate(step) == Fate::Hangs,
            Timer::Run => self.late,
            Timer::Retry(..) | Timer::Wait(..) | Timer::Minute(..) => true,
        }
    }

    /// Has a step not begun, and has its condition not been asked for either?
    pub fn is_untouched(&self, id: StepId) -> bool {
        let asked = self.next.iter().any(|next| matches!(next, Next::Decided(step, _) if *step == id));
        let answered = self.state().decisions.iter().any(|decided| decided.step == id);
        self.state().step(id).status == Status::Pending && self.state().step(id).attempt == 0 && !asked && !answered
    }

    /// Is there something that could come in?
    pub fn can_go_on(&self) -> bool {
        !self.next.is_empty()
    }

    /// Lets something that is under way come in, drawn by lot.
    pub fn step(&mut self) {
        let next = self.next.swap_remove(self.dice.below(self.next.len()));
        match next {
            Next::Ends(step, attempt) => {
                let watched = self.state().plan.step(step);
                if !watched.policy().alerts.is_empty()
                    && self.world.raises(&self.path(step))
                    && self.state().step(step).flowed.is_none()
                {
                    let alerted = Alerted { step, alert: 0, stage: "stage".into(), value: 1.0 };
                    self.give(Input::Alerted(Box::new(alerted)));
                }
                if self.tells_use(step, attempt) {
                    return;
                }
                let killed = self.running.remove(&(step, attempt)).unwrap_or(false);
                // What is killed may have ended by itself just then.
                let fate = match self.fate(step) {
                    _ if killed && self.dice.below(4) > 0 => Fate::Cancelled,
                    fate => fate,
                };
                let mut outcome = self.world.outcome(fate);
                if matches!(*self.state().plan.step(step).task, Task::Agent(_)) {
                    let usage = if fate == Fate::Cancelled {
                        self.told(step)
                    } else {
                        self.world.usage(&self.path(step), attempt)
                    };
                    outcome.agent = Some(Box::new(AgentReport { usage, ..AgentReport::default() }));
                }
                let outcome = outcome.into();
                self.give(Input::Finished { step, attempt, outcome });
            }
            Next::Decided(step, branch) => self.decided(step, branch),
            Next::Expanded(step, iteration) => {
                let plan = &self.state().plan;
                let result = match (&*plan.step(step).task, self.state().next_event(step)) {
                    (Task::OnEvent(_), Some(from)) => self.world.hear(plan, step, from, iteration),
                    (Task::OnEvent(_), None) => Ok(Growth { base: plan.steps.len() as u32, ..Growth::default() }),
                    _ => self.world.expand(plan, step, iteration),
                };
                // Meanwhile other steps may come, so that the ids in the answer have to be moved.
                self.give(Input::Expanded { step, result: result.map(Box::new) });
            }
            Next::Fires(timer) => {
                if let (Timer::Minute(_, shares), Some(minute)) = (timer, &mut self.minute) {
                    *minute -= shares;
                }
                self.give(Input::Fired(timer));
            }
        }
    }

    /// An agent tells what it has used so far, now and then; then it goes on.
    fn tells_use(&mut self, step: StepId, attempt: u32) -> bool {
        let is_agent = matches!(*self.state().plan.step(step).task, Task::Agent(_));
        let known = self.told(step);
        let whole = self.world.usage(&self.path(step), attempt);
        if !is_agent || known.turns >= whole.turns || self.dice.below(2) == 0 {
            return false;
        }
        let usage = Usage { turns: known.turns + 1, ..known };
        self.next.push(Next::Ends(step, attempt));
        self.give(Input::Used(Box::new(Used { step, attempt, usage, ..Used::default() })));
        true
    }

    /// What it has told in the attempt that goes on.
    fn told(&self, step: StepId) -> Usage {
        let consumed = self.state().step(step).consumed.as_ref();
        consumed.and_then(|consumed| consumed.now.as_ref()).map(|now| now.usage).unwrap_or_default()
    }

    fn decided(&mut self, step: StepId, branch: u32) {
        let state = &self.machine.state;
        let own = state.step(step).status == Status::Pending;
        let which = match &*state.plan.step(step).task {
            _ if own => 0,
            Task::Repeat(_) => 1_000 + u64::from(branch),
            _ => 1 + u64::from(branch),
        };
        let read = match asked(state, step, branch) {
            Some(Asked::Condition(condition)) => condition.steps(),
            _ => Vec::new(),
        };
        let live = !state.step(step).status.is_final();
        let open = |read: &StepId| !state.step(*read).status.is_final();
        assert!(!live || !read.iter().any(open), "a condition is asked before what it reads has ended");
        let statuses: Vec<Status> = read.iter().map(|id| state.step(*id).status).collect();
        let (result, looks) = self.world.decide(&self.path(step), which, &statuses);
        let looks = looks && !in_quorum(&state.plan, step);
        let saw = read.into_iter().map(|step| flow::event::Saw {
            step,
            what: "passed".into(),
            value: flow::plan::Json::Null,
            handles: looks,
        });
        let saw = saw.collect();
        self.give(Input::Decided { step, branch, result, saw });
    }

    /// Lets everything come in until the run is at its end.
    pub fn finish(&mut self) {
        let mut steps = 0;
        while !self.closed {
            assert!(self.can_go_on(), "the run hangs: {}", self.story());
            self.step();
            steps += 1;
            assert!(steps < 100_000, "the run goes on for ever");
        }
    }

    /// The events, for a person.
    pub fn story(&self) -> String {
        self.records.iter().map(|record| format!("{:?}\n", record.event)).collect()
    }

    /// Final statuses by path, as the naive reading gives them. Cancelled steps are left out.
    pub fn ends(&self) -> BTreeMap<String, End> {
        let end = |id: StepId| match self.state().seen(id) {
            _ if self.state().step(id).status == Status::Failed => Some(End::Failed),
            Seen::Success => Some(End::Success),
            Seen::NotTaken => Some(End::NotTaken),
            _ if self.state().step(id).status == Status::Cancelled => None,
            Seen::UpstreamFailed => Some(End::Upstream),
            Seen::Open | Seen::Failed => panic!("`{}` is not final\n{}", self.path(id), self.story()),
        };
        let plan = &self.state().plan;
        plan.ids().filter(|id| !plan.step(*id).retired).filter_map(|id| Some((self.path(id), end(id)?))).collect()
    }
}
