//! The backend `command`: any program. It gets the task on standard input or as an argument, and prints text, or agent events as lines
//! of JSON.

use serde_json::json;

use crate::event::{AgentEvent, Failure};
use crate::plan::{AgentInput, Speaks};

use super::driver::{cannot, dialect_of, has_all};
use super::line::{Line, other, read};
use super::{Brief, Dialect, Driver, Errand, Launch};

/// Any program.
pub(super) struct Command {
    /// How it gets its task.
    pub input: AgentInput,
    /// How it answers.
    pub speaks: Option<Speaks>,
}

impl Driver for Command {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut launch = Launch { words: brief.command.clone(), ..Launch::default() };
        launch.words.extend(brief.args.iter().cloned());
        surroundings(brief, &mut launch);
        give_task(brief, brief.system.as_deref(), self.input, &mut launch)?;
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        dialect_of(self.speaks)
    }

    fn tell_live(&self, from: &str, event: &AgentEvent) -> Option<Vec<u8>> {
        event_line(from, event)
    }

    fn task_live(&self, brief: &Brief<'_>) -> Vec<u8> {
        live_task(brief, brief.system.as_deref(), self.input)
    }
}

/// The longest argument that Linux takes (`MAX_ARG_STRLEN`: 32 pages, its end included).
pub(super) const LONGEST_ARGUMENT: usize = 131_071;

/// Gives a program its task.
pub(super) fn give_task(
    brief: &Brief<'_>,
    system: Option<&str>,
    input: AgentInput,
    launch: &mut Launch,
) -> Result<(), Failure> {
    match input {
        AgentInput::Argument => launch.words.push(as_argument(plain_task(brief, system))?),
        AgentInput::Stdin | AgentInput::Ndjson => launch.stdin = live_task(brief, system, input),
    }
    Ok(())
}

/// The task as a program reads it.
pub(super) fn live_task(brief: &Brief<'_>, system: Option<&str>, input: AgentInput) -> Vec<u8> {
    match input {
        AgentInput::Ndjson => task_line(brief, system),
        AgentInput::Stdin | AgentInput::Argument => plain_task(brief, system).into_bytes(),
    }
}

/// A text that is to be an argument.
///
/// # Errors
/// It is too long, or has a null byte.
pub(super) fn as_argument(text: String) -> Result<String, Failure> {
    if text.len() > LONGEST_ARGUMENT {
        let message = format!("the task has {} bytes, and an argument can have {LONGEST_ARGUMENT}", text.len());
        return Err(cannot(message, "let the program read it on standard input: `input: \"stdin\"`"));
    }
    if text.contains('\0') {
        return Err(cannot(
            "the task has a null byte, which no argument can have",
            "let the program read it on standard input: `input: \"stdin\"`",
        ));
    }
    Ok(text)
}

/// What the program may want to know beside its task, as variables.
pub(super) fn surroundings(brief: &Brief<'_>, launch: &mut Launch) {
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            launch.env.push((name.to_owned(), value));
        }
    };
    tell("FLOW_AGENT", Some(brief.agent.name.to_string()));
    tell("FLOW_AGENT_ROLE", brief.agent.role.clone());
    tell("FLOW_AGENT_MODEL", brief.model.clone());
    tell("FLOW_AGENT_SESSION", brief.session.clone());
    tell("FLOW_AGENT_MAX_TURNS", brief.agent.max_turns.map(|turns| turns.to_string()));
    tell("FLOW_AGENT_BASE_URL", brief.base_url.clone());
    tell("FLOW_AGENT_API_KEY", brief.api_key.clone());
    let permission = crate::plan::Permission::ALL.iter().find(|(_, one)| *one == brief.agent.permission);
    tell("FLOW_AGENT_PERMISSION", permission.map(|(name, _)| (*name).to_owned()));
    tell("FLOW_AGENT_TOOLS", brief.agent.tools.as_ref().map(|tools| tools.join(",")));
    tell("FLOW_AGENT_DENY_TOOLS", Some(brief.agent.deny_tools.join(",")).filter(|tools| !tools.is_empty()));
    let mut file = |name: &str, variable: &str, value: Option<&crate::plan::Json>| {
        if let Some(value) = value {
            let path = brief.folder.join(name);
            launch.env.push((variable.to_owned(), path.display().to_string()));
            launch.files.push((path, value.to_string().into_bytes()));
        }
    };
    file("schema.json", "FLOW_AGENT_SCHEMA", brief.schema);
    file("mcp.json", "FLOW_AGENT_MCP", brief.agent.mcp_servers.as_ref());
}

