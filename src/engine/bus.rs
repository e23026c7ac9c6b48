//! The bus: committed events, to everybody who listens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::event::Record;

/// Carries committed events to subscribers. Nothing is lost: each has a queue of its own, without bounds.
#[derive(Clone, Default)]
pub struct Bus(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    subscribers: Vec<Sender<Arc<[Record]>>>,
    next: u64,
    closed: bool,
}

impl Bus {
    /// A bus whose next event has this number.
    pub fn starting_at(next: u64) -> Self {
        Bus(Arc::new(Mutex::new(Inner { next, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of events, in order. They are committed already.
    pub(super) fn publish(&self, records: Vec<Record>) {
        let mut inner = self.inner();
        if let Some(last) = records.last() {
            inner.next = last.seq + 1;
        }
        if !inner.subscribers.is_empty() {
            let records: Arc<[Record]> = records.into();
            inner.subscribers.retain(|subscriber| subscriber.send(records.clone()).is_ok());
        }
    }

    /// There will be no more events.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.subscribers.clear();
    }

    /// All events from now on, and the number of the first of them: those before it are in the log.
    pub fn subscribe(&self) -> (u64, Subscription) {
        let (send, receive) = unbounded();
        let mut inner = self.inner();
        if !inner.closed {
            inner.subscribers.push(send);
        }
        (inner.next, Subscription { batches: receive, at: None })
    }
}

/// Events in order, as they are committed; ends when the run is let go of.
pub struct Subscription {
    batches: Receiver<Arc<[Record]>>,
    at: Option<(Arc<[Record]>, usize)>,
}

impl Subscription {
    /// The next event, waiting until the deadline at most. Nothing: there is none yet, or will be none.
    pub fn next_until(&mut self, deadline: std::time::Instant) -> Result<Record, crossbeam_channel::RecvTimeoutError> {
        loop {
            if let Some(record) = self.queued() {
                return Ok(record);
            }
            self.at = Some((self.batches.recv_deadline(deadline)?, 0));
        }
    }

    fn queued(&mut self) -> Option<Record> {
        let (batch, place) = self.at.as_mut()?;
        let record = batch.get(*place).cloned();
        *place += 1;
        record
    }
}

impl Iterator for Subscription {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.queued() {
                return Some(record);
            }
            self.at = Some((self.batches.recv().ok()?, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn record(seq: u64) -> Record {
        Record { seq, at: 0, event: Arc::new(Event::Paused) }
    }

    #[test]
    fn everybody_gets_everything_from_the_subscription_on() {
        let bus = Bus::starting_at(3);
        let (first, early) = bus.subscribe();
        assert_eq!(first, 3);
        bus.publish(vec![record(3), record(4)]);
        let (first, late) = bus.subscribe();
        assert_eq!(first, 5);
        bus.publish(vec![record(5)]);
        bus.close();
        assert_eq!(early.map(|record| record.seq).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(late.map(|record| record.seq).collect::<Vec<_>>(), [5]);
        assert_eq!(bus.subscribe().1.count(), 0);
    }
}
