//! The reference, in a terminal: topics with what stands in them, one entry, what was found.

use std::fmt::Write;

use serde::Serialize;

use super::look::columns;
use super::markdown::{Colours, markdown};
use super::{Look, Tone};

/// Something that can be looked up.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What kind of thing it is, in words.
    pub kind: String,
    /// The topic in which it stands.
    pub topic: String,
    /// How it is called or written, one line for each form.
    pub signatures: Vec<String>,
    /// What it is, in a few words.
    pub summary: String,
    /// All that is to be said, as Markdown.
    pub text: String,
    /// Its examples: scripts.
    pub examples: Vec<String>,
    /// Codes of the errors that it can lead to.
    pub errors: Vec<String>,
    /// Names of other entries.
    pub see: Vec<String>,
}

impl AsRef<Entry> for Entry {
    fn as_ref(&self) -> &Entry {
        self
    }
}

/// A part of the reference.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Part {
    /// The word by which `flow docs` shows it.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// Is it too long for an overview?
    pub long: bool,
}

/// All parts, with a line for each entry; of long ones, how to see them.
pub fn overview(parts: &[Part], entries: &[Entry], look: Look) -> String {
    let mut text = String::new();
    for part in parts {
        let within: Vec<&Entry> = entries.iter().filter(|entry| entry.topic == part.name).collect();
        if within.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", heading(part, look));
        if part.long {
            let word = if within.len() == 1 { "entry" } else { "entries" };
            let _ = writeln!(text, "  {} {word}: flow docs {}", within.len(), part.name);
        } else {
            text.push_str(&list(&within, look));
        }
        text.push('\n');
    }
    text.push_str("flow docs NAME shows one of them, flow docs TOPIC a topic, flow docs --search WORDS finds more.\n");
    text
}

fn heading(part: &Part, look: Look) -> String {
    format!("{}  {}", look.paint(Tone::Strong, &part.title), look.paint(Tone::Faint, &part.name))
}

/// One part: what it is about, and a line for each entry.
pub fn part(part: &Part, entries: &[Entry], look: Look) -> String {
    let within: Vec<&Entry> = entries.iter().filter(|entry| entry.topic == part.name).collect();
    format!("{}\n\n{}\n{}", heading(part, look), markdown(&part.about, look, &|_| Vec::new()), list(&within, look))
}

/// A line for each of these entries, with their kinds: what was found, or what a name may mean.
pub fn found(entries: &[&Entry], look: Look) -> String {
    let kinds = entries.iter().map(|entry| columns(&entry.kind)).max().unwrap_or(0);
    let names = entries.iter().map(|entry| columns(&entry.name)).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let kind = look.paint(Tone::Faint, &pad(&entry.kind, kinds));
        let name = look.paint(Tone::Busy, &pad(&entry.name, names));
        let line = format!("{name}  {kind}  {}", shortened(&entry.summary, names + kinds + 4, look));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn list(entries: &[&Entry], look: Look) -> String {
    let names = entries.iter().map(|entry| columns(&entry.name)).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let name = look.paint(Tone::Busy, &pad(&entry.name, names));
        let line = format!("  {name}  {}", shortened(&entry.summary, names + 4, look));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn pad(word: &str, width: usize) -> String {
    format!("{word}{}", " ".repeat(width - columns(word)))
}

/// A sentence for what is left of a line.
fn shortened(text: &str, used: usize, look: Look) -> String {
    let room = if look.width > 0 { look.width.saturating_sub(used) } else { usize::MAX };
    look.cut(&text.replace('`', ""), room)
}

/// One entry in full.
pub fn entry(entry: &Entry, look: Look, colours: Colours) -> String {
    let mut text = format!("{}  {}\n\n", look.paint(Tone::Strong, &entry.name), look.paint(Tone::Faint, &entry.kind));
    for signature in &entry.signatures {
        let _ = writeln!(text, "    {}", look.paint(Tone::Busy, signature));
    }
    if !entry.signatures.is_empty() {
        text.push('\n');
    }
    text.push_str(&markdown(&entry.text, look, colours));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overview_and_an_entry() {
        let retry = Entry {
            name: "retry".into(),
            kind: "method".into(),
            topic: "policies".into(),
            signatures: vec!["step.retry(3)".into()],
            summary: "Makes `further` attempts".into(),
            text: "Makes further attempts. Waits between them.\n\n```rhai\nsh(\"a\", \"b\").retry(3)\n```\n".into(),
            ..Entry::default()
        };
        let code = Entry { name: "flow::plan::cycle".into(), topic: "errors".into(), ..Entry::default() };
        let part =
            |name: &str, long| Part { name: name.into(), title: name.to_uppercase(), about: "All.".into(), long };
        let parts = [part("policies", false), part("errors", true), part("empty", false)];
        let entries = [retry.clone(), code];
        assert_eq!(
            overview(&parts, &entries, Look::PLAIN),
            "POLICIES  policies\n  retry  Makes further attempts\n\nERRORS  errors\n  1 entry: flow docs errors\n\n\
             flow docs NAME shows one of them, flow docs TOPIC a topic, flow docs --search WORDS finds more.\n"
        );
        assert_eq!(
            super::part(&parts[0], &entries, Look::PLAIN),
            "POLICIES  policies\n\nAll.\n\n  retry  Makes further attempts\n"
        );
        assert_eq!(found(&[&retry], Look::PLAIN), "retry  method  Makes further attempts\n");
        assert_eq!(
            entry(&retry, Look::PLAIN, &|_| Vec::new()),
            "retry  method\n\n    step.retry(3)\n\nMakes further attempts. Waits between them.\n\n    sh(\"a\", \"b\").retry(3)\n"
        );
    }
}
