//! The backend `gemini`: `gemini --output-format stream-json`, with the task on standard input.

use serde_json::{Map, json};

use crate::event::{AgentError, AgentEvent, Denial, Failure, Tokens, Usage};
use crate::plan::{Json, Permission};

use super::command::plain_task;
use super::driver::{has_all, own_config};
use super::line::{as_text, inner, number, object, other, said_error, short, text};
use super::{Brief, Dialect, Driver, Errand, Launch};

/// Gemini CLI.
pub(super) struct Gemini;

impl Driver for Gemini {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let agent = brief.agent;
        let mut launch = Launch { words: brief.command.clone(), ..Launch::default() };
        if launch.words.is_empty() {
            launch.words.push("gemini".to_owned());
        }
        let mut add = |words: &[&str]| launch.words.extend(words.iter().map(|word| (*word).to_owned()));
        // Whoever writes the workflow trusts the folder in which it works.
        add(&["--output-format", "stream-json", "--skip-trust"]);
        if let Some(model) = &brief.model {
            add(&["-m", model]);
        }
        match agent.permission {
            Permission::Default => {}
            // Without a person to ask, what changes anything is not even offered.
            Permission::Read => add(&["--approval-mode", "default"]),
            Permission::Edit => add(&["--approval-mode", "auto_edit"]),
            Permission::Full => add(&["--approval-mode", "yolo"]),
        }
        if let Some(session) = &brief.session {
            add(&["--resume", session]);
        }
        launch.words.extend(brief.args.iter().cloned());
        launch.pass_env.extend(
            [
                "GEMINI_*",
                "GOOGLE_API_KEY",
                "GOOGLE_CLOUD_*",
                "GOOGLE_GENAI_*",
                "GOOGLE_GEMINI_*",
                "GOOGLE_APPLICATION_CREDENTIALS",
            ]
            .map(str::to_owned),
        );
        let mut set = |name: &str, value: String| launch.env.push((name.to_owned(), value));
        if own_config(agent) {
            set("GEMINI_CLI_HOME", brief.folder.display().to_string());
            launch.files.push((brief.folder.join(".gemini/settings.json"), settings(brief).to_string().into_bytes()));
        }
        if let Some(key) = &brief.api_key {
            set("GEMINI_API_KEY", key.clone());
        }
        if let Some(url) = &brief.base_url {
            set("GOOGLE_GEMINI_BASE_URL", url.clone());
        }
        launch.stdin = plain_task(brief, brief.system.as_deref()).into_bytes();
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(GeminiLines::default())
    }
}

fn settings(brief: &Brief<'_>) -> Json {
    let agent = brief.agent;
    let mut settings = json!({
        "general": { "enableAutoUpdate": false, "enableAutoUpdateNotification": false },
        "privacy": { "usageStatisticsEnabled": false },
        "telemetry": { "enabled": false },
        "security": { "auth": { "selectedType": "gemini-api-key" } },
    });
    if let Some(tools) = &agent.tools {
        settings["tools"]["core"] = json!(tools);
    }
    if !agent.deny_tools.is_empty() {
        settings["tools"]["exclude"] = json!(agent.deny_tools);
    }
    if let Some(servers) = &agent.mcp_servers {
        settings["mcpServers"] = servers.clone();
    }
    let turns = [agent.max_turns.map(u64::from), brief.allowance.and_then(|left| left.turns)];
    if let Some(turns) = turns.into_iter().flatten().min() {
        settings["model"]["maxSessionTurns"] = json!(turns.max(1));
    }
    settings
}

/// What it prints.
#[derive(Default)]
pub(super) struct GeminiLines {
    /// The last line was a piece of a message.
    speaking: bool,
    /// Something of the model came since the last result of a tool.
    turning: bool,
    turns: u64,
}

