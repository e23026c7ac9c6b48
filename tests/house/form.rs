//! The form of scripts: what `flow fmt` writes is its own form, and means the same.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use flow::diag::tokens::tokens;
use flow::lang::{Program, Script, format, items};
use flow::plan::Plan;

use crate::repository;

/// All scripts of the repository that can be read: path and text; and the examples of the reference.
fn scripts() -> Vec<(String, String)> {
    fn below(folder: &str, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(repository(folder)).expect("the folder is there") {
            let path = format!("{folder}/{}", entry.expect("an entry").file_name().to_string_lossy());
            if repository(&path).is_dir() {
                below(&path, found);
            } else if path.ends_with(".rhai") && !path.ends_with(".d.rhai") {
                found.push((path.clone(), std::fs::read_to_string(repository(&path)).expect("a text")));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["examples", "scripts", "stdlib", "tests"] {
        below(folder, &mut found);
    }
    for item in items() {
        for (n, example) in item.text.split("```rhai\n").skip(1).enumerate() {
            let code = example.split("```").next().unwrap_or_default();
            found.push((format!("the example {n} of {}", item.name), code.to_owned()));
        }
    }
    found.sort();
    found
}

fn formed(name: &str, text: &str) -> Option<String> {
    match format(&Script::from_text(name, text)) {
        Ok(text) => Some(text),
        Err(problem) if problem.code() == "flow::fmt::unsure" => panic!("{name}: {}\n{text}", problem.message()),
        // It is there to be refused.
        Err(_) => None,
    }
}

/// The plan of a script, without places and names that are made of places.
fn plan(path: &str, text: &str) -> Option<Value> {
    let script = Script { path: Some(repository(path)), ..Script::from_text(path, text) };
    let mut plan = Plan::default();
    plan.grow(Program::compile(&script).ok()?.build(&[], None).ok()?.growth);
    let mut value = serde_json::to_value(&plan).expect("plans are data");
    without_places(&mut value, &mut HashMap::new());
    Some(value)
}

fn without_places(value: &mut Value, closures: &mut HashMap<String, usize>) {
    match value {
        Value::Object(map) => {
            for key in ["span", "sha256", "stopped_at"] {
                map.remove(key);
            }
            map.values_mut().for_each(|value| without_places(value, closures));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without_places(value, closures)),
        Value::String(text) if text.starts_with("anon$") => {
            let next = closures.len();
            *text = format!("closure {}", closures.entry(text.clone()).or_insert(next));
        }
        _ => {}
    }
}

#[test]
fn scripts_of_the_repository_are_in_form() {
    let mut wrong = Vec::new();
    for (path, text) in scripts() {
        if path.starts_with("the example") || path.starts_with("tests/golden") {
            continue;
        }
        let Some(formed) = formed(&path, &text) else { continue };
        if formed != text {
            if std::env::var_os("FLOW_BLESS").is_some() {
                std::fs::write(repository(&path), formed).expect("it can be written");
            } else {
                wrong.push(path);
            }
        }
    }
    assert!(wrong.is_empty(), "flow fmt has not seen: {wrong:?}");
}

#[test]
fn the_form_is_its_own_and_means_the_same() {
    let mut plans = 0;
    for (path, text) in scripts() {
        let Some(once) = formed(&path, &text) else { continue };
        assert_eq!(formed(&path, &once).as_ref(), Some(&once), "{path}: formatted twice");
        let before = plan(&path, &text);
        plans += usize::from(before.is_some());
        assert_eq!(before, plan(&path, &once), "{path}");
    }
    assert!(plans > 100, "only {plans} plans were compared");
}

/// A script with further blanks and ends of lines between its words: as if it had been written by somebody in a hurry.
fn ruffled(text: &str, dice: &[u8]) -> String {
    let mut out = String::new();
    let mut at = 0;
    let mut deep = Vec::new();
    let parsed = tokens(text);
    for (n, token) in parsed.iter().enumerate() {
        out.push_str(&text[at..token.start]);
        let before = if n > 0 { parsed[n - 1].of(text) } else { "" };
        // Not within texts: after `${` and up to its end.
        let within = deep.contains(&"${");
        let glued = matches!(before, "!" | "#" | "?") || token.of(text).starts_with('`') || within;
        if n > 0 && !glued && !matches!(token.of(text), "}" if deep.last() == Some(&"${")) {
            match dice[n % dice.len()] % 12 {
                0 => out.push('\n'),
                1 => out.push_str("\n\n\n"),
                2 => out.push_str("  "),
                3 => out.push_str(" /* here */ "),
                4 => out.push_str("// there\n"),
                _ => {}
            }
        }
        match token.of(text) {
            open @ ("(" | "[" | "{" | "#{" | "${") => deep.push(open),
            ")" | "]" | "}" => drop(deep.pop()),
            _ => {}
        }
        out.push_str(token.of(text));
        at = token.end;
    }
    out.push_str(&text[at..]);
    out
}

#[test]
fn however_a_script_is_written_its_form_is_its_own() {
    let scripts = scripts();
    let mut formatted = 0;
    let mut runner = TestRunner::new(Config { cases: 6000, failure_persistence: None, ..Config::default() });
    let strategy = (0..scripts.len(), proptest::collection::vec(any::<u8>(), 7..97));
    let result = runner.run(&strategy, |(n, dice)| {
        let text = ruffled(&scripts[n].1, &dice);
        // What was put in may have gone into a text, or apart two letters of one operator.
        if let Some(once) = formed("ruffled", &text) {
            prop_assert_eq!(formed("ruffled", &once), Some(once.clone()), "{}", text);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    for (n, (_, text)) in scripts.iter().enumerate() {
        formatted += usize::from(formed("ruffled", &ruffled(text, &[n as u8, 3, 7, 0, 9])).is_some());
    }
    assert!(formatted * 2 > scripts.len(), "only {formatted} of {} could be read", scripts.len());
}
