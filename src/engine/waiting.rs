//! Why a step has not started, or an open group not ended: read off the state of a run alone, so that any process can ask.

use serde::Serialize;
use smol_str::SmolStr;

use super::limits::{MINUTE, asked, takes_slot};
use crate::event::Stop;
use crate::plan::writes::area;
use crate::plan::{EdgeKind, Moment, Step, StepId, Task};
use crate::state::{RunState, Status};

/// What a step waits for: the first thing that is in its way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// Nothing: it is final, or its attempt is going on.
    Nothing,
    /// The run is being stopped.
    Stopped(Stop),
    /// Start hooks come first: these are not final.
    StartHooks(Vec<StepId>),
    /// It is a hook, or in one, whose moment has not come.
    Moment(Moment),
    /// Its group has not begun.
    Group(StepId),
    /// Its flow has not chosen a branch.
    Choice(StepId),
    /// By its rule, these predecessors, which are not final.
    Steps(Vec<StepId>),
    /// Its condition (for an open flow, that of a branch) reads these, which are not final. None: it is being evaluated.
    Condition(Vec<StepId>),
    /// It is a group, and its children are being made.
    Expansion,
    /// It is a group, and these children are not final.
    Children(Vec<StepId>),
    /// A moment, in milliseconds since 1970: the next attempt, or the end of a `wait`.
    Until(u64),
    /// Shares of a limit.
    Limit {
        /// Its name.
        name: SmolStr,
        /// How many it needs.
        shares: u32,
        /// Of how many.
        max: u32,
        /// Who holds them now. Empty for a limit `per_minute`.
        holders: Vec<StepId>,
    },
    /// That this one ends, which may change the same files.
    Writes {
        /// The other one.
        other: StepId,
        /// A pattern of its own,
        own: String,
        /// and one of the other's, that may mean the same file.
        its: String,
    },
    /// It is a group that listens: nothing new has been published, but may be.
    Events,
    /// That an alert of this stream or pipeline is raised.
    Alert(StepId),
    /// A slot: so many tasks run.
    Slot {
        /// They.
        running: u32,
        /// Of how many, if the run or its script says so.
        max: Option<u32>,
    },
    /// The script is not at its end; while `run(…)` waits, only what that needs may run.
    Script,
}

/// What a step waits for, by the state of its run.
pub fn waiting_for(state: &RunState, id: StepId) -> Waiting {
    let (planned, step) = (state.plan.step(id), state.step(id));
    match step.status {
        Status::Success | Status::Failed | Status::Skipped | Status::Cancelled => return Waiting::Nothing,
        Status::Running if planned.task.is_group() => return group_waits_for(state, id),
        Status::Running => return Waiting::Nothing,
        Status::Waiting => return Waiting::Until(step.until),
        Status::Retrying if step.until > state.latest_at => return Waiting::Until(step.until),
        // It needs none.
        Status::Retrying if state.plan.stream_of(id).is_some() => return Waiting::Nothing,
        Status::Retrying => return limits_and_slots(state, id),
        Status::Pending | Status::Ready => {}
    }
    if let Some(reason) = state.stopping {
        return Waiting::Stopped(reason);
    }
    let top = groups(state, id).last().unwrap_or(id);
    match state.plan.hook(top) {
        Some(moment) if moment != Moment::Start && !moment_came(state, moment) => return Waiting::Moment(moment),
        Some(_) => {}
        None => {
            let hooks = state.plan.header.hooks.iter().filter(|(moment, _)| *moment == Moment::Start);
            let open = not_final(state, hooks.map(|(_, hook)| *hook));
            if !open.is_empty() {
                return Waiting::StartHooks(open);
            }
        }
    }
    if let Some(group) = planned.parent {
        if state.step(group).status != Status::Running {
            return Waiting::Group(group);
        }
        if matches!(&*state.plan.step(group).task, Task::Flow(_)) && chosen(state, group) != Some(id) {
            return Waiting::Choice(group);
        }
    }
    if let Some(on) = planned.on_alert.filter(|on| !state.was_raised(*on)) {
        return Waiting::Alert(on.step);
    }
    let edges = |condition: bool| {
        let kind = move |kind| (kind == EdgeKind::Condition) == condition;
        not_final(state, planned.after.iter().filter(move |edge| kind(edge.kind)).map(|edge| edge.from))
    };
    let before = edges(false);
    if !before.is_empty() && !at_once(state, planned) {
        return Waiting::Steps(before);
    }
    let read = edges(true);
    let decided = state.decisions.iter().any(|decided| decided.step == id);
    if !read.is_empty() || (planned.when.is_some() && !decided && state.plan.complete) {
        return Waiting::Condition(read);
    }
    limits_and_slots(state, id)
}

