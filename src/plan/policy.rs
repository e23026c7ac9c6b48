//! Policies: how a step is to be run, apart from what it does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Ack, Alert, Budget, Class, ClassRule, Closure, Expression, Isolate, Json, StepId, Strategy, Value};

/// Everything that can be said about how a step runs. A step without policies has none of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Policy {
    /// When the step may start, judged by its predecessors.
    #[serde(skip_serializing_if = "is_default")]
    pub rule: Rule,
    /// What a failure means for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// Further attempts after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Longest time of one attempt, in milliseconds; of the whole, for a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Higher runs first. 0 where nothing is said.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: i32,
    /// When it should be finished, in milliseconds from the start of the run. Ready steps of the same priority run in the order of their deadlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// How long it probably takes, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
    /// Shares of named limits that it holds while it runs; a lock is a limit of 1 (see `Plan::limits`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<(String, u32)>")]
    pub limits: Vec<(SmolStr, u32)>,
    /// Further environment variables of a process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Value)>,
    /// Working directory of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Value>,
    /// What a process reads from its standard input, instead of the chain's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Value>,
    /// How the output of a process is read.
    #[serde(skip_serializing_if = "is_default")]
    pub parse: Parse,
    /// What the result must be like; one that is not is a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate: Option<Box<Validate>>,
    /// Says after a failure whether there is another attempt: gets the failure, gives true, false or a wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_if: Option<Box<Closure>>,
    /// The named breaker that its attempts pass through (see `Header::breakers`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub breaker: Option<SmolStr>,
    /// A result of an earlier run is used again if nothing it depends on has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Box<Cache>>,
    /// Undoes what the step did (`Step::undoes` points back).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<StepId>,
    /// Its success is a point to which the run can be rolled back, and behind which a failure undoes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub checkpoint: Option<SmolStr>,
    /// It runs when those it waits for have ended, in whatever way and also in a run that is being stopped, if one of
    /// them had begun.
    #[serde(skip_serializing_if = "is_default")]
    pub finally: bool,
    /// Most bytes that a process may write to its standard output, and to its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<u64>,
    /// In a stream: what it has dealt with of what it reads, should it be tried again.
    #[serde(skip_serializing_if = "is_default")]
    pub ack: Ack,
    /// Of a stream or a pipeline: what is watched while it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Of a step or a group: what its agents may use up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Patterns of the files that it changes, relative to its working directory: those that overlap never run together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Where it changes files, if not in its working directory itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Isolate>,
    /// The output is not shown.
    #[serde(skip_serializing_if = "is_default")]
    pub secret: bool,
    /// What the step is for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<SmolStr>,
}

impl Policy {
    /// Calls `visit` with every value in it that an attempt needs.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        self.env.iter().for_each(|(_, value)| visit(value));
        self.cwd.iter().chain(&self.stdin).for_each(&mut *visit);
        self.cache.iter().flat_map(|cache| &cache.key).for_each(&mut *visit);
        match self.validate.as_deref() {
            Some(Validate::Closure(closure)) => closure.captured.iter().for_each(&mut *visit),
            Some(Validate::Expr(_) | Validate::Schema(_)) | None => {}
        }
        self.retry_if.iter().flat_map(|closure| &closure.captured).for_each(visit);
    }

    /// As [`Policy::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        self.env.iter_mut().for_each(|(_, value)| visit(value));
        self.cwd.iter_mut().chain(&mut self.stdin).for_each(&mut *visit);
        self.cache.iter_mut().flat_map(|cache| &mut cache.key).for_each(&mut *visit);
        match self.validate.as_deref_mut() {
            Some(Validate::Closure(closure)) => closure.captured.iter_mut().for_each(&mut *visit),
            Some(Validate::Expr(_) | Validate::Schema(_)) | None => {}
        }
        self.retry_if.iter_mut().flat_map(|closure| &mut closure.captured).for_each(visit);
    }
}

/// What a result must be like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validate {
    /// Gets the step itself, gives true or false; or throws what is wrong.
    Closure(Closure),
    /// An expression whose names are the step's own properties: `output.percent > 80`.
    Expr(Expression),
    /// A JSON Schema of the output.
    Schema(Json),
}

/// `.cache(#{…})`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cache {
    /// How long a result may be used, in milliseconds. Nothing said: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Patterns of the files it reads, relative to the step's working directory: a changed one makes it run again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Patterns of the files it writes: one that is missing or changed since makes it run again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Whatever else it depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
}

/// A named breaker: after too many failures attempts are refused for a time, then one may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breaker {
    /// Failures within the window that open it.
    pub threshold: u32,
    /// In milliseconds.
    pub window_ms: u64,
    /// How long it stays open, in milliseconds, before one attempt may try.
    pub reset_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { threshold: 5, window_ms: 60_000, reset_ms: 30_000 }
    }
}

/// What is undone when a run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UndoScope {
    /// What succeeded since the latest named checkpoint, or since the beginning.
    #[default]
    Checkpoint,
    /// Everything that succeeded.
    All,
    /// Nothing: that is left to `flow rollback`.
    Nothing,
}

