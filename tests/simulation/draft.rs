//! Random plans that use everything a plan can have, made with the builder that scripts use.
//!
//! A step only ever waits for steps that were declared before it, and not for those in another branch of its own flow; so
//! no plan waits for itself, as the check of plans sees to for scripts.

use std::sync::Arc;

use flow::diag::Span;
use flow::plan::builder::{Builder, Sequence};
use flow::plan::{
    Alert, Approve, Backoff, Branch, Breaker, Class, Closure, Condition, Each, EdgeKind, FileWait, Growth, Json, Limit,
    Metric, Moment, OnAlert, OnError, OnTimeout, Order, Plan, Policy, Quorum, Reference, Repeat, Retry, Rule, Settings,
    Severity, SignalWait, Step, StepId, Strategy, Stream, Task, UndoScope, Validate, Value, Workflow,
};

use super::dice::Dice;

/// Named limits of every plan: name, most shares at the same time, most in a minute.
const LIMITS: [(&str, Option<u32>, Option<u32>); 4] =
    [("lock", Some(1), None), ("pair", Some(2), None), ("rate", None, Some(3)), ("gate", Some(1), None)];

/// A plan of about so many steps, in the pieces in which the script gives it, and what the script waits for in between.
pub fn plan(dice: &mut Dice, steps: usize) -> Script {
    let mut draft =
        Draft { builder: Builder::default(), dice, left: steps as u64, named: 0, fan_outs: 2, at_once: false };
    header(&mut draft);
    let pauses = draft.dice.one_in(5).then(|| draft.dice.below(steps as u64));
    let (mut pieces, mut wanted, mut seen) = (Vec::new(), None, Vec::new());
    while draft.left > 0 {
        match draft.dice.below(16) {
            0 => draft.hook(&seen),
            _ => drop(draft.block(&mut seen, 0)),
        }
        if pauses.is_some_and(|left| draft.left <= left) && pieces.is_empty() && !seen.is_empty() && draft.left > 0 {
            wanted = Some(draft.dice.pick(&seen));
            draft.builder.settle().expect("no name is open");
            pieces.push(draft.builder.growth());
        }
    }
    draft.builder.settle().expect("no name is open");
    pieces.push(draft.builder.last_growth());
    Script { pieces, wanted }
}

/// What a script says.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Its plan; one piece, or two.
    pub pieces: Vec<Growth>,
    /// The step whose result the second piece waits for.
    pub wanted: Option<StepId>,
}

/// The children of a fan-out.
pub fn expand(dice: &mut Dice, plan: &Arc<Plan>, group: StepId, iteration: u32) -> Growth {
    let fan_outs = 1u32.saturating_sub(plan.path(group).matches('[').count() as u32);
    let mut draft =
        Draft { builder: Builder::on(plan.clone()), dice, left: 0, named: 0, fan_outs, at_once: in_all(plan, group) };
    draft.builder.header = plan.header.clone();
    let before = draft.builder.len();
    let task = plan.step(group).task.clone();
    // What the body captured has ended: whatever it makes may read that.
    let captured = |body: &Closure| {
        let mut steps = Vec::new();
        body.captured.iter().for_each(|value| value.each_step(&mut |step| steps.push(step)));
        steps
    };
    match &*task {
        Task::Each(each) => {
            let (count, seen) = (draft.dice.below(4), captured(&each.body));
            let children: Vec<StepId> = (0..count).map(|n| draft.child(group, format!("k{n}"), &seen)).collect();
            if let Task::Each(each) = Arc::make_mut(&mut draft.builder.step_mut(group).task) {
                each.children = children;
            }
        }
        Task::Repeat(repeat) => {
            let child = draft.child(group, iteration.to_string(), &captured(&repeat.body));
            if let Task::Repeat(repeat) = Arc::make_mut(&mut draft.builder.step_mut(group).task) {
                repeat.children.push(child);
            }
        }
        _ => {
            let mut seen = Vec::new();
            draft.left = draft.dice.below(4);
            while draft.left > 0 {
                draft.block(&mut seen, 2);
            }
            let orphans = draft.builder.orphans(before);
            draft.builder.adopt(group, &orphans);
            if let Task::Workflow(workflow) = Arc::make_mut(&mut draft.builder.step_mut(group).task) {
                workflow.expanded = true;
                workflow.returns = orphans.last().map(|last| output(*last));
            }
        }
    }
    draft.builder.settle().expect("no name is open");
    Growth { header: None, ..draft.builder.growth() }
}

