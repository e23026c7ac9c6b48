//! Tests as functions of a compiled file, and what comes of one.

use std::sync::Arc;
use std::time::Instant;

use rhai::{CallFnOptions, Dynamic, FnPtr, NativeCallContext};

use super::{Rehearsed, Stage, Trial};
use crate::diag::{Diagnostic, Result, Span};
use crate::lang::build::{Built, Runner};
use crate::lang::program::{Program, on_large_stack};
use crate::lang::script::Script;
use crate::lang::session::{self, Frame, Purpose, Session};
use crate::lang::{closures, fault, host};
use crate::plan::{self, Builder};

/// What the names of tests begin with.
const PREFIX: &str = "test_";

/// The code by which a test says that it is not to be made now.
pub(in crate::lang) const SKIPPED: &str = "flow::test::skipped";

/// A test of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestName {
    /// The function's name.
    pub name: String,
    /// The line it is declared on, from 1.
    pub line: u32,
}

/// What an assertion found to differ, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal {
    /// What is.
    pub left: String,
    /// What was to be.
    pub right: String,
}

/// How a test ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// All that it claims is so.
    Passed,
    /// It says itself that it cannot be made here, and why.
    Skipped(String),
    /// Something is not as claimed, or went wrong.
    Failed(Box<Diagnostic>, Option<Unequal>),
}

/// What came of a test.
pub struct Tried {
    /// How it ended.
    pub verdict: Verdict,
    /// What it printed.
    pub printed: String,
    /// What came of the latest run in it.
    pub latest: Option<Arc<Rehearsed>>,
}

impl Program {
    /// Compiles a file of tests.
    ///
    /// # Errors
    /// What is wrong in its text, or with the tests in it.
    pub fn compile_tests(script: &Script) -> Result<Self> {
        let program = Self::compile_on(host::tests(), script)?;
        let takes = |(name, f): &(&String, &closures::Function)| name.starts_with(PREFIX) && f.parameters > 0;
        let wrong = program.files()[0].functions.iter().find(takes).map(|(name, _)| name.clone());
        if let Some(name) = wrong {
            let line = line_of(&script.text, &name);
            let problem = Diagnostic::new("flow::test::parameters", format!("the test `{name}` takes parameters"))
                .label(Span::at(line, 1), "nobody gives it any")
                .help("a test takes none; what several tests have in common belongs into a function with another name");
            return Err(problem.with_sources(&program.texts()));
        }
        Ok(program)
    }

    /// The tests that it holds, in the order of their lines.
    pub fn tests(&self) -> Vec<TestName> {
        let files = self.files();
        let text = files[0].text.clone();
        let names = files[0].functions.keys().filter(|name| name.starts_with(PREFIX));
        let mut tests: Vec<TestName> =
            names.map(|name| TestName { name: name.clone(), line: line_of(&text, name) }).collect();
        tests.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        tests
    }

    /// Makes a test, in a session of its own. Ends soon after `deadline`.
    pub fn try_test(&self, name: &str, stage: Box<dyn Stage>, deadline: Instant) -> Tried {
        on_large_stack(|| {
            let mut session = Session::new(self, Purpose::Test);
            session.trial = Some(Box::new(Trial::new(stage)));
            session.deadline = Some(deadline);
            session.frames.push(Frame::default());
            let main = self.files()[0].clone();
            let (result, mut session) = session.enter(|| {
                session::until(deadline, || {
                    let mut scope = self.scope();
                    let options = CallFnOptions::new().eval_ast(true);
                    self.0.engine.call_fn_with_options::<Dynamic>(options, &mut scope, &main.ast, name, ())
                })
            });
            let trial = session.trial.take();
            let late = trial.as_ref().and_then(|trial| trial.late());
            let (difference, latest) = trial.map_or((None, None), |trial| (trial.difference, trial.latest));
            let verdict = match (result, session.refused.take()) {
                (_, Some(refused)) => Verdict::Failed(Box::new(refused.with_sources(&self.texts())), None),
                (Ok(_), None) => match late {
                    Some(late) => Verdict::Failed(Box::new(late.with_sources(&self.texts())), None),
                    None => Verdict::Passed,
                },
                (Err(error), None) => match fault::diagnose(&error, &session) {
                    skipped if skipped.code() == SKIPPED => Verdict::Skipped(skipped.message().to_owned()),
                    problem if problem.span().is_none() => {
                        let line = line_of(&main.text, name);
                        Verdict::Failed(Box::new(problem.label(Span::at(line, 1), "in this test")), difference)
                    }
                    problem => Verdict::Failed(Box::new(problem), difference),
                },
            };
            Tried { verdict, printed: std::mem::take(&mut session.printed), latest }
        })
    }

    /// Makes the plan of what a closure declares, within the call of a host function.
    pub(in crate::lang) fn build_closure(
        &self,
        context: &NativeCallContext,
        pointer: &FnPtr,
        args: Vec<(String, Dynamic)>,
        runner: Box<dyn Runner>,
    ) -> (Result<Built>, String) {
        let mut session = Session::new(self, Purpose::Build);
        let mut builder = Builder::default();
        builder.header.version = plan::VERSION;
        builder.header.name = "workflow".to_owned();
        builder.header.add_secrets(self.secrets());
        session.builder = Some(builder);
        session.runner = Some(runner);
        session.frames.push(Frame { args, nested: false });
        let (result, mut session) = session.enter(|| pointer.call_within_context::<Dynamic>(context, ()));
        let built = self.finish(result, &mut session);
        (built, std::mem::take(&mut session.printed))
    }
}

/// The line that declares a function.
fn line_of(text: &str, name: &str) -> u32 {
    let declares = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "private");
        let called = |word: &str| word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('('));
        words.next() == Some("fn") && words.next().is_some_and(called)
    };
    text.lines().position(declares).map_or(1, |line| line as u32 + 1)
}
