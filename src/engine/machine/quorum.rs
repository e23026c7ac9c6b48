//! Groups of which not all children need to succeed (`race`, `quorum`), and those that fail as soon as one child does.

use super::group::End;
use super::{Machine, node};
use crate::event::{Because, Failure, FailureKind, Skip};
use crate::plan::{OnError, Quorum, StepId, Task};
use crate::state::{Seen, Status};

impl Machine {
    fn quorum(&self, id: StepId) -> Option<&Quorum> {
        match &*self.state.plan.step(id).task {
            Task::Quorum(quorum) => Some(quorum),
            _ => None,
        }
    }

    /// An open quorum gets a look: as soon as it is known how it ends, nothing else of it is needed.
    pub(super) fn consider_quorum(&mut self, id: StepId) {
        let ends = self.nodes[id.index()].has(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::DECIDED);
        if !ends && self.is_decided(id) {
            self.nodes[id.index()].set(node::DECIDED);
            let mut inside = self.below(id);
            inside.retain(|inner| !self.is(*inner, Status::Pending) || !self.cleans_up_in(*inner, id));
            self.end_all(inside, node::UNNEEDED);
        }
    }

    /// Another process takes up the run: what an earlier one has told to end does not begin again.
    pub(super) fn take_up_quorums(&mut self) {
        for id in self.state.plan.ids() {
            if self.is(id, Status::Running) && self.quorum(id).is_some() {
                self.consider_quorum(id);
            }
        }
    }

    /// Have enough succeeded, or can no longer enough? It follows from the ends of its children alone. What was cancelled
    /// says nothing: that the group is cancelled, too, is found when all have ended.
    fn is_decided(&self, id: StepId) -> bool {
        let Some(quorum) = self.quorum(id) else { return false };
        if quorum.is_all() {
            return quorum.children.iter().any(|child| self.fails_at_once(*child));
        }
        let [mut won, mut failed, mut skipped] = [0, 0, 0];
        for child in &quorum.children {
            match self.state.step(*child).status {
                Status::Success => won += 1,
                Status::Failed => failed += 1,
                Status::Skipped if !self.was_cut_off(id, *child) => skipped += 1,
                _ => {}
            }
        }
        let (need, left) = (quorum.need as usize, quorum.children.len() - failed - skipped);
        won >= need || failed > 0 && left < need
    }

    /// Of a group that fails with its first child: nobody inside could look at the failure in time.
    fn fails_at_once(&self, child: StepId) -> bool {
        self.is(child, Status::Failed)
            && !matches!(self.state.plan.step(child).policy().on_error, Some(OnError::Continue | OnError::Skip))
    }

    /// Was this child of a group skipped because a group further up does not need it?
    pub(super) fn was_cut_off(&self, group: StepId, child: StepId) -> bool {
        match self.state.step(child).skip.as_deref() {
            Some(Skip::NotTaken(Because::NotNeeded(by))) => *by != group && self.quorum(*by).is_some(),
            _ => false,
        }
    }

    /// The innermost of the groups around a step that knows how it ends without it.
    pub(super) fn not_needed_by(&self, id: StepId) -> Option<StepId> {
        if self.nodes[id.index()].part == node::Part::Undo {
            return None;
        }
        self.groups_of(id).find(|group| self.is_decided(*group) && !self.cleans_up_in(id, *group))
    }

    /// Is it a clean-up step of this group, or inside one? That runs although nothing else of the group is needed.
    fn cleans_up_in(&self, id: StepId, group: StepId) -> bool {
        let finally = |id: &StepId| self.state.plan.step(*id).policy().finally;
        finally(&id) || self.groups_of(id).take_while(|above| *above != group).any(|above| finally(&above))
    }

    /// What a quorum comes to when all its children are final. Nothing: what any other group would.
    pub(super) fn end_of_quorum(&self, id: StepId) -> Option<End> {
        let quorum = self.quorum(id)?;
        let children = &quorum.children;
        if quorum.is_all() {
            let failed = children.iter().copied().filter(|child| self.fails_at_once(*child));
            let first = failed.min_by_key(|child| self.state.step(*child).ended)?;
            let message = format!("`{}` failed", self.state.plan.path(first));
            return Some(End::Finished(Some(self.because_of(first, message))));
        }
        let won = children.iter().filter(|child| self.is(**child, Status::Success)).count();
        if won >= quorum.need as usize {
            return Some(End::Finished(None));
        }
        if children.iter().any(|child| self.was_cut_off(id, *child)) {
            return Some(self.end_cut_off(id));
        }
        let failed: Vec<StepId> = children.iter().copied().filter(|child| self.is(*child, Status::Failed)).collect();
        let seen = |seen: Seen| children.iter().copied().find(|child| self.state.seen(*child) == seen);
        if let Some(last) = failed.iter().copied().max_by_key(|child| self.state.step(*child).ended) {
            let failure = self.because_of(last, self.too_few(quorum, won, &failed));
            // Those of the children are none of the run.
            return Some(End::Finished(Some(Failure { kind: FailureKind::Fail, ..failure })));
        }
        if children.iter().any(|child| self.is(*child, Status::Cancelled)) {
            return Some(self.end_cut_off(id));
        }
        Some(match (won, seen(Seen::UpstreamFailed), seen(Seen::NotTaken)) {
            (0, Some(child), _) => End::Skipped(Skip::UpstreamFailed(Because::Child(child))),
            (0, None, Some(child)) => End::Skipped(Skip::NotTaken(Because::Child(child))),
            _ => End::Finished(Some(Failure::new(FailureKind::Fail, self.too_few(quorum, won, &failed)))),
        })
    }

    /// `a`, `b` and `c` failed, and 2 of 4 have to succeed.
    fn too_few(&self, quorum: &Quorum, won: usize, failed: &[StepId]) -> String {
        const NAMED: usize = 3;
        let mut names: Vec<String> =
            failed.iter().take(NAMED).map(|child| format!("`{}`", self.state.plan.path(*child))).collect();
        if failed.len() > NAMED {
            names.push(format!("{} more", failed.len() - NAMED));
        }
        let what = match names.split_last() {
            None => format!("only {won} succeeded"),
            Some((one, [])) => format!("{one} failed"),
            Some((last, others)) => format!("{} and {last} failed", others.join(", ")),
        };
        format!("{what}, and {} of {} must succeed", quorum.need, quorum.children.len())
    }

    /// A group that did not come to its end by itself.
    pub(super) fn end_cut_off(&self, id: StepId) -> End {
        match self.not_needed_by(id) {
            Some(quorum) => End::Skipped(Skip::NotTaken(Because::NotNeeded(quorum))),
            None => End::Cancelled,
        }
    }
}
