//! What is said of a swarm, and the steps that come of it.

use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};
use smol_str::{SmolStr, format_smolstr};

use super::member::{self, Member};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::lang::fault::{Fault, raise};
use crate::lang::functions::in_order;
use crate::lang::handle::{Pending, Step};
use crate::lang::options::{self, Options, here, wrong};
use crate::lang::program::{LoadProblem, Program};
use crate::lang::{keys, library, policies, session};
use crate::plan::{self, Limit, Sequence, StepId, Task};

const CODE: &str = "flow::lang::swarm";

/// The module that makes the steps.
pub const MODULE: &str = "std/swarm";

/// How the agents stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// A coordinator gives tasks.
    Hierarchical,
    /// All work for the one in the middle.
    Star,
    /// All see all.
    Mesh,
    /// One after the other.
    Pipeline,
}

/// Topologies, by their names in scripts.
pub const TOPOLOGY: [(&str, Topology); 4] = [
    ("hierarchical", Topology::Hierarchical),
    ("star", Topology::Star),
    ("mesh", Topology::Mesh),
    ("pipeline", Topology::Pipeline),
];

/// Who waits for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Communication {
    /// All for all.
    #[default]
    Synchronous,
    /// Nobody for more than what it needs.
    Asynchronous,
    /// The aggregator hears what is published.
    EventDriven,
}

/// Ways to communicate, by their names in scripts.
pub const COMMUNICATION: [(&str, Communication); 3] = [
    ("synchronous", Communication::Synchronous),
    ("asynchronous", Communication::Asynchronous),
    ("event_driven", Communication::EventDriven),
];

/// Who sees what the others noted.
pub const STATE: [(&str, &str); 3] = [("global", "global"), ("local", "local"), ("hierarchical", "hierarchical")];

/// How it is decided between answers.
pub const CONFLICT: [(&str, &str); 4] =
    [("consensus", "consensus"), ("majority", "majority"), ("weighted", "weighted"), ("priority", "priority")];

/// A swarm whose steps are still to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    group: StepId,
    name: SmolStr,
    said: Map,
    span: Span,
}

/// Declares a swarm.
pub fn new(context: &NativeCallContext, name: Option<&str>, mut said: Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut options = Options::of(&keys::SWARM, &said, span);
    let named = options.text("name")?;
    let timeout = options.take("timeout");
    keys::SWARM.keys.iter().for_each(|key| drop(options.take(key.name)));
    options.done()?;
    said.remove("name");
    said.remove("timeout");
    if let (Some(name), Some(other)) = (name, &named) {
        let problem = Diagnostic::new(CODE, format!("the swarm has two names: `{name}` and `{other}`"));
        return Err(raise(problem.label_word(span, other.as_str(), "second name").help("give one of them")));
    }
    let name = named.as_deref().or(name).map(|name| options::name(context, name)).transpose()?;
    let step = session::build(context, |builder, span| {
        let shown = name.map_or_else(|| builder.nameless("swarm"), SmolStr::from);
        let mut step = plan::Step::new(shown, Task::Chain(Vec::new()), span);
        step.shape = Some("swarm".into());
        Ok(builder.add(step))
    })?;
    let shown = session::build(context, |builder, _| Ok(builder.step(step).name.clone()))?;
    session::with(|session| session.swarms.push(Draft { group: step, name: shown, said, span }));
    let step = Step::One(step);
    match timeout {
        Some(timeout) => policies::set(context, &step, "timeout", &timeout),
        None => Ok(step),
    }
}

