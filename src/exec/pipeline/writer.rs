//! The thread that hands items to the sink, writes dead letters, and acknowledges both.

use std::path::Path;
use std::time::{Duration, Instant};

use super::crew::CHUNK;
use super::gauge::add;
use super::ledger::{Entry, Ledger, Record};
use super::lines::LineFile;
use super::parcel::Of;
use super::queue::Taken;
use super::shared::{Changes, Lost, Shared, letters};
use super::sink::{Sink, Trouble};
use crate::event::{DeadLetter, Failure, FailureKind};

/// What was put is acknowledged after so long at the latest.
const SOON: Duration = Duration::from_millis(20);

/// See the module's page.
pub(super) struct Writer<'s, 'a> {
    shared: &'s Shared<'a>,
    sink: Box<dyn Sink + 'a>,
    ledger: Ledger,
    /// The file of dead letters; opened with the first.
    dead: Option<LineFile>,
    /// Have files to survive a loss of power?
    sync: bool,
    pending: Pending,
    flushed: Instant,
}

/// What was put and is not acknowledged.
#[derive(Default)]
struct Pending {
    ends: Vec<Of>,
    delivered: u64,
    dead: u64,
    skipped: u64,
}

impl<'s, 'a> Writer<'s, 'a> {
    /// Of this sink.
    pub fn new(shared: &'s Shared<'a>, sink: Box<dyn Sink + 'a>) -> Self {
        Writer {
            shared,
            ledger: Ledger::new(sink.cuts()),
            sink,
            dead: None,
            sync: shared.opening.around.keep.full,
            pending: Pending::default(),
            flushed: Instant::now(),
        }
    }

    /// Works until nothing more comes. What was put is acknowledged in any case.
    pub fn work(mut self) -> Result<(), Failure> {
        let queue = self.shared.last_queue();
        let mut parcels = Vec::new();
        let mut out = Vec::new();
        loop {
            let taken = queue.take(CHUNK, 1, &mut parcels);
            let mut tracker = self.shared.tracker();
            for letter in self.shared.take_dead() {
                self.ledger.arrive(&mut tracker, letter, &mut out);
            }
            self.ledger.settle(&mut tracker, &mut out);
            add(&self.shared.gauges[self.shared.gauges.len() - 1].came, parcels.len());
            for parcel in parcels.drain(..) {
                let entry = Entry { of: parcel.of, record: Record::Item(parcel.item) };
                self.ledger.arrive(&mut tracker, entry, &mut out);
            }
            drop(tracker);
            let put = self.put(&mut out);
            let is_over = !matches!(taken, Taken::Chunk(_) | Taken::Nudged);
            if is_over || put.is_err() || queue.waiting() == 0 || self.flushed.elapsed() >= SOON {
                self.flush()?;
            }
            match put {
                Err(Trouble::Sink(failure)) => return Err(failure),
                // It was told already.
                Err(Trouble::Item(_)) => return Ok(()),
                Ok(()) => {}
            }
            match taken {
                Taken::Closed => return if self.shared.is_failing() { Ok(()) } else { self.sink.finish() },
                Taken::Halted => return Ok(()),
                Taken::Chunk(_) | Taken::Nudged => {}
            }
        }
    }

    /// Puts all of these. An error about an item is one by which the pipeline fails.
    fn put(&mut self, out: &mut Vec<Entry>) -> Result<(), Trouble> {
        let gauge = self.shared.gauges.len() - 1;
        let begun = Instant::now();
        let mut many = 0;
        for Entry { of, record } in out.drain(..) {
            match record {
                Record::Dead(letters) => letters.iter().try_for_each(|letter| self.bury(letter))?,
                Record::Item(item) => match self.sink.put(&item) {
                    Ok(()) => {
                        many += 1;
                        self.pending.delivered += 1;
                    }
                    Err(Trouble::Item(failure)) => self.refused(gauge, &of, failure)?,
                    Err(trouble) => return Err(trouble),
                },
            }
            self.pending.ends.push(of);
        }
        let gauge = &self.shared.gauges[gauge];
        add(&gauge.went, many);
        gauge.took(begun.elapsed() / (many.max(1) as u32), many);
        Ok(())
    }

    /// The sink does not take an item.
    fn refused(&mut self, gauge: usize, of: &Of, failure: Failure) -> Result<(), Trouble> {
        if self.shared.is_ending_now() {
            return Err(Trouble::Item(failure));
        }
        let lost = Lost { of: of.clone(), stage: "sink".into(), error: failure.message.clone(), attempts: 1 };
        let mut changes = Changes::default();
        let group = Some(self.shared.groups.len());
        let told = Trouble::Item(failure.clone());
        if !self.shared.failed(group, gauge, &mut changes, lost, failure) {
            return Err(told);
        }
        // What is left of it is acknowledged with what was put.
        self.pending.skipped += changes.ends.len() as u64 * of.blamed().len() as u64;
        for lost in changes.dead {
            let entry = letters(&self.shared.tracker(), &self.shared.places, lost);
            if let Record::Dead(letters) = entry.record {
                letters.iter().try_for_each(|letter| self.bury(letter))?;
            }
        }
        Ok(())
    }

    /// Writes a dead letter.
    fn bury(&mut self, letter: &DeadLetter) -> Result<(), Failure> {
        let opening = self.shared.opening;
        if self.dead.is_none() {
            let path = opening.path(&opening.dead_letters());
            self.dead = Some(LineFile::open(&path, opening.reached.dead_bytes)?);
        }
        let Some(file) = &mut self.dead else { return Ok(()) };
        let mask = opening.mask();
        file.add(|line| {
            let mut value = serde_json::to_value(letter).map_err(|error| {
                Failure::new(FailureKind::Store, format!("a dead letter cannot be written: {error}"))
            })?;
            if let Some(mask) = &mask {
                mask.json(&mut value);
            }
            line.extend_from_slice(value.to_string().as_bytes());
            Ok(())
        })?;
        file.spill()?;
        self.pending.dead += 1;
        Ok(())
    }

    /// Writes what was put, and acknowledges it.
    fn flush(&mut self) -> Result<(), Failure> {
        self.flushed = Instant::now();
        if self.pending.ends.is_empty() {
            return Ok(());
        }
        let written = self.sink.flush(self.sync)?;
        let dead = self.dead.as_mut().map(|file| file.flush(self.sync)).transpose()?;
        let mut tracker = self.shared.tracker();
        tracker.written = written;
        tracker.dead_bytes = dead.unwrap_or(tracker.dead_bytes);
        tracker.counts.delivered += self.pending.delivered;
        tracker.counts.dead += self.pending.dead;
        tracker.counts.skipped += self.pending.skipped;
        self.pending.ends.drain(..).for_each(|of| tracker.release(&of));
        (self.pending.delivered, self.pending.dead, self.pending.skipped) = (0, 0, 0);
        self.shared.changed(tracker);
        Ok(())
    }
}

/// Cuts the file of dead letters off where the pipeline goes on, if it is there.
pub(super) fn cut(path: &Path, bytes: u64) -> Result<(), Failure> {
    if path.exists() || bytes > 0 { LineFile::open(path, bytes).map(drop) } else { Ok(()) }
}
