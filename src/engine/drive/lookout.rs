//! The lookout: what comes from outside to steps that wait.
//!
//! Nobody tells a process of an answer, a signal or a file, so it looks, but only while a step waits: at once when one
//! begins to, and then from time to time. What it finds goes to the machine. When there is nothing to be found, the run
//! is let go of, unless somebody is there who will answer.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use crate::diag::Result;
use crate::event::{Answer, Event, Record, WaitFor};
use crate::plan::StepId;
use crate::state::{RunState, Status, StepState};
use crate::store::{Addressee, Letter};

/// How often letters are looked for, and how often files.
const LETTERS: Duration = Duration::from_millis(200);
const FILES: Duration = Duration::from_millis(500);

/// A deadline that is no further away, in milliseconds, is waited for.
const SOON: u64 = 60_000;

/// Where it comes from.
pub trait Outside: Send {
    /// The letters to the run that came after this number, in order.
    ///
    /// # Errors
    /// If they cannot be read now. They are asked for again.
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>>;

    /// Is there such a file or folder?
    fn is_there(&mut self, path: &str) -> bool;
}

/// Is anybody there while nothing is left to do but to wait? Moments and deadlines within a minute are always waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attended {
    /// Nobody: the run is let go of.
    #[default]
    No,
    /// Somebody who answers steps that ask, and says which of them not ([`super::Inbox::decline`]). When none is left, the
    /// run is let go of.
    ByAPerson,
    /// The run is to go on until its end, whatever it waits for.
    Always,
}

/// See the module's page. The default: nothing comes from outside, and nobody is there.
#[derive(Default)]
pub struct Lookout {
    outside: Option<Box<dyn Outside>>,
    attended: Attended,
    /// Attempts that will not be answered now.
    declined: HashSet<(StepId, u32)>,
    /// Steps that wait, in the order in which they began to.
    waiting: Vec<StepId>,
    /// Letters that nobody has taken.
    letters: Vec<Letter>,
    /// The number of the latest letter that was read.
    read: u64,
    /// Letters that were taken by an earlier process.
    taken: HashSet<u64>,
    /// There may be something that was not there at the latest look, or the latest look failed.
    due: bool,
    /// When to look again.
    next: Option<Duration>,
}

impl Lookout {
    /// A lookout for a run with these events.
    pub fn new<'a>(outside: Box<dyn Outside>, attended: Attended, past: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut lookout = Lookout { outside: Some(outside), attended, ..Lookout::default() };
        past.into_iter().for_each(|record| lookout.note(&record.event));
        lookout
    }

    /// An event of the run.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Waiting { step, .. } => {
                self.waiting.retain(|known| known != step);
                self.waiting.push(*step);
                self.due = true;
            }
            Event::Answered { answer, .. } if answer.letter > 0 => drop(self.taken.insert(answer.letter)),
            Event::Replanned(new) => {
                let moved = |old: &StepId| new.kept.iter().find(|(_, before)| before == old).map(|(id, _)| *id);
                self.waiting = self.waiting.iter().filter_map(moved).collect();
            }
            _ => {}
        }
    }

    /// There may be something new.
    pub(super) fn nudge(&mut self) {
        self.due = true;
    }

    /// This attempt of a step will not be answered now.
    pub(super) fn decline(&mut self, step: StepId, attempt: u32) {
        self.declined.insert((step, attempt));
    }

    /// When to look again, as time since the driver began.
    pub(super) fn next(&self) -> Option<Duration> {
        self.next.filter(|_| !self.waiting.is_empty())
    }

    /// Looks, if it is time to: what has come for whom. `wall`: the time, in milliseconds since 1970.
    pub(super) fn look(&mut self, passed: Duration, wall: u64, state: &RunState) -> Vec<(StepId, Answer)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let asks = |step: &StepState| step.status == Status::Waiting && step.answer.is_none();
        self.waiting.retain(|id| state.steps.get(id.index()).is_some_and(asks));
        if !(self.due || self.next.is_some_and(|next| next <= passed)) {
            return Vec::new();
        }
        let waits = |id: &StepId| state.step(*id).waits_for.as_deref();
        let letters = self.waiting.iter().filter_map(waits).any(WaitFor::by_letter);
        let files = self.waiting.iter().filter_map(waits).any(|what| matches!(what, WaitFor::File { .. }));
        let again = if letters { Some(LETTERS) } else { files.then_some(FILES) };
        self.next = again.map(|again| passed + again);
        self.due = letters && !self.read();
        let mut come = Vec::new();
        for id in self.waiting.clone() {
            let found = match waits(&id) {
                Some(WaitFor::File { path, .. }) => self.file(path, wall),
                Some(what) => self.letter(state, id, what),
                None => None,
            };
            come.extend(found.map(|answer| (id, answer)));
        }
        come
    }

    /// Is nobody there for whom the run should be kept, now that everything was looked at, and is no deadline near?
    /// `wall`: the time, in milliseconds since 1970.
    pub(super) fn may_let_go(&self, wall: u64, state: &RunState) -> bool {
        if self.waiting.is_empty() || self.due {
            return false;
        }
        let asked = |id: &StepId| {
            let step = state.step(*id);
            matches!(step.waits_for.as_deref(), Some(WaitFor::Answer { .. }))
                && step.status == Status::Waiting
                && !self.declined.contains(&(*id, step.attempt))
        };
        let attended = match self.attended {
            Attended::No => false,
            Attended::ByAPerson => self.waiting.iter().any(asked),
            Attended::Always => true,
        };
        let soon = |id: &StepId| (1..=wall + SOON).contains(&state.step(*id).until);
        !attended && !self.waiting.iter().any(soon)
    }

    /// Reads what is new. Says whether that was possible.
    fn read(&mut self) -> bool {
        let Some(outside) = &mut self.outside else { return true };
        match outside.letters(self.read) {
            Ok(letters) => {
                for letter in letters {
                    self.read = letter.answer.letter;
                    if !self.taken.contains(&letter.answer.letter) {
                        self.letters.push(letter);
                    }
                }
                true
            }
            Err(problem) => {
                tracing::warn!(%problem, "answers and signals cannot be read; trying again");
                false
            }
        }
    }

    /// The letter for a step, which is taken.
    fn letter(&mut self, state: &RunState, id: StepId, what: &WaitFor) -> Option<Answer> {
        let place = match what {
            WaitFor::Answer { .. } if !self.letters.is_empty() => {
                let to = Addressee::Step { path: state.plan.path(id), attempt: state.step(id).attempt };
                self.letters.iter().position(|letter| letter.to == to)
            }
            WaitFor::Signal { name, .. } => {
                let sent = |to: &Addressee| matches!(to, Addressee::Signal(known) if known == name);
                self.letters.iter().position(|letter| sent(&letter.to))
            }
            _ => None,
        };
        place.map(|place| self.letters.remove(place).answer)
    }

    fn file(&mut self, path: &str, wall: u64) -> Option<Answer> {
        let there = self.outside.as_mut().is_some_and(|outside| outside.is_there(path));
        there.then(|| Answer { value: path.into(), at: wall, ..Answer::default() })
    }
}
