//! What an agent writes to its readers.

use crate::event::AgentEvent;
use crate::plan::Emit;

/// See the module's page.
pub(super) struct Emitting {
    emit: Emit,
    /// The line of a message has begun and has no end yet.
    open: bool,
}

impl Emitting {
    /// In this way.
    pub fn new(emit: Emit) -> Self {
        Emitting { emit, open: false }
    }

    /// Appends what is written for a line of its program, if it is one, and for the events in it.
    pub fn lines(&mut self, line: Option<&[u8]>, events: &[AgentEvent], out: &mut Vec<u8>) {
        match self.emit {
            Emit::Raw => {
                if let Some(line) = line {
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
            Emit::Events => {
                for event in events {
                    // An event can always be written into memory.
                    let _ = serde_json::to_writer(&mut *out, event);
                    out.push(b'\n');
                }
            }
            Emit::Text => events.iter().for_each(|event| self.text(event, out)),
        }
    }

    /// Messages are lines of their own; what goes on one goes on its line.
    fn text(&mut self, event: &AgentEvent, out: &mut Vec<u8>) {
        match event {
            AgentEvent::Text { text, delta, parent } if parent.is_empty() => {
                if !delta {
                    self.end(out);
                }
                out.extend_from_slice(text.as_bytes());
                self.open = !text.ends_with('\n') && (self.open || !text.is_empty());
            }
            AgentEvent::ToolCall { .. } | AgentEvent::ToolResult { .. } | AgentEvent::Finished { .. } => self.end(out),
            _ => {}
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) {
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, delta: bool) -> AgentEvent {
        AgentEvent::Text { text: text.into(), delta, parent: String::new() }
    }

    fn emitted(emit: Emit, events: &[AgentEvent]) -> String {
        let (mut emitting, mut out) = (Emitting::new(emit), Vec::new());
        for event in events {
            emitting.lines(Some(b"raw"), std::slice::from_ref(event), &mut out);
        }
        emitting.end(&mut out);
        String::from_utf8(out).expect("a text")
    }

    #[test]
    fn messages_are_lines() {
        let finished = AgentEvent::Finished { text: Some("cd".into()), error: None, structured: None };
        let sub = AgentEvent::Text { text: "sub".into(), delta: false, parent: "t1".into() };
        let events = [text("a", false), text("b", true), sub, text("c", false), text("d\n", true), finished];
        assert_eq!(emitted(Emit::Text, &events), "ab\ncd\n");
        assert_eq!(emitted(Emit::Raw, &events[..2]), "raw\nraw\n");
        let lines =
            "{\"type\":\"agent.text\",\"text\":\"a\"}\n{\"type\":\"agent.text\",\"text\":\"b\",\"delta\":true}\n";
        assert_eq!(emitted(Emit::Events, &events[..2]), lines);
    }
}
