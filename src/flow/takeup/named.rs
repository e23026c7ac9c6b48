//! `--from STEP`: which steps are meant.

use std::collections::BTreeSet;

use crate::diag::{Diagnostic, Result, nearest};
use crate::plan::Plan;

/// How many names a message holds.
const NAMES: usize = 5;

/// The whole paths of the steps that are meant: those of the plan before, and of the new one if there is one.
///
/// # Errors
/// `flow::run::no_step` if one names nothing, or several.
pub(super) fn resolve(names: &[String], before: &Plan, new: Option<&Plan>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for name in names {
        let plans = || std::iter::once(before).chain(new);
        let mut paths: BTreeSet<String> =
            plans().flat_map(|plan| plan.find(name).into_iter().map(|id| plan.path(id))).collect();
        if paths.contains(name) {
            paths = BTreeSet::from([name.clone()]);
        }
        if paths.len() > 1 {
            let shown: Vec<String> = paths.iter().take(NAMES).map(|path| format!("`{path}`")).collect();
            let more = if paths.len() > shown.len() { ", …" } else { "" };
            return Err(Diagnostic::new("flow::run::no_step", format!("{} steps are called `{name}`", paths.len()))
                .help(format!("say which: {}{more}", shown.join(", "))));
        }
        match paths.pop_first() {
            Some(path) => drop(found.insert(path)),
            None => return Err(unknown(name, &plans().flat_map(all).collect())),
        }
    }
    Ok(found)
}

/// The run has the step, the other script does not.
pub(super) fn gone(path: &str, new: &Plan) -> Diagnostic {
    let help = unknown(path, &all(new).into_iter().collect());
    let problem = Diagnostic::new("flow::resume::gone", format!("the script has no step `{path}` any more"));
    problem.help(match help.help_text() {
        Some(text) if text.starts_with("did") => text.to_owned(),
        _ => "`--dry-run` without this `--from` lists what becomes of each step; nothing was changed".to_owned(),
    })
}

/// As [`resolve`], as far as it can be said while the new plan is not yet whole.
pub(super) fn known(names: &[String], before: &Plan, new: &Plan) -> BTreeSet<String> {
    names.iter().filter_map(|name| resolve(std::slice::from_ref(name), before, Some(new)).ok()).flatten().collect()
}

fn all(plan: &Plan) -> Vec<String> {
    plan.ids().filter(|id| !plan.step(*id).retired).map(|id| plan.path(id)).collect()
}

/// Names nothing: what is near it, be it a whole path or only the end of one.
fn unknown(name: &str, paths: &BTreeSet<String>) -> Diagnostic {
    let mut near: Vec<&str> = Vec::new();
    near.extend(nearest(name, paths.iter().map(String::as_str)));
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(end) = nearest(&last(name), paths.iter().map(|path| path.rsplit('/').next().unwrap_or_default())) {
        near.extend(paths.iter().map(String::as_str).filter(|path| last(path) == end));
    }
    // Other iterations of the same group.
    if let Some((group, _)) = name.split_once('[') {
        let inside = format!("{group}[");
        near.extend(paths.iter().map(String::as_str).filter(|path| path.contains(&inside)));
    }
    near.dedup();
    let more = if near.len() > NAMES { ", …" } else { "" };
    let shown: Vec<String> = near.iter().take(NAMES).map(|path| format!("`{path}`")).collect();
    let problem = Diagnostic::new("flow::run::no_step", format!("the run has no step `{name}`"));
    problem.help(match shown.len() {
        0 => "`flow show` lists the steps of a run; nothing was changed".to_owned(),
        _ => format!("did you mean {}{more}? Nothing was changed", shown.join(" or ")),
    })
}
