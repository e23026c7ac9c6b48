//! One attempt that goes on: what is heard of it, when it is to be ended, and what is told of it meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::hearing::{Heard, Hearing};
use super::seen::Seen;
use super::verdict::Why;
use super::watch::Watch;
use crate::event::{Failure, Usage, Used};
use crate::exec::{Done, Report};
use crate::plan::StepId;

/// How often what it does is told at the most, in milliseconds, but for the ends of turns.
const TELL_MS: u64 = 1_000;

/// See the module's page.
pub(super) struct Supervision<'a> {
    hearing: Hearing<'a>,
    watch: Watch,
    /// Why it is being ended.
    why: Option<Why>,
    /// That was said.
    ending: bool,
    report: &'a Report,
    of: (StepId, u32),
    /// What was told last, and when.
    told: (u64, Used),
    /// How many ends of turns were told.
    ends: u64,
    memory_kib: u64,
    /// The most that there was.
    peak_kib: u64,
}

/// What came of it.
pub(super) struct Supervised {
    pub seen: Seen,
    pub files: Result<Heard, Failure>,
    pub why: Option<Why>,
    pub peak_kib: u64,
    /// Those who read it had enough of it.
    pub unread: bool,
}

impl<'a> Supervision<'a> {
    /// Of an attempt that begins now.
    pub fn new(hearing: Hearing<'a>, watch: Watch, report: &'a Report, of: (StepId, u32)) -> Self {
        let told = (0, Used { step: of.0, attempt: of.1, ..Used::default() });
        Supervision { hearing, watch, why: None, ending: false, report, of, told, ends: 0, memory_kib: 0, peak_kib: 0 }
    }

    /// Bytes that it said.
    pub fn heard(&mut self, bytes: &[u8]) {
        if let Err(failure) = self.hearing.take(bytes) {
            self.why.get_or_insert(Why::Refused(failure));
        }
        // Only now: those who read it may have let us wait.
        self.watch.heard(self.hearing.now());
    }

    /// Nothing more is to be had now.
    pub fn pause(&mut self) {
        if let Err(failure) = self.hearing.pause() {
            self.why.get_or_insert(Why::Refused(failure));
        }
    }

    /// All its processes have so much memory now.
    pub fn weighs(&mut self, kib: u64) {
        self.memory_kib = kib;
        self.peak_kib = self.peak_kib.max(kib);
    }

    /// Looks at it: is it to be ended? Says yes once. Tells what there is to tell.
    pub fn look(&mut self) -> bool {
        let now = self.hearing.now();
        if self.hearing.is_told() {
            self.watch.heard(now);
        }
        self.tell(now);
        if self.why.is_none() {
            self.why = self.watch.due(now, self.hearing.seen(), self.memory_kib);
        }
        self.why.is_some() && !std::mem::replace(&mut self.ending, true)
    }

    /// What is to be called when its program has ended.
    pub fn at_exit(&self) -> Option<Arc<dyn Fn(bool) + Send + Sync>> {
        self.hearing.at_exit()
    }

    /// May it say what it has used in all, when it is interrupted? One that says nothing any more does not.
    pub fn may_have_a_word(&self) -> bool {
        matches!(self.why, Some(Why::Budget(_) | Why::Total(_)))
    }

    /// How long to wait for more before it is looked at again.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.watch.wait(self.hearing.now()))
    }

    /// It is ended by somebody else.
    pub fn cancelled(&mut self) {
        if self.why.is_none() {
            // The step may have the same timeout, which is looked at by others.
            self.why = Some(self.watch.too_long(self.hearing.now()).unwrap_or(Why::Cancelled));
        }
    }

    /// If it had said that it is done, it was ended since it did not end.
    pub fn was_told_to_end(&mut self) {
        if self.hearing.seen().closing.is_some() {
            self.why.get_or_insert(Why::Lingered);
        }
    }

    fn tell(&mut self, now: u64) {
        let seen = self.hearing.seen();
        let (at, last) = &self.told;
        let turn = seen.ends > self.ends;
        if !turn && now < at + TELL_MS {
            return;
        }
        let usage = Usage { time_ms: now, ..seen.usage };
        let same = Usage { time_ms: last.usage.time_ms, ..usage } == last.usage
            && seen.doing == last.doing
            && self.memory_kib.abs_diff(last.memory_kib) <= last.memory_kib / 8;
        if same && !turn {
            return;
        }
        let used =
            Used { step: self.of.0, attempt: self.of.1, usage, doing: seen.doing.clone(), memory_kib: self.memory_kib };
        self.ends = seen.ends;
        self.told = (now, used.clone());
        (self.report)(Done::Used(Box::new(used)));
    }

    /// Its end has come. `killed`: by us.
    pub fn end(mut self, killed: bool) -> Supervised {
        if killed {
            self.cancelled();
        }
        let ended = self.hearing.end();
        if self.why == Some(Why::Lingered) {
            self.hearing.remark("ended by flow", "it had said that it is done, and did not end by itself".into());
        }
        let unread = self.hearing.ended(killed);
        let now = self.hearing.now();
        let (mut seen, files) = self.hearing.finish();
        seen.usage.time_ms = now;
        if seen.usage.turns == 0 && seen.anything {
            // Not all say how many.
            seen.usage.turns = seen.ends.max(1);
        }
        if let Err(failure) = ended {
            self.why.get_or_insert(Why::Refused(failure));
        }
        Supervised { seen, files, why: self.why, peak_kib: self.peak_kib, unread }
    }
}
