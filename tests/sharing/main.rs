//! What steps share, in runs of the program: boards, topics, files, work trees.

mod boards;
mod events;
mod trees;
mod writes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with a script in it.
struct Place(tempfile::TempDir);

impl Place {
    fn with(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("test.rhai"), script).expect("a file");
        Place(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn call(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path()).env_remove("FLOW_HOME").stdin(Stdio::null());
        command.output().expect("the program is there")
    }

    fn flow(&self, args: &[&str]) -> Output {
        self.call(env!("CARGO_BIN_EXE_flow"), args)
    }

    /// Calls git and gives what it prints.
    fn git(&self, args: &[&str]) -> String {
        let name = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let output = self.call("git", &[&name[..], args].concat());
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the script and gives what `--json` says.
    fn run(&self, args: &[&str]) -> Value {
        let output = self.flow(&[&["script", "test.rhai", "--json"], args].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// What a step came to.
fn step<'a>(run: &'a Value, path: &str) -> &'a Value {
    run["steps"].get(path).unwrap_or_else(|| panic!("there is no `{path}` in {run:#}"))
}
