//! Pipes with a large buffer, and bytes that go from one to the next without passing through us.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};

/// What a pipe should hold, in bytes. A user has 64 MiB for all pipes (`/proc/sys/fs/pipe-user-pages-soft`); then they
/// get smaller ones.
const SIZES: [usize; 2] = [1 << 20, 256 << 10];

/// Most bytes that are moved at once.
const MOST: usize = 1 << 20;

/// A pipe. `large`: with a large buffer, if the system grants it.
pub(super) fn pipe(large: bool) -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    if large {
        // What is not granted is no reason to fail.
        let _ = SIZES.iter().find(|size| fcntl_setpipe_size(&writer, **size).is_ok());
    }
    Ok((reader, writer))
}

/// Makes that what is read or written does not wait. This is the business of one end of a pipe only.
pub(super) fn never_wait(end: &impl AsFd) -> io::Result<()> {
    Ok(ioctl_fionbio(end, true)?)
}

/// What came of an attempt to move bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// There are none, or no room for them.
    Nothing,
    /// Nobody will write any more.
    End,
    /// Nobody will read any more.
    Unread,
}

/// Moves what is in one pipe to the other, without copying it.
pub(super) fn pass(from: &PipeReader, to: &PipeWriter) -> io::Result<Moved> {
    match splice(from, None, to, None, MOST, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
        Ok(0) => Ok(Moved::End),
        Ok(n) => Ok(Moved::Bytes(n)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Moved::Nothing),
        Err(Errno::PIPE) => Ok(Moved::Unread),
        Err(error) => Err(error.into()),
    }
}

/// Is there something now, be it the end?
pub(super) fn is_ready(end: &impl AsFd, what: PollFlags) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(end, what)], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn bytes_pass_and_ends_are_told_apart() {
        let (from, mut writer) = pipe(true).expect("a pipe");
        let (mut reader, to) = pipe(false).expect("a pipe");
        assert_eq!(pass(&from, &to).expect("pipes"), Moved::Nothing);
        writer.write_all(b"abc").expect("room");
        assert_eq!(pass(&from, &to).expect("pipes"), Moved::Bytes(3));
        let mut bytes = [0; 3];
        reader.read_exact(&mut bytes).expect("three bytes");
        assert_eq!(&bytes, b"abc");
        writer.write_all(b"d").expect("room");
        drop(reader);
        assert_eq!(pass(&from, &to).expect("pipes"), Moved::Unread);
        let (_reader, to) = pipe(false).expect("a pipe");
        assert_eq!(pass(&from, &to).expect("pipes"), Moved::Bytes(1));
        drop(writer);
        assert_eq!(pass(&from, &to).expect("pipes"), Moved::End);
    }
}
