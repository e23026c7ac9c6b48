//! Attempts that are ended since they take, or use, too much.

use crate::bench::{Bench, INIT, TEXT, is_alive};

#[track_caller]
fn is_ended(body: &str, options: &str, verdict: &str, says: &str) {
    let bench =
        Bench::claude(&format!("setsid sh -c 'echo $$ > tool.pid; sleep 600' & echo '{INIT}'; {body}"), options);
    let step = bench.ask(1);
    assert_eq!(step["verdict"], verdict, "{step:#}");
    assert!(step["error"].as_str().unwrap().contains(says), "{step:#}");
    assert!(!is_alive(&bench.wait_for("tool.pid")[0]));
}

#[test]
fn silence_has_an_end() {
    is_ended("sleep 600", "idle_timeout: \"1s\"", "hung", "said nothing for 1s");
}

#[test]
fn so_has_all_of_it() {
    is_ended(&format!("while :; do echo '{TEXT}'; sleep 0.1; done"), "timeout: \"1s\"", "hung", "timeout of 1s");
}

#[test]
fn what_it_may_use_has_an_end() {
    let used = r#"{"type":"agent.usage","cost_usd":2.0,"tokens":{"output":5000},"turns":3}"#;
    for budget in ["usd: 1.0", "tokens: 1000", "turns: 2"] {
        let bench = Bench::new();
        bench.write("fake.sh", format!("cat > /dev/null; echo '{used}'; sleep 600"));
        bench.write(
            "test.rhai",
            format!("let a = agent(\"coder\", #{{ backend: \"command\", command: [\"sh\", \"fake.sh\"], budget: #{{ {budget} }} }});\nlet ask = a.ask(\"ask\", \"Do it\");\n"),
        );
        let step = bench.ask(1);
        assert_eq!(step["verdict"], "over_budget", "{step:#}");
        assert!(step["error"].as_str().unwrap().contains("was ended"), "{step:#}");
        // It is counted all the same.
        assert_eq!((&step["cost_usd"], &step["turns"]), (&2.0.into(), &3.into()));
    }
}

#[test]
fn memory_of_all_its_processes_has_an_end() {
    // 200 MiB in a process of its own.
    let hungry = "head -c 200000000 /dev/zero | tail -c 200000000 | sleep 600";
    is_ended(hungry, "max_memory: \"64 MiB\"", "failed", "of memory");
}

#[test]
fn output_has_an_end() {
    let bench = Bench::claude(&format!("echo '{INIT}'; while :; do echo '{TEXT}'; done"), "")
        .and("settings(#{ output_limit: \"1 MiB\" });");
    let step = bench.ask(1);
    assert!(step["error"].as_str().unwrap().contains("output limit of 1 MiB"), "{step:#}");
}
