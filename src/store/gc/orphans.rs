//! What has lost its other half: folders of runs that the database does not know, events and letters of no run.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::runs::remove_all;
use super::shrink::folder_bytes;
use super::{Collected, is_older};
use crate::diag::Result;
use crate::store::Store;
use crate::store::lock::RunLock;

/// A folder that belongs to nothing yet may be one of a run that is just beginning.
const NEW: Duration = Duration::from_secs(3600);

impl Store {
    /// Step 1 of the collection.
    pub(super) fn remove_orphans(&self, done: &mut Collected) -> Result<()> {
        let removed: Vec<String> = self.inner.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT run FROM removed WHERE run NOT IN (SELECT id FROM runs)")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        for run in &removed {
            self.remove_folder(run, done);
        }
        self.forget_removed(removed)?;

        let known = self.known_runs()?;
        for name in names(&self.inner.home.join("runs")) {
            let folder = self.run_folder(&name);
            if known.contains(&name) || !folder.is_dir() || !is_old(&folder) || self.is_alive(&name) {
                continue;
            }
            // Held while the folder goes. A run that began meanwhile has its row before it lets go of its lock.
            let lock = RunLock::take(&folder, 0);
            if lock.is_ok() && !self.known_runs()?.contains(&name) {
                self.remove_folder(&name, done);
                done.folders += 1;
            }
        }
        if self.inner.read(has_orphans)? {
            self.write(remove_rows)?;
        }
        Ok(())
    }

    /// Folders of results that the database does not know.
    pub(super) fn remove_result_folders(&self, done: &mut Collected) -> Result<()> {
        let cache = self.inner.home.join("cache");
        for name in names(&cache) {
            let folder = cache.join(&name);
            if !folder.is_dir() || !is_old(&folder) || self.cached(&name)?.is_some() {
                continue;
            }
            let bytes = folder_bytes(&folder);
            match remove_all(&folder) {
                Ok(()) => {
                    done.files_bytes += bytes;
                    done.folders += 1;
                }
                Err(error) => done.failed.push(format!("cannot remove `{}`: {error}", folder.display())),
            }
        }
        Ok(())
    }
}

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn is_old(folder: &Path) -> bool {
    let lock = folder.join("lock");
    is_older(folder, NEW) && (!lock.exists() || is_older(&lock, NEW))
}

/// Is there anything of a run that is not there?
fn has_orphans(connection: &Connection) -> rusqlite::Result<bool> {
    let letters: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE run NOT IN (SELECT id FROM runs))
             OR EXISTS (SELECT 1 FROM signatures WHERE run NOT IN (SELECT id FROM runs))",
        [],
        |row| row.get(0),
    )?;
    Ok(letters || !stray(connection)?.is_empty())
}

/// The numbers of runs that have events and no row. From one number to the next by the key of the events, so that not all
/// of them are read.
fn stray(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut next = connection.prepare_cached("SELECT key >> 32 FROM events WHERE key >= ?1 ORDER BY key LIMIT 1")?;
    let mut known = connection.prepare_cached("SELECT 1 FROM runs WHERE number = ?1")?;
    let (mut stray, mut from) = (Vec::new(), 0);
    while let Some(number) = next.query_row([from], |row| row.get::<_, i64>(0)).optional()? {
        if !known.exists([number])? {
            stray.push(number);
        }
        from = (number + 1) << 32;
    }
    Ok(stray)
}

fn remove_rows(connection: &Connection) -> rusqlite::Result<()> {
    for number in stray(connection)? {
        connection.execute("DELETE FROM events WHERE key >= ?1 AND key < ?2", [number << 32, (number + 1) << 32])?;
    }
    connection.execute("DELETE FROM inbox WHERE run NOT IN (SELECT id FROM runs)", [])?;
    connection.execute("DELETE FROM signatures WHERE run NOT IN (SELECT id FROM runs)", []).map(|_| ())
}
