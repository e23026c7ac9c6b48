//! The language of Graphviz: for plans too large for anything else, and for `dot`, `sfdp` and their kin.

use std::fmt::Write;

use super::picture::{Line, Place, Visit, arrows, group_note, hooks, lines, title, top, walk};
use crate::plan::analysis::is_pending;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Plan, StepId, Task};

/// Widest line of text in a box.
const WIDTH: usize = 48;

/// A plan in the language of Graphviz. Groups are clusters; conditions are dashed.
pub fn dot(plan: &Plan) -> String {
    let tree = Hierarchy::drawn(plan);
    let mut out = Out { plan, tree: &tree, ends: ends(plan, &tree), text: String::new() };
    out.line(0, format_args!("digraph \"{}\" {{", escape(&plan.header.name)));
    for line in [
        "rankdir=LR; compound=true; nodesep=0.3; ranksep=0.6;",
        "graph [fontname=\"Helvetica,sans-serif\", fontsize=11, style=\"rounded,filled\", color=\"#cbd5e1\", fillcolor=\"#f8fafc\"];",
        "node [fontname=\"Helvetica,sans-serif\", fontsize=11, shape=box, style=\"rounded,filled\", color=\"#64748b\", fillcolor=white];",
        "edge [fontname=\"Helvetica,sans-serif\", fontsize=9, color=\"#475569\", fontcolor=\"#334155\", arrowsize=0.7];",
    ] {
        out.line(1, format_args!("{line}"));
    }
    out.steps(&top(plan, &tree), 1);
    for (n, (moment, hooks)) in hooks(plan).into_iter().enumerate() {
        out.line(1, format_args!("subgraph cluster_on{n} {{"));
        out.line(2, format_args!("label=\"{moment}\"; style=\"rounded,dashed\";"));
        out.steps(&hooks, 2);
        out.line(1, format_args!("}}"));
    }
    for arrow in arrows(plan) {
        let mut look: Vec<String> = Vec::new();
        if !arrow.label.is_empty() {
            look.push(format!("label=\"{}\"", escape(&arrow.label)));
        }
        match arrow.line {
            Line::Order => {}
            Line::Data => look.push("color=\"#2563eb\", fontcolor=\"#1d4ed8\"".to_owned()),
            Line::Condition => look.push("style=dashed, color=\"#b45309\", fontcolor=\"#92400e\"".to_owned()),
            Line::Branch => look.push("color=\"#b45309\", fontcolor=\"#92400e\"".to_owned()),
            Line::Else => look.push("style=dashed, color=\"#dc2626\", fontcolor=\"#b91c1c\"".to_owned()),
            Line::Stream => look.push("style=bold, penwidth=2.5, color=\"#0d9488\", fontcolor=\"#0f766e\"".to_owned()),
            Line::Alert => look.push("style=dashed, color=\"#db2777\", fontcolor=\"#be185d\"".to_owned()),
            Line::Undo => look.push("style=dotted, color=\"#7c3aed\", fontcolor=\"#6d28d9\"".to_owned()),
        }
        // Graphviz draws no edge to a cluster: it is drawn to a node within and cut off at the border.
        let (from, to) = (out.node(arrow.from, false), out.node(arrow.to, true));
        if let Some(group) = out.group(arrow.from) {
            look.push(format!("ltail=cluster_{}", group.0));
        }
        if let Some(group) = out.group(arrow.to) {
            look.push(format!("lhead=cluster_{}", group.0));
        }
        match look.is_empty() {
            true => out.line(1, format_args!("{from} -> {to};")),
            false => out.line(1, format_args!("{from} -> {to} [{}];", look.join(", "))),
        }
    }
    out.line(0, format_args!("}}"));
    out.text
}

/// For each step the first and the last node within it: itself, if it has no children.
fn ends(plan: &Plan, tree: &Hierarchy) -> Vec<(StepId, StepId)> {
    let mut ends: Vec<_> = plan.ids().map(|id| (id, id)).collect();
    for id in tree.preorder().iter().rev() {
        if let [first, .., last] | [first @ last] = tree.children(*id) {
            ends[id.index()] = (ends[first.index()].0, ends[last.index()].1);
        }
    }
    ends
}

struct Out<'a> {
    plan: &'a Plan,
    tree: &'a Hierarchy,
    ends: Vec<(StepId, StepId)>,
    text: String,
}

impl Out<'_> {
    fn line(&mut self, depth: usize, content: std::fmt::Arguments) {
        self.text.extend(std::iter::repeat_n("  ", depth.min(20)));
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(content);
        self.text.push('\n');
    }

    /// The group that an arrow leads to or from, if it is one.
    fn group(&self, place: Place) -> Option<StepId> {
        match place {
            Place::Step(id) if !self.tree.children(id).is_empty() => Some(id),
            _ => None,
        }
    }

    fn node(&self, place: Place, entry: bool) -> String {
        match place {
            Place::Decision(id) => format!("d{}", id.0),
            Place::Step(id) => {
                let (first, last) = self.ends[id.index()];
                format!("s{}", if entry { first } else { last }.0)
            }
        }
    }

    fn steps(&mut self, steps: &[StepId], base: usize) {
        let tree = self.tree;
        walk(tree, steps, &mut |visit, depth| {
            let depth = depth + base - 1;
            match visit {
                Visit::Box(id) => self.figure(id, depth),
                Visit::Open(id) => self.open(id, depth),
                Visit::Close => self.line(depth, format_args!("}}")),
            }
        });
    }

    fn open(&mut self, id: StepId, depth: usize) {
        let task = &*self.plan.step(id).task;
        let name = escape(&format!("{} ({})", title(self.plan, id), group_note(self.plan, id)));
        self.line(depth, format_args!("subgraph cluster_{} {{", id.0));
        let look = match task {
            Task::Flow(_) => " color=\"#d97706\"; fillcolor=\"#fffbeb\";",
            Task::Stream(_) => " color=\"#0d9488\"; fillcolor=\"#f0fdfa\";",
            _ => "",
        };
        self.line(depth + 1, format_args!("label=\"{name}\"; labeljust=l;{look}"));
        if let Task::Flow(_) = task {
            let look = "shape=diamond, style=filled, fillcolor=\"#fef3c7\", color=\"#b45309\", width=0.3, height=0.3";
            self.line(depth + 1, format_args!("d{} [label=\"?\", {look}];", id.0));
        }
    }

    fn figure(&mut self, id: StepId, depth: usize) {
        let task = &*self.plan.step(id).task;
        let words: Vec<_> = lines(self.plan, id, WIDTH).iter().map(|line| escape(line)).collect();
        let look = match task {
            Task::Fail(_) => ", fillcolor=\"#fee2e2\", color=\"#b91c1c\"",
            task if is_pending(task) => ", style=\"rounded,filled,dashed\"",
            Task::Wait(_) | Task::Approve(_) | Task::Signal(_) | Task::WaitUntil(_) | Task::WaitFor(_) => {
                ", fillcolor=\"#fef9c3\""
            }
            Task::Const(_) => ", fillcolor=\"#f1f5f9\"",
            Task::Pipeline(_) => ", fillcolor=\"#f0fdfa\", color=\"#0d9488\"",
            Task::Agent(_) => ", fillcolor=\"#fdf4ff\", color=\"#c026d3\"",
            _ => "",
        };
        self.line(depth, format_args!("s{} [label=\"{}\"{look}];", id.0, words.join("\\n")));
    }
}

/// Text within double quotes.
fn escape(text: &str) -> String {
    crate::plan::wording::clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}
