//! Reading what a step waits for: moments, the choices and the form of a question, and what happens when nothing comes.

use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};
use rhai::{Array, Dynamic, Map};
use smol_str::SmolStr;

use super::convert::{Steps, to_json, to_value};
use super::fault::{Fault, raise};
use super::keys;
use super::options::{self, Options, wrong};
use super::session::{self, Session};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::plan::{Field, Json, OnTimeout, Value, unit};
use crate::state::result::{PROPERTIES, plain_text};

/// Types of a form's fields.
pub const KINDS: [(&str, &str); 4] = [("string", "string"), ("int", "int"), ("float", "float"), ("bool", "bool")];

/// What an answer tells beside its fields.
const TOLD: [&str; 3] = ["by", "at", "comment"];

/// Fewer milliseconds since 1970 than this (March 1973) are probably seconds, or a time to pass.
const EARLIEST: i64 = 100_000_000_000;

/// A moment; one that is known is read at once.
pub fn moment(session: &mut Session, value: &Dynamic, span: Span) -> Result<Value, Fault> {
    let value = to_value(session, value, Steps::AsOutput, span)?;
    let Value::Plain(known) = &value else { return Ok(value) };
    let form = "write a date and a time: \"2030-01-31 09:00\", or with an offset \"2030-01-31T09:00+01:00\"";
    let (message, help) = match known {
        Json::Number(number) if number.as_i64().is_some_and(|ms| ms >= EARLIEST) => return Ok(value),
        Json::Number(_) => (
            format!("{known} milliseconds since 1970 are no moment to wait for"),
            "a number of seconds since 1970 is to be taken times 1000; to let time pass: `wait(name, \"10s\")`"
                .to_owned(),
        ),
        Json::String(text) if is_moment(text) => return Ok(value),
        Json::String(text) if unit::parse_duration_ms(text).is_ok() => {
            (format!("`{text}` is a duration, not a moment"), format!("to let time pass: `wait(name, \"{text}\")`"))
        }
        Json::String(text) => (format!("`{text}` is no moment"), form.to_owned()),
        _ => {
            return Err(wrong(
                "the moment of `wait_until`",
                "a date and a time",
                &super::convert::to_dynamic(known.clone()),
                span,
            ));
        }
    };
    Err(raise(
        Diagnostic::new("flow::lang::option", message).label_word(span, plain_text(known), "given here").help(help),
    ))
}

/// As it will be read when the step runs.
fn is_moment(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.parse::<Zoned>().is_ok() || text.parse::<DateTime>().is_ok()
}

/// `choices`: at least one, each once.
pub fn choices(options: &mut Options, span: Span) -> Result<Vec<SmolStr>, Fault> {
    let Some(value) = options.take("choices") else { return Ok(Vec::new()) };
    if !value.is_array() {
        return Err(wrong("`choices` of approve", "an array of texts", &value, span));
    }
    let choices = options::texts(&value, "`choices` of approve", span)?;
    let refuse = |message: String, word: &str, help: &str| {
        raise(Diagnostic::new("flow::lang::option", message).label_word(span, word, "given here").help(help))
    };
    if choices.is_empty() {
        let help = "name the answers, or leave `choices` out for a yes or no";
        return Err(refuse("`choices` of approve is empty: nobody could answer".into(), "choices", help));
    }
    for (at, choice) in choices.iter().enumerate() {
        if choice.trim().is_empty() {
            return Err(refuse("`choices` of approve holds an empty answer".into(), "choices", "give it a name"));
        }
        if choices[..at].contains(choice) {
            let message = format!("`choices` of approve holds `{choice}` twice");
            return Err(refuse(message, choice, "name every answer once"));
        }
    }
    Ok(choices.into_iter().map(SmolStr::from).collect())
}

/// `form`: names with defaults, or with maps that say what is asked for.
pub fn form(options: &mut Options, span: Span) -> Result<Vec<Field>, Fault> {
    let Some(value) = options.take("form") else { return Ok(Vec::new()) };
    let map = value
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| wrong("`form` of approve", "a map", &value, span))?;
    map.iter().map(|(name, value)| field(name, value, span)).collect()
}

