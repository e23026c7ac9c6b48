//! Claims that tests make.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, NativeCallContext};

use crate::diag::Diagnostic;
use crate::lang::convert::to_json;
use crate::lang::fault::{self, Fault, raise, readable_type};
use crate::lang::options::here;
use crate::lang::session;
use crate::lang::trial::{self, Played, PlayedStep, Unequal, equal, shown};
use crate::plan::Json;

/// A claim that is not so.
fn broken(context: &NativeCallContext, message: impl Into<String>, label: &str) -> Diagnostic {
    Diagnostic::new("flow::test::assert", message).label(here(context), label)
}

/// Is a claim so: a value, or what a closure gives?
fn holds(context: &NativeCallContext, claim: &Dynamic) -> Result<bool, Fault> {
    let called = match claim.read_lock::<FnPtr>() {
        Some(closure) => Some(closure.call_within_context::<Dynamic>(context, ())?),
        None => None,
    };
    let value = called.as_ref().unwrap_or(claim);
    value.as_bool().map_err(|found| {
        raise(
            broken(
                context,
                format!("a claim must be true or false, but this is {}", readable_type(found)),
                "claimed here",
            )
            .help("write a comparison, for instance `x != ()`; two values are compared by `assert_eq(a, b)`"),
        )
    })
}

fn value(context: &NativeCallContext, value: &Dynamic) -> Result<Json, Fault> {
    let called = match value.read_lock::<FnPtr>() {
        Some(closure) => Some(closure.call_within_context::<Dynamic>(context, ())?),
        None => None,
    };
    let value = called.as_ref().unwrap_or(value);
    if value.is::<Played>() || value.is::<PlayedStep>() {
        let what = readable_type(value.type_name());
        return Err(raise(
            broken(context, format!("{what} is no value that could be compared"), "compared here")
                .help("compare what it gave: `run.status`, `run.step(\"a\").output`"),
        ));
    }
    session::with(|session| {
        let span = session.span(context);
        to_json(session, value, span)
    })
}

fn compare(context: &NativeCallContext, left: &Dynamic, right: &Dynamic, what: Option<&str>) -> Result<(), Fault> {
    let (left, right) = (value(context, left)?, value(context, right)?);
    if equal(&left, &right) {
        return Ok(());
    }
    trial::with(context, |trial, _| {
        trial.difference = Some(Unequal { left: shown(&left), right: shown(&right) });
    })?;
    let message = match what {
        Some(what) => format!("{what}: the values differ"),
        None => "the values differ".to_owned(),
    };
    Err(raise(broken(context, message, "not equal").help("the first is what is, the second what was to be")))
}

