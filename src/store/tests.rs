//! The store as the rooms above use it.

mod breakers;
mod cache;
mod export;
mod faults;
mod gc;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::diag::Span;
use crate::event::{Outcome, Output, RunStatus};
use crate::plan::{Growth, Step, StepId, Task};

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(home: &TempDir) -> Store {
    Store::open(&home.path().join(".flow"), Durability::Normal).unwrap()
}

fn created(file: &str) -> Created {
    Created { workflow: "deploy".into(), file: file.into(), cwd: "/".into(), version: 1, ..Created::default() }
}

/// The events of a run of `steps` steps, after its `Created`; without its end.
fn events(steps: u32) -> Vec<Event> {
    let growth = Growth {
        steps: (0..steps).map(|n| Step::new(format!("s{n}"), Task::Wait(1), Span::at(1, 1))).collect(),
        complete: true,
        ..Growth::default()
    };
    let mut events = vec![
        Event::Planned { of: None, growth: Box::new(growth) },
        Event::Opened { pid: 1, host: "here".into(), flow: "0".into() },
    ];
    for step in (0..steps).map(StepId) {
        let outcome = Outcome { output: Output::Value(42.into()), ..Outcome::default() };
        events.push(Event::Started { step, attempt: 1 });
        events.push(Event::Finished { step, attempt: 1, outcome: Arc::new(outcome) });
    }
    events
}

fn ended() -> Event {
    Event::Ended { status: RunStatus::Success }
}

/// Records from `seq` on.
fn records(seq: u64, events: impl IntoIterator<Item = Event>) -> Vec<Record> {
    let number = |(n, event)| Record { seq: seq + n, at: 1_767_366_245_000 + n, event: Arc::new(event) };
    (0..).zip(events).map(number).collect()
}

/// A finished run of three steps.
fn finished_run(store: &Store) -> String {
    let log = store.create(created("/a.rhai")).unwrap();
    log.append(records(1, events(3).into_iter().chain([ended()])), |result| result.unwrap());
    log.flush().unwrap();
    log.run().to_owned()
}

/// Changes the database as somebody else could.
fn meddle(home: &TempDir, sql: &str) {
    let connection = Connection::open(home.path().join(".flow/flow.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn what_was_appended_is_read_again() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let all: Vec<Record> = [log.first().clone()].into_iter().chain(records(1, events(3))).collect();
    log.append(all[1..4].to_vec(), |result| result.unwrap());
    log.append(all[4..].to_vec(), |result| result.unwrap());
    log.flush().unwrap();
    let run = log.run().to_owned();
    assert_eq!(store.records(&run, 0).unwrap(), all);
    assert_eq!(store.records(&run, 5).unwrap(), all[5..]);
    assert_eq!(store.records(&run, 99).unwrap(), []);

    let summary = store.summary(&run).unwrap();
    assert_eq!((summary.status, summary.events), (RunStatus::Running, 9));
    assert_eq!(summary.steps, Counts { total: 3, success: 3, ..Counts::default() });
    assert_eq!(store.verify(&run).unwrap().events, 9);

    // Taken up by another process, while the first one is still there and after it has gone.
    let other = open(&home);
    let busy = other.reopen(&run).err().unwrap();
    assert_eq!(busy.code(), "flow::run::busy");
    assert!(busy.message().contains(&std::process::id().to_string()));
    drop(log);
    let (log, read) = other.reopen(&run).unwrap();
    assert_eq!((&read, log.first()), (&all, &all[0]));
    log.append(records(9, [ended()]), |result| result.unwrap());
    log.flush().unwrap();
    assert_eq!(store.verify(&run).unwrap().events, 10);
    assert_eq!(store.summary(&run).unwrap().status, RunStatus::Success);
    assert_eq!(store.records("no", 0).unwrap_err().code(), "flow::run::unknown");
}

#[test]
fn nothing_is_made_by_looking() {
    let home = home();
    let folder = home.path().join(".flow");
    assert!(Store::open_existing(&folder).unwrap().is_none());
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("flow.db"), "").unwrap();
    assert!(Store::open_existing(&folder).unwrap().is_none());

    let run = finished_run(&open(&home));
    let store = Store::open_existing(&folder).unwrap().unwrap();
    assert_eq!(store.find("last").unwrap(), run);
    // It can write when it must.
    drop(store.reopen(&run).unwrap());
}

#[test]
fn callbacks_come_in_order_after_their_commit() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let (tell, told) = crossbeam_channel::unbounded();
    for (n, event) in events(500).into_iter().enumerate() {
        let (tell, store, run) = (tell.clone(), store.clone(), log.run().to_owned());
        log.append(records(n as u64 + 1, [event]), move |result| {
            result.unwrap();
            if n % 100 == 0 {
                assert!(!store.records(&run, n as u64 + 1).unwrap().is_empty());
            }
            tell.send(n).unwrap();
        });
    }
    log.flush().unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), (0..1002).collect::<Vec<_>>());
}

