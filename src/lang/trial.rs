//! Tests of workflows: what the functions of a test file work on while one of its tests is evaluated.
//!
//! A test is a function `test_…` of a file `*_test.rhai`. It says how steps turn out (`given`), lets a workflow run
//! (`simulate`, `execute`), and looks at what came of it. Running is not this room's business: that is a [`Stage`]'s.

mod equal;
mod path;
mod rehearsed;
mod verdict;

use std::sync::Arc;

use rhai::{Dynamic, FnPtr, NativeCallContext};

use super::build::{Built, Runner};
use super::fault::{Fault, raise};
use super::program::Program;
use super::script::Script;
use super::session;
use crate::diag::{Diagnostic, Result, Span};
use crate::event::Double;

pub use equal::{equal, shown};
pub use rehearsed::{OF_RUNS, OF_STEPS, Played, PlayedStep, Rehearsed};
pub(super) use verdict::SKIPPED;
pub use verdict::{TestName, Tried, Unequal, Verdict};

/// What a workflow under test is given to run on.
pub trait Stage: Send {
    /// Runs it in the head, with doubles instead of processes.
    ///
    /// # Errors
    /// What is wrong with the workflow or with a double.
    fn simulate(&mut self, subject: Subject<'_>, doubles: &[Double], strict: bool) -> Result<Rehearsed>;

    /// Really runs it, in a folder that holds nothing but these files: paths and texts.
    ///
    /// # Errors
    /// What is wrong with the workflow, or why a file cannot be written.
    fn execute(&mut self, subject: Subject<'_>, files: &[(String, String)]) -> Result<Rehearsed>;
}

/// Evaluates a workflow, with what `run(step)` needs; gives what it printed, too.
pub type Evaluate<'a> = Box<dyn FnOnce(Box<dyn Runner>) -> (Result<Built>, String) + 'a>;

/// A workflow under test.
pub struct Subject<'a> {
    /// Where its closures are.
    pub program: Program,
    /// The script, as a run keeps it.
    pub script: Script,
    /// Its parameters, as texts.
    pub args: Vec<(String, String)>,
    /// Evaluates it.
    pub evaluate: Evaluate<'a>,
}

/// A test that is being evaluated.
pub struct Trial {
    /// What was given so far.
    pub doubles: Vec<Double>,
    /// Is a process without a double an error?
    pub strict: bool,
    /// Which doubles have met a step.
    met: Vec<bool>,
    /// How many doubles there were when a workflow was simulated last.
    simulated: usize,
    /// The values that an assertion found to differ.
    pub difference: Option<Unequal>,
    /// What came of the latest run.
    pub latest: Option<Arc<Rehearsed>>,
    stage: Option<Box<dyn Stage>>,
}

impl Trial {
    /// A test that begins.
    pub fn new(stage: Box<dyn Stage>) -> Self {
        Trial {
            doubles: Vec::new(),
            strict: false,
            met: Vec::new(),
            simulated: 0,
            difference: None,
            latest: None,
            stage: Some(stage),
        }
    }

