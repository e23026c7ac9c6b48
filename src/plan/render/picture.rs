//! What all drawings have in common: boxes, groups of boxes, and arrows between them with their labels.

use crate::plan::hierarchy::Hierarchy;
use crate::plan::wording::{self, clean, shorten};
use crate::plan::{Condition, EdgeKind, Moment, Plan, StepId, Task};

/// Where an arrow begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// At a step, which is a box or a group.
    Step(StepId),
    /// At the decision of a flow.
    Decision(StepId),
}

/// What an arrow stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Order,
    Data,
    /// A condition reads the result.
    Condition,
    /// A way that a flow can take.
    Branch,
    /// From a step that failed to the next of its fallbacks.
    Else,
    /// From a step to what undoes it.
    Undo,
    /// From a member of a stream to one that reads what it writes, while both run.
    Stream,
    /// From what is watched to the step that runs when an alert is raised.
    Alert,
}

impl Line {
    /// Is it drawn with a broken line?
    pub fn is_broken(self) -> bool {
        matches!(self, Line::Condition | Line::Else | Line::Undo | Line::Alert)
    }
}

/// An arrow.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub from: Place,
    pub to: Place,
    pub line: Line,
    pub label: String,
}

/// Longest labels.
const LABEL: usize = 48;

/// All arrows of a plan: between two steps one at most, that of data rather than that of order.
pub(super) fn arrows(plan: &Plan) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for id in plan.ids().filter(|id| !plan.step(*id).retired) {
        let step = plan.step(id);
        let data = step.after.iter().any(|edge| edge.kind == EdgeKind::Data);
        let mut properties = if data { wording::properties(step) } else { Default::default() };
        let mut condition = step.when.as_ref().map(|when| condition_label(when));
        let mut seen = std::collections::HashMap::new();
        for edge in &step.after {
            let (line, label) = match edge.kind {
                EdgeKind::Order => (Line::Order, String::new()),
                EdgeKind::Data => (Line::Data, properties.remove(&edge.from).unwrap_or_default().join(", ")),
                // The condition stands at the first arrow that leads to it.
                EdgeKind::Condition => (Line::Condition, condition.take().unwrap_or_default()),
            };
            let arrow =
                Arrow { from: Place::Step(edge.from), to: Place::Step(id), line, label: shorten(&label, LABEL) };
            let known = seen.entry((edge.from, line == Line::Condition)).or_insert(arrows.len());
            match arrows.get_mut(*known) {
                None => arrows.push(arrow),
                Some(known) if known.line == Line::Order => *known = arrow,
                Some(_) => {}
            }
        }
        let aside = |from, to, line, label: &str| Arrow {
            from: Place::Step(from),
            to: Place::Step(to),
            line,
            label: label.to_owned(),
        };
        if let Some(undone) = step.undoes {
            arrows.push(aside(undone, id, Line::Undo, "undo"));
        }
        if let Task::Fallback(children) = &*step.task {
            arrows.extend(children.windows(2).map(|pair| aside(pair[0], pair[1], Line::Else, "else")));
        }
        if let Some(watched) = step.on_alert {
            let alert = plan.step(watched.step).policy().alerts.get(watched.alert as usize).map(wording::alert);
            let label = shorten(&alert.unwrap_or_default(), LABEL);
            arrows.push(aside(watched.step, id, Line::Alert, &label));
        }
        if let Task::Stream(stream) = &*step.task {
            for pair in stream.levels.windows(2) {
                let readers = |from: &StepId| pair[1].iter().map(|to| (*from, *to)).collect::<Vec<_>>();
                let live = pair[0].iter().flat_map(readers);
                arrows.extend(live.map(|(from, to)| aside(from, to, Line::Stream, "|>")));
            }
        }
        let Task::Flow(branches) = &*step.task else { continue };
        let mut read = std::collections::HashSet::new();
        for branch in branches {
            if let Some(condition) = &branch.when {
                condition.each_step(&mut |from| {
                    if read.insert(from) {
                        let (from, to) = (Place::Step(from), Place::Decision(id));
                        arrows.push(Arrow { from, to, line: Line::Condition, label: String::new() });
                    }
                });
            }
            let label = branch.when.as_ref().map_or("otherwise".to_owned(), condition_label);
            let (from, to) = (Place::Decision(id), Place::Step(branch.step));
            arrows.push(Arrow { from, to, line: Line::Branch, label });
        }
    }
    arrows
}

