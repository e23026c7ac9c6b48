//! Estimates, waves, critical paths and rehearsals of known outcome.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flow::plan::analysis::{Analysis, Origin};
use flow::plan::schedule::schedule;
use flow::plan::*;

use super::sample::{Sample, when};

fn estimate(sample: &mut Sample, id: StepId, ms: u64) {
    sample.step(id).policy_mut().estimate_ms = Some(ms);
}

fn timed(sample: &mut Sample, name: &str, ms: u64) -> StepId {
    let id = sample.sh(name, "true");
    estimate(sample, id, ms);
    id
}

fn analyse(sample: &Sample) -> Analysis {
    Analysis::of(&sample.plan, &HashMap::new())
}

/// Build, then three checks at once, then a deployment.
fn diamond() -> (Sample, [StepId; 5]) {
    let mut s = Sample::new("diamond");
    let build = timed(&mut s, "build", 10);
    let checks = [timed(&mut s, "lint", 5), timed(&mut s, "test", 30), timed(&mut s, "docs", 5)];
    let deploy = timed(&mut s, "deploy", 10);
    for check in checks {
        s.order(build, check);
        s.order(check, deploy);
    }
    (s, [build, checks[0], checks[1], checks[2], deploy])
}

#[test]
fn the_critical_path_is_the_longest_way() {
    let (s, [build, lint, test, docs, deploy]) = diamond();
    let analysis = analyse(&s);
    assert_eq!(analysis.critical_path, [build, test, deploy]);
    assert_eq!((analysis.critical_ms, analysis.total_ms), (50, 60));
    assert_eq!(analysis.waves, [vec![build], vec![lint, test, docs], vec![deploy]]);
    assert_eq!(analysis.parallelism.greatest, 3);
    assert!((analysis.parallelism.average - 1.2).abs() < 1e-9);
}

#[test]
fn with_one_slot_everything_takes_its_sum_and_with_many_the_critical_path() {
    let (s, _) = diamond();
    let analysis = analyse(&s);
    let one = schedule(&s.plan, &analysis, 1);
    assert_eq!((one.makespan_ms, one.gain_percent), (60, 0.0));
    assert_eq!(schedule(&s.plan, &analysis, 8).makespan_ms, 50);
    // Two slots: lint and test begin, docs takes the slot of lint.
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 50);
}

#[test]
fn the_order_of_the_plan_decides_who_goes_first() {
    let mut s = Sample::new("order");
    let first = timed(&mut s, "first", 10);
    timed(&mut s, "second", 10);
    let start = timed(&mut s, "start", 10);
    let rest = timed(&mut s, "rest", 30);
    s.order(start, rest);
    let analysis = analyse(&s);
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 50);
    s.plan.header.settings.order = Order::CriticalPath;
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 40);
    s.plan.header.settings.order = Order::Priority;
    s.step(start).policy_mut().priority = 1;
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 40);
    s.step(start).policy_mut().priority = -1;
    s.step(first).policy_mut().deadline_ms = Some(5);
    assert_eq!(schedule(&s.plan, &analysis, 1).makespan_ms, 60);
}

#[test]
fn groups_and_edges_to_groups_count_as_a_whole() {
    let mut s = Sample::new("groups");
    let (a, b) = (timed(&mut s, "a", 10), timed(&mut s, "b", 20));
    let both = s.parallel("both", &[a, b]);
    let (c, d) = (timed(&mut s, "c", 1), timed(&mut s, "d", 2));
    let then = s.chain("then", &[c, d]);
    s.order(both, then);
    let analysis = analyse(&s);
    assert_eq!(analysis.critical_path, [b, c, d]);
    assert_eq!(analysis.critical_ms, 23);
    assert_eq!(analysis.waves, [vec![a, b], vec![c], vec![d]]);
    assert_eq!(analysis.estimates[both.index()].ms, 20);
    assert_eq!(analysis.estimates[then.index()].ms, 3);
}

#[test]
fn of_a_flow_the_greater_branch_counts() {
    let mut s = Sample::new("branches");
    let test = timed(&mut s, "test", 10);
    let (a, b) = (timed(&mut s, "a", 30), timed(&mut s, "b", 30));
    let wide = s.parallel("wide", &[a, b]);
    let small = timed(&mut s, "small", 5);
    let gate = s.flow("gate", vec![(when("test.passed", &[test]), small), (None, wide)]);
    let end = timed(&mut s, "end", 1);
    s.order(gate, end);
    let analysis = analyse(&s);
    assert_eq!((analysis.total_ms, analysis.critical_ms), (71, 41));
    let branches: Vec<_> = analysis.branches.iter().map(|b| (b.flow, b.branch, b.total_ms, b.critical_ms)).collect();
    assert_eq!(branches, [(gate, 0, 5, 5), (gate, 1, 60, 30)]);
    assert_eq!(schedule(&s.plan, &analysis, 1).makespan_ms, 71);
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 41);
}

