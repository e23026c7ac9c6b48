//! Where a name is used.

use std::ops::Range;

use super::document::Document;
use super::place::Place;
use crate::diag::tokens::Kind;

impl Document {
    /// All places in this text that mean the same as what stands at a byte, its declaration among them: a variable, a
    /// function of the script, a step by its name.
    pub fn references(&self, offset: usize) -> Vec<Range<usize>> {
        let offset = self.floor(offset);
        match self.place(offset) {
            Place::Text(at) => self.step_references(at, offset),
            Place::Code { at, .. } if self.kind(at) == Some(Kind::Word) && self.tokens[at].start <= offset => {
                self.word_references(at)
            }
            _ => Vec::new(),
        }
    }

    fn word_references(&self, at: usize) -> Vec<Range<usize>> {
        let Some(name) = self.name(at).filter(|_| self.is_plain(at)) else { return Vec::new() };
        let start = self.tokens[at].start;
        let outline = self.outline();
        let is_call = self.is(at + 1, "(");
        let variable =
            outline.variable(self, name, start).filter(|_| !is_call || outline.function_named(self, name).is_none());
        if let Some(variable) = variable {
            let declared = self.tokens[variable.name].start;
            // Where the name is declared again, it means something else from there on.
            let others: Vec<Range<usize>> = outline
                .variables
                .iter()
                .filter(|other| other.name != variable.name && self.is(other.name, name))
                .filter(|other| self.tokens[other.name].start > declared && other.scope.start < variable.scope.end)
                .map(|other| self.tokens[other.name].start..other.scope.end)
                .collect();
            return self.words(name, |at| {
                let start = self.tokens[at].start;
                let within = at == variable.name || variable.scope.start <= start && start < variable.scope.end;
                within && !others.iter().any(|other| other.contains(&start))
            });
        }
        if outline.function_named(self, name).is_none() && outline.import(self, name).is_none() {
            return Vec::new();
        }
        let is_variable = |at: usize| outline.variable(self, name, self.tokens[at].start).is_some();
        let mut found = self.words(name, |at| self.is(at + 1, "(") || !is_variable(at));
        // Texts of arrows name functions too, where no step is called so.
        if !self.is_step(name) && outline.function_named(self, name).is_some() {
            found.extend(self.names_of(name));
            found.sort_by_key(|range| range.start);
        }
        found
    }

    /// No property, no key, nothing of a module.
    fn is_plain(&self, at: usize) -> bool {
        let is_key =
            self.is(at + 1, ":") && !self.is_scope(at + 1) && self.parent(at).is_some_and(|o| self.is(o, "#{"));
        !self.is_member(at) && self.alias_of(at).is_none() && !is_key
    }

    fn words(&self, name: &str, means: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let found =
            (0..self.tokens.len()).filter(|at| self.name(*at) == Some(name) && self.is_plain(*at) && means(*at));
        found.map(|at| self.tokens[at].start..self.tokens[at].end).collect()
    }

    fn step_references(&self, at: usize, offset: usize) -> Vec<Range<usize>> {
        let named = self.names_in(at).into_iter().find(|range| range.start <= offset && offset <= range.end);
        let Some(name) = named.and_then(|range| self.text().get(range)) else { return Vec::new() };
        match self.is_step(name) {
            true => self.names_of(name),
            false => Vec::new(),
        }
    }

    /// Where texts name something.
    fn names_of(&self, name: &str) -> Vec<Range<usize>> {
        let texts =
            (0..self.tokens.len()).filter(|at| self.kind(*at) == Some(Kind::Text) && self.at(*at).contains(name));
        texts.flat_map(|at| self.names_in(at)).filter(|range| self.text().get(range.clone()) == Some(name)).collect()
    }
}
