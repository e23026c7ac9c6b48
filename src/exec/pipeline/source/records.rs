//! Items as they stand in bytes: lines, JSON values, rows. The same for files and for what comes through a pipe.

use std::io::{self, Read};

use super::lines::Lines;
use super::rows::Rows;
use super::{Bad, Mark, Places};
use crate::event::Failure;
use crate::lang::item::Item;
use crate::plan::Format;

/// How much is read at once.
pub(super) const BUFFER: usize = 256 * 1024;

/// What is quoted of something that is no item, in bytes.
pub(super) const QUOTED: usize = 64 * 1024;

/// See the module's page.
pub(super) enum Records<R> {
    Lines(Lines<R>),
    Rows(Box<Rows<R>>),
}

/// Where a reader stands.
#[derive(Clone, Debug, Default)]
pub(super) struct At {
    /// So many bytes are before it.
    pub byte: u64,
    /// So many lines.
    pub line: u64,
    /// So many rows, without that of the names.
    pub row: u64,
    /// The byte before it, of rows.
    pub before: u8,
    /// What is known of the rows.
    pub columns: Columns,
}

/// What rows have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// The names of their fields, if they have any and they are known.
    pub names: Option<Vec<String>>,
    /// How many fields they have, if it is known.
    pub count: Option<usize>,
}

/// The words for the places of items.
pub(super) fn places(format: &Format, of: &str) -> Places {
    let unit = if matches!(format, Format::Csv { .. }) { "row" } else { "line" };
    Places { unit, of: of.to_owned() }
}

impl<R: Read> Records<R> {
    /// What a reader gives that stands there.
    pub fn new(reader: R, format: &Format, at: At) -> Self {
        match format {
            Format::Lines => Records::Lines(Lines::new(reader, false, at)),
            Format::Ndjson => Records::Lines(Lines::new(reader, true, at)),
            Format::Csv { header, delimiter } => Records::Rows(Box::new(Rows::new(reader, *header, *delimiter, at))),
        }
    }

    /// The next one with the place where it begins. Nothing: that was the last.
    ///
    /// # Errors
    /// It cannot be read; the inner one: what is read is not of this format at all.
    pub fn next(&mut self) -> io::Result<Result<Option<(Mark, Result<Item, Bad>)>, Failure>> {
        match self {
            Records::Lines(lines) => lines.next().map(Ok),
            Records::Rows(rows) => rows.next(),
        }
    }

    /// Is the next one there, without waiting for it?
    pub fn is_there(&self) -> bool {
        match self {
            Records::Lines(lines) => lines.is_there(),
            Records::Rows(rows) => rows.is_there(),
        }
    }

    /// Where it stands.
    pub fn at(&self) -> At {
        match self {
            Records::Lines(lines) => lines.at(),
            Records::Rows(rows) => rows.at(),
        }
    }

    /// Where the next one begins.
    pub fn mark(&self) -> Mark {
        match self {
            Records::Lines(lines) => lines.mark(),
            Records::Rows(rows) => rows.mark(),
        }
    }
}
