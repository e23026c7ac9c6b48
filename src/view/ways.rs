//! The ways through a plan, to text and to data.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Look, Tone};
use crate::plan::ways::{Choice, Way, Ways};
use crate::plan::wording::{Names, duration, plural, shorten, width};
use crate::plan::{Condition, Plan, StepId, Task};

/// A list of all ways: what leads to each, how long it takes, and what is done on it and not on all.
/// `guessed`: nothing is known of how long steps take.
pub fn ways(plan: &Plan, found: &Ways, guessed: bool, look: Look) -> String {
    let Ways { ways, more } = found;
    let names = Names::of(plan);
    let count = if *more { format!("more than {} ways", ways.len()) } else { plural(ways.len(), "way") };
    let note = if guessed { "  if every step takes 1s" } else { "" };
    let mut text =
        format!("{}: {count} through{}\n", look.paint(Tone::Strong, &plan.header.name), look.paint(Tone::Faint, note));
    let always: HashSet<StepId> = match ways.split_first() {
        Some((first, others)) => {
            let on_all = |id: &&StepId| others.iter().all(|way| way.steps.contains(id));
            first.steps.iter().filter(on_all).copied().collect()
        }
        None => HashSet::new(),
    };
    if ways.len() > 1 && !always.is_empty() && !more {
        let shared = ways[0].steps.iter().filter(|id| always.contains(id));
        text.push_str(&steps("on all of them: ", shared, &names, look));
    }
    let digits = ways.len().to_string().len();
    for (n, way) in ways.iter().enumerate() {
        let end = if way.fails { look.paint(Tone::Bad, ", fails") } else { String::new() };
        let size = plural(way.steps.len(), "step");
        text.push_str(&format!("\n{:>digits$}  ≈ {}, {size}{end}\n", n + 1, duration(way.ms)));
        let indent = " ".repeat(digits + 2);
        for line in decisions(plan, way, &names) {
            let room = if look.width == 0 { usize::MAX } else { look.width.max(40) - indent.len() };
            text.push_str(&format!("{indent}{}\n", look.cut(&line, room)));
        }
        let own = way.steps.iter().filter(|id| ways.len() == 1 || *more || !always.contains(id));
        text.push_str(&steps(&format!("{indent}runs "), own, &names, look));
    }
    if *more {
        text.push_str("\nand further ones: `--full` lists more of them\n");
    }
    match look.unicode {
        true => text,
        false => text.replace('→', "->").replace('≈', "~"),
    }
}

fn says(condition: Option<&Condition>) -> String {
    condition.map_or("otherwise".to_owned(), |condition| shorten(&condition.text(), 80))
}

/// Names of steps, wrapped at the arrows.
fn steps<'a>(title: &str, ids: impl Iterator<Item = &'a StepId>, names: &Names, look: Look) -> String {
    let room = if look.width == 0 { 100 } else { look.width };
    let (mut text, mut used) = (String::new(), title.chars().count());
    let indent = title.len() - title.trim_start().len() + 2;
    for (n, id) in ids.enumerate() {
        let name = names.get(*id);
        let columns = width(&name) + 3;
        if n > 0 && used + columns > room {
            text.push_str(&format!("\n{}→ ", " ".repeat(indent)));
            used = indent + 2;
        } else if n > 0 {
            text.push_str(" → ");
        }
        used += columns;
        text.push_str(&name);
    }
    if text.is_empty() { String::new() } else { format!("{}{text}\n", look.paint(Tone::Faint, title)) }
}

/// A line for each flow and each step with a condition.
fn decisions(plan: &Plan, way: &Way, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    for Choice { step, branch, yes } in &way.choices {
        let (planned, name) = (plan.step(*step), names.get(*step));
        match (branch.map(|branch| branch as usize), &*planned.task) {
            (Some(at), Task::Flow(branches)) => {
                let later = &branches[(at + 1).min(branches.len())..];
                // The last condition that was asked decides, and it is enough to tell that one.
                let taken = if *yes { branches.get(at) } else { later.first().filter(|next| next.when.is_none()) };
                match taken {
                    Some(taken) => {
                        let goes = names.get(taken.step);
                        lines.push(format!("{name}: {} → {goes}", says(taken.when.as_ref())));
                    }
                    None if later.is_empty() => lines.push(format!("{name}: no condition holds → nothing")),
                    None => {}
                }
            }
            _ => {
                let when = says(planned.when.as_deref());
                lines.push(match yes {
                    true => format!("{name}: {when} → runs"),
                    false => format!("{name}: not ({when}) → is skipped"),
                });
            }
        }
    }
    lines
}

/// The ways as data: one object with `ways` and `more`.
pub fn ways_json(plan: &Plan, found: &Ways) -> Value {
    let path = |id: &StepId| plan.path(*id);
    let choice = |choice: &Choice| {
        let planned = plan.step(choice.step);
        let when = match (choice.branch, &*planned.task) {
            (Some(branch), Task::Flow(branches)) => {
                branches.get(branch as usize).and_then(|branch| branch.when.as_ref())
            }
            _ => planned.when.as_deref(),
        };
        let text = when.map(Condition::text);
        json!({ "step": path(&choice.step), "branch": choice.branch, "condition": text, "is": choice.yes })
    };
    let way = |way: &Way| {
        json!({
            "duration_ms": way.ms,
            "status": if way.fails { "failed" } else { "success" },
            "choices": way.choices.iter().map(choice).collect::<Vec<_>>(),
            "steps": way.steps.iter().map(path).collect::<Vec<_>>(),
        })
    };
    json!({ "workflow": plan.header.name, "ways": found.ways.iter().map(way).collect::<Vec<_>>(), "more": found.more })
}
