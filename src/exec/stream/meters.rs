//! The figures of a stream, told at a bounded rate, and watched.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::super::alert::{Alerts, Raised};
use super::super::{Done, Report, StreamPlace};
use super::member::Member;
use crate::event::{Alerted, Flowed, Meter};

/// How often they are told.
const OFTEN: Duration = Duration::from_millis(500);

/// Rates are taken over so long.
const WINDOW: Duration = Duration::from_secs(5);

/// See the module's page. A thread tells them.
pub(super) struct Meters(Mutex<Option<Sender<Sender<()>>>>);

struct Figures {
    place: Arc<StreamPlace>,
    members: Vec<Arc<Member>>,
    report: Report,
    began: Instant,
    /// What each member had done at some moments, the oldest first.
    moments: VecDeque<(Instant, Vec<Point>)>,
    /// What was told last.
    told: Vec<Point>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Point {
    bytes_in: u64,
    bytes_out: u64,
    lines_in: u64,
    skipped: u64,
}

impl Point {
    fn of(member: &Member) -> Self {
        Point {
            bytes_in: member.bytes_in.get(),
            bytes_out: member.written(),
            lines_in: member.lines_in.get(),
            skipped: member.skipped.get(),
        }
    }
}

impl Meters {
    /// Begins to tell of these members.
    pub fn begin(place: Arc<StreamPlace>, members: Vec<Arc<Member>>, report: Report) -> Self {
        let zero = vec![Point::default(); members.len()];
        let began = Instant::now();
        let moments = [(began, zero.clone())].into();
        let mut figures = Figures { place: place.clone(), members, report, began, moments, told: zero };
        let (ask, asked) = bounded::<Sender<()>>(1);
        let tell = move || {
            let mut alerts = Alerts::new(&place.alerts);
            loop {
                match asked.recv_timeout(OFTEN) {
                    Err(RecvTimeoutError::Timeout) => figures.tell(&mut alerts, false),
                    Ok(answer) => {
                        figures.tell(&mut alerts, true);
                        // Who asked waits for it.
                        let _ = answer.send(());
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = thread::Builder::new().name("flow-meters".into()).stack_size(256 * 1024).spawn(tell);
        // Without a thread they are not told: they are for people who look.
        Meters(Mutex::new(thread.is_ok().then_some(ask)))
    }

    /// Tells them now, and returns when they have been told.
    pub fn tell(&self) {
        let ask = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (answer, answered) = bounded(1);
        if ask.is_some_and(|ask| ask.send(answer).is_ok()) {
            // It ends with the thread, too.
            let _ = answered.recv();
        }
    }

    /// Tells them no more.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Figures {
    fn tell(&mut self, alerts: &mut Alerts, last: bool) {
        let now = Instant::now();
        let points: Vec<Point> = self.members.iter().map(|member| Point::of(member)).collect();
        while self.moments.get(1).is_some_and(|(then, _)| now - *then >= WINDOW) {
            self.moments.pop_front();
        }
        let (then, old) = self.moments.front().map_or((self.began, &points), |(then, old)| (*then, old));
        let seconds = (now - then).as_secs_f64().max(0.001);
        let pairs = self.members.iter().zip(old.iter().zip(&points));
        let mut meters: Vec<Meter> = pairs.map(|(member, (old, point))| meter(member, old, point, seconds)).collect();
        self.moments.push_back((now, points.clone()));
        let (step, attempt) = (self.place.group, self.place.attempt);
        if !alerts.is_over() {
            let mut watched = meters.clone();
            for (meter, member) in watched.iter_mut().zip(&self.members) {
                if member.lasted.get() > 0 {
                    // Who is at the end is not slow.
                    meter.per_second = f64::NAN;
                }
            }
            for Raised { alert, stage, value } in alerts.look((now - self.began).as_millis() as u64, &watched, &[]) {
                (self.report)(Done::Alerted(Box::new(Alerted { step, alert, stage, value })));
            }
        }
        if last {
            for (meter, member) in meters.iter_mut().zip(&self.members) {
                meter.per_second = mean(meter.bytes, member.lasted.get(), now - self.began);
            }
        }
        if last || points != self.told {
            self.told = points;
            (self.report)(Done::Flowed(Box::new(Flowed { step, attempt, reached: None, meters })));
        }
    }
}

/// The rate over the life of a member that lasted so many microseconds, or goes on for `so_far`.
fn mean(bytes: u64, lasted: u64, so_far: Duration) -> f64 {
    let life = if lasted > 0 { Duration::from_micros(lasted) } else { so_far };
    bytes as f64 / life.as_secs_f64().max(0.001)
}

fn meter(member: &Member, old: &Point, point: &Point, seconds: f64) -> Meter {
    let came = point.lines_in - old.lines_in;
    Meter {
        name: member.name.clone(),
        came: point.lines_in,
        went: member.lines_out.get(),
        bytes: point.bytes_out,
        failed: point.skipped,
        dropped: member.dropped.get(),
        waiting: member.waiting.get(),
        per_second: point.bytes_out.saturating_sub(old.bytes_out) as f64 / seconds,
        error_rate: (point.skipped - old.skipped) as f64 / came.max(1) as f64,
        ..Meter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_end_the_rate_is_that_of_the_members_life() {
        let so_far = Duration::from_secs(60);
        assert_eq!(mean(1_000, 2_000_000, so_far), 500.0);
        assert_eq!(mean(6_000, 0, so_far), 100.0);
        assert_eq!(mean(0, 1, so_far), 0.0);
    }
}
