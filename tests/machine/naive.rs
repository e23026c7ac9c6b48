//! A second, naive reading of `docs/semantics.md`: no counters, no queue, no time. It asks of every step again and again what the
//! page says of it, until nothing more follows. It shares no code with the machine.

mod listening;

use std::collections::BTreeMap;

use flow::event::{Decision, RunStatus};
use flow::plan::{Condition, EdgeKind, Moment, OnError, OnEvent, Plan, Rule, StepId, Task};
use flow::state::Status;

use crate::spec::{in_quorum, judged, moment_of};
use crate::world::{Fate, World};

/// How a step ends. (Nothing is cancelled in a run that nobody stops.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    Failed,
    NotTaken,
    Upstream,
}

/// What others see of a step.
#[derive(Clone, Copy, PartialEq)]
enum View {
    Success,
    NotTaken,
    Failed,
    Upstream,
}

/// How a whole run ends: each step by its path, and the run.
#[derive(Debug, PartialEq)]
pub struct Result {
    pub steps: BTreeMap<String, End>,
    pub run: RunStatus,
    /// Where it is a matter of time whether a step comes to its end.
    cut: BTreeMap<String, Cut>,
}

/// How a step may be cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// With the stream that it is a member of: cancelled.
    Stream,
    /// By a group that does not need it: not taken, or not even made. What a group comes to of which something was cut off is
    /// left open.
    Quorum { open: bool },
}

impl Result {
    /// May a step have ended so? Nothing: it was cancelled, or is not there.
    pub fn allows(&self, path: &str, found: Option<End>) -> bool {
        let expected = self.steps.get(path).copied();
        expected == found
            || match self.cut.get(path) {
                None => false,
                Some(Cut::Stream) => found.is_none(),
                Some(Cut::Quorum { open }) => *open || matches!(found, None | Some(End::NotTaken)),
            }
    }
}

struct Naive {
    world: World,
    plan: Plan,
    end: Vec<Option<End>>,
    open: Vec<bool>,
    /// An attempt was made, or the group opened.
    began: Vec<bool>,
    /// A group that failed only because of a child.
    by_child: Vec<bool>,
    /// Chosen child of a flow; `Some(None)`: none.
    chosen: BTreeMap<StepId, Option<StepId>>,
    /// Iterations of a loop, children of a fan-out: how often made, and are they all there?
    made: BTreeMap<StepId, u32>,
    whole: BTreeMap<StepId, bool>,
    /// Who looked at whom.
    looked: Vec<(StepId, StepId)>,
    /// Who has published something.
    published: Vec<StepId>,
}

/// Interprets a plan.
pub fn interpret(plan: &Plan, world: World) -> Result {
    let n = plan.steps.len();
    let mut naive = Naive {
        world,
        plan: plan.clone(),
        end: vec![None; n],
        open: vec![false; n],
        began: vec![false; n],
        by_child: vec![false; n],
        chosen: BTreeMap::new(),
        made: BTreeMap::new(),
        whole: BTreeMap::new(),
        looked: Vec::new(),
        published: Vec::new(),
    };
    naive.fix(&[Some(Moment::Start)]);
    naive.fix(&[None]);
    let run = if naive.run_fails() { RunStatus::Failed } else { RunStatus::Success };
    let (runs, not) = match run {
        RunStatus::Failed => (Moment::Failure, Moment::Success),
        _ => (Moment::Success, Moment::Failure),
    };
    for id in naive.plan.ids() {
        if moment_of(&naive.plan, id) == Some(not) {
            naive.end[id.index()] = Some(End::NotTaken);
        }
    }
    naive.fix(&[Some(runs)]);
    naive.fix(&[Some(Moment::Complete)]);
    let steps = naive.plan.ids().map(|id| {
        let path = naive.plan.path(id);
        (path.clone(), naive.end[id.index()].unwrap_or_else(|| panic!("`{path}` never ends")))
    });
    let steps = steps.collect();
    let cut = naive.plan.ids().filter_map(|id| Some((naive.plan.path(id), naive.cut(id)?))).collect();
    Result { steps, run, cut }
}

impl Naive {
    /// Asks all steps of these parts of the run until nothing more follows.
    fn fix(&mut self, parts: &[Option<Moment>]) {
        loop {
            let mut any = false;
            for id in self.plan.ids() {
                if self.end[id.index()].is_none() && parts.contains(&moment_of(&self.plan, id)) {
                    any |= self.ask(id);
                }
            }
            if !any && !self.end_listening(parts) {
                return;
            }
        }
    }

