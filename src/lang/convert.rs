//! Values of scripts and values of plans, each made from the other.

use std::sync::Arc;

use rhai::{Array, Dynamic, FnPtr, Map};

use super::closures;
use super::fault::{Fault, Need, not_known_yet, raise, readable_type};
use super::handle::{Agent, Pending, Step};
use super::session::{Purpose, Session};
use super::{secret, untrusted};
use crate::diag::{Diagnostic, Span};
use crate::plan::shell::{Piece, scan};
use crate::plan::{Expression, Json, Reference, SecretRef, Value};
use crate::state::Problem;
use crate::state::{Inputs, resolve};

/// Begins and ends the mark of a value within a text (private use characters of Unicode).
const MARK: (char, char) = ('\u{F8F0}', '\u{F8F1}');

/// The first of ten such characters that are digits of marks.
const ZERO: u32 = 0xF8E0;

/// The mark of a value that stands in a text.
pub fn mark(session: &mut Session, value: &Value) -> String {
    session.marks.push(value.clone());
    // Its digits are no digits that a script could ask for.
    let number = (session.marks.len() - 1).to_string();
    let digits: String = number.bytes().filter_map(|digit| char::from_u32(ZERO + u32::from(digit - b'0'))).collect();
    format!("{}{digits}{}", MARK.0, MARK.1)
}

/// The number within a mark.
fn number(digits: &str) -> Option<usize> {
    digits.chars().try_fold(0usize, |number, digit| {
        let digit = (digit as u32).checked_sub(ZERO).filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit as usize)
    })
}

/// Does a text hold values that are not known yet?
pub fn is_marked(text: &str) -> bool {
    text.contains(MARK.0)
}

/// A value of JSON as a script sees it.
pub fn to_dynamic(value: Json) -> Dynamic {
    match value {
        Json::Null => Dynamic::UNIT,
        Json::Bool(value) => value.into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().map(to_dynamic).collect::<Array>().into(),
        Json::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key.into(), to_dynamic(value))).collect::<Map>().into()
        }
    }
}

/// What a step handle stands for where a value is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Its output.
    AsOutput,
    /// Its output; and secrets can stand there, since only the executor makes a text of it.
    OrSecrets,
    /// Itself, for a closure to read.
    AsThemselves,
}

/// A value of a script as a value of the plan. `span`: where it was handed over.
pub fn to_value(session: &mut Session, value: &Dynamic, steps: Steps, span: Span) -> Result<Value, Fault> {
    if value.is_unit() {
        return Ok(Value::Plain(Json::Null));
    }
    if let Ok(value) = value.as_int() {
        return Ok(Value::Plain(value.into()));
    }
    if let Ok(value) = value.as_bool() {
        return Ok(Value::Plain(value.into()));
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return text_value(session, text.as_str(), span);
    }
    if let Ok(value) = value.as_float() {
        return serde_json::Number::from_f64(value).map(|n| Value::Plain(Json::Number(n))).ok_or_else(|| {
            raise(
                Diagnostic::new("flow::lang::type", format!("{value} is not a number that could be handed on"))
                    .label(span, "here")
                    .help("check for infinity and NaN before"),
            )
        });
    }
    if let Ok(value) = value.as_char() {
        if (ZERO..=MARK.1 as u32).contains(&(value as u32)) {
            return Err(raise(super::fault::not_known_yet(Some("a text with results in it"), Need::Compute, span)));
        }
        return Ok(Value::Plain(value.to_string().into()));
    }
    if let Some(pending) = value.read_lock::<Pending>() {
        return Ok((*pending.0).clone());
    }
    if let Some(secret) = value.read_lock::<SecretRef>() {
        return match steps {
            Steps::AsOutput => Err(raise(secret::refused(Some(&secret.name), span))),
            Steps::OrSecrets | Steps::AsThemselves => Ok(Value::Secret(secret.clone())),
        };
    }
    if let Some(step) = value.read_lock::<Step>() {
        let id = match (step.single(), session.builder.as_mut()) {
            (Some(id), _) => id,
            (None, Some(builder)) => step.id(builder),
            (None, None) => {
                return Err(raise(
                    Diagnostic::new("flow::lang::not_building", "several steps are no value")
                        .label(span, "here")
                        .help("name them in a `chain` or `parallel`"),
                ));
            }
        };
        return Ok(match steps {
            Steps::AsThemselves => Value::Step(id),
            Steps::AsOutput | Steps::OrSecrets => {
                Value::Ref(Reference { step: id, property: "output".into(), path: Vec::new() })
            }
        });
    }
    if let Some(items) = value.read_lock::<Array>() {
        let values = items.iter().map(|item| to_value(session, item, steps, span)).collect::<Result<Vec<_>, _>>()?;
        return Ok(match plain_all(&values) {
            true => Value::Plain(values.into_iter().map(into_plain).collect()),
            false => Value::List(values),
        });
    }
    if let Some(entries) = value.read_lock::<Map>() {
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries.iter() {
            if is_marked(key) {
                return Err(raise(not_known_yet(Some("a key with results in it"), Need::Compute, span)));
            }
            values.push((key.to_string(), to_value(session, value, steps, span)?));
        }
        return Ok(match values.iter().all(|(_, value)| matches!(value, Value::Plain(_))) {
            true => Value::Plain(Json::Object(values.into_iter().map(|(k, v)| (k, into_plain(v))).collect())),
            false => Value::Map(values),
        });
    }
    if let Some(agent) = value.read_lock::<Agent>() {
        if steps == Steps::AsThemselves {
            return Ok(Value::Agent(agent.0.clone()));
        }
        return Err(raise(
            Diagnostic::new("flow::lang::type", format!("the agent `{}` stands where a value is needed", agent.0.name))
                .label(span, "here")
                .help("ask it, and use what it answers: `agent.ask(\"…\").output`"),
        ));
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Ok(Value::Plain(range.clone().map(Json::from).collect()));
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Ok(Value::Plain(range.clone().map(Json::from).collect()));
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        if steps == Steps::AsThemselves {
            return Ok(Value::Closure(closures::freeze(session, &function, span)?));
        }
        return Err(raise(
            Diagnostic::new("flow::lang::type", "a closure stands where a value is needed")
                .label(span, "here")
                .help("to compute a value while the workflow runs: `let x = call(name, || …);`, then `x.output`"),
        ));
    }
    Err(raise(
        Diagnostic::new("flow::lang::type", format!("{} cannot be handed to a step", readable_type(value.type_name())))
            .label(span, "here")
            .help("texts, numbers, true and false, arrays, maps, steps and their results can"),
    ))
}

