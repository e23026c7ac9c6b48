//! What came of tests in the form of JUnit, which CI systems read: a suite for each file.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::verdicts::{TestLine, TestVerdict, test_failure};
use super::{Look, diagnostic};
use crate::diag::Diagnostic;

/// The report as XML. `wrong`: files that could not be read, with what is wrong in them.
///
/// # Errors
/// If it cannot be written as XML: the reason.
pub fn junit(tests: &[TestLine], wrong: &[Diagnostic], took: Duration) -> Result<String, String> {
    let mut report = Report::new("flow test");
    report.set_time(took);
    for of_file in tests.chunk_by(|one, other| one.file == other.file) {
        let mut suite = TestSuite::new(of_file[0].file);
        suite.set_time(of_file.iter().map(|test| test.took).sum());
        suite.add_test_cases(of_file.iter().map(case));
        report.add_test_suite(suite);
    }
    if !wrong.is_empty() {
        let mut suite = TestSuite::new("files of tests");
        suite.add_test_cases(wrong.iter().map(|problem| {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(problem.message()).set_type(problem.code());
            status.set_description(diagnostic(problem, Look::PLAIN));
            TestCase::new(problem.message(), status)
        }));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn case(test: &TestLine) -> TestCase {
    let status = match &test.end {
        TestVerdict::Passed => TestCaseStatus::success(),
        TestVerdict::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(*why);
            status
        }
        TestVerdict::Failed(problem, _) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(problem.message()).set_type(problem.code());
            status.set_description(test_failure(test, Look::PLAIN).trim_start().to_owned());
            status
        }
    };
    let mut case = TestCase::new(test.name, status);
    case.set_classname(test.file).set_time(test.took);
    if !test.printed.is_empty() {
        case.set_system_out(test.printed);
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(name: &'a str, end: TestVerdict<'a>) -> TestLine<'a> {
        let took = Duration::from_millis(2);
        TestLine { file: "a_test.rhai", name, line: 1, end, printed: "", took, latest: None }
    }

    #[test]
    fn signs_of_xml_are_text() {
        let problem = Diagnostic::new("flow::test::assert", "a < b && \"c\" \u{1b}[31m").help("none");
        let tests = [
            line("test_well", TestVerdict::Passed),
            line("test_badly", TestVerdict::Failed(&problem, Some(("<1>", "<2>")))),
            line("test_later", TestVerdict::Skipped("no <compiler>")),
        ];
        let xml = junit(&tests, &[], Duration::from_millis(4)).expect("it can be written");
        assert!(xml.starts_with("<?xml"));
        assert!(xml.contains("tests=\"3\""), "{xml}");
        assert!(xml.contains("failures=\"1\""), "{xml}");
        assert!(xml.contains("a &lt; b &amp;&amp; &quot;c&quot;"), "{xml}");
        assert!(xml.contains("no &lt;compiler&gt;"), "{xml}");
        assert!(!xml.contains('\u{1b}'), "no control characters");
    }
}
