//! One process that works on the run: the real driver, and what it was given instead of a disk and a world.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flow::engine::bus::Bus;
use flow::engine::drive::{Attended, Driver, Inbox, Lookout, Message, Setup, Time};
use flow::engine::numbering::Numbering;
use flow::event::{Event, Log, Record};
use flow::state::{Files, RunState, StepResult};
use tokio::sync::mpsc::UnboundedReceiver;

use super::disk::Queue;
use super::draft::Script;
use super::outside::Outside;
use super::post::Post;

/// See the module's page.
pub struct Process {
    /// The driver.
    pub driver: Driver,
    /// The way to tell it something.
    pub inbox: Inbox,
    /// What it has not taken yet.
    receive: UnboundedReceiver<Message>,
    /// What it wants to be written.
    pub disk: Queue,
    /// What it asked of the world.
    pub outside: Outside,
    /// When it began, in microseconds.
    born: u64,
    /// Where the script is.
    script: Evaluation,
    /// How many of the appends have been looked at.
    pub looked_at: usize,
    /// Nothing more can be written.
    pub full: bool,
}

/// How far the script is that this process evaluates.
enum Evaluation {
    /// At its end.
    Over,
    /// It waits for a step's result.
    Waits(crossbeam_channel::Receiver<Arc<StepResult>>),
}

/// No step here writes a file.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Log) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Process {
    /// A process takes up the run with this log; one with `Created` alone is new.
    pub fn start(now: u64, wall: u64, past: &[Record], script: &Script, post: &Post, attended: Attended) -> Process {
        let state = RunState::of(past);
        let new = past.len() == 1;
        let complete = state.plan.complete;
        let mut opening = vec![Event::Opened { pid: 1, host: "simulated".into(), flow: "0".into() }];
        let mut numbering = Numbering::of(past.iter().map(|record| &*record.event));
        if new && let Some(growth) = numbering.take(script.pieces[0].clone(), 0) {
            opening.push(Event::Planned { of: None, growth: Box::new(growth) });
        }
        let (disk, outside) = (Queue::default(), Outside::default());
        let (inbox, receive) = Inbox::open();
        let (to_disk, to_outside) = (disk.clone(), outside.clone());
        let bus = Bus::starting_at(state.events);
        let setup = Setup {
            state,
            opening,
            default_parallel: 2,
            numbering,
            journal: Box::new(to_disk),
            files: Arc::new(NoFiles),
            folder: PathBuf::new(),
            executor: Box::new(move |_| Arc::new(to_outside)),
            signals: None,
            lookout: Lookout::new(Box::new(post.clone()), attended, past),
            at_end: Box::new(|_| {}),
        };
        let driver = Driver::new(setup, inbox.clone(), bus, wall);
        inbox.begin();
        let mut process = Process {
            driver,
            inbox,
            receive,
            disk,
            outside,
            born: now,
            script: Evaluation::Over,
            looked_at: 0,
            full: false,
        };
        if !complete || (new && script.pieces.len() > 1) {
            if !new {
                // The script is evaluated again; what the log has is recognised.
                process.inbox.grow(script.pieces[0].clone());
            }
            process.wait_for(script);
        }
        process
    }

    /// The script waits for a result.
    fn wait_for(&mut self, script: &Script) {
        if let Some(wanted) = script.wanted {
            let (reply, result) = crossbeam_channel::bounded(1);
            self.inbox.send(Message::Want(wanted, reply));
            self.script = Evaluation::Waits(result);
        }
    }

    /// The script goes on, if the result is there for which it waits. Says whether it did.
    pub fn go_on(&mut self, script: &Script) -> bool {
        let Evaluation::Waits(result) = &self.script else { return false };
        match result.try_recv() {
            Ok(_) => script.pieces[1..].iter().for_each(|piece| self.inbox.grow(piece.clone())),
            Err(crossbeam_channel::TryRecvError::Empty) => return false,
            // The run came to its end without it.
            Err(crossbeam_channel::TryRecvError::Disconnected) => {}
        }
        self.script = Evaluation::Over;
        true
    }

    /// What time it is for the driver.
    pub fn time(&self, now: u64, wall: u64) -> Time {
        Time { wall, passed: Duration::from_micros(now - self.born) }
    }

    /// When the driver wants to be called, in microseconds.
    pub fn next_moment(&self) -> Option<u64> {
        let moment = self.driver.next_moment()?;
        // A little later rather than too early.
        let micros = u64::try_from(moment.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
        Some(self.born.saturating_add(micros))
    }

    /// The next message, if there is one.
    pub fn message(&mut self) -> Option<Message> {
        self.receive.try_recv().ok()
    }

    /// Are there messages left?
    pub fn has_messages(&self) -> bool {
        !self.receive.is_empty()
    }
}
