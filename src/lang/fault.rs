//! Errors of scripts: from Rhai's to ours, with a place and a way out.

mod agent;
mod itself;
mod keys;
mod pending;
mod syntax;
mod types;
mod unknown;

use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use super::functions::CALL;
use super::secret;
use super::session::{Purpose, Session};
use crate::diag::{Diagnostic, Sources, Span};
use crate::event::{Failure, FailureKind};

pub use itself::itself;
pub use keys::of_scope as keys_of_scope;
pub use pending::{Need, not_known_yet};
pub use types::{readable_type, short_type};

/// What a host function fails with.
pub type Fault = Box<EvalAltResult>;

/// A diagnostic on its way through the script.
pub fn raise(diagnostic: Diagnostic) -> Fault {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(diagnostic), Position::NONE))
}

/// A failure of a value that was read, on its way through the script.
pub fn raise_failure(failure: Failure) -> Fault {
    let mut diagnostic = Diagnostic::new("flow::lang::value", failure.message);
    if let Some(help) = failure.help {
        diagnostic = diagnostic.help(help);
    }
    if let Some(span) = failure.span {
        diagnostic = diagnostic.label(span, "here");
    }
    raise(diagnostic)
}

/// The diagnostic of an error that came out of a script.
pub fn diagnose(error: &EvalAltResult, session: &Session) -> Diagnostic {
    let (inner, source) = inside(error, None);
    let span = session.span_at(source.as_deref(), inner.position());
    let texts = session.program.texts();
    translate(inner, span, session, &texts).with_sources(&texts)
}

/// The failure of a step whose closure failed.
pub fn failure(error: &EvalAltResult, session: &Session) -> Failure {
    let diagnostic = diagnose(error, session);
    Failure {
        help: diagnostic.help_text().map(str::to_owned),
        span: diagnostic.span(),
        ..Failure::new(FailureKind::Script, diagnostic.message())
    }
}

/// The innermost error.
pub fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    inside(error, None).0
}

/// The innermost error and the file it is in.
fn inside(error: &EvalAltResult, source: Option<String>) -> (&EvalAltResult, Option<String>) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, file, inner, _) => {
            let source = if file.is_empty() { source } else { Some(file.clone()) };
            inside(inner, source)
        }
        EvalAltResult::ErrorInModule(name, inner, _) => {
            let source = if name.is_empty() { source } else { Some(name.clone()) };
            inside(inner, source)
        }
        _ => (error, source),
    }
}

