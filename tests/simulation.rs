//! Simulated runs: see `simulation/mod.rs`. A seed that fails is printed;
//! `cargo run --release --example simulate -- --seed SEED --trace` replays it.

#[path = "simulation/mod.rs"]
mod simulation;

use simulation::Played;
use simulation::invariants::Invariant;

/// Seeds that are always played.
const SEEDS: u64 = 2_000;

#[test]
fn whatever_disturbs_a_run_the_invariants_hold() {
    let mut failed = Vec::new();
    let mut sum = Played::default();
    let mut compared = 0;
    for seed in 0..SEEDS {
        match simulation::play(seed, false, None) {
            Ok(played) => {
                sum.happened += played.happened;
                sum.events += played.events;
                sum.steps += played.steps;
                compared += u64::from(played.compared);
            }
            Err(broken) => failed.push(format!("seed {seed}: {broken}")),
        }
    }
    assert!(failed.is_empty(), "{} of {SEEDS} seeds failed:\n{}", failed.len(), failed.join("\n"));
    // That nothing is wrong means something only if a lot happens.
    assert!(sum.steps > 15 * SEEDS && sum.events > 30 * SEEDS && sum.happened > 30 * SEEDS, "{sum:?}");
    assert!(compared > SEEDS / 3, "only {compared} runs could be compared with undisturbed ones");
}

#[test]
fn the_page_lists_the_invariants() {
    let page = include_str!("../ARCHITECTURE.md");
    for (name, _) in Invariant::ALL {
        assert!(page.contains(&format!("`{name}`")), "ARCHITECTURE.md does not list `{name}`");
    }
}
