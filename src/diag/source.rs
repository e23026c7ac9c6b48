//! Places in the files of a workflow, and the texts they point into.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens;

/// A place in one of the files of a workflow. Lines and columns count from 1; line 0 means "nowhere".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Index into the list of files (`Sources`, `Plan::files`): 0 is the script itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub file: u16,
    /// Column in characters, from 1.
    pub column: u16,
    /// Line, from 1; 0 when the place is not known.
    pub line: u32,
}

fn is_zero(n: &u16) -> bool {
    *n == 0
}

impl Span {
    /// A place in the script itself.
    pub fn at(line: u32, column: u16) -> Self {
        Span { file: 0, column, line }
    }

    /// Is the place known?
    pub fn is_known(self) -> bool {
        self.line > 0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The texts that spans point into. Index = `Span::file`.
#[derive(Clone, Debug, Default)]
pub struct Sources(Arc<Vec<(String, Arc<str>)>>);

impl Sources {
    /// Sources of one script: its name as the user typed it, and its text.
    pub fn one(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Sources(Arc::new(vec![(name.into(), text.into())]))
    }

    /// Sources of several files, in the order of `Span::file`.
    pub fn new(files: Vec<(String, Arc<str>)>) -> Self {
        Sources(Arc::new(files))
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and text of a file.
    pub fn get(&self, file: u16) -> Option<(&str, &Arc<str>)> {
        self.0.get(file as usize).map(|(name, text)| (name.as_str(), text))
    }

    /// The byte at which a place is in its file.
    pub fn offset(&self, span: Span) -> Option<usize> {
        let (_, text) = self.get(span.file)?;
        let mut start = 0;
        for (n, line) in text.split_inclusive('\n').enumerate() {
            if n + 1 == span.line as usize {
                let column = span.column.max(1) as usize - 1;
                return Some(start + line.char_indices().nth(column).map_or(line.trim_end().len(), |(at, _)| at));
            }
            start += line.len();
        }
        None
    }

    /// The place of a byte of a file.
    pub fn span_at(&self, file: u16, offset: usize) -> Option<Span> {
        let before = self.get(file)?.1.get(..offset)?;
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(Span { file, line: line as u32, column: column.min(u16::MAX as usize) as u16 })
    }

    /// What stands at a place: its first byte, and how many there are. A dot stands for the names that it joins.
    pub fn word(&self, span: Span) -> Option<(usize, usize)> {
        let (_, text) = self.get(span.file)?;
        let offset = self.offset(span)?;
        let tokens = tokens::tokens(text);
        let Some(at) = tokens.iter().position(|token| token.start <= offset && offset < token.end) else {
            return Some((offset, usize::from(offset < text.len())));
        };
        if tokens[at].kind == tokens::Kind::Text && tokens[at].start < offset {
            // A word within a literal text.
            let rest = &text[offset..tokens[at].end];
            return Some((offset, rest.find(|c: char| !(c.is_alphanumeric() || "_.".contains(c))).unwrap_or(1).max(1)));
        }
        if tokens[at].kind == tokens::Kind::Word {
            return Some((tokens[at].start, tokens[at].end - tokens[at].start));
        }
        if tokens[at].of(text) != "." {
            // A text over several lines is shown where it begins.
            let first = text[offset..tokens[at].end].lines().next().map_or(0, str::len);
            return Some((offset, first.max(1)));
        }
        let mut names = at..at + 1;
        let touches = |left: usize, right: usize| {
            let (Some(left), Some(right)) = (tokens.get(left), tokens.get(right)) else { return false };
            let part = |token: &tokens::Token| token.kind == tokens::Kind::Word || token.of(text) == ".";
            left.end == right.start && part(left) && part(right)
        };
        while names.start > 0 && touches(names.start - 1, names.start) {
            names.start -= 1;
        }
        while touches(names.end - 1, names.end) {
            names.end += 1;
        }
        Some((tokens[names.start].start, tokens[names.end - 1].end - tokens[names.start].start))
    }

    /// The place of a word, of a literal text, or of a word within one, among the arguments of the call at `call`
    /// and of the methods called on its result.
    pub(super) fn within(&self, call: Span, word: &str) -> Option<Span> {
        let (_, text) = self.get(call.file)?;
        let offset = self.offset(call)?;
        let tokens = tokens::tokens(text);
        let name = tokens.iter().position(|token| token.start == offset)?;
        let open = name + 1;
        if tokens.get(open)?.of(text) != "(" {
            return None;
        }
        let mut end = tokens::closing(&tokens, open);
        // The methods that are called on what the call gives.
        let is = |at: usize, sign: &str| tokens.get(at).is_some_and(|token| token.of(text) == sign);
        while is(end + 1, ".") && is(end + 3, "(") {
            end = tokens::closing(&tokens, end + 3);
        }
        let arguments = &tokens[open..end.min(tokens.len())];
        if let Some(found) = arguments.iter().find(|token| token.word(text) == Some(word)) {
            return self.span_at(call.file, found.start);
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let literals = arguments.iter().filter(|token| token.kind == tokens::Kind::Text);
        let mut places = literals.flat_map(|token| {
            token.of(text).match_indices(word).map(|(at, found)| (token.start + at, token.start + at + found.len()))
        });
        let whole =
            places.find(|(start, end)| !text[..*start].ends_with(is_part) && !text[*end..].starts_with(is_part));
        self.span_at(call.file, whole?.0)
    }
}
