//! A run that only happens in the head: the real machine and the real driver, doubles instead of processes, and a clock
//! that is moved by hand. An hour passes in no time, and the same run always goes the same way.
//!
//! - A round: the driver takes what is in its inbox and what is due, and says what is to be done.
//! - Closures are called at once. Attempts that would leave the process end as their doubles say, after the time that
//!   they are said to take.
//! - Nothing left to do now: the clock goes on to the next end of an attempt, or the next timer.
//! - Nothing is to come either: the run is at its end, or waits for somebody who never answers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::driver::HOLD;
use super::{Attended, Committed, Driver, Inbox, Journal, Lookout, Message, Outside, Setup, Time};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::engine::bus::Bus;
use crate::engine::numbering::Numbering;
use crate::event::{Answer, Created, Double, Event, Outcome, Record, Reply, WaitFor};
use crate::exec::{Begun, Closures, Done, InMemory, Job, Simulated, Work};
use crate::plan::{Growth, Step, StepId};
use crate::state::{Files, RunState, StepResult};
use crate::store::{Addressee, Letter};

/// When simulated runs begin: 2026-01-01, 00:00 UTC, in milliseconds since 1970.
pub const BEGIN: u64 = 1_767_225_600_000;

/// Most steps at the same time, where the script says nothing: it is not to depend on the machine.
const PARALLEL: u32 = 4;

/// What a run is simulated with.
pub struct Scene {
    /// The script's closures.
    pub closures: Arc<dyn Closures>,
    /// How attempts end. Of several that fit a step the last one counts.
    pub doubles: Vec<Double>,
    /// Is a process without a double an error? Otherwise it succeeds without output.
    pub strict: bool,
    /// What the run is called, and with which parameters.
    pub created: Created,
    /// Is it time to give up?
    pub late: Box<dyn Fn() -> bool + Send>,
}

/// What came of a simulation.
pub struct Ended {
    /// The state at its end.
    pub state: RunState,
    /// Its log.
    pub records: Vec<Record>,
    /// What its steps are said to have printed.
    pub files: Arc<dyn Files>,
    /// Which of the doubles stand for steps of the run.
    pub met: Vec<bool>,
}

/// See the module's page.
pub struct Simulation {
    scene: Scene,
    files: Arc<InMemory>,
    play: Option<Play>,
}

/// A simulation that has begun.
struct Play {
    driver: Driver,
    inbox: Inbox,
    receive: UnboundedReceiver<Message>,
    executor: Arc<Simulated>,
    log: Log,
    /// How many events of the log have been looked at.
    seen: usize,
    post: Post,
    passed: Duration,
    due: BinaryHeap<Reverse<Item>>,
    number: u64,
    /// What will be reported, by its number in `due`.
    coming: HashMap<u64, Coming>,
    /// Attempts that take their time, with their numbers.
    going: HashMap<(StepId, u32), u64>,
    /// The paths of all steps so far.
    paths: Vec<String>,
    known: HashSet<String>,
    /// Steps of which nothing was said.
    blank: HashSet<StepId>,
    problem: Option<Diagnostic>,
}

/// When, and which.
type Item = (Duration, u64);

enum Coming {
    Done(Done),
    Letter(Letter),
    File(String),
}

/// A log that keeps what it is given, at once.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Record>>>);

impl Log {
    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Log {
    fn append(&self, mut records: Vec<Record>, committed: Committed) {
        self.records().append(&mut records);
        committed(Ok(()));
    }
}

/// What has come from outside.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Come>>);

#[derive(Default)]
struct Come {
    letters: Vec<Letter>,
    files: HashSet<String>,
}

impl Post {
    fn come(&self) -> MutexGuard<'_, Come> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outside for Post {
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>> {
        Ok(self.come().letters.iter().filter(|letter| letter.answer.letter > after).cloned().collect())
    }

