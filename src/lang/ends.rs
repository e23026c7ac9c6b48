//! Sources and sinks of pipelines, as scripts hold them: `lines("access.log")`, `interval("1s")`.

use std::sync::Arc;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::convert::{Steps, is_marked, to_value};
use super::fault::{Fault, raise, readable_type};
use super::functions::shell_of;
use super::handle::{Pending, Step};
use super::options::{self, Options, here, wrong};
use super::session::Session;
use super::weave::{item_closure, truth};
use super::{keys, session};
use crate::diag::{Diagnostic, Span};
use crate::plan::{Command, Format, Json, Sink, Source, Value};

const PIPELINE: &str = "flow::lang::pipeline";

/// Where items come from, or go to.
#[derive(Clone, Debug)]
pub struct End(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    File {
        path: Value,
        format: Format,
        append: Option<bool>,
    },
    Program {
        command: Command,
        format: Format,
    },
    /// What only a source can be, and the word for it.
    Source(Source, &'static str),
}

/// How long a file in a watched folder must not have changed, in milliseconds, where nothing is said.
pub const SETTLE_MS: u64 = 200;

/// `lines(…)`, `ndjson(…)`, `csv(…)`: a file, or a program by a map.
pub fn file_or_program(
    context: &NativeCallContext,
    mut format: Format,
    what: &Dynamic,
    said: Option<&Map>,
) -> Result<End, Fault> {
    let span = here(context);
    let word = word(&format);
    let mut append = None;
    if let Some(map) = said {
        let of = if matches!(format, Format::Csv { .. }) { &keys::CSV } else { &keys::FILE };
        let mut options = Options::named(of, word, map, span);
        if let Some(value) = options.take("append") {
            append = Some(truth(&value, &format!("`append` of {word}"), span)?);
        }
        if !matches!(format, Format::Csv { .. }) && options.take("on_error").is_some() {
            return Err(raise(
                Diagnostic::new("flow::lang::option", format!("`on_error` of {word} is about a closure in a stream, and this is a file"))
                    .label_word(span, "on_error", "given here")
                    .help(format!("`a |> {word}(|line| …, #{{ on_error: \"skip\" }})`; of the items of a pipeline: `.options(#{{ on_error: \"skip\" }})`")),
            ));
        }
        if let Format::Csv { header, delimiter } = &mut format {
            if let Some(value) = options.take("header") {
                *header = truth(&value, "`header` of csv", span)?;
            }
            if let Some(given) = options.text("delimiter")? {
                *delimiter = self::delimiter(&given, span)?;
            }
        }
        options.done()?;
    }
    if let Some(map) = what.read_lock::<Map>() {
        if append.is_some() {
            return Err(raise(
                Diagnostic::new(
                    "flow::lang::option",
                    format!("`append` of {word} is about a file, and this is a program"),
                )
                .label_word(span, "append", "given here")
                .help("remove it: a program is always written to anew"),
            ));
        }
        let command = session::with(|session| program(session, &map, word, span))?;
        return Ok(End(Arc::new(Kind::Program { command, format })));
    }
    if !what.is_string() && !what.is::<Pending>() {
        let help = match () {
            () if what.is::<Step>() => {
                "the lines of a step's output: `.from(step)`; of a file whose path it gave: `lines(step.text)`"
            }
            () if what.is_array() => "a list is a source as it is: `.from([1, 2, 3])`",
            () => {
                "a path, `lines(\"access.log\")`; what flow reads, `lines(\"-\")`; or a program, `lines(#{ sh: \"zcat big.gz\" })`"
            }
        };
        let message = format!("`{word}` needs a file, but this is {}", readable_type(what.type_name()));
        return Err(raise(Diagnostic::new(PIPELINE, message).label(span, "here").help(help)));
    }
    let path = path(what, word, span)?;
    Ok(End(Arc::new(Kind::File { path, format, append })))
}

fn path(given: &Dynamic, word: &str, span: Span) -> Result<Value, Fault> {
    if given.read_lock::<ImmutableString>().is_some_and(|text| text.trim().is_empty()) {
        return Err(raise(
            Diagnostic::new(PIPELINE, format!("the path of `{word}` is empty"))
                .label(span, "here")
                .help(format!("name a file: `{word}(\"data/in.txt\")`")),
        ));
    }
    session::with(|session| to_value(session, given, Steps::AsOutput, span))
}

fn delimiter(given: &str, span: Span) -> Result<char, Fault> {
    let mut chars = given.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) if one.is_ascii() && !matches!(one, '"' | '\n' | '\r') => Ok(one),
        _ => Err(raise(
            Diagnostic::new(
                "flow::lang::option",
                format!("`delimiter` of csv must be one ASCII character, but it is `{given}`"),
            )
            .label_word(span, given, "given here")
            .help("for instance `\";\"`, or `\"\\t\"` for a tabulator"),
        )),
    }
}

