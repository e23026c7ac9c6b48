//! `docs/errors.md` is made from the list of codes; each code is used, and each that is used is listed.

use std::collections::BTreeSet;
use std::fmt::Write;

use flow::diag::{Kind, codes};
use flow::lang::Script;

use crate::refused::{self, args, findings, text};
use crate::{is_current, rust_files};

/// A script that shows a code: its own example, or one of the refused scripts.
fn example(code: &codes::Code, refused: &[(String, String)]) -> Option<(Script, String)> {
    if let Some(script) = code.example {
        let script = Script::from_text("script.rhai", format!("{script}\n"));
        let found = findings(&script, &args(&script.text));
        // The first alone, as it comes: with a script that is wrong in one way, it is the only one.
        return Some((script, text(&found[..found.len().min(1)])));
    }
    let (name, shown) = refused.iter().find(|(_, shown)| shown.starts_with(&format!("{}\n", code.name)))?;
    Some((refused::script(name), shown.clone()))
}

fn page() -> String {
    let mut page = String::from(
        "<!-- Made from src/diag/codes.rs by tests/house/errors.rs: FLOW_BLESS=1 cargo test --test house -->\n\n\
         # Errors\n\n\
         Whatever goes wrong is told in one form: a code, what happened, the place in the script, and what to do.\n\
         With `--json` the same comes as data: `{\"error\": {\"code\", \"message\", \"help\", \"labels\": [{\"file\", \"line\", \"column\", \"text\"}]}}`.\n\n\
         Exit code 2: the command line, the script or a parameter is wrong, and nothing was executed. Exit code 1: the run failed, or its database did.\n",
    );
    let refused = refused::recorded();
    let mut room = "";
    for code in codes::CODES {
        let of = code.name.split("::").nth(1).unwrap_or_default();
        if of != room {
            room = of;
            let _ = write!(page, "\n## {}\n", title(room));
        }
        let exit = if code.kind == Kind::Usage { 2 } else { 1 };
        let warning = code.meaning.starts_with("A warning");
        let meaning = code.meaning.trim_end_matches('.');
        let _ = match warning {
            true => write!(page, "\n### `{}`\n\n{meaning}. The script can run.\n", code.name),
            false => write!(page, "\n### `{}`\n\n{meaning}. Exit code {exit}.\n", code.name),
        };
        if let Some((script, shown)) = example(code, &refused) {
            let _ = write!(page, "\n```rhai,refused\n{}```\n\n```text\n{shown}```\n", script.text);
        }
    }
    page
}

fn title(room: &str) -> &str {
    match room {
        "file" => "Files",
        "cli" => "Command line",
        "run" => "Runs",
        "plan" => "Plans",
        "store" => "Database",
        "param" => "Parameters",
        "lang" => "Language",
        "exec" => "Processes",
        other => other,
    }
}

#[test]
fn the_page_of_errors_is_current() {
    is_current("docs/errors.md", &page()).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn every_example_of_a_code_shows_that_code() {
    for code in codes::CODES {
        let Some(script) = code.example else { continue };
        let found = findings(&Script::from_text("script.rhai", script), &args(script));
        let Some(first) = found.first() else { panic!("{}: nothing is wrong with\n{script}", code.name) };
        assert_eq!(first.code(), code.name, "{first}\n{script}");
        assert!(first.help_text().is_some(), "{}: no help", code.name);
        assert!(first.span().is_some(), "{}: no place", code.name);
    }
}

#[test]
fn codes_are_listed_once_and_used() {
    let mut listed = BTreeSet::new();
    for code in codes::CODES {
        assert!(listed.insert(code.name), "{} is listed twice", code.name);
        assert!(code.meaning.ends_with('.'), "{}: its meaning is a sentence", code.name);
    }
    let mut used = BTreeSet::new();
    for (path, source) in rust_files("src") {
        if path != "src/diag/codes.rs" {
            used.extend(quoted_codes(&source));
        }
    }
    let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
    let missing: Vec<_> = used.difference(&listed).collect();
    assert!(missing.is_empty(), "used, but not in src/diag/codes.rs: {missing:?}");
    let idle: Vec<_> = listed.difference(&used).collect();
    assert!(idle.is_empty(), "in src/diag/codes.rs, but not used: {idle:?}");
}

/// All texts of the form `"flow::room::what"`.
fn quoted_codes(source: &str) -> Vec<String> {
    let texts = source.split('"').filter(|text| text.starts_with("flow::") && text.matches("::").count() == 2);
    texts.filter(|text| text.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c))).map(str::to_owned).collect()
}
