//! The fake executor: processes that never run, with the outcomes one gives them. For dry runs and for tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::plan::{Json, StepId, Task};

use super::running::Running;
use super::simulated::counts_of;
use super::workers::{Keep, inside};
use super::{Closures, Done, Executor, Report, Work};

/// See the module's page. Whatever stays inside the process is done for real, at once, on the caller's thread.
pub struct Fake {
    closures: Arc<dyn Closures>,
    report: Report,
    running: Arc<Running>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outcomes: HashMap<String, Vec<Outcome>>,
    held: HashMap<String, (StepId, u32)>,
    started: Vec<(String, u32)>,
    holds: bool,
}

impl Fake {
    /// A fake whose processes all succeed at once, without output.
    pub fn new(closures: Arc<dyn Closures>, report: Report) -> Self {
        Fake { closures, report, running: Running::new(Duration::ZERO, false), state: Mutex::default() }
    }

    /// The outcomes of a step's attempts, by its path; the last one is also that of all further attempts.
    #[must_use]
    pub fn with(self, path: &str, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        self.state().outcomes.insert(path.to_owned(), outcomes.into_iter().collect());
        self
    }

    /// Processes then go on until [`Fake::end`] or a kill.
    #[must_use]
    pub fn holding(self) -> Self {
        self.state().holds = true;
        self
    }

    /// The processes started so far, in order: path and attempt.
    pub fn started(&self) -> Vec<(String, u32)> {
        self.state().started.clone()
    }

    /// Ends a process that is held; gives false if there is none of this path.
    pub fn end(&self, path: &str) -> bool {
        let held = self.state().held.remove(path);
        if let Some((step, attempt)) = held {
            let outcome = Arc::new(self.outcome(path, attempt));
            (self.report)(Done::Finished { step, attempt, outcome });
        }
        held.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self, path: &str, attempt: u32) -> Outcome {
        let state = self.state();
        let given = state.outcomes.get(path).and_then(|all| all.get(attempt as usize - 1).or(all.last()));
        given.cloned().unwrap_or_else(|| Outcome {
            code: Some(0),
            output: Output::Value("".into()),
            ..Outcome::default()
        })
    }
}

impl Executor for Fake {
    fn start(&self, work: Vec<Work>) {
        for work in work {
            let done = match work {
                Work::Attempt(job) if job.task.leaves_process() => {
                    let mut state = self.state();
                    state.started.push((job.path.clone(), job.attempt));
                    if state.holds {
                        state.held.insert(job.path, (job.step, job.attempt));
                        continue;
                    }
                    drop(state);
                    let mut outcome = self.outcome(&job.path, job.attempt);
                    if let Task::Pipeline(_) = *job.task
                        && outcome.fields.is_empty()
                    {
                        outcome.fields = counts_of(&Json::Null);
                    }
                    let outcome = Arc::new(outcome);
                    Done::Finished { step: job.step, attempt: job.attempt, outcome }
                }
                // Nothing is kept where nothing is done.
                Work::Lookup(job) => Done::Missed(Box::new(job)),
                work => inside(&*self.closures, &self.running, &Keep::default(), work),
            };
            (self.report)(done);
        }
    }

    fn kill(&self, step: StepId, attempt: u32, _hard: bool) {
        let mut state = self.state();
        let path = state.held.iter().find(|(_, held)| **held == (step, attempt)).map(|(path, _)| path.clone());
        if let Some(path) = path {
            state.held.remove(&path);
            drop(state);
            let error = Failure::new(FailureKind::Cancelled, "it was ended before it was done");
            let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
            (self.report)(Done::Finished { step, attempt, outcome });
        }
    }
}