/// Says something more of a swarm.
pub fn say(context: &NativeCallContext, step: &Step, key: &'static str, value: Dynamic) -> Result<Step, Fault> {
    let span = here(context);
    let found = match step.single() {
        Some(id) => {
            let worker = session::build(context, |builder, _| Ok(builder.worker(id)))?;
            session::with(|session| session.swarms.iter().position(|draft| draft.group == id || draft.group == worker))
        }
        None => None,
    };
    let Some(at) = found else {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::not_a_swarm",
                format!("`.{key}` belongs to a swarm, but this is another step, or has run already"),
            )
            .label(span, "called here")
            .help("`swarm(\"review\").topology(\"star\").agents([a, b]).aggregator(chief).goal(\"…\")`"),
        ));
    };
    let before = session::with(|session| session.swarms[at].said.insert(key.into(), value));
    if before.is_some() {
        let problem = Diagnostic::new("flow::lang::option", format!("the swarm has a `{key}` already"));
        return Err(raise(problem.label(span, "given again here").help("give it once")));
    }
    Ok(step.clone())
}

/// Makes the steps of all swarms of which nothing more can be said.
pub fn finish_all() -> Result<(), Fault> {
    loop {
        let next = session::with(|session| match session.swarms.is_empty() {
            true => None,
            false => Some(session.swarms.remove(0)),
        });
        match next {
            Some(draft) => finish(draft)?,
            None => return Ok(()),
        }
    }
}

fn finish(draft: Draft) -> Result<(), Fault> {
    let (program, before) = session::with(|session| (session.program.clone(), session.caller.replace(draft.span)));
    let made = make(&draft, &program);
    session::with(|session| session.caller = before);
    made
}

fn make(draft: &Draft, program: &Program) -> Result<(), Fault> {
    let lost = || {
        raise(
            Diagnostic::new(CODE, "what makes the steps of swarms is not in the recorded script")
                .label(draft.span, "of this swarm")
                .help("start the workflow anew"),
        )
    };
    let file = program.load(MODULE).map_err(|problem| match problem {
        LoadProblem::Wrong(problem) => raise(problem),
        LoadProblem::Missing => lost(),
    })?;
    let context = program.context(&file).ok_or_else(lost)?;
    let start = session::build(&context, |builder, _| Ok(builder.len()))?;
    let (topology, spec) = Reading::of(draft)?.done(&context)?;
    let function = match topology {
        Topology::Hierarchical => "hierarchical",
        Topology::Star => "star",
        Topology::Mesh => "mesh",
        Topology::Pipeline => "line",
    };
    let mut argument = Dynamic::from(spec);
    let made = context.call_fn_raw(function, false, false, &mut [&mut argument]).map_err(library::at_the_call)?;
    let steps = made.try_cast::<Array>().unwrap_or_default();
    let sequence = in_order(&context, &steps)?;
    session::build(&context, |builder, _| {
        let group = builder.worker(draft.group);
        // Beside those in order there are steps that decide whether these go on.
        let mut members = builder.orphans(start);
        members.retain(|id| !sequence.members.contains(id));
        members.extend(sequence.members.iter().copied());
        members.sort_unstable();
        let entries = sequence.entries.clone();
        builder.fill_chain(group, Sequence { entries, members, exits: sequence.exits.clone(), span: draft.span });
        builder.step_mut(group).shape = Some(format_smolstr!("swarm ({})", name_of(&TOPOLOGY, topology)));
        Ok(())
    })
}

/// The options of a swarm while they are read.
struct Reading<'a> {
    draft: &'a Draft,
    span: Span,
    options: Options,
}

impl<'a> Reading<'a> {
    fn of(draft: &'a Draft) -> Result<Self, Fault> {
        let what = format!("the swarm `{}`", draft.name);
        Ok(Reading { draft, span: draft.span, options: Options::named(&keys::SWARM, what, &draft.said, draft.span) })
    }

    fn refuse(&self, message: String, word: &str, help: impl Into<String>) -> Fault {
        raise(Diagnostic::new(CODE, message).label_word(self.span, word, "here").help(help.into()))
    }

    fn agent(&mut self, key: &'static str) -> Result<Option<Member>, Fault> {
        let span = self.span;
        self.options.take(key).map(|value| member::one(&value, &format!("`{key}` of swarm"), span)).transpose()
    }

