//! What stands outside of quotes: words, operators, and what begins something else.

use super::super::expression::Error;
use super::command::{Closer, Commands, Opening};
use super::parameter::{Parameter, Stage};
use super::walk::{Context, Unit, Walk};

impl Walk<'_> {
    pub(super) fn in_commands(&mut self, c: char) -> Result<(), Error> {
        let next = self.peek(1);
        let in_backquotes = self.in_backquotes();
        let commands = self.commands();
        let last = std::mem::replace(&mut commands.last, c);
        // An operator in a list of words is an error, after which bash goes on with the next line, whatever that is.
        if commands.closer == Closer::Parenthesis(Opening::Array) && "<>()&|;".contains(c) && c != ')' {
            self.lost = true;
        }
        let commands = self.commands();
        match c {
            '\\' if in_backquotes => {
                commands.push_unknown();
                self.backslashed = true;
                self.copy_two(c);
            }
            // A value is quoted anyway, and a backslash would quote its quotes.
            '\\' if matches!(next, Some(Unit::Value(_))) => {}
            '\\' => {
                if let Some(next) = self.copy_two(c).filter(|next| *next != '\n') {
                    self.commands().push(next, true);
                }
            }
            '\'' => {
                commands.push_quotes();
                self.enter("'", Context::Single);
            }
            '"' => {
                commands.push_quotes();
                self.enter("\"", Context::Double { within_quotes: false });
            }
            '$' => self.dollar(),
            '`' => self.backquote()?,
            '#' if !commands.word.begun => self.enter("#", Context::Comment),
            ' ' | '\t' => {
                commands.end_word()?;
                self.out.push(c);
            }
            '\n' => {
                commands.end_command(false)?;
                let mut documents = commands.take_documents();
                documents.reverse();
                self.out.push(c);
                self.open_document(documents);
            }
            // A `<<` or `;` is an error in `[[ … ]]`; a shell without that sees what it is elsewhere.
            _ if commands.in_conditional()
                && (matches!(c, '(' | ')' | '>' | '&' | '|') || c == '<' && next != Some(Unit::Char('<'))) =>
            {
                commands.end_command(c == '|' && next != Some(Unit::Char('|')) && last != '|')?;
                self.out.push(c);
            }
            '&' if matches!(last, '>' | '<') => self.out.push(c),
            '&' if next == Some(Unit::Char('>')) => {
                commands.end_word()?;
                self.out.push(c);
            }
            '|' if last == '>' => self.out.push(c),
            ';' | '&' | '|' => {
                let doubled = next == Some(Unit::Char(c)) || last == c;
                commands.end_command(c == '|' && !doubled)?;
                commands.end_conditional();
                self.out.push(c);
            }
            '<' if next == Some(Unit::Char('<')) => self.here()?,
            '<' | '>' if next == Some(Unit::Char('(')) => {
                commands.push_unknown();
                commands.push_quotes();
                self.at += 1;
                self.enter(if c == '<' { "<(" } else { ">(" }, commands_in(Opening::File));
            }
            '<' | '>' => {
                commands.redirect(false)?;
                self.out.push(c);
            }
            '(' if next == Some(Unit::Char('(')) && commands.begins_arithmetic() => {
                self.at += 1;
                self.enter("((", Context::Arithmetic { close: ')', twice: true, open: 0 });
            }
            '(' => {
                let opening = if commands.word.text.ends_with('=') { Opening::Array } else { Opening::Group };
                commands.end_word()?;
                let group = commands.group(Closer::Parenthesis(opening));
                self.enter("(", Context::Commands(Box::new(group)));
            }
            ')' => self.close_parenthesis()?,
            c => {
                commands.push(c, false);
                self.out.push(c);
            }
        }
        Ok(())
    }

    pub(super) fn close_parenthesis(&mut self) -> Result<(), Error> {
        self.out.push(')');
        let commands = self.commands();
        commands.end_command(false)?;
        commands.words.clear();
        let Closer::Parenthesis(opening) = commands.closer else { return Ok(()) };
        if commands.ends_pattern() {
            return Ok(());
        }
        let has_value = commands.has_value();
        self.lost |= !self.commands().documents.is_empty();
        self.stack.pop();
        if matches!(opening, Opening::Substitution | Opening::File) {
            // In quotes or in a document it is a part of that; in a word it goes on.
            if matches!(self.stack.last(), Some(Context::Commands(_))) {
                self.commands().push_unknown();
            }
        } else {
            self.commands().end_group(has_value);
        }
        Ok(())
    }

    /// `$`, in a list of commands, in double quotes, in a word of `${…}`, in arithmetic, in a here-document.
    pub(super) fn dollar(&mut self) {
        let unquoted = match self.stack.last() {
            Some(Context::Commands(_)) => true,
            Some(Context::Parameter(parameter)) => !parameter.quoted,
            _ => false,
        };
        let quoted = !unquoted;
        if !self.in_document() {
            self.commands().push_unknown();
        }
        match (self.peek(1), self.peek(2)) {
            (Some(Unit::Value(_)), _) => {
                // It stands for itself; without the backslash it would take up what is written for the value.
                self.lost |= self.in_backquotes();
                self.out.push_str("\\$");
            }
            (Some(Unit::Char('(')), Some(Unit::Char('('))) => {
                self.at += 2;
                self.enter("$((", Context::Arithmetic { close: ')', twice: true, open: 0 });
            }
            (Some(Unit::Char('(')), _) => {
                self.at += 1;
                self.enter("$(", commands_in(Opening::Substitution));
            }
            (Some(Unit::Char('[')), _) => {
                self.at += 1;
                self.enter("$[", Context::Arithmetic { close: ']', twice: false, open: 0 });
            }
            (Some(Unit::Char('{')), _) => {
                self.at += 1;
                let in_document = self.in_document();
                self.enter("${", Context::Parameter(Parameter { stage: Stage::Start, quoted, in_document }));
            }
            (Some(Unit::Char('\'')), _) if unquoted => {
                self.at += 1;
                self.enter("$'", Context::Escaped);
            }
            // `$$`, `$#`, `$!`: the second sign begins nothing.
            (Some(Unit::Char('$' | '#' | '!' | '?' | '*' | '@' | '-')), _) => {
                self.copy_two('$');
            }
            _ => self.copy_name(),
        }
    }

    /// `$name`, `$1`: the name is no part of what the word is.
    pub(super) fn copy_name(&mut self) {
        self.out.push('$');
        let mut first = true;
        while let Some(Unit::Char(c)) =
            self.peek(1).filter(|unit| matches!(unit, Unit::Char(c) if c.is_ascii_alphanumeric() || *c == '_'))
        {
            self.out.push(c);
            self.at += 1;
            if first && c.is_ascii_digit() {
                break;
            }
            first = false;
        }
    }

    pub(super) fn backquote(&mut self) -> Result<(), Error> {
        self.out.push('`');
        let ends = matches!(self.stack.last(), Some(Context::Commands(c)) if c.closer == Closer::Backquote);
        if ends {
            self.commands().end_command(false)?;
            self.lost |= !self.commands().documents.is_empty();
            self.stack.pop();
            self.backslashed = false;
        } else if self.in_backquotes() {
            self.lost = true;
            return Ok(());
        }
        if !self.in_document() {
            self.commands().push_unknown();
        }
        if !ends {
            self.stack.push(Context::Commands(Box::new(Commands::new(Closer::Backquote))));
        }
        Ok(())
    }
}

fn commands_in(opening: Opening) -> Context {
    Context::Commands(Box::new(Commands::new(Closer::Parenthesis(opening))))
}
