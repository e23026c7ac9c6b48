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
