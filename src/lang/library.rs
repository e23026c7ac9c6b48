//! Functions of the standard library as scripts call them: what they declare, and what is wrong with what they are given, has its place in the
//! script that calls them, not in the library.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, FnAccess, FnNamespace, FuncRegistration, Module, NativeCallContext, RhaiFunc};

use super::fault::{self, Fault, raise};
use super::program::File;
use super::session;
use crate::diag::Diagnostic;

/// Beginning of the names of its modules.
pub const PREFIX: &str = "std/";

/// The module whose functions are called without a name before them.
pub const NAMELESS: &str = "std/prelude";

/// The module that scripts get for one of the library, which was evaluated as `inner`.
pub fn module(file: &File, inner: Module) -> Module {
    let inner = Arc::new(inner);
    let mut outer = Module::new();
    outer.set_id(file.name.as_str());
    let namespace = if file.name == NAMELESS { FnNamespace::Global } else { FnNamespace::Internal };
    for function in file.ast.iter_functions().filter(|function| function.access == FnAccess::Public) {
        let (name, inner) = (function.name.to_owned(), inner.clone());
        let types = vec![TypeId::of::<Dynamic>(); function.params.len()];
        let call = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| match context {
            Some(context) => call(&context, &inner, &name, arguments),
            None => Ok(Dynamic::UNIT),
        };
        let call = RhaiFunc::Pure { func: Arc::new(call), has_context: true, is_pure: false, is_volatile: true };
        FuncRegistration::new(function.name).with_namespace(namespace).set_into_module_raw(&mut outer, types, call);
    }
    outer.build_index();
    outer
}

fn call(
    context: &NativeCallContext,
    inner: &Arc<Module>,
    name: &str,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Fault> {
    let within = context.call_source().is_some_and(|source| source.starts_with(PREFIX));
    let before = session::with(|session| {
        let before = session.caller;
        if !within {
            session.caller = Some(session.span(context));
        }
        before
    });
    let mut global = context.global_runtime_state().clone();
    global.lib.push(inner.clone());
    let own = NativeCallContext::new_with_all_fields(
        context.engine(),
        name,
        context.call_source(),
        &global,
        context.call_position(),
    );
    // Copies: the first one may be a variable of the caller.
    let mut values: Vec<Dynamic> = arguments.iter().map(|argument| argument.flatten_clone()).collect();
    let mut values: Vec<&mut Dynamic> = values.iter_mut().collect();
    let result = own.call_fn_raw(name, false, false, &mut values);
    let result = if within { result } else { result.map_err(at_the_call) };
    session::with(|session| session.caller = before);
    result
}

/// An error of the library, at the place where it was called.
pub fn at_the_call(error: Fault) -> Fault {
    let innermost = fault::innermost(&error);
    if matches!(innermost, EvalAltResult::ErrorTerminated(..)) {
        return error;
    }
    if let EvalAltResult::ErrorRuntime(value, _) = innermost
        && let Some(said) = value.read_lock::<rhai::Map>()
    {
        let text = |key: &str| said.get(key).map(ToString::to_string).unwrap_or_default();
        let place = session::with(|session| session.caller.unwrap_or_default());
        return raise(
            Diagnostic::new("flow::lang::option", text("message")).label(place, "called here").help(text("help")),
        );
    }
    raise(session::with(|session| fault::diagnose(&error, session)))
}
