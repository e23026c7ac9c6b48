//! Finding receipts: which runs can hold them is asked of the table of runs; then the events of those are folded.

use rusqlite::{Connection, params};

use super::read::Link;
use super::runs::RunRow;
use super::{Inner, Store, chain, failure, key_of, runs};
use crate::diag::{Diagnostic, Result, did_you_mean, nearest};
use crate::state::receipt::{Ledger, Receipt, is_meant};

/// Which receipts are asked for. The default: all of all runs.
#[derive(Clone, Debug, Default)]
pub struct ReceiptFilter {
    /// Only those of this run (its full id).
    pub run: Option<String>,
    /// Only those of this step: its path, the end of one, or a group around it.
    pub step: Option<String>,
    /// Only those of steps that finished at this time or later, in milliseconds since 1970.
    pub since: Option<u64>,
    /// Only those whose hash begins so: digits of lower-case hexadecimal.
    pub hash: Option<String>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

/// Receipts, newest first.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// As many as were asked for.
    pub receipts: Vec<Receipt>,
    /// Are there more?
    pub more: bool,
}

/// Most paths that are remembered for a suggestion.
const REMEMBERED: usize = 10_000;

/// Most events of one beginning of a hash that are looked at.
const ALIKE: usize = 100;

impl Store {
    /// The receipts of finished steps, newest first.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::run::no_step` if no step has the path that is asked for, with the nearest;
    /// `flow::run::no_receipt` if nothing has the hash.
    pub fn receipts(&self, filter: &ReceiptFilter) -> Result<Receipts> {
        self.inner.read_once(|connection| {
            let mut search = Search::new(filter);
            match &filter.hash {
                Some(prefix) => {
                    let found = self.inner.alike(connection, prefix, filter)?;
                    let Some((first, _)) = found.first() else { return Err(no_hash(prefix)) };
                    for run in found.chunk_by(|a, b| a.0 == b.0).map(|events| events[0].0) {
                        search.run(&self.inner, connection, &self.inner.numbered(connection, run)?)?;
                    }
                    if search.found.is_empty() {
                        let run = self.inner.numbered(connection, *first)?;
                        return Err(ends_nothing(prefix, &run, &found, search.at_all > 0));
                    }
                }
                None => self.inner.search(connection, &mut search)?,
            }
            search.end()
        })
    }
}

impl Inner {
    /// Runs that can hold what is searched for, those with the latest events first.
    fn search(&self, connection: &Connection, search: &mut Search<'_>) -> Result<()> {
        if let Some(run) = &search.filter.run {
            return search.run(self, connection, &self.row(connection, run)?);
        }
        let sql = |error: rusqlite::Error| failure::sql(&error, "cannot read", &self.path);
        let mut statement = connection
            .prepare_cached("SELECT number, updated_at FROM runs WHERE updated_at >= ?1 ORDER BY updated_at DESC")
            .map_err(sql)?;
        let since = search.filter.since.unwrap_or(0) as i64;
        let mut rows = statement.query([since]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let (number, updated_at) = (row.get(0).map_err(sql)?, row.get::<_, i64>(1).map_err(sql)? as u64);
            if search.is_full(updated_at) {
                break;
            }
            search.run(self, connection, &self.numbered(connection, number)?)?;
        }
        Ok(())
    }

    fn numbered(&self, connection: &Connection, number: i64) -> Result<RunRow> {
        let row =
            runs::numbered(connection, number).map_err(|error| failure::sql(&error, "cannot read", &self.path))?;
        row.ok_or_else(|| failure::damaged(&self.path, "it has events of a run that is not there"))
    }

    /// The events whose hashes begin so: number of the run, number of the event.
    fn alike(&self, connection: &Connection, prefix: &str, filter: &ReceiptFilter) -> Result<Vec<(i64, u64)>> {
        let (first, last) = match &filter.run {
            Some(run) => {
                let number = self.row(connection, run)?.number;
                (key_of(number, 0), key_of(number + 1, 0))
            }
            None => (0, i64::MAX),
        };
        let bound = |digit: char| {
            let digits: String = prefix.chars().chain(std::iter::repeat(digit)).take(64).collect();
            chain::from_hex(&digits).unwrap_or_default()
        };
        let ask = || -> rusqlite::Result<Vec<(i64, u64)>> {
            let mut statement = connection.prepare_cached(
                "SELECT key FROM events WHERE key >= ?1 AND key < ?2 AND at >= ?3 AND hash BETWEEN ?4 AND ?5
                 ORDER BY key LIMIT ?6",
            )?;
            let since = filter.since.unwrap_or(0) as i64;
            let keys = statement
                .query_map(params![first, last, since, bound('0'), bound('f'), ALIKE as i64], |row| row.get(0))?;
            keys.map(|key| key.map(|key: i64| (key >> 32, key as u64 & u64::from(u32::MAX)))).collect()
        };
        ask().map_err(|error| failure::sql(&error, "cannot read", &self.path))
    }
}