    /// A double that was given when nothing was simulated any more.
    fn late(&self) -> Option<Diagnostic> {
        let double = self.doubles.get(self.simulated)?;
        let message = format!("a double for `{}` was given, but nothing was simulated after it", double.pattern);
        let help = "doubles count for what is simulated after them: move it before the `simulate`, or take it away";
        Some(Diagnostic::new("flow::test::double", message).label(double.span, "given here").help(help))
    }
}

/// Works on the test that is being evaluated; an error where none is.
pub fn with<T>(context: &NativeCallContext, work: impl FnOnce(&mut Trial, Span) -> T) -> std::result::Result<T, Fault> {
    session::with(|session| {
        let span = session.span(context);
        match session.trial.as_mut() {
            Some(trial) => Ok(work(trial, span)),
            None => Err(raise(
                Diagnostic::new("flow::test::outside", format!("`{}` belongs into a test", context.fn_name()))
                    .label(span, "not called by a test here")
                    .help("call it in a function `test_…`, outside of the closure that declares the workflow's steps"),
            )),
        }
    })
}

/// Where a workflow under test runs.
#[derive(Clone, Debug)]
pub enum Where {
    /// In the head.
    InTheHead,
    /// For real, in a folder with these files: paths and texts.
    ForReal(Vec<(String, String)>),
}

/// Lets a workflow run: the file of a name, or what a closure declares.
pub fn play(
    context: &NativeCallContext,
    subject: &Dynamic,
    args: Vec<(String, Dynamic)>,
    place: &Where,
) -> std::result::Result<Played, Fault> {
    let span = super::options::here(context);
    let (mut stage, doubles, strict) =
        with(context, |trial, _| (trial.stage.take(), trial.doubles.clone(), trial.strict))?;
    // What already met its step in an earlier run of this test need not be in this one.
    let result = match stage.as_mut() {
        Some(stage) => subject_of(context, subject, args, span).and_then(|subject| match place {
            Where::ForReal(files) => stage.execute(subject, files),
            Where::InTheHead => stage.simulate(subject, &doubles, strict),
        }),
        None => Err(Diagnostic::new("flow::test::outside", "a workflow under test cannot let others run")
            .label(span, "called here")
            .help("let one run after the other")),
    };
    with(context, |trial, _| {
        trial.stage = stage;
        if matches!(place, Where::InTheHead) {
            trial.simulated = doubles.len();
        }
        match result {
            Ok(rehearsed) => {
                let rehearsed = Arc::new(rehearsed);
                trial.met.resize(doubles.len(), false);
                trial.met.iter_mut().zip(&rehearsed.met).for_each(|(known, met)| *known |= met);
                trial.latest = Some(rehearsed.clone());
                match (0..doubles.len()).find(|which| !trial.met[*which]).filter(|_| matches!(place, Where::InTheHead))
                {
                    Some(which) => Err(raise(path::no_such_step(&doubles[which], &rehearsed))),
                    None => Ok(Played(rehearsed)),
                }
            }
            // Without a place it would be shown as one of the test.
            Err(problem) if problem.span().is_none() => {
                let placed = Diagnostic::new(problem.code(), problem.message()).label(span, "of this workflow");
                Err(raise(problem.help_text().map_or(placed.clone(), |help| placed.help(help))))
            }
            Err(problem) => Err(raise(problem)),
        }
    })?
}

fn subject_of<'a>(
    context: &'a NativeCallContext,
    subject: &Dynamic,
    args: Vec<(String, Dynamic)>,
    span: Span,
) -> Result<Subject<'a>> {
    let (tests, folder) = session::with(|session| (session.program.clone(), session.program.folder()));
    let texts = args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    if let Some(pointer) = subject.read_lock::<FnPtr>() {
        let mut pointer: FnPtr = pointer.clone();
        // As every closure that the host gets: captured variables keep the value that they have now.
        pointer.iter_curry_mut().for_each(|value| *value = value.clone().flatten());
        let program = tests.clone();
        return Ok(Subject {
            script: tests.0.script.clone(),
            program,
            args: texts,
            evaluate: Box::new(move |runner| tests.build_closure(context, &pointer, args, runner)),
        });
    }
    let Some(name) = subject.read_lock::<rhai::ImmutableString>().map(|name| name.to_string()) else {
        return Err(Diagnostic::new(
            "flow::lang::type",
            format!("a workflow is needed here, but this is {}", super::fault::readable_type(subject.type_name())),
        )
        .label(span, "here")
        .help("name its file, beside the test: `simulate(\"deploy.rhai\", #{})`; or declare its steps: `simulate(|| { sh(\"a\", \"true\"); })`"));
    };
    let path = folder.unwrap_or_default().join(&name);
    // As a person would name it, who is where the tests are made.
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(&path);
    let script = Script::read(path).map_err(|problem| problem.label_word(span, name.clone(), "named here"))?;
    let script = Script { surroundings: tests.0.script.surroundings.clone(), ..script };
    let program = Program::compile(&script)?;
    let built = program.clone();
    Ok(Subject { program, script, args: texts, evaluate: Box::new(move |runner| built.build_with(args, Some(runner))) })
}
