//! A recording from the log of a run: one pass over its events.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Asked, Attempt, Course, Head, Passed, Recorded, Tried, Turn, WasRead};
use crate::event::{Answer, Decision, Event, Outcome, Record, Replanned, ResetWhy, Saw};
use crate::plan::{Plan, StepId};
use crate::state::{Decided, Files, RunState, Status};
use crate::view::MASK;

/// What happened to the step of a path so far, as it counts at the end.
#[derive(Default)]
struct Told {
    attempts: Vec<Attempt>,
    /// Attempts that began.
    begun: u32,
    /// When the latest one did.
    began_at: u64,
    /// Since when it waits.
    waits_since: u64,
    retried: Vec<Tried>,
    answers: Vec<(u32, u64, Answer)>,
}

impl Told {
    fn ended(&mut self, at: u64, outcome: &Arc<Outcome>) {
        let asked = outcome.agent.as_deref().map(|report| Asked {
            agent: report.agent.to_string(),
            backend: report.backend.to_string(),
            // Its file is hashed when somebody asks.
            prompt_sha256: String::new(),
        });
        let took = at.saturating_sub(self.began_at);
        self.attempts.push(Attempt {
            number: self.begun.max(1),
            asked,
            said: None,
            outcome: Some(outcome.clone()),
            // What it took by itself, where a clock was set meanwhile.
            took_ms: if self.began_at == 0 || took > outcome.duration_ms + 60_000 { outcome.duration_ms } else { took },
        });
    }
}

/// What is recorded in a log. `files`: of the run.
///
/// What was made again because a person wished it (a rollback, a resume from an earlier point or with an edited script)
/// counts as it was made last, and attempts that were interrupted count as if they had not been: nobody interrupts a replay.
pub fn gather(name: &str, records: &[Record], files: Arc<dyn Files>) -> Recorded {
    let mut state = RunState::default();
    let mut told: HashMap<String, Told> = HashMap::new();
    let (mut going, mut most): (HashSet<StepId>, usize) = (HashSet::new(), 1);
    for record in records {
        let before = match &*record.event {
            // The numbers of its steps are those of another plan afterwards.
            Event::Replanned(new) => kept_paths(&state, new),
            _ => Vec::new(),
        };
        state.apply(record.at, &record.event);
        let plan = state.plan.clone();
        if let Event::Waiting { step, .. }
        | Event::Retrying { step, .. }
        | Event::Finished { step, .. }
        | Event::Skipped { step, .. }
        | Event::Cancelled { step }
        | Event::Interrupted { step, .. } = &*record.event
        {
            going.remove(step);
        }
        match &*record.event {
            Event::Started { step, .. } => {
                if !plan.step(*step).task.is_group() {
                    going.insert(*step);
                    most = most.max(going.len());
                }
                let one = of(&mut told, &plan, *step);
                one.begun += 1;
                one.began_at = record.at;
            }
            Event::Waiting { step, .. } => of(&mut told, &plan, *step).waits_since = record.at,
            Event::Answered { step, answer } => {
                let one = of(&mut told, &plan, *step);
                let after = record.at.saturating_sub(one.waits_since);
                one.answers.push((one.begun.max(1), after, (**answer).clone()));
            }
            Event::Retrying { step, outcome, .. } => {
                let one = of(&mut told, &plan, *step);
                one.ended(record.at, outcome);
                one.retried.extend(outcome.error.as_ref().map(Tried::from));
            }
            Event::Finished { step, outcome, .. } => of(&mut told, &plan, *step).ended(record.at, outcome),
            Event::Interrupted { step, .. } => {
                let one = of(&mut told, &plan, *step);
                one.begun = one.begun.saturating_sub(1);
            }
            Event::Reset { steps, retired, why: ResetWhy::Rollback(_) | ResetWhy::From(_) } => {
                for step in steps.iter().chain(retired) {
                    told.remove(&state.plan.path(*step));
                }
            }
            Event::Replanned(new) => {
                going.clear();
                let kept = new.kept.iter().zip(before);
                let kept = kept.filter_map(|((new, _), old)| Some((state.plan.path(*new), told.remove(&old)?)));
                told = kept.collect::<Vec<_>>().into_iter().collect();
            }
            _ => {}
        }
    }
    let course = course(&state, &told);
    let (mut attempts, mut answers) = (BTreeMap::new(), HashMap::new());
    for (path, one) in told {
        if !one.attempts.is_empty() {
            attempts.insert(path.clone(), one.attempts);
        }
        if !one.answers.is_empty() {
            answers.insert(path, one.answers);
        }
    }
    // The others follow by themselves: groups by their children, closures by being called.
    let outside = state.plan.ids().filter(|id| state.plan.step(*id).task.leaves_process());
    let outside: HashSet<String> = outside.map(|id| state.plan.path(id)).collect();
    attempts.retain(|path, _| outside.contains(path));
    let created = &state.created;
    let head = Head {
        workflow: created.workflow.clone(),
        note: String::new(),
        run: created.run.clone(),
        file: created.file.clone(),
        args: created.args.clone(),
        at: state.started_at,
        seed: created.seed,
        // As many as there were slots, if they were ever all taken; and if not, as many as were needed.
        max_parallel: created.max_parallel.or(Some(most as u32)),
    };
    let secret = state.plan.ids().filter(|id| state.plan.is_secret(*id)).map(|id| state.plan.path(id)).collect();
    Recorded { name: name.to_owned(), head, attempts, answers, secret, course: Some(course), files }
}

