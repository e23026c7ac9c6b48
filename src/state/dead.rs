//! Dead letters of a pipeline, and which of them have been replayed since.

use super::{FlowState, RunState};
use crate::event::{Counts, DeadLetter, Reached};
use crate::plan::{StepId, Task};

/// The dead letters of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct DeadLetters {
    /// The run.
    pub run: String,
    /// The path of the pipeline.
    pub step: String,
    /// What became of all its items.
    pub counts: Counts,
    /// The letters, in the order in which they were written: each with the run that has replayed it well since.
    pub letters: Vec<(DeadLetter, Option<String>)>,
    /// The file that they stand in.
    pub file: String,
    /// Its output is not to be shown.
    pub secret: bool,
}

/// The pipelines of a run, in the order of its plan.
pub fn pipelines(state: &RunState) -> Vec<StepId> {
    let plan = &state.plan;
    plan.ids().filter(|id| matches!(&*plan.step(*id).task, Task::Pipeline(_)) && !plan.step(*id).retired).collect()
}

/// Reads a file of dead letters: a letter a line. A last line that was cut off is none.
pub fn read(bytes: &[u8]) -> Vec<DeadLetter> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Which items of a source are done with, and did not end as dead letters again. `dead`: the letters of this pipeline.
pub fn done_well(flowed: Option<&FlowState>, dead: &[DeadLetter]) -> impl Fn(u64) -> bool + use<> {
    let reached = flowed.and_then(|flowed| flowed.reached.as_deref()).cloned().unwrap_or_default();
    let again: std::collections::HashSet<u64> = dead.iter().map(|letter| letter.offset).collect();
    move |offset| {
        let beyond = || reached.beyond.iter().any(|(from, to)| (*from..*to).contains(&offset));
        (offset < reached.upto || beyond()) && !again.contains(&offset)
    }
}

/// A pipeline that passes over these items of its source. They stand in order.
pub fn passing_over(offsets: impl IntoIterator<Item = u64>) -> Option<Reached> {
    let mut beyond: Vec<(u64, u64)> = Vec::new();
    for offset in offsets {
        match beyond.last_mut() {
            Some((_, end)) if *end == offset => *end += 1,
            _ => beyond.push((offset, offset + 1)),
        }
    }
    (!beyond.is_empty()).then(|| Reached { beyond, ..Reached::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_no_letter() {
        let letter = r#"{"offset":3,"stage":"parse","item":"x","error":"no","attempts":1,"at":5}"#;
        let letters = read(format!("{letter}\n{}", &letter[..20]).as_bytes());
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].offset, letters[0].stage.as_str()), (3, "parse"));
    }

    #[test]
    fn what_failed_again_is_not_done_well() {
        let reached = Reached { upto: 2, beyond: vec![(4, 6)], ..Reached::default() };
        let flowed = FlowState { reached: Some(Box::new(reached)), ..FlowState::default() };
        let again = read(br#"{"offset":1,"stage":"parse","item":"x","error":"no","attempts":1,"at":5}"#);
        let well = done_well(Some(&flowed), &again);
        assert_eq!((0..7).filter(|offset| well(*offset)).collect::<Vec<_>>(), [0, 4, 5]);
        assert!(!done_well(None, &[])(0));
    }

    #[test]
    fn items_next_to_each_other_are_one_range() {
        assert_eq!(passing_over([0, 1, 4]).map(|reached| reached.beyond), Some(vec![(0, 2), (4, 5)]));
        assert_eq!(passing_over([]), None);
    }
}
