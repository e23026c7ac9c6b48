//! Pipelines in words: where items come from, what the stages do, where they go.

use super::value::{bare, closure_text, quote, script, value};
use super::{clean, count, duration, item_error, list, plural, policy, shorten};
use crate::plan::{
    Command, Format, Json, Overflow, Pipeline, Plan, Sink, Source, Stage, StageWork, StepId, Task, Value,
};

/// Longest value that is shown within a sentence.
const SHOWN: usize = 60;

/// What is said of a pipeline as a whole, where it is not what goes without saying.
pub fn pipeline(pipeline: &Pipeline) -> Vec<String> {
    let mut words = Vec::new();
    if pipeline.continuous {
        words.push("without an end".to_owned());
    }
    if let Some(most) = pipeline.take {
        words.push(format!("the first {}", plural(most as usize, "item")));
    }
    if pipeline.buffer_size != Pipeline::BUFFER_SIZE {
        words.push(format!("buffers of {}", count(pipeline.buffer_size as usize)));
    }
    if pipeline.overflow != Overflow::Block {
        words.push(format!("overflow {}", overflow(pipeline.overflow)));
    }
    if pipeline.on_error != Default::default() {
        words.push(format!("on error {}", item_error(pipeline.on_error)));
    }
    words
}

/// Where the items come from: `lines of access.log`, `numbers from 0 to 99`.
pub fn source(plan: &Plan, source: &Source) -> String {
    let text = match source {
        Source::Items(Value::Plain(Json::Array(items))) => plural(items.len(), "item"),
        Source::Items(Value::List(items)) => plural(items.len(), "item"),
        Source::Items(of) => format!("items of {}", shorten(&bare(value(plan, of)), SHOWN)),
        Source::Range { from, to, step: 1 } if from < to => format!("numbers from {from} to {}", to - 1),
        Source::Range { from, to, step } => format!("numbers from {from} up to but without {to}, by {step}"),
        Source::File { path, format } => format!("{} of {}", rows(format), file(plan, path)),
        Source::Glob(pattern) => format!("files {}", shorten(&value(plan, pattern), SHOWN)),
        Source::Command { command, format } => format!("{} of `{}`", rows(format), program(plan, command)),
        Source::Watch { folder, pattern, existing, .. } => {
            let which = pattern.as_ref().map_or("files".to_owned(), |pattern| format!("files {pattern}"));
            let existing = if *existing { ", also those there already" } else { "" };
            format!("{which} that come into {}{existing}", shorten(&value(plan, folder), SHOWN))
        }
        Source::Interval(ms) => format!("a tick every {}", duration(*ms)),
        Source::DeadLetters { run, step, .. } => format!("dead letters of `{step}` in run {run}"),
    };
    clean(&text)
}

/// Where they go: `ndjson out.ndjson`, `collected as its output`.
pub fn sink(plan: &Plan, sink: &Sink) -> String {
    let text = match sink {
        Sink::Collect => "its output, an array".to_owned(),
        Sink::Discard => "nowhere".to_owned(),
        Sink::Call(closure) => closure_text(&closure.text).to_owned(),
        Sink::File { path, format, append } => {
            let behind = if *append { ", behind what is there" } else { "" };
            format!("{} {}{behind}", rows(format), file(plan, path))
        }
        Sink::Command { command, format } => format!("{} for `{}`", rows(format), program(plan, command)),
    };
    clean(&text)
}

/// What a stage does: a closure, a command, other stages.
pub fn stage_work(plan: &Plan, work: &StageWork) -> String {
    let text = match work {
        StageWork::Map(closure)
        | StageWork::Filter(closure)
        | StageWork::FlatMap(closure)
        | StageWork::Http(closure) => closure_text(&closure.text).to_owned(),
        StageWork::Batch => String::new(),
        StageWork::Command(command) | StageWork::Worker(command) => program(plan, command),
        StageWork::Workflow { file, args: None } => file.clone(),
        StageWork::Workflow { file, args: Some(closure) } => format!("{file} {}", closure_text(&closure.text)),
        StageWork::Each(stages) => {
            let names: Vec<_> = stages.iter().map(|stage| stage.name.as_str()).collect();
            format!("{} beside each other", list(&names, 6))
        }
    };
    clean(&text)
}

/// How a stage runs, where it is not what goes without saying: `4 at once`, `batches of 100`.
pub fn stage(stage: &Stage) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(size) = stage.batch_size {
        let most = stage.batch_timeout_ms.map_or(String::new(), |ms| format!(", or what came within {}", duration(ms)));
        words.push(format!("batches of {}{most}", count(size as usize)));
    } else if let Some(ms) = stage.batch_timeout_ms {
        words.push(format!("what came within {}", duration(ms)));
    }
    if stage.parallelism > 1 {
        words.push(format!("{} at once", count(stage.parallelism as usize)));
    }
    if !stage.ordered {
        words.push("in any order".to_owned());
    }
    if let Some(retry) = &stage.retry {
        words.push(policy::retry(retry));
    }
    if let Some(ms) = stage.timeout_ms {
        words.push(format!("timeout {}", duration(ms)));
    }
    if let Some(on_error) = stage.on_error {
        words.push(format!("on error {}", item_error(on_error)));
    }
    if let Some(most) = stage.buffer_size {
        words.push(format!("buffer of {}", count(most as usize)));
    }
    if let Some(strategy) = stage.overflow {
        words.push(format!("overflow {}", overflow(strategy)));
    }
    words
}

/// Source, stages and sink in one line: `lines of access.log → parse → failed → ndjson out.ndjson`.
pub(super) fn line(plan: &Plan, pipeline: &Pipeline) -> String {
    let mut parts = vec![source(plan, &pipeline.source)];
    parts.extend(pipeline.stages.iter().map(|stage| clean(&stage.name)));
    if pipeline.sink != Sink::Collect {
        parts.push(sink(plan, &pipeline.sink));
    }
    parts.join(" → ")
}

/// The lines that show a pipeline in a box: its source, each stage, its sink.
pub fn box_lines(plan: &Plan, id: StepId) -> Option<Vec<String>> {
    let Task::Pipeline(pipeline) = &*plan.step(id).task else { return None };
    let mut lines = vec![source(plan, &pipeline.source)];
    for one in &pipeline.stages {
        let mut notes = vec![one.work.kind().to_owned()];
        notes.extend(stage(one));
        lines.push(format!("→ {} ({})", clean(&one.name), notes.join(", ")));
    }
    lines.push(format!("→ {}", sink(plan, &pipeline.sink)));
    Some(lines)
}

/// Its name in scripts.
fn overflow(strategy: Overflow) -> &'static str {
    Overflow::ALL.iter().find(|(_, one)| *one == strategy).map_or("block", |(name, _)| name)
}

fn rows(format: &Format) -> &'static str {
    match format {
        Format::Lines => "lines",
        Format::Ndjson => "ndjson",
        Format::Csv { header: true, .. } => "csv",
        Format::Csv { header: false, .. } => "csv without header",
    }
}

fn file(plan: &Plan, path: &Value) -> String {
    match value(plan, path).as_str() {
        "-" => "standard input".to_owned(),
        path => shorten(path, SHOWN),
    }
}

fn program(plan: &Plan, command: &Command) -> String {
    let text = match command {
        Command::Shell(shell) => script(plan, shell),
        Command::Exec(words) => words.iter().map(|word| quote(value(plan, word))).collect::<Vec<_>>().join(" "),
    };
    shorten(&text, 200)
}
