//! A line of a program: a JSON object, or something else.

use serde_json::Map;

use crate::event::{AgentError, AgentEvent};
use crate::plan::Json;

/// What a line holds.
pub(super) enum Line {
    /// Nothing but blanks.
    Empty,
    /// A JSON object.
    Object(Map<String, Json>),
    /// Anything else.
    Text(String),
}

/// Reads a line. A byte order mark before it and blanks around it do not count; what is not UTF-8 is replaced.
pub(super) fn read(line: &[u8]) -> Line {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Line::Empty;
    }
    if line.starts_with(b"{") {
        let object = match std::str::from_utf8(line) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_str(&String::from_utf8_lossy(line)),
        };
        if let Ok(object) = object {
            return Line::Object(object);
        }
    }
    Line::Text(String::from_utf8_lossy(line).into_owned())
}

/// The object of a line; what is none goes to `out`, if it is anything.
pub(super) fn object(line: &[u8], out: &mut Vec<AgentEvent>) -> Option<Map<String, Json>> {
    match read(line) {
        Line::Empty => None,
        Line::Object(object) => Some(object),
        Line::Text(text) => {
            out.push(other("text", &text));
            None
        }
    }
}

/// An event for which flow has no word.
pub(super) fn other(what: impl Into<String>, text: &str) -> AgentEvent {
    AgentEvent::Other { what: what.into(), text: short(text) }
}

/// The beginning of a text, for people.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 300;
    let text = text.trim();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text in an object.
pub(super) fn text<'a>(object: &'a Map<String, Json>, key: &str) -> &'a str {
    object.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// A number in an object, 0 where there is none. Also one that is written as a fraction.
pub(super) fn number(object: &Map<String, Json>, key: &str) -> u64 {
    object.get(key).map_or(0, whole)
}

/// As [`number`].
pub(super) fn whole(value: &Json) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|number| number.max(0.0) as u64)).unwrap_or_default()
}

/// An object in an object.
pub(super) fn inner<'a>(object: &'a Map<String, Json>, key: &str) -> Option<&'a Map<String, Json>> {
    object.get(key).and_then(Json::as_object)
}

/// A value as text: a text as it is, blocks with texts joined, anything else as JSON.
pub(super) fn as_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(blocks) => blocks.iter().map(block_text).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A block: its text if it has one; what else it is otherwise, without its bytes.
fn block_text(block: &Json) -> String {
    match block {
        Json::Object(block) if block.get("text").is_some_and(Json::is_string) => text(block, "text").to_owned(),
        Json::Object(block) if block.contains_key("source") => format!("[{}]", text(block, "type")),
        other => as_text(other),
    }
}

/// A list in an object; none is an empty one.
pub(super) fn list<'a>(object: &'a Map<String, Json>, key: &str) -> &'a [Json] {
    object.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The HTTP status that a message names: `status 429`, `last status: 429 Too Many Requests`.
pub(super) fn status_in(message: &str) -> Option<u16> {
    let lower = message.to_ascii_lowercase();
    lower.split("status").skip(1).find_map(|rest| {
        let number: String = rest
            .trim_start_matches([' ', ':', '=', '"', '_'])
            .trim_start_matches("code")
            .chars()
            .skip_while(|c| " :=\"".contains(*c))
            .take_while(char::is_ascii_digit)
            .collect();
        number.parse().ok().filter(|status| (100..600).contains(status))
    })
}

/// What a program says of a failure. Often it is the server's answer as it came, with or without words around it.
pub(super) fn said_error(said: &str) -> AgentError {
    let answer = said.find('{').and_then(|start| {
        serde_json::Deserializer::from_str(&said[start..]).into_iter::<Json>().next().and_then(Result::ok)
    });
    let inside = answer.as_ref().and_then(|answer| answer.get("error")).and_then(Json::as_object);
    let message = inside.map(|error| text(error, "message")).filter(|message| !message.is_empty()).unwrap_or(said);
    let code =
        inside.map(|error| [text(error, "code"), text(error, "type"), text(error, "status")]).unwrap_or_default();
    let status =
        inside.and_then(|error| error.get("code")).and_then(Json::as_u64).and_then(|code| u16::try_from(code).ok());
    AgentError {
        message: short(message),
        code: code.into_iter().find(|code| !code.is_empty()).unwrap_or_default().to_owned(),
        status: status.filter(|status| (100..600).contains(status)).or_else(|| status_in(said)),
        retry_after_ms: None,
        limit: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found() {
        for (message, status) in [
            ("unexpected status 401 Unauthorized", Some(401)),
            ("last status: 429 Too Many Requests", Some(429)),
            ("{\"status\":503}", Some(503)),
            ("status code: 500", Some(500)),
            ("the status of 3 things", None),
            ("status 7", None),
            ("no luck", None),
        ] {
            assert_eq!(status_in(message), status, "{message}");
        }
    }

    #[test]
    fn blocks_become_text() {
        let blocks =
            serde_json::json!([{"type":"text","text":"a"},{"type":"image","source":{"data":"AAAA"}},{"k":1},"b"]);
        assert_eq!(as_text(&blocks), "a\n[image]\n{\"k\":1}\nb");
        assert_eq!(short(&"é".repeat(400)).chars().count(), 301);
    }
}
