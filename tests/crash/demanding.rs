//! Use that goes to the edges: wide and deep plans, time limits of groups, odd processes and outputs, limits and locks.

use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use flow::plan::Json;
use serde_json::json;

use crate::bench::{Bench, Ended, Going, is_alive, steps, until};

fn run(script: &str) -> (Bench, Json) {
    let bench = Bench::with(script);
    let ended = bench.flow(&["script", "test.rhai", "--json", "--quiet"]);
    assert!(ended.code.is_some_and(|code| code < 2), "{}\n{}", ended.out, ended.err);
    let object = ended.json();
    (bench, object)
}

fn output<'a>(run: &'a Json, step: &str) -> &'a Json {
    &run["steps"][step]["output"]
}

#[test]
fn a_thousand_children_and_as_many_again() {
    let (bench, run) = run(r#"
        let list = sh("list", "seq 1 1000").parse("lines");
        let squares = each("squares", list.lines, |n| call("square", || n.parse_int() * n.parse_int()));
        let all = each("all", squares.output, |n| chain([task("t", n), call("c", |n| n + 1)]));
        call("sum", || { let sum = 0; for n in all.output { sum += n; } sum });
        let few = sh("few", "seq 1 60").parse("lines");
        each("processes", few.lines, |n| exec("p", ["echo", n]));
        "#);
    assert_eq!(*output(&run, "sum"), 333_834_500);
    assert_eq!(output(&run, "squares")[999], 1_000_000);
    assert_eq!(*output(&run, "processes"), (1..=60).map(|n| Json::from(n.to_string())).collect::<Json>());
    let shown = bench.flow(&["show", "last"]).ok().out;
    assert!(shown.lines().count() < 200, "{} lines", shown.lines().count());
    assert!(bench.flow(&["show", "last", "--all"]).ok().out.lines().count() > 4000);
    bench.flow(&["why", "last", "all[1000000]/c"]).ok();
    bench.flow(&["verify", "last"]).ok();
}

#[test]
fn fan_outs_within_fan_outs_and_branches_and_loops() {
    let (_, run) = run(r#"
        let list = sh("list", "seq 1 3").parse("lines");
        let outer = each("outer", list.lines, |i| {
            let inner = each("inner", 1..=2, |j| sh("s", `echo ${i}-${j}`));
            let gate = flow("gate")
                .when(|| inner.output[0] == "2-1", repeat("loop", #{ max: 3, "until": |x| x == "2" }, |n, last| sh("r", `echo ${n}`)))
                .otherwise(chain([sh("x", "echo x"), sh("y", "cat")]));
            chain([inner, gate])
        });
        let more = each("more", list.lines, |i| {
            let below = sh("below", `seq 1 ${i}`).parse("lines");
            each("leaves", below.lines, |j| sh("leaf", `echo ${i}.${j}`))
        });
        call("all", || [outer.output, more.output]);
        "#);
    assert_eq!(*output(&run, "all"), json!([["x", "2", "x"], [["1.1"], ["2.1", "2.2"], ["3.1", "3.2", "3.3"]]]));
    assert_eq!(run["steps"]["outer[2]/gate/x"]["status"], "skipped");
}

#[test]
fn odd_items_have_paths_of_their_own() {
    let (bench, run) = run(r#"
        let list = sh("list", `printf 'a b\n\n/etc/x\na/b\n[x]\n..\n$(touch hacked)\né☃\na b\n'`).parse("lines");
        let all = each("odd", list.lines, |item| sh("s", `printf %s ${quote(item)}`));
        let data = sh("data", `echo '[{"k":1},[1,2],null,3.5,true]'`);
        let values = each("values", data.output, |item| call("c", || item));
        call("same", || all.output == list.lines && values.output == data.output);
        each("none", [], |item| sh("s", "false"));
        let text = sh("text", "echo 5");
        each("no list", text.output, |item| sh("s", "true")).on_error("continue");
        "#
    .replace("no list", "no-list")
    .as_str());
    assert_eq!(*output(&run, "same"), true);
    assert!(!bench.path("hacked").exists());
    assert_eq!(*output(&run, "none"), json!([]));
    assert!(run["steps"]["no-list"]["error"].as_str().unwrap().contains("must be an array"));
    assert_eq!(run["status"], "success");
}

/// All processes of `pids` are gone.
fn gone(bench: &Bench) {
    for pid in bench.lines("pids") {
        assert!(!is_alive(&pid), "process {pid} still lives");
    }
}

#[test]
fn groups_that_take_too_long_are_ended_with_all_that_is_in_them() {
    let begun = Instant::now();
    let (bench, run) = run(r#"
        settings(#{ max_parallel: 8 });
        let list = task("list", [1, 2]);
        let a = chain("chain", [sh("a", "echo $$ >> pids; sleep 600"), sh("b", "true")]).timeout("150ms").on_error("continue");
        let b = parallel("parallel", [
            sh("x", "echo $$ >> pids; sleep 600 & echo $! >> pids; setsid sleep 600 & echo $! >> pids; wait"),
            chain("deep", [each("each", list.output, |n| sh("s", "echo $$ >> pids; sleep 600")), sh("z", "true")]),
        ]).timeout("150ms").on_error("continue");
        let c = repeat("repeat", #{ max: 1000 }, |n, last| sh("r", "sleep 0.02")).timeout("150ms").on_error("continue");
        let d = chain("wait", [wait("w", "10m"), sh("v", "true")]).timeout("50ms").on_error("continue");
        call("endless", || { loop { } }).timeout("50ms").on_error("continue");
        sh("again", "echo $$ >> pids; sleep 600").timeout("50ms").retry(#{ max_attempts: 2, delay: "1ms" }).on_error("continue");
        sh("after", "echo after").after([a, b, c, d]);
        "#);
    assert_eq!(run["status"], "success", "{run:#}");
    for step in ["chain", "parallel", "repeat", "wait", "endless", "again"] {
        let error = run["steps"][step]["error"].as_str().unwrap_or_else(|| panic!("`{step}` did not fail"));
        assert!(error.contains("took longer than its timeout"), "{step}: {error}");
    }
    for step in ["chain/a", "chain/b", "parallel/x", "parallel/deep/z", "wait/w"] {
        assert_eq!(run["steps"][step]["status"], "cancelled", "{step}");
    }
    assert_eq!((output(&run, "after"), &run["steps"]["again"]["attempts"]), (&"after".into(), &2.into()));
    assert!(begun.elapsed().as_secs() < 20);
    gone(&bench);
}

#[test]
fn hooks_that_fail_change_nothing() {
    for (last, status) in [("true", "success"), ("false", "failed")] {
        let (_, run) = run(&format!(
            r#"
            sh("work", "{last}");
            on("start", sh("begin", "exit 1"));
            on("success", sh("cheer", "exit 2"));
            on("failure", chain("page", [sh("p", "exit 3"), sh("q", "true")]));
            on("complete", sh("tidy", "sleep 600").timeout("30ms"));
            "#
        ));
        assert_eq!(run["status"], status);
        let ended = |step: &str| run["steps"][step]["status"].as_str().unwrap().to_owned();
        assert_eq!((ended("begin"), ended("tidy")), ("failed".into(), "failed".into()));
        let (cheer, page) = if status == "success" { ("failed", "skipped") } else { ("skipped", "failed") };
        assert_eq!(
            (ended("cheer"), ended("page/p"), ended("work")),
            (cheer.into(), page.into(), if status == "success" { "success".into() } else { "failed".into() })
        );
    }
}

#[test]
fn processes_with_odd_manners() {
    let bench = Bench::with(
        r#"
        sh("reads", "cat; read x || echo end");
        sh("background", "sleep 3 & echo $! >> pids; echo begun");
        sh("closes", "exec >&- 2>&-; exit 0");
        sh("binary", "printf 'a\\000b\\377'");
        sh("text", "printf abc");
        sh("lines", "printf 'a\\r\\nb\\n\\n'").parse("lines");
        sh("silent", "true");
        sh("kills-itself", "kill -9 $$").on_error("continue");
        sh("missing", "no-such-program-here").on_error("continue");
        sh("nowhere", "true").cwd("no/such/folder").on_error("continue");
        sh("not-json", "echo {").parse("json").on_error("continue");
        sh("fields", "echo status=1 >> $FLOW_OUTPUT").on_error("continue");
        sh("number", "echo 1.10") -> call("same", |input| input == "1.10");
        let big = sh("big", "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2");
        big -> sh("count", "wc -c");
        call("length", || { let text = big.output; text.len() });
        sh("too-long", `echo ${big.output}`).on_error("continue");
        "#,
    );
    // What we ourselves are given to read is nobody else's.
    let mut child = bench.command(&["script", "test.rhai", "--json", "--quiet"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"not for steps\n").unwrap();
    let begun = Instant::now();
    let ended = child.wait_with_output().unwrap();
    drop(stdin);
    assert!(begun.elapsed().as_secs() < 20, "a child in the background holds nothing up");
    let run: Json = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(run["status"], "success", "{:.3000}", run.to_string());
    for (step, due) in [
        ("reads", json!("end")),
        ("background", json!("begun")),
        ("closes", json!("")),
        ("binary", json!("a\0b\u{fffd}")),
        ("text", json!("abc")),
        ("lines", json!(["a", "b", ""])),
        ("silent", json!("")),
        ("same", json!(true)),
        ("count", json!("3000000")),
        ("length", json!(3_000_000)),
    ] {
        assert_eq!(*output(&run, step), due, "{step}");
    }
    for (step, due) in [
        ("kills-itself", "SIGKILL"),
        ("missing", "no-such-program-here"),
        ("nowhere", "does not exist"),
        ("not-json", "is not JSON"),
        ("fields", "`status`"),
        ("too-long", "more than a process can be given"),
    ] {
        let error = run["steps"][step]["error"].as_str().unwrap_or_else(|| panic!("`{step}` did not fail"));
        assert!(error.contains(due), "{step}: {error}");
    }
    assert_eq!(output(&run, "big").as_str().map(str::len), Some(3_000_000));
    bench.flow(&["verify", "last"]).ok();
    assert!(bench.flow(&["show", "last"]).ok().out.len() < 20_000);
}

#[test]
fn a_lock_lets_one_in_and_a_limit_as_many_as_it_says() {
    let (bench, run) = run(r#"
        settings(#{ max_parallel: 8 });
        limit("three", 3);
        for i in 1..=6 {
            sh(`lock${i}`, "mkdir locked; sleep 0.01; rmdir locked").lock("one");
            call(`limited${i}`, || 1).limit("three", 2);
            sh(`shared${i}`, "echo > in-$FLOW_STEP; ls | grep -c ^in- >> counts; sleep 0.02; rm in-$FLOW_STEP").limit("three");
        }
        chain("group", [sh("a", "mkdir locked").lock("one"), sh("b", "rmdir locked").lock("one")]).lock("one");
        "#);
    assert_eq!(run["status"], "success", "{run:#}");
    let most = bench.lines("counts").iter().map(|count| count.parse::<u32>().unwrap()).max();
    assert!(most <= Some(3), "{most:?} at once");
}

/// Begins the script of a bench, and waits until so many of its steps are done.
fn begin(bench: &Bench, done: u64) -> Going {
    let going = bench.start(&["script", "test.rhai"]);
    until("steps", || bench.runs().first().filter(|run| run["steps"]["success"] == done).map(|_| ()));
    going
}

fn interrupted(going: Going) -> Ended {
    going.signal(rustix::process::Signal::INT);
    going.end().code(130)
}

#[test]
fn what_waits_says_for_what_and_ends_at_once() {
    let bench = Bench::with(
        r#"
        limit("api", #{ per_minute: 2 });
        let first = task("first", 1);
        for i in 1..=5 { sh(`ask${i}`, "echo >> asked").limit("api").after(first); }
        wait("long", "1h").after(first) -> sh("then", "true");
        sh("flaky", "exit 1").retry(#{ max_attempts: 2, delay: "1h" }).after(first);
        "#,
    );
    let begun = Instant::now();
    let going = begin(&bench, 3);
    until("the retry", || bench.flow(&["why", "last"]).out.contains("attempt").then_some(()));
    let why = bench.flow(&["why", "last"]).ok().out;
    assert!(why.contains("limit `api`") && why.contains("long") && why.contains("flaky"), "{why}");
    interrupted(going);
    assert!(begun.elapsed().as_secs() < 20);
    assert_eq!(bench.lines("asked").len(), 2);
    // The minute is not over only because another process goes on.
    let going = bench.start(&["resume", "last"]);
    until("the second process", || {
        let opened = |record: &flow::event::Record| matches!(*record.event, flow::event::Event::Opened { .. });
        (bench.open().records("last", 0).unwrap().iter().filter(|record| opened(record)).count() == 2).then_some(())
    });
    interrupted(going);
    assert_eq!(bench.lines("asked").len(), 2);
    bench.flow(&["cancel", "last"]).ok();
}

#[test]
fn one_slot_is_enough_for_everything() {
    let (_, run) = run(r#"
        settings(#{ max_parallel: 1 });
        let list = sh("list", "seq 1 5").parse("lines");
        let all = each("all", list.lines, |n| chain([sh("a", `echo ${n}`), wait("w", "1ms"), call("b", |x| x)]));
        let flaky = sh("flaky", "[ $FLOW_ATTEMPT = 3 ]").retry(#{ max_attempts: 3, delay: "20ms" });
        let gate = flow("gate").when(|| all.passed && flaky.passed, repeat("r", #{ max: 3 }, |n, last| sh("s", `echo ${n}`)));
        sh("end", `echo ${gate.output}`);
        "#);
    assert_eq!((&run["status"], output(&run, "end")), (&"success".into(), &"3".into()));
}

#[test]
fn a_run_is_only_taken_up_as_what_it_is() {
    let bench = Bench::with(r#"let p = param("p"); sh("a", `echo ${p} >> ran; [ -e go ] || sleep 600`);"#);
    bench.write("other.rhai", r#"sh("z", "true");"#);
    let going = bench.start(&["script", "test.rhai", "--arg", "p=1"]);
    bench.wait_for("ran", 1);
    going.kill();
    bench.write("go", "");
    let run = bench.runs()[0]["run"].as_str().unwrap().to_owned();
    let script = |args: &[&str]| bench.flow(&[&["script"], args].concat());
    script(&["other.rhai", "--resume", &run]).diagnostic(2, "flow::run::other");
    script(&["test.rhai", "--resume", "last", "--arg", "p=2"]).diagnostic(2, "flow::run::other");
    script(&["test.rhai", "--resume", "last", "--arg", "q=2"]).diagnostic(2, "flow::run::other");
    bench.write("test.rhai", "changed since");
    let ended = script(&["test.rhai", "--resume", "last", "--arg", "p=1"]).ok();
    assert!(ended.err.contains("has changed since"), "{}", ended.err);
    assert_eq!(bench.lines("ran"), ["1", "1"]);
}

#[test]
fn of_several_who_resume_at_once_one_does() {
    let bench = Bench::with(r#"for i in 1..=8 { sh(`s${i}`, "echo $FLOW_STEP >> ran; [ -e go ] || sleep 600"); }"#);
    let going = bench.start(&["script", "test.rhai", "--max-parallel", "2"]);
    bench.wait_for("ran", 2);
    going.kill();
    bench.write("go", "");
    let all: Vec<Going> = (0..3).map(|_| bench.start(&["resume", "last", "--quiet"])).collect();
    let codes: Vec<i32> = all.into_iter().map(|going| going.end().code.unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 0 | 2)), "{codes:?}");
    let ran = bench.lines("ran");
    assert_eq!(ran.len(), 10, "{ran:?}");
    let run = bench.flow(&["show", "last", "--json"]).ok().json();
    assert!(steps(&run).values().all(|(status, _)| status == "success"), "{run}");
}
