//! The other script, evaluated with the results that still hold.
//!
//! - The script is evaluated; where it waits for a result with `run(…)`, it gets the recorded one if that is valid, and
//!   ends there if it is not: the resumed run evaluates it on.
//! - Fan-outs that had got their steps while the run went on are evaluated with recorded results, too, so that their
//!   steps can be compared one by one. A loop is evaluated iteration by iteration, as far as they are valid.
//! - After each growth all is compared anew: what is valid decides what can be evaluated next.

use std::collections::HashSet;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::named;
use crate::diag::{Diagnostic, Result};
use crate::engine::numbering::Numbering;
use crate::event::{Decision, Replanned};
use crate::lang::{Origins, Program, Runner};
use crate::plan::{File, Growth, Json, Plan, Repeat, StepId, Task, Value};
use crate::state::takeup::{Comparison, Side, Wish, compare};
use crate::state::{Files, Inputs, RunState, Status, StepResult};

/// What came of it.
pub(super) struct Evaluated {
    /// The plan, with the steps of the fan-outs that are known.
    pub plan: Plan,
    /// How it compares with the run so far.
    pub found: Comparison,
    /// See [`Replanned::pieces`].
    pub pieces: Vec<(u32, u32)>,
    /// What the script has printed.
    pub printed: String,
}

/// Evaluates a script for a run that is in the state `before`.
///
/// # Errors
/// What is wrong with it, or with the names of the steps to run again.
pub(super) fn evaluate(
    program: Program,
    program_before: Program,
    before: &RunState,
    wish: Wish,
    from: &[String],
    files: Arc<dyn Files>,
) -> Result<Evaluated> {
    let work = Work {
        origins: (0, program.origins()),
        program: program.clone(),
        origins_before: program_before.origins(),
        before: before.clone(),
        state: None,
        wish,
        from: from.to_vec(),
        files,
        numbering: Numbering::default(),
        plan: Arc::default(),
        found: None,
        known: HashSet::new(),
        tried: HashSet::new(),
        printed: String::new(),
        stopped: false,
    };
    let work = Arc::new(Mutex::new(work));
    let runner = Recorded(work.clone());
    let (built, printed) = program.build_and_tell(&before.created.args, Some(Box::new(runner)));
    let mut work = locked(&work);
    work.printed.push_str(&printed);
    match built {
        Ok(built) => work.grow(built.growth),
        Err(_) if work.stopped => {}
        Err(problem) => return Err(problem),
    }
    let mut plan = Arc::unwrap_or_clone(take(&mut work.plan));
    plan.header.files = program.sources().iter().map(|(name, text)| File::of(name, text)).collect();
    let found = work.found.take().ok_or_else(|| {
        Diagnostic::new("flow::run::driver", "the script was evaluated and gave nothing")
            .help("this is a mistake in flow; please report it")
    })?;
    for path in named::resolve(from, &before.plan, Some(&plan))? {
        let anew = || found.made_anew.keys().any(|old| before.plan.path(*old) == path);
        if plan.find(&path).is_empty() && !anew() {
            return Err(named::gone(&path, &plan));
        }
    }
    Ok(Evaluated { plan, found, pieces: work.numbering.pieces(), printed: take(&mut work.printed) })
}

struct Work {
    program: Program,
    /// The sources of its closures, when it had so many files.
    origins: (usize, Origins),
    origins_before: Origins,
    before: RunState,
    /// The state with the plan as it was compared last, for the results that hold.
    state: Option<RunState>,
    wish: Wish,
    from: Vec<String>,
    files: Arc<dyn Files>,
    numbering: Numbering,
    plan: Arc<Plan>,
    found: Option<Comparison>,
    /// Fan-outs whose steps are all known, as far as there were any.
    known: HashSet<StepId>,
    /// Fan-outs that were evaluated, with the number of steps that they had then.
    tried: HashSet<(StepId, usize)>,
    printed: String,
    stopped: bool,
}

