//! Steps that are as if they had never begun, and runs that go on with another plan.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{FlowState, RunState, Status, StepState};
use crate::event::{Because, Replanned, ResetWhy, RunStatus, Skip};
use crate::plan::{StepId, Task};

impl RunState {
    /// As if they had never begun, but for the numbers of their attempts.
    pub(super) fn reset(&mut self, steps: &[StepId], why: &ResetWhy) {
        let mut again = vec![false; self.steps.len()];
        for id in steps {
            again[id.index()] = true;
        }
        for id in steps {
            let expansions = if self.has_empty_fan_out(*id) { 0 } else { self.step(*id).expansions };
            let flowed = self.still_flowed(*id, why, &again);
            let step = &mut self.steps[id.index()];
            // Money is not given back.
            step.let_go_of_attempt();
            let consumed = step.consumed.take();
            *step = StepState { attempt: step.attempt, expansions, flowed, consumed, ..StepState::default() };
        }
        self.decisions.retain(|decided| !again[decided.step.index()]);
        self.told.retain(|id| !again[id.index()]);
    }

    /// What of a stream or pipeline holds although it begins again. `again`: the steps that do.
    ///
    /// An alert is raised once in a run, also if a group around is tried again. A pipeline that failed, or was cut off, goes
    /// on where it was when the run is taken up from there, unless what it reads is made again, too.
    fn still_flowed(&self, id: StepId, why: &ResetWhy, again: &[bool]) -> Option<Box<FlowState>> {
        let step = self.step(id);
        let flowed = step.flowed.as_deref()?;
        let kept = match why {
            ResetWhy::Retry(_) | ResetWhy::Stream(_) => {
                FlowState { alerts: flowed.alerts.clone(), ..FlowState::default() }
            }
            ResetWhy::From(_) if step.status != Status::Success => {
                let mut around = std::iter::successors(Some(id), |id| self.plan.step(*id).parent);
                let from_new = around.any(|id| self.plan.step(id).after.iter().any(|edge| again[edge.from.index()]));
                let reached = if from_new { None } else { flowed.reached.clone() };
                FlowState { reached, ..FlowState::default() }
            }
            ResetWhy::From(_) | ResetWhy::Rollback(_) | ResetWhy::Undo => return None,
        };
        (kept.reached.is_some() || !kept.alerts.is_empty()).then(|| Box::new(kept))
    }

    /// A group is tried again: what it has asked for its children does not hold any more. (Its own condition comes first.)
    pub(super) fn ask_again(&mut self, group: StepId) {
        let mut own = self.plan.step(group).when.is_some();
        self.decisions.retain(|decided| decided.step != group || std::mem::take(&mut own));
        if self.has_empty_fan_out(group) {
            self.steps[group.index()].expansions = 0;
        }
    }

    /// A fan-out over nothing has no children that could be retired; it is asked again all the same.
    fn has_empty_fan_out(&self, id: StepId) -> bool {
        matches!(&*self.plan.step(id).task, Task::Each(each) if each.items.is_some() && each.children.is_empty())
    }

    /// A run that was at its end is no more.
    pub(super) fn reopen(&mut self) {
        if self.status.is_final() {
            self.status = RunStatus::Paused;
        }
    }

    /// Which failures were looked at, by the decisions that still hold.
    pub(super) fn judge_handled(&mut self) {
        self.steps.iter_mut().for_each(|step| step.handled = false);
        let looked_at = self.plan.header.looked_at.iter().copied();
        let read = self.decisions.iter().flat_map(|decided| decided.saw.iter().filter(|saw| saw.handles));
        for step in looked_at.chain(read.map(|saw| saw.step)) {
            self.steps[step.index()].handled = true;
        }
    }

    /// Steps that were in the plan once count on their attempts.
    pub(super) fn count_on(&mut self, new: Range<usize>) {
        if self.gone.is_empty() {
            return;
        }
        for id in new.map(|id| StepId(id as u32)) {
            let before = self.gone.get(&self.plan.path(id)).copied().unwrap_or(0);
            let step = &mut self.steps[id.index()];
            step.attempt = step.attempt.max(before);
        }
    }

    /// They belong to the plan no more; their groups make others.
    pub(super) fn retire(&mut self, retired: &[StepId]) {
        if retired.is_empty() {
            return;
        }
        Arc::make_mut(&mut self.plan).retire(retired);
        self.told.retain(|id| !retired.contains(id));
        for id in retired {
            self.remember_attempts(*id, self.step(*id).attempt);
            let step = &mut self.steps[id.index()];
            step.status = Status::Skipped;
            step.skip = Some(Box::new(Skip::NotTaken(Because::Retired)));
            let Some(parent) = self.plan.step(*id).parent else { continue };
            self.steps[parent.index()].expansions = match &*self.plan.step(parent).task {
                Task::Repeat(repeat) => repeat.children.len() as u32,
                Task::OnEvent(on) => on.children.len() as u32,
                Task::Each(_) | Task::Workflow(_) => 0,
                _ => continue,
            };
        }
    }

    /// A step is gone. Should there be one at its path again, its attempts are counted on.
    fn remember_attempts(&mut self, id: StepId, attempt: u32) {
        if attempt > 0 {
            let attempts = self.gone.entry(self.plan.path(id)).or_default();
            *attempts = attempt.max(*attempts);
        }
    }

