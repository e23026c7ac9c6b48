//! Constructors of tasks.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::declare;
use crate::diag::{Diagnostic, Span};
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::{Pending, Step};
use crate::lang::session::Session;
use crate::lang::{closures, options, untrusted};
use crate::plan::{Json, Shell, Task, Value, Workflow, shell};
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

/// What a shell runs. `name`: the step's, for messages.
pub fn shell_of(session: &mut Session, name: &str, script: &Dynamic, span: Span) -> Result<Shell, Fault> {
    if !script.is_string() && !script.is::<Pending>() {
        return Err(options::wrong("the script of `sh`", "a text", script, span));
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
    let value = to_value(session, script, Steps::AsOutput, span)?;
    shell::compile(&parts(value), None).map_err(|error| {
        let problem = Diagnostic::new("flow::plan::shell", error.message).label(span, "in the script of this step");
        raise(problem.help(
            error.help.unwrap_or_else(|| "put the value into a variable first, outside of this place".to_owned()),
        ))
    })
}

#[export_module]
pub mod functions {
    /// A step that runs a shell script. What the script prints is the step's output.
    ///
    /// The script runs with `sh -ec`, so it ends at the first command that fails (see `.shell` for others). A command without any
    /// shell syntax is run directly, without a shell. Results of other steps that stand in the script reach it as variables of the
    /// environment: no output can become a command.
    ///
    /// A process can say more than it prints: lines `key=value` or JSON in the file that `$FLOW_OUTPUT` names become properties
    /// of the step.
    ///
    /// - `script` (text): the script, with results of other steps in it
    ///
    /// ```rhai
    /// let build = sh("build", "make release");
    /// let push = sh("push", `./push.sh ${build.output}`);
    /// let count = sh("count", "ls | wc -l; echo day=$(date +%A) >> $FLOW_OUTPUT");
    /// sh("tell", `echo ${count.number} files on ${count.day}`);
    /// ```
    ///
    /// In make: a recipe line. In GitHub Actions: `run:`. In Airflow: a `BashOperator`.
    ///
    /// Errors: `flow::plan::shell`, `flow::plan::unknown_step`, `flow::plan::name`, `flow::plan::duplicate`, `flow::lang::secret`
    /// See: `exec`, `call`, `quote`, `.shell`, `.env`, `.cwd`, `.parse`
    #[rhai_fn(return_raw)]
    pub fn sh(context: NativeCallContext, name: &str, script: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| shell_of(session, name, &script, span).map(Task::Shell))
    }

    /// A step that runs a program with arguments, without a shell.
    ///
    /// Each argument reaches the program as it is: no quoting, no `*`, no variables. That makes it the safest way to hand over
    /// results.
    ///
    /// - `command` (list): the program and its arguments, texts that may hold results
    ///
    /// ```rhai
    /// let list = exec("list", ["ls", "-l", script_dir]);
    /// let lines = sh("names", "printf 'a b\nc\n'").lines;
    /// each("made", lines, |name| exec("make", ["mkdir", "-p", name]));
    /// ```
    ///
    /// In Airflow: a `BashOperator` with a list as its command. In C: `execvp`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `sh`, `each`
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
    /// The closure sees the results of the steps that it names as plain values, so it can compute with them. Its parameter, if it has
    /// one, is the chain's input. It runs beside other steps, and cannot declare steps itself.
    ///
    /// - `closure`: `|| …`, or `|input| …`
    ///
    /// ```rhai
    /// let size = sh("size", "wc -c < Cargo.toml");
    /// let report = call("report", || `Cargo.toml has ${size.number} bytes`);
    /// sh("names", "ls") -> call("count", |names| names.split("\n").len());
    /// ```
    ///
    /// In Airflow: a `@task` function. In GitHub Actions: a step with `actions/github-script`.
    ///
    /// Errors: `flow::lang::not_building`, `flow::lang::not_captured`, `flow::lang::value`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `task`, `sh`, `.when`, `each`
    #[rhai_fn(name = "call_step", return_raw)]
    pub fn call(context: NativeCallContext, name: &str, closure: FnPtr) -> Result<Step, Fault> {
        declare(&context, name, |session, span| closures::freeze(session, &closure, span).map(Task::Call))
    }

    /// A step with a constant output: a value that is known, or one that is made of other steps' results.
    ///
    /// It gives a name to a value, and a chain something to begin with.
    ///
    /// - `value` (any value): the output
    ///
    /// ```rhai
    /// let version = task("version", "1.4.0");
    /// task("words", ["red", "green"]) -> call("count", |words| words.len());
    /// ```
    ///
    /// In make: a variable. In GitHub Actions: an `output` of a job.
    ///
    /// Errors: `flow::lang::secret`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `call`, `param`
    #[rhai_fn(return_raw)]
    pub fn task(context: NativeCallContext, name: &str, value: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| to_value(session, &value, Steps::AsOutput, span).map(Task::Const))
    }

    /// A step that fails with a message, to end a branch with.
    ///
    /// - `message` (text): what is said about the failure; results of steps may stand in it
    ///
    /// ```rhai
    /// let test = sh("test", "make test");
    /// flow("gate").when(|| test.passed, sh("ship", "make install")).otherwise(fail("give-up", "the tests fail"));
    /// ```
    ///
    /// In make: `$(error …)`. In GitHub Actions: `exit 1` behind an `if:`. In Airflow: `AirflowFailException`.
    ///
    /// Errors: `flow::plan::name`, `flow::plan::duplicate`
    /// See: `flow`, `.on_error`
    #[rhai_fn(return_raw)]
    pub fn fail(context: NativeCallContext, name: &str, message: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| to_value(session, &message, Steps::AsOutput, span).map(Task::Fail))
    }

    /// Another workflow as one step: its steps become children of this one.
    ///
    /// The output is what the script returns (its last expression), else a map of its steps' outputs. Its settings hold only when
    /// it runs alone. It cannot have hooks of the run, nor use `run`.
    ///
    /// - `file`: a script below this script's folder; `.rhai` may be left out
    /// - `args`: its parameters by name; values may be results of steps
    ///
    /// ```rhai,no_run
    /// let tests = workflow("tests", "ci/test.rhai", #{ suite: "fast" });
    /// sh("report", `echo ${tests.output}`);
    /// ```
    ///
    /// In GitHub Actions: a reusable workflow (`uses:`). In make: `$(MAKE) -C folder`. In Airflow: a task group, or `TriggerDagRunOperator`. In Nextflow: `include`.
    ///
    /// Errors: `flow::file::missing`, `flow::lang::import_outside`, `flow::param::unknown`, `flow::param::missing`, `flow::lang::workflow_depth`, `flow::lang::nested_hook`, `flow::lang::run_nested`
    /// See: `chain`, `param`, `each`
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

    /// Another workflow as one step, with the defaults of its parameters.
    ///
    /// ```rhai,no_run
    /// let tests = workflow("tests", "ci/test.rhai");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn workflow(context: NativeCallContext, name: &str, file: &str) -> Result<Step, Fault> {
        workflow_with(context, name, file, Map::new())
    }
}
