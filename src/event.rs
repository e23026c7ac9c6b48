//! Events: everything that happens in a run, as it stands in its log.
//!
//! The log is the one source of truth: the plan, the state, progress, reports and the audit trail are folds over it.
//! An event never says what follows from the ones before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::diag::Span;
use crate::plan::{Class, Field, Growth, Json, OnTimeout, Plan, StepId};

mod agent;
mod class;
mod double;
mod flowed;

pub use agent::{
    AgentError, AgentEvent, AgentLine, AgentReport, ChangedFile, Changes, Denial, Note, Tokens, Usage, Used, Verdict,
};
pub use class::{EXIT_CODES, Row, SIGNALS, STATUSES, classify, of_kind};
pub use double::{Double, Reply, fits};
pub use flowed::{Alerted, Counts, DeadLetter, Flowed, Meter, Reached};

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
    /// A step began to wait: for time to pass, or for something from outside.
    Waiting {
        /// The step.
        step: StepId,
        /// For how long, at the longest, in milliseconds from the event's time. [`Event::FOREVER`]: without an end.
        delay_ms: u64,
        /// For what.
        #[serde(default, skip_serializing_if = "WaitFor::is_time")]
        what: WaitFor,
    },
    /// What a step waited for came.
    Answered {
        /// The step.
        step: StepId,
        /// What came.
        answer: Box<Answer>,
    },
    /// Steps are as if they had never begun, but for the numbers of their attempts: their group is tried again, the run
    /// was rolled back, or is taken up at an earlier point. What they did stays in the log before this event.
    Reset {
        /// They are pending again.
        steps: Vec<StepId>,
        /// Children of fan-outs among them that will be made anew: they belong to the plan no more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retired: Vec<StepId>,
        /// Why.
        why: ResetWhy,
    },
    /// From here on what was done after a point is undone, latest first; then comes the `Reset`.
    RollingBack(Box<RollBack>),
    /// The run goes on with another plan: its script was edited.
    Replanned(Box<Replanned>),
    /// How far a stream or a pipeline is.
    Flowed(Box<Flowed>),
    /// A figure of a stream or a pipeline is out of bounds.
    Alerted(Box<Alerted>),
    /// What an agent has used so far.
    Used(Box<Used>),
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

impl Event {
    /// A wait without an end.
    pub const FOREVER: u64 = u64::MAX;
}

/// What a step waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// That time passes.
    #[default]
    Time,
    /// A person's answer.
    Answer {
        /// What the person is asked.
        prompt: String,
        /// The answers to choose from, never empty.
        choices: Vec<SmolStr>,
        /// Further values that the person gives.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        form: Vec<Field>,
        /// Is `no` a failure, because the script named no choices of its own?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refusable: bool,
        /// When nobody answers in time.
        #[serde(default)]
        on_timeout: OnTimeout,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: SmolStr,
        /// When it does not come in time.
        #[serde(default)]
        on_timeout: OnTimeout,
    },
    /// A file.
    File {
        /// Its path, absolute.
        path: String,
        /// When it is not there in time.
        #[serde(default)]
        on_timeout: OnTimeout,
    },
}

impl WaitFor {
    fn is_time(&self) -> bool {
        *self == WaitFor::Time
    }

    /// Does somebody have to say something: a person, or another program?
    pub fn by_letter(&self) -> bool {
        matches!(self, WaitFor::Answer { .. } | WaitFor::Signal { .. })
    }

    /// The answer that is meant where none is named: `yes`, if the choices are that and `no`.
    pub fn usual_answer(&self) -> Option<&str> {
        match self {
            WaitFor::Answer { choices, .. } => match choices.as_slice() {
                [yes, no] | [no, yes] if yes == "yes" && no == "no" => Some("yes"),
                _ => None,
            },
            _ => None,
        }
    }

    /// What happens when it does not come in time; nothing where the passing of time is what is waited for.
    pub fn on_timeout(&self) -> Option<&OnTimeout> {
        match self {
            WaitFor::Time => None,
            WaitFor::Answer { on_timeout, .. }
            | WaitFor::Signal { on_timeout, .. }
            | WaitFor::File { on_timeout, .. } => Some(on_timeout),
        }
    }
}

/// What came from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The choice, the signal's value, the file's path.
    pub value: Json,
    /// The values of the form.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub form: serde_json::Map<String, Json>,
    /// Who gave it; empty where nobody did (a file, a timeout).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When it was given, in milliseconds since 1970.
    pub at: u64,
    /// What else they had to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Its number among the letters that the store keeps for runs; 0: it is none of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub letter: u64,
}

/// Why steps are as if they had never begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetWhy {
    /// This group is tried again.
    Retry(StepId),
    /// The run was rolled back to this checkpoint.
    Rollback(String),
    /// The run is taken up again from these steps on.
    From(Vec<String>),
    /// What was to undo something failed, and is tried again.
    Undo,
    /// This stream begins again: its members start together, and nothing of an attempt that did not come to its end is kept.
    Stream(StepId),
}

/// A way back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RollBack {
    /// The checkpoint's name.
    pub to: String,
    /// The number of the event by which it was reached: what ended after it is undone. Nothing: the beginning.
    pub after: Option<u64>,
    /// The steps that are pending again in the end.
    pub steps: Vec<StepId>,
    /// The children of fan-outs that belong to the plan no more in the end.
    pub retired: Vec<StepId>,
}

