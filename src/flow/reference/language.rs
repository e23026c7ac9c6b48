//! Entries of the language: functions, options, modules.

use std::collections::BTreeMap;

use crate::lang::assist::Builtin;
use crate::lang::keys::{Absent, Key, Keys};
use crate::lang::{Item, ItemKind, LibraryFunction, LibraryModule, options_table};
use crate::plan::expression::Function;
use crate::view::docs::Entry;

/// As it is named elsewhere: methods with a dot.
pub(super) fn shown(item: &Item) -> String {
    if item.kind == ItemKind::Method { format!(".{}", item.name) } else { item.name.clone() }
}

/// A function, a method, a property or an operator.
pub(super) fn item(item: &Item) -> Entry {
    Entry {
        name: shown(item),
        kind: item.kind.name().to_owned(),
        topic: item.topic.name().to_owned(),
        signatures: item.signatures.clone(),
        summary: item.summary(),
        text: item.text.clone(),
        examples: item.forms.iter().flat_map(|form| &form.doc.examples).map(|(_, script)| script.clone()).collect(),
        errors: item.errors().into_iter().map(str::to_owned).collect(),
        see: item.see().into_iter().map(str::to_owned).collect(),
    }
}

/// A kind of value.
pub(super) fn value((name, written, example): &(&str, &str, &str)) -> Entry {
    Entry {
        name: (*name).to_owned(),
        kind: "kind of value".into(),
        topic: "kinds".into(),
        summary: (*written).to_owned(),
        text: format!("Written {written}.\n\n```rhai\n{example}\n```"),
        examples: vec![(*example).to_owned()],
        ..Entry::default()
    }
}

/// A word of Rhai.
pub(super) fn word((name, about): &(&str, &str)) -> Entry {
    Entry {
        name: (*name).to_owned(),
        kind: "word of Rhai".into(),
        topic: "words".into(),
        summary: first_up(about),
        text: first_up(about),
        ..Entry::default()
    }
}

/// A function that only expressions have.
pub(super) fn of_expressions(function: &Function) -> Entry {
    let (written, gives) = function.example;
    Entry {
        name: function.name.to_owned(),
        kind: "function of expressions".into(),
        topic: "expressions".into(),
        signatures: vec![function.signature()],
        summary: function.doc.to_owned(),
        text: format!(
            "Gives {}.\n\n`{written}` is `{gives}`.\n\nIn a condition: `.when(\"length(files.lines) > 3\")`; in a script: `\"echo ${{fn:uppercase(env.output)}}\"`.",
            function.doc
        ),
        ..Entry::default()
    }
}

/// The functions that Rhai itself has: those of one name, for different types, are one entry.
pub(super) fn of_rhai(functions: &[Builtin]) -> Vec<Entry> {
    let mut entries: BTreeMap<&str, Entry> = BTreeMap::new();
    for function in functions.iter().filter(|function| !function.docs.is_empty()) {
        let entry = entries.entry(&function.name).or_insert_with(|| Entry {
            name: function.name.clone(),
            kind: "function of Rhai".into(),
            topic: "rhai".into(),
            summary: crate::lang::first_sentence(&function.docs),
            ..Entry::default()
        });
        if !entry.signatures.contains(&function.signature) {
            entry.signatures.push(function.signature.clone());
        }
        if !entry.text.contains(&function.docs) {
            entry.text.push_str(if entry.text.is_empty() { "" } else { "\n\n" });
            entry.text.push_str(&function.docs);
        }
    }
    entries.into_values().collect()
}

/// A module of the standard library.
pub(super) fn module(module: &LibraryModule) -> Entry {
    let mut text = module.doc.meaning.clone();
    text.push_str("\n\n| function | what it is |\n| --- | --- |\n");
    for function in &module.functions {
        text.push_str(&format!("| `{}` | {} |\n", function.signatures.join("`, `"), function.summary()));
    }
    Entry {
        name: module.name.clone(),
        kind: "module".into(),
        topic: "library".into(),
        signatures: vec![format!("import \"{}\" as {};", module.name, module.alias())],
        summary: module.doc.summary(),
        text,
        ..Entry::default()
    }
}

/// A function of the standard library.
pub(super) fn function(module: &LibraryModule, function: &LibraryFunction) -> Entry {
    Entry {
        name: format!("{}::{}", module.alias(), function.name),
        kind: format!("function of {}", module.name),
        topic: "functions".into(),
        signatures: function.signatures.clone(),
        summary: function.summary(),
        text: function.markdown(&|name| format!("`{name}`")),
        examples: function.docs.iter().flat_map(|doc| &doc.examples).map(|(_, script)| script.clone()).collect(),
        errors: function.docs.iter().flat_map(|doc| doc.errors.clone()).collect(),
        see: function.docs.iter().flat_map(|doc| doc.see.clone()).collect(),
    }
}

/// The keys of a map, and of the maps in it that nobody else takes.
pub(super) fn options(keys: &'static Keys, topic: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = keys.keys.iter().map(|key| option(keys, key, topic)).collect();
    if topic == "project" {
        entries.insert(
            0,
            Entry {
                name: format!("[{}]", keys.name),
                kind: "section of flow.toml".into(),
                topic: topic.to_owned(),
                signatures: keys.form.lines().map(str::to_owned).collect(),
                summary: format!("keys: {}", keys.names().join(", ")),
                text: options_table(keys),
                ..Entry::default()
            },
        );
        for inner in keys.keys.iter().filter_map(|key| key.kind.keys()) {
            entries.extend(inner.keys.iter().map(|key| option(inner, key, topic)));
        }
    }
    entries
}

fn option(keys: &Keys, key: &Key, topic: &str) -> Entry {
    let project = topic == "project";
    let without = match &key.absent {
        Absent::Needed(_) => "It must be given.".to_owned(),
        Absent::Value(value) => format!("Without it: `{value}`."),
        Absent::Nothing(words, _) => format!("Without it: {words}."),
    };
    let sign = if project { " =" } else { ":" };
    let signature = format!("{}{sign} {}", key.name, key.absent.example());
    let end = if key.meaning.ends_with('…') { "" } else { "." };
    let mut text = format!("{}{end}\n\nTakes: {}. {without}", first_up(key.meaning), key.kind.name());
    if let Some(inner) = key.kind.keys().filter(|inner| !inner.form.is_empty()) {
        text.push_str(&format!("\n\n{}", options_table(inner)));
    }
    let of: Vec<String> = keys.of.iter().map(|name| format!("`{name}`")).collect();
    if !project && !keys.form.is_empty() {
        let map = match &key.absent {
            _ if keys.name == "chain.steps" && key.name != "sh" => format!("#{{ name: \"build\", {signature} }}"),
            _ => format!("#{{ {signature} }}"),
        };
        if keys.keys.iter().all(|other| other.name == key.name || !matches!(other.absent, Absent::Needed(_))) {
            text.push_str(&format!("\n\n```rhai\n{}\n```", keys.form.replace('…', &map)));
        }
    }
    if !of.is_empty() {
        text.push_str(&format!("\n\nSee also: {}.", of.join(", ")));
    }
    Entry {
        name: format!("{}.{}", keys.name, key.name),
        kind: if project { "key of flow.toml".into() } else { "option".into() },
        topic: topic.to_owned(),
        signatures: vec![signature],
        summary: first_up(key.meaning),
        text,
        see: keys.of.iter().map(|name| (*name).to_owned()).collect(),
        ..Entry::default()
    }
}

fn first_up(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
