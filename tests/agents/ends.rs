//! How attempts end, and what is made of it.

use crate::bench::{Bench, INIT, RESULT, TEXT, is_alive, until};

/// A step whose agent's program does this: the verdict, and the message of the failure.
#[track_caller]
fn fails(body: &str, options: &str, verdict: &str) -> String {
    let bench = Bench::claude(body, options);
    let step = bench.ask(1);
    assert_eq!((&step["status"], &step["verdict"]), (&"failed".into(), &verdict.into()), "{step:#}");
    step["error"].as_str().unwrap().to_owned()
}

#[test]
fn one_that_does_as_it_should_is_finished() {
    let bench = Bench::claude(&format!("echo '{INIT}'; echo '{TEXT}'; echo '{RESULT}'; echo chatter >&2"), "").and(
        "let all = sh(\"all\", `echo \"${ask.output}|${ask.text}|${ask.cost_usd}|${ask.tokens}|${ask.turns}|${ask.session}|${ask.verdict}\"`);",
    );
    let run = bench.flow(&["script", "test.rhai", "--quiet", "--json"]).code(0).json();
    assert_eq!(run["steps"]["all"]["output"], "final text|final text|0.25|38|2|s-1|finished");
    let step = &run["steps"]["ask"];
    assert_eq!((&step["cost_usd"], &step["tokens"], &step["turns"]), (&0.25.into(), &38.into(), &2.into()));
    assert_eq!(step["output"], "final text");
    // All of it is kept, as it came.
    assert_eq!(String::from_utf8(bench.log("ask.1.out")).unwrap(), format!("{INIT}\n{TEXT}\n{RESULT}\n"));
    assert_eq!(bench.log("ask.1.err"), b"chatter\n");
    let shown = bench.flow(&["show", "last"]).code(0).out;
    assert!(shown.contains("$0.2500, 38 tokens, 2 turns"), "{shown}");
    let told = bench.flow(&["logs", "last", "ask", "--stdout"]).code(0).out;
    assert!(told.contains("big") && told.contains("hello\n") && told.contains("done: $0.2500"), "{told}");
    let raw = bench.flow(&["logs", "last", "ask", "--stdout", "--raw"]).code(0).out;
    assert!(raw.starts_with(INIT), "{raw}");
    let events = bench.flow(&["logs", "last", "ask", "--events", "--stdout"]).code(0).out;
    assert!(events.contains("\"type\":\"agent.finished\""), "{events}");
    let why = bench.flow(&["why", "last", "ask"]).code(0).out;
    assert!(why.contains("agent `coder`") && why.contains("finished"), "{why}");
}

#[test]
fn success_with_an_error_is_a_failure() {
    let result = RESULT
        .replace("\"is_error\":false", "\"is_error\":true,\"api_error_status\":529")
        .replace("final text", "overloaded");
    let error = fails(&format!("echo '{INIT}'; echo '{result}'; exit 1"), "", "failed");
    assert!(error.contains("overloaded"), "{error}");
    // Whatever the code.
    fails(&format!("echo '{INIT}'; echo '{result}'"), "", "failed");
}

#[test]
fn without_its_last_line_it_is_cut_off_or_silent() {
    let error = fails(&format!("echo '{INIT}'; echo '{TEXT}'"), "", "cut_off");
    assert!(error.contains("without saying that it is done"), "{error}");
    let error = fails("echo warning >&2", "", "silent");
    assert!(error.contains("said nothing at all"), "{error}");
    fails("exit 3", "", "silent");
}

#[test]
fn a_bad_end_after_a_good_answer_is_a_failure() {
    let error = fails(&format!("echo '{RESULT}'; echo 'no space' >&2; exit 3"), "", "failed");
    assert!(error.contains("exit code 3"), "{error}");
    let error = fails(&format!("echo '{RESULT}'; kill -SEGV $$"), "", "failed");
    assert!(error.contains("SIGSEGV"), "{error}");
}

#[test]
fn one_that_does_not_end_after_its_answer_is_ended() {
    let bench = Bench::claude(&format!("echo $$ > pid; echo '{RESULT}'; sleep 600"), "");
    let step = bench.ask(0);
    assert_eq!((&step["verdict"], &step["output"]), (&"finished".into(), &"final text".into()));
    assert!(step["duration_ms"].as_u64().unwrap() >= 5_000, "{step}");
    assert!(!is_alive(&bench.wait_for("pid")[0]));
    assert!(String::from_utf8(bench.log(".agent.ndjson")).unwrap().contains("ended by flow"));
}

#[test]
fn odd_lines_are_no_failure() {
    let long = "x".repeat(3 << 20);
    let text = TEXT.replace("hello", &long);
    let result = RESULT.replace("final text", &long);
    let bench = Bench::claude("cat lines", "");
    let odd = r#"{"type":"quite_new","what":[1]}"#;
    // A mark before the first line, CRLF, an empty line, what is no JSON, an unknown type, and no end of the last line.
    let mut lines = format!("\u{feff}{INIT}\r\n\n\r\nwarning: no JSON\n{odd}\n{text}\n").into_bytes();
    lines.extend(b"\xff\xfe not UTF-8\n");
    lines.extend(result.as_bytes());
    bench.write("lines", lines);
    let step = bench.ask(0);
    assert_eq!(step["output"].as_str().unwrap().len(), 3 << 20);
    let events = String::from_utf8(bench.log(".agent.ndjson")).unwrap();
    assert!(events.contains("quite_new") && events.contains("\"model\":\"big\""));
}

