//! Steps that are as if they had never begun: a group that is tried again, a run that was rolled back.

use std::collections::BTreeSet;

use super::node::Part;
use super::{Effect, Machine, node};
use crate::event::{Event, ResetWhy};
use crate::plan::{StepId, Task};
use crate::state::Status;

impl Machine {
    /// A group is tried again, with everything in it. It is `Retrying` already.
    pub(super) fn begin_again(&mut self, group: StepId) {
        let mut steps = self.below(group);
        let retired = self.made_anew(steps.iter().copied().chain([group]).collect());
        let gone: BTreeSet<StepId> = retired.iter().copied().collect();
        steps.retain(|step| !gone.contains(step));
        let with_undos: Vec<StepId> = steps.iter().flat_map(|step| self.undo_of(*step)).collect();
        steps.extend(with_undos);
        self.reset(steps, retired, ResetWhy::Retry(group));
        self.nodes[group.index()] = self.nodes[group.index()].anew();
        self.count_waits(group);
        let children = self.graph.children(group).len();
        self.nodes[group.index()].open = children as u32;
        self.decided.retain(|(step, key), _| *step != group || *key == node::OWN);
    }

    /// What undoes a step, if that has been done: the step may have to be undone again.
    fn undo_of(&self, id: StepId) -> Vec<StepId> {
        match self.state.plan.step(id).policy().undo {
            Some(undo) if self.state.step(undo).status.is_final() => {
                let mut all = vec![undo];
                all.extend(self.below(undo));
                all
            }
            _ => Vec::new(),
        }
    }

    /// The children that fan-outs among these groups have got while the run went on, with all that is in them: they will
    /// be made anew.
    fn made_anew(&self, groups: Vec<StepId>) -> Vec<StepId> {
        let mut gone = Vec::new();
        for id in groups {
            let at_run_time = match &*self.state.plan.step(id).task {
                Task::Each(each) => each.items.is_some(),
                Task::Repeat(_) | Task::OnEvent(_) => true,
                Task::Workflow(_) => self.state.step(id).expansions > 0,
                _ => false,
            };
            if at_run_time {
                gone.extend(self.below(id));
            }
        }
        gone.sort_unstable();
        gone.dedup();
        gone
    }

    /// Steps are pending again; all that is kept of them is made anew from the state.
    pub(super) fn reset(&mut self, steps: Vec<StepId>, retired: Vec<StepId>, why: ResetWhy) {
        // Those that were final are open again, those that were open are gone.
        let final_before: BTreeSet<StepId> =
            steps.iter().copied().filter(|id| self.state.step(*id).status.is_final()).collect();
        let open_before: Vec<StepId> =
            retired.iter().copied().filter(|id| !self.state.step(*id).status.is_final()).collect();
        let again: BTreeSet<StepId> = steps.iter().copied().collect();
        self.emit(Event::Reset { steps: steps.clone(), retired: retired.clone(), why });
        self.decided.retain(|(step, _), _| !again.contains(step));
        self.forget_actors();
        for id in retired {
            self.graph.retire(id, self.state.plan.step(id));
        }
        for id in open_before {
            self.open[self.nodes[id.index()].part as usize] -= 1;
        }
        for id in &final_before {
            self.open[self.nodes[id.index()].part as usize] += 1;
        }
        for id in &steps {
            self.nodes[id.index()] = self.nodes[id.index()].anew();
        }
        for id in &steps {
            let parent = self.state.plan.step(*id).parent;
            if parent.is_some_and(|parent| again.contains(&parent) || final_before.contains(id)) {
                self.count_in_group(*id);
            }
            self.count_waits(*id);
        }
        self.need_again(&steps);
        for id in steps {
            for n in 0..self.graph.successors(id).len() {
                let next = self.graph.successors(id)[n].from;
                if !again.contains(&next) {
                    self.waits_again(next);
                }
            }
        }
    }

    /// A step before this one is made again. If this one has ended it will hear of that end, too; if it only waited for a
    /// slot, a limit or the answer of its condition, it goes back to waiting for that step.
    fn waits_again(&mut self, id: StepId) {
        self.count_waits(id);
        let node = &mut self.nodes[id.index()];
        node.clear(node::RULE_MET);
        if self.state.step(id).status == Status::Pending {
            node.clear(node::QUEUED | node::PARKED);
            self.ledger.let_go(id);
            self.stop_asking(id);
            let asks = |effect: &Effect| matches!(effect, Effect::Decide { step, .. } if *step == id);
            self.out.effects.retain(|effect| !asks(effect));
        }
    }

    /// Which part of the run a step belongs to.
    pub(super) fn part_of(&self, id: StepId) -> Part {
        if self.state.plan.undo_of(id).is_some() {
            return Part::Undo;
        }
        let top = self.groups_of(id).last().unwrap_or(id);
        Part::of(self.state.plan.hook(top))
    }
}
