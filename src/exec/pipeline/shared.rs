//! What the threads of a pipeline share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::gauge::{Gauge, add};
use super::group::Group;
use super::ledger::{Entry, Record};
use super::parcel::{Of, Parcel};
use super::queue::{Put, Queue};
use super::source::{Places, Print};
use super::stop::Stop;
use super::tracker::{Fate, Tracker};
use super::{Halt, Opening};
use crate::event::{DeadLetter, Failure, FailureKind};
use crate::plan::{ItemError, Json, Pipeline};

/// Items on their way, beyond those that wait in queues and batches: then the source waits.
const MOST_OPEN: u64 = 65_536;

/// How often it is looked whether something is to be told.
const TICK: Duration = Duration::from_millis(50);

/// See the module's page.
pub(super) struct Shared<'a> {
    pub pipeline: &'a Pipeline,
    pub opening: &'a Opening<'a>,
    pub groups: Vec<Group<'a>>,
    /// One before each group, and one before the sink.
    pub queues: Vec<Queue>,
    /// Of the source, each stage, the sink.
    pub gauges: Vec<Gauge>,
    pub places: Places,
    /// By what the source's file is known again.
    pub print: Option<Print>,
    /// Are items kept as they came from the source?
    pub keeps: bool,
    pub halt: Arc<Halt>,
    pub source_stop: Arc<Stop>,
    pub sink_stop: Arc<Stop>,
    /// How often it is looked whether something is to be told.
    pub tick: Duration,
    /// The source is at its end.
    pub at_end: AtomicBool,
    tracker: Mutex<Tracker>,
    /// The source may go on.
    room: Condvar,
    most_open: u64,
    /// Dead letters on their way to the sink's thread.
    dead: Mutex<Vec<Entry>>,
    /// Why the pipeline fails, and the item for which it does.
    trouble: Mutex<Option<(u64, Failure)>>,
    slots: Mutex<Vec<Arc<Slot>>>,
    /// Everything ends at once.
    hard: AtomicBool,
    /// Wakes those who wait for a next attempt.
    naps: Condvar,
    napping: Mutex<()>,
}

/// What a thread has, so that what it calls can be ended.
#[derive(Default)]
pub(super) struct Slot {
    pub stop: Arc<Stop>,
    limit: Mutex<Limit>,
}

#[derive(Default)]
struct Limit {
    until: Option<Instant>,
    expired: bool,
}

/// What a chunk has changed in the books: first what was added, then what has ended.
#[derive(Default)]
pub(super) struct Changes {
    pub adds: Vec<(Of, u32)>,
    pub ends: Vec<(Of, Fate)>,
    pub dead: Vec<Lost>,
}

/// An item, or a batch, that becomes dead letters.
pub(super) struct Lost {
    pub of: Of,
    pub stage: String,
    pub error: String,
    pub attempts: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    fn limit(&self) -> MutexGuard<'_, Limit> {
        lock(&self.limit)
    }

    /// What begins now may take so long.
    pub fn arm(&self, time: Duration) {
        self.limit().until = Instant::now().checked_add(time);
    }

    /// It is over. Did it take too long?
    pub fn disarm(&self, hard: &AtomicBool) -> bool {
        let mut limit = self.limit();
        limit.until = None;
        let expired = std::mem::take(&mut limit.expired);
        if expired && !hard.load(Ordering::SeqCst) {
            self.stop.clear();
        }
        expired
    }

    /// Ends what takes too long.
    fn look(&self, now: Instant) {
        let mut limit = self.limit();
        if limit.until.is_some_and(|until| until <= now) {
            limit.until = None;
            limit.expired = true;
            self.stop.set();
        }
    }
}

