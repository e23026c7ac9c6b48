//! Where items go.

use std::sync::Arc;

use super::{Opening, Stop};
use crate::event::Failure;
use crate::lang::item::Item;
use crate::plan;

mod call;
mod collect;
mod command;
mod file;
mod form;
#[cfg(test)]
mod tests;

/// Takes items. Lives on a thread of its own.
pub(in crate::exec) trait Sink: Send {
    /// Takes an item. It may lie in a buffer until the next `flush`.
    ///
    /// # Errors
    /// The item cannot be taken, or nothing can.
    fn put(&mut self, item: &Item) -> Result<(), Trouble>;

    /// What was put is written now, so that it can be acknowledged. `sync`: it has to survive a loss of power. Gives how many
    /// bytes of its file are written in all (`Reached::written`); 0 without a file.
    ///
    /// # Errors
    /// It cannot be written.
    fn flush(&mut self, sync: bool) -> Result<u64, Failure>;

    /// All items were put and flushed: closes what is open, and waits for what has to end. What is dropped without this
    /// was given up.
    ///
    /// # Errors
    /// It ended badly.
    fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    /// Does it cut its file off at `Reached::written` when the pipeline goes on? Then all that came of an item is put
    /// together, and so stands in the file once.
    fn cuts(&self) -> bool {
        false
    }
}

/// Why an item was not taken.
#[derive(Debug)]
pub(in crate::exec) enum Trouble {
    /// It is the item: it failed in the stage `sink`.
    Item(Failure),
    /// Nothing more can be taken: the pipeline fails.
    Sink(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Sink(failure)
    }
}

/// Opens a sink. What stands in its file behind `at.reached.written` is cut off.
pub(in crate::exec) fn open<'a>(
    sink: &'a plan::Sink,
    at: &Opening<'a>,
    stop: &Arc<Stop>,
) -> Result<Box<dyn Sink + 'a>, Failure> {
    Ok(match sink {
        plan::Sink::Collect => Box::new(collect::Collect::open(at)?),
        plan::Sink::Discard => Box::new(collect::Discard),
        plan::Sink::Call(closure) => Box::new(call::Call::open(closure, at, stop)?),
        plan::Sink::File { path, format, append } => Box::new(file::File::open(path, format, *append, at)?),
        plan::Sink::Command { command, format } => Box::new(command::Command::open(command, format, at, stop)?),
    })
}
