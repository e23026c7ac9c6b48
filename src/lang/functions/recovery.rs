//! Policies for when things go wrong: what is tried instead, what is taken back, what counts as a result.

use rhai::plugin::*;
use rhai::{Dynamic, NativeCallContext};

use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::policies::set;

#[export_module]
pub mod functions {
    /// What is tried when the step has failed for good: a step, or several in order. The first that succeeds answers in its place:
    /// others see a success with its output, `degraded` is true, and `answered_by` is its name.
    ///
    /// Fallbacks wait for nothing else, and may read results of the step, such as `error`. `.retry`, `.timeout` and the like stay with the
    /// step itself, whatever is said first; fallbacks have their own.
    ///
    /// ```rhai
    /// let price = sh("price", "curl -fsS https://example.org/price")
    ///     .retry(2)
    ///     .fallback([sh("mirror", "curl -fsS https://example.net/price"), sh("yesterday", "cat price.txt")]);
    /// sh("show", `echo ${price.output}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fallback(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "fallback", &other)
    }

    /// The step that takes back what this one did. If the run fails, the undo steps of what had succeeded run, the latest first, each
    /// once; so they do for `flow rollback`. It waits for nothing, and may read the step's results.
    ///
    /// What was done before the latest checkpoint is left as it is (see `.checkpoint`, and `undo` in `settings`).
    ///
    /// ```rhai
    /// let server = sh("server", "echo i-123");
    /// server.undo(sh("remove", `echo removing ${server.output}`));
    /// server -> sh("deploy", "true");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn undo(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "undo", &other)
    }

    /// The success of the step is a point to which the run can be rolled back: `flow rollback RUN --to NAME`. When the run fails,
    /// nothing that was done before the latest one is undone. Each name once.
    ///
    /// ```rhai
    /// sh("migrate", "true").checkpoint("migrated") -> sh("switch", "true");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn checkpoint(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "checkpoint", &name)
    }

    /// Another step that cleans up: it runs when this one has ended, in whatever way, also in a run that is being stopped; but not if this
    /// one had not begun.
    ///
    /// ```rhai
    /// let lease = sh("lease", "echo 17");
    /// lease.finally(sh("release", `echo releasing ${lease.output}`));
    /// ```
    ///
    /// In other languages: `try` and `finally`. In GitHub Actions: `if: always()`.
    #[rhai_fn(return_raw)]
    pub fn finally(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "finally", &other)
    }

    /// The named breaker that the step's attempts pass through: after too many failures further attempts are refused for a time (see the
    /// function `breaker`). A map with `name`, `threshold`, `window` and `reset` declares it here.
    ///
    /// ```rhai
    /// sh("ask", "true").breaker(#{ name: "api", threshold: 3, window: "1m", reset: "30s" });
    /// sh("ask-again", "true").breaker("api");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn breaker(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "breaker", &name)
    }

    /// What the result must be like; one that is not is a failure of class "validation". A closure gets the step and gives true or false, or a
    /// text that says what is wrong; an expression is about the step's own properties; a map is a JSON Schema of the output.
    ///
    /// ```rhai
    /// sh("coverage", "echo 87").validate(|r| r.number > 80);
    /// sh("report", "echo '{\"percent\": 87}'").validate("output.percent > 80");
    /// sh("users", "echo '[]'").validate(#{ type: "array", items: #{ type: "object", required: ["id"] } });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn validate(context: NativeCallContext, step: Step, what: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "validate", &what)
    }

    /// Decides after a failure whether there is another attempt, instead of the strategy of the failure's class. The closure gets the
    /// failure (`kind`, `class`, `message`, `code`, `signal`, `attempt`, `retry_after_ms`) and gives true, false, or how long to wait: "30s".
    ///
    /// `.retry` says how many attempts there are at most, and how long they wait; without it there are 3.
    ///
    /// ```rhai
    /// sh("push", "./push.sh").retry(5).on_failure_retry(|err| err.code == 75 || err.message.contains("try again"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn on_failure_retry(context: NativeCallContext, step: Step, closure: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_failure_retry", &closure)
    }

    /// A result of an earlier run is used again, if what the step runs and reads is the same: its command, its environment, the outputs it
    /// uses, and its files. `cached` is true then.
    ///
    /// `options`: `ttl` (how long a result may be used; without it for ever), `inputs` and `outputs` (patterns of the files that it reads and
    /// writes, relative to its working directory), `key` (whatever else it depends on; may be the result of a step).
    ///
    /// ```rhai
    /// sh("build", "make").cache(#{ inputs: ["src/**/*.c", "Makefile"], outputs: ["build/app"], ttl: "7d" });
    /// ```
    ///
    /// In make: a target with its prerequisites. In GitHub Actions: `actions/cache`.
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

    /// Most bytes that the process may write to its standard output, and to its standard error: "100MB", or a number of bytes. One that
    /// writes more is ended and has failed.
    ///
    /// ```rhai
    /// sh("build", "make").output_limit("100MB");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn output_limit(context: NativeCallContext, step: Step, size: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "output_limit", &size)
    }
}
