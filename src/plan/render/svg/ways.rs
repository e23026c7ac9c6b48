//! The ways of arrows: which frame they cross, where they touch a box, at which end their label stands.

use std::collections::HashMap;

use super::super::picture::{Arrow, Line, Place};
use super::scene::{PADDING, Part, Rect, TITLE};
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Plan, StepId, wording};

/// Heights at which arrows begin and end: spread over the side of a box, in the order of where they come from; at a
/// frame just where they come to it.
pub fn ports(
    kept: &[usize],
    arrows: &[Arrow],
    bends: &HashMap<usize, Vec<(f64, f64)>>,
    shape: &dyn Fn(Place) -> (Rect, bool),
) -> HashMap<(usize, bool), f64> {
    let middle = |place: Place| shape(place).0.y + shape(place).0.height / 2.0;
    let mut sides: HashMap<(Place, bool), Vec<(f64, usize)>> = HashMap::new();
    for n in kept {
        let (arrow, bends) = (&arrows[*n], bends.get(n));
        let first = bends.and_then(|bends| bends.first()).map_or(middle(arrow.to), |bend| bend.1);
        let last = bends.and_then(|bends| bends.last()).map_or(middle(arrow.from), |bend| bend.1);
        sides.entry((arrow.from, false)).or_default().push((first, *n));
        sides.entry((arrow.to, true)).or_default().push((last, *n));
    }
    let mut ends = HashMap::new();
    for ((place, entry), mut side) in sides {
        let (rect, is_box) = shape(place);
        side.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let count = side.len() as f64;
        let between = (rect.height * 0.7 / count).min(14.0);
        for (at, (towards, n)) in side.iter().enumerate() {
            let middle = rect.y + rect.height / 2.0;
            let y = match place {
                Place::Decision(_) => middle,
                Place::Step(_) if is_box => middle + (at as f64 - (count - 1.0) / 2.0) * between,
                Place::Step(_) if rect.height > 2.0 * TITLE => {
                    towards.clamp(rect.y + TITLE, rect.y + rect.height - PADDING)
                }
                Place::Step(_) => middle,
            };
            ends.insert((*n, entry), y);
        }
    }
    ends
}

/// What a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Top,
    Hooks(usize),
    Group(StepId),
}

/// The innermost frame that holds both ends of an arrow, and the parts of it that they are in.
#[derive(Clone, Copy)]
pub struct Meeting {
    pub arrow: usize,
    pub frame: Key,
    pub from: Part,
    pub to: Part,
    /// Does the arrow begin at the part itself, not at something within? And end so?
    pub direct: (bool, bool),
}

/// None for an arrow from one part of the run to another, which no frame holds.
pub fn meeting(plan: &Plan, hooked: &[(&'static str, Vec<StepId>)], n: usize, arrow: &Arrow) -> Option<Meeting> {
    let chain = |place: Place| {
        let (mut chain, mut at) = match place {
            Place::Step(id) => (vec![Part::Step(id)], id),
            Place::Decision(id) => (vec![Part::Decision(id), Part::Step(id)], id),
        };
        while let Some(parent) = Hierarchy::drawn_in(plan, at) {
            chain.push(Part::Step(parent));
            at = parent;
        }
        chain.reverse();
        (chain, at)
    };
    let ((from, first), (to, second)) = (chain(arrow.from), chain(arrow.to));
    let differs = from.iter().zip(&to).position(|(a, b)| a != b)?;
    let hooks = |id: StepId| hooked.iter().position(|(_, ids)| ids.contains(&id));
    let frame = match differs {
        0 if hooks(first) != hooks(second) => return None,
        0 => hooks(first).map_or(Key::Top, Key::Hooks),
        n => match from[n - 1] {
            Part::Step(id) | Part::Decision(id) => Key::Group(id),
        },
    };
    let direct = (from.len() == differs + 1, to.len() == differs + 1);
    Some(Meeting { arrow: n, frame, from: from[differs], to: to[differs], direct })
}

/// Decides where labels stand: at the end that is no deeper in groups than the other, where fewer other labels are.
pub fn sides<'a>(arrows: &[Arrow], meetings: impl Iterator<Item = &'a Meeting>) -> Vec<bool> {
    let mut crowd: HashMap<(Place, bool), usize> = HashMap::new();
    for arrow in arrows.iter().filter(|arrow| !arrow.label.is_empty() && arrow.line != Line::Branch) {
        *crowd.entry((arrow.from, false)).or_default() += 1;
        *crowd.entry((arrow.to, true)).or_default() += 1;
    }
    let mut at_start = vec![false; arrows.len()];
    for meeting in meetings {
        let arrow = &arrows[meeting.arrow];
        let others = |place, entry| crowd.get(&(place, entry)).copied().unwrap_or(0);
        at_start[meeting.arrow] = match meeting.direct {
            (true, false) => true,
            (false, true) => false,
            _ => others(arrow.to, true) >= others(arrow.from, false),
        };
    }
    at_start
}

/// What is written at an arrow.
pub fn label(arrow: &Arrow) -> String {
    wording::shorten(&arrow.label, 30)
}
