//! Reading option maps: `#{ max_attempts: 3, delay: "1s" }`, with the nearest name for a wrong key.

use rhai::{Dynamic, Map};

use super::fault::{Fault, raise, readable_type};
use super::keys::Keys;
use super::reference::Kind;
use super::{secret, session};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::plan::unit;

/// An option map that is being read. Every key must be taken before [`Options::done`].
pub struct Options {
    entries: Vec<(String, Dynamic)>,
    keys: &'static Keys,
    what: String,
    span: Span,
}

impl Options {
    /// Options of what the keys are named after, for instance `retry`.
    pub fn of(keys: &'static Keys, map: &Map, span: Span) -> Self {
        Options::named(keys, keys.name, map, span)
    }

    /// Options of something that messages call `what`, for instance "the limit `api`".
    pub fn named(keys: &'static Keys, what: impl Into<String>, map: &Map, span: Span) -> Self {
        let entries = map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        Options { entries, keys, what: what.into(), span }
    }

    /// Takes a value, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Dynamic> {
        debug_assert!(self.keys.key(key).is_some(), "`{key}` is not among the keys of {}", self.keys.name);
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    /// Takes a text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, Fault> {
        self.take(key).map(|value| text(&value, &format!("`{key}` of {}", self.what), self.span)).transpose()
    }

    /// Takes a whole number of at least `min`.
    pub fn count(&mut self, key: &'static str, min: i64) -> Result<Option<u32>, Fault> {
        self.take(key).map(|value| count(&value, &format!("`{key}` of {}", self.what), min, self.span)).transpose()
    }

    /// Takes a duration, in milliseconds.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        self.take(key).map(|value| duration(&value, &format!("`{key}` of {}", self.what), self.span)).transpose()
    }

    /// Takes a duration that is longer than nothing, in milliseconds.
    pub fn time(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        self.take(key).map(|value| time(&value, &format!("`{key}` of {}", self.what), self.span)).transpose()
    }

    /// Takes a size, in bytes.
    pub fn bytes(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        self.take(key).map(|value| bytes(&value, &format!("`{key}` of {}", self.what), self.span)).transpose()
    }

    /// Takes one of several words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Result<Option<T>, Fault> {
        self.take(key).map(|value| choice(&value, &format!("`{key}` of {}", self.what), choices, self.span)).transpose()
    }

    /// What is left, with its names.
    pub fn rest(&mut self) -> Vec<(String, Dynamic)> {
        std::mem::take(&mut self.entries)
    }

    /// Refuses what nobody has taken.
    pub fn done(self) -> Result<(), Fault> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(unknown_key(key, &self.what, &self.keys.names(), self.span)),
        }
    }
}

/// An option that does not exist.
pub fn unknown_key(key: &str, what: &str, known: &[&str], span: Span) -> Fault {
    let problem = Diagnostic::new("flow::lang::unknown_option", format!("{what} has no option `{key}`")).label_word(
        span,
        key,
        "given here",
    );
    raise(match did_you_mean(key, known.iter().copied()) {
        Some(help) => problem.help(help),
        None => problem.help(format!("its options: {}", known.join(", "))),
    })
}

/// Something of the wrong kind.
pub fn wrong(what: &str, wanted: &str, value: &Dynamic, span: Span) -> Fault {
    if let Some(name) = secret::within(value) {
        return raise(secret::refused(Some(&name), span));
    }
    if value.is::<super::handle::Pending>() {
        return raise(
            Diagnostic::new("flow::lang::pending", format!("{what} must be known before the run, but this is the result of a step"))
                .label_word(span, key_of(what), "given here")
                .help("values that policies and settings are made of cannot come from steps; to decide by a result use `.when(|| …)`"),
        );
    }
    raise(
        Diagnostic::new("flow::lang::option", format!("{what} must be {wanted}, but it is {}", shown(value)))
            .label_word(span, written(value).unwrap_or_else(|| key_of(what).to_owned()), "given here")
            .help(match item_of(what) {
                Some(item) => format!("give {wanted}; `flow docs {item}` shows an example"),
                None => format!("give {wanted}"),
            }),
    )
}

/// The key that a description such as "`jitter` of retry" begins with.
fn key_of(what: &str) -> &str {
    what.split('`').nth(1).unwrap_or_default()
}

/// What of the reference a description such as "`jitter` of retry" is about.
fn item_of(what: &str) -> Option<&str> {
    let mut words = what.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| word.len() > 2);
    let known = super::functions::catalogue();
    words.rfind(|word| known.items.iter().any(|item| item.name == *word && item.kind != Kind::Property))
}

fn written(value: &Dynamic) -> Option<String> {
    value.read_lock::<rhai::ImmutableString>().map(|text| text.to_string())
}

fn shown(value: &Dynamic) -> String {
    if value.is_string() || value.is_int() || value.is_float() || value.is_bool() {
        return format!("`{value}`");
    }
    readable_type(value.type_name())
}

