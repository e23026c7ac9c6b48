//! Budgets: `budget(#{ usd, tokens, turns, minutes })`, `.budget(#{…})`.

use rhai::{Dynamic, Map};

use crate::diag::{Diagnostic, Span};
use crate::lang::fault::{Fault, raise};
use crate::lang::keys;
use crate::lang::options::{Options, wrong};
use crate::plan::Budget;

/// A map of what may be used up. `what`: how messages call it, for instance "the budget of `review`".
pub fn budget(value: &Dynamic, what: &str, span: Span) -> Result<Budget, Fault> {
    let map = value
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| wrong(what, "a map such as `#{ usd: 5.0, turns: 200 }`", value, span))?;
    let mut options = Options::named(&keys::BUDGET, what, &map, span);
    let budget = Budget {
        usd: number(&mut options, "usd", what, span)?,
        tokens: count(&mut options, "tokens", what, span)?,
        turns: count(&mut options, "turns", what, span)?,
        minutes: number(&mut options, "minutes", what, span)?,
    };
    options.done()?;
    if budget == Budget::default() {
        return Err(raise(
            Diagnostic::new("flow::lang::option", format!("{what} bounds nothing"))
                .label(span, "declared here")
                .help("give at least one of `usd`, `tokens`, `turns`, `minutes`: `#{ usd: 5.0 }`"),
        ));
    }
    Ok(budget)
}

fn number(options: &mut Options, key: &'static str, what: &str, span: Span) -> Result<Option<f64>, Fault> {
    let Some(value) = options.take(key) else { return Ok(None) };
    let number = value.as_float().ok().or(value.as_int().ok().map(|n| n as f64));
    match number.filter(|number| number.is_finite() && *number > 0.0) {
        Some(number) => Ok(Some(number)),
        None => Err(wrong(&format!("`{key}` of {what}"), "a number greater than 0", &value, span)),
    }
}

fn count(options: &mut Options, key: &'static str, what: &str, span: Span) -> Result<Option<u64>, Fault> {
    let Some(value) = options.take(key) else { return Ok(None) };
    match value.as_int().ok().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0) {
        Some(number) => Ok(Some(number)),
        None => Err(wrong(&format!("`{key}` of {what}"), "a whole number of at least 1", &value, span)),
    }
}
