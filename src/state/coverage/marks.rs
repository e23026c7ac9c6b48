//! Coverage shown on a plan: a copy of it whose conditions and descriptions say which ways were gone. For drawings alone.

use std::sync::Arc;

use super::{Branch, Choice, Coverage, decisions_of};
use crate::plan::{Condition, Expression, Plan, Task, Validate};

impl Coverage {
    /// A plan for drawings, in which each decision begins with its mark. `files`: as in [`Coverage::add`].
    pub fn marked(&self, plan: &Plan, files: &[Option<String>]) -> Plan {
        let mut marked = plan.clone();
        for id in plan.ids() {
            for found in decisions_of(plan, id) {
                let Some(Some(file)) = files.get(found.span.file as usize) else { continue };
                let same = |branch: &&Branch| {
                    (branch.line, branch.column, branch.choice) == (found.span.line, found.span.column, found.choice)
                        && branch.text == found.text
                };
                let known = self.files.get(file).and_then(|branches| branches.iter().find(same));
                let mark = mark(found.choice, known);
                let step = &mut marked.steps[id.index()];
                match found.choice {
                    Choice::When => step.when = step.when.take().map(|when| Box::new(labelled(&when, &mark))),
                    Choice::Branch => {
                        if let Task::Flow(branches) = Arc::make_mut(&mut step.task)
                            && let Some(branch) = branches.get_mut(found.which as usize)
                        {
                            branch.when = branch.when.take().map(|when| labelled(&when, &mark));
                        }
                    }
                    Choice::Until => {
                        if let Task::Repeat(repeat) = Arc::make_mut(&mut step.task)
                            && let Some(until) = &mut repeat.until
                        {
                            until.text = format!("{mark} {}", until.text.trim());
                        }
                    }
                    Choice::Validate => match step.policy_mut().validate.as_deref_mut() {
                        Some(Validate::Closure(closure)) => closure.text = format!("{mark} {}", closure.text.trim()),
                        Some(Validate::Expr(expression)) => expression.text = format!("{mark} {}", expression.text),
                        Some(Validate::Schema(_)) | None => describe(step.policy_mut(), found.choice, &mark),
                    },
                    choice => describe(step.policy_mut(), choice, &mark),
                }
            }
        }
        marked
    }
}

fn describe(policy: &mut crate::plan::Policy, choice: Choice, mark: &str) {
    let before = policy.desc.take().map(|desc| format!("{desc}; ")).unwrap_or_default();
    policy.desc = Some(format!("{before}{mark} {}", choice.name()));
}

/// Which ways were gone, in brackets.
fn mark(choice: Choice, known: Option<&Branch>) -> String {
    let (yes, no) = choice.ways();
    let times = |times: u64, word: &str| match times {
        0 => format!("never {word}"),
        times => format!("{word} {times}×"),
    };
    match known.filter(|branch| branch.covered() > 0) {
        Some(branch) => format!("[{}, {}]", times(branch.yes, yes), times(branch.no, no)),
        None => "[never]".to_owned(),
    }
}

fn labelled(condition: &Condition, mark: &str) -> Condition {
    let text = format!("{mark} {}", condition.text());
    // In drawings it is only text, and its steps are still those that it reads.
    match condition {
        Condition::Closure(closure) => Condition::Closure(crate::plan::Closure { text, ..closure.clone() }),
        Condition::Expr(expression) => Condition::Expr(Expression { text, ..expression.clone() }),
        Condition::Known(_) => Condition::Expr(Expression { text, steps: Vec::new(), span: condition.span() }),
    }
}
