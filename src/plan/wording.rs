//! Parts of a plan as a person would write them, each on one line.
//!
//! Names and scripts come from a script that is perhaps not trusted, so nothing leaves here that a terminal or a
//! drawing would take for a command: control characters and direction marks are replaced.

use std::collections::HashMap;

use super::{Backoff, EdgeKind, Key, Limit, OnError, Parse, Plan, Policy, Reference, Shell, Step, StepId, Task, Value};

/// Text of which more than this is never looked at: it is shown shortened anyway.
const ENOUGH: usize = 2_000;

/// One line of harmless characters: a line break becomes ` ⏎ `, other control characters and direction marks `·`.
pub fn clean(text: &str) -> String {
    let text = match text.char_indices().nth(ENOUGH) {
        Some((at, _)) => &text[..at],
        None => text,
    };
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(" ⏎ ");
        }
        line.extend(part.chars().map(|c| match c {
            '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => '·',
            c if c.is_control() => '·',
            c => c,
        }));
    }
    line
}

/// At most `max` columns wide, with an ellipsis where something was left out.
pub fn shorten(text: &str, max: usize) -> String {
    use unicode_width::UnicodeWidthChar;
    let mut width = 0;
    let mut fits = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0);
        if width < max {
            fits = at + c.len_utf8();
        }
        if width > max {
            let mut short = text[..fits].trim_end().to_owned();
            short.push('…');
            return short;
        }
    }
    text.to_owned()
}

/// Columns that a text takes in a terminal.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// What a step is called in a sentence: its name, an iteration with its group's: `lint[src/a.rs]`.
pub fn name(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    clean(&match (&step.key, step.parent) {
        (Some(key), Some(parent)) => format!("{}[{key}]", plan.step(parent).name),
        (Some(key), None) => format!("[{key}]"),
        (None, _) => step.name.to_string(),
    })
}

/// `build.output.files[0]`
pub fn reference(plan: &Plan, reference: &Reference) -> String {
    let mut text = format!("{}.{}", name(plan, reference.step), reference.property);
    for key in &reference.path {
        match key {
            Key::Index(index) => text.push_str(&format!("[{index}]")),
            Key::Field(field) => {
                text.push('.');
                text.push_str(field);
            }
        }
    }
    clean(&text)
}

/// A value as it stands in text: what is not known yet as `${build.output}`.
pub fn value(plan: &Plan, of: &Value) -> String {
    let mut text = String::new();
    write_value(plan, of, false, &mut text);
    clean(&text)
}

/// Within an array or a map text stands in quotes. Stops soon after [`ENOUGH`].
fn write_value(plan: &Plan, value: &Value, quoted: bool, text: &mut String) {
    if text.len() > ENOUGH * 4 {
        return;
    }
    match value {
        Value::Plain(serde_json::Value::String(plain)) if !quoted => text.push_str(plain),
        Value::Plain(plain) => text.push_str(&plain.to_string()),
        Value::Ref(of) => text.push_str(&format!("${{{}}}", reference(plan, of))),
        Value::Text(parts) => {
            let quote = if quoted { "\"" } else { "" };
            text.push_str(quote);
            parts.iter().for_each(|part| write_value(plan, part, false, text));
            text.push_str(quote);
        }
        Value::List(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate().take(ENOUGH) {
                text.push_str(if n == 0 { "" } else { ", " });
                write_value(plan, item, true, text);
            }
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            for (n, (key, entry)) in entries.iter().enumerate().take(ENOUGH) {
                text.push_str(if n == 0 { "" } else { ", " });
                text.push_str(key);
                text.push_str(": ");
                write_value(plan, entry, true, text);
            }
            text.push('}');
        }
        Value::Expr(expression) => text.push_str(&format!("${{{}}}", expression.text)),
        Value::Closure(closure) => text.push_str(closure_text(&closure.text)),
        Value::Step(step) => text.push_str(&name(plan, *step)),
    }
}

fn closure_text(text: &str) -> &str {
    if text.trim().is_empty() { "a closure" } else { text }
}

