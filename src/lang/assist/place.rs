//! Where a byte of a text is: in a comment, in a literal text, or in code, and what is before it there.

use super::document::Document;
use crate::diag::tokens::Kind;

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a comment.
    Comment,
    /// In the literal text that is this token.
    Text(usize),
    /// In a word, or where one could begin.
    Code {
        /// Where the word begins; at the byte itself if there is none.
        start: usize,
        /// The token of the word, or the one before which it would be.
        at: usize,
    },
}

impl Document {
    /// Where a byte is.
    pub(super) fn place(&self, offset: usize) -> Place {
        let mut at = self.token_at(offset);
        // Of two tokens that touch there, a word is meant.
        let word = |at: usize| self.kind(at) == Some(Kind::Word);
        if self.tokens.get(at).is_some_and(|token| token.end == offset)
            && !word(at)
            && self.tokens.get(at + 1).is_some_and(|next| next.start == offset)
            && word(at + 1)
        {
            at += 1;
        }
        let Some(token) = self.tokens.get(at).filter(|token| token.start <= offset) else {
            return self.between(at, offset);
        };
        match token.kind {
            Kind::Text if token.start < offset && offset < token.end => Place::Text(at),
            Kind::Text if token.start < offset && self.goes_on(at) => Place::Text(at),
            Kind::Text if token.start == offset && self.is_piece(at) => Place::Text(at),
            Kind::Word if self.is_number(at) => Place::Comment,
            Kind::Word => Place::Code { start: token.start, at },
            _ if token.start == offset => self.between(at, offset),
            _ => Place::Code { start: offset, at: at + 1 },
        }
    }

    /// Does a text go on at its end: is it not closed, or does `${` follow?
    fn goes_on(&self, at: usize) -> bool {
        !self.is_closed(at)
    }

    /// Is it a piece of a text in backticks, behind a `}`?
    fn is_piece(&self, at: usize) -> bool {
        at > 0
            && self.is(at - 1, "}")
            && self.tokens[at - 1].end == self.tokens[at].start
            && !self.at(at).starts_with(['"', '\'', '`', '#'])
    }

    fn is_number(&self, at: usize) -> bool {
        self.at(at).starts_with(|c: char| c.is_ascii_digit())
    }

    /// Between two tokens there are blanks and comments.
    fn between(&self, at: usize, offset: usize) -> Place {
        let start = at.checked_sub(1).map_or(0, |before| self.tokens[before].end).min(offset);
        match in_comment(&self.text()[start..], offset - start, start == 0) {
            true => Place::Comment,
            false => Place::Code { start: offset, at },
        }
    }
}

/// Is a byte of a text of blanks and comments in a comment?
fn in_comment(gap: &str, offset: usize, first: bool) -> bool {
    comments(gap, first).any(|comment| {
        let open = gap[comment.clone()].starts_with("/*") && !gap[comment.clone()].ends_with("*/");
        comment.start < offset
            && (offset < comment.end || offset == comment.end && (open || !gap[comment.clone()].starts_with("/*")))
    })
}

/// The comments of a text that begins with blanks and comments, up to what is neither.
pub fn comments(gap: &str, first: bool) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &gap[at..];
        let blank = rest.len() - rest.trim_start().len();
        let start = at + blank;
        let rest = &gap[start..];
        let length = if rest.starts_with("//") || first && start == 0 && rest.starts_with("#!") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            crate::diag::tokens::comment(rest)
        } else {
            return None;
        };
        at = start + length;
        Some(start..at)
    })
}
