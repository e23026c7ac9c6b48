//! The executors of a run: threads for processes and requests, threads for closures, and who does what.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::event::{Decision, Failure, FailureKind, Outcome, PartOf};
use crate::plan::{Json, StepId, Task};

use super::agent::Recordings;
use super::gate::{Breakers, passed};
use super::http::Requests;
use super::pool::Pool;
use super::process::Room;
use super::running::Running;
use super::secrets::Secrets;
use super::stream::{self, Streams};
use super::{
    Closures, Done, Executor, Job, Memories, Report, Results, Work, agent, board, cache, changes, judge, merge,
    pipeline, process, script, wait, worktree,
};

/// Most processes and requests that wait at the same time, each with a thread of its own. The machine starts no more than
/// `max_parallel`; this only bounds a mistake.
const MOST_OUTSIDE: usize = 4096;

/// Stack of a thread that calls closures, in bytes: they may recurse deeply. Only what is used takes memory.
pub(super) const SCRIPT_STACK: usize = 64 << 20;

/// How long a thread that has called a closure looks for the next one before it sleeps: about what it costs to wake it.
const LOOK: Duration = Duration::from_micros(20);

/// What is kept from run to run, as far as attempts ask for it. Nothing said: nothing is kept.
#[derive(Clone, Default)]
pub struct Keep {
    /// Breakers.
    pub breakers: Option<Arc<dyn Breakers>>,
    /// Results.
    pub results: Option<Arc<dyn Results>>,
    /// Secrets, and where they come from.
    pub secrets: Arc<Secrets>,
    /// What lasts over runs.
    pub memories: Option<Arc<dyn Memories>>,
    /// Runs other workflows for the stages of pipelines.
    pub workflows: Option<Arc<dyn Workflows>>,
    /// Answers in place of agents.
    pub recordings: Option<Arc<dyn Recordings>>,
    /// Does what is acknowledged have to survive a loss of power, too? Then files are synchronised first.
    pub full: bool,
    /// Adopt processes whose parents have ended. This concerns the whole process.
    pub adopts: bool,
}

/// Runs of other workflows, for those who need the results at once.
pub trait Workflows: Send + Sync {
    /// Runs a workflow to its end, as a run of its own, and gives what its script returned, or a map of its steps' outputs.
    /// `part_of`: who wants it, for those who look at the list of runs. It should end soon after `stop` becomes true.
    ///
    /// # Errors
    /// That it could not be started, or failed.
    fn run(
        &self,
        file: &str,
        args: &[(String, String)],
        part_of: &PartOf,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Failure>;
}

/// The real executors.
pub struct Executors {
    /// Attempts that leave the process.
    outside: Pool<Job>,
    scripts: Pool<Work>,
    /// The streams that are open.
    streams: Arc<Streams>,
    lookups: Pool<Job>,
    running: Arc<Running>,
    room: Arc<Room>,
    /// Somebody did not want to wait.
    hurry: AtomicBool,
    requests: Arc<Requests>,
}

impl Executors {
    /// `grace`: what a process gets between SIGTERM and SIGKILL. Nothing is kept from run to run.
    pub fn new(closures: Arc<dyn Closures>, grace: Duration, report: Report) -> Self {
        Executors::keeping(Keep::default(), closures, grace, report)
    }

    /// As [`Executors::new`], with what is kept from run to run.
    pub fn keeping(keep: Keep, closures: Arc<dyn Closures>, grace: Duration, report: Report) -> Self {
        let running = Running::new(grace, keep.adopts);
        let room = Arc::new(Room::with(keep.secrets.clone(), keep.adopts));
        let (table, tell, shared, kept) = (running.clone(), report.clone(), room.clone(), keep.clone());
        let requests = Arc::new(Requests::with(keep.secrets.clone()));
        let asks = requests.clone();
        let (streams, script, say) = (Arc::new(Streams::default()), closures.clone(), report.clone());
        let open = streams.clone();
        let outside = Pool::new("flow-outside", 2 << 20, MOST_OUTSIDE, Duration::ZERO, move |mut job: Job| {
            let tree = worktree::prepare(&mut job);
            let work = |job: &Job| match &*job.task {
                Task::Http(http) => asks.make(http, job, &table),
                Task::Agent(ask) if job.stream.is_none() => agent::run(
                    ask,
                    job,
                    &agent::Shared {
                        running: &table,
                        room: &shared,
                        requests: &asks,
                        recordings: kept.recordings.as_deref(),
                        report: &say,
                    },
                    None,
                ),
                Task::Pipeline(pipeline) => pipeline::run(
                    pipeline,
                    job,
                    &pipeline::Around {
                        closures: &*script,
                        running: &table,
                        room: &shared,
                        keep: &kept,
                        requests: &asks,
                        report: &say,
                    },
                ),
                _ if job.stream.is_some() => {
                    let around = stream::Around {
                        closures: &*script,
                        running: &table,
                        room: &shared,
                        report: &say,
                        requests: &asks,
                        recordings: kept.recordings.as_deref(),
                    };
                    open.run(job, &around)
                }
                Task::Merge(trees) => merge::merge(trees, job),
                Task::Board(board) => board::recall(board, kept.memories.as_deref(), job),
                _ => process::run(job, &table, &shared),
            };
            tell(finished(&kept, &job, |job| {
                let watched = changes::watch(job);
                let failed = |failure| Outcome { error: Some(failure), ..Outcome::default() };
                let mut outcome = worktree::within(tree, job, &kept.secrets, work).unwrap_or_else(failed);
                if let Some(watched) = watched {
                    watched.compare(&mut outcome, job, &kept.secrets);
                }
                Ok(outcome)
            }));
        });
        let cores = available_parallelism().map_or(2, usize::from).max(2);
        let (table, tell, kept, script) = (running.clone(), report.clone(), keep.clone(), closures.clone());
        let lookups = Pool::new("flow-cache", 2 << 20, cores, LOOK, move |job| {
            tell(looked(&*script, &table, &kept, job));
        });
        let table = running.clone();
        let scripts = Pool::new("flow-script", SCRIPT_STACK, cores, LOOK, move |work| {
            report(inside(&*closures, &table, &keep, work));
        });
        Executors { streams, outside, scripts, lookups, running, room, requests, hurry: AtomicBool::new(false) }
    }
}

impl Executor for Executors {
    fn start(&self, work: Vec<Work>) {
        if !work.iter().any(|work| work.leaves_process() || matches!(work, Work::Lookup(_))) {
            return self.scripts.start(work);
        }
        let (mut outside, mut lookups, mut within) = (Vec::new(), Vec::new(), Vec::new());
        for work in work {
            match work {
                Work::Attempt(job) if job.task.leaves_process() => outside.push(job),
                Work::Lookup(job) => lookups.push(job),
                work => within.push(work),
            }
        }
        self.outside.start(outside);
        self.lookups.start(lookups);
        self.scripts.start(within);
    }

