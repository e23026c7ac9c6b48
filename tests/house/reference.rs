//! `docs/reference.md` is made from the functions of the language.

use std::fmt::Write;

use flow::lang::{ItemKind, items};

use crate::is_current;

fn page() -> String {
    let mut page = String::from(
        "<!-- Made from the functions in src/lang/functions by tests/house/reference.rs: FLOW_BLESS=1 cargo test --test house -->\n\n\
         # Reference of the language\n\n\
         Scripts are written in [Rhai](https://rhai.rs/book/language/), with what follows added. A script only describes work: evaluating it\n\
         runs nothing. `flow docs NAME` shows an entry of this page in the terminal.\n",
    );
    let kinds = [
        (ItemKind::Function, "Functions"),
        (ItemKind::Method, "Methods of steps and secrets"),
        (ItemKind::Property, "Properties of steps"),
        (ItemKind::Operator, "Operators"),
    ];
    for (kind, title) in kinds {
        let _ = write!(page, "\n## {title}\n");
        if kind == ItemKind::Property {
            page.push_str(
                "\nWhile a step has not run, these are not known: they can stand in texts, arrays, maps and arguments, and each use makes\n\
                 the step that uses it wait. In closures they are plain values. Keys of an output that is an object are properties, too.\n\n\
                 | property | what it is |\n| --- | --- |\n",
            );
            for item in items().iter().filter(|item| item.kind == kind) {
                let _ = writeln!(page, "| `{}` | {} |", item.name, item.text);
            }
            continue;
        }
        for item in items().iter().filter(|item| item.kind == kind) {
            let _ = write!(
                page,
                "\n### `{}`\n\n```text\n{}\n```\n\n{}\n",
                item.name,
                item.signatures.join("\n"),
                item.text
            );
        }
    }
    page
}

#[test]
fn the_reference_is_current() {
    is_current("docs/reference.md", &page()).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn every_item_is_explained_and_functions_have_an_example() {
    // What there will be is explained, but cannot be tried yet.
    const LATER: [&str; 3] = ["swarm", "pipeline", "|>"];
    let mut wrong = Vec::new();
    for item in items() {
        let (name, kind) = (&item.name, item.kind.name());
        if item.text.trim().is_empty() {
            wrong.push(format!("{kind} `{name}` is not explained"));
        }
        let example = item.text.contains("```rhai");
        if item.kind != ItemKind::Property && !LATER.contains(&name.as_str()) && !example {
            wrong.push(format!("{kind} `{name}` has no example"));
        }
    }
    assert!(items().iter().any(|item| item.name == "sh"), "the functions are there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
