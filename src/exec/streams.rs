//! The standard output and error of a process: files that it writes itself, or pipes whose content is masked.

use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::blank::{Blanks, Stream};
use super::capture::{Captured, Logs};
use super::copy::{self, Copy};
use super::secrets::Secrets;
use crate::event::Failure;

/// A process that runs longer than this gets log files with names, for others to look at.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// How often the sizes of files are looked at that have a limit.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Endings of the names of their files.
const ENDINGS: [&str; 2] = ["out", "err"];

/// See the module's page.
pub(super) struct Streams<'a> {
    way: Way<'a>,
    /// Most bytes of each.
    limit: Option<u64>,
}

/// The last is the standard error; before it the standard output, if that is kept here.
enum Way<'a> {
    Files(Vec<Stream<'a>>),
    Masked(Vec<Copy>, &'a Secrets),
}

/// What came of the streams.
pub(super) struct Taken {
    /// The standard output; nothing if it stayed empty.
    pub stdout: Result<Option<Captured>, Failure>,
    /// The standard error.
    pub stderr: Result<Option<Captured>, Failure>,
    /// Which of them is beyond its limit.
    pub over: Option<&'static str>,
}

impl<'a> Streams<'a> {
    /// Streams for a process, which `command` gets. `secrets`: what is masked in them, if anything is; `stdout`: its standard
    /// output goes there and is nothing of ours.
    pub fn open(
        command: &mut Command,
        blanks: &'a Blanks,
        logs: &'a Logs,
        secrets: Option<&'a Secrets>,
        limit: Option<u64>,
        stdout: Option<Stdio>,
    ) -> Result<Self, Failure> {
        let ours = &ENDINGS[usize::from(stdout.is_some())..];
        let mut gets: Vec<Stdio> = stdout.into_iter().collect();
        let way = match secrets {
            None => {
                let mut files = Vec::with_capacity(2);
                for ending in ours {
                    let (stream, file) = Stream::open(blanks, logs, ending)?;
                    files.push(stream);
                    gets.push(file.into());
                }
                Way::Files(files)
            }
            Some(secrets) => {
                let mut copies = Vec::with_capacity(2);
                for ending in ours {
                    let (copy, pipe) = Copy::open(logs, ending, limit)?;
                    copies.push(copy);
                    gets.push(pipe.into());
                }
                Way::Masked(copies, secrets)
            }
        };
        if let (Some(err), Some(out)) = (gets.pop(), gets.pop()) {
            command.stdout(out).stderr(err);
        }
        Ok(Streams { way, limit })
    }

    /// Waits for the end of a process; it is not reaped. Only its end counts, not that of its streams: a child that it left
    /// in the background may keep them open. `end` is to end it, since it writes too much; it is called a second time when
    /// it has written as much again.
    pub fn until_end(&mut self, leader: Pid, mut end: impl FnMut()) {
        match (&mut self.way, self.limit) {
            (Way::Masked(copies, secrets), _) => copy::until_end(leader, copies, secrets, end),
            (Way::Files(files), limit) => {
                let process = pidfd_open(leader, PidfdFlags::empty());
                if process.as_ref().is_ok_and(|process| ends_within(process, &SOON)) {
                    return;
                }
                files.iter_mut().for_each(Stream::name);
                let mut told = 0;
                while let (Some(limit), Ok(process)) = (limit, &process)
                    && told < 2
                {
                    if ends_within(process, &LOOK) {
                        return;
                    }
                    if files.iter().any(|file| file.length() > limit.saturating_mul(told + 1)) {
                        told += 1;
                        end();
                    }
                }
                let ended =
                    retry_on_intr(|| waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
                debug_assert!(ended.is_ok(), "the child is ours and not reaped");
            }
        }
    }

    /// What the process left in them.
    pub fn take(self) -> Taken {
        let limit = self.limit.unwrap_or(u64::MAX);
        let mut taken = Taken { stdout: Ok(None), stderr: Ok(None), over: None };
        match self.way {
            Way::Files(files) => {
                let is_limited = self.limit.is_some();
                for (n, file) in files.into_iter().rev().enumerate() {
                    let over = is_limited && file.length() > limit;
                    taken.put(n, file.take(limit), over);
                }
            }
            Way::Masked(copies, secrets) => {
                for (n, copy) in copies.into_iter().rev().enumerate() {
                    let over = copy.is_over();
                    taken.put(n, copy.take(secrets), over);
                }
            }
        }
        taken
    }
}

impl Taken {
    /// The standard error comes first.
    fn put(&mut self, n: usize, captured: Result<Option<Captured>, Failure>, over: bool) {
        let (place, name) = match n {
            0 => (&mut self.stderr, "standard error"),
            _ => (&mut self.stdout, "standard output"),
        };
        *place = captured;
        if over {
            self.over = Some(name);
        }
    }
}

/// Waits so long for the end of a process.
fn ends_within(process: &impl std::os::fd::AsFd, time: &Timespec) -> bool {
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(time)).is_ok_and(|ended| ended > 0)
}
