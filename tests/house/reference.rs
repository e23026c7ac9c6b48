//! The pages of `docs/reference/` and `grammar/flow.d.rhai` are made from the functions of the language.

use std::collections::BTreeSet;
use std::fmt::Write;

use flow::diag::codes;
use flow::flow::PROJECT_KEYS;
use flow::lang::{
    Item, ItemKind, LibraryModule, Program, Script, Topic, VALUES, body, definitions, items, library, options_table,
};
use flow::plan::expression::FUNCTIONS;

use crate::{is_current, repository};

const MADE: &str =
    "<!-- Made from the code by tests/house/reference.rs: FLOW_BLESS=1 cargo test --test house reference -->\n\n";

/// The anchor that web pages give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn heading(item: &Item) -> String {
    if item.kind == ItemKind::Method { format!(".{}", item.name) } else { item.name.clone() }
}

/// The item of a name: a method if it begins with a dot.
fn named(name: &str) -> Option<&'static Item> {
    let bare = name.trim_start_matches('.');
    let method = name.starts_with('.');
    items().iter().find(|item| item.name == bare && (item.kind == ItemKind::Method) == method)
}

/// A link from the page of a topic: short where it stays on the page.
fn link_from(topic: Topic, name: &str) -> String {
    link(name, "").replace(&format!("({}.md#", topic.name()), "(#")
}

/// A link from a page, which lies in the folder `up` (`../` for each folder below docs/reference).
fn link(name: &str, up: &str) -> String {
    if name.starts_with("flow::") {
        return format!("[`{name}`](../{up}errors.md#{})", anchor(name));
    }
    if let Some(module) = library().iter().find(|module| module.name == name) {
        return format!("[`{name}`]({up}std/{}.md)", module.alias());
    }
    let of_module = name.split_once("::").and_then(|(alias, function)| {
        let module = library().iter().find(|module| module.alias() == alias)?;
        module.functions.iter().any(|known| known.name == function).then_some((alias, function))
    });
    if let Some((alias, function)) = of_module {
        return format!("[`{name}`]({up}std/{alias}.md#{})", anchor(function));
    }
    match named(name) {
        Some(item) if !anchor(&item.name).is_empty() => {
            format!("[`{name}`]({up}{}.md#{})", item.topic.name(), anchor(&item.name))
        }
        Some(item) => format!("[`{name}`]({up}{}.md)", item.topic.name()),
        None => format!("`{name}`"),
    }
}

fn page(topic: Topic) -> String {
    let mut page = format!("{MADE}# {}\n\n{}\n", topic.title(), topic.about());
    let of_topic: Vec<&Item> = items().iter().filter(|item| item.topic == topic).collect();
    let (properties, others): (Vec<_>, Vec<_>) = of_topic.into_iter().partition(|i| i.kind == ItemKind::Property);
    if !properties.is_empty() {
        page.push_str("\n## Properties of a step\n\n| property | what it is |\n| --- | --- |\n");
        for item in &properties {
            let _ = writeln!(page, "| [`{}`](#{}) | {} |", item.name, anchor(&item.name), item.forms[0].doc.meaning);
        }
        let read_only =
            ["flow::lang::pending", "flow::lang::value", "flow::lang::read_only"].map(|code| link(code, ""));
        let _ = write!(page, "\nErrors, of all of them: {}.\n\n## Functions\n", read_only.join(", "));
    }
    page.push_str("\n| | |\n| --- | --- |\n");
    for item in &others {
        let _ = writeln!(page, "| {} | {} |", link_from(topic, &heading(item)), item.summary());
    }
    if topic == Topic::Operators {
        page.push_str(
            "\nHow expressions are read, and how `->` and `if` are written in texts: [expressions.md](../expressions.md).\n\n\
             ## Functions of expressions\n\n| function | gives | example |\n| --- | --- | --- |\n",
        );
        for function in FUNCTIONS {
            let (written, gives) = function.example;
            let cells =
                [function.signature(), written.to_owned(), gives.to_owned()].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(page, "| `{}` | {} | `{}` is `{}` |", cells[0], function.doc, cells[1], cells[2]);
        }
        page.push_str("\n## Operators\n");
    }
    for item in properties.into_iter().chain(others) {
        let mut item = item.clone();
        if item.kind == ItemKind::Property {
            // They stand above, once for all.
            item.forms.iter_mut().for_each(|form| form.doc.errors.clear());
        }
        let (item, text) = (&item, body(&item, &|name| link_from(topic, name)));
        let _ = write!(page, "\n### `{}`\n\n```text\n{}\n```\n\n{text}\n", heading(item), item.signatures.join("\n"));
    }
    let _ = write!(page, "\n---\n\nAll topics: [index](README.md)\n");
    page
}