#[test]
fn records_outweigh_what_is_declared() {
    let mut s = Sample::new("records");
    let a = timed(&mut s, "a", 10);
    let b = s.sh("b", "true");
    let inner = s.chain("inner", &[a, b]);
    s.step(inner).anonymous = true;
    s.chain("outer", &[inner]);
    let lint = s.sh("lint", "true");
    s.each("lints", &[("src/a.rs", lint)]);
    let pause = s.add("pause", Task::Wait(7));
    let mut durations = HashMap::new();
    for (path, id, ms) in [("outer/a", a, 500), ("lints[src/a.rs]", lint, 70)] {
        assert_eq!(s.plan.path(id), path);
        durations.insert(path.to_owned(), ms);
    }
    let analysis = Analysis::of(&s.plan, &durations);
    let of = |id: StepId| (analysis.estimates[id.index()].ms, analysis.estimates[id.index()].origin);
    assert_eq!(of(a), (500, Origin::Recorded));
    assert_eq!(of(b), (1_000, Origin::Assumed));
    assert_eq!(of(lint), (70, Origin::Recorded));
    assert_eq!(of(pause), (7, Origin::Declared));
    assert_eq!(analysis.total_ms, 1_577);
}

#[test]
fn locks_and_limits_make_steps_wait() {
    let mut s = Sample::new("locks");
    s.plan.header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
    for name in ["a", "b", "c"] {
        let id = timed(&mut s, name, 10);
        s.step(id).policy_mut().limits.push(("db".into(), 1));
    }
    timed(&mut s, "free", 10);
    let analysis = analyse(&s);
    let rehearsal = schedule(&s.plan, &analysis, 4);
    assert_eq!(rehearsal.makespan_ms, 30);
    assert_eq!((rehearsal.waits["db"].steps, rehearsal.waits["db"].ms), (2, 30));
    s.plan.header.limits.insert("db".into(), Limit { max: None, per_minute: Some(2), scale: None });
    assert_eq!(schedule(&s.plan, &analysis, 4).makespan_ms, 60_010);
}

#[test]
fn a_group_holds_its_lock_while_it_is_open() {
    let mut s = Sample::new("locks");
    s.plan.header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
    let lock = |s: &mut Sample, id: StepId| s.step(id).policy_mut().limits.push(("db".into(), 1));
    for name in ["x", "y"] {
        let [a, b] = ["a", "b"].map(|part| timed(&mut s, &format!("{name}{part}"), 10));
        lock(&mut s, b);
        let group = s.chain(name, &[a, b]);
        lock(&mut s, group);
    }
    let pause = s.add("pause", Task::Wait(5));
    lock(&mut s, pause);
    let analysis = analyse(&s);
    let rehearsal = schedule(&s.plan, &analysis, 4);
    assert_eq!(rehearsal.makespan_ms, 45);
    assert_eq!(rehearsal.waits["db"].steps, 2);
}

#[test]
fn hooks_and_cycles_do_no_harm() {
    let mut s = Sample::new("hooks");
    let page = timed(&mut s, "page", 100);
    s.hook(Moment::Failure, page);
    timed(&mut s, "a", 1);
    let (x, y) = (timed(&mut s, "x", 1), timed(&mut s, "y", 1));
    s.order(x, y);
    s.order(y, x);
    let analysis = analyse(&s);
    assert_eq!(analysis.critical_ms, 1);
    assert_eq!(schedule(&s.plan, &analysis, 2).makespan_ms, 1);
    assert!(analyse(&Sample::new("empty")).waves.is_empty());
}

