//! Taking up a run at an earlier point, or with another script: what of it still holds.
//!
//! Pure: from the state of a run and the plan with which it is to go on, to what becomes of each step and why.
//! `docs/semantics.md` says in words what is valid.

mod choice;
mod compare;
mod fate;
mod hooks;
mod matching;
mod moves;
mod own;
mod spread;
#[cfg(test)]
mod tests;

pub use compare::{Comparison, Side, Wish, compare};
pub use fate::{Fate, Takeup, Verdict};

use crate::plan::StepId;
use crate::plan::fingerprint::Part;

/// Why a step does not stay as it was. Steps are those of the new plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It was asked for.
    Asked,
    /// It was not there before.
    New,
    /// Its definition changed.
    Changed(Part),
    /// It is in another group, or another kind of hook.
    Moved,
    /// It failed, and nothing dealt with that.
    Failed,
    /// It was skipped because of a failure.
    Upstream,
    /// It was cancelled.
    Cancelled,
    /// What it did was undone.
    Undone,
    /// It uses the output of this step.
    Uses(StepId),
    /// It waits for this step.
    After(StepId),
    /// Its condition, or the condition of its branch, reads this step.
    Reads(StepId),
    /// Its group begins again.
    Group(StepId),
    /// This step in it does not stay as it was.
    Child(StepId),
    /// This group chooses again among its children.
    Chosen(StepId),
    /// The iteration, or the alternative, before it.
    Before(StepId),
    /// A fan-out whose steps are made while the run goes on.
    Unfinished,
    /// A hook at the end of a run that comes to another end.
    Hook,
}
