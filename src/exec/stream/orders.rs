//! What a junction is told by those who run members, and how it is woken.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

use super::inlet::Left;
use super::kept::Kept;
use super::pipes::never_wait;

/// What a junction is told.
pub(super) enum Order {
    /// An attempt of a writer begins.
    Writes { writer: usize, pipe: PipeReader, kept: Kept },
    /// It has ended: what it wrote is to be taken, then this is to be told.
    Exited { writer: usize, killed: bool, reply: Sender<Left> },
    /// As far as it has been taken: it is being ended.
    Hurry { writer: usize },
    /// How it ended. `whole`: what it wrote is all that there is of it.
    Wrote { writer: usize, whole: bool },
    /// An attempt of a reader begins.
    Reads { reader: usize, pipe: PipeWriter },
    /// It ended. `done`: it needs nothing any more, otherwise it may begin again.
    Read { reader: usize, done: bool },
    /// The stream is over.
    Close,
}

/// The way to a junction.
pub(super) struct Handle(Arc<Orders>);

/// What has been told and not been taken yet.
pub(super) struct Orders {
    queue: Mutex<Vec<Order>>,
    /// Something is in the queue.
    any: AtomicBool,
    wake: PipeWriter,
}

impl Orders {
    /// None so far. What is given becomes readable when there are some.
    pub fn new() -> io::Result<(Arc<Self>, PipeReader)> {
        let (reader, wake) = io::pipe()?;
        never_wait(&reader)?;
        never_wait(&wake)?;
        Ok((Arc::new(Orders { queue: Mutex::default(), any: AtomicBool::new(false), wake }), reader))
    }

    /// Takes them, in their order.
    pub fn take(&self) -> Vec<Order> {
        match self.any.swap(false, Ordering::AcqRel) {
            true => std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner)),
            false => Vec::new(),
        }
    }
}

impl Handle {
    /// The way to who takes these.
    pub fn to(orders: Arc<Orders>) -> Self {
        Handle(orders)
    }

    /// Tells it something.
    pub fn tell(&self, order: Order) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        if !self.0.any.swap(true, Ordering::AcqRel) {
            // It never waits; if it is full, somebody has been woken.
            let _ = (&self.0.wake).write(&[0]);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tell(Order::Close);
    }
}
