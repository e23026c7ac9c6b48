//! The lines of an export to a verdict: is each as it was written? Pure, and of any length: of what was read, only hashes
//! are kept.
//!
//! 1. What has to come next follows from what was read so far: the next event; or what the latest event names, in order.
//! 2. A line that is not that, or whose hash does not fit, is where the file differs.
//! 3. Whether a line is missing or only stands elsewhere is told by the lines that follow.

use std::collections::{HashSet, VecDeque};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::line::{FORMAT, Header, Line, NOTHING, PIECE, Sealed, read, seal};
use crate::event::{Event, RunStatus};
use crate::state::receipt::files;
use crate::store::chain::{self, Hash};
use crate::store::key::{PublicKey, of_export, of_log};
use crate::store::projection::Projection;
use crate::store::read::{kind_of, parse};
use crate::store::verify::sources_of;

/// Longest line that is read, in bytes: longer than SQLite stores an event.
const LONGEST: u64 = 1 << 30;

const LAST: &str = "the last line";

/// An export that is as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedExport {
    /// The run.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// Its status then.
    pub status: RunStatus,
    /// Events.
    pub events: u64,
    /// Hash of the latest of them, in hexadecimal.
    pub head: String,
    /// Texts.
    pub sources: u64,
    /// Files that are named.
    pub files: u64,
    /// Files whose contents are in it.
    pub contents: u64,
    /// Files that were gone already.
    pub missing: Vec<String>,
    /// The key that it was signed with.
    pub key: Option<PublicKey>,
}

/// How a file differs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The line is another one.
    Changed,
    /// A line was taken out before this one.
    Missing,
    /// The line that should be here stands further down.
    Reordered,
    /// The line was there already.
    Repeated,
    /// The file ends too soon.
    Truncated,
    /// Something was added.
    Appended,
    /// The signature is not one of these lines.
    Signature,
    /// It is no export at all.
    Foreign,
    /// It was written by a newer version of flow.
    Newer,
}

impl Difference {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Difference::Changed => "changed",
            Difference::Missing => "missing",
            Difference::Reordered => "reordered",
            Difference::Repeated => "repeated",
            Difference::Truncated => "truncated",
            Difference::Appended => "appended",
            Difference::Signature => "signature",
            Difference::Foreign => "foreign",
            Difference::Newer => "newer",
        }
    }
}

/// Where a file differs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// How.
    pub what: Difference,
    /// In a sentence without a full stop.
    pub message: String,
}

/// Why a file was not verified.
#[derive(Debug)]
pub enum Unverified {
    /// It differs.
    Fault(Fault),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Unverified {
    fn from(error: io::Error) -> Self {
        Unverified::Io(error)
    }
}

/// Verifies the lines of an export. A signature is checked against the key that stands in the file, so it says no more than
/// that whoever has that key has signed it: whose it is ([`VerifiedExport::key`]) is for the caller to know.
///
/// # Errors
/// The first line that is not what was written, or that the file cannot be read.
pub fn verify(mut input: impl BufRead) -> Result<VerifiedExport, Unverified> {
    let mut checker = Checker::default();
    let mut line = Vec::new();
    loop {
        let ended = next_line(&mut input, &mut line)?;
        if line.is_empty() && !ended {
            return checker.end().map_err(Unverified::Fault);
        }
        checker.line += 1;
        let result = match ended {
            true => checker.take(&line),
            false => checker.unended(),
        };
        if let Err(mut fault) = result {
            if fault.what == Difference::Missing {
                checker.look_for(&mut input, &mut line, &mut fault)?;
            }
            return Err(Unverified::Fault(fault));
        }
    }
}

/// The next line without its end; was there one? A line that is too long has none.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    input.take(LONGEST).read_until(b'\n', line)?;
    let ended = line.last() == Some(&b'\n');
    if ended {
        line.pop();
    }
    Ok(ended)
}

/// What has to come behind an event, before the next one.
#[derive(Debug)]
enum Named {
    Source { name: String, sha256: String },
    File { file: String, bytes: u64, sha256: String },
}

/// A file of which pieces are still to come.
struct Open {
    file: String,
    bytes: u64,
    sha256: String,
    from: u64,
    sha: Sha256,
}

