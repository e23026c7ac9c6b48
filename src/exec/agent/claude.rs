//! The backend `claude`: Claude Code, `claude -p --output-format stream-json --verbose`.
//!
//! The task goes by standard input, since an argument has a length and, with `--input-format stream-json`, is ignored. Live, it is a
//! `user` line behind what others said, which are `assistant` lines.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, json};

use crate::event::{AgentError, AgentEvent, Denial, Failure, Tokens, Usage};
use crate::plan::{Json, Permission};

use super::command::{LONGEST_ARGUMENT, as_argument};
use super::driver::{cannot, has_all, own_config};
use super::line::{as_text, inner, list, number, object, other, short, text, whole};
use super::schema::{inside, inside_text, of_object};
use super::told::aside;
use super::{Brief, Dialect, Driver, Errand, Launch};

/// Claude Code.
pub(super) struct Claude;

/// Tools of Claude Code that change files.
const EDITS: [&str; 3] = ["Edit", "Write", "NotebookEdit"];

/// No telemetry, no update of itself while it works.
const QUIET: [&str; 4] =
    ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING"];

/// What of flow's own environment it may need: where the model is, and how to get there. `CLAUDECODE` is not among them: with it, it
/// would think that it was called by another one.
const PASS: [&str; 8] = [
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_MAX_*",
    "CLAUDE_CODE_DISABLE_*",
    "API_TIMEOUT_MS",
    "IS_SANDBOX",
];

impl Driver for Claude {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut launch = Launch { words: brief.command.clone(), ..Launch::default() };
        if launch.words.is_empty() {
            launch.words.push("claude".to_owned());
        }
        flags(brief, &mut launch)?;
        launch.words.extend(brief.args.iter().cloned());
        launch.pass_env.extend(PASS.map(str::to_owned));
        let mut set = |name: &str, value: String| launch.env.push((name.to_owned(), value));
        QUIET.iter().for_each(|name| set(name, "1".to_owned()));
        if own_config(brief.agent) {
            set("CLAUDE_CONFIG_DIR", brief.folder.display().to_string());
        }
        if let Some(key) = &brief.api_key {
            set("ANTHROPIC_API_KEY", key.clone());
        }
        if let Some(url) = &brief.base_url {
            set("ANTHROPIC_BASE_URL", url.clone());
        }
        if !brief.live {
            launch.stdin = brief.prompt.clone().into_bytes();
        }
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(ClaudeLines::default())
    }

    fn tell_live(&self, from: &str, event: &AgentEvent) -> Option<Vec<u8>> {
        let text = match event {
            AgentEvent::Text { text, parent, .. } if parent.is_empty() && !text.trim().is_empty() => text.clone(),
            AgentEvent::Text { .. } => return None,
            event => aside(event)?,
        };
        let content = json!([{ "type": "text", "text": format!("[{from}] {text}") }]);
        Some(input_line("assistant", content))
    }

    fn task_live(&self, brief: &Brief<'_>) -> Vec<u8> {
        input_line("user", json!([{ "type": "text", "text": brief.prompt }]))
    }
}

