//! The keys of `flow.toml`, as data: reader, suggestions and reference know no others.

use crate::lang::keys::{Absent, Key, Keys, Kind};

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key { name, kind, absent, meaning }
}

/// The sections of the file with their keys: what is read, and what the reference says of it.
pub static PROJECT_KEYS: [&Keys; 3] = [&SECRETS, &RETENTION, &RECEIPTS];

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
