//! What other programs rely on: exit codes, the object that `--json` prints, the lines of `--events`.

use std::process::Stdio;

use flow::plan::Json;

use crate::bench::Bench;

fn keys(object: &Json) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

const MIXED: &str = r#"
let a = sh("a", "echo '{\"n\": 1}'");
let b = sh("b", "echo oops >&2; exit 3").retry(2).after(a);
let c = sh("c", "true").after(b);
chain("group", [call("d", || a.output.n + 1), sh("e", "cat")]);
parallel([sh("f", "printf x")]);
each("g", ["k"], |k| sh("h", `echo ${k}`));
"#;

#[test]
fn the_object_has_exactly_these_keys() {
    let bench = Bench::with(MIXED);
    let ended = bench.flow(&["script", "test.rhai", "--json", "--quiet"]).code(1);
    assert_eq!(ended.err, "");
    assert_eq!(ended.out.lines().count(), 1);
    let run = ended.json();
    assert_eq!(keys(&run), ["run", "workflow", "status", "duration_ms", "steps"]);
    assert_eq!((&run["workflow"], &run["status"]), (&"test".into(), &"failed".into()));
    assert!(run["duration_ms"].is_u64());
    for (path, step) in run["steps"].as_object().unwrap() {
        assert_eq!(keys(step), ["status", "output", "code", "attempts", "duration_ms", "error"], "{path}");
        assert!(step["attempts"].is_u64() && step["duration_ms"].is_u64(), "{path}: {step}");
    }
    let step = |path: &str, key: &str| run["steps"][path][key].clone();
    assert_eq!(step("a", "output"), serde_json::json!({"n": 1}));
    assert_eq!((step("a", "code"), step("a", "error")), (0.into(), Json::Null));
    assert_eq!((step("b", "status"), step("b", "code"), step("b", "attempts")), ("failed".into(), 3.into(), 2.into()));
    assert!(step("b", "error").as_str().unwrap().contains("exit code 3"));
    assert_eq!(
        (step("c", "status"), step("c", "output"), step("c", "attempts")),
        ("skipped".into(), Json::Null, 0.into())
    );
    assert_eq!((step("group/d", "output"), step("group/e", "output")), (2.into(), "2".into()));
    assert_eq!(
        (step("f", "output"), step("g[k]", "output"), step("g", "output")),
        ("x".into(), "k".into(), serde_json::json!(["k"]))
    );
    let paths: Vec<_> = run["steps"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 9, "{paths:?}");

    // The same from the log, later.
    let mut shown = bench.flow(&["show", "last", "--json"]).ok().json();
    shown["duration_ms"] = run["duration_ms"].clone();
    assert_eq!(shown, run);
}

