//! The store: the durable log of every run, in one SQLite database that any number of processes share.
//!
//! One thread of a process writes ([`RunLog::append`] hands it records and returns), and commits whatever has queued
//! up in one transaction. Events are chained by SHA-256. The list of runs is a projection of the events, kept in the
//! same transaction. `schema.sql` is the form of the database; `docs/log-format.md` tells others how to read it.
//!
//! This is the only room that knows SQL, and it knows nothing of what an event means beyond `projection`.

mod breakers;
mod cache;
mod chain;
mod connect;
mod durations;
mod export;
mod failure;
mod folder;
mod gc;
mod id;
mod inbox;
mod key;
mod lock;
mod log;
mod memory;
mod projection;
mod read;
mod receipts;
mod rows;
mod runs;
mod signatures;
mod sources;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

pub use breakers::no_breaker;
pub use export::{
    Difference, ExportOptions, Exported, Fault, Halt, Unverified, VerifiedExport, verify as verify_export,
};
pub use gc::{Collected, CollectedRun, GcOptions, InPassing};
pub use id::new_run_id;
pub use inbox::{Addressee, Letter};
pub use key::{Key, PublicKey};
pub use log::RunLog;
pub use memory::{Lasting, no_memory};
pub use projection::Counts;
pub use receipts::{ReceiptFilter, Receipts};
pub use runs::{RunFilter, RunSummary};
pub use signatures::Signature;
pub use verify::{Found, Kept, Verified};

use crate::diag::{Diagnostic, Result};
use crate::event::{Created, Event, Record};
use lock::RunLock;
use log::{Chain, Shared};
use projection::Projection;
use writer::{Done, Job, Work, Writer};

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the log is in memory. Only the logs of processes are files.
    None,
    /// The end of the process, however it comes.
    #[default]
    Normal,
    /// The loss of power too.
    Full,
}

/// The store of one `.flow` folder. Cheap to clone; closed when the last clone and the last [`RunLog`] go.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    home: PathBuf,
    /// Of the database; for messages only if that is in memory.
    path: PathBuf,
    durability: Durability,
    patience: Duration,
    /// Did this store make the folder?
    made_home: bool,
    /// In memory there is but one connection.
    reader: OnceLock<Arc<Mutex<Connection>>>,
    writer: OnceLock<Writer>,
    starting: Mutex<()>,
    /// A text could not be kept: told to the next run that is created.
    unkept: Arc<Mutex<Option<Diagnostic>>>,
}

impl Store {
    /// Opens the store in the folder `home` (usually `.flow`) and creates both if they are not there.
    ///
    /// # Errors
    /// `flow::store::open`, `…::newer`, `…::corrupt`, or `…::write` if the folder cannot be made.
    pub fn open(home: &Path, durability: Durability) -> Result<Store> {
        Store::open_with(home, durability, connect::PATIENCE)
    }

    fn open_with(home: &Path, durability: Durability, patience: Duration) -> Result<Store> {
        let made_home = !home.exists();
        let store = Store::new(home, durability, patience, made_home);
        if durability != Durability::None {
            std::fs::create_dir_all(home).map_err(|e| failure::file(&e, "cannot create the folder", home))?;
            if made_home {
                // A log is nothing to be committed to a repository. If this fails, so will what comes next.
                let _ = std::fs::write(home.join(".gitignore"), "*\n");
            }
        }
        store.inner.writer()?;
        Ok(store)
    }

    /// Opens the store in `home` to look at it; nothing if there is none. Nothing is created or changed until
    /// something is written (an older database is brought up to date, though).
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing(home: &Path) -> Result<Option<Store>> {
        let store = Store::new(home, Durability::Normal, connect::PATIENCE, false);
        match connect::reader(&store.inner.path, store.inner.patience)? {
            Some(connection) => {
                let _ = store.inner.reader.set(Arc::new(Mutex::new(connection)));
                Ok(Some(store))
            }
            None => Ok(None),
        }
    }

    fn new(home: &Path, durability: Durability, patience: Duration, made_home: bool) -> Store {
        Store {
            inner: Arc::new(Inner {
                home: home.to_owned(),
                path: home.join("flow.db"),
                durability,
                patience,
                made_home,
                reader: OnceLock::new(),
                writer: OnceLock::new(),
                starting: Mutex::new(()),
                unkept: Arc::default(),
            }),
        }
    }

