//! The plan: what is to be done, as plain data.
//!
//! Evaluating a script gives a [`Plan`]; the machine reads it; the log holds it. No Rhai, no tokio, no SQL, no clock.
//! A plan grows only at its end, by [`Growth`]: the first one is the script's, later ones come from fan-outs at run time.

mod agent;
pub mod analysis;
pub mod arrow;
mod backend;
mod budget;
pub mod builder;
pub mod check;
mod class;
pub mod expression;
pub mod fingerprint;
pub mod forecast;
pub mod glob;
mod graph;
mod hierarchy;
mod http;
mod pipeline;
mod policy;
mod precedence;
mod rebase;
pub mod render;
#[cfg(test)]
mod sample;
pub mod schedule;
pub mod schema;
pub mod shell;
mod step;
mod stream;
pub mod unit;
mod value;
mod wait;
pub mod ways;
pub(crate) mod wording;
pub mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use agent::{
    Agent, AgentConfig, AgentInput, Ask, Board, Budget, Context, Emit, Isolate, MergeTrees, OnConflict, OnEvent,
    Permission, Publish, Put, Speaks,
};
pub use backend::{BACKENDS, Backend, BackendSpec, Lack};
pub use budget::{Bounds, Unit, bounds_of, covers};
pub use builder::{Builder, Piece, Sequence, Side};
pub use class::{Class, ClassRule, Matches, Strategy};
pub use graph::Graph;
pub use hierarchy::Hierarchy;
pub use http::{Http, HttpBody, METHODS, check_url};
pub use pipeline::{
    Alert, Command, Format, Metric, OnAlert, Overflow, Pipeline, Severity, Sink, Source, Stage, StageWork,
};
pub use policy::{
    Backoff, Breaker, Cache, Limit, OnError, Order, Parse, Policy, Retry, Rule, Scale, Settings, UndoScope, Validate,
};
pub use step::{Branch, Each, Edge, EdgeKind, Quorum, Repeat, Shell, Step, StepId, Task, Workflow};
pub use stream::{Ack, Filter, ItemError, Merge, Reads, Slow, Stream};
pub use value::{Closure, Condition, Expression, Json, Key, Reference, SecretRef, Value};
pub use wait::{Approve, Field, FileWait, OnTimeout, SignalWait};

use crate::diag::Span;

/// Version of the plan's form; raised when an older reader could not understand it.
pub const VERSION: u32 = 1;

/// Everything a run needs to know beforehand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// What holds for the whole plan.
    #[serde(flatten)]
    pub header: Header,
    /// The steps, by id.
    pub steps: Vec<Step>,
    /// Is the script at its end? Not so while `run(…)` waits for a result: then only what it needs may run.
    pub complete: bool,
}

/// What holds for the whole plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Header {
    /// See [`VERSION`].
    pub version: u32,
    /// Name of the workflow: that of the file, without its ending.
    pub name: String,
    /// The files it was made from, by `Span::file`.
    pub files: Vec<File>,
    /// Its parameters, in the order of declaration.
    pub params: Vec<Param>,
    /// Settings of the whole script.
    pub settings: Settings,
    /// Named limits. A lock is one of `max` 1.
    #[schemars(with = "BTreeMap<String, Limit>")]
    pub limits: BTreeMap<SmolStr, Limit>,
    /// Named breakers.
    #[schemars(with = "BTreeMap<String, Breaker>")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub breakers: BTreeMap<SmolStr, Breaker>,
    /// Names of all secrets that the workflow uses: whatever a step prints, they are masked in it.
    #[schemars(with = "Vec<String>")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SmolStr>,
    /// Steps that run at a certain moment of the run, outside the graph.
    pub hooks: Vec<(Moment, StepId)>,
    /// Failed steps whose failure the script itself has looked at (after `run(…)`), which handles it.
    pub looked_at: Vec<StepId>,
    /// In a plan that was made without running anything: where the script stopped to wait for a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Span>,
}

/// A file of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// As the user named it, `std/…` for the standard library.
    pub name: String,
    /// SHA-256 of its text, in hexadecimal; the store keeps the text under it.
    pub sha256: String,
}

