//! Closures about a step's own result, which name the step.

use crate::diag::tokens::{Kind, closing, tokens};
use crate::diag::{Diagnostic, Sources, Span};

/// The parameter by which the closure of a policy gets what it is about, with an example.
const PARAMETERS: [(&str, &str); 2] = [
    ("validate", "the closure gets the step by its parameter: `.validate(|r| r.output != ())`"),
    ("on_failure_retry", "the closure gets the failure by its parameter: `.on_failure_retry(|err| err.code == 75)`"),
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
        Some(function) if what.starts_with("argument") => match place(function, texts) {
            Some((name, span)) => itself(function, Some(&name), span),
            None => itself(function, None, span),
        },
        _ => Diagnostic::new("flow::lang::script", "a value is used twice at the same time")
            .label(span, "here")
            .help("keep one of the two in a variable of its own before"),
    }
}

/// The first call `x.function(…)` that names `x` among its arguments: the variable, and where the function is named.
fn place(function: &str, texts: &Sources) -> Option<(String, Span)> {
    (0..).map_while(|file| texts.get(file).map(|(_, text)| (file, text))).find_map(|(file, text)| {
        let tokens = tokens(text);
        let mut calls = tokens.windows(4).enumerate().filter(|(_, call)| {
            call[0].kind == Kind::Word
                && call[1].of(text) == "."
                && call[2].of(text) == function
                && call[3].of(text) == "("
        });
        calls.find_map(|(at, call)| {
            let name = call[0].of(text);
            let given = &tokens[at + 4..closing(&tokens, at + 3)];
            let named = given.iter().any(|token| token.kind == Kind::Word && token.of(text) == name);
            texts.span_at(file, call[2].start).filter(|_| named).map(|span| (name.to_owned(), span))
        })
    })
}
