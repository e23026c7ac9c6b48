//! Where everything is in a drawing: boxes, frames, decisions, arrows.

use std::collections::HashMap;

use super::super::layout::{Edge, Layout, layout};
use super::super::picture::{Arrow, Line, Place, group_note, hooks, lines, title, top};
use super::ways::{Key, Meeting, label, meeting, ports, sides};
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Plan, StepId, Task, wording};

/// Widest line of text in a box, in characters.
const WIDTH: usize = 34;
/// Side of the square that a decision's rhombus stands in.
pub const DECISION: f64 = 26.0;
/// Room around what is in a frame, and for its title.
pub const PADDING: f64 = 14.0;
pub const TITLE: f64 = 26.0;
/// Height of a condition above the box that it leads to.
pub const CAPTION: f64 = 17.0;
/// Height of a line of text, and what a box has beside its lines.
pub const LINE: f64 = 16.0;
const BOX: f64 = 14.0;
/// Room between the drawing and the border, and between parts of the drawing.
pub const MARGIN: f64 = 24.0;
/// Room above the drawing for the plan's name.
const HEAD: f64 = 52.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Something to stand in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Step(StepId),
    Decision(StepId),
}

/// A frame: the whole drawing, a moment's hooks, or a group.
#[derive(Clone, Debug)]
struct Frame {
    parts: Vec<Part>,
    arrows: Vec<usize>,
    layout: Layout,
}

/// An arrow with its way.
pub struct Way {
    pub arrow: Arrow,
    /// Where it begins, the bends, where it ends.
    pub points: Vec<(f64, f64)>,
    /// Does its label stand where it begins? Else where it ends.
    pub label_at_start: bool,
}

/// A whole drawing.
pub struct Scene {
    /// By step.
    pub rects: Vec<Rect>,
    /// The lines of text in each box, by step.
    pub lines: Vec<Vec<String>>,
    /// The condition that leads to each step, by step.
    pub captions: Vec<Option<String>>,
    /// Left upper corners of decisions.
    pub decisions: Vec<(StepId, Rect)>,
    pub ways: Vec<Way>,
    /// Frames of hooks with their titles.
    pub moments: Vec<(&'static str, Rect)>,
    pub width: f64,
    pub height: f64,
    /// Which arrows have their labels where they begin.
    at_start: Vec<bool>,
}

/// Width of a text in the drawing, guessed, since every reader has other letters.
pub fn text_width(text: &str, letter: f64) -> f64 {
    wording::width(text) as f64 * letter
}

impl Scene {
    pub fn of(plan: &Plan, tree: &Hierarchy, arrows: Vec<Arrow>) -> Self {
        let mut scene = Scene {
            rects: vec![Rect::default(); plan.steps.len()],
            lines: plan
                .ids()
                .map(|id| if tree.children(id).is_empty() { lines(plan, id, WIDTH) } else { Vec::new() })
                .collect(),
            captions: vec![None; plan.steps.len()],
            decisions: Vec::new(),
            ways: Vec::new(),
            moments: Vec::new(),
            width: 0.0,
            height: 0.0,
            at_start: Vec::new(),
        };
        for arrow in arrows.iter().filter(|arrow| arrow.line == Line::Branch) {
            if let Place::Step(step) = arrow.to {
                scene.captions[step.index()] = Some(arrow.label.clone());
            }
        }
        let frames = scene.measure(plan, tree, &arrows);
        scene.place(plan, tree, &frames);
        scene.draw(tree, arrows, &frames);
        scene
    }