/// A line of its input.
fn input_line(role: &str, content: Json) -> Vec<u8> {
    let mut line = json!({ "type": role, "message": { "role": role, "content": content } }).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Its arguments, and the files that they name.
fn flags(brief: &Brief<'_>, launch: &mut Launch) -> Result<(), Failure> {
    let agent = brief.agent;
    let mut add = |words: &[&str]| launch.words.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["-p", "--output-format", "stream-json", "--verbose"]);
    if brief.live {
        add(&["--input-format", "stream-json"]);
    }
    if let Some(model) = &brief.model {
        add(&["--model", model]);
    }
    if let Some(session) = &brief.session {
        // Each attempt goes on from the same place, whatever one before it added.
        add(&["--resume", session, "--fork-session"]);
    }
    let mut denied: Vec<&str> = agent.deny_tools.iter().map(String::as_str).collect();
    match agent.permission {
        Permission::Default => {}
        Permission::Read => {
            add(&["--permission-mode", "default"]);
            denied.extend(EDITS.iter().filter(|tool| !agent.deny_tools.iter().any(|denied| denied == *tool)));
        }
        Permission::Edit => add(&["--permission-mode", "acceptEdits"]),
        Permission::Full => add(&["--permission-mode", "bypassPermissions"]),
    }
    if let Some(tools) = &agent.tools {
        // Which there are, and that they need no yes: nobody is there to give it.
        let mut offered: Vec<&str> = Vec::new();
        for tool in tools.iter().map(|tool| tool.split('(').next().unwrap_or_default().trim()) {
            if !tool.starts_with("mcp__") && !offered.contains(&tool) {
                offered.push(tool);
            }
        }
        add(&["--tools", &offered.join(",")]);
        let reads = agent.permission == Permission::Read;
        let changes = |tool: &str| EDITS.contains(&tool) || tool == "Bash";
        let allowed: Vec<&str> = tools.iter().map(String::as_str).filter(|tool| !(reads && changes(tool))).collect();
        if !allowed.is_empty() {
            add(&["--allowedTools", &allowed.join(",")]);
        }
    }
    if !denied.is_empty() {
        add(&["--disallowedTools", &denied.join(",")]);
    }
    let left = brief.allowance.unwrap_or_default();
    let turns = [agent.max_turns.map(u64::from), left.turns].into_iter().flatten().min();
    if let Some(turns) = turns {
        add(&["--max-turns", &turns.max(1).to_string()]);
    }
    if let Some(usd) = left.usd {
        add(&["--max-budget-usd", &usd.max(0.0).to_string()]);
    }
    if let Some(schema) = brief.schema {
        let schema = as_argument(of_object(schema).to_string()).map_err(|_| {
            cannot("the schema is too long for an argument", "make it shorter, or check the answer with `validate`")
        })?;
        add(&["--json-schema", &schema]);
    }
    if let Some(system) = &brief.system {
        if system.len() < LONGEST_ARGUMENT && !system.contains('\0') {
            add(&["--append-system-prompt", system]);
        } else {
            let path = brief.folder.join("system.md");
            add(&["--append-system-prompt-file", &path.display().to_string()]);
            launch.files.push((path, system.clone().into_bytes()));
        }
    }
    if let Some(servers) = &agent.mcp_servers {
        let path = brief.folder.join("mcp.json");
        launch.words.extend(["--mcp-config".to_owned(), path.display().to_string(), "--strict-mcp-config".to_owned()]);
        launch.files.push((path, json!({ "mcpServers": servers }).to_string().into_bytes()));
    }
    Ok(())
}

/// What it prints.
#[derive(Default)]
pub(super) struct ClaudeLines {
    /// Refused calls that were told.
    denied: HashSet<String>,
    /// The name of the trouble with the model, of the last `assistant` line that has one.
    trouble: String,
    /// Tokens of each message, before there are totals, and whether it is its own and not a sub-agent's: then it is a turn.
    messages: HashMap<String, (Tokens, bool)>,
    /// Turns of results before this one.
    turns: u64,
    /// Tokens of results that do not add up by themselves.
    before: Tokens,
    /// Money, as said last: it adds up by itself.
    cost_usd: Option<f64>,
}

impl Dialect for ClaudeLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let Some(line) = object(line, out) else { return };
        match text(&line, "type") {
            "system" => self.system(&line, out),
            "assistant" => self.assistant(&line, out),
            "user" => user(&line, out),
            "result" => self.result(&line, out),
            // Pieces of what comes whole in the next `assistant` line.
            "stream_event" => {}
            kind => out.push(other(kind, shown(&line))),
        }
    }
}

/// What is worth showing of a line that has no other meaning.
fn shown(line: &Map<String, Json>) -> &str {
    let request = inner(line, "request").unwrap_or(line);
    let keys = ["message", "text", "content", "tool_name", "summary", "error", "status", "subtype"];
    keys.iter().map(|key| text(request, key)).find(|text| !text.is_empty()).unwrap_or_default()
}

