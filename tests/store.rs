//! The store between real processes: several that write at once, and one that is killed.
//!
//! A child is this test binary again, told by its environment what to do.

// A child talks to its parent by its standard output.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use flow::event::{Created, Event, Failure, FailureKind, Outcome, Record, RunStatus};
use flow::plan::{Breaker, Growth, Header, StepId};
use flow::state::breaker::{Admission, Passer};
use flow::store::{Durability, RunFilter, RunLog, Store};

const ROLE: &str = "FLOW_TEST_ROLE";
const HOME: &str = "FLOW_TEST_HOME";

fn child(role: &str, home: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["as_a_child", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(HOME, home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what a child does.
#[test]
fn as_a_child() {
    let (Ok(role), Some(home)) = (std::env::var(ROLE), std::env::var_os(HOME)) else { return };
    let store = Store::open(Path::new(&home), Durability::Normal).unwrap();
    let log = create(&store);
    match role.as_str() {
        "write" => {
            for seq in 1..=1000 {
                log.append(vec![record(seq)], |result| result.unwrap());
                if seq % 7 == 0 {
                    log.flush().unwrap();
                }
            }
            log.flush().unwrap();
        }
        "write until killed" => {
            println!("\nrun {}", log.run());
            for seq in 1.. {
                log.append(vec![record(seq)], move |result| {
                    result.unwrap();
                    println!("{seq}");
                });
                // Now and then alone, now and then many in one transaction.
                if seq % 50 < 25 {
                    log.flush().unwrap();
                }
            }
        }
        "try" => {
            let who = Passer { run: log.run().to_owned(), step: 0, attempt: 1 };
            match store.admit("payments", &who).unwrap() {
                Admission::Go => println!("\npassed"),
                Admission::Try => println!("\ntries"),
                Admission::Refused(..) => println!("\nrefused"),
            }
        }
        role => panic!("{role}"),
    }
}

fn create(store: &Store) -> RunLog {
    store.create(Created { workflow: "w".into(), file: "/w.rhai".into(), version: 1, ..Created::default() }).unwrap()
}

fn record(seq: u64) -> Record {
    Record { seq, at: 1_767_366_245_000 + seq, event: Arc::new(Event::Printed { text: format!("line {seq}") }) }
}

#[test]
fn processes_write_at_once_on_a_database_that_they_create() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(".flow");
    let children: Vec<Child> = (0..4).map(|_| child("write", &home)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = Store::open_existing(&home).unwrap().unwrap();
    let runs = store.runs(&RunFilter::default()).unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        assert_eq!(store.verify(&run.run).unwrap().events, 1001);
        assert_eq!(run.status, RunStatus::Interrupted);
    }
}

#[test]
fn of_many_processes_one_tries_an_open_breaker() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(".flow");
    let mut header = Header::default();
    header.breakers.insert("payments".into(), Breaker { threshold: 1, window_ms: 1_000, reset_ms: 3_600_000 });
    let growth = Growth { header: Some(Box::new(header)), ..Growth::default() };
    let failed = Outcome {
        error: Some(Failure::new(FailureKind::Connection, "no answer")),
        breaker: Some("payments".into()),
        ..Outcome::default()
    };
    // It was opened long ago.
    let events = [
        Event::Planned { of: None, growth: Box::new(growth) },
        Event::Finished { step: StepId(0), attempt: 1, outcome: Arc::new(failed) },
    ];
    let log = create(&Store::open(&home, Durability::Normal).unwrap());
    let record = |(seq, event)| Record { seq, at: 1_767_366_245_000, event: Arc::new(event) };
    log.append((1..).zip(events).map(record).collect(), |result| result.unwrap());
    log.flush().unwrap();

    let children: Vec<Child> = (0..4).map(|_| child("try", &home)).collect();
    let mut said: Vec<String> = Vec::new();
    for child in children {
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let word = output.lines().find(|line| matches!(*line, "passed" | "tries" | "refused")).unwrap();
        said.push(word.to_owned());
    }
    said.sort();
    assert_eq!(said, ["refused", "refused", "refused", "tries"]);
}

#[test]
fn a_killed_process_loses_nothing_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(".flow");
    for lines in [1, 10, 333, 1000] {
        let mut child = child("write until killed", &home);
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let run = output.find_map(|line| line.strip_prefix("run ").map(str::to_owned)).unwrap();
        let mut said: Vec<u64> = output.by_ref().take(lines).map(|line| line.parse().unwrap()).collect();

        let store = Store::open(&home, Durability::Normal).unwrap();
        assert!(store.is_alive(&run));
        let busy = store.reopen(&run).err().unwrap();
        assert_eq!(busy.code(), "flow::run::busy");
        assert!(busy.message().contains(&child.id().to_string()), "{busy}");

        child.kill().unwrap();
        child.wait().unwrap();
        // The last line may have been cut off.
        said.extend(output.map_while(|line| line.parse::<u64>().ok()));
        said.pop();
        assert_eq!(store.summary(&run).unwrap().status, RunStatus::Interrupted);
        let (log, records) = store.reopen(&run).unwrap();
        assert!(records.len() > said.len());
        assert_eq!(records[1..=said.len()], (1..=said.len() as u64).map(record).collect::<Vec<_>>());
        log.append(vec![record(records.len() as u64)], |result| result.unwrap());
        log.flush().unwrap();
        assert_eq!(store.verify(&run).unwrap().events, records.len() as u64 + 1);
    }
}
