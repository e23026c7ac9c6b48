//! What is known of the word at a place.

use super::complete::docs_of_key;
use super::document::Document;
use super::place::Place;
use super::roles::{Role, role};
use super::{Hover, KEYWORDS, Known, Sort, builtin, chain, strings};
use crate::diag::tokens::Kind;
use crate::lang::keys;
use crate::lang::reference::{self, Item, items};

impl Document {
    /// What is known of what stands at a byte.
    pub fn hover(&self, offset: usize, known: &Known) -> Option<Hover> {
        let offset = self.floor(offset);
        match self.place(offset) {
            Place::Text(at) => self.hover_text(at, offset, known),
            Place::Code { at, .. } if self.kind(at) == Some(Kind::Word) && self.tokens[at].start <= offset => {
                let text = self.hover_word(at, known)?;
                Some(Hover { text, range: self.tokens[at].start..self.tokens[at].end })
            }
            Place::Code { .. } => self.hover_sign(offset),
            Place::Comment => None,
        }
    }

    fn hover_sign(&self, offset: usize) -> Option<Hover> {
        let near = self.token_at(offset);
        let token = [near, near + 1].into_iter().filter_map(|at| self.tokens.get(at)).find(|token| {
            token.start <= offset && offset <= token.end && matches!(token.of(self.text()), "->" | "|>")
        })?;
        let item = items().iter().find(|item| item.name == token.of(self.text()))?;
        Some(Hover { text: of_item(item), range: token.start..token.end })
    }

    fn hover_word(&self, at: usize, known: &Known) -> Option<String> {
        let name = self.name(at)?;
        let of_kind = |kind: reference::Kind| items().iter().find(|item| item.kind == kind && item.name == name);
        if self.is_member(at) {
            if self.is(at + 1, "(") {
                let method = of_kind(reference::Kind::Method).map(of_item);
                return method.or_else(|| of_builtin(name));
            }
            return of_kind(reference::Kind::Property).map(of_item);
        }
        if self.is(at + 1, ":") && !self.is_scope(at + 1) && self.parent(at).is_some_and(|open| self.is(open, "#{")) {
            return self.hover_key(at, name);
        }
        if let Some(alias) = self.alias_of(at) {
            return self.in_module(self.at(alias), known, |module| {
                let function = module.outline().function_named(module, name)?;
                Some(code_and(&format!("fn {}", module.signature_of(function)), &module.docs_before(function.begin)))
            });
        }
        if let Some(variable) = self.outline().variable(self, name, self.tokens[at].start) {
            let shape = variable.value.map(|value| chain::shape_from(self, value, known)).unwrap_or_default();
            let about = self.about(variable);
            let line = match (variable.by, variable.value) {
                ("let" | "const", Some(_)) => format!("{} {name} = {about}", variable.by),
                _ => name.to_owned(),
            };
            let sort = if shape.sort == Sort::Unknown { about } else { shape.sort.name().to_owned() };
            let sort = if line.contains(&sort) && shape.sort == Sort::Unknown { String::new() } else { sort };
            return Some(code_and(&line, &sort));
        }
        if let Some(function) = self.outline().function_named(self, name) {
            return Some(code_and(&format!("fn {}", self.signature_of(function)), &self.docs_before(function.begin)));
        }
        if let Some(import) = self.outline().import(self, name) {
            let path = self.literal(import.path).map_or("", |(_, path)| path);
            return Some(code_and(&format!("import \"{path}\" as {name}"), &strings::module_docs(path)));
        }
        if let Some((_, shape)) = known.names.iter().find(|(known, _)| known == name) {
            return Some(code_and(name, shape.sort.name()));
        }
        if let Some((word, about)) = KEYWORDS.iter().find(|(word, _)| *word == name) {
            return Some(code_and(word, about));
        }
        if name == "script_dir" {
            return Some(code_and(name, "The folder of the script."));
        }
        of_kind(reference::Kind::Function).map(of_item).or_else(|| of_builtin(name))
    }

