//! A growth that was made for a plan which has grown further since.

use std::sync::Arc;

use super::{Closure, Condition, Growth, Policy, Step, StepId, Task, Value};

impl Growth {
    /// Moves the new steps to `new_base`: every id from the old base on is shifted, wherever it stands. Ids of steps
    /// that the plan had already stay.
    pub fn rebase(&mut self, new_base: u32) {
        let old = self.base;
        self.base = new_base;
        if old != new_base {
            self.renumber(&|id| if id.0 >= old { StepId(id.0 - old + new_base) } else { id });
        }
    }

    /// Gives every id, wherever it stands, another number. `base` stays.
    pub fn renumber(&mut self, number: &dyn Fn(StepId) -> StepId) {
        let number = Renumber(number);
        if let Some(header) = &mut self.header {
            header.hooks.iter_mut().for_each(|(_, step)| number.id(step));
            number.ids(&mut header.looked_at);
        }
        self.steps.iter_mut().for_each(|step| number.step(step));
        for (id, step) in &mut self.changed {
            number.id(id);
            number.step(step);
        }
    }
}

impl Step {
    /// Gives every id in it another number.
    pub(super) fn renumber(&mut self, number: &dyn Fn(StepId) -> StepId) {
        Renumber(number).step(self);
    }
}

impl Condition {
    /// Gives every id in it another number.
    pub(super) fn renumber(&mut self, number: &dyn Fn(StepId) -> StepId) {
        Renumber(number).condition(self);
    }
}

impl Value {
    /// Gives every id in it another number.
    pub(super) fn renumber(&mut self, number: &dyn Fn(StepId) -> StepId) {
        Renumber(number).value(self);
    }
}

/// Can there be an id in it? Policies are shared between steps and are copied only for a reason.
fn names_steps(policy: &Policy) -> bool {
    let mut found = policy.undo.is_some() || !policy.alerts.is_empty();
    policy.each_value(&mut |_| found = true);
    found
}

/// Everywhere that an id can stand.
#[derive(Clone, Copy)]
struct Renumber<'a>(&'a dyn Fn(StepId) -> StepId);

impl Renumber<'_> {
    fn id(self, id: &mut StepId) {
        *id = (self.0)(*id);
    }

    fn ids(self, ids: &mut [StepId]) {
        ids.iter_mut().for_each(|id| self.id(id));
    }

    fn step(self, step: &mut Step) {
        step.parent.iter_mut().for_each(|parent| self.id(parent));
        step.after.iter_mut().for_each(|edge| self.id(&mut edge.from));
        self.ids(&mut step.input);
        step.when.iter_mut().for_each(|condition| self.condition(condition));
        self.task(Arc::make_mut(&mut step.task));
        step.undoes.iter_mut().for_each(|undone| self.id(undone));
        step.on_alert.iter_mut().for_each(|alert| self.id(&mut alert.step));
        if step.policy.as_deref().is_some_and(names_steps) {
            let policy = step.policy_mut();
            policy.undo.iter_mut().for_each(|undo| self.id(undo));
            policy.alerts.iter_mut().flat_map(|alert| &mut alert.action).for_each(|action| self.id(action));
            policy.each_value_mut(&mut |value| self.value(value));
        }
    }

    fn task(self, task: &mut Task) {
        task.each_value_mut(&mut |value| self.value(value));
        match task {
            Task::Chain(children) | Task::Parallel(children) | Task::Fallback(children) => self.ids(children),
            Task::Quorum(quorum) => self.ids(&mut quorum.children),
            Task::Stream(stream) => stream.levels.iter_mut().for_each(|level| self.ids(level)),
            Task::Flow(branches) => {
                for branch in branches {
                    self.id(&mut branch.step);
                    branch.when.iter_mut().for_each(|condition| self.condition(condition));
                }
            }
            Task::Each(each) => self.ids(&mut each.children),
            Task::Repeat(repeat) => self.ids(&mut repeat.children),
            Task::OnEvent(on) => {
                self.ids(&mut on.children);
                self.ids(&mut on.of);
            }
            Task::Board(board) => board.parent.iter_mut().for_each(|parent| self.id(parent)),
            Task::Put(put) => self.id(&mut put.board),
            Task::Merge(merge) => self.ids(&mut merge.of),
            Task::Agent(ask) => {
                ask.takes_over.iter_mut().for_each(|step| self.id(step));
                self.ids(&mut ask.boards);
            }
            Task::Workflow(workflow) => workflow.returns.iter_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }

    fn condition(self, condition: &mut Condition) {
        match condition {
            Condition::Closure(closure) => self.closure(closure),
            Condition::Expr(expression) => expression.steps.iter_mut().for_each(|(_, step)| self.id(step)),
            Condition::Known(_) => {}
        }
    }

    fn closure(self, closure: &mut Closure) {
        closure.captured.iter_mut().for_each(|value| self.value(value));
    }

    fn value(self, value: &mut Value) {
        match value {
            Value::Plain(_) | Value::Secret(_) => {}
            Value::Ref(reference) => self.id(&mut reference.step),
            Value::Text(parts) | Value::List(parts) => parts.iter_mut().for_each(|part| self.value(part)),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.value(value)),
            Value::Expr(expression) => expression.steps.iter_mut().for_each(|(_, step)| self.id(step)),
            Value::Closure(closure) => self.closure(closure),
            Value::Step(step) => self.id(step),
            Value::Agent(agent) => Arc::make_mut(agent).each_value_mut(&mut |value| self.value(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Branch, Edge, EdgeKind, Header, Moment, Reference};
    use super::*;
    use crate::diag::Span;

    fn closure(step: u32) -> Closure {
        Closure {
            function: "f".into(),
            captured: vec![Value::Step(StepId(step))],
            text: String::new(),
            span: Span::default(),
        }
    }

    fn reference(step: u32) -> Value {
        Value::Ref(Reference { step: StepId(step), property: "output".into(), path: Vec::new() })
    }

    /// The same growth, whose own steps count from `base`; steps below 10 are those of the plan before.
    fn growth(base: u32) -> Growth {
        let mut task = Step::new("a", Task::Exec(vec![reference(3), reference(base)]), Span::default());
        task.parent = Some(StepId(base + 1));
        task.after =
            vec![Edge { from: StepId(2), kind: EdgeKind::Data }, Edge { from: StepId(base), kind: EdgeKind::Order }];
        task.input = vec![StepId(base), StepId(1)];
        task.when = Some(Box::new(Condition::Closure(closure(base))));
        task.policy_mut().stdin = Some(Value::Text(vec![reference(base), reference(4)]));
        let flow = Task::Flow(vec![
            Branch { when: Some(Condition::Closure(closure(base))), step: StepId(base) },
            Branch { when: None, step: StepId(7) },
        ]);
        let changed = Step::new("each", Task::Chain(vec![StepId(base), StepId(base + 1)]), Span::default());
        let header = Header {
            hooks: vec![(Moment::Start, StepId(base)), (Moment::Failure, StepId(2))],
            looked_at: vec![StepId(5), StepId(base + 1)],
            ..Header::default()
        };
        Growth {
            header: Some(Box::new(header)),
            base,
            steps: vec![task, Step::new("f", flow, Span::default())],
            changed: vec![(StepId(3), changed)],
            complete: false,
            ..Growth::default()
        }
    }

    #[test]
    fn every_id_of_its_own_moves_and_no_other() {
        let mut moved = growth(10);
        moved.rebase(40);
        assert_eq!(moved, growth(40));
    }
}
