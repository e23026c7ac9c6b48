//! What is told of streams, pipelines and races, from hand-made events.

use std::sync::Arc;

use flow::diag::Span;
use flow::event::{
    Alerted, Because, Counts, Event, Failure, FailureKind, Flowed, Log, Meter, Outcome, Reached, RunStatus, Streamed,
};
use flow::plan::{
    Alert, Closure, Filter, Format, ItemError, Metric, OnAlert, Pipeline, Quorum, Reads, Retry, Severity, Source,
    Stage, StageWork, Step, StepId, Stream, Task, Value,
};
use flow::state::RunState;
use flow::view::progress::Progress;
use flow::view::time::Clock;
use flow::view::{Look, Summary, Why, json, show};

use crate::golden;
use crate::sample::{Sample, shell};
use crate::view::{Shared, paths};

const A: StepId = StepId(0);
const PICK: StepId = StepId(1);
const HEAD: StepId = StepId(2);
const ERRORS: StepId = StepId(3);
const LOGS: StepId = StepId(4);
const PAGE: StepId = StepId(5);
const EU: StepId = StepId(6);
const US: StepId = StepId(7);
const MIRROR: StepId = StepId(8);
const CALM: StepId = StepId(9);
const ALL: [StepId; 10] = [A, PICK, HEAD, ERRORS, LOGS, PAGE, EU, US, MIRROR, CALM];

fn closure(text: &str) -> Closure {
    Closure { function: "anon$1".into(), captured: Vec::new(), text: text.into(), span: Span::at(2, 9) }
}

fn steps() -> Vec<Step> {
    let filter = Filter {
        closure: closure("|entry| if entry.status >= 500 { entry }"),
        reads: Reads::Ndjson,
        on_error: ItemError::Stop,
    };
    let mut pipeline =
        Pipeline::of(Source::File { path: Value::Plain("access.log".into()), format: Format::default() });
    let mut parse = Stage::new("parse", StageWork::Map(closure("|line| parse(line)")), Span::default());
    parse.on_error = Some(ItemError::DeadLetter);
    pipeline.stages = vec![parse];
    let alert = |metric: Metric, above: f64, action: StepId| Alert {
        metric,
        stage: Some("parse".into()),
        above: Some(above),
        below: None,
        for_ms: 30_000,
        severity: Severity::Critical,
        action: Some(action),
        span: Span::default(),
    };
    let stream = Stream::of(vec![vec![A], vec![PICK], vec![HEAD]]);
    let race = Quorum { need: 1, race: true, children: vec![EU, US] };
    let mut steps = vec![
        shell("a", 1),
        Step::new("pick", Task::Filter(Box::new(filter)), Span::at(2, 1)),
        shell("head", 3),
        Step::new("errors", Task::Stream(Box::new(stream)), Span::at(4, 1)),
        Step::new("logs", Task::Pipeline(Box::new(pipeline)), Span::at(5, 1)),
        shell("page", 6),
        shell("eu", 7),
        shell("us", 8),
        Step::new("mirror", Task::Quorum(race), Span::at(9, 1)),
        shell("calm", 10),
    ];
    for (child, group) in [(A, ERRORS), (PICK, ERRORS), (HEAD, ERRORS), (EU, MIRROR), (US, MIRROR)] {
        steps[child.index()].parent = Some(group);
    }
    steps[HEAD.index()].policy_mut().retry = Some(Retry { max_attempts: 2, ..Retry::default() });
    steps[LOGS.index()].policy_mut().alerts =
        vec![alert(Metric::ErrorRate, 0.1, PAGE), alert(Metric::P95, 200.0, CALM)];
    steps[PAGE.index()].on_alert = Some(OnAlert { step: LOGS, alert: 0 });
    steps[CALM.index()].on_alert = Some(OnAlert { step: LOGS, alert: 1 });
    steps
}

fn meter(name: &str, came: u64, went: u64) -> Meter {
    Meter { name: name.into(), came, went, per_second: 41_234.0, ..Meter::default() }
}

fn stream_flows(run: &mut Sample, bytes: u64) {
    let member = |name: &str, bytes: u64| Meter {
        name: name.into(),
        bytes,
        went: bytes / 80,
        per_second: 12.4e6,
        ..Meter::default()
    };
    let meters = vec![member("a", bytes), member("pick", bytes / 10), member("head", 800)];
    run.event(Event::Flowed(Box::new(Flowed { step: ERRORS, attempt: 1, reached: None, meters })));
}

fn pipeline_flows(run: &mut Sample, items: u64, waiting: u64) {
    let counts = Counts { items, delivered: items - 12, dead: 12, ..Counts::default() };
    let reached = Reached { upto: items, counts, ..Reached::default() };
    let mut parse = meter("parse", items, items - 12);
    (parse.failed, parse.retried, parse.waiting) = (12, 24, waiting);
    (parse.p50_us, parse.p95_us, parse.p99_us, parse.error_rate) = (85, 1_240, 25_000, 0.25);
    let meters = vec![meter("source", 0, items + waiting), parse, meter("sink", items - 12, items - 12)];
    run.event(Event::Flowed(Box::new(Flowed { step: LOGS, attempt: 1, reached: Some(Box::new(reached)), meters })));
}

