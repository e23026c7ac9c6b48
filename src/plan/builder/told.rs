//! What agents are told of others: what led to them, and who gets what they answer.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Builder;
use crate::plan::{Context, EdgeKind, Plan, StepId, Task, Value};

impl Builder {
    /// Fills in, for the agents that are new, what led to them and who reads their answers. The plan is complete otherwise.
    pub(super) fn tell_agents(&mut self) {
        let new = (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32));
        let agents: Vec<StepId> = new.filter(|id| matches!(*self.step(*id).task, Task::Agent(_))).collect();
        if agents.is_empty() {
            return;
        }
        let told = self.as_plan(|plan| {
            let readers = readers(plan);
            let told = agents.iter().map(|id| {
                let earlier = match &*plan.step(*id).task {
                    Task::Agent(ask) if ask.context != Context::Last => earlier(plan, *id),
                    _ => Vec::new(),
                };
                let own = readers.partition_point(|(writer, _)| writer < id);
                let own = readers[own..].iter().take_while(|(writer, _)| writer == id);
                let names = own.map(|(_, reader)| plan.step(*reader).name.clone()).collect::<Vec<SmolStr>>();
                (*id, earlier, names)
            });
            told.collect::<Vec<_>>()
        });
        for (id, earlier, readers) in told {
            let Task::Agent(ask) = &*self.step(id).task else { continue };
            if ask.earlier == earlier && ask.readers == readers {
                continue;
            }
            if let Task::Agent(ask) = Arc::make_mut(&mut self.step_mut(id).task) {
                (ask.earlier, ask.readers) = (earlier, readers);
            }
        }
    }
}

