//! The state of a run: the one fold over its events.
//!
//! [`RunState::apply`] drives the live run, resume, the command line's status and every page. It decides nothing: it
//! only writes down what an event says. What follows from the state is the machine's business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{
    Alerted, Answer, Because, Created, Decision, Event, FailureKind, Meter, Outcome, Reached, Record, ResetWhy,
    RollBack, RunStatus, Saw, Skip, Stop, Usage, WaitFor,
};
use crate::plan::{OnAlert, OnError, Plan, StepId, Task};

mod anew;
pub mod board;
pub mod breaker;
pub mod cached;
pub mod checkpoint;
mod consumed;
pub mod coverage;
pub mod dead;
pub mod form;
mod lineage;
pub mod receipt;
pub mod result;
pub mod spending;
pub mod takeup;
mod topic;
mod waits;

pub use consumed::Consumed;
pub use lineage::Lineage;
pub use result::{Body, Files, Inputs, Problem, StepResult, resolve};
pub use spending::{Amount, Spending};
pub use waits::Waits;

/// Everything that is known of a run.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    /// What the run is.
    pub created: Created,
    /// Its plan, as far as it has grown.
    pub plan: Arc<Plan>,
    /// Status of the run.
    pub status: RunStatus,
    /// State of each step, by id.
    pub steps: Vec<StepState>,
    /// Evaluated conditions, in the order of evaluation.
    pub decisions: Vec<Decided>,
    /// Steps that published something or noted it on a board, and succeeded, in the order in which they ended.
    pub told: Vec<StepId>,
    /// Why nothing new starts. An interruption ends with the process that was interrupted; the other reasons hold
    /// until the end of the run, also over a crash.
    pub stopping: Option<Stop>,
    /// The run is on its way back to a checkpoint.
    pub rolling_back: Option<Box<RollBack>>,
    /// The checkpoint to which the run has been rolled back since it was taken up.
    pub rolled_back: Option<String>,
    /// Number of events so far.
    pub events: u64,
    /// Time of the first event and of the latest, in milliseconds since 1970.
    pub started_at: u64,
    /// See `started_at`.
    pub latest_at: u64,
    /// What the script printed while the plan was built.
    pub printed: String,
    /// Attempts begun of steps that an edited script had no more, by path: should they come back, they count on.
    pub gone: BTreeMap<String, u32>,
    /// The steps of which agents have used something.
    consumers: BTreeSet<StepId>,
    /// What those used that an edited script had no more.
    gone_used: Usage,
}

/// Status of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not started.
    #[default]
    Pending,
    /// Could start, were there a slot. Known to the machine only.
    Ready,
    /// An attempt is going on; a group is open.
    Running,
    /// An attempt failed, another will follow.
    Retrying,
    /// Time passes, or somebody is waited for.
    Waiting,
    /// It ended well.
    Success,
    /// It ended badly.
    Failed,
    /// It will not run.
    Skipped,
    /// It was ended, or kept from starting, with the run.
    Cancelled,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Ready => "ready",
            Status::Running => "running",
            Status::Retrying => "retrying",
            Status::Waiting => "waiting",
            Status::Success => "success",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
            Status::Cancelled => "cancelled",
        }
    }

    /// Will it never change again?
    pub fn is_final(self) -> bool {
        matches!(self, Status::Success | Status::Failed | Status::Skipped | Status::Cancelled)
    }
}

