//! What flow finds where it is to work: as a table for people, and as data.

use serde_json::{Value as Json, json};

use super::table::table;
use super::{Look, Tone};

/// What was found of one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What was looked for.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// That in a few words: a version, `not installed`.
    pub state: String,
    /// Where it is, or more about it.
    pub detail: String,
    /// What to do.
    pub help: String,
    /// The same as data.
    pub data: Vec<(&'static str, Json)>,
}

/// How something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    #[default]
    Good,
    /// It may work.
    Doubtful,
    /// It is not there, and only who wants it needs it.
    Missing,
    /// It has to be mended.
    Bad,
}

impl Health {
    /// Its name in data.
    pub fn name(self) -> &'static str {
        match self {
            Health::Good => "good",
            Health::Doubtful => "doubtful",
            Health::Missing => "missing",
            Health::Bad => "bad",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Health::Good => Tone::Good,
            Health::Doubtful => Tone::Warn,
            Health::Missing => Tone::Faint,
            Health::Bad => Tone::Bad,
        }
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doctor {
    /// flow's own version.
    pub version: String,
    /// What flow itself needs.
    pub place: Vec<Finding>,
    /// What drives agents.
    pub backends: Vec<Finding>,
}

impl Doctor {
    /// As two tables, and what to do.
    pub fn text(&self, look: Look) -> String {
        let part = |heading: [&str; 3], findings: &[Finding]| {
            let rows = findings.iter().map(|one| vec![one.name.clone(), one.state.clone(), one.detail.clone()]);
            let rows: Vec<_> = std::iter::once(heading.map(str::to_owned).to_vec()).chain(rows).collect();
            table(&rows, look, |row, column| (column == 1).then(|| findings[row].health.tone()))
        };
        let mut text = format!("flow {}\n\n", self.version);
        text.push_str(&part(["HERE", "STATE", ""], &self.place));
        text.push('\n');
        text.push_str(&part(["BACKEND", "STATE", ""], &self.backends));
        let help: Vec<_> = self.place.iter().chain(&self.backends).filter(|one| !one.help.is_empty()).collect();
        if !help.is_empty() {
            text.push('\n');
        }
        for one in help {
            text.push_str(&format!("{}: {}\n", one.name, one.help));
        }
        text
    }

    /// As data.
    pub fn json(&self) -> Json {
        let all = |findings: &[Finding]| {
            let one = |finding: &Finding| {
                let mut object = json!({
                    "name": finding.name,
                    "health": finding.health.name(),
                    "state": finding.state,
                });
                for (key, value) in &finding.data {
                    object[*key] = value.clone();
                }
                if !finding.help.is_empty() {
                    object["help"] = json!(finding.help);
                }
                object
            };
            findings.iter().map(one).collect::<Vec<_>>()
        };
        json!({ "flow": self.version, "place": all(&self.place), "backends": all(&self.backends) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_help_comes_last() {
        let finding = |name: &str, health, state: &str, detail: &str, help: &str| Finding {
            name: name.into(),
            health,
            state: state.into(),
            detail: detail.into(),
            help: help.into(),
            data: vec![("tested", json!(true))],
        };
        let doctor = Doctor {
            version: "1.0".into(),
            place: vec![finding("git", Health::Good, "2.43", "/usr/bin/git", "")],
            backends: vec![
                finding("claude", Health::Good, "2.1.197, tested", "/bin/claude", ""),
                finding("codex", Health::Missing, "not installed", "", "npm install"),
            ],
        };
        assert_eq!(
            doctor.text(Look::PLAIN),
            "flow 1.0\n\nHERE  STATE\ngit   2.43   /usr/bin/git\n\nBACKEND  STATE\nclaude   2.1.197, tested  /bin/claude\ncodex    not installed\n\ncodex: npm install\n"
        );
        assert_eq!(doctor.json()["backends"][1]["help"], "npm install");
        assert_eq!(doctor.json()["backends"][0]["tested"], true);
    }
}
