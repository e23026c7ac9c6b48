//! Streams: what stands on the sides of `|>`, and the lists and texts that say the same.

use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

use super::combine::{self, arrow_error};
use super::fault::{Fault, raise};
use super::handle::{Pending, Step, not_a_step};
use super::options::{self, Options, here, wrong};
use super::{closures, keys, session};
use crate::diag::{Diagnostic, Span};
use crate::plan::{self, Builder, Filter, ItemError, Merge, Piece, Reads, Side, Slow, StepId, Stream, Task, arrow};

const STREAM: &str = "flow::plan::stream";

/// `left |> right`.
pub fn flow_into(context: &NativeCallContext, left: &Dynamic, right: &Dynamic) -> Result<Step, Fault> {
    let left = side(context, left)?;
    let right = side(context, right)?;
    session::build(context, |builder, span| builder.flow_into(left, right, span).map(Step::woven))
}

/// `stream(name, [a, [b, c], d], #{…})`
pub fn stream(
    context: &NativeCallContext,
    name: Option<&str>,
    levels: &Array,
    options: Option<&Map>,
) -> Result<Step, Fault> {
    let span = here(context);
    let name = name.map(|name| options::name(context, name)).transpose()?;
    let mut all = Vec::with_capacity(levels.len());
    for level in levels {
        match side(context, level)? {
            Side::Level(level) => all.push(level),
            Side::Piece(piece) => {
                let id = session::build(context, |builder, _| Ok(builder.group_of(&piece)))?;
                return Err(nested(context, id, span));
            }
        }
    }
    of_levels(context, name, all, options)
}

/// `stream(name, "a |> [b, c] |> d", #{…})`
pub fn stream_of_text(
    context: &NativeCallContext,
    name: Option<&str>,
    text: &str,
    options: Option<&Map>,
) -> Result<Step, Fault> {
    let span = here(context);
    let name = name.map(|name| options::name(context, name)).transpose()?;
    let text = options::text(&text.into(), "the text of `stream`", span)?;
    let levels = arrow::parse_stream(&text).map_err(|error| arrow_error(&text, error, span))?;
    let mut all = Vec::with_capacity(levels.len());
    for level in levels {
        let steps = level.iter().map(|name| combine::named_step(context, &name.text, span));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let mut ids = Vec::with_capacity(steps.len());
        for step in steps {
            members(context, &Dynamic::from(step), &mut ids)?;
        }
        all.push(ids);
    }
    of_levels(context, name, all, options)
}

fn of_levels(
    context: &NativeCallContext,
    name: Option<&str>,
    levels: Vec<Vec<StepId>>,
    options: Option<&Map>,
) -> Result<Step, Fault> {
    let span = here(context);
    if levels.len() < 2 {
        return Err(raise(
            Diagnostic::new(STREAM, "a stream needs two levels at least: one that writes, and one that reads")
                .label(span, "here")
                .help("`stream(\"name\", [a, b])`; what runs side by side in one level stands in a list of its own: `[a, [b, c]]`"),
        ));
    }
    let said = options.map(|options| said(options, span)).transpose()?;
    session::build(context, |builder, span| {
        let piece = builder.stream(name.map(Into::into), levels, span)?;
        if let Some(said) = said {
            let group = builder.group_of(&piece);
            if let Task::Stream(stream) = std::sync::Arc::make_mut(&mut builder.step_mut(group).task) {
                let levels = std::mem::take(&mut stream.levels);
                **stream = Stream { levels, ..said };
            }
        }
        Ok(Step::woven(piece))
    })
}

/// The options of a stream.
fn said(map: &Map, span: Span) -> Result<Stream, Fault> {
    let mut options = Options::of(&keys::STREAM, map, span);
    let mut stream = Stream::of(Vec::new());
    if let Some(merge) = options.choice("merge", &Merge::ALL)? {
        stream.merge = merge;
    }
    let slow = options.choice("slow", &SLOW)?;
    let buffer = options.count("buffer", 1)?;
    match (slow, buffer) {
        (Some(SlowWord::DropOldest), lines) => stream.slow = Slow::DropOldest(lines.unwrap_or(BUFFER)),
        (_, None) => {}
        (_, Some(_)) => {
            return Err(raise(
                Diagnostic::new("flow::lang::option", "`buffer` of stream says how many lines wait before some are dropped, and none are")
                    .label_word(span, "buffer", "given here")
                    .help("drop lines where a reader is slow: `slow: \"drop_oldest\"`; or leave `buffer` out: then the writer waits"),
            ));
        }
    }
    stream.tee = options.bytes("tee")?.unwrap_or(stream.tee);
    stream.linger_ms = options.duration("linger")?.unwrap_or(stream.linger_ms);
    stream.max_line = options.bytes("max_line")?.unwrap_or(stream.max_line);
    options.done()?;
    Ok(stream)
}

