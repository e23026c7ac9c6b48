//! Logs of steps: what their processes wrote, with the step's path before each line where there are several.

use std::io::{self, BufRead, Write};

use super::{Look, Tone};

/// One log: what one attempt of a step wrote to one of its two outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The step's path.
    pub path: String,
    /// Which attempt.
    pub attempt: u32,
    /// Standard error, not standard output.
    pub stderr: bool,
}

/// Writes logs one after the other.
pub struct Logs<W: Write> {
    out: W,
    look: Look,
    prefix: bool,
    attempts: bool,
    /// The log whose last line has not been ended.
    midline: Option<Piece>,
}

impl<W: Write> Logs<W> {
    /// `prefix`: write the path of the step before each line; `attempts`: and which attempt it was.
    pub fn new(out: W, look: Look, prefix: bool, attempts: bool) -> Self {
        Logs { out, look, prefix, attempts, midline: None }
    }

    /// What stands before each line of a log.
    fn prefix(&self, piece: &Piece) -> String {
        let mut said = String::new();
        if self.prefix || self.attempts {
            said.push_str(&piece.path);
        }
        if self.attempts {
            said.push_str(&format!("#{}", piece.attempt));
        }
        if said.is_empty() {
            return said;
        }
        let bar = if self.look.unicode { "│" } else { "|" };
        let tone = if piece.stderr { Tone::Warn } else { Tone::Faint };
        format!("{} ", self.look.paint(tone, &format!("{said} {bar}")))
    }

    /// Writes a log, line by line; bytes stay as they are. Nothing longer than a line is held in memory, and without a
    /// prefix not even that. `open`: more will be written to the log, so a last line without an end is left for the next
    /// call. Gives the number of bytes taken.
    pub fn write(&mut self, piece: &Piece, mut content: impl BufRead, open: bool) -> io::Result<u64> {
        let prefix = self.prefix(piece);
        if prefix.is_empty() {
            return self.copy(piece, content);
        }
        let (mut line, mut taken) = (Vec::new(), 0);
        while content.read_until(b'\n', &mut line)? > 0 {
            if open && !line.ends_with(b"\n") {
                break;
            }
            taken += line.len() as u64;
            self.out.write_all(prefix.as_bytes())?;
            self.out.write_all(&line)?;
            if !line.ends_with(b"\n") {
                self.out.write_all(b"\n")?;
            }
            line.clear();
        }
        Ok(taken)
    }

    /// The bytes as they are; a log that does not end its last line is ended by the next one.
    fn copy(&mut self, piece: &Piece, mut content: impl BufRead) -> io::Result<u64> {
        let mut taken = 0;
        loop {
            let bytes = content.fill_buf()?;
            let (len, Some(last)) = (bytes.len(), bytes.last()) else { return Ok(taken) };
            let ends = *last == b'\n';
            if self.midline.take().is_some_and(|other| other != *piece) {
                self.out.write_all(b"\n")?;
            }
            self.out.write_all(bytes)?;
            content.consume(len);
            taken += len as u64;
            self.midline = (!ends).then(|| piece.clone());
        }
    }

    /// Writes what is still buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(prefix: bool, attempts: bool) -> String {
        let mut out = Vec::new();
        let mut logs = Logs::new(&mut out, Look::PLAIN, prefix, attempts);
        let piece = |path: &str| Piece { path: path.into(), attempt: 1, stderr: false };
        logs.write(&piece("a"), &b"one\ntwo"[..], false).expect("a vector takes everything");
        logs.write(&piece("b/c"), &b"three\n"[..], false).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_unfinished_line_is_left_for_later() {
        let mut out = Vec::new();
        let mut logs = Logs::new(&mut out, Look::PLAIN, true, false);
        let piece = Piece { path: "a".into(), attempt: 1, stderr: false };
        assert_eq!(logs.write(&piece, &b"one\ntw"[..], true).ok(), Some(4));
        assert_eq!(logs.write(&piece, &b"two\n"[..], true).ok(), Some(4));
        assert_eq!(out, "a │ one\na │ two\n".as_bytes());
    }

    #[test]
    fn lines_carry_the_path_where_there_are_several_steps() {
        assert_eq!(written(false, false), "one\ntwo\nthree\n");
        assert_eq!(written(true, false), "a │ one\na │ two\nb/c │ three\n");
        assert_eq!(written(true, true), "a#1 │ one\na#1 │ two\nb/c#1 │ three\n");
    }
}