    /// Begins the log of a new run: takes its lock and commits its first event. An empty `created.run` is filled in
    /// with a new id.
    ///
    /// # Errors
    /// `flow::store::write` if it cannot be written; `flow::run::busy` if the id is one that a process works on.
    pub fn create(&self, mut created: Created) -> Result<RunLog> {
        self.inner.writer()?;
        let at = now_ms();
        let (folder, lock) = if created.run.is_empty() {
            let (run, folder, lock) = self.new_folder(at)?;
            created.run = run;
            (folder, lock)
        } else {
            let folder = self.run_folder(&created.run);
            let lock = self.lock(&created.run, &folder)?;
            (folder, lock)
        };
        let run = created.run.clone();
        let projection = Projection::default();
        let chain = Chain { number: 0, next: 0, head: chain::start(&run), projection, failed: None };
        let first = Record { seq: 0, at, event: Arc::new(Event::Created(Box::new(created))) };
        let log = self.log(run, folder, lock, chain, first.clone());
        let (done, wait) = self.answer();
        if let (Some(writer), Some(shared)) = (self.inner.writer.get(), &log.shared) {
            writer.send(Job::Append { log: shared.clone(), records: vec![first], new: true, done });
        }
        wait()?;
        match locked(&self.inner.unkept).take() {
            Some(diagnostic) => Err(diagnostic),
            None => Ok(log),
        }
    }

    /// Takes up the log of a run that is there: takes its lock and reads all its records, checking their chain.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::run::busy` if a process works on it; `flow::store::tampered` or `…::corrupt` if
    /// its log is not what was written.
    pub fn reopen(&self, run: &str) -> Result<(RunLog, Vec<Record>)> {
        self.inner.writer()?;
        self.inner.run(run)?;
        let folder = self.run_folder(run);
        let lock = self.lock(run, &folder)?;
        let (row, checked, records) = self.inner.checked(run)?;
        let Some(first) = records.first().cloned() else {
            return Err(read::tampered(run, format!("the log of run `{run}` is empty")));
        };
        let chain = Chain {
            number: row.number,
            next: checked.events,
            head: checked.head,
            projection: checked.projection,
            failed: None,
        };
        Ok((self.log(run.to_owned(), folder, lock, chain, first), records))
    }

    fn log(&self, run: String, folder: PathBuf, lock: RunLock, chain: Chain, first: Record) -> RunLog {
        let shared = Shared { run: run.clone(), chain: Mutex::new(chain), _lock: lock };
        RunLog { store: self.clone(), shared: Some(Arc::new(shared)), first, run, folder }
    }

    /// The committed records of a run (by its full id) from a number on. Any process may ask at any time.
    ///
    /// # Errors
    /// `flow::run::unknown`, or `flow::store::corrupt` if one cannot be read.
    pub fn records(&self, run: &str, from_seq: u64) -> Result<Vec<Record>> {
        let row = self.inner.run(run)?;
        self.inner.records(&row, from_seq)
    }

    /// Waits until everything queued so far is committed or has failed.
    fn flush(&self) -> Result<()> {
        match self.inner.writer.get() {
            Some(writer) if !writer.is_here() => {
                let (done, wait) = self.answer();
                writer.send(Job::Flush(done));
                wait()
            }
            _ => Ok(()),
        }
    }

    /// Does something inside the writer's next transaction and waits for its commit.
    fn write(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) -> Result<()> {
        let (done, wait) = self.answer();
        self.inner.writer()?.send(Job::Do { work: Box::new(work) as Work, done });
        wait()
    }

    /// Whom to tell, and how to wait for it.
    fn answer(&self) -> (Done, impl FnOnce() -> Result<()> + use<>) {
        let (tell, told) = crossbeam_channel::bounded(1);
        let done = Done::new(move |result| {
            let _ = tell.send(result);
        });
        // It is told in any case; see `Done`.
        (done, move || told.recv().unwrap_or(Ok(())))
    }
}

impl Inner {
    /// The writer, started if it is not there yet.
    fn writer(&self) -> Result<&Writer> {
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let _starting = locked(&self.starting);
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let on_disk = self.durability != Durability::None;
        let connection = connect::writer(on_disk.then_some(&self.path), self.durability, self.patience)?;
        let connection = Arc::new(Mutex::new(connection));
        if !on_disk {
            let _ = self.reader.set(connection.clone());
        }
        let writer = Writer::start(connection, self.path.clone(), on_disk).map_err(|error| {
            Diagnostic::new("flow::store::open", format!("cannot start the thread that writes the log: {error}"))
                .help("the system has too many threads; try again when it is less busy")
        })?;
        Ok(self.writer.get_or_init(|| writer))
    }

    /// Asks the database something.
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.read_with(|connection| ask(connection).map_err(|error| failure::sql(&error, "cannot read", &self.path)))
    }

    fn read_with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.reader.get().is_none() {
            let connection = connect::reader(&self.path, self.patience)?
                .ok_or_else(|| failure::damaged(&self.path, "it was removed"))?;
            // If another thread was faster, its connection is as good.
            let _ = self.reader.set(Arc::new(Mutex::new(connection)));
        }
        match self.reader.get() {
            Some(connection) => ask(&locked(connection)),
            None => Err(failure::damaged(&self.path, "it was removed")),
        }
    }
}

/// The key of an event: one integer for the run's number and the event's.
fn key_of(run: i64, seq: u64) -> i64 {
    (run << 32) | (seq.min(u64::from(u32::MAX)) as i64)
}

/// The write-ahead log beside a database.
fn wal(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// A panic elsewhere leaves nothing half done behind these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
