//! What an agent said and did, for people: its events as text.

use super::look::one_line;
use super::{Look, Tone, agents};
use crate::event::{AgentEvent, AgentLine, Usage};
use crate::plan::Json;
use crate::plan::wording::plural;
use crate::state::result::shorten;

/// Columns of what a tool is given, and of what it gave.
const SHORT: usize = 100;

/// Makes text of events, one after the other.
#[derive(Debug)]
pub struct Transcript {
    look: Look,
    /// Text whose line has not been ended.
    open: String,
    /// What kind of text that is.
    thinks: bool,
    usage: Usage,
}

impl Transcript {
    /// For a place that looks so.
    pub fn new(look: Look) -> Self {
        Transcript { look, open: String::new(), thinks: false, usage: Usage::default() }
    }

    /// A line of the file of events. What is none is shown as it is.
    pub fn line(&mut self, line: &str, out: &mut String) {
        match serde_json::from_str::<AgentLine>(line) {
            Ok(line) => self.event(&line.event, out),
            Err(_) => {
                self.close(out);
                out.push_str(line);
                out.push('\n');
            }
        }
    }

    fn event(&mut self, event: &AgentEvent, out: &mut String) {
        let unicode = self.look.unicode;
        let sign = |sign: &'static str, ascii: &'static str| if unicode { sign } else { ascii };
        match event {
            AgentEvent::Started { session, model, version, .. } => {
                let parts = [("", model), ("version ", version), ("session ", session)];
                let parts: Vec<String> = parts
                    .iter()
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(what, text)| format!("{what}{}", one_line(text)))
                    .collect();
                let what = if parts.is_empty() { "begins".to_owned() } else { parts.join(", ") };
                self.note(Tone::Faint, sign("▸", ">"), &what, out);
            }
            AgentEvent::Text { text, delta, parent } if parent.is_empty() => self.text(text, *delta, false, out),
            AgentEvent::Text { text, .. } => self.note(Tone::Faint, sign("·", "."), &said(text), out),
            AgentEvent::Thinking { text, delta } => self.text(text, *delta, true, out),
            AgentEvent::ToolCall { name, input, parent, .. } => {
                let under = if parent.is_empty() { "" } else { "  " };
                let what = format!("{under}{}{}", one_line(name), given(input));
                self.note(Tone::Busy, sign("→", "->"), &what, out);
            }
            AgentEvent::ToolResult { output, is_error, .. } => {
                let (tone, mark) =
                    if *is_error { (Tone::Bad, sign("✗", "x")) } else { (Tone::Faint, sign("←", "<-")) };
                self.note(tone, mark, &gave(output), out);
            }
            AgentEvent::Usage(usage) => self.usage = *usage,
            AgentEvent::Retry { attempt, delay_ms, reason } => {
                let wait = crate::plan::unit::show_duration(*delay_ms);
                let what = format!("tries again to reach the model ({attempt}, in {wait}): {}", one_line(reason));
                self.note(Tone::Warn, sign("↻", "~"), &what, out);
            }
            AgentEvent::Denied(denial) => {
                let what = if denial.what.is_empty() { String::new() } else { format!(": {}", said(&denial.what)) };
                self.note(Tone::Warn, "!", &format!("was refused {}{what}", one_line(&denial.tool)), out);
            }
            AgentEvent::Finished { text, error, .. } => {
                // An answer that is nowhere else.
                let alone = text.as_ref().filter(|_| self.open.is_empty() && self.usage == Usage::default());
                if let Some(text) = alone.filter(|text| !out.contains(text.as_str())) {
                    self.text(text, false, false, out);
                }
                let used = agents::usage(&self.usage).join(", ");
                match error {
                    None => {
                        let what = if used.is_empty() { "done".to_owned() } else { format!("done: {used}") };
                        self.note(Tone::Good, sign("✓", "+"), &what, out);
                    }
                    Some(error) => {
                        let why = if error.message.is_empty() { &error.code } else { &error.message };
                        let used = if used.is_empty() { used } else { format!(" ({used})") };
                        self.note(Tone::Bad, sign("✗", "x"), &format!("{}{used}", one_line(why)), out);
                    }
                }
            }
            AgentEvent::Other { what, text } => {
                let text = if text.is_empty() { String::new() } else { format!(": {}", said(text)) };
                self.note(Tone::Faint, sign("·", "."), &format!("{}{text}", one_line(what)), out);
            }
        }
    }

    /// Text is written line by line, as it comes.
    fn text(&mut self, text: &str, delta: bool, thinks: bool, out: &mut String) {
        if !delta || thinks != self.thinks {
            self.close(out);
        }
        self.thinks = thinks;
        self.open.push_str(text);
        while let Some(end) = self.open.find('\n') {
            let rest = self.open.split_off(end + 1);
            let line = std::mem::replace(&mut self.open, rest);
            self.write(line.trim_end_matches(['\n', '\r']), out);
        }
    }

    fn write(&self, line: &str, out: &mut String) {
        match self.thinks {
            true => out.push_str(&self.look.paint(Tone::Faint, line)),
            false => out.push_str(line),
        }
        out.push('\n');
    }

    fn note(&mut self, tone: Tone, sign: &str, what: &str, out: &mut String) {
        self.close(out);
        let text = match tone {
            Tone::Faint => self.look.paint(tone, &format!("{sign} {what}")),
            tone => format!("{} {what}", self.look.paint(tone, sign)),
        };
        out.push_str(&text);
        out.push('\n');
    }

    /// Nothing more follows for the time being: what is open is ended.
    pub fn close(&mut self, out: &mut String) {
        if !self.open.is_empty() {
            let line = std::mem::take(&mut self.open);
            self.write(&line, out);
        }
    }
}

