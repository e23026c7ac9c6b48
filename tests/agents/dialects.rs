//! Each of the programs that stand in for agents, in each of the ways to behave and to misbehave that they know.

use crate::bench::{Bench, is_alive};

/// Ways that give an answer.
const GOOD: [&str; 14] = [
    "ok",
    "tool",
    "turns",
    "blocks",
    "chatty",
    "retries",
    "denied",
    "long",
    "bom",
    "crlf",
    "binary",
    "no-newline",
    "strange",
    "escapes",
];

/// Ways that give none, with the verdict.
const BAD: [(&str, &str); 15] = [
    ("stuck", "hung"),
    ("never", "hung"),
    ("deaf", "hung"),
    ("escapes-stuck", "hung"),
    ("hang-after-error", "hung"),
    ("silent", "silent"),
    ("silent-fail", "silent"),
    ("stderr", "silent"),
    ("cut-off", "cut_off"),
    ("half-line", "cut_off"),
    ("cut-off-fail", "failed"),
    ("exit-1", "failed"),
    ("error", "failed"),
    ("auth", "failed"),
    ("error-exit-0", "failed"),
];

fn check(agent: &str) {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/programs");
    let bench = Bench::new();
    let mut script = format!("settings(#{{ max_parallel: 8 }});\nlet a = agent(\"a\", #{{ {agent} }});\n");
    let all = GOOD.into_iter().chain(["hang-after"]).chain(BAD.iter().map(|(way, _)| *way));
    for way in all {
        let silence =
            if ["stuck", "never", "deaf", "escapes-stuck"].contains(&way) { ", #{ idle_timeout: \"3s\" }" } else { "" };
        script
            .push_str(&format!("a.ask(\"{way}\", \"Do it\\nscenario: {way}\\n\"{silence}).on_error(\"continue\");\n"));
    }
    // The second time it does as it should.
    script.push_str("a.ask(\"flaky\", \"Do it\\nscenario: flaky\\n\").retry(2);\n");
    bench.write("test.rhai", script);
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let output = bench.command(&["script", "test.rhai", "--quiet", "--json"]).env("PATH", path).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    let run: flow::plan::Json = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = Vec::new();
    let good = GOOD.into_iter().chain(["hang-after", "flaky"]).map(|way| (way, "finished"));
    for (way, verdict) in good.chain(BAD) {
        let step = &run["steps"][way];
        let (found, output) = (&step["verdict"], step["output"].as_str().unwrap_or_default());
        if found != verdict || (verdict == "finished") == output.is_empty() {
            let output: String = output.chars().take(100).collect();
            wrong.push(format!("{way}: {found}, not {verdict}: `{output}` {}", step["error"]));
        }
    }
    assert!(wrong.is_empty(), "{}\n{err}", wrong.join("\n"));
    assert_eq!(run["steps"]["flaky"]["attempts"], 2);
    for way in ["escapes", "escapes-stuck"] {
        let said = bench.flow(&["logs", "last", way, "--stdout"]).code(0).out;
        let pid = said.split("pid ").nth(1).unwrap_or_else(|| panic!("{said}"));
        let pid: String = pid.chars().take_while(char::is_ascii_digit).collect();
        assert!(!is_alive(&pid), "{way}: {pid}");
    }
}

#[test]
fn as_claude_code_does() {
    check("backend: \"claude\"");
}

#[test]
fn as_codex_does() {
    check("backend: \"codex\"");
}

#[test]
fn as_gemini_does() {
    check("backend: \"gemini\"");
}

#[test]
fn as_opencode_does() {
    check("backend: \"opencode\"");
}

#[test]
fn as_any_program_may() {
    check("backend: \"command\", command: [\"worker\", \"ndjson\"], speaks: \"ndjson\"");
}

#[test]
fn one_that_goes_on_spending_is_ended() {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/programs");
    let bench = Bench::new();
    bench.write(
        "test.rhai",
        format!(
            "let a = agent(\"a\", #{{ backend: \"claude\", command: [\"{programs}/claude\"], budget: #{{ tokens: 200 }} }});\nlet ask = a.ask(\"ask\", \"Do it\\nscenario: spends\\n\");\n"
        ),
    );
    let step = bench.ask(1);
    assert_eq!(step["verdict"], "over_budget", "{step:#}");
}

#[test]
fn turns_are_counted_while_they_are_taken() {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/programs");
    for (backend, limit) in [("codex", "max_turns: 2"), ("codex", "budget: #{ turns: 2 }"), ("gemini", "max_turns: 2")]
    {
        let bench = Bench::new();
        bench.write(
            "test.rhai",
            format!(
                "let a = agent(\"a\", #{{ backend: \"{backend}\", command: [\"{programs}/{backend}\"], {limit} }});\nlet ask = a.ask(\"ask\", \"Do it\\nscenario: spends\\n\");\n"
            ),
        );
        let step = bench.ask(1);
        assert_eq!(step["verdict"], "over_budget", "{backend}, {limit}: {step:#}");
        assert!(step["turns"].as_u64().unwrap() < 10, "{backend}, {limit}: {step:#}");
    }
}