#[test]
fn what_it_leaves_behind_goes() {
    // In a session of its own, as tools have, with its parent gone.
    let tool = "(setsid sh -c 'echo $$ > tool.pid; sleep 600' > /dev/null 2>&1 &); while [ ! -s tool.pid ]; do sleep 0.01; done";
    let bench = Bench::claude(&format!("{tool}; echo '{RESULT}'"), "");
    bench.ask(0);
    assert!(!is_alive(&bench.wait_for("tool.pid")[0]));
    // Also one that keeps its output open.
    let bench = Bench::claude(&format!("{}; echo '{RESULT}'", tool.replace("> /dev/null 2>&1", "")), "");
    bench.ask(0);
    assert!(!is_alive(&bench.wait_for("tool.pid")[0]));
}

#[test]
fn what_it_was_refused_counts_if_it_is_asked_strictly() {
    let result = RESULT.replace(
        "\"permission_denials\":[]",
        "\"permission_denials\":[{\"tool_name\":\"Bash\",\"tool_use_id\":\"t\",\"tool_input\":{\"command\":\"rm -rf x\"}}]",
    );
    let bench = Bench::claude(&format!("echo '{result}'"), "");
    let step = bench.ask(0);
    assert_eq!(step["denials"][0]["tool"], "Bash");
    let bench = Bench::claude(&format!("echo '{result}'"), "");
    let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
    bench.write("test.rhai", script.replace("\"Do it\")", "\"Do it\", #{ strict: true })"));
    let step = bench.ask(1);
    assert_eq!(step["verdict"], "denied");
    assert!(step["error"].as_str().unwrap().contains("`Bash`"), "{step}");
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again() {
    // The first time it is wrong.
    let good = RESULT.replace("final text", "Here: ```json\\n{\\\"score\\\": 7}\\n```");
    let bench = Bench::claude(&format!("if [ -e again ]; then cat good; else touch again; echo '{RESULT}'; fi"), "");
    bench.write("good", good + "\n");
    let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
    let schema = "\"Do it\", #{ schema: #{ type: \"object\", required: [\"score\"] } })";
    bench.write("test.rhai", script.replace("\"Do it\")", schema));
    let step = bench.ask(1);
    assert!(step["error"].as_str().unwrap().contains("holds none: `final text`"), "{step}");
    std::fs::remove_file(bench.path("again")).unwrap();
    let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
    bench.write("test.rhai", script.trim_end().trim_end_matches(';').to_owned() + ".retry(2);\n");
    let step = bench.ask(0);
    assert_eq!((&step["output"]["score"], &step["attempts"]), (&7.into(), &2.into()), "{step}");
}

#[test]
fn after_a_kill_of_flow_itself_nothing_is_left_and_it_is_asked_again() {
    let body = format!(
        "if [ -e again ]; then echo '{RESULT}'; exit; fi; touch again; echo '{INIT}'; setsid sh -c 'echo $$ > tool.pid; sleep 600' & echo $$ > pid; wait"
    );
    let bench = Bench::claude(&body, "");
    let going = bench.start(&["script", "test.rhai"]);
    let pids = [bench.wait_for("pid"), bench.wait_for("tool.pid")].concat();
    going.kill();
    for pid in &pids {
        until("it is gone", || (!is_alive(pid)).then_some(()));
    }
    let run = bench.flow(&["resume", "last", "--json", "--quiet"]).code(0).json();
    assert_eq!((&run["steps"]["ask"]["output"], &run["steps"]["ask"]["attempts"]), (&"final text".into(), &2.into()));
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let bench = Bench::new();
    bench.write("test.rhai", "let a = agent(\"coder\", #{ backend: \"claude\", command: [\"no-such-claude\"] });\nlet ask = a.ask(\"ask\", \"Do it\");\n");
    let step = bench.ask(1);
    assert!(step["error"].as_str().unwrap().contains("`no-such-claude` was not found"), "{step}");
}

#[test]
fn how_to_get_a_program_that_is_not_there_is_told() {
    let bench = Bench::new();
    bench.write("test.rhai", "agent(\"coder\", #{ backend: \"codex\" }).ask(\"ask\", \"Do it\");\n");
    let mut command = bench.command(&["script", "test.rhai"]);
    let out = command.env("PATH", bench.path("empty")).output().unwrap();
    // Help is broken into lines.
    let told =
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "`codex` was not found",
        "`npm install -g @openai/codex` installs it",
        "`flow doctor`",
        "`--agents recorded:RUN`",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(out.status.code(), Some(1), "{told}");
}