/// `#{ sh: "…" }`, `#{ exec: […] }`
pub fn program(session: &mut Session, map: &Map, word: &str, span: Span) -> Result<Command, Fault> {
    let mut options = Options::named(&keys::PROGRAM, format!("the program of `{word}`"), map, span);
    let (sh, exec) = (options.take("sh"), options.take("exec"));
    options.done()?;
    match (sh, exec) {
        (Some(script), None) => shell_of(session, word, &script, span).map(Command::Shell),
        (None, Some(words)) => exec_of(session, word, &words, span),
        (sh, _) => {
            let what = if sh.is_some() { "both `sh` and `exec`" } else { "neither `sh` nor `exec`" };
            Err(raise(
                Diagnostic::new("flow::lang::option", format!("the program of `{word}` has {what}"))
                    .label(span, "here")
                    .help(format!("`{word}(#{{ sh: \"zcat big.gz\" }})`, or `{word}(#{{ exec: [\"zcat\", file] }})`")),
            ))
        }
    }
}

/// A program and its arguments.
pub fn exec_of(session: &mut Session, word: &str, given: &Dynamic, span: Span) -> Result<Command, Fault> {
    let what = format!("`exec` of {word}");
    let Some(words) = given.read_lock::<Array>() else {
        return Err(wrong(&what, "a list of the program and its arguments", given, span));
    };
    if words.is_empty() {
        return Err(raise(
            Diagnostic::new("flow::lang::option", format!("the list of program and arguments of `{word}` is empty"))
                .label(span, "given here")
                .help("name a program: `[\"python3\", \"worker.py\"]`"),
        ));
    }
    let words = words.iter().map(|word| to_value(session, word, Steps::AsOutput, span)).collect::<Result<_, _>>()?;
    Ok(Command::Exec(words))
}

/// `files(pattern)`
pub fn files(context: &NativeCallContext, pattern: &Dynamic) -> Result<End, Fault> {
    let span = here(context);
    if !pattern.is_string() && !pattern.is::<Pending>() {
        return Err(wrong("the pattern of `files`", "a text such as \"logs/*.gz\"", pattern, span));
    }
    if let Some(text) = pattern.read_lock::<ImmutableString>()
        && !is_marked(&text)
    {
        check_pattern(&text, "files", span)?;
    }
    Ok(End(Arc::new(Kind::Source(Source::Glob(path(pattern, "files", span)?), "files"))))
}

fn check_pattern(pattern: &str, word: &str, span: Span) -> Result<(), Fault> {
    glob::Pattern::new(pattern).map(|_| ()).map_err(|error| {
        raise(
            Diagnostic::new(PIPELINE, format!("the pattern of `{word}` cannot be read: {}", error.msg))
                .label_word(span, pattern, "given here")
                .help("`*` stands for anything within a folder, `**` for folders, `[ab]` for one of some letters"),
        )
    })
}

/// `watch(folder, #{…})`
pub fn watch(context: &NativeCallContext, folder: &Dynamic, said: Option<&Map>) -> Result<End, Fault> {
    let span = here(context);
    if !folder.is_string() && !folder.is::<Pending>() {
        return Err(wrong("the folder of `watch`", "a text", folder, span));
    }
    let folder = path(folder, "watch", span)?;
    let (mut pattern, mut existing, mut settle_ms) = (None, true, SETTLE_MS);
    if let Some(map) = said {
        let mut options = Options::of(&keys::WATCH, map, span);
        pattern = options.text("pattern")?;
        if let Some(value) = options.take("existing") {
            existing = truth(&value, "`existing` of watch", span)?;
        }
        settle_ms = options.duration("settle")?.unwrap_or(settle_ms);
        options.done()?;
    }
    if let Some(pattern) = &pattern {
        check_pattern(pattern, "watch", span)?;
    }
    Ok(End(Arc::new(Kind::Source(Source::Watch { folder, pattern, existing, settle_ms }, "watch"))))
}

/// `interval(duration)`
pub fn interval(context: &NativeCallContext, every: &Dynamic) -> Result<End, Fault> {
    let ms = options::time(every, "the time of `interval`", here(context))?;
    Ok(End(Arc::new(Kind::Source(Source::Interval(ms), "interval"))))
}

