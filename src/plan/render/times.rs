//! How long a plan takes: waves, the critical path, and a rehearsal.

use super::page::{Ink, Page};
use super::text::{LISTED, Options};
use crate::plan::analysis::{Analysis, Origin};
use crate::plan::schedule::schedule;
use crate::plan::wording::{self, Names, clean, count};
use crate::plan::{Plan, StepId, Task};

/// The sections about time.
pub(super) fn times(page: &mut Page, plan: &Plan, analysis: &Analysis, names: &Names) {
    if analysis.waves.is_empty() {
        return;
    }
    let most = if page.options.full { usize::MAX } else { LISTED };
    let name = |id: &StepId| names.get(*id);
    let branches = if analysis.branches.is_empty() { "" } else { ", apart from the branches of a flow" };
    let title = format!("  what could run at the same time{branches}");
    page.row(&[(Ink::Bold, "waves"), (Ink::Dim, &title)], "");
    let digits = analysis.waves.len().to_string().len();
    let hidden = if analysis.waves.len() > most.saturating_add(1) { analysis.waves.len() - most } else { 0 };
    for (n, wave) in analysis.waves.iter().enumerate() {
        if hidden > 0 && n == most - 1 {
            let more = format!("  {:>digits$}  {} more waves", page.signs.more, count(hidden));
            page.row(&[(Ink::Dim, &more)], "");
        }
        if hidden > 0 && (most - 1..most - 1 + hidden).contains(&n) {
            continue;
        }
        let text = fitting(wave.iter().map(name), wave.len(), page.options);
        page.row(&[(Ink::Dim, &format!("  {:>digits$}  ", n + 1)), (Ink::Plain, &text)], "");
    }
    page.end();
    critical(page, analysis, most, names);
    estimate(page, plan, analysis);
}

/// As many names as fit into a line, and how many more there are.
fn fitting(names: impl Iterator<Item = String>, total: usize, options: &Options) -> String {
    let room = if options.full { usize::MAX } else { options.width.max(40).saturating_sub(24) };
    let mut text = String::new();
    let mut used = 0;
    for (n, name) in names.enumerate() {
        used += wording::width(&name) + 2;
        if n > 0 && used > room {
            text.push_str(&format!(" and {} more", count(total - n)));
            break;
        }
        text.push_str(if n == 0 { "" } else { ", " });
        text.push_str(&name);
    }
    text
}

fn critical(page: &mut Page, analysis: &Analysis, most: usize, names: &Names) {
    let path = &analysis.critical_path;
    let name = |id: &StepId| names.get(*id);
    let names: Vec<String> = match path.len() > most.saturating_add(1) {
        false => path.iter().map(name).collect(),
        true => {
            let (start, end) = (&path[..most / 2], &path[path.len() - most / 2..]);
            let hidden = path.len() - start.len() - end.len();
            let more = format!("{} {} more", page.signs.more, count(hidden));
            start.iter().map(name).chain([more]).chain(end.iter().map(name)).collect()
        }
    };
    page.row(&[(Ink::Bold, "critical path"), (Ink::Dim, &format!("  {}", about(analysis, analysis.critical_ms)))], "");
    // Wrapped at the arrows.
    let room = page.options.width.max(40).saturating_sub(4);
    let mut line = String::new();
    for (n, name) in names.iter().enumerate() {
        let part = if n == 0 { name.clone() } else { format!(" → {name}") };
        if !line.is_empty() && wording::width(&line) + wording::width(&part) > room {
            page.row(&[(Ink::Plain, "  "), (Ink::Plain, &line)], "");
            line = format!("  {}", part.trim_start());
        } else {
            line.push_str(&part);
        }
    }
    page.row(&[(Ink::Plain, "  "), (Ink::Plain, &line)], "");
    page.end();
}

fn about(analysis: &Analysis, ms: u64) -> String {
    match analysis.is_guess() {
        true => format!("≈ {}, if every step takes 1s", wording::duration(ms)),
        false => format!("≈ {}", wording::duration(ms)),
    }
}

fn estimate(page: &mut Page, plan: &Plan, analysis: &Analysis) {
    let slots = plan.header.settings.max_parallel.unwrap_or(page.options.max_parallel);
    let schedule = schedule(plan, analysis, slots);
    page.row(&[(Ink::Bold, "time")], "");
    let mut lines = vec![
        ("one at a time".to_owned(), wording::duration(analysis.total_ms)),
        (
            format!("{} at once", count(schedule.max_parallel as usize)),
            match schedule.gain_percent.round() {
                0.0 => wording::duration(schedule.makespan_ms),
                gain => format!("{}  ({gain} % less)", wording::duration(schedule.makespan_ms)),
            },
        ),
        (
            "at best".to_owned(),
            format!(
                "{}  (on average {:.1} steps side by side, at most {})",
                wording::duration(analysis.critical_ms),
                analysis.parallelism.average,
                count(analysis.parallelism.greatest)
            ),
        ),
    ];
    for (limit, waits) in &schedule.waits {
        let steps =
            if waits.steps == 1 { "1 step waits".to_owned() } else { format!("{} steps wait", count(waits.steps)) };
        lines.push((format!("for {}", clean(limit)), format!("{steps}, together {}", wording::duration(waits.ms))));
    }
    let widest = lines.iter().map(|(title, _)| wording::width(title)).max().unwrap_or(0);
    for (title, text) in &lines {
        let gap = " ".repeat(widest - wording::width(title));
        page.row(&[(Ink::Dim, &format!("  {title}{gap}  ")), (Ink::Plain, text)], "");
    }
    let known = |origin, word: &str| match analysis.count(origin) {
        0 => None,
        tasks => Some(format!("{} {word}", count(tasks))),
    };
    let origins: Vec<_> = [
        known(Origin::Recorded, "from earlier runs"),
        known(Origin::Declared, "declared"),
        known(Origin::Assumed, "unknown, taken as 1s"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !origins.is_empty() {
        page.row(&[(Ink::Dim, &format!("  estimates: {}", origins.join(", ")))], "");
    }
    if plan.steps.iter().any(|step| step.task.waits() && !step.retired) {
        page.row(&[(Ink::Dim, "  waiting for people, signals, moments and files is not counted")], "");
    }
    let races = plan.steps.iter().any(|step| matches!(&*step.task, Task::Quorum(quorum) if !quorum.is_all()));
    if races {
        page.row(&[(Ink::Dim, "  of races and quorums those steps are counted that are quickest")], "");
    }
    let flows = plan.steps.iter().any(|step| matches!(&*step.task, Task::Flow(_)));
    if flows {
        page.row(&[(Ink::Dim, "  of each flow the branch with the most work is counted")], "");
    }
}
