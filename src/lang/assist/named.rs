//! Where literal texts name steps: as a declaration, by what is expected there, or within `${…}`. All other texts, such
//! as shell commands, name nothing, whatever they hold.

use std::ops::Range;

use super::document::Document;
use super::roles::{Role, keys_at, role};
use crate::lang::keys;

/// Words of conditions and of texts of arrows, which cannot name a step there.
pub const WORDS: [&str; 8] = ["if", "then", "else", "and", "or", "not", "true", "false"];

impl Document {
    /// Does the text declare a step of this name?
    pub(super) fn is_step(&self, name: &str) -> bool {
        let named = || self.outline().named.iter().filter(|at| self.is_step_map(**at));
        self.step_named(name).is_some() || named().any(|at| self.literal(*at).is_some_and(|(_, known)| known == name))
    }

    /// Is it the `name` of a step that is written as a map?
    fn is_step_map(&self, at: usize) -> bool {
        let keys = self.parent(at).and_then(|map| keys_at(self, map, 0));
        keys.is_some_and(|keys| std::ptr::eq(keys, &keys::STEP))
    }

    /// The names of steps that a literal text holds; of a text in backticks with `${…}` there are none.
    pub(super) fn names_in(&self, at: usize) -> Vec<Range<usize>> {
        let Some((start, text)) = self.literal(at).filter(|(_, text)| !text.is_empty()) else { return Vec::new() };
        let outline = self.outline();
        let declares = outline.steps.binary_search_by_key(&at, |step| step.text).is_ok()
            || outline.named.binary_search(&at).is_ok() && self.is_step_map(at);
        let mut found = Vec::new();
        match role(self, at) {
            _ if declares => found.push(0..text.len()),
            Some(Role::Step) => path(text, &mut found),
            Some(Role::Arrow) => arrows(text, &mut found),
            Some(Role::Condition) => expression(text, 0, false, &mut found),
            _ if self.at(at).starts_with('"') => templates(text, &mut found),
            _ => {}
        }
        found.into_iter().map(|range| start + range.start..start + range.end).collect()
    }
}

/// `outer/build`, `lint[*]`: each part without what is in brackets.
fn path(text: &str, found: &mut Vec<Range<usize>>) {
    let mut start = 0;
    for part in text.split('/') {
        let name = part.split('[').next().unwrap_or_default();
        found.push(start..start + name.len());
        start += part.len() + 1;
    }
}

/// What is within `${…}`. Without a property it is the shell's.
fn templates(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(open) = text[from..].find("${").map(|open| from + open + 2) {
        let end = text[open..].find('}').map_or(text.len(), |end| open + end);
        expression(&text[open..end], open, true, found);
        from = end;
    }
}

/// The names of an expression: words that are neither properties, functions nor texts.
fn expression(text: &str, offset: usize, dotted: bool, found: &mut Vec<Range<usize>>) {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    for (range, quoted) in words(text, part) {
        let (before, behind) = (&text[..range.start], &text[range.end..]);
        let is_name = !quoted
            && !before.ends_with('.')
            && !before.ends_with(':')
            && !behind.trim_start().starts_with('(')
            && (!dotted || behind.starts_with('.'));
        if is_name {
            found.push(offset + range.start..offset + range.end);
        }
    }
}

/// `a -> [b, c]`, `if a.passed then b else c`
fn arrows(text: &str, found: &mut Vec<Range<usize>>) {
    let is_flow = ["if ", "if("].iter().any(|begin| text.trim_start().starts_with(begin));
    let part = |c: char| c.is_alphanumeric() || "_-.:/@=+".contains(c);
    let words = words(text, part);
    let mut at = 0;
    while at < words.len() {
        let (range, quoted) = words[at].clone();
        at += 1;
        if is_flow && !quoted && &text[range.clone()] == "if" {
            let then = words[at..].iter().position(|(range, quoted)| !quoted && &text[range.clone()] == "then");
            let then = then.map_or(words.len(), |then| at + then);
            let end = words.get(then).map_or(text.len(), |(range, _)| range.start);
            expression(&text[range.end..end], range.end, false, found);
            at = then;
            continue;
        }
        found.push(range);
    }
}

/// The words of a text, and what stands in quotes as one each.
fn words(text: &str, part: impl Fn(char) -> bool) -> Vec<(Range<usize>, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if matches!(first, '"' | '\'') {
            let length = rest[1..].find(first).unwrap_or(rest.len() - 1);
            // The quotes are written with `\` before them.
            let inner = rest[1..1 + length].trim_end_matches('\\');
            found.push((at + 1..at + 1 + inner.len(), true));
            at = (at + length + 2).min(text.len());
        } else if part(first) {
            let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
            // `a->b`
            let arrow = rest[length..].starts_with('>') && rest[..length].ends_with('-');
            let word = if arrow { rest[..length].trim_end_matches('-').len() } else { length };
            if word > 0 {
                found.push((at..at + word, false));
            }
            at += length;
        } else {
            at += first.len_utf8();
        }
    }
    found
}
