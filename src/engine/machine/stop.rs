//! Stopping: because of a failure, a timeout, a person.

use super::node::{self, Part};
use super::{Effect, Machine};
use crate::event::{Because, Event, RunStatus, Skip, Stop};
use crate::plan::StepId;
use crate::state::Status;

impl Machine {
    pub(super) fn stop(&mut self, reason: Stop) {
        use Stop::{Cancelled, Failure, Interrupted, Timeout};
        match (self.state.stopping, reason) {
            // Asked twice: at once.
            (Some(Interrupted), Interrupted) | (Some(Cancelled), Interrupted | Cancelled) => self.kill_all(true),
            (Some(Interrupted | Cancelled | Timeout), Failure(_) | Timeout) | (Some(Failure(_)), Failure(_)) => {}
            _ => {
                self.emit(Event::Stopping { reason });
                if self.started {
                    self.carry_out(reason);
                }
            }
        }
    }

    /// Does what a stop means; also once more, after a resume in the midst of it.
    pub(super) fn carry_out(&mut self, reason: Stop) {
        if reason == Stop::Interrupted {
            self.kill_all(false);
            return;
        }
        for id in std::mem::take(&mut self.late) {
            self.closed(id);
        }
        if reason == Stop::Cancelled {
            self.result = None;
        }
        for id in self.state.plan.ids() {
            let running = self.state.step(id).status == Status::Running;
            if !self.halted(id) {
                continue;
            }
            if !running {
                self.drop_pending(id);
            } else if self.is_group(id) {
                self.stop_asking(id);
                self.wake(id);
            } else if !matches!(reason, Stop::Failure(_)) {
                self.nodes[id.index()].set(node::ABORTED);
                if !self.nodes[id.index()].has(node::JUDGING) {
                    self.kill(id, false);
                }
            }
        }
    }

    /// Does nothing new start in this step's part of the run?
    pub(super) fn halted(&self, id: StepId) -> bool {
        match self.state.stopping {
            None => false,
            Some(Stop::Interrupted) => true,
            Some(Stop::Cancelled) => !self.is_clean_up(id),
            // The hooks at the end tell of it.
            Some(Stop::Failure(_) | Stop::Timeout) => {
                matches!(self.nodes[id.index()].part, Part::Main | Part::Start) && !self.is_clean_up(id)
            }
        }
    }

    /// A step that has not begun, or waits to go on, will not.
    pub(super) fn drop_pending(&mut self, id: StepId) {
        let status = self.state.step(id).status;
        if status.is_final() || status == Status::Running {
            return;
        }
        match self.nodes[id.index()].part {
            // What undoes a step is not part of the run until it is asked for.
            Part::Undo if status == Status::Pending && !self.undoes_now(id) => return,
            Part::Main | Part::Start | Part::Undo => self.cut_off(id),
            _ if status == Status::Pending => {
                self.emit(Event::Skipped { step: id, reason: Skip::NotTaken(Because::Moment) });
            }
            _ => self.emit(Event::Cancelled { step: id }),
        }
        self.closed(id);
    }

    fn kill_all(&mut self, hard: bool) {
        for id in self.state.plan.ids() {
            let judging = self.nodes[id.index()].has(node::JUDGING);
            if self.state.step(id).status == Status::Running && !self.is_group(id) && !judging {
                self.kill(id, hard);
            }
        }
    }

    /// An interrupted run lets go as soon as nothing runs.
    pub(super) fn pause_if_quiet(&mut self) {
        self.close_quiet_streams();
        let judging = |id: StepId| self.nodes[id.index()].has(node::JUDGING);
        if self.running == 0 && !self.state.plan.ids().any(judging) {
            self.emit(Event::Paused);
            self.effect(Effect::Close);
            self.over = true;
        }
    }

    /// How the run ends, once its main graph is at its end.
    pub(super) fn judge(&self) -> RunStatus {
        match self.state.stopping {
            Some(Stop::Cancelled) => return RunStatus::Cancelled,
            Some(Stop::Failure(_) | Stop::Timeout) => return RunStatus::Failed,
            Some(Stop::Interrupted) | None => {}
        }
        // A step outside all groups is cancelled only by a stop, whose process may have been interrupted since.
        let bad = |id: StepId| match self.state.step(id).status {
            Status::Failed => self.state.fails_run(id),
            Status::Cancelled => self.nodes[id.index()].part == Part::Main && self.state.plan.step(id).parent.is_none(),
            _ => false,
        };
        if self.state.plan.ids().any(bad) { RunStatus::Failed } else { RunStatus::Success }
    }
}
