//! The keys of `flow.toml`, as data: reader, suggestions and reference know no others.

use crate::lang::keys::{Absent, Key, Keys, Kind};

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key { name, kind, absent, meaning }
}

/// The sections of the file with their keys: what is read, and what the reference says of it.
pub static PROJECT_KEYS: [&Keys; 5] = [&SECRETS, &RETENTION, &RECEIPTS, &AGENTS, &BACKENDS];

static SECRETS: Keys = Keys {
    name: "secrets",
    form: "[secrets]\nNPM_TOKEN = { env = \"NODE_AUTH_TOKEN\" }\nSIGNING_KEY = { file = \"keys/signing\" }\nDEPLOY_TOKEN = { command = [\"pass\", \"show\", \"deploy\"] }",
    of: &[],
    keys: &[key(
        "NAME",
        Kind::Map(Some(&PROVIDER)),
        Absent::Nothing("the environment variable of its name", "{ env = \"NODE_AUTH_TOKEN\" }"),
        "where the value of the secret of this name comes from: one of these",
    )],
};

pub(super) static PROVIDER: Keys = Keys {
    name: "secrets.NAME",
    form: "",
    of: &[],
    keys: &[
        key(
            "env",
            Kind::Text,
            Absent::Nothing("another way", "\"NODE_AUTH_TOKEN\""),
            "the environment variable that holds it",
        ),
        key(
            "file",
            Kind::Text,
            Absent::Nothing("another way", "\"keys/signing\""),
            "the file that holds it, without its last newline",
        ),
        key(
            "command",
            Kind::List(None),
            Absent::Nothing("another way", "[\"pass\", \"show\", \"deploy\"]"),
            "the program, with its arguments, that prints it",
        ),
    ],
};

pub(super) static RETENTION: Keys = Keys {
    name: "retention",
    form: "[retention]\nkeep = \"30d\"\nkeep_runs = 100\nauto = true",
    of: &[],
    keys: &[
        key(
            "keep",
            Kind::Duration,
            Absent::Nothing("runs are kept for ever", "\"30d\""),
            "`flow gc` keeps runs that ended less than this time ago",
        ),
        key(
            "keep_runs",
            Kind::Count(0),
            Absent::Nothing("any number", "100"),
            "`flow gc` keeps the newest runs, so many of them",
        ),
        key(
            "auto",
            Kind::Bool,
            Absent::Value("false"),
            "other runs are removed whenever a run ends, not by `flow gc` alone",
        ),
    ],
};

pub(super) static RECEIPTS: Keys = Keys {
    name: "receipts",
    form: "[receipts]\nkey = \"keys/receipts.pem\"",
    of: &[],
    keys: &[key(
        "key",
        Kind::Text,
        Absent::Nothing("receipts are not signed", "\"keys/receipts.pem\""),
        "the file with the Ed25519 key, in PEM, that signs receipts",
    )],
};

pub(super) static AGENTS: Keys = Keys {
    name: "agents",
    form: "[agents]\nbackend = \"claude\"\nmodel = \"sonnet\"\nfolders = [\"team\"]",
    of: &[],
    keys: &[
        key(
            "backend",
            Kind::Text,
            Absent::Nothing("each agent says it", "\"claude\""),
            "what drives agents that name no backend: a built-in one, or one of `[backends]`",
        ),
        key(
            "model",
            Kind::Text,
            Absent::Nothing("that which the backend takes by itself", "\"sonnet\""),
            "the model of agents that name none and have this backend",
        ),
        key(
            "folders",
            Kind::List(None),
            Absent::Nothing("only the usual ones", "[\"team\"]"),
            "further folders whose agents (`*.md`) are known by name",
        ),
    ],
};

static BACKENDS: Keys = Keys {
    name: "backends",
    form: "[backends.aider]\ncommand = [\"aider\", \"--yes\", \"--model\", \"{model}\", \"--message\", \"{prompt}\"]\ninput = \"argument\"\nspeaks = \"text\"\npass_env = [\"AIDER_*\"]\nversion = [\"aider\", \"--version\"]\ninstall = \"pip install aider-chat\"",
    of: &[],
    keys: &[key(
        "NAME",
        Kind::Map(Some(&BACKEND)),
        Absent::Nothing("the built-in ones alone", "{ command = [\"aider\"] }"),
        "a further backend of agents: a section `[backends.NAME]` with these",
    )],
};

pub(super) static BACKEND: Keys = Keys {
    name: "backends.NAME",
    form: "",
    of: &[],
    keys: &[
        key(
            "command",
            Kind::List(None),
            Absent::Needed("[\"aider\", \"--yes\", \"--message\", \"{prompt}\"]"),
            "the program with its arguments. `{model}`, `{system}`, `{session}`, `{prompt}`, `{max_turns}` and `{schema_file}` in them \
             stand for what the agent says; an argument with one that is not said is left out, with the flag before it",
        ),
        key(
            "input",
            Kind::Choice(&["stdin", "argument", "ndjson"]),
            Absent::Value("\"stdin\""),
            "where the task goes, unless `{prompt}` stands in the command: standard input, the last argument, or lines of JSON on standard input",
        ),
        key(
            "speaks",
            Kind::Choice(&["text", "ndjson", "claude", "codex", "gemini", "opencode"]),
            Absent::Nothing("its first line tells: agent events, or else text", "\"text\""),
            "how what it prints is read: as text, as agent events in lines of JSON, or as what one of the built-in programs prints",
        ),
        key(
            "pass_env",
            Kind::List(None),
            Absent::Nothing("what every agent's program gets", "[\"AIDER_*\"]"),
            "further variables of flow's environment that it gets, by name, or by a beginning and `*`",
        ),
        key(
            "version",
            Kind::List(None),
            Absent::Nothing("the program with `--version`", "[\"aider\", \"--version\"]"),
            "what prints its version, for `flow doctor`",
        ),
        key(
            "install",
            Kind::Text,
            Absent::Nothing("nothing is said of it", "\"pip install aider-chat\""),
            "how to get it, for `flow doctor` and where it is missing",
        ),
    ],
};