#[test]
fn exit_codes_say_what_happened() {
    let bench = Bench::new();
    for (code, script) in [
        (0, r#"sh("a", "true");"#),
        (0, r#"sh("a", "false").on_error("continue");"#),
        (0, r#"sh("a", "true"); on("success", sh("b", "false"));"#),
        (1, r#"sh("a", "false");"#),
        (1, r#"fail("a", "no");"#),
        (1, r#"let a = run(sh("a", "true")); let x = a.output.nothing;"#),
        (1, r#"settings(#{ timeout: "30ms" }); sh("a", "sleep 60");"#),
        (2, r#"sh("a", "touch ran"); let x = ;"#),
        (2, r#"sh("a", "touch ran"); nothing();"#),
        (2, r#"sh("a", "touch ran"); param("p");"#),
        (2, r#"let a = sh("a", "touch ran"); let b = sh("b", "touch ran"); a -> b; b -> a;"#),
    ] {
        bench.write("test.rhai", script);
        for args in [&["script", "test.rhai"][..], &["script", "test.rhai", "--json", "--quiet"]] {
            let ended = bench.flow(args);
            assert_eq!(ended.code, Some(code), "{script}\n{}\n{}", ended.out, ended.err);
            if args.len() > 2 {
                let object = ended.json();
                assert_eq!(object.get("error").is_some(), code == 2, "{object}");
            }
        }
        assert!(!bench.path("ran").exists(), "{script}");
    }
    bench.flow(&["nothing"]).code(2);
    bench.flow(&["script"]).diagnostic(2, "flow::cli::usage");
}

#[test]
fn a_wrong_script_is_data_too() {
    let bench = Bench::with("sh(\"a\", \"true\");\nlet x = nothing(1);\n");
    for args in [&["script", "test.rhai", "--json"][..], &["check", "test.rhai", "--json"]] {
        let error = bench.flow(args).code(2).json()["error"].clone();
        assert!(error["code"].as_str().unwrap().starts_with("flow::"), "{error}");
        assert!(error["message"].is_string() && error["help"].is_string(), "{error}");
        assert_eq!(error["labels"][0]["line"], 2, "{error}");
    }
    assert!(!bench.path(".flow").exists());
}

#[test]
fn every_event_is_a_line() {
    let bench = Bench::with(MIXED);
    let ended = bench.flow(&["script", "test.rhai", "--events", "-", "--quiet"]).code(1);
    let events: Vec<Json> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = events[0]["run"].clone();
    for (n, event) in events.iter().enumerate() {
        assert_eq!(keys(event)[..4], ["run", "seq", "at", "type"], "{event}");
        assert_eq!((&event["run"], &event["seq"]), (&run, &n.into()));
        assert!(event["at"].as_u64().unwrap() >= events[0]["at"].as_u64().unwrap());
    }
    assert_eq!((&events[0]["type"], &events[events.len() - 1]["type"]), (&"created".into(), &"ended".into()));
    assert_eq!(bench.open().records("last", 0).unwrap().len(), events.len());
    let finished = events.iter().filter(|event| event["type"] == "finished" && event["step"] == "b");
    assert_eq!(finished.count(), 1);

    // The same in a file, with the result on standard output.
    let ended = bench.flow(&["script", "test.rhai", "--events", "events", "--json"]).code(1);
    assert_eq!(ended.json()["status"], "failed");
    let lines = bench.lines("events");
    assert_eq!(lines.len(), bench.open().records("last", 0).unwrap().len());
    lines.iter().for_each(|line| assert!(serde_json::from_str::<Json>(line).unwrap().is_object()));
}

#[test]
fn results_go_to_standard_output_and_all_else_does_not() {
    let bench = Bench::with(r#"print("printed"); sh("a", "echo to-stdout; echo to-stderr >&2");"#);
    let ended = bench.flow(&["script", "test.rhai"]).ok();
    assert_eq!(ended.out, "");
    let mut command = bench.command(&["script", "test.rhai", "--json"]);
    let output = command.env("RUST_LOG", "trace").output().unwrap();
    assert!(serde_json::from_slice::<Json>(&output.stdout).is_ok());
}

#[test]
fn results_that_cannot_be_written_are_an_error_and_the_run_is_kept() {
    let bench = Bench::with(r#"sh("a", "echo a");"#);
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = bench.command(&["script", "test.rhai", "--json"]).stdout(full()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("flow::cli::output") && err.contains("help:"), "{err}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(bench.status(), "success");
    // Events are for others: the run is not worth less without them.
    let ended = bench.flow(&["script", "test.rhai", "--events", "/dev/full"]);
    assert!(ended.err.contains("cannot write"), "{}", ended.err);
    assert_eq!(bench.status(), "success");
}

#[test]
fn what_a_script_prints_is_told_also_when_it_goes_wrong() {
    let bench = Bench::with("print(\"one\");\nlet x = nothing();\n");
    let ended = bench.flow(&["script", "test.rhai"]);
    assert!(ended.err.starts_with("· one\n"), "{}", ended.err);
    assert_eq!(bench.flow(&["check", "test.rhai", "--json"]).code(2).json()["error"]["printed"], "one\n");

    bench.write("test.rhai", "print(\"one\"); sh(\"a\", \"true\");");
    assert!(bench.flow(&["check", "test.rhai"]).ok().err.starts_with("· one\n"));

    let script = r#"
        print("one");
        let a = run(sh("a", "echo a >> ran; [ -e go ] || sleep 600"));
        print("two");
        let b = run(sh("b", "echo b"));
        print("three");
        let x = b.output.nothing;
    "#;
    bench.write("test.rhai", script);
    let going = bench.start(&["script", "test.rhai"]);
    bench.wait_for("ran", 1);
    going.signal(rustix::process::Signal::INT);
    let ended = going.end().code(130);
    assert!(ended.err.contains("· one\n"), "{}", ended.err);
    bench.write("go", "");
    let ended = bench.flow(&["resume", "last"]).code(1);
    assert!(!ended.err.contains("· one\n") && ended.err.contains("· two\n"), "{}", ended.err);
    assert!(ended.err.contains("· three\n"), "{}", ended.err);
    assert_eq!(bench.open().state("last").unwrap().printed, "one\ntwo\nthree\n");
}
