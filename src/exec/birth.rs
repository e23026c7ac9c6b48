//! When processes came into being: what tells of an orphan which attempts may have started it.

use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use super::tree::Process;

/// When an attempt began: a moment in clock ticks, and within it the number of its first process, since numbers are
/// given in order.
#[derive(Clone, Copy)]
pub(super) struct Began {
    /// In clock ticks since the system began.
    pub tick: u64,
    /// Its first process.
    pub leader: Pid,
}

impl Began {
    /// May it have started this process?
    pub fn may_have(self, process: Process) -> bool {
        process.began > self.tick || process.began == self.tick && follows(process.pid, self.leader)
    }
}

/// Was this number given after the other, in the same moment? They begin again at the end of their range.
fn follows(pid: Pid, other: Pid) -> bool {
    const FAR: i32 = 1 << 14;
    let distance = pid.as_raw_nonzero().get() - other.as_raw_nonzero().get();
    (1..FAR).contains(&distance) || distance < -FAR
}

/// Clock ticks since the system began, as in `/proc/PID/stat`.
pub(super) fn ticks() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let per_second = clock_ticks_per_second();
    now.tv_sec as u64 * per_second + now.tv_nsec as u64 * per_second / 1_000_000_000
}

/// Spans of time in clock ticks, in order and without overlaps.
#[derive(Default)]
pub(super) struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// Adds a span that ends after all the others; those that it overlaps become one with it.
    pub fn add(&mut self, mut from: u64, to: u64) {
        while let Some((first, _)) = self.0.pop_if(|(_, last)| *last >= from) {
            from = from.min(first);
        }
        self.0.push((from, to));
    }

    /// Is this moment in one of them, its ends included?
    pub fn contain(&self, tick: u64) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&tick))
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_overlap_become_one() {
        let mut spans = Spans::default();
        for (from, to) in [(10, 20), (30, 40), (45, 50), (35, 60), (70, 80)] {
            spans.add(from, to);
        }
        assert_eq!(spans.0, [(10, 20), (30, 60), (70, 80)]);
        assert!(spans.contain(20) && spans.contain(42) && !spans.contain(25));
    }

    #[test]
    fn numbers_are_given_in_order_and_begin_again() {
        let pid = |number| Pid::from_raw(number).expect("a number");
        assert!(follows(pid(101), pid(100)) && !follows(pid(100), pid(101)) && !follows(pid(100), pid(100)));
        assert!(follows(pid(5), pid(32_760)) && !follows(pid(32_760), pid(5)));
        let began = Began { tick: 7, leader: pid(100) };
        let process = |number, began| Process { pid: pid(number), began };
        assert!(began.may_have(process(101, 7)) && began.may_have(process(50, 8)));
        assert!(!began.may_have(process(99, 7)) && !began.may_have(process(101, 6)));
    }

    #[test]
    fn the_clock_is_that_of_the_processes() {
        let before = ticks();
        let child = super::super::children::spawn(&mut std::process::Command::new("true")).expect("it starts");
        let pid = super::super::children::pid_of(&child).expect("a number");
        let began = super::super::tree::stat(pid).expect("it is not reaped").began;
        assert!((before..=ticks()).contains(&began));
        super::super::children::reap(child).expect("its end");
    }
}
