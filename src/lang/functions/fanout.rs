//! Shapes that depend on data: one step for each item, repeated steps, other workflows, and results in the script.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext, Scope};
use smol_str::{SmolStr, format_smolstr};

use super::declare;
use crate::diag::{Diagnostic, did_you_mean};
use crate::lang::convert::{self, Steps, to_value};
use crate::lang::fault::{self, Fault, raise};
use crate::lang::handle::{Pending, Step, not_a_step, sequence};
use crate::lang::item::Item;
use crate::lang::options::{Options, here, wrong};
use crate::lang::program::{File, LoadProblem};
use crate::lang::session::{self, Frame};
use crate::lang::{closures, keys, swarm, untrusted, weave};
use crate::plan::{self, Builder, Each, Json, Quorum, Repeat, Sequence, StepId, Task, Value};
use crate::state::{Inputs, resolve};

/// Most sub-workflows within each other.
const NESTED: usize = 16;

/// Calls a closure for one iteration and makes what it returned the iteration's step.
fn child(
    context: &NativeCallContext,
    group: StepId,
    key: SmolStr,
    make: impl FnOnce() -> Result<Dynamic, Fault>,
) -> Result<StepId, Fault> {
    let start = session::build(context, |builder, _| Ok(builder.len()))?;
    // Each iteration counts for itself how often it asks an agent.
    let asked = session::with(|session| session.asked.clone());
    let value = make()?;
    session::with(|session| session.asked = asked);
    if !value.is::<Step>() && !value.is_array() {
        let span = session::build(context, |builder, _| Ok(builder.step(group).span))?;
        let mut problem = crate::lang::handle::not_a_step(&value, span);
        if !value.is_unit() {
            problem = problem.help("the closure must return the step of the item: `|item| sh(…)`; to compute a value for each item: `|item| call(\"name\", || …)`");
        } else {
            problem = problem.help("the closure must return the step of the item: let that be its last line");
        }
        return Err(raise(problem));
    }
    let returned = sequence(context, &value)?;
    session::build(context, |builder, span| {
        let returned = builder.as_step(returned);
        let orphans = builder.orphans(start);
        if returned.index() < start {
            return Err(Diagnostic::new(
                "flow::lang::outside_step",
                format!("the closure returned `{}`, which was declared outside of it", builder.step(returned).name),
            )
            .label(span, "returned for each item")
            .label(builder.step(returned).span, "declared here")
            .help("declare the step of an item inside the closure"));
        }
        let iteration = if orphans == [returned] {
            returned
        } else {
            let mut children: Vec<StepId> = orphans.into_iter().filter(|id| *id != returned).collect();
            children.push(returned);
            let span = builder.step(returned).span;
            let all = Sequence { entries: children.clone(), exits: vec![returned], members: children, span };
            let name = builder.step(group).name.clone();
            builder.chain(name, all, span)
        };
        let step = builder.step_mut(iteration);
        step.parent = Some(group);
        step.key = Some(key);
        Ok(iteration)
    })
}

/// The key of an item in a path: the item itself if it is short and plain, else its number.
fn key_of(item: &Dynamic, index: usize, taken: &[SmolStr]) -> SmolStr {
    let plain = match item.read_lock::<rhai::ImmutableString>() {
        Some(text) => {
            let fits = !text.is_empty()
                && text.len() <= 80
                && !text.chars().any(|c| c.is_control() || matches!(c, '[' | ']'))
                && !convert::is_marked(&text);
            fits.then(|| SmolStr::new(text.as_str()))
        }
        None => item.as_int().ok().map(|number| format_smolstr!("{number}")),
    };
    match plain {
        Some(key) if !taken.contains(&key) => key,
        Some(key) => format_smolstr!("{key}#{index}"),
        None => format_smolstr!("{index}"),
    }
}

