//! The store between real processes: several that write at once, and one that is killed.
//!
//! A child is this test binary again, told by its environment what to do.

// A child talks to its parent by its standard output.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use flow::event::{Created, Event, Record, RunStatus};
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
