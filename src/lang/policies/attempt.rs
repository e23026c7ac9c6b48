//! Policies about one attempt: how a process runs, how often it is tried, what its result must be like.

use std::sync::Arc;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::{cache, change, connect, verdict};
use crate::diag::{Diagnostic, Span};
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{self, Options, bytes, choice, duration, wrong};
use crate::lang::{keys, session};
use crate::plan::{Ack, Backoff, Breaker, Isolate, Limit, Parse, Retry, StepId, Task};

pub const PARSE: [(&str, Parse); 6] = [
    ("auto", Parse::Auto),
    ("json", Parse::Json),
    ("text", Parse::Text),
    ("lines", Parse::Lines),
    ("ndjson", Parse::Ndjson),
    ("nul", Parse::Nul),
];
pub const BACKOFF: [(&str, Backoff); 3] =
    [("fixed", Backoff::Fixed), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];

/// Sets one of them.
pub(super) fn set(
    context: &NativeCallContext,
    id: StepId,
    name: &str,
    value: &Dynamic,
    span: Span,
) -> Result<(), Fault> {
    let what = format!("`{name}`");
    match name {
        "retry" => {
            let retry = retry(value, span)?;
            change(context, id, |policy| policy.retry = Some(retry))
        }
        "on_failure_retry" => verdict::retry_if(context, id, value, span),
        "validate" => verdict::validate(context, id, value, span),
        "cache" => cache::set(context, id, value, span),
        "breaker" => breaker(context, id, value, span),
        "timeout" => {
            let ms = duration(value, &what, span)?;
            change(context, id, |policy| policy.timeout_ms = Some(ms))
        }
        "deadline" => {
            let ms = duration(value, &what, span)?;
            change(context, id, |policy| policy.deadline_ms = Some(ms))
        }
        "estimate" => {
            let ms = duration(value, &what, span)?;
            change(context, id, |policy| policy.estimate_ms = Some(ms))
        }
        "priority" => {
            let number = value.as_int().ok().and_then(|n| i32::try_from(n).ok());
            let number = number.ok_or_else(|| wrong(&what, "a whole number", value, span))?;
            change(context, id, |policy| policy.priority = number)
        }
        "limit" => {
            let (name, shares) = match value.read_lock::<Array>() {
                Some(pair) if pair.len() == 2 && !pair[1].is_string() => (
                    options::text(&pair[0], "the name of a limit", span)?,
                    options::count(&pair[1], "the shares of a limit", 1, span)?,
                ),
                _ => (options::text(value, "the name of a limit", span)?, 1),
            };
            change(context, id, |policy| policy.limits.push((name.as_str().into(), shares)))
        }
        "budget" => {
            let name = session::build(context, |builder, _| Ok(builder.step(id).name.clone()))?;
            let budget = crate::lang::agents::budget(value, &format!("the budget of `{name}`"), span)?;
            change(context, id, |policy| policy.budget = Some(budget))
        }
        "lock" => {
            let names = options::texts(value, "the name of a lock", span)?;
            session::build(context, |builder, _| {
                for name in names {
                    let limit = builder.header.limits.entry(name.as_str().into()).or_insert(Limit {
                        max: Some(1),
                        per_minute: None,
                        scale: None,
                    });
                    limit.max = Some(1);
                    builder.step_mut(id).policy_mut().limits.push((name.into(), 1));
                }
                Ok(())
            })
        }
        "env" => {
            let map =
                value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| wrong(&what, "a map", value, span))?;
            let mut env = Vec::with_capacity(map.len());
            for (key, value) in &map {
                env.push((key.to_string(), session::with(|s| to_value(s, value, Steps::OrSecrets, span))?));
            }
            change(context, id, |policy| policy.env.extend(env))?;
            connect(context, id)
        }
        "cwd" | "stdin" => {
            let steps = if name == "stdin" { Steps::OrSecrets } else { Steps::AsOutput };
            let value = session::with(|s| to_value(s, value, steps, span))?;
            change(context, id, |policy| match name {
                "cwd" => policy.cwd = Some(value),
                _ => policy.stdin = Some(value),
            })?;
            connect(context, id)
        }
        "writes" => {
            let patterns = options::texts(value, "what the step `writes`", span)?;
            if let Some(wrong) = patterns.iter().find(|pattern| pattern.trim().is_empty() || pattern.contains('\0')) {
                return Err(raise(
                    Diagnostic::new("flow::lang::option", format!("`{}` is no pattern of files", wrong.escape_debug()))
                        .label(span, "given here")
                        .help("patterns are relative to the step's folder: `.writes([\"src/**\", \"Cargo.toml\"])`"),
                ));
            }
            change(context, id, |policy| policy.writes = patterns)
        }
        "isolate" => {
            let isolate = choice(value, &what, &Isolate::ALL, span)?;
            change(context, id, |policy| policy.isolate = Some(isolate))
        }
        "parse" => {
            let parse = choice(value, &what, &PARSE, span)?;
            change(context, id, |policy| policy.parse = parse)
        }
        "output_limit" => {
            let most = bytes(value, &what, span)?;
            change(context, id, |policy| policy.output_limit = Some(most))
        }
        "ack" => {
            let ack = choice(value, &what, &Ack::ALL, span)?;
            change(context, id, |policy| policy.ack = ack)
        }
        "secret" => {
            let secret = value.as_bool().map_err(|_| wrong(&what, "true or false", value, span))?;
            change(context, id, |policy| policy.secret = secret)
        }
        "shell" => {
            let program = options::text(value, "the shell", span)?;
            session::build(context, |builder, _| match Arc::make_mut(&mut builder.step_mut(id).task) {
                Task::Shell(shell) => {
                    shell.shell = Some(program.into());
                    shell.direct = None;
                    Ok(())
                }
                _ => Err(Diagnostic::new("flow::lang::option", "only an `sh` step has a shell")
                    .label(span, "set here")
                    .help("use `sh(name, script)`")),
            })
        }
        _ => Err(options::unknown_key(name, "a step", &super::names(), span)),
    }
}

