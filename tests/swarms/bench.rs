//! A folder with agents and a workflow, and runs of it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Declares the agents of these tests: each is the script of its name.
const AGENTS: &str = r#"
settings(#{ max_parallel: 8, timeout: "50s" });
fn one(name, more) {
    let said = #{ command: ["sh", `./${name}.sh`], speaks: "text" };
    said += more;
    agent(name, said)
}
"#;

pub struct Bench {
    folder: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub said: Value,
    pub stderr: String,
}

impl Bench {
    /// With these agents, each with the shell script that answers for it. What it was asked is appended to `NAME.asked`.
    pub fn new(script: &str, agents: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, answer) in agents {
            let text =
                format!("cat > prompt-$$ && cat prompt-$$ >> {name}.asked && echo '=====' >> {name}.asked\n{answer}\n");
            fs::write(folder.path().join(format!("{name}.sh")), text).expect("a file");
        }
        fs::write(folder.path().join("team.rhai"), format!("{AGENTS}\n{script}")).expect("a file");
        Bench { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn flow(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.args(arguments).current_dir(self.path()).env_remove("FLOW_HOME");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ended(output: &Output) -> Ended {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON:\n{stderr}"));
        Ended { said, stderr }
    }

    pub fn run(&self) -> Ended {
        Self::ended(&self.flow(&["script", "team.rhai", "--json"]).output().expect("it starts"))
    }

    pub fn resume(&self) -> Ended {
        Self::ended(&self.flow(&["resume", "last", "--json"]).output().expect("it starts"))
    }

    pub fn start(&self) -> Child {
        self.flow(&["script", "team.rhai", "--quiet"]).spawn().expect("it starts")
    }

    /// What a command tells.
    pub fn tell(&self, arguments: &[&str]) -> String {
        let output = self.flow(arguments).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a script is refused with.
    pub fn refusal(&self) -> String {
        let output = self.flow(&["check", "team.rhai"]).output().expect("it starts");
        assert!(!output.status.success(), "it is not refused");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// What an agent was asked, each time.
    pub fn asked(&self, agent: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path().join(format!("{agent}.asked"))).unwrap_or_default();
        text.split("=====\n").filter(|prompt| !prompt.is_empty()).map(str::to_owned).collect()
    }

    /// Waits for a file.
    pub fn wait_for(&self, name: &str) {
        let begun = Instant::now();
        while !self.path().join(name).exists() {
            assert!(begun.elapsed() < PATIENCE, "`{name}` does not come");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Ended {
    /// A step of a run that ended well.
    pub fn step(&self, path: &str) -> &Value {
        let step = &self.said["steps"][path];
        assert!(!step.is_null(), "there is no `{path}` in {:#}", self.said["steps"]);
        step
    }

    pub fn output(&self, path: &str) -> &Value {
        &self.step(path)["output"]
    }

    pub fn status(&self, path: &str) -> &str {
        self.step(path)["status"].as_str().unwrap_or_default()
    }

    pub fn error(&self, path: &str) -> String {
        let error = &self.step(path)["error"];
        error.as_str().map_or_else(|| error.to_string(), str::to_owned)
    }

    pub fn well(self) -> Self {
        assert_eq!(self.said["status"], "success", "{}\n{:#}", self.stderr, self.said);
        self
    }

    pub fn badly(self) -> Self {
        assert_eq!(self.said["status"], "failed", "{}\n{:#}", self.stderr, self.said);
        self
    }
}
