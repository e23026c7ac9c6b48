//! What scripts say about things going wrong, and the plans it gives.

use crate::{edges, paths, plan};
use flow::plan::{
    Backoff, Breaker, Cache, Class, ClassRule, Json, Matches, OnTimeout, Policy, Retry, Rule, StepId, Strategy, Task,
    UndoScope, Validate, Value,
};

/// The policies of the first step of this path.
fn policy(plan: &flow::plan::Plan, path: &str) -> Policy {
    plan.step(plan.find(path)[0]).policy().clone()
}

#[test]
fn a_step_with_fallbacks_is_a_group_whose_first_child_is_the_step() {
    let plan = plan(
        r#"let a = sh("a", "1"); a.fallback([sh("b", "echo ${a.error}"), sh("c", `echo ${a.error}`)]); a -> sh("d", "cat");"#,
    );
    assert_eq!(paths(&plan), ["a", "a/b", "a/c", "a/a", "d"]);
    let Task::Fallback(children) = &*plan.step(StepId(0)).task else { panic!("a fallback") };
    assert_eq!(children, &[StepId(3), StepId(1), StepId(2)]);
    // They read how the first failed, and do not wait for it to succeed.
    assert_eq!(edges(&plan), ["d <- a (order)"]);
}

#[test]
fn the_order_of_methods_does_not_matter() {
    let said = [
        r#".retry(3)"#,
        r#".timeout("1m")"#,
        r#".env(#{ A: "1" })"#,
        r#".cwd("/tmp")"#,
        r#".stdin("x")"#,
        r#".parse("json")"#,
        r#".shell("bash")"#,
        r#".limit("l", 1)"#,
        r#".validate("number > 0")"#,
        r#".on_failure_retry(|err| true)"#,
        r#".breaker("b")"#,
        r#".cache("1h")"#,
        r#".priority(3)"#,
        r#".deadline("1h")"#,
        r#".estimate("1s")"#,
        r#".output_limit("1MB")"#,
        r#".secret()"#,
        r#".on_error("continue")"#,
        r#".checkpoint("c")"#,
        r#".undo(sh("u", "1"))"#,
        r#".finally(sh("f", "1"))"#,
        r#".desc("d")"#,
        r#".tag("t")"#,
        r#".after(before)"#,
        r#".when("before.passed")"#,
    ];
    let script = |methods: &str| {
        format!(
            "limit(\"l\", 2); breaker(\"b\"); let before = sh(\"before\", \"1\");\nlet a = sh(\"a\", \"1\");\na{methods};\n"
        )
    };
    // Closures and conditions remember where they stand.
    let shown = |methods: &str| {
        let plan = plan(&script(methods));
        let step = |path: &str| {
            let mut step = plan.step(plan.find(path)[0]).clone();
            step.span = Default::default();
            if let Some(when) = &mut step.when
                && let flow::plan::Condition::Expr(expression) = &mut **when
            {
                expression.span = Default::default();
            }
            if step.policy.is_some() {
                let policy = step.policy_mut();
                policy.undo = policy.undo.map(|_| StepId(0));
                if let Some(closure) = &mut policy.retry_if {
                    (closure.span, closure.function) = (Default::default(), "".into());
                }
                if let Some(Validate::Expr(expression)) = policy.validate.as_deref_mut() {
                    expression.span = Default::default();
                }
            }
            (step.policy, step.after, step.when)
        };
        (step("a"), step("a/a"))
    };
    for method in said {
        let before = shown(&format!("{method}.fallback(sh(\"b\", \"1\"))"));
        let after = shown(&format!(".fallback(sh(\"b\", \"1\")){method}"));
        assert_eq!(before, after, "{method}");
    }
}

