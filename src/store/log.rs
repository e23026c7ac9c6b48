//! The log of a run that this process works on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::lock::RunLock;
use super::projection::Projection;
use super::writer::{Done, Job};
use super::{Store, chain, locked};
use crate::diag::{Diagnostic, Result};
use crate::event::Record;

/// The log of one run, to be appended to. Nobody else can write to it until this is dropped.
pub struct RunLog {
    pub(super) store: Store,
    /// Nothing only while this is dropped.
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) first: Record,
    pub(super) run: String,
    pub(super) folder: PathBuf,
}

/// What the log and the writer have in common. The run's lock goes when the last of them lets go.
pub(super) struct Shared {
    pub(super) run: String,
    pub(super) chain: Mutex<Chain>,
    pub(super) _lock: RunLock,
}

/// The end of the log, as the writer knows it.
pub(super) struct Chain {
    /// Of the run, in the table.
    pub(super) number: i64,
    /// Number of the next event.
    pub(super) next: u64,
    pub(super) head: chain::Hash,
    pub(super) projection: Projection,
    /// Something could not be written, so nothing after it can.
    pub(super) failed: Option<Diagnostic>,
}

impl RunLog {
    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The run's folder, for logs and large outputs. It exists.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The run's first event: [`crate::event::Event::Created`], with the id filled in.
    pub fn first(&self) -> &Record {
        &self.first
    }

    /// Queues records and returns at once. Their numbers must go on from those before, without gaps.
    ///
    /// `committed` is called when they are on disk (as far as the [`super::Durability`] promises), or cannot be; in
    /// the latter case every later append fails as well. It is called on the writer's thread, in the order of the
    /// appends, and must be short; it must not wait for the store.
    pub fn append(&self, records: Vec<Record>, committed: impl FnOnce(Result<()>) + Send + 'static) {
        let done = Done::new(committed);
        // A log is only made with a writer, and until it is dropped it has its `shared`.
        if let (Some(writer), Some(log)) = (self.store.inner.writer.get(), &self.shared) {
            writer.send(Job::Append { log: log.clone(), records, new: false, done });
        }
    }

    /// Waits until everything queued so far is committed.
    ///
    /// # Errors
    /// If something of this run could not be written.
    pub fn flush(&self) -> Result<()> {
        self.store.flush()?;
        match self.shared.as_ref().and_then(|shared| locked(&shared.chain).failed.clone()) {
            Some(diagnostic) => Err(diagnostic),
            None => Ok(()),
        }
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        // So that the lock is free when this returns. (Not possible in a `committed`; then it is soon afterwards.)
        self.shared.take();
        let _ = self.store.flush();
    }
}
