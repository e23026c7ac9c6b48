//! What could stand within a literal text: words that an option takes, names of steps, properties behind them, files.

use super::complete::Found;
use super::document::Document;
use super::roles::{Role, role};
use super::{CandidateKind, Completion, Known, builtin, chain};
use crate::lang::modules;
use crate::state::Spending;
use crate::state::result::{OF_AGENTS, PROPERTIES};

/// Words of expressions.
const WORDS: [&str; 5] = ["and", "or", "not", "true", "false"];

/// What could stand at a byte of a literal text.
pub fn complete(document: &Document, at: usize, offset: usize, known: &Known) -> Completion {
    let nothing = Completion { start: offset, candidates: Vec::new() };
    let Some((start, _)) = document.literal(at) else { return nothing };
    let Some(written) = document.text().get(start..offset) else { return nothing };
    // `${step.property` in a text in quotes.
    if document.at(at).starts_with('"')
        && let Some(open) = written.rfind("${").filter(|open| !written[*open..].contains('}'))
    {
        return expression(document, start + open + 2, offset, known, &[]);
    }
    match role(document, at) {
        Some(Role::Words(words)) => {
            let mut found = Found::new(written);
            words.iter().for_each(|word| found.plain(CandidateKind::Word, word, "one of several words"));
            found.done(start)
        }
        Some(Role::Step) => {
            let mut found = Found::new(written);
            steps(document, &mut found, known);
            simulated(document, &mut found, known);
            found.done(start)
        }
        Some(Role::Condition) => expression(document, start, offset, known, &WORDS),
        Some(Role::Own) => own(document, start, offset, known),
        Some(Role::Arrow) => arrow(document, start, offset, known),
        Some(Role::Module) => {
            let mut found = Found::new(written);
            let standard = modules::standard_names();
            standard.iter().for_each(|name| {
                found.add(CandidateKind::Module, name, || ("standard library".into(), module_docs(name).into()));
            });
            for file in (known.files)(written) {
                let name = file.strip_suffix(".rhai").unwrap_or(&file);
                found.plain(CandidateKind::File, name, "file");
            }
            found.done(start)
        }
        Some(Role::File) => {
            let mut found = Found::new(written);
            (known.files)(written).iter().for_each(|file| found.plain(CandidateKind::File, file, "file"));
            found.done(start)
        }
        Some(Role::Declared(function)) => {
            let mut found = Found::new(written);
            for name in declared(document, function) {
                if !found.has(name) {
                    found.plain(CandidateKind::Word, name, function);
                }
            }
            found.done(start)
        }
        _ => nothing,
    }
}

