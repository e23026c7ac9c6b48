//! What must always hold, checked by books of its own.

use std::collections::BTreeSet;

use flow::event::{Event, Stop};
use flow::plan::{EdgeKind, Moment, Plan, Rule, StepId, Task};
use flow::state::{Seen, Status};

use super::Play;
use crate::spec::{judged, moment_of};

impl Play {
    /// Members of a stream start together; a stream begins only with them.
    pub(super) fn check_streams(&mut self, events: &[Event]) {
        // With the steps that come in the same breath.
        let plan = self.machine.state.plan.clone();
        let opened = |id: StepId| plan.steps.get(id.index()).is_some_and(|step| matches!(*step.task, Task::Stream(_)));
        let started = |event: &Event| match event {
            Event::Started { step, attempt } => Some((*step, *attempt)),
            _ => None,
        };
        let all: Vec<(StepId, u32)> = events.iter().filter_map(started).collect();
        for (stream, attempt) in all.iter().filter(|(step, _)| opened(*step)) {
            let mut members = plan.members(*stream).into_iter();
            assert!(members.all(|member| all.iter().any(|(step, _)| *step == member)), "a stream without all members");
            assert_eq!(self.streams.insert(*stream, *attempt), None, "a stream begins again before it is closed");
        }
        let alone = |id: StepId| plan.stream_of(id).is_some_and(|stream| !self.streams.contains_key(&stream));
        assert!(!all.iter().any(|(step, _)| alone(*step)), "a member starts without its stream");
    }

    pub(super) fn check_event(&mut self, event: &Event) {
        let state = &self.shadow;
        let id = match event {
            Event::Started { step, .. }
            | Event::Retrying { step, .. }
            | Event::Waiting { step, .. }
            | Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Interrupted { step, .. }
            | Event::Cancelled { step } => *step,
            Event::Decided { step, saw, .. } => {
                let hook = moment_of(&state.plan, *step).is_some();
                assert!(!hook || saw.iter().all(|read| !read.handles), "a hook handles nothing");
                *step
            }
            Event::Planned { of: Some(group), .. } => {
                let again = !matches!(*state.plan.step(*group).task, Task::Repeat(_) | Task::OnEvent(_));
                assert!(!again || state.step(*group).expansions == 0, "a fan-out is evaluated again");
                return;
            }
            Event::Reset { steps, .. } => {
                for step in steps {
                    self.finals.remove(step);
                }
                return;
            }
            _ => return,
        };
        let path = state.plan.path(id);
        assert!(!self.finals.contains_key(&id), "`{path}` is final and yet {event:?}");
        if let Event::Decided { branch, .. } = event {
            // A flow or loop may have a condition of its own beside that of its first branch.
            let step = state.plan.step(id);
            let most = if step.task.is_group() && step.when.is_some() && *branch == 0 { 2 } else { 1 };
            let same = state.decisions.iter().filter(|known| known.step == id && known.branch == *branch).count();
            assert!(same < most, "`{path}` is asked again");
            return;
        }
        assert!(!state.step(id).status.is_final());
        if let Event::Finished { outcome, .. } = event {
            let well = outcome.error.is_none();
            self.finals.insert(id, if well { Status::Success } else { Status::Failed });
            let open = state
                .plan
                .ids()
                .find(|child| state.plan.step(*child).parent == Some(id) && !state.step(*child).status.is_final());
            assert!(open.is_none() || !well, "`{path}` ends before its children");
        }
        if matches!(event, Event::Skipped { .. } | Event::Cancelled { .. }) {
            self.finals.insert(id, Status::Skipped);
        }
        let begins = matches!(event, Event::Started { .. } | Event::Waiting { .. }) && state.step(id).attempt == 0;
        if begins && !state.plan.complete {
            assert!(may_run_early(&state.plan, &self.wanted, id), "`{path}` starts before the script asks for it");
        }
        if let Event::Started { attempt, .. } = event {
            let step = state.plan.step(id);
            let main = moment_of(&state.plan, id).is_none();
            assert!(state.stopping.is_none() || !main, "`{path}` starts although the run is being stopped");
            assert!(state.stopping != Some(Stop::Interrupted) && state.stopping != Some(Stop::Cancelled));
            let open = |group: StepId| state.step(group).status == Status::Running;
            assert!(step.parent.is_none_or(open), "`{path}` starts before its group");
            let first = |hook: &StepId| moment_of(&state.plan, *hook) == Some(Moment::Start);
            let mut hooks = state.plan.ids().filter(first);
            let early = hooks.any(|hook| !state.step(hook).status.is_final());
            assert!(!early || !main || self.in_pieces, "`{path}` starts before the start hooks have ended");
            if *attempt == 1 {
                self.check_start(id);
            }
        }
    }

    /// What must hold of every step that starts.
    pub(super) fn check_start(&self, id: StepId) {
        let state = &self.shadow;
        let step = state.plan.step(id);
        let seen = |wanted: Seen| judged(step).any(|edge| state.seen(edge.from) == wanted);
        let at_once = match step.policy().rule {
            Rule::OneSuccess => seen(Seen::Success),
            Rule::OneFailed => seen(Seen::Failed),
            _ => false,
        };
        let open = |from: StepId| state.seen(from) == Seen::Open;
        let path = state.plan.path(id);
        assert!(at_once || !judged(step).any(|edge| open(edge.from)), "`{path}` starts before its predecessors ended");
        let reads = step.after.iter().filter(|edge| edge.kind == EdgeKind::Condition);
        assert!(!reads.into_iter().any(|edge| open(edge.from)), "`{path}` starts before what it reads has ended");
    }

