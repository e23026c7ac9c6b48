//! What was signed of logs, so that it can be shown later that it was signed then.

use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::key::{Key, PublicKey, of_log};
use super::{Store, chain, now_ms};
use crate::diag::Result;

/// A signature of a log, up to one of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// How many events it covers.
    pub events: u64,
    /// SHA-256 of the public key, in hexadecimal.
    #[serde(serialize_with = "fingerprint")]
    pub key: PublicKey,
    /// When, in milliseconds since 1970.
    pub at: u64,
    #[serde(skip)]
    pub(super) head: chain::Hash,
    #[serde(skip)]
    pub(super) bytes: Vec<u8>,
}

fn fingerprint<S: serde::Serializer>(key: &PublicKey, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&key.fingerprint())
}

impl Signature {
    /// Is it one of this log, whose event before [`Signature::events`] has this hash?
    pub(super) fn is_of(&self, run: &str, hash: &chain::Hash) -> bool {
        self.head == *hash && self.key.has_signed(&of_log(run, self.events, &self.head), &self.bytes)
    }
}

impl Store {
    /// Signs the log of a run (by its full id) as it is now, and keeps that.
    ///
    /// # Errors
    /// `flow::run::unknown`, or if the database cannot be read or written.
    pub fn sign(&self, run: &str, key: &Key) -> Result<Signature> {
        self.flush()?;
        let row = self.inner.run(run)?;
        let head: chain::Hash = row.head.as_slice().try_into().unwrap_or_default();
        let events = row.summary.events;
        let bytes = key.sign(&of_log(run, events, &head)).to_vec();
        let signed = Signature { events, key: key.public(), at: now_ms(), head, bytes };
        let (run, kept) = (run.to_owned(), signed.clone());
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO signatures (run, events, head, key, signature, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![run, events as i64, kept.head, kept.key.to_bytes(), kept.bytes, kept.at as i64])
                .map(|_| ())
        })?;
        Ok(signed)
    }

    /// What was signed of a run (by its full id), the latest first. They are not checked: [`Store::verify`] does that.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn signatures(&self, run: &str) -> Result<Vec<Signature>> {
        self.inner.read(|connection| of_run(connection, run))
    }
}

/// See [`Store::signatures`].
pub(super) fn of_run(connection: &Connection, run: &str) -> rusqlite::Result<Vec<Signature>> {
    connection
        .prepare_cached(
            "SELECT events, head, key, signature, at FROM signatures WHERE run = ?1 ORDER BY events DESC, at DESC",
        )?
        .query_map([run], signature)?
        .collect()
}

fn signature(row: &Row<'_>) -> rusqlite::Result<Signature> {
    let wrong = |column: usize| rusqlite::Error::InvalidColumnType(column, "key".into(), row_type(row, column));
    let key = row.get_ref(2)?.as_blob().ok().and_then(PublicKey::from_bytes).ok_or_else(|| wrong(2))?;
    Ok(Signature {
        events: row.get::<_, i64>(0)? as u64,
        head: row.get(1)?,
        key,
        bytes: row.get(3)?,
        at: row.get::<_, i64>(4)? as u64,
    })
}

fn row_type(row: &Row<'_>, column: usize) -> rusqlite::types::Type {
    row.get_ref(column).map_or(rusqlite::types::Type::Null, |value| value.data_type())
}
