//! Pipelines: a stream of items through stages, each with its own batches, parallelism and care for failures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Closure, ItemError, Retry, Shell, StepId, Value};
use crate::diag::Span;

/// A pipeline: source, stages, sink. One step of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pipeline {
    /// Where the items come from.
    pub source: Source,
    /// What is done with each, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Where they go.
    #[serde(default)]
    pub sink: Sink,
    /// Most items that wait before each stage.
    #[serde(default = "buffer_size")]
    pub buffer_size: u32,
    /// What happens when that many wait.
    #[serde(default)]
    pub overflow: Overflow,
    /// Has it no end by itself?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continuous: bool,
    /// It ends after so many items of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u64>,
    /// What happens with an item that fails, in the stages that say nothing.
    #[serde(default)]
    pub on_error: ItemError,
}

fn buffer_size() -> u32 {
    Pipeline::BUFFER_SIZE
}

impl Pipeline {
    /// Items that wait before each stage, where nothing is said.
    pub const BUFFER_SIZE: u32 = 1024;

    /// Items from a source, with nothing else said.
    pub fn of(source: Source) -> Self {
        Pipeline {
            source,
            stages: Vec::new(),
            sink: Sink::default(),
            buffer_size: Self::BUFFER_SIZE,
            overflow: Overflow::default(),
            continuous: false,
            take: None,
            on_error: ItemError::default(),
        }
    }

    /// Calls `visit` with every value in it, the captured values of its closures included.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        self.source.each_value(visit);
        self.stages.iter().for_each(|stage| stage.work.each_value(visit));
        self.sink.each_value(visit);
    }

    /// As [`Pipeline::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        self.source.each_value_mut(visit);
        self.stages.iter_mut().for_each(|stage| stage.work.each_value_mut(visit));
        self.sink.each_value_mut(visit);
    }
}

/// Where the items of a pipeline come from. Each item has an offset: its number in the source, from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The elements of an array; of a text, its lines.
    Items(Value),
    /// Whole numbers: from, up to but without, by.
    Range {
        /// The first.
        from: i64,
        /// The first that is not among them.
        to: i64,
        /// From one to the next; never 0.
        step: i64,
    },
    /// What stands in a file. `-` is flow's own standard input.
    File {
        /// Its path, relative to the step's working directory.
        path: Value,
        /// How it is read.
        format: Format,
    },
    /// The paths that match a pattern, in the order of their names.
    Glob(Value),
    /// What a program writes to its standard output.
    Command {
        /// The program.
        command: Command,
        /// How it is read.
        format: Format,
    },
    /// The files that come into a folder, or change there: `#{path, name, size, event}`.
    Watch {
        /// The folder.
        folder: Value,
        /// Which files, as in `*.csv`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
        /// Those that are there already, too?
        existing: bool,
        /// A file counts as written when it has not changed for so long, in milliseconds.
        settle_ms: u64,
    },
    /// A tick each so many milliseconds: `#{tick, at}`.
    Interval(u64),
    /// The dead letters of a pipeline of another run: the item of each, as it came from its source. The offset of an item is
    /// the number of its line in that run's file, from 0.
    DeadLetters {
        /// That run. Its folder stands beside that of this run.
        run: String,
        /// The path of the pipeline in it.
        step: String,
        /// Its file of dead letters, within the folder of that run: `logs/….dead.ndjson`.
        file: String,
    },
}

impl Source {
    /// Stands for the source that a pipeline is still to get.
    pub const NONE: Source = Source::Items(Value::Plain(serde_json::Value::Null));

    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::Items(_) => "items",
            Source::Range { .. } => "range",
            Source::File { .. } => "file",
            Source::Glob(_) => "files",
            Source::Command { .. } => "command",
            Source::Watch { .. } => "watch",
            Source::Interval(_) => "interval",
            Source::DeadLetters { .. } => "dead letters",
        }
    }

    fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        match self {
            Source::Items(value) | Source::Glob(value) => visit(value),
            Source::File { path, .. } => visit(path),
            Source::Watch { folder, .. } => visit(folder),
            Source::Command { command, .. } => command.each_value(visit),
            Source::Range { .. } | Source::Interval(_) | Source::DeadLetters { .. } => {}
        }
    }

    fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Source::Items(value) | Source::Glob(value) => visit(value),
            Source::File { path, .. } => visit(path),
            Source::Watch { folder, .. } => visit(folder),
            Source::Command { command, .. } => command.each_value_mut(visit),
            Source::Range { .. } | Source::Interval(_) | Source::DeadLetters { .. } => {}
        }
    }
}