    fn cut(&self, id: StepId) -> Option<Cut> {
        let step = self.plan.step(id);
        if in_quorum(&self.plan, id) {
            return Some(Cut::Quorum { open: step.task.is_group() });
        }
        let stream = self.plan.stream_of(id)?;
        (self.end[stream.index()] == Some(End::Failed)).then_some(Cut::Stream)
    }

    fn view(&self, id: StepId) -> Option<View> {
        Some(match self.end[id.index()]? {
            End::Success => View::Success,
            End::NotTaken => View::NotTaken,
            End::Upstream => View::Upstream,
            End::Failed => match self.plan.step(id).policy().on_error {
                Some(OnError::Continue) => View::Success,
                Some(OnError::Skip) => View::NotTaken,
                _ => View::Failed,
            },
        })
    }

    fn set(&mut self, id: StepId, end: End) -> bool {
        if end == End::Success && matches!(*self.plan.step(id).task, Task::Publish(_)) {
            self.published.push(id);
        }
        self.end[id.index()] = Some(end);
        true
    }

    /// Does anything follow for this step, which has not ended? Does it then.
    fn ask(&mut self, id: StepId) -> bool {
        if let Some(group) = self.plan.step(id).parent {
            match self.end[group.index()] {
                Some(End::NotTaken) => return self.set(id, End::NotTaken),
                Some(End::Upstream | End::Failed) => return self.set(id, End::Upstream),
                _ => {}
            }
            if !self.open[group.index()] {
                return false;
            }
            if matches!(*self.plan.step(group).task, Task::Flow(_)) {
                match self.chosen.get(&group) {
                    None => return false,
                    Some(chosen) if *chosen != Some(id) => return self.set(id, End::NotTaken),
                    Some(_) => {}
                }
            }
        }
        if let Some(group) = self.plan.step(id).parent
            && let Task::Fallback(children) = &*self.plan.step(group).task
        {
            let before = children.iter().take_while(|child| **child != id).map(|child| self.end[child.index()]);
            let before: Vec<Option<End>> = before.collect();
            if before.iter().flatten().any(|end| *end != End::Failed) {
                return self.set(id, End::NotTaken);
            }
            if before.contains(&None) {
                return false;
            }
        }
        if self.open[id.index()] {
            return self.go_on(id);
        }
        if let Some(on) = self.plan.step(id).on_alert {
            let raised = self.began[on.step.index()] && self.world.raises(&self.plan.path(on.step));
            match self.end[on.step.index()] {
                _ if raised => {}
                Some(_) => return self.set(id, End::NotTaken),
                None => return false,
            }
        }
        match self.rule(id) {
            None => return false,
            Some(Err(end)) => return self.set(id, end),
            Some(Ok(())) => {
                let step = self.plan.step(id);
                if step.policy().finally
                    && judged(step).count() > 0
                    && !judged(step).any(|edge| self.began[edge.from.index()])
                {
                    return self.set(id, End::NotTaken);
                }
            }
        }
        let reads: Vec<StepId> = {
            let after = &self.plan.step(id).after;
            after.iter().filter(|edge| edge.kind == EdgeKind::Condition).map(|edge| edge.from).collect()
        };
        if reads.iter().any(|read| self.end[read.index()].is_none()) {
            return false;
        }
        if let Some(condition) = self.plan.step(id).when.clone() {
            match self.decide(id, 0, &condition) {
                Decision::Is(true) => {}
                Decision::Is(false) => return self.set(id, End::NotTaken),
                Decision::Failed(_) => return self.set(id, End::Failed),
            }
        }
        self.began[id.index()] = true;
        match &*self.plan.step(id).task {
            Task::Stream(stream) => {
                let members: Vec<StepId> = stream.levels.iter().flatten().copied().collect();
                self.open[id.index()] = true;
                for member in members {
                    self.began[member.index()] = true;
                    self.end[member.index()] = Some(self.attempts(member));
                }
            }
            task if task.is_group() => self.open[id.index()] = true,
            Task::Wait(_) => return self.set(id, End::Success),
            _ => {
                let end = self.attempts(id);
                return self.set(id, end);
            }
        }
        true
    }

