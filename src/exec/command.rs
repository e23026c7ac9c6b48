//! Which program a job runs, in which environment and where.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::event::{Failure, FailureKind};
use crate::plan::{self, Shell, Task, Value};
use crate::state::result::{plain_text, shorten};
use crate::state::{Inputs, resolve};

use super::Job;
use super::fields::Place;
use super::secrets::Secrets;

/// Longest value, in bytes, that goes into an environment variable or an argument (Linux takes 128 KiB, name included).
pub(super) const LONGEST_WORD: usize = 120 * 1024;

/// A program to be run.
pub(super) struct Program {
    /// Program and arguments.
    pub words: Vec<String>,
    /// The command in the user's words, for messages.
    pub shown: String,
    /// Where it runs.
    pub cwd: PathBuf,
    /// What its environment is, where it does not inherit that of flow.
    pub around: Option<Around>,
    /// What to do where it is not installed, if that is known.
    pub install: Option<String>,
}

/// An environment that is not flow's own.
#[derive(Default)]
pub(super) struct Around {
    /// It gets nothing else of flow's; nothing: all.
    pub inherits: Option<Vec<(OsString, OsString)>>,
    /// What it gets beside that; what settings and the step say counts more.
    pub more: Vec<(String, String)>,
    /// And this, which counts more than what settings say.
    pub own: Vec<(String, String)>,
}

impl Program {
    /// The program of a job.
    pub fn of(job: &Job) -> Result<Self, Failure> {
        match &*job.task {
            Task::Shell(shell) => Self::shell(shell, job),
            Task::Exec(words) => Self::exec(words, job),
            other => {
                let message = format!("`{}` is not a process", other.kind());
                Err(Failure::new(FailureKind::Spawn, message))
            }
        }
    }

    /// A program that a pipeline names.
    pub fn of_pipeline(command: &plan::Command, job: &Job) -> Result<Self, Failure> {
        match command {
            plan::Command::Shell(shell) => Self::shell(shell, job),
            plan::Command::Exec(words) => Self::exec(words, job),
        }
    }

    fn shell(shell: &Shell, job: &Job) -> Result<Self, Failure> {
        Self::checked(shell_words(shell, job), first_line(&shell.script), job)
    }

    fn exec(words: &[Value], job: &Job) -> Result<Self, Failure> {
        let words = words.iter().map(|word| text(word, &job.inputs)).collect::<Result<Vec<_>, _>>()?;
        let shown = shorten(&words.join(" "), 60);
        Self::checked(words, shown, job)
    }

    fn checked(words: Vec<String>, shown: String, job: &Job) -> Result<Self, Failure> {
        if words.first().is_none_or(String::is_empty) {
            return Err(Failure::new(FailureKind::Spawn, "there is no program to run: the command is empty")
                .help("`exec(name, [program, arguments…])` needs at least the program"));
        }
        check_words(&words)?;
        Ok(Program { words, shown, cwd: job.cwd()?, around: None, install: None })
    }

    /// The command, ready but for its three streams.
    ///
    /// There is no `pre_exec` on purpose: with one the standard library forks, which takes half as long again.
    pub fn command(&self, job: &Job, fields: &Place, secrets: &Secrets) -> Result<Command, Failure> {
        let mut command = self.bare();
        let vars = match &*job.task {
            Task::Shell(shell) => shell.vars.as_slice(),
            _ => &[],
        };
        if let Some(around) = &self.around {
            if let Some(inherits) = &around.inherits {
                command.env_clear().envs(inherits.iter().map(|(name, value)| (name, value))).env("PWD", &self.cwd);
            }
            for (name, value) in &around.more {
                check_variable(name, value)?;
                command.env(name, value);
            }
        }
        command.envs(environment(vars, job, secrets)?);
        for (name, value) in self.around.iter().flat_map(|around| &around.own) {
            let said = |(other, _): &(String, Value)| other == name;
            if !name.starts_with("FLOW_") && !job.policy.iter().any(|policy| policy.env.iter().any(said)) {
                check_variable(name, value)?;
                command.env(name, value);
            }
        }
        command.env("FLOW_OUTPUT", fields.path());
        Ok(command)
    }

    /// A program with an environment of its own, `shown` in messages.
    pub fn with(words: Vec<String>, shown: String, cwd: PathBuf, around: Around) -> Result<Self, Failure> {
        check_words(&words)?;
        Ok(Program { words, shown, cwd, around: Some(around), install: None })
    }

    /// Program, arguments and place, with nothing added to the environment.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(&self.cwd).process_group(0).env("PWD", &self.cwd);
        command
    }
}