/// A text of the script: with the marks of values in it, and with `${step.property}`.
fn text_value(session: &Session, text: &str, span: Span) -> Result<Value, Fault> {
    // What a closure computes is what it is: texts of others are in it, and nothing could be looked up any more.
    if session.purpose == Purpose::Call || (!text.contains("${") && !is_marked(text)) {
        return Ok(Value::Plain(text.into()));
    }
    if let Some(refused) = session.refused.as_ref().filter(|_| is_marked(text)) {
        return Err(raise(refused.clone()));
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(MARK.0) {
        let after = &rest[start + MARK.0.len_utf8()..];
        let Some(end) = after.find(MARK.1) else {
            // A part of a mark, cut out of a text.
            return Err(raise(super::fault::not_known_yet(Some("a text with results in it"), Need::Compute, span)));
        };
        scanned(session, &rest[..start], span, &mut parts);
        if let Some(value) = number(&after[..end]).and_then(|n| session.marks.get(n)) {
            match value {
                Value::Text(inner) => parts.extend(inner.iter().cloned()),
                value => parts.push(value.clone()),
            }
        }
        rest = &after[end + MARK.1.len_utf8()..];
    }
    scanned(session, rest, span, &mut parts);
    Ok(match parts.len() {
        0 => Value::Plain("".into()),
        1 if matches!(parts[0], Value::Plain(_)) => parts.remove(0),
        _ => Value::Text(parts),
    })
}

fn scanned(session: &Session, text: &str, span: Span, parts: &mut Vec<Value>) {
    if text.is_empty() {
        return;
    }
    for piece in scan(text) {
        let piece = match piece {
            Piece::Expression(text) if untrusted::is_expression_of(session, &text) => {
                Piece::Text(format!("${{{text}}}"))
            }
            piece => piece,
        };
        match piece {
            Piece::Text(text) => match parts.last_mut() {
                Some(Value::Plain(Json::String(before))) => before.push_str(&text),
                _ => parts.push(Value::Plain(text.into())),
            },
            Piece::Expression(text) => parts.push(Value::Expr(Expression { text, steps: Vec::new(), span })),
        }
    }
}

fn plain_all(values: &[Value]) -> bool {
    values.iter().all(|value| matches!(value, Value::Plain(_)))
}

fn into_plain(value: Value) -> Json {
    match value {
        Value::Plain(value) => value,
        _ => Json::Null,
    }
}

/// A value of the script that must be plain.
pub fn to_json(session: &mut Session, value: &Dynamic, span: Span) -> Result<Json, Fault> {
    match to_value(session, value, Steps::AsOutput, span)? {
        Value::Plain(value) => Ok(value),
        _ => Err(raise(
            Diagnostic::new(
                "flow::lang::pending",
                "this is the result of a step that has not run yet; a known value is needed here",
            )
            .label(span, "needed now")
            .help("values that policies and settings are made of must be known before the run"),
        )),
    }
}

/// A captured value of a closure of the file `home`, as the closure sees it while the plan runs.
pub fn captured(session: &Session, value: &Value, inputs: &Inputs, home: &str) -> Result<Dynamic, Problem> {
    Ok(match value {
        Value::Plain(value) => to_dynamic(value.clone()),
        Value::Step(id) => Dynamic::from(Step::One(*id)),
        // Only what is known: in a closure that builds steps, others stay pending.
        Value::Ref(reference) if inputs.get(reference.step).is_none() => {
            Dynamic::from(Pending(Arc::new(value.clone())))
        }
        Value::Ref(_) | Value::Text(_) | Value::Expr(_) => to_dynamic(resolve(value, inputs)?),
        Value::List(items) => {
            items.iter().map(|item| captured(session, item, inputs, home)).collect::<Result<Array, _>>()?.into()
        }
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| Ok((key.as_str().into(), captured(session, value, inputs, home)?)))
            .collect::<Result<Map, Problem>>()?
            .into(),
        Value::Closure(closure) => closures::thaw(session, closure, inputs, home)?.into(),
        Value::Secret(secret) => Dynamic::from(secret.clone()),
        Value::Agent(agent) => Dynamic::from(Agent(agent.clone())),
    })
}
