//! What came of tests, for a terminal.

use std::fmt::Write;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::look::one_line;
use super::time::duration;
use super::{Look, Tone, diagnostic, reason};
use crate::diag::Diagnostic;
use crate::plan::StepId;
use crate::plan::wording::plural;
use crate::state::{RunState, Status};

/// Steps of the latest run that are listed with a test that failed.
const SHOWN: usize = 30;
/// Lines of a difference around what differs.
const AROUND: usize = 2;

/// A test that was made.
pub struct TestLine<'a> {
    /// Its file.
    pub file: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The line it is declared on.
    pub line: u32,
    /// How it ended.
    pub end: TestVerdict<'a>,
    /// What it printed.
    pub printed: &'a str,
    /// How long it took.
    pub took: Duration,
    /// The latest run in it, at its end.
    pub latest: Option<&'a RunState>,
}

/// How a test ended.
pub enum TestVerdict<'a> {
    /// Well.
    Passed,
    /// It was not made, and why.
    Skipped(&'a str),
    /// It failed; and the two values that differ, as text.
    Failed(&'a Diagnostic, Option<(&'a str, &'a str)>),
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// Well.
    pub passed: usize,
    /// Not so.
    pub failed: usize,
    /// Not made.
    pub skipped: usize,
    /// Files that are wrong.
    pub wrong: usize,
}

/// The line of a test; the name of its file stands before that of the first.
pub fn test_line(test: &TestLine, first: bool, look: Look) -> String {
    let mut text = String::new();
    if first {
        let _ = writeln!(text, "{}", look.paint(Tone::Strong, test.file));
    }
    let (status, more) = match &test.end {
        TestVerdict::Passed => (Status::Success, took(test.took)),
        TestVerdict::Failed(..) => (Status::Failed, took(test.took)),
        TestVerdict::Skipped(why) => (Status::Skipped, format!("skipped: {}", one_line(why))),
    };
    let _ = writeln!(text, "  {} {}  {}", look.sign(status), test.name, look.paint(Tone::Faint, &more));
    text
}

fn took(time: Duration) -> String {
    match time.as_millis() {
        0 => format!("{:.1}ms", time.as_secs_f64() * 1_000.0),
        ms => duration(ms as u64),
    }
}

/// What went wrong in a test: where, the values that differ, what it printed, and what became of the latest run in it. Nothing
/// of one that did not fail.
pub fn test_failure(test: &TestLine, look: Look) -> String {
    let TestVerdict::Failed(problem, values) = &test.end else { return String::new() };
    let mut text = String::new();
    let heading = format!("{}::{}", test.file, test.name);
    let _ = writeln!(text, "\n{} {}", look.sign(Status::Failed), look.paint(Tone::Strong, &heading));
    text.push_str(diagnostic(problem, look).trim_end());
    text.push('\n');
    if let Some((left, right)) = values {
        text.push_str(&difference(left, right, look));
    }
    if let Some(state) = test.latest {
        text.push_str(&run(state, look));
    }
    if !test.printed.is_empty() {
        let _ = writeln!(text, "  {}", look.paint(Tone::Strong, "printed"));
        for line in test.printed.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// Two values: in two lines, or, where one has several lines, what differs.
fn difference(left: &str, right: &str, look: Look) -> String {
    let mut text = String::new();
    if !left.contains('\n') && !right.contains('\n') {
        let _ = writeln!(text, "  {}  {left}", look.paint(Tone::Bad, "is      "));
        let _ = writeln!(text, "  {}  {right}", look.paint(Tone::Good, "expected"));
        return text;
    }
    let _ = writeln!(text, "  {} {}", look.paint(Tone::Bad, "- is"), look.paint(Tone::Good, "+ expected"));
    let diff = TextDiff::from_lines(left, right);
    for group in diff.grouped_ops(AROUND) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Equal => format!("  {line}"),
                ChangeTag::Delete => look.paint(Tone::Bad, &format!("- {line}")),
                ChangeTag::Insert => look.paint(Tone::Good, &format!("+ {line}")),
            };
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// What became of the steps of a run.
fn run(state: &RunState, look: Look) -> String {
    let mut text = format!("  {} {}\n", look.paint(Tone::Strong, "latest run:"), look.run_status(state.status));
    // Of groups those that failed by themselves: what else became of one is to be seen by its steps.
    let of_itself = |id: StepId| state.step(id).status == Status::Failed && !reason::is_child_failure(state, id);
    let is_told = |id: StepId| !state.plan.step(id).task.is_group() || of_itself(id);
    let tasks = || state.plan.ids().filter(|id| state.is_listed(*id) && is_told(*id));
    for id in tasks().take(SHOWN) {
        let step = state.step(id);
        let more = match (step.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()), step.status) {
            (Some(error), Status::Failed) => format!(": {}", one_line(&error.message)),
            (_, Status::Skipped) => state.result(id).why_skipped.map_or(String::new(), |why| format!(": {why}")),
            (_, Status::Waiting) => ": waits".to_owned(),
            _ => String::new(),
        };
        let _ =
            writeln!(text, "    {} {}{}", look.sign(step.status), state.plan.path(id), look.paint(Tone::Faint, &more));
    }
    let more = tasks().count().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "    {} {more} more", look.ellipsis());
    }
    text
}

/// How many ended how, in a line.
pub fn test_summary(counts: TestCounts, took: Duration, look: Look) -> String {
    let TestCounts { passed, failed, skipped, wrong } = counts;
    let mut parts = vec![format!("{passed} passed")];
    if failed > 0 {
        parts.push(look.paint(Tone::Bad, &format!("{failed} failed")));
    }
    if skipped > 0 {
        parts.push(look.paint(Tone::Warn, &format!("{skipped} skipped")));
    }
    if wrong > 0 {
        parts.push(look.paint(Tone::Bad, &format!("{} wrong", plural(wrong, "file"))));
    }
    let sign = if failed + wrong > 0 { Status::Failed } else { Status::Success };
    format!("\n{} {} in {}\n", look.sign(sign), parts.join(", "), duration(took.as_millis() as u64))
}

/// Whether a workflow went the way of a recorded run, in a line. `counts`: what was compared, in words.
pub fn went_again(file: &str, differences: usize, counts: &str, recorded: &str, took: Duration, look: Look) -> String {
    let (sign, says) = match differences {
        0 => (Status::Success, format!("{file} goes the way of {recorded}")),
        n => {
            let n = look.paint(Tone::Bad, &plural(n, "difference"));
            (Status::Failed, format!("{file} does not go the way of {recorded}: {n}"))
        }
    };
    format!("{} {says} ({counts}, in {})\n", look.sign(sign), duration(took.as_millis() as u64))
}
