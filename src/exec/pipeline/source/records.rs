//! Items as they stand in bytes: lines, JSON values, rows. The same for files and for what comes through a pipe.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::rows::Rows;
use crate::event::Failure;
use crate::lang::item::Item;
use crate::plan::Format;

/// Where in the bytes an item ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct After {
    /// So many bytes are behind it.
    pub byte: u64,
    /// So many lines.
    pub line: u64,
    /// So many rows, without that of the names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub row: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// An item that was read, or why it is none.
pub(super) struct Record {
    pub item: Result<Item, String>,
    /// The number of its line, or row.
    pub place: u64,
    /// Where it ends.
    pub after: After,
}

/// See the module's page.
pub(super) enum Records<R> {
    Lines(Lines<R>),
    Rows(Box<Rows<R>>),
}

/// What rows have in common: the names of their columns, if they have any, and how many fields they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub names: Option<Vec<String>>,
    pub count: Option<usize>,
}

impl<R: Read> Records<R> {
    /// What a reader gives that stands at `after`. `columns`: what is known of rows that begin elsewhere.
    pub fn new(reader: R, format: &Format, after: After, columns: Columns) -> Self {
        match format {
            Format::Lines => Records::Lines(Lines::new(reader, false, after)),
            Format::Ndjson => Records::Lines(Lines::new(reader, true, after)),
            Format::Csv { header, delimiter } => {
                Records::Rows(Box::new(Rows::new(reader, *header, *delimiter, after, columns)))
            }
        }
    }

    /// The next one. Nothing: that was the last.
    ///
    /// # Errors
    /// It cannot be read; the inner one: what is read is not of this format at all.
    pub fn next(&mut self) -> io::Result<Result<Option<Record>, Failure>> {
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
}
