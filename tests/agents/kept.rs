//! What an agent's program gets to know, and what of it is kept.

use crate::bench::{Bench, INIT, RESULT};

#[test]
fn its_environment_is_what_it_needs() {
    let bench = Bench::claude(&format!("env > env.txt; echo '{RESULT}'"), "env: #{ OWN: \"1\" }");
    let mut command = bench.command(&["script", "test.rhai", "--quiet"]);
    command
        .env("AWS_SECRET_ACCESS_KEY", "hidden")
        .env("https_proxy", "http://proxy")
        .env("ANTHROPIC_BASE_URL", "http://x");
    assert!(command.status().unwrap().success());
    let env = bench.wait_for("env.txt").join("\n") + "\n";
    for has in [
        "PATH=",
        "OWN=1\n",
        "FLOW_STEP=ask\n",
        "https_proxy=http://proxy\n",
        "ANTHROPIC_BASE_URL=",
        "DISABLE_TELEMETRY=1",
    ] {
        assert!(env.contains(has), "{has}:\n{env}");
    }
    assert!(!env.contains("AWS_SECRET_ACCESS_KEY"), "{env}");
    let bench = Bench::claude(&format!("env > env.txt; echo '{RESULT}'"), "inherit_env: true");
    let mut command = bench.command(&["script", "test.rhai", "--quiet"]);
    assert!(command.env("AWS_SECRET_ACCESS_KEY", "open").status().unwrap().success());
    assert!(bench.wait_for("env.txt").join("\n").contains("AWS_SECRET_ACCESS_KEY=open"));
}

#[test]
fn nothing_of_a_secret_is_kept() {
    let result = RESULT.replace("final text", "the key is '\"$ANTHROPIC_API_KEY\"'");
    let text = INIT.replace("\"s-1\"", "\"'\"$ANTHROPIC_API_KEY\"'\"");
    let body = format!(
        "echo '{text}'; echo \"key $ANTHROPIC_API_KEY\" >&2; ls \"$CLAUDE_CONFIG_DIR\" > folder.txt; echo \"$CLAUDE_CONFIG_DIR\" > where.txt; echo '{result}'"
    );
    let bench = Bench::claude(&body, "api_key: secret(\"MY_KEY\")");
    let mut command = bench.command(&["script", "test.rhai", "--json", "--quiet"]);
    let output = command.env("MY_KEY", "sk-very-secret-47").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("the key is ***"), "{out}{}", String::from_utf8_lossy(&output.stderr));
    // A folder of its own, which is gone.
    let own = &bench.wait_for("where.txt")[0];
    assert!(own.contains(".flow/runs/") && !std::path::Path::new(own).exists(), "{own}");
    let mut open = vec![bench.path(".flow")];
    while let Some(path) = open.pop() {
        match path.is_dir() {
            true => open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(17).any(|part| part == b"sk-very-secret-47"), "{}", path.display());
            }
        }
    }
}

#[test]
fn what_it_says_next_gets_is_its_answer() {
    let bench = Bench::claude(&format!("echo '{INIT}'; echo '{RESULT}'"), "").and("ask -> sh(\"next\", \"cat\");");
    let run = bench.flow(&["script", "test.rhai", "--quiet", "--json"]).code(0).json();
    assert_eq!(run["steps"]["next"]["output"], "final text");
}

#[test]
fn an_answer_from_the_cache_is_whole_and_costs_nothing() {
    let bench = Bench::claude(&format!("echo x >> ran; echo '{INIT}'; echo '{RESULT}'"), "")
        .and("ask.cache(); let all = sh(\"all\", `echo \"${ask.text}|${ask.verdict}\"`);");
    for cost in [0.25.into(), flow::plan::Json::Null] {
        let run = bench.flow(&["script", "test.rhai", "--quiet", "--json"]).code(0).json();
        assert_eq!(run["steps"]["all"]["output"], "final text|finished");
        assert_eq!(run["steps"]["ask"]["cost_usd"], cost);
        let told = bench.flow(&["logs", "last", "ask", "--stdout"]).code(0).out;
        assert!(told.contains("session s-1"), "{told}");
    }
    assert_eq!(bench.wait_for("ran").len(), 1);
}

#[test]
fn what_all_attempts_have_used_is_told_of_the_step() {
    let used = r#"{"type":"agent.usage","cost_usd":0.01,"tokens":{"output":38},"turns":1}"#;
    let bench = Bench::new();
    bench.write("fake.sh", format!("cat > /dev/null; echo '{used}'; test -e again && echo '{{\"type\":\"agent.finished\",\"text\":\"done\"}}' || {{ touch again; exit 1; }}"));
    bench.write(
        "test.rhai",
        "let a = agent(\"coder\", #{ backend: \"command\", command: [\"sh\", \"fake.sh\"], speaks: \"ndjson\" });\nlet ask = a.ask(\"ask\", \"Do it\").retry(#{ max_attempts: 2, delay: \"1ms\" });\n",
    );
    let step = bench.ask(0);
    assert_eq!((&step["attempts"], &step["tokens"]), (&2.into(), &76.into()), "{step:#}");
    let shown = bench.flow(&["show", "last"]).code(0).out;
    assert!(shown.contains("2 attempts; $0.0200, 76 tokens, 2 turns"), "{shown}");
    let why = bench.flow(&["why", "last", "ask"]).code(0).out;
    assert!(why.contains("attempts together used $0.0200, 76 tokens"), "{why}");
}

#[test]
fn an_agent_in_a_stream_tells_what_it_used_and_said() {
    let bench = Bench::new();
    let line = r#"{"type":"agent.usage","cost_usd":0.01,"tokens":{"output":38},"turns":1}"#;
    bench.write(
        "fake.sh",
        format!("cat > /dev/null; echo '{line}'; echo '{{\"type\":\"agent.finished\",\"text\":\"said it\"}}'"),
    );
    bench.write(
        "test.rhai",
        "let a = agent(\"coder\", #{ backend: \"command\", command: [\"sh\", \"fake.sh\"], speaks: \"ndjson\" });\na.ask(\"one\", \"Do it\") |> a.ask(\"two\", \"Do it\");\n",
    );
    bench.flow(&["script", "test.rhai", "--quiet"]).code(0);
    let shown = bench.flow(&["show", "last"]).code(0).out;
    assert_eq!(shown.matches("$0.0100, 38 tokens, 1 turn; said it").count(), 2, "{shown}");
}
