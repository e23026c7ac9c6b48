//! The standard library: its tests in Rhai are made, every function has documentation, an example and a test, every example runs, and a release
//! stays whole when flow is killed in the middle of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flow::lang::{LibraryModule, Program, Script, library};
use serde_json::Value;

use crate::server::{self, Connection, Request, Server};

/// Longest time of one example, and of a wait.
const PATIENCE: Duration = Duration::from_secs(30);

fn tests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library");
    let files = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with("_test.rhai")).collect();
    files.sort();
    files
}

/// The program, in a folder, without proxies and without settings of git that are somebody's own.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in ["FLOW_HOME", "GITHUB_STEP_SUMMARY", "GIT_DIR"] {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("no_proxy", "*");
    command
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("command -v {program}")]).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How often a path was asked for so far.
fn times(request: &Request, all: &std::sync::Mutex<Vec<String>>) -> usize {
    let mut all = all.lock().expect("the paths");
    all.push(request.target.clone());
    all.iter().filter(|target| **target == request.target).count()
}

/// What `http_test.rhai` and `notify_test.rhai` talk to.
fn start_server() -> Server {
    let asked = std::sync::Mutex::new(Vec::new());
    Server::new(move |request: &Request, to: &mut dyn Connection| {
        let time = times(request, &asked);
        let part = request.target.split('/').nth(1).unwrap_or_default();
        match part {
            "ok" => server::text(to, "all is fine"),
            "third" if time < 3 => server::say(to, "404 Not Found", "", "not yet"),
            "third" => server::text(to, "well"),
            "job" if time < 3 => server::json(to, "{\"state\": \"running\"}"),
            "job" => server::json(to, &format!("{{\"state\": \"done\", \"number\": {time}}}")),
            "cut" => cut(request, to),
            "headers" | "hook" | "repos" => server::text(to, &said(request)),
            _ => server::say(to, "404 Not Found", "", "nothing is here"),
        }
    })
}

/// A file of two halves, of which the first request gets the first alone.
fn cut(request: &Request, to: &mut dyn Connection) {
    const WHOLE: &str = "first half, second half\n";
    let from = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) if from < WHOLE.len() => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", WHOLE.len() - 1, WHOLE.len());
            server::say(to, "206 Partial Content", &range, &WHOLE[from..]);
        }
        _ => server::raw(
            to,
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\nfirst half", WHOLE.len()),
        ),
    }
}

/// A request as it came.
fn said(request: &Request) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{} {}\r\n{headers}\r\n{}", request.method, request.target, request.text())
}

#[test]
fn tests_of_the_library_pass() {
    let server = start_server();
    let output = program(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["test", "--json"])
        .args(tests())
        .env("FLOW_TEST_SERVER", server.url())
        .env("FLOW_TEST_HOOK", format!("{}/hook", server.url()))
        .env("FLOW_TEST_TOKEN", "a-token-of-twenty-eight-bytes")
        .output()
        .expect("the program starts");
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&output.stderr)));
    let tests = said["tests"].as_array().expect("tests");
    let bad: Vec<_> = tests.iter().filter(|test| test["status"] != "passed" && test["status"] != "skipped").collect();
    assert!(bad.is_empty() && output.status.success(), "{bad:#?}\n{}", said["wrong"]);
    // What needs a program that is not on every machine is left out there, nothing else.
    let skipped: Vec<_> = tests.iter().filter(|test| test["status"] == "skipped").collect();
    let missing =
        |test: &Value| test["reason"].as_str().is_some_and(|why| why == "needs git" || why.contains("sendmail"));
    assert!(skipped.iter().all(|test| missing(test)), "{skipped:#?}");
    assert!(tests.len() > 90, "only {} tests were made", tests.len());
}

