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
    /// How they may end is said by `.rule`; usually none may have failed.
    ///
    /// - `others`: what it waits for
    ///
    /// ```rhai
    /// let a = sh("a", "true");
    /// sh("b", "true").after(a);
    /// ```
    ///
    /// In make: an order-only prerequisite (`b: | a`). In GitHub Actions: `needs:`. In Airflow: `set_upstream`.
    ///
    /// Errors: `flow::plan::cycle`, `flow::lang::not_a_step`, `flow::plan::hook`
    /// See: `->`, `.rule`, `chain`
    #[rhai_fn(return_raw)]
    pub fn after(context: NativeCallContext, step: Step, others: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "after", &others)
    }

    /// When the step may start, judged by the ends of those that it waits for.
    ///
    /// `"all_success"`: none failed, and one at least succeeded; steps whose branch was not taken do not count. `"none_failed"`: none
    /// failed, even if all were skipped. `"all_done"`: all are over, however. `"one_success"` and `"one_failed"`: at once with
    /// the first. `"all_failed"`: all failed. If the rule says no, the step is skipped.
    ///
    /// - `rule`: one of these words
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// test -> sh("clean-up", "rm -rf tmp").rule("all_done");
    /// ```
    ///
    /// In Airflow: `trigger_rule`. In GitHub Actions: `if: always()`, `if: failure()`.
    ///
    /// Errors: `flow::lang::choice`, `flow::plan::rule`
    /// See: `.after`, `.when`, `.finally`, `.on_error`
    #[rhai_fn(return_raw)]
    pub fn rule(context: NativeCallContext, step: Step, rule: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "rule", &rule)
    }

    /// Further attempts after a failure. A number says how many attempts there are in all, a map says more.
    ///
    /// A group begins again with everything in it. Failures of some classes are not tried again, such as a program that is
    /// not there: see `.on_failure_retry`, and `strategies` in `settings`.
    ///
    /// While it waits, the step holds no slot. A process finds the attempt's number in `FLOW_ATTEMPT`, and in `FLOW_STEP_KEY` a key
    /// that is the same in all attempts.
    ///
    /// - `policy`: how many attempts in all, or a map: see the table below
    ///
    /// ```rhai
    /// sh("fetch", "true").retry(3);
    /// sh("push", "true").retry(#{ max_attempts: 5, backoff: "exponential", delay: "1s", jitter: 0.5 });
    /// ```
    ///
    /// In Airflow: `retries`, `retry_delay`, `retry_exponential_backoff`. In Nextflow: `errorStrategy 'retry'`, `maxRetries`. In Temporal: a retry policy.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`, `flow::plan::policy`
    /// See: `.on_failure_retry`, `.timeout`, `.fallback`, `.breaker`, `settings`
    #[rhai_fn(return_raw)]
    pub fn retry(context: NativeCallContext, step: Step, policy: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "retry", &policy)
    }

    /// The longest time of one attempt; of the whole, for a group. After it the step is ended with all its processes, and has failed.
    ///
    /// Each attempt has the whole time. The failure is of class "transient", so `.retry` tries again.
    ///
    /// - `duration`: how long, `"10m"` or a number of seconds
    ///
    /// ```rhai
    /// sh("test", "true").timeout("20m");
    /// ```
    ///
    /// In a shell: `timeout 20m make test`. In GitHub Actions: `timeout-minutes`. In Airflow: `execution_timeout`. In Temporal: `StartToCloseTimeout`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `.retry`, `.deadline`, `settings`
    #[rhai_fn(return_raw)]
    pub fn timeout(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "timeout", &duration)
    }

    /// What a failure of the step means for others.
    ///
    /// `"continue"`: they see a success, and the run is not failed by it. `"skip"`: they see a step that was not taken, and the run is not failed by
    /// it. `"stop"`: nothing new starts in the whole run, what runs may end. Without it those that wait for the step are skipped, other
    /// branches go on, and the run fails. The step's own status stays `failed` in all cases.
    ///
    /// - `what`: one of these words
    ///
    /// ```rhai
    /// sh("lint", "true").on_error("continue");
    /// ```
    ///
    /// In make: `-` before a recipe line is "continue". In GitHub Actions: `continue-on-error`. In Nextflow: `errorStrategy 'ignore'`.
    ///
    /// Errors: `flow::lang::choice`
    /// See: `.fallback`, `.on_failure`, `.rule`, `settings`
    #[rhai_fn(return_raw)]
    pub fn on_error(context: NativeCallContext, step: Step, what: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_error", &what)
    }

    /// Another step that runs after this one succeeded.
    ///
    /// - `other`: what runs then; also a step's name
    ///
    /// ```rhai
    /// sh("deploy", "true").on_success(sh("tell", "echo deployed"));
    /// ```
    ///
    /// In Airflow: `on_success_callback`. In GitHub Actions: `if: success()`.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::plan::cycle`, `flow::plan::unknown_name`
    /// See: `.on_failure`, `.finally`, `->`, `on`
    #[rhai_fn(return_raw)]
    pub fn on_success(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_success", &other)
    }

    /// Another step that runs after this one failed. It tells somebody; the failure stays one.
    ///
    /// - `other`: what runs then; also a step's name
    ///
    /// ```rhai
    /// let deploy = sh("deploy", "true");
    /// deploy.on_failure(sh("page", `echo ${deploy.error}`));
    /// ```
    ///
    /// In Airflow: `on_failure_callback`. In GitHub Actions: `if: failure()`. In systemd: `OnFailure=`.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::plan::cycle`, `flow::plan::unknown_name`
    /// See: `.fallback`, `.finally`, `.on_error`, `on`
    #[rhai_fn(return_raw)]
    pub fn on_failure(context: NativeCallContext, step: Step, other: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "on_failure", &other)
    }

    /// Which of several steps that could start runs first: the one of higher priority.
    ///
    /// It counts only while fewer slots are free than steps are ready.
    ///
    /// - `number`: how important it is; others have 0, and less than that is possible
    ///
    /// ```rhai
    /// sh("urgent", "true").priority(10);
    /// sh("whenever", "true").priority(-1);
    /// ```
    ///
    /// In Airflow: `priority_weight`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `.deadline`, `settings`, `.limit`
    #[rhai_fn(return_raw)]
    pub fn priority(context: NativeCallContext, step: Step, number: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "priority", &number)
    }

    /// When the step should be finished, counted from the start of the run: of two steps with the same priority the one with the earlier
    /// deadline runs first.
    ///
    /// Nothing happens when it is missed; what must end says `.timeout`.
    ///
    /// - `duration`: how long after the start of the run
    ///
    /// ```rhai
    /// sh("report", "true").deadline("10m");
    /// ```
    ///
    /// In Airflow: a deadline alert, which tells but does not order.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `.priority`, `.timeout`, `.estimate`
    #[rhai_fn(return_raw)]
    pub fn deadline(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "deadline", &duration)
    }

    /// How long the step probably takes, for plans and for the orders "critical_path" and "shortest".
    ///
    /// Recorded durations of earlier runs are used where nothing is said.
    ///
    /// - `duration`: how long
    ///
    /// ```rhai
    /// sh("build", "true").estimate("4m");
    /// ```
    ///
    /// In ninja: the times in its log, with which it orders the next build.
    ///
    /// Errors: `flow::lang::option`
    /// See: `settings`, `.priority`
    #[rhai_fn(return_raw)]
    pub fn estimate(context: NativeCallContext, step: Step, duration: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "estimate", &duration)
    }

    /// The step holds one share of a named limit while it runs.
    ///
    /// Steps that cannot have their share wait, and block nobody else. A group holds its share as long as it is open.
    ///
    /// - `name`: the limit's name, as `limit(name, …)` declares it
    /// - `shares`: how many shares
    ///
    /// ```rhai
    /// limit("database", 2);
    /// sh("import", "true").limit("database");
    /// ```
    ///
    /// In Airflow: `pool`. In GitHub Actions: `max-parallel`, `concurrency`. In ninja: a `pool`.
    ///
    /// Errors: `flow::plan::limit`, `flow::lang::option`
    /// See: `limit`, `.lock`, `settings`
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

    /// The most that an agent, or the agents of a group, may use up.
    ///
    /// All attempts count, also those that failed. An agent that says so itself reserves this much of every budget around it before it
    /// starts. What was used, and what is left, can be read at any time: `x.budget.remaining.usd`, `x.cost_usd`, `x.spent.tokens`.
    ///
    /// - `most` (map): see the table below
    ///
    /// ```rhai
    /// let work = chain("work", [sh("a", "true"), sh("b", "true")]).budget(#{ usd: 1.0, minutes: 30 });
    /// work -> sh("tell", `echo ${work.cost_usd} of ${work.budget.limits.usd} USD`);
    /// ```
    ///
    /// In Claude Code: `--max-budget-usd`. In a shell: `ulimit`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::budget`
    /// See: `budget`, `.timeout`, `.limit`
    #[rhai_fn(return_raw)]
    pub fn budget(context: NativeCallContext, step: Step, most: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "budget", &most)
    }

    /// The step never runs at the same time as another with the same lock, in this run.
    ///
    /// - `name`: the lock's name, or several
    ///
    /// ```rhai
    /// sh("migrate", "true").lock("schema");
    /// sh("vacuum", "true").lock("schema");
    /// ```
    ///
    /// In a shell: `flock`. In GitHub Actions: a `concurrency` group. In make: `.NOTPARALLEL`, for all.
    ///
    /// Errors: `flow::lang::option`
    /// See: `lock`, `.limit`
    #[rhai_fn(return_raw)]
    pub fn lock(context: NativeCallContext, step: Step, name: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "lock", &name)
    }

    /// Further environment variables of the process. Values may be results, or secrets.
    ///
    /// Everything else is inherited from where flow was started, and `FLOW_RUN`, `FLOW_STEP`, `FLOW_ATTEMPT`, `FLOW_STEP_KEY`,
    /// `FLOW_OUTPUT` are there, too.
    ///
    /// - `variables`: names and values
    ///
    /// ```rhai
    /// sh("build", "true").env(#{ CC: "clang", JOBS: 2, TOKEN: secret("DEPLOY_TOKEN") });
    /// ```
    ///
    /// In GitHub Actions: `env:`. In make: `export`. In Airflow: `env` of a `BashOperator`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `secret`, `.cwd`, `settings`
    #[rhai_fn(return_raw)]
    pub fn env(context: NativeCallContext, step: Step, variables: Map) -> Result<Step, Fault> {
        set(&context, &step, "env", &variables.into())
    }

    /// The folder in which the process runs, relative to where flow was called.
    ///
    /// - `folder`: its path; may be the result of a step
    ///
    /// ```rhai
    /// sh("here", "pwd").cwd("/tmp");
    /// sh("beside-the-script", "ls").cwd(script_dir);
    /// ```
    ///
    /// In make: `$(MAKE) -C`. In GitHub Actions: `working-directory`. In just: `[working-directory]`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `.env`, `settings`
    #[rhai_fn(return_raw)]
    pub fn cwd(context: NativeCallContext, step: Step, folder: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "cwd", &folder)
    }

    /// The files that the step changes: steps that may change the same ones never run at the same time.
    ///
    /// A step that would meet another one waits for its end; `flow why` names it and the pattern, `flow plan` all that exclude each other. Patterns are those of `.cache`,
    /// relative to the step's folder; a folder stands for all that is in it. Of a group it holds for all steps in it that say nothing themselves. Steps with a work
    /// tree of their own (`.isolate`) are in nobody's way.
    ///
    /// - `patterns`: a pattern, or several
    ///
    /// ```rhai
    /// sh("format", "cargo fmt").writes(["src/**"]);
    /// sh("bump", "./bump.sh").writes(["Cargo.toml", "src/version.rs"]);
    /// ```
    ///
    /// In Bazel: the outputs of a rule. In a shell: `flock`, but by what is changed.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::policy`
    /// See: `.isolate`, `.lock`, `merge`
    #[rhai_fn(return_raw)]
    pub fn writes(context: NativeCallContext, step: Step, patterns: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "writes", &patterns)
    }

    /// The step works in a git work tree of its own, made from the latest commit, on a branch of its own.
    ///
    /// What it changed is committed on that branch when it succeeds: `branch` is its name, `changed` the files. `merge` brings such branches together. A further attempt
    /// begins afresh. The step's folder must be in a git repository that has a commit.
    ///
    /// - `how`: `"worktree"`
    ///
    /// ```rhai
    /// let one = sh("one", "echo 1 > one.txt").isolate("worktree");
    /// let two = sh("two", "echo 2 > two.txt").isolate("worktree");
    /// merge("all", [one, two]);
    /// ```
    ///
    /// In git: `git worktree add`.
    ///
    /// Errors: `flow::lang::choice`, `flow::plan::policy`
    /// See: `merge`, `.writes`, `.cwd`
    #[rhai_fn(return_raw)]
    pub fn isolate(context: NativeCallContext, step: Step, how: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "isolate", &how)
    }

    /// What the process reads from its standard input, instead of the chain's input.
    ///
    /// - `text`: the text; other values are sent as JSON. May be the result of a step, or a secret
    ///
    /// ```rhai
    /// sh("count", "wc -l").stdin("one\ntwo\n");
    /// ```
    ///
    /// In a shell: `<<<`.
    ///
    /// Errors: `flow::plan::policy`, `flow::lang::pending`
    /// See: `->`, `secret`, `.env`
    #[rhai_fn(return_raw)]
    pub fn stdin(context: NativeCallContext, step: Step, text: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "stdin", &text)
    }

    /// How the standard output becomes the output.
    ///
    /// `"auto"`: an object or an array if it is exactly one, else text without the final newline. `"json"`: any JSON; anything else is a failure.
    /// `"text"`: text, whatever it is. `"lines"`: a list of lines. `"ndjson"`: a list of the JSON values on its lines; anything else is a failure.
    /// `"nul"`: a list of texts that each end with a NUL byte, as `find -print0` and `git -z` write them.
    ///
    /// - `format`: one of these words
    ///
    /// ```rhai
    /// let version = sh("version", "echo 3").parse("json");
    /// flow("new").when(|| version.output > 2, sh("go", "true"));
    /// ```
    ///
    /// In GitHub Actions: `fromJSON(…)`. In Airflow: `output_processor`.
    ///
    /// Errors: `flow::lang::choice`, `flow::plan::policy`
    /// See: `sh`, `.validate`
    #[rhai_fn(return_raw)]
    pub fn parse(context: NativeCallContext, step: Step, format: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "parse", &format)
    }

    /// The shell of an `sh` step, instead of `sh`.
    ///
    /// `"bash"` gets `-euo pipefail`, others `-e`. It is named as on a command line: `"bash"`, `"/usr/bin/zsh"`.
    ///
    /// - `program`: the shell
    ///
    /// ```rhai
    /// sh("both", "false | true || echo caught").shell("bash");
    /// ```
    ///
    /// In make: `SHELL = bash`. In GitHub Actions: `shell:`. In just: `set shell`.
    ///
    /// Errors: `flow::lang::option`
    /// See: `sh`, `settings`
    #[rhai_fn(return_raw)]
    pub fn shell(context: NativeCallContext, step: Step, program: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "shell", &program)
    }

    /// The step's output is not shown: not in progress, summaries, `flow show` or `flow why`.
    ///
    /// It can still be used by others. A value that is known before belongs into a `secret(…)`, which is masked everywhere.
    ///
    /// ```rhai
    /// sh("token", "echo 12345").secret();
    /// ```
    ///
    /// In GitHub Actions: `::add-mask::`. In Airflow: a masked connection.
    ///
    /// Errors: `flow::lang::arguments`
    /// See: `secret`, `.env`
    #[rhai_fn(return_raw)]
    pub fn secret(context: NativeCallContext, step: Step) -> Result<Step, Fault> {
        set(&context, &step, "secret", &true.into())
    }

    /// What the step is for, in a sentence; it stands in plans and reports.
    ///
    /// - `text`: the sentence
    ///
    /// ```rhai
    /// sh("smoke", "true").desc("asks the new version whether it is well");
    /// ```
    ///
    /// In just: the comment above a recipe. In Airflow: `doc_md`. In GitHub Actions: `name:` of a step.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::pending`
    /// See: `.tag`
    #[rhai_fn(return_raw)]
    pub fn desc(context: NativeCallContext, step: Step, text: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "desc", &text)
    }

    /// A word (or several) to find the step by.
    ///
    /// - `words`: the words
    ///
    /// ```rhai
    /// sh("smoke", "true").tag("slow");
    /// sh("load", "true").tag(["slow", "network"]);
    /// ```
    ///
    /// In Airflow: `tags`. In Nextflow: `tag` and `label`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::pending`
    /// See: `.desc`
    #[rhai_fn(return_raw)]
    pub fn tag(context: NativeCallContext, step: Step, words: Dynamic) -> Result<Step, Fault> {
        set(&context, &step, "tag", &words)
    }
}
