//! Undoing: what succeeded is undone in the reverse order of its end, one after the other, each once.
//!
//! It happens when a run has failed, before its hooks hear of that; and when a run is rolled back, instead of
//! everything else.

use super::node::Part;
use super::{Effect, Machine};
use crate::event::{Event, ResetWhy};
use crate::plan::{EdgeKind, StepId, UndoScope};
use crate::state::Status;

impl Machine {
    /// The run has failed: what is to be undone.
    pub(super) fn plan_undo(&mut self) {
        let after = match self.settings().undo {
            UndoScope::Nothing => u64::MAX,
            UndoScope::All => 0,
            UndoScope::Checkpoint => self.latest_checkpoint(),
        };
        let mut undo = self.to_undo(after);
        undo.retain(|undo| self.state.plan.step(*undo).undoes.is_some_and(|undone| self.comes_before_undoing(undone)));
        self.undo = Some(undo);
    }

    /// Hooks at the end hear of the failure after all undoing. They may have done something already if the process before
    /// this one came so far.
    fn comes_before_undoing(&self, id: StepId) -> bool {
        matches!(self.nodes[id.index()].part, Part::Main | Part::Start)
    }

    /// Is nothing more to be undone?
    pub(super) fn is_undone(&self) -> bool {
        self.undoing.is_none() && self.undo.as_ref().is_some_and(Vec::is_empty)
            || self.result != Some(crate::event::RunStatus::Failed)
    }

    /// Starts the next one, if the one before has ended. True: something came of it.
    pub(super) fn undo_next(&mut self) -> bool {
        let mut ended = false;
        if let Some(undo) = self.undoing {
            if !self.state.step(undo).status.is_final() {
                return false;
            }
            self.undoing = None;
            ended = true;
        }
        if let Some(next) = self.undo.as_mut().and_then(Vec::pop) {
            self.undoing = Some(next);
            self.wake(next);
            return true;
        }
        if ended {
            // Now the hooks may tell of it.
            self.wake_all();
        }
        ended
    }

    /// Is it the one whose turn it is, or inside it?
    pub(super) fn undoes_now(&self, id: StepId) -> bool {
        self.undoing.is_some_and(|undo| undo == id || self.groups_of(id).any(|group| group == undo))
    }

    /// The end of the latest step with a named checkpoint, as `StepState::ended`; 0: there is none.
    fn latest_checkpoint(&self) -> u64 {
        let plan = &self.state.plan;
        let reached = |id: &StepId| {
            let named = plan.step(*id).policy().checkpoint.is_some();
            named && self.is(*id, Status::Success) && self.comes_before_undoing(*id)
        };
        plan.ids().filter(reached).map(|id| self.state.step(id).ended).max().unwrap_or(0)
    }

    /// What undoes the steps that succeeded after `after` (a `StepState::ended`), the first to be undone last in the
    /// list. What was undone already is not in it.
    fn to_undo(&self, after: u64) -> Vec<StepId> {
        let plan = &self.state.plan;
        let mut found: Vec<(u64, StepId)> = Vec::new();
        for id in plan.ids() {
            let Some(undo) = plan.step(id).policy().undo else { continue };
            let step = self.state.step(id);
            if step.status == Status::Success && step.ended > after && !self.state.step(undo).status.is_final() {
                found.push((step.ended, undo));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, undo)| undo).collect()
    }

    /// Begins to roll back, or goes on with it in another process.
    pub(super) fn take_up_rollback(&mut self) {
        let Some(back) = self.state.rolling_back.clone() else { return };
        // What failed to undo something is tried again.
        let plan = &self.state.plan;
        let failed = |id: &StepId| {
            let undo = self.nodes[id.index()].part == Part::Undo;
            let status = self.state.step(*id).status;
            undo && status.is_final() && !plan.step(*id).retired && self.is_still_to_be_undone(*id)
        };
        let again: Vec<StepId> = plan.ids().filter(failed).collect();
        if !again.is_empty() {
            self.reset(again, Vec::new(), ResetWhy::Undo);
        }
        self.undo = Some(self.to_undo(back.after.map_or(0, |seq| seq + 1)));
        self.undoing = None;
    }

    /// Does it belong to what undoes a step that has succeeded, and has not done so?
    fn is_still_to_be_undone(&self, id: StepId) -> bool {
        let plan = &self.state.plan;
        plan.undo_of(id).is_some_and(|undo| {
            let undone = plan.step(undo).undoes.is_some_and(|undone| self.is(undone, Status::Success));
            undone && !self.is(undo, Status::Success)
        })
    }

    /// Goes on with rolling back. True: something came of it.
    pub(super) fn roll_on(&mut self) -> bool {
        if self.undo_next() {
            return true;
        }
        if self.undoing.is_some() {
            return self.idle() && (self.let_go() || self.unlock());
        }
        if self.running > 0 {
            return false;
        }
        let Some(back) = self.state.rolling_back.clone() else { return false };
        // What undoes a step that did not succeed has nothing to do, and was skipped with it.
        let failed = self.state.plan.ids().any(|id| {
            self.state.plan.step(id).undoes.is_some_and(|undone| self.is(undone, Status::Success))
                && matches!(self.state.step(id).status, Status::Failed | Status::Skipped | Status::Cancelled)
        });
        if !failed {
            self.reset(back.steps, back.retired, ResetWhy::Rollback(back.to));
        }
        self.emit(Event::Paused);
        self.effect(Effect::Close);
        self.over = true;
        true
    }

    /// A clean-up step runs when those it waits for have ended, if one of them had begun.
    pub(super) fn is_clean_up(&self, id: StepId) -> bool {
        let finally = |id: StepId| self.state.plan.step(id).policy().finally;
        finally(id) || self.groups_of(id).any(finally)
    }

    /// The first of the steps that it cleans up after, if none had begun.
    pub(super) fn nothing_to_clean_up(&self, id: StepId) -> Option<StepId> {
        let step = self.state.plan.step(id);
        if !step.policy().finally {
            return None;
        }
        let mut before = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from);
        match before.clone().any(|before| self.state.step(before).started_at > 0) {
            true => None,
            false => before.next(),
        }
    }
}
