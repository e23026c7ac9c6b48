//! What is said about things going wrong, and cannot be: breakers and checkpoints by their names, steps that undo others.

use std::collections::HashMap;

use super::Findings;
use super::names::is_name_character;
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::{EdgeKind, OnTimeout, Plan, Step, StepId, Task, wording};

const CHECKPOINT: &str = "flow::plan::checkpoint";
const UNDO: &str = "flow::plan::undo";

/// Breakers that nobody has declared.
pub(super) fn breakers(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        let Some(name) = step.policy().breaker.as_deref() else { continue };
        if found.full() || plan.header.breakers.contains_key(name) {
            continue;
        }
        let known = plan.header.breakers.keys().map(|known| known.as_str());
        let help = did_you_mean(name, known).unwrap_or_else(|| {
            format!("declare it: `breaker(\"{name}\", #{{ threshold: 5, window: \"1m\", reset: \"30s\" }})`")
        });
        found.add(
            Diagnostic::new(
                "flow::plan::breaker",
                format!("`{}` uses the breaker `{name}`, which is not declared", wording::name(plan, id)),
            )
            .label_word(step.span, name, "asked for here")
            .help(help),
        );
    }
}

/// Checkpoints whose names cannot be told apart or typed, and those where no run could go back to.
pub(super) fn checkpoints(plan: &Plan, found: &mut Findings) {
    let mut seen: HashMap<&str, StepId> = HashMap::new();
    for id in plan.ids() {
        let step = plan.step(id);
        let Some(checkpoint) = step.policy().checkpoint.as_deref().filter(|_| !step.retired) else { continue };
        if found.full() {
            return;
        }
        let shown = wording::shorten(&wording::clean(checkpoint), 60);
        if checkpoint.is_empty() || !checkpoint.chars().all(is_name_character) {
            found.add(
                Diagnostic::new(CHECKPOINT, format!("a checkpoint cannot be called `{shown}`"))
                    .label_word(step.span, checkpoint, "named here")
                    .help(
                        "names hold letters, digits, `-`, `_` and `.`: they are typed in `flow rollback RUN --to NAME`",
                    ),
            );
        } else if plan.undo_of(id).is_some() {
            let name = wording::name(plan, id);
            found.add(
                Diagnostic::new(
                    CHECKPOINT,
                    format!("the checkpoint `{shown}` stands at `{name}`, which only undoes something"),
                )
                .label(step.span, "this step runs when the run goes back")
                .help("put the checkpoint on a step of the graph"),
            );
        } else if let Some(first) = seen.insert(checkpoint, id) {
            seen.insert(checkpoint, first);
            found.add(
                Diagnostic::new(CHECKPOINT, format!("two checkpoints are called `{shown}`"))
                    .label_word(step.span, checkpoint, "the name is taken already")
                    .label_word(plan.step(first).span, checkpoint, "first used here")
                    .help("a run is rolled back to a checkpoint by its name: rename one of them"),
            );
        }
    }
}

/// Steps that undo others stand beside the graph: nothing in it waits for them, and they wait for nothing in it.
pub(super) fn undos(plan: &Plan, found: &mut Findings) {
    if plan.steps.iter().all(|step| step.undoes.is_none()) {
        return;
    }
    for id in plan.ids() {
        let step = plan.step(id);
        let own = plan.undo_of(id);
        if let Some(undoes) = step.undoes
            && step.when.is_some()
            && !found.full()
        {
            let (name, of) = (wording::name(plan, id), wording::name(plan, undoes));
            found.add(
                Diagnostic::new(UNDO, format!("`{name}` undoes `{of}`, so it cannot have a condition"))
                    .label(step.span, "it runs whenever that is to be undone")
                    .help("let its command decide; it can read the results of the step"),
            );
        }
        for edge in &step.after {
            let other = plan.undo_of(edge.from);
            if own == other || found.full() {
                continue;
            }
            // Values are read when the time has come; order is something to wait for.
            let waits = own.is_some() && edge.kind == EdgeKind::Order;
            if let Some(diagnostic) = crossing(plan, (id, own.filter(|_| waits)), (edge.from, other), edge.kind) {
                found.add(diagnostic);
            }
        }
    }
}

/// An edge between what undoes a step and the rest of the plan.
fn crossing(
    plan: &Plan,
    (id, own): (StepId, Option<StepId>),
    (from, other): (StepId, Option<StepId>),
    kind: EdgeKind,
) -> Option<Diagnostic> {
    let (name, before) = (wording::name(plan, id), wording::name(plan, from));
    let undone = |undo: StepId| plan.step(undo).undoes.map(|of| wording::name(plan, of)).unwrap_or_default();
    let problem = |message| Diagnostic::new(UNDO, message);
    let (here, there) = (plan.step(id).span, plan.step(from).span);
    match (own, other) {
        (Some(own), _) => Some(
            problem(format!("`{name}` undoes `{}`, so it cannot wait for `{before}`", undone(own)))
                .label(here, format!("waits for `{before}`: {}", wording::reason(plan, id, from, kind)))
                .label(there, "declared here")
                .help("remove the `->` or `after`: it runs when the step is to be undone, and may read its results"),
        ),
        (None, Some(other)) => Some(
            problem(format!("`{name}` waits for `{before}`, which only runs when `{}` is undone", undone(other)))
                .label(here, format!("waits for it: {}", wording::reason(plan, id, from, kind)))
                .label(there, "undoes a step")
                .help("let it wait for the step itself, or put both into the `chain` that undoes"),
        ),
        (None, None) => None,
    }
}

/// What happens in time's stead, where no time was given.
pub(super) fn without_timeout(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        let Some(on_timeout) = on_timeout(step).filter(|_| step.policy().timeout_ms.is_none()) else { continue };
        if found.full() {
            return;
        }
        let what = match on_timeout {
            OnTimeout::Fail => continue,
            OnTimeout::Skip => "skip".to_owned(),
            OnTimeout::Answer(answer) => answer.as_str().map_or_else(|| answer.to_string(), str::to_owned),
        };
        let what = wording::shorten(&wording::clean(&what), 40);
        found.add(
            Diagnostic::new(
                "flow::plan::policy",
                format!("`on_timeout` of `{}` has no effect: it waits without an end", wording::name(plan, id)),
            )
            .label_word(step.span, "on_timeout", format!("`{what}` is never come to"))
            .help("say how long it waits: `timeout: \"1d\"`"),
        );
    }
}

fn on_timeout(step: &Step) -> Option<&OnTimeout> {
    match &*step.task {
        Task::Approve(approve) => Some(&approve.on_timeout),
        Task::Signal(wait) => Some(&wait.on_timeout),
        Task::WaitFor(wait) => Some(&wait.on_timeout),
        _ => None,
    }
}
