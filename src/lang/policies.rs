//! Setting policies: the methods of a step and the keys of a map mean the same, so they are one list.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smol_str::SmolStr;

use super::combine;
use super::convert::{Steps, to_value};
use super::fault::{Fault, raise};
use super::handle::{Step, sequence};
use super::options::{self, Options, choice, duration, wrong};
use super::session;
use crate::diag::Diagnostic;
use crate::plan::{Backoff, EdgeKind, Limit, OnError, Parse, Policy, Retry, Rule, StepId, Task};

/// All of them, as keys of maps.
pub const NAMES: [&str; 21] = [
    "after",
    "when",
    "rule",
    "retry",
    "timeout",
    "on_error",
    "on_success",
    "on_failure",
    "priority",
    "deadline",
    "estimate",
    "limit",
    "lock",
    "env",
    "cwd",
    "stdin",
    "parse",
    "shell",
    "secret",
    "desc",
    "tag",
];

const ON_ERROR: [(&str, OnError); 3] =
    [("stop", OnError::Stop), ("continue", OnError::Continue), ("skip", OnError::Skip)];
const PARSE: [(&str, Parse); 5] = [
    ("auto", Parse::Auto),
    ("json", Parse::Json),
    ("text", Parse::Text),
    ("lines", Parse::Lines),
    ("ndjson", Parse::Ndjson),
];
const BACKOFF: [(&str, Backoff); 3] =
    [("fixed", Backoff::Fixed), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];

/// What `on_error` and `on_failure` of settings can be.
pub fn on_error(value: &Dynamic, what: &str, span: crate::diag::Span) -> Result<OnError, Fault> {
    choice(value, what, &ON_ERROR, span)
}

/// Sets one policy of a step and gives the step back. Several steps become a group that has the policy.
pub fn set(context: &NativeCallContext, step: &Step, name: &str, value: &Dynamic) -> Result<Step, Fault> {
    let span = options::here(context);
    let id = session::build(context, |builder, _| Ok(step.id(builder)))?;
    let already = session::with(|session| session.known(id).is_some_and(|result| result.status.is_final()));
    if already {
        let name_of = session::build(context, |builder, _| Ok(builder.step(id).name.clone()))?;
        return Err(raise(
            Diagnostic::new(
                "flow::lang::already_ran",
                format!("`{name_of}` has run already, so `.{name}(…)` comes too late"),
            )
            .label(span, "set here")
            .help("set policies before `run(step)`"),
        ));
    }
    match name {
        "after" => {
            let others = sequence(context, value)?;
            session::build(context, |builder, _| {
                for other in &others.exits {
                    builder.step_mut(id).add_edge(*other, EdgeKind::Order);
                }
                Ok(())
            })?;
        }
        "on_success" | "on_failure" => {
            let other = combine::target(context, value)?;
            session::build(context, |builder, _| {
                let other = other.id(builder);
                let rule = if name == "on_failure" { Rule::OneFailed } else { Rule::AllSuccess };
                let step = builder.step_mut(other);
                step.add_edge(id, EdgeKind::Order);
                step.policy_mut().rule = rule;
                Ok(())
            })?;
        }
        "when" => {
            let condition = combine::condition(value, span)?;
            session::build(context, |builder, _| {
                let step = builder.step(id);
                if step.when.is_some() {
                    return Err(Diagnostic::new(
                        "flow::lang::option",
                        format!("`{}` has a condition already", step.name),
                    )
                    .label(span, "second condition")
                    .help("join both: `.when(|| a.passed && b.passed)`"));
                }
                builder.step_mut(id).when = Some(Box::new(condition));
                builder.connect(id);
                Ok(())
            })?;
        }
        "shell" => {
            let program: SmolStr = options::text(value, "the shell", span)?.into();
            session::build(context, |builder, _| match std::sync::Arc::make_mut(&mut builder.step_mut(id).task) {
                Task::Shell(shell) => {
                    shell.shell = Some(program);
                    shell.direct = None;
                    Ok(())
                }
                _ => Err(Diagnostic::new("flow::lang::option", "only an `sh` step has a shell")
                    .label(span, "set here")
                    .help("use `sh(name, script)`")),
            })?;
        }
        _ => policy(context, id, name, value)?,
    }
    Ok(Step::One(id))
}

