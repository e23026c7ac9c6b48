//! The beginning of a run.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use super::closures::Kept;
use super::keep::{Keeping, Shared};
use super::receipts::sign_end;
use super::running::{Events, Folder, Running};
use super::workflows::Others;
use super::{Flow, Script, cancel, script};
use crate::diag::Result;
use crate::engine::drive::{Attended, Driving, Lookout, Outside, Setup};
use crate::engine::numbering::Numbering;
use crate::event::{Created, Event, PartOf, Record, Stop};
use crate::exec::{Executors, Keep, Results};
use crate::lang::Program;
use crate::plan::{Growth, Task};
use crate::state::{RunState, Status};
use crate::store::{Durability, Letter, RunLog, Store};

/// Version of the form of events.
pub(super) const EVENTS: u32 = 1;

/// Shorter steps are not worth an estimate.
const WORTH_AN_ESTIMATE_MS: u64 = 10;

/// How a run is to be started. The default is what the command line does without options.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Parameters of the script, as given.
    pub args: Vec<(String, String)>,
    /// Most steps at the same time; before what the script says.
    pub max_parallel: Option<u32>,
    /// Where processes run. Nothing said: the working directory.
    pub cwd: Option<PathBuf>,
    /// Is anybody there while nothing is left to do but to wait for people, signals, files or moments far away?
    pub attended: Attended,
    /// The script may get more later ([`super::ResumeOptions::with`]): at its end the run is let go of, with what the script
    /// has not asked for with `run(…)` still to do. So is it if the script goes wrong after that.
    pub open: bool,
    /// Stop gently when the process gets SIGINT, SIGTERM or SIGHUP, and at once when it gets one again.
    pub signals: bool,
    /// What answers in place of agents: `recorded:` and a run, or a file. Nothing: the agents themselves.
    pub agents: Option<String>,
    /// A step of another run wants it: `last` is that one then.
    pub part_of: Option<PartOf>,
}

impl Flow {
    /// Starts a run, and returns when it goes on.
    ///
    /// # Errors
    /// What is wrong with the script or its parameters: then nothing was executed and no run exists. Or that the store
    /// cannot be written.
    pub fn run(&self, script: &Script, options: RunOptions) -> Result<Running> {
        self.run_watched(script, options).map(|(running, _)| running)
    }

    /// As [`Flow::run`], and gives all events of the run from the first one on.
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub fn run_watched(&self, script: &Script, options: RunOptions) -> Result<(Running, Events)> {
        let program = self.compile(script)?;
        // What is wrong in it is told before anything runs.
        self.config()?;
        let options = RunOptions { agents: self.who_answers(options.agents.as_deref())?, ..options };
        tracing::debug!(script = script.name, "compiled");
        let (args, open) = (options.args.clone(), options.open);
        let (flow, script, compiled) = (self.clone(), script.clone(), program.clone());
        let begin = move |growth, printed| flow.begin(&script, compiled, &options, growth, printed);
        script::begin(program, args, open, Box::new(begin))
    }

    pub(super) fn begin(
        &self,
        script: &Script,
        program: Program,
        options: &RunOptions,
        growth: Growth,
        printed: String,
    ) -> Result<(Running, Events)> {
        let store = self.store()?;
        let closures = Kept::new(program.clone(), store.clone());
        let file = match &script.path {
            Some(path) => path.display().to_string(),
            None => "-".to_owned(),
        };
        let cwd = match &options.cwd {
            Some(cwd) => std::path::absolute(cwd).map_err(|error| super::home::no_folder(cwd, &error))?,
            None => std::env::current_dir().map_err(|error| super::home::no_folder(Path::new("."), &error))?,
        };
        let log = store.create(Created {
            run: String::new(),
            workflow: growth.header.as_ref().map(|header| header.name.clone()).unwrap_or_default(),
            file,
            cwd: cwd.display().to_string(),
            args: options.args.clone(),
            sources: closures.keep()?,
            seed: RandomState::new().build_hasher().finish(),
            max_parallel: options.max_parallel,
            version: EVENTS,
            agents: options.agents.clone(),
            replays: None,
            part_of: options.part_of.clone().map(Box::new),
        })?;
        let mut opening = vec![opened()];
        if !printed.is_empty() {
            opening.push(Event::Printed { text: printed });
        }
        let mut numbering = Numbering::default();
        if let Some(growth) = numbering.take(growth, 0) {
            opening.push(Event::Planned { of: None, growth: Box::new(growth) });
        }
        let past = vec![log.first().clone()];
        let state = RunState::of(&past);
        let (signals, attended) = (options.signals, options.attended);
        let begin = Beginning { log, past, state, opening, numbering, closures, signals, attended };
        let (running, events) = self.drive(begin)?;
        running.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(program.warnings());
        Ok((running, events))
    }

