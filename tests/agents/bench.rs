//! A folder in which the built program is used, with agents that are small programs.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use flow::plan::Json;
use tempfile::TempDir;

/// Longest time that anything here may take: a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first line of Claude Code.
pub const INIT: &str = r#"{"type":"system","subtype":"init","session_id":"s-1","model":"big","tools":["Bash"],"claude_code_version":"2.1.0","uuid":"u"}"#;

/// A line of text.
pub const TEXT: &str = r#"{"type":"assistant","message":{"id":"m1","role":"assistant","content":[{"type":"text","text":"hello"}],"stop_reason":null},"parent_tool_use_id":null,"session_id":"s-1"}"#;

/// Its last line.
pub const RESULT: &str = r#"{"type":"result","subtype":"success","is_error":false,"num_turns":2,"result":"final text","session_id":"s-1","total_cost_usd":0.25,"usage":{"input_tokens":24,"output_tokens":14,"cache_creation_input_tokens":0,"cache_read_input_tokens":0},"permission_denials":[]}"#;

pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    /// With a script in `test.rhai` that asks one agent, in the step `ask`, whose program runs `body` in a shell and speaks as
    /// Claude Code does; `options`: further keys of the agent.
    pub fn claude(body: &str, options: &str) -> Self {
        let bench = Bench::new();
        bench.write("fake.sh", format!("cat > /dev/null\n{body}\n"));
        bench.write(
            "test.rhai",
            format!(
                "let a = agent(\"coder\", #{{ backend: \"claude\", command: [\"sh\", \"fake.sh\"], {options} }});\nlet ask = a.ask(\"ask\", \"Do it\");\n"
            ),
        );
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Adds to the script.
    pub fn and(self, more: &str) -> Self {
        let script = std::fs::read_to_string(self.path("test.rhai")).unwrap();
        self.write("test.rhai", script + more + "\n");
        self
    }

    /// A file of the newest run, below `logs`, by its ending.
    pub fn log(&self, ending: &str) -> Vec<u8> {
        let runs = std::fs::read_dir(self.path(".flow/runs")).unwrap();
        let mut runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
        runs.sort();
        let logs = std::fs::read_dir(runs.pop().unwrap().join("logs")).unwrap();
        let file = logs.map(|log| log.unwrap().path()).find(|path| path.to_string_lossy().ends_with(ending));
        std::fs::read(file.unwrap_or_else(|| panic!("no file ends in {ending}"))).unwrap()
    }

    /// The program, with nothing of the caller's settings.
    pub fn command(&self, args: &[&str]) -> Command {
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

    /// Runs the script, and gives what it tells of the step `ask`.
    #[track_caller]
    pub fn ask(&self, code: i32) -> Json {
        self.flow(&["script", "test.rhai", "--quiet", "--json"]).code(code).json()["steps"]["ask"].clone()
    }

    /// Begins the program in the background.
    pub fn start(&self, args: &[&str]) -> Going {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Going { child: Some(child) }
    }

    /// Waits until a file has a whole line, and gives its lines.
    pub fn wait_for(&self, name: &str) -> Vec<String> {
        until(name, || {
            let text = std::fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n'))?;
            Some(text.lines().map(str::to_owned).collect())
        })
    }
}

/// A program in the background, ended with the test.
pub struct Going {
    child: Option<Child>,
}

impl Going {
    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
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

    /// Its standard output, which is one JSON value.
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
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

/// Is there a living process of this number?
pub fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with(['Z', 'X']))
}
