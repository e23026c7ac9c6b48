//! The time without a byte: each one that comes or goes begins it anew.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When something moved last.
pub(super) struct Pulse {
    begun: Instant,
    /// In milliseconds after `begun`.
    last: AtomicU64,
}

impl Pulse {
    pub fn new() -> Self {
        Pulse { begun: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Something moves.
    pub fn beat(&self) {
        self.last.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// What the future gives; nothing if for so long nothing moves.
    pub async fn watch<T>(&self, quiet: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        self.beat();
        loop {
            let last = self.last.load(Ordering::Relaxed);
            let end = self.begun + Duration::from_millis(last) + quiet;
            tokio::select! {
                biased;
                done = &mut future => return Some(done),
                () = sleep_until(end) => if self.last.load(Ordering::Relaxed) == last {
                    return None;
                },
            }
        }
    }
}