/// A number of attempts, or a map.
pub fn retry(value: &Dynamic, span: Span) -> Result<Retry, Fault> {
    let mut retry = Retry::default();
    if value.is_int() {
        retry.max_attempts = options::count(value, "`retry`", 1, span)?;
        return Ok(retry);
    }
    let map = value
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| wrong("`retry`", "a number or a map", value, span))?;
    let mut options = Options::of(&keys::RETRY, &map, span);
    if let Some(attempts) = options.count("max_attempts", 1)? {
        retry.max_attempts = attempts;
    }
    if let Some(backoff) = options.choice("backoff", &BACKOFF)? {
        retry.backoff = backoff;
    }
    if let Some(delay) = options.duration("delay")? {
        retry.delay_ms = delay;
    }
    // Without one, the bound is not to cut off a delay that was asked for.
    retry.max_delay_ms = retry.max_delay_ms.max(retry.delay_ms);
    if let Some(most) = options.duration("max_delay")? {
        retry.max_delay_ms = most;
    }
    if let Some(jitter) = options.take("jitter") {
        let share =
            jitter.as_float().ok().or(jitter.as_int().ok().map(|n| n as f64)).filter(|n| (0.0..=1.0).contains(n));
        retry.jitter = share.ok_or_else(|| wrong("`jitter` of retry", "a number from 0 to 1", &jitter, span))?;
    }
    options.done()?;
    Ok(retry)
}

/// The name of a breaker, or a map that declares one as well.
fn breaker(context: &NativeCallContext, id: StepId, value: &Dynamic, span: Span) -> Result<(), Fault> {
    let name = match value.read_lock::<Map>().map(|map| map.clone()) {
        None => options::text(value, "the name of a breaker", span)?,
        Some(map) => {
            let mut options = Options::of(&keys::BREAKER_OF_STEP, &map, span);
            let name = options.text("name")?.ok_or_else(|| {
                raise(
                    Diagnostic::new("flow::lang::option", "the breaker has no `name`")
                        .label(span, "declared here")
                        .help("steps with a breaker of the same name share it: `.breaker(#{ name: \"api\", threshold: 5 })`"),
                )
            })?;
            let breaker = breaker_of(options)?;
            declare_breaker(context, &name, breaker, span)?;
            name
        }
    };
    change(context, id, |policy| policy.breaker = Some(name.into()))
}

/// The options of a breaker.
pub fn breaker_of(mut options: Options) -> Result<Breaker, Fault> {
    let mut breaker = Breaker::default();
    if let Some(threshold) = options.count("threshold", 1)? {
        breaker.threshold = threshold;
    }
    if let Some(window) = options.time("window")? {
        breaker.window_ms = window;
    }
    if let Some(reset) = options.time("reset")? {
        breaker.reset_ms = reset;
    }
    options.done()?;
    Ok(breaker)
}

/// Declares a breaker; twice only in the same way.
pub fn declare_breaker(context: &NativeCallContext, name: &str, breaker: Breaker, span: Span) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        let known = builder.header.breakers.entry(name.into()).or_insert(breaker);
        if *known == breaker {
            return Ok(());
        }
        Err(Diagnostic::new("flow::lang::option", format!("the breaker `{name}` is declared already, in another way"))
            .label_word(span, name, "declared again here")
            .help("declare it once, `breaker(\"name\", #{…})`, and name it at the steps: `.breaker(\"name\")`"))
    })
}
