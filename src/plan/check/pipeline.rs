//! Pipelines that cannot work as written, and alerts that watch nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Findings;
use super::names::is_name_character;
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::hierarchy::Hierarchy;
use crate::plan::precedence::Precedence;
use crate::plan::{Alert, Metric, Pipeline, Plan, Sink, Source, Stage, StepId, Task, wording};

const PIPELINE: &str = "flow::plan::pipeline";
const ALERT: &str = "flow::plan::alert";

/// Everything that is wrong with pipelines.
pub(super) fn pipelines(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        let Task::Pipeline(pipeline) = &*step.task else { continue };
        if found.full() {
            return;
        }
        if step.retired {
            continue;
        }
        ends(plan, id, pipeline, found);
        stages(plan, id, pipeline, found);
    }
}

/// Is it known to end?
fn is_finite(source: &Source) -> bool {
    match source {
        Source::Items(_) | Source::Range { .. } | Source::Glob(_) | Source::DeadLetters { .. } => true,
        Source::File { path, .. } => path.as_text() != Some("-"),
        Source::Command { .. } | Source::Watch { .. } | Source::Interval(_) => false,
    }
}

fn ends(plan: &Plan, id: StepId, pipeline: &Pipeline, found: &mut Findings) {
    let (name, span) = (wording::name(plan, id), plan.step(id).span);
    if pipeline.source == Source::NONE {
        found.add(
            Diagnostic::new(PIPELINE, format!("the pipeline `{name}` has no source"))
                .label(span, "nothing comes into it")
                .help(
                    "say where its items come from: `.from(lines(\"access.log\"))`, `.from([1, 2, 3])`, `.from(step)`, or `step -> pipeline(…)`",
                ),
        );
        return;
    }
    if pipeline.continuous && is_finite(&pipeline.source) {
        found.add(
            Diagnostic::new(PIPELINE, format!("the pipeline `{name}` is `continuous`, but its source has an end"))
                .label_word(span, "continuous", format!("its source: {}", pipeline.source.kind()))
                .help("remove `continuous`; what goes on for ever is `watch(…)`, `interval(…)`, a program, or what flow reads, `lines(\"-\")`"),
        );
    }
    let endless = matches!(pipeline.source, Source::Watch { .. } | Source::Interval(_));
    if endless && !pipeline.continuous && pipeline.take.is_none() {
        let kind = pipeline.source.kind();
        found.add(
            Diagnostic::new(PIPELINE, format!("the pipeline `{name}` would never end: its source is `{kind}`"))
                .label(span, "declared here")
                .help("say that this is meant, `.options(#{ continuous: true })`; or how many items it takes, `.options(#{ take: 10 })`"),
        );
    }
    if pipeline.continuous && pipeline.sink == Sink::Collect && pipeline.take.is_none() {
        found.add(
            Diagnostic::new(
                PIPELINE,
                format!("the pipeline `{name}` goes on for ever, and would collect its items as output"),
            )
            .label(span, "has no sink")
            .help("say where they go: `.to(ndjson(\"out.ndjson\"))`, `.to(|item| …)`, or `.discard()`"),
        );
    }
    if let Source::Range { step: 0, .. } = pipeline.source {
        found.add(
            Diagnostic::new(
                PIPELINE,
                format!("the range of the pipeline `{name}` never comes to its end: its step is 0"),
            )
            .label(span, "declared here")
            .help("give a step other than 0"),
        );
    }
    if let (Source::File { path, .. }, Sink::File { path: to, append: false, .. }) = (&pipeline.source, &pipeline.sink)
        && path == to
    {
        let path = path.as_text().unwrap_or("the same file");
        found.add(
            Diagnostic::new(PIPELINE, format!("the pipeline `{name}` reads `{path}` and writes it anew"))
                .label(span, "source and sink are one file")
                .help("write another file, and rename it when the pipeline is done"),
        );
    }
    for (what, zero) in [("buffer_size", pipeline.buffer_size == 0), ("take", pipeline.take == Some(0))] {
        if zero {
            found.add(
                Diagnostic::new(
                    PIPELINE,
                    format!("`{what}` of the pipeline `{name}` is 0: nothing would come through"),
                )
                .label_word(span, what, "declared here")
                .help("give at least 1, or leave it out"),
            );
        }
    }
}

