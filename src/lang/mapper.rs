//! A closure that is called for one item after the other.
//!
//! What every call needs is made once: the session, the captured values, the state of the evaluation and the functions
//! that it has found. So a call costs little more than what the closure itself does.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rhai::{Array, Caches, Dynamic, Engine, EvalContext, FnArgsVec, GlobalRuntimeState, Map, Scope};
use smol_str::SmolStr;

use super::closures;
use super::fault;
use super::item::{Item, Mapper};
use super::program::Program;
use super::session::{self, Purpose, Session};
use crate::diag::Span;
use crate::event::Failure;
use crate::plan::Closure;
use crate::state::Inputs;

/// See the module's page.
struct Calls {
    engine: Arc<Engine>,
    function: SmolStr,
    span: Span,
    session: Option<Box<Session>>,
    /// The state in which each call begins.
    fresh: GlobalRuntimeState,
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    captured: Vec<Dynamic>,
    /// Does it take the item?
    takes: bool,
    stop: Option<Arc<AtomicBool>>,
}

impl Program {
    /// The closure, ready to be called for many items by one thread. It ends soon after `stop` becomes true.
    ///
    /// # Errors
    /// The closure is not in the script, or a value that it captured cannot be read.
    pub fn mapper(
        &self,
        closure: &Closure,
        inputs: &Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn Mapper>, Failure> {
        let mut session = Session::new(self, Purpose::Call);
        let mut captured = closures::arguments(&session, closure, vec![Dynamic::UNIT], inputs)?;
        let takes = captured.len() > closure.captured.len();
        captured.truncate(closure.captured.len());
        // A list or a map is looked at where it is, and not copied for each item.
        let captured = captured.into_iter().map(|value| match value.is::<Array>() || value.is::<Map>() {
            true => value.into_shared(),
            false => value,
        });
        session.known = Some(inputs.clone());
        let fresh = self.evaluation(&closure.function).ok_or_else(|| closures::lost(closure))?;
        Ok(Box::new(Calls {
            engine: self.0.engine.clone(),
            function: closure.function.clone(),
            span: closure.span,
            session: Some(session),
            global: fresh.clone(),
            fresh,
            caches: Caches::new(),
            scope: Scope::new(),
            captured: captured.collect(),
            takes,
            stop: Some(stop.clone()),
        }))
    }
}

impl Mapper for Calls {
    fn call(&mut self, item: Item) -> Result<Item, Failure> {
        let Some(session) = self.session.take() else {
            return Err(Failure::new(crate::event::FailureKind::Script, "a call of the closure came to no end")
                .help("this is a mistake in flow; please report it"));
        };
        let mut values: FnArgsVec<Dynamic> = self.captured.iter().cloned().collect();
        if self.takes {
            values.push(item.0);
        }
        // Counted for each call: a bound for a single one is not one for millions of them.
        self.global.num_operations = Default::default();
        let (engine, global, caches, scope) = (&*self.engine, &mut self.global, &mut self.caches, &mut self.scope);
        let function = self.function.as_str();
        let (result, mut session) = session.enter(|| {
            session::interruptible_by(&mut self.stop, || {
                let mut arguments: FnArgsVec<&mut Dynamic> = values.iter_mut().collect();
                EvalContext::new(engine, global, caches, scope, None).call_fn_raw(
                    function,
                    false,
                    false,
                    &mut arguments,
                )
            })
        });
        session.saw.clear();
        let refused = session.refused.take();
        let result = match (result, refused) {
            (_, Some(problem)) => Err(super::call::as_failure(problem, self.span)),
            (Ok(value), None) => Ok(Item(value.flatten())),
            (Err(problem), None) => {
                // Whatever it has left open.
                self.global = self.fresh.clone();
                self.caches = Caches::new();
                self.scope.clear();
                Err(fault::failure(&problem, &session))
            }
        };
        self.session = Some(session);
        result
    }

    fn take_printed(&mut self) -> String {
        self.session.as_mut().map(|session| session.take_printed()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
