//! What a run waits for from outside, and the commands by which it goes on.

use serde_json::json;

use super::reason;
use super::summary::shell_word;
use super::time::Clock;
use crate::event::WaitFor;
use crate::plan::Json;
use crate::state::Waits;

/// What a step waits for, as the rest of the sentence "it waits …", with the moment until which it does.
pub(super) fn waits_for(waits: &Waits, clock: &Clock) -> String {
    match (&*waits.what, waits.until) {
        (WaitFor::Time, Some(until)) => format!("until {}", clock.time(until)),
        (what, Some(until)) => format!("{}, until {}", reason::awaited(what), clock.time(until)),
        (what, None) => reason::awaited(what),
    }
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
