//! How text looks where it goes: colours, symbols, width.

use owo_colors::{OwoColorize, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::event::RunStatus;
pub(super) use crate::plan::wording::width as columns;
use crate::state::Status;

/// What the place where text goes can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours and bold letters.
    pub color: bool,
    /// Letters beyond ASCII.
    pub unicode: bool,
    /// Columns; 0 where lines may be of any length.
    pub width: usize,
}

/// What a colour is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It is going on.
    Busy,
    /// Worth a look.
    Warn,
    /// Of less weight than the rest.
    Faint,
    /// The word a reader looks for.
    Strong,
}

impl Look {
    /// For files and pipes.
    pub const PLAIN: Look = Look { color: false, unicode: true, width: 0 };

    /// Text in a colour, where there are colours.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Bad => Style::new().red().bold(),
            Tone::Busy => Style::new().cyan(),
            Tone::Warn => Style::new().yellow(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        text.style(style).to_string()
    }

    /// The sign for a step's status, in its colour.
    pub fn sign(self, status: Status) -> String {
        self.paint(tone(status), self.bare_sign(status))
    }

    /// The sign for a step's status, without colour: one column wide.
    pub fn bare_sign(self, status: Status) -> &'static str {
        let (sign, ascii) = match status {
            Status::Success => ("✓", "+"),
            Status::Failed => ("✗", "x"),
            Status::Skipped => ("○", "-"),
            Status::Cancelled => ("⊘", "/"),
            Status::Running => ("▸", ">"),
            Status::Retrying => ("↻", "~"),
            Status::Waiting => ("◷", "~"),
            Status::Pending | Status::Ready => ("·", "."),
        };
        if self.unicode { sign } else { ascii }
    }

    /// A run's status as a word, in its colour.
    pub fn run_status(self, status: RunStatus) -> String {
        self.paint(run_tone(status), status.name())
    }

    /// What stands for something left out.
    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// A line cut to so many columns. The text must be without colours.
    pub fn cut(self, text: &str, columns: usize) -> String {
        if text.width() <= columns {
            return text.to_owned();
        }
        let room = columns.saturating_sub(self.ellipsis().width());
        let mut short = String::new();
        let mut used = 0;
        for letter in text.chars() {
            used += letter.width().unwrap_or(0);
            if used > room {
                break;
            }
            short.push(letter);
        }
        if columns >= self.ellipsis().width() {
            short.push_str(self.ellipsis());
        }
        short
    }
}

/// The tone of a step's status.
pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Success => Tone::Good,
        Status::Failed => Tone::Bad,
        Status::Running => Tone::Busy,
        Status::Retrying | Status::Waiting | Status::Cancelled => Tone::Warn,
        Status::Skipped | Status::Pending | Status::Ready => Tone::Faint,
    }
}

/// The tone of a run's status.
pub(super) fn run_tone(status: RunStatus) -> Tone {
    match status {
        RunStatus::Success => Tone::Good,
        RunStatus::Failed => Tone::Bad,
        RunStatus::Running => Tone::Busy,
        RunStatus::Cancelled | RunStatus::Paused | RunStatus::Interrupted => Tone::Warn,
        RunStatus::Pending => Tone::Faint,
    }
}

/// Text from outside, made safe for one line of a terminal: no escape sequences, no line breaks.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut letters = text.trim_end().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' => skip_escape(&mut letters),
            '\n' => line.push_str("; "),
            '\t' => line.push(' '),
            letter if letter.is_control() => {}
            letter => line.push(letter),
        }
    }
    line
}

/// Lines of text from outside, each made safe for a terminal.
pub fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(one_line).collect()
}

/// What follows ESC in an escape sequence (ECMA-48): a control sequence, an operating system command, or one letter.
fn skip_escape(letters: &mut std::str::Chars) {
    match letters.next() {
        Some('[') => while letters.next().is_some_and(|letter| !('@'..='~').contains(&letter)) {},
        Some(']') => while letters.next().is_some_and(|letter| letter != '\x07' && letter != '\x1b') {},
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_columns_not_letters() {
        let look = Look::PLAIN;
        assert_eq!(look.cut("abcdef", 6), "abcdef");
        assert_eq!(look.cut("abcdefg", 6), "abcde…");
        assert_eq!(look.cut("日本語", 5), "日本…");
        assert_eq!(Look { unicode: false, ..look }.cut("abcdefg", 6), "abc...");
    }

    #[test]
    fn colours_only_where_wanted() {
        assert_eq!(Look::PLAIN.paint(Tone::Bad, "no"), "no");
        assert!(Look { color: true, ..Look::PLAIN }.paint(Tone::Bad, "no").contains("\x1b["));
    }

    #[test]
    fn text_from_outside_stays_on_its_line() {
        assert_eq!(one_line("a\n\x1b[1;31mb\x1b[0m\x07\tc\n"), "a; b c");
        assert_eq!(one_line("\x1b]0;title\x07d\x1b["), "d");
    }
}
