//! A folder in which the built program is used.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use flow::plan::Json;
use tempfile::TempDir;

/// Longest time that anything here may take: a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// With a script in `test.rhai`.
    pub fn with(script: &str) -> Self {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.write("test.rhai", script);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// A file; nothing is in one that is not there.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// The program, with nothing of the caller's settings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
        for name in ["FLOW_HOME", "FLOW_RUN", "FLOW_STEP", "FLOW_PROCESS", "RUST_LOG", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub fn flow(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().unwrap())
    }

    /// Runs the script, and gives its step `p`.
    pub fn step(&self) -> Json {
        let run = self.flow(&["script", "test.rhai", "--quiet", "--json"]);
        let json: Json = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        json["steps"]["p"].clone()
    }

    /// The dead letters of the latest run, which has one pipeline.
    pub fn letters(&self) -> Vec<Json> {
        let out = self.flow(&["pipeline", "dead", "last", "--json"]).code(0).out;
        let steps: Json = serde_json::from_str(&out).unwrap();
        steps[0]["letters"].as_array().unwrap().clone()
    }

    /// Begins the program in the background.
    pub fn start(&self, args: &[&str]) -> Going {
        let child = self.command(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Going(Some(child.unwrap()))
    }
}

/// A program in the background, ended with the test.
pub struct Going(Option<Child>);

impl Going {
    /// Its standard input.
    pub fn stdin(&mut self) -> std::process::ChildStdin {
        self.0.as_mut().unwrap().stdin.take().unwrap()
    }

    pub fn is_over(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
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
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

impl Ended {
    /// It must have ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Its messages must hold this, and a way out.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text) && self.err.contains("help:"), "not `{text}`:\n{}", self.err);
        self
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
