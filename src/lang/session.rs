//! What a script's functions work on while they are called: the builder, the results known so far, what was read.
//!
//! Host functions are plain functions (that is how they get their documentation and their place in the reference), so
//! the session they belong to is kept per thread. [`Session::enter`] is the only way in, and it always ends.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rhai::{FnPtr, NativeCallContext, NativeCallContextStore, Position};
use smol_str::SmolStr;

use super::library::PREFIX;
use super::swarm::{Draft, Load};
use super::trial::Trial;
use super::{Program, Runner};
use crate::diag::{Diagnostic, Span};
use crate::event::Saw;
use crate::plan::{Builder, StepId, Value};
use crate::state::{Inputs, StepResult};

/// Why a script is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To make a plan, with or without a [`Runner`].
    Build,
    /// To learn its parameters; required ones may be missing.
    Describe,
    /// A closure is called while the plan runs.
    Call,
    /// A test of a workflow is made.
    Test,
}

/// A script within a script (`workflow(…)`), or the script itself.
#[derive(Debug, Default)]
pub struct Frame {
    /// Arguments given to it that no `param` has asked for yet.
    pub args: Vec<(String, rhai::Dynamic)>,
    /// Is it a sub-workflow?
    pub nested: bool,
}

/// See the module's page.
pub struct Session {
    pub program: Program,
    pub purpose: Purpose,
    pub builder: Option<Builder>,
    pub known: Option<Inputs>,
    pub saw: Vec<Saw>,
    /// Values that stand in texts as marks.
    pub marks: Vec<Value>,
    /// Texts of results that the script holds as plain values (see `untrusted`).
    pub untrusted: Vec<String>,
    /// A secret was made text of, and what that text was is of no use to anybody.
    pub refused: Option<Diagnostic>,
    pub printed: String,
    /// How many bytes were printed in all.
    pub printed_bytes: usize,
    pub frames: Vec<Frame>,
    pub commands: HashMap<SmolStr, FnPtr>,
    /// The agents that the script declares, by name.
    pub agents: BTreeMap<SmolStr, Arc<crate::plan::Agent>>,
    /// Agents that stand in files and are known by name, once they have been looked for.
    pub found: Option<Arc<Vec<super::agents::Found>>>,
    /// How often each agent was asked without a name for the step.
    pub asked: HashMap<SmolStr, u32>,
    pub runner: Option<Box<dyn Runner>>,
    /// Modules loaded so far, by name, and those being loaded.
    pub modules: HashMap<String, Arc<rhai::Module>>,
    pub loading: Vec<String>,
    /// Swarms whose steps are still to be made.
    pub swarms: Vec<Draft>,
    /// How often the workers of pools were asked.
    pub load: Load,
    /// Pools, with where they were declared.
    pub pools: HashMap<String, Span>,
    /// Limits that were named: are their shares sizes, and where was that said first?
    pub shares: HashMap<String, (bool, Span)>,
    /// Where the script calls a function of the standard library, while it does.
    pub caller: Option<Span>,
    /// Keys of the maps that the script had when it went wrong.
    pub keys: Vec<String>,
    /// Set by `__context()`.
    pub context: Option<NativeCallContextStore>,
    /// Where a plan without a runner came to its end.
    pub stopped_at: Option<Span>,
    /// Evaluation must end by then, if it makes a plan.
    pub deadline: Option<Instant>,
    /// The test that is being made.
    pub trial: Option<Box<Trial>>,
}

/// Longest evaluation of a script or a closure that builds steps.
pub const DEADLINE: Duration = Duration::from_secs(60);

