//! Closures and conditions, called with results.

use std::sync::Arc;

use flow::event::{Decision, Log, Outcome, Output};
use flow::plan::{Condition, Growth, Json, StepId, Task};
use flow::state::{Body, Files, Inputs, Status, StepResult};
use serde_json::json;

use crate::plan_of;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Log) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn result(name: &str, status: Status, output: Json) -> Arc<StepResult> {
    Arc::new(StepResult {
        name: name.into(),
        key: None,
        status,
        attempts: 1,
        duration_ms: 5,
        outcome: Some(Arc::new(Outcome { output: Output::Value(output), code: Some(0), ..Outcome::default() })),
        degraded: None,
        why_skipped: None,
        body: Body::Task,
        spending: None,
    })
}

fn inputs(results: Vec<Arc<StepResult>>) -> Inputs {
    Inputs {
        results: results.into_iter().enumerate().map(|(n, r)| (StepId(n as u32), r)).collect(),
        files: Arc::new(NoFiles),
    }
}

/// The condition of the last step, decided with these results of the first ones.
fn decide(script: &str, results: Vec<Arc<StepResult>>) -> (Decision, Vec<String>) {
    let (program, plan) = plan_of(script).expect("a plan");
    let condition = plan.steps.iter().find_map(|step| match (&step.when, &*step.task) {
        (Some(when), _) => Some((**when).clone()),
        (None, Task::Flow(branches)) => branches[0].when.clone(),
        _ => None,
    });
    let (decision, saw) = program.decide(&condition.expect("a condition"), &inputs(results));
    (decision, saw.into_iter().map(|s| format!("{}={}{}", s.what, s.value, if s.handles { "!" } else { "" })).collect())
}

#[test]
fn a_condition_sees_plain_values_and_tells_which() {
    let script = r#"let test = sh("test", "x"); let cover = sh("cover", "y");
        flow("gate").when(|| test.passed && cover.output.percent > 80, sh("ship", "s"));"#;
    let given = |percent: f64| {
        vec![
            result("test", Status::Success, json!("")),
            result("cover", Status::Success, json!({ "percent": percent })),
        ]
    };
    assert_eq!(
        decide(script, given(87.5)),
        (Decision::Is(true), vec!["passed=true!".into(), "output.percent=87.5".into()])
    );
    assert_eq!(decide(script, given(50.0)).0, Decision::Is(false));
    let failed = vec![result("test", Status::Failed, json!("")), result("cover", Status::Skipped, json!(null))];
    assert_eq!(decide(script, failed), (Decision::Is(false), vec!["passed=false!".into()]));
}

#[test]
fn an_expression_means_the_same() {
    let script = r#"let test = sh("test", "x"); let cover = sh("cover", "y"); sh("ship", "s").when("test.passed and cover.output.percent > 80%");"#;
    let given =
        vec![result("test", Status::Success, json!("")), result("cover", Status::Success, json!({ "percent": 87.5 }))];
    assert_eq!(decide(script, given), (Decision::Is(true), vec!["passed=true!".into(), "output.percent=87.5".into()]));
}

#[test]
fn a_text_is_not_silently_compared_with_a_number() {
    let script = r#"let n = sh("n", "x"); sh("ship", "s").when(|| n.output > 80);"#;
    let (decision, _) = decide(script, vec![result("n", Status::Success, json!("87.5"))]);
    let Decision::Failed(failure) = decision else { panic!("{decision:?}") };
    assert!(failure.message.contains("compared with a number"), "{}", failure.message);
    assert!(failure.help.expect("help").contains(".number"));
    let script = r#"let n = sh("n", "x"); sh("ship", "s").when(|| n.number > 80);"#;
    assert_eq!(decide(script, vec![result("n", Status::Success, json!("87.5"))]).0, Decision::Is(true));
}

#[test]
fn a_missing_key_names_the_nearest() {
    let script = r#"let c = sh("c", "x"); sh("ship", "s").when(|| c.output.percnt > 80);"#;
    let (decision, _) = decide(script, vec![result("c", Status::Success, json!({ "percent": 1 }))]);
    let Decision::Failed(failure) = decision else { panic!("{decision:?}") };
    assert_eq!(failure.help.as_deref(), Some("did you mean `percent`?"));
    assert_eq!(failure.span.map(|s| s.line), Some(1));
}

#[test]
fn a_call_gets_its_input_and_what_it_captured() {
    let (program, plan) = plan_of(
        r#"import "std/checks" as checks; fn double(x) { x * 2 }
           let a = sh("a", "x"); let k = 5; let add = |n| n + k; call("sum", |input| double(a.number) + input + add.call(1));"#,
    )
    .expect("a plan");
    let Task::Call(closure) = &*plan.step(StepId(1)).task else { panic!("a call") };
    let output = program.call(closure, Some(json!(3)), &inputs(vec![result("a", Status::Success, json!("20"))]));
    assert_eq!(output, (Ok(json!(49)), String::new()));
}

