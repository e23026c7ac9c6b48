//! Pipelines: their stages, and what is said of them.

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};
use smol_str::{SmolStr, format_smolstr};

use super::ends::{self, exec_of};
use super::fault::{Fault, raise, readable_type};
use super::functions::shell_of;
use super::handle::Step;
use super::options::{self, Options, here, wrong};
use super::weave::{item_closure, truth};
use super::{keys, policies, session};
use crate::diag::{Diagnostic, Span};
use crate::plan::{self, Command, ItemError, Overflow, Pipeline, Source, Stage, StageWork, StepId, Task};

const PIPELINE: &str = "flow::lang::pipeline";

/// A pipeline without source and stages.
pub fn new(context: &NativeCallContext, name: Option<&str>) -> Result<Step, Fault> {
    let name = name.map(|name| options::name(context, name)).transpose()?;
    session::build(context, |builder, span| {
        let shown = name.map_or_else(|| builder.nameless("pipeline"), SmolStr::from);
        let task = Task::Pipeline(Box::new(Pipeline::of(Source::NONE)));
        Ok(Step::One(builder.add(plan::Step::new(shown, task, span))))
    })
}

/// Changes a pipeline. `method`: what the script calls, for messages.
pub fn change(
    context: &NativeCallContext,
    step: &Step,
    method: &str,
    change: impl FnOnce(&mut Pipeline, Span) -> Result<(), Diagnostic>,
) -> Result<Step, Fault> {
    let id = of(context, step, method)?;
    session::build(context, |builder, span| {
        if let Task::Pipeline(pipeline) = std::sync::Arc::make_mut(&mut builder.step_mut(id).task) {
            change(pipeline, span)?;
        }
        builder.connect(id);
        Ok(())
    })?;
    Ok(step.clone())
}

/// The step of a pipeline that a method is called on.
fn of(context: &NativeCallContext, step: &Step, method: &str) -> Result<StepId, Fault> {
    let id = session::build(context, |builder, span| {
        let id = step.single().map(|id| builder.worker(id));
        match id.filter(|id| matches!(&*builder.step(*id).task, Task::Pipeline(_))) {
            Some(id) => Ok(id),
            None => {
                let what = step.single().map_or("several steps".to_owned(), |id| {
                    let step = builder.step(id);
                    format!("the `{}` step `{}`", step.task.kind(), step.name)
                });
                Err(Diagnostic::new(
                    "flow::lang::not_a_pipeline",
                    format!("`.{method}` belongs to a pipeline, but this is {what}"),
                )
                .label(span, "called here")
                .help("`pipeline(\"name\").from(source).stage(\"parse\", |item| …).to(sink)`"))
            }
        }
    })?;
    let ran = session::with(|session| session.known(id).is_some_and(|result| result.status.is_final()));
    if ran {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::already_ran",
                format!("the pipeline has run already, so `.{method}(…)` comes too late"),
            )
            .label(here(context), "called here")
            .help("say all of it before `run(step)`"),
        ));
    }
    Ok(id)
}

/// `.from(source)`
pub fn from(context: &NativeCallContext, step: &Step, given: &Dynamic) -> Result<Step, Fault> {
    of(context, step, "from")?;
    let source = ends::source(context, given)?;
    change(context, step, "from", |pipeline, span| {
        if pipeline.source != Source::NONE {
            return Err(Diagnostic::new(PIPELINE, "the pipeline has a source already")
                .label(span, "a second one")
                .help("one source is enough: put what comes of several into one list, or one file; or make a pipeline for each"));
        }
        pipeline.source = source;
        Ok(())
    })
}

/// `.to(sink)`
pub fn to(context: &NativeCallContext, step: &Step, sink: plan::Sink, method: &str) -> Result<Step, Fault> {
    change(context, step, method, |pipeline, span| {
        if pipeline.sink != plan::Sink::Collect {
            return Err(Diagnostic::new(PIPELINE, "the pipeline has a sink already")
                .label(span, "a second one")
                .help("one sink is enough: a stage can hand an item on as well as write it somewhere"));
        }
        pipeline.sink = sink;
        Ok(())
    })
}

