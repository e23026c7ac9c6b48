//! Entries from a pipe or a file: lines, until the parser says that they are whole.

use std::io::{self, BufRead, BufReader};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Read;
use super::command::is_command;
use super::entry::{goes_on, is_empty};
use crate::diag::Diagnostic;
use crate::flow::{Parsed, parsed};

/// Reads standard input.
pub struct Lines {
    input: BufReader<Input>,
    /// Read already, and not yet part of an entry.
    next: Option<Result<String, Diagnostic>>,
    over: bool,
}

/// Standard input without the buffer that it has of its own, which does not tell what is in it.
struct Input;

impl io::Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(io::stdin(), &mut *bytes) {
                Err(rustix::io::Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Lines { input: BufReader::new(Input), next: None, over: false }
    }
}

impl Lines {
    /// The next entry or command.
    pub fn read(&mut self) -> Read {
        let mut text = String::new();
        loop {
            let line = match self.line() {
                Ok(Some(line)) => line,
                // What is not whole by now is for the parser to complain about.
                Ok(None) if is_empty(&text) => return Read::End,
                Ok(None) => return Read::Entry(text),
                Err(problem) => return Read::Wrong(problem),
            };
            if text.is_empty() && (is_command(&line) || line.trim().is_empty()) {
                match line.trim().is_empty() {
                    true => continue,
                    false => return Read::Entry(line.trim().to_owned()),
                }
            }
            text.push_str(&line);
            if is_empty(&text) && !matches!(parsed(&text), Parsed::Incomplete) {
                // A comment is no entry.
                text.clear();
                continue;
            }
            if matches!(parsed(&text), Parsed::Incomplete) || self.next_goes_on() {
                continue;
            }
            return Read::Entry(text.trim_end().to_owned());
        }
    }

    /// Does the next line belong to this one? Only one that is there already: a program that writes entries waits for the
    /// answer of each.
    fn next_goes_on(&mut self) -> bool {
        if self.next.is_none() && self.is_there() {
            self.next = self.line().transpose();
        }
        matches!(&self.next, Some(Ok(line)) if goes_on(line))
    }

    fn is_there(&self) -> bool {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let ready = || poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
        !self.input.buffer().is_empty() || { ready }()
    }

    fn line(&mut self) -> Result<Option<String>, Diagnostic> {
        if let Some(line) = self.next.take() {
            return line.map(Some);
        }
        if self.over {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        match self.input.read_until(b'\n', &mut bytes) {
            Ok(0) => {
                self.over = true;
                Ok(None)
            }
            Ok(_) => match String::from_utf8(bytes) {
                Ok(line) => Ok(Some(line.replace("\r\n", "\n"))),
                Err(error) => {
                    let shown = String::from_utf8_lossy(error.as_bytes()).trim_end().to_owned();
                    Err(Diagnostic::new("flow::file::encoding", format!("a line is not UTF-8: `{shown}`"))
                        .help("save it as UTF-8; the session goes on with the next line"))
                }
            },
            Err(error) => {
                self.over = true;
                Err(Diagnostic::new("flow::file::unreadable", format!("standard input cannot be read: {error}"))
                    .help("give a file: `flow repl < session.rhai`"))
            }
        }
    }
}
