//! Secrets: where their values come from, and who gets to know them.
//!
//! Only executors ask for a value, and only for what becomes an environment, a standard input, a header or a body. All
//! values that are known are also what the mask hides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smol_str::SmolStr;

use super::children;
use super::mask::{Mask, SHORTEST};
use crate::event::{Failure, FailureKind};
use crate::plan::{Json, SecretRef, Value};
use crate::state::result::shorten;

/// How the value of a secret is had. Nothing said of a secret: from the environment variable of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// From this environment variable of flow.
    Env(String),
    /// From this file, without the newline at its end.
    File(PathBuf),
    /// It is what this program, run without a shell, writes to its standard output, without the newline at its end.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// Where it runs.
        folder: PathBuf,
    },
}

/// Longest value, in bytes.
const LONGEST: usize = 64 * 1024;

/// How long a command may take, which may have to ask a person for a password.
const PATIENCE: Duration = Duration::from_secs(120);

/// The secrets of a process: where they come from, the values known so far, and the mask that hides these.
///
/// (Without `Debug`, and so is the mask: nobody prints them by accident.)
#[derive(Default)]
pub struct Secrets {
    providers: BTreeMap<String, Provider>,
    /// Held while a value is being fetched, so that a command runs once.
    known: Mutex<BTreeMap<SmolStr, Arc<str>>>,
    mask: RwLock<Arc<Mask>>,
}

/// The secrets of a run.
#[derive(Debug, Default)]
pub struct Hidden {
    /// All that the workflow names.
    names: Vec<SmolStr>,
    /// Those that steps of the plan use.
    used: BTreeSet<SmolStr>,
    /// Are those fetched that can be had?
    fetched: OnceLock<()>,
}

impl Hidden {
    /// `names`: all that the workflow names; `used`: those that steps of its plan use.
    pub fn new(names: &[SmolStr], used: BTreeSet<SmolStr>) -> Self {
        Hidden { names: names.to_vec(), used, fetched: OnceLock::new() }
    }

    /// All that the workflow names.
    pub(super) fn names(&self) -> &[SmolStr] {
        &self.names
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Secrets {
    /// Secrets from these places, by name; all others from the environment variable of their name.
    pub fn new(providers: BTreeMap<String, Provider>) -> Self {
        Secrets { providers, ..Secrets::default() }
    }

    fn provider(&self, name: &str) -> Provider {
        self.providers.get(name).cloned().unwrap_or_else(|| Provider::Env(name.to_owned()))
    }

    /// What must be masked in a run, if anything: before its first process begins, its secrets are fetched. Those that
    /// cannot be had are for the steps to tell that use them. Blocks.
    ///
    /// A command is not run for a secret that perhaps nobody will use.
    pub(super) fn of_run(&self, hidden: &Hidden) -> Option<&Secrets> {
        if hidden.is_empty() {
            return None;
        }
        hidden.fetched.get_or_init(|| {
            for name in &hidden.names {
                if hidden.used.contains(name) || !matches!(self.provider(name), Provider::Command { .. }) {
                    // See above.
                    let _ = self.value(name);
                }
            }
        });
        (!self.mask().is_empty()).then_some(self)
    }

    /// The mask for all values that are known now.
    pub(super) fn mask(&self) -> Arc<Mask> {
        self.mask.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The value of a secret. Blocks.
    fn value(&self, name: &str) -> Result<Arc<str>, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known.get(name) {
            return Ok(value.clone());
        }
        let provider = self.provider(name);
        let value: Arc<str> = fetch(name, &provider).and_then(|value| fits(name, value, &provider))?.into();
        known.insert(name.into(), value.clone());
        let mask = Mask::of(known.values().map(|value| &**value));
        *self.mask.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mask);
        Ok(value)
    }

    /// A value of the plan with its secrets filled in: for an environment, a standard input, a header or a body, and for
    /// nothing else. Blocks.
    pub(super) fn reveal<'v>(&self, value: &'v Value) -> Result<Cow<'v, Value>, Failure> {
        let mut holds_one = false;
        value.each_secret(&mut |_| holds_one = true);
        if holds_one { self.revealed(value).map(Cow::Owned) } else { Ok(Cow::Borrowed(value)) }
    }

    fn revealed(&self, value: &Value) -> Result<Value, Failure> {
        let all = |values: &[Value]| values.iter().map(|value| self.revealed(value)).collect::<Result<_, _>>();
        Ok(match value {
            Value::Secret(SecretRef { name, before, after }) => {
                Value::Plain(Json::String(format!("{before}{}{after}", self.value(name)?)))
            }
            Value::Text(parts) => Value::Text(all(parts)?),
            Value::List(items) => Value::List(all(items)?),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.revealed(value)?)))
                    .collect::<Result<_, Failure>>()?,
            ),
            Value::Plain(_) | Value::Ref(_) | Value::Expr(_) | Value::Closure(_) | Value::Step(_) | Value::Agent(_) => {
                value.clone()
            }
        })
    }
}