/// A parameter of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Param {
    /// Its name, as in `--arg name=value`.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// `string`, `int`, `float`, `bool`, `list`, `map` or `path`.
    #[schemars(with = "String")]
    pub kind: SmolStr,
    /// The value where none is given; without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// The values it may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Json>,
    /// The least it may be, if it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Json>,
    /// The most it may be, if it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Json>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// The value of this run.
    pub value: Json,
    /// Where it was declared.
    pub span: Span,
}

/// A moment of a run at which hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before everything else.
    Start,
    /// After all went well.
    Success,
    /// After the run failed.
    Failure,
    /// After one of the two, in any case.
    Complete,
}

/// How a plan grows: further steps, and changes to steps that have not started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Growth {
    /// The header, if it is new or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Box<Header>>,
    /// Id of the first of `steps`: the number of steps the plan had before.
    pub base: u32,
    /// The new steps.
    pub steps: Vec<Step>,
    /// Steps that are replaced (a group that got children, a step that got an edge).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<(StepId, Step)>,
    /// Is the script at its end now?
    #[serde(default)]
    pub complete: bool,
    /// All files used so far, if a fan-out has loaded further ones (a `workflow` does).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Further secrets, if a fan-out uses any.
    #[schemars(with = "Vec<String>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SmolStr>,
    /// Further limits and locks, if a fan-out names any.
    #[schemars(with = "BTreeMap<String, Limit>")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<SmolStr, Limit>,
    /// Further breakers, if a fan-out declares any.
    #[schemars(with = "BTreeMap<String, Breaker>")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breakers: BTreeMap<SmolStr, Breaker>,
}

impl Header {
    /// Adds names of secrets, each unless it is there already.
    pub fn add_secrets(&mut self, names: impl IntoIterator<Item = SmolStr>) {
        for name in names {
            if !self.secrets.contains(&name) {
                self.secrets.push(name);
            }
        }
    }
}

