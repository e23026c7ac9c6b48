//! How fast flow is, as one table: `cargo bench`; of streams and pipelines alone: `cargo bench -- streams`, of
//! agents alone: `cargo bench -- agents`.
//!
//! Every figure is a ratio against a limit that is taken in the same run, or a time together with what it must not pass.
//! The limits are the bare things: processes spawned by a loop that captures nothing, rows inserted by a loop that does
//! nothing else. Each pair is measured in turn, several times, and the medians are compared, since machines are noisy.

#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program for people, which may end at the first thing wrong

mod agents;
mod language;
mod streams;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flow::lang::{Program, Script};
use flow::plan::{Plan, StepId, Task};
use flow::state::{Body, Files, Inputs, Status, StepResult};
use wait4::Wait4;

const FLOW: &str = env!("CARGO_BIN_EXE_flow");

struct Table(Vec<[String; 4]>);

impl Table {
    fn row(&mut self, work: impl Into<String>, measured: impl Into<String>, target: impl Into<String>, met: bool) {
        let row = [work.into(), measured.into(), target.into(), if met { "yes" } else { "NO" }.into()];
        println!("{:<58} {:<44} {:<22} {}", row[0], row[1], row[2], row[3]);
        self.0.push(row);
    }
}

fn main() {
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut table = Table(Vec::new());
    println!("{:<58} {:<44} {:<22} met", "work", "measured", "at most");
    // First, since the memory of a child counts from that of its parent.
    if std::env::args().any(|arg| arg == "streams") {
        return streams::rows(&mut table, folder.path());
    }
    if std::env::args().any(|arg| arg == "agents") {
        return agents::rows(&mut table, folder.path());
    }
    start(&mut table, folder.path());
    streams::rows(&mut table, folder.path());
    agents::rows(&mut table, folder.path());
    plans(&mut table);
    conditions(&mut table);
    for parallel in [2, 8] {
        processes(&mut table, folder.path(), parallel);
    }
    chain(&mut table, folder.path());
    for (name, script) in [
        ("fan-out", "for i in 0..10000 { call(`s${i}`, || i); }"),
        (
            "layered",
            "let last = (); for i in 0..10000 { let s = call(`s${i}`, || i); if i % 100 != 0 { last -> s; } last = s; }",
        ),
    ] {
        calls(&mut table, folder.path(), name, script);
    }
    cached(&mut table, folder.path());
    large(&mut table, folder.path());
    resume(&mut table, folder.path());
    many_runs(&mut table, folder.path());
    language::rows(&mut table, folder.path());
    println!("\n| work | measured | at most | met |\n| --- | --- | --- | --- |");
    for [work, measured, target, met] in &table.0 {
        println!("| {work} | {measured} | {target} | {met} |");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Two pieces of work in turn, `n` times each: the medians.
fn in_turn(n: usize, mut a: impl FnMut() -> Duration, mut b: impl FnMut() -> Duration) -> (Duration, Duration) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..n {
        first.push(a());
        second.push(b());
    }
    (median(first), median(second))
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Runs flow in a folder of its own; its time and largest memory.
fn flow(folder: &Path, args: &[&str]) -> (Duration, u64) {
    let start = Instant::now();
    let child = Command::new(FLOW)
        .args(args)
        .current_dir(folder)
        .env("FLOW_HOME", folder.join(".flow"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ended = child.wait4().unwrap();
    assert!(ended.status.success(), "flow {args:?} failed in {}", folder.display());
    (start.elapsed(), ended.rusage.maxrss)
}

fn fresh(folder: &Path) -> std::path::PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let fresh = folder.join(format!("d{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&fresh).unwrap();
    fresh
}

/// A script in a fresh folder.
fn script(folder: &Path, text: &str) -> std::path::PathBuf {
    let fresh = fresh(folder);
    std::fs::write(fresh.join("w.rhai"), text).unwrap();
    fresh
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn plans(table: &mut Table) {
    const STEPS: u64 = 100_000;
    let text = format!("for i in 0..{STEPS} {{ sh(`s${{i}}`, \"/bin/true\"); }}");
    let mut times = Vec::new();
    let mut kib = 0;
    for round in 0..5 {
        let before = resident_kib();
        let start = Instant::now();
        let program = Program::compile(&Script::from_text("w.rhai", text.as_str())).unwrap();
        let mut plan = Plan::default();
        plan.grow(program.build(&[], None).unwrap().growth);
        times.push(start.elapsed());
        if round == 0 {
            kib = resident_kib().saturating_sub(before);
        }
        assert_eq!(plan.steps.len() as u64, STEPS);
    }
    let micros = median(times).as_secs_f64() * 1e6 / STEPS as f64;
    let bytes = kib * 1024 / STEPS;
    table.row(
        "plan of 100,000 steps from a loop",
        format!("{micros:.2} µs and {bytes} B a step"),
        "5 µs, 1 KB a step",
        micros <= 5.0 && bytes <= 1024,
    );
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &flow::event::Log) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn conditions(table: &mut Table) {
    let text = r#"let test = sh("test", "true"); let cover = sh("cover", "true");
        flow("gate").when(|| test.passed && cover.output.percent > 80, sh("ship", "true"));"#;
    let program = Program::compile(&Script::from_text("w.rhai", text)).unwrap();
    let mut plan = Plan::default();
    plan.grow(program.build(&[], None).unwrap().growth);
    let condition = plan.steps.iter().find_map(|step| match &*step.task {
        Task::Flow(branches) => branches[0].when.clone(),
        _ => None,
    });
    let condition = condition.unwrap();
    let result = |output: serde_json::Value| {
        std::sync::Arc::new(StepResult {
            name: "x".into(),
            key: None,
            status: Status::Success,
            attempts: 1,
            duration_ms: 1,
            outcome: Some(std::sync::Arc::new(flow::event::Outcome {
                output: flow::event::Output::Value(output),
                ..Default::default()
            })),
            degraded: None,
            why_skipped: None,
            body: Body::Task,
            spending: None,
        })
    };
    let inputs = Inputs {
        results: vec![(StepId(0), result("".into())), (StepId(1), result(serde_json::json!({ "percent": 87.5 })))],
        files: std::sync::Arc::new(NoFiles),
    };
    const CALLS: u32 = 20_000;
    let times = (0..7).map(|_| timed(|| (0..CALLS).for_each(|_| drop(program.decide(&condition, &inputs))))).collect();
    let micros = median(times).as_secs_f64() * 1e6 / f64::from(CALLS);
    table.row("condition closure, two steps read", format!("{micros:.2} µs"), "2 µs", micros <= 2.0);
}

/// A bare loop: nothing is captured, nothing is recorded.
fn bare(count: usize, parallel: usize) -> Duration {
    let next = AtomicUsize::new(0);
    timed(|| {
        std::thread::scope(|scope| {
            for _ in 0..parallel {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < count {
                        let mut command = Command::new("/bin/true");
                        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                        assert!(command.status().unwrap().success());
                    }
                });
            }
        });
    })
}

fn other(program: &str, args: &[&str], folder: &Path) -> Option<Duration> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut command = Command::new(program);
        command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        if !command.status().ok()?.success() {
            return None;
        }
        times.push(start.elapsed());
    }
    Some(median(times))
}

fn processes(table: &mut Table, folder: &Path, parallel: usize) {
    const COUNT: usize = 1_000;
    let text =
        format!("settings(#{{ max_parallel: {parallel} }});\nfor i in 0..{COUNT} {{ sh(`s${{i}}`, \"/bin/true\"); }}");
    let (ours, limit) =
        in_turn(7, || flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]).0, || bare(COUNT, parallel));
    let fresh = fresh(folder);
    let targets: Vec<String> = (0..COUNT).map(|i| format!("t{i}")).collect();
    let rules: String = targets.iter().map(|t| format!("{t}:\n\t@/bin/true\n")).collect();
    std::fs::write(fresh.join("Makefile"), format!(".PHONY: all {0}\nall: {0}\n{rules}", targets.join(" "))).unwrap();
    let builds: String = targets.iter().map(|t| format!("build {t}: r\n")).collect();
    std::fs::write(fresh.join("build.ninja"), format!("rule r\n  command = /bin/true\n{builds}")).unwrap();
    let jobs = format!("-j{parallel}");
    let ratio = |time: Duration| time.as_secs_f64() / limit.as_secs_f64();
    let beside = |name: &str, time: Option<Duration>| match time {
        Some(time) => format!("{name} {:.2} ×", ratio(time)),
        None => format!("{name} skipped: not installed"),
    };
    let ninja = other("ninja", &[&jobs], &fresh);
    let make = other("make", &[&jobs, "all"], &fresh);
    let beaten = [ninja, make].into_iter().flatten().all(|time| ours < time);
    table.row(
        format!("1,000 × /bin/true, {parallel} at a time, durable"),
        format!("{:.2} × ({}, {})", ratio(ours), beside("ninja", ninja), beside("make", make)),
        "1.25 ×, ninja and make",
        ratio(ours) <= 1.25 && beaten,
    );
}

