//! Expression strings: `tests.passed && coverage > 80`, `response.time < 200ms`, `fn:uppercase(build.output)`.
//!
//! The grammar is `grammar/expression.pest`. What an expression means:
//!
//! - A name is a step, or whatever else the one who evaluates it knows. `build` alone is what the step gave, and in a
//!   place that needs true or false: what it gave if that is true or false, else whether it passed.
//! - Operators, from the loosest to the tightest: `? :`, `or ||`, `and &&`, `not`, `== != < <= > >= in`, `+ -`,
//!   `* / %`, then `!` and `-` in front of a value. Comparisons do not chain.
//! - Only true and false count as such; nothing (`null`, `()`, any value of a skipped step) counts as false; text
//!   counts if it is `true` or `false`. Everything else in such a place is an error. `and`, `or` and `? :` evaluate
//!   only what they need.
//! - Text that is a number (or a percentage) counts as one where it meets a number, since programs print text. Where
//!   one side of `==` is a number and the other is text that is none, they differ; by `<` and so on they cannot be
//!   compared. Two texts are compared as numbers by `<` if both are numbers, else letter by letter; by `==` as text.
//! - `+` adds numbers; if one side is text that is not a number it joins the two as text.
//! - `x in list` looks for an item, `x in text` for a part of it, `x in map` for a key.
//! - Units are numbers: `200ms`, `1.5s`, `2m`, `3h`, `1d` are milliseconds, `10B`, `5kB`, `2MiB` bytes, and `80%` is 80.
//! - Nothing (a value that is not there) can be compared by `==`; by `<` and so on it is an error that names it.
//! - Functions stand in [`FUNCTIONS`]; `fn:` before their name may be left out.

use std::fmt;

use smol_str::SmolStr;

use super::{Json, Key};

mod eval;
mod explain;
mod function;
mod operator;
mod parse;
#[cfg(test)]
mod tests;

pub use eval::{Lookup, eval, holds};
pub use function::{FUNCTIONS, Function, mentions};
pub use operator::{Arithmetic, Comparator};
pub use parse::parse;

/// Longest expression, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// Deepest nesting of an expression: what a thread with a stack of 2 MiB can parse, with room to spare.
pub const MAX_DEPTH: usize = 64;

/// Why a text of one of the small languages (expressions, arrow strings, units, shell scripts) is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Error {
    /// What happened, as a sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where in the text, in bytes from its beginning, if it is one place.
    pub at: Option<usize>,
}

impl Error {
    /// An error with nothing but a message.
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), help: None, at: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a place, unless it has one.
    #[must_use]
    pub fn at(mut self, at: usize) -> Self {
        self.at = self.at.or(Some(at));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// A parsed expression. Printing it gives text that parses to an equal one; places do not count for equality.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it begins, in bytes.
    pub at: usize,
    depth: usize,
}

