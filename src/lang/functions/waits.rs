//! Tasks that wait for time, a moment, a file, a person or a signal. They hold no process and no slot.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::declare;
use crate::diag::Span;
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::Fault;
use crate::lang::handle::{Pending, Step};
use crate::lang::options::{self, Options, here, wrong};
use crate::lang::{answers, keys, session};
use crate::plan::{Approve, FileWait, OnTimeout, SignalWait, Task};

/// Declares a step that waits; the timeout is a policy of it.
fn waits(
    context: &NativeCallContext,
    name: &str,
    timeout_ms: Option<u64>,
    task: impl FnOnce(&mut session::Session, Span) -> Result<Task, Fault>,
) -> Result<Step, Fault> {
    let step = declare(context, name, task)?;
    if let (Some(id), Some(ms)) = (step.single(), timeout_ms) {
        session::build(context, |builder, _| {
            builder.step_mut(id).policy_mut().timeout_ms = Some(ms);
            Ok(())
        })?;
    }
    Ok(step)
}

#[export_module]
pub mod functions {
    /// A step that lets time pass.
    ///
    /// It holds no slot and no process. After a crash only the rest of the time is waited for.
    ///
    /// - `duration` (duration): how long, `"10s"` or a number of seconds
    ///
    /// ```rhai
    /// sh("start", "true") -> wait("settle", "10ms") -> sh("check", "true");
    /// ```
    ///
    /// In a shell: `sleep`. In Airflow: a `TimeDeltaSensor`. In Temporal: a timer.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `wait_until`, `wait_for`, `.timeout`
    #[rhai_fn(return_raw)]
    pub fn wait(context: NativeCallContext, name: &str, duration: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |_, span| options::duration(&duration, "the duration of `wait`", span).map(Task::Wait))
    }

    /// A step that waits until a moment. A moment that has passed is not waited for.
    ///
    /// - `moment` (text, or milliseconds since 1970): a date and a time, `"2030-01-31 22:00"`; without an offset it is local time. May be
    ///   the result of a step
    ///
    /// ```rhai
    /// wait_until("evening", "2030-01-31 22:00") -> sh("maintain", "true");
    /// wait_until("exactly", "2030-01-31T22:00+01:00");
    /// ```
    ///
    /// In Airflow: a `DateTimeSensor`. In a shell: `at`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `wait`, `approve`
    #[rhai_fn(return_raw)]
    pub fn wait_until(context: NativeCallContext, name: &str, moment: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| answers::moment(session, &moment, span).map(Task::WaitUntil))
    }

    /// A step that waits until a file or a folder is there. Its output is the path.
    ///
    /// - `file` (text): its path, relative to where flow was called. May be the result of a step
    ///
    /// ```rhai
    /// wait_for("upload", "incoming/data.csv") -> sh("load", "cat incoming/data.csv");
    /// ```
    ///
    /// In Airflow: a `FileSensor`. In make: a prerequisite that somebody else makes.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::choice`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `signal`, `wait`, `.timeout`
    #[rhai_fn(return_raw)]
    pub fn wait_for(context: NativeCallContext, name: &str, file: Dynamic) -> Result<Step, Fault> {
        wait_for_with(context, name, file, Map::new())
    }

    /// As above, but not for ever.
    ///
    /// ```rhai
    /// wait_for("upload", "incoming/data.csv", #{ timeout: "2h", on_timeout: "skip" });
    /// ```
    #[rhai_fn(name = "wait_for", return_raw)]
    pub fn wait_for_with(context: NativeCallContext, name: &str, file: Dynamic, options: Map) -> Result<Step, Fault> {
        let span = here(&context);
        let mut options = Options::of(&keys::WAIT_FOR, &options, span);
        let timeout = options.time("timeout")?;
        let on_timeout = answers::on_timeout(&mut options, "wait_for", &[], span)?;
        options.done()?;
        if !file.is_string() && !file.is::<Pending>() && !file.is::<Step>() {
            return Err(wrong("the file of `wait_for`", "a path", &file, span));
        }
        waits(&context, name, timeout, |session, span| {
            let file = to_value(session, &file, Steps::AsOutput, span)?;
            Ok(Task::WaitFor(FileWait { file, on_timeout }))
        })
    }

    /// A step that waits for a person's yes or no. `no` is a failure of it.
    ///
    /// ```rhai
    /// sh("build", "true") -> approve("release") -> sh("publish", "true");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn approve(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        waits(&context, name, None, |_, _| {
            let (prompt, choices, form) = (None, Vec::new(), Vec::new());
            Ok(Task::Approve(Box::new(Approve { prompt, choices, form, on_timeout: OnTimeout::Fail })))
        })
    }

    /// A step that waits for a person's answer.
    ///
    /// No process is held meanwhile: when nothing else can go on, `flow script` ends with exit code 3, and the run goes on with
    /// `flow approve RUN STEP`. In a terminal the question is asked at once.
    ///
    /// The output is the answer. Further properties are the fields of the form, `by` (who answered), `at` (when, in milliseconds
    /// since 1970) and `comment`.
    ///
    /// - `options` (text, or map): the question alone, or a map: see the table below
    ///
    /// ```rhai
    /// let test = sh("test", "echo 87");
    /// let ship = approve("ship", #{
    ///     prompt: `Coverage is ${test.output}. Ship it?`,
    ///     choices: ["now", "tonight", "never"],
    ///     form: #{ version: #{ type: "string", help: "as in the changelog" }, notify: true },
    ///     timeout: "2d",
    ///     on_timeout: "never",
    /// });
    /// flow("when").when(|| ship.output == "now", sh("publish", `./publish.sh ${ship.version}`));
    /// ```
    ///
    /// In GitHub Actions: an environment with required reviewers. In Airflow: a `HITLOperator`. In Temporal: a signal.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::choice`, `flow::lang::unknown_option`, `flow::answer::choice`, `flow::answer::form`, `flow::answer::again`, `flow::answer::late`
    /// See: `signal`, `flow`, `.timeout`
    #[rhai_fn(name = "approve", return_raw)]
    pub fn approve_with(context: NativeCallContext, name: &str, options: Dynamic) -> Result<Step, Fault> {
        let span = here(&context);
        let Some(map) = options.read_lock::<Map>().map(|map| map.clone()) else {
            if !options.is_string() && !options.is::<Pending>() {
                return Err(wrong("the question of `approve`", "a text, or a map of options", &options, span));
            }
            let map: Map = [("prompt".into(), options)].into_iter().collect();
            return approve_with(context, name, map.into());
        };
        let mut options = Options::of(&keys::APPROVE, &map, span);
        let prompt = options.take("prompt");
        let choices = answers::choices(&mut options, span)?;
        let form = answers::form(&mut options, span)?;
        let timeout = options.time("timeout")?;
        let possible: Vec<&str> = match choices.is_empty() {
            true => vec!["yes", "no"],
            false => choices.iter().map(|choice| choice.as_str()).collect(),
        };
        let on_timeout = answers::on_timeout(&mut options, "approve", &possible, span)?;
        options.done()?;
        waits(&context, name, timeout, |session, span| {
            let prompt = prompt.map(|prompt| to_value(session, &prompt, Steps::AsOutput, span)).transpose()?;
            Ok(Task::Approve(Box::new(Approve { prompt, choices, form, on_timeout })))
        })
    }

    /// A step that waits for a signal from outside, of the step's name: `flow signal RUN NAME [VALUE]`. Its output is the value.
    ///
    /// A signal may come before the step waits: it is kept. Each is taken by one step.
    ///
    /// ```rhai
    /// let paid = signal("paid");
    /// paid -> sh("send", `echo ${paid.output}`);
    /// ```
    ///
    /// In Temporal: a signal. In Airflow: an `ExternalTaskSensor`. In GitHub Actions: `repository_dispatch`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::choice`, `flow::signal::unknown`, `flow::signal::over`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `approve`, `wait_for`
    #[rhai_fn(return_raw)]
    pub fn signal(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        signal_with(context, name, Map::new().into())
    }

    /// As above, for a signal of another name, or not for ever.
    ///
    /// - `options` (text, or map): the signal's name, or a map: see the table below
    ///
    /// ```rhai
    /// signal("wait-for-payment", #{ signal: "paid", timeout: "1d", on_timeout: "skip" });
    /// ```
    #[rhai_fn(name = "signal", return_raw)]
    pub fn signal_with(context: NativeCallContext, name: &str, options: Dynamic) -> Result<Step, Fault> {
        let span = here(&context);
        let (signal, timeout, on_timeout) = match options.read_lock::<Map>().map(|map| map.clone()) {
            None => (Some(options::text(&options, "the signal's name", span)?), None, OnTimeout::Fail),
            Some(map) => {
                let mut options = Options::of(&keys::SIGNAL, &map, span);
                let (signal, timeout) = (options.text("signal")?, options.time("timeout")?);
                let on_timeout = answers::on_timeout(&mut options, "signal", &[], span)?;
                options.done()?;
                (signal, timeout, on_timeout)
            }
        };
        if signal.as_deref().is_some_and(|signal| signal.trim().is_empty()) {
            return Err(wrong("`signal`", "the name of a signal", &signal.unwrap_or_default().into(), span));
        }
        waits(&context, name, timeout, |_, _| {
            let signal = signal.unwrap_or_else(|| name.to_owned()).into();
            Ok(Task::Signal(SignalWait { signal, on_timeout }))
        })
    }
}
