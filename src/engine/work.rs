//! From an effect to a piece of work: what a task, a condition or a fan-out needs to know is gathered here.

use std::collections::HashMap;
use std::sync::Arc;

use super::machine::{self, Asked, Machine};
use crate::event::Outcome;
use crate::exec::{Job, Question, Site, StreamMember, StreamPlace, Work, has_cache};
use crate::plan::{StepId, Task, Value};
use crate::state::{Files, Inputs, RunState, Status, StepResult};

/// Gathers inputs for work.
pub(super) struct Gatherer {
    site: Arc<Site>,
    files: Arc<dyn Files>,
    /// Results of groups that are final: made of many others, so they are made once.
    groups: HashMap<StepId, Arc<StepResult>>,
}

impl Gatherer {
    pub fn new(site: Arc<Site>, files: Arc<dyn Files>) -> Self {
        Gatherer { site, files, groups: HashMap::new() }
    }

    /// The run takes place elsewhere from now on: its settings have changed.
    pub fn moved(&mut self, site: Arc<Site>) {
        self.site = site;
    }

    /// An attempt of a task; where it may be found in the cache, the look at that.
    pub fn attempt(&mut self, machine: &Machine, step: StepId, attempt: u32) -> Work {
        let state = &machine.state;
        let plan = state.plan.step(step);
        // What undoes something is done whatever was done in earlier runs.
        let undo = state.plan.undo_of(step);
        let cached = undo.is_none() && has_cache(&plan.task, plan.policy.as_deref());
        let leaves = plan.task.leaves_process() || cached;
        let mut needed = plan.input.clone();
        let mut need = |value: &Value| value.each_step(&mut |step| needed.push(step));
        plan.task.each_value(&mut need);
        plan.task.named().into_iter().for_each(|step| need(&Value::Step(step)));
        let mut task = plan.task.clone();
        if let Task::Merge(merge) = Arc::make_mut(&mut task) {
            // A group stands for the steps in it that have work trees.
            merge.of = with_trees(state, &merge.of);
            merge.of.iter().for_each(|step| need(&Value::Step(*step)));
        }
        if leaves {
            let settings = &state.plan.header.settings;
            settings.env.iter().for_each(|(_, value)| need(value));
            if let Some(policy) = &plan.policy {
                policy.each_value(&mut need);
            }
        }
        let job = Job {
            step,
            attempt,
            path: if leaves || matches!(*plan.task, Task::Call(_)) { state.plan.path(step) } else { String::new() },
            task,
            policy: plan.policy.clone(),
            input: plan.input.clone(),
            inputs: self.inputs(state, needed),
            site: self.site.clone(),
            missed: None,
            stream: stream_place(state, step),
            reached: state.step(step).flowed.as_ref().and_then(|flowed| flowed.reached.clone()),
            allowance: machine.allowance(step),
            undone: undo.map(|undo| kept(state, undo)).unwrap_or_default(),
        };
        if cached { Work::Lookup(job) } else { Work::Attempt(job) }
    }

    /// A condition. `asked`: which time this is asked.
    pub fn decide(&mut self, state: &RunState, step: StepId, branch: u32, asked: u64) -> Option<Work> {
        let question = match (machine::asked(state, step, branch)?, &*state.plan.step(step).task) {
            (Asked::Condition(condition), _) => Question::When(condition.clone()),
            (Asked::Until(closure), Task::Repeat(repeat)) => {
                Question::Until(closure.clone(), *repeat.children.get(branch as usize)?)
            }
            (Asked::Until(_), _) => return None,
        };
        let needed = match &question {
            Question::When(condition) => condition.steps(),
            Question::Until(closure, last) => {
                let mut needed = vec![*last];
                closure.captured.iter().for_each(|value| value.each_step(&mut |step| needed.push(step)));
                needed
            }
        };
        Some(Work::Decide { step, branch, asked, question, inputs: self.inputs(state, needed) })
    }

