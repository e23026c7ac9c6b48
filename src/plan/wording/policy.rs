//! Policies and limits in a few words each.

use super::{clean, duration, list, shorten, value};
use crate::plan::{Backoff, Limit, OnError, Parse, Plan, Policy};

/// The policies of a step, each as a few words: `retry 3×`, `timeout 20m`.
pub fn policies(plan: &Plan, policy: &Policy) -> Vec<String> {
    let mut words = Vec::new();
    if policy.rule != Default::default() {
        words.push(format!("rule {}", policy.rule.name()));
    }
    if let Some(retry) = &policy.retry {
        let mut text = format!("retry {}×", retry.max_attempts);
        let wait = duration(retry.delay_ms);
        text.push_str(&match retry.backoff {
            _ if retry.delay_ms == 0 => " at once".to_owned(),
            Backoff::Fixed => format!(" every {wait}"),
            Backoff::Linear => format!(" linear from {wait}"),
            Backoff::Exponential => format!(" exponential from {wait}"),
        });
        if retry.jitter > 0.0 {
            text.push_str(&format!(", jitter {}%", (retry.jitter * 100.0).round()));
        }
        words.push(text);
    }
    if let Some(ms) = policy.timeout_ms {
        words.push(format!("timeout {}", duration(ms)));
    }
    if let Some(on_error) = policy.on_error {
        words.push(format!("on error {}", on_error_name(on_error)));
    }
    for (limit, shares) in &policy.limits {
        words.push(match plan.header.limits.get(limit) {
            Some(Limit { max: Some(1), per_minute: None }) => format!("lock {limit}"),
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
        words.push(format!("in {}", shorten(&value(plan, cwd), 40)));
    }
    if let Some(stdin) = &policy.stdin {
        words.push(format!("stdin {}", shorten(&value(plan, stdin), 40)));
    }
    match policy.parse {
        Parse::Auto => {}
        Parse::Json => words.push("parse json".to_owned()),
        Parse::Text => words.push("parse text".to_owned()),
        Parse::Lines => words.push("parse lines".to_owned()),
        Parse::Ndjson => words.push("parse ndjson".to_owned()),
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
