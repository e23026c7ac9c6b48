//! The list of runs, and finding one in it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::log::Shared;
use super::projection::{self, Counts};
use super::{Inner, Store, locked};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::event::{Created, RunStatus};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// Name of its workflow.
    pub workflow: String,
    /// The script's path, absolute; `-` for standard input.
    pub file: String,
    /// Its status. A run that is not at its end and that nobody works on is `Interrupted`, unless it is `Paused`.
    pub status: RunStatus,
    /// When it was created, in milliseconds since 1970.
    pub created_at: u64,
    /// When its latest event happened.
    pub updated_at: u64,
    /// When it ended, if it did.
    pub ended_at: Option<u64>,
    /// Number of events in its log.
    pub events: u64,
    /// Its steps.
    pub steps: Counts,
    /// The run of which a step has started it; nothing: a person did, or another program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
}

/// Which runs are asked for. The default: all.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those of this status.
    pub status: Option<RunStatus>,
    /// Only those of this workflow: its name, or the path of its file.
    pub workflow: Option<String>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

/// A row of the table, as it stands there.
pub(super) struct RunRow {
    pub(super) number: i64,
    pub(super) head: Vec<u8>,
    pub(super) summary: RunSummary,
}

const COLUMNS: &str = "number, id, workflow, file, created_at, status, updated_at, ended_at, events, head,
    total, success, failed, skipped, cancelled,
    (SELECT event ->> '$.part_of.run' FROM events WHERE key = number << 32)";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let count = |column| row.get::<_, i64>(column).map(|n| n as u64);
    let status: String = row.get(5)?;
    Ok(RunRow {
        number: row.get(0)?,
        head: row.get(9)?,
        summary: RunSummary {
            run: row.get(1)?,
            workflow: row.get(2)?,
            file: row.get(3)?,
            status: projection::status(&status).ok_or_else(|| {
                let error = format!("a run has the status `{status}`").into();
                rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, error)
            })?,
            created_at: count(4)?,
            updated_at: count(6)?,
            ended_at: row.get::<_, Option<i64>>(7)?.map(|at| at as u64),
            events: count(8)?,
            steps: Counts {
                total: count(10)?,
                success: count(11)?,
                failed: count(12)?,
                skipped: count(13)?,
                cancelled: count(14)?,
            },
            part_of: row.get(15)?,
        },
    })
}

impl Store {
    /// The runs, newest first.
    ///
    /// # Errors
    /// If the database cannot be read; so for all functions that follow.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>> {
        // Whether a run was interrupted is not in the table, so these three cannot be told apart there.
        let unfinished =
            matches!(filter.status, Some(RunStatus::Pending | RunStatus::Running | RunStatus::Interrupted));
        let status = filter.status.filter(|_| !unfinished).map(RunStatus::name);
        let sql = format!(
            "SELECT {COLUMNS} FROM runs
             WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR workflow = ?2 OR file = ?2)
                 AND (NOT ?3 OR status IN ('pending', 'running'))
             ORDER BY number DESC"
        );
        self.inner.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![status, filter.workflow, unfinished])?;
            let mut runs = Vec::new();
            while runs.len() < filter.limit.unwrap_or(usize::MAX)
                && let Some(row) = rows.next()?
            {
                let run = self.inner.as_seen(run_row(row)?.summary);
                if filter.status.is_none_or(|status| status == run.status) {
                    runs.push(run);
                }
            }
            Ok(runs)
        })
    }

    /// One run, by its full id.
    ///
    /// # Errors
    /// `flow::run::unknown` if there is none.
    pub fn summary(&self, run: &str) -> Result<RunSummary> {
        Ok(self.inner.as_seen(self.inner.run(run)?.summary))
    }

    /// The id of the run that a person means: a full id, a unique beginning of one, or `last`: the
    /// newest that is not a part of another run.
    ///
    /// # Errors
    /// `flow::run::unknown` if there is none or several.
    pub fn find(&self, reference: &str) -> Result<String> {
        let ids = |sql: &str, reference: &str| {
            self.inner.read(|connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let ids = statement.query_map([reference], |row| row.get::<_, String>(0))?;
                ids.collect::<rusqlite::Result<Vec<String>>>()
            })
        };
        if reference == "last" {
            // What a step of another run has started is a part of that run.
            let newest = ids(
                "SELECT id FROM runs LEFT JOIN events ON key = number << 32
                 WHERE ?1 IS NOT NULL AND event ->> '$.part_of' IS NULL ORDER BY number DESC LIMIT 1",
                "",
            )?;
            return newest.into_iter().next().ok_or_else(|| {
                Diagnostic::new("flow::run::unknown", "there are no runs yet")
                    .help("start one with `flow script FILE`; `flow runs` lists those of this folder")
            });
        }
        // A beginning is what lies between itself and itself followed by the highest character.
        let found = match reference {
            "" => Vec::new(),
            _ => ids(
                "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || char(0x10ffff) ORDER BY id = ?1 DESC, number DESC",
                reference,
            )?,
        };
        match found.as_slice() {
            [id] => Ok(id.clone()),
            [id, ..] if id == reference => Ok(id.clone()),
            [] => {
                let known = ids("SELECT id FROM runs WHERE ?1 IS NOT NULL ORDER BY number DESC LIMIT 1000", "")?;
                let help = did_you_mean(reference, known.iter().map(String::as_str));
                Err(unknown(reference).help(help.unwrap_or_else(|| match known.first() {
                    Some(newest) => format!("the newest run is `{newest}`; `flow runs` lists all of this folder"),
                    None => "there are no runs in this folder yet; start one with `flow script FILE`".into(),
                })))
            }
            several => {
                let count = several.len();
                let shown: Vec<String> = several.iter().take(5).map(|id| format!("`{id}`")).collect();
                let more = if count > shown.len() { ", …" } else { "" };
                let message = format!("{count} runs begin with `{reference}`: {}{more}", shown.join(", "));
                Err(Diagnostic::new("flow::run::unknown", message).help("type a few more characters of the id"))
            }
        }
    }

    /// The newest run of this file that is not at its end, whether or not somebody works on it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn newest_unfinished(&self, file: &str) -> Result<Option<String>> {
        self.inner.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM runs WHERE file = ?1 AND ended_at IS NULL ORDER BY number DESC LIMIT 1",
                )?
                .query_row([file], |row| row.get(0))
                .optional()
        })
    }
}

