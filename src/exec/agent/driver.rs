//! Which driver an agent has.

use crate::event::{Failure, FailureKind};
use crate::plan::{Agent, AgentConfig, Backend, Class, Speaks};

use super::anthropic::Anthropic;
use super::claude::{Claude, ClaudeLines};
use super::codex::{Codex, CodexLines};
use super::command::{Command, EitherLines, EventLines, TextLines};
use super::gemini::{Gemini, GeminiLines};
use super::openai::Openai;
use super::opencode::{Opencode, OpencodeLines};
use super::spec::Program;
use super::{Brief, Dialect, Driver, Errand};

/// What drives an agent.
pub fn driver_of(agent: &Agent) -> Box<dyn Driver> {
    if let Some(spec) = &agent.via {
        return Box::new(Program { spec: spec.clone() });
    }
    let driver: Box<dyn Driver> = match agent.backend.as_str() {
        "claude" => Box::new(Claude),
        "command" => Box::new(Command { input: agent.input.unwrap_or_default(), speaks: agent.speaks }),
        "codex" => Box::new(Codex),
        "gemini" => Box::new(Gemini),
        "opencode" => Box::new(Opencode),
        "anthropic" => Box::new(Anthropic),
        "openai" => Box::new(Openai),
        _ => Box::new(Unknown),
    };
    match agent.speaks {
        Some(speaks) if agent.backend != "command" => Box::new(Speaking { driver, speaks }),
        _ => driver,
    }
}

/// How the lines of a program are read that speaks like this.
pub fn dialect_of(speaks: Option<Speaks>) -> Box<dyn Dialect> {
    match speaks {
        None => Box::new(EitherLines::default()),
        Some(Speaks::Text) => Box::new(TextLines::default()),
        Some(Speaks::Ndjson) => Box::new(EventLines),
        Some(Speaks::Claude) => Box::new(ClaudeLines::default()),
        Some(Speaks::Codex) => Box::new(CodexLines::default()),
        Some(Speaks::Gemini) => Box::new(GeminiLines::default()),
        Some(Speaks::Opencode) => Box::new(OpencodeLines::default()),
    }
}

/// A driver whose program is read in another dialect than its own.
struct Speaking {
    driver: Box<dyn Driver>,
    speaks: Speaks,
}

impl Driver for Speaking {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        self.driver.errand(brief)
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        dialect_of(Some(self.speaks))
    }

    fn tell_live(&self, from: &str, event: &crate::event::AgentEvent) -> Option<Vec<u8>> {
        self.driver.tell_live(from, event)
    }

    fn task_live(&self, brief: &Brief<'_>) -> Vec<u8> {
        self.driver.task_live(brief)
    }
}

/// No backend has that name. Plans are checked, so this is a plan of another version.
struct Unknown;

impl Driver for Unknown {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        let message = format!("no backend is called `{}`", brief.agent.backend);
        Err(cannot(
            message,
            "backends are claude, codex, gemini, opencode, anthropic, openai, command, and those of flow.toml",
        ))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        dialect_of(None)
    }
}

/// What is asked for cannot be done, however often it is tried.
pub(super) fn cannot(message: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure { class: Class::Configuration, ..Failure::new(FailureKind::Agent, message).help(help) }
}

/// Does it get an empty folder for its settings? Where nothing is said: if it has a key of its own.
pub(super) fn own_config(agent: &Agent) -> bool {
    match agent.config {
        Some(config) => config == AgentConfig::Own,
        None => agent.api_key.is_some(),
    }
}

/// Has its backend all that the agent asks for? Plans are checked, but a conversation is known only now.
pub(super) fn has_all(brief: &Brief<'_>) -> Result<(), Failure> {
    let agent = brief.agent;
    let lacks = Backend::named(&agent.backend).map(|backend| backend.lacks(agent, brief.session.is_some()));
    match lacks.unwrap_or_default().first() {
        Some(lack) => Err(cannot(lack.message(agent), lack.help)),
        None => Ok(()),
    }
}
