//! Reading a run's events, with or without a check of the chain.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::projection::Projection;
use super::runs::RunRow;
use super::{Durability, Inner, chain, connect, failure, key_of, runs};
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Record};

/// How deep an event may be nested; what serde_json allows by itself (128) is less than an output may be.
const MOST_LEVELS: usize = 1024;

/// An event as it is stored. The columns of a damaged or changed row may hold anything.
struct Stored<'a> {
    seq: u64,
    at: Option<u64>,
    json: Option<&'a str>,
    hash: Option<&'a [u8]>,
}

/// An event in its chain.
pub(super) struct Link {
    pub(super) record: Record,
    pub(super) before: chain::Hash,
    pub(super) hash: chain::Hash,
}

/// The end of a log that was checked.
pub(super) struct Checked {
    pub(super) events: u64,
    pub(super) head: chain::Hash,
    pub(super) projection: Projection,
    first: Option<Arc<Event>>,
    last: Option<Arc<Event>>,
}

impl Inner {
    /// The records of a run from a number on.
    pub(super) fn records(&self, run: &RunRow, from_seq: u64) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.read_with(|connection| {
            self.each_event(connection, run, from_seq, |stored| {
                let event = stored.json.ok_or("it is not a text".to_owned()).and_then(parse);
                match (event, stored.at) {
                    (Ok(event), Some(at)) => {
                        records.push(Record { seq: stored.seq, at, event: Arc::new(event) });
                        Ok(())
                    }
                    (event, _) => {
                        let why = event.err().unwrap_or_else(|| "its time is not a number".into());
                        Err(unreadable(&run.summary.run, stored.seq, &why))
                    }
                }
            })
        })?;
        Ok(records)
    }

    /// All records of a run; every number and every hash is checked, and the row of the run too.
    pub(super) fn checked(&self, id: &str) -> Result<(RunRow, Checked, Vec<Record>)> {
        let mut records = Vec::new();
        let (run, checked) = self.read_once(|connection| {
            let run = self.row(connection, id)?;
            let checked = self.check(connection, &run, |link, _| {
                records.push(link.record);
                Ok(())
            })?;
            Ok((run, checked))
        })?;
        Ok((run, checked, records))
    }

    /// Asks several things of one moment, while runs go on.
    pub(super) fn read_once<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read_with(|connection| {
            let transaction =
                connection.unchecked_transaction().map_err(|error| failure::sql(&error, "cannot read", &self.path))?;
            ask(&transaction)
        })
    }

    /// The same through a connection of its own, for what takes long: others can go on reading.
    pub(super) fn read_alone<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.durability == Durability::None {
            return self.read_once(ask);
        }
        let connection = connect::reader(&self.path, self.patience)?
            .ok_or_else(|| failure::damaged(&self.path, "it was removed"))?;
        let transaction =
            connection.unchecked_transaction().map_err(|error| failure::sql(&error, "cannot read", &self.path))?;
        ask(&transaction)
    }

    /// The row of a run, within what is read at one moment.
    pub(super) fn row(&self, connection: &Connection, id: &str) -> Result<RunRow> {
        let row = runs::row(connection, id).map_err(|error| failure::sql(&error, "cannot read", &self.path))?;
        row.ok_or_else(|| runs::unknown_id(id))
    }

    /// Checks all events of a run and its row, one after the other; `see` gets each with its JSON.
    pub(super) fn check(
        &self,
        connection: &Connection,
        run: &RunRow,
        mut see: impl FnMut(Link, &str) -> Result<()>,
    ) -> Result<Checked> {
        let id = &run.summary.run;
        let projection = Projection::default();
        let mut log = Checked { events: 0, head: chain::start(id), projection, first: None, last: None };
        self.each_event(connection, run, 0, |stored| {
            let next = log.events;
            if stored.seq != next {
                return Err(tampered(id, format!("event {next} of run `{id}` is missing")));
            }
            let changed = || {
                let kind = stored.json.map_or_else(|| "not readable".to_owned(), kind_of);
                let before = match next {
                    0 => String::new(),
                    _ => format!(", or event {} before it,", next - 1),
                };
                tampered(id, format!("event {next} of run `{id}` ({kind}){before} is not what was written"))
            };
            let (Some(at), Some(json), Some(hash)) = (stored.at, stored.json, stored.hash) else {
                return Err(changed());
            };
            let before = log.head;
            log.head = chain::next(&before, next, at, json.as_bytes());
            if hash != log.head {
                return Err(changed());
            }
            let event = Arc::new(parse(json).map_err(|why| unreadable(id, next, &why))?);
            log.projection.apply(at, &event);
            log.events += 1;
            log.first.get_or_insert_with(|| event.clone());
            log.last = Some(event.clone());
            see(Link { record: Record { seq: next, at, event }, before, hash: log.head }, json)
        })?;
        log.fits(run)?;
        Ok(log)
    }

    /// The events of a run with their hashes, as they stand there: unchecked.
    pub(super) fn links(
        &self,
        connection: &Connection,
        run: &RunRow,
        mut see: impl FnMut(Link) -> Result<()>,
    ) -> Result<()> {
        let mut before = chain::start(&run.summary.run);
        self.each_event(connection, run, 0, |stored| {
            let unreadable = |why: String| unreadable(&run.summary.run, stored.seq, &why);
            let event = stored.json.ok_or("it is not a text".to_owned()).and_then(parse).map_err(unreadable)?;
            let hash = stored.hash.and_then(|hash| hash.try_into().ok());
            let (Some(at), Some(hash)) = (stored.at, hash) else {
                return Err(unreadable("its time or its hash is no such thing".into()));
            };
            let record = Record { seq: stored.seq, at, event: Arc::new(event) };
            see(Link { record, before: std::mem::replace(&mut before, hash), hash })
        })
    }

    fn each_event(
        &self,
        connection: &Connection,
        run: &RunRow,
        from_seq: u64,
        mut see: impl FnMut(Stored<'_>) -> Result<()>,
    ) -> Result<()> {
        let sql = |error: rusqlite::Error| failure::sql(&error, "cannot read", &self.path);
        let mut statement = connection
            .prepare_cached("SELECT key, at, event, hash FROM events WHERE key >= ?1 AND key < ?2 ORDER BY key")
            .map_err(sql)?;
        let mut rows =
            statement.query(params![key_of(run.number, from_seq), key_of(run.number + 1, 0)]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let seq = row.get::<_, i64>(0).map_err(sql)? as u64 & u64::from(u32::MAX);
            see(Stored {
                seq,
                at: row.get::<_, i64>(1).ok().map(|at| at as u64),
                json: row.get_ref(2).ok().and_then(|value| value.as_str().ok()),
                hash: row.get_ref(3).ok().and_then(|value| value.as_blob().ok()),
            })?;
        }
        Ok(())
    }
}

