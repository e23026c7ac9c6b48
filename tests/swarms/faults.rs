//! Agents that fail, answer something else, or are killed.

use crate::bench::Bench;

const BROKEN: &str = "echo so far; exit 3";

#[test]
fn another_takes_over_and_is_told_how_far_it_came() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{ role: "coder" }), one("bob", #{ role: "coder" }), one("cy", #{ role: "writer" })];
        swarm("team", #{ goal: "Do it", agents: team, aggregator: "cy", failover: true });
        "#,
        &[("ann", BROKEN), ("bob", "echo by bob"), ("cy", "echo merged")],
    );
    let run = bench.run().well();
    assert_eq!(run.output("team/ann"), "by bob");
    let prompt = &bench.asked("bob").into_iter().find(|prompt| prompt.contains("take over")).expect("a prompt");
    assert!(prompt.contains("so far"), "{prompt}");
    let why = bench.tell(&["why", "last", "team/ann"]);
    assert!(why.contains("ann-by-bob"), "{why}");
}

#[test]
fn a_coordinator_that_gives_no_tasks_is_asked_again_and_then_refused() {
    let bench = Bench::new(
        r#"
        swarm("talk", #{ goal: "Do it", coordinator: one("chief", #{}), agents: [one("ann", #{})] }).on_error("continue");
        swarm("other", #{ goal: "Do it", coordinator: one("boss", #{}), agents: ["ann"] });
        "#,
        &[
            ("ann", "echo yes"),
            ("chief", "echo I would rather not"),
            ("boss", r#"echo '{"tasks": [{"title": "x", "prompt": "y", "agent": "dan"}]}'"#),
        ],
    );
    let run = bench.run().badly();
    assert_eq!(run.step("talk/plan")["attempts"], 2);
    assert!(run.error("talk/plan").contains("is to be JSON"), "{}", run.error("talk/plan"));
    assert!(run.error("other/plan").contains("dan"), "{}", run.error("other/plan"));
    assert_eq!(run.status("other/work"), "skipped");
}

#[test]
fn some_may_fail_but_not_all() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{}), one("bob", #{}), one("cy", #{})];
        swarm("some", #{ goal: "Do it", agents: team, aggregator: "cy", needed: 1 });
        swarm("more", #{ goal: "Do it", agents: team, aggregator: "cy", needed: 2 });
        "#,
        &[("ann", BROKEN), ("bob", BROKEN), ("cy", "echo by cy")],
    );
    let run = bench.run().badly();
    assert_eq!(run.output("some"), "by cy");
    let error = run.error("more/enough");
    assert!(error.starts_with("only 1 of 3 agents answered, and 2 have to; ann: "), "{error}");
    assert_eq!(run.status("more"), "failed");
}

#[test]
fn killed_in_the_middle_of_a_mesh_it_goes_on_in_its_round() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{}), one("bob", #{})];
        swarm("mesh", #{ topology: "mesh", goal: "Agree", agents: team, rounds: 3, conflict: "consensus" });
        "#,
        &[
            ("ann", "echo yes"),
            // In the second round it waits for ever, the first time.
            (
                "bob",
                "if ! grep -q 'round 2' prompt-$$; then echo no; elif mkdir once 2>/dev/null; then touch stuck; sleep 600; else echo yes; fi",
            ),
        ],
    );
    let mut running = bench.start();
    bench.wait_for("stuck");
    running.kill().expect("it can be killed");
    running.wait().expect("it is over");
    let run = bench.resume().well();
    assert_eq!(run.output("mesh"), "yes");
    assert_eq!(run.step("mesh/rounds[2]/bob")["attempts"], 2);
    assert_eq!(bench.asked("bob").len(), 3, "the first round is not made again");
    assert_eq!(run.output("mesh/rounds[2]/tally")["round"], 2);
}

#[test]
fn who_stands_in_for_another_has_one_vote() {
    let bench = Bench::new(
        r#"
        let team = [one("bad", #{ role: "x", weight: 9.0 }), one("ann", #{ role: "x" }), one("bob", #{ role: "x" })];
        let how = #{ goal: "Is it?", agents: team, failover: true };
        swarm("vote", how + #{ conflict: "majority" }).on_error("continue");
        swarm("heavy", how + #{ conflict: "weighted" }).on_error("continue");
        swarm("mesh", how + #{ topology: "mesh", conflict: "majority", rounds: 2 }).on_error("continue");
        swarm("told", how + #{ aggregator: "bob", communication: "event_driven" });
        "#,
        &[("bad", BROKEN), ("ann", "echo yes"), ("bob", "echo no")],
    );
    let run = bench.run();
    for vote in ["vote/tally", "heavy/tally", "mesh/rounds[2]/tally"] {
        assert_eq!(run.output(vote)["why"].as_str().map(|why| why.starts_with("a tie: ann")), Some(true), "{vote}");
        assert_eq!(run.output(vote)["decided"], false);
        assert_eq!(run.output(vote)["answers"], serde_json::json!({ "ann": "yes", "bob": "no" }));
    }
    assert_eq!(run.output("told/tell-bad")["from"], "bad-by-ann");
    assert_eq!(run.output("told/tell-ann")["from"], "ann");
}

#[test]
fn the_same_json_is_the_same_answer() {
    let bench = Bench::new(
        r#"swarm("vote", #{ goal: "Is it?", agents: [one("ann", #{}), one("bob", #{})], conflict: "consensus" });"#,
        &[("ann", r#"echo '{"v": 1, "w": "x"}'"#), ("bob", r#"echo '{"w":"x","v":1}'"#)],
    );
    assert_eq!(bench.run().well().output("vote/tally")["why"], "all agree: ann, bob");
}

#[test]
fn what_means_nothing_is_refused() {
    let refused = |script: &str| Bench::new(script, &[]).refusal();
    let vote = refused(r#"swarm("s", #{ goal: "g", agents: [one("a", #{})], aggregator: "a", vote: "key" });"#);
    assert!(vote.contains("says what of the answers is compared"), "{vote}");
    let pools = refused(r#"one("a", #{}); pool("crew", #{ a: 1 }); pool("crew", #{ a: 5 });"#);
    assert!(pools.contains("there are two pools `crew`") && pools.contains("first declared here"), "{pools}");
}

#[test]
fn a_swarm_in_work_trees_of_its_agents() {
    let bench = Bench::new(
        r#"
        let team = [one("ann", #{}), one("bob", #{})];
        swarm("vote", #{ goal: "Is it?", agents: team, conflict: "majority" }).isolate("worktree");
        swarm("star", #{ goal: "Is it?", agents: team, aggregator: "bob" });
        "#,
        &[("ann", "echo yes"), ("bob", "echo yes")],
    );
    let plan = bench.tell(&["plan", "team.rhai"]);
    assert_eq!(plan.matches("in a work tree of its own").count(), 3, "the swarm, and each of its agents: {plan}");
}

#[test]
fn an_answer_that_is_json_notes_something() {
    let bench = Bench::new(
        r#"
        let facts = board("facts");
        let ann = one("ann", #{});
        ann.ask("q", "Count", #{ board: facts, schema: #{ v: "number" } });
        ann.ask("own", "Count", #{ board: facts, schema: #{ v: "number", notes: #{ cause: "string" } } });
        one("bob", #{}).ask("none", "Count", #{ board: facts, schema: #{ v: "number" } });
        one("cy", #{}).ask("wrong", "Count", #{ board: facts, schema: #{ v: "number" } }).on_error("continue");
        "#,
        &[
            ("ann", r#"echo '{"v": 1, "notes": {"cause": "a leak"}}'"#),
            ("bob", r#"echo '{"v": 2}'"#),
            ("cy", r#"echo '{"v": 3, "notes": "a leak"}'"#),
        ],
    );
    let run = bench.run();
    assert_eq!(*run.output("q"), serde_json::json!({ "v": 1 }));
    assert_eq!(run.output("own")["notes"]["cause"], "a leak");
    assert_eq!(*run.output("none"), serde_json::json!({ "v": 2 }));
    assert!(run.error("wrong").contains("no map"), "{}", run.error("wrong"));
    assert_eq!(*run.output("facts"), serde_json::json!({ "cause": "a leak" }));
    assert!(bench.asked("bob")[0].contains("under the key `notes`"), "{}", bench.asked("bob")[0]);
}

#[test]
fn what_was_given_is_given_in_each_round() {
    let bench = Bench::new(
        r#"
        let goal = sh("goal", "echo 'Find the leak'");
        let team = [one("ann", #{}), one("bob", #{})];
        goal -> swarm("mesh", #{ topology: "mesh", agents: team, rounds: 2, aggregator: "bob", conflict: "majority" }).on_error("continue");
        goal -> swarm("vote", #{ agents: team, conflict: "majority", on_conflict: "ann", aggregator: "bob" });
        "#,
        &[("ann", "echo yes"), ("bob", "echo no")],
    );
    let run = bench.run();
    let second = bench.asked("ann").into_iter().find(|prompt| prompt.contains("round 2")).expect("a second round");
    let (data, task) = second.split_once("Your task:").expect("a task");
    assert!(data.contains("Find the leak") && data.contains("no") && !task.contains("leak"), "{second}");
    let merge = bench.asked("bob").into_iter().find(|prompt| prompt.contains("final answer")).expect("a merge");
    let (data, _) = merge.split_once("Your task:").expect("a task");
    assert!(data.contains("decision") && data.contains("yes"), "{merge}");
    assert_eq!(run.output("vote"), "no");
}
