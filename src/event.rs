//! Events: everything that happens in a run, as it stands in its log.
//!
//! The log is the one source of truth: the plan, the state, progress, reports and the audit trail are folds over it.
//! An event never says what follows from the ones before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diag::Span;
use crate::plan::{Growth, Json, StepId};

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the run, from 0, without gaps.
    pub seq: u64,
    /// When, in milliseconds since 1970 (UTC), by the clock of the machine that wrote it.
    pub at: u64,
    /// What.
    pub event: Arc<Event>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every log.
    Created(Box<Created>),
    /// The plan grew: by the script, or by a fan-out (`of`) whose closure was evaluated.
    Planned {
        /// The `each`, `repeat` or `workflow` that got children.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<StepId>,
        /// What came.
        growth: Box<Growth>,
    },
    /// A process began to work on the run: at its start, and again with each resume.
    Opened {
        /// The process.
        pid: u32,
        /// Of this machine.
        host: String,
        /// And this version of flow.
        flow: String,
    },
    /// A condition was evaluated.
    Decided {
        /// The step whose condition it is.
        step: StepId,
        /// Which branch of a `flow`, which iteration's `until` of a `repeat` (from 0); 0 otherwise.
        branch: u32,
        /// What came out.
        result: Decision,
        /// The values that were read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        saw: Vec<Saw>,
    },
    /// An attempt began; a group opened.
    Started {
        /// Of this step.
        step: StepId,
        /// Its number, from 1.
        attempt: u32,
    },
    /// An attempt failed and another will be made.
    Retrying {
        /// Of this step.
        step: StepId,
        /// The attempt that failed.
        attempt: u32,
        /// How it ended.
        outcome: Arc<Outcome>,
        /// Milliseconds until the next one.
        delay_ms: u64,
    },
    /// A step that only lets time pass began to.
    Waiting {
        /// The step.
        step: StepId,
        /// For how long, in milliseconds from the event's time.
        delay_ms: u64,
    },
    /// A step ended, well or badly.
    Finished {
        /// The step.
        step: StepId,
        /// The attempt that ended it.
        attempt: u32,
        /// How it ended. A group's output is not in it: it follows from its children.
        outcome: Arc<Outcome>,
    },
    /// A step will not run.
    Skipped {
        /// The step.
        step: StepId,
        /// Why.
        reason: Skip,
    },
    /// An attempt was going on when its process died, or was stopped to be resumed later: it will be made again.
    Interrupted {
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
    },
    /// A step was ended, or will not begin, because the run was cancelled or stopped by a failure.
    Cancelled {
        /// The step.
        step: StepId,
    },
    /// Nothing new will start in this run.
    Stopping {
        /// Why.
        reason: Stop,
    },
    /// The process let go of a run that is not at its end; it can be resumed.
    Paused,
    /// The run is at its end.
    Ended {
        /// `Success`, `Failed` or `Cancelled`.
        status: RunStatus,
    },
    /// Lines that the script printed while the plan was built.
    Printed {
        /// The lines.
        text: String,
    },
}

/// What a run is, beside its plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The run's id.
    pub run: String,
    /// Name of the workflow.
    pub workflow: String,
    /// The script's path, absolute; `-` for standard input.
    pub file: String,
    /// Where flow was called: the working directory of processes.
    pub cwd: String,
    /// Parameters as given, before defaults.
    pub args: Vec<(String, String)>,
    /// SHA-256 of the script and of everything it may import, as it was then: name and hash, the script first.
    pub sources: Vec<(String, String)>,
    /// A number that makes jitter differ between runs.
    pub seed: u64,
    /// `--max-parallel`, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Version of the form of events.
    pub version: u32,
}

/// What a condition came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// True or false.
    Is(bool),
    /// It could not be evaluated.
    Failed(Failure),
}

/// A value that a condition has read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saw {
    /// Of this step.
    pub step: StepId,
    /// As in the script: `passed`, `output.percent`.
    pub what: String,
    /// The value, shortened if it is long.
    pub value: Json,
    /// Does reading it deal with a failure of the step (`passed`, `failed`, `code`, `error`, …)?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handles: bool,
}

/// Why a step will not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Its condition was false, its branch was not chosen, or its predecessors were not taken.
    NotTaken(Because),
    /// A predecessor failed, or was itself skipped for that reason.
    UpstreamFailed(Because),
}

