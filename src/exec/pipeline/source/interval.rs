//! Ticks of a clock. Those that nobody had time for are not made up.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{Mark, Next, Opening, Source, Sourced, Stop};
use crate::event::Failure;
use crate::lang::item::Item;

/// See the module's page.
pub(super) struct Interval {
    every: Duration,
    /// When the next one is due. Nothing: now, as the first one.
    due: Option<Instant>,
    offset: u64,
    stop: Arc<Stop>,
}

impl Interval {
    pub fn open(every_ms: u64, at: &Opening, stop: &Arc<Stop>) -> Self {
        Interval {
            every: Duration::from_millis(every_ms.max(1)),
            due: None,
            offset: at.reached.upto,
            stop: stop.clone(),
        }
    }
}

impl Source for Interval {
    fn next(&mut self, _: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let waiter = thread::current();
        self.stop.when_set(move || waiter.unpark());
        let due = *self.due.get_or_insert_with(Instant::now);
        while !self.stop.is_set() {
            let now = Instant::now();
            if now < due {
                thread::park_timeout(due - now);
                continue;
            }
            self.due = Some(following(due, self.every, now));
            let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
            let item = Item::of(json!({ "tick": self.offset, "at": ms }));
            into.push(Sourced { offset: self.offset, mark: self.mark(), item: Ok(item) });
            self.offset += 1;
            return Ok(Next::More);
        }
        Ok(Next::End)
    }

    fn mark(&self) -> Mark {
        Mark { from: self.offset, place: 0 }
    }
}

/// The first moment after `now` that is a whole number of intervals after `due`.
fn following(due: Instant, every: Duration, now: Instant) -> Instant {
    let passed = now.saturating_duration_since(due).as_nanos() / every.as_nanos().max(1);
    let ahead = every.as_nanos() * (passed + 1);
    due + Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_ticks_are_not_made_up() {
        let due = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(following(due, ms(100), due), due + ms(100));
        assert_eq!(following(due, ms(100), due + ms(99)), due + ms(100));
        assert_eq!(following(due, ms(100), due + ms(100)), due + ms(200));
        assert_eq!(following(due, ms(100), due + ms(1234)), due + ms(1300));
    }
}
