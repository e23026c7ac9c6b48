//! Bad input: each is a diagnostic that names the place in the script, or a failure or a dead letter that names the item and its line.

use serde_json::Value as Json;

use crate::transcript::Session;

/// What a run of a script gave: exit code, the object of `--json`, and what was said about it.
fn run(session: &Session, script: &str) -> (Option<i32>, Json, String) {
    session.file("w.rhai", script);
    let output = session.run("timeout 60 flow script w.rhai --json --quiet");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}

/// A script that is refused before anything runs: its answer has these parts.
fn refused(script: &str, code: &str, parts: &[&str]) {
    let session = Session::new();
    session.file("w.rhai", script);
    let output = session.run("flow script w.rhai");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{script}\n{said}");
    assert!(said.contains(code) && said.contains("w.rhai:") && said.contains("help:"), "{said}");
    parts.iter().for_each(|part| assert!(said.contains(part), "{part}\n{said}"));
    assert!(!session.folder().join(".flow/runs").exists(), "nothing was begun");
}

/// A run that fails: what is said of it has these parts.
fn fails(session: &Session, script: &str, parts: &[&str]) {
    session.file("w.rhai", script);
    let output = session.run("timeout 60 flow script w.rhai --quiet");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{script}\n{said}");
    parts.iter().for_each(|part| assert!(said.contains(part), "{part}\n{said}"));
}

#[test]
fn nothing_works_on_zero_items_at_a_time() {
    for (option, value) in [("batch_size", "0"), ("parallelism", "0"), ("buffer_size", "0"), ("parallelism", "-1")] {
        let script = format!("pipeline(\"p\").from(0..3).stage(\"double\", |x| x * 2, #{{ {option}: {value} }});");
        refused(&script, "flow::lang::option", &[option, "at least 1"]);
    }
    refused("pipeline(\"p\").from(0..3).batch(0);", "flow::lang::option", &["batch", "at least 1"]);
    refused("pipeline(\"p\").from(0..3).options(#{ buffer_size: 0 });", "flow::lang::option", &["buffer_size"]);
    refused(
        "pipeline(#{ name: \"p\", source: 0..3, stages: [#{ name: \"s\", do: |x| x, parallelism: 0 }] });",
        "flow::lang::option",
        &["parallelism"],
    );
}

#[test]
fn a_strategy_that_does_not_exist_is_answered_with_the_nearest() {
    let stage = |options: &str| format!("pipeline(\"p\").from(0..3).stage(\"s\", |x| x, #{{ {options} }});");
    refused(&stage("overflow: \"drop_old\""), "flow::lang::choice", &["drop_old", "`drop_oldest`"]);
    refused(&stage("on_error: \"dead\""), "flow::lang::choice", &["dead_letter"]);
    refused(&stage("paralelism: 2"), "flow::lang::unknown_option", &["parallelism"]);
    let stream = "stream(\"s\", [sh(\"a\", \"seq 3\"), sh(\"b\", \"cat\")], #{ slow: \"drop\" });";
    refused(stream, "flow::lang::choice", &["drop_oldest"]);
}

#[test]
fn what_cannot_stand_in_a_stream_is_named() {
    refused("sh(\"a\", \"seq 3\") |> call(\"double\", |x| x);", "flow::plan::stream", &["double", "lines(|line|"]);
    refused("sh(\"a\", \"seq 3\") |> wait(\"later\", \"1s\");", "flow::plan::stream", &["later"]);
    refused("let a = sh(\"a\", \"seq 3\"); a |> a;", "flow::plan::", &["`a`"]);
    refused("sh(\"a\", \"seq 3\") |> lines(\"no-such-file\");", "flow::lang::", &["lines"]);
}

#[test]
fn bytes_that_are_no_json_name_their_line() {
    let session = Session::new();
    session.file("in", b"{\"a\": 1}\n\xff\xfe\x00{\n{\"a\": 3}\n");
    let stream = "sh(\"read\", \"cat in\") |> ndjson(\"values\", |value| value.a) |> sh(\"write\", \"cat\");";
    fails(&session, stream, &["values", "line 2"]);
    fails(&session, "pipeline(\"p\").from(ndjson(\"in\")).stage(\"a\", |value| value.a);", &["✗ p ", "line 2"]);

    let (code, result, said) = run(
        &session,
        "pipeline(\"p\").from(ndjson(\"in\")).stage(\"a\", |value| value.a).options(#{ on_error: \"dead_letter\" });",
    );
    assert_eq!((code, &result["steps"]["p"]["output"]), (Some(0), &serde_json::json!([1, 3])), "{said}");
    let dead = session.run("flow pipeline dead last");
    let dead = String::from_utf8_lossy(&dead.stdout).into_owned();
    assert!(dead.contains("line 2"), "{dead}");
}

#[test]
fn a_row_with_other_fields_than_its_header_names_its_line() {
    let session = Session::new();
    session.file("in.csv", "name,price\nlamp,3\nchair\ntable,4,5\ndesk,6\n");
    fails(&session, "pipeline(\"p\").from(csv(\"in.csv\"));", &["✗ p ", "line 3", "2"]);
    let (code, result, said) =
        run(&session, "pipeline(\"p\").from(csv(\"in.csv\")).options(#{ on_error: \"dead_letter\" });");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(result["steps"]["p"]["output"].as_array().map(Vec::len), Some(2), "{result:#}");
    let dead = session.run("flow pipeline dead last --json");
    let dead = String::from_utf8_lossy(&dead.stdout).into_owned();
    assert!(dead.contains("line 3") && dead.contains("line 4") && dead.contains("chair"), "{dead}");
}

#[test]
fn a_folder_that_vanishes_ends_what_watches_it() {
    let session = Session::new();
    let none = "pipeline(\"p\").from(watch(\"inbox\")).discard().options(#{ continuous: true });";
    fails(&session, none, &["✗ p ", "inbox"]);

    session.file("inbox/a.txt", "a\n");
    let watch = "pipeline(\"p\").from(watch(\"inbox\", #{ existing: true, settle: \"10ms\" }))
        .stage(\"gone\", |file| { file.name })
        .sh(\"remove\", \"rm -r inbox; echo removed\")
        .discard()
        .options(#{ continuous: true });";
    fails(&session, watch, &["✗ p ", "inbox"]);
}

#[test]
fn an_item_that_fails_is_named_with_its_stage_and_line() {
    let session = Session::new();
    session.file("in.txt", "1\n2\nthree\n4\n");
    fails(
        &session,
        "pipeline(\"p\").from(lines(\"in.txt\")).stage(\"number\", |line| parse_int(line));",
        &["number", "line 3"],
    );
    fails(&session, "sh(\"a\", \"cat in.txt\") |> lines(\"number\", |line| parse_int(line));", &["number", "line 3"]);
    fails(&session, "pipeline(\"p\").from(lines(\"no.txt\"));", &["✗ p ", "no.txt"]);
    fails(
        &session,
        "pipeline(\"p\").from(lines(\"in.txt\")).sh(\"check\", \"read n; [ $n != three ]\");",
        &["check", "line 3"],
    );
    fails(&session, "pipeline(\"p\").from(lines(#{ sh: \"seq 3; exit 4\" }));", &["✗ p ", "exit code 4"]);
    fails(&session, "let s = sh(\"s\", \"echo 5\").parse(\"json\"); pipeline(\"p\").from(s);", &["✗ p "]);
}
