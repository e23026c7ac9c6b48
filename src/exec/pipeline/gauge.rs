//! What is measured of each stage.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use smol_str::SmolStr;

use crate::event::Meter;

/// Rates are those of so much time.
const WINDOW: Duration = Duration::from_secs(5);

/// Latencies that are told while it runs are those of the last one to two such times.
const TURN: Duration = Duration::from_secs(10);

/// Longest latency that is told apart, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// The counters of a stage. Threads add to them by the chunk.
pub(super) struct Gauge {
    name: SmolStr,
    pub came: AtomicU64,
    pub went: AtomicU64,
    pub failed: AtomicU64,
    pub retried: AtomicU64,
    pub dropped: AtomicU64,
    /// Dead letters.
    pub dead: AtomicU64,
    latencies: Mutex<Latencies>,
}

struct Latencies {
    /// Of this turn, and of the one before.
    now: Histogram<u64>,
    before: Histogram<u64>,
    /// Of all turns before that.
    past: Histogram<u64>,
    turned: Instant,
}

/// Two significant digits are enough for people.
fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LONGEST, 2) {
        Ok(histogram) => histogram,
        // The bounds are as they have to be.
        Err(error) => unreachable!("{error}"),
    }
}

/// Adds a latency that so many items had.
pub(super) fn add(counter: &AtomicU64, many: usize) {
    if many > 0 {
        counter.fetch_add(many as u64, Ordering::Relaxed);
    }
}

impl Gauge {
    /// Of a stage of this name.
    pub fn new(name: impl Into<SmolStr>) -> Self {
        let latencies = Latencies { now: histogram(), before: histogram(), past: histogram(), turned: Instant::now() };
        Gauge {
            name: name.into(),
            came: AtomicU64::new(0),
            went: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            latencies: Mutex::new(latencies),
        }
    }

    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many items took so long each.
    pub fn took(&self, each: Duration, many: usize) {
        if many > 0 {
            self.latencies().now.saturating_record_n(each.as_micros() as u64, many as u64);
        }
    }

    /// As [`Gauge::took`], of items that were measured one by one, in microseconds.
    pub fn took_all(&self, each: &mut Vec<u64>) {
        if !each.is_empty() {
            let mut latencies = self.latencies();
            each.drain(..).for_each(|micros| latencies.now.saturating_record(micros));
        }
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// The figures, but for the rates. `whole`: those of the whole time, not of the latest.
    fn meter(&self, waiting: usize, whole: bool) -> Meter {
        let mut latencies = self.latencies();
        if latencies.turned.elapsed() >= TURN {
            let Latencies { now, before, past, turned } = &mut *latencies;
            // Of the same bounds.
            let _ = past.add(&*before);
            std::mem::swap(now, before);
            now.reset();
            *turned = Instant::now();
        }
        let mut of = latencies.before.clone();
        let _ = of.add(&latencies.now);
        if whole {
            let _ = of.add(&latencies.past);
        }
        drop(latencies);
        Meter {
            name: self.name.clone(),
            came: Gauge::count(&self.came),
            went: Gauge::count(&self.went),
            bytes: 0,
            failed: Gauge::count(&self.failed),
            retried: Gauge::count(&self.retried),
            dropped: Gauge::count(&self.dropped),
            waiting: waiting as u64,
            per_second: 0.0,
            error_rate: 0.0,
            p50_us: of.value_at_quantile(0.5),
            p95_us: of.value_at_quantile(0.95),
            p99_us: of.value_at_quantile(0.99),
        }
    }
}

/// Reads gauges from time to time, so that rates can be told.
pub(super) struct Panel<'a> {
    gauges: &'a [Gauge],
    begun: Instant,
    /// What was read, and when: the first is from about the beginning of the window.
    readings: VecDeque<(Instant, Vec<Reading>)>,
}

#[derive(Clone, Copy, Default)]
struct Reading {
    came: u64,
    went: u64,
    failed: u64,
}

impl<'a> Panel<'a> {
    /// Of these, now.
    pub fn new(gauges: &'a [Gauge], now: Instant) -> Self {
        let readings = VecDeque::from([(now, vec![Reading::default(); gauges.len()])]);
        Panel { gauges, begun: now, readings }
    }

    /// The figures of all stages. `waiting`: how many items wait before each; `whole`: at the end, rates and latencies of the whole time.
    pub fn read(&mut self, now: Instant, waiting: &[usize], whole: bool) -> Vec<Meter> {
        let mut meters: Vec<Meter> = self
            .gauges
            .iter()
            .enumerate()
            .map(|(place, gauge)| gauge.meter(waiting.get(place).copied().unwrap_or(0), whole))
            .collect();
        while self.readings.len() > 1 && self.readings.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.readings.pop_front();
        }
        if let Some((at, before)) = self.readings.front() {
            let seconds = now.duration_since(*at).as_secs_f64();
            for (meter, before) in meters.iter_mut().zip(before) {
                if whole {
                    meter.per_second = meter.went as f64 / now.duration_since(self.begun).as_secs_f64().max(0.001);
                } else if seconds > 0.0 {
                    meter.per_second = (meter.went - before.went) as f64 / seconds;
                }
                // What had come before may fail now.
                let (failed, came) = (meter.failed - before.failed, meter.came - before.came);
                meter.error_rate = if failed == 0 { 0.0 } else { failed as f64 / came.max(failed) as f64 };
            }
        }
        let reading = |meter: &Meter| Reading { came: meter.came, went: meter.went, failed: meter.failed };
        self.readings.push_back((now, meters.iter().map(reading).collect()));
        meters
    }

    /// The dead letters of each stage.
    pub fn dead(&self) -> Vec<u64> {
        self.gauges.iter().map(|gauge| Gauge::count(&gauge.dead)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let gauges = [Gauge::new("a")];
        let begun = Instant::now();
        let mut panel = Panel::new(&gauges, begun);
        add(&gauges[0].came, 100);
        add(&gauges[0].went, 90);
        add(&gauges[0].failed, 10);
        let read =
            |panel: &mut Panel, second: u64| panel.read(begun + Duration::from_secs(second), &[3], false).remove(0);
        let meter = read(&mut panel, 1);
        assert_eq!((meter.per_second, meter.error_rate, meter.waiting), (90.0, 0.1, 3));
        let meter = read(&mut panel, 10);
        assert_eq!((meter.per_second, meter.error_rate), (0.0, 0.0));
        assert_eq!((meter.came, meter.failed), (100, 10));
        let meter = panel.read(begun + Duration::from_secs(30), &[0], true).remove(0);
        assert_eq!(meter.per_second, 3.0);
    }

    #[test]
    fn latencies_are_told_as_percentiles() {
        let gauges = [Gauge::new("a")];
        gauges[0].took(Duration::from_micros(100), 94);
        gauges[0].took_all(&mut vec![1_000, 1_000, 1_000, 1_000, 50_000, 50_000]);
        let meter = Panel::new(&gauges, Instant::now()).read(Instant::now(), &[], true).remove(0);
        assert!((99..=101).contains(&meter.p50_us), "{}", meter.p50_us);
        assert!((990..=1_010).contains(&meter.p95_us), "{}", meter.p95_us);
        assert!((49_500..=50_500).contains(&meter.p99_us), "{}", meter.p99_us);
    }
}
