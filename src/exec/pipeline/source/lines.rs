//! Lines, one after the other, with their numbers and places.

use std::io::{self, BufRead, BufReader, Read};

use super::records::{At, BUFFER, QUOTED, Record};
use super::{Bad, Mark};
use crate::lang::item::Item;
use crate::plan::{Stream, unit};

/// A mark that some programs put at the beginning of a text.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// See the module's page.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// Is there a JSON value on each?
    json: bool,
    line: Vec<u8>,
    /// Behind the last line.
    byte: u64,
    /// Lines so far.
    number: u64,
    /// Most bytes of one.
    longest: u64,
}

impl<R: Read> Lines<R> {
    /// Lines from there on.
    pub fn new(reader: R, json: bool, at: At) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Lines { reader, json, line: Vec::new(), byte: at.byte, number: at.line, longest: Stream::MAX_LINE }
    }

    /// Is the next one there, without waiting for it?
    pub fn is_there(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// Where it stands.
    pub fn at(&self) -> At {
        At { byte: self.byte, line: self.number, ..At::default() }
    }

    /// Where the next one begins.
    pub fn mark(&self) -> Mark {
        Mark { from: self.byte, place: self.number + 1 }
    }

    /// The next one. Nothing: that was the last.
    pub fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            self.line.clear();
            let mark = self.mark();
            let read = self.reader.by_ref().take(self.longest + 2).read_until(b'\n', &mut self.line)? as u64;
            if read == 0 {
                return Ok(None);
            }
            self.byte += read;
            self.number += 1;
            let ended = self.line.ends_with(b"\n");
            if !ended && read == self.longest + 2 {
                self.byte += self.reader.skip_until(b'\n')? as u64;
            }
            let mut line = self.line.as_slice();
            if mark.from == 0 {
                line = line.strip_prefix(BOM).unwrap_or(line);
            }
            if let Some(inner) = line.strip_suffix(b"\n") {
                line = inner.strip_suffix(b"\r").unwrap_or(inner);
            }
            if self.json && line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let item = if line.len() as u64 > self.longest {
                let most = unit::show_bytes(self.longest);
                Err(format!("line {} is longer than {most}: are there lines in it at all?", mark.place))
            } else if self.json {
                Item::read_json(line).map_err(|error| not_json(mark.place, line, &error))
            } else {
                std::str::from_utf8(line).map(Item::text).map_err(|error| no_text(mark.place, error))
            };
            let raw = || Item::text(&String::from_utf8_lossy(&line[..line.len().min(QUOTED)]));
            return Ok(Some((mark, item.map_err(|why| Bad { raw: raw(), why }))));
        }
    }
}

fn no_text(number: u64, error: std::str::Utf8Error) -> String {
    format!("line {number} is not text in UTF-8: its byte {} is not", error.valid_up_to() + 1)
}

fn not_json(number: u64, line: &[u8], error: &str) -> String {
    if let Err(error) = std::str::from_utf8(line) {
        return no_text(number, error);
    }
    // The number of the line within itself says nothing.
    let reason = error.split(" at line ").next().unwrap_or(error);
    let column = error.rsplit("column ").next().filter(|column| column.parse::<u64>().is_ok());
    let at = column.map(|column| format!(" at column {column}")).unwrap_or_default();
    format!("line {number} is not JSON: {reason}{at}")
}
