//! What goes to one reader.

use std::collections::VecDeque;
use std::io::{self, PipeWriter, Write};
use std::sync::Arc;

use super::lines;
use super::member::Member;
use super::spool::Spool;

/// How far what is kept on disk for a reader may be ahead of it, in bytes.
const AHEAD: u64 = 1 << 20;

/// How much is taken at once from lines that may be dropped: what is taken can no longer be.
const BATCH: usize = 4 << 10;

/// See the module's page.
pub(super) struct Outlet {
    pub member: Arc<Member>,
    /// The end that we write to. Nothing: it does not read now.
    pub pipe: Option<PipeWriter>,
    /// It needs nothing any more: it has ended well, or what it does is of no interest.
    gone: bool,
    /// It has closed its end, but goes on.
    deaf: bool,
    /// What is to be written next, and how much of it has been.
    pending: Vec<u8>,
    at: usize,
    /// Lines that wait, of which the oldest are dropped.
    queue: Option<Queue>,
    /// All that it is given, should it begin again.
    spool: Option<Spool>,
    /// What comes after all that is in the spool, which takes nothing more.
    late: Option<Vec<u8>>,
    /// What is kept for it cannot be read: it gets nothing more, and no end.
    broken: Option<io::Error>,
}

struct Queue {
    lines: VecDeque<Vec<u8>>,
    most: usize,
}

impl Outlet {
    /// `most`: so many lines wait for it, then the oldest are dropped; nothing: who writes waits.
    pub fn new(member: Arc<Member>, most: Option<usize>, spool: Option<Spool>) -> Self {
        let queue = most.map(|most| Queue { lines: VecDeque::new(), most: most.max(1) });
        Outlet {
            member,
            pipe: None,
            gone: false,
            deaf: false,
            pending: Vec::new(),
            at: 0,
            queue,
            spool,
            late: None,
            broken: None,
        }
    }

    /// An attempt begins. A further one is given again what is not answered.
    pub fn begin(&mut self, pipe: PipeWriter) {
        self.rewind();
        self.deaf = false;
        self.pipe = (!self.gone).then_some(pipe);
    }

    fn rewind(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        self.pending.clear();
        self.at = 0;
        let answered = self.member.by_lines.then(|| self.member.answered.get());
        if let Err(error) = spool.rewind(answered) {
            self.broken.get_or_insert(error);
        }
    }

    /// The attempt has ended. `well`: it needs nothing any more.
    pub fn left(&mut self, well: bool) {
        self.pipe = None;
        self.deaf = false;
        if well {
            self.gone = true;
            self.pending = Vec::new();
            self.at = 0;
            self.spool = None;
            self.late = None;
            if let Some(queue) = &mut self.queue {
                queue.lines.clear();
            }
            self.member.waiting.set(0);
        }
    }

    /// Does it need nothing any more?
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// May bytes go to it past everything that is here?
    pub fn is_plain(&self) -> bool {
        self.pipe.is_some()
            && !self.gone
            && !self.deaf
            && self.queue.is_none()
            && self.spool.is_none()
            && self.late.is_none()
            && self.at == self.pending.len()
    }

    /// Does it read, or will it?
    pub fn hears(&self) -> bool {
        !self.gone && !self.deaf
    }

    /// Nobody reads what is written to it, though the process goes on.
    pub fn deafen(&mut self) {
        self.deaf = true;
        self.pipe = None;
        self.pending.clear();
        self.at = 0;
    }

    /// May more be given to it now?
    pub fn has_room(&self) -> bool {
        if self.gone || self.deaf || self.queue.is_some() {
            return true;
        }
        match (&self.late, &self.spool) {
            (Some(late), _) => late.is_empty(),
            (None, Some(spool)) => spool.waiting() < AHEAD,
            (None, None) => self.at == self.pending.len(),
        }
    }

    /// Is there something that could be written to it now?
    pub fn wants_to_write(&self) -> bool {
        self.pipe.is_some() && self.broken.is_none() && !self.is_empty()
    }

    /// Why it cannot be given what is kept for it.
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Has it been given all that there is?
    fn is_empty(&self) -> bool {
        self.at == self.pending.len()
            && self.queue.as_ref().is_none_or(|queue| queue.lines.is_empty())
            && self.spool.as_ref().is_none_or(|spool| spool.waiting() == 0)
            && self.late.as_ref().is_none_or(Vec::is_empty)
    }

    /// Nothing more will come: it is told so once it has been given all.
    pub fn end(&mut self) {
        if self.is_empty() && self.broken.is_none() {
            self.pipe = None;
        }
    }

