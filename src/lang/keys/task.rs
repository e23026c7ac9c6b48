//! The maps of tasks: requests, and what is waited for.

use super::Absent::{Needed, Nothing, Value};
use super::{Key, Keys, Kind, key, names};
use crate::lang::answers::KINDS;

const TYPES: &[&str] = &names(&KINDS);
const ENDS: &[&str] = &["fail", "skip"];

/// `http(name, #{…})`
pub static HTTP: Keys = Keys {
    name: "http",
    form: "http(\"a\", …);",
    of: &["http"],
    keys: &[
        key("url", Kind::Text, Needed("\"https://example.org/health\""), "where the request goes: `http` or `https`"),
        key("method", Kind::Text, Nothing("`GET`, with a body `POST`", "\"PUT\""), "the method"),
        key(
            "headers",
            Kind::Map(None),
            Nothing("none", "#{ Accept: \"text/plain\" }"),
            "headers; values may be results or secrets, and one that is `()` is left out",
        ),
        key(
            "query",
            Kind::Map(None),
            Nothing("none", "#{ page: 2 }"),
            "fields of the query, added to the URL; a list is sent as a field for each item",
        ),
        key("json", Kind::Value, Nothing("no body", "#{ replicas: 3 }"), "the body: any value, sent as JSON"),
        key("body", Kind::Text, Nothing("no body", "\"hello\""), "the body: a text, sent as it is"),
        key("form", Kind::Map(None), Nothing("no body", "#{ name: \"ada\" }"), "the body: fields of a web form"),
        key(
            "file",
            Kind::Text,
            Nothing("no body", "\"build/app.tar\""),
            "the body: the file at this path, read piece by piece",
        ),
        key(
            "expect",
            Kind::Value,
            Value("\"2xx\""),
            "the statuses that are a success: `200`, `\"2xx\"`, `\"200-299\"`, or a list of those",
        ),
        key("max_body", Kind::Bytes, Value("\"100MiB\""), "the longest answer; a longer one is a failure"),
        key("connect_timeout", Kind::Duration, Value("\"10s\""), "the longest time until there is a connection"),
        key("read_timeout", Kind::Duration, Value("\"30s\""), "the longest time in which nothing arrives"),
        key(
            "timeout",
            Kind::Duration,
            Nothing("none", "\"2m\""),
            "the longest time of the whole request; `.timeout` does the same for any step",
        ),
        key("redirects", Kind::Count(0), Value("10"), "how many redirects are followed"),
        key(
            "idempotency_key",
            Kind::Bool,
            Value("false"),
            "sends a header `Idempotency-Key` that is the same in all attempts of the step, so a server can tell a repetition",
        ),
    ],
};

const TIMEOUT: Key = key("timeout", Kind::Duration, Nothing("it waits for ever", "\"2d\""), "how long is waited");

/// `approve(name, #{…})`
pub static APPROVE: Keys = Keys {
    name: "approve",
    form: "approve(\"a\", …);",
    of: &["approve"],
    keys: &[
        key(
            "prompt",
            Kind::Value,
            Nothing("only the step's name is shown", "\"Ship it?\""),
            "what the person is asked; results of steps may stand in it",
        ),
        key(
            "choices",
            Kind::List(None),
            Nothing("`yes` and `no`, and `no` is a failure", "[\"now\", \"tonight\", \"never\"]"),
            "the answers to choose from; none of them is a failure",
        ),
        key(
            "form",
            Kind::Names(&FIELD),
            Nothing("nothing more is asked", "#{ notify: true }"),
            "further values that the person gives: names with their defaults, or with maps that say more",
        ),
        TIMEOUT,
        key(
            "on_timeout",
            Kind::Or(&[Kind::Choice(ENDS), Kind::Value]),
            Value("\"fail\""),
            "what happens when nobody answers in time: the step fails, is skipped, or goes on with one of the answers",
        ),
    ],
};

/// A field in the form of `approve`.
pub static FIELD: Keys = Keys {
    name: "approve.form",
    form: "approve(\"a\", #{ form: #{ version: … } });",
    of: &[],
    keys: &[
        key(
            "type",
            Kind::Choice(TYPES),
            Nothing("that of the default, else `\"string\"`", "\"string\""),
            "what kind of value is asked for",
        ),
        key("default", Kind::Value, Nothing("it must be given", "\"1.0\""), "the value if the person gives none"),
        key("one_of", Kind::List(None), Nothing("any value", "[\"1.0\", \"2.0\"]"), "the values to choose from"),
        key("help", Kind::Text, Nothing("none", "\"as in the changelog\""), "what the field means, for the person"),
    ],
};

const END: Key = key(
    "on_timeout",
    Kind::Or(&[Kind::Choice(ENDS), Kind::Value]),
    Value("\"fail\""),
    "what happens when nothing comes in time: the step fails, is skipped, or goes on with this value as its output",
);

/// `signal(name, #{…})`
pub static SIGNAL: Keys = Keys {
    name: "signal",
    form: "signal(\"a\", …);",
    of: &["signal"],
    keys: &[key("signal", Kind::Text, Nothing("the step's name", "\"paid\""), "the name of the signal"), TIMEOUT, END],
};

/// `wait_for(name, file, #{…})`
pub static WAIT_FOR: Keys =
    Keys { name: "wait_for", form: "wait_for(\"a\", \"data.csv\", …);", of: &["wait_for"], keys: &[TIMEOUT, END] };
