//! A thread that works on items: one of those of a group of stages.
//!
//! - Take a chunk, or a batch, from the queue before the group.
//! - Let it through one stage after the other.
//! - Write what became of it into the books.
//! - Hand what goes on to the next queue, in order if the stage says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff;
use super::gauge::add;
use super::group::Group;
use super::hand::Hand;
use super::parcel::{Of, Parcel};
use super::queue::Taken;
use super::shared::{Changes, Lost, Shared, Slot};
use super::tracker::Fate;
use super::work::{Given, Input, Which};
use crate::event::{Failure, FailureKind};
use crate::plan::Stage;

/// Most items of a chunk.
pub(super) const CHUNK: usize = 256;

/// The same where items leave this process: one that takes long would keep the others of its chunk from another thread.
const SMALL_CHUNK: usize = 16;

/// A chunk should not take longer than this: what is done in it waits for the rest.
const SLOW: Duration = Duration::from_millis(4);

/// An item that takes longer than this is worth being measured by itself.
const MEASURED: Duration = Duration::from_micros(2);

/// See the module's page.
pub(super) struct Crew<'s, 'a> {
    shared: &'s Shared<'a>,
    group: &'s Group<'a>,
    /// The place of the group.
    place: usize,
    hands: Vec<Hand<'a>>,
    slot: Arc<Slot>,
    changes: Changes,
    /// How many items are taken at once.
    most: usize,
    /// How long an item took lately, in each stage.
    lately: Vec<Duration>,
    micros: Vec<u64>,
    spare: Vec<Parcel>,
}

/// How a chunk went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    Whole,
    /// An item in it has failed, and the pipeline fails by it.
    Stopped,
    /// Everything ends at once.
    GivenUp,
}

impl<'s, 'a> Crew<'s, 'a> {
    /// The `nth` thread of a group.
    pub fn open(shared: &'s Shared<'a>, place: usize, nth: u32) -> Result<Self, Failure> {
        let group = &shared.groups[place];
        let slot = shared.enlist();
        let hands = group.stages.iter().map(|stage| Hand::open(shared, stage, &slot.stop, nth));
        Ok(Crew {
            shared,
            group,
            place,
            hands: hands.collect::<Result<_, _>>()?,
            slot,
            changes: Changes::default(),
            most: 1,
            lately: vec![Duration::ZERO; group.stages.len()],
            micros: Vec::new(),
            spare: Vec::new(),
        })
    }

    /// Works until nothing more comes.
    pub fn work(mut self) -> Result<(), Failure> {
        let queue = &self.shared.queues[self.place];
        let mut parcels = Vec::new();
        loop {
            let taken = match self.group.batch {
                None => queue.take(self.most, self.group.threads as usize, &mut parcels),
                Some((size, timeout)) => queue.take_batch(size, timeout, &mut parcels),
            };
            let number = match taken {
                Taken::Chunk(number) => number,
                Taken::Nudged => continue,
                Taken::Closed => break,
                Taken::Halted => return Ok(()),
            };
            let begun = Instant::now();
            let many = parcels.len();
            let through = match self.group.batch {
                None => self.chunk(&mut parcels),
                Some(_) => self.batch(&mut parcels),
            };
            if through == Through::GivenUp {
                return Ok(());
            }
            let time = begun.elapsed();
            if time > SLOW {
                self.most = (many / 2).max(1);
            } else if many >= self.most && time < SLOW / 4 {
                let is_light = self.group.stages[0].work.is_closure();
                self.most = (self.most * 2).min(if is_light { CHUNK } else { SMALL_CHUNK });
            }
            if !self.pass_on(number, std::mem::take(&mut parcels), through) || through == Through::Stopped {
                return Ok(());
            }
            parcels = std::mem::take(&mut self.spare);
        }
        self.hands.into_iter().try_for_each(Hand::finish)
    }

    fn pass_on(&self, number: u64, parcels: Vec<Parcel>, through: Through) -> bool {
        let next = self.place + 1;
        match &self.group.reorder {
            None => self.shared.pass_on(next, parcels),
            Some(reorder) => {
                let pass_on = &mut |parcels| self.shared.pass_on(next, parcels);
                reorder.done(number, parcels, through == Through::Stopped, pass_on);
                true
            }
        }
    }

    /// Lets single items through all stages. What goes on stands in `parcels` then.
    fn chunk(&mut self, parcels: &mut Vec<Parcel>) -> Through {
        let mut through = Through::Whole;
        for place in 0..self.hands.len() {
            if parcels.is_empty() {
                break;
            }
            match self.stage(place, parcels) {
                Through::Whole => {}
                Through::Stopped => through = Through::Stopped,
                Through::GivenUp => return Through::GivenUp,
            }
        }
        self.shared.settle(&mut self.changes);
        through
    }

