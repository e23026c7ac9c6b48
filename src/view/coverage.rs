//! Branch coverage as tables: a file, its decisions by line, which ways were gone.

use std::fmt::Write;

use super::look::one_line;
use super::table::table;
use super::{Look, Tone};
use crate::state::coverage::{Branch, Coverage};

/// Longest text of a decision, in columns.
const TEXT: usize = 60;

/// The table of each file, and how much of it was gone.
pub fn coverage(coverage: &Coverage, look: Look) -> String {
    let mut text = String::new();
    for (file, branches) in &coverage.files {
        let (covered, all) = coverage.count(Some(file));
        let tone = if covered == all { Tone::Good } else { Tone::Warn };
        let share = look.paint(tone, &format!("{} %", percent(coverage.percent(Some(file)))));
        let _ = writeln!(text, "\n{}  {share}  {covered} of {all} ways", look.paint(Tone::Strong, file));
        let mut rows = vec![["LINE", "DECISION", "", ""].map(str::to_owned).to_vec()];
        for branch in branches {
            let (yes, no) = branch.choice.ways();
            let what = format!("{} {}", branch.choice.name(), shown(branch));
            rows.push(vec![
                format!("{:>4}", branch.line),
                look.cut(&one_line(what.trim()), TEXT),
                times(branch.yes, yes, look),
                times(branch.no, no, look),
            ]);
        }
        let tone = |row: usize, column: usize| match (column, branches.get(row)) {
            (2, Some(Branch { yes: 0, .. })) | (3, Some(Branch { no: 0, .. })) => Some(Tone::Bad),
            (2 | 3, Some(_)) => Some(Tone::Good),
            _ => None,
        };
        text.push_str(&table(&rows, look, tone));
    }
    if coverage.files.len() != 1 {
        let (covered, all) = coverage.count(None);
        let _ = writeln!(text, "\ncovered: {} %, {covered} of {all} ways", percent(coverage.percent(None)));
    }
    text
}

/// What was decided: the condition, or the step where there is none.
fn shown(branch: &Branch) -> String {
    let text = branch.text.strip_prefix("||").unwrap_or(&branch.text).trim();
    match text.is_empty() {
        true => format!("`{}`", branch.step),
        false => text.to_owned(),
    }
}

fn times(times: u64, way: &str, look: Look) -> String {
    let sign = if look.unicode { "×" } else { "x" };
    match times {
        0 => format!("never {way}"),
        times => format!("{way} {times}{sign}"),
    }
}

/// A share with one decimal place, where it is not whole. It is rounded down: 100 means all.
pub fn percent(share: f64) -> String {
    let tenths = (share * 10.0).floor() as u64;
    if tenths.is_multiple_of(10) { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
}