/// Pipelines that would write one file at the same time, or read what flow itself reads.
pub(super) fn shared(plan: &Plan, tree: &Hierarchy, found: &mut Findings) {
    let mut writers: BTreeMap<String, Vec<StepId>> = BTreeMap::new();
    let mut readers = Vec::new();
    for id in plan.ids() {
        let step = plan.step(id);
        let Task::Pipeline(pipeline) = &*step.task else { continue };
        if step.retired || is_aside(plan, id) {
            continue;
        }
        if let Sink::File { path, .. } = &pipeline.sink
            && let Some(path) = path.as_text().filter(|path| !path.starts_with("/dev/"))
        {
            let parts = path.split('/').enumerate().filter(|(n, part)| *part != "." && (*n == 0 || !part.is_empty()));
            let path = parts.map(|(_, part)| part).collect::<Vec<_>>().join("/");
            let folder = step.policy().cwd.as_ref().filter(|_| !path.starts_with('/'));
            writers.entry(format!("{folder:?} {path}")).or_default().push(id);
        }
        if matches!(&pipeline.source, Source::File { path, .. } if path.as_text() == Some("-")) {
            readers.push(id);
        }
    }
    writers.retain(|_, ids| ids.len() > 1);
    if !writers.is_empty() {
        let precedence = Precedence::of(plan, tree);
        for ids in writers.values() {
            if let Some((one, other)) = unordered(plan, &precedence, ids) {
                together(plan, one, other, found);
            }
        }
    }
    let pairs =
        readers.iter().enumerate().flat_map(|(n, one)| readers[n + 1..].iter().map(move |other| (*one, *other)));
    if let Some((one, other)) =
        pairs.take(10_000).find(|(one, other)| !matches!(meeting(plan, *one, *other), Meeting::Never))
    {
        found.add(
            Diagnostic::new(
                PIPELINE,
                format!("{} both read what flow itself reads, and one of them gets nothing", both(plan, one, other)),
            )
            .label(plan.step(one).span, "reads `-`")
            .label(plan.step(other).span, "reads `-`, too")
            .help("let one of them keep what it reads, `.to(lines(\"in.txt\"))`, and the other read that, `.from(lines(\"in.txt\"))`, `.after(…)` it; or let one pipeline do both: `.both(\"two\", [|item| …, |item| …])`"),
        );
    }
}

/// Do not ordinary waits decide when it runs?
fn is_aside(plan: &Plan, id: StepId) -> bool {
    let mut groups = std::iter::successors(Some(id), |id| plan.step(*id).parent);
    groups.any(|id| plan.step(id).undoes.is_some() || plan.hook(id).is_some())
}

/// How two steps come together where they have a group in common.
enum Meeting {
    /// Only one of them is taken.
    Never,
    /// One after the other.
    InTurn,
    /// Their waits say.
    Perhaps,
}

fn meeting(plan: &Plan, one: StepId, other: StepId) -> Meeting {
    let groups = |id: StepId| std::iter::successors(plan.step(id).parent, |id| plan.step(*id).parent);
    let common = groups(one).find(|group| groups(other).any(|at| at == *group));
    match common.map(|group| &*plan.step(group).task) {
        Some(Task::Flow(_)) => Meeting::Never,
        Some(Task::Repeat(_) | Task::Fallback(_)) => Meeting::InTurn,
        _ => Meeting::Perhaps,
    }
}

/// The first two of these of which neither comes after the other.
fn unordered(plan: &Plan, precedence: &Precedence, ids: &[StepId]) -> Option<(StepId, StepId)> {
    let mut behind: Vec<HashSet<u32>> = Vec::new();
    for (n, later) in ids.iter().enumerate() {
        for (before, reached) in ids[..n].iter().zip(&behind) {
            if !reached.contains(&precedence.start(*later))
                && matches!(meeting(plan, *before, *later), Meeting::Perhaps)
            {
                // It may have been declared before what it comes after.
                if !reach(precedence, *later).contains(&precedence.start(*before)) {
                    return Some((*before, *later));
                }
            }
        }
        behind.push(reach(precedence, *later));
    }
    None
}

/// All that comes after the end of a step.
fn reach(precedence: &Precedence, id: StepId) -> HashSet<u32> {
    let mut open = vec![precedence.end(id)];
    let mut reached = HashSet::new();
    while let Some(node) = open.pop() {
        open.extend(precedence.successors(node).map(|(next, _)| next).filter(|next| reached.insert(*next)));
    }
    reached
}

fn both(plan: &Plan, one: StepId, other: StepId) -> String {
    match (wording::name(plan, one), wording::name(plan, other)) {
        (one, other) if one == other => format!("several pipelines `{one}`"),
        (one, other) => format!("the pipelines `{one}` and `{other}`"),
    }
}

fn together(plan: &Plan, one: StepId, other: StepId, found: &mut Findings) {
    let Task::Pipeline(pipeline) = &*plan.step(one).task else { return };
    let Sink::File { path, .. } = &pipeline.sink else { return };
    let path = path.as_text().unwrap_or_default();
    let (first, second) = (wording::name(plan, one), wording::name(plan, other));
    let help = match first == second {
        true => "give each a file of its own, with the item in its name".to_owned(),
        false => format!(
            "give each a file of its own; or let one come after the other: `{second}.after({first})`, with `#{{ append: true }}` for what is to stand behind"
        ),
    };
    found.add(
        Diagnostic::new(PIPELINE, format!("{} would write `{path}` at the same time", both(plan, one, other)))
            .label(plan.step(one).span, "writes it")
            .label(plan.step(other).span, "writes it, too")
            .help(help),
    );
}

