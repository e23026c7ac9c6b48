//! What becomes of each step when a run is taken up, as data for people and programs.

use serde::Serialize;

use super::{Comparison, Reason};
use crate::diag::Span;
use crate::plan::fingerprint::Part;
use crate::plan::{Hierarchy, Plan, StepId};
use crate::state::{RunState, Status};

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It ended, and its end holds.
    Kept,
    /// It had begun, and begins again.
    Again,
    /// It had been skipped, and that is decided again.
    Anew,
    /// It was not in the script before.
    New,
    /// It had not ended, and goes on.
    Open,
    /// It is not in the script any more. What it did is not undone.
    Gone,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// Its path.
    #[serde(skip)]
    pub path: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why it does not stay as it was, as a sentence without a full stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What of its definition changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Part>,
    /// Where it is declared: the file, if it is not the script itself, line and column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Of a fan-out: how many steps it had which are made anew.
    #[serde(skip_serializing_if = "is_zero")]
    pub made_anew: usize,
    /// Is it a group that only follows what is in it?
    #[serde(skip)]
    pub follows: bool,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What would become of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takeup {
    /// The run's id.
    pub run: String,
    /// The other script, as it was named; nothing: the run goes on with its own.
    pub file: Option<String>,
    /// Its steps, in the order of the script, those that are gone behind them.
    pub steps: Vec<Fate>,
}

impl Takeup {
    /// The steps of a verdict. Groups that only follow what is in them are left out.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Fate> {
        self.steps.iter().filter(move |fate| fate.verdict == verdict && !fate.follows)
    }
}

/// Everything in the words of people. Steps of a plan are called by their paths.
pub(super) struct Teller<'a> {
    pub before: &'a RunState,
    pub plan: &'a Plan,
    pub found: &'a Comparison,
}

impl Teller<'_> {
    /// All steps of the new plan, and those that are gone.
    pub fn all(&self) -> Vec<Fate> {
        let mut fates = Vec::new();
        let mut known = vec![false; self.before.plan.steps.len()];
        for old in self.found.matched.iter().flatten() {
            known[old.index()] = true;
        }
        let mut anew = vec![0; self.plan.steps.len()];
        let mut gone = Vec::new();
        let plan = &self.before.plan;
        for old in plan.ids().filter(|id| is_told(plan, *id)) {
            if let Some(fan_out) = self.found.made_anew.get(&old) {
                anew[fan_out.index()] += usize::from(!plan.step(old).task.is_group());
            } else if !known[old.index()] {
                gone.push(old);
            }
        }
        let tree = Hierarchy::of(self.plan);
        for id in tree.preorder().iter().copied().filter(|id| is_told(self.plan, *id)) {
            if !self.found.matched[id.index()].is_some_and(|old| self.found.made_anew.contains_key(&old)) {
                fates.push(self.step(id, anew[id.index()]));
            }
        }
        fates.extend(gone.into_iter().map(|old| Fate {
            path: plan.path(old),
            verdict: Verdict::Gone,
            why: None,
            changed: None,
            at: None,
            made_anew: 0,
            follows: plan.step(old).task.is_group(),
        }));
        fates
    }

    fn step(&self, id: StepId, made_anew: usize) -> Fate {
        let step = self.plan.step(id);
        let reason = self.found.end[id.index()];
        let old = self.found.matched[id.index()].map(|old| self.before.step(old));
        let verdict = match (old, reason) {
            (None, _) => Verdict::New,
            (Some(old), None) if old.status.is_final() => Verdict::Kept,
            (Some(_), None) => Verdict::Open,
            (Some(old), Some(_)) => match old.status {
                Status::Pending if old.attempt == 0 => Verdict::Open,
                Status::Skipped => Verdict::Anew,
                _ => Verdict::Again,
            },
        };
        let changed = match reason {
            Some(Reason::Changed(part)) => Some(part),
            _ => None,
        };
        let why = match (verdict, reason) {
            (Verdict::Kept | Verdict::Open, _) => None,
            (Verdict::New, _) => {
                self.found.skipped.iter().find(|(known, _)| *known == id).map(|_| "not taken".to_owned())
            }
            (_, reason) => reason.map(|reason| self.why(reason, step.span)),
        };
        let at = place(self.plan, step.span);
        let follows = step.task.is_group()
            && (verdict != Verdict::Again || matches!(reason, Some(Reason::Child(_) | Reason::Group(_))));
        Fate { path: self.plan.path(id), verdict, why, changed, at, made_anew, follows: follows && made_anew == 0 }
    }

    fn why(&self, reason: Reason, span: Span) -> String {
        let path = |id: StepId| self.plan.path(id);
        let other = |id: StepId, what: &str| {
            let happens = match self.found.matched[id.index()] {
                None => "is new",
                Some(old) if self.before.step(old).status == Status::Skipped => "is decided again",
                Some(_) if self.found.start[id.index()].is_none() => "runs again in part",
                Some(_) => "runs again",
            };
            format!("`{}`, {what}, {happens}", path(id))
        };
        match reason {
            Reason::Asked => "asked for".to_owned(),
            Reason::New => "new".to_owned(),
            Reason::Changed(part) => match place(self.plan, span) {
                Some(place) => format!("{} changed at {place}", part.name()),
                None => format!("{} changed", part.name()),
            },
            Reason::Moved => "it stands in another place now".to_owned(),
            Reason::Failed => "it failed".to_owned(),
            Reason::Upstream => "it was skipped because of a failure".to_owned(),
            Reason::Cancelled => "it was cancelled".to_owned(),
            Reason::Undone => "what it did was undone".to_owned(),
            Reason::Uses(id) => other(id, "whose output it uses"),
            Reason::After(id) => other(id, "which it waits for"),
            Reason::Reads(id) => other(id, "which its condition reads"),
            Reason::Group(id) => format!("its group `{}` begins again", path(id)),
            Reason::Child(id) => other(id, "which is in it"),
            Reason::Chosen(id) => format!("`{}` chooses again", path(id)),
            Reason::Before(id) => other(id, "which comes before it"),
            Reason::Unfinished => "its steps are made anew".to_owned(),
            Reason::Hook => "the run comes to its end again".to_owned(),
        }
    }
}

/// Is it worth a line? Not what undoes others, nor what belongs to the plan no more, nor groups without a name.
fn is_told(plan: &Plan, id: StepId) -> bool {
    let step = plan.step(id);
    let apart = |id: StepId| plan.step(id).retired || plan.step(id).undoes.is_some();
    let mut groups = std::iter::successors(Some(id), |id| plan.step(*id).parent);
    !groups.any(apart) && (!step.anonymous || step.key.is_some())
}

/// `14:5`, or `lib.rhai:14:5` where it is not in the script itself.
fn place(plan: &Plan, span: Span) -> Option<String> {
    if !span.is_known() {
        return None;
    }
    match span.file {
        0 => Some(span.to_string()),
        file => plan.header.files.get(file as usize).map(|file| format!("{}:{span}", file.name)),
    }
}
