use std::path::Path;

use crate::event::Verdict;
use crate::plan::{Agent, AgentConfig, Budget};

use super::super::tests::{self as of_all, brief};
use super::*;

fn launch(brief: &Brief<'_>) -> Launch {
    of_all::launch(&Claude, brief)
}

/// The events of these lines.
fn events(lines: &[&str]) -> Vec<AgentEvent> {
    of_all::events(ClaudeLines::default(), lines)
}

fn finished(lines: &[&str]) -> (Option<String>, Option<AgentError>, Option<Json>) {
    match events(lines).pop() {
        Some(AgentEvent::Finished { text, error, structured }) => (text, error, structured),
        other => panic!("not finished: {other:?}"),
    }
}

#[test]
fn the_task_goes_by_standard_input() {
    let agent = Agent::default();
    let launch = launch(&brief(&agent));
    assert_eq!(launch.words, ["claude", "-p", "--output-format", "stream-json", "--verbose"]);
    assert_eq!(launch.stdin, b"Do it");
    assert!(launch.env.iter().all(|(_, value)| value == "1"), "{:?}", launch.env);
    assert!(launch.pass_env.iter().any(|name| name == "ANTHROPIC_*"));
    assert!(!launch.pass_env.iter().any(|name| name == "CLAUDECODE" || name == "*"));
}