fn groups(state: &RunState, id: StepId) -> impl Iterator<Item = StepId> + '_ {
    std::iter::successors(state.plan.step(id).parent, |group| state.plan.step(*group).parent)
}

fn not_final(state: &RunState, steps: impl Iterator<Item = StepId>) -> Vec<StepId> {
    steps.filter(|step| !state.step(*step).status.is_final()).collect()
}

/// Have all those ended after whom hooks of this moment come?
fn moment_came(state: &RunState, moment: Moment) -> bool {
    let open = |id: StepId| state.plan.step(id).parent.is_none() && !state.step(id).status.is_final();
    state.plan.ids().filter(|id| open(*id)).all(|id| match state.plan.hook(id) {
        None | Some(Moment::Start) => false,
        Some(other) => moment != Moment::Complete || other == Moment::Complete,
    })
}

/// Is its rule met before all predecessors are final?
fn at_once(state: &RunState, planned: &Step) -> bool {
    use crate::plan::Rule;
    use crate::state::Seen;
    let enough = match planned.policy().rule {
        Rule::OneSuccess => Seen::Success,
        Rule::OneFailed => Seen::Failed,
        _ => return false,
    };
    planned.after.iter().any(|edge| edge.kind != EdgeKind::Condition && state.seen(edge.from) == enough)
}

/// The child a flow has chosen.
fn chosen(state: &RunState, flow: StepId) -> Option<StepId> {
    branch(state, flow).ok().flatten()
}

/// The child a flow has chosen, if any; or else the branch whose condition it waits for.
fn branch(state: &RunState, flow: StepId) -> Result<Option<StepId>, usize> {
    use crate::event::Decision;
    let Task::Flow(branches) = &*state.plan.step(flow).task else { return Ok(None) };
    // The first answer is to the flow's own condition, if it has one.
    let own = usize::from(state.plan.step(flow).when.is_some());
    let answers: Vec<_> = state.decisions.iter().filter(|decided| decided.step == flow).skip(own).collect();
    for (i, branch) in branches.iter().enumerate() {
        let answer = answers.iter().find(|decided| decided.branch as usize == i).map(|decided| &decided.result);
        match (&branch.when, answer) {
            (None, _) | (Some(_), Some(Decision::Is(true))) => return Ok(Some(branch.step)),
            (Some(_), Some(Decision::Is(false))) => {}
            (Some(_), Some(Decision::Failed(_))) => return Ok(None),
            (Some(_), None) => return Err(i),
        }
    }
    Ok(None)
}

fn group_waits_for(state: &RunState, id: StepId) -> Waiting {
    let planned = state.plan.step(id);
    let unexpanded = state.step(id).expansions == 0;
    if let (Task::Flow(branches), Err(at)) = (&*planned.task, branch(state, id)) {
        let reads = branches[at].when.iter().flat_map(|condition| condition.steps());
        return Waiting::Condition(not_final(state, reads));
    }
    let is_child = |child: &StepId| {
        let step = state.plan.step(*child);
        // What undoes the group is none of its children.
        step.parent == Some(id) && step.undoes.is_none()
    };
    let children = state.plan.ids().filter(is_child);
    let open = not_final(state, children);
    match &*planned.task {
        _ if !open.is_empty() => Waiting::Children(open),
        Task::Each(each) if each.items.is_some() && unexpanded => Waiting::Expansion,
        Task::Workflow(workflow) if !workflow.expanded && unexpanded => Waiting::Expansion,
        Task::Repeat(_) => Waiting::Expansion,
        Task::OnEvent(_) if state.next_event(id).is_some() => Waiting::Expansion,
        Task::OnEvent(_) => Waiting::Events,
        _ => Waiting::Nothing,
    }
}

