//! An earlier run in place of the world: attempts end as they ended in it, and what came for those that waited comes again.

use std::sync::Arc;

use super::play::{Coming, Play};
use crate::engine::drive::Message;
use crate::event::{Answer, Changes, Outcome, Reply, WaitFor};
use crate::exec::agent::Recordings;
use crate::exec::{Done, Job, Work};
use crate::plan::{StepId, Task};
use crate::state::Files;
use crate::store::{Addressee, Letter};

/// What is known of an earlier run.
pub trait Past: Send + Sync {
    /// What became of an attempt of the step of this path.
    fn attempt(&self, path: &str, attempt: u32) -> Happened;

    /// Did it have the step of this path?
    fn is_known(&self, path: &str) -> bool;

    /// What came for a step that waited, and after how many milliseconds.
    fn answer(&self, path: &str, attempt: u32) -> Option<(u64, Answer)>;

    /// What its agents said.
    fn recordings(&self) -> Arc<dyn Recordings>;

    /// The files that its outcomes refer to.
    fn files(&self) -> Arc<dyn Files>;
}

/// What became of an attempt.
pub enum Happened {
    /// It ended so, after so many milliseconds.
    Ended(Arc<Outcome>, u64),
    /// Its agent was heard for so many milliseconds: what it said is among the recordings. And what it changed.
    Said(u64, Option<Box<Changes>>),
    /// It began and came to no end of its own.
    WentOn,
    /// Nothing is known of it.
    Unknown,
}

impl Play {
    /// Begins an attempt that is to end as it ended before. What stays inside the process is done for real.
    pub(super) fn begin_again(&mut self, past: &dyn Past, job: Job) {
        let key = (job.step, job.attempt);
        if !job.task.leaves_process() {
            let done = self.executor.perform(Work::Attempt(Job { path: String::new(), ..job }), self.wall());
            return self.inbox.send(Message::Done(done));
        }
        let blank = |step| self.blank.contains(&step);
        let happened = match past.attempt(&job.path, job.attempt) {
            // Where the first of several decides, the others may not have begun before that.
            Happened::Unknown if past.is_known(&job.path) && self.is_in_race(job.step) => Happened::WentOn,
            happened => happened,
        };
        let (done, takes_ms) = match happened {
            Happened::Ended(outcome, takes_ms) => {
                match self.executor.unreadable(&job, blank).filter(|_| outcome.error.is_none()) {
                    Some(done) => (done, 0),
                    None => (Done::Finished { step: job.step, attempt: job.attempt, outcome }, takes_ms),
                }
            }
            Happened::Said(takes_ms, changes) => (self.executor.ask_again(job, changes), takes_ms),
            Happened::WentOn => {
                self.number += 1;
                self.going.insert(key, self.number);
                return;
            }
            Happened::Unknown => {
                let failed = self.executor.unreadable(&job, blank);
                self.blank.insert(job.step);
                // What a closure gives for lines that nobody writes is nothing.
                if !matches!(*job.task, Task::Filter(_)) {
                    self.unknown.push(job.step);
                }
                (failed.unwrap_or_else(|| self.executor.reply(&job, &Reply::default())), 0)
            }
        };
        match takes_ms {
            0 => self.inbox.send(Message::Done(done)),
            takes => {
                let number = self.later(takes, Coming::Done(done));
                self.going.insert(key, number);
            }
        }
    }

    /// Does the group around a step not wait for all its children?
    fn is_in_race(&self, step: StepId) -> bool {
        let plan = &self.driver.state().plan;
        let mut around = std::iter::successors(plan.step(step).parent, |id| plan.step(*id).parent);
        around.any(|id| matches!(*plan.step(id).task, Task::Quorum { .. }))
    }

    /// A step waits: what came for it then comes again.
    pub(super) fn comes_again(&mut self, past: &dyn Past, step: StepId, attempt: u32, what: &WaitFor) {
        let path = self.paths[step.index()].clone();
        let Some((after_ms, answer)) = past.answer(&path, attempt) else { return };
        let coming = match what {
            WaitFor::File { path, .. } => Coming::File(path.clone()),
            // Nobody gave it: its time was up, and will be again.
            _ if answer.letter == 0 => return,
            WaitFor::Time => return,
            WaitFor::Answer { .. } => {
                let to = Addressee::Step { path, attempt };
                Coming::Letter(Letter { to, answer: Answer { letter: self.number + 1, ..answer } })
            }
            WaitFor::Signal { name, .. } => {
                let to = Addressee::Signal(name.to_string());
                Coming::Letter(Letter { to, answer: Answer { letter: self.number + 1, ..answer } })
            }
        };
        self.later(after_ms, coming);
    }
}
