//! Closures about a step's own result, which name the step.

use crate::diag::tokens::{Kind, Token, closing, tokens};
use crate::diag::{Diagnostic, Sources, Span};

/// The parameter by which the closure of a policy gets what it is about, with an example.
const PARAMETERS: [(&str, &str); 2] = [
    ("validate", "the closure gets the step by its parameter: `.validate(|r| r.output != ())`"),
    ("on_failure_retry", "the closure gets the failure by its parameter: `.on_failure_retry(|err| err.code == 75)`"),
];

/// What lists and maps of the language give a closure to.
const OF_LISTS: [&str; 14] = [
    "map",
    "filter",
    "for_each",
    "reduce",
    "reduce_rev",
    "some",
    "all",
    "find",
    "find_map",
    "index_of",
    "sort",
    "retain",
    "drain",
    "dedup",
];

/// The closure of `policy` captures the step that the policy is set on. `name`: that of the step, if it is known.
pub fn itself(policy: &str, name: Option<&str>, span: Span) -> Diagnostic {
    let step = name.map_or("the step".to_owned(), |name| format!("`{name}`, the step"));
    let help = PARAMETERS.iter().find(|(known, _)| *known == policy).map(|(_, help)| *help);
    Diagnostic::new("flow::lang::itself", format!("the closure of `{policy}` names {step} that it is set on"))
        .label(span, "it would wait for itself")
        .help(help.unwrap_or("a step cannot wait for itself: name another one"))
}

/// What Rhai says, without a place, when a value is worked on that a closure among the arguments holds: `argument #1 of
/// function 'validate'`.
pub fn shared(what: &str, texts: &Sources, span: Span) -> Diagnostic {
    match what.split('\'').nth(1) {
        Some(function) if OF_LISTS.contains(&function) => {
            let (name, span) = match place(function, texts) {
                Some((name, span)) => (format!("`{name}`"), span),
                None => ("the value".to_owned(), span),
            };
            Diagnostic::new("flow::lang::script", format!("the closure of `{function}` uses {name}, which `{function}` is just working on"))
                .label(span, "both at the same time")
                .help("have what is gone through in a variable of its own: `let keys = all.keys();`, then `keys.map(|key| all[key])`")
        }
        Some(function) if what.starts_with("argument") => match place(function, texts) {
            Some((name, span)) => itself(function, Some(&name), span),
            None => itself(function, None, span),
        },
        _ => Diagnostic::new("flow::lang::script", "a value is used twice at the same time")
            .label(span, "here")
            .help("keep one of the two in a variable of its own before"),
    }
}

/// The first call `x.function(…)`, perhaps with others between, that names `x` among its arguments: the variable, and
/// where the function is named.
fn place(function: &str, texts: &Sources) -> Option<(String, Span)> {
    (0..).map_while(|file| texts.get(file).map(|(_, text)| (file, text))).find_map(|(file, text)| {
        let tokens = tokens(text);
        let is_call = |at: &usize| {
            tokens[*at].of(text) == "." && tokens[at + 1].of(text) == function && tokens[at + 2].of(text) == "("
        };
        let calls = (1..tokens.len().saturating_sub(2)).filter(is_call);
        calls.filter_map(|dot| head(&tokens, text, dot).map(|name| (dot, name))).find_map(|(dot, name)| {
            let given = &tokens[dot + 3..closing(&tokens, dot + 2)];
            let named = given.iter().any(|token| token.kind == Kind::Word && token.of(text) == name);
            texts.span_at(file, tokens[dot + 1].start).filter(|_| named).map(|span| (name.to_owned(), span))
        })
    })
}

/// The word that a chain of calls begins with, seen from one of its dots: `a` of `a.retry(3).timeout("1m")`.
fn head<'a>(tokens: &[Token], text: &'a str, mut dot: usize) -> Option<&'a str> {
    loop {
        let mut at = dot.checked_sub(1)?;
        let mut depth = 0usize;
        while tokens[at].kind == Kind::Close || depth > 0 {
            match tokens[at].kind {
                Kind::Close => depth += 1,
                Kind::Open => depth -= 1,
                _ => {}
            }
            at = at.checked_sub(1)?;
        }
        if tokens[at].kind != Kind::Word {
            return None;
        }
        match at.checked_sub(1) {
            Some(before) if tokens[before].of(text) == "." => dot = before,
            _ => return Some(tokens[at].of(text)),
        }
    }
}
