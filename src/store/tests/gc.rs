//! Collections: what goes, what stays, and that they can be ended anywhere.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::*;
use crate::plan::File;
use crate::store::key::tests::key;
use crate::store::{Addressee, Collected, GcOptions, InPassing, Letter};

/// A run that ended at a time, with files of so many bytes.
fn run(store: &Store, file: &str, ended_at: u64, status: RunStatus, bytes: usize) -> String {
    let sources = vec![
        (file.to_owned(), store.keep_source(&format!("// {file}")).unwrap()),
        ("shared.rhai".to_owned(), store.keep_source("// shared").unwrap()),
    ];
    let log = store.create(Created { sources, ..created(file) }).unwrap();
    let mut all = records(1, events(2));
    all.push(Record { seq: 7, at: ended_at, event: Arc::new(Event::Ended { status }) });
    log.append(all, |result| result.unwrap());
    log.flush().unwrap();
    fs::create_dir_all(log.folder().join("logs")).unwrap();
    fs::write(log.folder().join("logs/0-a.1.out"), vec![b'x'; bytes]).unwrap();
    log.run().to_owned()
}

/// A run that is not over: paused, or its process is gone.
fn unfinished(store: &Store, event: Event) -> String {
    let log = store.create(created("/unfinished")).unwrap();
    log.append(records(1, events(1).into_iter().chain([event])), |result| result.unwrap());
    log.run().to_owned()
}

fn since(since: u64) -> GcOptions {
    GcOptions { since: Some(since), ..GcOptions::default() }
}

fn newest(newest: u64) -> GcOptions {
    GcOptions { newest: Some(newest), ..GcOptions::default() }
}

fn gc(store: &Store, options: &GcOptions) -> Collected {
    store.gc(options).unwrap().unwrap()
}

fn gone(done: &Collected) -> Vec<&str> {
    done.runs.iter().map(|run| &*run.run).collect()
}

fn ids(store: &Store) -> BTreeSet<String> {
    store.runs(&RunFilter::default()).unwrap().into_iter().map(|run| run.run).collect()
}

fn folders(home: &TempDir) -> BTreeSet<String> {
    let runs = fs::read_dir(home.path().join(".flow/runs")).unwrap();
    runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect()
}

/// As if all this had happened long ago.
fn long_ago(home: &TempDir) {
    meddle(home, "UPDATE sources SET kept_at = 0");
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for run in fs::read_dir(home.path().join(".flow/runs")).unwrap() {
        let run = run.unwrap().path();
        for path in [run.join("lock"), run] {
            if let Ok(file) = fs::File::open(path) {
                file.set_modified(old).unwrap();
            }
        }
    }
}

