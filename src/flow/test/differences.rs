//! How the way of a run differs from the one that was recorded.

use std::collections::{HashMap, HashSet};

use crate::flow::recording::{Course, Passed, Tried, Turn, WasRead};
use crate::plan::Json;
use crate::state::Status;

/// A difference, both sides in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path of the step; empty: the run.
    pub step: String,
    /// What differs: `decided otherwise`.
    pub what: String,
    /// What was recorded.
    pub recorded: String,
    /// What is now.
    pub now: String,
}

/// The most characters of a value in a message.
const VALUE: usize = 80;

/// The differences between two ways, causes first: decisions, then steps, then the run as a whole.
pub(super) fn differences(recorded: &Course, now: &Course) -> Vec<Difference> {
    let mut found = Vec::new();
    turns(&recorded.turns, &now.turns, &mut found);
    steps(&recorded.steps, &now.steps, &mut found);
    if recorded.status != now.status {
        let (recorded, now) = (recorded.status.name().to_owned(), now.status.name().to_owned());
        found.push(Difference { step: String::new(), what: "the run ended otherwise".into(), recorded, now });
    }
    found
}

fn turns(recorded: &[Turn], now: &[Turn], found: &mut Vec<Difference>) {
    // A condition may be evaluated several times: the first is compared with the first.
    let mut open: HashMap<(&str, u32), Vec<&Turn>> = HashMap::new();
    for turn in now.iter().rev() {
        open.entry((&turn.step, turn.branch)).or_default().push(turn);
    }
    let difference = |turn: &Turn, what: &str, recorded: String, now: String| Difference {
        step: turn.step.clone(),
        what: match turn.branch {
            0 => what.to_owned(),
            branch => format!("{what} (condition {})", branch + 1),
        },
        recorded,
        now,
    };
    for turn in recorded {
        match open.get_mut(&(turn.step.as_str(), turn.branch)).and_then(Vec::pop) {
            None => found.push(difference(turn, "was not asked", said(turn), "its condition was not evaluated".into())),
            Some(new) if new.decided != turn.decided => {
                found.push(difference(turn, "decided otherwise", said(turn), said(new)));
            }
            Some(new) if !same_values(&turn.saw, &new.saw) => {
                found.push(difference(turn, "decided the same by other values", said(turn), said(new)));
            }
            Some(_) => {}
        }
    }
    for turn in now {
        let rest = open.get(&(turn.step.as_str(), turn.branch));
        if rest.is_some_and(|rest| rest.iter().any(|one| std::ptr::eq(*one, turn))) {
            found.push(difference(turn, "was asked", "its condition was not evaluated".into(), said(turn)));
        }
    }
}

/// Were the same values read? How long something took is never quite the same.
fn same_values(recorded: &[WasRead], now: &[WasRead]) -> bool {
    let counts = |read: &&WasRead| !read.what.ends_with("duration_ms");
    recorded.iter().filter(counts).eq(now.iter().filter(counts))
}

fn steps(recorded: &[Passed], now: &[Passed], found: &mut Vec<Difference>) {
    let of = |steps: &[Passed]| -> HashSet<String> { steps.iter().map(|step| step.step.clone()).collect() };
    let (before, after) = (of(recorded), of(now));
    let places: HashMap<&str, &Passed> = now.iter().map(|step| (step.step.as_str(), step)).collect();
    for step in recorded {
        let mut tell = |what: &str, recorded: String, now: String| {
            found.push(Difference { step: step.step.clone(), what: what.to_owned(), recorded, now });
        };
        let Some(new) = places.get(step.step.as_str()) else {
            if !within(&step.step, &before, &after) {
                tell("is no more", ended(step), "there is no such step".into());
            }
            continue;
        };
        if new.ended != step.ended {
            tell("ended otherwise", ended(step), ended(new));
        } else if kind(new.error.as_ref()) != kind(step.error.as_ref()) {
            tell("failed otherwise", ended(step), ended(new));
        } else if new.retried.iter().map(|one| &one.kind).ne(step.retried.iter().map(|one| &one.kind)) {
            tell("was retried otherwise", retried(step), retried(new));
        }
    }
    for step in now.iter().filter(|step| !before.contains(&step.step)) {
        if !within(&step.step, &after, &before) {
            let (recorded, now) = ("there was no such step".into(), ended(step));
            found.push(Difference { step: step.step.clone(), what: "is new".into(), recorded, now });
        }
    }
}

/// Is a step within a group that is missing on the other side, too? Then that says it all.
fn within(path: &str, here: &HashSet<String>, there: &HashSet<String>) -> bool {
    path.match_indices('/').any(|(at, _)| here.contains(&path[..at]) && !there.contains(&path[..at]))
}

fn kind(error: Option<&Tried>) -> Option<&str> {
    error.map(|error| error.kind.as_str())
}

