//! Limits that cannot be met, and policies that mean nothing where they stand.

use super::Findings;
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::{EdgeKind, OnError, Plan, Policy, Rule, Step, StepId, Task, Value, wording};

const LIMIT: &str = "flow::plan::limit";
const SETTING: &str = "flow::plan::setting";
const POLICY: &str = "flow::plan::policy";

/// Limits of 0, shares that no limit can give, names that no limit has; and the settings of the whole script.
pub(super) fn limits(plan: &Plan, found: &mut Findings) {
    let settings = &plan.header.settings;
    for (name, limit) in &plan.header.limits {
        for (what, value) in [("max", limit.max), ("per_minute", limit.per_minute)] {
            if value == Some(0) {
                let user = plan.ids().find(|id| plan.step(*id).policy().limits.iter().any(|(used, _)| used == name));
                let span = user.map(|id| plan.step(id).span).unwrap_or_default();
                found.add(
                    Diagnostic::new(LIMIT, format!("the limit `{name}` has a `{what}` of 0: nothing could ever run"))
                        .label(span, "used here")
                        .help(format!("give it a `{what}` of at least 1")),
                );
            }
        }
    }
    if settings.max_parallel == Some(0) {
        found.add(
            Diagnostic::new(SETTING, "`max_parallel` is 0: nothing could ever run")
                .help("give at least 1, or leave it out: it is then the number of cores"),
        );
    }
    if settings.timeout_ms == Some(0) {
        found.add(
            Diagnostic::new(SETTING, "the timeout of the run is 0: it would end before it begins")
                .help("give a time such as \"30m\", or leave it out"),
        );
    }
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        for (name, shares) in &step.policy().limits {
            if let Some(diagnostic) = share(plan, id, name, *shares) {
                found.add(diagnostic.label_word(step.span, name.as_str(), "asked for here"));
            }
        }
    }
}

fn share(plan: &Plan, id: StepId, name: &str, shares: u32) -> Option<Diagnostic> {
    let step = wording::name(plan, id);
    let known = plan.header.limits.keys().map(|known| known.as_str());
    let Some(limit) = plan.header.limits.get(name) else {
        let help =
            did_you_mean(name, known).unwrap_or_else(|| format!("declare it: `limit(\"{name}\", #{{ max: 2 }})`"));
        return Some(
            Diagnostic::new(LIMIT, format!("`{step}` uses the limit `{name}`, which is not declared")).help(help),
        );
    };
    if shares == 0 {
        return Some(
            Diagnostic::new(LIMIT, format!("`{step}` asks for 0 shares of `{name}`"))
                .help("ask for at least 1, or remove the limit from the step"),
        );
    }
    let (most, what) = match (limit.max, limit.per_minute) {
        (Some(max), _) if shares > max => (max, "gives at most"),
        (_, Some(rate)) if shares > rate => (rate, "gives a minute at most"),
        _ => return None,
    };
    (most > 0).then(|| {
        Diagnostic::new(LIMIT, format!("`{step}` asks for {shares} shares of `{name}`, which {what} {most}"))
            .help(format!("ask for at most {most}, or raise the limit"))
    })
}

/// A policy where it can do nothing.
struct Misplaced {
    /// The policy's name in scripts.
    policy: &'static str,
    /// Why it does nothing there.
    why: String,
    help: &'static str,
}

/// Policies that mean nothing where they stand, or that can never be met.
pub(super) fn out_of_place(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        let Some(policy) = step.policy.as_deref() else {
            zero_repeat(plan, id, found);
            continue;
        };
        let mut wrong = impossible(step, policy);
        wrong.extend(misplaced(step, policy));
        let name = if wrong.is_empty() { String::new() } else { wording::name(plan, id) };
        for Misplaced { policy, why, help } in wrong {
            found.add(
                Diagnostic::new(POLICY, format!("`{policy}` of `{name}`: {why}"))
                    .label(step.span, format!("a step of kind `{}`", step.task.kind()))
                    .help(help),
            );
        }
        zero_repeat(plan, id, found);
    }
}

/// Merges of which it is known that there is nothing to be merged.
pub(super) fn merges(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let Task::Merge(merge) = &*plan.step(id).task else { continue };
        let why = match merge.of.is_empty() {
            true => "it is given no steps",
            false if !merge.of.iter().any(|of| may_isolate(plan, *of)) => {
                "none of its steps works in a work tree of its own"
            }
            false => continue,
        };
        found.add(
            Diagnostic::new(POLICY, format!("`{}` has nothing to merge: {why}", wording::name(plan, id)))
                .label(plan.step(id).span, "declared here")
                .help("name the steps that have one: `merge(\"all\", [one.isolate(\"worktree\"), …])`"),
        );
    }
}

/// Is it a step with a work tree of its own, or a group in which there is one or may be later?
fn may_isolate(plan: &Plan, id: StepId) -> bool {
    let step = plan.step(id);
    let later = matches!(&*step.task, Task::Each(_) | Task::Repeat(_) | Task::OnEvent(_) | Task::Workflow(_));
    later || step.policy().isolate.is_some() || plan.members(id).into_iter().any(|member| may_isolate(plan, member))
}

