//! The templates: what the commands say of them, and each one at work.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value as Json;

use crate::transcript::Session;

mod agents;
mod backup;
mod blue_green;
mod checks;
mod ci;
mod commands;
mod line;
mod migration;
mod projects;

/// All templates.
const NAMES: [&str; 15] = [
    "backup",
    "blue-green",
    "bug-fix",
    "checks",
    "ci-node",
    "ci-python",
    "ci-rust",
    "code-review",
    "feature",
    "migration",
    "optimisation",
    "production-line",
    "research-plan",
    "security-audit",
    "sparc",
];

/// Those for agents, with what the recorded runs of their samples need to go well.
const OF_AGENTS: [(&str, &str); 7] = [
    ("bug-fix", ""),
    ("code-review", "--arg gate=never"),
    ("feature", ""),
    ("optimisation", ""),
    ("research-plan", ""),
    ("security-audit", "--arg worst=10"),
    ("sparc", ""),
];

/// For a command of a step: it kills flow, the first time. That is the parent of the shell that runs the command.
const KILL_FLOW: &str = r#"if ! [ -e killed ]; then
    touch killed
    flow=$(ps -o ppid= -p "$PPID" | tr -d " ")
    if [ "$(ps -o comm= -p "$flow")" = flow ]; then kill -9 "$flow"; fi
    sleep 60
fi"#;

/// A folder with a template, as `t.rhai`.
fn with(template: &str) -> Session {
    let session = Session::new();
    succeeds(&session, &format!("flow template use {template} -o t.rhai"));
    session
}

/// Runs a line of shell that must go well; what it prints.
fn succeeds(session: &Session, line: &str) -> String {
    let output = session.run(line);
    assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs the template; its exit code, its result as data, and what is told of it.
fn run(session: &Session, args: &str) -> (Option<i32>, Json, String) {
    result(session, &format!("flow script t.rhai --json --no-input {args}"))
}

/// Runs a line that gives a result as data; its exit code, the result, and what is told of it then.
fn result(session: &Session, line: &str) -> (Option<i32>, Json, String) {
    let output = session.run(line);
    let (out, mut told) = (text(&output.stdout), text(&output.stderr));
    let json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}\n{out}\n{told}"));
    let more = session.run("flow show last; flow logs last");
    told += &text(&more.stdout);
    told += &text(&more.stderr);
    (output.status.code(), json, told)
}

/// Runs the template, which must go well; its steps.
fn runs(session: &Session, args: &str) -> Json {
    let (code, result, told) = run(session, args);
    assert_eq!(code, Some(0), "{args}: {result:#}\n{told}");
    result["steps"].clone()
}

/// Runs the template, which must fail; its steps, and what was said.
fn fails(session: &Session, args: &str) -> (Json, String) {
    let (code, result, told) = run(session, args);
    assert_eq!(code, Some(1), "{args}: {result:#}\n{told}");
    (result["steps"].clone(), told)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Is a program there? Otherwise the test says that it is skipped.
#[allow(clippy::print_stdout)]
fn has(session: &Session, program: &str) -> bool {
    let there = session.run(&format!("command -v {program}")).status.success();
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

/// Starts the template, kills flow after some milliseconds, and takes the run up, or begins anew if there was none yet; did that
/// go well?
fn killed_after(session: &Session, milliseconds: u64, args: &[&str]) -> bool {
    let flow = |more: &[&str]| {
        let mut command = session.command("flow");
        command.args(["script", "t.rhai", "--quiet", "--no-input"]).args(args).args(more);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("flow starts")
    };
    let mut first = flow(&[]);
    std::thread::sleep(Duration::from_millis(milliseconds));
    first.kill().and_then(|()| first.wait()).expect("it can be killed");
    flow(&["--resume", "last"]).wait().expect("it ends").success()
}

/// Everything in a folder: paths with their contents, or where they lead, and whether they can be executed.
fn contents(folder: &Path) -> Vec<(String, String)> {
    use std::os::unix::fs::PermissionsExt;
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        for entry in std::fs::read_dir(&inner).expect("a folder").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            let name = format!("{:?}", path.strip_prefix(folder).expect("it is below"));
            all.push((
                name,
                match () {
                    () if kind.is_symlink() => format!("-> {:?}", std::fs::read_link(&path).expect("a link")),
                    () if kind.is_dir() => {
                        open.push(path);
                        "folder".to_owned()
                    }
                    () => {
                        let mode = path.metadata().expect("it is there").permissions().mode() & 0o777;
                        format!("{mode:o} {:?}", std::fs::read(&path).expect("a file"))
                    }
                },
            ));
        }
    }
    all.sort();
    all
}
