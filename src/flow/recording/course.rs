//! The way that a run took: how its steps ended, after which failures, and what its conditions decided by which values.

use serde::{Deserialize, Serialize};

use crate::event::{Failure, RunStatus};
use crate::plan::Json;
use crate::state::Status;

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// How the run ended.
    pub status: RunStatus,
    /// Its steps, in the order of the plan.
    pub steps: Vec<Passed>,
    /// Its decisions, in their order.
    pub turns: Vec<Turn>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    /// Its path.
    pub step: String,
    /// How.
    pub ended: Status,
    /// How many of its attempts had an end, or would have had one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// What failed before, each followed by another attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Tried>,
    /// What it failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Tried>,
}

/// A failure, as far as it is compared, and what it said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Its kind, by name.
    pub kind: String,
    /// In words. Not compared: words hold times and addresses.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A condition that was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The path of the step whose condition it is.
    pub step: String,
    /// Which branch of a `flow`, which iteration's `until` of a `repeat`; 0 otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub branch: u32,
    /// What came out: true, false, or nothing: it could not be evaluated.
    pub decided: Option<bool>,
    /// The values that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<WasRead>,
}

/// A value that a condition has read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WasRead {
    /// Of the step of this path.
    pub step: String,
    /// As in the script.
    pub what: String,
    /// The value, shortened if it is long.
    pub value: Json,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl From<&Failure> for Tried {
    fn from(failure: &Failure) -> Self {
        Tried { kind: failure.kind.name().to_owned(), message: failure.message.clone() }
    }
}
