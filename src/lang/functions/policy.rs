//! Policies: methods of a step, each of which gives the step back, so that they can follow each other.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::policies::set;

#[export_module]
pub mod functions {
    /// The step waits for others, without getting their output as input.
    ///
    /// ```rhai
    /// let a = sh("a", "true");
    /// sh("b", "true").after(a);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn after(context: NativeCallContext, step: Step, others: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "after", &others)
    }

    /// When the step may start, judged by those it waits for: "all_success" (the default), "none_failed", "all_done", "one_success",
    /// "one_failed", "all_failed".
    ///
    /// In Airflow: `trigger_rule`.
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// test -> sh("clean-up", "rm -rf tmp").rule("all_done");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rule(context: NativeCallContext, step: Step, rule: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "rule", &rule)
    }

    /// Further attempts after a failure. A number is the attempts in all; a map has `max_attempts` (3), `delay` ("1s"), `backoff`
    /// ("exponential", "linear", "fixed"), `max_delay` ("5m") and `jitter` (0 to 1: the share of the delay that is drawn anew).
    ///
    /// A group begins again with everything in it. Failures of some classes are not tried again, such as a program that is
    /// not there: see `.on_failure_retry`, and `strategies` in `settings`.
    ///
    /// While it waits, the step holds no slot. A process finds the attempt's number in `FLOW_ATTEMPT`, and in `FLOW_STEP_KEY` a key
    /// that is the same in all attempts.
    ///
    /// ```rhai
    /// sh("fetch", "true").retry(#{ max_attempts: 5, backoff: "exponential", delay: "1s" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn retry(context: NativeCallContext, step: Step, policy: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "retry", &policy)
    }

    /// Longest time of one attempt (of the whole, for a group): "10m", or seconds. After it the step is ended with all its processes
    /// and has failed.
    ///
    /// ```rhai
    /// sh("test", "true").timeout("20m");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn timeout(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "timeout", &duration)
    }

    /// What a failure of the step means for others: "stop" (nothing new starts), "continue" (they see a success), "skip" (they see a
    /// step that was not taken). Without it those that wait for it are skipped, other branches go on, and the run fails.
    ///
    /// In make: `-` before a recipe line is "continue". In GitHub Actions: `continue-on-error`.
    ///
    /// ```rhai
    /// sh("lint", "true").on_error("continue");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn on_error(context: NativeCallContext, step: Step, what: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_error", &what)
    }

    /// Another step that runs after this one succeeded. It tells somebody, no more.
    ///
    /// ```rhai
    /// sh("deploy", "true").on_success(sh("tell", "echo deployed"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn on_success(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_success", &other)
    }

    /// Another step that runs after this one failed. It tells somebody; the failure stays one.
    ///
    /// ```rhai
    /// sh("deploy", "true").on_failure(sh("page", "echo help"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn on_failure(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_failure", &other)
    }

    /// Which of several steps that could start runs first: the one of higher priority. 0 where nothing is said.
    ///
    /// ```rhai
    /// sh("urgent", "true").priority(10);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn priority(context: NativeCallContext, step: Step, number: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "priority", &number)
    }

    /// When the step should be finished, from the start of the run: of two steps with the same priority the one with the earlier deadline
    /// runs first.
    ///
    /// ```rhai
    /// sh("report", "true").deadline("10m");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn deadline(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "deadline", &duration)
    }

    /// How long the step probably takes, for plans and for the orders "critical_path" and "shortest". Recorded durations of earlier
    /// runs are used where nothing is said.
    ///
    /// ```rhai
    /// sh("build", "true").estimate("4m");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn estimate(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "estimate", &duration)
    }

    /// The step holds one share of a named limit while it runs (see the function `limit`).
    ///
    /// ```rhai
    /// limit("database", 2);
    /// sh("import", "true").limit("database");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn limit(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "limit", &name)
    }

    /// The step holds several shares of a named limit while it runs.
    ///
    /// ```rhai
    /// limit("memory_gb", 16);
    /// sh("train", "true").limit("memory_gb", 12);
    /// ```
    #[rhai_fn(name = "limit", return_raw)]
    pub fn limit_shares(context: NativeCallContext, step: Step, name: &str, shares: i64) -> Result<Step, Fault> {
        let pair: rhai::Array = vec![name.into(), shares.into()];
        set(&context, &step, "limit", &pair.into())
    }

    /// The step runs never at the same time as another with the same lock.
    ///
    /// ```rhai
    /// sh("migrate", "true").lock("schema");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lock(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "lock", &name)
    }

    /// Further environment variables of the process. Values may be results.
    ///
    /// ```rhai
    /// sh("build", "true").env(#{ CC: "clang", JOBS: 2 });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn env(context: NativeCallContext, step: Step, variables: Map) -> Result<Step, Fault> {
        set(&context, &step, "env", &variables.into())
    }

    /// The folder in which the process runs; relative to where flow was called.
    ///
    /// ```rhai
    /// sh("here", "pwd").cwd("/tmp");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn cwd(context: NativeCallContext, step: Step, folder: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "cwd", &folder)
    }

    /// What the process reads from its standard input, instead of the chain's input.
    ///
    /// ```rhai
    /// sh("count", "wc -l").stdin("one\ntwo\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stdin(context: NativeCallContext, step: Step, text: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "stdin", &text)
    }

    /// How the standard output becomes the output: "auto" (an object or array if it is exactly one, else text), "json", "text", "lines",
    /// "ndjson" (one JSON value on each line), "nul" (texts that each end with a NUL byte, as of `find -print0` and `git -z`).
    ///
    /// ```rhai
    /// sh("version", "echo 3").parse("json");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse(context: NativeCallContext, step: Step, format: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "parse", &format)
    }

    /// The shell of an `sh` step, instead of `sh`: "bash" gets `-euo pipefail`, others `-e`.
    ///
    /// ```rhai
    /// sh("both", "false | true || echo caught").shell("bash");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn shell(context: NativeCallContext, step: Step, program: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "shell", &program)
    }

    /// The step's output is not shown: not in progress, summaries, `flow show` or `flow why`.
    ///
    /// ```rhai
    /// sh("token", "echo 12345").secret();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn secret(context: NativeCallContext, step: Step) -> Result<Step, Fault> {
        set(&context, &step, "secret", &true.into())
    }

    /// What the step is for, in a sentence; it stands in plans and reports.
    ///
    /// ```rhai
    /// sh("smoke", "true").desc("asks the new version whether it is well");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn desc(context: NativeCallContext, step: Step, text: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "desc", &text)
    }

    /// A word (or several) to find the step by.
    ///
    /// ```rhai
    /// sh("smoke", "true").tag("slow");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tag(context: NativeCallContext, step: Step, words: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "tag", &words)
    }
}
