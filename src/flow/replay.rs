//! Dead letters of pipelines: which there are, and a run that takes them up again.
//!
//! A replay is a run of its own, of the script as it was: its plan is the pipeline alone, which reads the dead letters
//! instead of its source. What it used of other steps is filled in with their results of then.

mod alone;

use std::hash::{BuildHasher, Hasher, RandomState};

use self::alone::alone;
use super::closures::Kept;
use super::resume::{pinned_program, pins};
use super::running::{Events, Folder, Running};
use super::start::{Beginning, EVENTS, opened};
use super::{Flow, log_stem};
use crate::diag::{Diagnostic, Result};
use crate::engine::drive::Attended;
use crate::engine::numbering::Numbering;
use crate::event::{Created, DeadLetter, Event, Flowed, Replays, RunStatus};
use crate::plan::{Source, StepId};
use crate::state::dead::{DeadLetters, done_well, passing_over, pipelines, read};
use crate::state::{RunState, Status};
use crate::store::{RunFilter, RunSummary};

/// What the name of a workflow ends with whose run replays dead letters.
const REPLAY: &str = " replay";

/// How dead letters are to be replayed.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// Those too that another run has replayed well already.
    pub all: bool,
    /// As in [`super::RunOptions`].
    pub max_parallel: Option<u32>,
    /// As in [`super::RunOptions`].
    pub signals: bool,
    /// As in [`super::RunOptions`].
    pub attended: Attended,
}

/// Is it a run that replays dead letters, and not one of the script itself?
pub(super) fn is_replay(run: &RunSummary) -> bool {
    run.workflow.ends_with(REPLAY)
}

impl Flow {
    /// The dead letters of a run, pipeline by pipeline. `step`: of this one alone.
    ///
    /// # Errors
    /// `flow::run::unknown`, `flow::run::no_step`; `flow::pipeline::none` if there is no pipeline.
    pub fn dead_letters(&self, run: &str, step: Option<&str>) -> Result<Vec<DeadLetters>> {
        let run = self.find(run)?;
        let state = self.state(&run)?;
        let replays = self.replays_of(&state)?;
        self.pipelines(&state, step)?.into_iter().map(|id| self.letters(&state, id, &replays)).collect()
    }

    /// Starts a run that takes up the dead letters of a pipeline, and gives all its events from the first one on. Letters
    /// that have been replayed well since are left out.
    ///
    /// # Errors
    /// As [`Flow::dead_letters`]; `flow::pipeline::which` if there are several pipelines with dead letters and none is named,
    /// `flow::pipeline::no_letters`, `flow::pipeline::going_on` if the run, or one that replays it, is not at its end.
    pub fn replay(&self, run: &str, step: Option<&str>, options: &ReplayOptions) -> Result<(Running, Events)> {
        let run = self.find(run)?;
        let state = self.state(&run)?;
        let replays = self.replays_of(&state)?;
        let (id, dead) = self.one_with_letters(&state, step, &replays)?;
        self.is_quiet(&state, &dead.step, &replays)?;
        if dead.letters.is_empty() {
            let message = format!("the pipeline `{}` of run `{run}` has no dead letters", dead.step);
            let help = "an item becomes one if it fails where `on_error` is \"dead_letter\"";
            return Err(Diagnostic::new("flow::pipeline::no_letters", message).help(help));
        }
        if !options.all && dead.letters.iter().all(|(_, by)| by.is_some()) {
            let message = format!("all dead letters of `{}` in run `{run}` have been replayed", dead.step);
            return Err(Diagnostic::new("flow::pipeline::no_letters", message).help("`--all` replays them once more"));
        }
        let store = self.store()?.clone();
        let program = pinned_program(self, &state, &store)?;
        let files = Folder(store.run_folder(&run));
        let source = Source::DeadLetters { run: run.clone(), step: dead.step.clone(), file: letters_file(&state, id) };
        let (growth, pipeline) = alone(&state, id, source, std::sync::Arc::new(files))?;
        let log = store.create(Created {
            run: String::new(),
            workflow: format!("{}{REPLAY}", state.created.workflow.trim_end_matches(REPLAY)),
            file: state.created.file.clone(),
            cwd: state.created.cwd.clone(),
            args: state.created.args.clone(),
            sources: pins(&state),
            seed: RandomState::new().build_hasher().finish(),
            max_parallel: options.max_parallel.or(state.created.max_parallel),
            version: EVENTS,
            agents: state.created.agents.clone(),
            replays: Some(Box::new(Replays { run, step: dead.step.clone() })),
            part_of: None,
        })?;
        let mut numbering = Numbering::default();
        let mut opening = vec![opened()];
        if let Some(growth) = numbering.take(growth, 0) {
            opening.push(Event::Planned { of: None, growth: Box::new(growth) });
        }
        let done = dead.letters.iter().enumerate().filter(|(_, (_, by))| by.is_some() && !options.all);
        if let Some(reached) = passing_over(done.map(|(n, _)| n as u64)) {
            let reached = Some(Box::new(reached));
            opening.push(Event::Flowed(Box::new(Flowed { step: pipeline, reached, ..Flowed::default() })));
        }
        let past = vec![log.first().clone()];
        let begin = Beginning {
            state: RunState::of(&past),
            log,
            past,
            opening,
            numbering,
            closures: Kept::new(program, store),
            signals: options.signals,
            attended: options.attended,
        };
        let (running, events) = self.drive(begin)?;
        running.way().inbox.begin();
        Ok((running, events))
    }