fn zero_repeat(plan: &Plan, id: StepId, found: &mut Findings) {
    if let Task::Quorum(quorum) = &*plan.step(id).task
        && (quorum.need == 0 || quorum.need as usize > quorum.children.len())
    {
        let (need, there) = (quorum.need, quorum.children.len());
        found.add(
            Diagnostic::new(
                "flow::plan::quorum",
                format!("in `{}` {need} of {there} steps have to succeed", wording::name(plan, id)),
            )
            .label(plan.step(id).span, "declared here")
            .help("give a number from 1 to that of its steps"),
        );
    }
    if let Task::Repeat(repeat) = &*plan.step(id).task
        && repeat.max == 0
    {
        found.add(
            Diagnostic::new(POLICY, format!("`max` of `{}` is 0: it would never run", wording::name(plan, id)))
                .label(plan.step(id).span, "declared here")
                .help("give the greatest number of iterations, at least 1"),
        );
    }
}

fn impossible(step: &Step, policy: &Policy) -> Vec<Misplaced> {
    let mut wrong = Vec::new();
    let mut add = |policy, why: String, help| wrong.push(Misplaced { policy, why, help });
    if policy.timeout_ms == Some(0) {
        add("timeout", "0 would end it before it begins".into(), "give a time such as \"30s\", or leave it out");
    }
    if let (Task::Wait(ms), Some(timeout)) = (&*step.task, policy.timeout_ms)
        && timeout > 0
        && timeout <= *ms
    {
        let why = format!("{} is over before the wait of {} is", wording::duration(timeout), wording::duration(*ms));
        add("timeout", why, "remove the timeout: a wait takes just its time");
    }
    if let Some(retry) = &policy.retry {
        if retry.max_attempts == 0 {
            let help = "`max_attempts` counts the first attempt too: give at least 1";
            add("retry", "with 0 attempts it could never run".into(), help);
        }
        if !(0.0..=1.0).contains(&retry.jitter) {
            let help = "it is the share of the wait that is drawn anew: 0.5 means between half the wait and the whole";
            add("retry", format!("a jitter of {} is not between 0 and 1", retry.jitter), help);
        }
    }
    wrong
}

fn misplaced(step: &Step, policy: &Policy) -> Vec<Misplaced> {
    let kind = wording::a_kind(&step.task);
    let group = step.task.is_group();
    let process = matches!(&*step.task, Task::Shell(_) | Task::Exec(_));
    let request = matches!(&*step.task, Task::Http(_));
    // Its processes are those of its source, its sink and its stages.
    let pipeline = matches!(&*step.task, Task::Pipeline(_));
    let filter = matches!(&*step.task, Task::Filter(_));
    let agent = matches!(&*step.task, Task::Agent(_));
    let attempts = process || request || agent || matches!(&*step.task, Task::Call(_));
    let mut wrong = Vec::new();
    let mut add = |policy, why: String, help| wrong.push(Misplaced { policy, why, help });
    let on_steps = "put it on the steps of the group";
    let remove = "remove it here";
    let stream = matches!(&*step.task, Task::Stream(_));
    let why_once = match step.task.waits() {
        true => format!("{kind} waits once, for what comes from outside"),
        false => format!("{kind} comes out the same each time"),
    };
    // What is wrong with those of a stream says the check of streams.
    if policy.retry.is_some() && !group && !attempts && !pipeline && !filter {
        let name = if policy.retry_if.is_some() { "on_failure_retry" } else { "retry" };
        add(name, why_once.clone(), remove);
    }
    if policy.breaker.is_some() && !attempts {
        match group {
            true if stream => add("breaker", "a stream cannot have one, and neither can its steps".into(), remove),
            true => add("breaker", format!("{kind} is no attempt that could be refused"), on_steps),
            false if pipeline => add("breaker", "its attempts are those of its items".into(), remove),
            false if filter => {}
            false => add("breaker", why_once.clone(), remove),
        }
    }
    if policy.cache.is_some() && !attempts {
        match group {
            true if stream => {
                add("cache", "what flows through a stream is not remembered, nor what its steps give".into(), remove)
            }
            true => add("cache", format!("{kind} is remembered by its steps"), on_steps),
            false if pipeline => {
                add(
                    "cache",
                    "what is done with is remembered item by item: it goes on where it stopped".into(),
                    remove,
                );
            }
            false if filter => {}
            false => add("cache", format!("there is nothing to be spared: {why_once}"), remove),
        }
    }
    if policy.isolate.is_some() && !group && !process && !agent {
        let why = format!("only `sh`, `exec` and agents work in a folder, {kind} does not");
        add("isolate", why, if group { on_steps } else { remove });
    }
    if !policy.writes.is_empty() && !group && !step.task.changes_files() {
        add("writes", format!("{kind} changes no files"), remove);
    }
    let only = |what: &str| format!("only {what} `sh` and `exec` steps have one, {kind} has none");
    let help = if group { on_steps } else { remove };
    if !process {
        if policy.stdin.is_some() {
            let help = match &*step.task {
                Task::Call(_) => "a closure gets its input as its argument: `|input| …`",
                Task::Http(_) => "what a request sends is its `json`, `body`, `form` or `file`",
                Task::Pipeline(_) => "what a pipeline reads is its source: `.from(…)`",
                Task::Stream(_) => "put it on the step that the stream begins with",
                Task::Agent(_) => {
                    "what an agent is to do is its prompt, and results can stand in it: `agent.ask(`Look at ${a.output}`)`"
                }
                _ => help,
            };
            add("stdin", only("the processes of"), help);
        }
        // That of a request is where its `file` is looked for.
        if policy.cwd.is_some() && !request && !pipeline && !agent {
            add("cwd", only("the processes of"), help);
        }
        if !policy.env.is_empty() && !pipeline && !agent {
            add("env", only("the processes of"), help);
        }
        if policy.output_limit.is_some() {
            let help = match &*step.task {
                Task::Http(_) => "the length of an answer is limited by `max_body`",
                Task::Pipeline(_) => "remove it: items are handed on one by one",
                Task::Agent(_) => "what an answer may cost is bounded: `max_turns`, `budget: #{ tokens: 50000 }`",
                Task::Stream(_) => "how much is kept of what its steps write: `stream(name, […], #{ tee: \"1 MiB\" })`",
                _ => help,
            };
            add("output_limit", only("the processes of"), help);
        }
        if policy.parse != Default::default() && !request {
            let help = match group {
                true => on_steps,
                false if agent => {
                    "an answer that is JSON is asked for with a schema: `agent.ask(\"…\", #{ schema: #{ … } })`"
                }
                false => "remove it: its output is a value already",
            };
            add("parse", format!("only the output of a process is parsed, {kind} is none"), help);
        }
    }
    wrong
}

