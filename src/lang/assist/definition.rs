//! Where what a place names is declared.

use std::ops::Range;

use super::document::Document;
use super::place::Place;
use super::roles::{Role, role};
use super::{Definition, Known};
use crate::diag::tokens::Kind;

impl Document {
    /// Where what stands at a byte is declared.
    pub fn definition(&self, offset: usize, known: &Known) -> Option<Definition> {
        let offset = self.floor(offset);
        match self.place(offset) {
            Place::Text(at) => self.definition_text(at, offset),
            Place::Code { at, .. } if self.kind(at) == Some(Kind::Word) && self.tokens[at].start <= offset => {
                self.definition_word(at, known)
            }
            _ => None,
        }
    }

    fn definition_word(&self, at: usize, known: &Known) -> Option<Definition> {
        let name = self.name(at)?;
        let is_key =
            self.is(at + 1, ":") && !self.is_scope(at + 1) && self.parent(at).is_some_and(|o| self.is(o, "#{"));
        if self.is_member(at) || is_key {
            return None;
        }
        if let Some(alias) = self.alias_of(at) {
            let alias = self.at(alias);
            let (range, name) = self.in_module(alias, known, |module| module.function_range(name))?;
            let import = self.outline().import(self, alias)?;
            let module = self.literal(import.path).map(|(_, path)| path.to_owned());
            return Some(Definition { module, range, name });
        }
        let is_call = self.is(at + 1, "(");
        if let Some(variable) = self.outline().variable(self, name, self.tokens[at].start).filter(|_| !is_call) {
            let token = self.tokens[variable.name];
            let name = token.start..token.end;
            return Some(Definition { module: None, range: name.clone(), name });
        }
        if let Some((range, name)) = self.function_range(name) {
            return Some(Definition { module: None, range, name });
        }
        let import = self.outline().import(self, name)?;
        self.literal(import.path).map(|(_, path)| whole(path))
    }

    /// All of a function, and its name.
    fn function_range(&self, name: &str) -> Option<(Range<usize>, Range<usize>)> {
        let function = self.outline().function_named(self, name)?;
        let token = self.tokens[function.name];
        let end = function.body.map_or(token.end, |(_, close)| self.tokens[close].end);
        Some((self.tokens[function.begin].start..end, token.start..token.end))
    }

    fn definition_text(&self, at: usize, offset: usize) -> Option<Definition> {
        let (_, text) = self.literal(at)?;
        if let Some(Role::Module | Role::File) = role(self, at) {
            return Some(whole(text));
        }
        let range = self.step_word(at, offset)?;
        let name = self.text().get(range)?;
        if let Some(step) = self.step_named(name) {
            let (start, name) = self.literal(step.text)?;
            return Some(Definition {
                module: None,
                range: self.tokens[step.call].start..self.end_of_chain(step.open),
                name: start..start + name.len(),
            });
        }
        let named = self.outline().named.iter().filter_map(|at| self.literal(*at)).find(|(_, known)| *known == name);
        if let Some((start, name)) = named {
            return Some(Definition {
                module: None,
                range: start..start + name.len(),
                name: start..start + name.len(),
            });
        }
        self.function_range(name).map(|(range, name)| Definition { module: None, range, name })
    }

    /// The byte behind a call and the methods that are called on what it gives.
    pub(super) fn end_of_chain(&self, open: usize) -> usize {
        let mut close = self.close_of(open);
        while self.is(close + 1, ".") && self.is(close + 3, "(") && self.partner(close + 3).is_some() {
            close = self.close_of(close + 3);
        }
        self.tokens.get(close).map_or(self.text().len(), |token| token.end)
    }
}

/// A module, from its beginning.
fn whole(path: &str) -> Definition {
    Definition { module: Some(path.to_owned()), range: 0..0, name: 0..0 }
}