impl Plan {
    /// The step of an id.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = StepId> + Clone + use<> {
        (0..self.steps.len() as u32).map(StepId)
    }

    /// Adds what has come. Ids in `growth` must fit (`base` is the number of steps so far).
    pub fn grow(&mut self, growth: Growth) {
        debug_assert_eq!(growth.base as usize, self.steps.len());
        // Files are only ever added, at the end: the longest list is the latest.
        let known = std::mem::take(&mut self.header.files);
        let secrets = std::mem::take(&mut self.header.secrets);
        if let Some(header) = growth.header {
            // The script does not know what fan-outs have named meanwhile.
            let before = std::mem::replace(&mut self.header, *header);
            add(&mut self.header.limits, before.limits);
            add(&mut self.header.breakers, before.breakers);
        }
        add(&mut self.header.limits, growth.limits);
        add(&mut self.header.breakers, growth.breakers);
        let files = &mut self.header.files;
        for longer in [known, growth.files] {
            if longer.len() > files.len() {
                *files = longer;
            }
        }
        self.header.add_secrets(secrets.into_iter().chain(growth.secrets));
        self.steps.extend(growth.steps);
        for (id, step) in growth.changed {
            self.steps[id.index()] = step;
        }
        self.complete |= growth.complete;
    }

    /// The secrets that its steps use.
    pub fn secrets_in_use(&self) -> BTreeSet<SmolStr> {
        let mut used = BTreeSet::new();
        if self.header.secrets.is_empty() {
            return used;
        }
        let mut look = |value: &Value| value.each_secret(&mut |secret| used.extend([secret.name.clone()]));
        self.header.settings.env.iter().for_each(|(_, value)| look(value));
        for step in &self.steps {
            step.task.each_value(&mut look);
            step.policy().each_value(&mut look);
        }
        used
    }

    /// The path of a step: `outer/inner[key]`. Anonymous groups add nothing to the paths of their children.
    pub fn path(&self, id: StepId) -> String {
        let mut parts = vec![id];
        let mut at = self.step(id);
        while let Some(parent) = at.parent {
            at = self.step(parent);
            if !at.anonymous || at.key.is_some() {
                parts.push(parent);
            }
        }
        let mut path = String::new();
        for id in parts.into_iter().rev() {
            let step = self.step(id);
            match &step.key {
                // An iteration is called after its group and its key: `lint[src/a.rs]`.
                Some(key) => {
                    path.push('[');
                    path.push_str(key);
                    path.push(']');
                }
                None => {
                    if !path.is_empty() {
                        path.push('/');
                    }
                    path.push_str(&step.name);
                }
            }
        }
        path
    }

    /// The steps a user may mean by `path`: the one with exactly this path, or else all whose path ends in it.
    pub fn find(&self, path: &str) -> Vec<StepId> {
        let mut ending = Vec::new();
        for id in self.ids().filter(|id| !self.step(*id).retired) {
            let full = self.path(id);
            if full == path {
                return vec![id];
            }
            if full.strip_suffix(path).is_some_and(|rest| rest.ends_with('/')) {
                ending.push(id);
            }
        }
        ending
    }

    /// The children of a group, in their order. For a task: none.
    pub fn members(&self, id: StepId) -> Vec<StepId> {
        match &*self.step(id).task {
            Task::Chain(children) | Task::Parallel(children) | Task::Fallback(children) => children.clone(),
            Task::Quorum(quorum) => quorum.children.clone(),
            Task::Stream(stream) => stream.members().collect(),
            Task::Flow(branches) => branches.iter().map(|branch| branch.step).collect(),
            Task::Each(each) => each.children.clone(),
            Task::Repeat(repeat) => repeat.children.clone(),
            Task::OnEvent(on) => on.children.clone(),
            Task::Workflow(_) => {
                let is_child = |child: &StepId| {
                    let step = self.step(*child);
                    step.parent == Some(id) && !step.retired && step.undoes.is_none()
                };
                self.ids().filter(is_child).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The stream that a step is a member of.
    pub fn stream_of(&self, id: StepId) -> Option<StepId> {
        let step = self.step(id);
        let stream = |group: &StepId| matches!(*self.step(*group).task, Task::Stream(_));
        step.parent.filter(|group| step.undoes.is_none() && stream(group))
    }

    /// Is it a fan-out whose children come while the run goes on?
    pub fn gets_steps_at_run_time(&self, id: StepId) -> bool {
        match &*self.step(id).task {
            Task::Each(each) => each.items.is_some(),
            Task::Repeat(_) | Task::OnEvent(_) => true,
            Task::Workflow(workflow) => !workflow.is_known(),
            _ => false,
        }
    }

    /// Children of fan-outs that belong to the plan no more: their group will make others.
    pub fn retire(&mut self, ids: &[StepId]) {
        for id in ids {
            let step = &mut self.steps[id.index()];
            step.retired = true;
            let Some(parent) = step.parent else { continue };
            match Arc::make_mut(&mut self.steps[parent.index()].task) {
                Task::Each(each) => each.children.retain(|child| child != id),
                Task::Repeat(repeat) => repeat.children.retain(|child| child != id),
                Task::OnEvent(on) => {
                    if let Some(place) = on.children.iter().position(|child| child == id) {
                        on.children.remove(place);
                        on.of.remove(place);
                    }
                }
                Task::Workflow(workflow) => (workflow.expanded, workflow.returns) = (false, None),
                _ => {}
            }
        }
    }

    /// The step that undoes another, if this is one or belongs to one.
    pub fn undo_of(&self, id: StepId) -> Option<StepId> {
        let mut at = id;
        loop {
            let step = self.step(at);
            if step.undoes.is_some() {
                return Some(at);
            }
            at = step.parent?;
        }
    }

    /// Is the output of this step, or of a group around it, not to be shown?
    pub fn is_secret(&self, id: StepId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            let step = self.step(id);
            if step.policy().secret {
                return true;
            }
            at = step.parent;
        }
        false
    }

    /// The hook moment of a top-level step, if it is a hook.
    pub fn hook(&self, id: StepId) -> Option<Moment> {
        self.header.hooks.iter().find(|(_, step)| *step == id).map(|(moment, _)| *moment)
    }
}

/// Adds what is not known by its name.
fn add<T>(known: &mut BTreeMap<SmolStr, T>, more: BTreeMap<SmolStr, T>) {
    for (name, one) in more {
        known.entry(name).or_insert(one);
    }
}

impl File {
    /// A file of a name and a text.
    pub fn of(name: &str, text: &str) -> Self {
        File { name: name.to_owned(), sha256: sha256(text.as_bytes()) }
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    use std::fmt::Write;
    sha2::Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
