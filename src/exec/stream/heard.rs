//! What comes to an agent in a stream: lines, of which each is an event of another agent, or anything else.

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::event::AgentEvent;
use crate::plan::Json;

/// A line that came.
pub(super) struct Heard<'a> {
    /// Who wrote it.
    pub from: Cow<'a, str>,
    /// What it says. A line that is no event is a message with its text.
    pub event: AgentEvent,
}

/// Reads a line, without its end. `writers`: who may have written it.
pub(super) fn heard<'a>(line: &'a [u8], writers: &'a [SmolStr]) -> Heard<'a> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let [only] = writers {
        return Heard { from: Cow::Borrowed(only), event: event_of(line) };
    }
    match tagged(line) {
        Some((source, event)) => Heard { from: Cow::Owned(source), event },
        // One of them, and it does not say which.
        None => Heard { from: Cow::Owned(writers.join(", ")), event: event_of(line) },
    }
}

/// A line as it comes where several write (`Merge`): whose it is, and what it says.
fn tagged(line: &[u8]) -> Option<(String, AgentEvent)> {
    let Json::Object(mut line) = serde_json::from_slice(line).ok()? else { return None };
    let (Json::String(source), 1) = (line.remove("source")?, line.len()) else { return None };
    match (line.remove("value"), line.remove("text")) {
        (Some(value), _) => {
            let text = value.to_string();
            Some((source, serde_json::from_value(value).unwrap_or_else(|_| message(text))))
        }
        (None, Some(Json::String(text))) => Some((source, message(text))),
        _ => None,
    }
}

fn event_of(line: &[u8]) -> AgentEvent {
    let is_event = line.trim_ascii_start().starts_with(b"{");
    let event = if is_event { serde_json::from_slice(line).ok() } else { None };
    event.unwrap_or_else(|| message(String::from_utf8_lossy(line).into_owned()))
}

fn message(text: String) -> AgentEvent {
    AgentEvent::Text { text, delta: false, parent: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, writers: &[&str]) -> (String, String) {
        let writers: Vec<SmolStr> = writers.iter().map(SmolStr::new).collect();
        let heard = heard(line.as_bytes(), &writers);
        let event = serde_json::to_string(&heard.event).expect("plain data");
        (heard.from.into_owned(), event)
    }

    #[test]
    fn every_line_says_something() {
        let call = r#"{"type":"agent.tool_call","name":"Bash"}"#;
        assert_eq!(said(call, &["a"]), ("a".into(), call.into()));
        let text = |text: &str| format!(r#"{{"type":"agent.text","text":"{text}"}}"#);
        assert_eq!(said("plain\r", &["a"]), ("a".into(), text("plain")));
        assert_eq!(said("{broken", &["a"]), ("a".into(), text("{broken")));
        let both = ["a", "b"];
        assert_eq!(said(&format!(r#"{{"source":"b","value":{call}}}"#), &both), ("b".into(), call.into()));
        assert_eq!(said(r#"{"source":"b","text":"x"}"#, &both), ("b".into(), text("x")));
        assert_eq!(said("who?", &both), ("a, b".into(), text("who?")));
        // A line of a single writer is its own, whatever it looks like.
        assert_eq!(said(r#"{"source":"b","text":"x"}"#, &["a"]).0, "a");
    }
}
