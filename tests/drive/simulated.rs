//! A run in the head ends as a run does: random workflows, once with the real driver on its own thread, a store and the
//! fake executor, once simulated.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use flow::diag::Span;
use flow::engine::drive::simulation::{Ended, Scene, Simulation};
use flow::engine::drive::{Attended, Driving, Lookout, Setup};
use flow::engine::numbering::Numbering;
use flow::event::{Created, Double, Event, Failure, FailureKind, Outcome, Output, Reply, RunStatus};
use flow::exec::{Fake, Report};
use flow::lang::{Program, Script};
use flow::plan::Growth;
use flow::state::{RunState, Status};
use flow::store::{Durability, Store};

use super::process::Folder;

/// Numbers that follow from a seed (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % most
    }

    fn one_in(&mut self, most: u64) -> bool {
        self.below(most) == 0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// A workflow of some steps that wait for, read and replace each other.
fn workflow(dice: &mut Dice) -> String {
    let mut text = String::new();
    let steps = 3 + dice.below(10);
    for n in 0..steps {
        let before = |dice: &mut Dice| format!("s{}", dice.below(n.max(1)));
        let mut step = match dice.below(10) {
            0 => format!("call(\"n{n}\", || 7)"),
            1 if n > 0 => format!("call(\"n{n}\", || {}.status)", before(dice)),
            2 => format!("chain(\"n{n}\", [sh(\"x\", \"x\"), sh(\"y\", \"y\")])"),
            3 => format!("each(\"n{n}\", [\"a\", \"b\", \"c\"], |item| sh(\"x\", \"x\"))"),
            4 if n > 0 => format!(
                "flow(\"n{n}\").when(|| {}.passed, sh(\"x\", \"x\")).when(\"n{}.skipped\", sh(\"y\", \"y\")).otherwise(sh(\"z\", \"z\"))",
                before(dice),
                dice.below(n)
            ),
            5 => format!("repeat(\"n{n}\", #{{ max: 3, until: |last| last == \"good\" }}, |i, last| sh(\"x\", \"x\"))"),
            6 if n > 0 => format!("each(\"n{n}\", {}.lines, |item| sh(\"x\", \"x\"))", before(dice)),
            7 => format!("wait(\"n{n}\", \"2ms\")"),
            _ => format!("sh(\"n{n}\", \"x\")"),
        };
        for _ in 0..dice.below(3) {
            if n > 0 {
                let _ = write!(step, ".after({})", before(dice));
            }
        }
        if n > 0 && dice.one_in(4) {
            let rule = dice.pick(&["none_failed", "all_done", "one_success", "one_failed", "all_failed"]);
            let _ = write!(step, ".after({}).rule(\"{rule}\")", before(dice));
        }
        if n > 0 && dice.one_in(5) {
            let _ = write!(step, ".when(|| {}.passed)", before(dice));
        }
        if dice.one_in(5) {
            step.push_str(".retry(#{ max_attempts: 3, delay: \"1ms\", backoff: \"fixed\" })");
        }
        if dice.one_in(6) {
            let _ = write!(step, ".on_error(\"{}\")", dice.pick(&["continue", "skip"]));
        }
        if dice.one_in(6) {
            step.push_str(".validate(|r| r.output != \"bad\")");
        }
        if dice.one_in(8) {
            let _ = write!(step, ".fallback(sh(\"else{n}\", \"x\"))");
        }
        let _ = writeln!(text, "let s{n} = {step};");
        if dice.one_in(8) {
            let _ = writeln!(text, "s{n}.on_failure(sh(\"sorry{n}\", \"x\"));");
        }
    }
    if dice.one_in(3) {
        text.push_str("on(\"failure\", sh(\"page\", \"x\"));\n");
    }
    text
}

/// How the attempts of a path end.
fn replies(seed: u64, path: &str) -> Vec<Reply> {
    let salt = path.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut dice = Dice(salt);
    let reply = |dice: &mut Dice| match dice.below(6) {
        0 => {
            let code = if dice.one_in(2) { 75 } else { 1 };
            Reply {
                said: true,
                error: Some(Failure::new(FailureKind::Exit, "no")),
                code: Some(code),
                ..Reply::default()
            }
        }
        1 => Reply { said: true, value: "bad".into(), ..Reply::default() },
        _ => Reply { said: true, value: "good".into(), ..Reply::default() },
    };
    (0..3).map(|_| reply(&mut dice)).collect()
}

/// The paths of all processes that a workflow can come to have: those known, and the children of fan-outs.
fn paths(growth: &Growth) -> Vec<String> {
    let mut plan = flow::plan::Plan::default();
    plan.grow(growth.clone());
    let mut paths: Vec<String> =
        plan.ids().filter(|id| plan.step(*id).task.leaves_process()).map(|id| plan.path(id)).collect();
    for id in plan.ids().filter(|id| plan.gets_steps_at_run_time(*id)) {
        let path = plan.path(id);
        paths.extend(
            ["1", "2", "3", "good", "bad", "7", "success", "failed", "skipped"].map(|key| format!("{path}[{key}]")),
        );
    }
    paths
}

fn outcome(reply: Reply) -> Outcome {
    let code = reply.code.or(reply.error.is_none().then_some(0));
    let output = if reply.value.is_null() { Output::None } else { Output::Value(reply.value) };
    Outcome { error: reply.error, code, output, ..Outcome::default() }
}

fn driven(program: &Program, growth: Growth, seed: u64) -> RunState {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("home"), Durability::None).expect("a store");
    let log = store.create(Created::default()).expect("a run");
    let (paths, closures) = (paths(&growth), Arc::new(program.clone()));
    let first = log.first().clone();
    let mut numbering = Numbering::default();
    let growth = numbering.take(growth, 0).expect("it is new");
    let folder = log.folder().to_owned();
    let driving = Driving::start(Setup {
        state: RunState::of([&first]),
        opening: vec![
            Event::Opened { pid: 1, host: String::new(), flow: String::new() },
            Event::Planned { of: None, growth: Box::new(growth) },
        ],
        default_parallel: 4,
        numbering,
        journal: Box::new(log),
        files: Arc::new(Folder(folder.clone())),
        folder,
        executor: Box::new(move |report: Report| {
            let with = |fake: Fake, path: &String| fake.with(path, replies(seed, path).into_iter().map(outcome));
            Arc::new(paths.iter().fold(Fake::new(closures, report), with))
        }),
        signals: None,
        lookout: Lookout::new(Box::new(Nobody), Attended::Always, []),
        at_end: Box::new(|_| {}),
    })
    .expect("a thread");
    driving.inbox().begin();
    driving.wait().expect("a state")
}

