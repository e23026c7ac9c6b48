//! Removing old runs, and what then belongs to nothing.

use std::time::Duration;

use super::{Collected, Flow, Retention};
use crate::diag::Result;
use crate::engine::drive::now;
use crate::exec::forget_trees;
use crate::store::{GcOptions, InPassing};

/// How often old runs are removed where `flow.toml` asks for it, and how long that may take.
const IN_PASSING: InPassing = InPassing { every: Duration::from_secs(3600), most: Duration::from_millis(100) };

/// Which runs are kept. Nothing said of either: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gc {
    /// Those that ended less than so many milliseconds ago.
    pub keep_ms: Option<u64>,
    /// So many of the newest that are over.
    pub keep_runs: Option<u64>,
    /// Only say what would be removed.
    pub dry_run: bool,
}

impl From<&Retention> for Gc {
    fn from(retention: &Retention) -> Self {
        Gc { keep_ms: retention.keep_ms, keep_runs: retention.keep_runs, dry_run: false }
    }
}

impl Gc {
    /// Is anything said?
    pub fn is_said(&self) -> bool {
        self.keep_ms.is_some() || self.keep_runs.is_some()
    }

    fn options(&self, in_passing: Option<InPassing>) -> GcOptions {
        let since = self.keep_ms.map(|keep| now().saturating_sub(keep));
        GcOptions { since, newest: self.keep_runs, dry_run: self.dry_run, in_passing }
    }
}

impl Flow {
    /// Removes runs that are over and that neither rule keeps, with their logs, and what then belongs to nothing. Runs that
    /// are not over stay, and so do those that a process works on. Can be ended at any moment, and done again.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn gc(&self, gc: &Gc) -> Result<Collected> {
        let Some(store) = self.existing()? else { return Ok(Collected::default()) };
        if !gc.dry_run {
            // What a run's work trees left in repositories is found by way of its folder.
            let would = store.gc(&Gc { dry_run: true, ..*gc }.options(None))?.unwrap_or_default();
            would.runs.iter().for_each(|run| forget_trees(&store.run_folder(&run.run)));
        }
        Ok(store.gc(&gc.options(None))?.unwrap_or_default())
    }

    /// The same as `flow.toml` says, if it says `auto = true`: for somebody who has just had a run, whose result is out. At most
    /// once an hour, not for long, and quietly: what goes wrong is only traced.
    pub fn tidy(&self) {
        let Some(gc) =
            self.config().ok().filter(|config| config.retention.auto).map(|config| Gc::from(&config.retention))
        else {
            return;
        };
        if !gc.is_said() || !self.is_kept() {
            return;
        }
        let done = self.existing().and_then(|store| match store {
            Some(store) => store.gc(&gc.options(Some(IN_PASSING))),
            None => Ok(None),
        });
        match done {
            Ok(Some(done)) => tracing::debug!(runs = done.runs.len(), unfinished = done.unfinished, "old runs removed"),
            Ok(None) => {}
            Err(problem) => tracing::warn!(%problem, "old runs cannot be removed"),
        }
    }
}
