//! What there is where flow is to work: programs, versions, keys, a folder for runs.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, getuid, kill_process_group};
use serde_json::json;

use super::{Config, Flow};
use crate::diag::Result;
use crate::plan::{BACKENDS, Backend, BackendSpec};
use crate::view::doctor::{Doctor, Finding, Health};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

impl Flow {
    /// Looks at what runs need here. Asks programs for their versions; changes nothing.
    ///
    /// # Errors
    /// `flow::config::*`: what is wrong in `flow.toml`.
    pub fn doctor(&self) -> Result<Doctor> {
        let config = self.config()?;
        // Some take a second to say it: all are asked at once.
        let (place, backends) = thread::scope(|scope| {
            let git = scope.spawn(git);
            let built_in: Vec<_> = BACKENDS
                .iter()
                .filter(|backend| backend.name != "command")
                .map(|backend| scope.spawn(move || built_in(backend, config)))
                .collect();
            let further: Vec<_> =
                config.backends.iter().map(|(name, spec)| scope.spawn(move || further(name, spec))).collect();
            let mut place = vec![runs(self.home()), settings(config), shell()];
            place.extend(git.join().ok());
            let backends = built_in.into_iter().chain(further).filter_map(|asked| asked.join().ok()).collect();
            (place, backends)
        });
        Ok(Doctor { version: env!("CARGO_PKG_VERSION").to_owned(), place, backends })
    }
}

/// The folder of the runs.
fn runs(home: &Path) -> Finding {
    let there = home.ancestors().find(|folder| folder.exists());
    let writable = there.is_some_and(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok());
    let path = home.display().to_string();
    let state = match (writable, there == Some(home)) {
        (true, true) => "can be written",
        (true, false) => "can be made",
        (false, _) => "cannot be written",
    };
    Finding {
        name: "runs".to_owned(),
        health: if writable { Health::Good } else { Health::Bad },
        state: state.to_owned(),
        detail: path.clone(),
        help: if writable { String::new() } else { "FLOW_HOME names another place for them".to_owned() },
        data: vec![("path", json!(path)), ("writable", json!(writable))],
    }
}

fn settings(config: &Config) -> Finding {
    let path = config.file.as_ref().map(|file| file.display().to_string());
    Finding {
        name: "flow.toml".to_owned(),
        state: if path.is_some() { "in order" } else { "none" }.to_owned(),
        health: if path.is_some() { Health::Good } else { Health::Missing },
        detail: path.clone().unwrap_or_default(),
        help: String::new(),
        data: vec![("path", json!(path))],
    }
}

fn shell() -> Finding {
    let found = in_path("sh");
    let help = "steps of `sh` need it, in a folder of PATH";
    Finding {
        name: "sh".to_owned(),
        health: if found.is_some() { Health::Good } else { Health::Bad },
        state: if found.is_some() { "installed" } else { "not found" }.to_owned(),
        detail: shown(found.as_deref()),
        help: if found.is_some() { String::new() } else { help.to_owned() },
        data: vec![("path", json!(found))],
    }
}

fn git() -> Finding {
    let found = in_path("git");
    let version = found.as_ref().and_then(|program| version(program, &["--version".to_owned()]).ok());
    let inside =
        Path::new(".").canonicalize().is_ok_and(|here| here.ancestors().any(|folder| folder.join(".git").exists()));
    let (health, help) = match found {
        None => (Health::Missing, "agents that work in work trees of their own (`isolate`) need it: install git"),
        Some(_) => (Health::Good, ""),
    };
    let state = match (&found, &version) {
        (None, _) => "not installed".to_owned(),
        (Some(_), Some(version)) => version.clone(),
        (Some(_), None) => "installed".to_owned(),
    };
    let mut detail = shown(found.as_deref());
    if found.is_some() && !inside {
        detail.push_str(" (this folder is not in a repository: no work trees for agents)");
    }
    Finding {
        name: "git".to_owned(),
        health,
        state,
        detail,
        help: help.to_owned(),
        data: vec![("path", json!(found)), ("version", json!(version)), ("repository", json!(inside))],
    }
}

fn built_in(backend: &'static Backend, config: &Config) -> Finding {
    let Some(program) = backend.program else { return key(backend, config) };
    let mut finding = asked(program, &["--version".to_owned()], Some(backend.tested), backend.install);
    finding.name = backend.name.to_owned();
    if backend.name == "claude" && finding.health != Health::Missing && getuid().is_root() {
        let told = std::env::var_os("IS_SANDBOX").is_some();
        if !told && finding.help.is_empty() {
            finding.help =
                "as root it takes `permission: \"full\"` only with IS_SANDBOX=1 in its environment".to_owned();
        }
    }
    finding
}

fn further(name: &str, spec: &BackendSpec) -> Finding {
    let program = spec.command.first().map_or("", String::as_str);
    let words = match spec.version.as_slice() {
        [] => [program.to_owned(), "--version".to_owned()].to_vec(),
        words => words.to_vec(),
    };
    let install =
        if spec.install.is_empty() { "install it, or mend its `command` in flow.toml" } else { &spec.install };
    let mut finding = match words.split_first() {
        Some((asked_program, arguments)) if asked_program != program => {
            // Its version is asked of another program; whether it is there is a question of its own.
            let mut finding = asked(program, &[], None, install);
            let version = in_path(asked_program).and_then(|asked| version(&asked, arguments).ok());
            if let (Some(version), true) = (version, finding.health != Health::Missing) {
                finding.state = version;
            }
            finding
        }
        Some((_, arguments)) => asked(program, arguments, None, install),
        None => Finding::default(),
    };
    finding.name = name.to_owned();
    finding.data.push(("from", json!("flow.toml")));
    finding
}

