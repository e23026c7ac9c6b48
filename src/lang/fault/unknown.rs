//! Names that stand for nothing: variables, functions, methods, operators.

use super::super::functions::{CALL, catalogue};
use super::super::secret;
use super::super::session::Session;
use super::agent;
use super::pending::{Need, not_known_yet};
use super::types::{readable_type, short_type};
use crate::diag::tokens::{Kind, Token, closing, tokens};
use crate::diag::{Diagnostic, Sources, Span, nearest};
use crate::lang::{ItemKind, Topic, library};

/// A function that does not exist, or not for these arguments; `signature` as Rhai gives it: `sh (string, i64)`.
pub fn function(signature: &str, span: Span, session: &Session) -> Diagnostic {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let name = if name == CALL { "call" } else { name };
    let types: Vec<String> =
        types.trim_end_matches(')').split(", ").filter(|t| !t.is_empty()).map(short_type).collect();
    let is_operator = !name.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '/');
    if types.iter().any(|kind| kind == "secret") {
        return secret::refused(None, span);
    }
    match is_operator {
        true => operator(name, &types, span),
        false => named(name, &types, session).label(span, "called here"),
    }
}

fn named(name: &str, types: &[String], session: &Session) -> Diagnostic {
    let catalogue = catalogue();
    let of_tests = catalogue.items.iter().filter(|item| item.topic == Topic::Testing);
    let in_tests = session.program.is_of_tests();
    if !in_tests && of_tests.clone().any(|item| item.name == name && item.kind == ItemKind::Function) {
        return Diagnostic::new("flow::test::outside", format!("`{name}` is there for tests only"))
            .help("tests stand in files `*_test.rhai`, and are made by `flow test`");
    }
    // Functions that give no step compute at once.
    let computes = || !catalogue.signatures(name, false).iter().any(|form| form.contains("-> step"));
    if types.iter().any(|kind| kind == "Pending") && (catalogue.by_name(name).is_none() || computes()) {
        return Diagnostic::new("flow::lang::pending", format!("`{name}` needs a value that is not known before a step has run"))
            .help("in a closure it is known: compute with it in `call(\"name\", || …)`, decide by it in `.when(|| …)`; or have the result right here: `run(step)`");
    }
    if let Some(parameters) = session.program.function(name, |_, function| function.parameters) {
        let (wanted, given) = (values(parameters), types.len());
        return Diagnostic::new(
            "flow::lang::arguments",
            format!("the function `{name}` of this script takes {wanted}, but is given {given}"),
        )
        .help("a function is called with as many values as it has parameters");
    }
    let of_handle = types.first().is_some_and(|kind| kind == "step" || kind == "agent");
    let method = of_handle && !catalogue.signatures(name, true).is_empty();
    let given = if method { &types[1..] } else { types };
    let call = format!("{name}({})", given.join(", "));
    let mut known = catalogue.signatures(name, method);
    if let Some(kind) = types.first().filter(|_| method) {
        // Other things may have a method of this name, too.
        let own = |form: &String| form.starts_with(&format!("`{kind}."));
        if known.iter().any(own) {
            known.retain(own);
        } else if kind == "agent" {
            return agent::method(name);
        }
    }
    if types.first().is_some_and(|kind| kind == "agent")
        && !method
        && !known.iter().any(|form| form.contains(": agent"))
    {
        return agent::method(name);
    }
    if !known.is_empty()
        && !method
        && types.first().is_some_and(|kind| kind == "()")
        && catalogue.by_name(name).is_none()
    {
        let message = format!("`{name}` is asked of nothing: the value before it is `()`");
        return Diagnostic::new("flow::lang::arguments", message).help(
            "a result of a step that was skipped is `()`, and so is what a failed one did not give: ask first, for instance `step.passed && step.lines.contains(\"x\")`",
        );
    }
    // Forms that are there to be refused are of no help.
    let refuses = |form: &String| ["secret", "Pending", "Dynamic"].iter().any(|kind| form.contains(kind));
    if known.iter().any(|form| !refuses(form)) {
        known.retain(|form| !refuses(form));
    }
    if !known.is_empty() {
        let what = if method { "method" } else { "function" };
        return Diagnostic::new("flow::lang::arguments", format!("the {what} `{name}` cannot be called as `{call}`"))
            .help(format!("it is called as {}", known.join(" or ")));
    }
    if let Some(kind @ ("double" | "run")) = types.first().map(String::as_str) {
        let own = catalogue
            .items
            .iter()
            .filter(|item| item.signatures.iter().any(|form| form.starts_with(&format!("{kind}."))));
        let names: Vec<&str> = own.map(|item| item.name.as_str()).collect();
        let all = || format!("it has {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
        return Diagnostic::new(
            "flow::lang::unknown_method",
            format!("{} has no method `{name}`", readable_type(kind)),
        )
        .help(crate::diag::did_you_mean(name, names.iter().copied()).unwrap_or_else(all));
    }
    let on_step = types.first().is_some_and(|kind| kind == "step");
    if let Some(diagnostic) = of_library(name, &call).filter(|_| !on_step) {
        return diagnostic;
    }
    let (code, message) = match on_step {
        true => ("flow::lang::unknown_method", format!("a step has no method `{name}`")),
        false => ("flow::lang::unknown_function", format!("there is no function `{call}`")),
    };
    let mut names = catalogue.names(on_step);
    names.extend(session.program.function_names());
    if in_tests && !on_step {
        names.extend(of_tests.filter(|item| item.kind == ItemKind::Function).map(|item| item.name.clone()));
    }
    // A function of a module is called by the module's name, too.
    let (module, own) = name.rsplit_once("::").map_or((None, name), |(module, own)| (Some(module), own));
    let all = match on_step {
        true => "`flow docs` lists the methods of steps; what a step runs is written in its script",
        false => "`flow docs` lists all functions; programs are run by steps: `sh(\"name\", \"command\")`",
    };
    Diagnostic::new(code, message).help(match (nearest(own, names.iter().map(String::as_str)), module) {
        (Some(near), None) => format!("did you mean `{near}`?"),
        (Some(near), Some(module)) => format!("did you mean `{module}::{near}`?"),
        (None, Some(_)) => "functions of a module can be called if they are not `private`".to_owned(),
        (None, None) => all.to_owned(),
    })
}

/// A function of the standard library that is called in another way, or whose module is not imported.
fn of_library(name: &str, call: &str) -> Option<Diagnostic> {
    let (alias, own) = name.rsplit_once("::").map_or((None, name), |(alias, own)| (Some(alias), own));
    let modules = library().iter().filter(|module| alias.is_none_or(|alias| module.alias() == alias));
    let (module, function) =
        modules.flat_map(|module| module.functions.iter().map(move |f| (module, f))).find(|(_, f)| f.name == own)?;
    let forms: Vec<String> = function.signatures.iter().map(|form| format!("`{form}`")).collect();
    let forms = forms.join(" or ");
    Some(match alias.is_some() {
        true => Diagnostic::new("flow::lang::arguments", format!("the function `{name}` cannot be called as `{call}`"))
            .help(format!("it is called as {forms}, with `{}`", module.import())),
        false => Diagnostic::new("flow::lang::unknown_function", format!("there is no function `{call}`"))
            .help(format!("the standard library has one: `{}`, then {forms}", module.import())),
    })
}

/// How a module that is used without having been imported is imported.
pub fn import_of(name: &str) -> String {
    match library().iter().find(|module| module.alias() == name) {
        Some(module) => format!("import it first: `{}`", module.import()),
        None => "import it first: `import \"std/checks\" as checks;` or a file below the script's folder".to_owned(),
    }
}

fn values(count: usize) -> String {
    match count {
        0 => "no values".to_owned(),
        1 => "1 value".to_owned(),
        count => format!("{count} values"),
    }
}

fn operator(name: &str, types: &[String], span: Span) -> Diagnostic {
    if name == "->" {
        let other = types.iter().find(|kind| *kind != "step" && *kind != "array").map_or("any", String::as_str);
        return Diagnostic::new(
            "flow::lang::not_a_step",
            format!("`->` stands between steps, but one side is {}", readable_type(other)),
        )
        .label(span, "one side of this is no step")
        .help(match other {
            "agent" => "a question to an agent is a step: `build -> coder.ask(\"…\")`; in a text its name is enough: `chain(\"build -> coder\")`",
            _ => "`build -> test`, or with lists: `build -> [test, lint] -> ship`",
        });
    }
    if types.iter().any(|kind| kind == "Pending") {
        return not_known_yet(None, Need::Compute, span);
    }
    let sides: Vec<String> = types.iter().map(|kind| readable_type(kind)).collect();
    Diagnostic::new("flow::lang::type", format!("`{name}` cannot be used on {}", sides.join(" and ")))
        .label(span, "here")
        .help("`type_of(x)` tells what a value is; `parse_int`, `parse_float` and `to_string` convert")
}

/// A variable that does not exist, at this place of the script.
pub fn variable(name: &str, span: Span, sources: &Sources) -> Diagnostic {
    let help = match sources.get(span.file).zip(sources.offset(span)) {
        Some(((file, text), offset)) => of_test(name, file, text).or_else(|| hint(name, text, offset)),
        None => None,
    };
    Diagnostic::new("flow::lang::unknown_variable", format!("there is no variable `{name}`"))
        .label(span, "not known here")
        .help(help.unwrap_or_else(|| format!("declare it before this line: `let {name} = …`")))
}

/// A constant of a file of tests: there everything that runs is a function, called by nobody else.
fn of_test(name: &str, file: &str, text: &str) -> Option<String> {
    let tokens = if file.ends_with("_test.rhai") { tokens(text) } else { Vec::new() };
    let is_constant = tokens.windows(2).any(|pair| pair[0].of(text) == "const" && pair[1].of(text) == name);
    is_constant.then(|| format!("a test reads a constant of its file by the whole name: `global::{name}`"))
}

fn hint(name: &str, text: &str, offset: usize) -> Option<String> {
    match name {
        "null" | "nil" | "None" | "undefined" => return Some("nothing is written `()`".to_owned()),
        "True" | "False" => return Some(format!("written `{}`", name.to_lowercase())),
        _ => {}
    }
    let tokens = tokens(text);
    let at = tokens.iter().position(|token| token.start == offset)?;
    let declared = declarations(&tokens, text);
    if let Some((place, _)) = declared.iter().find(|(_, declared)| *declared == name) {
        let line = text[..tokens[*place].start].lines().count().max(1);
        return Some(match enclosing_function(&tokens, text, at) {
            Some((function, range)) if !range.contains(place) => format!(
                "a function sees only its parameters, and `{name}` is declared outside of `{function}`: make it a parameter, `fn {function}({name}) {{ … }}`"
            ),
            _ if *place > at => format!("it is declared later, in line {line}: declare it before it is used"),
            _ => format!(
                "it is declared in line {line}, within a block that ends before this: declare it before the block"
            ),
        });
    }
    let in_text = at > 0 && tokens[at - 1].of(text) == "${";
    let near = nearest(name, declared.iter().map(|(_, name)| *name)).map(|near| format!("did you mean `{near}`?"));
    let shell = format!("a variable of the shell is written without braces in a backtick text: `${name}`");
    match (near, in_text) {
        (Some(near), true) => Some(format!("{near} Or else: {shell}")),
        (Some(near), false) => Some(near),
        (None, true) => Some(format!("{shell}; one of the script is declared before this line: `let {name} = …`")),
        (None, false) if tokens.get(at + 1).is_some_and(|next| next.of(text) == "=") => {
            Some(format!("a new variable is declared with `let`: `let {name} = …`"))
        }
        (None, false) => None,
    }
}

/// Names of variables, and where each is declared.
fn declarations<'a>(tokens: &[Token], text: &'a str) -> Vec<(usize, &'a str)> {
    let pairs = tokens.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| matches!(pair[0].of(text), "let" | "const" | "for") && pair[1].kind == Kind::Word)
        .map(|(at, pair)| (at + 1, pair[1].of(text)))
        .collect()
}

/// The function with a name whose body holds this place: its name, and its tokens.
fn enclosing_function<'a>(tokens: &[Token], text: &'a str, at: usize) -> Option<(&'a str, std::ops::Range<usize>)> {
    let start = (0..at).rev().find(|i| tokens[*i].of(text) == "fn")?;
    let name = tokens.get(start + 1)?.of(text);
    let body = closing(tokens, start + 2) + 1;
    let range = start..closing(tokens, body);
    range.contains(&at).then_some((name, range))
}
