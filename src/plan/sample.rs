//! Plans for tests, built by hand. Every step stands on a line of its own, from 1.

use super::{
    Branch, Closure, Condition, Each, EdgeKind, Expression, Json, Moment, Plan, Reference, Repeat, Shell, Span, Step,
    StepId, Task, Value, Workflow,
};

/// A plan in the making.
pub struct Sample {
    /// What has been built so far.
    pub plan: Plan,
    line: u32,
}

#[allow(dead_code)]
impl Sample {
    pub fn new(name: &str) -> Self {
        let mut plan = Plan { complete: true, ..Plan::default() };
        plan.header.version = super::VERSION;
        plan.header.name = name.to_owned();
        plan.header.files = vec![super::File { name: format!("{name}.rhai"), sha256: "0".repeat(64) }];
        Sample { plan, line: 0 }
    }

    fn place(&mut self) -> Span {
        self.line += 1;
        Span::at(self.line, 1)
    }

    pub fn add(&mut self, name: &str, task: Task) -> StepId {
        let span = self.place();
        self.plan.steps.push(Step::new(name, task, span));
        StepId(self.plan.steps.len() as u32 - 1)
    }

    pub fn step(&mut self, id: StepId) -> &mut Step {
        &mut self.plan.steps[id.index()]
    }

    /// `sh`; every `${step.property}` in the script is a value that is not known yet.
    pub fn sh(&mut self, name: &str, script: &str) -> StepId {
        let mut vars = Vec::new();
        let mut text = String::new();
        let mut rest = script;
        let mut reads = Vec::new();
        while let Some(at) = rest.find("${") {
            let (before, after) = rest.split_at(at);
            let (inner, after) = after[2..].split_once('}').expect("a closed reference");
            let (step, property) = inner.split_once('.').expect("a dotted name");
            let step = self.named(step);
            reads.push(step);
            text.push_str(before);
            text.push_str(&format!("\"${{FLOW_IN_{}}}\"", vars.len() + 1));
            vars.push((format!("FLOW_IN_{}", vars.len() + 1).into(), reference(step, property)));
            rest = after;
        }
        text.push_str(rest);
        let id = self.add(name, Task::Shell(Shell { script: text, vars, shell: None, direct: None }));
        for read in reads {
            self.data(read, id);
        }
        id
    }

    /// The step of a name.
    pub fn named(&self, name: &str) -> StepId {
        self.plan.ids().find(|id| self.plan.step(*id).name == name).expect("a step of this name")
    }

    pub fn order(&mut self, from: StepId, to: StepId) {
        self.step(to).add_edge(from, EdgeKind::Order);
    }

    pub fn data(&mut self, from: StepId, to: StepId) {
        self.step(to).add_edge(from, EdgeKind::Data);
    }

    fn adopt(&mut self, group: StepId, children: &[StepId]) {
        for child in children {
            self.step(*child).parent = Some(group);
        }
    }

    pub fn chain(&mut self, name: &str, children: &[StepId]) -> StepId {
        let id = self.add(name, Task::Chain(children.to_vec()));
        self.adopt(id, children);
        for pair in children.windows(2) {
            self.order(pair[0], pair[1]);
            self.step(pair[1]).input = vec![pair[0]];
        }
        id
    }

    pub fn parallel(&mut self, name: &str, children: &[StepId]) -> StepId {
        let id = self.add(name, Task::Parallel(children.to_vec()));
        self.adopt(id, children);
        id
    }

    pub fn flow(&mut self, name: &str, branches: Vec<(Option<Condition>, StepId)>) -> StepId {
        let children: Vec<_> = branches.iter().map(|(_, step)| *step).collect();
        let branches = branches.into_iter().map(|(when, step)| Branch { when, step }).collect();
        let id = self.add(name, Task::Flow(branches));
        self.adopt(id, &children);
        id
    }

