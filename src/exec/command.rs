//! Which program a job runs, in which environment and where.

use std::borrow::Cow;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::event::{Failure, FailureKind};
use crate::plan::{Shell, Task, Value};
use crate::state::result::{plain_text, shorten};
use crate::state::{Inputs, resolve};

use super::Job;
use super::fields::Place;
use super::secrets::Secrets;

/// Longest value, in bytes, that goes into an environment variable or an argument (Linux takes 128 KiB, name included).
const LONGEST_WORD: usize = 120 * 1024;

/// A program to be run.
pub(super) struct Program {
    /// Program and arguments.
    pub words: Vec<String>,
    /// The command in the user's words, for messages.
    pub shown: String,
    /// Where it runs.
    pub cwd: PathBuf,
}

impl Program {
    /// The program of a job.
    pub fn of(job: &Job) -> Result<Self, Failure> {
        let (words, shown) = match &*job.task {
            Task::Shell(shell) => (shell_words(shell, job), first_line(&shell.script)),
            Task::Exec(words) => {
                let words = words.iter().map(|word| text(word, &job.inputs)).collect::<Result<Vec<_>, _>>()?;
                let shown = shorten(&words.join(" "), 60);
                (words, shown)
            }
            other => {
                let message = format!("`{}` is not a process", other.kind());
                return Err(Failure::new(FailureKind::Spawn, message));
            }
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(Failure::new(FailureKind::Spawn, "there is no program to run: the command is empty")
                .help("`exec(name, [program, arguments…])` needs at least the program"));
        }
        for word in &words {
            check(word, "an argument")?;
        }
        Ok(Program { words, shown, cwd: job.cwd()? })
    }

    /// The command, ready but for its three streams.
    ///
    /// There is no `pre_exec` on purpose: with one the standard library forks, which takes half as long again.
    pub fn command(&self, job: &Job, fields: &Place, secrets: &Secrets) -> Result<Command, Failure> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(&self.cwd).process_group(0);
        command.env("PWD", &self.cwd);
        let own = job.policy.iter().flat_map(|policy| &policy.env);
        for (name, value) in job.site.settings.env.iter().chain(own) {
            let value = text(&*secrets.reveal(value)?, &job.inputs)?;
            check_variable(name, &value)?;
            command.env(name, value);
        }
        if let Task::Shell(shell) = &*job.task {
            for (name, value) in &shell.vars {
                let value = text(value, &job.inputs)?;
                check_variable(value_name(&shell.vars, name).as_ref(), &value)?;
                command.env(name.as_str(), value);
            }
        }
        command.env("FLOW_RUN", &job.site.run);
        command.env("FLOW_STEP", &job.path);
        command.env("FLOW_ATTEMPT", job.attempt.to_string());
        command.env("FLOW_STEP_KEY", job.key());
        command.env("FLOW_OUTPUT", fields.path());
        Ok(command)
    }
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

fn text(value: &Value, inputs: &Inputs) -> Result<String, Failure> {
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