/// A text.
pub fn text(value: &Dynamic, what: &str, span: Span) -> Result<String, Fault> {
    match value.read_lock::<rhai::ImmutableString>() {
        Some(text) if super::convert::is_marked(&text) => {
            drop(text);
            session::with(|session| session.refused.clone()).map_or(Ok(()), |refused| Err(raise(refused)))?;
            Err(raise(
                Diagnostic::new(
                    "flow::lang::pending",
                    format!("{what} must be known before the run, but a result of a step is in it"),
                )
                .label_word(span, key_of(what), "given here")
                .help("only what a step runs, reads or gets as its environment can hold results of others"),
            ))
        }
        Some(text) => Ok(text.to_string()),
        None => Err(wrong(what, "a text", value, span)),
    }
}

/// A name that the script gives to something: no result of a step can be in it.
pub fn name<'a>(context: &rhai::NativeCallContext, name: &'a str) -> Result<&'a str, Fault> {
    if !super::convert::is_marked(name) {
        return Ok(name);
    }
    session::with(|session| session.refused.clone()).map_or(Ok(()), |refused| Err(raise(refused)))?;
    Err(raise(
        Diagnostic::new("flow::lang::pending", "a name must be known before the run, but a result of a step is in it")
            .label(here(context), "named here")
            .help("one step for each result: `each(\"name\", x.lines, |item| …)`, whose steps are told apart by their items"),
    ))
}

/// A whole number of at least `min`.
pub fn count(value: &Dynamic, what: &str, min: i64, span: Span) -> Result<u32, Fault> {
    let wanted = format!("a whole number of at least {min}");
    let number = value.as_int().map_err(|_| wrong(what, &wanted, value, span))?;
    u32::try_from(number).ok().filter(|_| number >= min).ok_or_else(|| wrong(what, &wanted, value, span))
}

/// A duration in milliseconds: `"10m"`, or a number of seconds.
pub fn duration(value: &Dynamic, what: &str, span: Span) -> Result<u64, Fault> {
    if let Ok(seconds) = value.as_int() {
        return u64::try_from(seconds)
            .map(|s| s.saturating_mul(1_000))
            .map_err(|_| wrong(what, "a duration such as \"10m\" or a number of seconds", value, span));
    }
    if let Ok(seconds) = value.as_float()
        && seconds >= 0.0
    {
        return Ok((seconds * 1_000.0) as u64);
    }
    if !value.is_string() {
        return Err(wrong(what, "a duration such as \"10m\" or a number of seconds", value, span));
    }
    let text = text(value, what, span)?;
    unit::parse_duration_ms(&text).map_err(|error| {
        let problem = Diagnostic::new("flow::lang::option", format!("{what} is no duration: {}", error.message))
            .label_word(span, &text, "given here");
        raise(problem.help(error.help.unwrap_or_else(|| "durations look like `500ms`, `10s`, `1h30m`".to_owned())))
    })
}

/// A duration that is longer than nothing, in milliseconds.
pub fn time(value: &Dynamic, what: &str, span: Span) -> Result<u64, Fault> {
    match duration(value, what, span)? {
        0 => Err(wrong(what, "a duration longer than nothing, such as \"10m\"", value, span)),
        ms => Ok(ms),
    }
}

/// A size in bytes, greater than nothing: `"100MB"`, or a number of bytes.
pub fn bytes(value: &Dynamic, what: &str, span: Span) -> Result<u64, Fault> {
    let wanted = "a size such as \"100MB\" or a number of bytes";
    if !value.is_string() {
        let number = value.as_int().ok().and_then(|number| u64::try_from(number).ok());
        return number.filter(|number| *number > 0).ok_or_else(|| wrong(what, wanted, value, span));
    }
    let text = text(value, what, span)?;
    let size = unit::parse_bytes(&text).map_err(|error| {
        let problem = Diagnostic::new("flow::lang::option", format!("{what} is no size: {}", error.message))
            .label_word(span, &text, "given here");
        raise(problem.help(error.help.unwrap_or_else(|| "sizes look like `512kB`, `100MB`, `2GiB`".to_owned())))
    })?;
    if size == 0 { Err(wrong(what, wanted, value, span)) } else { Ok(size) }
}

/// One of several words.
pub fn choice<T: Copy>(value: &Dynamic, what: &str, choices: &[(&'static str, T)], span: Span) -> Result<T, Fault> {
    let text = text(value, what, span)?;
    choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let problem = Diagnostic::new("flow::lang::choice", format!("{what} cannot be `{text}`")).label_word(
            span,
            &text,
            "given here",
        );
        let help = did_you_mean(&text, names.iter().copied());
        raise(problem.help(help.unwrap_or_else(|| format!("one of: {}", names.join(", ")))))
    })
}

/// A list of texts, or one text.
pub fn texts(value: &Dynamic, what: &str, span: Span) -> Result<Vec<String>, Fault> {
    match value.read_lock::<rhai::Array>() {
        Some(items) => items.iter().map(|item| text(item, what, span)).collect(),
        None => Ok(vec![text(value, what, span)?]),
    }
}

/// The place of the call that is going on.
pub fn here(context: &rhai::NativeCallContext) -> Span {
    session::with(|session| session.span(context))
}
