//! Policies and limits in a few words each.

use super::value::closure_text;
use super::{clean, duration, list, shorten, size, value};
use crate::plan::{
    Backoff, Bounds, Breaker, Cache, Limit, OnError, OnTimeout, Parse, Plan, Retry, Rule, Settings, Step, Strategy,
    Task, UndoScope, Validate,
};

/// Longest condition, pattern or value that is shown.
const SHOWN: usize = 40;

/// The policies of a step, each as a few words: `retry 3×`, `timeout 20m`.
pub fn policies(plan: &Plan, step: &Step) -> Vec<String> {
    let policy = step.policy();
    let mut words = Vec::new();
    match policy.finally {
        true => words.push("cleans up".to_owned()),
        false if policy.rule != Rule::default() => words.push(format!("rule {}", policy.rule.name())),
        false => {}
    }
    if let Some(checkpoint) = &policy.checkpoint {
        words.push(format!("checkpoint {checkpoint}"));
    }
    if let Some(retry) = &policy.retry {
        words.push(self::retry(retry));
    }
    if let Some(closure) = &policy.retry_if {
        words.push(format!("retried {}", asked(&closure.text)));
    }
    if let Some(breaker) = &policy.breaker {
        words.push(format!("breaker {breaker}"));
    }
    if let Some(ms) = policy.timeout_ms {
        words.push(format!("timeout {}{}", duration(ms), in_vain(step)));
    }
    if let Some(validate) = &policy.validate {
        words.push(match &**validate {
            Validate::Closure(closure) => format!("valid {}", asked(&closure.text)),
            Validate::Expr(expression) => format!("valid if {}", shorten(&expression.text, SHOWN)),
            Validate::Schema(_) => "valid by a schema".to_owned(),
        });
    }
    if let Some(cache) = &policy.cache {
        words.push(self::cache(plan, cache));
    }
    if let Some(on_error) = policy.on_error {
        words.push(format!("on error {}", on_error_name(on_error)));
    }
    if let Some(budget) = &policy.budget {
        words.push(format!("budget {}", Bounds::of(budget).spelled()));
    }
    for (limit, shares) in &policy.limits {
        words.push(match plan.header.limits.get(limit) {
            Some(Limit { max: Some(1), per_minute: None, scale: None }) => format!("lock {limit}"),
            _ if *shares == 1 => format!("limit {limit}"),
            _ => format!("limit {limit} × {shares}"),
        });
    }
    if policy.priority != 0 {
        words.push(format!("priority {}", policy.priority));
    }
    if let Some(ms) = policy.deadline_ms {
        words.push(format!("deadline {}", duration(ms)));
    }
    if let Some(ms) = policy.estimate_ms {
        words.push(format!("estimate {}", duration(ms)));
    }
    if !policy.env.is_empty() {
        let names: Vec<_> = policy.env.iter().map(|(name, _)| name.as_str()).collect();
        words.push(format!("env {}", list(&names, 6)));
    }
    if let Some(cwd) = &policy.cwd {
        words.push(format!("in {}", shorten(&value(plan, cwd), SHOWN)));
    }
    if !policy.writes.is_empty() {
        words.push(format!("writes {}", list(&policy.writes, 4)));
    }
    if policy.isolate.is_some() {
        words.push("in a work tree of its own".to_owned());
    }
    if let Some(stdin) = &policy.stdin {
        words.push(format!("stdin {}", shorten(&value(plan, stdin), SHOWN)));
    }
    match policy.parse {
        Parse::Auto => {}
        Parse::Json => words.push("parse json".to_owned()),
        Parse::Text => words.push("parse text".to_owned()),
        Parse::Lines => words.push("parse lines".to_owned()),
        Parse::Nul => words.push("parse nul".to_owned()),
        Parse::Ndjson => words.push("parse ndjson".to_owned()),
    }
    if let Some(most) = policy.output_limit {
        words.push(format!("output up to {}", size(most)));
    }
    words.extend(super::ack(policy.ack).map(str::to_owned));
    for alert in &policy.alerts {
        let action = alert.action.map_or(String::new(), |id| format!(", then {}", super::name(plan, id)));
        words.push(format!("{} alert if {}{action}", alert.severity.name(), super::alert(alert)));
    }
    if policy.secret {
        words.push("secret".to_owned());
    }
    if !policy.tags.is_empty() {
        let tags: Vec<_> = policy.tags.iter().map(|tag| tag.as_str()).collect();
        words.push(format!("tags {}", list(&tags, 8)));
    }
    words.iter().map(|text| clean(text)).collect()
}

