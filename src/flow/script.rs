//! The script's own thread: it evaluates the script, which may wait for results of steps with `run(…)`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::running::{Events, Running};
use crate::diag::{Diagnostic, Result};
use crate::engine::drive::Inbox;
use crate::event::{Event, Stop};
use crate::lang::{Built, Program, Runner};
use crate::plan::{Growth, Step, StepId, Task, Value};
use crate::state::{Files, StepResult};

/// Begins a run, with the first piece of its plan and what the script printed so far.
pub(super) type Begin = Box<dyn FnOnce(Growth, String) -> Result<(Running, Events)> + Send>;

/// Evaluates the script of a new run and gives the run when it has begun: with the whole plan, or with the first piece
/// if the script waits for a result. So a script that is wrong leaves no run.
///
/// # Errors
/// What is wrong with the script, or why the run could not begin.
pub(super) fn begin(
    program: Program,
    args: Vec<(String, String)>,
    open: bool,
    begin: Begin,
) -> Result<(Running, Events)> {
    let (tell, told) = crossbeam_channel::bounded(1);
    evaluate(program, args, Phase::New(begin, tell), 0, open)?;
    told.recv().unwrap_or_else(|_| {
        Err(Diagnostic::new("flow::run::driver", "the thread that evaluates the script has ended without a result")
            .help("this is a mistake in flow; please report it"))
    })
}

/// As [`begin`], where `script` evaluates it on this thread.
///
/// # Errors
/// As [`begin`].
pub(super) fn begin_here(
    script: impl FnOnce(Box<dyn Runner>) -> (Result<Built>, String),
    begin: Begin,
) -> Result<(Running, Events)> {
    let (tell, told) = crossbeam_channel::bounded(1);
    let shared =
        Arc::new(Shared { phase: Mutex::new(Phase::New(begin, tell)), known: AtomicUsize::new(0), open: false });
    shared.end(script(Box::new(WaitingScript(shared.clone()))));
    told.recv().unwrap_or_else(|_| Err(stopped()))
}

/// Evaluates the script of a run again that goes on, because it had not come to its end. `printed`: how many bytes of what
/// it prints are in the log.
///
/// # Errors
/// If there is no thread to be had.
pub(super) fn go_on(program: Program, args: Vec<(String, String)>, open: bool, way: Way, printed: usize) -> Result<()> {
    evaluate(program, args, Phase::Begun(way), printed, open)
}

/// What a script that is being evaluated needs of its run.
#[derive(Clone)]
pub(super) struct Way {
    /// The way to the driver.
    pub inbox: Inbox,
    /// Where it is noted what the script failed with.
    pub problem: Arc<Mutex<Option<Diagnostic>>>,
    /// The run's files.
    pub files: Arc<dyn Files>,
}

enum Phase {
    New(Begin, crossbeam_channel::Sender<Result<(Running, Events)>>),
    Begun(Way),
    /// The run did not begin, and whoever wanted it knows.
    Over,
}

fn evaluate(program: Program, args: Vec<(String, String)>, phase: Phase, printed: usize, open: bool) -> Result<()> {
    let shared = Arc::new(Shared { phase: Mutex::new(phase), known: AtomicUsize::new(printed), open });
    let script = move || {
        let runner = WaitingScript(shared.clone());
        shared.end(program.build_and_tell(&args, Some(Box::new(runner))));
    };
    thread::Builder::new().name("flow-build".into()).spawn(script).map(|_| ()).map_err(|error| {
        Diagnostic::new("flow::run::driver", format!("the script cannot be evaluated: {error}"))
            .help("the system refuses another thread; fewer processes or a higher `ulimit -u` may help")
    })
}

struct Shared {
    phase: Mutex<Phase>,
    /// How many bytes of what the script will print were printed by an earlier process already.
    known: AtomicUsize,
    /// More will come to the script (see [`super::RunOptions::open`]).
    open: bool,
}

impl Shared {
    /// Is more to come to the script of a run that has begun?
    fn is_to_go_on(&self) -> bool {
        self.open && matches!(*self.phase(), Phase::Begun(_))
    }

