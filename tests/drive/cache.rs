//! The cache: results of earlier runs are used again, and the log says why if they are not.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flow::event::{CacheNote, Event, FailureKind, RunStatus};
use flow::flow::{Durability, Flow, Options, RunOptions, Script};
use flow::state::{RunState, StepResult};
use serde_json::json;

struct Bench {
    folder: tempfile::TempDir,
    flow: Flow,
}

impl Bench {
    fn new() -> Self {
        Bench::with(Durability::Normal)
    }

    fn with(durability: Durability) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Some(folder.path().join("home"));
        let flow = Flow::open(Options { home, durability, ..Options::default() }).expect("a flow");
        Bench { folder, flow }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn run(&self, text: &str) -> RunState {
        self.try_run(text).0
    }

    /// As a process of its own would: nothing is remembered but what is on disk.
    fn try_run(&self, text: &str) -> (RunState, RunStatus) {
        let cwd = Some(self.folder.path().to_owned());
        let options = RunOptions { cwd, ..RunOptions::default() };
        let script = Script::from_text("test", text.to_owned());
        let running = match self.flow.is_kept() {
            true => {
                let home = Some(self.path("home"));
                Flow::open(Options { home, ..Options::default() }).expect("a flow").run(&script, options)
            }
            false => self.flow.run(&script, options),
        };
        let state = running.unwrap_or_else(|problem| panic!("{problem}")).wait().expect("a state");
        let status = state.status;
        (state, status)
    }

    /// How often steps have run: they append a line to this file.
    fn ran(&self) -> usize {
        fs::read_to_string(self.path("ran")).unwrap_or_default().lines().count()
    }

    fn database(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path("home/flow.db")).expect("a database");
        connection.execute_batch(sql).expect("it is done");
    }

    /// Runs the script and gives why its first step was not in the cache: nothing if it was.
    fn why(&self, text: &str) -> Option<String> {
        let note = note(&self.run(text), 0);
        (!note.hit).then_some(note.why)
    }
}

fn note(state: &RunState, step: u32) -> CacheNote {
    let outcome = state.step(flow::plan::StepId(step)).outcome.clone().expect("an outcome");
    *outcome.cache.clone().unwrap_or_else(|| panic!("the cache was not asked: {outcome:?}"))
}

fn result(state: &RunState, step: u32) -> StepResult {
    state.result(flow::plan::StepId(step))
}

#[test]
fn a_result_is_used_again_with_all_its_files() {
    let bench = Bench::new();
    let script = r#"
        let a = sh("a", "echo x >> ran; echo version=7 > $FLOW_OUTPUT; echo to err >&2; echo '{\"n\": 1}'").cache();
        let b = sh("b", "cat; echo y >> ran").cache();
        a -> b;
        sh("c", `echo ${a.cached} ${a.version} ${a.output.n} ${b.stderr} ${a.stderr} > told`);
    "#;
    let first = bench.run(script);
    assert_eq!((note(&first, 0).hit, note(&first, 0).why.as_str()), (false, "first time"));
    assert_eq!(fs::read_to_string(bench.path("told")).expect("a file"), "false 7 1  to err\n");
    let second = bench.run(script);
    assert_eq!(second.status, RunStatus::Success);
    assert_eq!(bench.ran(), 2);
    assert_eq!(fs::read_to_string(bench.path("told")).expect("a file"), "true 7 1  to err\n");
    for step in [0, 1] {
        let (before, now) = (result(&first, step), result(&second, step));
        let note = note(&second, step);
        assert_eq!((note.hit, &note.run), (true, &first.created.run));
        assert_eq!(note.at, first.step(flow::plan::StepId(step)).finished_at);
        let (before, now) = (before.outcome.expect("an outcome"), now.outcome.expect("an outcome"));
        assert_eq!((&before.output, before.code, &before.fields), (&now.output, now.code, &now.fields));
        assert_eq!((&before.stdout, &before.stderr), (&now.stdout, &now.stderr));
    }
    let logs = |state: &RunState| bench.path("home/runs").join(&state.created.run).join("logs/0-a.1.err");
    assert_eq!(fs::read_to_string(logs(&second)).expect("a log"), "to err\n");
    bench.flow.verify(&second.created.run).expect("in order");
    // A result that was taken is no new one.
    assert_eq!(note(&bench.run(script), 0).run, first.created.run);
}

