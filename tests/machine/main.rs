//! The machine against `docs/semantics.md`: random plans, random outcomes, random orders of everything that comes in, crashes at
//! random places, stops at random moments. Thousands of cases each, no process, no clock, no file.

mod naive;
mod play;
mod script;
mod spec;
mod takeup;
mod world;

use flow::engine::machine::Input;
use flow::event::{Because, Event, RunStatus, Skip, Stop};
use flow::plan::{Moment, Plan};
use flow::state::Status;
use proptest::prelude::*;

use naive::interpret;
use play::{Dice, Play};
use script::Script;
use spec::{May, Raw};
use world::World;

/// A random plan, a world, and a seed for the order of things.
fn any_case(most: usize) -> impl Strategy<Value = (Vec<Raw>, [u8; 4], World, u64)> {
    let raw = prop::collection::vec(any::<Raw>(), 1..most);
    (raw, any::<[u8; 4]>(), any::<u64>(), any::<u64>())
        .prop_map(|(raw, header, seed, dice)| (raw, header, World { seed }, dice))
}

/// `PROPTEST_CASES` asks for another number.
fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

fn like_the_naive_reading(play: &Play, plan: &Plan, world: World) {
    play.check_end();
    let expected = interpret(plan, world);
    let found = play.ends();
    for (path, end) in &expected.steps {
        let found = found.get(path).copied();
        assert!(expected.allows(path, found), "`{path}`: {found:?}, expected {end:?}\n{}", play.story());
    }
    assert!(found.keys().all(|path| expected.steps.contains_key(path)));
    assert_eq!(play.state().status, expected.run, "{}", play.story());
}

