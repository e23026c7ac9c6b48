//! Members of a swarm: agents, with what the swarm has to know of them.

use std::collections::HashMap;

use rhai::{Array, Dynamic, ImmutableString, Map};
use smol_str::SmolStr;

use super::pool;
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::Agent;
use crate::lang::options::wrong;
use crate::lang::session;

/// How often each worker of a pool was asked, in this session.
pub type Load = HashMap<(SmolStr, SmolStr), u32>;

/// Names of steps that a swarm makes beside its members.
const TAKEN: [&str; 12] = [
    "plan",
    "assign",
    "work",
    "merge",
    "arbitrate",
    "tally",
    "decide",
    "enough",
    "answers",
    "answer",
    "rounds",
    "so-far",
];

/// One of a swarm.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name in the swarm.
    pub name: SmolStr,
    /// The agent.
    pub agent: Agent,
    /// How many of it there are.
    pub size: u32,
    /// The limits that its questions hold.
    pub limits: Vec<SmolStr>,
}

impl Member {
    fn of(agent: Agent) -> Self {
        Member { name: agent.0.name.clone(), agent, size: 1, limits: Vec::new() }
    }

    /// As the standard library sees it. `step`: the name of its question, if it has a role of its own.
    pub fn to_map(&self, step: Option<&str>) -> Map {
        let agent = &self.agent.0;
        let text = |text: &Option<String>| Dynamic::from(text.clone().unwrap_or_default());
        let own = match TAKEN.contains(&self.name.as_str()) {
            true => format!("{}-agent", self.name),
            false => self.name.chars().map(|c| if fits(c) { c } else { '-' }).collect(),
        };
        let entries: [(&str, Dynamic); 11] = [
            ("leads", step.is_some().into()),
            ("name", self.name.to_string().into()),
            ("step", step.map_or(own, str::to_owned).into()),
            ("agent", Dynamic::from(self.agent.clone())),
            ("role", text(&agent.role)),
            ("description", text(&agent.description)),
            (
                "capabilities",
                agent.capabilities.iter().map(|one| Dynamic::from(one.to_string())).collect::<Array>().into(),
            ),
            ("weight", agent.weight.unwrap_or(1.0).into()),
            ("priority", i64::from(agent.priority).into()),
            ("size", i64::from(self.size).into()),
            ("limits", self.limits.iter().map(|one| Dynamic::from(one.to_string())).collect::<Array>().into()),
        ];
        entries.into_iter().map(|(key, value)| (key.into(), value)).collect()
    }

    /// Can it go on where the other one failed: by a capability that both have, or by its role?
    pub fn stands_in_for(&self, other: &Member) -> bool {
        let (own, wanted) = (&self.agent.0, &other.agent.0);
        own.capabilities.iter().any(|one| wanted.capabilities.contains(one))
            || own.role.is_some() && own.role == wanted.role
    }
}

fn fits(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// An agent, or the name of one.
pub fn one(value: &Dynamic, what: &str, span: Span) -> Result<Member, Fault> {
    if let Some(agent) = value.read_lock::<Agent>() {
        return Ok(Member::of(agent.clone()));
    }
    match value.read_lock::<ImmutableString>() {
        Some(name) => named(&name, what, span).map(Member::of),
        None => Err(wrong(what, "an agent, or the name of one", value, span)),
    }
}

/// The agent of a name.
pub fn named(name: &str, what: &str, span: Span) -> Result<Agent, Fault> {
    let (found, known) = session::with(|session| {
        let known: Vec<String> = session.agents.keys().map(ToString::to_string).collect();
        (session.agents.get(name).cloned(), known)
    });
    if let Some(found) = found {
        return Ok(Agent(found));
    }
    let help = did_you_mean(name, known.iter().map(String::as_str)).unwrap_or_else(|| match known.is_empty() {
        true => format!("declare it before: `agent(\"{name}\", #{{ … }})`"),
        false => format!("there are: {}", known.join(", ")),
    });
    let problem = Diagnostic::new("flow::lang::swarm", format!("{what}: there is no agent `{name}`"));
    Err(raise(problem.label_word(span, name, "named here").help(help)))
}

/// Several: a list of agents or names, a map of agents, or a pool.
pub fn several(value: &Dynamic, span: Span) -> Result<Vec<Member>, Fault> {
    const WHAT: &str = "`agents` of swarm";
    let mut members = Vec::new();
    if let Some(items) = value.read_lock::<Array>() {
        for item in items.iter() {
            members.push(one(item, WHAT, span)?);
        }
    } else if let Some(map) = value.read_lock::<Map>() {
        match pool::members(&map) {
            Some(workers) => members = workers,
            None => {
                for agent in map.values() {
                    members.push(one(agent, WHAT, span)?);
                }
            }
        }
    } else if value.is::<Agent>() || value.is_string() {
        members.push(one(value, WHAT, span)?);
    } else {
        return Err(wrong(WHAT, "a list of agents, a map of them, or a pool", value, span));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = members.iter().find(|member| !seen.insert(member.name.clone())) {
        let problem =
            Diagnostic::new("flow::lang::swarm", format!("the agent `{}` stands twice in the swarm", twice.name));
        return Err(raise(problem.label_word(span, twice.name.as_str(), "here").help(
            "name each once; how many of one work at the same time says a pool: `pool(\"crew\", #{ coder: 5 })`",
        )));
    }
    Ok(members)
}

/// Their names.
pub fn listed(members: &[Member]) -> String {
    members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
}
