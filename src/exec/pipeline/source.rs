//! Where items come from.

use std::sync::Arc;

use super::{Opening, Stop};
use crate::event::{Failure, FailureKind};
use crate::lang::item::Item;
use crate::plan;
use crate::state::resolve;

mod command;
mod file;
mod interval;
mod items;
mod letters;
mod lines;
mod paths;
mod patient;
mod print;
mod pull;
mod records;
mod rows;
mod spool;
mod stdin;
#[cfg(test)]
mod tests;
mod watch;

pub(in crate::exec) use print::Print;

/// Gives items, with offsets that count up from where the pipeline goes on (`Reached::upto`). Lives on a thread of its own.
pub(in crate::exec) trait Source: Send {
    /// Puts the next items that are there behind `into`, at most `most`. Blocks until there is at least one, or the end, or
    /// its `Stop` is set (then it gives `End` or what it has, soon). An item must not wait here for others to come.
    ///
    /// # Errors
    /// The source as a whole has failed. A bad line is not that: it is a [`Sourced`] with an error.
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure>;

    /// Where the item begins that comes next. Asked after each `next`.
    fn mark(&self) -> Mark;

    /// The words for the places of items.
    fn places(&self) -> Places {
        Places::default()
    }

    /// By what its file is known again when the pipeline goes on: stands as a third number in `Reached::place`.
    fn print(&self) -> Option<Print> {
        None
    }
}

/// Does more come?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) enum Next {
    /// Perhaps.
    More,
    /// Nothing comes any more.
    End,
}

/// An item of the source.
#[derive(Debug)]
pub(in crate::exec) struct Sourced {
    /// Its number in the source, from 0. One more than that of the item before.
    pub offset: u64,
    /// Where it begins.
    pub mark: Mark,
    /// The item, or what stands there instead.
    pub item: Result<Item, Bad>,
}

/// A place in a source. What both numbers mean is the source's affair; `Reached::place` is `[from, place]` of the first
/// item that is not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exec) struct Mark {
    /// Where the source has to begin to read to find the item: a byte of a file, for instance.
    pub from: u64,
    /// For people: the number of the line or row, from 1. 0: it has none.
    pub place: u64,
}

/// What is no item: it fails in the stage `source`.
#[derive(Debug)]
pub(in crate::exec) struct Bad {
    /// What stands there, for the dead letter.
    pub raw: Item,
    /// What is wrong with it: a sentence without a full stop.
    pub why: String,
}

/// The words for the places of items.
#[derive(Clone, Debug, Default)]
pub(in crate::exec) struct Places {
    /// `line`, `row`; empty: there is no word.
    pub unit: &'static str,
    /// Of what: `access.log`. Empty: it need not be said.
    pub of: String,
}

impl Places {
    /// A place in words: `line 18 of access.log`; empty without a number.
    pub fn word(&self, place: u64) -> String {
        match (place, self.unit.is_empty(), self.of.is_empty()) {
            (0, _, _) | (_, true, _) => String::new(),
            (place, false, true) => format!("{} {place}", self.unit),
            (place, false, false) => format!("{} {place} of {}", self.unit, self.of),
        }
    }
}

/// Opens a source where the pipeline goes on: its first item has the offset `at.reached.upto`, and begins at
/// `at.reached.place`. Items that `at.reached.beyond` names may be given again; they are passed over.
pub(in crate::exec) fn open<'a>(
    source: &'a plan::Source,
    at: &Opening<'a>,
    stop: &Arc<Stop>,
) -> Result<Box<dyn Source + 'a>, Failure> {
    Ok(match source {
        plan::Source::Items(value) => Box::new(items::Items::open(value, at)?),
        plan::Source::Range { from, to, step } => Box::new(items::Range::open(*from, *to, *step, at)),
        plan::Source::File { path, format } if file::is_stdin(path) => Box::new(stdin::Stdin::open(format, at, stop)?),
        plan::Source::File { path, format } => Box::new(file::File::open(path, format, at, stop)?),
        plan::Source::Glob(pattern) => Box::new(paths::Paths::open(pattern, at)?),
        plan::Source::Command { command, format } => Box::new(command::Command::open(command, format, at, stop)?),
        plan::Source::Watch { folder, pattern, existing, settle_ms } => {
            let folder = &resolve(folder, &at.job.inputs)?;
            let (pattern, existing, settle_ms) = (pattern.as_deref(), *existing, *settle_ms);
            Box::new(watch::Watch::open(&watch::Wish { folder, pattern, existing, settle_ms }, at, stop)?)
        }
        plan::Source::Interval(every_ms) => Box::new(interval::Interval::open(*every_ms, at, stop)),
        plan::Source::DeadLetters { run, step, file } => Box::new(letters::Letters::open(run, step, file, at)?),
    })
}
