//! Errors of scripts: from Rhai's to ours, with a place and a way out.

use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::functions::{CALL, catalogue};
use super::session::Session;
use crate::diag::{Diagnostic, Span, nearest};
use crate::event::{Failure, FailureKind};

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
    let (inner, source) = innermost(error, None);
    let span = session.span_at(source.as_deref(), inner.position());
    let diagnostic = translate(inner, span, session);
    diagnostic.with_sources(&session.program.texts())
}

/// The failure of a step whose closure failed.
pub fn failure(error: &EvalAltResult, session: &Session) -> Failure {
    let diagnostic = diagnose(error, session);
    Failure {
        kind: FailureKind::Script,
        message: diagnostic.message().to_owned(),
        help: diagnostic.help_text().map(str::to_owned),
        span: diagnostic.span(),
    }
}

/// The innermost error and the file it is in.
fn innermost(error: &EvalAltResult, source: Option<String>) -> (&EvalAltResult, Option<String>) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, file, inner, _) => {
            let source = if file.is_empty() { source } else { Some(file.clone()) };
            innermost(inner, source)
        }
        EvalAltResult::ErrorInModule(name, inner, _) => {
            let source = if name.is_empty() { source } else { Some(name.clone()) };
            innermost(inner, source)
        }
        _ => (error, source),
    }
}

fn translate(error: &EvalAltResult, span: Span, session: &Session) -> Diagnostic {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => match value.read_lock::<Diagnostic>() {
            Some(diagnostic) if diagnostic.span().is_some() => diagnostic.clone(),
            Some(diagnostic) => diagnostic.clone().label(span, "here"),
            None => Diagnostic::new("flow::lang::thrown", format!("the script gave up: {value}"))
                .label(span, "thrown here")
                .help("`throw` ends the script; to let a step fail while the workflow runs, use `fail(name, message)`"),
        },
        E::ErrorParsing(kind, _) => parse_kind(kind, span),
        E::ErrorVariableNotFound(name, _) => unknown_variable(name, span),
        E::ErrorFunctionNotFound(signature, _) => missing_function(signature, session).label(span, "called here"),
        E::ErrorModuleNotFound(name, _) => {
            Diagnostic::new("flow::lang::unknown_module", format!("there is no module `{name}`"))
                .label(span, "used here")
                .help("import it first: `import \"std/checks\" as checks;` or a file below the script's folder")
        }
        E::ErrorMismatchDataType(wanted, found, _) if found.ends_with("Pending") => not_known_yet(span, &short_type(wanted)),
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
        E::ErrorFor(_) => Diagnostic::new("flow::lang::pending", "`for` cannot go through this: it is no array, range, map or text")
            .label(span, "goes through this")
            .help("a result that is not known yet: use `each(name, items, |item| …)`, which makes its steps while the workflow runs, or `run(step)` to have the result now"),
        E::ErrorPropertyNotFound(name, _) => Diagnostic::new("flow::lang::unknown_key", format!("there is no key `{name}`"))
            .label(span, "read here")
            .help("ask with `\"key\" in map`, or read with `map.get(\"key\")`, which gives `()` where there is none"),
        E::ErrorDotExpr(message, _) => Diagnostic::new("flow::lang::unknown_key", format!("this cannot be read: {message}"))
            .label(span, "here")
            .help("`type_of(x)` tells what a value is"),
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
            format!("the array has {len} items, so there is none at index {index}"),
        )
        .label(span, "read here")
        .help("indexes count from 0; negative ones from the end"),
        E::ErrorStringBounds(len, index, _) => Diagnostic::new(
            "flow::lang::unknown_key",
            format!("the text has {len} characters, so there is none at index {index}"),
        )
        .label(span, "read here")
        .help("indexes count from 0; negative ones from the end"),
        E::ErrorAssignmentToConstant(name, _) => {
            Diagnostic::new("flow::lang::constant", format!("`{name}` is a constant, so it cannot be changed"))
                .label(span, "changed here")
                .help(format!("declare it with `let {name} = …` if it shall change"))
        }
        E::ErrorTooManyOperations(_) => too_long(span, "the script does too much"),
        E::ErrorTerminated(..) => too_long(span, "the script takes too long"),
        E::ErrorStackOverflow(_) => Diagnostic::new("flow::lang::limit", "functions call each other too deeply")
            .label(span, "here")
            .help("does a function call itself without an end? At most 128 calls may be inside each other"),
        E::ErrorDataTooLarge(what, _) => Diagnostic::new("flow::lang::limit", format!("a value becomes too large ({what})"))
            .label(span, "here")
            .help("texts may have 16 MiB, arrays 2,000,000 items and maps 200,000 keys; large data belongs in files or in a step's output"),
        E::ErrorTooManyModules(_) => Diagnostic::new("flow::lang::limit", "too many modules are imported")
            .label(span, "here")
            .help("at most 1,000 modules can be imported"),
        E::ErrorArithmetic(message, _) => {
            Diagnostic::new("flow::lang::arithmetic", first_lower(message)).label(span, "computed here").help(
                "whole numbers go from -2^63 to 2^63-1, and nothing can be divided by 0; decimal numbers are written `1.0`",
            )
        }
        E::ErrorForbiddenVariable(name, _) => unknown_variable(name, span),
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

