//! The script's closures, as a run needs them: what they read of further files is kept with the run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::diag::Result;
use crate::event::{Decision, Failure, FailureKind, Saw};
use crate::exec::Closures;
use crate::lang::Program;
use crate::plan::{Closure, Condition, File, Growth, Json, Plan, StepId};
use crate::state::Inputs;
use crate::store::Store;

/// A program whose sources are kept in the store as they are loaded.
pub(super) struct Kept {
    program: Program,
    store: Store,
}

impl Kept {
    pub fn new(program: Program, store: Store) -> Self {
        Kept { program, store }
    }

    /// Keeps the files that have been loaded; gives name and hash of all.
    pub fn keep(&self) -> Result<Vec<(String, String)>> {
        self.program.sources().into_iter().map(|(name, text)| Ok((name, self.store.keep_source(&text)?))).collect()
    }
}

impl Closures for Kept {
    fn decide(&self, condition: &Condition, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        self.program.decide(condition, inputs)
    }

    fn until(&self, closure: &Closure, last: Json, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        self.program.until(closure, last, inputs)
    }

    fn call(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> std::result::Result<Json, Failure> {
        Closures::call(&self.program, closure, input, inputs, stop)
    }

    fn validate(&self, closure: &Closure, step: StepId, inputs: &Inputs) -> std::result::Result<Json, Failure> {
        self.program.validate(closure, step, inputs)
    }

    fn expand(
        &self,
        plan: Arc<Plan>,
        step: StepId,
        iteration: u32,
        last: Json,
        inputs: &Inputs,
    ) -> std::result::Result<Growth, Failure> {
        let known = plan.header.files.len();
        let mut growth = self.program.expand(plan, step, iteration, last, inputs)?;
        if self.program.sources().len() > known {
            let kept = self.keep().map_err(|problem| Failure::new(FailureKind::Store, problem.message()))?;
            growth.files = kept.into_iter().map(|(name, sha256)| File { name, sha256 }).collect();
        }
        Ok(growth)
    }
}
