//! Several processes on one database.

use std::collections::BTreeSet;

use crate::bench::Bench;

const FIFTY: &str = r#"
let name = param("name");
let list = sh("list", `seq 1 24`).parse("lines");
each("calls", list.lines, |n| call("c", || n + name));
for i in 1..=25 { sh(`s${i}`, `echo ${i} ${name}`); }
"#;

#[test]
fn four_processes_run_at_once() {
    let bench = Bench::with(FIFTY);
    let going: Vec<_> = (1..=4)
        .map(|n| bench.start(&["script", "test.rhai", "--arg", &format!("name={n}"), "--json", "--quiet"]))
        .collect();
    // Whoever looks meanwhile sees each run, alive.
    crate::bench::until("four runs", || {
        let runs = bench.runs();
        for run in &runs {
            let status = run["status"].as_str().unwrap();
            assert!(["pending", "running", "success"].contains(&status), "{run}");
        }
        (runs.len() == 4).then_some(())
    });
    let mut ids = BTreeSet::new();
    for (n, going) in (1..).zip(going) {
        let run = going.end().ok().json();
        assert_eq!(run["status"], "success");
        let steps = run["steps"].as_object().unwrap();
        assert_eq!(steps.len(), 51);
        assert!(steps.values().all(|step| step["status"] == "success"), "{run}");
        assert_eq!(steps["s7"]["output"], format!("7 {n}"));
        assert_eq!(steps["calls[3]"]["output"], format!("3{n}"));
        ids.insert(run["run"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 4);
    for id in &ids {
        assert!(bench.flow(&["verify", id]).ok().out.contains("is as it was written"));
    }
    assert!(bench.runs().iter().all(|run| run["status"] == "success" && run["steps"]["success"] == 50));
}
