//! What can stand behind a dot.

use super::complete::Found;
use super::{CandidateKind, Shape, Sort, builtin};
use crate::lang::reference::{self, items};
use crate::lang::trial::{OF_RUNS, OF_STEPS};
use crate::state::Spending;
use crate::state::result::{OF_AGENTS, PROPERTIES};

/// The properties and methods of a value.
pub fn complete(shape: &Shape, found: &mut Found) {
    for (key, what) in &shape.keys {
        found.plain(CandidateKind::Property, key, what);
    }
    match shape.sort {
        Sort::Step => step(found, false),
        Sort::Pipeline => step(found, true),
        Sort::Secret => methods("secret.", found),
        Sort::Agent => methods("agent.", found),
        Sort::Double => methods("double.", found),
        Sort::Run => {
            properties(&OF_RUNS, found);
            methods("run.", found);
        }
        Sort::RunStep => {
            properties(&OF_STEPS, found);
            properties(&PROPERTIES, found);
        }
        Sort::Text => builtins(&["text"], found),
        Sort::Array => builtins(&["array"], found),
        Sort::Map => builtins(&["map"], found),
        Sort::Number => builtins(&["number", "decimal"], found),
        Sort::Closure => builtins(&["closure"], found),
        Sort::Result => {}
        Sort::Bool => {}
        Sort::Unknown => {
            step(found, false);
            builtins(&["text", "array", "map"], found);
        }
    }
}

fn step(found: &mut Found, pipeline: bool) {
    properties(&PROPERTIES, found);
    // Any step may be that of an agent, or a group of such.
    properties(&OF_AGENTS, found);
    properties(&Spending::PROPERTIES, found);
    methods_that("step.", &|item| pipeline || !of_pipelines(item), found);
}

/// Is it there for pipelines alone?
fn of_pipelines(item: &reference::Item) -> bool {
    item.topic == reference::Topic::Streams && !["ack", "alert"].contains(&item.name.as_str())
}

fn properties(properties: &[(&str, &str)], found: &mut Found) {
    for (property, meaning) in properties {
        if !found.has(property) {
            found.plain(CandidateKind::Property, property, meaning);
        }
    }
}

/// The methods that flow adds to a kind of value.
fn methods(of: &str, found: &mut Found) {
    methods_that(of, &|_| true, found);
}

fn methods_that(of: &str, wanted: &dyn Fn(&reference::Item) -> bool, found: &mut Found) {
    for item in items().iter().filter(|item| item.kind == reference::Kind::Method && wanted(item)) {
        if item.signatures.iter().any(|form| form.starts_with(of)) {
            found.add(CandidateKind::Method, &item.name, || {
                (item.signatures.first().cloned().unwrap_or_default(), item.text.as_str().into())
            });
        }
    }
}

/// The methods that Rhai has for kinds of values.
fn builtins(of: &[&str], found: &mut Found) {
    for function in builtin::functions() {
        let method = !matches!(function.name.as_str(), "print" | "debug" | "get_fn_metadata_list");
        if method && of.contains(&function.of.as_str()) && !found.has(&function.name) {
            found.add(CandidateKind::Method, &function.name, || {
                (function.signature.clone(), function.docs.as_str().into())
            });
        }
    }
}
