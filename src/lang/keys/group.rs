//! The maps of combinators: the data forms of `chain` and `flow`, and `repeat`.

use super::Absent::{Needed, Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::lang::policies::ON_ERROR;

const STRATEGIES: &[&str] = &names(&ON_ERROR);

/// `repeat(name, #{…}, closure)`
pub static REPEAT: Keys = Keys {
    name: "repeat",
    form: "repeat(\"a\", …, |i, last| sh(\"b\", \"true\"));",
    of: &["repeat"],
    keys: &[
        key("max", Kind::Count(1), Needed("10"), "how many iterations there are, at most"),
        key(
            "until",
            Kind::Closure("last"),
            Nothing("all `max` iterations run", "|last| last == \"ready\""),
            "gets the last output; when it is true, that was the last iteration. If it never is, the step fails",
        ),
    ],
};

/// `each(name, items, closure, #{…})`
pub static EACH: Keys = Keys {
    name: "each",
    form: "each(\"a\", [1], |item| sh(\"b\", \"true\"), …);",
    of: &["each"],
    keys: &[key(
        "fail_fast",
        Kind::Bool,
        Value("false"),
        "the first failure ends all others, and the group has failed at once; the items must be known while the plan is made",
    )],
};

/// `parallel(steps, #{…})`
pub static PARALLEL: Keys = Keys {
    name: "parallel",
    form: "parallel(\"a\", [sh(\"b\", \"true\"), sh(\"c\", \"true\")], …);",
    of: &["parallel"],
    keys: &[key(
        "fail_fast",
        Kind::Bool,
        Value("false"),
        "the first failure ends all others, and the group has failed at once",
    )],
};

/// `chain(#{…})`
pub static CHAIN: Keys = Keys {
    name: "chain",
    form: "chain(…);",
    of: &["chain"],
    keys: &[
        key("name", Kind::Text, Nothing("the chain has no name", "\"release\""), "the chain's name"),
        key(
            "steps",
            Kind::List(Some(&STEP)),
            Needed("[#{ name: \"build\", sh: \"make\" }]"),
            "the steps, in order: maps, or steps that are declared already",
        ),
        key(
            "options",
            Kind::Map(Some(&CHAIN_OPTIONS)),
            Nothing("none", "#{ error_strategy: \"stop\" }"),
            "what holds for all of them",
        ),
    ],
};

/// `chain(#{ options: #{…} })`
pub static CHAIN_OPTIONS: Keys = Keys {
    name: "chain.options",
    form: "chain(#{ steps: [#{ name: \"build\", sh: \"make\" }], options: … });",
    of: &[],
    keys: &[
        key(
            "error_strategy",
            Kind::Choice(STRATEGIES),
            Nothing("as for each step", "\"stop\""),
            "`on_error` of the steps that say nothing themselves",
        ),
        key(
            "parallel_where_possible",
            Kind::Bool,
            Value("false"),
            "order comes from `depends_on` and from what the steps read, not from the list",
        ),
        key("save_state", Kind::Bool, Value("true"), "is always so: every run can be resumed"),
    ],
};

/// What a step's map can say it is: one of these.
pub const TASKS: [&str; 14] = [
    "sh",
    "exec",
    "call",
    "task",
    "http",
    "fail",
    "command",
    "workflow",
    "step",
    "approve",
    "signal",
    "wait",
    "wait_until",
    "wait_for",
];

/// A step in `chain(#{ steps: […] })`: these, one of [`TASKS`], and any policy.
pub static STEP: Keys = Keys {
    name: "chain.steps",
    form: "chain(#{ steps: [#{ name: \"first\", sh: \"true\" }, …] });",
    of: &[],
    keys: &[
        key("name", Kind::Text, Needed("\"build\""), "the step's name"),
        key(
            "depends_on",
            Kind::Texts,
            Nothing("the step before it", "[\"first\"]"),
            "names of the steps of this chain that it comes after; where one step says so, order comes from this alone",
        ),
        key("params", Kind::Map(None), Nothing("none", "#{}"), "what a `command` or a `workflow` is given"),
        key("sh", Kind::Text, Nothing("another kind", "\"make\""), "a shell script, as in `sh`"),
        key(
            "exec",
            Kind::List(None),
            Nothing("another kind", "[\"make\", \"all\"]"),
            "a program and its arguments, as in `exec`",
        ),
        key("call", Kind::Closure("input"), Nothing("another kind", "|input| 1"), "a closure, as in `call`"),
        key("task", Kind::Value, Nothing("another kind", "\"1.4.0\""), "a value, as in `task`"),
        key(
            "http",
            Kind::Or(&[Kind::Text, Kind::Map(Some(&super::HTTP))]),
            Nothing("another kind", "\"https://example.org\""),
            "a request, as in `http`",
        ),
        key("fail", Kind::Text, Nothing("another kind", "\"no\""), "a failure, as in `fail`"),
        key(
            "command",
            Kind::Text,
            Nothing("another kind", "\"/greet\""),
            "the name of a function, or of what `command` declared",
        ),
        key("workflow", Kind::Text, Nothing("another kind", "\"ci/test.rhai\""), "another workflow, as in `workflow`"),
        key("step", Kind::Step, Nothing("another kind", "other"), "a step that is declared already, or its name"),
        key(
            "approve",
            Kind::Or(&[Kind::Text, Kind::Map(Some(&super::APPROVE))]),
            Nothing("another kind", "\"Ship it?\""),
            "a question, as in `approve`",
        ),
        key(
            "signal",
            Kind::Or(&[Kind::Text, Kind::Map(Some(&super::SIGNAL))]),
            Nothing("another kind", "\"paid\""),
            "a signal, as in `signal`",
        ),
        key("wait", Kind::Duration, Nothing("another kind", "\"10s\""), "a time to pass, as in `wait`"),
        key("wait_until", Kind::Text, Nothing("another kind", "\"2030-01-31 22:00\""), "a moment, as in `wait_until`"),
        key("wait_for", Kind::Text, Nothing("another kind", "\"data.csv\""), "a file, as in `wait_for`"),
    ],
};

/// `flow(#{…})`
pub static FLOW: Keys = Keys {
    name: "flow",
    form: "let test = sh(\"test\", \"true\");\nlet ship = sh(\"ship\", \"true\");\nflow(…);",
    of: &["flow"],
    keys: &[
        key("name", Kind::Text, Nothing("the flow has no name", "\"gate\""), "the flow's name"),
        key(
            "conditions",
            Kind::List(Some(&CONDITION)),
            Needed("[#{ when: \"test.passed\", then: ship }]"),
            "the branches, in order: the first whose condition is true is taken",
        ),
        key(
            "otherwise",
            Kind::Steps,
            Nothing("nothing", "fail(\"stop\", \"no\")"),
            "what runs if no condition was true",
        ),
        key("else", Kind::Steps, Nothing("nothing", "fail(\"stop\", \"no\")"), "the same as `otherwise`"),
    ],
};

/// A branch in `flow(#{ conditions: […] })`.
pub static CONDITION: Keys = Keys {
    name: "flow.conditions",
    form: "let test = sh(\"test\", \"true\");\nlet ship = sh(\"ship\", \"true\");\nflow(#{ conditions: […] });",
    of: &[],
    keys: &[
        key("when", Kind::Condition, Needed("\"test.passed\""), "when the branch is taken"),
        key("if", Kind::Condition, Nothing("`when` says it", "\"test.passed\""), "the same as `when`"),
        key("then", Kind::Steps, Needed("ship"), "what runs then"),
    ],
};
