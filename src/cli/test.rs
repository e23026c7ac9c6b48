//! `flow test [PATH…]`

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::options::look;
use super::{Done, coverage, from_run, out, report};
use crate::diag::Diagnostic;
use crate::flow::{AgainOptions, TestEnd, TestOptions, TestResult, TestResults, Tests};
use crate::plan::unit;
use crate::view::{self, TestCounts, TestLine, TestVerdict};

/// Test workflows in the head, with doubles instead of processes
///
/// Tests are functions `test_…` in files `*_test.rhai`. `flow docs simulate` shows what they can do, docs/testing.md how
/// one begins.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow test                                        all tests below this folder
  flow test examples deploy_test.rhai              those of a folder, and of a file
  flow test deploy_test.rhai::test_a_bad_build     one test
  flow test --filter rollback                      those in whose name this stands
  flow test --junit report.xml                     for a CI system
  flow test --coverage --coverage-min 80           which ways of which decisions were ever gone
  flow test deploy.rhai --from-run last            does the workflow go the way of a recorded run again?
  flow test deploy.rhai --from-run deploy.ndjson   the same, from what `flow agents record --all` wrote

Exit codes: 0 all passed; 1 a test failed; 2 a file of tests is wrong, or there are no tests.")]
pub struct Args {
    /// Files, folders, or FILE::TEST. By default this folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests in whose file or name this stands
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Tests at the same time. Default: the number of cores
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    jobs: Option<u32>,
    /// Longest time of one test
    #[arg(long, value_name = "TIME", default_value = "60s")]
    timeout: String,
    /// Begin no further test once one has failed
    #[arg(long)]
    fail_fast: bool,
    /// List the tests and make none
    #[arg(long)]
    list: bool,
    /// Count which ways the decisions of the workflows went, and show it; with a file (….json, or ….info for lcov), write it there.
    /// May be given several times
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    coverage: Vec<String>,
    /// Fail if less than so much of the ways of all decisions was gone, in percent
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    coverage_min: Option<f64>,
    /// Write what came of the tests to a file, in the form of JUnit
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// Run a workflow, PATH, in the head as a recorded run went, and compare the ways: nothing is started, agents say again what they said
    #[arg(long, value_name = "RUN|FILE", conflicts_with_all = ["filter", "jobs", "fail_fast", "list", "coverage", "coverage_min", "junit"])]
    from_run: Option<String>,
    /// With `--from-run`: let the time pass that steps took then
    #[arg(long, requires = "from_run")]
    timing: bool,
    /// Print what came of the tests as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let timeout = unit::parse_duration_ms(&self.timeout).map_err(|problem| {
            Diagnostic::new("flow::cli::usage", format!("`--timeout {}` is no time: {problem}", self.timeout))
                .help("write a number and a unit: `--timeout 30s`")
        })?;
        if let Some(recorded) = self.from_run {
            let timeout = Duration::from_millis(timeout);
            return from_run::run(&self.paths, AgainOptions { recorded, timing: self.timing, timeout }, self.json);
        }
        let options = TestOptions {
            paths: self.paths.clone(),
            filter: self.filter.clone(),
            jobs: self.jobs.map(|jobs| jobs as usize),
            timeout: Duration::from_millis(timeout),
            fail_fast: self.fail_fast,
            coverage: !self.coverage.is_empty() || self.coverage_min.is_some(),
        };
        for file in self.coverage.iter().filter(|file| !file.is_empty()) {
            coverage::form(file)?;
        }
        let flow = look()?;
        let tests = flow.tests(&options)?;
        if self.list {
            if self.json {
                out::print(&format!("{}\n", listed(&tests)))?;
            } else {
                let line = |test: &crate::flow::Test| format!("{}::{}\n", test.file, test.name);
                out::print(&tests.tests.iter().map(line).collect::<String>())?;
                tests.wrong.iter().for_each(|problem| out::tell(&report::text(problem)));
            }
            return Ok(if tests.wrong.is_empty() { 0 } else { 2 });
        }
        let file = Mutex::new(String::new());
        let look = out::results_look();
        let tell = |result: &TestResult| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let first = *file != result.test.file;
            file.clone_from(&result.test.file);
            // Whether anybody still reads them is found out at the end.
            let _ = out::print(&view::test_line(&line(result), first, look));
        };
        let quiet = |_: &TestResult| {};
        let done = flow.test(tests, &options, if self.json { &quiet } else { &tell });
        let counts = counts(&done);
        if self.json {
            let mut object = as_json(&done, counts);
            if let Some(coverage) = &done.coverage {
                object["coverage"] = coverage::object(coverage);
            }
            out::print(&format!("{object}\n"))?;
        } else {
            print(&done, counts)?;
        }
        let mut code = match counts {
            TestCounts { wrong, .. } if wrong > 0 => 2,
            TestCounts { failed, .. } if failed > 0 => 1,
            _ => 0,
        };
        if let Some(file) = &self.junit {
            let lines: Vec<TestLine> = done.results.iter().map(line).collect();
            let written = view::junit(&lines, &done.wrong, done.took)
                .and_then(|xml| std::fs::write(file, xml).map_err(|error| error.to_string()));
            written.map_err(|error| {
                Diagnostic::new("flow::cli::output", format!("`{file}` cannot be written: {error}"))
                    .help("name a file in a folder that exists and is writable")
            })?;
        }
        if let Some(coverage) = &done.coverage {
            for file in self.coverage.iter().filter(|file| !file.is_empty()) {
                coverage::write(coverage, file)?;
            }
            let share = coverage.percent(None);
            if let Some(min) = self.coverage_min
                && share < min
            {
                let (share, min) = (view::percent(share), view::percent(min));
                let problem = Diagnostic::new(
                    "flow::test::coverage",
                    format!("{share} % of the ways were gone, less than {min} %"),
                )
                .help("the table of `--coverage` says which decisions never went which way");
                out::tell(&report::text(&problem));
                code = code.max(1);
            }
        }
        Ok(code)
    }
}