/// Makes the children of an `each`.
fn children(
    context: &NativeCallContext,
    group: StepId,
    items: Array,
    mut call: impl FnMut(Dynamic, usize) -> Result<Dynamic, Fault>,
) -> Result<Vec<StepId>, Fault> {
    let mut ids = Vec::with_capacity(items.len());
    let mut keys = std::collections::HashSet::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut key = key_of(&item, index, &[]);
        if !keys.insert(key.clone()) {
            key = format_smolstr!("{key}#{index}");
            keys.insert(key.clone());
        }
        ids.push(child(context, group, key, || call(item, index))?);
    }
    Ok(ids)
}

/// Evaluates the closure of a fan-out while the plan runs.
pub fn expand(
    context: &NativeCallContext,
    task: &Task,
    step: StepId,
    iteration: u32,
    last: Json,
    inputs: &Inputs,
) -> Result<(), Fault> {
    let call = |closure: &plan::Closure, given: Vec<Dynamic>| -> Result<Dynamic, Fault> {
        let mut arguments = session::with(|session| closures::arguments(session, closure, given, inputs))
            .map_err(fault::raise_failure)?;
        let mut arguments: Vec<&mut Dynamic> = arguments.iter_mut().collect();
        context.call_fn_raw(closure.function.as_str(), false, false, &mut arguments)
    };
    match task {
        Task::Each(each) => {
            let items = each
                .items
                .as_ref()
                .map_or(Ok(Json::Null), |items| resolve(items, inputs))
                .map_err(fault::raise_failure)?;
            let items = items_of(convert::to_dynamic(items)).map_err(|kind| {
                raise(
                    Diagnostic::new("flow::lang::items", format!("the items of `each` must be an array, but they are {kind}"))
                        .label(each.body.span, "of this `each`")
                        .help("`.lines` gives the lines of a text; `.json` reads JSON; a process that prints a JSON array gives an array"),
                )
            })?;
            let ids = children(context, step, items, |item, index| {
                session::with(|session| {
                    // One item at a time: what the others hold cannot come into this one's steps.
                    session.untrusted.clear();
                    untrusted::remember(session, &Item(item.clone()).to_json().unwrap_or_default());
                });
                call(&each.body, vec![item, (index as i64).into()])
            })?;
            set_children(context, step, ids)
        }
        Task::Repeat(repeat) => {
            session::with(|session| untrusted::remember(session, &last));
            let given = vec![i64::from(iteration).into(), convert::to_dynamic(last)];
            let id = child(context, step, format_smolstr!("{iteration}"), || call(&repeat.body, given))?;
            let mut ids = repeat.children.clone();
            ids.push(id);
            set_children(context, step, ids)
        }
        Task::OnEvent(on) => {
            session::with(|session| untrusted::remember(session, &last));
            let given = vec![convert::to_dynamic(last)];
            let id = child(context, step, format_smolstr!("{iteration}"), || call(&on.body, given))?;
            let mut ids = on.children.clone();
            ids.push(id);
            set_children(context, step, ids)
        }
        Task::Workflow(workflow) => {
            let mut args = Vec::with_capacity(workflow.args.len());
            for (name, value) in &workflow.args {
                let value = resolve(value, inputs).map_err(fault::raise_failure)?;
                session::with(|session| untrusted::remember(session, &value));
                args.push((name.clone(), convert::to_dynamic(value)));
            }
            sub_workflow(context, step, &workflow.file, args)
        }
        _ => Ok(()),
    }
}

fn set_children(context: &NativeCallContext, group: StepId, ids: Vec<StepId>) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        match std::sync::Arc::make_mut(&mut builder.step_mut(group).task) {
            Task::Each(each) => each.children = ids,
            Task::Repeat(repeat) => repeat.children = ids,
            Task::OnEvent(on) => on.children = ids,
            _ => {}
        }
        Ok(())
    })
}

