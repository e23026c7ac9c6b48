//! A script as somebody sees it who writes it line by line: the value of its last expression, its variables.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, ImmutableString, Map, Scope};

use super::build::{Built, Runner};
use super::convert::{Steps, is_marked, to_value};
use super::fault::readable_type;
use super::handle::{Pending, Step};
use super::program::Program;
use super::session::{Purpose, Session, interruptible};
use crate::diag::{Result, Span};
use crate::plan::{Json, Value};

/// What a script gave when it was evaluated.
pub struct Seen {
    /// What has come to its plan since the last `run(…)`.
    pub built: Built,
    /// The value of its last expression.
    pub value: Value,
    /// What that is, in words.
    pub kind: String,
    /// Its variables.
    pub variables: Variables,
    /// How long the evaluation took.
    pub took: Duration,
}

/// The variables of a script at its end.
#[derive(Clone, Default)]
pub struct Variables(Arc<Vec<(String, Dynamic)>>);

impl Program {
    /// Evaluates the script, and tells what there is to see at its end, and what it has printed since the last `run(…)`.
    /// Ends soon after `stop` becomes true.
    pub fn see(
        &self,
        args: &[(String, String)],
        runner: Box<dyn Runner>,
        stop: Arc<AtomicBool>,
    ) -> (Result<Seen>, String) {
        let began = Instant::now();
        let look = |session: &mut Session, scope: &Scope, last: Option<&Dynamic>| {
            let value = last.map_or(Value::Plain(Json::Null), |last| shown(session, last));
            let kind = last.map_or_else(String::new, kind_of);
            let mut variables: Vec<(String, Dynamic)> = Vec::new();
            for (name, _, value) in scope.iter() {
                if name != "script_dir" {
                    variables.push((name.to_owned(), value.flatten()));
                }
            }
            (value, kind, Variables(Arc::new(variables)))
        };
        let evaluate = || self.evaluate(super::build::dynamic(args), Purpose::Build, Some(runner), look);
        let (built, looked, _, printed) = interruptible(stop, evaluate);
        let seen = built.map(|built| {
            let (value, kind, variables) =
                looked.unwrap_or_else(|| (Value::Plain(Json::Null), String::new(), Variables::default()));
            Seen { built, value, kind, variables, took: began.elapsed() }
        });
        (seen, printed)
    }
}

impl Variables {
    /// Their names, in the order of their declaration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The value of one, and what it is in words.
    pub fn get(&self, name: &str) -> Option<(Value, String)> {
        let (_, value) = self.0.iter().rev().find(|(known, _)| known == name)?;
        Some((plain(value), kind_of(value)))
    }

    /// Have others come, or have some of these names another value than in `before`?
    pub fn differ<'a>(&self, before: &Variables, mut names: impl Iterator<Item = &'a str>) -> bool {
        let find = |of: &Variables, name: &str| {
            of.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| format!("{value:?}"))
        };
        self.0.len() != before.0.len() || names.any(|name| find(self, name) != find(before, name))
    }
}

/// What a value is, in words.
fn kind_of(value: &Dynamic) -> String {
    if value.read_lock::<ImmutableString>().is_some_and(|text| is_marked(&text)) {
        return "a text with results in it".to_owned();
    }
    if value.read_lock::<Step>().is_some_and(|step| step.single().is_none()) {
        return "several steps".to_owned();
    }
    readable_type(value.type_name())
}

/// A value as it is shown: whatever it is, nothing goes wrong.
fn shown(session: &mut Session, value: &Dynamic) -> Value {
    if let Some(items) = value.read_lock::<Array>() {
        return gathered(items.iter().map(|item| shown(session, item)).collect());
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return by_name(entries.iter().map(|(key, value)| (key.to_string(), shown(session, value))).collect());
    }
    let marked = value.read_lock::<ImmutableString>().is_some_and(|text| is_marked(&text));
    if marked || value.is_fnptr() {
        return to_value(session, value, Steps::AsThemselves, Span::default()).unwrap_or_else(|_| plain(value));
    }
    plain(value)
}

/// The same without a session: texts with results in them are only named.
fn plain(value: &Dynamic) -> Value {
    if let Some(items) = value.read_lock::<Array>() {
        return gathered(items.iter().map(plain).collect());
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return by_name(entries.iter().map(|(key, value)| (key.to_string(), plain(value))).collect());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Value::Plain(if is_marked(&text) { "a text with results in it".into() } else { text.as_str().into() });
    }
    if let Some(pending) = value.read_lock::<Pending>() {
        return (*pending.0).clone();
    }
    if let Some(secret) = value.read_lock::<crate::plan::SecretRef>() {
        return Value::Secret(secret.clone());
    }
    match value.read_lock::<Step>().as_deref() {
        Some(Step::One(id)) => return Value::Step(*id),
        Some(Step::Several(steps)) => return Value::List(steps.members.iter().map(|id| Value::Step(*id)).collect()),
        Some(Step::Woven(piece)) => return Value::List(piece.ends().map(Value::Step).collect()),
        None => {}
    }
    Value::Plain(if value.is_unit() {
        Json::Null
    } else if let Ok(value) = value.as_int() {
        value.into()
    } else if let Ok(value) = value.as_float() {
        serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
    } else if let Ok(value) = value.as_bool() {
        value.into()
    } else if value.is_fnptr() {
        "a closure".into()
    } else {
        value.to_string().into()
    })
}

fn gathered(items: Vec<Value>) -> Value {
    match items.iter().all(|item| matches!(item, Value::Plain(_))) {
        true => Value::Plain(items.into_iter().map(of_plain).collect()),
        false => Value::List(items),
    }
}

fn by_name(entries: Vec<(String, Value)>) -> Value {
    match entries.iter().all(|(_, value)| matches!(value, Value::Plain(_))) {
        true => Value::Plain(Json::Object(entries.into_iter().map(|(key, value)| (key, of_plain(value))).collect())),
        false => Value::Map(entries),
    }
}

fn of_plain(value: Value) -> Json {
    match value {
        Value::Plain(value) => value,
        _ => Json::Null,
    }
}