/// All of them go on.
fn running() -> Sample {
    let mut run = Sample::of(steps());
    run.event(Event::Started { step: ERRORS, attempt: 1 });
    for id in [A, PICK, HEAD, LOGS, MIRROR, EU, US] {
        run.start(id);
    }
    for n in 1..=24 {
        run.pass(500);
        stream_flows(&mut run, n * 6_200_000);
        pipeline_flows(&mut run, n * 20_617, 812);
    }
    let alerted = Alerted { step: LOGS, alert: 0, stage: "parse".into(), value: 0.25 };
    run.event(Event::Alerted(Box::new(alerted))).start(PAGE);
    run
}

fn streamed(bytes_out: u64, cut_short: bool) -> Outcome {
    let streamed = Streamed { bytes_in: 0, bytes_out, cut_short, partly_kept: cut_short, ..Streamed::default() };
    let stdout = Log { file: "logs/0-errors_a.1.out".into(), bytes: 1 << 20, sha256: String::new() };
    Outcome { streamed: Some(Box::new(streamed)), stdout: Some(stdout), duration_ms: 12_400, ..Outcome::default() }
}

/// And end well, but for what a race does not need any more.
fn ended() -> Sample {
    let mut run = running();
    run.pass(400).succeed(PAGE, 30, "paged".into()).succeed(EU, 10, "file".into());
    run.not_taken(US, Because::NotNeeded(MIRROR)).group_ends(MIRROR);
    for (id, bytes, cut) in [(HEAD, 800, false), (PICK, 14_880_000, true), (A, 148_800_000, true)] {
        run.event(Event::Finished { step: id, attempt: 1, outcome: Arc::new(streamed(bytes, cut)) });
    }
    run.group_ends(ERRORS);
    pipeline_flows(&mut run, 1_000_000, 0);
    run.event(Event::Finished { step: LOGS, attempt: 1, outcome: Arc::default() });
    run.not_taken(CALM, Because::Moment).end(RunStatus::Success);
    run
}

/// The stream fails by its filter, and the pipeline is stopped.
fn failed() -> Sample {
    let mut run = running();
    let error = Failure::new(FailureKind::Script, "there is no `status` in line 17");
    run.event(Event::Finished {
        step: PICK,
        attempt: 1,
        outcome: Arc::new(Outcome { error: Some(error), duration_ms: 12_000, ..Outcome::default() }),
    });
    run.event(Event::Cancelled { step: A }).event(Event::Cancelled { step: HEAD });
    let error = Failure::new(FailureKind::Child, "`pick` failed");
    let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
    run.event(Event::Finished { step: ERRORS, attempt: 1, outcome });
    run.event(Event::Cancelled { step: LOGS }).succeed(PAGE, 30, "paged".into());
    run.fail(EU, 1, "", 10).fail(US, 1, "", 10);
    let error = Failure::new(FailureKind::Child, "none succeeded");
    let outcome = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
    run.event(Event::Finished { step: MIRROR, attempt: 1, outcome });
    run.not_taken(CALM, Because::Moment).end(RunStatus::Failed);
    run
}

fn all(run: &Sample, status: RunStatus) -> String {
    let (state, clock, sources, look) = (run.state(), Clock::utc(run.now()), run.sources(), Look::PLAIN);
    let mut text = format!("=== show\n{}", show(&state, status, &clock, look, false));
    let summary = Summary { state: &state, status, files: &run.files, paths: &paths, kept: true, clock: &clock, look };
    text.push_str(&format!("\n=== summary\n{}", summary.text()));
    let why =
        Why { state: &state, status, records: &run.records, sources: &sources, paths: &paths, clock: &clock, look };
    text.push_str(&format!("\n=== why\n{}", why.run()));
    for step in ALL {
        text.push_str(&format!("\n=== why {}\n{}", state.plan.path(step), why.step(step)));
    }
    text
}

#[test]
fn live_steps_that_go_on() {
    golden::check("view/live-running.txt", &all(&running(), RunStatus::Running));
}

#[test]
fn live_steps_that_ended_well() {
    golden::check("view/live-success.txt", &all(&ended(), RunStatus::Success));
}

#[test]
fn live_steps_that_failed() {
    golden::check("view/live-failed.txt", &all(&failed(), RunStatus::Failed));
}

#[test]
fn live_steps_as_data() {
    let run = ended();
    let object = json::run(&run.state(), RunStatus::Success, &run.files);
    let some: serde_json::Value =
        ["errors", "errors/a", "logs"].iter().map(|path| (path.to_string(), object["steps"][path].clone())).collect();
    golden::check("view/live.json", &format!("{some:#}\n"));
}

/// Figures come many times a second; of lines there are few.
#[test]
fn figures_are_a_line_every_few_seconds() {
    let run = ended();
    let out = Shared::default();
    let mut progress = Progress::lines(Box::new(out.clone()), Look::PLAIN);
    let mut state = RunState::default();
    for record in &run.records {
        state.apply(record.at, &record.event);
        progress.record(&state, record);
    }
    progress.finish(&state, run.now());
    golden::check("view/live-progress.txt", &out.text());
}
