//! A folder in which the built program is used, and what to look for there afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use flow::flow::{Flow, Options};
use flow::plan::Json;
use tempfile::TempDir;

/// Longest time that anything here may take: a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    /// With a script in `test.rhai`.
    pub fn with(script: &str) -> Self {
        let bench = Bench::new();
        bench.write("test.rhai", script);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// The lines of a file; none if it is not there.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
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

    /// Begins the program in the background.
    pub fn start(&self, args: &[&str]) -> Going {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Going { child: Some(child) }
    }

    /// Waits until a file has at least so many whole lines, and gives them.
    pub fn wait_for(&self, name: &str, lines: usize) -> Vec<String> {
        until(name, || {
            let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            let found: Vec<String> =
                text.split_inclusive('\n').filter_map(|l| Some(l.strip_suffix('\n')?.into())).collect();
            (found.len() >= lines).then_some(found)
        })
    }

    /// The runs here, as `flow runs --json` tells of them, the newest first.
    pub fn runs(&self) -> Vec<Json> {
        match self.flow(&["runs", "--json"]).ok().json() {
            Json::Array(runs) => runs,
            other => panic!("no list: {other}"),
        }
    }

    /// Waits until the log says that a step is final.
    pub fn wait_until_final(&self, step: &str) {
        let is_final = || {
            let state = self.open().state("last").ok()?;
            let id = *state.plan.find(step).first()?;
            state.step(id).status.is_final().then_some(())
        };
        until(step, is_final);
    }

    pub fn status(&self) -> String {
        self.runs()[0]["status"].as_str().unwrap().to_owned()
    }

    /// The library, on the same folder.
    pub fn open(&self) -> Flow {
        Flow::open(Options { home: Some(self.path(".flow")), ..Options::default() }).unwrap()
    }
}

/// A program in the background, ended with the test.
pub struct Going {
    child: Option<Child>,
}

impl Going {
    pub fn id(&self) -> i32 {
        self.child.as_ref().unwrap().id() as i32
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.id()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn is_over(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        ended(self.child.take().unwrap().wait_with_output().unwrap())
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

    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    /// Its standard output, which is one JSON value.
    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }

    /// It must have ended with a diagnostic of this code, that says what to do.
    #[track_caller]
    pub fn diagnostic(&self, code: i32, name: &str) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        assert!(self.err.contains(name), "not `{name}`:\n{}", self.err);
        assert!(self.err.contains("help:"), "no help:\n{}", self.err);
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

/// Status and output of each step, by path, of what `--json` printed.
pub fn steps(run: &Json) -> BTreeMap<String, (Json, Json)> {
    let steps = run["steps"].as_object().unwrap_or_else(|| panic!("no steps: {run}"));
    steps.iter().map(|(path, step)| (path.clone(), (step["status"].clone(), step["output"].clone()))).collect()
}

/// Random numbers from a seed (xorshift64*, Vigna 2016): enough to choose moments.
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    pub fn new() -> Self {
        let chosen = std::env::var("FLOW_SEED").ok().and_then(|seed| seed.parse().ok());
        let time = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = chosen.unwrap_or_else(time);
        Random { seed, state: seed | 1 }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "FLOW_SEED={}", self.seed);
        }
    }
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
