//! Streams: what can stand in one, and what is said of the whole and not of a member.

use super::Findings;
use crate::diag::Diagnostic;
use crate::plan::{Ack, EdgeKind, Plan, Policy, Rule, StepId, Stream, Task, wording};

const STREAM: &str = "flow::plan::stream";
const NOT_LIVE: &str = "flow::plan::not_live";
const POLICY: &str = "flow::plan::stream_policy";

/// Why a task cannot stand in a stream, and what to do instead.
pub fn unfit(task: &Task) -> Option<(String, &'static str)> {
    let why = |text: &str| format!("{} {text}", wording::a_kind(task));
    let (why, help) = match task {
        Task::Shell(_) | Task::Exec(_) | Task::Filter(_) | Task::Agent(_) => return None,
        Task::Call(_) => (
            why("is called once"),
            "a closure that is called for each line: `a |> lines(|line| …) |> b`, or `ndjson(|value| …)`",
        ),
        Task::Http(_) => (
            why("neither reads nor writes while it runs"),
            "let a program do it: `sh(\"get\", \"curl -fsSN …\") |> b`; or hand the answer over: `request -> b`; for a request for each item: `pipeline(…).http(…)`",
        ),
        Task::Approve(_) | Task::Signal(_) | Task::Wait(_) | Task::WaitUntil(_) | Task::WaitFor(_) => (
            why("waits, and nothing flows through it"),
            "let the whole stream wait: `x -> (a |> b)`, or `(a |> b).after(x)`",
        ),
        Task::Const(_) => (
            why("has its value at once"),
            "hand it over as input: `x -> (a |> b)`; or as a file: `sh(\"words\", \"cat words.txt\") |> b`",
        ),
        Task::Fail(_) => (why("only fails"), "put it into a branch of a `flow`"),
        Task::Pipeline(_) => (
            why("is connected by its source and its sink"),
            "let a program be its source: `.from(lines(#{ sh: \"…\" }))`, or its sink: `.to(lines(#{ sh: \"…\" }))`",
        ),
        Task::Stream(_) => (why("stands in another one level by level"), "write one stream: `a |> b |> [c, d]`"),
        Task::Chain(_) => (
            why("runs its steps one after the other"),
            "put it before or behind the stream: `x -> (a |> b) -> y`; or let its steps run together: `a |> b`",
        ),
        Task::Fallback(_) => {
            (why("begins again with another step"), "give the fallback to the whole stream: `(a |> b).fallback(c)`")
        }
        Task::Parallel(_) | Task::Quorum(_) => {
            (why("is a group of its own"), "several writers or readers stand in a list: `[a, b] |> [c, d]`")
        }
        Task::Budget(_) | Task::Board(_) | Task::Put(_) | Task::Publish(_) => {
            (why("has its value at once"), "put it before or behind the stream: `x -> (a |> b) -> y`")
        }
        Task::Merge(_) => (why("runs when others are done"), "put it behind the stream: `(a |> b) -> merge(…)`"),
        Task::Flow(_) | Task::Each(_) | Task::Repeat(_) | Task::Workflow(_) | Task::OnEvent(_) => (
            why("is a group of its own"),
            "put it before or behind the stream: `x -> (a |> b)`; for a step for each item of a stream: `pipeline(…)`",
        ),
    };
    Some((why, help))
}

/// Everything that is wrong with the members of streams.
pub(super) fn members(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let Task::Stream(stream) = &*plan.step(id).task else { continue };
        if found.full() {
            return;
        }
        if plan.step(id).retired {
            continue;
        }
        shape(plan, id, stream, found);
        for member in stream.members() {
            if found.full() {
                return;
            }
            connections(plan, id, stream, member, found);
            policies(plan, stream, member, found);
        }
    }
}

