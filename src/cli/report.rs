//! Diagnostics, as a person reads them.

use super::out;
use crate::diag::{Diagnostic, Kind};

/// Writes a diagnostic to standard error, or as data to standard output. Gives the exit code.
pub fn diagnostic(diagnostic: &Diagnostic, json: bool) -> u8 {
    let object = json.then(|| serde_json::json!({ "error": diagnostic.to_json() }));
    // Where data cannot be written, a person is to be told of it.
    if object.is_none_or(|object| out::print(&format!("{object}\n")).is_err()) {
        out::tell(&text(diagnostic));
    }
    match diagnostic.kind() {
        Kind::Usage => 2,
        Kind::Failure => 1,
    }
}

/// The text for standard error.
pub fn text(diagnostic: &Diagnostic) -> String {
    crate::term::diagnostic(diagnostic)
}
