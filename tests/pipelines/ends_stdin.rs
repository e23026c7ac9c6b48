//! flow's own standard input, which nobody can read twice.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::ends_bench::{Bench, until};

#[test]
fn what_was_read_before_a_kill_is_not_lost() {
    let bench = Bench::with(
        r#"pipeline("p").from(lines("-"))
               .sh("s", "if [ -e wait ] && [ $ITEM = 50 ]; then touch here; sleep 1000; fi; echo $ITEM")
               .to(lines("out"));"#,
    );
    bench.write("wait", "");
    let mut going = bench.start(&["script", "test.rhai", "--quiet"]);
    let mut stdin = going.stdin();
    let text = |from: u32, to: u32| (from..to).map(|n| format!("{n}\n")).collect::<String>();
    stdin.write_all(text(0, 100).as_bytes()).unwrap();
    until("the fiftieth", || bench.path("here").exists().then_some(()));
    // All that was written is read before anything of it is acknowledged.
    let spool = || {
        let runs = std::fs::read_dir(bench.path(".flow/runs")).ok()?;
        let run = runs.flatten().next()?.path();
        let text = std::fs::read_to_string(run.join("logs/0-p.1.source.ndjson")).ok()?;
        (text.lines().count() >= 100).then_some(())
    };
    until("what is kept", spool);
    going.kill();
    drop(stdin);
    std::fs::remove_file(bench.path("wait")).unwrap();
    let mut going = bench.start(&["script", "test.rhai", "--quiet", "--resume", "last"]);
    going.stdin().write_all(text(100, 150).as_bytes()).unwrap();
    going.end().code(0);
    assert_eq!(bench.read("out"), text(0, 150));
}

#[test]
fn values_and_rows_come_that_way_too() {
    let bench = Bench::with(r#"pipeline("p").from(csv("-")).stage("s", |row| row.a);"#);
    let mut child = bench
        .command(&["script", "test.rhai", "--quiet", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a,b\n1,2\n\"3\n4\",5\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let run: flow::plan::Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["steps"]["p"]["output"], json!(["1", "3\n4"]));
}
