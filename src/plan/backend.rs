//! Backends of agents: what drives them. Facts that plans, checks and executors need alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Agent, AgentInput, Speaks};

/// What is known of a backend beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name in scripts.
    pub name: &'static str,
    /// The program, if it is one.
    pub program: Option<&'static str>,
    /// Does it read what others write while they write it?
    pub reads_live: bool,
    /// Why not, as the end of a sentence about it.
    pub why_not_live: &'static str,
    /// Does it say what it costs?
    pub tells_cost: bool,
    /// Does it have tools?
    pub has_tools: bool,
    /// Does it see to it by itself that an answer fits its schema? Else the prompt asks for it.
    pub checks_schema: bool,
    /// How to get it.
    pub install: &'static str,
    /// The versions of the program that were tried, as dotted prefixes.
    pub tested: &'static [&'static str],
}

const PROGRAM: Backend = Backend {
    name: "",
    program: None,
    reads_live: false,
    why_not_live: "",
    tells_cost: false,
    has_tools: true,
    checks_schema: false,
    install: "",
    tested: &[],
};

/// All built-in ones.
pub const BACKENDS: [Backend; 7] = [
    Backend {
        name: "claude",
        program: Some("claude"),
        reads_live: true,
        tells_cost: true,
        checks_schema: true,
        install: "npm install -g @anthropic-ai/claude-code",
        tested: &["2.1"],
        ..PROGRAM
    },
    Backend {
        name: "codex",
        program: Some("codex"),
        why_not_live: "`codex exec` reads all of its input before it begins",
        checks_schema: true,
        install: "npm install -g @openai/codex",
        tested: &["0.169"],
        ..PROGRAM
    },
    Backend {
        name: "gemini",
        program: Some("gemini"),
        why_not_live: "`gemini -p` reads all of its input before it begins",
        install: "npm install -g @google/gemini-cli",
        tested: &["0.61"],
        ..PROGRAM
    },
    Backend {
        name: "opencode",
        program: Some("opencode"),
        why_not_live: "`opencode run` reads all of its input before it begins",
        tells_cost: true,
        install: "npm install -g opencode-ai",
        tested: &["1.18"],
        ..PROGRAM
    },
    Backend {
        name: "anthropic",
        why_not_live: "a request is sent whole",
        has_tools: false,
        install: "nothing to install: give it a key, `api_key: secret(\"ANTHROPIC_API_KEY\")`",
        ..PROGRAM
    },
    Backend {
        name: "openai",
        why_not_live: "a request is sent whole",
        has_tools: false,
        install: "nothing to install: give it a key, `api_key: secret(\"OPENAI_API_KEY\")`",
        ..PROGRAM
    },
    Backend {
        name: "command",
        reads_live: true,
        install: "name a program that is installed: `command: [\"program\", \"argument\"]`",
        ..PROGRAM
    },
];

impl Backend {
    /// The built-in one of a name.
    pub fn named(name: &str) -> Option<&'static Backend> {
        BACKENDS.iter().find(|backend| backend.name == name)
    }
}

impl Agent {
    /// Does its backend see to it by itself that an answer fits its schema?
    pub fn checks_schema(&self) -> bool {
        match &self.via {
            Some(spec) => spec.command.iter().any(|word| word.contains("{schema_file}")),
            None => Backend::named(&self.backend).is_some_and(|backend| backend.checks_schema),
        }
    }

    /// Does it read what others write while they write it? Else why not, as the end of a sentence about it.
    ///
    /// # Errors
    /// Why not.
    pub fn reads_live(&self) -> Result<(), &'static str> {
        let input = match &self.via {
            Some(spec) if spec.has_prompt() => AgentInput::Argument,
            Some(spec) => spec.input,
            None => match Backend::named(&self.backend) {
                Some(backend) if !backend.reads_live => return Err(backend.why_not_live),
                Some(backend) if backend.name != "command" => return Ok(()),
                _ => self.input.unwrap_or_default(),
            },
        };
        match input {
            AgentInput::Stdin | AgentInput::Ndjson => Ok(()),
            AgentInput::Argument => Err("its program gets its task as an argument, which is complete when it begins"),
        }
    }
}

/// A backend of `flow.toml`: how a program is called, and how it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BackendSpec {
    /// The program with its arguments. `{model}`, `{system}`, `{session}`, `{prompt}`, `{max_turns}`, `{schema_file}` stand for
    /// what the agent says; an argument with one that is not said is left out, with the flag before it.
    pub command: Vec<String>,
    /// How it gets the task.
    pub input: AgentInput,
    /// How it answers. Nothing said: lines that are events, or else text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks: Option<Speaks>,
    /// Further environment variables that it needs, by name or as a beginning with `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// What prints its version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// How to get it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub install: String,
}

impl BackendSpec {
    /// What a command can name in braces.
    pub const PLACES: [&'static str; 6] = ["model", "system", "session", "prompt", "max_turns", "schema_file"];

    /// The names in braces in an argument: words of small letters and `_`. Other braces are its own.
    pub fn places(word: &str) -> impl Iterator<Item = &str> {
        word.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'))
    }

    /// Does the task stand in its command?
    pub fn has_prompt(&self) -> bool {
        self.command.iter().any(|word| word.contains("{prompt}"))
    }
}
