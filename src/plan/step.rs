//! One step of a plan, and what it does.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{
    Approve, Ask, Board, Budget, Closure, Condition, FileWait, Filter, Http, MergeTrees, OnAlert, OnEvent, Pipeline,
    Policy, Publish, Put, SignalWait, Stream, Value,
};
use crate::diag::Span;

/// A step's place in `Plan::steps`. Ids are dense, in the order of declaration, and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl StepId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of the plan: a task, or a group of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its name within its group.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// In an `each` or `repeat`: which iteration this is. The path then ends in `[key]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub key: Option<SmolStr>,
    /// The group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<StepId>,
    /// A group without a name of its own: it adds nothing to the paths of its children.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// What it does.
    pub task: Arc<Task>,
    /// What it waits for, outside its group's start. Each predecessor and kind once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Edge>,
    /// The steps whose outputs are its input, in order (also in `after`). One: its output; several: an array.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<StepId>,
    /// Runs only if this is true. The steps it reads are `after` edges of kind `Condition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Box<Condition>>,
    /// How it runs, where anything was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Arc<Policy>>,
    /// The step (also its `parent`, for the path) whose effects this one undoes. It runs only when that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<StepId>,
    /// A group that a combinator above the kinds of tasks made, in the words of the script: `swarm (star)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub shape: Option<SmolStr>,
    /// It runs when this alert is raised, and not otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_alert: Option<OnAlert>,
    /// A child of a fan-out that was made again since: it belongs to the plan no more. Its events stay in the log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// Where it was declared.
    pub span: Span,
}

impl Step {
    /// A step with nothing but a name, a task and a place.
    pub fn new(name: impl Into<SmolStr>, task: Task, span: Span) -> Self {
        Step {
            name: name.into(),
            key: None,
            parent: None,
            anonymous: false,
            task: Arc::new(task),
            after: Vec::new(),
            input: Vec::new(),
            when: None,
            policy: None,
            undoes: None,
            shape: None,
            on_alert: None,
            retired: false,
            span,
        }
    }

    /// The word for what it does: what a combinator above the kinds of tasks calls it, or the kind.
    pub fn word(&self) -> &str {
        self.shape.as_deref().unwrap_or_else(|| self.task.kind())
    }

    /// Its policies, or the defaults.
    pub fn policy(&self) -> &Policy {
        static NONE: std::sync::LazyLock<Policy> = std::sync::LazyLock::new(Policy::default);
        self.policy.as_deref().unwrap_or(&NONE)
    }

    /// Its policies, to be changed.
    pub fn policy_mut(&mut self) -> &mut Policy {
        Arc::make_mut(self.policy.get_or_insert_with(Default::default))
    }

    /// Adds edges to all of these, each unless it is there already. Linear, also for many.
    pub fn add_edges(&mut self, from: impl IntoIterator<Item = StepId>, kind: EdgeKind) {
        let mut known: HashSet<StepId> =
            self.after.iter().filter(|edge| edge.kind == kind).map(|edge| edge.from).collect();
        self.after.extend(from.into_iter().filter(|from| known.insert(*from)).map(|from| Edge { from, kind }));
    }

    /// Adds an edge unless it is there already. For many at once: [`Step::add_edges`].
    pub fn add_edge(&mut self, from: StepId, kind: EdgeKind) {
        let edge = Edge { from, kind };
        if !self.after.contains(&edge) {
            self.after.push(edge);
        }
    }
}

/// Why one step waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Whom it waits for.
    pub from: StepId,
    /// Why.
    pub kind: EdgeKind,
}