fn module_page(module: &LibraryModule) -> String {
    let mut page = format!("{MADE}# {}\n\n{}\n", module.name, module.doc.meaning);
    let _ = write!(page, "\n```rhai\n{}\n```\n", module.import());
    page.push_str("\n| | |\n| --- | --- |\n");
    for function in &module.functions {
        let _ =
            writeln!(page, "| [`{}`](#{}) | {} |", function.signatures[0], anchor(&function.name), function.summary());
    }
    for function in &module.functions {
        let text = function.markdown(&|name| link(name, "../"));
        let _ =
            write!(page, "\n### `{}`\n\n```text\n{}\n```\n\n{text}\n", function.name, function.signatures.join("\n"));
    }
    let _ = write!(page, "\n---\n\nAll topics: [index](../README.md)\n");
    page
}

fn project_page() -> String {
    let mut page = format!(
        "{MADE}# flow.toml\n\nWhat holds for all workflows of a project. The file stands in the project's folder; runs are kept beside it, in `.flow/`. Everything in it may be\nleft out. Paths are taken from its folder; `~/` is the home of the user.\n"
    );
    for keys in PROJECT_KEYS {
        let _ = write!(page, "\n## `[{}]`\n\n{}", keys.name, options_table(keys));
        let _ = write!(page, "\n```toml\n{}\n```\n", keys.form);
    }
    let _ = write!(page, "\nErrors: ");
    let codes: Vec<_> = codes::CODES.iter().filter(|code| code.name.starts_with("flow::config::")).collect();
    let _ = writeln!(page, "{}.", codes.iter().map(|code| link(code.name, "")).collect::<Vec<_>>().join(", "));
    let _ = write!(page, "\n---\n\nAll topics: [index](README.md)\n");
    page
}

fn index() -> String {
    let mut page = format!(
        "{MADE}# Reference of the language\n\n\
         Scripts are written in [Rhai](https://rhai.rs/book/language/), with what follows added; the [guide](../guide/README.md) is the way in. A\n\
         script only describes work: evaluating it runs nothing. `flow docs NAME` shows any entry of these pages in the terminal,\n\
         `flow docs --search WORDS` finds one.\n\n\
         | page | what it is about |\n| --- | --- |\n"
    );
    for topic in topics() {
        let _ = writeln!(page, "| [{}]({}.md) | {} |", topic.title(), topic.name(), topic.about());
    }
    let _ = writeln!(page, "| [flow.toml](project.md) | What holds for all workflows of a project. |");
    let _ = writeln!(page, "| [Errors](../errors.md) | Every code, with a script that shows it and what it says. |");
    page.push_str("\n## The standard library\n\n| module | what it is about |\n| --- | --- |\n");
    for module in library() {
        let _ = writeln!(page, "| [{}](std/{}.md) | {}. |", module.name, module.alias(), module.doc.summary());
    }
    page.push_str("\n## Kinds of values\n\n| kind | how it is written |\n| --- | --- |\n");
    for (name, written, _) in VALUES {
        let _ = writeln!(page, "| {name} | {} |", written.replace('|', "\\|"));
    }
    page.push_str("\nExpressions have a page of their own: [expressions](../expressions.md).\n");
    page.push_str("\n## All names\n\n");
    let mut names: Vec<(String, String)> = Vec::new();
    for item in items().iter().filter(|item| item.kind != ItemKind::Property) {
        names.push((item.name.to_lowercase(), link(&heading(item), "")));
    }
    names.sort();
    let _ = writeln!(page, "{}", names.into_iter().map(|(_, link)| link).collect::<Vec<_>>().join(" · "));
    page
}

/// Those that have entries.
fn topics() -> impl Iterator<Item = Topic> {
    Topic::ALL.into_iter().filter(|topic| items().iter().any(|item| item.topic == *topic))
}

/// All pages: path and text.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> =
        topics().map(|topic| (format!("docs/reference/{}.md", topic.name()), page(topic))).collect();
    pages.push(("docs/reference/README.md".into(), index()));
    pages.push(("docs/reference/project.md".into(), project_page()));
    pages.extend(
        library().iter().map(|module| (format!("docs/reference/std/{}.md", module.alias()), module_page(module))),
    );
    pages
}

