//! Results that are needed before they are known.

use crate::diag::{Diagnostic, Span};

/// What a value is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To decide: `if`, `while`, `&&`.
    Decide,
    /// To compute or compare.
    Compute,
    /// To go through: `for`.
    GoThrough,
}

/// A value that is not known yet stands where it is needed now. `what`: how it is written, `test.passed`.
pub fn not_known_yet(what: Option<&str>, need: Need, span: Span) -> Diagnostic {
    let message = match what {
        Some(what) if what.contains(' ') => format!("{what} is not known here: the steps have not run yet"),
        Some(what) => format!("`{what}` is not known here: its step has not run yet"),
        None => "the result of a step is not known here: it has not run yet".to_owned(),
    };
    let value = what.filter(|what| what.contains('.') && !what.contains(' '));
    let (label, help) = match need {
        Need::Decide => ("decides something now", {
            let value = value.unwrap_or("x.passed");
            format!(
                "let it decide while the workflow runs: `flow(\"name\").when(|| {value}, step)` or `step.when(|| {value})`"
            )
        }),
        Need::Compute => (
            "needs the value now",
            "in a closure it is known: decide by it in `.when(|| …)`, compute with it in `call(\"name\", || …)`"
                .to_owned(),
        ),
        Need::GoThrough => ("goes through it now", {
            let value = value.unwrap_or("x.lines");
            format!("make the steps while the workflow runs: `each(\"name\", {value}, |item| …)`")
        }),
    };
    Diagnostic::new("flow::lang::pending", message)
        .label(span, label)
        .help(format!("{help}; or have the result right here: `run(step)`"))
}
