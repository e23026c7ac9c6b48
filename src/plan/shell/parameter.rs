//! What stands in `${…}`: a name, and what is done if it is not set, or a pattern.

use super::super::expression::Error;
use super::value::intricate;
use super::walk::{Context, Unit, Walk};

/// What has been read of a `${…}`.
pub(super) struct Parameter {
    pub stage: Stage,
    /// Within `"…"` or a here-document?
    pub quoted: bool,
    pub in_document: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// Nothing.
    Start,
    /// The name.
    Name,
    /// `:`, which is a part of `:-` or begins a substring.
    Colon,
    /// What is used instead (`-`, `=`, `?`, `+`).
    Word,
    /// A pattern (`#`, `%`).
    Pattern,
    /// Something that only some shells know: `/`, `^`, `,`, `@`, and substrings, which are calculated.
    Other,
}

impl Parameter {
    /// May a value stand here?
    pub fn check(&self) -> Result<(), Error> {
        match self.stage {
            Stage::Start | Stage::Name | Stage::Colon => Err(Error::new("a value cannot be the name of a variable")
                .help("`${name}` is a variable of the shell; a result of a step stands on its own: `${build.output}`")),
            Stage::Other => Err(intricate()),
            Stage::Pattern if self.in_document => Err(intricate()),
            _ => Ok(()),
        }
    }
}

impl Walk<'_> {
    pub(super) fn in_parameter(&mut self, c: char) -> Result<(), Error> {
        let Some(Context::Parameter(parameter)) = self.stack.last_mut() else { return Ok(()) };
        let quoted = parameter.quoted;
        if c == '}' {
            self.out.push(c);
            self.stack.pop();
            return Ok(());
        }
        match parameter.stage {
            Stage::Start => {
                parameter.stage = Stage::Name;
                if matches!(c, '#' | '!' | '@' | '*' | '?' | '$' | '-') {
                    self.out.push(c);
                    return Ok(());
                }
            }
            Stage::Name | Stage::Colon | Stage::Word | Stage::Pattern | Stage::Other => {}
        }
        let Some(Context::Parameter(parameter)) = self.stack.last_mut() else { return Ok(()) };
        if matches!(parameter.stage, Stage::Name | Stage::Colon) {
            parameter.stage = match c {
                c if c.is_ascii_alphanumeric() || c == '_' => {
                    if parameter.stage == Stage::Name {
                        Stage::Name
                    } else {
                        Stage::Other
                    }
                }
                '[' if parameter.stage == Stage::Name => {
                    self.enter("[", Context::Arithmetic { close: ']', twice: false, open: 0 });
                    return Ok(());
                }
                ':' if parameter.stage == Stage::Name => Stage::Colon,
                '-' | '=' | '?' | '+' => Stage::Word,
                '#' | '%' if parameter.stage == Stage::Name => Stage::Pattern,
                _ => Stage::Other,
            };
            if !matches!(c, '$' | '`' | '"' | '\'' | '\\') {
                self.out.push(c);
                return Ok(());
            }
        }
        // Single quotes quote in a pattern, and elsewhere if nothing around them does.
        let single = !quoted || parameter.stage != Stage::Word;
        match c {
            '\\' if quoted => self.backslash_in_quotes(),
            '\\' if matches!(self.peek(1), Some(Unit::Value(_))) => self.lost |= self.in_backquotes(),
            '\\' => {
                self.backslashed |= self.in_backquotes();
                self.copy_two(c);
            }
            '\'' if single => self.enter("'", Context::Single),
            '"' => self.enter("\"", Context::Double { within_quotes: quoted }),
            '$' => self.dollar(),
            '`' => self.backquote()?,
            c => self.out.push(c),
        }
        Ok(())
    }
}