/// What the processes of a job find in their environment: what settings and step say, the values in the script (`vars`),
/// and whose they are.
pub(super) fn environment(
    vars: &[(smol_str::SmolStr, Value)],
    job: &Job,
    secrets: &Secrets,
) -> Result<Vec<(String, String)>, Failure> {
    let mut environment = Vec::new();
    let own = job.policy.iter().flat_map(|policy| &policy.env);
    for (name, value) in job.site.settings.env.iter().chain(own) {
        let value = text(&*secrets.reveal(value)?, &job.inputs)?;
        check_variable(name, &value)?;
        environment.push((name.clone(), value));
    }
    for (name, value) in vars {
        let value = text(value, &job.inputs)?;
        check_variable(value_name(vars, name).as_ref(), &value)?;
        environment.push((name.to_string(), value));
    }
    environment.push(("FLOW_RUN".into(), job.site.run.clone()));
    environment.push(("FLOW_STEP".into(), job.path.clone()));
    environment.push(("FLOW_ATTEMPT".into(), job.attempt.to_string()));
    environment.push(("FLOW_STEP_KEY".into(), job.key()));
    Ok(environment)
}

pub(super) fn shell_words(shell: &Shell, job: &Job) -> Vec<String> {
    if let (Some(words), true) = (&shell.direct, shell.vars.is_empty()) {
        return words.clone();
    }
    let name = shell.shell.as_deref().or(job.site.settings.shell.as_deref()).unwrap_or("sh");
    let mut words: Vec<String> = match name.rsplit('/').next() {
        Some("bash") => [name, "-euo", "pipefail", "-c"].map(str::to_owned).into(),
        // By its path: then nobody has to look for it.
        _ if name == "sh" => ["/bin/sh", "-ec"].map(str::to_owned).into(),
        _ => [name, "-ec"].map(str::to_owned).into(),
    };
    words.push(shell.script.clone());
    words
}

/// A value as text.
pub(super) fn text(value: &Value, inputs: &Inputs) -> Result<String, Failure> {
    match value.as_text() {
        Some(text) => Ok(text.to_owned()),
        None => resolve(value, inputs).map(|value| match value {
            serde_json::Value::String(text) => text,
            value => plain_text(&value),
        }),
    }
}

/// How to speak of a variable: one that stands for a value in the script has no name that the user knows.
fn value_name<'a>(vars: &[(smol_str::SmolStr, Value)], name: &'a str) -> Cow<'a, str> {
    match vars.iter().position(|(known, _)| known == name) {
        Some(place) if name.starts_with("FLOW_IN_") => format!("value {} in the script", place + 1).into(),
        _ => name.into(),
    }
}

fn check_variable(name: &str, value: &str) -> Result<(), Failure> {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = format!("`{}` cannot be the name of an environment variable", name.escape_debug());
        return Err(Failure::new(FailureKind::Input, message).help("names hold letters, digits and `_`"));
    }
    check(value, name)
}

fn check(text: &str, what: &str) -> Result<(), Failure> {
    if text.len() > LONGEST_WORD {
        let message =
            format!("{what} is {} KiB long, more than a process can be given in its environment", text.len() / 1024);
        return Err(Failure::new(FailureKind::Input, message)
            .help("give it to the process as standard input: `.stdin(step.output)`, and read it there"));
    }
    if text.contains('\0') {
        return Err(Failure::new(
            FailureKind::Input,
            format!("{what} holds a NUL byte, which a process cannot be given"),
        )
        .help("give it to the process as standard input: `.stdin(step.output)`"));
    }
    Ok(())
}

fn check_words(words: &[String]) -> Result<(), Failure> {
    words.iter().try_for_each(|word| check(word, "an argument"))
}

fn first_line(script: &str) -> String {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{} …", shorten(first, 60)) } else { shorten(first, 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_by_its_first_line() {
        assert_eq!(first_line("make test"), "make test");
        assert_eq!(first_line("\n# prepare\nset -x\nmake\n"), "set -x …");
    }

    #[test]
    fn what_does_not_fit_an_environment_is_refused() {
        assert!(check(&"x".repeat(LONGEST_WORD), "x").is_ok());
        let failure = check(&"x".repeat(LONGEST_WORD + 1), "value 1").expect_err("too long");
        assert_eq!(failure.kind, FailureKind::Input);
        assert!(failure.help.is_some_and(|help| help.contains(".stdin(")));
        assert!(check("a\0b", "x").is_err());
        assert!(check_variable("a=b", "x").is_err());
    }
}
