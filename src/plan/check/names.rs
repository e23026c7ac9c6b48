//! Names: of harmless characters, and each once in its scope.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Findings;
use crate::diag::Diagnostic;
use crate::plan::hierarchy::Hierarchy;
use crate::plan::{Plan, StepId, wording};

/// Names that two steps of one scope have in common. A scope is the nearest group with a name; each iteration of an
/// `each` or `repeat` is a scope of its own.
pub(super) fn duplicates(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    let mut scopes: Vec<Option<StepId>> = vec![None; plan.steps.len()];
    let mut seen: HashMap<(Option<StepId>, bool, &str), StepId> = HashMap::with_capacity(plan.steps.len());
    let mut second: HashMap<StepId, usize> = HashMap::new();
    let mut clashes: Vec<(StepId, StepId, usize)> = Vec::new();
    // Parents come before their children here.
    for id in tree.preorder() {
        let step = plan.step(*id);
        let scope = step.parent.and_then(|parent| {
            let group = plan.step(parent);
            if group.anonymous && group.key.is_none() { scopes[parent.index()] } else { Some(parent) }
        });
        scopes[id.index()] = scope;
        if step.anonymous && step.key.is_none() {
            continue;
        }
        // Iterations have keys in the place of names.
        let key = match &step.key {
            Some(key) => (step.parent, true, key.as_str()),
            None => (scope, false, step.name.as_str()),
        };
        match seen.entry(key) {
            Entry::Vacant(free) => {
                free.insert(*id);
            }
            Entry::Occupied(taken) => match second.get(taken.get()) {
                Some(clash) => clashes[*clash].2 += 1,
                None => {
                    second.insert(*taken.get(), clashes.len());
                    clashes.push((*taken.get(), *id, 0));
                }
            },
        }
    }
    clashes.sort_unstable();
    for (one, two, more) in clashes {
        if found.full() {
            return;
        }
        let (first, second) = if one < two { (one, two) } else { (two, one) };
        found.add(clash(plan, first, second, more, scopes[first.index()]));
    }
}

fn clash(plan: &Plan, first: StepId, second: StepId, more: usize, scope: Option<StepId>) -> Diagnostic {
    let name = wording::name(plan, second);
    let times = match more {
        0 => "two steps are".to_owned(),
        more => format!("{} steps are", wording::count(more + 2)),
    };
    let within = scope
        .filter(|_| plan.step(second).key.is_none())
        .map_or(String::new(), |scope| format!(" in `{}`", wording::name(plan, scope)));
    let help = match &plan.step(second).key {
        Some(_) => "the items of an `each` need different keys: remove the item that comes twice".to_owned(),
        None => {
            format!("rename one of them, or put them into groups with names of their own, as `chain(\"…\", [{name}])`")
        }
    };
    let problem = Diagnostic::new("flow::plan::duplicate", format!("{times} called `{name}`{within}"));
    if plan.step(first).span == plan.step(second).span && plan.step(second).key.is_none() {
        return problem
            .label_word(plan.step(second).span, name.as_str(), "declared more than once: in a loop or a function")
            .help(format!("make the names differ, as `{name}-${{i}}` in a backtick text, or use `each(…)`, whose steps are told apart by their items"));
    }
    problem
        .label_word(plan.step(second).span, name.as_str(), "the name is taken already")
        .label_word(plan.step(first).span, name.as_str(), "first used here")
        .help(help)
}

/// Names that are empty or hold other characters than letters, digits, `-`, `_` and `.`.
pub(super) fn characters(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        if step.anonymous || step.key.is_some() {
            continue;
        }
        let name = step.name.as_str();
        let message = if name.is_empty() {
            "a step has an empty name".to_owned()
        } else if name.chars().all(|c| c == '.') {
            format!("a step is called `{name}`, which names a folder")
        } else if let Some(wrong) = name.chars().find(|c| !is_name_character(*c)) {
            let shown = if wrong.is_control() { wrong.escape_unicode().to_string() } else { wrong.to_string() };
            format!("the name `{}` holds `{shown}`", wording::shorten(&wording::clean(name), 60))
        } else {
            continue;
        };
        let help = match proposal(name) {
            Some(better) => format!("names hold letters, digits, `-`, `_` and `.`: for instance `{better}`"),
            None => "names hold letters, digits, `-`, `_` and `.`".to_owned(),
        };
        found.add(Diagnostic::new("flow::plan::name", message).label_word(step.span, name, "declared here").help(help));
    }
}

/// Can it stand in a name?
pub(super) fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The name with a dash for each run of characters that it may not hold.
fn proposal(name: &str) -> Option<String> {
    let words: Vec<_> =
        name.split(|c: char| !is_name_character(c)).filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    (!words.is_empty()).then(|| wording::shorten(&words.join("-"), 40))
}
