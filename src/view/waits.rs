//! What a run waits for from outside, and the commands by which it goes on.

use serde_json::json;

use super::look::one_line;
use super::summary::shell_word;
use super::time::Clock;
use super::{MASK, is_secret, reason};
use crate::event::{Answer, WaitFor};
use crate::plan::{Json, OnTimeout, Plan, StepId, Task};
use crate::state::result::{plain_text, shorten};
use crate::state::{RunState, Waits};

/// Longest value shown in a line.
const VALUE: usize = 80;

/// What a step waits for, as the rest of the sentence "it waits …", with the moment until which it does.
pub(super) fn waits_for(waits: &Waits, clock: &Clock) -> String {
    match (&*waits.what, waits.until) {
        (WaitFor::Time, Some(until)) => format!("until {}", clock.time(until)),
        (what, Some(until)) => format!("{}, until {}", reason::awaited(what), clock.time(until)),
        (what, None) => reason::awaited(what),
    }
}

/// For what, in a few words.
pub(super) fn in_short(what: &WaitFor) -> String {
    match what {
        WaitFor::Time => "for a moment to come".to_owned(),
        WaitFor::Answer { .. } => "for an answer".to_owned(),
        what => reason::awaited(what),
    }
}

/// What came for a step, as a sentence without a full stop.
pub(super) fn answered(plan: &Plan, id: StepId, answer: &Answer) -> String {
    let value = match is_secret(plan, id) {
        true => MASK.to_owned(),
        false => one_line(&plain_text(&answer.value)),
    };
    let said = match (&*plan.step(id).task, answer.by.is_empty()) {
        (Task::WaitFor(_), true) => return format!("`{value}` is there"),
        (_, true) => return format!("nobody answered in time: it goes on with `{value}`"),
        (Task::Signal(_), false) if value.is_empty() => format!("{} sent the signal", one_line(&answer.by)),
        (Task::Signal(_), false) => {
            format!("{} sent the signal with `{}`", one_line(&answer.by), shorten(&value, VALUE))
        }
        (_, false) => format!("{} answered `{value}`", one_line(&answer.by)),
    };
    match one_line(&answer.comment) {
        comment if comment.is_empty() => said,
        comment => format!("{said} ({comment})"),
    }
}

/// Who answered a step, if somebody did.
pub(super) fn answered_by(state: &RunState, id: StepId) -> Option<String> {
    let answer = state.step(id).answer.as_ref()?;
    Some(one_line(&answer.by)).filter(|by| !by.is_empty())
}

/// What becomes of a step when nobody answers in time, as the rest of a sentence.
pub(super) fn otherwise(what: &WaitFor) -> Option<String> {
    Some(match what.on_timeout()? {
        OnTimeout::Fail => "it fails then".to_owned(),
        OnTimeout::Skip => "it is skipped then".to_owned(),
        OnTimeout::Answer(value) => format!("it goes on with `{}` then", one_line(&plain_text(value))),
    })
}

/// What to type so that a step goes on; nothing where only time or a file can do that.
pub fn command(run: &str, waits: &Waits) -> Option<String> {
    let path = shell_word(&waits.path);
    match &*waits.what {
        WaitFor::Answer { choices, form, .. } => {
            let choice = match (waits.what.usual_answer(), choices.first()) {
                (None, Some(first)) => format!(" {}", shell_word(first)),
                _ => String::new(),
            };
            let needed = form.iter().filter(|field| field.default.is_none());
            let set: String = needed.map(|field| format!(" --set {}=…", shell_word(&field.name))).collect();
            Some(format!("flow approve {run} {path}{choice}{set}"))
        }
        WaitFor::Signal { name, .. } => Some(format!("flow signal {run} {}", shell_word(name))),
        WaitFor::Time | WaitFor::File { .. } => None,
    }
}

/// The same, with a word that says what it does.
pub(super) fn titled_command(run: &str, waits: &Waits) -> Option<String> {
    let title = if matches!(*waits.what, WaitFor::Answer { .. }) { "answer:" } else { "signal:" };
    command(run, waits).map(|command| format!("{title} {command}"))
}

/// For other programs: `{"step", "for", "until", "command"}` and what belongs to its kind (`answer`: `prompt`,
/// `choices`, `form`; `signal`; `file`).
pub(super) fn json(run: &str, waits: &Waits) -> Json {
    let mut object = json!({ "step": waits.path, "for": "time", "until": waits.until });
    match &*waits.what {
        WaitFor::Time => {}
        WaitFor::Answer { prompt, choices, form, .. } => {
            object["for"] = "answer".into();
            object["prompt"] = prompt.as_str().into();
            object["choices"] = json!(choices);
            object["form"] = json!(form);
        }
        WaitFor::Signal { name, .. } => {
            object["for"] = "signal".into();
            object["signal"] = name.as_str().into();
        }
        WaitFor::File { path, .. } => {
            object["for"] = "file".into();
            object["file"] = path.as_str().into();
        }
    }
    object["command"] = command(run, waits).into();
    object
}
