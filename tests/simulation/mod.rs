//! Deterministic simulation: a random plan, run by the real driver and the real machine in a world that is made up.
//!
//! Everything follows from one seed: the plan, how things turn out, how long they take, what disturbs them (crashes, a
//! full disk, lost and repeated reports, jumps of the clock, cancellations). No process, no file, no waiting. After
//! everything that happens the [invariants](invariants::Invariant) are checked.

mod books;
mod dice;
mod disk;
mod draft;
mod fits;
pub mod invariants;
mod outside;
mod post;
mod process;
mod run;
mod temper;
mod trace;
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use flow::event::RunStatus;
use flow::plan::StepId;
use flow::state::{RunState, Seen, Status};

use self::dice::{Dice, mix};
use self::invariants::{Broken, Invariant};
use self::run::Run;
use self::temper::Temper;
use self::trace::{Tell, Trace};
use self::world::World;

/// What came of a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    /// How much happened.
    pub happened: u64,
    /// Events in the log.
    pub events: u64,
    /// Steps in the plan, at the end.
    pub steps: u64,
    /// Was the end compared with that of a run that nothing disturbed?
    pub compared: bool,
}

/// Plays the run of a seed, and checks all that must hold. `calm`: nothing disturbs it.
///
/// # Errors
/// The first invariant that does not.
pub fn play(seed: u64, calm: bool, trace: Option<Tell>) -> Result<Played, Broken> {
    watch_panics();
    PLAYING.set(true);
    let played = catch_unwind(AssertUnwindSafe(|| played(seed, calm, trace)));
    PLAYING.set(false);
    played.unwrap_or_else(|_| Err(Broken::new(Invariant::Sound, PANIC.take())))
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
    /// What the latest panic said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic in a run is told of with its seed, and not printed.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| match PLAYING.get() {
            true => PANIC.set(panic.to_string()),
            false => print(panic),
        }));
    });
}

fn played(seed: u64, calm: bool, trace: Option<Tell>) -> Result<Played, Broken> {
    let mut dice = Dice(mix(seed));
    let steps = if dice.one_in(5) { 1 + dice.below(8) } else { 12 + dice.below(12) };
    let script = draft::plan(&mut dice, steps as usize);
    let world = World { seed: dice.roll() };
    let temper = Temper::drawn(&mut dice);
    let undisturbed = || (Temper::calm(), Dice(mix(seed)));
    let (temper, dice) = if calm { undisturbed() } else { (temper, dice) };
    let mut run = Run::new(&script, world, temper, dice, Trace(trace));
    let happened = run.play();
    run.tell_plan();
    let happened = happened?;
    let books = run.books;
    let state = &books.committed;
    let (events, steps) = (state.events, state.plan.steps.len() as u64);
    let mut played = Played { happened, events, steps, compared: false };
    if !books.incomparable && !calm {
        let (temper, dice) = undisturbed();
        let mut calm = Run::new(&script, world, temper, dice, Trace(None));
        calm.play().map_err(|broken| Broken { what: format!("without any disturbance: {}", broken.what), ..broken })?;
        if !calm.books.incomparable {
            played.compared = true;
            compare(state, &calm.books.committed)?;
        }
    }
    Ok(played)
}

/// How a run ended, as far as that follows from its plan and from how things turned out.
fn compare(disturbed: &RunState, calm: &RunState) -> Result<(), Broken> {
    let (disturbed, calm) = (ends(disturbed), ends(calm));
    let different = |what: String| Err(Broken::new(Invariant::Undisturbed, what));
    if disturbed.0 != calm.0 {
        return different(format!("the run ended as {:?}, undisturbed it is {:?}", disturbed.0, calm.0));
    }
    for (path, end) in &calm.1 {
        if disturbed.1.get(path) != Some(end) {
            return different(format!("`{path}` ended as {:?}, undisturbed it is {end:?}", disturbed.1.get(path)));
        }
    }
    match disturbed.1.keys().find(|path| !calm.1.contains_key(*path)) {
        Some(path) => different(format!("there is `{path}`, which is not there without a disturbance")),
        None => Ok(()),
    }
}

type Ends = (RunStatus, BTreeMap<String, (Status, Seen, u32)>);

fn ends(state: &RunState) -> Ends {
    // Who is cut off by others is a matter of time.
    let hidden = |id: StepId| state.plan.stream_of(id).is_some() || books::in_quorum(state, id);
    let plan = &state.plan;
    let steps = plan.ids().filter(|id| !plan.step(*id).retired && !books::is_in_undo(state, *id) && !hidden(*id));
    let end = |id| (state.step(id).status, state.seen(id), state.step(id).failures);
    (state.status, steps.map(|id| (state.plan.path(id), end(id))).collect())
}
