//! Runs that are taken up with another plan, or at an earlier step: what is kept is as good as new.

use std::collections::{BTreeSet, HashSet};

use flow::engine::machine::Input;
use flow::event::{Because, Event, Replanned, RunStatus, Skip, Stop};
use flow::plan::{Graph, Json, Moment, Plan, StepId, Task, Value};
use flow::state::takeup::{Comparison, Side, Wish, compare};
use flow::state::{RunState, Status};
use proptest::prelude::*;

use crate::naive::interpret;
use crate::play::{Dice, Play};
use crate::spec::{self, May, Raw, moment_of};
use crate::world::World;
use crate::{any_case, cases, like_the_naive_reading};

/// Compares a run with another plan, and gives fan-outs the steps that are known already, as evaluating the script does.
fn compared(before: &RunState, plan: &mut Plan, world: World, wish: &Wish) -> Comparison {
    let (mut known, mut tried) = (HashSet::new(), HashSet::new());
    loop {
        let fan_outs: Vec<StepId> = plan.ids().filter(|id| plan.gets_steps_at_run_time(*id)).collect();
        let unfinished = fan_outs.iter().copied().filter(|id| !known.contains(id)).collect();
        let closure = |closure: &flow::plan::Closure| closure.text.clone();
        let side = Side { plan, closure: &closure, closure_before: &closure, unfinished: &unfinished };
        let found = compare(before, &side, wish);
        let (steps, were) = (plan.steps.len(), known.len());
        for id in fan_outs {
            let Some(old) = found.matched[id.index()].filter(|_| !known.contains(&id)) else { continue };
            if before.step(old).expansions == 0 || found.begins_anew(id) {
                continue;
            }
            let next = match (&*plan.step(id).task, &*before.plan.step(old).task) {
                (Task::Repeat(now), Task::Repeat(then)) => {
                    let (is, was) = (now.children.len(), then.children.len());
                    let same = (now.max, now.until.is_some()) == (then.max, then.until.is_some());
                    let last_holds = now.children.last().is_none_or(|last| found.holds(*last));
                    if same && last_holds && is == was {
                        known.insert(id);
                    }
                    (last_holds && is < was && (same || is == 0) && is < now.max as usize).then_some(is as u32 + 1)
                }
                _ => Some(1),
            };
            let Some(iteration) = next.filter(|iteration| tried.insert((id, *iteration))) else { continue };
            if let Ok(growth) = world.expand(plan, id, iteration) {
                plan.grow(growth);
                if !matches!(*plan.step(id).task, Task::Repeat(_)) {
                    known.insert(id);
                }
            }
        }
        if plan.steps.len() == steps && known.len() == were {
            return found;
        }
    }
}

/// A run of a plan, up to some moment: its end, or its process dies, or somebody stops it.
fn some_of(plan: &Plan, world: World, dice: u64) -> Play {
    let mut play = Play::of(plan, world, dice, false);
    play.give(Input::Start);
    go_on(&mut play, &mut Dice(dice ^ 0x5eed));
    play
}

/// As [`some_of`], of a run that goes on.
fn go_on(play: &mut Play, lot: &mut Dice) {
    let most = if lot.below(2) == 0 { usize::MAX } else { lot.below(30) };
    let mut steps = 0;
    while !play.closed && steps < most {
        play.step();
        steps += 1;
    }
    // Clean-up runs also in a run that is being stopped, which other tests look at.
    let cleans_up = play.state().plan.steps.iter().any(|step| step.policy().finally);
    if !play.closed && !cleans_up {
        match lot.below(4) {
            0 => play.give(Input::Stop(Stop::Cancelled)),
            1 => play.give(Input::Stop(Stop::Interrupted)),
            _ => return,
        }
        if lot.below(2) == 0 {
            play.finish();
        }
    }
}

/// Other bytes for some of the steps; now and then one step fewer, or one more.
fn edited(raw: &[Raw], dice: u64) -> Vec<Raw> {
    let mut lot = Dice(dice ^ 0xed17);
    let mut raw = raw.to_vec();
    for _ in 0..1 + lot.below(3) {
        let n = lot.below(raw.len());
        // Not the bytes of retries and timeouts: a result holds whatever they are, which a run from the beginning cannot know.
        let place = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11][lot.below(11)];
        raw[n][place] = lot.below(256) as u8;
    }
    match lot.below(6) {
        0 if raw.len() > 1 => drop(raw.pop()),
        1 => raw.push([0; 12].map(|_: u8| lot.below(256) as u8)),
        _ => {}
    }
    raw
}

