//! Waiting: what a step waits for, down to what is really going on; and the same for a whole run.

use super::{NAMES, Story};
use crate::event::{RunStatus, WaitFor};
use crate::plan::wording::list;
use crate::plan::writes::area;
use crate::plan::{Condition, Rule, Step, StepId, Task};
use crate::state::{RunState, Seen, Status};
use crate::view::look::tone;
use crate::view::{flowed, reason, time, waits};

/// The time that `per_minute` counts, in milliseconds.
const MINUTE: u64 = 60_000;
/// How far predecessors are followed.
const DEPTH: usize = 6;
/// Predecessors listed for one step.
const WIDE: usize = 8;

impl Story<'_> {
    /// Does anybody work on the run?
    pub(super) fn whether_it_goes_on(&mut self) {
        let why = self.why;
        let run = &why.state.created.run;
        let stop = why.state.stopping.map(|stop| reason::stop(&why.state.plan, stop));
        match why.status {
            RunStatus::Interrupted => {
                self.line(&format!("Nobody works on the run: its process is gone. Go on with: flow resume {run}"));
            }
            RunStatus::Paused if stop.is_none() && state_waits(why.state) => {
                self.line("Nobody works on the run: it waits for something from outside.");
            }
            RunStatus::Paused => {
                let said = stop.map_or(String::new(), |stop| format!(" ({stop})"));
                self.line(&format!("Nobody works on the run{said}. Go on with: flow resume {run}"));
            }
            RunStatus::Running | RunStatus::Pending => {
                if let Some(stop) = stop {
                    self.line(&format!("Nothing new starts, because {stop}."));
                }
            }
            RunStatus::Success | RunStatus::Failed | RunStatus::Cancelled => {
                if let Some(stop) = stop {
                    self.line(&format!("The run ended early, because {stop}."));
                }
            }
        }
    }

    /// A step that has not begun.
    pub(super) fn pending(&mut self, id: StepId) {
        let why = self.why;
        self.whether_it_goes_on();
        if why.status.is_final() {
            return self.line("The run ended before it could begin.");
        }
        let blockers = self.blockers(id);
        if blockers.is_empty() {
            return self.free(id);
        }
        match why.state.plan.step(id).policy().rule {
            Rule::AllSuccess => self.line("It waits for:"),
            rule => self.line(&format!("It may start {}, and waits for:", super::cause::rule_text(rule))),
        }
        self.told.push(id);
        self.within(|story| story.waits_for(&blockers, 0));
    }

    fn waits_for(&mut self, blockers: &[StepId], depth: usize) {
        for id in blockers.iter().take(WIDE) {
            let (now, path) = (self.now(*id), self.why.path(*id));
            let status = self.why.state.step(*id).status;
            let deeper = match status {
                Status::Pending | Status::Ready => self.blockers(*id),
                Status::Running => self.open_children(*id),
                _ => Vec::new(),
            };
            if deeper.is_empty() || self.told.contains(id) || depth == DEPTH {
                self.line(&format!("{path}: {now}"));
                continue;
            }
            self.told.push(*id);
            let word = if status == Status::Running { "in it" } else { "which waits for" };
            self.line(&format!("{path}: {now}, {word}:"));
            self.within(|story| story.waits_for(&deeper, depth + 1));
        }
        if blockers.len() > WIDE {
            self.line(&format!("and {} more", blockers.len() - WIDE));
        }
    }

    /// What a step that is not over is doing, in a few words.
    pub(super) fn now(&self, id: StepId) -> String {
        let (state, clock) = (self.why.state, self.why.clock);
        let step = state.step(id);
        let until = |until: u64| match until.saturating_sub(clock.now()) {
            0 => "a moment".to_owned(),
            ms => time::duration(ms),
        };
        let said = match step.status {
            Status::Running if self.cut_off() => "cut off when the run's process ended".to_owned(),
            Status::Running => {
                let figures = flowed::live(state, id);
                let figures = if figures.is_empty() { String::new() } else { format!(": {}", figures.join(", ")) };
                format!("running for {}{figures}", time::elapsed(clock.now().saturating_sub(step.started_at)))
            }
            Status::Waiting => match state.waits_of(id) {
                Some(waits) if *waits.what != WaitFor::Time => format!("waiting {}", waits::waits_for(&waits, clock)),
                _ => format!("waiting for another {}", until(step.until)),
            },
            Status::Retrying => format!(
                "attempt {} begins in {}; attempt {} failed: {}",
                step.attempt + 1,
                until(step.until),
                step.attempt,
                reason::failed(step.outcome.as_deref())
            ),
            Status::Pending | Status::Ready if step.attempt > 0 => "interrupted, to be made again".to_owned(),
            Status::Pending | Status::Ready if self.blockers(id).is_empty() => self.ready(id),
            Status::Pending | Status::Ready => "not begun".to_owned(),
            status => status.name().to_owned(),
        };
        self.why.look.paint(tone(step.status), &said)
    }

    /// Of a step that no other stands in the way of.
    pub(super) fn ready(&self, id: StepId) -> String {
        match self.full_limit(id) {
            Some(limit) => format!("ready to start when the limit `{limit}` has room"),
            None => "ready to start".to_owned(),
        }
    }

    /// Is what seems to run going on no longer?
    pub(super) fn cut_off(&self) -> bool {
        self.why.status == RunStatus::Interrupted
    }

    /// The steps that must get on before this one can start: predecessors, the steps its condition reads, its group.
    fn blockers(&self, id: StepId) -> Vec<StepId> {
        let state = self.why.state;
        let step = state.plan.step(id);
        let mut blockers: Vec<StepId> = Vec::new();
        let mut add = |from: StepId| {
            if state.seen(from) == Seen::Open && !blockers.contains(&from) {
                blockers.push(from);
            }
        };
        step.after.iter().for_each(|edge| add(edge.from));
        self.read_by(id, None).into_iter().for_each(&mut add);
        if let Some(parent) = step.parent {
            match state.step(parent).status {
                Status::Pending | Status::Ready => add(parent),
                _ => self.read_by(parent, Some(id)).into_iter().for_each(&mut add),
            }
        }
        blockers
    }

    /// The steps that the conditions of a flow read which are not evaluated yet, up to that of one branch.
    fn read_by(&self, flow: StepId, last: Option<StepId>) -> Vec<StepId> {
        let state = self.why.state;
        let mut steps = Vec::new();
        for (n, branch) in reason::branches(&state.plan, flow).iter().enumerate() {
            if reason::decision(state, flow, n as u32).is_none() {
                steps.extend(branch.when.iter().flat_map(|when| when.steps()));
            }
            if Some(branch.step) == last {
                break;
            }
        }
        steps
    }

    /// The same, but what its group waits for in the place of a group that has not begun.
    pub(super) fn roots(&self, id: StepId) -> Vec<StepId> {
        let mut roots = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let parent = self.why.state.plan.step(id).parent;
            let own = self.blockers(id).into_iter().filter(|blocker| Some(*blocker) != parent);
            roots.extend(own);
            at = parent;
        }
        roots.dedup();
        roots
    }

    fn open_children(&self, group: StepId) -> Vec<StepId> {
        let state = self.why.state;
        let open = |child: &StepId| !state.step(*child).status.is_final();
        let mut children: Vec<_> = state.plan.members(group).into_iter().filter(open).collect();
        // What is going on says more than what has not begun.
        children.sort_by_key(|child| matches!(state.step(*child).status, Status::Pending | Status::Ready));
        children
    }

    /// No other step stands in its way: then it is a matter of room.
    fn free(&mut self, id: StepId) {
        let (why, state) = (self.why, self.why.state);
        let step = state.plan.step(id);
        if !matches!(why.status, RunStatus::Running | RunStatus::Pending) {
            return self.line("No other step stands in its way.");
        }
        if let Some(when) = step.when.as_ref().filter(|_| reason::decision(state, id, 0).is_none()) {
            self.line("Its condition has not been evaluated yet:");
            self.condition(when, None);
        }
        if state.plan.hook(id).is_some() {
            return self.line("It is a hook: it runs at its moment of the run, not in the order of the graph.");
        }
        if !state.plan.complete {
            self.line("The script itself waits for a result (`run(…)`); until then only what that needs may run.");
        }
        for (name, shares) in &step.policy().limits {
            let holders: Vec<_> = self.holders(id, name).map(|(other, _)| format!("`{}`", why.path(other))).collect();
            let limit = state.plan.header.limits.get(name).copied().unwrap_or_default();
            let most = match (limit.max, limit.per_minute) {
                (Some(max), None) => format!("at most {max} at a time"),
                (None, Some(n)) => format!("at most {n} a minute"),
                (Some(max), Some(n)) => format!("at most {max} at a time and {n} a minute"),
                (None, None) => "no bounds".to_owned(),
            };
            let held = if holders.is_empty() { "nobody".to_owned() } else { list(&holders, NAMES) };
            let lately = limit.per_minute.map(|_| format!("; taken in the last minute: {}", self.taken_lately(name)));
            let lately = lately.unwrap_or_default();
            self.line(&format!("It needs {shares} of the limit `{name}` ({most}); held now by {held}{lately}."));
        }
        let root = &state.created.cwd;
        if let Some(own) = area(&state.plan, id, root) {
            for other in self.running() {
                let Some(area) = area(&state.plan, other, root) else { continue };
                if let Some((mine, its)) = own.meets(&area) {
                    return self.line(&format!(
                        "It writes `{mine}` and `{}`, which is running, writes `{its}`: they never run at the same time.",
                        why.path(other)
                    ));
                }
            }
        }
        if self.full_limit(id).is_some() {
            return self.line("No other step stands in its way: it starts when there is room.");
        }
        let running: Vec<_> = self.running().into_iter().map(|id| format!("`{}`", why.path(id))).collect();
        let most = state.created.max_parallel.or(state.plan.header.settings.max_parallel);
        let most = most.map_or(String::new(), |n| format!(" (max_parallel is {n})"));
        match running.len() {
            0 => self.line("No other step stands in its way: it can start at any moment."),
            _ => {
                let shown = list(&running, NAMES);
                self.line(&format!(
                    "No other step stands in its way; it waits for a free place{most}. Running: {shown}."
                ));
            }
        }
    }

    /// The first limit of a step that has no room for it now, as far as the log tells.
    fn full_limit(&self, id: StepId) -> Option<&str> {
        let plan = &self.why.state.plan;
        let policy = plan.step(id).policy.as_ref()?;
        let is_full = |name: &str, shares: u32| {
            let limit = plan.header.limits.get(name).copied().unwrap_or_default();
            let over =
                |taken: u32, most: Option<u32>| most.is_some_and(|most| taken.saturating_add(shares.min(most)) > most);
            over(self.holders(id, name).map(|(_, shares)| shares).sum(), limit.max)
                || over(self.taken_lately(name), limit.per_minute)
        };
        policy.limits.iter().find(|(name, shares)| is_full(name, *shares)).map(|(name, _)| name.as_str())
    }

    /// The other steps that hold shares of a limit, with how many.
    fn holders(&self, id: StepId, limit: &str) -> impl Iterator<Item = (StepId, u32)> {
        let state = self.why.state;
        let holds = move |other: &StepId| *other != id && state.step(*other).status == Status::Running;
        state.plan.ids().filter(holds).filter_map(move |other| Some((other, shares_of(state.plan.step(other), limit)?)))
    }

    /// The shares of a limit that were taken within the last minute.
    fn taken_lately(&self, limit: &str) -> u32 {
        let (state, now) = (self.why.state, self.why.clock.now());
        let lately = |id: &StepId| state.step(*id).started_at + MINUTE > now;
        let lately = state.plan.ids().filter(lately);
        lately.filter_map(|id| shares_of(state.plan.step(id), limit)).sum()
    }

    fn running(&self) -> Vec<StepId> {
        let state = self.why.state;
        let runs = |id: &StepId| state.step(*id).status == Status::Running && !state.plan.step(*id).task.is_group();
        state.plan.ids().filter(runs).collect()
    }

    /// A step that has begun and is not over.
    pub(super) fn going_on(&mut self, id: StepId) {
        let (why, state) = (self.why, self.why.state);
        self.whether_it_goes_on();
        let open = self.open_children(id);
        let step = state.step(id);
        if !open.is_empty() {
            self.line("In it:");
            self.within(|story| story.waits_for(&open, 0));
        } else if step.status != Status::Running {
            let most = state.plan.step(id).policy().retry.as_ref().map(|retry| retry.max_attempts);
            let at = why.clock.time(step.until);
            self.line(&match (step.status, most) {
                (Status::Retrying, Some(most)) => format!("Attempt {} of {most} begins at {at}.", step.failures + 1),
                (Status::Retrying, None) => format!("Attempt {} begins at {at}.", step.attempt + 1),
                _ => return self.awaits(id),
            });
        } else if let Task::Flow(branches) = &*state.plan.step(id).task {
            let next = branches.iter().filter_map(|branch| branch.when.as_ref());
            for when in next.filter(|when| !matches!(when, Condition::Known(_))) {
                self.line("It has still to evaluate:");
                self.condition(when, None);
            }
        }
    }
}

fn state_waits(state: &RunState) -> bool {
    state.steps.iter().any(|step| step.status == Status::Waiting)
}

fn shares_of(step: &Step, limit: &str) -> Option<u32> {
    let limits = &step.policy.as_ref()?.limits;
    limits.iter().find(|(name, _)| name == limit).map(|(_, shares)| *shares)
}
