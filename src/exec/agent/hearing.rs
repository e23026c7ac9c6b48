//! All that is heard of an attempt: the bytes are kept as they came, cut into lines, and read as events, which are noted and added
//! up.
//!
//! In a run with secrets the bytes are masked before anything else is done with them, so nothing that is read from them can
//! hold one.

use std::sync::Arc;
use std::time::Instant;

use super::Dialect;
use super::company::Company;
use super::journal::{Journal, Tee};
use super::lines::Lines;
use super::seen::Seen;
use crate::event::{AgentEvent, Failure, Log};
use crate::exec::capture::Logs;
use crate::exec::mask::Masking;
use crate::exec::process::too_much;
use crate::exec::secrets::Secrets;

/// See the module's page.
pub(super) struct Hearing<'a> {
    begun: Instant,
    masked: Option<(Masking, &'a Secrets)>,
    raw: Tee,
    /// How much came.
    came: u64,
    /// Most bytes of it.
    limit: Option<u64>,
    lines: Lines,
    read: Read<'a>,
}

/// What is read of it.
struct Read<'a> {
    dialect: Box<dyn Dialect>,
    journal: Journal,
    seen: Seen,
    company: Option<Box<dyn Company + 'a>>,
    events: Vec<AgentEvent>,
    failed: Option<Failure>,
}

/// The files that are left.
pub(super) struct Heard {
    pub raw: Option<Log>,
    pub events: Option<Log>,
}

impl<'a> Hearing<'a> {
    /// Begins now. `secrets`: what is masked, if anything is; `limit`: most bytes of what it says.
    pub fn new(
        logs: &Logs,
        dialect: Box<dyn Dialect>,
        secrets: Option<&'a Secrets>,
        limit: Option<u64>,
        company: Option<Box<dyn Company + 'a>>,
    ) -> Self {
        Hearing {
            begun: Instant::now(),
            masked: secrets.map(|secrets| (Masking::default(), secrets)),
            raw: Tee::of(logs, "out"),
            came: 0,
            limit,
            lines: Lines::default(),
            read: Read {
                dialect,
                journal: Journal::of(logs),
                seen: Seen::default(),
                company,
                events: Vec::new(),
                failed: None,
            },
        }
    }

    /// Milliseconds since the attempt began.
    pub fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// What it comes to.
    pub fn seen(&self) -> &Seen {
        &self.read.seen
    }

    /// Is it still being told what it is to read?
    pub fn is_told(&self) -> bool {
        self.read.company.as_ref().is_some_and(|company| company.tells())
    }

    /// What is to be called when its program has ended.
    pub fn at_exit(&self) -> Option<Arc<dyn Fn(bool) + Send + Sync>> {
        self.read.company.as_ref().and_then(|company| company.at_exit())
    }

    /// All that it said has been heard. Had those who read it enough?
    pub fn ended(&mut self, killed: bool) -> bool {
        self.read.company.as_mut().is_some_and(|company| company.ended(killed))
    }

    /// The next bytes.
    ///
    /// # Errors
    /// They cannot be kept, or are more than may be.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.came += bytes.len() as u64;
        if let Some(limit) = self.limit.filter(|limit| self.came > *limit) {
            let failure = too_much("the agent", "standard output", limit);
            return Err(Failure { message: failure.message.replace('`', ""), ..failure });
        }
        self.add(bytes, false)
    }

    fn add(&mut self, bytes: &[u8], last: bool) -> Result<(), Failure> {
        let mut certain = Vec::new();
        let bytes = match &mut self.masked {
            None => bytes,
            Some((masking, secrets)) => {
                masking.take(&secrets.mask(), bytes, last, &mut certain);
                &certain
            }
        };
        self.raw.take(bytes)?;
        let (at, read) = (self.begun.elapsed().as_millis() as u64, &mut self.read);
        self.lines.take(bytes, &mut |line| read.line(at, line.from, line.bytes, line.text, line.cut));
        read.failed.take().map_or(Ok(()), Err)
    }

    /// Nothing more is to be had now: what is held back is written.
    ///
    /// # Errors
    /// It cannot be.
    pub fn pause(&mut self) -> Result<(), Failure> {
        self.raw.flush()?;
        self.read.journal.flush()
    }

    /// Its end has come.
    ///
    /// # Errors
    /// What it said last cannot be kept.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.add(&[], true)?;
        let (at, read) = (self.begun.elapsed().as_millis() as u64, &mut self.read);
        self.lines.end(&mut |line| read.line(at, line.from, line.bytes, line.text, line.cut));
        read.dialect.end(&mut read.events);
        read.note(at, 0, 0, None);
        read.failed.take().map_or(Ok(()), Err)
    }

    /// Something that flow has to say itself.
    pub fn remark(&mut self, what: &str, text: String) {
        let at = self.now();
        self.read.events.push(AgentEvent::Other { what: what.to_owned(), text });
        self.read.note(at, 0, 0, None);
    }

    /// What it comes to, and its files.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn finish(self) -> (Seen, Result<Heard, Failure>) {
        let heard = || Ok(Heard { raw: self.raw.finish()?, events: self.read.journal.finish()? });
        (self.read.seen, heard())
    }
}

impl Read<'_> {
    fn line(&mut self, at: u64, from: u64, bytes: u64, text: &[u8], cut: bool) {
        if self.failed.is_some() {
            return;
        }
        if cut {
            let text = format!("a line of {bytes} bytes was cut to {}", text.len());
            self.events.push(AgentEvent::Other { what: "cut line".into(), text });
        }
        self.dialect.line(text, &mut self.events);
        self.note(at, from, bytes, Some(text));
    }

    /// Notes the events that are there. The first of a line says which line it is.
    fn note(&mut self, at: u64, from: u64, mut bytes: u64, line: Option<&[u8]>) {
        if let Some(company) = &mut self.company {
            company.said(line, &self.events);
        }
        for event in self.events.drain(..) {
            self.seen.take(&event);
            if let Err(failure) = self.journal.note(at, from, bytes, &event) {
                self.failed.get_or_insert(failure);
            }
            bytes = 0;
        }
    }
}
