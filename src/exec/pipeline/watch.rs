//! Starts the threads of a pipeline, and watches them to their end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::feed::feed;
use super::gauge::Panel;
use super::halt::{Halt, Level};
use super::shared::Shared;
use super::sink::{self, Sink};
use super::source::{self, Source};
use super::stop::Stop;
use super::writer::{self, Writer};
use super::{Opening, collected};
use crate::event::{Alerted, Counts, Failure, FailureKind, Flowed, Meter, Outcome, Output, Reached};
use crate::exec::Done;
use crate::exec::alert::Alerts;
use crate::exec::workers::SCRIPT_STACK;
use crate::plan::{Json, Pipeline, Sink as SinkPlan};

/// How often it is looked whether something takes too long.
const SHORT_TICK: Duration = Duration::from_millis(5);

/// How often figures are told.
const FIGURES: Duration = Duration::from_millis(250);

/// What is on its way has so long to come to its end, when the pipeline is to end.
const DRAIN: Duration = Duration::from_secs(2);

/// The same when it took longer than its `timeout`: then nothing new begins either.
const LATE: Duration = Duration::from_millis(200);

/// Who is told to end so shortly before its `timeout` is told by it: the machine's clock began a little earlier.
const NEARLY: Duration = Duration::from_millis(100);

/// Runs a pipeline to its end.
pub(super) fn run(pipeline: &Pipeline, opening: &Opening, halt: &Arc<Halt>) -> Result<Outcome, Failure> {
    let (source_stop, sink_stop) = (Arc::new(Stop::default()), Arc::new(Stop::default()));
    writer::cut(&opening.path(&opening.dead_letters()), opening.reached.dead_bytes)?;
    let source = source::open(&pipeline.source, opening, &source_stop)?;
    let sink = sink::open(&pipeline.sink, opening, &sink_stop)?;
    let mut shared = Shared::new(pipeline, opening, halt.clone(), source.places());
    (shared.source_stop, shared.sink_stop) = (source_stop, sink_stop);
    shared.print = source.print();
    let (failure, reached) = flow(&shared, source, sink);
    let fields = fields(reached.counts);
    let output = match (&failure, &pipeline.sink) {
        (None, SinkPlan::Collect) => collected::output(opening)?,
        _ => Output::None,
    };
    let [stdout, stderr] = opening.outside.logs();
    Ok(Outcome { error: failure, output, fields, stdout, stderr, ..Outcome::default() })
}

fn fields(counts: Counts) -> serde_json::Map<String, Json> {
    let Counts { items, delivered, skipped, dead, dropped } = counts;
    let fields =
        [("items", items), ("delivered", delivered), ("left_out", skipped), ("dead", dead), ("dropped", dropped)];
    fields.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

/// Lets everything flow to its end. Gives why it failed, if it did, and what is acknowledged.
pub(super) fn flow<'a>(
    shared: &Shared<'a>,
    source: Box<dyn Source + 'a>,
    sink: Box<dyn Sink + 'a>,
) -> (Option<Failure>, Reached) {
    let threads: usize = shared.groups.iter().map(|group| group.threads as usize).sum::<usize>() + 2;
    let alive = &AtomicUsize::new(threads);
    let reached = thread::scope(|scope| {
        let sink_work = move || {
            if let Err(failure) = Writer::new(shared, sink).work() {
                shared.fail(Some(shared.groups.len()), u64::MAX, in_stage("sink", failure));
            }
        };
        begin(shared, alive, scope, "flow-sink", sink_work);
        for (place, group) in shared.groups.iter().enumerate() {
            let left = Arc::new(AtomicUsize::new(group.threads as usize));
            for nth in 0..group.threads {
                let left = left.clone();
                let close = Ending(Box::new(move || {
                    if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                        shared.queues[place + 1].close();
                    }
                }));
                let work = move || {
                    let _close = close;
                    if let Err(failure) = Crew::open(shared, place, nth).and_then(Crew::work)
                        && !shared.is_ending_now()
                    {
                        let name = shared.stage_name(shared.gauge_of(place));
                        shared.fail(Some(place), u64::MAX, in_stage(name, failure));
                    }
                };
                begin(shared, alive, scope, "flow-stage", work);
            }
        }
        let feed_work = move || {
            let _close = Ending(Box::new(|| shared.queues[0].close()));
            feed(shared, source);
        };
        begin(shared, alive, scope, "flow-source", feed_work);
        watch(shared, alive)
    });
    let level = shared.halt.wait(Duration::ZERO, Level::Hard);
    let cancelled = || Failure::new(FailureKind::Cancelled, "it was ended before it was done");
    let is_done = shared.at_end.load(Ordering::Relaxed) && shared.tracker().open() == 0;
    let failure = match shared.take_trouble() {
        Some(failure) => Some(failure),
        None if level > Level::Go && !is_done => Some(cancelled()),
        None => None,
    };
    (failure, reached)
}

/// Begins a thread. What ends with it ends also if it does not begin, or panics.
fn begin<'scope>(
    shared: &'scope Shared,
    alive: &'scope AtomicUsize,
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) {
    let ending = Ending(Box::new(|| {
        alive.fetch_sub(1, Ordering::SeqCst);
        shared.halt.ring();
    }));
    let work = move || {
        let _ending = ending;
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            let failure = Failure::new(FailureKind::Script, "the code of the pipeline panicked")
                .help("this is a mistake in flow, or in a function that the embedding program registered");
            shared.fail(None, 0, failure);
            shared.end_now();
        }
    };
    let builder = thread::Builder::new().name(name.into()).stack_size(SCRIPT_STACK);
    if let Err(error) = builder.spawn_scoped(scope, work) {
        shared.fail(None, 0, Failure::new(FailureKind::Spawn, format!("a thread cannot be started: {error}")));
        shared.end_now();
    }
}

