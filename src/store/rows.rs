//! Records as rows: JSON written, numbers checked, hashes chained, and then inserted many at a time.

use std::ops::Range;

use rusqlite::{CachedStatement, Connection};

use super::log::Shared;
use super::{chain, locked};
use crate::diag::{Diagnostic, Result};
use crate::event::Record;

/// Most bytes of JSON to be collected for one transaction.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// Rows in one statement: a statement has a price of its own, and with this many it no longer shows.
const MANY: usize = 16;

/// The rows of one transaction; the buffers are used again and again.
#[derive(Default)]
pub(super) struct Rows {
    json: Vec<u8>,
    rows: Vec<Row>,
}

struct Row {
    /// Number of its run, once that is known; 0: not to be inserted.
    run: i64,
    seq: u64,
    at: u64,
    hash: chain::Hash,
    /// Where its JSON stands.
    json: Range<usize>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.json.clear();
        self.json.shrink_to(MOST_BYTES / 4);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.json.len()
    }

    /// Makes rows of records and takes them up in the chain of their log. After an error nothing of them remains, and
    /// the log stays failed.
    pub(super) fn add(&mut self, log: &Shared, records: &[Record]) -> Result<()> {
        let mut chain = locked(&log.chain);
        if let Some(diagnostic) = &chain.failed {
            return Err(diagnostic.clone());
        }
        let (rows, bytes) = (self.rows.len(), self.json.len());
        for (record, due) in records.iter().zip(chain.next..) {
            let start = self.json.len();
            let problem = if record.seq == due {
                serde_json::to_writer(&mut self.json, &*record.event).err().map(|error| error.to_string())
            } else {
                Some(format!("it came where event {due} was due"))
            };
            if let Some(problem) = problem {
                self.rows.truncate(rows);
                self.json.truncate(bytes);
                let message = format!("event {} of run `{}` cannot be written: {problem}", record.seq, log.run);
                let diagnostic = Diagnostic::new("flow::store::write", message)
                    .help("this is a fault of flow: please report it; the run can be resumed");
                chain.failed = Some(diagnostic.clone());
                return Err(diagnostic);
            }
            let json = start..self.json.len();
            self.rows.push(Row { run: 0, seq: record.seq, at: record.at, hash: chain::Hash::default(), json });
        }
        for (row, record) in self.rows[rows..].iter_mut().zip(records) {
            row.hash = chain::next(&chain.head, row.seq, row.at, &self.json[row.json.clone()]);
            chain.head = row.hash;
            chain.projection.apply(record.at, &record.event);
        }
        chain.next += records.len() as u64;
        Ok(())
    }

    /// These rows are events of this run.
    pub(super) fn belong(&mut self, rows: Range<usize>, run: i64) {
        for row in &mut self.rows[rows] {
            row.run = run;
        }
    }

    /// Inserts all rows whose run is known.
    pub(super) fn insert(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "INSERT INTO events (key, at, event, hash) VALUES (?, ?, ?, ?)";
        self.rows.retain(|row| row.run != 0);
        let mut chunks = self.rows.chunks_exact(MANY);
        if chunks.len() > 0 {
            let many = format!("{SQL}{}", ", (?, ?, ?, ?)".repeat(MANY - 1));
            let mut many = connection.prepare_cached(&many)?;
            for chunk in &mut chunks {
                self.bind(&mut many, chunk)?;
            }
        }
        let mut one = connection.prepare_cached(SQL)?;
        for row in chunks.remainder().chunks(1) {
            self.bind(&mut one, row)?;
        }
        Ok(())
    }

    fn bind(&self, insert: &mut CachedStatement<'_>, rows: &[Row]) -> rusqlite::Result<()> {
        for (row, n) in rows.iter().zip((0..).step_by(4)) {
            // What serde_json writes is UTF-8.
            let json = std::str::from_utf8(&self.json[row.json.clone()]).unwrap_or_default();
            insert.raw_bind_parameter(n + 1, super::key_of(row.run, row.seq))?;
            insert.raw_bind_parameter(n + 2, row.at as i64)?;
            insert.raw_bind_parameter(n + 3, json)?;
            insert.raw_bind_parameter(n + 4, row.hash.as_slice())?;
        }
        insert.raw_execute()?;
        Ok(())
    }
}
