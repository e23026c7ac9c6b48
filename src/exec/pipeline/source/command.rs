//! What a program writes to its standard output. Where the pipeline goes on the program runs again, and what is done with
//! is passed over: it has to write the same as the first time.

use std::io::{self, Read};
use std::process::ChildStdout;
use std::sync::Arc;
use std::time::Duration;

use super::patient::Patient;
use super::pull::Pull;
use super::records::{At, Records, places};
use super::{Mark, Next, Opening, Places, Source, Sourced, Stop};
use crate::event::{Failure, FailureKind};
use crate::exec::mask::Masking;

use crate::exec::pipeline::outside::{Outside, Process, Template};
use crate::exec::pipeline::steplog::{Tail, pump};
use crate::exec::secrets::Secrets;
use crate::plan::{self, Format};

/// How often one looks whether to stop, while a program that has closed its output goes on.
const LOOK: Duration = Duration::from_millis(50);

/// See the module's page.
pub(super) struct Command<'a> {
    pull: Pull<Box<dyn Read + Send + 'a>>,
    template: Template,
    /// Nothing: it has ended.
    process: Option<Process<'a>>,
    tail: Tail,
    outside: &'a Outside<'a>,
    stop: Arc<Stop>,
    format: Format,
}

impl<'a> Command<'a> {
    pub fn open(command: &plan::Command, format: &Format, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let outside = at.outside;
        let template = Template::of(command, outside)?;
        let mut process = Process::start(&template, outside, None)?;
        let child = process.child.as_mut();
        let (stdout, stderr) = child.map_or((None, None), |child| {
            drop(child.stdin.take());
            (child.stdout.take(), child.stderr.take())
        });
        let tail = pump(stderr, &outside.errors);
        let stdout = stdout.ok_or_else(|| Failure::new(FailureKind::Spawn, "the program has no standard output"))?;
        let patient = Patient::new(stdout, stop.clone());
        let reader: Box<dyn Read + Send + 'a> = match outside.masked() {
            None => Box::new(patient),
            Some(secrets) => {
                Box::new(Masked { inner: patient, secrets, masking: Masking::default(), out: Vec::new(), at: 0 })
            }
        };
        let pull = Pull::passing(Records::new(reader, format, At::default()), at.reached.upto);
        Ok(Command {
            pull,
            template,
            process: Some(process),
            tail,
            outside,
            stop: stop.clone(),
            format: format.clone(),
        })
    }

    /// Its output is at its end: is it, too, and how?
    fn end(&mut self) -> Result<Next, Failure> {
        let Some(process) = self.process.take() else { return Ok(Next::End) };
        while !process.ends_within(LOOK) {
            if self.stop.is_set() {
                process.kill(false);
                return process.wait().map(|_| Next::End);
            }
        }
        let ended = process.wait()?;
        self.tail.settle();
        match ended.is_well() {
            true => Ok(Next::End),
            false => Err(ended.failure(&self.template.program, &self.tail.bytes(), self.outside)),
        }
    }
}

impl Source for Command<'_> {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let before = into.len();
        let next = self.pull.next(most, into, true).map_err(|error| self.unreadable(&error))??;
        if next == Next::More || self.stop.is_set() {
            return Ok(next);
        }
        // What it gave goes on, whatever its end.
        if into.len() > before { Ok(Next::More) } else { self.end() }
    }

    fn mark(&self) -> Mark {
        self.pull.mark()
    }

    fn places(&self) -> Places {
        places(&self.format, "")
    }
}

impl Command<'_> {
    fn unreadable(&self, error: &io::Error) -> Failure {
        let shown = &self.template.program.shown;
        Failure::new(FailureKind::Output, format!("what `{shown}` writes cannot be read: {error}"))
            .help("look at what it writes; a quote begins a field that may go over several lines")
    }
}

impl Drop for Command<'_> {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // No more of it is wanted; it is waited for.
            process.kill(false);
        }
    }
}

/// What is read, without secrets.
struct Masked<'a> {
    inner: Patient<ChildStdout>,
    secrets: &'a Secrets,
    masking: Masking,
    /// What is certain.
    out: Vec<u8>,
    at: usize,
}

impl Read for Masked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() {
            let n = self.inner.read(buffer)?;
            self.out.clear();
            self.at = 0;
            self.masking.take(&self.secrets.mask(), &buffer[..n], n == 0, &mut self.out);
            if n == 0 && self.out.is_empty() {
                return Ok(0);
            }
        }
        let n = (self.out.len() - self.at).min(buffer.len());
        buffer[..n].copy_from_slice(&self.out[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
