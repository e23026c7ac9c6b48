//! Sending a signal to a run.

use super::answer::{Posted, answer_of, told};
use super::{Flow, resume, who};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::engine::drive::now;
use crate::event::{Answer, Record};
use crate::plan::{Json, StepId, Task};
use crate::state::RunState;
use crate::store::{Addressee, Letter};

impl Flow {
    /// Sends a signal to a run. The first step that waits for this name takes it; if none does yet, it is kept until one
    /// does. Two signals of one name go to two steps. `by`: nothing said: [`super::who`].
    ///
    /// # Errors
    /// `flow::signal::unknown` if no step of the plan waits for such a signal and the plan cannot grow any more,
    /// `flow::signal::over` if all that do are over; `flow::run::…`. Then nothing was changed.
    pub fn signal(&self, run: &str, name: &str, value: Json, by: Option<String>) -> Result<Posted> {
        let run = self.find(run)?;
        let records = self.records(&run, 0)?;
        let state = RunState::of(&records);
        if state.status.is_final() {
            return Err(resume::over(&run, state.status).help("`flow show` shows what it did"));
        }
        let early = check(&state, &records, name)?;
        let by = by.filter(|by| !by.trim().is_empty()).unwrap_or_else(who::who);
        let answer = Answer { value, by, at: now(), ..Answer::default() };
        let letter = Letter { to: Addressee::Signal(name.to_owned()), answer };
        let number = self.store()?.post(&run, letter.clone())?.unwrap_or_default();
        let letter = Letter { answer: Answer { letter: number, ..letter.answer }, ..letter };
        Ok(Posted { run, letter, early })
    }
}

/// Can a step still take such a signal? Gives whether it would have to be one that is not in the plan yet.
fn check(state: &RunState, records: &[Record], name: &str) -> Result<bool> {
    let plan = &state.plan;
    let signal = |id: &StepId| match &*plan.step(*id).task {
        Task::Signal(wait) if !plan.step(*id).retired => Some(wait.signal.as_str()),
        _ => None,
    };
    let named: Vec<StepId> = plan.ids().filter(|id| signal(id) == Some(name)).collect();
    if named.iter().any(|id| !state.step(*id).status.is_final()) {
        return Ok(false);
    }
    if can_grow(state) {
        return Ok(true);
    }
    if let Some(last) = named.last() {
        let message = match answer_of(records, *last) {
            Some(answer) => format!("the signal `{name}` has come: {}", told(answer)),
            None => format!("no step waits for the signal `{name}` any more"),
        };
        let path = plan.path(*last);
        return Err(Diagnostic::new("flow::signal::over", message)
            .help(format!("`{path}`, which waited for it, is over: {}", state.step(*last).status.name())));
    }
    let mut names: Vec<&str> = plan.ids().filter_map(|id| signal(&id)).collect();
    names.sort_unstable();
    names.dedup();
    let help = did_you_mean(name, names.iter().copied());
    Err(Diagnostic::new("flow::signal::unknown", format!("no step of the run waits for a signal `{name}`")).help(
        help.unwrap_or_else(|| match names.len() {
            0 => "the run waits for no signals; `flow why` says what it waits for".to_owned(),
            _ => "`flow show` lists the steps of a run".to_owned(),
        }),
    ))
}

/// May the plan get further steps?
fn can_grow(state: &RunState) -> bool {
    let plan = &state.plan;
    let grows = |id: StepId| match &*plan.step(id).task {
        Task::Each(each) => each.items.is_some() && state.step(id).expansions == 0,
        Task::Repeat(_) => true,
        Task::Workflow(workflow) => !workflow.expanded && state.step(id).expansions == 0,
        _ => false,
    };
    !plan.complete || plan.ids().any(|id| !state.step(id).status.is_final() && grows(id))
}
