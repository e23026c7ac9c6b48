//! Ending a run from outside: one that another process works on, or one whose process is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};

use super::receipts::sign_end;
use super::start::opened;
use super::{Flow, Stop, resume};
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Record, RunStatus};
use crate::exec::end_run;
use crate::state::RunState;

impl Flow {
    /// Cancels a run. One that a process works on is told to end itself, which this does not wait for; one that nobody
    /// works on is over at once; gives what else there is to be told of its end.
    ///
    /// # Errors
    /// `flow::run::over` if it is at its end already; `flow::run::unknown`.
    pub fn cancel(&self, run: &str) -> Result<Option<Diagnostic>> {
        let run = self.find(run)?;
        let store = self.store()?.clone();
        if store.is_alive(&run) {
            return ask(&run, &store.run_folder(&run)).map(|()| None);
        }
        let (log, records) = store.reopen(&run)?;
        let mut state = RunState::of(&records);
        if state.status.is_final() {
            return Err(resume::over(&run, state.status).help("`flow show` shows what it did"));
        }
        end_run(&run);
        // What undoes a step is not part of the run until it is asked for.
        let open = |id: &crate::plan::StepId| !state.step(*id).status.is_final() && state.plan.undo_of(*id).is_none();
        let open = state.plan.ids().filter(open);
        let mut events = vec![opened(), Event::Stopping { reason: Stop::Cancelled }];
        events.extend(open.map(|step| Event::Cancelled { step }));
        events.push(Event::Ended { status: RunStatus::Cancelled });
        let at = crate::engine::drive::now();
        let first = state.events;
        events.iter().for_each(|event| state.apply(at, event));
        let records = (first..).zip(events).map(|(seq, event)| Record { seq, at, event: Arc::new(event) }).collect();
        log.append(records, |_| {});
        log.flush()?;
        let key = self.config().map(|config| config.receipts.key.as_deref());
        Ok(match key {
            Ok(key) => sign_end(&store, key, &run),
            Err(problem) => Some(problem.as_warning()),
        })
    }
}

fn request(folder: &Path) -> PathBuf {
    folder.join("cancel")
}

/// Was this run's process asked to cancel it?
pub(super) fn is_asked(folder: &Path) -> bool {
    request(folder).exists()
}

/// A request that an earlier process got is none for this one.
pub(super) fn forget(folder: &Path) {
    // It need not be there.
    let _ = std::fs::remove_file(request(folder));
}

/// Tells the process that works on a run: a file says what is wanted, a signal that there is something to be read.
fn ask(run: &str, folder: &Path) -> Result<()> {
    let failed = |error: String| {
        Diagnostic::new(
            "flow::run::busy",
            format!("the process that works on run `{run}` cannot be told to end: {error}"),
        )
        .help("end it by hand: `kill PID`, where the file `lock` in the run's folder has the PID")
    };
    let pid = std::fs::read_to_string(folder.join("lock")).map_err(|error| failed(error.to_string()))?;
    let pid =
        pid.trim().parse().ok().and_then(Pid::from_raw).ok_or_else(|| failed("its lock names no process".into()))?;
    std::fs::write(request(folder), "").map_err(|error| failed(error.to_string()))?;
    kill_process(pid, Signal::TERM).map_err(|error| failed(error.to_string()))
}