/// A value that is not known yet stands where it is needed now.
pub fn not_known_yet(span: Span, wanted: &str) -> Diagnostic {
    let what = match wanted {
        "bool" => "decides something now",
        _ => "is needed now",
    };
    Diagnostic::new("flow::lang::pending", "this is the result of a step that has not run yet, so its value is not known here")
        .label(span, what)
        .help("to decide with it: `flow(name).when(|| x.passed, step)` or `step.when(|| …)`; to go through it: `each(name, x.output, |item| …)`; to have it right here: `run(x)`")
}

fn unknown_variable(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new("flow::lang::unknown_variable", format!("there is no variable `{name}`"))
        .label(span, "not declared before this")
        .help(format!(
            "declare it with `let {name} = …` before this line, outside of functions (a function sees only its parameters); in a backtick text a shell variable is written `${name}` without braces"
        ))
}

/// The diagnostic of a script that cannot be read.
pub fn parse_error(error: &ParseError, file: u16) -> Diagnostic {
    let position = error.1;
    let span = Span {
        file,
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(1).min(u16::MAX as usize) as u16,
    };
    parse_kind(&error.0, span)
}

fn parse_kind(kind: &ParseErrorType, span: Span) -> Diagnostic {
    use ParseErrorType as P;
    let syntax = |message: String| Diagnostic::new("flow::lang::syntax", message);
    match kind {
        P::UnexpectedEOF => syntax("the script ends in the middle of something".into())
            .label(span, "ends here")
            .help("a bracket, a brace or a text is still open; statements end with `;`"),
        P::MissingToken(token, why) => syntax(format!("`{token}` is missing {}", first_lower(why)))
            .label(span, format!("`{token}` expected here"))
            .help(match token.as_str() {
                ";" => "statements end with `;`",
                _ => "look at the line before as well: something may still be open there",
            }),
        P::BadInput(LexError::UnterminatedString) => syntax("a text is not closed".into())
            .label(span, "begins here")
            .help("texts stand in \"double quotes\" on one line, or in `backticks` over several"),
        P::BadInput(LexError::ImproperSymbol(symbol, hint)) => {
            syntax(format!("`{symbol}` is not part of the language")).label(span, "here").help(if hint.is_empty() {
                "is it meant as text? Then it belongs in quotes".to_owned()
            } else {
                first_lower(hint)
            })
        }
        P::Reserved(word) => syntax(format!("`{word}` is a reserved word of the language"))
            .label(span, "used here")
            .help(format!("choose another name, for instance `{word}_step`")),
        P::VariableUndefined(name) | P::ForbiddenVariable(name) => unknown_variable(name, span),
        P::AssignmentToConstant(name) => {
            Diagnostic::new("flow::lang::constant", format!("`{name}` is a constant, so it cannot be changed"))
                .label(span, "changed here")
                .help(format!("declare it with `let {name} = …` if it shall change"))
        }
        P::ExprTooDeep => Diagnostic::new("flow::lang::limit", "something is nested too deeply")
            .label(span, "here")
            .help("break it into several statements: `let part = …;`"),
        P::LiteralTooLarge(what, _) => Diagnostic::new("flow::lang::limit", format!("{what} is too large"))
            .label(span, "here")
            .help("large data belongs in files or in a step's output"),
        P::FnDuplicatedDefinition(name, count) => Diagnostic::new(
            "flow::lang::duplicate_function",
            format!("the function `{name}` with {count} parameters is declared twice"),
        )
        .label(span, "declared again here")
        .help("give one of them another name"),
        P::PropertyExpected => syntax("a name must follow the dot".into())
            .label(span, "here")
            .help("a property or a method: `test.passed`, `test.retry(3)`"),
        other => syntax(first_lower(&without_place(&other.to_string())))
            .label(span, "here")
            .help("`flow docs` shows the language's functions with examples"),
    }
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

/// The name of a type, short, as in signatures.
pub fn short_type(name: &str) -> String {
    match name.trim() {
        "&str | ImmutableString | String" | "ImmutableString" | "&str" | "String" | "string" => "text".into(),
        "i64" | "INT" => "number".into(),
        "f64" | "FLOAT" => "decimal".into(),
        "bool" => "bool".into(),
        "()" => "()".into(),
        "Array" | "array" => "array".into(),
        "Map" | "map" => "map".into(),
        "FnPtr" | "Fn" => "closure".into(),
        "Dynamic" | "?" => "any".into(),
        other => other.rsplit("::").next().unwrap_or(other).to_owned(),
    }
}

/// The name of a type, in words.
pub fn readable_type(name: &str) -> String {
    match short_type(name).as_str() {
        "text" => "a text".into(),
        "number" => "a whole number".into(),
        "decimal" => "a decimal number".into(),
        "bool" => "true or false".into(),
        "()" => "nothing: `()`".into(),
        "array" => "an array".into(),
        "map" => "a map".into(),
        "closure" => "a closure".into(),
        "any" => "any value".into(),
        "Step" => "a step".into(),
        "Pending" => "a result that is not known yet".into(),
        other => format!("a {other}"),
    }
}

/// A function that does not exist, or not for these arguments; `signature` as Rhai gives it: `sh (string, i64)`.
fn missing_function(signature: &str, session: &Session) -> Diagnostic {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let name = if name == CALL { "call" } else { name };
    let types: Vec<String> =
        types.trim_end_matches(')').split(", ").filter(|t| !t.is_empty()).map(short_type).collect();
    let catalogue = catalogue();
    let operator = !name.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '/');
    if operator {
        return missing_operator(name, &types);
    }
    if types.iter().any(|kind| kind == "Pending") && catalogue.by_name(name).is_none() {
        return Diagnostic::new("flow::lang::pending", format!("`{name}` needs a value that is not known before a step has run"))
            .help("compute with it while the workflow runs: `call(name, || …)`, or a condition `.when(|| …)`; `run(step)` gives the result right here");
    }
    if let Some(parameters) = session.program.function(name, |_, function| function.parameters) {
        return Diagnostic::new(
            "flow::lang::arguments",
            format!("the function `{name}` of this script takes {parameters} values, not {}", types.len()),
        )
        .help("a function is called with as many values as it has parameters");
    }
    let method = types.first().is_some_and(|kind| kind == "Step") && !catalogue.signatures(name, true).is_empty();
    let given = if method { &types[1..] } else { &types[..] };
    let call = format!("{name}({})", given.join(", "));
    let known = catalogue.signatures(name, method);
    if !known.is_empty() {
        let what = if method { "method" } else { "function" };
        return Diagnostic::new("flow::lang::arguments", format!("the {what} `{name}` cannot be called as `{call}`"))
            .help(format!("it is called as {}", known.join(" or ")));
    }
    let on_step = types.first().is_some_and(|kind| kind == "Step");
    let (code, message) = match types.first() {
        Some(_) if on_step => ("flow::lang::unknown_method", format!("a step has no method `{name}`")),
        _ => ("flow::lang::unknown_function", format!("there is no function `{call}`")),
    };
    let mut names = catalogue.names(on_step);
    names.extend(session.program.function_names());
    let diagnostic = Diagnostic::new(code, message);
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`flow docs` lists all functions and methods"),
    }
}

fn missing_operator(name: &str, types: &[String]) -> Diagnostic {
    if name == "->" {
        let other = types.iter().find(|kind| *kind != "Step" && *kind != "array").map_or("any", String::as_str);
        return Diagnostic::new(
            "flow::lang::not_a_step",
            format!("`->` stands between steps, but one side is {}", readable_type(other)),
        )
        .help("`build -> test`, or with lists: `build -> [test, lint] -> ship`");
    }
    if types.iter().any(|kind| kind == "Pending") {
        return not_known_yet(Span::default(), "value");
    }
    let sides: Vec<String> = types.iter().map(|kind| readable_type(kind)).collect();
    Diagnostic::new("flow::lang::type", format!("`{name}` cannot be used on {}", sides.join(" and ")))
        .help("`type_of(x)` tells what a value is; `parse_int`, `parse_float` and `to_string` convert")
}
