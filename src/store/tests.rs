//! The store as the rooms above use it, with faults that only its inside can make.

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
fn verify_names_what_was_changed() {
    let changes = [
        ("UPDATE events SET at = at + 1 WHERE key & 0xffff = 4", "event 4 of run `RUN` (`finished`), or event 3"),
        ("UPDATE events SET at = 'x' WHERE key & 0xffff = 4", "event 4 of run `RUN` (`finished`)"),
        ("UPDATE events SET event = replace(event, '42', '43') WHERE key & 0xffff = 4", "event 4 of run"),
        ("UPDATE events SET event = 'x' WHERE key & 0xffff = 4", "event 4 of run `RUN` (not readable)"),
        ("UPDATE events SET hash = zeroblob(32) WHERE key & 0xffff = 3", "event 3 of run `RUN` (`started`)"),
        ("UPDATE events SET key = key + 10 WHERE key & 0xffff = 5", "event 5 of run `RUN` is missing"),
        ("DELETE FROM events WHERE key & 0xffff = 0", "event 0 of run `RUN` is missing"),
        (
            "DELETE FROM events WHERE key & 0xffff = 9",
            "run `RUN` had 10 events, its log ends with event 8 (`finished`)",
        ),
        ("UPDATE events SET event = replace(event, 'deploy', 'destroy') WHERE key & 0xffff = 0", "event 0 of run"),
        ("UPDATE runs SET workflow = 'x'", "`workflow` is not what its events say"),
        ("UPDATE runs SET file = 'x'", "`file` is not"),
        ("UPDATE runs SET status = 'failed'", "`status` is not"),
        ("UPDATE runs SET created_at = 1", "`created_at` is not"),
        ("UPDATE runs SET updated_at = 1", "`updated_at` is not"),
        ("UPDATE runs SET ended_at = NULL", "`ended_at` is not"),
        ("UPDATE runs SET events = 1", "`events` is not"),
        ("UPDATE runs SET head = zeroblob(32)", "`head` is not"),
        ("UPDATE runs SET failed = 1", "`steps` is not"),
        ("UPDATE sources SET text = 'rm -rf /'", "the text of `a.rhai`"),
    ];
    for (change, expected) in changes {
        let home = home();
        let store = open(&home);
        let sources = vec![("a.rhai".to_owned(), store.keep_source("sh(\"a\", \"true\")").unwrap())];
        let log = store.create(Created { sources, ..created("/a.rhai") }).unwrap();
        log.append(records(1, events(3).into_iter().chain([ended()])), |result| result.unwrap());
        let run = log.run().to_owned();
        drop(log);
        assert_eq!(store.verify(&run).unwrap().files, 1);
        meddle(&home, change);
        let error = store.verify(&run).unwrap_err();
        assert_eq!(error.code(), "flow::store::tampered", "{change}: {error}");
        assert!(error.message().contains(&expected.replace("RUN", &run)), "{change}: {error}");
        if !change.contains("sources") {
            assert_eq!(store.reopen(&run).err().unwrap().code(), "flow::store::tampered", "{change}");
        }
    }
}

#[test]
fn verify_reads_the_files_of_a_run() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let file = crate::event::Log { file: "out".into(), bytes: 3, sha256: chain::of_text("abc") };
    let outcome =
        Outcome { stdout: Some(file.clone()), output: Output::File { log: file, json: false }, ..Outcome::default() };
    let mut all = events(1);
    all[3] = Event::Finished { step: StepId(0), attempt: 1, outcome: Arc::new(outcome) };
    log.append(records(1, all), |result| result.unwrap());
    log.flush().unwrap();
    assert_eq!(store.verify(log.run()).unwrap().missing, ["out"]);
    fs::write(log.folder().join("out"), "abc").unwrap();
    let verified = store.verify(log.run()).unwrap();
    assert_eq!((verified.files, verified.missing.len()), (1, 0));
    fs::write(log.folder().join("out"), "abd").unwrap();
    let error = store.verify(log.run()).unwrap_err();
    assert!(error.message().contains("the file `out`") && error.message().contains("event 4"), "{error}");
}

#[test]
fn a_gap_in_the_numbers_is_refused_for_good() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let (tell, told) = crossbeam_channel::unbounded();
    for seq in [1, 3, 2] {
        let tell = tell.clone();
        log.append(records(seq, [Event::Paused]), move |result| tell.send(result.is_ok()).unwrap());
    }
    assert_eq!(log.flush().unwrap_err().code(), "flow::store::write");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(store.verify(log.run()).unwrap().events, 2);
}

