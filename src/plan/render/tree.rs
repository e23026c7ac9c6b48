//! The steps of a plan as a tree of lines.
//!
//! Groups are branches of the tree; `→` in front of a step says that it follows the one above it.

use std::collections::HashSet;

use super::alike::looks;
use super::details::{condition_text, details, what};
use super::page::{Ink, Page};
use crate::plan::analysis::Analysis;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::precedence::Precedence;
use crate::plan::wording::{self, Names, clean, count, plural, shorten, width};
use crate::plan::{EdgeKind, Moment, Plan, Stage, StageWork, Step, StepId, Task};

/// Plans with more steps than this are shortened, unless they are wanted in full.
const MANY: usize = 200;

/// So many steps in a row that look the same are shown before the rest is counted.
const ALIKE: usize = 3;

/// Groups deeper than this are not indented further.
const DEEP: usize = 24;

/// Names are padded to at most this width.
const NAME_WIDTH: usize = 28;

/// One line of the tree, with what hangs below it.
enum Item {
    Step {
        id: StepId,
        follows: Option<StepId>,
        arrow: bool,
        /// What it is to the one above: `else`, `undone by`.
        mark: &'static str,
    },
    Branch {
        flow: StepId,
        branch: usize,
    },
    /// A flow without `otherwise`.
    Nothing,
    /// A part of a pipeline: its source, a stage, its sink.
    Part {
        of: StepId,
        part: Part,
    },
    Hook {
        moment: Moment,
        id: StepId,
    },
    /// So many more that look like the one before.
    More(usize),
    /// Groups that lie too deep.
    Deeper(usize),
}

/// A part of a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Source,
    Stage(usize),
    /// One of several that a stage gives its items to.
    Way(usize, usize),
    Sink,
}

/// The lines of one group.
struct Frame {
    items: std::vec::IntoIter<Item>,
    /// How wide names and kinds are.
    columns: (usize, usize),
    /// Length of the prefix before this frame.
    prefix: usize,
}

pub(super) struct Tree<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    names: &'a Names<'a>,
    tree: Hierarchy,
    /// A hash of what each step looks like, in plans that are shortened.
    looks: Option<Vec<u64>>,
    hooks: HashSet<StepId>,
    /// How many steps wait for each, by id.
    followers: Vec<u32>,
}

impl<'a> Tree<'a> {
    pub fn new(plan: &'a Plan, analysis: &'a Analysis, names: &'a Names<'a>, full: bool) -> Self {
        let tree = Hierarchy::of(plan);
        let looks = (plan.steps.len() > MANY && !full).then(|| looks(plan, &tree));
        let hooks = plan.header.hooks.iter().map(|(_, id)| *id).collect();
        let mut followers = vec![0; plan.steps.len()];
        for step in &plan.steps {
            step.after.iter().for_each(|edge| followers[edge.from.index()] += 1);
        }
        Tree { plan, analysis, names, tree, looks, hooks, followers }
    }

    /// All steps but the hooks.
    pub fn steps(&self, page: &mut Page) {
        let order = Precedence::of(self.plan, &self.tree);
        let mut place = vec![u32::MAX; self.plan.steps.len()];
        for (n, node) in order.order().into_iter().enumerate() {
            let step = order.node(node).step().index();
            place[step] = place[step].min(n as u32);
        }
        let mut top: Vec<StepId> = self.tree.top().iter().filter(|id| !self.hooks.contains(id)).copied().collect();
        top.sort_by_key(|id| (place[id.index()], *id));
        let items = self.items(&top, false);
        self.draw(page, items);
    }

    /// The hooks with what they run.
    pub fn hooks(&self, page: &mut Page) {
        let items = self.plan.header.hooks.iter().map(|(moment, id)| Item::Hook { moment: *moment, id: *id }).collect();
        self.draw(page, items);
    }

