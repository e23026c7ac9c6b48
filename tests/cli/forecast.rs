//! `flow plan --paths` and `--what-if` as a person sees them.

use crate::transcript::Session;

const DEPLOY: &str = r#"settings(#{ max_parallel: 2 });
limit("db", #{ max: 1 });
let build = sh("build", "true").estimate("4m");
let test = sh("test", "true").estimate("6m");
let lint = sh("lint", "true").estimate("1m").limit("db", 1);
let docs = sh("docs", "true").estimate("3m").limit("db", 1).priority(2);
build -> [test, lint];
let release = sh("release", "true").estimate("1m") -> sh("announce", "true").when(|| test.duration_ms < 600000);
flow("gate").when(|| test.passed && lint.passed, release).when("test.code == 3", sh("page", "true").estimate("5s"));
"#;

#[test]
fn every_way_is_listed() {
    let mut session = Session::new();
    session.file("deploy.rhai", DEPLOY);
    session.file("straight.rhai", "sh(\"a\", \"true\") -> sh(\"b\", \"true\");");
    let many: String = (0..8).map(|n| format!("sh(\"s{n}\", \"true\").when(\"t.code == {n}\");\n")).collect();
    session.file("many.rhai", format!("let t = sh(\"t\", \"true\");\n{many}"));
    session.type_in("flow plan deploy.rhai --paths");
    session.type_in("flow plan straight.rhai --paths");
    session.type_in("flow plan straight.rhai --paths --format json");
    session.type_in("flow plan many.rhai --paths | sed -n '1,3p;$p'");
    session.type_in("flow plan many.rhai --paths --full | grep -c runs");
    session.type_in("flow plan deploy.rhai --paths --format svg");
    session.check("paths");
}

#[test]
fn other_settings_are_compared() {
    let mut session = Session::new();
    session.file("deploy.rhai", DEPLOY);
    session.type_in("flow plan deploy.rhai --what-if max_parallel=1/4,order=fifo/critical_path --what-if time.gate/release=1s,limit.db=2");
    session.type_in("flow plan deploy.rhai --what-if max_paralel=3");
    session.type_in("flow plan deploy.rhai --what-if order=critical");
    session.type_in("flow plan deploy.rhai --what-if time.biuld=3s");
    session.type_in("flow plan deploy.rhai --what-if limit.disk=3");
    session.type_in("flow plan deploy.rhai --what-if time.gate=1h");
    session.type_in("flow plan --recorded last --what-if max_parallel=3");
    session.check("what-if");
}

#[test]
fn a_run_is_taken_with_what_its_fan_outs_came_to() {
    let session = Session::new();
    session.file("fan.rhai", "let a = sh(\"a\", \"true\"); sh(\"b\", \"true\").when(|| a.failed); each(\"x\", sh(\"n\", \"seq 1 5\").lines, |n| sh(\"y\", `echo ${n}`));");
    assert!(session.run("flow script fan.rhai --quiet").status.success());
    let output = session.run("flow plan --recorded last --what-if max_parallel=5 --format json");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(object["enough_parallel"].as_u64().map(|enough| (1..=5).contains(&enough)), Some(true), "{object}");
    assert_eq!(object["forecasts"][1]["max_parallel"], 5);
    let [now, then] = [0, 1].map(|n| object["forecasts"][n]["makespan_ms"].as_u64().expect("a time"));
    // What was skipped took no time at all.
    assert!(now < 60_000, "{object}");
    assert!(then <= now && object["recorded_ms"].as_u64().is_some(), "{object}");
}
