//! A run made by hand: a plan and its events, as a script and the machine would give them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use flow::diag::{Sources, Span};
use flow::event::{
    Because, Created, Decision, Event, Failure, FailureKind, Log, Outcome, Output, Record, RunStatus, Saw, Skip,
};
use flow::plan::{
    Branch, Condition, EdgeKind, Expression, File, Growth, Header, Json, Retry, Rule, Shell, Step, StepId, Task,
};
use flow::state::{Files, RunState};

/// 2026-08-01 12:00:00 UTC.
pub const NOON: u64 = 1_785_585_600_000;

pub const SCRIPT: &str = r#"let build = sh("build", "make release");
let test = sh("test", "make test").retry(#{ max_attempts: 2, delay: "1s" });
let cover = sh("coverage", "make coverage-json");
build -> [test, cover];
let staging = chain("to-staging", [
    sh("push", `./push.sh ${build.output}`),
    sh("smoke", "./smoke.sh"),
]);
let notify = sh("notify", "./page-team.sh").desc("Pages the team on call.");
flow("gate")
    .when("test.passed && coverage.output.percent > 80", staging)
    .otherwise(notify);
sh("clean-up", "rm -r tmp").after(staging).rule("all_done");
sh("token", "./token.sh").secret();
sh("docs", "make docs").after(build);
sh("publish", "./publish.sh").after("docs");
"#;

pub const BUILD: StepId = StepId(0);
pub const TEST: StepId = StepId(1);
pub const COVER: StepId = StepId(2);
pub const GATE: StepId = StepId(3);
pub const STAGING: StepId = StepId(4);
pub const PUSH: StepId = StepId(5);
pub const SMOKE: StepId = StepId(6);
pub const NOTIFY: StepId = StepId(7);
pub const CLEAN: StepId = StepId(8);
pub const TOKEN: StepId = StepId(9);
pub const DOCS: StepId = StepId(10);
pub const PUBLISH: StepId = StepId(11);

/// A run under way.
pub struct Sample {
    pub records: Vec<Record>,
    pub files: Texts,
    at: u64,
}

/// Files by name.
#[derive(Default)]
pub struct Texts(HashMap<String, String>);

impl Files for Texts {
    fn read(&self, log: &Log) -> io::Result<Vec<u8>> {
        match self.0.get(&log.file) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

pub fn shell(name: &str, line: u32) -> Step {
    let task = Task::Shell(Shell { script: String::new(), vars: Vec::new(), shell: None, direct: None });
    Step::new(name, task, Span::at(line, 1))
}

fn steps() -> Vec<Step> {
    let gate = Expression {
        text: "test.passed && coverage.output.percent > 80".into(),
        steps: vec![("test".into(), TEST), ("coverage".into(), COVER)],
        span: Span::at(11, 11),
    };
    let branches =
        vec![Branch { when: Some(Condition::Expr(gate)), step: STAGING }, Branch { when: None, step: NOTIFY }];
    let mut steps = vec![
        shell("build", 1),
        shell("test", 2),
        shell("coverage", 3),
        Step::new("gate", Task::Flow(branches), Span::at(10, 1)),
        Step::new("to-staging", Task::Chain(vec![PUSH, SMOKE]), Span::at(5, 15)),
        shell("push", 6),
        shell("smoke", 7),
        shell("notify", 9),
        shell("clean-up", 13),
        shell("token", 14),
        shell("docs", 15),
        shell("publish", 16),
    ];
    let mut step = |id: StepId, change: &dyn Fn(&mut Step)| change(&mut steps[id.index()]);
    step(TEST, &|s| {
        s.add_edge(BUILD, EdgeKind::Order);
        s.policy_mut().retry = Some(Retry { max_attempts: 2, ..Retry::default() });
    });
    step(COVER, &|s| s.add_edge(BUILD, EdgeKind::Order));
    step(STAGING, &|s| s.parent = Some(GATE));
    step(PUSH, &|s| {
        s.parent = Some(STAGING);
        s.add_edge(BUILD, EdgeKind::Data);
    });
    step(SMOKE, &|s| {
        s.parent = Some(STAGING);
        s.add_edge(PUSH, EdgeKind::Order);
    });
    step(NOTIFY, &|s| {
        s.parent = Some(GATE);
        s.policy_mut().desc = Some("Pages the team on call.".into());
    });
    step(CLEAN, &|s| {
        s.add_edge(STAGING, EdgeKind::Order);
        s.policy_mut().rule = Rule::AllDone;
    });
    step(TOKEN, &|s| s.policy_mut().secret = true);
    step(DOCS, &|s| s.add_edge(BUILD, EdgeKind::Order));
    step(PUBLISH, &|s| s.add_edge(DOCS, EdgeKind::Order));
    steps
}

impl Sample {
    /// A run that has been created, planned and opened.
    pub fn new() -> Self {
        Self::of(steps())
    }

    /// The same, of other steps.
    pub fn of(steps: Vec<Step>) -> Self {
        let mut sample = Sample { records: Vec::new(), files: Texts::default(), at: NOON };
        sample.event(Event::Created(Box::new(Created {
            run: "01k1deploy".into(),
            workflow: "deploy".into(),
            file: "/home/ann/deploy.rhai".into(),
            cwd: "/home/ann".into(),
            args: vec![("env".into(), "staging".into())],
            max_parallel: Some(2),
            ..Created::default()
        })));
        let header = Header {
            name: "deploy".into(),
            files: vec![File { name: "deploy.rhai".into(), sha256: String::new() }],
            ..Header::default()
        };
        let growth = Growth { header: Some(Box::new(header)), steps, complete: true, ..Growth::default() };
        sample.event(Event::Planned { of: None, growth: Box::new(growth) });
        sample.event(Event::Opened { pid: 4711, host: "ann".into(), flow: "0.1.0".into() });
        sample
    }

    /// Time passes.
    pub fn pass(&mut self, ms: u64) -> &mut Self {
        self.at += ms;
        self
    }

    pub fn now(&self) -> u64 {
        self.at
    }

    pub fn event(&mut self, event: Event) -> &mut Self {
        let seq = self.records.len() as u64;
        self.records.push(Record { seq, at: self.at, event: Arc::new(event) });
        self
    }

    pub fn state(&self) -> RunState {
        RunState::of(&self.records)
    }

    pub fn sources(&self) -> Sources {
        Sources::one("deploy.rhai", SCRIPT)
    }

    pub fn start(&mut self, step: StepId) -> &mut Self {
        self.attempt(step, 1)
    }

    pub fn attempt(&mut self, step: StepId, attempt: u32) -> &mut Self {
        self.event(Event::Started { step, attempt })
    }

    /// The step ends well, after so many milliseconds.
    pub fn succeed(&mut self, step: StepId, ms: u64, output: Json) -> &mut Self {
        let outcome = Outcome { output: Output::Value(output), code: Some(0), duration_ms: ms, ..Outcome::default() };
        self.pass(ms);
        self.event(Event::Finished { step, attempt: 1, outcome: Arc::new(outcome) })
    }

    /// A step and whatever is in it, all at once.
    pub fn group_ends(&mut self, step: StepId) -> &mut Self {
        self.event(Event::Finished { step, attempt: 1, outcome: Arc::default() })
    }

    /// How an attempt fails whose standard error is this.
    pub fn failure(&mut self, file: &str, stderr: &str, ms: u64) -> Arc<Outcome> {
        self.pass(ms);
        self.files.0.insert(file.into(), stderr.into());
        Arc::new(Outcome {
            error: Some(
                Failure::new(FailureKind::Exit, "`make test` ended with exit code 2")
                    .help("its last words were `2 tests failed`"),
            ),
            code: Some(2),
            stderr: Some(Log { file: file.into(), bytes: stderr.len() as u64, sha256: String::new() }),
            duration_ms: ms,
            ..Outcome::default()
        })
    }

    pub fn fail(&mut self, step: StepId, attempt: u32, stderr: &str, ms: u64) -> &mut Self {
        let outcome = self.failure(&format!("logs/{}.{attempt}.err", step.0), stderr, ms);
        self.event(Event::Finished { step, attempt, outcome })
    }

    pub fn retry(&mut self, step: StepId, attempt: u32, stderr: &str, ms: u64, delay_ms: u64) -> &mut Self {
        let outcome = self.failure(&format!("logs/{}.{attempt}.err", step.0), stderr, ms);
        self.event(Event::Retrying { step, attempt, outcome, delay_ms })
    }

    pub fn decide(&mut self, step: StepId, branch: u32, result: bool, saw: &[(StepId, &str, Json, bool)]) -> &mut Self {
        let saw = saw
            .iter()
            .map(|(step, what, value, handles)| Saw {
                step: *step,
                what: (*what).into(),
                value: value.clone(),
                handles: *handles,
            })
            .collect();
        self.event(Event::Decided { step, branch, result: Decision::Is(result), saw })
    }

    pub fn not_taken(&mut self, step: StepId, because: Because) -> &mut Self {
        self.event(Event::Skipped { step, reason: Skip::NotTaken(because) })
    }

    pub fn upstream_failed(&mut self, step: StepId, because: Because) -> &mut Self {
        self.event(Event::Skipped { step, reason: Skip::UpstreamFailed(because) })
    }

    pub fn end(&mut self, status: RunStatus) -> &mut Self {
        self.event(Event::Ended { status })
    }

    /// Tests fail twice, so the other branch is taken; the documentation fails, and nobody deals with that.
    pub fn failing() -> Self {
        let mut run = Sample::new();
        run.start(BUILD).start(TOKEN).succeed(BUILD, 1_200, "v1.4".into());
        run.succeed(TOKEN, 100, "hunter2".into()).start(TEST).start(COVER);
        run.succeed(COVER, 800, serde_json::json!({"percent": 87.5}));
        run.retry(TEST, 1, "1 test failed\n", 2_000, 1_000).pass(1_000).attempt(TEST, 2);
        let lines: String = (1..=30).map(|n| format!("test {n} ... FAILED\n")).collect();
        run.fail(TEST, 2, &lines, 1_900).start(GATE);
        run.decide(GATE, 0, false, &[(TEST, "passed", false.into(), true)]);
        run.not_taken(STAGING, Because::Branch(GATE)).not_taken(PUSH, Because::Group(STAGING));
        run.not_taken(SMOKE, Because::Group(STAGING)).start(NOTIFY).succeed(NOTIFY, 40, "paged ann".into());
        run.group_ends(GATE).start(CLEAN).succeed(CLEAN, 5, "".into());
        run.start(DOCS).fail(DOCS, 1, "docs.md:4: no such page\n\x1b[31merror\x1b[0m: stopped\n", 300);
        run.upstream_failed(PUBLISH, Because::Predecessor(DOCS)).end(RunStatus::Failed);
        run
    }

    /// All goes well, but nothing more is done after the smoke test has begun.
    pub fn running() -> Self {
        let mut run = Sample::new();
        run.start(BUILD).succeed(BUILD, 1_200, "v1.4".into()).start(TEST).start(COVER);
        run.succeed(COVER, 800, serde_json::json!({"percent": 87.5}));
        run.retry(TEST, 1, "1 test failed\n", 2_000, 5_000).pass(2_000).start(DOCS).pass(61_000);
        run
    }

    /// All goes well.
    pub fn succeeding() -> Self {
        let mut run = Sample::new();
        run.start(BUILD).succeed(BUILD, 1_200, "v1.4".into()).start(TEST).start(COVER);
        run.succeed(COVER, 800, serde_json::json!({"percent": 87.5})).succeed(TEST, 300, "".into()).start(GATE);
        let saw = [(TEST, "passed", true.into(), true), (COVER, "output.percent", 87.5.into(), false)];
        run.decide(GATE, 0, true, &saw).not_taken(NOTIFY, Because::Branch(GATE)).start(STAGING);
        run.start(PUSH).succeed(PUSH, 600, "pushed".into()).start(SMOKE).succeed(SMOKE, 90, "".into());
        run.group_ends(STAGING).group_ends(GATE).start(CLEAN).succeed(CLEAN, 5, "".into());
        run.start(TOKEN).succeed(TOKEN, 10, "hunter2".into()).start(DOCS).succeed(DOCS, 20, "".into());
        run.start(PUBLISH).succeed(PUBLISH, 20, "".into()).end(RunStatus::Success);
        run
    }
}