    /// Another plan; what is known of the steps that are kept moves to it.
    pub(super) fn replan(&mut self, new: &Replanned) {
        let before = std::mem::take(&mut self.steps);
        let mut steps = vec![StepState::default(); new.plan.steps.len()];
        let mut moved = HashMap::new();
        for (id, old) in &new.kept {
            steps[id.index()] = before[old.index()].clone();
            moved.insert(*old, *id);
        }
        let mut known: Vec<bool> = vec![false; before.len()];
        let mut now = HashMap::new();
        for (id, old) in new.kept.iter().chain(&new.again) {
            let step = &mut steps[id.index()];
            step.attempt = step.attempt.max(before[old.index()].attempt);
            known[old.index()] = true;
            now.insert(*old, *id);
        }
        self.move_consumed(&before, &mut steps, &now);
        for (id, step) in before.iter().enumerate().filter(|(id, _)| !known[*id]) {
            self.remember_attempts(StepId(id as u32), step.attempt);
        }
        for (id, old) in &new.again {
            if self.is_same_pipeline(new, *id, *old) && before[old.index()].status != Status::Success {
                let reached = before[old.index()].flowed.as_ref().and_then(|flowed| flowed.reached.clone());
                steps[id.index()].flowed =
                    reached.map(|reached| Box::new(FlowState { reached: Some(reached), ..FlowState::default() }));
            }
        }
        self.steps = steps;
        self.plan = Arc::new((*new.plan).clone());
        self.rename_told(&moved);
        self.count_on(0..self.steps.len());
        self.rename_reasons(&new.kept.iter().chain(&new.again).map(|(id, old)| (*old, *id)).collect());
        for (step, plan) in self.steps.iter_mut().zip(&self.plan.steps) {
            step.expansions = match &*plan.task {
                Task::Repeat(repeat) => repeat.children.len() as u32,
                Task::OnEvent(on) => on.children.len() as u32,
                Task::Each(each) => u32::from(each.items.is_some() && !each.children.is_empty()),
                Task::Workflow(workflow) => u32::from(workflow.expanded && !workflow.is_known()),
                _ => 0,
            };
        }
        self.created.sources = new.sources.clone();
        self.created.file = new.file.clone();
        self.stopping = None;
        self.rolling_back = None;
        self.reopen();
        // The new script has printed anew.
        self.printed.clear();
        let decisions = std::mem::take(&mut self.decisions);
        self.decisions = decisions
            .into_iter()
            .filter_map(|mut decided| {
                decided.step = *moved.get(&decided.step)?;
                decided.saw.retain_mut(|saw| match moved.get(&saw.step) {
                    Some(id) => {
                        saw.step = *id;
                        true
                    }
                    None => false,
                });
                Some(decided)
            })
            .collect();
        self.judge_handled();
    }

    /// What was used stays used. What the new plan has no more counts for the group in which it stood, if that is still
    /// there. `now`: from the steps of the plan before to those of the new one.
    fn move_consumed(&mut self, before: &[StepState], steps: &mut [StepState], now: &HashMap<StepId, StepId>) {
        steps.iter_mut().for_each(|step| step.consumed = None);
        for old in std::mem::take(&mut self.consumers) {
            let mut step = StepState { consumed: before[old.index()].consumed.clone(), ..StepState::default() };
            step.let_go_of_attempt();
            let Some(used) = step.consumed.map(|consumed| consumed.over) else { continue };
            let mut around = std::iter::successors(Some(old), |id| self.plan.step(*id).parent);
            match around.find_map(|id| now.get(&id).copied()) {
                Some(id) => {
                    steps[id.index()].consumed.get_or_insert_default().over += &used;
                    self.consumers.insert(id);
                }
                None => self.gone_used += &used,
            }
        }
    }

    /// Is it the pipeline that it was, with all it waits for?
    fn is_same_pipeline(&self, new: &Replanned, id: StepId, old: StepId) -> bool {
        let plan = &new.plan;
        let mut around = std::iter::successors(Some(id), |id| plan.step(*id).parent);
        let kept = |id: StepId| new.kept.iter().any(|(kept, _)| *kept == id);
        matches!(*plan.step(id).task, Task::Pipeline(_))
            && plan.step(id).task == self.plan.step(old).task
            && around.all(|id| plan.step(id).after.iter().all(|edge| kept(edge.from)))
    }

    /// Reasons of skips name steps. `now`: from those of the plan before to those of this one.
    fn rename_reasons(&mut self, now: &HashMap<StepId, StepId>) {
        for id in 0..self.steps.len() {
            let Some(skip) = self.steps[id].skip.as_deref_mut() else { continue };
            let (Skip::NotTaken(because) | Skip::UpstreamFailed(because)) = skip;
            match because {
                Because::Branch(step)
                | Because::NotNeeded(step)
                | Because::NotBegun(step)
                | Because::Group(step)
                | Because::Child(step)
                | Because::Predecessor(step) => {
                    // One that is gone was one of several in a group, of which the others say the same.
                    *step = now.get(step).copied().unwrap_or(StepId(id as u32));
                }
                Because::Condition | Because::Unanswered | Because::Retired | Because::Moment => {}
            }
        }
    }
}
