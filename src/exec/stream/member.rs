//! A member of a stream, as all that deal with it see it: what went through it so far, and what is wrong with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use smol_str::SmolStr;

use super::super::StreamMember;
use crate::event::Failure;
use crate::plan::{Ack, Policy, StepId, Task};

/// See the module's page.
pub(super) struct Member {
    pub step: StepId,
    /// Its name, which tags its lines.
    pub name: SmolStr,
    /// It is tried again if it fails.
    pub retried: bool,
    /// Each line that it writes answers one that it reads.
    pub by_lines: bool,
    /// Whether its good end is one is still to be judged, by others.
    pub judged: bool,
    /// It is a closure, which knows by itself what it has answered.
    pub is_filter: bool,
    /// It is an agent, whose log and output are its own.
    pub is_agent: bool,
    /// The attempt that is made.
    pub attempt: AtomicU32,
    /// Nobody reads it any more, and all who did ended well.
    pub unread: AtomicBool,
    /// Lines that it has answered, over all attempts.
    pub answered: Count,
    pub bytes_in: Count,
    pub lines_in: Count,
    pub bytes_out: Count,
    pub lines_out: Count,
    /// Lines that it was too slow for.
    pub dropped: Count,
    /// Lines that wait for it.
    pub waiting: Count,
    /// Lines that it failed for and that were left out.
    pub skipped: Count,
    /// The file that it writes itself, while it does.
    file: Mutex<Option<PathBuf>>,
    /// How long it lasted, in microseconds; 0 while it goes on.
    pub lasted: Count,
    fault: Mutex<Option<Failure>>,
    lost: OnceLock<String>,
}

/// A number that one thread changes and others look at.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Member {
    /// `reads`: somebody in the stream writes for it.
    pub fn of(member: &StreamMember, reads: bool) -> Self {
        let policy = member.policy.as_deref();
        let retried = retried(policy);
        let is_agent = matches!(&*member.task, Task::Agent(_));
        Member {
            step: member.step,
            name: member.name.clone(),
            retried,
            by_lines: reads && retried && !is_agent && policy.is_some_and(|policy| policy.ack == Ack::Line),
            judged: policy.is_some_and(|policy| policy.validate.is_some()),
            is_filter: matches!(&*member.task, Task::Filter(_)),
            is_agent,
            attempt: AtomicU32::new(0),
            unread: AtomicBool::new(false),
            answered: Count::default(),
            bytes_in: Count::default(),
            lines_in: Count::default(),
            bytes_out: Count::default(),
            lines_out: Count::default(),
            dropped: Count::default(),
            waiting: Count::default(),
            skipped: Count::default(),
            file: Mutex::new(None),
            lasted: Count::default(),
            fault: Mutex::new(None),
            lost: OnceLock::new(),
        }
    }

    /// Its attempt, as those know it who end processes.
    pub fn key(&self) -> (StepId, u32) {
        (self.step, self.attempt.load(Relaxed))
    }

    /// It writes into this file itself from now on.
    pub fn writes_into(&self, file: PathBuf) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    /// It has ended, and so many bytes are in that file.
    pub fn has_written(&self, bytes: u64) {
        // Under the lock, so that they are counted once at every moment.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        *file = None;
        self.bytes_out.add(bytes);
    }

    /// All that it has written so far, also what stands in a file of its own.
    pub fn written(&self) -> u64 {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let own = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len());
        self.bytes_out.get() + own
    }

    /// Something is wrong with what it writes. The first that is told counts.
    pub fn blame(&self, failure: Failure) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    /// What was wrong with what it wrote.
    pub fn fault(&self) -> Option<Failure> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What it has been given is not there any more: it cannot be tried again.
    pub fn lose(&self, why: String) {
        self.lost.get_or_init(|| why);
    }

    /// Why it cannot be tried again.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

/// Is a step tried again if it fails?
fn retried(policy: Option<&Policy>) -> bool {
    policy.and_then(|policy| policy.retry.as_ref()).is_some_and(|retry| retry.max_attempts > 1)
}
