//! One run: what it was, and the tree of its steps.

use std::fmt::Write;

use super::counts::Counts;
use super::look::{columns, one_line};
use super::time::{self, Clock};
use super::{Look, MASK, Tone, agents, flowed, is_secret, reason, waits};
use crate::event::{Because, RunStatus, Skip};
use crate::plan::{Graph, StepId, Task};
use crate::state::{RunState, Status};

/// Children of one group that are shown, unless all are asked for.
const SHOWN: usize = 20;
/// Columns of an output, or of a reason, where lines may be of any length.
const NOTE: usize = 100;
/// Columns that names may push the rest to the right.
const NAMES: usize = 44;

/// The page of a run. `status`: with what is known beyond the log (`interrupted`). `all`: leave nothing out.
pub fn show(state: &RunState, status: RunStatus, clock: &Clock, look: Look, all: bool) -> String {
    let graph = Graph::of(&state.plan);
    let mut tree = Tree { state, status, clock, look, all, graph, rows: Vec::new(), shown: Vec::new() };
    let top: Vec<_> = state.plan.ids().filter(|id| state.plan.step(*id).parent.is_none()).collect();
    tree.siblings(&top, 0);
    let mut text = header(state, status, clock, look);
    tree.write(&mut text);
    text.push_str(&flowed::tables(state, &tree.shown, clock, look));
    text
}

fn header(state: &RunState, status: RunStatus, clock: &Clock, look: Look) -> String {
    let created = &state.created;
    let mut text = format!("{} {}\n", look.paint(Tone::Strong, &created.workflow), look.run_status(status));
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {} {value}", look.paint(Tone::Faint, &format!("{name:<8}")));
        }
    };
    row("run", created.run.clone());
    row("script", if created.file == "-" { "standard input".to_owned() } else { created.file.clone() });
    row("args", created.args.iter().map(|(k, v)| format!("{k}={}", one_line(v))).collect::<Vec<_>>().join(" "));
    if let Some(replays) = &created.replays {
        row("replays", format!("the dead letters of `{}` in run {}", one_line(&replays.step), replays.run));
    }
    if let Some(agents) = &created.agents {
        row("agents", format!("answered from a recording: {}", agents.trim_start_matches("recorded:")));
    }
    if let Some(of) = &created.part_of {
        let stage = one_line(&of.stage);
        row("part of", format!("run {}, for the stage `{stage}` of `{}`", of.run, one_line(&of.step)));
    }
    row("began", format!("{} ({})", clock.time(state.started_at), clock.ago(state.started_at)));
    let end = if status == RunStatus::Running { clock.now().max(state.latest_at) } else { state.latest_at };
    row("took", time::duration(end.saturating_sub(state.started_at)));
    let counts = Counts::of(state);
    row("steps", counts.text());
    row("agents", agents::in_all(state).join(", "));
    let whole =
        |id: &StepId| state.plan.step(*id).parent.is_none() && matches!(*state.plan.step(*id).task, Task::Budget(_));
    for id in state.plan.ids().filter(whole) {
        row("budget", agents::budget(state, id).unwrap_or_default());
    }
    if let Some(stop) = state.stopping {
        row("stopped", format!("because {}", reason::stop(&state.plan, stop)));
    }
    text.push('\n');
    text
}

/// A line of the tree before its columns are known.
struct Row {
    indent: usize,
    status: Status,
    name: String,
    took: String,
    note: String,
    /// What is wrong with the step of the line before: a text in place of all this.
    remark: bool,
}

impl Row {
    fn sign(&self, look: Look) -> &'static str {
        if self.remark { "!" } else { look.bare_sign(self.status) }
    }
}

struct Tree<'a> {
    state: &'a RunState,
    status: RunStatus,
    clock: &'a Clock,
    look: Look,
    all: bool,
    graph: Graph,
    rows: Vec<Row>,
    /// The steps that have a line.
    shown: Vec<StepId>,
}

