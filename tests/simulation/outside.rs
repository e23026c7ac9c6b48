//! The simulated executors: what is begun and ended is only written down here; the simulation lets it happen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flow::exec::{Executor, Work};
use flow::plan::StepId;

/// See the module's page.
#[derive(Clone, Default)]
pub struct Outside(Arc<Mutex<Asked>>);

/// What was asked for and not yet seen to.
#[derive(Default)]
pub struct Asked {
    /// Work that was begun, in order.
    pub begun: Vec<Work>,
    /// Attempts that are to end: without grace?
    pub kills: Vec<(StepId, u32, bool)>,
    /// Members of streams whose readers are to see the end of what they wrote.
    pub let_end: Vec<StepId>,
    /// Streams that are at their end.
    pub closed: Vec<(StepId, u32)>,
    /// The process dies when it has begun so much more.
    pub dies_after: Option<usize>,
}

impl Outside {
    /// What was asked for.
    pub fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Outside {
    fn start(&self, work: Vec<Work>) {
        let mut asked = self.asked();
        for work in work {
            if let Some(left) = &mut asked.dies_after {
                match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None => return,
                }
            }
            asked.begun.push(work);
        }
    }

    fn let_end(&self, step: StepId) {
        self.asked().let_end.push(step);
    }

    fn close_stream(&self, group: StepId, attempt: u32) {
        self.asked().closed.push((group, attempt));
    }

    fn kill(&self, step: StepId, attempt: u32, hard: bool) {
        self.asked().kills.push((step, attempt, hard));
    }
}