/// How items stand in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A text a line.
    #[default]
    Lines,
    /// A JSON value a line; empty lines are passed over.
    Ndjson,
    /// Comma-separated values.
    Csv {
        /// Are the names of the columns in the first row? Then an item is a map, else an array.
        header: bool,
        /// Between the fields: one ASCII character.
        delimiter: char,
    },
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// By a shell.
    Shell(Shell),
    /// Program and arguments.
    Exec(Vec<Value>),
}

impl Command {
    fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        match self {
            Command::Shell(shell) => shell.vars.iter().for_each(|(_, value)| visit(value)),
            Command::Exec(words) => words.iter().for_each(visit),
        }
    }

    fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Command::Shell(shell) => shell.vars.iter_mut().for_each(|(_, value)| visit(value)),
            Command::Exec(words) => words.iter_mut().for_each(visit),
        }
    }
}

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// Its name, unique in the pipeline.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// What it does.
    pub work: StageWork,
    /// It gets arrays of so many items. Nothing said: single items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// It gets what there is after so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_timeout_ms: Option<u64>,
    /// How many items, or batches, it works on at the same time.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub parallelism: u32,
    /// Do items leave it in the order in which they came?
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub ordered: bool,
    /// Further attempts for an item that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Longest time for an item, or a batch, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What happens with an item that fails. Nothing said: as the pipeline says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<ItemError>,
    /// Most items that wait before it. Nothing said: as the pipeline says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<u32>,
    /// What happens when that many wait. Nothing said: as the pipeline says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    /// Where it was declared.
    #[serde(default)]
    pub span: Span,
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

fn yes() -> bool {
    true
}

fn is_yes(it: &bool) -> bool {
    *it
}

impl Stage {
    /// A stage with nothing but a name, what it does and a place.
    pub fn new(name: impl Into<SmolStr>, work: StageWork, span: Span) -> Self {
        Stage {
            name: name.into(),
            work,
            batch_size: None,
            batch_timeout_ms: None,
            parallelism: 1,
            ordered: true,
            retry: None,
            timeout_ms: None,
            on_error: None,
            buffer_size: None,
            overflow: None,
            span,
        }
    }
}

/// What a stage does with an item, or a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageWork {
    /// The closure's value goes on; `()` is left out. With batches: an array goes on element by element.
    Map(Closure),
    /// Goes on if the closure says true.
    Filter(Closure),
    /// Each element of the array that the closure gives goes on by itself.
    FlatMap(Closure),
    /// The batch itself goes on, as an array.
    Batch,
    /// A process for each item, or batch: it has the item on its standard input and in `$ITEM`, and its output goes on.
    Command(Command),
    /// A process that runs as long as the pipeline: an item a line goes in as JSON, a line of JSON comes out for it.
    Worker(Command),
    /// A request for each item. The closure gives it, as a map with the keys of `http(…)`; the answer's body goes on.
    Http(Closure),
    /// A run of another workflow for each item. The closure gives its parameters; what it returns goes on.
    Workflow {
        /// Its script, as the user named it.
        file: String,
        /// Gives the parameters as a map. Nothing said: the item, if it is a map.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Closure>,
    },
    /// The item goes to each of these; what they give goes on as an array, in this order.
    Each(Vec<Stage>),
}

impl StageWork {
    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            StageWork::Map(_) => "map",
            StageWork::Filter(_) => "filter",
            StageWork::FlatMap(_) => "flat_map",
            StageWork::Batch => "batch",
            StageWork::Command(_) => "sh",
            StageWork::Worker(_) => "worker",
            StageWork::Http(_) => "http",
            StageWork::Workflow { .. } => "workflow",
            StageWork::Each(_) => "each",
        }
    }

    /// Does it run in this process and on nothing else, so that an item costs it next to nothing?
    pub fn is_closure(&self) -> bool {
        matches!(self, StageWork::Map(_) | StageWork::Filter(_) | StageWork::FlatMap(_))
    }

    fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        match self {
            StageWork::Map(closure)
            | StageWork::Filter(closure)
            | StageWork::FlatMap(closure)
            | StageWork::Http(closure)
            | StageWork::Workflow { args: Some(closure), .. } => closure.captured.iter().for_each(visit),
            StageWork::Command(command) | StageWork::Worker(command) => command.each_value(visit),
            StageWork::Each(stages) => stages.iter().for_each(|stage| stage.work.each_value(visit)),
            StageWork::Batch | StageWork::Workflow { args: None, .. } => {}
        }
    }

    fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            StageWork::Map(closure)
            | StageWork::Filter(closure)
            | StageWork::FlatMap(closure)
            | StageWork::Http(closure)
            | StageWork::Workflow { args: Some(closure), .. } => closure.captured.iter_mut().for_each(visit),
            StageWork::Command(command) | StageWork::Worker(command) => command.each_value_mut(visit),
            StageWork::Each(stages) => stages.iter_mut().for_each(|stage| stage.work.each_value_mut(visit)),
            StageWork::Batch | StageWork::Workflow { args: None, .. } => {}
        }
    }
}

