//! A simulation that has begun: rounds of the driver, and the clock between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::super::driver::HOLD;
use super::super::{Attended, Driver, Inbox, Lookout, Message, Setup, Time};
use super::outside::{Log, Post};
use super::{PARALLEL, Scene};
use crate::diag::{Diagnostic, Result};
use crate::engine::bus::Bus;
use crate::engine::numbering::Numbering;
use crate::event::{Created, Event, Record};
use crate::exec::{Begun, Done, InMemory, Simulated};
use crate::plan::{Growth, StepId};
use crate::state::RunState;
use crate::store::Letter;

/// A simulation that has begun.
pub(super) struct Play {
    pub driver: Driver,
    pub inbox: Inbox,
    receive: UnboundedReceiver<Message>,
    pub(super) executor: Arc<Simulated>,
    pub log: Log,
    /// How many events of the log have been looked at.
    pub(super) seen: usize,
    post: Post,
    pub passed: Duration,
    due: BinaryHeap<Reverse<Item>>,
    pub(super) number: u64,
    /// What will be reported, by its number in `due`.
    coming: HashMap<u64, Coming>,
    /// Attempts that take their time, with their numbers.
    pub(super) going: HashMap<(StepId, u32), u64>,
    /// The paths of all steps so far.
    pub(super) paths: Vec<String>,
    /// Those of them that are no groups.
    pub(super) known: HashSet<String>,
    /// Steps of which nothing was said.
    pub(super) blank: HashSet<StepId>,
    pub(super) problem: Option<Diagnostic>,
    /// Steps of which the earlier run says nothing.
    pub unknown: Vec<StepId>,
    begins_at: u64,
    /// Does the time really pass?
    timing: bool,
}

/// When, and which.
type Item = (Duration, u64);

pub(super) enum Coming {
    Done(Done),
    Letter(Letter),
    File(String),
}

impl Play {
    /// Begins with the first piece of the plan.
    pub fn begin(scene: &Scene, files: &Arc<InMemory>, growth: Growth, printed: String) -> Play {
        let created = Created {
            workflow: growth.header.as_ref().map(|header| header.name.clone()).unwrap_or_default(),
            run: "simulated".into(),
            ..scene.created.clone()
        };
        let first = Record { seq: 0, at: scene.begins_at, event: Arc::new(Event::Created(Box::new(created))) };
        let mut opening =
            vec![Event::Opened { pid: 0, host: "simulated".into(), flow: env!("CARGO_PKG_VERSION").into() }];
        if !printed.is_empty() {
            opening.push(Event::Printed { text: printed });
        }
        let mut numbering = Numbering::default();
        if let Some(growth) = numbering.take(growth, 0) {
            opening.push(Event::Planned { of: None, growth: Box::new(growth) });
        }
        let (inbox, receive) = Inbox::open();
        let (log, post) = (Log::default(), Post::default());
        let recordings = scene.past.as_ref().map(|past| past.recordings());
        let executor = Arc::new(Simulated::new(scene.closures.clone(), files.clone()).answered_by(recordings));
        let state = RunState::of([&first]);
        log.records().push(first);
        let bus = Bus::starting_at(state.events);
        let to_executor = executor.clone();
        let setup = Setup {
            state,
            opening,
            default_parallel: PARALLEL,
            numbering,
            journal: Box::new(log.clone()),
            files: files.clone(),
            folder: scene.folder.clone(),
            executor: Box::new(move |_| to_executor),
            signals: None,
            lookout: Lookout::new(Box::new(post.clone()), Attended::Always, []),
            at_end: Box::new(|_| {}),
        };
        let driver = Driver::new(setup, inbox.clone(), bus, scene.begins_at);
        inbox.begin();
        Play {
            driver,
            inbox,
            receive,
            executor,
            log,
            seen: 0,
            post,
            passed: Duration::ZERO,
            due: BinaryHeap::new(),
            number: 0,
            coming: HashMap::new(),
            going: HashMap::new(),
            paths: Vec::new(),
            known: HashSet::new(),
            blank: HashSet::new(),
            problem: None,
            unknown: Vec::new(),
            begins_at: scene.begins_at,
            timing: scene.timing,
        }
    }

