//! Functions that other files can call by `alias::name`.

use std::ops::Range;

use super::document::Document;
use super::place::Place;

/// A function that other files can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The module that declares it, as the text names it; nothing for this text.
    pub module: Option<String>,
    /// Its name.
    pub name: String,
}

impl Document {
    /// The function at a byte that other files can call: one of this text, or one of a module.
    pub fn shared(&self, offset: usize) -> Option<Shared> {
        let offset = self.floor(offset);
        let Place::Code { at, .. } = self.place(offset) else { return None };
        let name = self.name(at).filter(|_| self.tokens[at].start <= offset && !self.is_member(at))?;
        if let Some(alias) = self.alias_of(at) {
            let import = self.outline().import(self, self.at(alias))?;
            let (_, path) = self.literal(import.path)?;
            return Some(Shared { module: Some(path.to_owned()), name: name.to_owned() });
        }
        let (place, is_private) = self.function_place(name)?;
        let is_it = self.references(offset).iter().any(|range| range.start == place);
        (is_it && !is_private).then(|| Shared { module: None, name: name.to_owned() })
    }

    /// Where the name of a function stands that this text declares, and whether it is private.
    pub fn function_place(&self, name: &str) -> Option<(usize, bool)> {
        let function = self.outline().function_named(self, name)?;
        Some((self.tokens[function.name].start, self.is(function.begin, "private")))
    }

    /// Where this text uses a function of a module; `is_it` tells whether a path of an import names that module.
    pub fn uses_of(&self, name: &str, is_it: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
        let outline = self.outline();
        let aliases: Vec<&str> = outline
            .imports
            .iter()
            .filter(|import| self.literal(import.path).is_some_and(|(_, path)| is_it(path)))
            .filter_map(|import| import.alias.map(|alias| self.at(alias)))
            .collect();
        if aliases.is_empty() {
            return Vec::new();
        }
        let means = |at: usize| {
            self.name(at) == Some(name) && self.alias_of(at).is_some_and(|alias| aliases.contains(&self.at(alias)))
        };
        let found = (0..self.tokens.len()).filter(|at| means(*at));
        found.map(|at| self.tokens[at].start..self.tokens[at].end).collect()
    }
}