/// What was found so far.
struct Search<'a> {
    filter: &'a ReceiptFilter,
    /// How many to keep: one more than asked for, to know whether there are more.
    most: usize,
    /// With the number of the run.
    found: Vec<(i64, Receipt)>,
    /// Steps that finished, whatever they are called.
    at_all: usize,
    /// Their paths.
    paths: Vec<String>,
}

impl<'a> Search<'a> {
    fn new(filter: &'a ReceiptFilter) -> Self {
        let most = filter.limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
        Search { filter, most, found: Vec::new(), at_all: 0, paths: Vec::new() }
    }

    /// Is there nothing to be found in runs whose latest event is this old?
    fn is_full(&self, updated_at: u64) -> bool {
        self.found.len() >= self.most && self.found.last().is_some_and(|(_, oldest)| oldest.at > updated_at)
    }

    /// Takes up the receipts of one run. Where a hash is asked for, the whole chain of the run is checked.
    fn run(&mut self, inner: &Inner, connection: &Connection, run: &RunRow) -> Result<()> {
        let mut ledger = Ledger::default();
        let one = self.filter.hash.is_some();
        let mut see = |link: Link| {
            if let Some(path) = ledger.apply(&link.record)
                && self.wants(&link, &path)
            {
                let (hash, before) = (chain::hex(&link.hash), chain::hex(&link.before));
                let receipt = ledger.receipt(&link.record, path, hash, before);
                self.found.extend(receipt.map(|receipt| (run.number, receipt)));
            }
            Ok(())
        };
        match one {
            true => inner.check(connection, run, |link, _| see(link)).map(drop)?,
            false => inner.links(connection, run, see)?,
        }
        self.found.sort_by_key(|(run, receipt)| std::cmp::Reverse((receipt.at, *run, receipt.event)));
        self.found.truncate(self.most);
        Ok(())
    }

    fn wants(&mut self, link: &Link, path: &str) -> bool {
        let filter = self.filter;
        if filter.since.is_some_and(|since| link.record.at < since)
            || filter.hash.as_ref().is_some_and(|prefix| !chain::hex(&link.hash).starts_with(&**prefix))
        {
            return false;
        }
        self.at_all += 1;
        match &filter.step {
            Some(step) if !is_meant(path, step) => {
                if self.paths.len() < REMEMBERED {
                    self.paths.push(path.to_owned());
                }
                false
            }
            _ => true,
        }
    }

    fn end(mut self) -> Result<Receipts> {
        if let (Some(step), true, true) = (&self.filter.step, self.found.is_empty(), self.at_all > 0) {
            self.paths.sort();
            self.paths.dedup();
            let problem = Diagnostic::new("flow::run::no_step", format!("no step `{step}` has finished here"));
            let names = self.paths.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
            let near = nearest(step, names).map(|name| format!("did you mean `{name}`?"));
            let help = || did_you_mean(step, self.paths.iter().map(String::as_str));
            return Err(
                problem.help(near.or_else(help).unwrap_or_else(|| "`flow receipts` lists those that have".into()))
            );
        }
        let more = self.filter.limit.is_some_and(|limit| self.found.len() > limit);
        self.found.truncate(self.filter.limit.unwrap_or(usize::MAX));
        Ok(Receipts { receipts: self.found.into_iter().map(|(_, receipt)| receipt).collect(), more })
    }
}

fn no_hash(prefix: &str) -> Diagnostic {
    Diagnostic::new("flow::run::no_receipt", format!("no event here has a hash that begins with `{prefix}`"))
        .help("`flow receipts --limit 100` lists the newest receipts with the beginnings of their hashes; a run that was removed has none")
}

/// There are such events, but by none of them a step finished that is asked for.
fn ends_nothing(prefix: &str, run: &RunRow, found: &[(i64, u64)], is_other: bool) -> Diagnostic {
    let run = &run.summary.run;
    let (_, seq) = found[0];
    let message = match is_other {
        true => format!("the receipt `{prefix}` is of another step"),
        false => format!("`{prefix}` is the hash of event {seq} of run `{run}`, by which no step finished"),
    };
    Diagnostic::new("flow::run::no_receipt", message)
        .help(format!("`flow receipts --run {run}` lists those of the run"))
}
