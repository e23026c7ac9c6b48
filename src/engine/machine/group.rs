//! Groups: how they open, get children, and end by what their children came to.

use std::sync::Arc;

use super::condition::Known;
use super::{Effect, Machine, node};
use crate::event::{Because, Decision, Event, Failure, FailureKind, Outcome, Skip};
use crate::plan::{Branch, Growth, OnError, Repeat, StepId, Task};
use crate::state::{Seen, Status};

/// How far a group is with getting its children.
pub(super) enum Progress {
    /// Something has to come in first.
    Waits,
    /// It has all.
    Complete,
    /// It cannot get them.
    Failed(Failure),
}

/// How a group ends.
pub(super) enum End {
    Finished(Option<Failure>),
    Skipped(Skip),
    Cancelled,
}

impl Machine {
    pub(super) fn open_group(&mut self, id: StepId) {
        let attempt = self.state.step(id).attempt + 1;
        self.unmade.remove(&id);
        self.emit(Event::Started { step: id, attempt });
        self.arm_timeout(id, attempt);
        if !self.nodes[id.index()].flow {
            self.wake_children(id);
        }
        self.wake(id);
    }

    pub(super) fn wake_children(&mut self, id: StepId) {
        for i in 0..self.graph.children(id).len() {
            self.wake(self.graph.children(id)[i]);
        }
    }