#[test]
fn keys_of_maps_mean_the_same_as_methods() {
    let said = [
        ("retry", "3"),
        ("timeout", "\"1m\""),
        ("validate", "\"number > 0\""),
        ("validate", "#{ type: \"object\" }"),
        ("breaker", "\"b\""),
        ("cache", "\"1h\""),
        ("cache", "#{ inputs: [\"a\"], key: 3 }"),
        ("checkpoint", "\"c\""),
        ("output_limit", "\"1MB\""),
        ("fallback", "[sh(\"x\", \"1\"), sh(\"y\", \"1\")]"),
        ("undo", "sh(\"u\", \"1\")"),
        ("finally", "sh(\"f\", \"1\")"),
        ("on_failure_retry", "|err| true"),
    ];
    for (name, value) in said {
        let method = plan(&format!("breaker(\"b\");\nlet a = sh(\"a\", \"1\"); a.{name}({value}); chain([a]);"));
        let key =
            plan(&format!("breaker(\"b\");\nchain(#{{ steps: [#{{ name: \"a\", sh: \"1\", {name}: {value} }}] }});"));
        let shown = |plan: &flow::plan::Plan| {
            let mut plan = serde_json::to_value(plan).expect("a plan is data");
            plan["files"] = Json::Null;
            let mut steps: Vec<String> = plan["steps"].as_array().expect("steps").iter().map(without_place).collect();
            steps.sort();
            steps
        };
        assert_eq!(shown(&method), shown(&key), "{name}: {value}");
    }
}

