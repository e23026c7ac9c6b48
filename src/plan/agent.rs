//! Agents, what they are asked, and what they may use up.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Json, StepId, Value};

/// An agent, as a script, a Markdown file or `flow.toml` declares it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Agent {
    /// Its name.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// The name of what drives it: one of [`super::BACKENDS`], or of `flow.toml`.
    #[schemars(with = "String")]
    pub backend: SmolStr,
    /// The model. Nothing said: that which the backend takes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
    /// What it is in a team: `reviewer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it is good for, in a sentence: rules of delegation and coordinators read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is told before any task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<Value>,
    /// The tools that it may use. Nothing said: those that the backend offers by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Tools that it may not use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny_tools: Vec<String>,
    /// MCP servers, by name, as the backend's own configuration has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<Json>,
    /// What it can do, in words that tasks ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub capabilities: Vec<SmolStr>,
    /// What it may do without asking.
    #[serde(skip_serializing_if = "is_default")]
    pub permission: Permission,
    /// Most turns of one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// What one answer may use up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Longest time of one answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Longest silence, in milliseconds. Nothing said: [`Agent::IDLE_MS`]. 0: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
    /// Further attempts after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Most memory that it and all its processes may have, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<u64>,
    /// Further environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Value)>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Value>,
    /// Does it get flow's whole environment, and not only what a program of its kind needs?
    #[serde(skip_serializing_if = "is_default")]
    pub inherit_env: bool,
    /// Whose settings and login it uses. Nothing said: its own where a key is given, else the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<AgentConfig>,
    /// The program with its first arguments, where it is not the backend's own. The backend `command` needs it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Value>,
    /// Further arguments of the program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Value>,
    /// Of the backend `command`: how its program gets the task. Nothing said: on standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<AgentInput>,
    /// Of the backend `command`: how its program answers. Nothing said: lines that are events, or else text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks: Option<Speaks>,
    /// Where the model is, if not at its usual address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Value>,
    /// The key to it: a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Value>,
    /// Most tokens of one answer, of backends over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// What its vote counts. Nothing said: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whose word counts more where one has to win: the higher one.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Keys of its file that flow does not know.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub further: serde_json::Map<String, Json>,
    /// The file that declares it. Nothing: the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How its program is called and understood, where `flow.toml` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Arc<super::BackendSpec>>,
}

impl Agent {
    /// Longest silence where nothing is said, in milliseconds: longer than the three minutes for which Claude Code tries to
    /// reach a server that does not answer.
    pub const IDLE_MS: u64 = 300_000;

    /// Calls `visit` with every value in it.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        let single = [&self.model, &self.system, &self.cwd, &self.base_url, &self.api_key];
        single.into_iter().flatten().for_each(&mut *visit);
        self.env.iter().for_each(|(_, value)| visit(value));
        self.command.iter().chain(&self.args).for_each(visit);
    }

    /// As [`Agent::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        let single = [&mut self.model, &mut self.system, &mut self.cwd, &mut self.base_url, &mut self.api_key];
        single.into_iter().flatten().for_each(&mut *visit);
        self.env.iter_mut().for_each(|(_, value)| visit(value));
        self.command.iter_mut().chain(&mut self.args).for_each(visit);
    }
}

/// What an agent may do without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// What its program allows by itself.
    #[default]
    Default,
    /// Look, and change nothing.
    Read,
    /// Change files.
    Edit,
    /// Everything.
    Full,
}

impl Permission {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Permission); 4] = [
        ("default", Permission::Default),
        ("read", Permission::Read),
        ("edit", Permission::Edit),
        ("full", Permission::Full),
    ];
}

/// Whose settings and login an agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentConfig {
    /// An empty folder of the attempt's own.
    Own,
    /// The user's.
    User,
}

/// How a program gets its task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentInput {
    /// On standard input, which is closed behind it.
    #[default]
    Stdin,
    /// As its last argument; standard input is empty.
    Argument,
    /// As lines of JSON on standard input, live where it stands in a stream: the events of those before it, and last
    /// `{"type":"task","text":…}`.
    Ndjson,
}

impl AgentInput {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, AgentInput); 3] =
        [("stdin", AgentInput::Stdin), ("argument", AgentInput::Argument), ("ndjson", AgentInput::Ndjson)];
}

/// How a program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// Text: all that it prints is its answer.
    Text,
    /// A JSON object on each line, which is one of flow's own agent events.
    Ndjson,
    /// As Claude Code does with `--output-format stream-json`.
    Claude,
    /// As `codex exec --json` does.
    Codex,
    /// As Gemini CLI does with `--output-format stream-json`.
    Gemini,
    /// As `opencode run --format json` does.
    Opencode,
}

impl Speaks {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Speaks); 6] = [
        ("text", Speaks::Text),
        ("ndjson", Speaks::Ndjson),
        ("claude", Speaks::Claude),
        ("codex", Speaks::Codex),
        ("gemini", Speaks::Gemini),
        ("opencode", Speaks::Opencode),
    ];
}

