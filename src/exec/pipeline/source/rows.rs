//! Rows of comma-separated values (RFC 4180, as the crate `csv` reads them).

use std::collections::HashSet;
use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::records::{After, Columns, Record};
use crate::event::{Failure, FailureKind};
use crate::lang::item::Item;
use crate::plan::{Json, Stream, unit};

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// See the module's page.
pub(super) struct Rows<R> {
    reader: Reader<Counted<R>>,
    header: bool,
    columns: Columns,
    row: ByteRecord,
    /// Where the reader began.
    base: After,
    after: After,
}

impl<R: Read> Rows<R> {
    /// Rows from here on. Where the names of the columns are not known, they come first.
    pub fn new(reader: R, header: bool, delimiter: char, after: After, columns: Columns) -> Self {
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let counted = Counted { inner: reader, delimiter, at: At::Start, blank: true, ended: 0, given: 0, since: 0 };
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter).buffer_capacity(BUFFER);
        Rows { reader: builder.from_reader(counted), header, columns, row: ByteRecord::new(), base: after, after }
    }

    /// Is the next one there, without waiting for it?
    pub fn is_there(&self) -> bool {
        let counted = self.reader.get_ref();
        counted.ended > counted.given
    }

    /// What is known of all rows.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Reads the names of the columns, if they are still to be read.
    pub fn names(&mut self) -> io::Result<Result<(), Failure>> {
        if !self.header || self.columns.names.is_some() || !self.read()? {
            return Ok(Ok(()));
        }
        let mut names = Vec::with_capacity(self.row.len());
        let mut seen = HashSet::new();
        for (n, name) in self.row.iter().enumerate() {
            let name = String::from_utf8_lossy(name).into_owned();
            let wrong = if name.trim().is_empty() {
                format!("column {} has no name", n + 1)
            } else if !seen.insert(name.clone()) {
                format!("two columns are called `{name}`")
            } else {
                names.push(name);
                continue;
            };
            let message = format!("the first row does not name the columns: {wrong}");
            return Ok(Err(Failure::new(FailureKind::Input, message).help(
                "each column needs a name of its own; `header: false` reads rows as arrays, the first one included",
            )));
        }
        self.columns = Columns { count: Some(names.len()), names: Some(names) };
        Ok(Ok(()))
    }

    /// The next one. Nothing: that was the last.
    pub fn next(&mut self) -> io::Result<Result<Option<Record>, Failure>> {
        if let Err(failure) = self.names()? {
            return Ok(Err(failure));
        }
        let begins = self.after.line + 1;
        if !self.read()? {
            return Ok(Ok(None));
        }
        self.after.row += 1;
        let begins = self.row.position().map_or(begins, |position| self.base.line + position.line());
        let item = self.item(begins);
        Ok(Ok(Some(Record { item, place: self.after.row, after: self.after })))
    }

    fn read(&mut self) -> io::Result<bool> {
        let read = self.reader.read_byte_record(&mut self.row).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            kind => io::Error::other(format!("{kind:?}")),
        })?;
        let position = self.reader.position();
        self.after.byte = self.base.byte + position.byte();
        self.after.line = self.base.line + position.line() - 1;
        let counted = self.reader.get_mut();
        counted.since = 0;
        counted.given += u64::from(read);
        Ok(read)
    }

    fn item(&mut self, line: u64) -> Result<Item, String> {
        let row = self.after.row;
        let expected = *self.columns.count.get_or_insert(self.row.len());
        if self.row.len() != expected {
            let fields = |n: usize| if n == 1 { "1 field".to_owned() } else { format!("{n} fields") };
            return Err(format!("row {row} (line {line}) has {}, where {expected} were expected", fields(self.row.len())));
        }
        let texts: Result<Vec<&str>, usize> =
            self.row.iter().enumerate().map(|(n, field)| std::str::from_utf8(field).map_err(|_| n)).collect();
        let texts = texts.map_err(|n| {
            let named = self.columns.names.as_ref().and_then(|names| names.get(n));
            let column = named.map_or_else(|| (n + 1).to_string(), |name| format!("`{name}`"));
            format!("row {row} (line {line}) is not text in UTF-8, in column {column}")
        })?;
        Ok(match &self.columns.names {
            Some(names) => {
                let entries = names.iter().zip(texts).map(|(name, text)| (name.clone(), Json::from(text)));
                Item::of(Json::Object(entries.collect()))
            }
            None => Item::list(texts.into_iter().map(Item::text).collect()),
        })
    }
}

/// Counts the rows that are in the bytes it gives on, to know whether the next one is there already.
struct Counted<R> {
    inner: R,
    delimiter: u8,
    at: At,
    /// Is nothing in this row so far?
    blank: bool,
    /// Rows that came to their end.
    ended: u64,
    /// Rows that were given out.
    given: u64,
    /// Bytes since the last row.
    since: u64,
}

/// Where in a row a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the beginning of a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends the field, or is the first of two.
    Quote,
}

impl<R> Counted<R> {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.at = match (self.at, *byte) {
                (At::Start, b'"') | (At::Quote, b'"') => {
                    self.blank = false;
                    At::Quoted
                }
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) => At::Quoted,
                (_, b'\n' | b'\r') => {
                    self.ended += u64::from(!self.blank);
                    self.blank = true;
                    At::Start
                }
                (_, byte) => {
                    self.blank = false;
                    if byte == self.delimiter { At::Start } else { At::Plain }
                }
            };
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since > Stream::MAX_LINE {
            let most = unit::show_bytes(Stream::MAX_LINE);
            return Err(io::Error::other(format!("a row is longer than {most}: is there a quote that is not closed?")));
        }
        let n = self.inner.read(buffer)?;
        self.since += n as u64;
        self.count(&buffer[..n]);
        Ok(n)
    }
}
