//! The simulated store: appends queue up, are committed in their order some time later, or cannot be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flow::engine::drive::{Committed, Journal};
use flow::event::Record;

/// What one process has asked to be written and has not been answered.
#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<VecDeque<Append>>>);

/// One append: all of it is committed, or nothing.
pub struct Append {
    /// What is to be written.
    pub records: Vec<Record>,
    /// Who wants to know.
    pub committed: Committed,
}

impl Queue {
    /// The appends, in their order.
    pub fn appends(&self) -> MutexGuard<'_, VecDeque<Append>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Queue {
    fn append(&self, records: Vec<Record>, committed: Committed) {
        self.appends().push_back(Append { records, committed });
    }
}
