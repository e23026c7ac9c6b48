//! The backend `codex`: `codex exec --json`, with the task on standard input.

use std::collections::HashSet;

use serde_json::{Map, json};

use crate::event::{AgentEvent, Denial, Failure, Tokens, Usage};
use crate::plan::{Json, Permission};

use super::driver::{has_all, own_config};
use super::line::{as_text, inner, list, number, object, other, said_error, short, text};
use super::schema::{inside_text, of_object};
use super::{Brief, Dialect, Driver, Errand, Launch};

/// Codex.
pub(super) struct Codex;

impl Driver for Codex {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut launch = Launch { words: brief.command.clone(), ..Launch::default() };
        if launch.words.is_empty() {
            launch.words.push("codex".to_owned());
        }
        let mut add = |words: &[&str]| launch.words.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["exec", "--json", "--skip-git-repo-check"]);
        add(&["-c", "check_for_update_on_startup=false", "-c", "analytics.enabled=false"]);
        if let Some(model) = &brief.model {
            add(&["-m", model]);
        }
        match brief.agent.permission {
            Permission::Default => {}
            Permission::Read => add(&["-s", "read-only"]),
            Permission::Edit => add(&["-s", "workspace-write"]),
            Permission::Full => add(&["-s", "danger-full-access"]),
        }
        if let Some(system) = &brief.system {
            add(&["-c", &format!("developer_instructions={}", toml(&json!(system)))]);
        }
        if let Some(servers) = &brief.agent.mcp_servers {
            add(&["-c", &format!("mcp_servers={}", toml(servers))]);
        }
        if let Some(url) = &brief.base_url {
            let mut provider = json!({ "name": "flow", "base_url": url, "wire_api": "responses" });
            if brief.api_key.is_some() {
                provider["env_key"] = json!("CODEX_API_KEY");
            }
            add(&["-c", "model_provider=\"flow\"", "-c", &format!("model_providers.flow={}", toml(&provider))]);
        }
        if let Some(schema) = brief.schema {
            let path = brief.folder.join("schema.json");
            add(&["--output-schema", &path.display().to_string()]);
            launch.files.push((path, of_object(schema).to_string().into_bytes()));
        }
        launch.words.extend(brief.args.iter().cloned());
        if let Some(session) = &brief.session {
            launch.words.extend(["resume".to_owned(), session.clone()]);
        }
        launch.words.push("-".to_owned());
        launch.pass_env.extend(["CODEX_HOME", "CODEX_API_KEY", "OPENAI_*"].map(str::to_owned));
        if own_config(brief.agent) {
            launch.env.push(("CODEX_HOME".to_owned(), brief.folder.display().to_string()));
            // It wants the folder to be there.
            launch.files.push((brief.folder.join("config.toml"), Vec::new()));
        }
        if let Some(key) = &brief.api_key {
            launch.env.push(("CODEX_API_KEY".to_owned(), key.clone()));
        }
        launch.stdin = brief.prompt.clone().into_bytes();
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(CodexLines::default())
    }
}

/// A value as TOML on one line. JSON's texts are also TOML's, but for one letter.
fn toml(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let pairs = map.iter().filter(|(_, value)| !value.is_null());
            let pairs = pairs.map(|(key, value)| format!("{}={}", toml(&json!(key)), toml(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(",")),
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

/// What it prints.
#[derive(Default)]
pub(super) struct CodexLines {
    /// Items whose beginning was told.
    begun: HashSet<String>,
    /// The last message: the answer.
    answer: Option<String>,
    /// The last `error` line, which may be nothing but a notice.
    trouble: String,
    /// The last thing was a result of a tool: what comes now is another turn.
    after_tool: bool,
    turns: u64,
    /// What it said last that it has used.
    used: Usage,
}

impl Dialect for CodexLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let Some(line) = object(line, out) else { return };
        match text(&line, "type") {
            "thread.started" => out.push(AgentEvent::Started {
                session: text(&line, "thread_id").to_owned(),
                model: String::new(),
                version: String::new(),
                tools: Vec::new(),
            }),
            "turn.started" => {}
            kind @ ("item.started" | "item.updated" | "item.completed") => match inner(&line, "item") {
                Some(item) => self.item(kind == "item.completed", item, out),
                None => out.push(other(kind, "")),
            },
            "turn.completed" => {
                let tokens = inner(&line, "usage").map(tokens).unwrap_or_default();
                self.used = Usage { cost_usd: None, tokens, turns: self.turns.max(1), time_ms: 0 };
                out.push(AgentEvent::Usage(self.used));
                let structured = self.answer.as_deref().and_then(inside_text);
                let text = structured.as_ref().map(Json::to_string).or_else(|| self.answer.clone());
                out.push(AgentEvent::Finished { text, error: None, structured });
            }
            "turn.failed" => {
                let said = inner(&line, "error").map(|error| text(error, "message")).filter(|said| !said.is_empty());
                let said = said.unwrap_or(&self.trouble);
                let error = said_error(if said.is_empty() { "its turn failed" } else { said });
                out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None });
            }
            "error" => {
                let said = text(&line, "message");
                match said.strip_prefix("Reconnecting...") {
                    Some(which) => out.push(AgentEvent::Retry {
                        attempt: which.trim().split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0),
                        delay_ms: 0,
                        reason: short(said),
                    }),
                    None => out.push(other("error", said)),
                }
                said.clone_into(&mut self.trouble);
            }
            kind => out.push(other(kind, text(&line, "message"))),
        }
    }
}