    /// Sizes of all boxes and frames, from the innermost out. Keys: the group, or nothing for the top.
    fn measure(&mut self, plan: &Plan, tree: &Hierarchy, arrows: &[Arrow]) -> HashMap<Key, Frame> {
        let mut frames: HashMap<Key, Frame> = HashMap::new();
        let mut within: HashMap<Key, Vec<Meeting>> = HashMap::new();
        let hooked = hooks(plan);
        for meeting in arrows.iter().enumerate().filter_map(|(n, arrow)| meeting(plan, &hooked, n, arrow)) {
            within.entry(meeting.frame).or_default().push(meeting);
        }
        self.at_start = sides(arrows, within.values().flatten());
        for id in tree.preorder().iter().rev() {
            let children = tree.children(*id);
            let (width, height) = if children.is_empty() {
                self.box_size(*id)
            } else {
                let mut parts: Vec<Part> = children.iter().map(|child| Part::Step(*child)).collect();
                if matches!(&*plan.step(*id).task, Task::Flow(_)) {
                    parts.insert(0, Part::Decision(*id));
                }
                let frame = self.frame(parts, within.remove(&Key::Group(*id)).unwrap_or_default(), arrows);
                let name = format!("{} {}", title(plan, *id), group_note(plan, *id));
                let size = (
                    (frame.layout.width + 2.0 * PADDING).max(text_width(&name, 7.4) + 2.0 * PADDING),
                    frame.layout.height + PADDING + TITLE,
                );
                frames.insert(Key::Group(*id), frame);
                size
            };
            self.rects[id.index()] = Rect { x: 0.0, y: 0.0, width, height };
        }
        let parts = |ids: Vec<StepId>| ids.into_iter().map(Part::Step).collect::<Vec<_>>();
        let main = self.frame(parts(top(plan, tree)), within.remove(&Key::Top).unwrap_or_default(), arrows);
        frames.insert(Key::Top, main);
        for (n, (_, ids)) in hooked.into_iter().enumerate() {
            let frame = self.frame(parts(ids), within.remove(&Key::Hooks(n)).unwrap_or_default(), arrows);
            frames.insert(Key::Hooks(n), frame);
        }
        frames
    }

    fn box_size(&self, id: StepId) -> (f64, f64) {
        let lines = &self.lines[id.index()];
        let name = lines.first().map_or(0.0, |name| text_width(name, 7.6) + 44.0);
        let rest = lines.iter().skip(1).map(|line| text_width(line, 6.7)).fold(0.0, f64::max);
        (name.max(rest).max(70.0) + 24.0, lines.len() as f64 * LINE + BOX)
    }

    /// The room that a part takes in its frame: a branch has its condition above it.
    fn room(&self, part: Part) -> (f64, f64) {
        match part {
            Part::Decision(_) => (DECISION, DECISION),
            Part::Step(id) => {
                let rect = self.rects[id.index()];
                match &self.captions[id.index()] {
                    None => (rect.width, rect.height),
                    Some(caption) => (rect.width.max(text_width(caption, 6.3) + 30.0), rect.height + CAPTION),
                }
            }
        }
    }

    fn frame(&self, parts: Vec<Part>, within: Vec<Meeting>, arrows: &[Arrow]) -> Frame {
        let index: HashMap<Part, usize> = parts.iter().enumerate().map(|(n, part)| (*part, n)).collect();
        let sizes: Vec<_> = parts.iter().map(|part| self.room(*part)).collect();
        let edges: Vec<Edge> = within
            .iter()
            .map(|meeting| {
                let arrow = &arrows[meeting.arrow];
                let width = if arrow.line == Line::Branch { 0.0 } else { text_width(&label(arrow), 6.0) };
                let (leaves, comes) = if self.at_start[meeting.arrow] { (width, 0.0) } else { (0.0, width) };
                Edge { from: index[&meeting.from], to: index[&meeting.to], leaves, comes }
            })
            .collect();
        let layout = layout(&sizes, &edges);
        Frame { parts, arrows: within.into_iter().map(|meeting| meeting.arrow).collect(), layout }
    }