#[test]
fn all_that_an_agent_says_becomes_a_flag() {
    let agent = Agent {
        permission: Permission::Edit,
        tools: Some(vec!["Read".into(), "Bash(git diff:*)".into(), "Bash(git log:*)".into(), "mcp__db__query".into()]),
        deny_tools: vec!["WebFetch".into()],
        max_turns: Some(9),
        mcp_servers: Some(json!({ "db": { "command": "db" } })),
        ..Agent::default()
    };
    let schema = json!({ "type": "object" });
    let launch = launch(&Brief {
        model: Some("sonnet".into()),
        system: Some("Be brief.".into()),
        schema: Some(&schema),
        session: Some("S".into()),
        args: vec!["--effort".into(), "low".into()],
        base_url: Some("http://127.0.0.1:1".into()),
        allowance: Some(Budget { usd: Some(0.5), turns: Some(4), ..Budget::default() }),
        ..brief(&agent)
    });
    let words = launch.words.join("|");
    for flag in [
        "|--model|sonnet|",
        "|--resume|S|--fork-session|",
        "|--permission-mode|acceptEdits|",
        "|--tools|Read,Bash|--allowedTools|Read,Bash(git diff:*),Bash(git log:*),mcp__db__query|",
        "|--disallowedTools|WebFetch|",
        "|--max-turns|4|",
        "|--max-budget-usd|0.5|",
        "|--json-schema|{\"type\":\"object\"}|",
        "|--append-system-prompt|Be brief.|",
        "|--mcp-config|/attempt/mcp.json|--strict-mcp-config|",
    ] {
        assert!(words.contains(flag), "{flag} in {words}");
    }
    assert!(words.ends_with("|--effort|low"), "{words}");
    assert_eq!(launch.files[0].1, br#"{"mcpServers":{"db":{"command":"db"}}}"#);
    assert!(launch.env.contains(&("ANTHROPIC_BASE_URL".into(), "http://127.0.0.1:1".into())));
    assert!(!launch.env.iter().any(|(name, _)| name == "CLAUDE_CONFIG_DIR"));
}

#[test]
fn a_key_is_only_in_the_environment_and_brings_settings_of_its_own() {
    let agent =
        Agent { backend: "claude".into(), api_key: Some(crate::plan::Value::Plain(Json::Null)), ..Agent::default() };
    let with_key = Brief { api_key: Some("sk-1".into()), ..brief(&agent) };
    let launch = launch(&with_key);
    assert!(launch.env.contains(&("ANTHROPIC_API_KEY".into(), "sk-1".into())));
    assert!(launch.env.contains(&("CLAUDE_CONFIG_DIR".into(), "/attempt".into())));
    assert!(!launch.words.iter().any(|word| word.contains("sk-1")));

    let problem = Claude.errand(&Brief { session: Some("S".into()), ..with_key });
    let Err(problem) = problem else { panic!("a conversation is not there") };
    assert_eq!(problem.class, crate::plan::Class::Configuration);
    assert!(problem.help.is_some_and(|help| help.contains("config: \"user\"")));
    let agent = Agent { config: Some(AgentConfig::User), ..agent };
    assert!(Claude.errand(&Brief { session: Some("S".into()), ..brief(&agent) }).is_ok());
}

#[test]
fn who_only_reads_is_not_given_what_changes_files() {
    let tools = ["Read", "Edit", "Bash", "Bash(git diff:*)"].map(str::to_owned).to_vec();
    let agent = Agent { permission: Permission::Read, tools: Some(tools), ..Agent::default() };
    let words = launch(&brief(&agent)).words.join("|");
    assert!(words.contains("|--allowedTools|Read,Bash(git diff:*)|"), "{words}");
    assert!(words.contains("|--disallowedTools|Edit,Write,NotebookEdit"), "{words}");
}

#[test]
fn a_long_text_is_no_argument() {
    let agent = Agent::default();
    let long = "x".repeat(200_000);
    let launch = launch(&Brief { system: Some(long.clone()), prompt: long.clone(), ..brief(&agent) });
    assert!(launch.words.iter().all(|word| word.len() < 1000));
    assert_eq!(launch.files[0].0, Path::new("/attempt/system.md"));
    assert_eq!(launch.stdin.len(), 200_000);
    let schema = json!({ "description": long });
    assert!(Claude.errand(&Brief { schema: Some(&schema), ..brief(&agent) }).is_err());
}

#[test]
fn live_what_others_say_comes_before_the_task() {
    let agent = Agent::default();
    let live = Brief { live: true, ..brief(&agent) };
    let launch = launch(&live);
    assert!(launch.words.join(" ").contains("--input-format stream-json"));
    let said = AgentEvent::Text { text: "The bug is in a.rs".into(), delta: false, parent: String::new() };
    let told = Claude.tell_live("finder", &said).expect("a text is told");
    assert_eq!(
        String::from_utf8(told).expect("text"),
        "{\"type\":\"assistant\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"[finder] The bug is in a.rs\"}]}}\n"
    );
    let inner = AgentEvent::Text { text: "x".into(), delta: false, parent: "toolu_1".into() };
    assert!(Claude.tell_live("finder", &inner).is_none());
    assert!(Claude.task_live(&live).starts_with(b"{\"type\":\"user\",\"message\":{\"role\":\"user\""));
}

#[test]
fn an_answer_with_a_tool() {
    let events = events(&[
        r#"{"type":"system","subtype":"init","cwd":"/w","session_id":"S","tools":["Bash","Read"],"model":"M","claude_code_version":"2.1.0","uuid":"U"}"#,
        r#"{"type":"assistant","message":{"id":"msg_1","role":"assistant","content":[{"type":"thinking","thinking":"hm"}],"usage":{"input_tokens":12,"output_tokens":1}},"parent_tool_use_id":null,"session_id":"S"}"#,
        r#"{"type":"assistant","message":{"id":"msg_1","role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"command":"ls"}}],"usage":{"input_tokens":12,"output_tokens":1}},"session_id":"S"}"#,
        r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"a.txt"},{"type":"text","text":"b.txt"}],"is_error":false}]}}"#,
        r#"{"type":"assistant","message":{"id":"msg_2","role":"assistant","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},"parent_tool_use_id":null}"#,
        r#"{"total_cost_usd":0.0005,"type":"result","subtype":"success","is_error":false,"num_turns":2,"result":"two","usage":{"input_tokens":24,"output_tokens":14,"cache_read_input_tokens":3},"permission_denials":[]}"#,
    ]);
    assert_eq!(
        events[0],
        AgentEvent::Started {
            session: "S".into(),
            model: "M".into(),
            version: "2.1.0".into(),
            tools: vec!["Bash".into(), "Read".into()]
        }
    );
    assert_eq!(events[1], AgentEvent::Thinking { text: "hm".into(), delta: false });
    assert!(matches!(&events[2], AgentEvent::Usage(usage) if usage.tokens.input == 12 && usage.turns == 1));
    assert!(
        matches!(&events[3], AgentEvent::ToolCall { name, input, .. } if name == "Bash" && input["command"] == "ls")
    );
    assert!(matches!(&events[4], AgentEvent::ToolResult { output, is_error: false, .. } if output == "a.txt\nb.txt"));
    assert!(matches!(&events[5], AgentEvent::Text { text, .. } if text == "one"));
    assert!(matches!(&events[6], AgentEvent::Text { text, .. } if text == "two"));
    let AgentEvent::Usage(usage) = &events[7] else { panic!("{:?}", events[7]) };
    assert_eq!((usage.cost_usd, usage.turns, usage.tokens.total()), (Some(0.0005), 2, 41));
    assert_eq!(events[8], AgentEvent::Finished { text: Some("two".into()), error: None, structured: None });
    assert_eq!(events.len(), 9);
    assert_eq!(Verdict::default(), Verdict::Finished);
}

