//! Simulated runs, any number of them: random plans, run by the real engine in a world that is made up, with crashes, full
//! disks and jumping clocks. `cargo run --release --example simulate -- --seeds 100000` plays many;
//! `-- --seed 12345 --trace` plays one and tells everything that happens in it.
#![allow(clippy::print_stdout)]

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use simulation::Played;

const HELP: &str = "\
simulate [--seeds N] [--from S] [--jobs J]    play N seeds (1000) from S (0) on, on J threads (one a core)
simulate --seed S [--trace] [--calm]          play one; --trace tells what happens, --calm leaves it undisturbed";

/// What is asked for.
#[derive(Default)]
struct Asked {
    seeds: Option<u64>,
    from: u64,
    jobs: Option<usize>,
    seed: Option<u64>,
    trace: bool,
    calm: bool,
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(problem) => {
            println!("{problem}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let well = match asked.seed {
        Some(seed) => one(seed, asked.calm, asked.trace),
        None => many(&asked),
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--trace" => asked.trace = true,
            "--calm" => asked.calm = true,
            _ => {}
        }
        if asked.trace && word == "--trace" || asked.calm && word == "--calm" {
            continue;
        }
        if !["--seeds", "--from", "--jobs", "--seed"].contains(&word.as_str()) {
            return Err(format!("`{word}` is not known"));
        }
        let value = words.next().and_then(|value| value.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("`{word}` needs a number"))?;
        match word.as_str() {
            "--seeds" => asked.seeds = Some(value),
            "--from" => asked.from = value,
            "--jobs" => asked.jobs = Some(value.max(1) as usize),
            _ => asked.seed = Some(value),
        }
    }
    Ok(asked)
}

/// Plays one seed.
fn one(seed: u64, calm: bool, trace: bool) -> bool {
    let tell = |line: String| println!("{line}");
    match simulation::play(seed, calm, trace.then(|| Box::new(tell) as _)) {
        Ok(Played { happened, events, steps, compared }) => {
            let ends = if compared { ", and it ends like an undisturbed run" } else { "" };
            println!("seed {seed}: {steps} steps, {events} events, {happened} things happened; all holds{ends}");
            true
        }
        Err(broken) => {
            println!("seed {seed}: {broken}");
            false
        }
    }
}

/// Plays many seeds on all cores, and says how fast that was.
fn many(asked: &Asked) -> bool {
    let jobs = asked.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (first, count) = (asked.from, asked.seeds.unwrap_or(1_000));
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let work = || {
        let mut sum = [0u64; 4];
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return sum;
            }
            match simulation::play(first + seed, asked.calm, None) {
                Ok(Played { happened, events, steps, compared }) => {
                    for (sum, more) in sum.iter_mut().zip([happened, events, steps, u64::from(compared)]) {
                        *sum += more;
                    }
                }
                Err(broken) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    println!("seed {}: {broken}", first + seed);
                }
            }
        }
    };
    let mut sum = [0u64; 4];
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let part = thread.join().expect("a seed that panics is caught");
            sum.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let mean = |n: usize| sum[n] as f64 / count.max(1) as f64;
    let failed = failed.into_inner();
    println!(
        "{count} seeds, {failed} failed; a seed has {:.1} steps, {:.0} events, {:.0} things that happen; {:.0} % compared",
        mean(2),
        mean(1),
        mean(0),
        mean(3) * 100.0
    );
    println!("{took:.2} s on {jobs} threads: {:.0} seeds a second a core", count as f64 / took / jobs as f64);
    failed == 0
}