fn chain(table: &mut Table, folder: &Path) {
    let text = "let last = sh(\"s0\", \"/bin/true\"); for i in 1..200 { let s = sh(`s${i}`, \"/bin/true\"); s.after(last); last = s; }";
    let (ours, limit) = in_turn(9, || flow(&script(folder, text), &["script", "w.rhai", "--quiet"]).0, || bare(200, 1));
    let ratio = ours.as_secs_f64() / limit.as_secs_f64();
    table.row("chain of 200 × /bin/true", format!("{ratio:.2} ×"), "1.4 ×", ratio <= 1.4);
}

/// The rows of a run, inserted again into an empty database by a loop that does nothing else: 1,000 to a transaction.
fn bare_inserts(source: &Path, folder: &Path) -> Duration {
    let rows: Vec<(i64, i64, String, Vec<u8>)> = {
        let from = rusqlite::Connection::open(source).unwrap();
        let mut all = from.prepare("SELECT key, at, event, hash FROM events ORDER BY key").unwrap();
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        rows.map(|row| row.unwrap()).collect()
    };
    let to = rusqlite::Connection::open(fresh(folder).join("bare.db")).unwrap();
    to.pragma_update(None, "journal_mode", "wal").unwrap();
    to.pragma_update(None, "synchronous", "normal").unwrap();
    to.execute_batch(
        "CREATE TABLE events (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL, hash BLOB NOT NULL)",
    )
    .unwrap();
    timed(|| {
        for batch in rows.chunks(1_000) {
            to.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut insert = to.prepare_cached("INSERT INTO events VALUES (?, ?, ?, ?)").unwrap();
            for (key, at, event, hash) in batch {
                insert.execute(rusqlite::params![key, at, event, hash]).unwrap();
            }
            drop(insert);
            to.execute_batch("COMMIT").unwrap();
        }
    })
}

