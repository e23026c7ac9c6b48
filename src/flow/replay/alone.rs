//! A plan of which nothing is left but one pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, Result, Span};
use crate::plan::{EdgeKind, Growth, Policy, Sink, Source, Step, StepId, Task, Value};
use crate::state::{Files, Inputs, RunState, resolve};

/// The plan of a pipeline that reads from another source, with everything that it uses of other steps filled in; and the
/// pipeline in it. A step whose handle a closure has captured becomes a constant.
///
/// # Errors
/// If a result that it uses cannot be read any more.
pub(super) fn alone(state: &RunState, id: StepId, source: Source, files: Arc<dyn Files>) -> Result<(Growth, StepId)> {
    let mut filling = Filling { state, files, constants: BTreeMap::new(), steps: Vec::new(), problem: None };
    let old = state.plan.step(id);
    let Task::Pipeline(pipeline) = &*old.task else {
        return Err(unreadable(&state.plan.path(id), "it is no pipeline"));
    };
    let mut pipeline = (**pipeline).clone();
    (pipeline.source, pipeline.take, pipeline.continuous) = (source, None, false);
    if let Sink::File { append, .. } = &mut pipeline.sink {
        // What stands there came of the items that did not fail.
        *append = true;
    }
    pipeline.each_value_mut(&mut |value| filling.fill(value));
    let mut policy = kept(old.policy());
    policy.each_value_mut(&mut |value| filling.fill(value));
    let mut header = state.plan.header.clone();
    header.settings.env.iter_mut().for_each(|(_, value)| filling.fill(value));
    if let Some(problem) = filling.problem {
        return Err(problem);
    }
    (header.hooks, header.looked_at, header.stopped_at) = (Vec::new(), Vec::new(), None);
    let mut steps = filling.steps;
    let own = StepId(steps.len() as u32);
    let name = match &old.key {
        Some(key) => key.clone(),
        None => old.name.clone(),
    };
    let mut step = Step::new(name, Task::Pipeline(Box::new(pipeline)), old.span);
    for from in 0..own.0 {
        step.add_edge(StepId(from), EdgeKind::Data);
    }
    if policy != Policy::default() {
        *step.policy_mut() = policy;
    }
    steps.push(step);
    Ok((Growth { header: Some(Box::new(header)), steps, complete: true, ..Growth::default() }, own))
}

/// What still holds of a step's policies where nothing is around it: nothing that concerns other steps.
fn kept(policy: &Policy) -> Policy {
    let mut kept = policy.clone();
    kept.alerts.iter_mut().for_each(|alert| alert.action = None);
    (kept.undo, kept.cache, kept.checkpoint, kept.finally) = (None, None, None, false);
    kept.rule = Default::default();
    kept
}

struct Filling<'a> {
    state: &'a RunState,
    files: Arc<dyn Files>,
    /// Steps that have become constants.
    constants: BTreeMap<StepId, StepId>,
    steps: Vec<Step>,
    problem: Option<Diagnostic>,
}

impl Filling<'_> {
    /// Fills in the results that a value needs.
    fn fill(&mut self, value: &mut Value) {
        let mut needs = false;
        value.each_step(&mut |_| needs = true);
        if !needs {
            return;
        }
        match value {
            Value::Step(step) => *step = self.constant(*step),
            Value::Closure(closure) => closure.captured.iter_mut().for_each(|value| self.fill(value)),
            Value::Text(parts) | Value::List(parts) => parts.iter_mut().for_each(|part| self.fill(part)),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.fill(value)),
            _ => match resolve(value, &self.inputs(value)) {
                Ok(known) => *value = Value::Plain(known),
                Err(problem) => self.missing(value, &problem.message),
            },
        }
    }

    fn inputs(&self, value: &Value) -> Inputs {
        let mut results = BTreeMap::new();
        value.each_step(&mut |step| drop(results.insert(step, Arc::new(self.state.result(step)))));
        Inputs { results: results.into_iter().collect(), files: self.files.clone() }
    }

    /// A step that a closure reads, as a constant with its output.
    fn constant(&mut self, step: StepId) -> StepId {
        if let Some(known) = self.constants.get(&step) {
            return *known;
        }
        let output = match self.state.result(step).output(&*self.files) {
            Ok(output) => output,
            Err(problem) => {
                self.missing(&Value::Step(step), &problem.message);
                Default::default()
            }
        };
        let id = StepId(self.steps.len() as u32);
        let name = self.state.plan.path(step).replace('/', ".");
        self.steps.push(Step::new(name, Task::Const(Value::Plain(output)), Span::default()));
        self.constants.insert(step, id);
        id
    }

    fn missing(&mut self, value: &Value, why: &str) {
        let mut path = String::new();
        value.each_step(&mut |step| path = self.state.plan.path(step));
        self.problem.get_or_insert_with(|| unreadable(&path, why));
    }
}

fn unreadable(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new("flow::store::corrupt", format!("the result of `{path}` cannot be had any more: {why}"))
        .help("the pipeline uses it, so its dead letters cannot be replayed; `flow resume` or a new run makes it anew")
}