    /// The table of rules.
    fn rule(&self, id: StepId) -> Option<std::result::Result<(), End>> {
        let step = self.plan.step(id);
        let views: Vec<Option<View>> = judged(step).map(|edge| self.view(edge.from)).collect();
        if views.is_empty() {
            return Some(Ok(()));
        }
        let some = |view: View| views.contains(&Some(view));
        let all_final = views.iter().all(Option::is_some);
        let bad = some(View::Failed) || some(View::Upstream);
        let skipped = |upstream: bool| Some(Err(if upstream { End::Upstream } else { End::NotTaken }));
        match step.policy().rule {
            Rule::OneSuccess if some(View::Success) => Some(Ok(())),
            Rule::OneFailed if some(View::Failed) => Some(Ok(())),
            _ if !all_final => None,
            Rule::AllSuccess if !bad && some(View::Success) => Some(Ok(())),
            Rule::NoneFailed if !bad => Some(Ok(())),
            Rule::AllDone => Some(Ok(())),
            Rule::AllFailed if views.iter().all(|view| *view == Some(View::Failed)) => Some(Ok(())),
            Rule::AllSuccess | Rule::NoneFailed | Rule::OneSuccess => skipped(bad),
            Rule::OneFailed | Rule::AllFailed => skipped(some(View::Upstream)),
        }
    }

    fn status(&self, id: StepId) -> Status {
        match self.end[id.index()] {
            Some(End::Success) => Status::Success,
            Some(End::Failed) => Status::Failed,
            Some(_) => Status::Skipped,
            None => panic!("a condition reads a step that is not final"),
        }
    }

    fn decide(&mut self, id: StepId, which: u64, condition: &Condition) -> Decision {
        if let Condition::Known(value) = condition {
            return Decision::Is(*value);
        }
        let read = condition.steps();
        let statuses: Vec<Status> = read.iter().map(|step| self.status(*step)).collect();
        let (decision, looks) = self.world.decide(&self.plan.path(id), which, &statuses);
        if looks && moment_of(&self.plan, id).is_none() && !in_quorum(&self.plan, id) {
            self.looked.extend(read.into_iter().map(|step| (id, step)));
        }
        decision
    }

    fn attempts(&self, id: StepId) -> End {
        let step = self.plan.step(id);
        let path = self.plan.path(id);
        let attempts = step.policy().retry.as_ref().map_or(1, |retry| retry.max_attempts);
        for failures in 0..attempts {
            match self.world.attempt(step, &path, failures) {
                Fate::Well => return End::Success,
                Fate::Cancelled => return End::Failed,
                Fate::Fails | Fate::Hangs => {}
            }
        }
        End::Failed
    }

    /// An open group: children to come, or its end.
    fn go_on(&mut self, id: StepId) -> bool {
        let children: Vec<StepId> = self.plan.ids().filter(|c| self.plan.step(*c).parent == Some(id)).collect();
        let all_final = children.iter().all(|child| self.end[child.index()].is_some());
        let task = self.plan.step(id).task.clone();
        match &*task {
            Task::Flow(branches) if !self.chosen.contains_key(&id) => {
                for (n, branch) in branches.iter().enumerate() {
                    let Some(condition) = &branch.when else {
                        self.chosen.insert(id, Some(branch.step));
                        return true;
                    };
                    if condition.steps().iter().any(|read| self.end[read.index()].is_none()) {
                        return false;
                    }
                    match self.decide(id, 1 + n as u64, condition) {
                        Decision::Is(true) => {
                            self.chosen.insert(id, Some(branch.step));
                            return true;
                        }
                        Decision::Is(false) => {}
                        Decision::Failed(_) => return self.set(id, End::Failed),
                    }
                }
                self.chosen.insert(id, None);
                true
            }
            Task::Each(each) if each.items.is_some() && !self.made.contains_key(&id) => self.make(id, 1),
            Task::Workflow(_) if !self.made.contains_key(&id) => self.make(id, 1),
            Task::Repeat(repeat) if !self.whole.contains_key(&id) => {
                if !all_final {
                    return false;
                }
                let done = self.made.get(&id).copied().unwrap_or(0);
                let ends = |child: &StepId| {
                    self.fails_group(id, *child)
                        || matches!(self.end[child.index()], Some(End::NotTaken | End::Upstream))
                };
                if done > 0 && children.last().is_some_and(ends) {
                    self.whole.insert(id, true);
                    return true;
                }
                if done > 0 && repeat.until.is_some() {
                    let (decision, _) = self.world.decide(&self.plan.path(id), 1_000 + u64::from(done) - 1, &[]);
                    match decision {
                        Decision::Is(true) => {
                            self.whole.insert(id, true);
                            return true;
                        }
                        Decision::Is(false) if done < repeat.max => {}
                        _ => return self.set(id, End::Failed),
                    }
                }
                if done >= repeat.max {
                    self.whole.insert(id, true);
                    return true;
                }
                self.make(id, done + 1)
            }
            Task::OnEvent(on) if !self.whole.contains_key(&id) => {
                let heard = on.children.len() as u32;
                match self.unheard(on) {
                    Some(from) if heard < on.max => match self.world.hear(&self.plan, id, from, heard + 1) {
                        Err(_) if !all_final => false,
                        growth => self.made_of(id, heard + 1, growth),
                    },
                    Some(_) if all_final => self.set(id, End::Failed),
                    _ => false,
                }
            }
            Task::Fallback(children) if all_final => {
                let end = children.iter().find_map(|child| self.end[child.index()].filter(|end| *end != End::Failed));
                self.by_child[id.index()] = end.is_none() && !children.is_empty();
                self.set(id, end.unwrap_or(if children.is_empty() { End::Success } else { End::Failed }))
            }
            Task::Quorum(quorum) if all_final && (quorum.race || (quorum.need as usize) < children.len()) => {
                let how_many = |end: End| children.iter().filter(|child| self.end[child.index()] == Some(end)).count();
                let end = match (how_many(End::Success), how_many(End::Failed)) {
                    (won, _) if won >= quorum.need as usize => End::Success,
                    (0, 0) if how_many(End::Upstream) > 0 => End::Upstream,
                    (0, 0) => End::NotTaken,
                    _ => End::Failed,
                };
                self.set(id, end)
            }
            _ if all_final => self.end_group(id, &children),
            _ => false,
        }
    }

