//! Waiting for something from outside: a person, a signal, a moment, a file. No slot is held, and no process.

use std::sync::Arc;

use super::{Effect, Machine, Timer, node};
use crate::event::{Answer, Because, Event, Failure, FailureKind, Outcome, Output, Skip, Stop, WaitFor};
use crate::plan::{Json, OnTimeout, StepId};
use crate::state::Status;

/// A moment that is no further away, in milliseconds, is waited for by the process; for a later one it lets go.
const SOON: u64 = 60_000;

impl Machine {
    /// A task knows what it waits for.
    pub(super) fn waits(&mut self, id: StepId, attempt: u32, what: WaitFor, delay_ms: Option<u64>) {
        let Some(state) = self.state.steps.get(id.index()) else { return };
        if state.status != Status::Running || state.attempt != attempt || self.is_group(id) || !self.started {
            return;
        }
        self.attempt_over(id);
        let ended = self.nodes[id.index()].take(node::TIMED_OUT | node::ABORTED | node::UNNEEDED | node::KILLED);
        if ended & (node::ABORTED | node::UNNEEDED) != 0 {
            self.cut_off(id);
            return self.ended(id);
        }
        if self.state.stopping == Some(Stop::Interrupted) {
            return self.emit(Event::Interrupted { step: id, attempt });
        }
        let timeout = self.state.plan.step(id).policy().timeout_ms;
        let longest = delay_ms.into_iter().chain(timeout).min().unwrap_or(Event::FOREVER);
        let shown = if what == WaitFor::Time { delay_ms.unwrap_or(longest) } else { longest };
        self.emit(Event::Waiting { step: id, delay_ms: shown, what: what.clone() });
        self.look_out(id, &what, delay_ms);
        if ended & node::TIMED_OUT != 0 {
            self.nobody_came(id, attempt);
        }
    }

    /// Arms or asks for what a waiting step goes on by. `delay_ms`: until a moment that it waits for.
    pub(super) fn look_out(&mut self, id: StepId, what: &WaitFor, delay_ms: Option<u64>) {
        let attempt = self.state.step(id).attempt;
        match (what, delay_ms) {
            (WaitFor::Time, Some(delay)) if delay <= SOON => self.arm(id, Timer::Wait(id, attempt), delay),
            (WaitFor::Time, Some(delay)) => {
                self.effect(Effect::Arm { timer: Timer::Wait(id, attempt), delay_ms: delay });
            }
            (WaitFor::File { .. }, _) => self.effect(Effect::Watch(id)),
            _ => {}
        }
    }

    /// What a step waited for is there.
    pub(super) fn answered(&mut self, id: StepId, answer: Answer) {
        let waits = self.state.steps.get(id.index()).filter(|step| step.status == Status::Waiting);
        let Some(what) = waits.and_then(|step| step.waits_for.clone()) else { return };
        // One answer is taken; it may be about to be judged.
        let taken = self.nodes[id.index()].has(node::JUDGING);
        if taken || *what == WaitFor::Time || self.state.stopping == Some(Stop::Interrupted) || !self.started {
            return;
        }
        let outcome = outcome_of(&what, &answer);
        self.emit(Event::Answered { step: id, answer: Box::new(answer) });
        self.go_on_after_wait(id, outcome);
    }

    pub(super) fn go_on_after_wait(&mut self, id: StepId, outcome: Outcome) {
        if self.asks_for_limits(id) {
            self.limits.give_back(id);
        }
        self.conclude(id, self.state.step(id).attempt, Arc::new(outcome));
    }

    /// The timeout of a waiting step has passed.
    pub(super) fn nobody_came(&mut self, id: StepId, attempt: u32) {
        let what = self.state.step(id).waits_for.clone().unwrap_or_default();
        self.disarm(id);
        match what.on_timeout() {
            Some(OnTimeout::Skip) => {
                self.limits.give_back(id);
                self.skip(id, Skip::NotTaken(Because::Unanswered));
            }
            Some(OnTimeout::Answer(value)) => {
                let answer = Answer { value: value.clone(), form: defaults(&what), at: self.at, ..Answer::default() };
                self.emit(Event::Answered { step: id, answer: Box::new(answer.clone()) });
                let outcome = outcome_of(&what, &answer);
                self.go_on_after_wait(id, outcome);
            }
            Some(OnTimeout::Fail) | None => {
                let error = Some(self.too_late(id));
                self.limits.give_back(id);
                self.conclude(id, attempt, Arc::new(Outcome { error, ..Outcome::default() }));
            }
        }
    }

    /// Does a step wait for something that no timer and no task of this process will bring?
    pub(super) fn waits_outside(&self) -> bool {
        let waits = |id: StepId| self.is(id, Status::Waiting) && !self.nodes[id.index()].has(node::PENDING);
        self.state.plan.ids().any(waits)
    }

    /// Nothing is left to do here but to wait for somebody outside: the process lets go of the run.
    pub(super) fn let_go(&mut self) -> bool {
        if self.attended || !self.waits_outside() {
            return false;
        }
        self.emit(Event::Paused);
        self.effect(Effect::Close);
        self.over = true;
        true
    }
}

/// The form of an answer that nobody gave: what stands there without an answer.
fn defaults(what: &WaitFor) -> serde_json::Map<String, Json> {
    let WaitFor::Answer { form, .. } = what else { return serde_json::Map::new() };
    form.iter().map(|field| (field.name.to_string(), field.default.clone().unwrap_or_default())).collect()
}

/// What an answer makes of a step.
pub(super) fn outcome_of(what: &WaitFor, answer: &Answer) -> Outcome {
    let mut fields = answer.form.clone();
    fields.insert("by".into(), answer.by.clone().into());
    fields.insert("at".into(), answer.at.into());
    fields.insert("comment".into(), answer.comment.clone().into());
    let output = match (what, answer.form.is_empty()) {
        (WaitFor::Answer { .. }, false) => {
            let mut map = answer.form.clone();
            map.insert("choice".into(), answer.value.clone());
            Json::Object(map)
        }
        _ => answer.value.clone(),
    };
    let refused = matches!(what, WaitFor::Answer { refusable: true, .. }) && answer.value == "no";
    let error = refused.then(|| {
        let by = if answer.by.is_empty() { String::new() } else { format!(" by {}", answer.by) };
        let said = if answer.comment.is_empty() { String::new() } else { format!(": {}", answer.comment) };
        Failure::new(FailureKind::Refused, format!("it was refused{by}{said}"))
            .help("a condition on its `passed` deals with a refusal: `.when(|| gate.passed, …)`")
    });
    Outcome { error, output: Output::Value(output), fields, ..Outcome::default() }
}
