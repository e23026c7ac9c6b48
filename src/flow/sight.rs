//! A script as somebody sees it who writes it line by line: evaluated with the results of a run, and executing nothing.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::running::Folder;
use super::{Flow, Script};
use crate::diag::{Diagnostic, Result};
use crate::engine::numbering::Numbering;
use crate::lang::{Runner, Variables};
use crate::plan::{File, Growth, Json, Plan, StepId, Value};
use crate::state::result::resolve;
use crate::state::{Files, Inputs, RunState, StepResult};

/// What is to be seen at the end of a script, or where it waits for a result that is not there.
pub struct Sight {
    /// Its plan, with the script's own ids.
    pub plan: Plan,
    /// The value of its last expression.
    pub value: Value,
    /// What that is, in words.
    pub kind: String,
    /// Its variables.
    pub variables: Variables,
    /// What it has printed.
    pub printed: String,
    /// How many times `run(…)` was answered.
    pub answered: usize,
    /// The steps that it waits for, if it is not at its end.
    pub waits_for: Option<Vec<StepId>>,
    /// Where it waits, if it does.
    pub waits_at: Option<crate::diag::Span>,
    /// How long the evaluation took.
    pub took: Duration,
}

/// The results of a run, for its script and for those that begin like it.
#[derive(Clone)]
pub struct Results {
    /// The state of the run.
    pub state: Arc<RunState>,
    numbering: Arc<Numbering>,
    files: Arc<dyn Files>,
    /// Steps of the script that are others now than those that have run.
    changed: Arc<HashSet<StepId>>,
}

impl Results {
    /// The step of the run that a step of the script is, if the run has come to it.
    pub fn step(&self, id: StepId) -> Option<StepId> {
        Some(self.numbering.step(id)).filter(|id| id.index() < self.state.plan.steps.len())
    }

    /// The same without those of steps that have changed since, and of all that depends on them. `before`, `now`: the plan of
    /// the script that has run, and that of the script as it is now.
    pub fn without_changed(&self, before: &Plan, now: &Plan) -> Results {
        let differs = |id: &StepId| match before.steps.get(id.index()) {
            Some(step) => step.name != now.step(*id).name || step.task != now.step(*id).task,
            None => true,
        };
        let mut changed: HashSet<StepId> = now.ids().filter(differs).collect();
        if before.steps.len() != now.steps.len()
            && let Some(first) = changed.iter().min().copied()
        {
            // From here on a number means another step than before.
            changed.extend(now.ids().skip(first.index()));
        }
        changed.extend(self.changed.iter().copied());
        // Steps mostly stand behind what they depend on; groups behind what is in them.
        loop {
            let known = changed.len();
            for id in now.ids() {
                let step = now.step(id);
                let depends = step.after.iter().any(|edge| changed.contains(&edge.from));
                if depends || now.members(id).iter().any(|child| changed.contains(child)) {
                    changed.insert(id);
                }
            }
            if changed.len() == known {
                return Results { changed: Arc::new(changed), ..self.clone() };
            }
        }
    }

    /// What a step of the script gave, if it is at its end.
    pub fn get(&self, id: StepId) -> Option<Arc<StepResult>> {
        let known = !self.changed.contains(&id);
        let id = self.step(id).filter(|id| known && self.state.step(*id).status.is_final())?;
        Some(Arc::new(self.state.result(id)))
    }

    /// A value of the script with results filled in, if all of them are there.
    pub fn resolve(&self, value: &Value) -> Option<Json> {
        let mut inputs = Inputs { results: Vec::new(), files: self.files.clone() };
        let mut missing = false;
        value.each_step(&mut |step| match self.get(step) {
            Some(result) => inputs.results.push((step, result)),
            None => missing = true,
        });
        if missing { None } else { resolve(value, &inputs).ok() }
    }

    /// How long its output is, if that is in a file.
    pub fn output_bytes(&self, id: StepId) -> Option<u64> {
        let outcome = self.get(id)?.outcome.clone()?;
        outcome.stdout.as_ref().map(|log| log.bytes)
    }