/// Another plan for a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replanned {
    /// The plan, whole.
    pub plan: Box<Plan>,
    /// Steps of it, with those of the plan before that they are the same as, and whose results still hold.
    pub kept: Vec<(StepId, StepId)>,
    /// Steps of it that are made again, with those of the plan before at the same path: attempts are counted on.
    pub again: Vec<(StepId, StepId)>,
    /// The pieces of the plan that the script gave so far (several if it waits for results with `run(…)`): where each
    /// begins in the plan, and how many steps it has.
    pub pieces: Vec<(u32, u32)>,
    /// The script and everything it may import: name and SHA-256, the script first.
    pub sources: Vec<(String, String)>,
    /// The script's path, absolute.
    pub file: String,
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
    /// It takes up the dead letters of a pipeline of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replays: Option<Box<Replays>>,
    /// What answers in place of agents: `recorded:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<String>,
    /// A step of another run has started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<Box<PartOf>>,
}

/// The run to which another one belongs, and what it is for there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOf {
    /// The run.
    pub run: String,
    /// The path of the pipeline in that run.
    pub step: String,
    /// The stage of the pipeline.
    pub stage: String,
}

/// What a run replays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replays {
    /// The run whose dead letters it takes up.
    pub run: String,
    /// The path of the pipeline in that run, and in this one.
    pub step: String,
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
    /// It is a fallback, and one before it answered.
    NotNeeded(StepId),
    /// Nobody answered in time.
    Unanswered,
    /// What it was to clean up after had not begun.
    NotBegun(StepId),
    /// It was a child of a fan-out that has been made again since.
    Retired,
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
    /// The breaker that counts this outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<SmolStr>,
    /// What the cache said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Box<CacheNote>>,
    /// A member of a stream: what went through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamed: Option<Box<Streamed>>,
    /// What an agent did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<AgentReport>>,
    /// What it noted on boards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The files that it changed, of a step that says what it writes or works in a work tree of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Box<Changes>>,
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

/// What went through a member of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Streamed {
    /// Bytes that it was given.
    pub bytes_in: u64,
    /// Bytes that it wrote.
    pub bytes_out: u64,
    /// Lines that it wrote, where lines are told apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub lines: u64,
    /// Lines that it was not given, since it was too slow.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Lines that a closure failed for and that were left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// It was ended, or ended itself, because nobody read it any more: that is a success.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
    /// Its log, and its output, hold only the first part of what it wrote.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partly_kept: bool,
    /// Why its log is not whole, if the disk was the reason.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub not_kept: String,
}

/// What the cache said about a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheNote {
    /// The key: a hash of everything that the result depends on.
    pub key: String,
    /// Is this the result of an earlier run?
    pub hit: bool,
    /// That run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// When it was made, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: u64,
    /// Of a miss: why, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a script says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// None.
    No,
    /// As the step's `retry` says.
    Yes,
    /// After so many milliseconds.
    After(u64),
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
    /// What sort of trouble it is, and so what is done about it. Given by the machine.
    #[serde(default)]
    pub class: Class,
    /// A server asked for this much time before the next attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
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
        Failure { kind, class: Class::default(), retry_after_ms: None, message: message.into(), help: None, span: None }
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
    /// An HTTP answer had another status than expected.
    Http,
    /// There was no connection, or it broke off.
    Connection,
    /// Its result is not what `validate` asks for.
    Validation,
    /// Its breaker is open.
    Breaker,
    /// A person said no.
    Refused,
    /// It gave more than its limit allows.
    TooMuch,
    /// An agent said that it failed.
    Agent,
    /// An agent ended without saying that it is done.
    CutOff,
    /// An agent ended, and said nothing at all.
    Silent,
    /// An agent said nothing for too long.
    Hung,
    /// An agent would have used more than it may.
    OverBudget,
    /// An agent was refused a tool.
    Denied,
    /// The disk or the store.
    Store,
    /// It was cancelled.
    Cancelled,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [FailureKind; 23] = [
        FailureKind::Exit,
        FailureKind::Signal,
        FailureKind::Spawn,
        FailureKind::Timeout,
        FailureKind::Script,
        FailureKind::Input,
        FailureKind::Output,
        FailureKind::Fail,
        FailureKind::Child,
        FailureKind::Http,
        FailureKind::Connection,
        FailureKind::Validation,
        FailureKind::Breaker,
        FailureKind::Refused,
        FailureKind::TooMuch,
        FailureKind::Agent,
        FailureKind::CutOff,
        FailureKind::Silent,
        FailureKind::Hung,
        FailureKind::OverBudget,
        FailureKind::Denied,
        FailureKind::Store,
        FailureKind::Cancelled,
    ];

    /// Its name in scripts and tables.
    pub const fn name(self) -> &'static str {
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
            FailureKind::Http => "http",
            FailureKind::Connection => "connection",
            FailureKind::Validation => "validation",
            FailureKind::Breaker => "breaker",
            FailureKind::Refused => "refused",
            FailureKind::TooMuch => "too_much",
            FailureKind::Agent => "agent",
            FailureKind::CutOff => "cut_off",
            FailureKind::Silent => "silent",
            FailureKind::Hung => "hung",
            FailureKind::OverBudget => "over_budget",
            FailureKind::Denied => "denied",
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
