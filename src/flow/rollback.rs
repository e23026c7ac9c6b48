//! Back to a checkpoint: what was done after it is undone, and the run can go on from there.

use super::Flow;
use super::closures::Kept;
use super::resume::{end_leftovers, pinned_program};
use super::running::{Events, Running};
use super::start::{Beginning, opened};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::engine::drive::Attended;
use crate::engine::numbering::Numbering;
use crate::event::{Event, RollBack};
use crate::plan::StepId;
use crate::state::RunState;
use crate::state::checkpoint::{Checkpoint, START};

/// What rolling back would do.
#[derive(Clone, Debug)]
pub struct WayBack {
    /// The run.
    pub run: String,
    /// Its state.
    pub state: RunState,
    /// The steps that are pending again afterwards.
    pub back: RollBack,
    /// What is undone, in that order: the step, and the one that undoes it.
    pub undone: Vec<(StepId, StepId)>,
}

impl Flow {
    /// The points that a run can be rolled back to, in the order they were reached.
    ///
    /// # Errors
    /// `flow::run::unknown`.
    pub fn checkpoints(&self, run: &str) -> Result<Vec<Checkpoint>> {
        Ok(self.state(run)?.checkpoints())
    }

    /// What rolling a run back to a checkpoint would do. Nothing is changed.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::run::no_checkpoint` with the nearest names.
    pub fn way_back(&self, run: &str, to: &str) -> Result<WayBack> {
        let run = self.find(run)?;
        let state = self.state(&run)?;
        let after = place(&state, to)?;
        let back = state.way_back(to, after);
        let undone = state.undone_by(&back);
        Ok(WayBack { run, state, back, undone })
    }

    /// Rolls a run back to a checkpoint (`start`: its beginning): undoes, latest first, what succeeded since and says how it
    /// is undone; then what ended since is pending again, and the run is paused. Its log stays whole.
    ///
    /// The hash chain is verified first. If something could not be undone, the run stays where it is, with
    /// [`RunState::rolling_back`] set; rolling back again tries that again, and no more.
    ///
    /// # Errors
    /// As [`Flow::way_back`]; `flow::run::busy` if a process works on it; `flow::store::tampered`.
    pub fn roll_back(&self, run: &str, to: &str, signals: bool) -> Result<(Running, Events)> {
        let run = self.find(run)?;
        let store = self.store()?.clone();
        let (log, past) = store.reopen(&run)?;
        store.verify(&run)?;
        let state = RunState::of(&past);
        let back = state.way_back(to, place(&state, to)?);
        let program = pinned_program(self, &state, &store)?;
        end_leftovers(&state);
        let numbering = Numbering::of(past.iter().map(|record| &*record.event));
        let closures = Kept::new(program, store);
        let opening = vec![opened(), Event::RollingBack(Box::new(back))];
        let attended = Attended::No;
        let begin = Beginning { log, past, state, opening, numbering, closures, signals, attended };
        let (running, events) = self.drive(begin)?;
        running.way().inbox.begin();
        Ok((running, events))
    }
}

/// The event at which a checkpoint was reached.
fn place(state: &RunState, to: &str) -> Result<Option<u64>> {
    let points = state.checkpoints();
    // One that the script has named comes first.
    let named = points.iter().rev().find(|point| point.name == to && !point.automatic);
    match named.or_else(|| points.iter().rev().find(|point| point.name == to)) {
        Some(point) => Ok(Some(point.seq)),
        None if to == START => Ok(None),
        None => Err(unknown(state, to, &points)),
    }
}

fn unknown(state: &RunState, to: &str, points: &[Checkpoint]) -> Diagnostic {
    let run = &state.created.run;
    let planned = state.plan.steps.iter().any(|step| step.policy().checkpoint.as_deref() == Some(to));
    let message = match planned {
        true => format!("run `{run}` has not reached the checkpoint `{to}`"),
        false => format!("run `{run}` has no checkpoint `{to}`"),
    };
    let names = points.iter().map(|point| point.name.as_str()).chain([START]);
    let help = did_you_mean(to, names)
        .unwrap_or_else(|| format!("`flow checkpoints {run}` lists them; `{START}` is the beginning"));
    Diagnostic::new("flow::run::no_checkpoint", message).help(help)
}
