//! Transcripts of the commands.

use crate::golden;
use crate::transcript::Session;

const DEPLOY: &str = r#"let env = param("env", #{ default: "staging", one_of: ["staging", "production"], help: "target environment" });
let build = sh("build", "echo v1.4");
let test = sh("test", "echo 2 tests failed >&2; exit 3").retry(#{ max_attempts: 2, delay: "1ms" });
let cover = sh("coverage", `echo '{"percent": 87.5}'`);
build -> [test, cover];
let staging = chain("to-staging", [
    sh("push", `echo pushing ${build.output} to ${env}`),
    sh("smoke", "true"),
]);
let notify = sh("notify", "echo paged");
flow("gate").when(|| test.passed && cover.output.percent > 80, staging).otherwise(notify);
let docs = sh("docs", "seq 25; echo no such page >&2; exit 1").after(notify);
sh("publish", "true").after(docs);
"#;

const HELLO: &str = r#"let name = param("name", #{ default: "world" });
let hello = sh("hello", `echo hello ${name}`);
hello -> sh("shout", `echo ${hello.output} | tr a-z A-Z`);
settings(#{ max_parallel: 2 });
"#;

const MISC: &str = r#"limit("db", #{ max: 1 });
let a = sh("a", "echo 1");
repeat("poll", #{ max: 5, "until": |last| last == "2" }, |i, last| sh("try", `echo ${i}`));
let guarded = sh("guarded", "true").when(|| a.number > 5);
sh("after-guard", "true").after(guarded);
let boom = fail("boom", "no luck today").on_error("continue");
sh("none", "true").after(boom).rule("all_failed");
on("failure", sh("tell", "echo failed"));
on("success", sh("party", "echo hooray"));
let c = chain("c", [sh("c1", "true"), sh("c2", "exit 7")]);
c -> sh("end", "true");
flow("gate").when("a.number == 1", sh("one", "true")).when("a.number == 2", sh("two", "true"));
"#;

/// One step at a time, so that events come in one order.
fn deploy() -> Session {
    let session = Session::new();
    session.file("deploy.rhai", DEPLOY).file("hello.rhai", HELLO);
    session
}

/// Failures in groups that deal with them, and one that nothing deals with.
const DEALT_WITH: &str = r#"settings(#{ max_parallel: 1 });
chain("c", [sh("x", "exit 1")]).on_error("continue");
each("e", [1, 2], |i| sh("q", "exit 1")).on_error("skip");
chain("f", [sh("first", "exit 1")]).fallback(sh("other", "true"));
let g = chain("g", [sh("y", "exit 1")]);
sh("after-g", "true").when(|| g.failed);
"#;

#[test]
fn what_a_group_deals_with_is_no_cause() {
    let mut session = Session::new();
    session.file("well.rhai", DEALT_WITH).file("badly.rhai", format!("{DEALT_WITH}sh(\"z\", \"exit 4\");\n"));
    session
        .type_in("flow script well.rhai --quiet")
        .type_in("for step in x 'e[1]' first y; do flow why last $step; echo; done")
        .type_in("flow show last | grep '✗'")
        .type_in("flow script badly.rhai --quiet")
        .type_in("flow why last");
    session.check("dealt-with");
}

#[test]
fn attempts_are_counted_within_the_latest_round_of_a_group() {
    let session = Session::new();
    session.file(
        "rounds.rhai",
        r#"chain("g", [sh("x", "exit 75").retry(#{ max_attempts: 2, delay: "1ms" })]).retry(#{ max_attempts: 3, delay: "1ms" });"#,
    );
    let output = session.run("flow script rounds.rhai --quiet 2>&1");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("(attempt 2 of 2)"), "{text}");
}

#[test]
fn a_script_can_be_a_program() {
    let session = Session::new();
    session.file("hi", "#!/usr/bin/env -S flow script\nsh(\"hi\", \"echo hi\");\n");
    let output = session.run("chmod +x hi && ./hi --json --quiet");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"output\":\"hi\""), "{output:?}");
}

#[test]
fn help_shows_examples() {
    let mut session = Session::new();
    session.type_in("flow").type_in("flow help").type_in("flow --version").type_in("flow script");
    session.check("help");
    for command in [
        "script",
        "run",
        "check",
        "plan",
        "test",
        "runs",
        "show",
        "logs",
        "why",
        "resume",
        "approve",
        "signal",
        "cancel",
        "breakers",
        "memory",
        "receipts",
        "export",
        "verify",
        "gc",
        "docs",
        "completions",
    ] {
        let mut session = Session::new();
        session.type_in(&format!("flow help {command}"));
        session.check(&format!("help-{command}"));
    }
}

