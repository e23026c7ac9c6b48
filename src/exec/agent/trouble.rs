//! What the errors of agents mean, as programs and servers write them: their class, and what to do.

use crate::event::{AgentError, STATUSES};
use crate::plan::Class;

/// Codes of errors, as programs and servers write them (a part of them is enough), with what they are.
const CODES: [(&[&str], Class, &str); 8] = [
    (
        &["rate_limit", "too_many_requests"],
        Class::Resource,
        "too many requests: `retry` tries again, `limit` starts fewer at once",
    ),
    (&["overloaded"], Class::Transient, "the model's server has too much to do: `retry` tries again later"),
    (&["authentication", "unauthorized", "invalid_api_key"], Class::Configuration, LOGIN),
    (
        &["billing", "insufficient_quota", "credit"],
        Class::Configuration,
        "the account has no money left, or is not set up to pay",
    ),
    (&["permission", "forbidden"], Class::Configuration, "the account may not do this: may it use this model?"),
    (
        &["model_not_found"],
        Class::Configuration,
        "`model` names one that is not there, or that the account may not use",
    ),
    (&["prompt_too_long", "context_length", "request_too_large"], Class::Configuration, TOO_LONG),
    (
        &["max_output_tokens", "max_tokens"],
        Class::Configuration,
        "its answer was too long: ask for less at once, or give `max_tokens`",
    ),
];

const LOGIN: &str = "log in with its program, or give it a key: `api_key: secret(\"NAME\")`";

const TOO_LONG: &str =
    "the task with all that came before it is too long: `context: #{ window: 8000 }` hands over less of it";

/// The class of an error, and what to do.
pub(super) fn about(error: &AgentError, backend: &str) -> (Class, String) {
    let code = error.code.to_ascii_lowercase();
    let message = error.message.to_ascii_lowercase();
    let known = CODES.iter().find(|(parts, ..)| parts.iter().any(|part| code.contains(part)));
    if let Some((_, class, help)) = known {
        return (*class, (*help).to_owned());
    }
    if message.contains("prompt is too long") || message.contains("context length") {
        return (Class::Configuration, TOO_LONG.to_owned());
    }
    if let Some(status) = error.status {
        let row = STATUSES.iter().find(|row| (row.from..=row.to).contains(&i32::from(status)));
        let class = row.map_or(Class::Agent, |row| row.class);
        let help = match status {
            401 | 403 => LOGIN.to_owned(),
            402 => "the account has no money left, or is not set up to pay".to_owned(),
            404 => "is `model` one that is there, and `base_url` right?".to_owned(),
            413 => TOO_LONG.to_owned(),
            429 => "too many requests: `retry` tries again, `limit` starts fewer at once".to_owned(),
            400..=499 => "the model's server refuses the request; `flow logs` shows all that was said".to_owned(),
            _ => "the model's server has trouble: `retry` tries again".to_owned(),
        };
        return (class, help);
    }
    let server = ["server_error", "api_error", "timeout", "connection", "internal"];
    if server.iter().any(|part| code.contains(part)) {
        return (Class::Transient, "the model's server has trouble: `retry` tries again".to_owned());
    }
    (Class::Agent, format!("this is what `{backend}` says; `flow logs RUN STEP` shows all that it did"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, status: Option<u16>) -> AgentError {
        AgentError { code: code.into(), status, ..AgentError::default() }
    }

    #[test]
    fn classes_of_errors() {
        for (code, status, class) in [
            ("rate_limit", Some(429), Class::Resource),
            ("overloaded_error", Some(529), Class::Transient),
            ("server_error", Some(500), Class::Transient),
            ("server_error", None, Class::Transient),
            ("authentication_failed", Some(401), Class::Configuration),
            ("billing_error", Some(402), Class::Configuration),
            ("model_not_found", Some(404), Class::Configuration),
            ("prompt_too_long", None, Class::Configuration),
            ("", Some(429), Class::Resource),
            ("", Some(503), Class::Transient),
            ("", Some(529), Class::Transient),
            ("", Some(400), Class::Configuration),
            ("unknown", None, Class::Agent),
        ] {
            assert_eq!(about(&error(code, status), "claude").0, class, "{code} {status:?}");
        }
    }
}
