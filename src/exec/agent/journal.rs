//! The file of an attempt's events: a line of JSON for each, with when it came and which raw line it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::Serialize;

use crate::event::{AgentEvent, Failure, Log};
use crate::exec::capture::{Captured, Logs, store_failure};

/// How much is held back at the most before it is written, in bytes.
const HELD: usize = 64 * 1024;

/// A file that is written now and then, and made with its first bytes.
pub(super) struct Tee {
    path: PathBuf,
    /// As it stands in events.
    name: String,
    file: Option<File>,
    held: Vec<u8>,
    written: u64,
}

impl Tee {
    /// One of the files of an attempt.
    pub fn of(logs: &Logs, ending: &str) -> Self {
        Tee { path: logs.path(ending), name: logs.name(ending), file: None, held: Vec::new(), written: 0 }
    }

    /// Appends.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= HELD { self.flush() } else { Ok(()) }
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.write().map_err(|error| store_failure("write", &self.path, &error))
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                none.insert(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?)
            }
        };
        file.write_all(&self.held)?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// What came of it: nothing if nothing was written.
    ///
    /// # Errors
    /// It cannot be written, or read.
    pub fn finish(mut self) -> Result<Option<Log>, Failure> {
        self.flush()?;
        if self.file.is_none() {
            return Ok(None);
        }
        let captured = Captured::of(self.name, self.path.clone(), self.written);
        captured.map(|captured| Some(captured.log)).map_err(|error| store_failure("read", &self.path, &error))
    }
}

/// An `AgentLine` whose event is somebody else's.
#[derive(Serialize)]
struct Line<'a> {
    at: u64,
    from: u64,
    bytes: u64,
    #[serde(flatten)]
    event: &'a AgentEvent,
}

/// See the module's page.
pub(super) struct Journal(Tee);

impl Journal {
    /// Of an attempt.
    pub fn of(logs: &Logs) -> Self {
        Journal(Tee::of(logs, "agent.ndjson"))
    }

    /// Notes an event.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, at: u64, from: u64, bytes: u64, event: &AgentEvent) -> Result<(), Failure> {
        // Into memory, and what is written are plain data: this cannot fail.
        if serde_json::to_writer(&mut self.0.held, &Line { at, from, bytes, event }).is_ok() {
            self.0.held.push(b'\n');
        }
        if self.0.held.len() >= HELD { self.0.flush() } else { Ok(()) }
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush()
    }

    /// What came of it.
    ///
    /// # Errors
    /// It cannot be written, or read.
    pub fn finish(self) -> Result<Option<Log>, Failure> {
        self.0.finish()
    }
}
