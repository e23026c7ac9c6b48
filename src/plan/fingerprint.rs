//! What a step is, apart from ids and places: by this two plans of one workflow are compared.
//!
//! A fingerprint has parts, so that a difference can be named. References to other steps stand in it as numbers that
//! the plans have in common (see [`Naming`]), never as ids; closures stand as their source, since their names change
//! with their place. What only says how or when a step is scheduled (`retry`, `timeout`, `priority`, limits, …) is in
//! none of them: a change of that leaves a result as good as it was.

mod plain;

use std::fmt::Write;

use serde::Serialize;

use self::plain::Plain;
#[cfg(test)]
use super::Span;
use super::{Ask, Cache, Closure, Condition, EdgeKind, HttpBody, Plan, Settings, Step, StepId, Task, Value};

/// How steps and closures are called, so that the same ones have the same names in both plans.
pub struct Naming<'a> {
    /// A step's number.
    pub step: &'a dyn Fn(StepId) -> StepId,
    /// A closure's source, with all functions of the script that it calls.
    pub closure: &'a dyn Fn(&Closure) -> String,
}

/// A part of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its kind: `sh`, `chain`, …
    Kind,
    /// What it runs.
    Command,
    /// Where and with what: environment, directory, shell, standard input, how its output is read.
    Environment,
    /// Whose outputs it gets.
    Inputs,
    /// What its result must be like.
    Validation,
    /// What a cached result of it depends on.
    Cache,
    /// Of a group: which steps it consists of, and what it gives.
    Steps,
    /// Its own condition.
    Condition,
    /// Its rule.
    Rule,
    /// Which steps it waits for, apart from those that its condition reads.
    Order,
    /// What its failure means for others.
    OnError,
}

impl Part {
    /// Its name in a sentence: "command changed".
    pub fn name(self) -> &'static str {
        match self {
            Part::Kind => "kind",
            Part::Command => "command",
            Part::Environment => "environment",
            Part::Inputs => "inputs",
            Part::Validation => "validation",
            Part::Cache => "cache",
            Part::Steps => "steps",
            Part::Condition => "condition",
            Part::Rule => "rule",
            Part::Order => "order",
            Part::OnError => "on_error",
        }
    }

    /// Does it decide whether the step runs at all, and not what comes of it?
    pub fn is_of_start(self) -> bool {
        matches!(self, Part::Kind | Part::Condition | Part::Rule | Part::Order)
    }
}

/// A step's parts, each as text. Parts that say nothing are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    parts: Vec<(Part, String)>,
}

impl Fingerprint {
    /// That of a step.
    pub fn of(plan: &Plan, id: StepId, naming: &Naming) -> Self {
        let mut step = plan.step(id).clone();
        let plain = Plain(naming);
        plain.step(&mut step);
        let mut found = Fingerprint::default();
        found.put(Part::Kind, step.task.kind());
        found.task(&plan.header.settings, &step, &plain);
        if let Task::Workflow(workflow) = &*step.task {
            let members: Vec<StepId> = plan.members(id).into_iter().map(naming.step).collect();
            found.put(Part::Steps, members);
            let name = format!("{}.rhai", workflow.file.trim_start_matches("./").trim_end_matches(".rhai"));
            let file = plan.header.files.iter().find(|file| file.name == name);
            found.put(Part::Command, (&workflow.file, &workflow.args, file.map(|file| &file.sha256)));
        }
        if let Task::Shell(shell) = &*plan.step(id).task
            && let Some(name) = shell.shell.as_deref().or(plan.header.settings.shell.as_deref())
        {
            found.put(Part::Environment, ("shell", name));
        }
        if let Some(when) = &step.when {
            found.put(Part::Condition, when);
        }
        let policy = step.policy();
        if policy.rule != Default::default() || policy.finally {
            found.put(Part::Rule, (policy.rule, policy.finally));
        }
        let mut order: Vec<StepId> =
            step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from).collect();
        order.sort_unstable();
        order.dedup();
        if !order.is_empty() {
            found.put(Part::Order, order);
        }
        if let Some(on_error) = policy.on_error {
            found.put(Part::OnError, on_error);
        }
        found
    }

    /// The parts in which two differ.
    pub fn differences(&self, other: &Fingerprint) -> Vec<Part> {
        let mut found: Vec<Part> = self
            .parts
            .iter()
            .filter(|part| !other.parts.contains(part))
            .chain(other.parts.iter().filter(|part| !self.parts.contains(part)))
            .map(|(part, _)| *part)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn put(&mut self, part: Part, value: impl Serialize) {
        // Plans are made of what can be written as JSON; it is how the log holds them.
        let text = serde_json::to_string(&value).unwrap_or_default();
        match self.parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, known)) => drop(write!(known, "\n{text}")),
            None => self.parts.push((part, text)),
        }
    }

    fn task(&mut self, settings: &Settings, step: &Step, plain: &Plain) {
        match &*step.task {
            Task::Chain(children) | Task::Parallel(children) => self.put(Part::Steps, children),
            Task::Each(each) => {
                self.put(Part::Steps, &each.children);
                if each.items.is_some() {
                    self.put(Part::Command, (&each.items, &each.body));
                }
            }
            Task::Repeat(repeat) => {
                self.put(Part::Steps, &repeat.children);
                self.put(Part::Command, (repeat.max, &repeat.until, &repeat.body));
            }
            Task::OnEvent(on) => {
                self.put(Part::Steps, &on.children);
                self.put(Part::Command, (&on.topic, on.max, &on.body));
            }
            Task::Quorum(quorum) => {
                self.put(Part::Steps, &quorum.children);
                self.put(Part::Command, (quorum.need, quorum.race));
            }
            Task::Stream(stream) => {
                self.put(Part::Steps, &stream.levels);
                self.put(Part::Command, (stream.merge, stream.slow));
            }
            // Choices are looked at one by one.
            Task::Flow(_) | Task::Fallback(_) => {}
            Task::Workflow(workflow) => self.put(Part::Steps, &workflow.returns),
            task => {
                match task {
                    // Who gets an answer does not change it.
                    Task::Agent(ask) => self.put(Part::Command, Ask { readers: Vec::new(), ..(**ask).clone() }),
                    task => self.put(Part::Command, task),
                }
                if !step.input.is_empty() {
                    self.put(Part::Inputs, &step.input);
                }
                self.surroundings(settings, step, plain);
            }
        }
        let policy = step.policy();
        if let Some(validate) = &policy.validate {
            self.put(Part::Validation, validate);
        }
        if let Some(cache) = &policy.cache {
            self.put(Part::Cache, Cache { ttl_ms: None, ..(**cache).clone() });
        }
    }

    /// What an attempt finds around it.
    fn surroundings(&mut self, settings: &Settings, step: &Step, plain: &Plain) {
        let policy = step.policy();
        let process = matches!(&*step.task, Task::Shell(_) | Task::Exec(_));
        if process {
            let mut env = settings.env.clone();
            env.iter_mut().for_each(|(_, value)| plain.value(value));
            for (name, value) in env.iter().chain(&policy.env) {
                self.put(Part::Environment, (name, value));
            }
            if let Some(stdin) = &policy.stdin {
                self.put(Part::Environment, ("stdin", stdin));
            }
            if policy.parse != Default::default() {
                self.put(Part::Environment, policy.parse);
            }
        }
        let reads_files = match &*step.task {
            Task::Http(http) => matches!(http.body, Some(HttpBody::File(_))),
            _ => process,
        };
        if reads_files {
            match (&policy.cwd, &settings.cwd) {
                (Some(cwd), _) => self.put(Part::Environment, ("cwd", cwd)),
                (None, Some(cwd)) => self.put(Part::Environment, ("cwd", Value::Plain(cwd.as_str().into()))),
                (None, None) => {}
            }
        }
    }
}

