//! Tests of workflows: which there are, and what comes of them.

mod count;
mod differences;
mod find;
mod from_run;
mod room;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use self::stage::Theatre;
use super::{Flow, Script};
use crate::diag::{Diagnostic, Result};
use crate::lang::Program;
use crate::lang::trial::{Tried, Verdict};
use crate::state::coverage::Coverage;

pub use crate::lang::trial::{Rehearsed, Unequal};
pub use count::workflow_files;
pub use differences::Difference as WayDifference;
pub use find::test_files;
pub use from_run::{Again, AgainOptions};

/// Which tests are to be made, and how.
#[derive(Clone, Debug)]
pub struct TestOptions {
    /// Files, and folders in which files `*_test.rhai` are looked for. `FILE::test_name` is one test of a file.
    pub paths: Vec<PathBuf>,
    /// Only tests in whose file or name this stands.
    pub filter: Option<String>,
    /// How many at the same time. Nothing said: as many as there are cores.
    pub jobs: Option<usize>,
    /// Longest time of one test.
    pub timeout: Duration,
    /// No further test begins once one has failed.
    pub fail_fast: bool,
    /// Count which ways the decisions of the workflows under test go.
    pub coverage: bool,
}

impl Default for TestOptions {
    fn default() -> Self {
        TestOptions {
            paths: Vec::new(),
            filter: None,
            jobs: None,
            timeout: Duration::from_secs(60),
            fail_fast: false,
            coverage: false,
        }
    }
}

/// A test that was made, or is to be made.
#[derive(Clone, Debug)]
pub struct Test {
    /// The file, as it was named.
    pub file: String,
    /// The function.
    pub name: String,
    /// The line it is declared on.
    pub line: u32,
}

/// How a test ended.
#[derive(Clone, Debug)]
pub enum TestEnd {
    /// Well.
    Passed,
    /// It says itself that it cannot be made here, and why.
    Skipped(String),
    /// Something is not as claimed, or went wrong; and the values that differ.
    Failed(Box<Diagnostic>, Option<Unequal>),
}

/// What came of a test.
pub struct TestResult {
    /// Which.
    pub test: Test,
    /// How it ended.
    pub end: TestEnd,
    /// What it printed.
    pub printed: String,
    /// How long it took.
    pub took: Duration,
    /// What came of the latest run in it.
    pub latest: Option<Arc<Rehearsed>>,
}

/// The tests of some files.
pub struct Tests {
    /// The tests, by file and line.
    pub tests: Vec<Test>,
    /// What is wrong with files.
    pub wrong: Vec<Diagnostic>,
    programs: Vec<(String, Program)>,
}

/// What came of tests.
pub struct TestResults {
    /// Of each that was made, by file and line.
    pub results: Vec<TestResult>,
    /// What is wrong with files.
    pub wrong: Vec<Diagnostic>,
    /// Which ways the decisions of workflows from files went, if that was to be counted.
    pub coverage: Option<Coverage>,
    /// How long all took.
    pub took: Duration,
}

impl Flow {
    /// Reads and compiles files of tests.
    ///
    /// # Errors
    /// If a path does not exist, or none of them holds a test.
    pub fn tests(&self, options: &TestOptions) -> Result<Tests> {
        let mut tests = Tests { tests: Vec::new(), wrong: Vec::new(), programs: Vec::new() };
        let files = find::test_files(&options.paths)?;
        let mut all = 0;
        for (file, only) in &files {
            let name = file.display().to_string();
            let program = match Script::read(file)
                .and_then(|script| Program::compile_tests(&Script { surroundings: self.surroundings(), ..script }))
            {
                Ok(program) => program,
                Err(problem) => {
                    tests.wrong.push(problem);
                    continue;
                }
            };
            let of_file = program.tests();
            if let Some(only) = only
                && !of_file.iter().any(|test| test.name == *only)
            {
                let names = of_file.iter().map(|test| test.name.as_str());
                let near = crate::diag::did_you_mean(only, names);
                return Err(Diagnostic::new("flow::test::none", format!("`{name}` has no test `{only}`"))
                    .help(near.unwrap_or_else(|| format!("`flow test {name} --list` lists its tests"))));
            }
            all += of_file.len();
            let wanted = |test: &str| {
                only.as_ref().is_none_or(|only| only == test)
                    && options.filter.as_ref().is_none_or(|part| format!("{name}::{test}").contains(part))
            };
            let named = of_file.into_iter().filter(|test| wanted(&test.name));
            tests.tests.extend(named.map(|test| Test { file: name.clone(), name: test.name, line: test.line }));
            tests.programs.push((name, program));
        }
        if tests.tests.is_empty() && tests.wrong.is_empty() {
            let problem = match (&options.filter, files.as_slice()) {
                (_, []) => Diagnostic::new("flow::test::none", "there are no tests here")
                    .help("tests stand in files `*_test.rhai`, as functions `test_…`; docs/testing.md shows one"),
                (Some(part), _) if all > 0 => {
                    Diagnostic::new("flow::test::none", format!("none of {all} tests has `{part}` in its name"))
                        .help("`--list` lists all of them")
                }
                _ => Diagnostic::new("flow::test::none", "the files of tests hold no test")
                    .help("a test is a function whose name begins with `test_`: `fn test_it_works() { … }`"),
            };
            return Err(problem);
        }
        Ok(tests)
    }

