//! Agents: how their programs are called, what they say, and how their end is judged.
//!
//! A [`Driver`] knows one backend: what is to be run or sent for a [`Brief`], and how the lines that come back are read (a
//! [`Dialect`]). It neither starts nor waits for anything, so all of them are pure and are tried on lines of text.

mod answer;
mod around;
mod attempt;
mod block;
mod company;
mod context;
mod hearing;
mod journal;
mod lines;
mod outcome;
mod program;
pub mod prompt;
mod replay;
mod request;
mod seen;
mod supervise;
mod told;
mod trouble;
mod verdict;
mod watch;
mod weight;

use std::path::Path;

mod anthropic;
mod claude;
mod codex;
mod command;
mod driver;
mod gemini;
mod line;
mod openai;
mod opencode;
mod schema;
mod spec;
mod sse;
#[cfg(test)]
mod tests;

pub use driver::{dialect_of, driver_of};

pub(super) use attempt::{Shared, run};
pub(super) use company::Company;
pub(super) use told::aside;

use crate::event::{AgentEvent, Failure};
use crate::plan::{Agent, Budget, Json};

/// What an agent is asked, with everything filled in.
pub struct Brief<'a> {
    /// The agent.
    pub agent: &'a Agent,
    /// The model.
    pub model: Option<String>,
    /// What it is told before any task.
    pub system: Option<String>,
    /// The task, with what came before it.
    pub prompt: String,
    /// What the answer must be like.
    pub schema: Option<&'a Json>,
    /// The conversation that it goes on with.
    pub session: Option<String>,
    /// The program with its first arguments, where the agent names one.
    pub command: Vec<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Where the model is.
    pub base_url: Option<String>,
    /// The key to it.
    pub api_key: Option<String>,
    /// What it may use.
    pub allowance: Option<Budget>,
    /// A folder of the attempt's own, for settings and files that the program is to read. It is made when it is needed.
    pub folder: &'a Path,
    /// Does it get what others write while they write it? Then the task comes last ([`Driver::task_live`]).
    pub live: bool,
}

/// What is to be done for a brief.
pub enum Errand {
    /// A program.
    Program(Launch),
    /// A request.
    Request(Call),
}

/// A program to be started.
#[derive(Debug, Default)]
pub struct Launch {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Variables that it gets, beside those of the agent and of the step.
    pub env: Vec<(String, String)>,
    /// Names of flow's own variables that it needs; a `*` at the end stands for anything.
    pub pass_env: Vec<String>,
    /// Its standard input, which is closed behind it. Not used for a live one.
    pub stdin: Vec<u8>,
    /// Files to be written before, with their contents; private to the user.
    pub files: Vec<(std::path::PathBuf, Vec<u8>)>,
}

/// A request to be sent; what comes back is read line by line.
#[derive(Debug, Default)]
pub struct Call {
    /// Where to.
    pub url: String,
    /// Headers; those whose value is secret are never shown.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: Json,
}

/// One backend.
pub trait Driver: Send + Sync {
    /// What is to be run or sent.
    ///
    /// # Errors
    /// What the agent asks for and the backend does not have.
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure>;

    /// How its lines are read.
    fn dialect(&self) -> Box<dyn Dialect>;

    /// Live: the line that tells it of something that one before it (`from`) did, if it is to know that.
    fn tell_live(&self, _from: &str, _event: &AgentEvent) -> Option<Vec<u8>> {
        None
    }

    /// Live: its task, after which its standard input is closed.
    fn task_live(&self, brief: &Brief<'_>) -> Vec<u8> {
        brief.prompt.clone().into_bytes()
    }
}

/// Reads the lines of one attempt.
pub trait Dialect: Send {
    /// A request was answered with this status, before the first line. `retry_after_ms`: after so many milliseconds it may
    /// be sent again, as the server says. With another status than 200 to 299 the lines are what the server says about it.
    fn status(&mut self, _status: u16, _retry_after_ms: Option<u64>) {}

    /// A line, without its end. What is not understood is [`AgentEvent::Other`]; nothing is an error.
    fn line(&mut self, line: &[u8], out: &mut Vec<AgentEvent>);

    /// The output is at its end: what only follows from that.
    fn end(&mut self, _out: &mut Vec<AgentEvent>) {}
}

/// What an agent's program printed once, to be read again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The backend whose program it was: its lines are read as that one's, whichever the agent has now. Empty: the agent's.
    pub backend: String,
    /// Its lines with their ends, each with its time in milliseconds since the attempt began.
    pub lines: Vec<(u64, Vec<u8>)>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// Its exit code; nothing for a request, or a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Files that it changed, with their contents; nothing: it removed them.
    pub changes: Vec<(String, Option<Vec<u8>>)>,
}

/// Answers in place of agents. A door: flow's are runs, and files made of runs.
pub trait Recordings: Send + Sync {
    /// What was recorded for an attempt of a step; of an attempt that there was not, the last one.
    ///
    /// # Errors
    /// That there is nothing, or that it cannot be read.
    fn find(&self, path: &str, attempt: u32) -> Result<Recording, Failure>;

    /// Where it comes from, for people.
    fn name(&self) -> &str;

    /// With the original timing? Else at once.
    fn keeps_time(&self) -> bool {
        false
    }
}