/// From the first event to the last, as the log has it.
fn recorded(database: &Path) -> Duration {
    let from = rusqlite::Connection::open(database).unwrap();
    let ms: i64 = from.query_row("SELECT max(at) - min(at) FROM events", [], |row| row.get(0)).unwrap();
    Duration::from_millis(ms as u64)
}

fn calls(table: &mut Table, folder: &Path, name: &str, text: &str) {
    let (mut whole, mut run, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = script(folder, text);
        whole.push(flow(&place, &["script", "w.rhai", "--quiet"]).0);
        let database = place.join(".flow/flow.db");
        run.push(recorded(&database));
        limit.push(bare_inserts(&database, folder));
    }
    let (whole, run, limit) = (median(whole), median(run), median(limit));
    let ratio = run.as_secs_f64() / limit.as_secs_f64();
    table.row(
        format!("10,000 no-op `call` steps, durable, {name}"),
        format!("{ratio:.2} × (run {run:.0?}, inserts {limit:.0?}, program {whole:.0?})"),
        "2 ×",
        ratio <= 2.0,
    );
}

/// Steps of which each reads a file and writes one, and none has anything to do.
fn cached(table: &mut Table, folder: &Path) {
    const STEPS: usize = 1_000;
    let step = "sh(`s${i}`, `cp in/${i} out/${i}`).cache(#{ inputs: [`in/${i}`], outputs: [`out/${i}`] })";
    let place = script(folder, &format!("for i in 0..{STEPS} {{ {step}; }}"));
    for name in ["in", "out"] {
        std::fs::create_dir(place.join(name)).unwrap();
    }
    (0..STEPS).for_each(|i| std::fs::write(place.join(format!("in/{i}")), format!("{i}\n")).unwrap());
    let one = script(folder, "call(\"a\", || 1);");
    let run = |place: &Path| flow(place, &["script", "w.rhai", "--quiet"]).0;
    let first = run(&place);
    // Files that were changed just now are read again, since that may be about to happen once more.
    std::thread::sleep(Duration::from_millis(2_100));
    run(&place);
    let (all, one) = in_turn(15, || run(&place), || run(&one));
    let beyond = all.saturating_sub(one);
    table.row(
        "1,000 cached steps, all up to date, beyond start-up",
        format!("{beyond:.1?} ({first:.1?} when all are made)"),
        "30 ms",
        beyond.as_millis() <= 30,
    );
}