#[test]
fn success_with_is_error_is_none() {
    let (text, error, _) = finished(&[
        r#"{"type":"assistant","message":{"id":"m","model":"<synthetic>","role":"assistant","content":[{"type":"text","text":"API Error: 529 overloaded"}]},"error":"overloaded"}"#,
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"API Error: 529 overloaded","num_turns":1}"#,
    ]);
    let error = error.expect("it is one");
    assert_eq!(text, None);
    assert_eq!((error.status, error.code.as_str(), error.limit), (Some(529), "overloaded", false));
    assert!(error.message.contains("overloaded"));
}

#[test]
fn errors_have_no_text_and_tell_of_limits() {
    for (subtype, limit) in [
        ("error_max_turns", true),
        ("error_max_budget_usd", true),
        ("error_during_execution", false),
        ("error_max_structured_output_retries", false),
        ("error_of_another_year", false),
    ] {
        // Some versions say `is_error: false` with these.
        let line = format!(r#"{{"type":"result","subtype":"{subtype}","is_error":false,"errors":["why","and why"]}}"#);
        let (text, error, _) = finished(&[&line]);
        let error = error.expect(subtype);
        assert_eq!((text, error.message.as_str(), error.limit), (None, "why; and why", limit), "{subtype}");
        assert_eq!(error.code, subtype);
    }
    let (_, error, _) = finished(&[
        r#"{"type":"result","subtype":"error_during_execution","is_error":true,"terminal_reason":"aborted_streaming"}"#,
    ]);
    assert_eq!(error.expect("an error").message, "it ended with `aborted_streaming`");
}

#[test]
fn refused_tools_are_told_once() {
    let events = events(&[
        r#"{"type":"system","subtype":"permission_denied","tool_name":"Bash","tool_use_id":"t1","tool_input":{"command":"rm x"}}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"result":"no","permission_denials":[{"tool_name":"Bash","tool_use_id":"t1","tool_input":{"command":"rm x"}},{"tool_name":"Write","tool_use_id":"t2","tool_input":{"file_path":"/w/a","content":"long"}}]}"#,
    ]);
    let denials: Vec<_> = events.iter().filter(|event| matches!(event, AgentEvent::Denied(_))).collect();
    let denial = |tool: &str, what: &str| AgentEvent::Denied(Denial { tool: tool.into(), what: what.into() });
    assert_eq!(denials, [&denial("Bash", "rm x"), &denial("Write", "/w/a")]);
}

#[test]
fn money_and_models_are_totals_turns_add_up() {
    let result = |cost: f64, input: u64| {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":false,"num_turns":2,"result":"x","total_cost_usd":{cost},"usage":{{"input_tokens":1}},"modelUsage":{{"A":{{"inputTokens":{input},"outputTokens":5,"costUSD":1}},"B":{{"inputTokens":1,"cacheReadInputTokens":2}}}}}}"#
        )
    };
    let mut events = events(&[&result(0.25, 10), &result(0.5, 30)]);
    events.retain(|event| matches!(event, AgentEvent::Usage(_)));
    let Some(AgentEvent::Usage(usage)) = events.pop() else { panic!("no usage") };
    assert_eq!((usage.cost_usd, usage.tokens.input, usage.tokens.total(), usage.turns), (Some(0.5), 31, 38, 4));
}