#[test]
fn a_script_runs() {
    let mut session = deploy();
    session
        .type_in("flow script hello.rhai --max-parallel 1")
        .type_in("flow script hello.rhai --arg name=moon --quiet")
        .type_in("cat hello.rhai | flow script - --max-parallel 1")
        .type_in("flow run hello.rhai --quiet")
        .type_in("flow runs --status failed")
        .type_in("flow show last")
        .type_in("flow logs last")
        .type_in("flow logs last shout")
        .type_in("flow why last shout")
        .type_in("flow why last")
        .type_in("flow verify last")
        .type_in("flow resume last");
    session.check("script");
}

#[test]
fn a_script_fails() {
    let mut session = deploy();
    session
        .type_in("flow script deploy.rhai --max-parallel 1")
        .type_in("flow runs")
        .type_in("flow show last")
        .type_in("flow logs last test")
        .type_in("flow logs last docs --stderr")
        .type_in("flow why last")
        .type_in("flow why last push")
        .type_in("flow why last publish")
        .type_in("flow why last docs")
        .type_in("flow why last pusj")
        .type_in("flow why nope")
        .type_in("flow script deploy.rhai --resume last --quiet")
        .type_in("flow script hello.rhai --resume last --quiet")
        .type_in("flow script deploy.rhai --resume `flow runs --json | grep -o '20[0-9-]*-[a-z0-9]*' | head -1`");
    session.check("failed");
}

#[test]
fn every_kind_of_step_is_explained() {
    let mut session = Session::new();
    session.file("misc.rhai", MISC);
    session
        .type_in("flow script misc.rhai --max-parallel 1 --quiet")
        .type_in("flow show last")
        .type_in("flow why last");
    for step in ["poll", "poll[2]", "guarded", "after-guard", "boom", "none", "tell", "party", "c", "c2", "end", "gate"]
    {
        session.type_in(&format!("flow why last '{step}'"));
    }
    session.check("misc");
}

#[test]
fn a_script_is_planned_and_checked() {
    let mut session = deploy();
    session
        .type_in("flow check deploy.rhai")
        .type_in("flow check deploy.rhai --json")
        .type_in("flow plan hello.rhai")
        .type_in("flow plan hello.rhai -o hello.txt; wc -l < hello.txt | tr -d ' '")
        .type_in("flow plan hello.rhai --format json | grep -c '\"name\"'")
        .type_in("flow plan hello.rhai --format dot | head -1")
        .type_in("flow plan hello.rhai --format mermaid | head -1")
        .type_in("flow plan hello.rhai --format svg -o hello.svg && head -c 4 hello.svg")
        .type_in("flow script deploy.rhai --help | tail -3")
        .type_in("flow script hello.rhai -h | tail -2");
    session.check("plan");
}

#[test]
fn wrong_command_lines_are_explained() {
    let mut session = deploy();
    session.file("latin.rhai", b"let a = \"caf\xe9\";\n").file("big.rhai", vec![b' '; 1_200_000]);
    session.file("spec.yaml", "version: 1\ntasks:\n  - name: a\n").file("spec.json", "{\"tasks\": []}\n");
    session
        .type_in("flow scrip hello.rhai")
        .type_in("flow script helo.rhai")
        .type_in("flow script .")
        .type_in("flow script latin.rhai")
        .type_in("flow script big.rhai")
        .type_in("flow script deploy.rhai --arg envv=staging")
        .type_in("flow script deploy.rhai --arg env=moon")
        .type_in("flow script deploy.rhai --arg env")
        .type_in("flow script deploy.rhai --env staging")
        .type_in("flow script hello.rhai --json --events -")
        .type_in("flow script hello.rhai --events no/such/folder")
        .type_in("flow script hello.rhai --max-parallel 0")
        .type_in("flow run spec.yaml")
        .type_in("flow run spec.json")
        .type_in("flow show")
        .type_in("flow why last build")
        .type_in("flow docs retyr")
        .type_in("echo 'let a = ;' | flow check - --json")
        .type_in("echo 'let a = ;' | flow check -")
        .type_in("ls -A");
    session.check("wrong");
}

#[test]
fn tracing_is_asked_for_and_stays_off_standard_output() {
    let session = deploy();
    let output = session
        .command("flow")
        .args(["script", "hello.rhai", "--json", "--quiet"])
        .env("RUST_LOG", "flow=debug")
        .output()
        .expect("flow runs");
    let traced = String::from_utf8_lossy(&output.stderr);
    assert!(traced.contains("DEBUG flow::engine::drive") && traced.contains("Attempt"), "{traced}");
    serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("one object and nothing else");
}

