//! The maps of swarms and pools.

use super::Absent::{Needed, Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::lang::swarm::{COMMUNICATION, CONFLICT, STATE, TOPOLOGY};

const TOPOLOGIES: &[&str] = &names(&TOPOLOGY);
const WAYS: &[&str] = &names(&COMMUNICATION);
const STATES: &[&str] = &names(&STATE);
const CONFLICTS: &[&str] = &names(&CONFLICT);

/// An agent, or its name.
const AGENT: Kind = Kind::Or(&[Kind::Value, Kind::Text]);

/// `swarm(#{…})`
pub static SWARM: Keys = Keys {
    name: "swarm",
    form: "let a = agent(\"a\", #{ capabilities: [\"rust\"] });\nlet b = agent(\"b\", #{ capabilities: [\"rust\"] });\nlet chief = agent(\"chief\", #{});\nswarm(…);",
    of: &["swarm"],
    keys: &[
        key("name", Kind::Text, Nothing("the swarm has no name", "\"review\""), "the swarm's name"),
        key(
            "goal",
            Kind::Text,
            Nothing("what the step before it gave", "\"Find out why the build is slow\""),
            "what the agents are to come to; results of steps can stand in it",
        ),
        key(
            "topology",
            Kind::Choice(TOPOLOGIES),
            Nothing("`\"hierarchical\"` with a `coordinator`, else `\"star\"`", "\"star\""),
            "how they stand to each other: a coordinator gives tasks to the others; all work for the one in the middle; all see all, in rounds; one after the other",
        ),
        key(
            "agents",
            Kind::Or(&[Kind::List(None), Kind::Map(None)]),
            Needed("[a, b]"),
            "those who do the work: a list of agents or their names, a map of them as `agents(\"folder\")` gives it, or a pool",
        ),
        key(
            "coordinator",
            AGENT,
            Nothing("nobody", "chief"),
            "the agent that breaks the goal into tasks; a hierarchical swarm needs it",
        ),
        key(
            "aggregator",
            AGENT,
            Nothing("the coordinator; without one nobody", "chief"),
            "the agent that makes one answer of all; the middle of a star",
        ),
        key(
            "communication",
            Kind::Choice(WAYS),
            Value("\"synchronous\""),
            "whether the aggregator waits for all, takes in each answer as soon as it is there, or hears it as an event; in a mesh, whether a round ends for all at once; in a pipeline, whether each waits for the end of the one before it, or reads it live",
        ),
        key(
            "state",
            Kind::Choice(STATES),
            Nothing("none; in an asynchronous mesh `\"global\"`", "\"global\""),
            "on which board each answer is noted, to be told with the next questions: one of all, one of each agent, or one of each that shows that of the team, too",
        ),
        key(
            "conflict",
            Kind::Choice(CONFLICTS),
            Nothing("there is no vote", "\"majority\""),
            "how it is decided between answers: all have to agree, more than half, more than half of the `weight` of the agents, or those of the highest `priority`",
        ),
        key(
            "vote",
            Kind::Or(&[Kind::Text, Kind::Closure("answer")]),
            Nothing("the whole answer, without blanks around it", "\"verdict\""),
            "what of the answers is compared: a key of them, or what the closure gives for one",
        ),
        key("on_conflict", AGENT, Nothing("the swarm fails", "chief"), "the agent that decides when the vote does not"),
        key(
            "rounds",
            Kind::Count(1),
            Nothing("3 in a mesh, 1 in a star", "2"),
            "how many rounds there are, at most: a mesh ends when it is decided, a star when its aggregator is content",
        ),
        key("max_tasks", Kind::Count(1), Nothing("10", "20"), "how many tasks a coordinator may give, at most"),
        key(
            "needed",
            Kind::Count(1),
            Nothing("all", "2"),
            "how many agents of a star have to answer; the others may fail",
        ),
        key(
            "parts",
            Kind::Map(None),
            Nothing("each gets the goal alone", "#{ a: \"the front end\" }"),
            "what single agents are told beside the goal, by their names",
        ),
        key(
            "schema",
            Kind::Map(None),
            Nothing("any text", "#{ verdict: \"string\" }"),
            "what the answers of the agents must be like, as in `.ask`; in a pipeline that of the last",
        ),
        key(
            "parallel_limit",
            Kind::Count(1),
            Nothing("as many as there are slots", "3"),
            "how many of the agents work at the same time",
        ),
        key(
            "retry",
            Kind::Or(&[Kind::Count(1), Kind::Map(Some(&super::RETRY))]),
            Nothing("what the agents say", "2"),
            "how often each question is tried, as `.retry` says it",
        ),
        key(
            "failover",
            Kind::Bool,
            Value("false"),
            "lets another agent take over where one has failed for good: one with the capability that is needed, or one of the same, or in the same role; it is told how far the first one came",
        ),
        key(
            "timeout",
            Kind::Duration,
            Nothing("none", "\"1h\""),
            "the longest time of the whole, as `.timeout` says it",
        ),
    ],
};

/// `pool(name, #{ coder: 5 }, #{…})`
pub static POOL: Keys = Keys {
    name: "pool",
    form: "agent(\"a\", #{});\npool(\"crew\", #{ a: 5 }, …).ask(\"a\", \"b\");",
    of: &["pool"],
    keys: &[
        key(
            "agents",
            Kind::Map(None),
            Nothing("the workers are named after agents", "#{ a: agent(\"a\") }"),
            "which agent each kind of worker is",
        ),
        key(
            "min",
            Kind::Count(0),
            Nothing("1, where one of these is said", "1"),
            "how many work at the same time at least, if there is work",
        ),
        key("max", Kind::Count(1), Nothing("the sum of all", "8"), "how many work at the same time at most"),
        key(
            "scale",
            Kind::Text,
            Nothing("`\"queue.length\"`, where one of these is said", "\"queue.length / 10\""),
            "how many there are between `min` and `max`: one more for so many questions that wait",
        ),
        key(
            "idle_timeout",
            Kind::Duration,
            Nothing("a minute, where one of these is said", "\"1m\""),
            "after which time one that nobody needed goes away",
        ),
    ],
};
