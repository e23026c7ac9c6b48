//! What can be shown, and messages: they go to standard error, as results go to standard output.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::termios::tcgetpgrp;

use crate::diag::Diagnostic;
use crate::event::Log;
use crate::view::progress::Progress;
use crate::view::{self, Look};

/// Writes a whole text to standard error. If nobody reads it, there is nobody to be told.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A diagnostic as text for standard error.
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    view::diagnostic(diagnostic, messages_look())
}

/// How results may look.
pub fn results_look() -> Look {
    look(io::stdout().is_terminal(), terminal_size::terminal_size_of(io::stdout()))
}

/// How messages may look.
pub fn messages_look() -> Look {
    look(io::stderr().is_terminal(), terminal_size::terminal_size_of(io::stderr()))
}

fn look(terminal: bool, size: Option<(terminal_size::Width, terminal_size::Height)>) -> Look {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Look {
        // https://no-color.org
        color: terminal && !dumb && !set("NO_COLOR"),
        unicode: is_unicode(|name| std::env::var(name).ok()),
        width: if terminal { size.map_or(80, |(width, _)| usize::from(width.0)) } else { 0 },
    }
}

/// Does the locale say that letters beyond ASCII can be shown? Where it says nothing, they nearly always can.
fn is_unicode(var: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| var(name).filter(|v| !v.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Progress on standard error: drawn where that is a terminal, else lines.
pub fn progress(quiet: bool) -> Progress {
    if quiet {
        return Progress::quiet();
    }
    let look = messages_look();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    if !io::stderr().is_terminal() || dumb {
        return Progress::lines(Box::new(io::stderr()), look);
    }
    Progress::screen(look, std::thread::available_parallelism().map_or(2, usize::from).max(2))
}

/// Are standard input and standard error a terminal in whose foreground this process is? In the background, reading
/// would stop it.
pub fn is_in_front() -> bool {
    let (stdin, stderr) = (io::stdin(), io::stderr());
    let in_front = || tcgetpgrp(&stdin).is_ok_and(|front| front == rustix::process::getpgrp());
    stdin.is_terminal() && stderr.is_terminal() && in_front()
}

/// The time, in milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The path of a log file, as short as it can be said from here.
pub fn log_path(folder: &Path, log: &Log) -> String {
    short_path(&folder.join(&log.file))
}

/// A path, as short as it can be said from here.
pub fn short_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_about_letters() {
        let with = |pairs: &'static [(&str, &str)]| {
            is_unicode(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(with(&[]));
        assert!(with(&[("LANG", "de_DE.UTF-8")]));
        assert!(!with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]));
        assert!(with(&[("LANG", "C"), ("LC_ALL", "C.utf8")]));
    }
}
