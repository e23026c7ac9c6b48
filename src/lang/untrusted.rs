//! Results that a script holds as plain values, on their way into a shell script.
//!
//! A result that is not known yet reaches the shell as a variable. In a closure of `each` and `repeat`, or after
//! `run(step)`, a result is a plain text, and a backtick text puts it into a shell script as it is. So the session
//! remembers the texts that it handed out and that could do something there; `sh` refuses a script in which one of
//! them stands without `quote(…)`. What a script computes from such a text is its own.

use super::session::Session;
use crate::plan::Json;

/// Shorter texts cannot name a command to run.
const SHORTEST: usize = 4;

/// Can a shell be made to do something by this text?
fn is_risky(text: &str) -> bool {
    text.len() >= SHORTEST && text.contains(['$', '`', ';', '&', '|', '<', '>', '(', ')', '\n', '\r', '"', '\'', '\\'])
}

/// A text in quotes that make it one word of a shell script.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Remembers the texts in a result that is handed to the script.
pub fn remember(session: &mut Session, value: &Json) {
    match value {
        Json::String(text) if is_risky(text) && !session.untrusted.contains(text) => {
            session.untrusted.push(text.clone())
        }
        Json::Array(items) => items.iter().for_each(|item| remember(session, item)),
        Json::Object(entries) => entries.values().for_each(|value| remember(session, value)),
        _ => {}
    }
}

/// Is it an expression that stands in a text from a result? Then it is none of the script's.
pub fn is_expression_of(session: &Session, expression: &str) -> bool {
    session.untrusted.iter().any(|text| text.contains("${") && text.contains(expression))
}

/// A text from a result that stands in a shell script without quotes.
pub fn found_in<'a>(session: &'a Session, script: &str) -> Option<&'a str> {
    let stands =
        |text: &&String| script.contains(text.as_str()) && script.replace(&quoted(text), "").contains(text.as_str());
    session.untrusted.iter().find(stands).map(String::as_str)
}
