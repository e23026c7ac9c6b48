//! The backend `opencode`: `opencode run --format json`, with the task on standard input. What it has no flag for goes by its settings, which it
//! takes from a variable above all others.

use serde_json::{Map, json};

use crate::event::{AgentError, AgentEvent, Denial, Failure, Tokens, Usage};
use crate::plan::{Json, Permission};

use super::claude::add;
use super::driver::{cannot, has_all, own_config};
use super::line::{inner, number, object, other, short, text};
use super::{Brief, Dialect, Driver, Errand, Launch};

/// opencode.
pub(super) struct Opencode;

/// The provider that stands for a `base_url`.
const PROVIDER: &str = "flow";

impl Driver for Opencode {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut launch = Launch { words: brief.command.clone(), ..Launch::default() };
        if launch.words.is_empty() {
            launch.words.push("opencode".to_owned());
        }
        let mut settings = settings(brief);
        let mut add = |words: &[&str]| launch.words.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["run", "--format", "json"]);
        if let Some(url) = &brief.base_url {
            let model = brief.model.as_deref().unwrap_or_default();
            let model = model.strip_prefix("flow/").unwrap_or(model);
            let mut options = json!({ "baseURL": url });
            if brief.api_key.is_some() {
                options["apiKey"] = json!("{env:FLOW_AGENT_API_KEY}");
            }
            settings["provider"][PROVIDER] = json!({
                "npm": "@ai-sdk/openai-compatible",
                "name": PROVIDER,
                "options": options,
                "models": { model: { "name": model } },
            });
            add(&["-m", &format!("{PROVIDER}/{model}")]);
        } else if let Some(model) = &brief.model {
            add(&["-m", model]);
            if brief.api_key.is_some() {
                let Some((provider, _)) = model.split_once('/') else {
                    return Err(cannot(
                        format!(
                            "whose key the agent `{}` has cannot be seen from the model `{model}`",
                            brief.agent.name
                        ),
                        "name the provider, too: `model: \"anthropic/claude-sonnet-4\"`",
                    ));
                };
                settings["provider"][provider]["options"]["apiKey"] = json!("{env:FLOW_AGENT_API_KEY}");
            }
        }
        if brief.agent.permission == Permission::Full {
            add(&["--auto"]);
        }
        if let Some(session) = &brief.session {
            add(&["-s", session, "--fork"]);
        }
        launch.words.extend(brief.args.iter().cloned());
        launch.pass_env.extend(["OPENCODE_*", "OPENAI_*", "ANTHROPIC_*", "GEMINI_API_KEY"].map(str::to_owned));
        let mut set = |name: &str, value: String| launch.env.push((name.to_owned(), value));
        set("OPENCODE_DISABLE_AUTOUPDATE", "1".to_owned());
        set("OPENCODE_CONFIG_CONTENT", settings.to_string());
        if let Some(key) = &brief.api_key {
            set("FLOW_AGENT_API_KEY", key.clone());
        }
        if own_config(brief.agent) {
            for (name, folder) in
                [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state")]
            {
                set(name, brief.folder.join(folder).display().to_string());
            }
        }
        if let Some(system) = &brief.system {
            launch.files.push((brief.folder.join("system.md"), system.clone().into_bytes()));
        }
        launch.stdin = brief.prompt.clone().into_bytes();
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(OpencodeLines::default())
    }
}

fn settings(brief: &Brief<'_>) -> Json {
    let agent = brief.agent;
    let mut settings = json!({ "autoupdate": false, "share": "disabled" });
    if brief.system.is_some() {
        settings["instructions"] = json!([brief.folder.join("system.md").display().to_string()]);
    }
    match agent.permission {
        Permission::Default => {}
        Permission::Read => settings["permission"] = json!({ "edit": "deny", "bash": "deny" }),
        Permission::Edit => settings["permission"] = json!({ "edit": "allow", "bash": "deny" }),
        Permission::Full => settings["permission"] = json!({ "edit": "allow", "bash": "allow", "webfetch": "allow" }),
    }
    // `build` is the agent that it is if nothing else is said.
    let mut build = Map::new();
    let mut tools = Map::new();
    if let Some(offered) = &agent.tools {
        tools.insert("*".to_owned(), json!(false));
        tools.extend(offered.iter().map(|tool| (tool.clone(), json!(true))));
    }
    tools.extend(agent.deny_tools.iter().map(|tool| (tool.clone(), json!(false))));
    if !tools.is_empty() {
        build.insert("tools".to_owned(), Json::Object(tools));
    }
    let turns = [agent.max_turns.map(u64::from), brief.allowance.and_then(|left| left.turns)];
    if let Some(turns) = turns.into_iter().flatten().min() {
        build.insert("steps".to_owned(), json!(turns.max(1)));
    }
    if !build.is_empty() {
        settings["agent"] = json!({ "build": build });
    }
    if let Some(servers) = &agent.mcp_servers {
        settings["mcp"] = servers.clone();
    }
    settings
}