#[test]
fn results_are_data() {
    let session = deploy();
    let output = session.run("flow script deploy.rhai --max-parallel 1 --json --quiet");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    hide(&mut object);
    golden::check("cli/script.json", &format!("{object:#}\n"));

    let shown = session.run("flow show last --json");
    let mut shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("one object");
    hide(&mut shown);
    assert_eq!(shown, object);

    let runs = session.run("flow runs --json");
    let runs: serde_json::Value = serde_json::from_slice(&runs.stdout).expect("an array");
    assert_eq!(runs[0]["workflow"], "deploy");

    let events = session.run("flow script hello.rhai --events - --quiet --max-parallel 1");
    let types: Vec<String> = String::from_utf8(events.stdout)
        .expect("text")
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("each line is an object");
            format!("{} {}\n", event["type"].as_str().unwrap_or("?"), event["step"].as_str().unwrap_or(""))
        })
        .collect();
    golden::check("cli/events.txt", &types.concat().replace(" \n", "\n"));
}

/// Hides what differs from run to run.
fn hide(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match key.as_str() {
                    "run" => *value = "RUN".into(),
                    "duration_ms" => *value = 0.into(),
                    _ => hide(value),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let session = deploy();
    session.run("flow script hello.rhai --quiet");
    for line in ["flow docs | true", "flow runs | true", "flow completions bash | head -1", "flow logs last | true"] {
        let output = session.run(line);
        assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_secret_is_not_shown() {
    let session = Session::new();
    session.file("s.rhai", "sh(\"token\", \"echo hunter2; echo hunter2 >&2; exit 1\").secret();\n");
    let mut all = String::new();
    for line in [
        "flow script s.rhai",
        "flow script s.rhai --json --events e.ndjson",
        "cat e.ndjson",
        "flow show last",
        "flow logs last",
        "flow logs last token",
        "flow why last token",
    ] {
        let output = session.run(line);
        for text in [output.stdout, output.stderr] {
            // The command itself stands in the script and in the plan.
            let text = String::from_utf8_lossy(&text).replace("echo hunter2", "");
            all.push_str(&format!("{line}: {text}\n"));
        }
    }
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn completions_are_made_for_every_shell() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = session.run(&format!("flow completions {shell}"));
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("resume"), "{shell}");
    }
}

const CACHED: &str = r#"let build = sh("build", "cat src/*.c > app; echo built").cache(#{ inputs: ["src/*.c"], outputs: ["app"] });
build -> sh("size", "wc -c < app").cache(#{ inputs: ["app"] });
settings(#{ max_parallel: 1 });
"#;

#[test]
fn results_are_kept() {
    let mut session = Session::new();
    session.file("make.rhai", CACHED).file("src/a.c", "int a;\n").file("src/b.c", "int b;\n");
    session
        .type_in("flow script make.rhai")
        .type_in("flow script make.rhai")
        .type_in("flow show last")
        .type_in("flow why last build")
        .type_in("echo 'int bee;' > src/b.c; flow script make.rhai --quiet")
        .type_in("flow show last")
        .type_in("flow why last build")
        .type_in("rm app; flow script make.rhai --json --quiet | grep -o '\"cached\":[a-z]*'");
    session.check("cache");
}

const BREAKER: &str = r#"breaker("payments", #{ threshold: 2, window: "1m", reset: "100s" });
let charge = sh("charge", "echo no answer >&2; exit 1").breaker("payments").retry(#{ max_attempts: 2, delay: "1ms" });
sh("refund", "true").breaker("payments").after(charge).rule("all_done");
"#;

#[test]
fn breakers_are_kept() {
    let mut session = Session::new();
    session.file("pay.rhai", BREAKER).file("other.rhai", "sh(\"a\", \"true\").breaker(\"payments\");\n");
    session
        .type_in("flow breakers")
        .type_in("flow breakers reset payments")
        .type_in("flow script pay.rhai --quiet")
        .type_in("flow breakers")
        .type_in("flow show last")
        .type_in("flow why last refund")
        .type_in("flow breakers --json | sed 's/[0-9]\\{10,\\}/MOMENT/g'")
        .type_in("flow breakers reset payment")
        .type_in("flow breakers reset payments")
        .type_in("flow breakers reset payments")
        .type_in("flow breakers")
        .type_in("flow breakers forget payments");
    session.check("breakers");
}