/// Nothing but limits and a slot is in the way.
fn limits_and_slots(state: &RunState, id: StepId) -> Waiting {
    for (name, shares) in asked(&state.plan, id).iter() {
        let Some(limit) = state.plan.header.limits.get(name) else { continue };
        let asks = |other: StepId| -> u32 {
            asked(&state.plan, other).iter().filter(|(asked, _)| asked == name).map(|(_, shares)| *shares).sum()
        };
        if groups(state, id).any(|group| asks(group) > 0) {
            continue;
        }
        let holds =
            |other: &StepId| matches!(state.step(*other).status, Status::Running | Status::Waiting) && asks(*other) > 0;
        let holders: Vec<StepId> = state.plan.ids().filter(holds).collect();
        let held: u32 = holders.iter().map(|holder| asks(*holder)).sum();
        if let Some(max) = limit.max
            && held + (*shares).min(max) > max
        {
            return Waiting::Limit { name: name.clone(), shares: *shares, max, holders };
        }
        let since = state.latest_at.saturating_sub(MINUTE);
        let lately = |other: &StepId| state.step(*other).started_at > since && asks(*other) > 0;
        let taken: u32 = state.plan.ids().filter(lately).map(asks).sum();
        if let Some(max) = limit.per_minute
            && taken + (*shares).min(max) > max
        {
            return Waiting::Limit { name: name.clone(), shares: *shares, max, holders: Vec::new() };
        }
    }
    if let Some(waiting) = writes(state, id) {
        return waiting;
    }
    let runs = |id: &StepId| state.step(*id).status == Status::Running && takes_slot(&state.plan, *id);
    let running = state.plan.ids().filter(runs).count() as u32;
    let max = state.created.max_parallel.or(state.plan.header.settings.max_parallel);
    match max {
        Some(max) if running < max && !state.plan.complete => Waiting::Script,
        None if running == 0 && !state.plan.complete => Waiting::Script,
        _ => Waiting::Slot { running, max },
    }
}

