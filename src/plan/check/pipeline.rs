//! Pipelines that cannot work as written, and alerts that watch nothing.

use std::collections::HashMap;

use super::Findings;
use super::names::is_name_character;
use crate::diag::{Diagnostic, did_you_mean};
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
    if step.parent.is_some() || step.when.is_some() || step.undoes.is_some() {
        found.add(
            Diagnostic::new(ALERT, format!("`{name}` is started by an alert, so nothing else can decide when it runs"))
                .label(step.span, "declared here")
                .help("declare a step of its own for the alert"),
        );
    }
}