    /// Makes tests, several at the same time. `told` hears of each when it and those before it have ended.
    pub fn test(&self, tests: Tests, options: &TestOptions, told: &(dyn Fn(&TestResult) + Sync)) -> TestResults {
        let begun = Instant::now();
        let Tests { tests, wrong, programs } = tests;
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let ended: Mutex<Ended> = Mutex::new(Ended { results: tests.iter().map(|_| None).collect(), told: 0 });
        let coverage: Option<Arc<Mutex<Coverage>>> = options.coverage.then(Arc::default);
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(test) = tests.get(place) else { return };
                if options.fail_fast && failed.load(Ordering::Relaxed) {
                    return;
                }
                let Some((_, program)) = programs.iter().find(|(name, _)| *name == test.file) else { continue };
                let result = one(test, program, options.timeout, coverage.clone());
                failed.fetch_or(matches!(result.end, TestEnd::Failed(..)), Ordering::Relaxed);
                ended.lock().unwrap_or_else(PoisonError::into_inner).add(place, result, told);
            }
        };
        let jobs = options.jobs.unwrap_or_else(|| available_parallelism().map_or(2, usize::from));
        std::thread::scope(|scope| {
            for _ in 1..jobs.min(tests.len()) {
                scope.spawn(work);
            }
            work();
        });
        let Ended { results, told: until } = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Behind one that was not made, because another had failed.
        results[until..].iter().flatten().for_each(told);
        let taken = |counted: &Arc<Mutex<Coverage>>| {
            std::mem::take(&mut *counted.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let coverage = coverage.as_ref().map(taken);
        TestResults { results: results.into_iter().flatten().collect(), wrong, coverage, took: begun.elapsed() }
    }
}

/// Tests that have ended, by their places.
struct Ended {
    results: Vec<Option<TestResult>>,
    /// How many of them have been told of.
    told: usize,
}

impl Ended {
    fn add(&mut self, place: usize, result: TestResult, told: &dyn Fn(&TestResult)) {
        self.results[place] = Some(result);
        while let Some(Some(next)) = self.results.get(self.told) {
            told(next);
            self.told += 1;
        }
    }
}

fn one(test: &Test, program: &Program, timeout: Duration, coverage: Option<Arc<Mutex<Coverage>>>) -> TestResult {
    let begun = Instant::now();
    let deadline = begun + timeout;
    let stage = Box::new(Theatre::new(program.clone(), deadline, coverage));
    let tried = catch_unwind(AssertUnwindSafe(|| program.try_test(&test.name, stage, deadline)));
    let Tried { verdict, printed, latest } = tried.unwrap_or_else(|_| {
        let problem = Diagnostic::new("flow::test::panic", "the test ended with a panic")
            .help("this is a mistake in flow; please report it");
        Tried { verdict: Verdict::Failed(Box::new(problem), None), printed: String::new(), latest: None }
    });
    let end = match verdict {
        Verdict::Passed => TestEnd::Passed,
        Verdict::Skipped(why) => TestEnd::Skipped(why),
        Verdict::Failed(problem, difference) => TestEnd::Failed(problem, difference),
    };
    TestResult { test: test.clone(), end, printed, took: begun.elapsed(), latest }
}