fn in_stage(name: &str, failure: Failure) -> Failure {
    let message = match name {
        "sink" => format!("the sink of the pipeline failed: {}", failure.message),
        name => format!("stage `{name}` failed: {}", failure.message),
    };
    Failure { message, ..failure }
}

/// Does something at its end.
struct Ending<'s>(Box<dyn Fn() + Send + 's>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Watches until all threads have ended: tells what is acknowledged, figures and alerts, ends what takes too long, and all of it
/// when it is to end. Gives what is acknowledged in the end.
fn watch(shared: &Shared, alive: &AtomicUsize) -> Reached {
    let begun = Instant::now();
    let job = shared.opening.job;
    let alerts = job.policy.as_ref().map_or(&[][..], |policy| policy.alerts.as_slice());
    let mut alerts = Alerts::new(alerts);
    let timeout = job.policy.as_ref().and_then(|policy| policy.timeout_ms).map(Duration::from_millis);
    let mut panel = Panel::new(&shared.gauges, begun);
    let has_limits = shared.pipeline.stages.iter().any(|stage| stage.timeout_ms.is_some());
    let tick = if has_limits { SHORT_TICK.min(shared.tick) } else { shared.tick };
    let mut level = Level::Go;
    let (mut told, mut measured) = (begun, begun);
    let mut deadline: Option<Instant> = None;
    let mut shown = Vec::new();
    while alive.load(Ordering::SeqCst) > 0 {
        let now = Instant::now();
        let time = deadline.map_or(tick, |deadline| tick.min(deadline.saturating_duration_since(now)));
        let urgency = shared.halt.wait(time, level);
        if urgency > level {
            level = urgency;
            shared.stop_reading();
            if timeout.is_some_and(|timeout| begun.elapsed() + NEARLY >= timeout) {
                shared.begin_nothing();
                deadline = Some(Instant::now() + LATE);
            }
        }
        if level == Level::Hard {
            shared.end_now();
        }
        let now = Instant::now();
        if deadline.is_none() && (level > Level::Go || shared.is_failing()) {
            deadline = Some(now + DRAIN);
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            shared.end_now();
        }
        if has_limits {
            shared.look_at_limits();
        }
        if now.duration_since(told) < shared.tick {
            continue;
        }
        told = now;
        let meters = if now.duration_since(measured) >= FIGURES {
            measured = now;
            let meters = measure(shared, &mut panel, now, false);
            raise(shared, &mut alerts, begun, now, &meters, &panel);
            // Where nothing happens there is nothing to tell.
            match shown == meters {
                true => Vec::new(),
                false => {
                    shown.clone_from(&meters);
                    meters
                }
            }
        } else {
            Vec::new()
        };
        let mut tracker = shared.tracker();
        let reached = tracker.take_changed().then(|| tracker.reached());
        drop(tracker);
        tell(shared, reached.map(|reached| signed(shared, reached)), meters);
    }
    let now = Instant::now();
    let meters = measure(shared, &mut panel, now, false);
    raise(shared, &mut alerts, begun, now, &meters, &panel);
    let meters = measure(shared, &mut panel, now, true);
    let reached = shared.tracker().reached();
    let reached = signed(shared, reached);
    tell(shared, Some(reached.clone()), meters);
    reached
}

/// With that by which the source's file is known again.
fn signed(shared: &Shared, mut reached: Reached) -> Reached {
    let from = reached.place.get(0).and_then(Json::as_u64).unwrap_or(0);
    // A file that cannot be read any more is told of by who reads it.
    let print = shared.print.as_ref().and_then(|print| print.before(from).ok().flatten());
    if let (Some(print), Some(place)) = (print, reached.place.as_array_mut()) {
        place.push(print.into());
    }
    reached
}

fn measure(shared: &Shared, panel: &mut Panel, now: Instant, whole: bool) -> Vec<Meter> {
    let mut waiting = vec![0; shared.gauges.len()];
    for (place, queue) in shared.queues.iter().enumerate() {
        waiting[shared.gauge_of(place)] = queue.waiting();
    }
    panel.read(now, &waiting, whole)
}

fn raise(shared: &Shared, alerts: &mut Alerts, begun: Instant, now: Instant, meters: &[Meter], panel: &Panel) {
    if alerts.is_over() {
        return;
    }
    for raised in alerts.look(now.duration_since(begun).as_millis() as u64, meters, &panel.dead()) {
        let step = shared.opening.job.step;
        let alerted = Alerted { step, alert: raised.alert, stage: raised.stage, value: raised.value };
        (shared.opening.around.report)(Done::Alerted(Box::new(alerted)));
    }
}

fn tell(shared: &Shared, reached: Option<Reached>, meters: Vec<Meter>) {
    if reached.is_none() && meters.is_empty() {
        return;
    }
    let job = shared.opening.job;
    let flowed = Flowed { step: job.step, attempt: job.attempt, reached: reached.map(Box::new), meters };
    (shared.opening.around.report)(Done::Flowed(Box::new(flowed)));
}