fn policy(context: &NativeCallContext, id: StepId, name: &str, value: &Dynamic) -> Result<(), Fault> {
    let span = options::here(context);
    let change = |set: &mut dyn FnMut(&mut Policy)| {
        session::build(context, |builder, _| {
            set(builder.step_mut(id).policy_mut());
            Ok(())
        })
    };
    let what = format!("`{name}`");
    match name {
        "rule" => {
            let rule = choice(value, &what, &Rule::ALL, span)?;
            change(&mut |policy| policy.rule = rule)
        }
        "retry" => {
            let retry = retry(value, span)?;
            change(&mut |policy| policy.retry = Some(retry.clone()))
        }
        "timeout" => {
            let ms = duration(value, &what, span)?;
            change(&mut |policy| policy.timeout_ms = Some(ms))
        }
        "deadline" => {
            let ms = duration(value, &what, span)?;
            change(&mut |policy| policy.deadline_ms = Some(ms))
        }
        "estimate" => {
            let ms = duration(value, &what, span)?;
            change(&mut |policy| policy.estimate_ms = Some(ms))
        }
        "on_error" => {
            let on_error = on_error(value, &what, span)?;
            change(&mut |policy| policy.on_error = Some(on_error))
        }
        "priority" => {
            let number = value.as_int().ok().and_then(|n| i32::try_from(n).ok());
            let number = number.ok_or_else(|| wrong(&what, "a whole number", value, span))?;
            change(&mut |policy| policy.priority = number)
        }
        "limit" => {
            let (name, shares) = match value.read_lock::<Array>() {
                Some(pair) if pair.len() == 2 && !pair[1].is_string() => (
                    options::text(&pair[0], "the name of a limit", span)?,
                    options::count(&pair[1], "the shares of a limit", 1, span)?,
                ),
                _ => (options::text(value, "the name of a limit", span)?, 1),
            };
            change(&mut |policy| policy.limits.push((name.as_str().into(), shares)))
        }
        "lock" => {
            let names = options::texts(value, "the name of a lock", span)?;
            session::build(context, |builder, _| {
                for name in names {
                    let limit = builder
                        .header
                        .limits
                        .entry(name.as_str().into())
                        .or_insert(Limit { max: Some(1), per_minute: None });
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
            change(&mut |policy| policy.env.extend(env.iter().cloned()))?;
            connect(context, id)
        }
        "cwd" | "stdin" => {
            let steps = if name == "stdin" { Steps::OrSecrets } else { Steps::AsOutput };
            let value = session::with(|s| to_value(s, value, steps, span))?;
            change(&mut |policy| match name {
                "cwd" => policy.cwd = Some(value.clone()),
                _ => policy.stdin = Some(value.clone()),
            })?;
            connect(context, id)
        }
        "parse" => {
            let parse = choice(value, &what, &PARSE, span)?;
            change(&mut |policy| policy.parse = parse)
        }
        "secret" => {
            let secret = value.as_bool().map_err(|_| wrong(&what, "true or false", value, span))?;
            change(&mut |policy| policy.secret = secret)
        }
        "desc" => {
            let text = options::text(value, &what, span)?;
            change(&mut |policy| policy.desc = Some(text.clone()))
        }
        "tag" => {
            let words = options::texts(value, &what, span)?;
            change(&mut |policy| policy.tags.extend(words.iter().map(SmolStr::new)))
        }
        _ => Err(options::unknown_key(name, "a step", &NAMES, span)),
    }
}

fn connect(context: &NativeCallContext, id: StepId) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        builder.connect(id);
        Ok(())
    })
}

fn retry(value: &Dynamic, span: crate::diag::Span) -> Result<Retry, Fault> {
    let mut retry = Retry::default();
    if value.is_int() {
        retry.max_attempts = options::count(value, "`retry`", 1, span)?;
        return Ok(retry);
    }
    let map = value
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| wrong("`retry`", "a number or a map", value, span))?;
    let mut options = Options::of("retry", &map, span);
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
