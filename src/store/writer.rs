//! The one thread that writes, and its group commit.
//!
//! 1. Wait for a job; take whatever else has queued up behind it, within bounds. If nothing has, go on at once.
//! 2. Turn the records into rows: number checked, JSON written, hash chained. Nobody is kept waiting for that.
//! 3. Write the rows and the runs' projections in one transaction. A busy database is waited for, without an end.
//! 4. Tell everybody how it went. After a failure a log stays failed: nothing is acted on that is not on disk.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rusqlite::Connection;

use super::log::Shared;
use super::rows::{MOST_BYTES, Rows};
use super::{breakers, failure, locked, memory, runs};
use crate::diag::{Diagnostic, Result};
use crate::event::{Created, Event, Note, Record};

/// Most events in one transaction, and most time spent on collecting them.
const MOST_EVENTS: usize = 20_000;
const MOST_TIME: Duration = Duration::from_millis(50);

/// A write-ahead log that is larger at the end is moved into the database, so that the next process need not read it.
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// Something to be written.
pub(super) enum Job {
    /// Records of a run; `new`: the first one, so the run must be inserted.
    Append { log: Arc<Shared>, records: Vec<Record>, new: bool, done: Done },
    /// Anything else, inside the transaction.
    Do { work: Work, done: Done },
    /// Nothing: all jobs before it are done when this one is.
    Flush(Done),
}

/// What a [`Job::Do`] does.
pub(super) type Work = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

/// Who wants to know how it went: told once in any case, even if the writer is gone.
pub(super) struct Done(Option<Box<dyn FnOnce(Result<()>) + Send>>);

impl Done {
    pub(super) fn new(tell: impl FnOnce(Result<()>) + Send + 'static) -> Self {
        Done(Some(Box::new(tell)))
    }

    fn tell(mut self, result: Result<()>) {
        if let Some(tell) = self.0.take() {
            tell(result);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Err(Diagnostic::new("flow::store::write", "the thread that writes the log has ended")
                .help("this is a fault of flow: please report it; the run can be resumed")));
        }
    }
}