impl ClaudeLines {
    fn system(&mut self, line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        match text(line, "subtype") {
            "init" => out.push(AgentEvent::Started {
                session: text(line, "session_id").to_owned(),
                model: text(line, "model").to_owned(),
                version: text(line, "claude_code_version").to_owned(),
                tools: list(line, "tools").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            }),
            "api_retry" => {
                let status = line.get("error_status").and_then(Json::as_u64);
                let reason = [status.map(|status| status.to_string()), Some(text(line, "error").to_owned())];
                out.push(AgentEvent::Retry {
                    attempt: u32::try_from(number(line, "attempt")).unwrap_or(u32::MAX),
                    delay_ms: number(line, "retry_delay_ms"),
                    reason: reason.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
                });
            }
            "permission_denied" => self.denied(line, out),
            kind => out.push(other(format!("system/{kind}"), shown(line))),
        }
    }

    /// A refused call, which is told by a line of its own and again in the result.
    fn denied(&mut self, denial: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let id = text(denial, "tool_use_id");
        if id.is_empty() || self.denied.insert(id.to_owned()) {
            let what = match denial.get("tool_input") {
                Some(input) => what_of(input),
                None => short(text(denial, "message")),
            };
            out.push(AgentEvent::Denied(Denial { tool: text(denial, "tool_name").to_owned(), what }));
        }
    }

    fn assistant(&mut self, line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let parent = text(line, "parent_tool_use_id");
        let Some(message) = inner(line, "message") else {
            out.push(other("assistant", shown(line)));
            return;
        };
        if let Some(error) = line.get("error").filter(|error| !error.is_null()) {
            // The program speaks in place of the model.
            self.trouble = as_text(error);
            let said = as_text(message.get("content").unwrap_or(&Json::Null));
            out.push(other(format!("assistant/{}", self.trouble), &said));
            return;
        }
        if let Some(Json::String(said)) = message.get("content") {
            out.push(AgentEvent::Text { text: said.clone(), delta: false, parent: parent.to_owned() });
        }
        for block in list(message, "content").iter().filter_map(Json::as_object) {
            out.push(match text(block, "type") {
                "text" => {
                    AgentEvent::Text { text: text(block, "text").to_owned(), delta: false, parent: parent.to_owned() }
                }
                "thinking" => AgentEvent::Thinking { text: text(block, "thinking").to_owned(), delta: false },
                "tool_use" | "server_tool_use" | "mcp_tool_use" => AgentEvent::ToolCall {
                    id: text(block, "id").to_owned(),
                    name: text(block, "name").to_owned(),
                    input: block.get("input").cloned().unwrap_or_default(),
                    parent: parent.to_owned(),
                },
                "tool_result" | "web_search_tool_result" | "mcp_tool_result" => tool_result(block),
                kind => other(format!("assistant/{kind}"), text(block, "text")),
            });
        }
        self.message_used(message, parent, out);
    }

    /// The usage in a message is that at its beginning: a lower bound, until a result tells the total.
    fn message_used(&mut self, message: &Map<String, Json>, parent: &str, out: &mut Vec<AgentEvent>) {
        let (Some(usage), id) = (inner(message, "usage"), text(message, "id")) else { return };
        if id.is_empty() {
            return;
        }
        let now = tokens(usage);
        let known = self.messages.insert(id.to_owned(), (now, parent.is_empty()));
        if known.is_none_or(|(known, _)| known != now) {
            let mut total = self.before;
            self.messages.values().for_each(|(more, _)| add(&mut total, more));
            let turns = self.turns + self.messages.values().filter(|(_, own)| *own).count() as u64;
            out.push(AgentEvent::Usage(Usage { cost_usd: self.cost_usd, tokens: total, turns, time_ms: 0 }));
        }
    }

    fn result(&mut self, line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        self.turns += number(line, "num_turns");
        self.messages.clear();
        // `modelUsage` and the money are totals of the process, `usage` is that of the turn and leaves out sub-agents.
        let total = match inner(line, "modelUsage").filter(|models| !models.is_empty()) {
            Some(models) => models.values().filter_map(Json::as_object).fold(Tokens::default(), |mut sum, model| {
                add(&mut sum, &model_tokens(model));
                sum
            }),
            None => {
                let mut sum = self.before;
                add(&mut sum, &inner(line, "usage").map(tokens).unwrap_or_default());
                sum
            }
        };
        self.before = total;
        self.cost_usd = line.get("total_cost_usd").and_then(Json::as_f64).or(self.cost_usd);
        out.push(AgentEvent::Usage(Usage { cost_usd: self.cost_usd, tokens: total, turns: self.turns, time_ms: 0 }));
        list(line, "permission_denials").iter().filter_map(Json::as_object).for_each(|denial| self.denied(denial, out));
        let error = self.error(line);
        let structured = line.get("structured_output").filter(|value| !value.is_null()).cloned();
        let structured = structured.map(inside);
        let said = match (line.get("result").and_then(Json::as_str), &structured) {
            (Some(said), Some(answer)) if inside_text(said).is_some() => Some(answer.to_string()),
            (said, _) => said.map(str::to_owned),
        };
        out.push(AgentEvent::Finished {
            text: said.filter(|_| error.is_none()),
            structured: structured.filter(|_| error.is_none()),
            error,
        });
    }