    /// The loop: take the next line of the innermost open group; print it; open the group that it is, if it is one.
    fn draw(&self, page: &mut Page, top: Vec<Item>) {
        let mut prefix = String::new();
        let mut open = vec![self.frame(top, 0)];
        while let Some(frame) = open.last_mut() {
            prefix.truncate(frame.prefix);
            let columns = frame.columns;
            let Some(item) = frame.items.next() else {
                open.pop();
                continue;
            };
            let last = frame.items.as_slice().is_empty();
            let before = prefix.len();
            let below = if last { page.signs.blank } else { page.signs.bar };
            let depth = open.len();
            let level =
                if depth > DEEP && !matches!(item, Item::Deeper(_)) { format!("[{depth}] ") } else { String::new() };
            self.line(page, &item, &format!("{prefix}{level}"), below, last, columns);
            let mut inner = match item {
                Item::Step { id, .. } => self.inside(id),
                Item::Branch { flow, branch } => self.branch_step(flow, branch),
                Item::Hook { id, .. } => vec![Item::Step { id, follows: None, arrow: true, mark: "" }],
                Item::Part { of, part } => self.ways(of, part),
                Item::Nothing | Item::More(_) | Item::Deeper(_) => Vec::new(),
            };
            if depth >= DEEP && self.looks.is_some() && !inner.is_empty() {
                let hidden = match item {
                    Item::Step { id, .. } | Item::Hook { id, .. } => self.tree.descendants(id).len(),
                    _ => inner.len(),
                };
                inner = vec![Item::Deeper(hidden)];
            }
            if inner.is_empty() {
                continue;
            }
            if depth < DEEP {
                prefix.push_str(below);
            }
            open.push(self.frame(inner, prefix.len()));
            debug_assert!(prefix.len() >= before);
        }
    }

    fn frame(&self, items: Vec<Item>, prefix: usize) -> Frame {
        let mut columns = (0, 0);
        for item in &items {
            if let Item::Part { of, part } = item
                && let Some((name, kind, _)) = self.part(*of, *part)
            {
                columns.0 = width(&name).clamp(columns.0, NAME_WIDTH.max(columns.0));
                columns.1 = columns.1.max(kind.len());
            }
            if let Item::Step { id, mark, .. } = item
                && !is_nameless(self.plan.step(*id))
            {
                columns.0 = (width(mark) + width(&self.name(*id))).clamp(columns.0, NAME_WIDTH.max(columns.0));
                columns.1 = columns.1.max(self.plan.step(*id).word().len());
            }
        }
        Frame { items: items.into_iter(), columns, prefix }
    }

    /// The lines of steps that stand side by side, long rows of the same look shortened.
    fn items(&self, steps: &[StepId], chain: bool) -> Vec<Item> {
        let mut items = Vec::new();
        let mut at = 0;
        while at < steps.len() {
            let look = |id: StepId| self.looks.as_ref().map(|looks| looks[id.index()]);
            let mut end = at + 1;
            while self.looks.is_some() && end < steps.len() && look(steps[end]) == look(steps[at]) {
                end += 1;
            }
            let hidden = if end - at > ALIKE + 2 { end - at - ALIKE - 1 } else { 0 };
            for (n, id) in steps[at..end].iter().enumerate() {
                if hidden > 0 && n == ALIKE {
                    items.push(Item::More(hidden));
                }
                if hidden > 0 && (ALIKE..ALIKE + hidden).contains(&n) {
                    continue;
                }
                let above = (at + n).checked_sub(1).map(|above| steps[above]);
                let follows = above.filter(|above| self.follows(*id, *above, chain));
                items.push(Item::Step { id: *id, follows, arrow: follows.is_some(), mark: "" });
            }
            at = end;
        }
        items
    }