    fn kill(&self, step: StepId, attempt: u32, hard: bool) {
        self.hurry.fetch_or(hard, Ordering::Relaxed);
        self.running.kill((step, attempt), hard);
    }

    fn let_end(&self, step: StepId) {
        self.streams.let_end(step);
    }

    fn close_stream(&self, group: StepId, attempt: u32) {
        self.streams.close(group, attempt);
    }

    fn over(&self, forced: bool) {
        let hurry = self.hurry.load(Ordering::Relaxed);
        if forced || hurry {
            self.room.sweep(&self.running, hurry);
        }
    }
}

impl Drop for Executors {
    fn drop(&mut self) {
        self.running.close();
        self.room.close();
        self.requests.close();
    }
}

/// Does work that stays inside the process.
pub(super) fn inside(closures: &dyn Closures, running: &Running, keep: &Keep, work: Work) -> Done {
    match work {
        Work::Lookup(job) => looked(closures, running, keep, job),
        Work::Attempt(job) if matches!(*job.task, Task::Call(_)) => {
            let key = (job.step, job.attempt);
            let stop = running.call_begun(key);
            let done = finished(keep, &job, |job| script::attempt(closures, job, &keep.secrets, &stop));
            running.call_ended(key);
            done
        }
        Work::Attempt(job) if job.task.waits() => match caught(|| wait::waits(&job)) {
            Ok(done) => done,
            Err(failure) => finished(keep, &job, |_| Err(failure)),
        },
        Work::Attempt(job) => {
            finished(keep, &job, |job| script::attempt(closures, job, &keep.secrets, &Arc::default()))
        }
        Work::Judge { step, attempt, policy, outcome, inputs } => {
            let judged = caught(|| Ok(judge::judge(closures, (step, attempt), &policy, outcome.clone(), &inputs)));
            let (outcome, again) = judged
                .unwrap_or_else(|failure| (Arc::new(Outcome { error: Some(failure), ..(*outcome).clone() }), None));
            Done::Judged { step, attempt, outcome, again }
        }
        Work::Decide { step, branch, asked, question, inputs } => {
            let decide = || Ok(script::decide(closures, &question, &inputs));
            let (result, saw) = caught(decide).unwrap_or_else(|failure| (Decision::Failed(failure), Vec::new()));
            Done::Decided { step, branch, asked, result, saw }
        }
        Work::Expand { step, iteration, plan, last, inputs } => {
            Done::Expanded { step, result: caught(|| script::expand(closures, plan, step, iteration, last, &inputs)) }
        }
    }
}

/// Looks for the result of an attempt in the cache.
fn looked(closures: &dyn Closures, running: &Running, keep: &Keep, mut job: Job) -> Done {
    let key = (job.step, job.attempt);
    let stop = running.call_begun(key);
    let found = caught(|| Ok(cache::look(keep.results.as_deref(), closures, &job, &stop)));
    running.call_ended(key);
    match found {
        Ok(Ok(outcome)) => Done::Finished { step: job.step, attempt: job.attempt, outcome: Arc::new(outcome) },
        Ok(Err(miss)) => {
            job.missed = Some(Box::new(miss));
            Done::Missed(Box::new(job))
        }
        // Whatever went wrong: without the cache the step runs.
        Err(_) => Done::Missed(Box::new(job)),
    }
}

fn finished(keep: &Keep, job: &Job, attempt: impl FnOnce(&Job) -> Result<Outcome, Failure>) -> Done {
    let begun = Instant::now();
    if let (Some(results), false) = (&keep.results, job.undone.is_empty()) {
        results.forget(&job.undone);
    }
    let failed = |failure| Outcome { error: Some(failure), ..Outcome::default() };
    let attempt = || caught(|| attempt(job)).unwrap_or_else(failed);
    let mut outcome = passed(keep.breakers.as_ref(), job, attempt).unwrap_or_else(failed);
    outcome.duration_ms = begun.elapsed().as_millis() as u64;
    if job.site.hides() {
        keep.secrets.mask().outcome(&mut outcome);
    }
    cache::settle(keep.results.as_deref(), job, &mut outcome);
    Done::Finished { step: job.step, attempt: job.attempt, outcome: Arc::new(outcome) }
}

/// A panic, in a function that an embedding program registered for instance, fails one step and not the process.
fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Failure::new(FailureKind::Script, format!("the step's code panicked: {text}"))
            .help("this is a mistake in flow, or in a function that the embedding program registered"))
    })
}