/// Adds a stage. Without a name it is called after what it does.
pub fn add(
    context: &NativeCallContext,
    step: &Step,
    method: &str,
    name: Option<&str>,
    work: StageWork,
    said: Option<&Map>,
) -> Result<Step, Fault> {
    let span = here(context);
    let name = name.map(|name| options::name(context, name)).transpose()?;
    let mut stage = Stage::new(name.unwrap_or_default(), work, span);
    if let Some(map) = said {
        let what = name.map_or_else(|| format!("the stage `{method}`"), |name| format!("the stage `{name}`"));
        let mut options = Options::named(&keys::STAGE, what, map, span);
        read(&mut stage, &mut options, span)?;
        options.done()?;
    }
    push(context, step, method, stage, name.is_some())
}

/// Adds a stage that is read.
fn push(context: &NativeCallContext, step: &Step, method: &str, mut stage: Stage, named: bool) -> Result<Step, Fault> {
    sensible(&stage)?;
    change(context, step, method, |pipeline, span| {
        if !named {
            stage.name = free_name(pipeline, if method == "stage" { stage.work.kind() } else { method });
        }
        if let Some(other) = pipeline.stages.iter().find(|other| other.name == stage.name) {
            return Err(Diagnostic::new("flow::lang::stage", format!("two stages are called `{}`", stage.name))
                .label_word(span, stage.name.as_str(), "the name is taken already")
                .label_word(other.span, stage.name.as_str(), "first used here")
                .help(format!("rename one of them, for instance `{}`", free_name(pipeline, &stage.name))));
        }
        if ["source", "sink"].contains(&stage.name.as_str()) {
            return Err(Diagnostic::new("flow::lang::stage", format!("a stage cannot be called `{}`", stage.name))
                .label_word(span, stage.name.as_str(), "named here")
                .help("`source` and `sink` are what stands at the ends of every pipeline: give it another name"));
        }
        if pipeline.sink != plan::Sink::Collect {
            return Err(Diagnostic::new(PIPELINE, format!("the stage `{}` stands behind the sink", stage.name))
                .label(span, "nothing comes here")
                .help("stages stand before `.to(…)` and `.discard()`"));
        }
        pipeline.stages.push(stage);
        Ok(())
    })
}

