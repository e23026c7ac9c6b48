//! Ends of a process in words: exit codes, signals, and why one could not be started.

use std::io;
use std::path::Path;

use crate::diag::nearest;
use crate::event::{Failure, FailureKind};
use crate::plan::Class;
use crate::state::result::shorten;

use super::command::Program;

/// Signals that end processes, with what they mean.
const SIGNALS: [(i32, &str, &str); 14] = [
    (1, "SIGHUP", "its terminal is gone"),
    (2, "SIGINT", "Ctrl-C"),
    (3, "SIGQUIT", "Ctrl-\\"),
    (4, "SIGILL", "an illegal instruction"),
    (6, "SIGABRT", "it gave up by itself"),
    (7, "SIGBUS", "a bad memory access"),
    (8, "SIGFPE", "a bad calculation"),
    (9, "SIGKILL", "killed, perhaps because memory ran out"),
    (11, "SIGSEGV", "a bad memory access"),
    (13, "SIGPIPE", "nobody read what it wrote"),
    (14, "SIGALRM", "an alarm"),
    (15, "SIGTERM", "somebody asked it to end"),
    (24, "SIGXCPU", "too much processor time"),
    (25, "SIGXFSZ", "a file too large"),
];

/// A signal's name and meaning.
pub(super) fn signal_name(signal: i32) -> String {
    match SIGNALS.iter().find(|(number, ..)| *number == signal) {
        Some((_, name, meaning)) => format!("{name} ({meaning})"),
        None => format!("signal {signal}"),
    }
}

/// The failure of a process that ended with a code other than 0. `stderr`: the end of what it wrote there.
pub(super) fn by_code(program: &Program, code: i32, stderr: &str, log: Option<&Path>) -> Failure {
    let shown = &program.shown;
    let failure = Failure::new(FailureKind::Exit, format!("`{shown}` ended with exit code {code}"));
    if code == 127 {
        if let Some(missing) = missing_program(stderr) {
            let failure = Failure::new(
                FailureKind::Exit,
                format!("`{shown}` ended with exit code 127: `{missing}` was not found in PATH"),
            );
            return failure.help(not_found_help(&missing));
        }
        return failure.help("127 means that a program was not found in PATH");
    }
    if code == 126 {
        return failure
            .help("126 means that a program was found but cannot be executed: is it executable (`chmod +x`)?");
    }
    let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    match (last, log) {
        // Nothing of it may be quoted.
        (None, Some(log)) => failure.help(format!("what it wrote to standard error is in {}", log.display())),
        (Some(last), Some(log)) => {
            failure.help(format!("its last words were `{}`; all of them are in {}", shorten(last, 200), log.display()))
        }
        _ if signal_of(code).is_some() => {
            let signal = signal_name(code - 128);
            failure.help(format!("{code} is 128 + {}: a program in it was ended by {signal}", code - 128))
        }
        _ => failure.help("it wrote nothing to standard error; `set -x` at the top of a script shows its commands"),
    }
}

fn signal_of(code: i32) -> Option<i32> {
    SIGNALS.iter().map(|(number, ..)| *number).find(|number| number + 128 == code)
}

/// The failure of a process that a signal ended which was not ours.
pub(super) fn by_signal(program: &Program, signal: i32) -> Failure {
    let message = format!("`{}` was ended by {}", program.shown, signal_name(signal));
    let help = if signal == 9 {
        "`dmesg` or the system's journal says so if the kernel ended it for want of memory"
    } else {
        "the signal did not come from flow; its log may say more"
    };
    Failure::new(FailureKind::Signal, message).help(help)
}

/// The failure of a process that flow ended.
pub(super) fn by_us(program: &Program) -> Failure {
    Failure::new(FailureKind::Cancelled, format!("`{}` was ended before it was done", program.shown))
        .help("it was cancelled, or the run was")
}

/// The failure of a process that could not be started.
pub(super) fn not_started(program: &Program, error: &io::Error) -> Failure {
    let mut failure = refused(program, error);
    if is_shortage(error) {
        failure.class = Class::Resource;
    }
    failure
}

/// Was something used up: processes, memory, open files?
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory)
        || matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

