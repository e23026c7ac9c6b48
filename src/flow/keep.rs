//! What is kept from run to run, as the executors of a run ask for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::drive::{Committed, Journal};
use crate::event::{Event, Failure, FailureKind, Record};
use crate::exec::{Breakers, Memories, Results};
use crate::plan::{Json, StepId};
use crate::state::breaker::{Admission, Passer};
use crate::state::cached::{Entry, Stamp};
use crate::store::{RunLog, Store};

/// The store, as one run sees it.
pub(super) struct Shared {
    store: Store,
    /// The run's id.
    run: String,
    /// The name of its workflow.
    workflow: String,
    /// Results that are to be kept when it is committed that their steps ended well.
    offered: Mutex<HashMap<(StepId, u32), Entry>>,
}

impl Shared {
    pub fn new(store: Store, run: &str, workflow: &str) -> Self {
        Shared { store, run: run.to_owned(), workflow: workflow.to_owned(), offered: Mutex::default() }
    }

    fn offered(&self) -> MutexGuard<'_, HashMap<(StepId, u32), Entry>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The results of those attempts that end well with these records.
    fn made(&self, records: &[Record]) -> Vec<Entry> {
        let mut made = Vec::new();
        for record in records {
            let (Event::Finished { step, attempt, outcome } | Event::Retrying { step, attempt, outcome, .. }) =
                &*record.event
            else {
                continue;
            };
            if outcome.cache.as_ref().is_some_and(|cache| !cache.hit)
                && let Some(entry) = self.offered().remove(&(*step, *attempt))
                && outcome.error.is_none()
            {
                made.push(Entry { at: record.at, used_at: record.at, ..entry });
            }
        }
        made
    }
}

impl Breakers for Shared {
    fn admit(&self, breaker: &str, step: StepId, attempt: u32) -> Admission {
        let who = Passer { run: self.run.clone(), step: step.0, attempt };
        self.store.admit(breaker, &who).unwrap_or_else(|problem| {
            // If the store is lost so is the run; a breaker need not be what says so.
            tracing::warn!(breaker, %problem, "what is known of the breaker cannot be read");
            Admission::Go
        })
    }
}

impl Memories for Shared {
    fn recall(&self, name: &str, ttl_ms: Option<u64>) -> std::result::Result<Vec<(String, Json)>, Failure> {
        let known = self.store.memory(Some(name), ttl_ms).map_err(|problem| {
            Failure::new(FailureKind::Store, format!("the memory `{name}` cannot be read: {}", problem.message()))
        })?;
        Ok(known.into_iter().map(|note| (note.key, note.value)).collect())
    }
}

impl Results for Shared {
    fn find(&self, key: &str) -> Option<Entry> {
        self.store.cached(key).ok().flatten()
    }

    fn latest(&self, step: &str) -> Option<Vec<(String, String)>> {
        self.store.latest_cached(&self.workflow, step).ok().flatten()
    }

    fn hashes(&self, files: &[&Stamp]) -> Vec<Option<String>> {
        self.store.file_hashes(files).unwrap_or_else(|_| vec![None; files.len()])
    }

    fn hashed(&self, files: Vec<(Stamp, String)>) {
        self.store.keep_hashes(files);
    }

    fn forget(&self, keys: &[String]) {
        self.store.forget_keys(keys.to_vec());
    }

    fn used(&self, entry: &Entry) {
        self.store.used_result(entry);
    }

    fn offer(&self, step: StepId, attempt: u32, entry: Entry) {
        self.offered().insert((step, attempt), entry);
    }

    fn folder(&self, key: &str) -> PathBuf {
        self.store.result_folder(key)
    }
}

/// The log of a run: results are kept once the events are committed that say how their steps ended.
pub(super) struct Keeping {
    pub log: RunLog,
    pub shared: Arc<Shared>,
}

impl Journal for Keeping {
    fn append(&self, records: Vec<Record>, committed: Committed) {
        let made = self.shared.made(&records);
        if made.is_empty() {
            return self.log.append(records, committed);
        }
        let shared = self.shared.clone();
        self.log.append(records, move |result| {
            if result.is_ok() {
                shared.store.keep_results(&shared.workflow, made);
            }
            committed(result);
        });
    }
}
