//! The thread that reads the source.

use std::sync::atomic::Ordering;

use super::crew::CHUNK;
use super::gauge::add;
use super::parcel::{Of, Parcel};
use super::shared::{Changes, Lost, Shared};
use super::source::{Bad, Next, Source, Sourced};
use crate::event::{Failure, FailureKind};
use crate::lang::item::Item;

/// Reads the source to its end, or until it is to stop.
pub(super) fn feed(shared: &Shared, mut source: Box<dyn Source + '_>) {
    let portion = shared.queues[0].portion().min(CHUNK);
    let mut got = Vec::new();
    while shared.may_read() {
        let read = shared.tracker().next();
        let left = shared.pipeline.take.map_or(u64::MAX, |take| take.saturating_sub(read));
        let most = portion.min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            shared.at_end.store(true, Ordering::Relaxed);
            return;
        }
        let next = source.next(most, &mut got);
        let went_on = pass_on(shared, &mut got, &*source);
        match next {
            Ok(Next::More) if went_on => {}
            Ok(Next::End) if went_on && !shared.source_stop.is_set() => {
                shared.at_end.store(true, Ordering::Relaxed);
                return;
            }
            Ok(_) => return,
            Err(_) if shared.source_stop.is_set() => return,
            Err(failure) => {
                let message = format!("the source of the pipeline failed: {}", failure.message);
                // Before the call: it looks into the books itself.
                let at = shared.tracker().next();
                return shared.fail(None, at, Failure { message, ..failure });
            }
        }
    }
}

/// Writes items into the books and hands them on. False: nothing more is to come.
fn pass_on(shared: &Shared, got: &mut Vec<Sourced>, source: &dyn Source) -> bool {
    let mut parcels = Vec::with_capacity(got.len());
    let mut bad: Vec<(u64, usize, String)> = Vec::new();
    let many = got.len();
    let mut tracker = shared.tracker();
    for sourced in got.drain(..) {
        let Sourced { offset, mark, item } = sourced;
        let kept = |item: &Item| shared.keeps.then(|| item.clone());
        match item {
            Ok(item) => {
                if tracker.read(offset, mark, kept(&item)) {
                    parcels.push(Parcel { of: Of::One(offset), item });
                }
            }
            Err(Bad { raw, why }) => {
                if tracker.read(offset, mark, kept(&raw)) {
                    bad.push((offset, parcels.len(), why));
                }
            }
        }
    }
    tracker.read_upto(source.mark());
    drop(tracker);
    add(&shared.gauges[0].came, many);
    let mut changes = Changes::default();
    let mut goes_on = true;
    for (offset, before, why) in bad {
        let failure = Failure::new(FailureKind::Input, why.clone());
        let lost = Lost { of: Of::One(offset), stage: "source".into(), error: why, attempts: 1 };
        if !shared.failed(None, 0, &mut changes, lost, failure) {
            parcels.truncate(before);
            goes_on = false;
            break;
        }
    }
    shared.settle(&mut changes);
    add(&shared.gauges[0].went, parcels.len());
    shared.pass_on(0, parcels) && goes_on
}