/// Who gets whose answer as input: an agent and a step that gets it, in the order of agents.
fn readers(plan: &Plan) -> Vec<(StepId, StepId)> {
    let mut found = Vec::new();
    for reader in plan.ids().filter(|id| !plan.step(*id).retired && !plan.step(*id).task.is_group()) {
        for from in &plan.step(reader).input {
            let givers = givers(plan, *from).into_iter();
            found.extend(
                givers.filter(|id| matches!(*plan.step(*id).task, Task::Agent(_))).map(|giver| (giver, reader)),
            );
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The tasks whose outputs are, or may be, the output of a step.
fn givers(plan: &Plan, id: StepId) -> Vec<StepId> {
    let (mut open, mut found) = (vec![id], Vec::new());
    while let Some(id) = open.pop() {
        match &*plan.step(id).task {
            Task::Chain(children) | Task::Repeat(crate::plan::Repeat { children, .. }) => open.extend(children.last()),
            Task::Stream(stream) => open.extend(stream.exits()),
            task if task.is_group() => open.extend(plan.members(id)),
            _ if !found.contains(&id) => found.push(id),
            _ => {}
        }
    }
    found
}

/// All that led to an agent and can be told, without its direct input: the tasks that it waits for, or whose results it
/// uses, and those that these wait for, and so on; each after those before it, labelled with its path.
fn earlier(plan: &Plan, id: StepId) -> Vec<(SmolStr, Value)> {
    let direct: Vec<StepId> = plan.step(id).input.iter().flat_map(|from| givers(plan, *from)).collect();
    let together = plan.stream_of(id);
    // Each step is met twice: when what is before it is still to be seen, and when it has been.
    let mut open = vec![(id, false)];
    let mut seen = vec![false; plan.steps.len()];
    let mut found = Vec::new();
    while let Some((at, done)) = open.pop() {
        if done {
            if at != id && tells(plan, at) && !direct.contains(&at) {
                found.push((plan.path(at).into(), Value::Step(at)));
            }
            continue;
        }
        if std::mem::replace(&mut seen[at.index()], true) {
            continue;
        }
        open.push((at, true));
        let mut before = Vec::new();
        let step = plan.step(at);
        before.extend(step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from));
        // What a group waits for, all in it waits for.
        let mut around = step.parent;
        while let Some(group) = around {
            let edges = plan.step(group).after.iter();
            before.extend(edges.filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from));
            around = plan.step(group).parent;
        }
        if at != id && step.task.is_group() {
            before.extend(plan.members(at));
        }
        before.retain(|step| {
            let holds = std::iter::successors(Some(id), |id| plan.step(*id).parent).any(|group| group == *step);
            !holds && (together.is_none() || plan.step(*step).parent != together)
        });
        before.sort_unstable();
        before.dedup();
        // The first declared is looked at first.
        open.extend(before.into_iter().rev().map(|step| (step, false)));
    }
    found
}

/// Does it give something that can be told?
fn tells(plan: &Plan, id: StepId) -> bool {
    let step = plan.step(id);
    let gives = matches!(
        &*step.task,
        Task::Shell(_)
            | Task::Exec(_)
            | Task::Call(_)
            | Task::Http(_)
            | Task::Agent(_)
            | Task::Const(_)
            | Task::Approve(_)
            | Task::Signal(_)
            | Task::Pipeline(_)
            | Task::Merge(_)
    );
    gives && !step.retired && step.undoes.is_none() && !plan.is_secret(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::{Ask, Step};
    use super::super::Sequence;
    use super::*;
    use crate::diag::Span;

    fn ask(context: Context) -> Task {
        let plain = json!({"agent": {"name": "a", "backend": "command"}, "prompt": {"plain": "go"}});
        let ask: Ask = serde_json::from_value(plain).expect("a question");
        Task::Agent(Box::new(Ask { context, ..ask }))
    }

    #[derive(Default)]
    struct Script(Builder);

    impl Script {
        fn step(&mut self, name: &str, task: Task) -> StepId {
            self.0.add(Step::new(name, task, Span::default()))
        }

        fn value(&mut self, name: &str) -> StepId {
            self.step(name, Task::Const(Value::Plain(json!(name))))
        }

        fn then(&mut self, left: &[StepId], right: &[StepId]) {
            let side = |ids: &[StepId]| {
                Sequence::side_by_side(
                    ids.iter().map(|id| Sequence::one(*id, Span::default())).collect(),
                    Span::default(),
                )
            };
            self.0.then(side(left), side(right));
        }

        fn chain(&mut self, name: &str, ids: &[StepId]) -> StepId {
            let sequence = Sequence {
                entries: vec![ids[0]],
                exits: vec![ids[ids.len() - 1]],
                members: ids.to_vec(),
                span: Span::default(),
            };
            self.0.chain(name.into(), sequence, Span::default())
        }

        fn told(&mut self, id: StepId) -> (Vec<String>, Vec<String>) {
            self.0.settle().expect("names are known");
            let Task::Agent(ask) = &*self.0.step(id).task else { panic!("it is an agent") };
            let earlier = ask.earlier.iter().map(|(label, _)| label.to_string()).collect();
            (earlier, ask.readers.iter().map(SmolStr::to_string).collect())
        }
    }

    #[test]
    fn what_led_to_it_is_told_but_for_its_input() {
        let mut script = Script::default();
        let [goal, left, right, unrelated] = ["goal", "left", "right", "unrelated"].map(|name| script.value(name));
        let join = script.step("join", ask(Context::Last));
        let last = script.step("last", ask(Context::All));
        let reader = script.value("reader");
        script.then(&[goal], &[left, right]);
        script.then(&[left, right], &[join]);
        script.then(&[join], &[last]);
        script.then(&[last], &[reader]);
        let _ = unrelated;
        assert_eq!(script.told(last), (vec!["goal".into(), "left".into(), "right".into()], vec!["reader".into()]));
        assert_eq!(script.told(join), (vec![], vec!["last".into()]));
    }

    #[test]
    fn groups_are_looked_into_and_around() {
        let mut script = Script::default();
        let [start, a, b, c] = ["start", "a", "b", "c"].map(|name| script.value(name));
        script.then(&[a], &[b]);
        let first = script.chain("first", &[a, b]);
        let within = script.step("within", ask(Context::All));
        script.then(&[c], &[within]);
        let second = script.chain("second", &[c, within]);
        script.then(&[start], &[first]);
        script.then(&[first], &[second]);
        let end = script.step("end", ask(Context::Window(10)));
        script.then(&[second], &[end]);
        // Its direct input is `c`; that of `c` is what the chain before gives.
        assert_eq!(script.told(within).0, ["start", "first/a", "first/b"]);
        assert_eq!(script.told(within).1, ["end"]);
        assert_eq!(script.told(end).0, ["start", "first/a", "first/b", "second/c"]);
    }
}