fn count(home: &TempDir, table: &str) -> i64 {
    let connection = Connection::open(home.path().join(".flow/flow.db")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn runs_go_by_time_and_by_number() {
    let home = home();
    let store = open(&home);
    let all: Vec<String> = (0..6)
        .map(|n| {
            let status = [RunStatus::Success, RunStatus::Failed, RunStatus::Cancelled][n % 3];
            run(&store, &format!("/{n}"), 1000 * (n as u64 + 1), status, 10)
        })
        .collect();
    let open_ended =
        [unfinished(&store, Event::Paused), unfinished(&store, Event::Printed { text: "interrupted".into() })];
    // Nothing said keeps all.
    assert_eq!(gc(&store, &GcOptions::default()).runs, []);
    // Both: what is neither new nor among the newest.
    let both = GcOptions { since: Some(4000), newest: Some(5), ..GcOptions::default() };
    assert_eq!(gone(&gc(&store, &both)), [&all[0]]);
    assert_eq!(gone(&gc(&store, &since(3000))), [&all[1]]);
    assert_eq!(gone(&gc(&store, &newest(2))), [&all[2], &all[3]]);
    assert_eq!(gone(&gc(&store, &newest(2))), Vec::<&str>::new());
    let done = gc(&store, &since(u64::MAX));
    assert_eq!(gone(&done), [&all[4], &all[5]]);
    assert_eq!(
        (done.runs[0].status, done.runs[0].ended_at, &*done.runs[0].workflow),
        (RunStatus::Failed, 5000, "deploy")
    );
    assert!(done.runs[0].bytes > 100 && done.files_bytes >= 20, "{done:?}");
    assert_eq!(ids(&store), open_ended.clone().into());
    assert_eq!(folders(&home), open_ended.into());
    assert_eq!(store.find("last").unwrap().len(), 20);
    assert_eq!(count(&home, "events"), 2 * 6);
    // Numbers of runs are used again; their events are not mixed up.
    let again = run(&store, "/again", 1, RunStatus::Success, 0);
    assert_eq!(store.verify(&again).unwrap().events, 8);
}

#[test]
fn what_belongs_to_nothing_goes_and_what_is_shared_stays() {
    let home = home();
    let store = open(&home);
    let (old, new) = (run(&store, "/old", 10, RunStatus::Success, 1), run(&store, "/new", 20, RunStatus::Success, 1));
    let texts = |names: &[&str]| -> Vec<bool> {
        let is_there = |name: &&str| store.source(&chain::of_text(&format!("// {name}"))).is_ok();
        names.iter().map(is_there).collect()
    };
    // One that only a later part of a plan names, and one that nothing names.
    let later = File { name: "later.rhai".into(), sha256: store.keep_source("// later").unwrap() };
    store.keep_source("// nobody").unwrap();
    let (log, past) = store.reopen(&new).unwrap();
    let growth = Growth { base: 2, files: vec![later], ..Growth::default() };
    let planned = Event::Planned { of: Some(StepId(0)), growth: Box::new(growth) };
    log.append(records(past.len() as u64, [planned, ended()]), |result| result.unwrap());
    drop(log);
    for run in [&old, &new] {
        store.sign(run, &key()).unwrap();
        let answer = crate::event::Answer::default();
        store.post(run, Letter { to: Addressee::Signal("s".into()), answer }).unwrap().unwrap();
    }
    let names = ["/old", "/new", "shared.rhai", "shared", "later", "nobody"];
    let before = texts(&names);
    assert_eq!(gone(&gc(&store, &since(15))), [&old]);
    // A text that was kept just now may be one of a run that is about to begin.
    assert_eq!(texts(&names), before);
    long_ago(&home);
    assert_eq!(gc(&store, &since(15)).sources, 2);
    assert_eq!(texts(&names), [false, true, false, true, true, false]);
    assert_eq!([count(&home, "signatures"), count(&home, "inbox"), count(&home, "removed")], [1, 1, 0]);
    assert_eq!(store.verify(&new).unwrap().files, 3);
    // Kept again, it is safe again.
    long_ago(&home);
    let again = store.keep_source("// shared").unwrap();
    assert_eq!(gone(&gc(&store, &since(u64::MAX))), [&new]);
    assert_eq!(&*store.source(&again).unwrap(), "// shared");
    assert_eq!(texts(&names), [false, false, false, true, false, false]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let home = home();
    let store = open(&home);
    let old = run(&store, "/old", 10, RunStatus::Success, 1000);
    run(&store, "/new", 20, RunStatus::Success, 1000);
    let dump = || {
        let tables = ["runs", "events", "sources", "signatures", "inbox", "results"].map(|table| count(&home, table));
        let files = fs::read_dir(home.path().join(".flow")).unwrap().count();
        (tables, folders(&home), files)
    };
    let before = dump();
    let done = gc(
        &Store::open_existing(&home.path().join(".flow")).unwrap().unwrap(),
        &GcOptions { dry_run: true, ..since(15) },
    );
    assert_eq!(gone(&done), [&old]);
    assert!(done.runs[0].bytes > 1000 && done.files_bytes >= 1000, "{done:?}");
    assert_eq!(dump(), before);
}

#[test]
fn a_run_that_somebody_works_on_stays() {
    let home = home();
    let store = open(&home);
    let old = run(&store, "/old", 10, RunStatus::Success, 1);
    // It is over, but taken up again: to be rolled back, say.
    let other = open(&home);
    let (log, _) = other.reopen(&old).unwrap();
    for options in [GcOptions { dry_run: true, ..since(15) }, since(15)] {
        let done = gc(&store, &options);
        assert_eq!((gone(&done), &done.busy), (vec![], &vec![old.clone()]));
    }
    assert_eq!(log.folder().join("logs/0-a.1.out").metadata().unwrap().len(), 1);
    // And a new one that goes on meanwhile is none of its business.
    let live = store.create(created("/live")).unwrap();
    live.append(records(1, events(1)), |result| result.unwrap());
    drop(log);
    assert_eq!(gone(&gc(&store, &since(15))), [&old]);
    live.append(records(5, [ended()]), |result| result.unwrap());
    live.flush().unwrap();
    assert_eq!(store.verify(live.run()).unwrap().events, 6);
}

#[test]
fn what_was_left_over_is_finished() {
    // Ended after each part of the removal of a run.
    for part in ["row", "row, half the folder", "row and folder", "folder"] {
        let home = home();
        let store = open(&home);
        let (old, new) =
            (run(&store, "/old", 10, RunStatus::Success, 1), run(&store, "/new", 20, RunStatus::Success, 1));
        if part.contains("row") {
            meddle(&home, "DELETE FROM events WHERE key >> 32 = 1; DELETE FROM runs WHERE number = 1");
            meddle(&home, &format!("INSERT INTO removed VALUES ('{old}')"));
        }
        let folder = store.run_folder(&old);
        match part {
            "row" => {}
            "row, half the folder" => fs::remove_dir_all(folder.join("logs")).unwrap(),
            _ => fs::remove_dir_all(&folder).unwrap(),
        }
        let done = gc(&store, &since(15));
        assert_eq!(done.failed, Vec::<String>::new());
        assert_eq!(ids(&store), [new.clone()].into(), "{part}");
        assert_eq!(folders(&home), [new.clone()].into(), "{part}");
        assert_eq!([count(&home, "removed"), count(&home, "events")], [0, 8], "{part}");
        assert_eq!(gone(&gc(&store, &since(15))), Vec::<&str>::new());
    }
}

#[test]
fn halves_of_other_origin_go_too() {
    let home = home();
    let store = open(&home);
    let (kept, bare) = (run(&store, "/a", 10, RunStatus::Success, 1), run(&store, "/b", 20, RunStatus::Failed, 1));
    let paused = unfinished(&store, Event::Paused);
    let runs = home.path().join(".flow/runs");
    // A folder that is just being made stays; so does one that somebody works in, and a file.
    for name in ["20260101-000000-aaaa", "20260101-000000-bbbb", "20260101-000000-cccc"] {
        fs::create_dir(runs.join(name)).unwrap();
        fs::write(runs.join(name).join("lock"), "1").unwrap();
    }
    fs::write(runs.join("note"), "mine").unwrap();
    long_ago(&home);
    let held = fs::File::open(runs.join("20260101-000000-bbbb/lock")).unwrap();
    held.try_lock().unwrap();
    fs::write(runs.join("20260101-000000-cccc/lock"), "2").unwrap();
    fs::remove_dir_all(runs.join(&bare)).unwrap();
    fs::remove_dir_all(runs.join(&paused)).unwrap();
    meddle(&home, "INSERT INTO events SELECT key + (90 << 32), at, event, hash FROM events WHERE key >> 32 = 1");
    let all = GcOptions { since: Some(0), ..GcOptions::default() };
    let done = gc(&store, &all);
    // A finished run without its folder goes whatever is to be kept; an unfinished one never.
    assert_eq!((gone(&done), done.runs[0].without_folder, done.folders), (vec![&*bare], true, 1));
    assert_eq!(ids(&store), [kept.clone(), paused.clone()].into());
    let stay = ["20260101-000000-bbbb", "20260101-000000-cccc", "note"].map(str::to_owned);
    assert_eq!(folders(&home), stay.into_iter().chain([kept]).collect());
    assert_eq!(count(&home, "events"), 8 + 6);
    // A database without any folder is one that was put elsewhere: nothing is missing there.
    fs::remove_dir_all(&runs).unwrap();
    assert_eq!(gone(&gc(&store, &all)), Vec::<&str>::new());
}

#[test]
fn the_database_becomes_smaller_when_nobody_works() {
    let home = home();
    let store = open(&home);
    for n in 0..40 {
        let log = store.create(created(&format!("/{n}"))).unwrap();
        let text = Event::Printed { text: "x".repeat(20_000) };
        log.append(records(1, events(1).into_iter().chain([text, ended()])), |result| result.unwrap());
    }
    let live = store.create(created("/live")).unwrap();
    let done = gc(&store, &newest(20));
    assert_eq!(done.runs.len(), 20);
    assert!(done.database_free > 300_000, "{done:?}");
    drop(live);
    let done = gc(&store, &newest(1));
    assert_eq!(done.runs.len(), 19);
    assert!(done.database_free < 65_536 && done.database_after < 300_000, "{done:?}");
    assert!(done.database_before > done.database_after + 700_000, "{done:?}");
    // The same store goes on.
    let next = finished_run(&store);
    assert_eq!(store.verify(&next).unwrap().events, 10);
}

#[test]
fn in_passing_it_is_done_rarely_and_not_for_long() {
    let home = home();
    let store = open(&home);
    let old = run(&store, "/old", 10, RunStatus::Success, 1);
    let passing = |every, most| GcOptions { in_passing: Some(InPassing { every, most }), ..since(15) };
    let hour = Duration::from_secs(3600);
    let done = store.gc(&passing(hour, Duration::ZERO)).unwrap().unwrap();
    assert!(done.unfinished && done.runs.is_empty(), "{done:?}");
    assert_eq!(store.gc(&passing(hour, hour)).unwrap(), None);
    let marker = home.path().join(".flow/gc");
    fs::File::options().write(true).open(&marker).unwrap().set_modified(SystemTime::now() - 2 * hour).unwrap();
    // Somebody else is at it.
    let other = fs::File::open(&marker).unwrap();
    other.lock().unwrap();
    assert_eq!(store.gc(&passing(hour, hour)).unwrap(), None);
    drop(other);
    assert_eq!(gone(&store.gc(&passing(hour, hour)).unwrap().unwrap()), [&old]);
    // Whoever asks for it need not wait.
    assert!(store.gc(&since(15)).unwrap().is_some());
}

#[test]
fn two_at_once_and_runs_beside_them() {
    let home = home();
    let store = open(&home);
    for n in 0..120 {
        run(&store, &format!("/{n}"), n + 1, RunStatus::Success, 10);
    }
    drop(store);
    let left: Vec<usize> = std::thread::scope(|scope| {
        let collect = |_| scope.spawn(|| gc(&open(&home), &since(100)).runs.len());
        let collecting: Vec<_> = (0..2).map(collect).collect();
        let working = scope.spawn(|| {
            let store = open(&home);
            for _ in 0..20 {
                let run = finished_run(&store);
                assert_eq!(store.verify(&run).unwrap().events, 10);
            }
        });
        working.join().unwrap();
        collecting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(left.iter().sum::<usize>(), 99);
    let store = open(&home);
    assert_eq!(ids(&store).len(), 21 + 20);
    assert_eq!(ids(&store), folders(&home));
    for run in ids(&store) {
        store.verify(&run).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_removed_is_told_and_tried_again() {
    let home = home();
    let store = open(&home);
    let old = run(&store, "/old", 10, RunStatus::Success, 1);
    let done = gc(&store, &since(15));
    assert_eq!(gone(&done), [&old]);
    // A file stands where the folder was: as good as one that may not be removed.
    meddle(&home, &format!("INSERT INTO removed VALUES ('{old}')"));
    fs::write(store.run_folder(&old), "x").unwrap();
    let done = gc(&store, &since(15));
    assert!(done.failed[0].starts_with("cannot remove"), "{done:?}");
    assert_eq!(count(&home, "removed"), 1);
    fs::remove_file(store.run_folder(&old)).unwrap();
    assert_eq!(gc(&store, &since(15)).failed, Vec::<String>::new());
    assert_eq!(count(&home, "removed"), 0);
}
