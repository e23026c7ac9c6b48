//! The script's ids of steps, and the plan's.
//!
//! A script that waits for results with `run(…)` adds to its plan piece by piece, and counts its own steps without gaps.
//! Between two pieces a fan-out may have added steps that the script knows nothing of, so the ids of later pieces move.
//! On a resume the script is evaluated again: the pieces that the log has are recognised by their number.

use crate::event::Event;
use crate::plan::{Growth, StepId};

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// Where each piece begins, in the script's ids and in the plan's.
    pieces: Vec<(u32, u32)>,
    /// Number of steps in all pieces.
    steps: u32,
    /// How many pieces are in the log and have not been given again by the script.
    recorded: usize,
}

impl Numbering {
    /// What the events of a log say.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut numbering = Numbering::default();
        for event in events {
            match event {
                Event::Planned { of: None, growth } => numbering.know(growth.base, growth.steps.len() as u32),
                // Another script: what the one before gave is of no interest any more.
                Event::Replanned(new) => {
                    numbering = Numbering::default();
                    new.pieces.iter().for_each(|(base, steps)| numbering.know(*base, *steps));
                }
                _ => {}
            }
        }
        numbering
    }

    /// The pieces so far: where each begins in the plan, and how many steps it has.
    pub fn pieces(&self) -> Vec<(u32, u32)> {
        let ends = self.pieces.iter().skip(1).map(|(script, _)| *script).chain([self.steps]);
        self.pieces.iter().zip(ends).map(|((script, plan), end)| (*plan, end - script)).collect()
    }

    fn know(&mut self, base: u32, steps: u32) {
        self.add(base, steps);
        self.recorded += 1;
    }

    /// The piece as the plan of so many steps takes it; nothing if the plan has it already.
    pub fn take(&mut self, mut growth: Growth, steps: u32) -> Option<Growth> {
        if self.recorded > 0 {
            self.recorded -= 1;
            return None;
        }
        let new = growth.steps.len() as u32;
        self.add(steps, new);
        if self.pieces.iter().any(|(script, plan)| script != plan) {
            growth.renumber(&|step| self.step(step));
        }
        growth.base = steps;
        Some(growth)
    }

    /// The plan's id of a step of the script.
    pub fn step(&self, step: StepId) -> StepId {
        let piece = self.pieces.partition_point(|(script, _)| *script <= step.0);
        match piece.checked_sub(1).and_then(|piece| self.pieces.get(piece)) {
            Some((script, plan)) => StepId(step.0 - script + plan),
            None => step,
        }
    }

    fn add(&mut self, base: u32, new: u32) {
        self.pieces.push((self.steps, base));
        self.steps += new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::plan::{Step, Task};

    fn piece(base: u32, steps: u32) -> Growth {
        let mut all: Vec<Step> =
            (0..steps).map(|n| Step::new(format!("s{n}"), Task::Wait(1), Span::default())).collect();
        for (n, step) in all.iter_mut().enumerate() {
            step.input = vec![StepId(0), StepId(base + n as u32)];
        }
        Growth { base, steps: all, ..Growth::default() }
    }

    #[test]
    fn later_pieces_move_behind_what_a_fan_out_added() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.take(piece(0, 2), 0), Some(piece(0, 2)));
        // Three children came meanwhile.
        let second = numbering.take(piece(2, 2), 5).expect("it is new");
        assert_eq!(second.base, 5);
        assert_eq!(second.steps[1].input, [StepId(0), StepId(6)]);
        assert_eq!((numbering.step(StepId(1)), numbering.step(StepId(3))), (StepId(1), StepId(6)));
        assert_eq!(numbering.pieces(), [(0, 2), (5, 2)]);
    }

    #[test]
    fn another_script_begins_anew() {
        let planned = Event::Planned { of: None, growth: Box::new(piece(0, 4)) };
        let new = crate::event::Replanned { pieces: vec![(0, 1), (3, 2)], ..Default::default() };
        let mut numbering = Numbering::of([&planned, &Event::Replanned(Box::new(new))]);
        assert_eq!(numbering.step(StepId(2)), StepId(4));
        assert_eq!(numbering.take(piece(0, 1), 9), None);
        assert_eq!(numbering.take(piece(1, 2), 9), None);
        assert_eq!(numbering.take(piece(3, 1), 9).map(|growth| growth.base), Some(9));
    }

    #[test]
    fn what_the_log_has_is_left_out() {
        let planned = |growth| Event::Planned { of: None, growth: Box::new(growth) };
        let second = Growth { base: 5, ..piece(2, 2) };
        let mut numbering = Numbering::of([&planned(piece(0, 2)), &planned(second)]);
        assert_eq!(numbering.take(piece(0, 2), 7), None);
        assert_eq!(numbering.take(piece(2, 2), 7), None);
        assert_eq!(numbering.step(StepId(2)), StepId(5));
        assert_eq!(numbering.take(piece(4, 1), 7).map(|growth| growth.base), Some(7));
    }
}