    /// The judgement on how an attempt, or a group, ended.
    pub fn judge(&mut self, state: &RunState, step: StepId, attempt: u32, outcome: Arc<Outcome>) -> Work {
        let policy = state.plan.step(step).policy.clone().unwrap_or_default();
        let mut needed = Vec::new();
        policy.each_value(&mut |value| value.each_step(&mut |step| needed.push(step)));
        needed.retain(|other| *other != step);
        let mut inputs = self.inputs(state, needed);
        let mut own = state.result(step);
        own.status = if outcome.error.is_none() { Status::Success } else { Status::Failed };
        own.outcome = Some(outcome.clone());
        inputs.results.push((step, Arc::new(own)));
        inputs.results.sort_unstable_by_key(|(id, _)| *id);
        Work::Judge { step, attempt, policy, outcome, inputs }
    }

    /// Steps are as if they had never begun: what was gathered of groups no longer holds.
    pub fn forget(&mut self) {
        self.groups.clear();
    }

    /// A fan-out.
    pub fn expand(&mut self, state: &RunState, step: StepId, iteration: u32) -> Work {
        let mut needed = Vec::new();
        let mut last = None;
        let mut need = |value: &Value| value.each_step(&mut |step| needed.push(step));
        match &*state.plan.step(step).task {
            Task::Each(each) => {
                each.items.iter().for_each(&mut need);
                each.body.captured.iter().for_each(&mut need);
            }
            Task::Repeat(repeat) => {
                repeat.body.captured.iter().for_each(&mut need);
                last = (iteration as usize).checked_sub(2).and_then(|place| repeat.children.get(place)).copied();
            }
            Task::OnEvent(on) => {
                on.body.captured.iter().for_each(&mut need);
                last = state.next_event(step);
            }
            Task::Workflow(workflow) => workflow.args.iter().for_each(|(_, value)| need(value)),
            _ => {}
        }
        needed.extend(last);
        Work::Expand { step, iteration, plan: state.plan.clone(), last, inputs: self.inputs(state, needed) }
    }

    fn inputs(&mut self, state: &RunState, mut needed: Vec<StepId>) -> Inputs {
        needed.sort_unstable();
        needed.dedup();
        let results = needed.into_iter().map(|step| (step, self.result(state, step))).collect();
        Inputs { results, files: self.files.clone() }
    }

    /// The result of a step.
    pub fn result(&mut self, state: &RunState, step: StepId) -> Arc<StepResult> {
        if !(state.plan.step(step).task.is_group() && state.step(step).status.is_final()) {
            return Arc::new(state.result(step));
        }
        self.groups.entry(step).or_insert_with(|| Arc::new(state.result(step))).clone()
    }
}

/// The steps with work trees of their own among these and in these groups, in order.
fn with_trees(state: &RunState, of: &[StepId]) -> Vec<StepId> {
    let mut open: Vec<StepId> = of.iter().rev().copied().collect();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let step = state.plan.step(id);
        if step.policy().isolate.is_some() && !step.task.is_group() && !found.contains(&id) {
            found.push(id);
        }
        open.extend(state.plan.members(id).into_iter().rev());
    }
    found
}

/// Where a member of a stream stands in it.
fn stream_place(state: &RunState, step: StepId) -> Option<Arc<StreamPlace>> {
    let group = state.plan.stream_of(step)?;
    let Task::Stream(stream) = &*state.plan.step(group).task else { return None };
    let member = |id: StepId| {
        let step = state.plan.step(id);
        StreamMember { step: id, name: step.name.clone(), task: step.task.clone(), policy: step.policy.clone() }
    };
    Some(Arc::new(StreamPlace {
        group,
        attempt: state.step(group).attempt,
        stream: (**stream).clone(),
        members: stream.members().map(member).collect(),
        alerts: state.plan.step(group).policy().alerts.clone(),
    }))
}

/// The keys of all results that are kept of what this step undoes.
fn kept(state: &RunState, undo: StepId) -> Vec<String> {
    let mut open: Vec<StepId> = state.plan.step(undo).undoes.into_iter().collect();
    let mut keys = Vec::new();
    while let Some(id) = open.pop() {
        open.extend(state.plan.members(id));
        let note = state.step(id).outcome.as_ref().and_then(|outcome| outcome.cache.as_ref());
        keys.extend(note.map(|note| note.key.clone()).filter(|key| !key.is_empty()));
    }
    keys
}
