//! Where workflows under test run: in the head, or for real in an empty folder.

use std::fs;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::room::Room;
use super::workflow_files;
use crate::diag::{Diagnostic, Result};
use crate::engine::drive::simulation::{Ended, Scene, Simulation};
use crate::event::{Created, Double};
use crate::exec::Closures;
use crate::flow::script::{self, failing_step, stopped};
use crate::flow::{Attended, Durability, Flow, Options, RunOptions, Script, Stop};
use crate::lang::Program;
use crate::lang::trial::{Rehearsed, Stage, Subject};
use crate::lang::{Built, Runner};
use crate::plan::{Growth, StepId};
use crate::state::coverage::Coverage;
use crate::state::{Files, StepResult};
use crate::view::time::Clock;
use crate::view::{Look, Why};

/// See the module's page.
pub(super) struct Theatre {
    tests: Program,
    deadline: Instant,
    coverage: Option<Arc<Mutex<Coverage>>>,
    /// The folder of what ran for real: as long as the test may look into it.
    rooms: Vec<Room>,
}

impl Theatre {
    /// For a test of a file. What its runs cover is added to `coverage`.
    pub fn new(tests: Program, deadline: Instant, coverage: Option<Arc<Mutex<Coverage>>>) -> Self {
        Theatre { tests, deadline, coverage, rooms: Vec::new() }
    }

    /// Counts a run of a workflow that stands in a file of its own.
    fn count(&self, program: &Program, script: &Script, rehearsed: &Rehearsed) {
        let sources = program.sources();
        let own = self.tests.sources().first().map(|(name, _)| name) == sources.first().map(|(name, _)| name);
        if let Some(coverage) = self.coverage.as_ref().filter(|_| !own) {
            let files = workflow_files(script, sources.iter().map(|(name, _)| name.as_str()));
            lock(coverage).add(&files, &rehearsed.records);
        }
    }
}

impl Stage for Theatre {
    fn simulate(&mut self, subject: Subject<'_>, doubles: &[Double], strict: bool) -> Result<Rehearsed> {
        let Subject { program, script, args, evaluate } = subject;
        let deadline = self.deadline;
        let file = script.path.as_ref().map_or_else(|| script.name.clone(), |path| path.display().to_string());
        let scene = Scene {
            closures: Arc::new(program.clone()) as Arc<dyn Closures>,
            doubles: doubles.to_vec(),
            strict,
            created: Created { file, args, cwd: "/".into(), version: 1, ..Created::default() },
            late: Box::new(move || Instant::now() > deadline),
            ..Scene::new(Arc::new(program.clone()))
        };
        let (ended, problem) = perform(scene, &program, evaluate)?;
        let rehearsed = Rehearsed {
            state: ended.state,
            records: ended.records,
            files: ended.files,
            sources: program.texts(),
            met: ended.met,
            problem,
            folder: None,
            why,
        };
        self.count(&program, &script, &rehearsed);
        Ok(rehearsed)
    }

