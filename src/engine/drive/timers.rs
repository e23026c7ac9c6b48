//! Timers that are armed, the earliest first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::engine::machine::Timer;

/// See the module's page. The machine knows which timers still mean something; waits of steps that are made again are
/// called off, because they look like those of the new attempt.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Armed>>,
    count: u64,
}

/// A timer with its time, and its number for those that fire at the same time.
struct Armed {
    at: Duration,
    number: u64,
    timer: Timer,
}

impl Timers {
    /// Lets a timer fire so many milliseconds after `now`.
    pub fn arm(&mut self, now: Duration, timer: Timer, delay_ms: u64) {
        self.count += 1;
        let at = now.saturating_add(Duration::from_millis(delay_ms));
        self.heap.push(Reverse(Armed { at, number: self.count, timer }));
    }

    /// Takes away those that are meant.
    pub fn call_off(&mut self, meant: impl Fn(&Timer) -> bool) {
        self.heap.retain(|Reverse(armed)| !meant(&armed.timer));
    }

    /// When the next one fires.
    pub fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse(armed)| armed.at)
    }

    /// The next one, if it is due.
    pub fn due(&mut self, now: Duration) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(armed)| armed.timer)
    }
}

impl Ord for Armed {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Armed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Armed {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Armed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepId;

    #[test]
    fn the_earliest_comes_first_and_none_before_its_time() {
        let mut timers = Timers::default();
        let now = Duration::from_secs(60);
        timers.arm(now, Timer::Wait(StepId(2), 1), 2_000);
        timers.arm(now, Timer::Wait(StepId(1), 1), 1_000);
        timers.arm(now, Timer::Wait(StepId(9), 1), u64::MAX);
        assert_eq!(timers.due(now), None);
        let later = now + Duration::from_secs(10);
        assert_eq!(timers.due(later), Some(Timer::Wait(StepId(1), 1)));
        assert_eq!(timers.due(later), Some(Timer::Wait(StepId(2), 1)));
        assert_eq!(timers.due(later), None);
    }
}
