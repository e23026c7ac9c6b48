//! Programs, requests and other workflows as parts of pipelines.

use serde_json::json;

use crate::ends_bench::{Bench, until};

#[test]
fn a_program_that_fails_does_so_after_what_it_gave() {
    let bench = Bench::with(
        r#"pipeline("p").from(lines(#{ sh: "seq 5; [ -e fixed ] || exit 3" })).stage("s", |l| l).to(lines("out"));"#,
    );
    bench.flow(&["script", "test.rhai"]).code(1).says("ended with exit code 3");
    assert_eq!(bench.read("out"), "1\n2\n3\n4\n5\n");
    bench.write("fixed", "");
    bench.flow(&["resume", "last", "--from", "p"]).code(0);
    assert_eq!(bench.read("out"), "1\n2\n3\n4\n5\n");
}

#[test]
fn a_stage_of_processes_keeps_its_order_and_its_failures() {
    let bench = Bench::with(
        r#"pipeline("p").from(1..40).sh("s", "if [ $ITEM = 7 ]; then echo seven >&2; exit 1; fi; echo $((ITEM * 2))",
               #{ parallelism: 4, on_error: "dead_letter" });"#,
    );
    let step = bench.step();
    let expected: Vec<String> = (1..40).filter(|n| *n != 7).map(|n| (n * 2).to_string()).collect();
    assert_eq!(step["output"], json!(expected));
    let letters = bench.letters();
    assert_eq!((letters.len(), &letters[0]["item"]), (1, &json!(7)));
    assert!(bench.flow(&["logs", "last", "p", "--stderr"]).out.contains("seven"));
}

#[test]
fn a_process_that_takes_too_long_fails_its_item_and_leaves_nothing() {
    let bench = Bench::with(
        r#"pipeline("p").from(["a", "b"])
               .sh("s", "if [ $ITEM = a ]; then sleep 1000 & echo $! > child; wait; fi; echo $ITEM",
                   #{ timeout: "300ms", on_error: "skip" });"#,
    );
    assert_eq!(bench.step()["output"], json!(["b"]));
    let child = bench.read("child");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.trim())).unwrap_or_default();
    assert!(status.is_empty() || status.contains("zombie"), "{status}");
}

#[test]
fn a_worker_that_dies_is_started_again_and_the_item_is_tried_again() {
    let bench = Bench::with(
        r#"pipeline("p").from(0..6)
               .worker("w", "while read -r n; do if [ $n = 3 ] && [ ! -e died ]; then touch died; exit 1; fi; echo $((n * 10)); done",
                   #{ retry: 2 });"#,
    );
    assert_eq!(bench.step()["output"], json!([0, 10, 20, 30, 40, 50]));
}

#[test]
fn a_worker_is_gone_when_flow_is_killed() {
    let bench =
        Bench::with(r#"pipeline("p").from(0..6).worker("w", "echo $$ > pid; while read -r n; do sleep 1000; done");"#);
    let going = bench.start(&["script", "test.rhai", "--quiet"]);
    let pid = until("the worker", || Some(bench.read("pid")).filter(|pid| pid.ends_with('\n')));
    going.kill();
    let stat = format!("/proc/{}/stat", pid.trim());
    until("its end", || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn a_program_at_the_end_gets_all_and_what_it_says_is_in_the_log() {
    let bench = Bench::with(
        r#"pipeline("p").from(0..1000).stage("s", |n| #{ n: n }).to(ndjson(#{ sh: "cat > got; echo took them" }));"#,
    );
    assert_eq!(bench.step()["status"], "success");
    assert_eq!(bench.read("got").lines().count(), 1000);
    bench.write("test.rhai", r#"pipeline("p").from(0..10).to(lines(#{ sh: "cat > /dev/null; exit 9" }));"#);
    bench.flow(&["script", "test.rhai"]).code(1).says("ended with exit code 9");
}

#[test]
fn what_programs_print_of_a_secret_is_masked() {
    let bench = Bench::with(
        r#"let p = pipeline("p").from(lines(#{ sh: "echo from $TOKEN" }))
               .sh("s", "cat; echo $TOKEN; echo err $TOKEN >&2")
               .worker("w", "cat");
           p.env(#{ TOKEN: secret("TOKEN") });"#,
    );
    let mut command = bench.command(&["script", "test.rhai", "--quiet", "--json"]);
    let output = command.env("TOKEN", "hunter2-hunter2").output().unwrap();
    let run: flow::plan::Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["steps"]["p"]["output"], json!(["from ***\n***"]), "{run}");
    let mut open = vec![bench.path(".flow")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                let bytes = std::fs::read(entry.path()).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", entry.path().display());
            }
        }
    }
}

#[test]
fn each_item_is_a_run_of_another_workflow() {
    let bench =
        Bench::with(r#"pipeline("p").from([1, 2]).workflow("sub", "sub.rhai", |n| #{ id: n }, #{ parallelism: 2 });"#);
    bench.write("sub.rhai", "let id = param(\"id\", #{ default: 0 });\nlet a = sh(\"a\", `echo got ${id}`);\na.output");
    assert_eq!(bench.step()["output"], json!(["got 1", "got 2"]));
    let runs = bench.flow(&["runs", "--json"]).code(0).out;
    let runs: flow::plan::Json = serde_json::from_str(&runs).unwrap();
    let names: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["workflow"].clone()).collect();
    assert_eq!(names, ["sub", "sub", "test"]);
    // Without a value of its own it gives the outputs of its steps.
    bench.write("sub.rhai", "param(\"id\", #{ default: 0 });\nsh(\"a\", \"echo 1\"); let b = sh(\"b\", \"echo 2\");");
    assert_eq!(bench.step()["output"], json!([{"a": "1", "b": "2"}, {"a": "1", "b": "2"}]));
    bench.write("sub.rhai", "param(\"id\", #{ default: 0 });\nsh(\"bad\", \"exit 5\");");
    bench.flow(&["script", "test.rhai"]).code(1).says("of `sub.rhai` failed: `bad`: `exit 5` ended with exit code 5");
    bench.write("sub.rhai", "sh(\"a\", \"true\");");
    bench.flow(&["script", "test.rhai"]).code(1).says("has no parameter `id`");
}