    /// Gives it bytes. Where lines may be dropped, they are whole lines.
    pub fn give(&mut self, bytes: &[u8], count: u64) {
        if self.gone {
            return;
        }
        if self.queue.is_some() {
            return self.queue_up(bytes);
        }
        self.count(count);
        self.pass(bytes);
    }

    /// Whole lines, of which the oldest are dropped where they do not fit. A reader that has room gets them before.
    fn queue_up(&mut self, mut bytes: &[u8]) {
        if self.deaf && self.spool.is_none() {
            return;
        }
        let mut is_slow = false;
        while !bytes.is_empty() {
            let (line, rest) = bytes.split_at(lines::first(bytes).unwrap_or(bytes.len()));
            if !is_slow && self.queue.as_ref().is_some_and(Queue::is_full) {
                self.feed();
                is_slow = self.queue.as_ref().is_some_and(Queue::is_full);
            }
            if let Some(queue) = &mut self.queue {
                if queue.is_full() {
                    queue.lines.pop_front();
                    self.member.dropped.add(1);
                }
                queue.lines.push_back(line.to_vec());
            }
            bytes = rest;
        }
        self.member.waiting.set(self.queue.as_ref().map_or(0, |queue| queue.lines.len() as u64));
    }

    /// A closure counts by itself what it is given.
    fn count(&self, lines: u64) {
        if !self.member.is_filter {
            self.member.lines_in.add(lines);
        }
    }

    /// Bytes of which none is dropped.
    fn pass(&mut self, bytes: &[u8]) {
        if let Some(late) = &mut self.late {
            late.extend_from_slice(bytes);
        } else if let Some(spool) = &mut self.spool {
            if let Err((added, error)) = spool.add(bytes) {
                self.member.lose(format!("what it was given could not be kept for another attempt: {error}"));
                self.late = Some(bytes[added..].to_vec());
            }
        } else if !self.deaf {
            let mut bytes = bytes;
            if self.at == self.pending.len() {
                bytes = &bytes[self.write(bytes)..];
            }
            if !self.deaf {
                self.pending.extend_from_slice(bytes);
            }
        }
    }

    /// Writes what there is room for.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        let mut written = 0;
        while written < bytes.len() {
            match pipe.write(&bytes[written..]) {
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.deafen();
                    break;
                }
            }
        }
        self.member.bytes_in.add(written as u64);
        written
    }

    /// Writes what waits, as far as there is room. Did anything go on?
    pub fn feed(&mut self) -> bool {
        let mut any = false;
        while self.pipe.is_some() && self.broken.is_none() {
            if self.at == self.pending.len() && !self.refill() {
                break;
            }
            let pending = std::mem::take(&mut self.pending);
            let written = self.write(&pending[self.at..]);
            if self.pipe.is_none() {
                // Nobody reads any more.
                return true;
            }
            self.pending = pending;
            self.at += written;
            any |= written > 0;
            if let Some(spool) = &mut self.spool {
                spool.gave(written);
                if self.member.by_lines && spool.may_free() {
                    // It is only about room on the disk.
                    let _ = spool.answer(self.member.answered.get());
                }
            }
            if self.at < self.pending.len() {
                break;
            }
            if self.pending.capacity() > AHEAD as usize {
                self.pending = Vec::new();
                self.at = 0;
            }
        }
        any
    }

    /// Gets what is to be written next. Is there anything?
    fn refill(&mut self) -> bool {
        self.pending.clear();
        self.at = 0;
        if let Some(queue) = &mut self.queue
            && self.spool.as_ref().is_none_or(|spool| spool.waiting() == 0)
        {
            let mut batch = Vec::new();
            let mut count = 0;
            while batch.len() < BATCH
                && let Some(line) = queue.lines.pop_front()
            {
                batch.extend_from_slice(&line);
                count += 1;
            }
            self.member.waiting.set(queue.lines.len() as u64);
            self.count(count);
            match self.spool.is_some() {
                true if !batch.is_empty() => self.pass(&batch),
                true => {}
                false => self.pending = batch,
            }
        }
        if let Some(spool) = &self.spool
            && spool.waiting() > 0
        {
            if let Err(error) = spool.next(&mut self.pending) {
                self.broken = Some(error);
                self.pending.clear();
            }
        } else if let Some(late) = self.late.take() {
            // Everything in the spool has been given, and it will not be given again.
            self.spool = None;
            self.pending = late;
        }
        !self.pending.is_empty()
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.lines.len() >= self.most
    }
}