/// The words of `slow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowWord {
    Block,
    DropOldest,
}

/// All of them.
pub const SLOW: [(&str, SlowWord); 2] = [("block", SlowWord::Block), ("drop_oldest", SlowWord::DropOldest)];

/// Lines that wait for a slow reader, where nothing is said.
const BUFFER: u32 = 1_000;

/// What a closure in a stream does about a line for which it fails.
pub const ON_LINE: [(&str, ItemError); 2] = [("stop", ItemError::Stop), ("skip", ItemError::Skip)];

/// `lines(name, |line| …, #{…})`, `ndjson(…)`
pub fn filter(
    context: &NativeCallContext,
    reads: Reads,
    name: Option<&str>,
    closure: &rhai::FnPtr,
    options: Option<&Map>,
) -> Result<Step, Fault> {
    let span = here(context);
    let word = if reads == Reads::Lines { "lines" } else { "ndjson" };
    let mut on_error = ItemError::Stop;
    if let Some(map) = options {
        let mut options = Options::named(&keys::FILTER, word, map, span);
        if let Some(value) = options.take("on_error") {
            on_error = line_error(&value, word, span)?;
        }
        options.done()?;
    }
    session::build(context, |_, _| Ok(()))?;
    let closure = item_closure(context, closure, &format!("the closure of `{word}`"), word)?;
    let name = name.map(|name| options::name(context, name)).transpose()?;
    session::build(context, |builder, span| {
        let task = Task::Filter(Box::new(Filter { closure, reads, on_error }));
        let shown = name.map_or_else(|| builder.nameless(word), Into::into);
        Ok(Step::One(builder.add(plan::Step::new(shown, task, span))))
    })
}

fn line_error(value: &Dynamic, word: &str, span: Span) -> Result<ItemError, Fault> {
    if value.read_lock::<ImmutableString>().is_some_and(|text| text.as_str() == "dead_letter") {
        return Err(raise(
            Diagnostic::new("flow::lang::choice", format!("`on_error` of {word} cannot be `dead_letter`: a stream keeps no dead letters"))
                .label_word(span, "dead_letter", "given here")
                .help("`\"skip\"` leaves the line out, `\"stop\"` fails; dead letters are kept by a `pipeline`: `.stage(\"name\", |line| …, #{ on_error: \"dead_letter\" })`"),
        ));
    }
    options::choice(value, &format!("`on_error` of {word}"), &ON_LINE, span)
}

/// A closure that is called with one item: of two parameters at least, it can only be a mistake.
pub fn item_closure(
    context: &NativeCallContext,
    pointer: &rhai::FnPtr,
    what: &str,
    item: &str,
) -> Result<plan::Closure, Fault> {
    let span = here(context);
    session::with(|session| {
        let closure = closures::freeze(session, pointer, span)?;
        let captured = closure.captured.len();
        let known = session.program.function(&closure.function, |file, function| {
            let assigned = || closures::assigned(&file.ast, &closure.function, captured);
            (function.parameters, (captured > 0).then(assigned).flatten())
        });
        let (takes, assigned) = known.unwrap_or((captured + 1, None));
        if let Some(name) = assigned {
            return Err(raise(
                Diagnostic::new(
                    "flow::lang::closure",
                    format!("{what} assigns to `{name}`, but nothing is kept from item to item"),
                )
                .label(span, format!("each call begins with `{name}` as it is here"))
                .help(format!(
                    "let it give a value for each item, and count or sum them in a step behind: `call(\"sum\", || …)`; a loop that keeps a value is `repeat`; to change `{name}` for one item only: `let own = {name};`"
                )),
            ));
        }
        let takes = takes.saturating_sub(captured);
        if takes <= 1 {
            return Ok(closure);
        }
        let one = if item == "lines" { "line" } else { "item" };
        Err(raise(
            Diagnostic::new("flow::lang::closure", format!("{what} takes {takes} values, but it gets one: the {one}"))
                .label(span, "given here")
                .help(format!("`|{one}| …`; other values of the script can be used in it by their names")),
        ))
    })
}

/// What stands on one side of `|>`.
fn side(context: &NativeCallContext, value: &Dynamic) -> Result<Side, Fault> {
    if let Some(step) = value.read_lock::<Step>()
        && let Some(piece) = piece(context, &step)?
    {
        let group = session::build(context, |builder, _| Ok(builder.group_of(&piece)))?;
        not_yet(context, group)?;
        return Ok(Side::Piece(piece));
    }
    let mut ids = Vec::new();
    members(context, value, &mut ids)?;
    if ids.is_empty() {
        return Err(raise(
            Diagnostic::new(STREAM, "an empty list stands in the stream")
                .label(here(context), "here")
                .help("give at least one step: `[a, b] |> c`"),
        ));
    }
    Ok(Side::Level(ids))
}