/// The output of a step, as a value.
fn output(step: StepId) -> Value {
    Value::Ref(Reference { step, property: "output".into(), path: Vec::new() })
}

fn header(draft: &mut Draft<'_>) {
    let (header, dice) = (&mut draft.builder.header, &mut *draft.dice);
    header.name = "simulated".into();
    for (name, max, per_minute) in LIMITS {
        header.limits.insert(name.into(), Limit { max, per_minute, scale: None });
    }
    header.breakers.insert("fuse".into(), Breaker::default());
    let mut settings = Settings { order: dice.pick(&Order::ALL).1, ..Settings::default() };
    settings.max_parallel = (!dice.one_in(4)).then(|| 1 + dice.below(4) as u32);
    settings.on_failure = dice.one_in(16).then_some(OnError::Stop);
    settings.timeout_ms = dice.one_in(20).then(|| dice.time(120_000_000) / 1_000);
    settings.undo = dice.pick(&[UndoScope::Checkpoint, UndoScope::Checkpoint, UndoScope::All, UndoScope::Nothing]);
    if dice.one_in(4) {
        let retry = Retry { max_attempts: 2, delay_ms: 40, ..Retry::default() };
        settings.strategies.insert(Class::Transient, Strategy::Retry(Some(retry)));
        settings.strategies.insert(Class::Agent, if dice.one_in(4) { Strategy::Fail } else { Strategy::Retry(None) });
    }
    header.settings = settings;
}

struct Draft<'a> {
    builder: Builder,
    dice: &'a mut Dice,
    /// How many steps may still come.
    left: u64,
    named: u32,
    /// How many fan-outs may still come.
    fan_outs: u32,
    /// Is it about what fails with its first child? A failure that is dealt with and one that is not would be a matter of
    /// time there.
    at_once: bool,
}

/// Is a step in, or itself, a group that fails with its first child?
fn in_all(plan: &Plan, id: StepId) -> bool {
    let mut above = std::iter::successors(Some(id), |id| plan.step(*id).parent);
    above.any(|id| matches!(&*plan.step(id).task, Task::Quorum(quorum) if quorum.is_all()))
}