/// Policies of groups that only the steps within could have.
pub(super) fn without_effect(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        let Some(policy) = step.policy.as_deref().filter(|_| step.task.is_group()) else { continue };
        for (name, given) in [("priority", policy.priority != 0), ("deadline", policy.deadline_ms.is_some())] {
            if given {
                found.add(
                    Diagnostic::new(POLICY, format!("`{name}` of `{}` has no effect", wording::name(plan, id)))
                        .label(step.span, format!("{} waits for no slot", wording::a_kind(&step.task)))
                        .help("put it on the steps of the group"),
                );
            }
        }
    }
}

/// Rules without anything to judge, and rules that nothing can satisfy.
pub(super) fn rules(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        let rule = step.policy().rule;
        if found.full() {
            return;
        }
        let mut judged = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).peekable();
        if judged.peek().is_none() {
            if rule != Rule::AllSuccess {
                let name = wording::name(plan, id);
                found.add(
                    Diagnostic::new(
                        "flow::plan::rule",
                        format!("the rule `{}` of `{name}` has nothing to judge", rule.name()),
                    )
                    .label(step.span, "waits for no step, so it starts at once")
                    .help("rules look at the steps it comes after or whose values it uses: add an `after(…)`"),
                );
            }
            continue;
        }
        let blocker = match rule {
            Rule::OneFailed => judged.all(|edge| never_fails(plan.step(edge.from))).then(|| step.after[0].from),
            Rule::AllFailed => judged.find(|edge| never_fails(plan.step(edge.from))).map(|edge| edge.from),
            Rule::AllSuccess | Rule::NoneFailed => {
                judged.find(|edge| always_fails(plan.step(edge.from))).map(|edge| edge.from)
            }
            Rule::OneSuccess => judged.all(|edge| always_fails(plan.step(edge.from))).then(|| step.after[0].from),
            Rule::AllDone => None,
        };
        if let Some(blocker) = blocker {
            let (name, other) = (wording::name(plan, id), wording::name(plan, blocker));
            let what = match rule {
                Rule::OneFailed | Rule::AllFailed => "is never seen as failed",
                _ => "always fails",
            };
            found.add(
                Diagnostic::new(
                    "flow::plan::rule",
                    format!("`{name}` never runs: by its rule `{}` it cannot, since `{other}` {what}", rule.name()),
                )
                .label(step.span, "never runs")
                .label(plan.step(blocker).span, what)
                .help("give it another `rule(…)`, or let it wait for another step"),
            );
        }
    }
}

/// Can others never see it as failed?
fn never_fails(step: &Step) -> bool {
    let handled = matches!(step.policy().on_error, Some(OnError::Continue | OnError::Skip));
    handled || matches!(&*step.task, Task::Wait(_) | Task::Const(Value::Plain(_)))
}

fn always_fails(step: &Step) -> bool {
    let handled = matches!(step.policy().on_error, Some(OnError::Continue | OnError::Skip));
    matches!(&*step.task, Task::Fail(_)) && !handled
}
