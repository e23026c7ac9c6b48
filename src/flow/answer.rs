//! Answering a step that asks a person.
//!
//! An answer is checked against what is asked, and kept with the run (`store::inbox`); an attempt of a step gets one. The
//! process that works on the run takes it from there, or the next one that does.

use serde_json::Map;

use super::{Flow, resume, who};
use crate::diag::{Diagnostic, Result, nearest};
use crate::engine::drive::now;
use crate::engine::waiting::{Waiting, waiting_for};
use crate::event::{Answer, Event, Record, WaitFor};
use crate::plan::wording::list;
use crate::plan::{Field, Json, StepId, Task};
use crate::state::form::filled;
use crate::state::result::plain_text;
use crate::state::{RunState, Status, Waits};
use crate::store::{Addressee, Letter};
use crate::view::time::Clock;

/// Names that are listed in a message.
const LISTED: usize = 5;

/// What somebody answers.
#[derive(Clone, Debug, Default)]
pub struct Answering {
    /// One of the choices. Nothing: `yes`, where the choices are `yes` and `no`.
    pub choice: Option<String>,
    /// The values of the form. Texts are read as the field's kind; what is left out has its default.
    pub form: Map<String, Json>,
    /// Who. Nothing: [`super::who`].
    pub by: Option<String>,
    /// What else there is to say.
    pub comment: String,
}

/// Something that was said to a run and is kept for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// The run's full id.
    pub run: String,
    /// To whom, and what.
    pub letter: Letter,
    /// A signal only: no step of the plan waits for it so far, but the plan may still grow.
    pub early: bool,
}

impl Flow {
    /// What a run waits for from outside.
    ///
    /// # Errors
    /// `flow::run::unknown`.
    pub fn waiting(&self, run: &str) -> Result<Vec<Waits>> {
        Ok(self.state(run)?.waits())
    }

    /// Answers a step that asks (its path, or the end of it). Nothing said: the one that does. Only keeps the answer: a
    /// process that works on the run takes it within a moment ([`Flow::taken`]); otherwise, resume it.
    ///
    /// # Errors
    /// `flow::answer::…` says what is wrong with the step or the answer, `flow::run::…` what is with the run. Then
    /// nothing was changed.
    pub fn approve<'a>(&self, run: &str, step: impl Into<Option<&'a str>>, answering: Answering) -> Result<Posted> {
        let run = self.find(run)?;
        let records = self.records(&run, 0)?;
        let state = RunState::of(&records);
        let step = step.into();
        if state.status.is_final() {
            let answered = step.and_then(|step| answer_of(&records, self.find_step(&state, step).ok()?));
            return Err(match (step, answered) {
                (Some(step), Some(answer)) => answered_already(step, answer),
                _ => resume::over(&run, state.status).help("`flow show` shows what it did"),
            });
        }
        let asked = self.asked(&state, &records, step)?;
        let answer = answer(&asked, answering)?;
        let to = Addressee::Step { path: asked.path.clone(), attempt: asked.attempt };
        match self.store()?.post(&run, Letter { to: to.clone(), answer: answer.clone() })? {
            Ok(number) => {
                let letter = Letter { to, answer: Answer { letter: number, ..answer } };
                Ok(Posted { run, letter, early: false })
            }
            Err(first) => Err(answered_already(&asked.path, &first.answer)),
        }
    }

    /// The step that is answered.
    fn asked(&self, state: &RunState, records: &[Record], step: Option<&str>) -> Result<Waits> {
        let run = &state.created.run;
        let asks = |waits: &Waits| matches!(*waits.what, WaitFor::Answer { .. });
        let mut asking: Vec<Waits> = state.waits().into_iter().filter(asks).collect();
        let Some(name) = step else {
            let paths: Vec<_> = asking.iter().map(|waits| format!("`{}`", waits.path)).collect();
            return match asking.len() {
                1 => Ok(asking.remove(0)),
                0 => Err(Diagnostic::new("flow::answer::nobody", format!("no step of run `{run}` asks for an answer"))
                    .help(format!("`flow why {run}` says what it waits for"))),
                n => {
                    Err(Diagnostic::new("flow::answer::nobody", format!("{n} steps of run `{run}` ask for an answer"))
                        .help(format!("say which: {}", list(&paths, LISTED))))
                }
            };
        };
        let id = self.find_step(state, name).map_err(|problem| match asking.as_slice() {
            [one] if can_be_answered(one, name) => {
                problem.help(format!("to answer `{name}`: `flow approve {run} {} {name}`", one.path))
            }
            _ => problem,
        })?;
        match asking.iter().position(|waits| waits.step == id) {
            Some(place) => Ok(asking.remove(place)),
            None => Err(not_asking(state, records, id)),
        }
    }
}

fn can_be_answered(waits: &Waits, with: &str) -> bool {
    matches!(&*waits.what, WaitFor::Answer { choices, .. } if choices.iter().any(|choice| choice == with))
}

