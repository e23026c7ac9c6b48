//! The backend `anthropic`: the Messages API over HTTP, streaming. One request is one answer: there are no tools, and no conversation goes on.

use serde_json::{Map, json};

use crate::event::{AgentError, AgentEvent, Failure, Usage};
use crate::plan::Json;

use super::claude::tokens;
use super::driver::has_all;
use super::line::{inner, other, text};
use super::schema::{inside, of_object};
use super::sse::{Events, Sent, address};
use super::{Brief, Call, Dialect, Driver, Errand};

/// The Messages API.
pub(super) struct Anthropic;

/// Where it is if nothing else is said.
const PLACE: &str = "https://api.anthropic.com";
/// Most tokens of an answer if nothing is said: the API wants a number.
const TOKENS: u64 = 8192;
/// The tool that stands for a schema: its input is the answer.
const ANSWER: &str = "answer";

impl Driver for Anthropic {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut body = json!({
            "model": brief.model,
            "max_tokens": brief.agent.max_tokens.unwrap_or(TOKENS),
            "stream": true,
            "messages": [{ "role": "user", "content": brief.prompt }],
        });
        if let Some(system) = &brief.system {
            body["system"] = json!(system);
        }
        if let Some(schema) = brief.schema {
            body["tools"] = json!([{
                "name": ANSWER,
                "description": "Takes your answer.",
                "input_schema": of_object(schema),
            }]);
            body["tool_choice"] = json!({ "type": "tool", "name": ANSWER });
        }
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "text/event-stream".to_owned()),
            ("anthropic-version".to_owned(), "2023-06-01".to_owned()),
        ];
        if let Some(key) = &brief.api_key {
            headers.push(("x-api-key".to_owned(), key.clone()));
        }
        let url = address(brief.base_url.as_deref().unwrap_or(PLACE), "v1", "messages");
        Ok(Errand::Request(Call { url, headers, body }))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(AnthropicLines::default())
    }
}

/// What it sends.
#[derive(Default)]
pub(super) struct AnthropicLines {
    events: Events,
    used: Usage,
    /// Why it stopped, once it has.
    stop: String,
    /// What the tool that takes the answer is given, as far as it has come.
    answer: Option<String>,
    /// The block has given text already.
    speaking: bool,
    over: bool,
}

impl Dialect for AnthropicLines {
    fn status(&mut self, status: u16, retry_after_ms: Option<u64>) {
        self.events.status(status, retry_after_ms);
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        let Sent::Data(data) = self.events.line(line) else { return };
        match text(&data, "type") {
            "message_start" => {
                let Some(message) = inner(&data, "message") else { return };
                out.push(AgentEvent::Started {
                    session: String::new(),
                    model: text(message, "model").to_owned(),
                    version: String::new(),
                    tools: Vec::new(),
                });
                self.used.turns = 1;
                self.uses(message, out);
            }
            "content_block_start" => {
                self.speaking = false;
                let Some(block) = inner(&data, "content_block") else { return };
                match text(block, "type") {
                    "tool_use" => self.answer = Some(String::new()),
                    "text" if !text(block, "text").is_empty() => self.say(text(block, "text"), out),
                    "text" | "thinking" => {}
                    kind => out.push(other(format!("block/{kind}"), "")),
                }
            }
            "content_block_delta" => {
                if let Some(delta) = inner(&data, "delta") {
                    self.piece(delta, out);
                }
            }
            "message_delta" => {
                if let Some(delta) = inner(&data, "delta").filter(|delta| !text(delta, "stop_reason").is_empty()) {
                    text(delta, "stop_reason").clone_into(&mut self.stop);
                }
                self.uses(&data, out);
            }
            "message_stop" => self.finish(out),
            "error" => {
                self.over = true;
                let error = self.events.trouble(data.get("error").unwrap_or(&Json::Null));
                out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None });
            }
            "ping" | "content_block_stop" => {}
            kind => out.push(other(kind, "")),
        }
    }

    fn end(&mut self, out: &mut Vec<AgentEvent>) {
        if let Some(error) = self.events.refusal().filter(|_| !self.over) {
            out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None });
        }
    }
}

