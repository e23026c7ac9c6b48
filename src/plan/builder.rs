//! The builder: records steps and edges while a script is evaluated.
//!
//! It sits on a plan that is there already (empty for a script; the running plan for a fan-out) and never changes a
//! step of it that has been handed out, except for what [`Builder::step_mut`] marks as changed.

mod attached;
mod clean_up;
mod told;
mod weight;
mod woven;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use super::{
    Condition, Edge, EdgeKind, Expression, Growth, Header, Plan, Reference, Source, Step, StepId, Task, Value,
};
use crate::diag::{Diagnostic, Result, Span, did_you_mean};

pub use woven::{Piece, Side};

/// Steps in order, made by `->` or by a list without a name: no node of the plan until something needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The steps that start first.
    pub entries: Vec<StepId>,
    /// The steps whose ends are the end of the whole.
    pub exits: Vec<StepId>,
    /// All of them, in the order written.
    pub members: Vec<StepId>,
    /// Where it was written.
    pub span: Span,
}

impl Sequence {
    /// One step alone.
    pub fn one(id: StepId, span: Span) -> Self {
        Sequence { entries: vec![id], exits: vec![id], members: vec![id], span }
    }

    /// Side by side.
    pub fn side_by_side(parts: Vec<Sequence>, span: Span) -> Self {
        let mut all = Sequence { entries: vec![], exits: vec![], members: vec![], span };
        for part in parts {
            all.entries.extend(part.entries);
            all.exits.extend(part.exits);
            all.members.extend(part.members);
        }
        all
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct Builder {
    base: Arc<Plan>,
    /// What holds for the whole plan.
    pub header: Header,
    steps: Vec<Step>,
    /// Steps of the base that were changed.
    changed: HashMap<StepId, Step>,
    /// How many of `steps` have been handed out by `growth`.
    sent: usize,
    /// Handed-out steps that were changed since.
    dirty: BTreeSet<StepId>,
    /// Steps with expressions whose names are still to be resolved.
    unresolved: Vec<StepId>,
    groups: HashMap<(Vec<StepId>, Vec<StepId>), StepId>,
    /// The streams of the script.
    woven: Vec<woven::Woven>,
    anonymous: u32,
}

impl Builder {
    /// On top of a plan.
    pub fn on(base: Arc<Plan>) -> Self {
        Builder { header: base.header.clone(), base, ..Builder::default() }
    }

    /// Number of steps, those of the base included.
    pub fn len(&self) -> usize {
        self.base.steps.len() + self.steps.len()
    }

    /// Is there no step yet?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A step.
    pub fn step(&self, id: StepId) -> &Step {
        match id.index().checked_sub(self.base.steps.len()) {
            Some(index) => &self.steps[index],
            None => self.changed.get(&id).unwrap_or_else(|| &self.base.steps[id.index()]),
        }
    }

    /// A step, to be changed.
    pub fn step_mut(&mut self, id: StepId) -> &mut Step {
        match id.index().checked_sub(self.base.steps.len()) {
            Some(index) => {
                if index < self.sent {
                    self.dirty.insert(id);
                }
                &mut self.steps[index]
            }
            None => {
                let base = &self.base;
                self.changed.entry(id).or_insert_with(|| base.steps[id.index()].clone())
            }
        }
    }

    /// Adds a step. The steps that its task, condition and policies read become its predecessors.
    pub fn add(&mut self, step: Step) -> StepId {
        let id = StepId(self.len() as u32);
        self.steps.push(step);
        self.connect(id);
        id
    }

    /// Adds the edges that follow from what a step reads; to be called after its task or policies changed.
    pub fn connect(&mut self, id: StepId) {
        let step = self.step(id);
        let mut data = Vec::new();
        let mut open = false;
        {
            let mut visit = |value: &Value| {
                value.each_step(&mut |from| data.push(from));
                open |= has_open_names(value);
            };
            match &*step.task {
                // Items that are known need nothing else before they begin.
                Task::Each(each) if each.items.is_none() => {}
                Task::Workflow(workflow) if workflow.expanded => {}
                // What led to it is before it by other ways, and need not have succeeded.
                Task::Agent(ask) => ask.each_own_value(&mut visit),
                task => task.each_value(&mut visit),
            }
            if let Some(policy) = &step.policy {
                policy.each_value(&mut visit);
            }
        }
        data.extend(step.task.named().into_iter().filter(|named| self.step(*named).task.is_living()));
        if let Task::Merge(merge) = &*step.task {
            data.extend(&merge.of);
        }
        let conditions = step.when.as_deref().map(|when| (when.steps(), condition_is_open(when)));
        let branches_open = match &*step.task {
            Task::Flow(branches) => branches.iter().filter_map(|b| b.when.as_ref()).any(condition_is_open),
            _ => false,
        };
        open |= branches_open;
        if data.is_empty() && conditions.is_none() && !open {
            return;
        }
        // What the first of some alternatives needs is there before they begin.
        let gate = self.gate(id);
        if self.step(id).undoes.is_none() {
            let (living, data): (Vec<StepId>, Vec<StepId>) =
                data.into_iter().partition(|from| self.step(*from).task.is_living());
            let step = self.step_mut(gate);
            step.add_edges(living, EdgeKind::Condition);
            match data[..] {
                [from] => step.add_edge(from, EdgeKind::Data),
                _ => step.add_edges(data, EdgeKind::Data),
            }
        }
        let step = self.step_mut(id);
        if let Some((reads, unresolved)) = conditions {
            open |= unresolved;
            step.add_edges(reads, EdgeKind::Condition);
        }
        if open && self.unresolved.last() != Some(&id) {
            self.unresolved.push(id);
        }
    }

    /// `left -> right`: order, and the outputs of the left are the input of the right.
    pub fn then(&mut self, left: Sequence, right: Sequence) -> Sequence {
        for entry in &right.entries {
            let step = self.step_mut(*entry);
            if let [exit] = left.exits[..] {
                step.add_edge(exit, EdgeKind::Order);
                if !step.input.contains(&exit) {
                    step.input.push(exit);
                }
            } else {
                step.add_edges(left.exits.iter().copied(), EdgeKind::Order);
                let known: HashSet<StepId> = step.input.iter().copied().collect();
                step.input.extend(left.exits.iter().filter(|exit| !known.contains(exit)));
            }
        }
        let mut members = left.members;
        members.extend(right.members);
        Sequence { entries: left.entries, exits: right.exits, members, span: left.span }
    }

    /// A name for a step that was given none.
    pub fn nameless(&mut self, word: &str) -> SmolStr {
        self.anonymous += 1;
        format_smolstr!("{word}-{}", self.anonymous)
    }

    /// One step that stands for a sequence: the step itself, or a group without a name.
    pub fn as_step(&mut self, sequence: Sequence) -> StepId {
        if let [one] = sequence.members[..] {
            return one;
        }
        let key = (sequence.members.clone(), sequence.exits.clone());
        if let Some(group) = self.groups.get(&key) {
            return *group;
        }
        let side_by_side = sequence.entries == sequence.members && sequence.exits == sequence.members;
        let name = self.nameless(if side_by_side { "parallel" } else { "chain" });
        let span = sequence.span;
        let id = if side_by_side { self.parallel(name, sequence, span) } else { self.chain(name, sequence, span) };
        self.step_mut(id).anonymous = true;
        self.groups.insert(key, id);
        id
    }

    /// A chain: a group whose output is that of its end.
    pub fn chain(&mut self, name: SmolStr, sequence: Sequence, span: Span) -> StepId {
        let children = self.in_chain(sequence);
        let id = self.add(Step::new(name, Task::Chain(children.clone()), span));
        self.adopt(id, &children);
        id
    }

    /// Gives a chain that has no steps yet its steps.
    pub fn fill_chain(&mut self, id: StepId, sequence: Sequence) {
        let children = self.in_chain(sequence);
        self.step_mut(id).task = Arc::new(Task::Chain(children.clone()));
        self.adopt(id, &children);
    }

    /// The children of a chain, the one that gives its output last.
    fn in_chain(&mut self, sequence: Sequence) -> Vec<StepId> {
        let Sequence { exits, members: mut children, span, .. } = sequence;
        match exits[..] {
            [last] => {
                children.retain(|child| *child != last);
                children.push(last);
            }
            [] => {}
            _ => {
                // Several ends: they are a group of their own, so that the chain has one last step.
                let tail = Sequence { entries: exits.clone(), exits: exits.clone(), members: exits.clone(), span };
                let tail = self.as_step(tail);
                children.retain(|child| !exits.contains(child));
                children.push(tail);
            }
        }
        children
    }

    /// A group of steps side by side.
    pub fn parallel(&mut self, name: SmolStr, sequence: Sequence, span: Span) -> StepId {
        let id = self.add(Step::new(name, Task::Parallel(sequence.exits.clone()), span));
        self.adopt(id, &sequence.members);
        id
    }

    /// Makes steps that belong to no group yet members of one.
    pub fn adopt(&mut self, group: StepId, members: &[StepId]) {
        for member in members {
            if *member != group && self.step(*member).parent.is_none() {
                self.step_mut(*member).parent = Some(group);
            }
        }
    }

    /// Makes a step the child of a group that decides whether it runs. It must belong to no other.
    pub fn take(&mut self, group: StepId, member: StepId) -> Result<()> {
        let step = self.step(member);
        if let Some(owner) = step.parent {
            let (name, owner) = (step.name.clone(), self.step(owner));
            return Err(Diagnostic::new(
                "flow::plan::two_owners",
                format!(
                    "`{name}` already belongs to `{}`, so `{}` cannot decide whether it runs",
                    owner.name,
                    self.step(group).name
                ),
            )
            .label(self.step(group).span, "wants it as well")
            .label(owner.span, "it belongs to this")
            .label(step.span, "declared here")
            .help("declare a step of its own for this branch, or put the condition on the step with `.when(…)`"));
        }
        self.step_mut(member).parent = Some(group);
        Ok(())
    }

    /// Steps from `from` on that belong to no group yet.
    pub fn orphans(&self, from: usize) -> Vec<StepId> {
        (from..self.len()).map(|n| StepId(n as u32)).filter(|id| self.step(*id).parent.is_none()).collect()
    }

    /// All steps that are part of the graph: no hooks, none that undo others, and nothing in such.
    pub fn in_the_graph(&mut self) -> Vec<StepId> {
        let mut outside = vec![false; self.len()];
        self.header.hooks.iter().for_each(|(_, hook)| outside[hook.index()] = true);
        for id in (0..self.len() as u32).map(StepId) {
            outside[id.index()] |= self.step(id).undoes.is_some();
        }
        let is_outside = |id: &StepId| {
            let mut groups = std::iter::successors(Some(*id), |id| self.step(*id).parent);
            groups.any(|id| outside[id.index()])
        };
        (0..self.len() as u32).map(StepId).filter(|id| !is_outside(id)).collect()
    }

    /// The steps of a name, latest first. Of a step with fallbacks the whole.
    pub fn named(&self, name: &str) -> Vec<StepId> {
        let called = |id: &StepId| self.step(*id).name == name && self.gate(*id) == *id;
        (0..self.len() as u32).rev().map(StepId).filter(called).collect()
    }

    /// Names of all steps, each once.
    pub fn names(&self) -> BTreeSet<&str> {
        (0..self.len() as u32)
            .map(|id| self.step(StepId(id)))
            .filter(|s| !s.anonymous)
            .map(|s| s.name.as_str())
            .collect()
    }

    /// Does `group` contain `id`, at any depth?
    fn contains(&self, group: StepId, id: StepId) -> bool {
        let mut at = Some(id);
        while let Some(step) = at {
            if step == group {
                return true;
            }
            at = self.step(step).parent;
        }
        false
    }

    /// Resolves names in expressions, hands a group's input down to the steps it begins with. To be called before
    /// [`Builder::check`] and [`Builder::growth`].
    pub fn settle(&mut self) -> Result<()> {
        self.resolve_names()?;
        self.hoist_waits();
        self.place_clean_ups();
        self.hand_down_input();
        self.hand_down_writes();
        self.feed_pipelines();
        self.free_alternatives();
        self.free_undos();
        self.tell_agents();
        self.weigh_agents();
        Ok(())
    }

    /// What has been added or changed since the last call.
    pub fn growth(&mut self) -> Growth {
        let base = self.base.steps.len() + self.sent;
        let steps = self.steps[self.sent..].to_vec();
        self.grown(base, steps, false)
    }

    /// What a fan-out has added. The header is that of the script: only names that it does not know come to it.
    pub fn fan_out(&mut self) -> Growth {
        let mut growth = self.growth();
        let known = &self.base.header;
        if let Some(header) = growth.header.take() {
            growth.secrets = header.secrets;
            growth.limits = header.limits;
            growth.breakers = header.breakers;
        }
        growth.secrets.retain(|name| !known.secrets.contains(name));
        growth.limits.retain(|name, _| !known.limits.contains_key(name));
        growth.breakers.retain(|name, _| !known.breakers.contains_key(name));
        growth
    }

    /// The last growth: nothing can be added afterwards.
    pub fn last_growth(mut self) -> Growth {
        let base = self.base.steps.len() + self.sent;
        // Moved, not copied: a plan may have a million steps.
        let mut steps = std::mem::take(&mut self.steps);
        let changed = std::mem::take(&mut self.dirty)
            .into_iter()
            .map(|id| (id, steps[id.index() - self.base.steps.len()].clone()));
        let changed: Vec<_> = changed.collect();
        let steps = if self.sent == 0 { steps } else { steps.split_off(self.sent) };
        self.steps = Vec::new();
        let mut growth = self.grown(base, steps, true);
        growth.changed.extend(changed);
        growth.changed.sort_by_key(|(id, _)| *id);
        growth
    }

    fn grown(&mut self, base: usize, steps: Vec<Step>, complete: bool) -> Growth {
        let mut changed: Vec<_> = std::mem::take(&mut self.changed).into_iter().collect();
        changed.extend(std::mem::take(&mut self.dirty).into_iter().map(|id| (id, self.step(id).clone())));
        changed.sort_by_key(|(id, _)| *id);
        self.sent = self.steps.len();
        Growth {
            header: Some(Box::new(self.header.clone())),
            base: base as u32,
            steps,
            changed,
            complete,
            files: Vec::new(),
            secrets: Vec::new(),
            limits: Default::default(),
            breakers: Default::default(),
        }
    }

    /// What is wrong with the plan as a whole (see `check`).
    pub fn check(&mut self) -> Vec<Diagnostic> {
        self.as_plan(super::check::check)
    }

    /// Looks at all steps as a plan.
    fn as_plan<T>(&mut self, look: impl FnOnce(&Plan) -> T) -> T {
        let mut plan = Plan { header: self.header.clone(), ..Plan::default() };
        let own = std::mem::take(&mut self.steps);
        if self.base.steps.is_empty() {
            plan.steps = own;
        } else {
            plan.steps = self.base.steps.clone();
            plan.steps.extend(own);
        }
        let seen = look(&plan);
        self.steps = plan.steps.split_off(self.base.steps.len());
        seen
    }

    /// What a group says of the files that are changed in it holds for the steps in it that say nothing.
    fn hand_down_writes(&mut self) {
        for id in (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32)) {
            let step = self.step(id);
            if !step.task.changes_files() {
                continue;
            }
            let above = |says: fn(&super::Policy) -> bool| {
                let mut groups = std::iter::successors(Some(id), |id| self.step(*id).parent);
                groups.find(|id| says(self.step(*id).policy())).filter(|group| *group != id)
            };
            let writes =
                above(|policy| !policy.writes.is_empty()).map(|group| self.step(group).policy().writes.clone());
            let isolate = above(|policy| policy.isolate.is_some()).and_then(|group| self.step(group).policy().isolate);
            if let Some(writes) = writes {
                self.step_mut(id).policy_mut().writes = writes;
            }
            // Others work in no folder of their own.
            let works_in_one = matches!(*self.step(id).task, Task::Shell(_) | Task::Exec(_) | Task::Agent(_));
            if isolate.is_some() && works_in_one {
                self.step_mut(id).policy_mut().isolate = isolate;
            }
        }
    }

    fn hand_down_input(&mut self) {
        // Groups may be declared after their children, so parents are followed from every new step upwards.
        for index in self.sent..self.steps.len() {
            let id = StepId((self.base.steps.len() + index) as u32);
            let step = self.step(id);
            if !step.input.is_empty() || step.parent.is_none() {
                continue;
            }
            let mut at = id;
            let mut given = Vec::new();
            while let Some(parent) = self.step(at).parent {
                if self.step(at).undoes.is_some() {
                    break;
                }
                // Only a step that the group begins with gets its input.
                let waits = |edge: &Edge| edge.kind == EdgeKind::Order && self.contains(parent, edge.from);
                let begins = match &*self.step(parent).task {
                    Task::Stream(stream) => stream.writers(at).is_empty(),
                    _ => !self.step(at).after.iter().any(waits),
                };
                if !begins {
                    break;
                }
                if !self.step(parent).input.is_empty() {
                    given = self.step(parent).input.clone();
                    break;
                }
                at = parent;
            }
            if !given.is_empty() {
                self.step_mut(id).input = given;
            }
        }
    }

    /// What an arrow gives to a pipeline without a source is its source.
    fn feed_pipelines(&mut self) {
        for id in (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32)) {
            let step = self.step(id);
            let waits = matches!(&*step.task, Task::Pipeline(pipeline) if pipeline.source == Source::NONE);
            if !waits || step.input.is_empty() {
                continue;
            }
            let output =
                |step: &StepId| Value::Ref(Reference { step: *step, property: "output".into(), path: Vec::new() });
            let source = match &step.input[..] {
                [one] => output(one),
                several => Value::List(several.iter().map(output).collect()),
            };
            if let Task::Pipeline(pipeline) = Arc::make_mut(&mut self.step_mut(id).task) {
                pipeline.source = Source::Items(source);
            }
        }
    }

