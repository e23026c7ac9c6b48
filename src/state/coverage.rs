//! Branch coverage: which decisions of a workflow went which ways, over any number of runs. A fold over events.
//!
//! What counts as a decision, and its two ways:
//!
//! | decision | one way | the other |
//! | --- | --- | --- |
//! | the condition of a step (`.when`) or of a branch of a `flow` | true | false |
//! | the `until` of a `repeat` | true | false |
//! | a rule that can say no: `one_success`, `one_failed` (so `.on_failure` too), `all_failed`, `none_failed` | it ran | it was skipped by its rule |
//! | `.validate` | the result was valid | it was not |
//! | `.on_failure_retry` | another attempt was made | the failure stood |
//! | `.fallback`: each alternative | it was needed | it was not |
//! | the hooks `on("success", …)` and `on("failure", …)` | it ran | it did not |
//! | `approve` without choices of its own | yes | no |
//! | a `timeout` of what waits for somebody or something | it came in time | it did not |
//!
//! A decision is known by its place in the workflow: the iterations of a loop, and the children of an `each`, have it in
//! common. One in a part of the plan that no run ever had is not known. A condition that could not be evaluated went no way.

mod decision;
mod file;
mod marks;
#[cfg(test)]
mod tests;
mod went;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunState;
use crate::event::{Event, Record};
use crate::plan::Plan;

use self::decision::{Found, decisions, decisions_of};
use self::went::went;

pub use file::lcov;

/// What sort of decision it is. See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The condition of a step.
    When,
    /// The condition of a branch.
    Branch,
    /// The `until` of a `repeat`.
    Until,
    /// A rule.
    Rule,
    /// `.validate`.
    Validate,
    /// `.on_failure_retry`.
    Again,
    /// An alternative of `.fallback`.
    Fallback,
    /// A hook.
    Hook,
    /// An answer.
    Answer,
    /// A timeout of something that waits.
    InTime,
}

impl Choice {
    /// Its name, as in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Choice::When | Choice::Branch => "when",
            Choice::Until => "until",
            Choice::Rule => "rule",
            Choice::Validate => "validate",
            Choice::Again => "on_failure_retry",
            Choice::Fallback => "fallback",
            Choice::Hook => "on",
            Choice::Answer => "approve",
            Choice::InTime => "timeout",
        }
    }

    /// Its two ways, in words.
    pub fn ways(self) -> (&'static str, &'static str) {
        match self {
            Choice::When | Choice::Branch | Choice::Until => ("true", "false"),
            Choice::Rule | Choice::Hook => ("ran", "did not run"),
            Choice::Validate => ("valid", "not valid"),
            Choice::Again => ("tried again", "given up"),
            Choice::Fallback => ("needed", "not needed"),
            Choice::Answer => ("yes", "no"),
            Choice::InTime => ("in time", "too late"),
        }
    }
}

/// A decision, and how often it went which way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1.
    pub column: u16,
    /// What sort of decision it is.
    pub choice: Choice,
    /// The condition as it was written, or the rule's name.
    pub text: String,
    /// The path of a step whose decision it is.
    pub step: String,
    /// How often it went the one way.
    pub yes: u64,
    /// How often it went the other way.
    pub no: u64,
}

impl Branch {
    /// How many of its two ways were gone.
    pub fn covered(&self) -> usize {
        usize::from(self.yes > 0) + usize::from(self.no > 0)
    }
}

/// The decisions of some workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The decisions of each file, by line.
    pub files: BTreeMap<String, Vec<Branch>>,
}

/// By what a decision is known in its file.
type Key = (u32, u16, Choice, String);

impl Coverage {
    /// Adds a run. `files`: the names of its files, as spans count them; of one without a name nothing is counted.
    pub fn add<'a>(&mut self, files: &[Option<String>], records: impl IntoIterator<Item = &'a Record>) {
        let mut counted: BTreeMap<(String, Key), (String, u64, u64)> = BTreeMap::new();
        let mut state = RunState::default();
        let mut seen = 0;
        for record in records {
            if let Event::Replanned(_) = &*record.event {
                seen = 0;
            }
            let before = state.plan.steps.len();
            state.apply(record.at, &record.event);
            if state.plan.steps.len() != before || seen == 0 {
                for found in decisions(&state.plan, seen) {
                    note(&mut counted, files, &state.plan, &found, None);
                }
                seen = state.plan.steps.len();
            }
            for (step, which, choice, way) in went(&state, &record.event) {
                let mut of_step = decisions_of(&state.plan, step).into_iter();
                if let Some(found) = of_step.find(|found| found.choice == choice && found.which == which) {
                    note(&mut counted, files, &state.plan, &found, Some(way));
                }
            }
        }
        for ((file, (line, column, choice, text)), (step, yes, no)) in counted {
            self.file(file).push(Branch { line, column, choice, text, step, yes, no });
        }
        self.settle();
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Coverage) {
        for (file, branches) in other.files {
            self.file(file).extend(branches);
        }
        self.settle();
    }

    fn file(&mut self, name: String) -> &mut Vec<Branch> {
        self.files.entry(name).or_default()
    }

    /// Each decision once, in the order of their places.
    fn settle(&mut self) {
        for branches in self.files.values_mut() {
            let key = |branch: &Branch| (branch.line, branch.column, branch.choice, branch.text.clone());
            branches.sort_by_cached_key(key);
            branches.dedup_by(|again, first| {
                let same = key(again) == key(first);
                if same {
                    first.yes += again.yes;
                    first.no += again.no;
                }
                same
            });
        }
    }

    /// How many ways were gone, and how many there are: of one file, or of all.
    pub fn count(&self, file: Option<&str>) -> (usize, usize) {
        let chosen = self.files.iter().filter(|(name, _)| file.is_none_or(|file| *name == file));
        chosen
            .flat_map(|(_, branches)| branches)
            .fold((0, 0), |(covered, all), branch| (covered + branch.covered(), all + 2))
    }

    /// The share of ways that were gone, in percent; 100 where there is no decision.
    pub fn percent(&self, file: Option<&str>) -> f64 {
        let (covered, all) = self.count(file);
        if all == 0 { 100.0 } else { covered as f64 * 100.0 / all as f64 }
    }
}

fn note(
    counted: &mut BTreeMap<(String, Key), (String, u64, u64)>,
    files: &[Option<String>],
    plan: &Plan,
    found: &Found,
    way: Option<bool>,
) {
    let Some(Some(file)) = files.get(found.span.file as usize) else { return };
    let key = (found.span.line, found.span.column, found.choice, found.text.clone());
    let entry = counted.entry((file.clone(), key)).or_insert_with(|| (plan.path(found.step), 0, 0));
    match way {
        Some(true) => entry.1 += 1,
        Some(false) => entry.2 += 1,
        None => {}
    }
}
