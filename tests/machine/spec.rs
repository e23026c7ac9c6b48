//! Random plans, decoded from random bytes: fewer and smaller bytes give a simpler plan, so that proptest can shrink.

use flow::plan::{
    Agent, Alert, Ask, Backoff, Branch, Budget, Closure, Condition, Each, Edge, EdgeKind, Growth, Header, Json, Limit,
    Metric, Moment, OnAlert, OnError, OnEvent, Order, Plan, Publish, Quorum, Repeat, Retry, Rule, Scale, Severity,
    Step, StepId, Stream, Task, Value, Workflow,
};

/// One step, raw.
pub type Raw = [u8; 12];

/// What may be in a plan.
#[derive(Clone, Copy, Default)]
pub struct May {
    /// `on_error: stop` and `settings(on_failure: stop)`.
    pub stop: bool,
    /// What a plan check would refuse, or what makes the result depend on time: cycles, locks held by groups, group
    /// timeouts.
    pub anything: bool,
    /// Groups with a greater id than their children.
    pub reversed: bool,
    /// Streams, races and quorums.
    pub together: bool,
    /// Steps that hang on alerts.
    pub alerts: bool,
    /// Agents and budgets: who is refused depends on who comes first.
    pub budgets: bool,
    /// Steps that publish, and groups that listen. Not together with races and quorums, in which it depends on time whether
    /// something is published.
    pub events: bool,
}

impl May {
    /// Everything whose end does not depend on time.
    pub fn all() -> Self {
        May { together: true, alerts: true, ..May::default() }
    }

    /// The same, with events instead of what runs together.
    pub fn with_events() -> Self {
        May { alerts: true, events: true, ..May::default() }
    }
}

const HOOKS: [Moment; 4] = [Moment::Start, Moment::Success, Moment::Failure, Moment::Complete];

/// A closure whose `captured` are these steps.
pub fn closure(steps: &[StepId]) -> Closure {
    let captured = steps.iter().map(|step| Value::Step(*step)).collect();
    Closure { function: "f".into(), captured, text: String::new(), span: Default::default() }
}

/// A task with nothing special about it.
pub fn task(name: impl Into<String>) -> Step {
    Step::new(name.into(), Task::Const(Value::Plain(Json::Null)), Default::default())
}

/// Decodes a plan. Its steps are called `s0`, `s1`, … whatever their ids.
pub fn plan(raw: &[Raw], header: [u8; 4], may: May) -> Plan {
    let mut plan = Plan { complete: true, ..Plan::default() };
    let mut open: Vec<StepId> = Vec::new();
    for (n, bytes) in raw.iter().enumerate() {
        let id = StepId(n as u32);
        let mut step = task(format!("s{n}"));
        open.truncate(usize::from(bytes[1]) % (open.len() + 1));
        step.parent = open.last().copied();
        // Where budgets matter, many agents, which seldom wait for each other.
        let many = may.budgets && bytes[0] % 4 != 0;
        step.task = kind(if many { 0 } else { bytes[0] }, may).into();
        let member = step.parent.is_some_and(|group| matches!(*plan.step(group).task, Task::Stream(_)));
        if member {
            step.task = kind(0, may).into();
        }
        policy(&mut step, bytes, may);
        // What it cleans up after may be cut off, so that it would depend on time whether it runs.
        if member || open.iter().any(|group| matches!(*plan.step(*group).task, Task::Quorum(_))) {
            step.policy_mut().finally = false;
        }
        // A failure that is dealt with beside one that is not: which of them comes first would say how the run ends.
        if open.iter().any(|group| matches!(&*plan.step(*group).task, Task::Quorum(Quorum { need: 26, .. })))
            && step.policy().on_error != Some(OnError::Stop)
        {
            step.policy_mut().on_error = None;
        }
        if member {
            step.policy_mut().rule = Rule::AllSuccess;
        }
        if may_have_children(&step.task) {
            open.push(id);
        }
        plan.steps.push(step);
        if bytes[11] >= 240 && plan.steps[n].parent.is_none() {
            plan.header.hooks.push((HOOKS[usize::from(bytes[11]) % 4], id));
        }
    }
    fill_groups(&mut plan, raw);
    fill_header(&mut plan.header, header, may);
    let mut arcs = Arcs::of(&plan);
    if !may.budgets || header[3].is_multiple_of(4) {
        add_edges(&mut plan, raw, may, &mut arcs);
    }
    if may.alerts {
        add_alerts(&mut plan, raw, &mut arcs);
    }
    if may.budgets {
        add_budgets(&mut plan, raw);
    }
    if may.reversed { reversed(plan) } else { plan }
}