#[test]
fn a_full_disk_stops_the_run_and_nothing_is_lost() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    store
        .write(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 3), [], |_| Ok(()))
        })
        .unwrap();
    let committed = Arc::new(AtomicU64::new(1));
    for (n, event) in events(1000).into_iter().enumerate() {
        let committed = committed.clone();
        log.append(records(n as u64 + 1, [event]), move |result| match result {
            Ok(()) => assert_eq!(committed.swap(n as u64 + 2, Ordering::Relaxed), n as u64 + 1),
            Err(error) => assert_eq!(error.code(), "flow::store::write"),
        });
        if n % 10 == 0 {
            let _ = log.flush();
        }
    }
    let error = log.flush().unwrap_err();
    assert!(error.message().contains("the disk is full") && error.help_text().is_some(), "{error}");
    let run = log.run().to_owned();
    drop(log);
    assert!(store.create(created(&"/b".repeat(10_000))).is_err());
    drop(store);

    // There is room again.
    let store = open(&home);
    assert_eq!(store.verify(&run).unwrap().events, committed.load(Ordering::Relaxed));
    let (log, records) = store.reopen(&run).unwrap();
    assert_eq!(records.len() as u64, committed.load(Ordering::Relaxed));
    log.flush().unwrap();
}

#[test]
fn a_newer_database_is_left_alone() {
    let home = home();
    finished_run(&open(&home));
    meddle(&home, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
    let path = home.path().join(".flow/flow.db");
    let before = fs::read(&path).unwrap();
    for error in [
        Store::open(path.parent().unwrap(), Durability::Full).err().unwrap(),
        Store::open_existing(path.parent().unwrap()).err().unwrap(),
    ] {
        assert_eq!(error.code(), "flow::store::newer");
        assert!(error.message().contains("version 99, this one knows 1"), "{error}");
    }
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let home = home();
    fs::create_dir(home.path().join(".flow")).unwrap();
    meddle(&home, "CREATE TABLE shopping (item)");
    let path = home.path().join(".flow/flow.db");
    let before = fs::read(&path).unwrap();
    let error = Store::open(path.parent().unwrap(), Durability::Normal).err().unwrap();
    assert_eq!(error.code(), "flow::store::open");
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn wrong_places_are_named() {
    let home = home();
    let path = home.path().join(".flow");
    let codes = |path: &Path| {
        [Store::open(path, Durability::Normal).err(), Store::open_existing(path).err()]
            .map(|error| error.map(|error| (error.code(), error.help_text().is_some())))
    };
    // A file in place of the folder; a folder below a file.
    fs::write(&path, "x").unwrap();
    assert_eq!(codes(&path)[0], Some(("flow::store::write", true)));
    assert_eq!(codes(&path.join("deeper"))[0], Some(("flow::store::write", true)));
    assert!(codes(&path)[1].is_none_or(|(code, help)| code == "flow::store::open" && help));
    fs::remove_file(&path).unwrap();
    // A folder in place of the database.
    fs::create_dir_all(path.join("flow.db")).unwrap();
    assert_eq!(codes(&path), [Some(("flow::store::open", true)); 2]);
    fs::remove_dir(path.join("flow.db")).unwrap();
    // Something else in place of the database.
    fs::write(path.join("flow.db"), "not a database, but long enough to have a header of 100 bytes".repeat(9)).unwrap();
    assert_eq!(codes(&path), [Some(("flow::store::corrupt", true)); 2]);
    fs::remove_file(path.join("flow.db")).unwrap();
    // A file in place of the runs' folder.
    fs::write(path.join("runs"), "x").unwrap();
    let error = open(&home).create(created("/a")).err().unwrap();
    assert_eq!((error.code(), error.help_text().is_some()), ("flow::store::write", true));
}

#[test]
fn a_database_that_somebody_keeps_locked_is_an_error_for_who_reads() {
    let home = home();
    finished_run(&open(&home));
    meddle(&home, "PRAGMA journal_mode = delete");
    let path = home.path().join(".flow/flow.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = Store::open_with(path.parent().unwrap(), Durability::Normal, Duration::from_millis(20)).err().unwrap();
    assert_eq!(error.code(), "flow::store::open");
    assert!(error.message().contains("keeps it locked"), "{error}");
}

#[test]
fn who_writes_waits_for_a_locked_database() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let other = Connection::open(home.path().join(".flow/flow.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = crossbeam_channel::bounded(1);
    log.append(records(1, [Event::Paused]), move |result| tell.send(result.is_ok()).unwrap());
    assert!(told.recv_timeout(Duration::from_millis(30)).is_err());
    other.execute_batch("COMMIT").unwrap();
    assert!(told.recv().unwrap());
}

#[test]
fn damaged_pages_are_named_and_nothing_panics() {
    let home = home();
    let run = {
        let store = open(&home);
        let log = store.create(created("/a.rhai")).unwrap();
        log.append(records(1, events(500)), |result| result.unwrap());
        log.run().to_owned()
    };
    meddle(&home, "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = home.path().join(".flow/flow.db");
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let mut codes = std::collections::BTreeSet::new();
    for page in 0..pages {
        for kind in ["zero", "noise", "cut"] {
            let mut bytes = whole.clone();
            match kind {
                "zero" => bytes[page * 4096..][..4096].fill(0),
                "noise" => bytes[page * 4096..][..4096].iter_mut().for_each(|byte| *byte ^= 0x5a),
                _ => bytes.truncate(page * 4096 + 100),
            }
            fs::write(&path, bytes).unwrap();
            let _ = fs::remove_file(wal(&path));
            let found = Store::open(path.parent().unwrap(), Durability::Normal).and_then(|store| store.verify(&run));
            match found {
                // Pages that hold nothing of this run.
                Ok(verified) => assert_eq!(verified.events, 1003),
                Err(error) => {
                    assert!(error.help_text().is_some(), "{error}");
                    codes.insert(error.code());
                }
            }
        }
    }
    let known = ["flow::run::unknown", "flow::store::corrupt", "flow::store::open", "flow::store::tampered"];
    assert!(codes.iter().all(|code| known.contains(code)), "{codes:?}");
    assert!(codes.contains("flow::store::corrupt"));
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

    let start = Instant::now();
    let mut buffer = Vec::new();
    for record in &all[2..] {
        serde_json::to_writer(&mut buffer, &*record.event).unwrap();
    }
    writeln!(out, "  JSON: {:?}", start.elapsed()).unwrap();
    let start = Instant::now();
    let mut head = chain::start("x");
    for (n, bytes) in buffer.chunks(buffer.len() / (count - 2)).enumerate() {
        head = chain::next(&head, n as u64, 1_767_366_245_000, bytes);
    }
    writeln!(out, "  SHA-256: {:?} {head:?}", start.elapsed()).unwrap();

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

    for many in [1, 4, 16, 64] {
        bare.execute_batch("DELETE FROM events").unwrap();
        let sql = format!("INSERT INTO events VALUES {}", vec!["(?, ?, ?, ?)"; many].join(", "));
        let start = Instant::now();
        bare.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = bare.prepare_cached(&sql).unwrap();
        for chunk in rows.chunks_exact(many) {
            let mut n = 1;
            for (key, at, json, hash) in chunk {
                insert.raw_bind_parameter(n, key).unwrap();
                insert.raw_bind_parameter(n + 1, at).unwrap();
                insert.raw_bind_parameter(n + 2, json).unwrap();
                insert.raw_bind_parameter(n + 3, hash).unwrap();
                n += 4;
            }
            insert.raw_execute().unwrap();
        }
        drop(insert);
        bare.execute_batch("COMMIT").unwrap();
        writeln!(out, "  {many} rows a statement: {:?}", start.elapsed()).unwrap();
    }

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

/// What `docs/log-format.md` tells others to do, done as it says (where there is a Python to do it).
#[test]
fn the_documented_check_finds_the_log_as_written() {
    let home = home();
    let store = open(&home);
    let run = finished_run(&store);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/log-format.md")).unwrap();
    let code: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("    import"))
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let code = code.join("\n");
    let check = || {
        let python = std::process::Command::new("python3").args(["-c", &code, &run]).current_dir(home.path()).output();
        python.ok().map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let Some(found) = check() else { return };
    assert_eq!(found, format!("as written {}\n", store.verify(&run).unwrap().head));
    meddle(&home, "UPDATE events SET at = at + 1 WHERE key & 0xffff = 4");
    assert_eq!(check().unwrap(), "event 4 is not what was written\n");
    meddle(&home, "UPDATE events SET at = at - 1 WHERE key & 0xffff = 4; DELETE FROM events WHERE key & 0xffff = 9");
    assert!(check().unwrap().starts_with("the end is missing"));
}
