//! Walks over a script with a stack of contexts, and writes each value as its context needs.

use super::super::Value;
use super::super::expression::Error;
use super::Part;
use super::command::{Closer, Commands};
use super::document::Here;
use super::parameter::Parameter;

/// What the walk is inside of; the outermost is the script's list of commands.
pub(super) enum Context {
    Commands(Box<Commands>),
    /// `"…"`; within a `${…}` that is itself within quotes shells disagree about what is quoted.
    Double {
        within_quotes: bool,
    },
    /// `'…'`
    Single,
    /// `$'…'`
    Escaped,
    /// `${…}`
    Parameter(Parameter),
    /// `$((…))`, `((…))`, `$[…]`, and an index in `${a[…]}`: with how many brackets open in it.
    Arithmetic {
        close: char,
        twice: bool,
        open: u32,
    },
    /// The body of a here-document, and those that follow it.
    Document {
        here: Here,
        next: Vec<Here>,
        line_start: bool,
    },
    Comment,
}

/// A character of the script, or a value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unit {
    Char(char),
    Value(usize),
}

/// The walk, and what it has written so far.
pub(super) struct Walk<'a> {
    pub units: Vec<Unit>,
    /// The next unit.
    pub at: usize,
    pub values: Vec<&'a Value>,
    pub out: String,
    pub stack: Vec<Context>,
    /// From here on it is not sure how shells read the script.
    pub lost: bool,
    /// In backquotes, behind a backslash: shells read those twice.
    pub backslashed: bool,
    pub name_of: &'a mut dyn FnMut(&Value) -> String,
}

/// Writes the script. `name_of` gives the reference to the variable of a value, `${…}`.
pub(super) fn quote(parts: &[Part], name_of: &mut dyn FnMut(&Value) -> String) -> Result<String, Error> {
    let mut walk = Walk {
        units: Vec::new(),
        at: 0,
        values: Vec::new(),
        out: String::new(),
        stack: vec![Context::Commands(Box::new(Commands::new(Closer::End)))],
        lost: false,
        backslashed: false,
        name_of,
    };
    for part in parts {
        match part {
            Part::Text(text) => walk.units.extend(text.chars().map(Unit::Char)),
            Part::Value(value) => {
                walk.units.push(Unit::Value(walk.values.len()));
                walk.values.push(value);
            }
        }
    }
    walk.run().map_err(|error| walk.located(error))?;
    Ok(walk.out)
}

impl Walk<'_> {
    pub(super) fn run(&mut self) -> Result<(), Error> {
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Value(value) => self.value(value)?,
                Unit::Char(c) => self.character(c)?,
            }
            self.at += 1;
        }
        // The last command has no line break behind it.
        self.commands().end_command(false)
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<Unit> {
        self.units.get(self.at + ahead).copied()
    }

    pub(super) fn next_is(&self, c: char) -> bool {
        self.peek(1) == Some(Unit::Char(c))
    }

    /// Takes the current character and the one behind it, if that is one.
    pub(super) fn copy_two(&mut self, c: char) -> Option<char> {
        self.out.push(c);
        match self.peek(1) {
            Some(Unit::Char(next)) => {
                self.out.push(next);
                self.at += 1;
                Some(next)
            }
            _ => None,
        }
    }

    /// The innermost list of commands.
    pub(super) fn commands(&mut self) -> &mut Commands {
        let found = self.stack.iter_mut().rev().find_map(|context| match context {
            Context::Commands(commands) => Some(commands),
            _ => None,
        });
        found.expect("the outermost context is a list of commands and is never left")
    }

    /// Are we anywhere inside of backquotes?
    pub(super) fn in_backquotes(&self) -> bool {
        self.stack.iter().any(|context| matches!(context, Context::Commands(c) if c.closer == Closer::Backquote))
    }

    pub(super) fn character(&mut self, c: char) -> Result<(), Error> {
        if c == '\n' {
            self.lost |= self.cuts_document();
            // A here-document whose line goes on within quotes or parentheses.
            let own = matches!(self.stack.last(), Some(Context::Commands(_) | Context::Comment));
            let waiting = |context: &Context| matches!(context, Context::Commands(c) if !c.documents.is_empty());
            let waiting = self.stack.iter().filter(|context| waiting(context)).count();
            if waiting > usize::from(own && !self.commands().documents.is_empty()) {
                self.lost = true;
            }
        }
        if c == '`' && matches!(self.stack.last(), Some(Context::Single | Context::Escaped)) && self.in_backquotes() {
            self.lost = true;
        }
        match self.stack.last_mut() {
            Some(Context::Commands(_)) | None => self.in_commands(c),
            Some(Context::Double { .. }) => self.in_double(c),
            Some(Context::Single) => {
                self.out.push(c);
                if c == '\'' {
                    self.stack.pop();
                } else {
                    self.push_quoted(c);
                }
                Ok(())
            }
            Some(Context::Escaped) => {
                self.out.push(c);
                match c {
                    '\'' => {
                        self.stack.pop();
                    }
                    '\\' if self.next_is('\'') => self.lost = true,
                    _ => self.push_quoted(c),
                }
                Ok(())
            }
            Some(Context::Parameter(_)) => self.in_parameter(c),
            Some(Context::Arithmetic { .. }) => self.in_arithmetic(c),
            Some(Context::Document { .. }) => self.in_document_at(c),
            Some(Context::Comment) => {
                if c == '\n' || c == '`' && self.in_backquotes() {
                    self.stack.pop();
                    return self.character(c);
                }
                self.out.push(c);
                Ok(())
            }
        }
    }

    pub(super) fn enter(&mut self, opening: &str, context: Context) {
        self.out.push_str(opening);
        self.stack.push(context);
    }
}
