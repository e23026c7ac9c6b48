//! Pipelines as texts of names: `"numbers → [double, square] → collect"`.

use rhai::{Dynamic, NativeCallContext};
use smol_str::format_smolstr;

use super::combine::arrow_error;
use super::fault::{Fault, raise};
use super::handle::Step;
use super::options::here;
use super::{ends, session, stages};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::plan::arrow::{self, Node};
use crate::plan::{self, Sink, StageWork};

/// Is it a text of names, and not a name?
pub fn is_one(text: &str) -> bool {
    text.contains('→') || text.contains("->")
}

/// The pipeline of a text.
pub fn read(context: &NativeCallContext, name: Option<&str>, text: &str) -> Result<Step, Fault> {
    let span = here(context);
    let refuse = |message: String, word: &str, help: &str| {
        let problem = Diagnostic::new("flow::plan::arrow", message).label_word(span, word, "this text");
        Err(raise(problem.help(help.to_owned())))
    };
    if text.trim().is_empty() {
        return refuse(
            "the text of the pipeline is empty".into(),
            text,
            "names of functions, the source first, the sink last: `numbers → double → collect`",
        );
    }
    let parts = arrow::parse_chain(text).map_err(|error| arrow_error(text, error, span))?;
    let (Some((first, rest)), true) = (parts.split_first(), parts.len() > 1) else {
        return refuse(
            format!("the text `{text}` has no sink"),
            text,
            "a pipeline has two names at least, its source and its sink: `numbers → double → collect`",
        );
    };
    let step = stages::new(context, name)?;
    let Node::Name(source) = &first.node else {
        return refuse(
            format!("the text `{text}` does not begin with one source"),
            text,
            "`numbers → double → collect`",
        );
    };
    stages::from(context, &step, &source_of(context, &source.text, span)?)?;
    let Some((last, between)) = rest.split_last() else { return Ok(step) };
    for part in between {
        match &part.node {
            Node::Name(one) => {
                let work = StageWork::Map(function(context, &one.text, span)?);
                let name = part.label.as_ref().map_or(&one.text, |label| &label.text);
                stages::add(context, &step, "stage", Some(name), work, None)?;
            }
            Node::SideBySide(chains) => {
                let mut names = Vec::new();
                let mut inner = Vec::new();
                for chain in chains {
                    let [arrow::Stage { node: Node::Name(one), .. }] = &chain[..] else {
                        return refuse(
                            format!("side by side in `{text}` stands something else than a name"),
                            text,
                            "names of functions: `numbers → [double, square] → collect`",
                        );
                    };
                    let work = StageWork::Map(function(context, &one.text, span)?);
                    inner.push(plan::Stage::new(one.text.clone(), work, span));
                    names.push(one.text.as_str());
                }
                let name = match &part.label {
                    Some(label) => label.text.clone(),
                    None => format_smolstr!("{}", names.join("-")),
                };
                stages::add(context, &step, "both", Some(&name), StageWork::Each(inner), None)?;
            }
            _ => {
                return refuse(
                    format!("`{part}` cannot be a stage of a pipeline"),
                    text,
                    "stages are functions of the script that take an item; all else by methods: `pipeline(\"name\").from(…).sh(\"convert\", \"…\")`",
                );
            }
        }
    }
    let Node::Name(sink) = &last.node else {
        return refuse(format!("the text `{text}` does not end with one sink"), text, "`numbers → double → collect`");
    };
    if let Some(sink) = sink_of(context, &sink.text, span)? {
        stages::to(context, &step, sink, "to")?;
    }
    Ok(step)
}

fn parameters(name: &str) -> Option<usize> {
    session::with(|session| session.program.function(name, |_, function| function.parameters))
}

/// What a name says that items come from: a step, or what a function gives.
fn source_of(context: &NativeCallContext, name: &str, span: Span) -> Result<Dynamic, Fault> {
    match parameters(name) {
        Some(0) => context.call_fn::<Dynamic>(name, ()),
        Some(takes) => Err(raise(
            Diagnostic::new(
                "flow::plan::unknown_name",
                format!("the source `{name}` is a function that takes {takes}, and there is nothing to give it"),
            )
            .label_word(span, name, "named here")
            .help(format!("a source is made without anything: `fn {name}() {{ lines(\"in.txt\") }}`")),
        )),
        None => {
            let step = session::build(context, |builder, _| Ok(builder.named(name).first().copied()))?;
            step.map(|id| Dynamic::from(Step::One(id))).ok_or_else(|| unknown(context, name, "a source", span))
        }
    }
}

/// A function that takes an item.
fn function(context: &NativeCallContext, name: &str, span: Span) -> Result<plan::Closure, Fault> {
    match parameters(name) {
        Some(1) => Ok(plan::Closure { function: name.into(), captured: Vec::new(), text: name.to_owned(), span }),
        Some(takes) => Err(raise(
            Diagnostic::new(
                "flow::plan::unknown_name",
                format!("the function `{name}` takes {takes} values; a stage is given one: the item"),
            )
            .label_word(span, name, "named here")
            .help(format!("`fn {name}(item) {{ … }}`")),
        )),
        None => Err(unknown(context, name, "a stage", span)),
    }
}

/// Where items go; nothing if they are collected.
fn sink_of(context: &NativeCallContext, name: &str, span: Span) -> Result<Option<Sink>, Fault> {
    match (parameters(name), name) {
        (Some(0), _) => {
            let given = context.call_fn::<Dynamic>(name, ())?;
            ends::sink(context, &given).map(Some)
        }
        (Some(_), _) => function(context, name, span).map(|closure| Some(Sink::Call(closure))),
        (None, "collect") => Ok(None),
        (None, "discard") => Ok(Some(Sink::Discard)),
        (None, _) => Err(unknown(context, name, "a sink", span)),
    }
}

fn unknown(context: &NativeCallContext, name: &str, what: &str, span: Span) -> Fault {
    let mut known = session::with(|session| session.program.function_names());
    if what == "a sink" {
        known.extend(["collect".into(), "discard".into()]);
    }
    let is_step = session::build(context, |builder, _| Ok(!builder.named(name).is_empty())).unwrap_or(false);
    let problem = match is_step {
        true => Diagnostic::new(
            "flow::plan::unknown_name",
            format!("`{name}` is a step, and cannot be {what} of a pipeline"),
        ),
        false => Diagnostic::new(
            "flow::plan::unknown_name",
            format!("`{name}` is no function of this script, so it cannot be {what}"),
        ),
    };
    let near = did_you_mean(name, known.iter().map(String::as_str)).filter(|_| !is_step);
    let reserved = [
        "in", "if", "else", "for", "while", "loop", "let", "const", "fn", "return", "import", "switch", "do", "until",
        "this", "true", "false",
    ];
    if reserved.contains(&name) {
        let help = format!(
            "`{name}` is a word of the language, so no function can be called so: take another name, such as `{}`",
            match what {
                "a source" => "input",
                "a sink" => "output",
                _ => "parse",
            }
        );
        return raise(problem.label_word(span, name, "named here").help(help));
    }
    let help = near.unwrap_or_else(|| match what {
        "a stage" if is_step => {
            format!("a stage is called for each item: `fn {name}(item) {{ … }}`; a process for each item is `.sh(\"{name}\", \"…\")`")
        }
        "a source" => format!("declare it: `fn {name}() {{ lines(\"in.txt\") }}`"),
        "a sink" => format!("declare it, `fn {name}(item) {{ … }}`; or end with `collect` or `discard`"),
        _ => format!("declare it: `fn {name}(item) {{ … }}`"),
    });
    raise(problem.label_word(span, name, "named here").help(help))
}
