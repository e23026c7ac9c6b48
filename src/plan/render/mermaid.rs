//! Mermaid flowcharts: what Markdown pages of code forges show as a drawing.

use std::fmt::Write;

use super::picture::{Line, Place, Visit, arrows, group_note, hooks, lines, title, top, walk};
use crate::plan::analysis::is_pending;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::wording::{box_lines, shorten};
use crate::plan::{Plan, StepId, Task};

/// Widest line of text in a box.
const WIDTH: usize = 40;

/// A plan as a Mermaid flowchart. Groups are subgraphs; conditions are dashed.
pub fn mermaid(plan: &Plan) -> String {
    let tree = Hierarchy::drawn(plan);
    let mut text = String::from("flowchart LR\n");
    steps(plan, &tree, &top(plan, &tree), 1, &mut text);
    for (n, (moment, hooks)) in hooks(plan).into_iter().enumerate() {
        line(&mut text, 1, format_args!("subgraph on{n}[\"{moment}\"]"));
        steps(plan, &tree, &hooks, 2, &mut text);
        line(&mut text, 1, format_args!("end"));
    }
    for arrow in arrows(plan) {
        let (from, to) = (place(arrow.from), place(arrow.to));
        let sign = match arrow.line {
            Line::Stream => "==>",
            line if line.is_broken() => "-.->",
            _ => "-->",
        };
        match arrow.label.is_empty() {
            true => line(&mut text, 1, format_args!("{from} {sign} {to}")),
            false => line(&mut text, 1, format_args!("{from} {sign}|\"{}\"| {to}", escape(&arrow.label))),
        }
    }
    for (class, look) in [
        ("pending", "stroke-dasharray:5 4"),
        ("fail", "fill:#fee2e2,stroke:#b91c1c,color:#450a0a"),
        ("agent", "fill:#fdf4ff,stroke:#c026d3,color:#4a044e"),
        ("decision", "fill:#fef3c7,stroke:#b45309,color:#451a03"),
    ] {
        if text.contains(&format!(":::{class}\n")) {
            line(&mut text, 1, format_args!("classDef {class} {look}"));
        }
    }
    text
}

fn line(text: &mut String, depth: usize, content: std::fmt::Arguments) {
    text.extend(std::iter::repeat_n("  ", depth.min(20)));
    // Writing to a string cannot fail.
    let _ = text.write_fmt(content);
    text.push('\n');
}

fn steps(plan: &Plan, tree: &Hierarchy, steps: &[StepId], base: usize, text: &mut String) {
    walk(tree, steps, &mut |visit, depth| {
        let depth = depth + base - 1;
        match visit {
            Visit::Box(id) => figure(plan, id, depth, text),
            Visit::Open(id) => {
                let name = escape(&format!("{} ({})", title(plan, id), group_note(plan, id)));
                line(text, depth, format_args!("subgraph {}[\"{name}\"]", place(Place::Step(id))));
                if matches!(&*plan.step(id).task, Task::Flow(_)) {
                    line(text, depth + 1, format_args!("{}{{\"?\"}}:::decision", place(Place::Decision(id))));
                }
            }
            Visit::Close => line(text, depth, format_args!("end")),
        }
    });
}

/// A box, of a form that tells the kind of the step.
fn figure(plan: &Plan, id: StepId, depth: usize, text: &mut String) {
    let step = plan.step(id);
    if let Some(parts) = box_lines(plan, id) {
        return pipeline(plan, id, &parts, depth, text);
    }
    let words: Vec<_> = lines(plan, id, WIDTH).iter().map(|line| escape(line)).collect();
    let words = words.join("<br/>");
    let (open, close) = match &*step.task {
        Task::Wait(_) | Task::Approve(_) | Task::Signal(_) | Task::WaitUntil(_) | Task::WaitFor(_) => ("([", "])"),
        Task::Const(_) => ("[/", "/]"),
        Task::Fail(_) => ("{{", "}}"),
        task if task.is_group() => ("[[", "]]"),
        _ => ("[", "]"),
    };
    let class = match &*step.task {
        Task::Fail(_) => ":::fail",
        task if is_pending(task) => ":::pending",
        Task::Agent(_) => ":::agent",
        _ => "",
    };
    line(text, depth, format_args!("{}{open}\"{words}\"{close}{class}", place(Place::Step(id))));
}

/// A pipeline: a frame with a box for its source, each of its stages and its sink.
fn pipeline(plan: &Plan, id: StepId, parts: &[String], depth: usize, text: &mut String) {
    let name = escape(&format!("{} ({})", title(plan, id), group_note(plan, id)));
    line(text, depth, format_args!("subgraph {}[\"{name}\"]", place(Place::Step(id))));
    for (n, part) in parts.iter().enumerate() {
        let part = escape(&shorten(part.trim_start_matches("→ "), WIDTH));
        let (open, close) = if n == 0 || n + 1 == parts.len() { ("([", "])") } else { ("[", "]") };
        line(text, depth + 1, format_args!("p{}x{n}{open}\"{part}\"{close}", id.0));
    }
    let names: Vec<_> = (0..parts.len()).map(|n| format!("p{}x{n}", id.0)).collect();
    line(text, depth + 1, format_args!("{}", names.join(" --> ")));
    line(text, depth, format_args!("end"));
}

/// The name of a node: letters that can be no word of the language.
fn place(place: Place) -> String {
    match place {
        Place::Step(id) => format!("s{}", id.0),
        Place::Decision(id) => format!("d{}", id.0),
    }
}

/// Text within double quotes: everything that Mermaid, Markdown or HTML could read as theirs becomes an entity.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => safe.push_str("#quot;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            '&' => safe.push_str("#amp;"),
            '#' | '`' | '\\' | '*' | '_' | '%' | ';' => safe.push_str(&format!("#{};", c as u32)),
            c => safe.push(c),
        }
    }
    safe
}
