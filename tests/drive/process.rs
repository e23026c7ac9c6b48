//! One attempt at a time, with the real executors.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use flow::diag::Span;
use flow::event::{Decision, Failure, FailureKind, INLINE_LIMIT, Log, Outcome, Output, Saw};
use flow::exec::{Closures, Done, Executor, Executors, Job, Site, Work, end_marked};
use flow::plan::{
    Closure, Condition, Growth, Json, Parse, Plan, Policy, Reference, Settings, Shell, StepId, Task, Value,
};
use flow::state::{Body, Files, Inputs, Status, StepResult};
use serde_json::json;

/// A script whose closures are named after what they do.
pub struct NoScript;

impl Closures for NoScript {
    fn decide(&self, condition: &Condition, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(!matches!(condition, Condition::Closure(closure) if closure.function == "false")), Vec::new())
    }
    fn until(&self, _: &Closure, _: Json, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(true), Vec::new())
    }
    fn call(
        &self,
        closure: &Closure,
        input: Option<Json>,
        _: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Failure> {
        while closure.function == "wait" && !stop.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        assert_ne!(input, Some(json!("panic")), "as the test wants it");
        Ok(input.unwrap_or_default())
    }
    fn validate(&self, _: &Closure, _: StepId, _: &Inputs) -> Result<Json, Failure> {
        Ok(Json::Bool(true))
    }
    fn expand(&self, _: Arc<Plan>, _: StepId, _: u32, _: Json, _: &Inputs) -> Result<Growth, Failure> {
        Ok(Growth::default())
    }
}

pub struct Folder(pub std::path::PathBuf);

impl Files for Folder {
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>> {
        fs::read(self.0.join(&log.file))
    }
}

/// A folder, executors, and what they report.
struct Bench {
    folder: tempfile::TempDir,
    executors: Executors,
    done: Receiver<Done>,
    settings: Settings,
}

impl Bench {
    fn new() -> Self {
        Self::with_grace(Duration::from_secs(5))
    }

