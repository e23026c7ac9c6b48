//! Lines of text with colours, as wide as the terminal and not wider.

use super::text::Options;
use crate::plan::wording::{shorten, width};

/// How a part of a line is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    /// Names of steps.
    Name,
    /// Conditions.
    Condition,
    /// What matters less.
    Dim,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Bold => "1",
            Ink::Name => "36",
            Ink::Condition => "33",
            Ink::Dim => "2",
        }
    }
}

/// The signs that the tree is drawn with.
pub(super) struct Signs {
    pub tee: &'static str,
    pub corner: &'static str,
    pub tee_arrow: &'static str,
    pub corner_arrow: &'static str,
    pub bar: &'static str,
    pub blank: &'static str,
    pub more: &'static str,
}

const UNICODE: Signs =
    Signs {
        tee: "├─ ", corner: "└─ ", tee_arrow: "├→ ", corner_arrow: "└→ ", bar: "│  ", blank: "   ", more: "…"
    };

const ASCII: Signs = Signs {
    tee: "|-- ",
    corner: "`-- ",
    tee_arrow: "|-> ",
    corner_arrow: "`-> ",
    bar: "|   ",
    blank: "    ",
    more: "...",
};

/// The text so far.
pub(super) struct Page<'a> {
    pub options: &'a Options,
    pub signs: &'static Signs,
    pub text: String,
}

impl<'a> Page<'a> {
    pub fn new(options: &'a Options) -> Self {
        Page { options, signs: if options.ascii { &ASCII } else { &UNICODE }, text: String::new() }
    }

    /// Appends a part of a line.
    pub fn put(&mut self, ink: Ink, part: &str) {
        let colored = self.options.color && ink != Ink::Plain && !part.trim().is_empty();
        if colored {
            self.text.push_str(&format!("\u{1b}[{}m", ink.code()));
        }
        match self.options.ascii {
            true => self.text.extend(part.chars().map(ascii)),
            false => self.text.push_str(part),
        }
        if colored {
            self.text.push_str("\u{1b}[0m");
        }
    }

    pub fn end(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
    }

    /// A line of parts, with something at the right margin. The last part gives way if there is too little room.
    pub fn row(&mut self, parts: &[(Ink, &str)], right: &str) {
        let total = self.options.width.max(40);
        let right_width = if right.is_empty() { 0 } else { width(right) + 1 };
        let Some(((ink, last), first)) = parts.split_last() else { return self.end() };
        let mut used = 0;
        for (ink, part) in first {
            used += width(part);
            self.put(*ink, part);
        }
        let room = if self.options.full { usize::MAX } else { total.saturating_sub(used + right_width).max(16) };
        let last = shorten(last, room);
        used += width(&last);
        self.put(*ink, &last);
        if !right.is_empty() {
            let gap = total.saturating_sub(used + width(right)).max(1);
            self.put(Ink::Plain, &" ".repeat(gap));
            self.put(Ink::Dim, right);
        }
        self.end();
    }

    /// Pieces separated by ` · `, wrapped, each line behind `prefix`.
    pub fn pieces(&mut self, prefix: &str, pieces: &[(Ink, String)]) {
        let total = self.options.width.max(40);
        let room = total.saturating_sub(width(prefix)).max(24);
        let mut used = 0;
        for (ink, piece) in pieces {
            let piece = if self.options.full { piece.clone() } else { shorten(piece, room) };
            if used > 0 && used + 3 + width(&piece) > room {
                self.end();
                used = 0;
            }
            match used {
                0 => self.put(Ink::Dim, prefix),
                _ => {
                    self.put(Ink::Dim, " · ");
                    used += 3;
                }
            }
            used += width(&piece);
            self.put(*ink, &piece);
        }
        if used > 0 {
            self.end();
        }
    }
}

/// Signs that terminals without Unicode cannot show; letters of other scripts stay.
fn ascii(c: char) -> char {
    match c {
        '→' => '>',
        '…' | '≈' => '~',
        '×' => 'x',
        '·' => '-',
        '⏎' => ';',
        c => c,
    }
}
