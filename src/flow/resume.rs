//! Taking up a run that is not at its end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::closures::Kept;
use super::replay::is_replay;
use super::running::{Events, Running};
use super::start::{Beginning, opened};
use super::{Flow, Script, script};
use crate::diag::{Diagnostic, Result};
use crate::engine::drive::Attended;
use crate::engine::numbering::Numbering;
use crate::event::{Event, RunStatus};
use crate::exec::end_marked;
use crate::lang::Program;
use crate::plan::Task;
use crate::state::result::plain_text;
use crate::state::takeup::Takeup;
use crate::state::{RunState, Status};
use crate::store::{RunFilter, RunSummary, Store};

/// How a run is to be taken up.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    /// As in [`super::RunOptions`].
    pub signals: bool,
    /// As in [`super::RunOptions`].
    pub attended: Attended,
    /// The script that the run is thought to be of; one of another file is refused. If its text has changed since, that is
    /// only told ([`Running::script_has_changed`]).
    pub script: Option<Script>,
    /// Parameters that the run is thought to have; one with others is refused.
    pub args: Vec<(String, String)>,
    /// As in [`super::RunOptions`].
    pub open: bool,
    /// With another script: what failed stays so, unless it is among `from` or `failed` says otherwise.
    pub keep_failures: bool,
    /// Go on with this script instead of the one that the run began with. Steps that are the same in it keep their results.
    pub with: Option<Script>,
    /// Steps that are to run again, with all that depends on them: their paths, or unique ends of them.
    pub from: Vec<String>,
    /// What failed, was cancelled, or was skipped because of a failure is to run again.
    pub failed: bool,
}

impl Flow {
    /// Goes on with a run: what is finished stays so, with the script, modules and parameters of then; or as far as it is
    /// still valid, if the options say where the run is to be taken up, or with which script.
    ///
    /// # Errors
    /// `flow::run::unknown`, `flow::run::busy` if a process works on it, `flow::run::over` if it is at its end and
    /// nothing is to run again, `flow::run::other` if it is not what the options say; what is wrong with the other
    /// script; or that its log is damaged.
    pub fn resume(&self, run: &str, options: ResumeOptions) -> Result<Running> {
        self.resume_watched(run, options).map(|(running, _)| running)
    }

    /// As [`Flow::resume`], and gives all events of the run from the first one on.
    ///
    /// # Errors
    /// As [`Flow::resume`].
    pub fn resume_watched(&self, run: &str, options: ResumeOptions) -> Result<(Running, Events)> {
        self.resume_told(run, options, |_| {})
    }

    /// As [`Flow::resume_watched`], and tells before anything is done what becomes of the run's steps, if it is taken up
    /// otherwise than where it stands (see [`Flow::resume_plan`]).
    ///
    /// # Errors
    /// As [`Flow::resume`].
    pub fn resume_told(
        &self,
        run: &str,
        options: ResumeOptions,
        tell: impl FnOnce(&Takeup),
    ) -> Result<(Running, Events)> {
        let run = self.find(run)?;
        let store = self.store()?.clone();
        let (log, past) = store.reopen(&run)?;
        let state = RunState::of(&past);
        is_meant(&state, &options)?;
        if state.status.is_final() && !options.takes_up() {
            return Err(over_and_not_taken_up(&run, state.status));
        }
        let mut opening = Vec::new();
        let (mut script_has_changed, mut printed) = (false, state.printed.len());
        let (program, closures) = if options.takes_up() {
            let prepared = self.prepare(&store, &past, &state, &options)?;
            tell(&prepared.takeup);
            let closures = Kept::new(prepared.program.clone(), store);
            opening = prepared.changes.events(&state, &closures)?;
            opening.push(opened());
            if let Some(text) = prepared.printed {
                printed = text.len();
                opening.extend((!text.is_empty()).then_some(Event::Printed { text }));
            }
            (prepared.program, closures)
        } else {
            let pinned = pinned(&state, &store)?;
            // Where nobody names a script, that is the file of then. One that is gone says nothing.
            let now = match &options.script {
                Some(script) => Some(script.text.clone()),
                None => std::fs::read_to_string(&state.created.file).ok().map(Into::into),
            };
            script_has_changed = now.is_some_and(|text| text != pinned.text);
            let program = pinned_program(self, &state, &store)?;
            opening.push(opened());
            (program.clone(), Kept::new(program, store))
        };
        end_leftovers(&state);
        let numbering = Numbering::of(past.iter().map(|record| &*record.event).chain(&opening));
        let complete = opening.iter().rev().find_map(|event| match event {
            Event::Replanned(new) => Some(new.plan.complete),
            _ => None,
        });
        let (args, complete) = (state.created.args.clone(), complete.unwrap_or(state.plan.complete));
        let begin = Beginning {
            log,
            past,
            state,
            opening,
            numbering,
            closures,
            signals: options.signals,
            attended: options.attended,
        };
        let (mut running, events) = self.drive(begin)?;
        running.script_has_changed = script_has_changed;
        let way = running.way();
        way.inbox.begin();
        if !complete {
            script::go_on(program, args, options.open, way, printed)?;
        }
        Ok((running, events))
    }

