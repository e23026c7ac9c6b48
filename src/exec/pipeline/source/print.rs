//! By what a file is known again: a hash of the bytes before a place in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// So many bytes are looked at.
const BYTES: u64 = 64;

/// See the module's page.
pub(in crate::exec) struct Print(File);

impl Print {
    /// Of this file.
    pub fn of(file: &File) -> io::Result<Self> {
        file.try_clone().map(Print)
    }

    /// The hash of what stands before a byte (FNV-1a, 64 bits). Nothing: that is its beginning.
    pub fn before(&self, byte: u64) -> io::Result<Option<u64>> {
        let mut bytes = [0; BYTES as usize];
        let bytes = &mut bytes[..byte.min(BYTES) as usize];
        self.0.read_exact_at(bytes, byte - bytes.len() as u64)?;
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Ok((byte > 0).then(|| bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)))
    }
}
