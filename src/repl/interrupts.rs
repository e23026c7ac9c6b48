//! Ctrl-C and other signals: they end what is going on, not the session.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::diag::Result;
use crate::flow::{Asked, Running, Stop, on_signals};

/// See the module's page. Cheap to clone.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Ends evaluations.
    stop: Arc<AtomicBool>,
    /// How often Ctrl-C was pressed since the entry began.
    pressed: AtomicUsize,
    /// The process is to end.
    over: AtomicBool,
    /// An entry is being dealt with.
    busy: AtomicBool,
    /// What stops the run that is going on.
    run: Mutex<Option<Stopper>>,
}

type Stopper = Box<dyn Fn(Asked) -> Stop + Send>;

/// What a shell gives for a process that was ended by a signal.
const BY_SIGINT: i32 = 130;
const BY_SIGTERM: i32 = 143;

impl Interrupts {
    /// Listens from now on. `prompts`: is there a prompt at which Ctrl-C only clears the line?
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn listen(prompts: bool) -> Result<Self> {
        let interrupts = Interrupts::default();
        let inner = interrupts.0.clone();
        on_signals(move |asked| {
            let busy = inner.busy.load(Ordering::SeqCst);
            match asked {
                Asked::Interrupt if !busy && prompts => return,
                Asked::Interrupt if !busy => std::process::exit(BY_SIGINT),
                Asked::End if !busy => std::process::exit(BY_SIGTERM),
                Asked::End | Asked::Interrupt => {}
            }
            if asked == Asked::Interrupt {
                inner.pressed.fetch_add(1, Ordering::SeqCst);
            }
            inner.stop.store(true, Ordering::SeqCst);
            let stopped = lock(&inner.run).as_ref().map(|stop| stop(asked));
            // Who cancels the run from elsewhere does not mean the session.
            if asked == Asked::End && stopped != Some(Stop::Cancelled) {
                inner.over.store(true, Ordering::SeqCst);
            }
        })?;
        Ok(interrupts)
    }

    /// An entry begins.
    pub fn begin(&self) {
        self.0.pressed.store(0, Ordering::SeqCst);
        self.0.stop.store(false, Ordering::SeqCst);
        self.0.busy.store(true, Ordering::SeqCst);
    }

    /// An entry is done with. True: the process is to end.
    pub fn end(&self) -> bool {
        self.0.busy.store(false, Ordering::SeqCst);
        self.0.over.load(Ordering::SeqCst)
    }

    /// Becomes true when what is being evaluated is to end.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.0.stop.clone()
    }

    /// How often Ctrl-C was pressed since the entry began.
    pub fn pressed(&self) -> usize {
        self.0.pressed.load(Ordering::SeqCst)
    }

    /// Signals stop this run while `work` goes on.
    pub fn during<T>(&self, run: &Running, work: impl FnOnce() -> T) -> T {
        let (interrupt, end) = (run.stopper(), run.ender());
        *lock(&self.0.run) = Some(Box::new(move |asked| match asked {
            Asked::Interrupt => {
                interrupt(Stop::Interrupted);
                Stop::Interrupted
            }
            Asked::End => end(),
        }));
        // One that came just before.
        if self.pressed() > 0 {
            run.stop(Stop::Interrupted);
        }
        let result = work();
        *lock(&self.0.run) = None;
        result
    }
}

fn lock(run: &Mutex<Option<Stopper>>) -> MutexGuard<'_, Option<Stopper>> {
    run.lock().unwrap_or_else(PoisonError::into_inner)
}