/// Checks an answer against what is asked.
fn answer(asked: &Waits, answering: Answering) -> Result<Answer> {
    let path = &asked.path;
    let at = now();
    let (choices, fields, refusable): (_, &[Field], _) = match &*asked.what {
        WaitFor::Answer { choices, form, refusable, .. } => (choices.as_slice(), form, *refusable),
        _ => (&[], &[], false),
    };
    if let Some(until) = asked.until.filter(|until| *until <= at) {
        let until = Clock::local(at).time(until);
        return Err(Diagnostic::new("flow::answer::late", format!("`{path}` was to be answered until {until}"))
            .help("`flow resume` goes on with the run as the script says for that case"));
    }
    let names: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let choice = match answering.choice.or_else(|| asked.what.usual_answer().map(str::to_owned)) {
        Some(choice) => choice,
        None => {
            return Err(Diagnostic::new("flow::answer::choice", format!("`{path}` needs one of its answers"))
                .help(format!("say which: {}", list(&names, usize::MAX))));
        }
    };
    if choices.iter().all(|known| *known != choice) {
        let help = match nearest(&choice, choices.iter().map(|known| known.as_str())) {
            Some(near) => format!("did you mean `{near}`? It takes {}", list(&names, usize::MAX)),
            None => format!("it takes {}", list(&names, usize::MAX)),
        };
        return Err(Diagnostic::new("flow::answer::choice", format!("`{choice}` is no answer to `{path}`")).help(help));
    }
    // Who refuses need not fill in a form.
    let refused = refusable && choice == "no";
    let form = filled(path, fields, &answering.form, !refused)?;
    let by = answering.by.filter(|by| !by.trim().is_empty()).unwrap_or_else(who::who);
    Ok(Answer { value: choice.into(), form, by, at, comment: answering.comment, letter: 0 })
}

/// Why a step cannot be answered that does not ask now.
fn not_asking(state: &RunState, records: &[Record], id: StepId) -> Diagnostic {
    let (run, path, planned, step) = (&state.created.run, state.plan.path(id), state.plan.step(id), state.step(id));
    match &*planned.task {
        Task::Approve(_) => {}
        task => {
            let problem = Diagnostic::new(
                "flow::answer::not_asked",
                format!("`{path}` asks nobody: it is {} step", a(task.kind())),
            );
            if let Task::Signal(wait) = task {
                return problem.help(format!("it waits for a signal: `flow signal {run} {}`", wait.signal));
            }
            let approvals = state.plan.ids().filter(|id| matches!(*state.plan.step(*id).task, Task::Approve(_)));
            let approvals: Vec<_> = approvals.map(|id| state.plan.path(id)).collect();
            let near = nearest(&path, approvals.iter().map(String::as_str));
            let names: Vec<_> = approvals.iter().map(|path| format!("`{path}`")).collect();
            return problem.help(match (near, names.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "no step of this run does".to_owned(),
                (None, false) => format!("these do: {}", list(&names, LISTED)),
            });
        }
    }
    if step.status.is_final() {
        return match answer_of(records, id) {
            Some(answer) => answered_already(&path, answer),
            None => Diagnostic::new("flow::answer::over", format!("`{path}` is over: {}", step.status.name()))
                .help(format!("`flow why {run} {path}` says why")),
        };
    }
    Diagnostic::new("flow::answer::early", format!("`{path}` does not ask yet: {}", waits_first_for(state, id)))
        .help(format!("`flow why {run} {path}` says more; answer it when it asks"))
}

fn a(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} `{kind}`")
}

/// What is in the way of a step, as the rest of a sentence.
fn waits_first_for(state: &RunState, id: StepId) -> String {
    let name = |id: &StepId| format!("`{}`", state.plan.path(*id));
    let names = |ids: &[StepId]| list(&ids.iter().map(name).collect::<Vec<_>>(), LISTED);
    if state.step(id).status == Status::Retrying {
        return "its next attempt has not begun".to_owned();
    }
    match waiting_for(state, id) {
        Waiting::Steps(ids) | Waiting::Condition(ids) if !ids.is_empty() => format!("it waits for {}", names(&ids)),
        Waiting::StartHooks(ids) => format!("start hooks come first: {}", names(&ids)),
        Waiting::Group(group) => format!("`{}`, which it is in, has not begun", state.plan.path(group)),
        Waiting::Choice(flow) => format!("`{}` has not chosen its branch", state.plan.path(flow)),
        Waiting::Moment(_) => "it is a hook, for the end of the run".to_owned(),
        Waiting::Stopped(_) => "the run is being stopped".to_owned(),
        Waiting::Alert(watched) => format!("no alert of `{}` has been raised", state.plan.path(watched)),
        Waiting::Writes { other, own, .. } => {
            format!("it writes `{own}`, and so may `{}`, which runs", state.plan.path(other))
        }
        Waiting::Limit { name, .. } => format!("it waits for room at the limit `{name}`"),
        _ => "it has not begun".to_owned(),
    }
}

/// What a step was answered last.
pub(super) fn answer_of(records: &[Record], id: StepId) -> Option<&Answer> {
    records.iter().rev().find_map(|record| match &*record.event {
        Event::Answered { step, answer } if *step == id => Some(&**answer),
        _ => None,
    })
}

/// Who was first.
fn answered_already(path: &str, first: &Answer) -> Diagnostic {
    Diagnostic::new("flow::answer::again", format!("`{path}` is answered already: {}", told(first)))
        .help("an answer is accepted once")
}

/// `yes by ann at 12:00:03`
pub(super) fn told(answer: &Answer) -> String {
    let clock = Clock::local(now());
    let by = if answer.by.is_empty() { String::new() } else { format!(" by {}", answer.by) };
    match plain_text(&answer.value) {
        value if value.is_empty() => format!("sent{by} at {}", clock.time(answer.at)),
        value => format!("`{value}`{by} at {}", clock.time(answer.at)),
    }
}