impl Tree<'_> {
    fn siblings(&mut self, ids: &[StepId], indent: usize) {
        if self.all || ids.len() <= SHOWN {
            ids.iter().for_each(|id| self.step(*id, indent));
            return;
        }
        // Of a wide fan-out the exceptions are worth a line each, the rest is a number.
        let (mut shown, mut hidden) = (0, Vec::<(Status, usize)>::new());
        for id in ids {
            let status = self.state.step(*id).status;
            let dull = matches!(status, Status::Success | Status::Pending | Status::Ready);
            if !dull && shown < SHOWN {
                shown += 1;
                self.step(*id, indent);
            } else {
                match hidden.iter_mut().find(|(known, _)| *known == status) {
                    Some((_, n)) => *n += 1,
                    None => hidden.push((status, 1)),
                }
            }
        }
        for (status, n) in hidden {
            let more = if shown > 0 { " more" } else { "" };
            let name = format!("{} {n}{more} {}", self.look.ellipsis(), status.name());
            self.rows.push(Row { indent, status, name, took: String::new(), note: String::new(), remark: false });
        }
    }

    fn step(&mut self, id: StepId, indent: usize) {
        let plan = self.state.plan.step(id);
        // Alternatives in the order in which they are tried.
        let children = match &*plan.task {
            Task::Fallback(alternatives) => alternatives.clone(),
            _ => self.graph.children(id).to_vec(),
        };
        let nameless = plan.anonymous && plan.key.is_none();
        // What runs together is shown together, whether or not somebody has given it a name.
        let together = matches!(&*plan.task, Task::Stream(_) | Task::Quorum(_));
        if nameless && !together && !children.is_empty() {
            return self.siblings(&children, indent);
        }
        let name = match &plan.key {
            Some(key) => format!("[{}]", one_line(key)),
            None if nameless => plan.word().to_owned(),
            None => plan.name.to_string(),
        };
        let step = self.state.step(id);
        let ended = reason::ended(self.state, id).is_some();
        let began = step.started_at > 0
            && (ended || matches!(step.status, Status::Success | Status::Failed | Status::Cancelled));
        let took = match step.status {
            _ if began => time::duration(step.finished_at.saturating_sub(step.started_at)),
            Status::Running if self.status == RunStatus::Running => {
                time::elapsed(self.clock.now().saturating_sub(step.started_at))
            }
            _ => String::new(),
        };
        let note = self.note(id, &children);
        self.shown.push(id);
        self.rows.push(Row { indent, status: step.status, name, took, note, remark: false });
        if let Some(name) = reason::undeclared(self.state, id) {
            let (took, note) = (String::new(), String::new());
            self.rows.push(Row { indent: indent + 1, status: step.status, name, took, note, remark: true });
        }
        let whole = step.status == Status::Skipped && children.iter().all(|child| self.went_with(*child, id));
        if self.all || !whole {
            self.siblings(&children, indent + 1);
        }
        if let Some(undo) = plan.policy().undo.filter(|undo| self.all || self.state.is_listed(*undo)) {
            self.step(undo, indent + 1);
        }
    }

    /// Was the child skipped only because its group was?
    fn went_with(&self, child: StepId, group: StepId) -> bool {
        matches!(
            self.state.step(child).skip.as_deref(),
            Some(Skip::NotTaken(Because::Group(g)) | Skip::UpstreamFailed(Because::Group(g))) if *g == group
        )
    }

    fn note(&self, id: StepId, children: &[StepId]) -> String {
        let (state, step, plan) = (self.state, self.state.step(id), self.state.plan.step(id));
        let mut notes = Vec::new();
        let agent = Some(agents::over(state, id).join(", ")).filter(|said| !said.is_empty());
        if let Some(moment) = state.plan.hook(id) {
            notes.push(format!("on {}", reason::moment_name(moment)));
        }
        match &*plan.task {
            Task::Stream(_) if !plan.anonymous => notes.push("stream".to_owned()),
            Task::Quorum(quorum) if !plan.anonymous && step.status != Status::Success => {
                notes.push(quorum.kind().to_owned());
            }
            _ => {}
        }
        match step.attempt {
            0 | 1 => {}
            n if step.status.is_final() => notes.push(format!("{n} attempts")),
            n => notes.push(format!("attempt {n}")),
        }
        if step.status == Status::Success {
            notes.extend(reason::cached(step.outcome.as_deref(), Some(self.clock)));
        }
        notes.extend(agents::budget(state, id).map(|spent| format!("budget: {spent}")));
        match step.status {
            Status::Success if matches!(*plan.task, Task::Budget(_)) => {}
            Status::Success if step.outcome.as_ref().is_some_and(|outcome| outcome.streamed.is_some()) => {
                notes.extend(step.outcome.as_ref().and_then(|o| o.streamed.as_deref()).map(flowed::streamed));
                if agent.is_some() {
                    let secret = is_secret(&state.plan, id);
                    notes.extend(agent);
                    notes.extend(if secret { Some(MASK.to_owned()) } else { self.output(id) });
                }
            }
            Status::Success if flowed::counts_of(state, id).is_some() => {
                notes.extend(flowed::counts_of(state, id).map(|counts| flowed::counts(&counts)));
            }
            Status::Running if !flowed::live(state, id).is_empty() => notes.push(flowed::live(state, id).join(", ")),
            Status::Success if matches!(&*plan.task, Task::Quorum(_)) => notes.push(reason::quorum(state, id)),
            Status::Success if plan.task.is_group() => {
                notes.extend(state.result(id).degraded.map(|answer| format!("degraded: `{answer}` answered")));
            }
            Status::Success if is_secret(&state.plan, id) => notes.push(MASK.to_owned()),
            Status::Success => {
                notes.extend(agent);
                let by = waits::answered_by(state, id).map(|by| format!("by {by}"));
                let said: Vec<_> = self.output(id).into_iter().chain(by).collect();
                if !said.is_empty() {
                    notes.push(said.join(", "));
                }
            }
            Status::Failed if reason::is_child_failure(state, id) => {}
            Status::Failed => {
                notes.extend(agent);
                notes.push(reason::failed(step.outcome.as_deref()));
                if let Some(how) = reason::handled(state, id) {
                    notes.push(format!("dealt with: {how}"));
                }
            }
            Status::Skipped if reason::ended(state, id).is_some() => {
                notes.extend(reason::ended(state, id).map(|why| format!("ended: {why}")));
            }
            Status::Skipped => {
                let steps = match children.len() {
                    0 => String::new(),
                    1 => "1 step, ".to_owned(),
                    n => format!("{n} steps, "),
                };
                notes.push(format!("{steps}skipped: {}", reason::skipped(state, id)));
            }
            Status::Waiting => {
                let waits = state.waits_of(id);
                notes.extend(waits.map(|waits| format!("waits {}", waits::waits_for(&waits, self.clock))));
            }
            Status::Retrying => {
                notes.push(format!("tries again at {}", self.clock.time(step.until)));
                notes.push(reason::failed(step.outcome.as_deref()));
            }
            Status::Cancelled => {
                notes.push("cancelled".to_owned());
                notes.extend(agent);
            }
            Status::Running if self.status == RunStatus::Interrupted && !plan.task.is_group() => {
                notes.push("cut off when the run's process ended".to_owned());
            }
            Status::Pending | Status::Ready | Status::Running => {}
        }
        notes.join("; ")
    }

    /// The output on one line; nothing if there is none, or if its file is gone.
    fn output(&self, id: StepId) -> Option<String> {
        use crate::event::Output;
        let text = match &self.state.step(id).outcome.as_ref()?.output {
            Output::None => return None,
            Output::Value(value) => crate::state::result::plain_text(value),
            // A long one: its beginning is not worth reading the file.
            Output::File { log, json } => {
                let kind = if *json { "bytes of JSON" } else { "bytes of text" };
                return Some(format!("{} {kind}", log.bytes));
            }
        };
        let text = one_line(&text);
        (!text.is_empty()).then_some(text)
    }

    fn write(&self, text: &mut String) {
        let look = self.look;
        let begin = |row: &Row| 2 * row.indent + 2 + columns(&row.name);
        let names = self.rows.iter().filter(|row| !row.remark).map(begin).max().unwrap_or(0).min(NAMES);
        let times = self.rows.iter().map(|row| columns(&row.took)).max().unwrap_or(0);
        for row in &self.rows {
            let mut line = format!("{}{} {}", "  ".repeat(row.indent), row.sign(look), row.name);
            let name_end = line.len();
            line.push_str(&" ".repeat(names.saturating_sub(columns(&line))));
            if !row.took.is_empty() || !row.note.is_empty() {
                line.push_str(&format!("  {:>times$}", row.took));
            }
            let note = if look.width > 0 { row.note.clone() } else { look.cut(&row.note, NOTE) };
            if !note.is_empty() {
                line.push_str("  ");
            }
            let note_start = line.len();
            line.push_str(&note);
            let line = if look.width > 0 { look.cut(&line, look.width) } else { line };
            let _ = writeln!(text, "{}", self.painted(line.trim_end(), row, name_end, note_start));
        }
    }

    /// The line with its sign in colour and its last columns in a faint one.
    fn painted(&self, line: &str, row: &Row, name_end: usize, note_start: usize) -> String {
        let look = self.look;
        let sign = row.sign(look);
        if row.remark {
            return look.paint(Tone::Warn, line);
        }
        let start = 2 * row.indent;
        let (Some(name), true) = (line.get(start + sign.len()..name_end.min(line.len())), look.color) else {
            return line.to_owned();
        };
        let middle = line.get(name_end..note_start.min(line.len())).unwrap_or_default();
        let note = line.get(note_start..).unwrap_or_default();
        let note =
            if row.status == Status::Failed { look.paint(Tone::Bad, note) } else { look.paint(Tone::Faint, note) };
        format!("{}{}{name}{middle}{note}", "  ".repeat(row.indent), look.sign(row.status))
    }
}