impl CodexLines {
    fn item(&mut self, complete: bool, item: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let id = text(item, "id");
        match text(item, "type") {
            "agent_message" if complete => {
                self.turn(false, out);
                let said = text(item, "text").to_owned();
                self.answer = Some(said.clone());
                out.push(AgentEvent::Text { text: said, delta: false, parent: String::new() });
            }
            "reasoning" if complete => {
                self.turn(false, out);
                out.push(AgentEvent::Thinking { text: text(item, "text").to_owned(), delta: false });
            }
            "agent_message" | "reasoning" => {}
            kind @ ("command_execution" | "file_change" | "mcp_tool_call" | "web_search" | "collab_tool_call") => {
                if self.begun.insert(id.to_owned()) {
                    self.turn(false, out);
                    out.push(AgentEvent::ToolCall {
                        id: id.to_owned(),
                        name: match kind {
                            "mcp_tool_call" => format!("mcp__{}__{}", text(item, "server"), text(item, "tool")),
                            _ => kind.to_owned(),
                        },
                        input: input(kind, item),
                        parent: String::new(),
                    });
                }
                if complete {
                    self.turn(true, out);
                    self.result(id, kind, item, out);
                }
            }
            // Not a failure: so it says that it does not know the model's name.
            "error" => out.push(other("warning", text(item, "message"))),
            "todo_list" => {
                let items = list(item, "items").iter().filter_map(Json::as_object);
                let done = |item: &Map<String, Json>| item.get("completed").and_then(Json::as_bool).unwrap_or(false);
                let shown: Vec<_> = items
                    .map(|item| format!("[{}] {}", if done(item) { 'x' } else { ' ' }, text(item, "text")))
                    .collect();
                out.push(other("todo_list", &shown.join("\n")));
            }
            kind => out.push(other(format!("item/{kind}"), text(item, "text"))),
        }
    }

    fn result(&mut self, id: &str, kind: &str, item: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let status = text(item, "status");
        if status == "declined" {
            let what = short(&as_text(&input(kind, item)));
            out.push(AgentEvent::Denied(Denial { tool: kind.to_owned(), what }));
        }
        let code = item.get("exit_code").and_then(Json::as_i64);
        let problem = inner(item, "error").map(|error| text(error, "message"));
        let output = match (kind, problem) {
            ("command_execution", _) => text(item, "aggregated_output").to_owned(),
            (_, Some(problem)) => problem.to_owned(),
            ("file_change", None) => String::new(),
            _ => item.get("result").map_or(String::new(), |result| as_text(result.get("content").unwrap_or(result))),
        };
        let is_error = matches!(status, "failed" | "declined") || code.is_some_and(|code| code != 0);
        out.push(AgentEvent::ToolResult { id: id.to_owned(), output, is_error });
    }

    /// Something of the model comes, or a tool is done. It does not say where its turns begin: after a tool is one.
    /// That is told at once, so that an agent which may take so many of them can be ended: its own figures come at its end.
    fn turn(&mut self, tool_done: bool, out: &mut Vec<AgentEvent>) {
        if !tool_done && (self.after_tool || self.turns == 0) {
            self.turns += 1;
            out.push(AgentEvent::Usage(Usage { turns: self.turns, ..self.used }));
        }
        self.after_tool = tool_done;
    }
}

/// What a tool was given.
fn input(kind: &str, item: &Map<String, Json>) -> Json {
    let key = match kind {
        "command_execution" => "command",
        "file_change" => "changes",
        "web_search" => "query",
        "mcp_tool_call" => return item.get("arguments").cloned().unwrap_or_default(),
        _ => return Json::Null,
    };
    json!({ key: item.get(key).cloned().unwrap_or_default() })
}

