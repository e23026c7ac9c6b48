//! Scripts and the plans they give.

use crate::{edges, paths, plan};
use flow::plan::{SecretRef, StepId, Task, Value};

#[test]
fn an_arrow_orders_and_hands_over() {
    let plan = plan(
        r#"let a = sh("a", "echo"); let b = sh("b", "cat"); let c = sh("c", "cat"); a -> [b, c] -> sh("d", "cat");"#,
    );
    assert_eq!(edges(&plan), ["b <- a (order)", "c <- a (order)", "d <- b (order)", "d <- c (order)"]);
    assert_eq!(plan.step(StepId(3)).input, [StepId(1), StepId(2)]);
}

#[test]
fn using_a_result_is_a_dependency() {
    let plan = plan(
        r#"let a = sh("a", "echo"); sh("b", `cat ${a.output.file}`); sh("c", "cat").env(#{ X: a.text }); sh("d", "x ${a.code}");
           call("e", || a.output); task("f", [1, #{ k: a }]); exec("g", ["p", a.lines[0]]);"#,
    );
    let expected = ["b", "c", "d", "e", "f", "g"].map(|name| format!("{name} <- a (data)"));
    assert_eq!(edges(&plan), expected);
}

#[test]
fn a_named_group_gives_its_name_to_the_paths_of_its_steps() {
    let plan = plan(
        r#"chain("x", [sh("a", "1"), sh("b", "2")]); chain("y", [sh("a", "1"), [sh("b", "2"), sh("c", "3")]]);
           chain([sh("free", "1")]);"#,
    );
    assert_eq!(paths(&plan), ["x/a", "x/b", "x", "y/a", "y/b", "y/c", "y/parallel-1", "y", "free"]);
}

#[test]
fn a_flow_takes_its_branches_and_waits_for_what_its_conditions_read() {
    let plan = plan(
        r#"let t = sh("test", "x"); let c = sh("cover", "y");
           flow("gate").when(|| t.passed && c.output.percent > 80, sh("ship", "s")).when("test.failed", sh("page", "p")).otherwise(fail("stop", "no"));"#,
    );
    assert_eq!(paths(&plan)[2..], ["gate/ship", "gate/page", "gate/stop", "gate"]);
    let Task::Flow(branches) = &*plan.step(StepId(5)).task else { panic!("a flow") };
    let texts: Vec<_> = branches.iter().map(|b| b.when.as_ref().map(|when| when.text())).collect();
    assert_eq!(texts, [Some("t.passed && c.output.percent > 80".into()), Some("test.failed".into()), None]);
    assert_eq!(branches[0].when.as_ref().expect("a condition").steps(), [StepId(0), StepId(1)]);
}

#[test]
fn captured_variables_are_those_of_the_call() {
    let plan = plan("for i in 0..3 { call(`c${i}`, || i * 2); }");
    for id in plan.ids() {
        let Task::Call(closure) = &*plan.step(id).task else { panic!("a call") };
        assert_eq!(closure.captured, [flow::plan::Value::Plain(id.0.into())]);
    }
}

#[test]
fn known_items_are_unrolled_with_keys() {
    let plan = plan(
        r#"each("lint", ["a.rs", "src/b.rs", "a.rs"], |f| sh("check", `echo ${f}`));
           each("two", 1..3, |n| { let x = sh("x", "1"); let y = sh("y", "2"); x -> y });"#,
    );
    assert_eq!(
        paths(&plan),
        [
            "lint",
            "lint[a.rs]",
            "lint[src/b.rs]",
            "lint[a.rs#2]",
            "two",
            "two[1]/x",
            "two[1]/y",
            "two[1]",
            "two[2]/x",
            "two[2]/y",
            "two[2]"
        ]
    );
}

#[test]
fn a_group_hands_its_input_to_the_steps_it_begins_with() {
    let plan = plan(r#"sh("a", "1") -> chain("g", [sh("b", "2"), sh("c", "3")]);"#);
    assert_eq!(plan.step(StepId(1)).input, [StepId(0)]);
    assert_eq!(plan.step(StepId(2)).input, [StepId(1)]);
}

#[test]
fn the_map_form_says_the_same_as_the_calls() {
    let map = plan(
        r#"chain(#{ name: "release", steps: [#{ name: "build", sh: "make", timeout: "5m" }, #{ name: "test", sh: "make test", retry: 2, on_error: "continue" }] });"#,
    );
    let calls = plan(
        r#"chain("release", [sh("build", "make").timeout("5m"), sh("test", "make test").retry(2).on_error("continue")]);"#,
    );
    assert_eq!(edges(&map), edges(&calls));
    assert_eq!(paths(&map), paths(&calls));
    assert_eq!(map.step(StepId(1)).policy, calls.step(StepId(1)).policy);
}

#[test]
fn a_plan_ends_where_run_would_need_a_result() {
    let plan = plan("let a = run(sh(\"a\", \"x\"));\nsh(\"never\", \"y\");");
    assert_eq!(paths(&plan), ["a"]);
    assert_eq!(plan.header.stopped_at.map(|span| span.line), Some(1));
}

#[test]
fn words_of_the_language_can_be_keys() {
    let plan = plan(
        r#"let env = param("env", #{ default: "staging", one_of: ["staging", "live"] }); sh("a", `echo ${env}`);"#,
    );
    assert_eq!(plan.header.params[0].value, "staging");
    let last = "repeat(\"poll\", #{ max: 3, until: |last| last == \"ready\" }, |i, last| sh(\"ask\", \"echo ready\"))";
    let plan = crate::plan(&format!("let x = 0; do {{ x += 1 }} until x > 3; if x > 5 {{ 1 }} else {{ 2 }}; {last};"));
    let Task::Repeat(repeat) = &*plan.step(StepId(0)).task else { panic!("a repeat") };
    assert!(repeat.until.is_some());
}

#[test]
fn the_same_script_gives_the_same_plan() {
    let script = r#"let a = sh("a", "1"); each("e", a.lines, |x| sh("s", `echo ${x}`)); flow(|| a.passed, sh("b", "2"), call("c", || a.output));"#;
    assert_eq!(plan(script), plan(script));
}

#[test]
fn texts_of_arrows_name_steps_functions_and_commands() {
    let plan = plan(
        r#"let a = sh("a", "1"); sh("b", "2"); fn shout(input) { input.to_upper() } fn made() { sh("made", "3") }
           command("/greet", |params| sh("greet", `echo ${params.args}`));
           chain("a → [shout, b -> made] → /greet the world");
           flow("if a.passed then b2 else if b.failed then c2 else d2");
           "#
        .replace("b2", "x")
        .replace("c2", "y")
        .replace("d2", "z")
        .replace("flow(", "sh(\"x\", \"1\"); sh(\"y\", \"2\"); sh(\"z\", \"3\"); flow(")
        .as_str(),
    );
    let edges = edges(&plan);
    for edge in
        ["shout <- a (order)", "b <- a (order)", "made <- b (order)", "greet <- shout (order)", "greet <- made (order)"]
    {
        assert!(edges.contains(&edge.to_owned()), "{edge} in {edges:?}");
    }
    let Some(Task::Flow(branches)) = plan.steps.iter().map(|s| &*s.task).find(|t| matches!(t, Task::Flow(_))) else {
        panic!("a flow")
    };
    let texts: Vec<_> = branches.iter().map(|b| b.when.as_ref().map(|when| when.text())).collect();
    assert_eq!(texts, [Some("a.passed".into()), Some("b.failed".into()), None]);
}

#[test]
fn maps_get_new_keys() {
    let plan = plan(
        r#"let m = #{ a: 1 }; m.b = 2; m["c"] = 3; m.b += 5; m.d = #{}; m.d.e = 4;
           let counts = #{}; for word in ["x", "y", "x"] { counts[word] = (counts.get(word) ?? 0) + 1; }
           let frozen = || m.len(); task("m", m); task("counts", counts);"#,
    );
    let constants: Vec<_> = plan.ids().map(|id| plan.step(id).task.clone()).collect();
    let value = |n: usize| match &*constants[n] {
        Task::Const(flow::plan::Value::Plain(value)) => value.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(value(0), serde_json::json!({"a": 1, "b": 7, "c": 3, "d": {"e": 4}}));
    assert_eq!(value(1), serde_json::json!({"x": 2, "y": 1}));
}

#[test]
fn secrets_stand_in_a_plan_by_their_names() {
    let plan = plan(
        r#"
        settings(#{ env: #{ PROXY: secret("PROXY_LOGIN") } });
        let token = secret("TOKEN");
        sh("push", "./push.sh").env(#{ AUTH: token.prefix("Bearer ").suffix("!"), PLAIN: 1 });
        sh("login", "docker login --password-stdin").stdin(secret("PASSWORD"));
        fn later() { secret("IN_A_FUNCTION") }
        each("all", sh("list", "ls").lines, |file| sh("one", "cat").env(#{ KEY: secret("IN_A_CLOSURE"), TOKEN: token }));
        "#,
    );
    let mut names = plan.header.secrets.clone();
    names.sort();
    assert_eq!(names, ["IN_A_CLOSURE", "IN_A_FUNCTION", "PASSWORD", "PROXY_LOGIN", "TOKEN"]);
    let value = |name: &str, before: &str, after: &str| {
        Value::Secret(SecretRef { name: name.into(), before: before.into(), after: after.into() })
    };
    assert_eq!(plan.header.settings.env, [("PROXY".to_owned(), value("PROXY_LOGIN", "", ""))]);
    let push = plan.step(plan.find("push")[0]).policy();
    assert_eq!(push.env[0], ("AUTH".to_owned(), value("TOKEN", "Bearer ", "!")));
    assert_eq!(plan.step(plan.find("login")[0]).policy().stdin, Some(value("PASSWORD", "", "")));
}