/// What it prints. It has no closing line: a step whose reason is not that a tool was called is the last one.
#[derive(Default)]
pub(super) struct OpencodeLines {
    begun: bool,
    used: Usage,
}

impl Dialect for OpencodeLines {
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let Some(line) = object(line, out) else { return };
        let session = text(&line, "sessionID");
        if !self.begun && !session.is_empty() {
            self.begun = true;
            out.push(AgentEvent::Started {
                session: session.to_owned(),
                model: String::new(),
                version: String::new(),
                tools: Vec::new(),
            });
        }
        let empty = Map::new();
        let part = inner(&line, "part").unwrap_or(&empty);
        match text(&line, "type") {
            "step_start" => {}
            "text" => {
                out.push(AgentEvent::Text { text: text(part, "text").to_owned(), delta: false, parent: String::new() })
            }
            "reasoning" => out.push(AgentEvent::Thinking { text: text(part, "text").to_owned(), delta: false }),
            "tool_use" => tool(part, out),
            "step_finish" => self.step(part, out),
            "error" => {
                let error = inner(&line, "error").map(error).unwrap_or_default();
                out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None });
            }
            kind => out.push(other(kind, text(part, "text"))),
        }
    }
}

impl OpencodeLines {
    /// Its figures are those of the step: they add up.
    fn step(&mut self, part: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        if let Some(tokens) = inner(part, "tokens") {
            let cache = inner(tokens, "cache");
            let count = |key| cache.map_or(0, |cache| number(cache, key));
            let reasoning = number(tokens, "reasoning");
            add(
                &mut self.used.tokens,
                &Tokens {
                    input: number(tokens, "input"),
                    output: number(tokens, "output") + reasoning,
                    cache_read: count("read"),
                    cache_write: count("write"),
                    reasoning,
                },
            );
        }
        if let Some(cost) = part.get("cost").and_then(Json::as_f64) {
            *self.used.cost_usd.get_or_insert_default() += cost;
        }
        self.used.turns += 1;
        out.push(AgentEvent::Usage(self.used));
        let error = match text(part, "reason") {
            "tool-calls" => return,
            "stop" => None,
            reason => Some(AgentError {
                message: match reason {
                    "length" => "the model may write no more tokens in an answer".to_owned(),
                    "content-filter" => "the answer was held back by a filter".to_owned(),
                    other => format!("it ended with the reason `{other}`"),
                },
                code: reason.to_owned(),
                limit: reason == "length",
                ..AgentError::default()
            }),
        };
        out.push(AgentEvent::Finished { text: None, error, structured: None });
    }
}

/// A call together with its result.
fn tool(part: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
    let empty = Map::new();
    let state = inner(part, "state").unwrap_or(&empty);
    let id = text(part, "callID").to_owned();
    let name = text(part, "tool").to_owned();
    let input = state.get("input").cloned().unwrap_or_default();
    out.push(AgentEvent::ToolCall { id: id.clone(), name: name.clone(), input, parent: String::new() });
    let failed = text(state, "status") == "error";
    let output = if failed { text(state, "error") } else { text(state, "output") };
    let refused = output.contains("rejected permission") || output.contains("rule which prevents");
    if failed && refused {
        out.push(AgentEvent::Denied(Denial { tool: name, what: short(output) }));
    }
    let code = inner(state, "metadata").and_then(|metadata| metadata.get("exit")).and_then(Json::as_i64);
    let is_error = failed || code.is_some_and(|code| code != 0);
    out.push(AgentEvent::ToolResult { id, output: output.to_owned(), is_error });
}