    /// The script is at its end for now: what it has not asked for with `run(…)` waits.
    fn let_go(&self, printed: String) {
        let printed = self.news(printed);
        if let Phase::Begun(way) = std::mem::replace(&mut *self.phase(), Phase::Over) {
            note(&way, printed);
            way.inbox.stop(Stop::Interrupted);
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script has been evaluated.
    fn end(&self, (built, printed): (Result<Built>, String)) {
        match built {
            Ok(_) if self.is_to_go_on() => self.let_go(printed),
            Ok(built) => drop(self.grow(built.growth, printed)),
            Err(problem) => self.failed(problem, printed),
        }
    }

    /// What of a printed text is new. (An evaluation prints the same as the one before.)
    fn news(&self, mut printed: String) -> String {
        let known = self.known.load(Ordering::Relaxed).min(printed.len());
        self.known.fetch_sub(known, Ordering::Relaxed);
        match printed.is_char_boundary(known) {
            true => printed.split_off(known),
            false => printed,
        }
    }

    /// Hands a piece of the plan over; the first one begins the run. Nothing: there is no run.
    fn grow(&self, growth: Growth, printed: String) -> Option<Way> {
        let printed = self.news(printed);
        let mut phase = self.phase();
        match std::mem::replace(&mut *phase, Phase::Over) {
            Phase::New(begin, tell) => {
                let begun = begin(growth, printed);
                if let Ok((running, _)) = &begun {
                    let way = running.way();
                    way.inbox.begin();
                    *phase = Phase::Begun(way);
                }
                // Nobody waits if the embedding program is about to end.
                let _ = tell.send(begun);
            }
            Phase::Begun(way) => {
                note(&way, printed);
                way.inbox.grow(growth);
                *phase = Phase::Begun(way);
            }
            Phase::Over => {}
        }
        match &*phase {
            Phase::Begun(way) => Some(way.clone()),
            Phase::New(..) | Phase::Over => None,
        }
    }

    /// The script went wrong. If its run has begun already, the run fails, by a step that says so.
    fn failed(&self, problem: Diagnostic, printed: String) {
        let printed = self.news(printed);
        match std::mem::replace(&mut *self.phase(), Phase::Over) {
            Phase::New(_, tell) => drop(tell.send(Err(problem.with_printed(printed)))),
            Phase::Begun(way) if problem.code() != STOPPED => {
                note(&way, printed);
                *way.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.clone());
                match self.open {
                    true => way.inbox.stop(Stop::Interrupted),
                    false => way.inbox.fail_script(failing_step(&problem)),
                }
            }
            Phase::Begun(_) | Phase::Over => {}
        }
    }
}

/// Keeps what the script printed.
fn note(way: &Way, printed: String) {
    if !printed.is_empty() {
        way.inbox.note(Event::Printed { text: printed });
    }
}

/// The step by which a run fails whose script does. No step of a script can have its name.
pub(super) fn failing_step(problem: &Diagnostic) -> Step {
    Step::new("(script)", Task::Fail(Value::Plain(problem.message().into())), problem.span().unwrap_or_default())
}

pub(super) const STOPPED: &str = "flow::run::stopped";

pub(super) fn stopped() -> Diagnostic {
    Diagnostic::new(STOPPED, "the run ended before the script had the result it waited for")
        .help("`flow resume` takes it up again, if it was not cancelled")
}

/// `run(step)` in a script.
struct WaitingScript(Arc<Shared>);

impl Runner for WaitingScript {
    fn run(&mut self, growth: Growth, printed: String, steps: &[StepId]) -> Result<Vec<Arc<StepResult>>> {
        let way = self.0.grow(growth, printed).ok_or_else(stopped)?;
        way.inbox.want(steps).ok_or_else(stopped)
    }

    fn files(&self) -> Arc<dyn Files> {
        match &*self.0.phase() {
            Phase::Begun(way) => way.files.clone(),
            Phase::New(..) | Phase::Over => Arc::new(super::running::Folder("".into())),
        }
    }
}