    fn execute(&mut self, subject: Subject<'_>, files: &[(String, String)]) -> Result<Rehearsed> {
        let Subject { program, script, args, evaluate } = subject;
        let room = Room::new()?;
        let work = room.path().join("work");
        furnish(&work, files)?;
        let home = Some(room.path().join("runs"));
        let grace = Duration::from_secs(1);
        let flow = Flow::open(Options { home, durability: Durability::None, grace, ..Options::default() })?;
        let options = RunOptions { args, cwd: Some(work.clone()), attended: Attended::Always, ..RunOptions::default() };
        let (begins, compiled, text) = (flow.clone(), program.clone(), script.clone());
        let begin = move |growth, printed| begins.begin(&text, compiled, &options, growth, printed);
        let (running, mut events) = script::begin_here(evaluate, Box::new(begin))?;
        let mut records = Vec::new();
        let mut stopped = 0;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match events.next_within(left.max(Duration::from_millis(50))) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => {
                    running.stop(Stop::Cancelled);
                    stopped += 1;
                    if stopped > 200 {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        let files = running.way().files;
        let (state, problem) = running.problem_at_end();
        let state = state?;
        self.rooms.push(room);
        if stopped > 0 {
            return Err(Diagnostic::new(
                "flow::test::endless",
                "the run did not come to its end in time, and was ended",
            )
            .help("`--timeout` gives a test more time"));
        }
        let rehearsed = Rehearsed {
            state,
            records,
            files,
            sources: program.texts(),
            met: Vec::new(),
            problem,
            folder: Some(work),
            why,
        };
        self.count(&program, &script, &rehearsed);
        Ok(rehearsed)
    }
}

/// Lets a workflow run in the head. Gives also what its script failed with after the run had begun.
///
/// # Errors
/// What is wrong with the script, with a double, or with the time it takes.
pub(super) fn perform(
    scene: Scene,
    program: &Program,
    evaluate: impl FnOnce(Box<dyn Runner>) -> (Result<Built>, String),
) -> Result<(Ended, Option<Diagnostic>)> {
    let simulation = Arc::new(Mutex::new(Simulation::new(scene)));
    let prompter = Prompter { simulation: simulation.clone(), trouble: Arc::default() };
    let trouble = prompter.trouble.clone();
    let (built, printed) = evaluate(Box::new(prompter));
    if let Some(problem) = lock(&trouble).take() {
        return Err(problem);
    }
    let mut simulation =
        std::mem::replace(&mut *lock(&simulation), Simulation::new(Scene::new(Arc::new(program.clone()))));
    let mut problem = None;
    match built {
        Ok(built) => simulation.grow(built.growth, printed),
        Err(wrong) if !simulation.has_begun() => return Err(wrong.with_printed(printed)),
        Err(wrong) => {
            // After the run has ended nobody waits for the script.
            if wrong.code() != script::STOPPED {
                simulation.fail_script(failing_step(&wrong), printed);
                problem = Some(wrong);
            }
        }
    }
    Ok((simulation.finish()?, problem))
}

/// Makes a folder, and the files in it.
fn furnish(folder: &Path, files: &[(String, String)]) -> Result<()> {
    let no = |path: &Path, why: &str| {
        Diagnostic::new("flow::test::folder", format!("cannot create `{}`: {why}", path.display()))
            .help("TMPDIR must name a folder that is writable and has room")
    };
    fs::create_dir(folder).map_err(|error| no(folder, &error.to_string()))?;
    for (name, text) in files {
        let path = Path::new(name);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            let problem = Diagnostic::new("flow::test::file", format!("`{name}` is no path in the run's folder"));
            return Err(problem.help("it begins there, and stays in it: `in/words.txt`"));
        }
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        written.map_err(|error| no(&path, &error.to_string()))?;
    }
    Ok(())
}

/// `run(step)` in a script that is simulated.
struct Prompter {
    simulation: Arc<Mutex<Simulation>>,
    /// What went wrong with the simulation while the script waited.
    trouble: Arc<Mutex<Option<Diagnostic>>>,
}

impl Runner for Prompter {
    fn run(&mut self, growth: Growth, printed: String, steps: &[StepId]) -> Result<Vec<Arc<StepResult>>> {
        let mut simulation = lock(&self.simulation);
        simulation.grow(growth, printed);
        match simulation.want(steps) {
            Ok(Some(results)) => Ok(results),
            Ok(None) => Err(stopped()),
            Err(problem) => {
                *lock(&self.trouble) = Some(problem);
                Err(stopped())
            }
        }
    }

    fn files(&self) -> Arc<dyn Files> {
        lock(&self.simulation).files()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a step stands where it stands.
fn why(rehearsed: &Rehearsed, step: StepId) -> String {
    let state = &rehearsed.state;
    let paths = |log: &crate::event::Log| log.file.clone();
    let why = Why {
        state,
        status: state.status,
        records: &rehearsed.records,
        sources: &rehearsed.sources,
        paths: &paths,
        clock: &Clock::local(state.latest_at),
        look: Look::PLAIN,
    };
    why.step(step).trim_end().to_owned()
}
