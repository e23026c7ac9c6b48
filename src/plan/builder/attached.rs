//! Steps that hang on another one: its fallbacks, and what undoes it.

use std::sync::Arc;

use super::Builder;
use crate::diag::{Diagnostic, Result, Span};
use crate::plan::{Edge, EdgeKind, Policy, Step, StepId, Task};

impl Builder {
    /// `other` is tried when `id` has failed for good. The step becomes a group of alternatives, of which the first is
    /// what it was before.
    ///
    /// # Errors
    /// If `other` cannot be a fallback of it: it is the step itself, or belongs to something else.
    pub fn fallback(&mut self, id: StepId, other: StepId, span: Span) -> Result<()> {
        if id == other || self.contains(other, id) || self.contains(id, other) {
            return Err(self.related(id, other, span, "fallback"));
        }
        self.unowned(id, other, span, "fallback")?;
        let waits = self.step(other).after.iter().any(|edge| edge.kind == EdgeKind::Order && edge.from == id);
        if waits {
            return Err(self.waits_for(id, other, span, "fallback"));
        }
        let first = match &*self.step(id).task {
            Task::Fallback(children) => children[0],
            _ => self.wrap(id),
        };
        // It may read how the one before it failed; it need not wait for that.
        let inner: Vec<StepId> = self.subtree(other);
        for step in inner {
            let step = self.step_mut(step);
            step.after.retain(|edge| edge.from != id && edge.from != first);
            step.renumber(&|read| if read == id { first } else { read });
        }
        self.take(id, other)?;
        if let Task::Fallback(children) = Arc::make_mut(&mut self.step_mut(id).task) {
            children.push(other);
        }
        Ok(())
    }

    /// The step that does the work of `id`: the first of its alternatives, if it has some. Policies about one attempt
    /// are its.
    pub fn worker(&self, id: StepId) -> StepId {
        match &*self.step(id).task {
            Task::Fallback(children) => children[0],
            _ => id,
        }
    }

    /// Makes a step the first of its own alternatives; gives the id of what it was before.
    fn wrap(&mut self, id: StepId) -> StepId {
        let inner = StepId(self.len() as u32);
        for child in self.subtree(id).into_iter().skip(1) {
            if self.step(child).parent == Some(id) && self.step(child).undoes.is_none() {
                self.step_mut(child).parent = Some(inner);
            }
        }
        let open = self.unresolved.contains(&id);
        let step = self.step_mut(id);
        let mut worker = Step::new(step.name.clone(), Task::Fallback(vec![inner]), step.span);
        std::mem::swap(&mut worker.task, &mut step.task);
        worker.parent = Some(id);
        if step.policy.is_some() {
            let said = |policy: Policy| (policy != Policy::default()).then(|| Arc::new(policy));
            worker.policy = said(split(step.policy_mut()));
            step.policy = said(step.policy().clone());
        }
        self.steps.push(worker);
        if open {
            self.unresolved.push(inner);
        }
        inner
    }

    /// `undo` runs when the effects of `id` are to be undone. It may read results; it waits for nothing.
    ///
    /// # Errors
    /// If `undo` cannot undo it: it is the step itself, waits for something, or belongs to something else.
    pub fn undo(&mut self, id: StepId, undo: StepId, span: Span) -> Result<()> {
        if id == undo || self.contains(undo, id) || self.contains(id, undo) {
            return Err(self.related(id, undo, span, "undo"));
        }
        self.unowned(id, undo, span, "undo")?;
        let step = self.step(undo);
        if step.when.is_some() || step.after.iter().any(|edge| edge.kind != EdgeKind::Data) {
            return Err(self.waits_for(id, undo, span, "undo"));
        }
        if let Some(known) = self.step(id).policy().undo {
            return Err(Diagnostic::new(
                "flow::plan::undo",
                format!("`{}` is undone by `{}` already", self.step(id).name, self.step(known).name),
            )
            .label(span, "undone by another step here")
            .label(self.step(known).span, "declared here")
            .help("one step undoes a step: put both into a `chain`"));
        }
        if self.step(undo).policy().undo.is_some() || self.step(id).undoes.is_some() {
            return Err(Diagnostic::new("flow::plan::undo", "what undoes a step cannot be undone itself")
                .label(span, "asked for here")
                .help("leave out the `undo` of the inner step"));
        }
        self.take(id, undo)?;
        let step = self.step_mut(undo);
        step.undoes = Some(id);
        step.after.clear();
        self.step_mut(id).policy_mut().undo = Some(undo);
        Ok(())
    }

    fn related(&self, id: StepId, other: StepId, span: Span, what: &str) -> Diagnostic {
        let (name, other) = (&self.step(id).name, &self.step(other).name);
        let message = match name == other {
            true => format!("`{name}` cannot be its own {what}"),
            false => format!("`{other}` cannot be the {what} of `{name}`: one of them is part of the other"),
        };
        Diagnostic::new("flow::plan::undo", message)
            .label(span, "asked for here")
            .help("declare a step of its own for it")
    }