#[test]
fn every_function_has_documentation_an_example_and_a_test() {
    let sources: Vec<String> = tests().iter().map(|path| fs::read_to_string(path).expect("a text")).collect();
    let mut wrong = Vec::new();
    let mut functions = 0;
    for module in library() {
        if module.doc.meaning.is_empty() {
            wrong.push(format!("{} does not say what it is about", module.name));
        }
        for function in &module.functions {
            functions += 1;
            for (signature, doc) in function.signatures.iter().zip(&function.docs) {
                let shown = doc
                    .examples
                    .iter()
                    .any(|(tag, code)| tag.starts_with("rhai") && code.contains(&called(module, &function.name)));
                if doc.meaning.len() < 20 || !shown {
                    wrong.push(format!("{signature} has no documentation or no example"));
                }
            }
            if !sources.iter().any(|source| is_tested(source, module, &function.name)) {
                wrong.push(format!("{} has no test", function.signatures[0]));
            }
        }
    }
    assert!(functions > 70, "only {functions} functions were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As a function is called in its example.
fn called(module: &LibraryModule, function: &str) -> String {
    match module.import().contains(" as ") {
        false => format!("{function}("),
        true => format!("{}::{function}(", module.alias()),
    }
}

/// Does a test file call a function, by whatever name it imports the module?
fn is_tested(source: &str, module: &LibraryModule, function: &str) -> bool {
    let Some((_, after)) = source.split_once(&format!("import \"{}\"", module.name)) else { return false };
    match after.trim_start().strip_prefix("as ").and_then(|rest| rest.split(';').next()) {
        Some(alias) => source.contains(&format!("{alias}::{function}(")),
        None => source.contains(&format!("{function}(")),
    }
}

/// Makes a project for the examples to work on: a repository with a remote one, and programs that they name, which do nothing.
fn project(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    let git = if is_there("git") { REPOSITORY } else { "" };
    let script = format!("set -e\n{PROJECT}\n{git}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder).stdin(Stdio::null());
    shell.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = shell.output().expect("a shell starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const PROJECT: &str = r#"
mkdir bin src assets build services services/shop docs
for program in make docker pg_isready cc rustfmt; do printf '#!/bin/sh\nexit 0\n' > bin/$program; chmod +x bin/$program; done
echo 1.4.0 > VERSION
echo '{"name": "app", "version": "1.4.0"}' > package.json
echo 'int main() { return 0; }' > src/main.c
touch assets/logo.svg build/app LICENSE
printf 'bin\n.flow\n*.rhai\n' > .gitignore
"#;

const REPOSITORY: &str = r#"
begin() {
    git -c init.defaultBranch=main init -q
    git config user.name Ada
    git config user.email ada@example.org
    git add -A
    git commit -q --allow-empty -m one
    git tag v1.3.0
}
(cd docs && begin)
echo docs >> .gitignore
begin
git clone -q --bare . ../origin.git
git remote add origin ../origin.git
git remote add mirror ../origin.git
git fetch -q origin
git -C docs remote add origin ../../origin.git
echo 'fn main() {}' > src/main.rs
git add -A
git commit -qm two
git tag v1.4.0
"#;

#[test]
fn every_example_runs() {
    let (mut wrong, mut planned) = (Vec::new(), Vec::new());
    let mut executed = 0;
    let pattern = tempfile::tempdir().expect("a folder");
    project(&pattern.path().join("project"));
    let examples = library().iter().flat_map(|module| module.functions.iter()).flat_map(|function| {
        let docs = function.signatures.iter().zip(&function.docs);
        docs.flat_map(|(signature, doc)| doc.examples.iter().map(move |(tag, code)| (signature, tag, code)))
    });
    for (signature, tag, code) in examples {
        let needs = match tag.as_str() {
            "rhai" => "",
            tag => tag.strip_prefix("rhai,needs=").unwrap_or_else(|| panic!("{signature}: what is `{tag}`?")),
        };
        if needs == "network" || needs == "sendmail" || (!needs.is_empty() && !is_there(needs)) {
            let script = Script::from_text("example.rhai", code.as_str());
            let problem = Program::compile(&script).and_then(|program| program.build(&[], None)).err();
            wrong.extend(problem.map(|problem| format!("{signature}: {problem}\n{code}")));
            planned.push(format!("{signature} (needs {needs})"));
            continue;
        }
        let place = tempfile::tempdir().expect("a folder");
        let copied = Command::new("cp").arg("-R").arg(pattern.path().join(".")).arg(place.path()).status();
        assert!(copied.is_ok_and(|status| status.success()));
        let folder = place.path().join("project");
        fs::write(folder.join("example.rhai"), code).expect("a file");
        let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = program(&folder);
        command.args(["script", "example.rhai", "--quiet", "--durability", "none"]).env("PATH", path);
        let mut child = command.spawn().expect("the program starts");
        let over = wait_until(|| child.try_wait().expect("it can be asked").is_some());
        if !over {
            child.kill().expect("it can be ended");
        }
        let output = child.wait_with_output().expect("it has ended");
        executed += 1;
        if !output.status.success() {
            wrong.push(format!("{signature}: {}\n{code}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(executed > 60, "only {executed} examples were executed; planned alone: {planned:#?}");
    // These need a network, or somebody who gets a message; a test that says so does not hide that others were left out.
    assert!(planned.len() < 40, "{planned:#?}");
}

fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    true
}

/// A release whose program is killed after the link was switched and before that is recorded: taken up again, it knows what was there
/// before, and when the new version is not well, that is in use again.
#[test]
fn a_release_stays_whole_when_flow_is_killed() {
    const SCRIPT: &str = r#"
        import "std/release" as release;
        // The link is switched, and then nothing goes on, until somebody ends it.
        let stuck = #{ PATH: `${script_dir}/bin:/usr/bin:/bin` };
        release::stage("stage", "srv", "2.0", "two")
            -> release::switch_to("switch", "srv", "2.0").env(stuck)
            -> release::health("health", ["grep", "-q", "well", "srv/current/app"], #{ every: "1ms", within: "3ms" })
            -> release::prune("prune", "srv", 1);
    "#;
    const MV: &str = "#!/bin/sh\n/bin/mv \"$@\" || exit\ncase \"$*\" in *.current.*) [ -e switched ] || { touch switched; sleep 600; };; esac\n";
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("release.rhai", SCRIPT);
    write("bin/mv", MV);
    write("two/app", "not so good");
    write("srv/releases/1.0/app", "well");
    std::os::unix::fs::symlink("releases/1.0", folder.join("srv/current")).expect("a link");
    Command::new("chmod").args(["+x", "bin/mv"]).current_dir(folder).status().expect("it starts");
    let current = || fs::read_link(folder.join("srv/current")).expect("there always is a link");

    let mut running: Child = program(folder).args(["script", "release.rhai", "--quiet"]).spawn().expect("it starts");
    assert!(wait_until(|| folder.join("switched").exists()), "it comes to the switch");
    running.kill().expect("it can be killed");
    running.wait().expect("it is over");
    assert_eq!(current(), Path::new("releases/2.0"));

    let resumed = program(folder).args(["resume", "last", "--json"]).output().expect("it starts");
    let said: Value = serde_json::from_slice(&resumed.stdout).expect("JSON");
    assert_eq!(said["status"], "failed", "{said:#}");
    assert_eq!(said["steps"]["switch"]["attempts"], 2, "{said:#}");
    assert_eq!(said["steps"]["switch/switch-back"]["status"], "success", "{said:#}");
    assert_eq!(current(), Path::new("releases/1.0"));
    assert!(!folder.join("srv/releases/2.0").exists(), "the version that was staged is gone");
}
