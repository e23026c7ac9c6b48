//! A script that gives its plan piece by piece, waiting now and then for the result of a step, as `run(step)` does.

use flow::engine::machine::Input;
use flow::event::Event;
use flow::plan::{Edge, EdgeKind, Growth, Moment, Plan, StepId, Task};
use flow::state::Status;

use crate::play::{Dice, Play};
use crate::spec::moment_of;

/// See the module's page.
pub struct Script {
    /// All of it. Its ids are the script's; the run's differ as soon as a fan-out came between two pieces.
    plan: Plan,
    /// Where each piece ends.
    ends: Vec<usize>,
    lot: Dice,
}

impl Script {
    /// Cuts a plan into pieces, between its top-level steps.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let mut lot = Dice(seed);
        let top = plan.ids().skip(1).filter(|id| plan.step(*id).parent.is_none());
        let mut ends: Vec<usize> = top.filter(|_| lot.below(2) == 0).map(StepId::index).collect();
        ends.push(plan.steps.len());
        Script { plan, ends, lot }
    }

    /// Pieces that the run has.
    fn given(&self, play: &Play) -> usize {
        play.records.iter().filter(|record| matches!(*record.event, Event::Planned { of: None, .. })).count()
    }

    /// Has all been given?
    pub fn is_done(&self, play: &Play) -> bool {
        self.given(play) == self.ends.len()
    }

    /// The run's ids of the steps given so far, by the script's.
    fn ids(&self, play: &Play) -> Vec<StepId> {
        let plan = &play.state().plan;
        let mut ids: Vec<(usize, StepId)> = Vec::new();
        for id in plan.ids() {
            if let Some(n) = plan.step(id).name.strip_prefix('s').and_then(|n| n.parse().ok()) {
                ids.push((n, id));
            }
        }
        ids.sort();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// Gives the next piece. Earlier steps that have not started get the edges that were missing.
    pub fn give(&mut self, play: &mut Play, looked_at: &[StepId]) {
        let piece = self.given(play);
        let from = if piece == 0 { 0 } else { self.ends[piece - 1] };
        let to = self.ends[piece];
        let ids = self.ids(play);
        let base = play.state().plan.steps.len() as u32;
        let number = |id: StepId| match ids.get(id.index()) {
            Some(known) => *known,
            None => StepId(base + (id.index() - from) as u32),
        };
        let mut header = self.plan.header.clone();
        header.hooks.retain(|(_, id)| id.index() < to);
        let mut steps = self.plan.steps[from..to].to_vec();
        steps.iter_mut().for_each(|step| step.after.retain(|edge| edge.from.index() < to));
        let mut growth = Growth {
            header: Some(Box::new(header)),
            base,
            steps,
            complete: to == self.plan.steps.len(),
            ..Growth::default()
        };
        growth.renumber(&number);
        if let Some(header) = &mut growth.header {
            header.looked_at = play.state().plan.header.looked_at.clone();
            header.looked_at.extend(looked_at);
        }
        for (step, id) in self.plan.steps[..from].iter().zip(&ids) {
            let late = step.after.iter().filter(|edge| (from..to).contains(&edge.from.index()));
            let late: Vec<Edge> = late.map(|edge| Edge { from: number(edge.from), ..*edge }).collect();
            if !late.is_empty() && play.is_untouched(*id) {
                let mut changed = play.state().plan.step(*id).clone();
                late.iter().for_each(|edge| changed.add_edge(edge.from, edge.kind));
                growth.changed.push((*id, changed));
            }
        }
        play.give(Input::Grow(Box::new(growth)));
    }

    /// Steps that a script can wait for: not the hooks at the end.
    fn wantable(&self, play: &Play) -> Vec<StepId> {
        let plan = &play.state().plan;
        // Nor what may be cut off: whether somebody looks at its failure would be a matter of time.
        let cut = |id: StepId| {
            let mut groups = std::iter::successors(plan.step(id).parent, |id| plan.step(*id).parent);
            groups.any(|group| matches!(*plan.step(group).task, Task::Stream(_) | Task::Quorum(_)))
        };
        let may = |id: &StepId| matches!(moment_of(plan, *id), None | Some(Moment::Start)) && !cut(*id);
        self.ids(play).into_iter().filter(may).collect()
    }

    /// Asks for a step and does not wait.
    pub fn want_one(&mut self, play: &mut Play) {
        let ids = self.wantable(play);
        if !ids.is_empty() {
            play.give(Input::Want(ids[self.lot.below(ids.len())]));
        }
    }

    /// Waits for a step, as `run(step)` does; perhaps the script looks at a failure then.
    pub fn run_one(&mut self, play: &mut Play) -> Vec<StepId> {
        let ids = self.wantable(play);
        if ids.is_empty() {
            return Vec::new();
        }
        let wanted = ids[self.lot.below(ids.len())];
        play.give(Input::Want(wanted));
        while !play.ready.contains(&wanted) {
            assert!(play.can_go_on(), "the script waits for ever\n{}", play.story());
            play.step();
        }
        let failed = play.state().step(wanted).status == Status::Failed;
        if failed && self.lot.below(2) == 0 { vec![wanted] } else { Vec::new() }
    }

    /// The plan as it came to be: without the edges that came too late, with what the script looked at.
    pub fn plan(&self, play: &Play) -> Plan {
        let ids = self.ids(play);
        let given = &play.state().plan;
        let mut plan = self.plan.clone();
        for (n, step) in plan.steps.iter_mut().enumerate() {
            let has = |edge: &Edge| given.step(ids[n]).after.contains(&Edge { from: ids[edge.from.index()], ..*edge });
            step.after.retain(|edge| edge.kind == EdgeKind::Condition || has(edge));
        }
        let looked_at = &given.header.looked_at;
        plan.header.looked_at = plan.ids().filter(|id| looked_at.contains(&ids[id.index()])).collect();
        plan
    }
}
