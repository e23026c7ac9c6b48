//! Diagnostics to text: what happened, the place in the script, what to do.

use miette::{GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};

use super::Look;
use super::look::one_line;
use crate::diag::Diagnostic;
use crate::state::Status;

/// Narrowest page for a diagnostic: below, its frame would leave no room for words.
const NARROW: usize = 40;

/// Widest page: longer lines are hard to read.
const WIDE: usize = 120;

/// Where lines may be of any length.
const USUAL: usize = 100;

/// A diagnostic as a person reads it. Frames of lines only where the width is that of a screen, plain letters elsewhere.
pub fn diagnostic(diagnostic: &Diagnostic, look: Look) -> String {
    let screen = look.width > 0;
    let theme = GraphicalTheme {
        characters: if screen && look.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if look.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let width = if screen { look.width.clamp(NARROW, WIDE) } else { USUAL };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(width);
    let mut text = String::new();
    let told: String = match handler.render_report(&mut text, diagnostic) {
        Ok(()) => text.lines().map(|line| format!("{}\n", line.trim_end())).collect(),
        // Only a label outside of its text could be the cause.
        Err(_) => format!("{}: {diagnostic}\n", diagnostic.code()),
    };
    printed(diagnostic.printed(), look) + told.as_str()
}

/// What a script printed.
pub fn printed(text: &str, look: Look) -> String {
    text.lines().map(|line| format!("{} {}\n", look.bare_sign(Status::Pending), one_line(line))).collect()
}
