//! What becomes of items: slow consumers, failures, full buffers, batches.

use serde_json::json;

use crate::bench::Bench;

#[test]
fn a_slow_consumer_slows_all_and_loses_nothing() {
    let bench = Bench::with(
        r#"pipeline("p").from(0..100000).stage("same", |n| n).to(lines(#{ sh: "sleep 0.2; cat > out" })).options(#{ buffer_size: 16 });"#,
    );
    assert_eq!(bench.run().ok()["flow"]["counts"]["delivered"], 100_000);
    let lines = bench.lines("out");
    assert_eq!(lines.len(), 100_000);
    assert!(lines.iter().enumerate().all(|(n, line)| *line == n.to_string()));
}

#[test]
fn a_dead_letter_names_stage_place_and_error() {
    let bench = Bench::with(
        r#"pipeline("p").from(lines("in")).stage("parse", |line| { if line == "x" { throw "what is this?" } parse_int(line) }, #{ on_error: "dead_letter", retry: #{ max_attempts: 2, delay: "1ms" } });"#,
    );
    bench.write("in", "1\n2\nx\n4\n");
    let p = bench.run().ok();
    assert_eq!(p["output"], json!([1, 2, 4]));
    let dead = bench.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["offset"], &dead[0]["item"], &dead[0]["attempts"]), (&json!(2), &json!("x"), &json!(2)));
    assert_eq!((&dead[0]["stage"], &dead[0]["place"]), (&json!("parse"), &json!("line 3 of in")));
    assert!(dead[0]["error"].as_str().unwrap().contains("what is this?"), "{}", dead[0]);
}

#[test]
fn a_failure_names_the_item_and_mended_it_goes_on() {
    let script = |good: &str| {
        format!(
            r#"pipeline("p").from(lines("in")).stage("parse", |line| {{ if line == "{good}" {{ throw "no" }} line }}).to(lines("out"));"#
        )
    };
    let bench = Bench::with(&script("x"));
    bench.write("in", "a\nb\nx\nd\n");
    let p = bench.run().code(1);
    let message = p["error"].to_string();
    assert!(message.contains("item 2 (line 3 of in) failed in stage `parse`"), "{message}");
    assert_eq!(bench.lines("out"), ["a", "b"]);
}

#[test]
fn what_does_not_fit_is_dropped_and_counted_or_fails() {
    let script = |overflow: &str| {
        format!(
            r#"pipeline("p").from(0..50000).worker("slow", "sleep 0.1; cat", #{{ buffer_size: 10, overflow: "{overflow}" }});"#
        )
    };
    for overflow in ["drop_oldest", "drop_newest"] {
        let p = Bench::with(&script(overflow)).run().ok();
        let counts = &p["flow"]["counts"];
        let count = |name: &str| counts[name].as_u64().unwrap();
        assert_eq!(count("items"), 50_000);
        assert_eq!(count("delivered") + count("dropped"), 50_000);
        assert!(count("dropped") > 0);
        let last = p["output"].as_array().unwrap().last().cloned();
        assert_eq!(last == Some(json!(49_999)), overflow == "drop_oldest", "{overflow}: {last:?}");
    }
    let ended = Bench::with(&script("fail")).run();
    assert!(ended.code(1)["error"].to_string().contains("the buffer before stage `slow` is full"));
    let p = Bench::with(&script("block")).run().ok();
    assert_eq!(
        (p["flow"]["counts"]["delivered"].clone(), p["flow"]["counts"]["dropped"].clone()),
        (json!(50_000), json!(0))
    );
}

#[test]
fn a_batch_does_not_wait_longer_than_its_time() {
    // The source goes on when the first batch, which is not full, has come through.
    let bench = Bench::with(
        r#"
pipeline("p").from(lines(#{ sh: "echo 1; echo 2; until [ -e seen ]; do sleep 0.01; done; echo 3" }))
    .batch(100, "20ms")
    .sh("see", "touch seen; cat");
"#,
    );
    assert_eq!(bench.run().ok()["flow"]["counts"]["items"], 3);
}

#[test]
fn a_bad_line_is_the_affair_of_on_error() {
    let script = |options: &str| format!(r#"pipeline("p").from(ndjson("in")){options};"#);
    let bench = Bench::with(&script(""));
    bench.write("in", "{\"a\": 1}\n{oops\n{\"a\": 2}\n");
    let message = bench.run().code(1)["error"].to_string();
    assert!(message.contains("(line 2 of in) failed in stage `source`"), "{message}");
    let bench = Bench::with(&script(r#".options(#{ on_error: "dead_letter" })"#));
    bench.write("in", "{\"a\": 1}\n{oops\n{\"a\": 2}\n");
    let p = bench.run().ok();
    assert_eq!(p["output"], json!([{"a": 1}, {"a": 2}]));
    assert_eq!(bench.dead_letters()[0]["item"], "{oops");
}

#[test]
fn what_closures_print_is_in_the_logs_of_their_steps() {
    let bench = Bench::with(
        r#"
        pipeline("p").from(0..2).stage("s", |n| { print(`stage ${n}`); n }).to(|n| print(`sink ${n}`));
        sh("seq", "seq 2") |> lines("f", |line| { print(`line ${line}`); line });
        call("c", || { print("called"); 1 });
        call("d", || { print("before it fails"); throw "no" }).on_error("continue");
        "#,
    );
    bench.run();
    // The sink has a thread of its own.
    let said = bench.said("p");
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["sink 0", "sink 1", "stage 0", "stage 1"]);
    for (step, expected) in [("f", "line 1\nline 2\n"), ("c", "called\n"), ("d", "before it fails\n")] {
        assert_eq!(bench.said(step), expected, "{step}");
    }
}

#[test]
fn a_timeout_ends_it_soon_and_begins_nothing_new() {
    let bench = Bench::with(
        r#"pipeline("p").from(0..1000).sh("slow", "echo x >> begun; sleep 0.05").discard().timeout("300ms");"#,
    );
    let begun = std::time::Instant::now();
    let p = bench.run().code(1);
    assert!(p["error"].to_string().contains("took longer than its timeout of 300ms"), "{p}");
    assert!(begun.elapsed() < std::time::Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert!(bench.lines("begun").len() < 20, "{:?}", bench.lines("begun"));
}
