//! Writes a value where it stands, unless it cannot be quoted there.

use super::super::expression::Error;
use super::command::{Closer, Opening, input_is_code};
use super::parameter::Stage;
use super::walk::{Context, Unit, Walk};

/// What is said where a shell would calculate with the value.
pub(super) fn calculated(place: &str) -> Error {
    Error::new(format!("the shell calculates {place}, and by that a value could run commands")).help(
        "calculate in a closure or in an expression of the flow, or check the value first: \
         `case $v in *[!0-9]*) exit 1;; esac`",
    )
}

/// What is said where shells differ in how they read the quotes.
pub(super) fn intricate() -> Error {
    Error::new("shells do not agree on how a value is quoted here")
        .help("put the value into a variable first, on a line of its own: `v=${build.output}`, and use `\"$v\"` here")
}

impl Walk<'_> {
    /// A value: what is written depends on the context it stands in, and on what it becomes a part of.
    pub(super) fn value(&mut self, value: usize) -> Result<(), Error> {
        if matches!(self.stack.last(), Some(Context::Comment)) {
            return Ok(());
        }
        self.check_reach()?;
        let quotes = self.quotes()?;
        if let Some(Context::Document { line_start, .. }) = self.stack.last_mut() {
            *line_start = false;
        }
        if !self.in_document() {
            self.commands().push_unknown();
            // Within `${w%…}` it may still be that nothing is left.
            if !self.stack.iter().rev().take_while(|c| !matches!(c, Context::Commands(_))).any(is_parameter) {
                self.commands().push_quotes();
            }
        }
        let reference = (self.name_of)(self.values[value]);
        self.out.push_str(quotes);
        self.out.push_str(&reference);
        self.out.extend(quotes.chars().rev());
        Ok(())
    }

    /// Goes outwards through everything the value becomes a part of: its own word, and, if the command prints it in a
    /// `$(…)`, the word that stands in, and so on. Nothing of that may be code or be calculated.
    fn check_reach(&mut self) -> Result<(), Error> {
        // Is it passed on whatever the command is?
        let mut passed_on = false;
        let mut in_file = false;
        // And is it, then, a part of a word?
        let mut printed = false;
        for context in self.stack.iter_mut().rev() {
            match context {
                Context::Arithmetic { .. } => return Err(calculated("what stands here")),
                Context::Document { here, .. } => {
                    if let Some(program) = &here.code_for {
                        return Err(input_is_code(program));
                    }
                    // Its command is not known any more; it may well print it.
                    passed_on = true;
                    printed = false;
                }
                Context::Commands(commands) if in_file => return commands.check_file(),
                Context::Commands(commands) => {
                    commands.check_value()?;
                    if printed {
                        commands.check_printed()?;
                    }
                    if !(passed_on || commands.prints()) {
                        break;
                    }
                    printed = matches!(commands.closer, Closer::Backquote | Closer::Parenthesis(Opening::Substitution));
                    passed_on = commands.closer == Closer::Parenthesis(Opening::Group);
                    in_file = commands.closer == Closer::Parenthesis(Opening::File);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The quotes that end those around the value, so that it can stand between double quotes: empty within them.
    fn quotes(&self) -> Result<&'static str, Error> {
        if self.lost || self.backslashed {
            return Err(intricate());
        }
        for context in self.stack.iter().rev() {
            match context {
                Context::Commands(_) | Context::Document { .. } => break,
                Context::Double { within_quotes: true } => return Err(intricate()),
                Context::Parameter(parameter) => parameter.check()?,
                Context::Escaped => {
                    return Err(
                        Error::new("nothing is expanded between `$'` and `'`").help("write `\"…\"` or `'…'` instead")
                    );
                }
                _ => {}
            }
        }
        Ok(match self.stack.last() {
            Some(Context::Document { here, .. }) if here.quoted => {
                let delimiter = &here.delimiter;
                return Err(Error::new(format!(
                    "nothing is expanded in a here-document whose `{delimiter}` is quoted"
                ))
                .help("take the quotes away from the delimiter, and write `\\$` where the shell must not expand"));
            }
            Some(Context::Document { .. } | Context::Double { .. }) => "",
            Some(Context::Single) => "'\"",
            Some(Context::Parameter(parameter)) if parameter.quoted && parameter.stage == Stage::Word => "",
            _ => "\"",
        })
    }

    /// The error with the line it is about.
    pub(super) fn located(&self, error: Error) -> Error {
        let is_break = |unit: &Unit| *unit == Unit::Char('\n');
        let at = self.at.min(self.units.len());
        let from = self.units[..at].iter().rposition(is_break).map_or(0, |place| place + 1);
        let to = self.units[at..].iter().position(is_break).map_or(self.units.len(), |place| at + place);
        let from = from.max(at.saturating_sub(40));
        let line: String = self.units[from..to.min(at + 20)]
            .iter()
            .map(|unit| match unit {
                Unit::Char(c) => c.to_string(),
                Unit::Value(_) => "${…}".to_owned(),
            })
            .collect();
        Error { message: format!("{}: `{}`", error.message, line.trim()), ..error }
    }
}

fn is_parameter(context: &Context) -> bool {
    matches!(context, Context::Parameter(_))
}
