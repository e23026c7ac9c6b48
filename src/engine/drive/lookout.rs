//! The lookout: what comes from outside to steps that wait.
//!
//! Nobody tells a process of an answer, a signal or a file, so it looks, but only while a step waits: at once when one
//! begins to, and then from time to time. What it finds goes to the machine. When there is nothing to be found, the run
//! is let go of, unless somebody is there who will answer.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::diag::Result;
use crate::event::{Answer, Event, Record, WaitFor};
use crate::plan::StepId;
use crate::state::RunState;
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
    /// Steps that wait, in the order in which they began to, and the place of each in it.
    waiting: BTreeMap<u64, StepId>,
    places: HashMap<StepId, u64>,
    /// Those who have begun to wait since the latest look.
    fresh: Vec<StepId>,
    /// Number of steps that began to wait.
    begun: u64,
    /// Letters that nobody has taken.
    letters: Vec<Letter>,
    /// Letters that were found for somebody, who may have taken them or not.
    handed: Vec<Letter>,
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
        for record in past {
            if let Event::Answered { answer, .. } = &*record.event {
                lookout.taken.insert(answer.letter);
            }
            lookout.note(&record.event);
        }
        lookout
    }

    /// An event of the run.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Waiting { step, .. } => {
                self.forget(*step);
                self.begun += 1;
                self.waiting.insert(self.begun, *step);
                self.places.insert(*step, self.begun);
                self.fresh.push(*step);
            }
            Event::Answered { step, answer } => {
                self.handed.retain(|letter| letter.answer.letter != answer.letter);
                // What follows from it may take a while.
                self.forget(*step);
            }
            Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Cancelled { step }
            | Event::Retrying { step, .. }
            | Event::Interrupted { step, .. } => self.forget(*step),
            Event::Reset { steps, retired, .. } => steps.iter().chain(retired).for_each(|step| self.forget(*step)),
            Event::Replanned(new) => {
                let before = std::mem::take(&mut self.places);
                self.waiting.clear();
                for (id, old) in &new.kept {
                    if let Some(place) = before.get(old) {
                        self.waiting.insert(*place, *id);
                        self.places.insert(*id, *place);
                    }
                }
                self.fresh = self.waiting.values().copied().collect();
            }
            _ => {}
        }
    }

    /// It does not wait, or no longer.
    fn forget(&mut self, step: StepId) {
        if self.places.is_empty() {
            return;
        }
        if let Some(place) = self.places.remove(&step) {
            self.waiting.remove(&place);
        }
    }

    /// What was found has been given to those it was for. Letters that nobody has taken after all are kept for others.
    pub(super) fn given(&mut self) {
        if !self.handed.is_empty() {
            self.letters.append(&mut self.handed);
            self.letters.sort_by_key(|letter| letter.answer.letter);
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
        let timely = self.due || self.next.is_some_and(|next| next <= passed);
        if self.waiting.is_empty() || !timely && self.fresh.is_empty() {
            return Vec::new();
        }
        let fresh = std::mem::take(&mut self.fresh);
        let what = |id: &StepId| state.step(*id).waits_for.as_deref();
        let new_letters = match timely || fresh.iter().filter_map(what).any(WaitFor::by_letter) {
            true => self.read(),
            false => Some(false),
        };
        // Whoever was looked at before has what there was: only new letters and new files can be found for them.
        let all = timely || new_letters == Some(true);
        let mut steps = if all { self.waiting.values().copied().collect() } else { fresh };
        steps.retain(|id| self.places.contains_key(id));
        let mut come = Vec::new();
        let (mut letters, mut files) = (false, false);
        for id in steps {
            let found = match what(&id) {
                Some(WaitFor::File { path, .. }) => {
                    files = true;
                    self.file(path, wall)
                }
                Some(what) if what.by_letter() => {
                    letters = true;
                    self.letter(state, id, what)
                }
                _ => None,
            };
            come.extend(found.map(|answer| (id, answer)));
        }
        let again = if letters { Some(LETTERS) } else { files.then_some(FILES) }.map(|again| passed + again);
        self.next = if all { again } else { again.into_iter().chain(self.next).min() };
        self.due = new_letters.is_none();
        come
    }

    /// Is nobody there for whom the run should be kept, now that everything was looked at, and is no deadline near?
    /// `wall`: the time, in milliseconds since 1970.
    pub(super) fn may_let_go(&self, wall: u64, state: &RunState) -> bool {
        if self.waiting.is_empty() || self.due || !self.fresh.is_empty() {
            return false;
        }
        let asked = |id: &StepId| {
            let step = state.step(*id);
            matches!(step.waits_for.as_deref(), Some(WaitFor::Answer { .. }))
                && !self.declined.contains(&(*id, step.attempt))
        };
        let attended = match self.attended {
            Attended::No => false,
            Attended::ByAPerson => self.waiting.values().any(asked),
            Attended::Always => true,
        };
        let soon = |id: &StepId| (1..=wall + SOON).contains(&state.step(*id).until);
        !attended && !self.waiting.values().any(soon)
    }

    /// Reads what is new, and says whether there was anything. Nothing: it could not be read.
    fn read(&mut self) -> Option<bool> {
        let Some(outside) = &mut self.outside else { return Some(false) };
        match outside.letters(self.read) {
            Ok(new) => {
                let any = !new.is_empty();
                for letter in new {
                    self.read = letter.answer.letter;
                    if !self.taken.contains(&letter.answer.letter) {
                        self.letters.push(letter);
                    }
                }
                Some(any)
            }
            Err(problem) => {
                tracing::warn!(%problem, "answers and signals cannot be read; trying again");
                None
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
        let letter = self.letters.remove(place?);
        self.handed.push(letter.clone());
        Some(letter.answer)
    }

    fn file(&mut self, path: &str, wall: u64) -> Option<Answer> {
        let there = self.outside.as_mut().is_some_and(|outside| outside.is_there(path));
        there.then(|| Answer { value: path.into(), at: wall, ..Answer::default() })
    }
}
