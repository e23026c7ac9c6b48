//! The processes that run now, and the end of those that are to be ended: SIGTERM, a grace time, SIGKILL.
//!
//! A process is signalled only while it stands in the table, and it is taken out before it is reaped: its number
//! cannot belong to somebody else meanwhile.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rustix::process::{Pid, Signal};
use tokio::sync::oneshot;

use super::birth::{Began, Spans, ticks};
use super::children;
use super::pipeline::Halt;
use super::tree::{Kin, Mark, Process};
use crate::plan::StepId;

/// An attempt; where it has many processes or requests, as that of a pipeline does, one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    step: StepId,
    attempt: u32,
    /// 0: the attempt itself.
    part: u32,
}

impl From<(StepId, u32)> for Key {
    fn from((step, attempt): (StepId, u32)) -> Self {
        Key { step, attempt, part: 0 }
    }
}

impl Key {
    /// One of the many that an attempt has, by its number from 1.
    pub fn part(self, part: u32) -> Self {
        Key { part, ..self }
    }
}

/// See the module's page.
pub(super) struct Running {
    table: Mutex<Table>,
    grace: Duration,
    /// Are orphans adopted?
    adopts: bool,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// Closures that are being called, with what tells them to end.
    calls: HashMap<Key, Arc<AtomicBool>>,
    /// Attempts whose first process has ended and whose others are being ended, with what makes that quick.
    finishing: HashMap<Key, Arc<AtomicBool>>,
    /// Requests that are being made, with what tells them to end, once.
    requests: HashMap<Key, Option<oneshot::Sender<()>>>,
    /// Pipelines that run.
    pipelines: HashMap<Key, Arc<Halt>>,
    /// To be ended before they have begun.
    doomed: HashSet<Key>,
    /// The way to the thread that ends processes. It begins with the first kill.
    end: Option<Sender<(Key, bool)>>,
    /// When attempts ran that ended by themselves, in clock ticks, while others go on: what has come into being then
    /// may have been left behind on purpose. In order, without overlaps.
    by_themselves: Spans,
}

struct Entry {
    leader: Pid,
    mark: Mark,
    began: Began,
    /// Its first process alone is interrupted before the others are asked to end: it may have something to say.
    gently: bool,
    killed: Option<Killed>,
}

/// How long an attempt has that is ended gently, before all its processes are asked to end.
const GENTLY: Duration = Duration::from_secs(2);

/// An attempt was ended by us, or nothing of it is to stay.
pub(super) struct Killed {
    began: Began,
    /// It ended by itself.
    by_itself: bool,
    /// When the grace time is over.
    deadline: Option<Instant>,
    /// The processes that it had then.
    known: Vec<Process>,
}

impl Killed {
    /// Was it ended by us?
    pub fn by_us(&self) -> bool {
        !self.by_itself
    }
}

impl Running {
    /// `grace`: between SIGTERM and SIGKILL; `adopts`: are orphans adopted (see `children`)?
    pub fn new(grace: Duration, adopts: bool) -> Arc<Self> {
        Arc::new(Running { table: Mutex::default(), grace, adopts })
    }

    /// Between SIGTERM and SIGKILL.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May this attempt begin, or was it ended before?
    pub fn may_begin(&self, key: impl Into<Key>) -> bool {
        !self.table().doomed.remove(&key.into())
    }

    /// It has begun, not before `tick`.
    pub fn begun(self: &Arc<Self>, key: impl Into<Key>, leader: Pid, tick: u64, mark: impl FnOnce() -> Mark) {
        let key = key.into();
        let mut table = self.table();
        let began = Began { tick, leader };
        table.entries.insert(key, Entry { leader, mark: mark(), began, gently: false, killed: None });
        if table.doomed.remove(&key) {
            self.order(&mut table, key, false);
        }
    }

    /// Is it to be ended gently: interrupted as by Ctrl-C, and only then asked to end as others are?
    pub fn end_gently(&self, key: impl Into<Key>, gently: bool) {
        if let Some(entry) = self.table().entries.get_mut(&key.into()) {
            entry.gently = gently;
        }
    }

    /// Its first process has ended, but is not reaped yet. Was it ended by us? `whole`: even if it was not, nothing that it
    /// has started is to stay.
    pub fn ended(&self, key: impl Into<Key>, whole: bool) -> Option<Killed> {
        let key = key.into();
        let mut table = self.table();
        let mut entry = table.entries.remove(&key)?;
        if whole && entry.killed.is_none() {
            entry.killed = Some(Killed { began: entry.began, by_itself: true, deadline: None, known: Vec::new() });
        }
        if entry.killed.is_some() {
            table.finishing.insert(key, Arc::default());
        }
        if table.entries.is_empty() {
            table.by_themselves.clear();
        } else if entry.killed.is_none() {
            table.by_themselves.add(entry.began.tick, ticks());
        }
        entry.killed
    }