/// `agent.ask(prompt, #{…})`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// Who is asked, with what this question says otherwise.
    pub agent: Arc<Agent>,
    /// The task.
    pub prompt: Value,
    /// What the answer must be like: a JSON Schema. The output is then the JSON value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// What of the steps before it the agent is told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub context: Context,
    /// With `Context::All` and `Context::Window`: what was given before its direct input, oldest first, each with the name
    /// it is labelled with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<(String, Value)>")]
    pub earlier: Vec<(SmolStr, Value)>,
    /// The names of the steps that get its answer as their input. Filled in when the plan is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub readers: Vec<SmolStr>,
    /// The conversation that it goes on with: a session's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Value>,
    /// It takes over from this step, which failed: what that had come to is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<StepId>,
    /// The boards that it sees, and the first of which it may write on (see [`super::Task::Board`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<StepId>,
    /// In a stream: what it writes to its readers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub emit: Emit,
    /// Is a tool that it is refused a failure?
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
}

impl Ask {
    /// Is its task what it gets as input? So it is where an arrow text names an agent; whoever asks by a prompt asks something.
    pub fn by_input(&self) -> bool {
        self.prompt.as_text() == Some("")
    }

    /// Calls `visit` with every value in it.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        self.each_own_value(visit);
        self.earlier.iter().for_each(|(_, value)| visit(value));
    }

    /// Calls `visit` with every value that was given for it, and so not with what is told of what led to it.
    pub fn each_own_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        self.agent.each_value(visit);
        visit(&self.prompt);
        self.session.iter().for_each(visit);
    }

    /// As [`Ask::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        Arc::make_mut(&mut self.agent).each_value_mut(visit);
        visit(&mut self.prompt);
        self.earlier.iter_mut().for_each(|(_, value)| visit(value));
        self.session.iter_mut().for_each(visit);
    }

    /// The steps whose results it is told of by themselves, not by a value: from whom it takes over, and boards.
    pub fn further_steps(&self) -> impl Iterator<Item = StepId> + '_ {
        self.takes_over.iter().chain(&self.boards).copied()
    }
}

/// What of the steps before it an agent is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// The chain's input: the outputs of its direct predecessors.
    #[default]
    Last,
    /// Everything that led to it.
    All,
    /// Of everything that led to it the latest, about so many tokens.
    Window(u64),
}

/// What an agent writes to its readers in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// A line of JSON for each event: flow's own agent events.
    #[default]
    Events,
    /// The text of its messages.
    Text,
    /// What its program prints, untouched.
    Raw,
}

impl Emit {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Emit); 3] = [("events", Emit::Events), ("text", Emit::Text), ("raw", Emit::Raw)];
}

/// What may be used up. What is not named is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Budget {
    /// Money, in US dollars. Counted where the backend says what it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Tokens, those read and those written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Turns of agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// Minutes for which agents work, each counted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
}

/// `publish(name, topic, value)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Publish {
    /// What it is about.
    #[schemars(with = "String")]
    pub topic: SmolStr,
    /// What is told, which is also its output.
    pub value: Value,
}

/// `on_event(name, topic, |event| step)`: a child for each thing that is published on the topic, in the order of publication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnEvent {
    /// The topic. May end in `*`.
    #[schemars(with = "String")]
    pub topic: SmolStr,
    /// Makes the child of an event, from a map of `topic`, `value`, `from` and `number` (from 1).
    pub body: super::Closure,
    /// Most children.
    pub max: u32,
    /// The children so far.
    #[serde(default)]
    pub children: Vec<StepId>,
    /// The steps that published what the children are for, in the order of the children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<StepId>,
}

impl OnEvent {
    /// Most children where nothing is said.
    pub const MAX: u32 = 100;

    /// Does it hear what this step publishes, if that publishes anything?
    pub fn hears(&self, step: &super::Step) -> bool {
        let super::Task::Publish(publish) = &*step.task else { return false };
        match self.topic.strip_suffix('*') {
            Some(beginning) => publish.topic.starts_with(beginning),
            None => publish.topic == self.topic,
        }
    }
}

/// `board(name, #{…})`: what agents and steps note for each other. Read at any time, as it is then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// What is not found here is looked for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<StepId>,
    /// It lasts over runs, under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory: Option<SmolStr>,
    /// Of one that lasts: how long a note does, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// `board.put(name, key, value)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Put {
    /// The board.
    pub board: StepId,
    /// Under what.
    pub key: Value,
    /// What, which is also its output.
    pub value: Value,
}

/// `merge(name, [steps], #{…})`: brings together what was done in the work trees of these steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergeTrees {
    /// The steps, or groups of them, in the order in which they are merged.
    pub of: Vec<StepId>,
    /// What happens where two have changed the same.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What happens where two work trees have changed the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The step fails, and nothing of the one that does not fit is merged.
    #[default]
    Fail,
    /// What is there already stays.
    Ours,
    /// What comes replaces it.
    Theirs,
    /// The one that does not fit is left out; the output names it.
    Skip,
}

impl OnConflict {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, OnConflict); 4] = [
        ("fail", OnConflict::Fail),
        ("ours", OnConflict::Ours),
        ("theirs", OnConflict::Theirs),
        ("skip", OnConflict::Skip),
    ];
}

/// Where a step changes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolate {
    /// In a git work tree of its own, on a branch of its own.
    Worktree,
}

impl Isolate {
    /// All of them, with their names in scripts.
    pub const ALL: [(&'static str, Isolate); 1] = [("worktree", Isolate::Worktree)];
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