impl Checked {
    /// Does the row of the run say what the events say? It also shows a log whose end was cut off.
    fn fits(&self, run: &RunRow) -> Result<()> {
        let id = &run.summary.run;
        let (row, projection) = (&run.summary, &self.projection);
        let events = self.events;
        if events < row.events {
            let last = match &self.last {
                Some(event) => format!("event {} ({})", events - 1, name_of(event)),
                None => "nothing".to_owned(),
            };
            let message = format!("run `{id}` had {} events, its log ends with {last}", row.events);
            return Err(tampered(id, message));
        }
        let Some(Event::Created(created)) = self.first.as_deref() else {
            return Err(tampered(id, format!("the log of run `{id}` does not begin with its creation")));
        };
        let differs = [
            ("events", events != row.events),
            ("head", run.head != self.head),
            ("id", created.run != *id),
            ("workflow", created.workflow != row.workflow),
            ("file", created.file != row.file),
            ("created_at", projection.created_at != row.created_at),
            ("updated_at", projection.updated_at != row.updated_at),
            ("ended_at", projection.ended_at != row.ended_at),
            ("status", projection.status != row.status),
            ("steps", projection.counts != row.steps),
        ];
        match differs.iter().find(|(_, differs)| *differs) {
            Some((column, _)) => {
                Err(tampered(id, format!("in the row of run `{id}`, `{column}` is not what its events say")))
            }
            None => Ok(()),
        }
    }
}

/// An event of its JSON.
pub(super) fn parse(json: &str) -> std::result::Result<Event, String> {
    match serde_json::from_str(json) {
        Ok(event) => Ok(event),
        Err(_) if is_deep(json) => {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            deserializer.disable_recursion_limit();
            serde::Deserialize::deserialize(&mut deserializer).map_err(|error: serde_json::Error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Nested deeper than serde_json reads by itself, but not so deep that reading it would be a danger to the stack?
fn is_deep(json: &str) -> bool {
    let (mut level, mut most) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                level += 1;
                most = most.max(level);
            }
            b'}' | b']' if !in_text => level = level.saturating_sub(1),
            _ => {}
        }
    }
    most > 120 && most <= MOST_LEVELS
}

/// The type of an event, as far as its JSON can be read.
pub(super) fn kind_of(json: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_str::<Typed>(json).map_or_else(|_| "not readable".into(), |typed| format!("`{}`", typed.r#type))
}

fn name_of(event: &Event) -> String {
    serde_json::to_string(event).map_or_else(|_| String::new(), |json| kind_of(&json))
}

pub(super) fn tampered(run: &str, message: String) -> Diagnostic {
    Diagnostic::new("flow::store::tampered", message).help(format!(
        "the database was changed by something else than flow, or damaged: bring back a copy of it. \
         `flow show {run}` still shows what it says now, but the run cannot be resumed"
    ))
}

fn unreadable(run: &str, seq: u64, why: &str) -> Diagnostic {
    let message = format!("event {seq} of run `{run}` cannot be read: {why}");
    Diagnostic::new("flow::store::corrupt", message)
        .help(format!("`flow verify {run}` says whether it was changed; bring back a copy of the database if so"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Outcome, Output};
    use crate::plan::{Json, StepId};

    fn nested(levels: usize) -> String {
        let value = (0..levels).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        let outcome = Outcome { output: Output::Value(value), ..Outcome::default() };
        let event = Event::Finished { step: StepId(0), attempt: 1, outcome: Arc::new(outcome) };
        serde_json::to_string(&event).unwrap()
    }

    #[test]
    fn a_deep_output_can_be_read_again() {
        for levels in [1, 100, 127, 128, 500] {
            let json = nested(levels);
            let event = parse(&json).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        }
        assert!(parse(&nested(1)[..10]).is_err());
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }
}
