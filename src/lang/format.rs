//! The form of scripts, as `flow fmt` writes them: one way to indent, to space and to end lists, and the author's own
//! decisions where lines end.
//!
//! Where the author broke a list, a chain of methods or an expression, it stays broken; what is too long for a line and
//! was not broken is. Comments stay where they are, and blank lines between statements, at most one. What a script means
//! does not change: its pieces are the same afterwards, comments and commas before closing brackets aside, and texts
//! keep every byte.

mod layout;
mod lex;
mod tree;

use super::{Program, Script};
use crate::diag::{Diagnostic, Result};

/// How many columns a line may have.
const WIDTH: usize = 120;

/// A script in its form. It is also that of the result: formatting twice changes nothing more.
///
/// # Errors
/// What is wrong in the script's text: only what can be read is formatted.
pub fn format(script: &Script) -> Result<String> {
    Program::compile(script)?;
    let text = &*script.text;
    let can_be_read = |text: &str| Program::compile(&Script { text: text.into(), ..script.clone() }).is_ok();
    form(text).filter(|formed| is_same(text, formed) && can_be_read(formed)).ok_or_else(|| {
        let message = format!("`{}` cannot be formatted without changing what it means", script.name);
        Diagnostic::new("flow::fmt::unsure", message)
            .help("it was left as it is; this is an error of flow: please report it with the script")
    })
}

/// The form of a text. Where comments stand in odd places, what was moved once may be moved again: until nothing is.
fn form(text: &str) -> Option<String> {
    let mut formed = pass(text)?;
    for _ in 0..MOST_PASSES {
        let next = pass(&formed)?;
        if next == formed {
            return Some(formed);
        }
        formed = next;
    }
    None
}

/// How often a text is written anew; twice is the most that was seen.
const MOST_PASSES: usize = 10;

fn pass(text: &str) -> Option<String> {
    let (mark, text) = if text.starts_with('\u{feff}') { text.split_at('\u{feff}'.len_utf8()) } else { ("", text) };
    let tokens = lex::tokens(text).ok()?;
    Some(format!("{mark}{}", layout::write(text, &tree::parse(&tokens)?)))
}

/// Are the pieces of two scripts the same, commas before closing brackets aside?
fn is_same(one: &str, other: &str) -> bool {
    fn pieces(script: &str) -> Option<Vec<&str>> {
        let script = script.trim_start_matches('\u{feff}');
        let tokens = lex::tokens(script).ok()?;
        // A comment may stand before or behind a comma: they are compared by themselves.
        let (comments, code): (Vec<_>, Vec<_>) = tokens.into_iter().partition(lex::Token::is_comment);
        let mut pieces = Vec::with_capacity(code.len());
        for (at, token) in code.iter().enumerate() {
            let last = code.get(at + 1).is_some_and(|next| next.kind == lex::Kind::Close);
            if !(token.kind == lex::Kind::Comma && last) {
                pieces.push(token.text);
            }
        }
        pieces.extend(comments.iter().flat_map(|comment| comment.text.lines().map(str::trim)));
        Some(pieces)
    }
    let one = pieces(one);
    one.is_some() && one == pieces(other)
}

#[cfg(test)]
mod tests;
