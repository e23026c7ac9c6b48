//! How fast it is: `cargo test --release --test interactive -- --ignored --nocapture speed`.

#![allow(clippy::print_stdout)] // that is what a measurement is for

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// From the change of a letter until what is wrong is told, in a script of 2,000 lines.
#[test]
#[ignore = "a measurement, of a release build"]
fn speed_of_diagnostics() {
    let mut script = String::new();
    for n in 0..1_000 {
        let _ = writeln!(script, "let step{n} = sh(\"step-{n}\", \"echo {n}\").timeout(\"1m\").retry(2);");
        let _ = writeln!(script, "if step{n} != () {{ let x = {n} * 2; }} // a line");
    }
    let script = script.replace("step{n} != ()", "true");
    let script: String = script
        .lines()
        .map(|line| line.replace("if step", "if type_of(step").replace(" != ()", ") != \"x\"") + "\n")
        .collect();
    let mut client = Client::ready();
    let uri = client.open("main.rhai", &script);
    assert_eq!(client.problems(&uri, 1), Vec::<Value>::new());
    let mut times = Vec::new();
    for version in 2..30 {
        let began = Instant::now();
        client.tell(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "range": {
            "start": { "line": 1_000, "character": 0 }, "end": { "line": 1_000, "character": 0 },
        }, "text": " " }] }),
        );
        assert_eq!(client.problems(&uri, version), Vec::<Value>::new());
        times.push(began.elapsed());
    }
    println!(
        "2,000 lines, 1,000 steps: told {:?} after a change (median; most {:?})",
        median(times.clone()),
        times.iter().max()
    );
    client.end();
}

/// A completion in a script of 10,000 steps, after a change.
#[test]
#[ignore = "a measurement, of a release build"]
fn speed_of_completion() {
    let mut script: String = (0..10_000).fold(String::new(), |mut script, n| {
        let _ = writeln!(script, "let step{n} = sh(\"step-{n}\", \"echo {n}\").timeout(\"1m\");");
        script
    });
    script.push_str("step9999.");
    let mut client = Client::ready();
    let uri = client.open("main.rhai", &script);
    let (mut changed, mut again) = (Vec::new(), Vec::new());
    for version in 2..30 {
        client.tell(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "range": {
            "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 },
        }, "text": " " }] }),
        );
        for times in [&mut changed, &mut again] {
            let began = Instant::now();
            let found = client.ask(
                "textDocument/completion",
                json!({ "textDocument": { "uri": uri }, "position": { "line": 10_000, "character": 9 } }),
            );
            times.push(began.elapsed());
            assert!(found["items"].as_array().is_some_and(|items| items.len() > 20));
        }
    }
    println!("10,000 steps: completion {:?} after a change, {:?} again (medians)", median(changed), median(again));
    client.end();
}
