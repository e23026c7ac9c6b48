//! The maps of agents: what each is, what it is asked, and what it may use up.

use super::Absent::{Needed, Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::lang::agents::{CONFIG, CONTEXT_WORDS, INPUT};
use crate::plan::{Emit, Permission, Speaks};

const PERMISSIONS: &[&str] = &names(&Permission::ALL);
const EMITS: &[&str] = &names(&Emit::ALL);
const SPEAKS: &[&str] = &names(&Speaks::ALL);
const CONFIGS: &[&str] = &names(&CONFIG);
const INPUTS: &[&str] = &names(&INPUT);
const CONTEXTS: &[&str] = &names(&CONTEXT_WORDS);

/// `agent(name, #{…})`
pub static AGENT: Keys = Keys {
    name: "agent",
    form: "agent(\"a\", …).ask(\"b\");",
    of: &["agent"],
    keys: &[
        key(
            "backend",
            Kind::Text,
            Nothing("that of `[agents]` in flow.toml, else `\"claude\"`; with `command`, `\"command\"`", "\"codex\""),
            "what drives it: `\"claude\"`, `\"codex\"`, `\"gemini\"`, `\"opencode\"`, `\"anthropic\"`, `\"openai\"`, `\"command\"`, or one of `[backends]` in flow.toml",
        ),
        key("model", Kind::Text, Nothing("that which the backend takes by itself", "\"sonnet\""), "the model"),
        key("role", Kind::Text, Nothing("none", "\"reviewer\""), "what it is in a team"),
        key(
            "description",
            Kind::Text,
            Nothing("none", "\"finds mistakes in Rust\""),
            "what it is good for, in a sentence: `delegate` and coordinators read it",
        ),
        key("system", Kind::Text, Nothing("nothing", "\"You are careful.\""), "what it is told before any task"),
        key(
            "tools",
            Kind::Texts,
            Nothing("those that the backend offers by itself", "[\"Read\", \"Edit\"]"),
            "the tools that it may use: a list, or a text with commas; `[]` is none",
        ),
        key("deny_tools", Kind::Texts, Nothing("none", "[\"WebFetch\"]"), "tools that it may not use"),
        key(
            "mcp_servers",
            Kind::Or(&[Kind::Texts, Kind::Map(None)]),
            Nothing("none", "[\"github\"]"),
            "MCP servers: names that the backend knows, or a map as the backend's own configuration has it",
        ),
        key(
            "capabilities",
            Kind::Texts,
            Nothing("none", "[\"rust\", \"sql\"]"),
            "what it can do, in words that tasks ask for",
        ),
        key(
            "permission",
            Kind::Choice(PERMISSIONS),
            Value("\"default\""),
            "what it may do without asking: what its program allows by itself, look only, change files, everything",
        ),
        key("max_turns", Kind::Count(1), Nothing("no bound", "20"), "most turns of one answer"),
        key("budget", Kind::Map(Some(&BUDGET)), Nothing("no bound", "#{ usd: 1.5 }"), "what one answer may use up"),
        key(
            "timeout",
            Kind::Duration,
            Nothing("none", "\"20m\""),
            "the longest time of one answer, as `.timeout` says it",
        ),
        key("idle_timeout", Kind::Duration, Nothing("`\"5m\"`", "\"10m\""), "the longest silence; 0 allows any"),
        key("retries", Kind::Count(0), Nothing("none", "2"), "further attempts after a failure, as `.retry` says them"),
        key(
            "max_memory",
            Kind::Bytes,
            Nothing("no bound", "\"2 GiB\""),
            "most memory of its program and all that this started",
        ),
        key(
            "env",
            Kind::Map(None),
            Nothing("none", "#{ LANG: \"C\" }"),
            "further environment variables; secrets can stand there",
        ),
        key("cwd", Kind::Text, Nothing("where the step runs", "\"web\""), "its working directory"),
        key(
            "inherit_env",
            Kind::Bool,
            Value("false"),
            "gives it flow's whole environment, and not only what a program of its kind needs",
        ),
        key(
            "config",
            Kind::Choice(CONFIGS),
            Nothing("`\"own\"` where there is an `api_key`, else `\"user\"`", "\"own\""),
            "whose settings and login it uses: none, in a folder of its own, or the user's",
        ),
        key(
            "command",
            Kind::List(None),
            Nothing("the backend's own program", "[\"cat\"]"),
            "the program with its first arguments, where it is not the backend's own; the backend `\"command\"` needs it",
        ),
        key("args", Kind::List(None), Nothing("none", "[\"--verbose\"]"), "further arguments of the program"),
        key(
            "input",
            Kind::Choice(INPUTS),
            Nothing("`\"stdin\"`", "\"argument\""),
            "of the backend `\"command\"`: how its program gets the task: on standard input, as its last argument, or as lines of JSON",
        ),
        key(
            "speaks",
            Kind::Choice(SPEAKS),
            Nothing("lines that are events, or else text", "\"text\""),
            "of the backend `\"command\"`: how its program answers: text, lines of JSON that are events, or as another program does",
        ),
        key("base_url", Kind::Text, Nothing("its usual address", "\"http://localhost:8080\""), "where the model is"),
        key(
            "api_key",
            Kind::Value,
            Nothing("the login of its program, or none", "secret(\"ANTHROPIC_API_KEY\")"),
            "the key to the model: a secret",
        ),
        key(
            "max_tokens",
            Kind::Count(1),
            Nothing("what the backend takes", "8000"),
            "most tokens of one answer, of backends over HTTP",
        ),
        key("weight", Kind::Number, Nothing("1", "2.0"), "what its vote counts"),
        key("priority", Kind::Integer, Value("0"), "whose word counts more where one has to win: the higher one"),
    ],
};

/// `agent.ask(prompt, #{…})`: these, and any key of [`AGENT`].
pub static ASK: Keys = Keys {
    name: "ask",
    form: "agent(\"a\", #{}).ask(\"b\", …);",
    of: &[".ask"],
    keys: &[
        key(
            "name",
            Kind::Text,
            Nothing("the agent's name, with a number where it is asked again", "\"plan\""),
            "the step's name",
        ),
        key(
            "schema",
            Kind::Map(None),
            Nothing("any text", "#{ type: \"object\", required: [\"tasks\"] }"),
            "what the answer must be like: a JSON Schema, or an example of types such as `#{ tasks: [#{ title: \"string\", kind: \"bug | feature\", done: \"boolean?\" }] }`; the output is then the JSON value",
        ),
        key(
            "context",
            Kind::Or(&[Kind::Choice(CONTEXTS), Kind::Map(Some(&WINDOW))]),
            Value("\"last\""),
            "what of the steps before it the agent is told: the outputs of those directly before it, everything that led to it, or the latest of that, `#{ window: 8000 }`",
        ),
        key(
            "session",
            Kind::Text,
            Nothing("a new conversation", "\"5f0c\""),
            "the conversation that it goes on with: `earlier.session`",
        ),
        key(
            "emit",
            Kind::Choice(EMITS),
            Value("\"events\""),
            "in a stream, what it writes to its readers: a line of JSON for each event, the text of its messages, or what its program prints",
        ),
        key("strict", Kind::Bool, Value("false"), "makes it a failure that the agent was refused a tool"),
        key(
            "board",
            Kind::Steps,
            Nothing("none", "[]"),
            "the boards that the agent sees; on the first of them it may write",
        ),
    ],
};

/// `context: #{…}`
pub static WINDOW: Keys = Keys {
    name: "context",
    form: "agent(\"a\", #{}).ask(\"b\", #{ context: … });",
    of: &[],
    keys: &[key("window", Kind::Count(1), Needed("8000"), "about so many tokens of what led to it, the latest first")],
};

/// `budget: #{…}`, `budget(#{…})`, `.budget(#{…})`
pub static BUDGET: Keys = Keys {
    name: "budget",
    form: "agent(\"a\", #{ budget: … }).ask(\"b\");",
    of: &["budget", ".budget"],
    keys: &[
        key(
            "usd",
            Kind::Number,
            Nothing("no bound", "1.5"),
            "money, in US dollars; counted where the backend says what it costs",
        ),
        key("tokens", Kind::Count(1), Nothing("no bound", "200000"), "tokens, those read and those written"),
        key("turns", Kind::Count(1), Nothing("no bound", "50"), "turns of agents"),
        key(
            "minutes",
            Kind::Number,
            Nothing("no bound", "30"),
            "minutes for which agents work, each counted by itself",
        ),
    ],
};

/// `delegate(prompt, #{…})`: these, and any key of [`ASK`].
pub static DELEGATE: Keys = Keys {
    name: "delegate",
    form: "delegate(\"b\", …);",
    of: &["delegate"],
    keys: &[
        key(
            "to",
            Kind::Or(&[Kind::List(None), Kind::Map(None)]),
            Needed("[agent(\"a\", #{})]"),
            "the agents that can be asked: a list of agents or of their names, or a map such as `agents(\"team\")` gives",
        ),
        key(
            "rules",
            Kind::Or(&[Kind::Map(None), Kind::List(None)]),
            Nothing("what the agents are good for decides", "[[\"leak|valgrind\", agent(\"a\", #{})]]"),
            "words and the agent that is asked where one of them begins a word of the prompt: `#{ \"leak|valgrind\": tester }`, in the order written; or a list of pairs",
        ),
    ],
};
