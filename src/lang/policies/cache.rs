//! `.cache(…)`: what a step's result depends on, and for how long it may be used again.

use glob::Pattern;
use rhai::{Dynamic, Map, NativeCallContext};

use super::{change, connect};
use crate::diag::{Diagnostic, Span};
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{self, Options, wrong};
use crate::lang::{keys, session};
use crate::plan::{Cache, StepId};

/// True or false, how long a result may be used, or a map.
pub(super) fn set(context: &NativeCallContext, id: StepId, value: &Dynamic, span: Span) -> Result<(), Fault> {
    let cache = match value.as_bool() {
        Ok(false) => None,
        Ok(true) => Some(Cache::default()),
        Err(_) => Some(match value.read_lock::<Map>().map(|map| map.clone()) {
            Some(map) => of_map(&map, span)?,
            None if value.is_string() || value.is_int() || value.is_float() => {
                Cache { ttl_ms: Some(options::time(value, "`cache`", span)?), ..Cache::default() }
            }
            None => {
                return Err(wrong("`cache`", "a map, or how long a result may be used, such as \"1h\"", value, span));
            }
        }),
    };
    change(context, id, |policy| policy.cache = cache.map(Box::new))?;
    connect(context, id)
}

fn of_map(map: &Map, span: Span) -> Result<Cache, Fault> {
    let mut options = Options::of(&keys::CACHE, map, span);
    let ttl_ms = options.time("ttl")?;
    let mut patterns = |key: &'static str| -> Result<Vec<String>, Fault> {
        let Some(value) = options.take(key) else { return Ok(Vec::new()) };
        let patterns = options::texts(&value, &format!("`{key}` of cache"), span)?;
        patterns.iter().try_for_each(|pattern| readable(pattern, key, span))?;
        Ok(patterns)
    };
    let (inputs, outputs) = (patterns("inputs")?, patterns("outputs")?);
    let key = options.take("key");
    options.done()?;
    let key = key.map(|key| session::with(|s| to_value(s, &key, Steps::AsOutput, span))).transpose()?;
    Ok(Cache { ttl_ms, inputs, outputs, key })
}

fn readable(pattern: &str, key: &str, span: Span) -> Result<(), Fault> {
    let problem = |message: String, help: &str| {
        raise(Diagnostic::new("flow::lang::option", message).label_word(span, pattern, "given here").help(help))
    };
    if pattern.is_empty() {
        let message = format!("`{key}` of cache holds an empty pattern");
        return Err(problem(message, "name files: `inputs: [\"src/**/*.rs\", \"Cargo.toml\"]`"));
    }
    Pattern::new(pattern).map(|_| ()).map_err(|error| {
        let message = format!("the pattern `{pattern}` in `{key}` of cache cannot be read: {}", error.msg);
        problem(message, "`*` stands for a part of a name, `**` for any number of folders, `[ab]` for one of some letters; a `[` itself is written `[[]`")
    })
}
