//! Boards: what steps and agents note for each other.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::declare;
use crate::diag::{Diagnostic, Span};
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::options::{Options, here, wrong};
use crate::lang::{keys, session};
use crate::plan::{Board, Put, StepId, Task};

/// The board that a value is.
pub fn board_of(context: &NativeCallContext, value: &Dynamic, what: &str) -> Result<StepId, Fault> {
    let span = here(context);
    let id = value.read_lock::<Step>().and_then(|step| step.single());
    let Some(id) = id else { return Err(wrong(what, "a board", value, span)) };
    session::build(context, |builder, span| match &*builder.step(id).task {
        Task::Board(_) => Ok(id),
        _ => Err(not_a_board(&builder.step(id).name, builder.step(id).span, span)),
    })
}

fn not_a_board(name: &str, declared: Span, span: Span) -> Diagnostic {
    Diagnostic::new("flow::lang::not_a_board", format!("`{name}` is no board"))
        .label(span, "used as one here")
        .label(declared, "declared here")
        .help("declare one: `let facts = board(\"facts\");`, then `facts.put(\"key\", value)`")
}

fn noted(context: &NativeCallContext, board: &Step, name: &str, key: &Dynamic, value: &Dynamic) -> Result<Step, Fault> {
    let board = board_of(context, &Dynamic::from(board.clone()), "what `put` notes on")?;
    declare(context, name, |session, span| {
        let key = to_value(session, key, Steps::AsOutput, span)?;
        let value = to_value(session, value, Steps::AsOutput, span)?;
        Ok(Task::Put(Box::new(Put { board, key, value })))
    })
}

#[export_module]
pub mod functions {
    /// A board for notes: steps and agents write on it with `put`, and everybody reads it as it is at that moment.
    ///
    /// `facts.cause`, `facts["cause"]` and `facts.output` (a map of all notes) are read when a condition, a closure or a step needs them, not
    /// when the board was declared; what nobody has noted yet is `()`. A note counts when the step that made it has succeeded, and is taken back
    /// when that step is made again. What has the name of a property (`status`, `text`, …) is read as `facts.output.status`.
    ///
    /// ```rhai
    /// let facts = board("facts");
    /// let look = facts.put("look", "cause", "a leak in the parser");
    /// look -> sh("tell", `echo ${facts.cause}`);
    /// ```
    ///
    /// In Airflow: XCom, but for all of a run. In other systems: a blackboard.
    ///
    /// Errors: `flow::plan::name`, `flow::plan::duplicate`
    /// See: `.put`, `memory`, `publish`
    #[rhai_fn(return_raw)]
    pub fn board(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        declare(&context, name, |_, _| Ok(Task::Board(Box::default())))
    }

    /// A board that shows what stands on another one, too, where it says nothing else itself.
    ///
    /// - `options`: see the table below
    ///
    /// ```rhai
    /// let project = board("project");
    /// let mine = board("mine", #{ parent: project });
    /// ```
    #[rhai_fn(name = "board", return_raw)]
    pub fn board_with(context: NativeCallContext, name: &str, options: Map) -> Result<Step, Fault> {
        let mut map = Options::of(&keys::BOARD, &options, here(&context));
        let parent = map.take("parent");
        map.done()?;
        let parent = parent.map(|parent| board_of(&context, &parent, "`parent` of board")).transpose()?;
        declare(&context, name, |_, _| Ok(Task::Board(Box::new(Board { parent, ..Board::default() }))))
    }

    /// A board that lasts over runs: what was noted on it in earlier runs stands on it when its step has run.
    ///
    /// Runs of one folder that name the same memory share it. A note is kept with the success of its step, once, whatever crashes;
    /// `facts.put("key", ())` takes one away. `flow memory` shows what is kept.
    ///
    /// - `name`: the memory's name, and the step's
    ///
    /// ```rhai
    /// let lessons = memory("lessons");
    /// lessons.put("flaky", "the browser tests fail when the machine is slow");
    /// sh("tell", `echo ${lessons.flaky}`);
    /// ```
    ///
    /// Errors: `flow::plan::name`, `flow::plan::duplicate`
    /// See: `board`, `.put`
    #[rhai_fn(return_raw)]
    pub fn memory(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        memory_with(context, name, Map::new())
    }

    /// A board that lasts over runs, whose notes last only for a time.
    ///
    /// - `options`: see the table below
    ///
    /// ```rhai
    /// let lessons = memory("lessons", #{ ttl: "30d" });
    /// ```
    #[rhai_fn(name = "memory", return_raw)]
    pub fn memory_with(context: NativeCallContext, name: &str, options: Map) -> Result<Step, Fault> {
        let mut map = Options::of(&keys::MEMORY, &options, here(&context));
        let ttl_ms = map.time("ttl")?;
        map.done()?;
        let board = Board { parent: None, memory: Some(name.into()), ttl_ms };
        declare(&context, name, |_, _| Ok(Task::Board(Box::new(board))))
    }

    /// A step that notes something on a board.
    ///
    /// The output is what was noted. `()` takes away what stood there.
    ///
    /// - `name`: the step's name
    /// - `key` (text): under what it is noted; may be the result of a step
    /// - `value` (any value): what; may hold results of steps
    ///
    /// ```rhai
    /// let facts = board("facts");
    /// let count = sh("count", "ls | wc -l");
    /// facts.put("note-count", "files", count.number);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_board`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `board`, `memory`
    #[rhai_fn(name = "put", return_raw)]
    pub fn put_named(
        context: NativeCallContext,
        step: Step,
        name: &str,
        key: Dynamic,
        value: Dynamic,
    ) -> Result<Step, Fault> {
        noted(&context, &step, name, &key, &value)
    }

    /// A step that notes something on a board, named by itself.
    ///
    /// ```rhai
    /// let facts = board("facts");
    /// facts.put("answer", 42) -> sh("tell", `echo ${facts.answer}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn put(context: NativeCallContext, step: Step, key: Dynamic, value: Dynamic) -> Result<Step, Fault> {
        let name = session::build(&context, |builder, _| Ok(builder.nameless("put")))?;
        noted(&context, &step, &name, &key, &value)
    }
}
