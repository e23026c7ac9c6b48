//! Executors: the outside world of one piece of work, its kill and its results.
//!
//! The driver hands over [`Work`] and gets [`Done`] back through the function given at construction, from any thread.
//! Nothing here knows the graph, the log or when something should run.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use crate::event::{Again, Alerted, Decision, Failure, FailureKind, Flowed, Outcome, Reached, Saw, Used, WaitFor};
use crate::plan::{Alert, Budget, Closure, Condition, Growth, Json, Plan, Policy, Settings, StepId, Stream, Task};
use crate::state::result::plain_text;
use crate::state::{Inputs, resolve};

pub mod agent;
mod alert;
mod birth;
mod blank;
pub mod board;
mod cache;
mod capture;
mod changes;
mod children;
mod command;
mod constant;
mod contents;
mod copy;
mod exit;
mod fake;
mod fields;
mod gate;
mod git;
mod http;
mod judge;
mod mask;
mod memory;
mod merge;
mod output;
mod pipeline;
mod pool;
mod process;
mod running;
mod script;
mod secrets;
mod simulated;
mod stdin;
mod stream;
mod streams;
mod topic;
mod tree;
mod wait;
mod watchdog;
mod workers;
mod worktree;

pub use board::Memories;
pub use cache::{Miss, Results};
pub use capture::log_stem;
pub use fake::Fake;
pub use gate::Breakers;
pub use script::Closures;
pub use secrets::{Hidden, Provider, Secrets};
pub use simulated::{Begun, Circuits, InMemory, Simulated};
pub use tree::{end_marked, end_run};
pub use workers::{Executors, Keep, Workflows};
pub use worktree::forget_trees;

/// One attempt of a task.
pub struct Job {
    /// The step.
    pub step: StepId,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The step's path. Needed for tasks that leave the process, and for calls, which may print; may be empty for others.
    pub path: String,
    /// What to do.
    pub task: Arc<Task>,
    /// How, where anything was said.
    pub policy: Option<Arc<Policy>>,
    /// The steps whose outputs are the task's input, in order.
    pub input: Vec<StepId>,
    /// The results it may read: of `input` and of every step named in the task and its policy, in the order of steps.
    pub inputs: Inputs,
    /// Where the run takes place.
    pub site: Arc<Site>,
    /// Its result was looked for in the cache, and not found.
    pub missed: Option<Box<Miss>>,
    /// It is a member of a stream.
    pub stream: Option<Arc<StreamPlace>>,
    /// It is a pipeline, and goes on from here.
    pub reached: Option<Box<Reached>>,
    /// It asks an agent: what of each budget around it is left for it.
    pub allowance: Option<Budget>,
    /// It undoes what gave these results (by their keys in the cache): they hold no longer when it begins.
    pub undone: Vec<String>,
}

/// Where a job stands in a stream. All jobs of one attempt of the stream, and further attempts of its members, say the same.
#[derive(Debug)]
pub struct StreamPlace {
    /// The stream: the group.
    pub group: StepId,
    /// Its attempt.
    pub attempt: u32,
    /// How its members are connected.
    pub stream: Stream,
    /// The members, level by level.
    pub members: Vec<StreamMember>,
    /// What is watched.
    pub alerts: Vec<Alert>,
}

/// A member of a stream, as far as the others need to know it.
#[derive(Debug)]
pub struct StreamMember {
    /// The step.
    pub step: StepId,
    /// Its name, which tags its lines.
    pub name: SmolStr,
    /// A process or a filter.
    pub task: Arc<Task>,
    /// Is it tried again, what has it dealt with then, what does its failure mean?
    pub policy: Option<Arc<Policy>>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} of step {} `{}`", self.attempt, self.step.0, self.path)
    }
}

