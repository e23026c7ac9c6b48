//! What a value is, as far as its expression tells: `sh("a", "true").retry(3)` is a step.

use super::document::Document;
use super::{Known, Shape, Sort};
use crate::diag::tokens::Kind;
use crate::lang::reference::{self, items};
use crate::plan::Unit;
use crate::state::Spending;
use crate::state::result::{OF_AGENTS, PROPERTIES};

/// How many variables and functions are followed on the way to a value.
const DEEPEST: usize = 8;

/// A value, and the map it is written as, if it is.
#[derive(Default)]
struct Value {
    shape: Shape,
    /// The bracket of the map.
    map: Option<usize>,
}

impl Value {
    fn of(sort: Sort) -> Self {
        Value { shape: Shape::of(sort), map: None }
    }
}

/// The first token of the expression of names, calls and indices that ends before `end`.
pub fn begin_of(document: &Document, end: usize) -> Option<usize> {
    let mut at = end.checked_sub(1)?;
    loop {
        match document.kind(at)? {
            Kind::Close => {
                at = document.partner(at)?;
                match document.at(at) {
                    "(" | "[" => {
                        let Some(before) = at.checked_sub(1) else { return Some(at) };
                        let continues = match document.kind(before) {
                            Some(Kind::Word) => !super::is_keyword(document.at(before)),
                            Some(Kind::Close) => document.is(at, "["),
                            _ => false,
                        };
                        if !continues {
                            return Some(at);
                        }
                        at = before;
                        continue;
                    }
                    _ => return Some(at),
                }
            }
            Kind::Word => {
                if document.is_member(at) {
                    let dot = at - 1;
                    let before = if dot > 0 && document.is(dot - 1, "?") { dot - 1 } else { dot };
                    at = before.checked_sub(1)?;
                    continue;
                }
                return Some(document.alias_of(at).unwrap_or(at));
            }
            Kind::Text if document.is_closed(at) && document.literal(at).is_some() => return Some(at),
            _ => return None,
        }
    }
}

/// What the expression between two tokens is.
pub fn shape(document: &Document, begin: usize, end: usize, known: &Known) -> Shape {
    value(document, begin, end, known, 0).shape
}

/// What a value that begins at a token is, as far as it goes.
pub fn shape_from(document: &Document, begin: usize, known: &Known) -> Shape {
    value(document, begin, document.tokens.len(), known, 0).shape
}

fn value(document: &Document, begin: usize, end: usize, known: &Known, depth: usize) -> Value {
    if depth > DEEPEST || begin >= end {
        return Value::default();
    }
    let (mut value, mut at) = base(document, begin, known, depth);
    while at < end {
        match document.at(at) {
            "." if document.name(at + 1).is_some() && at + 1 < end => {
                let call = document.is(at + 2, "(") && at + 2 < end;
                value = match call {
                    true => of_method(&value, document.at(at + 1)),
                    false => of_property(document, &value, document.at(at + 1), known, depth),
                };
                at = if call { document.close_of(at + 2) + 1 } else { at + 2 };
            }
            "?" if document.is(at + 1, ".") => at += 1,
            "[" if at > begin => {
                value = Value::default();
                at = document.close_of(at) + 1;
            }
            _ => break,
        }
        if let Some(shape) = told(document, begin, at, known) {
            value = Value { shape, map: None };
        }
    }
    if at < end && !value.shape.sort.is_step() {
        // An operator makes something else of it; an arrow makes steps of steps.
        let goes_on = document.kind(at) == Some(Kind::Sign) && !matches!(document.at(at), ";" | "," | ".");
        if goes_on {
            return Value::of(Sort::Unknown);
        }
    }
    value
}

/// What is known of the value at run time.
fn told(document: &Document, begin: usize, end: usize, known: &Known) -> Option<Shape> {
    let (first, last) = (document.tokens.get(begin)?, document.tokens.get(end.checked_sub(1)?)?);
    let path = document.text().get(first.start..last.end)?;
    if path.len() > 200 || path.contains('(') {
        return None;
    }
    (known.values)(&path.split_whitespace().collect::<String>())
}

/// The value that an expression begins with, and the token behind it.
fn base(document: &Document, at: usize, known: &Known, depth: usize) -> (Value, usize) {
    match document.kind(at) {
        Some(Kind::Text) => {
            let mut end = at + 1;
            // The pieces of a text in backticks.
            while document.is(end, "${") && document.at(at).starts_with('`') {
                end = document.close_of(end) + 2;
            }
            (Value::of(Sort::Text), end)
        }
        Some(Kind::Open) => {
            let end = document.close_of(at) + 1;
            match document.at(at) {
                "[" => (Value::of(Sort::Array), end),
                "#{" => (Value { shape: Shape { sort: Sort::Map, keys: keys_of(document, at) }, map: Some(at) }, end),
                "(" => (value(document, at + 1, end.saturating_sub(1), known, depth + 1), end),
                _ => (Value::default(), end),
            }
        }
        Some(Kind::Sign) if document.at(at).starts_with('|') => (Value::of(Sort::Closure), document.tokens.len()),
        Some(Kind::Word) => word(document, at, known, depth),
        _ => (Value::default(), at + 1),
    }
}

