//! What would become of a run: which of its steps hold, which run again and why.

use std::fmt::Write;

use serde_json::{Map, json};

use super::look::{columns, one_line};
use super::{Look, Tone};
use crate::plan::Json;
use crate::plan::wording::list;
use crate::state::takeup::{Fate, Takeup, Verdict};

/// Lines for steps of one verdict, at the most.
const SHOWN: usize = 20;
/// Names in a line, at the most.
const NAMES: usize = 8;

/// As a list for people: a line for each step that does not stay as it was, numbers for the others.
pub fn takeup(takeup: &Takeup, look: Look) -> String {
    let mut text = match &takeup.file {
        Some(file) => format!("run {} goes on with {file}\n", takeup.run),
        None => format!("run {} is taken up again\n", takeup.run),
    };
    for (verdict, word, tone) in
        [(Verdict::Again, "again", Tone::Warn), (Verdict::New, "new", Tone::Good), (Verdict::Gone, "gone", Tone::Faint)]
    {
        lines(&mut text, takeup.of(verdict).collect(), word, tone, look);
    }
    for (verdict, word) in [(Verdict::Anew, "decided again"), (Verdict::Open, "still to come"), (Verdict::Kept, "kept")]
    {
        names(&mut text, takeup.of(verdict).collect(), word, look);
    }
    text
}

fn lines(text: &mut String, fates: Vec<&Fate>, word: &str, tone: Tone, look: Look) {
    let shown = &fates[..fates.len().min(SHOWN)];
    let width = shown.iter().map(|fate| columns(&fate.path)).max().unwrap_or(0);
    for fate in shown {
        let mut why = fate.why.clone().unwrap_or_default();
        if fate.made_anew > 0 {
            let steps = if fate.made_anew == 1 { "step is" } else { "steps are" };
            let anew = format!("its {} {steps} made anew", fate.made_anew);
            why = if why.is_empty() || fate.follows { anew } else { format!("{why}; {anew}") };
        }
        if let (true, Some(at)) = (fate.verdict == Verdict::New && why.is_empty(), &fate.at) {
            why = format!("declared at {at}");
        }
        if fate.verdict == Verdict::Gone {
            "nothing of it is undone".clone_into(&mut why);
        }
        let path = one_line(&fate.path);
        let gap = " ".repeat(width.saturating_sub(columns(&path)));
        let word = look.paint(tone, &format!("{word:<5}"));
        let _ = writeln!(text, "  {word}  {}{gap}  {}", look.paint(Tone::Strong, &path), one_line(&why));
    }
    if fates.len() > shown.len() {
        let _ = writeln!(text, "  {word:<5}  {} {} more", look.ellipsis(), fates.len() - shown.len());
    }
}

fn names(text: &mut String, fates: Vec<&Fate>, word: &str, look: Look) {
    let tasks: Vec<String> = fates.iter().map(|fate| one_line(&fate.path)).collect();
    if !tasks.is_empty() {
        let steps = if tasks.len() == 1 { "1 step" } else { &format!("{} steps", tasks.len()) };
        let _ = writeln!(text, "  {}", look.paint(Tone::Faint, &format!("{word}: {steps}: {}", list(&tasks, NAMES))));
    }
}

/// The same as data: `{"run", "file", "steps": {path: {"verdict", "why", "changed", "at", "made_anew"}}}`, with how many
/// tasks there are of each verdict.
pub fn takeup_json(takeup: &Takeup) -> Json {
    let mut object = Map::new();
    object.insert("run".into(), takeup.run.as_str().into());
    object.insert("file".into(), takeup.file.clone().into());
    for (name, verdict) in [
        ("kept", Verdict::Kept),
        ("again", Verdict::Again),
        ("anew", Verdict::Anew),
        ("new", Verdict::New),
        ("open", Verdict::Open),
        ("gone", Verdict::Gone),
    ] {
        object.insert(name.into(), takeup.of(verdict).count().into());
    }
    let steps: Map<String, Json> =
        takeup.steps.iter().map(|fate| (fate.path.clone(), serde_json::to_value(fate).unwrap_or_default())).collect();
    object.insert("steps".into(), json!(steps));
    Json::Object(object)
}
