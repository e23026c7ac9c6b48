//! Diagnostics, as a person reads them.

use std::io::{self, IsTerminal};

use miette::{GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};

use super::out;
use crate::diag::{Diagnostic, Kind};

/// Narrowest page for a diagnostic: below, its frame would leave no room for words.
const NARROW: usize = 40;

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

/// The text for standard error. Frames of lines only in terminals, plain letters elsewhere.
pub fn text(diagnostic: &Diagnostic) -> String {
    let look = out::messages_look();
    let theme = GraphicalTheme {
        characters: if io::stderr().is_terminal() && look.unicode {
            ThemeCharacters::unicode()
        } else {
            ThemeCharacters::ascii()
        },
        styles: if look.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let width = if look.width == 0 { 100 } else { look.width.clamp(NARROW, 120) };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(width);
    let mut text = String::new();
    match handler.render_report(&mut text, diagnostic) {
        Ok(()) => text.lines().map(|line| format!("{}\n", line.trim_end())).collect(),
        Err(_) => format!("{}: {diagnostic}\n", diagnostic.code()),
    }
}
