//! A key that a map does not have, and those that may have been meant.
//!
//! Rhai tells the key but not the map. (Its hook for missing keys would, but it is asked before a new key is set as well,
//! and cannot tell one from the other.) So the keys of all maps at hand are looked through.

use rhai::{Array, Dynamic, Map, Scope};

use super::pending::{Need, not_known_yet};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::event::Output;
use crate::lang::convert::is_marked;
use crate::lang::session::Session;
use crate::plan::Json;
use crate::state::{Body, StepResult};

/// Most keys that are looked at.
const MOST: usize = 1_000;

/// There is no such key.
pub fn unknown_key(name: &str, span: Span, session: &Session) -> Diagnostic {
    if is_marked(name) {
        return not_known_yet(Some("a text with results in it"), Need::Compute, span);
    }
    let mut keys = session.keys.clone();
    session.known.iter().flat_map(|known| &known.results).for_each(|(_, result)| of_result(result, &mut keys));
    let near = did_you_mean(name, keys.iter().map(String::as_str));
    Diagnostic::new("flow::lang::unknown_key", format!("there is no key `{name}` in this map"))
        .label(span, "read here")
        .help(near.unwrap_or_else(|| {
            "ask with `\"key\" in map`, or read with `map.get(\"key\")`, which gives `()` where there is none"
                .to_owned()
        }))
}

/// The keys of all maps in a scope.
pub fn of_scope(scope: &Scope) -> Vec<String> {
    let mut keys = Vec::new();
    scope.iter().for_each(|(_, _, value)| of_value(&value, &mut keys));
    keys
}

fn of_value(value: &Dynamic, keys: &mut Vec<String>) {
    if keys.len() >= MOST {
        return;
    }
    if let Some(map) = value.read_lock::<Map>() {
        keys.extend(map.keys().take(MOST).map(ToString::to_string));
        map.values().for_each(|value| of_value(value, keys));
    } else if let Some(items) = value.read_lock::<Array>() {
        items.iter().take(MOST).for_each(|item| of_value(item, keys));
    }
}

fn of_result(result: &StepResult, keys: &mut Vec<String>) {
    if let Some(outcome) = &result.outcome {
        keys.extend(outcome.fields.keys().cloned());
        if let Output::Value(value) = &outcome.output {
            of_json(value, keys);
        }
    }
    match &result.body {
        Body::Same(inner) => of_result(inner, keys),
        Body::List(inner) => inner.iter().take(MOST).for_each(|inner| of_result(inner, keys)),
        _ => {}
    }
}

fn of_json(value: &Json, keys: &mut Vec<String>) {
    if keys.len() >= MOST {
        return;
    }
    match value {
        Json::Object(entries) => {
            keys.extend(entries.keys().take(MOST).cloned());
            entries.values().for_each(|value| of_json(value, keys));
        }
        Json::Array(items) => items.iter().take(MOST).for_each(|item| of_json(item, keys)),
        _ => {}
    }
}
