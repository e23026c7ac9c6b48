//! Everything that can be looked up, in one list: the language, its options, the library, `flow.toml`, the errors.
//!
//! Nothing is written here: functions bring their comments, options and keys are the data by which they are read, codes
//! are those of the diagnostics.

mod language;
mod lookup;

use std::sync::OnceLock;

use crate::diag::{Kind, codes};
use crate::lang::assist::{Colour, Document};
use crate::lang::{Topic, library};
use crate::view::docs::{self, Entry, Part};
use crate::view::{Look, Tone};

pub use lookup::{Found, look_up, search};

use super::PROJECT_KEYS;
use language::{item, options};

/// The parts of the reference, in order.
pub fn parts() -> Vec<Part> {
    let part = |name: &str, title: &str, about: &str, long| Part {
        name: name.to_owned(),
        title: title.to_owned(),
        about: about.to_owned(),
        long,
    };
    let mut parts: Vec<Part> =
        Topic::ALL.into_iter().map(|topic| part(topic.name(), topic.title(), topic.about(), false)).collect();
    parts.push(part("kinds", "Kinds of values", "What parameters and options take, and how it is written.", true));
    parts.push(part(
        "expressions",
        "Functions of expressions",
        "What can be called in a condition that is a text, such as `\"length(files.lines) > 3\"`, and between `${` and `}` in a double-quoted script.",
        true,
    ));
    parts.push(part("library", "The standard library", "Modules to import: `import \"std/text\" as text;`.", false));
    parts.push(part(
        "functions",
        "Functions of the standard library",
        "What the modules of the standard library hold.",
        true,
    ));
    parts.push(part(
        "options",
        "Options",
        "Keys of the maps that functions take: `flow docs retry.backoff`, `flow docs settings.order`.",
        true,
    ));
    parts.push(part("project", "flow.toml", "What holds for all workflows of a project.", false));
    parts.push(part(
        "errors",
        "Errors",
        "Every code that an error can have. `flow docs flow::plan` lists those of one room.",
        true,
    ));
    parts.push(part(
        "words",
        "Words of Rhai",
        "The language in which scripts are written: `docs/guide/rhai.md` has it on one page.",
        true,
    ));
    parts.push(part(
        "rhai",
        "Functions of Rhai",
        "What the language itself brings along, for texts, numbers, lists and maps. https://rhai.rs/book has more.",
        true,
    ));
    parts
}

/// All entries, part by part.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let mut entries: Vec<Entry> = crate::lang::items().iter().map(item).collect();
        entries.extend(crate::lang::VALUES.iter().map(language::value));
        entries.extend(crate::lang::assist::KEYWORDS.iter().map(language::word));
        entries.extend(crate::plan::expression::FUNCTIONS.iter().map(language::of_expressions));
        for module in library() {
            entries.push(language::module(module));
            entries.extend(module.functions.iter().map(|function| language::function(module, function)));
        }
        for keys in crate::lang::keys::ALL {
            entries.extend(options(keys, "options"));
        }
        entries.extend(options(&crate::lang::keys::STEP, "options"));
        for keys in PROJECT_KEYS {
            entries.extend(options(keys, "project"));
        }
        entries.extend(codes::CODES.iter().map(code));
        entries.extend(language::of_rhai(crate::lang::assist::functions()));
        let mut seen = std::collections::HashSet::new();
        entries.retain(|entry| seen.insert((entry.name.clone(), entry.kind.clone())));
        entries
    })
}

/// An entry as a terminal shows it, with its scripts in colours.
pub fn shown(entry: &Entry, look: Look) -> String {
    docs::entry(entry, look, &|script| {
        let tone = |colour| match colour {
            Colour::Comment => Tone::Faint,
            Colour::Text => Tone::Good,
            Colour::Number | Colour::Operator => Tone::Warn,
            Colour::Keyword | Colour::Step => Tone::Strong,
            Colour::Function => Tone::Busy,
        };
        Document::new(script).colours().into_iter().map(|(range, colour)| (range, tone(colour))).collect()
    })
}

fn code(code: &codes::Code) -> Entry {
    let warning = code.meaning.starts_with("A warning");
    let exit = match (warning, code.kind) {
        (true, _) => "The script can run.",
        (_, Kind::Usage) => "Exit code 2: nothing was executed.",
        _ => "Exit code 1.",
    };
    let mut text = format!("{} {exit}", code.meaning);
    if let Some(example) = code.example {
        text.push_str(&format!("\n\nThis script shows it:\n\n```rhai\n{example}\n```"));
    }
    let of: Vec<String> = crate::lang::items()
        .iter()
        .filter(|item| item.errors().contains(&code.name) && item.kind != crate::lang::ItemKind::Property)
        .map(language::shown)
        .collect();
    if !of.is_empty() {
        text.push_str(&format!("\n\nSee also: `{}`.", of.join("`, `")));
    }
    Entry {
        name: code.name.to_owned(),
        kind: "error".into(),
        topic: "errors".into(),
        signatures: Vec::new(),
        summary: crate::lang::first_sentence(code.meaning),
        text,
        examples: code.example.into_iter().map(str::to_owned).collect(),
        see: of,
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests;
