//! What is kept from run to run, as the executors of a run ask for it.

use crate::exec::Breakers;
use crate::plan::StepId;
use crate::state::breaker::{Admission, Passer};
use crate::store::Store;

/// The store, as one run sees it.
pub(super) struct Shared {
    pub store: Store,
    /// The run's id.
    pub run: String,
}

impl Breakers for Shared {
    fn admit(&self, breaker: &str, step: StepId, attempt: u32) -> Admission {
        let who = Passer { run: self.run.clone(), step: step.0, attempt };
        self.store.admit(breaker, &who).unwrap_or_else(|problem| {
            // If the store is lost so is the run; a breaker need not be what says so.
            tracing::warn!(breaker, %problem, "what is known of the breaker cannot be read");
            Admission::Go
        })
    }
}