    fn resolve_names(&mut self) -> Result<()> {
        let unresolved = std::mem::take(&mut self.unresolved);
        if unresolved.is_empty() {
            return Ok(());
        }
        let mut index: HashMap<SmolStr, Vec<StepId>> = HashMap::new();
        for id in (0..self.len() as u32).map(StepId) {
            let step = self.step(id);
            if !step.anonymous {
                index.entry(step.name.clone()).or_default().push(id);
            }
        }
        for id in unresolved {
            let mut step = self.step(id).clone();
            let mut problem = None;
            {
                let mut fill = |expression: &mut Expression| {
                    if problem.is_none() {
                        problem = self.fill(expression, id, &index).err();
                    }
                };
                let task = Arc::make_mut(&mut step.task);
                task.each_value_mut(&mut |value| each_open(value, &mut fill));
                if let Task::Flow(branches) = task {
                    let conditions = branches.iter_mut().filter_map(|branch| branch.when.as_mut());
                    conditions.for_each(|condition| each_open_condition(condition, &mut fill));
                }
                if let Some(when) = &mut step.when {
                    each_open_condition(when, &mut fill);
                }
                if step.policy.is_some() {
                    step.policy_mut().each_value_mut(&mut |value| each_open(value, &mut fill));
                }
            }
            if let Some(problem) = problem {
                return Err(problem);
            }
            *self.step_mut(id) = step;
            self.connect(id);
        }
        self.unresolved.clear();
        Ok(())
    }

