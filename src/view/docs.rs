//! The reference of the language, in a terminal.

use std::fmt::Write;

use super::look::columns;
use super::{Look, Tone};

/// Something that can be looked up.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What kind of thing it is, in words.
    pub kind: String,
    /// How it is called, one line for each form.
    pub signatures: Vec<String>,
    /// What it means, as Markdown.
    pub text: String,
}

/// All entries, a line each, by kind in the order they come in.
pub fn index(entries: &[Entry], look: Look) -> String {
    let mut text = String::new();
    let mut kind = None;
    let names = entries.iter().map(|entry| columns(&entry.name)).max().unwrap_or(0);
    for entry in entries {
        if kind != Some(&entry.kind) {
            let gap = if kind.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", look.paint(Tone::Strong, &title(&entry.kind)));
            kind = Some(&entry.kind);
        }
        let name = format!("{}{}", entry.name, " ".repeat(names - columns(&entry.name)));
        let room = if look.width > 0 { look.width.saturating_sub(names + 4) } else { usize::MAX };
        let line = look.cut(&first_sentence(&entry.text), room);
        let _ = writeln!(text, "{}", format!("  {}  {line}", look.paint(Tone::Busy, &name)).trim_end());
    }
    text
}

/// One entry in full.
pub fn entry(entry: &Entry, look: Look) -> String {
    let mut text = format!("{}  {}\n\n", look.paint(Tone::Strong, &entry.name), look.paint(Tone::Faint, &entry.kind));
    for signature in &entry.signatures {
        let _ = writeln!(text, "    {}", look.paint(Tone::Busy, signature));
    }
    if !entry.signatures.is_empty() {
        text.push('\n');
    }
    // Fences of code blocks are for web pages; here an indent says the same.
    let mut code = false;
    for line in entry.text.trim().lines() {
        match line.trim_start().starts_with("```") {
            true => code = !code,
            false if code && !line.is_empty() => drop(writeln!(text, "    {line}")),
            false => drop(writeln!(text, "{line}")),
        }
    }
    text
}

fn title(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The text up to its first full stop or empty line.
fn first_sentence(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let text = lines.join(" ");
    text.split_once(". ").map_or(&*text, |(first, _)| first).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_and_an_entry() {
        let retry = Entry {
            name: "retry".into(),
            kind: "method of a step".into(),
            signatures: vec!["step.retry(3)".into()],
            text: "Makes further attempts. Waits between them.\n\n```rhai\nsh(\"a\", \"b\").retry(3)\n```\n".into(),
        };
        let sh =
            Entry { name: "sh".into(), kind: "function".into(), text: "A shell script.".into(), ..Entry::default() };
        assert_eq!(
            index(&[sh, retry.clone()], Look::PLAIN),
            "Function\n  sh     A shell script\n\nMethod of a step\n  retry  Makes further attempts\n"
        );
        assert_eq!(
            entry(&retry, Look::PLAIN),
            "retry  method of a step\n\n    step.retry(3)\n\nMakes further attempts. Waits between them.\n\n    sh(\"a\", \"b\").retry(3)\n"
        );
    }
}
