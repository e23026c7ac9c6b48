//! The whole embeddable API: [`Flow`] opens a folder of runs, checks, plans, runs and resumes workflows, and answers
//! questions about runs. Everything that a door of the program does is one of these calls.
//!
//! Nothing here prints, reads the command line, or reacts to signals unless asked to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::diag::{Diagnostic, Result};
use crate::event::Record;
use crate::exec::Secrets;
use crate::lang::{Program, SharedHost};
use crate::plan::analysis::Analysis;
use crate::plan::check::warnings;
use crate::plan::ways::Ways;
use crate::plan::{Plan, StepId};
use crate::state::breaker::Circuit;
use crate::state::{Files, RunState};

mod agents;
mod answer;
mod cancel;
mod closures;
mod config;
mod doctor;
mod export;
mod gc;
mod home;
mod keep;
mod outputs;
mod project;
mod receipts;
mod recording;
pub mod reference;
mod replay;
mod resume;
mod rollback;
mod running;
mod script;
mod sight;
mod signal;
mod signals;
mod start;
mod taken;
mod takeup;
mod templates;
mod test;
mod watch;
mod who;
mod workflows;

pub use crate::engine::drive::Attended;
pub use crate::event::Stop;
pub use crate::exec::Provider;
pub use crate::exec::log_stem;
pub use crate::lang::{AgentOrigin, FoundAgent, Item, ItemKind, LARGEST, Remark, Script, format, items, text_of};
pub use crate::lang::{Parsed, Variables, assist, parsed};
pub use crate::state::Waits;
pub use crate::state::coverage::{Coverage, lcov};
pub use crate::state::form::{expected, read_field};
pub use crate::state::receipt::Receipt;
pub use crate::state::takeup::{Fate, Takeup, Verdict};
pub use crate::store::{
    Addressee, Collected, CollectedRun, Difference, Durability, ExportOptions, Exported, Fault, Found, Halt, Kept,
    Lasting, Letter, PublicKey, ReceiptFilter, Receipts as FoundReceipts, RunFilter, RunSummary, Signature, Store,
    Unverified, Verified, VerifiedExport, verify_export,
};
pub use agents::surroundings_of;
pub use answer::{Answering, Posted};
pub use config::{AgentDefaults, Config, PROJECT_KEYS, Receipts, Retention};
pub use gc::Gc;
pub use home::home_for;
pub use outputs::output_file;
pub use project::{Project, write};
pub use recording::{
    Asked as AskedAgent, Attempt, Course, Head, Passed, Recorded, Tried, Turn, WHAT_ANSWERS, WasRead, Written,
};
pub use replay::ReplayOptions;
pub use resume::ResumeOptions;
pub use rollback::WayBack;
pub use running::{Events, Running};
pub use sight::{Results, Sight};
pub use signals::{Asked, on_signals};
pub use start::RunOptions;
pub use taken::Taken;
pub use templates::{Template, template, templates};
pub use test::{
    Again, AgainOptions, Rehearsed, Test, TestEnd, TestOptions, TestResult, TestResults, Tests, Unequal, WayDifference,
    test_files, workflow_files,
};
pub use watch::Watch;
pub use who::who;

/// How a [`Flow`] is opened. The default is what the command line does without options.
#[derive(Clone)]
pub struct Options {
    /// The folder of the runs. Nothing said: `FLOW_HOME`, else `.flow` beside the nearest `flow.toml` upwards, else
    /// `.flow` in the working directory.
    pub home: Option<PathBuf>,
    /// What finished steps survive.
    pub durability: Durability,
    /// What a process gets between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Functions of the embedding program that scripts can call.
    pub host: Option<SharedHost>,
    /// Adopt the processes that steps leave without a parent, as long as a run has any, so that they can be found and ended
    /// even if they left their session and emptied their environment.
    ///
    /// This makes the whole process a child subreaper (prctl(2)) meanwhile: orphans of other children of it are adopted, too,
    /// and every child that has ended is reaped which is neither in the process group of this process nor started by flow. So
    /// it is not the default; the `flow` command, which has no other children, does it.
    pub adopts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            home: None,
            durability: Durability::default(),
            grace: Duration::from_secs(5),
            host: None,
            adopts: false,
        }
    }
}

/// A script that is in order.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its plan.
    pub plan: Plan,
    /// What is probably not meant, though it can run.
    pub warnings: Vec<Diagnostic>,
    /// What the script printed.
    pub printed: String,
}