/// The first line of a text that is not empty.
fn said(text: &str) -> String {
    shorten(&one_line(text.trim()), SHORT)
}

/// What a tool is given, on a line.
fn given(input: &Json) -> String {
    let text = match input {
        Json::Null => return String::new(),
        Json::Object(map) => match map.len() {
            0 => return String::new(),
            1 => map.values().next().map(crate::state::result::plain_text).unwrap_or_default(),
            _ => match map.get("command").or(map.get("file_path")).and_then(Json::as_str) {
                Some(text) => text.to_owned(),
                None => input.to_string(),
            },
        },
        other => crate::state::result::plain_text(other),
    };
    let text = said(&text);
    if text.is_empty() { text } else { format!(" {text}") }
}

/// What a tool gave: its first line, and how many more there are.
fn gave(output: &str) -> String {
    let mut lines = output.lines().filter(|line| !line.trim().is_empty());
    let Some(first) = lines.next() else { return "(nothing)".to_owned() };
    match lines.count() {
        0 => said(first),
        more => format!("{} (and {} more)", said(first), plural(more, "line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_text() {
        let lines = [
            r#"{"at":1,"type":"agent.started","session":"s1","model":"big"}"#,
            r#"{"at":2,"type":"agent.text","text":"I loo"}"#,
            r#"{"at":3,"type":"agent.text","text":"k\naround","delta":true}"#,
            r#"{"at":4,"type":"agent.tool_call","name":"Bash","input":{"command":"ls","timeout":5}}"#,
            r#"{"at":5,"type":"agent.tool_result","output":"a.txt\nb.txt\n"}"#,
            r#"{"at":5,"type":"agent.denied","tool":"Write","what":"/etc/passwd"}"#,
            r#"{"at":6,"type":"agent.text","text":"Two files."}"#,
            r#"{"at":6,"type":"agent.usage","cost_usd":0.5,"turns":2}"#,
            r#"{"at":7,"type":"agent.finished","text":"Two files."}"#,
            "broken",
        ];
        let (mut transcript, mut out) = (Transcript::new(Look::PLAIN), String::new());
        lines.iter().for_each(|line| transcript.line(line, &mut out));
        let expected = "\
▸ big, session s1
I look
around
→ Bash ls
← a.txt (and 1 line more)
! was refused Write: /etc/passwd
Two files.
✓ done: $0.5000, 2 turns
broken
";
        assert_eq!(out, expected);
    }
}