#[test]
fn a_log_in_memory_leaves_nothing() {
    let home = home();
    let folder = home.path().join(".flow");
    let store = Store::open(&folder, Durability::None).unwrap();
    let log = store.create(created("/a.rhai")).unwrap();
    let run = log.run().to_owned();
    log.append(records(1, events(3).into_iter().chain([ended()])), |result| result.unwrap());
    log.flush().unwrap();
    assert_eq!(store.verify(&run).unwrap().events, 10);
    assert!(log.folder().is_dir() && store.is_alive(&run));
    let hash = store.keep_source("x").unwrap();
    assert_eq!(&*store.source(&hash).unwrap(), "x");
    drop(log);
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 1);
    assert!(!folder.exists());
}

#[test]
fn two_processes_write_at_once() {
    let home = home();
    let write = |name: &'static str| {
        let store = open(&home);
        let log = store.create(created(name)).unwrap();
        let commits = Arc::new(AtomicU64::new(0));
        for (n, event) in events(1000).into_iter().enumerate() {
            let commits = commits.clone();
            log.append(records(n as u64 + 1, [event]), move |result| {
                result.unwrap();
                commits.fetch_add(1, Ordering::Relaxed);
            });
        }
        log.flush().unwrap();
        assert_eq!(commits.load(Ordering::Relaxed), 2002);
        log.run().to_owned()
    };
    // The database is created by both as well.
    let runs: Vec<String> = std::thread::scope(|scope| {
        let both = ["/a", "/b"].map(|name| scope.spawn(move || write(name)));
        both.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let store = open(&home);
    for run in &runs {
        assert_eq!(store.verify(run).unwrap().events, 2003);
    }
}

#[test]
fn many_processes_create_the_database_at_once() {
    for _ in 0..5 {
        let home = home();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| finished_run(&open(&home)));
            }
        });
        let runs = open(&home).runs(&RunFilter::default()).unwrap();
        assert_eq!(runs.len(), 6);
        assert!(runs.iter().all(|run| run.status == RunStatus::Success));
    }
}

#[test]
fn the_end_of_a_process_is_seen_by_its_lock() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let run = log.run().to_owned();
    let status = |store: &Store| store.summary(&run).unwrap().status;
    let with = |status| RunFilter { status: Some(status), ..RunFilter::default() };
    assert_eq!(status(&store), RunStatus::Pending);
    log.append(records(1, [Event::Opened { pid: 1, host: String::new(), flow: String::new() }]), |_| ());
    log.flush().unwrap();
    assert_eq!(status(&store), RunStatus::Running);
    assert_eq!(store.runs(&with(RunStatus::Running)).unwrap().len(), 1);
    drop(log);
    assert_eq!(status(&store), RunStatus::Interrupted);
    assert_eq!(store.runs(&with(RunStatus::Interrupted)).unwrap().len(), 1);
    assert_eq!(store.runs(&with(RunStatus::Running)).unwrap().len(), 0);
    let (log, _) = store.reopen(&run).unwrap();
    log.append(records(2, [Event::Paused]), |_| ());
    drop(log);
    assert_eq!(status(&store), RunStatus::Paused);
    assert_eq!(store.newest_unfinished("/a.rhai").unwrap(), Some(run));
}

#[test]
fn runs_are_found() {
    let home = home();
    let store = open(&home);
    assert!(store.find("last").unwrap_err().message().contains("no runs yet"));
    for id in ["20260102-150405-aaaa", "20260102-150405-bbbb", "20260203-111111-cccc"] {
        let log = store.create(Created { run: id.into(), ..created(&format!("/{id}")) }).unwrap();
        assert_eq!(log.run(), id);
    }
    for (reference, found) in [
        ("last", "20260203-111111-cccc"),
        ("202602", "20260203-111111-cccc"),
        ("20260102-150405-b", "20260102-150405-bbbb"),
        ("20260102-150405-aaaa", "20260102-150405-aaaa"),
    ] {
        assert_eq!(store.find(reference).unwrap(), found);
    }
    let several = store.find("20260102").unwrap_err();
    assert_eq!(several.code(), "flow::run::unknown");
    assert!(several.message().contains("2 runs") && several.message().contains("-bbbb`"), "{several}");
    let typo = store.find("20260203-111111-ccc0").unwrap_err();
    assert!(typo.help_text().unwrap().contains("20260203-111111-cccc"), "{typo:?}");
    assert!(store.find("").is_err() && store.find("%").is_err());
    let taken = store.create(Created { run: "20260203-111111-cccc".into(), ..created("/x") }).err().unwrap();
    assert!(taken.message().contains("already"), "{taken}");

    let of = |workflow: &str| RunFilter { workflow: Some(workflow.into()), limit: Some(2), ..RunFilter::default() };
    assert_eq!(store.runs(&of("/20260102-150405-aaaa")).unwrap().len(), 1);
    assert_eq!(store.runs(&of("deploy")).unwrap().len(), 2);
    assert_eq!(store.newest_unfinished("/no").unwrap(), None);
}