/// What was read so far, and so what has to come.
#[derive(Default)]
struct Checker {
    line: u64,
    header: Header,
    /// Was the first line read?
    begun: bool,
    /// Number of the next event.
    due: u64,
    head: Hash,
    /// Hash of the latest sealed line.
    before: Hash,
    named: VecDeque<Named>,
    open: Option<Open>,
    known: HashSet<String>,
    projection: Projection,
    ended: bool,
    verified: VerifiedExport,
}

impl Checker {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.ended {
            return self.fault(Difference::Appended, "something stands behind what was the last line");
        }
        let line = read(bytes);
        if !self.begun {
            return self.first(bytes, line);
        }
        match line {
            Some(Line::Event { seq, at, hash, json }) => self.event(seq, at, &hash, json),
            Some(Line::Sealed { text, hash, line }) => self.sealed(text, &hash, *line),
            None => self.fault(Difference::Changed, format!("{} is not what was written", self.expected())),
        }
    }

    fn first(&mut self, bytes: &[u8], line: Option<Line<'_>>) -> Result<(), Fault> {
        let Some(Line::Sealed { text, hash, line }) = line else {
            return match bytes.starts_with(b"{\"type\":\"export\",") {
                true if is_newer(bytes) => self.newer(),
                true => self.fault(Difference::Changed, "the first line is not what was written"),
                false => self.fault(Difference::Foreign, "it is not the first line of an export"),
            };
        };
        let Sealed::Export(header) = *line else {
            return self.fault(Difference::Missing, "the first line of the export is missing");
        };
        if header.format != FORMAT {
            return self.newer();
        }
        if seal(&NOTHING, &NOTHING, text) != hash || header.events == 0 {
            return self.fault(Difference::Changed, "the first line is not what was written");
        }
        let signed = match (&header.key, &header.signature) {
            (None, None) => true,
            (Some(key), Some(signature)) => {
                self.verified.key = PublicKey::from_base64(key);
                let head = chain::from_hex(&header.head).and_then(|head| head.try_into().ok()).unwrap_or(NOTHING);
                self.has_signed(&of_log(&header.run, header.events, &head), signature)
            }
            _ => false,
        };
        if !signed {
            return self.fault(Difference::Signature, "the signature of the log is not one by the key beside it");
        }
        self.before = hash;
        self.verified.run.clone_from(&header.run);
        self.header = header;
        self.begun = true;
        Ok(())
    }

    fn event(&mut self, seq: u64, at: u64, hash: &Hash, json: &str) -> Result<(), Fault> {
        let due = self.due;
        let kind = kind_of(json);
        if self.waits_for_sealed() {
            return match seq.checked_sub(due) {
                None => self.fault(Difference::Repeated, format!("event {seq} ({kind}) was there already")),
                Some(_) if due == self.header.events => {
                    let said = format!("event {seq} ({kind}) was added: the run had {due} events");
                    self.fault(Difference::Appended, said)
                }
                Some(_) => self.fault(
                    Difference::Missing,
                    format!("event {seq} ({kind}) stands where {} should", self.expected()),
                ),
            };
        }
        if seq < due {
            return self.fault(Difference::Repeated, format!("event {seq} ({kind}) was there already"));
        }
        if seq > due {
            return self.fault(Difference::Missing, format!("event {seq} ({kind}) stands where event {due} should"));
        }
        if chain::next(&self.before_event(), seq, at, json.as_bytes()) != *hash {
            return self.fault(Difference::Changed, format!("event {seq} ({kind}) is not what was written"));
        }
        let event = match parse(json) {
            Ok(event) => event,
            Err(why) => {
                let said = format!("event {seq} is as it was written, but this version of flow cannot read it: {why}");
                return self.fault(Difference::Newer, said);
            }
        };
        if let (0, false) = (seq, matches!(&event, Event::Created(created) if created.run == self.header.run)) {
            return self
                .fault(Difference::Changed, "event 0 is not the beginning of the run that the first line names");
        }
        self.head = *hash;
        self.due += 1;
        self.projection.apply(at, &event);
        self.names(&event);
        Ok(())
    }

    /// What an event names has to come next.
    fn names(&mut self, event: &Event) {
        sources_of(event, &mut |name, sha256| {
            if self.known.insert(sha256.to_owned()) {
                self.named.push_back(Named::Source { name: name.to_owned(), sha256: sha256.to_owned() });
            }
        });
        match event {
            Event::Created(created) => self.verified.workflow.clone_from(&created.workflow),
            Event::Finished { outcome, .. } | Event::Retrying { outcome, .. } => {
                let outcome = Arc::clone(outcome);
                self.named.extend(files(&outcome).map(|log| Named::File {
                    file: log.file.clone(),
                    bytes: log.bytes,
                    sha256: log.sha256.clone(),
                }));
            }
            _ => {}
        }
    }

    fn sealed(&mut self, text: &[u8], hash: &Hash, line: Sealed) -> Result<(), Fault> {
        if *hash == self.before {
            return self.fault(Difference::Repeated, format!("{} was there already", describe(&line)));
        }
        if !self.is_expected(&line) {
            let said = format!("{} stands where {} should", describe(&line), self.expected());
            return self.fault(Difference::Missing, said);
        }
        if seal(&self.before, &self.head, text) != *hash {
            return self.fault(Difference::Changed, format!("{} is not what was written", self.expected()));
        }
        let said = match line {
            Sealed::Source { name, sha256, text } => {
                self.named.pop_front();
                self.verified.sources += 1;
                (chain::of_text(&text) != sha256)
                    .then(|| format!("the text of `{name}` is not the one that the run had"))
            }
            Sealed::File { file, bytes, sha256, missing } => self.file(file, bytes, sha256, missing),
            Sealed::Data { base64, .. } => self.data(&base64),
            Sealed::End { signature } => return self.last(hash, signature),
            Sealed::Export(_) => None,
        };
        self.before = *hash;
        said.map_or(Ok(()), |said| self.fault(Difference::Changed, said))
    }

    fn file(&mut self, file: String, bytes: u64, sha256: Option<String>, missing: bool) -> Option<String> {
        let Some(Named::File { bytes: due, sha256: known, .. }) = self.named.pop_front() else { return None };
        self.verified.files += 1;
        if bytes != due || !known.is_empty() && sha256.as_deref() != Some(&*known) {
            return Some(format!("the file `{file}` is not the one that the step wrote"));
        }
        let contents = self.header.contents;
        match sha256 {
            _ if missing => self.verified.missing.push(file),
            None => return Some(format!("the file `{file}` has no hash")),
            Some(_) if !contents => {}
            Some(sha256) if bytes == 0 && sha256 != chain::of_text("") => {
                return Some(format!("the file `{file}` is not empty"));
            }
            Some(_) if bytes == 0 => self.verified.contents += 1,
            Some(sha256) => self.open = Some(Open { file, bytes, sha256, from: 0, sha: Sha256::new() }),
        }
        None
    }

    fn data(&mut self, base64: &str) -> Option<String> {
        let mut open = self.open.take()?;
        let changed = || Some(format!("the content of the file `{}` is not what the step wrote", open.file));
        let Ok(piece) = STANDARD.decode(base64) else { return changed() };
        if piece.len() as u64 != (open.bytes - open.from).min(PIECE as u64) {
            return changed();
        }
        open.sha.update(&piece);
        open.from += piece.len() as u64;
        if open.from < open.bytes {
            self.open = Some(open);
        } else if chain::hex(&open.sha.clone().finalize()) == open.sha256 {
            self.verified.contents += 1;
        } else {
            return changed();
        }
        None
    }

    fn last(&mut self, hash: &Hash, signature: Option<String>) -> Result<(), Fault> {
        let all = seal(&self.before, &self.head, b"");
        let signed = match (&self.verified.key, signature) {
            (None, None) => true,
            (Some(_), Some(signature)) => self.has_signed(&of_export(&self.verified.run, &all), &signature),
            _ => false,
        };
        if !signed {
            let said = "the signature is not one of these lines by the key in the first of them";
            return self.fault(Difference::Signature, said);
        }
        if self.header.head != chain::hex(&self.head) {
            self.line = 1;
            return self.fault(Difference::Changed, "the chain of the events does not end as the first line says");
        }
        self.before = *hash;
        self.ended = true;
        Ok(())
    }

    fn end(self) -> Result<VerifiedExport, Fault> {
        if !self.ended {
            let message = match self.begun {
                false => "the file is empty".to_owned(),
                true => match self.expected() {
                    last if last == LAST => "the file ends before its last line".to_owned(),
                    next => format!("the file ends here: {next} and what follows is missing"),
                },
            };
            return Err(Fault { line: self.line + 1, what: Difference::Truncated, message });
        }
        let (events, head, status) = (self.due, chain::hex(&self.head), self.projection.status);
        Ok(VerifiedExport { events, head, status, ..self.verified })
    }

    /// A line that does not come to its end.
    fn unended(&self) -> Result<(), Fault> {
        match (self.begun, self.ended) {
            (false, _) => self.fault(Difference::Foreign, "it is not the first line of an export"),
            (_, true) => self.fault(Difference::Appended, "something stands behind what was the last line"),
            _ => self.fault(
                Difference::Truncated,
                format!("the file ends within the line: {} is not whole", self.expected()),
            ),
        }
    }

    /// Does the line that is missing stand further down?
    fn look_for(&self, input: &mut impl BufRead, line: &mut Vec<u8>, fault: &mut Fault) -> io::Result<()> {
        let mut number = self.line;
        while next_line(input, line)? {
            number += 1;
            let fits = match read(line) {
                Some(Line::Event { seq, at, hash, json }) if !self.waits_for_sealed() && seq == self.due => {
                    let before = self.before_event();
                    chain::next(&before, seq, at, json.as_bytes()) == hash
                }
                Some(Line::Sealed { text, hash, line }) => {
                    (self.waits_for_sealed() || !self.begun)
                        && self.is_expected(&line)
                        && seal(&self.before, &self.head, text) == hash
                }
                _ => false,
            };
            if fits {
                fault.what = Difference::Reordered;
                fault.message.push_str(&format!(", which is line {number} now"));
                return Ok(());
            }
        }
        fault.message.push_str(", which is missing");
        Ok(())
    }

    /// The hash that stands before the next event.
    fn before_event(&self) -> Hash {
        if self.due == 0 { chain::start(&self.header.run) } else { self.head }
    }

    /// Is a sealed line due, and not an event?
    fn waits_for_sealed(&self) -> bool {
        self.open.is_some() || !self.named.is_empty() || self.due >= self.header.events
    }

    fn is_expected(&self, line: &Sealed) -> bool {
        if !self.begun {
            return matches!(line, Sealed::Export(_));
        }
        match (line, &self.open, self.named.front()) {
            (Sealed::Data { file, from, .. }, Some(open), _) => open.file == *file && open.from == *from,
            (_, Some(_), _) => false,
            (Sealed::Source { sha256, .. }, _, Some(Named::Source { sha256: due, .. })) => sha256 == due,
            (Sealed::File { file, .. }, _, Some(Named::File { file: due, .. })) => file == due,
            (Sealed::End { .. }, _, None) => self.due >= self.header.events,
            _ => false,
        }
    }

    /// What has to come next, in words.
    fn expected(&self) -> String {
        match (&self.open, self.named.front()) {
            _ if !self.begun => "the first line".into(),
            (Some(open), _) => format!("the content of the file `{}` from byte {} on", open.file, open.from),
            (_, Some(Named::Source { name, .. })) => format!("the text of `{name}`"),
            (_, Some(Named::File { file, .. })) => format!("the file `{file}`"),
            _ if self.due < self.header.events => format!("event {}", self.due),
            _ => LAST.into(),
        }
    }

    fn has_signed(&self, text: &str, signature: &str) -> bool {
        let signature = STANDARD.decode(signature).ok();
        self.verified.key.zip(signature).is_some_and(|(key, signature)| key.has_signed(text, &signature))
    }

    fn newer<T>(&self) -> Result<T, Fault> {
        self.fault(Difference::Newer, "the export was written by a newer version of flow")
    }

    fn fault<T>(&self, what: Difference, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { line: self.line, what, message: message.into() })
    }
}

/// Does a first line that cannot be read say that it is of another format?
fn is_newer(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Formatted {
        format: u32,
    }
    serde_json::from_slice::<Formatted>(line).is_ok_and(|first| first.format > FORMAT)
}

fn describe(line: &Sealed) -> String {
    match line {
        Sealed::Export(_) => "the first line of an export".into(),
        Sealed::Source { name, .. } => format!("the text of `{name}`"),
        Sealed::File { file, .. } => format!("the file `{file}`"),
        Sealed::Data { file, from, .. } => format!("the content of the file `{file}` from byte {from} on"),
        Sealed::End { .. } => LAST.into(),
    }
}