/// A folder of runs, and all that can be done with it. Cheap to clone.
#[derive(Clone)]
pub struct Flow {
    inner: Arc<Inner>,
    /// How many runs are around those that are started here.
    nested: u32,
}

struct Inner {
    home: PathBuf,
    options: Options,
    /// Opened, and created if need be, with the first run.
    writing: OnceLock<Store>,
    /// Opened with the first question, if it is there.
    reading: OnceLock<Store>,
    /// Read when it is first asked for.
    config: OnceLock<Config>,
    /// Those of the settings, with the values that are known so far.
    secrets: OnceLock<Arc<Secrets>>,
}

impl Flow {
    /// Finds the folder of the runs. Nothing is opened or created yet.
    ///
    /// # Errors
    /// If the working directory cannot be had.
    pub fn open(options: Options) -> Result<Flow> {
        let home = match &options.home {
            Some(home) => std::path::absolute(home).map_err(|error| home::no_folder(home, &error))?,
            None => home::find()?,
        };
        let inner = Inner {
            home,
            options,
            writing: OnceLock::new(),
            reading: OnceLock::new(),
            config: OnceLock::new(),
            secrets: OnceLock::new(),
        };
        Ok(Flow { inner: Arc::new(inner), nested: 0 })
    }

    /// The folder of the runs; it need not exist.
    pub fn home(&self) -> &Path {
        &self.inner.home
    }

