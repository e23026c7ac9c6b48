//! Policies: how a step is to be run, apart from what it does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Value;

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
}