    /// Adopted processes that only attempts which were ended by us can have started, this one (which began then) among
    /// them. What another one may have left behind that ended by itself, or still goes on, stays.
    fn orphans(&self, table: &Table, began: Began) -> Vec<Process> {
        if !self.adopts {
            return Vec::new();
        }
        let belongs = |process: &Process| {
            let other = |entry: &Entry| entry.killed.is_none() && entry.began.may_have(*process);
            began.may_have(*process)
                && !table.by_themselves.contain(process.began)
                && !table.entries.values().any(other)
        };
        children::adopted().into_iter().filter(belongs).collect()
    }

    /// A closure is being called. What is given becomes true when it should end.
    pub fn call_begun(&self, key: impl Into<Key>) -> Arc<AtomicBool> {
        let key = key.into();
        let mut table = self.table();
        let stop = Arc::new(AtomicBool::new(table.doomed.remove(&key)));
        table.calls.insert(key, stop.clone());
        stop
    }

    /// It is no longer.
    pub fn call_ended(&self, key: impl Into<Key>) {
        self.table().calls.remove(&key.into());
    }

    /// A request is to be made. What is given tells when it should end.
    pub fn request_begun(&self, key: impl Into<Key>) -> oneshot::Receiver<()> {
        let key = key.into();
        let (end, ended) = oneshot::channel();
        let mut table = self.table();
        let mut request = Some(end);
        if table.doomed.remove(&key) {
            end_request(&mut request);
        }
        table.requests.insert(key, request);
        ended
    }

    /// It has its end.
    pub fn request_ended(&self, key: impl Into<Key>) {
        self.table().requests.remove(&key.into());
    }

    /// A pipeline begins. What is given tells when it should end.
    pub fn pipeline_begun(&self, key: Key) -> Arc<Halt> {
        let mut table = self.table();
        let halt = Arc::new(Halt::default());
        if table.doomed.remove(&key) {
            halt.set(true);
        }
        table.pipelines.insert(key, halt.clone());
        halt
    }

    /// It has its end.
    pub fn pipeline_ended(&self, key: Key) {
        self.table().pipelines.remove(&key);
    }

    /// Is an attempt, whatever it does, being ended?
    pub fn is_to_end(&self, key: impl Into<Key>) -> bool {
        let (key, table) = (key.into(), self.table());
        table.calls.get(&key).is_some_and(|stop| stop.load(Ordering::Relaxed))
            || table.requests.get(&key).is_some_and(Option::is_none)
            || table.entries.get(&key).is_some_and(|entry| entry.killed.is_some())
    }

    /// Ends an attempt; one that has not begun will not.
    pub fn kill(self: &Arc<Self>, key: impl Into<Key>, hard: bool) {
        let key = key.into();
        let mut table = self.table();
        if let Some(halt) = table.pipelines.get(&key) {
            halt.set(hard);
            if hard {
                // Those of its processes that are being ended need not be waited for.
                let is_part = |other: &&Key| other.part > 0 && Key { part: 0, ..**other } == key;
                let parts: Vec<Key> = table.entries.keys().filter(is_part).copied().collect();
                parts.into_iter().for_each(|part| self.order(&mut table, part, true));
                let hurried = table.finishing.iter().filter(|(other, _)| is_part(other));
                hurried.for_each(|(_, hurry)| hurry.store(true, Ordering::Relaxed));
            }
        } else if let Some(stop) = table.calls.get(&key) {
            stop.store(true, Ordering::Relaxed);
        } else if let Some(request) = table.requests.get_mut(&key) {
            end_request(request);
        } else if table.entries.contains_key(&key) {
            self.order(&mut table, key, hard);
        } else if let Some(hurry) = table.finishing.get(&key) {
            hurry.fetch_or(hard, Ordering::Relaxed);
        } else {
            table.doomed.insert(key);
        }
    }

    /// Marks an attempt as ended by us and has the thread do it, which may take a while: it walks `/proc`.
    fn order(self: &Arc<Self>, table: &mut Table, key: Key, hard: bool) {
        if let Some(entry) = table.entries.get_mut(&key) {
            entry.killed.get_or_insert(Killed {
                began: entry.began,
                by_itself: false,
                deadline: None,
                known: Vec::new(),
            });
        }
        let end = table.end.get_or_insert_with(|| {
            let (send, receive) = unbounded();
            let running = self.clone();
            thread::Builder::new()
                .name("flow-kill".into())
                .spawn(move || running.end_all(&receive))
                // Without threads nothing works any more; the processes get at least the signal, below.
                .map(|_| ())
                .unwrap_or_default();
            send
        });
        // Fails only if the thread could not begin.
        if end.send((key, hard)).is_err()
            && let Some(entry) = table.entries.get(&key)
        {
            let _ = rustix::process::kill_process_group(entry.leader, Signal::KILL);
        }
    }