struct Nobody;

impl flow::engine::drive::Outside for Nobody {
    fn letters(&mut self, _: u64) -> flow::diag::Result<Vec<flow::store::Letter>> {
        Ok(Vec::new())
    }

    fn is_there(&mut self, _: &str) -> bool {
        false
    }
}

fn simulated(program: &Program, growth: Growth, seed: u64) -> Ended {
    let double = |path: String| Double { replies: replies(seed, &path), pattern: path, span: Span::default() };
    let mut scene = Scene::new(Arc::new(program.clone()));
    scene.doubles = paths(&growth).into_iter().map(double).collect();
    let mut simulation = Simulation::new(scene);
    simulation.grow(growth, String::new());
    simulation.finish().unwrap_or_else(|problem| panic!("{problem}"))
}

/// What can be compared: time passes otherwise.
fn ends(state: &RunState) -> BTreeMap<String, (Status, u32, Option<String>)> {
    let end = |id| {
        let step = state.step(id);
        let error = step.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
        // Which of several children failed first is nobody's business.
        let error = error.filter(|error| error.kind != FailureKind::Child).map(|error| error.message.clone());
        (step.status, step.attempt, error)
    };
    state.plan.ids().map(|id| (state.plan.path(id), end(id))).collect()
}

#[test]
fn a_simulated_run_ends_as_the_machine_does() {
    let (mut failed, mut steps) = (0, 0);
    for seed in 0..150 {
        let text = workflow(&mut Dice(seed));
        let program = Program::compile(&Script::from_text("random.rhai", text.as_str()))
            .unwrap_or_else(|problem| panic!("{seed}: {problem}\n{text}"));
        // What is refused (a rule that can never be met, a name twice) is of no use here.
        let Ok(built) = program.build(&[], None) else { continue };
        let one = simulated(&program, built.growth.clone(), seed);
        let again = simulated(&program, built.growth.clone(), seed);
        assert_eq!(one.records, again.records, "{seed}: not the same twice\n{text}");
        let driven = driven(&program, built.growth, seed);
        assert_eq!(ends(&one.state), ends(&driven), "{seed}\n{text}");
        assert_eq!(one.state.status, driven.status, "{seed}\n{text}");
        failed += u32::from(driven.status == RunStatus::Failed);
        steps += driven.plan.steps.len();
    }
    assert!(failed > 30 && steps > 1_000, "{failed} of the runs fail, {steps} steps in all");
}
