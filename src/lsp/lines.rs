//! Bytes of a text, and the places that the protocol counts in lines and units of an encoding.

use std::ops::Range;

use lsp_types::{Position, Range as Span};

/// What the columns of a line are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of two bytes, as JavaScript counts. What holds if nothing is agreed upon.
    Utf16,
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Finds the lines of a text. They end with `\n`, `\r\n` or `\r`, as the protocol says.
    pub fn of(text: &str) -> Lines {
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                starts.push(at + 1);
            }
        }
        Lines { starts }
    }

    /// The byte at a position; the nearest there is, if there is no such position.
    pub fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let Some(start) = self.starts.get(position.line as usize).copied() else { return text.len() };
        let end = self.starts.get(position.line as usize + 1).copied().unwrap_or(text.len());
        let line = text[start..end].trim_end_matches(['\n', '\r']);
        let wanted = position.character as usize;
        let mut units = 0;
        for (at, letter) in line.char_indices() {
            units += match encoding {
                Encoding::Utf8 => letter.len_utf8(),
                Encoding::Utf16 => letter.len_utf16(),
            };
            if units > wanted {
                return start + at;
            }
        }
        start + line.len()
    }

    /// The position of a byte.
    pub fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let before = &text[self.starts[line]..offset];
        let units = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
        };
        Position::new(line as u32, units as u32)
    }

    /// The positions of some bytes.
    pub fn span(&self, text: &str, range: &Range<usize>, encoding: Encoding) -> Span {
        Span::new(self.position(text, range.start, encoding), self.position(text, range.end, encoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_agreed() {
        let text = "aé😀b\r\nc\rd\n";
        let lines = Lines::of(text);
        for (offset, line, utf16, utf8) in
            [(0, 0, 0, 0), (3, 0, 2, 3), (7, 0, 4, 7), (8, 0, 5, 8), (10, 1, 0, 0), (12, 2, 0, 0), (14, 3, 0, 0)]
        {
            let position = Position::new(line, utf16);
            assert_eq!(lines.position(text, offset, Encoding::Utf16), position);
            assert_eq!(lines.offset(text, position, Encoding::Utf16), offset);
            assert_eq!(lines.position(text, offset, Encoding::Utf8), Position::new(line, utf8));
            assert_eq!(lines.offset(text, Position::new(line, utf8), Encoding::Utf8), offset);
        }
        assert_eq!(lines.offset(text, Position::new(0, 3), Encoding::Utf16), 3, "within a letter: before it");
        assert_eq!(lines.offset(text, Position::new(0, 99), Encoding::Utf16), 8);
        assert_eq!(lines.offset(text, Position::new(99, 0), Encoding::Utf16), text.len());
    }
}