    /// Sets a driver to work on a run. Nothing happens until its inbox is told to begin.
    pub(super) fn drive(&self, begin: Beginning) -> Result<(Running, Events)> {
        let Beginning { log, past, state, opening, numbering, closures, signals, attended } = begin;
        let (run, folder, store) = (log.run().to_owned(), log.folder().to_owned(), self.store()?.clone());
        let files = Arc::new(Folder(folder.clone()));
        let grace = self.inner.options.grace;
        cancel::forget(&folder);
        let (asked, ends, known) = (folder.clone(), store.clone(), state.events);
        let shared = Arc::new(Shared::new(store.clone(), &run, &state.created.workflow));
        // What is kept in memory alone cannot be found by another run.
        let results: Option<Arc<dyn Results>> = if self.is_kept() { Some(shared.clone()) } else { None };
        let keep = Keep {
            breakers: Some(shared.clone()),
            results,
            secrets: self.secrets()?,
            memories: Some(shared.clone()),
            workflows: Some(Arc::new(Others::of(self, &state.created))),
            recordings: self.recordings(state.created.agents.as_deref())?,
            full: self.inner.options.durability == Durability::Full,
            adopts: self.inner.options.adopts,
        };
        let key = self.config()?.receipts.key.clone().filter(|_| self.is_kept());
        let warnings: Arc<Mutex<Vec<_>>> = Arc::default();
        let told = warnings.clone();
        let driving = Driving::start(Setup {
            state,
            opening,
            default_parallel: available_parallelism().map_or(2, usize::from).max(2) as u32,
            numbering,
            journal: Box::new(Keeping { log, shared }),
            files: files.clone(),
            folder: folder.clone(),
            executor: Box::new(move |report| Arc::new(Executors::keeping(keep, Arc::new(closures), grace, report))),
            signals: signals.then(|| -> Box<dyn Fn() -> Stop + Send> {
                Box::new(move || if cancel::is_asked(&asked) { Stop::Cancelled } else { Stop::Interrupted })
            }),
            lookout: Lookout::new(Box::new(Outlook { store: store.clone(), run: run.clone() }), attended, &past),
            at_end: Box::new(move |state| {
                note_durations(&ends, state, known);
                if state.status.is_final() {
                    let warning = sign_end(&ends, key.as_deref(), &state.created.run);
                    told.lock().unwrap_or_else(PoisonError::into_inner).extend(warning);
                }
            }),
        })?;
        let (_, live) = driving.bus().subscribe();
        let problem = Arc::default();
        let running = Running { run, folder, driving, store, files, problem, warnings, script_has_changed: false };
        Ok((running, Events::new(past, live)))
    }
}

/// What a driver is set to work on.
pub(super) struct Beginning {
    pub log: RunLog,
    /// The events in the log.
    pub past: Vec<Record>,
    /// The state after them.
    pub state: RunState,
    /// The first events now.
    pub opening: Vec<Event>,
    pub numbering: Numbering,
    pub closures: Kept,
    pub signals: bool,
    pub attended: Attended,
}

/// What comes from outside to a run.
struct Outlook {
    store: Store,
    run: String,
}

impl Outside for Outlook {
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>> {
        self.store.letters(&self.run, after)
    }

    fn is_there(&mut self, path: &str) -> bool {
        Path::new(path).exists()
    }
}

/// The event that says who works on a run from now on.
pub(super) fn opened() -> Event {
    let (pid, host) = (std::process::id(), super::who::host());
    Event::Opened { pid, host, flow: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Remembers how long steps took, for later estimates. What had ended by the `known` first events was remembered then.
fn note_durations(store: &Store, state: &RunState, known: u64) {
    let durations: Vec<(String, u64)> = state
        .plan
        .ids()
        .filter(|id| state.step(*id).ended > known && state.step(*id).status == Status::Success)
        .filter(|id| !matches!(*state.plan.step(*id).task, Task::Wait(_)))
        .filter_map(|id| {
            let took = state.step(id).outcome.as_ref()?.duration_ms;
            (took >= WORTH_AN_ESTIMATE_MS).then(|| (state.plan.path(id), took))
        })
        .collect();
    if !durations.is_empty() {
        // Estimates are a convenience: the run is over and well without them.
        let _ = store.record_durations(&state.created.workflow, &durations);
    }
}
