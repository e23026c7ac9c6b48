//! The backend `openai`: chat completions over HTTP, streaming, as OpenAI's server and many others have them. One request is one answer: there are
//! no tools, and no conversation goes on.

use serde_json::{Map, json};

use crate::event::{AgentError, AgentEvent, Failure, Tokens, Usage};
use crate::plan::Json;

use super::driver::has_all;
use super::line::{inner, list, number, other, text};
use super::schema::{inside_text, of_object};
use super::sse::{Events, Sent, address};
use super::{Brief, Call, Dialect, Driver, Errand};

/// Chat completions.
pub(super) struct Openai;

/// Where it is if nothing else is said.
const PLACE: &str = "https://api.openai.com";

impl Driver for Openai {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        has_all(brief)?;
        let mut messages = Vec::new();
        if let Some(system) = &brief.system {
            messages.push(json!({ "role": "system", "content": system }));
        }
        messages.push(json!({ "role": "user", "content": brief.prompt }));
        let mut body = json!({
            "model": brief.model,
            "stream": true,
            "stream_options": { "include_usage": true },
            "messages": messages,
        });
        if let Some(tokens) = brief.agent.max_tokens {
            // The new name is OpenAI's own; servers that are like it know the old one.
            body[if brief.base_url.is_none() { "max_completion_tokens" } else { "max_tokens" }] = json!(tokens);
        }
        if let Some(schema) = brief.schema {
            body["response_format"] =
                json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": of_object(schema) } });
        }
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "text/event-stream".to_owned()),
        ];
        if let Some(key) = &brief.api_key {
            headers.push(("authorization".to_owned(), format!("Bearer {key}")));
        }
        let url = address(brief.base_url.as_deref().unwrap_or(PLACE), "v1", "chat/completions");
        Ok(Errand::Request(Call { url, headers, body }))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        Box::new(OpenaiLines::default())
    }
}

/// What it sends.
#[derive(Default)]
pub(super) struct OpenaiLines {
    events: Events,
    begun: bool,
    speaking: bool,
    /// Its text so far.
    said: String,
    thinking: bool,
    /// Why it stopped, once it has.
    stop: String,
    over: bool,
}

impl Dialect for OpenaiLines {
    fn status(&mut self, status: u16, retry_after_ms: Option<u64>) {
        self.events.status(status, retry_after_ms);
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>) {
        match self.events.line(line) {
            Sent::Nothing => {}
            Sent::Done => self.finish(out),
            Sent::Data(data) => self.chunk(&data, out),
        }
    }

    /// Some servers leave out the last line; that it stopped was said before it.
    fn end(&mut self, out: &mut Vec<AgentEvent>) {
        if self.over {
            return;
        }
        match self.events.refusal() {
            Some(error) => out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None }),
            None if !self.stop.is_empty() => self.finish(out),
            None => {}
        }
    }
}

impl OpenaiLines {
    fn chunk(&mut self, data: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        if let Some(error) = data.get("error").filter(|error| !error.is_null()) {
            self.over = true;
            let error = self.events.trouble(error);
            out.push(AgentEvent::Finished { text: None, error: Some(error), structured: None });
            return;
        }
        if !std::mem::replace(&mut self.begun, true) {
            out.push(AgentEvent::Started {
                session: String::new(),
                model: text(data, "model").to_owned(),
                version: String::new(),
                tools: Vec::new(),
            });
        }
        let Some(choices) = data.get("choices") else {
            out.push(other(text(data, "object"), ""));
            return;
        };
        for choice in choices.as_array().into_iter().flatten().filter_map(Json::as_object) {
            if let Some(delta) = inner(choice, "delta") {
                self.piece(delta, out);
            }
            if !text(choice, "finish_reason").is_empty() {
                text(choice, "finish_reason").clone_into(&mut self.stop);
            }
        }
        if let Some(usage) = inner(data, "usage") {
            out.push(AgentEvent::Usage(Usage { cost_usd: None, tokens: tokens(usage), turns: 1, time_ms: 0 }));
        }
    }

    fn piece(&mut self, delta: &Map<String, Json>, out: &mut Vec<AgentEvent>) {
        // Both names are in use, and no server's own.
        let thought = [text(delta, "reasoning_content"), text(delta, "reasoning")];
        if let Some(thought) = thought.into_iter().find(|thought| !thought.is_empty()) {
            let continued = std::mem::replace(&mut self.thinking, true);
            out.push(AgentEvent::Thinking { text: thought.to_owned(), delta: continued });
        }
        let said = [text(delta, "content"), text(delta, "refusal")];
        if let Some(said) = said.into_iter().find(|said| !said.is_empty()) {
            let continued = std::mem::replace(&mut self.speaking, true);
            self.said.push_str(said);
            out.push(AgentEvent::Text { text: said.to_owned(), delta: continued, parent: String::new() });
        }
        if !text(delta, "refusal").is_empty() {
            "refusal".clone_into(&mut self.stop);
        }
        for call in list(delta, "tool_calls") {
            out.push(other("tool_call", &call.to_string()));
        }
    }

    fn finish(&mut self, out: &mut Vec<AgentEvent>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let message = match self.stop.as_str() {
            "stop" => None,
            "" => Some("the server ended its answer without saying that it is complete".to_owned()),
            "length" => Some("its answer would be longer than its `max_tokens`".to_owned()),
            "content_filter" => Some("the answer was held back by a filter".to_owned()),
            "refusal" => Some("the model refuses to answer".to_owned()),
            other => Some(format!("it stopped with the reason `{other}`")),
        };
        let limit = self.stop == "length";
        let error =
            message.map(|message| AgentError { message, code: self.stop.clone(), limit, ..AgentError::default() });
        let structured = if error.is_none() { inside_text(&self.said) } else { None };
        out.push(AgentEvent::Finished { text: structured.as_ref().map(Json::to_string), error, structured });
    }
}

