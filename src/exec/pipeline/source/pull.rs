//! Taking items out of what is read, with their offsets.

use std::io::{self, Read};

use super::patient::stopped;
use super::records::Records;
use super::{Mark, Next, Sourced};
use crate::event::{Failure, Reached};

/// Where the source goes on, as it was written down.
pub(super) fn mark_of(reached: &Reached) -> Mark {
    let number = |n: usize| reached.place.get(n).and_then(serde_json::Value::as_u64).unwrap_or(0);
    Mark { from: number(0), place: number(1) }
}

/// See the module's page.
pub(super) struct Pull<R> {
    pub records: Records<R>,
    /// Of the next item.
    pub offset: u64,
    /// Items that are passed over first.
    passing: u64,
}

impl<R: Read> Pull<R> {
    /// The next item has this offset.
    pub fn new(records: Records<R>, offset: u64) -> Self {
        Pull { records, offset, passing: 0 }
    }

    /// It begins from the beginning: so many items are passed over.
    pub fn passing(records: Records<R>, offset: u64) -> Self {
        Pull { records, offset: 0, passing: offset }
    }

    /// See [`super::Source::next`]. `wait`: reading may have to wait, and then does so for the first item only.
    pub fn next(&mut self, most: usize, into: &mut Vec<Sourced>, wait: bool) -> io::Result<Result<Next, Failure>> {
        let before = into.len();
        while into.len() - before < most.max(1) {
            if wait && into.len() > before && !self.records.is_there() {
                break;
            }
            let (mark, item) = match self.records.next() {
                Ok(Ok(Some(record))) => record,
                Ok(Ok(None)) => return Ok(Ok(Next::End)),
                Ok(Err(failure)) => return Ok(Err(failure)),
                Err(error) if stopped(&error) => return Ok(Ok(Next::End)),
                // What came before is given first; the next time this comes again.
                Err(_) if into.len() > before => break,
                Err(error) => return Err(error),
            };
            let offset = self.offset;
            self.offset += 1;
            if self.passing > 0 {
                self.passing -= 1;
                continue;
            }
            into.push(Sourced { offset, mark, item });
        }
        Ok(Ok(Next::More))
    }

    /// Where the next one begins.
    pub fn mark(&self) -> Mark {
        self.records.mark()
    }
}
