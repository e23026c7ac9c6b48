//! What could stand at a place.

use super::document::Document;
use super::place::Place;
use super::roles::{Role, given, role};
use super::{Candidate, CandidateKind, Completion, KEYWORDS, Known, Shape, Sort, builtin, chain, members, strings};
use crate::diag::tokens::Kind;
use crate::lang::keys::{self, Key};
use crate::lang::reference::{self, items};

/// Functions of Rhai that take a text, and are no methods of it all the same.
pub const PLAIN: [&str; 4] = ["print", "debug", "parse_int", "parse_float"];

/// Candidates that begin with what is written.
pub struct Found {
    prefix: String,
    candidates: Vec<Candidate>,
}

impl Found {
    pub fn new(prefix: &str) -> Self {
        Found { prefix: prefix.to_lowercase(), candidates: Vec::new() }
    }

    /// Does it begin with what is written?
    pub fn fits(&self, text: &str) -> bool {
        let mut letters = text.chars().flat_map(char::to_lowercase);
        self.prefix.chars().all(|wanted| letters.next() == Some(wanted))
    }

    /// Adds a candidate, if it fits. `more` is asked only then: its detail and its documentation.
    pub fn add(
        &mut self,
        kind: CandidateKind,
        text: &str,
        more: impl FnOnce() -> (String, std::borrow::Cow<'static, str>),
    ) {
        if self.fits(text) {
            let (detail, docs) = more();
            self.candidates.push(Candidate { text: text.to_owned(), label: text.to_owned(), kind, detail, docs });
        }
    }

    /// Adds a candidate of which a word is known.
    pub fn plain(&mut self, kind: CandidateKind, text: &str, detail: &str) {
        self.add(kind, text, || (detail.to_owned(), "".into()));
    }

    pub fn has(&self, text: &str) -> bool {
        self.candidates.iter().any(|candidate| candidate.text == text)
    }

    pub fn done(self, start: usize) -> Completion {
        Completion { start, candidates: self.candidates }
    }
}

impl Document {
    /// What could stand at a byte.
    pub fn complete(&self, offset: usize, known: &Known) -> Completion {
        let offset = self.floor(offset);
        match self.place(offset) {
            Place::Comment => Completion { start: offset, candidates: Vec::new() },
            Place::Text(at) => strings::complete(self, at, offset, known),
            Place::Code { start, at } => self.complete_code(start, at, offset, known),
        }
    }

    fn complete_code(&self, start: usize, at: usize, offset: usize, known: &Known) -> Completion {
        let mut found = Found::new(&self.text()[start..offset]);
        let Some(before) = at.checked_sub(1) else {
            self.names(&mut found, offset, known);
            return found.done(start);
        };
        match self.at(before) {
            "." if self.is_member(at) => {
                let end = if before > 0 && self.is(before - 1, "?") { before - 1 } else { before };
                let shape = match chain::begin_of(self, end) {
                    Some(begin) => chain::shape(self, begin, end, known),
                    None => Shape::default(),
                };
                members::complete(&shape, &mut found);
            }
            ":" if before > 0 && self.is_scope(before - 1) => {
                if let Some(alias) = before.checked_sub(2) {
                    self.of_module(self.at(alias), &mut found, known);
                }
            }
            "let" | "const" | "fn" | "as" | "for" => {}
            "|" if !self.is_behind_parameters(before) => {}
            "#{" | "," if self.is_key_place(before) => self.keys(before, start, &mut found, known),
            _ => {
                if let Some(Role::Words(words)) = role(self, at) {
                    words.iter().for_each(|word| {
                        found.plain(CandidateKind::Word, &format!("\"{word}\""), "one of several words")
                    });
                }
                self.names(&mut found, offset, known);
            }
        }
        found.done(start)
    }

    /// Is this `|` the second of a closure's parameters?
    fn is_behind_parameters(&self, at: usize) -> bool {
        !super::outline::begins_value(self, at)
    }

    /// Does a key of a map follow this bracket or comma?
    fn is_key_place(&self, before: usize) -> bool {
        match self.at(before) {
            "#{" => true,
            _ => self.parent(before).is_some_and(|open| self.is(open, "#{")),
        }
    }