/// A handle to the thread. Dropping it waits until everything is written.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it. `path`: of the database, for messages; `on_disk`: is it a file?
    pub(super) fn start(connection: Arc<Mutex<Connection>>, path: PathBuf, on_disk: bool) -> std::io::Result<Writer> {
        let (jobs, queue) = crossbeam_channel::unbounded();
        let thread = std::thread::Builder::new().name("flow-store".into()).spawn(move || {
            let _ = locked(&connection).busy_handler(Some(wait_for_others));
            let mut writing = Writing { path, queue, rows: Rows::default() };
            writing.work(&connection);
            if on_disk {
                writing.close(&locked(&connection));
            }
        })?;
        Ok(Writer { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues a job. If the thread is gone, the job is told so.
    pub(super) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }

    /// Is this called from the thread itself, that is from a `committed`?
    pub(super) fn is_here(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        if !self.is_here()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Called by SQLite while another process writes; `true`: try again.
fn wait_for_others(tries: i32) -> bool {
    if tries % 1000 == 999 {
        tracing::warn!(tries, "another process keeps the database locked; waiting");
    }
    std::thread::sleep(Duration::from_millis(if tries < 20 { 1 } else { 5 }));
    true
}

/// A job that is ready for the transaction.
enum Ready {
    /// `rows` are its place in the [`Rows`]; `breakers`: what they mean for these; `notes`: what of them lasts; `failed`: it must not be written.
    Append {
        log: Arc<Shared>,
        new: Option<Box<Created>>,
        rows: Range<usize>,
        breakers: Vec<breakers::Change>,
        notes: Vec<(u64, Note)>,
        failed: Option<Diagnostic>,
        done: Done,
    },
    Do {
        work: Option<Work>,
        done: Done,
    },
    Flush(Done),
}

struct Writing {
    path: PathBuf,
    queue: Receiver<Job>,
    rows: Rows,
}

impl Writing {
    fn work(&mut self, connection: &Mutex<Connection>) {
        while let Ok(first) = self.queue.recv() {
            let mut batch = self.collect(first);
            let result = {
                let connection = locked(connection);
                let result = self.write(&connection, &mut batch);
                if result.is_err() && !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
                result.map_err(|error| failure::sql(&error, "cannot write to", &self.path))
            };
            tell(batch, result);
        }
    }

    /// Steps 1 and 2.
    fn collect(&mut self, first: Job) -> Vec<Ready> {
        self.rows.clear();
        let start = Instant::now();
        let mut batch = vec![self.prepare(first)];
        while self.rows.len() < MOST_EVENTS && self.rows.bytes() < MOST_BYTES && start.elapsed() < MOST_TIME {
            let Ok(job) = self.queue.try_recv() else { break };
            batch.push(self.prepare(job));
        }
        batch
    }

    fn prepare(&mut self, job: Job) -> Ready {
        match job {
            Job::Append { log, records, new, done } => {
                let start = self.rows.len();
                let failed = self.rows.add(&log, &records).err();
                let new = match records.first().map(|record| &*record.event) {
                    Some(Event::Created(created)) if new => Some(created.clone()),
                    _ => None,
                };
                let uses = locked(&log.chain).projection.uses_breakers;
                let breakers = match failed {
                    None => breakers::changes(&log.run, uses, &records),
                    Some(_) => Vec::new(),
                };
                let notes = if failed.is_none() { memory::noted(&records) } else { Vec::new() };
                Ready::Append { log, new, rows: start..self.rows.len(), breakers, notes, failed, done }
            }
            Job::Do { work, done } => Ready::Do { work: Some(work), done },
            Job::Flush(done) => Ready::Flush(done),
        }
    }

    /// Step 3.
    fn write(&mut self, connection: &Connection, batch: &mut [Ready]) -> rusqlite::Result<()> {
        let has_work = batch.iter().any(|job| match job {
            Ready::Append { rows, .. } => !rows.is_empty(),
            Ready::Do { .. } => true,
            Ready::Flush(_) => false,
        });
        if !has_work {
            return Ok(());
        }
        until_free(|| connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]))?;
        let mut touched: Vec<Arc<Shared>> = Vec::new();
        for job in batch {
            match job {
                Ready::Append { log, new, rows, breakers, notes, failed, .. } if failed.is_none() => {
                    if let Some(created) = new
                        && let Err(diagnostic) = runs::insert(connection, log, created)?
                    {
                        locked(&log.chain).failed = Some(diagnostic.clone());
                        *failed = Some(diagnostic);
                        continue;
                    }
                    self.rows.belong(rows.clone(), locked(&log.chain).number);
                    if !touched.iter().any(|other| Arc::ptr_eq(other, log)) {
                        touched.push(log.clone());
                    }
                    breakers.iter().try_for_each(|change| breakers::apply(connection, change))?;
                    notes.iter().try_for_each(|(at, note)| memory::keep(connection, &log.run, *at, note))?;
                }
                Ready::Do { work, .. } => {
                    if let Some(work) = work.take() {
                        work(connection)?;
                    }
                }
                Ready::Append { .. } | Ready::Flush(_) => {}
            }
        }
        self.rows.insert(connection)?;
        for log in touched {
            runs::project(connection, &log)?;
        }
        until_free(|| connection.prepare_cached("COMMIT")?.execute([]))?;
        tracing::trace!(events = self.rows.len(), "committed");
        Ok(())
    }

    /// Leaves a short write-ahead log as it is: moving it would cost every short run two waits for the disk.
    fn close(&self, connection: &Connection) {
        if std::fs::metadata(super::wal(&self.path)).is_ok_and(|wal| wal.len() > CHECKPOINT_BYTES) {
            let _ = connection.busy_timeout(Duration::ZERO);
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// Step 4.
fn tell(batch: Vec<Ready>, result: Result<()>) {
    if let Err(diagnostic) = &result {
        for job in &batch {
            if let Ready::Append { log, .. } = job {
                locked(&log.chain).failed.get_or_insert_with(|| diagnostic.clone());
            }
        }
    }
    for job in batch {
        match job {
            Ready::Append { log, failed, done, .. } => {
                // Whoever is told may let go of the run's lock, so nothing of it may be held here.
                drop(log);
                done.tell(failed.map_or_else(|| result.clone(), Err));
            }
            Ready::Do { done, .. } => done.tell(result.clone()),
            Ready::Flush(done) => done.tell(Ok(())),
        }
    }
}

/// SQLite does not ask [`wait_for_others`] in every case.
fn until_free<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let mut tries = 0;
    loop {
        match attempt() {
            Err(error) if failure::is_busy(&error) => {
                wait_for_others(tries);
                tries = tries.saturating_add(1);
            }
            result => return result,
        }
    }
}