    /// The pipelines that are meant.
    fn pipelines(&self, state: &RunState, step: Option<&str>) -> Result<Vec<StepId>> {
        let all = pipelines(state);
        let run = &state.created.run;
        let list = |ids: &[StepId]| {
            let paths: Vec<_> = ids.iter().take(5).map(|id| format!("`{}`", state.plan.path(*id))).collect();
            format!("its pipelines are {}", paths.join(", "))
        };
        let none = |message: String| {
            let help = if all.is_empty() { "`flow show` lists the steps of a run".to_owned() } else { list(&all) };
            Diagnostic::new("flow::pipeline::none", message).help(help)
        };
        let Some(name) = step else {
            return if all.is_empty() { Err(none(format!("run `{run}` has no pipeline"))) } else { Ok(all) };
        };
        let id = self.find_step(state, name)?;
        let mut within: Vec<StepId> = Vec::new();
        for pipeline in &all {
            let mut around = std::iter::successors(Some(*pipeline), |id| state.plan.step(*id).parent);
            if around.any(|at| at == id) {
                within.push(*pipeline);
            }
        }
        match within.is_empty() {
            true => Err(none(format!("the step `{}` of run `{run}` is no pipeline", state.plan.path(id)))),
            false => Ok(within),
        }
    }

    /// The one pipeline that is meant: of several that which has dead letters.
    fn one_with_letters(
        &self,
        state: &RunState,
        step: Option<&str>,
        replays: &[Replay],
    ) -> Result<(StepId, DeadLetters)> {
        let mut all = Vec::new();
        for id in self.pipelines(state, step)? {
            all.push((id, self.letters(state, id, replays)?));
        }
        if all.len() > 1 {
            all.sort_by_key(|(_, dead)| dead.letters.is_empty());
            let several: Vec<_> =
                all.iter().filter(|(_, dead)| !dead.letters.is_empty()).map(|(_, d)| format!("`{}`", d.step)).collect();
            if several.len() > 1 {
                let message = format!("{} pipelines of run `{}` have dead letters", several.len(), state.created.run);
                return Err(Diagnostic::new("flow::pipeline::which", message)
                    .help(format!("name one of them: {}", several.join(", "))));
            }
        }
        // There is at least one: that was looked at.
        all.into_iter().next().ok_or_else(|| {
            Diagnostic::new("flow::pipeline::none", "there is no pipeline").help("`flow show` lists the steps of a run")
        })
    }

