//! Steps of a run under test, as a test names them.

use super::Rehearsed;
use crate::diag::{Diagnostic, did_you_mean};
use crate::event::Double;
use crate::plan::{Plan, StepId};

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

/// A double for a step that never was in a run tests nothing.
pub fn no_such_step(double: &Double, rehearsed: &Rehearsed) -> Diagnostic {
    let plan = &rehearsed.state.plan;
    let group = plan.ids().find(|id| double.fits(&plan.path(*id)) && plan.step(*id).task.is_group());
    if let Some(group) = group {
        let (path, kind) = (plan.path(group), plan.step(group).task.kind());
        let inner = plan.members(group).first().map_or_else(|| format!("{path}*"), |inner| plan.path(*inner));
        return Diagnostic::new(
            "flow::test::double",
            format!("`{path}` is a group (`{kind}`): its steps are what runs"),
        )
        .label(double.span, "given here")
        .help(format!("name one of them: `given(\"{inner}\")`; or all: `given(\"{path}*\")`"));
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