/// How a step ended, in words.
fn ended(step: &Passed) -> String {
    match (&step.error, step.ended) {
        (Some(Tried { kind, message }), _) if message.is_empty() => format!("failed ({kind})"),
        (Some(Tried { message, .. }), _) => format!("failed: {}", short(message)),
        (None, status @ (Status::Pending | Status::Running | Status::Waiting | Status::Ready | Status::Retrying)) => {
            format!("came to no end ({})", status.name())
        }
        (None, status) => status.name().to_owned(),
    }
}

fn retried(step: &Passed) -> String {
    let one = |tried: &Tried| match tried.message.is_empty() {
        true => tried.kind.clone(),
        false => short(&tried.message),
    };
    match step.retried.as_slice() {
        [] => "not once".into(),
        [first] => format!("once, after: {}", one(first)),
        all => format!("{} times, after: {}", all.len(), all.iter().map(one).collect::<Vec<_>>().join("; ")),
    }
}

/// What a condition said, and by which values.
fn said(turn: &Turn) -> String {
    let result = match turn.decided {
        Some(is) => is.to_string(),
        None => "an error".to_owned(),
    };
    let value = |read: &WasRead| format!("{}.{} was {}", read.step, read.what, shown(&read.value));
    match turn.saw.as_slice() {
        [] => result,
        saw => format!("{result}, since {}", saw.iter().map(value).collect::<Vec<_>>().join(", ")),
    }
}

fn shown(value: &Json) -> String {
    short(&value.to_string())
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(VALUE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None if line.len() < text.len() => format!("{line} …"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RunStatus;

    fn step(path: &str, ended: Status) -> Passed {
        Passed { step: path.into(), ended, attempts: 1, retried: Vec::new(), error: None }
    }

    fn turn(decided: bool, value: u32) -> Turn {
        let saw = vec![WasRead { step: "score".into(), what: "output".into(), value: value.into() }];
        Turn { step: "gate".into(), branch: 0, decided: Some(decided), saw }
    }

    fn tried(kind: &str) -> Tried {
        Tried { kind: kind.into(), message: String::new() }
    }

    fn told(recorded: &Course, now: &Course) -> Vec<String> {
        let text = |one: Difference| format!("{} {}: {} / {}", one.step, one.what, one.recorded, one.now);
        differences(recorded, now).into_iter().map(text).collect()
    }

    #[test]
    fn each_difference_is_told_with_both_sides() {
        let course = |steps, turns| Course { status: RunStatus::Success, steps, turns };
        let recorded = course(vec![step("a", Status::Success), step("b", Status::Skipped)], vec![turn(true, 91)]);
        assert!(told(&recorded, &recorded.clone()).is_empty());

        let other = course(vec![step("a", Status::Success), step("b", Status::Success)], vec![turn(false, 12)]);
        assert_eq!(
            told(&recorded, &other),
            [
                "gate decided otherwise: true, since score.output was 91 / false, since score.output was 12",
                "b ended otherwise: skipped / success"
            ]
        );
        let values = course(recorded.steps.clone(), vec![turn(true, 92)]);
        assert_eq!(told(&recorded, &values).len(), 1);
        let none = course(recorded.steps.clone(), Vec::new());
        assert_eq!(
            told(&recorded, &none),
            ["gate was not asked: true, since score.output was 91 / its condition was not evaluated"]
        );
        assert_eq!(told(&none, &recorded).len(), 1);
    }

    #[test]
    fn groups_speak_for_what_is_in_them() {
        let course = |paths: &[&str]| Course {
            status: RunStatus::Success,
            steps: paths.iter().map(|path| step(path, Status::Success)).collect(),
            turns: Vec::new(),
        };
        let (before, after) = (course(&["g", "g/a", "g/b", "x"]), course(&["x", "h", "h/c"]));
        assert_eq!(
            told(&before, &after),
            ["g is no more: success / there is no such step", "h is new: there was no such step / success"]
        );
    }

    #[test]
    fn failures_and_retries_are_compared_by_kind() {
        let mut before = step("a", Status::Failed);
        before.error = Some(Tried { kind: "exit".into(), message: "it ended with code 1".into() });
        let mut after = before.clone();
        after.error = Some(Tried { kind: "exit".into(), message: "it ended with code 2".into() });
        let course = |step: &Passed| Course { status: RunStatus::Failed, steps: vec![step.clone()], turns: Vec::new() };
        assert!(told(&course(&before), &course(&after)).is_empty());
        after.error = Some(tried("timeout"));
        assert_eq!(
            told(&course(&before), &course(&after)),
            ["a failed otherwise: failed: it ended with code 1 / failed (timeout)"]
        );
        after.error.clone_from(&before.error);
        after.retried = vec![tried("exit"), tried("hung")];
        assert_eq!(
            told(&course(&before), &course(&after)),
            ["a was retried otherwise: not once / 2 times, after: exit; hung"]
        );
    }
}