    fn is_there(&mut self, path: &str) -> bool {
        self.come().files.contains(path)
    }
}

impl Scene {
    /// Nothing is said of anything.
    pub fn new(closures: Arc<dyn Closures>) -> Self {
        let (doubles, created) = (Vec::new(), Created::default());
        Scene { closures, doubles, strict: false, created, late: Box::new(|| false) }
    }
}

impl Simulation {
    /// A simulation that begins with the first piece of a plan.
    pub fn new(scene: Scene) -> Self {
        Simulation { scene, files: Arc::default(), play: None }
    }

    /// Has it begun?
    pub fn has_begun(&self) -> bool {
        self.play.is_some()
    }

    /// The files of the run.
    pub fn files(&self) -> Arc<dyn Files> {
        self.files.clone()
    }

    /// The script added to its plan, and printed this meanwhile.
    pub fn grow(&mut self, growth: Growth, printed: String) {
        match &self.play {
            Some(play) => {
                play.note(printed);
                play.inbox.grow(growth);
            }
            None => self.play = Some(self.begin(growth, printed)),
        }
    }

    /// The script went wrong after the run had begun: the run fails by this step.
    pub fn fail_script(&mut self, step: Step, printed: String) {
        if let Some(play) = &self.play {
            play.note(printed);
            play.inbox.fail_script(step);
        }
    }

    /// Lets the run go on until these steps are final, and gives their results. Nothing: the run came to its end before.
    ///
    /// # Errors
    /// As [`Simulation::finish`].
    pub fn want(&mut self, steps: &[StepId]) -> Result<Option<Vec<Arc<StepResult>>>> {
        let Some(play) = &mut self.play else { return Ok(None) };
        let ask = |step: &StepId| {
            let (reply, result) = crossbeam_channel::bounded(1);
            play.inbox.send(Message::Want(*step, reply));
            result
        };
        let asked: Vec<_> = steps.iter().map(ask).collect();
        loop {
            play.round(&self.scene)?;
            if asked.iter().all(|result| !result.is_empty()) {
                return Ok(asked.into_iter().map(|result| result.try_recv().ok()).collect());
            }
            if !play.go_on() {
                return Ok(None);
            }
        }
    }

    /// Lets the run come to its end. One that waits for what never comes is paused then.
    ///
    /// # Errors
    /// `flow::test::double` if something is wrong with a double; `flow::test::endless` if it is time to give up.
    pub fn finish(mut self) -> Result<Ended> {
        let Some(mut play) = self.play.take() else {
            return Err(Diagnostic::new("flow::run::driver", "the simulation has not begun")
                .help("this is a mistake in flow; please report it"));
        };
        loop {
            play.round(&self.scene)?;
            if play.driver.is_done() || !play.go_on() {
                break;
            }
        }
        play.look_at_plan();
        let met = play.met(&self.scene);
        let Play { driver, log, passed, .. } = play;
        let mut records = std::mem::take(&mut *log.records());
        let mut state = driver.state().clone();
        if !state.status.is_final() {
            let event = Arc::new(Event::Paused);
            let at = BEGIN + passed.as_millis() as u64;
            state.apply(at, &event);
            records.push(Record { seq: records.len() as u64, at, event });
        }
        Ok(Ended { state, records, files: self.files, met })
    }

    fn begin(&self, growth: Growth, printed: String) -> Play {
        let created = Created {
            workflow: growth.header.as_ref().map(|header| header.name.clone()).unwrap_or_default(),
            run: "simulated".into(),
            ..self.scene.created.clone()
        };
        let first = Record { seq: 0, at: BEGIN, event: Arc::new(Event::Created(Box::new(created))) };
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
        let executor = Arc::new(Simulated::new(self.scene.closures.clone(), self.files.clone()));
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
            files: self.files.clone(),
            folder: PathBuf::new(),
            executor: Box::new(move |_| to_executor),
            signals: None,
            lookout: Lookout::new(Box::new(post.clone()), Attended::Always, []),
            at_end: Box::new(|_| {}),
        };
        let driver = Driver::new(setup, inbox.clone(), bus, BEGIN);
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
        }
    }
}

impl Play {
    fn note(&self, printed: String) {
        if !printed.is_empty() {
            self.inbox.note(Event::Printed { text: printed });
        }
    }

