//! What runs together: streams and their members, pipelines, races and quorums, and what alerts start.

use std::collections::HashMap;

use super::{NAMES, Story};
use crate::plan::wording::{self, list, plural};
use crate::plan::{Ack, OnError, Pipeline, Sink, StepId, Stream, Task};
use crate::state::{FlowState, Status};
use crate::view::flowed;
use crate::view::look::one_line;
use crate::view::summary::shell_word;

impl Story<'_> {
    fn quoted(&self, ids: &[StepId]) -> String {
        let paths: Vec<_> = ids.iter().map(|id| format!("`{}`", self.why.path(*id))).collect();
        list(&paths, NAMES)
    }

    /// Of a member of a stream: with whom it was started. Says whether it is one.
    pub(super) fn member(&mut self, id: StepId) -> bool {
        let plan = &self.why.state.plan;
        let Some(group) = flowed::stream_of(self.why.state, id) else { return false };
        let Task::Stream(stream) = &*plan.step(group).task else { return false };
        let others: Vec<StepId> = stream.members().filter(|other| *other != id).collect();
        self.line(&format!(
            "It was started together with {}: they are the stream `{}`.",
            self.quoted(&others),
            self.why.path(group)
        ));
        let (writers, readers) = (stream.writers(id), stream.readers(id));
        if !writers.is_empty() {
            self.line(&format!("It reads what is written by {}.", self.quoted(writers)));
        }
        if !readers.is_empty() {
            self.line(&format!("What it writes is read by {}.", self.quoted(readers)));
        }
        let policy = plan.step(id).policy();
        if policy.retry.is_some() && !writers.is_empty() {
            self.line(match policy.ack {
                Ack::End => {
                    "If it is tried again, it is given its whole input again; what it had written before may come twice."
                }
                Ack::Line => {
                    "If it is tried again, it is given the lines again that it has not answered: each is answered once."
                }
            });
        }
        true
    }

    /// What a group is made of, and how its parts stand.
    pub(super) fn parts(&mut self, id: StepId) {
        let state = self.why.state;
        match &*state.plan.step(id).task {
            Task::Stream(stream) => self.levels(stream),
            Task::Chain(children) if !children.is_empty() => {
                let levels = self.levels_of(children);
                let steps: Vec<String> = levels
                    .iter()
                    .map(|level| {
                        let steps = self.with_status(level.iter().copied());
                        if steps.len() == 1 { steps.concat() } else { format!("{} side by side", list(&steps, NAMES)) }
                    })
                    .collect();
                let (first, more) = steps.split_at(steps.len().min(NAMES));
                let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
                self.line(&format!("It is a chain: {}{more}.", first.join(", then ")));
            }
            Task::Parallel(children) if !children.is_empty() => {
                let steps = self.with_status(children.iter().copied());
                self.line(&format!("Side by side in it: {}.", list(&steps, NAMES)));
            }
            Task::Each(each) if !each.children.is_empty() => {
                let of = |status: Status| each.children.iter().filter(|id| state.step(**id).status == status).count();
                let stands = [Status::Success, Status::Failed, Status::Skipped, Status::Cancelled, Status::Running];
                let said: Vec<_> =
                    stands.into_iter().filter(|s| of(*s) > 0).map(|s| format!("{} {}", of(s), s.name())).collect();
                let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
                self.line(&format!("It is a fan-out of {}{said}.", plural(each.children.len(), "step")));
            }
            Task::Quorum(quorum) => {
                let steps = self.with_status(quorum.children.iter().copied());
                let need = match quorum.need as usize {
                    1 if quorum.race => "The first of these to succeed decides it".to_owned(),
                    need if need == quorum.children.len() => "All of these must succeed".to_owned(),
                    need => format!("{need} of these must succeed"),
                };
                self.line(&format!("{need}: {}.", list(&steps, NAMES)));
            }
            _ => {}
        }
    }

    /// The steps of a chain, those together that wait for equally many others of it.
    fn levels_of(&self, children: &[StepId]) -> Vec<Vec<StepId>> {
        let plan = &self.why.state.plan;
        let mut at: HashMap<StepId, usize> = children.iter().map(|id| (*id, 0)).collect();
        // Those before a step may stand behind it. A circle there is none; as many rounds as steps are enough.
        for _ in children {
            let mut moved = false;
            for id in children {
                let before = plan.step(*id).after.iter().filter_map(|edge| at.get(&edge.from)).max();
                let level = before.map_or(0, |before| before + 1);
                moved |= at.insert(*id, level) != Some(level);
            }
            if !moved {
                break;
            }
        }
        let mut levels = vec![Vec::new(); children.len()];
        for id in children {
            if let Some(level) = at.get(id).and_then(|level| levels.get_mut(*level)) {
                level.push(*id);
            }
        }
        levels.retain(|level| !level.is_empty());
        levels
    }

    /// ``It is a stream: `a` |> `b` |> [`c`, `d`].``
    fn levels(&mut self, stream: &Stream) {
        let level = |ids: &Vec<StepId>| {
            let steps = self.with_status(ids.iter().copied());
            if steps.len() == 1 { steps.concat() } else { format!("[{}]", list(&steps, NAMES)) }
        };
        let levels: Vec<_> = stream.levels.iter().map(level).collect();
        self.line(&format!("It is a stream, whose members run at once: {}.", levels.join(" |> ")));
    }

    /// Why a step was ended before its end, if what it belongs to was the reason.
    pub(super) fn ended_with(&self, id: StepId) -> Option<String> {
        let state = self.why.state;
        let mut at = state.plan.step(id).parent;
        while let Some(group) = at {
            let path = self.why.path(group);
            match &*state.plan.step(group).task {
                Task::Stream(stream) => {
                    let failed = |member: &StepId| *member != id && self.failed_it(*member);
                    if let Some(failed) = stream.members().find(failed) {
                        return Some(format!(
                            "because `{}` failed: a stream is worth nothing without one of its members",
                            self.why.path(failed)
                        ));
                    }
                }
                Task::Quorum(quorum) => {
                    let status = state.step(group).status;
                    let won: Vec<StepId> =
                        quorum.children.iter().copied().filter(|c| state.step(*c).status == Status::Success).collect();
                    match status {
                        Status::Success => {
                            return Some(format!("because `{path}` had enough: {} succeeded", self.quoted(&won)));
                        }
                        Status::Failed => {
                            return Some(format!(
                                "because not enough steps of `{path}` could succeed any more: {} of {} were needed",
                                quorum.need,
                                quorum.children.len()
                            ));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
            at = state.plan.step(group).parent;
        }
        None
    }

    /// Did the stream fail by this member?
    fn failed_it(&self, member: StepId) -> bool {
        let policy = self.why.state.plan.step(member).policy();
        let borne = matches!(policy.on_error, Some(OnError::Continue | OnError::Skip));
        self.why.state.step(member).status == Status::Failed && !borne
    }

    /// Of a step that an alert starts: which, and whether it was raised. Says whether it is one.
    pub(super) fn alerted(&mut self, id: StepId) -> bool {
        let state = self.why.state;
        let Some(on) = state.plan.step(id).on_alert else { return false };
        let path = self.why.path(on.step);
        let alert = state.plan.step(on.step).policy().alerts.get(on.alert as usize).map(wording::alert);
        let alert = alert.map_or(String::new(), |alert| format!(": {alert}"));
        self.line(&format!("It runs when an alert of `{path}` is raised{alert}."));
        let known = flowed::of(state, on.step).into_iter().flat_map(|flowed| &flowed.alerts);
        for (raised, at) in known.filter(|(raised, _)| raised.alert == on.alert) {
            let said = flowed::raised(state, raised);
            self.line(&format!("It was raised at {}: {said}.", self.why.clock.time(*at)));
        }
        true
    }

    /// What went through a stream, a member of one, or a pipeline, and what can be done about what was lost.
    pub(super) fn went_through(&mut self, id: StepId) {
        let state = self.why.state;
        let step = state.step(id);
        if let Some(streamed) = step.outcome.as_deref().and_then(|outcome| outcome.streamed.as_deref()) {
            if streamed.cut_short {
                let readers = self.readers(id);
                self.line(&format!(
                    "It was ended because {} had read enough (as `head` does): that is a success, cut short.",
                    if readers.is_empty() { "its reader".to_owned() } else { self.quoted(&readers) }
                ));
            }
            let whole = crate::event::Streamed { cut_short: false, ..streamed.clone() };
            self.line(&format!("Through it went: {}.", flowed::streamed(&whole)));
            let kept = step.outcome.as_deref().and_then(|o| o.stdout.as_ref()).map_or(0, |log| log.bytes);
            if let Some(said) = flowed::partly_kept(streamed, kept) {
                self.line(&format!("Not all of that can be looked at: {said}."));
            }
        }
        let readers = self.readers(id);
        if step.status == Status::Failed && !readers.is_empty() && self.failed_it(id) {
            self.line(&format!(
                "The end of its output was held back from {}: what is cut off is never taken for the whole.",
                self.quoted(&readers)
            ));
        }
        if let (Task::Pipeline(pipeline), Some(flowed)) = (&*state.plan.step(id).task, flowed::of(state, id)) {
            self.pipeline(id, pipeline, flowed);
        }
        let alerts: Vec<_> = flowed::of(state, id).into_iter().flat_map(|flowed| &flowed.alerts).collect();
        for (raised, at) in alerts {
            let said = flowed::raised(state, raised);
            self.line(&format!("At {} it raised this: {said}.", self.why.clock.time(*at)));
        }
    }

    fn readers(&self, id: StepId) -> Vec<StepId> {
        let state = self.why.state;
        match flowed::stream_of(state, id).map(|group| &*state.plan.step(group).task) {
            Some(Task::Stream(stream)) => stream.readers(id).to_vec(),
            _ => Vec::new(),
        }
    }

    fn pipeline(&mut self, id: StepId, pipeline: &Pipeline, flowed: &FlowState) {
        let (state, run) = (self.why.state, &self.why.state.created.run);
        let step = state.step(id);
        let path = shell_word(&self.why.path(id));
        let counts = flowed.reached.as_deref().map(|reached| reached.counts).unwrap_or_default();
        let delivered = match pipeline.sink {
            Sink::Discard => String::new(),
            _ => format!("; {} reached its sink", plural(counts.delivered as usize, "item")),
        };
        let words = match step.status {
            Status::Running | Status::Retrying => "So far it is done with",
            _ => "It is done with",
        };
        self.line(&format!("{words} {}{delivered}.", flowed::counts(&counts)));
        for meter in flowed.meters.iter().filter(|meter| meter.failed > 0) {
            let failed = plural(meter.failed as usize, "item");
            self.within(|story| story.line(&format!("{}: {failed} failed in it", one_line(&meter.name))));
        }
        if counts.dead > 0 {
            self.line(&format!("see: flow pipeline dead {run} {path}"));
            if state.status.is_final() {
                self.line(&format!("replay: flow pipeline replay {run} {path}"));
            }
        }
        match step.status {
            Status::Failed | Status::Cancelled => {
                self.line(&format!("What is done with stays so: `flow resume {run} --from {path}` goes on behind it."))
            }
            Status::Running if self.cut_off() => {
                self.line(&format!("What is done with stays so: `flow resume {run}` goes on behind it."));
            }
            _ => {}
        }
    }
}