/// Who runs that may change the same files?
fn writes(state: &RunState, id: StepId) -> Option<Waiting> {
    let root = &state.created.cwd;
    let own = area(&state.plan, id, root)?;
    let mut others = state.plan.ids().filter(|other| *other != id && state.step(*other).status == Status::Running);
    others.find_map(|other| {
        let area = area(&state.plan, other, root)?;
        own.meets(&area).map(|(own, its)| Waiting::Writes { other, own: own.to_owned(), its: its.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Created, Event, Outcome};
    use crate::plan::{Branch, Condition, Growth, Header, Limit, Plan, Value};

    fn id(n: u32) -> StepId {
        StepId(n)
    }

    fn task(name: &str) -> Step {
        Step::new(name, Task::Const(Value::Plain(1.into())), Default::default())
    }

    /// A run with this plan, after these events.
    fn run(steps: Vec<Step>, header: Header, events: &[Event]) -> RunState {
        let mut state = RunState::default();
        let created = Created { max_parallel: Some(2), ..Created::default() };
        state.apply(1_000, &Event::Created(Box::new(created)));
        let growth = Growth { header: Some(Box::new(header)), steps, complete: true, ..Growth::default() };
        state.apply(1_000, &Event::Planned { of: None, growth: Box::new(growth) });
        events.iter().for_each(|event| state.apply(2_000, event));
        state
    }

    fn started(n: u32) -> Event {
        Event::Started { step: id(n), attempt: 1 }
    }

    fn finished(n: u32) -> Event {
        Event::Finished { step: id(n), attempt: 1, outcome: Outcome::default().into() }
    }

    #[test]
    fn predecessors_then_slots() {
        let mut last = task("c");
        last.add_edge(id(0), EdgeKind::Order);
        last.add_edge(id(1), EdgeKind::Data);
        let steps = vec![task("a"), task("b"), last, task("d")];
        let state = run(steps.clone(), Header::default(), &[started(0), started(1)]);
        assert_eq!(waiting_for(&state, id(0)), Waiting::Nothing);
        assert_eq!(waiting_for(&state, id(2)), Waiting::Steps(vec![id(0), id(1)]));
        assert_eq!(waiting_for(&state, id(3)), Waiting::Slot { running: 2, max: Some(2) });
        let state = run(steps, Header::default(), &[started(0), finished(0)]);
        assert_eq!(waiting_for(&state, id(2)), Waiting::Steps(vec![id(1)]));
    }

    #[test]
    fn limits_name_their_holders() {
        let mut header = Header::default();
        header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
        let mut steps = vec![task("a"), task("b")];
        steps.iter_mut().for_each(|step| step.policy_mut().limits = vec![("db".into(), 1)]);
        let state = run(steps, header, &[started(1)]);
        let waiting = Waiting::Limit { name: "db".into(), shares: 1, max: 1, holders: vec![id(1)] };
        assert_eq!(waiting_for(&state, id(0)), waiting);
    }

    #[test]
    fn groups_and_flows() {
        let flow = Task::Flow(vec![
            Branch { when: Some(Condition::Known(false)), step: id(1) },
            Branch { when: None, step: id(2) },
        ]);
        let mut steps = vec![Step::new("f", flow, Default::default()), task("a"), task("b")];
        steps[1].parent = Some(id(0));
        steps[2].parent = Some(id(0));
        let state = run(steps.clone(), Header::default(), &[]);
        assert_eq!(waiting_for(&state, id(1)), Waiting::Group(id(0)));
        let state = run(steps, Header::default(), &[started(0)]);
        assert_eq!(waiting_for(&state, id(0)), Waiting::Condition(Vec::new()));
        assert_eq!(waiting_for(&state, id(1)), Waiting::Choice(id(0)));
    }

    #[test]
    fn streams_and_alerts() {
        use crate::plan::{OnAlert, Stream};
        let stream = Task::Stream(Box::new(Stream::of(vec![vec![id(1)], vec![id(2)]])));
        let mut steps = vec![Step::new("s", stream, Default::default()), task("a"), task("b"), task("c"), task("t")];
        steps[1].parent = Some(id(0));
        steps[2].parent = Some(id(0));
        steps[4].on_alert = Some(OnAlert { step: id(0), alert: 0 });
        let mut header = Header::default();
        header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
        [2, 3].iter().for_each(|n| steps[*n].policy_mut().limits = vec![("db".into(), 1)]);
        let state = run(steps.clone(), header.clone(), &[started(3)]);
        let waiting = Waiting::Limit { name: "db".into(), shares: 1, max: 1, holders: vec![id(3)] };
        assert_eq!(waiting_for(&state, id(0)), waiting);
        assert_eq!(waiting_for(&state, id(2)), Waiting::Group(id(0)));
        assert_eq!(waiting_for(&state, id(4)), Waiting::Alert(id(0)));
        // What undoes the stream is none of its members.
        steps[3].parent = Some(id(0));
        steps[3].undoes = Some(id(0));
        let state = run(steps.clone(), header.clone(), &[started(0), started(1), started(2)]);
        assert_eq!(waiting_for(&state, id(0)), Waiting::Children(vec![id(1), id(2)]));
        (steps[3].parent, steps[3].undoes) = (None, None);
        let state = run(steps, header, &[started(0), started(1), started(2)]);
        assert_eq!(waiting_for(&state, id(0)), Waiting::Children(vec![id(1), id(2)]));
        let holders = vec![id(0)];
        assert_eq!(waiting_for(&state, id(3)), Waiting::Limit { name: "db".into(), shares: 1, max: 1, holders });
    }

    #[test]
    fn hooks_and_time() {
        let header = Header { hooks: vec![(Moment::Complete, id(1))], ..Header::default() };
        let steps = vec![task("a"), task("tell")];
        let waits = Event::Waiting { step: id(0), delay_ms: 500, what: Default::default() };
        let state = run(steps, header, &[waits]);
        assert_eq!(waiting_for(&state, id(0)), Waiting::Until(2_500));
        assert_eq!(waiting_for(&state, id(1)), Waiting::Moment(Moment::Complete));
        let plan: &Plan = &state.plan;
        assert!(plan.complete);
    }
}