fn of<'t>(told: &'t mut HashMap<String, Told>, plan: &Plan, step: StepId) -> &'t mut Told {
    told.entry(plan.path(step)).or_default()
}

/// The paths, before, of the steps that are kept.
fn kept_paths(state: &RunState, new: &Replanned) -> Vec<String> {
    new.kept.iter().map(|(_, old)| state.plan.path(*old)).collect()
}

/// The way that a run took.
fn course(state: &RunState, told: &HashMap<String, Told>) -> Course {
    let plan = &state.plan;
    let passed = |id: StepId| {
        let (step, path) = (state.step(id), plan.path(id));
        let error = step.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
        let one = told.get(&path);
        Passed {
            ended: step.status,
            attempts: one.map_or(0, |one| one.begun),
            retried: one.map(|one| one.retried.clone()).unwrap_or_default(),
            error: error.filter(|_| step.status == Status::Failed).map(Tried::from),
            step: path,
        }
    };
    let read = |saw: &Saw| WasRead {
        step: plan.path(saw.step),
        what: saw.what.clone(),
        value: if plan.is_secret(saw.step) && !saw.handles { MASK.into() } else { saw.value.clone() },
    };
    let turn = |decided: &Decided| Turn {
        step: plan.path(decided.step),
        branch: decided.branch,
        decided: match &decided.result {
            Decision::Is(is) => Some(*is),
            Decision::Failed(_) => None,
        },
        saw: decided.saw.iter().map(read).collect(),
    };
    Course {
        status: state.status,
        steps: plan.ids().filter(|id| state.is_listed(*id)).map(passed).collect(),
        turns: state.decisions.iter().map(turn).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::event::{Created, Failure, FailureKind, Log, RunStatus};
    use crate::plan::{Growth, Shell, Step, Task};

    struct Nowhere;

    impl Files for Nowhere {
        fn read(&self, _: &Log) -> std::io::Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    const A: StepId = StepId(0);

    fn recorded(events: Vec<Event>) -> Recorded {
        let task = Task::Shell(Shell { script: "true".into(), vars: Vec::new(), shell: None, direct: None });
        let growth = Growth { steps: vec![Step::new("a", task, Span::default())], ..Growth::default() };
        let first = [
            Event::Created(Box::new(Created { workflow: "w".into(), ..Created::default() })),
            Event::Planned { of: None, growth: Box::new(growth) },
        ];
        let records: Vec<Record> = first
            .into_iter()
            .chain(events)
            .enumerate()
            .map(|(n, event)| Record { seq: n as u64, at: 1_000 + 10 * n as u64, event: Arc::new(event) })
            .collect();
        gather("run x", &records, Arc::new(Nowhere))
    }

    fn began(attempt: u32) -> Event {
        Event::Started { step: A, attempt }
    }

    fn ended(attempt: u32, code: i32) -> Event {
        let error = (code != 0).then(|| Failure::new(FailureKind::Exit, "it failed"));
        let outcome = Arc::new(Outcome { error, code: Some(code), ..Outcome::default() });
        Event::Finished { step: A, attempt, outcome }
    }

    fn codes(recorded: &Recorded) -> Vec<(u32, Option<i32>)> {
        let all = recorded.attempts_of("a").unwrap_or_default();
        all.iter().map(|one| (one.number, one.outcome.as_ref().and_then(|outcome| outcome.code))).collect()
    }

    #[test]
    fn what_was_interrupted_counts_as_if_it_had_gone_on() {
        let interrupted = Event::Interrupted { step: A, attempt: 1 };
        let end = Event::Ended { status: RunStatus::Success };
        let recorded = recorded(vec![began(1), interrupted, began(2), ended(2, 0), end]);
        assert_eq!(codes(&recorded), [(1, Some(0))]);
        let course = recorded.course.expect("a whole run");
        assert_eq!((course.steps[0].attempts, course.status), (1, RunStatus::Success));
    }

    #[test]
    fn what_was_made_again_by_a_wish_counts_as_it_was_made_last() {
        let again = Event::Reset { steps: vec![A], retired: Vec::new(), why: ResetWhy::From(vec!["a".into()]) };
        let recorded = recorded(vec![began(1), ended(1, 1), again, began(2), ended(2, 0)]);
        assert_eq!(codes(&recorded), [(1, Some(0))]);
    }

    #[test]
    fn a_group_that_is_tried_again_counts_on() {
        let again = Event::Reset { steps: vec![A], retired: Vec::new(), why: ResetWhy::Retry(A) };
        let recorded = recorded(vec![began(1), ended(1, 1), again, began(2), ended(2, 0)]);
        assert_eq!(codes(&recorded), [(1, Some(1)), (2, Some(0))]);
        assert_eq!(recorded.attempt("a", 9).map(|one| one.number), Some(2));
    }
}