/// Makes agents of some tasks, with budgets around them and of their own.
fn add_budgets(plan: &mut Plan, raw: &[Raw]) {
    for id in plan.ids() {
        let bytes = &raw[id.index()];
        let drawn = u64::from(bytes[0] ^ bytes[9].rotate_left(3) ^ bytes[10].rotate_left(5));
        let most = |n: u64| Budget {
            turns: (n % 3 != 1).then_some(1 + n % 9),
            tokens: (!n.is_multiple_of(3)).then_some(1 + n / 3 % 9),
            ..Budget::default()
        };
        let member = plan.stream_of(id).is_some();
        let step = &mut plan.steps[id.index()];
        let kind = drawn % 8;
        let task = step.task.clone();
        match &*task {
            Task::Const(_) if kind < 6 && step.policy().alerts.is_empty() => {
                let budget = [None, Some(most(drawn / 8 % 4)), Some(most(drawn / 8 % 3)), Some(most(drawn / 8))]
                    [(drawn % 4) as usize];
                let agent = Agent { name: "a".into(), backend: "command".into(), budget, ..Agent::default() };
                let ask = serde_json::json!({ "agent": agent, "prompt": Value::Plain(Json::Null) });
                let ask: Ask = serde_json::from_value(ask).expect("an agent and a prompt are enough");
                step.task = Task::Agent(Box::new(ask)).into();
                if kind == 4 {
                    step.policy_mut().budget = Some(most(drawn / 8 + 1));
                }
            }
            Task::Const(_) if !member => {
                step.task = Task::Budget(most(drawn / 8 + 4)).into();
            }
            task if task.is_group() && kind < 5 => step.policy_mut().budget = Some(most(drawn / 8 + 2)),
            _ => {}
        }
    }
}

/// Topics, the last of them only to listen to.
const TOPICS: [&str; 4] = ["a", "b.c", "b.d", "b.*"];

/// A step that publishes.
pub fn publish(topic: usize) -> Task {
    Task::Publish(Box::new(Publish { topic: TOPICS[topic % 3].into(), value: Value::Plain(Json::Null) }))
}

fn kind(byte: u8, may: May) -> Task {
    match byte {
        170..=219 if may.events => return publish(byte.into()),
        220.. if may.events => {
            let (topic, max) = (TOPICS[usize::from(byte) % 4].into(), 1 + u32::from(byte) % 7);
            return Task::OnEvent(Box::new(OnEvent { topic, body: closure(&[]), max, children: vec![], of: vec![] }));
        }
        _ => {}
    }
    match byte % if may.together { 27 } else { 21 } {
        21..=23 => Task::Stream(Box::new(Stream::of(Vec::new()))),
        n @ 24..=26 => Task::Quorum(Quorum { need: u32::from(n), race: n == 24, children: Vec::new() }),
        0..=8 => Task::Const(Value::Plain(Json::Null)),
        9 => Task::Wait(5),
        10 | 11 => Task::Parallel(Vec::new()),
        12 => Task::Chain(Vec::new()),
        13..=15 => Task::Flow(Vec::new()),
        16 => Task::Each(Each { items: Some(Value::Plain(Json::Null)), body: closure(&[]), children: Vec::new() }),
        17 => Task::Repeat(Repeat {
            max: u32::from(byte / 20) % 4,
            until: (byte > 100).then(|| closure(&[])),
            body: closure(&[]),
            children: Vec::new(),
        }),
        20 => Task::Fallback(Vec::new()),
        18 => {
            // With an argument that is not known yet, so that its steps come while the run goes on.
            let args = vec![("a".to_owned(), Value::List(Vec::new()))];
            Task::Workflow(Workflow { file: "w".into(), args, expanded: false, returns: None })
        }
        _ => Task::Each(Each { items: None, body: closure(&[]), children: Vec::new() }),
    }
}