fn shape(plan: &Plan, id: StepId, stream: &Stream, found: &mut Findings) {
    let name = wording::name(plan, id);
    if stream.levels.len() < 2 || stream.levels.iter().any(Vec::is_empty) {
        found.add(
            Diagnostic::new(STREAM, format!("in the stream `{name}` nobody reads what is written"))
                .label(plan.step(id).span, "a stream has two levels at least")
                .help("`a |> b`, `stream(\"name\", [a, b])`"),
        );
    }
    for member in stream.members() {
        let step = plan.step(member);
        if let Some((why, help)) = unfit(&step.task) {
            found.add(
                Diagnostic::new(STREAM, format!("`{}` cannot stand in a stream: {why}", wording::name(plan, member)))
                    .label(step.span, "declared here")
                    .label(plan.step(id).span, "in this stream")
                    .help(help),
            );
        }
        if step.parent != Some(id) {
            found.add(
                Diagnostic::new(STREAM, format!("`{}` belongs to something else already", wording::name(plan, member)))
                    .label(step.span, "declared here")
                    .label(plan.step(id).span, "in this stream, too")
                    .help("a step stands in one group: declare one of its own for the stream"),
            );
        }
    }
}

/// What a member waits for, and where its input comes from.
fn connections(plan: &Plan, id: StepId, stream: &Stream, member: StepId, found: &mut Findings) {
    let step = plan.step(member);
    let name = wording::name(plan, member);
    for edge in &step.after {
        if plan.step(edge.from).parent != Some(id) && edge.from != id {
            continue;
        }
        let other = wording::name(plan, edge.from);
        let (message, help) = match edge.kind {
            EdgeKind::Data => (
                format!("`{name}` uses a result of `{other}`, which runs at the same time in the same stream"),
                "a result is there when a step is over: take the step that uses it out of the stream: `(a |> b) -> c`",
            ),
            _ => (
                format!("`{name}` waits for `{other}`, which runs at the same time in the same stream"),
                "steps of a stream start together: remove the `->` or `.after`, or take one of them out of the stream",
            ),
        };
        found.add(
            Diagnostic::new(STREAM, message)
                .label(step.span, "waits")
                .label(plan.step(edge.from).span, "it waits for this")
                .label(plan.step(id).span, "both are in this stream")
                .help(help),
        );
    }
    let writers = stream.writers(member);
    let reads = !writers.is_empty() || !step.input.is_empty() || !plan.step(id).input.is_empty();
    if let (Task::Filter(filter), false) = (&*step.task, reads) {
        let word = if filter.reads == crate::plan::Reads::Lines { "lines" } else { "ndjson" };
        found.add(
            Diagnostic::new(STREAM, format!("nobody writes to the filter `{name}`: the stream begins with it"))
                .label(step.span, "has nothing to read")
                .label(plan.step(id).span, "in this stream")
                .help(format!("put a step before it: `a |> {word}(|line| …) |> b`; a file: `sh(\"read\", \"cat in.txt\") |> {word}(|line| …)`")),
        );
    }
    let Some(writer) = writers.first() else { return };
    let inner = step.input.iter().find(|from| plan.step(**from).parent != Some(id));
    if let Some(from) = inner {
        let (writer, from) = (wording::name(plan, *writer), wording::name(plan, *from));
        found.add(
            Diagnostic::new(STREAM, format!("`{name}` would have two inputs: what `{writer}` writes, and the output of `{from}`"))
                .label(step.span, "reads the stream")
                .help(format!(
                    "an arrow gives its output to the first level of a stream: `{from} -> (a |> b)`; to wait only: `.after({from})`; to use the value: `${{{from}.output}}`"
                )),
        );
    }
    if step.policy().stdin.is_some() {
        let writer = wording::name(plan, *writer);
        found.add(
            Diagnostic::new(POLICY, format!("`stdin` of `{name}`: it reads what `{writer}` writes"))
                .label(step.span, "in a stream")
                .help("remove it; or hand the value over in the environment or as a file"),
        );
    }
}

