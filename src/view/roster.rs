//! Agents that stand in files: the table of all, and what is to be said about their files.

use super::look::one_line;
use super::table::table;
use super::{Look, Tone};

/// Longest list of tools, and longest description, in columns.
const TOOLS: usize = 30;
const DESCRIPTION: usize = 50;

/// An agent of a file.
#[derive(Clone, Debug, Default)]
pub struct AgentLine {
    /// Its name.
    pub name: String,
    /// What drives it.
    pub backend: String,
    /// Its model.
    pub model: String,
    /// Its tools, with commas.
    pub tools: String,
    /// Whose it is.
    pub origin: String,
    /// Its file.
    pub file: String,
    /// What it is good for.
    pub description: String,
    /// The file that counts in its place.
    pub hidden_by: Option<String>,
}

/// Something that is to be said about a file.
#[derive(Clone, Debug)]
pub struct FileRemark {
    /// The file, with the line: `team/x.md:3`.
    pub place: String,
    /// What.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Is the agent not loaded for it?
    pub refused: bool,
}

/// A table, one line an agent, and the remarks below it.
pub fn roster(all: &[AgentLine], remarks: &[FileRemark], look: Look) -> String {
    let mut text = String::new();
    if !all.is_empty() {
        let heading = ["NAME", "BACKEND", "MODEL", "TOOLS", "FROM", "FILE", "DESCRIPTION"].map(str::to_owned).to_vec();
        let rows = all.iter().map(|agent| {
            let name = match agent.hidden_by {
                Some(_) => format!("({})", agent.name),
                None => agent.name.clone(),
            };
            vec![
                one_line(&name),
                agent.backend.clone(),
                one_line(&agent.model),
                look.cut(&one_line(&agent.tools), TOOLS),
                agent.origin.clone(),
                agent.file.clone(),
                look.cut(&one_line(&agent.description), DESCRIPTION),
            ]
        });
        let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
        let tone = |row: usize, column: usize| match (&all[row].hidden_by, column) {
            (Some(_), _) => Some(Tone::Faint),
            (None, 0) => Some(Tone::Good),
            _ => None,
        };
        text.push_str(&table(&rows, look, tone));
    }
    for agent in all {
        if let Some(other) = &agent.hidden_by {
            text.push_str(&format!("\n`{}` of {} is hidden: that of {other} counts\n", agent.name, agent.file));
        }
    }
    for remark in remarks {
        let (tone, what) = match remark.refused {
            true => (Tone::Bad, "not loaded"),
            false => (Tone::Warn, "loaded, but"),
        };
        text.push_str(&format!("\n{} {}: {}\n", look.paint(tone, what), remark.place, one_line(&remark.message)));
        text.push_str(&format!("  {}\n", one_line(&remark.help)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_and_what_does_not_is_told() {
        let agent = |name: &str, hidden: Option<&str>| AgentLine {
            name: name.into(),
            backend: "claude".into(),
            file: format!("{name}.md"),
            hidden_by: hidden.map(str::to_owned),
            ..AgentLine::default()
        };
        let refused =
            FileRemark { place: "x.md:1".into(), message: "no name".into(), help: "add one".into(), refused: true };
        let text = roster(&[agent("a", None), agent("b", Some("c.md"))], &[refused], Look::PLAIN);
        assert!(text.contains("(b)") && text.contains("that of c.md counts"), "{text}");
        assert!(text.contains("not loaded x.md:1: no name\n  add one"), "{text}");
    }
}