    /// Finds the steps that the names in an expression stand for: the nearest scope first, seen from `user`.
    fn fill(&self, expression: &mut Expression, user: StepId, index: &HashMap<SmolStr, Vec<StepId>>) -> Result<()> {
        let parsed = super::expression::parse(&expression.text).map_err(|error| expression_error(expression, error))?;
        for (name, _) in super::expression::names(&parsed) {
            if expression.steps.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let nearest = index.get(name.as_str()).and_then(|found| {
                found.iter().filter(|id| **id != user).max_by_key(|id| {
                    // The deepest group that holds both.
                    let mut depth = 0;
                    let mut at = self.step(**id).parent;
                    let mut holds = at.is_none_or(|group| self.contains(group, user));
                    while let Some(group) = at {
                        holds |= self.contains(group, user);
                        depth += u32::from(self.contains(group, user));
                        at = self.step(group).parent;
                    }
                    (holds, depth)
                })
            });
            match nearest {
                Some(step) => expression.steps.push((name.into(), *step)),
                None => {
                    let names = self.names();
                    let mut problem = Diagnostic::new(
                        "flow::plan::unknown_step",
                        format!("`{name}` in `{}` is not a step of this script", expression.text),
                    )
                    .label_word(expression.span, expression.text.as_str(), "used here");
                    problem = match did_you_mean(&name, names.iter().copied()) {
                        Some(help) => problem.help(help),
                        None => problem.help("names in an expression are names of steps; a value of the script goes in by a closure or a backtick string"),
                    };
                    return Err(problem);
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with an expression string, as a diagnostic.
pub fn expression_error(expression: &Expression, error: super::expression::Error) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        "flow::plan::expression",
        format!("the expression `{}` cannot be read: {}", expression.text, error.message),
    )
    .label_word(expression.span, expression.text.as_str(), "this expression");
    diagnostic.help(
        error
            .help
            .unwrap_or_else(|| "an expression looks like `test.passed && coverage.output.percent > 80`".to_owned()),
    )
}

fn condition_is_open(condition: &Condition) -> bool {
    match condition {
        Condition::Expr(expression) => expression.steps.is_empty(),
        Condition::Closure(closure) => closure.captured.iter().any(has_open_names),
        Condition::Known(_) => false,
    }
}

fn has_open_names(value: &Value) -> bool {
    match value {
        Value::Plain(_) | Value::Ref(_) | Value::Step(_) | Value::Secret(_) => false,
        Value::Expr(expression) => expression.steps.is_empty(),
        Value::Text(parts) | Value::List(parts) => parts.iter().any(has_open_names),
        Value::Map(entries) => entries.iter().any(|(_, value)| has_open_names(value)),
        Value::Closure(closure) => closure.captured.iter().any(has_open_names),
        Value::Agent(agent) => {
            let mut open = false;
            agent.each_value(&mut |value| open |= has_open_names(value));
            open
        }
    }
}

fn each_open(value: &mut Value, fill: &mut dyn FnMut(&mut Expression)) {
    match value {
        Value::Plain(_) | Value::Ref(_) | Value::Step(_) | Value::Secret(_) => {}
        Value::Expr(expression) => fill(expression),
        Value::Text(parts) | Value::List(parts) => parts.iter_mut().for_each(|part| each_open(part, fill)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| each_open(value, fill)),
        Value::Closure(closure) => closure.captured.iter_mut().for_each(|value| each_open(value, fill)),
        Value::Agent(agent) => Arc::make_mut(agent).each_value_mut(&mut |value| each_open(value, fill)),
    }
}

fn each_open_condition(condition: &mut Condition, fill: &mut dyn FnMut(&mut Expression)) {
    match condition {
        Condition::Expr(expression) => fill(expression),
        Condition::Closure(closure) => closure.captured.iter_mut().for_each(|value| each_open(value, fill)),
        Condition::Known(_) => {}
    }
}