impl<'a> Shared<'a> {
    /// Everything at its beginning.
    pub fn new(pipeline: &'a Pipeline, opening: &'a Opening<'a>, halt: Arc<Halt>, places: Places) -> Self {
        let groups = Group::all(pipeline);
        let sink = Queue::new(pipeline.buffer_size as usize, pipeline.overflow, false);
        let queues: Vec<Queue> = groups.iter().map(|group| group.queue(pipeline)).chain([sink]).collect();
        let names = pipeline.stages.iter().map(|stage| stage.name.as_str());
        let gauges = std::iter::once("source").chain(names).chain(["sink"]).map(Gauge::new).collect();
        let room: u64 = groups.iter().map(|group| group.room(pipeline)).sum();
        let keeps = pipeline.on_error == ItemError::DeadLetter
            || pipeline.stages.iter().any(|stage| stage.on_error == Some(ItemError::DeadLetter));
        Shared {
            pipeline,
            opening,
            queues,
            gauges,
            places,
            print: None,
            keeps,
            halt,
            source_stop: Arc::default(),
            sink_stop: Arc::default(),
            tick: TICK,
            at_end: AtomicBool::new(false),
            tracker: Mutex::new(Tracker::from(opening.reached)),
            room: Condvar::new(),
            most_open: MOST_OPEN + u64::from(pipeline.buffer_size) + room,
            groups,
            dead: Mutex::default(),
            trouble: Mutex::default(),
            slots: Mutex::default(),
            hard: AtomicBool::new(false),
            naps: Condvar::new(),
            napping: Mutex::default(),
        }
    }

