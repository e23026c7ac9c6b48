//! An entry: what was typed at once, and the text that a session is made of.

use crate::diag::tokens::{self, Kind, Token};
use crate::flow::{Parsed, parsed};
use crate::plan::StepId;

/// Something that was typed and has become part of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it was typed.
    pub text: String,
    /// How many times `run(…)` was answered up to its end.
    pub answered: usize,
    /// Does it stand here because of `:run`?
    pub by_run: bool,
    /// The steps that it has asked for first, with `run(…)`.
    pub wanted: Vec<StepId>,
}

impl Entry {
    /// Not yet evaluated.
    pub fn new(text: impl Into<String>) -> Self {
        Entry { text: text.into(), answered: 0, by_run: false, wanted: Vec::new() }
    }

    /// `run();`, for everything before it.
    pub fn run_all() -> Self {
        Entry { by_run: true, ..Entry::new("run();") }
    }
}

/// The session as a script, up to an entry that is evaluated for its value.
pub fn script(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (n, entry) in entries.iter().enumerate() {
        match n + 1 == entries.len() {
            true => text.push_str(&entry.text),
            false => text.push_str(&ended(&entry.text)),
        }
        text.push('\n');
    }
    text
}

/// The session as a script that can be kept: every statement has its end.
pub fn clean_script(entries: &[Entry]) -> String {
    entries.iter().map(|entry| ended(entry.text.trim_end()) + "\n").collect()
}

/// The text with a `;` behind its last word, if another statement could not follow without.
fn ended(text: &str) -> String {
    let Some(last) = tokens::tokens(text).last().copied() else { return text.to_owned() };
    let goes_on = last.of(text) == ";" || (last.of(text) == "}" && may_follow(text));
    match goes_on {
        true => text.to_owned(),
        false => format!("{};{}", &text[..last.end], &text[last.end..]),
    }
}

/// Could a statement follow as it is?
fn may_follow(text: &str) -> bool {
    matches!(parsed(&format!("{text}\nlet x = 1;")), Parsed::Complete)
}

/// Is there anything in it besides comments?
pub fn is_empty(text: &str) -> bool {
    tokens::tokens(text).is_empty()
}

/// Does the text go on with what stands before it: `.retry(3)`, `-> deploy`, `else { … }`?
pub fn goes_on(text: &str) -> bool {
    let tokens = tokens::tokens(text);
    let word = |n: usize| tokens.get(n).map_or("", |token: &Token| token.of(text));
    match word(0) {
        "." => tokens.get(1).is_some_and(|token| token.kind == Kind::Word),
        "?" => word(1) == ".",
        "->" | "|>" | "else" => true,
        _ => false,
    }
}

/// Words that declare something whatever comes of it.
const DECLARE: [&str; 5] = ["fn", "import", "export", "command", "const"];

/// Does it declare what neither the plan nor the variables show?
pub fn declares(text: &str) -> bool {
    tokens::tokens(text).iter().any(|token| token.kind == Kind::Word && DECLARE.contains(&token.of(text)))
}

/// All words of a text: the names that it could mean.
pub fn words(text: &str) -> Vec<&str> {
    let words = tokens::tokens(text).into_iter().filter(|token| token.kind == Kind::Word);
    words.map(|token| token.of(text)).collect()
}

/// Is it a single `run(…)`, so that nothing of the entry comes after it?
pub fn is_run(text: &str) -> bool {
    let mut all = tokens::tokens(text);
    while all.last().is_some_and(|token| token.of(text) == ";") {
        all.pop();
    }
    let word = |n: usize| all.get(n).map_or("", |token| token.of(text));
    let at = if matches!(word(0), "let" | "const") && word(2) == "=" { 3 } else { 0 };
    word(at) == "run" && word(at + 1) == "(" && tokens::closing(&all, at + 1) + 1 == all.len()
}