    /// The dead letters of one pipeline.
    fn letters(&self, state: &RunState, id: StepId, replays: &[Replay]) -> Result<DeadLetters> {
        let step = state.plan.path(id);
        let letters = self.read_letters(state, id)?;
        let mine = || replays.iter().filter(|replay| replay.step == step);
        let by = |n: usize| mine().find(|replay| (replay.well)(n as u64)).map(|replay| replay.run.clone());
        let reached = state.step(id).flowed.as_deref().and_then(|flowed| flowed.reached.as_deref());
        Ok(DeadLetters {
            run: state.created.run.clone(),
            counts: reached.map(|reached| reached.counts).unwrap_or_default(),
            letters: letters.into_iter().enumerate().map(|(n, letter)| (letter, by(n))).collect(),
            file: self.run_folder(&state.created.run)?.join(letters_file(state, id)).display().to_string(),
            secret: state.plan.is_secret(id),
            step,
        })
    }

    /// What counts of a file of dead letters: what the log says is behind it was cut off by a crash.
    fn read_letters(&self, state: &RunState, id: StepId) -> Result<Vec<DeadLetter>> {
        let file = self.run_folder(&state.created.run)?.join(letters_file(state, id));
        let mut bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", file.display());
                return Err(Diagnostic::new("flow::store::corrupt", message)
                    .help("the folder of the runs must be readable for whoever asks"));
            }
        };
        let reached = state.step(id).flowed.as_deref().and_then(|flowed| flowed.reached.as_deref());
        if state.step(id).status != Status::Running
            && let Some(reached) = reached
        {
            bytes.truncate(usize::try_from(reached.dead_bytes).unwrap_or(usize::MAX));
        }
        Ok(read(&bytes))
    }

    /// The runs that have taken up dead letters of this one, the oldest first.
    fn replays_of(&self, state: &RunState) -> Result<Vec<Replay>> {
        let workflow = format!("{}{REPLAY}", state.created.workflow.trim_end_matches(REPLAY));
        let filter = RunFilter { workflow: Some(workflow), ..RunFilter::default() };
        let mut found = Vec::new();
        for summary in self.runs(&filter)?.into_iter().rev().filter(is_replay) {
            let replaying = self.state(&summary.run)?;
            let Some(replays) = replaying.created.replays.as_deref() else { continue };
            let Some(id) = pipelines(&replaying).into_iter().next() else { continue };
            if replays.run != state.created.run {
                continue;
            }
            let dead = self.read_letters(&replaying, id)?;
            found.push(Replay {
                run: summary.run,
                status: summary.status,
                step: replays.step.clone(),
                well: Box::new(done_well(replaying.step(id).flowed.as_deref(), &dead)),
            });
        }
        Ok(found)
    }

    /// Is nobody at work on these letters?
    fn is_quiet(&self, state: &RunState, step: &str, replays: &[Replay]) -> Result<()> {
        let run = &state.created.run;
        let going_on = |message: String, run: &str, status: RunStatus| {
            let help = match status {
                RunStatus::Running | RunStatus::Pending => {
                    format!("wait for its end (`flow show {run}`), or end it with `flow cancel {run}`")
                }
                _ => format!("take it up with `flow resume {run}`, or end it with `flow cancel {run}`"),
            };
            Err(Diagnostic::new("flow::pipeline::going_on", message).help(help))
        };
        let status = self.summary(run)?.status;
        if !status.is_final() {
            return going_on(format!("run `{run}` is not at its end ({})", status.name()), run, status);
        }
        match replays.iter().find(|replay| replay.step == step && !replay.status.is_final()) {
            Some(replay) => {
                let (by, status) = (&replay.run, replay.status);
                let message = format!(
                    "run `{by}` replays the dead letters of `{step}` and is not at its end ({})",
                    status.name()
                );
                going_on(message, by, status)
            }
            None => Ok(()),
        }
    }
}

/// A run that has taken up dead letters.
struct Replay {
    run: String,
    status: RunStatus,
    /// The path of the pipeline whose letters they are.
    step: String,
    /// Has it done well with the letter of this number?
    well: Box<dyn Fn(u64) -> bool>,
}

/// The file of a pipeline's dead letters, within the folder of its run.
fn letters_file(state: &RunState, id: StepId) -> String {
    format!("logs/{}.dead.ndjson", log_stem(id, &state.plan.path(id), 1))
}