fn stages(plan: &Plan, id: StepId, pipeline: &Pipeline, found: &mut Findings) {
    let name = wording::name(plan, id);
    let mut seen: HashMap<&str, &Stage> = HashMap::new();
    for stage in &pipeline.stages {
        if found.full() {
            return;
        }
        if let Some(other) = seen.insert(&stage.name, stage) {
            found.add(
                Diagnostic::new(PIPELINE, format!("two stages of `{name}` are called `{}`", stage.name))
                    .label_word(stage.span, stage.name.as_str(), "the name is taken already")
                    .label_word(other.span, stage.name.as_str(), "first used here")
                    .help("rename one of them"),
            );
        }
        if stage.name.is_empty() || !stage.name.chars().all(is_name_character) {
            found.add(
                Diagnostic::new(
                    PIPELINE,
                    format!("a stage of `{name}` cannot be called `{}`", wording::clean(&stage.name)),
                )
                .label_word(stage.span, stage.name.as_str(), "named here")
                .help("names hold letters, digits, `-`, `_` and `.`"),
            );
        }
        let zeros = [
            ("parallelism", stage.parallelism == 0),
            ("batch_size", stage.batch_size == Some(0)),
            ("buffer_size", stage.buffer_size == Some(0)),
        ];
        for (what, zero) in zeros {
            if zero {
                found.add(
                    Diagnostic::new(
                        PIPELINE,
                        format!("`{what}` of the stage `{}` is 0: nothing would come through", stage.name),
                    )
                    .label_word(stage.span, what, "declared here")
                    .help("give at least 1, or leave it out"),
                );
            }
        }
    }
}

/// Alerts of stages that are not there, of figures that are not measured, and what they start.
pub(super) fn alerts(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        let step = plan.step(id);
        if found.full() {
            return;
        }
        for alert in &step.policy().alerts {
            watches(plan, id, alert, found);
        }
        if let Some(on) = step.on_alert {
            started(plan, id, on.step, found);
        }
    }
}

fn watches(plan: &Plan, id: StepId, alert: &Alert, found: &mut Findings) {
    let name = wording::name(plan, id);
    let (known, kind): (Vec<&str>, _) = match &*plan.step(id).task {
        Task::Pipeline(pipeline) => {
            let stages = pipeline.stages.iter().map(|stage| stage.name.as_str());
            (std::iter::once("source").chain(stages).chain(["sink"]).collect(), "stage")
        }
        Task::Stream(stream) => {
            let not_measured = matches!(
                alert.metric,
                Metric::P50 | Metric::P95 | Metric::P99 | Metric::QueueDepth | Metric::DeadLetters
            );
            if not_measured {
                let metric = alert.metric.name();
                found.add(
                    Diagnostic::new(ALERT, format!("`{metric}` is measured of the items of a pipeline, and `{name}` is a stream"))
                        .label_word(alert.span, metric, "watched here")
                        .help("of a stream there are `throughput` (bytes per second), `drops`, and `error_rate` of its closures"),
                );
            }
            (stream.members().map(|member| plan.step(member).name.as_str()).collect(), "step")
        }
        _ => {
            found.add(
                Diagnostic::new(ALERT, format!("`{name}` has no figures that an alert could watch"))
                    .label(alert.span, "asked for here")
                    .help("alerts watch a stream, `(a |> b).alert(…)`, or a `pipeline`"),
            );
            return;
        }
    };
    if let Some(stage) = &alert.stage
        && !known.contains(&stage.as_str())
    {
        let help =
            did_you_mean(stage, known.iter().copied()).unwrap_or_else(|| format!("it has: {}", known.join(", ")));
        found.add(
            Diagnostic::new(ALERT, format!("`{name}` has no {kind} `{stage}`"))
                .label_word(alert.span, stage.as_str(), "watched here")
                .help(help),
        );
    }
}

/// What an alert starts begins in the middle of what is watched, so it cannot wait for it.
fn started(plan: &Plan, id: StepId, watched: StepId, found: &mut Findings) {
    let within = |from: StepId| std::iter::successors(Some(from), |id| plan.step(*id).parent).any(|at| at == watched);
    let step = plan.step(id);
    let name = wording::name(plan, id);
    if let Some(edge) = step.after.iter().find(|edge| within(edge.from)) {
        let other = wording::name(plan, edge.from);
        found.add(
            Diagnostic::new(ALERT, format!("`{name}` is started by an alert of `{other}`, and waits for its end"))
                .label(step.span, "declared here")
                .label(plan.step(watched).span, "it is watched while it runs")
                .help("what an alert starts cannot use results of what is watched; another step can, behind it"),
        );
    }
    // It belongs to nothing, or stands beside what is watched among the steps of a workflow or of an item.
    let is_beside = step.parent.is_none_or(|group| {
        let step = plan.step(group);
        let brings =
            matches!(&*step.task, Task::Workflow(_)) || step.key.is_some() && matches!(&*step.task, Task::Chain(_));
        brings && std::iter::successors(plan.step(watched).parent, |id| plan.step(*id).parent).any(|at| at == group)
    });
    if !is_beside || step.when.is_some() || step.undoes.is_some() {
        found.add(
            Diagnostic::new(ALERT, format!("`{name}` is started by an alert, so nothing else can decide when it runs"))
                .label(step.span, "declared here")
                .help("declare a step of its own for the alert"),
        );
    }
}