impl Inner {
    /// The row of a run.
    pub(super) fn run(&self, run: &str) -> Result<RunRow> {
        self.read(|connection| row(connection, run))?.ok_or_else(|| unknown_id(run))
    }

    fn as_seen(&self, mut run: RunSummary) -> RunSummary {
        if matches!(run.status, RunStatus::Pending | RunStatus::Running) && !self.is_alive(&run.run) {
            run.status = RunStatus::Interrupted;
        }
        run
    }
}

/// The row of a run, if there is one.
pub(super) fn row(connection: &Connection, run: &str) -> rusqlite::Result<Option<RunRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?
        .query_row([run], run_row)
        .optional()
}

/// The row of a run of this number, if there is one.
pub(super) fn numbered(connection: &Connection, number: i64) -> rusqlite::Result<Option<RunRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE number = ?1"))?
        .query_row([number], run_row)
        .optional()
}

/// Inserts the row of a new run; the inner error says that the id is taken.
pub(super) fn insert(connection: &Connection, log: &Shared, created: &Created) -> rusqlite::Result<Result<()>> {
    let mut chain = locked(&log.chain);
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO runs (id, workflow, file, created_at, status, updated_at, events, head,
                 total, success, failed, skipped, cancelled)
             VALUES (?1, ?2, ?3, ?4, 'pending', ?4, 0, ?5, 0, 0, 0, 0, 0)",
        )?
        .execute(params![log.run, created.workflow, created.file, chain.projection.created_at as i64, chain.head])?;
    if inserted == 0 {
        return Ok(Err(Diagnostic::new("flow::store::write", format!("there is a run `{}` already", log.run))
            .help("choose another id, or leave it to the store")));
    }
    chain.number = connection.last_insert_rowid();
    Ok(Ok(()))
}

/// Brings the row of a run up to date with its events.
pub(super) fn project(connection: &Connection, log: &Shared) -> rusqlite::Result<()> {
    let chain = locked(&log.chain);
    let (projection, counts) = (&chain.projection, &chain.projection.counts);
    connection
        .prepare_cached(
            "UPDATE runs SET status = ?2, updated_at = ?3, ended_at = ?4, events = ?5, head = ?6,
                 total = ?7, success = ?8, failed = ?9, skipped = ?10, cancelled = ?11
             WHERE number = ?1",
        )?
        .execute(params![
            chain.number,
            projection.status.name(),
            projection.updated_at as i64,
            projection.ended_at.map(|at| at as i64),
            chain.next as i64,
            chain.head,
            counts.total as i64,
            counts.success as i64,
            counts.failed as i64,
            counts.skipped as i64,
            counts.cancelled as i64,
        ])?;
    Ok(())
}

/// There is no run of this id.
pub(super) fn unknown_id(run: &str) -> Diagnostic {
    unknown(run).help("`flow runs` lists the runs of this folder")
}

fn unknown(run: &str) -> Diagnostic {
    Diagnostic::new("flow::run::unknown", format!("there is no run `{run}`"))
}
