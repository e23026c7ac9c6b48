//! Secrets in scripts: a script knows their names, never their values, and so cannot make text of them.
//!
//! Every operator and function that would is refused. In a backtick text, or in that of an array or a map, Rhai asks for
//! a text and goes on whatever it is told: there the refusal is noted and told with the next call of a host function, or at
//! the end.

use std::any::TypeId;

use rhai::{AST, ASTNode, Array, Dynamic, Engine, Expr, ImmutableString, Map, Module, NativeCallContext};
use smol_str::SmolStr;

use super::convert::mark;
use super::fault::{Fault, raise};
use super::handle::{Pending, Step};
use super::session;
use crate::diag::{Diagnostic, Span};
use crate::plan::{SecretRef, Value};

/// The name of its type, in signatures.
pub const TYPE: &str = "Secret";

const BINARY: [&str; 21] = [
    "==", "!=", "<", "<=", ">", ">=", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "+", "+=", "contains", "..",
    "..=",
];

/// A secret stands where it would become text, or be looked at. `name`: which one, if that is known.
pub fn refused(name: Option<&str>, span: Span) -> Diagnostic {
    let what = name.map_or("a secret".to_owned(), |name| format!("the secret `{name}`"));
    let name = name.unwrap_or("TOKEN");
    Diagnostic::new("flow::lang::secret", format!("{what} cannot become text, nor be looked at: a script knows only its name"))
        .label(span, "a secret stands here")
        .help(format!(
            "hand it to the process: `.env(#{{ {name}: secret(\"{name}\") }})`, and `\"${name}\"` in its script; `.stdin(…)` and the headers of `http` take it too, `.prefix(…)` and `.suffix(…)` put text around it"
        ))
}

fn fault(context: &NativeCallContext, secret: &SecretRef) -> Fault {
    raise(refused(Some(&secret.name), session::with(|session| session.span(context))))
}

/// The first secret in a value, at any depth.
pub fn within(value: &Dynamic) -> Option<SmolStr> {
    if let Some(secret) = value.read_lock::<SecretRef>() {
        return Some(secret.name.clone());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().find_map(within);
    }
    value.read_lock::<Map>().and_then(|entries| entries.values().find_map(within))
}

/// Rhai asks for a secret's text, and would go on with any answer.
fn text(context: &NativeCallContext, secret: &SecretRef) -> String {
    session::with(|session| {
        let span = session.span(context);
        session.refused.get_or_insert_with(|| refused(Some(&secret.name), span));
        mark(session, &Value::Secret(secret.clone()))
    })
}

/// Registers whatever refuses.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<SecretRef>(TYPE);
    for op in BINARY {
        engine.register_fn(op, |c: NativeCallContext, s: SecretRef, _: Dynamic| -> Result<bool, Fault> {
            Err(fault(&c, &s))
        });
        engine.register_fn(op, |c: NativeCallContext, _: Dynamic, s: SecretRef| -> Result<bool, Fault> {
            Err(fault(&c, &s))
        });
        engine.register_fn(op, |c: NativeCallContext, s: SecretRef, _: SecretRef| -> Result<bool, Fault> {
            Err(fault(&c, &s))
        });
        // These have functions of their own, which would come first.
        macro_rules! other {
            ($($kind:ty),*) => {$(
                engine.register_fn(op, |c: NativeCallContext, _: $kind, s: SecretRef| -> Result<bool, Fault> {
                    Err(fault(&c, &s))
                });
                engine.register_fn(op, |c: NativeCallContext, s: SecretRef, _: $kind| -> Result<bool, Fault> {
                    Err(fault(&c, &s))
                });
            )*};
        }
        other!(ImmutableString, (), Pending, Step);
    }
    for op in ["!", "-", "print", "debug", "to_json", "len", "is_empty"] {
        engine.register_fn(op, |c: NativeCallContext, s: SecretRef| -> Result<bool, Fault> { Err(fault(&c, &s)) });
    }
    for op in ["to_string", "to_debug"] {
        engine.register_fn(op, |c: NativeCallContext, secret: &mut SecretRef| text(&c, secret));
    }
    engine.register_fn("to_json", |c: NativeCallContext, map: &mut Map| -> Result<String, Fault> {
        match map.values().find_map(within) {
            Some(name) => Err(raise(refused(Some(&name), session::with(|session| session.span(&c))))),
            None => Ok(rhai::format_map_as_json(map)),
        }
    });
    engine.register_indexer_get(|c: NativeCallContext, s: &mut SecretRef, _: &str| -> Result<Dynamic, Fault> {
        Err(fault(&c, s))
    });
    engine.register_indexer_get(|c: NativeCallContext, s: &mut SecretRef, _: i64| -> Result<Dynamic, Fault> {
        Err(fault(&c, s))
    });
    let mut module = Module::new();
    module.set_iter_result(TypeId::of::<SecretRef>(), |value| {
        let name = value.try_cast::<SecretRef>().map(|secret| secret.name);
        Box::new(std::iter::once(Err(raise(refused(name.as_deref(), Span::default())))))
    });
    engine.register_global_module(module.into());
}

/// Names of secrets in the functions and closures of a file, as far as they are written out: what such a function does
/// is known only when it is called, perhaps while the workflow runs.
pub fn named_in(ast: &AST) -> Vec<SmolStr> {
    let mut names: Vec<SmolStr> = Vec::new();
    ast.clone_functions_only().walk(&mut |nodes| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _))) = nodes.last()
            && call.name == "secret"
            && let [Expr::StringConstant(name, _)] = &call.args[..]
            && !names.iter().any(|known| known == name.as_str())
        {
            names.push(name.as_str().into());
        }
        true
    });
    names
}
