//! A file to which lines are added, and which is cut off where the pipeline goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::event::Failure;
use crate::exec::capture::store_failure;

/// How much is gathered before it is written.
const BUFFER: usize = 64 << 10;

/// See the module's page.
pub(in crate::exec) struct LineFile {
    path: PathBuf,
    file: File,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// Bytes that are written.
    written: u64,
    /// Has anything been written since it was synchronised?
    unsynced: bool,
    /// Do others add to it, too? It was opened so that what is written comes behind what they wrote.
    common: bool,
}

impl LineFile {
    /// Opens a file, which is created if it is not there, and cuts it off behind so many bytes.
    pub fn open(path: &Path, written: u64) -> Result<Self, Failure> {
        let open = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            let length = file.metadata()?.len();
            if length < written {
                let error = format!("it has {length} bytes, though {written} were written");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
            }
            file.set_len(written)?;
            file.seek(SeekFrom::Start(written))?;
            Ok(file)
        };
        let file = open().map_err(|error| store_failure("go on with", path, &error))?;
        Ok(LineFile { path: path.to_owned(), file, buffer: Vec::new(), written, unsynced: false, common: false })
    }

    /// A file that is open and stands behind so many bytes.
    pub fn of(path: &Path, file: File, written: u64) -> Self {
        LineFile { path: path.to_owned(), file, buffer: Vec::new(), written, unsynced: false, common: false }
    }

    /// The same for a file that was opened to add to it, as others may do at the same time.
    pub fn common(path: &Path, file: File, written: u64) -> Self {
        LineFile { common: true, ..LineFile::of(path, file, written) }
    }

    /// Where what is written ends.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds a line, to which the newline is added. If it cannot be made, nothing is added.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>) -> Result<(), Failure> {
        let before = self.buffer.len();
        let made = write(&mut self.buffer);
        match made {
            Ok(()) => self.buffer.push(b'\n'),
            Err(_) => self.buffer.truncate(before),
        }
        made
    }

    /// Writes what was gathered, if it is much.
    pub fn spill(&mut self) -> Result<(), Failure> {
        if self.buffer.len() >= BUFFER { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Half a line stays nowhere, if that can be helped. What is no file cannot be cut off.
            match self.common {
                true => self.written = self.file.stream_position().unwrap_or(self.written),
                false => drop(self.file.set_len(self.written)),
            }
            return Err(store_failure("write", &self.path, &error));
        }
        self.written = match self.common {
            true => self.file.stream_position().map_err(|error| store_failure("write", &self.path, &error))?,
            false => self.written + self.buffer.len() as u64,
        };
        self.buffer.clear();
        self.unsynced = true;
        Ok(())
    }

    /// Writes what was gathered; `sync`: so that it survives a loss of power. Gives the length of the file.
    pub fn flush(&mut self, sync: bool) -> Result<u64, Failure> {
        self.write()?;
        if sync && self.unsynced {
            self.file.sync_data().map_err(|error| store_failure("write", &self.path, &error))?;
            self.unsynced = false;
        }
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_cut_off_and_a_line_that_fails_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        std::fs::write(&path, "one\ntwo\nthr").expect("it is there");
        let mut lines = LineFile::open(&path, 8).expect("it is there");
        let add = |text: &'static str| {
            move |line: &mut Vec<u8>| {
                line.extend_from_slice(text.as_bytes());
                Ok(())
            }
        };
        lines.add(add("three")).expect("it is made");
        let wrong = Failure::new(crate::event::FailureKind::Script, "no");
        lines
            .add(|line| {
                line.push(b'x');
                Err(wrong)
            })
            .expect_err("it cannot be made");
        lines.add(add("four")).expect("it is made");
        assert_eq!(lines.flush(true).expect("there is space"), 19);
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "one\ntwo\nthree\nfour\n");
        assert!(LineFile::open(&path, 20).is_err(), "something is missing");
    }
}