/// Where the items of a pipeline go in the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sink {
    /// They are the step's output: an array, in the order in which they came out.
    #[default]
    Collect,
    /// Nowhere.
    Discard,
    /// The closure is called with each.
    Call(Closure),
    /// Into a file, each as one line or row.
    File {
        /// Its path, relative to the step's working directory.
        path: Value,
        /// How.
        format: Format,
        /// Behind what stands there already?
        append: bool,
    },
    /// To the standard input of a program.
    Command {
        /// The program.
        command: Command,
        /// How.
        format: Format,
    },
}

impl Sink {
    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Sink::Collect => "collect",
            Sink::Discard => "discard",
            Sink::Call(_) => "call",
            Sink::File { .. } => "file",
            Sink::Command { .. } => "command",
        }
    }

    fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        match self {
            Sink::Call(closure) => closure.captured.iter().for_each(visit),
            Sink::File { path, .. } => visit(path),
            Sink::Command { command, .. } => command.each_value(visit),
            Sink::Collect | Sink::Discard => {}
        }
    }

    fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Sink::Call(closure) => closure.captured.iter_mut().for_each(visit),
            Sink::File { path, .. } => visit(path),
            Sink::Command { command, .. } => command.each_value_mut(visit),
            Sink::Collect | Sink::Discard => {}
        }
    }
}

/// What happens when a buffer is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Those before wait: back-pressure.
    #[default]
    Block,
    /// The oldest that wait are dropped, and counted.
    DropOldest,
    /// The newest are dropped, and counted.
    DropNewest,
    /// The pipeline fails.
    Fail,
}

impl Overflow {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Overflow); 4] = [
        ("block", Overflow::Block),
        ("drop_oldest", Overflow::DropOldest),
        ("drop_newest", Overflow::DropNewest),
        ("fail", Overflow::Fail),
    ];
}

/// Watches a stream or a pipeline while it runs, and starts a step when a figure is out of bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Which figure.
    pub metric: Metric,
    /// Of which stage, or member. Nothing said: of the worst of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub stage: Option<SmolStr>,
    /// Too high above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Too low below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// It has to be so for this long, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub for_ms: u64,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// Runs when the alert is raised, once in a run (its `Step::on_alert` points back).
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    pub action: Option<StepId>,
    /// Where it was declared.
    #[serde(default)]
    pub span: Span,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The alert that starts a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnAlert {
    /// The stream or pipeline that is watched.
    pub step: StepId,
    /// Which of its alerts (`Policy::alerts`), from 0.
    pub alert: u32,
}

/// A figure that is measured of each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Items that came out, per second.
    Throughput,
    /// Failed items as a share of those that came in, 0 to 1, over the last seconds.
    ErrorRate,
    /// Half of the items took less, in milliseconds.
    P50,
    /// 95 of 100 items took less, in milliseconds.
    P95,
    /// 99 of 100 items took less, in milliseconds.
    P99,
    /// Items that wait before it.
    QueueDepth,
    /// Dropped items, so far.
    Drops,
    /// Dead letters, so far.
    DeadLetters,
}

impl Metric {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Metric); 8] = [
        ("throughput", Metric::Throughput),
        ("error_rate", Metric::ErrorRate),
        ("p50", Metric::P50),
        ("p95", Metric::P95),
        ("p99", Metric::P99),
        ("queue_depth", Metric::QueueDepth),
        ("drops", Metric::Drops),
        ("dead_letters", Metric::DeadLetters),
    ];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, metric)| *metric == self).map_or("throughput", |(name, _)| name)
    }
}

/// How bad it is that an alert is raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at.
    #[default]
    Warning,
    /// To be acted on.
    Critical,
}

impl Severity {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Severity); 3] =
        [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, severity)| *severity == self).map_or("warning", |(name, _)| name)
    }
}
