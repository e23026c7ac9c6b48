//! Operators on values that are not known yet are errors, never silently false.
//!
//! Rhai compares unlike types without a word, so every operator is registered for pending values and steps, and for
//! texts compared with numbers. Fast operators are off for that reason: built-in ones could not be replaced.

use std::any::TypeId;

use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, Module, NativeCallContext};

use super::convert::{is_marked, mark};
use super::fault::{Fault, Need, not_known_yet, raise};
use super::handle::{Pending, Step};
use super::{session, texts};
use crate::diag::{Diagnostic, Span};

const BINARY: [&str; 16] = ["==", "!=", "<", "<=", ">", ">=", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>"];
const COMPARE: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const ORDER: [&str; 4] = ["<", "<=", ">", ">="];

fn here(context: &NativeCallContext) -> Span {
    session::with(|session| session.span(context))
}

fn pending_fault(context: &NativeCallContext, value: &Pending) -> Fault {
    raise(not_known_yet(Some(&value.describe()), Need::Compute, here(context)))
}

pub fn step_fault(context: &NativeCallContext) -> Fault {
    let help = match context.fn_name() {
        "|" | "||" => {
            "steps that read what others write while they run are joined by `a |> b`; one after the other: `a -> b`"
        }
        ">>" | ">" => {
            "one step after the other is `a -> b`; both at the same time, the one reading what the other writes, `a |> b`"
        }
        _ => "read a property of it, such as `.passed` or `.output`, inside a closure: `.when(|| test.passed, …)`",
    };
    raise(
        Diagnostic::new("flow::lang::step_value", "a step is not a value that could be compared or computed with")
            .label(here(context), "here")
            .help(help),
    )
}

fn text_number_fault(context: &NativeCallContext, text: &str) -> Fault {
    let shown = crate::state::result::shorten(text, 40);
    raise(
        Diagnostic::new("flow::lang::text_number", format!("the text \"{shown}\" is compared with a number"))
            .label(here(context), "a text on one side, a number on the other")
            .help("`x.number` reads a step's output as a number; for other texts: `parse_float(text)` or `parse_int(text)`"),
    )
}

fn nothing_fault(context: &NativeCallContext) -> Fault {
    raise(
        Diagnostic::new("flow::lang::nothing", "`()` is compared by size: there is no value on one side")
            .label(here(context), "one side is ()")
            .help("a skipped step gives `()`; ask `x.skipped` or `x.output != ()` first"),
    )
}

/// Registers all of them.
pub fn register(engine: &mut Engine) {
    engine.set_fast_operators(false);
    for op in BINARY {
        engine.register_fn(op, |c: NativeCallContext, p: Pending, _: Dynamic| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Dynamic, p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, p: Pending, _: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Step, _: Dynamic| -> Result<bool, Fault> {
            Err(step_fault(&c))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Dynamic, _: Step| -> Result<bool, Fault> {
            Err(step_fault(&c))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Step, _: Step| -> Result<bool, Fault> { Err(step_fault(&c)) });
        engine.register_fn(op, |c: NativeCallContext, p: Pending, _: Step| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Step, p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
    }
    for op in ["!", "-"] {
        engine
            .register_fn(op, |c: NativeCallContext, p: Pending| -> Result<bool, Fault> { Err(pending_fault(&c, &p)) });
        engine.register_fn(op, |c: NativeCallContext, _: Step| -> Result<bool, Fault> { Err(step_fault(&c)) });
    }
    iterate(engine);
    for op in ["contains", "..", "..="] {
        engine.register_fn(op, |c: NativeCallContext, p: Pending, _: Dynamic| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: &str, p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: rhai::Map, p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: INT, p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
    }
    register_joins(engine);
    texts::register(engine);
    // Rhai would find these last, after all that is registered for any value.
    macro_rules! numbers {
        ($($op:literal $apply:tt),*) => {$(
            engine.register_fn($op, |a: FLOAT, b: INT| a $apply (b as FLOAT));
            engine.register_fn($op, |a: INT, b: FLOAT| (a as FLOAT) $apply b);
        )*};
    }
    numbers!("==" ==, "!=" !=, "<" <, "<=" <=, ">" >, ">=" >=);
    for op in COMPARE {
        engine.register_fn(op, |c: NativeCallContext, a: ImmutableString, _: INT| -> Result<bool, Fault> {
            Err(text_number_fault(&c, &a))
        });
        engine.register_fn(op, |c: NativeCallContext, a: ImmutableString, _: FLOAT| -> Result<bool, Fault> {
            Err(text_number_fault(&c, &a))
        });
        engine.register_fn(op, |c: NativeCallContext, _: INT, b: ImmutableString| -> Result<bool, Fault> {
            Err(text_number_fault(&c, &b))
        });
        engine.register_fn(op, |c: NativeCallContext, _: FLOAT, b: ImmutableString| -> Result<bool, Fault> {
            Err(text_number_fault(&c, &b))
        });
    }
    for op in ORDER {
        engine.register_fn(op, |c: NativeCallContext, _: (), p: Pending| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, p: Pending, _: ()| -> Result<bool, Fault> {
            Err(pending_fault(&c, &p))
        });
        engine.register_fn(op, |c: NativeCallContext, _: (), _: Step| -> Result<bool, Fault> { Err(step_fault(&c)) });
        engine.register_fn(op, |c: NativeCallContext, _: Step, _: ()| -> Result<bool, Fault> { Err(step_fault(&c)) });
        engine.register_fn(op, |c: NativeCallContext, _: (), _: Dynamic| -> Result<bool, Fault> {
            Err(nothing_fault(&c))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Dynamic, _: ()| -> Result<bool, Fault> {
            Err(nothing_fault(&c))
        });
    }
}

/// `for` goes through neither steps, nor results, nor texts with results in them.
fn iterate(engine: &mut Engine) {
    type Items = Box<dyn Iterator<Item = Result<Dynamic, Fault>>>;
    fn never(what: Option<&str>) -> Items {
        let fault = raise(not_known_yet(what, Need::GoThrough, Span::default()));
        Box::new(std::iter::once(Err(fault)))
    }
    let mut module = Module::new();
    module.set_iter_result(TypeId::of::<Pending>(), |value| {
        never(value.try_cast::<Pending>().map(|pending| pending.describe()).as_deref())
    });
    module.set_iter_result(TypeId::of::<Step>(), |_| never(None));
    module.set_iter_result(TypeId::of::<ImmutableString>(), |value| match value.into_immutable_string() {
        Ok(text) if is_marked(&text) => never(Some("a text with results in it")),
        Ok(text) => Box::new(text.chars().map(|c| Ok(c.into())).collect::<Vec<_>>().into_iter()) as Items,
        Err(_) => Box::new(std::iter::empty()) as Items,
    });
    engine.register_global_module(module.into());
}

/// `+` and interpolation make texts with values in them.
fn register_joins(engine: &mut Engine) {
    fn join(left: &str, value: &Pending) -> String {
        session::with(|session| format!("{left}{}", mark(session, &value.0)))
    }
    engine.register_fn("to_string", |value: &mut Pending| join("", value));
    engine.register_fn("to_debug", |value: &mut Pending| format!("<{}>", value.describe()));
    engine.register_fn("+", |left: &str, right: Pending| join(left, &right));
    engine.register_fn("+", |left: Pending, right: &str| join("", &left) + right);
    engine.register_fn("+", |left: Pending, right: Pending| join(&join("", &left), &right));
    engine.register_fn("+", |c: NativeCallContext, p: Pending, _: INT| -> Result<bool, Fault> {
        Err(pending_fault(&c, &p))
    });
    engine.register_fn("+", |c: NativeCallContext, _: INT, p: Pending| -> Result<bool, Fault> {
        Err(pending_fault(&c, &p))
    });
    engine.register_fn("+", |c: NativeCallContext, p: Pending, _: FLOAT| -> Result<bool, Fault> {
        Err(pending_fault(&c, &p))
    });
    engine.register_fn("+", |c: NativeCallContext, _: FLOAT, p: Pending| -> Result<bool, Fault> {
        Err(pending_fault(&c, &p))
    });
    // A step in a text stands for its output.
    engine.register_fn("to_string", |c: NativeCallContext, step: &mut Step| -> Result<String, Fault> {
        let value = super::handle::property(&c, step, "output")?;
        Ok(match value.read_lock::<Pending>() {
            Some(pending) => join("", &pending),
            None => value.to_string(),
        })
    });
    engine.register_fn("to_debug", |step: &mut Step| match step {
        Step::One(id) => format!("<step {}>", id.0),
        Step::Woven(_) => "<stream>".to_owned(),
        Step::Several(sequence) => format!("<{} steps>", sequence.members.len()),
    });
    {
        engine.register_fn("+", |c: NativeCallContext, _: Step, _: Dynamic| -> Result<bool, Fault> {
            Err(step_fault(&c))
        });
        engine
            .register_fn("+", |c: NativeCallContext, _: Step, _: &str| -> Result<bool, Fault> { Err(step_fault(&c)) });
        engine
            .register_fn("+", |c: NativeCallContext, _: &str, _: Step| -> Result<bool, Fault> { Err(step_fault(&c)) });
    }
}
