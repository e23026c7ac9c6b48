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

enum Way<'a> {
    Files([Stream<'a>; 2]),
    Masked([Copy; 2], &'a Secrets),
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
    /// Streams for a process, which `command` gets. `secrets`: what is masked in them, if anything is.
    pub fn open(
        command: &mut Command,
        blanks: &'a Blanks,
        logs: &'a Logs,
        secrets: Option<&'a Secrets>,
        limit: Option<u64>,
    ) -> Result<Self, Failure> {
        let way = match secrets {
            None => {
                let (stdout, out) = Stream::open(blanks, logs, ENDINGS[0])?;
                let (stderr, err) = Stream::open(blanks, logs, ENDINGS[1])?;
                command.stdout(out).stderr(err);
                Way::Files([stdout, stderr])
            }
            Some(secrets) => {
                let (stdout, out) = Copy::open(logs, ENDINGS[0], limit)?;
                let (stderr, err) = Copy::open(logs, ENDINGS[1], limit)?;
                command.stdout(Stdio::from(out)).stderr(Stdio::from(err));
                Way::Masked([stdout, stderr], secrets)
            }
        };
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
        match self.way {
            Way::Files([stdout, stderr]) => {
                let limit = self.limit.unwrap_or(u64::MAX);
                let over = [("standard output", &stdout), ("standard error", &stderr)];
                let over = over.into_iter().find(|(_, file)| self.limit.is_some() && file.length() > limit);
                let over = over.map(|(name, _)| name);
                Taken { stdout: stdout.take(limit), stderr: stderr.take(limit), over }
            }
            Way::Masked([stdout, stderr], secrets) => {
                let over = [("standard output", &stdout), ("standard error", &stderr)];
                let over = over.into_iter().find(|(_, copy)| copy.is_over()).map(|(name, _)| name);
                Taken { stdout: stdout.take(secrets), stderr: stderr.take(secrets), over }
            }
        }
    }
}

/// Waits so long for the end of a process.
fn ends_within(process: &impl std::os::fd::AsFd, time: &Timespec) -> bool {
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(time)).is_ok_and(|ended| ended > 0)
}