/// A step as text, without ids and places, which depend on what is declared first.
fn without_place(step: &Json) -> String {
    fn strip(value: &mut Json) {
        match value {
            Json::Object(entries) => {
                for key in ["span", "parent", "undoes", "undo", "from", "fallback", "function"] {
                    entries.remove(key);
                }
                entries.values_mut().for_each(strip);
            }
            Json::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut step = step.clone();
    strip(&mut step);
    step.to_string()
}

#[test]
fn what_undoes_a_step_stands_beside_the_graph() {
    let plan = plan(
        r#"let a = sh("a", "1"); a.undo(chain([sh("x", `echo ${a.output}`), sh("y", "2")]));
           chain("g", [a, sh("b", "1").undo(sh("z", "echo ${a.output}"))]);"#,
    );
    assert_eq!(paths(&plan), ["g/a", "g/a/x", "g/a/y", "g/a/chain-1", "g/b/z", "g/b", "g"]);
    assert_eq!(edges(&plan), ["g/a/y <- g/a/x (order)", "g/b <- g/a (order)"]);
    assert_eq!(plan.step(StepId(3)).undoes, Some(StepId(0)));
    assert_eq!(plan.step(StepId(0)).policy().undo, Some(StepId(3)));
    assert_eq!(plan.step(StepId(4)).undoes, Some(StepId(5)));
}

#[test]
fn clean_up_stands_in_the_group_of_what_it_cleans_up_after() {
    let plan = plan(
        r#"let f = sh("f", "1"); chain("g", [sh("a", "1").finally(f), sh("b", "1")]);
           flow("gate").when(true, sh("c", "1").finally(sh("h", "1")));
           sh("d", "1").finally(sh("i", "1"));
           let j = sh("j", "1"); on("complete", j); sh("e", "1").finally(sh("k", "1").after(f));"#,
    );
    assert_eq!(plan.path(plan.find("f")[0]), "g/f");
    assert_eq!(plan.path(plan.find("h")[0]), "h");
    assert_eq!(plan.path(plan.find("i")[0]), "i");
    assert_eq!(plan.path(plan.find("k")[0]), "k");
    let policy = policy(&plan, "g/f");
    assert!(policy.finally && policy.rule == Rule::AllDone);
}

#[test]
fn an_arrow_text_means_the_whole_of_a_step_with_fallbacks() {
    let plan = plan(r#"sh("a", "1").fallback(sh("x", "1")); sh("b", "cat"); chain("a -> b");"#);
    assert_eq!(edges(&plan), ["b <- a (order)"]);
}

#[test]
fn results_may_be_valid_by_a_closure_an_expression_or_a_schema() {
    let plan = plan(
        r#"let limit = 80; sh("a", "1").validate(|r| r.number > limit); sh("b", "1").validate("output.percent > 80");
           sh("c", "1").validate(#{ type: "array", minItems: 1 });"#,
    );
    let validate = |path: &str| policy(&plan, path).validate.expect("it is validated");
    let Validate::Closure(closure) = &*validate("a") else { panic!("a closure") };
    assert_eq!(closure.captured, [Value::Plain(80.into())]);
    assert!(matches!(&*validate("b"), Validate::Expr(expression) if expression.steps.is_empty()));
    assert_eq!(*validate("c"), Validate::Schema(serde_json::json!({ "minItems": 1, "type": "array" })));
    // A name in such an expression is no step, also if there is one.
    assert_eq!(edges(&plan), Vec::<String>::new());
}

#[test]
fn what_a_closure_captures_is_a_dependency() {
    let plan = plan(
        r#"let most = sh("most", "echo 3"); sh("a", "1").validate(|r| r.number < most.number);
           sh("b", "1").on_failure_retry(|err| err.attempt < most.number); sh("c", "1").cache(#{ key: most.output });"#,
    );
    assert_eq!(edges(&plan), ["a <- most (data)", "b <- most (data)", "c <- most (data)"]);
    assert_eq!(policy(&plan, "b").retry, Some(Retry::default()));
}

#[test]
fn a_closure_about_failures_leaves_a_retry_as_it_is() {
    for script in [".retry(7).on_failure_retry(|err| true)", ".on_failure_retry(|err| true).retry(7)"] {
        let plan = plan(&format!("sh(\"a\", \"1\"){script};"));
        assert_eq!(policy(&plan, "a").retry.map(|retry| retry.max_attempts), Some(7));
        assert!(policy(&plan, "a").retry_if.is_some());
    }
}

#[test]
fn caches_breakers_and_limits() {
    let plan = plan(
        r#"breaker("x", #{ threshold: 2, window: "10s", reset: 5 }); breaker("y");
           sh("a", "1").breaker("x").cache(); sh("b", "1").breaker(#{ name: "z", threshold: 9 }).cache("1h");
           sh("c", "1").breaker("y").cache(#{ ttl: "7d", inputs: "src/**", outputs: ["out"], key: [1, 2] }).output_limit("2KiB");
           sh("d", "1").cache().cache(false).output_limit(100);"#,
    );
    let breakers: Vec<_> = plan.header.breakers.iter().map(|(name, breaker)| (name.as_str(), *breaker)).collect();
    let expected = [
        ("x", Breaker { threshold: 2, window_ms: 10_000, reset_ms: 5_000 }),
        ("y", Breaker::default()),
        ("z", Breaker { threshold: 9, ..Breaker::default() }),
    ];
    assert_eq!(breakers, expected);
    let cache = |path: &str| policy(&plan, path).cache.map(|cache| *cache);
    assert_eq!(cache("a"), Some(Cache::default()));
    assert_eq!(cache("b"), Some(Cache { ttl_ms: Some(3_600_000), ..Cache::default() }));
    let all = Cache {
        ttl_ms: Some(604_800_000),
        inputs: vec!["src/**".into()],
        outputs: vec!["out".into()],
        key: Some(Value::Plain(serde_json::json!([1, 2]))),
    };
    assert_eq!(cache("c"), Some(all));
    assert_eq!(cache("d"), None);
    assert_eq!((policy(&plan, "c").output_limit, policy(&plan, "d").output_limit), (Some(2_048), Some(100)));
}

#[test]
fn settings_about_failures() {
    let plan = plan(
        r#"settings(#{ undo: "all", output_limit: "1MB",
               classes: #{ "http 429": "resource", "exit 75": "transient", "signal 9": "resource", "kind timeout": "agent", "/no space/": "resource" },
               strategies: #{ transient: "retry", agent: #{ retry: #{ max_attempts: 2, backoff: "fixed" } }, resource: #{ wait: "1m" }, validation: "wait", configuration: "fail" } });
           settings(#{ strategies: #{ transient: #{ retry: 5 } } });"#,
    );
    let settings = &plan.header.settings;
    assert_eq!((settings.undo, settings.output_limit), (UndoScope::All, Some(1_000_000)));
    let rules: Vec<(Matches, Class)> =
        settings.classes.iter().map(|ClassRule { matches, class }| (matches.clone(), *class)).collect();
    let expected = [
        (Matches::Message("no space".into()), Class::Resource),
        (Matches::Exit(75), Class::Transient),
        (Matches::Http(429), Class::Resource),
        (Matches::Kind("timeout".into()), Class::Agent),
        (Matches::Signal(9), Class::Resource),
    ];
    assert_eq!(rules, expected);
    assert_eq!(
        settings.strategy(Class::Transient),
        Strategy::Retry(Some(Retry { max_attempts: 5, ..Retry::default() }))
    );
    let twice = Retry { max_attempts: 2, backoff: Backoff::Fixed, ..Retry::default() };
    assert_eq!(settings.strategy(Class::Agent), Strategy::Retry(Some(twice)));
    assert_eq!(settings.strategy(Class::Resource), Strategy::Wait(Some(60_000)));
    assert_eq!(settings.strategy(Class::Validation), Strategy::Wait(None));
    assert_eq!(settings.strategy(Class::Configuration), Strategy::Fail);
}

#[test]
fn waiting_for_people_signals_moments_and_files() {
    let plan = plan(
        r#"let t = sh("t", "1");
           approve("plain"); approve("asked", `Ship ${t.output}?`);
           approve("full", #{ prompt: "Ship?", choices: ["now", "never"], timeout: "2d", on_timeout: "never",
               form: #{ count: 3, rate: 1.5, sure: true, who: "", kind: #{ one_of: ["a", "b"], help: "which" }, due: #{ type: "string" } } });
           signal("s"); signal("r", "other"); signal("q", #{ signal: "x", timeout: 60, on_timeout: #{ paid: false } });
           wait_until("u", "2030-01-31 09:00"); wait_until("v", t.output); wait_until("w", 1900000000000);
           wait_for("f", `out/${t.output}`); wait_for("g", "x", #{ timeout: "1h", on_timeout: "skip" });"#,
    );
    let task = |path: &str| (*plan.step(plan.find(path)[0]).task).clone();
    let Task::Approve(plain) = task("plain") else { panic!("an approval") };
    assert!(plain.prompt.is_none() && plain.choices.is_empty() && plain.form.is_empty());
    let Task::Approve(full) = task("full") else { panic!("an approval") };
    assert_eq!(full.choices, ["now", "never"]);
    assert_eq!(full.on_timeout, OnTimeout::Answer("never".into()));
    assert_eq!(policy(&plan, "full").timeout_ms, Some(172_800_000));
    let form: Vec<_> = full
        .form
        .iter()
        .map(|field| (field.name.as_str(), field.kind.as_str(), field.default.clone(), field.one_of.len()))
        .collect();
    let expected = [
        ("count", "int", Some(Json::from(3)), 0),
        ("due", "string", None, 0),
        ("kind", "string", None, 2),
        ("rate", "float", Some(1.5.into()), 0),
        ("sure", "bool", Some(true.into()), 0),
        ("who", "string", Some("".into()), 0),
    ];
    assert_eq!(form, expected);
    let signal = |path: &str| match task(path) {
        Task::Signal(wait) => (wait.signal.to_string(), wait.on_timeout),
        other => panic!("{other:?}"),
    };
    assert_eq!(signal("s"), ("s".into(), OnTimeout::Fail));
    assert_eq!(signal("r"), ("other".into(), OnTimeout::Fail));
    assert_eq!(signal("q"), ("x".into(), OnTimeout::Answer(serde_json::json!({ "paid": false }))));
    assert_eq!(task("w"), Task::WaitUntil(Value::Plain(1_900_000_000_000u64.into())));
    assert!(matches!(task("g"), Task::WaitFor(wait) if wait.on_timeout == OnTimeout::Skip));
    assert_eq!(edges(&plan), ["asked <- t (data)", "v <- t (data)", "f <- t (data)"]);
}

#[test]
fn a_moment_is_read_as_when_the_step_runs() {
    for moment in [
        "2030-01-31 09:00",
        "2030-01-31T09:00Z",
        "2030-01-31T09:00:00+01:00",
        "2030-01-31",
        "2030-01-31T09:00[Europe/Berlin]",
    ] {
        plan(&format!("wait_until(\"u\", \"{moment}\");"));
    }
}