/// The stream, if the handle is one.
fn piece(context: &NativeCallContext, step: &Step) -> Result<Option<Piece>, Fault> {
    match step {
        Step::Woven(piece) => Ok(Some((**piece).clone())),
        Step::One(id) => session::build(context, |builder, _| Ok(builder.piece(*id))),
        Step::Several(_) => Ok(None),
    }
}

/// The steps of one level.
fn members(context: &NativeCallContext, value: &Dynamic, ids: &mut Vec<StepId>) -> Result<(), Fault> {
    let span = here(context);
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().try_for_each(|item| members(context, item, ids));
    }
    let Some(step) = value.read_lock::<Step>() else { return Err(raise(misplaced(value, span))) };
    if let Some(piece) = piece(context, &step)? {
        let id = session::build(context, |builder, _| Ok(builder.group_of(&piece)))?;
        return Err(nested(context, id, span));
    }
    match &*step {
        Step::One(id) => {
            not_yet(context, *id)?;
            ids.push(*id);
            Ok(())
        }
        Step::Several(sequence) => Err(session::build(context, |builder, _| Ok(chained(builder, sequence, span)))
            .map_or_else(|fault| fault, raise)),
        Step::Woven(_) => Ok(()),
    }
}

/// Refuses a step that has run already.
fn not_yet(context: &NativeCallContext, id: StepId) -> Result<(), Fault> {
    if !session::with(|session| session.known(id).is_some_and(|result| result.status.is_final())) {
        return Ok(());
    }
    let name = session::build(context, |builder, _| Ok(builder.step(id).name.clone()))?;
    let message = format!("`{name}` has run already, so nothing can be joined to it by `|>`");
    Err(raise(
        Diagnostic::new("flow::lang::already_ran", message)
            .label(here(context), "here")
            .help("hand over what it gave: `run(a) -> (b |> c)`; or put the stream before `run`"),
    ))
}

/// Steps in order, where steps that run together are needed.
fn chained(builder: &Builder, sequence: &plan::Sequence, span: Span) -> Diagnostic {
    let names: Vec<&str> = sequence.members.iter().map(|id| builder.step(*id).name.as_str()).collect();
    if sequence.entries == sequence.members && sequence.exits == sequence.members {
        let list = names.join(", ");
        return Diagnostic::new(
            STREAM,
            format!("`{}` are a group of their own, so they cannot stand in a stream", names.join("`, `")),
        )
        .label(span, "in this stream")
        .label(sequence.span, "put side by side here")
        .help(format!("several writers or readers stand in a list: `[{list}] |> …`"));
    }
    let last = names.last().copied().unwrap_or("b");
    let first = names.first().copied().unwrap_or("a");
    Diagnostic::new(STREAM, format!("`{}` run one after the other, so they cannot stand in a stream", names.join("`, `")))
        .label(span, "in this stream")
        .label(sequence.span, "put in order here")
        .help(format!(
            "`{first} -> ({last} |> …)` hands the output of `{first}` to a stream that begins with `{last}`; `{first} |> {last}` lets both run together"
        ))
}

fn nested(context: &NativeCallContext, id: StepId, span: Span) -> Fault {
    let made = session::build(context, |builder, _| {
        let step = builder.step(id);
        Ok(Diagnostic::new(STREAM, format!("the stream `{}` cannot be one of several side by side", step.name))
            .label(span, "in this list")
            .label(step.span, "the stream")
            .help("write the stream level by level: `[a, b] |> [c, d]`, where all of a level write to all of the next; a step that only passes lines on is `lines(|line| line)`"))
    });
    made.map_or_else(|fault| fault, raise)
}

/// What is no step, where one that reads or writes is needed.
fn misplaced(value: &Dynamic, span: Span) -> Diagnostic {
    let problem = not_a_step(value, span);
    if value.is_fnptr() {
        return problem.help(
            "say what it gets: the text of each line, `lines(|line| …)`, or the JSON value on it, `ndjson(|value| …)`",
        );
    }
    if value.is::<Pending>() {
        return problem.help("a result is there when a step is over: hand it over as input, `x -> (a |> b)`; or let the step itself write to the stream: `x |> a`");
    }
    if value.is::<super::ends::End>() {
        return problem.help("a file is read by a step: `sh(\"read\", \"cat access.log\") |> b`; or use it as the source of a `pipeline`: `.from(lines(…))`");
    }
    problem
}

/// Refuses what is neither true nor false.
pub fn truth(value: &Dynamic, what: &str, span: Span) -> Result<bool, Fault> {
    value.as_bool().map_err(|_| wrong(what, "true or false", value, span))
}