impl Job {
    /// The step's working directory.
    fn cwd(&self) -> Result<PathBuf, Failure> {
        match self.policy.as_ref().and_then(|policy| policy.cwd.as_ref()) {
            Some(cwd) => Ok(self.site.cwd.join(plain_text(&resolve(cwd, &self.inputs)?))),
            None => Ok(self.site.cwd.clone()),
        }
    }

    /// What is the same in all attempts of the step, and belongs to no other: `FLOW_STEP_KEY`.
    fn key(&self) -> String {
        format!("{}/{}", self.site.run, self.path)
    }

    /// The chain's input: nothing without predecessors in the chain, one output, or an array of several.
    fn input(&self) -> Result<Option<Json>, Failure> {
        let results = &self.inputs.results;
        let output = |step: &StepId| match results.binary_search_by_key(step, |(id, _)| *id) {
            Ok(place) => results[place].1.property("output", &*self.inputs.files),
            Err(_) => Err(Failure::new(FailureKind::Input, format!("the result of step {} is not at hand", step.0))),
        };
        match self.input.as_slice() {
            [] => Ok(None),
            [one] => output(one).map(Some),
            several => several.iter().map(output).collect::<Result<_, _>>().map(Json::Array).map(Some),
        }
    }
}

/// What an executor can be asked to do.
pub enum Work {
    /// Make an attempt of a task.
    Attempt(Job),
    /// Look for the result of an attempt in the cache: then it has ended, or is still to be made.
    Lookup(Job),
    /// Evaluate a condition.
    Decide {
        /// Whose condition.
        step: StepId,
        /// Given back unchanged.
        branch: u32,
        /// Given back unchanged: which time this is asked.
        asked: u64,
        /// What to evaluate.
        question: Question,
        /// The results it reads.
        inputs: Inputs,
    },
    /// Judge how an attempt, or a group, ended: is its result valid, and if it failed, is it to be tried again?
    Judge {
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// The step's policies: `validate` and `retry_if`.
        policy: Arc<Policy>,
        /// How it ended.
        outcome: Arc<Outcome>,
        /// The results it may read; the step's own, as it would be with this outcome, is among them.
        inputs: Inputs,
    },
    /// Evaluate the closure of a fan-out.
    Expand {
        /// The `each`, `repeat` or `workflow`.
        step: StepId,
        /// Which iteration, from 1.
        iteration: u32,
        /// The plan as it is now.
        plan: Arc<Plan>,
        /// For `repeat`: the iteration before this one, if there was one; for `on_event`: the step that published what this
        /// child is for, if that still holds. Its result is among the inputs.
        last: Option<StepId>,
        /// The results it reads.
        inputs: Inputs,
    },
}

impl Work {
    /// Does it leave the process?
    pub fn leaves_process(&self) -> bool {
        matches!(self, Work::Attempt(job) if job.task.leaves_process())
    }

    /// See [`waits_for_commit`].
    pub fn waits_for_commit(&self) -> bool {
        matches!(self, Work::Attempt(job) if waits_for_commit(&job.task, job.policy.as_deref()))
    }
}

/// Must the events that an attempt depends on be committed before it begins? So it is for what leaves the process, and
/// for what asks a breaker: that is to know of all that happened before.
pub fn waits_for_commit(task: &Task, policy: Option<&Policy>) -> bool {
    task.leaves_process() || gate::breaker(task, policy).is_some()
}

/// May the result of an attempt be found in the cache?
pub fn has_cache(task: &Task, policy: Option<&Policy>) -> bool {
    cache::cache_of(task, policy).is_some()
}

/// What is to be decided.
pub enum Question {
    /// A condition.
    When(Condition),
    /// Does a `repeat` end after this iteration? Its result is among the inputs.
    Until(Closure, StepId),
}

