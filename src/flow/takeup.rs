//! Taking up a run at an earlier point, or with another script: which of its steps are valid, and the events by which
//! it goes on.

mod evaluate;
mod named;

use std::collections::HashSet;
use std::sync::Arc;

use self::evaluate::{Evaluated, evaluate};
use super::closures::Kept;
use super::resume::{ResumeOptions, over_and_not_taken_up, pinned, pins};
use super::running::Folder;
use super::{Flow, Script};
use crate::diag::{Diagnostic, Result};
use crate::engine::numbering::Numbering;
use crate::event::{Event, Record, Replanned};
use crate::lang::Program;
use crate::state::takeup::{Comparison, Side, Takeup, Wish, compare};
use crate::state::{RunState, Status};
use crate::store::Store;

impl ResumeOptions {
    /// Is the run to be taken up otherwise than where it stands?
    pub(super) fn takes_up(&self) -> bool {
        self.with.is_some() || self.failed || !self.from.is_empty()
    }
}

/// A run that is about to be taken up.
pub(super) struct Prepared {
    /// What becomes of its steps.
    pub takeup: Takeup,
    /// The script with which it goes on.
    pub program: Program,
    /// What follows in its log, before it is opened.
    pub changes: Changes,
    /// What the script has printed, if it was evaluated again.
    pub printed: Option<String>,
}

/// What is to be changed.
pub(super) enum Changes {
    /// Some steps are pending again.
    Reset(Vec<Event>),
    /// Another plan. The texts of its files are to be kept before.
    Replan(Box<Comparison>, Box<Replanned>),
}

impl Flow {
    /// What taking up a run would mean, with [`ResumeOptions::from`], [`ResumeOptions::failed`] or
    /// [`ResumeOptions::with`]: which of its steps hold, and why others do not. Nothing is changed.
    ///
    /// # Errors
    /// As [`Flow::resume`]; what is wrong with the other script; `flow::run::no_step` for a step that is not there.
    pub fn resume_plan(&self, run: &str, options: &ResumeOptions) -> Result<Takeup> {
        let store = self.reader()?;
        let run = store.find(run)?;
        store.is_free(&run)?;
        let past = store.records(&run, 0)?;
        let state = RunState::of(&past);
        if state.status.is_final() && !options.takes_up() {
            return Err(over_and_not_taken_up(&run, state.status));
        }
        self.prepare(store, &past, &state, options).map(|prepared| prepared.takeup)
    }

    /// Finds out what is to be done. Nothing is changed.
    pub(super) fn prepare(
        &self,
        store: &Store,
        past: &[Record],
        state: &RunState,
        options: &ResumeOptions,
    ) -> Result<Prepared> {
        let run = &state.created.run;
        if let Some(back) = &state.rolling_back {
            let message = format!("run `{run}` is on its way back to the checkpoint `{}`", back.to);
            return Err(Diagnostic::new("flow::resume::rolling_back", message).help(format!(
                "let it come to that with `flow resume {run}`; then it can be taken up with these options"
            )));
        }
        let own = pinned(state, store)?;
        let program_before = self.compile(&own)?;
        program_before.preload(pins(state).iter().skip(1).map(|(name, _)| name.as_str()))?;
        let edited = options.with.is_some() && !options.keep_failures;
        let mut wish = Wish { failed: options.failed, edited, ..Wish::default() };
        let pieces = Numbering::of(past.iter().map(|record| &*record.event)).pieces().len();
        // A script that has looked at results may give another plan when they are others.
        let same = options.with.is_none() && state.plan.complete && pieces <= 1;
        let prepared = if same {
            wish.from = named::resolve(&options.from, &state.plan, None)?;
            let origin = |_: &_| String::new();
            let side =
                Side { plan: &state.plan, closure: &origin, closure_before: &origin, unfinished: &HashSet::new() };
            let found = compare(state, &side, &wish);
            let steps = found.fates(state, &state.plan);
            let takeup = Takeup { run: run.clone(), file: None, steps };
            let changes = Changes::Reset(found.reset(state, &wish));
            Prepared { takeup, program: program_before, changes, printed: None }
        } else {
            let script = options.with.clone().unwrap_or(own);
            let files = Arc::new(Folder(store.run_folder(run)));
            let program = self.compile(&script)?;
            let evaluated = evaluate(program.clone(), program_before, state, wish.clone(), &options.from, files)
                .map_err(|problem| with_parameters(problem, state))?;
            let Evaluated { mut plan, found, pieces, printed } = evaluated;
            plan.complete &= !options.open;
            let steps = found.fates(state, &plan);
            let file = options.with.as_ref().map(|script| script.name.clone());
            let takeup = Takeup { run: run.clone(), file, steps };
            let new = Replanned { plan: Box::new(plan), pieces, file: path_of(&script, state), ..Replanned::default() };
            Prepared {
                takeup,
                program,
                changes: Changes::Replan(Box::new(found), Box::new(new)),
                printed: Some(printed),
            }
        };
        is_something_to_do(&prepared.takeup, state, options)?;
        Ok(prepared)
    }
}

impl Changes {
    /// The events that bring it about. Keeps the texts of the script.
    pub fn events(self, before: &RunState, closures: &Kept) -> Result<Vec<Event>> {
        match self {
            Changes::Reset(events) => Ok(events),
            Changes::Replan(found, mut new) => {
                new.sources = closures.keep()?;
                Ok(found.replan(before, *new))
            }
        }
    }
}

fn path_of(script: &Script, state: &RunState) -> String {
    match (&script.path, &script.pinned) {
        (_, Some(_)) => state.created.file.clone(),
        (Some(path), None) => path.display().to_string(),
        (None, None) => "-".to_owned(),
    }
}

/// `--failed` alone, and nothing failed.
fn is_something_to_do(takeup: &Takeup, state: &RunState, options: &ResumeOptions) -> Result<()> {
    let nothing = state.plan.ids().all(|id| !matches!(state.step(id).status, Status::Failed | Status::Cancelled));
    if options.with.is_some() || !options.from.is_empty() || !nothing || !state.status.is_final() {
        return Ok(());
    }
    Err(Diagnostic::new(
        "flow::resume::nothing",
        format!("nothing failed in run `{}`, so nothing is to be tried again", takeup.run),
    )
    .help("`--from STEP` names where it is to be taken up; `flow show` lists its steps"))
}

/// The other script has other parameters.
fn with_parameters(problem: Diagnostic, state: &RunState) -> Diagnostic {
    let run = &state.created.run;
    match problem.code() {
        "flow::param::unknown" => problem.help(format!(
            "run `{run}` was started with it, and goes on with the parameters of then: let the script declare it"
        )),
        "flow::param::missing" => problem
            .help(format!("run `{run}` goes on with the parameters that it was started with: give this one a default")),
        _ => problem,
    }
}