fn word(document: &Document, at: usize, known: &Known, depth: usize) -> (Value, usize) {
    let Some(name) = document.name(at) else {
        let end = if document.is(at + 1, ".") && document.name(at + 2).is_none() { at + 3 } else { at + 1 };
        return (Value::of(Sort::Number), end);
    };
    if matches!(name, "true" | "false") {
        return (Value::of(Sort::Bool), at + 1);
    }
    if document.is_scope(at + 1) {
        let function = at + 3;
        let end = if document.is(function + 1, "(") { document.close_of(function + 1) + 1 } else { function + 1 };
        return (of_module(document, name, document.at(function), known, depth), end);
    }
    if document.is(at + 1, "(") {
        return (of_call(document, at, known, depth), document.close_of(at + 1) + 1);
    }
    if let Some(shape) = (known.values)(name) {
        return (Value { shape, map: None }, at + 1);
    }
    let offset = document.tokens[at].start;
    let variable = document.outline().variable(document, name, offset);
    if let Some(start) = variable.filter(|variable| variable.name != at).and_then(|variable| variable.value) {
        return (value(document, start, document.tokens.len(), known, depth + 1), at + 1);
    }
    let given = known.names.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.clone());
    (Value { shape: given.unwrap_or_default(), map: None }, at + 1)
}

fn of_call(document: &Document, at: usize, known: &Known, depth: usize) -> Value {
    let name = document.at(at);
    if let Some(function) = document.outline().function_named(document, name) {
        return returned(document, function, known, depth);
    }
    let forms = items().iter().find(|item| item.kind == reference::Kind::Function && item.name == name);
    match forms.and_then(|item| item.signatures.iter().find_map(|form| Sort::given_by(form))) {
        Some(Sort::Step) if name == "pipeline" => {
            Value { shape: Shape { sort: Sort::Pipeline, keys: keys_of_step(document, at) }, map: None }
        }
        Some(Sort::Step) => Value { shape: Shape { sort: Sort::Step, keys: keys_of_step(document, at) }, map: None },
        Some(sort) => Value::of(sort),
        None => Value::default(),
    }
}

/// What a function of the script gives: its last expression.
fn returned(document: &Document, function: &super::outline::Function, known: &Known, depth: usize) -> Value {
    let Some((open, close)) = function.body else { return Value::default() };
    let (mut last, mut at) = (open + 1, open + 1);
    while at < close {
        match document.kind(at) {
            Some(Kind::Open) => at = document.close_of(at).max(at),
            Some(Kind::Sign) if document.is(at, ";") => last = at + 1,
            _ => {}
        }
        let ends = document.is(at, "}") && document.partner(at).is_some_and(|open| document.is(open, "{"));
        if ends && at + 1 < close && document.kind(at + 1) == Some(Kind::Word) && !document.is(at + 1, "else") {
            last = at + 1;
        }
        at += 1;
    }
    if document.is(last, "return") {
        last += 1;
    }
    value(document, last, close, known, depth + 1)
}

fn of_module(document: &Document, alias: &str, function: &str, known: &Known, depth: usize) -> Value {
    let path = document.outline().import(document, alias).and_then(|import| document.literal(import.path));
    let Some((_, path)) = path else { return Value::default() };
    match super::builtin::module(path) {
        Some(module) => match module.outline().function_named(module, function) {
            Some(function) => Value::of(returned(module, function, &Known::NOTHING, depth + 1).shape.sort),
            None => Value::default(),
        },
        None => match (known.module)(path) {
            Some(text) => {
                let module = Document::new(text);
                let function = module.outline().function_named(&module, function);
                let sort = function.map(|f| returned(&module, f, &Known::NOTHING, depth + 1).shape.sort);
                Value::of(sort.unwrap_or_default())
            }
            None => Value::default(),
        },
    }
}

fn of_method(value: &Value, name: &str) -> Value {
    let of = if value.shape.sort.is_step() { Sort::Step } else { value.shape.sort };
    let prefix = format!("{}.", of.name());
    let methods = items().iter().filter(|item| item.kind == reference::Kind::Method && item.name == name);
    let mut forms = methods.flat_map(|item| &item.signatures).filter(|form| form.starts_with(&prefix));
    match forms.find_map(|form| Sort::given_by(form)) {
        // Policies give the step itself, with the output that it has.
        Some(sort) if sort == of => Value { shape: value.shape.clone(), map: None },
        Some(sort) => Value::of(sort),
        None => Value::default(),
    }
}

