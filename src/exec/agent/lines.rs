//! What comes in pieces is cut into lines. There is no fixed buffer: a line is as long as it is, up to a cap.

/// Longest line that is kept, in bytes. Programs write lines of several MiB.
pub(super) const LONGEST: usize = 64 << 20;

/// A line.
pub(super) struct Line<'a> {
    /// Where it begins in all that came.
    pub from: u64,
    /// How long it is there, its end included.
    pub bytes: u64,
    /// The line, without its end, and without the mark that may stand before the first one (U+FEFF).
    pub text: &'a [u8],
    /// It was longer than it may be: what is missing stood at its end.
    pub cut: bool,
}

/// See the module's page.
pub(super) struct Lines {
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// Where that begins.
    from: u64,
    /// How much of it was dropped.
    dropped: u64,
    most: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { held: Vec::new(), from: 0, dropped: 0, most: LONGEST }
    }
}

impl Lines {
    /// Takes the next bytes, and gives each line that they complete to `each`.
    pub fn take(&mut self, mut piece: &[u8], each: &mut impl FnMut(Line<'_>)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(end + 1);
            if self.held.is_empty() && self.dropped == 0 {
                // Most lines come whole.
                self.give(line, line.len() as u64, each);
            } else {
                self.hold(line);
                self.give_held(each);
            }
            piece = rest;
        }
        self.hold(piece);
    }

    /// Nothing more will come: a last line without an end counts as one.
    pub fn end(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if !self.held.is_empty() {
            self.give_held(each);
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = self.most.saturating_sub(self.held.len()).min(piece.len());
        self.held.extend_from_slice(&piece[..room]);
        self.dropped += (piece.len() - room) as u64;
    }

    fn give_held(&mut self, each: &mut impl FnMut(Line<'_>)) {
        let held = std::mem::take(&mut self.held);
        self.give(&held, held.len() as u64 + self.dropped, each);
        self.dropped = 0;
    }

    fn give(&mut self, line: &[u8], bytes: u64, each: &mut impl FnMut(Line<'_>)) {
        let cut = bytes > line.len() as u64 || line.len() > self.most;
        let text = &line[..line.len().min(self.most)];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = if self.from == 0 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        each(Line { from: self.from, bytes, text, cut });
        self.from += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(most: usize, pieces: &[&[u8]]) -> Vec<(u64, u64, String, bool)> {
        let mut found = Vec::new();
        let mut lines = Lines { most, ..Lines::default() };
        let mut each = |line: Line<'_>| {
            found.push((line.from, line.bytes, String::from_utf8_lossy(line.text).into_owned(), line.cut));
        };
        pieces.iter().for_each(|piece| lines.take(piece, &mut each));
        lines.end(&mut each);
        found
    }

    #[test]
    fn however_they_come_they_are_the_same_lines() {
        let text = b"\xef\xbb\xbfone\r\n\ntwo\nlast".as_slice();
        let whole = lines(100, &[text]);
        assert_eq!(
            whole,
            [
                (0, 8, "one".to_owned(), false),
                (8, 1, String::new(), false),
                (9, 4, "two".to_owned(), false),
                (13, 4, "last".to_owned(), false)
            ]
        );
        for cut in 0..text.len() {
            assert_eq!(lines(100, &[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(100, &bytes), whole);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let cut = [(0, 11, "01234".to_owned(), true), (11, 2, "a".to_owned(), false)];
        assert_eq!(lines(5, &[b"0123456789\na\n"]), cut);
        assert_eq!(lines(5, &[b"012", b"345", b"6789", b"\na", b"\n"]), cut);
    }
}
