//! A run that only happens in the head: the real machine and the real driver, doubles instead of processes, and a clock
//! that is moved by hand. An hour passes in no time, and the same run always goes the same way.
//!
//! - A round: the driver takes what is in its inbox and what is due, and says what is to be done.
//! - Closures are called at once. Attempts that would leave the process end as their doubles say, after the time that
//!   they are said to take.
//! - Nothing left to do now: the clock goes on to the next end of an attempt, or the next timer.
//! - Instead of doubles there may be an earlier run ([`Past`]): then each attempt ends as it did in that one, and its agents
//!   say again what they said.
//! - Nothing is to come either: the run is at its end, or waits for somebody who never answers.

mod again;
mod outside;
mod play;
mod stand_in;

use std::path::PathBuf;
use std::sync::Arc;

pub use self::again::{Happened, Past};
use self::play::Play;
use super::Message;
use crate::diag::{Diagnostic, Result};
use crate::event::{Created, Double, Event, Record};
use crate::exec::{Closures, InMemory};
use crate::plan::{Growth, Step, StepId};
use crate::state::{Files, RunState, StepResult};

/// When simulated runs begin: 2026-01-01, 00:00 UTC, in milliseconds since 1970.
pub const BEGIN: u64 = 1_767_225_600_000;

/// Most steps at the same time, where the script says nothing: it is not to depend on the machine.
const PARALLEL: u32 = 4;

/// What a run is simulated with.
pub struct Scene {
    /// The script's closures.
    pub closures: Arc<dyn Closures>,
    /// How attempts end. Of several that fit a step the last one counts.
    pub doubles: Vec<Double>,
    /// Is a process without a double an error? Otherwise it succeeds without output.
    pub strict: bool,
    /// What became of the steps of an earlier run: it stands for the world, and doubles are not asked.
    pub past: Option<Arc<dyn Past>>,
    /// Does the time really pass that steps take?
    pub timing: bool,
    /// When the run begins, in milliseconds since 1970.
    pub begins_at: u64,
    /// Where what answers again in place of agents leaves its files.
    pub folder: PathBuf,
    /// What the run is called, and with which parameters.
    pub created: Created,
    /// Is it time to give up?
    pub late: Box<dyn Fn() -> bool + Send>,
}

/// What came of a simulation.
pub struct Ended {
    /// The state at its end.
    pub state: RunState,
    /// Its log.
    pub records: Vec<Record>,
    /// What its steps are said to have printed.
    pub files: Arc<dyn Files>,
    /// Which of the doubles stand for steps of the run.
    pub met: Vec<bool>,
    /// Steps that the earlier run did not have, or had with nothing to tell, and that would have left the process.
    pub unknown: Vec<StepId>,
}

/// See the module's page.
pub struct Simulation {
    scene: Scene,
    files: Arc<InMemory>,
    play: Option<Play>,
}

impl Scene {
    /// Nothing is said of anything.
    pub fn new(closures: Arc<dyn Closures>) -> Self {
        Scene {
            closures,
            doubles: Vec::new(),
            strict: false,
            past: None,
            timing: false,
            begins_at: BEGIN,
            folder: PathBuf::new(),
            created: Created::default(),
            late: Box::new(|| false),
        }
    }
}

impl Simulation {
    /// A simulation that begins with the first piece of a plan.
    pub fn new(scene: Scene) -> Self {
        let below = scene.past.as_ref().map(|past| past.files());
        let files = Arc::new(InMemory::above(&scene.folder, below));
        Simulation { scene, files, play: None }
    }

    /// Has it begun?
    pub fn has_begun(&self) -> bool {
        self.play.is_some()
    }

    /// The files of the run.
    pub fn files(&self) -> Arc<dyn Files> {
        self.files.clone()
    }

    /// The script added to its plan, and printed this meanwhile.
    pub fn grow(&mut self, growth: Growth, printed: String) {
        match &self.play {
            Some(play) => {
                play.note(printed);
                play.inbox.grow(growth);
            }
            None => self.play = Some(Play::begin(&self.scene, &self.files, growth, printed)),
        }
    }

    /// The script went wrong after the run had begun: the run fails by this step.
    pub fn fail_script(&mut self, step: Step, printed: String) {
        if let Some(play) = &self.play {
            play.note(printed);
            play.inbox.fail_script(step);
        }
    }

    /// Lets the run go on until these steps are final, and gives their results. Nothing: the run came to its end before.
    ///
    /// # Errors
    /// As [`Simulation::finish`].
    pub fn want(&mut self, steps: &[StepId]) -> Result<Option<Vec<Arc<StepResult>>>> {
        let Some(play) = &mut self.play else { return Ok(None) };
        let ask = |step: &StepId| {
            let (reply, result) = crossbeam_channel::bounded(1);
            play.inbox.send(Message::Want(*step, reply));
            result
        };
        let asked: Vec<_> = steps.iter().map(ask).collect();
        loop {
            play.round(&self.scene)?;
            if asked.iter().all(|result| !result.is_empty()) {
                return Ok(asked.into_iter().map(|result| result.try_recv().ok()).collect());
            }
            if !play.go_on() {
                return Ok(None);
            }
        }
    }

    /// Lets the run come to its end. One that waits for what never comes is paused then.
    ///
    /// # Errors
    /// `flow::test::double` if something is wrong with a double; `flow::test::endless` if it is time to give up.
    pub fn finish(mut self) -> Result<Ended> {
        let Some(mut play) = self.play.take() else {
            return Err(Diagnostic::new("flow::run::driver", "the simulation has not begun")
                .help("this is a mistake in flow; please report it"));
        };
        loop {
            play.round(&self.scene)?;
            if play.driver.is_done() || !play.go_on() {
                break;
            }
        }
        play.look_at_plan();
        let met = play.met(&self.scene);
        let Play { driver, log, passed, unknown, .. } = play;
        let mut records = std::mem::take(&mut *log.records());
        let mut state = driver.state().clone();
        if !state.status.is_final() {
            let event = Arc::new(Event::Paused);
            let at = self.scene.begins_at + passed.as_millis() as u64;
            state.apply(at, &event);
            records.push(Record { seq: records.len() as u64, at, event });
        }
        Ok(Ended { state, records, files: self.files, met, unknown })
    }
}