/// Items of anything that can be gone through; otherwise what it is.
fn items_of(value: Dynamic) -> Result<Array, String> {
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Ok(range.clone().map(Dynamic::from).collect());
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Ok(range.clone().map(Dynamic::from).collect());
    }
    let kind = fault::readable_type(value.type_name());
    if value.is_unit() {
        return Ok(Array::new());
    }
    value.into_array().map_err(|_| kind)
}

/// Adds the steps of another workflow, if its arguments are known.
pub fn include(context: &NativeCallContext, step: &Step) -> Result<(), Fault> {
    let Some(id) = step.single() else { return Ok(()) };
    let task = session::build(context, |builder, _| Ok(builder.step(id).task.clone()))?;
    let Task::Workflow(workflow) = &*task else { return Ok(()) };
    let mut args = Vec::with_capacity(workflow.args.len());
    for (name, value) in &workflow.args {
        match value {
            Value::Plain(value) => args.push((name.clone(), convert::to_dynamic(value.clone()))),
            _ => {
                // Some arguments are results: its steps come while the plan runs. That the file exists is checked now.
                return load(context, &workflow.file).map(|_| ());
            }
        }
    }
    sub_workflow(context, id, &workflow.file, args)
}

/// The script of another workflow.
pub fn load(context: &NativeCallContext, file: &str) -> Result<std::sync::Arc<File>, Fault> {
    let (program, span) = session::with(|session| (session.program.clone(), session.span(context)));
    let name = format!("{}.rhai", file.trim_start_matches("./").trim_end_matches(".rhai"));
    if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        return Err(raise(
            Diagnostic::new(
                "flow::lang::import_outside",
                format!("the workflow `{file}` is outside of the script's folder"),
            )
            .label_word(span, file, "named here")
            .help("put workflows that belong together below one folder; a run keeps a copy of all of them"),
        ));
    }
    program.load(&name).map_err(|problem| match problem {
        LoadProblem::Missing => {
            let known: Vec<String> = program.importable(&name).into_iter().map(|name| name + ".rhai").collect();
            let problem = Diagnostic::new(
                "flow::file::missing",
                format!("there is no workflow `{file}` below the script's folder"),
            )
            .label_word(span, file, "named here");
            raise(match did_you_mean(&name, known.iter().map(String::as_str)) {
                Some(help) => problem.help(help),
                None => problem.help("the path is relative to the folder of the script that is run"),
            })
        }
        LoadProblem::Wrong(diagnostic) => raise(diagnostic),
    })
}

fn sub_workflow(
    context: &NativeCallContext,
    group: StepId,
    file: &str,
    args: Vec<(String, Dynamic)>,
) -> Result<(), Fault> {
    let source = load(context, file)?;
    let (start, span, depth) = session::with(|session| {
        let start = session.builder.as_ref().map_or(0, |b| b.len());
        let span = session.builder.as_ref().map(|b| b.step(group).span).unwrap_or_default();
        (start, span, session.frames.len())
    });
    if depth > NESTED {
        return Err(raise(
            Diagnostic::new("flow::lang::workflow_depth", format!("workflows are nested more than {NESTED} deep"))
                .label_word(span, file, "here")
                .help("does a workflow contain itself?"),
        ));
    }
    session::with(|session| session.frames.push(Frame { args, nested: true }));
    let mut scope = Scope::new();
    let folder = session::with(|s| s.program.folder()).map(|f| f.display().to_string()).unwrap_or_default();
    scope.push_constant("script_dir", folder);
    let result = context.engine().eval_ast_with_scope::<Dynamic>(&mut scope, &source.ast);
    let frame = session::with(|session| session.frames.pop());
    let value = result?;
    if let Some((name, _)) = frame.and_then(|frame| frame.args.into_iter().next()) {
        return Err(raise(
            Diagnostic::new("flow::param::unknown", format!("the workflow `{file}` has no parameter `{name}`"))
                .label_word(span, name.as_str(), "given here")
                .help(format!("`flow script {file} --help` lists its parameters")),
        ));
    }
    let returns = match value.is_unit() {
        true => None,
        false => Some(session::with(|session| to_value(session, &value, Steps::AsOutput, span))?),
    };
    session::build(context, |builder, _| {
        let orphans = builder.orphans(start);
        builder.adopt(group, &orphans);
        if let Task::Workflow(workflow) = std::sync::Arc::make_mut(&mut builder.step_mut(group).task) {
            workflow.expanded = true;
            workflow.returns = returns;
        }
        Ok(())
    })
}