    fn hover_key(&self, at: usize, name: &str) -> Option<String> {
        let open = self.parent(at)?;
        let key = match role(self, open)? {
            Role::Options(keys) => keys.key(name)?,
            Role::StepMap => keys::STEP.key(name).or_else(|| keys::of_policy(name))?,
            _ => return None,
        };
        Some(code_and(&format!("{name}: {}", key.kind.name().replace('`', "")), &docs_of_key(key)))
    }

    /// Looks into the module that an alias stands for.
    pub(super) fn in_module<T>(
        &self,
        alias: &str,
        known: &Known,
        look: impl FnOnce(&Document) -> Option<T>,
    ) -> Option<T> {
        let (_, path) = self.outline().import(self, alias).and_then(|import| self.literal(import.path))?;
        match builtin::module(path) {
            Some(module) => look(module),
            None => look(&Document::new((known.module)(path)?)),
        }
    }

    fn hover_text(&self, at: usize, offset: usize, known: &Known) -> Option<Hover> {
        let (start, text) = self.literal(at)?;
        match role(self, at) {
            Some(Role::Module) => {
                let docs = match builtin::module(text) {
                    Some(_) => strings::module_docs(text),
                    None => (known.module)(text).map(|_| "A file below the script's folder.".to_owned())?,
                };
                return Some(Hover {
                    text: code_and(&format!("import \"{text}\""), &docs),
                    range: start..start + text.len(),
                });
            }
            Some(Role::File) => return None,
            _ => {}
        }
        let range = self.step_word(at, offset)?;
        let name = self.text().get(range.clone())?;
        let step = self.step_named(name)?;
        Some(Hover { text: code_and(&self.line_of(step.call), "step"), range })
    }

    /// The line that begins at a token.
    fn line_of(&self, at: usize) -> String {
        let start = self.tokens[at].start;
        shortened(self.text()[start..].lines().next().unwrap_or_default(), 100)
    }

    /// The step that is declared with a name.
    pub(super) fn step_named(&self, name: &str) -> Option<&super::outline::Step> {
        self.outline().step_named(name)
    }

    /// The word of a literal text in which a byte is, where names of steps can stand.
    pub(super) fn step_word(&self, at: usize, offset: usize) -> Option<std::ops::Range<usize>> {
        let (start, text) = self.literal(at)?;
        let offset = offset.checked_sub(start).filter(|offset| *offset <= text.len())?;
        let whole = start..start + text.len();
        if self.step_named(text).is_some() && self.names_in(at).contains(&whole) {
            return Some(whole);
        }
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let before: usize = text[..offset].chars().rev().take_while(|c| part(*c)).map(char::len_utf8).sum();
        let after: usize = text[offset..].chars().take_while(|c| part(*c)).map(char::len_utf8).sum();
        let found = offset - before..offset + after;
        let in_template = text[..found.start].ends_with("${") && self.at(at).starts_with('"');
        let names = matches!(role(self, at), Some(Role::Step | Role::Arrow | Role::Condition)) || in_template;
        (names && !found.is_empty()).then(|| start + found.start..start + found.end)
    }
}

/// An entry of the reference.
fn of_item(item: &Item) -> String {
    code_and(&item.signatures.join("\n"), &item.text)
}

fn of_builtin(name: &str) -> Option<String> {
    let found: Vec<&builtin::Builtin> = builtin::functions().iter().filter(|function| function.name == name).collect();
    let first = found.first()?;
    let mut forms: Vec<&str> = found.iter().map(|function| function.signature.as_str()).collect();
    forms.dedup();
    forms.truncate(6);
    Some(code_and(&forms.join("\n"), &first.docs))
}

/// Code, and below it what it means.
fn code_and(code: &str, text: &str) -> String {
    match text {
        "" => format!("```rhai\n{code}\n```"),
        text => format!("```rhai\n{code}\n```\n\n{text}"),
    }
}

/// A text of so many letters at most.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}
