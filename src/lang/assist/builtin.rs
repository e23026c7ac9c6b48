//! What the language brings along: functions of Rhai, modules of the standard library.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::document::Document;
use crate::lang::reference::{self, functions_of, items};
use crate::lang::{fault, host, modules};

/// A function of Rhai itself.
#[derive(Debug)]
pub struct Builtin {
    /// Its name.
    pub name: String,
    /// The type of its first argument, which it can be a method of.
    pub of: String,
    /// How it is called.
    pub signature: String,
    /// What it means, as Markdown.
    pub docs: String,
}

/// The functions that Rhai has and flow says nothing of, by name; one for each type that they work on.
pub fn functions() -> &'static [Builtin] {
    static FUNCTIONS: OnceLock<Vec<Builtin>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let ours: std::collections::HashSet<&str> = items().iter().map(|item| item.name.as_str()).collect();
        let mut found: Vec<Builtin> = Vec::new();
        for function in functions_of(&host::standard()) {
            let is_name = function.name.starts_with(|c: char| c.is_alphabetic());
            if !is_name || ours.contains(function.name.as_str()) || function.name.contains('$') {
                continue;
            }
            let first = function.params.first().and_then(|first| first.kind.as_deref());
            let of = first.map(|kind| fault::short_type(kind.trim_start_matches("&mut "))).unwrap_or_default();
            if found.iter().rev().take(40).any(|known| known.name == function.name && known.of == of) {
                continue;
            }
            let (signature, docs) =
                (reference::signature(&function, false), reference::text_of(&function.doc_comments));
            found.push(Builtin { name: function.name, of, signature, docs: docs.replace("\n# Example", "\nExample") });
        }
        found
    })
}

/// A module of the standard library, `std/checks`.
pub fn module(path: &str) -> Option<&'static Document> {
    static MODULES: OnceLock<HashMap<String, Document>> = OnceLock::new();
    let modules = MODULES.get_or_init(|| {
        let names = modules::standard_names().into_iter();
        names.filter_map(|name| modules::standard(&name).map(|text| (name, Document::new(text)))).collect()
    });
    modules.get(path.strip_suffix(".rhai").unwrap_or(path))
}

/// The text of a module of the standard library.
pub fn standard(path: &str) -> Option<&'static str> {
    modules::standard(path.strip_suffix(".rhai").unwrap_or(path))
}
