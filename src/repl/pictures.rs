//! `:graph`: which step waits for which.

use serde_json::json;

use super::answer::Answer;
use crate::diag::{Diagnostic, Result};
use crate::plan::{EdgeKind, Plan, StepId, Task, render};
use crate::view::{Look, Tone};

/// As lines, or as a picture into a file.
///
/// # Errors
/// The file cannot be written, or nobody knows what its ending means.
pub fn graph(plan: &Plan, file: &str, look: Look) -> Result<Answer> {
    if file.is_empty() {
        return Ok(lines(plan, look));
    }
    let file = file.trim_matches('"');
    let text = match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("svg") => render::svg(plan)?,
        Some("dot" | "gv") => render::dot(plan),
        Some("mmd" | "md") => render::mermaid(plan),
        _ => {
            return Err(Diagnostic::new("flow::repl::command", format!("`{file}` is no kind of picture"))
                .help("the ending says which: `.svg`, `.dot` for graphviz, `.mmd` for mermaid"));
        }
    };
    std::fs::write(file, text).map_err(|error| {
        Diagnostic::new("flow::cli::output", format!("`{file}` cannot be written: {error}"))
            .help("name a file in a folder that exists and is writable")
    })?;
    Ok(Answer { notes: vec![format!("{file} is written")], ..Answer::default() })
}

fn lines(plan: &Plan, look: Look) -> Answer {
    let arrow = if look.unicode { "→" } else { "->" };
    let mut text = String::new();
    let mut data = Vec::new();
    for id in plan.ids().filter(|id| !plan.step(*id).anonymous || stream(plan, *id).is_some()) {
        let before: Vec<(String, EdgeKind)> =
            plan.step(id).after.iter().map(|edge| (plan.path(edge.from), edge.kind)).collect();
        let mut names: Vec<String> = before.iter().map(|(path, kind)| edge(path, *kind, look)).collect();
        names.dedup();
        let name = match stream(plan, id) {
            None => look.paint(Tone::Strong, &plan.path(id)),
            Some(levels) => {
                let flow = look.paint(Tone::Strong, &written(plan, levels));
                if plan.step(id).anonymous { flow } else { format!("{}: {flow}", plan.path(id)) }
            }
        };
        // A member that waits for nothing by itself stands in the line of its stream.
        let parent = plan.step(id).parent.and_then(|parent| stream(plan, parent));
        match names.is_empty() {
            true if parent.is_some() => {}
            true => text.push_str(&format!("{name}\n")),
            false => text.push_str(&format!("{} {arrow} {name}\n", names.join(", "))),
        }
        let mut entry =
            json!({ "step": plan.path(id), "after": before.iter().map(|(path, _)| path).collect::<Vec<_>>() });
        if let Some(levels) = stream(plan, id) {
            let paths = |level: &Vec<StepId>| level.iter().map(|id| plan.path(*id)).collect::<Vec<_>>();
            entry["stream"] = levels.iter().map(paths).collect();
            data.push(entry);
            continue;
        }
        data.push(entry);
        let members: Vec<String> = plan.members(id).into_iter().map(|child: StepId| plan.path(child)).collect();
        if !members.is_empty() {
            text.push_str(&look.paint(Tone::Faint, &format!("  holds {}\n", members.join(", "))));
        }
    }
    Answer { data: Some(data.into()), ..Answer::of_text(text) }
}

/// The levels of a stream: all of one write to all of the next.
fn stream(plan: &Plan, id: StepId) -> Option<&[Vec<StepId>]> {
    match &*plan.step(id).task {
        Task::Stream(stream) => Some(&stream.levels),
        _ => None,
    }
}

/// As in the script: `a |> [b, c] |> d`.
fn written(plan: &Plan, levels: &[Vec<StepId>]) -> String {
    let level = |level: &Vec<StepId>| match level.as_slice() {
        [one] => plan.path(*one),
        several => format!("[{}]", several.iter().map(|id| plan.path(*id)).collect::<Vec<_>>().join(", ")),
    };
    levels.iter().map(level).collect::<Vec<_>>().join(" |> ")
}

fn edge(path: &str, kind: EdgeKind, look: Look) -> String {
    match kind {
        EdgeKind::Condition => look.paint(Tone::Faint, &format!("{path}?")),
        _ => path.to_owned(),
    }
}