    /// Lets the thread that ends processes end.
    pub fn close(&self) {
        self.table().end = None;
    }

    /// The thread that ends processes.
    fn end_all(&self, orders: &Receiver<(Key, bool)>) {
        let mut deadlines: BTreeMap<Instant, Vec<(Key, Signal)>> = BTreeMap::new();
        loop {
            let order = match deadlines.keys().next() {
                Some(next) => orders.recv_deadline(*next),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok((key, true)) => self.signal(key, Signal::KILL, Instant::now()),
                Ok((key, false)) => {
                    let now = Instant::now();
                    let asks = if self.interrupt(key) { GENTLY.min(self.grace / 2) } else { Duration::ZERO };
                    let deadline = now + asks + self.grace;
                    match asks.is_zero() {
                        true => self.signal(key, Signal::TERM, deadline),
                        false => deadlines.entry(now + asks).or_default().push((key, Signal::TERM)),
                    }
                    deadlines.entry(deadline).or_default().push((key, Signal::KILL));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    while let Some(entry) = deadlines.first_entry().filter(|entry| *entry.key() <= now) {
                        for (key, signal) in entry.remove() {
                            self.signal(key, signal, if signal == Signal::KILL { now } else { now + self.grace });
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Interrupts the first process of an attempt that is to be ended gently.
    fn interrupt(&self, key: Key) -> bool {
        // Under the lock, so that it cannot be reaped meanwhile.
        let table = self.table();
        let entry = table.entries.get(&key).filter(|entry| entry.gently);
        entry.is_some_and(|entry| rustix::process::kill_process(entry.leader, Signal::INT).is_ok())
    }

    /// Signals the tree of an attempt, if its first process is still there.
    fn signal(&self, key: Key, signal: Signal, deadline: Instant) {
        // Under the lock, so that the first process cannot be reaped meanwhile.
        let mut table = self.table();
        let Some(entry) = table.entries.get(&key) else { return };
        let orphans = || self.orphans(&table, entry.began);
        let kin = Kin { leader: Cell::new(Some(entry.leader)), mark: &entry.mark, orphans: &orphans };
        let found = kin.signal(signal);
        if let Some(killed) = table.entries.get_mut(&key).and_then(|entry| entry.killed.as_mut()) {
            killed.deadline = Some(killed.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
            killed.known.extend(found);
        }
    }

    /// After the first process of an attempt that we ended is gone: sees to it that the others go too.
    pub fn finish(&self, key: impl Into<Key>, leader: Pid, mark: &Mark, mut killed: Killed) {
        let key = key.into();
        let deadline = killed.deadline.unwrap_or_else(|| Instant::now() + self.grace);
        let orphans = || self.orphans(&self.table(), killed.began);
        let kin = Kin { leader: Cell::new(Some(leader)), mark, orphans: &orphans };
        let hurry = self.table().finishing.get(&key).cloned().unwrap_or_default();
        // It ended before the others were asked to. Of one that ended by itself there mostly is nobody left.
        if killed.deadline.is_none() && !kin.members().is_empty() {
            killed.known = kin.signal(Signal::TERM);
        }
        if !killed.by_itself || !killed.known.is_empty() {
            kin.finish(killed.known, deadline, &hurry);
        }
        self.table().finishing.remove(&key);
    }

    /// Ends all that the run has left behind, also what finished attempts have: those that bear the mark, and adopted ones
    /// that came into being since `since`.
    pub fn sweep(&self, run: &str, since: Option<u64>, hard: bool) {
        let mark = Mark { run: run.to_owned(), attempt: None, process: None };
        let orphans = || match since.filter(|_| self.adopts) {
            Some(since) => children::adopted().into_iter().filter(|process| process.began >= since).collect(),
            None => Vec::new(),
        };
        let kin = Kin { leader: Cell::new(None), mark: &mark, orphans: &orphans };
        let found = if hard { Vec::new() } else { kin.signal(Signal::TERM) };
        kin.finish(found, Instant::now() + self.grace, &AtomicBool::new(hard));
    }
}

fn end_request(request: &mut Option<oneshot::Sender<()>>) {
    if let Some(end) = request.take() {
        // Nobody listens any more if it is over.
        let _ = end.send(());
    }
}
