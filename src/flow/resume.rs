//! Taking up a run that is not at its end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::closures::Kept;
use super::running::{Events, Running};
use super::start::{Beginning, opened};
use super::{Flow, Script, script};
use crate::diag::{Diagnostic, Result};
use crate::engine::drive::Attended;
use crate::engine::numbering::Numbering;
use crate::event::RunStatus;
use crate::exec::end_marked;
use crate::lang::Program;
use crate::plan::Task;
use crate::state::result::plain_text;
use crate::state::{RunState, Status};
use crate::store::Store;

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
}

impl Flow {
    /// Goes on with a run: what is finished stays so, with the script, modules and parameters of then.
    ///
    /// # Errors
    /// `flow::run::unknown`, `flow::run::busy` if a process works on it, `flow::run::over` if it is at its end,
    /// `flow::run::other` if it is not what the options say; or that its log is damaged.
    pub fn resume(&self, run: &str, options: ResumeOptions) -> Result<Running> {
        self.resume_watched(run, options).map(|(running, _)| running)
    }

    /// As [`Flow::resume`], and gives all events of the run from the first one on.
    ///
    /// # Errors
    /// As [`Flow::resume`].
    pub fn resume_watched(&self, run: &str, options: ResumeOptions) -> Result<(Running, Events)> {
        let run = self.find(run)?;
        self.config()?;
        let store = self.store()?.clone();
        let (log, past) = store.reopen(&run)?;
        let state = RunState::of(&past);
        is_meant(&state, &options)?;
        if state.status.is_final() {
            return Err(over(&run, state.status));
        }
        let pinned = pinned(&state, &store)?;
        let script_has_changed = options.script.as_ref().is_some_and(|script| script.text != pinned.text);
        let program = pinned_program(self, &state, &store)?;
        end_leftovers(&state);
        let (args, complete, printed) = (state.created.args.clone(), state.plan.complete, state.printed.len());
        let numbering = Numbering::of(past.iter().map(|record| &*record.event));
        let closures = Kept::new(program.clone(), store);
        let opening = vec![opened()];
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
            script::go_on(program, args, way, printed)?;
        }
        Ok((running, events))
    }

    /// The newest run of a file that is not at its end, whether or not a process works on it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn unfinished(&self, file: &std::path::Path) -> Result<Option<String>> {
        match self.existing()? {
            Some(store) => store.newest_unfinished(&file.display().to_string()),
            None => Ok(None),
        }
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

pub(super) fn over(run: &str, status: RunStatus) -> Diagnostic {
    Diagnostic::new("flow::run::over", format!("run `{run}` is at its end: {}", status.name()))
        .help("start a new one with `flow script FILE`; `flow show` shows what it did")
}

/// Name and hash of every text that a run was made from, by `Span::file`.
pub(super) fn pins(state: &RunState) -> Vec<(String, String)> {
    state.sources()
}

/// The script of a run, as it was.
fn pinned(state: &RunState, store: &Store) -> Result<Script> {
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
    Ok(Script { name: name.clone(), path, text, pinned: Some(texts) })
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
