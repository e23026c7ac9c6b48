//! A folder in which the built program runs pipelines, and what it leaves there.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use flow::event::Reached;
use flow::flow::{Flow, Options};
use flow::plan::Json;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest time that anything here may take: a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// With a script in `test.rhai`, whose pipeline is called `p`.
    pub fn with(script: &str) -> Self {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.write("test.rhai", script);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// The whole lines of a file; none if it is not there.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| Some(line.strip_suffix('\n')?.into())).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
        for name in ["FLOW_HOME", "FLOW_RUN", "FLOW_STEP", "RUST_LOG", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub fn flow(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().unwrap())
    }

    /// What a step wrote to its standard error, or its closures have printed, says `flow logs`.
    pub fn said(&self, step: &str) -> String {
        self.flow(&["logs", "last", step, "--stderr"]).out
    }

    /// Runs the script to its end.
    pub fn run(&self) -> Ended {
        self.flow(&["script", "test.rhai", "--json", "--quiet"])
    }

    /// Begins the script, or takes its run up, in the background.
    pub fn start(&self) -> Going {
        let args = ["script", "test.rhai", "--resume", "last", "--json", "--quiet"];
        let child = self.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Going(Some(child))
    }

    /// What the log says of the pipeline: how far it is.
    pub fn reached(&self) -> Option<Reached> {
        let flow = Flow::open(Options { home: Some(self.path(".flow")), ..Options::default() }).unwrap();
        let state = flow.state("last").ok()?;
        let step = *state.plan.find("p").first()?;
        state.step(step).flowed.as_ref()?.reached.as_deref().cloned()
    }

    /// The status of the latest run; nothing if there is none.
    pub fn status(&self) -> Option<String> {
        let runs: Json = serde_json::from_str(&self.flow(&["runs", "--json"]).out).unwrap();
        runs[0]["status"].as_str().map(str::to_owned)
    }

    /// The dead letters of the only run here.
    pub fn dead_letters(&self) -> Vec<Json> {
        let runs = std::fs::read_dir(self.path(".flow/runs")).unwrap().flatten();
        let logs = runs.flat_map(|run| std::fs::read_dir(run.path().join("logs")).into_iter().flatten().flatten());
        let file = logs.map(|log| log.path()).find(|path| path.to_string_lossy().ends_with(".dead.ndjson"));
        let text = file.map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A program in the background, ended with the test.
pub struct Going(Option<Child>);

impl Going {
    pub fn is_over(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    pub fn interrupt(&self) {
        let pid = Pid::from_raw(self.0.as_ref().unwrap().id() as i32).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        ended(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What became of a program.
pub struct Ended {
    code: Option<i32>,
    out: String,
    pub err: String,
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

impl Ended {
    /// It must have ended with this code. Gives what is told of the pipeline.
    #[track_caller]
    pub fn code(&self, code: i32) -> Json {
        assert_eq!(self.code, Some(code), "--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        let told: Json = serde_json::from_str(&self.out).unwrap_or_default();
        told["steps"]["p"].clone()
    }

    #[track_caller]
    pub fn ok(&self) -> Json {
        self.code(0)
    }
}

/// Waits until there is an answer.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Some(answer) => return answer,
            None => assert!(begun.elapsed() < PATIENCE, "waited too long: {what}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