    /// A property of a step's result; nothing if it has none of this name.
    pub fn property(&self, id: StepId, name: &str) -> Option<Json> {
        self.get(id)?.property(name, &*self.files).ok()
    }
}

impl Flow {
    /// The results of a run.
    ///
    /// # Errors
    /// See [`Flow::summary`].
    pub fn results(&self, run: &str) -> Result<Results> {
        let records = self.records(run, 0)?;
        let numbering = Numbering::of(records.iter().map(|record| &*record.event));
        Ok(Results {
            state: Arc::new(RunState::of(&records)),
            numbering: Arc::new(numbering),
            files: Arc::new(Folder(self.run_folder(run)?)),
            changed: Arc::default(),
        })
    }

    /// Evaluates a script without executing anything. The first `trusted` calls of `run(…)` get their results from `results`;
    /// at the next one the script waits. Ends soon after `stop` becomes true.
    ///
    /// # Errors
    /// What is wrong with the script or the parameters.
    pub fn see(
        &self,
        script: &Script,
        args: &[(String, String)],
        results: Option<&Results>,
        trusted: usize,
        stop: Arc<AtomicBool>,
    ) -> Result<Sight> {
        let program = self.compile(script)?;
        let gathered = Arc::new(Mutex::new(Gathered {
            plan: Plan::default(),
            results: results.cloned(),
            trusted,
            answered: 0,
            printed: String::new(),
            waits_for: None,
        }));
        let (seen, printed) = program.see(args, Box::new(Known(gathered.clone())), stop);
        let mut gathered = locked(&gathered);
        gathered.printed.push_str(&printed);
        let mut sight = Sight {
            plan: Plan::default(),
            value: Value::Plain(Json::Null),
            kind: String::new(),
            variables: Variables::default(),
            printed: std::mem::take(&mut gathered.printed),
            answered: gathered.answered,
            waits_for: gathered.waits_for.take(),
            waits_at: None,
            took: Duration::ZERO,
        };
        match seen {
            Ok(seen) => {
                gathered.plan.grow(seen.built.growth);
                (sight.value, sight.kind) = (seen.value, seen.kind);
                (sight.variables, sight.took) = (seen.variables, seen.took);
            }
            Err(problem) if sight.waits_for.is_some() => sight.waits_at = problem.span(),
            Err(problem) => return Err(problem.with_printed(sight.printed)),
        }
        gathered.plan.header.files = program.sources().iter().map(|(name, text)| File::of(name, text)).collect();
        sight.plan = std::mem::take(&mut gathered.plan);
        Ok(sight)
    }
}

struct Gathered {
    plan: Plan,
    results: Option<Results>,
    trusted: usize,
    answered: usize,
    printed: String,
    waits_for: Option<Vec<StepId>>,
}

fn locked(gathered: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `run(…)` in the script: what is recorded, and nothing else.
struct Known(Arc<Mutex<Gathered>>);

impl Runner for Known {
    fn run(&mut self, growth: Growth, printed: String, steps: &[StepId]) -> Result<Vec<Arc<StepResult>>> {
        let mut gathered = locked(&self.0);
        gathered.printed.push_str(&printed);
        gathered.plan.grow(growth);
        let results = match &gathered.results {
            Some(results) if gathered.answered < gathered.trusted => {
                steps.iter().map(|step| results.get(*step)).collect()
            }
            _ => None,
        };
        match results {
            Some(results) => {
                gathered.answered += 1;
                Ok(results)
            }
            None => {
                gathered.waits_for = Some(steps.to_vec());
                Err(Diagnostic::new("flow::run::stopped", "the script waits for a result that is not there yet")
                    .help("`run(…)` is answered when these steps have run"))
            }
        }
    }

    fn files(&self) -> Arc<dyn Files> {
        match &locked(&self.0).results {
            Some(results) => results.files.clone(),
            None => Arc::new(Folder("".into())),
        }
    }
}
