//! The terminal that standard error is, for indicatif to draw on.
//!
//! indicatif fills each line with blanks up to the edge. Such a line breaks in two when the window gets narrower, and
//! the `^C` that a terminal writes at the end of the last one moves everything down. So the blanks are left out here:
//! the rest of the line is cleared instead. And what a narrower window has broken all the same is cleared as well.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

use crate::view::look::{columns, one_line};

/// Columns and rows.
pub(super) fn size() -> (u16, u16) {
    terminal_size::terminal_size_of(io::stderr()).map_or((80, 24), |(width, height)| (width.0, height.0))
}

/// What is written next, until it is flushed: one drawing is one write.
#[derive(Debug, Default)]
pub(super) struct Screen(Mutex<Page>);

#[derive(Debug, Default)]
struct Page {
    text: String,
    /// A line has been written, and its blanks are still to come.
    in_line: bool,
    /// The line is done, and there is no other below it yet.
    line_done: bool,
    /// Columns of the lines of this drawing, and of the one before.
    lines: Vec<usize>,
    before: Vec<usize>,
}

impl Page {
    /// Rows that the last `n` lines of the drawing before take up more, now that the window has so many columns and the
    /// terminal has broken what does not fit (as nearly all do).
    fn broken(&self, n: usize, columns: usize) -> usize {
        let lines = self.before.iter().rev().take(n);
        lines.map(|line| line.saturating_sub(1) / columns.max(1)).sum()
    }
}

impl Screen {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the cursor, which ends whatever line it was in.
    fn control(&self, sequence: &str) -> io::Result<()> {
        let mut page = self.page();
        (page.in_line, page.line_done) = (false, false);
        page.text.push_str(sequence);
        Ok(())
    }

    fn cursor(&self, n: usize, direction: char) -> io::Result<()> {
        self.control(&if n > 0 { format!("\x1b[{n}{direction}") } else { String::new() })
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        // A drawing begins with the way up to the first line of the one before.
        let begins = self.page().text.is_empty();
        let broken = self.page().broken(n + 1, usize::from(self.width()));
        if begins && broken > 0 {
            return self.control(&format!("\x1b[{}A\r\x1b[J", n + broken));
        }
        self.cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.control("\r\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut page = self.page();
        if page.in_line && text.bytes().all(|byte| byte == b' ') {
            page.text.push_str("\x1b[K");
            (page.in_line, page.line_done) = (false, true);
            return Ok(());
        }
        if page.line_done {
            page.text.push_str("\r\n");
        }
        page.text.push_str(text);
        page.lines.push(columns(&one_line(text)));
        (page.in_line, page.line_done) = (true, false);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.control("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let text = {
            let mut page = self.page();
            page.before = std::mem::take(&mut page.lines);
            std::mem::take(&mut page.text)
        };
        io::stderr().lock().write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_counted() {
        let page = Page { before: vec![90, 30, 20, 41], ..Page::default() };
        assert_eq!(page.broken(3, 20), 1 + 2);
        assert_eq!(page.broken(3, 80), 0);
    }

    #[test]
    fn blanks_at_the_end_of_a_line_are_not_written() {
        let screen = Screen::default();
        let write = |text: &str| screen.write_str(text).expect("only kept");
        write("one");
        write("      ");
        write("two");
        write("");
        screen.move_cursor_up(1).expect("only kept");
        screen.clear_line().expect("only kept");
        assert_eq!(screen.page().text, "one\x1b[K\r\ntwo\x1b[K\x1b[1A\r\x1b[2K");
    }
}
