//! The keys of all option maps, as data: what each takes, what holds without it, what it means.
//!
//! Maps are read by these lists ([`super::options`] knows no key that is not here), and the reference, completion and
//! suggestions are made from them, so a key is described once. A test puts every key into a script.

mod agent;
mod group;
mod pipeline;
mod policy;
mod script;
mod shared;
mod stream;
mod swarm;
mod task;
mod testing;

pub use agent::{AGENT, ASK, BUDGET, DELEGATE, WINDOW};
pub use group::{CHAIN, CHAIN_OPTIONS, CONDITION, EACH, FLOW, PARALLEL, REPEAT, STEP, TASKS};
pub use pipeline::{PIPELINE, PIPELINE_OPTIONS, STAGE, STAGE_MAP};
pub use policy::{BREAKER, BREAKER_OF_STEP, CACHE, POLICIES, RETRY};
pub use script::{LIMIT, PARAM, SETTINGS, STRATEGIES, STRATEGY};
pub use shared::{BOARD, MEMORY, MERGE, ON_EVENT};
pub use stream::{ALERT, CSV, FILE, FILTER, PROGRAM, STREAM, WATCH};
pub use swarm::{POOL, SWARM};
pub use task::{APPROVE, FIELD, HTTP, SIGNAL, WAIT_FOR};
pub use testing::{FAILS, KINDS};

/// The keys of one option map.
#[derive(Debug)]
pub struct Keys {
    /// What the keys are looked up by: `retry`, `approve.form`.
    pub name: &'static str,
    /// A script in which `…` stands where the map does.
    pub form: &'static str,
    /// Who takes the map: a function, or `.method`. Nobody, if the map stands within another.
    pub of: &'static [&'static str],
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key of an option map.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What can stand there.
    pub kind: Kind,
    /// What holds if it is not given.
    pub absent: Absent,
    /// What it is for, as a part of a sentence, in Markdown. Empty for policies: their methods say it.
    pub meaning: &'static str,
}

/// What holds if a key is not given.
#[derive(Debug)]
pub enum Absent {
    /// It must be given: an example, as written.
    Needed(&'static str),
    /// The same as with this value, as written.
    Value(&'static str),
    /// What happens then, in words, and an example, as written.
    Nothing(&'static str, &'static str),
}

/// What can stand at a place.
#[derive(Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// Anything; results of steps, too.
    Value,
    /// A whole number of at least so much.
    Count(i64),
    /// Any whole number.
    Integer,
    /// A number.
    Number,
    /// A number from 0 to 1.
    Share,
    /// A time: `"10m"`, or a number of seconds.
    Duration,
    /// A size: `"100MB"`, or a number of bytes.
    Bytes,
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text, or a list of texts.
    Texts,
    /// A list; of maps with these keys, if there are some.
    List(Option<&'static Keys>),
    /// A map; with these keys, if there are some.
    Map(Option<&'static Keys>),
    /// A map of names to maps with these keys.
    Names(&'static Keys),
    /// A closure with these parameters.
    Closure(&'static str),
    /// A closure or an expression that is true or false.
    Condition,
    /// A step.
    Step,
    /// A step, or a list of steps.
    Steps,
    /// One of these.
    Or(&'static [Kind]),
}

impl Kind {
    /// Its name, as it stands in tables.
    pub fn name(&self) -> String {
        match self {
            Kind::Text => "text".into(),
            Kind::Value => "any value".into(),
            Kind::Count(min) => format!("whole number, {min} or more"),
            Kind::Integer => "whole number".into(),
            Kind::Number => "number".into(),
            Kind::Share => "number from 0 to 1".into(),
            Kind::Duration => "duration".into(),
            Kind::Bytes => "size".into(),
            Kind::Bool => "true or false".into(),
            Kind::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                words.join(", ")
            }
            Kind::Texts => "text, or a list of texts".into(),
            Kind::List(_) => "list".into(),
            Kind::Map(_) | Kind::Names(_) => "map".into(),
            Kind::Closure(parameters) => format!("closure `|{parameters}| …`"),
            Kind::Condition => "closure or expression".into(),
            Kind::Step => "step".into(),
            Kind::Steps => "step, or a list of steps".into(),
            Kind::Or(kinds) => kinds.iter().map(Kind::name).collect::<Vec<_>>().join(", or "),
        }
    }

    /// The words that can stand there, if it is one of some.
    pub fn words(&self) -> &'static [&'static str] {
        match self {
            Kind::Choice(words) => words,
            Kind::Or(kinds) => kinds.iter().map(Kind::words).find(|words| !words.is_empty()).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The keys of the map that can stand there; of the maps in it, if it is a list or a map of maps.
    pub fn keys(&self) -> Option<&'static Keys> {
        match self {
            Kind::List(keys) | Kind::Map(keys) => *keys,
            Kind::Names(keys) => Some(keys),
            Kind::Or(kinds) => kinds.iter().find_map(Kind::keys),
            _ => None,
        }
    }
}

impl Absent {
    /// A value for the key, as written.
    pub fn example(&self) -> &'static str {
        match self {
            Absent::Needed(example) | Absent::Value(example) | Absent::Nothing(_, example) => example,
        }
    }
}

impl Keys {
    /// A key of its name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.every().into_iter().find(|key| key.name == name)
    }

    /// The names of all keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.every().into_iter().map(|key| key.name).collect()
    }

    /// All keys: its own, and those that it shares with another map.
    pub fn every(&self) -> Vec<&'static Key> {
        self.keys.iter().chain(self.shared().into_iter().flat_map(Keys::every)).collect()
    }

    /// The map whose keys can stand here, too: a question can say of its agent whatever the agent's own map can.
    pub fn shared(&self) -> Option<&'static Keys> {
        match self.name {
            name if name == ASK.name => Some(&AGENT),
            name if name == DELEGATE.name => Some(&ASK),
            _ => None,
        }
    }
}

/// All option maps.
pub static ALL: [&Keys; 44] = [
    &DELEGATE,
    &AGENT,
    &ASK,
    &WINDOW,
    &BUDGET,
    &SWARM,
    &POOL,
    &RETRY,
    &BREAKER,
    &BREAKER_OF_STEP,
    &CACHE,
    &HTTP,
    &APPROVE,
    &FIELD,
    &SIGNAL,
    &WAIT_FOR,
    &PARAM,
    &LIMIT,
    &SETTINGS,
    &STRATEGIES,
    &STRATEGY,
    &EACH,
    &REPEAT,
    &BOARD,
    &MEMORY,
    &ON_EVENT,
    &MERGE,
    &PARALLEL,
    &CHAIN,
    &CHAIN_OPTIONS,
    &FLOW,
    &CONDITION,
    &STREAM,
    &FILTER,
    &FILE,
    &CSV,
    &PROGRAM,
    &WATCH,
    &ALERT,
    &PIPELINE,
    &PIPELINE_OPTIONS,
    &STAGE,
    &STAGE_MAP,
    &FAILS,
];

/// The keys of the map that a function takes; of a method, if its name begins with a dot.
pub fn of(function: &str) -> Option<&'static Keys> {
    ALL.iter().copied().find(|keys| keys.of.contains(&function))
}

/// What a policy takes as its value.
pub fn of_policy(name: &str) -> Option<&'static Key> {
    POLICIES.iter().find(|key| key.name == name)
}

/// The names of a list of choices.
pub const fn names<T: Copy, const N: usize>(choices: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = choices[at].0;
        at += 1;
    }
    names
}

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key { name, kind, absent, meaning }
}

#[cfg(test)]
mod tests;
