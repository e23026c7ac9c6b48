//! The language as scripts see it: what plans they give, what they are refused for, what their closures compute.

mod agents;
mod calls;
mod pipelines;
mod plans;
mod recovery;
mod refused;
mod streams;

use flow::diag::Diagnostic;
use flow::lang::{Program, Script};
use flow::plan::Plan;

fn plan_of(script: &str) -> Result<(Program, Plan), Diagnostic> {
    let program = Program::compile(&Script::from_text("script.rhai", script))?;
    let mut plan = Plan::default();
    plan.grow(program.build(&[], None)?.growth);
    Ok((program, plan))
}

fn plan(script: &str) -> Plan {
    match plan_of(script) {
        Ok((_, plan)) => plan,
        Err(problem) => panic!("{script}\n{}: {problem}\n{:?}", problem.code(), problem.help_text()),
    }
}

/// Who waits for whom and why: `push <- build (data)`.
fn edges(plan: &Plan) -> Vec<String> {
    let mut all = Vec::new();
    for id in plan.ids() {
        for edge in &plan.step(id).after {
            let kind = format!("{:?}", edge.kind).to_lowercase();
            all.push(format!("{} <- {} ({kind})", plan.path(id), plan.path(edge.from)));
        }
    }
    all
}

fn paths(plan: &Plan) -> Vec<String> {
    plan.ids().map(|id| plan.path(id)).collect()
}
