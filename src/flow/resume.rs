//! Taking up a run that is not at its end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::closures::Kept;
use super::running::{Events, Running};
use super::start::{Beginning, opened};
use super::{Flow, Script, script};
use crate::diag::{Diagnostic, Result};
use crate::engine::numbering::Numbering;
use crate::event::RunStatus;
use crate::exec::end_marked;
use crate::plan::Task;
use crate::state::{RunState, Status};
use crate::store::Store;

/// How a run is to be taken up.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    /// As in [`super::RunOptions`].
    pub signals: bool,
}

impl Flow {
    /// Goes on with a run: what is finished stays so, with the script, modules and parameters of then.
    ///
    /// # Errors
    /// `flow::run::unknown`, `flow::run::busy` if a process works on it, `flow::run::over` if it is at its end; or
    /// that its log is damaged.
    pub fn resume(&self, run: &str, options: ResumeOptions) -> Result<Running> {
        self.resume_watched(run, options).map(|(running, _)| running)
    }

    /// As [`Flow::resume`], and gives all events of the run from the first one on.
    ///
    /// # Errors
    /// As [`Flow::resume`].
    pub fn resume_watched(&self, run: &str, options: ResumeOptions) -> Result<(Running, Events)> {
        let run = self.find(run)?;
        let store = self.store()?.clone();
        let (log, past) = store.reopen(&run)?;
        let state = RunState::of(&past);
        if state.status.is_final() {
            return Err(over(&run, state.status));
        }
        let program = self.compile(&pinned(&state, &store)?)?;
        program.preload(pins(&state).iter().skip(1).map(|(name, _)| name.as_str()))?;
        end_leftovers(&state);
        let (args, complete) = (state.created.args.clone(), state.plan.complete);
        let numbering = Numbering::of(past.iter().map(|record| &*record.event));
        let closures = Kept::new(program.clone(), store);
        let opening = vec![opened()];
        let begin = Beginning { log, past, state, opening, numbering, closures, signals: options.signals };
        let (running, events) = self.drive(begin)?;
        let way = running.way();
        way.inbox.begin();
        if !complete {
            script::go_on(program, args, way)?;
        }
        Ok((running, events))
    }

    /// The newest run of a file that is not at its end and that nobody works on.
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

pub(super) fn over(run: &str, status: RunStatus) -> Diagnostic {
    Diagnostic::new("flow::run::over", format!("run `{run}` is at its end: {}", status.name()))
        .help("start a new one with `flow script FILE`; `flow show` shows what it did")
}

/// Name and hash of every text that a run was made from, by `Span::file`.
pub(super) fn pins(state: &RunState) -> Vec<(String, String)> {
    let (first, since) = (&state.created.sources, &state.plan.header.files);
    if since.len() < first.len() {
        return first.clone();
    }
    since.iter().map(|file| (file.name.clone(), file.sha256.clone())).collect()
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

/// Ends processes of attempts that were going on when the process before died: they will be made again.
pub(super) fn end_leftovers(state: &RunState) {
    for id in state.plan.ids() {
        let step = state.step(id);
        if step.status == Status::Running && matches!(*state.plan.step(id).task, Task::Shell(_) | Task::Exec(_)) {
            end_marked(&state.created.run, &state.plan.path(id), step.attempt);
        }
    }
}
