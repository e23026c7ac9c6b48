//! What each piece of a text is, for its colour.

use std::collections::HashSet;
use std::ops::Range;

use super::document::Document;
use super::outline::constructors;
use super::place::comments;
use super::{Colour, is_keyword};
use crate::diag::tokens::Kind;

impl Document {
    /// The pieces that have a colour, in order; they do not overlap.
    pub fn colours(&self) -> Vec<(Range<usize>, Colour)> {
        let outline = self.outline();
        let is_step = |at: usize| self.is(at + 1, "(") && constructors().contains(self.at(at));
        let held = outline.variables.iter().filter(|variable| variable.value.is_some_and(is_step));
        let steps: HashSet<&str> = held.map(|variable| self.at(variable.name)).collect();
        let mut found = Vec::with_capacity(self.tokens.len());
        let mut end = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            self.comments_between(end, token.start, &mut found);
            end = token.end;
            let range = token.start..token.end;
            match token.kind {
                Kind::Text if range.is_empty() => {}
                Kind::Text => self.text_colours(at, &mut found),
                Kind::Sign if !matches!(token.of(self.text()), "," | ";" | "." | ":") => {
                    found.push((range, Colour::Operator));
                }
                Kind::Word => {
                    let word = token.of(self.text());
                    let member = self.is_member(at);
                    let colour = if word.starts_with(|c: char| c.is_ascii_digit()) {
                        Colour::Number
                    } else if !member && is_keyword(word) {
                        Colour::Keyword
                    } else if self.is(at + 1, "(") {
                        Colour::Function
                    } else if !member && steps.contains(word) {
                        Colour::Step
                    } else {
                        continue;
                    };
                    found.push((range, colour));
                }
                _ => {}
            }
        }
        self.comments_between(end, self.text().len(), &mut found);
        found
    }

    fn comments_between(&self, start: usize, end: usize, found: &mut Vec<(Range<usize>, Colour)>) {
        // Most gaps are a blank or nothing.
        if end > start + 1 {
            let gap = &self.text()[start..end];
            found.extend(comments(gap, start == 0).map(|c| (start + c.start..start + c.end, Colour::Comment)));
        }
    }

    /// A text, in which `${step.property}` is another colour if it is one of quotes.
    fn text_colours(&self, at: usize, found: &mut Vec<(Range<usize>, Colour)>) {
        let token = self.tokens[at];
        let text = token.of(self.text());
        let mut begin = 0;
        if text.starts_with('"') {
            while let Some(open) = text[begin..].find("${").map(|open| begin + open) {
                let Some(close) = text[open..].find('}').map(|close| open + close + 1) else { break };
                if open > begin {
                    found.push((token.start + begin..token.start + open, Colour::Text));
                }
                found.push((token.start + open..token.start + close, Colour::Step));
                begin = close;
            }
        }
        if begin < text.len() {
            found.push((token.start + begin..token.end, Colour::Text));
        }
    }
}