fn translate(error: &EvalAltResult, span: Span, session: &Session, texts: &Sources) -> Diagnostic {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => match value.read_lock::<Diagnostic>() {
            Some(diagnostic) if diagnostic.span().is_some() => diagnostic.clone(),
            Some(diagnostic) if diagnostic.code() == "flow::lang::pending" => {
                diagnostic.clone().label(span, "needs the value now")
            }
            Some(diagnostic) => diagnostic.clone().label(span, "here"),
            None if session.purpose == Purpose::Test => {
                Diagnostic::new("flow::lang::thrown", format!("the test gave up: {value}"))
                    .label(span, "thrown here")
                    .help("`assert(claim, \"…\")` claims something; `skip(\"…\")` says that it cannot be tried here")
            }
            // In a step this is a way to fail like any other.
            None if session.purpose == Purpose::Call => {
                Diagnostic::new("flow::lang::thrown", value.to_string()).label(span, "thrown here")
            }
            None => Diagnostic::new("flow::lang::thrown", format!("the script gave up: {value}"))
                .label(span, "thrown here")
                .help("`throw` ends the script; to let a step fail while the workflow runs, use `fail(name, message)`"),
        },
        E::ErrorParsing(kind, _) => syntax::diagnose(kind, span, texts),
        E::ErrorVariableNotFound(name, _) | E::ErrorForbiddenVariable(name, _) => unknown::variable(name, span, texts),
        E::ErrorFunctionNotFound(signature, _) => unknown::function(signature, span, session),
        E::ErrorModuleNotFound(name, _) => {
            Diagnostic::new("flow::lang::unknown_module", format!("there is no module `{name}`"))
                .label(span, "used here")
                .help(unknown::import_of(name))
        }
        E::ErrorMismatchDataType(_, found, _) if found.contains(secret::TYPE) => secret::refused(None, span),
        E::ErrorMismatchDataType(wanted, found, _) if found.ends_with("Pending") => {
            let need = if short_type(wanted) == "bool" { Need::Decide } else { Need::Compute };
            not_known_yet(written(texts, span).as_deref(), need, span)
        }
        E::ErrorMismatchDataType(_, found, _) if found.ends_with("Step") => {
            Diagnostic::new("flow::lang::step_value", "a step is not a value that could decide something")
                .label(span, "here")
                .help("read a property of it, such as `.passed`, inside a closure: `.when(|| test.passed, …)`")
        }
        E::ErrorMismatchDataType(wanted, found, _) if short_type(wanted) == "bool" => Diagnostic::new(
            "flow::lang::type",
            format!("this must be true or false, but it is {}", readable_type(found)),
        )
        .label(span, "decides something")
        .help("write a comparison, for instance `x != ()` or `text.len() > 0`"),
        E::ErrorMismatchDataType(wanted, found, _) => Diagnostic::new(
            "flow::lang::type",
            format!("this must be {}, but it is {}", readable_type(wanted), readable_type(found)),
        )
        .label(span, "used here")
        .help("`type_of(x)` tells what a value is"),
        E::ErrorMismatchOutputType(wanted, found, _) => Diagnostic::new(
            "flow::lang::type",
            format!("the function gave {} where {} is needed", readable_type(found), readable_type(wanted)),
        )
        .label(span, "here")
        .help("`type_of(x)` tells what a value is"),
        E::ErrorFor(_) => Diagnostic::new("flow::lang::type", "`for` cannot go through this: it is no array, range, map or text")
            .label(span, "goes through this")
            .help("to count, go through a range: `for i in 0..5 { … }`"),
        E::ErrorPropertyNotFound(name, _) => keys::unknown_key(name, span, session),
        E::ErrorDotExpr(message, _) => property(message, span),
        E::ErrorIndexNotFound(index, _) => {
            Diagnostic::new("flow::lang::unknown_key", format!("there is nothing at `{index}`")).label(span, "read here")
                .help("array items count from 0, keys are as written")
        }
        E::ErrorIndexingType(kind, _) => Diagnostic::new(
            "flow::lang::type",
            format!("{} has no items or keys that could be read", readable_type(kind)),
        )
        .label(span, "read here")
        .help("arrays, maps and texts can be indexed"),
        E::ErrorArrayBounds(len, index, _) => Diagnostic::new(
            "flow::lang::unknown_key",
            format!("the array has {}, so there is none at index {index}", counted(*len, "item")),
        )
        .label(span, "read here")
        .help("indexes count from 0; negative ones from the end"),
        E::ErrorStringBounds(len, index, _) => Diagnostic::new(
            "flow::lang::unknown_key",
            format!("the text has {}, so there is none at index {index}", counted(*len, "character")),
        )
        .label(span, "read here")
        .help("indexes count from 0; negative ones from the end"),
        E::ErrorAssignmentToConstant(name, _) => constant(name, span),
        E::ErrorTooManyOperations(_) | E::ErrorTerminated(..) if session.purpose == Purpose::Test => {
            Diagnostic::new("flow::test::endless", "the test does not come to its end")
                .label(span, "was here when it was stopped")
                .help("is there a loop without an end? `--timeout` gives a test more time")
        }
        E::ErrorTooManyOperations(_) if session.purpose == Purpose::Call => {
            Diagnostic::new("flow::lang::limit", "the closure does too much: more than 500 million operations in one call")
                .label(span, "was here when it was stopped")
                .help("is there a loop without an end? The closure of a stage can be given a time: `#{ timeout: \"5s\" }`; heavy work belongs into a program: `sh`, or `.sh(…)` and `.worker(…)` of a pipeline")
        }
        E::ErrorTooManyOperations(_) => too_long(span, "the script does too much"),
        E::ErrorTerminated(why, _) if why.read_lock::<rhai::ImmutableString>().is_some_and(|why| *why == "interrupted") => {
            Diagnostic::new("flow::lang::limit", "the script was interrupted while it was evaluated")
                .label(span, "was here when it was stopped")
                .help("start it again")
        }
        E::ErrorTerminated(..) => too_long(span, "the script takes too long"),
        E::ErrorStackOverflow(_) => Diagnostic::new("flow::lang::limit", "functions call each other too deeply")
            .label(span, "here")
            .help("does a function call itself without an end? At most 128 calls may be inside each other"),
        E::ErrorDataTooLarge(what, _) => Diagnostic::new("flow::lang::limit", format!("a value becomes too large ({})", what.to_lowercase()))
            .label(span, "here")
            .help("texts may have 16 MiB, arrays 2,000,000 items and maps 200,000 keys; large data belongs in files or in a step's output"),
        E::ErrorTooManyModules(_) => Diagnostic::new("flow::lang::limit", "too many modules are imported")
            .label(span, "here")
            .help("at most 1,000 modules can be imported"),
        E::ErrorArithmetic(message, _) if message.starts_with("Error parsing") => {
            let given = message.split('\'').nth(1).unwrap_or_default();
            let kind = if message.contains("integer") { "a whole number" } else { "a number" };
            Diagnostic::new("flow::lang::arithmetic", format!("the text \"{given}\" is not {kind}"))
                .label(span, "read as a number here")
                .help("`parse_int` reads whole numbers, `parse_float` decimal ones; `x.number` reads the output of a step as either")
        }
        E::ErrorArithmetic(message, _) => {
            Diagnostic::new("flow::lang::arithmetic", first_lower(message)).label(span, "computed here").help(
                "whole numbers go from -2^63 to 2^63-1, and nothing can be divided by 0; decimal numbers are written `1.0`",
            )
        }
        E::ErrorDataRace(what, _) => itself::shared(what, texts, span),
        E::ErrorUnboundThis(_) => Diagnostic::new("flow::lang::syntax", "`this` means nothing here")
            .label(span, "used here")
            .help("`this` is known only in functions that are called as methods"),
        other => Diagnostic::new("flow::lang::script", first_lower(&without_place(&other.to_string())))
            .label(span, "here")
            .help("the language is Rhai; `flow docs` lists what flow adds to it"),
    }
}

