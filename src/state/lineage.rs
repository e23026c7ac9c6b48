//! Which step of an earlier plan a step was: an edited script has other ids.

use crate::event::{Event, Record};
use crate::plan::StepId;

/// One step through the plans of its run.
pub struct Lineage {
    /// From which event on which id it had, in order.
    eras: Vec<(u64, Option<StepId>)>,
}

impl Lineage {
    /// That of a step of the latest plan. `records`: the whole log.
    pub fn of(records: &[Record], id: StepId) -> Self {
        let mut eras = Vec::new();
        let mut id = Some(id);
        for record in records.iter().rev() {
            if let Event::Replanned(new) = &*record.event {
                eras.push((record.seq, id));
                let before = |now: StepId| new.kept.iter().chain(&new.again).find(|(known, _)| *known == now);
                id = id.and_then(before).map(|(_, then)| *then);
            }
        }
        eras.push((0, id));
        eras.reverse();
        Lineage { eras }
    }

    /// Is this the step, in an event of this number?
    pub fn is(&self, seq: u64, id: StepId) -> bool {
        let era = self.eras.partition_point(|(from, _)| *from <= seq);
        era.checked_sub(1).and_then(|era| self.eras[era].1) == Some(id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::Replanned;

    #[test]
    fn a_step_is_followed_through_two_edits() {
        let replanned = |kept: &[(u32, u32)], again: &[(u32, u32)]| {
            let pairs = |pairs: &[(u32, u32)]| pairs.iter().map(|(now, then)| (StepId(*now), StepId(*then))).collect();
            Event::Replanned(Box::new(Replanned { kept: pairs(kept), again: pairs(again), ..Replanned::default() }))
        };
        let records: Vec<Record> =
            [Event::Paused, replanned(&[(5, 1)], &[]), Event::Paused, replanned(&[], &[(2, 5)]), Event::Paused]
                .into_iter()
                .enumerate()
                .map(|(seq, event)| Record { seq: seq as u64, at: 0, event: Arc::new(event) })
                .collect();
        let lineage = Lineage::of(&records, StepId(2));
        assert!(lineage.is(0, StepId(1)) && lineage.is(2, StepId(5)) && lineage.is(4, StepId(2)));
        assert!(!lineage.is(0, StepId(2)));
        // Another one came with the first edit.
        assert!(!Lineage::of(&records, StepId(3)).is(2, StepId(3)));
    }
}