    fn make(&mut self, id: StepId, iteration: u32) -> bool {
        let growth = self.world.expand(&self.plan, id, iteration);
        self.made_of(id, iteration, growth)
    }

    fn made_of(
        &mut self,
        id: StepId,
        iteration: u32,
        growth: std::result::Result<flow::plan::Growth, flow::event::Failure>,
    ) -> bool {
        match growth {
            Err(_) => self.set(id, End::Failed),
            Ok(growth) => {
                self.plan.grow(growth);
                let n = self.plan.steps.len();
                self.end.resize(n, None);
                self.open.resize(n, false);
                self.began.resize(n, false);
                self.by_child.resize(n, false);
                self.made.insert(id, iteration);
                true
            }
        }
    }

    /// The first thing published that this group has no child for.
    fn unheard(&self, on: &OnEvent) -> Option<StepId> {
        self.published.iter().copied().find(|step| on.hears(self.plan.step(*step)) && !on.of.contains(step))
    }

    fn inside(&self, id: StepId, group: StepId) -> bool {
        let mut at = self.plan.step(id).parent;
        while let Some(above) = at {
            if above == group {
                return true;
            }
            at = self.plan.step(above).parent;
        }
        false
    }

    fn looked_at_inside(&self, group: StepId, child: StepId) -> bool {
        self.looked.iter().any(|(by, read)| *read == child && self.inside(*by, group))
    }

    fn fails_group(&self, group: StepId, child: StepId) -> bool {
        self.end[child.index()] == Some(End::Failed)
            && self.view(child) == Some(View::Failed)
            && !self.looked_at_inside(group, child)
    }

    fn end_group(&mut self, id: StepId, children: &[StepId]) -> bool {
        if children.iter().any(|child| self.fails_group(id, *child)) {
            self.by_child[id.index()] = true;
            return self.set(id, End::Failed);
        }
        let well = |child: &StepId| {
            self.view(*child) == Some(View::Success)
                || self.end[child.index()] == Some(End::Failed) && self.view(*child) == Some(View::Failed)
        };
        if children.is_empty() || children.iter().any(well) {
            self.set(id, End::Success)
        } else if children.iter().any(|child| self.view(*child) == Some(View::Upstream)) {
            self.set(id, End::Upstream)
        } else {
            self.set(id, End::NotTaken)
        }
    }

    fn run_fails(&self) -> bool {
        let by_script = &self.plan.header.looked_at;
        let looked = |id: StepId| by_script.contains(&id) || self.looked.iter().any(|(_, read)| *read == id);
        self.plan.ids().any(|id| {
            let counts = self.end[id.index()] == Some(End::Failed)
                && self.view(id) == Some(View::Failed)
                && !looked(id)
                && !self.by_child[id.index()]
                && moment_of(&self.plan, id).is_none();
            let handled_above = self.plan.ids().filter(|group| self.inside(id, *group)).any(|group| {
                let handles =
                    matches!(self.plan.step(group).policy().on_error, Some(OnError::Continue | OnError::Skip));
                let answered = matches!(*self.plan.step(group).task, Task::Fallback(_));
                let outvoted = match &*self.plan.step(group).task {
                    Task::Quorum(quorum) => quorum.race || (quorum.need as usize) < quorum.children.len(),
                    _ => false,
                };
                handles
                    || outvoted
                    || answered && self.end[group.index()] == Some(End::Success)
                    || self.end[group.index()] == Some(End::Failed) && looked(group)
            });
            counts && !handled_above
        })
    }
}
