//! What steps say that they change: which of them are never to run at the same time.

use super::{Plan, Policy, StepId, Task, Value, glob};

/// Files that a step may change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Area {
    /// The folder that the patterns are relative to, as far as it is known: of one that is not known, all may be changed.
    folder: Option<String>,
    /// The patterns.
    patterns: Vec<String>,
}

impl Area {
    /// The patterns of both that may mean the same file, if there are such.
    pub fn meets<'a>(&'a self, other: &'a Area) -> Option<(&'a str, &'a str)> {
        let pairs = self.patterns.iter().flat_map(|one| other.patterns.iter().map(move |two| (one, two)));
        let whole = |folder: &str, pattern: &str| match pattern.starts_with('/') {
            true => pattern.to_owned(),
            false => format!("{}/{pattern}", glob_of(folder)),
        };
        let mut meeting = pairs.filter(|(one, two)| match (&self.folder, &other.folder) {
            (Some(here), Some(there)) => glob::overlap(&whole(here, one), &whole(there, two)),
            _ => true,
        });
        meeting.next().map(|(one, two)| (one.as_str(), two.as_str()))
    }

    /// The patterns.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

/// A folder's name as a pattern: signs that mean something there are any letter.
fn glob_of(folder: &str) -> String {
    folder.chars().map(|c| if matches!(c, '*' | '?' | '[' | ']') { '?' } else { c }).collect()
}

/// What a step may change beside others. Nothing: it says nothing, or works in a work tree of its own. `root`: where the run
/// takes place, absolute; empty if that is not known, and then the same for all.
pub fn area(plan: &Plan, id: StepId, root: &str) -> Option<Area> {
    let step = plan.step(id);
    let policy = step.policy.as_deref()?;
    if policy.writes.is_empty() || policy.isolate.is_some() || step.task.is_group() {
        return None;
    }
    Some(Area { folder: folder(plan, &step.task, policy, root), patterns: policy.writes.clone() })
}

fn folder(plan: &Plan, task: &Task, policy: &Policy, root: &str) -> Option<String> {
    let join = |base: String, more: &str| match more.starts_with('/') {
        true => more.to_owned(),
        false => format!("{base}/{more}"),
    };
    let base = match &plan.header.settings.cwd {
        Some(cwd) => join(root.to_owned(), cwd),
        None => root.to_owned(),
    };
    let own = match task {
        Task::Agent(ask) => policy.cwd.as_ref().or(ask.agent.cwd.as_ref()),
        _ => policy.cwd.as_ref(),
    };
    match own {
        None => Some(base),
        Some(Value::Plain(cwd)) => cwd.as_str().map(|cwd| join(base, cwd)),
        Some(_) => None,
    }
}

/// The others in the plan beside which this step never runs, with the pattern of its own that is the reason. Those that
/// are before or behind it anyway are among them.
pub fn beside(plan: &Plan, id: StepId) -> Vec<(StepId, String)> {
    let Some(own) = area(plan, id, "") else { return Vec::new() };
    let others = plan.ids().filter(|other| *other != id && !plan.step(*other).retired);
    others
        .filter_map(|other| {
            let area = area(plan, other, "")?;
            own.meets(&area).map(|(pattern, _)| (other, pattern.to_owned()))
        })
        .collect()
}
