//! A step without what depends on where it was written, and without what only says how it is scheduled.

use std::sync::Arc;

use super::Naming;
use crate::diag::Span;
use crate::plan::{Approve, Closure, Condition, Http, OnTimeout, Sink, Stage, StageWork, Step, Task, Validate, Value};

/// Makes steps plain, and calls steps and closures by their common names.
pub(super) struct Plain<'a>(pub &'a Naming<'a>);

impl Plain<'_> {
    pub fn step(&self, step: &mut Step) {
        step.renumber(self.0.step);
        step.span = Span::default();
        step.when.iter_mut().for_each(|when| self.condition_text(when));
        self.task(Arc::make_mut(&mut step.task));
        if step.policy.is_some() {
            let policy = step.policy_mut();
            policy.each_value_mut(&mut |value| self.text(value));
            match policy.validate.as_deref_mut() {
                Some(Validate::Closure(closure)) => self.closure(closure),
                Some(Validate::Expr(expression)) => expression.span = Span::default(),
                Some(Validate::Schema(_)) | None => {}
            }
        }
    }

    fn task(&self, task: &mut Task) {
        task.each_value_mut(&mut |value| self.text(value));
        match task {
            Task::Shell(shell) => (shell.shell, shell.direct) = (None, None),
            Task::Call(closure) => self.closure(closure),
            Task::Each(each) => self.closure(&mut each.body),
            Task::Repeat(repeat) => {
                self.closure(&mut repeat.body);
                repeat.until.iter_mut().for_each(|until| self.closure(until));
            }
            Task::OnEvent(on) => self.closure(&mut on.body),
            Task::Http(http) => {
                // Times and sizes that an attempt may take.
                let Http { max_body, connect_ms, read_ms, total_ms, .. } = Http::default();
                (http.max_body, http.connect_ms, http.read_ms, http.total_ms) =
                    (max_body, connect_ms, read_ms, total_ms);
            }
            Task::Approve(approve) => {
                let Approve { on_timeout, .. } = &mut **approve;
                *on_timeout = OnTimeout::default();
            }
            Task::Signal(wait) => wait.on_timeout = OnTimeout::default(),
            Task::WaitFor(wait) => wait.on_timeout = OnTimeout::default(),
            Task::Filter(filter) => self.closure(&mut filter.closure),
            Task::Pipeline(pipeline) => {
                pipeline.stages.iter_mut().for_each(|stage| self.stage(stage));
                if let Sink::Call(closure) = &mut pipeline.sink {
                    self.closure(closure);
                }
            }
            _ => {}
        }
    }

    fn stage(&self, stage: &mut Stage) {
        stage.span = Span::default();
        match &mut stage.work {
            StageWork::Map(closure)
            | StageWork::Filter(closure)
            | StageWork::FlatMap(closure)
            | StageWork::Http(closure)
            | StageWork::Workflow { args: Some(closure), .. } => self.closure(closure),
            StageWork::Each(stages) => stages.iter_mut().for_each(|stage| self.stage(stage)),
            StageWork::Batch
            | StageWork::Command(_)
            | StageWork::Worker(_)
            | StageWork::Workflow { args: None, .. } => {}
        }
    }

    /// A condition on its own.
    pub fn condition(&self, condition: &mut Condition) {
        condition.renumber(self.0.step);
        self.condition_text(condition);
    }

    /// A value on its own.
    pub fn value(&self, value: &mut Value) {
        value.renumber(self.0.step);
        self.text(value);
    }

    fn condition_text(&self, condition: &mut Condition) {
        match condition {
            Condition::Closure(closure) => self.closure(closure),
            Condition::Expr(expression) => expression.span = Span::default(),
            Condition::Known(_) => {}
        }
    }

    fn closure(&self, closure: &mut Closure) {
        closure.captured.iter_mut().for_each(|value| self.text(value));
        closure.function = (self.0.closure)(closure).into();
        closure.text.clear();
        closure.span = Span::default();
    }

    fn text(&self, value: &mut Value) {
        match value {
            Value::Plain(_) | Value::Secret(_) | Value::Ref(_) | Value::Step(_) => {}
            Value::Text(parts) | Value::List(parts) => parts.iter_mut().for_each(|part| self.text(part)),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.text(value)),
            Value::Expr(expression) => expression.span = Span::default(),
            Value::Closure(closure) => self.closure(closure),
            Value::Agent(agent) => Arc::make_mut(agent).each_value_mut(&mut |value| self.text(value)),
        }
    }
}
