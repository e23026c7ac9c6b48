//! Steps of a run under test, as a test names them.

use super::Rehearsed;
use crate::diag::{Diagnostic, did_you_mean};
use crate::event::Double;
use crate::plan::{Plan, StepId, Task};

/// The step that is meant by a path, or by the unique end of one.
pub fn find(rehearsed: &Rehearsed, path: &str) -> Result<StepId, Diagnostic> {
    let plan = &rehearsed.state.plan;
    match plan.find(path).as_slice() {
        [one] => Ok(*one),
        [] => {
            let problem = Diagnostic::new("flow::test::no_step", format!("the run has no step `{path}`"));
            Err(problem.help(known(path, plan)))
        }
        several => {
            let paths: Vec<String> = several.iter().take(5).map(|id| format!("`{}`", plan.path(*id))).collect();
            let more = if several.len() > paths.len() { ", …" } else { "" };
            Err(Diagnostic::new("flow::test::no_step", format!("{} steps are called `{path}`", several.len()))
                .help(format!("say which: {}{more}", paths.join(", "))))
        }
    }
}

/// Would a step of this path, which the run does not have, be one of a fan-out or a loop that it has?
pub fn was_not_made(rehearsed: &Rehearsed, path: &str) -> bool {
    let plan = &rehearsed.state.plan;
    let is_fan_out = |group: &str| match plan.find(group).as_slice() {
        [group] => matches!(*plan.step(*group).task, Task::Each(_) | Task::Repeat(_)),
        _ => false,
    };
    let ends = |open: usize| path[open..].find(']').map(|length| open + length + 1);
    let mut children = path.match_indices('[').filter_map(|(open, _)| Some((&path[..open], &path[..ends(open)?])));
    plan.find(path).is_empty() && children.any(|(group, child)| is_fan_out(group) && plan.find(child).is_empty())
}

/// A double for a step that never was in a run tests nothing.
pub fn no_such_step(double: &Double, rehearsed: &Rehearsed) -> Diagnostic {
    let plan = &rehearsed.state.plan;
    let group = plan.ids().find(|id| double.fits(&plan.path(*id)) && plan.step(*id).task.is_group());
    if let Some(group) = group {
        let (path, kind) = (plan.path(group), plan.step(group).task.kind());
        let help = match plan.members(group).first() {
            Some(inner) => {
                format!("name one of them: `given(\"{}\")`; or all: `given(\"{path}*\")`", plan.path(*inner))
            }
            None => format!("it had none in this run; a double for all that it may have is `given(\"{path}*\")`"),
        };
        return Diagnostic::new(
            "flow::test::double",
            format!("`{path}` is a group (`{kind}`): its steps are what runs"),
        )
        .label(double.span, "given here")
        .help(help);
    }
    Diagnostic::new("flow::test::double", format!("there is no step `{}` in this run", double.pattern))
        .label(double.span, "given here")
        .help(known(&double.pattern, plan))
}

/// What else may have been meant.
fn known(path: &str, plan: &Plan) -> String {
    // The children of a fan-out are called after it, whatever the step is called that the closure makes.
    let child = plan.ids().find(|id| plan.step(*id).name == path && plan.step(*id).key.is_some());
    if let Some(group) = child.and_then(|child| plan.step(child).parent) {
        let (child, group) = (child.map_or_else(String::new, |child| plan.path(child)), plan.path(group));
        return format!("the steps that a fan-out makes are called after it: `{child}`; all of them are `{group}[*]`");
    }
    let leaves = plan.ids().filter(|id| !plan.step(*id).task.is_group() && !plan.step(*id).retired);
    let paths: Vec<String> = leaves.map(|id| plan.path(id)).collect();
    did_you_mean(path, paths.iter().map(String::as_str)).unwrap_or_else(|| {
        let some: Vec<String> = paths.iter().take(8).map(|path| format!("`{path}`")).collect();
        let more = if paths.len() > some.len() { ", …" } else { "" };
        match some.is_empty() {
            true => "the run has no steps".to_owned(),
            false => format!("its steps are {}{more}", some.join(", ")),
        }
    })
}