/// The source of every condition and closure is compared, not where it stands: a condition as it is called here.
pub fn condition(condition: &Condition, naming: &Naming) -> String {
    let mut condition = condition.clone();
    Plain(naming).condition(&mut condition);
    serde_json::to_string(&condition).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::super::{Limit, Retry};
    use super::*;

    fn naming() -> Naming<'static> {
        Naming { step: &|id| id, closure: &|closure| closure.text.clone() }
    }

    fn changed(change: impl FnOnce(&mut Sample, StepId)) -> Vec<Part> {
        let sample = || {
            let mut sample = Sample::new("deploy");
            sample.sh("build", "make");
            let push = sample.sh("push", "./push.sh ${build.output}");
            (sample, push)
        };
        let (before, push) = sample();
        let (mut after, _) = sample();
        change(&mut after, push);
        Fingerprint::of(&before.plan, push, &naming()).differences(&Fingerprint::of(&after.plan, push, &naming()))
    }

    #[test]
    fn what_only_schedules_changes_nothing() {
        let found = changed(|sample, push| {
            sample.plan.header.limits.insert("net".into(), Limit { max: Some(1), per_minute: None, scale: None });
            let step = sample.step(push);
            step.span = Span::at(99, 1);
            let policy = step.policy_mut();
            (policy.timeout_ms, policy.priority, policy.retry) = (Some(1), 5, Some(Retry::default()));
            policy.limits.push(("net".into(), 1));
            policy.desc = Some("pushes".into());
        });
        assert_eq!(found, []);
    }

    #[test]
    fn differences_are_named() {
        assert_eq!(
            changed(|sample, push| sample.step(push).policy_mut().env.push(("A".into(), Value::Step(push)))),
            [Part::Environment]
        );
        assert_eq!(changed(|sample, _| sample.plan.header.settings.cwd = Some("/tmp".into())), [Part::Environment]);
        assert_eq!(changed(|sample, push| sample.step(push).input = vec![StepId(0)]), [Part::Inputs]);
        assert_eq!(changed(|sample, push| sample.step(push).after.clear()), [Part::Order]);
        let other = |sample: &mut Sample, push: StepId| {
            let other = sample.sh("other", "./push.sh ${build.output} --force");
            sample.step(push).task = sample.plan.step(other).task.clone();
        };
        assert_eq!(changed(other), [Part::Command]);
        let other = |sample: &mut Sample, push: StepId| {
            sample.step(push).task = Task::Wait(1).into();
        };
        assert_eq!(changed(other), [Part::Kind, Part::Command]);
    }

    #[test]
    fn steps_are_called_by_their_common_numbers() {
        let mut one = Sample::new("one");
        let build = one.sh("build", "make");
        let push = one.sh("push", "./push.sh ${build.output}");
        let mut two = Sample::new("two");
        two.sh("lint", "lint");
        two.sh("build", "make");
        let push_two = two.sh("push", "./push.sh ${build.output}");
        let common = Naming { step: &|id| StepId(id.0 - 1), ..naming() };
        let first = Fingerprint::of(&one.plan, push, &naming());
        assert_eq!(first, Fingerprint::of(&two.plan, push_two, &common));
        assert_ne!(first, Fingerprint::of(&two.plan, push_two, &naming()));
        assert_ne!(first, Fingerprint::of(&one.plan, build, &naming()));
    }
}
