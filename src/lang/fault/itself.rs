//! Closures about a step's own result, which name the step.

use crate::diag::{Diagnostic, Span};

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

/// What Rhai says when a value is changed while a closure among the arguments holds it: `argument #1 of function 'when'`.
pub fn shared(what: &str, span: Span) -> Diagnostic {
    match what.split('\'').nth(1) {
        Some(function) if what.starts_with("argument") => itself(function, None, span),
        _ => Diagnostic::new("flow::lang::script", format!("`{what}` is used twice at the same time"))
            .label(span, "here")
            .help("put one of the two into a variable of its own before"),
    }
}
