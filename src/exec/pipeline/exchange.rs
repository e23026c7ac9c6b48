//! Writing to a process and reading from it at the same time, so that neither waits for the other for ever.

use std::io::{self, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionbio;

use super::outside::{Process, timespec};
use super::steplog::keep_tail;
use super::stop::Stop;

/// How often one looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// The streams of a process, none of which blocks. Nothing: it is closed.
pub(super) struct Talk {
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
    /// What it wrote and nobody has taken.
    pub out: Vec<u8>,
    /// The end of what it wrote to standard error.
    pub tail: Vec<u8>,
    /// What it wrote there since it was taken last.
    pub complaint: Vec<u8>,
}

/// Why an exchange came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// What was waited for is there.
    Done,
    /// The process is at its end, or has closed what was to be read or written.
    Closed,
    /// It wrote more than it may.
    TooMuch,
    /// It is to stop.
    Stopped,
}

impl Talk {
    /// With a process that has just begun.
    pub fn with(process: &mut Process) -> io::Result<Self> {
        let (mut stdin, mut stdout, mut stderr) = (None, None, None);
        if let Some(child) = &mut process.child {
            (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        }
        stdin.as_ref().map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        stdout.as_ref().map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        stderr.as_ref().map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        Ok(Talk { stdin, stdout, stderr, out: Vec::new(), tail: Vec::new(), complaint: Vec::new() })
    }

    /// Writes `input` and reads what comes, until `done` says so of what was read, or nothing comes any more: the process is
    /// at its end, or (`all_written`) everything is written. At most `most` bytes are read.
    pub fn until(&mut self, process: &Process, mut input: &[u8], most: u64, stop: &Stop, wait: Wait) -> Until {
        let mut seen = 0;
        loop {
            match wait {
                Wait::Line => {
                    if self.out[seen..].contains(&b'\n') {
                        return Until::Done;
                    }
                    seen = self.out.len();
                    if self.stdout.is_none() {
                        return Until::Closed;
                    }
                }
                Wait::Written if input.is_empty() => return Until::Done,
                Wait::Written if self.stdin.is_none() => return Until::Closed,
                Wait::Written => {}
                // Of a process that gets one input and no more.
                Wait::End if input.is_empty() => self.stdin = None,
                Wait::End => {}
            }
            if self.out.len() as u64 > most {
                return Until::TooMuch;
            }
            if stop.is_set() {
                return Until::Stopped;
            }
            let mut fds = Vec::with_capacity(4);
            if let Some(stdin) = self.stdin.as_ref().filter(|_| !input.is_empty()) {
                fds.push((0, PollFd::new(stdin, PollFlags::OUT)));
            }
            fds.extend(self.stdout.iter().map(|pipe| (1, PollFd::new(pipe, PollFlags::IN))));
            fds.extend(self.stderr.iter().map(|pipe| (2, PollFd::new(pipe, PollFlags::IN))));
            fds.extend(process.pidfd().map(|fd| (3, PollFd::new(fd, PollFlags::IN))));
            let mut polled: Vec<PollFd> = fds.iter().map(|(_, fd)| fd.clone()).collect();
            // An error is seen by who reads or writes.
            let _ = poll(&mut polled, Some(&timespec(LOOK)));
            let mut ready = [false; 4];
            fds.iter().zip(&polled).for_each(|((n, _), fd)| ready[*n] = !fd.revents().is_empty());
            let by_look = process.pidfd().is_none() && process.ends_within(Duration::ZERO);
            drop(fds);
            if ready[0] {
                self.write(&mut input);
            }
            if ready[1] {
                self.read_out(most);
            }
            if ready[2] {
                self.read_err();
            }
            if ready[3] || by_look {
                // What it wrote before its end is in the pipes; who else holds them is not waited for.
                while self.read_out(most) && self.out.len() as u64 <= most {}
                while self.read_err() {}
                return match wait {
                    _ if self.out.len() as u64 > most => Until::TooMuch,
                    Wait::Line if self.out.contains(&b'\n') => Until::Done,
                    _ => Until::Closed,
                };
            }
        }
    }

    /// Did it write anything that nobody has asked for?
    pub fn has_more(&mut self) -> bool {
        self.read_out(u64::MAX);
        !self.out.is_empty()
    }

    /// Waits so long for the end of a process. Of what it writes the beginning is kept.
    pub fn drain(&mut self, process: &Process, time: Duration, stop: &Stop) {
        let until = Instant::now() + time;
        loop {
            let is_over = process.ends_within(LOOK / 5);
            while self.read_out(u64::MAX) {
                self.out.truncate(CHUNK);
            }
            if is_over || stop.is_set() || Instant::now() >= until {
                return;
            }
        }
    }

    fn write(&mut self, input: &mut &[u8]) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(input) {
            Ok(n) => *input = &input[n..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // It does not want to know more.
            Err(_) => {
                self.stdin = None;
                *input = &[];
            }
        }
    }

    /// Reads once. Gives false if nothing is there now, or any more.
    fn read_out(&mut self, most: u64) -> bool {
        let Some(stdout) = &mut self.stdout else { return false };
        let before = self.out.len();
        if before as u64 > most {
            return false;
        }
        self.out.resize(before + CHUNK, 0);
        let read = stdout.read(&mut self.out[before..]);
        self.out.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => self.stdout = None,
            Ok(_) => return true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.stdout = None,
        }
        false
    }

    fn read_err(&mut self) -> bool {
        let Some(stderr) = &mut self.stderr else { return false };
        let mut buffer = [0; 4096];
        match stderr.read(&mut buffer) {
            Ok(0) => self.stderr = None,
            Ok(n) => {
                keep_tail(&mut self.tail, &buffer[..n]);
                // Of one that writes without end, the end is enough.
                if self.complaint.len() > MOST_COMPLAINT {
                    self.complaint.drain(..MOST_COMPLAINT / 2);
                }
                self.complaint.extend_from_slice(&buffer[..n]);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.stderr = None,
        }
        false
    }
}

/// How much of the standard error of one process is kept until it is at its end, in bytes.
const MOST_COMPLAINT: usize = 64 * 1024;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A line of its output.
    Line,
    /// That everything is written.
    Written,
    /// Its end. It gets no more input.
    End,
}
