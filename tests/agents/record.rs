//! What agents said is recorded, answers in their place, and is a test of its workflow.

use flow::plan::Json;

use crate::bench::{Bench, INIT, RESULT, TEXT};

/// A line by which an agent says that its model is overloaded.
const OVERLOADED: &str = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"num_turns":1,"result":"API Error: 529 Overloaded","session_id":"s-1","total_cost_usd":0.0,"usage":{"input_tokens":1,"output_tokens":1},"permission_denials":[]}"#;

/// An agent that fails once and then answers, and counts in a file how often it was started.
fn twice() -> Bench {
    let body = format!(
        "echo x >> started\necho '{INIT}'\n[ \"$FLOW_ATTEMPT\" = 1 ] && {{ echo '{OVERLOADED}'; exit 1; }}\necho '{TEXT}'\nprintf '%s' '{RESULT}'\necho chatter >&2"
    );
    Bench::claude(&body, "retries: 2").and(
        r#"
let measure = sh("measure", "echo x >> measured; echo 91");
let gate = flow("gate")
    .when(|| measure.number > 80 && ask.text == "final text", sh("high", "echo x >> went-high; echo high"))
    .otherwise(sh("low", "echo x >> went-low; echo low"));
let all = each("all", ["a", "b"], |x| sh("one", `echo ${x}`));
gate -> all;
race("first", [sh("fast", "echo fast"), sh("slow", "sleep 30")]);
call("sum", || 40 + 2);
sh("late", "sleep 30").timeout("50ms").on_error("continue");
"#,
    )
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn agents_say_again_what_they_said() {
    let bench = twice();
    let live = bench.ask(0);
    assert_eq!((&live["output"], &live["attempts"]), (&"final text".into(), &2.into()));
    bench.flow(&["agents", "record", "last", "-o", "said.ndjson", "--note", "by hand"]).code(0);
    let said = std::fs::read_to_string(bench.path("said.ndjson")).unwrap();
    let said = lines(&said);
    assert_eq!(said[0], serde_json::json!({ "recording": 1, "workflow": "test", "note": "by hand" }));
    assert_eq!((&said[1]["step"], &said[1]["attempt"], &said[1]["code"]), (&"ask".into(), &1.into(), &1.into()));
    assert_eq!((&said[1]["backend"], &said[1]["agent"]), (&"claude".into(), &"coder".into()));
    assert_eq!(said[1]["prompt_sha256"].as_str().map(str::len), Some(64));
    assert_eq!((&said[2]["line"], said[2]["at"].is_u64()), (&INIT.into(), true));
    assert_eq!((&said[4]["attempt"], &said[7]["line"], &said[7]["open"]), (&2.into(), &RESULT.into(), &true.into()));
    assert_eq!(said[8], serde_json::json!({ "stderr": "chatter\n" }));

    std::fs::remove_file(bench.path("fake.sh")).unwrap();
    let run = bench.flow(&["script", "test.rhai", "--quiet", "--json"]).code(1);
    assert_eq!(run.json()["steps"]["ask"]["status"], "failed");
    let first = bench.flow(&["runs", "--json"]).code(0).json();
    let first = first.as_array().and_then(|runs| runs.last()).map(|run| run["run"].clone()).unwrap();
    for from in ["said.ndjson".to_owned(), first.as_str().unwrap().to_owned(), "last".to_owned()] {
        let result =
            bench.flow(&["script", "test.rhai", "--quiet", "--json", "--agents", &format!("recorded:{from}")]).code(0);
        let result = result.json();
        let ask = &result["steps"]["ask"];
        assert_eq!((&ask["output"], &ask["attempts"], &ask["code"]), (&"final text".into(), &2.into(), &0.into()));
        assert!(result["agents"].as_str().is_some_and(|agents| agents.starts_with("recorded:")), "{result}");
        assert_eq!(result["recorded"], true);
    }
    let shown = bench.flow(&["show", "last"]).code(0).out;
    assert!(shown.contains("answered from a recording") && shown.contains("nothing was spent"), "{shown}");
    assert_eq!(std::fs::read_to_string(bench.path("started")).unwrap(), "x\nx\n");
    assert_eq!(std::fs::read_to_string(bench.path("measured")).unwrap().lines().count(), 5);
}

#[test]
fn a_recorded_run_is_a_test_of_its_workflow() {
    let bench = twice();
    bench.ask(0);
    bench.flow(&["agents", "record", "last", "--all", "-o", "whole.ndjson"]).code(0);
    std::fs::remove_file(bench.path("fake.sh")).unwrap();
    for from in ["last", "whole.ndjson"] {
        let same = bench.flow(&["test", "test.rhai", "--from-run", from, "--json"]).code(0).json();
        assert_eq!(
            (&same["same"], &same["retries"], &same["agents"]),
            (&true.into(), &1.into(), &2.into()),
            "{same:#}"
        );
        assert_eq!(same["hints"], serde_json::json!([]), "{same:#}");
    }
    // A recording of a recording is the same again.
    bench.flow(&["agents", "record", "whole.ndjson", "--all", "-o", "again.ndjson"]).code(0);
    let read = |name: &str| std::fs::read_to_string(bench.path(name)).unwrap();
    assert_eq!(read("whole.ndjson"), read("again.ndjson"));
    let text = bench.flow(&["test", "test.rhai", "--from-run", "whole.ndjson"]).code(0).out;
    assert!(text.starts_with("✓ test.rhai goes the way of whole.ndjson ("), "{text}");
    for (file, times) in [("started", 2), ("measured", 1), ("went-high", 1)] {
        assert_eq!(read(file).lines().count(), times, "{file}: nothing was started");
    }
    assert!(!bench.path("went-low").exists());

    let script = read("test.rhai");
    bench.write(
        "test.rhai",
        script.replace("> 80", "> 95").replace("call(\"sum\", || 40 + 2);", "sh(\"new\", \"echo new\");"),
    );
    let other = bench.flow(&["test", "test.rhai", "--from-run", "whole.ndjson", "--json"]).code(1).json();
    let differences = other["differences"].as_array().unwrap();
    let first = &differences[0];
    assert_eq!((&first["step"], &first["what"]), (&"gate".into(), &"decided otherwise".into()), "{other:#}");
    assert!(first["recorded"].as_str().unwrap().starts_with("true, since measure.number was 91"), "{first}");
    assert!(first["now"].as_str().unwrap().starts_with("false, since measure.number was 91"), "{first}");
    assert_eq!(first["place"]["line"], 5);
    let told: Vec<String> = differences.iter().map(|one| format!("{} {}", one["step"], one["what"])).collect();
    for says in [
        "\"gate/high\" \"ended otherwise\"",
        "\"gate/low\" \"ended otherwise\"",
        "\"sum\" \"is no more\"",
        "\"new\" \"is new\"",
    ] {
        assert!(told.iter().any(|one| one == says), "{says}: {told:#?}");
    }
    assert_eq!(differences.len(), 5, "{told:#?}");
    let hints = other["hints"].to_string();
    assert!(hints.contains("no counterpart in it: `sum`") && hints.contains("nothing was recorded of"), "{hints}");
    assert!(!bench.path("went-low").exists());

    bench.write("test.rhai", script.replace("Do it", "Do it well"));
    let asked = bench.flow(&["test", "test.rhai", "--from-run", "whole.ndjson"]).code(0).out;
    assert!(asked.contains("note: asked otherwise than when the answer was recorded: `ask`"), "{asked}");

    // Only answers: that is no whole run.
    bench.flow(&["agents", "record", "whole.ndjson", "-o", "said.ndjson"]).code(0);
    let problem = bench.flow(&["test", "test.rhai", "--from-run", "said.ndjson"]).code(2).err;
    assert!(problem.contains("flow::test::recording") && problem.contains("--all"), "{problem}");
}

#[test]
fn people_signals_and_time_come_again() {
    let bench = Bench::new();
    bench.write(
        "test.rhai",
        r#"
let ok = approve("ok", #{ prompt: "go?" });
let measured = signal("measured", #{ timeout: "1h" });
let nobody = approve("nobody", #{ prompt: "anybody?", timeout: "100ms", on_timeout: "skip" });
wait("a-moment", "50ms") -> sh("after", "echo x >> after");
flow("gate").when(|| ok.passed && measured.output.errors == 0, sh("ship", `echo ${ok.by}`)).otherwise(fail("no", "no"));
let flaky = sh("flaky", "[ $FLOW_ATTEMPT = 3 ]").retry(#{ max_attempts: 3, delay: "20ms", jitter: 0.5 });
flaky -> chain("group", [sh("g1", "true"), sh("g2", "[ $FLOW_ATTEMPT = 2 ]")]).retry(#{ max_attempts: 2, delay: "10ms" });
"#,
    );
    bench.flow(&["script", "test.rhai", "--quiet", "--no-input"]).code(3);
    bench.flow(&["approve", "last", "ok", "--by", "ada", "--quiet"]).code(3);
    bench.flow(&["signal", "last", "measured", r#"{"errors": 0}"#, "--quiet"]).code(0);
    let same = bench.flow(&["test", "test.rhai", "--from-run", "last", "--json"]).code(0).json();
    assert_eq!((&same["same"], &same["retries"]), (&true.into(), &3.into()), "{same:#}");
    let file = bench.flow(&["agents", "record", "last", "--all"]).code(0).out;
    bench.write("whole.ndjson", &file);
    bench.flow(&["test", "test.rhai", "--from-run", "whole.ndjson"]).code(0);
    // Another answer goes another way.
    bench.write("whole.ndjson", file.replace(r#""value":{"errors":0}"#, r#""value":{"errors":1}"#));
    let other = bench.flow(&["test", "test.rhai", "--from-run", "whole.ndjson"]).code(1).out;
    assert!(other.contains("`gate` decided otherwise") && other.contains("now: false"), "{other}");
    assert_eq!(std::fs::read_to_string(bench.path("after")).unwrap(), "x\n");
}

#[test]
fn what_was_cut_off_is_cut_off_again() {
    for (body, verdict) in [
        (format!("echo '{INIT}'; echo '{TEXT}'"), "cut_off"),
        ("true".to_owned(), "silent"),
        (format!("echo '{INIT}'; echo 'not json'; echo '{RESULT}'; exit 3"), "failed"),
    ] {
        let bench = Bench::claude(&body, "");
        let live = bench.ask(1);
        bench.write("fake.sh", "exit 77");
        let ended = bench.flow(&["script", "test.rhai", "--quiet", "--json", "--agents", "recorded:last"]).code(1);
        let again = ended.json()["steps"]["ask"].clone();
        assert_eq!((&again["status"], &again["code"]), (&live["status"], &live["code"]), "{verdict}");
        let message =
            |step: &Json| step["error"].as_str().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        assert_eq!(message(&again), message(&live), "{verdict}");
        let same = bench.flow(&["test", "test.rhai", "--from-run", "last"]);
        same.code(0);
    }
}

#[test]
fn a_recording_never_holds_a_secret() {
    let secret = "tell-nobody-about-this";
    let result = RESULT.replace("final text", "the key is '\"$ANTHROPIC_API_KEY\"'");
    let body = format!("echo '{INIT}'; echo \"key $ANTHROPIC_API_KEY\" >&2; echo '{result}'");
    let bench = Bench::claude(&body, "api_key: secret(\"MY_KEY\")").and(
        r#"
sh("shown", "echo key $KEY").env(#{ KEY: secret("MY_KEY") });
sh("hidden", "echo something-else").secret();
"#,
    );
    let mut command = bench.command(&["script", "test.rhai", "--quiet"]);
    assert!(command.env("MY_KEY", secret).status().unwrap().success());
    let file = bench.flow(&["agents", "record", "last", "--all"]).code(0);
    assert!(file.out.contains("the key is ***"), "{}", file.out);
    for word in [secret, "something-else"] {
        assert!(!file.out.contains(word), "{word}: {}", file.out);
    }
    assert!(file.err.contains("left out, since it is secret: hidden"), "{}", file.err);
    // No key is needed then.
    bench.flow(&["script", "test.rhai", "--quiet", "--agents", "recorded:last"]).code(1);
    let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
    bench.write("test.rhai", script.lines().take(2).collect::<Vec<_>>().join("\n"));
    bench.write("said.ndjson", file.out);
    bench.flow(&["script", "test.rhai", "--quiet", "--agents", "recorded:said.ndjson"]).code(0);
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let bench = twice();
    bench.ask(0);
    let refused = |args: &[&str], says: &[&str]| {
        let ended = bench.flow(args).code(2);
        for part in says {
            assert!(ended.err.contains(part), "{part}: {}", ended.err);
        }
    };
    refused(&["script", "test.rhai", "--agents", "recored:last"], &["flow::run::agents", "did you mean `recorded`?"]);
    refused(
        &["script", "test.rhai", "--agents", "recorded:nope"],
        &["there is no run `nope`, and there is no file `nope`"],
    );
    refused(&["script", "test.rhai", "--agents", "recorded:nope.ndjson"], &["there is no file `nope.ndjson`"]);
    bench.write("bad.ndjson", "{\"recording\":1,\"workflow\":\"w\"}\n{\"at\":1,\"line\":\"x\"}\n");
    refused(
        &["script", "test.rhai", "--agents", "recorded:bad.ndjson"],
        &["bad.ndjson:2: the line belongs to no attempt"],
    );
    refused(&["test", "--from-run", "last"], &["flow test FILE --from-run last"]);
    refused(&["test", "test.rhai", "--timing"], &["--from-run"]);
    bench.write("none.rhai", "sh(\"a\", \"true\");");
    bench.flow(&["script", "none.rhai", "--quiet"]).code(0);
    refused(&["agents", "record", "last"], &["no agent was asked in run", "--all"]);
    assert_eq!(std::fs::read_to_string(bench.path("started")).unwrap(), "x\nx\n");
}

#[test]
fn what_the_recording_lacks_fails_with_what_it_has() {
    let bench = twice();
    bench.ask(0);
    bench.flow(&["agents", "record", "last", "-o", "said.ndjson"]).code(0);
    let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
    bench.write("test.rhai", script.lines().take(1).collect::<String>() + "\na.ask(\"asks\", \"Do it\").retry(1);");
    let ended = bench.flow(&["script", "test.rhai", "--quiet", "--agents", "recorded:said.ndjson"]).code(1);
    assert!(
        ended.err.contains("holds no answer for `asks`") && ended.err.contains("did you mean `ask`?"),
        "{}",
        ended.err
    );
}

#[test]
fn the_original_timing_is_kept_where_it_is_wanted() {
    let bench = Bench::claude(&format!("echo '{INIT}'; sleep 0.4; echo '{RESULT}'"), "");
    bench.ask(0);
    let took = |args: &[&str]| {
        let begun = std::time::Instant::now();
        bench.flow(args).code(0);
        begun.elapsed().as_millis()
    };
    assert!(took(&["script", "test.rhai", "--quiet", "--agents", "recorded:last,timing"]) >= 400);
    assert!(took(&["test", "test.rhai", "--from-run", "last", "--timing"]) >= 400);
    let same = bench.flow(&["test", "test.rhai", "--from-run", "last", "--json"]).code(0).json();
    assert!(same["duration_ms"].as_u64().is_some_and(|ms| ms < 400), "{same}");
}