/// What a step runs.
pub fn command(plan: &Plan, step: &Step) -> String {
    match &*step.task {
        Task::Shell(shell) => script(plan, shell),
        Task::Exec(words) => {
            let words: Vec<_> = words.iter().take(ENOUGH).map(|word| quote(value(plan, word))).collect();
            clean(&words.join(" "))
        }
        Task::Call(closure) => clean(closure_text(&closure.text)),
        Task::Const(constant) => value(plan, constant),
        Task::Fail(message) => value(plan, message),
        Task::Wait(ms) => duration(*ms),
        Task::Chain(_) | Task::Parallel(_) | Task::Flow(_) => String::new(),
        Task::Each(each) => match &each.items {
            Some(items) if each.children.is_empty() => {
                clean(&format!("each item of {} · {}", bare(value(plan, items)), closure_text(&each.body.text)))
            }
            _ => String::new(),
        },
        Task::Repeat(repeat) => {
            let mut text = format!("at most {} times", count(repeat.max as usize));
            if let Some(until) = &repeat.until {
                text.push_str(&format!(", until {}", closure_text(&until.text)));
            }
            text.push_str(&format!(" · {}", closure_text(&repeat.body.text)));
            clean(&text)
        }
        Task::Workflow(workflow) => {
            let mut text = workflow.file.clone();
            for (key, arg) in &workflow.args {
                text.push_str(&format!(" {key}={}", quote(value(plan, arg))));
            }
            clean(&text)
        }
    }
}

/// A single reference without its `${` and `}`.
fn bare(text: String) -> String {
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) if !inner.contains('}') => inner.to_owned(),
        _ => text,
    }
}

fn quote(word: String) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\');
    if !word.is_empty() && (word.chars().all(plain) || word.starts_with("${") && word.ends_with('}')) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A shell script with its variables as they were written: `${FLOW_IN_1}` is `${build.output}` again.
fn script(plan: &Plan, shell: &Shell) -> String {
    let text = match shell.script.char_indices().nth(ENOUGH) {
        Some((at, _)) => &shell.script[..at],
        None => &shell.script,
    };
    if shell.vars.is_empty() {
        return clean(text);
    }
    let vars: HashMap<&str, &Value> = shell.vars.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let (open, body) = after[1..].strip_prefix('{').map_or((false, &after[1..]), |body| (true, body));
        let end = body.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(body.len());
        let closed = !open || body[end..].starts_with('}');
        let Some(of) = vars.get(&body[..end]).filter(|_| closed) else {
            shown.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        rest = &body[end + usize::from(open)..];
        let known = value(plan, of);
        let known = if known.starts_with("${") { known } else { format!("${{{known}}}") };
        // Quotes that stand directly around a reference are part of how it is handed over.
        let mut before = before;
        for quotes in ["'\"", "\""] {
            let closing: String = quotes.chars().rev().collect();
            if let (Some(start), Some(after)) = (before.strip_suffix(quotes), rest.strip_prefix(closing.as_str())) {
                (before, rest) = (start, after);
                break;
            }
        }
        shown.push_str(before);
        shown.push_str(&known);
    }
    shown.push_str(rest);
    clean(&shown)
}

/// Every value that stands in a step: what its task and its policies use.
pub fn each_value<'a>(step: &'a Step, visit: &mut dyn FnMut(&'a Value)) {
    match &*step.task {
        Task::Shell(shell) => shell.vars.iter().for_each(|(_, value)| visit(value)),
        Task::Exec(words) => words.iter().for_each(&mut *visit),
        Task::Call(closure) => closure.captured.iter().for_each(&mut *visit),
        Task::Const(value) | Task::Fail(value) => visit(value),
        Task::Wait(_) | Task::Chain(_) | Task::Parallel(_) | Task::Flow(_) => {}
        Task::Each(each) => {
            each.items.iter().for_each(&mut *visit);
            each.body.captured.iter().for_each(&mut *visit);
        }
        Task::Repeat(repeat) => {
            repeat.until.iter().flat_map(|until| &until.captured).for_each(&mut *visit);
            repeat.body.captured.iter().for_each(&mut *visit);
        }
        Task::Workflow(workflow) => workflow.args.iter().for_each(|(_, value)| visit(value)),
    }
    let Some(policy) = &step.policy else { return };
    policy.env.iter().for_each(|(_, value)| visit(value));
    policy.cwd.iter().chain(&policy.stdin).for_each(visit);
}

/// The properties of `from` that a step uses: `build.output`, each once, at most four.
pub fn uses(plan: &Plan, step: &Step, from: StepId) -> Vec<String> {
    let mut found = Vec::new();
    each_value(step, &mut |value| find_uses(plan, value, from, &mut found));
    found
}

