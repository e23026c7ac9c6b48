//! The parts of a run: start hooks, the graph itself, success or failure hooks, complete hooks, the end.

use super::node::{self, Part};
use super::{Effect, Machine};
use crate::event::{Because, Event, Failure, FailureKind, RunStatus, Skip};
use crate::plan::{Moment, StepId};
use crate::state::Status;

impl Machine {
    /// May steps of this part begin now?
    pub(super) fn part_runs(&self, part: Part) -> bool {
        match part {
            _ if self.state.rolling_back.is_some() && part != Part::Undo => false,
            Part::Start => true,
            Part::Main => self.open[Part::Start as usize] == 0,
            Part::Success => self.result == Some(RunStatus::Success),
            Part::Failure => self.result == Some(RunStatus::Failed) && self.is_undone(),
            Part::Undo => self.undoing.is_some(),
            Part::Complete => {
                matches!(self.result, Some(RunStatus::Success | RunStatus::Failed))
                    && self.is_undone()
                    && !self.hooks_open()
            }
        }
    }

    fn hooks_open(&self) -> bool {
        self.open[Part::Success as usize] + self.open[Part::Failure as usize] > 0
    }

    /// Nothing can start now: goes on to the next part of the run. Returns whether anything came of it.
    pub(super) fn go_on(&mut self) -> bool {
        if self.state.rolling_back.is_some() {
            return self.roll_on();
        }
        let ended = self.open[Part::Main as usize] + self.open[Part::Start as usize] == 0
            && (self.state.plan.complete || self.state.stopping.is_some());
        if !ended {
            return self.idle()
                && (self.state.plan.complete || self.wanted > 0)
                && (self.let_go() || (!self.waits_outside() && (self.end_listening() || self.unlock())));
        }
        if self.result == Some(RunStatus::Failed) && self.undo_next() {
            return true;
        }
        if self.undoing.is_some_and(|undo| self.state.step(undo).status.is_final()) {
            // A cancellation came in between: nothing more is undone.
            self.undoing = None;
        }
        match self.result {
            None => {
                let result = self.judge();
                self.result = Some(result);
                if result == RunStatus::Failed {
                    self.plan_undo();
                }
                let unfit: &[Moment] = match result {
                    RunStatus::Success => &[Moment::Failure],
                    RunStatus::Failed => &[Moment::Success],
                    _ => &[Moment::Success, Moment::Failure, Moment::Complete],
                };
                self.drop_hooks(unfit);
                self.wake_all();
                true
            }
            Some(_) if self.undoing.is_some() => {
                self.idle() && (self.let_go() || self.end_listening() || self.unlock())
            }
            Some(_) if self.hooks_open() => self.idle() && (self.let_go() || self.end_listening() || self.unlock()),
            Some(status) if self.open[Part::Complete as usize] == 0 => {
                self.emit(Event::Ended { status });
                self.effect(Effect::Close);
                self.over = true;
                true
            }
            Some(_) => self.idle() && (self.let_go() || self.end_listening() || self.unlock()),
        }
    }

    /// Hooks whose moment does not come.
    fn drop_hooks(&mut self, unfit: &[Moment]) {
        let hooks = self.state.plan.header.hooks.clone();
        for (_, id) in hooks.into_iter().filter(|(moment, _)| unfit.contains(moment)) {
            if self.state.step(id).status == Status::Pending {
                self.skip(id, Skip::NotTaken(Because::Moment));
            }
        }
    }

    /// Nothing is under way and yet not all is final: steps wait for each other. Plan checks refuse that, but fan-outs
    /// and limits can bring it about; or the script waits for a hook at the end. One of them fails, so that the run has an end.
    pub(super) fn unlock(&mut self) -> bool {
        let waits = |id: &StepId| {
            let node = &self.nodes[id.index()];
            let needed = self.state.plan.complete || node.has(node::NEEDED) || node.part == Part::Start;
            let needed = needed && (node.part != Part::Undo || self.undoes_now(*id));
            // A member of a stream starts with it.
            let needed = needed && self.stream_of(*id).is_none();
            needed && matches!(self.state.step(*id).status, Status::Pending | Status::Retrying)
        };
        let its_turn = |id: &StepId| waits(id) && self.may_start(*id) && self.is_alerted(*id).is_some();
        let mut ids = self.state.plan.ids();
        let Some(id) = ids.clone().find(its_turn).or_else(|| ids.find(waits)) else { return false };
        let message = match self.nodes[id.index()].has(node::PARKED) {
            true => "it can never start: it waits for a limit, and who holds it waits for it",
            false => "it can never start: it waits for a step that waits for it",
        };
        self.fail(id, Failure::new(FailureKind::Input, message).help("`flow why` shows what each step waits for"));
        true
    }

    /// Is nothing under way that would bring about an input?
    pub(super) fn idle(&self) -> bool {
        self.running == 0 && self.pending == 0 && !self.limits.minute_runs()
    }

    /// All steps that may have become able to start get a look.
    pub(super) fn wake_all(&mut self) {
        for id in self.state.plan.ids() {
            if !self.state.step(id).status.is_final() {
                self.wake(id);
            }
        }
    }

    /// Sets which part of the run each step belongs to, and counts what is open in each.
    pub(super) fn sort_into_parts(&mut self) {
        self.open = [0; 6];
        let hooks = self.state.plan.header.hooks.clone();
        for id in self.state.plan.ids() {
            self.nodes[id.index()].part = Part::Main;
        }
        for (moment, hook) in hooks {
            let part = Part::of(Some(moment));
            self.nodes[hook.index()].part = part;
            for inner in self.below(hook) {
                self.nodes[inner.index()].part = part;
            }
        }
        for id in self.state.plan.ids() {
            if self.state.plan.step(id).undoes.is_some() {
                self.nodes[id.index()].part = Part::Undo;
                for inner in self.below(id) {
                    self.nodes[inner.index()].part = Part::Undo;
                }
            }
        }
        for id in self.state.plan.ids() {
            self.count_open(id);
        }
    }

    pub(super) fn count_open(&mut self, id: StepId) {
        if !self.state.step(id).status.is_final() {
            self.open[self.nodes[id.index()].part as usize] += 1;
        }
    }
}