/// What a closure asks, without its parameters: `if r.number > 80`; of one that does more, its beginning.
fn asked(text: &str) -> String {
    let inner = text.trim().strip_prefix('|').and_then(|rest| rest.split_once('|')).map(|(_, body)| body.trim());
    match inner.filter(|body| !body.is_empty()) {
        Some(body) if body.starts_with(['{', '`']) || body.starts_with("if ") || body.starts_with("switch ") => {
            format!("by {}", shorten(body, SHOWN))
        }
        body => format!("if {}", shorten(body.unwrap_or_else(|| closure_text(text)), SHOWN)),
    }
}

/// `retry 3× exponential from 1s, jitter 50%`
pub(super) fn retry(retry: &Retry) -> String {
    let wait = duration(retry.delay_ms);
    let mut text = format!("retry {}×", retry.max_attempts);
    text.push_str(&match retry.backoff {
        _ if retry.delay_ms == 0 => " at once".to_owned(),
        Backoff::Fixed => format!(" every {wait}"),
        Backoff::Linear => format!(" linear from {wait}"),
        Backoff::Exponential => format!(" exponential from {wait}"),
    });
    if retry.jitter > 0.0 {
        text.push_str(&format!(", jitter {}%", (retry.jitter * 100.0).round()));
    }
    text
}

/// `cached for 7d by src/**, Makefile and build.output, writes build/app`
fn cache(plan: &Plan, cache: &Cache) -> String {
    let mut text = "cached".to_owned();
    if let Some(ms) = cache.ttl_ms {
        text.push_str(&format!(" for {}", duration(ms)));
    }
    let mut by: Vec<String> = cache.inputs.clone();
    by.extend(cache.key.as_ref().map(|key| shorten(&value(plan, key), SHOWN)));
    if !by.is_empty() {
        text.push_str(&format!(" by {}", list(&by, 4)));
    }
    if !cache.outputs.is_empty() {
        text.push_str(&format!(", writes {}", list(&cache.outputs, 4)));
    }
    text
}

/// What a step that waits does when nothing has come in time: `, then skipped`.
fn in_vain(step: &Step) -> String {
    let on_timeout = match &*step.task {
        Task::Approve(approve) => &approve.on_timeout,
        Task::Signal(wait) => &wait.on_timeout,
        Task::WaitFor(wait) => &wait.on_timeout,
        _ => return String::new(),
    };
    match on_timeout {
        OnTimeout::Fail => String::new(),
        OnTimeout::Skip => ", then skipped".to_owned(),
        OnTimeout::Answer(answer) => {
            let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
            format!(", then {}", shorten(&answer, SHOWN))
        }
    }
}

/// `opens after 5 failures within 1m, for 30s`
pub fn breaker(breaker: &Breaker) -> String {
    let failures = super::plural(breaker.threshold as usize, "failure");
    format!("opens after {failures} within {}, for {}", duration(breaker.window_ms), duration(breaker.reset_ms))
}

/// What settings say about failures: rules, strategies, what is undone.
pub fn strategies(settings: &Settings) -> Vec<String> {
    let mut words = Vec::new();
    if !settings.classes.is_empty() {
        words.push(format!("{} about failures", super::plural(settings.classes.len(), "rule")));
    }
    for (class, strategy) in &settings.strategies {
        let said = match strategy {
            Strategy::Retry(Some(retry)) => self::retry(retry),
            Strategy::Retry(None) => "retry".to_owned(),
            Strategy::Wait(Some(ms)) => format!("wait {}", duration(*ms)),
            Strategy::Wait(None) => "wait".to_owned(),
            Strategy::Fail => "fail".to_owned(),
        };
        words.push(format!("{}: {said}", class.name()));
    }
    if settings.undo != UndoScope::default() {
        let name = UndoScope::ALL.iter().find(|(_, scope)| *scope == settings.undo).map_or("", |(name, _)| name);
        words.push(format!("undo {name}"));
    }
    words
}

/// Its name in scripts.
pub fn on_error_name(on_error: OnError) -> &'static str {
    match on_error {
        OnError::Stop => "stop",
        OnError::Continue => "continue",
        OnError::Skip => "skip",
    }
}

/// `2 at once, 60 a minute`
pub fn limit(limit: &Limit) -> String {
    match (limit.max, limit.per_minute) {
        (Some(1), None) => "a lock".to_owned(),
        (Some(max), None) => format!("{max} at once"),
        (None, Some(rate)) => format!("{rate} a minute"),
        (Some(max), Some(rate)) => format!("{max} at once, {rate} a minute"),
        (None, None) => "no limit".to_owned(),
    }
}