    /// Absolute places, from the outermost in.
    fn place(&mut self, plan: &Plan, tree: &Hierarchy, frames: &HashMap<Key, Frame>) {
        self.put(&frames[&Key::Top], MARGIN, HEAD);
        self.width = frames[&Key::Top].layout.width + 2.0 * MARGIN;
        let mut y = HEAD + frames[&Key::Top].layout.height + MARGIN;
        let mut x = MARGIN;
        let mut row = 0.0f64;
        let widest = self.width.max(900.0);
        for (n, (name, _)) in hooks(plan).into_iter().enumerate() {
            let frame = &frames[&Key::Hooks(n)];
            let (width, height) = (frame.layout.width + 2.0 * PADDING, frame.layout.height + PADDING + TITLE);
            let width = width.max(text_width(name, 7.4) + 2.0 * PADDING);
            if x > MARGIN && x + width + MARGIN > widest {
                (x, y, row) = (MARGIN, y + row + MARGIN, 0.0);
            }
            self.moments.push((name, Rect { x, y, width, height }));
            self.put(frame, x + PADDING, y + TITLE);
            self.width = self.width.max(x + width + MARGIN);
            x += width + MARGIN;
            row = row.max(height);
        }
        self.height = y + if row > 0.0 { row + MARGIN } else { 0.0 };
        for id in tree.preorder() {
            if let Some(frame) = frames.get(&Key::Group(*id)) {
                let rect = self.rects[id.index()];
                self.put(frame, rect.x + PADDING, rect.y + TITLE);
            }
        }
    }

    fn put(&mut self, frame: &Frame, x: f64, y: f64) {
        for (part, place) in frame.parts.iter().zip(&frame.layout.places) {
            let (x, y) = (x + place.0, y + place.1);
            match part {
                Part::Decision(id) => self.decisions.push((*id, Rect { x, y, width: DECISION, height: DECISION })),
                Part::Step(id) => {
                    let caption = if self.captions[id.index()].is_some() { CAPTION } else { 0.0 };
                    let rect = &mut self.rects[id.index()];
                    (rect.x, rect.y) = (x, y + caption);
                }
            }
        }
    }

    /// The ways of all arrows.
    fn draw(&mut self, tree: &Hierarchy, arrows: Vec<Arrow>, frames: &HashMap<Key, Frame>) {
        let decisions: HashMap<StepId, Rect> = self.decisions.iter().copied().collect();
        let mut bends: HashMap<usize, Vec<(f64, f64)>> = HashMap::new();
        let moments: Vec<Rect> = self.moments.iter().map(|(_, rect)| *rect).collect();
        for (key, frame) in frames {
            let (x, y) = match key {
                Key::Top => (MARGIN, HEAD),
                Key::Hooks(n) => (moments[*n].x + PADDING, moments[*n].y + TITLE),
                Key::Group(id) => (self.rects[id.index()].x + PADDING, self.rects[id.index()].y + TITLE),
            };
            for (arrow, route) in frame.arrows.iter().zip(&frame.layout.bends) {
                bends.insert(*arrow, route.iter().map(|(bx, by)| (bx + x, by + y)).collect());
            }
        }
        let shape = |place: Place| match place {
            Place::Step(id) => (self.rects[id.index()], tree.children(id).is_empty()),
            Place::Decision(id) => (decisions.get(&id).copied().unwrap_or_default(), false),
        };
        let mut kept: Vec<usize> = bends.keys().copied().collect();
        kept.sort_unstable();
        let ends = ports(&kept, &arrows, &bends, &shape);
        let mut arrows: Vec<Option<Arrow>> = arrows.into_iter().map(Some).collect();
        for n in kept {
            let Some(arrow) = arrows[n].take() else { continue };
            let ((from, _), (to, _)) = (shape(arrow.from), shape(arrow.to));
            let mut points = vec![(from.x + from.width, ends[&(n, false)])];
            points.extend(bends.remove(&n).unwrap_or_default());
            points.push((to.x, ends[&(n, true)]));
            self.ways.push(Way { arrow, points, label_at_start: self.at_start[n] });
        }
    }
}
