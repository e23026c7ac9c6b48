//! Policies for when things go wrong: what is tried instead, what is taken back, what counts as a result.

use rhai::plugin::*;
use rhai::{Dynamic, NativeCallContext};

use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::policies::set;

#[export_module]
pub mod functions {
    /// What is tried when the step has failed for good: a step, or several in order.
    ///
    /// The first that succeeds answers in its place: others see a success with its output, `degraded` is true, and `answered_by` is its
    /// name. Fallbacks wait for nothing else, and may read results of the step, such as `error`. `.retry`, `.timeout` and the like
    /// stay with the step itself, whatever is said first; fallbacks have their own.
    ///
    /// - `other`: what is tried then
    ///
    /// ```rhai
    /// let price = sh("price", "curl -fsS https://example.org/price")
    ///     .retry(2)
    ///     .fallback([sh("mirror", "curl -fsS https://example.net/price"), sh("yesterday", "cat price.txt")]);
    /// sh("show", `echo ${price.output}`);
    /// ```
    ///
    /// In a shell: `a || b || c`. In Airflow: a task with the rule `all_failed`.
    ///
    /// Errors: `flow::plan::undo`, `flow::lang::option`, `flow::lang::not_a_step`
    /// See: `.retry`, `.on_failure`, `.on_error`
    #[rhai_fn(return_raw)]
    pub fn fallback(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "fallback", &other)
    }

    /// The step that takes back what this one did.
    ///
    /// If the run fails, the undo steps of what had succeeded run, the latest first, each once; so they do for `flow rollback`. It waits
    /// for nothing, and may read the step's results. What was done before the latest checkpoint is left as it is (see
    /// `.checkpoint`, and `undo` in `settings`).
    ///
    /// - `other`: what takes it back
    ///
    /// ```rhai
    /// let server = sh("server", "echo i-123");
    /// server.undo(sh("remove", `echo removing ${server.output}`));
    /// server -> sh("deploy", "true");
    /// ```
    ///
    /// In Temporal: a saga. In Airflow: a teardown task.
    ///
    /// Errors: `flow::plan::undo`, `flow::lang::not_a_step`
    /// See: `.checkpoint`, `.finally`, `settings`
    #[rhai_fn(return_raw)]
    pub fn undo(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "undo", &other)
    }

    /// The success of the step is a point to which the run can be rolled back: `flow rollback RUN --to NAME`.
    ///
    /// When the run fails, nothing that was done before the latest one is undone.
    ///
    /// - `name`: the point's name, each once
    ///
    /// ```rhai
    /// sh("migrate", "true").checkpoint("migrated") -> sh("switch", "true");
    /// ```
    ///
    /// In SQL: `SAVEPOINT`.
    ///
    /// Errors: `flow::plan::checkpoint`, `flow::run::no_checkpoint`, `flow::lang::option`
    /// See: `.undo`, `settings`
    #[rhai_fn(return_raw)]
    pub fn checkpoint(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "checkpoint", &name)
    }

    /// Another step that cleans up: it runs when this one has ended, in whatever way, also in a run that is being stopped; but not if this
    /// one had not begun.
    ///
    /// - `other`: what cleans up
    ///
    /// ```rhai
    /// let lease = sh("lease", "echo 17");
    /// lease.finally(sh("release", `echo releasing ${lease.output}`));
    /// ```
    ///
    /// In a shell: `trap … EXIT`. In GitHub Actions: `if: always()`, or the `post:` of an action. In Airflow: a teardown task. In other languages: `try` and `finally`.
    ///
    /// Errors: `flow::plan::cycle`, `flow::lang::not_a_step`
    /// See: `.undo`, `.on_failure`, `on`
    #[rhai_fn(return_raw)]
    pub fn finally(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "finally", &other)
    }

    /// The named breaker that the step's attempts pass through: after too many failures further attempts are refused for a time.
    ///
    /// Steps with the same breaker share it, also with other runs. A map declares it here, `breaker(name, …)` for several steps.
    ///
    /// - `name`: the breaker's name, or a map: see the table below
    ///
    /// ```rhai
    /// sh("ask", "true").breaker(#{ name: "api", threshold: 3, window: "1m", reset: "30s" });
    /// sh("ask-again", "true").breaker("api");
    /// ```
    ///
    /// In other languages: a circuit breaker.
    ///
    /// Errors: `flow::plan::breaker`, `flow::plan::policy`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `breaker`, `.retry`, `.fallback`
    #[rhai_fn(return_raw)]
    pub fn breaker(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "breaker", &name)
    }

    /// What the result must be like; one that is not is a failure of class "validation".
    ///
    /// A closure gets the step and gives true or false, or a text that says what is wrong. An expression is about the step's own properties. A map is
    /// a JSON Schema of the output.
    ///
    /// - `what`: one of these three
    ///
    /// ```rhai
    /// sh("coverage", "echo 87").validate(|r| r.number > 80);
    /// sh("report", "echo '{\"percent\": 87}'").validate("output.percent > 80");
    /// sh("users", "echo '[]'").validate(#{ type: "array", items: #{ type: "object", required: ["id"] } });
    /// ```
    ///
    /// In a shell: `test`, at the end of the script. In Airflow: a check operator.
    ///
    /// Errors: `flow::lang::schema`, `flow::lang::itself`, `flow::plan::expression`, `flow::lang::arguments`, `flow::lang::option`
    /// See: `.retry`, `.parse`, `fail`
    #[rhai_fn(return_raw)]
    pub fn validate(context: NativeCallContext, step: Step, what: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "validate", &what)
    }

    /// Decides after a failure whether there is another attempt, instead of the strategy of the failure's class.
    ///
    /// The closure gets the failure (`kind`, `class`, `message`, `code`, `signal`, `attempt`, `retry_after_ms`) and gives true, false, or how long
    /// to wait: `"30s"`. `.retry` says how many attempts there are at most, and how long they wait; without it there are 3.
    ///
    /// - `closure`: gets the failure
    ///
    /// ```rhai
    /// sh("push", "./push.sh").retry(5).on_failure_retry(|err| err.code == 75 || err.message.contains("try again"));
    /// ```
    ///
    /// In Airflow: `AirflowFailException`, thrown from within. In Nextflow: `errorStrategy { task.exitStatus == 75 ? 'retry' : 'terminate' }`. In Temporal: `NonRetryableErrorTypes`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::itself`, `flow::lang::arguments`, `flow::plan::policy`
    /// See: `.retry`, `settings`
    #[rhai_fn(return_raw)]
    pub fn on_failure_retry(context: NativeCallContext, step: Step, closure: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_failure_retry", &closure)
    }

    /// A result of an earlier run is used again, if what the step runs and reads is the same: its command, its environment, the outputs it
    /// uses, and its files.
    ///
    /// Nothing is started then, and `cached` is true. `true` is enough for a step that reads no files; a time says for how long; a map says more.
    ///
    /// - `options`: true, how long, or a map: see the table below
    ///
    /// ```rhai
    /// let app = sh("build", "make").cache(#{ inputs: ["src/**/*.c", "Makefile"], outputs: ["build/app"], ttl: "7d" });
    /// sh("toolchain", "cc --version").cache("1d");
    /// sh("tell", `echo taken from an earlier run: ${app.cached}`);
    /// ```
    ///
    /// In make: a target with its prerequisites, but by content, not by date. In GitHub Actions: `actions/cache`. In Nextflow: `-resume`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::policy`
    /// See: `.retry`, `.validate`
    #[rhai_fn(name = "cache", return_raw)]
    pub fn cache_with(context: NativeCallContext, step: Step, options: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "cache", &options)
    }

    /// A result of an earlier run is used again, if what the step runs and reads is the same.
    ///
    /// ```rhai
    /// sh("toolchain", "cc --version").cache();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn cache(context: NativeCallContext, step: Step) -> Result<Step, Fault> {
        set(&context, &step, "cache", &true.into())
    }

    /// How much the process may write to its standard output, and to its standard error. One that writes more is ended and has failed.
    ///
    /// - `size`: `"100MB"`, or a number of bytes
    ///
    /// ```rhai
    /// sh("build", "make").output_limit("100MB");
    /// ```
    ///
    /// In a shell: `ulimit -f`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `settings`, `.timeout`
    #[rhai_fn(return_raw)]
    pub fn output_limit(context: NativeCallContext, step: Step, size: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "output_limit", &size)
    }
}
