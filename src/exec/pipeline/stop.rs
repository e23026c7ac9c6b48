//! What tells a source, a worker or a sink that what it does now is no longer wanted.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What wakes somebody who waits.
type Wake = Box<dyn Fn() + Send>;

/// Each source, worker and sink has its own. It is set when the pipeline is ended at once, and for a worker also when an
/// item takes longer than it may: then it is cleared again before the next item.
#[derive(Default)]
pub(in crate::exec) struct Stop {
    flag: Arc<AtomicBool>,
    wake: Mutex<Option<Wake>>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", self.is_set())
    }
}

impl Stop {
    /// Is it to end?
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// The same, for closures.
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.flag
    }

    fn wake(&self) -> MutexGuard<'_, Option<Wake>> {
        self.wake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is to end. Calls what [`Stop::when_set`] was given.
    pub fn set(&self) {
        let wake = self.wake();
        self.flag.store(true, Ordering::Relaxed);
        if let Some(wake) = &*wake {
            wake();
        }
    }

    /// It may go on.
    pub fn clear(&self) {
        self.flag.store(false, Ordering::Relaxed);
    }

    /// Calls `wake`, from another thread, each time this is set, instead of what was given before; at once if it is set
    /// already. It must return soon.
    pub fn when_set(&self, wake: impl Fn() + Send + 'static) {
        let mut slot = self.wake();
        if self.is_set() {
            wake();
        }
        *slot = Some(Box::new(wake));
    }

    /// Nothing is called any more.
    pub fn forget(&self) {
        *self.wake() = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn who_waits_is_woken_also_when_it_comes_late() {
        let stop = Stop::default();
        let woken = Arc::new(AtomicU32::new(0));
        let count = || {
            let woken = woken.clone();
            move || {
                woken.fetch_add(1, Ordering::Relaxed);
            }
        };
        stop.when_set(count());
        stop.set();
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        stop.when_set(count());
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        stop.clear();
        stop.forget();
        stop.set();
        assert_eq!(woken.load(Ordering::Relaxed), 2);
    }
}
