//! The engine that evaluates scripts: plain Rhai, bounded, without effects, with flow's functions.

use std::sync::{Arc, OnceLock};

use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, NativeCallContext, OptimizationLevel};

use super::convert::{Steps, to_value};
use super::fault::{Fault, raise};
use super::handle::{Agent, Pending, Step};
use super::modules::Modules;
use super::{functions, operators, secret, session, words};
use crate::diag::{Diagnostic, Span};
use crate::plan::Key;
use crate::state::result::PROPERTIES;

/// Most operations of one evaluation.
const OPERATIONS: u64 = 500_000_000;
/// Longest printed text of one evaluation, in bytes.
const PRINTED: usize = 64 * 1024;

/// An engine with flow's functions, to which an embedding program may add its own.
pub struct Host {
    engine: Engine,
}

/// A host that is ready to compile scripts for; cheap to clone.
#[derive(Clone)]
pub struct SharedHost(pub(super) Arc<Engine>);

impl Default for SharedHost {
    fn default() -> Self {
        SharedHost(standard())
    }
}

impl Default for Host {
    fn default() -> Self {
        Host { engine: engine() }
    }
}

impl Host {
    /// The host, ready for use.
    pub fn share(self) -> SharedHost {
        SharedHost(Arc::new(self.engine))
    }

    /// Adds a function that scripts can call while a plan is made and in closures. It must be free of effects on the
    /// outside when a plan is made; what shall happen belongs into a step.
    pub fn register<A: 'static, const N: usize, const X: bool, R: rhai::Variant + Clone, const F: bool>(
        &mut self,
        name: &str,
        function: impl rhai::RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    ) -> &mut Self {
        self.engine.register_fn(name, function);
        self
    }
}

/// The engine of programs that add nothing.
pub fn standard() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Arc::new(engine())).clone()
}

/// The engine of test files: that of scripts, with the functions of tests.
pub fn tests() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let tests = || {
        let mut engine = engine();
        functions::register_for_tests(&mut engine);
        Arc::new(engine)
    };
    ENGINE.get_or_init(tests).clone()
}

fn engine() -> Engine {
    // Closures are named after a hash of their source; the seed makes it the same in every process.
    // Fails only when it has been set before, by us.
    let _ = rhai::config::hashing::set_hashing_seed(Some([0x666c_6f77, 0x7377_6f6c, 1, 2]));
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    bound(&mut engine);
    engine.register_type_with_name::<Step>("Step");
    engine.register_type_with_name::<Pending>("Pending");
    engine.register_type_with_name::<super::ends::End>("End");
    engine.register_type_with_name::<Agent>("Agent");
    // The precedence is below that of everything but assignment: `a -> b` takes whole expressions.
    engine.register_custom_operator("->", 20).expect("`->` is free");
    // Tighter than the arrow: `x -> a |> b` hands something to a stream.
    engine.register_custom_operator("|>", 25).expect("`|>` is free");
    properties(&mut engine);
    no_sleep(&mut engine);
    operators::register(&mut engine);
    secret::register(&mut engine);
    functions::register(&mut engine);
    words::register(&mut engine);
    engine
}

/// `sleep` of Rhai would hold up the evaluation, or a thread that other closures need.
fn no_sleep(engine: &mut Engine) {
    fn refuse(context: &NativeCallContext) -> Result<(), Fault> {
        Err(raise(
            Diagnostic::new("flow::lang::not_available", "a script cannot sleep: it only describes what is to be done")
                .label(session::with(|s| s.span(context)), "called here")
                .help("let time pass between steps: `a -> wait(\"settle\", \"10s\") -> b`"),
        ))
    }
    engine.register_fn("sleep", |context: NativeCallContext, _: rhai::INT| refuse(&context));
    engine.register_fn("sleep", |context: NativeCallContext, _: rhai::FLOAT| refuse(&context));
}

/// Bounds of evaluation, and what scripts must not do.
fn bound(engine: &mut Engine) {
    // Optimising would drop code that asks pending values, and with it the error.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_operations(OPERATIONS);
    engine.set_max_call_levels(128);
    engine.set_max_expr_depths(200, 100);
    engine.set_max_string_size(16 * 1024 * 1024);
    engine.set_max_array_size(2_000_000);
    engine.set_max_map_size(200_000);
    engine.set_max_modules(1_000);
    engine.set_max_variables(100_000);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_strict_variables(false);
    engine.set_module_resolver(Modules);
    engine.disable_symbol("eval");
    engine.disable_symbol("curry");
    engine.on_progress(|operations| {
        if operations & 0xfff == 0
            && let Some(why) = session::must_end()
        {
            return Some(why.into());
        }
        None
    });
    engine.on_print(print);
    engine.on_debug(|text, source, position| {
        print(&format!("{}:{}: {text}", source.unwrap_or("script"), position.line().unwrap_or(0)));
    });
}

fn print(text: &str) {
    session::with(|session| {
        if session.printed_bytes < PRINTED {
            session.printed.push_str(text);
            session.printed.push('\n');
            session.printed_bytes += text.len() + 1;
            if session.printed_bytes >= PRINTED {
                session.printed.push_str("… (what follows was not kept)\n");
            }
        }
    });
}

/// Properties of steps and of pending values: any name, since a step's output may have any key.
fn properties(engine: &mut Engine) {
    engine.register_indexer_get(|context: NativeCallContext, step: &mut Step, name: &str| -> Result<Dynamic, Fault> {
        super::handle::property(&context, step, name)
    });
    engine.register_indexer_get(|value: &mut Pending, name: &str| -> Result<Dynamic, Fault> {
        super::handle::further(value, Key::Field(name.into()))
    });
    engine.register_indexer_get(|value: &mut Pending, index: i64| -> Result<Dynamic, Fault> {
        super::handle::further(value, Key::Index(index))
    });
    // Those that every result has are found by name, which is faster than by asking for any name.
    for (name, _) in PROPERTIES {
        engine.register_fn(
            format!("get${name}"),
            move |context: NativeCallContext, step: &mut Step| -> Result<Dynamic, Fault> {
                super::handle::property(&context, step, name)
            },
        );
    }
    engine.register_indexer_set(
        |context: NativeCallContext, step: &mut Step, name: &str, value: Dynamic| -> Result<(), Fault> {
            // A method on a property (`x.output.len()`) ends with writing the value back: that changes nothing.
            let current = super::handle::property(&context, step, name)?;
            if same(&current, &value) {
                return Ok(());
            }
            Err(raise(
                Diagnostic::new("flow::lang::read_only", format!("`{name}` of a step can be read, but not set"))
                    .label(session::with(|s| s.span(&context)), "set here")
                    .help("policies are set by methods: `step.timeout(\"5m\").retry(3)`"),
            ))
        },
    );
}

/// Are these the same value, of the plan?
fn same(left: &Dynamic, right: &Dynamic) -> bool {
    let value =
        |of: &Dynamic| session::with(|session| to_value(session, of, Steps::AsThemselves, Span::default()).ok());
    value(left) == value(right)
}