    fn done(mut self, context: &NativeCallContext) -> Result<(Topology, Map), Fault> {
        let (span, name) = (self.span, self.draft.name.clone());
        let coordinator = self.agent("coordinator")?;
        let given = self.options.choice("topology", &TOPOLOGY)?;
        let topology = given.unwrap_or(if coordinator.is_some() { Topology::Hierarchical } else { Topology::Star });
        let what = name_of(&TOPOLOGY, topology);
        let mut members = match self.options.take("agents") {
            Some(value) => member::several(&value, span)?,
            None => Vec::new(),
        };
        if members.is_empty() {
            return Err(self.refuse(
                format!("the swarm `{name}` has no agents"),
                "agents",
                "`agents: [a, b]`, with agents that are declared before: `let a = agent(\"a\", #{ … });`",
            ));
        }
        let aggregator = self.agent("aggregator")?;
        let arbiter = self.agent("on_conflict")?;
        let communication = self.options.choice("communication", &COMMUNICATION)?.unwrap_or_default();
        let conflict = self.options.choice("conflict", &CONFLICT)?;
        let rounds = self.options.count("rounds", 1)?;
        let max_tasks = self.options.count("max_tasks", 1)?;
        let needed = self.options.count("needed", 1)?;
        let vote = self.options.take("vote").unwrap_or(Dynamic::UNIT);
        if !vote.is_unit() && !vote.is_string() && !vote.is::<FnPtr>() {
            return Err(wrong("`vote` of swarm", "a key of the answers, or a closure `|answer| …`", &vote, span));
        }
        let said = |message: &str| format!("the swarm `{name}` {message}");
        let only = |key: &str, given: bool, at: &[Topology], reason: &str| match given && !at.contains(&topology) {
            true => Err(raise(
                Diagnostic::new(CODE, said(&format!("is a {what}, and `{key}` means nothing there")))
                    .label_word(span, key, "here")
                    .help(reason.to_owned()),
            )),
            false => Ok(()),
        };
        use Topology::{Hierarchical, Mesh, Star};
        only(
            "coordinator",
            coordinator.is_some(),
            &[Hierarchical],
            "a coordinator leads a `topology: \"hierarchical\"`",
        )?;
        only(
            "conflict",
            conflict.is_some(),
            &[Star, Mesh],
            "only where all answer the same there is a vote: `\"star\"` and `\"mesh\"`",
        )?;
        only(
            "rounds",
            rounds.is_some(),
            &[Star, Mesh],
            "there are rounds in a `\"mesh\"`, and in a `\"star\"` with an `aggregator`",
        )?;
        only("max_tasks", max_tasks.is_some(), &[Hierarchical], "only a coordinator gives tasks")?;
        only("needed", needed.is_some(), &[Star], "only in a `\"star\"` some may be missing")?;
        only("vote", !vote.is_unit(), &[Star, Mesh], "only where all answer the same answers are compared")?;
        if topology == Hierarchical && coordinator.is_none() {
            return Err(self.refuse(
                said("is hierarchical and has no coordinator"),
                "hierarchical",
                "name the agent that gives the tasks: `coordinator: chief`",
            ));
        }
        if arbiter.is_some() && conflict.is_none() {
            return Err(self.refuse(
                said("says who decides a conflict, but not how one is seen"),
                "on_conflict",
                "`conflict: \"consensus\"`, `\"majority\"`, `\"weighted\"` or `\"priority\"`",
            ));
        }
        if topology == Star && !vote.is_unit() && conflict.is_none() {
            return Err(self.refuse(
                said("says what of the answers is compared, but not how it is decided between them"),
                "vote",
                "`conflict: \"consensus\"`, `\"majority\"`, `\"weighted\"` or `\"priority\"`",
            ));
        }
        if topology == Star && aggregator.is_none() && conflict.is_none() {
            return Err(self.refuse(
                said("is a star and has nobody in the middle"),
                "star",
                "name who merges the answers: `aggregator: chief`; or how it is decided between them: `conflict: \"majority\"`",
            ));
        }
        if topology == Star && rounds.is_some_and(|rounds| rounds > 1) && (conflict.is_some() || needed.is_some()) {
            return Err(self.refuse(
                said("is a star whose rounds its aggregator leads: there is no vote in it, and nobody may be missing"),
                "rounds",
                "leave out `conflict` and `needed`; who talk until they agree are a `topology: \"mesh\"`",
            ));
        }
        if topology == Star && rounds.is_some_and(|rounds| rounds > 1) && aggregator.is_none() {
            return Err(self.refuse(
                said("has rounds and nobody who leads them"),
                "rounds",
                "`aggregator: chief`, who says after each round what is still to be done",
            ));
        }
        if let Some(needed) = needed.filter(|needed| *needed as usize > members.len()) {
            return Err(self.refuse(
                said(&format!("needs {needed} answers, but has only {} agents", members.len())),
                "needed",
                format!("{} at most", members.len()),
            ));
        }
        let failover = match self.options.take("failover") {
            Some(value) => value.as_bool().map_err(|_| wrong("`failover` of swarm", "true or false", &value, span))?,
            None => false,
        };
        if failover && !members.iter().any(|a| members.iter().any(|b| a.name != b.name && a.stands_in_for(b))) {
            return Err(self.refuse(
                said("is to fail over, but no agent can stand in for another"),
                "failover",
                format!(
                    "give two of them the same of `capabilities`, or the same `role`: {}",
                    member::listed(&members)
                ),
            ));
        }
        let state = self.options.choice("state", &STATE)?;
        let talk = Talk {
            topology,
            rounds: rounds.is_some_and(|rounds| rounds > 1),
            votes: conflict.is_some() || aggregator.is_none() && coordinator.is_none(),
            failover,
            shared: state.is_none_or(|state| state == "global"),
        };
        if let Some((word, message, help)) = talk.impossible(communication) {
            return Err(self.refuse(said(message), word, help));
        }
        let free = communication == Communication::Asynchronous && topology == Mesh;
        let state = state.unwrap_or(if free { "global" } else { "" });
        let goal = match self.options.take("goal") {
            Some(goal) if goal.is_string() || goal.is::<Pending>() => goal,
            Some(step) if step.is::<Step>() => step,
            Some(other) => return Err(wrong("`goal` of swarm", "a text", &other, span)),
            None => {
                let has_input = session::build(context, |builder, _| {
                    Ok(!builder.step(self.draft.group).input.is_empty()
                        || builder.step(self.draft.group).parent.is_some())
                })?;
                if !has_input && !self.draft.said.contains_key("parts") {
                    return Err(self.refuse(
                        said("has no goal"),
                        "swarm",
                        "say what it is to come to: `goal: \"Find out why the build is slow\"`; or let a step before it say so: `step -> swarm(…)`",
                    ));
                }
                "Your goal is what you are given.".into()
            }
        };
        let parts = self.parts(&members)?;
        let parallel_limit = self.options.count("parallel_limit", 1)?;
        if let Some(most) = parallel_limit {
            let limit = format_smolstr!("{name}.parallel");
            session::build(context, |builder, _| {
                builder.header.limits.insert(limit.clone(), Limit { max: Some(most), per_minute: None, scale: None });
                Ok(())
            })?;
            members.iter_mut().for_each(|member| member.limits.push(limit.clone()));
        }
        let retry = self.options.take("retry").unwrap_or(Dynamic::UNIT);
        let schema = self.options.take("schema").unwrap_or(Dynamic::UNIT);
        let rounds = rounds.unwrap_or(if topology == Mesh { 3 } else { 1 });
        let needed = needed.unwrap_or(members.len() as u32);
        let has_aggregator = aggregator.is_some() || topology == Hierarchical;
        let aggregator = aggregator.or_else(|| coordinator.clone());
        let role = |member: Option<Member>, step: &str| {
            member.map_or(Dynamic::UNIT, |member| member.to_map(Some(step)).into())
        };
        let all: Array = members.iter().map(|member| member.to_map(None).into()).collect();
        let has_arbiter = arbiter.is_some();
        let entries: [(&str, Dynamic); 19] = [
            ("name", name.to_string().into()),
            ("goal", goal),
            ("members", all.into()),
            ("coordinator", role(coordinator, "plan")),
            ("aggregator", role(aggregator, "merge")),
            ("has_aggregator", has_aggregator.into()),
            ("arbiter", role(arbiter, "arbitrate")),
            ("has_arbiter", has_arbiter.into()),
            ("communication", name_of(&COMMUNICATION, communication).into()),
            ("state", state.into()),
            ("conflict", conflict.unwrap_or_default().into()),
            ("vote", vote),
            ("rounds", i64::from(rounds).into()),
            ("max_tasks", i64::from(max_tasks.unwrap_or(10)).into()),
            ("needed", i64::from(needed).into()),
            ("parts", parts.into()),
            ("retry", retry),
            ("schema", schema),
            ("failover", failover.into()),
        ];
        self.options.done()?;
        Ok((topology, entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// What each is told beside the goal.
    fn parts(&mut self, members: &[Member]) -> Result<Map, Fault> {
        let span = self.span;
        let Some(value) = self.options.take("parts") else { return Ok(Map::new()) };
        let Some(map) = value.read_lock::<Map>().map(|map| map.clone()) else {
            return Err(wrong("`parts` of swarm", "a map of names of agents and texts", &value, span));
        };
        for (name, text) in &map {
            if !members.iter().any(|member| member.name == name.as_str()) {
                let known = members.iter().map(|member| member.name.as_str());
                return Err(self.refuse(
                    format!("`parts` names `{name}`, who is not in the swarm"),
                    name,
                    did_you_mean(name, known).unwrap_or_else(|| format!("its agents: {}", member::listed(members))),
                ));
            }
            if !text.is_string() && !text.is::<Pending>() {
                return Err(wrong(&format!("the part of `{name}`"), "a text", text, span));
            }
        }
        Ok(map)
    }
}

/// How the agents talk.
struct Talk {
    topology: Topology,
    rounds: bool,
    votes: bool,
    failover: bool,
    shared: bool,
}

impl Talk {
    /// Why they cannot do so in this way: a word of the script, what is wrong, and what to do.
    fn impossible(&self, communication: Communication) -> Option<(&'static str, &'static str, &'static str)> {
        use Communication::{Asynchronous, EventDriven, Synchronous};
        let word = name_of(&COMMUNICATION, communication);
        let (message, help) = match (communication, self.topology) {
            (Synchronous, _) => return None,
            (EventDriven, Topology::Mesh | Topology::Pipeline) => (
                "is event-driven, but has nobody who hears all",
                "in a `\"star\"` and a `\"hierarchical\"` one the aggregator does; in a mesh, `\"asynchronous\"` agents see at any time what the others said",
            ),
            (Asynchronous, Topology::Mesh) if !self.shared => (
                "is asynchronous, and its agents see nothing of each other",
                "leave out `state`, or let it be `\"global\"`: what they say stands on a board that all see",
            ),
            (Asynchronous, Topology::Pipeline) if self.failover => (
                "is asynchronous, so its agents run at the same time, and nobody can take over from one of them",
                "leave out `failover`, or `communication`",
            ),
            (_, Topology::Star) if self.votes => (
                "does not wait for all, but a vote does",
                "name an `aggregator`, who takes in each answer as it comes, and leave out `conflict`",
            ),
            (_, Topology::Star) if self.rounds => ("does not wait for all, but rounds do", "leave out `rounds`"),
            _ => return None,
        };
        Some((word, message, help))
    }
}

/// The name of a choice.
fn name_of<T: Copy + PartialEq>(choices: &[(&'static str, T)], choice: T) -> &'static str {
    choices.iter().find(|(_, known)| *known == choice).map_or("", |(name, _)| name)
}