#[test]
fn a_closure_cannot_declare_steps_while_the_plan_runs() {
    let (program, plan) = plan_of(r#"call("c", || { sh("x", "y"); 1 });"#).expect("a plan");
    let Task::Call(closure) = &*plan.step(StepId(0)).task else { panic!("a call") };
    let failure = program.call(closure, None, &inputs(vec![])).0.expect_err("refused");
    assert!(failure.message.contains("the plan is made already"), "{}", failure.message);
}

#[test]
fn a_fan_out_grows_the_plan_and_its_closures_can_be_called() {
    let (program, plan) = plan_of(
        r#"let files = sh("files", "ls"); each("e", files.lines, |f| { let a = sh("a", `cat ${f}`); call("b", || `${f}: ${a.output}`) });"#,
    )
    .expect("a plan");
    let mut plan = Arc::new(plan);
    let given = inputs(vec![result("files", Status::Success, json!("x\ny"))]);
    let growth = program.expand(plan.clone(), StepId(1), 1, Json::Null, &given).expect("children");
    Arc::make_mut(&mut plan).grow(growth);
    let paths: Vec<_> = plan.ids().map(|id| plan.path(id)).collect();
    assert_eq!(paths, ["files", "e", "e[x]/a", "e[x]/b", "e[x]", "e[y]/a", "e[y]/b", "e[y]"]);
    let Task::Call(closure) = &*plan.step(StepId(3)).task else { panic!("a call") };
    let mut given = inputs(vec![]);
    given.results.push((StepId(2), result("a", Status::Success, json!("text"))));
    assert_eq!(program.call(closure, None, &given).0, Ok(json!("x: text")));
}

#[test]
fn closures_are_found_again_in_a_new_compilation() {
    let script = r#"let a = sh("a", "x"); sh("b", "y").when(|| a.passed);"#;
    let (_, plan) = plan_of(script).expect("a plan");
    let condition: Condition = plan.steps[1].when.as_deref().expect("a condition").clone();
    let stored: Condition =
        serde_json::from_str(&serde_json::to_string(&condition).expect("JSON")).expect("a condition");
    let program =
        flow::lang::Program::compile(&flow::lang::Script::from_text("other-name.rhai", script)).expect("compiles");
    let (decision, _) = program.decide(&stored, &inputs(vec![result("a", Status::Success, json!(""))]));
    assert_eq!(decision, Decision::Is(true));
}

#[test]
fn methods_can_be_called_on_results() {
    let (program, plan) = plan_of(
        r#"let a = sh("a", "x"); call("n", || a.output.len() + a.lines.len()); call("m", || { a.output.push(9); 1 });"#,
    )
    .expect("a plan");
    let given = || inputs(vec![result("a", Status::Success, json!([1, 2, 3]))]);
    let Task::Call(closure) = &*plan.step(StepId(1)).task else { panic!("a call") };
    assert_eq!(program.call(closure, None, &given()).0, Ok(json!(6)));
    let Task::Call(closure) = &*plan.step(StepId(2)).task else { panic!("a call") };
    let failure = program.call(closure, None, &given()).0.expect_err("results cannot be changed");
    assert!(failure.message.contains("can be read, but not set"), "{}", failure.message);
}

#[test]
fn an_item_cannot_become_a_command() {
    let expand = |script: &str| {
        let (program, plan) = plan_of(script).expect("a plan");
        let given = inputs(vec![result("files", Status::Success, json!("plain\n$(touch hacked)"))]);
        program.expand(Arc::new(plan), StepId(1), 1, Json::Null, &given)
    };
    let failure = expand(r#"let files = sh("files", "ls"); each("e", files.lines, |f| sh("s", `echo "${f}"`));"#)
        .expect_err("refused");
    assert!(failure.message.contains("would become part of the script"), "{}", failure.message);
    assert!(failure.help.expect("help").contains("quote"));
    let growth = expand(r#"let files = sh("files", "ls"); each("e", files.lines, |f| sh("s", `echo ${quote(f)}`));"#)
        .expect("children");
    let Task::Shell(shell) = &*growth.steps[1].task else { panic!("a shell step") };
    assert_eq!(shell.script, "echo '$(touch hacked)'");
}

#[test]
fn a_fan_out_adds_its_limits_and_breakers_and_recovery_to_the_plan() {
    let (program, plan) = plan_of(
        r#"limit("known", 3); let files = sh("files", "ls");
           each("e", files.lines, |f| {
               let a = sh("a", "1").lock("new").limit("known").breaker(#{ name: `b-${f}`, threshold: 2 }).finally(sh("tidy", "1"));
               a.fallback(sh("other", `echo ${a.error}`)).undo(sh("back", `echo ${a.output}`))
           });"#,
    )
    .expect("a plan");
    let mut plan = Arc::new(plan);
    let given = inputs(vec![result("files", Status::Success, json!("x\ny"))]);
    let growth = program.expand(plan.clone(), StepId(1), 1, Json::Null, &given).expect("children");
    assert!(growth.header.is_none());
    assert_eq!(growth.limits.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(growth.breakers.keys().collect::<Vec<_>>(), ["b-x", "b-y"]);
    // The script itself goes on with a header that does not know them.
    let header = Some(Box::new(plan.header.clone()));
    Arc::make_mut(&mut plan).grow(growth);
    let base = plan.steps.len() as u32;
    Arc::make_mut(&mut plan).grow(Growth { header, base, complete: true, ..Growth::default() });
    assert_eq!(plan.header.limits.keys().collect::<Vec<_>>(), ["known", "new"]);
    assert_eq!(plan.header.breakers.len(), 2);
    let paths: Vec<_> = plan.ids().map(|id| plan.path(id)).filter(|path| path.starts_with("e[x]")).collect();
    assert_eq!(paths, ["e[x]/tidy", "e[x]/a", "e[x]/a/other", "e[x]/a/back", "e[x]/a/a", "e[x]"]);
}