fn large(table: &mut Table, folder: &Path) {
    let text = |n: usize| format!("for i in 0..{n} {{ call(`s${{i}}`, || i); }}");
    let (small, _) = flow(&script(folder, &text(10_000)), &["script", "w.rhai", "--quiet"]);
    let (time, bytes) = flow(&script(folder, &text(100_000)), &["script", "w.rhai", "--quiet"]);
    let growth = time.as_secs_f64() / small.as_secs_f64();
    table.row(
        "100,000 no-op `call` steps",
        format!("{} MB peak, {time:.1?}; {growth:.1} × the time of 10,000", bytes / 1024 / 1024),
        "400 MB, linear (10 ×)",
        bytes < 400 * 1024 * 1024 && growth < 13.0,
    );
}

fn resume(table: &mut Table, folder: &Path) {
    // All 10,000 steps are done when the last one is interrupted; it ends at once when the file is there.
    let text = "for i in 0..10000 { call(`s${i}`, || i); }\nsh(\"last\", \"test -e go || { touch waits; exec sleep 60; }\").priority(-1);";
    let mut times = Vec::new();
    for _ in 0..3 {
        let place = script(folder, text);
        let mut child = Command::new(FLOW)
            .args(["script", "w.rhai", "--quiet"])
            .current_dir(&place)
            .env("FLOW_HOME", place.join(".flow"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !place.join("waits").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        // The calls may still be going on beside it.
        let done = |place: &Path| -> i64 {
            rusqlite::Connection::open(place.join(".flow/flow.db"))
                .and_then(|db| db.query_row("SELECT success FROM runs", [], |row| row.get(0)))
                .unwrap_or(0)
        };
        while done(&place) < 10_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        std::fs::write(place.join("go"), "").unwrap();
        times.push(flow(&place, &["resume", "last", "--quiet"]).0);
    }
    let time = median(times);
    table.row("resume of a finished 10,000-step run", format!("{time:.0?}"), "500 ms", time.as_millis() <= 500);
}

fn start(table: &mut Table, folder: &Path) {
    let mut times = Vec::new();
    let mut most = 0;
    for _ in 0..15 {
        let (time, bytes) = flow(&script(folder, "sh(\"a\", \"/bin/true\");"), &["script", "w.rhai", "--quiet"]);
        times.push(time);
        most = most.max(bytes);
    }
    let time = median(times);
    let megabytes = most / 1024 / 1024;
    table.row(
        "start to finish of a one-step script, fresh folder",
        format!("{time:.1?}, {megabytes} MB"),
        "15 ms, 25 MB",
        time.as_millis() <= 15 && megabytes <= 25,
    );
}

fn many_runs(table: &mut Table, folder: &Path) {
    let place = script(folder, "for i in 0..5 { call(`s${i}`, || i); }");
    let options = flow::flow::Options { home: Some(place.join(".flow")), ..Default::default() };
    let engine = flow::flow::Flow::open(options).unwrap();
    let script = Script::read(&place.join("w.rhai")).unwrap();
    for _ in 0..2_000 {
        engine.run(&script, Default::default()).unwrap().wait().unwrap();
    }
    drop(engine);
    let list = median((0..9).map(|_| flow(&place, &["runs"]).0).collect());
    let all = median((0..9).map(|_| flow(&place, &["runs", "--limit", "2000"]).0).collect());
    let show = median((0..9).map(|_| flow(&place, &["show", "last"]).0).collect());
    table.row(
        "2,000 runs of 5 steps in one database",
        format!("runs {list:.1?}, all of them {all:.1?}, show {show:.1?}"),
        "30 ms",
        list.as_millis() <= 30 && show.as_millis() <= 30,
    );
}