/// It counts cached tokens among those that it read.
fn tokens(usage: &Map<String, Json>) -> Tokens {
    let cached = number(usage, "cached_input_tokens");
    Tokens {
        input: number(usage, "input_tokens").saturating_sub(cached),
        output: number(usage, "output_tokens"),
        cache_read: cached,
        cache_write: number(usage, "cache_write_input_tokens"),
        reasoning: number(usage, "reasoning_output_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{brief, events, finished, launch};
    use super::*;
    use crate::plan::{Agent, AgentConfig};

    /// Without what it has used while it worked.
    fn read(lines: &[&str]) -> Vec<AgentEvent> {
        let mut events = events(CodexLines::default(), lines);
        events.retain(|event| !matches!(event, AgentEvent::Usage(used) if used.tokens == Tokens::default()));
        events
    }

    #[test]
    fn turns_are_told_as_they_begin() {
        let tool = r#"{"type":"item.completed","item":{"id":"ID","type":"command_execution","command":"ls","aggregated_output":"","exit_code":0,"status":"completed"}}"#;
        let lines: Vec<_> = ["1", "2", "3"].iter().map(|id| tool.replace("ID", id)).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let turns = |event: &AgentEvent| if let AgentEvent::Usage(used) = event { Some(used.turns) } else { None };
        let told: Vec<_> = events(CodexLines::default(), &lines).iter().filter_map(turns).collect();
        assert_eq!(told, [1, 2, 3]);
    }

    #[test]
    fn it_is_called_with_what_the_agent_says() {
        let agent = Agent {
            permission: Permission::Edit,
            config: Some(AgentConfig::Own),
            mcp_servers: Some(json!({ "db": { "command": "db", "args": ["-x"], "env": null } })),
            ..Agent::default()
        };
        let schema = json!({ "type": "object" });
        let launch = launch(
            &Codex,
            &Brief {
                model: Some("gpt".into()),
                system: Some("Be \"brief\".\nYes".into()),
                schema: Some(&schema),
                session: Some("T".into()),
                args: vec!["--oss".into()],
                base_url: Some("http://h/v1".into()),
                api_key: Some("sk-1".into()),
                ..brief(&agent)
            },
        );
        let words = launch.words.join("|");
        for flag in [
            "codex|exec|--json|--skip-git-repo-check|",
            "|-m|gpt|-s|workspace-write|",
            "|developer_instructions=\"Be \\\"brief\\\".\\nYes\"|",
            "|mcp_servers={\"db\"={\"command\"=\"db\",\"args\"=[\"-x\"]}}|",
            "|model_provider=\"flow\"|-c|model_providers.flow={\"name\"=\"flow\",\"base_url\"=\"http://h/v1\",\"wire_api\"=\"responses\",\"env_key\"=\"CODEX_API_KEY\"}|",
            "|--output-schema|/attempt/schema.json|--oss|resume|T|-",
        ] {
            assert!(words.contains(flag), "{flag} in {words}");
        }
        assert!(!words.contains("sk-1"));
        assert_eq!(launch.stdin, b"Do it");
        assert_eq!(launch.env, [("CODEX_HOME".into(), "/attempt".into()), ("CODEX_API_KEY".into(), "sk-1".into())]);
    }

    #[test]
    fn it_cannot_be_told_its_tools() {
        for agent in [
            Agent { backend: "codex".into(), tools: Some(Vec::new()), ..Agent::default() },
            Agent { backend: "codex".into(), deny_tools: vec!["x".into()], ..Agent::default() },
        ] {
            let problem = Codex.errand(&brief(&agent)).err().expect("it cannot");
            assert_eq!(problem.class, crate::plan::Class::Configuration);
        }
    }

    #[test]
    fn the_answer_is_the_last_message() {
        let events = read(&[
            r#"{"type":"thread.started","thread_id":"T"}"#,
            r#"{"type":"turn.started"}"#,
            r#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"I look"}}"#,
            r#"{"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"ls","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"ls","aggregated_output":"a.txt\n","exit_code":2,"status":"failed"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_2","type":"reasoning","text":"hm"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_3","type":"file_change","changes":[{"path":"a","kind":"add"}],"status":"completed"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_4","type":"agent_message","text":"final"}}"#,
            r#"{"type":"turn.completed","usage":{"input_tokens":24,"cached_input_tokens":4,"cache_write_input_tokens":0,"output_tokens":14,"reasoning_output_tokens":3}}"#,
        ]);
        assert!(matches!(&events[0], AgentEvent::Started { session, .. } if session == "T"));
        assert!(
            matches!(&events[2], AgentEvent::ToolCall { name, input, .. } if name == "command_execution" && input["command"] == "ls")
        );
        assert!(matches!(&events[3], AgentEvent::ToolResult { output, is_error: true, .. } if output == "a.txt\n"));
        assert!(matches!(&events[5], AgentEvent::ToolCall { name, .. } if name == "file_change"));
        assert!(matches!(&events[6], AgentEvent::ToolResult { is_error: false, .. }));
        let AgentEvent::Usage(usage) = &events[8] else { panic!("{events:?}") };
        assert_eq!((usage.cost_usd, usage.tokens.input, usage.tokens.total(), usage.turns), (None, 20, 38, 3));
        assert_eq!(events[9], AgentEvent::Finished { text: Some("final".into()), error: None, structured: None });
    }

    #[test]
    fn an_answer_that_is_no_object_is_taken_out_of_one() {
        let mut events = read(&[
            r#"{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"{\"flow_answer\":[1]}"}}"#,
            r#"{"type":"turn.completed"}"#,
        ]);
        let end = AgentEvent::Finished { text: Some("[1]".into()), error: None, structured: Some(json!([1])) };
        assert_eq!(events.pop(), Some(end));
    }

    #[test]
    fn notices_and_warnings_are_no_failures() {
        let events = read(&[
            r#"{"type":"error","message":"Reconnecting... 2/5 (stream disconnected)"}"#,
            r#"{"type":"item.completed","item":{"id":"i","type":"error","message":"no metadata for model"}}"#,
            r#"{"type":"item.updated","item":{"id":"t","type":"todo_list","items":[{"text":"a","completed":true},{"text":"b","completed":false}]}}"#,
            r#"{"type":"thread.invented"}"#,
            r#"{"type":"item.completed","item":{"type":"hologram"}}"#,
            r#"{"type":"item.completed"}"#,
            r#"{"type":"error","message":"something"}"#,
        ]);
        assert!(matches!(&events[0], AgentEvent::Retry { attempt: 2, .. }));
        let other = |what: &str, text: &str| AgentEvent::Other { what: what.into(), text: text.into() };
        assert_eq!(events[1], other("warning", "no metadata for model"));
        assert_eq!(events[2], other("todo_list", "[x] a\n[ ] b"));
        assert_eq!(
            events[3..6],
            [other("thread.invented", ""), other("item/hologram", ""), other("item.completed", "")]
        );
        assert_eq!(events[6], other("error", "something"));
    }

    #[test]
    fn a_failed_turn_says_why() {
        let error = finished(
            CodexLines::default(),
            &[
                r#"{"type":"error","message":"{\"error\": {\"message\": \"the stub refuses\", \"type\": \"invalid_request_error\"}}"}"#,
                r#"{"type":"turn.failed","error":{"message":"{\"error\": {\"message\": \"the stub refuses\", \"type\": \"invalid_request_error\"}}"}}"#,
            ],
        );
        assert_eq!((error.message.as_str(), error.code.as_str()), ("the stub refuses", "invalid_request_error"));
        let error = finished(
            CodexLines::default(),
            &[
                r#"{"type":"turn.failed","error":{"message":"exceeded retry limit, last status: 429 Too Many Requests"}}"#,
            ],
        );
        assert_eq!(error.status, Some(429));
        assert!(!finished(CodexLines::default(), &[r#"{"type":"turn.failed"}"#]).message.is_empty());
    }

    #[test]
    fn a_refused_command_is_a_denial() {
        let events = read(&[
            r#"{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"rm x","aggregated_output":"","exit_code":null,"status":"declined"}}"#,
            r#"{"type":"item.completed","item":{"id":"m","type":"mcp_tool_call","server":"db","tool":"query","arguments":{"q":1},"result":{"content":[{"type":"text","text":"42"}]},"error":null,"status":"completed"}}"#,
        ]);
        assert!(matches!(&events[1], AgentEvent::Denied(denial) if denial.what.contains("rm x")));
        assert!(matches!(&events[2], AgentEvent::ToolResult { is_error: true, .. }));
        assert!(matches!(&events[3], AgentEvent::ToolCall { name, .. } if name == "mcp__db__query"));
        assert!(matches!(&events[4], AgentEvent::ToolResult { output, .. } if output == "42"));
    }
}
