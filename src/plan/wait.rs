//! Tasks that wait for a person, a signal, a moment or a file. No process is held meanwhile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Json, Value};

/// `approve(name, #{…})`: a person's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Approve {
    /// What the person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Value>,
    /// The answers to choose from. Empty: `yes` and `no`, and `no` is a failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub choices: Vec<SmolStr>,
    /// Further values that the person gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<Field>,
    /// What happens when nobody has answered within the step's timeout.
    #[serde(default, skip_serializing_if = "OnTimeout::is_default")]
    pub on_timeout: OnTimeout,
}

/// A value that a person is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Its key in the answer.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// `string`, `int`, `float` or `bool`.
    #[schemars(with = "String")]
    pub kind: SmolStr,
    /// The value where none is given; without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// The values it may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Json>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// `signal(name)`: something from outside, sent by `flow signal RUN NAME [VALUE]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignalWait {
    /// The signal's name.
    #[schemars(with = "String")]
    pub signal: SmolStr,
    /// What happens when it has not come within the step's timeout.
    #[serde(default, skip_serializing_if = "OnTimeout::is_default")]
    pub on_timeout: OnTimeout,
}

/// `wait_for(name, file)`: until a file or folder is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileWait {
    /// Which; relative to where flow was called.
    pub file: Value,
    /// What happens when it is not there within the step's timeout.
    #[serde(default, skip_serializing_if = "OnTimeout::is_default")]
    pub on_timeout: OnTimeout,
}

/// What happens when what a step waits for does not come in time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step fails.
    #[default]
    Fail,
    /// The step is skipped, as not taken.
    Skip,
    /// The step goes on with this answer.
    Answer(Json),
}

impl OnTimeout {
    fn is_default(&self) -> bool {
        *self == OnTimeout::Fail
    }
}
