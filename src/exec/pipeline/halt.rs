//! How an attempt of a pipeline is told to end, and woken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How urgent it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exec) enum Level {
    /// It goes on.
    #[default]
    Go,
    /// Nothing more is read; what is on its way may come to its end.
    Soft,
    /// At once.
    Hard,
}

/// Of one attempt. Stands in the table of what runs.
#[derive(Debug, Default)]
pub(in crate::exec) struct Halt {
    state: Mutex<(Level, bool)>,
    changed: Condvar,
}

impl Halt {
    fn state(&self) -> MutexGuard<'_, (Level, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is to end.
    pub fn set(&self, hard: bool) {
        let mut state = self.state();
        state.0 = state.0.max(if hard { Level::Hard } else { Level::Soft });
        self.changed.notify_all();
    }

    /// Wakes who waits here.
    pub fn ring(&self) {
        self.state().1 = true;
        self.changed.notify_all();
    }

    /// Waits so long at most, or until it is rung, or told to end more urgently than `known`.
    pub fn wait(&self, time: Duration, known: Level) -> Level {
        let state = self.state();
        let waits = |state: &mut (Level, bool)| !state.1 && state.0 <= known;
        let mut state = self.changed.wait_timeout_while(state, time, waits).unwrap_or_else(PoisonError::into_inner).0;
        state.1 = false;
        state.0
    }
}
