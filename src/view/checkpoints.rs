//! Checkpoints of a run, and the way back to one.

use super::look::{columns, one_line};
use super::time::Clock;
use super::{Look, Tone};
use crate::event::RollBack;
use crate::plan::StepId;
use crate::state::RunState;
use crate::state::checkpoint::Checkpoint;

/// Most steps that are named one by one.
const NAMED: usize = 12;

/// A table of checkpoints, one a line.
pub fn checkpoints(state: &RunState, points: &[Checkpoint], clock: &Clock, look: Look) -> String {
    let mut rows = vec![["CHECKPOINT", "REACHED", "BY"].map(str::to_owned)];
    for point in points {
        let by = match point.automatic {
            true => "(stage)".to_owned(),
            false => one_line(&state.plan.path(point.step)),
        };
        rows.push([one_line(&point.name), clock.ago(point.at), by]);
    }
    let widths = [0, 1].map(|column| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0));
    let mut text = String::new();
    for (n, [name, reached, by]) in rows.iter().enumerate() {
        let line = format!(
            "{name}{}  {reached}{}  {by}",
            " ".repeat(widths[0] - columns(name)),
            " ".repeat(widths[1] - columns(reached))
        );
        let line = line.trim_end();
        text.push_str(&if n == 0 { look.paint(Tone::Faint, line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

/// What rolling back would do.
pub fn way_back(state: &RunState, back: &RollBack, undone: &[(StepId, StepId)], look: Look) -> String {
    let path = |id: &StepId| format!("`{}`", one_line(&state.plan.path(*id)));
    let mut text = match undone.is_empty() {
        true => format!("Nothing to undo after `{}`.\n", back.to),
        false => "Undone, in this order:\n".to_owned(),
    };
    for (step, undo) in undone {
        text.push_str(&format!("  {} {}\n", path(step), look.paint(Tone::Faint, &format!("by {}", path(undo)))));
    }
    let steps: Vec<&StepId> = back.steps.iter().filter(|id| state.plan.undo_of(**id).is_none()).collect();
    let (first, rest) = steps.split_at(steps.len().min(NAMED));
    if first.is_empty() {
        text.push_str("No step has ended since.\n");
    } else {
        let names: Vec<String> = first.iter().map(|id| path(id)).collect();
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        text.push_str(&format!("Pending again: {}{more}\n", names.join(", ")));
    }
    text
}
