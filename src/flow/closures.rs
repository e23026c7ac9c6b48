//! The script's closures, as a run needs them: what they read of further files is kept with the run.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use crate::diag::Result;
use crate::event::{Decision, Failure, FailureKind, Saw};
use crate::exec::Closures;
use crate::lang::item::Mapper;
use crate::lang::{Origins, Program};
use crate::plan::{Closure, Condition, File, Growth, Json, Plan, StepId};
use crate::state::Inputs;
use crate::store::Store;

/// A program whose sources are kept in the store as they are loaded.
pub(super) struct Kept {
    program: Program,
    store: Store,
    /// The sources of its closures, and of how many files they were gathered.
    origins: Mutex<Option<(usize, Origins)>>,
}

impl Kept {
    pub fn new(program: Program, store: Store) -> Self {
        Kept { program, store, origins: Mutex::default() }
    }

    /// Keeps the files that have been loaded; gives name and hash of all.
    pub fn keep(&self) -> Result<Vec<(String, String)>> {
        self.program.sources().into_iter().map(|(name, text)| Ok((name, self.store.keep_source(&text)?))).collect()
    }
}

impl Closures for Kept {
    fn source(&self, closure: &Closure) -> String {
        let files = self.program.sources().len();
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, origins) = match origins.take() {
            Some(known) if known.0 == files => origins.insert(known),
            _ => origins.insert((files, self.program.origins())),
        };
        origins.of(closure)
    }

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

    fn call_and_hear(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> (std::result::Result<Json, Failure>, String) {
        self.program.call_and_hear(closure, input, inputs, stop)
    }

    fn mapper<'a>(
        &'a self,
        closure: &'a Closure,
        inputs: &'a Inputs,
        stop: &Arc<AtomicBool>,
    ) -> std::result::Result<Box<dyn Mapper + 'a>, Failure> {
        Closures::mapper(&self.program, closure, inputs, stop)
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