    /// An open group gets a look: does it get further children, does it end?
    pub(super) fn consider_group(&mut self, id: StepId) {
        if self.nodes[id.index()].has(node::EXPANDING | node::DECIDING | node::JUDGING) {
            return;
        }
        match *self.state.plan.step(id).task {
            Task::Stream(_) => return self.consider_stream(id),
            Task::Quorum(_) => self.consider_quorum(id),
            _ => {}
        }
        if !self.nodes[id.index()].has(node::COMPLETE) {
            let frozen =
                self.halted(id) || self.nodes[id.index()].has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED);
            match self.children_of(id, frozen) {
                Progress::Complete => self.nodes[id.index()].set(node::COMPLETE),
                Progress::Waits if frozen => {}
                Progress::Waits => return,
                Progress::Failed(failure) => return self.group_failed(id, failure),
            }
        }
        if self.nodes[id.index()].open == 0 {
            self.end_group(id);
        }
    }

    /// Goes on with getting children. `frozen`: by what is known already, without asking for anything.
    fn children_of(&mut self, id: StepId, frozen: bool) -> Progress {
        let task = self.state.plan.step(id).task.clone();
        let expanded = self.state.step(id).expansions > 0;
        let waits = match &*task {
            Task::Flow(branches) => return self.branch_of(id, branches, frozen),
            Task::Fallback(children) => return self.alternative_of(id, children, frozen),
            Task::Repeat(repeat) => return self.iteration_of(id, repeat, frozen),
            Task::OnEvent(on) => return self.event_of(id, on, frozen),
            Task::Each(each) => each.items.is_some() && !expanded,
            Task::Workflow(workflow) => !workflow.expanded && !expanded,
            _ => false,
        };
        match waits {
            true => self.expand(id, 1, frozen),
            false => Progress::Complete,
        }
    }

    pub(super) fn expand(&mut self, id: StepId, iteration: u32, frozen: bool) -> Progress {
        if !frozen {
            self.nodes[id.index()].set(node::EXPANDING);
            self.pending += 1;
            self.effect(Effect::Expand { step: id, iteration });
        }
        Progress::Waits
    }

    /// The first branch whose condition is true; each is asked only when those before it were false.
    fn branch_of(&mut self, id: StepId, branches: &[Branch], frozen: bool) -> Progress {
        while let Some(branch) = branches.get(self.nodes[id.index()].cursor as usize) {
            let cursor = self.nodes[id.index()].cursor;
            let answer = match &branch.when {
                None => Known::Is(Decision::Is(true)),
                Some(_) if frozen && !self.decided.contains_key(&(id, cursor)) => Known::NotYet,
                Some(condition) => self.answer(id, cursor, condition),
            };
            match answer {
                Known::NotYet => return Progress::Waits,
                Known::Is(Decision::Is(false)) => self.nodes[id.index()].cursor += 1,
                Known::Is(Decision::Is(true)) => {
                    self.nodes[branch.step.index()].set(node::CHOSEN);
                    self.wake(branch.step);
                    self.take_not(id, Some(branch.step));
                    return Progress::Complete;
                }
                Known::Is(Decision::Failed(failure)) => return Progress::Failed(failure),
            }
        }
        self.take_not(id, None);
        Progress::Complete
    }

    /// The first of the alternatives, or the next one after a failure.
    fn alternative_of(&mut self, id: StepId, children: &[StepId], frozen: bool) -> Progress {
        while let Some(child) = children.get(self.nodes[id.index()].cursor as usize) {
            let status = self.state.step(*child).status;
            if status == Status::Failed {
                self.nodes[id.index()].cursor += 1;
                continue;
            }
            if !status.is_final() {
                if !frozen && !self.nodes[child.index()].has(node::CHOSEN) {
                    self.nodes[child.index()].set(node::CHOSEN);
                    self.wake(*child);
                }
                return Progress::Waits;
            }
            break;
        }
        for child in children {
            if self.state.step(*child).status == Status::Pending {
                self.skip(*child, Skip::NotTaken(Because::NotNeeded(id)));
            }
        }
        Progress::Complete
    }

    fn take_not(&mut self, flow: StepId, chosen: Option<StepId>) {
        for i in 0..self.graph.children(flow).len() {
            let child = self.graph.children(flow)[i];
            if Some(child) != chosen && self.state.step(child).status == Status::Pending {
                self.skip(child, Skip::NotTaken(Because::Branch(flow)));
            }
        }
    }

    /// The next iteration of a loop, or its end.
    fn iteration_of(&mut self, id: StepId, repeat: &Repeat, frozen: bool) -> Progress {
        if self.nodes[id.index()].open > 0 {
            return Progress::Waits;
        }
        let done = self.state.step(id).expansions;
        if done == 0 {
            return if repeat.max == 0 { Progress::Complete } else { self.expand(id, 1, frozen) };
        }
        if self.graph.children(id).last().is_some_and(|last| self.ends_loop(*last)) {
            return Progress::Complete;
        }
        if repeat.until.is_some() {
            match self.decided.get(&(id, done - 1)) {
                None => {
                    if !frozen {
                        self.ask(id, done - 1);
                    }
                    return Progress::Waits;
                }
                Some(Decision::Is(true)) => return Progress::Complete,
                Some(Decision::Failed(failure)) => return Progress::Failed(failure.clone()),
                Some(Decision::Is(false)) if done >= repeat.max => {
                    let message = format!(
                        "its `until` was not true after {done} {}",
                        if done == 1 { "iteration" } else { "iterations" }
                    );
                    let failure = Failure::new(FailureKind::Fail, message);
                    return Progress::Failed(failure.help("raise `max`, or look at what `until` compares"));
                }
                Some(Decision::Is(false)) => {}
            }
        } else if done >= repeat.max {
            return Progress::Complete;
        }
        self.expand(id, done + 1, frozen)
    }

    fn ends_loop(&self, child: StepId) -> bool {
        self.fails_group(child) || matches!(self.state.step(child).status, Status::Skipped | Status::Cancelled)
    }

    /// The closure of a fan-out was evaluated.
    pub(super) fn expanded(&mut self, id: StepId, result: Result<Box<Growth>, Failure>) {
        // An interrupted run asks again when it is resumed.
        let interrupted = self.state.stopping == Some(crate::event::Stop::Interrupted);
        let Some(node) = self.nodes.get_mut(id.index()) else { return };
        if interrupted || node.take(node::EXPANDING) == 0 {
            return;
        }
        self.pending -= 1;
        match result {
            Ok(growth) => self.grow(Some(id), *growth),
            // What it has heard before goes on.
            Err(failure) if self.nodes[id.index()].open > 0 => drop(self.unmade.insert(id, failure)),
            Err(failure) => self.group_failed(id, failure),
        }
        self.wake(id);
    }

    /// Does this child make its group fail?
    pub(super) fn fails_group(&self, child: StepId) -> bool {
        self.state.step(child).status == Status::Failed
            && !self.nodes[child.index()].has(node::HANDLED)
            && !matches!(self.state.plan.step(child).policy().on_error, Some(OnError::Continue | OnError::Skip))
    }

    pub(super) fn end_group(&mut self, id: StepId) {
        match self.end_of(id) {
            End::Finished(error) => {
                let outcome = Arc::new(Outcome { error, ..Outcome::default() });
                return self.conclude(id, self.state.step(id).attempt, outcome);
            }
            End::Cancelled => self.emit(Event::Cancelled { step: id }),
            End::Skipped(reason) => self.emit(Event::Skipped { step: id, reason }),
        }
        self.closed(id);
    }

    /// An open group cannot go on; what is in it has not begun, or has ended.
    fn group_failed(&mut self, id: StepId, failure: Failure) {
        let outcome = Arc::new(Outcome { error: Some(failure), ..Outcome::default() });
        self.conclude(id, self.state.step(id).attempt, outcome);
    }

    /// What a group comes to when all its children are final.
    fn end_of(&self, id: StepId) -> End {
        let node = &self.nodes[id.index()];
        let children = self.graph.children(id);
        let (mut cancelled, mut well, mut not_taken, mut upstream) = (!node.has(node::COMPLETE), false, None, None);
        if node.has(node::TIMED_OUT) {
            return End::Finished(Some(self.too_late(id)));
        }
        if let Task::Fallback(alternatives) = &*self.state.plan.step(id).task {
            return self.end_of_alternatives(alternatives);
        }
        if let Some(end) = self.end_of_quorum(id) {
            return end;
        }
        let failed = match self.is_stream(id) {
            // The others may have failed because of it.
            true => children.iter().filter(|id| self.fails_group(**id)).min_by_key(|id| self.state.step(**id).ended),
            false => children.iter().find(|child| self.fails_group(**child)),
        };
        if let Some(&child) = failed {
            let message = format!("`{}` failed", self.state.plan.path(child));
            return End::Finished(Some(self.because_of(child, message)));
        }
        for &child in children {
            if self.was_cut_off(id, child) {
                cancelled = true;
                continue;
            }
            match (self.state.step(child).status, self.state.seen(child)) {
                (Status::Cancelled, _) => cancelled = true,
                (_, Seen::NotTaken) => not_taken = not_taken.or(Some(child)),
                (_, Seen::UpstreamFailed) => upstream = upstream.or(Some(child)),
                // A failure that was handled within the group is no failure of it.
                _ => well = true,
            }
        }
        match (upstream, not_taken) {
            _ if cancelled => self.end_cut_off(id),
            _ if well => End::Finished(None),
            (Some(child), _) => End::Skipped(Skip::UpstreamFailed(Because::Child(child))),
            (None, Some(child)) => End::Skipped(Skip::NotTaken(Because::Child(child))),
            (None, None) => End::Finished(None),
        }
    }

    /// A group's failure is of the class of its child's.
    pub(super) fn because_of(&self, child: StepId, message: String) -> Failure {
        let error = self.state.step(child).outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
        Failure {
            class: error.map(|error| error.class).unwrap_or_default(),
            ..Failure::new(FailureKind::Child, message)
        }
    }

    /// What alternatives come to: the first that did not fail says it.
    fn end_of_alternatives(&self, children: &[StepId]) -> End {
        let failed = |child: &&StepId| self.state.step(**child).status == Status::Failed;
        let Some(answer) = children.iter().find(|child| !failed(child)) else {
            let Some(last) = children.last() else { return End::Finished(None) };
            let others = children.len() - 1;
            let message = match (others, children.first()) {
                (0, _) | (_, None) => format!("`{}` failed", self.state.plan.path(*last)),
                (1, Some(first)) => {
                    format!("`{}` failed, and so did its fallback", self.state.plan.path(*first))
                }
                (_, Some(first)) => {
                    format!("`{}` failed, and so did its {others} fallbacks", self.state.plan.path(*first))
                }
            };
            return End::Finished(Some(self.because_of(*last, message)));
        };
        match (self.state.step(*answer).status, self.state.step(*answer).skip.as_deref()) {
            (Status::Success, _) => End::Finished(None),
            (Status::Skipped, Some(Skip::NotTaken(_))) => End::Skipped(Skip::NotTaken(Because::Child(*answer))),
            (Status::Skipped, _) => End::Skipped(Skip::UpstreamFailed(Because::Child(*answer))),
            _ => End::Cancelled,
        }
    }

    fn finish(&mut self, id: StepId, error: Option<Failure>) {
        let attempt = self.state.step(id).attempt;
        let outcome = self.classified(Arc::new(Outcome { error, ..Outcome::default() }));
        self.emit(Event::Finished { step: id, attempt, outcome });
    }

    /// A step fails otherwise than by an attempt: by its condition, its fan-out, …
    pub(super) fn fail(&mut self, id: StepId, failure: Failure) {
        self.finish(id, Some(failure));
        self.closed(id);
        self.skip_below(id);
    }

    /// A step will not run, nor will what is in it.
    pub(super) fn skip(&mut self, id: StepId, reason: Skip) {
        self.emit(Event::Skipped { step: id, reason });
        self.closed(id);
        self.skip_below(id);
    }

    /// What has not begun in a group that has ended is skipped as its own group was: parents come before their children.
    pub(super) fn skip_below(&mut self, id: StepId) {
        if self.graph.children(id).is_empty() {
            return;
        }
        for inner in self.below(id) {
            if self.state.step(inner).status == Status::Pending
                && let Some(reason) = self.skipped_with_group(inner)
            {
                self.emit(Event::Skipped { step: inner, reason });
                self.closed(inner);
            }
        }
    }

    /// Ends everything inside a group: what runs is killed, what has not begun is cancelled.
    pub(super) fn abort_below(&mut self, id: StepId) {
        self.stop_asking(id);
        let mut inside = self.below(id);
        inside.retain(|inner| !self.is(*inner, Status::Pending) || !self.is_clean_up(*inner));
        self.end_all(inside, node::ABORTED);
    }

    /// Ends steps. `why`: [`node::ABORTED`] or [`node::UNNEEDED`].
    pub(super) fn end_all(&mut self, steps: Vec<StepId>, why: u32) {
        for inner in steps {
            match self.state.step(inner).status {
                Status::Running => {
                    self.nodes[inner.index()].set(why);
                    if self.is_group(inner) {
                        self.stop_asking(inner);
                        self.wake(inner);
                    } else if !self.nodes[inner.index()].has(node::JUDGING) {
                        self.kill(inner, false);
                    }
                }
                status if !status.is_final() => {
                    self.cut_off(inner);
                    self.closed(inner);
                }
                _ => {}
            }
        }
    }

    /// The end of a step that is ended, or kept from beginning: by a group that does not need it, or with a group or the run.
    pub(super) fn cut_off(&mut self, id: StepId) {
        match self.not_needed_by(id) {
            Some(quorum) => {
                self.emit(Event::Skipped { step: id, reason: Skip::NotTaken(Because::NotNeeded(quorum)) });
            }
            None => self.emit(Event::Cancelled { step: id }),
        }
    }

    /// What a group has asked for does not matter any more.
    pub(super) fn stop_asking(&mut self, id: StepId) {
        let asked = self.nodes[id.index()].take(node::DECIDING | node::EXPANDING);
        self.pending -= asked.count_ones();
    }
}