    /// The settings of the project: those of the `flow.toml` beside the folder of the runs, else of the nearest one upwards
    /// from the working directory.
    ///
    /// # Errors
    /// `flow::config::*`: what is wrong in the file.
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.inner.config.get() {
            return Ok(config);
        }
        let config = match home::config_for(&self.inner.home) {
            Some(file) => Config::read(&file)?,
            None => Config::default(),
        };
        Ok(self.inner.config.get_or_init(|| config))
    }

    /// The secrets of the project.
    fn secrets(&self) -> Result<Arc<Secrets>> {
        let config = self.config()?;
        Ok(self.inner.secrets.get_or_init(|| Arc::new(Secrets::new(config.secrets.clone()))).clone())
    }

    /// Are runs kept? Otherwise (with [`Durability::None`]) they are gone with this process.
    pub fn is_kept(&self) -> bool {
        self.inner.options.durability != Durability::None
    }

    /// Reads and evaluates a script without executing anything: its plan, or what is wrong with it.
    ///
    /// Where the script waits for a result (`run(…)`), the plan ends ([`crate::plan::Header::stopped_at`]).
    ///
    /// # Errors
    /// What is wrong with the script or the parameters.
    pub fn plan(&self, script: &Script, args: &[(String, String)]) -> Result<Plan> {
        Self::evaluated(&self.compile(script)?, args).map(|(plan, _)| plan)
    }

    /// Is the script in order, with these parameters? Gives its plan, and what is probably not meant.
    ///
    /// # Errors
    /// As [`Flow::plan`].
    pub fn check(&self, script: &Script, args: &[(String, String)]) -> Result<Checked> {
        Self::check_program(&self.compile(script)?, args)
    }

    /// As [`Flow::check`], of a script that is compiled already.
    ///
    /// # Errors
    /// As [`Flow::plan`].
    pub fn check_program(program: &Program, args: &[(String, String)]) -> Result<Checked> {
        let (plan, printed) = Self::evaluated(program, args)?;
        let texts = program.texts();
        let of_plan = warnings(&plan).into_iter().map(|warning| warning.with_sources(&texts));
        let warnings = program.warnings().into_iter().chain(of_plan).collect();
        Ok(Checked { plan, warnings, printed })
    }

    fn evaluated(program: &Program, args: &[(String, String)]) -> Result<(Plan, String)> {
        let mut plan = Plan::default();
        match program.build_and_tell(args, None) {
            (Ok(built), printed) => {
                plan.grow(built.growth);
                Ok((plan, printed))
            }
            (Err(problem), printed) => Err(problem.with_printed(printed)),
        }
    }

    /// Compiles a script, with the functions of the embedding program.
    ///
    /// # Errors
    /// What is wrong in its text.
    pub fn compile(&self, script: &Script) -> Result<Program> {
        let script = Script { surroundings: self.surroundings(), ..script.clone() };
        match &self.inner.options.host {
            Some(host) => Program::compile_with(host, &script),
            None => Program::compile(&script),
        }
    }

    /// The runs, newest first.
    ///
    /// # Errors
    /// If the database cannot be read; so for all questions that follow.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>> {
        match self.existing()? {
            Some(store) => store.runs(filter),
            None => Ok(Vec::new()),
        }
    }

    /// The full id of the run that a person means: an id, a unique beginning of one, or `last`.
    ///
    /// # Errors
    /// `flow::run::unknown` if there is none or several.
    pub fn find(&self, run: &str) -> Result<String> {
        self.reader()?.find(run)
    }

    /// A run in a line.
    ///
    /// # Errors
    /// `flow::run::unknown`; so for all functions that take a run (an id, a beginning of one, or `last`).
    pub fn summary(&self, run: &str) -> Result<RunSummary> {
        let store = self.reader()?;
        store.summary(&store.find(run)?)
    }

    /// The state of a run as its log says. Whether a process still works on it stands in [`Flow::summary`].
    ///
    /// # Errors
    /// See [`Flow::summary`].
    pub fn state(&self, run: &str) -> Result<RunState> {
        Ok(RunState::of(&self.records(run, 0)?))
    }

    /// The committed events of a run, from a number on.
    ///
    /// # Errors
    /// See [`Flow::summary`].
    pub fn records(&self, run: &str, from: u64) -> Result<Vec<Record>> {
        let store = self.reader()?;
        store.records(&store.find(run)?, from)
    }

    /// Checks the hashes of a run's log, scripts and files.
    ///
    /// # Errors
    /// `flow::store::tampered` names the first thing that is not what was written.
    pub fn verify(&self, run: &str) -> Result<Verified> {
        let store = self.reader()?;
        store.verify(&store.find(run)?)
    }

    /// The folder of a run's logs.
    ///
    /// # Errors
    /// See [`Flow::summary`].
    pub fn run_folder(&self, run: &str) -> Result<PathBuf> {
        let store = self.reader()?;
        Ok(store.run_folder(&store.find(run)?))
    }

    /// Reads the files of a run's steps.
    ///
    /// # Errors
    /// See [`Flow::summary`].
    pub fn files(&self, run: &str) -> Result<Arc<dyn Files>> {
        Ok(Arc::new(running::Folder(self.run_folder(run)?)))
    }

    /// The texts of a run's script and modules, as they were when it ran: for messages that point into them.
    ///
    /// # Errors
    /// See [`Flow::summary`]; `flow::store::corrupt` if one is missing.
    pub fn sources(&self, state: &RunState) -> Result<crate::diag::Sources> {
        let store = self.reader()?;
        let texts = resume::pins(state).into_iter().map(|(name, hash)| Ok((name, store.source(&hash)?)));
        Ok(crate::diag::Sources::new(texts.collect::<Result<_>>()?))
    }

    /// How long the steps of a workflow, by path, usually take, in milliseconds.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn durations(&self, workflow: &str) -> Result<HashMap<String, u64>> {
        match self.existing()? {
            Some(store) => store.durations(workflow),
            None => Ok(Default::default()),
        }
    }

    /// Every way through a plan, as the engine would go; no more than `most`. `analysis` is of the same plan, and says how
    /// long its steps take; `max_parallel`: where neither the plan nor the machine says it.
    pub fn ways(&self, plan: &Plan, analysis: &Analysis, max_parallel: u32, most: usize) -> Ways {
        let slots = plan.header.settings.max_parallel.unwrap_or(max_parallel);
        crate::engine::ways::ways(plan, analysis, slots, most)
    }

    /// The plan of a run with all that its fan-outs came to, how long each of its steps took by path (nothing for those
    /// that did not run), and how long the whole took, in milliseconds.
    ///
    /// # Errors
    /// See [`Flow::summary`]; `flow::run::unfinished` if it is not at its end.
    pub fn recorded(&self, run: &str) -> Result<(Arc<Plan>, HashMap<String, u64>, u64)> {
        let state = self.state(run)?;
        if !state.status.is_final() {
            return Err(Diagnostic::new(
                "flow::run::unfinished",
                format!("run `{}` is not at its end", state.created.run),
            )
            .help("a forecast needs a run whose times are known; `flow runs` lists them"));
        }
        let plan = state.plan.clone();
        let took = |id: StepId| {
            let step = state.step(id);
            // What never began took no time.
            let ms = if step.started_at == 0 { 0 } else { step.finished_at.saturating_sub(step.started_at) };
            (plan.path(id), ms)
        };
        let durations = plan.ids().map(took).collect();
        Ok((plan.clone(), durations, state.latest_at.saturating_sub(state.started_at)))
    }

    /// The step that a person means: its path, or the unique end of one.
    ///
    /// # Errors
    /// `flow::run::no_step` if there is none, with the nearest, or several.
    pub fn find_step(&self, state: &RunState, name: &str) -> Result<StepId> {
        let plan = &state.plan;
        match plan.find(name).as_slice() {
            [one] => Ok(*one),
            [] => {
                let paths: Vec<String> = plan.ids().map(|id| plan.path(id)).collect();
                let problem = Diagnostic::new("flow::run::no_step", format!("the run has no step `{name}`"));
                let help = crate::diag::did_you_mean(name, paths.iter().map(String::as_str));
                Err(problem.help(help.unwrap_or_else(|| "`flow show` lists the steps of a run".into())))
            }
            several => {
                let paths: Vec<String> = several.iter().take(5).map(|id| format!("`{}`", plan.path(*id))).collect();
                let more = if several.len() > paths.len() { ", …" } else { "" };
                Err(Diagnostic::new("flow::run::no_step", format!("{} steps are called `{name}`", several.len()))
                    .help(format!("say which: {}{more}", paths.join(", "))))
            }
        }
    }

    /// The breakers that runs of this folder have declared, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn breakers(&self) -> Result<Vec<(String, Circuit)>> {
        match self.existing()? {
            Some(store) => store.breakers(),
            None => Ok(Vec::new()),
        }
    }

    /// Closes a breaker, as if none of what it guards had failed. Gives its state before.
    ///
    /// # Errors
    /// `flow::run::no_breaker` if there is none of this name, with the nearest. Then nothing was changed.
    pub fn reset_breaker(&self, name: &str) -> Result<Circuit> {
        match self.existing()? {
            Some(store) => store.reset_breaker(name),
            None => Err(crate::store::no_breaker(name, &[])),
        }
    }

    /// What lasts over the runs of this folder, by the names of memories and their keys. `name`: only of this one.
    ///
    /// # Errors
    /// `flow::run::no_memory` if there is none of this name, with the nearest; or if the database cannot be read.
    pub fn memory(&self, name: Option<&str>) -> Result<Vec<Lasting>> {
        let known = self.existing()?.map_or(Ok(Vec::new()), |store| store.memory(None, None))?;
        let Some(name) = name else { return Ok(known) };
        if known.iter().all(|note| note.memory != name) {
            return Err(crate::store::no_memory(name, &known));
        }
        Ok(known.into_iter().filter(|note| note.memory == name).collect())
    }

    /// Removes all that a memory holds. Gives how many notes there were.
    ///
    /// # Errors
    /// `flow::run::no_memory` if there is none of this name, with the nearest. Then nothing was changed.
    pub fn clear_memory(&self, name: &str) -> Result<usize> {
        match self.existing()? {
            Some(store) => store.clear_memory(name),
            None => Err(crate::store::no_memory(name, &[])),
        }
    }

    /// The store, to write to.
    fn store(&self) -> Result<&Store> {
        if let Some(store) = self.inner.writing.get() {
            return Ok(store);
        }
        let store = Store::open(&self.inner.home, self.inner.options.durability)?;
        Ok(self.inner.writing.get_or_init(|| store))
    }

    /// The store, to read from, if there is one. A log in memory can only be read where it is written.
    fn existing(&self) -> Result<Option<&Store>> {
        if let Some(store) = self.inner.writing.get().or(self.inner.reading.get()) {
            return Ok(Some(store));
        }
        match Store::open_existing(&self.inner.home)? {
            Some(store) => Ok(Some(self.inner.reading.get_or_init(|| store))),
            None => Ok(None),
        }
    }

    fn reader(&self) -> Result<&Store> {
        self.existing()?.ok_or_else(|| {
            Diagnostic::new("flow::run::unknown", format!("there are no runs in `{}`", self.inner.home.display()))
                .help("start one with `flow script FILE`; FLOW_HOME names another folder of runs")
        })
    }
}
