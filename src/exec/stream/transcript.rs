//! What those before an agent wrote, put together for one that begins when they are done.

use smol_str::SmolStr;

use super::heard::heard;
use crate::event::AgentEvent;
use crate::exec::agent::aside;

/// Most bytes that are kept of each: of more the beginning is left out.
const MOST: usize = 2 << 20;

/// See the module's page: of each writer, in the order declared.
pub(super) struct Transcript {
    writers: Vec<SmolStr>,
    told: Vec<Told>,
    /// The beginning of a line.
    part: Vec<u8>,
}

#[derive(Default)]
struct Told {
    text: String,
    /// Where the last message begins.
    last: usize,
    /// So many bytes of the beginning are left out.
    left_out: usize,
}

impl Transcript {
    /// Of these writers.
    pub fn of(writers: Vec<SmolStr>) -> Self {
        let told = writers.iter().map(|_| Told::default()).collect();
        Transcript { writers, told, part: Vec::new() }
    }

    /// Takes bytes that came.
    pub fn take(&mut self, bytes: &[u8]) {
        self.part.extend_from_slice(bytes);
        let Some(whole) = self.part.iter().rposition(|byte| *byte == b'\n') else { return };
        let lines = self.part.drain(..=whole).collect::<Vec<u8>>();
        lines[..whole].split(|byte| *byte == b'\n').for_each(|line| self.line(line));
    }

    fn line(&mut self, line: &[u8]) {
        let heard = heard(line, &self.writers);
        match self.writers.iter().position(|writer| **writer == *heard.from) {
            Some(n) => self.told[n].add(&heard.event),
            None => {
                let last = self.told.len() - 1;
                let nobody = self.told.len() == self.writers.len();
                // A line of which nobody knows whose it is stands behind all others.
                if nobody {
                    self.told.push(Told::default());
                }
                self.told[last + usize::from(nobody)].add(&heard.event);
            }
        }
    }

    /// All of it, each with whose it is.
    pub fn end(mut self) -> Vec<(SmolStr, String)> {
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.line(&part);
        }
        let mut names = self.writers.clone();
        names.push(self.writers.join(", ").into());
        names.into_iter().zip(self.told).map(|(name, told)| (name, told.end())).collect()
    }
}

impl Told {
    fn add(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Text { text, delta, parent } if parent.is_empty() => self.message(text, *delta),
            AgentEvent::Thinking { text, delta: true } => self.message(text, true),
            // Mostly its last message.
            AgentEvent::Finished { text: Some(text), .. } if self.text[self.last..].trim_end() != text.trim_end() => {
                self.message(text, false);
            }
            event => {
                if let Some(aside) = aside(event) {
                    self.aside(&aside);
                }
            }
        }
    }

    /// A message, or more of it.
    fn message(&mut self, text: &str, more: bool) {
        if !more {
            self.line_end();
            self.last = self.text.len();
        }
        self.text.push_str(text);
        self.cut();
    }

    /// Something that it does.
    fn aside(&mut self, text: &str) {
        self.line_end();
        self.text.push_str(text);
        self.text.push('\n');
        self.last = self.text.len();
        self.cut();
    }

    fn line_end(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Not at every line: each time half of it goes.
    fn cut(&mut self) {
        if self.text.len() > 2 * MOST {
            let mut at = self.text.len() - MOST;
            while !self.text.is_char_boundary(at) {
                at += 1;
            }
            self.text.drain(..at);
            self.left_out += at;
            self.last = self.last.saturating_sub(at);
            if !self.text.is_char_boundary(self.last) {
                self.last = 0;
            }
        }
    }

    fn end(self) -> String {
        match self.left_out {
            0 => self.text,
            bytes => format!("(the first {bytes} bytes are left out)\n{}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(writers: &[&str], pieces: &[&str]) -> Vec<(String, String)> {
        let mut transcript = Transcript::of(writers.iter().map(SmolStr::new).collect());
        pieces.iter().for_each(|piece| transcript.take(piece.as_bytes()));
        transcript.end().into_iter().map(|(name, text)| (name.to_string(), text)).collect()
    }

    #[test]
    fn messages_and_what_was_done_are_told_in_order() {
        let events = concat!(
            "{\"type\":\"agent.started\",\"session\":\"s\"}\n",
            "{\"type\":\"agent.thinking\",\"text\":\"hm\"}\n",
            "{\"type\":\"agent.text\",\"text\":\"I lo\"}\n",
            "{\"type\":\"agent.text\",\"text\":\"ok\",\"delta\":true}\n",
            "{\"type\":\"agent.tool_call\",\"name\":\"Bash\",\"input\":{\"command\":\"ls\"}}\n",
            "{\"type\":\"agent.tool_result\",\"output\":\"a.txt\"}\n",
            "{\"type\":\"agent.text\",\"text\":\"There is a.txt\"}\n",
            "{\"type\":\"agent.finished\",\"text\":\"There is a.txt\"}",
        );
        let expected = "(thinks) hm\nI look\n(calls Bash) {\"command\":\"ls\"}\n(gets) a.txt\nThere is a.txt";
        for cut in [1, 100, events.len() - 1] {
            assert_eq!(told(&["a"], &[&events[..cut], &events[cut..]]), [("a".into(), expected.into())], "{cut}");
        }
    }

    #[test]
    fn writers_stand_in_the_order_declared() {
        let lines = "{\"source\":\"b\",\"value\":{\"n\":1}}\nplain\n{\"source\":\"a\",\"text\":\"x\"}\n";
        assert_eq!(
            told(&["a", "b"], &[lines]),
            [("a".into(), "x".into()), ("b".into(), "{\"n\":1}".into()), ("a, b".into(), "plain".into())]
        );
        assert_eq!(told(&["a"], &[]), [("a".into(), String::new())]);
    }

    #[test]
    fn of_very_much_the_end_is_kept() {
        let line = format!("{}\n", "ä".repeat(1 << 20));
        let all = told(&["a"], &[&line, &line, &line, "end"]);
        assert!(all[0].1.len() < 3 * MOST && all[0].1.starts_with("(the first ") && all[0].1.ends_with("end"));
    }
}