#[test]
fn without_models_the_usage_of_results_adds_up() {
    let result = r#"{"type":"result","subtype":"success","result":"x","usage":{"input_tokens":10,"output_tokens":2}}"#;
    let mut events = events(&[result, result]);
    events.retain(|event| matches!(event, AgentEvent::Usage(_)));
    assert!(matches!(events.last(), Some(AgentEvent::Usage(usage)) if usage.tokens.total() == 24));
}

#[test]
fn retries_say_when_and_why() {
    let events = events(&[
        r#"{"type":"system","subtype":"api_retry","attempt":3,"max_retries":10,"retry_delay_ms":2048.5,"error_status":529,"error":"overloaded"}"#,
    ]);
    assert_eq!(events, [AgentEvent::Retry { attempt: 3, delay_ms: 2048, reason: "529 overloaded".into() }]);
}

#[test]
fn a_checked_answer_comes_as_json() {
    let (text, error, structured) = finished(&[
        r#"{"type":"result","subtype":"success","is_error":false,"result":"{\"a\":1}","structured_output":{"a":1}}"#,
    ]);
    assert_eq!((text.as_deref(), error, structured), (Some("{\"a\":1}"), None, Some(json!({ "a": 1 }))));
}

#[test]
fn sub_agents_name_the_call_that_they_work_for() {
    let events = events(&[
        r#"{"type":"assistant","message":{"content":[{"type":"text","text":"inner"},{"type":"tool_use","id":"t2","name":"Read","input":{}}]},"parent_tool_use_id":"t1"}"#,
    ]);
    assert!(matches!(&events[0], AgentEvent::Text { parent, .. } if parent == "t1"));
    assert!(matches!(&events[1], AgentEvent::ToolCall { parent, .. } if parent == "t1"));
}

#[test]
fn what_is_new_is_passed_on_and_nothing_fails() {
    let long = format!(
        r#"{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"t","content":"{}"}}]}}}}"#,
        "x".repeat(3_000_000)
    );
    let events = events(&[
        "",
        "   \r",
        "\u{feff}{\"type\":\"system\",\"subtype\":\"status\",\"status\":\"compacting\"}\r",
        r#"{"type":"brand_new","text":"hello"}"#,
        r#"{"type":"system","subtype":"brand_new"}"#,
        r#"{"type":"control_request","request_id":"r","request":{"subtype":"can_use_tool","tool_name":"Bash"}}"#,
        r#"{"type":"control_response","response":{}}"#,
        r#"{"type":"stream_event","event":{"type":"content_block_delta"}}"#,
        r#"{"type":"assistant"}"#,
        r#"{"type":"assistant","message":{"content":[{"type":"holograph"}]}}"#,
        r#"{"type":7}"#,
        "Warning: not JSON",
        "[1,2]",
        r#"{"broken":"#,
        &long,
    ]);
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::Other { what, .. } => Some(what.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "system/status",
            "brand_new",
            "system/brand_new",
            "control_request",
            "control_response",
            "assistant",
            "assistant/holograph",
            "",
            "text",
            "text",
            "text"
        ]
    );
    assert!(matches!(events.last(), Some(AgentEvent::ToolResult { output, .. }) if output.len() == 3_000_000));
    let (mut dialect, mut out) = (ClaudeLines::default(), Vec::new());
    dialect
        .line(b"{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"\xff!\"}]}}", &mut out);
    assert!(matches!(&out[0], AgentEvent::Text { text, .. } if text == "\u{fffd}!"));
}

#[test]
fn an_answer_that_is_no_object_is_put_into_one_and_taken_out_of_it() {
    let agent = Agent::default();
    let schema = json!({ "type": "array" });
    let words = launch(&Brief { schema: Some(&schema), ..brief(&agent) }).words;
    assert!(words.iter().any(|word| word.contains("\"flow_answer\":{\"type\":\"array\"}")), "{words:?}");
    let (text, error, structured) = finished(&[
        r#"{"type":"result","subtype":"success","is_error":false,"result":"{\"flow_answer\":[1]}","structured_output":{"flow_answer":[1]}}"#,
    ]);
    assert_eq!((text.as_deref(), error, structured), (Some("[1]"), None, Some(json!([1]))));
}
