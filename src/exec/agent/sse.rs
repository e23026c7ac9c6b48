//! Server-sent events, as models' servers send them: each is one `data:` line with JSON. What else comes is what a server says that refuses.

use serde_json::Map;

use crate::event::AgentError;
use crate::plan::Json;

use super::line::{short, text};

/// Reads the lines of an answer.
#[derive(Default)]
pub(super) struct Events {
    /// The status, if it is none of a success.
    refused: Option<u16>,
    retry_after_ms: Option<u64>,
    /// Lines that are no events.
    rest: String,
}

/// What a line holds.
pub(super) enum Sent {
    /// Nothing that counts.
    Nothing,
    /// An event's data.
    Data(Map<String, Json>),
    /// `[DONE]`
    Done,
}

/// Most of a refusal that is kept, in bytes.
const MOST: usize = 64 * 1024;

impl Events {
    /// The answer has this status.
    pub fn status(&mut self, status: u16, retry_after_ms: Option<u64>) {
        self.refused = (!(200..300).contains(&status)).then_some(status);
        self.retry_after_ms = retry_after_ms;
    }

    /// Reads a line.
    pub fn line(&mut self, line: &[u8]) -> Sent {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii_end();
        if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.trim_ascii();
            if data == b"[DONE]" {
                return Sent::Done;
            }
            if let Ok(data) = serde_json::from_slice(data) {
                return Sent::Data(data);
            }
        }
        let known = [&b"event:"[..], b"id:", b"retry:", b":"].iter().any(|field| line.starts_with(field));
        if !known && !line.is_empty() && self.rest.len() < MOST {
            self.rest.push_str(&String::from_utf8_lossy(line));
            self.rest.push('\n');
        }
        Sent::Nothing
    }

    /// At the end: what the server said instead of an answer.
    pub fn refusal(&self) -> Option<AgentError> {
        let said: Option<Json> = serde_json::from_str(self.rest.trim()).ok();
        let inside = said.as_ref().map(|said| said.get("error").unwrap_or(said));
        if self.refused.is_none() && !inside.is_some_and(Json::is_object) {
            return None;
        }
        let mut error = inside.and_then(Json::as_object).map(problem).unwrap_or_default();
        if error.message.is_empty() {
            // `{"error": "model not found"}`, or no JSON at all.
            error.message = short(inside.and_then(Json::as_str).unwrap_or(&self.rest));
        }
        if error.message.is_empty() {
            error.message = match self.refused {
                Some(status) => format!("the server answered with status {status}"),
                None => "the server says that it failed".to_owned(),
            };
        }
        error.status = self.refused.or(error.status);
        error.retry_after_ms = self.retry_after_ms;
        Some(error)
    }

    /// A trouble that came in the stream.
    pub fn trouble(&self, error: &Json) -> AgentError {
        let mut said = match error {
            Json::Object(error) => problem(error),
            other => AgentError { message: super::line::as_text(other), ..AgentError::default() },
        };
        if said.message.is_empty() {
            said.message = "the server broke off with an error".to_owned();
        }
        said.retry_after_ms = self.retry_after_ms;
        said
    }
}

/// A server's error. What it is called tells the status that it would have had, where one came in a stream that had begun well.
fn problem(error: &Map<String, Json>) -> AgentError {
    let code = error.get("code");
    let name = [code.and_then(Json::as_str).unwrap_or_default(), text(error, "type"), text(error, "status")];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let status = match name {
        "overloaded_error" => Some(529),
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => Some(429),
        "api_error" | "server_error" => Some(500),
        "authentication_error" | "invalid_api_key" => Some(401),
        "permission_error" => Some(403),
        "billing_error" => Some(402),
        "not_found_error" | "model_not_found" => Some(404),
        "request_too_large" => Some(413),
        "invalid_request_error" => Some(400),
        "timeout_error" => Some(504),
        _ => code
            .and_then(Json::as_u64)
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (100..600).contains(code)),
    };
    AgentError {
        message: short(text(error, "message")),
        code: name.to_owned(),
        status,
        retry_after_ms: None,
        limit: false,
    }
}

/// A base address and what follows it, whichever part of that it has already.
pub(super) fn address(base: &str, version: &str, end: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(end) {
        return base.to_owned();
    }
    let path = base.split_once("://").map_or(base, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
    if path.is_empty() { format!("{base}/{version}/{end}") } else { format!("{base}/{end}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, after: Option<u64>, body: &str) -> Option<AgentError> {
        let mut events = Events::default();
        events.status(status, after);
        for line in body.lines() {
            assert!(matches!(events.line(line.as_bytes()), Sent::Nothing));
        }
        events.refusal()
    }

    #[test]
    fn a_refusal_is_understood_in_all_its_forms() {
        let error = refusal(
            529,
            Some(3000),
            "{\"type\":\"error\",\n \"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        );
        let error = error.expect("it is one");
        assert_eq!(
            (error.message.as_str(), error.code.as_str(), error.status),
            ("Overloaded", "overloaded_error", Some(529))
        );
        assert_eq!(error.retry_after_ms, Some(3000));
        for (status, body, message) in [
            (401, "{\"error\":{\"message\":\"bad key\",\"code\":\"invalid_api_key\"}}", "bad key"),
            (404, "{\"error\":\"model `x` not found\"}", "model `x` not found"),
            (502, "<html>\n<h1>Bad gateway</h1>", "<html>\n<h1>Bad gateway</h1>"),
            (500, "", "the server answered with status 500"),
            (400, "{\"detail\":\"no\"}", "{\"detail\":\"no\"}"),
        ] {
            let error = refusal(status, None, body).expect(body);
            assert_eq!((error.message.as_str(), error.status), (message, Some(status)), "{body}");
        }
        // Some servers refuse with 200.
        let error = refusal(200, None, "{\"error\":{\"message\":\"no\",\"code\":503}}").expect("an error");
        assert_eq!(error.status, Some(503));
        assert_eq!(refusal(200, None, ": a comment\n\nevent: ping"), None);
        assert_eq!(refusal(200, None, "something"), None);
    }

    #[test]
    fn addresses_are_completed() {
        for (base, address) in [
            ("http://h", "http://h/v1/messages"),
            ("http://h:1/", "http://h:1/v1/messages"),
            ("http://h/v1", "http://h/v1/messages"),
            ("https://h/api/anthropic/v1/", "https://h/api/anthropic/v1/messages"),
            ("https://h/v1/messages", "https://h/v1/messages"),
        ] {
            assert_eq!(super::address(base, "v1", "messages"), address);
        }
    }
}