fn failed(message: String, help: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Input, message).help(help)
}

/// Reads a value, without the newline at its end.
fn fetch(name: &str, provider: &Provider) -> Result<String, Failure> {
    match provider {
        Provider::Env(variable) => match std::env::var(variable) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => Err(failed(
                format!("the secret `{name}` is missing: there is no environment variable {variable}"),
                how(name, provider),
            )),
            Err(std::env::VarError::NotUnicode(_)) => Err(no_text(name, provider)),
        },
        Provider::File(path) => match fs::read(path) {
            Ok(bytes) => text(name, provider, bytes),
            Err(error) => Err(failed(
                format!("the secret `{name}` is missing: cannot read `{}`: {error}", path.display()),
                how(name, provider),
            )),
        },
        Provider::Command { words, folder } => {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
            let bytes = output(&mut command).map_err(|problem| {
                failed(format!("the secret `{name}` is missing: `{}` {problem}", shown(words)), how(name, provider))
            })?;
            text(name, provider, bytes)
        }
    }
}

fn text(name: &str, provider: &Provider, bytes: Vec<u8>) -> Result<String, Failure> {
    let mut text = String::from_utf8(bytes).map_err(|_| no_text(name, provider))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn no_text(name: &str, provider: &Provider) -> Failure {
    failed(
        format!("the secret `{name}` is not a text in UTF-8"),
        format!("encode it, in base64 for instance; {}", how(name, provider)),
    )
}

/// A value that can be masked.
fn fits(name: &str, value: String, provider: &Provider) -> Result<String, Failure> {
    let wrong = |what: String| Err(failed(format!("the secret `{name}` {what}"), how(name, provider)));
    match value.chars().count() {
        0 => wrong("is empty".into()),
        short if short < SHORTEST => {
            wrong(format!("is shorter than {SHORTEST} characters: it would stand in too many places to be masked"))
        }
        _ if value.len() > LONGEST => wrong(format!("is longer than {} KiB", LONGEST / 1024)),
        _ => Ok(value),
    }
}

/// How a secret is provided.
fn how(name: &str, provider: &Provider) -> String {
    match provider {
        Provider::Env(variable) => format!(
            "set it where flow is started: `{variable}=… flow script …`; or say in flow.toml, under [secrets], where it comes from: `{name} = {{ file = \"path\" }}` or `{name} = {{ command = [\"pass\", \"show\", \"{}\"] }}`",
            name.to_lowercase()
        ),
        Provider::File(path) => {
            format!("flow.toml says that it is the content of `{}`, under [secrets]", path.display())
        }
        Provider::Command { words, .. } => {
            format!("flow.toml says that it is what `{}` prints, under [secrets]: try that by hand", shown(words))
        }
    }
}

fn shown(words: &[String]) -> String {
    shorten(&words.join(" "), 60)
}

/// What a program writes to its standard output, or what went wrong. It stays in flow's process group, so that Ctrl-C
/// reaches it while it asks for a password.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let mut child =
        children::spawn(command.stdout(Stdio::piped())).map_err(|error| format!("cannot be started: {error}"))?;
    let read = child.stdout.take().map_or_else(
        || Ok(Vec::new()),
        |mut stdout| {
            let until = Instant::now() + PATIENCE;
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
                match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&wait)) {
                    Ok(0) => return Err(format!("took longer than {} s", PATIENCE.as_secs())),
                    Ok(_) => {}
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => return Err(format!("cannot be waited for: {error}")),
                }
                match stdout.read(&mut buffer) {
                    Ok(0) => return Ok(bytes),
                    Ok(_) if bytes.len() > LONGEST => return Err("printed too much".to_owned()),
                    Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(format!("cannot be read: {error}")),
                }
            }
        },
    );
    if read.is_err() {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
    }
    let status = children::reap(child).map_err(|error| format!("cannot be waited for: {error}"))?.status;
    let bytes = read?;
    match status.code() {
        Some(0) => Ok(bytes),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err("was ended by a signal".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(script: &str) -> Provider {
        Provider::Command { words: vec!["sh".into(), "-c".into(), script.into()], folder: "/".into() }
    }

    fn secrets(providers: impl IntoIterator<Item = (&'static str, Provider)>) -> Secrets {
        Secrets::new(providers.into_iter().map(|(name, provider)| (name.to_owned(), provider)).collect())
    }

    #[test]
    fn each_place_gives_its_value_without_the_last_newline() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, "line one\nline two\n").expect("a file");
        let secrets = secrets([("F", Provider::File(file)), ("C", command("echo value"))]);
        assert_eq!(&*secrets.value("F").expect("a file"), "line one\nline two");
        assert_eq!(&*secrets.value("C").expect("a command"), "value");
        assert_eq!(secrets.value("PATH").expect("a variable").as_ref(), std::env::var("PATH").expect("it is set"));
    }

    #[test]
    fn a_command_is_run_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let secrets = secrets([("C", command(&format!("echo x >> {}; echo value", log.display())))]);
        for _ in 0..3 {
            secrets.value("C").expect("a value");
        }
        assert_eq!(fs::read_to_string(&log).expect("a log"), "x\n");
    }

    #[test]
    fn what_is_missing_is_told_with_a_way_out_and_without_the_value() {
        let gone = || Provider::File("/nowhere/key".into());
        for (name, provider, message, help) in [
            ("FLOW_TEST_NOT_SET", None, "no environment variable FLOW_TEST_NOT_SET", "FLOW_TEST_NOT_SET=…"),
            ("A", Some(Provider::Env("FLOW_TEST_NOT_SET".into())), "variable FLOW_TEST_NOT_SET", "flow.toml"),
            ("F", Some(gone()), "`/nowhere/key`", "flow.toml"),
            ("C", Some(command("echo hunter2; exit 3")), "exit code 3", "by hand"),
            ("C", Some(command("kill -9 $$")), "by a signal", "by hand"),
            ("C", Some(command("head -c 100000 /dev/zero")), "printed too much", "by hand"),
            ("C", Some(command("true")), "`C` is empty", "by hand"),
            ("C", Some(command("echo hun")), "shorter than 4 characters", "by hand"),
            ("C", Some(command("printf '\\377\\376hunter2'")), "UTF-8", "base64"),
        ] {
            let secrets = secrets(provider.map(|provider| (name, provider)));
            let failure = secrets.value(name).expect_err(message);
            assert_eq!(failure.kind, FailureKind::Input);
            assert!(failure.message.contains(message) && failure.message.contains(name), "{failure:?}");
            assert!(failure.help.as_ref().is_some_and(|text| text.contains(help)), "{failure:?}");
            let shown = if name == "C" { failure.message.replace("echo hunter2", "") } else { failure.message };
            assert!(!shown.contains("hun\n") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_value_is_filled_in_where_its_name_stands() {
        let secrets = secrets([("A", command("echo alpha")), ("B", command("echo beta"))]);
        let secret = |name: &str, before: &str| {
            Value::Secret(SecretRef { name: name.into(), before: before.into(), after: "!".into() })
        };
        let plain = Value::Plain("x".into());
        assert!(matches!(secrets.reveal(&plain), Ok(Cow::Borrowed(_))));
        let value = Value::Map(vec![("k".into(), Value::List(vec![plain, secret("A", "Bearer "), secret("B", "")]))]);
        let revealed = secrets.reveal(&value).expect("both are there").into_owned();
        let text = serde_json::to_string(&revealed).expect("plain data");
        assert!(text.contains("Bearer alpha!") && text.contains("beta!"), "{text}");
    }

    #[test]
    fn a_run_that_names_none_needs_no_mask_and_no_command_runs_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let secrets = secrets([("C", command(&format!("echo x >> {}; echo value", log.display())))]);
        assert!(secrets.of_run(&Hidden::default()).is_none());
        assert!(secrets.of_run(&Hidden::new(&["C".into()], BTreeSet::new())).is_none());
        assert!(!log.exists());
        assert!(secrets.of_run(&Hidden::new(&["C".into()], ["C".into()].into())).is_some());
        assert_eq!(secrets.mask().text("a value here"), "a *** here");
    }
}
