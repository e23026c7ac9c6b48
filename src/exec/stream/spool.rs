//! What a member has been given, kept so that it can be given it again.
//!
//! The file has no name: it is gone when nobody has it open any more, however we end. In a run with secrets it is in
//! memory, since what may hold a secret never is on a disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};

use super::lines;

/// What is read of it at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// How many bytes that are not needed any more are given back at once.
const FREE: u64 = 8 << 20;

/// See the module's page.
pub(super) struct Spool {
    file: File,
    /// How many bytes are in it.
    end: u64,
    /// How many of them have been given.
    sent: u64,
    /// All lines before this one have been answered: its number, and where it begins.
    answered: (u64, u64),
    /// The disk has been given back so many bytes at its beginning.
    freed: u64,
    /// When so many bytes have been given, it is worth looking what has been answered.
    look: u64,
}

impl Spool {
    /// An empty one, which stands at `path` for a moment.
    pub fn new(path: &Path, in_memory: bool) -> io::Result<Self> {
        let file = if in_memory {
            File::from(memfd_create("flow-spool", MemfdFlags::CLOEXEC)?)
        } else {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
            fs::remove_file(path)?;
            file
        };
        Ok(Spool { file, end: 0, sent: 0, answered: (0, 0), freed: 0, look: 2 * FREE })
    }

    /// How many bytes are still to be given.
    pub fn waiting(&self) -> u64 {
        self.end - self.sent
    }

    /// Adds bytes. If it fails, some of them may have been added: how many is told.
    pub fn add(&mut self, mut bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let all = bytes.len();
        while !bytes.is_empty() {
            match self.file.write_at(bytes, self.end) {
                Ok(0) => return Err((all - bytes.len(), io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    self.end += n as u64;
                    bytes = &bytes[n..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((all - bytes.len(), error)),
            }
        }
        Ok(())
    }

    /// The next bytes to be given.
    pub fn next(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let length = self.waiting().min(CHUNK as u64) as usize;
        buffer.resize(length, 0);
        self.file.read_exact_at(buffer, self.sent)
    }

    /// So many of them were given.
    pub fn gave(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Begins again with the first line that is not answered. `answered`: how many are, nothing: lines do not count.
    pub fn rewind(&mut self, answered: Option<u64>) -> io::Result<()> {
        self.answer(answered.unwrap_or(0))?;
        self.sent = self.answered.1;
        Ok(())
    }

    /// So many lines are answered: they will not be needed again.
    pub fn answer(&mut self, lines: u64) -> io::Result<()> {
        if lines <= self.answered.0 {
            return Ok(());
        }
        let mut buffer = vec![0; CHUNK];
        let (mut line, mut at) = self.answered;
        while line < lines && at < self.sent {
            let length = (self.sent - at).min(CHUNK as u64) as usize;
            let chunk = &mut buffer[..length];
            self.file.read_exact_at(chunk, at)?;
            let mut rest = &*chunk;
            while line < lines
                && let Some(length) = lines::first(rest)
            {
                line += 1;
                at += length as u64;
                rest = &rest[length..];
            }
            if line < lines {
                // A line that goes on in the next chunk: its beginning is behind us only when its end is.
                match rest.is_empty() {
                    true => {}
                    false if rest.len() == length => match self.line_end(at)? {
                        Some(end) => (line, at) = (line + 1, end),
                        None => break,
                    },
                    false if at + rest.len() as u64 >= self.sent => break,
                    false => {}
                }
            }
        }
        self.answered = (line, at);
        if at - self.freed >= FREE {
            let whole = at - at % 4096;
            // Where the file system cannot do that, it takes more room.
            let _ = fallocate(
                &self.file,
                FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
                self.freed,
                whole - self.freed,
            );
            self.freed = whole;
        }
        Ok(())
    }

    /// Where the line that begins at `at`, and is longer than a chunk, ends.
    fn line_end(&self, mut at: u64) -> io::Result<Option<u64>> {
        let mut buffer = vec![0; CHUNK];
        while at < self.sent {
            let length = (self.sent - at).min(CHUNK as u64) as usize;
            self.file.read_exact_at(&mut buffer[..length], at)?;
            if let Some(length) = lines::first(&buffer[..length]) {
                return Ok(Some(at + length as u64));
            }
            at += length as u64;
        }
        Ok(None)
    }

    /// Is it worth looking what has been answered?
    pub fn may_free(&mut self) -> bool {
        let may = self.sent >= self.look;
        if may {
            self.look = self.sent + FREE;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(spool: &mut Spool) -> Vec<u8> {
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        while spool.waiting() > 0 {
            spool.next(&mut chunk).expect("it was written");
            spool.gave(chunk.len());
            all.extend_from_slice(&chunk);
        }
        all
    }

    #[test]
    fn it_begins_again_where_it_is_told() {
        let mut spool = Spool::new(Path::new(""), true).expect("memory");
        spool.add(b"a\nb\nc\nd").expect("room");
        assert_eq!(rest(&mut spool), b"a\nb\nc\nd");
        spool.rewind(None).expect("it was written");
        assert_eq!(rest(&mut spool), b"a\nb\nc\nd");
        spool.rewind(Some(2)).expect("it was written");
        assert_eq!(rest(&mut spool), b"c\nd");
        // More answers than lines: nobody can answer what has not been given.
        spool.rewind(Some(9)).expect("it was written");
        assert_eq!(rest(&mut spool), b"d");
    }

    #[test]
    fn long_lines_are_found_and_room_is_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::new(&folder.path().join("spool"), false).expect("a file");
        let line = |letter: u8| [vec![letter; 3_000_000], b"\n".to_vec()].concat();
        for letter in *b"abcdefgh" {
            spool.add(&line(letter)).expect("room");
        }
        assert_eq!(rest(&mut spool).len(), 8 * 3_000_001);
        assert!(spool.may_free() && !spool.may_free());
        spool.rewind(Some(6)).expect("it was written");
        assert!(spool.freed > FREE);
        assert_eq!(rest(&mut spool), [line(b'g'), line(b'h')].concat());
        assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none());
    }
}