/// Groups whose children stand in the plan from the beginning.
fn may_have_children(task: &Task) -> bool {
    match task {
        Task::Parallel(_) | Task::Chain(_) | Task::Flow(_) | Task::Fallback(_) => true,
        Task::Stream(_) | Task::Quorum(_) => true,
        Task::Each(each) => each.items.is_none(),
        _ => false,
    }
}

fn policy(step: &mut Step, bytes: &Raw, may: May) {
    let policy = step.policy.get_or_insert_with(Default::default);
    let policy = std::sync::Arc::make_mut(policy);
    policy.rule = match bytes[5] {
        0..=127 => Rule::AllSuccess,
        byte => Rule::ALL[usize::from(byte) % 6].1,
    };
    if bytes[5] >= 236 && !may.stop {
        (policy.finally, policy.rule) = (true, Rule::AllDone);
    }
    policy.on_error = match bytes[6] {
        0..=159 => None,
        byte if byte % 3 == 0 => Some(OnError::Continue),
        byte if byte % 3 == 1 => Some(OnError::Skip),
        _ if may.stop => Some(OnError::Stop),
        _ => None,
    };
    let group = step.task.is_group();
    if bytes[7] > 150 && !group {
        let backoff = [Backoff::Fixed, Backoff::Linear, Backoff::Exponential][usize::from(bytes[7]) % 3];
        let max_attempts = 1 + u32::from(bytes[7]) % 3;
        policy.retry = Some(Retry { max_attempts, delay_ms: 3, backoff, max_delay_ms: 9, jitter: 0.5 });
    }
    if bytes[7] % 4 == 3 && (!group || may.anything) && !matches!(*step.task, Task::Wait(_)) {
        policy.timeout_ms = Some(1);
    }
    let limits = [("one", 1), ("two", 1), ("two", 2), ("rate", 1), ("two", 9), ("pool", 1), ("pool", 2)];
    if bytes[10] > 140 && (!group || may.anything) {
        for n in 0..1 + usize::from(bytes[10]) % 2 {
            let (name, shares) = limits[(usize::from(bytes[10]) / 2 + n) % limits.len()];
            policy.limits.push((name.into(), shares));
        }
    }
    policy.priority = i32::from(bytes[10] % 3);
    policy.estimate_ms = (bytes[9] % 2 == 1).then_some(u64::from(bytes[9]));
}

fn fill_groups(plan: &mut Plan, raw: &[Raw]) {
    for group in plan.ids() {
        let children: Vec<StepId> = plan.ids().filter(|id| plan.step(*id).parent == Some(group)).collect();
        let last = children.len().saturating_sub(1);
        let task = std::sync::Arc::make_mut(&mut plan.steps[group.index()].task);
        match task {
            Task::Chain(into) | Task::Parallel(into) | Task::Fallback(into) => *into = children.clone(),
            Task::Each(each) if each.items.is_none() => each.children = children.clone(),
            // None of them is ever empty.
            Task::Stream(_) | Task::Quorum(_) if children.is_empty() => *task = Task::Parallel(Vec::new()),
            Task::Stream(stream) => {
                for child in &children {
                    match stream.levels.last_mut() {
                        Some(level) if raw[child.index()][9].is_multiple_of(2) => level.push(*child),
                        _ => stream.levels.push(vec![*child]),
                    }
                }
            }
            Task::Quorum(quorum) => {
                let n = children.len() as u32;
                quorum.need = match quorum.need {
                    24 => 1,
                    25 => 1 + u32::from(raw[group.index()][9]) % n,
                    _ => n,
                };
                quorum.children = children.clone();
            }
            Task::Flow(branches) => {
                *branches = children
                    .iter()
                    .enumerate()
                    .map(|(n, child)| {
                        let byte = raw[child.index()][9];
                        let when = match byte % 8 {
                            0 | 1 if n == last => None,
                            2 => Some(Condition::Known(byte > 128)),
                            _ => Some(Condition::Closure(closure(&[]))),
                        };
                        Branch { when, step: *child }
                    })
                    .collect();
            }
            _ => {}
        }
        if matches!(task, Task::Chain(_)) {
            for pair in children.windows(2) {
                plan.steps[pair[1].index()].add_edge(pair[0], EdgeKind::Order);
            }
        }
    }
}