impl Draft<'_> {
    fn name(&mut self) -> String {
        self.named += 1;
        format!("s{}", self.named)
    }

    fn add(&mut self, task: Task) -> StepId {
        let name = self.name();
        self.left = self.left.saturating_sub(1);
        self.builder.add(Step::new(name, task, Span::default()))
    }

    fn sequence(&self, ids: &[StepId]) -> Sequence {
        Sequence { entries: ids.to_vec(), exits: ids.to_vec(), members: ids.to_vec(), span: Span::default() }
    }

    /// A step with all that belongs to it. `seen`: the steps it may wait for; it is added to them.
    fn block(&mut self, seen: &mut Vec<StepId>, depth: u32) -> StepId {
        let before = seen.len();
        let first = self.builder.len();
        let id = match self.dice.below(24) {
            _ if depth >= 3 || self.left < 2 => self.task(&seen[..before]),
            0..=1 => self.chain(seen, depth),
            2..=3 => self.parallel(seen, depth),
            4..=5 => self.flow(seen, depth),
            6 => self.known_items(seen, depth),
            7..=9 if self.fan_outs > 0 => self.fan_out(&seen[..before]),
            10..=11 => self.stream(&seen[..before]),
            12..=13 => self.quorum(&seen[..before], depth),
            _ => self.task(&seen[..before]),
        };
        self.edges(id, &seen[..before]);
        self.policies(id);
        if matches!(*self.builder.step(id).task, Task::Exec(_)) && self.dice.one_in(8) {
            let action = self.alert(id);
            seen.push(action);
        }
        if self.dice.one_in(10) {
            self.fallbacks(id, &seen[..before]);
        }
        // What is inside a group that decides is of interest to others, too.
        let inner = (first..self.builder.len()).map(|n| StepId(n as u32));
        let known: Vec<StepId> = inner
            .filter(|inner| *inner != id && !seen.contains(inner) && !self.undoes(*inner) && !self.is_hidden(*inner))
            .collect();
        seen.extend(known);
        seen.push(id);
        if self.dice.one_in(7) {
            self.undo(id, &seen[..before]);
        }
        if self.dice.one_in(14) {
            self.clean_up(id, seen);
        }
        id
    }

    /// Is it a member of a stream, or inside a race or a quorum? Whether it comes to its end may be a matter of time there.
    fn is_hidden(&self, mut id: StepId) -> bool {
        while let Some(parent) = self.builder.step(id).parent {
            id = parent;
            if matches!(*self.builder.step(id).task, Task::Stream(_) | Task::Quorum(_)) {
                return true;
            }
        }
        false
    }

    /// Members that run together.
    fn stream(&mut self, seen: &[StepId]) -> StepId {
        let (mut levels, mut needed): (Vec<Vec<StepId>>, Vec<StepId>) = (Vec::new(), Vec::new());
        for _ in 0..1 + self.children() {
            let read = self.reads(seen, 4);
            let mut words = vec![Value::Plain("flows".into())];
            words.extend(read.iter().map(|step| output(*step)));
            needed.extend(read);
            let member = self.add(Task::Exec(words));
            let mut policy = Policy::default();
            self.place(&mut policy);
            self.attempts(&mut policy, false);
            (policy.rule, policy.checkpoint, policy.cache, policy.breaker) = (Rule::AllSuccess, None, None, None);
            policy.retry_if = None;
            if self.dice.one_in(4) {
                let limit = self.dice.pick(&[("lock", 1), ("pair", 1), ("pair", 2), ("rate", 1)]);
                policy.limits.push((limit.0.into(), limit.1));
            }
            *self.builder.step_mut(member).policy_mut() = policy;
            match levels.last_mut() {
                Some(level) if self.dice.one_in(3) => level.push(member),
                _ => levels.push(vec![member]),
            }
        }
        let members: Vec<StepId> = levels.iter().flatten().copied().collect();
        let id = self.add(Task::Stream(Box::new(Stream::of(levels))));
        members.iter().for_each(|member| self.builder.step_mut(*member).parent = Some(id));
        // What a member waits for, all wait for.
        self.builder.step_mut(id).add_edges(needed, EdgeKind::Data);
        id
    }

    /// Children of which not all need to succeed.
    fn quorum(&mut self, seen: &[StepId], depth: u32) -> StepId {
        let kind = self.dice.below(3);
        let before = self.at_once;
        self.at_once |= kind == 0;
        let children: Vec<StepId> = (0..self.children()).map(|_| self.whole(seen, depth + 1)).collect();
        self.at_once = before;
        let n = children.len() as u32;
        let (need, race) = match kind {
            0 => (n, false),
            1 => (1, true),
            _ => (1 + self.dice.below(u64::from(n)) as u32, false),
        };
        let id = self.add(Task::Quorum(Quorum { need, race, children: children.clone() }));
        children.iter().for_each(|child| self.builder.step_mut(*child).parent = Some(id));
        id
    }

    /// A step that runs when an alert of this one is raised.
    fn alert(&mut self, watched: StepId) -> StepId {
        let action = self.add(Task::Exec(vec![Value::Plain("tell".into())]));
        self.builder.step_mut(action).on_alert = Some(OnAlert { step: watched, alert: 0 });
        self.builder.step_mut(watched).policy_mut().alerts.push(Alert {
            metric: Metric::Throughput,
            stage: None,
            above: None,
            below: Some(1.0),
            for_ms: 0,
            severity: Severity::default(),
            action: Some(action),
            span: Span::default(),
        });
        action
    }

    /// A step with all that came with it, as one.
    fn whole(&mut self, seen: &[StepId], depth: u32) -> StepId {
        let start = self.builder.len();
        let made = self.block(&mut seen.to_vec(), depth);
        let orphans = self.builder.orphans(start);
        match orphans == [made] {
            true => made,
            false => {
                let all = Sequence { exits: vec![made], ..self.sequence(&orphans) };
                let name = self.name().into();
                self.builder.chain(name, all, Span::default())
            }
        }
    }

    /// Does it undo something, or belong to what does? Nobody waits for that.
    fn undoes(&self, mut id: StepId) -> bool {
        loop {
            let step = self.builder.step(id);
            match step.parent {
                _ if step.undoes.is_some() => return true,
                Some(parent) => id = parent,
                None => return false,
            }
        }
    }

    fn task(&mut self, seen: &[StepId]) -> StepId {
        let read = self.reads(seen, 3);
        let task = match self.dice.below(40) {
            0..=21 => {
                let mut words = vec![Value::Plain("work".into())];
                words.extend(read.iter().map(|step| output(*step)));
                Task::Exec(words)
            }
            22..=27 => Task::Call(closure(&read)),
            28..=29 => Task::Const(read.first().map_or(Value::Plain(Json::Null), |step| output(*step))),
            30..=31 => Task::Wait(self.dice.time(100_000_000) / 1_000),
            32 => Task::Fail(Value::Plain("it was made to fail".into())),
            33 => Task::WaitUntil(Value::Plain(Json::Null)),
            34..=36 => {
                let choices = if self.dice.one_in(2) { vec!["a".into(), "b".into()] } else { Vec::new() };
                let on_timeout = self.on_timeout();
                Task::Approve(Box::new(Approve { prompt: None, choices, form: Vec::new(), on_timeout }))
            }
            37..=38 => {
                let signal = if self.dice.one_in(2) { "red" } else { "blue" };
                Task::Signal(SignalWait { signal: signal.into(), on_timeout: self.on_timeout() })
            }
            _ => {
                let file = Value::Plain(self.name().into());
                Task::WaitFor(FileWait { file, on_timeout: self.on_timeout() })
            }
        };
        self.add(task)
    }

    fn on_timeout(&mut self) -> OnTimeout {
        match self.dice.below(3) {
            0 => OnTimeout::Fail,
            1 => OnTimeout::Skip,
            _ => OnTimeout::Answer("nobody".into()),
        }
    }

    fn children(&mut self) -> u64 {
        (1 + self.dice.below(4)).min(self.left)
    }

    fn chain(&mut self, seen: &mut Vec<StepId>, depth: u32) -> StepId {
        let mut all: Option<Sequence> = None;
        for _ in 0..self.children() {
            let next = self.block(seen, depth + 1);
            let next = Sequence::one(next, Span::default());
            all = Some(match all {
                None => next,
                Some(before) => self.builder.then(before, next),
            });
        }
        let all = all.unwrap_or_else(|| self.sequence(&[]));
        let name = self.name().into();
        self.builder.chain(name, all, Span::default())
    }

    fn parallel(&mut self, seen: &mut Vec<StepId>, depth: u32) -> StepId {
        let children: Vec<StepId> = (0..self.children()).map(|_| self.block(seen, depth + 1)).collect();
        let (name, all) = (self.name().into(), self.sequence(&children));
        self.builder.parallel(name, all, Span::default())
    }

    /// Alternatives do not wait for each other.
    fn alternatives(&mut self, seen: &[StepId], depth: u32) -> Vec<StepId> {
        (0..self.children()).map(|_| self.block(&mut seen.to_vec(), depth + 1)).collect()
    }

    fn flow(&mut self, seen: &[StepId], depth: u32) -> StepId {
        let children = self.alternatives(seen, depth);
        let last = children.len().saturating_sub(1);
        let branch = |draft: &mut Self, n: usize| match draft.dice.below(6) {
            0 | 1 if n == last => None,
            2 => Some(Condition::Known(draft.dice.one_in(2))),
            _ => Some(Condition::Closure(closure(&draft.reads(seen, 2)))),
        };
        let branches: Vec<Branch> =
            children.iter().enumerate().map(|(n, step)| Branch { when: branch(self, n), step: *step }).collect();
        let id = self.add(Task::Flow(branches.clone()));
        for branch in branches {
            let reads = branch.when.map(|when| when.steps()).unwrap_or_default();
            self.builder.step_mut(id).add_edges(reads, EdgeKind::Condition);
            self.builder.take(id, branch.step).expect("it was just made");
        }
        id
    }

    fn known_items(&mut self, seen: &[StepId], depth: u32) -> StepId {
        let children = self.alternatives(seen, depth);
        let id = self.add(Task::Each(Each { items: None, body: closure(&[]), children: children.clone() }));
        for (n, child) in children.iter().enumerate() {
            self.builder.step_mut(*child).parent = Some(id);
            self.builder.step_mut(*child).key = Some(format!("k{n}").into());
        }
        id
    }

    /// A group whose children come while it runs.
    fn fan_out(&mut self, seen: &[StepId]) -> StepId {
        self.fan_outs -= 1;
        let read = self.reads(seen, 2);
        let task = match self.dice.below(5) {
            0..=1 => {
                let items = Some(read.first().map_or(Value::Plain(Json::Null), |step| output(*step)));
                Task::Each(Each { items, body: closure(&read), children: Vec::new() })
            }
            2..=3 => {
                let until = self.dice.one_in(2).then(|| closure(&read));
                let max = 1 + self.dice.below(3) as u32;
                Task::Repeat(Repeat { max, until, body: closure(&read), children: Vec::new() })
            }
            _ => {
                let args = read.iter().map(|step| ("arg".to_owned(), output(*step))).collect();
                Task::Workflow(Workflow { file: "other.rhai".into(), args, expanded: false, returns: None })
            }
        };
        self.add(task)
    }

    /// One child of a fan-out.
    fn child(&mut self, group: StepId, key: String, seen: &[StepId]) -> StepId {
        self.left = 1 + self.dice.below(3);
        let child = self.whole(seen, 1);
        let step = self.builder.step_mut(child);
        step.parent = Some(group);
        step.key = Some(key.into());
        child
    }

    /// Some of the steps that may be waited for.
    fn reads(&mut self, seen: &[StepId], one_in: u64) -> Vec<StepId> {
        let mut reads = Vec::new();
        while reads.len() < 2 && !seen.is_empty() && self.dice.one_in(one_in) {
            // The latest are the likeliest.
            let back = self.dice.below(seen.len() as u64).min(self.dice.below(seen.len() as u64)) as usize;
            let step = seen[seen.len() - 1 - back];
            if !reads.contains(&step) {
                reads.push(step);
            }
        }
        reads
    }

    fn edges(&mut self, id: StepId, seen: &[StepId]) {
        let kind = if self.dice.one_in(4) { EdgeKind::Data } else { EdgeKind::Order };
        let after = self.reads(seen, 3);
        self.builder.step_mut(id).add_edges(after, kind);
        if self.dice.one_in(8) && self.builder.step(id).when.is_none() {
            let reads = self.reads(seen, 2);
            self.builder.step_mut(id).when = Some(Box::new(Condition::Closure(closure(&reads))));
            self.builder.connect(id);
        }
    }

    fn policies(&mut self, id: StepId) {
        let group = self.builder.step(id).task.is_group();
        let mut policy = Policy::default();
        self.place(&mut policy);
        self.attempts(&mut policy, group);
        if self.dice.one_in(6) && !group {
            let limit = self.dice.pick(&[("lock", 1), ("pair", 1), ("pair", 2), ("pair", 9), ("rate", 1)]);
            policy.limits.push((limit.0.into(), limit.1));
            if self.dice.one_in(3) && limit.0 != "rate" {
                policy.limits.push(("rate".into(), 1));
            }
        } else if self.dice.one_in(16) {
            policy.limits.push(("gate".into(), 1));
        }
        if policy != Policy::default() {
            *self.builder.step_mut(id).policy_mut() = policy;
        }
    }

    /// Policies about a step's place among the others.
    fn place(&mut self, policy: &mut Policy) {
        if self.dice.one_in(5) {
            policy.rule = self.dice.pick(&Rule::ALL).1;
        }
        policy.on_error = match self.dice.below(24) {
            0..=1 => Some(OnError::Continue),
            2..=3 => Some(OnError::Skip),
            4 if self.dice.one_in(3) => Some(OnError::Stop),
            _ => None,
        };
        if self.at_once && policy.on_error != Some(OnError::Stop) {
            policy.on_error = None;
        }
        if self.dice.one_in(4) {
            policy.priority = self.dice.below(3) as i32;
            policy.estimate_ms = self.dice.one_in(2).then(|| self.dice.below(1_000));
            policy.deadline_ms = self.dice.one_in(3).then(|| self.dice.below(100_000));
        }
        if self.dice.one_in(16) {
            policy.checkpoint = Some("point".into());
        }
    }

    /// Policies about attempts.
    fn attempts(&mut self, policy: &mut Policy, group: bool) {
        if self.dice.one_in(if group { 7 } else { 4 }) {
            let backoff = self.dice.pick(&[Backoff::Fixed, Backoff::Linear, Backoff::Exponential]);
            let delay_ms = self.dice.time(60_000_000) / 1_000;
            let max_attempts = 1 + self.dice.below(4) as u32;
            policy.retry = Some(Retry { max_attempts, delay_ms, backoff, max_delay_ms: 200_000, jitter: 0.5 });
        }
        if self.dice.one_in(if group { 20 } else { 5 }) {
            policy.timeout_ms = Some(1 + self.dice.time(300_000_000) / 1_000);
        }
        if self.dice.one_in(16) {
            policy.validate = Some(Box::new(Validate::Closure(closure(&[]))));
        }
        if self.dice.one_in(16) && !group {
            policy.cache = Some(Box::default());
        }
        if self.dice.one_in(16) && !group {
            policy.breaker = Some("fuse".into());
        }
        if self.dice.one_in(20) {
            policy.retry_if = Some(Box::new(closure(&[])));
        }
    }

    fn fallbacks(&mut self, id: StepId, seen: &[StepId]) {
        for _ in 0..1 + self.dice.below(2) {
            let other = self.block(&mut seen.to_vec(), 3);
            // What it cannot stand in for is a step beside it.
            let _ = self.builder.fallback(id, other, Span::default());
        }
    }

    fn undo(&mut self, id: StepId, seen: &[StepId]) {
        if self.builder.step(id).undoes.is_some() || self.builder.step(id).policy().undo.is_some() {
            return;
        }
        let make = |draft: &mut Self| {
            let mut read = draft.reads(seen, 4);
            if draft.dice.one_in(2) {
                read.push(id);
            }
            let mut words = vec![Value::Plain("undo".into())];
            words.extend(read.iter().map(|step| output(*step)));
            let task = if draft.dice.one_in(4) { Task::Call(closure(&read)) } else { Task::Exec(words) };
            let undo = draft.add(task);
            let mut policy = Policy::default();
            draft.attempts(&mut policy, false);
            *draft.builder.step_mut(undo).policy_mut() = policy;
            undo
        };
        let undo = match self.dice.below(5) {
            0 => {
                let (first, second) = (make(self), make(self));
                let (first, second) = (Sequence::one(first, Span::default()), Sequence::one(second, Span::default()));
                let both = self.builder.then(first, second);
                let name = self.name().into();
                self.builder.chain(name, both, Span::default())
            }
            _ => make(self),
        };
        let _ = self.builder.undo(id, undo, Span::default());
    }

    /// A step that cleans up after another one.
    fn clean_up(&mut self, id: StepId, seen: &mut Vec<StepId>) {
        let task =
            if self.dice.one_in(3) { Task::Call(closure(&[])) } else { Task::Exec(vec![Value::Plain("clean".into())]) };
        let clean = self.add(task);
        let step = self.builder.step_mut(clean);
        step.add_edge(id, EdgeKind::Order);
        let policy = step.policy_mut();
        (policy.rule, policy.finally) = (Rule::AllDone, true);
        seen.push(clean);
    }

    fn hook(&mut self, seen: &[StepId]) {
        let moment = self.dice.pick(&[Moment::Start, Moment::Success, Moment::Failure, Moment::Complete]);
        let mut seen = if moment == Moment::Start { Vec::new() } else { seen.to_vec() };
        let start = self.builder.len();
        self.block(&mut seen, 1);
        for orphan in self.builder.orphans(start) {
            self.builder.header.hooks.push((moment, orphan));
        }
    }
}

/// A closure that captured these steps.
fn closure(steps: &[StepId]) -> Closure {
    let captured = steps.iter().map(|step| Value::Step(*step)).collect();
    Closure { function: "closure".into(), captured, text: String::new(), span: Span::default() }
}