    /// Is `→` enough to say what a step waits for?
    fn follows(&self, id: StepId, above: StepId, chain: bool) -> bool {
        let step = self.plan.step(id);
        let mut after = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition);
        match chain {
            true => after.any(|edge| edge.from == above),
            // Only where nothing else waits for the one above: the arms of a fan-out are all to look the same.
            false => {
                step.after.len() == 1 && self.followers[above.index()] == 1 && after.any(|edge| edge.from == above)
            }
        }
    }

    fn inside(&self, id: StepId) -> Vec<Item> {
        let mut items = self.children(id);
        if let Some(undo) = self.plan.step(id).policy().undo {
            items.push(Item::Step { id: undo, follows: None, arrow: false, mark: "undone by " });
        }
        items
    }

    fn children(&self, id: StepId) -> Vec<Item> {
        let children = self.tree.children(id);
        match &*self.plan.step(id).task {
            Task::Flow(branches) => {
                let mut items: Vec<_> = (0..branches.len()).map(|branch| Item::Branch { flow: id, branch }).collect();
                if branches.iter().all(|branch| branch.when.is_some()) {
                    items.push(Item::Nothing);
                }
                let chosen: HashSet<StepId> = branches.iter().map(|branch| branch.step).collect();
                let rest: Vec<StepId> = children.iter().filter(|child| !chosen.contains(child)).copied().collect();
                items.extend(self.items(&rest, false));
                items
            }
            Task::Chain(_) => self.items(children, true),
            Task::Stream(stream) => {
                // `|>`: it reads what the level above writes; `and`: it stands beside the one above.
                let mark = |(level, n): (usize, usize)| match (level, n) {
                    (0, 0) => "",
                    (_, 0) => "|> ",
                    _ => "and ",
                };
                let levels = stream.levels.iter().enumerate();
                let placed = levels.flat_map(|(l, level)| level.iter().enumerate().map(move |(n, id)| (*id, (l, n))));
                let step = |(id, place)| Item::Step { id, follows: None, arrow: false, mark: mark(place) };
                placed.map(step).collect()
            }
            Task::Pipeline(pipeline) => {
                let stages = (0..pipeline.stages.len()).map(Part::Stage);
                let parts = std::iter::once(Part::Source).chain(stages).chain([Part::Sink]);
                parts.map(|part| Item::Part { of: id, part }).collect()
            }
            Task::Fallback(_) => {
                let marks = std::iter::once("").chain(std::iter::repeat("else "));
                let marked = children.iter().zip(marks);
                marked.map(|(id, mark)| Item::Step { id: *id, follows: None, arrow: false, mark }).collect()
            }
            _ => self.items(children, false),
        }
    }

    fn branch_step(&self, flow: StepId, branch: usize) -> Vec<Item> {
        match &*self.plan.step(flow).task {
            Task::Flow(branches) => {
                vec![Item::Step { id: branches[branch].step, follows: None, arrow: true, mark: "" }]
            }
            _ => Vec::new(),
        }
    }

    /// The stages that a stage gives its items to.
    fn ways(&self, of: StepId, part: Part) -> Vec<Item> {
        let Part::Stage(n) = part else { return Vec::new() };
        match self.stage(of, part).map(|stage| &stage.work) {
            Some(StageWork::Each(ways)) => {
                (0..ways.len()).map(|way| Item::Part { of, part: Part::Way(n, way) }).collect()
            }
            _ => Vec::new(),
        }
    }

    fn stage(&self, of: StepId, part: Part) -> Option<&Stage> {
        let Task::Pipeline(pipeline) = &*self.plan.step(of).task else { return None };
        match part {
            Part::Stage(n) => pipeline.stages.get(n),
            Part::Way(n, way) => match &pipeline.stages.get(n)?.work {
                StageWork::Each(ways) => ways.get(way),
                _ => None,
            },
            Part::Source | Part::Sink => None,
        }
    }

    /// A part of a pipeline: its name, its kind, what it does.
    fn part(&self, of: StepId, part: Part) -> Option<(String, &'static str, String)> {
        let Task::Pipeline(pipeline) = &*self.plan.step(of).task else { return None };
        Some(match part {
            Part::Source => ("from".to_owned(), "", wording::source(self.plan, &pipeline.source)),
            Part::Sink => ("to".to_owned(), "", wording::sink(self.plan, &pipeline.sink)),
            part => {
                let stage = self.stage(of, part)?;
                (clean(&stage.name), stage.work.kind(), wording::stage_work(self.plan, &stage.work))
            }
        })
    }

    fn name(&self, id: StepId) -> String {
        let step = self.plan.step(id);
        match &step.key {
            Some(key) => clean(&format!("[{key}]")),
            None => clean(&step.name),
        }
    }

    /// Prints the line of an item, and the details below it.
    fn line(&self, page: &mut Page, item: &Item, prefix: &str, below: &str, last: bool, columns: (usize, usize)) {
        let arrow = match item {
            Item::Step { arrow, .. } => *arrow,
            Item::Part { part, .. } => matches!(part, Part::Stage(_) | Part::Sink),
            _ => false,
        };
        let signs = page.signs;
        let sign = match (last, arrow) {
            (false, false) => signs.tee,
            (true, false) => signs.corner,
            (false, true) => signs.tee_arrow,
            (true, true) => signs.corner_arrow,
        };
        let lead = format!("{prefix}{sign}");
        match item {
            Item::Step { id, follows, mark, .. } => {
                self.step(page, (*id, *follows, mark), &lead, &format!("{prefix}{below}"), columns)
            }
            Item::Branch { flow, branch } => self.branch(page, *flow, *branch, &lead),
            Item::Part { of, part } => {
                self.pipeline_part(page, (*of, *part), &lead, &format!("{prefix}{below}"), columns);
            }
            Item::Nothing => {
                page.row(&[(Ink::Dim, &lead), (Ink::Condition, "otherwise"), (Ink::Dim, "  nothing of it runs")], "");
            }
            Item::Hook { moment, .. } => page.row(&[(Ink::Dim, &lead), (Ink::Condition, on_moment(*moment))], ""),
            Item::More(hidden) => {
                let text = format!("{} {} more like these", signs.more, count(*hidden));
                page.row(&[(Ink::Dim, &lead), (Ink::Dim, &text)], "");
            }
            Item::Deeper(hidden) => {
                let text = format!("{} {} deeper", signs.more, plural(*hidden, "step"));
                page.row(&[(Ink::Dim, &lead), (Ink::Dim, &text)], "");
            }
        }
    }

    fn branch(&self, page: &mut Page, flow: StepId, branch: usize, lead: &str) {
        let Task::Flow(branches) = &*self.plan.step(flow).task else { return };
        let time = match self.analysis.estimates.get(branches[branch].step.index()) {
            Some(estimate) if !self.analysis.is_guess() => format!("≈ {}", wording::duration(estimate.ms)),
            _ => String::new(),
        };
        match &branches[branch].when {
            None => page.row(&[(Ink::Dim, lead), (Ink::Condition, "otherwise")], &time),
            Some(condition) => {
                let text = condition_text(condition);
                page.row(&[(Ink::Dim, lead), (Ink::Dim, "when "), (Ink::Condition, &text)], &time);
            }
        }
    }

    fn pipeline_part(
        &self,
        page: &mut Page,
        (of, part): (StepId, Part),
        lead: &str,
        below: &str,
        (names, kinds): (usize, usize),
    ) {
        let Some((name, kind, what)) = self.part(of, part) else { return };
        let name = shorten(&name, NAME_WIDTH * 2);
        let gap = " ".repeat(names.saturating_sub(width(&name)) + 2);
        let after_kind = if kinds == 0 { String::new() } else { " ".repeat(kinds.saturating_sub(kind.len()) + 2) };
        let named = self.stage(of, part).is_some();
        let parts = [
            (Ink::Dim, lead),
            (if named { Ink::Name } else { Ink::Dim }, name.as_str()),
            (Ink::Plain, gap.as_str()),
            (Ink::Dim, kind),
            (Ink::Plain, after_kind.as_str()),
            (Ink::Plain, what.as_str()),
        ];
        page.row(&parts, "");
        let Some(stage) = self.stage(of, part) else { return };
        let margin = match stage.work {
            StageWork::Each(_) => format!("{below}{}", page.signs.bar),
            _ => format!("{below}{}", page.signs.blank),
        };
        let notes: Vec<_> = wording::stage(stage).into_iter().map(|note| (Ink::Dim, note)).collect();
        page.pieces(&margin, &notes);
    }

    fn step(
        &self,
        page: &mut Page,
        (id, follows, mark): (StepId, Option<StepId>, &str),
        lead: &str,
        below: &str,
        (names, kinds): (usize, usize),
    ) {
        let step = self.plan.step(id);
        let kind = step.word();
        // A group without a name is called by its kind.
        let name = if is_nameless(step) { String::new() } else { shorten(&self.name(id), NAME_WIDTH * 2) };
        let gap = if is_nameless(step) { 0 } else { names.saturating_sub(width(mark) + width(&name)) + 2 };
        let gap = " ".repeat(gap);
        let after_kind = " ".repeat(kinds.saturating_sub(kind.len()) + 2);
        let what = what(self.plan, &self.tree, id);
        let place = match (step.span.is_known(), step.span.file) {
            (false, _) => String::new(),
            (true, 0) => format!(":{}", step.span.line),
            (true, file) => {
                let name = self.plan.header.files.get(file as usize).map_or("?", |file| file.name.as_str());
                format!("{}:{}", clean(name), step.span.line)
            }
        };
        let parts = [
            (Ink::Dim, lead),
            (Ink::Condition, mark),
            (Ink::Name, name.as_str()),
            (Ink::Plain, gap.as_str()),
            (Ink::Dim, kind),
            (Ink::Plain, after_kind.as_str()),
            (Ink::Plain, what.as_str()),
        ];
        page.row(&parts, &place);
        let signs = page.signs;
        let grows = !self.tree.children(id).is_empty()
            || step.policy().undo.is_some()
            || matches!(&*step.task, Task::Pipeline(_));
        let margin = format!("{below}{}", if grows { signs.bar } else { signs.blank });
        page.pieces(&margin, &details(self.plan, self.names, id, follows, page.options.full));
    }
}

/// A group without a name of its own.
fn is_nameless(step: &Step) -> bool {
    step.anonymous && step.key.is_none()
}

/// When a hook runs, as in scripts.
fn on_moment(moment: Moment) -> &'static str {
    match moment {
        Moment::Start => "on start",
        Moment::Success => "on success",
        Moment::Failure => "on failure",
        Moment::Complete => "on complete",
    }
}
