//! The processes that run now, and the end of those that are to be ended: SIGTERM, a grace time, SIGKILL.
//!
//! A process is signalled only while it stands in the table, and it is taken out before it is reaped: its number
//! cannot belong to somebody else meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rustix::process::{Pid, Signal};
use tokio::sync::oneshot;

use super::tree::{self, Mark, Process};
use crate::plan::StepId;

type Key = (StepId, u32);

/// See the module's page.
pub(super) struct Running {
    table: Mutex<Table>,
    grace: Duration,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// Closures that are being called, with what tells them to end.
    calls: HashMap<Key, Arc<AtomicBool>>,
    /// Requests that are being made, with what tells them to end, once.
    requests: HashMap<Key, Option<oneshot::Sender<()>>>,
    /// To be ended before they have begun.
    doomed: HashSet<Key>,
    /// The way to the thread that ends processes. It begins with the first kill.
    end: Option<Sender<(Key, bool)>>,
}

struct Entry {
    leader: Pid,
    mark: Mark,
    killed: Option<Killed>,
}

/// An attempt was ended by us.
#[derive(Default)]
pub(super) struct Killed {
    /// When the grace time is over.
    deadline: Option<Instant>,
    /// The processes that it had then.
    known: Vec<Process>,
}

impl Running {
    /// `grace`: between SIGTERM and SIGKILL.
    pub fn new(grace: Duration) -> Arc<Self> {
        Arc::new(Running { table: Mutex::default(), grace })
    }

    /// Between SIGTERM and SIGKILL.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May this attempt begin, or was it ended before?
    pub fn may_begin(&self, key: Key) -> bool {
        !self.table().doomed.remove(&key)
    }

    /// It has begun.
    pub fn begun(self: &Arc<Self>, key: Key, leader: Pid, mark: impl FnOnce() -> Mark) {
        let mut table = self.table();
        table.entries.insert(key, Entry { leader, mark: mark(), killed: None });
        if table.doomed.remove(&key) {
            self.order(&mut table, key, false);
        }
    }

    /// Its first process has ended, but is not reaped yet. Was it ended by us?
    pub fn ended(&self, key: Key) -> Option<Killed> {
        self.table().entries.remove(&key).and_then(|entry| entry.killed)
    }

    /// A closure is being called. What is given becomes true when it should end.
    pub fn call_begun(&self, key: Key) -> Arc<AtomicBool> {
        let mut table = self.table();
        let stop = Arc::new(AtomicBool::new(table.doomed.remove(&key)));
        table.calls.insert(key, stop.clone());
        stop
    }

    /// It is no longer.
    pub fn call_ended(&self, key: Key) {
        self.table().calls.remove(&key);
    }

    /// A request is to be made. What is given tells when it should end.
    pub fn request_begun(&self, key: Key) -> oneshot::Receiver<()> {
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
    pub fn request_ended(&self, key: Key) {
        self.table().requests.remove(&key);
    }

    /// Ends an attempt; one that has not begun will not.
    pub fn kill(self: &Arc<Self>, key: Key, hard: bool) {
        let mut table = self.table();
        if let Some(stop) = table.calls.get(&key) {
            stop.store(true, Ordering::Relaxed);
        } else if let Some(request) = table.requests.get_mut(&key) {
            end_request(request);
        } else if table.entries.contains_key(&key) {
            self.order(&mut table, key, hard);
        } else {
            table.doomed.insert(key);
        }
    }

    /// Marks an attempt as ended by us and has the thread do it, which may take a while: it walks `/proc`.
    fn order(self: &Arc<Self>, table: &mut Table, key: Key, hard: bool) {
        if let Some(entry) = table.entries.get_mut(&key) {
            entry.killed.get_or_insert_default();
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
        let mut deadlines: BTreeMap<Instant, Vec<Key>> = BTreeMap::new();
        loop {
            let order = match deadlines.keys().next() {
                Some(next) => orders.recv_deadline(*next),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok((key, hard)) => {
                    let deadline = Instant::now() + if hard { Duration::ZERO } else { self.grace };
                    self.signal(key, if hard { Signal::KILL } else { Signal::TERM }, deadline);
                    if !hard {
                        deadlines.entry(deadline).or_default().push(key);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    while let Some(entry) = deadlines.first_entry().filter(|entry| *entry.key() <= now) {
                        for key in entry.remove() {
                            self.signal(key, Signal::KILL, now);
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Signals the tree of an attempt, if its first process is still there.
    fn signal(&self, key: Key, signal: Signal, deadline: Instant) {
        let mut table = self.table();
        let Some(entry) = table.entries.get_mut(&key) else { return };
        let killed = entry.killed.get_or_insert_default();
        killed.deadline = Some(killed.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        // Under the lock, so that the first process cannot be reaped meanwhile.
        let found = tree::signal(Some(entry.leader), &entry.mark, signal);
        killed.known.extend(found);
    }

    /// After the first process of an attempt that we ended is gone: sees to it that the others go too.
    pub fn finish(&self, leader: Pid, mark: &Mark, killed: &Killed) {
        let deadline = killed.deadline.unwrap_or_else(|| Instant::now() + self.grace);
        tree::finish(leader, mark, &killed.known, deadline);
    }
}

fn end_request(request: &mut Option<oneshot::Sender<()>>) {
    if let Some(end) = request.take() {
        // Nobody listens any more if it is over.
        let _ = end.send(());
    }
}
