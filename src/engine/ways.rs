//! Every way through a plan: the machine itself goes through it, once for each combination of answers that its conditions
//! may give.
//!
//! It is a rehearsal in which each task takes as long as is estimated and goes well (those that are there to fail, fail),
//! so it shows what the same run would do, in what order, and how long it takes. The combinations are searched depth first:
//! a way is walked to its end, every condition that was asked on it being true unless said otherwise; then the last answer
//! that was true is turned. Two conditions that are written alike, read the same steps and captured the same values have one
//! answer; otherwise each is taken both ways, whatever the others say. Ways that begin with a failure (fallbacks, hooks of a
//! failure, what a failed step's dependants do) are not among them, nor are those on which an alert is raised.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::machine::{Asked, Effect, Input, Machine, Output, Timer, asked};
use crate::event::{Created, Decision, Event, Failure, FailureKind, Outcome, Record, RunStatus};
use crate::plan::analysis::Analysis;
use crate::plan::ways::{Choice, Way, Ways};
use crate::plan::{Condition, Growth, Plan, Step, StepId, Task, Value};
use crate::state::{RunState, Status};

/// The ways through a plan with so many steps at the same time; no more than `most` of them. `analysis` is of the same plan.
pub fn ways(plan: &Plan, analysis: &Analysis, max_parallel: u32, most: usize) -> Ways {
    let mut found = Ways::default();
    let mut open: Vec<Vec<bool>> = vec![Vec::new()];
    while let Some(answers) = open.pop() {
        if found.ways.len() == most {
            found.more = true;
            return found;
        }
        let given = answers.len();
        let mut walk = Walk::new(plan, analysis, max_parallel, answers);
        walk.go();
        for at in given..walk.answers.len() {
            let mut turned = walk.answers[..at].to_vec();
            turned.push(false);
            open.push(turned);
        }
        found.ways.push(walk.way());
    }
    found
}

/// When a rehearsal begins. At 0 nothing could have begun: that is how a state says that a step has not.
const BEGIN: u64 = 1;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Ends(StepId, u32),
    Killed(StepId, u32),
    Fires(Timer),
    Expands(StepId, u32),
}

