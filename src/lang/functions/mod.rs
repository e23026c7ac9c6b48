//! The host functions: everything that flow adds to Rhai, declared once.
//!
//! Each is one item with its meaning, its parameters and an example; help, reference, completion and suggestions are
//! made from these (see `reference`), and the examples are run by the tests.

mod agents;
mod asserts;
mod boards;
mod budgets;
mod doubles;
mod fanout;
mod groups;
mod http;
mod json;
mod merges;
mod moments;
mod pipelines;
mod policy;
mod recovery;
mod script;
mod secret;
mod settings;
mod sources;
mod streams;
mod swarms;
mod tasks;
mod topics;
#[cfg(test)]
mod tried;
mod values;
mod waits;

use std::sync::OnceLock;

use rhai::{Engine, Module, NativeCallContext, exported_module};

pub use fanout::{expand, load};
pub use groups::in_order;
pub use script::{KINDS, MOMENTS};
pub use tasks::shell_of;

use super::fault::Fault;
use super::handle::Step;
use super::options;
use super::reference::{Catalogue, Topic};
use super::session;
use crate::diag::Span;
use crate::plan::{self, Builder, Task};

/// The name of the function `call` in compiled scripts: `call` itself is taken by Rhai.
pub const CALL: &str = "call_step";

/// All of them, by the part of the reference in which they stand.
fn modules() -> Vec<(Topic, Module)> {
    vec![
        (Topic::Tasks, exported_module!(tasks::functions)),
        (Topic::Waits, exported_module!(waits::functions)),
        (Topic::Tasks, exported_module!(http::functions)),
        (Topic::Combinators, exported_module!(groups::functions)),
        (Topic::Combinators, exported_module!(fanout::functions)),
        (Topic::Agents, exported_module!(boards::functions)),
        (Topic::Agents, exported_module!(topics::functions)),
        (Topic::Agents, exported_module!(merges::functions)),
        (Topic::Streams, exported_module!(streams::functions)),
        (Topic::Streams, exported_module!(pipelines::functions)),
        (Topic::Streams, exported_module!(sources::functions)),
        (Topic::Agents, exported_module!(agents::functions)),
        (Topic::Agents, exported_module!(swarms::functions)),
        (Topic::Policies, exported_module!(policy::functions)),
        (Topic::Policies, exported_module!(recovery::functions)),
        (Topic::Settings, exported_module!(settings::functions)),
        (Topic::Settings, exported_module!(script::functions)),
        (Topic::Settings, exported_module!(budgets::functions)),
        (Topic::Secrets, exported_module!(secret::functions)),
        (Topic::Values, exported_module!(json::functions)),
        (Topic::Values, exported_module!(moments::functions)),
        (Topic::Values, exported_module!(values::functions)),
    ]
}

/// Adds all of them to an engine.
pub fn register(engine: &mut Engine) {
    for (_, module) in modules() {
        engine.register_global_module(module.into());
    }
    // Rhai has one of this name, which comes before those of modules, and would show what is not known yet.
    engine.register_fn("to_json", json::functions::to_json_map);
    // Not a function of the language: how `Program` learns the context that closures are called in.
    engine.register_fn("__context", |context: NativeCallContext| {
        let store = context.store_data();
        session::with(|session| session.context = Some(store));
    });
    // Nor this: texts of agents on their way into prompts, in `stdlib/swarm.rhai`.
    engine.register_fn("__as_is", |context: NativeCallContext, text: rhai::ImmutableString| {
        swarms::as_is(&context, &text)
    });
}

/// Those that only tests have.
fn modules_of_tests() -> [(Topic, Module); 2] {
    [(Topic::Testing, exported_module!(doubles::functions)), (Topic::Testing, exported_module!(asserts::functions))]
}

/// Adds those that only tests have.
pub fn register_for_tests(engine: &mut Engine) {
    for (_, module) in modules_of_tests() {
        engine.register_global_module(module.into());
    }
    doubles::register_properties(engine);
}

/// The reference of all functions, made when it is first needed.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        // First of all, since it sets the seed of Rhai's hashes, on which the names of closures depend.
        let whole = super::host::standard();
        let alone = |(topic, module): (Topic, Module)| {
            let mut engine = Engine::new_raw();
            engine.register_global_module(module.into());
            (topic, engine)
        };
        let all: Vec<(Topic, Engine)> = modules().into_iter().chain(modules_of_tests()).map(alone).collect();
        Catalogue::of(&all, &whole)
    })
}

/// Declares a step with this task.
fn declare(
    context: &NativeCallContext,
    name: &str,
    task: impl FnOnce(&mut session::Session, Span) -> Result<Task, Fault>,
) -> Result<Step, Fault> {
    // Checked first: nothing is converted for a step that cannot be declared.
    session::build(context, |_, _| Ok(()))?;
    let name = options::name(context, name)?;
    let (task, span) = session::with(|session| {
        let span = session.span(context);
        task(session, span).map(|task| (task, span))
    })?;
    session::build(context, |builder: &mut Builder, _| Ok(Step::One(builder.add(plan::Step::new(name, task, span)))))
}
