//! Values, references and what a step runs.

use std::collections::HashMap;

use super::{ENOUGH, clean, count, duration};
use crate::plan::{Approve, Bounds, Key, Plan, Reference, Shell, Step, StepId, Task, Value};

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
    format!("{}.{}", name(plan, reference.step), property(reference))
}

/// `output.files[0]`
pub fn property(reference: &Reference) -> String {
    let mut text = reference.property.to_string();
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
        Value::Agent(agent) => text.push_str(&agent.name),
        Value::Secret(secret) => {
            text.push_str(&format!("{}${{secret {}}}{}", secret.before, secret.name, secret.after));
        }
    }
}

pub(super) fn closure_text(text: &str) -> &str {
    if text.trim().is_empty() { "a closure" } else { text }
}

/// The word for a task in a sentence: `an `each``, `a `chain``.
pub fn a_kind(task: &Task) -> String {
    let kind = task.kind();
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) || kind == "sh" { "an" } else { "a" };
    format!("{article} `{kind}`")
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
        Task::Http(http) => clean(&format!("{} {}", http.method, value(plan, &http.url))),
        Task::Approve(approve) => question(plan, approve),
        Task::Signal(wait) => clean(&wait.signal),
        Task::WaitUntil(until) => value(plan, until),
        Task::WaitFor(wait) => value(plan, &wait.file),
        Task::Chain(_) | Task::Parallel(_) | Task::Flow(_) | Task::Fallback(_) | Task::Stream(_) => String::new(),
        Task::Quorum(quorum) if quorum.race => "the first to succeed".to_owned(),
        Task::Quorum(quorum) if quorum.need as usize == quorum.children.len() => {
            "the first failure ends the others".to_owned()
        }
        Task::Quorum(quorum) => format!("{} of {} must succeed", quorum.need, quorum.children.len()),
        Task::Agent(ask) if ask.by_input() => clean(&format!("{} · (its input)", super::agent::who(plan, step))),
        Task::Agent(ask) => clean(&format!("{} · {}", super::agent::who(plan, step), value(plan, &ask.prompt))),
        Task::Budget(budget) => Bounds::of(budget).spelled(),
        Task::Board(_) | Task::Merge(_) => String::new(),
        Task::Put(put) => clean(&format!("{} = {}", value(plan, &put.key), value(plan, &put.value))),
        Task::Publish(publish) => clean(&format!("{}: {}", publish.topic, value(plan, &publish.value))),
        Task::OnEvent(on) => clean(&format!("each event of {} · {}", on.topic, closure_text(&on.body.text))),
        Task::Filter(filter) => clean(closure_text(&filter.closure.text)),
        Task::Pipeline(pipeline) => super::pipeline::line(plan, pipeline),
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

/// What a person is asked, and the answers: `Ship it? [now, never] version`.
fn question(plan: &Plan, approve: &Approve) -> String {
    let mut parts: Vec<String> = approve.prompt.iter().map(|prompt| value(plan, prompt)).collect();
    match approve.choices.is_empty() {
        true => parts.push("[yes, no]".to_owned()),
        false => parts.push(format!("[{}]", approve.choices.join(", "))),
    }
    let fields: Vec<&str> = approve.form.iter().map(|field| field.name.as_str()).collect();
    if !fields.is_empty() {
        parts.push(format!("with {}", super::list(&fields, 6)));
    }
    clean(&parts.join(" "))
}

/// A single reference without its `${` and `}`.
pub fn bare(text: String) -> String {
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) if !inner.contains('}') => inner.to_owned(),
        _ => text,
    }
}

pub(super) fn quote(word: String) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\');
    if !word.is_empty() && (word.chars().all(plain) || word.starts_with("${") && word.ends_with('}')) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A shell script with its variables as they were written: `${FLOW_IN_1}` is `${build.output}` again.
pub(super) fn script(plan: &Plan, shell: &Shell) -> String {
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