/// `each`: the steps of items that are known, or what makes them later.
fn fan_out(context: &NativeCallContext, name: &str, items: Dynamic, closure: &FnPtr) -> Result<Step, Fault> {
    let pending = items.is::<Pending>() || items.is::<Step>();
    let span = here(context);
    let wrong_items = || wrong("what `each` goes through", "an array, a range or a result", &items, span);
    let known = if pending { None } else { Some(items_of(items.clone()).map_err(|_| wrong_items())?) };
    let step = declare(context, name, |session, span| {
        let body = closures::freeze(session, closure, span)?;
        let items = if pending { Some(to_value(session, &items, Steps::AsOutput, span)?) } else { None };
        Ok(Task::Each(Each { items, body, children: Vec::new() }))
    })?;
    if let Some(items) = known {
        let Some(id) = step.single() else { return Ok(step) };
        let takes = session::with(|s| s.program.function(&closures::name_of(closure), |_, f| f.parameters))
            .unwrap_or(1)
            .saturating_sub(closure.curry().len());
        let ids = children(context, id, items, |item, index| match takes {
            0 => closure.call_within_context(context, ()),
            1 => closure.call_within_context(context, (item,)),
            _ => closure.call_within_context(context, (item, index as i64)),
        })?;
        set_children(context, id, ids)?;
    }
    Ok(step)
}

#[export_module]
pub mod functions {
    /// One step for each item: the closure gets the item (and its number) and returns the step.
    ///
    /// Known items give their steps at once. If the items are the result of a step, the steps come while the workflow runs; each is
    /// recorded on its own, so a resume goes on in the middle.
    ///
    /// The output is the array of the steps' outputs, in the order of the items. The paths of its steps are `name[item]`. In the closure
    /// an item is a plain value: `quote(item)` makes it one word of a shell script.
    ///
    /// - `items` (list, range or result): what is gone through, for instance `files.lines`
    /// - `closure`: `|item| …` or `|item, index| …`: gives the step of the item
    ///
    /// ```rhai
    /// let lint = each("lint", ["a.sh", "b.sh"], |file| sh("check", `echo checking ${file}`));
    /// let files = sh("files", "ls *.toml");
    /// each("sizes", files.lines, |file| exec("size", ["wc", "-c", file]));
    /// ```
    ///
    /// In GitHub Actions: a matrix. In Airflow: dynamic task mapping. In Nextflow: a channel. In make: a pattern rule, with `-j`.
    ///
    /// Errors: `flow::lang::items`, `flow::lang::not_a_step`, `flow::lang::outside_step`, `flow::plan::shell`, `flow::plan::duplicate`
    /// See: `repeat`, `parallel`, `quote`, `.limit`
    #[rhai_fn(name = "each", return_raw)]
    pub fn each(context: NativeCallContext, name: &str, items: Dynamic, closure: FnPtr) -> Result<Step, Fault> {
        fan_out(&context, name, items, &closure)
    }

