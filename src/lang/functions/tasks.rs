//! Constructors of tasks.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::declare;
use crate::diag::Diagnostic;
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::Step;
use crate::lang::{closures, options, untrusted};
use crate::plan::{Json, Task, Value, Workflow, shell};
use crate::state::result::shorten;

/// The parts of a script text, for the shell room of the plan.
fn parts(value: Value) -> Vec<shell::Part> {
    match value {
        Value::Plain(Json::String(text)) => vec![shell::Part::Text(text)],
        Value::Text(parts) => parts
            .into_iter()
            .map(|part| match part {
                Value::Plain(Json::String(text)) => shell::Part::Text(text),
                value => shell::Part::Value(value),
            })
            .collect(),
        Value::Plain(Json::Null) => Vec::new(),
        value => vec![shell::Part::Value(value)],
    }
}

#[export_module]
pub mod functions {
    /// A step that runs a shell script.
    ///
    /// The script runs with `sh -ec` (or another shell, see `.shell`); a command without any shell syntax is run
    /// directly. Results of other steps stand in it as variables of the environment, so no output can become a command.
    ///
    /// ```rhai
    /// let build = sh("build", "make release");
    /// let push = sh("push", `./push.sh ${build.output}`);
    /// ```
    ///
    /// In make: a recipe line. In GitHub Actions: `run:`.
    #[rhai_fn(return_raw)]
    pub fn sh(context: NativeCallContext, name: &str, script: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| {
            if !script.is_string() && !script.is::<crate::lang::handle::Pending>() {
                return Err(options::wrong("the script of `sh`", "a text", &script, span));
            }
            if let Some(text) = script.read_lock::<ImmutableString>()
                && let Some(found) = untrusted::found_in(session, &text)
            {
                let found = shorten(found, 40);
                return Err(raise(
                    Diagnostic::new("flow::plan::shell", format!("the result `{found}` would become part of the script of `{name}`, which could run it"))
                        .label(span, "in the script of this step")
                        .help("it is a plain value here, so quote it: `${quote(x)}`; or hand it over without a shell: `exec(name, [program, x])`. To run a result as a script on purpose: `exec(name, [\"sh\", \"-c\", x])`"),
                ));
            }
            let value = to_value(session, &script, Steps::AsOutput, span)?;
            let shell =
                shell::compile(&parts(value), None).map_err(|error| {
                    let problem =
                        Diagnostic::new("flow::plan::shell", error.message).label(span, "in the script of this step");
                    raise(
                        problem.help(error.help.unwrap_or_else(|| {
                            "put the value into a variable first, outside of this place".to_owned()
                        })),
                    )
                })?;
            Ok(Task::Shell(shell))
        })
    }

    /// A step that runs a program with arguments, without a shell.
    ///
    /// ```rhai
    /// let list = exec("list", ["ls", "-l", script_dir]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exec(context: NativeCallContext, name: &str, command: Array) -> Result<Step, Fault> {
        declare(&context, name, |session, span| {
            if command.is_empty() {
                return Err(raise(
                    Diagnostic::new("flow::lang::option", "the command of `exec` is empty")
                        .label(span, "here")
                        .help("give the program and its arguments: `exec(\"list\", [\"ls\", \"-l\"])`"),
                ));
            }
            command
                .iter()
                .map(|arg| to_value(session, arg, Steps::AsOutput, span))
                .collect::<Result<_, _>>()
                .map(Task::Exec)
        })
    }

    /// A step that calls a closure; what it returns is the step's output.
    ///
    /// The closure sees the results of the steps it names as plain values; its parameter, if it has one, is the chain's
    /// input. It runs in parallel with other steps.
    ///
    /// ```rhai
    /// let size = sh("size", "wc -c < Cargo.toml");
    /// let report = call("report", || `Cargo.toml has ${size.number} bytes`);
    /// ```
    #[rhai_fn(name = "call_step", return_raw)]
    pub fn call(context: NativeCallContext, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        declare(&context, name, |session, span| closures::freeze(session, &closure, span).map(Task::Call))
    }

    /// A step with a constant output: a value that is known, or made of other steps' results.
    ///
    /// ```rhai
    /// let version = task("version", "1.4.0");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn task(context: NativeCallContext, name: &str, value: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| to_value(session, &value, Steps::AsOutput, span).map(Task::Const))
    }

    /// A step that fails with a message, to end a branch with.
    ///
    /// ```rhai
    /// let test = sh("test", "make test");
    /// flow("gate").when(|| test.passed, sh("ship", "make install")).otherwise(fail("give-up", "the tests fail"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fail(context: NativeCallContext, name: &str, message: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| to_value(session, &message, Steps::AsOutput, span).map(Task::Fail))
    }

    /// Another workflow as one step: its steps become children of this one.
    ///
    /// `file`: a script below this script's folder. `args`: its parameters; they may be results of steps. The output is
    /// what the script returns (its last expression), else a map of its steps' outputs. Its settings hold only when it
    /// runs alone.
    ///
    /// In GitHub Actions: a reusable workflow. In Airflow: a task group from another file.
    ///
    /// ```rhai,no_run
    /// let tests = workflow("tests", "ci/test.rhai", #{ suite: "fast" });
    /// ```
    #[rhai_fn(name = "workflow", return_raw)]
    pub fn workflow_with(context: NativeCallContext, name: &str, file: &str, args: Map) -> Result<Step, Fault> {
        let step = declare(&context, name, |session, span| {
            let mut values = Vec::with_capacity(args.len());
            for (key, value) in &args {
                values.push((key.to_string(), to_value(session, value, Steps::AsOutput, span)?));
            }
            Ok(Task::Workflow(Workflow { file: file.to_owned(), args: values, expanded: false, returns: None }))
        })?;
        super::super::fanout::include(&context, &step)?;
        Ok(step)
    }

    /// Another workflow as one step, without parameters.
    ///
    /// ```rhai,no_run
    /// let tests = workflow("tests", "ci/test.rhai");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn workflow(context: NativeCallContext, name: &str, file: &str) -> Result<Step, Fault> {
        workflow_with(context, name, file, Map::new())
    }
}
