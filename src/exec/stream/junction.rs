//! What stands between the members of one level and those of the next: all that the first write goes to all of the second.
//!
//! A thread of its own. It knows no process and waits for none; it is told when an attempt begins and how it ended:
//!
//! 1. It takes what it is told.
//! 2. It gives readers what waits for them.
//! 3. If every reader has room, it takes what writers have written.
//! 4. It sees to ends: readers hear of the end when all writers are at their good end, writers when nobody reads any more.
//! 5. If nothing moved, it sleeps until something can.
//!
//! From one writer to one reader bytes go untouched, and once the log has its part they do not pass through this process at
//! all (splice(2)). Where lines count, because several write, or the oldest are dropped, or a writer may be tried again,
//! whole lines are taken.

use std::io::{self, PipeReader, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::copy::drain;
use super::super::process::too_much;
use super::super::running::Running;
use super::inlet::{Exited, Inlet};
use super::kept::Kept;
use super::lines;
use super::orders::{Handle, Order, Orders};
use super::outlet::Outlet;
use super::pipes::{Moved, is_ready, pass};
use crate::event::{Failure, FailureKind};
use crate::plan::{Merge, Stream, unit};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// See the module's page.
pub(super) struct Junction {
    inlets: Vec<Inlet>,
    outlets: Vec<Outlet>,
    merge: Merge,
    /// Whole lines are taken.
    by_lines: bool,
    max_line: u64,
    linger: Duration,
    /// Nobody reads: all is for the log, which has whole lines only and no more than so many bytes of them.
    limit: Option<u64>,
    running: Arc<Running>,
    orders: Arc<Orders>,
    wake: PipeReader,
    buffer: Vec<u8>,
    batch: Vec<u8>,
    merged: Vec<u8>,
    /// Whose turn it is.
    next: usize,
}

impl Junction {
    /// Begins.
    pub fn begin(
        inlets: Vec<Inlet>,
        outlets: Vec<Outlet>,
        by_lines: bool,
        stream: &Stream,
        limit: Option<u64>,
        running: Arc<Running>,
    ) -> io::Result<Handle> {
        let (orders, wake) = Orders::new()?;
        let junction = Junction {
            inlets,
            outlets,
            merge: stream.merge,
            by_lines,
            max_line: stream.max_line,
            linger: Duration::from_millis(stream.linger_ms),
            limit,
            running,
            orders: orders.clone(),
            wake,
            buffer: Vec::new(),
            batch: Vec::new(),
            merged: Vec::new(),
            next: 0,
        };
        thread::Builder::new().name("flow-stream".into()).stack_size(256 * 1024).spawn(move || junction.run())?;
        Ok(Handle::to(orders))
    }

    fn run(mut self) {
        while self.take_orders() {
            let mut moved = self.feed();
            if self.may_take() {
                moved |= self.take();
            }
            self.see_to_ends();
            if !moved {
                self.wait();
            }
        }
    }

    /// Gives false if the stream is over.
    fn take_orders(&mut self) -> bool {
        for order in self.orders.take() {
            match order {
                Order::Writes { writer, pipe, kept } => self.writes(writer, pipe, kept),
                Order::Exited { writer, killed, reply } => {
                    let inlet = &mut self.inlets[writer];
                    inlet.runs = false;
                    inlet.exited = Some(Exited { until: Instant::now() + self.linger, killed, reply });
                }
                Order::Hurry { writer } => self.inlets[writer].pipe = None,
                Order::Wrote { writer, whole } => {
                    let inlet = &mut self.inlets[writer];
                    (inlet.pipe, inlet.runs) = (None, false);
                    if whole {
                        self.last_line(writer);
                        self.inlets[writer].whole = true;
                    }
                }
                Order::Reads { reader, pipe } => self.outlets[reader].begin(pipe),
                Order::Read { reader, done } => {
                    self.outlets[reader].left(done);
                    self.end_unread();
                }
                Order::Close => return false,
            }
        }
        true
    }

    fn writes(&mut self, writer: usize, pipe: PipeReader, kept: Kept) {
        let unread = self.is_unread();
        let inlet = &mut self.inlets[writer];
        inlet.begin(pipe, kept);
        if unread {
            inlet.pipe = None;
            inlet.linger = Some(Instant::now() + self.linger);
        }
    }

    /// Do all readers need nothing any more?
    fn is_unread(&self) -> bool {
        !self.outlets.is_empty() && self.outlets.iter().all(Outlet::is_gone)
    }

    /// If nobody reads any more, writers are told so, as by any pipe.
    fn end_unread(&mut self) {
        if !self.is_unread() {
            return;
        }
        for inlet in &mut self.inlets {
            // Before its pipe is closed: it may end this moment.
            inlet.member.unread.store(true, Ordering::SeqCst);
            inlet.pipe = None;
            inlet.part = Vec::new();
            inlet.linger = inlet.runs.then(|| Instant::now() + self.linger);
        }
    }

    fn feed(&mut self) -> bool {
        let mut moved = false;
        for outlet in &mut self.outlets {
            moved |= outlet.feed();
            if let Some(error) = outlet.broken() {
                let message = format!("what was kept of the input of `{}` cannot be read: {error}", outlet.member.name);
                outlet.member.blame(Failure::new(FailureKind::Store, message).help("is its disk in order?"));
                outlet.pipe = None;
                self.running.kill(outlet.member.key(), true);
            }
        }
        moved
    }

    /// Does every reader have room, and does one of them read?
    fn may_take(&self) -> bool {
        self.outlets.is_empty() || self.outlets.iter().all(Outlet::has_room) && self.outlets.iter().any(Outlet::hears)
    }

    /// Takes what writers have written: one piece of each. Was there anything?
    fn take(&mut self) -> bool {
        let mut moved = false;
        for _ in 0..self.inlets.len() {
            if !self.may_take() {
                break;
            }
            // In turn, so that none has to wait for ever.
            let writer = self.next % self.inlets.len();
            self.next = writer + 1;
            moved |= if self.is_plain() { self.pass() } else { self.read(writer) };
        }
        moved
    }

    /// May bytes go from the writer to the reader past us?
    fn is_plain(&self) -> bool {
        let ([inlet], [outlet]) = (&*self.inlets, &*self.outlets) else { return false };
        !self.by_lines && outlet.is_plain() && inlet.kept.as_ref().is_none_or(Kept::is_full)
    }

    fn pass(&mut self) -> bool {
        let (inlet, outlet) = (&mut self.inlets[0], &mut self.outlets[0]);
        let (Some(from), Some(to)) = (&inlet.pipe, &outlet.pipe) else { return false };
        match pass(from, to) {
            Ok(Moved::Bytes(bytes)) => {
                let bytes = bytes as u64;
                inlet.member.bytes_out.add(bytes);
                outlet.member.bytes_in.add(bytes);
                inlet.kept.iter_mut().for_each(|kept| kept.passed(bytes));
                return true;
            }
            Ok(Moved::Nothing) => self.look_for_the_end(0),
            Ok(Moved::Unread) => outlet.deafen(),
            Ok(Moved::End) => inlet.pipe = None,
            // Not between these two, for whatever reason.
            Err(_) => return self.read(0),
        }
        false
    }

    fn read(&mut self, writer: usize) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(CHUNK, 0);
        let inlet = &mut self.inlets[writer];
        let read = inlet.pipe.as_mut().map(|pipe| pipe.read(&mut buffer));
        let moved = match read {
            None => false,
            Some(Ok(0)) => {
                inlet.pipe = None;
                true
            }
            Some(Ok(n)) => {
                self.took(writer, &buffer[..n]);
                true
            }
            Some(Err(error)) => match error.kind() {
                io::ErrorKind::Interrupted => true,
                io::ErrorKind::WouldBlock => {
                    self.look_for_the_end(writer);
                    false
                }
                _ => {
                    inlet.pipe = None;
                    true
                }
            },
        };
        self.buffer = buffer;
        moved
    }

    /// Nothing is there now. If the writer has ended, only what it has left behind may still write, and not for long.
    fn look_for_the_end(&mut self, writer: usize) {
        let inlet = &mut self.inlets[writer];
        if inlet.exited.as_ref().is_some_and(|exited| exited.until <= Instant::now())
            && inlet.pipe.as_ref().is_some_and(|pipe| !is_ready(pipe, PollFlags::IN))
            && let Some(pipe) = inlet.pipe.take()
        {
            drain(pipe);
        }
    }

    /// Bytes have come.
    fn took(&mut self, writer: usize, bytes: &[u8]) {
        let inlet = &mut self.inlets[writer];
        inlet.member.bytes_out.add(bytes.len() as u64);
        if let (Some(kept), None) = (&mut inlet.kept, self.limit) {
            kept.take(bytes);
        }
        if !self.by_lines {
            self.outlets.iter_mut().for_each(|outlet| outlet.give(bytes, 0));
            return;
        }
        let whole = lines::whole(bytes);
        if whole == 0 {
            inlet.part.extend_from_slice(bytes);
        } else {
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            batch.append(&mut inlet.part);
            batch.extend_from_slice(&bytes[..whole]);
            if bytes.len() > whole || inlet.part.capacity() > CHUNK {
                inlet.part = bytes[whole..].to_vec();
            }
            self.lines(writer, &batch);
            if batch.capacity() <= 2 * CHUNK {
                self.batch = batch;
            }
        }
        let inlet = &mut self.inlets[writer];
        if inlet.part.len() as u64 > self.max_line {
            self.too_long(writer);
        }
    }

    /// Whole lines have come.
    fn lines(&mut self, writer: usize, batch: &[u8]) {
        // Only what is longer in all can hold one that is too long.
        let long = if batch.len() as u64 > self.max_line { lines::too_long(batch, self.max_line) } else { None };
        let Some(good) = long else { return self.hand_on(writer, batch) };
        let mut length = 0;
        for _ in 0..good {
            length += lines::first(&batch[length..]).unwrap_or(0);
        }
        self.hand_on(writer, &batch[..length]);
        self.too_long(writer);
    }

    /// Gives whole lines to all readers.
    fn hand_on(&mut self, writer: usize, batch: &[u8]) {
        let several = self.inlets.len() > 1 && self.merge != Merge::Raw;
        let inlet = &mut self.inlets[writer];
        let count = lines::count(batch);
        let merged = if several {
            self.merged.clear();
            let mut rest = batch;
            while let Some(length) = lines::first(rest) {
                lines::merge(self.merge, &inlet.member.name, &rest[..length], &mut self.merged);
                rest = &rest[length..];
            }
            &self.merged
        } else {
            batch
        };
        self.outlets.iter_mut().for_each(|outlet| outlet.give(merged, count));
        if !inlet.member.is_filter {
            inlet.member.lines_out.add(count);
        }
        if inlet.member.by_lines && !inlet.member.is_filter {
            inlet.member.answered.add(count);
        }
        if let (Some(limit), Some(kept)) = (self.limit, &mut inlet.kept) {
            kept.take(merged);
            if kept.is_over() {
                inlet.member.blame(too_much(&inlet.member.name, "standard output", limit));
                inlet.pipe = None;
                self.running.kill(inlet.member.key(), false);
            }
        }
    }

    /// A writer is at its good end: a line without a newline is its last.
    fn last_line(&mut self, writer: usize) {
        let mut part = std::mem::take(&mut self.inlets[writer].part);
        if part.is_empty() || self.limit.is_some() {
            return;
        }
        if self.inlets.len() > 1 {
            part.push(b'\n');
            return self.hand_on(writer, &part);
        }
        // Untouched: nothing comes behind it.
        self.inlets[writer].member.lines_out.add(1);
        self.outlets.iter_mut().for_each(|outlet| outlet.give(&part, 1));
    }

    /// A writer has written a line that is too long. It writes nothing more.
    fn too_long(&mut self, writer: usize) {
        let inlet = &mut self.inlets[writer];
        let name = &inlet.member.name;
        let number = inlet.member.lines_out.get() + 1;
        let message =
            format!("`{name}` wrote a line (line {number}) that is longer than {}", unit::show_bytes(self.max_line));
        let failure = Failure::new(FailureKind::TooMuch, message);
        inlet.member.blame(failure.help(
            "`max_line` of the stream says how long one may be; a writer is read by lines where several write, where lines may be dropped, and where it has `retry`",
        ));
        inlet.pipe = None;
        inlet.part = Vec::new();
        self.running.kill(inlet.member.key(), false);
    }

    fn see_to_ends(&mut self) {
        let now = Instant::now();
        let nobody_reads = !self.outlets.is_empty() && self.outlets.iter().all(|outlet| outlet.pipe.is_none());
        for inlet in &mut self.inlets {
            if inlet.exited.as_ref().is_some_and(|exited| exited.killed && (nobody_reads || exited.until <= now)) {
                inlet.pipe = None;
            }
            inlet.settle(self.limit.is_some());
            if inlet.linger.is_some_and(|linger| linger <= now) {
                inlet.linger = None;
                if inlet.runs {
                    self.running.kill(inlet.member.key(), false);
                }
            }
        }
        if self.inlets.iter().all(|inlet| inlet.whole) {
            self.outlets.iter_mut().for_each(Outlet::end);
        }
    }

    /// Sleeps until something can move, or is told.
    fn wait(&mut self) {
        let may_take = self.may_take();
        let mut readers = Vec::with_capacity(2);
        let mut writers = Vec::with_capacity(2);
        if may_take && self.is_plain() {
            // Bytes move when there are some and there is room for them: wait for what is missing.
            let (inlet, outlet) = (&self.inlets[0], &self.outlets[0]);
            match (&inlet.pipe, &outlet.pipe) {
                (Some(from), Some(to)) if is_ready(from, PollFlags::IN) => writers.push(to),
                (Some(from), Some(_)) => readers.push(from),
                _ => {}
            }
        } else if may_take {
            readers.extend(self.inlets.iter().filter_map(|inlet| inlet.pipe.as_ref()));
        }
        writers.extend(
            self.outlets.iter().filter(|outlet| outlet.wants_to_write()).filter_map(|outlet| outlet.pipe.as_ref()),
        );
        let lingers = self.inlets.iter().filter_map(|inlet| inlet.linger);
        let leftovers = self.inlets.iter().filter_map(|inlet| {
            // What is still there has to be taken first, however long that takes.
            let empty = may_take && inlet.pipe.as_ref().is_some_and(|pipe| !is_ready(pipe, PollFlags::IN));
            let exited = inlet.exited.as_ref().filter(|_| inlet.pipe.is_some());
            exited.filter(|exited| exited.killed || empty).map(|exited| exited.until)
        });
        let until = lingers.chain(leftovers).min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        let left = left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) });
        let mut polled = vec![PollFd::new(&self.wake, PollFlags::IN)];
        polled.extend(readers.into_iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        polled.extend(writers.into_iter().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        // An interrupted sleep is one that ended early.
        let _ = poll(&mut polled, left.as_ref());
        if !polled[0].revents().is_empty() {
            drop(polled);
            // What was told is in the queue; these bytes only woke us.
            let _ = self.wake.read(&mut [0; 64]);
        }
    }
}