    /// One step for each item, with more to say about all of them.
    ///
    /// - `options` (map): see the table below
    ///
    /// ```rhai
    /// each("test", ["unit", "browser"], |suite| sh("test", `echo testing ${suite}`), #{ fail_fast: true });
    /// ```
    #[rhai_fn(name = "each", return_raw)]
    pub fn each_with(
        context: NativeCallContext,
        name: &str,
        items: Dynamic,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        let span = here(&context);
        let mut map = Options::of(&keys::EACH, &options, span);
        let fail_fast = map.take("fail_fast").unwrap_or(Dynamic::FALSE);
        let fail_fast = weave::truth(&fail_fast, "`fail_fast` of each", span)?;
        map.done()?;
        let later = items.is::<Pending>() || items.is::<Step>();
        let step = fan_out(&context, name, items, &closure)?;
        if !fail_fast {
            return Ok(step);
        }
        if later {
            return Err(raise(
                Diagnostic::new(
                    "flow::lang::option",
                    "`fail_fast` of each needs items that are known while the plan is made",
                )
                .label(span, "these come while the workflow runs")
                .help("leave it out; or know the items before: `let items = run(step).lines;`"),
            ));
        }
        session::build(&context, |builder, _| {
            let Some(id) = step.single() else { return Ok(step) };
            let task = std::sync::Arc::make_mut(&mut builder.step_mut(id).task);
            let children = if let Task::Each(each) = task { std::mem::take(&mut each.children) } else { Vec::new() };
            // Of no items there is nothing that could fail.
            if !children.is_empty() {
                *task = Task::Quorum(Quorum { need: children.len() as u32, race: false, children });
            }
            Ok(step)
        })
    }

    /// Steps again and again, until a condition holds.
    ///
    /// The closure gets the number of the iteration (from 1) and the output of the one before (`()` at first) and returns the step. The output is
    /// that of the last iteration. An iteration that fails ends it; if `until` is still false after `max` iterations, it fails.
    ///
    /// - `closure`: `|i, last| …`: gives the step of the iteration
    ///
    /// ```rhai
    /// repeat("poll", #{ max: 5, until: |last| last == "ready" }, |i, last| sh("ask", "echo ready"));
    /// ```
    ///
    /// In a shell: `until … do … done`. In Airflow: a sensor. In plain Rhai: `loop`, but each round is recorded.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::not_a_step`, `flow::lang::outside_step`
    /// See: `each`, `wait`, `.retry`
    #[rhai_fn(return_raw)]
    pub fn repeat(context: NativeCallContext, name: &str, options: Map, closure: FnPtr) -> Result<Step, Fault> {
        declare(&context, name, |session, span| {
            let body = closures::freeze(session, &closure, span)?;
            let mut map = Options::of(&keys::REPEAT, &options, span);
            let until = map.take("until");
            let max = map.take("max");
            map.done()?;
            let max = match max {
                Some(max) => crate::lang::options::count(&max, "`max` of repeat", 1, span)?,
                None => {
                    return Err(raise(
                        Diagnostic::new("flow::lang::option", "`repeat` needs `max`, the most iterations")
                            .label(span, "here")
                            .help("`repeat(name, #{ max: 10, until: |last| … }, |i, last| …)`"),
                    ));
                }
            };
            let until = match until {
                None => None,
                Some(until) => match until.clone().try_cast::<FnPtr>() {
                    Some(until) => Some(closures::freeze(session, &until, span)?),
                    None => return Err(wrong("`until` of repeat", "a closure", &until, span)),
                },
            };
            Ok(Task::Repeat(Repeat { max, until, body, children: Vec::new() }))
        })
    }

    /// Runs a step now, with all that it needs, and gives it back with its results known, so that plain `if`, `for` and `while` work on them.
    ///
    /// When the run is resumed, the recorded result is given. `flow check` and `flow plan` run nothing: they show the plan up to this place. A
    /// failure of the step is dealt with if the script reads its outcome (`passed`, `failed`, `code`, …).
    ///
    /// - `target`: the step
    ///
    /// ```rhai,no_run
    /// let branch = run(sh("branch", "git branch --show-current"));
    /// if branch.output == "main" { sh("publish", "make publish"); }
    /// ```
    ///
    /// In make: `$(shell …)`. In Temporal: `await` on an activity.
    ///
    /// Errors: `flow::lang::run_nested`, `flow::lang::already_ran`, `flow::run::stopped`
    /// See: `.when`, `flow`, `each`
    #[rhai_fn(return_raw)]
    pub fn run(context: NativeCallContext, target: Step) -> Result<Step, Fault> {
        let id = run_now(&context, |builder| vec![target.id(builder)])?;
        Ok(Step::One(id[0]))
    }

