//! Following a run from outside, as `flow logs -f` does.

use std::thread;
use std::time::Duration;

use super::{Flow, Store};
use crate::diag::Result;
use crate::event::{Event, Record};

/// How often the log of another process is looked at. There is no other way to hear of it.
const LOOK: Duration = Duration::from_millis(100);

/// The events of a run that any process works on, from the first one on; ends when the run does, or when nobody works
/// on it any more.
pub struct Watch {
    store: Store,
    run: String,
    next: u64,
    batch: std::vec::IntoIter<Record>,
    over: bool,
    broken: bool,
}

impl Flow {
    /// Follows a run.
    ///
    /// # Errors
    /// `flow::run::unknown`.
    pub fn watch(&self, run: &str) -> Result<Watch> {
        let store = self.reader()?;
        let run = store.find(run)?;
        Ok(Watch { store: store.clone(), run, next: 0, batch: Vec::new().into_iter(), over: false, broken: false })
    }
}

impl Watch {
    /// Will there be further events, as far as can be told now?
    pub fn goes_on(&self) -> bool {
        !self.over && self.store.is_alive(&self.run)
    }

    /// The next event if it is there already.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn next_now(&mut self) -> Result<Option<Record>> {
        if self.batch.len() == 0 {
            self.batch = self.store.records(&self.run, self.next)?.into_iter();
        }
        let record = self.batch.next();
        if let Some(record) = &record {
            self.next = record.seq + 1;
            self.over = matches!(*record.event, Event::Ended { .. });
        }
        Ok(record)
    }
}

impl Iterator for Watch {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        loop {
            if self.broken {
                return None;
            }
            // Asked before the log is read: what its process wrote before it went is then seen.
            let alive = self.store.is_alive(&self.run);
            match self.next_now() {
                Ok(Some(record)) => return Some(Ok(record)),
                // What ended may have been taken up again since: only the latest event counts.
                Ok(None) if !alive || self.over => return None,
                Ok(None) => thread::sleep(LOOK),
                Err(error) => {
                    self.broken = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
