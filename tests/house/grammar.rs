//! `grammar/flow.tmLanguage.json` is a grammar whose names are those of the language.

use flow::lang::assist::KEYWORDS;
use flow::lang::{ItemKind, items};
use serde_json::{Value, json};

use crate::{is_current, repository};

const GRAMMAR: &str = "grammar/flow.tmLanguage.json";

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(repository(path)).expect("the file is there");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} is no JSON: {error}"))
}

/// Names of a kind. What must follow them tells `output` from `output_limit`, so their order does not matter.
fn names(kind: ItemKind) -> String {
    let mut names: Vec<&str> = items().iter().filter(|item| item.kind == kind).map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join("|")
}

#[test]
fn the_grammar_has_the_names_of_the_language() {
    let mut grammar = read(GRAMMAR);
    for (rule, kind) in
        [("functions", ItemKind::Function), ("methods", ItemKind::Method), ("properties", ItemKind::Property)]
    {
        let pattern = &mut grammar["repository"][rule]["patterns"][0]["match"];
        let old = pattern.as_str().expect("a pattern");
        // The names are the first group that is not about what is before.
        let start = old.find("(?:").expect("a group of names") + 3;
        let end = start + old[start..].find(')').expect("its end");
        *pattern = format!("{}{}{}", &old[..start], names(kind), &old[end..]).into();
    }
    let text = serde_json::to_string_pretty(&grammar).expect("it is JSON") + "\n";
    let both = ["grammar/flow.tmLanguage.json", "grammar/vscode/flow.tmLanguage.json"];
    let wrong: Vec<String> = both.iter().filter_map(|path| is_current(path, &text).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All regular expressions of a grammar, and all rules that it names.
fn walk<'a>(value: &'a Value, expressions: &mut Vec<&'a str>, included: &mut Vec<&'a str>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value.as_str()) {
                    ("match" | "begin" | "end" | "firstLineMatch", Some(expression)) => expressions.push(expression),
                    ("include", Some(name)) => included.push(name),
                    _ => walk(value, expressions, included),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, expressions, included)),
        _ => {}
    }
}

/// An expression as a JSON Schema, whose engine looks ahead and behind as editors do; it fits what it is found in.
fn engine(expression: &str) -> jsonschema::Validator {
    // `\1` means the first group of another expression, and `\A` the beginning.
    let expression = expression.replace("\\1", "#").replace("\\A", "^");
    jsonschema::validator_for(&json!({ "pattern": expression }))
        .unwrap_or_else(|error| panic!("`{expression}`: {error}"))
}

#[test]
fn every_expression_of_the_grammar_can_be_read_and_every_rule_is_there() {
    let grammar = read(GRAMMAR);
    let (mut expressions, mut included) = (Vec::new(), Vec::new());
    walk(&grammar, &mut expressions, &mut included);
    assert!(expressions.len() > 30, "{}", expressions.len());
    expressions.iter().for_each(|expression| drop(engine(expression)));
    for name in included {
        let rule = name.strip_prefix('#').map(|name| &grammar["repository"][name]);
        assert!(name == "$self" || rule.is_some_and(Value::is_object), "there is no rule `{name}`");
    }
}

#[test]
fn the_grammar_finds_what_it_should() {
    let grammar = read(GRAMMAR);
    let pattern = |rule: &str, at: usize| {
        engine(grammar["repository"][rule]["patterns"][at]["match"].as_str().expect("a pattern"))
    };
    let cases = [
        (
            "functions",
            0,
            vec!["sh(\"a\")", "let a = wait_until (x)"],
            vec!["shell(\"a\")", "a.sh(\"b\")", "push(1)", "sh"],
        ),
        ("methods", 0, vec!["a.retry(3)", ".when(|| true)"], vec!["retry(3)", "a.retries(3)"]),
        ("properties", 0, vec!["a.output", "b.duration_ms > 5"], vec!["output", "a.output_limit(5)", "a.outputs"]),
        ("numbers", 0, vec!["1_000", "0xff", "1.5e-3"], vec!["a1", "x_2"]),
        ("letter", 0, vec!["'a'", "'\\n'", "'\\u1234'"], vec!["'ab'", "''"]),
    ];
    for (rule, at, good, bad) in cases {
        let pattern = pattern(rule, at);
        good.iter().for_each(|text| assert!(pattern.is_valid(&json!(text)), "{rule} is in `{text}`"));
        bad.iter().for_each(|text| assert!(!pattern.is_valid(&json!(text)), "{rule} is not in `{text}`"));
    }
    let text = std::fs::read_to_string(repository(GRAMMAR)).expect("it is there");
    for (word, _) in &KEYWORDS[..26] {
        assert!(text.contains(word), "the keyword `{word}` has a colour");
    }
}

#[test]
fn the_extension_names_what_is_there() {
    let package = read("grammar/vscode/package.json");
    let folder = |path: &Value| repository("grammar/vscode").join(path.as_str().expect("a path"));
    assert!(folder(&package["main"]).is_file());
    assert!(folder(&package["contributes"]["languages"][0]["configuration"]).is_file());
    assert!(folder(&package["contributes"]["grammars"][0]["path"]).is_file());
    assert_eq!(package["contributes"]["grammars"][0]["scopeName"], read(GRAMMAR)["scopeName"]);
    read("grammar/vscode/language-configuration.json");
    let extension = std::fs::read_to_string(folder(&package["main"])).expect("it is there");
    for command in package["contributes"]["commands"].as_array().expect("a list") {
        let name = command["command"].as_str().expect("a name");
        assert!(extension.contains(&format!("'{name}'")), "the extension has the command {name}");
    }
    assert!(
        extension.contains(&format!("'{}'", flow::lsp::SHOW_PLAN)),
        "it shows the plan by the command of the server"
    );
}
