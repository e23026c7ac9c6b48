//! How long things are, and a database that is as short as it can be.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::diag::Result;
use crate::store::{Durability, Inner, Store, connect, failure, wal};

/// Fewer free bytes are not worth writing a database anew.
const WORTH: u64 = 64 * 1024;

/// Nor is less than this part of it.
const PART: u64 = 10;

/// A database that is longer than this takes too long to be written anew in passing.
const QUICK: u64 = 16 << 20;

/// How long others are waited for. They may well be there again the next time.
const PATIENCE: Duration = Duration::from_millis(500);

impl Store {
    /// Step 4 of the collection. `quick`: only if it is done soon.
    pub(super) fn shrink(&self, quick: bool) -> Result<()> {
        let path = &self.inner.path;
        if self.inner.durability == Durability::None || (quick && self.inner.database_bytes() > QUICK) {
            return Ok(());
        }
        if self.is_anybody_working() {
            return Ok(());
        }
        let connection = connect::writer(Some(path), self.inner.durability, PATIENCE)?;
        match smaller(&connection, quick) {
            Err(error) if !failure::is_busy(&error) => Err(failure::sql(&error, "cannot write to", path)),
            _ => Ok(()),
        }
    }

    /// Does any process work on any run?
    fn is_anybody_working(&self) -> bool {
        let runs = std::fs::read_dir(self.inner.home.join("runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| run.file_name().into_string().ok()).any(|run| self.is_alive(&run))
    }
}

fn smaller(connection: &Connection, quick: bool) -> rusqlite::Result<()> {
    let (free, all) = (free_bytes(connection)?, pages(connection, "page_count")?);
    let worth = free >= WORTH && free >= all / PART;
    if worth {
        connection.execute_batch("VACUUM")?;
    } else if quick {
        return Ok(());
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// What is free within the database.
pub(super) fn free_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    pages(connection, "freelist_count")
}

/// A number of pages, in bytes.
fn pages(connection: &Connection, count: &str) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma(count)? * pragma("page_size")?).max(0) as u64)
}

impl Inner {
    /// Length of the database with its write-ahead log.
    pub(super) fn database_bytes(&self) -> u64 {
        [&self.path, &wal(&self.path)].into_iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum()
    }
}

/// Length of all files in a folder and below. What cannot be looked at counts nothing.
pub(super) fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => folder_bytes(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
            _ => 0,
        })
        .sum()
}
