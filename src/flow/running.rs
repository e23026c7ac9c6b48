//! A run that goes on in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::script::Way;
use crate::diag::{Diagnostic, Result};
use crate::engine::bus::Subscription;
use crate::engine::drive::{Driving, Inbox};
use crate::event::{Log, Record, Stop};
use crate::state::{Files, RunState, Waits};
use crate::store::Store;

/// See the module's page. Dropping it does not stop the run.
pub struct Running {
    pub(super) run: String,
    pub(super) folder: PathBuf,
    pub(super) driving: Driving,
    pub(super) store: Store,
    pub(super) files: Arc<Folder>,
    /// What the script said when it failed after it had waited for a result.
    pub(super) problem: Arc<Mutex<Option<Diagnostic>>>,
    /// What went wrong at its end, though the run itself did not.
    pub(super) warnings: Arc<Mutex<Vec<Diagnostic>>>,
    pub(super) script_has_changed: bool,
}

impl Running {
    /// The run's id.
    pub fn id(&self) -> &str {
        &self.run
    }

    /// The folder of its logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All its events, from the first one on, as they are committed. Ends with the run.
    ///
    /// # Errors
    /// If those before now cannot be read.
    pub fn subscribe(&self) -> Result<Events> {
        let (next, live) = self.driving.bus().subscribe();
        let mut past = if next == 0 { Vec::new() } else { self.store.records(&self.run, 0)? };
        // What was committed since the subscription comes from there.
        past.truncate(next as usize);
        Ok(Events::new(past, live))
    }

    /// Stops it. `Interrupted`: nothing new starts, what runs may end; a second time, that is ended too. The run can be
    /// resumed. `Cancelled`: what runs is ended, and so is the run.
    pub fn stop(&self, reason: Stop) {
        self.driving.inbox().stop(reason);
    }

    /// Something may have come for a step that waits: it need not be found by chance.
    pub fn look(&self) {
        self.driving.inbox().look();
    }

    /// A step that asks for an answer will get none now (see [`super::Attended::ByAPerson`]).
    pub fn decline(&self, waits: &Waits) {
        self.driving.inbox().decline(waits.step, waits.attempt);
    }

    /// A way to stop it that can be given to other threads.
    pub fn stopper(&self) -> impl Fn(Stop) + Clone + Send + Sync + use<> {
        let inbox: Inbox = self.driving.inbox().clone();
        move |reason| inbox.stop(reason)
    }

    /// A way to stop it as SIGTERM would: it is interrupted, or cancelled if another process has asked for that, which is
    /// told.
    pub fn ender(&self) -> impl Fn() -> Stop + Send + use<> {
        let (inbox, folder) = (self.driving.inbox().clone(), self.folder.clone());
        move || {
            let reason = if super::cancel::is_asked(&folder) { Stop::Cancelled } else { Stop::Interrupted };
            inbox.stop(reason);
            reason
        }
    }

    /// Has the script changed since the run began (see [`super::ResumeOptions::script`])? The run goes on as it began.
    pub fn script_has_changed(&self) -> bool {
        self.script_has_changed
    }

    /// What the script itself failed with, after it had waited for a result with `run(…)`. The run fails with it.
    pub fn problem(&self) -> Option<Diagnostic> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its script needs of it.
    pub(super) fn way(&self) -> Way {
        Way { inbox: self.driving.inbox().clone(), problem: self.problem.clone(), files: self.files.clone() }
    }

    /// As [`Running::wait`], and gives also what [`Running::problem`] gives then.
    pub fn problem_at_end(self) -> (Result<RunState>, Option<Diagnostic>) {
        let problem = self.problem.clone();
        let state = self.driving.wait();
        let problem = problem.lock().unwrap_or_else(PoisonError::into_inner).take();
        (state, problem)
    }

    /// As [`Running::wait`], and gives what else there is to be told then: the run is not worth less for it.
    pub fn warnings_at_end(self) -> (Result<RunState>, Vec<Diagnostic>) {
        let warnings = self.warnings.clone();
        let state = self.driving.wait();
        let warnings = std::mem::take(&mut *warnings.lock().unwrap_or_else(PoisonError::into_inner));
        (state, warnings)
    }

    /// Waits until it is at its end, or let go of (interrupted). Gives its state then.
    ///
    /// # Errors
    /// If its log could not be written; everything was stopped then.
    pub fn wait(self) -> Result<RunState> {
        self.driving.wait()
    }
}

/// Events of a run, in order.
pub struct Events {
    past: std::vec::IntoIter<Record>,
    live: Subscription,
}

impl Events {
    pub(super) fn new(past: Vec<Record>, live: Subscription) -> Self {
        Events { past: past.into_iter(), live }
    }

    /// The next event, or nothing within this time.
    ///
    /// # Errors
    /// `Disconnected` when there will be none.
    pub fn next_within(
        &mut self,
        time: std::time::Duration,
    ) -> std::result::Result<Option<Record>, crossbeam_channel::RecvError> {
        if let Some(record) = self.past.next() {
            return Ok(Some(record));
        }
        match self.live.next_until(std::time::Instant::now() + time) {
            Ok(record) => Ok(Some(record)),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Ok(None),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Err(crossbeam_channel::RecvError),
        }
    }
}

impl Iterator for Events {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.past.next().or_else(|| self.live.next())
    }
}

/// Reads files below a run's folder.
pub(super) struct Folder(pub PathBuf);

impl Files for Folder {
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(&log.file))
    }
}