    pub(super) fn check_slots(&self) {
        let state = &self.shadow;
        let max = state.plan.header.settings.max_parallel.unwrap_or(2);
        let alone: Vec<StepId> =
            self.running.keys().map(|(id, _)| *id).filter(|id| state.plan.stream_of(*id).is_none()).collect();
        // Who tells of an alert takes none.
        let with_slot = alone.iter().filter(|id| state.plan.step(**id).on_alert.is_none()).count();
        let slots = with_slot + self.streams.len();
        assert!(slots as u32 <= max, "{slots} attempts and streams go on, {max} may");
        for (name, max) in [("one", 1), ("two", 2)] {
            let own = |id: StepId| {
                let asked = state.plan.step(id).policy().limits.iter().filter(|(limit, _)| limit == name);
                asked.map(|(_, shares)| *shares).sum::<u32>()
            };
            // A stream holds what its members need, unless it says otherwise.
            let holds = |id: StepId| match (&*state.plan.step(id).task, own(id)) {
                (Task::Stream(stream), 0) => stream.members().map(own).sum::<u32>().min(max),
                (_, shares) => shares.min(max),
            };
            let groups = |id: StepId| state.plan.ids().filter(move |group| is_inside(&state.plan, id, *group));
            let covered = |id: StepId| groups(id).any(|group| holds(group) > 0);
            let going = alone.iter().chain(self.streams.keys()).copied();
            let running = going.filter(|id| !covered(*id)).map(holds);
            assert!(running.sum::<u32>() <= max, "more than {max} shares of `{name}` are held");
        }
    }

    /// The state is what the events say, and all is at its end.
    pub fn check_end(&self) {
        let folded = &self.shadow;
        self.check_books();
        assert_eq!(folded.status, self.state().status);
        for id in self.state().plan.ids() {
            assert_eq!(folded.step(id).status, self.state().step(id).status);
            assert_eq!(folded.step(id).attempt, self.state().step(id).attempt);
            let parent = folded.plan.step(id).parent.map(|group| folded.step(group).status);
            if folded.step(id).status == Status::Cancelled && folded.status.is_final() {
                let spare =
                    folded.plan.step(id).parent.is_some_and(|group| {
                        matches!(*folded.plan.step(group).task, Task::Fallback(_) | Task::Quorum(_))
                    });
                let fits = spare || matches!(parent, None | Some(Status::Cancelled | Status::Failed));
                assert!(fits, "`{}` is cancelled, its group is not\n{}", self.path(id), self.story());
            }
        }
        assert_eq!(folded.plan.steps.len(), self.state().plan.steps.len());
        assert!(self.running.is_empty(), "attempts go on after the end");
        assert!(self.streams.is_empty(), "a stream is not closed");
        if self.state().status.is_final() {
            assert!(self.state().steps.iter().all(|step| step.status.is_final()), "{}", self.story());
        }
    }
}

fn is_inside(plan: &Plan, id: StepId, group: StepId) -> bool {
    std::iter::successors(plan.step(id).parent, |above| plan.step(*above).parent).any(|above| above == group)
}

/// May this step run although the script is not at its end: is it part of what the wanted ones need?
fn may_run_early(plan: &Plan, wanted: &[StepId], id: StepId) -> bool {
    let mut needed: BTreeSet<StepId> = wanted.iter().copied().collect();
    let mut whole = needed.clone();
    loop {
        let before = (needed.len(), whole.len());
        for id in needed.clone() {
            let step = plan.step(id);
            whole.extend(step.after.iter().map(|edge| edge.from));
            if let Task::Flow(branches) = &*step.task {
                whole.extend(branches.iter().filter_map(|branch| branch.when.as_ref()).flat_map(|when| when.steps()));
            }
            needed.extend(step.parent);
            whole.extend(step.on_alert.map(|on| on.step));
            whole.extend(step.policy().alerts.iter().filter_map(|alert| alert.action));
            // Alternatives wait for each other, and members of a stream start together.
            let all = |group: &StepId| matches!(*plan.step(*group).task, Task::Fallback(_) | Task::Stream(_));
            whole.extend(step.parent.filter(all));
        }
        let inner = |id: &StepId| plan.step(*id).parent.is_some_and(|group| whole.contains(&group));
        let inner: Vec<StepId> = plan.ids().filter(inner).collect();
        whole.extend(inner);
        needed.extend(&whole);
        if before == (needed.len(), whole.len()) {
            return needed.contains(&id) || moment_of(plan, id).is_some();
        }
    }
}

impl Play {
    /// Every group that listened and succeeded has heard all on its topic, in order, each once.
    pub fn check_topics(&self) {
        let state = self.state();
        for id in state.plan.ids() {
            let Task::OnEvent(on) = &*state.plan.step(id).task else { continue };
            assert_eq!(on.children.len(), on.of.len());
            let heard: Vec<StepId> = state.told.iter().copied().filter(|step| on.of.contains(step)).collect();
            assert_eq!(heard, on.of, "heard in another order, or twice\n{}", self.story());
        }
    }
}