    /// The newest run of a file that is not at its end, whether or not a process works on it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn unfinished(&self, file: &std::path::Path) -> Result<Option<String>> {
        match self.existing()? {
            Some(store) => {
                let file = file.display().to_string();
                let newest = store.newest_unfinished(&file)?;
                // One that replays dead letters of it, or that a pipeline started, is no run that a person goes on with.
                let is_own = |run: &RunSummary| !is_replay(run) && run.part_of.is_none();
                match &newest {
                    Some(run) if !is_own(&store.summary(run)?) => {
                        let all = store.runs(&RunFilter { workflow: Some(file.clone()), ..RunFilter::default() })?;
                        let is_of_it = |run: &RunSummary| run.file == file && !run.status.is_final() && is_own(run);
                        Ok(all.into_iter().find(is_of_it).map(|run| run.run))
                    }
                    _ => Ok(newest),
                }
            }
            None => Ok(None),
        }
    }
}

impl Flow {
    /// Does a run have these parameters?
    ///
    /// # Errors
    /// `flow::run::other` if it has others, or has none of such a name.
    pub fn has_parameters(state: &RunState, args: &[(String, String)]) -> Result<()> {
        is_meant(state, &ResumeOptions { args: args.to_vec(), ..ResumeOptions::default() })
    }
}

/// Is the run one of this script, with these parameters?
fn is_meant(state: &RunState, options: &ResumeOptions) -> Result<()> {
    let (created, params) = (&state.created, &state.plan.header.params);
    let other = |message: String| {
        Diagnostic::new("flow::run::other", message).help(format!(
            "`flow resume {}` goes on with it as it began; once it is cancelled, a new one can begin",
            created.run
        ))
    };
    if let Some(script) = &options.script
        && script.path.as_deref().unwrap_or(Path::new("-")) != Path::new(&created.file)
    {
        return Err(other(format!("run `{}` is one of `{}`, not of `{}`", created.run, created.file, script.name)));
    }
    for (name, value) in &options.args {
        let declared = || params.iter().find(|param| param.name == *name).map(|param| plain_text(&param.value));
        let given = created.args.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        match given.or_else(declared) {
            Some(known) if known == *value => {}
            Some(known) => {
                let message = format!("run `{}` began with `{name}={known}`, not with `{name}={value}`", created.run);
                return Err(other(message));
            }
            None => return Err(other(format!("run `{}` began without a parameter `{name}`", created.run))),
        }
    }
    Ok(())
}

/// The run is at its end. What can be done about it depends on what was wanted.
pub(super) fn over(run: &str, status: RunStatus) -> Diagnostic {
    Diagnostic::new("flow::run::over", format!("run `{run}` is at its end: {}", status.name()))
}

/// What can be done with a run that is at its end.
pub(super) fn over_and_not_taken_up(run: &str, status: RunStatus) -> Diagnostic {
    over(run, status).help(format!(
        "`flow resume {run} --from STEP` runs a step again, with what depends on it; `--failed` what failed; \
         `--with FILE` what an edited script changes; `flow script FILE` starts a new run"
    ))
}

/// Name and hash of every text that a run was made from, by `Span::file`.
pub(super) fn pins(state: &RunState) -> Vec<(String, String)> {
    state.sources()
}

/// The script of a run, as it was.
pub(super) fn pinned(state: &RunState, store: &Store) -> Result<Script> {
    let pins = pins(state);
    let mut texts = HashMap::new();
    for (name, hash) in &pins {
        texts.insert(name.clone(), store.source(hash)?);
    }
    let missing = || {
        Diagnostic::new(
            "flow::store::corrupt",
            format!("the log of run `{}` does not say from which script", state.created.run),
        )
        .help("the run cannot be taken up; start a new one")
    };
    let (name, _) = pins.first().ok_or_else(missing)?;
    let text: Arc<str> = texts.get(name).cloned().ok_or_else(missing)?;
    let path = (state.created.file != "-").then(|| PathBuf::from(&state.created.file));
    Ok(Script { name: name.clone(), path, text, pinned: Some(texts), surroundings: Arc::default() })
}

/// The script of a run with its modules, as they were, compiled.
pub(super) fn pinned_program(flow: &Flow, state: &RunState, store: &Store) -> Result<Program> {
    let program = flow.compile(&pinned(state, store)?)?;
    program.preload(pins(state).iter().skip(1).map(|(name, _)| name.as_str()))?;
    Ok(program)
}

/// Ends processes of attempts that were going on when the process before died: they will be made again.
pub(super) fn end_leftovers(state: &RunState) {
    for id in state.plan.ids() {
        let step = state.step(id);
        if step.status == Status::Running && matches!(*state.plan.step(id).task, Task::Shell(_) | Task::Exec(_)) {
            end_marked(&state.created.run, &state.plan.path(id), step.attempt);
        }
    }
}
