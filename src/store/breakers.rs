//! Breakers: their states across runs, shared by all processes of a folder.
//!
//! What events say of them is written in the transaction of the events, so each outcome counts exactly once. Only an
//! attempt that tries an open breaker is written by itself, when it is let through: it is the only one.

use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension};
use smol_str::SmolStr;

use super::{Store, locked, now_ms};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::event::{Event, Record};
use crate::plan::{Breaker, StepId};
use crate::state::breaker::{Admission, Circuit, Passer, Phase, Verdict};

/// What the events of one append mean for breakers, in order.
pub(super) enum Change {
    /// A plan declares it.
    Declared(SmolStr, Breaker),
    /// An attempt that had passed it ended.
    Counted { name: SmolStr, at: u64, who: Passer, verdict: Verdict },
    /// Attempts of these steps were ended or interrupted.
    LetGo { run: String, steps: Vec<StepId> },
}

/// What these records of a run mean. `uses`: does its plan declare any breaker?
pub(super) fn changes(run: &str, uses: bool, records: &[Record]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut gone = Vec::new();
    for record in records {
        let header = match &*record.event {
            Event::Planned { growth, .. } => {
                let declared = growth.breakers.iter().map(|(name, spec)| Change::Declared(name.clone(), *spec));
                changes.extend(declared);
                growth.header.as_deref()
            }
            Event::Replanned(new) => Some(&new.plan.header),
            Event::Finished { step, attempt, outcome } | Event::Retrying { step, attempt, outcome, .. } => {
                if let Some(name) = &outcome.breaker {
                    let who = Passer { run: run.to_owned(), step: step.0, attempt: *attempt };
                    let (name, verdict) = (name.clone(), Verdict::of(outcome));
                    changes.push(Change::Counted { name, at: record.at, who, verdict });
                }
                None
            }
            Event::Interrupted { step, .. } | Event::Cancelled { step } if uses => {
                gone.push(*step);
                None
            }
            _ => None,
        };
        let declared = header.into_iter().flat_map(|header| &header.breakers);
        changes.extend(declared.map(|(name, spec)| Change::Declared(name.clone(), *spec)));
    }
    if !gone.is_empty() {
        changes.push(Change::LetGo { run: run.to_owned(), steps: gone });
    }
    changes
}

/// Writes a change down, inside a transaction.
pub(super) fn apply(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Declared(name, spec) => {
            let before = get(connection, name)?;
            if before.as_ref().is_none_or(|circuit| circuit.spec != *spec) {
                put(connection, name, &Circuit { spec: *spec, ..before.unwrap_or_default() })?;
            }
        }
        Change::Counted { name, at, who, verdict } => {
            let before = get(connection, name)?.unwrap_or_default();
            let mut circuit = before.clone();
            circuit.count(*at, who, verdict.clone());
            if circuit != before {
                put(connection, name, &circuit)?;
            }
        }
        Change::LetGo { run, steps } => {
            for (name, before) in all(connection)? {
                let mut circuit = before.clone();
                circuit.let_go(run, steps);
                if circuit != before {
                    put(connection, &name, &circuit)?;
                }
            }
        }
    }
    Ok(())
}

fn get(connection: &Connection, name: &str) -> rusqlite::Result<Option<Circuit>> {
    connection
        .prepare_cached("SELECT state FROM breakers WHERE name = ?1")?
        .query_row([name], |row| row.get::<_, String>(0))
        .optional()
        .map(|state| state.map(|state| circuit(&state)))
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<(String, Circuit)>> {
    let mut statement = connection.prepare_cached("SELECT name, state FROM breakers ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, circuit(&row.get::<_, String>(1)?))))?;
    rows.collect()
}

/// One that cannot be read is as good as new: that is better than a folder in which nothing runs any more.
fn circuit(state: &str) -> Circuit {
    serde_json::from_str(state).unwrap_or_default()
}

fn put(connection: &Connection, name: &str, circuit: &Circuit) -> rusqlite::Result<()> {
    let state = serde_json::to_string(circuit).unwrap_or_default();
    connection
        .prepare_cached("INSERT INTO breakers (name, state) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2")?
        .execute([name, &state])
        .map(|_| ())
}

impl Store {
    /// All breakers, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn breakers(&self) -> Result<Vec<(String, Circuit)>> {
        self.inner.read(all)
    }

    /// May this attempt pass a breaker? If it is to try an open one, that is on disk when this returns, and no other
    /// attempt, of whatever process, is told the same.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn admit(&self, name: &str, who: &Passer) -> Result<Admission> {
        let circuit = self.inner.read(|connection| get(connection, name))?.unwrap_or_default();
        let now = now_ms();
        if circuit.phase(now) != Phase::Tryable {
            return Ok(circuit.clone().admit(now, who.clone()));
        }
        // Only what the writer's transaction finds counts.
        let said = Arc::new(Mutex::new(None));
        let (name, who, tell) = (name.to_owned(), who.clone(), said.clone());
        self.write(move |connection| {
            let before = get(connection, &name)?.unwrap_or_default();
            let mut circuit = before.clone();
            *locked(&tell) = Some(circuit.admit(now_ms(), who));
            if circuit == before { Ok(()) } else { put(connection, &name, &circuit) }
        })?;
        let said = locked(&said).take();
        Ok(said.unwrap_or(Admission::Go))
    }

    /// Closes a breaker. Gives its state before.
    ///
    /// # Errors
    /// `flow::run::no_breaker` if there is none of this name, with the nearest; or if the database cannot be written.
    pub fn reset_breaker(&self, name: &str) -> Result<Circuit> {
        let known = self.breakers()?;
        let Some((_, before)) = known.iter().find(|(other, _)| other == name).cloned() else {
            let names: Vec<&str> = known.iter().map(|(name, _)| &**name).collect();
            return Err(no_breaker(name, &names));
        };
        let name = name.to_owned();
        self.write(move |connection| {
            let mut circuit = get(connection, &name)?.unwrap_or_default();
            circuit.close(now_ms());
            put(connection, &name, &circuit)
        })?;
        Ok(before)
    }
}

/// There is no breaker of this name, only those.
pub fn no_breaker(name: &str, known: &[&str]) -> Diagnostic {
    let problem = Diagnostic::new("flow::run::no_breaker", format!("there is no breaker `{name}`"));
    let help = did_you_mean(name, known.iter().copied());
    let none = "no run of this folder has declared a breaker; `breaker(name, #{…})` in a script does";
    let all = "`flow breakers` lists those of this folder";
    problem.help(help.unwrap_or_else(|| if known.is_empty() { none } else { all }.to_owned()))
}