fn too_long(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new("flow::lang::limit", message)
        .label(span, "was here when it was stopped")
        .help("is there a loop without an end? A script only describes work and must be done within 60 seconds and 500 million operations; real work belongs in steps")
}

/// The diagnostic of a script that cannot be read. `sources`: with its text, in which `file` is its number.
pub fn parse_error(error: &ParseError, file: u16, sources: &Sources) -> Diagnostic {
    let position = error.1;
    let span = Span {
        file,
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(1).min(u16::MAX as usize) as u16,
    };
    syntax::diagnose(&error.0, span, sources).with_sources(sources)
}

/// What is wrong with a script whose comment at `open`, a byte of `source`, is never closed. `None` if the parser found an
/// error before it: then that may be no comment.
pub fn open_comment(
    open: usize,
    source: &str,
    error: Option<&ParseError>,
    file: u16,
    sources: &Sources,
) -> Option<Diagnostic> {
    let before = source.get(..open)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let earlier = error.and_then(|error| Some((error.1.line()?, error.1.position().unwrap_or(1))));
    if earlier.is_some_and(|earlier| earlier < (line, column)) {
        return None;
    }
    let span = Span { file, line: line as u32, column: column.min(u16::MAX as usize) as u16 };
    let diagnostic = Diagnostic::new("flow::lang::syntax", "a comment is never closed, so the rest of the script is part of it")
        .label(span, "begins here")
        .help("end it with `*/`; comments can stand within each other, so each `/*` needs its own. `//` is a comment up to the end of the line");
    Some(diagnostic.with_sources(sources))
}

/// A constant that is changed.
fn constant(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new("flow::lang::constant", format!("`{name}` is a constant, so it cannot be changed"))
        .label(span, "changed here")
        .help(format!("declare it with `let {name} = …` if it shall change"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A property of something that has none: Rhai says so in a sentence.
fn property(message: &str, span: Span) -> Diagnostic {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    if let [name, kind, ..] = quoted[..]
        && types::short_type(kind) == "agent"
    {
        return agent::property(name, message.contains("writable"), span);
    }
    let sentence = match quoted[..] {
        [name, kind] if message.starts_with("Unknown property") => {
            format!("{} has no property `{name}`", readable_type(kind))
        }
        _ => format!("this cannot be read: {}", first_lower(message)),
    };
    Diagnostic::new("flow::lang::unknown_key", sentence)
        .label(span, "read here")
        .help("maps, steps and their results have properties; `type_of(x)` tells what a value is")
}

/// How a value is written at a place, if it is a name with properties.
fn written(texts: &Sources, span: Span) -> Option<String> {
    let (start, len) = texts.word(span)?;
    let word = texts.get(span.file)?.1.get(start..start + len)?;
    word.contains('.').then(|| word.to_owned())
}

fn without_place(message: &str) -> String {
    match message.rfind(" (line ") {
        Some(at) => message[..at].to_owned(),
        None => message.to_owned(),
    }
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !text.chars().nth(1).is_some_and(char::is_uppercase) => {
            first.to_lowercase().collect::<String>() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}