    fn keys(&self, before: usize, start: usize, found: &mut Found, known: &Known) {
        let open = if self.is(before, "#{") { before } else { self.parent(before).unwrap_or(before) };
        let at = before + 1;
        let here = self.tokens.get(at).filter(|token| token.start == start).map_or(usize::MAX, |_| at);
        let taken = given(self, open, here);
        let mut offer = |key: &'static Key| {
            if !taken.iter().any(|taken| taken == key.name) {
                found.add(CandidateKind::Key, key.name, || (key.kind.name(), docs_of_key(key).into()));
            }
        };
        match role(self, open) {
            Some(Role::Options(keys)) => keys.every().into_iter().for_each(offer),
            Some(Role::StepMap) => {
                let more = keys::POLICIES.iter().filter(|policy| keys::STEP.key(policy.name).is_none());
                keys::STEP.keys.iter().chain(more).for_each(&mut offer);
            }
            Some(Role::Parameters(file)) => {
                let script = self.literal(file).and_then(|(_, path)| (known.module)(path)).map(Document::new);
                for parameter in script.iter().flat_map(|script| script.parameters()) {
                    if !taken.contains(&parameter) {
                        found.plain(CandidateKind::Key, &parameter, "parameter of the workflow");
                    }
                }
            }
            _ => {}
        }
    }

    /// Names of the parameters that the script takes.
    pub fn parameters(&self) -> Vec<String> {
        let named = self.outline().parameters.iter().filter_map(|param| self.literal(param.text));
        named.map(|(_, name)| name.to_owned()).collect()
    }

    fn of_module(&self, alias: &str, found: &mut Found, known: &Known) {
        let path = self.outline().import(self, alias).and_then(|import| self.literal(import.path));
        let Some((_, path)) = path else { return };
        let read;
        let module = match builtin::module(path) {
            Some(module) => module,
            None => match (known.module)(path) {
                Some(text) => {
                    read = Document::new(text);
                    &read
                }
                None => return,
            },
        };
        for function in &module.outline().functions {
            let name = module.at(function.name);
            if !module.is(function.begin, "private") && !found.has(name) {
                found.add(CandidateKind::Function, name, || {
                    (module.signature_of(function), module.docs_before(function.begin).into())
                });
            }
        }
    }

