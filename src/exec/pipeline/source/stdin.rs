//! flow's own standard input. What was read of it is kept, for nobody can read it again.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::patient::Patient;
use super::pull::{Pull, mark_of};
use super::records::{At, Records, places};
use super::spool::{Entry, Spool};
use super::{Mark, Next, Opening, Places, Source, Sourced, Stop};
use crate::event::{Failure, FailureKind};
use crate::plan::Format;

/// Bytes that an attempt has read of it without using them: the next one of this process begins with these.
static LEFT: Mutex<Option<Left>> = Mutex::new(None);

struct Left {
    bytes: Vec<u8>,
    at: At,
}

/// See the module's page.
pub(super) struct Stdin {
    spool: Spool,
    offset: u64,
    live: Pull<Kept>,
    /// What was read and not used.
    unused: Arc<Mutex<Vec<u8>>>,
    used: u64,
    format: Format,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stdin {
    pub fn open(format: &Format, at: &Opening, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let spool = Spool::open(at, mark_of(at.reached).from)?;
        let file = io::stdin().as_fd().try_clone_to_owned().map(fs::File::from).map_err(|error| unreadable(&error))?;
        let left = lock(&LEFT).take().unwrap_or(Left { bytes: Vec::new(), at: At::default() });
        let (begin, used) = (left.at.clone(), left.at.byte);
        let unused: Arc<Mutex<Vec<u8>>> = Arc::default();
        let reader = Kept { left: left.bytes, inner: Patient::new(file, stop.clone()), handed: unused.clone() };
        let live = Pull::new(Records::new(reader, format, begin), 0);
        Ok(Stdin { spool, offset: at.reached.upto, live, unused, used, format: format.clone() })
    }
}

impl Source for Stdin {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let before = into.len();
        while into.len() - before < most
            && let Some((from, entry)) = self.spool.next()?
        {
            into.extend(entry.sourced(from, self.offset).inspect(|_| self.offset += 1));
        }
        if into.len() > before {
            return Ok(Next::More);
        }
        let next = self.live.next(most, into, true).map_err(|error| unreadable(&error))??;
        for sourced in &mut into[before..] {
            sourced.offset = self.offset;
            self.offset += 1;
            sourced.mark.from = self.spool.add(&Entry::of(sourced.mark.place, &sourced.item)?)?;
        }
        self.spool.flush()?;
        let used = self.live.mark().from;
        let mut unused = lock(&self.unused);
        let done = usize::try_from(used - self.used).unwrap_or(usize::MAX).min(unused.len());
        unused.drain(..done);
        self.used = used;
        Ok(next)
    }

    fn mark(&self) -> Mark {
        Mark { from: self.spool.at(), place: self.live.mark().place }
    }

    fn places(&self) -> Places {
        places(&self.format, "standard input")
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut *lock(&self.unused));
        *lock(&LEFT) = Some(Left { bytes, at: self.live.records.at() });
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Input, format!("standard input cannot be read: {error}"))
        .help("pipe something into flow, or name a file: `lines(\"file\")`")
}

/// Keeps what it hands out until it is known to be used.
struct Kept {
    left: Vec<u8>,
    inner: Patient<fs::File>,
    handed: Arc<Mutex<Vec<u8>>>,
}

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = if self.left.is_empty() {
            self.inner.read(buffer)?
        } else {
            let n = self.left.len().min(buffer.len());
            buffer[..n].copy_from_slice(&self.left[..n]);
            self.left.drain(..n);
            n
        };
        lock(&self.handed).extend_from_slice(&buffer[..n]);
        Ok(n)
    }
}