fn fill_header(header: &mut Header, bytes: [u8; 4], may: May) {
    header.settings.max_parallel = Some(1 + u32::from(bytes[0]) % 4);
    header.settings.order = Order::ALL[usize::from(bytes[1]) % 4].1;
    header.settings.on_failure = (may.stop && bytes[2] > 128).then_some(OnError::Stop);
    header.settings.timeout_ms = (may.anything && bytes[2] % 4 == 3).then_some(50);
    header.limits.insert("one".into(), Limit { max: Some(1), per_minute: None, scale: None });
    header.limits.insert("two".into(), Limit { max: Some(2), per_minute: None, scale: None });
    let scale = Scale { min: u32::from(bytes[1]) / 64, max: 3, per: 1 + u32::from(bytes[2]) % 3, idle_ms: 5 };
    header.limits.insert("pool".into(), Limit { max: Some(3), per_minute: None, scale: Some(scale) });
    header.limits.insert("rate".into(), Limit { max: None, per_minute: Some(2), scale: None });
}

fn add_edges(plan: &mut Plan, raw: &[Raw], may: May, arcs: &mut Arcs) {
    for id in plan.ids() {
        let bytes = &raw[id.index()];
        if plan.stream_of(id).is_some() {
            continue;
        }
        for (target, kind) in [(bytes[2], bytes[4]), (bytes[3], bytes[4] / 4), (bytes[8], 3)] {
            // High bytes: no edge.
            let from = StepId(u32::from(target) % raw.len() as u32);
            if target == 0 || target > 200 || !is_settled(plan, from, id) {
                continue;
            }
            match kind % 4 {
                0 | 1 if may.anything && kind > 200 || arcs.add(plan, from, id) => {
                    let kind = if kind % 4 == 0 { EdgeKind::Order } else { EdgeKind::Data };
                    plan.steps[id.index()].add_edge(from, kind);
                }
                0 | 1 => {}
                // A condition: of the step itself, or of its branch. It reads only what was declared before.
                _ if from.0 < id.0 && arcs.add(plan, from, id) => read(plan, from, id, bytes[9] > 100),
                _ => {}
            }
        }
        if plan.step(id).when.is_none() && bytes[9] % 16 == 7 {
            plan.steps[id.index()].when = Some(Box::new(Condition::Closure(closure(&[]))));
        }
    }
}

/// Is it inside a race or a quorum, where a condition may not be asked because something else was faster?
pub fn in_quorum(plan: &Plan, id: StepId) -> bool {
    let mut groups = std::iter::successors(plan.step(id).parent, |id| plan.step(*id).parent);
    groups.any(|group| matches!(*plan.step(group).task, Task::Quorum(_)))
}

/// Does it not depend on time how a step ends, as far as this other one may know? What is cut off in a stream or a quorum
/// does, and nobody outside is to wait for that.
fn is_settled(plan: &Plan, from: StepId, to: StepId) -> bool {
    let groups = |id: StepId| std::iter::successors(plan.step(id).parent, |id| plan.step(*id).parent);
    let hides = |group: &StepId| match &*plan.step(*group).task {
        Task::Stream(_) => true,
        Task::Quorum(_) => !groups(to).any(|above| above == *group),
        _ => false,
    };
    !groups(from).any(|group| hides(&group))
}

/// Steps that hang on alerts of others.
fn add_alerts(plan: &mut Plan, raw: &[Raw], arcs: &mut Arcs) {
    for id in plan.ids() {
        let bytes = &raw[id.index()];
        let watched = StepId(u32::from(bytes[8]) % raw.len() as u32);
        let task = matches!(*plan.step(watched).task, Task::Const(_));
        let may = (180..240).contains(&bytes[11]) && task && plan.step(watched).policy().alerts.is_empty();
        if may && plan.stream_of(id).is_none() && is_settled(plan, watched, id) && arcs.add(plan, watched, id) {
            let alert = Alert {
                metric: Metric::ErrorRate,
                stage: None,
                above: Some(0.5),
                below: None,
                for_ms: 0,
                severity: Severity::default(),
                action: Some(id),
                span: Default::default(),
            };
            plan.steps[watched.index()].policy_mut().alerts = vec![alert];
            plan.steps[id.index()].on_alert = Some(OnAlert { step: watched, alert: 0 });
        }
    }
}