    /// Lets single items through a stage.
    fn stage(&mut self, place: usize, parcels: &mut Vec<Parcel>) -> Through {
        let stage = &self.group.stages[place];
        let gauge = self.group.first + place + 1;
        let many = parcels.len();
        let each = many <= 16 || self.lately[place] >= MEASURED;
        let is_plain = stage.retry.is_none() && stage.timeout_ms.is_none();
        let mut out = std::mem::take(&mut self.spare);
        let mut through = Through::Whole;
        let mut done = 0;
        let begun = Instant::now();
        let mut last = begun;
        for Parcel { of, item } in parcels.drain(..) {
            if self.shared.is_ending_now() {
                return Through::GivenUp;
            }
            let which = Which { offset: of.first() };
            let given = match is_plain {
                true => self.hands[place].call(Input::One(item), which).map_err(|failure| (failure, 1)),
                false => self.carefully(place, stage, Input::One(item), which.offset),
            };
            done += 1;
            if each {
                let now = Instant::now();
                self.micros.push(now.duration_since(last).as_micros() as u64);
                last = now;
            }
            match given {
                Ok(Given::One(item)) => out.push(Parcel { of, item }),
                Ok(given) => self.given(given, of, &mut out),
                Err((failure, attempts)) => match self.failed(place, of, failure, attempts) {
                    Through::Whole => {}
                    other => {
                        through = other;
                        break;
                    }
                },
            }
        }
        parcels.clear();
        let time = begun.elapsed();
        self.lately[place] = time / done.max(1);
        let gauge = &self.shared.gauges[gauge];
        match each {
            true => gauge.took_all(&mut self.micros),
            false => gauge.took(self.lately[place], done as usize),
        }
        add(&gauge.came, done as usize);
        add(&gauge.went, out.len());
        self.spare = std::mem::replace(parcels, out);
        through
    }

    /// Puts what came of an item behind `out`.
    fn given(&mut self, given: Given, of: Of, out: &mut Vec<Parcel>) {
        match given {
            Given::Nothing => self.changes.ends.push((of, Fate::Filtered)),
            Given::One(item) => out.push(Parcel { of, item }),
            Given::Many(items) if items.is_empty() => self.changes.ends.push((of, Fate::Filtered)),
            Given::Many(items) => {
                if items.len() > 1 {
                    self.changes.adds.push((of.clone(), items.len() as u32 - 1));
                }
                let parts = of.parts(items.len());
                out.extend(items.into_iter().zip(parts).map(|(item, of)| Parcel { of, item }));
            }
        }
    }

    fn failed(&mut self, place: usize, of: Of, failure: Failure, attempts: u32) -> Through {
        if self.shared.is_ending_now() {
            return Through::GivenUp;
        }
        let gauge = self.group.first + place + 1;
        let stage = self.group.stages[place].name.to_string();
        // A program's exit code says little without its last words.
        let last = |help: &&String| failure.kind == FailureKind::Exit && help.starts_with("its last words");
        let words = failure.help.as_ref().filter(last);
        let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
        let lost = Lost { of, stage, error: format!("{}{words}", failure.message), attempts };
        match self.shared.failed(Some(self.place), gauge, &mut self.changes, lost, failure) {
            true => Through::Whole,
            false => Through::Stopped,
        }
    }

    /// Lets a batch through the stage. What goes on stands in `parcels` then.
    fn batch(&mut self, parcels: &mut Vec<Parcel>) -> Through {
        let stage = &self.group.stages[0];
        let gauge = &self.shared.gauges[self.group.first + 1];
        let many = parcels.len();
        let of = Of::join(parcels);
        let input = Input::Batch(parcels.drain(..).map(|parcel| parcel.item).collect());
        let begun = Instant::now();
        let given = self.carefully(0, stage, input, of.first());
        gauge.took(begun.elapsed(), many);
        add(&gauge.came, many);
        let through = match given {
            Ok(given) => {
                let mut out = std::mem::take(parcels);
                self.given(given, of, &mut out);
                *parcels = out;
                Through::Whole
            }
            Err((failure, attempts)) => self.failed(0, of, failure, attempts),
        };
        add(&self.shared.gauges[self.group.first + 1].went, parcels.len());
        if through != Through::GivenUp {
            self.shared.settle(&mut self.changes);
        }
        through
    }

    /// Does the work for an item, or a batch, as often as it has to be done, and in the time it may take. Gives the number of
    /// attempts with a failure.
    fn carefully(&mut self, place: usize, stage: &Stage, input: Input, offset: u64) -> Result<Given, (Failure, u32)> {
        let most = stage.retry.as_ref().map_or(1, |retry| retry.max_attempts.max(1));
        let mut attempt = 1;
        let mut input = Some(input);
        loop {
            let this = if attempt < most { input.clone() } else { input.take() };
            let Some(this) = this else {
                return Err((Failure::new(FailureKind::Cancelled, "it was ended before it was done"), attempt));
            };
            let failure = match self.in_time(place, stage, this, Which { offset }) {
                Ok(given) => return Ok(given),
                Err(failure) => failure,
            };
            if attempt >= most || self.shared.is_ending_now() {
                return Err((failure, attempt));
            }
            if let Some(retry) = &stage.retry {
                let asked = failure.retry_after_ms.map_or(Duration::ZERO, Duration::from_millis);
                self.shared.nap(backoff::delay(retry, attempt, backoff::draw(offset, attempt)).max(asked));
            }
            if self.shared.is_ending_now() {
                return Err((failure, attempt));
            }
            add(&self.shared.gauges[self.group.first + place + 1].retried, 1);
            attempt += 1;
        }
    }

    fn in_time(&mut self, place: usize, stage: &Stage, input: Input, which: Which) -> Result<Given, Failure> {
        let Some(ms) = stage.timeout_ms else { return self.hands[place].call(input, which) };
        self.slot.arm(Duration::from_millis(ms));
        let given = self.hands[place].call(input, which);
        let expired = self.shared.disarm(&self.slot);
        match given {
            Err(_) if expired => {
                let message = format!("it took longer than {}", spelled(ms));
                Err(Failure::new(FailureKind::Timeout, message)
                    .help("a longer `timeout` for the stage gives it more time"))
            }
            other => other,
        }
    }
}

/// A time as a person would write it.
fn spelled(ms: u64) -> String {
    match ms.is_multiple_of(1_000) {
        true => format!("{}s", ms / 1_000),
        false => format!("{ms}ms"),
    }
}