proptest! {
    #![proptest_config(cases(6_000))]

    /// Whatever the order in which things come in, all ends as the page says.
    #[test]
    fn the_machine_does_what_the_page_says((raw, header, world, dice) in any_case(16)) {
        let plan = spec::plan(&raw, header, May { reversed: dice % 2 == 0, ..May::all() });
        let mut play = Play::of(&plan, world, dice, false);
        play.give(Input::Start);
        play.finish();
        like_the_naive_reading(&play, &plan, world);
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    /// So it is with steps that publish and groups that listen, whenever the process dies.
    #[test]
    fn all_that_is_published_is_heard_once((raw, header, world, dice) in any_case(14)) {
        let plan = spec::plan(&raw, header, May { reversed: dice % 2 == 0, ..May::with_events() });
        let mut play = Play::of(&plan, world, dice, false);
        let mut lot = Dice(dice ^ 0xbeef);
        play.give(Input::Start);
        let mut crashes = if dice % 3 == 0 { 0 } else { 3 };
        while !play.closed {
            if crashes > 0 && lot.below(12) == 0 {
                crashes -= 1;
                play.crash(3 + lot.below(play.records.len() - 2));
            } else {
                play.step();
            }
        }
        like_the_naive_reading(&play, &plan, world);
        play.check_topics();
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// A run whose process dies, again and again, after any event, ends as if nothing had happened.
    #[test]
    fn a_crash_changes_nothing((raw, header, world, dice) in any_case(12)) {
        let plan = spec::plan(&raw, header, May::all());
        let mut play = Play::of(&plan, world, dice, false);
        let mut lot = Dice(dice ^ 0xabcd);
        play.give(Input::Start);
        let mut crashes = 0;
        while !play.closed || crashes == 0 {
            if crashes < 4 && (play.closed || lot.below(12) == 0) {
                crashes += 1;
                let first = 3;
                let kept = first + lot.below(play.records.len() - first + 1);
                if !matches!(*play.records[kept - 1].event, Event::Ended { .. }) {
                    play.crash(kept);
                }
            } else if lot.below(20) == 0 {
                // Or a person interrupts it.
                play.give(Input::Stop(Stop::Interrupted));
                play.finish();
                if !play.state().status.is_final() {
                    assert_eq!(play.state().status, RunStatus::Paused);
                    play.crash(play.records.len());
                }
            } else {
                play.step();
            }
        }
        like_the_naive_reading(&play, &plan, world);
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// A script that gives its plan in pieces and waits for results in between comes to the same as the whole plan at once.
    #[test]
    fn pieces_make_the_same_whole((raw, header, world, dice) in any_case(14)) {
        let mut script = Script::new(spec::plan(&raw, header, May { alerts: false, ..May::all() }), dice);
        let mut play = Play::new(world, dice, false);
        let mut lot = Dice(dice ^ 0x7777);
        play.give(Input::Start);
        let mut looked_at = Vec::new();
        let mut crashes = 0;
        while !play.closed {
            match lot.below(8) {
                0 | 1 if !script.is_done(&play) => script.give(&mut play, &std::mem::take(&mut looked_at)),
                2 => looked_at.extend(script.run_one(&mut play)),
                3 => script.want_one(&mut play),
                4 if crashes < 2 => {
                    crashes += 1;
                    looked_at.clear();
                    play.crash(2 + lot.below(play.records.len() - 1));
                }
                _ if play.can_go_on() => play.step(),
                _ => assert!(play.closed || !script.is_done(&play), "the run hangs: {}", play.story()),
            }
        }
        like_the_naive_reading(&play, &script.plan(&play), world);
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// Cycles, deadlocks of locks, cancellations, timeouts of groups and runs, crashes in the midst of it: every run ends,
    /// and the invariants hold.
    #[test]
    fn every_run_has_an_end((raw, header, world, dice) in any_case(14)) {
        let may = if dice % 2 == 0 { May::all() } else { May::with_events() };
        let may = May { stop: true, anything: true, reversed: dice % 3 == 0, ..may };
        let plan = spec::plan(&raw, header, may);
        let mut play = Play::of(&plan, world, dice, true);
        let mut lot = Dice(dice ^ 0x1234);
        play.give(Input::Start);
        let mut asked = None;
        while !play.closed {
            match lot.below(60) {
                0 => {
                    asked = Some(Stop::Cancelled);
                    play.give(Input::Stop(Stop::Cancelled));
                }
                1 if asked.is_none() => play.crash(play.records.len() - lot.below(3).min(play.records.len() - 3)),
                2 if asked.is_none() => {
                    play.give(Input::Stop(Stop::Interrupted));
                    if lot.below(2) == 0 {
                        play.finish();
                        if play.state().status == RunStatus::Paused {
                            play.crash(play.records.len());
                        }
                    } else {
                        asked = Some(Stop::Interrupted);
                    }
                }
                _ if play.can_go_on() => play.step(),
                _ => assert!(play.closed, "the run hangs: {}", play.story()),
            }
        }
        play.check_end();
        if asked == Some(Stop::Cancelled) {
            prop_assert!(matches!(play.state().status, RunStatus::Cancelled | RunStatus::Failed | RunStatus::Success));
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// Agents start only as far as budgets allow, wait only while others run, are ended when too much was used; nothing that
    /// was used is forgotten, whatever dies and is tried again. (What is checked stands in `play/money.rs`.)
    #[test]
    fn budgets_are_kept((raw, header, world, dice) in any_case(14)) {
        let anything = dice % 4 == 0;
        let may = May { budgets: true, stop: anything, anything, reversed: dice % 3 == 0, ..May::all() };
        let plan = spec::plan(&raw, header, may);
        let mut play = Play::of(&plan, world, dice, anything);
        let mut lot = Dice(dice ^ 0x4242);
        play.give(Input::Start);
        while !play.closed {
            match lot.below(40) {
                0 => play.crash(play.records.len() - lot.below(3).min(play.records.len() - 3)),
                1 => {
                    play.give(Input::Stop(Stop::Interrupted));
                    play.finish();
                    if play.state().status == RunStatus::Paused {
                        play.crash(play.records.len());
                    }
                }
                _ if play.can_go_on() => play.step(),
                _ => assert!(play.closed, "the run hangs: {}", play.story()),
            }
        }
        play.check_end();
        // Who waits for what others give back gets it, or is refused; nobody is forgotten.
        let stuck = |event: &Event| {
            let Event::Finished { outcome, .. } = event else { return false };
            outcome.error.as_ref().is_some_and(|error| error.message.starts_with("it can never start"))
        };
        prop_assert!(anything || !play.records.iter().any(|record| stuck(&record.event)), "{}", play.story());
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// `on_error: stop`: the run fails, and what has ended by itself has ended as it would have without the stop.
    #[test]
    fn a_stop_only_cuts_short((raw, header, world, dice) in any_case(14)) {
        let plan = spec::plan(&raw, header, May { stop: true, ..May::all() });
        let mut play = Play::of(&plan, world, dice, false);
        play.give(Input::Start);
        play.finish();
        play.check_end();
        let stopped = play.records.iter().any(|record| matches!(*record.event, Event::Stopping { .. }));
        if !stopped {
            like_the_naive_reading(&play, &plan, world);
            return Ok(());
        }
        prop_assert_eq!(play.state().status, RunStatus::Failed);
        for (moment, hook) in &play.state().plan.header.hooks {
            let reason = play.state().step(*hook).skip.as_deref();
            let dropped = matches!(reason, Some(Skip::NotTaken(Because::Moment)));
            let cancelled = play.state().step(*hook).status == Status::Cancelled;
            match moment {
                Moment::Start => {}
                Moment::Success => prop_assert!(dropped),
                Moment::Failure | Moment::Complete => prop_assert!(!dropped && !cancelled, "{}", play.story()),
            }
        }
        let expected = interpret(&plan, world);
        let found = play.ends();
        for id in play.state().plan.ids() {
            let step = play.state().plan.step(id);
            let path = play.state().plan.path(id);
            let main = spec::moment_of(&play.state().plan, id).is_none();
            let cut = play.state().step(id).status == Status::Cancelled;
            let retried = step.policy().retry.is_some();
            if main && !cut && !retried && !step.task.is_group() {
                let found = found.get(&path).copied();
                prop_assert!(expected.allows(&path, found), "`{}`: {:?}\n{}", path, found, play.story());
            }
        }
    }
}