fn refused(program: &Program, error: &io::Error) -> Failure {
    let name = &program.words[0];
    let fail = |message: String| Failure::new(FailureKind::Spawn, message);
    if !program.cwd.is_dir() {
        let is = if program.cwd.exists() { "is not a directory" } else { "does not exist" };
        return fail(format!("the working directory `{}` {is}", program.cwd.display()))
            .help("`.cwd(…)` and `settings(#{cwd: …})` are taken from where flow was called");
    }
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => {
            let path = program.cwd.join(name);
            if path.exists() {
                fail(format!("`{name}` cannot be run: its interpreter (the `#!` line) was not found"))
                    .help("the first line of the file names a program that is not there")
            } else {
                fail(format!("the program `{name}` does not exist"))
                    .help(format!("it was looked for in `{}`", program.cwd.display()))
            }
        }
        io::ErrorKind::NotFound => {
            let help = program.install.clone().unwrap_or_else(|| not_found_help(name));
            fail(format!("the program `{name}` was not found in PATH")).help(help)
        }
        io::ErrorKind::PermissionDenied => fail(format!("the program `{name}` cannot be executed: permission denied"))
            .help(format!("`chmod +x {name}` makes it executable; a directory cannot be run")),
        io::ErrorKind::ArgumentListTooLong => {
            fail(format!("`{}` cannot be started: its arguments and environment are too large", program.shown))
                .help("give large values to the process as standard input: `.stdin(step.output)`")
        }
        _ => match error.raw_os_error() {
            Some(ENOEXEC) => fail(format!("`{name}` is not a program: it has no `#!` line and is not a binary"))
                .help("begin the file with a line such as `#!/bin/sh`"),
            Some(EMFILE | ENFILE) => fail(format!("`{}` cannot be started: too many open files", program.shown))
                .help("`ulimit -n` raises the limit; `--max-parallel` lowers the need"),
            _ => fail(format!("`{}` cannot be started: {error}", program.shown))
                .help("the system refused it; if it lacks processes or memory, `--max-parallel` lowers the need"),
        },
    }
}

const ENOEXEC: i32 = 8;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// Is it worth another try in a moment? Some errors pass: a file that another thread has just written (its descriptor
/// may live on in a child for an instant), or a shortage of processes.
pub(super) fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ExecutableFileBusy | io::ErrorKind::WouldBlock)
}

/// What a shell says of a program that it does not find: `sh: 1: foo: not found`, `bash: line 1: foo: command not found`.
fn missing_program(stderr: &str) -> Option<String> {
    let line = stderr.lines().rev().find(|line| line.trim_end().ends_with("not found"))?;
    let rest = line.trim_end().strip_suffix("not found")?.trim_end();
    let rest = rest.strip_suffix("command").unwrap_or(rest).trim_end().strip_suffix(':')?;
    let name = rest.rsplit(": ").next()?.trim();
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
}

fn not_found_help(name: &str) -> String {
    let near = (!name.contains('/')).then(|| nearest_program(name)).flatten();
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("is `{name}` installed, and its folder in PATH?"),
    }
}

fn nearest_program(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let names: Vec<String> = std::env::split_paths(&path)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|known| known.len().abs_diff(name.len()) <= 3)
        .collect();
    nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        Program { words: vec!["make".into()], shown: "make test".into(), cwd: "/".into(), around: None, install: None }
    }

    #[test]
    fn what_a_shell_did_not_find_is_named() {
        assert_eq!(missing_program("sh: 1: foo: not found\n").as_deref(), Some("foo"));
        assert_eq!(missing_program("bash: line 1: foo: command not found\n").as_deref(), Some("foo"));
        assert_eq!(missing_program("page not found\n"), None);
    }

    #[test]
    fn a_shortage_is_no_mistake_of_the_script() {
        let class = |number| not_started(&program(), &io::Error::from_raw_os_error(number)).class;
        // EAGAIN, ENOMEM, EMFILE.
        assert_eq!([11, 12, 24].map(class), [Class::Resource; 3]);
        // ENOENT, EACCES: left to the kind of the failure.
        assert_eq!([2, 13].map(class), [Class::default(); 2]);
    }

    #[test]
    fn codes_and_signals_have_words() {
        let failure = by_code(&program(), 2, "a\nno rule\n\n", Some(Path::new("logs/1.err")));
        assert_eq!(failure.message, "`make test` ended with exit code 2");
        assert_eq!(failure.help.as_deref(), Some("its last words were `no rule`; all of them are in logs/1.err"));
        assert!(by_code(&program(), 139, "", None).help.is_some_and(|help| help.contains("SIGSEGV")));
        assert!(by_signal(&program(), 11).message.contains("SIGSEGV"));
    }
}