/// What stands in `.from(…)`.
pub fn source(context: &NativeCallContext, given: &Dynamic) -> Result<Source, Fault> {
    let span = here(context);
    if let Some(end) = given.read_lock::<End>() {
        return match &*end.0 {
            Kind::File { append: Some(_), format, .. } => Err(raise(
                Diagnostic::new("flow::lang::option", format!("`append` of {} is about writing, and this is read", word(format)))
                    .label(span, "as a source")
                    .help("remove it here; behind what stands in a file writes the sink: `.to(lines(\"out.txt\", #{ append: true }))`"),
            )),
            Kind::File { path, format, .. } => Ok(Source::File { path: path.clone(), format: format.clone() }),
            Kind::Program { command, format } => {
                Ok(Source::Command { command: command.clone(), format: format.clone() })
            }
            Kind::Source(source, _) => Ok(source.clone()),
        };
    }
    if let Some(range) = given.read_lock::<std::ops::Range<i64>>() {
        return Ok(Source::Range { from: range.start, to: range.end, step: 1 });
    }
    if let Some(range) = given.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Ok(Source::Range { from: *range.start(), to: range.end().saturating_add(1), step: 1 });
    }
    let known_text = given.read_lock::<ImmutableString>().map(|text| text.to_string()).filter(|text| !is_marked(text));
    let help = if let Some(text) = known_text {
        let shown = crate::state::result::shorten(&text, 40);
        format!(
            "a file is read by `lines(\"{shown}\")`, `ndjson(…)` or `csv(…)`; paths that match a pattern are `files(\"*.gz\")`; the lines of a text are `text.split(\"\\n\")`"
        )
    } else if given.is_array() || given.is_string() || given.is::<Pending>() || given.is::<Step>() {
        return session::with(|session| to_value(session, given, Steps::AsOutput, span)).map(Source::Items);
    } else if given.type_name().contains("StepRange") {
        "a range by ones, and a filter: `.from(0..100).filter(|n| n % 2 == 0)`".into()
    } else if given.is_map() {
        "a program is read by `lines(#{ sh: \"…\" })` or `ndjson(#{ sh: \"…\" })`; one item alone stands in a list: `[#{ … }]`".into()
    } else if given.is_fnptr() {
        "values that a closure makes: `let made = call(\"made\", || …);`, then `.from(made)`".into()
    } else {
        "a list, a range `0..100`, a step, `lines(\"access.log\")`, `ndjson(…)`, `csv(…)`, `files(…)`, `watch(…)` or `interval(…)`".into()
    };
    let found = crate::lang::fault::readable_type(given.type_name());
    Err(raise(
        Diagnostic::new(PIPELINE, format!("a pipeline needs a source, but this is {found}"))
            .label(span, "given here")
            .help(help),
    ))
}

/// What stands in `.to(…)`.
pub fn sink(context: &NativeCallContext, given: &Dynamic) -> Result<Sink, Fault> {
    let span = here(context);
    if let Some(closure) = given.read_lock::<FnPtr>() {
        return item_closure(context, &closure, "the closure of `to`", "item").map(Sink::Call);
    }
    let mut problem = None;
    if let Some(end) = given.read_lock::<End>() {
        match &*end.0 {
            Kind::File { path, .. } if *path == Value::Plain(Json::String("-".into())) => {
                problem = Some((
                    "`-` is what flow reads, so nothing can be written to it".to_owned(),
                    "the items are the pipeline's output if nothing is said; or write to a file: `.to(lines(\"out.txt\"))`",
                ));
            }
            Kind::File { path, format, append } => {
                return Ok(Sink::File { path: path.clone(), format: format.clone(), append: append.unwrap_or(false) });
            }
            Kind::Program { command, format } => {
                return Ok(Sink::Command { command: command.clone(), format: format.clone() });
            }
            Kind::Source(_, word) => {
                problem = Some((
                    format!("`{word}(…)` is a source: items come from it, and nothing goes into it"),
                    "give it to `.from(…)`; a sink is `lines(\"out.txt\")`, `ndjson(…)`, `csv(…)`, a program `lines(#{ sh: \"…\" })`, or a closure",
                ));
            }
        }
    }
    let (message, help) = problem.unwrap_or_else(|| {
        let help = if given.is::<Step>() {
            "what comes out is handed on by an arrow: `pipeline(…) -> step`; a program that gets item after item: `.to(lines(#{ sh: \"…\" }))`"
        } else if given.is_string() {
            "a file is written by `lines(\"out.txt\")`, `ndjson(\"out.ndjson\")` or `csv(\"out.csv\")`"
        } else if given.is_map() {
            "a program gets the items by `lines(#{ sh: \"…\" })` or `ndjson(#{ sh: \"…\" })`"
        } else {
            "`lines(\"out.txt\")`, `ndjson(…)`, `csv(…)`, a program `lines(#{ sh: \"…\" })`, or a closure `|item| …`"
        };
        (format!("a pipeline's sink is needed here, but this is {}", readable_type(given.type_name())), help)
    });
    Err(raise(Diagnostic::new(PIPELINE, message).label(span, "given here").help(help)))
}

fn word(format: &Format) -> &'static str {
    match format {
        Format::Lines => "lines",
        Format::Ndjson => "ndjson",
        Format::Csv { .. } => "csv",
    }
}