#[test]
fn a_stream_runs_at_once_and_counts_as_one() {
    let mut s = Sample::new("stream");
    s.plan.header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
    let (a, b, c) = (timed(&mut s, "a", 10), timed(&mut s, "b", 30), timed(&mut s, "c", 20));
    let stream = s.stream("stream", &[&[a, b], &[c]]);
    let other = timed(&mut s, "other", 5);
    for id in [c, other] {
        s.step(id).policy_mut().limits.push(("db".into(), 1));
    }
    let after = timed(&mut s, "after", 1);
    s.order(stream, after);
    let analysis = analyse(&s);
    assert_eq!(analysis.waves, [vec![stream, other], vec![after]]);
    assert_eq!(analysis.critical_path, [stream, after]);
    assert_eq!((analysis.critical_ms, analysis.total_ms), (31, 36));
    assert_eq!(analysis.estimates[stream.index()].ms, 30);
    assert_eq!(schedule(&s.plan, &analysis, 1).makespan_ms, 36);
    // Its members hold what they are limited by for as long as the stream runs.
    let rehearsal = schedule(&s.plan, &analysis, 4);
    assert_eq!((rehearsal.makespan_ms, rehearsal.waits["db"].steps), (35, 1));
}

#[test]
fn of_a_race_the_quickest_counts() {
    let mut s = Sample::new("race");
    let (slow, quick) = (timed(&mut s, "slow", 60), timed(&mut s, "quick", 10));
    let race = s.quorum("race", 1, &[slow, quick]);
    let votes = [5, 40, 20].map(|ms| timed(&mut s, &format!("vote-{ms}"), ms));
    let quorum = s.quorum("votes", 2, &votes);
    s.order(race, quorum);
    let analysis = analyse(&s);
    assert_eq!((analysis.critical_ms, analysis.total_ms), (30, 35));
    assert_eq!(analysis.critical_path, [quick, votes[2]]);
    assert_eq!((analysis.estimates[race.index()].ms, analysis.estimates[quorum.index()].ms), (10, 20));
    assert_eq!(schedule(&s.plan, &analysis, 8).makespan_ms, 30);
    // One at a time, in the order declared: the first ends the race.
    assert_eq!(schedule(&s.plan, &analysis, 1).makespan_ms, 105);
}

#[test]
fn large_plans_are_rehearsed_quickly() {
    let begin = Instant::now();
    let mut s = Sample::new("large");
    s.plan.header.limits.insert("gpu".into(), Limit { max: Some(3), per_minute: None, scale: None });
    s.plan.header.limits.insert("api".into(), Limit { max: None, per_minute: Some(50_000), scale: None });
    let first = s.sh("first", "true");
    let mut layer = vec![first];
    for n in 0..50_000 {
        let id = s.sh(&format!("s{n}"), "true");
        s.order(layer[n % layer.len()], id);
        let limits = &mut s.step(id).policy_mut().limits;
        limits.extend([("gpu".into(), 1 + n as u32 % 3), ("api".into(), 1)]);
        if n % 100 == 0 {
            layer = vec![id];
        } else {
            layer.push(id);
        }
    }
    let analysis = analyse(&s);
    let rehearsal = schedule(&s.plan, &analysis, 64);
    assert!(rehearsal.makespan_ms >= 50_000 / 3 * 1_000);
    let mut deep = Sample::new("deep");
    let mut inner = deep.sh("leaf", "true");
    for n in 0..20_000 {
        inner = deep.chain(&format!("g{n}"), &[inner]);
    }
    let durations = HashMap::from([("g1/g0/leaf".to_owned(), 3)]);
    assert_eq!(Analysis::of(&deep.plan, &durations).critical_ms, 1_000);
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
}

#[test]
fn what_runs_only_if_something_goes_wrong_is_not_counted() {
    let plan = super::scripts::plan(
        "recovery.rhai",
        r#"let a = sh("a", "1").estimate("3s").fallback([sh("b", "1").estimate("1h"), chain("c", [sh("d", "1").estimate("1h")])]);
           a.undo(sh("e", "1").estimate("1h"));
           a -> approve("f") -> sh("g", "1").estimate("2s").finally(sh("h", "1").estimate("1s"));"#,
    )
    .expect("nothing is wrong with it");
    let analysis = Analysis::of(&plan, &HashMap::new());
    let names = |ids: &[StepId]| ids.iter().map(|id| plan.step(*id).name.to_string()).collect::<Vec<_>>();
    let waves: Vec<_> = analysis.waves.iter().map(|wave| names(wave)).collect();
    assert_eq!(waves, [vec!["a"], vec!["f"], vec!["g"], vec!["h"]]);
    assert_eq!((analysis.critical_ms, analysis.total_ms), (6_000, 6_000));
    assert_eq!(schedule(&plan, &analysis, 1).makespan_ms, 6_000);
}
