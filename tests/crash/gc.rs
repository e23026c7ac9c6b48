//! Removing old runs: killed at random moments, beside runs of other processes, and after runs as `flow.toml` says.

use std::collections::BTreeSet;
use std::sync::Arc;

use flow::event::{Created, Event, Record, RunStatus};
use flow::store::{Durability, Store};

use crate::bench::{Bench, Random, until};

/// Runs to be removed, and files of each.
const RUNS: usize = 200;
const FILES: usize = 10;

/// Finished runs, each with some files.
fn fill(bench: &Bench) {
    let store = Store::open(&bench.path(".flow"), Durability::Normal).unwrap();
    for n in 0..RUNS {
        let sources = vec![("w.rhai".to_owned(), store.keep_source(&format!("// {}", n % 7)).unwrap())];
        let created =
            Created { workflow: "w".into(), file: "/w.rhai".into(), sources, version: 1, ..Created::default() };
        let log = store.create(created).unwrap();
        let ended = Event::Ended { status: RunStatus::Success };
        log.append(vec![Record { seq: 1, at: 1_767_366_245_000, event: Arc::new(ended) }], |result| result.unwrap());
        for file in 0..FILES {
            std::fs::write(log.folder().join(file.to_string()), "some text").unwrap();
        }
    }
}

fn folders(bench: &Bench) -> BTreeSet<String> {
    let runs = std::fs::read_dir(bench.path(".flow/runs")).unwrap();
    runs.map(|run| run.unwrap().file_name().into_string().unwrap()).collect()
}

fn known(bench: &Bench) -> BTreeSet<String> {
    bench.open().runs(&flow::flow::RunFilter::default()).unwrap().into_iter().map(|run| run.run).collect()
}

#[test]
fn killed_at_random_moments_it_is_finished_by_the_next() {
    let bench = Bench::new();
    fill(&bench);
    let mut random = Random::new();
    let mut halves = 0;
    for _ in 0..12 {
        let before = folders(&bench).len();
        let going = bench.start(&["gc", "--keep", "7d"]);
        let less = before - random.below(40).min(before as u64) as usize;
        until("folders to go", || (folders(&bench).len() < less.max(1)).then_some(()));
        going.kill();
        // Whatever is in the list is whole.
        let (known, folders) = (known(&bench), folders(&bench));
        assert!(known.is_subset(&folders), "{:?}", known.difference(&folders));
        halves += folders.difference(&known).count();
        for run in known.iter().take(3) {
            let verified = bench.open().verify(run).unwrap();
            assert_eq!(verified.events, 2);
            assert_eq!(std::fs::read_dir(bench.path(".flow/runs").join(run)).unwrap().count(), FILES + 1);
        }
        if known.len() < 40 {
            break;
        }
    }
    bench.flow(&["gc", "--keep", "7d"]).ok();
    assert_eq!((known(&bench), folders(&bench)), (BTreeSet::new(), BTreeSet::new()), "after {halves} halves");
    assert!(bench.flow(&["gc", "--keep", "7d"]).ok().out.contains("nothing to remove"));
}

#[test]
fn runs_that_go_on_are_not_touched() {
    let bench = Bench::with(
        "sh(\"first\", \"echo 1\") -> sh(\"second\", \"touch here; while [ ! -e go ]; do sleep 0.01; done\");",
    );
    bench.write("old.rhai", "sh(\"old\", \"echo old\");");
    let old = bench.flow(&["script", "old.rhai", "--json", "--quiet"]).ok().json();
    let live = bench.start(&["script", "test.rhai", "--json", "--quiet"]);
    until("the second step", || bench.path("here").exists().then_some(()));
    let done = bench.flow(&["gc", "--keep", "0s", "--json"]).ok().json();
    assert_eq!(done["runs"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!((&done["runs"][0]["run"], &done["busy"]), (&old["run"], &flow::plan::Json::Array(Vec::new())));
    bench.write("go", "");
    let run = live.end().ok().json();
    assert_eq!(run["status"], "success");
    let verified = bench.flow(&["verify", "last", "--json"]).ok().json();
    assert_eq!(verified["run"], run["run"]);
    // A paused one stays, however old.
    bench.write("wait.rhai", "wait_until(\"later\", \"2999-01-01\");");
    bench.flow(&["script", "wait.rhai"]).code(3);
    let done = bench.flow(&["gc", "--keep-runs", "0", "--json"]).ok().json();
    assert_eq!(done["runs"][0]["run"], run["run"]);
    assert_eq!(bench.runs().len(), 1);
    assert_eq!(bench.status(), "paused");
}

#[test]
fn after_a_run_it_is_done_as_flow_toml_says() {
    let bench = Bench::with("sh(\"a\", \"echo 1\");");
    let run = || bench.flow(&["script", "test.rhai", "--quiet"]).ok();
    (0..4).for_each(|_| drop(run()));
    bench.write("flow.toml", "[retention]\nkeep_runs = 2\n");
    run();
    assert_eq!(bench.runs().len(), 5, "nothing says that it is done by itself");
    bench.write("flow.toml", "[retention]\nkeep_runs = 2\nauto = true\n");
    let ended = run();
    assert_eq!((&*ended.out, &*ended.err), ("", ""));
    assert_eq!((bench.runs().len(), folders(&bench).len()), (2, 2));
    run();
    assert_eq!(bench.runs().len(), 3, "once an hour");
    // By hand it is done at once, and what is typed counts instead.
    bench.flow(&["gc", "--keep-runs", "1", "--dry-run"]).ok();
    assert_eq!(bench.runs().len(), 3);
    bench.flow(&["gc"]).ok();
    assert_eq!(bench.runs().len(), 2);
    bench.flow(&["gc", "--keep", "1d"]).ok();
    assert_eq!(bench.runs().len(), 2);
    bench.flow(&["gc", "--keep-runs", "0"]).ok();
    assert_eq!(bench.runs().len(), 0);
}

#[test]
fn a_result_outlives_the_run_that_made_it() {
    let bench = Bench::with("sh(\"a\", \"echo made >> made; seq 20000\").cache(#{ ttl: \"1d\" });");
    let run = || bench.flow(&["script", "test.rhai", "--json", "--quiet"]).ok().json();
    let first = run();
    bench.flow(&["gc", "--keep-runs", "0"]).ok();
    let second = run();
    assert_ne!(first["run"], second["run"]);
    assert_eq!(first["steps"]["a"]["output"], second["steps"]["a"]["output"]);
    assert_eq!(bench.lines("made").len(), 1);
    let verified = bench.flow(&["verify", "last", "--json"]).ok().json();
    assert_eq!(verified["missing"], flow::plan::Json::Array(Vec::new()));
    let receipts = bench.flow(&["receipts", "--json"]).ok().json();
    assert_eq!(receipts[0]["cached"]["run"], first["run"]);
    // Nobody has used it in the time that is kept.
    bench.flow(&["gc", "--keep", "0s"]).ok();
    run();
    assert_eq!(bench.lines("made").len(), 2);
}
