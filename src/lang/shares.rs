//! Shares of limits: numbers or sizes, and how many there are by what waits.

use rhai::Dynamic;

use super::fault::{Fault, raise};
use super::options::{self, Options, wrong};
use super::session;
use crate::diag::{Diagnostic, Span};
use crate::plan::Scale;

/// A share of a limit by sizes, in bytes.
const MIB: u64 = 1 << 20;

/// How long a share that nobody needs stays, where nothing is said, in milliseconds.
pub const IDLE_MS: u64 = 60_000;

/// A number of shares, or a size in shares of a MiB; and which of them it is.
pub fn read(value: &Dynamic, what: &str, span: Span) -> Result<(u32, bool), Fault> {
    if !value.is_string() {
        return Ok((options::count(value, what, 1, span)?, false));
    }
    let bytes = options::bytes(value, what, span)?;
    let shares = u32::try_from(bytes.div_ceil(MIB)).map_err(|_| wrong(what, "a size below 4 PiB", value, span))?;
    Ok((shares, true))
}

/// Notes that a limit has, or is asked for, sizes or numbers: it is always one of them.
pub fn one_kind(name: &str, sized: bool, span: Span) -> Result<(), Fault> {
    let before = session::with(|session| *session.shares.entry(name.into()).or_insert((sized, span)));
    if before.0 == sized {
        return Ok(());
    }
    let kind = |sized| if sized { "a size" } else { "a number" };
    Err(raise(
        Diagnostic::new(
            "flow::plan::limit",
            format!("the limit `{name}` is {} here, and {} before", kind(sized), kind(before.0)),
        )
        .label_word(span, name, format!("{} here", kind(sized)))
        .label_word(before.1, name, format!("{} here", kind(before.0)))
        .help(format!("say sizes everywhere: `limit(\"{name}\", \"8 GiB\")`, `.limit(\"{name}\", \"500 MiB\")`; or numbers everywhere")),
    ))
}

/// `min`, `scale` and `idle_timeout` of a limit: how its `max` follows what waits.
pub fn scale(options: &mut Options, name: &str, max: Option<u32>, span: Span) -> Result<Option<Scale>, Fault> {
    let (min, idle) = (options.count("min", 0)?, options.time("idle_timeout")?);
    let per = options.text("scale")?.map(|text| per(&text, "a limit", "flow::plan::limit", span)).transpose()?;
    if min.is_none() && idle.is_none() && per.is_none() {
        return Ok(None);
    }
    let refuse = |message: String, word: &str, help: &str| {
        Err(raise(Diagnostic::new("flow::plan::limit", message).label_word(span, word, "given here").help(help)))
    };
    let Some(max) = max else {
        let help = "give the most there may be: `#{ min: 1, max: 8, scale: \"queue.length / 100\" }`";
        return refuse(format!("the limit `{name}` is to follow what waits, but has no `max`"), name, help);
    };
    let min = min.unwrap_or(1);
    if min > max {
        return refuse(
            format!("the limit `{name}` has a `min` of {min} and a `max` of {max}"),
            "min",
            "`min` is not more than `max`",
        );
    }
    Ok(Some(Scale { min, max, per: per.unwrap_or(1), idle_ms: idle.unwrap_or(IDLE_MS) }))
}

/// `queue.length / 100`: one more for so many that wait. `what` it is the `scale` of, and the `code` of what is wrong with it.
pub fn per(text: &str, what: &str, code: &'static str, span: Span) -> Result<u32, Fault> {
    let rest = text.trim().strip_prefix("queue.length").map(str::trim);
    let number = match rest {
        Some("") => Some(1),
        Some(rest) => rest.strip_prefix('/').and_then(|number| number.trim().parse().ok()).filter(|n| *n > 0),
        None => None,
    };
    number.ok_or_else(|| {
        raise(
            Diagnostic::new(code, format!("`scale` of {what} cannot be `{text}`"))
                .label_word(span, text, "given here")
                .help("it can be `\"queue.length\"`, one for each that waits, or `\"queue.length / 100\"`, one for each hundred"),
        )
    })
}
