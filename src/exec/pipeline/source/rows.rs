//! Rows of comma-separated values (RFC 4180, as the crate `csv` reads them).

use std::collections::HashSet;
use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::lines::BOM;
use super::records::{At, BUFFER, Columns, QUOTED, Record};
use super::{Bad, Mark};
use crate::event::{Failure, FailureKind};
use crate::lang::item::Item;
use crate::plan::{Json, Stream, unit};

/// See the module's page.
pub(super) struct Rows<R> {
    reader: Reader<Counted<R>>,
    header: bool,
    columns: Columns,
    row: ByteRecord,
    /// Where the reader began, in bytes and lines.
    base: (u64, u64),
    /// Behind the last row.
    byte: u64,
    /// Rows so far.
    number: u64,
}

impl<R: Read> Rows<R> {
    /// Rows from here on. Where the names of the columns are not known, they come first.
    pub fn new(reader: R, header: bool, delimiter: char, at: At) -> Self {
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let counted = Counted {
            inner: reader,
            delimiter,
            stands: Stands::Start,
            blank: true,
            ended: 0,
            given: 0,
            since: 0,
            crlf: false,
            before: at.before,
            added: 0,
            new: at.byte == 0,
            unclosed: false,
        };
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter).buffer_capacity(BUFFER);
        Rows {
            reader: builder.from_reader(counted),
            header,
            columns: at.columns,
            row: ByteRecord::new(),
            base: (at.byte, at.line),
            byte: at.byte,
            number: at.row,
        }
    }

    /// Is the next one there, without waiting for it?
    pub fn is_there(&self) -> bool {
        let counted = self.reader.get_ref();
        counted.ended > counted.given
    }

    /// Where it stands.
    pub fn at(&self) -> At {
        let line = self.base.1 + self.reader.position().line() - 1;
        At {
            byte: self.byte,
            line,
            row: self.number,
            before: self.reader.get_ref().before,
            columns: self.columns.clone(),
        }
    }

    /// Where the next one begins.
    pub fn mark(&self) -> Mark {
        Mark { from: self.byte, place: self.number + 1 }
    }

    /// Reads what all rows have in common: the names of the columns, or the first row, which is then gone.
    pub fn common(mut self) -> io::Result<Result<Columns, Failure>> {
        if let Err(failure) = self.names()? {
            return Ok(Err(failure));
        }
        if self.columns.count.is_none() && self.read()? {
            self.columns.count = Some(self.row.len());
        }
        Ok(Ok(self.columns))
    }

    /// Reads the names of the columns, if they are still to be read.
    fn names(&mut self) -> io::Result<Result<(), Failure>> {
        if !self.header || self.columns.names.is_some() || !self.read()? {
            return Ok(Ok(()));
        }
        let mut names = Vec::with_capacity(self.row.len());
        let mut seen = HashSet::new();
        if self.reader.get_ref().unclosed {
            let message = "the first row has a quote that is not closed, so there is no other";
            return Ok(Err(
                Failure::new(FailureKind::Input, message).help("close the quote; `\"\"` within a field is one quote")
            ));
        }
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
        let mark = self.mark();
        if !self.read()? {
            return Ok(Ok(None));
        }
        self.number += 1;
        let item = self.item().map_err(|why| {
            let fields = self.row.iter().map(|field| String::from_utf8_lossy(&field[..field.len().min(QUOTED)]));
            Bad { raw: Item::list(fields.map(|field| Item::text(&field)).collect()), why }
        });
        Ok(Ok(Some((mark, item))))
    }

    fn read(&mut self) -> io::Result<bool> {
        let read = self.reader.read_byte_record(&mut self.row).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            kind => io::Error::other(format!("{kind:?}")),
        })?;
        self.byte = self.base.0 + self.reader.position().byte() - self.reader.get_ref().added;
        let counted = self.reader.get_mut();
        counted.since = 0;
        counted.given += u64::from(read);
        Ok(read)
    }

    fn item(&mut self) -> Result<Item, String> {
        let row = self.number;
        let (byte, line) = self.row.position().map_or((0, 1), |position| (position.byte(), position.line()));
        // A row that follows a line ended by `\r\n` begins, for the reader of rows, with the second of the two.
        let late = u64::from(self.reader.get_ref().crlf && self.base.0 + byte > 0);
        let line = self.base.1 + line + late;
        if self.reader.get_ref().unclosed {
            return Err(format!("row {row} (line {line}) has a quote that is not closed, up to the end of all"));
        }
        let expected = *self.columns.count.get_or_insert(self.row.len());
        if self.row.len() != expected {
            let fields = |n: usize| if n == 1 { "1 field".to_owned() } else { format!("{n} fields") };
            return Err(format!(
                "row {row} (line {line}) has {}, where {expected} were expected",
                fields(self.row.len())
            ));
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
    stands: Stands,
    /// Is nothing in this row so far?
    blank: bool,
    /// Rows that came to their end.
    ended: u64,
    /// Rows that were given out.
    given: u64,
    /// Bytes since the last row.
    since: u64,
    /// Do lines end with `\r\n`?
    crlf: bool,
    /// The byte before.
    before: u8,
    /// Bytes that were put behind the end.
    added: u64,
    /// Was nothing read so far, from the beginning of all?
    new: bool,
    /// The end came between quotes.
    unclosed: bool,
}

/// Where in a row a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
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
            self.stands = match (self.stands, *byte) {
                (Stands::Start, b'"') | (Stands::Quote, b'"') => {
                    self.blank = false;
                    Stands::Quoted
                }
                (Stands::Quoted, b'"') => Stands::Quote,
                (Stands::Quoted, _) => Stands::Quoted,
                (_, b'\n' | b'\r') => {
                    self.crlf |= *byte == b'\n' && self.before == b'\r';
                    self.ended += u64::from(!self.blank);
                    self.blank = true;
                    Stands::Start
                }
                (_, byte) => {
                    self.blank = false;
                    if byte == self.delimiter { Stands::Start } else { Stands::Plain }
                }
            };
            self.before = *byte;
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since > Stream::MAX_LINE {
            let most = unit::show_bytes(Stream::MAX_LINE);
            return Err(io::Error::other(format!("a row is longer than {most}: is there a quote that is not closed?")));
        }
        let mut n = self.inner.read(buffer)?;
        let mut text = 0;
        if std::mem::take(&mut self.new) {
            // The reader of rows knows this mark only if it gets it at once, and takes it alone for the end.
            while n > 0 && n <= BOM.len() && n < buffer.len() && BOM.starts_with(&buffer[..n]) {
                match self.inner.read(&mut buffer[n..])? {
                    0 => break,
                    more => n += more,
                }
            }
            text = if buffer[..n].starts_with(BOM) { BOM.len() } else { 0 };
        }
        self.unclosed |= n == 0 && self.stands == Stands::Quoted && !buffer.is_empty();
        if n == 0 && !self.blank && self.stands != Stands::Quoted && !buffer.is_empty() {
            // A last row without its end, as if it had one: else one empty field would be a row or none, as it happens.
            (buffer[0], n, self.added) = (b'\n', 1, 1);
        }
        self.since += n as u64;
        self.count(&buffer[text..n]);
        Ok(n)
    }
}