#[test]
fn durations_follow_what_is_usual() {
    let home = home();
    let store = open(&home);
    for ms in [100, 200] {
        store.record_durations("deploy", &[("build/a".into(), ms), ("test".into(), 7)]).unwrap();
    }
    store.record_durations("deploy", &[("test".into(), 0)]).unwrap();
    let durations = store.durations("deploy").unwrap();
    assert_eq!((durations["build/a"], durations["test"], durations.len()), (130, 5, 2));
    assert!(store.durations("other").unwrap().is_empty());
}

#[test]
fn texts_are_kept_once() {
    let home = home();
    let store = open(&home);
    let (a, b) = (store.keep_source("a").unwrap(), store.keep_source("a").unwrap());
    assert_eq!(a, b);
    assert_eq!(&*store.source(&a).unwrap(), "a");
    assert_eq!(store.source("00").unwrap_err().code(), "flow::store::corrupt");
}

/// Figures rather than a test: `cargo test --release store::tests::figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures"]
fn figures() {
    use std::io::Write;
    let mut out = std::io::stderr();
    let home = home();
    let start = Instant::now();
    let store = open(&home);
    writeln!(out, "create the database: {:?}", start.elapsed()).unwrap();
    drop(store);
    let start = Instant::now();
    let store = open(&home);
    writeln!(out, "open it: {:?}", start.elapsed()).unwrap();
    let start = Instant::now();
    let log = store.create(created("/a")).unwrap();
    writeln!(out, "create a run: {:?}", start.elapsed()).unwrap();
    let all = records(1, events(10_000));
    let json: usize = all.iter().map(|record| serde_json::to_string(&*record.event).unwrap().len()).sum();
    let count = all.len();
    log.append(all[..2].to_vec(), |_| ());
    log.flush().unwrap();
    let start = Instant::now();
    for pair in all[2..].chunks(2) {
        log.append(pair.to_vec(), |_| ());
    }
    log.flush().unwrap();
    let took = start.elapsed();
    writeln!(out, "{count} events, {json} bytes: {took:?}").unwrap();
    let run = log.run().to_owned();

    let bare = Connection::open(home.path().join("bare.db")).unwrap();
    bare.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = normal; CREATE TABLE events (key INTEGER PRIMARY KEY, at INTEGER, event TEXT, hash BLOB)").unwrap();
    let rows: Vec<(i64, i64, String, [u8; 32])> = all[2..]
        .iter()
        .map(|record| (record.seq as i64, record.at as i64, serde_json::to_string(&*record.event).unwrap(), [7; 32]))
        .collect();
    let start = Instant::now();
    for chunk in rows.chunks(20_000) {
        bare.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = bare.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)").unwrap();
        for (key, at, json, hash) in chunk {
            insert.execute(rusqlite::params![key, at, json, hash]).unwrap();
        }
        drop(insert);
        bare.execute_batch("COMMIT").unwrap();
    }
    let limit = start.elapsed();
    writeln!(out, "bare inserts: {limit:?}; ratio {:.2}", took.as_secs_f64() / limit.as_secs_f64()).unwrap();

    let start = Instant::now();
    for n in 0..1000 {
        log.append(records(count as u64 + 1 + n, [Event::Paused]), |_| ());
        log.flush().unwrap();
    }
    writeln!(out, "one commit: {:?}", start.elapsed() / 1000).unwrap();
    drop(log);
    let start = Instant::now();
    let (log, _) = store.reopen(&run).unwrap();
    writeln!(out, "reopen: {:?}", start.elapsed()).unwrap();
    drop(log);
    let start = Instant::now();
    drop(store);
    writeln!(out, "close: {:?}", start.elapsed()).unwrap();

    let store = open(&home);
    let start = Instant::now();
    for _ in 0..2000 {
        finished_run(&store);
    }
    writeln!(out, "2000 runs: {:?}", start.elapsed()).unwrap();
    let store = Store::open_existing(&home.path().join(".flow")).unwrap().unwrap();
    let start = Instant::now();
    let runs = store.runs(&RunFilter::default()).unwrap();
    writeln!(out, "list {}: {:?}", runs.len(), start.elapsed()).unwrap();
    let start = Instant::now();
    store.records(&store.find("last").unwrap(), 0).unwrap();
    writeln!(out, "show one: {:?}", start.elapsed()).unwrap();
}
