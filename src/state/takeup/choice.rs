//! Groups that choose among their children: which choices still hold.

use super::Reason;
use super::compare::Comparer;
use super::own::opened;
use crate::event::{Because, Decision, FailureKind, Skip};
use crate::plan::fingerprint::{self, Part};
use crate::plan::{Branch, Condition, StepId, Task};
use crate::state::Status;

impl Comparer<'_> {
    /// Does it decide by itself which of its children run?
    pub(super) fn chooses(&self, id: StepId) -> bool {
        matches!(*self.side.plan.step(id).task, Task::Flow(_) | Task::Fallback(_))
    }

    /// Is each choice asked as it was? If not, what was chosen does not hold. What comes after it was never asked, and is
    /// not asked now.
    pub(super) fn own_choices(&mut self, id: StepId, old: StepId) {
        match (&*self.before.plan.step(old).task, &*self.side.plan.step(id).task) {
            (Task::Flow(before), Task::Flow(after)) => {
                let asked = self.asked(old, before);
                let same = |n: usize| match (before.get(n), after.get(n)) {
                    (Some(before), Some(after)) => self.is_same_branch(before, after),
                    (None, None) => true,
                    _ => false,
                };
                let Some(other) = (0..before.len().max(after.len())).take(asked).find(|n| !same(*n)) else { return };
                let part = match (before.get(other), after.get(other)) {
                    (Some(_), Some(_)) => Part::Condition,
                    _ => Part::Steps,
                };
                self.ends(id, Reason::Changed(part));
                // Also those before it: how they are skipped follows from what is chosen in the end.
                for branch in after {
                    self.starts(branch.step, Reason::Chosen(id));
                }
            }
            (Task::Fallback(before), Task::Fallback(after)) => {
                let known = |n: usize| after.get(n).and_then(|step| self.found.matched[step.index()]);
                let same = |n: usize| after.len() > n && known(n) == before.get(n).copied();
                let tried = self.tried(old, before).min(before.len().max(after.len()));
                let Some(other) = (0..tried).find(|n| !same(*n)) else { return };
                self.ends(id, Reason::Changed(Part::Steps));
                for step in after.iter().skip(other) {
                    self.starts(*step, Reason::Chosen(id));
                }
            }
            (Task::Quorum(before), Task::Quorum(after)) => {
                let known = |step: &StepId| self.found.matched[step.index()];
                let same = (before.need, before.race) == (after.need, after.race)
                    && after.children.iter().map(known).eq(before.children.iter().map(|step| Some(*step)));
                if !same {
                    self.ends(id, Reason::Changed(Part::Steps));
                    self.needed_after_all(id);
                }
            }
            _ => {}
        }
    }

    /// How many branches of a flow were asked, at the most.
    fn asked(&self, flow: StepId, branches: &[Branch]) -> usize {
        let was = self.before.step(flow);
        if was.status == Status::Pending || !opened(was.skip.as_deref()) {
            return 0;
        }
        // The latest: before its first branch a flow may have been asked for a condition of its own.
        let said = |n: usize| {
            let decisions = self.before.decisions.iter().rev();
            decisions.into_iter().find(|decided| (decided.step, decided.branch) == (flow, n as u32))
        };
        for (n, branch) in branches.iter().enumerate() {
            match (&branch.when, said(n).map(|decided| &decided.result)) {
                (None | Some(Condition::Known(true)), _)
                | (Some(_), Some(Decision::Is(true) | Decision::Failed(_))) => {
                    return n + 1;
                }
                (Some(_), Some(Decision::Is(false)) | None) => {}
            }
        }
        // With none chosen, a further branch would be asked as well.
        usize::MAX
    }

    /// How many alternatives were tried, at the most.
    fn tried(&self, fallback: StepId, children: &[StepId]) -> usize {
        let was = self.before.step(fallback);
        if was.status == Status::Pending || !opened(was.skip.as_deref()) {
            return 0;
        }
        // With none that answered, a further one would be tried as well.
        let answered = |step: &StepId| !matches!(self.before.step(*step).status, Status::Failed);
        children.iter().position(answered).map_or(usize::MAX, |n| n + 1)
    }

    fn is_same_branch(&self, before: &Branch, after: &Branch) -> bool {
        let same_step = self.found.matched[after.step.index()] == Some(before.step);
        same_step
            && self.naming(|old, new| match (&before.when, &after.when) {
                (None, None) => true,
                (Some(before), Some(after)) => {
                    fingerprint::condition(before, old) == fingerprint::condition(after, new)
                }
                _ => false,
            })
    }

    /// The conditions of a flow's branches read a step that does not hold.
    pub(super) fn branch_reads(&mut self, flow: StepId, read: StepId) {
        let plan = self.side.plan;
        let Task::Flow(branches) = &*plan.step(flow).task else { return };
        let reads = |branch: &Branch| branch.when.as_ref().is_some_and(|when| when.steps().contains(&read));
        let Some(first) = branches.iter().position(reads) else { return };
        let Some(old) = self.found.matched[flow.index()] else { return };
        let Task::Flow(before) = &*self.before.plan.step(old).task else { return };
        if first >= self.asked(old, before) {
            return;
        }
        self.ends(flow, Reason::Reads(read));
        for branch in branches {
            self.starts(branch.step, Reason::Chosen(flow));
        }
    }

    /// Is it in another group now, so that what was decided about it there does not hold here?
    pub(super) fn moved(&self, id: StepId, old: StepId) -> bool {
        let plan = &self.before.plan;
        let group = self.side.plan.step(id).parent.and_then(|group| self.found.matched[group.index()]);
        let before = plan.step(old).parent;
        if before == group {
            return false;
        }
        let chose = |group: StepId| {
            matches!(*plan.step(group).task, Task::Flow(_) | Task::Fallback(_) | Task::Each(_) | Task::Repeat(_))
        };
        let went_with = matches!(
            self.before.step(old).skip.as_deref(),
            Some(Skip::NotTaken(Because::Group(_)) | Skip::UpstreamFailed(Because::Group(_)))
        );
        before.is_some_and(chose) || went_with
    }

    /// Was it skipped with its group, or because of what that chose, so that nothing else matters to it?
    pub(super) fn goes_with_group(&self, id: StepId) -> bool {
        let old = self.found.matched[id.index()];
        let skip = old.and_then(|old| self.before.step(old).skip.as_deref());
        let (Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)), Some(old)) = (skip, old) else {
            return false;
        };
        let group = self.before.plan.step(old).parent;
        match because {
            Because::Group(by) | Because::Branch(by) | Because::NotNeeded(by) => Some(*by) == group,
            Because::Moment => group.is_none() && self.before.plan.step(old).on_alert.is_none(),
            _ => false,
        }
    }

    /// A new step to which it does not come: its group was skipped, or stands behind what was chosen. Gives the group,
    /// and the child of it which the step is or is in.
    pub(super) fn not_asked(&self, id: StepId) -> Option<(StepId, StepId)> {
        if self.found.matched[id.index()].is_some() {
            return None;
        }
        let plan = self.side.plan;
        let mut child = id;
        let (group, old) = loop {
            let group = plan.step(child).parent?;
            match self.found.matched[group.index()] {
                Some(old) => break (group, old),
                None => child = group,
            }
        };
        let was = self.before.step(old);
        if was.status == Status::Skipped && !opened(was.skip.as_deref()) {
            return Some((group, child));
        }
        if !was.status.is_final() {
            return None;
        }
        let (at, asked) = match (&*plan.step(group).task, &*self.before.plan.step(old).task) {
            (Task::Flow(after), Task::Flow(before)) => {
                (after.iter().position(|branch| branch.step == child)?, self.asked(old, before))
            }
            (Task::Fallback(after), Task::Fallback(before)) => {
                (after.iter().position(|step| *step == child)?, self.tried(old, before))
            }
            _ => return None,
        };
        (at >= asked).then_some((group, child))
    }

    /// As [`Comparer::not_asked`], now that it is known whether the group stays as it is: why the step does not run.
    pub(super) fn still_not_taken(&self, id: StepId) -> Option<Skip> {
        let (group, child) = self.not_asked(id).filter(|(group, _)| self.found.holds(*group))?;
        let old = self.found.matched[group.index()]?;
        // Of a group that did not even begin.
        let was = self.before.step(old).skip.as_deref().filter(|skip| !opened(Some(skip)));
        if self.before.failure_kind(old).is_some_and(|kind| kind != FailureKind::Child) {
            let group = self.side.plan.step(id).parent.unwrap_or(group);
            return Some(Skip::UpstreamFailed(Because::Group(group)));
        }
        let because = match (&*self.side.plan.step(group).task, was) {
            _ if child != id => Because::Group(self.side.plan.step(id).parent.unwrap_or(group)),
            (_, Some(_)) => Because::Group(group),
            (Task::Fallback(_), None) => Because::NotNeeded(group),
            (_, None) => Because::Branch(group),
        };
        Some(match was {
            Some(Skip::UpstreamFailed(_)) => Skip::UpstreamFailed(because),
            _ => Skip::NotTaken(because),
        })
    }
}
