//! The executor of simulated runs: what would leave the process is only written down, for the simulation to let it end;
//! what stays inside is done for real, at once, on the caller's thread.

mod breakers;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use self::breakers::Circuits;
use super::agent::Recordings;
use super::gate::passed;
use super::http::Requests;
use super::process::Room;
use super::running::Running;
use super::workers::{Keep, inside};
use super::{Closures, Done, Executor, Job, Report, Work, agent, output, wait};
use crate::event::{AgentReport, Changes, Failure, FailureKind, Log, Outcome, Output, Reply, Verdict};
use crate::plan::{Ask, Json, Parse, Sink, StepId, Task, Value};
use crate::state::{Files, resolve};

/// See the module's page.
pub struct Simulated {
    closures: Arc<dyn Closures>,
    running: Arc<Running>,
    files: Arc<InMemory>,
    circuits: Arc<Circuits>,
    keep: Keep,
    /// What is needed where an agent is answered for.
    around: OnceLock<(Room, Requests)>,
    asked: Mutex<Begun>,
}

/// What was asked for and has not been seen to.
#[derive(Default)]
pub struct Begun {
    /// Work that was begun, in order.
    pub work: Vec<Work>,
    /// Attempts that are to end.
    pub kills: Vec<(StepId, u32)>,
}

/// The files of a run whose steps write none: what they are said to have printed.
#[derive(Default)]
pub struct InMemory {
    texts: Mutex<HashMap<String, String>>,
    /// Where agents that were answered for left theirs.
    folder: PathBuf,
    /// The files of the run that is played again.
    below: Option<Arc<dyn Files>>,
}

impl Files for InMemory {
    fn read(&self, log: &Log) -> io::Result<Vec<u8>> {
        if let Some(text) = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&log.file) {
            return Ok(text.clone().into_bytes());
        }
        let Some(below) = &self.below else { return Err(io::ErrorKind::NotFound.into()) };
        std::fs::read(self.folder.join(&log.file)).or_else(|_| below.read(log))
    }
}

impl InMemory {
    /// With files of a folder, and of an earlier run.
    pub fn above(folder: &Path, below: Option<Arc<dyn Files>>) -> Self {
        InMemory { texts: Mutex::default(), folder: folder.to_owned(), below }
    }

    fn keep(&self, file: String, text: &str) -> Log {
        let bytes = text.len() as u64;
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(file.clone(), text.to_owned());
        Log { file, bytes, sha256: String::new() }
    }
}

/// What is known of an agent that a double stands for.
fn answered(ask: &Ask, reply: &Reply, outcome: &Outcome) -> AgentReport {
    let verdict = match reply.error.as_ref().map(|error| error.kind) {
        None => Verdict::Finished,
        Some(FailureKind::CutOff) => Verdict::CutOff,
        Some(FailureKind::Silent) => Verdict::Silent,
        Some(FailureKind::Hung) => Verdict::Hung,
        Some(FailureKind::OverBudget) => Verdict::OverBudget,
        Some(FailureKind::Denied) => Verdict::Denied,
        Some(_) => Verdict::Failed,
    };
    let text = match &outcome.output {
        Output::Value(Json::String(text)) => Output::Value(text.clone().into()),
        Output::Value(value) => Output::Value(value.to_string().into()),
        _ => Output::None,
    };
    let model = ask.agent.model.as_ref().and_then(Value::as_text).unwrap_or_default().to_owned();
    AgentReport {
        verdict,
        agent: ask.agent.name.clone(),
        backend: ask.agent.backend.clone(),
        model,
        text,
        usage: reply.usage.unwrap_or_default(),
        ..AgentReport::default()
    }
}

impl Simulated {
    /// An executor whose steps print into these files.
    pub fn new(closures: Arc<dyn Closures>, files: Arc<InMemory>) -> Self {
        let circuits: Arc<Circuits> = Arc::default();
        let keep = Keep { breakers: Some(circuits.clone()), ..Keep::default() };
        Simulated {
            closures,
            running: Running::new(Duration::ZERO, false),
            files,
            circuits,
            keep,
            around: OnceLock::new(),
            asked: Mutex::default(),
        }
    }

    /// With what answers in place of agents.
    #[must_use]
    pub fn answered_by(mut self, recordings: Option<Arc<dyn Recordings>>) -> Self {
        self.keep.recordings = recordings;
        self
    }

    /// Asks an agent that has answered once: what it said is read and judged again. Nothing is started, and nothing is written
    /// but its logs. `changes`: the files that it changed then.
    pub fn ask_again(&self, mut job: Job, changes: Option<Box<Changes>>) -> Done {
        if let Some(policy) = &mut job.policy {
            let policy = Arc::make_mut(policy);
            (policy.writes, policy.isolate) = Default::default();
        }
        job.stream = None;
        let task = job.task.clone();
        let Task::Agent(ask) = &*task else { return self.reply(&job, &Reply::default()) };
        let (room, requests) = self.around.get_or_init(|| {
            let secrets = self.keep.secrets.clone();
            (Room::with(secrets.clone(), false), Requests::with(secrets))
        });
        let shared = agent::Shared {
            running: &self.running,
            room,
            requests,
            recordings: self.keep.recordings.as_deref(),
            // What it used is in its outcome.
            report: &(Arc::new(|_| {}) as Report),
        };
        let mut outcome = agent::run(ask, &job, &shared, None)
            .unwrap_or_else(|failure| Outcome { error: Some(failure), ..Outcome::default() });
        if let Some(report) = &mut outcome.agent {
            report.changes = changes.or(report.changes.take());
        }
        finished(&job, outcome)
    }

