//! Here-documents: `<<EOF`, `<<-EOF`, `<<'EOF'`, and their bodies.

use super::super::expression::Error;
use super::walk::{Context, Unit, Walk};

/// A here-document whose body is still to come.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub delimiter: String,
    pub quoted: bool,
    pub strips_tabs: bool,
    /// The program that reads it as code; known when its command is at its end.
    pub code_for: Option<String>,
}

impl Here {
    /// If the document ends with the first of these lines: how long that is.
    pub(super) fn ends_at(&self, rest: &[Unit]) -> Option<usize> {
        let line = rest.iter().position(|unit| *unit == Unit::Char('\n')).unwrap_or(rest.len());
        let tabs = rest[..line].iter().take_while(|unit| self.strips_tabs && **unit == Unit::Char('\t')).count();
        self.delimiter.chars().map(Unit::Char).eq(rest[tabs..line].iter().copied()).then_some(line)
    }
}

impl Walk<'_> {
    /// `<<`, `<<-`, `<<<`.
    pub(super) fn here(&mut self) -> Result<(), Error> {
        self.at += 1;
        self.out.push_str("<<");
        let here_string = self.next_is('<');
        self.commands().redirect(here_string)?;
        if here_string {
            self.at += 1;
            self.out.push('<');
            return Ok(());
        }
        self.lost |= self.in_backquotes();
        let strips_tabs = self.next_is('-');
        if strips_tabs {
            self.at += 1;
            self.out.push('-');
        }
        while let Some(Unit::Char(c @ (' ' | '\t'))) = self.peek(1) {
            self.out.push(c);
            self.at += 1;
        }
        let (mut delimiter, mut quoted, mut quote) = (String::new(), false, None);
        while let Some(unit) = self.peek(1) {
            let Unit::Char(c) = unit else {
                self.at += 1;
                return Err(Error::new("the delimiter of a here-document cannot be a value")
                    .help("write a word such as `EOF` there"));
            };
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => (quote, quoted) = (Some(c), true),
                (None, '\\') => quoted = true,
                (None, c) if c.is_whitespace() || ";&|<>()".contains(c) => break,
                (_, c) => delimiter.push(c),
            }
            // An expansion in the delimiter is none, and shells differ in what it is then.
            self.lost |= matches!(c, '$' | '`');
            self.out.push(c);
            self.at += 1;
        }
        let commands = self.commands();
        commands.push_unknown();
        commands.end_word()?;
        commands.documents.push(Here { delimiter, quoted, strips_tabs, code_for: None });
        Ok(())
    }

    /// Begins the last of these; they stand in the reverse order.
    pub(super) fn open_document(&mut self, mut documents: Vec<Here>) {
        if let Some(here) = documents.pop() {
            self.stack.push(Context::Document { here, next: documents, line_start: true });
        }
    }

    pub(super) fn in_document_at(&mut self, c: char) -> Result<(), Error> {
        let Some(Context::Document { here, line_start, .. }) = self.stack.last_mut() else { return Ok(()) };
        if *line_start {
            *line_start = false;
            if let Some(line) = here.ends_at(&self.units[self.at..]) {
                return self.close_document(line);
            }
        }
        let Some(Context::Document { here, line_start, .. }) = self.stack.last_mut() else { return Ok(()) };
        match c {
            '\n' => {
                *line_start = true;
                self.out.push(c);
            }
            '\\' if !here.quoted => {
                // A line that is continued does not end at its break.
                self.backslash_in_quotes();
            }
            '$' if !here.quoted => self.dollar(),
            '`' if !here.quoted => self.backquote()?,
            c => self.out.push(c),
        }
        Ok(())
    }

    /// The line of the delimiter, `length` units long.
    pub(super) fn close_document(&mut self, length: usize) -> Result<(), Error> {
        for n in 0..length {
            if let Some(Unit::Char(c)) = self.peek(n) {
                self.out.push(c);
            }
        }
        if let Some(Context::Document { next, .. }) = self.stack.pop() {
            if next.is_empty() {
                // Its line break is the list's again.
                self.at += length;
                self.at -= 1;
                return Ok(());
            }
            self.at += length;
            if self.peek(0).is_some() {
                self.out.push('\n');
            }
            self.open_document(next);
        }
        Ok(())
    }

    /// A line break within something that stands in a here-document: does the next line end the document all the same?
    pub(super) fn cuts_document(&self) -> bool {
        self.stack.split_last().is_some_and(|(_, around)| {
            around.iter().any(|context| match context {
                Context::Document { here, .. } => here.ends_at(&self.units[self.at + 1..]).is_some(),
                _ => false,
            })
        })
    }

    /// Is the innermost list of commands or document a document?
    pub(super) fn in_document(&self) -> bool {
        let innermost =
            self.stack.iter().rev().find(|context| matches!(context, Context::Commands(_) | Context::Document { .. }));
        matches!(innermost, Some(Context::Document { .. }))
    }
}
