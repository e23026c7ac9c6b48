//! A text, read once: its pieces, which bracket belongs to which, and what it declares.

use std::sync::{Arc, OnceLock};

use super::outline::Outline;
use crate::diag::tokens::{Kind, Token, tokens};

/// No token.
const NONE: u32 = u32::MAX;

/// How many open brackets are looked through for the one that a closing bracket belongs to.
const DEEPEST: usize = 64;

/// A text that is being written.
pub struct Document {
    text: Arc<str>,
    pub(super) tokens: Vec<Token>,
    /// The innermost bracket that is open at each token.
    parents: Vec<u32>,
    /// Of each bracket, the other one.
    partners: Vec<u32>,
    outline: OnceLock<Outline>,
}

impl Document {
    /// Reads a text.
    pub fn new(text: impl Into<Arc<str>>) -> Document {
        let text = text.into();
        let tokens = tokens(&text);
        let mut document = Document {
            parents: vec![NONE; tokens.len()],
            partners: vec![NONE; tokens.len()],
            text,
            tokens,
            outline: OnceLock::new(),
        };
        document.match_brackets();
        document
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces of the text: words, literal texts, brackets, signs.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// A word that begins a statement, or a semicolon, cannot stand within brackets other than `{`: those that are open
    /// there were left open while somebody writes. So one of them does not spoil what comes after it.
    fn match_brackets(&mut self) {
        let mut open: Vec<u32> = Vec::new();
        for at in 0..self.tokens.len() {
            let ends = match self.tokens[at].kind {
                Kind::Word => self.begins_statement(at),
                Kind::Sign => self.is(at, ";"),
                _ => false,
            };
            if ends {
                while open.last().is_some_and(|open| !matches!(self.at(*open as usize), "{" | "${")) {
                    open.pop();
                }
            }
            match self.tokens[at].kind {
                Kind::Open => {
                    self.parents[at] = open.last().copied().unwrap_or(NONE);
                    open.push(at as u32);
                }
                Kind::Close => {
                    let fits: fn(&str) -> bool = match self.at(at) {
                        ")" => |open| open == "(",
                        "]" => |open| open == "[",
                        _ => |open| matches!(open, "{" | "#{" | "${"),
                    };
                    let found = open.iter().rev().take(DEEPEST).position(|open| fits(self.at(*open as usize)));
                    if let Some(depth) = found {
                        open.truncate(open.len() - depth);
                        if let Some(other) = open.pop() {
                            self.partners[at] = other;
                            self.partners[other as usize] = at as u32;
                        }
                    }
                    self.parents[at] = open.last().copied().unwrap_or(NONE);
                }
                _ => self.parents[at] = open.last().copied().unwrap_or(NONE),
            }
        }
    }

    fn begins_statement(&self, at: usize) -> bool {
        matches!(
            self.at(at),
            "let" | "const" | "fn" | "import" | "export" | "private" | "for" | "while" | "return" | "throw"
        ) && !self.is_member(at)
            && !self.is(at + 1, ":")
    }

    /// What is written at a token; nothing behind the last one.
    pub(super) fn at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.of(&self.text))
    }

    /// Is this written there?
    pub(super) fn is(&self, at: usize, text: &str) -> bool {
        self.at(at) == text
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// A name, which is no number.
    pub(super) fn name(&self, at: usize) -> Option<&str> {
        let name = self.tokens.get(at).filter(|token| token.kind == Kind::Word)?.of(&self.text);
        (!name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
    }

    /// The innermost bracket that is open at a token.
    pub(super) fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).filter(|parent| **parent != NONE).map(|parent| *parent as usize)
    }

    /// The bracket that belongs to this one.
    pub(super) fn partner(&self, at: usize) -> Option<usize> {
        self.partners.get(at).filter(|partner| **partner != NONE).map(|partner| *partner as usize)
    }

    /// The closing bracket of the one at `open`, or the last token if it is not closed.
    pub(super) fn close_of(&self, open: usize) -> usize {
        self.partner(open).unwrap_or(self.tokens.len().saturating_sub(1))
    }

    /// Is it behind a dot?
    pub(super) fn is_member(&self, at: usize) -> bool {
        at > 0 && self.is(at - 1, ".") && !(at > 1 && self.is(at - 2, "."))
    }

    /// Is it behind `alias::`? The token of the alias.
    pub(super) fn alias_of(&self, at: usize) -> Option<usize> {
        (at > 2 && self.is_scope(at - 2)).then(|| at - 3).filter(|alias| self.name(*alias).is_some())
    }

    /// Do `::` begin here?
    pub(super) fn is_scope(&self, at: usize) -> bool {
        self.is(at, ":") && self.is(at + 1, ":") && self.tokens[at].end == self.tokens[at + 1].start
    }

    /// The first token that ends behind a byte or at it.
    pub(super) fn token_at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.end < offset)
    }

    /// The text of a literal without quotes, and where that begins. Only for texts of one piece.
    pub(super) fn literal(&self, at: usize) -> Option<(usize, &str)> {
        let token = self.tokens.get(at).filter(|token| token.kind == Kind::Text)?;
        let text = token.of(&self.text);
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        if quote == '`' && (self.is(at + 1, "${") && self.tokens[at + 1].start == token.end) {
            return None;
        }
        if quote == '`' && text.len() == 1 && self.continues(at) {
            return None;
        }
        let inner = &text[1..];
        let inner = if self.is_closed(at) { &inner[..inner.len() - 1] } else { inner };
        Some((token.start + 1, inner))
    }

    /// Does a literal text end with its quote?
    pub(super) fn is_closed(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        let text = token.of(&self.text);
        match text.as_bytes() {
            [b'"', .., b'"'] | [b'\'', .., b'\''] => {
                let escapes = text[..text.len() - 1].bytes().rev().take_while(|byte| *byte == b'\\').count();
                escapes % 2 == 0
            }
            [b'`', .., b'`'] | [b'#', .., b'#'] => true,
            [b'"' | b'\'' | b'#', ..] => false,
            [b'`'] => self.continues(at),
            [.., b'`'] => true,
            _ => false,
        }
    }

    /// Is it the last piece of a text in backticks, behind a `}`?
    fn continues(&self, at: usize) -> bool {
        at > 0 && self.is(at - 1, "}") && self.tokens[at - 1].end == self.tokens[at].start && !self.is(at + 1, "${")
    }

    /// What the text declares.
    pub(super) fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| Outline::of(self))
    }

    /// A byte that begins a character, not behind the end.
    pub(super) fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// Another file that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The path, as written.
    pub path: String,
    /// Is it a workflow, whose path is relative to the folder of the script that is run? Else it is a module.
    pub workflow: bool,
}

impl Document {
    /// The modules and workflows that the text names.
    pub fn links(&self) -> Vec<Link> {
        let literal = |at: usize| self.literal(at).map(|(_, path)| path.to_owned());
        let imports = self.outline().imports.iter().filter_map(|import| literal(import.path));
        let mut links: Vec<Link> = imports.map(|path| Link { path, workflow: false }).collect();
        let calls = (0..self.tokens.len()).filter(|at| {
            matches!(self.at(*at), "workflow" | "simulate") && self.is(at + 1, "(") && !self.is_member(*at)
        });
        for call in calls {
            let number = usize::from(self.is(call, "workflow"));
            let file = super::chain::arguments(self, call + 1).nth(number).and_then(literal);
            links.extend(file.map(|path| Link { path, workflow: true }));
        }
        links
    }

    /// Is a byte within a literal text?
    pub fn in_text(&self, offset: usize) -> bool {
        matches!(self.place(self.floor(offset)), super::place::Place::Text(_))
    }
}
