//! Runs scripts with the built program, in an environment without proxies, and looks at what they left.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use flow::event::{Event, Failure, Outcome, Record};
use flow::flow::{Flow, Options};
use flow::plan::Json;
use flow::state::{RunState, StepResult};

/// A folder in which scripts run.
pub struct Bench {
    pub folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// A run that has ended.
pub struct Ran {
    pub flow: Flow,
    pub state: RunState,
    pub code: Option<i32>,
    pub said: String,
}

impl Bench {
    pub fn new() -> Self {
        Bench { folder: tempfile::tempdir().expect("a folder"), env: Vec::new() }
    }

    /// With a variable in the environment of flow.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file");
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env_remove("FLOW_HOME").envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a script to its end.
    pub fn run(&self, script: &str) -> Ran {
        self.write("test.rhai", script);
        let output = self.command(&["script", "test.rhai", "--quiet"]).output().expect("it starts");
        self.ended(&output)
    }

    /// Begins to run a script.
    pub fn begin(&self, script: &str) -> Child {
        self.write("test.rhai", script);
        let mut command = self.command(&["script", "test.rhai", "--quiet"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    pub fn ended(&self, output: &Output) -> Ran {
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
        let flow = self.flow();
        let state = flow.state("last").unwrap_or_else(|problem| panic!("{problem}: {said}"));
        Ran { flow, state, code: output.status.code(), said }
    }

    pub fn flow(&self) -> Flow {
        let home = Some(self.path(".flow"));
        Flow::open(Options { home, ..Options::default() }).expect("a flow")
    }

    /// What `flow check` says of a script that it refuses.
    pub fn refused(&self, script: &str) -> String {
        self.write("test.rhai", script);
        let output = self.command(&["check", "test.rhai"]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

impl Ran {
    pub fn result(&self, path: &str) -> StepResult {
        let id = self.flow.find_step(&self.state, path).unwrap_or_else(|problem| panic!("{problem}: {}", self.said));
        self.state.result(id)
    }

    pub fn outcome(&self, path: &str) -> Outcome {
        let result = self.result(path);
        (**result.outcome.as_ref().unwrap_or_else(|| panic!("{path} has no outcome: {}", self.said))).clone()
    }

    pub fn failure(&self, path: &str) -> Failure {
        self.outcome(path).error.unwrap_or_else(|| panic!("{path} went well"))
    }

    pub fn property(&self, path: &str, name: &str) -> Json {
        let files = self.flow.files(&self.state.created.run).expect("files");
        self.result(path).property(name, &*files).unwrap_or_else(|problem| panic!("{problem:?}: {}", self.said))
    }

    /// The content of the file with a step's body.
    pub fn body(&self, path: &str) -> Vec<u8> {
        let log = self.outcome(path).stdout.expect("a body");
        let folder = self.flow.run_folder("last").expect("a folder");
        fs::read(folder.join(log.file)).expect("the file is there")
    }
}

/// The waits before further attempts in a log, in milliseconds.
pub fn delays(records: &[Record]) -> Vec<u64> {
    let delay = |record: &Record| match &*record.event {
        Event::Retrying { delay_ms, .. } => Some(*delay_ms),
        _ => None,
    };
    records.iter().filter_map(delay).collect()
}