/// The statements of a script, each with the comments before it. The whole, if it cannot be told apart.
pub fn statements(script: &str) -> Vec<String> {
    let tokens = tokens::tokens(script);
    let (mut pieces, mut begin, mut depth, mut first) = (Vec::new(), 0, 0usize, 0);
    for (n, token) in tokens.iter().enumerate() {
        let word = token.of(script);
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        let begins = tokens.get(first).map_or("", |token| token.of(script));
        let block =
            matches!(begins, "fn" | "if" | "for" | "while" | "loop" | "switch" | "do" | "try" | "{" | "private");
        let next = tokens.get(n + 1).map_or("", |token| token.of(script));
        let over = word == ";"
            || (word == "}" && block && !matches!(next, "else" | "catch" | "while" | "until" | "." | ";" | "?"));
        if depth == 0 && over {
            pieces.push(script[begin..token.end].trim().to_owned());
            (begin, first) = (token.end, n + 1);
        }
    }
    if first < tokens.len() {
        pieces.push(script[begin..].trim().to_owned());
    }
    match pieces.iter().all(|piece| matches!(parsed(piece), Parsed::Complete)) {
        true => pieces,
        false => vec![script.to_owned()],
    }
}

/// The statements of a script as entries; `run();` is taken for that of `:run`.
pub fn entries(script: &str) -> Vec<Entry> {
    let entry = |text: String| if text == "run();" { Entry::run_all() } else { Entry::new(text) };
    statements(script).into_iter().map(entry).collect()
}

/// The functions that a text declares, each with the number of its parameters.
pub fn functions(text: &str) -> Vec<(&str, usize)> {
    let all = tokens::tokens(text);
    let word = |n: usize| all.get(n).map_or("", |token: &Token| token.of(text));
    let declared = (0..all.len()).filter(|n| word(*n) == "fn" && word(n + 2) == "(");
    let parameters = |open: usize| {
        let end = tokens::closing(&all, open).min(all.len());
        (open + 1..end).filter(|n| all[*n].kind == Kind::Word).count()
    };
    declared.map(|n| (word(n + 1), parameters(n + 2))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_a_script() {
        let entries: Vec<_> =
            ["let a = 1 // one", "let m = #{ a: 1 }", "fn f() { 2 }", "if a == 1 { f(); }", "f();", "a"]
                .into_iter()
                .map(Entry::new)
                .collect();
        assert_eq!(
            script(&entries),
            "let a = 1; // one\nlet m = #{ a: 1 };\nfn f() { 2 }\nif a == 1 { f(); }\nf();\na\n"
        );
        assert!(clean_script(&entries).ends_with("f();\na;\n"));
    }

    #[test]
    fn a_script_becomes_entries() {
        let script =
            "// one\nlet a = 1;\nfn f(x) {\n  x;\n}\nif a == 1 { f(1); } else { f(2); }\nlet m = #{ a: 1 };\na";
        assert_eq!(
            statements(script),
            [
                "// one\nlet a = 1;",
                "fn f(x) {\n  x;\n}",
                "if a == 1 { f(1); } else { f(2); }",
                "let m = #{ a: 1 };",
                "a"
            ]
        );
    }

    #[test]
    fn a_run_is_recognised() {
        for (text, is) in [
            ("run(a)", true),
            ("run(sh(\"a\", \"b\"));", true),
            ("let x = run(a);", true),
            ("run(a).output", false),
            ("run(a); b", false),
            ("runs(a)", false),
        ] {
            assert_eq!(is_run(text), is, "{text}");
        }
    }

    #[test]
    fn functions_are_told_apart_by_their_parameters() {
        assert_eq!(functions("fn f() { 1 } private fn g(a, b) { fn_of(a) }"), [("f", 0), ("g", 2)]);
        assert!(functions("let f = |x| x; f(1)").is_empty());
    }

    #[test]
    fn some_lines_go_on_with_the_one_before() {
        for (text, does) in
            [(".retry(3)", true), ("-> b", true), ("else { 1 }", true), ("a -> b", false), ("..5", false)]
        {
            assert_eq!(goes_on(text), does, "{text}");
        }
    }
}