/// The task for a program that has no other place for what it is told before: that comes first.
pub(super) fn plain_task(brief: &Brief<'_>, system: Option<&str>) -> String {
    match system.map(str::trim).filter(|system| !system.is_empty()) {
        Some(system) => format!("{system}\n\n{}", brief.prompt),
        None => brief.prompt.clone(),
    }
}

/// The task as a line of JSON.
fn task_line(brief: &Brief<'_>, system: Option<&str>) -> Vec<u8> {
    let mut task = json!({ "type": "task", "text": brief.prompt });
    for (key, value) in [("system", system), ("model", brief.model.as_deref()), ("session", brief.session.as_deref())] {
        if let Some(value) = value {
            task[key] = json!(value);
        }
    }
    if let Some(schema) = brief.schema {
        task["schema"] = schema.clone();
    }
    let mut line = task.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// An event of another agent as a line: its own form, and whose it is.
pub(super) fn event_line(from: &str, event: &AgentEvent) -> Option<Vec<u8>> {
    let mut value = serde_json::to_value(event).ok()?;
    value.as_object_mut()?.insert("from".to_owned(), json!(from));
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    Some(line)
}

/// Text: all of it is the answer. It has no closing line: its end is one, if there was any.
#[derive(Default)]
pub(super) struct TextLines {
    /// Lines so far.
    lines: u64,
}

impl Dialect for TextLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let line = if self.lines == 0 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let delta = self.lines > 0;
        let text = if delta { format!("\n{text}") } else { text.into_owned() };
        self.lines += 1;
        out.push(AgentEvent::Text { text, delta, parent: String::new() });
    }

    fn end(&mut self, out: &mut Vec<AgentEvent>) {
        if self.lines > 0 {
            out.push(AgentEvent::Finished { text: None, error: None, structured: None });
        }
    }
}

/// flow's own agent events, one a line.
pub(super) struct EventLines;

impl Dialect for EventLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        match read(line) {
            Line::Empty => {}
            Line::Text(text) => out.push(other("text", &text)),
            Line::Object(object) => {
                let what = object.get("type").and_then(serde_json::Value::as_str).unwrap_or("object").to_owned();
                let shown = short_of(&object);
                let event = serde_json::from_value(serde_json::Value::Object(object));
                out.push(event.unwrap_or_else(|_| other(what, &shown)));
            }
        }
    }
}

/// What is worth showing of an object that is no event.
fn short_of(object: &serde_json::Map<String, serde_json::Value>) -> String {
    let spoken = ["text", "message", "error"].iter().find_map(|key| object.get(*key)?.as_str());
    spoken.unwrap_or_default().to_owned()
}

/// Either of both: the first line that is not empty tells.
#[derive(Default)]
pub(super) struct EitherLines {
    /// Empty lines before it.
    empty: u64,
    found: Option<Box<dyn Dialect>>,
}

impl Dialect for EitherLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        if self.found.is_none() {
            let found: Box<dyn Dialect> = match read(line) {
                Line::Empty => {
                    self.empty += 1;
                    return;
                }
                Line::Object(object)
                    if object
                        .get("type")
                        .is_some_and(|kind| kind.as_str().is_some_and(|kind| kind.starts_with("agent."))) =>
                {
                    Box::new(EventLines)
                }
                _ => Box::new(TextLines::default()),
            };
            self.found = Some(found);
        }
        if let Some(found) = &mut self.found {
            for _ in 0..std::mem::take(&mut self.empty) {
                found.line(b"", out);
            }
            found.line(line, out);
        }
    }

    fn end(&mut self, out: &mut Vec<AgentEvent>) {
        if let Some(found) = &mut self.found {
            found.end(out);
        }
    }
}

#[cfg(test)]
mod tests;