impl AnthropicLines {
    /// The figures of a message at its beginning, and those at its end, which replace them.
    fn uses(&mut self, message: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        let Some(usage) = inner(message, "usage") else { return };
        let (now, known) = (tokens(usage), &mut self.used.tokens);
        known.input = known.input.max(now.input);
        known.output = known.output.max(now.output);
        known.cache_read = known.cache_read.max(now.cache_read);
        known.cache_write = known.cache_write.max(now.cache_write);
        known.reasoning = known.reasoning.max(now.reasoning);
        out.push(AgentEvent::Usage(self.used));
    }

    fn say(&mut self, said: &str, out: &mut Vec<AgentEvent>) {
        let delta = std::mem::replace(&mut self.speaking, true);
        out.push(AgentEvent::Text { text: said.to_owned(), delta, parent: String::new() });
    }

    fn piece(&mut self, delta: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        match text(delta, "type") {
            "text_delta" => self.say(text(delta, "text"), out),
            "thinking_delta" => {
                let continued = std::mem::replace(&mut self.speaking, true);
                out.push(AgentEvent::Thinking { text: text(delta, "thinking").to_owned(), delta: continued });
            }
            "input_json_delta" => {
                if let Some(input) = &mut self.answer {
                    input.push_str(text(delta, "partial_json"));
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<AgentEvent>) {
        self.over = true;
        let message = match self.stop.as_str() {
            "end_turn" | "stop_sequence" | "tool_use" | "" => None,
            "max_tokens" => Some("its answer would be longer than its `max_tokens`".to_owned()),
            "model_context_window_exceeded" => {
                Some("the task and its answer are longer than the model can hold".to_owned())
            }
            "refusal" => Some("the model refuses to answer".to_owned()),
            other => Some(format!("it stopped with the reason `{other}`")),
        };
        let limit = matches!(self.stop.as_str(), "max_tokens" | "model_context_window_exceeded");
        let mut error =
            message.map(|message| AgentError { message, code: self.stop.clone(), limit, ..AgentError::default() });
        let mut structured = None;
        if let (None, Some(input)) = (&error, &self.answer) {
            // A tool without anything in its input sends nothing.
            let input = if input.is_empty() { "{}" } else { input };
            match serde_json::from_str::<Json>(input) {
                Ok(value) => structured = Some(inside(value)),
                Err(problem) => {
                    let message = format!("its answer is no JSON: {problem}");
                    error = Some(AgentError { message, code: "invalid_json".to_owned(), ..AgentError::default() });
                }
            }
        }
        let text = structured.as_ref().map(Json::to_string);
        out.push(AgentEvent::Finished { text, error, structured });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{brief, call, events, finished};
    use super::*;
    use crate::plan::Agent;

    const START: &str = r#"data: {"type":"message_start","message":{"id":"msg_1","model":"M","usage":{"input_tokens":12,"cache_read_input_tokens":3,"output_tokens":1}}}"#;
    const STOP: &str = r#"data: {"type":"message_stop"}"#;

    fn end(reason: &str) -> String {
        format!(
            r#"data: {{"type":"message_delta","delta":{{"stop_reason":"{reason}"}},"usage":{{"output_tokens":7}}}}"#
        )
    }

    #[test]
    fn the_request_has_all_that_the_agent_says() {
        let model = Some(crate::plan::Value::Plain(json!("m")));
        let agent = Agent { backend: "anthropic".into(), model, max_tokens: Some(100), ..Agent::default() };
        let schema = json!({ "type": "object" });
        let call = call(
            &Anthropic,
            &Brief {
                model: Some("m".into()),
                system: Some("Be brief.".into()),
                schema: Some(&schema),
                api_key: Some("sk-1".into()),
                base_url: Some("http://127.0.0.1:1".into()),
                ..brief(&agent)
            },
        );
        assert_eq!(call.url, "http://127.0.0.1:1/v1/messages");
        assert!(call.headers.contains(&("x-api-key".into(), "sk-1".into())));
        assert!(!call.body.to_string().contains("sk-1"));
        assert_eq!(
            call.body,
            json!({
                "model": "m", "max_tokens": 100, "stream": true, "messages": [{ "role": "user", "content": "Do it" }],
                "system": "Be brief.",
                "tools": [{ "name": "answer", "description": "Takes your answer.", "input_schema": { "type": "object" } }],
                "tool_choice": { "type": "tool", "name": "answer" },
            })
        );
        let list = json!({ "type": "array" });
        let call = super::super::tests::call(
            &Anthropic,
            &Brief { model: Some("m".into()), schema: Some(&list), ..brief(&agent) },
        );
        assert_eq!(call.body["tools"][0]["input_schema"]["properties"]["flow_answer"], list);
        assert_eq!(call.url, "https://api.anthropic.com/v1/messages");
        let agent = Agent { model: None, ..agent };
        assert!(Anthropic.errand(&brief(&agent)).err().expect("no model").message.contains("needs `model`"));
    }

    #[test]
    fn pieces_come_as_they_are_written() {
        let events = events(
            AnthropicLines::default(),
            &[
                "event: message_start",
                START,
                "",
                r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"data: {"type":"ping"}"#,
                r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hel"}}"#,
                r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
                &end("end_turn"),
                r#"data: {"type":"invented"}"#,
                STOP,
            ],
        );
        let text = |text: &str, delta| AgentEvent::Text { text: text.into(), delta, parent: String::new() };
        assert!(matches!(&events[0], AgentEvent::Started { model, .. } if model == "M"));
        assert_eq!(events[2..4], [text("hel", false), text("lo", true)]);
        let AgentEvent::Usage(usage) = &events[4] else { panic!("{events:?}") };
        assert_eq!((usage.tokens.input, usage.tokens.output, usage.tokens.cache_read, usage.turns), (12, 7, 3, 1));
        assert_eq!(events[5], AgentEvent::Other { what: "invented".into(), text: String::new() });
        assert_eq!(events[6], AgentEvent::Finished { text: None, error: None, structured: None });
    }

    #[test]
    fn an_answer_that_fits_a_schema_is_a_tools_input() {
        for (input, answer) in [("answer", json!({ "answer": [1] })), ("flow_answer", json!([1]))] {
            let piece = format!(
                r#"data: {{"type":"content_block_delta","delta":{{"type":"input_json_delta","partial_json":"{{\"{input}\":"}}}}"#
            );
            let mut events = events(
                AnthropicLines::default(),
                &[
                    START,
                    r#"data: {"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"answer","input":{}}}"#,
                    &piece,
                    r#"data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"[1]}"}}"#,
                    &end("tool_use"),
                    STOP,
                ],
            );
            assert_eq!(
                events.pop(),
                Some(AgentEvent::Finished { text: Some(answer.to_string()), error: None, structured: Some(answer) })
            );
        }
    }

    #[test]
    fn reasons_to_stop_that_are_no_answer() {
        let error = finished(AnthropicLines::default(), &[START, &end("max_tokens"), STOP]);
        assert!(error.limit && error.message.contains("max_tokens"));
        assert!(!finished(AnthropicLines::default(), &[START, &end("refusal"), STOP]).limit);
        assert!(finished(AnthropicLines::default(), &[START, &end("odd"), STOP]).message.contains("`odd`"));
        let error = finished(
            AnthropicLines::default(),
            &[START, r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#],
        );
        assert_eq!((error.code.as_str(), error.status), ("overloaded_error", Some(529)));
    }

    #[test]
    fn a_stream_that_breaks_off_has_no_end() {
        let events = events(AnthropicLines::default(), &[START, &end("end_turn")]);
        assert!(!events.iter().any(|event| matches!(event, AgentEvent::Finished { .. })));
    }

    #[test]
    fn a_refused_request_says_why() {
        let (mut lines, mut out) = (AnthropicLines::default(), Vec::new());
        lines.status(429, Some(5000));
        lines.line(br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#, &mut out);
        lines.end(&mut out);
        let Some(AgentEvent::Finished { error: Some(error), .. }) = out.pop() else { panic!("no end") };
        assert_eq!((error.message.as_str(), error.status, error.retry_after_ms), ("slow down", Some(429), Some(5000)));
    }
}
