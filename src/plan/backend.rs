//! Backends of agents: what drives them. Facts that plans, checks and executors need alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Agent, AgentConfig, AgentInput, Speaks};

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
        checks_schema: true,
        has_tools: false,
        install: "nothing to install: give it a key, `api_key: secret(\"ANTHROPIC_API_KEY\")`",
        ..PROGRAM
    },
    Backend {
        name: "openai",
        why_not_live: "a request is sent whole",
        checks_schema: true,
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

/// What an agent asks for and its backend does not have, or needs and is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The key.
    pub key: &'static str,
    /// Is it one that is needed? Else it is one that cannot be said.
    pub needed: bool,
    /// Why, as the end of a sentence about the backend.
    pub why: &'static str,
    /// What to do.
    pub help: &'static str,
}

impl Lack {
    /// As a sentence.
    pub fn message(&self, agent: &Agent) -> String {
        let verb = if self.needed { "needs" } else { "cannot have" };
        format!("agent `{}` {verb} `{}`: its backend `{}` {}", agent.name, self.key, agent.backend, self.why)
    }
}

impl Backend {
    /// What of it can be seen beforehand that this backend does not have. `session`: it is to go on with a conversation.
    pub fn lacks(&self, agent: &Agent, session: bool) -> Vec<Lack> {
        let mut lacks = Vec::new();
        let mut lack = |said: bool, key, (needed, why, help): (bool, &'static str, &'static str)| {
            lacks.extend(said.then_some(Lack { key, needed, why, help }));
        };
        let tools = agent.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        let own = agent.config.map_or(agent.api_key.is_some(), |config| config == AgentConfig::Own);
        match self.name {
            "anthropic" | "openai" => {
                let help = "leave it out, or take a backend that is a program: claude, codex, gemini or opencode";
                let none = (false, "is a request, which has none", help);
                lack(tools, "tools", none);
                lack(agent.mcp_servers.is_some(), "mcp_servers", none);
                lack(session, "session", none);
                lack(!agent.command.is_empty(), "command", none);
                lack(!agent.args.is_empty(), "args", none);
                let help = "name one: `model: \"…\"`";
                lack(agent.model.is_none(), "model", (true, "takes no model by itself", help));
            }
            "codex" => {
                let help = "`permission: \"read\"` and `permission: \"edit\"` bound what its commands can do";
                let none = (false, "cannot be told which tools it has", help);
                lack(agent.tools.is_some(), "tools", none);
                lack(!agent.deny_tools.is_empty(), "deny_tools", none);
            }
            "gemini" if !own => {
                let help = "say `config: \"own\"`, and give it a key: `api_key: secret(\"GEMINI_API_KEY\")`";
                let none = (false, "takes that from its settings, which are the user's", help);
                lack(agent.tools.is_some(), "tools", none);
                lack(!agent.deny_tools.is_empty(), "deny_tools", none);
                lack(agent.mcp_servers.is_some(), "mcp_servers", none);
            }
            "opencode" => {
                let help = "name it, with its provider: `model: \"anthropic/claude-sonnet-4\"`";
                let with = agent.base_url.is_some() || agent.api_key.is_some();
                let why = "has no other way to know whose `base_url` or `api_key` that is";
                lack(with && agent.model.is_none(), "model", (true, why, help));
            }
            "command" => {
                let help = "name it: `command: [\"program\", \"argument\"]`";
                lack(agent.command.is_empty(), "command", (true, "is any program", help));
            }
            _ => {}
        }
        if matches!(self.name, "claude" | "codex" | "gemini" | "opencode") && own {
            let help = "say `config: \"user\"` in both questions; conversations are kept there";
            lack(session, "session", (false, "has settings of its own for each answer", help));
        }
        lacks
    }

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

    /// Does it read what others write while they write it? And how: event by event (`Ndjson`), or as it comes (`Stdin`)?
    ///
    /// # Errors
    /// Why not, as the end of a sentence.
    pub fn reads_live(&self) -> Result<AgentInput, &'static str> {
        let input = match &self.via {
            Some(spec) if spec.has_prompt() => AgentInput::Argument,
            Some(spec) => spec.input,
            None => match Backend::named(&self.backend) {
                Some(backend) if !backend.reads_live => return Err(backend.why_not_live),
                Some(backend) if backend.name != "command" => return Ok(AgentInput::Ndjson),
                _ => self.input.unwrap_or_default(),
            },
        };
        match input {
            AgentInput::Argument => Err("its task is an argument of its program"),
            input => Ok(input),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_does_not_have_is_known_beforehand() {
        let with_tools = Agent { tools: Some(vec!["Read".into()]), ..Agent::default() };
        let keys = |name: &str, agent: &Agent, session| {
            let backend = Backend::named(name).expect("it is built in");
            backend.lacks(agent, session).into_iter().map(|lack| lack.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("claude", &with_tools, true), [""; 0]);
        assert_eq!(keys("codex", &with_tools, true), ["tools"]);
        assert_eq!(keys("gemini", &with_tools, false), ["tools"]);
        assert_eq!(keys("openai", &with_tools, true), ["tools", "session", "model"]);
        assert_eq!(keys("command", &Agent::default(), false), ["command"]);
        let own = Agent { config: Some(AgentConfig::Own), ..with_tools };
        assert_eq!(keys("gemini", &own, false), [""; 0]);
        assert_eq!(keys("claude", &own, true), ["session"]);
    }

    #[test]
    fn names_in_braces_are_found() {
        let places = |word| BackendSpec::places(word).collect::<Vec<_>>();
        assert_eq!(places("-m={model}:{x}"), ["model", "x"]);
        assert_eq!(places("{}{A}{\"a\":1}"), [""; 0]);
    }
}