/// A share in percent.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share));
    number.ok_or_else(|| "a number from 0 to 100 is needed".to_owned())
}

fn print(done: &TestResults, counts: TestCounts) -> Result<(), super::End> {
    let look = out::results_look();
    let mut text = String::new();
    let lines: Vec<TestLine> = done.results.iter().map(line).collect();
    lines.iter().for_each(|line| text.push_str(&view::test_failure(line, look)));
    for problem in &done.wrong {
        text.push('\n');
        text.push_str(&view::diagnostic(problem, look));
    }
    if let Some(coverage) = &done.coverage {
        text.push_str(&view::coverage(coverage, look));
    }
    text.push_str(&view::test_summary(counts, done.took, look));
    out::print(&text)
}

fn line(result: &TestResult) -> TestLine<'_> {
    TestLine {
        file: &result.test.file,
        name: &result.test.name,
        line: result.test.line,
        end: match &result.end {
            TestEnd::Passed => TestVerdict::Passed,
            TestEnd::Skipped(why) => TestVerdict::Skipped(why),
            TestEnd::Failed(problem, values) => {
                TestVerdict::Failed(problem, values.as_ref().map(|both| (both.left.as_str(), both.right.as_str())))
            }
        },
        printed: &result.printed,
        took: result.took,
        latest: result.latest.as_ref().map(|latest| &latest.state),
    }
}

fn counts(done: &TestResults) -> TestCounts {
    let count = |is: fn(&TestEnd) -> bool| done.results.iter().filter(|result| is(&result.end)).count();
    TestCounts {
        passed: count(|end| matches!(end, TestEnd::Passed)),
        failed: count(|end| matches!(end, TestEnd::Failed(..))),
        skipped: count(|end| matches!(end, TestEnd::Skipped(_))),
        wrong: done.wrong.len(),
    }
}

fn listed(tests: &Tests) -> serde_json::Value {
    let one = |test: &crate::flow::Test| serde_json::json!({ "file": test.file, "name": test.name, "line": test.line });
    serde_json::json!({
        "tests": tests.tests.iter().map(one).collect::<Vec<_>>(),
        "wrong": tests.wrong.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
    })
}

fn as_json(done: &TestResults, counts: TestCounts) -> serde_json::Value {
    let tests = done.results.iter().map(|result| {
        let (status, mut object) = match &result.end {
            TestEnd::Passed => ("passed", serde_json::json!({})),
            TestEnd::Skipped(why) => ("skipped", serde_json::json!({ "reason": why })),
            TestEnd::Failed(problem, values) => {
                let mut object = serde_json::json!({ "error": problem.to_json() });
                if let Some(values) = values {
                    object["left"] = values.left.as_str().into();
                    object["right"] = values.right.as_str().into();
                }
                ("failed", object)
            }
        };
        object["file"] = result.test.file.as_str().into();
        object["name"] = result.test.name.as_str().into();
        object["line"] = result.test.line.into();
        object["status"] = status.into();
        object["duration_ms"] = (result.took.as_secs_f64() * 1_000.0).into();
        object["printed"] = result.printed.as_str().into();
        object
    });
    serde_json::json!({
        "passed": counts.passed,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "wrong": done.wrong.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
        "duration_ms": done.took.as_millis() as u64,
        "tests": tests.collect::<Vec<_>>(),
    })
}