    fn with_grace(grace: Duration) -> Self {
        let (send, done) = unbounded();
        let report = Arc::new(move |done| send.send(done).unwrap_or_default());
        Bench {
            folder: tempfile::tempdir().expect("a folder"),
            executors: Executors::new(Arc::new(NoScript), grace, report),
            done,
            settings: Settings::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The run's id. No two are the same, since processes are found by it.
    fn run_id(&self) -> String {
        self.path().file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn job(&self, task: Task) -> Job {
        Job {
            step: StepId(7),
            attempt: 1,
            path: "group/step[a b]".into(),
            task: Arc::new(task),
            policy: None,
            input: Vec::new(),
            inputs: Inputs { results: Vec::new(), files: Arc::new(Folder(self.path().join("run"))) },
            site: Arc::new(Site::new(self.run_id(), self.path(), &self.path().join("run"), self.settings.clone())),
            missed: None,
            stream: None,
            reached: None,
            allowance: None,
            undone: Vec::new(),
        }
    }

    fn start(&self, job: Job) {
        self.executors.start(vec![Work::Attempt(job)]);
    }

    fn outcome(&self) -> Outcome {
        match self.done.recv_timeout(Duration::from_secs(60)).expect("a report") {
            Done::Finished { outcome, .. } => Arc::unwrap_or_clone(outcome),
            other => panic!("{other:?}"),
        }
    }

    fn run(&self, job: Job) -> Outcome {
        self.start(job);
        self.outcome()
    }

    fn sh(&self, script: &str) -> Outcome {
        self.run(self.job(sh(script)))
    }

    fn sh_with(&self, script: &str, policy: Policy) -> Outcome {
        let mut job = self.job(sh(script));
        job.policy = Some(Arc::new(policy));
        self.run(job)
    }

    /// Waits until a process has written this file, without a fixed time.
    fn wait_for(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            match fs::read_to_string(self.path().join(name)) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ if begun.elapsed() > Duration::from_secs(30) => panic!("{name} was never written"),
                _ => std::thread::yield_now(),
            }
        }
    }

    fn logs(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path().join("run/logs"))
            .expect("the folder of the logs")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

pub fn sh(script: &str) -> Task {
    Task::Shell(Shell { script: script.into(), vars: Vec::new(), shell: None, direct: None })
}

fn exec(words: &[&str]) -> Task {
    Task::Exec(words.iter().map(|word| Value::Plain((*word).into())).collect())
}

fn result_of(step: u32, outcome: Outcome) -> (StepId, Arc<StepResult>) {
    let result = StepResult {
        name: "before".into(),
        key: None,
        status: Status::Success,
        attempts: 1,
        duration_ms: 0,
        outcome: Some(Arc::new(outcome)),
        degraded: None,
        why_skipped: None,
        body: Body::Task,
        spending: None,
    };
    (StepId(step), Arc::new(result))
}

pub fn output_of(step: u32) -> Value {
    Value::Ref(Reference { step: StepId(step), property: "output".into(), path: Vec::new() })
}

fn value(outcome: &Outcome) -> &Json {
    assert_eq!(outcome.error, None);
    match &outcome.output {
        Output::Value(value) => value,
        other => panic!("{other:?}"),
    }
}

fn failure(outcome: Outcome) -> Failure {
    outcome.error.expect("a failure")
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn text_is_the_output_without_its_final_newline() {
    let bench = Bench::new();
    let outcome = bench.sh("echo 1.10; echo oops >&2");
    assert_eq!(value(&outcome), &json!("1.10"));
    assert_eq!(outcome.code, Some(0));
    let stdout = outcome.stdout.expect("a log");
    assert_eq!((stdout.file.as_str(), stdout.bytes), ("logs/7-group_step_a_b_.1.out", 5));
    assert_eq!(outcome.stderr.expect("a log").bytes, 5);
}

#[test]
fn time_and_memory_of_a_process_are_known() {
    let bench = Bench::new();
    let outcome = bench.sh("head -c 300000000 /dev/zero | tail -c 290000000 | wc -c");
    assert_eq!(value(&outcome), &json!("290000000"));
    assert!(outcome.memory_kib > 250_000, "{}", outcome.memory_kib);
    assert!(outcome.cpu_ms > 0);
    assert_eq!(bench.sh("true").memory_kib, 0, "it needs less than this program");
}

#[test]
fn a_silent_process_leaves_no_files() {
    let bench = Bench::new();
    assert_eq!(value(&bench.sh("true")), &json!(""));
    assert_eq!(bench.logs(), Vec::<String>::new());
}

#[test]
fn an_object_is_read_and_two_are_text() {
    let bench = Bench::new();
    assert_eq!(value(&bench.sh("echo '{\"percent\": 87.5}'")), &json!({"percent": 87.5}));
    assert_eq!(value(&bench.sh("echo '[1]'; echo '[2]'")), &json!("[1]\n[2]"));
    assert_eq!(value(&bench.sh("echo 5")), &json!("5"));
}

#[test]
fn parse_says_how_output_is_read() {
    let bench = Bench::new();
    let parse = |parse| Policy { parse, ..Policy::default() };
    assert_eq!(value(&bench.sh_with("echo 5", parse(Parse::Json))), &json!(5));
    assert_eq!(value(&bench.sh_with("echo '{}'", parse(Parse::Text))), &json!("{}"));
    assert_eq!(value(&bench.sh_with("echo a; echo b", parse(Parse::Lines))), &json!(["a", "b"]));
    assert_eq!(value(&bench.sh_with("echo 1; echo; echo '{}'", parse(Parse::Ndjson))), &json!([1, {}]));

    let bad = bench.sh_with("echo 1; echo two", parse(Parse::Ndjson));
    assert_eq!(bad.output, Output::Value(json!("1\ntwo")));
    let bad = failure(bad);
    assert_eq!(bad.kind, FailureKind::Output);
    assert!(bad.message.contains("line 2") && bad.message.contains("`two`"), "{}", bad.message);
    assert!(bad.help.is_some());
    let bad = failure(bench.sh_with("echo hello", parse(Parse::Json)));
    assert!(bad.message.contains("line 1") && bad.message.contains("`hello`"), "{}", bad.message);
    assert_eq!(failure(bench.sh_with("true", parse(Parse::Json))).kind, FailureKind::Output);
}

#[test]
fn a_long_output_stays_in_its_file() {
    let bench = Bench::new();
    let text = bench.sh("seq 100000");
    let Output::File { log, json: false } = &text.output else { panic!("{:?}", text.output) };
    assert!(log.bytes > INLINE_LIMIT as u64);
    assert_eq!(log.sha256.len(), 64);
    assert_eq!(text.stdout.as_ref(), Some(log));

    let array = bench.sh("echo '['; seq -s, 100000; echo ']'");
    assert!(matches!(array.output, Output::File { json: true, .. }), "{:?}", array.output);

    let lines = bench.sh_with("seq 100000", Policy { parse: Parse::Lines, ..Policy::default() });
    let Output::File { log, json: true } = lines.output else { panic!("{:?}", lines.output) };
    let lines: Vec<String> =
        serde_json::from_slice(&fs::read(bench.path().join("run").join(log.file)).expect("a file")).expect("JSON");
    assert_eq!((lines.len(), lines[99_999].as_str()), (100_000, "100000"));

    let bad = failure(bench.sh_with("seq 100000; echo x", Policy { parse: Parse::Ndjson, ..Policy::default() }));
    assert!(bad.message.contains("line 100001"), "{}", bad.message);
}

#[test]
fn bytes_that_are_no_text_are_replaced_in_the_output_only() {
    let bench = Bench::new();
    let outcome = bench.sh(r"printf 'a\377b'");
    assert_eq!(value(&outcome), &json!("a\u{fffd}b"));
    let file = bench.path().join("run").join(outcome.stdout.expect("a log").file);
    assert_eq!(fs::read(file).expect("a file"), b"a\xffb");
}

#[test]
fn the_environment_says_where_one_is() {
    let mut bench = Bench::new();
    bench.settings.env = vec![("GREETING".into(), Value::Plain("hello".into()))];
    let policy = Policy { env: vec![("NUMBER".into(), Value::Plain(json!(5)))], ..Policy::default() };
    let outcome = bench.sh_with("echo $FLOW_RUN/$FLOW_STEP/$FLOW_ATTEMPT $FLOW_STEP_KEY $GREETING $NUMBER", policy);
    let run = bench.run_id();
    assert_eq!(value(&outcome), &json!(format!("{run}/group/step[a b]/1 {run}/group/step[a b] hello 5")));
}

#[test]
fn named_values_come_back_by_a_file() {
    let bench = Bench::new();
    let outcome = bench.sh("echo coverage=87.5 > $FLOW_OUTPUT; echo '{\"n\": 1}' >> $FLOW_OUTPUT");
    assert_eq!(Json::Object(outcome.fields), json!({"coverage": "87.5", "n": 1}));
    assert_eq!(bench.logs(), Vec::<String>::new());
    let bad = failure(bench.sh("echo oops > $FLOW_OUTPUT"));
    assert_eq!(bad.kind, FailureKind::Output);
}

#[test]
fn values_reach_a_script_as_variables() {
    let bench = Bench::new();
    let mut job = bench.job(Task::Shell(Shell {
        script: "echo \"${FLOW_IN_1}\"".into(),
        vars: vec![("FLOW_IN_1".into(), output_of(3))],
        shell: None,
        direct: None,
    }));
    let before = Outcome { output: Output::Value(json!("$(touch evil)")), ..Outcome::default() };
    job.inputs.results = vec![result_of(3, before)];
    assert_eq!(value(&bench.run(job)), &json!("$(touch evil)"));

    let mut job = bench.job(Task::Shell(Shell {
        script: "echo ${FLOW_IN_1}".into(),
        vars: vec![("FLOW_IN_1".into(), Value::Plain("x".repeat(200_000).into()))],
        shell: None,
        direct: None,
    }));
    job.attempt = 2;
    let bad = failure(bench.run(job));
    assert_eq!(bad.kind, FailureKind::Input);
    assert!(bad.help.is_some_and(|help| help.contains(".stdin(")));
}

#[test]
fn words_are_run_without_a_shell() {
    let bench = Bench::new();
    assert_eq!(value(&bench.run(bench.job(exec(&["echo", "$HOME", "a  b"])))), &json!("$HOME a  b"));
    let direct = Some(vec!["echo".into(), "direct".into()]);
    let task = Task::Shell(Shell { script: "echo script".into(), vars: Vec::new(), shell: None, direct });
    assert_eq!(value(&bench.run(bench.job(task))), &json!("direct"));
}

#[test]
fn bash_stops_at_a_failure_in_a_pipe() {
    let bench = Bench::new();
    let task = |shell: Option<&str>| {
        let shell = shell.map(Into::into);
        Task::Shell(Shell { script: "false | cat; echo on".into(), vars: Vec::new(), shell, direct: None })
    };
    assert_eq!(value(&bench.run(bench.job(task(None)))), &json!("on"));
    assert_eq!(failure(bench.run(bench.job(task(Some("bash"))))).kind, FailureKind::Exit);
}

#[test]
fn input_comes_from_the_chain_or_from_a_value_or_is_empty() {
    let bench = Bench::new();
    assert_eq!(value(&bench.sh("cat")), &json!(""));
    let given = |text: &str| Policy { stdin: Some(Value::Plain(text.into())), ..Policy::default() };
    assert_eq!(value(&bench.sh_with("wc -c", given("hello"))), &json!("5"));
    assert_eq!(value(&bench.sh_with("wc -c", given(&"x".repeat(300_000)))), &json!("300000"));
    // A process that reads nothing does not mind.
    assert_eq!(value(&bench.sh_with("true", given(&"x".repeat(300_000)))), &json!(""));

    let chained = |results: Vec<(StepId, Arc<StepResult>)>| {
        let mut job = bench.job(sh("cat"));
        job.input = results.iter().map(|(step, _)| *step).collect();
        job.inputs.results = results;
        bench.run(job)
    };
    let plain = |value: Json| Outcome { output: Output::Value(value), ..Outcome::default() };
    assert_eq!(value(&chained(vec![result_of(1, plain(json!("one")))])), &json!("one"));
    assert_eq!(value(&chained(vec![result_of(1, plain(json!({"a": 1})))])), &json!({"a": 1}));
    let both = vec![result_of(1, plain(json!("one"))), result_of(2, plain(json!(2)))];
    assert_eq!(value(&chained(both)), &json!(["one", 2]));
    // A line that was read lacks its newline, which `read` would take for the end of the file.
    let mut job = bench.job(sh("read line; echo got $line"));
    job.input = vec![StepId(1)];
    job.inputs.results = vec![result_of(1, plain(json!("one")))];
    assert_eq!(value(&bench.run(job)), &json!("got one"));
}

#[test]
fn the_bytes_of_one_process_reach_the_next() {
    let bench = Bench::new();
    let long = bench.sh("seq 100000");
    let mut job = bench.job(sh("tail -n 1"));
    job.attempt = 2;
    job.input = vec![StepId(1)];
    job.inputs.results = vec![result_of(1, long)];
    assert_eq!(value(&bench.run(job)), &json!("100000"));
}

#[test]
fn codes_and_signals_are_told_apart() {
    let bench = Bench::new();
    let outcome = bench.sh("echo no rule >&2; exit 3");
    assert_eq!(outcome.code, Some(3));
    let bad = failure(outcome);
    assert_eq!(
        (bad.kind, bad.message.as_str()),
        (FailureKind::Exit, "`echo no rule >&2; exit 3` ended with exit code 3")
    );
    assert!(bad.help.is_some_and(|help| help.contains("`no rule`") && help.contains(".1.err")));

    let outcome = bench.sh("kill -SEGV $$");
    assert_eq!((outcome.code, outcome.signal), (None, Some(11)));
    let bad = failure(outcome);
    assert_eq!(bad.kind, FailureKind::Signal);
    assert!(bad.message.contains("SIGSEGV"), "{}", bad.message);
}

#[test]
fn a_missing_program_is_named() {
    let bench = Bench::new();
    let bad = failure(bench.run(bench.job(exec(&["sea_no_such_program"]))));
    assert_eq!(bad.kind, FailureKind::Spawn);
    assert_eq!(bad.message, "the program `sea_no_such_program` was not found in PATH");
    let bad = failure(bench.run(bench.job(exec(&["sqe"]))));
    assert_eq!(bad.help.as_deref(), Some("did you mean `seq`?"));
    let bad = failure(bench.sh("sqe 5"));
    assert_eq!(bad.kind, FailureKind::Exit);
    assert!(bad.message.contains("`sqe` was not found"), "{}", bad.message);
    assert_eq!(bad.help.as_deref(), Some("did you mean `seq`?"));
    fs::write(bench.path().join("plain"), "echo x").expect("a file");
    let bad = failure(bench.run(bench.job(exec(&["./plain"]))));
    assert!(bad.help.is_some_and(|help| help.contains("chmod +x")), "{}", bad.message);
    assert_eq!(bench.logs(), ["7-group_step_a_b_.1.err"], "of the shell");
}

#[test]
fn the_working_directory_is_named_if_it_is_missing() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("sub")).expect("a folder");
    let at = |cwd: &str| Policy { cwd: Some(Value::Plain(cwd.into())), ..Policy::default() };
    let outcome = bench.sh_with("pwd; echo $PWD", at("sub"));
    let sub = fs::canonicalize(bench.path()).expect("a path").join("sub").display().to_string();
    assert_eq!(value(&outcome), &json!(format!("{sub}\n{sub}")));
    let bad = failure(bench.sh_with("true", at("nowhere")));
    assert_eq!(bad.kind, FailureKind::Spawn);
    assert!(bad.message.contains("nowhere` does not exist"), "{}", bad.message);
}

#[test]
fn a_child_in_the_background_is_not_waited_for() {
    let bench = Bench::new();
    let outcome = bench.sh("sleep 60 & echo $! > pid");
    assert_eq!(outcome.error, None);
    let pid = bench.wait_for("pid");
    assert!(is_alive(&pid), "it goes on");
    end_marked(&bench.run_id(), "group/step[a b]", 2);
    assert!(is_alive(&pid), "it belongs to another attempt");
    end_marked(&bench.run_id(), "group/step[a b]", 1);
    assert!(!is_alive(&pid));
}

#[test]
fn what_a_child_in_the_background_writes_later_gets_into_nobodys_log() {
    let bench = Bench::new();
    let outcome = bench.sh("setsid sh -c 'until [ -e go ]; do sleep 0.01; done; echo late; echo > over' &");
    assert_eq!(outcome.stdout, None);
    let during = bench.sh("touch go; until [ -s over ]; do sleep 0.01; done");
    assert_eq!(value(&during), &json!(""));
    for _ in 0..3 {
        assert_eq!(value(&bench.sh("true")), &json!(""));
    }
}

#[test]
fn the_log_of_a_process_can_be_read_while_it_runs() {
    let bench = Bench::new();
    bench.start(bench.job(sh("echo here; until [ -e go ]; do sleep 0.01; done")));
    assert_eq!(bench.wait_for("run/logs/7-group_step_a_b_.1.out"), "here");
    fs::write(bench.path().join("go"), "").expect("a file");
    assert_eq!(value(&bench.outcome()), &json!("here"));
    assert_eq!(bench.logs(), ["7-group_step_a_b_.1.out"]);
}

#[test]
fn a_kill_ends_the_whole_tree() {
    let bench = Bench::new();
    // A child in the group, and one that has left the session.
    bench.start(bench.job(sh("setsid sh -c 'echo $$ > away; exec sleep 60' & sleep 60 & echo $! > pid; wait")));
    let (near, away) = (bench.wait_for("pid"), bench.wait_for("away"));
    assert!(is_alive(&near) && is_alive(&away));
    bench.executors.kill(StepId(7), 1, false);
    let bad = failure(bench.outcome());
    assert_eq!(bad.kind, FailureKind::Cancelled);
    assert!(!is_alive(&near) && !is_alive(&away));
}

#[test]
fn who_ignores_sigterm_is_killed_after_the_grace_time() {
    let bench = Bench::with_grace(Duration::from_millis(50));
    bench.start(bench.job(sh("trap '' TERM; echo $$ > pid; while :; do sleep 60; done")));
    let pid = bench.wait_for("pid");
    bench.executors.kill(StepId(7), 1, false);
    let outcome = bench.outcome();
    assert_eq!(outcome.signal, Some(9));
    assert!(!is_alive(&pid));
}

#[test]
fn who_is_killed_before_the_start_never_starts() {
    let bench = Bench::new();
    bench.executors.kill(StepId(7), 1, false);
    let bad = failure(bench.run(bench.job(sh("touch started"))));
    assert_eq!(bad.kind, FailureKind::Cancelled);
    assert!(!bench.path().join("started").exists());
}

#[test]
fn work_inside_the_process() {
    let bench = Bench::new();
    assert_eq!(value(&bench.run(bench.job(Task::Const(Value::Plain(json!([1])))))), &json!([1]));
    let bad = failure(bench.run(bench.job(Task::Fail(Value::Plain("no".into())))));
    assert_eq!((bad.kind, bad.message.as_str()), (FailureKind::Fail, "no"));

    let call = |input: Json| {
        let closure = Closure { function: "f".into(), captured: Vec::new(), text: String::new(), span: Span::at(1, 1) };
        let mut job = bench.job(Task::Call(closure));
        job.input = vec![StepId(1)];
        job.inputs.results = vec![result_of(1, Outcome { output: Output::Value(input), ..Outcome::default() })];
        bench.run(job)
    };
    assert_eq!(value(&call(json!(5))), &json!(5));
    assert!(matches!(call(json!("x".repeat(100_000))).output, Output::File { json: true, .. }));
    assert_eq!(failure(call(json!("panic"))).kind, FailureKind::Script);
}