/// The first lines of a module of the standard library.
pub fn module_docs(path: &str) -> String {
    let Some(module) = builtin::module(path) else { return String::new() };
    let comments = super::place::comments(module.text(), true);
    let lines = comments.map(|comment| module.text()[comment].trim_start_matches('/').trim().to_owned());
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Names that calls of a function declare.
fn declared<'a>(document: &'a Document, function: &'a str) -> impl Iterator<Item = &'a str> {
    let calls = (0..document.tokens().len()).filter(move |at| {
        document.is(*at, function) && document.is(at + 1, "(") && (function == "lock" || !document.is_member(*at))
    });
    calls.filter_map(|at| document.literal(at + 2)).map(|(_, name)| name)
}

/// Names of steps of the text, and of those that are known otherwise.
fn steps(document: &Document, found: &mut Found, known: &Known) {
    let mut seen = std::collections::HashSet::new();
    let outline = document.outline();
    for step in &outline.steps {
        let Some((_, name)) = document.literal(step.text) else { continue };
        if seen.insert(name) {
            found.plain(CandidateKind::Step, name, document.at(step.call));
        }
    }
    let named = outline.named.iter().filter_map(|at| document.literal(*at));
    for name in named.map(|(_, name)| name).chain(known.steps.iter().map(String::as_str)) {
        if seen.insert(name) {
            found.plain(CandidateKind::Step, name, "step");
        }
    }
}

/// Names of the steps of the workflows that tests in this text simulate.
fn simulated(document: &Document, found: &mut Found, known: &Known) {
    let mut files: Vec<&str> = declared(document, "simulate").collect();
    files.sort_unstable();
    files.dedup();
    let mut seen: std::collections::HashSet<String> = std::collections::HashSet::new();
    for script in files.into_iter().filter_map(|file| (known.module)(file)).map(Document::new) {
        for step in &script.outline().steps {
            if let Some((_, name)) = script.literal(step.text)
                && document.step_named(name).is_none()
                && seen.insert(name.to_owned())
            {
                found.plain(CandidateKind::Step, name, script.at(step.call));
            }
        }
    }
}

/// A word of an expression: a step, or behind a dot one of its properties.
fn expression(document: &Document, start: usize, offset: usize, known: &Known, words: &[&str]) -> Completion {
    let written = &document.text()[start..offset];
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let word = written.len() - written.chars().rev().take_while(|c| part(*c)).map(char::len_utf8).sum::<usize>();
    let mut found = Found::new(&written[word..]);
    if written[..word].ends_with('.') {
        let name_end = word - 1;
        let name_part = |c: char| part(c) || matches!(c, '.' | '[' | ']');
        let length: usize = written[..name_end].chars().rev().take_while(|c| name_part(*c)).map(char::len_utf8).sum();
        properties(document, &written[name_end - length..name_end], known, &mut found);
    } else {
        steps(document, &mut found, known);
        words.iter().for_each(|word| found.plain(CandidateKind::Keyword, word, "word of expressions"));
    }
    found.done(start + word)
}

/// The properties of the step of a name, or of a part of its output.
fn properties(document: &Document, name: &str, known: &Known, found: &mut Found) {
    if let Some(shape) = (known.values)(name) {
        shape.keys.iter().for_each(|(key, what)| found.plain(CandidateKind::Property, key, what));
    }
    let step = document.step_named(name);
    if let Some(step) = step {
        let shape = chain::shape_from(document, step.call, &Known::NOTHING);
        for (key, what) in shape.keys.iter().filter(|(key, _)| !key.is_empty()) {
            if !found.has(key) {
                found.plain(CandidateKind::Property, key, what);
            }
        }
    }
    if step.is_some() || !name.contains('.') {
        for (property, meaning) in PROPERTIES.iter().chain(&OF_AGENTS).chain(&Spending::PROPERTIES) {
            if !found.has(property) {
                found.plain(CandidateKind::Property, property, meaning);
            }
        }
    }
}

/// The step's own properties stand for themselves.
fn own(document: &Document, start: usize, offset: usize, known: &Known) -> Completion {
    let written = &document.text()[start..offset];
    let word = written.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    let word = if document.text().is_char_boundary(start + word) { word } else { written.len() };
    if written[..word].ends_with('.') {
        return expression(document, start, offset, known, &WORDS);
    }
    let mut found = Found::new(&written[word..]);
    PROPERTIES.iter().for_each(|(property, meaning)| found.plain(CandidateKind::Property, property, meaning));
    WORDS.iter().for_each(|word| found.plain(CandidateKind::Keyword, word, "word of expressions"));
    found.done(start + word)
}

/// A name in `a -> [b, c]` or in `if a.passed then b else c`.
fn arrow(document: &Document, start: usize, offset: usize, known: &Known) -> Completion {
    let written = &document.text()[start..offset];
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let word = written.len() - written.chars().rev().take_while(|c| part(*c)).map(char::len_utf8).sum::<usize>();
    let is_flow = ["if ", "if("].iter().any(|begin| written.trim_start().starts_with(begin));
    // Behind `if` there is a condition, behind `then` and `else` there are names.
    let before = written[..word].split(|c: char| !part(c)).rev().find(|word| matches!(*word, "if" | "then" | "else"));
    if is_flow && before == Some("if") {
        return expression(document, start, offset, known, &["and", "or", "not", "then"]);
    }
    let mut found = Found::new(&written[word..]);
    steps(document, &mut found, known);
    for function in document.outline().functions.iter().filter(|function| function.parameters.len() < 2) {
        found.plain(CandidateKind::Function, document.at(function.name), "function of the script");
    }
    for command in declared(document, "command") {
        found.plain(CandidateKind::Function, command.strip_prefix('/').unwrap_or(command), "command");
    }
    if is_flow {
        ["then", "else"].iter().for_each(|word| found.plain(CandidateKind::Keyword, word, "word of flows"));
    }
    found.done(start + word)
}