/// One rehearsal.
struct Walk<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    machine: Machine,
    now: u64,
    /// By time, then by when it began.
    under_way: BinaryHeap<Reverse<(u64, u64)>>,
    next: HashMap<u64, Next>,
    began: u64,
    /// Answers, in the order in which conditions are asked: first those that are given, then yes.
    answers: Vec<bool>,
    /// How many have been asked for.
    asked: usize,
    /// By what a condition says, reads and has captured.
    known: HashMap<(String, Vec<StepId>, String), bool>,
    way: Way,
    closed: bool,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a Plan, analysis: &'a Analysis, max_parallel: u32, answers: Vec<bool>) -> Self {
        let growth = Growth {
            header: Some(Box::new(plan.header.clone())),
            steps: plan.steps.clone(),
            complete: true,
            ..Growth::default()
        };
        let events = [
            Event::Created(Box::new(Created { max_parallel: Some(max_parallel), ..Created::default() })),
            Event::Planned { of: None, growth: Box::new(growth) },
            Event::Opened { pid: 0, host: String::new(), flow: String::new() },
        ];
        let records = events.into_iter().zip(0..).map(|(event, seq)| Record { seq, at: 0, event: Arc::new(event) });
        let mut machine = Machine::new(RunState::of(&records.collect::<Vec<_>>()), max_parallel);
        machine.attended(true);
        Walk {
            plan,
            analysis,
            machine,
            now: BEGIN,
            under_way: BinaryHeap::new(),
            next: HashMap::new(),
            began: 0,
            answers,
            asked: 0,
            known: HashMap::new(),
            way: Way::default(),
            closed: false,
        }
    }

    fn go(&mut self) {
        self.give(Input::Start);
        while let (false, Some(Reverse((at, number)))) = (self.closed, self.under_way.pop()) {
            self.now = at;
            match self.next.remove(&number) {
                Some(Next::Ends(step, attempt)) => {
                    let outcome = Arc::new(self.outcome(step));
                    self.give(Input::Finished { step, attempt, outcome });
                }
                Some(Next::Killed(step, attempt)) => {
                    let outcome = Outcome {
                        error: Some(Failure::new(FailureKind::Cancelled, "it was ended")),
                        ..Outcome::default()
                    };
                    self.give(Input::Finished { step, attempt, outcome: Arc::new(outcome) });
                }
                Some(Next::Fires(timer)) => self.give(Input::Fired(timer)),
                Some(Next::Expands(step, iteration)) => {
                    let result = Ok(Box::new(self.expanded(step, iteration)));
                    self.give(Input::Expanded { step, result });
                }
                None => {}
            }
        }
    }

    fn way(self) -> Way {
        let fails = self.machine.state.status == RunStatus::Failed;
        Way { ms: self.now - BEGIN, fails, ..self.way }
    }

    fn give(&mut self, input: Input) {
        let output = self.machine.handle(self.now, input);
        self.take(output);
    }

    fn take(&mut self, output: Output) {
        for effect in output.effects {
            match effect {
                Effect::Attempt { step, attempt } => {
                    if step.index() < self.plan.steps.len() && attempt == 1 {
                        self.way.steps.push(step);
                    }
                    self.later(self.estimate(step), Next::Ends(step, attempt));
                }
                Effect::Decide { step, branch } => {
                    let result = Decision::Is(self.decide(step, branch));
                    self.give(Input::Decided { step, branch, result, saw: Vec::new() });
                }
                Effect::Expand { step, iteration } => {
                    // Of a fan-out whose steps are not known the time is that of all of it.
                    let ms = if iteration == 1 { self.estimate(step) } else { 0 };
                    if iteration == 1 && step.index() < self.plan.steps.len() {
                        self.way.steps.push(step);
                    }
                    self.later(ms, Next::Expands(step, iteration));
                }
                Effect::Judge { step, attempt, outcome } => {
                    self.give(Input::Judged { step, attempt, outcome, again: None });
                }
                Effect::Arm { timer, delay_ms } => match timer {
                    // Nothing takes too long.
                    Timer::Timeout(..) | Timer::Idle(_) | Timer::Run => {}
                    Timer::Retry(..) | Timer::Wait(..) | Timer::Minute(..) => {
                        if let Timer::Wait(step, _) = timer
                            && step.index() < self.plan.steps.len()
                        {
                            self.way.steps.push(step);
                        }
                        self.later(delay_ms, Next::Fires(timer));
                    }
                },
                Effect::Kill { step, attempt, .. } => self.later(0, Next::Killed(step, attempt)),
                Effect::Close => self.closed = true,
                Effect::Watch(_) | Effect::Ready(_) | Effect::LetEnd(_) | Effect::CloseStream { .. } => {}
            }
        }
    }

    fn later(&mut self, ms: u64, next: Next) {
        self.began += 1;
        self.under_way.push(Reverse((self.now.saturating_add(ms), self.began)));
        self.next.insert(self.began, next);
    }

    fn estimate(&self, step: StepId) -> u64 {
        match self.analysis.estimates.get(step.index()) {
            Some(estimate) => estimate.ms,
            // A step that stands for one which is not known yet.
            None => 0,
        }
    }

    fn outcome(&self, step: StepId) -> Outcome {
        match &*self.machine.state.plan.step(step).task {
            Task::Fail(_) => {
                Outcome { error: Some(Failure::new(FailureKind::Exit, "it is there to fail")), ..Outcome::default() }
            }
            _ => Outcome::default(),
        }
    }

    fn decide(&mut self, step: StepId, branch: u32) -> bool {
        let state = &self.machine.state;
        let own = state.step(step).status == Status::Pending;
        let condition = match asked(state, step, branch) {
            Some(Asked::Condition(condition)) if step.index() < self.plan.steps.len() => condition,
            // One iteration is enough to see what a loop does.
            _ => return true,
        };
        let captured = match condition {
            Condition::Closure(closure) => format!("{:?}", closure.captured),
            _ => String::new(),
        };
        let key = (condition.text().to_string(), condition.steps(), captured);
        if let Some(known) = self.known.get(&key) {
            let yes = *known;
            self.way.choices.push(Choice { step, branch: (!own).then_some(branch), yes });
            return yes;
        }
        if self.asked == self.answers.len() {
            self.answers.push(true);
        }
        let yes = self.answers[self.asked];
        self.asked += 1;
        self.known.insert(key, yes);
        self.way.choices.push(Choice { step, branch: (!own).then_some(branch), yes });
        yes
    }

    /// What a fan-out comes to whose items nobody knows: nothing; and a loop: one step that does nothing.
    fn expanded(&self, id: StepId, iteration: u32) -> Growth {
        let plan = &self.machine.state.plan;
        let base = plan.steps.len() as u32;
        let mut growth = Growth { base, ..Growth::default() };
        let mut group = plan.step(id).clone();
        match Arc::make_mut(&mut group.task) {
            Task::Repeat(repeat) => {
                let mut child = Step::new("", Task::Const(Value::Plain(serde_json::Value::Null)), group.span);
                child.parent = Some(id);
                child.key = Some(iteration.to_string().into());
                growth.steps.push(child);
                repeat.children.push(StepId(base));
            }
            Task::Workflow(workflow) => workflow.expanded = true,
            _ => {}
        }
        growth.changed.push((id, group));
        growth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::{Program, Script};

    fn plan(script: &str) -> Plan {
        let mut plan = Plan::default();
        let program = Program::compile(&Script::from_text("test", script)).expect("it compiles");
        plan.grow(program.build(&[], None).expect("a plan").growth);
        plan
    }

    /// Each way: its answers, its steps, how long it takes.
    fn told(script: &str) -> Vec<String> {
        let plan = plan(script);
        let found = ways(&plan, &Analysis::of(&plan, &HashMap::new()), 2, 100);
        assert!(!found.more);
        let told = found.ways.iter().map(|way| {
            let answers: String = way.choices.iter().map(|choice| if choice.yes { '+' } else { '-' }).collect();
            let steps: Vec<String> = way.steps.iter().map(|id| plan.path(*id)).collect();
            format!("{answers} {} {}{}", steps.join(" "), way.ms, if way.fails { " fails" } else { "" })
        });
        told.collect()
    }

    #[test]
    fn each_branch_is_a_way() {
        let script = r#"
            let t = sh("t", "true").estimate("5s");
            let deploy = sh("deploy", "true") -> sh("smoke", "true");
            flow("gate").when(|| t.passed, deploy).when(|| t.code == 3, sh("page", "true")).otherwise(fail("no", "no"));
        "#;
        assert_eq!(told(script), ["+ t gate/deploy gate/smoke 7000", "-+ t gate/page 6000", "-- t gate/no 5000 fails"]);
    }

    #[test]
    fn branches_within_branches_and_beside_each_other() {
        let script = r#"
            let t = sh("t", "true");
            let inner = flow("inner").when("t.code == 1", sh("a", "true")).otherwise(sh("b", "true"));
            flow("outer").when("t.passed", inner);
            sh("c", "true").when("t.duration_ms > 5");
        "#;
        let ways = told(script);
        assert_eq!(ways.len(), 6, "{ways:?}");
        assert!(ways.contains(&"--  t 1000".replace("  ", " ")), "{ways:?}");
    }

    #[test]
    fn conditions_that_are_alike_have_one_answer() {
        let script = r#"
            let t = sh("t", "true");
            sh("a", "true").when("t.code == 1");
            sh("b", "true").when("t.code == 1");
        "#;
        assert_eq!(told(script), ["++ t a b 2000", "-- t 1000"]);
    }

    #[test]
    fn what_follows_a_way_that_is_not_taken_is_not_on_it() {
        let script = r#"
            let t = sh("t", "true");
            sh("a", "true").when("t.passed") -> sh("after-a", "true");
            each("later", t.lines, |line| sh("x", `echo ${line}`)) -> sh("end", "true");
            repeat("poll", #{ max: 5, until: |last| last == 1 }, |i, last| sh("ask", "true"));
            t -> approve("sure") -> wait("pause", "10s");
        "#;
        let ways = told(script);
        assert_eq!(ways.len(), 2, "{ways:?}");
        assert!(ways[0].contains("after-a") && !ways[1].contains("after-a"), "{ways:?}");
        for word in ["later", "end", "sure", "pause", "11000"] {
            assert!(ways.iter().all(|way| way.split(' ').any(|part| part == word)), "{word}: {ways:?}");
        }
    }

    #[test]
    fn conditions_with_other_values_have_other_answers() {
        let script = r#"
            let n = sh("n", "true");
            for i in [1, 2] { sh(`s${i}`, "true").when(|| n.number == i); }
        "#;
        assert_eq!(told(script), ["++ n s1 s2 2000", "+- n s1 2000", "-+ n s2 2000", "-- n 1000"]);
    }

    #[test]
    fn clean_up_is_on_the_way() {
        let script = r#"
            let a = sh("a", "true");
            a.finally(sh("fin", "true"));
            a -> sh("z", "true");
        "#;
        assert_eq!(told(script).len(), 1);
        assert!(told(script)[0].contains("fin"), "{:?}", told(script));
    }

    #[test]
    fn too_many_are_not_all_told() {
        let steps: String = (0..20).map(|n| format!("sh(\"s{n}\", \"true\").when(\"t.code == {n}\");")).collect();
        let plan = plan(&format!("let t = sh(\"t\", \"true\"); {steps}"));
        let found = ways(&plan, &Analysis::of(&plan, &HashMap::new()), 2, 50);
        assert!(found.more && found.ways.len() == 50);
    }
}