    /// Everything that can begin an expression or a statement.
    fn names(&self, found: &mut Found, offset: usize, known: &Known) {
        let outline = self.outline();
        let mut seen = std::collections::HashSet::new();
        for variable in outline.visible(self, offset) {
            let name = self.at(variable.name);
            // A variable is not known within its own value.
            if found.fits(name) && !self.is_within(variable, offset) && seen.insert(name) {
                found.add(CandidateKind::Variable, name, || (self.about(variable), "".into()));
            }
        }
        for (name, shape) in known.names {
            if seen.insert(name.as_str()) {
                let kind = if shape.sort == Sort::Closure { CandidateKind::Function } else { CandidateKind::Variable };
                found.plain(kind, name, shape.sort.name());
            }
        }
        for import in &outline.imports {
            if let Some(alias) = import.alias.map(|at| self.at(at)) {
                found.add(CandidateKind::Module, alias, || (self.at(import.path).to_owned(), "".into()));
            }
        }
        for function in &outline.functions {
            let name = self.at(function.name);
            if seen.insert(name) {
                found.add(CandidateKind::Function, name, || {
                    (self.signature_of(function), self.docs_before(function.begin).into())
                });
            }
        }
        let functions = || items().iter().filter(|item| item.kind == reference::Kind::Function);
        // What tests are written with comes first in tests alone.
        let in_tests = |item: &&reference::Item| item.topic == reference::Topic::Testing;
        let testing = self.text().contains("fn test_");
        let (first, tests): (Vec<_>, Vec<_>) = functions().partition(|item| testing || !in_tests(item));
        let offer = |found: &mut Found, item: &'static reference::Item| {
            found.add(CandidateKind::Function, &item.name, || {
                (item.signatures.first().cloned().unwrap_or_default(), item.text.as_str().into())
            });
        };
        first.into_iter().for_each(|item| offer(found, item));
        for (word, about) in KEYWORDS {
            found.plain(CandidateKind::Keyword, word, about);
        }
        if seen.insert("script_dir") {
            found.plain(CandidateKind::Variable, "script_dir", "the folder of the script");
        }
        let mut last = "";
        for function in builtin::functions() {
            // Those that are called as methods are offered behind a dot.
            let method = !matches!(function.of.as_str(), "" | "number" | "decimal" | "bool" | "any");
            if function.name != last && (!method || PLAIN.contains(&function.name.as_str())) {
                found.add(CandidateKind::Function, &function.name, || {
                    (function.signature.clone(), function.docs.as_str().into())
                });
            }
            last = &function.name;
        }
        tests.into_iter().for_each(|item| offer(found, item));
    }

    /// Is a byte within the value that a variable is given at first?
    fn is_within(&self, variable: &super::outline::Variable, offset: usize) -> bool {
        let Some(mut at) = variable.value else { return false };
        while let Some(token) = self.tokens.get(at).filter(|token| token.start < offset) {
            match token.kind {
                Kind::Open => at = self.close_of(at).max(at),
                Kind::Sign if self.is(at, ";") => return false,
                Kind::Word if matches!(self.at(at), "let" | "const" | "fn") => return false,
                Kind::Close => return false,
                _ => {}
            }
            at += 1;
        }
        true
    }

    /// A variable in a line: how it is declared.
    pub(super) fn about(&self, variable: &super::outline::Variable) -> String {
        match (variable.by, variable.value) {
            ("let" | "const", Some(value)) => {
                let start = self.tokens.get(value).map_or(self.text().len(), |token| token.start);
                let line = self.text()[start..].lines().next().unwrap_or_default().trim_end();
                super::hover::shortened(line, 60)
            }
            ("for", _) => "item of the loop".to_owned(),
            ("|" | "fn", _) => "parameter".to_owned(),
            ("catch", _) => "what went wrong".to_owned(),
            _ => "variable".to_owned(),
        }
    }

    /// `name(a, b)`
    pub(super) fn signature_of(&self, function: &super::outline::Function) -> String {
        let parameters: Vec<&str> = function.parameters.iter().map(|at| self.at(*at)).collect();
        format!("{}({})", self.at(function.name), parameters.join(", "))
    }

    /// The comment just above a token, as text.
    pub(super) fn docs_before(&self, at: usize) -> String {
        let start = at.checked_sub(1).map_or(0, |before| self.tokens[before].end);
        let Some(gap) = self.tokens.get(at).and_then(|token| self.text().get(start..token.start)) else {
            return String::new();
        };
        let comments: Vec<std::ops::Range<usize>> = super::place::comments(gap, start == 0).collect();
        let mut docs: Vec<&str> = Vec::new();
        let mut below = gap.len();
        for comment in comments.into_iter().rev() {
            // A blank line between: it is about something else. One behind code belongs to that code.
            let apart = gap[comment.end..below].matches('\n').count() > 1;
            let behind = comment.start > 0 && start > 0 && !gap[..comment.start].contains('\n');
            if apart || behind || gap[comment.clone()].starts_with("#!") {
                break;
            }
            below = comment.start;
            docs.push(&gap[comment]);
        }
        let lines = docs.iter().rev().flat_map(|comment| {
            let comment = comment.trim_start_matches("/**").trim_start_matches("/*").trim_end_matches("*/");
            comment.lines().map(|line| {
                let line = line.trim_start().trim_start_matches('/').trim_start_matches('!');
                line.strip_prefix(' ').unwrap_or(line).trim_end()
            })
        });
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    }
}

/// What a key takes and means, as Markdown.
pub fn docs_of_key(key: &Key) -> String {
    let mut docs = match key.meaning {
        "" => reference_of(key.name),
        meaning => format!("{}{}.", meaning[..1].to_uppercase(), &meaning[1..]),
    };
    let absent = match key.absent {
        keys::Absent::Needed(example) => format!("It must be given, for instance `{example}`."),
        keys::Absent::Value(value) => format!("Without it: `{value}`."),
        keys::Absent::Nothing(then, example) => format!("Without it: {then}. For instance `{example}`."),
    };
    docs.push_str(&format!("\n\nTakes: {}. {absent}", key.kind.name()));
    docs.trim().to_owned()
}

/// What the method of a policy says.
fn reference_of(policy: &str) -> String {
    let method = items().iter().find(|item| item.kind == reference::Kind::Method && item.name == policy);
    method.map_or(String::new(), |item| item.text.clone())
}
