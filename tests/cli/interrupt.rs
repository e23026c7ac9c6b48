//! Ctrl-C, cancelling and resuming.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::transcript::Session;

/// A run under way, with a step that would take for ever if the file `go` were not there.
struct Going {
    session: Session,
    child: Killed,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    events: Vec<serde_json::Value>,
}

/// A process that does not outlive a failed test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Mostly it has ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Going {
    /// Starts the run and waits until its step has begun.
    fn start(script: &str) -> Self {
        let session = Session::new();
        session.file("slow.rhai", script);
        let mut command = session.command("flow");
        command.args(["script", "slow.rhai", "--events", "-"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().expect("flow starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut going = Going { session, child: Killed(child), lines, events: Vec::new() };
        going.until("started");
        going
    }

    /// Reads events up to one of this type.
    fn until(&mut self, wanted: &str) {
        for line in self.lines.by_ref() {
            let event: serde_json::Value = serde_json::from_str(&line.expect("text")).expect("an object");
            let found = event["type"] == wanted;
            self.events.push(event);
            if found {
                return;
            }
        }
        panic!("the run ended without `{wanted}`: {:?}", self.events);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.0.id() as i32).expect("a process");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for the end. Gives exit code and standard error.
    fn end(mut self) -> (Option<i32>, String, Session) {
        for line in self.lines.by_ref() {
            drop(line);
        }
        let mut stderr = String::new();
        self.child.0.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("text");
        (self.child.0.wait().expect("it ends").code(), stderr, self.session)
    }
}

/// Waits for a file without end, unless the file `go` is there already.
const SLOW: &str = r#"sh("slow", "test -e go || exec sleep 1000") -> sh("after", "echo done");"#;
/// Does not listen to SIGTERM.
const DEAF: &str = r#"sh("deaf", "trap '' TERM; test -e go || while :; do sleep 0.05; done");"#;

#[test]
fn ctrl_c_stops_gently_and_the_run_can_be_resumed() {
    let mut going = Going::start(SLOW);
    going.signal(Signal::INT);
    going.until("stopping");
    let (code, stderr, session) = going.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("press Ctrl-C again to kill") && stderr.contains("flow resume "), "{stderr}");
    session.file("go", "");
    let resumed = session.run("flow resume last");
    let stderr = String::from_utf8_lossy(&resumed.stderr);
    assert_eq!(resumed.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("slow: attempt 2 started") && stderr.contains("after: done"), "{stderr}");
    let why = session.run("flow why last slow");
    assert!(String::from_utf8_lossy(&why.stdout).contains("Attempt 1 was interrupted"), "{why:?}");
}

#[test]
fn resume_last_takes_up_the_unfinished_run_of_the_file() {
    let mut going = Going::start(SLOW);
    going.signal(Signal::INT);
    going.until("stopping");
    let (.., session) = going.end();
    session.file("go", "");
    for (times, runs) in [(1, 1), (2, 2)] {
        let output = session.run("flow script slow.rhai --resume last --quiet");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let listed: serde_json::Value =
            serde_json::from_slice(&session.run("flow runs --json").stdout).expect("an array");
        assert_eq!(listed.as_array().map(Vec::len), Some(runs), "after {times} times");
    }
}

#[test]
fn ctrl_c_twice_kills() {
    let mut going = Going::start(DEAF);
    going.signal(Signal::INT);
    going.until("stopping");
    going.signal(Signal::INT);
    let (code, stderr, _session) = going.end();
    assert_eq!(code, Some(130), "{stderr}");
}

#[test]
fn a_run_of_another_process_can_be_looked_at_and_cancelled() {
    let going = Going::start(SLOW);
    let session = &going.session;
    let shown = String::from_utf8_lossy(&session.run("flow show last").stdout).into_owned();
    assert!(shown.starts_with("slow running") && shown.contains("▸ slow"), "{shown}");
    let why = String::from_utf8_lossy(&session.run("flow why last after").stdout).into_owned();
    assert!(why.contains("It waits for:") && why.contains("slow: running for"), "{why}");
    let cancelled = session.run("flow cancel last");
    assert!(String::from_utf8_lossy(&cancelled.stderr).contains("cancelled"), "{cancelled:?}");
    let (code, stderr, session) = going.end();
    assert_eq!(code, Some(1), "{stderr}");
    let again = session.run("flow cancel last");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
}

#[test]
fn logs_can_be_followed() {
    let going = Going::start(r#"sh("tick", "echo one; while ! test -e go; do sleep 0.02; done; echo two");"#);
    let mut logs = going.session.command("flow");
    let mut logs = Killed(logs.args(["logs", "last", "-f"]).stdout(Stdio::piped()).spawn().expect("flow starts"));
    let mut lines = BufReader::new(logs.0.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("tick │ one"));
    going.session.file("go", "");
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("tick │ two"));
    assert!(lines.next().is_none());
    assert!(logs.0.wait().expect("it ends").success());
    assert_eq!(going.end().0, Some(0));
}
