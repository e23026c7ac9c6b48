//! `flow verify`: is everything that a run left behind still what was written?

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::read::tampered;
use super::{Store, chain};
use crate::diag::Result;
use crate::event::{Event, Log};
use crate::state::receipt::{Evidence, Receipt, files};

/// What was found to be in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of events in the chain.
    pub events: u64,
    /// Hash of the latest event, in hexadecimal. Whoever has noted it can tell later that nothing before it changed.
    pub head: String,
    /// Number of scripts and files whose hashes the events hold and that have them.
    pub files: u64,
    /// Files that are no longer there (below the run's folder).
    pub missing: Vec<String>,
    /// Hashes and names of the texts that the events name.
    sources: BTreeSet<(String, String)>,
}

impl Store {
    /// Checks the hash chain of a run (by its full id), its row in the table, its scripts and its files.
    ///
    /// # Errors
    /// `flow::store::tampered` names the first event or file that is not what was written.
    pub fn verify(&self, run: &str) -> Result<Verified> {
        let folder = self.run_folder(run);
        let mut verified = Verified::default();
        let checked = self.inner.read_once(|connection| {
            let row = self.inner.row(connection, run)?;
            self.inner.check(connection, &row, |link, _| {
                match &*link.record.event {
                    Event::Finished { outcome, .. } | Event::Retrying { outcome, .. } => {
                        for log in files(outcome).filter(|log| !log.sha256.is_empty()) {
                            verified.file(&folder, log, run, link.record.seq)?;
                        }
                    }
                    event => sources_of(event, &mut |name, sha256| {
                        verified.sources.insert((sha256.to_owned(), name.to_owned()));
                    }),
                }
                Ok(())
            })
        })?;
        // Asked after the events, since there is but one connection to read with.
        for (sha256, name) in std::mem::take(&mut verified.sources) {
            self.source(&sha256).map_err(|error| {
                tampered(run, format!("the text of `{name}`, as run `{run}` was made from it: {error}"))
            })?;
            verified.files += 1;
        }
        verified.events = checked.events;
        verified.head = chain::hex(&checked.head);
        Ok(verified)
    }
}

/// A file that a receipt names, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Below the run's folder.
    pub file: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its length, as the log says.
    pub bytes: u64,
    /// SHA-256 of its content: as the log says, or (of short files, of which it says none) as it is now.
    pub sha256: Option<String>,
    /// What became of it.
    pub state: Kept,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is there, with the length, and where the log has it the hash, that it had.
    Written,
    /// It is another one.
    Changed,
    /// It is gone.
    Missing,
}

impl Store {
    /// The files that a receipt names.
    pub fn evidence(&self, receipt: &Receipt) -> Vec<Found> {
        let folder = self.run_folder(&receipt.run);
        let found = |evidence: &Evidence| {
            let path = folder.join(&evidence.file);
            let now = hash_file(&path);
            let bytes = path.metadata().map(|file| file.len()).ok();
            let sha256 = evidence.sha256.clone();
            let state = match &now {
                None => Kept::Missing,
                _ if bytes != Some(evidence.bytes) || sha256.is_some() && sha256 != now => Kept::Changed,
                Some(_) => Kept::Written,
            };
            let now = now.filter(|_| state == Kept::Written);
            Found { file: evidence.file.clone(), path, bytes: evidence.bytes, sha256: sha256.or(now), state }
        };
        receipt.evidence.iter().map(found).collect()
    }
}

impl Verified {
    fn file(&mut self, folder: &Path, log: &Log, run: &str, seq: u64) -> Result<()> {
        match hash_file(&folder.join(&log.file)) {
            Some(sha256) if sha256 == log.sha256 => self.files += 1,
            Some(_) => {
                let message = format!("the file `{}` of run `{run}` is not what event {seq} says", log.file);
                return Err(tampered(run, message));
            }
            None => self.missing.push(log.file.clone()),
        }
        Ok(())
    }
}

/// The texts that an event names: name and hash.
pub(super) fn sources_of(event: &Event, see: &mut dyn FnMut(&str, &str)) {
    let mut pairs = |pairs: &[(String, String)]| pairs.iter().for_each(|(name, sha256)| see(name, sha256));
    match event {
        Event::Created(created) => pairs(&created.sources),
        Event::Replanned(new) => pairs(&new.sources),
        Event::Planned { growth, .. } => {
            let header = growth.header.iter().flat_map(|header| &header.files);
            header.chain(&growth.files).for_each(|file| see(&file.name, &file.sha256));
        }
        _ => {}
    }
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