/// A condition as a label; one that is known already says so.
pub(super) fn condition_label(condition: &Condition) -> String {
    match condition {
        Condition::Known(value) => format!("{value} (known already)"),
        condition => shorten(&clean(&condition.text()), LABEL),
    }
}

/// The lines of text in the box of a step: its name, what it runs, how.
pub(super) fn lines(plan: &Plan, id: StepId, most: usize) -> Vec<String> {
    let step = plan.step(id);
    let mut lines = vec![shorten(&title(plan, id), most)];
    match wording::box_lines(plan, id) {
        Some(parts) => lines.extend(parts.iter().map(|part| shorten(part, most))),
        None => {
            let command = wording::command(plan, step);
            lines.extend((!command.is_empty()).then(|| shorten(&command, most)));
        }
    }
    let mut notes = wording::policies(plan, step);
    if let Task::Pipeline(pipeline) = &*step.task {
        notes.splice(..0, wording::pipeline(pipeline));
    }
    notes.splice(..0, wording::agent(plan, id));
    notes.retain(|note| !note.starts_with("estimate ") && !note.starts_with("env ") && !note.starts_with("tags "));
    let reads_nothing = step.after.iter().all(|edge| edge.kind != EdgeKind::Condition);
    if let Some(condition) = step.when.as_ref().filter(|_| reads_nothing) {
        notes.insert(0, format!("when {}", condition_label(condition)));
    }
    if !notes.is_empty() {
        lines.push(shorten(&notes.join(" · "), most));
    }
    lines
}

/// What stands beside the name of a group: its kind, and how it runs as a whole.
pub(super) fn group_note(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    let mut notes = vec![step.word().to_owned()];
    match &*step.task {
        Task::Stream(stream) => notes.extend(wording::stream(stream)),
        Task::Quorum(_) => notes.push(wording::command(plan, step)),
        Task::Pipeline(pipeline) => notes.extend(wording::pipeline(pipeline)),
        _ => {}
    }
    notes.extend(wording::policies(plan, step).into_iter().filter(|note| !note.starts_with("tags ")));
    shorten(&notes.join(" · "), LABEL)
}

/// What a step is called within its group.
pub(super) fn title(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    match &step.key {
        Some(key) => clean(&format!("[{key}]")),
        None if step.anonymous => step.word().to_owned(),
        None => clean(&step.name),
    }
}

/// The moments that have hooks, with the hooks, in the order of a run.
pub(super) fn hooks(plan: &Plan) -> Vec<(&'static str, Vec<StepId>)> {
    let moments = [
        (Moment::Start, "on start"),
        (Moment::Success, "on success"),
        (Moment::Failure, "on failure"),
        (Moment::Complete, "on complete"),
    ];
    let of = |moment| plan.header.hooks.iter().filter(|(at, _)| *at == moment).map(|(_, id)| *id).collect::<Vec<_>>();
    moments.into_iter().map(|(moment, name)| (name, of(moment))).filter(|(_, hooks)| !hooks.is_empty()).collect()
}

/// What a walk over the groups meets, in order.
pub(super) enum Visit {
    /// A step without children.
    Box(StepId),
    /// A group begins; what follows is in it.
    Open(StepId),
    /// It ends.
    Close,
}

/// Walks over some steps and all that is in them, without recursion.
pub(super) fn walk(tree: &Hierarchy, steps: &[StepId], visit: &mut dyn FnMut(Visit, usize)) {
    let mut open: Vec<(bool, std::slice::Iter<StepId>)> = vec![(false, steps.iter())];
    while let Some((group, rest)) = open.last_mut() {
        let group = *group;
        match rest.next() {
            Some(id) if tree.children(*id).is_empty() => visit(Visit::Box(*id), open.len()),
            Some(id) => {
                visit(Visit::Open(*id), open.len());
                open.push((true, tree.children(*id).iter()));
            }
            None => {
                open.pop();
                if group {
                    visit(Visit::Close, open.len());
                }
            }
        }
    }
}

/// The steps at the top that are no hooks.
pub(super) fn top(plan: &Plan, tree: &Hierarchy) -> Vec<StepId> {
    let hooks: std::collections::HashSet<StepId> = plan.header.hooks.iter().map(|(_, id)| *id).collect();
    tree.top().iter().filter(|id| !hooks.contains(id)).copied().collect()
}