fn locked(work: &Mutex<Work>) -> MutexGuard<'_, Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    /// A piece of the plan has come: everything that can be evaluated because of it is.
    fn grow(&mut self, growth: Growth) {
        let steps = self.plan.steps.len() as u32;
        if let Some(growth) = self.numbering.take(growth, steps) {
            Arc::make_mut(&mut self.plan).grow(growth);
        }
        loop {
            self.compare();
            let plan = self.plan.clone();
            let fan_outs: Vec<StepId> = plan.ids().filter(|id| plan.gets_steps_at_run_time(*id)).collect();
            drop(plan);
            let known = self.known.len();
            let mut grown = false;
            for id in fan_outs {
                grown |= self.expand(id);
            }
            if !grown && known == self.known.len() {
                return;
            }
        }
    }

    fn compare(&mut self) {
        let files = self.program.sources().len();
        if self.origins.0 != files {
            self.origins = (files, self.program.origins());
        }
        self.wish.from = named::known(&self.from, &self.before.plan, &self.plan);
        let got_steps = |id: &StepId| self.plan.gets_steps_at_run_time(*id) && !self.known.contains(id);
        let unfinished = self.plan.ids().filter(got_steps).collect();
        let side = Side {
            plan: &self.plan,
            closure: &|closure| self.origins.1.of(closure),
            closure_before: &|closure| self.origins_before.of(closure),
            unfinished: &unfinished,
        };
        self.found = Some(compare(&self.before, &side, &self.wish));
        self.state = None;
    }

    /// Does it hold?
    fn holds(&self, id: StepId) -> bool {
        self.found.as_ref().is_some_and(|found| found.holds(id))
    }

    /// The state after all that holds was taken over.
    fn state(&mut self) -> &RunState {
        let (before, plan, found) = (&self.before, &self.plan, &self.found);
        self.state.get_or_insert_with(|| {
            let mut state = before.clone();
            let new = Replanned { plan: Box::new((**plan).clone()), ..Replanned::default() };
            for event in found.iter().flat_map(|found| found.replan(before, new.clone())) {
                state.apply(before.latest_at, &event);
            }
            state
        })
    }

    /// Gives a fan-out the next of its steps that were known before. True: the plan has grown.
    fn expand(&mut self, id: StepId) -> bool {
        let Some(found) = &self.found else { return false };
        let Some(old) = found.matched[id.index()] else { return false };
        if self.before.step(old).expansions == 0 || found.begins_anew(id) || self.known.contains(&id) {
            return false;
        }
        let plan = self.plan.clone();
        match &*plan.step(id).task {
            Task::Repeat(repeat) => self.next_iteration(id, repeat, old),
            _ => {
                let came = self.evaluate(id, 1, None);
                if came {
                    self.known.insert(id);
                }
                came
            }
        }
    }

    /// A loop goes on as long as its iterations are valid and were there before.
    fn next_iteration(&mut self, id: StepId, repeat: &Repeat, old: StepId) -> bool {
        let Task::Repeat(before) = &*self.before.plan.step(old).task.clone() else { return false };
        let (is, was) = (repeat.children.len(), before.children.len());
        let Some(last) = repeat.children.last().copied() else {
            return repeat.max > 0 && self.evaluate(id, 1, None);
        };
        let ended = match self.found.as_ref().and_then(|found| found.matched[last.index()]) {
            Some(old) if self.holds(last) => self.before.step(old).status,
            _ => return false,
        };
        let over = self.before.step(old).status.is_final();
        if is == was && (!over || ended != Status::Success) {
            // It was just there, or came to its end by this.
            self.known.insert(id);
            return false;
        }
        let enough = match &repeat.until {
            None => is >= repeat.max as usize,
            Some(until) => {
                let mut needed = vec![last];
                until.captured.iter().for_each(|value| value.each_step(&mut |step| needed.push(step)));
                let inputs = self.inputs(needed);
                match self.program.until(until, output(&inputs, last), &inputs) {
                    (Decision::Is(enough), _) => enough,
                    (Decision::Failed(_), _) => return false,
                }
            }
        };
        if enough && is == was {
            self.known.insert(id);
        }
        !enough && is < was && is < repeat.max as usize && self.evaluate(id, is as u32 + 1, Some(last))
    }

    /// Evaluates a fan-out, once. What it cannot be given now it gets while the run goes on, or fails then.
    fn evaluate(&mut self, id: StepId, iteration: u32, last: Option<StepId>) -> bool {
        if !self.tried.insert((id, iteration as usize)) {
            return false;
        }
        let mut needed: Vec<StepId> = last.into_iter().collect();
        self.plan.step(id).task.clone().each_value(&mut |value: &Value| {
            value.each_step(&mut |step| needed.push(step));
        });
        let inputs = self.inputs(needed);
        let last = last.map_or(Json::Null, |last| output(&inputs, last));
        match self.program.expand(self.plan.clone(), id, iteration, last, &inputs) {
            Ok(growth) => {
                Arc::make_mut(&mut self.plan).grow(growth);
                true
            }
            Err(_) => false,
        }
    }

    fn inputs(&mut self, mut needed: Vec<StepId>) -> Inputs {
        needed.sort_unstable();
        needed.dedup();
        let state = self.state();
        let results = needed.into_iter().map(|step| (step, Arc::new(state.result(step)))).collect();
        Inputs { results, files: self.files.clone() }
    }
}

fn output(inputs: &Inputs, step: StepId) -> Json {
    inputs.get(step).and_then(|result| result.property("output", &*inputs.files).ok()).unwrap_or_default()
}

/// `run(step)` in the script: what is recorded and valid, and nothing else.
struct Recorded(Arc<Mutex<Work>>);

impl Runner for Recorded {
    fn run(&mut self, growth: Growth, printed: String, steps: &[StepId]) -> Result<Vec<Arc<StepResult>>> {
        let mut work = locked(&self.0);
        work.printed.push_str(&printed);
        work.grow(growth);
        let ids: Vec<StepId> = steps.iter().map(|step| work.numbering.step(*step)).collect();
        if ids.iter().all(|id| work.holds(*id) && work.state().step(*id).status.is_final()) {
            return Ok(ids.into_iter().map(|id| Arc::new(work.state().result(id))).collect());
        }
        work.stopped = true;
        Err(Diagnostic::new("flow::run::stopped", "the script waits for a result that is not there yet")
            .help("the run goes on from there"))
    }

    fn files(&self) -> Arc<dyn Files> {
        locked(&self.0).files.clone()
    }
}
