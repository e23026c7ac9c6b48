//! However a script is broken, the answer is a diagnostic with a place and a way out, in words of flow.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use flow::diag::Diagnostic;
use flow::diag::tokens::tokens;
use flow::lang::{Script, items};

use crate::refused::findings;

/// Words of the parser and of types inside, which mean nothing to somebody who writes scripts.
const FOREIGN: [&str; 17] = [
    "anonymous",
    "boolean",
    "bit-field",
    "a string",
    "iterable",
    "Expecting",
    "expecting",
    "i64",
    "ImmutableString",
    "Dynamic",
    "FnPtr",
    "alloc::",
    "rhai",
    "Fn(",
    "literal",
    "getter",
    "_step(",
];

/// The examples of the reference.
fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    for item in items() {
        let mut rest = item.text.as_str();
        while let Some((_, after)) = rest.split_once("```rhai\n") {
            let Some((example, behind)) = after.split_once("```") else { break };
            examples.push(example.to_owned());
            rest = behind;
        }
    }
    examples
}

fn wrong_with(problem: &Diagnostic) -> Option<&'static str> {
    let said = format!("{} {} {:?}", problem.message(), problem.help_text().unwrap_or_default(), problem.labels());
    match problem {
        _ if problem.help_text().is_none_or(|help| help.trim().is_empty()) => Some("no help"),
        _ if problem.span().is_none() => Some("no place"),
        _ if FOREIGN.iter().any(|word| said.contains(word)) => Some("words of the parser"),
        _ => None,
    }
}

#[test]
fn broken_scripts_are_answered_in_our_words() {
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    let mut tried = 0;
    for example in examples() {
        let tokens = tokens(&example);
        for (n, token) in tokens.iter().enumerate() {
            let (before, after) = (&example[..token.start], &example[token.end..]);
            let word = token.of(&example);
            let mut broken = vec![format!("{before}{after}"), format!("{before}{word} {word}{after}")];
            if let Some(next) = tokens.get(n + 1) {
                // Two neighbours in the wrong order.
                let (between, behind) = (&example[token.end..next.start], &example[next.end..]);
                broken.push(format!("{before}{}{between}{word}{behind}", next.of(&example)));
            }
            if word.len() > 2 && word.is_ascii() {
                broken.push(format!("{before}{}{after}", &word[..word.len() - 1]));
            }
            for text in broken {
                tried += 1;
                let script = Script::from_text("broken.rhai", text.as_str());
                let found = catch_unwind(AssertUnwindSafe(|| findings(&script, &[])));
                let Ok(found) = found else {
                    wrong.insert("a panic".into(), text);
                    continue;
                };
                for problem in found {
                    if let Some(why) = wrong_with(&problem) {
                        wrong.insert(
                            format!("{why}: {}: {problem} / {:?}", problem.code(), problem.help_text()),
                            text.clone(),
                        );
                    }
                }
            }
        }
    }
    assert!(tried > 3_000, "only {tried} scripts were tried");
    let wrong: Vec<String> = wrong.into_iter().map(|(why, script)| format!("{why}\n{script}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
