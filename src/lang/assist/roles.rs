//! What is expected at a place: the keys of an option map, one of some words, the name of a step.

use super::chain::entries;
use super::document::Document;
use crate::diag::tokens::Kind;
use crate::lang::functions::MOMENTS;
use crate::lang::keys::{self, Key, Keys};

/// What a value at a place can be, as far as it can be offered.
#[derive(Clone, Debug)]
pub enum Role {
    /// A map of options, or something else.
    Options(&'static Keys),
    /// A map that is a step.
    StepMap,
    /// One of these words.
    Words(Vec<&'static str>),
    /// The name of a step.
    Step,
    /// A text of names: `"a -> b"`, `"if c then a else b"`.
    Arrow,
    /// A text about steps that is true or false.
    Condition,
    /// A text about the step's own properties.
    Own,
    /// The path of a script, with its ending.
    File,
    /// The path of a module, without its ending.
    Module,
    /// A name that this function declares: `limit`, `lock`, `breaker`, `command`.
    Declared(&'static str),
    /// A map of the parameters of the script that the argument before names.
    Parameters(usize),
}

/// A function or a method, the number of an argument, and what that is.
type Argument = (&'static str, usize, fn() -> Role);

/// Arguments of functions that are texts with a meaning.
const TEXTS: [Argument; 11] = [
    ("on", 0, || Role::Words(keys::names(&MOMENTS).to_vec())),
    ("on", 1, || Role::Step),
    ("chain", 0, || Role::Arrow),
    ("chain", 1, || Role::Arrow),
    ("flow", 0, || Role::Arrow),
    ("flow", 1, || Role::Condition),
    ("workflow", 1, || Role::File),
    ("stream", 1, || Role::Arrow),
    ("simulate", 0, || Role::File),
    ("execute", 0, || Role::File),
    ("given", 0, || Role::Step),
];

/// The same, of methods that are no policies.
const METHODS: [Argument; 9] = [
    ("workflow", 1, || Role::File),
    ("when", 1, || Role::Step),
    ("otherwise", 0, || Role::Step),
    ("step", 0, || Role::Step),
    ("started", 0, || Role::Step),
    ("before", 0, || Role::Step),
    ("before", 1, || Role::Step),
    ("together", 0, || Role::Step),
    ("together", 1, || Role::Step),
];

/// What is expected of the value that begins at a token.
pub fn role(document: &Document, at: usize) -> Option<Role> {
    roles(document, at, 0)
}

fn roles(document: &Document, at: usize, depth: usize) -> Option<Role> {
    let before = at.checked_sub(1).filter(|_| depth < 16)?;
    match document.at(before) {
        ":" if document.parent(before).is_some_and(|open| document.is(open, "#{")) => {
            let open = document.parent(before)?;
            let name = document.at(before.checked_sub(1)?).trim_matches('"').to_owned();
            of_key(document, open, &name, depth)
        }
        "import" => Some(Role::Module),
        "(" | "," | "[" => {
            let open = if document.is(before, ",") { document.parent(before)? } else { before };
            match document.at(open) {
                "(" => of_argument(document, open, at),
                "[" => element(document, open, depth).or_else(|| match roles(document, open, depth + 1)? {
                    Role::Options(_) | Role::Arrow | Role::Condition => None,
                    role => Some(role),
                }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What the elements of the list that begins at a token are, if that is a map.
fn element(document: &Document, open: usize, depth: usize) -> Option<Role> {
    let map = document.parent(open).filter(|map| document.is(*map, "#{"))?;
    let name = document.at(open.checked_sub(2)?).trim_matches('"');
    let keys = keys_at(document, map, depth + 1)?;
    let keys = keys.key(name)?.kind.keys()?;
    Some(if std::ptr::eq(keys, &keys::STEP) { Role::StepMap } else { Role::Options(keys) })
}

fn of_key(document: &Document, open: usize, name: &str, depth: usize) -> Option<Role> {
    let role = roles(document, open, depth + 1);
    // A map with names of the script's own, such as the form of a question.
    if let (None, Some((outer, key))) = (&role, outer_key(document, open))
        && let Some(keys::Kind::Names(keys)) = keys_at(document, outer, depth + 1)?.key(&key).map(|key| &key.kind)
    {
        return Some(Role::Options(keys));
    }
    match role? {
        Role::Options(keys) if keys.key(name).is_some() => of_kind(keys.key(name)?),
        Role::StepMap => match keys::STEP.key(name).or_else(|| keys::of_policy(name)) {
            Some(key) if key.name == "workflow" => Some(Role::File),
            Some(key) if key.name == "command" => Some(Role::Declared("command")),
            Some(key) if key.name == "depends_on" => Some(Role::Step),
            Some(key) => of_kind(key),
            None => None,
        },
        _ => None,
    }
}

/// The map around the one at `open`, and the key whose value that is.
fn outer_key(document: &Document, open: usize) -> Option<(usize, String)> {
    let outer = document.parent(open).filter(|outer| document.is(*outer, "#{"))?;
    let key = open.checked_sub(2).filter(|_| document.is(open - 1, ":"))?;
    Some((outer, document.at(key).trim_matches('"').to_owned()))
}

/// The keys that the map at `open` takes.
pub fn keys_at(document: &Document, open: usize, depth: usize) -> Option<&'static Keys> {
    match roles(document, open, depth + 1)? {
        Role::Options(keys) => Some(keys),
        Role::StepMap => Some(&keys::STEP),
        _ => None,
    }
}

fn of_kind(key: &'static Key) -> Option<Role> {
    use keys::Kind as K;
    match key.name {
        "limit" | "lock" | "breaker" if key.kind.keys().is_none() => return Some(Role::Declared(key.name)),
        "validate" => return Some(Role::Own),
        _ => {}
    }
    if let Some(keys) = key.kind.keys().filter(|_| !matches!(key.kind, K::List(_) | K::Names(_))) {
        return Some(Role::Options(keys));
    }
    match &key.kind {
        kind if !kind.words().is_empty() => Some(Role::Words(kind.words().to_vec())),
        K::Bool => None,
        K::Condition => Some(Role::Condition),
        K::Step | K::Steps => Some(Role::Step),
        _ => None,
    }
}

fn of_argument(document: &Document, open: usize, at: usize) -> Option<Role> {
    let call = open.checked_sub(1).filter(|call| document.kind(*call) == Some(Kind::Word))?;
    let name = document.at(call);
    let number = number_of(document, open, at);
    if document.is_member(call) {
        let text = METHODS.iter().find(|(method, argument, _)| *method == name && *argument == number);
        return match (text, keys::of_policy(name)) {
            (Some((.., role)), _) => Some(role()),
            (None, Some(_)) if name == "breaker" && document.kind(at) == Some(Kind::Text) => {
                Some(Role::Declared("breaker"))
            }
            (None, Some(key)) if number == 0 => of_kind(key),
            (None, None) if document.is(at, "#{") => keys::of(&format!(".{name}")).map(Role::Options),
            _ => None,
        };
    }
    let is_map = document.is(at, "#{");
    if is_map && let Some(keys) = keys::of(name) {
        return Some(Role::Options(keys));
    }
    if is_map && matches!(name, "workflow" | "simulate" | "execute") {
        let file = super::chain::arguments(document, open).nth(number.checked_sub(1)?)?;
        return Some(Role::Parameters(file));
    }
    TEXTS.iter().find(|(function, argument, _)| *function == name && *argument == number).map(|(.., role)| role())
}

/// The number of the argument in which a token is, from 0.
pub fn number_of(document: &Document, open: usize, at: usize) -> usize {
    super::chain::arguments(document, open).skip(1).take_while(|begin| *begin <= at).count()
}

/// The keys that a map has already, without the one at `except`.
pub fn given(document: &Document, open: usize, except: usize) -> Vec<String> {
    let keys = entries(document, open).filter(|(key, _)| *key != except);
    keys.map(|(key, _)| document.at(key).trim_matches('"').to_owned()).collect()
}
