//! Classes of failures, and what is done about each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Retry;

/// What kind of trouble a failure is. `docs/failures.md` says how each failure gets its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It may well go next time: a timeout, a connection, a server that is busy for a moment.
    Transient,
    /// Something is used up: memory, disk, a quota.
    Resource,
    /// The script or its surroundings are wrong: a missing program, no permission, an unknown host of a URL.
    Configuration,
    /// Whoever did the work failed by itself: a program, a closure, an AI agent.
    #[default]
    Agent,
    /// The work was done, but what came out is not what was asked for.
    Validation,
    /// Somebody ended it.
    Cancelled,
}

impl Class {
    /// All classes, with their names in scripts.
    pub const ALL: [(&'static str, Class); 6] = [
        ("transient", Class::Transient),
        ("resource", Class::Resource),
        ("configuration", Class::Configuration),
        ("agent", Class::Agent),
        ("validation", Class::Validation),
        ("cancelled", Class::Cancelled),
    ];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, class)| *class == self).map_or("agent", |(name, _)| name)
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Class::Transient => "it may well go next time: a timeout, a connection, a server that is busy for a moment",
            Class::Resource => "something is used up: memory, disk, a quota",
            Class::Configuration => "the script or its surroundings are wrong: a missing program, no permission",
            Class::Agent => "whoever did the work failed by itself: a program, an AI agent",
            Class::Validation => "the work was done, but what came out is not what was asked for",
            Class::Cancelled => "somebody ended it",
        }
    }

    /// What is done about it where the script says nothing else.
    pub fn strategy(self) -> Strategy {
        match self {
            Class::Transient | Class::Agent | Class::Validation => Strategy::Retry(None),
            Class::Resource => Strategy::Wait(None),
            Class::Configuration | Class::Cancelled => Strategy::Fail,
        }
    }
}

/// What is done about the failures of a class, before fallbacks are tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// As the step's `retry` says; steps without one are tried again as is said here, if anything is.
    Retry(Option<Retry>),
    /// As `Retry`, but not before this time, in milliseconds ([`Strategy::WAIT_MS`] where nothing is said).
    Wait(Option<u64>),
    /// No further attempt, whatever `retry` says.
    Fail,
}

impl Strategy {
    /// Shortest wait for something that is used up, in milliseconds.
    pub const WAIT_MS: u64 = 10_000;
}

/// A user's rule that gives failures a class: the first that fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassRule {
    /// Which failures.
    pub matches: Matches,
    /// Their class.
    pub class: Class,
}

/// Which failures a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matches {
    /// Processes with this exit code: `exit 75`.
    Exit(i32),
    /// Processes ended by this signal: `signal 9`.
    Signal(i32),
    /// Answers with this HTTP status: `http 429`.
    Http(i32),
    /// Failures of this kind (see `FailureKind::name`): `timeout`, `spawn`.
    Kind(String),
    /// Failures whose message holds this text: `/text/`.
    Message(String),
}