    fn wall(&self) -> u64 {
        BEGIN + self.passed.as_millis() as u64
    }

    /// Rounds at this moment, until nothing is left to do now.
    fn round(&mut self, scene: &Scene) -> Result<()> {
        loop {
            let time = Time { wall: self.wall(), passed: self.passed };
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
                self.begin(scene, work);
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
    fn go_on(&mut self) -> bool {
        if self.driver.is_done() {
            return false;
        }
        let next = self.due.peek().map(|Reverse((at, _))| *at);
        let timer = self.driver.next_timer();
        let Some(at) = next.into_iter().chain(timer).min() else { return false };
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

    fn later(&mut self, delay_ms: u64, what: Coming) -> u64 {
        self.number += 1;
        let at = self.passed.saturating_add(Duration::from_millis(delay_ms));
        self.due.push(Reverse((at, self.number)));
        self.coming.insert(self.number, what);
        self.number
    }

    /// Steps that have come to the plan since the last time.
    fn look_at_plan(&mut self) {
        let plan = self.driver.state().plan.clone();
        for id in plan.ids().skip(self.paths.len()) {
            let path = plan.path(id);
            self.known.insert(path.clone());
            self.paths.push(path);
        }
    }

    /// The double of a step: the last one that fits, where one with the whole path of another step does not.
    fn double(&self, scene: &Scene, step: StepId) -> Option<usize> {
        let path = self.paths.get(step.index())?;
        scene.doubles.iter().rposition(|double| {
            double.fits(path)
                && (double.is_pattern() || *path == double.pattern || !self.known.contains(&double.pattern))
        })
    }

    fn reply<'a>(&self, scene: &'a Scene, step: StepId, attempt: u32) -> Option<(&'a Double, &'a Reply)> {
        let double = &scene.doubles[self.double(scene, step)?];
        double.reply(attempt).map(|reply| (double, reply))
    }

    fn begin(&mut self, scene: &Scene, work: Work) {
        let job = match work {
            Work::Attempt(job) if !job.task.waits() => job,
            work => {
                let done = self.executor.perform(work, self.wall());
                return self.inbox.send(Message::Done(done));
            }
        };
        let mut job = Job { path: self.paths.get(job.step.index()).cloned().unwrap_or_default(), ..job };
        let key = (job.step, job.attempt);
        let reply = self.reply(scene, job.step, job.attempt);
        let process = job.task.leaves_process();
        let (done, takes_ms) = match reply {
            Some((double, Reply { answer: Some(_), .. })) => {
                let problem = wrong(double, &format!("`{}` asks nobody: it is a `{}`", job.path, job.task.kind()));
                self.problem = Some(problem.help(
                    "`answers` is for `approve`, `signal` and `wait_for`; say what it gives with `returns` or `prints`",
                ));
                return;
            }
            Some((_, reply)) => {
                let blank = |step| self.blank.contains(&step);
                let failed = if process { self.executor.unreadable(&job, blank) } else { None };
                match failed {
                    Some(done) => (done, 0),
                    None => (self.executor.reply(&job, reply), reply.takes_ms),
                }
            }
            None if process && scene.strict => {
                let message = format!("nothing was said of `{}`, which would start a process", job.path);
                let help = format!("say what it gives: `given(\"{}\").returns(…)`; or leave out `strict()`", job.path);
                self.problem = Some(Diagnostic::new("flow::test::double", message).help(help));
                return;
            }
            None if process => {
                let failed = self.executor.unreadable(&job, |step| self.blank.contains(&step));
                self.blank.insert(job.step);
                let code = Some(0);
                let outcome = Arc::new(Outcome { code, ..Outcome::default() });
                (failed.unwrap_or(Done::Finished { step: job.step, attempt: job.attempt, outcome }), 0)
            }
            None => {
                job.path.clear();
                (self.executor.perform(Work::Attempt(job), self.wall()), 0)
            }
        };
        match takes_ms {
            0 => self.inbox.send(Message::Done(done)),
            takes => {
                let number = self.later(takes, Coming::Done(done));
                self.going.insert(key, number);
            }
        }
    }

    /// Steps that have begun to wait: what was said of them comes.
    fn look_at_log(&mut self, scene: &Scene) {
        let waiting: Vec<(StepId, WaitFor)> = {
            let records = self.log.records();
            let new = records.iter().skip(self.seen).filter_map(|record| match &*record.event {
                Event::Waiting { step, what, .. } if *what != WaitFor::Time => Some((*step, what.clone())),
                _ => None,
            });
            let new = new.collect();
            self.seen = records.len();
            new
        };
        for (step, what) in waiting {
            let attempt = self.driver.state().step(step).attempt;
            let Some((double, reply)) = self.reply(scene, step, attempt) else { continue };
            let path = self.paths[step.index()].clone();
            match self.comes(double, reply, &path, &what, attempt) {
                Ok(Some(coming)) => drop(self.later(reply.takes_ms, coming)),
                Ok(None) => {}
                Err(problem) => self.problem = Some(problem),
            }
        }
    }

    /// What comes from outside for a step that waits.
    fn comes(
        &self,
        double: &Double,
        reply: &Reply,
        path: &str,
        what: &WaitFor,
        attempt: u32,
    ) -> Result<Option<Coming>> {
        let kind = match what {
            WaitFor::Answer { .. } => "an answer",
            WaitFor::Signal { .. } => "a signal",
            _ => "a file",
        };
        if reply.error.is_some() || reply.printed.is_some() || !reply.value.is_null() {
            return Err(wrong(
                double,
                &format!("`{path}` waits for {kind}, so it neither returns nor fails by itself"),
            )
            .help("say what comes: `.answers(\"yes\")`; or nothing, and its timeout passes"));
        }
        let Some(answer) = &reply.answer else { return Ok(None) };
        let letter = self.number + 1;
        let answer = Answer { letter, at: self.wall(), by: "test".into(), ..answer.clone() };
        match what {
            WaitFor::Answer { choices, .. } => {
                let given = answer.value.as_str().unwrap_or_default();
                if !choices.iter().any(|choice| choice == given) {
                    let list = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
                    let near = did_you_mean(given, choices.iter().map(|choice| choice.as_str()));
                    let problem = wrong(double, &format!("`{}` is no answer to `{path}`", answer.value));
                    return Err(problem.help(near.unwrap_or_else(|| format!("one of: {list}"))));
                }
                let to = Addressee::Step { path: path.to_owned(), attempt };
                Ok(Some(Coming::Letter(Letter { to, answer })))
            }
            WaitFor::Signal { name, .. } => {
                Ok(Some(Coming::Letter(Letter { to: Addressee::Signal(name.to_string()), answer })))
            }
            WaitFor::File { path, .. } => Ok(Some(Coming::File(path.clone()))),
            WaitFor::Time => Ok(None),
        }
    }

    /// Which doubles stand for steps of the run, or for children that a group would have had if it had come to that.
    fn met(&self, scene: &Scene) -> Vec<bool> {
        let plan = &self.driver.state().plan;
        let steps: Vec<(&String, StepId)> = self.paths.iter().zip(plan.ids()).collect();
        let met = |double: &Double| {
            let begin = double.pattern.split(['[', '*', '?']).next().unwrap_or_default().trim_end_matches('/');
            let open = |path: &str, id: StepId| {
                begin.len() < double.pattern.len()
                    && (path == begin || path.strip_suffix(begin).is_some_and(|before| before.ends_with('/')))
                    && plan.gets_steps_at_run_time(id)
                    && plan.members(id).is_empty()
            };
            let fits = |(path, id): &(&String, StepId)| {
                double.fits(path) && !plan.step(*id).task.is_group() || open(path, *id)
            };
            steps.iter().any(fits)
        };
        scene.doubles.iter().map(met).collect()
    }
}

/// Something is wrong with a double.
fn wrong(double: &Double, message: &str) -> Diagnostic {
    Diagnostic::new("flow::test::double", message).label(double.span, "given here")
}
