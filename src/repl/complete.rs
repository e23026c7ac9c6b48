//! What could stand at the cursor, and what is to be said about the call it is in.

use std::collections::HashSet;

use super::command::{Argument, COMMANDS, find, is_command};
use super::known::{Known, files};
use crate::flow::assist::Document;
use crate::flow::items;

/// Candidates that are offered.
const OFFERED: usize = 1_000;

/// Where the word begins that is to be completed, and what it could become.
pub fn complete(line: &str, at: usize, known: &Known) -> (usize, Vec<String>) {
    if !is_command(line) {
        return code(line, 0, at, known);
    }
    let begin = line.find(':').map_or(0, |colon| colon + 1);
    let typed = line.get(begin..at).unwrap_or_default();
    let Some(blank) = typed.find(char::is_whitespace) else {
        let names = COMMANDS.iter().filter(|command| command.name.starts_with(typed));
        let blank = |argument| if argument == Argument::Nothing { "" } else { " " };
        return (begin, names.map(|command| format!("{}{}", command.name, blank(command.argument))).collect());
    };
    let argument = find(typed[..blank].trim_end_matches('!')).map_or(Argument::Nothing, |command| command.argument);
    let start = begin + blank + typed[blank..].len() - typed[blank..].trim_start().len();
    let word = &line[start..at];
    let fitting = |names: &mut dyn Iterator<Item = String>| -> Vec<String> {
        let mut names: Vec<String> = names.filter(|name| name.starts_with(word)).collect();
        names.sort();
        names.dedup();
        names
    };
    let candidates = match argument {
        Argument::Nothing => Vec::new(),
        Argument::File => files(word),
        Argument::Expression => return code(line, start, at, known),
        Argument::Step => {
            let variables = known.names.iter().filter(|(_, shape)| shape.sort.is_step());
            fitting(&mut known.steps.iter().chain(variables.map(|(name, _)| name)).cloned())
        }
        Argument::Run => fitting(&mut ["last".to_owned()].into_iter().chain(known.runs())),
        Argument::Name => {
            let commands = COMMANDS.iter().map(|command| command.name.to_owned());
            fitting(&mut items().iter().map(|item| item.name.clone()).chain(commands))
        }
    };
    (start, candidates)
}

/// In the language, from a byte of the line on.
fn code(line: &str, begin: usize, at: usize, known: &Known) -> (usize, Vec<String>) {
    let Some(text) = line.get(begin..) else { return (at, Vec::new()) };
    let found = known.with(|known| Document::new(text).complete(at - begin, known));
    let mut seen = HashSet::new();
    let texts = found.candidates.into_iter().map(|candidate| candidate.text);
    (begin + found.start, texts.filter(|text| seen.insert(text.clone())).take(OFFERED).collect())
}

/// The signature of the call that the cursor is in, or of what a command takes.
pub fn hint(line: &str, at: usize, known: &Known) -> Option<String> {
    if at < line.len() || line.is_empty() {
        return None;
    }
    if is_command(line) {
        let name = line.trim_start().trim_start_matches(':');
        let command = find(name.trim_end()).ok().filter(|command| !command.word.is_empty())?;
        let blank = if name.ends_with(' ') { "" } else { " " };
        return Some(format!("{blank}{}", command.word));
    }
    let signatures = known.with(|known| Document::new(line).signature(at, known))?;
    let form = signatures.forms.get(signatures.active)?;
    // What is written already is not said again.
    let rest = match form.parameters.get(signatures.argument) {
        Some(range) if line.trim_end().ends_with(['(', ',']) => &form.label[range.start..],
        Some(_) => form.parameters.get(signatures.argument + 1).map(|next| &form.label[next.start..])?,
        None => return None,
    };
    let comma = if line.trim_end().ends_with(['(', ',']) { "" } else { ", " };
    let more = match signatures.forms.len() {
        1 => String::new(),
        n => format!("   ({} more {})", n - 1, if n == 2 { "form" } else { "forms" }),
    };
    Some(format!("{comma}{rest}{more}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::flow::assist::{Shape, Sort};

    fn known() -> Known {
        let steps: Vec<String> = (0..10_000).map(|n| format!("build-{n}")).collect();
        let names = (0..10_000).map(|n| (format!("step_{n}"), Shape::of(Sort::Step))).collect();
        let mut known = Known::default();
        (known.steps, known.names) = (steps, names);
        known
    }

    #[test]
    fn commands_and_what_follows_them() {
        let known = known();
        let texts = |line: &str| complete(line, line.len(), &known).1;
        assert_eq!(texts(":lo"), ["logs ", "load "]);
        assert_eq!(texts(":undo x"), [""; 0]);
        assert_eq!(texts(":why build-99").len(), 111);
        assert!(texts(":help chai").contains(&"chain".to_owned()));
        assert!(texts(":type sh").contains(&"sh".to_owned()));
        assert_eq!(hint(":load", 5, &known).as_deref(), Some(" FILE"));
    }

    #[test]
    fn calls_are_explained() {
        let known = Known::default();
        let said = |line: &str| hint(line, line.len(), &known).unwrap_or_default();
        assert!(said("sh(").starts_with("name"), "{}", said("sh("));
        assert!(said("sh(\"a\"").starts_with(", script"), "{}", said("sh(\"a\""));
        assert_eq!(said("1 + 1"), "");
    }

    /// 10 ms are promised; a build without optimisation on a busy machine gets some more.
    #[test]
    fn it_takes_no_time_with_ten_thousand_steps() {
        let known = known();
        let allowed = Duration::from_millis(if cfg!(debug_assertions) { 60 } else { 10 });
        for line in ["step_1", "step_77.ret", ":why build-1", "sh(\"a\", \"b\").after(st", "flow(\"f\").when(\"build-1"]
        {
            let took = |_| {
                let begun = Instant::now();
                std::hint::black_box((complete(line, line.len(), &known), hint(line, line.len(), &known)));
                begun.elapsed()
            };
            let best = (0..5).map(took).min().unwrap_or_default();
            assert!(best < allowed, "{line}: {best:?}");
        }
    }
}