fn error(error: &Map<String, Json>) -> AgentError {
    let empty = Map::new();
    let data = inner(error, "data").unwrap_or(&empty);
    let said = [text(data, "message"), text(error, "message"), text(error, "name")];
    let after = inner(data, "responseHeaders")
        .map(|headers| text(headers, "retry-after"))
        .and_then(|after| after.parse::<u64>().ok());
    AgentError {
        message: said.into_iter().find(|said| !said.is_empty()).map_or_else(|| "it failed".to_owned(), short),
        code: text(error, "name").to_owned(),
        status: data.get("statusCode").and_then(Json::as_u64).and_then(|status| u16::try_from(status).ok()),
        retry_after_ms: after.map(|seconds| seconds * 1000),
        limit: text(error, "name") == "MessageOutputLengthError",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{brief, events, finished, launch};
    use super::*;
    use crate::plan::{Agent, AgentConfig};

    fn variable(launch: &Launch, name: &str) -> String {
        launch.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    #[test]
    fn its_settings_come_in_a_variable() {
        let agent = Agent {
            backend: "opencode".into(),
            permission: Permission::Read,
            config: Some(AgentConfig::Own),
            tools: Some(vec!["read".into(), "bash".into()]),
            deny_tools: vec!["bash".into()],
            max_turns: Some(3),
            ..Agent::default()
        };
        let brief = Brief {
            model: Some("m1".into()),
            system: Some("Be brief.".into()),
            base_url: Some("http://h/v1".into()),
            api_key: Some("k".into()),
            ..brief(&agent)
        };
        let launch = launch(&Opencode, &brief);
        assert_eq!(launch.words.join(" "), "opencode run --format json -m flow/m1");
        let settings = variable(&launch, "OPENCODE_CONFIG_CONTENT");
        assert!(!settings.contains("\"k\""), "{settings}");
        let settings: Json = serde_json::from_str(&settings).expect("JSON");
        assert_eq!(
            settings["provider"]["flow"]["options"],
            json!({ "baseURL": "http://h/v1", "apiKey": "{env:FLOW_AGENT_API_KEY}" })
        );
        assert_eq!(
            settings["agent"]["build"],
            json!({ "tools": { "*": false, "read": true, "bash": false }, "steps": 3 })
        );
        assert_eq!(settings["permission"]["edit"], "deny");
        assert_eq!(settings["instructions"], json!(["/attempt/system.md"]));
        assert_eq!(variable(&launch, "XDG_DATA_HOME"), "/attempt/data");
        assert_eq!(variable(&launch, "FLOW_AGENT_API_KEY"), "k");
        for wrong in
            [Brief { base_url: None, ..brief_of(&brief) }, Brief { session: Some("S".into()), ..brief_of(&brief) }]
        {
            assert!(Opencode.errand(&wrong).err().expect("it cannot").help.is_some());
        }
    }

    fn brief_of<'a>(brief: &Brief<'a>) -> Brief<'a> {
        Brief {
            model: brief.model.clone(),
            base_url: brief.base_url.clone(),
            api_key: brief.api_key.clone(),
            ..super::super::tests::brief(brief.agent)
        }
    }

    const STEP: &str = r#"{"type":"step_finish","sessionID":"S","part":{"type":"step-finish","reason":"REASON","tokens":{"total":23,"input":12,"output":7,"reasoning":1,"cache":{"write":1,"read":2}},"cost":0.25}}"#;

    #[test]
    fn costs_and_tokens_of_steps_add_up() {
        let events = events(
            OpencodeLines::default(),
            &[
                r#"{"type":"step_start","timestamp":1,"sessionID":"S","part":{"type":"step-start"}}"#,
                r#"{"type":"tool_use","sessionID":"S","part":{"type":"tool","tool":"bash","callID":"c1","state":{"status":"completed","input":{"command":"ls"},"output":"a.txt\n","metadata":{"exit":0}}}}"#,
                &STEP.replace("REASON", "tool-calls"),
                r#"{"type":"text","sessionID":"S","part":{"type":"text","text":"final text"}}"#,
                &STEP.replace("REASON", "stop"),
            ],
        );
        assert!(matches!(&events[0], AgentEvent::Started { session, .. } if session == "S"));
        assert!(matches!(&events[1], AgentEvent::ToolCall { name, .. } if name == "bash"));
        assert!(matches!(&events[2], AgentEvent::ToolResult { output, is_error: false, .. } if output == "a.txt\n"));
        assert!(matches!(&events[3], AgentEvent::Usage(usage) if usage.turns == 1));
        let AgentEvent::Usage(usage) = &events[5] else { panic!("{events:?}") };
        assert_eq!((usage.cost_usd, usage.turns, usage.tokens.total(), usage.tokens.output), (Some(0.5), 2, 46, 16));
        assert_eq!(events[6], AgentEvent::Finished { text: None, error: None, structured: None });
        assert_eq!(events.len(), 7);
    }

    #[test]
    fn other_ends_are_failures() {
        let error = finished(OpencodeLines::default(), &[&STEP.replace("REASON", "length")]);
        assert!(error.limit);
        let error = finished(OpencodeLines::default(), &[&STEP.replace("REASON", "strange")]);
        assert!(error.message.contains("`strange`"));
        let error = finished(
            OpencodeLines::default(),
            &[
                r#"{"type":"something_new","sessionID":"S"}"#,
                r#"{"type":"error","error":{"name":"APIError","data":{"message":"too many","statusCode":429,"isRetryable":true,"responseHeaders":{"retry-after":"7"}}}}"#,
            ],
        );
        assert_eq!((error.message.as_str(), error.code.as_str()), ("too many", "APIError"));
        assert_eq!((error.status, error.retry_after_ms), (Some(429), Some(7000)));
        let events = events(
            OpencodeLines::default(),
            &[
                r#"{"type":"tool_use","part":{"tool":"edit","callID":"c","state":{"status":"error","error":"The user rejected permission to use this specific tool call."}}}"#,
            ],
        );
        assert!(matches!(&events[1], AgentEvent::Denied(denial) if denial.tool == "edit"));
        assert!(matches!(&events[2], AgentEvent::ToolResult { is_error: true, .. }));
    }
}
