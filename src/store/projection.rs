//! The row of a run in `runs`: what can be said of it without reading its events, folded as they come.
//!
//! The same words as [`crate::state`], but without the plan and the outcomes: one byte a step.

use crate::event::{Event, Replanned, RunStatus};
use crate::plan::{Growth, Step, StepId};

/// How many steps there are and how they ended. Groups do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Steps of the plan, as far as it has grown.
    pub total: u64,
    /// Ended well.
    pub success: u64,
    /// Ended badly, handled or not.
    pub failed: u64,
    /// Will not run.
    pub skipped: u64,
    /// Ended, or kept from starting, with the run.
    pub cancelled: u64,
}

impl Counts {
    /// Steps that are over.
    pub fn done(&self) -> u64 {
        self.success + self.failed + self.skipped + self.cancelled
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Open,
    Success,
    Failed,
    Skipped,
    Cancelled,
    Group,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Projection {
    pub(super) status: RunStatus,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    pub(super) ended_at: Option<u64>,
    pub(super) counts: Counts,
    /// Does the plan declare breakers?
    pub(super) uses_breakers: bool,
    steps: Vec<Mark>,
}

impl Projection {
    /// Writes down one event. `at`: milliseconds since 1970.
    pub(super) fn apply(&mut self, at: u64, event: &Event) {
        self.updated_at = at;
        match event {
            Event::Created(_) => self.created_at = at,
            Event::Planned { growth, .. } => self.grow(growth),
            Event::Opened { .. } => self.status = RunStatus::Running,
            Event::Started { step, .. } | Event::Interrupted { step, .. } => self.mark(*step, Mark::Open),
            Event::Finished { step, outcome, .. } => {
                self.mark(*step, if outcome.error.is_none() { Mark::Success } else { Mark::Failed });
            }
            Event::Skipped { step, .. } => self.mark(*step, Mark::Skipped),
            Event::Cancelled { step } => self.mark(*step, Mark::Cancelled),
            Event::Paused => self.status = RunStatus::Paused,
            Event::Ended { status } => {
                self.status = *status;
                self.ended_at = Some(at);
            }
            // Its `Reset` says what is open again.
            Event::RollingBack(_) => self.ended_at = None,
            Event::Reset { steps, retired, .. } => {
                self.reopen();
                steps.iter().for_each(|step| self.mark(*step, Mark::Open));
                for step in retired {
                    self.mark(*step, Mark::Open);
                    if let Some(mark @ Mark::Open) = self.steps.get_mut(step.index()) {
                        *mark = Mark::Group;
                        self.counts.total -= 1;
                    }
                }
            }
            Event::Replanned(new) => self.replan(new),
            Event::Answered { .. }
            | Event::Decided { .. }
            | Event::Flowed(_)
            | Event::Used(_)
            | Event::Alerted(_)
            | Event::Retrying { .. }
            | Event::Waiting { .. }
            | Event::Stopping { .. }
            | Event::Printed { .. } => {}
        }
    }

    fn grow(&mut self, growth: &Growth) {
        self.uses_breakers |= !growth.breakers.is_empty();
        self.uses_breakers |= growth.header.as_ref().is_some_and(|header| !header.breakers.is_empty());
        let mark = |is_group| if is_group { Mark::Group } else { Mark::Open };
        self.steps.reserve(growth.steps.len());
        for step in &growth.steps {
            self.add(step);
        }
        for (id, step) in &growth.changed {
            let is_group = step.task.is_group();
            match self.steps.get(id.index()) {
                Some(now) if (*now == Mark::Group) != is_group => {
                    self.mark(*id, Mark::Open);
                    self.steps[id.index()] = mark(is_group);
                    self.counts.total = self.counts.total + u64::from(!is_group) - u64::from(is_group);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, step: &Step) {
        // What undoes a step is not counted: it may never run.
        let counts = !step.task.is_group() && step.undoes.is_none();
        self.steps.push(if counts { Mark::Open } else { Mark::Group });
        self.counts.total += u64::from(counts);
    }

    fn replan(&mut self, new: &Replanned) {
        let before = std::mem::take(&mut self.steps);
        self.reopen();
        self.counts = Counts::default();
        self.uses_breakers |= !new.plan.header.breakers.is_empty();
        new.plan.steps.iter().for_each(|step| self.add(step));
        for (id, old) in &new.kept {
            match before.get(old.index()) {
                Some(Mark::Open | Mark::Group) | None => {}
                Some(mark) => self.mark(*id, *mark),
            }
        }
    }

    /// A run that was at its end is no more.
    fn reopen(&mut self) {
        self.ended_at = None;
        if self.status.is_final() {
            self.status = RunStatus::Paused;
        }
    }

    /// A step can become open again: a group is tried again with all its steps.
    fn mark(&mut self, step: StepId, mark: Mark) {
        let Some(place) = self.steps.get_mut(step.index()) else { return };
        if *place == Mark::Group {
            return;
        }
        let before = std::mem::replace(place, mark);
        if let Some(count) = self.count(before) {
            *count -= 1;
        }
        if let Some(count) = self.count(mark) {
            *count += 1;
        }
    }

    fn count(&mut self, mark: Mark) -> Option<&mut u64> {
        match mark {
            Mark::Open | Mark::Group => None,
            Mark::Success => Some(&mut self.counts.success),
            Mark::Failed => Some(&mut self.counts.failed),
            Mark::Skipped => Some(&mut self.counts.skipped),
            Mark::Cancelled => Some(&mut self.counts.cancelled),
        }
    }
}

/// The status of a name in the table.
pub(super) fn status(name: &str) -> Option<RunStatus> {
    RunStatus::ALL.into_iter().find(|status| status.name() == name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Span;
    use crate::event::{Because, Failure, FailureKind, Outcome, Skip};
    use crate::plan::{Step, Task};

    fn fold(events: &[Event]) -> Projection {
        let mut projection = Projection::default();
        for (at, event) in events.iter().enumerate() {
            projection.apply(at as u64, event);
        }
        projection
    }

    #[test]
    fn counts_tasks_and_their_ends() {
        let step = |name: &str, task| Step::new(name, task, Span::at(1, 1));
        let planned = Event::Planned {
            of: None,
            growth: Box::new(Growth {
                steps: vec![
                    step("group", Task::Chain(vec![StepId(1), StepId(2)])),
                    step("a", Task::Wait(1)),
                    step("b", Task::Wait(1)),
                    step("c", Task::Wait(1)),
                ],
                ..Growth::default()
            }),
        };
        let started = |step| Event::Started { step: StepId(step), attempt: 1 };
        let finished = |step, ok: bool| {
            let error = (!ok).then(|| Failure::new(FailureKind::Exit, "no"));
            Event::Finished {
                step: StepId(step),
                attempt: 1,
                outcome: Arc::new(Outcome { error, ..Outcome::default() }),
            }
        };
        let skipped = Event::Skipped { step: StepId(3), reason: Skip::NotTaken(Because::Condition) };
        let opened = Event::Opened { pid: 1, host: String::new(), flow: String::new() };
        let mut events = vec![planned, opened, started(0), started(1), finished(1, false), skipped];
        assert_eq!(fold(&events).counts, Counts { total: 3, failed: 1, skipped: 1, ..Counts::default() });
        assert_eq!(fold(&events).status, RunStatus::Running);

        events.extend([started(1), finished(1, true), finished(2, true), finished(0, true)]);
        events.push(Event::Ended { status: RunStatus::Success });
        let end = fold(&events);
        assert_eq!(end.counts, Counts { total: 3, success: 2, skipped: 1, ..Counts::default() });
        assert_eq!((end.status, end.ended_at, end.counts.done()), (RunStatus::Success, Some(10), 3));
    }

    #[test]
    fn an_event_of_an_unknown_step_does_no_harm() {
        assert_eq!(fold(&[Event::Cancelled { step: StepId(9) }]).counts, Counts::default());
    }
}