fn free_name(pipeline: &Pipeline, wanted: &str) -> SmolStr {
    let taken = |name: &SmolStr| pipeline.stages.iter().any(|stage| stage.name == *name);
    let numbered = (2..).map(|n| format_smolstr!("{wanted}-{n}"));
    std::iter::once(SmolStr::new(wanted)).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// What is said of a stage.
fn read(stage: &mut Stage, options: &mut Options, span: Span) -> Result<(), Fault> {
    stage.batch_size = options.count("batch_size", 1)?.or(stage.batch_size);
    stage.batch_timeout_ms = options.time("batch_timeout")?.or(stage.batch_timeout_ms);
    stage.parallelism = options.count("parallelism", 1)?.unwrap_or(stage.parallelism);
    if let Some(value) = options.take("ordered") {
        stage.ordered = truth(&value, "`ordered` of stage", span)?;
    }
    stage.retry = options.take("retry").map(|value| policies::retry(&value, span)).transpose()?;
    stage.timeout_ms = options.time("timeout")?;
    stage.on_error = options.choice("on_error", &ItemError::ALL)?;
    stage.buffer_size = options.count("buffer_size", 1)?;
    stage.overflow = overflow(options, span)?;
    Ok(())
}

/// `overflow` and `backpressure`, which say the same.
fn overflow(options: &mut Options, span: Span) -> Result<Option<Overflow>, Fault> {
    let overflow = options.choice("overflow", &Overflow::ALL)?;
    let pressure = options.take("backpressure").map(|value| truth(&value, "`backpressure`", span)).transpose()?;
    match (pressure, overflow) {
        (None, said) => Ok(said),
        (Some(true), None | Some(Overflow::Block)) => Ok(Some(Overflow::Block)),
        (Some(false), None) => Ok(Some(Overflow::DropOldest)),
        (Some(false), Some(said)) if said != Overflow::Block => Ok(Some(said)),
        (Some(pressure), Some(said)) => {
            let name = Overflow::ALL.iter().find(|(_, other)| *other == said).map_or("", |(name, _)| name);
            let help = match pressure {
                true => "with back-pressure those before wait, and nothing overflows: remove one of the two",
                false => {
                    "`\"block\"` is back-pressure: remove one of the two; without it `overflow` is `\"drop_oldest\"`, `\"drop_newest\"` or `\"fail\"`"
                }
            };
            Err(raise(
                Diagnostic::new(
                    "flow::lang::option",
                    format!("`backpressure: {pressure}` and `overflow: \"{name}\"` contradict each other"),
                )
                .label_word(span, "backpressure", "given here")
                .help(help),
            ))
        }
    }
}

/// Refuses what no stage of its kind can have.
fn sensible(stage: &Stage) -> Result<(), Fault> {
    let name = &stage.name;
    let refuse = |word: &str, message: String, help: &str| {
        let problem = Diagnostic::new("flow::lang::stage", message).label_word(stage.span, word, "given here");
        Err(raise(problem.help(help.to_owned())))
    };
    if stage.batch_timeout_ms.is_some() && stage.batch_size.is_none() {
        return refuse(
            "batch_timeout",
            format!("the stage `{name}` has a `batch_timeout`, but no `batch_size`"),
            "say how many items make a batch: `batch_size: 100`; the time says when a smaller one goes on",
        );
    }
    if stage.batch_size.is_some() && matches!(stage.work, StageWork::Filter(_)) {
        return refuse(
            "batch_size",
            format!("the stage `{name}` is asked about each item, not about batches"),
            "remove `batch_size`; a stage that leaves out some of a batch gives an array: `.flat_map(\"name\", |items| …, #{ batch_size: 100 })`",
        );
    }
    if matches!(stage.work, StageWork::Worker(_)) && stage.batch_size.is_some() {
        return refuse(
            "batch_size",
            format!("the worker `{name}` gets an item a line, not batches"),
            "put a batch before it, which then is the item: `.batch(100).worker(…)`",
        );
    }
    Ok(())
}

/// `.batch(size, within)`
pub fn batch(
    context: &NativeCallContext,
    step: &Step,
    size: &Dynamic,
    within: Option<&Dynamic>,
) -> Result<Step, Fault> {
    let span = here(context);
    let mut stage = Stage::new("", StageWork::Batch, span);
    stage.batch_size = Some(options::count(size, "the size of `batch`", 1, span)?);
    stage.batch_timeout_ms = within.map(|within| options::time(within, "the time of `batch`", span)).transpose()?;
    push(context, step, "batch", stage, false)
}

/// Reads `.options(#{…})` of a pipeline.
pub fn options(context: &NativeCallContext, step: &Step, map: &Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut given = Options::named(&keys::PIPELINE_OPTIONS, "a pipeline", map, span);
    set_options(context, step, &mut given, span)?;
    given.done()?;
    Ok(step.clone())
}

fn set_options(context: &NativeCallContext, step: &Step, given: &mut Options, span: Span) -> Result<(), Fault> {
    let buffer_size = given.count("buffer_size", 1)?;
    let overflow = overflow(given, span)?;
    let continuous = given.take("continuous").map(|value| truth(&value, "`continuous`", span)).transpose()?;
    let take = match given.take("take") {
        None => None,
        Some(value) => {
            let wanted = "a whole number of at least 1";
            let number = value.as_int().ok().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
            Some(number.ok_or_else(|| wrong("`take` of a pipeline", wanted, &value, span))?)
        }
    };
    let on_error = given.choice("on_error", &ItemError::ALL)?;
    change(context, step, "options", |pipeline, _| {
        pipeline.buffer_size = buffer_size.unwrap_or(pipeline.buffer_size);
        pipeline.overflow = overflow.unwrap_or(pipeline.overflow);
        pipeline.continuous = continuous.unwrap_or(pipeline.continuous);
        pipeline.take = take.or(pipeline.take);
        pipeline.on_error = on_error.unwrap_or(pipeline.on_error);
        Ok(())
    })?;
    Ok(())
}

/// The closure of a stage.
pub fn closure(context: &NativeCallContext, stage: &str, given: &Dynamic) -> Result<plan::Closure, Fault> {
    let span = here(context);
    let what = format!("the closure of the stage `{stage}`");
    if let Some(pointer) = given.read_lock::<FnPtr>() {
        return item_closure(context, &pointer, &what, "item");
    }
    let help = if given.is::<Step>() {
        "a stage is called for each item: `|item| …`; a process for each item is `.sh(\"name\", \"…\")`"
    } else if given.is_string() {
        "a script for each item is `.sh(\"name\", \"…\")`; a function of the script: `|item| parse(item)`"
    } else {
        "`|item| …`"
    };
    Err(raise(
        Diagnostic::new(
            PIPELINE,
            format!("the stage `{stage}` needs a closure, but this is {}", readable_type(given.type_name())),
        )
        .label(span, "given here")
        .help(help),
    ))
}

/// The script of a stage.
pub fn shell(context: &NativeCallContext, stage: &str, script: &Dynamic) -> Result<Command, Fault> {
    let span = here(context);
    session::with(|session| shell_of(session, stage, script, span)).map(Command::Shell)
}

/// The program of a stage.
pub fn exec(context: &NativeCallContext, stage: &str, words: &Dynamic) -> Result<Command, Fault> {
    let span = here(context);
    session::with(|session| exec_of(session, stage, words, span))
}

/// What a worker runs: a script, or a list of program and arguments.
pub fn worker(context: &NativeCallContext, stage: &str, given: &Dynamic) -> Result<StageWork, Fault> {
    let command = if given.is_array() { exec(context, stage, given)? } else { shell(context, stage, given)? };
    Ok(StageWork::Worker(command))
}

/// `.both(name, [|x| …, |x| …])`
pub fn each(context: &NativeCallContext, name: &str, given: &Array) -> Result<StageWork, Fault> {
    if given.len() < 2 {
        return Err(raise(
            Diagnostic::new(PIPELINE, format!("the stage `{name}` hands each item to several closures, but has {}", given.len()))
                .label(here(context), "given here")
                .help("give two at least: `.both(\"name\", [|item| …, |item| …])`; with one it is `.stage(\"name\", |item| …)`"),
        ));
    }
    let span = here(context);
    let stages = given.iter().enumerate().map(|(n, one)| {
        let name = format_smolstr!("{name}-{}", n + 1);
        Ok(Stage::new(name.clone(), StageWork::Map(closure(context, &name, one)?), span))
    });
    stages.collect::<Result<_, Fault>>().map(StageWork::Each)
}

/// The file of a workflow that runs for each item.
pub fn workflow(
    context: &NativeCallContext,
    stage: &str,
    file: &Dynamic,
    args: Option<&Dynamic>,
) -> Result<StageWork, Fault> {
    let span = here(context);
    let file = options::text(file, &format!("the file of the stage `{stage}`"), span)?;
    let args = args.map(|args| closure(context, stage, args)).transpose()?;
    // Read now, so that the run has it with its other files.
    super::functions::load(context, &file)?;
    Ok(StageWork::Workflow { file, args })
}

/// `pipeline(#{…})`
pub fn from_map(context: &NativeCallContext, spec: &Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut given = Options::of(&keys::PIPELINE, spec, span);
    let name = given.text("name")?;
    let (source, stages, sink) = (given.take("source"), given.take("stages"), given.take("sink"));
    let alerts = given.take("alerts");
    let step = new(context, name.as_deref())?;
    set_options(context, &step, &mut given, span)?;
    given.done()?;
    if let Some(source) = source {
        from(context, &step, &source)?;
    }
    let list = |value: Dynamic, what: &str| {
        value.clone().try_cast::<Array>().ok_or_else(|| wrong(what, "a list", &value, span))
    };
    if let Some(stages) = stages {
        for stage in list(stages, "`stages` of pipeline")? {
            stage_from_map(context, &step, &stage, span)?;
        }
    }
    match sink {
        None => {}
        Some(word) if is_word(&word, "collect") => {}
        Some(word) if is_word(&word, "discard") => drop(to(context, &step, plan::Sink::Discard, "discard")?),
        Some(sink) => drop(to(context, &step, ends::sink(context, &sink)?, "to")?),
    }
    if let Some(alerts) = alerts {
        for alert in list(alerts, "`alerts` of pipeline")? {
            super::alerts::add(context, &step, &alert)?;
        }
    }
    Ok(step)
}

fn is_word(value: &Dynamic, word: &str) -> bool {
    value.read_lock::<ImmutableString>().is_some_and(|text| text.as_str() == word)
}

/// What a stage's map can say that it does: one of these.
pub const WORKS: [&str; 9] = ["do", "filter", "flat_map", "sh", "exec", "worker", "http", "workflow", "both"];

fn stage_from_map(context: &NativeCallContext, step: &Step, given: &Dynamic, span: Span) -> Result<(), Fault> {
    if given.is_fnptr() {
        let work = StageWork::Map(closure(context, "stage", given)?);
        return add(context, step, "stage", None, work, None).map(drop);
    }
    let Some(map) = given.read_lock::<Map>().map(|map| map.clone()) else {
        return Err(wrong("a stage of pipeline", "a map, or a closure", given, span));
    };
    let mut options = Options::named(&keys::STAGE_MAP, "a stage of pipeline", &map, span);
    let name = options.text("name")?;
    let shown = name.clone().unwrap_or_else(|| "stage".into());
    let args = options.take("args");
    let batch = options.count("batch", 1)?;
    let works: Vec<(&str, Dynamic)> =
        WORKS.into_iter().filter_map(|work| options.take(work).map(|value| (work, value))).collect();
    let work = match (&works[..], batch) {
        ([], Some(_)) => StageWork::Batch,
        ([(word, value)], None) => match *word {
            "do" => StageWork::Map(closure(context, &shown, value)?),
            "filter" => StageWork::Filter(closure(context, &shown, value)?),
            "flat_map" => StageWork::FlatMap(closure(context, &shown, value)?),
            "sh" => StageWork::Command(shell(context, &shown, value)?),
            "exec" => StageWork::Command(exec(context, &shown, value)?),
            "worker" => worker(context, &shown, value)?,
            "http" => StageWork::Http(closure(context, &shown, value)?),
            "workflow" => workflow(context, &shown, value, args.as_ref())?,
            _ => match value.read_lock::<Array>() {
                Some(closures) => each(context, &shown, &closures)?,
                None => return Err(wrong("`both` of a stage", "a list of closures", value, span)),
            },
        },
        (works, _) => {
            let what = if works.is_empty() { "does not say what it does" } else { "says twice what it does" };
            if works.is_empty()
                && let Some((unknown, _)) = options.rest().iter().find(|(key, _)| keys::STAGE_MAP.key(key).is_none())
            {
                return Err(options::unknown_key(
                    unknown,
                    &format!("the stage `{shown}`"),
                    &keys::STAGE_MAP.names(),
                    span,
                ));
            }
            return Err(raise(
                Diagnostic::new("flow::lang::stage", format!("the stage `{shown}` {what}"))
                    .label(span, "in this pipeline")
                    .help(format!("give one of: `{}`, `batch`", WORKS.join("`, `"))),
            ));
        }
    };
    if args.is_some() && !matches!(work, StageWork::Workflow { .. }) {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::stage",
                format!("`args` of the stage `{shown}` are those of a workflow, and it runs none"),
            )
            .label_word(span, "args", "given here")
            .help("remove them; a closure gets the item, and can use other values of the script by their names"),
        ));
    }
    let mut stage = Stage::new(name.clone().unwrap_or_default(), work, span);
    stage.batch_size = batch;
    read(&mut stage, &mut options, span)?;
    options.done()?;
    push(context, step, "stage", stage, name.is_some()).map(drop)
}
