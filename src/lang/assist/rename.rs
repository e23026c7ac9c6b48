//! May something be called otherwise?

use super::document::Document;
use super::named;
use super::place::Place;
use crate::lang::parsed::{Parsed, parsed};
use crate::lang::reference::{self, items};

impl Document {
    /// Can what stands at a byte have this name instead of its own?
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn may_be_called(&self, offset: usize, name: &str) -> Result<(), String> {
        let offset = self.floor(offset);
        match self.place(offset) {
            Place::Text(_) => self.step_may_be_called(name),
            Place::Code { at, .. } => self.word_may_be_called(at, name),
            Place::Comment => Err("there is nothing here that has a name".to_owned()),
        }
    }

    fn step_may_be_called(&self, name: &str) -> Result<(), String> {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
            return Err(format!("`{name}` is no name of a step: letters, digits, `-`, `_` and `.`"));
        }
        if named::WORDS.contains(&name) {
            return Err(format!("`{name}` is a word of conditions and flows, so no step can have this name"));
        }
        match self.is_step(name) {
            true => Err(format!("there is a step `{name}` already: choose another name")),
            false => Ok(()),
        }
    }

    fn word_may_be_called(&self, at: usize, name: &str) -> Result<(), String> {
        let first = |c: char| c.is_alphabetic() || c == '_';
        if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
            return Err(format!("`{name}` is no name of a variable: letters, digits and `_`"));
        }
        let outline = self.outline();
        let old = self.at(at);
        let variable = outline.variable(self, old, self.tokens.get(at).map_or(0, |token| token.start));
        let is_call = self.is(at + 1, "(") && outline.function_named(self, old).is_some();
        let variable = variable.filter(|_| !is_call);
        // The parser knows best which words are its own.
        let declaration = if variable.is_some() { format!("let {name} = 1;") } else { format!("fn {name}() {{}}") };
        if super::is_keyword(name) || !matches!(parsed(&declaration), Parsed::Complete) {
            return Err(format!("`{name}` is a word of the language, so nothing can have this name"));
        }
        if outline.function_named(self, name).is_some() {
            return Err(format!("there is a function `{name}` already: choose another name"));
        }
        if outline.import(self, name).is_some() {
            return Err(format!("there is a module `{name}` already: choose another name"));
        }
        let function_of = |token: usize| outline.function_at(token).map(|function| function.name);
        let clashes = outline.variables.iter().filter(|other| self.is(other.name, name)).any(|other| match variable {
            None => true,
            Some(variable) => {
                let here = self.tokens[variable.name].start..variable.scope.end;
                let there = self.tokens[other.name].start..other.scope.end;
                // A function sees its own variables only.
                let (one, two) = (function_of(variable.name), function_of(other.name));
                let apart = one != two && (variable.by == "fn" || other.by == "fn" || one.is_some() || two.is_some());
                !apart && here.start < there.end && there.start < here.end
            }
        });
        if clashes {
            return Err(format!("there is a variable `{name}` already: choose another name"));
        }
        let is_ours = || items().iter().any(|item| item.kind == reference::Kind::Function && item.name == name);
        match variable.is_none() && is_ours() {
            true => Err(format!("`{name}` is a function of flow: choose another name")),
            false => Ok(()),
        }
    }
}