/// What is known of one step.
#[derive(Clone, Debug, Default)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts that failed and were followed by another. Interrupted ones do not count.
    pub failures: u32,
    /// How often its fan-out has been evaluated: iterations of a `repeat`, 1 for an `each` that got its children.
    pub expansions: u32,
    /// When the first attempt began and the last ended, in milliseconds since 1970; 0: not yet.
    pub started_at: u64,
    /// See `started_at`.
    pub finished_at: u64,
    /// While retrying or waiting: until when, at the longest. 0: without an end.
    pub until: u64,
    /// The number of the event by which it became final, plus 1; 0: it is not.
    pub ended: u64,
    /// While waiting: for what.
    pub waits_for: Option<Arc<WaitFor>>,
    /// What came for it, when it waited.
    pub answer: Option<Box<Answer>>,
    /// How the latest attempt ended.
    pub outcome: Option<Arc<Outcome>>,
    /// Why it does not run.
    pub skip: Option<Box<Skip>>,
    /// It failed, and a condition or the script has looked at that.
    pub handled: bool,
    /// Of a stream or a pipeline: how far it is, and what alerts it raised.
    pub flowed: Option<Box<FlowState>>,
    /// What its agent has used.
    pub consumed: Option<Box<Consumed>>,
}

/// How far a stream or a pipeline is.
#[derive(Clone, Debug, Default)]
pub struct FlowState {
    /// What of a pipeline's source is done with.
    pub reached: Option<Box<Reached>>,
    /// The latest figures.
    pub meters: Vec<Meter>,
    /// When they came, in milliseconds since 1970.
    pub at: u64,
    /// The alerts that were raised, each the first time, with the time.
    pub alerts: Vec<(Alerted, u64)>,
}

/// An evaluated condition.
#[derive(Clone, Debug)]
pub struct Decided {
    /// See [`Event::Decided`].
    pub step: StepId,
    /// See [`Event::Decided`].
    pub branch: u32,
    /// See [`Event::Decided`].
    pub result: Decision,
    /// See [`Event::Decided`].
    pub saw: Vec<Saw>,
    /// When.
    pub at: u64,
    /// The number of the event.
    pub seq: u64,
}

/// How a step looks to those that wait for it, after its `on_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not final yet.
    Open,
    /// As a success.
    Success,
    /// As a failure.
    Failed,
    /// As not taken.
    NotTaken,
    /// As skipped because of a failure further up.
    UpstreamFailed,
}

/// Why the failure of a step is not one of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealt {
    /// The `on_error` of this step, or group, says so.
    OnError(StepId, OnError),
    /// Another alternative of this fallback answered in its place.
    Answered(StepId),
    /// Not all children of this group need to succeed. If too few do, that is a failure of the group.
    Outvoted(StepId),
    /// A condition, or the script, has looked at the failure of this step, or group.
    LookedAt(StepId),
    /// This one, a hook or what undoes a step, stands beside the graph.
    Aside(StepId),
}