    /// An `each` over items that are known.
    pub fn each(&mut self, name: &str, children: &[(&str, StepId)]) -> StepId {
        let ids: Vec<_> = children.iter().map(|(_, id)| *id).collect();
        let body = closure("|file| sh(\"lint\", `lint ${file}`)", &[]);
        let id = self.add(name, Task::Each(Each { items: None, body, children: ids.clone() }));
        self.adopt(id, &ids);
        for (key, child) in children {
            self.step(*child).key = Some((*key).into());
        }
        id
    }

    /// An `each` over the lines of a step's output.
    pub fn each_pending(&mut self, name: &str, items: StepId) -> StepId {
        let body = closure("|file| sh(\"lint\", `lint ${file}`)", &[]);
        let each = Each { items: Some(reference(items, "lines")), body, children: Vec::new() };
        let id = self.add(name, Task::Each(each));
        self.data(items, id);
        id
    }

    pub fn repeat(&mut self, name: &str, max: u32, until: Option<&str>) -> StepId {
        let until = until.map(|text| closure(text, &[]));
        let body = closure("|i, last| sh(\"try\", `./try.sh ${i}`)", &[]);
        self.add(name, Task::Repeat(Repeat { max, until, body, children: Vec::new() }))
    }

    pub fn workflow(&mut self, name: &str, file: &str, args: Vec<(String, Value)>) -> StepId {
        self.add(name, Task::Workflow(Workflow { file: file.into(), args, expanded: false, returns: None }))
    }

    /// A stream of levels of members.
    pub fn stream(&mut self, name: &str, levels: &[&[StepId]]) -> StepId {
        let levels: Vec<Vec<StepId>> = levels.iter().map(|level| level.to_vec()).collect();
        let members: Vec<StepId> = levels.iter().flatten().copied().collect();
        let id = self.add(name, Task::Stream(Box::new(super::Stream::of(levels))));
        self.adopt(id, &members);
        id
    }

    /// `quorum`, or `race` where one is enough.
    pub fn quorum(&mut self, name: &str, need: u32, children: &[StepId]) -> StepId {
        let quorum = super::Quorum { need, race: need == 1, children: children.to_vec() };
        let id = self.add(name, Task::Quorum(quorum));
        self.adopt(id, children);
        id
    }

    /// Watches a step: the alert starts another.
    pub fn alert(&mut self, watched: StepId, mut alert: super::Alert, action: StepId) {
        alert.action = Some(action);
        let alerts = &mut self.step(watched).policy_mut().alerts;
        alerts.push(alert);
        let alert = alerts.len() as u32 - 1;
        self.step(action).on_alert = Some(super::OnAlert { step: watched, alert });
    }

    pub fn when(&mut self, id: StepId, condition: Condition) {
        for read in condition.steps() {
            self.step(id).add_edge(read, EdgeKind::Condition);
        }
        self.step(id).when = Some(Box::new(condition));
    }

    pub fn hook(&mut self, moment: Moment, id: StepId) {
        self.plan.header.hooks.push((moment, id));
    }
}

/// A property of a step's result: `output.percent`.
pub fn reference(step: StepId, path: &str) -> Value {
    let mut parts = path.split('.');
    let property = parts.next().unwrap_or_default().into();
    Value::Ref(Reference { step, property, path: parts.map(|part| super::Key::Field(part.into())).collect() })
}

pub fn closure(text: &str, reads: &[StepId]) -> Closure {
    let captured = reads.iter().map(|step| Value::Step(*step)).collect();
    Closure { function: "anon$1".into(), captured, text: text.into(), span: Span::at(99, 7) }
}

/// `|| test.passed`
#[allow(dead_code)]
pub fn when(text: &str, reads: &[StepId]) -> Option<Condition> {
    Some(Condition::Closure(closure(&format!("|| {text}"), reads)))
}

/// `"test.passed"`
#[allow(dead_code)]
pub fn expression(text: &str, reads: &[(&str, StepId)]) -> Option<Condition> {
    let steps = reads.iter().map(|(name, id)| ((*name).into(), *id)).collect();
    Some(Condition::Expr(Expression { text: text.into(), steps, span: Span::at(98, 3) }))
}

#[allow(dead_code)]
pub fn plain(value: impl Into<Json>) -> Value {
    Value::Plain(value.into())
}