fn of_property(document: &Document, of: &Value, name: &str, known: &Known, depth: usize) -> Value {
    if let Some(open) = of.map {
        let found = entries(document, open).find(|(key, _)| document.at(*key).trim_matches('"') == name);
        return match found {
            Some((_, start)) => value(document, start, document.tokens.len(), known, depth + 1),
            None => Value::default(),
        };
    }
    if !of.shape.sort.is_step() {
        return Value::default();
    }
    let keys = match name {
        "output" | "results" | "json" => of.shape.keys.clone(),
        "remaining" | "spent" | "limits" => {
            let units = Unit::ALL.iter().map(|unit| (unit.name().to_owned(), "unit of budgets".to_owned()));
            units.collect()
        }
        "budget" => {
            let parts = Spending::PROPERTIES.iter().filter(|(name, _)| ["spent", "remaining", "limits"].contains(name));
            parts.map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect()
        }
        _ => Vec::new(),
    };
    let mut all = PROPERTIES.iter().chain(&OF_AGENTS).chain(&Spending::PROPERTIES);
    let known = all.any(|(property, _)| *property == name) || !keys.is_empty();
    let sort = if known || of.shape.keys.iter().any(|(key, _)| key == name) { Sort::Result } else { Sort::Unknown };
    Value { shape: Shape { sort, keys }, map: None }
}

/// The entries of a map: the token of each key, and that at which its value begins.
pub fn entries(document: &Document, open: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let close = document.partner(open).unwrap_or(document.tokens.len());
    let mut at = open + 1;
    std::iter::from_fn(move || {
        while at < close {
            let here = at;
            at = match document.kind(at) {
                Some(Kind::Open) => document.close_of(at).max(at) + 1,
                _ => at + 1,
            };
            let begins = here == open + 1 || document.is(here - 1, ",") && document.parent(here) == Some(open);
            let is_key = matches!(document.kind(here), Some(Kind::Word | Kind::Text)) && document.is(here + 1, ":");
            if begins && is_key && !document.is_scope(here + 1) {
                return Some((here, here + 2));
            }
        }
        None
    })
}

fn keys_of(document: &Document, open: usize) -> Vec<(String, String)> {
    let name = |at: usize| document.at(at).trim_matches('"').to_owned();
    entries(document, open).take(500).map(|(key, _)| (name(key), "key of the map".to_owned())).collect()
}

/// The keys that the output of a step certainly has, if its task says so.
fn keys_of_step(document: &Document, call: usize) -> Vec<(String, String)> {
    let open = call + 1;
    let argument = arguments(document, open).nth(1);
    match (document.at(call), argument) {
        ("task", Some(at)) if document.is(at, "#{") => keys_of(document, at),
        ("call", Some(at)) if document.at(at).starts_with('|') => {
            let end = (at + 1..at + 16).find(|end| document.at(*end).starts_with('|'));
            let body = if document.is(at, "||") { at + 1 } else { end.unwrap_or(at) + 1 };
            if document.is(body, "#{") { keys_of(document, body) } else { Vec::new() }
        }
        ("approve", form) => {
            let told = [
                ("by", "who answered"),
                ("at", "when, in milliseconds since 1970"),
                ("comment", "what was said with it"),
            ];
            let mut keys: Vec<(String, String)> = told.map(|(key, what)| (key.to_owned(), what.to_owned())).into();
            let form = form.filter(|at| document.is(*at, "#{")).into_iter().flat_map(|at| entries(document, at));
            let form = form.filter(|(key, at)| document.is(*key, "form") && document.is(*at, "#{"));
            keys.extend(form.flat_map(|(_, at)| keys_of(document, at)));
            keys
        }
        ("pipeline", _) => [
            ("items", "items of the source that were done with"),
            ("delivered", "items that came out"),
            ("left_out", "items that failed and were left out"),
            ("dead", "items that were kept as dead letters"),
            ("dropped", "items that were dropped because a buffer was full"),
        ]
        .map(|(key, what)| (key.to_owned(), what.to_owned()))
        .into(),
        ("http", _) => {
            [("http_status", "the status of the answer"), ("headers", "its headers"), ("url", "where it came from")]
                .map(|(key, what)| (key.to_owned(), what.to_owned()))
                .into()
        }
        _ => Vec::new(),
    }
}

/// Where the arguments of a call begin.
pub fn arguments(document: &Document, open: usize) -> impl Iterator<Item = usize> + '_ {
    let close = document.partner(open).unwrap_or(document.tokens.len());
    let mut at = open + 1;
    let mut first = true;
    std::iter::from_fn(move || {
        if std::mem::take(&mut first) {
            return (at < close).then_some(at);
        }
        while at < close {
            let here = at;
            at = match document.kind(at) {
                Some(Kind::Open) => document.close_of(at).max(at) + 1,
                // The commas between the parameters of a closure are none between arguments.
                Some(Kind::Sign) if document.is(at, "|") && super::outline::begins_value(document, at) => {
                    (at + 1..close).take(32).find(|end| document.at(*end).starts_with('|')).unwrap_or(at) + 1
                }
                _ => at + 1,
            };
            if document.is(here, ",") {
                return Some(here + 1);
            }
        }
        None
    })
}