fn field(name: &str, value: &Dynamic, span: Span) -> Result<Field, Fault> {
    let what = format!("the field `{name}` of the form");
    let taken = PROPERTIES.iter().map(|(name, _)| *name).chain(TOLD).any(|property| property == name);
    if taken || name.trim().is_empty() {
        let message = match taken {
            true => format!("{what} would hide what every answer has: `{name}`"),
            false => "a field of the form has no name".to_owned(),
        };
        return Err(raise(
            Diagnostic::new("flow::lang::option", message)
                .label_word(span, name, "given here")
                .help("give it another name: the fields are properties of the step"),
        ));
    }
    let (default, kind, one_of, help) = match value.read_lock::<Map>().map(|map| map.clone()) {
        None => (Some(known(value, span)?), None, Vec::new(), String::new()),
        Some(map) => {
            let mut options = Options::named(&keys::FIELD, what.as_str(), &map, span);
            let default = options.take("default").map(|value| known(&value, span)).transpose()?;
            let kind = options.choice("type", &KINDS)?;
            let one_of = match options.take("one_of") {
                None => Vec::new(),
                Some(value) => {
                    let items = value.read_lock::<Array>().map(|items| items.clone());
                    let items = items.ok_or_else(|| wrong(&format!("`one_of` of {what}"), "an array", &value, span))?;
                    items.iter().map(|item| known(item, span)).collect::<Result<Vec<_>, _>>()?
                }
            };
            let help = options.text("help")?.unwrap_or_default();
            options.done()?;
            (default, kind, one_of, help)
        }
    };
    let kind = kind.or(default.as_ref().or(one_of.first()).map(kind_of)).unwrap_or("string");
    for (key, given) in default.iter().map(|given| ("default", given)).chain(one_of.iter().map(|one| ("one_of", one))) {
        if !fits(kind, given) {
            return Err(raise(
                Diagnostic::new("flow::lang::option", format!("`{key}` of {what} is {given}, but its type is {kind}"))
                    .label_word(span, name, "given here")
                    .help("its types: string, int, float, bool"),
            ));
        }
    }
    if let Some(default) = default.as_ref().filter(|default| !one_of.is_empty() && !one_of.contains(default)) {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::option",
                format!("the default of {what} is {default}, which is none of its choices"),
            )
            .label_word(span, name, "given here")
            .help(format!("one of: {}", list(one_of.iter().map(plain_text)))),
        ));
    }
    Ok(Field { name: name.into(), kind: kind.into(), default, one_of, help })
}

fn known(value: &Dynamic, span: Span) -> Result<Json, Fault> {
    session::with(|session| to_json(session, value, span))
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_i64() => "int",
        Json::Number(_) => "float",
        _ => "string",
    }
}

fn fits(kind: &str, value: &Json) -> bool {
    match kind {
        "bool" => value.is_boolean(),
        "int" => value.is_i64(),
        "float" => value.is_number(),
        _ => value.is_string(),
    }
}

/// `on_timeout`: `fail`, `skip`, or an answer: one of the choices, where there are some.
pub fn on_timeout(options: &mut Options, what: &str, choices: &[&str], span: Span) -> Result<OnTimeout, Fault> {
    let Some(value) = options.take("on_timeout") else { return Ok(OnTimeout::Fail) };
    let answer = known(&value, span)?;
    let text = answer.as_str();
    let meaning = match text {
        Some("fail") => Some(OnTimeout::Fail),
        Some("skip") => Some(OnTimeout::Skip),
        _ => None,
    };
    let refuse = |code, message: String, help: String| {
        raise(Diagnostic::new(code, message).label_word(span, plain_text(&answer), "given here").help(help))
    };
    match (meaning, text) {
        (Some(_), Some(word)) if choices.contains(&word) => {
            let message =
                format!("`on_timeout` cannot be `{word}`: that is one of the choices, and also what the step would do");
            Err(refuse("flow::lang::choice", message, "call the choice something else".to_owned()))
        }
        (Some(meaning), _) => Ok(meaning),
        (None, Some(word)) if choices.contains(&word) => Ok(OnTimeout::Answer(answer)),
        (None, word) if !choices.is_empty() => {
            let word = word.map_or_else(|| plain_text(&answer), str::to_owned);
            let all = ["fail", "skip"].into_iter().chain(choices.iter().copied());
            let help = did_you_mean(&word, all.clone());
            let message = format!("`on_timeout` of {what} cannot be `{word}`");
            Err(refuse(
                "flow::lang::choice",
                message,
                help.unwrap_or_else(|| format!("one of: {}", list(all.map(str::to_owned)))),
            ))
        }
        (None, Some(word)) => match did_you_mean(word, ["fail", "skip"]) {
            Some(help) => Err(refuse("flow::lang::choice", format!("`on_timeout` of {what} cannot be `{word}`"), help)),
            None => Ok(OnTimeout::Answer(answer)),
        },
        (None, None) => Ok(OnTimeout::Answer(answer)),
    }
}

fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
