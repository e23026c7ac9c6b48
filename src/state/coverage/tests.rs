use std::sync::Arc;

use super::*;
use crate::diag::Span;
use crate::event::{Decision, FailureKind, Outcome, Record};
use crate::plan::{Branch as Way, Condition, Expression, Growth, Step, StepId, Task};

fn condition(line: u32, text: &str) -> Condition {
    Condition::Expr(Expression { text: text.into(), steps: Vec::new(), span: Span::at(line, 5) })
}

/// `a` with a condition; `g`, a flow of one branch with `b` in it, and a way for all else, `c`.
fn planned() -> Event {
    let mut steps: Vec<Step> = ["a", "b", "c", "g"].map(|name| Step::new(name, Task::Wait(1), Span::at(1, 1))).into();
    steps[0].when = Some(Box::new(condition(2, "x > 1")));
    let branch = |when, step| Way { when, step: StepId(step) };
    steps[3].task = Arc::new(Task::Flow(vec![branch(Some(condition(4, "y")), 1), branch(None, 2)]));
    (steps[1].parent, steps[2].parent) = (Some(StepId(3)), Some(StepId(3)));
    let growth = Growth { steps, complete: true, header: Some(Box::default()), ..Growth::default() };
    Event::Planned { of: None, growth: Box::new(growth) }
}

fn decided(step: u32, branch: u32, result: Decision) -> Event {
    Event::Decided { step: StepId(step), branch, result, saw: Vec::new() }
}

fn records(events: Vec<Event>) -> Vec<Record> {
    let first = Event::Created(Box::default());
    let all = [first, planned()].into_iter().chain(events).enumerate();
    all.map(|(seq, event)| Record { seq: seq as u64, at: 1_000 + seq as u64, event: Arc::new(event) }).collect()
}

fn of(runs: Vec<Vec<Event>>) -> Coverage {
    let mut coverage = Coverage::default();
    for run in runs {
        coverage.add(&[Some("w.rhai".into())], &records(run));
    }
    coverage
}

fn ways(coverage: &Coverage) -> Vec<(u32, Choice, u64, u64)> {
    coverage.files["w.rhai"].iter().map(|b| (b.line, b.choice, b.yes, b.no)).collect()
}

#[test]
fn what_was_never_asked_is_there_with_nothing_counted() {
    let coverage = of(vec![Vec::new()]);
    assert_eq!(ways(&coverage), [(2, Choice::When, 0, 0), (4, Choice::Branch, 0, 0)]);
    assert_eq!((coverage.count(None), coverage.percent(None)), ((0, 4), 0.0));
}

#[test]
fn ways_are_added_up_over_runs() {
    let open = || Event::Started { step: StepId(3), attempt: 1 };
    let one = vec![decided(0, 0, Decision::Is(true)), open(), decided(3, 0, Decision::Is(false))];
    let other = vec![decided(0, 0, Decision::Is(false)), open(), decided(3, 0, Decision::Is(false))];
    let coverage = of(vec![one, other]);
    assert_eq!(ways(&coverage), [(2, Choice::When, 1, 1), (4, Choice::Branch, 0, 2)]);
    assert_eq!(coverage.percent(Some("w.rhai")), 75.0);
    let mut twice = coverage.clone();
    twice.merge(coverage);
    assert_eq!(ways(&twice), [(2, Choice::When, 2, 2), (4, Choice::Branch, 0, 4)]);
}

#[test]
fn a_condition_that_could_not_be_evaluated_went_no_way() {
    let failed = Decision::Failed(crate::event::Failure::new(FailureKind::Script, "no"));
    assert_eq!(ways(&of(vec![vec![decided(0, 0, failed)]]))[0], (2, Choice::When, 0, 0));
}

#[test]
fn files_without_a_name_are_not_counted() {
    let mut coverage = Coverage::default();
    coverage.add(&[None], &records(Vec::new()));
    assert!(coverage.files.is_empty());
    assert_eq!(coverage.percent(None), 100.0);
}

#[test]
fn it_is_written_as_lcov_does_and_read_again() {
    let coverage = of(vec![vec![decided(0, 0, Decision::Is(true))]]);
    let text = lcov(&coverage);
    assert_eq!(
        text,
        "TN:\nSF:w.rhai\nBRDA:2,0,0,1\nBRDA:2,0,1,0\nBRDA:4,1,0,-\nBRDA:4,1,1,-\nBRF:4\nBRH:1\nend_of_record\n"
    );
    let json = serde_json::to_string(&coverage).expect("it is data");
    assert_eq!(serde_json::from_str::<Coverage>(&json).expect("and read again"), coverage);
}

#[test]
fn an_end_tells_of_policies() {
    let state = RunState::of(&records(Vec::new()));
    let end = |error: Option<FailureKind>| {
        let error = error.map(|kind| crate::event::Failure::new(kind, "no"));
        let outcome = Arc::new(Outcome { error, ..Outcome::default() });
        went(&state, &Event::Finished { step: StepId(0), attempt: 1, outcome })
    };
    assert!(end(None).contains(&(StepId(0), 0, Choice::Validate, true)));
    assert!(end(Some(FailureKind::Validation)).contains(&(StepId(0), 0, Choice::Validate, false)));
    assert!(end(Some(FailureKind::Refused)).contains(&(StepId(0), 0, Choice::Answer, false)));
    assert!(end(Some(FailureKind::Exit)).contains(&(StepId(0), 0, Choice::Again, false)));
}

#[test]
fn a_plan_is_marked() {
    let coverage = of(vec![vec![decided(0, 0, Decision::Is(true))]]);
    let state = RunState::of(&records(Vec::new()));
    let marked = coverage.marked(&state.plan, &[Some("w.rhai".into())]);
    let text = marked.step(StepId(0)).when.as_ref().map(|when| when.text());
    assert_eq!(text.as_deref(), Some("[true 1×, never false] x > 1"));
    let Task::Flow(branches) = &*marked.step(StepId(3)).task else { panic!("it is a flow") };
    assert_eq!(branches[0].when.as_ref().map(|when| when.text()).as_deref(), Some("[never] y"));
}