impl RunState {
    /// The state after these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = RunState::default();
        for record in records {
            state.apply(record.at, &record.event);
        }
        state
    }

    /// Writes down one event. `at`: milliseconds since 1970.
    pub fn apply(&mut self, at: u64, event: &Event) {
        if self.events == 0 {
            self.started_at = at;
        }
        self.events += 1;
        self.latest_at = at;
        match event {
            Event::Created(created) => self.created = (**created).clone(),
            Event::Planned { of, growth } => {
                let new = self.steps.len()..self.plan.steps.len() + growth.steps.len();
                Arc::make_mut(&mut self.plan).grow((**growth).clone());
                self.steps.resize_with(self.plan.steps.len(), StepState::default);
                self.count_on(new);
                if let Some(group) = of {
                    self.steps[group.index()].expansions += 1;
                }
                for step in self.plan.header.looked_at.clone() {
                    self.steps[step.index()].handled = true;
                }
            }
            Event::Opened { .. } => {
                self.status = RunStatus::Running;
                self.rolled_back = None;
                self.stopping = self.stopping.filter(|reason| *reason != Stop::Interrupted);
            }
            Event::Decided { step, branch, result, saw } => {
                for seen in saw.iter().filter(|seen| seen.handles) {
                    self.steps[seen.step.index()].handled = true;
                }
                let (result, saw) = (result.clone(), saw.clone());
                let seq = self.events - 1;
                self.decisions.push(Decided { step: *step, branch: *branch, result, saw, at, seq });
            }
            Event::Started { step, attempt } => {
                let step = &mut self.steps[step.index()];
                step.status = Status::Running;
                step.attempt = *attempt;
                step.until = 0;
                if step.started_at == 0 {
                    step.started_at = at;
                }
            }
            Event::Retrying { step: id, outcome, delay_ms, .. } => {
                let step = &mut self.steps[id.index()];
                step.status = Status::Retrying;
                step.failures += 1;
                step.has_consumed(outcome);
                step.until = at + delay_ms;
                step.outcome = Some(outcome.clone());
                self.consumes(*id);
            }
            Event::Waiting { step, delay_ms, what } => {
                let step = &mut self.steps[step.index()];
                // A plain `wait` has no `Started`.
                step.attempt += u32::from(step.status != Status::Running);
                step.status = Status::Waiting;
                step.until = if *delay_ms == Event::FOREVER { 0 } else { at.saturating_add(*delay_ms) };
                step.waits_for = Some(Arc::new(what.clone()));
                step.answer = None;
                if step.started_at == 0 {
                    step.started_at = at;
                }
            }
            Event::Used(used) => {
                self.steps[used.step.index()].consumed.get_or_insert_default().now = Some((**used).clone());
                self.consumes(used.step);
            }
            Event::Flowed(flowed) => {
                let state = self.steps[flowed.step.index()].flowed.get_or_insert_default();
                state.at = at;
                if flowed.reached.is_some() {
                    state.reached.clone_from(&flowed.reached);
                }
                if !flowed.meters.is_empty() {
                    state.meters.clone_from(&flowed.meters);
                }
            }
            Event::Alerted(alerted) => {
                let state = self.steps[alerted.step.index()].flowed.get_or_insert_default();
                if !state.alerts.iter().any(|(known, _)| known.alert == alerted.alert) {
                    state.alerts.push(((**alerted).clone(), at));
                }
            }
            Event::Finished { step: id, outcome, .. } => {
                self.note_told(*id, outcome);
                let step = &mut self.steps[id.index()];
                step.has_consumed(outcome);
                step.status = if outcome.error.is_none() { Status::Success } else { Status::Failed };
                step.finished_at = at;
                step.until = 0;
                step.ended = self.events;
                step.waits_for = None;
                step.outcome = Some(outcome.clone());
                self.consumes(*id);
            }
            Event::Skipped { step, reason } => {
                let step = &mut self.steps[step.index()];
                step.let_go_of_attempt();
                step.status = Status::Skipped;
                step.finished_at = at;
                step.ended = self.events;
                step.waits_for = None;
                step.skip = Some(Box::new(reason.clone()));
            }
            Event::Interrupted { step, .. } => {
                let step = &mut self.steps[step.index()];
                step.status = Status::Pending;
                step.let_go_of_attempt();
            }
            Event::Cancelled { step } => {
                let step = &mut self.steps[step.index()];
                step.let_go_of_attempt();
                step.status = Status::Cancelled;
                step.finished_at = at;
                step.ended = self.events;
                step.waits_for = None;
            }
            // Its `Finished` follows.
            Event::Answered { step, answer } => self.steps[step.index()].answer = Some(answer.clone()),
            Event::Reset { steps, retired, why } => {
                self.reset(steps, why);
                self.retire(retired);
                if let ResetWhy::Retry(group) = why {
                    self.ask_again(*group);
                }
                if let ResetWhy::Rollback(_) | ResetWhy::From(_) = why {
                    self.rolled_back = match why {
                        ResetWhy::Rollback(name) => Some(name.clone()),
                        _ => None,
                    };
                    self.rolling_back = None;
                    self.stopping = None;
                    self.judge_handled();
                    self.reopen();
                }
            }
            Event::RollingBack(back) => {
                self.stopping = None;
                self.rolling_back = Some(back.clone());
            }
            Event::Replanned(replanned) => self.replan(replanned),
            Event::Stopping { reason } => self.stopping = Some(*reason),
            Event::Paused => self.status = RunStatus::Paused,
            Event::Ended { status } => self.status = *status,
            Event::Printed { text } => self.printed.push_str(text),
        }
    }

    /// State of a step.
    pub fn step(&self, id: StepId) -> &StepState {
        &self.steps[id.index()]
    }

    /// Is it to be shown among the steps of the run? What undoes a step is not before it is asked for, nor is what has
    /// been made anew.
    pub fn is_listed(&self, id: StepId) -> bool {
        let step = self.plan.step(id);
        !step.retired && (self.step(id).status != Status::Pending || self.plan.undo_of(id).is_none())
    }

    /// Has this alert been raised?
    pub fn was_raised(&self, on: OnAlert) -> bool {
        let flowed = self.step(on.step).flowed.as_deref();
        flowed.is_some_and(|flowed| flowed.alerts.iter().any(|(raised, _)| raised.alert == on.alert))
    }

    /// How a step looks to those that wait for it.
    pub fn seen(&self, id: StepId) -> Seen {
        let step = self.step(id);
        match step.status {
            Status::Success => Seen::Success,
            Status::Failed => match self.plan.step(id).policy().on_error {
                Some(OnError::Continue) => Seen::Success,
                Some(OnError::Skip) => Seen::NotTaken,
                Some(OnError::Stop) | None => Seen::Failed,
            },
            Status::Skipped => match step.skip.as_deref() {
                Some(Skip::UpstreamFailed(_)) => Seen::UpstreamFailed,
                Some(Skip::NotTaken(_)) | None => Seen::NotTaken,
            },
            Status::Cancelled => Seen::UpstreamFailed,
            Status::Pending | Status::Ready | Status::Running | Status::Retrying | Status::Waiting => Seen::Open,
        }
    }

    /// Does the run fail because of this step?
    ///
    /// A group that failed because of a child is not counted beside the child, and what has been dealt with does not count.
    pub fn fails_run(&self, id: StepId) -> bool {
        self.step(id).status == Status::Failed
            && self.failure_kind(id) != Some(FailureKind::Child)
            && self.dealt_with(id).is_none()
    }

    /// What keeps the failure of a step, or of a step inside a group, from being one of the run: its own policy or a look at it,
    /// or those of the nearest group above it that has such. Nothing has dealt with a failure that stopped the run.
    pub fn dealt_with(&self, id: StepId) -> Option<Dealt> {
        let mut top = id;
        loop {
            let plan = self.plan.step(top);
            if self.stopping == Some(Stop::Failure(top)) {
                return None;
            }
            if let Some(on_error @ (OnError::Continue | OnError::Skip)) = plan.policy().on_error {
                return Some(Dealt::OnError(top, on_error));
            }
            let group = plan.parent;
            match group.map(|group| (group, &*self.plan.step(group).task)) {
                Some((group, Task::Fallback(_))) if self.step(group).status == Status::Success => {
                    return Some(Dealt::Answered(group));
                }
                Some((group, Task::Quorum(quorum))) if !quorum.is_all() => return Some(Dealt::Outvoted(group)),
                _ => {}
            }
            if self.step(top).status == Status::Failed && self.step(top).handled {
                return Some(Dealt::LookedAt(top));
            }
            if plan.undoes.is_some() {
                return Some(Dealt::Aside(top));
            }
            match group {
                Some(group) => top = group,
                None => return self.plan.hook(top).map(|_| Dealt::Aside(top)),
            }
        }
    }

    /// The kind of a step's failure, if it failed.
    pub fn failure_kind(&self, id: StepId) -> Option<FailureKind> {
        self.step(id).outcome.as_ref().and_then(|outcome| outcome.error.as_ref()).map(|error| error.kind)
    }

    /// What a step gave, as others may read it. A group's output follows from its children.
    pub fn result(&self, id: StepId) -> StepResult {
        let step = self.step(id);
        let plan = self.plan.step(id);
        let body = match &*plan.task {
            Task::Board(_) => Body::Board(Arc::new(self.board(id))),
            task if task.is_group() => self.group_body(id),
            _ => Body::Task,
        };
        let spending = self.spending(id).map(Box::new);
        if let (Task::Fallback(children), Body::Same(answer)) = (&*plan.task, &body) {
            // What is asked of such a step is asked of the one that did the work; what it cost is what all of them did.
            let degraded = children.first().is_some_and(|first| self.plan.step(*first).name != answer.name);
            let degraded = (degraded && step.status == Status::Success).then(|| answer.name.clone());
            let mut result = StepResult {
                name: plan.name.clone(),
                key: plan.key.clone(),
                status: step.status,
                degraded,
                spending,
                ..(**answer).clone()
            };
            if step.status == Status::Failed {
                result.outcome = answer.outcome.clone().or_else(|| step.outcome.clone());
            }
            return result;
        }
        StepResult {
            name: plan.name.clone(),
            key: plan.key.clone(),
            status: step.status,
            degraded: None,
            attempts: step.attempt,
            duration_ms: if step.started_at == 0 { 0 } else { step.finished_at.saturating_sub(step.started_at) },
            outcome: step.outcome.clone(),
            why_skipped: step.skip.as_deref().map(|skip| match skip {
                Skip::NotTaken(Because::Condition) => "its condition was false",
                Skip::NotTaken(Because::Branch(_)) => "its branch was not taken",
                Skip::NotTaken(Because::NotNeeded(_)) => "it was not needed",
                Skip::NotTaken(Because::Unanswered) => "nobody answered in time",
                Skip::NotTaken(_) => "it was not taken",
                Skip::UpstreamFailed(_) => "a step before it failed",
            }),
            body,
            spending,
        }
    }

    fn group_body(&self, id: StepId) -> Body {
        let task = self.plan.step(id).task.clone();
        match &*task {
            Task::Chain(children) | Task::Repeat(crate::plan::Repeat { children, .. }) => {
                children.last().map_or(Body::Nothing, |last| Body::Same(Arc::new(self.result(*last))))
            }
            Task::Stream(stream) if stream.exits().len() == 1 => Body::Same(Arc::new(self.result(stream.exits()[0]))),
            Task::Stream(stream) => Body::List(stream.exits().iter().map(|id| Arc::new(self.result(*id))).collect()),
            Task::Quorum(quorum) => {
                let mut won: Vec<StepId> = quorum.children.clone();
                won.retain(|child| self.step(*child).status == Status::Success);
                match quorum.race {
                    true => won
                        .iter()
                        .min_by_key(|child| self.step(**child).ended)
                        .map_or(Body::Nothing, |first| Body::Same(Arc::new(self.result(*first)))),
                    false => Body::List(won.into_iter().map(|child| Arc::new(self.result(child))).collect()),
                }
            }
            Task::Parallel(children) | Task::Each(crate::plan::Each { children, .. }) => {
                Body::List(children.iter().map(|child| Arc::new(self.result(*child))).collect())
            }
            Task::OnEvent(on) => Body::List(on.children.iter().map(|child| Arc::new(self.result(*child))).collect()),
            Task::Fallback(children) => children
                .iter()
                .rfind(|child| !matches!(self.step(**child).status, Status::Skipped | Status::Pending))
                .map_or(Body::Nothing, |child| Body::Same(Arc::new(self.result(*child)))),
            Task::Flow(branches) => branches
                .iter()
                .find(|branch| !matches!(self.step(branch.step).status, Status::Skipped | Status::Pending))
                .map_or(Body::Nothing, |branch| Body::Same(Arc::new(self.result(branch.step)))),
            Task::Workflow(workflow) => {
                let mut steps = Vec::new();
                match &workflow.returns {
                    Some(value) => {
                        value.each_step(&mut |step| steps.push((step, Arc::new(self.result(step)))));
                        Body::Value(value.clone(), steps)
                    }
                    None => Body::Map(
                        self.plan
                            .members(id)
                            .into_iter()
                            .map(|child| (self.plan.step(child).name.clone(), Arc::new(self.result(child))))
                            .collect(),
                    ),
                }
            }
            _ => Body::Task,
        }
    }
}
