//! Streams of a process in a run with secrets: they come through pipes, and only what has been masked gets into files.
//!
//! The thread that waits for the process reads them. (In a run without secrets a process writes into its files itself,
//! see `blank`.)

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::capture::{Captured, Logs, store_failure};
use super::mask::Masking;
use super::secrets::Secrets;
use crate::event::Failure;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What a pipe holds at the most, in chunks, unless a program has asked for more.
const LEFT: usize = 16;

/// How often one looks whether a process has ended that cannot be polled (before Linux 5.3).
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// One stream of a process.
pub(super) struct Copy {
    /// Nothing: its end has come.
    pipe: Option<PipeReader>,
    masking: Masking,
    /// Created with the first bytes.
    file: Option<File>,
    path: PathBuf,
    /// As it stands in events.
    name: String,
    /// How many bytes came.
    came: u64,
    /// How many are kept.
    limit: u64,
    written: u64,
    failed: Option<io::Error>,
}

impl Copy {
    /// A stream, and the end of it that the process gets. At most `limit` bytes of it are kept.
    pub fn open(logs: &Logs, ending: &str, limit: Option<u64>) -> Result<(Self, PipeWriter), Failure> {
        let path = logs.path(ending);
        let pipe = || {
            let (reader, writer) = io::pipe()?;
            ioctl_fionbio(&reader, true)?;
            io::Result::Ok((reader, writer))
        };
        let (reader, writer) = pipe().map_err(|error| store_failure("open a pipe for", &path, &error))?;
        let copy = Copy {
            pipe: Some(reader),
            masking: Masking::default(),
            file: None,
            path,
            name: logs.name(ending),
            came: 0,
            limit: limit.unwrap_or(u64::MAX),
            written: 0,
            failed: None,
        };
        Ok((copy, writer))
    }

    /// Did more come than is kept?
    pub fn is_over(&self) -> bool {
        self.came > self.limit
    }

    /// Reads once. Gives false if there is nothing to be read now, or any more.
    fn read(&mut self, secrets: &Secrets, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(n) => {
                let kept = self.limit.saturating_sub(self.came).min(n as u64) as usize;
                self.came += n as u64;
                self.write(secrets, &buffer[..kept], false);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                self.failed.get_or_insert(error);
                self.pipe = None;
            }
        }
        false
    }

    fn write(&mut self, secrets: &Secrets, bytes: &[u8], last: bool) {
        let mut certain = Vec::with_capacity(bytes.len() + 64);
        self.masking.take(&secrets.mask(), bytes, last, &mut certain);
        if certain.is_empty() || self.failed.is_some() {
            return;
        }
        let mut write = || {
            if self.file.is_none() {
                self.file = Some(OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?);
            }
            self.file.as_mut().map_or(Ok(()), |file| file.write_all(&certain))
        };
        match write() {
            Ok(()) => self.written += certain.len() as u64,
            Err(error) => self.failed = Some(error),
        }
    }

    /// What came of the stream of a process that has ended: nothing if it wrote nothing.
    ///
    /// A child that it left in the background may hold the other end. It can go on writing as long as flow is there, but
    /// nobody keeps it.
    pub fn take(mut self, secrets: &Secrets) -> Result<Option<Captured>, Failure> {
        let mut buffer = vec![0; CHUNK];
        for _ in 0..LEFT {
            if !self.read(secrets, &mut buffer) {
                break;
            }
        }
        self.write(secrets, &[], true);
        if let Some(pipe) = self.pipe.take() {
            drain(pipe);
        }
        if let Some(error) = self.failed {
            return Err(store_failure("write", &self.path, &error));
        }
        if self.file.is_none() {
            return Ok(None);
        }
        let captured = Captured::of(self.name, self.path.clone(), self.written);
        captured.map(Some).map_err(|error| store_failure("read", &self.path, &error))
    }
}

/// Reads until nobody holds the other end.
pub(super) fn drain(mut pipe: PipeReader) {
    let drain = move || {
        if ioctl_fionbio(&pipe, false).is_ok() {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    };
    // Without a thread whoever writes is told that nobody reads.
    let _ = thread::Builder::new().name("flow-drain".into()).stack_size(64 * 1024).spawn(drain);
}

/// Copies the streams of a process until it ends; it is not reaped. `over` is called once, when more has come of one of
/// them than is kept.
pub(super) fn until_end(leader: Pid, copies: &mut [Copy], secrets: &Secrets, mut over: impl FnMut()) {
    let process = pidfd_open(leader, PidfdFlags::empty()).ok();
    let mut buffer = vec![0; CHUNK];
    let mut told = false;
    loop {
        let mut ready = vec![false; copies.len()];
        let mut ended = false;
        {
            let open = copies.iter().enumerate().filter_map(|(n, copy)| Some((n, copy.pipe.as_ref()?)));
            let (places, mut polled): (Vec<usize>, Vec<PollFd<'_>>) =
                open.map(|(n, pipe)| (n, PollFd::new(pipe, PollFlags::IN))).unzip();
            polled.extend(process.iter().map(|process| PollFd::new(process, PollFlags::IN)));
            let longest = if process.is_some() { None } else { Some(&LOOK) };
            if poll(&mut polled, longest).is_ok() {
                for (n, fd) in places.iter().zip(&polled) {
                    ready[*n] = !fd.revents().is_empty();
                }
                ended = polled.get(places.len()).is_some_and(|fd| !fd.revents().is_empty());
            }
        }
        for (copy, _) in copies.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            copy.read(secrets, &mut buffer);
        }
        if !told && copies.iter().any(Copy::is_over) {
            told = true;
            over();
        }
        let gone = || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            !matches!(waitid(WaitId::Pid(leader), options), Ok(None))
        };
        if ended || process.is_none() && gone() {
            return;
        }
    }
}
