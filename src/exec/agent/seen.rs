//! What an agent's attempt comes to: its events, added up.

use smol_str::SmolStr;

use crate::event::{AgentError, AgentEvent, Denial, Usage};
use crate::plan::Json;
use crate::state::result::shorten;

/// How it said that it is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Closing {
    /// Its answer, where it is said there.
    pub text: Option<String>,
    /// Why there is none.
    pub error: Option<AgentError>,
    /// Its answer as JSON, checked by its program.
    pub structured: Option<Json>,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub session: String,
    pub model: String,
    pub version: String,
    /// What it said since the last result of a tool.
    pub text: String,
    /// What it had said before that.
    pub before: String,
    pub usage: Usage,
    /// In the order of first use.
    pub tools_used: Vec<(SmolStr, u32)>,
    pub denials: Vec<Denial>,
    /// It says that it is done, and has not begun anew since.
    pub closing: Option<Closing>,
    /// How often it said so.
    pub ends: u64,
    /// Did it do or say anything that flow has a word for?
    pub anything: bool,
    /// Why its program tries again to reach the model, as it said last.
    pub retries: String,
    /// The last thing that it said which flow has no word for.
    pub other: String,
    /// What it does now.
    pub doing: String,
}

impl Seen {
    /// The next event.
    pub fn take(&mut self, event: &AgentEvent) {
        self.anything |= !matches!(event, AgentEvent::Other { .. });
        match event {
            AgentEvent::Started { session, model, version, .. } => {
                self.closing = None;
                for (known, now) in
                    [(&mut self.session, session), (&mut self.model, model), (&mut self.version, version)]
                {
                    if !now.is_empty() {
                        known.clone_from(now);
                    }
                }
                self.does("begins");
            }
            // Only what the agent itself says is its answer.
            AgentEvent::Text { parent, .. } if !parent.is_empty() => {}
            AgentEvent::Text { text, delta, .. } => {
                self.closing = None;
                if !(*delta || self.text.is_empty() || self.text.ends_with('\n')) {
                    self.text.push('\n');
                }
                self.text.push_str(text);
                self.does("writes");
            }
            AgentEvent::Thinking { .. } => self.does("thinks"),
            AgentEvent::ToolCall { name, input, .. } => {
                self.closing = None;
                match self.tools_used.iter_mut().find(|(known, _)| known == name) {
                    Some((_, times)) => *times += 1,
                    None => self.tools_used.push((name.into(), 1)),
                }
                self.doing = call(name, input);
            }
            AgentEvent::ToolResult { .. } => {
                if !self.text.is_empty() {
                    self.before = std::mem::take(&mut self.text);
                }
            }
            AgentEvent::Usage(usage) => self.usage = *usage,
            AgentEvent::Retry { attempt, reason, .. } => {
                self.retries.clone_from(reason);
                self.doing = shorten(&format!("tries again to reach the model ({attempt}): {reason}"), 60);
            }
            AgentEvent::Denied(denial) => {
                // Some programs say it when it happens, and once more at their end.
                if !self.denials.contains(denial) {
                    self.denials.push(denial.clone());
                }
            }
            AgentEvent::Finished { text, error, structured } => {
                self.ends += 1;
                self.closing =
                    Some(Closing { text: text.clone(), error: error.clone(), structured: structured.clone() });
                self.does("ends");
            }
            AgentEvent::Other { text, .. } => {
                if !text.is_empty() {
                    self.other.clone_from(text);
                }
            }
        }
    }

    fn does(&mut self, what: &str) {
        if self.doing != what {
            what.clone_into(&mut self.doing);
        }
    }

    /// Its answer; before it is done, what it said last.
    pub fn answer(&self) -> &str {
        let said = if self.text.is_empty() { &self.before } else { &self.text };
        self.closing.as_ref().and_then(|closing| closing.text.as_deref()).unwrap_or(said)
    }
}

/// Keys of what tools are given that say most about a call.
const TELLING: [&str; 9] = ["command", "file_path", "path", "pattern", "query", "url", "description", "prompt", "name"];

/// A call of a tool in a few words: `Bash: cargo test`.
pub(super) fn call(name: &str, input: &Json) -> String {
    let told = TELLING.iter().find_map(|key| input.get(key)).or_else(|| input.as_object()?.values().next());
    let text = match told.unwrap_or(input) {
        Json::Null => String::new(),
        Json::String(text) => text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned(),
        Json::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    };
    if text.is_empty() { name.to_owned() } else { format!("{name}: {}", shorten(&text, 60)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(text: &str, delta: bool) -> AgentEvent {
        AgentEvent::Text { text: text.into(), delta, parent: String::new() }
    }

    fn seen(events: &[AgentEvent]) -> Seen {
        let mut seen = Seen::default();
        events.iter().for_each(|event| seen.take(event));
        seen
    }

    fn finished(text: Option<&str>) -> AgentEvent {
        AgentEvent::Finished { text: text.map(str::to_owned), error: None, structured: None }
    }

    fn tool(name: &str) -> AgentEvent {
        AgentEvent::ToolCall { id: String::new(), name: name.into(), input: json!({}), parent: String::new() }
    }

    fn result() -> AgentEvent {
        AgentEvent::ToolResult { id: String::new(), output: "a".into(), is_error: false }
    }

    #[test]
    fn the_answer_is_what_the_end_says_or_the_text_since_the_last_tool() {
        assert_eq!(seen(&[text("hel", false), text("lo", true), finished(None)]).answer(), "hello");
        assert_eq!(seen(&[text("one", false), text("two", false), finished(None)]).answer(), "one\ntwo");
        assert_eq!(
            seen(&[text("look", false), tool("Bash"), result(), text("so", true), finished(None)]).answer(),
            "so"
        );
        assert_eq!(seen(&[text("look", false), finished(Some("the end"))]).answer(), "the end");
        // Of one that did not get that far, what it said last.
        assert_eq!(seen(&[text("look", false), tool("Bash"), result()]).answer(), "look");
        let sub = AgentEvent::Text { text: "sub".into(), delta: false, parent: "toolu_1".into() };
        assert_eq!(seen(&[text("main", false), sub, finished(None)]).answer(), "main");
    }

    #[test]
    fn one_that_begins_anew_is_not_done() {
        let begin =
            || AgentEvent::Started { session: "s".into(), model: String::new(), version: String::new(), tools: vec![] };
        assert!(seen(&[begin(), text("a", false), finished(None)]).closing.is_some());
        assert!(seen(&[begin(), finished(None), begin()]).closing.is_none());
        assert!(seen(&[begin(), finished(None), tool("Bash")]).closing.is_none());
    }

    #[test]
    fn tools_are_counted_in_the_order_of_first_use() {
        let seen = seen(&[tool("Read"), tool("Bash"), tool("Read")]);
        assert_eq!(seen.tools_used, [("Read".into(), 2), ("Bash".into(), 1)]);
    }

    #[test]
    fn a_call_is_told_in_a_few_words() {
        assert_eq!(call("Bash", &json!({"timeout": 5, "command": "\n cargo test\nls"})), "Bash: cargo test");
        assert_eq!(call("Todo", &json!({"items": [1]})), "Todo: [1]");
        assert_eq!(call("Stop", &json!(null)), "Stop");
        assert_eq!(call("Stop", &json!({})), "Stop");
    }
}
