//! Where text goes: results to standard output, all else to standard error.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use super::End;
use crate::diag::Diagnostic;
use crate::view::Look;

/// Standard output, buffered.
pub fn results() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Writes a whole text to standard output.
pub fn print(text: &str) -> Result<(), End> {
    let mut out = results();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a whole text to standard error. If nobody reads it, there is nobody to be told.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
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

impl From<io::Error> for End {
    /// A reader that goes away (`flow runs | head`) is no error.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return End::Unread;
        }
        let message = format!("cannot write the results: {error}");
        End::Wrong(Diagnostic::new("flow::cli::output", message).help("is the disk full, or standard output closed?"))
    }
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