impl UndoScope {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, UndoScope); 3] =
        [("checkpoint", UndoScope::Checkpoint), ("all", UndoScope::All), ("nothing", UndoScope::Nothing)];
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When a step may start, judged by its order and data predecessors. `docs/semantics.md` holds the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// All are final, none failed, at least one succeeded.
    #[default]
    AllSuccess,
    /// All are final and none failed, even if all were skipped.
    NoneFailed,
    /// All are final.
    AllDone,
    /// At once with the first success.
    OneSuccess,
    /// At once with the first failure.
    OneFailed,
    /// All are final and all failed.
    AllFailed,
}

impl Rule {
    /// All rules, with their names in scripts.
    pub const ALL: [(&'static str, Rule); 6] = [
        ("all_success", Rule::AllSuccess),
        ("none_failed", Rule::NoneFailed),
        ("all_done", Rule::AllDone),
        ("one_success", Rule::OneSuccess),
        ("one_failed", Rule::OneFailed),
        ("all_failed", Rule::AllFailed),
    ];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, rule)| *rule == self).map_or("all_success", |(name, _)| name)
    }
}

/// What a failure of a step means for others. Without it dependants are skipped, other branches go on, the run fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Nothing new starts, what runs may end, the run fails.
    Stop,
    /// Dependants see a success; the run is not failed by it.
    Continue,
    /// Dependants see a step that was not taken; the run is not failed by it.
    Skip,
}

impl OnError {
    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            OnError::Stop => "stop",
            OnError::Continue => "continue",
            OnError::Skip => "skip",
        }
    }
}

/// Further attempts after a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// Wait before the second attempt, in milliseconds.
    pub delay_ms: u64,
    /// How the wait grows.
    pub backoff: Backoff,
    /// Longest wait, in milliseconds.
    pub max_delay_ms: u64,
    /// Share of the wait that is drawn anew each time, 0 to 1: 0.5 means between half the wait and the whole.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { max_attempts: 3, delay_ms: 1_000, backoff: Backoff::Exponential, max_delay_ms: 300_000, jitter: 0.0 }
    }
}

/// How the wait between attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same.
    Fixed,
    /// The delay times 1, 2, 3, …
    Linear,
    /// The delay times 1, 2, 4, …
    #[default]
    Exponential,
}

/// How the standard output of a process becomes its `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// An object or array if it is exactly one, else text without the final newline.
    #[default]
    Auto,
    /// Any JSON value; anything else is a failure.
    Json,
    /// Text without the final newline.
    Text,
    /// An array of its lines.
    Lines,
    /// An array of the texts that each end with a NUL byte, as `find -print0` and `git -z` write them.
    Nul,
    /// An array of the JSON values on its lines; anything else is a failure.
    Ndjson,
}

/// Settings of the whole script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// Most steps that run at the same time. Nothing said: the number of cores, at least 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Longest time of the run, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// `on_error` of the steps that say nothing. Only `Stop` or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnError>,
    /// Which of the ready steps runs first.
    pub order: Order,
    /// Working directory of all processes that say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Further environment variables of all processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Value)>,
    /// Shell of the `sh` steps that say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Rules that give failures their class, before the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassRule>,
    /// What is done about the failures of a class, where it is not the built-in strategy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub strategies: BTreeMap<Class, Strategy>,
    /// What is undone when the run fails.
    #[serde(skip_serializing_if = "is_default")]
    pub undo: UndoScope,
    /// Most bytes that a process may write to its standard output, and to its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<u64>,
}

impl Settings {
    /// What is done about the failures of a class.
    pub fn strategy(&self, class: Class) -> Strategy {
        self.strategies.get(&class).cloned().unwrap_or_else(|| class.strategy())
    }
}

/// Which of the ready steps runs first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Highest priority, then earliest deadline, then first come.
    #[default]
    Priority,
    /// First come.
    Fifo,
    /// Highest priority, then the longest rest of the way to the end of the plan.
    CriticalPath,
    /// Highest priority, then the shortest estimate.
    Shortest,
}

impl Order {
    /// All orders, with their names in scripts.
    pub const ALL: [(&'static str, Order); 4] = [
        ("priority", Order::Priority),
        ("fifo", Order::Fifo),
        ("critical_path", Order::CriticalPath),
        ("shortest", Order::Shortest),
    ];
}

/// A named limit: how much of something may be in use at the same time, or begin within a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Most shares held at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Most shares taken within any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// How `max` follows what waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

/// How the `max` of a limit follows what waits for it: `pool(…, #{ min, max, scale, idle_timeout })`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scale {
    /// At least so many shares.
    pub min: u32,
    /// At most so many.
    pub max: u32,
    /// A share more for so many that wait: `queue.length / 100` is 100.
    pub per: u32,
    /// A share that nobody has needed for so long goes away, in milliseconds.
    pub idle_ms: u64,
}
