//! `kill -9` and Ctrl-C at any moment, and going on.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::bench::{Bench, until};

/// Kills of a living process.
const KILLS: usize = 10;

/// Every item is written down by a process before it answers.
const SCRIPT: &str = r#"
pipeline("p").from(0..10000)
    .stage("plus", |n| n + 1)
    .worker("seen", "while IFS= read -r line; do echo \"$line\" >> seen; echo \"$line\"; done", #{ parallelism: 2 })
    .filter("even", |n| n % 2 == 0)
    .flat_map("twice", |n| [n, -n]);
"#;

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_acknowledged_comes_again() {
    let begun = Instant::now();
    let undisturbed = Bench::with(SCRIPT).run().ok();
    // On a machine that is busy just then it would be too long.
    let whole = begun.elapsed().as_micros().min(500_000) as u64;
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let mut state = u64::from(seed) | 1;
    let mut below = |end: u64| {
        // xorshift64* (Vigna 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) % end.max(1)
    };
    let mut kills = 0;
    while kills < KILLS {
        let bench = Bench::with(SCRIPT);
        let mut before: Option<(usize, HashSet<u64>)> = None;
        let ended = loop {
            let mut going = bench.start();
            std::thread::sleep(Duration::from_micros(below(whole)));
            let over = kills >= KILLS || going.is_over();
            let ended = match over {
                true => Some(going.end()),
                false => {
                    going.kill();
                    kills += 1;
                    None
                }
            };
            let seen = bench.lines("seen");
            if let Some((many, done)) = &before {
                // Of a line that a killed process wrote by half nothing is known.
                let again: Vec<_> = seen[*many..]
                    .iter()
                    .filter_map(|line| line.parse().ok())
                    .filter(|n: &u64| done.contains(&(n - 1)))
                    .collect();
                assert!(again.is_empty(), "seed {seed}: acknowledged, and processed again: {again:?}");
            }
            if ended.is_some() {
                break ended;
            }
            // A child that it was just starting may hold its lock for a moment.
            let is_over = |status: Option<String>| (status.as_deref() != Some("running")).then_some(status);
            if until("the end of the process", || is_over(bench.status())).as_deref() == Some("success") {
                break None;
            }
            if let Some(reached) = bench.reached() {
                let beyond = reached.beyond.iter().flat_map(|(first, end)| *first..*end);
                before = Some((seen.len(), (0..reached.upto).chain(beyond).collect()));
            }
        };
        // It was killed at its very end: there is nothing to go on with.
        let Some(ended) = ended else { continue };
        let p = ended.ok();
        assert_eq!(p["output"], undisturbed["output"], "seed {seed}");
        assert_eq!(p["flow"]["counts"]["items"], 10_000, "seed {seed}");
        let seen: HashSet<String> = bench.lines("seen").into_iter().collect();
        assert!((1..=10_000).all(|n: u32| seen.contains(&n.to_string())), "seed {seed}: something was not processed");
    }
}

#[test]
fn what_has_no_end_is_ended_gently_and_goes_on() {
    let bench = Bench::with(
        r#"
pipeline("p").from(interval("2ms"))
    .worker("seen", "while IFS= read -r line; do echo \"$line\" >> seen; echo \"$line\"; done")
    .discard()
    .options(#{ continuous: true });
"#,
    );
    let mut many = 0;
    for _ in 0..3 {
        let going = bench.start();
        until("ticks", || (bench.lines("seen").len() > many + 20).then_some(()));
        going.interrupt();
        going.end().code(130);
        let lines = bench.lines("seen");
        many = lines.len();
        // What was on its way came to its end: nothing is done twice.
        let ticks: HashSet<&String> = lines.iter().collect();
        assert_eq!(ticks.len(), many);
        assert_eq!(bench.reached().map(|reached| reached.counts.items), Some(many as u64));
    }
}