/// Gives some tasks another command, by which they may turn out otherwise.
fn with_other_commands(plan: &mut Plan, dice: u64) {
    let mut lot = Dice(dice ^ 0xc0de);
    for step in &mut plan.steps {
        if matches!(*step.task, Task::Const(_)) && lot.below(6) == 0 {
            step.task = Task::Const(Value::Plain(Json::from(lot.below(3)))).into();
        }
    }
}

fn go_on_with(play: &mut Play, plan: Plan, found: &Comparison) {
    let new = Replanned { plan: Box::new(plan), ..Replanned::default() };
    let events = found.replan(play.state(), new);
    play.take_up(events);
}

/// What was found, for a person.
fn why(found: &Comparison, before: &RunState, plan: &Plan) -> String {
    let told = |fate: flow::state::takeup::Fate| format!("{}: {:?} {:?}\n", fate.path, fate.verdict, fate.why);
    found.fates(before, plan).into_iter().map(told).collect()
}

/// A plan and what became of it, for a person.
fn picture(state: &RunState) -> String {
    let plan = &state.plan;
    let line = |id: StepId| {
        let (step, is) = (plan.step(id), state.step(id));
        let after: Vec<String> =
            step.after.iter().map(|edge| format!("{:?} {}", edge.kind, plan.path(edge.from))).collect();
        let branches: Vec<String> = match &*step.task {
            Task::Flow(branches) => branches
                .iter()
                .map(|branch| {
                    let reads: Vec<String> =
                        branch.when.iter().flat_map(|when| when.steps()).map(|id| plan.path(id)).collect();
                    format!("{}{reads:?}", if branch.when.is_some() { "if" } else { "else" })
                })
                .collect(),
            Task::Const(value) => vec![format!("{value:?}")],
            Task::Repeat(repeat) => vec![format!("max {} until {}", repeat.max, repeat.until.is_some())],
            _ => Vec::new(),
        };
        format!(
            "{} {} {} {branches:?} when {:?} after {after:?} {:?} on_error {:?} hook {:?}: {:?} {:?} handled {} attempt {}\n",
            id.0,
            plan.path(id),
            step.task.kind(),
            step.when.as_ref().map(|when| when.steps()),
            step.policy().rule,
            step.policy().on_error,
            plan.hook(id),
            is.status,
            is.skip,
            is.handled,
            is.attempt,
        )
    };
    plan.ids().map(line).collect()
}