/// It counts cached tokens among those that it read.
fn tokens(usage: &Map<String, Json>) -> Tokens {
    let detail = |list: &str, key: &str| inner(usage, list).map_or(0, |list| number(list, key));
    let cached = detail("prompt_tokens_details", "cached_tokens");
    Tokens {
        input: number(usage, "prompt_tokens").saturating_sub(cached),
        output: number(usage, "completion_tokens"),
        cache_read: cached,
        cache_write: 0,
        reasoning: detail("completion_tokens_details", "reasoning_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{brief, call, events, finished};
    use super::*;
    use crate::plan::Agent;

    fn chunk(delta: &str, reason: &str) -> String {
        format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","model":"M","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
        )
    }

    #[test]
    fn the_request_has_all_that_the_agent_says() {
        let model = Some(crate::plan::Value::Plain(json!("m")));
        let agent = Agent { backend: "openai".into(), model, max_tokens: Some(100), ..Agent::default() };
        let schema = json!({ "type": "object" });
        let here = Brief {
            model: Some("m".into()),
            system: Some("Be brief.".into()),
            schema: Some(&schema),
            api_key: Some("sk-1".into()),
            base_url: Some("http://127.0.0.1:11434/v1".into()),
            ..brief(&agent)
        };
        let sent = call(&Openai, &here);
        assert_eq!(sent.url, "http://127.0.0.1:11434/v1/chat/completions");
        assert!(sent.headers.contains(&("authorization".into(), "Bearer sk-1".into())));
        assert_eq!(
            sent.body,
            json!({
                "model": "m", "stream": true, "stream_options": { "include_usage": true },
                "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Do it" }],
                "max_tokens": 100,
                "response_format": { "type": "json_schema", "json_schema": { "name": "answer", "schema": { "type": "object" } } },
            })
        );
        let sent = call(&Openai, &Brief { base_url: None, ..here });
        assert_eq!(sent.url, "https://api.openai.com/v1/chat/completions");
        assert_eq!(sent.body["max_completion_tokens"], 100);
        for agent in [
            Agent { tools: Some(vec!["Read".into()]), ..agent.clone() },
            Agent { mcp_servers: Some(json!({})), ..agent.clone() },
        ] {
            let problem =
                Openai.errand(&Brief { model: Some("m".into()), ..brief(&agent) }).err().expect("it has none");
            assert_eq!(problem.class, crate::plan::Class::Configuration);
        }
    }

    #[test]
    fn pieces_come_as_they_are_written() {
        let events = events(
            OpenaiLines::default(),
            &[
                &chunk(r#"{"role":"assistant","reasoning_content":"hm"}"#, "null"),
                &chunk(r#"{"content":"hel"}"#, "null"),
                &chunk(r#"{"content":"lo"}"#, "null"),
                &chunk("{}", "\"stop\""),
                r#"data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}}"#,
                "data: [DONE]",
            ],
        );
        let text = |text: &str, delta| AgentEvent::Text { text: text.into(), delta, parent: String::new() };
        assert!(matches!(&events[0], AgentEvent::Started { model, .. } if model == "M"));
        assert_eq!(events[1], AgentEvent::Thinking { text: "hm".into(), delta: false });
        assert_eq!(events[2..4], [text("hel", false), text("lo", true)]);
        assert!(
            matches!(&events[4], AgentEvent::Usage(usage) if usage.tokens.input == 10 && usage.tokens.total() == 19)
        );
        assert_eq!(events[5], AgentEvent::Finished { text: None, error: None, structured: None });
    }

    #[test]
    fn an_answer_that_is_no_object_is_taken_out_of_one() {
        let all = events(
            OpenaiLines::default(),
            &[&chunk(r#"{"content":"{\"flow_ans"}"#, "null"), &chunk(r#"{"content":"wer\":[1]}"}"#, "\"stop\"")],
        );
        let end = AgentEvent::Finished { text: Some("[1]".into()), error: None, structured: Some(json!([1])) };
        assert_eq!(all.last(), Some(&end));
    }

    #[test]
    fn ends_of_all_kinds() {
        // No `[DONE]`, but it said that it stopped.
        let all = events(OpenaiLines::default(), &[&chunk(r#"{"content":"x"}"#, "\"stop\"")]);
        assert_eq!(all.last(), Some(&AgentEvent::Finished { text: None, error: None, structured: None }));
        // It broke off.
        let all = events(OpenaiLines::default(), &[&chunk(r#"{"content":"x"}"#, "null")]);
        assert!(!all.iter().any(|event| matches!(event, AgentEvent::Finished { .. })));
        assert!(finished(OpenaiLines::default(), &[&chunk("{}", "\"length\""), "data: [DONE]"]).limit);
        assert!(!finished(OpenaiLines::default(), &[&chunk("{}", "\"content_filter\"")]).limit);
        assert!(finished(OpenaiLines::default(), &["data: [DONE]"]).message.contains("without saying"));
        assert_eq!(
            finished(OpenaiLines::default(), &[&chunk(r#"{"refusal":"no"}"#, "null"), "data: [DONE]"]).code,
            "refusal"
        );
        let error = finished(
            OpenaiLines::default(),
            &[r#"data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, "data: [DONE]"],
        );
        assert_eq!((error.message.as_str(), error.status), ("slow down", Some(429)));
    }
}
