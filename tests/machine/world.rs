//! How things turn out: attempts, conditions, fan-outs. It all depends on a seed and on names, never on time or ids.

use flow::event::{Decision, Failure, FailureKind, Outcome, Tokens, Usage};
use flow::plan::{EdgeKind, Growth, OnError, Plan, Rule, Step, StepId, Task};
use flow::state::Status;

use crate::spec::{closure, publish, task};

/// See the module's page.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Everything follows from it.
    pub seed: u64,
}

/// How an attempt turns out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It ends well.
    Well,
    /// It fails.
    Fails,
    /// It fails in a way that is never tried again.
    Cancelled,
    /// It does not end by itself.
    Hangs,
}

impl World {
    /// A number that looks random, for a name and what it is about.
    fn draw(self, name: &str, about: u64) -> u64 {
        let mut hash = self.seed ^ about.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xcbf2_9ce4_8422_2325;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^ (hash >> 32)
    }

    /// An attempt of a task, after so many failed ones.
    pub fn attempt(self, step: &Step, path: &str, failures: u32) -> Fate {
        // Another command is another chance.
        let command = match &*step.task {
            Task::Const(flow::plan::Value::Plain(value)) if !value.is_null() => value.to_string(),
            _ => String::new(),
        };
        match self.draw(&format!("{path}{command}"), 100 + u64::from(failures)) % 16 {
            0..=4 => Fate::Fails,
            5 => Fate::Cancelled,
            6 | 7 if step.policy().timeout_ms.is_some() => Fate::Hangs,
            _ => Fate::Well,
        }
    }

    /// Does a task raise its alert while it runs?
    pub fn raises(self, path: &str) -> bool {
        self.draw(path, 300).is_multiple_of(2)
    }

    /// The outcome of a fate that ends by itself.
    pub fn outcome(self, fate: Fate) -> Outcome {
        let error = match fate {
            Fate::Well => None,
            Fate::Fails => Some(Failure::new(FailureKind::Exit, "exit code 1")),
            Fate::Cancelled | Fate::Hangs => Some(Failure::new(FailureKind::Cancelled, "ended")),
        };
        Outcome { error, ..Outcome::default() }
    }

    /// What an agent uses in an attempt, in all.
    pub fn usage(self, path: &str, attempt: u32) -> Usage {
        let drawn = self.draw(path, 20_000 + u64::from(attempt));
        let tokens = Tokens { input: drawn / 64 % 3, output: drawn / 256 % 2, ..Tokens::default() };
        Usage { turns: [0, 1, 1, 2, 2, 3, 4, 6][(drawn % 8) as usize], tokens, ..Usage::default() }
    }

    /// A condition (`which`: 0 a step's own, 1 and on a branch's, 1000 and on an `until`), given what it reads; and
    /// whether it looks at how those ended.
    pub fn decide(self, path: &str, which: u64, read: &[Status]) -> (Decision, bool) {
        let drawn = self.draw(path, 1_000 + which);
        let value = match drawn % 8 {
            0 => return (Decision::Failed(Failure::new(FailureKind::Script, "no")), drawn % 16 < 8),
            1..=3 => drawn % 64 < 40,
            4 | 5 => read.contains(&Status::Failed),
            _ => read.iter().all(|status| *status == Status::Success),
        };
        (Decision::Is(value), drawn % 32 < 20)
    }

    /// The children of a fan-out, for the plan as it is.
    pub fn expand(self, plan: &Plan, id: StepId, iteration: u32) -> Result<Growth, Failure> {
        let path = plan.path(id);
        let drawn = self.draw(&path, 5_000 + u64::from(iteration));
        if drawn.is_multiple_of(16) {
            return Err(Failure::new(FailureKind::Script, "no items"));
        }
        let mut growth = Growth { base: plan.steps.len() as u32, ..Growth::default() };
        let mut group = plan.step(id).clone();
        let count = match *group.task {
            Task::Repeat(_) | Task::OnEvent(_) => 1,
            _ => (drawn / 16) % 4,
        };
        let mut children = Vec::new();
        for n in 0..count {
            let one = matches!(*group.task, Task::Repeat(_) | Task::OnEvent(_));
            let key = if one { u64::from(iteration) } else { n };
            let before = children.last().copied();
            children.push(self.child(&mut growth, id, &path, key, before));
        }
        match std::sync::Arc::make_mut(&mut group.task) {
            Task::Each(each) => each.children = children,
            Task::Repeat(repeat) => repeat.children.extend(children),
            Task::OnEvent(on) => on.children.extend(children),
            Task::Workflow(workflow) => workflow.expanded = true,
            _ => {}
        }
        growth.changed.push((id, group));
        Ok(growth)
    }

    /// The child of a group that listens, for what `from` published.
    pub fn hear(self, plan: &Plan, id: StepId, from: StepId, number: u32) -> Result<Growth, Failure> {
        let mut growth = self.expand(plan, id, number)?;
        if let Some((_, group)) = growth.changed.last_mut()
            && let Task::OnEvent(on) = std::sync::Arc::make_mut(&mut group.task)
        {
            on.of.push(from);
        }
        Ok(growth)
    }

    /// One child of a fan-out: a task, or a group with two tasks, or a fan-out of its own.
    fn child(self, growth: &mut Growth, group: StepId, path: &str, key: u64, before: Option<StepId>) -> StepId {
        let next = |growth: &Growth| StepId(growth.base + growth.steps.len() as u32);
        let drawn = self.draw(path, 9_000 + key);
        let id = next(growth);
        let mut child = task("x");
        child.key = Some(key.to_string().into());
        child.parent = Some(group);
        let policy = child.policy_mut();
        policy.rule = Rule::ALL[if drawn.is_multiple_of(4) { (drawn / 4 % 6) as usize } else { 0 }].1;
        policy.on_error = [None, None, Some(OnError::Continue), Some(OnError::Skip)][(drawn / 64 % 4) as usize];
        if let (Some(before), 0) = (before, drawn / 256 % 3) {
            child.add_edge(before, EdgeKind::Order);
        }
        if let (Some(before), 0) = (before, drawn / 1024 % 4) {
            child.add_edge(before, EdgeKind::Condition);
            child.when = Some(Box::new(flow::plan::Condition::Closure(closure(&[before]))));
        }
        let depth = path.matches('[').count();
        match drawn / 4096 % 6 {
            0 => {
                child.task = Task::Chain(vec![StepId(id.0 + 1), StepId(id.0 + 2)]).into();
                growth.steps.push(child);
                for n in 1..=2 {
                    let mut inner = task(format!("y{n}"));
                    inner.parent = Some(id);
                    if n == 2 {
                        inner.add_edge(StepId(id.0 + 1), EdgeKind::Order);
                    }
                    growth.steps.push(inner);
                }
            }
            2 if depth < 2 => {
                child.task = publish((drawn / 65_536) as usize).into();
                growth.steps.push(child);
            }
            1 if depth < 2 => {
                let items = Some(flow::plan::Value::Plain(flow::plan::Json::Null));
                let each = flow::plan::Each { items, body: closure(&[]), children: Vec::new() };
                child.task = Task::Each(each).into();
                growth.steps.push(child);
            }
            _ => growth.steps.push(child),
        }
        id
    }
}
