//! Tells an agent what those before it write while they write it, and last its task.
//!
//! A thread of its own. It ends with what it reads, or as soon as the agent reads no more.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use smol_str::SmolStr;

use super::heard::heard;
use super::pipes::never_wait;
use crate::event::AgentEvent;
use crate::exec::agent::Driver;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How much of what was told is kept for people, in bytes.
const KEPT: usize = 1 << 20;

/// How an agent is told.
pub(super) enum Way {
    /// Just as it comes.
    Bytes,
    /// Event by event, as its driver has it.
    Events {
        driver: Arc<dyn Driver>,
        /// Pieces of a message are put together, as far as they are there.
        joins: bool,
    },
    /// Not at all: it is somebody's recording, who has heard it before.
    Nothing,
}

/// See the module's page.
pub(super) struct Telling {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    done: AtomicBool,
    told: Mutex<Told>,
}

/// What was told, for people.
#[derive(Default)]
struct Told {
    bytes: Vec<u8>,
    /// So much more than is kept.
    more: u64,
}

impl Told {
    fn take(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(KEPT - self.bytes.len().min(KEPT));
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.more += (bytes.len() - kept) as u64;
    }
}

impl Telling {
    /// Begins. What comes `from` these `writers` goes `to` the agent, then its `task`.
    pub fn begin(
        from: PipeReader,
        to: Option<PipeWriter>,
        way: Way,
        writers: Vec<SmolStr>,
        task: Vec<u8>,
    ) -> io::Result<Self> {
        never_wait(&from)?;
        let state = Arc::new(State::default());
        let mut teller = Teller { to, way, writers, pending: None, part: Vec::new(), state: state.clone() };
        let tell = move || {
            // Who reads no more needs no task.
            let _ = teller.run(from, &task);
            teller.to = None;
            teller.state.done.store(true, Ordering::SeqCst);
        };
        thread::Builder::new().name("flow-tell".into()).stack_size(512 * 1024).spawn(tell)?;
        Ok(Telling { state })
    }

    /// Is there perhaps something still to be told?
    pub fn goes_on(&self) -> bool {
        !self.state.done.load(Ordering::SeqCst)
    }

    /// What was told so far.
    pub fn told(&self) -> String {
        let told = self.state.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from_utf8_lossy(&told.bytes).into_owned();
        if told.more > 0 {
            text.push_str(&format!("\n(and {} bytes more)\n", told.more));
        }
        text
    }
}

struct Teller {
    to: Option<PipeWriter>,
    way: Way,
    writers: Vec<SmolStr>,
    /// A message whose pieces are being put together.
    pending: Option<(String, String)>,
    part: Vec<u8>,
    state: Arc<State>,
}

impl Teller {
    fn run(&mut self, mut from: PipeReader, task: &[u8]) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => self.take(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flush()?;
                    self.wait(&from)?;
                }
                Err(error) => return Err(error),
            }
        }
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.line(&part)?;
        }
        self.flush()?;
        match &mut self.to {
            Some(to) => to.write_all(task),
            None => Ok(()),
        }
    }

    /// Until more comes, or the agent reads no more.
    fn wait(&self, from: &PipeReader) -> io::Result<()> {
        let mut polled = vec![PollFd::new(from, PollFlags::IN)];
        // An error is told without being asked for.
        polled.extend(self.to.as_ref().map(|to| PollFd::new(to, PollFlags::empty())));
        // An interrupted sleep is one that ended early.
        let _ = poll(&mut polled, None);
        match polled.get(1).is_some_and(|to| !to.revents().is_empty()) {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !matches!(self.way, Way::Events { .. }) {
            return self.tell(bytes);
        }
        self.part.extend_from_slice(bytes);
        let Some(whole) = self.part.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let lines = self.part.drain(..=whole).collect::<Vec<u8>>();
        lines[..whole].split(|byte| *byte == b'\n').try_for_each(|line| self.line(line))
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let Way::Events { joins, .. } = self.way else { return self.tell(line) };
        let writers = std::mem::take(&mut self.writers);
        let heard = heard(line, &writers);
        let told = match heard.event {
            AgentEvent::Text { text, delta, parent } if joins && parent.is_empty() => match &mut self.pending {
                Some((from, message)) if delta && *from == heard.from => {
                    message.push_str(&text);
                    Ok(())
                }
                _ => {
                    let flushed = self.flush();
                    self.pending = Some((heard.from.into_owned(), text));
                    flushed
                }
            },
            event => self.flush().and_then(|()| self.event(&heard.from, &event)),
        };
        self.writers = writers;
        told
    }

    /// Tells the message that has been put together.
    fn flush(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some((from, text)) => self.event(&from, &AgentEvent::Text { text, delta: false, parent: String::new() }),
            None => Ok(()),
        }
    }

    fn event(&mut self, from: &str, event: &AgentEvent) -> io::Result<()> {
        let Way::Events { driver, .. } = &self.way else { return Ok(()) };
        match driver.tell_live(from, event) {
            Some(line) => self.tell(&line),
            None => Ok(()),
        }
    }

    fn tell(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.state.told.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
        match &mut self.to {
            Some(to) => to.write_all(bytes),
            None => Ok(()),
        }
    }
}
