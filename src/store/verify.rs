//! `flow verify`: is everything that a run left behind still what was written?

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::read::tampered;
use super::{Store, chain};
use crate::diag::Result;
use crate::event::{Event, Log, Outcome, Output};

/// What was found to be in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of events in the chain.
    pub events: u64,
    /// Hash of the latest event, in hexadecimal. Whoever has noted it can tell later that nothing before it changed.
    pub head: String,
    /// Number of scripts and files whose hashes the events hold and that have them.
    pub files: u64,
    /// Files that are no longer there (below the run's folder).
    pub missing: Vec<String>,
}

impl Store {
    /// Checks the hash chain of a run (by its full id), its row in the table, its scripts and its files.
    ///
    /// # Errors
    /// `flow::store::tampered` names the first event or file that is not what was written.
    pub fn verify(&self, run: &str) -> Result<Verified> {
        let (_, checked) = self.inner.checked(run)?;
        let events = checked.records.len() as u64;
        let mut verified = Verified { events, head: chain::hex(&checked.head), files: 0, missing: Vec::new() };
        let folder = self.run_folder(run);
        for record in &checked.records {
            match &*record.event {
                Event::Created(created) => {
                    for (name, sha256) in &created.sources {
                        self.source(sha256).map_err(|error| {
                            tampered(run, format!("the text of `{name}`, as run `{run}` began with it: {error}"))
                        })?;
                        verified.files += 1;
                    }
                }
                Event::Finished { outcome, .. } | Event::Retrying { outcome, .. } => {
                    for log in logs(outcome) {
                        match hash_file(&folder.join(&log.file)) {
                            Some(sha256) if sha256 == log.sha256 => verified.files += 1,
                            Some(_) => {
                                let message = format!(
                                    "the file `{}` of run `{run}` is not what event {} says",
                                    log.file, record.seq
                                );
                                return Err(tampered(run, message));
                            }
                            None => verified.missing.push(log.file.clone()),
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(verified)
    }
}

/// The files of an outcome whose hashes are known, each once.
fn logs(outcome: &Outcome) -> impl Iterator<Item = &Log> {
    let output = match &outcome.output {
        Output::File { log, .. } if outcome.stdout.as_ref().is_none_or(|stdout| stdout.file != log.file) => Some(log),
        _ => None,
    };
    outcome.stdout.iter().chain(&outcome.stderr).chain(output).filter(|log| !log.sha256.is_empty())
}

fn hash_file(path: &Path) -> Option<String> {
    let mut sha = Sha256::new();
    std::io::copy(&mut File::open(path).ok()?, &mut HashWriter(&mut sha)).ok()?;
    Some(chain::hex(&sha.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