#[test]
fn the_reference_is_current() {
    let pages = pages();
    let wrong: Vec<String> = pages.iter().filter_map(|(path, text)| is_current(path, text).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
    for folder in ["docs/reference", "docs/reference/std"] {
        for file in std::fs::read_dir(repository(folder)).expect("the folder is there") {
            let path = format!("{folder}/{}", file.expect("a file").file_name().to_string_lossy());
            assert!(!path.ends_with(".md") || known.contains(path.as_str()), "{path} is nobody's page: remove it");
        }
    }
}

/// Rhai reads programs, not definitions; but what stands in a definition file is built of the same words. So each becomes
/// what it declares: a function with its parameters and its comment, a constant.
#[test]
fn rhai_reads_what_definitions_declare() {
    let definitions = definitions();
    let mut script = String::new();
    let mut declared = 0;
    for (n, line) in definitions.lines().enumerate() {
        let line = line.trim_start();
        let rest = line.strip_prefix("fn ").map(|rest| rest.strip_prefix("get ").unwrap_or(rest));
        if let Some((name, rest)) = rest.and_then(|rest| rest.split_once('(')) {
            let (parameters, gives) = rest.rsplit_once(") -> ").expect("a function gives something");
            assert!(gives.ends_with(';'), "{line}");
            let parameters: Vec<&str> = parameters.split(", ").filter(|p| !p.is_empty()).collect();
            let named =
                parameters.iter().map(|parameter| parameter.split_once(": ").expect("a parameter has a type").0);
            // Forms of one function would be several functions for Rhai.
            script.push_str(&format!("fn {name}_{n}({}) {{ }}\n", named.collect::<Vec<_>>().join(", ")));
            declared += 1;
        } else if let Some((name, _)) = line.strip_prefix("const ").and_then(|rest| rest.split_once(": ")) {
            script.push_str(&format!("const {name} = ();\n"));
        } else if line.is_empty() || line.starts_with("//") {
            script.push_str(&format!("{line}\n"));
        } else if line.starts_with("op ") {
            script.push_str("fn operator(a, b) { }\n".replace("operator", &format!("operator_{n}")).as_str());
        } else {
            assert!(line == "module static;" || line.starts_with("module ") || line == "}", "{line}");
            script.push('\n');
        }
    }
    assert!(declared > 150, "only {declared} functions are declared");
    if let Err(problem) = Program::compile(&Script::from_text("flow.d.rhai", script)) {
        panic!("{problem}: {:?}", problem.span());
    }
}

#[test]
fn definitions_for_other_tools_are_current() {
    is_current("grammar/flow.d.rhai", &definitions()).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn every_item_says_all_that_it_has_to() {
    let mut wrong = Vec::new();
    for item in items() {
        let name = format!("{} `{}`", item.kind.name(), item.name);
        let mut require = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{name} {what}"));
            }
        };
        require(item.forms.iter().any(|form| !form.doc.meaning.is_empty()), "is not explained");
        for form in item.forms.iter().filter(|_| item.kind != ItemKind::Operator) {
            require(!form.doc.meaning.is_empty(), &format!("does not say what `{}` means", form.signature));
            require(!form.doc.examples.is_empty(), &format!("has no example of `{}`", form.signature));
        }
        for parameter in item.forms.iter().filter(|_| item.kind != ItemKind::Operator).flat_map(|form| &form.parameters)
        {
            let known = item.forms.iter().flat_map(|form| &form.parameters);
            let said = known.filter(|known| known.name == parameter.name).any(|known| !known.meaning.is_empty());
            require(said, &format!("does not say what `{}` is", parameter.name));
        }
        require(!item.errors().is_empty(), "names no errors");
        require(!item.see().is_empty(), "names nothing to see as well");
    }
    assert!(items().iter().any(|item| item.name == "sh"), "the functions are there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn examples_of_kinds_of_values_give_a_plan() {
    for (name, _, example) in VALUES {
        let built = Program::compile(&Script::from_text("kind.rhai", example)).and_then(|p| p.build(&[], None));
        assert!(built.is_ok(), "{name}: {:?}", built.err());
    }
}

#[test]
fn what_the_reference_names_exists() {
    let mut wrong = Vec::new();
    let docs = items().iter().flat_map(|item| item.forms.iter().map(|form| (item.name.clone(), &form.doc)));
    let of_library = library().iter().flat_map(|module| module.functions.iter());
    let docs = docs.chain(of_library.flat_map(|function| function.signatures.iter().cloned().zip(&function.docs)));
    for (name, doc) in docs {
        for code in doc.errors.iter().filter(|code| codes::find(code).is_none()) {
            wrong.push(format!("{name}: there is no error `{code}`"));
        }
        for other in doc.see.iter().filter(|other| !link(other, "").contains("](")) {
            wrong.push(format!("{name}: there is no `{other}` to see"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_of_the_library_has_a_meaning_and_an_example() {
    let mut wrong = Vec::new();
    for module in library().iter().filter(|_| library().len() > 1) {
        if module.doc.meaning.is_empty() {
            wrong.push(format!("{} is not explained", module.name));
        }
        for (signature, doc) in module.functions.iter().flat_map(|f| f.signatures.iter().zip(&f.docs)) {
            if doc.meaning.is_empty() {
                wrong.push(format!("{signature} is not explained"));
            }
            if doc.examples.is_empty() {
                wrong.push(format!("{signature} has no example"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
