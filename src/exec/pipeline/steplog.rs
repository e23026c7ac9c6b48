//! What the processes of a pipeline write that is no item: one log for all, of which only the end is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use rustix::io::ioctl_fionbio;

use crate::event::{Failure, Log};
use crate::exec::Job;
use crate::exec::capture::{Captured, Logs};
use crate::exec::secrets::Secrets;
use crate::lang::item::{Item, Mapper};

/// Most bytes of the log. When there are more, its older half goes.
const MOST: u64 = 1 << 20;

/// How much of what one process wrote is kept for messages, in bytes.
pub(super) const TAIL: usize = 2048;

/// See the module's page.
pub(in crate::exec) struct StepLog {
    logs: Logs,
    /// `err` or `out`.
    ending: &'static str,
    secrets: Option<Arc<Secrets>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Created with the first bytes.
    file: Option<File>,
    written: u64,
}

impl StepLog {
    /// Of an attempt.
    pub fn of(job: &Job, ending: &'static str, secrets: &Arc<Secrets>) -> Result<Self, Failure> {
        let secrets = secrets.of_run(&job.site.hidden).map(|_| secrets.clone());
        Ok(StepLog { logs: Logs::of(job)?, ending, secrets, state: Mutex::default() })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.logs.path(self.ending)
    }

    /// What a message may quote.
    pub fn quote(&self, tail: &[u8]) -> String {
        let text = String::from_utf8_lossy(tail);
        let text = self.secrets.as_ref().map_or(text.clone(), |secrets| secrets.mask().text(&text).into_owned().into());
        self.logs.quote(&text).to_owned()
    }

    /// Adds to it: whole lines if possible. That it cannot be written disturbs nobody's work.
    pub fn add(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let bytes = match &self.secrets {
            Some(secrets) => secrets.mask().bytes(bytes).into_owned().into(),
            None => std::borrow::Cow::Borrowed(bytes),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.add(&self.path(), &bytes) {
            tracing::warn!(%error, "a log cannot be written");
        }
    }

    /// As it stands in events. Nothing: it is empty.
    pub fn log(&self) -> Option<Log> {
        let written = self.state.lock().unwrap_or_else(PoisonError::into_inner).written;
        (written > 0)
            .then(|| Captured::of(self.logs.name(self.ending), self.path(), written).ok())
            .flatten()
            .map(|it| it.log)
    }
}

impl State {
    fn add(&mut self, path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?),
        };
        let bytes = &bytes[bytes.len().saturating_sub(MOST as usize / 2)..];
        if self.written + bytes.len() as u64 > MOST {
            let mut rest = Vec::new();
            file.seek(SeekFrom::Start(self.written.saturating_sub(MOST / 2)))?;
            file.read_to_end(&mut rest)?;
            let from = rest.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&rest[from..])?;
            self.written = (rest.len() - from) as u64;
        }
        file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// A closure, with the log into which goes what it prints.
pub(in crate::exec) struct Heard<'a> {
    mapper: Box<dyn Mapper + 'a>,
    log: Arc<StepLog>,
}

impl<'a> Heard<'a> {
    /// What `mapper` prints goes into `log`.
    pub fn by(log: &Arc<StepLog>, mapper: Box<dyn Mapper + 'a>) -> Box<dyn Mapper + 'a> {
        Box::new(Heard { mapper, log: log.clone() })
    }
}

impl Mapper for Heard<'_> {
    fn call(&mut self, item: Item) -> Result<Item, Failure> {
        let result = self.mapper.call(item);
        self.log.add(self.mapper.take_printed().as_bytes());
        result
    }
}

/// The end of what a process wrote.
pub(super) struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    /// Closed when nothing more will come.
    ended: Receiver<()>,
}

impl Tail {
    /// After the process has ended: waits until all is in the log. Whoever else holds the stream is waited for only a moment.
    pub fn settle(&self) {
        let _ = self.ended.recv_timeout(Duration::from_millis(100));
    }

    /// It, after the process has ended.
    pub fn bytes(&self) -> Vec<u8> {
        self.settle();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Appends, and keeps the end.
pub(super) fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    if tail.len() > 4 * TAIL {
        tail.drain(..tail.len() - TAIL);
    }
}

/// Copies what a long-lived process writes into a log, by a thread of its own.
pub(super) fn pump(stream: Option<impl Read + AsFd + Send + 'static>, log: &Arc<StepLog>) -> Tail {
    let (end, ended) = bounded::<()>(0);
    let tail = Tail { kept: Arc::default(), ended };
    let Some(mut stream) = stream else { return tail };
    let (log, kept) = (log.clone(), tail.kept.clone());
    let copy = move || {
        // It has a thread that may wait.
        if ioctl_fionbio(&stream, false).is_err() {
            return;
        }
        let mut buffer = [0; 8192];
        let mut line = Vec::new();
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            keep_tail(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), &buffer[..n]);
            line.extend_from_slice(&buffer[..n]);
            // Whole lines, so that those of several processes do not mix.
            if let Some(end) = line.iter().rposition(|byte| *byte == b'\n') {
                log.add(&line[..=end]);
                line.drain(..=end);
            } else if line.len() > buffer.len() {
                log.add(&line);
                line.clear();
            }
        }
        log.add(&line);
        drop(end);
    };
    // Without a thread the process is told that nobody reads.
    let _ = thread::Builder::new().name("flow-log".into()).stack_size(128 * 1024).spawn(copy);
    tail
}
