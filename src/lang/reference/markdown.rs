//! An item as Markdown: the same for pages, terminals and editors.

use std::fmt::Write;

use super::super::keys::{Absent, Keys, Kind as Takes};
use super::{Described, Doc, Item, Kind};

/// What is to be said about an item, below its signatures. `link` writes the name of a code or of another item.
pub fn body(item: &Item, link: &dyn Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut add = |paragraph: &str| {
        let gap = if text.is_empty() { "" } else { "\n\n" };
        let _ = write!(text, "{gap}{}", paragraph.trim_end());
    };
    let Some((first, others)) = item.forms.split_first() else { return text };
    add(&first.doc.meaning);
    let parameters = parameters(item);
    if !parameters.is_empty() {
        add(&parameters_table(&parameters));
    }
    if let Some(keys) = item.keys {
        add(&options_table(keys));
    }
    for (tag, code) in &first.doc.examples {
        add(&format!("```{tag}\n{code}```"));
    }
    for form in others.iter().filter(|form| !form.doc.meaning.is_empty() && item.kind != Kind::Operator) {
        add(&format!("**`{}`**: {}", form.signature, form.doc.meaning));
        form.doc.examples.iter().for_each(|(tag, code)| add(&format!("```{tag}\n{code}```")));
    }
    for paragraph in item.forms.iter().flat_map(|form| &form.doc.elsewhere) {
        add(paragraph);
    }
    for (what, names) in [("Errors", item.errors()), ("See also", item.see())] {
        if !names.is_empty() {
            add(&format!("{what}: {}.", names.into_iter().map(link).collect::<Vec<_>>().join(", ")));
        }
    }
    text
}

/// What a comment says, in the same order.
pub fn of_doc(doc: &Doc, link: &dyn Fn(&str) -> String) -> String {
    let mut parts = vec![doc.meaning.trim_end().to_owned()];
    if !doc.parameters.is_empty() {
        parts.push(parameters_table(&doc.parameters.iter().collect::<Vec<_>>()).trim_end().to_owned());
    }
    parts.extend(doc.examples.iter().map(|(tag, code)| format!("```{tag}\n{code}```")));
    parts.extend(doc.elsewhere.iter().cloned());
    for (what, names) in [("Errors", &doc.errors), ("See also", &doc.see)] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| link(name)).collect();
            parts.push(format!("{what}: {}.", names.join(", ")));
        }
    }
    parts.join("\n\n")
}

/// The parameters of all forms, each once.
fn parameters(item: &Item) -> Vec<&Described> {
    let mut all: Vec<&Described> = Vec::new();
    for parameter in item.forms.iter().flat_map(|form| &form.parameters) {
        let known = all.iter_mut().find(|known| known.name == parameter.name);
        match known {
            Some(known) if known.meaning.is_empty() => *known = parameter,
            Some(_) => {}
            None if !parameter.meaning.is_empty() => all.push(parameter),
            None => {}
        }
    }
    all
}

fn parameters_table(parameters: &[&Described]) -> String {
    let mut table = "| parameter | takes | meaning |\n| --- | --- | --- |\n".to_owned();
    for parameter in parameters {
        let _ = writeln!(table, "| `{}` | {} | {} |", parameter.name, cell(&parameter.kind), cell(&parameter.meaning));
    }
    table
}

/// The keys of an option map, and those of the maps in it.
pub fn options_table(keys: &Keys) -> String {
    let mut table = "| option | takes | without it | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    rows(keys, "", &mut table);
    table
}

fn rows(keys: &Keys, before: &str, table: &mut String) {
    let inner = |kind: &Takes| match kind {
        Takes::Names(keys) => Some(*keys),
        // What is said elsewhere is not said here again.
        kind => kind.keys().filter(|keys| keys.of.is_empty()),
    };
    let same = |a: &Keys, b: &Keys| std::ptr::eq(a, b);
    for (at, key) in keys.keys.iter().enumerate() {
        let _ = writeln!(
            table,
            "| `{before}{}` | {} | {} | {} |",
            key.name,
            cell(&key.kind.name()),
            cell(&without(&key.absent)),
            cell(key.meaning)
        );
        let Some(within) = inner(&key.kind).filter(|_| before.matches('.').count() < 2) else { continue };
        // Keys that several take are listed once, below the last of these.
        let others = |keys: &'static [super::super::keys::Key]| {
            keys.iter().filter_map(|key| inner(&key.kind)).filter(|keys| same(keys, within)).count()
        };
        if others(&keys.keys[at + 1..]) > 0 {
            continue;
        }
        let name = match key.kind {
            Takes::Names(_) => format!("{}.NAME", key.name),
            _ if others(&keys.keys[..at]) > 0 => "…".to_owned(),
            _ => key.name.to_owned(),
        };
        rows(within, &format!("{before}{name}."), table);
    }
}

/// What holds if a key is not given, in words.
pub fn without(absent: &Absent) -> String {
    match absent {
        Absent::Needed(_) => "it must be given".into(),
        Absent::Value(value) => format!("`{value}`"),
        Absent::Nothing(words, _) => (*words).to_owned(),
    }
}

/// Text for a cell of a table: one line, and no bar that would end it.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