#[export_module]
pub mod functions {
    /// Claims that something is true: a value, or what a closure gives.
    ///
    /// - `claim`: what is to be true
    ///
    /// ```rhai,test
    /// assert(1 < 2);
    /// assert(|| "abc".contains("b"));
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert_eq`, `assert_fails`.
    #[rhai_fn(return_raw)]
    pub fn assert(context: NativeCallContext, claim: Dynamic) -> Result<(), Fault> {
        match holds(&context, &claim)? {
            true => Ok(()),
            false => Err(raise(
                broken(&context, "what is claimed is not so", "this is false")
                    .help("`assert_eq(a, b)` shows both values; a message says what is meant: `assert(x, \"…\")`"),
            )),
        }
    }

    /// Claims that something is true, and says what it means if it is not.
    ///
    /// - `claim`: what is to be true
    /// - `message`: what it means, as a part of a sentence
    ///
    /// ```rhai,test
    /// let run = simulate(|| { sh("a", "true"); });
    /// assert(run.passed, "the run goes well");
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert_eq`, `assert_fails`.
    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert_that(context: NativeCallContext, claim: Dynamic, message: &str) -> Result<(), Fault> {
        match holds(&context, &claim)? {
            true => Ok(()),
            false => {
                let problem = broken(&context, format!("it is not so: {message}"), "this is false");
                Err(raise(problem.help("`assert_eq(a, b)` shows both values")))
            }
        }
    }

    /// Claims that two values are equal: first what is, then what was to be. Numbers are compared by value, maps without regard to the
    /// order of their keys. Where they are not equal, both are shown, with what differs.
    ///
    /// - `left`: what is
    /// - `right`: what was to be
    ///
    /// ```rhai,test
    /// assert_eq([1, 2] + [3], [1, 2, 3]);
    /// assert_eq(#{ a: 1, b: 2 }, #{ b: 2.0, a: 1 });
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert`, `assert_ne`.
    #[rhai_fn(return_raw)]
    pub fn assert_eq(context: NativeCallContext, left: Dynamic, right: Dynamic) -> Result<(), Fault> {
        compare(&context, &left, &right, None)
    }

    /// Claims that two values are equal, and says what it means if they are not.
    ///
    /// - `left`: what is
    /// - `right`: what was to be
    /// - `message`: what it means, as a part of a sentence
    ///
    /// ```rhai,test
    /// assert_eq("a,b".split(",").len(), 2, "parts");
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert`, `assert_ne`.
    #[rhai_fn(name = "assert_eq", return_raw)]
    pub fn assert_eq_that(
        context: NativeCallContext,
        left: Dynamic,
        right: Dynamic,
        message: &str,
    ) -> Result<(), Fault> {
        compare(&context, &left, &right, Some(message))
    }

    /// Claims that two values are not equal.
    ///
    /// - `left`: what is
    /// - `right`: what it is not to be
    ///
    /// ```rhai,test
    /// assert_ne("a", "b");
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert_eq`.
    #[rhai_fn(return_raw)]
    pub fn assert_ne(context: NativeCallContext, left: Dynamic, right: Dynamic) -> Result<(), Fault> {
        let (left, right) = (value(&context, &left)?, value(&context, &right)?);
        match equal(&left, &right) {
            false => Ok(()),
            true => {
                let problem = broken(&context, format!("both values are {}", shown(&left)), "equal");
                Err(raise(problem.help("`assert_ne` claims that they are not")))
            }
        }
    }

    /// Claims that a closure fails, with any message.
    ///
    /// - `closure`: what is to fail
    ///
    /// ```rhai,test
    /// assert_fails(|| parse_int("three"));
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert`, `simulate`.
    #[rhai_fn(return_raw)]
    pub fn assert_fails(context: NativeCallContext, closure: FnPtr) -> Result<(), Fault> {
        assert_fails_with(context, closure, "")
    }

    /// Claims that a closure fails, with a message, a help or a code that holds this text. A workflow that is wrong fails so.
    ///
    /// - `closure`: what is to fail
    /// - `part`: what the message, the help or the code of the error is to hold
    ///
    /// ```rhai,test
    /// assert_fails(|| simulate(|| { sh("a", "true"); sh("a", "true"); }), "two steps are called `a`");
    /// ```
    ///
    /// Errors: `flow::test::assert`.
    /// See: `assert`, `simulate`.
    #[rhai_fn(name = "assert_fails", return_raw)]
    pub fn assert_fails_with(context: NativeCallContext, closure: FnPtr, part: &str) -> Result<(), Fault> {
        let Err(error) = closure.call_within_context::<Dynamic>(&context, ()) else {
            let problem = broken(&context, "it was to fail, and did not", "went well");
            return Err(raise(problem.help("`assert_fails` claims that the closure ends with an error")));
        };
        let problem = session::with(|session| fault::diagnose(&error, session));
        // That the time is up is no answer to a claim.
        if problem.code() == "flow::lang::limit" || problem.code() == "flow::test::endless" {
            return Err(error);
        }
        let texts = [problem.message(), problem.help_text().unwrap_or_default(), problem.code()];
        if texts.iter().any(|text| text.contains(part)) {
            return Ok(());
        }
        trial::with(&context, |trial, _| {
            trial.difference = Some(Unequal { left: problem.message().to_owned(), right: format!("… {part} …") });
        })?;
        let broken = broken(&context, format!("it fails, but its message does not hold `{part}`"), "fails otherwise");
        Err(raise(broken.help("the first is the message, the second what it was to hold")))
    }

    /// Ends the test here, as one that cannot be made now. It counts neither as passed nor as failed.
    ///
    /// - `why`: why it cannot be made
    ///
    /// ```rhai,test
    /// skip("needs a compiler");
    /// ```
    ///
    /// Errors: `flow::test::skipped`.
    /// See: `assert`.
    #[rhai_fn(return_raw)]
    pub fn skip(context: NativeCallContext, why: &str) -> Result<(), Fault> {
        let skipped = Diagnostic::new(trial::SKIPPED, why).label(here(&context), "skipped here");
        Err(raise(skipped.help("take the `skip` away to make the test")))
    }
}
