//! Opening the database: creating it, bringing an older one up to date, refusing a newer one. Any number of processes
//! may do so at the same time.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Durability, failure};
use crate::diag::{Diagnostic, Result};

/// From one version of the schema to the next: the first makes version 1 of nothing. Never change one, add one.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("breakers.sql"),
    include_str!("inbox.sql"),
    include_str!("cache.sql"),
    include_str!("proof.sql"),
    include_str!("memory.sql"),
];

/// The version this program knows.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// How long somebody who only opens or reads waits for a locked database. (Who writes waits without an end.)
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// In KiB: enough for the pages at which several runs append.
const CACHE_KIB: i64 = 8 * 1024;

/// Pages in the write-ahead log after which a commit moves them into the database: 16 MiB, so that it happens rarely.
const CHECKPOINT_PAGES: i64 = 4096;

/// A connection that writes; creates the file if there is none. `path`: nothing for one in memory.
pub(super) fn writer(path: Option<&Path>, durability: Durability, patience: Duration) -> Result<Connection> {
    let Some(path) = path else {
        let mut connection =
            Connection::open_in_memory().map_err(|e| failure::sql(&e, "cannot open", Path::new(":memory:")))?;
        migrate(&mut connection).map_err(|e| e.diagnostic(Path::new(":memory:")))?;
        return Ok(connection);
    };
    let connection = retry(patience, || {
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(patience)?;
        // Before anything that could change the file.
        check_version(&connection)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            tracing::warn!(path = %path.display(), mode, "this disk does not allow a write-ahead log; commits are slow");
        }
        connection.pragma_update(None, "synchronous", if durability == Durability::Full { "full" } else { "normal" })?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        migrate(&mut connection)?;
        Ok(connection)
    })
    .map_err(|e| e.diagnostic(path))?;
    Ok(connection)
}

/// A connection that only reads. Nothing if there is no database, or one in which nothing was written yet.
/// An older database is brought up to date first.
pub(super) fn reader(path: &Path, patience: Duration) -> Result<Option<Connection>> {
    if !path.exists() {
        // Broken links and folders that may not be looked into are errors; a missing file is not.
        return match path.symlink_metadata() {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Diagnostic::new("flow::store::open", format!("cannot open `{}`: {error}", path.display()))
                    .help("look at the folder and its permissions, or name another one in FLOW_HOME"))
            }
            _ => Ok(None),
        };
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |name: &Path, flags: OpenFlags| {
        retry(patience, || {
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(patience)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            let version = check_version(&connection)?;
            Ok((connection, version))
        })
    };
    let (connection, version) = match open(path, flags) {
        Err(Wrong::Sql(error)) if !path.is_dir() && !has_wal(path) && cannot_write(&error) => {
            // A folder in which nothing may be created: what stands in the database is all there is.
            open(Path::new(&immutable(path)), flags | OpenFlags::SQLITE_OPEN_URI)
        }
        other => other,
    }
    .map_err(|e| e.diagnostic(path))?;
    match version {
        0 => Ok(None),
        VERSION => Ok(Some(connection)),
        _ => {
            drop(connection);
            drop(writer(Some(path), Durability::Normal, patience)?);
            let (connection, _) = open(path, flags).map_err(|e| e.diagnostic(path))?;
            Ok(Some(connection))
        }
    }
}

fn has_wal(path: &Path) -> bool {
    std::fs::metadata(super::wal(path)).is_ok_and(|wal| wal.len() > 0)
}

fn cannot_write(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for char in path.to_string_lossy().chars() {
        match char {
            '%' | '?' | '#' => uri.push_str(&format!("%{:02x}", char as u32)),
            char => uri.push(char),
        }
    }
    uri + "?immutable=1"
}

/// What opening can run into.
enum Wrong {
    Sql(rusqlite::Error),
    Newer(i64),
    Foreign,
}

type Opened<T> = std::result::Result<T, Wrong>;

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Wrong::Sql(error)
    }
}

impl Wrong {
    fn diagnostic(&self, path: &Path) -> Diagnostic {
        match self {
            Wrong::Sql(error) => failure::sql(error, "cannot open", path),
            Wrong::Newer(version) => failure::newer(path, *version, VERSION),
            Wrong::Foreign => {
                let message = format!("`{}` is a database of another program", path.display());
                Diagnostic::new("flow::store::open", message)
                    .help("move it away, or name another folder in FLOW_HOME; it was not touched")
            }
        }
    }
}

/// SQLite's own waiting does not cover switching to the write-ahead log and its recovery.
fn retry<T>(patience: Duration, mut open: impl FnMut() -> Opened<T>) -> Opened<T> {
    let start = Instant::now();
    loop {
        match open() {
            Err(Wrong::Sql(error)) if failure::is_busy(&error) && start.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(2));
            }
            result => return result,
        }
    }
}

fn check_version(connection: &Connection) -> Opened<i64> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Wrong::Newer(version));
    }
    if version <= 0 {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        // Asked again: another process may have made the schema between the two questions.
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if tables > 0 && version <= 0 {
            return Err(Wrong::Foreign);
        }
        return Ok(version);
    }
    Ok(version)
}

fn migrate(connection: &mut Connection) -> Opened<()> {
    if check_version(connection)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Now nobody else changes it.
    let version = check_version(&transaction)?;
    for migration in &MIGRATIONS[usize::try_from(version).unwrap_or(0)..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_a_path_stay_in_it() {
        assert_eq!(immutable(Path::new("/a b/50%?#")), "file:/a b/50%25%3f%23?immutable=1");
    }
}
