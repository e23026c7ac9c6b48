//! How long the steps of a workflow usually take, for estimates.

use std::collections::HashMap;

use super::Store;
use crate::diag::Result;

/// The weight of the latest run: high enough to follow a change within a few runs, low enough to forget one outlier.
const WEIGHT: f64 = 0.3;

impl Store {
    /// Takes up how long steps (by path) took in a run, in milliseconds: an exponential moving average.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn record_durations(&self, workflow: &str, durations: &[(String, u64)]) -> Result<()> {
        if durations.is_empty() {
            return Ok(());
        }
        let (workflow, durations) = (workflow.to_owned(), durations.to_vec());
        self.write(move |connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO durations (workflow, step, ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET ms = CAST(round(ms + (excluded.ms - ms) * ?4) AS INTEGER)",
            )?;
            for (step, ms) in &durations {
                upsert.execute(rusqlite::params![workflow, step, *ms as i64, WEIGHT])?;
            }
            Ok(())
        })
    }

    /// How long the steps (by path) of a workflow usually take, in milliseconds.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn durations(&self, workflow: &str) -> Result<HashMap<String, u64>> {
        self.inner.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT step, ms FROM durations WHERE workflow = ?1")?;
            let rows = statement.query_map([workflow], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as u64)))?;
            rows.collect()
        })
    }
}
