//! Lines, one after the other, with their numbers and places.

use std::io::{self, BufRead, BufReader, Read};

use super::records::{After, Record};
use crate::lang::item::Item;
use crate::plan::{Stream, unit};

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// A mark that some programs put at the beginning of a text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// See the module's page.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// Is there a JSON value on each?
    json: bool,
    line: Vec<u8>,
    /// After the last line.
    after: After,
    /// Most bytes of one.
    longest: u64,
}

impl<R: Read> Lines<R> {
    /// Lines from here on: `after` is where the one before ended.
    pub fn new(reader: R, json: bool, after: After) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Lines { reader, json, line: Vec::new(), after, longest: Stream::MAX_LINE }
    }

    /// Is the next one there, without waiting for it?
    pub fn is_there(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// The next one. Nothing: that was the last.
    pub fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            self.line.clear();
            let read = self.reader.by_ref().take(self.longest + 2).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            let begin = self.after;
            self.after.byte += read as u64;
            self.after.line += 1;
            let mut line = self.line.as_slice();
            let ended = line.ends_with(b"\n");
            if begin.byte == 0 {
                line = line.strip_prefix(BOM).unwrap_or(line);
            }
            line = line.strip_suffix(b"\n").unwrap_or(line);
            if ended {
                line = line.strip_suffix(b"\r").unwrap_or(line);
            }
            let number = self.after.line;
            let item = if line.len() as u64 > self.longest || !ended && read as u64 == self.longest + 2 {
                if !ended {
                    self.after.byte += self.reader.skip_until(b'\n')? as u64;
                }
                let most = unit::show_bytes(self.longest);
                Err(format!("line {number} is longer than {most}: are there lines in it at all?"))
            } else if self.json {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                Item::read_json(line).map_err(|error| not_json(number, line, &error))
            } else {
                match std::str::from_utf8(line) {
                    Ok(text) => Ok(Item::text(text)),
                    Err(error) => Err(no_text(number, &error)),
                }
            };
            return Ok(Some(Record { item, place: number, after: self.after }));
        }
    }
}

fn no_text(number: u64, error: &std::str::Utf8Error) -> String {
    format!("line {number} is not text in UTF-8: its byte {} is not", error.valid_up_to() + 1)
}

fn not_json(number: u64, line: &[u8], error: &str) -> String {
    if let Err(error) = std::str::from_utf8(line) {
        return no_text(number, &error);
    }
    // The number of the line within itself says nothing.
    let reason = error.split(" at line ").next().unwrap_or(error);
    let at = error.rsplit("column ").next().filter(|at| at.parse::<u64>().is_ok());
    let at = at.map(|at| format!(" at column {at}")).unwrap_or_default();
    format!("line {number} is not JSON: {reason}{at}")
}