/// What came of a piece of work.
#[derive(Debug)]
pub enum Done {
    /// An attempt ended.
    Finished {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// How.
        outcome: Arc<Outcome>,
    },
    /// The result of an attempt is not in the cache: it is to be made.
    Missed(Box<Job>),
    /// A condition was evaluated.
    Decided {
        /// Whose.
        step: StepId,
        /// As it was given.
        branch: u32,
        /// As it was given.
        asked: u64,
        /// What came out.
        result: Decision,
        /// What was read.
        saw: Vec<Saw>,
    },
    /// A task that waits for something from outside knows for what.
    Waits {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// For what.
        what: WaitFor,
        /// Milliseconds until a moment that it waits for.
        delay_ms: Option<u64>,
    },
    /// An end was judged.
    Judged {
        /// Of this step.
        step: StepId,
        /// This attempt.
        attempt: u32,
        /// How it ended: with an error of its own if it is not valid.
        outcome: Arc<Outcome>,
        /// What `retry_if` said, if it was asked.
        again: Option<Again>,
    },
    /// How far a stream or a pipeline is. Comes at a bounded rate. What a pipeline says it has reached counts once it is
    /// committed.
    Flowed(Box<Flowed>),
    /// A figure of a stream or a pipeline is out of bounds.
    Alerted(Box<Alerted>),
    /// What an agent has used so far. Comes at a bounded rate.
    Used(Box<Used>),
    /// A fan-out was evaluated.
    Expanded {
        /// Which.
        step: StepId,
        /// Its children.
        result: Result<Growth, Failure>,
    },
}

/// Takes what is done. Called on the thread that did it, so it must return at once.
pub type Report = Arc<dyn Fn(Done) + Send + Sync>;

/// Does work. Every piece of work is reported exactly once, killed or not.
pub trait Executor: Send + Sync {
    /// Begins, and returns at once.
    fn start(&self, work: Vec<Work>);

    /// Ends an attempt, also one that is still to be started. `hard`: without grace.
    fn kill(&self, step: StepId, attempt: u32, hard: bool);

    /// A member of a stream has failed for good, and its readers are to take what it wrote for the whole all the same; or it
    /// has ended well and its result, that had to be judged (`Policy::validate`), is valid. Without this its readers never see
    /// the end of what it wrote: they are ended, or it is tried again.
    fn let_end(&self, _step: StepId) {}

    /// An attempt of a stream (the group) is at its end.
    fn close_stream(&self, _group: StepId, _attempt: u32) {}

    /// The run is over. `forced`: it was cancelled or took too long, so what finished attempts have left behind goes too.
    /// Blocks until it is gone.
    fn over(&self, _forced: bool) {}
}

/// Where a run takes place: what its processes have in common.
#[derive(Debug)]
pub struct Site {
    run: String,
    cwd: PathBuf,
    folder: PathBuf,
    settings: Settings,
    logs: OnceLock<Result<(), Failure>>,
    hidden: Hidden,
}

impl Site {
    /// `run`: the run's id; `cwd`: where flow was called; `folder`: the folder for the run's files, created when needed.
    pub fn new(run: impl Into<String>, cwd: &Path, folder: &Path, settings: Settings) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let cwd = match &settings.cwd {
            Some(inner) => cwd.join(inner),
            None => cwd.to_owned(),
        };
        Site { run: run.into(), cwd, folder, settings, logs: OnceLock::new(), hidden: Hidden::default() }
    }

    /// With secrets.
    #[must_use]
    pub fn hiding(self, hidden: Hidden) -> Self {
        Site { hidden, ..self }
    }

    /// Does anything of the run have secrets?
    fn hides(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Makes the folder of the logs, once.
    fn prepare(&self) -> Result<(), Failure> {
        let make = || {
            let logs = self.folder.join("logs");
            fs::create_dir_all(&logs).map_err(|error| {
                Failure::new(FailureKind::Store, format!("cannot create `{}`: {error}", logs.display()))
                    .help("the run's folder must be writable; FLOW_HOME names another place for it")
            })
        };
        self.logs.get_or_init(make).clone()
    }
}