fn find_uses(plan: &Plan, value: &Value, from: StepId, found: &mut Vec<String>) {
    if found.len() >= 4 {
        return;
    }
    let mut add = |text: String| {
        if !found.contains(&text) {
            found.push(text);
        }
    };
    match value {
        Value::Ref(of) if of.step == from => add(reference(plan, of)),
        Value::Step(step) if *step == from => add(name(plan, from)),
        Value::Expr(expression) if expression.steps.iter().any(|(_, step)| *step == from) => {
            add(clean(&expression.text));
        }
        Value::Text(parts) | Value::List(parts) => {
            parts.iter().for_each(|part| find_uses(plan, part, from, found));
        }
        Value::Map(entries) => entries.iter().for_each(|(_, entry)| find_uses(plan, entry, from, found)),
        Value::Closure(closure) => closure.captured.iter().for_each(|part| find_uses(plan, part, from, found)),
        Value::Plain(_) | Value::Ref(_) | Value::Expr(_) | Value::Step(_) => {}
    }
}

/// Why `step` waits for `from`, to stand after "waits for it": `it uses build.output`.
pub fn reason(plan: &Plan, step: StepId, from: StepId, kind: EdgeKind) -> String {
    let waiting = plan.step(step);
    match kind {
        EdgeKind::Order => "by their order".to_owned(),
        EdgeKind::Data => {
            let uses = uses(plan, waiting, from);
            match uses.is_empty() {
                true if waiting.input.contains(&from) => "its input is the output".to_owned(),
                true => "it uses its result".to_owned(),
                false => format!("it uses `{}`", uses.join("`, `")),
            }
        }
        EdgeKind::Condition => match &waiting.when {
            Some(condition) => format!("its condition `{}` reads it", shorten(&clean(&condition.text()), 60)),
            None => "its condition reads it".to_owned(),
        },
    }
}

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

/// Names in a sentence: `a, b and c`, `a, b and 8 more`.
pub fn list(names: &[impl AsRef<str>], max: usize) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) if names.len() <= max => format!("{} and {last}", rest.join(", ")),
        Some(_) => format!("{} and {} more", names[..max - 1].join(", "), count(names.len() - max + 1)),
    }
}

/// A duration in its two greatest units: `350ms`, `1.5s`, `2m 30s`, `1h`, `3d 4h`.
pub fn duration(ms: u64) -> String {
    let (seconds, minutes, hours, days) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    let two = |first: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{first}{unit}"),
        rest => format!("{first}{unit} {rest}{small}"),
    };
    match () {
        () if ms < 1_000 => format!("{ms}ms"),
        () if seconds < 60 && ms % 1_000 >= 100 && seconds < 10 => format!("{seconds}.{}s", ms % 1_000 / 100),
        () if seconds < 60 => format!("{seconds}s"),
        () if minutes < 60 => two(minutes, "m", seconds % 60, "s"),
        () if hours < 24 => two(hours, "h", minutes % 60, "m"),
        () => two(days, "d", hours % 24, "h"),
    }
}

/// A whole number with its thousands apart: `9,950`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 step`, `3 steps`
pub fn plural(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, plain, reference as sample_reference};
    use super::*;

    #[test]
    fn a_script_is_shown_as_it_was_written() {
        let mut sample = Sample::new("words");
        sample.sh("build", "make");
        let push = sample
            .sh("push", "./push.sh ${build.output.files} --to ${HOME.dir}x".replace("${HOME.dir}", "$HOME/").as_str());
        assert_eq!(command(&sample.plan, sample.plan.step(push)), "./push.sh ${build.output.files} --to $HOME/x");
        let build = sample.named("build");
        assert_eq!(uses(&sample.plan, sample.plan.step(push), build), ["build.output.files"]);
    }

    #[test]
    fn words_of_a_program_are_quoted_where_they_must_be() {
        let mut sample = Sample::new("words");
        let build = sample.sh("build", "make");
        let words = vec![plain("echo"), plain("two words"), plain("it's"), sample_reference(build, "output")];
        let echo = sample.add("echo", Task::Exec(words));
        assert_eq!(command(&sample.plan, sample.plan.step(echo)), "echo 'two words' 'it'\\''s' ${build.output}");
    }

    #[test]
    fn nothing_that_commands_a_terminal_gets_through() {
        assert_eq!(clean("a\u{1b}[31mred\u{202e}\n\n  b\tc\r\n"), "a·[31mred· ⏎ b c");
    }

    #[test]
    fn text_is_shortened_by_columns() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("日本語の名前", 7), "日本語…");
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!((count(7), count(9_950), count(1_000_000)), ("7".into(), "9,950".into(), "1,000,000".into()));
        let times: Vec<_> = [350, 1_000, 1_550, 59_900, 90_000, 3_600_000, 100_000_000].map(duration).to_vec();
        assert_eq!(times, ["350ms", "1s", "1.5s", "59s", "1m 30s", "1h", "1d 3h"]);
        assert_eq!(list(&["a"], 3), "a");
        assert_eq!(list(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d"], 3), "a, b and 2 more");
    }
}
