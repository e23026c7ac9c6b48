//! What a source gave that cannot be read again: kept in the run's folder, an entry a line, before it goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Bad, Mark, Opening, Sourced};
use crate::event::Failure;
use crate::exec::capture::store_failure;
use crate::lang::item::Item;
use crate::plan::Json;

/// See the module's page. A place in it (`Mark::from`) is a byte of its file.
pub(super) struct Spool {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next entry is read.
    read: u64,
    /// Its length.
    length: u64,
    /// What is to be written.
    buffer: Vec<u8>,
    /// Does it have to survive a loss of power?
    sync: bool,
}

/// A line of it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// The number of the line or row that it was.
    #[serde(skip_serializing_if = "is_zero")]
    pub place: u64,
    /// The item: one, or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub item: Vec<Json>,
    /// Why it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What else the source has to remember.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub seen: Json,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Spool {
    /// Where it is.
    pub fn path_of(at: &Opening) -> PathBuf {
        at.job.site.folder.join(at.stem() + ".source.ndjson")
    }

    /// Opens it where the pipeline goes on.
    pub fn open(at: &Opening, from: u64) -> Result<Self, Failure> {
        at.job.site.prepare()?;
        let path = Self::path_of(at);
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let length = whole_lines(&mut file)?;
            if length < from {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "something of it is missing"));
            }
            file.seek(SeekFrom::Start(from))?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| store_failure("go on with", &path, &error))?;
        let file = BufReader::new(file);
        Ok(Spool { path, file, read: from, length, buffer: Vec::new(), sync: at.around.keep.full })
    }

    /// Opens it with these entries alone, all of which are there before anybody sees one.
    pub fn of(at: &Opening, entries: impl IntoIterator<Item = Entry>) -> Result<Self, Failure> {
        at.job.site.prepare()?;
        let path = Self::path_of(at);
        let mut text = Vec::new();
        for entry in entries {
            add(&mut text, &entry).map_err(|error| store_failure("write", &path, &error))?;
        }
        let new = path.with_extension("new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| store_failure("write", &path, &error))?;
        Self::open(at, 0)
    }

    /// The next entry that is there, with where it begins.
    pub fn next(&mut self) -> Result<Option<(u64, Entry)>, Failure> {
        if self.read >= self.length {
            return Ok(None);
        }
        let mut line = Vec::new();
        let begin = self.read;
        let entry = self.file.read_until(b'\n', &mut line).and_then(|n| {
            self.read += n as u64;
            Ok(serde_json::from_slice(&line)?)
        });
        entry.map(|entry| Some((begin, entry))).map_err(|error| store_failure("read", &self.path, &error))
    }

    /// Adds an entry; gives where it begins. It is there after the next [`Spool::flush`].
    pub fn add(&mut self, entry: &Entry) -> Result<u64, Failure> {
        let begin = self.length + self.buffer.len() as u64;
        add(&mut self.buffer, entry).map_err(|error| store_failure("write", &self.path, &error))?;
        Ok(begin)
    }

    /// Writes what was added. Nothing may be left to be read.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let mut write = || {
            let file = self.file.get_mut();
            file.seek(SeekFrom::Start(self.length))?;
            file.write_all(&self.buffer)?;
            if self.sync { file.sync_data() } else { Ok(()) }
        };
        write().map_err(|error| store_failure("write", &self.path, &error))?;
        self.length += self.buffer.len() as u64;
        self.read = self.length;
        self.buffer.clear();
        Ok(())
    }

    /// Is nothing in it at all?
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where the next entry begins.
    pub fn at(&self) -> u64 {
        self.read
    }

    /// All its entries, from the first one on, whatever has been read.
    pub fn entries(path: &Path) -> impl Iterator<Item = Entry> {
        let lines = File::open(path).map(BufReader::new).into_iter().flat_map(|file| file.split(b'\n'));
        lines.map_while(Result::ok).filter_map(|line| serde_json::from_slice(&line).ok())
    }
}

/// Cuts off a last line that is not whole. Gives the length.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut length = file.metadata()?.len();
    let mut piece = [0; 64 * 1024];
    let whole = loop {
        if length == 0 {
            break 0;
        }
        let begin = length.saturating_sub(piece.len() as u64);
        let part = &mut piece[..(length - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        match part.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => break begin + at as u64 + 1,
            None => length = begin,
        }
    };
    file.set_len(whole)?;
    Ok(whole)
}

fn add(text: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *text, entry)?;
    text.push(b'\n');
    Ok(())
}

impl Entry {
    /// Of an item.
    pub fn of(place: u64, item: &Result<Item, Bad>) -> Result<Self, Failure> {
        let (item, why) = match item {
            Ok(item) => (item, None),
            Err(bad) => (&bad.raw, Some(bad.why.clone())),
        };
        Ok(Entry { place, item: vec![item.to_json()?], why, seen: Json::Null })
    }

    /// The item that it is; nothing: it only says what the source has seen. `from`: where it begins.
    pub fn sourced(self, from: u64, offset: u64) -> Option<Sourced> {
        let item = Item::of(self.item.into_iter().next()?);
        let item = match self.why {
            None => Ok(item),
            Some(why) => Err(Bad { raw: item, why }),
        };
        Some(Sourced { offset, mark: Mark { from, place: self.place }, item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, whole) in [("", 0), ("ab", 0), ("a\nb", 2), ("a\nb\n", 4), ("\n", 1)] {
            let path = folder.path().join("spool");
            let long = "x".repeat(200_000) + text;
            for (text, whole) in [(text, whole), (&long, if whole == 0 { 0 } else { whole + 200_000 })] {
                fs::write(&path, text).expect("it is written");
                let mut file = OpenOptions::new().read(true).write(true).open(&path).expect("it is there");
                assert_eq!(whole_lines(&mut file).expect("it is read"), whole);
                assert_eq!(fs::metadata(&path).expect("it is there").len(), whole);
            }
        }
    }
}
