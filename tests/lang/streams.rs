//! Streams, races and quorums as scripts write them, and the plans that they give.

use flow::plan::{Ack, EdgeKind, ItemError, Merge, Plan, Reads, Slow, StepId, Stream, Task};

use crate::{edges, plan, plan_of};

/// The only stream of a plan.
fn stream(plan: &Plan) -> (StepId, Stream) {
    let mut found = plan.ids().filter_map(|id| match &*plan.step(id).task {
        Task::Stream(stream) => Some((id, (**stream).clone())),
        _ => None,
    });
    let one = found.next().expect("there is a stream");
    assert!(found.next().is_none(), "there are several");
    one
}

/// Its levels, by names: `a | b c | d`.
fn levels(plan: &Plan) -> String {
    let (group, stream) = stream(plan);
    for member in stream.members() {
        assert_eq!(plan.step(member).parent, Some(group));
    }
    let names = |level: &Vec<StepId>| level.iter().map(|id| plan.step(*id).name.as_str()).collect::<Vec<_>>().join(" ");
    stream.levels.iter().map(names).collect::<Vec<_>>().join(" | ")
}

const STEPS: &str =
    "let a = sh(\"a\", \"ls\"); let b = sh(\"b\", \"cat\"); let c = sh(\"c\", \"wc\"); let d = sh(\"d\", \"tee\");\n";

#[test]
fn however_a_stream_is_written_it_has_the_same_levels() {
    for (written, wanted) in [
        ("a |> b |> c |> d;", "a | b | c | d"),
        ("(a |> b) |> c;", "a | b | c"),
        ("a |> (b |> c);", "a | b | c"),
        ("(a |> b) |> (c |> d);", "a | b | c | d"),
        ("a |> [b, c] |> d;", "a | b c | d"),
        ("[a, b] |> c;", "a b | c"),
        ("[a, b] |> [c, d];", "a b | c d"),
        ("[a, [b]] |> c;", "a b | c"),
        ("let s = a |> b; s |> c;", "a | b | c"),
        ("let s = b |> c; a |> s;", "a | b | c"),
        ("let s = a |> b; s.timeout(\"1m\"); s |> c;", "a | b | c"),
        ("let s = (a |> b).timeout(\"1m\"); s |> c;", "a | b | c"),
        ("stream([a, [b, c], d]);", "a | b c | d"),
        ("stream(\"s\", [a, b]) |> c;", "a | b | c"),
        ("stream(\"s\", \"a |> [b, c] |> d\");", "a | b c | d"),
        ("stream(\"a |> b\");", "a | b"),
        ("let s = stream(\"a|>b\"); s.retry(2);", "a | b"),
    ] {
        assert_eq!(levels(&plan(&format!("{STEPS}{written}"))), wanted, "{written}");
    }
}

#[test]
fn a_stream_without_a_name_adds_nothing_to_paths() {
    let unnamed = plan("sh(\"a\", \"ls\") |> sh(\"b\", \"cat\");");
    let (group, _) = stream(&unnamed);
    assert!(unnamed.step(group).anonymous);
    assert_eq!(unnamed.path(StepId(0)), "a");
    let named = plan("stream(\"s\", [sh(\"a\", \"ls\"), sh(\"b\", \"cat\")]);");
    assert_eq!(named.path(StepId(0)), "s/a");
}

#[test]
fn arrows_reach_the_ends_of_a_stream() {
    for written in ["x -> a |> b -> y;", "x -> (a |> b) -> y;", "let s = a |> b; x -> s; s -> y;"] {
        let script = format!("let x = sh(\"x\", \"ls\"); let y = sh(\"y\", \"cat\");\n{STEPS}{written}");
        let plan = plan(&script);
        let (group, _) = stream(&plan);
        assert_eq!(edges(&plan).len(), 2, "{written}: {:?}", edges(&plan));
        assert_eq!(plan.step(group).input, [StepId(0)]);
        assert_eq!(plan.step(StepId(1)).input, [group], "{written}");
        // Its first level gets it as its standard input.
        assert_eq!(plan.step(StepId(2)).input, [StepId(0)]);
        assert!(plan.step(StepId(3)).input.is_empty());
    }
}

#[test]
fn what_members_wait_for_the_stream_waits_for() {
    let plan = plan(
        "let x = sh(\"x\", \"ls\"); let y = sh(\"y\", \"ls\"); let z = sh(\"z\", \"ls\");\n\
         sh(\"a\", `ls ${x.output}`) |> sh(\"b\", \"cat\").after(y) |> lines(|line| line + z.output);",
    );
    let (group, _) = stream(&plan);
    let waits: Vec<(u32, EdgeKind)> = plan.step(group).after.iter().map(|edge| (edge.from.0, edge.kind)).collect();
    assert_eq!(waits, [(0, EdgeKind::Data), (1, EdgeKind::Order), (2, EdgeKind::Data)]);
    // A member keeps what it reads, and has no order of its own.
    let kinds = |id: u32| plan.step(StepId(id)).after.iter().map(|edge| edge.kind).collect::<Vec<_>>();
    assert_eq!((kinds(3), kinds(4), kinds(6)), (vec![EdgeKind::Data], vec![], vec![EdgeKind::Data]));
}