    /// The books.
    pub fn tracker(&self) -> MutexGuard<'_, Tracker> {
        lock(&self.tracker)
    }

    /// The queue before the sink.
    pub fn last_queue(&self) -> &Queue {
        &self.queues[self.groups.len()]
    }

    /// Waits until more may be read. False: nothing more is to be read.
    pub fn may_read(&self) -> bool {
        let mut tracker = self.tracker();
        while tracker.open() >= self.most_open && !self.source_stop.is_set() {
            tracker = self.room.wait(tracker).unwrap_or_else(PoisonError::into_inner);
        }
        !self.source_stop.is_set()
    }

    /// The books have changed: who waits for that is woken.
    pub fn changed(&self, tracker: MutexGuard<'_, Tracker>) {
        let settled = tracker.has_settled();
        let room = tracker.open() < self.most_open;
        drop(tracker);
        if room {
            self.room.notify_one();
        }
        if settled {
            self.last_queue().nudge();
        }
    }

    /// Writes what a chunk has changed into the books.
    pub fn settle(&self, changes: &mut Changes) {
        if changes.adds.is_empty() && changes.ends.is_empty() && changes.dead.is_empty() {
            return;
        }
        let mut tracker = self.tracker();
        changes.adds.drain(..).for_each(|(of, more)| tracker.add(&of, more));
        changes.ends.drain(..).for_each(|(of, fate)| tracker.end(&of, fate));
        let dead: Vec<Entry> = changes.dead.drain(..).map(|lost| letters(&tracker, &self.places, lost)).collect();
        let any = !dead.is_empty();
        lock(&self.dead).extend(dead);
        self.changed(tracker);
        if any {
            self.last_queue().nudge();
        }
    }

    /// The dead letters that came since it was asked.
    pub fn take_dead(&self) -> Vec<Entry> {
        std::mem::take(&mut lock(&self.dead))
    }

    /// Hands parcels to a queue. False: nothing is to go on.
    pub fn pass_on(&self, queue: usize, mut parcels: Vec<Parcel>) -> bool {
        match self.queues[queue].put(&mut parcels) {
            Put::In(dropped) if dropped.is_empty() => true,
            Put::In(dropped) => {
                add(&self.gauges[self.gauge_of(queue)].dropped, dropped.len());
                let mut tracker = self.tracker();
                dropped.iter().for_each(|parcel| tracker.end(&parcel.of, Fate::Dropped));
                self.changed(tracker);
                true
            }
            Put::Full(parcel) => {
                let name = self.stage_name(self.gauge_of(queue));
                let message = format!("the buffer before stage `{name}` is full");
                let failure = Failure::new(FailureKind::TooMuch, message).help(
                    "a larger `buffer_size`, more `parallelism`, or `overflow: \"block\"`, with which those before it wait",
                );
                self.fail(queue.checked_sub(1), parcel.of.first(), failure);
                false
            }
            Put::Halted => false,
        }
    }

    /// The gauge of what takes from a queue.
    pub fn gauge_of(&self, queue: usize) -> usize {
        self.groups.get(queue).map_or(self.gauges.len() - 1, |group| group.first + 1)
    }

    /// The name of what has this gauge.
    pub fn stage_name(&self, gauge: usize) -> &str {
        match gauge {
            0 => "source",
            gauge => self.pipeline.stages.get(gauge - 1).map_or("sink", |stage| stage.name.as_str()),
        }
    }

    /// An item, or a batch, has failed for good. `group`: where, if not in the source. False: the pipeline fails by it.
    pub fn failed(
        &self,
        group: Option<usize>,
        gauge: usize,
        changes: &mut Changes,
        lost: Lost,
        failure: Failure,
    ) -> bool {
        let many = lost.of.blamed().len();
        add(&self.gauges[gauge].failed, many);
        let stage = gauge.checked_sub(1).and_then(|stage| self.pipeline.stages.get(stage));
        match stage.and_then(|stage| stage.on_error).unwrap_or(self.pipeline.on_error) {
            ItemError::Skip => changes.ends.push((lost.of, Fate::Skipped)),
            ItemError::DeadLetter => {
                add(&self.gauges[gauge].dead, many);
                changes.dead.push(lost);
            }
            ItemError::Stop => {
                let place = self.tracker().mark(lost.of.first()).place;
                let words = lost.of.words(&self.places, place);
                let attempts =
                    if lost.attempts > 1 { format!(" after {} attempts", lost.attempts) } else { String::new() };
                let message = format!("{words} failed in stage `{}`{attempts}: {}", lost.stage, failure.message);
                let mut failure = Failure { message, ..failure };
                failure.help.get_or_insert_with(|| {
                    "with `on_error: \"skip\"` or `\"dead_letter\"` the others go on; what is acknowledged is not processed again when the run is resumed".into()
                });
                self.fail(group, lost.of.first(), failure);
                return false;
            }
        }
        true
    }

    /// The pipeline fails. What stands before the group that has failed stops, the source included; what is behind it comes to
    /// its end.
    pub fn fail(&self, group: Option<usize>, offset: u64, failure: Failure) {
        let mut trouble = lock(&self.trouble);
        if trouble.as_ref().is_none_or(|(earlier, _)| offset < *earlier) {
            *trouble = Some((offset, failure));
        }
        drop(trouble);
        self.stop_reading();
        if let Some(group) = group {
            self.queues[..=group].iter().for_each(Queue::halt);
        }
        self.halt.ring();
    }

    /// Why it fails.
    pub fn take_trouble(&self) -> Option<Failure> {
        lock(&self.trouble).take().map(|(_, failure)| failure)
    }

    /// Does it fail?
    pub fn is_failing(&self) -> bool {
        lock(&self.trouble).is_some()
    }

    /// Nothing more is read.
    pub fn stop_reading(&self) {
        self.source_stop.set();
        // Under the lock, so that it is seen before the source's thread waits.
        let _tracker = self.tracker();
        self.room.notify_all();
    }

    /// Everything ends at once.
    pub fn end_now(&self) {
        self.hard.store(true, Ordering::SeqCst);
        self.stop_reading();
        self.queues.iter().for_each(Queue::halt);
        self.groups.iter().filter_map(|group| group.reorder.as_ref()).for_each(|reorder| reorder.give_up());
        for slot in lock(&self.slots).iter() {
            let _limit = slot.limit();
            slot.stop.set();
        }
        self.sink_stop.set();
        let _napping = lock(&self.napping);
        self.naps.notify_all();
    }

    /// Does everything end at once?
    pub fn is_ending_now(&self) -> bool {
        self.hard.load(Ordering::SeqCst)
    }

    /// A thread begins that calls what may take long.
    pub fn enlist(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        lock(&self.slots).push(slot.clone());
        if self.is_ending_now() {
            slot.stop.set();
        }
        slot
    }

    /// It is over with what was begun.
    pub fn disarm(&self, slot: &Slot) -> bool {
        slot.disarm(&self.hard)
    }

    /// Ends what takes too long.
    pub fn look_at_limits(&self) {
        let now = Instant::now();
        lock(&self.slots).iter().for_each(|slot| slot.look(now));
    }

    /// Waits so long, or until everything ends at once.
    pub fn nap(&self, time: Duration) {
        let napping = lock(&self.napping);
        let waits = |(): &mut ()| !self.is_ending_now();
        drop(self.naps.wait_timeout_while(napping, time, waits));
    }
}

/// The dead letters that come of what failed: one for each item of the source that failed by it.
pub(super) fn letters(tracker: &Tracker, places: &Places, lost: Lost) -> Entry {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let letter = |offset: &u64| DeadLetter {
        offset: *offset,
        place: places.word(tracker.mark(*offset).place),
        stage: lost.stage.clone(),
        item: tracker.origin(*offset).and_then(|item| item.to_json().ok()).unwrap_or(Json::Null),
        error: lost.error.clone(),
        attempts: lost.attempts,
        at,
    };
    let record = Record::Dead(lost.of.blamed().iter().map(letter).collect());
    Entry { of: lost.of, record }
}
