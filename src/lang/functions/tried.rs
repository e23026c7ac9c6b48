//! For the tests of functions that compute: what an expression gives in a script.

use crate::lang::{Program, Script};
use crate::plan::{Json, Plan};

fn build(expression: &str) -> crate::diag::Result<Json> {
    let script = Script::from_text("try.rhai", format!("task(\"value\", #{{ it: {expression} }});"));
    let built = Program::compile(&script).and_then(|program| program.build(&[], None))?;
    let mut plan = Plan::default();
    plan.grow(built.growth);
    let plan = serde_json::to_value(&plan).expect("a plan is JSON");
    let steps = plan["steps"].as_array().expect("steps").clone();
    let value = steps.iter().find(|step| step["name"] == "value").expect("the task");
    Ok(value["task"]["const"]["plain"]["it"].clone())
}

/// The value of an expression.
pub fn value(expression: &str) -> Json {
    build(expression).unwrap_or_else(|problem| panic!("{expression}: {problem}"))
}

/// What is said of an expression that is refused.
pub fn refused(expression: &str) -> String {
    match build(expression) {
        Ok(value) => panic!("{expression} gives {value}"),
        Err(problem) => problem.to_string(),
    }
}
