//! What agents say and use: one form for all backends.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Log, Output};
use crate::plan::{Json, StepId};

/// Something that an agent did or said. Each raw line of its program gives none, one or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// It began. Programs say this before every turn: later ones add nothing.
    #[serde(rename = "agent.started")]
    Started {
        /// The conversation.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        session: String,
        /// The model.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        model: String,
        /// The program's version.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        version: String,
        /// The tools that it has.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tools: Vec<String>,
    },
    /// A piece of text of a message.
    #[serde(rename = "agent.text")]
    Text {
        /// The text.
        text: String,
        /// It continues the one before: both are one message.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        delta: bool,
        /// A sub-agent said it: the tool call that it works for.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        parent: String,
    },
    /// What it thinks.
    #[serde(rename = "agent.thinking")]
    Thinking {
        /// The text.
        text: String,
        /// It continues the one before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        delta: bool,
    },
    /// It calls a tool.
    #[serde(rename = "agent.tool_call")]
    ToolCall {
        /// The call's id.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        id: String,
        /// The tool.
        name: String,
        /// What it is given.
        #[serde(default, skip_serializing_if = "Json::is_null")]
        input: Json,
        /// A sub-agent calls it: the tool call that it works for.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        parent: String,
    },
    /// What a tool gave.
    #[serde(rename = "agent.tool_result")]
    ToolResult {
        /// The call's id.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        id: String,
        /// What it gave, as text.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        output: String,
        /// Did it fail?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    /// What was used so far in this attempt: a total, not an addition.
    #[serde(rename = "agent.usage")]
    Usage(Usage),
    /// Its program tries again to reach the model.
    #[serde(rename = "agent.retry")]
    Retry {
        /// Which attempt comes.
        #[serde(default)]
        attempt: u32,
        /// After so many milliseconds.
        #[serde(default)]
        delay_ms: u64,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A tool was refused.
    #[serde(rename = "agent.denied")]
    Denied(Denial),
    /// It says that it is done.
    #[serde(rename = "agent.finished")]
    Finished {
        /// Its answer. Nothing: the text since the last tool result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Why it is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<AgentError>,
        /// Its answer as JSON, where its program checked that against a schema.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        structured: Option<Json>,
    },
    /// Something that flow has no word for: a warning, a kind of line that is new.
    #[serde(rename = "agent.other")]
    Other {
        /// What kind of line it was.
        what: String,
        /// What is worth showing of it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
}

/// Why an agent's answer is none, as its program or server says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentError {
    /// In words.
    pub message: String,
    /// The name that the program gives it: `error_max_turns`, `overloaded_error`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The HTTP status behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// After so many milliseconds it may be tried again, as the server says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// It stopped because it may use no more: turns, tokens, money.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub limit: bool,
}

/// A tool that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Denial {
    /// The tool.
    pub tool: String,
    /// What it was to do, in short.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Money, in US dollars, where the backend says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Tokens.
    pub tokens: Tokens,
    /// Turns.
    #[serde(skip_serializing_if = "is_zero")]
    pub turns: u64,
    /// Working time, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub time_ms: u64,
}

impl std::ops::AddAssign<&Usage> for Usage {
    fn add_assign(&mut self, more: &Usage) {
        if let Some(cost) = more.cost_usd {
            *self.cost_usd.get_or_insert_default() += cost;
        }
        self.tokens.input += more.tokens.input;
        self.tokens.output += more.tokens.output;
        self.tokens.cache_read += more.tokens.cache_read;
        self.tokens.cache_write += more.tokens.cache_write;
        self.tokens.reasoning += more.tokens.reasoning;
        self.turns += more.turns;
        self.time_ms += more.time_ms;
    }
}

/// Tokens, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Read anew, cached ones not counted.
    pub input: u64,
    /// Written, reasoning included.
    pub output: u64,
    /// Read from a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Written into a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Of those written: used for reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

impl Tokens {
    /// All of them: what a budget counts.
    pub fn total(&self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How an agent's attempt is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It said that it is done, without an error, ended with code 0, and gave what was asked for.
    #[default]
    Finished,
    /// It said that it failed, or ended badly.
    Failed,
    /// It ended without saying that it is done.
    CutOff,
    /// It ended, and said nothing at all.
    Silent,
    /// It said nothing for too long, or did not end after it was done with an error.
    Hung,
    /// It would have used more than it may.
    OverBudget,
    /// It was refused a tool, and that was to be a failure.
    Denied,
}

impl Verdict {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Verdict); 7] = [
        ("finished", Verdict::Finished),
        ("failed", Verdict::Failed),
        ("cut_off", Verdict::CutOff),
        ("silent", Verdict::Silent),
        ("hung", Verdict::Hung),
        ("over_budget", Verdict::OverBudget),
        ("denied", Verdict::Denied),
    ];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, verdict)| *verdict == self).map_or("finished", |(name, _)| name)
    }
}

/// What is known of an agent's attempt when it is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentReport {
    /// The judgement.
    pub verdict: Verdict,
    /// The agent.
    pub agent: SmolStr,
    /// Its backend.
    pub backend: SmolStr,
    /// The model, as the program names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The program's version, as it says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The conversation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Its answer as text; of a failed attempt what it had said last.
    #[serde(skip_serializing_if = "Output::is_none")]
    pub text: Output,
    /// What it used.
    pub usage: Usage,
    /// The tools that it called, and how often, in the order of first use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools_used: Vec<(SmolStr, u32)>,
    /// The tools that it was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// The prompt as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Log>,
    /// The events, with when each came and which line it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Log>,
    /// The files that it changed, of a step that says what it writes or works in a work tree of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Box<Changes>>,
    /// It was answered from this recording.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recorded: String,
}

/// What a step really changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// The files, relative to its working directory, in order; in a work tree of its own to the top of that.
    pub files: Vec<String>,
    /// Those of them that it had not declared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<String>,
    /// Files that changed meanwhile and that neither it nor a step beside it in the same folder had declared: one of them
    /// changed them. They are not among `files`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsure: Vec<String>,
    /// The branch of its work tree.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The path of the step that worked there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Of a merge: what it left out and why, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// What they hold, for a replay, if an agent changed them: a `ChangedFile` on each line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Log>,
    /// Those of which `contents` says nothing: longer than 1 MiB, beyond 16 MiB in all, or no plain files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// What a changed file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path.
    pub file: String,
    /// Its text. Neither this nor `bytes`: it was removed.
    pub text: Option<String>,
    /// As base64, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// One line of the file of an attempt's events (`AgentReport::events`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentLine {
    /// When, in milliseconds since the attempt began.
    pub at: u64,
    /// Where its raw line begins in what the program printed, in bytes.
    #[serde(default)]
    pub from: u64,
    /// How long that line is, its end included. 0: the line is that of the event before; or it is flow's own.
    #[serde(default)]
    pub bytes: u64,
    /// The event.
    #[serde(flatten)]
    pub event: AgentEvent,
}

/// What an agent has used so far, and what it does. Comes at a bounded rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// The step.
    pub step: StepId,
    /// Its attempt.
    pub attempt: u32,
    /// Totals of this attempt.
    pub usage: Usage,
    /// What it does now, in a few words: `Bash: cargo test`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doing: String,
    /// Memory of all its processes, in KiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory_kib: u64,
}

/// Something was noted on a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The board.
    pub board: StepId,
    /// Under what.
    pub key: String,
    /// What. Nothing takes away what was there.
    pub value: Json,
    /// The board lasts over runs, under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<SmolStr>,
}