/// Kinds of edges. Order and data are judged by the step's rule; a condition only needs its steps to be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// `a -> b`, `b.after(a)`.
    Order,
    /// b uses a result of a.
    Data,
    /// b's condition reads a.
    Condition,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A shell script. References to results stand in it as variables (`vars`), never as text.
    Shell(Shell),
    /// A program without a shell: program and arguments.
    Exec(Vec<Value>),
    /// A closure of the script; its argument is the chain's input, if it takes one.
    Call(Closure),
    /// A constant.
    Const(Value),
    /// A failure with this message.
    Fail(Value),
    /// Time passes, in milliseconds. Holds no slot.
    Wait(u64),
    /// An HTTP request.
    Http(Box<Http>),
    /// A person's answer.
    Approve(Box<Approve>),
    /// A signal from outside.
    Signal(SignalWait),
    /// Until a moment: a date and time as text, or milliseconds since 1970.
    WaitUntil(Value),
    /// Until a file is there.
    WaitFor(FileWait),

    /// Children one after the other (the edges say so). Output: that of the last.
    Chain(Vec<StepId>),
    /// Children side by side. Output: their outputs, in this order.
    Parallel(Vec<StepId>),
    /// Conditions in order; the child of the first true one runs, the others are not taken. Output: that of the child.
    Flow(Vec<Branch>),
    /// One child after the other, until one succeeds. Output: that of the child that did.
    Fallback(Vec<StepId>),
    /// One child for each item. Output: their outputs, in the order of the items.
    Each(Each),
    /// One child after the other, until a condition holds. Output: that of the last.
    Repeat(Repeat),
    /// Another workflow. Output: what its script returned, or a map of its steps' outputs.
    Workflow(Workflow),
    /// Children side by side, of which not all need to succeed: when enough have, the others are ended; when no longer
    /// enough can, too.
    Quorum(Quorum),
    /// Children that run at the same time, each reading what those before it write. Output: that of the last level: of one
    /// member its own, of several an array.
    Stream(Box<Stream>),

    /// A question to an AI agent. Output: its answer.
    Agent(Box<Ask>),
    /// What the agents of the group in which it stands, or of the run, may use up. It ends at once; what is left is read from it
    /// at any time.
    Budget(Budget),
    /// A board for notes. It ends at once; what stands on it is read from it at any time.
    Board(Box<Board>),
    /// Notes something on a board. Output: what.
    Put(Box<Put>),
    /// Tells something to those who wait for it. Output: what.
    Publish(Box<Publish>),
    /// One child for each thing that is published on a topic. Output: their outputs, in the order of publication.
    OnEvent(Box<OnEvent>),
    /// Brings together what was done in work trees. Output: what was merged.
    Merge(Box<MergeTrees>),

    /// A closure in a stream, called for each line.
    Filter(Box<Filter>),
    /// Items from a source through stages into a sink.
    Pipeline(Box<Pipeline>),
}

impl Task {
    /// Does it consist of other steps?
    pub fn is_group(&self) -> bool {
        matches!(
            self,
            Task::Chain(_)
                | Task::Parallel(_)
                | Task::Flow(_)
                | Task::Fallback(_)
                | Task::Each(_)
                | Task::Repeat(_)
                | Task::Workflow(_)
                | Task::Quorum(_)
                | Task::Stream(_)
                | Task::OnEvent(_)
        )
    }

    /// Does it do something outside of flow's process, which must wait until what it depends on is committed? Filters and
    /// pipelines do: what they pass on is read, or written, by others.
    pub fn leaves_process(&self) -> bool {
        matches!(
            self,
            Task::Shell(_)
                | Task::Exec(_)
                | Task::Http(_)
                | Task::Filter(_)
                | Task::Pipeline(_)
                | Task::Agent(_)
                | Task::Merge(_)
        ) || self.lasts()
    }

    /// Does it read what lasts over runs?
    fn lasts(&self) -> bool {
        matches!(self, Task::Board(board) if board.memory.is_some())
    }

    /// Does it run something that may change files, in a folder that a script can name?
    pub fn changes_files(&self) -> bool {
        matches!(self, Task::Shell(_) | Task::Exec(_) | Task::Agent(_) | Task::Pipeline(_) | Task::Call(_))
    }

    /// Is it read as it is at that moment, and not as it was when the step ended? What reads it waits for it as a condition
    /// does: that it ended well says nothing about what comes before the reader.
    pub fn is_living(&self) -> bool {
        matches!(self, Task::Budget(_) | Task::Board(_))
    }