thread_local! {
    static SESSION: RefCell<Option<Box<Session>>> = const { RefCell::new(None) };
    static INTERRUPT: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
    static LIMIT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work` so that every script evaluated in it ends soon after `deadline`, whatever it is evaluated for.
pub fn until<T>(deadline: Instant, work: impl FnOnce() -> T) -> T {
    let before = LIMIT.replace(Some(deadline));
    let result = work();
    LIMIT.set(before);
    result
}

/// When scripts of this thread must end.
pub fn limit() -> Option<Instant> {
    LIMIT.get()
}

/// The same on another thread that works for this one.
pub fn limit_to(deadline: Option<Instant>) {
    LIMIT.set(deadline);
}

/// Runs `work` so that scripts evaluated in it end soon after `stop` becomes true.
pub fn interruptible<T>(stop: Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    INTERRUPT.with_borrow_mut(|slot| *slot = Some(stop));
    let result = work();
    INTERRUPT.with_borrow_mut(|slot| *slot = None);
    result
}

/// The same for one call among very many: what ends it is handed in and out again.
pub fn interruptible_by<T>(stop: &mut Option<Arc<AtomicBool>>, work: impl FnOnce() -> T) -> T {
    INTERRUPT.with_borrow_mut(|slot| std::mem::swap(slot, stop));
    let result = work();
    INTERRUPT.with_borrow_mut(|slot| std::mem::swap(slot, stop));
    result
}

/// What ends the scripts of this thread, to be handed to another thread that evaluates for it.
pub fn interrupt() -> Option<Arc<AtomicBool>> {
    INTERRUPT.with_borrow(Clone::clone)
}

/// As [`interruptible`], for a thread that ends with its script.
pub fn set_interrupt(stop: Option<Arc<AtomicBool>>) {
    INTERRUPT.with_borrow_mut(|slot| *slot = stop);
}

/// Is it time for the script of this thread to end?
pub fn must_end() -> Option<&'static str> {
    let interrupted =
        INTERRUPT.with_borrow(|slot| slot.as_ref().is_some_and(|stop| stop.load(std::sync::atomic::Ordering::Relaxed)));
    if interrupted {
        return Some("interrupted");
    }
    if limit().is_some_and(|deadline| Instant::now() > deadline) {
        return Some("deadline");
    }
    let late = SESSION.with_borrow(|slot| {
        slot.as_ref().is_some_and(|session| session.deadline.is_some_and(|deadline| Instant::now() > deadline))
    });
    late.then_some("deadline")
}

impl Session {
    pub fn new(program: &Program, purpose: Purpose) -> Box<Self> {
        Box::new(Session {
            program: program.clone(),
            purpose,
            builder: None,
            known: None,
            saw: Vec::new(),
            marks: Vec::new(),
            untrusted: Vec::new(),
            refused: None,
            printed: String::new(),
            printed_bytes: 0,
            frames: Vec::new(),
            commands: HashMap::new(),
            agents: BTreeMap::new(),
            found: None,
            asked: HashMap::new(),
            runner: None,
            modules: HashMap::new(),
            loading: Vec::new(),
            swarms: Vec::new(),
            load: Load::default(),
            pools: HashMap::new(),
            shares: HashMap::new(),
            caller: None,
            keys: Vec::new(),
            context: None,
            stopped_at: None,
            deadline: (purpose != Purpose::Call).then(|| Instant::now() + DEADLINE),
            trial: None,
        })
    }

    /// Makes this the session of the thread while `work` runs. Sessions may be nested.
    pub fn enter<T>(self: Box<Self>, work: impl FnOnce() -> T) -> (T, Box<Session>) {
        struct Outer(Option<Box<Session>>);
        impl Drop for Outer {
            fn drop(&mut self) {
                // Also after a panic, so that the next script on this thread does not see this one.
                SESSION.with_borrow_mut(|slot| *slot = self.0.take());
            }
        }
        let outer = Outer(SESSION.with_borrow_mut(|slot| slot.replace(self)));
        let result = work();
        let session = SESSION.with_borrow_mut(Option::take).expect("a session ends only in `enter`");
        drop(outer);
        (result, session)
    }

    /// What was printed since this was asked. Then as much may be printed again.
    pub fn take_printed(&mut self) -> String {
        if self.printed.is_empty() {
            return String::new();
        }
        self.printed_bytes = 0;
        std::mem::take(&mut self.printed)
    }

    /// The result of a step, if it is known in this session.
    pub fn known(&self, step: StepId) -> Option<&Arc<StepResult>> {
        self.known.as_ref().and_then(|known| known.get(step))
    }

    /// A place in the program, from a call.
    pub fn span(&self, context: &NativeCallContext) -> Span {
        self.span_at(context.call_source(), context.call_position())
    }

    /// A place in the program; one in the standard library is that of its caller.
    pub fn span_at(&self, source: Option<&str>, position: Position) -> Span {
        if let Some(caller) = self.caller.filter(|_| source.is_some_and(|name| name.starts_with(PREFIX))) {
            return caller;
        }
        let file = source.map_or(0, |name| self.program.file_index(name));
        Span {
            file,
            line: position.line().unwrap_or(0) as u32,
            column: position.position().unwrap_or(1).min(u16::MAX as usize) as u16,
        }
    }
}

/// Works on the session of this thread.
pub fn with<T>(work: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with_borrow_mut(|slot| work(slot.as_mut().expect("host functions are called only within a session")))
}

/// Works on the session's builder; an error where nothing can be declared.
pub fn build<T>(
    context: &NativeCallContext,
    work: impl FnOnce(&mut Builder, Span) -> Result<T, Diagnostic>,
) -> Result<T, super::fault::Fault> {
    with(|session| {
        let span = session.span(context);
        if let Some(refused) = &session.refused {
            return Err(refused.clone());
        }
        match session.builder.as_mut() {
            Some(builder) => work(builder, span),
            None if session.purpose == Purpose::Test => Err(Diagnostic::new(
                "flow::lang::not_building",
                format!("`{}` declares something, but a test only says what is to be tried", context.fn_name()),
            )
            .label(span, "in a test")
            .help("declare the steps of a workflow in a closure: `simulate(|| { sh(\"build\", \"make\"); })`")),
            None => Err(Diagnostic::new(
                "flow::lang::not_building",
                format!("`{}` declares something, but the plan is made already", context.fn_name()),
            )
            .label(span, "called while the plan runs")
            .help("steps are declared by the script itself or by the closure of `each` and `repeat`; a closure of `call` or a condition only computes")),
        }
    })
    .map_err(super::fault::raise)
}
