//! An attempt of a member: the ends that connect it, and what is known of its end.

use std::io::{PipeReader, PipeWriter};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::super::process::{Ends, Wrote};
use super::super::running::Running;
use super::hub::Hub;
use super::inlet::Left;
use super::member::Member;
use super::orders::Order;
use crate::event::{Failure, FailureKind};
use crate::plan::StepId;

/// How often a member that waits until all that it wrote has gone on looks whether it is to be ended.
const LOOK: Duration = Duration::from_millis(50);

/// An attempt of a member, with its ends.
pub(super) struct Seat<'a> {
    pub hub: &'a Hub,
    /// Which member.
    pub number: usize,
    pub running: &'a Arc<Running>,
    pub key: (StepId, u32),
    pub stdin: Option<PipeReader>,
    pub stdout: Option<PipeWriter>,
    pub left: Option<Receiver<Left>>,
    /// Did anybody read it when it ended?
    pub unread: Option<bool>,
    /// Its log holds only the first part of what it wrote.
    pub partly: bool,
    /// Why, if the disk was the reason.
    pub not_kept: Option<String>,
}

impl Seat<'_> {
    /// The member.
    pub fn member(&self) -> &Member {
        self.hub.member(self.number)
    }

    /// Most bytes of a line.
    pub fn max_line(&self) -> u64 {
        self.hub.max_line()
    }

    /// What is left when all that it wrote has gone on. Nothing: it did not get that far.
    fn left(&mut self) -> Option<Left> {
        let left = self.left.take()?;
        let (handle, writer) = self.hub.after(self.number)?;
        let stop = self.running.call_begun(self.key);
        let left = loop {
            match left.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    // It is being ended, and what it wrote is of no use any more.
                    handle.tell(Order::Hurry { writer });
                    stop.store(false, Ordering::Relaxed);
                    if !self.member().unread.load(Ordering::SeqCst) {
                        self.member().blame(ended());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
                Ok(left) => break Some(left),
            }
        };
        self.running.call_ended(self.key);
        left
    }
}

impl Ends for Seat<'_> {
    fn input(&mut self) -> Option<Stdio> {
        self.stdin.take().map(Stdio::from)
    }

    fn output(&mut self) -> Option<Stdio> {
        self.stdout.take().map(Stdio::from)
    }

    fn ended(&mut self, killed: bool) -> bool {
        let unread = self.member().unread.load(Ordering::SeqCst);
        if let Some((handle, writer)) = self.hub.after(self.number) {
            let (reply, left) = bounded(1);
            handle.tell(Order::Exited { writer, killed, reply });
            self.left = Some(left);
        }
        self.unread = Some(unread);
        unread
    }

    fn wrote(&mut self, well: bool) -> Wrote {
        let Some(Left { kept: Some(mut kept), part }) = self.left() else {
            return Wrote { stdout: Ok(None), partly: true };
        };
        if well {
            kept.take(&part);
        }
        let log = kept.finish();
        self.partly = log.partly;
        let is_behind = self.hub.keeps_whole(self.number);
        match log.not_kept {
            // Its log is its output.
            Some(failure) if is_behind => return Wrote { stdout: Err(failure), partly: true },
            Some(failure) => self.not_kept = Some(failure.message),
            None => {}
        }
        Wrote { stdout: log.captured, partly: log.partly }
    }
}

fn ended() -> Failure {
    Failure::new(FailureKind::Cancelled, "it was ended before all that it wrote was read")
        .help("it was cancelled, or the run or its stream was")
}