/// Is a program there, and which one? `tested`: versions that were tried, if anybody knows.
fn asked(program: &str, arguments: &[String], tested: Option<&[&str]>, install: &str) -> Finding {
    let Some(path) = in_path(program) else {
        return Finding {
            health: Health::Missing,
            state: "not installed".to_owned(),
            help: install.to_owned(),
            data: vec![("installed", json!(false)), ("program", json!(program))],
            ..Finding::default()
        };
    };
    let version = if arguments.is_empty() { Err(Silence::Wordless) } else { version(&path, arguments) };
    let known = tested.map(|tested| version.as_ref().is_ok_and(|version| is_of(version, tested)));
    let (health, state) = match (&version, known) {
        (Ok(version), Some(true)) => (Health::Good, format!("{version}, tested")),
        (Ok(version), Some(false)) => (Health::Doubtful, format!("{version}, not tested")),
        (Ok(version), None) => (Health::Good, version.clone()),
        (Err(_), _) if arguments.is_empty() => (Health::Good, "installed".to_owned()),
        (Err(silence), _) => (Health::Doubtful, silence.words().to_owned()),
    };
    let help = match (known, tested) {
        (Some(false), Some(tested)) => {
            format!("flow was tried with {}; if it is not understood, that is why", tested.join(" and "))
        }
        _ => String::new(),
    };
    Finding {
        name: program.to_owned(),
        health,
        state,
        detail: path.display().to_string(),
        help,
        data: vec![
            ("installed", json!(true)),
            ("program", json!(path)),
            ("version", json!(version.ok())),
            ("tested", json!(known)),
            ("tested_versions", json!(tested)),
        ],
    }
}

/// A backend over HTTP has a key, or has none.
fn key(backend: &Backend, config: &Config) -> Finding {
    let name = format!("{}_API_KEY", backend.name.to_ascii_uppercase());
    let declared = config.secrets.contains_key(&name);
    let set = declared || std::env::var_os(&name).is_some_and(|value| !value.is_empty());
    Finding {
        name: backend.name.to_owned(),
        health: if set { Health::Good } else { Health::Missing },
        state: if set { "key set" } else { "no key" }.to_owned(),
        detail: if declared { format!("{name}, from flow.toml") } else { name.clone() },
        help: match set {
            true => String::new(),
            false => format!(
                "set {name}, or say in flow.toml where it comes from: `[secrets]`. Servers of your own may need none"
            ),
        },
        data: vec![("key", json!(name)), ("key_set", json!(set))],
    }
}

/// The file that a program's name stands for.
fn in_path(program: &str) -> Option<PathBuf> {
    let can_be_run = |file: &PathBuf| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(can_be_run);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(can_be_run)
}

fn shown(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// Why there is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// It cannot be started.
    Unstartable,
    /// It said nothing within five seconds.
    Late,
    /// It said something else.
    Wordless,
}

impl Silence {
    fn words(self) -> &'static str {
        match self {
            Silence::Unstartable => "cannot be started",
            Silence::Late => "did not say its version within 5 s",
            Silence::Wordless => "does not say its version",
        }
    }
}

/// What a program says of its version: the first word in what it prints that looks like one.
fn version(program: &Path, arguments: &[String]) -> std::result::Result<String, Silence> {
    let mut child = Command::new(program)
        .args(arguments)
        // No update while it is asked.
        .env("DISABLE_AUTOUPDATER", "1")
        .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|_| Silence::Unstartable)?;
    let (said, hears) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            // What came by then counts, however it ends.
            let _ = stdout.take(64 * 1024).read_to_end(&mut text);
            let _ = said.send(text);
        });
    }
    let heard = hears.recv_timeout(PATIENCE);
    // It has a group of its own. Its output is closed, or it is late: whatever it still does is not waited for.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    let text = heard.map_err(|_| Silence::Late)?;
    let text = String::from_utf8_lossy(&text);
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    let mut versions = words.map(|word| word.strip_prefix('v').unwrap_or(word)).filter(|word| looks_like_version(word));
    versions.next().map(str::to_owned).ok_or(Silence::Wordless)
}

fn looks_like_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
}

/// Does a version begin with one of these? `2.1.7` with `2.1`, and `2.10` not.
fn is_of(version: &str, tested: &[&str]) -> bool {
    tested
        .iter()
        .any(|begin| version.strip_prefix(begin).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_with_those_that_were_tested() {
        assert!(is_of("2.1.197", &["2.1"]) && is_of("2.1", &["2.1"]) && is_of("0.61.0-beta", &["0.60", "0.61"]));
        assert!(!is_of("2.10.1", &["2.1"]) && !is_of("12.1", &["2.1"]) && !is_of("2.1", &[]));
    }

    #[test]
    fn a_version_is_found_in_what_is_printed() {
        let say = |text: &str| version(Path::new("/bin/echo"), &[text.to_owned()]);
        assert_eq!(say("2.1.197 (Claude Code)").as_deref(), Ok("2.1.197"));
        assert_eq!(say("codex-cli 0.169.0").as_deref(), Ok("0.169.0"));
        assert_eq!(say("git version 2.43.0\nmore 1.2").as_deref(), Ok("2.43.0"));
        assert_eq!(say("aider v0.80").as_deref(), Ok("0.80"));
        assert_eq!(say("no idea"), Err(Silence::Wordless));
        assert_eq!(version(Path::new("/no/such/program"), &[]), Err(Silence::Unstartable));
    }
}
