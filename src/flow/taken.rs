//! What became of something that was said to a run.

use std::thread;
use std::time::{Duration, Instant};

use super::Flow;
use super::answer::Posted;
use crate::diag::Result;
use crate::event::{Event, WaitFor};
use crate::state::{RunState, Status};
use crate::store::Addressee;

/// How often the run's log is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The step of this path took it.
    By(String),
    /// A signal that no step waits for yet. It is kept.
    Kept,
    /// Too late: the step ended meanwhile, with this status.
    TooLate(Status),
    /// Nobody works on the run: it is kept, and taken when the run is resumed.
    Nobody,
    /// A process works on the run, but has not taken it so far. It is kept.
    NotYet,
}

impl Flow {
    /// Waits until the process that works on the run has taken a letter, at most so long.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn taken(&self, posted: &Posted, patience: Duration) -> Result<Taken> {
        let store = self.store()?.clone();
        let (begun, run) = (Instant::now(), &posted.run);
        let mut state = RunState::default();
        let mut taker = None;
        loop {
            // Asked before the log is read: what its process wrote before it went is then seen.
            let alive = store.is_alive(run);
            for record in store.records(run, state.events)? {
                state.apply(record.at, &record.event);
                if let Event::Answered { step, answer } = &*record.event
                    && answer.letter == posted.letter.answer.letter
                {
                    taker = Some(*step);
                }
            }
            if let Some(step) = taker {
                return Ok(Taken::By(state.plan.path(step)));
            }
            match &posted.letter.to {
                Addressee::Step { path, attempt } => {
                    let step = state.plan.find(path).first().map(|id| state.step(*id));
                    let gone = step.filter(|step| step.status != Status::Waiting || step.attempt != *attempt);
                    if let Some(step) = gone {
                        return Ok(Taken::TooLate(step.status));
                    }
                }
                Addressee::Signal(name) => {
                    let waits = |waits: &WaitFor| matches!(waits, WaitFor::Signal { name: known, .. } if known == name);
                    if alive && !state.waits().iter().any(|step| waits(&step.what)) {
                        return Ok(Taken::Kept);
                    }
                }
            }
            match alive {
                false => return Ok(Taken::Nobody),
                true if begun.elapsed() > patience => return Ok(Taken::NotYet),
                true => thread::sleep(LOOK),
            }
        }
    }
}