    /// The steps that it names itself, not in a value: boards, and from whom an agent takes over.
    pub fn named(&self) -> Vec<StepId> {
        match self {
            Task::Agent(ask) => ask.further_steps().collect(),
            Task::Put(put) => vec![put.board],
            Task::Board(board) => board.parent.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Does it wait for something that does not come by itself: a person, a signal, a moment, a file?
    pub fn waits(&self) -> bool {
        matches!(self, Task::Approve(_) | Task::Signal(_) | Task::WaitUntil(_) | Task::WaitFor(_))
    }

    /// Calls `visit` with every value in it, the captured values of its closures included.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        match self {
            Task::Shell(shell) => shell.vars.iter().for_each(|(_, value)| visit(value)),
            Task::Exec(words) => words.iter().for_each(visit),
            Task::Call(closure) => closure.captured.iter().for_each(visit),
            Task::Const(value) | Task::Fail(value) | Task::WaitUntil(value) => visit(value),
            Task::Http(http) => http.each_value(visit),
            Task::Approve(approve) => approve.prompt.iter().for_each(visit),
            Task::WaitFor(wait) => visit(&wait.file),
            Task::Each(each) => each.items.iter().chain(&each.body.captured).for_each(visit),
            Task::Repeat(repeat) => {
                repeat.until.iter().flat_map(|until| &until.captured).chain(&repeat.body.captured).for_each(visit);
            }
            Task::Workflow(workflow) => workflow.args.iter().for_each(|(_, value)| visit(value)),
            Task::Filter(filter) => filter.closure.captured.iter().for_each(visit),
            Task::Pipeline(pipeline) => pipeline.each_value(visit),
            Task::Agent(ask) => ask.each_value(visit),
            Task::Put(put) => [&put.key, &put.value].into_iter().for_each(visit),
            Task::Publish(publish) => visit(&publish.value),
            Task::OnEvent(on) => on.body.captured.iter().for_each(visit),
            Task::Budget(_) | Task::Board(_) | Task::Merge(_) => {}
            Task::Wait(_) | Task::Signal(_) => {}
            Task::Chain(_) | Task::Parallel(_) | Task::Flow(_) | Task::Fallback(_) => {}
            Task::Quorum(_) | Task::Stream(_) => {}
        }
    }

    /// As [`Task::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Task::Shell(shell) => shell.vars.iter_mut().for_each(|(_, value)| visit(value)),
            Task::Exec(words) => words.iter_mut().for_each(visit),
            Task::Call(closure) => closure.captured.iter_mut().for_each(visit),
            Task::Const(value) | Task::Fail(value) | Task::WaitUntil(value) => visit(value),
            Task::Http(http) => http.each_value_mut(visit),
            Task::Approve(approve) => approve.prompt.iter_mut().for_each(visit),
            Task::WaitFor(wait) => visit(&mut wait.file),
            Task::Each(each) => each.items.iter_mut().chain(&mut each.body.captured).for_each(visit),
            Task::Repeat(repeat) => {
                let until = repeat.until.iter_mut().flat_map(|until| &mut until.captured);
                until.chain(&mut repeat.body.captured).for_each(visit);
            }
            Task::Workflow(workflow) => workflow.args.iter_mut().for_each(|(_, value)| visit(value)),
            Task::Filter(filter) => filter.closure.captured.iter_mut().for_each(visit),
            Task::Pipeline(pipeline) => pipeline.each_value_mut(visit),
            Task::Agent(ask) => ask.each_value_mut(visit),
            Task::Put(put) => [&mut put.key, &mut put.value].into_iter().for_each(visit),
            Task::Publish(publish) => visit(&mut publish.value),
            Task::OnEvent(on) => on.body.captured.iter_mut().for_each(visit),
            Task::Budget(_) | Task::Board(_) | Task::Merge(_) => {}
            Task::Wait(_) | Task::Signal(_) => {}
            Task::Chain(_) | Task::Parallel(_) | Task::Flow(_) | Task::Fallback(_) => {}
            Task::Quorum(_) | Task::Stream(_) => {}
        }
    }

    /// The word for it in scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Task::Shell(_) => "sh",
            Task::Exec(_) => "exec",
            Task::Call(_) => "call",
            Task::Const(_) => "task",
            Task::Fail(_) => "fail",
            Task::Wait(_) => "wait",
            Task::Http(_) => "http",
            Task::Approve(_) => "approve",
            Task::Signal(_) => "signal",
            Task::WaitUntil(_) => "wait_until",
            Task::WaitFor(_) => "wait_for",
            Task::Fallback(_) => "fallback",
            Task::Chain(_) => "chain",
            Task::Parallel(_) => "parallel",
            Task::Flow(_) => "flow",
            Task::Each(_) => "each",
            Task::Repeat(_) => "repeat",
            Task::Workflow(_) => "workflow",
            Task::Quorum(quorum) => quorum.kind(),
            Task::Stream(_) => "stream",
            Task::Filter(_) => "filter",
            Task::Pipeline(_) => "pipeline",
            Task::Agent(_) => "agent",
            Task::Budget(_) => "budget",
            Task::Board(_) => "board",
            Task::Put(_) => "put",
            Task::Publish(_) => "publish",
            Task::OnEvent(_) => "on_event",
            Task::Merge(_) => "merge",
        }
    }
}