    /// Runs several steps now, side by side as far as they can, and gives them back with their results known.
    ///
    /// - `targets`: the steps
    ///
    /// ```rhai,no_run
    /// let both = run([sh("lint", "make lint"), sh("test", "make test")]);
    /// if both[0].passed && both[1].passed { sh("publish", "make publish"); }
    /// ```
    ///
    /// Errors: `flow::lang::run_nested`, `flow::lang::already_ran`, `flow::run::stopped`
    /// See: `parallel`
    #[rhai_fn(name = "run", return_raw)]
    pub fn run_several(context: NativeCallContext, targets: Array) -> Result<Array, Fault> {
        let span = here(&context);
        let steps: Result<Vec<Step>, Fault> = targets
            .iter()
            .map(|target| match target.read_lock::<Step>() {
                Some(step) => Ok(step.clone()),
                None => Err(raise(not_a_step(target, span))),
            })
            .collect();
        let steps = steps?;
        let ids = run_now(&context, |builder| steps.iter().map(|step| step.id(builder)).collect())?;
        Ok(ids.into_iter().map(|id| Dynamic::from(Step::One(id))).collect())
    }

    /// Runs all that the script has declared so far: from here on all results are known.
    ///
    /// ```rhai,no_run
    /// let files = sh("files", "ls src").parse("lines");
    /// run();
    /// for file in files.output { sh(`lint-${file}`, `./lint.sh ${quote(file)}`); }
    /// ```
    ///
    /// Errors: `flow::lang::run_nested`, `flow::run::stopped`
    /// See: `each`
    #[rhai_fn(name = "run", return_raw)]
    pub fn run_all(context: NativeCallContext) -> Result<(), Fault> {
        run_now(&context, Builder::in_the_graph).map(|_| ())
    }
}

/// `run(…)`: what is to be run is said by the builder's ids; the results are known afterwards.
fn run_now(
    context: &NativeCallContext,
    wanted: impl FnOnce(&mut Builder) -> Vec<StepId>,
) -> Result<Vec<StepId>, Fault> {
    let span = here(context);
    swarm::finish_all()?;
    let runner = session::with(|session| {
        if session.frames.len() > 1 {
            return Err(Diagnostic::new("flow::lang::run_nested", "`run` cannot stand in a sub-workflow or a fan-out")
                .label(span, "here")
                .help("use `.when(|| …)`, `flow` or `each` there, which decide while the workflow runs"));
        }
        if session.runner.is_none() {
            session.stopped_at = Some(span);
        }
        Ok(session.runner.take())
    })
    .map_err(raise)?;
    let Some(mut runner) = runner else {
        return Err(rhai::EvalAltResult::ErrorTerminated(Dynamic::from("run"), rhai::Position::NONE).into());
    };
    let (ids, growth) = session::build(context, |builder, _| {
        let ids = wanted(builder);
        builder.settle()?;
        match builder.check().into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok((ids, builder.growth())),
        }
    })?;
    let began = std::time::Instant::now();
    let printed = session::with(|session| std::mem::take(&mut session.printed));
    let results = runner.run(growth, printed, &ids);
    let files = runner.files();
    session::with(|session| {
        // The time that steps take is not the script's.
        session.deadline = session.deadline.map(|deadline| deadline + began.elapsed());
        session.runner = Some(runner);
        if let Ok(results) = &results {
            let known = session.known.get_or_insert_with(|| Inputs { results: Vec::new(), files });
            known.learn(ids.iter().copied().zip(results.iter().cloned()));
        }
    });
    results.map_err(raise)?;
    Ok(ids)
}