/// Kinds of expressions. Operators of one rank are one node, so that a long sum is not a deep one.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A number, a text, true, false or nothing.
    Literal(Json),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `build.output.files[0]`
    Name(SmolStr, Vec<Key>),
    /// `json(a.text).files[0]`
    Access(Box<Expr>, Vec<Key>),
    /// `uppercase(x)`
    Call(&'static Function, Vec<Expr>),
    /// `-x`
    Minus(Box<Expr>),
    /// `a + b - c`, or `a * b / c`
    Arithmetic(Box<Expr>, Vec<(Arithmetic, Expr)>),
    /// `a < b`
    Compare(Box<Expr>, Comparator, Box<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// `a ? b : c`
    Choice(Box<[Expr; 3]>),
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Expr {
    fn new(kind: Kind, at: usize) -> Self {
        let mut expr = Expr { kind, at, depth: 0 };
        expr.depth = 1 + expr.parts().map(|part| part.depth).max().unwrap_or(0);
        expr
    }

    /// The expressions it consists of, in the order written.
    pub fn parts(&self) -> impl Iterator<Item = &Expr> {
        let (first, rest): (&[Expr], &[Expr]) = match &self.kind {
            Kind::Literal(_) | Kind::Name(..) => (&[], &[]),
            Kind::List(items) | Kind::Call(_, items) | Kind::And(items) | Kind::Or(items) => (items, &[]),
            Kind::Access(of, _) | Kind::Minus(of) | Kind::Not(of) => (std::slice::from_ref(of), &[]),
            Kind::Arithmetic(first, _) => (std::slice::from_ref(first), &[]),
            Kind::Compare(left, _, right) => (std::slice::from_ref(left), std::slice::from_ref(right)),
            Kind::Choice(parts) => (&parts[..], &[]),
        };
        let terms: &[(Arithmetic, Expr)] = match &self.kind {
            Kind::Arithmetic(_, terms) => terms,
            _ => &[],
        };
        first.iter().chain(rest).chain(terms.iter().map(|(_, term)| term))
    }

    /// How tightly it binds; what binds no tighter than its surroundings is printed in parentheses.
    fn rank(&self) -> u8 {
        match &self.kind {
            Kind::Choice(_) => 0,
            Kind::Or(_) => 1,
            Kind::And(_) => 2,
            Kind::Not(_) => 3,
            Kind::Compare(..) => 4,
            Kind::Arithmetic(_, terms) => match terms.first() {
                Some((Arithmetic::Plus | Arithmetic::Minus, _)) => 5,
                _ => 6,
            },
            Kind::Minus(_) => 7,
            _ => 8,
        }
    }
}

/// The names an expression reads, with what is read of them: each once, in the order written.
pub fn names(expr: &Expr) -> Vec<(String, Vec<Key>)> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if let Kind::Name(name, path) = &expr.kind {
            let name = (name.to_string(), path.clone());
            if !found.contains(&name) {
                found.push(name);
            }
        }
        let before = open.len();
        open.extend(expr.parts());
        open[before..].reverse();
    }
    found
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |f: &mut fmt::Formatter<'_>, part: &Expr| write!(f, "{}", Operand(part, self.rank()));
        let list = |f: &mut fmt::Formatter<'_>, items: &[Expr], between: &str| {
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    f.write_str(between)?;
                }
                part(f, item)?;
            }
            Ok(())
        };
        match &self.kind {
            Kind::Literal(Json::String(text)) => write_text(f, text),
            Kind::Literal(value) => write!(f, "{value}"),
            Kind::List(items) => {
                f.write_str("[")?;
                list(f, items, ", ")?;
                f.write_str("]")
            }
            Kind::Name(name, path) => {
                f.write_str(name)?;
                write_path(f, path)
            }
            Kind::Access(of, path) => {
                // Without parentheses the path would become that of a name or of another access.
                match of.kind {
                    Kind::Call(..) | Kind::List(_) => write!(f, "{of}")?,
                    _ => write!(f, "({of})")?,
                }
                write_path(f, path)
            }
            Kind::Call(function, args) => {
                write!(f, "{}(", function.name)?;
                list(f, args, ", ")?;
                f.write_str(")")
            }
            Kind::Minus(of) => {
                f.write_str("-")?;
                part(f, of)
            }
            Kind::Not(of) => {
                f.write_str("not ")?;
                part(f, of)
            }
            Kind::Arithmetic(first, terms) => {
                part(f, first)?;
                for (operator, term) in terms {
                    write!(f, " {} ", operator.sign())?;
                    part(f, term)?;
                }
                Ok(())
            }
            Kind::Compare(left, comparator, right) => {
                part(f, left)?;
                write!(f, " {} ", comparator.sign())?;
                part(f, right)
            }
            Kind::And(parts) => list(f, parts, " and "),
            Kind::Or(parts) => list(f, parts, " or "),
            Kind::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                part(f, condition)?;
                // Choices nest to the right without parentheses.
                write!(f, " ? {yes} : {no}")
            }
        }
    }
}

/// A part as it stands within something of a rank: in parentheses if it does not bind tighter.
struct Operand<'a>(&'a Expr, u8);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operand(expr, rank) = self;
        if expr.rank() <= *rank && *rank < 8 { write!(f, "({expr})") } else { write!(f, "{expr}") }
    }
}

fn write_path(f: &mut fmt::Formatter<'_>, path: &[Key]) -> fmt::Result {
    for key in path {
        match key {
            Key::Index(index) => write!(f, "[{index}]")?,
            Key::Field(field) if parse::is_identifier(field) => write!(f, ".{field}")?,
            Key::Field(field) => {
                f.write_str("[")?;
                write_text(f, field)?;
                f.write_str("]")?;
            }
        }
    }
    Ok(())
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("'")?;
    for c in text.chars() {
        match c {
            '\'' => f.write_str("\\'")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("'")
}

/// At most `max` characters of a text, on one line, for messages.
pub(super) fn excerpt(text: &str, max: usize) -> String {
    let mut short: String = text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(max).is_some() {
        short.pop();
        short.push('…');
    }
    short
}
