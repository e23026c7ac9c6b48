//! `kill -9` and what is kept from run to run: results and breakers.

use std::time::Duration;

use crate::bench::{Bench, Random, steps, until};

/// Kills of a living process.
const KILLS: usize = 12;

const SCRIPT: &str = r#"
let all = each("all", [1, 2, 3, 4, 5, 6], |n| sh("make", `sleep 0.01; seq ${n} 20000; echo err >&2`).cache(#{ outputs: [`made-${n}`] }));
let sum = sh("sum", "cat | wc -c").stdin(all.output).cache();
let short = sh("short", "echo short; echo k=v > $FLOW_OUTPUT").cache(#{ ttl: "1h" });
all -> call("count", |all| all.len()).cache();
sh("last", `echo ${short.k} ${sum.output}`);
"#;

fn bench() -> Bench {
    let bench = Bench::with(SCRIPT);
    (1..=6).for_each(|n| bench.write(&format!("made-{n}"), "as it was"));
    bench
}

#[test]
fn whenever_a_run_is_killed_the_results_that_are_kept_are_whole() {
    let mut random = Random::new();
    let undisturbed = bench();
    let begun = std::time::Instant::now();
    let due = steps(&undisturbed.flow(&["script", "test.rhai", "--json", "--quiet"]).ok().json());
    let whole = begun.elapsed().as_millis() as u64;

    let bench = bench();
    for _ in 0..KILLS {
        let mut going = bench.start(&["script", "test.rhai", "--quiet"]);
        std::thread::sleep(Duration::from_micros(random.below(whole * 800)));
        if !going.is_over() {
            going.kill();
        }
        // Sometimes nothing is kept yet, and sometimes only the names of files are.
        if random.below(4) == 0 {
            let _ = std::fs::remove_dir_all(bench.path(".flow/cache"));
        }
    }
    // What was cut off goes on, and what begins anew takes what there is: both come to the same end.
    let resumed = bench.flow(&["script", "test.rhai", "--resume", "last", "--json", "--quiet"]).ok().json();
    assert_eq!(steps(&resumed), due);
    let run = bench.flow(&["script", "test.rhai", "--json", "--quiet"]).ok().json();
    assert_eq!(steps(&run), due);
    bench.flow(&["verify", "last"]).ok();
    let last = bench.flow(&["script", "test.rhai", "--json", "--quiet"]).ok().json();
    let object = last["steps"].as_object().unwrap();
    let cached = object.values().filter(|step| step["cached"] == true).count();
    assert_eq!(cached, 9, "{last}");
}

#[test]
fn who_is_killed_while_it_tries_a_breaker_tries_again() {
    let bench = Bench::with(
        r#"
        breaker("b", #{ threshold: 1, reset: "1h" });
        sh("fails", "exit 1").breaker("b");
        "#,
    );
    bench.write(
        "try.rhai",
        r#"
        breaker("b", #{ threshold: 1, reset: "1h" });
        sh("tries", "echo x >> ran; [ $FLOW_ATTEMPT -ge 2 ] || sleep 60").breaker("b");
        "#,
    );
    let state = || bench.flow(&["breakers", "--json"]).ok().json()[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(bench.flow(&["script", "test.rhai", "--quiet"]).code, Some(1));
    assert_eq!(state(), "open");
    assert_eq!(bench.flow(&["script", "try.rhai", "--quiet"]).code, Some(1));
    assert!(bench.lines("ran").is_empty());

    // An hour later.
    let database = rusqlite::Connection::open(bench.path(".flow/flow.db")).unwrap();
    database.execute_batch("UPDATE breakers SET state = json_set(state, '$.opened_at', 1)").unwrap();
    let going = bench.start(&["script", "try.rhai", "--quiet"]);
    bench.wait_for("ran", 1);
    assert_eq!(state(), "half-open");
    going.kill();
    until("an interrupted run", || (bench.status() == "interrupted").then_some(()));
    let run = bench.runs()[0]["run"].as_str().unwrap().to_owned();
    let refused = bench.flow(&["script", "try.rhai", "--quiet"]);
    assert!(refused.err.contains("the breaker `b` is half-open: 1 failure within 1m; another attempt"), "{refused:?}");
    bench.flow(&["resume", &run, "--quiet"]).ok();
    assert_eq!(state(), "closed");
    assert_eq!(bench.lines("ran").len(), 2);
}
