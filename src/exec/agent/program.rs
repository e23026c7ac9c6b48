//! An agent that is a program: one thread waits for its end, as for that of any process (see `process`), another one hears what
//! it says and watches over it.

use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::supervise::{Supervised, Supervision};
use super::weight::Scales;
use crate::event::{Failure, FailureKind, Outcome};
use crate::exec::Job;
use crate::exec::command::Program;
use crate::exec::copy::drain;
use crate::exec::process::{self, Ends, Room, Wrote};
use crate::exec::running::Running;
use crate::exec::tree::Mark;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What a pipe holds at the most, in chunks, unless a program has asked for more.
const LEFT: usize = 16;

/// How often one looks whether a process has ended that cannot be polled (before Linux 5.3).
const LOOK: Duration = Duration::from_millis(20);

/// Runs a program to its end. Gives its outcome as that of any process, without what it printed, and what was heard of it. Blocks.
pub(super) fn run(
    program: Program,
    stdin: Stdio,
    job: &Job,
    (running, room): (&Arc<Running>, &Room),
    supervision: Supervision<'_>,
) -> (Result<Outcome, Failure>, Supervised) {
    let pipe = || {
        let (reader, writer) = io::pipe()?;
        ioctl_fionbio(&reader, true)?;
        io::Result::Ok((reader, writer))
    };
    let (reader, writer) = match pipe() {
        Ok(pipe) => pipe,
        Err(error) => {
            let failure = Failure::new(FailureKind::Spawn, format!("there is no pipe for the agent: {error}"))
                .help("`ulimit -n` says how many files may be open; `--max-parallel` lowers the need");
            return (Err(failure), supervision.end(false));
        }
    };
    let (tell, told) = bounded(1);
    let mut ends = Connected {
        stdin: Some(stdin),
        stdout: Some(writer.into()),
        tell: Some(tell),
        at_exit: supervision.at_exit(),
        killed: false,
    };
    thread::scope(|scope| {
        let listens = scope.spawn(move || {
            let mut supervision = supervision;
            // Without a word it has not begun.
            if let Ok(leader) = told.recv() {
                listen(reader, leader, job, running, &mut supervision);
            }
            supervision
        });
        let outcome = process::begun(program, job, running, room, Some(&mut ends));
        let killed = ends.killed;
        drop(ends);
        match listens.join() {
            Ok(supervision) => (outcome, supervision.end(killed)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The ends of a program's streams.
struct Connected {
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    tell: Option<Sender<Pid>>,
    at_exit: Option<Arc<dyn Fn(bool) + Send + Sync>>,
    killed: bool,
}

impl Ends for Connected {
    fn input(&mut self) -> Option<Stdio> {
        self.stdin.take()
    }

    fn output(&mut self) -> Option<Stdio> {
        self.stdout.take()
    }

    fn begun(&mut self, leader: Pid) {
        if let Some(tell) = self.tell.take() {
            // Whoever listens does so until the end.
            let _ = tell.send(leader);
        }
    }

    fn ends_gently(&self) -> bool {
        true
    }

    fn leaves_nothing(&self) -> bool {
        true
    }

    fn ended(&mut self, killed: bool) -> bool {
        self.killed = killed;
        if let Some(at_exit) = &self.at_exit {
            at_exit(killed);
        }
        // How it ended is for the verdict to say.
        false
    }

    fn wrote(&mut self, _well: bool) -> Wrote {
        Wrote { stdout: Ok(None), partly: true }
    }
}

/// Hears a program until it ends.
///
/// - What it says is read until there is nothing more to be had, and then written.
/// - Its end is the end; what it has left behind is not heard.
/// - It is looked at: its time, its memory, what it has used. It is ended once there is a reason.
/// - Then one waits for more, but not longer than until there may be a reason.
fn listen(mut pipe: PipeReader, leader: Pid, job: &Job, running: &Arc<Running>, supervision: &mut Supervision<'_>) {
    let process = pidfd_open(leader, PidfdFlags::empty()).ok();
    let mark = Mark { run: job.site.run.clone(), attempt: Some((job.path.clone(), job.attempt)), process: None };
    let mut scales = Scales::new(leader, mark);
    let mut buffer = vec![0; CHUNK];
    let mut open = true;
    loop {
        let ended = has_ended(leader, process.as_ref());
        for _ in 0..if ended { LEFT } else { 1 } {
            match pipe.read(&mut buffer) {
                _ if !open => break,
                Ok(0) => open = false,
                Ok(n) => {
                    supervision.heard(&buffer[..n]);
                    if n < CHUNK {
                        supervision.pause();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => open = false,
            }
        }
        if ended {
            break;
        }
        if let Some(kib) = scales.look() {
            supervision.weighs(kib);
        }
        if supervision.look() {
            let key = (job.step, job.attempt);
            running.end_gently(key, supervision.may_have_a_word());
            running.kill(key, false);
        }
        wait(open.then_some(&pipe), process.as_ref(), supervision.wait());
    }
    supervision.pause();
    if open {
        // A process that is about to be ended may hold the other end.
        drain(pipe);
    }
}

fn has_ended(leader: Pid, process: Option<&OwnedFd>) -> bool {
    match process {
        Some(process) => {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)).is_ok_and(|ended| ended > 0)
        }
        None => {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            !matches!(waitid(WaitId::Pid(leader), options), Ok(None))
        }
    }
}

/// Waits until there is something to read, or the process ends, or for so long.
fn wait(pipe: Option<&PipeReader>, process: Option<&OwnedFd>, longest: Duration) {
    let longest = if process.is_some() { longest } else { longest.min(LOOK) };
    let time = Timespec { tv_sec: longest.as_secs() as i64, tv_nsec: i64::from(longest.subsec_nanos()) };
    let mut fds: Vec<PollFd<'_>> = pipe.into_iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
    fds.extend(process.into_iter().map(|process| PollFd::new(process, PollFlags::IN)));
    // A signal wakes it: then one looks, and waits again.
    let _ = poll(&mut fds, Some(&time));
}
