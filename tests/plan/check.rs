//! Wrong plans and what is said about them: all of it in `check.txt`, the timing of large ones here.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flow::diag::Diagnostic;
use flow::plan::check::{MOST, check, warnings};
use flow::plan::*;

use super::golden;
use super::sample::{Sample, expression, plain, reference, when};

fn show(text: &mut String, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        writeln!(text, "  {}: {}", diagnostic.code(), diagnostic.message()).expect("text");
        for (span, label) in diagnostic.labels() {
            writeln!(text, "    {span} {label}").expect("text");
        }
        writeln!(text, "    help: {}", diagnostic.help_text().expect("every diagnostic has help")).expect("text");
    }
}

type Case = (&'static str, fn(&mut Sample));

fn policy(sample: &mut Sample, id: StepId, change: impl FnOnce(&mut Policy)) {
    change(sample.step(id).policy_mut());
}

const CASES: &[Case] = &[
    ("a plan with nothing wrong", |s| {
        let build = s.sh("build", "make");
        let test = s.sh("test", "make test");
        s.order(build, test);
        let deploy = s.sh("deploy", "./deploy.sh ${build.output}");
        let page = s.sh("page", "./page.sh");
        s.flow("gate", vec![(when("test.passed", &[test]), deploy), (None, page)]);
    }),
    ("a circle of three", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        s.order(a, b);
        let c = s.sh("c", "echo ${b.output}");
        s.when(a, when("c.passed && c.output.n > 3", &[c]).expect("some"));
    }),
    ("the shortest circle is shown", |s| {
        let steps: Vec<_> = (0..40).map(|n| s.sh(&format!("s{n}"), "true")).collect();
        for pair in steps.windows(2) {
            s.order(pair[0], pair[1]);
        }
        s.order(steps[39], steps[0]);
        s.order(steps[7], steps[6]);
    }),
    ("a long circle is shortened", |s| {
        let steps: Vec<_> = (0..40).map(|n| s.sh(&format!("s{n}"), "true")).collect();
        for pair in steps.windows(2) {
            s.order(pair[0], pair[1]);
        }
        s.order(steps[39], steps[0]);
    }),
    ("a step that waits for itself", |s| {
        let a = s.sh("a", "true");
        s.order(a, a);
    }),
    ("a step that waits for its own group", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let all = s.parallel("all", &[a, b]);
        let outer = s.chain("outer", &[all]);
        s.order(outer, a);
    }),
    ("a group that waits for one of its steps", |s| {
        let a = s.sh("a", "true");
        let all = s.parallel("all", &[a]);
        s.data(a, all);
    }),
    ("a circle through a group", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let group = s.chain("group", &[a, b]);
        let c = s.sh("c", "true");
        s.order(group, c);
        s.order(c, a);
    }),
    ("two circles are two diagnostics", |s| {
        for pair in ["x", "y"] {
            let a = s.sh(&format!("{pair}1"), "true");
            let b = s.sh(&format!("{pair}2"), "true");
            s.order(a, b);
            s.order(b, a);
        }
    }),
    ("a condition that reads its own branch", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let both = s.chain("both", &[a, b]);
        s.flow("gate", vec![(when("b.passed", &[b]), both)]);
    }),
    ("a condition that reads its own flow", |s| {
        let a = s.sh("a", "true");
        let gate = s.flow("gate", vec![(None, a)]);
        let condition = when("gate.passed", &[gate]);
        s.step(gate).task = Arc::new(Task::Flow(vec![Branch { when: condition, step: a }]));
    }),
    ("a circle through a condition", |s| {
        let a = s.sh("a", "true");
        let gate = s.flow("gate", vec![(None, a)]);
        let late = s.sh("late", "true");
        s.order(gate, late);
        let condition = expression("late.passed", &[("late", late)]);
        s.step(gate).task = Arc::new(Task::Flow(vec![Branch { when: condition, step: a }]));
    }),
    ("a name twice, and once more in another scope", |s| {
        let one = s.sh("build", "make");
        let two = s.sh("build", "make again");
        let group = s.parallel("group", &[two]);
        let three = s.sh("build", "make once more");
        let anonymous = s.chain("chain", &[three]);
        s.step(anonymous).anonymous = true;
        s.order(one, group);
    }),
    ("a name three times in one group", |s| {
        let steps = [s.sh("same", "1"), s.sh("same", "2"), s.sh("same", "3")];
        s.parallel("group", &steps);
    }),
    ("a key twice; the steps within iterations are apart", |s| {
        let a = s.sh("lint", "1");
        let b = s.sh("lint", "2");
        let c = s.sh("lint", "3");
        s.each("lints", &[("a.rs", a), ("b.rs", b), ("a.rs", c)]);
    }),
    ("names with other characters", |s| {
        s.sh("", "true");
        s.sh("build it/now", "true");
        s.sh("..", "true");
        s.sh("bell\u{7}", "true");
        s.sh("größe_1.2-x", "true");
    }),
    ("a branch behind otherwise", |s| {
        let test = s.sh("test", "true");
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        s.flow("gate", vec![(None, a), (when("test.passed", &[test]), b)]);
    }),
    ("a branch behind a condition that is always true", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        s.flow("gate", vec![(when("true", &[]), a), (None, b)]);
    }),
    ("a condition that is known may be so by a parameter", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        s.flow("gate", vec![(Some(Condition::Known(true)), a), (None, b)]);
    }),
    ("conditions that are false or come twice", |s| {
        let test = s.sh("test", "true");
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| s.sh(name, "true"));
        s.flow(
            "gate",
            vec![
                (when("false", &[]), a),
                (when("test.passed", &[test]), b),
                (when("test.passed ", &[test]), c),
                (Some(Condition::Known(false)), d),
            ],
        );
        let off = s.sh("off", "true");
        s.when(off, Condition::Known(false));
    }),
    ("a condition that reads another branch", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let gate = s.flow("gate", vec![(when("false", &[]), a), (when("a.passed", &[a]), b)]);
        s.step(gate).policy_mut().priority = 3;
    }),
    ("a condition that reads what comes after another branch", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let after = s.sh("after", "true");
        s.order(a, after);
        let test = s.sh("test", "true");
        s.flow("gate", vec![(when("test.passed", &[test]), a), (when("after.passed", &[after]), b)]);
    }),
    ("hooks with edges", |s| {
        let build = s.sh("build", "make");
        let page = s.sh("page", "./page.sh ${build.output}");
        s.hook(Moment::Failure, page);
        let setup = s.sh("setup", "true");
        s.hook(Moment::Start, setup);
        s.order(setup, build);
        let early = s.sh("early", "true");
        s.hook(Moment::Start, early);
        s.order(build, early);
        let late = s.sh("late", "true");
        s.order(page, late);
        let report = s.sh("report", "./report.sh ${build.error}");
        s.step(report).policy_mut().rule = Rule::AllDone;
        s.hook(Moment::Complete, report);
        let one = s.sh("one", "true");
        let two = s.sh("two", "true");
        let both = s.chain("both", &[one, two]);
        s.hook(Moment::Complete, both);
    }),
    ("limits", |s| {
        s.plan.header.limits.insert("database".into(), Limit { max: Some(2), per_minute: None, scale: None });
        s.plan.header.limits.insert("api".into(), Limit { max: None, per_minute: Some(10), scale: None });
        s.plan.header.limits.insert("none".into(), Limit { max: Some(0), per_minute: None, scale: None });
        for (name, limit, shares) in
            [("a", "databse", 1), ("b", "database", 3), ("c", "api", 11), ("d", "none", 1), ("e", "database", 0)]
        {
            let id = s.sh(name, "true");
            policy(s, id, |policy| policy.limits.push((limit.into(), shares)));
        }
    }),
    ("a limit where none is declared", |s| {
        let id = s.sh("a", "true");
        policy(s, id, |policy| policy.limits.push(("gpu".into(), 1)));
    }),
    ("settings of zero", |s| {
        s.plan.header.settings.max_parallel = Some(0);
        s.plan.header.settings.timeout_ms = Some(0);
        let a = s.sh("a", "true");
        policy(s, a, |policy| {
            policy.timeout_ms = Some(0);
            policy.retry = Some(Retry { max_attempts: 0, jitter: 2.0, ..Retry::default() });
        });
        s.repeat("again", 0, None);
    }),
    ("policies out of place", |s| {
        let a = s.sh("a", "true");
        let b = s.sh("b", "true");
        let group = s.chain("group", &[a, b]);
        policy(s, group, |policy| {
            policy.retry = Some(Retry::default());
            policy.timeout_ms = Some(1_000);
            policy.env.push(("A".into(), plain("1")));
        });
        let wait = s.add("pause", Task::Wait(5_000));
        policy(s, wait, |policy| {
            policy.retry = Some(Retry::default());
            policy.timeout_ms = Some(1_000);
        });
        let call = s.add("sum", Task::Call(super::sample::closure("|x| x + 1", &[])));
        policy(s, call, |policy| {
            policy.stdin = Some(plain("text"));
            policy.parse = Parse::Json;
            policy.cwd = Some(plain("/tmp"));
            policy.retry = Some(Retry::default());
        });
    }),
    ("rules", |s| {
        let tidy = s.sh("tidy", "true");
        policy(s, tidy, |policy| policy.rule = Rule::AllDone);
        let pause = s.add("pause", Task::Wait(1));
        let rescue = s.sh("rescue", "true");
        s.order(pause, rescue);
        policy(s, rescue, |policy| policy.rule = Rule::OneFailed);
        let over = s.add("over", Task::Fail(plain("no")));
        let after = s.sh("after", "true");
        s.order(over, after);
        let shown = s.add("shown", Task::Const(reference(after, "output")));
        s.data(after, shown);
    }),
];