/// What led to a skip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Its own condition (see the `Decided` event).
    Condition,
    /// Another branch of this flow was taken, or none.
    Branch(StepId),
    /// Its group was skipped.
    Group(StepId),
    /// Its rule said no because of this predecessor.
    Predecessor(StepId),
    /// It is a group and all its children were skipped: this one, for instance.
    Child(StepId),
    /// The run ended otherwise than the hook waits for.
    Moment,
}

/// How one attempt ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Nothing: it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Its output.
    #[serde(default, skip_serializing_if = "Output::is_none")]
    pub output: Output,
    /// Exit code of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Signal that ended a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Standard output of a process, as text: nothing if it was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Log>,
    /// Its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Log>,
    /// What it wrote to `$FLOW_OUTPUT`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, Json>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duration_ms: u64,
    /// Processor time of a process and its children, user and system.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_ms: u64,
    /// Largest resident memory of a process, in KiB. 0 if it is not known, as for those that need less than flow itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory_kib: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Longest output, in bytes, that stands in an event; a longer one is a file beside the database.
pub const INLINE_LIMIT: usize = 64 * 1024;

/// What a step gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Nothing: `()`.
    #[default]
    None,
    /// A value.
    Value(Json),
    /// The text or (if `json`) the JSON value in a file of the run.
    File {
        /// The file.
        log: Log,
        /// Is it JSON?
        json: bool,
    },
}

impl Output {
    /// Is there none?
    pub fn is_none(&self) -> bool {
        matches!(self, Output::None)
    }
}

/// A file that a process wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// Below the run's folder, `logs/…`.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal; for files over [`INLINE_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Of which kind.
    pub kind: FailureKind,
    /// What happened, as a sentence without a full stop.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where in the script, if it is not simply where the step was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

impl Failure {
    /// A failure with nothing but a kind and a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), help: None, span: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A process ended with another code than 0.
    Exit,
    /// A process was ended by a signal that was not ours.
    Signal,
    /// A process could not be started.
    Spawn,
    /// It took longer than its `timeout`.
    Timeout,
    /// A closure or an expression of the script failed.
    Script,
    /// A value it needs could not be had, or does not fit where it is used.
    Input,
    /// Its output is not what `parse` asks for.
    Output,
    /// `fail(…)`.
    Fail,
    /// A child of the group failed.
    Child,
    /// The disk or the store.
    Store,
    /// It was cancelled.
    Cancelled,
}

impl FailureKind {
    /// Its name in scripts and tables.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Exit => "exit",
            FailureKind::Signal => "signal",
            FailureKind::Spawn => "spawn",
            FailureKind::Timeout => "timeout",
            FailureKind::Script => "script",
            FailureKind::Input => "input",
            FailureKind::Output => "output",
            FailureKind::Fail => "fail",
            FailureKind::Child => "child",
            FailureKind::Store => "store",
            FailureKind::Cancelled => "cancelled",
        }
    }
}

/// Why nothing new starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// `flow cancel`: the run ends as cancelled.
    Cancelled,
    /// A person pressed Ctrl-C, or the system asked the process to end: the run can be resumed.
    Interrupted,
    /// A step failed whose `on_error` is `stop`.
    Failure(StepId),
    /// The run took longer than its `timeout`.
    Timeout,
}

/// Status of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Created, nothing started yet.
    #[default]
    Pending,
    /// A process works on it.
    Running,
    /// All went well.
    Success,
    /// A step failed and nothing handled it.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// Nobody works on it; it waits for a person or a signal, or to be resumed.
    Paused,
    /// Its process is gone. Never in a log: known by the run's lock.
    Interrupted,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [RunStatus; 7] = [
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Success,
        RunStatus::Failed,
        RunStatus::Cancelled,
        RunStatus::Paused,
        RunStatus::Interrupted,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Pending => "pending",
            RunStatus::Running => "running",
            RunStatus::Success => "success",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
            RunStatus::Paused => "paused",
            RunStatus::Interrupted => "interrupted",
        }
    }

    /// Is it over?
    pub fn is_final(self) -> bool {
        matches!(self, RunStatus::Success | RunStatus::Failed | RunStatus::Cancelled)
    }
}
