//! Reasons that a step has of its own: it is new, it changed, it failed, it was asked for.

use super::Reason;
use super::compare::Comparer;
use crate::event::{Because, FailureKind, Skip, Stop};
use crate::plan::fingerprint::Part;
use crate::plan::{EdgeKind, OnAlert, OnError, Plan, Rule, StepId};
use crate::state::{Seen, Status};

impl Comparer<'_> {
    /// Reasons of its own.
    pub(super) fn own(&mut self, id: StepId, differences: &[Part]) {
        let plan = self.side.plan;
        let Some(old) = self.found.matched[id.index()] else {
            if self.not_asked(id).is_some() {
                return;
            }
            self.ends(id, Reason::New);
            // A group around steps that were there already changes nothing for them.
            if self.chooses(id) || !self.starts_all_the_same(id) {
                self.starts(id, Reason::New);
            }
            return;
        };
        if !self.wish.from.is_empty() && self.wish.from.contains(&plan.path(id)) {
            return self.starts(id, Reason::Asked);
        }
        if self.moved(id, old) || self.before.plan.hook(old) != plan.hook(id) {
            return self.starts(id, Reason::Moved);
        }
        if self.goes_with_group(id) {
            return;
        }
        if let Some(part) = differences.iter().find(|part| matches!(part, Part::Kind | Part::Condition | Part::Rule)) {
            return self.starts(id, Reason::Changed(*part));
        }
        if self.hangs_on_another_alert(id, old) {
            return self.starts(id, Reason::Changed(Part::Condition));
        }
        self.own_choices(id, old);
        let was = self.before.step(old);
        let not_begun = was.status == Status::Pending && was.attempt == 0;
        if not_begun || (was.status == Status::Skipped && !opened(was.skip.as_deref())) {
            if self.wish.failed && matches!(was.skip.as_deref(), Some(Skip::UpstreamFailed(_))) {
                self.starts(id, Reason::Upstream);
            }
            return;
        }
        let undo = self.before.plan.step(old).policy().undo;
        if undo.is_some_and(|undo| !matches!(self.before.step(undo).status, Status::Pending | Status::Skipped)) {
            return self.starts(id, Reason::Undone);
        }
        // What a fan-out has got is compared step by step, whatever it was made by.
        let has_got = was.expansions > 0 && plan.gets_steps_at_run_time(id);
        let of_end = |part: &&Part| match part {
            Part::Order | Part::OnError => false,
            Part::Command => !has_got && (!plan.step(id).task.is_group() || plan.gets_steps_at_run_time(id)),
            _ => true,
        };
        if let Some(part) = differences.iter().find(of_end) {
            return self.runs_again(id, Reason::Changed(*part));
        }
        match was.status {
            Status::Cancelled => self.runs_again(id, Reason::Cancelled),
            Status::Failed => {
                if self.is_to_be_tried_again(old) {
                    self.runs_again(id, Reason::Failed);
                } else if self.on_errors(&self.before.plan, old) != self.on_errors(plan, id) {
                    self.runs_again(id, Reason::Changed(Part::OnError));
                }
            }
            _ => {}
        }
        if has_got && self.side.unfinished.contains(&id) {
            self.ends(id, Reason::Unfinished);
        }
    }

    fn hangs_on_another_alert(&self, id: StepId, old: StepId) -> bool {
        let alert = |on: Option<OnAlert>| on.map(|on| (on.step, on.alert));
        let now = self.side.plan.step(id).on_alert.map(|on| OnAlert { step: self.common(on.step), ..on });
        alert(self.before.plan.step(old).on_alert) != alert(now)
    }

    fn is_to_be_tried_again(&self, old: StepId) -> bool {
        let before = self.before;
        // What stopped the run would stop it again.
        if before.stopping == Some(Stop::Failure(old)) {
            return true;
        }
        let is_own = before.failure_kind(old) != Some(FailureKind::Child);
        (self.wish.failed && is_own) || (self.wish.edited && before.fails_run(old))
    }

    /// What its failure means, for others and for the groups it is in.
    fn on_errors(&self, plan: &Plan, id: StepId) -> Vec<Option<OnError>> {
        let groups = std::iter::successors(Some(id), |id| plan.step(*id).parent);
        groups.map(|id| plan.step(id).policy().on_error).collect()
    }

    /// Would it start as well with the predecessors that it has now? Only where that is plain: no rule that looks at
    /// failures, and nothing before it but successes.
    pub(super) fn starts_all_the_same(&self, id: StepId) -> bool {
        let step = self.side.plan.step(id);
        let was_skipped =
            self.found.matched[id.index()].is_some_and(|old| self.before.step(old).status == Status::Skipped);
        let plain =
            matches!(step.policy().rule, Rule::AllSuccess | Rule::NoneFailed | Rule::AllDone) && !step.policy().finally;
        let before = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from);
        plain
            && !was_skipped
            && (self.found.matched[id.index()].is_some() || step.when.is_none())
            && before
                .into_iter()
                .all(|from| self.found.matched[from.index()].is_some_and(|old| self.before.seen(old) == Seen::Success))
    }
}

/// Had the group begun that was skipped because everything in it was? What was not skipped had begun, of course.
pub(super) fn opened(skip: Option<&Skip>) -> bool {
    matches!(skip, None | Some(Skip::NotTaken(Because::Child(_)) | Skip::UpstreamFailed(Because::Child(_))))
}