    fn unowned(&self, id: StepId, other: StepId, span: Span, what: &str) -> Result<()> {
        let step = self.step(other);
        let Some(owner) = step.parent.map(|owner| self.step(owner)) else { return Ok(()) };
        let (name, other) = (&self.step(id).name, &step.name);
        Err(Diagnostic::new(
            "flow::plan::two_owners",
            format!("`{other}` belongs to `{}` already, so it cannot be the {what} of `{name}`", owner.name),
        )
        .label(span, "asked for here")
        .label(owner.span, "it belongs to this")
        .label(step.span, "declared here")
        .help("declare a step of its own for it"))
    }

    fn waits_for(&self, id: StepId, other: StepId, span: Span, what: &str) -> Diagnostic {
        let (name, other) = (&self.step(id).name, self.step(other));
        let message = format!("`{}` cannot be the {what} of `{name}`, because it waits for other steps", other.name);
        Diagnostic::new("flow::plan::undo", message)
            .label(span, "asked for here")
            .label(other.span, "declared here")
            .help(format!(
                "take its `after`, `->` or `when` away: the {what} comes when it is needed; it may read results of `{name}`"
            ))
    }

    /// A step and all that belongs to it, at any depth; itself first.
    fn subtree(&self, id: StepId) -> Vec<StepId> {
        if !self.step(id).task.is_group() {
            let undo = self.step(id).policy().undo;
            return std::iter::once(id).chain(undo).collect();
        }
        let mut found = vec![id];
        let all = (0..self.len() as u32).map(StepId);
        found.extend(all.filter(|other| *other != id && self.contains(id, *other)));
        found
    }

    /// The step at which the edges of `id` stand: the first of some alternatives begins with its group.
    pub(super) fn gate(&self, mut id: StepId) -> StepId {
        while let Some(parent) = self.step(id).parent
            && matches!(&*self.step(parent).task, Task::Fallback(children) if children[0] == id)
        {
            id = parent;
        }
        id
    }

    /// A fallback need not wait for those before it, whose results it reads: it begins when they have ended.
    pub(super) fn free_alternatives(&mut self) {
        if !self.base.steps.iter().chain(&self.steps).any(|step| matches!(*step.task, Task::Fallback(_))) {
            return;
        }
        for id in (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32)) {
            let mut at = id;
            while let Some(group) = self.step(at).parent {
                if let Task::Fallback(children) = &*self.step(group).task
                    && let Some(place) = children.iter().position(|child| *child == at)
                    && place > 0
                {
                    let before = children[..place].to_vec();
                    let told = |edge: &Edge| {
                        edge.kind == EdgeKind::Data && before.iter().any(|other| self.contains(*other, edge.from))
                    };
                    let mut after = self.step(id).after.clone();
                    after.retain(|edge| !told(edge));
                    if after.len() < self.step(id).after.len() {
                        self.step_mut(id).after = after;
                    }
                }
                at = group;
            }
        }
    }

    /// What undoes a step waits for nothing outside of itself: results of steps that did not run are `()` there. Edges
    /// that only say an order stay: a check refuses them.
    pub(super) fn free_undos(&mut self) {
        let new = || (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32));
        if !new().any(|id| self.step(id).undoes.is_some()) {
            return;
        }
        let mut freed = Vec::new();
        for id in new() {
            let mut top = id;
            while self.step(top).undoes.is_none()
                && let Some(parent) = self.step(top).parent
            {
                top = parent;
            }
            if self.step(top).undoes.is_some() {
                let outside = |edge: &Edge| edge.kind != EdgeKind::Order && !self.contains(top, edge.from);
                if self.step(id).after.iter().any(outside) {
                    freed.push((top, id));
                }
            }
        }
        for (top, id) in freed {
            let mut after = std::mem::take(&mut self.step_mut(id).after);
            after.retain(|edge| edge.kind == EdgeKind::Order || self.contains(top, edge.from));
            self.step_mut(id).after = after;
        }
    }
}

/// Takes the policies about one attempt out of those of a step.
fn split(policy: &mut Policy) -> Policy {
    let Policy { rule, on_error, undo, checkpoint, finally, desc, tags, .. } = policy.clone();
    let place = Policy { rule, on_error, undo, checkpoint, finally, desc, tags, ..Policy::default() };
    let secret = policy.secret;
    let mut work = std::mem::replace(policy, Policy { secret, ..place });
    work.rule = Default::default();
    (work.on_error, work.undo, work.checkpoint) = (None, None, None);
    (work.finally, work.desc) = (false, None);
    work.tags.clear();
    work
}
