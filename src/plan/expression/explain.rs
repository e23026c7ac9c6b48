//! What is wrong with a text that is no expression, in words.

use pest::error::{ErrorVariant, InputLocation};

use super::parse::Rule;
use super::{Error, excerpt};

/// What is wrong with a text that the grammar does not accept, in words.
pub(super) fn explain(text: &str, error: &pest::error::Error<Rule>) -> Error {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let wants_value = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => {
            positives.iter().any(|rule| matches!(rule, Rule::name | Rule::quantity | Rule::prefix | Rule::expression))
        }
        ErrorVariant::CustomError { .. } => false,
    };
    let rest = &text[at..];
    let before = text[..at].trim_end();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let seen = if word.is_empty() { rest.chars().take(1).collect() } else { word };
    let shown = excerpt(&seen, 30);
    let error = if rest.is_empty() {
        Error::new("the expression ends too early")
    } else if rest.starts_with(['\'', '"']) && !closes(rest) {
        return Error::new("a text has no end").help(format!("close it with `{}`", &rest[..1])).at(at);
    } else {
        Error::new(format!("`{shown}` cannot stand here"))
    };
    error.help(hint(rest, before, wants_value)).at(at)
}

/// Does the quoted text at the beginning of `rest` have an end?
fn closes(rest: &str) -> bool {
    let mut chars = rest.chars();
    let quote = chars.next();
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if Some(c) == quote {
            return true;
        }
    }
    false
}

fn hint(rest: &str, before: &str, wants_value: bool) -> String {
    let open = |open: char, close: char| before.matches(open).count() > before.matches(close).count();
    let hint = if rest.starts_with('=') {
        "`==` compares; nothing is assigned in an expression"
    } else if rest.starts_with('&') || rest.starts_with('|') {
        "write `and` or `&&`, `or` or `||`"
    } else if rest.starts_with('$') || rest.starts_with('{') {
        "names stand here as they are, without `$` and braces: `build.output`"
    } else if rest.starts_with("then") || rest.starts_with("else") {
        "`if … then … else …` belongs into `flow(\"…\")`; in an expression write `c ? a : b`"
    } else if rest.starts_with("->") || rest.starts_with('→') {
        "arrows belong into `chain(\"…\")` and behind `then` and `else`"
    } else if rest.starts_with(|c: char| c.is_ascii_digit()) && before.ends_with('.') {
        "an item is picked by `[0]`"
    } else if wants_value {
        "a name such as `tests.passed`, a number, a text in quotes, or `(` is missing here"
    } else if rest.is_empty() && open('(', ')') {
        "a `)` is missing"
    } else if rest.is_empty() && open('[', ']') {
        "a `]` is missing"
    } else {
        "an operator such as `and`, `or`, `==`, `>` is missing here; names with a `-` have letters or digits on both sides of it"
    };
    hint.to_owned()
}
