//! Whole runs of scripts, through the API that embedding programs use.

use std::fs;
use std::path::{Path, PathBuf};

use flow::diag::Diagnostic;
use flow::event::{Event, FailureKind, Record, RunStatus};
use flow::flow::{Durability, Events, Flow, Options, ResumeOptions, RunFilter, RunOptions, Running, Script, Stop};
use flow::plan::Json;
use flow::state::{RunState, Status};
use serde_json::json;

struct Bench {
    folder: tempfile::TempDir,
    flow: Flow,
}

impl Bench {
    fn new() -> Self {
        Self::with(Durability::Normal)
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

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn script(&self, text: &str) -> Script {
        fs::write(self.path("test.rhai"), text).expect("a file");
        Script::read(&self.path("test.rhai")).expect("a script")
    }

    fn options(&self) -> RunOptions {
        RunOptions { cwd: Some(self.folder.path().to_owned()), ..RunOptions::default() }
    }

    fn start(&self, text: &str) -> (Running, Events) {
        self.flow.run_watched(&self.script(text), self.options()).unwrap_or_else(|problem| panic!("{}", told(&problem)))
    }

    fn run(&self, text: &str) -> RunState {
        self.start(text).0.wait().expect("a state")
    }

    fn fails(&self, text: &str) -> Diagnostic {
        match self.flow.run(&self.script(text), self.options()) {
            Ok(_) => panic!("it began"),
            Err(problem) => problem,
        }
    }

    fn resume(&self, run: &str) -> RunState {
        let running =
            self.flow.resume(run, ResumeOptions::default()).unwrap_or_else(|problem| panic!("{}", told(&problem)));
        running.wait().expect("a state")
    }

    fn wait_for(&self, name: &str, content: &str) {
        let begun = std::time::Instant::now();
        while self.file(name) != content {
            assert!(begun.elapsed().as_secs() < 30, "{name} is `{}`", self.file(name));
            std::thread::yield_now();
        }
    }

    fn output(&self, state: &RunState, path: &str) -> Json {
        let id = self.flow.find_step(state, path).unwrap_or_else(|problem| panic!("{}", told(&problem)));
        let files = self.flow.files(&state.created.run).expect("files");
        state.result(id).property("output", &*files).expect("an output")
    }
}

fn told(problem: &Diagnostic) -> String {
    format!("{:#}", problem.to_json())
}

fn status(state: &RunState, path: &str) -> Status {
    let [id] = state.plan.find(path)[..] else { panic!("no step {path}") };
    state.step(id).status
}

#[test]
fn a_script_runs_and_its_run_can_be_asked_about() {
    let bench = Bench::new();
    let (running, events) = bench.start(
        r#"
        let build = sh("build", "echo '{\"percent\": 87.5}'");
        flow("gate")
            .when(|| build.output.percent > 80, sh("good", `echo good ${build.output.percent} > result`))
            .otherwise(sh("bad", "echo bad > result"));
        "#,
    );
    let run = running.id().to_owned();
    let seen: Vec<Record> = events.collect();
    let state = running.wait().expect("a state");
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(bench.file("result"), "good 87.5\n");
    assert_eq!(bench.output(&state, "build"), json!({"percent": 87.5}));
    assert_eq!(status(&state, "gate/bad"), Status::Skipped);

    assert_eq!(seen, bench.flow.records("last", 0).expect("records"), "the events that were seen are those of the log");
    assert_eq!(bench.flow.find(&run[..run.len() - 1]).expect("a run"), run);
    let runs = bench.flow.runs(&RunFilter::default()).expect("runs");
    assert_eq!((runs.len(), runs[0].status), (1, RunStatus::Success));
    assert!(bench.flow.verify("last").expect("in order").events > 5);
    let unknown = bench.flow.find_step(&state, "biuld").expect_err("unknown");
    assert_eq!((unknown.code(), unknown.help_text()), ("flow::run::no_step", Some("did you mean `build`?")));
    assert_eq!(bench.flow.resume("last", ResumeOptions::default()).err().expect("over").code(), "flow::run::over");
    assert_eq!(bench.flow.cancel("last").expect_err("over").code(), "flow::run::over");
}

#[test]
fn a_script_that_is_wrong_leaves_nothing() {
    let bench = Bench::new();
    let problem = bench.fails("sh(\"a\", \"touch a\");\nlet x = ;");
    assert!(problem.span().is_some_and(|span| span.line == 2), "{}", told(&problem));
    bench.fails("sh(\"a\", \"touch a\"); no_such_function(1);");
    assert!(bench.flow.check(&bench.script("oops("), &[]).is_err());
    let plan = bench.flow.plan(&bench.script("sh(\"a\", \"touch a\");"), &[]).expect("a plan");
    assert_eq!(plan.steps.len(), 1);
    assert!(!bench.path("home").exists() && !bench.path("a").exists());
    assert_eq!(bench.flow.runs(&RunFilter::default()).expect("none"), []);
    assert_eq!(bench.flow.state("last").expect_err("none").code(), "flow::run::unknown");
}

#[test]
fn a_run_in_memory_leaves_no_database() {
    let bench = Bench::with(Durability::None);
    let state = bench.run("sh(\"a\", \"echo hi\");");
    assert_eq!(bench.output(&state, "a"), json!("hi"));
    assert!(!bench.path("home/flow.db").exists());
}

#[test]
fn an_interrupted_run_is_resumed_with_its_script_of_then() {
    let bench = Bench::new();
    let (running, _) = bench.start(
        r#"
        let list = sh("list", "echo list >> lines; echo a; echo b").parse("lines");
        let all = each("all", list.lines, |item| sh("one", `echo ${item} >> lines; [ $FLOW_ATTEMPT = 2 ] || [ ${item} = a ] || sleep 60`));
        call("count", || { let items = all.output; items.len() }).after(all);
        "#,
    );
    let run = running.id().to_owned();
    let begun = std::time::Instant::now();
    while bench.file("lines").lines().count() < 3 {
        assert!(begun.elapsed().as_secs() < 30, "{}", bench.file("lines"));
        std::thread::yield_now();
    }
    // So that `a` is done.
    std::thread::sleep(std::time::Duration::from_millis(100));
    running.stop(Stop::Interrupted);
    assert_eq!(running.wait().expect("a state").status, RunStatus::Paused);
    assert_eq!(bench.flow.summary(&run).expect("a run").status, RunStatus::Paused);
    assert_eq!(bench.flow.unfinished(&bench.path("test.rhai")).expect("an answer"), Some(run.clone()));

    fs::write(bench.path("test.rhai"), "changed since").expect("a file");
    let state = bench.resume(&run[..run.len() - 2]);
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(bench.output(&state, "count"), json!(2));
    let mut lines: Vec<String> = bench.file("lines").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b", "b", "list"]);
    let sources = bench.flow.sources(&state).expect("sources");
    assert!(sources.get(0).is_some_and(|(_, text)| text.contains("let all")));
}

#[test]
fn closures_of_modules_are_found_again() {
    let bench = Bench::new();
    fs::write(
        bench.path("parts.rhai"),
        "fn twice(before) { call(\"twice\", || before.output.n * 2) }\nfn gate() { 1 }",
    )
    .expect("a file");
    let (running, _) = bench.start(
        r#"
        import "parts" as parts;
        let a = sh("a", "echo > started; [ $FLOW_ATTEMPT = 2 ] || sleep 60; echo '{\"n\": 21}'");
        parts::twice(a);
        "#,
    );
    let run = running.id().to_owned();
    bench.wait_for("started", "\n");
    running.stop(Stop::Interrupted);
    running.wait().expect("a state");
    fs::remove_file(bench.path("parts.rhai")).expect("it is there");
    let state = bench.resume(&run);
    assert_eq!(bench.output(&state, "twice"), json!(42));
}

#[test]
fn a_workflow_that_came_while_it_ran_is_pinned_too() {
    let bench = Bench::new();
    fs::write(
        bench.path("sub.rhai"),
        r#"
        let n = param("n", #{ type: "string" });
        let wait = sh("wait", "echo > started; [ $FLOW_ATTEMPT = 2 ] || sleep 60");
        call("shout", || n + "!").after(wait);
        "#,
    )
    .expect("a file");
    let (running, _) = bench.start(
        r#"
        let a = sh("a", "echo one");
        let sub = workflow("sub", "sub.rhai", #{ n: a.output });
        sh("b", "true").after(sub);
        "#,
    );
    let run = running.id().to_owned();
    bench.wait_for("started", "\n");
    running.stop(Stop::Interrupted);
    running.wait().expect("a state");
    fs::remove_file(bench.path("sub.rhai")).expect("it is there");
    let state = bench.resume(&run);
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(bench.output(&state, "sub/shout"), json!("one!"));
    assert_eq!(
        bench.flow.sources(&state).expect("sources").get(1).map(|(name, _)| name.to_owned()),
        Some("sub.rhai".into())
    );
    bench.flow.verify(&run).expect("in order");
}

const WAITING: &str = r#"
    let list = sh("list", "echo list >> lines; echo x; echo y").parse("lines");
    let all = run(each("all", list.lines, |item| sh("one", `echo ${item} >> lines; echo ${item}!`)));
    print(`got ${all.output}`);
    let items = all.output;
    if items.len() == 2 {
        let next = sh("next", `echo next ${all.output[1]} >> lines; [ $FLOW_ATTEMPT = 2 ] || [ ! -e slow ] || sleep 60`);
        let last = run(next);
        if last.passed { sh("end", "echo end >> lines").after(last); }
    }
"#;

#[test]
fn a_script_waits_for_results_and_goes_on() {
    let bench = Bench::new();
    let state = bench.run(WAITING);
    assert_eq!(state.status, RunStatus::Success);
    let lines = bench.file("lines");
    assert!(lines.ends_with("next y!\nend\n"), "{lines}");
    assert!(state.printed.contains("got"), "{}", state.printed);
}

/// Everything of the graph, whatever becomes of it; not what is outside: hooks, and what undoes a step.
const ALL: &str = r#"
    let a = sh("a", "echo '[1, 2]'").undo(sh("undo-a", "echo undone"));
    let f = sh("f", "exit 1").fallback(sh("fb", "echo fb"));
    let bad = sh("bad", "exit 2").on_error("continue");
    let fl = flow("fl").when(|| bad.failed, sh("yes", "echo yes")).otherwise(sh("no", "echo no"));
    let e = each("e", a.output, |i| sh("x", `echo ${i}`));
    let fin = sh("fin", "echo fin");
    a.finally(fin);
    on("success", sh("su", "echo su"));
    on("failure", sh("fa", "echo fa"));
    let r = repeat("r", #{ max: 2 }, |i, last| sh("it", `echo ${i}`));
    run();
    print(`${e.output} ${fl.output} ${f.output} ${fin.output} ${r.output}`);
    let both = run([sh("p", "echo 1"), sh("q", "echo 2")]);
    print(both[0].output + both[1].output);
    sh("end", "echo end");
"#;

#[test]
fn a_script_waits_for_all_it_has_declared_and_for_several_steps() {
    let bench = Bench::new();
    let state = bench.run(ALL);
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(state.printed, "[\"1\", \"2\"] yes fb fin 2\n12\n");
    assert_eq!(bench.output(&state, "end"), json!("end"));
}

#[test]
fn a_script_to_which_more_will_come_does_only_what_it_asks_for() {
    let bench = Bench::new();
    let text = "let a = sh(\"a\", \"echo 1 >> lines\");\nlet b = sh(\"b\", \"echo 2 >> lines\");\nrun(a);\n";
    let options = RunOptions { open: true, ..bench.options() };
    let running = bench.flow.run(&bench.script(text), options).expect("it begins");
    let run = running.id().to_owned();
    assert_eq!(running.wait().expect("a state").status, RunStatus::Paused);
    assert_eq!(bench.file("lines"), "1\n");
    // More has come; what has run is not run again.
    let with = Some(bench.script(&format!("{text}run(sh(\"c\", \"echo 3 >> lines\"));\n")));
    let options = ResumeOptions { with, open: true, keep_failures: true, ..ResumeOptions::default() };
    let running = bench.flow.resume(&run, options).expect("it goes on");
    assert_eq!(running.wait().expect("a state").status, RunStatus::Paused);
    assert_eq!(bench.file("lines"), "1\n3\n");
    // To its end.
    assert_eq!(bench.resume(&run).status, RunStatus::Success);
    assert_eq!(bench.file("lines"), "1\n3\n2\n");
    bench.flow.verify(&run).expect("in order");
}

#[test]
fn a_script_that_waited_is_evaluated_again_with_the_recorded_results() {
    let bench = Bench::new();
    fs::write(bench.path("slow"), "").expect("a file");
    let (running, _) = bench.start(WAITING);
    let run = running.id().to_owned();
    let begun = std::time::Instant::now();
    while !bench.file("lines").contains("next") {
        assert!(begun.elapsed().as_secs() < 30, "{}", bench.file("lines"));
        std::thread::yield_now();
    }
    running.stop(Stop::Interrupted);
    assert_eq!(running.wait().expect("a state").status, RunStatus::Paused);
    let state = bench.resume(&run);
    assert_eq!(state.status, RunStatus::Success);
    let lines = bench.file("lines");
    assert_eq!(lines.lines().filter(|line| *line == "list").count(), 1, "{lines}");
    assert!(lines.ends_with("next y!\nnext y!\nend\n"), "{lines}");
}

#[test]
fn a_script_that_fails_after_it_has_waited_fails_its_run() {
    let bench = Bench::new();
    let (running, _) = bench.start("let a = run(sh(\"a\", \"echo 1\"));\nlet x = a.output.no_such_thing;\n");
    let run = running.id().to_owned();
    let problem = running.problem_at_end();
    let state = problem.0.expect("a state");
    let problem = problem.1.expect("a problem");
    assert!(problem.span().is_some_and(|span| span.line == 2), "{}", told(&problem));
    assert_eq!(state.status, RunStatus::Failed);
    assert_eq!(status(&state, "a"), Status::Success);
    assert_eq!(bench.flow.summary(&run).expect("a run").status, RunStatus::Failed);
}

#[test]
fn a_run_that_nobody_works_on_is_cancelled_at_once() {
    let bench = Bench::new();
    let (running, _) = bench.start("sh(\"a\", \"echo > started; sleep 60\") -> sh(\"b\", \"touch b\");");
    bench.wait_for("started", "\n");
    running.stop(Stop::Interrupted);
    running.wait().expect("a state");
    bench.flow.cancel("last").expect("cancelled");
    let state = bench.flow.state("last").expect("a state");
    assert_eq!(state.status, RunStatus::Cancelled);
    assert_eq!((status(&state, "a"), status(&state, "b")), (Status::Cancelled, Status::Cancelled));
    bench.flow.verify("last").expect("in order");
}

#[test]
fn a_run_is_followed_from_outside() {
    let bench = Bench::new();
    let (running, _) = bench.start("sh(\"a\", \"echo > started; while [ ! -e go ]; do sleep 0.01; done\");");
    bench.wait_for("started", "\n");
    let other = Flow::open(Options { home: Some(bench.path("home")), ..Options::default() }).expect("a flow");
    let mut watch = other.watch("last").expect("a run");
    let first = watch.next().expect("an event").expect("readable");
    assert!(matches!(*first.event, Event::Created(_)));
    fs::write(bench.path("go"), "").expect("a file");
    let last = watch.last().expect("an event").expect("readable");
    assert!(matches!(*last.event, Event::Ended { status: RunStatus::Success }));
    running.wait().expect("a state");
    assert_eq!(other.resume("last", ResumeOptions::default()).err().expect("over").code(), "flow::run::over");
}

#[test]
fn a_run_that_goes_on_cannot_be_taken_up_by_another() {
    let bench = Bench::new();
    let (running, _) = bench.start("sh(\"a\", \"echo > started; sleep 60\");");
    bench.wait_for("started", "\n");
    let other = Flow::open(Options { home: Some(bench.path("home")), ..Options::default() }).expect("a flow");
    assert_eq!(other.resume("last", ResumeOptions::default()).err().expect("busy").code(), "flow::run::busy");
    let late: Vec<Record> = {
        let events = running.subscribe().expect("events");
        running.stop(Stop::Cancelled);
        events.collect()
    };
    assert_eq!(running.wait().expect("a state").status, RunStatus::Cancelled);
    assert_eq!(late, other.records("last", 0).expect("records"), "a late subscriber sees the beginning too");
}

#[test]
fn long_outputs_go_from_step_to_step() {
    let bench = Bench::new();
    let state = bench.run(
        r#"
        let a = sh("a", "seq 50000");
        a -> sh("b", "tail -n 1");
        call("c", || { let text = a.output; text.len() });
        let d = sh("d", `echo ${a.output}`);
        "#,
    );
    assert_eq!(bench.output(&state, "b"), json!("50000"));
    assert_eq!(bench.output(&state, "c"), json!(288_893));
    let [d] = state.plan.find("d")[..] else { panic!("no d") };
    let failure = state.step(d).outcome.as_ref().and_then(|outcome| outcome.error.clone()).expect("a failure");
    assert_eq!(failure.kind, FailureKind::Input);
    assert!(failure.help.is_some_and(|help| help.contains(".stdin(")));
}

#[test]
fn the_folder_of_the_runs_is_found() {
    let bench = Bench::new();
    assert_eq!(bench.flow.home(), bench.path("home"));
    assert_eq!(flow::flow::home_for(Path::new("/")), Path::new("/.flow"));
}