/// Policies that are about the whole stream, or mean nothing there.
fn policies(plan: &Plan, stream: &Stream, member: StepId, found: &mut Findings) {
    let step = plan.step(member);
    let name = wording::name(plan, member);
    let mut add = |policy: &str, why: &str, help: &str| {
        found.add(
            Diagnostic::new(POLICY, format!("`{policy}` of `{name}`: {why}"))
                .label(step.span, "in a stream")
                .help(help.to_owned()),
        );
    };
    let together = "all of a stream start together, or none of it";
    if step.when.is_some() {
        add("when", together, "put the condition on the stream: `(a |> b).when(…)`");
    }
    let Some(policy) = step.policy.as_deref() else { return };
    let Policy { rule, priority, deadline_ms, breaker, cache, undo, checkpoint, finally, retry_if, alerts, .. } =
        policy;
    let whole: [(&str, bool, &str); 9] = [
        ("rule", *rule != Rule::AllSuccess && !*finally, together),
        ("finally", *finally, together),
        ("priority", *priority != 0, together),
        ("deadline", deadline_ms.is_some(), together),
        ("breaker", breaker.is_some(), together),
        ("cache", cache.is_some(), "what flows through it is not remembered"),
        ("undo", undo.is_some(), "what was done is undone as a whole"),
        ("checkpoint", checkpoint.is_some(), "a run cannot go on in the middle of a stream"),
        ("alert", !alerts.is_empty(), "alerts watch the whole stream"),
    ];
    for (policy, given, why) in whole {
        if given {
            let help = match policy {
                "alert" => "put it on the stream: `(a |> b).alert(#{ stage: \"b\", … })`".to_owned(),
                "breaker" | "cache" => "remove it here; or take the step out of the stream".to_owned(),
                policy => format!("put it on the stream: `(a |> b).{policy}(…)`"),
            };
            add(policy, why, &help);
        }
    }
    if retry_if.is_some() {
        add("on_failure_retry", "a member of a stream is tried again at once, or not", "say how often: `.retry(3)`");
    }
    if policy.output_limit.is_some() && !stream.readers(member).is_empty() {
        add(
            "output_limit",
            "others read what it writes, however much that is",
            "how much of it is kept says the stream: `stream(\"name\", [a, b], #{ tee: \"1 MiB\" })`",
        );
    }
    if matches!(&*step.task, Task::Filter(_)) {
        if policy.retry.is_some() {
            add(
                "retry",
                "a closure gives the same each time",
                "lines for which it fails can be left out: `#{ on_error: \"skip\" }`",
            );
        }
        if policy.ack != Ack::End {
            add("ack", "a closure is not begun again", "remove it here");
        }
    } else if policy.ack != Ack::End && matches!(&*step.task, Task::Agent(_)) {
        add("ack", "an agent does not answer line by line", "remove it: a further attempt is told all of it again");
    } else if policy.ack != Ack::End && stream.writers(member).is_empty() {
        add("ack", "it reads nobody's lines", "put it on a step that reads others: `a |> b.ack(\"line\")`");
    }
}

/// Agents that read others in a stream, and cannot while these write.
pub(super) fn begins_late(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        let (Task::Agent(ask), Some(group)) = (&*step.task, plan.stream_of(id)) else { continue };
        let Task::Stream(stream) = &*plan.step(group).task else { continue };
        let (Err(why), Some(writer)) = (ask.agent.reads_live(), stream.writers(id).first()) else { continue };
        if found.full() || step.retired {
            return;
        }
        let (name, writer) = (wording::name(plan, id), wording::name(plan, *writer));
        let ended = match stream.writers(id).len() {
            1 => format!("`{writer}` has ended"),
            _ => "those before it have ended".to_owned(),
        };
        found.add(
            Diagnostic::new(NOT_LIVE, format!("`{name}` begins when {ended}: {why}"))
                .label(step.span, format!("its backend is `{}`", ask.agent.backend))
                .label(plan.step(group).span, "in this stream")
                .help(format!(
                    "this works, and is no faster than `{writer} -> {name}`; `claude`, and `command` with `input: \"ndjson\"`, read while others write"
                )),
        );
    }
}

/// `ack` where there is no stream.
pub(super) fn alone(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        let in_stream = plan.stream_of(id).is_some();
        if step.policy.is_none() && !matches!(&*step.task, Task::Filter(_)) || in_stream || step.retired {
            continue;
        }
        let name = wording::name(plan, id);
        if step.policy().ack != Ack::End {
            found.add(
                Diagnostic::new(POLICY, format!("`ack` of `{name}`: it stands in no stream"))
                    .label(step.span, "reads nobody's lines")
                    .help("it says how a step deals with the lines that it reads in a stream: `a |> b.ack(\"line\")`"),
            );
        }
        if let Task::Filter(filter) = &*step.task {
            let word = if filter.reads == crate::plan::Reads::Lines { "lines" } else { "ndjson" };
            found.add(
                Diagnostic::new(STREAM, format!("the filter `{name}` stands in no stream"))
                    .label(step.span, "nobody writes to it")
                    .help(format!(
                        "put it between steps: `a |> {word}(|line| …) |> b`; a closure for each item of a list: `pipeline(…).from(list).stage(…)`"
                    )),
            );
        }
    }
}