    /// Why it has no answer. `subtype` alone tells nothing: `success` comes with `is_error` where the model could not be reached.
    fn error(&mut self, line: &Map<String, Json>) -> Option<AgentError> {
        let trouble = std::mem::take(&mut self.trouble);
        let subtype = text(line, "subtype");
        let failed = line.get("is_error").and_then(Json::as_bool).unwrap_or(false) || subtype.starts_with("error");
        if !failed {
            return None;
        }
        let reason = text(line, "terminal_reason");
        let said: Vec<String> = list(line, "errors").iter().map(as_text).filter(|text| !text.is_empty()).collect();
        let message = match (said.is_empty(), text(line, "result")) {
            (false, _) => said.join("; "),
            (true, "") => format!("it ended with `{}`", if reason.is_empty() { subtype } else { reason }),
            (true, result) => result.to_owned(),
        };
        let code = [subtype, trouble.as_str(), reason].into_iter().find(|name| !name.is_empty() && *name != "success");
        Some(AgentError {
            message: short(&message),
            code: code.unwrap_or_default().to_owned(),
            status: line.get("api_error_status").and_then(Json::as_u64).and_then(|status| u16::try_from(status).ok()),
            retry_after_ms: None,
            limit: matches!(subtype, "error_max_turns" | "error_max_budget_usd")
                || matches!(reason, "max_turns" | "budget_exhausted"),
        })
    }
}

fn user(line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
    let content = inner(line, "message").and_then(|message| message.get("content"));
    for block in content.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object) {
        match text(block, "type") {
            "tool_result" => out.push(tool_result(block)),
            kind => out.push(other(format!("user/{kind}"), text(block, "text"))),
        }
    }
    if let Some(Json::String(said)) = content {
        out.push(other("user", said));
    }
}

fn tool_result(block: &Map<String, Json>) -> AgentEvent {
    AgentEvent::ToolResult {
        id: text(block, "tool_use_id").to_owned(),
        output: as_text(block.get("content").unwrap_or(&Json::Null)),
        is_error: block.get("is_error").and_then(Json::as_bool).unwrap_or(false),
    }
}

/// What a call was to do, in short: a command or a file says it.
fn what_of(input: &Json) -> String {
    let named = ["command", "file_path", "path", "url", "query", "pattern"];
    let value = named.iter().find_map(|key| input.get(key)?.as_str()).map(str::to_owned);
    short(&value.unwrap_or_else(|| as_text(input)))
}

/// Tokens as the API counts them.
pub(super) fn tokens(usage: &Map<String, Json>) -> Tokens {
    Tokens {
        input: number(usage, "input_tokens"),
        output: number(usage, "output_tokens"),
        cache_read: number(usage, "cache_read_input_tokens"),
        cache_write: number(usage, "cache_creation_input_tokens"),
        reasoning: inner(usage, "output_tokens_details").map_or(0, |details| number(details, "thinking_tokens")),
    }
}

fn model_tokens(usage: &Map<String, Json>) -> Tokens {
    let count = |key| usage.get(key).map_or(0, whole);
    Tokens {
        input: count("inputTokens"),
        output: count("outputTokens"),
        cache_read: count("cacheReadInputTokens"),
        cache_write: count("cacheCreationInputTokens"),
        reasoning: 0,
    }
}

/// Adds up.
pub(super) fn add(sum: &mut Tokens, more: &Tokens) {
    let mut usage = Usage { tokens: *sum, ..Usage::default() };
    usage += &Usage { tokens: *more, ..Usage::default() };
    *sum = usage.tokens;
}

#[cfg(test)]
mod tests;
