//! Arrow strings `a → b → [c, d] → e` and flow strings `if tests.passed then deploy → smoke else notify`.
//!
//! The grammar is `grammar/arrow.pest`. What they mean:
//!
//! - `→` and `->` are the same: what is on the right runs after what is on the left, and gets its output.
//! - `[a, b]` runs its items side by side; each may be a chain, `[a → b, c]`.
//! - A name is a step, or one of the things that DESIGN's order of names finds. `/docs topic` is a registered command
//!   with the words that follow it, up to the next arrow, comma or bracket; a word with such a sign stands in quotes.
//! - `label: stage` gives a stage a role, as in `coordinator: plan → specialists: [a, b]`.
//! - `a |> [b, c] |> d` are the levels of a stream: all of a level write to all of the next.
//! - In a flow string the condition is an expression ([`super::expression`]) and ends at `then`; `else` belongs to the
//!   nearest `if`; parentheses group: `if a then (if b then c) else d`.
//!
//! White space and line breaks may stand everywhere between the parts.

use std::fmt;

use smol_str::SmolStr;

use super::expression::Expr;

mod parse;
#[cfg(test)]
mod tests;

pub use super::expression::Error;
pub use parse::{parse_chain, parse_flow, parse_stream};

/// A name in a text, and where it stands there. Places do not count for equality.
#[derive(Clone, Debug, Eq)]
pub struct Name {
    /// The name.
    pub text: SmolStr,
    /// Where it begins, in bytes.
    pub at: usize,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One stage of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// `label:` before it.
    pub label: Option<Name>,
    /// What runs.
    pub node: Node,
}

/// What a stage consists of.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `build`
    Name(Name),
    /// `/docs topic`: the command's name with its slash, and its words.
    Command(Name, Vec<String>),
    /// `[a, b → c]`: chains side by side.
    SideBySide(Vec<Vec<Stage>>),
    /// `(a → b)`
    Chain(Vec<Stage>),
    /// `(if c then a else b)`
    Flow(Box<Flow>),
}

/// `if C then a else b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The condition as written.
    pub condition: String,
    /// The same, parsed. Its places count from the beginning of `condition`.
    pub expr: Expr,
    /// Where the condition begins, in bytes.
    pub at: usize,
    /// What runs if it holds.
    pub then: Branch,
    /// What runs if not.
    pub otherwise: Option<Branch>,
}

/// A branch of a flow string.
#[derive(Clone, Debug, PartialEq)]
pub enum Branch {
    /// A chain.
    Chain(Vec<Stage>),
    /// `else if …`: a further decision.
    Flow(Box<Flow>),
}

fn write_chain(f: &mut fmt::Formatter<'_>, stages: &[Stage]) -> fmt::Result {
    for (n, stage) in stages.iter().enumerate() {
        if n > 0 {
            f.write_str(" → ")?;
        }
        write!(f, "{stage}")?;
    }
    Ok(())
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(label) = &self.label {
            write!(f, "{}: ", label.text)?;
        }
        match &self.node {
            Node::Name(name) => f.write_str(&name.text),
            Node::Command(name, words) => {
                f.write_str(&name.text)?;
                words.iter().try_for_each(|word| write!(f, " {}", Quoted(word)))
            }
            Node::SideBySide(chains) => {
                f.write_str("[")?;
                for (n, chain) in chains.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    write_chain(f, chain)?;
                }
                f.write_str("]")
            }
            Node::Chain(stages) => {
                f.write_str("(")?;
                write_chain(f, stages)?;
                f.write_str(")")
            }
            Node::Flow(flow) => write!(f, "({flow})"),
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "if {} then ", self.condition)?;
        match (&self.then, &self.otherwise) {
            // An `else` would go to the inner one.
            (Branch::Flow(flow), Some(_)) => write!(f, "({flow})")?,
            (then, _) => write!(f, "{then}")?,
        }
        match &self.otherwise {
            Some(branch) => write!(f, " else {branch}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Branch::Chain(stages) => write_chain(f, stages),
            Branch::Flow(flow) => write!(f, "{flow}"),
        }
    }
}

/// A word of a command, in quotes so that nothing in it ends it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || "_.:/@=+".contains(c);
        let keyword = ["if", "then", "else"].contains(&self.0.to_lowercase().as_str());
        if !self.0.is_empty() && !keyword && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}