    /// The breakers of the run.
    pub fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    fn asked(&self) -> MutexGuard<'_, Begun> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked for since the last time.
    pub fn take(&self) -> Begun {
        std::mem::take(&mut *self.asked())
    }

    /// Does work that stays inside the process. `now`: the time, in milliseconds since 1970.
    pub fn perform(&self, work: Work, now: u64) -> Done {
        match work {
            Work::Attempt(job) if job.task.waits() => match wait::waits_at(&job, now) {
                Ok(done) => done,
                Err(failure) => finished(&job, Outcome { error: Some(failure), ..Outcome::default() }),
            },
            // Nothing is kept where nothing is done.
            Work::Lookup(job) => Done::Missed(Box::new(job)),
            work => match inside(&*self.closures, &self.running, &self.keep, work) {
                // It took no time, by the clock of the simulation.
                Done::Finished { step, attempt, mut outcome } => {
                    Arc::make_mut(&mut outcome).duration_ms = 0;
                    Done::Finished { step, attempt, outcome }
                }
                done => done,
            },
        }
    }

    /// How an attempt ends of which this is said.
    pub fn reply(&self, job: &Job, reply: &Reply) -> Done {
        let outcome = passed(self.keep.breakers.as_ref(), job, || self.outcome(job, reply));
        finished(job, outcome.unwrap_or_else(|refused| Outcome { error: Some(refused), ..Outcome::default() }))
    }

    fn outcome(&self, job: &Job, reply: &Reply) -> Outcome {
        let process = job.task.leaves_process() && !matches!(*job.task, Task::Filter(_) | Task::Pipeline(_));
        let mut outcome = Outcome { error: reply.error.clone(), duration_ms: reply.takes_ms, ..Outcome::default() };
        if let Task::Pipeline(pipeline) = &*job.task {
            outcome.fields = counts_of(&reply.value);
            if reply.value.is_null() && matches!(pipeline.sink, Sink::Collect) {
                outcome.output = Output::Value(Json::Array(Vec::new()));
            }
        }
        let well = if matches!(*job.task, Task::Http(_)) { 200 } else { 0 };
        outcome.code = reply.code.or((process && reply.error.is_none()).then_some(well));
        let stem = super::log_stem(job.step, &job.path, job.attempt);
        let keep = |ending: &str, text: &String| self.files.keep(format!("logs/{stem}.{ending}"), text);
        outcome.stdout = reply.printed.as_ref().filter(|text| !text.is_empty()).map(|text| keep("out", text));
        outcome.stderr = reply.stderr.as_ref().filter(|text| !text.is_empty()).map(|text| keep("err", text));
        outcome.output = match &reply.printed {
            Some(text) => {
                let parse = job.policy.as_ref().map_or(Parse::default(), |policy| policy.parse);
                match output::of_text(text.clone(), parse, |text| text) {
                    Ok(value) => Output::Value(value),
                    Err(failure) => {
                        outcome.error.get_or_insert(failure);
                        Output::None
                    }
                }
            }
            None if reply.value.is_null() => outcome.output,
            None => Output::Value(reply.value.clone()),
        };
        if let Task::Agent(ask) = &*job.task {
            outcome.agent = Some(Box::new(answered(ask, reply, &outcome)));
        }
        outcome
    }

    /// The first value that an attempt needs and cannot have, as it would turn out if it were made. `is_blank`: nothing was
    /// said of what this step gives, so what others read of it is left open.
    pub fn unreadable(&self, job: &Job, is_blank: impl Fn(StepId) -> bool) -> Option<Done> {
        let mut failed: Option<Failure> = None;
        let mut look = |value: &Value| {
            // Secrets have no value here.
            let mut blank = false;
            value.each_secret(&mut |_| blank = true);
            value.each_step(&mut |step| blank |= is_blank(step));
            if !blank && failed.is_none() {
                failed = resolve(value, &job.inputs).err();
            }
        };
        if !matches!(*job.task, Task::Call(_)) {
            job.task.each_value(&mut look);
        }
        if let Some(policy) = &job.policy {
            policy.env.iter().for_each(|(_, value)| look(value));
            policy.cwd.iter().chain(&policy.stdin).for_each(look);
        }
        failed.map(|failure| finished(job, Outcome { error: Some(failure), ..Outcome::default() }))
    }
}

impl Executor for Simulated {
    fn start(&self, mut work: Vec<Work>) {
        self.asked().work.append(&mut work);
    }

    fn kill(&self, step: StepId, attempt: u32, _hard: bool) {
        self.asked().kills.push((step, attempt));
    }
}

impl Begun {
    /// The report of an attempt that was ended.
    pub fn killed((step, attempt): (StepId, u32)) -> Done {
        let error = Failure::new(FailureKind::Cancelled, "it was ended before it was done");
        let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
        Done::Finished { step, attempt, outcome }
    }
}

/// What a pipeline counts that gave this: each element of an array was an item, and all went well.
pub(super) fn counts_of(output: &Json) -> serde_json::Map<String, Json> {
    let items = output.as_array().map_or(0, Vec::len);
    let counts = [("items", items), ("delivered", items), ("left_out", 0), ("dead", 0), ("dropped", 0)];
    counts.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect()
}

fn finished(job: &Job, outcome: Outcome) -> Done {
    Done::Finished { step: job.step, attempt: job.attempt, outcome: Arc::new(outcome) }
}
