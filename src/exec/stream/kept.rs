//! The first part of what a member writes, kept as its log while all of it flows on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::super::capture::{Captured, Logs, store_failure};
use super::super::mask::Masking;
use super::super::secrets::Secrets;
use crate::event::Failure;

/// See the module's page. A full disk ends the log, not the stream.
pub(super) struct Kept {
    path: PathBuf,
    /// As it stands in events.
    name: String,
    /// Created with the first bytes.
    file: Option<File>,
    /// Most bytes that are kept.
    limit: u64,
    /// How many came, and how many were kept of them.
    came: u64,
    kept: u64,
    /// How many are in the file: masks may be longer or shorter than what they hide.
    written: u64,
    masking: Option<(Masking, Arc<Secrets>)>,
    failed: Option<io::Error>,
}

/// What was kept.
pub(super) struct Log {
    /// Nothing: nothing was written.
    pub captured: Result<Option<Captured>, Failure>,
    /// More was written than is kept.
    pub partly: bool,
    /// Why not, if the disk was the reason.
    pub not_kept: Option<Failure>,
}

impl Kept {
    /// At most `limit` bytes. `secrets`: what is masked in them, if anything is.
    pub fn new(logs: &Logs, limit: u64, secrets: Option<Arc<Secrets>>) -> Self {
        Kept {
            path: logs.path("out"),
            name: logs.name("out"),
            file: None,
            limit,
            came: 0,
            kept: 0,
            written: 0,
            masking: secrets.map(|secrets| (Masking::default(), secrets)),
            failed: None,
        }
    }

    /// Goes on from what an earlier attempt has left.
    pub fn after(&mut self, earlier: &PathBuf) -> io::Result<()> {
        if fs::exists(earlier)? {
            self.written = fs::copy(earlier, &self.path)?;
            (self.came, self.kept) = (self.written, self.written);
            self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Is nothing more kept?
    pub fn is_full(&self) -> bool {
        self.kept >= self.limit || self.failed.is_some()
    }

    /// Did more come than is kept?
    pub fn is_over(&self) -> bool {
        self.came > self.limit
    }

    /// So many bytes went by that are not kept.
    pub fn passed(&mut self, bytes: u64) {
        self.came += bytes;
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.came += bytes.len() as u64;
        let room = usize::try_from(self.limit.saturating_sub(self.kept)).unwrap_or(usize::MAX);
        let mut bytes = &bytes[..room.min(bytes.len())];
        if bytes.len() == room {
            bytes = without_part(bytes);
            self.limit = self.kept + bytes.len() as u64;
        }
        self.kept += bytes.len() as u64;
        match &mut self.masking {
            None => self.write(bytes),
            Some((masking, secrets)) => {
                let mut certain = Vec::with_capacity(bytes.len() + 64);
                masking.take(&secrets.mask(), bytes, false, &mut certain);
                self.write(&certain);
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() || self.failed.is_some() {
            return;
        }
        let mut write = || {
            if self.file.is_none() {
                self.file = Some(OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?);
            }
            let Some(file) = &mut self.file else { return Ok(()) };
            while !bytes.is_empty() {
                match file.write(bytes) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => {
                        self.written += n as u64;
                        bytes = &bytes[n..];
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        if let Err(error) = write() {
            self.failed = Some(error);
        }
    }

    /// Nothing more comes.
    pub fn finish(mut self) -> Log {
        if let Some((mut masking, secrets)) = self.masking.take() {
            let mut certain = Vec::new();
            masking.take(&secrets.mask(), &[], true, &mut certain);
            self.write(&certain);
        }
        let captured = match self.written {
            0 => Ok(None),
            bytes => Captured::of(self.name, self.path.clone(), bytes)
                .map(Some)
                .map_err(|error| store_failure("read", &self.path, &error)),
        };
        let not_kept = self.failed.map(|error| store_failure("write", &self.path, &error));
        Log { captured, partly: self.came > self.kept || not_kept.is_some(), not_kept }
    }
}

/// Bytes without a letter in UTF-8 at their end of which only the beginning is there.
fn without_part(bytes: &[u8]) -> &[u8] {
    let begins = bytes.iter().rev().take(4).position(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(at) = begins.map(|from_end| bytes.len() - 1 - from_end) else { return bytes };
    let length = match bytes[at] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    if at + length > bytes.len() { &bytes[..at] } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_letter_is_cut_in_two() {
        assert_eq!(without_part("aé".as_bytes()), "aé".as_bytes());
        assert_eq!(without_part(&"aé".as_bytes()[..2]), b"a");
        assert_eq!(without_part(&"a😀".as_bytes()[..4]), b"a");
        assert_eq!(without_part(b"\xff\xfe"), b"\xff\xfe");
        assert_eq!(without_part(b"\x80\x80\x80\x80\x80"), b"\x80\x80\x80\x80\x80");
        assert_eq!(without_part(b""), b"");
    }
}
