//! What a step uses of others, and why it waits for them.

use std::collections::{HashMap, HashSet};

use super::{clean, count, list, name, property, reference, shorten};
use crate::plan::{EdgeKind, Plan, Reference, Step, StepId, Task, Value};

/// Every value that stands in a step: what its task and its policies use.
pub fn each_value<'a>(step: &'a Step, visit: &mut dyn FnMut(&'a Value)) {
    match &*step.task {
        // What led to it is told as such.
        Task::Agent(ask) => ask.each_own_value(visit),
        task => task.each_value(visit),
    }
    if let Some(policy) = &step.policy {
        policy.each_value(visit);
    }
}

/// Every property of a result that a step uses, as often as it does.
pub fn each_reference<'a>(step: &'a Step, visit: &mut dyn FnMut(&'a Reference)) {
    each_value(step, &mut |value| references(value, visit));
}

fn references<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Reference)) {
    match value {
        Value::Ref(reference) => visit(reference),
        Value::Text(parts) | Value::List(parts) => parts.iter().for_each(|part| references(part, visit)),
        Value::Map(entries) => entries.iter().for_each(|(_, entry)| references(entry, visit)),
        Value::Closure(closure) => closure.captured.iter().for_each(|part| references(part, visit)),
        Value::Agent(agent) => agent.each_value(&mut |value| references(value, visit)),
        Value::Plain(_) | Value::Expr(_) | Value::Step(_) | Value::Secret(_) => {}
    }
}

/// What a step uses of others, in one pass: `build.output, lint.code and 3 more`; nothing if it uses nothing.
pub fn all_uses(plan: &Plan, step: &Step, most: usize) -> Option<String> {
    let mut found = Uses { from: None, most, seen: HashSet::new(), shown: Vec::new() };
    each_value(step, &mut |value| found.look(plan, value));
    match found.seen.len() {
        0 => None,
        total if total > found.shown.len() => {
            Some(format!("{} and {} more", found.shown.join(", "), count(total - found.shown.len())))
        }
        _ => Some(list(&found.shown, usize::MAX)),
    }
}

/// The properties of `from` that a step uses: `build.output`, each once, at most four.
pub fn uses(plan: &Plan, step: &Step, from: StepId) -> Vec<String> {
    let mut found = Uses { from: Some(from), most: 4, seen: HashSet::new(), shown: Vec::new() };
    each_value(step, &mut |value| found.look(plan, value));
    found.shown
}

/// The properties that a step uses, by the step whose they are: `output.files`, each once, at most three of a step.
pub fn properties(step: &Step) -> HashMap<StepId, Vec<String>> {
    let mut found: HashMap<StepId, Vec<String>> = HashMap::new();
    each_reference(step, &mut |of| {
        let known = found.entry(of.step).or_default();
        if known.len() < 3 {
            let text = property(of);
            if !known.contains(&text) {
                known.push(text);
            }
        }
    });
    found
}

/// What has been found in the values of a step.
struct Uses {
    /// Only what is used of this step.
    from: Option<StepId>,
    most: usize,
    seen: HashSet<String>,
    shown: Vec<String>,
}

impl Uses {
    fn look(&mut self, plan: &Plan, value: &Value) {
        let wanted = |step: StepId| self.from.is_none_or(|from| from == step);
        match value {
            Value::Ref(of) if wanted(of.step) => self.add(reference(plan, of)),
            Value::Step(step) if wanted(*step) => self.add(name(plan, *step)),
            Value::Expr(expression) if expression.steps.iter().any(|(_, step)| wanted(*step)) => {
                self.add(clean(&expression.text));
            }
            Value::Text(parts) | Value::List(parts) => parts.iter().for_each(|part| self.look(plan, part)),
            Value::Map(entries) => entries.iter().for_each(|(_, entry)| self.look(plan, entry)),
            Value::Closure(closure) => closure.captured.iter().for_each(|part| self.look(plan, part)),
            Value::Agent(agent) => agent.each_value(&mut |value| self.look(plan, value)),
            Value::Plain(_) | Value::Ref(_) | Value::Expr(_) | Value::Step(_) | Value::Secret(_) => {}
        }
    }

    fn add(&mut self, text: String) {
        if self.shown.len() < self.most && !self.seen.contains(&text) {
            self.shown.push(text.clone());
        }
        self.seen.insert(text);
    }
}

/// Why `step` waits for `from`, to stand after "waits for it": `it uses build.output`.
pub fn reason(plan: &Plan, step: StepId, from: StepId, kind: EdgeKind) -> String {
    let waiting = plan.step(step);
    match kind {
        EdgeKind::Order => "by their order".to_owned(),
        EdgeKind::Data => {
            let uses = uses(plan, waiting, from);
            match uses.is_empty() {
                true if waiting.input.contains(&from) => "its input is the output".to_owned(),
                true => "it uses its result".to_owned(),
                false => format!("it uses `{}`", uses.join("`, `")),
            }
        }
        EdgeKind::Condition => match &waiting.when {
            Some(condition) => format!("its condition `{}` reads it", shorten(&clean(&condition.text()), 60)),
            None => "its condition reads it".to_owned(),
        },
    }
}