/// Makes a condition of `id` read `from`: that of its branch, if it has one and `branch` is asked for.
fn read(plan: &mut Plan, from: StepId, id: StepId, branch: bool) {
    if let (true, Some(flow)) = (branch, plan.step(id).parent)
        && let Task::Flow(branches) = std::sync::Arc::make_mut(&mut plan.steps[flow.index()].task)
        && let Some(Some(Condition::Closure(closure))) =
            branches.iter_mut().find(|branch| branch.step == id).map(|branch| &mut branch.when)
    {
        closure.captured.push(Value::Step(from));
        return;
    }
    let step = &mut plan.steps[id.index()];
    let mut steps = step.when.as_ref().map(|condition| condition.steps()).unwrap_or_default();
    steps.push(from);
    step.when = Some(Box::new(Condition::Closure(closure(&steps))));
    step.add_edge(from, EdgeKind::Condition);
}

/// What must happen before what: the start (`2 * id`) and the end (`2 * id + 1`) of each step.
struct Arcs(Vec<Vec<usize>>);

impl Arcs {
    fn of(plan: &Plan) -> Self {
        let mut arcs = Arcs(vec![Vec::new(); 2 * plan.steps.len()]);
        for id in plan.ids() {
            let step = plan.step(id);
            arcs.0[2 * id.index()].push(2 * id.index() + 1);
            if let Some(group) = step.parent {
                arcs.0[2 * group.index()].push(2 * id.index());
                arcs.0[2 * id.index() + 1].push(2 * group.index() + 1);
            }
            step.after.iter().for_each(|edge| arcs.0[2 * edge.from.index() + 1].push(2 * id.index()));
            // Alternatives come one after the other.
            if let Task::Fallback(children) = &*step.task {
                for pair in children.windows(2) {
                    arcs.0[2 * pair[0].index() + 1].push(2 * pair[1].index());
                }
            }
        }
        arcs
    }

    /// Notes that `to` waits for `from`, if that makes no cycle and no hook is waited for too early.
    fn add(&mut self, plan: &Plan, from: StepId, to: StepId) -> bool {
        // Whom a flow's branch waits for, all branches of the flow wait for.
        let first = match plan.step(to).parent {
            Some(group) if matches!(*plan.step(group).task, Task::Flow(_)) => group,
            _ => to,
        };
        let (end, start) = (2 * from.index() + 1, 2 * first.index());
        if moment(plan, from) > moment(plan, to) || self.leads(start, end) {
            return false;
        }
        self.0[end].push(start);
        true
    }

    fn leads(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.0.len()];
        let mut stack = vec![from];
        while let Some(at) = stack.pop() {
            if at == to {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                stack.extend(&self.0[at]);
            }
        }
        false
    }
}

/// The hook moment of a step, or of the group above that is one.
pub fn moment_of(plan: &Plan, id: StepId) -> Option<Moment> {
    let mut top = id;
    while let Some(group) = plan.step(top).parent {
        top = group;
    }
    plan.hook(top)
}

/// Parts of the run in their order.
fn moment(plan: &Plan, id: StepId) -> u8 {
    match moment_of(plan, id) {
        Some(Moment::Start) => 0,
        None => 1,
        Some(Moment::Success | Moment::Failure) => 2,
        Some(Moment::Complete) => 3,
    }
}

/// The same plan with its steps declared in the opposite order.
fn reversed(plan: Plan) -> Plan {
    let last = plan.steps.len() as u32;
    let header = Some(Box::new(plan.header));
    let mut growth = Growth { header, steps: plan.steps, ..Growth::default() };
    growth.renumber(&|id| StepId(last - 1 - id.0));
    growth.steps.reverse();
    let mut plan = Plan::default();
    plan.grow(Growth { complete: true, ..growth });
    plan
}

/// The order and data edges of a step.
pub fn judged(step: &Step) -> impl Iterator<Item = &Edge> {
    step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition)
}