/// A shell script whose references to results have become variables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shell {
    /// The script as the shell gets it; `${FLOW_IN_1}` stands for the first of `vars`, quoted as its place needs.
    pub script: String,
    /// The variables, set in the environment of the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<(String, Value)>")]
    pub vars: Vec<(SmolStr, Value)>,
    /// `bash` and so on; nothing said: `sh -ec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub shell: Option<SmolStr>,
    /// The words of a command that needs no shell: it is run directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Vec<String>>,
}

/// One branch of a `flow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Branch {
    /// What decides; nothing for `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// What runs then: a child of the flow.
    pub step: StepId,
}

/// `each(name, items, |item| step)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Each {
    /// The items, if they are not known while the plan is built; the children then come while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Value>,
    /// Makes the child of an item.
    pub body: Closure,
    /// The children, once known, in the order of the items.
    #[serde(default)]
    pub children: Vec<StepId>,
}

/// `repeat(name, #{max, until}, |i, last| step)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// Most iterations.
    pub max: u32,
    /// Ends the loop when true; gets the output of the last iteration. Nothing said: `max` iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Closure>,
    /// Makes the child of an iteration, from its number (from 1) and the output of the one before (`()` at first).
    pub body: Closure,
    /// The children so far.
    #[serde(default)]
    pub children: Vec<StepId>,
}

/// `race([…])`, `quorum(n, […])`, and what runs side by side and fails fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quorum {
    /// How many children have to succeed, from 1 to all.
    pub need: u32,
    /// Is the output that of the one that succeeded first, and not an array of those that did?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub race: bool,
    /// All of them, in the order written.
    pub children: Vec<StepId>,
}

impl Quorum {
    /// Have all children to succeed, so that it fails with the first that does not? Those that are not taken do not count.
    pub fn is_all(&self) -> bool {
        !self.race && self.need as usize == self.children.len()
    }

    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Quorum { race: true, .. } => "race",
            _ if self.is_all() => "parallel",
            _ => "quorum",
        }
    }
}

/// `workflow(name, file, #{args})`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workflow {
    /// The script, as the user named it.
    pub file: String,
    /// Its parameters; if some are not known while the plan is built, its steps come while it runs.
    #[serde(default)]
    pub args: Vec<(String, Value)>,
    /// Have its steps been added?
    #[serde(default)]
    pub expanded: bool,
    /// What the script returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Value>,
}

impl Workflow {
    /// Were all its parameters known while the plan was built, so that its steps have been in the plan from the start?
    pub fn is_known(&self) -> bool {
        self.args.iter().all(|(_, value)| matches!(value, Value::Plain(_)))
    }
}
