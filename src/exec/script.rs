//! Closures, conditions and fan-outs: what the script itself has to say while the plan runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::event::{Decision, Failure, FailureKind, Log, Outcome, Output, Saw};
use crate::lang::item::{Item, Mapper};
use crate::lang::{Program, interruptible};
use crate::plan::{Closure, Condition, Growth, Json, Plan, StepId, Task};
use crate::state::Inputs;

use super::capture::value_output;
use super::pipeline::StepLog;
use super::secrets::Secrets;
use super::{Job, Question, board, constant, topic};

/// The compiled script, as far as a running plan needs it. Every method may be called on any thread.
pub trait Closures: Send + Sync {
    /// Evaluates a condition. Gives also what it has read.
    fn decide(&self, condition: &Condition, inputs: &Inputs) -> (Decision, Vec<Saw>);

    /// Evaluates a `repeat`'s `until` on the output of its last iteration.
    fn until(&self, closure: &Closure, last: Json, inputs: &Inputs) -> (Decision, Vec<Saw>);

    /// Calls a closure. It should end soon after `stop` becomes true; what it gives is then of no interest.
    fn call(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Failure>;

    /// The same; gives also what the closure has printed, in lines.
    fn call_and_hear(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> (Result<Json, Failure>, String) {
        (self.call(closure, input, inputs, stop), String::new())
    }

    /// A closure that will be called for one item after the other, by the thread that holds what is given.
    ///
    /// # Errors
    /// It is not in the script.
    fn mapper<'a>(
        &'a self,
        closure: &'a Closure,
        inputs: &'a Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn Mapper + 'a>, Failure> {
        Ok(Box::new(OneByOne {
            call: move |item, stop: &Arc<AtomicBool>| self.call(closure, Some(item), inputs, stop),
            stop: stop.clone(),
        }))
    }

    /// The source of a closure, with whatever else of the script it uses: another one may give another result.
    fn source(&self, closure: &Closure) -> String {
        closure.function.to_string()
    }

    /// Asks the closure of a `validate`, which gets the step itself; its result is among the inputs.
    fn validate(&self, closure: &Closure, step: StepId, inputs: &Inputs) -> Result<Json, Failure>;

    /// Makes the children of a fan-out. `iteration` counts from 1; `last` is the output of the one before.
    fn expand(
        &self,
        plan: Arc<Plan>,
        step: StepId,
        iteration: u32,
        last: Json,
        inputs: &Inputs,
    ) -> Result<Growth, Failure>;
}

/// Calls a closure as if each item were all there is.
struct OneByOne<F> {
    call: F,
    stop: Arc<AtomicBool>,
}

impl<F: Fn(Json, &Arc<AtomicBool>) -> Result<Json, Failure> + Send> Mapper for OneByOne<F> {
    fn call(&mut self, item: Item) -> Result<Item, Failure> {
        (self.call)(item.to_json()?, &self.stop).map(Item::of)
    }
}

impl Closures for Program {
    fn source(&self, closure: &Closure) -> String {
        self.origins().of(closure)
    }

    fn decide(&self, condition: &Condition, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        Program::decide(self, condition, inputs)
    }

    fn until(&self, closure: &Closure, last: Json, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        Program::until(self, closure, last, inputs)
    }

    fn mapper<'a>(
        &'a self,
        closure: &'a Closure,
        inputs: &'a Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn Mapper + 'a>, Failure> {
        Program::mapper(self, closure, inputs, stop)
    }

    fn call(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Failure> {
        self.call_and_hear(closure, input, inputs, stop).0
    }

    fn call_and_hear(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> (Result<Json, Failure>, String) {
        interruptible(stop.clone(), || Program::call(self, closure, input, inputs))
    }

    fn validate(&self, closure: &Closure, step: StepId, inputs: &Inputs) -> Result<Json, Failure> {
        Program::validate(self, closure, step, inputs)
    }

    fn expand(
        &self,
        plan: Arc<Plan>,
        step: StepId,
        iteration: u32,
        last: Json,
        inputs: &Inputs,
    ) -> Result<Growth, Failure> {
        Program::expand(self, plan, step, iteration, last, inputs)
    }
}

/// An attempt of a task that stays inside the process.
pub(super) fn attempt(
    closures: &dyn Closures,
    job: &Job,
    secrets: &Arc<Secrets>,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome, Failure> {
    match &*job.task {
        Task::Call(closure) => {
            let (value, printed) = closures.call_and_hear(closure, job.input()?, &job.inputs, stop);
            let stderr = said(&printed, job, secrets)?;
            let (output, error) = match value.and_then(|value| value_output(value, job)) {
                Ok(output) => (output, None),
                Err(_) if stop.load(Ordering::Relaxed) => (Output::None, Some(ended())),
                Err(failure) => (Output::None, Some(failure)),
            };
            Ok(Outcome { output, stderr, error, ..Outcome::default() })
        }
        Task::Const(value) => constant::constant(value, job),
        Task::Budget(budget) => constant::budget(budget, job),
        Task::Fail(message) => constant::fail(message, job),
        Task::Publish(publish) => constant::constant(&publish.value, job),
        Task::Board(_) => Ok(Outcome::default()),
        Task::Put(put) => board::put(put, job),
        task => {
            let message = format!("`{}` is not a task that can be executed", task.kind());
            Err(Failure::new(FailureKind::Script, message).help("this is a mistake in flow; please report it"))
        }
    }
}

/// Keeps what a closure has printed. A run that is only tried has no folder for it.
fn said(printed: &str, job: &Job, secrets: &Arc<Secrets>) -> Result<Option<Log>, Failure> {
    if printed.is_empty() || job.site.folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let log = StepLog::of(job, "err", secrets)?;
    log.add(printed.as_bytes());
    Ok(log.log())
}

fn ended() -> Failure {
    Failure::new(FailureKind::Cancelled, "it was ended before it was done")
}

/// Evaluates a question.
pub(super) fn decide(closures: &dyn Closures, question: &Question, inputs: &Inputs) -> (Decision, Vec<Saw>) {
    match question {
        Question::When(Condition::Known(value)) => (Decision::Is(*value), Vec::new()),
        Question::When(condition) => closures.decide(condition, inputs),
        Question::Until(closure, last) => match output(*last, inputs) {
            Ok(last) => closures.until(closure, last, inputs),
            Err(failure) => (Decision::Failed(failure), Vec::new()),
        },
    }
}

/// Evaluates a fan-out.
pub(super) fn expand(
    closures: &dyn Closures,
    plan: Arc<Plan>,
    step: StepId,
    iteration: u32,
    last: Option<StepId>,
    inputs: &Inputs,
) -> Result<Growth, Failure> {
    let base = plan.steps.len() as u32;
    let given = match (&*plan.step(step).task, last) {
        (Task::OnEvent(_), None) => return Ok(Growth { base, ..Growth::default() }),
        (Task::OnEvent(_), Some(from)) => topic::event(&plan, from, iteration, output(from, inputs)?),
        (_, Some(last)) => output(last, inputs)?,
        (_, None) => Json::Null,
    };
    let mut growth = closures.expand(plan, step, iteration, given, inputs)?;
    topic::heard(&mut growth, step, last);
    Ok(growth)
}

fn output(step: StepId, inputs: &Inputs) -> Result<Json, Failure> {
    inputs.get(step).map_or(Ok(Json::Null), |result| result.property("output", &*inputs.files))
}
