//! Texts of `view`, from hand-made events.

use std::sync::{Arc, Mutex};

use flow::event::{Event, Log, RunStatus, Stop};
use flow::plan::StepId;
use flow::state::RunState;
use flow::view::progress::Progress;
use flow::view::time::Clock;
use flow::view::{Look, Summary, Why, json, show};

use crate::golden;
use crate::sample::{BUILD, CLEAN, COVER, DOCS, GATE, NOTIFY, PUBLISH, PUSH, SMOKE, STAGING, Sample, TEST, TOKEN};

pub fn paths(log: &Log) -> String {
    format!(".flow/runs/01k1deploy/{}", log.file)
}

fn summary(run: &Sample, status: RunStatus) -> String {
    let state = run.state();
    let (clock, look) = (&Clock::utc(run.now()), Look::PLAIN);
    Summary { state: &state, status, files: &run.files, paths: &paths, kept: true, clock, look }.text()
}

fn shown(run: &Sample, status: RunStatus) -> String {
    show(&run.state(), status, &Clock::utc(run.now()), Look::PLAIN, false)
}

fn why(run: &Sample, status: RunStatus, steps: &[StepId]) -> String {
    let (state, clock, sources) = (run.state(), Clock::utc(run.now()), run.sources());
    let why = Why {
        state: &state,
        status,
        records: &run.records,
        sources: &sources,
        paths: &paths,
        clock: &clock,
        look: Look::PLAIN,
    };
    let mut text = format!("=== the run\n{}", why.run());
    for step in steps {
        text.push_str(&format!("\n=== {}\n{}", state.plan.path(*step), why.step(*step)));
    }
    text
}

const ALL: [StepId; 12] = [BUILD, TEST, COVER, GATE, STAGING, PUSH, SMOKE, NOTIFY, CLEAN, TOKEN, DOCS, PUBLISH];

#[test]
fn summary_of_a_failed_run() {
    golden::check("view/summary-failed.txt", &summary(&Sample::failing(), RunStatus::Failed));
}

#[test]
fn summary_of_other_ends() {
    let mut text = summary(&Sample::succeeding(), RunStatus::Success);
    let mut run = Sample::running();
    text.push_str(&summary(&run, RunStatus::Interrupted));
    run.event(Event::Stopping { reason: Stop::Interrupted });
    text.push_str(&summary(run.event(Event::Paused), RunStatus::Paused));
    golden::check("view/summary-others.txt", &text);
}

#[test]
fn show_draws_the_tree() {
    golden::check("view/show-failed.txt", &shown(&Sample::failing(), RunStatus::Failed));
    golden::check("view/show-running.txt", &shown(&Sample::running(), RunStatus::Running));
    golden::check("view/show-success.txt", &shown(&Sample::succeeding(), RunStatus::Success));
}

#[test]
fn a_narrow_tree_stays_in_its_columns() {
    let run = Sample::failing();
    let look = Look { width: 30, ..Look::PLAIN };
    let text = show(&run.state(), RunStatus::Failed, &Clock::utc(run.now()), look, false);
    let tree = text.split_once("\n\n").expect("a header and a tree").1;
    assert!(tree.lines().all(|line| line.chars().count() <= 30), "{tree}");
}

#[test]
fn why_of_every_step_of_a_failed_run() {
    golden::check("view/why-failed.txt", &why(&Sample::failing(), RunStatus::Failed, &ALL));
}

#[test]
fn why_of_every_step_of_a_running_run() {
    golden::check("view/why-running.txt", &why(&Sample::running(), RunStatus::Running, &ALL));
}

#[test]
fn why_of_a_run_whose_process_is_gone() {
    let run = Sample::running();
    let text = format!("{}\n{}", shown(&run, RunStatus::Interrupted), why(&run, RunStatus::Interrupted, &[DOCS, PUSH]));
    golden::check("view/why-interrupted.txt", &text);
}

#[test]
fn why_of_every_step_of_a_good_run() {
    golden::check("view/why-success.txt", &why(&Sample::succeeding(), RunStatus::Success, &ALL));
}

#[test]
fn why_of_a_run_that_was_stopped() {
    let mut run = Sample::running();
    run.event(Event::Stopping { reason: Stop::Failure(DOCS) }).fail(DOCS, 1, "no\n", 10);
    for step in [TEST, GATE, STAGING, PUSH, SMOKE, NOTIFY, CLEAN, TOKEN, PUBLISH] {
        run.event(Event::Cancelled { step });
    }
    run.end(RunStatus::Failed);
    golden::check("view/why-stopped.txt", &why(&run, RunStatus::Failed, &[TEST, PUSH, PUBLISH]));
}

#[test]
fn json_of_a_run_and_its_events() {
    let run = Sample::failing();
    let state = run.state();
    let object = json::run(&state, RunStatus::Failed, &run.files);
    golden::check("view/run.json", &format!("{object:#}\n"));
    let lines: String = run
        .records
        .iter()
        .filter(|record| !matches!(*record.event, Event::Planned { .. }))
        .map(|record| format!("{}\n", json::event("01k1deploy", &state.plan, record)))
        .collect();
    assert!(!lines.contains("hunter2") && !object.to_string().contains("hunter2"), "a secret is shown");
    golden::check("view/events.ndjson", &lines);
}

/// A place for lines that can be looked at.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics with it").clone()).expect("text")
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn plain_progress_is_a_line_an_event() {
    let run = Sample::failing();
    let out = Shared::default();
    let mut progress = Progress::lines(Box::new(out.clone()), Look::PLAIN);
    let mut state = RunState::default();
    for record in &run.records {
        state.apply(record.at, &record.event);
        progress.record(&state, record);
    }
    progress.finish(&state, run.now());
    golden::check("view/progress-plain.txt", &out.text());
}
