//! The scene as SVG elements.

use std::fmt::Write;

use super::super::picture::{Line, group_note, title};
use super::scene::{LINE, MARGIN, Rect, Scene, Way, text_width};
use super::ways::label;
use crate::plan::analysis::is_pending;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::wording::{box_lines, clean, command, plural};
use crate::plan::{Plan, StepId, Task};

const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:11px;fill:#334155}
.plan{font-size:18px;font-weight:600;fill:#0f172a}
.name{font-size:13px;font-weight:600;fill:#0f172a}
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:11px;fill:#334155}
.kind{font-size:10px;fill:#64748b}
.note{fill:#64748b}
.group{font-size:12px;font-weight:600;fill:#334155}
.caption{font-size:11px;fill:#92400e}
.label{font-size:10px;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
.box{fill:#fff;stroke:#94a3b8}
.frame{fill:#64748b;fill-opacity:.06;stroke:#cbd5e1}
.flow{fill:#f59e0b;fill-opacity:.07;stroke:#e0a94a}
.hook{fill:none;stroke:#94a3b8;stroke-dasharray:5 4}
.pending{stroke-dasharray:5 4}
path{fill:none}
.order{stroke:#64748b}
.data{stroke:#2563eb}
.condition{stroke:#b45309;stroke-dasharray:5 4}
.branch{stroke:#b45309}
.else{stroke:#dc2626;stroke-dasharray:5 4}
.undo{stroke:#7c3aed;stroke-dasharray:2 4}
.stream{stroke:#0d9488;stroke-width:3}
.alert{stroke:#db2777;stroke-dasharray:5 4}
.live{fill:#14b8a6;fill-opacity:.08;stroke:#5eaaa2}
";

/// The whole drawing.
pub fn draw(plan: &Plan, tree: &Hierarchy, scene: &Scene) -> String {
    let mut paper = Paper { plan, scene, text: String::new() };
    let legend = scene.ways.iter().any(|way| way.arrow.line != Line::Order);
    let (width, height) = (scene.width.max(360.0), scene.height + if legend { 30.0 } else { 0.0 });
    paper.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">"
    ));
    paper.put(format_args!("<title>{}</title>", escape(&plan.header.name)));
    paper.put(format_args!("<style>{STYLE}</style>"));
    paper.heads();
    paper.put(format_args!("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"));
    let tasks = plan.steps.iter().filter(|step| !step.task.is_group() && !step.retired).count();
    let name = clean(&plan.header.name);
    paper.words(MARGIN, 32.0, "plan", &name);
    paper.words(MARGIN + text_width(&name, 10.4) + 12.0, 32.0, "note", &plural(tasks, "task"));
    for (name, rect) in &scene.moments {
        paper.rect(*rect, 10.0, "hook");
        paper.words(rect.x + 12.0, rect.y + 17.0, "group", name);
    }
    // Frames first, then arrows, then what they must not cover.
    for id in tree.preorder().iter().filter(|id| !tree.children(**id).is_empty()) {
        paper.frame(*id);
    }
    scene.ways.iter().for_each(|way| paper.arrow(way));
    for id in tree.preorder() {
        paper.caption(*id);
        if tree.children(*id).is_empty() {
            paper.figure(*id);
        }
    }
    for (_, rect) in &scene.decisions {
        paper.decision(*rect);
    }
    scene.ways.iter().for_each(|way| paper.label(way));
    if legend {
        paper.legend(height - 16.0);
    }
    paper.put(format_args!("</svg>"));
    paper.text
}

struct Paper<'a> {
    plan: &'a Plan,
    scene: &'a Scene,
    text: String,
}

impl Paper<'_> {
    fn put(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(element);
        self.text.push('\n');
    }

    /// The arrow heads, one of each colour: not every reader knows how to take it from the line.
    fn heads(&mut self) {
        self.put(format_args!("<defs>"));
        for (name, color) in [
            ("order", "#64748b"),
            ("data", "#2563eb"),
            ("condition", "#b45309"),
            ("branch", "#b45309"),
            ("else", "#dc2626"),
            ("undo", "#7c3aed"),
            ("stream", "#0d9488"),
            ("alert", "#db2777"),
        ] {
            self.put(format_args!(
                "<marker id=\"{name}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5z\" style=\"fill:{color};stroke:none\"/></marker>"
            ));
        }
        self.put(format_args!("</defs>"));
    }

    fn rect(&mut self, rect: Rect, round: f64, class: &str) {
        let Rect { x, y, width, height } = rect;
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\" class=\"{class}\"/>"
        ));
    }

    fn words(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escape(text)));
    }

    fn frame(&mut self, id: StepId) {
        let (plan, step) = (self.plan, self.plan.step(id));
        let rect = self.scene.rects[id.index()];
        let class = match &*step.task {
            Task::Flow(_) => "flow",
            Task::Stream(_) => "live",
            _ => "frame",
        };
        self.rect(rect, 10.0, class);
        let name = title(plan, id);
        self.words(rect.x + 12.0, rect.y + 17.0, "group", &name);
        let note = group_note(plan, id);
        // A group without a name is called by its kind already.
        let nameless = step.anonymous && step.key.is_none();
        let note = if nameless { note[name.len()..].trim_start_matches(" · ") } else { note.as_str() };
        if !note.is_empty() {
            self.words(rect.x + 18.0 + text_width(&name, 7.2), rect.y + 17.0, "kind", note);
        }
    }

    fn figure(&mut self, id: StepId) {
        let (plan, step) = (self.plan, self.plan.step(id));
        let rect = self.scene.rects[id.index()];
        let lines = &self.scene.lines[id.index()];
        let pending = if is_pending(&step.task) { " pending" } else { "" };
        let tip = tip(plan, id);
        self.put(format_args!("<g><title>{}</title>", escape(&tip)));
        self.rect(rect, 7.0, &format!("box{pending}"));
        self.put(format_args!(
            "<path d=\"M{:.1} {:.1}v{:.1}\" style=\"stroke:{};stroke-width:3;stroke-linecap:round\"/>",
            rect.x + 5.0,
            rect.y + 7.0,
            rect.height - 14.0,
            color(&step.task)
        ));
        let commands = match box_lines(plan, id) {
            Some(parts) => parts.len(),
            None => usize::from(!command(plan, step).is_empty()),
        };
        for (n, line) in lines.iter().enumerate() {
            let class = match n {
                0 => "name",
                n if n <= commands => "code",
                _ => "note",
            };
            self.words(rect.x + 14.0, rect.y + 19.0 + n as f64 * LINE, class, line);
        }
        self.put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" class=\"kind\">{}</text>",
            rect.x + rect.width - 9.0,
            rect.y + 18.0,
            step.word()
        ));
        self.put(format_args!("</g>"));
    }

    fn caption(&mut self, id: StepId) {
        let Some(caption) = &self.scene.captions[id.index()] else { return };
        let rect = self.scene.rects[id.index()];
        let text = if caption == "otherwise" { caption.clone() } else { format!("when {caption}") };
        self.words(rect.x + 2.0, rect.y - 5.0, "caption", &text);
    }

    fn decision(&mut self, rect: Rect) {
        let (x, y, half) = (rect.x + rect.width / 2.0, rect.y + rect.height / 2.0, rect.width / 2.0);
        self.put(format_args!(
            "<path d=\"M{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}z\" style=\"fill:#fef3c7;stroke:#b45309\"/>",
            x - half,
            y - half,
            x + half,
            y + half
        ));
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" class=\"caption\">?</text>",
            y + 4.0
        ));
    }

    fn arrow(&mut self, way: &Way) {
        let class = class(way.arrow.line);
        let mut path = String::new();
        let mut points = way.points.iter().copied();
        let Some(mut at) = points.next() else { return };
        let _ = write!(path, "M{:.1} {:.1}", at.0, at.1);
        for to in points {
            // Horizontal at both ends; straight between two points of the same height.
            if (to.1 - at.1).abs() < 0.5 {
                let _ = write!(path, "L{:.1} {:.1}", to.0, to.1);
            } else {
                let bow = ((to.0 - at.0).abs() / 2.0).clamp(18.0, 90.0);
                let _ = write!(
                    path,
                    "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                    at.0 + bow,
                    at.1,
                    to.0 - bow,
                    to.1,
                    to.0,
                    to.1
                );
            }
            at = to;
        }
        self.put(format_args!("<path d=\"{path}\" class=\"{class}\" marker-end=\"url(#{class})\"/>"));
    }

    fn label(&mut self, way: &Way) {
        let text = label(&way.arrow);
        if text.is_empty() || way.arrow.line == Line::Branch {
            return;
        }
        let color = match way.arrow.line {
            Line::Data => "#1d4ed8",
            Line::Else => "#b91c1c",
            Line::Undo => "#6d28d9",
            Line::Stream => "#0f766e",
            Line::Alert => "#be185d",
            _ => "#92400e",
        };
        let (Some(start), Some(end)) = (way.points.first(), way.points.last()) else { return };
        let ((x, y), anchor) = match way.label_at_start {
            true => ((start.0 + 7.0, start.1 - 4.0), "start"),
            false => ((end.0 - 12.0, end.1 - 4.0), "end"),
        };
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"label\" style=\"fill:{color}\">{}</text>",
            escape(&text)
        ));
    }

    fn legend(&mut self, y: f64) {
        let mut x = MARGIN;
        let known = |line| self.scene.ways.iter().any(|way| way.arrow.line == line);
        let entries: Vec<_> = [
            (Line::Order, "comes after"),
            (Line::Data, "uses a result"),
            (Line::Condition, "a condition reads it"),
            (Line::Branch, "a way that may be taken"),
            (Line::Else, "tried if it failed"),
            (Line::Undo, "undoes it"),
            (Line::Stream, "reads it while both run"),
            (Line::Alert, "runs when an alert is raised"),
        ]
        .into_iter()
        .filter(|(line, _)| known(*line))
        .collect();
        for (line, text) in entries {
            let class = class(line);
            self.put(format_args!(
                "<path d=\"M{x:.1} {:.1}h28\" class=\"{class}\" marker-end=\"url(#{class})\"/>",
                y - 4.0
            ));
            self.words(x + 36.0, y, "note", text);
            x += 60.0 + text_width(text, 6.2);
        }
    }
}

fn class(line: Line) -> &'static str {
    match line {
        Line::Order => "order",
        Line::Data => "data",
        Line::Condition => "condition",
        Line::Branch => "branch",
        Line::Else => "else",
        Line::Undo => "undo",
        Line::Stream => "stream",
        Line::Alert => "alert",
    }
}

fn color(task: &Task) -> &'static str {
    match task {
        Task::Shell(_) | Task::Exec(_) | Task::Http(_) => "#2563eb",
        Task::Call(_) => "#7c3aed",
        Task::Agent(_) => "#c026d3",
        Task::Const(_) => "#64748b",
        Task::Fail(_) => "#dc2626",
        Task::Wait(_) | Task::Approve(_) | Task::Signal(_) | Task::WaitUntil(_) | Task::WaitFor(_) => "#ca8a04",
        _ => "#0d9488",
    }
}

/// What is shown when the pointer rests on a box: path, what it runs, where it was written.
fn tip(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    let mut tip = clean(&plan.path(id));
    let command = command(plan, step);
    if !command.is_empty() {
        tip.push('\n');
        tip.push_str(&command);
    }
    if let Some(desc) = &step.policy().desc {
        tip.push('\n');
        tip.push_str(&clean(desc));
    }
    if step.span.is_known() {
        let file = plan.header.files.get(step.span.file as usize).map_or("", |file| file.name.as_str());
        tip.push_str(&format!("\n{}:{}", clean(file), step.span.line));
    }
    tip
}

/// Text as it stands in XML.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push('\n'),
            '\u{fffe}' | '\u{ffff}' => safe.push('·'),
            c if c.is_control() => safe.push('·'),
            c => safe.push(c),
        }
    }
    safe
}