proptest! {
    #![proptest_config(cases(6_000))]

    /// A run that goes on with an edited plan, or is edited several times, ends as a run of the last plan from the
    /// beginning.
    #[test]
    fn an_edited_run_ends_as_a_new_one((raw, header, world, dice) in any_case(14)) {
        // An alert that comes to a step which has ended already is never raised.
        let may = May { reversed: dice % 2 == 0, alerts: false, ..May::all() };
        let mut play = some_of(&spec::plan(&raw, header, may), world, dice);
        let mut lot = Dice(dice ^ 0x7e57);
        let mut raw = raw;
        let edits = 1 + lot.below(3);
        for n in 1..=edits {
            raw = edited(&raw, dice ^ n as u64);
            let mut plan = spec::plan(&raw, header, May { reversed: lot.below(3) == 0, ..may });
            with_other_commands(&mut plan, dice ^ n as u64);
            let script = plan.clone();
            let before = picture(play.state());
            let found = compared(play.state(), &mut plan, world, &Wish { edited: true, ..Wish::default() });
            let holds: Vec<String> = plan.ids().filter(|id| found.holds(*id)).map(|id| plan.path(id)).collect();
            let new = Replanned { plan: Box::new(plan), ..Replanned::default() };
            let events = found.replan(play.state(), new);
            play.take_up(events);
            if n < edits {
                go_on(&mut play, &mut lot);
                continue;
            }
            play.finish();
            let wrong = unlike(&play, &script, world);
            prop_assert!(
                wrong.is_empty(),
                "{wrong}\nbefore:\n{before}\nkept: {holds:?}\nafter:\n{}",
                picture(play.state())
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// A run that is taken up at an earlier step, or where it failed, ends as it would have ended from the beginning.
    #[test]
    fn a_run_taken_up_at_a_step_ends_as_a_new_one((raw, header, world, dice) in any_case(14)) {
        let plan = spec::plan(&raw, header, May { reversed: dice % 2 == 0, ..May::all() });
        let mut play = some_of(&plan, world, dice);
        let mut lot = Dice(dice ^ 0xf407);
        for _ in 0..1 + lot.below(2) {
            let before = play.state().clone();
            let steps: Vec<StepId> = before.plan.ids().filter(|id| !before.plan.step(*id).retired).collect();
            let from = before.plan.path(steps[lot.below(steps.len())]);
            let failed = lot.below(4) == 0;
            let wish = Wish { from: BTreeSet::from([from.clone()]), failed, ..Wish::default() };
            let same = |_: &flow::plan::Closure| String::new();
            let side =
                Side { plan: &before.plan, closure: &same, closure_before: &same, unfinished: &HashSet::new() };
            let found = compare(&before, &side, &wish);
            let events = found.reset(&before, &wish);
            let story = format!("{from}\n{}{:?}", picture(&before), events.last());
            play.take_up(events);
            go_on(&mut play, &mut lot);
            if !play.closed || play.state().status == RunStatus::Paused {
                play.take_up(Vec::new());
                play.finish();
            }
            if play.state().status != RunStatus::Cancelled {
                let wrong = unlike(&play, &plan, world);
                prop_assert!(wrong.is_empty(), "{wrong}\n{story}\nafter:\n{}", picture(play.state()));
            }
        }
    }
}

/// In what a run has ended otherwise than the page says; nothing, if it has not.
fn unlike(play: &Play, plan: &Plan, world: World) -> String {
    let (expected, ends) = (interpret(plan, world), play.ends());
    let paths: BTreeSet<&String> = expected.steps.keys().chain(ends.keys()).collect();
    let other = paths.into_iter().filter(|path| !expected.allows(path, ends.get(*path).copied()));
    let mut wrong: String = other
        .map(|path| format!("`{path}`: {:?}, expected {:?}\n", ends.get(path), expected.steps.get(path)))
        .collect();
    if play.state().status != expected.run {
        wrong.push_str(&format!("{:?}, expected {:?}", play.state().status, expected.run));
    }
    wrong
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// With the same plan everything is kept but what failed the run, or was cut off, and what depends on that.
    #[test]
    fn an_unchanged_plan_keeps_everything((raw, header, world, dice) in any_case(14)) {
        let plan = spec::plan(&raw, header, May::default());
        let mut play = Play::of(&plan, world, dice, false);
        play.give(Input::Start);
        play.finish();
        let state = play.state().clone();
        let mut same = plan.clone();
        let found = compared(&state, &mut same, world, &Wish { edited: true, ..Wish::default() });
        if !state.plan.ids().any(|id| state.fails_run(id)) {
            for id in same.ids() {
                prop_assert!(found.holds(id), "`{}`\n{}\n{}", same.path(id), picture(&state), why(&found, &state, &same));
            }
            prop_assert_eq!(same.steps.len(), state.plan.steps.len());
        }
        let events = play.records.len();
        go_on_with(&mut play, same, &found);
        play.finish();
        like_the_naive_reading(&play, &plan, world);
        if !state.plan.ids().any(|id| state.fails_run(id)) {
            let began = |event: &Event| matches!(event, Event::Started { .. } | Event::Waiting { .. });
            prop_assert!(!play.records[events..].iter().any(|record| began(&record.event)));
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// A step with another command runs again, with all that can be reached from it, and nothing else does.
    #[test]
    fn one_change_spreads_as_far_as_it_reaches((raw, header, world, dice) in any_case(14)) {
        let plan = spec::plan(&raw, header, May::default());
        let mut play = Play::of(&plan, world, dice, false);
        play.give(Input::Start);
        play.finish();
        let state = play.state().clone();
        let mut lot = Dice(dice ^ 0xabc);
        let tasks: Vec<StepId> = plan.ids().filter(|id| matches!(*plan.step(*id).task, Task::Const(_))).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let changed = tasks[lot.below(tasks.len())];
        let mut other = plan.clone();
        other.steps[changed.index()].task = Task::Const(Value::Plain(Json::from(1))).into();
        let found = compared(&state, &mut other, world, &Wish { edited: true, ..Wish::default() });
        // One that was skipped is skipped whatever it would have done.
        let ran = state.step(changed).status != Status::Skipped;
        let failed = state.plan.ids().filter(|id| state.fails_run(*id));
        let reached = reached(&state, failed.chain(ran.then_some(changed)).collect());
        for id in state.plan.ids() {
            let path = state.plan.path(id);
            let now = other.ids().find(|now| other.path(*now) == path);
            let holds = now.is_some_and(|now| found.holds(now));
            prop_assert_eq!(!holds, reached.contains(&id), "`{}`, changed: `{}`\n{}\n{}", path, plan.path(changed), picture(&state), why(&found, &state, &other));
        }
    }
}

/// All steps that can be reached from those that run again: by asking every step again and again.
fn reached(state: &RunState, again: BTreeSet<StepId>) -> BTreeSet<StepId> {
    let plan = &state.plan;
    let mut begins = again.clone();
    begins.retain(|id| !plan.step(*id).task.is_group());
    let mut ends = again;
    let graph = Graph::of(plan);
    loop {
        let before = (begins.len(), ends.len());
        for id in plan.ids() {
            let step = plan.step(id);
            let with_group = step.parent.is_some_and(|group| went_with(state, id, group))
                || state.step(id).skip.as_deref() == Some(&Skip::NotTaken(Because::Moment));
            let after = !with_group && step.after.iter().any(|edge| ends.contains(&edge.from));
            let group = step.parent.is_some_and(|group| begins.contains(&group))
                || (skipped_with(state, id) && step.parent.is_some_and(|group| ends.contains(&group)));
            let asked = step.parent.is_some_and(|group| is_asked_again(state, group, id, &ends));
            let hook = matches!(moment_of(plan, id), Some(Moment::Success | Moment::Failure | Moment::Complete))
                && step.parent.is_none()
                && ends.iter().any(|id| moment_of(plan, *id).is_none());
            if after || group || asked || hook {
                begins.insert(id);
            }
            let inside = graph.children(id).iter().any(|child| ends.contains(child));
            let reads = matches!(&*step.task, Task::Flow(branches)
                if branches.iter().any(|branch| is_asked_again(state, id, branch.step, &ends)));
            if begins.contains(&id) || inside || reads {
                ends.insert(id);
            }
        }
        if before == (begins.len(), ends.len()) {
            return ends;
        }
    }
}

/// Was it skipped only because its group was?
fn skipped_with(state: &RunState, id: StepId) -> bool {
    matches!(
        state.step(id).skip.as_deref(),
        Some(Skip::NotTaken(Because::Group(_)) | Skip::UpstreamFailed(Because::Group(_)))
    )
}

/// The same, or because of what its group chose?
fn went_with(state: &RunState, id: StepId, group: StepId) -> bool {
    let chose = Skip::NotTaken(Because::Branch(group));
    let answered = Skip::NotTaken(Because::NotNeeded(group));
    let skip = state.step(id).skip.as_deref();
    skipped_with(state, id) || skip == Some(&chose) || skip == Some(&answered)
}

/// Does a group that chooses among its children ask again about this one?
fn is_asked_again(state: &RunState, group: StepId, child: StepId, ends: &BTreeSet<StepId>) -> bool {
    let before =
        |children: &[StepId]| children.iter().take_while(|other| **other != child).any(|other| ends.contains(other));
    match &*state.plan.step(group).task {
        Task::Fallback(children) => before(children),
        Task::Repeat(repeat) => before(&repeat.children),
        Task::Flow(branches) if state.step(group).status != Status::Skipped || state.step(group).attempt > 0 => {
            for branch in branches {
                let reads = branch.when.as_ref().map(|when| when.steps()).unwrap_or_default();
                if reads.iter().any(|read| ends.contains(read)) {
                    return true;
                }
                // What comes after the chosen one was never asked.
                if state.seen_chosen(group) == Some(branch.step) {
                    return false;
                }
            }
            false
        }
        _ => false,
    }
}

trait Chosen {
    fn seen_chosen(&self, flow: StepId) -> Option<StepId>;
}

impl Chosen for RunState {
    /// The child that a flow has chosen.
    fn seen_chosen(&self, flow: StepId) -> Option<StepId> {
        let Task::Flow(branches) = &*self.plan.step(flow).task else { return None };
        let yes = |n: usize| {
            // The latest: a flow may have a condition of its own.
            let said = self.decisions.iter().rev().find(|d| (d.step, d.branch) == (flow, n as u32));
            match &branches[n].when {
                None => true,
                Some(flow::plan::Condition::Known(value)) => *value,
                Some(_) => said.is_some_and(|said| said.result == flow::event::Decision::Is(true)),
            }
        };
        (0..branches.len()).find(|n| yes(*n)).map(|n| branches[n].step)
    }
}
