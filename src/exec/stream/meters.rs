//! The figures of a stream, told at a bounded rate.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::super::{Done, Report, StreamPlace};
use super::member::Member;
use crate::event::{Flowed, Meter};

/// How often they are told.
const OFTEN: Duration = Duration::from_millis(500);

/// Rates are taken over so long.
const WINDOW: Duration = Duration::from_secs(5);

/// See the module's page.
pub(super) struct Meters {
    figures: Arc<Figures>,
    stop: Mutex<Option<Sender<()>>>,
}

struct Figures {
    place: Arc<StreamPlace>,
    members: Vec<Arc<Member>>,
    report: Report,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
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
            bytes_out: member.bytes_out.get(),
            lines_in: member.lines_in.get(),
            skipped: member.skipped.get(),
        }
    }
}

impl Meters {
    /// Begins to tell of these members.
    pub fn begin(place: Arc<StreamPlace>, members: Vec<Arc<Member>>, report: Report) -> Self {
        let zero = vec![Point::default(); members.len()];
        let seen = Seen { moments: [(Instant::now(), zero.clone())].into(), told: zero };
        let figures = Arc::new(Figures { place, members, report, seen: Mutex::new(seen) });
        let (stop, stopped) = bounded::<()>(0);
        let own = figures.clone();
        let tell = move || {
            while stopped.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
                own.tell(false);
            }
        };
        // Without a thread they are told at the end.
        let _ = thread::Builder::new().name("flow-meters".into()).stack_size(256 * 1024).spawn(tell);
        Meters { figures, stop: Mutex::new(Some(stop)) }
    }

    /// Tells them now.
    pub fn tell(&self) {
        self.figures.tell(true);
    }

    /// Tells them no more.
    pub fn close(&self) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Figures {
    fn tell(&self, last: bool) {
        let now = Instant::now();
        let points: Vec<Point> = self.members.iter().map(|member| Point::of(member)).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while seen.moments.len() > 1 && seen.moments.get(1).is_some_and(|(then, _)| now - *then >= WINDOW) {
            seen.moments.pop_front();
        }
        let is_new = last || points != seen.told;
        let meters = match seen.moments.front() {
            Some((then, old)) if is_new => {
                let seconds = (now - *then).as_secs_f64().max(0.001);
                let pairs = self.members.iter().zip(old.iter().zip(&points));
                pairs.map(|(member, (old, point))| meter(member, old, point, seconds)).collect()
            }
            _ => Vec::new(),
        };
        seen.moments.push_back((now, points.clone()));
        seen.told = points;
        drop(seen);
        if !meters.is_empty() {
            let (step, attempt) = (self.place.group, self.place.attempt);
            (self.report)(Done::Flowed(Box::new(Flowed { step, attempt, reached: None, meters })));
        }
    }
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
        per_second: (point.bytes_out - old.bytes_out) as f64 / seconds,
        error_rate: (point.skipped - old.skipped) as f64 / came.max(1) as f64,
        ..Meter::default()
    }
}