impl Dialect for GeminiLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let Some(line) = object(line, out) else { return };
        let kind = text(&line, "type");
        let spoke = std::mem::replace(&mut self.speaking, false);
        match kind {
            "init" => out.push(AgentEvent::Started {
                session: text(&line, "session_id").to_owned(),
                model: text(&line, "model").to_owned(),
                version: String::new(),
                tools: Vec::new(),
            }),
            "message" if text(&line, "role") == "assistant" => {
                self.speaking = true;
                self.turn(out);
                let delta = spoke && line.get("delta").and_then(Json::as_bool).unwrap_or(false);
                out.push(AgentEvent::Text { text: text(&line, "content").to_owned(), delta, parent: String::new() });
            }
            // Its task.
            "message" if text(&line, "role") == "user" => {}
            "tool_use" => {
                self.turn(out);
                out.push(AgentEvent::ToolCall {
                    id: text(&line, "tool_id").to_owned(),
                    name: text(&line, "tool_name").to_owned(),
                    input: line.get("parameters").cloned().unwrap_or_default(),
                    parent: String::new(),
                });
            }
            "tool_result" => {
                self.turning = false;
                self.tool_result(&line, out);
            }
            "result" => self.result(&line, out),
            "error" => out.push(other(format!("error/{}", text(&line, "severity")), text(&line, "message"))),
            kind => out.push(other(kind, [text(&line, "message"), text(&line, "content")].join("").as_str())),
        }
    }
}

impl GeminiLines {
    /// It does not say where its turns begin: each result of a tool is followed by one.
    /// That is told at once, so that an agent which may take so many of them can be ended: its own figures come at its end.
    fn turn(&mut self, out: &mut Vec<AgentEvent>) {
        if !std::mem::replace(&mut self.turning, true) {
            self.turns += 1;
            out.push(AgentEvent::Usage(Usage { turns: self.turns, ..Usage::default() }));
        }
    }

    fn tool_result(&self, line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let error = inner(line, "error");
        let kind = error.map(|error| text(error, "type")).unwrap_or_default();
        let output = match (text(line, "output"), error) {
            ("", Some(error)) => text(error, "message").to_owned(),
            ("", None) => as_text(line.get("output").unwrap_or(&Json::Null)),
            (output, _) => output.to_owned(),
        };
        if matches!(kind.to_ascii_lowercase().as_str(), "policy_violation" | "execution_denied") {
            out.push(AgentEvent::Denied(Denial { tool: text(line, "tool_id").to_owned(), what: short(&output) }));
        }
        let is_error = !matches!(text(line, "status"), "success" | "");
        out.push(AgentEvent::ToolResult { id: text(line, "tool_id").to_owned(), output, is_error });
    }

    fn result(&self, line: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let tokens = inner(line, "stats").map(tokens).unwrap_or_default();
        out.push(AgentEvent::Usage(Usage { cost_usd: None, tokens, turns: self.turns, time_ms: 0 }));
        let error = (text(line, "status") != "success").then(|| {
            let error = inner(line, "error");
            let said = error.map(|error| text(error, "message")).unwrap_or_default();
            let code = error.map(|error| text(error, "type")).unwrap_or_default();
            let unknown = format!("it ended with status `{}`", text(line, "status"));
            let known = said_error(if said.is_empty() { &unknown } else { said });
            let status = error.map(|error| number(error, "code")).and_then(|code| u16::try_from(code).ok());
            AgentError {
                code: if code.is_empty() { known.code } else { code.to_owned() },
                status: status.filter(|code| *code >= 100).or(known.status),
                limit: code == "FatalTurnLimitedError",
                ..known
            }
        });
        out.push(AgentEvent::Finished { text: None, error, structured: None });
    }
}

