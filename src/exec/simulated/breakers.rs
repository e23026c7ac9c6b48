//! Breakers of a simulated run: closed when it begins, and known to nobody else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smol_str::SmolStr;

use crate::event::{Event, Outcome, Record};
use crate::exec::Breakers;
use crate::plan::{Breaker, Plan, StepId};
use crate::state::breaker::{Admission, Circuit, Passer, Verdict};

/// See the module's page.
#[derive(Default)]
pub struct Circuits(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The time, in milliseconds since 1970.
    now: u64,
    circuits: HashMap<SmolStr, Circuit>,
}

impl Circuits {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is so late now, in milliseconds since 1970.
    pub fn pass(&self, now: u64) {
        self.inner().now = now;
    }

    /// The breakers that a plan declares.
    pub fn declare(&self, plan: &Plan) {
        let mut inner = self.inner();
        for (name, spec) in &plan.header.breakers {
            let declared: &mut Circuit = inner.circuits.entry(name.clone()).or_default();
            declared.spec = Breaker { ..*spec };
        }
    }

    /// Counts the end of an attempt.
    pub fn count(&self, record: &Record) {
        let (Event::Finished { step, attempt, outcome } | Event::Retrying { step, attempt, outcome, .. }) =
            &*record.event
        else {
            return;
        };
        let Outcome { breaker: Some(name), .. } = &**outcome else { return };
        if let Some(circuit) = self.inner().circuits.get_mut(name) {
            circuit.count(record.at, &who(*step, *attempt), Verdict::of(outcome));
        }
    }
}

impl Breakers for Circuits {
    fn admit(&self, breaker: &str, step: StepId, attempt: u32) -> Admission {
        let mut inner = self.inner();
        let now = inner.now;
        inner.circuits.get_mut(breaker).map_or(Admission::Go, |circuit| circuit.admit(now, who(step, attempt)))
    }
}

fn who(step: StepId, attempt: u32) -> Passer {
    Passer { run: String::new(), step: step.0, attempt }
}
