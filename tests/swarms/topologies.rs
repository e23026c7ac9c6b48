//! Each topology, in the ways in which its agents can talk.

use serde_json::json;

use crate::bench::Bench;

/// A coordinator that gives three tasks, one of which looks like something of a script, and merges.
const CHIEF: &str = r#"if grep -q 'You lead a team' prompt-$$; then
echo '{"tasks": [{"title": "one", "prompt": "Do ${x.y} one", "capability": "rust"}, {"title": "two", "prompt": "Do two"}, {"title": "three", "prompt": "Do three", "agent": "bob"}]}'
else echo merged; fi"#;

const YES: &str = "echo yes";
const NO: &str = "echo no";

#[test]
fn a_coordinator_gives_tasks_and_somebody_merges() {
    let bench = Bench::new(
        r#"
        one("ann", #{ capabilities: ["rust"] });
        one("bob", #{});
        one("chief", #{});
        let team = swarm("coordinator: chief → specialists: [ann, bob] → aggregator: chief", #{ name: "team", goal: "Do it" });
        sh("tell", `echo ${team.output}`);
        "#,
        &[("ann", "echo by ann"), ("bob", "echo by bob"), ("chief", CHIEF)],
    );
    let run = bench.run().well();
    assert_eq!(run.output("tell"), "merged");
    assert_eq!(run.output("team/assign").as_array().map(Vec::len), Some(3));
    let who: Vec<_> = run.output("team/assign").as_array().unwrap().iter().map(|task| task["agent"].clone()).collect();
    assert_eq!(who, ["ann", "bob", "bob"]);
    assert_eq!(*run.output("team/work"), json!(["by ann", "by bob", "by bob"]));
    // What the coordinator wrote is a text, whatever it looks like.
    assert!(bench.asked("ann")[0].contains("Do ${x.y} one"), "{:?}", bench.asked("ann"));
    let merge = &bench.asked("chief")[1];
    assert!(merge.contains("<data from=\"work[0]\">\nby ann"), "{merge}");
    let plan = bench.tell(&["plan", "team.rhai"]);
    assert!(plan.contains("swarm (hierarchical)"), "{plan}");
    assert!(bench.tell(&["why", "last", "team/work[0]"]).contains("team.rhai:"));
}

#[test]
fn all_work_for_the_one_in_the_middle() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{}), one("bob", #{})];
        swarm("star").goal("Do it").agents(team).aggregator(one("chief", #{})).parts(#{ ann: "the front" }).parallel_limit(1);
        "#,
        &[("ann", YES), ("bob", NO), ("chief", "echo merged")],
    );
    let run = bench.run().well();
    assert_eq!(run.output("star"), "merged");
    assert!(bench.asked("ann")[0].contains("Your part of it: the front"));
    let merge = &bench.asked("chief")[0];
    assert!(merge.contains("<data from=\"ann\">\nyes") && merge.contains("<data from=\"bob\">\nno"), "{merge}");
}

#[test]
fn a_vote_decides() {
    let bench = Bench::new(
        r#"
        let all = [one("ann", #{ weight: 3.0 }), one("bob", #{}), one("cy", #{ priority: 7 })];
        swarm("most", #{ goal: "Is it?", agents: all, conflict: "majority" });
        swarm("heavy", #{ goal: "Is it?", agents: all, conflict: "weighted" });
        swarm("first", #{ goal: "Is it?", agents: all, conflict: "priority" });
        swarm("all", #{ goal: "Is it?", agents: all, conflict: "consensus", on_conflict: one("judge", #{}) });
        swarm("none", #{ goal: "Is it?", agents: all, conflict: "consensus" }).on_error("continue");
        swarm("key", #{ goal: "Is it?", agents: all, conflict: "majority", vote: |answer| answer.len() }).on_error("continue");
        "#,
        &[("ann", YES), ("bob", NO), ("cy", "echo ' no '"), ("judge", "echo perhaps")],
    );
    let run = bench.run().well();
    assert_eq!(run.output("most"), "no");
    assert_eq!(run.output("heavy"), "yes");
    assert_eq!(run.output("first"), " no ");
    assert_eq!(run.output("all"), "perhaps");
    let judge = &bench.asked("judge")[0];
    let (data, task) = judge.split_once("Your task:").expect("a task");
    assert!(data.contains(r#"no consensus: bob, cy for \"no\"; ann for \"yes\""#), "{judge}");
    assert!(task.contains("could not agree") && !task.contains("yes"), "{judge}");
    assert_eq!(run.error("none/decide"), "no consensus: bob, cy for \"no\"; ann for \"yes\"");
    assert_eq!(run.status("key/decide"), "failed", "three different lengths are no majority: {}", run.output("key"));
}

#[test]
fn a_mesh_talks_until_it_agrees() {
    let bench = Bench::new(
        r#"
        let mesh = swarm("mesh", #{
            topology: "mesh", goal: "Agree", agents: [one("ann", #{}), one("bob", #{})], rounds: 5, conflict: "consensus",
        });
        sh("tell", `echo ${mesh.output}`);
        "#,
        &[("ann", "echo yes"), ("bob", "if grep -q 'round 3' prompt-$$; then echo yes; else echo no; fi")],
    );
    let run = bench.run().well();
    assert_eq!(run.output("tell"), "yes");
    assert_eq!(run.output("mesh/rounds[3]/tally")["why"], "all agree: ann, bob");
    let asked = bench.asked("ann");
    assert_eq!(asked.len(), 3, "there is no fourth round");
    let (data, task) = asked[1].split_once("Your task:").expect("a task");
    assert!(data.contains("<data from=\"said\">") && data.contains(r#""bob""#), "{data}");
    assert!(task.contains("You are ann") && !task.contains("bob"), "{task}");
}

#[test]
fn a_mesh_without_rounds_for_all_sees_the_board() {
    let bench = Bench::new(
        r#"
        swarm("mesh", #{
            topology: "mesh", goal: "Agree", agents: [one("ann", #{}), one("bob", #{})], communication: "asynchronous",
            conflict: "consensus", rounds: 2,
        });
        "#,
        &[("ann", YES), ("bob", YES)],
    );
    let run = bench.run().well();
    assert_eq!(run.output("mesh"), "yes");
    assert_eq!(*run.output("mesh/board"), json!({ "ann": "yes", "bob": "yes" }));
}

#[test]
fn one_after_the_other() {
    let bench = Bench::new(
        r#"
        let goal = sh("goal", "echo the goal");
        goal -> swarm("line", #{ topology: "pipeline", agents: [one("ann", #{}), one("bob", #{})], state: "global" });
        "#,
        &[("ann", YES), ("bob", NO)],
    );
    let run = bench.run().well();
    assert_eq!(run.output("line"), "no");
    assert!(bench.asked("ann")[0].contains("<data from=\"goal\">\nthe goal"));
    assert!(bench.asked("bob")[0].contains("<data from=\"ann\">\nyes"));
    assert!(bench.asked("bob")[0].contains("What stands on the board `board`"));
}

#[test]
fn the_one_in_the_middle_leads_rounds() {
    let bench = Bench::new(
        r#"
        swarm("hub", #{ goal: "Do it", agents: [one("ann", #{})], aggregator: one("chief", #{}), rounds: 4 });
        "#,
        &[
            ("ann", YES),
            (
                "chief",
                r#"if grep -q 'round 2' prompt-$$; then echo '{"done": true, "answer": "whole"}'
                else echo '{"done": false, "answer": "half", "feedback": "the rest"}'; fi"#,
            ),
        ],
    );
    let run = bench.run().well();
    assert_eq!(run.output("hub"), "whole");
    assert_eq!(bench.asked("ann").len(), 2);
    assert!(bench.asked("ann")[1].contains("What is still to be done: the rest"));
}

#[test]
fn nobody_waits_for_all() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{ capabilities: ["rust"] }), one("bob", #{})];
        let chief = one("chief", #{});
        swarm("each", #{ goal: "Do it", agents: team, aggregator: chief, communication: "asynchronous" });
        swarm("heard", #{ goal: "Do it", agents: team, aggregator: chief, communication: "event_driven" });
        swarm("led", #{ goal: "Do it", agents: team, coordinator: chief, communication: "event_driven", state: "hierarchical" });
        "#,
        // The first answer is taken in before the second is there.
        &[
            ("ann", YES),
            ("bob", "if grep -q 'Do it' prompt-$$; then until [ -e taken ]; do sleep 0.01; done; fi; echo no"),
            ("chief", &format!("{CHIEF}\ntouch taken")),
        ],
    );
    let run = bench.run().well();
    assert_eq!(run.output("each"), "merged");
    assert_eq!(*run.output("heard/hear"), json!(["merged", "merged"]));
    assert_eq!(run.output("led/hear").as_array().map(Vec::len), Some(3));
    assert_eq!(run.output("led/board")["tasks"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_pool_says_who_and_how_many() {
    let bench = Bench::new(
        r#"
        one("ann", #{ capabilities: ["rust"] });
        one("bob", #{});
        let crew = pool("crew", #{ ann: 2, bob: 1 }, #{ min: 1, max: 2, scale: "queue.length / 2", idle_timeout: "10s" });
        crew.ask("bob", "One", #{ name: "one" });
        crew.ask("Two", #{ name: "two" });
        crew.ask("Three", #{ capability: "rust", name: "three" });
        swarm("most", #{ goal: "Is it?", agents: crew, conflict: "majority", needed: 1, on_conflict: "ann" });
        "#,
        &[("ann", YES), ("bob", NO)],
    );
    let run = bench.run().well();
    let said: Vec<_> = ["one", "two", "three", "most"].map(|step| run.output(step).clone()).into();
    assert_eq!(said, ["no", "yes", "yes", "yes"]);
    let plan = bench.tell(&["plan", "team.rhai"]);
    assert!(plan.contains("crew.ann: 2 at once") && plan.contains("limit crew.ann"), "{plan}");
}