#[test]
fn a_stream_has_options() {
    let options =
        "#{ merge: \"tagged\", slow: \"drop_oldest\", buffer: 7, tee: \"2 KiB\", linger: \"5s\", max_line: \"1 MiB\" }";
    for written in [
        format!("stream(\"s\", [a, b], {options});"),
        format!("stream([a, b], {options});"),
        format!("stream(\"s\", \"a |> b\", {options});"),
    ] {
        let (_, stream) = stream(&plan(&format!("{STEPS}{written}")));
        assert_eq!((stream.merge, stream.slow), (Merge::Tagged, Slow::DropOldest(7)));
        assert_eq!((stream.tee, stream.linger_ms, stream.max_line), (2048, 5000, 1 << 20));
    }
}

#[test]
fn closures_stand_in_streams() {
    let plan = plan(
        "sh(\"a\", \"ls\") |> lines(|l| l) |> lines(\"b\", |l| l) |> ndjson(\"c\", |v| v.x, #{ on_error: \"skip\" }) |> ndjson(|v| v);",
    );
    let filters: Vec<(String, Reads, ItemError)> = plan
        .steps
        .iter()
        .filter_map(|step| match &*step.task {
            Task::Filter(filter) => Some((step.name.to_string(), filter.reads, filter.on_error)),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = filters.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!((names[1], names[2]), ("b", "c"));
    assert!(names[0].starts_with("lines-") && names[3].starts_with("ndjson-"), "{names:?}");
    assert_eq!(filters[2].2, ItemError::Skip);
    assert_eq!(filters[3].1, Reads::Ndjson);
}

#[test]
fn members_say_what_they_have_dealt_with() {
    let plan = plan("sh(\"a\", \"ls\") |> sh(\"b\", \"cat\").retry(3).ack(\"line\");");
    assert_eq!(plan.step(StepId(1)).policy().ack, Ack::Line);
    assert_eq!(plan.step(StepId(1)).policy().retry.as_ref().map(|retry| retry.max_attempts), Some(3));
}

#[test]
fn streams_stand_in_other_groups() {
    let in_chain =
        plan("chain(\"c\", [sh(\"x\", \"ls\"), sh(\"a\", \"cat\") |> sh(\"b\", \"wc\"), sh(\"y\", \"cat\")]);");
    let (group, _) = stream(&in_chain);
    assert_eq!(in_chain.path(group), "c/stream-1");
    assert_eq!(in_chain.path(StepId(1)), "c/a");
    let in_each = plan("each(\"e\", [1, 2], |n| sh(\"a\", `seq ${n}`) |> sh(\"b\", \"wc\"));");
    assert!(in_each.ids().any(|id| in_each.path(id) == "e[1]/a"), "{:?}", crate::paths(&in_each));
    let in_flow =
        plan("let t = sh(\"t\", \"true\"); flow(\"f\").when(|| t.passed, sh(\"a\", \"ls\") |> sh(\"b\", \"wc\"));");
    assert_eq!(levels(&in_flow), "a | b");
    let whole = plan(
        "(sh(\"a\", \"ls\") |> sh(\"b\", \"wc\")).when(\"1 < 2\").retry(2).on_error(\"skip\").fallback(sh(\"c\", \"true\"));",
    );
    assert_eq!(levels(&whole), "a | b");
}

#[test]
fn races_and_quorums_need_some_of_their_steps() {
    let steps = "[sh(\"a\", \"x\"), sh(\"b\", \"y\") -> sh(\"c\", \"z\")]";
    for (written, wanted) in [
        (format!("race({steps});"), ("race", 1)),
        (format!("race(\"q\", {steps});"), ("race", 1)),
        (format!("quorum(1, {steps});"), ("quorum", 1)),
        (format!("quorum(\"q\", 2, {steps});"), ("parallel", 2)),
        (format!("parallel({steps}, #{{ fail_fast: true }});"), ("parallel", 2)),
        (format!("parallel(\"q\", {steps}, #{{ fail_fast: true }});"), ("parallel", 2)),
    ] {
        let plan = plan(&written);
        let found = plan.steps.iter().find_map(|step| match &*step.task {
            Task::Quorum(quorum) => Some(quorum),
            _ => None,
        });
        let quorum = found.expect("there is one");
        assert_eq!((quorum.kind(), quorum.need), wanted, "{written}");
        assert_eq!(quorum.children.len(), 2, "{written}");
        assert!(quorum.children.iter().all(|child| plan.step(*child).parent.is_some()));
    }
    let plain = plan(&format!("parallel(\"p\", {steps}, #{{ fail_fast: false }});"));
    assert!(plain.steps.iter().any(|step| matches!(&*step.task, Task::Parallel(_))));
}

#[test]
fn a_stream_that_was_refused_is_not_half_made() {
    // The second use is wrong; nothing of it may stay behind in what a prompt goes on with.
    let problem = plan_of("let a = sh(\"a\", \"ls\"); a |> sh(\"b\", \"x\"); a |> sh(\"c\", \"y\");").err();
    assert_eq!(problem.expect("it is wrong").code(), "flow::plan::stream");
}
