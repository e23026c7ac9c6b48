//! What stages do that are not closures.

use std::sync::Arc;

use super::{Opening, Stop};
use crate::event::{Failure, FailureKind};
use crate::lang::item::Item;
use crate::plan::{Stage, StageWork};

mod command;
mod http;
#[cfg(test)]
mod tests;
mod worker;
mod workflow;

/// Works on items, one after the other. Lives on a thread of its own, one of `Stage::parallelism`.
pub(in crate::exec) trait Worker: Send {
    /// Works on an item, or a batch, and gives what goes on. Retries, timeouts and what a failure means are not its affair. It
    /// ends soon after its `Stop` is set, and can be called again after that.
    ///
    /// # Errors
    /// Why it failed for this item.
    fn work(&mut self, input: Input, which: Which) -> Result<Given, Failure>;

    /// Nothing more comes: ends what is still there. What is dropped without this was given up.
    ///
    /// # Errors
    /// It ended badly.
    fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

/// What a worker gets.
#[derive(Clone, Debug)]
pub(in crate::exec) enum Input {
    /// An item.
    One(Item),
    /// Several, since the stage has a batch size.
    Batch(Vec<Item>),
}

impl Input {
    /// As one item: a batch is an array.
    pub fn into_item(self) -> Item {
        match self {
            Input::One(item) => item,
            Input::Batch(items) => Item::list(items),
        }
    }
}

/// Which item it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct Which {
    /// The offset of the item in the source, or of the first of the batch.
    pub offset: u64,
}

/// What goes on.
#[derive(Debug)]
pub(in crate::exec) enum Given {
    /// Nothing: the item is left out.
    Nothing,
    /// One item.
    One(Item),
    /// Each by itself.
    Many(Vec<Item>),
}

impl Given {
    /// What goes on of a value: `()` is left out; after a batch, an array goes on element by element.
    pub fn of(value: Item, batch: bool) -> Self {
        if value.is_nothing() {
            return Given::Nothing;
        }
        match batch {
            false => Given::One(value),
            true => value.into_list().map_or_else(Given::One, Given::Many),
        }
    }
}

/// Opens a worker for a stage that is not a closure. `nth`: which of those that work at the same time, from 0.
pub(in crate::exec) fn open<'a>(
    stage: &'a Stage,
    at: &Opening<'a>,
    stop: &Arc<Stop>,
    _nth: u32,
) -> Result<Box<dyn Worker + 'a>, Failure> {
    Ok(match &stage.work {
        StageWork::Batch => Box::new(Whole),
        StageWork::Command(command) => Box::new(command::Command::open(command, at, stop)?),
        StageWork::Worker(command) => Box::new(worker::Spoken::open(command, at, stop)?),
        StageWork::Http(closure) => Box::new(http::Http::open(closure, &stage.name, at, stop)?),
        StageWork::Workflow { file, args } => {
            Box::new(workflow::Workflow::open(file, args.as_ref(), &stage.name, at, stop)?)
        }
        StageWork::Map(_) | StageWork::Filter(_) | StageWork::FlatMap(_) | StageWork::Each(_) => {
            let message = format!("a stage of the kind {} has no worker of its own", stage.work.kind());
            return Err(Failure::new(FailureKind::Script, message).help("this is a mistake in flow; please report it"));
        }
    })
}

/// The batch itself goes on.
struct Whole;

impl Worker for Whole {
    fn work(&mut self, input: Input, _: Which) -> Result<Given, Failure> {
        Ok(Given::One(input.into_item()))
    }
}
