//! A run whose process is told to end, or is killed, from outside. The process is this test program once more.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flow::event::RunStatus;
use flow::flow::{Flow, Options, ResumeOptions, RunOptions, Script};
use flow::state::Status;

const SCRIPT: &str = r#"
    let a = sh("a", "echo a >> lines");
    let b = sh("b", "echo $$ > pid; echo b >> lines; [ $FLOW_ATTEMPT = 2 ] || sleep 60");
    a -> b -> sh("c", "echo c >> lines");
"#;

fn open(folder: &Path) -> Flow {
    Flow::open(Options { home: Some(folder.join("home")), ..Options::default() }).expect("a flow")
}

/// Not a test of its own: what the process of the other tests does.
#[test]
#[ignore = "it is run by the other tests, in a process of its own"]
fn child() {
    let folder = std::env::var_os("TEST_FOLDER").expect("the folder");
    let folder = Path::new(&folder);
    let options = RunOptions { cwd: Some(folder.to_owned()), signals: true, ..RunOptions::default() };
    let script = std::env::var("TEST_SCRIPT").unwrap_or_else(|_| SCRIPT.to_owned());
    let running = open(folder).run(&Script::from_text("test", script), options).expect("it begins");
    running.wait().expect("a state");
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "outside::child", "--ignored"]).env("TEST_FOLDER", folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(folder: &Path) -> Child {
    let child = command(folder).spawn().expect("a process");
    let begun = Instant::now();
    while !fs::read_to_string(folder.join("lines")).is_ok_and(|lines| lines.ends_with("b\n")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run does not begin");
        std::thread::yield_now();
    }
    child
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a number");
    rustix::process::kill_process(pid, signal).expect("it is there");
}

fn leader_is_alive(folder: &Path) -> bool {
    let pid = fs::read_to_string(folder.join("pid")).expect("a number");
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_run_of_another_process_is_cancelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(folder.path());
    let flow = open(folder.path());
    assert_eq!(flow.summary("last").expect("a run").status, RunStatus::Running);
    flow.cancel("last").expect("it is asked");
    assert!(child.wait().expect("its end").success());
    let state = flow.state("last").expect("a state");
    assert_eq!(state.status, RunStatus::Cancelled);
    let status: Vec<Status> = state.steps.iter().map(|step| step.status).filter(|s| *s != Status::Success).collect();
    assert!(status.iter().all(|status| *status == Status::Cancelled), "{status:?}");
    assert!(!leader_is_alive(folder.path()));
}

#[test]
fn a_process_that_is_asked_to_end_leaves_a_run_to_be_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(folder.path());
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().expect("its end").success());
    let flow = open(folder.path());
    assert_eq!(flow.summary("last").expect("a run").status, RunStatus::Paused);
    assert!(!leader_is_alive(folder.path()));
}

#[test]
fn a_killed_process_leaves_a_run_to_be_resumed_and_what_it_ran_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(folder.path());
    signal(&child, rustix::process::Signal::KILL);
    child.wait().expect("its end");
    let flow = open(folder.path());
    assert_eq!(flow.summary("last").expect("a run").status, RunStatus::Interrupted);
    let begun = Instant::now();
    while leader_is_alive(folder.path()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody ends what the run has left behind");
        std::thread::yield_now();
    }
    let running = flow.resume("last", ResumeOptions::default()).expect("it goes on");
    assert_eq!(running.wait().expect("a state").status, RunStatus::Success);
    assert_eq!(fs::read_to_string(folder.path().join("lines")).expect("lines"), "a\nb\nb\nc\n");
    flow.verify("last").expect("in order");
}

#[test]
fn what_a_run_leaves_behind_on_purpose_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "sh(\"serve\", \"sleep 60 & echo $! > pid\");";
    let status = command(folder.path()).env("TEST_SCRIPT", script).status().expect("it ends");
    assert!(status.success());
    assert_eq!(open(folder.path()).summary("last").expect("a run").status, RunStatus::Success);
    let run = open(folder.path()).find("last").expect("a run");
    let watches = |entry: std::io::Result<fs::DirEntry>| {
        let line = fs::read(entry.expect("an entry").path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("FLOW_RUN={run}"))
    };
    assert!(!fs::read_dir("/proc").expect("processes").any(watches), "the watchdog is still there");
    assert!(leader_is_alive(folder.path()));
    flow::exec::end_marked(&run, "serve", 1);
    assert!(!leader_is_alive(folder.path()));
}