    pub fn note(&self, printed: String) {
        if !printed.is_empty() {
            self.inbox.note(Event::Printed { text: printed });
        }
    }

    pub(super) fn wall(&self) -> u64 {
        self.begins_at + self.passed.as_millis() as u64
    }

    /// Rounds at this moment, until nothing is left to do now.
    pub fn round(&mut self, scene: &Scene) -> Result<()> {
        loop {
            let time = Time { wall: self.wall(), passed: self.passed };
            self.executor.circuits().pass(time.wall);
            while let Ok(message) = self.receive.try_recv() {
                self.driver.take(time.wall, message);
            }
            self.driver.fire(time);
            self.driver.finish(time);
            if self.driver.holds_back() {
                // There is no disk that it would spare.
                self.driver.finish(Time { passed: time.passed + HOLD, ..time });
            }
            self.look_at_plan();
            self.look_at_log(scene);
            let Begun { work, kills } = self.executor.take();
            let idle = work.is_empty() && kills.is_empty();
            for work in work {
                self.begin_work(scene, work);
            }
            for attempt in kills {
                if let Some(number) = self.going.remove(&attempt) {
                    self.coming.remove(&number);
                    self.inbox.send(Message::Done(Begun::killed(attempt)));
                }
            }
            if let Some(problem) = self.problem.take() {
                return Err(problem);
            }
            if (scene.late)() {
                return Err(Diagnostic::new(
                    "flow::test::endless",
                    "the simulated run did not come to its end in time",
                )
                .help(
                    "is there a closure that loops, or a `repeat` without an end? `--timeout` gives a test more time",
                ));
            }
            if idle && self.receive.is_empty() {
                return Ok(());
            }
        }
    }

    /// The clock goes on to the next thing that happens, and it happens. Says whether there was one.
    pub fn go_on(&mut self) -> bool {
        if self.driver.is_done() {
            return false;
        }
        let next = self.due.peek().map(|Reverse((at, _))| *at);
        let timer = self.driver.next_timer();
        let Some(at) = next.into_iter().chain(timer).min() else { return false };
        if self.timing {
            std::thread::sleep(at.saturating_sub(self.passed));
        }
        self.passed = self.passed.max(at);
        // What ends in the same moment as its time is up was in time.
        if next == Some(at)
            && let Some(Reverse((_, number))) = self.due.pop()
        {
            match self.coming.remove(&number) {
                Some(Coming::Done(done)) => {
                    if let Done::Finished { step, attempt, .. } = &done {
                        self.going.remove(&(*step, *attempt));
                    }
                    self.inbox.send(Message::Done(done));
                }
                Some(Coming::Letter(letter)) => {
                    self.post.come().letters.push(letter);
                    self.inbox.look();
                }
                Some(Coming::File(path)) => {
                    self.post.come().files.insert(path);
                    self.inbox.look();
                }
                None => {}
            }
        }
        true
    }

    pub(super) fn later(&mut self, delay_ms: u64, what: Coming) -> u64 {
        self.number += 1;
        let at = self.passed.saturating_add(Duration::from_millis(delay_ms));
        self.due.push(Reverse((at, self.number)));
        self.coming.insert(self.number, what);
        self.number
    }

    /// Steps that have come to the plan since the last time.
    pub(super) fn look_at_plan(&mut self) {
        let plan = self.driver.state().plan.clone();
        if plan.steps.len() > self.paths.len() {
            self.executor.circuits().declare(&plan);
        }
        for id in plan.ids().skip(self.paths.len()) {
            let path = plan.path(id);
            if !plan.step(id).task.is_group() {
                self.known.insert(path.clone());
            }
            self.paths.push(path);
        }
    }
}