#[test]
fn what_is_wrong_with_a_plan() {
    let mut text = String::new();
    for (name, build) in CASES {
        let mut sample = Sample::new("wrong");
        build(&mut sample);
        writeln!(text, "{name}").expect("text");
        show(&mut text, &check(&sample.plan));
        let mut mild = String::new();
        show(&mut mild, &warnings(&sample.plan));
        text.push_str(&mild.replace("  flow::", "  warning flow::"));
        text.push('\n');
    }
    golden("check.txt", &text);
}

#[test]
fn not_more_is_said_than_can_be_read() {
    let mut sample = Sample::new("wrong");
    for n in 0..500 {
        sample.sh(&format!("bad name {n}"), "true");
    }
    assert_eq!(check(&sample.plan).len(), MOST);
}

/// Plans that make careless algorithms quadratic, or recursive ones overflow their stack.
#[test]
fn large_plans_are_checked_in_linear_time() {
    let begin = Instant::now();
    // One circle of 100,000 steps.
    let mut circle = Sample::new("circle");
    let steps: Vec<_> = (0..100_000).map(|n| circle.sh(&format!("s{n}"), "true")).collect();
    for n in 0..steps.len() {
        circle.order(steps[n], steps[(n + 1) % steps.len()]);
    }
    assert_eq!(check(&circle.plan).len(), 1);
    // Groups within groups.
    let mut deep = Sample::new("deep");
    let mut inner = deep.sh("leaf", "true");
    for n in 0..100_000 {
        inner = deep.chain(&format!("g{n}"), &[inner]);
    }
    assert!(check(&deep.plan).is_empty());
    // Nested flows with a condition on every level.
    let mut nested = Sample::new("nested");
    let test = nested.sh("test", "true");
    let mut inner = nested.sh("leaf", "true");
    for n in 0..10_000 {
        let other = nested.sh(&format!("o{n}"), "true");
        inner = nested.flow(&format!("f{n}"), vec![(when("test.passed", &[test]), inner), (None, other)]);
    }
    assert!(check(&nested.plan).is_empty());
    assert!(warnings(&nested.plan).is_empty());
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
}