#[test]
fn a_miss_says_what_changed() {
    let bench = Bench::new();
    bench.write("src/a.txt", "1");
    bench.write("src/z.txt", "1");
    bench.write("src/deep/b.txt", "2");
    bench.write("other/x", "");
    let base = r#"
        let v = task("v", 1);
        let s = sh("s", `echo x >> ran; cat src/*.txt; true ${v.output}`)
            .cache(#{ inputs: ["src/**/*.txt", "Makefile"], outputs: ["app"], key: "k1" })
            .env(#{ CC: "cc", LD: "ld" });
        v -> s;
    "#;
    // The step is the second one; the file it is to write is there.
    bench.write("app", "built");
    let why = |text: &str| {
        let note = note(&bench.run(text), 1);
        if note.hit { "hit".to_owned() } else { note.why }
    };
    assert_eq!(why(base), "first time");
    assert_eq!(why(base), "hit");
    for (from, to, said) in [
        ("cat src/*.txt", "cat src/a.txt", "command changed"),
        ("\"cc\"", "\"gcc\"", "`CC` in its environment changed"),
        (", LD: \"ld\"", "", "`LD` in its environment is gone"),
        ("LD: \"ld\"", "LD: \"ld\", AR: \"ar\"", "`AR` in its environment is new"),
        ("\"k1\"", "\"k2\"", "`key` changed"),
        (", 1)", ", 2)", "value 1 in the command, `v.output`, changed, and 1 more"),
        (".env(", ".cwd(\"other\").env(", "working directory changed, and 3 more"),
        (".env(", ".stdin(\"text\").env(", "standard input changed"),
        (".env(", ".parse(\"lines\").env(", "`parse` changed"),
        (".env(", ".validate(\"code == 0\").env(", "`validate` is new"),
        ("s = sh(\"s\"", "s = sh(\"s2\"", "first time"),
    ] {
        assert!(base.contains(from), "{from}");
        let changed = base.replace(from, to);
        let said_now = why(&changed);
        // A step of another name finds the same result: only why there is none is asked of the step.
        let due = if to.contains("s2") { "hit" } else { said };
        assert_eq!(said_now, due, "{from} → {to}");
        // Both results are kept; that which was made last says what has changed.
        assert_eq!(why(base), "hit", "{from} → {to}");
        bench.database("DELETE FROM results WHERE at < (SELECT max(at) FROM results WHERE step = 's')");
        bench.database("DELETE FROM results");
        assert_eq!(why(base), "first time");
    }
    bench.write("src/a.txt", "3");
    assert_eq!(why(base), "input `src/a.txt` changed");
    bench.write("src/c.txt", "3");
    assert_eq!(why(base), "input `src/c.txt` is new");
    fs::remove_file(bench.path("src/c.txt")).expect("it is there");
    assert_eq!(why(base), "hit");
    fs::remove_file(bench.path("src/a.txt")).expect("it is there");
    assert_eq!(why(base), "input `src/a.txt` is gone, and 1 more");
    bench.write("Makefile", "all:");
    assert_eq!(why(base), "input `Makefile` changed");
    fs::remove_file(bench.path("Makefile")).expect("it is there");
    assert_eq!(why(base), "hit");
    bench.write("app", "another");
    assert_eq!(why(base), "output `app` changed");
    assert_eq!(why(base), "hit");
    fs::remove_file(bench.path("app")).expect("it is there");
    assert_eq!(why(base), "output `app` is missing");
    // It does not write it, so it never has a result that could be used.
    assert_eq!(why(base), "output `app` is missing");
}

#[test]
fn a_result_grows_old() {
    let bench = Bench::new();
    let script = r#"sh("a", "echo x >> ran").cache(#{ ttl: "1h" });"#;
    bench.run(script);
    bench.database("UPDATE results SET at = at - 3599000");
    assert_eq!(bench.why(script), None);
    bench.database("UPDATE results SET at = at - 3 * 3600000 - 70000");
    assert_eq!(bench.why(script).as_deref(), Some("expired 3h ago"));
    assert_eq!(bench.why(script), None);
    assert_eq!(bench.ran(), 2);
    bench.database("DELETE FROM results; UPDATE runs SET status = status");
    assert_eq!(bench.why(script).as_deref(), Some("first time"));
}

#[test]
fn long_outputs_are_kept_once_and_checked() {
    let bench = Bench::new();
    let script = r#"
        let a = sh("a", "echo x >> ran; seq 30000").cache();
        sh("b", "tail -n 1 > last").stdin(a.output);
    "#;
    let first = bench.run(script);
    let log = |state: &RunState| bench.path("home/runs").join(&state.created.run).join("logs/0-a.1.out");
    let kept = || {
        let folder = bench.path("home/cache").join(note(&first, 0).key);
        let files: Vec<_> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
        assert_eq!(files.len(), 1);
        files[0].clone()
    };
    fs::remove_file(bench.path("last")).expect("it is there");
    let second = bench.run(script);
    assert!(note(&second, 0).hit);
    assert_eq!(fs::read_to_string(bench.path("last")).expect("a file"), "30000\n");
    // One content, three names.
    assert_eq!(fs::metadata(log(&second)).expect("a file").ino(), fs::metadata(log(&first)).expect("a file").ino());
    bench.flow.verify(&second.created.run).expect("in order");

    // Somebody wrote to it: by whatever name.
    fs::write(kept(), "30000\n").expect("a file");
    assert_eq!(bench.why(script).as_deref(), Some("what was kept of its output is damaged"));
    assert_eq!(bench.why(script), None);
    // It was only touched.
    File::options().append(true).open(kept()).expect("a file").set_modified(std::time::UNIX_EPOCH).expect("a time");
    assert_eq!(bench.why(script), None);
    fs::remove_dir_all(bench.path("home/cache")).expect("a folder");
    assert_eq!(bench.why(script).as_deref(), Some("what was kept of its output is gone"));
    assert_eq!(bench.why(script), None);
    assert_eq!(bench.ran(), 3);
}

#[test]
fn damaged_rows_are_misses() {
    let bench = Bench::new();
    let script = r#"sh("a", "echo x >> ran; echo out").cache();"#;
    bench.run(script);
    bench.database("UPDATE results SET texts = x'6f'");
    assert_eq!(bench.why(script).as_deref(), Some("what was kept of its output is damaged"));
    bench.database("UPDATE results SET result = '{'");
    assert_eq!(bench.why(script).as_deref(), Some("its result is no longer kept"));
    assert_eq!(bench.why(script), None);
    bench.database("UPDATE results SET result = '{', parts = 'nonsense'");
    assert_eq!(bench.why(script).as_deref(), Some("first time"));
    bench.database("DROP TABLE results; DROP TABLE files");
    let (state, status) = bench.try_run(script);
    assert_eq!((status, note(&state, 0).hit), (RunStatus::Success, false));
}

#[test]
fn only_what_ended_well_is_kept() {
    let bench = Bench::new();
    let script = r#"
        sh("fails", "echo x >> ran; exit 1").cache();
        sh("invalid", "echo x >> ran; echo 5").cache().validate("number > 7");
        sh("flaky", "echo x >> ran; [ $FLOW_ATTEMPT -ge 2 ]").cache().retry(#{ max_attempts: 3, delay: "0s" });
    "#;
    bench.run(script);
    assert_eq!(bench.ran(), 4);
    let state = bench.run(script);
    assert_eq!(bench.ran(), 6);
    assert_eq!([0, 1, 2].map(|step| note(&state, step).hit), [false, false, true]);
    assert_eq!(note(&state, 0).why, "first time");
    assert_eq!(
        result(&state, 1).outcome.and_then(|o| o.error.clone()).expect("a failure").kind,
        FailureKind::Validation
    );
}

#[test]
fn a_file_that_changes_while_it_is_read_makes_no_result() {
    let bench = Bench::new();
    bench.write("list", "b\na\n");
    let script = r#"sh("sort", "echo x >> ran; sort list > new; mv new list").cache(#{ inputs: ["list"] });"#;
    assert_eq!(bench.why(script).as_deref(), Some("first time"));
    // The second time it finds it sorted, and leaves it as it is.
    assert_eq!(bench.why(script).as_deref(), Some("first time"));
    assert_eq!(bench.why(script), None);
    assert_eq!(bench.ran(), 2);
}

#[test]
fn closures_and_programs_have_results_too() {
    let bench = Bench::new();
    bench.write("n", "1");
    let script = r#"
        let n = sh("n", "cat n");
        let c = call("c", || n.number + 1).cache();
        let d = call("d", |text| `got ${text}`).cache();
        let e = exec("e", ["echo", d.output, "and", c.output]).cache();
        c -> d;
    "#;
    let seen = |script: &str| {
        let state = bench.run(script);
        let output = result(&state, 3).property("output", &*bench.flow.files(&state.created.run).expect("files"));
        ([1, 2, 3].map(|step| note(&state, step).hit), output.expect("an output"))
    };
    assert_eq!(seen(script), ([false, false, false], json!("got 2 and 2")));
    assert_eq!(seen(script), ([true, true, true], json!("got 2 and 2")));
    bench.write("n", "5");
    assert_eq!(seen(script), ([false, false, false], json!("got 6 and 6")));
    let other = script.replace("n.number + 1", "if n.number > 0 { 6 } else { 7 }");
    // The result of another closure is the same: what follows from it need not be made again.
    assert_eq!(seen(&other), ([false, true, true], json!("got 6 and 6")));
    // Where a closure stands does not matter, nor how it is spelled; what it calls does.
    let moved = format!("// A new line.\n\n{}", script.replace("n.number + 1", "n.number+1 /* more */"));
    assert_eq!(seen(&moved), ([true, true, true], json!("got 6 and 6")));
    let calls = script.replace("n.number + 1", "more(n.number)");
    assert_eq!(seen(&format!("fn more(n) {{ n + 1 }}\n{calls}")).0, [false, true, true]);
    assert_eq!(seen(&format!("fn more(n) {{ 1 + n }}\n{calls}")).0, [false, true, true]);
    assert_eq!(seen(&format!("fn other() {{ 0 }}\nfn more(n) {{ n + 1 }}\n{calls}")).0, [true, true, true]);
}

#[test]
fn a_look_that_takes_long_is_ended_by_the_timeout_and_by_a_cancel() {
    let bench = Bench::new();
    // So large that nobody reads it to its end.
    File::create(bench.path("large")).and_then(|file| file.set_len(1 << 42)).expect("a sparse file");
    let begun = Instant::now();
    let (state, status) = bench.try_run(
        r#"
        let a = sh("a", "echo x >> ran").cache(#{ inputs: ["large"] }).timeout("50ms").on_error("continue");
        let b = call("b", || 1).cache(#{ inputs: ["large"] }).timeout("50ms").on_error("continue");
        sh("c", "echo c").after(a).after(b);
        "#,
    );
    assert_eq!(status, RunStatus::Success);
    for step in [0, 1] {
        let error = result(&state, step).outcome.and_then(|outcome| outcome.error.clone()).expect("a failure");
        assert_eq!(error.kind, FailureKind::Timeout);
    }
    let script = Script::from_text("test", r#"sh("a", "echo x >> ran").cache(#{ inputs: ["large"] });"#.to_owned());
    let options = RunOptions { cwd: Some(bench.folder.path().to_owned()), ..RunOptions::default() };
    let (running, mut events) = bench.flow.run_watched(&script, options).expect("it begins");
    assert!(events.any(|record| matches!(*record.event, Event::Started { .. })));
    running.stop(flow::flow::Stop::Cancelled);
    assert_eq!(running.wait().expect("a state").status, RunStatus::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(bench.ran(), 0);
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let bench = Bench::new();
    let script = r#"
        for i in 0..20 { sh(`s${i}`, `seq ${20000 + i}; echo x >> ran`).cache(); }
    "#;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(bench.run(script).status, RunStatus::Success));
        }
    });
    let before = bench.ran();
    assert!((20..=60).contains(&before), "{before}");
    let state = bench.run(script);
    assert!((0..20).all(|step| note(&state, step).hit));
    assert_eq!(bench.ran(), before);
    bench.flow.verify(&state.created.run).expect("in order");
}

#[test]
fn without_a_log_nothing_is_kept() {
    let bench = Bench::with(Durability::None);
    let script = r#"sh("a", "echo x >> ran").cache();"#;
    assert_eq!(bench.why(script).as_deref(), Some("nothing is kept from run to run"));
    assert_eq!(bench.why(script).as_deref(), Some("nothing is kept from run to run"));
    assert!(!bench.path("home/cache").exists());
}

#[test]
fn what_cannot_be_read_is_no_hindrance() {
    let bench = Bench::new();
    let script = r#"sh("a", "echo x >> ran").cache(#{ inputs: ["pipe"] });"#;
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a pipe");
    let why = bench.why(script).expect("a miss");
    assert_eq!(why, "what it depends on is not known: `pipe` is neither a file nor a folder");
    assert_eq!(bench.ran(), 1);
}

/// Every file below a folder that holds a text.
fn holding(folder: &std::path::Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())) {
            found.push(path);
        }
    }
    found
}

#[test]
fn of_a_secret_only_the_name_counts_and_nothing_of_it_is_kept() {
    let bench = Bench::new();
    let script = r#"
        let token = secret("TOKEN");
        sh("a", "echo x >> ran; echo it is $T; seq 20000; echo $T").env(#{ T: token }).cache();
        sh("b", "cat; echo x >> ran").stdin(secret("TOKEN")).cache();
    "#;
    let run = |value: &str| {
        bench.write("token", value);
        bench.write("flow.toml", "[secrets]\nTOKEN = { file = \"token\" }\n");
        bench.run(script)
    };
    let first = run("hunter2-is-long");
    assert_eq!(first.status, RunStatus::Success);
    let second = run("another-long-value");
    assert!([0, 1].iter().all(|step| note(&second, *step).hit));
    assert_eq!(bench.ran(), 2);
    for value in ["hunter2-is-long", "another-long-value"] {
        assert_eq!(holding(&bench.path("home"), value), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_was_undone_is_done_again() {
    let bench = Bench::new();
    let script = r#"
        let make = sh("make", "echo x >> ran; touch made").cache();
        let unmake = sh("unmake", "echo x >> unran; rm made").cache();
        make.undo(unmake);
        sh("next", "[ ! -e fail ]").after(make);
    "#;
    let unran = || fs::read_to_string(bench.path("unran")).unwrap_or_default().lines().count();
    bench.run(script);
    assert_eq!(bench.why(script), None);
    bench.write("fail", "");
    for round in 1..3 {
        let (state, status) = bench.try_run(script);
        assert_eq!((status, note(&state, 0).hit, unran()), (RunStatus::Failed, round == 1, round));
    }
    fs::remove_file(bench.path("fail")).expect("it is there");
    assert_eq!(bench.why(script).as_deref(), Some("first time"));
    assert_eq!((bench.ran(), bench.path("made").exists()), (3, true));
}
