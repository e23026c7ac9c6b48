//! Double quotes, and arithmetic.

use super::super::expression::Error;
use super::walk::{Context, Unit, Walk};

impl Walk<'_> {
    pub(super) fn in_double(&mut self, c: char) -> Result<(), Error> {
        match c {
            '"' => {
                self.out.push(c);
                self.stack.pop();
            }
            '\\' => self.backslash_in_quotes(),
            '$' => self.dollar(),
            '`' => self.backquote()?,
            c => {
                self.out.push(c);
                self.push_quoted(c);
            }
        }
        Ok(())
    }

    /// In double quotes and documents a backslash before anything else than `$`, `` ` ``, `"`, `\` stands for itself.
    pub(super) fn backslash_in_quotes(&mut self) {
        self.backslashed |= self.in_backquotes();
        if matches!(self.peek(1), Some(Unit::Value(_))) {
            self.out.push_str("\\\\");
            self.push_in_quotes('\\');
        } else if let Some(next) = self.copy_two('\\') {
            if !"$`\"\\\n".contains(next) {
                self.push_in_quotes('\\');
            }
            self.push_in_quotes(next);
        }
    }

    pub(super) fn push_in_quotes(&mut self, c: char) {
        if !self.in_document() {
            self.push_quoted(c);
        }
    }

    /// A character within quotes: it belongs to the word, if the quotes stand directly in one.
    pub(super) fn push_quoted(&mut self, c: char) {
        let directly = matches!(self.stack.iter().rev().nth(1), Some(Context::Commands(_)));
        if directly {
            self.commands().push(c, true);
        } else {
            self.commands().push_unknown();
        }
    }

    pub(super) fn in_arithmetic(&mut self, c: char) -> Result<(), Error> {
        let Some(Context::Arithmetic { close, twice, open }) = self.stack.last_mut() else { return Ok(()) };
        match c {
            '(' | '[' if (c == '(') == (*close == ')') => *open += 1,
            c if c == *close && *open > 0 => *open -= 1,
            c if c == *close => {
                if *twice {
                    // `$((…) …)` was a command in parentheses after all.
                    if !self.next_is(c) {
                        self.lost = true;
                    } else {
                        self.out.push(c);
                        self.at += 1;
                    }
                }
                self.out.push(c);
                self.stack.pop();
                return Ok(());
            }
            '\\' => {
                self.copy_two(c);
                return Ok(());
            }
            '\'' => {
                self.enter("'", Context::Single);
                return Ok(());
            }
            '"' => {
                self.enter("\"", Context::Double { within_quotes: true });
                return Ok(());
            }
            '$' => {
                self.dollar();
                return Ok(());
            }
            '`' => return self.backquote(),
            _ => {}
        }
        self.out.push(c);
        Ok(())
    }
}
