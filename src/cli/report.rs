//! Diagnostics, as a person reads them.

use super::out;
use crate::diag::{Diagnostic, Kind};
use crate::view;

/// Writes a diagnostic to standard error, or as data to standard output. Gives the exit code.
pub fn diagnostic(diagnostic: &Diagnostic, json: bool) -> u8 {
    if json {
        // Nothing more can be said if this fails; the exit code still tells.
        let _ = out::print(&format!("{}\n", serde_json::json!({ "error": diagnostic.to_json() })));
    } else {
        out::tell(&text(diagnostic));
    }
    match diagnostic.kind() {
        Kind::Usage => 2,
        Kind::Failure => 1,
    }
}

/// The text for standard error.
pub fn text(diagnostic: &Diagnostic) -> String {
    view::diagnostic(diagnostic, out::messages_look())
}