/// Its total has what the model thought and the others leave out.
fn tokens(stats: &Map<String, Json>) -> Tokens {
    let (read, cached) = (number(stats, "input_tokens"), number(stats, "cached"));
    let said = number(stats, "output_tokens");
    let output = number(stats, "total_tokens").saturating_sub(read).max(said);
    Tokens { input: read.saturating_sub(cached), output, cache_read: cached, cache_write: 0, reasoning: output - said }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{brief, events, finished, launch};
    use super::*;
    use crate::plan::{Agent, AgentConfig, Class};

    #[test]
    fn what_its_flags_cannot_say_is_in_its_settings() {
        let agent = Agent {
            backend: "gemini".into(),
            permission: Permission::Full,
            config: Some(AgentConfig::Own),
            tools: Some(vec!["read_file".into()]),
            deny_tools: vec!["glob".into()],
            max_turns: Some(3),
            mcp_servers: Some(json!({ "db": {} })),
            ..Agent::default()
        };
        let brief = Brief {
            model: Some("flash".into()),
            system: Some("Be brief.".into()),
            base_url: Some("http://h".into()),
            api_key: Some("k".into()),
            ..brief(&agent)
        };
        let launch = launch(&Gemini, &brief);
        assert_eq!(
            launch.words.join(" "),
            "gemini --output-format stream-json --skip-trust -m flash --approval-mode yolo"
        );
        assert_eq!(launch.stdin, b"Be brief.\n\nDo it");
        assert!(launch.env.contains(&("GEMINI_CLI_HOME".into(), "/attempt".into())));
        assert!(launch.env.contains(&("GEMINI_API_KEY".into(), "k".into())));
        assert_eq!(launch.files[0].0, std::path::Path::new("/attempt/.gemini/settings.json"));
        let settings: Json = serde_json::from_slice(&launch.files[0].1).expect("JSON");
        assert_eq!(settings["tools"], json!({ "core": ["read_file"], "exclude": ["glob"] }));
        assert_eq!((&settings["model"]["maxSessionTurns"], &settings["mcpServers"]), (&json!(3), &json!({ "db": {} })));
        let problem = Gemini.errand(&Brief { session: Some("S".into()), ..brief }).err().expect("it cannot");
        assert_eq!(problem.class, Class::Configuration);

        let agent = Agent { config: Some(AgentConfig::User), ..agent };
        let problem = Gemini.errand(&super::super::tests::brief(&agent)).err().expect("it cannot");
        assert!(problem.message.contains("`tools`"), "{}", problem.message);
    }

    #[test]
    fn pieces_are_joined_and_the_answer_comes_after_the_last_tool() {
        let mut events = events(
            GeminiLines::default(),
            &[
                r#"{"type":"init","timestamp":"T","session_id":"S","model":"M"}"#,
                r#"{"type":"message","role":"user","content":"the prompt"}"#,
                r#"{"type":"message","role":"assistant","content":"I ","delta":true}"#,
                r#"{"type":"message","role":"assistant","content":"look","delta":true}"#,
                r#"{"type":"tool_use","tool_name":"run_shell_command","tool_id":"t1","parameters":{"command":"ls"}}"#,
                r#"{"type":"tool_result","tool_id":"t1","status":"error","error":{"type":"POLICY_VIOLATION","message":"not allowed"}}"#,
                r#"{"type":"message","role":"assistant","content":"no","delta":true}"#,
                r#"{"type":"result","status":"success","stats":{"total_tokens":43,"input_tokens":24,"output_tokens":14,"cached":4,"input":20,"tool_calls":1}}"#,
            ],
        );
        let running = |event: &AgentEvent| matches!(event, AgentEvent::Usage(used) if used.tokens == Tokens::default());
        assert_eq!(events.iter().filter(|event| running(event)).count(), 2, "each turn is told as it begins");
        events.retain(|event| !running(event));
        let text = |text: &str, delta| AgentEvent::Text { text: text.into(), delta, parent: String::new() };
        assert_eq!(events[1..3], [text("I ", false), text("look", true)]);
        assert!(matches!(&events[4], AgentEvent::Denied(denial) if denial.what == "not allowed"));
        assert!(matches!(&events[5], AgentEvent::ToolResult { is_error: true, .. }));
        assert_eq!(events[6], text("no", false));
        let AgentEvent::Usage(usage) = &events[7] else { panic!("{events:?}") };
        assert_eq!((usage.turns, usage.tokens.input, usage.tokens.output, usage.tokens.reasoning), (2, 20, 19, 5));
        assert_eq!(usage.tokens.total(), 43);
        assert_eq!(events[8], AgentEvent::Finished { text: None, error: None, structured: None });
    }

    #[test]
    fn a_failure_has_a_type_and_a_limit_is_one() {
        let error = finished(
            GeminiLines::default(),
            &[
                r#"{"type":"error","severity":"warning","message":"slow"}"#,
                r#"{"type":"something_new"}"#,
                r#"{"type":"result","status":"error","error":{"type":"FatalTurnLimitedError","message":"Reached max session turns"}}"#,
            ],
        );
        assert!(error.limit);
        let error = finished(
            GeminiLines::default(),
            &[
                r#"{"type":"result","status":"error","error":{"type":"ApiError","message":"got status: 503 Service Unavailable"}}"#,
            ],
        );
        assert_eq!((error.code.as_str(), error.status, error.limit), ("ApiError", Some(503), false));
        let error = finished(
            GeminiLines::default(),
            &[
                r#"{"type":"result","status":"error","error":{"type":"Error","message":"[API Error: {\"error\":{\"code\":400,\"message\":\"no\"}}]"}}"#,
            ],
        );
        assert_eq!((error.message.as_str(), error.status), ("no", Some(400)));
        assert!(finished(GeminiLines::default(), &[r#"{"type":"result","status":"odd"}"#]).message.contains("`odd`"));
    }
}
